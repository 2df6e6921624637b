/* csv.c: tables as text, read in one pass: numbers and categories into `features`, numbered texts into fields of their
 * own, and, if asked for, a target. A target whose first cell is no number names classes. Every complaint gives the line
 * and the column; columns count from 0. Where the cells begin and end is csv_cells.c's business.
 * SPDX-License-Identifier: 0BSD */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "csv.h"

typedef enum { ROLE_NUMBER, ROLE_CATEGORY, ROLE_NUMBERED, ROLE_TARGET, ROLE_DROPPED } Role;

typedef struct Kind { /* of a column */
    Role role;
    Names *names;     /* CATEGORY, NUMBERED: the texts */
    bool closed;      /* no other text may come: the names are those of the training data */
    int32_t *cells;   /* NUMBERED */
    size_t room;
} Kind;

typedef struct Reader {
    Cursor c;
    const CsvSpec *spec;
    Problem *p;
    int columns, features, target; /* target -1: none; a category counts as one feature until table_fill */
    char **title;                  /* of the columns; NULL: no header */
    Kind *kind;
    bool wide, target_named; /* wide: double; named: the target's cells are names */
    bool skipped;            /* this row, for a missing value */
    Names *classes;
    void *feature_cells, *target_cells;
    size_t feature_room, target_room, rows, rows_skipped;
} Reader;

/* "column 3 (price)" */
static const char *column_words(const Reader *r, int column, char *words, size_t room)
{
    if (r->title)
        snprintf(words, room, "column %d (%.60s)", column, r->title[column]);
    else
        snprintf(words, room, "column %d", column);
    return words;
}

/* Counts the cells of the first row and, in header mode -1, tells a header from data: some cell is no number where the
 * next row has one. Sets columns; the cursor stays. */
static bool rows_look(Reader *r, bool *header)
{
    bool good = false, *text = NULL;
    size_t room = 0;
    Cursor c = r->c;
    *header = r->spec->header == 1;
    if (!row_begin(&c)) {
        problem_set(r->p, EXIT_INPUT, "%s: holds no rows", c.file);
        goto out;
    }
    for (Cell cell = { 0 }; !cell.last; r->columns++) {
        if (r->columns == INT_MAX / 2) {
            problem_set(r->p, EXIT_INPUT, "%s: too many columns", c.file);
            goto out;
        }
        if (!cell_next(&c, &cell, r->p) || !memory_grow((void **)&text, &room, (size_t)r->columns + 1, 1, r->p))
            goto out;
        text[r->columns] = !cell_is_number(&cell) && !cell_is_missing(&cell);
    }
    good = true;
    if (r->spec->header == -1 && row_begin(&c)) {
        Problem later; /* the second row's faults are found when it is read */
        Cell cell = { 0 };
        for (int i = 0; i < r->columns && !cell.last && cell_next(&c, &cell, &later); i++)
            if (text[i] && cell_is_number(&cell)) *header = true;
    }
out:
    free(text);
    cursor_end(&c);
    return good;
}

static bool titles_read(Reader *r, bool header)
{
    const CsvSpec *spec = r->spec;
    if (!header && !spec->names) return true;
    if (spec->names && spec->names != r->columns)
        return problem_set(r->p, EXIT_INPUT, "%s: %d columns, but names = [..] lists %d", r->c.file, r->columns,
                           spec->names);
    if (!(r->title = memory_new((size_t)r->columns, sizeof *r->title, r->p))) return false;
    Cell cell = { 0 };
    if (header) row_begin(&r->c);
    for (int i = 0; i < r->columns; i++) {
        if (header && !cell_next(&r->c, &cell, r->p)) return false;
        r->title[i] = spec->names ? text_join(r->p, "%s", spec->name[i])
                                  : text_join(r->p, "%.*s", cell.length > 200 ? 200 : (int)cell.length, cell.at);
        if (!r->title[i]) return false;
    }
    return true;
}

/* A column by its title, or by its number if `text` is one; -1: problem set. */
static int column_find(Reader *r, const char *text, const char *what)
{
    int64_t number;
    NumberResult is = integer_parse(text, strlen(text), -r->columns, r->columns - 1, &number);
    for (int i = 0; r->title && i < r->columns; i++)
        if (!strcmp(r->title[i], text)) return i;
    if (is == NUMBER_GOOD) return (int)(number < 0 ? number + r->columns : number);
    if (!strcmp(text, "last")) return r->columns - 1;
    if (is == NUMBER_RANGE) {
        problem_set(r->p, EXIT_INPUT, "%s: %s = %s, but it has %d columns (0 .. %d; -1 is the last)", r->c.file, what,
                    text, r->columns, r->columns - 1);
        return -1;
    }
    problem_set(r->p, EXIT_INPUT, "%s: no column '%s' for %s", r->c.file, text, what);
    const char *near = r->title ? name_nearest(text, (const char *const *)r->title, r->columns) : NULL;
    if (near)
        problem_add(r->p, "; did you mean '%s'?", near);
    else if (!r->title)
        problem_add(r->p,
                    ": it has no header row. Write %s = NUMBER (0 .. %d; -1 is the last), or give all "
                    "names = [..]",
                    what, r->columns - 1);
    return -1;
}

/* The kind of each column of a list becomes `role`; where something else has been said already, a complaint. */
static bool role_set(Reader *r, ColumnList list, const char *what, Role role)
{
    for (int i = 0; i < list.count; i++) {
        int column = column_find(r, list.at[i], what);
        if (column < 0) return false;
        Kind *k = &r->kind[column];
        if (role == ROLE_NUMBERED && k->role == ROLE_TARGET) {
            r->target_named = true;
            continue;
        }
        if (k->role == ROLE_TARGET)
            return problem_set(r->p, EXIT_INPUT, "%s: column %d is both target and %s", r->c.file, column,
                               role == ROLE_DROPPED ? "dropped" : "one of the features");
        k->role = role;
    }
    return true;
}

static bool names_choose(Reader *r, int column)
{
    char number[32];
    Kind *k = &r->kind[column];
    snprintf(number, sizeof number, "column %d", column);
    k->names = r->spec->names_of(r->spec->context, r->title ? r->title[column] : number, r->p);
    k->closed = k->names && k->names->count;
    return k->names != NULL;
}

static bool columns_choose(Reader *r)
{
    const CsvSpec *spec = r->spec;
    if (!(r->kind = memory_new((size_t)r->columns, sizeof *r->kind, r->p))) return false;
    for (int i = 0; spec->keep.count && i < r->columns; i++) r->kind[i].role = ROLE_DROPPED;
    if (spec->target && (r->target = column_find(r, spec->target, "target")) < 0) return false;
    if (r->target >= 0) r->kind[r->target].role = ROLE_TARGET;
    if (!role_set(r, spec->keep, "columns", ROLE_NUMBER) || !role_set(r, spec->category, "categories", ROLE_CATEGORY) ||
        !role_set(r, spec->numbered, "numbered", ROLE_NUMBERED) ||
        !role_set(r, (ColumnList){ spec->drops, spec->drop }, "drop", ROLE_DROPPED))
        return false;
    for (int i = 0; i < r->columns; i++) {
        const Role role = r->kind[i].role;
        r->features += role == ROLE_NUMBER || role == ROLE_CATEGORY;
        if ((role == ROLE_CATEGORY || role == ROLE_NUMBERED) && !names_choose(r, i)) return false;
    }
    return r->features || spec->numbered.count ||
           problem_set(r->p, EXIT_INPUT, "%s: no column is left for the features", r->c.file);
}

static bool missing_refuse(Reader *r, int column, size_t line)
{
    char words[100];
    column_words(r, column, words, sizeof words);
    problem_set(r->p, EXIT_INPUT, "%s:%zu: %s: the value is missing", r->c.file, line, words);
    if (r->spec->missing == MISSING_REFUSED)
        problem_add(r->p, "; missing = drop leaves such rows out, zero puts 0 there, nan is for the layer impute");
    return false;
}

/* Missing, for what asks: also what other programs write for it. */
static bool cell_is_absent(const Reader *r, const Cell *cell)
{
    if (cell_is_missing(cell)) return true;
    return r->spec->missing != MISSING_REFUSED && !cell->quoted && cell->length == 3 &&
           (!memcmp(cell->at, "nan", 3) || !memcmp(cell->at, "NaN", 3));
}

static bool cell_number(const Reader *r, const Cell *cell, int column, size_t line, double *value)
{
    char words[100];
    NumberResult result = number_parse(cell->at, cell->length, value);
    if (result == NUMBER_GOOD && (r->wide || fabs(*value) <= (double)FLT_MAX)) return true;
    column_words(r, column, words, sizeof words);
    int shown = cell->length > 40 ? 40 : (int)cell->length;
    problem_set(r->p, EXIT_INPUT, "%s:%zu: %s: '%.*s' is %s", r->c.file, line, words, shown, cell->at,
                result == NUMBER_NONE ? "no number" : "out of range");
    if (result == NUMBER_NONE && !r->rows)
        problem_add(r->p, "; drop = [%d] leaves the column out, categories = [%d] makes a feature of each text", column,
                    column);
    return false;
}

static void number_store(const Reader *r, void *cells, size_t at, double value)
{
    if (r->wide)
        ((double *)cells)[at] = value;
    else
        ((float *)cells)[at] = (float)value;
}

/* The number of a text of a column; -1: problem. */
static int text_number(Reader *r, const Cell *cell, int column, size_t line)
{
    const Kind *k = &r->kind[column];
    char words[100];
    if (!k->closed) return names_add(k->names, cell->at, cell->length, r->p);
    int id = names_find(k->names, cell->at, cell->length);
    if (id >= 0) return id;
    int shown = cell->length > 40 ? 40 : (int)cell->length;
    problem_set(r->p, EXIT_INPUT, "%s:%zu: %s: '%.*s' is none of its texts in the training data:", r->c.file, line,
                column_words(r, column, words, sizeof words), shown, cell->at);
    for (int i = 0; i < k->names->count && i < 10; i++) problem_add(r->p, "%s %.40s", i ? "," : "", k->names->name[i]);
    if (k->names->count > 10) problem_add(r->p, ", ..");
    return -1;
}

static bool target_store(Reader *r, const Cell *cell, size_t line)
{
    double value;
    const bool absent = cell_is_absent(r, cell);
    if (absent && r->spec->missing == MISSING_DROPS) return r->skipped = true;
    if (absent) return missing_refuse(r, r->target, line);
    if (!r->rows && !r->target_named) r->target_named = !cell_is_number(cell);
    if (r->target_named) {
        int id = names_add(r->classes, cell->at, cell->length, r->p);
        if (id < 0) return false;
        ((int32_t *)r->target_cells)[r->rows] = id;
        return true;
    }
    if (!cell_number(r, cell, r->target, line, &value)) return false;
    number_store(r, r->target_cells, r->rows, value);
    return true;
}

/* A feature or a field of its own. */
static bool value_store(Reader *r, const Cell *cell, int column, size_t line, size_t at)
{
    const CsvMissing missing = r->spec->missing;
    Kind *k = &r->kind[column];
    double value = missing == MISSING_NAN ? (double)NAN : 0;
    if (cell_is_absent(r, cell)) {
        if (missing == MISSING_DROPS) return r->skipped = true;
        if (missing == MISSING_REFUSED || k->role == ROLE_NUMBERED) return missing_refuse(r, column, line);
        number_store(r, r->feature_cells, at, k->role == ROLE_CATEGORY ? -1 : value);
        return true;
    }
    if (k->role == ROLE_NUMBER) {
        if (!cell_number(r, cell, column, line, &value)) return false;
    } else {
        const int id = text_number(r, cell, column, line);
        if (id < 0) return false;
        if (k->role == ROLE_NUMBERED) {
            if (!cells_grow((void **)&k->cells, &k->room, r->rows + 1, sizeof *k->cells, r->p)) return false;
            k->cells[r->rows] = id;
            return true;
        }
        value = id;
    }
    number_store(r, r->feature_cells, at, value);
    return true;
}

static bool cells_few(Reader *r, size_t line, int cells)
{
    return problem_set(r->p, EXIT_INPUT, "%s:%zu: %d cells, expected %d as in the first row", r->c.file, line, cells,
                       r->columns);
}

static bool row_read(Reader *r)
{
    Cell cell = { 0 };
    double value;
    const size_t line = r->c.line, number = r->wide ? 8 : 4;
    size_t at = r->rows * (size_t)r->features;
    const double most = r->wide ? DBL_MAX : (double)FLT_MAX;
    r->skipped = false;
    if (!cells_grow(&r->feature_cells, &r->feature_room, at + (size_t)r->features, number, r->p)) return false;
    if (r->target >= 0 && !cells_grow(&r->target_cells, &r->target_room, r->rows + 1, number, r->p)) return false;
    for (int i = 0; i < r->columns; i++) {
        const Role role = r->kind[i].role;
        if (cell.last) return cells_few(r, line, i);
        const char *const begin = r->c.at;
        const size_t begin_line = r->c.line;
        if (role == ROLE_NUMBER && cell_quick(&r->c, &value, &cell.last)) {
            if (fabs(value) <= most) {
                number_store(r, r->feature_cells, at++, value);
                continue;
            }
            r->c.at = begin; /* for the complaint */
            r->c.line = begin_line;
        }
        if (!cell_next(&r->c, &cell, r->p)) return false;
        if (role == ROLE_DROPPED) continue;
        if (role == ROLE_TARGET ? !target_store(r, &cell, line) : !value_store(r, &cell, i, line, at)) return false;
        at += role == ROLE_NUMBER || role == ROLE_CATEGORY;
    }
    if (!cell.last)
        return problem_set(r->p, EXIT_INPUT, "%s:%zu: more than the %d cells of the first row", r->c.file, line,
                           r->columns);
    *(r->skipped ? &r->rows_skipped : &r->rows) += 1;
    return true;
}

/* The number of a category becomes a 1 among as many features as it has texts. */
static bool categories_spread(Reader *r)
{
    size_t width = 0, from = 0, to = 0, count;
    for (int i = 0; i < r->columns; i++)
        width += r->kind[i].role == ROLE_NUMBER     ? 1
                 : r->kind[i].role == ROLE_CATEGORY ? (size_t)r->kind[i].names->count
                                                    : 0;
    if (width > INT_MAX / 2) return problem_set(r->p, EXIT_INPUT, "%s: too many features", r->c.file);
    if (!size_product(r->rows, width, &count)) count = SIZE_MAX;
    void *cells = cells_new(count, r->wide ? 8 : 4, r->p);
    if (!cells) return false;
    for (size_t row = 0; row < r->rows; row++)
        for (int i = 0; i < r->columns; i++) {
            const Role role = r->kind[i].role;
            if (role != ROLE_NUMBER && role != ROLE_CATEGORY) continue;
            const double value =
                r->wide ? ((double *)r->feature_cells)[from] : (double)((float *)r->feature_cells)[from];
            from++;
            if (role == ROLE_NUMBER)
                number_store(r, cells, to++, value);
            else {
                if (value >= 0) number_store(r, cells, to + (size_t)value, 1);
                to += (size_t)r->kind[i].names->count;
            }
        }
    cells_free(r->feature_cells);
    r->feature_cells = cells;
    r->features = (int)width;
    return true;
}

static bool numbered_fill(Reader *r, Table *t)
{
    char number[32];
    for (int i = 0; i < r->columns; i++) {
        Kind *k = &r->kind[i];
        if (k->role != ROLE_NUMBERED) continue;
        snprintf(number, sizeof number, "column_%d", i);
        Column *c = table_add(t, r->title ? r->title[i] : number, r->c.file, r->p);
        if (!c) return false;
        c->type = CELL_I32;
        c->classes = k->names;
        c->cells = c->owned = k->cells;
        k->cells = NULL;
    }
    return true;
}

/* Hands the cells to the table. */
static bool table_fill(Reader *r, Table *t)
{
    const CellType number = r->wide ? CELL_F64 : CELL_F32;
    Column *c;
    t->rows = r->rows;
    if (r->features) {
        if (r->spec->category.count && !categories_spread(r)) return false;
        if (!(c = table_add(t, "features", r->c.file, r->p))) return false;
        c->type = number;
        c->rank = 1;
        c->extent[0] = r->features;
        c->elements = (size_t)r->features;
        c->cells = c->owned = r->feature_cells;
        r->feature_cells = NULL;
    }
    if (!numbered_fill(r, t)) return false;
    if (r->target < 0) return true;
    const char *field = r->spec->target_field ? r->spec->target_field : r->title ? r->title[r->target] : "target";
    if (!(c = table_add(t, field, r->c.file, r->p))) return false;
    c->type = r->target_named ? CELL_I32 : number;
    c->classes = r->target_named ? r->classes : NULL;
    c->is_target = true;
    c->cells = c->owned = r->target_cells;
    r->target_cells = NULL;
    return true;
}

static bool rows_any(Reader *r)
{
    if (r->rows) return true;
    return r->rows_skipped ? problem_set(r->p, EXIT_INPUT, "%s: every row has a missing value", r->c.file)
                           : problem_set(r->p, EXIT_INPUT, "%s: has a header, but no rows", r->c.file);
}

bool csv_read(const Bytes *text, const char *file, const CsvSpec *spec, bool wide, Names *classes, Table *t, Problem *p)
{
    bool header = false;
    Reader r = { .spec = spec, .p = p, .wide = wide, .classes = classes, .target = -1 };
    bool good = cursor_begin(&r.c, text, file, spec->separator, p) && rows_look(&r, &header) &&
                titles_read(&r, header) && columns_choose(&r);
    while (good && row_begin(&r.c)) good = row_read(&r);
    good = good && rows_any(&r) && table_fill(&r, t);
    for (int i = 0; r.title && i < r.columns; i++) free(r.title[i]);
    for (int i = 0; r.kind && i < r.columns; i++) cells_free(r.kind[i].cells);
    free(r.title);
    free(r.kind);
    cells_free(r.feature_cells);
    cells_free(r.target_cells);
    cursor_end(&r.c);
    return good;
}
