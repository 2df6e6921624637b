/* test_host_changes.c: texts that readers parse (the header of an array, a CSV, UTF-8), with every place of them changed,
 * doubled, left out and cut: a table that makes sense, or a message. And limits that such changes do not come to. */
#include "unit/host_test.h"
#include "unit/host_files.h"

TestSuite(changes, .init = folder_make, .fini = folder_remove);

/* Each place of a text becomes each of some characters, is left out, and ends the text: `check` looks at what it is then. */
static void changes_try(const char *text, const char *characters, void check(const char *changed, size_t length))
{
    char changed[1000];
    size_t length = strlen(text);
    cr_assert(length + 1 < sizeof changed);
    for (size_t i = 0; i < length; i++) {
        for (const char *c = characters; *c; c++) {
            memcpy(changed, text, length + 1);
            changed[i] = *c;
            check(changed, length);
            memmove(changed + i + 1, text + i, length - i + 1); /* one more */
            check(changed, length + 1);
        }
        memcpy(changed, text, i);
        memcpy(changed + i, text + i + 1, length - i);
        check(changed, length - 1);
        check(text, i);
    }
}

static void npy_changed(const char *header, size_t length)
{
    static const unsigned char data[64];
    char ended[1000];
    Table t;
    Problem p;
    memcpy(ended, header, length);
    ended[length] = 0;
    bool good = npy_try(ended, data, sizeof data, &t, &p);
    cr_assert(good ? t.columns == 1 && t.rows * t.column[0].elements <= 64 : p.code == EXIT_INPUT && *p.text, "%s",
              ended);
    table_free(&t);
}

Test(changes, npy_every_change_of_the_header_is_survived)
{
    changes_try("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 2), }\n", "'(),:{}T0 9x", npy_changed);
    changes_try("{'shape': (8,), 'fortran_order': True, 'descr': '|u1'}", "'(),:iF<>", npy_changed);
    static const char *const bad[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 9999999999), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 2147483647, 2147483647, 2147483647), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4503599627370496, 2147483647), }",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (4, 2), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (4,), }",
        "{'descr_that_is_longer_than_any_key_that_there_is_or_will_be': '<f4'}"
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Table t;
        Problem p;
        cr_expect(!npy_try(bad[i], "", 0, &t, &p) && p.code == EXIT_INPUT, "%s", bad[i]);
        table_free(&t);
    }
}

static void csv_changed(const char *text, size_t length)
{
    for (int header = -1; header < 2; header++) {
        Names classes = { 0 };
        Table t = { 0 };
        Problem p = { 0 };
        bool good = csv_try(text, length, (CsvSpec){ .header = header, .target = "-1" }, &classes, &t, &p);
        cr_assert(good ? t.rows > 0 && t.column[0].elements > 0 : p.code == EXIT_INPUT && *p.text, "%s", text);
        table_free(&t);
        names_free(&classes);
    }
}

Test(changes, csv_every_change_is_survived)
{
    changes_try("a,\"b \"\"c\"\"\",kind\r\n1, 2 ,x\n-3.5e1,,y\n\n7,8,\"x\"\n", ",;\t \"\r\n1-x", csv_changed);
    changes_try("1 2  3 \n 4\t5 6\n7 8 \"9\"\n", " \t\"\n,x", csv_changed);
    changes_try("\xEF\xBB\xBF"
                "1;2\n3;4\n",
                "\xFE\xFF\xEF;\"", csv_changed);
}

Test(changes, csv_with_rows_longer_than_a_megabyte)
{
    enum { COLUMNS = 400000 };
    size_t row = 2 * COLUMNS + 2;
    char *text = malloc(4 * row);
    for (int bytes = 0; bytes < 2; bytes++) { /* two rows of 0.8 MB, then of 1.6 MB: one alone is too long */
        size_t columns = bytes ? 2 * COLUMNS : COLUMNS, used = 0;
        Names classes = { 0 };
        Table t = { 0 };
        Problem p = { 0 };
        for (int i = 0; i < 2; i++) {
            for (size_t k = 0; k < columns; k++) {
                text[used++] = (char)('1' + i);
                text[used++] = k + 1 < columns ? ',' : '\n';
            }
        }
        cr_assert(csv_try(text, used, (CsvSpec){ .header = -1 }, &classes, &t, &p), "%s", p.text);
        cr_assert(t.rows == 2 && t.column[0].elements == columns && ((const float *)t.column[0].cells)[columns] == 2);
        table_free(&t);
        names_free(&classes);
    }
    memset(text, '1', 4 * row); /* a megabyte without an end of line */
    Names classes = { 0 };
    Table t = { 0 };
    Problem p = { 0 };
    cr_assert(!csv_try(text, 4 * row, (CsvSpec){ .header = -1 }, &classes, &t, &p) && p.code == EXIT_INPUT);
    table_free(&t);
    names_free(&classes);
    free(text);
}

Test(changes, csv_columns_that_cannot_be)
{
    static const char *const drops[] = { "0", "1" }, *const target[] = { "1" };
    static const struct {
        const char *text;
        int drops;
        const char *const *drop;
        const char *target, *words;
    } cases[] = {
        { "1,2\n3,4\n", 2, drops, NULL, "no column is left for the features" },
        { "1,2\n3,4\n", 1, target, "1", "both target and dropped" },
        { "1,2\n3,4\n", 0, NULL, "5", "5" },
        { "1,2\n3,4\n", 0, NULL, "colour", "it has no header row" },
        { "red,green\n3,4\n", 0, NULL, "grene", "did you mean 'green'?" },
        { "red,green\n3,4\n", 0, NULL, "zzzzzzzzzz", "no column 'zzzzzzzzzz' for target" },
        { "1,\"2\"x\n3,4\n", 0, NULL, NULL, "text after a closing quote" },
        { "1,an unquoted word that is far longer than forty characters of text\n3,4\n5,6\n", 0, NULL, NULL,
          "an unquoted word" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Names classes = { 0 };
        Table t = { 0 };
        Problem p = { 0 };
        CsvSpec spec = {
            .header = i == 7 ? 0 : -1, .target = cases[i].target, .drops = cases[i].drops, .drop = cases[i].drop
        };
        cr_expect(!csv_try(cases[i].text, strlen(cases[i].text), spec, &classes, &t, &p), "%zu", i);
        cr_expect(strstr(p.text, cases[i].words), "%zu: %s", i, p.text);
        table_free(&t);
        names_free(&classes);
    }
}

static void text_changed(const char *text, size_t length)
{
    Names alphabet = { 0 };
    Table t = { 0 };
    Problem p = { 0 };
    bool good = chars_read(&(Bytes){ (unsigned char *)(uintptr_t)text, length }, "t.txt", 2, &alphabet, &t, &p);
    cr_assert(good ? t.rows > 0 && alphabet.count > 0 : p.code == EXIT_INPUT && *p.text, "%s", text);
    table_free(&t);
    names_free(&alphabet);
}

Test(changes, text_every_change_is_survived)
{
    changes_try("ab\xC3\xB6"
                "c\xE2\x82\xAC"
                "d\xF0\x9F\x98\x80"
                "e",
                "a\x80\xC3\xE0\xED\xF4\xFF", text_changed);
    Names alphabet = { 0 };
    Table t = { 0 };
    Problem p = { 0 };
    cr_assert(!chars_read(&(Bytes){ (unsigned char *)"abc", 3 }, "t.txt", 0, &alphabet, &t, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "context = 0");
    char many[3000]; /* more than 256 characters: their numbers are ints */
    size_t used = 0;
    for (int i = 0; i < 400; i++) {
        many[used++] = (char)(0xC4 + i / 64);
        many[used++] = (char)(0x80 + i % 64);
    }
    cr_assert(chars_read(&(Bytes){ (unsigned char *)many, used }, "t.txt", 4, &alphabet, &t, &p), "%s", p.text);
    cr_assert(alphabet.count == 400 && t.column[0].type == CELL_I32 &&
              ((const int32_t *)t.column[0].cells)[399] == 399);
    Table again = { 0 };
    cr_assert(!chars_read(&(Bytes){ (unsigned char *)"abcdef", 6 }, "o.txt", 2, &alphabet, &again, &p));
    cr_assert(!chars_read(&(Bytes){ (unsigned char *)"\xC4\x80\xFF\x80zz", 6 }, "o.txt", 2, &alphabet, &again, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "is not UTF-8");
    table_free(&t);
    names_free(&alphabet);
}
