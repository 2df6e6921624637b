/* feed.c: samples of a part, copied into the batch buffers of a model in the type it wants. What could go wrong is
 * found when the feed is opened: fields that are missing, shapes that do not fit, labels out of range.
 * SPDX-License-Identifier: 0BSD */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "data.h"

/* "[28, 28, 1]" */
const char *shape_words(int rank, const int *extent, char *words, size_t room)
{
    size_t used = (size_t)snprintf(words, room, "[");
    for (int i = 0; i < rank && used < room; i++)
        used += (size_t)snprintf(words + used, room - used, i ? ", %d" : "%d", extent[i]);
    if (used < room) snprintf(words + used, room - used, "]");
    return words;
}

/* Equal but for axes of length 1; or the column is one plain row of as many numbers (a CSV of pixels). */
static bool shape_fits(const Column *c, const dln_field *f)
{
    size_t elements = 1;
    int i = 0, j = 0;
    for (int axis = 0; axis < f->rank; axis++) elements *= (size_t)f->extent[axis];
    if (elements != c->elements) return false;
    for (;; i++, j++) {
        while (i < c->rank && c->extent[i] == 1) i++;
        while (j < f->rank && f->extent[j] == 1) j++;
        if (i == c->rank || j == f->rank) break;
        if (c->extent[i] != f->extent[j]) return c->rank <= 1;
    }
    return i == c->rank && j == f->rank ? true : c->rank <= 1;
}

/* Whole numbers, and within the classes where they are known. */
static bool integers_check(const Table *t, const Column *c, const dln_field *f, Problem *p)
{
    const double least = f->classes ? 0 : INT32_MIN, most = f->classes ? f->classes - 1 : INT32_MAX;
    size_t count = t->slide ? t->room + c->elements : (size_t)(t->rows - 1) * column_step(c) + c->elements;
    if (c->classes && f->classes && c->classes->count > f->classes)
        return problem_set(p, EXIT_INPUT, "%s: %s has %d different values (%.40s, %.40s ..), but the model takes %d",
                           c->file, c->name, c->classes->count, c->classes->name[0], c->classes->name[1], f->classes);
    for (size_t i = 0; i < count; i++) {
        double value = column_value(c, i);
        if (value >= least && value <= most && value == floor(value)) continue;
        problem_set(p, EXIT_INPUT, "%s: sample %zu: %s is %g, ", c->file, t->slide ? i : i / column_step(c), c->name,
                    value);
        if (value != floor(value))
            problem_add(p, "but the model takes whole numbers there");
        else if (f->classes && f->is_target)
            problem_add(p, "but the model has %d classes, 0 .. %d", f->classes, f->classes - 1);
        else if (f->classes)
            problem_add(p, "but the model takes 0 .. %d there", f->classes - 1);
        else
            problem_add(p, "which does not fit into 32 bits");
        return false;
    }
    return true;
}

static bool column_check(const Table *t, const Column *c, const dln_field *f, Problem *p)
{
    char seen[120], expected[120];
    if (!shape_fits(c, f))
        return problem_set(p, EXIT_INPUT, "%s: %s is %s in every sample, but the model takes %s for %s", c->file,
                           c->name, shape_words(c->rank, c->extent, seen, sizeof seen),
                           shape_words(f->rank, f->extent, expected, sizeof expected), f->name);
    if (f->type == DLN_INT) return integers_check(t, c, f, p);
    if (c->classes && f->is_target && f->type == DLN_FLOAT)
        return problem_set(p, EXIT_INPUT, "%s: %s holds names (%.40s ..), but the model takes numbers for %s", c->file,
                           c->name, c->classes->name[0], f->name);
    return true;
}

/* The column of a field: by name, or for the only target the only column that no other field takes. */
static const Column *column_bind(const dln_model *m, const Table *t, const dln_field *f, Problem *p)
{
    const Column *found = table_find(t, f->name), *left = NULL;
    int targets = 0, free_columns = 0;
    if (found) return found;
    for (int i = 0; i < m->fields; i++) targets += m->field[i].is_target;
    for (int i = 0; i < t->columns; i++) {
        bool taken = false;
        for (int k = 0; k < m->fields; k++) taken |= !strcmp(m->field[k].name, t->column[i].name);
        if (taken) continue;
        free_columns++;
        left = &t->column[i];
    }
    if (f->is_target && targets == 1 && free_columns == 1) return left;
    problem_set(p, EXIT_INPUT, "%s: the data have no field '%s' (%s of the model); they have:", t->column[0].file,
                f->name, f->is_target ? "a target" : "an input");
    for (int i = 0; i < t->columns; i++) problem_add(p, "%s %s", i ? "," : "", t->column[i].name);
    return NULL;
}

static size_t field_bytes(const dln_model *m, const dln_field *f)
{
    return f->type == DLN_FLOAT ? (size_t)m->real_bytes : f->type == DLN_INT ? sizeof(int32_t) : sizeof(uint8_t);
}

static void *buffer_new(const Feed *f, int field, Problem *p)
{
    size_t count;
    if (!size_product(f->column[field]->elements, (size_t)f->model->batch, &count)) count = SIZE_MAX;
    return memory_new(count, field_bytes(f->model, &f->model->field[field]), p);
}

void **feed_buffers(const Feed *f, Problem *p)
{
    void **buffer = memory_new((size_t)f->model->fields, sizeof *buffer, p);
    for (int i = 0; buffer && i < f->model->fields; i++) {
        if (!f->column[i] || (buffer[i] = buffer_new(f, i, p))) continue;
        while (i-- > 0) free(buffer[i]);
        free(buffer);
        return NULL;
    }
    return buffer;
}

bool feed_open(Feed *f, const dln_model *m, const Part *part, bool targets, Problem *p)
{
    const size_t fields = (size_t)m->fields;
    *f = (Feed){ .model = m, .part = part, .rows = part->rows };
    f->column = memory_new(fields, sizeof *f->column, p);
    f->buffer = memory_new(fields, sizeof *f->buffer, p);
    f->fields = memory_new(fields, sizeof *f->fields, p);
    f->mapped = memory_new(fields, sizeof *f->mapped, p);
    bool good = f->column && f->buffer && f->fields && f->mapped;
    for (size_t i = 0; good && i < fields; i++) {
        const dln_field *field = &m->field[i];
        if (field->is_target && !targets) continue;
        good =
            (f->column[i] = column_bind(m, part->table, field, p)) && column_check(part->table, f->column[i], field, p);
        if (!good) break;
        f->fields[i] = f->buffer[i] = buffer_new(f, (int)i, p);
        f->mapped[i] = cells_mapped(f->column[i]->cells);
        if (f->mapped[i]) cells_any_order(f->column[i]->cells);
        good = f->buffer[i];
    }
    if (!good) feed_close(f);
    return good;
}

void feed_close(Feed *f)
{
    for (int i = 0; f->buffer && i < f->model->fields; i++) free(f->buffer[i]);
    free(f->buffer);
    free(f->fields);
    free(f->column);
    free(f->mapped);
    *f = (Feed){ 0 };
}

/* One sample from the type of the file to the type of the model: plain loops that the compiler makes wide; gcc -O2 does
 * so only if it is told to. */
#if defined __GNUC__ && !defined __clang__
#pragma GCC optimize("tree-vectorize", "vect-cost-model=dynamic")
#endif
#define CONVERT(FROM, TO, VALUE)                                                                                       \
    do {                                                                                                               \
        const FROM *restrict from = (const FROM *)cells + begin;                                                       \
        TO *restrict to = (TO *)buffer + place;                                                                        \
        for (size_t k = 0; k < count; k++) to[k] = (TO)(VALUE);                                                        \
    } while (0)
#define CONVERT_TO(TO, VALUE)                                                                                          \
    do {                                                                                                               \
        switch (type) {                                                                                                \
        case CELL_U8: CONVERT(uint8_t, TO, VALUE); break;                                                              \
        case CELL_I32: CONVERT(int32_t, TO, VALUE); break;                                                             \
        case CELL_F32: CONVERT(float, TO, VALUE); break;                                                               \
        case CELL_F64: CONVERT(double, TO, VALUE); break;                                                              \
        }                                                                                                              \
    } while (0)

static void sample_copy(CellType type, const void *cells, size_t begin, size_t count, dln_type wanted, int real_bytes,
                        void *buffer, size_t place)
{
    if (wanted == DLN_INT)
        CONVERT_TO(int32_t, from[k]);
    else if (wanted == DLN_BOOL)
        CONVERT_TO(uint8_t, from[k] != 0);
    else if (real_bytes == sizeof(double))
        CONVERT_TO(double, from[k]);
    else
        CONVERT_TO(float, from[k]);
}

static uint64_t sample_row(const Feed *f, const FeedPlace *place, int i)
{
    const uint64_t at = place->first + (uint64_t)i;
    return part_row(f->part, place->mixed ? shuffle_place(&place->order, at) : at);
}

static size_t sample_begin(const Feed *f, const FeedPlace *place, const Column *c, uint64_t row)
{
    const Table *t = f->part->table;
    const size_t begin = (size_t)row * column_step(c);
    return !t->slide ? begin : begin + place->shift < t->room ? begin + place->shift : t->room;
}

/* All of them are asked for before the first one is waited for. */
static void samples_ahead(const Feed *f, const FeedPlace *place)
{
    for (int i = 0; i < place->n; i++) {
        const uint64_t row = sample_row(f, place, i);
        for (int k = 0; k < f->model->fields; k++) {
            const Column *c = f->column[k];
            if (!c || !f->mapped[k]) continue;
            const size_t bytes = cell_bytes(c->type);
            cells_ahead((const char *)c->cells + sample_begin(f, place, c, row) * bytes, c->elements * bytes);
        }
    }
}

/* Asks the caches for a sample that is copied a little later: at a place in memory that nothing could have guessed. */
static void sample_touch(const Feed *f, const FeedPlace *place, uint64_t row)
{
    enum { LINE = 64, MOST = 4096 };
    for (int k = 0; k < f->model->fields; k++) {
        const Column *c = f->column[k];
        if (!c) continue;
        const size_t bytes = cell_bytes(c->type), all = c->elements * bytes;
        const char *at = (const char *)c->cells + sample_begin(f, place, c, row) * bytes;
        for (size_t i = 0; i < all && i < MOST; i += LINE) __builtin_prefetch(at + i);
    }
}

void feed_fill(const Feed *f, const FeedPlace *place, void **buffer)
{
    enum { AHEAD = 4 };
    uint64_t rows[AHEAD];                        /* those of the samples i .. i + AHEAD - 1 */
    if (feed_streams(f)) samples_ahead(f, place);
    for (int i = -AHEAD; i < place->n; i++) {
        const uint64_t row = i < 0 ? 0 : rows[i % AHEAD];
        if (i + AHEAD < place->n) sample_touch(f, place, rows[(i + AHEAD) % AHEAD] = sample_row(f, place, i + AHEAD));
        if (i < 0) continue;
        for (int k = 0; k < f->model->fields; k++) {
            const Column *c = f->column[k];
            if (c)
                sample_copy(c->type, c->cells, sample_begin(f, place, c, row), c->elements, f->model->field[k].type,
                            f->model->real_bytes, buffer[k], (size_t)i * c->elements);
        }
    }
}

void feed_gather(Feed *f, uint64_t first, int n)
{
    const FeedPlace place = { .first = first, .n = n };
    feed_fill(f, &place, f->buffer);
}

bool feed_streams(const Feed *f)
{
    for (int i = 0; i < f->model->fields; i++)
        if (f->mapped[i]) return true;
    return false;
}
