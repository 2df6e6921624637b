/* file.c: reading plain and gzip files without trusting their size, finding data files, and writing files that are
 * either complete or not there. SPDX-License-Identifier: 0BSD */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include "host.h"

struct Stream {
    gzFile file;
    char *name;
};

/* Folders, FIFOs and devices are refused before a read could hang. */
static int regular_open(const char *path, Problem *p)
{
    struct stat s;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        problem_set(p, EXIT_IO, "cannot open %s: %s", path, strerror(errno));
    else if (fstat(fd, &s) || !S_ISREG(s.st_mode)) {
        problem_set(p, EXIT_IO, "%s is not a file", path);
        close(fd);
        fd = -1;
    }
    return fd;
}

Stream *stream_open(const char *path, Problem *p)
{
    bool standard = !strcmp(path, "-");
    int fd = standard ? dup(STDIN_FILENO) : regular_open(path, p);
    if (fd < 0) {
        if (standard) problem_set(p, EXIT_IO, "standard input is closed");
        return NULL;
    }
    Stream *s = memory_new(1, sizeof *s, p);
    if (s) s->name = text_join(p, "%s", standard ? "standard input" : path);
    if (s && s->name) s->file = gzdopen(fd, "rb");
    if (!s || !s->name || !s->file) {
        if (s && s->name) problem_set(p, EXIT_IO, "out of memory");
        close(fd);
        if (s) free(s->name);
        free(s);
        return NULL;
    }
    struct stat size;                            /* a small file needs no large buffers */
    if (fstat(fd, &size) || !S_ISREG(size.st_mode) || size.st_size > 1 << 18) size.st_size = 1 << 18;
    gzbuffer(s->file, (unsigned)size.st_size + 64);
    return s;
}

const char *stream_name(const Stream *s) { return s->name; }

bool stream_read(Stream *s, void *to, size_t count, size_t *got, Problem *p)
{
    *got = 0;
    while (*got < count) {
        size_t left = count - *got;
        int n = gzread(s->file, (char *)to + *got, left > INT_MAX / 2 ? INT_MAX / 2 : (unsigned)left), kind;
        if (n > 0) {
            *got += (size_t)n;
            continue;
        }
        const char *why = gzerror(s->file, &kind);
        if (kind == Z_OK || kind == Z_STREAM_END) return true;
        if (kind == Z_MEM_ERROR) return problem_set(p, EXIT_IO, "%s: out of memory", s->name);
        if (kind == Z_BUF_ERROR) return problem_set(p, EXIT_INPUT, "%s: the gzip data end too early", s->name);
        if (kind == Z_ERRNO) return problem_set(p, EXIT_IO, "%s: %s", s->name, strerror(errno));
        return problem_set(p, EXIT_INPUT, "%s: damaged gzip data (%s)", s->name, why);
    }
    return true;
}

void stream_close(Stream *s)
{
    if (!s) return;
    gzclose(s->file);
    free(s->name);
    free(s);
}

/* A plain file of a known size goes straight into its place. *out stays empty, without a problem, for any other. */
static bool plain_read(const char *path, size_t limit, Bytes *out, Problem *p)
{
    unsigned char magic[2] = { 0 };
    struct stat s;
    if (!strcmp(path, "-")) return true;
    const int fd = regular_open(path, p);
    if (fd < 0) return false;
    const bool packed = pread(fd, magic, 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
    if (packed || fstat(fd, &s) || s.st_size <= 0 || (uintmax_t)s.st_size > limit) {
        close(fd);
        return true;
    }
    const size_t size = (size_t)s.st_size;
    size_t room = 0;
    ssize_t n = 1;
    if (!memory_grow((void **)&out->at, &room, size + 1, 1, p)) {
        close(fd);
        return false;
    }
    while (out->count < size && n) {
        n = read(fd, out->at + out->count, size - out->count);
        if (n > 0) out->count += (size_t)n;
        if (n < 0 && errno != EINTR) {
            problem_set(p, EXIT_IO, "%s: %s", path, strerror(errno));
            break;
        }
    }
    close(fd);
    out->at[out->count] = 0;
    if (n >= 0) return true;
    free(out->at);
    *out = (Bytes){ 0 };
    return false;
}

bool file_read(const char *path, size_t limit, Bytes *out, Problem *p)
{
    size_t room = 0, got;
    *out = (Bytes){ 0 };
    if (!plain_read(path, limit, out, p)) return false;
    if (out->at) return true;
    Stream *s = stream_open(path, p);
    if (!s) return false;
    for (bool more = true; more;) {
        size_t chunk = out->count < (1 << 16) ? 1 << 16 : out->count / 2;
        if (!memory_grow((void **)&out->at, &room, out->count + chunk + 1, 1, p)) break;
        if (!stream_read(s, out->at + out->count, chunk, &got, p)) break;
        out->count += got;
        if (out->count > limit) {
            problem_set(p, EXIT_INPUT, "%s: more than %zu bytes", path, limit);
            break;
        }
        if (got < chunk) {
            out->at[out->count] = 0;
            more = false;
            stream_close(s);
            return true;
        }
    }
    stream_close(s);
    free(out->at);
    *out = (Bytes){ 0 };
    return false;
}

/* folder/name or folder/name.gz, if that is a file; a new string. */
static char *file_here(const char *folder, const char *name, Problem *p)
{
    for (int packed = 0; packed < 2; packed++) {
        struct stat s;
        char *path = name[0] == '/' ? text_join(p, "%s%s", name, packed ? ".gz" : "")
                                    : text_join(p, "%s/%s%s", folder, name, packed ? ".gz" : "");
        if (!path) return NULL;
        if (!stat(path, &s) && !S_ISDIR(s.st_mode)) return path;
        free(path);
    }
    return NULL;
}

/* folder/name, if that is a folder; a new string. */
static char *folder_here(const char *folder, const char *name, Problem *p)
{
    struct stat s;
    char *path = name[0] == '/' ? text_join(p, "%s", name) : text_join(p, "%s/%s", folder, name);
    if (path && !stat(path, &s) && S_ISDIR(s.st_mode)) return path;
    free(path);
    return NULL;
}

/* What `here` finds in the folder or in the one of its sub-folders that has it. NULL: p has its code if something went
 * wrong, else there is none. */
typedef char *FindHere(const char *folder, const char *name, Problem *p);
static char *path_find(const char *folder, const char *name, FindHere *here, Problem *p)
{
    char *found = here(folder, name, p);
    DIR *d = found || name[0] == '/' ? NULL : opendir(folder);
    if (!d) return found;
    for (const struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        char *sub = text_join(p, "%s/%s", folder, e->d_name);
        char *path = sub ? here(sub, name, p) : NULL;
        free(sub);
        if (path && found) {
            problem_set(p, EXIT_IO, "%s is in two folders: %s and %s; choose with --data", name, found, path);
            free(path);
            free(found);
            closedir(d);
            return NULL;
        }
        if (path) found = path;
    }
    closedir(d);
    return found;
}

static const char *folder_words(const char *folder, const char *name)
{
    return name[0] == '/' ? "/" : !strcmp(folder, ".") ? "the current folder" : folder;
}

char *file_find(const char *folder, const char *name, Problem *p)
{
    Problem mine = { 0 };
    char *found = path_find(folder, name, file_here, &mine);
    if (!found && mine.code)
        *p = mine;
    else if (!found)
        problem_set(p, EXIT_IO, "cannot find %s (or %s.gz) in %s; --data DIR or DLN_DATA names the folder", name, name,
                    folder_words(folder, name));
    return found;
}

char *folder_find(const char *folder, const char *name, Problem *p)
{
    Problem mine = { 0 };
    char *found = path_find(folder, name, folder_here, &mine);
    if (!found && mine.code)
        *p = mine;
    else if (!found)
        problem_set(p, EXIT_IO, "cannot find a folder %s in %s; --data DIR or DLN_DATA names the folder it is in", name,
                    folder_words(folder, name));
    return found;
}

bool atomic_open(AtomicFile *f, const char *path, Problem *p)
{
    struct stat s;
    *f = (AtomicFile){ .fd = -1 };
    bool there = !stat(path, &s);
    if (there && !S_ISREG(s.st_mode)) return problem_set(p, EXIT_IO, "cannot write %s: it is not a file", path);
    char *real = there ? realpath(path, NULL) : NULL; /* a link stays, what it points to is replaced */
    f->path = text_join(p, "%s", real ? real : path);
    free(real);
    for (int attempt = 0; f->path && attempt < 100; attempt++) {
        f->temporary = text_join(p, "%s.%ld-%d.tmp", f->path, (long)getpid(), attempt);
        if (!f->temporary) break;
        f->fd = open(f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (f->fd >= 0) return true;
        bool taken = errno == EEXIST;
        problem_set(p, EXIT_IO, "cannot write %s: %s", path, strerror(errno));
        free(f->temporary);
        f->temporary = NULL;
        if (!taken) break;
    }
    atomic_cancel(f);
    return false;
}

bool atomic_write(AtomicFile *f, const void *bytes, size_t count, Problem *p)
{
    const char *from = bytes;
    while (count) {
        ssize_t n = write(f->fd, from, count);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return problem_set(p, EXIT_IO, "cannot write %s: %s", f->path, strerror(errno));
        if (n == 0) return problem_set(p, EXIT_IO, "cannot write %s: nothing was taken", f->path);
        from += n;
        count -= (size_t)n;
    }
    return true;
}

/* The new name is on the disk only when its folder is. Some file systems cannot do that for folders: not an error. */
static bool folder_sync(const char *path, Problem *p)
{
    char *copy = text_join(p, "%s", path);
    if (!copy) return false;
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd < 0 || !fsync(fd) || errno == EINVAL || errno == EROFS;
    if (!good) problem_set(p, EXIT_IO, "cannot flush the folder of %s: %s", path, strerror(errno));
    if (fd >= 0) close(fd);
    free(copy);
    return good;
}

bool atomic_commit(AtomicFile *f, Problem *p)
{
    bool good = !fsync(f->fd);
    int closed = close(f->fd);
    f->fd = -1;
    if (!good || closed || rename(f->temporary, f->path)) {
        problem_set(p, EXIT_IO, "cannot write %s: %s", f->path, strerror(errno));
        atomic_cancel(f);
        return false;
    }
    free(f->temporary);
    f->temporary = NULL;
    good = folder_sync(f->path, p);
    atomic_cancel(f);
    return good;
}

void atomic_cancel(AtomicFile *f)
{
    if (f->fd >= 0) close(f->fd);
    if (f->temporary) unlink(f->temporary);
    free(f->temporary);
    free(f->path);
    *f = (AtomicFile){ .fd = -1 };
}
