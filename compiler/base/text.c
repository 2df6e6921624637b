/* text.c: interned strings (a hash table of pointers into the arena), printf into the arena, growing texts, and the
 * edit distance behind "did you mean". */
#include "base/text.h"
#include <ctype.h>
#include "base/arena.h"
#include "base/diag.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* --- interned strings ------------------------------------------------------------------------------------------- */

typedef struct { const char *string; size_t length; uint64_t hash; } Interned;

static struct { Interned *at; size_t count, room; unsigned generation; } table;     /* room: a power of two */

static uint64_t hash_of(const char *s, size_t length)                               /* FNV-1a, finished by a mix */
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < length; i++) h = (h ^ (unsigned char)s[i]) * 1099511628211u;
    return h ^ h >> 29;
}

static Interned *slot_find(const char *s, size_t length, uint64_t hash)
{
    size_t i = hash & (table.room - 1);
    while (table.at[i].string) {
        const Interned *e = &table.at[i];
        if (e->hash == hash && e->length == length && memcmp(e->string, s, length) == 0) break;
        i = (i + 1) & (table.room - 1);
    }
    return &table.at[i];
}

static void table_grow(void)
{
    Interned *old = table.at;
    size_t n = table.room;
    table.room = n ? n * 2 : 1024;
    table.at = NEW_ARRAY(Interned, table.room);
    for (size_t i = 0; i < n; i++)
        if (old[i].string) *slot_find(old[i].string, old[i].length, old[i].hash) = old[i];
}

const char *intern_n(const char *s, size_t length)
{
    if (table.generation != arena_generation() || !table.at) {
        memset(&table, 0, sizeof table);
        table.generation = arena_generation();
    }
    if (table.count * 2 >= table.room) table_grow();
    uint64_t hash = hash_of(s, length);
    Interned *e = slot_find(s, length, hash);
    if (!e->string) {
        char *copy = arena_alloc(length + 1);
        if (length) memcpy(copy, s, length);
        *e = (Interned){ copy, length, hash };
        table.count++;
    }
    return e->string;
}

const char *intern(const char *s) { return intern_n(s, strlen(s)); }

/* --- printf into the arena -------------------------------------------------------------------------------------- */

const char *vformat(const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    if (n < 0) bug("format '%s' failed", fmt);
    char *to = arena_alloc((size_t)n + 1);
    vsnprintf(to, (size_t)n + 1, fmt, again);
    va_end(again);
    return to;
}

const char *format(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *s = vformat(fmt, args);
    va_end(args);
    return s;
}

/* --- growing texts ---------------------------------------------------------------------------------------------- */

static void text_room(Text *t, size_t more)
{
    if (t->room - t->length > more) return;      /* one byte more for the zero */
    size_t room = t->room * 2;
    if (room < t->length + more + 1) room = t->length + more + 1;
    if (room < 64) room = 64;
    char *to = arena_alloc(room);
    if (t->length) memcpy(to, t->at, t->length);
    t->at = to;
    t->room = room;
}

void text_add_n(Text *t, const char *s, size_t length)
{
    text_room(t, length);
    if (length) memcpy(t->at + t->length, s, length);
    t->length += length;
    t->at[t->length] = '\0';
}

void text_add(Text *t, const char *s) { text_add_n(t, s, strlen(s)); }

void text_addf(Text *t, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    text_room(t, 128);
    int n = vsnprintf(t->at + t->length, t->room - t->length, fmt, args);
    if (n < 0) bug("format '%s' failed", fmt);
    if ((size_t)n >= t->room - t->length) {
        text_room(t, (size_t)n);
        vsnprintf(t->at + t->length, t->room - t->length, fmt, again);
    }
    t->length += (size_t)n;
    va_end(again);
    va_end(args);
}

const char *text_string(Text *t)
{
    if (!t->at) text_room(t, 0);
    return t->at;
}

/* --- did you mean ----------------------------------------------------------------------------------------------- */

enum { LONGEST_NAME = 63 };

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

/* Edits (insert, delete, replace, swap two neighbours) from a to b, letters without case; lengths <= LONGEST_NAME. */
static int edit_distance(const char *a, int m, const char *b, int n)
{
    int row[3][LONGEST_NAME + 1];                /* rows i - 2, i - 1 and i of the table, by i % 3 */
    for (int j = 0; j <= n; j++) row[0][j] = j;
    for (int i = 1; i <= m; i++) {
        int *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= n; j++) {
            bool same = lower(a[i - 1]) == lower(b[j - 1]);
            int best = up[j - 1] + !same;
            if (up[j] + 1 < best) best = up[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
            if (swapped && up2[j - 2] + 1 < best) best = up2[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[m % 3][n];
}

/* Without '_': batch_norm is meant by batchnorm. Gives the length, or -1 if the name is too long. */
static int name_squeeze(const char *name, char to[LONGEST_NAME + 1])
{
    int n = 0;
    for (; *name; name++) {
        if (*name == '_') continue;
        if (n == LONGEST_NAME) return -1;
        to[n++] = *name;
    }
    to[n] = '\0';
    return n;
}

const char *nearest(const char *name, const char *const *candidates, int count)
{
    char a[LONGEST_NAME + 1], b[LONGEST_NAME + 1];
    int m = name_squeeze(name, a);
    if (m <= 0) return NULL;
    const char *found = NULL;
    int least = m <= 2 ? 1 : m <= 5 ? 2 : m / 3 + 1;             /* the first distance that is too far */
    for (int i = 0; i < count; i++) {
        if (!candidates[i]) continue;
        int n = name_squeeze(candidates[i], b);
        if (n <= 0 || n - m >= least || m - n >= least) continue;
        int d = edit_distance(a, m, b, n);
        if (d < least) {
            least = d;
            found = candidates[i];
        }
    }
    return found;
}

bool is_word_char(char c) { return isalnum((unsigned char)c) || c == '_'; }

const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
