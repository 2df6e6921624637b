/* output.h: writing files whole or not at all. Each returns 0 or EXIT_IO after a message. */
#ifndef DLNC_OUTPUT_H
#define DLNC_OUTPUT_H
#include "base/arena.h"
#include "base/text.h"
#include <stdio.h>

/* One file to write. Begin with OutputFile f = { .path = .., .text = .. }; the rest is output.c's. */
typedef struct OutputFile { const char *path; Text *text; const char *beside, *kept; bool existed; } OutputFile;

/* Writes all of them or none: each beside its path, then renamed, so that every path has either its old or its new
 * contents. only_if_changed leaves a file alone that has its new contents already. */
int files_write(OutputFile *files, int count, bool only_if_changed);
int file_write_stream(FILE *to, Text *text);
int stream_close(FILE *to);                      /* flushes; full disks and closed pipes are errors */

/* What the targets are made from, for make and ninja. */
typedef struct Depends { const char *target[2]; int targets; const char *source; LIST(const char *) others; } Depends;
void depfile_text(Text *t, const Depends *d);
bool same_file(const char *a, const char *b);    /* two names of one file that exists */
#endif
