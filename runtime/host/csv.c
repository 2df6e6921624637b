/* csv.c: tables of numbers as text (RFC 4180 quoting; comma, semicolon, tab, bar or blanks between the cells), read in
 * one pass into `features` and, if asked for, a target. A column of the target whose first cell is no number names
 * classes. Every complaint gives the line and the column; columns count from 0. SPDX-License-Identifier: 0BSD */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "data.h"

typedef struct Cell {
    char *at;
    size_t length;
    bool quoted, last;
} Cell; /* last of its row */

typedef struct Cursor {
    char *at, *end;
    char separator;
    size_t line; /* of at, from 1 */
    const char *file;
    bool stop[256]; /* bytes that end a cell without quotes */
} Cursor;

typedef struct Reader {
    Cursor c;
    const CsvSpec *spec;
    Problem *p;
    int columns, features, target; /* target -1: none */
    char **title;                  /* of the columns; NULL: no header */
    bool *dropped;
    bool wide, target_named; /* wide: double; named: the target's cells are names */
    Names *classes;
    void *feature_cells, *target_cells;
    size_t feature_room, target_room, rows;
} Reader;

static bool is_blank(char c) { return c == ' ' || c == '\t'; }
static bool is_line_end(char c) { return c == '\n' || c == '\r'; }

static void separator_set(Cursor *c, char separator)
{
    c->separator = separator;
    memset(c->stop, 0, sizeof c->stop);
    c->stop[0] = c->stop['\n'] = c->stop['\r'] = c->stop[(unsigned char)separator] = true;
    if (separator == ' ') c->stop['\t'] = true;
}

static void line_end_skip(Cursor *c)
{
    if (c->at < c->end && *c->at == '\r') c->at++;
    if (c->at < c->end && *c->at == '\n') c->at++;
    c->line++;
}

/* Skips empty lines; false at the end of the text. */
static bool row_begin(Cursor *c)
{
    for (;;) {
        char *look = c->at;
        while (look < c->end && is_blank(*look) && (c->separator == ' ' || *look != c->separator)) look++;
        if (look == c->end) return false;
        if (!is_line_end(*look)) {
            if (c->separator == ' ') c->at = look;
            return true;
        }
        c->at = look;
        line_end_skip(c);
    }
}

/* The text between quotes, "" made ", moved together in place. */
static bool quoted_cell(Cursor *c, Cell *cell, Problem *p)
{
    size_t begun = c->line;
    char *to = cell->at = ++c->at;
    for (;; c->at++) {
        if (c->at == c->end)
            return problem_set(p, EXIT_INPUT, "%s:%zu: the quote that opens here is never closed", c->file, begun);
        if (*c->at == '"') {
            if (c->at + 1 == c->end || c->at[1] != '"') break;
            c->at++;
        } else if (*c->at == '\n')
            c->line++;
        *to++ = *c->at;
    }
    c->at++;
    cell->length = (size_t)(to - cell->at);
    cell->quoted = true;
    return true;
}

/* The next cell of a row, without the blanks round it. */
static bool cell_next(Cursor *c, Cell *cell, Problem *p)
{
    const bool blanks = c->separator == ' ';
    *cell = (Cell){ .at = c->at };
    while (c->at < c->end && is_blank(*c->at) && (blanks || *c->at != c->separator)) c->at++;
    if (c->at < c->end && *c->at == '"') {
        if (!quoted_cell(c, cell, p)) return false;
    } else {
        cell->at = c->at;
        char *at = c->at, *const end = c->end, *stop;
        while (at < end && !c->stop[(unsigned char)*at]) at++;
        for (stop = c->at = at; stop > cell->at && is_blank(stop[-1]); stop--) {}
        cell->length = (size_t)(stop - cell->at);
    }
    while (c->at < c->end && is_blank(*c->at) && (blanks || *c->at != c->separator)) c->at++;
    if (c->at < c->end && *c->at == c->separator && !blanks)
        c->at++;
    else if (c->at == c->end)
        cell->last = true;
    else if (is_line_end(*c->at)) {
        cell->last = true;
        line_end_skip(c);
    } else if (!*c->at)
        return problem_set(p, EXIT_INPUT, "%s:%zu: a NUL byte; this is not a text file", c->file, c->line);
    else if (!blanks || cell->quoted)
        return blanks || problem_set(p, EXIT_INPUT, "%s:%zu: text after a closing quote", c->file, c->line);
    return true;
}

/* What the first line that is not empty is divided by. */
static char separator_guess(const Cursor *begin)
{
    static const char candidates[] = ",;\t|";
    int count[4] = { 0 }, best = 0;
    bool quoted = false;
    Cursor c = *begin;
    c.separator = ' ';
    if (!row_begin(&c)) return ',';
    for (; c.at < c.end && (quoted || !is_line_end(*c.at)); c.at++) {
        if (*c.at == '"') quoted = !quoted;
        const char *found = quoted || !*c.at ? NULL : strchr(candidates, *c.at);
        if (found) count[found - candidates]++;
    }
    for (int i = 1; i < 4; i++)
        if (count[i] > count[best]) best = i;
    return count[best] ? candidates[best] : ' ';
}

/* "column 3 (price)" */
static const char *column_words(const Reader *r, int column, char *words, size_t room)
{
    if (r->title)
        snprintf(words, room, "column %d (%.60s)", column, r->title[column]);
    else
        snprintf(words, room, "column %d", column);
    return words;
}

static bool cell_is_number(const Cell *cell)
{
    double value;
    return number_parse(cell->at, cell->length, &value) != NUMBER_NONE;
}

static bool cell_is_missing(const Cell *cell)
{
    static const char *const word[] = { "", "NA", "N/A", "?", "NULL", "null", "None" };
    if (cell->quoted) return false;
    for (size_t i = 0; i < sizeof word / sizeof *word; i++)
        if (strlen(word[i]) == cell->length && !memcmp(word[i], cell->at, cell->length)) return true;
    return false;
}

/* Counts the cells of the first row and, in header mode -1, tells a header from data: some cell is no number where the
 * next row has one. Works on copies, since unquoting moves bytes. Sets columns. */
static bool rows_look(Reader *r, bool *header)
{
    bool good = false, *text = NULL;
    size_t room = 0, length = (size_t)(r->c.end - r->c.at);
    Cursor c = r->c;
    char *copy = NULL;
    if (length > 1 << 20) { /* two rows are enough, if they fit */
        const char *stop = memchr(c.at, '\n', length);
        stop = stop && stop + 1 < c.end ? memchr(stop + 1, '\n', (size_t)(c.end - stop - 1)) : NULL;
        if (stop && (size_t)(stop - c.at) > 1 << 20)
            length = (size_t)(stop - c.at);
        else if (stop)
            length = 1 << 20;
    }
    if (!(copy = memory_new(length + 1, 1, r->p))) return false;
    memcpy(copy, c.at, length);
    c.at = copy;
    c.end = copy + length;
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
    free(copy);
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

static bool columns_choose(Reader *r)
{
    const CsvSpec *spec = r->spec;
    r->target = -1;
    if (spec->target && (r->target = column_find(r, spec->target, "target")) < 0) return false;
    if (!(r->dropped = memory_new((size_t)r->columns, 1, r->p))) return false;
    for (int i = 0; i < spec->drops; i++) {
        int column = column_find(r, spec->drop[i], "drop");
        if (column < 0) return false;
        if (column == r->target)
            return problem_set(r->p, EXIT_INPUT, "%s: column %d is both target and dropped", r->c.file, column);
        r->dropped[column] = true;
    }
    for (int i = 0; i < r->columns; i++) r->features += !r->dropped[i] && i != r->target;
    return r->features || problem_set(r->p, EXIT_INPUT, "%s: no column is left for the features", r->c.file);
}

static bool cell_number(const Reader *r, const Cell *cell, int column, size_t line, double *value)
{
    char words[100];
    NumberResult result = number_parse(cell->at, cell->length, value);
    if (result == NUMBER_GOOD && (r->wide || fabs(*value) <= (double)FLT_MAX)) return true;
    column_words(r, column, words, sizeof words);
    if (cell_is_missing(cell))
        return problem_set(r->p, EXIT_INPUT, "%s:%zu: %s: the value is missing", r->c.file, line, words);
    int shown = cell->length > 40 ? 40 : (int)cell->length;
    problem_set(r->p, EXIT_INPUT, "%s:%zu: %s: '%.*s' is %s", r->c.file, line, words, shown, cell->at,
                result == NUMBER_NONE ? "no number" : "out of range");
    if (result == NUMBER_NONE && !r->rows) problem_add(r->p, "; drop = [%d] leaves the column out", column);
    return false;
}

static void number_store(const Reader *r, void *cells, size_t at, double value)
{
    if (r->wide)
        ((double *)cells)[at] = value;
    else
        ((float *)cells)[at] = (float)value;
}

static bool target_store(Reader *r, const Cell *cell, size_t line)
{
    double value;
    if (!r->rows)
        r->target_named = cell->quoted ? !cell_is_number(cell) : !cell_is_number(cell) && !cell_is_missing(cell);
    if (r->target_named) {
        if (cell_is_missing(cell)) return cell_number(r, cell, r->target, line, &value);
        int id = names_add(r->classes, cell->at, cell->length, r->p);
        if (id < 0) return false;
        ((int32_t *)r->target_cells)[r->rows] = id;
        return true;
    }
    if (!cell_number(r, cell, r->target, line, &value)) return false;
    number_store(r, r->target_cells, r->rows, value);
    return true;
}

static bool row_read(Reader *r)
{
    Cell cell = { 0 };
    size_t line = r->c.line, number = r->wide ? 8 : 4, at = r->rows * (size_t)r->features;
    if (!memory_grow(&r->feature_cells, &r->feature_room, at + (size_t)r->features, number, r->p)) return false;
    if (r->target >= 0 && !memory_grow(&r->target_cells, &r->target_room, r->rows + 1, number, r->p)) return false;
    for (int i = 0; i < r->columns; i++) {
        double value;
        if (cell.last)
            return problem_set(r->p, EXIT_INPUT, "%s:%zu: %d cells, expected %d as in the first row", r->c.file, line,
                               i, r->columns);
        if (!cell_next(&r->c, &cell, r->p)) return false;
        if (r->dropped[i]) continue;
        if (i == r->target) {
            if (!target_store(r, &cell, line)) return false;
        } else if (!cell_number(r, &cell, i, line, &value))
            return false;
        else
            number_store(r, r->feature_cells, at++, value);
    }
    if (!cell.last)
        return problem_set(r->p, EXIT_INPUT, "%s:%zu: more than the %d cells of the first row", r->c.file, line,
                           r->columns);
    r->rows++;
    return true;
}

/* Hands the cells to the table. */
static bool table_fill(Reader *r, Table *t)
{
    const CellType number = r->wide ? CELL_F64 : CELL_F32;
    Column *c = table_add(t, "features", r->c.file, r->p);
    if (!c) return false;
    t->rows = r->rows;
    c->type = number;
    c->rank = 1;
    c->extent[0] = r->features;
    c->elements = (size_t)r->features;
    c->cells = c->owned = r->feature_cells;
    r->feature_cells = NULL;
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

static bool text_check(const Bytes *text, const char *file, size_t *skip, Problem *p)
{
    const unsigned char *b = text->at;
    *skip = text->count >= 3 && b[0] == 0xEF && b[1] == 0xBB && b[2] == 0xBF ? 3 : 0;
    if (text->count >= 2 && ((b[0] == 0xFF && b[1] == 0xFE) || (b[0] == 0xFE && b[1] == 0xFF)))
        return problem_set(p, EXIT_INPUT, "%s: is UTF-16; save it as UTF-8", file);
    return true;
}

bool csv_read(Bytes *text, const char *file, const CsvSpec *spec, bool wide, Names *classes, Table *t, Problem *p)
{
    size_t skip;
    bool header = false;
    Reader r = { .spec = spec, .p = p, .wide = wide, .classes = classes, .target = -1 };
    if (!text_check(text, file, &skip, p)) return false;
    r.c = (Cursor){ .at = (char *)text->at + skip, .end = (char *)text->at + text->count, .line = 1, .file = file };
    separator_set(&r.c, spec->separator ? spec->separator : separator_guess(&r.c));
    bool good = rows_look(&r, &header) && titles_read(&r, header) && columns_choose(&r);
    while (good && row_begin(&r.c)) good = row_read(&r);
    if (good && !r.rows) good = problem_set(p, EXIT_INPUT, "%s: has a header, but no rows", file);
    good = good && table_fill(&r, t);
    for (int i = 0; r.title && i < r.columns; i++) free(r.title[i]);
    free(r.title);
    free(r.dropped);
    free(r.feature_cells);
    free(r.target_cells);
    return good;
}
