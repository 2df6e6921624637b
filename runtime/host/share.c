/* share.c: parts made of other parts: `train, test = split(all, 0.8)` shares one out, by chance, in order or class by class;
 * `window(series, length = 30)` makes a sample of each stretch of rows, in place: no row is copied.
 * SPDX-License-Identifier: 0BSD */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "source.h"

uint64_t part_row(const Part *part, uint64_t i)
{
    for (; part->of; part = part->of) {
        i += part->first;
        if (part->list)
            i = part->list[i];
        else if (part->order.count)
            i = shuffle_place(&part->order, i);
    }
    return i;
}

const char *next_name(const char *key, size_t *length)
{
    while (*key == ' ' || *key == ',') key++;
    *length = strcspn(key, ", ");
    return *length ? key : NULL;
}

/* The part that a call begins with; what else it says must be `known`. */
static const Part *argument_part(Data *d, const dln_value *call, const char *const *known, const char *sample, Problem *p)
{
    if (!arguments_check(call, known, p)) return NULL;
    if (call->count && !call->items[0].key && call->items[0].kind == DLN_WORD)
        return data_part(d, call->items[0].text, p);
    problem_set(p, EXIT_INPUT, "data: %s needs a part of the data first: %s", call->text, sample);
    return NULL;
}

/* ---- split ---- */

enum { MOST_SHARES = 16, MOST_CLASSES = 10000 };

typedef struct Split {
    const dln_value *call;
    const Part *all;
    int shares;
    double end[MOST_SHARES]; /* of each share, as a part of 1; the last is 1 */
    uint64_t first[MOST_SHARES + 1];
    Shuffle order;       /* count 0: as they stand */
    const Column *class; /* every share gets its part of each of its values; NULL: no matter */
    uint64_t *list;      /* with a class: the rows of all shares, one after another */
} Split;

/* The shares of `split(all, 0.8, 0.1, seed = 42)`. */
static bool ends_read(Split *s, Problem *p)
{
    int count = 0;
    double sum = 0;
    for (int i = 1; i < s->call->count; i++) {
        const dln_value *v = &s->call->items[i];
        if (v->key) continue;
        if (v->kind != DLN_NUMBER || !(v->number > 0) || !((sum += v->number) < 1) || count == MOST_SHARES - 1)
            return problem_set(p, EXIT_INPUT,
                               "data: split(all, 0.8): shares are numbers above 0 whose sum is below 1");
        s->end[count++] = sum;
    }
    if (!count) return problem_set(p, EXIT_INPUT, "data: split needs a share: split(all, 0.8)");
    s->end[count] = 1;
    s->shares = count + 1;
    return true;
}

/* stratify = true: by the target; stratify = NAME: by that field. */
static bool class_choose(Split *s, const dln_value *v, Problem *p)
{
    const Table *t = s->all->table;
    if (!v || (v->kind == DLN_WORD && !strcmp(v->text, "false"))) return true;
    if (v->kind != DLN_WORD && v->kind != DLN_STRING)
        return problem_set(p, EXIT_INPUT, "data: split: stratify is true, or the name of a field");
    const bool target = v->kind == DLN_WORD && !strcmp(v->text, "true");
    int candidates = 0;
    for (int i = 0; i < t->columns; i++)
        if (target ? t->column[i].is_target : !strcmp(t->column[i].name, v->text)) {
            s->class = &t->column[i];
            candidates++;
        }
    const bool guess = target && !candidates; /* files without a word for it: what is one number */
    for (int i = 0; guess && i < t->columns; i++)
        if (t->column[i].elements == 1) {
            s->class = &t->column[i];
            candidates++;
        }
    if (candidates != 1) {
        problem_set(p, EXIT_INPUT, "data: split: stratify = %s %s; the fields:", target ? "true" : v->text,
                    candidates ? "could be several fields: give its name" : "finds no such field");
        for (int i = 0; i < t->columns; i++) problem_add(p, "%s %s", i ? "," : "", t->column[i].name);
        return false;
    }
    return s->class->elements == 1 ||
           problem_set(p, EXIT_INPUT, "data: split: stratify goes by one number of each sample, %s has %zu",
                       s->class->name, s->class->elements);
}

static bool options_read_split(Split *s, Problem *p)
{
    const Table *t = s->all->table;
    int64_t seed = 0;
    bool mixed = !t->ordered;
    if (!argument_integer(s->call, "seed", 0, 1e15, &seed, p) ||
        !argument_flag(s->call, "shuffle", &mixed, p) || !class_choose(s, argument(s->call, "stratify"), p))
        return false;
    if (t->ordered && (mixed || s->class))
        return problem_set(p, EXIT_INPUT,
                           "data: split: windows stay in order: mixed, those of one share would show the other's values");
    if (mixed && !t->slide) s->order = shuffle_new(s->all->rows, (uint64_t)seed, UINT64_C(0x73706c6974));
    return true;
}

static int value_compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct Classes {
    double *value; /* sorted: the different ones, or those of all rows */
    size_t count;
    uint64_t *total, *seen; /* rows of each; those that have been given a share */
} Classes;

static bool classes_find(const Split *s, Classes *c, Problem *p)
{
    const uint64_t rows = s->all->rows;
    *c = (Classes){ .value = memory_new((size_t)rows, sizeof *c->value, p) };
    if (!c->value) return false;
    for (uint64_t i = 0; i < rows; i++) c->value[i] = column_value(s->class, (size_t)part_row(s->all, i));
    qsort(c->value, (size_t)rows, sizeof *c->value, value_compare);
    c->total = memory_new(MOST_CLASSES, sizeof *c->total, p);
    c->seen = memory_new(MOST_CLASSES, sizeof *c->seen, p);
    if (!c->total || !c->seen) return false;
    for (uint64_t i = 0; i < rows; i++) {
        const double value = c->value[i];
        if (!i || value_compare(&value, &c->value[c->count - 1])) {
            if (c->count == MOST_CLASSES)
                return problem_set(p, EXIT_INPUT, "data: split: stratify = %s: more than %d different values",
                                   s->class->name, MOST_CLASSES);
            c->value[c->count++] = value;
        }
        c->total[c->count - 1]++;
    }
    return true;
}

static int share_of_next(const Split *s, const Classes *c, size_t class)
{
    int share = 0;
    while (share < s->shares - 1 &&
           c->seen[class] >= (uint64_t)((double)c->total[class] * s->end[share] + 0.5))
        share++;
    return share;
}

/* Fills list and first: row after row, in the mixed order, goes to the share that its class is due for. */
static bool list_make(Split *s, Problem *p)
{
    const uint64_t rows = s->all->rows;
    Classes c;
    uint64_t at[MOST_SHARES] = { 0 };
    bool good = classes_find(s, &c, p) && (s->list = memory_new((size_t)rows, sizeof *s->list, p));
    for (int pass = 0; good && pass < 2; pass++) { /* count, then place */
        memset(c.seen, 0, MOST_CLASSES * sizeof *c.seen);
        for (uint64_t i = 0; i < rows; i++) {
            const uint64_t place = s->order.count ? shuffle_place(&s->order, i) : i;
            const double value = column_value(s->class, (size_t)part_row(s->all, place));
            const double *found = bsearch(&value, c.value, c.count, sizeof value, value_compare);
            const size_t class = (size_t)(found - c.value);
            const int share = share_of_next(s, &c, class);
            c.seen[class]++;
            if (pass)
                s->list[at[share]++] = place;
            else
                s->first[share + 1]++;
        }
        for (int i = 0; !pass && i < s->shares; i++) at[i] = s->first[i], s->first[i + 1] += s->first[i];
    }
    free(c.value);
    free(c.total);
    free(c.seen);
    return good;
}

static void shares_cut(Split *s)
{
    const uint64_t rows = s->all->rows;
    for (int i = 0; i < s->shares; i++)
        s->first[i + 1] = s->end[i] >= 1 ? rows : (uint64_t)((double)rows * s->end[i]);
}

static bool share_make(Data *d, Split *s, int share, const char *name, size_t length, Problem *p)
{
    const Table *all = s->all->table;
    Table *table = NULL;
    Part *part = all->slide ? part_of_table(d, name, length, &table, p) : part_new(d, name, length, p);
    if (!part) return false;
    if (table) { /* text stays in order, or samples of both parts would overlap */
        if (!chars_split(all, share ? s->end[share - 1] : 0, s->end[share], table, p)) {
            part_drop_last(d);
            return false;
        }
        part->rows = table->rows;
        return true;
    }
    part->table = all;
    part->of = s->all;
    part->order = s->order;
    part->list = s->list;
    if (!share) part->list_owned = s->list;
    part->first = s->first[share];
    uint64_t stop = s->first[share + 1];
    if (share < s->shares - 1) stop = stop > all->overlap ? stop - all->overlap : 0;
    part->rows = stop > part->first ? stop - part->first : 0;
    return part->rows || problem_set(p, EXIT_INPUT, "data: %s = split(..): no sample is left for %s of %llu",
                                     s->call->key, part->name, (unsigned long long)s->all->rows);
}

bool split_define(Data *d, const dln_value *call, const char *wanted, Problem *p)
{
    static const char *const known[] = { "seed", "shuffle", "stratify", NULL };
    Split s = { .call = call };
    size_t length;
    int names = 0;
    (void)wanted;
    if (!(s.all = argument_part(d, call, known, "split(all, 0.8)", p)) || !ends_read(&s, p) || !options_read_split(&s, p))
        return false;
    for (const char *name = call->key; (name = next_name(name, &length)); name += length) names++;
    if (names != s.shares)
        return problem_set(p, EXIT_INPUT, "data: %s = split(..) has %d shares; it needs one name for each", call->key,
                           s.shares);
    if (s.class && !s.all->table->slide) {
        if (!list_make(&s, p)) {
            free(s.list);
            return false;
        }
    } else
        shares_cut(&s);
    const char *name = call->key;
    for (int i = 0; i < s.shares; i++, name += length) {
        name = next_name(name, &length);
        if (share_make(d, &s, i, name, length, p)) continue;
        if (!i && (!d->parts || d->part[d->parts - 1]->list_owned != s.list)) free(s.list);
        return false;
    }
    return true;
}

/* ---- window ---- */

typedef struct Window {
    const Part *of;
    size_t begin; /* the first row, in the table */
    int64_t length, horizon, stride;
    bool past; /* the target's past values are features, too */
    uint64_t rows;
} Window;

static bool part_in_order(const Part *part)
{
    for (; part->of; part = part->of)
        if (part->list || part->order.count) return false;
    return true;
}

/* A column of the table as windows of `length` rows, the first `ahead` rows after the window's own. */
static bool window_column(const Window *w, const Column *from, const char *name, int64_t ahead, int64_t length, Table *t,
                          Problem *p)
{
    Column *c = table_add(t, name, from->file, p);
    if (!c) return false;
    if (from->rank == DLN_MAX_RANK || length * (int64_t)from->elements > INT_MAX)
        return problem_set(p, EXIT_INPUT, "data: window: %s would be too large", name);
    c->type = from->type;
    c->classes = from->classes;
    if (length > 1 || !ahead) c->extent[c->rank++] = (int)length;
    for (int i = 0; i < from->rank; i++) c->extent[c->rank++] = from->extent[i];
    c->elements = (size_t)length * from->elements;
    c->step = (size_t)w->stride * from->elements;
    c->cells = (const char *)from->cells + (w->begin + (size_t)ahead) * from->elements * cell_bytes(from->type);
    return true;
}

/* `features` with the target behind them, row by row; `both` is filled in. */
static bool past_join(const Window *w, const Column *features, const Column *target, Column *both, Problem *p)
{
    const size_t rows = w->begin + (size_t)w->of->rows, width = features ? features->elements : 0;
    const size_t bytes = cell_bytes(target->type);
    size_t count;
    if (target->elements != 1 || target->classes || (features && (features->rank != 1 || features->type != target->type)))
        return problem_set(p, EXIT_INPUT, "data: window: past = true is for a target that is one number");
    *both = *target;
    both->rank = 1;
    both->extent[0] = (int)width + 1;
    both->elements = width + 1;
    if (!size_product(rows, width + 1, &count)) count = SIZE_MAX;
    char *cells = memory_new(count, bytes, p);
    if (!cells) return false;
    both->cells = both->owned = cells;
    for (size_t i = 0; i < rows; i++) {
        char *row = cells + i * (width + 1) * bytes;
        if (width) memcpy(row, (const char *)features->cells + i * width * bytes, width * bytes);
        memcpy(row + width * bytes, (const char *)target->cells + i * bytes, bytes);
    }
    return true;
}

static const Column *target_of(const Table *t)
{
    const Column *target = NULL;
    for (int i = 0; i < t->columns; i++)
        if (t->column[i].is_target) target = &t->column[i];
    return target;
}

/* What a model takes of the windows. */
static bool window_inputs(const Window *w, Table *t, Problem *p)
{
    const Table *all = w->of->table;
    const Column *target = target_of(all), *features = table_find(all, "features");
    for (int i = 0; i < all->columns; i++) {
        const Column *c = &all->column[i];
        if (c == target || (w->past && c == features)) continue;
        if (!window_column(w, c, c->name, 0, w->length, t, p)) return false;
    }
    if (!w->past) return true;
    Column both;
    if (!target) return problem_set(p, EXIT_INPUT, "data: window: past = true, but the table has no target");
    if (!past_join(w, features, target, &both, p)) return false;
    const bool good = window_column(w, &both, "features", 0, w->length, t, p);
    if (good)
        t->column[t->columns - 1].owned = both.owned;
    else
        free(both.owned);
    return good;
}

static bool window_columns(const Window *w, Table *t, Problem *p)
{
    const Table *all = w->of->table;
    const Column *target = target_of(all), *features = table_find(all, "features");
    if (!window_inputs(w, t, p)) return false;
    if (!target && !w->horizon) return true;
    if (!target && !(target = features))
        return problem_set(p, EXIT_INPUT, "data: window: the table has neither a target nor features");
    if (!window_column(w, target, target == features ? "next" : target->name,
                       w->horizon ? w->length : w->length - 1, w->horizon ? w->horizon : 1, t, p))
        return false;
    t->column[t->columns - 1].is_target = true;
    return true;
}

/* What the call says of windows, whatever they are of. */
static bool window_settings(Window *w, const dln_value *call, Problem *p)
{
    if (!argument_integer(call, "length", 1, 1 << 24, &w->length, p) ||
        !argument_integer(call, "horizon", 0, 1 << 24, &w->horizon, p) ||
        !argument_integer(call, "stride", 1, 1 << 24, &w->stride, p) || !argument_flag(call, "past", &w->past, p))
        return false;
    if (call->count > 1 && !call->items[1].key)
        return problem_set(p, EXIT_INPUT, "data: window takes one part; the rest has names: length = 30, horizon = 1");
    if (!w->length)
        return problem_set(p, EXIT_INPUT, "data: window needs the number of rows: window(series, length = 30)");
    return !w->past || w->horizon ||
           problem_set(p, EXIT_INPUT, "data: window: with past = true and horizon = 0 a sample would hold its target");
}

/* How many windows there are, with `ahead` rows after each. */
static bool window_count(Window *w, int64_t ahead, Problem *p)
{
    const uint64_t needed = (uint64_t)(w->length + ahead);
    if (w->of->rows < needed)
        return problem_set(p, EXIT_INPUT, "data: window: %s has %llu rows, a sample takes %llu", w->of->name,
                           (unsigned long long)w->of->rows, (unsigned long long)needed);
    w->rows = (w->of->rows - needed) / (uint64_t)w->stride + 1;
    w->begin = (size_t)part_row(w->of, 0);
    return true;
}

static bool window_read(Data *d, Window *w, const dln_value *call, Problem *p)
{
    static const char *const known[] = { "length", "horizon", "stride", "past", NULL };
    if (!(w->of = argument_part(d, call, known, "window(series, length = 30)", p)) || !window_settings(w, call, p))
        return false;
    if (w->of->table->ordered || w->of->table->slide || !part_in_order(w->of))
        return problem_set(p, EXIT_INPUT, "data: window needs rows in order; %s is %s", w->of->name,
                           part_in_order(w->of) ? "no table" : "mixed: split(.., shuffle = false) keeps them");
    return window_count(w, w->horizon, p);
}

/* Inputs alone: the last window ends with the last row, and what comes after it is what the model is asked for. */
bool window_input(const dln_value *call, const Part *rows, Table *t, Problem *p)
{
    Window w = { .of = rows, .horizon = 1, .stride = 1 };
    if (!window_settings(&w, call, p) || !window_count(&w, 0, p) || !window_inputs(&w, t, p)) return false;
    t->rows = w.rows;
    return true;
}

bool window_define(Data *d, const dln_value *call, const char *name, Problem *p)
{
    Window w = { .horizon = 1, .stride = 1 };
    Table *t = NULL;
    if (!window_read(d, &w, call, p)) return false;
    Part *part = part_of_table(d, name, strlen(name), &t, p);
    if (!part) return false;
    if (!window_columns(&w, t, p)) {
        part_drop_last(d);
        return false;
    }
    part->rows = t->rows = w.rows;
    t->ordered = true;
    t->overlap = w.horizon > 1 ? (uint64_t)((w.horizon - 1) / w.stride) : 0;
    return true;
}
