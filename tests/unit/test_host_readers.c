/* test_host_readers.c: IDX, CSV, text and CIFAR files, good ones and the hostile list of the readers: whatever the bytes
 * are, the answer is a table or one message. */
#include <limits.h>
#include <math.h>
#include <zlib.h>
#include "unit/host_files.h"
#include "unit/host_test.h"

TestSuite(readers, .init = folder_make, .fini = folder_remove);

/* ---- IDX ---- */

static const unsigned char small_idx[] = { 0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2,  0,  0,
                                           0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255 };

static bool idx_try(const void *bytes, size_t count, Table *t, Problem *p)
{
    *t = (Table){ 0 };
    *p = (Problem){ 0 };
    return idx_read(file_make("a.idx", bytes, count), "image", t, p);
}

Test(readers, idx_bytes)
{
    Table t;
    Problem p;
    cr_assert(idx_try(small_idx, sizeof small_idx, &t, &p), "%s", p.text);
    const Column *c = table_find(&t, "image");
    cr_assert(c && t.rows == 2 && c->rank == 2 && c->extent[0] == 2 && c->extent[1] == 3 && c->type == CELL_U8);
    cr_assert(((const uint8_t *)c->cells)[11] == 255);
    table_free(&t);
}

Test(readers, idx_types)
{
    static const unsigned char shorts[] = { 0, 0, 0x0B, 1, 0, 0, 0, 2, 0xFF, 0xFE, 1, 0 };
    static const unsigned char floats[] = { 0, 0, 0x0D, 1, 0, 0, 0, 1, 0x3F, 0xC0, 0, 0 };
    static const unsigned char doubles[] = { 0, 0, 0x0E, 1, 0, 0, 0, 1, 0xBF, 0xF8, 0, 0, 0, 0, 0, 0 };
    Table t;
    Problem p;
    cr_assert(idx_try(shorts, sizeof shorts, &t, &p));
    cr_assert(((const int32_t *)t.column[0].cells)[0] == -2 && ((const int32_t *)t.column[0].cells)[1] == 256);
    table_free(&t);
    cr_assert(idx_try(floats, sizeof floats, &t, &p));
    cr_assert(((const float *)t.column[0].cells)[0] == 1.5f);
    table_free(&t);
    cr_assert(idx_try(doubles, sizeof doubles, &t, &p));
    cr_assert(((const double *)t.column[0].cells)[0] == -1.5);
    table_free(&t);
}

Test(readers, idx_every_truncation_is_refused)
{
    Table t;
    Problem p;
    for (size_t n = 0; n < sizeof small_idx; n++) {
        cr_assert(!idx_try(small_idx, n, &t, &p), "%zu bytes were taken", n);
        cr_assert(p.code == EXIT_INPUT && *p.text);
        table_free(&t);
    }
}

Test(readers, idx_every_bit_flip_of_the_header_is_survived)
{
    unsigned char copy[sizeof small_idx];
    Table t;
    Problem p;
    for (size_t bit = 0; bit < 16 * 8; bit++) {
        memcpy(copy, small_idx, sizeof copy);
        copy[bit / 8] ^= (unsigned char)(1 << bit % 8);
        if (!idx_try(copy, sizeof copy, &t, &p)) cr_assert(p.code == EXIT_INPUT);
        table_free(&t);
    }
}

Test(readers, idx_hostile)
{
    static const unsigned char magic[] = { 'P', 'K', 3, 4, 0 };
    static const unsigned char type[] = { 0, 0, 7, 1, 0, 0, 0, 1, 0 };
    static const unsigned char no_axes[] = { 0, 0, 8, 0, 0 };
    static const unsigned char many_axes[] = { 0, 0, 8, 255, 0 };
    static const unsigned char huge[] = { 0, 0, 8, 3, 0x80, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28 };
    static const unsigned char wraps[] = { 0,    0,    0x0E, 4,    0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF,
                                           0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0 };
    static const unsigned char none[] = { 0, 0, 8, 1, 0, 0, 0, 0 };
    unsigned char longer[sizeof small_idx + 1] = { 0 };
    Table t;
    Problem p;
    memcpy(longer, small_idx, sizeof small_idx);
    cr_assert(!idx_try(magic, sizeof magic, &t, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "not an IDX file (it begins with 50 4b 03 04");
    cr_assert(!idx_try(type, sizeof type, &t, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "type 0x07");
    cr_assert(!idx_try(no_axes, sizeof no_axes, &t, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "0 axes");
    cr_assert(!idx_try(many_axes, sizeof many_axes, &t, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "255 axes");
    cr_assert(!idx_try(huge, sizeof huge, &t, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "ends after 0 of");
    cr_assert(!idx_try(wraps, sizeof wraps, &t, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "too large");
    cr_assert(!idx_try(none, sizeof none, &t, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "no samples");
    cr_assert(!idx_try(longer, sizeof longer, &t, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "more bytes");
    table_free(&t);
    cr_assert(!idx_read(folder, "image", &t, &p));
    EXPECT_PROBLEM(p, EXIT_IO, "is not a file");
    cr_assert(!mkfifo(in_folder("fifo"), 0600) && !idx_read(in_folder("fifo"), "image", &t, &p));
    EXPECT_PROBLEM(p, EXIT_IO, "is not a file");
}

Test(readers, idx_rows_must_agree)
{
    static const unsigned char labels[] = { 0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3 };
    Table t;
    Problem p;
    cr_assert(idx_try(small_idx, sizeof small_idx, &t, &p));
    cr_assert(!idx_read(file_make("l.idx", labels, sizeof labels), "label", &t, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "3 samples, but");
    table_free(&t);
}

Test(readers, gzip_is_unpacked_and_every_truncation_refused)
{
    Table t = { 0 };
    Problem p = { 0 };
    gzFile g = gzopen(in_folder("a.gz"), "wb9");
    cr_assert(g && gzwrite(g, small_idx, sizeof small_idx) == sizeof small_idx && !gzclose(g));
    cr_assert(idx_read(in_folder("a.gz"), "image", &t, &p), "%s", p.text);
    table_free(&t);
    int fd = open(in_folder("a.gz"), O_RDONLY);
    unsigned char packed[200];
    ssize_t n = read(fd, packed, sizeof packed);
    close(fd);
    for (ssize_t k = 0; k < n; k++) {
        p = (Problem){ 0 };
        cr_assert(!idx_read(file_make("cut.gz", packed, (size_t)k), "image", &t, &p), "%zd of %zd bytes were taken", k,
                  n);
        cr_assert(p.code == EXIT_INPUT, "%d %s", p.code, p.text);
    }
}

/* ---- CSV ---- */

#define CSV(text, ...) csv_try(text, sizeof text - 1, (CsvSpec){ .header = -1, __VA_ARGS__ }, &classes, &t, &p)
#define FEATURE(r, c) (((const float *)t.column[0].cells)[(size_t)(r)*t.column[0].elements + (c)])
#define REFUSED(text, words, ...)                                                                                      \
    do {                                                                                                               \
        cr_assert(!CSV(text, __VA_ARGS__), "was taken: %s", text);                                                     \
        EXPECT_PROBLEM(p, EXIT_INPUT, words);                                                                          \
        table_free(&t);                                                                                                \
    } while (0)

Test(readers, csv_numbers)
{
    Names classes = { 0 };
    Table t;
    Problem p;
    cr_assert(CSV("1,2.5,-3e-2\n4,.5,+6."), "%s", p.text);
    cr_assert(t.rows == 2 && t.columns == 1 && t.column[0].elements == 3);
    cr_assert(FEATURE(0, 2) == -0.03f && FEATURE(1, 1) == 0.5f && FEATURE(1, 2) == 6);
    table_free(&t);
}

Test(readers, csv_header_target_and_drop)
{
    static const char *const drop[] = { "id", "-1" };
    Names classes = { 0 };
    Table t;
    Problem p;
    cr_assert(CSV("id,area,price,note\n7,1,10,0\n8,2,20,0\n", .target = "price", .drops = 2, .drop = drop), "%s",
              p.text);
    cr_assert(t.rows == 2 && t.column[0].elements == 1 && FEATURE(1, 0) == 2);
    const Column *price = table_find(&t, "price");
    cr_assert(price && price->is_target && price->rank == 0 && ((const float *)price->cells)[1] == 20);
    table_free(&t);
    REFUSED("id,area,price\n1,2,3\n", "no column 'pirce' for target; did you mean 'price'?", .target = "pirce");
    REFUSED("1,2,3\n", "it has no header row", .target = "price");
    REFUSED("1,2,3\n", "has 3 columns", .target = "3");
    REFUSED("1,2\n", "no column is left", .target = "1", .drops = 1, .drop = (const char *const[]){ "0" });
}

Test(readers, csv_classes_by_first_appearance)
{
    Names classes = { 0 };
    Table t;
    Problem p;
    cr_assert(CSV("1,setosa\n2,\"virginica, rare\"\n3,setosa\n", .target = "last"), "%s", p.text);
    const int32_t *label = t.column[1].cells;
    cr_assert(t.column[1].type == CELL_I32 && label[0] == 0 && label[1] == 1 && label[2] == 0);
    cr_assert(classes.count == 2 && !strcmp(classes.name[1], "virginica, rare"));
    table_free(&t);
    cr_assert(CSV("1,other\n2,setosa\n", .target = "last")); /* the same names in a later file */
    label = t.column[1].cells;
    cr_assert(label[0] == 2 && label[1] == 0);
    table_free(&t);
    names_free(&classes);
}

Test(readers, csv_separators_and_line_ends)
{
    Names classes = { 0 };
    Table t;
    Problem p;
    static const char *const same[] = { "1;2\n3;4\n",
                                        "1\t2\n3\t4",
                                        "1|2\r\n3|4\r\n",
                                        "  1   2 \n 3 4\n\n",
                                        "\xEF\xBB\xBF"
                                        "1, 2\n3 ,4\n",
                                        "\r\n1,2\r3,4\r",
                                        "\"1\",\"2\"\n\"3\",\"4\"\n" };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        cr_assert(csv_try(same[i], strlen(same[i]), (CsvSpec){ .header = -1 }, &classes, &t, &p), "%zu: %s", i, p.text);
        cr_assert(t.rows == 2 && t.column[0].elements == 2 && FEATURE(0, 0) == 1 && FEATURE(0, 1) == 2 &&
                      FEATURE(1, 0) == 3 && FEATURE(1, 1) == 4,
                  "%zu", i);
        table_free(&t);
    }
}

Test(readers, csv_quotes)
{
    Names classes = { 0 };
    Table t;
    Problem p;
    cr_assert(CSV("\"a \"\"b\"\"\",1\n\"two\nlines\",2\n", .target = "0"), "%s", p.text);
    cr_assert(!strcmp(classes.name[0], "a \"b\"") && !strcmp(classes.name[1], "two\nlines"));
    table_free(&t);
    REFUSED("1,2\n3,\"4\n5,6\n", "t.csv:2: the quote that opens here is never closed");
    REFUSED("1,\"2\"3\n", "text after a closing quote");
    names_free(&classes);
}

Test(readers, csv_hostile)
{
    Names classes = { 0 };
    Table t;
    Problem p;
    REFUSED("", "holds no rows");
    REFUSED("\n\r\n  \n", "holds no rows");
    cr_assert(!csv_try("a,b\n", 4, (CsvSpec){ .header = 1 }, &classes, &t, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "a header, but no rows");
    REFUSED("1,2,3\n4,5\n", "t.csv:2: 2 cells, expected 3");
    REFUSED("1,2\n3,4,5\n", "t.csv:2: more than the 2 cells");
    REFUSED("1,2\n\n3,nan\n", "t.csv:3: column 1: 'nan' is no number");
    REFUSED("1,2\n3,inf\n", "'inf' is no number");
    REFUSED("1,2\n3,1e999\n", "'1e999' is out of range");
    REFUSED("1,2\n3,1e39\n", "'1e39' is out of range");
    REFUSED("1,2\n3,0x10\n", "'0x10' is no number");
    REFUSED("1,2\n3,1.5f\n", "'1.5f' is no number");
    REFUSED("1,2\n3,\n", "column 1: the value is missing");
    REFUSED("x,y\n1,2\n3,NA\n", "t.csv:3: column 1 (y): the value is missing");
    REFUSED("1,2\n3,4\0,5\n", "t.csv:2: a NUL byte");
    REFUSED("\xFF\xFE"
            "1\0,\0002\0",
            "is UTF-16");
    REFUSED("1,red\n2,\n", "the value is missing", .target = "1");
    REFUSED("red,1\n", "drop = [0] leaves the column out", .target = "1");
    names_free(&classes);
}

static Names found[3]; /* of the columns, in the order in which they are asked for */
static Names *names_of(void *context, const char *column, Problem *p)
{
    (void)column;
    (void)p;
    return &found[(*(int *)context)++ % 3];
}

Test(readers, csv_categories_and_numbered_texts)
{
    static const char text[] = "M,1,x,red\nF,2,y,blue\nM,3,y,red\nI,4,x,green\n";
    static const char *const category[] = { "0" }, *const numbered[] = { "3", "2" };
    Names classes = { 0 };
    Table t;
    Problem p;
    int asked = 0;
#define SPEC                                                                                                           \
    .target = "2", .category = { 1, category }, .numbered = { 2, numbered }, .names_of = names_of, .context = &asked
    cr_assert(CSV(text, SPEC), "%s", p.text);
    static const float rows[4][4] = { { 1, 0, 0, 1 }, { 0, 1, 0, 2 }, { 1, 0, 0, 3 }, { 0, 0, 1, 4 } };
    cr_assert(t.columns == 3 && t.column[0].elements == 4 && !memcmp(t.column[0].cells, rows, sizeof rows));
    const Column *color = table_find(&t, "column_3"), *target = table_find(&t, "target");
    cr_assert(color && color->classes == &found[1] && !color->is_target && color->rank == 0);
    cr_assert(((const int32_t *)color->cells)[1] == 1 && ((const int32_t *)color->cells)[3] == 2);
    cr_assert(target && target->is_target && ((const int32_t *)target->cells)[1] == 1);
    table_free(&t);
    asked = 0; /* a later file knows the texts of the first */
    cr_assert(CSV("F,7,x,green\n", SPEC), "%s", p.text);
    cr_assert(FEATURE(0, 0) == 0 && FEATURE(0, 1) == 1 && FEATURE(0, 3) == 7);
    table_free(&t);
    asked = 0;
    REFUSED("F,7,x,green\nX,7,x,green\n", "t.csv:2: column 0: 'X' is none of its texts in the training data: M, F, I",
            SPEC);
    asked = 0; /* numbers, too, may be names */
    names_free(&classes);
    cr_assert(CSV("1,7\n2,5\n", .target = "1", .numbered = { 1, (const char *const[]){ "1" } }), "%s", p.text);
    cr_assert(classes.count == 2 && !strcmp(classes.name[0], "7"));
    table_free(&t);
    names_free(&classes);
    for (int i = 0; i < 3; i++) names_free(&found[i]);
#undef SPEC
}

Test(readers, csv_missing_values)
{
    static const char text[] = "1,2,a\n,4,b\n5,NA,a\n7,8,?\nnan,9,b\n";
    static const char *const category[] = { "2" };
    Names classes = { 0 };
    Table t;
    Problem p;
    int asked = 0;
    cr_assert(CSV(text, .target = "2", .missing = MISSING_DROPS), "%s", p.text);
    cr_assert(t.rows == 1 && FEATURE(0, 1) == 2);
    table_free(&t);
    REFUSED(text, "t.csv:4: column 2: the value is missing", .target = "2", .missing = MISSING_ZERO);
    REFUSED(",1\n2,\n", "every row has a missing value", .missing = MISSING_DROPS);
#define SPEC .category = { 1, category }, .names_of = names_of, .context = &asked
    cr_assert(CSV(text, SPEC, .missing = MISSING_ZERO), "%s", p.text);
    static const float zero[5][4] = { { 1, 2, 1, 0 }, { 0, 4, 0, 1 }, { 5, 0, 1, 0 }, { 7, 8, 0, 0 }, { 0, 9, 0, 1 } };
    cr_assert(t.rows == 5 && !memcmp(t.column[0].cells, zero, sizeof zero));
    table_free(&t);
    cr_assert(CSV(text, SPEC, .missing = MISSING_NAN), "%s", p.text);
    cr_assert(isnan(FEATURE(1, 0)) && isnan(FEATURE(2, 1)) && isnan(FEATURE(4, 0)) && FEATURE(1, 1) == 4);
    table_free(&t);
    for (int i = 0; i < 3; i++) names_free(&found[i]);
    names_free(&classes);
#undef SPEC
}

Test(readers, csv_chosen_columns)
{
    Names classes = { 0 };
    Table t;
    Problem p;
    cr_assert(CSV("a,b,c,d\n1,x,3,4\n5,y,7,8\n", .target = "d", .keep = { 2, (const char *const[]){ "c", "a" } }), "%s",
              p.text);
    cr_assert(t.column[0].elements == 2 && FEATURE(1, 0) == 5 && FEATURE(1, 1) == 7);
    table_free(&t);
}

Test(readers, csv_of_thousands_of_columns)
{
    enum { COLUMNS = 5000, ROWS = 3 };
    char *text = malloc(COLUMNS * ROWS * 12);
    size_t used = 0;
    Names classes = { 0 };
    Table t;
    Problem p;
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLUMNS; c++)
            used += (size_t)sprintf(text + used, "%d.%d%c", r, c, c == COLUMNS - 1 ? '\n' : ',');
    cr_assert(csv_try(text, used, (CsvSpec){ .header = -1, .target = "last" }, &classes, &t, &p), "%s", p.text);
    cr_assert(t.rows == ROWS && t.column[0].elements == COLUMNS - 1 && FEATURE(2, 4321) == 2.4321f);
    table_free(&t);
    free(text);
}

/* Against strtod, to the last bit. */
Test(readers, numbers_are_correctly_rounded)
{
    char text[64];
    uint64_t state = 1;
    for (int i = 0; i < 300000; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const uint64_t bits = state >> 11;
        state = state * UINT64_C(6364136223846793005) + 1;
        const int digits = 1 + (int)(state >> 33) % 20, power = (int)(state >> 40) % 70 - 35;
        double value, expected, v = (double)(bits % UINT64_C(9007199254740992)) + 0.5;
        switch (i % 4) {
        case 0: snprintf(text, sizeof text, "%.*g", digits, v * 1.1e-8); break;
        case 1: snprintf(text, sizeof text, "%llue%d", (unsigned long long)(state * 3), power); break;
        case 2: snprintf(text, sizeof text, "-%llu.%0*d", (unsigned long long)(bits % 100000), digits % 9 + 1, i); break;
        default: /* halfway between two doubles */
            snprintf(text, sizeof text, "%llu", (unsigned long long)((bits | UINT64_C(1) << 52) * 4 + 2)); break;
        }
        expected = strtod(text, NULL);
        cr_assert(number_parse(text, strlen(text), &value) == NUMBER_GOOD && !memcmp(&value, &expected, sizeof value),
                  "%s: %a, strtod has %a", text, value, expected);
        /* the same where other text stands behind it, near and far from the end */
        const size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, ",%.*s", i % 12, "1234567890ab");
        const char *after = number_scan(text, text + strlen(text), &value);
        cr_assert(!after || (after == text + length && !memcmp(&value, &expected, sizeof value)), "%s: %a", text, value);
    }
}

/* Whatever stands there: what is taken for a number is one, from its begin to its end. */
Test(readers, numbers_among_other_text)
{
    static const char signs[] = "0123456789012345678901234567890123456789....--+eE, /:;\n";
    char text[32] = { 0 };
    uint64_t state = 7;
    int taken = 0;
    for (int i = 0; i < 1000000; i++) {
        for (size_t k = 0; k < sizeof text - 1; k++) {
            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            text[k] = signs[(state >> 33) % (sizeof signs - 1)];
        }
        double value = 0, expected = 0;
        const char *end = text + 1 + i % (int)(sizeof text - 1), *after = number_scan(text, end, &value);
        if (!after) continue;
        taken++;
        cr_assert(after > text && after <= end && number_parse(text, (size_t)(after - text), &expected) == NUMBER_GOOD &&
                  !memcmp(&value, &expected, sizeof value), "%s: %a, %a", text, value, expected);
        cr_assert(after == end || !strchr("0123456789", *after), "%s: stops at %s", text, after);
    }
    cr_assert(taken > 100000, "%d", taken);
}

Test(readers, csv_every_truncation_is_survived)
{
    static const char text[] = "\xEF\xBB\xBF\"na\"\"me\",y\r\n1.5e3,\"a\nb\"\r\n-2,c\r\n";
    Table t;
    Problem p;
    for (size_t n = 0; n < sizeof text; n++) {
        Names classes = { 0 };
        if (!csv_try(text, n, (CsvSpec){ .header = -1, .target = "last" }, &classes, &t, &p))
            cr_assert(p.code == EXIT_INPUT);
        table_free(&t);
        names_free(&classes);
    }
}

Test(readers, numbers)
{
    static const struct {
        const char *text;
        NumberResult result;
        double value;
    } cases[] = {
        { "0", NUMBER_GOOD, 0 },
        { "-0.0", NUMBER_GOOD, -0.0 },
        { "1e22", NUMBER_GOOD, 1e22 },
        { "123456789012345678901234567890", NUMBER_GOOD, 123456789012345678901234567890.0 },
        { "0.1", NUMBER_GOOD, 0.1 },
        { "1.7976931348623157e308", NUMBER_GOOD, 1.7976931348623157e308 },
        { "4.9e-324", NUMBER_GOOD, 4.9e-324 },
        { "9007199254740993", NUMBER_GOOD, 9007199254740993.0 },
        { "1e-400", NUMBER_GOOD, 0 },
        { "1e309", NUMBER_RANGE, 0 },
        { "1e99999999999999999999", NUMBER_RANGE, 0 },
        { "", NUMBER_NONE, 0 },
        { "-", NUMBER_NONE, 0 },
        { ".", NUMBER_NONE, 0 },
        { "1e", NUMBER_NONE, 0 },
        { "1e+", NUMBER_NONE, 0 },
        { " 1", NUMBER_NONE, 0 },
        { "1 ", NUMBER_NONE, 0 },
        { "1,5", NUMBER_NONE, 0 },
        { "1.2.3", NUMBER_NONE, 0 },
        { "nan", NUMBER_NONE, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value = 0;
        NumberResult r = number_parse(cases[i].text, strlen(cases[i].text), &value);
        cr_assert(r == cases[i].result && (r != NUMBER_GOOD || value == cases[i].value), "'%s' gave %d, %.17g",
                  cases[i].text, r, value);
    }
    for (int i = 0; i < 20000; i++) { /* what printf writes comes back as it was */
        char text[40];
        double value = ldexp((double)rand() / RAND_MAX - 0.5, rand() % 120 - 60), back;
        snprintf(text, sizeof text, i & 1 ? "%.17g" : "%.6g", value);
        cr_assert(number_parse(text, strlen(text), &back) == NUMBER_GOOD && back == strtod(text, NULL), "%s", text);
    }
    int64_t whole;
    cr_assert(integer_parse("-9223372036854775808", 20, INT64_MIN, INT64_MAX, &whole) == NUMBER_GOOD &&
              whole == INT64_MIN);
    cr_assert(integer_parse("9223372036854775808", 19, INT64_MIN, INT64_MAX, &whole) == NUMBER_RANGE);
    cr_assert(integer_parse("1e3", 3, 0, 9999, &whole) == NUMBER_NONE);
}

/* ---- text, CIFAR ---- */

Test(readers, text_by_characters)
{
    Names alphabet = { 0 };
    Table t = { 0 }, train = { 0 }, test = { 0 };
    Problem p = { 0 };
    const char text[] = "hello w\xC3\xB6rld";
    Bytes b = { (unsigned char *)text, sizeof text - 1 };
    cr_assert(chars_read(&b, "t.txt", 3, &alphabet, &t, &p), "%s", p.text);
    cr_assert(alphabet.count == 9 && !strcmp(alphabet.name[0], " ") && !strcmp(alphabet.name[1], "d") &&
              !strcmp(alphabet.name[8], "\xC3\xB6"));
    cr_assert(t.rows == 3 && t.slide == 3 && t.room == 7);
    const uint8_t *tokens = t.column[0].cells, *next = t.column[1].cells;
    cr_assert(tokens[0] == 3 && next[0] == 2 && tokens[1] == next[0]);
    cr_assert(chars_split(&t, 0, 0.5, &train, &p) && chars_split(&t, 0.5, 1, &test, &p), "%s", p.text);
    cr_assert(train.rows == 1 && test.rows == 1 && *(const uint8_t *)test.column[0].cells == tokens[5]);
    table_free(&train);
    table_free(&test);
    table_free(&t);
    Bytes other = { (unsigned char *)"hexes", 5 };
    cr_assert(!chars_read(&other, "o.txt", 3, &alphabet, &t, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "byte 2: the character 'x' is not among the 9");
    names_free(&alphabet);
}

Test(readers, text_hostile)
{
    static const char *const bad[] = { "abc\xFFzzz", "abc\xC0\x80zzz", "abc\xED\xA0\x80zz", "abc\xF4\x90\x80\x80",
                                       "abcd\xE2\x82" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Names alphabet = { 0 };
        Table t = { 0 };
        Problem p = { 0 };
        Bytes b = { (unsigned char *)(uintptr_t)bad[i], strlen(bad[i]) };
        cr_assert(!chars_read(&b, "t.txt", 2, &alphabet, &t, &p), "%zu", i);
        EXPECT_PROBLEM(p, EXIT_INPUT, "is not UTF-8");
    }
    Names alphabet = { 0 };
    Table t = { 0 };
    Problem p = { 0 };
    cr_assert(!chars_read(&(Bytes){ (unsigned char *)"abc", 3 }, "t.txt", 3, &alphabet, &t, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "too few");
    names_free(&alphabet);
    cr_assert(!chars_read(&(Bytes){ (unsigned char *)"", 0 }, "t.txt", 3, &alphabet, &t, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "is empty");
}

Test(readers, cifar)
{
    enum { RECORD = 3073 };
    static unsigned char file[2 * RECORD];
    Table t = { 0 };
    Problem p = { 0 };
    file[0] = 7;
    for (int i = 0; i < 3; i++)
        file[1 + i * 1024 + 5] = (unsigned char)(10 + i); /* place 5: red 10, green 11, blue 12 */
    file[RECORD] = 9;
    cr_assert(cifar_read(file_make("a.bin", file, sizeof file), &t, &p) && cifar_read(in_folder("a.bin"), &t, &p), "%s",
              p.text);
    const unsigned char *image = table_find(&t, "image")->cells, *label = table_find(&t, "label")->cells;
    cr_assert(t.rows == 4 && label[0] == 7 && label[3] == 9 && image[15] == 10 && image[16] == 11 && image[17] == 12);
    table_free(&t);
    cr_assert(!cifar_read(file_make("b.bin", file, RECORD - 1), &t, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "expected a multiple of 3073");
    table_free(&t);
}

/* ---- NPY, NPZ ---- */

Test(readers, npy)
{
    static const float floats[6] = { 1, 2, 3, 4, 5, 6 };
    static const int64_t longs[2] = { -5, 1 << 30 };
    Table t;
    Problem p;
    cr_assert(
        npy_try("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n", floats, sizeof floats, &t, &p),
        "%s", p.text);
    cr_assert(t.rows == 2 && t.column[0].elements == 3 && ((const float *)t.column[0].cells)[5] == 6);
    table_free(&t);
    cr_assert(npy_try("{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }\n", longs, sizeof longs, &t, &p), "%s",
              p.text);
    cr_assert(t.rows == 2 && t.column[0].rank == 0 && ((const int32_t *)t.column[0].cells)[0] == -5);
    table_free(&t);
    cr_assert(npy_try("{'descr': '|i1', 'fortran_order': False, 'shape': (2,), }\n", "\xFF\x01", 2, &t, &p), "%s",
              p.text);
    cr_assert(((const int32_t *)t.column[0].cells)[0] == -1);
    table_free(&t);
}

Test(readers, npy_hostile)
{
    static const int64_t large[1] = { INT64_MAX };
    static const struct {
        const char *header, *words;
    } cases[] = {
        { "{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", "type '>f4' are not read" },
        { "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "type '|O'" },
        { "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "its header cannot be read" },
        { "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }", "Fortran order" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", "no axis of samples" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }", "no samples" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "8 bytes of elements, expected 12" },
        { "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", "cannot be read" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (4000000000, 4000000000, 4000000000), }", "too large" },
        { "{'descr': '<f8', 'fortran_order': False, 'shape': (1125899906842624, 16384), }", "too large" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "cannot be read" },
        { "{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }", "does not fit into 32 bits" },
        { "{'descr': '<f4', 'fortran_order': False}", "cannot be read" },
        { "", "cannot be read" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,2), }", "cannot be read" },
    };
    Table t;
    Problem p;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert(!npy_try(cases[i].header, large, 8, &t, &p), "%s", cases[i].header);
        EXPECT_PROBLEM(p, EXIT_INPUT, cases[i].words);
        table_free(&t);
    }
    unsigned char file[300];
    size_t length = npy_make(file, "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }\n", "abcdefgh", 8);
    for (size_t n = 0; n < length; n++) cr_assert(!npy_read(&(Bytes){ file, n }, "a.npy", "x", &t, &p), "%zu", n);
    file[6] = 2;
    memset(file + 8, 0xFF, 4);
    cr_assert(!npy_read(&(Bytes){ file, length }, "a.npy", "x", &t, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "ends within its header");
}

static void zip_try(bool deflated)
{
    unsigned char file[500];
    size_t length = zip_make(file, "x.npy", "0123456789", 10, deflated);
    Bytes out;
    Problem p = { 0 };
    cr_assert(zip_read(&(Bytes){ file, length }, "a.npz", "x.npy", &out, &p), "%s", p.text);
    cr_assert(out.count == 10 && !memcmp(out.at, "0123456789", 10));
    free(out.at);
    cr_assert(!zip_read(&(Bytes){ file, length }, "a.npz", "y.npy", &out, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "holds no 'y.npy'; it holds: x.npy");
    for (size_t n = 0; n < length; n++) { /* in a block of that size, so that ASan sees a read beyond it */
        unsigned char *cut = malloc(n + !n);
        memcpy(cut, file, n);
        cr_assert(!zip_read(&(Bytes){ cut, n }, "a.npz", "x.npy", &out, &p), "%zu", n);
        free(cut);
    }
    for (size_t bit = 0; bit < length * 8; bit++) {
        file[bit / 8] ^= (unsigned char)(1 << bit % 8);
        if (zip_read(&(Bytes){ file, length }, "a.npz", "x.npy", &out, &p)) {
            cr_assert(out.count == 10 && !memcmp(out.at, "0123456789", 10), "bit %zu", bit);
            free(out.at);
        }
        file[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}

Test(readers, zip_stored_and_every_fault_survived) { zip_try(false); }
Test(readers, zip_deflated_and_every_fault_survived) { zip_try(true); }
