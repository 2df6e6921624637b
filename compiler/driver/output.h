/* output.h: writing files whole or not at all. Each returns 0 or EXIT_IO after a message. */
#ifndef DLNC_OUTPUT_H
#define DLNC_OUTPUT_H
#include "base/text.h"
#include "tensor/model.h"

/* Writes beside path and renames, so that path has either its old or its new contents. */
int file_write(const char *path, Text *text, bool only_if_changed);
int file_write_stream(FILE *to, Text *text);
int stream_close(FILE *to);                      /* flushes; full disks and closed pipes are errors */
/* target: source and every imported file, for make. */
int depfile_write(const char *path, const char *target, const char *source, const Symbols *s);
bool same_file(const char *a, const char *b);    /* two names of one file that exists */
const char *base_name(const char *path);
#endif
