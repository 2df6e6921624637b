/* text.h: strings that live in the arena, and a buffer to write text into. */
#ifndef DLNC_TEXT_H
#define DLNC_TEXT_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* One pointer for each distinct string: interned names are compared with ==. */
const char *intern(const char *s);
const char *intern_n(const char *s, size_t length);

/* printf into the arena. */
const char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *vformat(const char *fmt, va_list args) __attribute__((format(printf, 1, 0), nonnull));

/* A growing text, always ended by a zero byte. Begin with Text t = {0}. */
typedef struct { char *at; size_t length, room; } Text;
void text_add(Text *t, const char *s);
void text_add_n(Text *t, const char *s, size_t length);
void text_addf(Text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *text_string(Text *t);                /* never NULL */

/* A letter, a digit or _. */
bool is_word_char(char c);
/* What follows the last / of a path. */
const char *base_name(const char *path);

/* The candidate nearest to name by edit distance, or NULL if none is near enough to be meant. */
const char *nearest(const char *name, const char *const *candidates, int count);
#endif
