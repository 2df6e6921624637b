/* cells.c: the memory of columns. What is larger than a limit does not lie in memory but in a file that is mapped into
 * it, so that data need not fit: a plain file itself where its bytes are what training reads (IDX, NPY), or a file without
 * a name in $TMPDIR for what is decoded (CSV, images, .gz). The rest of the program sees plain arrays in both cases.
 * SPDX-License-Identifier: 0BSD */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "data.h"

typedef struct Mapping {
    char *at;
    size_t bytes;
    int fd; /* of a file of our own, which can grow; -1: somebody else's */
} Mapping;
static Mapping *mapping;
static size_t mappings, mapping_room;
static size_t limit; /* bytes of a column in memory; 0: not yet known */

void cells_limit(size_t bytes) { limit = bytes; }

static size_t limit_now(void)
{
    if (limit) return limit;
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return limit = pages > 0 && page > 0 ? (size_t)pages / 2 * (size_t)page : SIZE_MAX;
}

/* The one that holds the address, or NULL. */
static Mapping *mapping_of(const void *at)
{
    const uintptr_t place = (uintptr_t)at;
    for (size_t i = 0; i < mappings; i++)
        if (place >= (uintptr_t)mapping[i].at && place < (uintptr_t)mapping[i].at + mapping[i].bytes)
            return &mapping[i];
    return NULL;
}

static bool mapping_add(void *at, size_t bytes, int fd, Problem *p)
{
    if (!memory_grow((void **)&mapping, &mapping_room, mappings + 1, sizeof *mapping, p)) return false;
    mapping[mappings++] = (Mapping){ at, bytes, fd };
    return true;
}

void cells_free(void *cells)
{
    Mapping *m = cells ? mapping_of(cells) : NULL;
    if (!m) {
        free(cells);
        return;
    }
    munmap(m->at, m->bytes);
    if (m->fd >= 0) close(m->fd);
    *m = mapping[--mappings];
    if (mappings) return;
    free(mapping);
    mapping = NULL;
    mapping_room = 0;
}

/* ---- a file of our own ---- */

static bool spill_failed(size_t bytes, int error, Problem *p)
{
    const char *folder = getenv("TMPDIR");
    return problem_set(p, EXIT_IO,
                       "cannot keep %zu MB of data in a file in %s: %s; TMPDIR names another folder, --memory MB "
                       "keeps more in memory",
                       bytes >> 20, folder && *folder ? folder : "/var/tmp", strerror(error));
}

static int spill_open(Problem *p)
{
    const char *folder = getenv("TMPDIR");
    char *path = text_join(p, "%s/dln-data-XXXXXX", folder && *folder ? folder : "/var/tmp");
    const int fd = path ? mkostemp(path, O_CLOEXEC) : -1;
    if (path && fd < 0) spill_failed(0, errno, p);
    if (fd >= 0) unlink(path); /* it goes with the program, however that ends */
    free(path);
    return fd;
}

/* The disk's room is taken at once: a full one is an error here, not a signal when a page is written. */
static void *spill_map(int fd, size_t bytes, Problem *p)
{
    const int error = posix_fallocate(fd, 0, (off_t)bytes);
    if (error) {
        spill_failed(bytes, error, p);
        return NULL;
    }
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) return at;
    spill_failed(bytes, errno, p);
    return NULL;
}

/* A new block of `bytes`, zeroed; what `from` holds is copied into it. */
static void *spill_new(const void *from, size_t held, size_t bytes, Problem *p)
{
    const int fd = spill_open(p);
    void *at = fd >= 0 ? spill_map(fd, bytes, p) : NULL;
    if (at && !mapping_add(at, bytes, fd, p)) {
        munmap(at, bytes);
        at = NULL;
    }
    if (at && held) memcpy(at, from, held);
    if (!at && fd >= 0) close(fd);
    return at;
}

bool cells_grow(void **cells, size_t *room, size_t count, size_t size, Problem *p)
{
    size_t wanted = *room < 16 ? 16 : *room + *room / 2, bytes;
    if (count <= *room) return true;
    if (wanted < count) wanted = count;
    if (!size_product(wanted, size, &bytes) || bytes >= PTRDIFF_MAX || bytes <= limit_now())
        return memory_grow(cells, room, count, size, p);
    Mapping *m = *cells ? mapping_of(*cells) : NULL;
    void *at;
    if (m) {
        if (!(at = spill_map(m->fd, bytes, p))) return false;
        munmap(m->at, m->bytes);
        *m = (Mapping){ at, bytes, m->fd };
    } else {
        if (!(at = spill_new(*cells, *room * size, bytes, p))) return false;
        free(*cells);
    }
    *cells = at;
    *room = wanted;
    return true;
}

void *cells_new(size_t count, size_t size, Problem *p)
{
    size_t bytes;
    if (!size_product(count, size, &bytes) || bytes >= PTRDIFF_MAX || bytes <= limit_now())
        return memory_new(count, size, p);
    return spill_new(NULL, 0, bytes, p);
}

/* ---- somebody else's file ---- */

/* Maps a plain file that is larger than the limit. *out stays empty, without a problem, for any other. */
static bool file_map(const char *path, Bytes *out, Problem *p)
{
    unsigned char magic[2] = { 0 };
    struct stat s;
    *out = (Bytes){ 0 };
    if (!strcmp(path, "-") || stat(path, &s) || !S_ISREG(s.st_mode) || (uintmax_t)s.st_size <= limit_now()) return true;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return problem_set(p, EXIT_IO, "cannot open %s: %s", path, strerror(errno));
    const bool packed = pread(fd, magic, 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
    void *at = packed || fstat(fd, &s) ? MAP_FAILED : mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (at == MAP_FAILED) return true; /* read it, then */
    if (!mapping_add(at, (size_t)s.st_size, -1, p)) {
        munmap(at, (size_t)s.st_size);
        return false;
    }
    *out = (Bytes){ at, (size_t)s.st_size };
    return true;
}

bool data_read(const char *path, Bytes *out, Problem *p)
{
    static const size_t most = (size_t)1 << 34;
    return file_map(path, out, p) && (out->at || file_read(path, most, out, p));
}

bool data_map(const char *path, Bytes *out, Problem *p) { return file_map(path, out, p); }

/* ---- reading ---- */

bool cells_mapped(const void *cells) { return mapping_of(cells) != NULL; }

void cells_any_order(const void *cells)
{
    const Mapping *m = mapping_of(cells);
    if (m) madvise(m->at, m->bytes, MADV_RANDOM);
}

void cells_ahead(const void *at, size_t bytes)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)at / page * page;
    madvise((void *)begin, (uintptr_t)at + bytes - begin, MADV_WILLNEED);
}
