/* npy.c: NumPy's arrays: a .npy file, or one of those in an .npz archive (zip.c). The first axis counts samples.
 * The header is the text of a Python dict, read here by a parser for exactly what NumPy writes.
 * SPDX-License-Identifier: 0BSD */
#include <stdlib.h>
#include <string.h>
#include "data.h"

typedef struct NpyHeader {
    char type; /* u, i, f, b */
    int bytes; /* of an element */
    int rank;  /* with the axis of samples */
    uint64_t extent[DLN_MAX_RANK + 1];
    bool by_columns; /* fortran_order */
    size_t data;     /* where the elements begin */
} NpyHeader;

typedef struct Dict {
    const char *at, *end;
} Dict;

static void blanks_skip(Dict *d)
{
    while (d->at < d->end && (*d->at == ' ' || *d->at == '\n')) d->at++;
}

static bool dict_take(Dict *d, char c)
{
    blanks_skip(d);
    return d->at < d->end && *d->at == c ? d->at++, true : false;
}

/* 'text' into a small buffer. */
static bool dict_string(Dict *d, char *text, size_t room)
{
    size_t n = 0;
    if (!dict_take(d, '\'')) return false;
    while (d->at < d->end && *d->at != '\'' && n + 1 < room) text[n++] = *d->at++;
    text[n] = 0;
    return dict_take(d, '\'');
}

static bool dict_word(Dict *d, const char *word)
{
    size_t length = strlen(word);
    blanks_skip(d);
    if ((size_t)(d->end - d->at) < length || memcmp(d->at, word, length)) return false;
    d->at += length;
    return true;
}

/* (3, 28, 28) */
static bool dict_shape(Dict *d, NpyHeader *h)
{
    if (!dict_take(d, '(')) return false;
    while (!dict_take(d, ')')) {
        uint64_t extent = 0;
        const char *begin = d->at;
        if (h->rank > DLN_MAX_RANK) return false;
        blanks_skip(d);
        for (begin = d->at; d->at < d->end && *d->at >= '0' && *d->at <= '9'; d->at++) {
            if (extent > (uint64_t)1 << 50) return false;
            extent = extent * 10 + (uint64_t)(*d->at - '0');
        }
        if (d->at == begin) return false;
        h->extent[h->rank++] = extent;
        if (!dict_take(d, ',') && !(d->at < d->end && *d->at == ')')) return false;
    }
    return true;
}

/* {'descr': '<f4', 'fortran_order': False, 'shape': (3, 28, 28), }; each key once. */
static bool dict_parse(Dict *d, NpyHeader *h, char *type, size_t room)
{
    char key[20];
    int seen = 0;
    if (!dict_take(d, '{')) return false;
    while (!dict_take(d, '}')) {
        if (!dict_string(d, key, sizeof key) || !dict_take(d, ':')) return false;
        int which = !strcmp(key, "descr") ? 1 : !strcmp(key, "fortran_order") ? 2 : !strcmp(key, "shape") ? 4 : 0;
        if (!which || seen & which) return false;
        seen |= which;
        if (which == 1 && !dict_string(d, type, room)) return false;
        if (which == 2 && !(h->by_columns = dict_word(d, "True")) && !dict_word(d, "False")) return false;
        if (which == 4 && !dict_shape(d, h)) return false;
        if (!dict_take(d, ',') && !(d->at < d->end && *d->at == '}')) return false;
    }
    blanks_skip(d);
    return seen == 7 && d->at == d->end;
}

static bool header_parse(const Bytes *b, const char *file, NpyHeader *h, Problem *p)
{
    char type[20] = "";
    *h = (NpyHeader){ 0 };
    if (b->count < 10 || memcmp(b->at, "\x93NUMPY", 6)) return problem_set(p, EXIT_INPUT, "%s: not a .npy array", file);
    int version = b->at[6];
    if (version < 1 || version > 3)
        return problem_set(p, EXIT_INPUT, "%s: version %d of .npy is not known", file, version);
    size_t prefix = version == 1 ? 10 : 12, length = b->at[8] | (size_t)b->at[9] << 8;
    if (version > 1 && b->count >= 12) length |= (size_t)b->at[10] << 16 | (size_t)b->at[11] << 24;
    if (b->count < prefix || length > b->count - prefix)
        return problem_set(p, EXIT_INPUT, "%s: ends within its header", file);
    Dict d = { (const char *)b->at + prefix, (const char *)b->at + prefix + length };
    h->data = prefix + length;
    if (!dict_parse(&d, h, type, sizeof type)) return problem_set(p, EXIT_INPUT, "%s: its header cannot be read", file);
    static const char *const known[] = { "|u1", "|i1", "|b1", "<u2", "<i2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(type, known[i])) {
            h->type = type[1];
            h->bytes = type[2] - '0';
        }
    if (!h->type)
        return problem_set(p, EXIT_INPUT,
                           "%s: elements of type '%s' are not read; convert them with .astype('<f4') or '<i4'", file,
                           type);
    if (h->by_columns && h->rank > 1)
        return problem_set(p, EXIT_INPUT, "%s: is in Fortran order; save numpy.ascontiguousarray(x)", file);
    return h->rank > 0 || problem_set(p, EXIT_INPUT, "%s: has no axis of samples", file);
}

static CellType cell_type(const NpyHeader *h)
{
    if (h->type == 'f') return h->bytes == 4 ? CELL_F32 : CELL_F64;
    return h->bytes == 1 && h->type != 'i' ? CELL_U8 : CELL_I32;
}

/* Whole numbers of any width into 32 bits. */
static bool integers_decode(const NpyHeader *h, const unsigned char *from, size_t count, int32_t *to, const char *file,
                            Problem *p)
{
    for (size_t i = 0; i < count; i++, from += h->bytes) {
        uint64_t bits = 0;
        for (int k = h->bytes - 1; k >= 0; k--) bits = bits << 8 | from[k];
        if (h->type == 'i' && h->bytes < 8 && bits >> (8 * h->bytes - 1)) bits |= UINT64_MAX << 8 * h->bytes;
        int64_t value = (int64_t)bits;
        if (value < INT32_MIN || value > INT32_MAX)
            return problem_set(p, EXIT_INPUT, "%s: element %zu does not fit into 32 bits", file, i);
        to[i] = (int32_t)value;
    }
    return true;
}

/* The elements as cells: in the bytes of the file, where they are as cells are, else in a new block. */
static void *cells_take(const NpyHeader *h, Bytes *b, size_t total, void **owned, const char *file, Problem *p)
{
    const CellType type = cell_type(h);
    const bool as_they_are = type != CELL_I32 || (h->type == 'i' && h->bytes == 4);
    if (as_they_are && (uintptr_t)(b->at + h->data) % cell_bytes(type) == 0) {
        unsigned char *cells = b->at + h->data;
        *owned = b->at;
        b->at = NULL;
        return cells;
    }
    if (!(*owned = cells_new(total, cell_bytes(type), p))) return NULL;
    if (as_they_are)
        memcpy(*owned, b->at + h->data, total * cell_bytes(type));
    else if (!integers_decode(h, b->at + h->data, total, *owned, file, p)) {
        cells_free(*owned);
        return NULL;
    }
    return *owned;
}

bool npy_read(Bytes *b, const char *file, const char *field, Table *t, Problem *p)
{
    NpyHeader h;
    size_t elements = 1, total, bytes;
    if (!header_parse(b, file, &h, p)) return false;
    for (int i = 1; i < h.rank; i++)
        if (h.extent[i] > INT32_MAX || !size_product(elements, (size_t)h.extent[i], &elements))
            return problem_set(p, EXIT_INPUT, "%s: its shape is too large", file);
    if (!size_product(elements, (size_t)h.extent[0], &total) || !size_product(total, (size_t)h.bytes, &bytes))
        return problem_set(p, EXIT_INPUT, "%s: its shape is too large", file);
    if (!total) return problem_set(p, EXIT_INPUT, "%s: holds no samples", file);
    if (bytes != b->count - h.data)
        return problem_set(p, EXIT_INPUT, "%s: %zu bytes of elements, expected %zu", file, b->count - h.data, bytes);
    if (t->columns && t->rows != h.extent[0])
        return problem_set(p, EXIT_INPUT, "%s: %llu samples, but %s has %llu", file, (unsigned long long)h.extent[0],
                           t->column[0].file, (unsigned long long)t->rows);
    void *owned, *cells = cells_take(&h, b, total, &owned, file, p);
    Column *c = cells ? table_add(t, field, file, p) : NULL;
    if (!c) {
        if (cells) cells_free(owned);
        return false;
    }
    t->rows = h.extent[0];
    c->type = cell_type(&h);
    c->rank = h.rank - 1;
    for (int i = 1; i < h.rank; i++) c->extent[i - 1] = (int)h.extent[i];
    c->elements = elements;
    c->cells = cells;
    c->owned = owned;
    return true;
}
