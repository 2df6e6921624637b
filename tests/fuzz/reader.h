/* reader.h: what the fuzz targets of the readers share. A reader must not crash, read outside its memory or leak, and a
 * refusal must say why. SPDX-License-Identifier: MIT */
#ifndef FUZZ_READER_H
#define FUZZ_READER_H
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "host/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes in a block of exactly their size and the 0 that file_read() promises behind them; the caller frees it. */
static inline Bytes bytes_copy(const uint8_t *data, size_t size)
{
    Bytes b = { malloc(size + 1), size };
    if (!b.at) abort();
    if (size) memcpy(b.at, data, size);
    b.at[size] = 0;
    return b;
}

/* A file in memory with these bytes; the same one for each input. */
static inline const char *file_with(const uint8_t *data, size_t size)
{
    static char path[40];
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size) abort();
    return path;
}

/* A table that a reader filled: every cell is there to be read, and the shapes agree with the numbers of elements. */
static inline void table_look(const Table *t)
{
    uint64_t sum = 0;
    for (int i = 0; i < t->columns; i++) {
        const Column *c = &t->column[i];
        size_t elements = 1;
        for (int k = 0; k < c->rank; k++) elements *= (size_t)c->extent[k];
        if (c->rank < 0 || c->rank > DLN_MAX_RANK || elements != c->elements || !t->rows || !c->name) abort();
        const unsigned char *cells = c->cells;
        for (size_t k = 0, n = (size_t)t->rows * elements * cell_bytes(c->type); k < n && !t->slide; k++) sum += cells[k];
    }
    static volatile uint64_t looked;
    looked = sum;
    (void)looked;
}

/* The end of every try. */
static inline void reader_judge(bool good, Table *t, const Problem *p)
{
    if (!good && (!p->code || !*p->text)) abort();
    if (good) table_look(t);
    table_free(t);
}
#endif
