/* test_host_data.c: what a data block may say and what each mistake in it is answered; files of `predict`; feeds of every
 * type of cell into every type of field. Data blocks are written as in a .dln (block_of), with ; between. */
#include <math.h>
#include "unit/fake_model.c"
#include "unit/host_block.h"
#include "unit/host_files.h"
#include "unit/host_test.h"

TestSuite(data, .init = folder_make, .fini = folder_remove);

/* ---- the data block ---- */
static void files_make(void)
{
    static const float x[6] = { 1, 2, 3, 4, 5, 6 };
    static const unsigned char images[] = { 0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4 };
    unsigned char array[300], zip[600];
    size_t length = npy_make(array, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }\n", x, sizeof x);
    file_make("x.npy", array, length);
    file_make("z.npz", zip, zip_make(zip, "x.npy", array, length, false));
    file_make("t.csv", "1,2,a\n3,4,b\n5,6,a\n7,8,b\n", 24);
    file_make("h.csv", "one;two;kind\n1;2;a\n3;4;b\n", 25);
    file_make("t.txt", "abcabcabcabcabcabcab", 20);
    file_make("i.idx", images, sizeof images);
}

static const Part *part_try(dln_model *m, Data *d, const char *block, const char *name, Problem *p)
{
    *p = (Problem){ 0 };
    block_of(m, block);
    data_begin(d, m, folder);
    return data_part(d, name, p);
}

Test(data, what_a_data_block_may_say)
{
    static const struct {
        const char *block, *name;
        uint64_t rows;
        const char *column;
        size_t elements;
    } cases[] = {
        { "train = npy(features = \"x.npy\")", "train", 3, "features", 2 },
        { "train = npz(\"z.npz\", features = \"x\")", "train", 3, "features", 2 },
        { "train = idx(features = \"i.idx\")", "train", 2, "features", 2 },
        { "train = csv(\"t.csv\", target = last)", "train", 4, "features", 2 },
        { "train = csv(\"t.csv\", target = 2, drop = 0)", "train", 4, "features", 1 },
        { "train = csv(\"t.csv\", target = \"k\", names = [a, b, k], header = false)", "train", 4, "features", 2 },
        { "train = csv(\"h.csv\", target = kind, drop = [one], header = true)", "train", 2, "features", 1 },
        { "train = csv(\"h.csv\", target = kind, separator = \";\", header = 1)", "train", 2, "features", 2 },
        { "train = csv(\"t.csv\", target = last, header = 0)", "train", 4, "features", 2 },
        { "train = csv(\"t.csv\", target = last, header = auto)", "train", 4, "features", 2 },
        { "train = text(\"t.txt\", context = 4)", "train", 4, "tokens", 4 },
        { "all = csv(\"t.csv\", target = last); a, b, c = split(all, 0.5, 0.25, seed = 3)", "b", 1, "features", 2 },
        { "all = csv(\"t.csv\", target = last); a, b = split(all, 0.5, shuffle = false)", "b", 2, "features", 2 },
        { "all = csv(\"t.csv\", target = last); a, b = split(all, 0.5, shuffle = 0)", "a", 2, "features", 2 },
        { "all = csv(\"t.csv\", target = last); a, b = split(all, 0.5, shuffle = true)", "a", 2, "features", 2 },
        { "all = text(\"t.txt\", context = 2); a, b = split(all, 0.5)", "b", 4, "tokens", 2 },
        { "all = csv(\"t.csv\", target = last); test = all", "test", 4, "features", 2 },
    };
    files_make();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dln_model *m = fake_model("features", 2, 2);
        Data d;
        Problem p;
        const Part *part = part_try(m, &d, cases[i].block, cases[i].name, &p);
        cr_assert(part, "%s: %s", cases[i].block, p.text);
        cr_assert(part->rows == cases[i].rows, "%s: %d rows", cases[i].block, (int)part->rows);
        const Column *c = table_find(part->table, cases[i].column);
        cr_assert(c && c->elements == cases[i].elements, "%s: %zu", cases[i].block, c ? c->elements : 0);
        data_end(&d);
    }
}

Test(data, an_unmixed_split_keeps_the_order)
{
    dln_model *m = fake_model("features", 2, 2);
    Data d;
    Problem p;
    files_make();
    const Part *b =
        part_try(m, &d, "all = csv(\"t.csv\", target = last); a, b = split(all, 0.5, shuffle = false)", "b", &p);
    cr_assert(b && part_row(b, 0) == 2 && part_row(b, 1) == 3);
    data_end(&d);
    const Part *of = part_try(m, &d,
                              "all = csv(\"t.csv\", target = last); a, b = split(all, 0.5, shuffle = false); "
                              "c, e = split(b, 0.5, shuffle = false)",
                              "e", &p);
    cr_assert(of && of->rows == 1 && part_row(of, 0) == 3, "%s", p.text); /* a share of a share */
    data_end(&d);
}

static const float *float_cells(const Part *part, const char *name)
{
    return table_find(part->table, name)->cells;
}

Test(data, windows_are_stretches_of_rows)
{
    dln_model *m = fake_model("features", 2, 2);
    Data d;
    Problem p;
    file_make("w.csv", "0,10\n1,11\n2,12\n3,13\n4,14\n5,15\n6,16\n7,17\n8,18\n9,19\n", 50);
    const Part *w = part_try(m, &d, "s = csv(\"w.csv\", target = 1); w = window(s, length = 3, horizon = 2, stride = 2)",
                             "w", &p);
    cr_assert(w && w->rows == 3, "%s", p.text);
    const Column *x = table_find(w->table, "features"), *y = &w->table->column[1];
    cr_assert(x->rank == 2 && x->extent[0] == 3 && x->extent[1] == 1 && x->elements == 3 && column_step(x) == 2);
    cr_assert(y->is_target && y->rank == 1 && y->extent[0] == 2 && column_step(y) == 2);
    for (size_t r = 0; r < 3; r++) {
        cr_assert(column_value(x, r * 2) == 2.0 * (double)r && column_value(x, r * 2 + 2) == 2.0 * (double)r + 2);
        cr_assert(column_value(y, r * 2) == 2.0 * (double)r + 13 && column_value(y, r * 2 + 1) == 2.0 * (double)r + 14);
    }
    data_end(&d);
    w = part_try(m, &d, "s = csv(\"w.csv\", target = 1); w = window(s, length = 2, past = true)", "w", &p);
    cr_assert(w && w->rows == 8, "%s", p.text);
    const float *cells = float_cells(w, "features");
    cr_assert(cells[0] == 0 && cells[1] == 10 && cells[2] == 1 && cells[3] == 11 && w->table->columns == 2);
    data_end(&d);
    w = part_try(m, &d, "s = csv(\"w.csv\"); w = window(s, length = 2)", "w", &p); /* no target: the rows themselves */
    cr_assert(w && w->rows == 8 && float_cells(w, "next")[0] == 2 && float_cells(w, "next")[1] == 12, "%s", p.text);
    data_end(&d);
    w = part_try(m, &d, "s = csv(\"w.csv\", target = 1); w = window(s, length = 2, horizon = 0)", "w", &p);
    cr_assert(w && w->rows == 9 && column_value(&w->table->column[1], 0) == 11, "%s", p.text); /* of the last row */
    data_end(&d);
    w = part_try(m, &d, "a = csv(\"w.csv\", target = 1); u, v = split(a, 0.5, shuffle = false); w = window(v, length = 3)",
                 "w", &p);
    cr_assert(w && w->rows == 2 && float_cells(w, "features")[0] == 5, "%s", p.text); /* of a share */
    data_end(&d);
}

/* No target of the training share lies in the share after it. */
Test(data, shares_of_windows_have_no_target_in_common)
{
    dln_model *m = fake_model("features", 2, 2);
    Data d;
    Problem p;
    char text[2000], block[200];
    size_t used = 0;
    for (int i = 0; i < 100; i++) used += (size_t)snprintf(text + used, sizeof text - used, "%d\n", i);
    file_make("l.csv", text, used);
    for (int horizon = 1; horizon < 9; horizon++)
        for (int stride = 1; stride < 5; stride++) {
            snprintf(block, sizeof block,
                     "s = csv(\"l.csv\", header = false); w = window(s, length = 5, horizon = %d, stride = %d); "
                     "a, b = split(w, 0.6)", horizon, stride);
            const Part *a = part_try(m, &d, block, "a", &p), *b = a ? data_part(&d, "b", &p) : NULL;
            cr_assert(a && b, "%s", p.text);
            const Column *y = table_find(a->table, "next");
            const double last = column_value(y, (size_t)part_row(a, a->rows - 1) * column_step(y) + y->elements - 1);
            const double next = column_value(y, (size_t)part_row(b, 0) * column_step(y));
            cr_assert(last < next && next - last <= stride + horizon, "horizon %d, stride %d: %g, %g", horizon, stride,
                      last, next);
            data_end(&d);
        }
}

Test(data, a_stratified_split_has_each_class_in_proportion)
{
    dln_model *m = fake_model("features", 2, 2);
    Data d;
    Problem p;
    char text[4000];
    size_t used = 0;
    bool seen[200] = { false }, mixed = false;
    for (int i = 0; i < 200; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%d,%s\n", i, i < 120 ? "a" : i < 180 ? "b" : "c");
    file_make("c.csv", text, used);
    const Part *part[3];
    static const char *const name[] = { "u", "v", "w" };
    static const int wanted[3][3] = { { 60, 30, 10 }, { 30, 15, 5 }, { 30, 15, 5 } };
    part[0] = part_try(m, &d, "all = csv(\"c.csv\", target = 1); u, v, w = split(all, 0.5, 0.25, seed = 4, stratify = true)",
                       "u", &p);
    cr_assert(part[0], "%s", p.text);
    for (int k = 0; k < 3; k++) {
        int count[3] = { 0 };
        cr_assert((part[k] = data_part(&d, name[k], &p)) && part[k]->rows == (k ? 50u : 100u), "%s", p.text);
        for (uint64_t i = 0; i < part[k]->rows; i++) {
            const uint64_t row = part_row(part[k], i);
            cr_assert(row < 200 && !seen[row]); /* each sample is in one share */
            seen[row] = true;
            mixed |= i && part_row(part[k], i - 1) > row;
            count[((const int32_t *)part[k]->table->column[1].cells)[row]]++;
        }
        for (int c = 0; c < 3; c++) cr_assert(count[c] == wanted[k][c], "%d of %d in %s", count[c], c, name[k]);
    }
    cr_assert(mixed);
    data_end(&d);
}

Test(data, each_mistake_in_a_data_block_is_named)
{
    static const struct {
        const char *block, *words;
    } cases[] = {
        { "train = idx()", "idx needs fields" },
        { "train = idx(\"i.idx\")", "idx takes fields only" },
        { "train = idx(features = 3)", "idx takes fields only" },
        { "train = idx(features = \"none\")", "cannot find none" },
        { "train = npy()", "npy needs fields" },
        { "train = npy(\"x.npy\")", "npy takes fields only" },
        { "train = npy(features = x)", "npy takes fields only" },
        { "train = npy(features = \"none.npy\")", "cannot find none.npy" },
        { "train = npy(features = \"t.csv\")", "not a .npy array" },
        { "train = npz()", "npz needs the name of a file first" },
        { "train = npz(\"none.npz\", features = \"x\")", "cannot find none.npz" },
        { "train = npz(\"z.npz\")", "npz needs fields" },
        { "train = npz(\"z.npz\", \"x\")", "npz takes the names of arrays" },
        { "train = npz(\"z.npz\", features = 3)", "npz takes the names of arrays" },
        { "train = npz(\"z.npz\", features = \"y\")", "it holds: x.npy" },
        { "train = npz(\"t.csv\", features = \"x\")", "t.csv" },
        { "train = csv(target = last)", "csv needs the name of a file first" },
        { "train = csv(3)", "csv needs the name of a file first" },
        { "train = csv(\"t.csv\", targt = last)", "no argument 'targt'; did you mean 'target'?" },
        { "train = csv(\"t.csv\", zzzzzzzz = last)", "no argument 'zzzzzzzz'" },
        { "train = csv(\"t.csv\", target = [0, 1])", "one target only" },
        { "train = csv(\"t.csv\", target = f(1))", "a column is a name or a number" },
        { "train = csv(\"t.csv\", drop = [f(1)])", "a column is a name or a number" },
        { "train = csv(\"t.csv\", names = [f(1)])", "a column is a name or a number" },
        { "train = csv(\"t.csv\", drop = [9])", "9" },
        { "train = csv(\"t.csv\", names = [a, b])", "2" },
        { "train = csv(\"t.csv\", header = maybe)", "header is true, false or auto" },
        { "train = csv(\"t.csv\", header = 2)", "header is true, false or auto" },
        { "train = csv(\"t.csv\", header = \"true\")", "header is true, false or auto" },
        { "train = csv(\"t.csv\", separator = 3)", "separator is one character" },
        { "train = csv(\"t.csv\", separator = \";;\")", "separator is one character" },
        { "train = text(\"t.txt\")", "text needs the length of a sample" },
        { "train = text(\"t.txt\", context = 0)", "context must be a whole number from 1 to" },
        { "train = text(\"t.txt\", context = 2.5)", "context must be a whole number" },
        { "train = text(\"t.txt\", context = long)", "context must be a whole number" },
        { "train = text(\"t.txt\", length = 4)", "text has no argument 'length'" },
        { "train = text(context = 4)", "text needs the name of a file first" },
        { "train = text(\"none\", context = 4)", "cannot find none" },
        { "train = text(\"t.txt\", context = 40)", "too few" },
        { "train = cifar10(4)", "cifar10 needs the name of a file first" },
        { "train = cifar10(\"*.bin\")", "cannot find *.bin" },
        { "train = cifar10(\"t.txt\")", "expected a multiple of 3073" },
        { "train = images(4)", "images needs the name of a file first" },
        { "train = images(\"none\")", "images are [height, width]" },
        { "all = csv(\"t.csv\"); train, b = split()", "split needs a part of the data first" },
        { "all = csv(\"t.csv\"); train, b = split(of = all, 0.5)", "split " },
        { "all = csv(\"t.csv\"); train, b = split(0.5)", "split needs a part of the data first" },
        { "all = csv(\"t.csv\", target = last); train, b = split(all)", "split needs a share" },
        { "all = csv(\"t.csv\", target = last); train, b = split(all, half)", "shares are numbers above 0" },
        { "all = csv(\"t.csv\", target = last); train, b = split(all, 0)", "shares are numbers above 0" },
        { "all = csv(\"t.csv\", target = last); train, b = split(all, 0.5, 0.5)", "shares are numbers above 0" },
        { "all = csv(\"t.csv\", target = last); train, b, c = split(all, 0.5)", "has 2 shares; it needs one name" },
        { "all = csv(\"t.csv\", target = last); train, b = split(all, 0.1)", "no sample is left for train of 4" },
        { "all = csv(\"t.csv\", target = last); train, b = split(all, 0.5, seed = -1)", "seed must be a whole number" },
        { "all = csv(\"t.csv\", target = last); train, b = split(other, 0.5)", "defines no 'other'" },
        { "all = text(\"t.txt\", context = 9); train, b = split(all, 0.1)", "t.txt" },
        { "train = csv(\"t.csv\", target = last, missing = mean)", "missing is error, drop, zero or nan" },
        { "train = csv(\"t.csv\", target = last, missing = 0)", "missing is error, drop, zero or nan" },
        { "train = csv(\"t.csv\", target = last, columns = [0, 2])", "column 2 is both target and one of the features" },
        { "train = csv(\"t.csv\", target = last, categories = last)", "is both target and one of the features" },
        { "train = csv(\"t.csv\", categories = [9])", "9" },
        { "all = csv(\"t.csv\", target = last); train, b = split(all, 0.5, stratify = 3)", "stratify is true, or the name" },
        { "all = csv(\"t.csv\", target = last); train, b = split(all, 0.5, stratify = kin)", "stratify = kin finds no such" },
        { "all = csv(\"t.csv\", target = last); train, b = split(all, 0.5, stratify = features)", "features has 2" },
        { "all = csv(\"t.csv\", drop = last); train, b = split(all, 0.5, stratify = true)", "stratify = true finds no such field" },
        { "s = csv(\"t.csv\", target = last); train = window(s)", "window needs the number of rows" },
        { "s = csv(\"t.csv\", target = last); train = window(s, 2)", "window takes one part" },
        { "s = csv(\"t.csv\", target = last); train = window(s, length = 4)", "s has 4 rows, a sample takes 5" },
        { "s = csv(\"t.csv\", target = last); train = window(s, length = 2, horizon = -1)", "horizon must be a whole" },
        { "s = csv(\"t.csv\", target = last); train = window(s, length = 2, past = true)", "a target that is one number" },
        { "s = csv(\"t.csv\", target = last); train = window(s, length = 2, past = true, horizon = 0)", "hold its target" },
        { "s = csv(\"t.csv\", drop = last); train = window(s, length = 2, past = true)", "the table has no target" },
        { "all = csv(\"t.csv\", target = last); s, b = split(all, 0.5); train = window(s, length = 1)", "s is mixed" },
        { "s = csv(\"t.csv\", target = last); w = window(s, length = 1); train = window(w, length = 1)", "w is no table" },
        { "s = csv(\"t.csv\", target = last); w = window(s, length = 1); train, b = split(w, 0.5, shuffle = true)",
          "windows stay in order" },
        { "train = 3", "train is no source" },
        { "train = zzzzzzzzzz(\"t.csv\")",
          "there is no source 'zzzzzzzzzz'; there are idx, csv, text, cifar10, npy, npz, images, split" },
        { "train = csw(\"t.csv\")", "did you mean 'csv'?" },
        { "train = b; b = train", "is made of itself" },
        { "b = csv(\"t.csv\")", "defines no 'train'; it has: b" },
    };
    files_make();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dln_model *m = fake_model("features", 2, 2);
        Data d;
        Problem p;
        cr_assert(!part_try(m, &d, cases[i].block, "train", &p), "%s", cases[i].block);
        cr_expect(p.code != 0 && strstr(p.text, cases[i].words), "%s: code %d, '%s'", cases[i].block, p.code, p.text);
        data_end(&d);
    }
    dln_model *m = fake_model("features", 2, 2);
    Data d;
    Problem p;
    cr_assert(!part_try(m, &d, "", "train", &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "has no data block");
    data_end(&d);
}

Test(data, cifar_in_a_folder_below)
{
    static unsigned char record[3073];
    dln_model *m = fake_model("image", 2, 10);
    Data d;
    Problem p;
    cr_assert(!mkdir(in_folder("batches"), 0700));
    file_make("batches/a.bin", record, sizeof record);
    file_make("batches/b.bin", record, sizeof record);
    const Part *part = part_try(m, &d, "train = cifar10(\"*.bin\")", "train", &p);
    cr_assert(part && part->rows == 2, "%s", p.text);
    data_end(&d);
    unlink(in_folder("batches/a.bin"));
    unlink(in_folder("batches/b.bin"));
}

Test(data, the_target_of_a_csv_is_the_only_one_or_the_columns_own)
{
    dln_model *m = fake_model("features", 2, 2);
    dln_field field[3] = { m->field[0], m->field[1], m->field[1] };
    Data d;
    Problem p;
    files_make();
    const Part *part = part_try(m, &d, "train = csv(\"h.csv\", target = kind)", "train", &p);
    cr_assert(part && table_find(part->table, "label"), "%s", p.text);
    data_end(&d);
    field[2].name = "other";
    m->fields = 3;
    m->field = field;
    part = part_try(m, &d, "train = csv(\"h.csv\", target = kind)", "train", &p);
    cr_assert(part && table_find(part->table, "kind") && !table_find(part->table, "label"), "%s", p.text);
    data_end(&d);
    m->real_bytes = 8;
    part = part_try(m, &d, "train = csv(\"h.csv\", drop = kind)", "train", &p);
    cr_assert(part && part->table->column[0].type == CELL_F64, "%s", p.text);
    data_end(&d);
}

/* ---- predict FILE ---- */
static const Part *input_try(dln_model *m, Data *d, const char *block, const char *file, Problem *p)
{
    *p = (Problem){ 0 };
    block_of(m, block);
    data_begin(d, m, folder);
    return data_input(d, in_folder(file), p);
}

Test(data, files_to_predict_from)
{
    static const struct {
        const char *block, *file;
        uint64_t rows;
    } cases[] = {
        { "", "x.npy", 3 },
        { "", "i.idx", 2 },
        { "train = text(\"t.txt\", context = 2)", "t.txt", 9 },
        { "train = csv(\"t.csv\", target = last)", "t.csv", 4 }, /* with its target, as the block says */
        { "train = csv(\"t.csv\", target = last)", "f.csv", 2 }, /* features only */
        { "", "f.csv", 2 },
    };
    files_make();
    file_make("f.csv", "1,2\n3,4\n", 8);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dln_model *m = fake_model("features", 2, 2);
        Data d;
        Problem p;
        const Part *part = input_try(m, &d, cases[i].block, cases[i].file, &p);
        cr_assert(part && part->rows == cases[i].rows, "%s: %s", cases[i].file, p.text);
        cr_assert(!strcmp(part->table->column[0].name, "features") && part->table->column[0].elements == 2);
        data_end(&d);
    }
}

Test(data, files_that_cannot_be_predicted_from)
{
    dln_model *m = fake_model("features", 2, 2);
    dln_field field[2] = { m->field[0], m->field[0] };
    Data d;
    Problem p;
    files_make();
    cr_assert(!input_try(m, &d, "", "none", &p) && p.code == EXIT_IO);
    data_end(&d);
    file_make("bad.npy", "\x93NUMPY..........", 16);
    cr_assert(!input_try(m, &d, "", "bad.npy", &p) && p.code == EXIT_INPUT && !d.parts);
    data_end(&d);
    cr_assert(!input_try(m, &d, "train = csv(\"t.csv\", target = none)", "t.csv", &p) && strstr(p.text, "none"), "%s",
              p.text);
    data_end(&d);
    int images = open(in_folder("i.idx"), O_RDONLY);
    cr_assert(dup2(images, STDIN_FILENO) == STDIN_FILENO);
    block_of(m, "");
    data_begin(&d, m, folder);
    cr_assert(!data_input(&d, "-", &p));
    EXPECT_PROBLEM(p, EXIT_USAGE, "not from standard input");
    data_end(&d);
    m->field = field;
    cr_assert(!input_try(m, &d, "", "x.npy", &p));
    EXPECT_PROBLEM(p, EXIT_USAGE, "models with one input");
    data_end(&d);
    field[0].is_target = field[1].is_target = 1;
    cr_assert(!input_try(m, &d, "", "x.npy", &p));
    EXPECT_PROBLEM(p, EXIT_USAGE, "has no input");
    data_end(&d);
}

/* ---- feeds: every type of cell into every type of field ---- */
static const unsigned char cells_u8[] = { 0, 1, 2, 3 };
static const int32_t cells_i32[] = { 0, 1, 2, 3 };
static const float cells_f32[] = { 0, 1, 2, 3 };
static const double cells_f64[] = { 0, 1, 2, 3 };

Test(data, every_type_of_cell_becomes_every_type_of_field)
{
    static const void *const cells[] = {
        [CELL_U8] = cells_u8, [CELL_I32] = cells_i32, [CELL_F32] = cells_f32, [CELL_F64] = cells_f64
    };
    for (int cell = CELL_U8; cell <= CELL_F64; cell++)
        for (int type = DLN_FLOAT; type <= DLN_BOOL; type++)
            for (int wide = 0; wide < 2; wide++) {
                dln_model *m = fake_model("x", 2, 2);
                dln_field field = { .name = "x", .type = (dln_type)type, .rank = 1, .extent = { 2 } };
                Table t = { .rows = 2 };
                Problem p = { 0 };
                Feed f;
                Column *c = table_add(&t, "x", "file", &p);
                c->type = (CellType)cell;
                c->rank = 1;
                c->extent[0] = 2;
                c->elements = 2;
                c->cells = cells[cell];
                m->fields = 1;
                m->field = &field;
                m->real_bytes = wide ? 8 : 4;
                Part part = { .name = (char *)"all", .table = &t, .rows = 2 };
                cr_assert(feed_open(&f, m, &part, true, &p), "%d %d: %s", cell, type, p.text);
                feed_gather(&f, 0, 2);
                for (int k = 0; k < 4; k++) {
                    double got = type == DLN_INT    ? ((int32_t *)f.buffer[0])[k]
                                 : type == DLN_BOOL ? ((uint8_t *)f.buffer[0])[k]
                                 : wide             ? ((double *)f.buffer[0])[k]
                                                    : (double)((float *)f.buffer[0])[k];
                    cr_assert(got == (type == DLN_BOOL ? k != 0 : k), "%d %d %d: %g", cell, type, k, got);
                }
                feed_close(&f);
                table_free(&t);
            }
}

Test(data, fields_that_a_column_does_not_fit)
{
    static const float halves[] = { 0, 1.5f }, high[] = { 0, 9 };
    static const struct {
        const float *cells;
        dln_type type;
        int classes, target;
        const char *words;
    } cases[] = {
        { halves, DLN_INT, 0, 0, "x is 1.5, " },
        { high, DLN_INT, 5, 1, "the model has 5 classes, 0 .. 4" },
        { high, DLN_INT, 5, 0, "x is 9, " },
        { high, DLN_INT, 0, 0, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dln_model *m = fake_model("x", 2, 2);
        dln_field field = {
            .name = "x", .type = cases[i].type, .classes = cases[i].classes, .is_target = cases[i].target
        };
        Table t = { .rows = 2 };
        Problem p = { 0 };
        Feed f;
        Column *c = table_add(&t, "x", "file", &p);
        c->type = CELL_F32;
        c->elements = 1;
        c->cells = cases[i].cells;
        m->fields = 1;
        m->field = &field;
        Part part = { .name = (char *)"all", .table = &t, .rows = 2 };
        bool good = feed_open(&f, m, &part, true, &p);
        cr_expect(good == !cases[i].words && (good || strstr(p.text, cases[i].words)), "%zu: %s", i, p.text);
        if (good) feed_close(&f);
        table_free(&t);
    }
}

Test(data, names_of_classes_do_not_become_numbers_by_themselves)
{
    dln_model *m = fake_model("features", 2, 2);
    dln_field field[2] = { m->field[0], m->field[1] };
    Data d;
    Problem p;
    Feed f;
    files_make();
    m->field = field;
    field[1].type = DLN_FLOAT;
    const Part *part = part_try(m, &d, "train = csv(\"t.csv\", target = last)", "train", &p);
    cr_assert(part && !feed_open(&f, m, part, true, &p));
    cr_assert(strstr(p.text, "t.csv") && strstr(p.text, "label"), "%s", p.text);
    data_end(&d);
    field[1].type = DLN_INT;
    field[1].classes = 1; /* the file has two */
    part = part_try(m, &d, "train = csv(\"t.csv\", target = last)", "train", &p);
    cr_assert(part && !feed_open(&f, m, part, true, &p) && strstr(p.text, "2"), "%s", p.text);
    data_end(&d);
}

/* ---- which column is whose, and which shapes fit ---- */
static Column *column_add(Table *t, const char *name, int rank, const int *extent, const void *cells, CellType type)
{
    Problem p = { 0 };
    Column *c = table_add(t, name, "file", &p);
    c->type = type;
    c->rank = rank;
    c->elements = 1;
    for (int i = 0; i < rank; i++) c->elements *= (size_t)(c->extent[i] = extent[i]);
    c->cells = cells;
    return c;
}

Test(data, shapes_that_fit)
{
    static const float cells[24];
    static const struct {
        int column_rank, column[3], field_rank, field[3];
        bool fits;
    } cases[] = {
        { 2, { 2, 3 }, 2, { 2, 3 }, true },
        { 3, { 2, 1, 3 }, 2, { 2, 3 }, true },
        { 2, { 2, 3 }, 3, { 1, 2, 3 }, true },
        { 2, { 2, 3 }, 2, { 3, 2 }, false },
        { 1, { 6 }, 2, { 3, 2 }, true },
        { 2, { 2, 3 }, 1, { 6 }, false },
        { 2, { 2, 2 }, 2, { 2, 3 }, false },
        { 0, { 0 }, 1, { 1 }, true },
        { 1, { 1 }, 0, { 0 }, true },
        { 2, { 6, 1 }, 2, { 3, 2 }, false },
        { 3, { 2, 3, 4 }, 2, { 2, 12 }, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dln_model *m = fake_model("x", 2, 2);
        dln_field field = { .name = "x", .rank = cases[i].field_rank };
        memcpy(field.extent, cases[i].field, sizeof cases[i].field);
        Table t = { .rows = 1 };
        Problem p = { 0 };
        Feed f;
        column_add(&t, "x", cases[i].column_rank, cases[i].column, cells, CELL_F32);
        m->fields = 1;
        m->field = &field;
        bool good = feed_open(&f, m, &(Part){ .name = (char *)"all", .table = &t, .rows = 1 }, true, &p);
        cr_expect(good == cases[i].fits, "%zu: %s", i, p.text);
        if (good) feed_close(&f);
        table_free(&t);
    }
}

Test(data, which_column_is_the_targets)
{
    static const float cells[4];
    static const int32_t large[] = { 0, 1, 2, 3 };
    const int two[] = { 2 };
    for (int columns = 1; columns < 4; columns++)
        for (int targets = 1; targets < 3; targets++) {
            dln_model *m = fake_model("x", 2, 2);
            dln_field field[3] = { { .name = "x", .rank = 1, .extent = { 2 } },
                                   { .name = "t", .is_target = 1, .rank = 1, .extent = { 2 } },
                                   { .name = "u", .is_target = 1, .rank = 1, .extent = { 2 } } };
            static const char *const names[] = { "x", "first", "second" };
            Table t = { .rows = 2 };
            Problem p = { 0 };
            Feed f;
            for (int k = 0; k < columns; k++) column_add(&t, names[k], 1, two, cells, CELL_F32);
            m->fields = 1 + targets;
            m->field = field;
            bool good = feed_open(&f, m, &(Part){ .name = (char *)"all", .table = &t, .rows = 2 }, true, &p);
            cr_expect(good == (columns == 2 && targets == 1), "%d columns, %d targets", columns, targets);
            if (good)
                feed_close(&f);
            else
                cr_expect(strstr(p.text, "the data have no field 't' (a target of the model); they have: x"), "%s",
                          p.text);
            cr_assert(feed_open(&f, m, &(Part){ .name = (char *)"all", .table = &t, .rows = 2 }, false,
                                &p)); /* inputs alone */
            feed_close(&f);
            table_free(&t);
        }
    dln_model *m = fake_model("x", 2, 2);
    dln_field field = { .name = "x", .type = DLN_INT, .rank = 1, .extent = { 2 }, .classes = 3 };
    static const double far[] = { 0, 1, 1e10, 0 };
    Table t = { .rows = 2 };
    Problem p = { 0 };
    Feed f;
    column_add(&t, "x", 1, two, large, CELL_I32);
    m->fields = 1;
    m->field = &field;
    cr_assert(!feed_open(&f, m, &(Part){ .name = (char *)"all", .table = &t, .rows = 2 }, true, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "sample 1: x is 3, but the model takes 0 .. 2 there");
    t.column[0].type = CELL_F64;
    t.column[0].cells = far;
    field.classes = 0;
    cr_assert(!feed_open(&f, m, &(Part){ .name = (char *)"all", .table = &t, .rows = 2 }, true, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "which does not fit into 32 bits");
    table_free(&t);
}

Test(data, text_moves_by_less_than_a_sample)
{
    dln_model *m = fake_model("tokens", 2, 2);
    dln_field field[2] = {
        { .name = "tokens", .type = DLN_INT, .rank = 1, .extent = { 4 }, .classes = 3 },
        { .name = "next", .type = DLN_INT, .rank = 1, .extent = { 4 }, .classes = 3, .is_target = 1 }
    };
    Data d;
    Problem p;
    Feed f;
    files_make();
    m->field = field;
    const Part *part = part_try(m, &d, "train = text(\"t.txt\", context = 4)", "train", &p);
    cr_assert(part && feed_open(&f, m, part, true, &p), "%s", p.text);
    const FeedPlace place = { .shift = 3, .n = 4 };
    feed_fill(&f, &place, f.buffer);
    const int32_t *tokens = f.buffer[0], *next = f.buffer[1];
    cr_expect(tokens[0] == 0 && next[0] == 1 && tokens[1] == next[0]); /* abc.. from place 3 on */
    cr_expect(tokens[15] == (15 + 3) % 3 || tokens[15] == 0);          /* and not beyond the end */
    feed_close(&f);
    data_end(&d);
    field[0].classes = field[1].classes = 2; /* the text has three characters */
    part = part_try(m, &d, "train = text(\"t.txt\", context = 4)", "train", &p);
    cr_assert(part && !feed_open(&f, m, part, true, &p) && strstr(p.text, "the model takes 2"), "%s", p.text);
    data_end(&d);
}

Test(data, files_by_absolute_names_and_in_folders_below)
{
    dln_model *m = fake_model("features", 2, 2);
    char block[700];
    Data d;
    Problem p;
    files_make();
    snprintf(block, sizeof block, "train = csv(\"%s\", target = last)", in_folder("t.csv"));
    cr_assert(part_try(m, &d, block, "train", &p), "%s", p.text);
    data_end(&d);
    snprintf(block, sizeof block, "train = csv(\"%s\", target = last)", in_folder("none.csv"));
    cr_assert(!part_try(m, &d, block, "train", &p) && strstr(p.text, "cannot find"), "%s", p.text);
    data_end(&d);
    cr_assert(!mkdir(in_folder("one"), 0700) && !mkdir(in_folder("two"), 0700) && !mkdir(in_folder("f.csv"), 0700));
    file_make("one/b.csv", "1,2\n", 4);
    cr_assert(part_try(m, &d, "train = csv(\"b.csv\")", "train", &p), "%s", p.text);
    data_end(&d);
    file_make("two/b.csv", "1,2\n", 4); /* two of them: which? */
    cr_assert(!part_try(m, &d, "train = csv(\"b.csv\")", "train", &p) && strstr(p.text, "b.csv"), "%s", p.text);
    data_end(&d);
    cr_assert(!part_try(m, &d, "train = csv(\"f.csv\")", "train", &p), "a folder was read"); /* a folder is no file */
    data_end(&d);
    unlink(in_folder("one/b.csv"));
    unlink(in_folder("two/b.csv"));
}
