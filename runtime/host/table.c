/* table.c: tables of samples as the readers make them. SPDX-License-Identifier: 0BSD */
#include <stdlib.h>
#include <string.h>
#include "data.h"

size_t cell_bytes(CellType type)
{
    static const size_t bytes[] = { [CELL_U8] = 1, [CELL_I32] = 4, [CELL_F32] = 4, [CELL_F64] = 8 };
    return bytes[type];
}

Column *table_add(Table *t, const char *name, const char *file, Problem *p)
{
    Column *columns = realloc(t->column, ((size_t)t->columns + 1) * sizeof *columns);
    if (!columns) {
        problem_set(p, EXIT_IO, "out of memory");
        return NULL;
    }
    t->column = columns;
    Column c = { .name = text_join(p, "%s", name), .file = text_join(p, "%s", file), .elements = 1 };
    if (!c.name || !c.file) {
        free(c.name);
        free(c.file);
        return NULL;
    }
    columns[t->columns] = c;
    return &columns[t->columns++];
}

const Column *table_find(const Table *t, const char *name)
{
    for (int i = 0; i < t->columns; i++)
        if (!strcmp(t->column[i].name, name)) return &t->column[i];
    return NULL;
}

void table_free(Table *t)
{
    for (int i = 0; i < t->columns; i++) {
        free(t->column[i].name);
        free(t->column[i].file);
        cells_free(t->column[i].owned);
    }
    free(t->column);
    *t = (Table){ 0 };
}

double column_value(const Column *c, size_t element)
{
    switch (c->type) {
    case CELL_U8: return ((const uint8_t *)c->cells)[element];
    case CELL_I32: return ((const int32_t *)c->cells)[element];
    case CELL_F32: return (double)((const float *)c->cells)[element];
    case CELL_F64: break;
    }
    return ((const double *)c->cells)[element];
}

size_t column_step(const Column *c) { return c->step ? c->step : c->elements; }
