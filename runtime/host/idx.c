/* idx.c: the IDX format of MNIST: two zero bytes, the element's type, the number of axes, their extents as big-endian
 * 32-bit numbers, then the elements, big-endian, the first axis counting samples. Bytes stay bytes; nothing is
 * allocated for samples that the file does not hold. SPDX-License-Identifier: 0BSD */
#include <stdlib.h>
#include <string.h>
#include "data.h"

static uint32_t big32(const unsigned char *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static uint64_t big64(const unsigned char *b) { return (uint64_t)big32(b) << 32 | big32(b + 4); }

/* Bytes an element takes in the file; 0: no such type. */
static size_t file_bytes(int type)
{
    switch (type) {
    case 0x08:
    case 0x09: return 1;
    case 0x0B: return 2;
    case 0x0C:
    case 0x0D: return 4;
    case 0x0E: return 8;
    }
    return 0;
}

static CellType cell_type(int type)
{
    return type == 0x08 ? CELL_U8 : type == 0x0D ? CELL_F32 : type == 0x0E ? CELL_F64 : CELL_I32;
}

static void elements_decode(int type, const unsigned char *from, size_t count, void *to)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t word;
        uint64_t twice;
        switch (type) {
        case 0x08: ((uint8_t *)to)[i] = from[i]; break;
        case 0x09: ((int32_t *)to)[i] = (int8_t)from[i]; break;
        case 0x0B: ((int32_t *)to)[i] = (int16_t)(from[2 * i] << 8 | from[2 * i + 1]); break;
        case 0x0C:
        case 0x0D:
            word = big32(from + 4 * i);
            memcpy((char *)to + 4 * i, &word, 4);
            break;
        default: twice = big64(from + 8 * i); memcpy((char *)to + 8 * i, &twice, 8);
        }
    }
}

typedef struct IdxHeader {
    int type, rank;
    uint32_t samples;
    int extent[DLN_MAX_RANK];
    size_t elements;
} IdxHeader;

static bool header_read(Stream *s, IdxHeader *h, Problem *p)
{
    unsigned char b[4];
    size_t got;
    const char *name = stream_name(s);
    if (!stream_read(s, b, 4, &got, p)) return false;
    if (got < 4 || b[0] || b[1])
        return problem_set(p, EXIT_INPUT,
                           "%s: not an IDX file (it begins with %02x %02x %02x %02x, expected 00 00 TYPE "
                           "AXES)",
                           name, got > 0 ? b[0] : 0, got > 1 ? b[1] : 0, got > 2 ? b[2] : 0, got > 3 ? b[3] : 0);
    if (!file_bytes(h->type = b[2]))
        return problem_set(p, EXIT_INPUT, "%s: unknown IDX element type 0x%02x", name, b[2]);
    if (b[3] < 1 || b[3] > DLN_MAX_RANK)
        return problem_set(p, EXIT_INPUT, "%s: %d axes; expected 1 to %d", name, b[3], DLN_MAX_RANK);
    h->rank = b[3] - 1;
    h->elements = 1;
    for (int axis = -1; axis < h->rank; axis++) {
        if (!stream_read(s, b, 4, &got, p)) return false;
        if (got < 4) return problem_set(p, EXIT_INPUT, "%s: ends within its header", name);
        uint32_t extent = big32(b);
        if (axis < 0) {
            h->samples = extent;
            continue;
        }
        if (extent > INT32_MAX || !size_product(h->elements, extent, &h->elements) || h->elements > (size_t)1 << 40)
            return problem_set(p, EXIT_INPUT, "%s: a sample with an axis of %u elements is too large", name, extent);
        h->extent[axis] = (int)extent;
    }
    if (!h->samples || !h->elements) return problem_set(p, EXIT_INPUT, "%s: holds no samples", name);
    return true;
}

/* Reads all elements in pieces; *cells grows with what really comes. */
static bool cells_read(Stream *s, const IdxHeader *h, void **cells, Problem *p)
{
    enum { PIECE = 1 << 16 };
    size_t total, done = 0, room = 0, got, bytes = file_bytes(h->type), large = cell_bytes(cell_type(h->type));
    if (!size_product(h->elements, h->samples, &total))
        return problem_set(p, EXIT_INPUT, "%s: %u samples of %zu elements are too many", stream_name(s), h->samples,
                           h->elements);
    unsigned char *piece = memory_new(total < PIECE ? total : PIECE, bytes, p);
    while (piece && done < total) {
        size_t count = total - done < PIECE ? total - done : PIECE;
        if (!cells_grow(cells, &room, done + count, large, p) || !stream_read(s, piece, count * bytes, &got, p)) break;
        if (got < count * bytes) {
            problem_set(p, EXIT_INPUT, "%s: ends after %zu of %zu bytes of its elements", stream_name(s),
                        done * bytes + got, total * bytes);
            break;
        }
        elements_decode(h->type, piece, count, (char *)*cells + done * large);
        done += count;
    }
    bool good = piece && done == total && stream_read(s, piece, 1, &got, p);
    if (good && got)
        good =
            problem_set(p, EXIT_INPUT, "%s: more bytes than the %u samples of its header", stream_name(s), h->samples);
    free(piece);
    return good;
}

/* A large plain file of bytes is its own block of cells; *cells stays NULL for any other. */
static bool cells_map(const char *path, const IdxHeader *h, void **owned, const void **cells, Problem *p)
{
    const size_t begin = 4 + 4 * ((size_t)h->rank + 1);
    size_t total;
    Bytes file = { 0 };
    if (h->type != 0x08 || !size_product(h->elements, h->samples, &total)) return true;
    if (!data_map(path, &file, p)) return false;
    if (!file.at) return true;
    if (file.count < begin || file.count - begin != total) { /* cells_read says what is wrong */
        cells_free(file.at);
        return true;
    }
    *owned = file.at;
    *cells = file.at + begin;
    return true;
}

bool idx_read(const char *path, const char *field, Table *t, Problem *p)
{
    IdxHeader h = { 0 };
    void *owned = NULL;
    const void *cells = NULL;
    Stream *s = stream_open(path, p);
    bool good = s && header_read(s, &h, p) && cells_map(path, &h, &owned, &cells, p);
    if (good && !cells) {
        good = cells_read(s, &h, &owned, p);
        cells = owned;
    }
    stream_close(s);
    if (good && t->columns && t->rows != h.samples)
        good = problem_set(p, EXIT_INPUT, "%s: %u samples, but %s has %llu", path, h.samples, t->column[0].file,
                           (unsigned long long)t->rows);
    Column *c = good ? table_add(t, field, path, p) : NULL;
    if (!c) {
        cells_free(owned);
        return false;
    }
    t->rows = h.samples;
    c->type = cell_type(h.type);
    c->rank = h.rank;
    memcpy(c->extent, h.extent, sizeof c->extent);
    c->elements = h.elements;
    c->cells = cells;
    c->owned = owned;
    return true;
}
