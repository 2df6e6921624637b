/* diag.h: messages with a place. An error is counted and the compilation goes on, so that one run shows many; main
 * stops between passes when error_count() is not 0. A bug of dlnc itself ends at once by bug(), with exit code 70. */
#ifndef DLNC_DIAG_H
#define DLNC_DIAG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct Source {
    const char *name;            /* as the user gave it; "library/norms.dln" for the library's own */
    const char *text;            /* ended by a zero byte */
    size_t length;               /* bytes; text may hold zero bytes before it */
} Source;

/* From (line, column) to just before (end_line, end_column). Lines and columns count from 1, columns in bytes. */
typedef struct Place { const Source *source; int line, column, end_line, end_column; } Place;

/* file:line:col: error: message, the source line and a caret. Say what was expected and what was seen. */
void error_at(Place at, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void warning_at(Place at, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void note_at(Place at, const char *fmt, ...) __attribute__((format(printf, 2, 3)));    /* to the message before it */
void error_plain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));          /* without a place: files */
void help(const char *fmt, ...) __attribute__((format(printf, 1, 2)));                 /* to the message before it */
int  error_count(void);

typedef enum { DIAG_TEXT, DIAG_JSON } DiagFormat;
void diag_begin(FILE *to, DiagFormat format, bool color);      /* default: stderr, text, no colour; the count is 0 */
void diag_end(void);                                           /* flushes; ends the JSON array */

_Noreturn void bug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#endif
