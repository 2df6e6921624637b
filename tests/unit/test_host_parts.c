/* test_host_parts.c: every source and every way of sharing data out, with each allocation failed in turn, once and for
 * good: the part is there, or the message says that memory is out; either way all that was allocated is freed. And
 * the mistakes in shares, windows and tables that only some data show. The allocators of libc are replaced by ones that count.
 * SPDX-License-Identifier: 0BSD */
#include <zlib.h>
#include "unit/fake_model.c"
#include "unit/host_allocators.h"
#include "unit/host_block.h"
#include "unit/host_files.h"
#include "unit/host_test.h"

TestSuite(parts, .init = folder_make, .fini = folder_remove);

static const Part *part_try(dln_model *m, Data *d, const char *block, const char *name, Problem *p)
{
    *p = (Problem){ 0 };
    block_of(m, block);
    data_begin(d, m, folder);
    return data_part(d, name, p);
}

static void files_make(void)
{
    static const float x[6] = { 1, 2, 3, 4, 5, 6 };
    static const unsigned char labels[] = { 0, 0, 8, 1, 0, 0, 0, 4, 0, 1, 0, 1 };
    unsigned char array[300], zip[600], record[3073] = { 3 };
    file_make("y.npy", array, npy_make(array, "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n", x, 12));
    size_t length = npy_make(array, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }\n", x, sizeof x);
    file_make("x.npy", array, length);
    file_make("z.npz", zip, zip_make(zip, "x.npy", array, length, true));
    file_make("t.csv", "1,2,a\n3,4,b\n5,6,a\n7,8,b\n", 24);
    static const char table[] = "red,?,1,u\nblue,2,0,v\nred,3,1,u\n\"green, dark\",4,0,w\n";
    file_make("n.csv", table, sizeof table - 1);
    file_make("h.csv", "one;two;kind\n1;2;a\n3;4;b\n", 25);
    file_make("w.csv", "0,10\n1,11\n2,12\n3,13\n4,14\n5,15\n6,16\n7,17\n8,18\n9,19\n", 50);
    file_make("t.txt", "abcabcabcabcabcabcab", 20);
    file_make("i.idx", labels, sizeof labels);
    file_make("c.bin", record, sizeof record);
    gzFile z = gzopen(in_folder("g.idx.gz"), "wb");
    cr_assert(z && gzwrite(z, labels, sizeof labels) == sizeof labels && gzclose(z) == Z_OK);
}

#ifndef OWN_ALLOCATORS
Test(parts, skipped_under_address_sanitizer) {}
#else

static const struct {
    const char *block, *name;
} blocks[] = {
    { "train = npy(features = \"x.npy\")", "train" },
    { "train = npz(\"z.npz\", features = \"x\")", "train" },
    { "train = idx(label = \"i.idx\")", "train" },
    { "train = idx(label = \"g.idx\")", "train" },
    { "train = cifar10(\"c.bin\")", "train" },
    { "train = cifar10(\"*.bin\")", "train" },
    { "train = text(\"t.txt\", context = 2); a, b = split(train, 0.5)", "b" },
    { "train = csv(\"t.csv\", target = last)", "train" },
    { "train = csv(\"t.csv\", names = [a, b, c], target = c, columns = [b])", "train" },
    { "train = csv(\"h.csv\", target = kind, drop = [one], header = true, separator = \";\")", "train" },
    { "train = csv(\"n.csv\", target = 2, categories = [0], numbered = [3], missing = drop)", "train" },
    { "train = csv(\"n.csv\", target = last, categories = [0], missing = zero)", "train" },
    { "train = csv(\"n.csv\", numbered = [0, 3], missing = nan)", "train" },
    { "all = csv(\"t.csv\", target = last); a, b = split(all, 0.5, stratify = true, seed = 3); c, e = split(b, 0.5)",
      "e" },
    { "all = csv(\"t.csv\", target = last); a, b = split(all, 0.5, shuffle = false, stratify = label)", "a" },
    { "s = csv(\"w.csv\", target = 1); w = window(s, length = 3, horizon = 2, stride = 2); a, b = split(w, 0.7)", "a" },
    { "s = csv(\"w.csv\", target = 1); w = window(s, length = 2, past = true)", "w" },
    { "s = csv(\"w.csv\"); w = window(s, length = 2)", "w" },
};

Test(parts, every_allocation_may_fail)
{
    files_make();
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        dln_model *m = fake_model(i ? "features" : "x", 2, 2);
        Data d;
        Problem p;
        const Part *part = part_try(m, &d, blocks[i].block, blocks[i].name, &p);
        cr_assert(part, "%s: %s", blocks[i].block, p.text);
        const uint64_t rows = part->rows;
        data_end(&d);
        long most = 1;
        for (int mode = 0; mode < 2; mode++)
            for (long n = 0; n < most; n++) {
                block_of(m, blocks[i].block);
                p = (Problem){ 0 };
                for_good = mode;
                until = n;
                made = live = 0;
                refused = false;
                counts = true;
                data_begin(&d, m, folder);
                part = data_part(&d, blocks[i].name, &p);
                const bool found = part && part->rows == rows;
                data_end(&d);
                counts = false;
                if (!refused) break;
                most = n + 2;
                cr_expect(part ? found : p.code == EXIT_IO && strstr(p.text, "memory"), "%s, allocation %ld: %d '%s'",
                          blocks[i].block, n, p.code, p.text);
                cr_expect(live == 0, "%s, allocation %ld, %s: %ld are not freed", blocks[i].block, n,
                          mode ? "for good" : "once", live);
                cr_assert(n < 2000);
            }
        cr_assert(most > 3, "%s", blocks[i].block);
    }
}
#endif

/* ---- mistakes that only some data show ---- */
static size_t many_rows(char *text, size_t room, int rows)
{
    size_t used = 0;
    for (int i = 0; i < rows; i++) used += (size_t)snprintf(text + used, room - used, "%d,%d\n", i, i);
    return used;
}

Test(parts, mistakes_that_only_some_data_show)
{
    static char text[400000];
    static const struct {
        const char *block, *words;
    } cases[] = {
        { "all = csv(\"many.csv\", target = 1); train, b = split(all, 0.5, stratify = true)",
          "more than 10000 different values" },
        { "all = npy(a = \"y.npy\", b = \"y.npy\"); train, b = split(all, 0.5, stratify = true)",
          "stratify = true could be several fields: give its name; the fields: " },
        { "all = csv(\"t.csv\", target = last); train, b = split(all, 0.5, stratify = \"nothing\")",
          "finds no such field" },
        { "all = csv(\"t.csv\", target = last); train, b = split(all, 0.5, seed = 1.5)",
          "seed must be a whole number" },
        { "all = csv(\"t.csv\", target = last); train, b = split(all, 0.5, shuffle = perhaps)", "shuffle" },
        { "all = csv(\"t.csv\", target = last); train, b = split(all, 0.5, shufle = true)", "did you mean 'shuffle'?" },
        { "all = csv(\"t.csv\", target = last); "
          "train, b, c, e, f, g, h, i, j, k, l, m, n, o, p, q, r = split(all, 0.1, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, "
          "0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01)",
          "shares are numbers above 0" },
        { "s = csv(\"n.csv\", numbered = [0], drop = [1, 3]); w = window(s, length = 2); train, b = split(w, 0.1)",
          "no sample is left" },
        { "s = csv(\"n.csv\", numbered = [0, 3], drop = [1, 2]); train = window(s, length = 2)",
          "the table has neither a target nor features" },
        { "s = csv(\"w.csv\", target = 1); train = window(s, length = 2, stride = 0)",
          "stride must be a whole number" },
        { "s = csv(\"w.csv\", target = 1); train = window(s, length = 2, past = 3)", "past" },
        { "s = csv(\"w.csv\", target = 1); train = window(s, len = 2)", "no argument 'len'" },
        { "train = window(w, length = 2)", "defines no 'w'" },
        { "train = window(length = 2)", "window needs a part of the data first: window(series, length = 30)" },
        { "s = text(\"t.txt\", context = 2); train = window(s, length = 2)", "s is no table" },
        { "a = csv(\"t.csv\", target = last); b, c = split(a, 0.5, stratify = true, shuffle = false); train = "
          "window(b, length = 1)",
          "b is mixed" },
    };
    files_make();
    file_make("many.csv", text, many_rows(text, sizeof text, 10001));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dln_model *m = fake_model("features", 2, 2);
        Data d;
        Problem p;
        cr_assert(!part_try(m, &d, cases[i].block, "train", &p), "%s", cases[i].block);
        cr_expect(p.code != 0 && strstr(p.text, cases[i].words), "%s: code %d, '%s'", cases[i].block, p.code, p.text);
        data_end(&d);
    }
}

/* The classes of 10,000 rows, all different, are the most that a split may go by. */
Test(parts, as_many_classes_as_there_may_be)
{
    static char text[400000];
    dln_model *m = fake_model("features", 2, 2);
    Data d;
    Problem p;
    file_make("many.csv", text, many_rows(text, sizeof text, 10000));
    const Part *a =
        part_try(m, &d, "all = csv(\"many.csv\", target = 1); a, b = split(all, 0.5, stratify = true)", "a", &p);
    cr_assert(!a && strstr(p.text, "no sample is left for b of 10000"), "%s", p.text); /* one row of each: all for a */
    data_end(&d);
}
