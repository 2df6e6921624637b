/* names.c: sets of names in order of first appearance (open addressing), and "did you mean".
 * SPDX-License-Identifier: 0BSD */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "host.h"

static uint64_t text_hash(const char *text, size_t length)
{ /* FNV-1a */
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < length; i++) h = (h ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
    return h ^ h >> 29;
}

/* The slot of text, or the free one where it belongs. Slots hold numbers + 1; there is always a free one. */
static size_t names_slot(const Names *n, const char *text, size_t length)
{
    size_t at = (size_t)text_hash(text, length) & (n->slots - 1);
    while (n->slot[at]) {
        const char *name = n->name[n->slot[at] - 1];
        if (strlen(name) == length && !memcmp(name, text, length)) break;
        at = (at + 1) & (n->slots - 1);
    }
    return at;
}

int names_find(const Names *n, const char *text, size_t length)
{
    return n->slots ? n->slot[names_slot(n, text, length)] - 1 : -1;
}

static bool names_widen(Names *n, Problem *p)
{
    size_t slots = n->slots ? 2 * n->slots : 32;
    int *slot = memory_new(slots, sizeof *slot, p);
    if (!slot) return false;
    free(n->slot);
    n->slot = slot;
    n->slots = slots;
    for (int i = 0; i < n->count; i++) n->slot[names_slot(n, n->name[i], strlen(n->name[i]))] = i + 1;
    return true;
}

int names_add(Names *n, const char *text, size_t length, Problem *p)
{
    int found = names_find(n, text, length);
    if (found >= 0) return found;
    if (n->count == INT_MAX / 4) {
        problem_set(p, EXIT_INPUT, "too many different names");
        return -1;
    }
    if (2 * ((size_t)n->count + 1) > n->slots && !names_widen(n, p)) return -1;
    if (!memory_grow((void **)&n->name, &n->room, (size_t)n->count + 1, sizeof *n->name, p)) return -1;
    char *copy = memory_new(length + 1, 1, p);
    if (!copy) return -1;
    memcpy(copy, text, length);
    n->slot[names_slot(n, text, length)] = n->count + 1;
    n->name[n->count] = copy;
    return n->count++;
}

void names_free(Names *n)
{
    for (int i = 0; i < n->count; i++) free(n->name[i]);
    free(n->name);
    free(n->slot);
    *n = (Names){ 0 };
}

void write_names(Writer *w, const Names *n)
{
    write_text(w, "[");
    for (int i = 0; i < n->count; i++) {
        write_text(w, i ? "," : "");
        write_json_string(w, n->name[i]);
    }
    write_text(w, "]");
}

/* Edits (insert, delete, replace, exchange of neighbours) from a to b; texts longer than the table count as far. */
static int edit_distance(const char *a, const char *b)
{
    enum { MOST = 40 };
    int d[MOST + 1][MOST + 1], m = (int)strlen(a), n = (int)strlen(b);
    if (m > MOST || n > MOST) return INT_MAX;
    for (int i = 0; i <= m; i++) d[i][0] = i;
    for (int j = 0; j <= n; j++) d[0][j] = j;
    for (int i = 1; i <= m; i++)
        for (int j = 1; j <= n; j++) {
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[m][n];
}

const char *name_nearest(const char *name, const char *const *candidates, int count)
{
    const char *nearest = NULL;
    int least = 1 + (int)(strlen(name) / 3), distance;
    for (int i = 0; i < count; i++)
        if ((distance = edit_distance(name, candidates[i])) <= least && (!nearest || distance < least)) {
            least = distance;
            nearest = candidates[i];
        }
    return nearest;
}
