/* host.h: what every file of the host program uses: one way to fail, checked memory, strict numbers, names, files.
 * A function that can fail takes a Problem and returns false (or NULL) with its text and exit code set; nobody but
 * main.c prints it. SPDX-License-Identifier: 0BSD */
#ifndef HOST_H
#define HOST_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "dln.h"

#if defined __GNUC__
#define HOST_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define HOST_PRINTF(f, a)
#endif

enum { EXIT_DONE = 0, EXIT_INPUT = 1, EXIT_USAGE = 2, EXIT_IO = 3, EXIT_BUG = 70 };

/* fail.c */
typedef struct Problem { int code; char text[4000]; } Problem;
bool problem_set(Problem *p, int code, const char *format, ...) HOST_PRINTF(3, 4);      /* always false */
void problem_add(Problem *p, const char *format, ...) HOST_PRINTF(2, 3);                /* more text behind it */
void *memory_new(size_t count, size_t size, Problem *p);         /* zeroed; free() it; NULL: problem set */
bool memory_grow(void **block, size_t *room, size_t count, size_t size, Problem *p);    /* room becomes >= count */
bool size_product(size_t a, size_t b, size_t *out);              /* false: does not fit */
char *text_join(Problem *p, const char *format, ...) HOST_PRINTF(2, 3);                 /* a new string */

/* A text that grows; `failed` is set once memory is out, and everything after it is ignored. */
typedef struct Writer { char *text; size_t length, room; bool failed; } Writer;
void write_text(Writer *w, const char *format, ...) HOST_PRINTF(2, 3);
void write_bytes(Writer *w, const void *bytes, size_t count);
void write_json_string(Writer *w, const char *text);             /* with its quotes */

/* number.c: numbers as text, whatever the locale says. All of `text` must be the number. */
typedef enum { NUMBER_GOOD, NUMBER_NONE, NUMBER_RANGE } NumberResult;
NumberResult number_parse(const char *text, size_t length, double *out);                /* finite decimals only */
/* The number that text begins with, up to where it ends; NULL: there is none, or none that is quickly had. */
const char *number_scan(const char *text, const char *end, double *out);
NumberResult integer_parse(const char *text, size_t length, int64_t low, int64_t high, int64_t *out);

/* names.c: distinct texts in order of first appearance: classes, characters, columns. */
typedef struct Names { int count; char **name; size_t room, slots; int *slot; } Names;
int names_find(const Names *n, const char *text, size_t length);                        /* -1: not there */
int names_add(Names *n, const char *text, size_t length, Problem *p);   /* its number, old or new; -1: problem */
void names_free(Names *n);
void write_names(Writer *w, const Names *n);                     /* as JSON: ["setosa","versicolor"] */
const char *name_nearest(const char *name, const char *const *candidates, int count);   /* NULL: none is near */

/* file.c */
typedef struct Bytes { unsigned char *at; size_t count; } Bytes;
typedef struct Stream Stream;                                    /* a file read from its begin; gzip is unpacked */
Stream *stream_open(const char *path, Problem *p);               /* "-": standard input */
bool stream_read(Stream *s, void *to, size_t count, size_t *got, Problem *p);           /* got < count: the end */
const char *stream_name(const Stream *s);
void stream_close(Stream *s);
bool file_read(const char *path, size_t limit, Bytes *out, Problem *p);                 /* at[count] is 0 */
/* Finds `name` in folder, there with .gz, or in the one of its sub-folders that has it. */
char *file_find(const char *folder, const char *name, Problem *p);
char *folder_find(const char *folder, const char *name, Problem *p);    /* the same for a folder */

/* A file that appears whole or not at all: written beside its place, flushed to the disk, then renamed. */
typedef struct AtomicFile { int fd; char *path, *temporary; } AtomicFile;
bool atomic_open(AtomicFile *f, const char *path, Problem *p);
bool atomic_write(AtomicFile *f, const void *bytes, size_t count, Problem *p);
bool atomic_commit(AtomicFile *f, Problem *p);                   /* closes it, also when it fails */
void atomic_cancel(AtomicFile *f);
#endif
