/* chars.c: text by characters. The alphabet is sorted; a character is its place there. Sample r are the `context`
 * characters from r * context on (tokens) and the ones that follow each (next). For evaluation the samples stand there;
 * training moves all of an epoch by the same random number of characters below `context` (the last one no further than
 * the text goes), so that every epoch cuts the text elsewhere. SPDX-License-Identifier: 0BSD */
#include <stdlib.h>
#include <string.h>
#include "data.h"

enum { MOST_CODE = 0x10FFFF };

/* The next code point of UTF-8 text and its length; -1: not UTF-8 (overlong, surrogate, cut). */
static int32_t code_next(const unsigned char *c, const unsigned char *end, int *length)
{
    int more = *c < 0x80                 ? 0
               : *c >= 0xC2 && *c < 0xE0 ? 1
               : *c >= 0xE0 && *c < 0xF0 ? 2
               : *c >= 0xF0 && *c < 0xF5 ? 3
                                         : -1;
    static const int32_t least[] = { 0, 0x80, 0x800, 0x10000 };
    if (more < 0 || end - c <= more) return -1;
    int32_t code = more == 0 ? *c : *c & (0x3F >> more);
    for (int i = 1; i <= more; i++) {
        if ((c[i] & 0xC0) != 0x80) return -1;
        code = code << 6 | (c[i] & 0x3F);
    }
    *length = more + 1;
    return code < least[more] || code > MOST_CODE || (code >= 0xD800 && code < 0xE000) ? -1 : code;
}

/* UTF-8 sorts by code point as bytes do. */
static int name_order(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Adds all characters of the text, sorted; requires an empty alphabet. count: characters in the text. */
static bool alphabet_learn(const Bytes *text, const char *file, Names *alphabet, Problem *p)
{
    Names seen = { 0 };
    bool good = true;
    unsigned char *known = memory_new(MOST_CODE / 8 + 1, 1, p);
    const unsigned char *c = text->at, *end = c + text->count;
    for (int length = 0; (good = good && known) && c < end; c += length) {
        int32_t code = code_next(c, end, &length);
        if (code <= 0) {
            good = problem_set(p, EXIT_INPUT, "%s: byte %zu is not UTF-8 text", file, (size_t)(c - text->at));
            break;
        }
        if (known[code / 8] >> code % 8 & 1) continue;
        known[code / 8] = (unsigned char)(known[code / 8] | 1 << code % 8);
        good = names_add(&seen, (const char *)c, (size_t)length, p) >= 0;
    }
    free(known);
    if (good) qsort(seen.name, (size_t)seen.count, sizeof *seen.name, name_order);
    for (int i = 0; good && i < seen.count; i++) good = names_add(alphabet, seen.name[i], strlen(seen.name[i]), p) >= 0;
    names_free(&seen);
    return good;
}

static bool ids_write(const Bytes *text, const char *file, const Names *alphabet, bool small, void *ids, size_t *count,
                      Problem *p)
{
    const unsigned char *c = text->at, *end = c + text->count;
    size_t n = 0;
    for (int length = 0; c < end; c += length, n++) {
        int32_t code = code_next(c, end, &length);
        int id = code > 0 ? names_find(alphabet, (const char *)c, (size_t)length) : -1;
        if (code <= 0)
            return problem_set(p, EXIT_INPUT, "%s: byte %zu is not UTF-8 text", file, (size_t)(c - text->at));
        if (id < 0)
            return problem_set(p, EXIT_INPUT,
                               "%s: byte %zu: the character '%.*s' is not among the %d that the model learned", file,
                               (size_t)(c - text->at), length, (const char *)c, alphabet->count);
        if (small)
            ((uint8_t *)ids)[n] = (uint8_t)id;
        else
            ((int32_t *)ids)[n] = id;
    }
    *count = n;
    return true;
}

/* Makes the table of the `count` characters at ids. The first column owns `owned`. */
static bool windows_make(Table *t, const char *file, CellType type, const void *ids, void *owned, size_t count,
                         int context, const Names *alphabet, Problem *p)
{
    static const char *const field[] = { "tokens", "next" };
    if (count <= (size_t)context) {
        cells_free(owned);
        return problem_set(p, EXIT_INPUT, "%s: %zu characters are too few for a sample of %d and the one after it",
                           file, count, context);
    }
    t->rows = (count - 1) / (size_t)context;
    t->slide = (size_t)context;
    t->room = count - 1 - (size_t)context;
    for (int i = 0; i < 2; i++) {
        Column *c = table_add(t, field[i], file, p);
        if (!c) {
            if (!i) cells_free(owned);
            return false;
        }
        c->type = type;
        c->rank = 1;
        c->extent[0] = context;
        c->elements = (size_t)context;
        c->cells = (const char *)ids + (i ? cell_bytes(type) : 0);
        c->owned = i ? NULL : owned;
        c->is_target = i == 1;
        c->classes = alphabet;
    }
    return true;
}

bool chars_read(const Bytes *text, const char *file, int context, Names *alphabet, Table *t, Problem *p)
{
    size_t count = 0;
    if (context < 1) return problem_set(p, EXIT_INPUT, "text: context = %d; expected 1 or more", context);
    if (!text->count) return problem_set(p, EXIT_INPUT, "%s: is empty", file);
    if (!alphabet->count && !alphabet_learn(text, file, alphabet, p)) return false;
    bool small = alphabet->count <= 256;
    void *ids = cells_new(text->count, small ? 1 : 4, p);
    if (!ids) return false;
    if (!ids_write(text, file, alphabet, small, ids, &count, p)) {
        cells_free(ids);
        return false;
    }
    return windows_make(t, file, small ? CELL_U8 : CELL_I32, ids, ids, count, context, alphabet, p);
}

bool chars_split(const Table *all, double from, double to, Table *part, Problem *p)
{
    const Column *c = &all->column[0];
    size_t count = all->room + 1 + c->elements;
    size_t begin = (size_t)((double)count * from), end = to >= 1 ? count : (size_t)((double)count * to);
    return windows_make(part, c->file, c->type, (const char *)c->cells + begin * cell_bytes(c->type), NULL, end - begin,
                        (int)c->elements, c->classes, p);
}
