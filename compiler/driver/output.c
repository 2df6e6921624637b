/* output.c: the files that dlnc writes. A file is written under a name of its own, flushed to the disk and renamed; on any
 * failure the new name is removed and the old contents stand. */
#include "driver/output.h"
#include "driver/options.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

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

int file_write(const char *path, Text *text, bool only_if_changed)
{
    struct stat s;
    bool exists = !stat(path, &s);
    if (exists && S_ISDIR(s.st_mode)) {
        errno = EISDIR;
        return failed("write", path);
    }
    if (exists && !S_ISREG(s.st_mode)) return write_in_place(path, text);
    if (only_if_changed && holds(path, text)) return 0;
    const char *beside = format("%s.%ld.tmp", path, (long)getpid());
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) return failed("create", beside);
    bool good = write_all(fd, text_string(text), text->length) && !fsync(fd);
    int error = errno;
    if (close(fd) && good) { good = false; error = errno; }
    if (good && rename(beside, path)) { good = false; error = errno; }
    if (good) return 0;
    unlink(beside);
    errno = error;
    return failed("write", path);
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

static void add_path(Text *t, const char *path)
{
    for (; *path; path++) {
        if (*path == ' ' || *path == '#' || *path == '\\') text_add(t, "\\");
        if (*path == '$') text_add(t, "$");
        text_add_n(t, path, 1);
    }
}

int depfile_write(const char *path, const char *target, const char *source, const Symbols *s)
{
    Text t = {0};
    add_path(&t, target);
    text_add(&t, ": ");
    add_path(&t, source);
    for (int i = 0; i < s->imported.count; i++) {
        text_add(&t, " ");
        add_path(&t, s->imported.at[i]->name);
    }
    text_add(&t, "\n");
    return file_write(path, &t, false);
}
