/* output.c: the files that dlnc writes. Each is written under a name of its own beside its path and flushed to the disk;
 * when all are there they are renamed. On any failure what is new is removed and the old contents stand. */
#include "driver/output.h"
#include "driver/options.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int failed(const char *what, const char *path)
{
    error_plain("cannot %s %s: %s", what, path, strerror(errno));
    return EXIT_IO;
}

static bool write_all(int fd, const char *at, size_t length)
{
    while (length) {
        ssize_t n = write(fd, at, length);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            if (!n) errno = ENOSPC;
            return false;
        }
        at += n;
        length -= (size_t)n;
    }
    return true;
}

static bool holds(const char *path, Text *text)
{
    struct stat s;
    if (stat(path, &s) || !S_ISREG(s.st_mode) || (size_t)s.st_size != text->length) return false;
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    char *now = arena_alloc(text->length + 1);
    bool same = fread(now, 1, text->length, f) == text->length && !memcmp(now, text_string(text), text->length);
    fclose(f);
    return same;
}

/* A device, a pipe: written in place, there is nothing to rename. */
static int write_in_place(const char *path, Text *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return failed("open", path);
    bool good = write_all(fd, text_string(text), text->length);
    int error = errno;
    if (close(fd) && good) { good = false; error = errno; }
    errno = error;
    return good ? 0 : failed("write", path);
}

/* A name in the folder of path that no file has, short enough wherever path is. */
static const char *name_beside(const char *path, const char *what)
{
    static int count;
    return format("%.*s.dlnc-%ld-%d.%s", (int)(base_name(path) - path), path, (long)getpid(), ++count, what);
}

/* Writes f->beside, with its contents on the disk; or nothing, if f->path has them or takes them in place. */
static int file_prepare(OutputFile *f, bool only_if_changed)
{
    struct stat s;
    bool exists = !stat(f->path, &s);
    if (exists && S_ISDIR(s.st_mode)) {
        errno = EISDIR;
        return failed("write", f->path);
    }
    if (exists && !S_ISREG(s.st_mode)) return write_in_place(f->path, f->text);
    if (only_if_changed && holds(f->path, f->text)) return 0;
    const char *beside = name_beside(f->path, "tmp"), *kept = name_beside(f->path, "old.tmp"), *text = text_string(f->text);
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) return failed("write", f->path);
    f->beside = beside;
    f->kept = kept;
    f->existed = exists;
    bool good = write_all(fd, text, f->text->length) && !fsync(fd);
    int error = errno;
    if (close(fd) && good) { good = false; error = errno; }
    errno = error;
    return good ? 0 : failed("write", f->path);
}

/* The old contents, which have a second name, or nothing, in place of the new ones. */
static void file_restore(OutputFile *f)
{
    if (!f->existed) unlink(f->path);
    if (!f->kept || !rename(f->kept, f->path)) {
        f->kept = NULL;
        return;
    }
    if (!unlink(f->path) && !link(f->kept, f->path)) return;
    error_plain("what was in %s is in %s now", f->path, f->kept);
    f->kept = NULL;
}

/* The old contents keep a second name until all files have their new ones. Where a file system has no links there is
 * nothing to go back to, and the first rename that fails leaves the files before it new. */
static int files_rename(OutputFile *files, int count)
{
    for (int i = 0; i < count; i++)
        if (!files[i].beside || !files[i].existed || link(files[i].path, files[i].kept)) files[i].kept = NULL;
    int done = 0, error = 0;
    for (; done < count && !error; done += !error)
        if (files[done].beside && rename(files[done].beside, files[done].path)) error = errno;
    for (int i = 0; i < done && error; i++)
        if (files[i].beside) file_restore(&files[i]);
    for (int i = 0; i < count; i++)
        if (files[i].kept) unlink(files[i].kept);
    errno = error;
    return error ? failed("write", files[done].path) : 0;
}

int files_write(OutputFile *files, int count, bool only_if_changed)
{
    int status = 0;
    for (int i = 0; i < count && !status; i++) status = file_prepare(&files[i], only_if_changed);
    if (!status) status = files_rename(files, count);
    for (int i = 0; status && i < count; i++)
        if (files[i].beside) unlink(files[i].beside);
    return status;
}

int file_write_stream(FILE *to, Text *text)
{
    fwrite(text_string(text), 1, text->length, to);
    return stream_close(to);
}

int stream_close(FILE *to)
{
    if (!fflush(to) && !ferror(to)) return 0;
    return failed("write", "the standard output");
}

/* A name as make and ninja read it: backslashes count only before a blank or a #, where they are doubled. */
static void add_path(Text *t, const char *path)
{
    size_t backslashes = 0;
    for (; *path; path++) {
        if (*path == ' ' || *path == '\t' || *path == '#')
            for (size_t i = 0; i <= backslashes; i++) text_add(t, "\\");
        if (*path == '$') text_add(t, "$");
        backslashes = *path == '\\' ? backslashes + 1 : 0;
        text_add_n(t, path, 1);
    }
}

void depfile_text(Text *t, const Depends *d)
{
    for (int i = 0; i < d->targets; i++) {
        text_add(t, i ? " " : "");
        add_path(t, d->target[i]);
    }
    text_add(t, ": ");
    add_path(t, d->source);
    for (int i = 0; i < d->others.count; i++) {
        text_add(t, " ");
        add_path(t, d->others.at[i]);
    }
    text_add(t, "\n");
    for (int i = 0; i < d->others.count; i++) {      /* one that is gone is no error of make: the target is made anew */
        add_path(t, d->others.at[i]);
        text_add(t, ":\n");
    }
}
