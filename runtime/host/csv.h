/* csv.h: the cells of a CSV text, one after another; csv_cells.c. SPDX-License-Identifier: 0BSD */
#ifndef HOST_CSV_H
#define HOST_CSV_H
#include "data.h"

typedef struct Cell {
    const char *at;                              /* until the next cell is read */
    size_t length;
    bool quoted, last; /* last of its row */
} Cell;

typedef struct Cursor {
    const char *at, *end;
    char *plain;                                 /* the text of a quoted cell with "" in it */
    size_t room;
    char separator;
    size_t line; /* of at, from 1 */
    const char *file;
    bool stop[256]; /* bytes that end a cell without quotes */
} Cursor;

/* At the begin of the text; separator 0: what divides its first line. */
bool cursor_begin(Cursor *c, const Bytes *text, const char *file, char separator, Problem *p);
void cursor_end(Cursor *c);
bool row_begin(Cursor *c);                               /* skips empty lines; false at the end of the text */
bool cell_next(Cursor *c, Cell *cell, Problem *p);       /* without quotes, and without the blanks round it */
/* The next cell, if it is a plain number that ends at the separator or the line's end; else nothing has moved. */
bool cell_quick(Cursor *c, double *value, bool *last);
bool cell_is_number(const Cell *cell);
bool cell_is_missing(const Cell *cell);                  /* empty, NA, ?, .. */
#endif
