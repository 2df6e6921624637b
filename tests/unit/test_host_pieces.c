/* test_host_pieces.c: the small pieces that the host program is made of, at their limits: memory that nobody has, texts
 * that grow, shapes in words, what fits a field and what does not, and how what is not finite is described.
 * SPDX-License-Identifier: 0BSD */
#include <limits.h>
#include <math.h>
#include "host/run.h"
#include "unit/fake_model.c"
#include "unit/host_test.h"

TestSuite(pieces, .init = folder_make, .fini = folder_remove);

Test(pieces, memory_that_nobody_has)
{
    Problem p = { 0 };
    int *block = NULL;
    size_t room = 0;
    cr_assert(!memory_new(SIZE_MAX, 2, &p) && !memory_new(SIZE_MAX / 2, 1, &p));
    EXPECT_PROBLEM(p, EXIT_IO, "out of memory");
    cr_assert(!memory_grow((void **)&block, &room, SIZE_MAX / 2, sizeof *block, &p) && !block && !room);
    cr_assert(!memory_grow((void **)&block, &room, SIZE_MAX / 8, sizeof *block, &p) && !block && !room);
    cr_assert(memory_grow((void **)&block, &room, 3, sizeof *block, &p) && room == 16);
    cr_assert(memory_grow((void **)&block, &room, 16, sizeof *block, &p) && room == 16);
    cr_assert(memory_grow((void **)&block, &room, 17, sizeof *block, &p) && room == 24);
    cr_assert(!memory_grow((void **)&block, &room, SIZE_MAX / 4, sizeof *block, &p) && room == 24);
    free(block);
    free(memory_new(0, 8, &p));
}

Test(pieces, texts_that_grow_and_that_cannot)
{
    Writer w = { 0 };
    char long_text[1000];
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    write_text(&w, "%d", 3);
    write_text(&w, "%s", long_text);
    cr_assert(w.length == sizeof long_text && w.text[0] == '3' && !strcmp(w.text + 1, long_text));
    w.length = 0;
    write_json_string(&w, "a\"b\\c\n\x7f");
    cr_assert(!strcmp(w.text, "\"a\\\"b\\\\c\\u000a\\u007f\""), "%s", w.text);
    write_bytes(&w, "", SIZE_MAX - 3);
    cr_assert(w.failed);
    const size_t length = w.length;
    write_text(&w, "more");
    write_text(&w, "%s", long_text);
    cr_assert(w.failed && w.length == length);
    free(w.text);
}

Test(pieces, shapes_in_words)
{
    static const int extent[] = { 28, 28, 1 };
    char words[30], few[5];
    cr_expect(!strcmp(shape_words(3, extent, words, sizeof words), "[28, 28, 1]"));
    cr_expect(!strcmp(shape_words(0, extent, words, sizeof words), "[]"));
    cr_expect(!strcmp(shape_words(3, extent, few, sizeof few), "[28,"));
}

/* A column of a table into the field of a model. */
static bool fits(int column_rank, const int *column, int field_rank, const int *field, Problem *p)
{
    dln_model *m = fake_model("x", 2, 2);
    dln_field f = { .name = "x", .type = DLN_FLOAT, .rank = field_rank };
    static const unsigned char cells[64];
    Table t = { .rows = 1 };
    Feed feed;
    *p = (Problem){ 0 };
    Column *c = table_add(&t, "x", "file", p);
    c->elements = 1;
    c->rank = column_rank;
    for (int i = 0; i < column_rank; i++) c->elements *= (size_t)(c->extent[i] = column[i]);
    for (int i = 0; i < field_rank; i++) f.extent[i] = field[i];
    c->cells = cells;
    m->fields = 1;
    m->field = &f;
    bool good = feed_open(&feed, m, &(Part){ .table = &t, .rows = 1 }, false, p);
    if (good) feed_close(&feed);
    table_free(&t);
    return good;
}

Test(pieces, which_shapes_fit)
{
    static const struct {
        int c, column[4], f, field[4];
        bool good;
    } cases[] = {
        { 2, { 3, 4 }, 2, { 3, 4 }, true },     { 2, { 3, 4 }, 3, { 3, 4, 1 }, true },
        { 3, { 1, 3, 4 }, 2, { 3, 4 }, true },  { 2, { 3, 1 }, 1, { 3 }, true },
        { 1, { 12 }, 2, { 3, 4 }, true },       { 2, { 4, 3 }, 2, { 3, 4 }, false },
        { 2, { 2, 6 }, 3, { 3, 4, 1 }, false }, { 0, { 0 }, 1, { 1 }, true },
        { 1, { 1 }, 0, { 0 }, true },           { 3, { 1, 1, 1 }, 0, { 0 }, true },
        { 2, { 12, 1 }, 2, { 3, 4 }, false },   { 1, { 11 }, 2, { 3, 4 }, false },
        { 3, { 2, 3, 2 }, 2, { 2, 6 }, false }, { 2, { 2, 6 }, 3, { 2, 3, 2 }, false },
        { 1, { 5 }, 1, { 5 }, true },
    };
    Problem p;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect(fits(cases[i].c, cases[i].column, cases[i].f, cases[i].field, &p) == cases[i].good, "%zu: %s", i,
                  p.text);
        if (!cases[i].good) EXPECT_PROBLEM(p, EXIT_INPUT, "in every sample, but the model takes");
    }
}

Test(pieces, which_numbers_fit)
{
    static const double cells[] = { 0, 1, 2, 3 };
    static const struct {
        double bad;
        int classes, target;
        const char *words;
    } cases[] = {
        { 1.5, 0, 1, "sample 2: label is 1.5, but the model takes whole numbers there" },
        { NAN, 0, 1, "takes whole numbers there" },
        { 4, 4, 1, "sample 2: label is 4, but the model has 4 classes, 0 .. 3" },
        { -1, 4, 0, "sample 2: label is -1, but the model takes 0 .. 3 there" },
        { 3e9, 0, 1, "which does not fit into 32 bits" },
        { -3e9, 0, 0, "which does not fit into 32 bits" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dln_model *m = fake_model("x", 2, 4);
        dln_field f = { .name = "label", .type = DLN_INT, .is_target = cases[i].target, .classes = cases[i].classes };
        double own[4];
        Table t = { .rows = 4 };
        Problem p = { 0 };
        Feed feed;
        memcpy(own, cells, sizeof own);
        own[2] = cases[i].bad;
        Column *c = table_add(&t, "label", "file", &p);
        c->elements = 1;
        c->type = CELL_F64;
        c->cells = own;
        m->fields = 1;
        m->field = &f;
        cr_expect(!feed_open(&feed, m, &(Part){ .table = &t, .rows = 4 }, true, &p));
        EXPECT_PROBLEM(p, EXIT_INPUT, cases[i].words);
        table_free(&t);
    }
}

/* ---- what is not finite ---- */
Test(pieces, what_is_not_finite_is_described)
{
    static const dln_tensor kinds[] = {
        { .name = "w", .kind = DLN_PARAM, .rank = 1, .extent = { 2 } },
        { .name = "block.dense.w", .line = "a.dln:3", .kind = DLN_PARAM, .rank = 1, .extent = { 2 } },
        { .name = "v.block.dense.w", .kind = DLN_OPTIMIZER },
        { .name = "least", .kind = DLN_STATE },
        { .name = "xblock.dense.w", .kind = DLN_OPTIMIZER }
    };
    static const char *const words[] = { "not finite: w (?), element 1 is nan",
                                         "of layer block.dense (a.dln:3), element 1 is nan",
                                         "v.block.dense.w of layer block.dense (?)", "not finite: least (?), element",
                                         "not finite: xblock.dense.w (?)" };
    dln_model *m = fake_model("x", 2, 2);
    Run r = { .model = m };
    m->tensors = 5;
    m->tensor = kinds;
    for (int i = 0; i < 5; i++) {
        Problem p = { 0 };
        tensor_describe(&r, i, 1, NAN, &p);
        cr_expect(strstr(p.text, words[i]), "%s", p.text);
    }
}

Test(pieces, data_that_are_not_finite_are_described)
{
    dln_model *m = fake_model("x", 2, 2);
    Table t = { .rows = 3 };
    Problem p = { 0 };
    float x[] = { 1, 2, 3, 4, 5, INFINITY };
    int32_t label[] = { 0, 1, 0 };
    Column *c = table_add(&t, "x", "x.csv", &p);
    c->elements = 2;
    const Column *columns[] = { c, NULL };
    void *buffer[] = { x, label };
    Feed f = { .model = m, .column = columns, .buffer = buffer };
    batch_describe(&f, 2, &p);
    cr_expect(!*p.text, "%s", p.text);
    batch_describe(&f, 3, &p);
    cr_expect(strstr(p.text, "; among the data x of x.csv is inf in sample 2 of the batch"), "%s", p.text);
    buffer[0] = NULL;
    p.text[0] = 0;
    batch_describe(&f, 3, &p);
    cr_expect(!*p.text, "%s", p.text);
    table_free(&t);
}
