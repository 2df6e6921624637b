/* parse.c: a file on disk -> Source -> File. The work is done by scan.c and the grammar. */
#include "syntax/scan.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_BYTES = 64 << 20 };

/* --- reading ---------------------------------------------------------------------------------------------------- */

static const Source *read_failed(const Place *at, const char *message)
{
    if (at && at->source) error_at(*at, "%s", message);
    else error_plain("%s", message);
    return NULL;
}

static const char *unfit(const struct stat *s)   /* why the file cannot be a source, or NULL */
{
    if (S_ISDIR(s->st_mode)) return "it is a folder";
    if (S_ISFIFO(s->st_mode)) return "it is a pipe, not a file";
    if (!S_ISREG(s->st_mode)) return "it is a device or socket, not a file";
    if (s->st_size > MOST_BYTES) return format("it is larger than %d MB", MOST_BYTES >> 20);
    return NULL;
}

static const Source *descriptor_read(int file, const char *path, const Place *at)
{
    struct stat s;
    if (fstat(file, &s) != 0) return read_failed(at, format("cannot read '%s': %s", path, strerror(errno)));
    const char *why = unfit(&s);
    if (why) return read_failed(at, format("cannot read '%s': %s", path, why));
    size_t room = (size_t)s.st_size, n = 0;
    char *text = arena_alloc(room + 1);
    while (n < room) {
        ssize_t got = read(file, text + n, room - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return read_failed(at, format("cannot read '%s': %s", path, strerror(errno)));
        if (got == 0) break;                     /* it has become shorter */
        n += (size_t)got;
    }
    Source *source = NEW(Source);
    *source = (Source){ intern(path), text, n };
    return source;
}

const Source *source_read(const char *path, const Place *at)
{
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);        /* a pipe without a writer must not hang dlnc */
    if (file < 0) return read_failed(at, format("cannot open '%s': %s", path, strerror(errno)));
    const Source *source = descriptor_read(file, path, at);
    close(file);
    return source;
}

/* --- parsing ---------------------------------------------------------------------------------------------------- */

File *parse_source(const Source *source)
{
    File *file = NEW(File);
    file->source = source;
    Scan scan;
    scan_begin(&scan, source);
    if (!scan_check(&scan)) return file;
    dln_parse(&scan);
    file->at = scan.items.at;
    file->count = scan.items.count;
    return file;
}

void tokens_print(const Source *source, FILE *to)
{
    Scan scan;
    Token t;
    scan_begin(&scan, source);
    if (!scan_check(&scan)) return;
    do {
        scan_next(&scan, &t);
        const char *text = format("%.*s", (int)(t.end - t.begin), source->text + t.begin);
        fprintf(to, "%d:%d\t", t.at.line, t.at.column);
        switch (t.kind) {
        case 0: fputs("end\n", to); break;
        case SEP: fputs("end of statement\n", to); break;
        case NAME: fprintf(to, "name\t%s\n", text); break;
        case NUMBER: fprintf(to, "number\t%s\n", text); break;
        case STRING: fprintf(to, "string\t%s\n", text); break;
        case REDUCE: fprintf(to, "reduction\t%s\n", text); break;
        case CONSTANT: fprintf(to, "constant\t%s\n", text); break;
        default: fprintf(to, "%s\t%s\n", token_is_keyword(t.kind) ? "keyword" : "sign", text);
        }
    } while (t.kind != 0);
}
