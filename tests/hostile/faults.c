/* faults.c: runs a program's main once for each call that it makes of the functions below, in a process of its own, and
 * makes that call fail: once, it and all after it, interrupted (EINTR), or done in part (short reads and writes).
 *
 *     faults WHOLE OLD NOW PROGRAM ARGUMENT...          (faults plain ARGUMENT...: nothing fails)
 *
 * The linker puts these functions in the place of the real ones (--wrap; `failures` lists them), also within zlib and
 * jansson, and the program's main is called program_main. It runs in the folder NOW, which holds copies of OLD's files.
 * It must end by itself, with 0 and the files and output that it makes undisturbed, or with 1, 2 or 3, a message, and
 * nothing but the files that were there; those with their old contents, or, if WHOLE is `each`, whole ones. The
 * sanitizers watch.
 * SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef FAULTS_HOST
#include "host/run.h"
#endif

int program_main(int argc, char **argv);

typedef enum {
    ALLOC, OPEN, READ, WRITE, FSYNC, CLOSE, RENAME, LINK, FOPEN, FCLOSE, STAT, PATH, FOLDER, START, CALLS
} Call;
static const char *const call_name[] = { "allocation", "open", "read", "write", "fsync", "close", "rename", "link", "fopen",
                                         "fclose", "stat", "realpath", "opendir", "fork" };
static const int call_error[] = { ENOMEM, EMFILE, EIO, ENOSPC, EIO, EIO, EIO, EPERM, EMFILE, EIO, EIO, EACCES, EACCES, EAGAIN };
typedef enum { ONCE, EVER, INTERRUPTED, PARTLY, MODES } Mode;
static const char *const mode_name[] = { "once", "from then on", "interrupted", "done in part" };

/* What the child is to do and has done: shared with it. */
static struct Shared { long seen[CALLS]; Call call; Mode mode; long at; bool on, failed; } *shared;
static long blocks;                              /* allocated and not yet freed */

/* Whether this call is to be disturbed, with errno set. */
static bool disturbed(Call call)
{
    if (!shared || !shared->on) return false;
    long number = ++shared->seen[call];
    if (call != shared->call || number < shared->at || (number > shared->at && shared->mode != EVER)) return false;
    shared->failed = true;
    errno = shared->mode == INTERRUPTED ? EINTR : call_error[call];
    return true;
}
static bool fails(Call call) { return disturbed(call) && shared->mode != PARTLY; }

/* ---- in place of the real ones ----------------------------------------------------------------------------------- */
#define REAL(type, name, ...) type __real_##name(__VA_ARGS__); type __wrap_##name(__VA_ARGS__); type __wrap_##name(__VA_ARGS__)
static void *counted(void *block) { return blocks += block != NULL, block; }
REAL(void *, malloc, size_t n) { return fails(ALLOC) ? NULL : counted(__real_malloc(n)); }
REAL(void *, calloc, size_t a, size_t b) { return fails(ALLOC) ? NULL : counted(__real_calloc(a, b)); }
REAL(void *, realloc, void *p, size_t n)
{
    if (fails(ALLOC)) return NULL;
    void *block = __real_realloc(p, n);
    return p ? block : counted(block);
}
REAL(int, posix_memalign, void **p, size_t a, size_t n)
{
    int status = fails(ALLOC) ? ENOMEM : __real_posix_memalign(p, a, n);
    blocks += !status;
    return status;
}
REAL(void, free, void *p) { blocks -= p != NULL; __real_free(p); }
REAL(char *, strdup, const char *text) { return fails(ALLOC) ? NULL : counted(__real_strdup(text)); }
REAL(FILE *, fopen, const char *path, const char *mode) { return fails(FOPEN) ? NULL : __real_fopen(path, mode); }
REAL(int, fsync, int fd) { return fails(FSYNC) ? -1 : __real_fsync(fd); }
REAL(int, rename, const char *from, const char *to) { return fails(RENAME) ? -1 : __real_rename(from, to); }
REAL(int, link, const char *from, const char *to) { return fails(LINK) ? -1 : __real_link(from, to); }
REAL(int, stat, const char *path, struct stat *s) { return fails(STAT) ? -1 : __real_stat(path, s); }
REAL(int, fstat, int fd, struct stat *s) { return fails(STAT) ? -1 : __real_fstat(fd, s); }
REAL(char *, realpath, const char *path, char *to)
{
    char *real = fails(PATH) ? NULL : __real_realpath(path, to);
    return to ? real : counted(real);
}
REAL(DIR *, opendir, const char *path) { return fails(FOLDER) ? NULL : __real_opendir(path); }
REAL(char *, mkdtemp, char *path) { return fails(FOLDER) ? NULL : __real_mkdtemp(path); }
REAL(int, dup, int fd) { return fails(OPEN) ? -1 : __real_dup(fd); }
REAL(pid_t, fork, void) { return fails(START) ? -1 : __real_fork(); }

/* What is closed is closed also when that fails, as on Linux. */
REAL(int, close, int fd)
{
    bool fail = fails(CLOSE);
    int status = __real_close(fd);
    if (fail) errno = shared->mode == INTERRUPTED ? EINTR : EIO;
    return fail ? -1 : status;
}

REAL(int, fclose, FILE *f)
{
    bool fail = fails(FCLOSE);
    int status = __real_fclose(f);
    if (fail) errno = EIO;
    return fail ? EOF : status;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = flags & O_CREAT ? va_arg(args, int) : 0;
    va_end(args);
    return fails(OPEN) ? -1 : __real_open(path, flags, mode);
}

/* How much of n bytes is moved, or -1. A full disk takes half first. */
static ssize_t amount(Call call, size_t n)
{
    if (!disturbed(call)) return (ssize_t)n;
    return shared->mode == PARTLY ? (ssize_t)(n / 2 + (n > 0)) - (n > 1) : -1;
}
#define MOVE(name, type, call, ...) \
    REAL(ssize_t, name, int fd, type p, size_t n __VA_ARGS__)
MOVE(read, void *, READ) { ssize_t k = amount(READ, n); return k < 0 ? -1 : __real_read(fd, p, (size_t)k); }
MOVE(pread, void *, READ, , off_t at) { ssize_t k = amount(READ, n); return k < 0 ? -1 : __real_pread(fd, p, (size_t)k, at); }
MOVE(write, const void *, WRITE)
{
    ssize_t k = amount(WRITE, n);
    if (k >= 0) return __real_write(fd, p, (size_t)k);
    int error = errno;
    if (error == ENOSPC && n > 1 && __real_write(fd, p, n / 2) < 0) return -1;
    errno = error;
    return -1;
}
MOVE(pwrite, const void *, WRITE, , off_t at) { ssize_t k = amount(WRITE, n); return k < 0 ? -1 : __real_pwrite(fd, p, (size_t)k, at); }

/* ---- folders of a few small files -------------------------------------------------------------------------------- */
enum { FILES = 32, LARGEST = 1 << 22, LEAKS = 97 };
typedef struct Contents { int count; char *name[FILES]; char *bytes[FILES]; size_t size[FILES]; } Contents;

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "faults: %s: %s\n", what, strerror(errno));
    exit(4);
}

static int name_order(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static Contents contents_read(const char *folder)
{
    static char buffer[LARGEST];
    Contents c = { 0 };
    DIR *d = __real_opendir(folder);
    if (!d) give_up(folder);
    for (const struct dirent *e; (e = readdir(d)) && c.count < FILES;)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) c.name[c.count++] = strdup(e->d_name);
    closedir(d);
    qsort(c.name, (size_t)c.count, sizeof *c.name, name_order);
    for (int i = 0; i < c.count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, c.name[i]);
        int fd = __real_open(path, O_RDONLY);
        ssize_t n = fd < 0 ? -1 : __real_read(fd, buffer, sizeof buffer);
        if (fd >= 0) __real_close(fd);
        c.size[i] = n < 0 ? 0 : (size_t)n;                   /* -1: a folder; it has a name and no contents */
        c.bytes[i] = __real_malloc(c.size[i] + 1);
        memcpy(c.bytes[i], buffer, c.size[i]);
    }
    return c;
}

static void contents_free(Contents *c)
{
    for (int i = 0; i < c->count; i++) {
        free(c->name[i]);
        free(c->bytes[i]);
    }
}

static int contents_find(const Contents *c, const char *name)
{
    for (int i = 0; i < c->count; i++)
        if (!strcmp(c->name[i], name)) return i;
    return -1;
}

/* File i of a is the same in b. */
static bool file_same(const Contents *a, int i, const Contents *b)
{
    int k = contents_find(b, a->name[i]);
    return k >= 0 && a->size[i] == b->size[k] && !memcmp(a->bytes[i], b->bytes[k], a->size[i]);
}

static void folder_fill(const char *folder, const Contents *c)
{
    Contents now = contents_read(folder);
    for (int i = 0; i < now.count; i++)
        if (!file_same(&now, i, c) && unlinkat(AT_FDCWD, now.name[i], 0) && unlinkat(AT_FDCWD, now.name[i], AT_REMOVEDIR))
            give_up(now.name[i]);
    for (int i = 0; i < c->count; i++) {
        if (file_same(c, i, &now)) continue;
        int fd = __real_open(c->name[i], O_WRONLY | O_CREAT | O_TRUNC, 0755);
        if (fd < 0 || __real_write(fd, c->bytes[i], c->size[i]) != (ssize_t)c->size[i]) give_up(c->name[i]);
        __real_close(fd);
    }
    contents_free(&now);
}

/* ---- a run and what it must be ----------------------------------------------------------------------------------- */
static Contents old, new;
static char *output;                             /* undisturbed; size of it */
static size_t output_size;
static bool each;
static int runs, wrong;

static char *slurp(int fd, size_t *size)
{
    *size = (size_t)lseek(fd, 0, SEEK_END);
    char *text = __real_malloc(*size + 1);
    if (__real_pread(fd, text, *size, 0) != (ssize_t)*size) give_up("output");
    text[*size] = 0;
    return text;
}

static int run(int argc, char **argv, int out, int err)
{
    int status, in = __real_open("/dev/null", O_RDONLY);
    folder_fill(".", &old);
    int from = contents_find(&old, "stdin");
    if (from >= 0) {
        __real_close(in);
        in = __real_open("stdin", O_RDONLY);
    }
    if (ftruncate(out, 0) || ftruncate(err, 0) || in < 0) give_up("output");
    memset(shared->seen, 0, sizeof shared->seen);
    shared->failed = false;
    fflush(NULL);
    pid_t child = __real_fork();
    if (child < 0) give_up("fork");
    if (!child) {
        lseek(out, 0, SEEK_SET);
        lseek(err, 0, SEEK_SET);
        if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(98);
        alarm(20);
        shared->on = true;
        blocks = 0;
        int code = program_main(argc, argv);
        shared->on = false;
        exit(blocks ? LEAKS : code);
    }
    __real_close(in);
    while (waitpid(child, &status, 0) < 0) {}
    shared->on = false;
    return status;
}

/* A checkpoint whose structure and checksum are right. Looked at by a process of its own: jansson opens /dev/urandom for
 * its first object, and the runs to come would no longer make that call. */
static bool file_whole(const char *name)
{
#ifdef FAULTS_HOST
    int status;
    pid_t child = __real_fork();
    if (child < 0) give_up("fork");
    if (!child) {
        StoredFile f;
        Problem p = { .code = 0 };
        _exit(!stored_open(&f, name, &p));
    }
    while (waitpid(child, &status, 0) < 0) {}
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
#else
    (void)name;
    return false;
#endif
}

static const char *judge(int status, int out, int err)
{
    size_t size, errors;
    if (WIFSIGNALED(status)) return "ended by a signal";
    const int code = WEXITSTATUS(status);
    if (code == 99) return "a sanitizer's report";
    if (code == LEAKS) return "memory is not freed";
    if (code > 3) return "exit code above 3";
    const char *said = NULL;
    char *text = slurp(out, &size), *message = slurp(err, &errors);
    Contents now = contents_read(".");
    if (code && !strstr(message, "error: ")) said = "no message";
    if (!code && (size != output_size || memcmp(text, output, size))) said = "exit 0, but other output";
    for (int i = 0; i < now.count && !said; i++) {
        if (file_same(&now, i, &new) && (!code || each)) continue;
        if (file_same(&now, i, &old) && code) continue;
        if (!strcmp(now.name[i], "f.csv")) continue;                         /* a log grows line by line */
        if (code && each && contents_find(&new, now.name[i]) < 0 && !strstr(now.name[i], ".best.")) said = "a new file";
        else if (!code || !each || !file_whole(now.name[i])) said = "a file is not what it should be";
    }
    for (int i = 0; i < old.count && !said; i++)
        if (contents_find(&now, old.name[i]) < 0) said = "a file is gone";
    for (int i = 0; i < new.count && !said && !code; i++)
        if (contents_find(&now, new.name[i]) < 0) said = "exit 0, but a file is missing";
    contents_free(&now);
    free(text);
    free(message);
    return said;
}

static void complain(const char *what, int err, char **argv)
{
    size_t size;
    char *message = slurp(err, &size);
    printf("%s: %s %ld %s:", what, call_name[shared->call], shared->at, mode_name[shared->mode]);
    for (; *argv; argv++) printf(" %s", *argv);
    printf("\n%.1500s\n", message);
    free(message);
    DIR *d = __real_opendir(".");
    for (const struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' || strlen(e->d_name) > 2) printf("    %s\n", e->d_name);
    if (d) closedir(d);
    wrong++;
}

static bool makes_sense(Call call, Mode mode)
{
    const bool moves = call == READ || call == WRITE;
    return mode < INTERRUPTED || (mode == PARTLY && moves) || (mode == INTERRUPTED && (moves || call == OPEN || call == CLOSE));
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "empty")) return program_main(0, argv + 2);
    if (argc > 1 && !strcmp(argv[1], "plain")) return program_main(argc - 1, argv + 1);
    if (argc < 6) return 2;
    each = !strcmp(argv[1], "each");
    old = contents_read(argv[2]);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int out = memfd_create("out", 0), err = memfd_create("err", 0);
    if (shared == MAP_FAILED || out < 0 || err < 0 || chdir(argv[3])) give_up(argv[3]);
    argc -= 4, argv += 4;
    shared->at = 0;
    int status = run(argc, argv, out, err);
    output = slurp(out, &output_size);
    new = contents_read(".");
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        complain("fails undisturbed", err, argv);
        return 1;
    }
    long calls[CALLS];
    memcpy(calls, shared->seen, sizeof calls);
    const char *only = getenv("DLN_FAULT");
    for (shared->call = 0; shared->call < CALLS; shared->call++)
        for (shared->mode = 0; shared->mode < MODES; shared->mode++) {
            if (!makes_sense(shared->call, shared->mode) || (only && strcmp(only, call_name[shared->call]))) continue;
            /* the first failure alone is one ONCE tries: every eighth allocation for good is enough */
            const long step = shared->call == ALLOC && shared->mode == EVER ? 8 : 1;
            for (shared->at = 1; shared->at <= calls[shared->call]; shared->at += step, runs++) {
                status = run(argc, argv, out, err);
                const char *what = shared->failed ? judge(status, out, err) : "the call was not made again";
                if (what) complain(what, err, argv);
                if (wrong > 10) return 1;
            }
        }
    printf("%d runs of %s %s\n", runs, argv[0], argv[1]);
    return wrong > 0;
}
