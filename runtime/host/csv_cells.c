/* csv_cells.c: text into cells: RFC 4180 quoting; comma, semicolon, tab, bar or blanks between them; line ends of every
 * kind. Cells are pieces of the text itself; only a quoted one with "" in it is copied.
 * SPDX-License-Identifier: 0BSD */
#include <stdlib.h>
#include <string.h>
#include "csv.h"

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

bool row_begin(Cursor *c)
{
    for (;;) {
        const char *look = c->at;
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

/* Copies the cell's text with each "" made ". */
static bool quotes_halve(Cursor *c, Cell *cell, Problem *p)
{
    if (!memory_grow((void **)&c->plain, &c->room, cell->length, 1, p)) return false;
    char *to = c->plain;
    for (size_t i = 0; i < cell->length; i++) {
        *to++ = cell->at[i];
        i += cell->at[i] == '"';
    }
    cell->at = c->plain;
    cell->length = (size_t)(to - c->plain);
    return true;
}

/* The text between quotes. */
static bool quoted_cell(Cursor *c, Cell *cell, Problem *p)
{
    const size_t begun = c->line;
    bool twice = false;
    cell->at = ++c->at;
    for (;; c->at++) {
        if (c->at == c->end)
            return problem_set(p, EXIT_INPUT, "%s:%zu: the quote that opens here is never closed", c->file, begun);
        if (*c->at == '"') {
            if (c->at + 1 == c->end || c->at[1] != '"') break;
            c->at++;
            twice = true;
        } else if (*c->at == '\n')
            c->line++;
    }
    cell->length = (size_t)(c->at++ - cell->at);
    cell->quoted = true;
    return !twice || quotes_halve(c, cell, p);
}

bool cell_next(Cursor *c, Cell *cell, Problem *p)
{
    const bool blanks = c->separator == ' ';
    *cell = (Cell){ .at = c->at };
    while (c->at < c->end && is_blank(*c->at) && (blanks || *c->at != c->separator)) c->at++;
    if (c->at < c->end && *c->at == '"') {
        if (!quoted_cell(c, cell, p)) return false;
    } else {
        cell->at = c->at;
        const char *at = c->at, *const end = c->end, *stop;
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

bool cell_quick(Cursor *c, double *value, bool *last)
{
    const char *const end = c->end, *at = c->at;
    if (c->separator == ' ') return false;
    while (at < end && *at == ' ') at++;
    if (!(at = number_scan(at, end, value)) || at == end) return false;
    if (*at == c->separator) {
        c->at += at + 1 - c->at;
        *last = false;
        return true;
    }
    if (!is_line_end(*at)) return false;
    c->at += at - c->at;
    line_end_skip(c);
    return *last = true;
}

bool cell_is_number(const Cell *cell)
{
    double value;
    return number_parse(cell->at, cell->length, &value) != NUMBER_NONE;
}

bool cell_is_missing(const Cell *cell)
{
    static const char *const word[] = { "", "NA", "N/A", "?", "NULL", "null", "None" };
    if (cell->quoted) return false;
    for (size_t i = 0; i < sizeof word / sizeof *word; i++)
        if (strlen(word[i]) == cell->length && !memcmp(word[i], cell->at, cell->length)) return true;
    return false;
}

static bool text_check(const Bytes *text, const char *file, size_t *skip, Problem *p)
{
    const unsigned char *b = text->at;
    *skip = text->count >= 3 && b[0] == 0xEF && b[1] == 0xBB && b[2] == 0xBF ? 3 : 0;
    if (text->count >= 2 && ((b[0] == 0xFF && b[1] == 0xFE) || (b[0] == 0xFE && b[1] == 0xFF)))
        return problem_set(p, EXIT_INPUT, "%s: is UTF-16; save it as UTF-8", file);
    return true;
}

bool cursor_begin(Cursor *c, const Bytes *text, const char *file, char separator, Problem *p)
{
    size_t skip;
    if (!text_check(text, file, &skip, p)) return false;
    *c = (Cursor){ .at = (const char *)text->at + skip, .line = 1, .file = file };
    c->end = (const char *)text->at + text->count;
    separator_set(c, separator ? separator : separator_guess(c));
    return true;
}

void cursor_end(Cursor *c)
{
    free(c->plain);
    c->plain = NULL;
    c->room = 0;
}
