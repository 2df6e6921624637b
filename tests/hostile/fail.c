/* fail.c: a library for LD_PRELOAD that makes one call of the C library fail. DLN_FAIL is the call's name (alloc: malloc,
 * calloc, realloc), DLN_FAIL_AT which of them, from 1; with DLN_FAIL_EVER set, all that come after it too. The first that
 * fails leaves the file DLN_FAIL_MARK behind: without it every call has gone through. What stdio writes and what libc
 * calls within itself is not seen here.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Whether this call of the named function is to fail. */
static bool fails(const char *name, int error)
{
    static const char *wanted;
    static long at, seen;
    static bool ever, ready;
    if (!ready) {
        ready = true;
        const char *number = getenv("DLN_FAIL_AT");
        wanted = getenv("DLN_FAIL");
        at = number ? strtol(number, NULL, 10) : 0;
        ever = getenv("DLN_FAIL_EVER") != NULL;
    }
    if (!wanted || strcmp(wanted, name) || at < 1) return false;
    seen++;
    if (seen < at || (seen > at && !ever)) return false;
    const char *mark = getenv("DLN_FAIL_MARK");
    if (mark && seen == at) syscall(SYS_close, syscall(SYS_open, mark, O_CREAT | O_WRONLY, 0666));
    errno = error;
    return true;
}

/* glibc's own names of its allocator: finding them by dlsym() would allocate. */
extern void *__libc_malloc(size_t size), *__libc_calloc(size_t count, size_t size), *__libc_realloc(void *at, size_t size);
void *malloc(size_t size) { return fails("alloc", ENOMEM) ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return fails("alloc", ENOMEM) ? NULL : __libc_calloc(count, size); }
void *realloc(void *at, size_t size) { return fails("alloc", ENOMEM) ? NULL : __libc_realloc(at, size); }

#define NEXT(type, name) __typeof__(type) *next; *(void **)&next = dlsym(RTLD_NEXT, name)

typedef int Open(const char *path, int flags, ...);
static int open_as(const char *name, const char *path, int flags, va_list args)
{
    int mode = flags & O_CREAT ? va_arg(args, int) : 0;
    if (fails("open", EMFILE)) return -1;
    NEXT(Open, name);
    return next(path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int fd = open_as("open", path, flags, args);
    va_end(args);
    return fd;
}

int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int fd = open_as("open64", path, flags, args);
    va_end(args);
    return fd;
}

ssize_t read(int fd, void *to, size_t n)
{
    if (fails("read", EIO)) return -1;
    NEXT(ssize_t(int, void *, size_t), "read");
    return next(fd, to, n);
}

/* Fails as a full disk does: half is written first. */
ssize_t write(int fd, const void *from, size_t n)
{
    NEXT(ssize_t(int, const void *, size_t), "write");
    if (fails("write", ENOSPC)) {
        if (n > 1 && next(fd, from, n / 2) < 0) return -1;
        errno = ENOSPC;
        return -1;
    }
    return next(fd, from, n);
}

int fsync(int fd)
{
    if (fails("fsync", EIO)) return -1;
    NEXT(int(int), "fsync");
    return next(fd);
}

/* The descriptor is closed all the same, as on Linux. */
int close(int fd)
{
    NEXT(int(int), "close");
    bool fail = fails("close", EIO);
    int status = next(fd);
    if (!fail) return status;
    errno = EIO;
    return -1;
}

int rename(const char *from, const char *to)
{
    if (fails("rename", EIO)) return -1;
    NEXT(int(const char *, const char *), "rename");
    return next(from, to);
}

int link(const char *from, const char *to)
{
    if (fails("link", EPERM)) return -1;
    NEXT(int(const char *, const char *), "link");
    return next(from, to);
}
