/* diag.c: messages for people (a line of source with a caret under it) and for programs (JSON). A message is kept until
 * the next one begins, since notes and suggestions still join it; in text form each part is printed as it comes.
 * Nothing here depends on the locale; bytes that a terminal could take for commands are shown as '?'. */
#include "base/diag.h"
#include "base/arena.h"
#include "base/text.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_MESSAGES = 50, WIDEST_LINE = 100, LONGEST_TEXT = 4000 };

typedef struct { Place at; bool placed; const char *text; } Part;
typedef struct Message {
    const char *severity;
    Part main;
    LIST(Part) notes;
    LIST(const char *) helps;
} Message;

static struct {
    FILE *to;
    DiagFormat format;
    bool color;
    int errors, shown;
    bool muted;                  /* the message is not shown, nor are its notes */
    bool capped;                 /* "too many errors" was said */
    bool any;                    /* JSON: an object was written */
    Message *open;               /* JSON: not yet written */
    LIST(Part) seen;             /* what was shown: nothing is said twice */
} diag;

/* --- text ------------------------------------------------------------------------------------------------------- */

static FILE *out(void) { return diag.to ? diag.to : stderr; }
static const char *paint(const char *code) { return diag.color ? code : ""; }

/* The length of the valid UTF-8 character at s, or 0. */
static int utf8_length(const unsigned char *s, size_t room)
{
    int n = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : s[0] < 0xF5 ? 4 : 0;
    if (n == 0 || (size_t)n > room) return 0;
    for (int i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    if (n == 3 && ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] >= 0xA0))) return 0;
    if (n == 4 && ((s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] >= 0x90))) return 0;
    return n;
}

static bool is_control(const unsigned char *s, int n)            /* C0, DEL and the C1 block U+0080..U+009F */
{
    return (n == 1 && (s[0] < 0x20 || s[0] == 0x7F)) || (n == 2 && s[0] == 0xC2 && s[1] < 0xA0);
}

/* Writes text that may hold anything. keep: a control byte that is passed on ('\t' or '\n'). */
static void write_safely(const char *text, size_t length, char keep)
{
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0; i < length;) {
        int n = utf8_length(s + i, length - i);
        if (n == 0 || (is_control(s + i, n) && s[i] != (unsigned char)keep)) fputc('?', out());
        else fwrite(s + i, 1, (size_t)n, out());
        i += n ? (size_t)n : 1;
    }
}

static const char *line_find(const Source *source, int line, size_t *length)
{
    const char *p = source->text, *end = p + source->length;
    for (int n = 1; n < line; n++) {
        const char *next = memchr(p, '\n', (size_t)(end - p));
        if (!next) return NULL;
        p = next + 1;
    }
    const char *stop = memchr(p, '\n', (size_t)(end - p));
    *length = (size_t)((stop ? stop : end) - p);
    if (*length && p[*length - 1] == '\r') --*length;
    return p;
}

/* The source line with carets under the place. A long line is cut to a window round it. */
static void line_show(Place at, const char *color)
{
    size_t length;
    const char *line = line_find(at.source, at.line, &length);
    if (!line) return;
    size_t from = at.column > 0 ? (size_t)at.column - 1 : 0;
    if (from > length) from = length;
    size_t to = at.end_line > at.line ? length : at.end_column > at.column ? (size_t)at.end_column - 1 : from + 1;
    if (to < from + 1) to = from + 1;
    size_t first = length > WIDEST_LINE && from > WIDEST_LINE / 2 ? from - WIDEST_LINE / 2 : 0;
    size_t last = length - first > WIDEST_LINE ? first + WIDEST_LINE : length;
    while (first > 0 && first < from && ((unsigned char)line[first] & 0xC0) == 0x80) first++;
    while (last < length && last > from && ((unsigned char)line[last] & 0xC0) == 0x80) last--;
    if (to > last) to = last > from ? last : from + 1;

    fprintf(out(), "%6d | %s", at.line, first ? "..." : "");
    write_safely(line + first, last - first, '\t');
    fprintf(out(), "%s\n       | %s", last < length ? "..." : "", first ? "   " : "");
    for (size_t i = first; i < from;) {
        int n = utf8_length((const unsigned char *)line + i, length - i);
        fputc(line[i] == '\t' ? '\t' : ' ', out());
        i += n ? (size_t)n : 1;
    }
    fputs(paint(color), out());
    for (size_t i = from; i < to;) {
        int n = i < length ? utf8_length((const unsigned char *)line + i, length - i) : 1;
        fputc('^', out());
        i += n ? (size_t)n : 1;
    }
    fprintf(out(), "%s\n", paint("\033[0m"));
}

static void part_show(const Part *p, const char *severity, const char *color)
{
    if (p->placed) {
        write_safely(p->at.source->name, strlen(p->at.source->name), '\0');
        fprintf(out(), ":%d:%d: ", p->at.line, p->at.column);
    } else if (strcmp(severity, "help") != 0) {
        fputs("dlnc: ", out());
    }
    fprintf(out(), "%s%s:%s ", paint(color), severity, paint("\033[0m"));
    size_t length = strlen(p->text);
    bool whole = length <= LONGEST_TEXT;
    write_safely(p->text, whole ? length : LONGEST_TEXT, '\n');
    fputs(whole ? "\n" : " ...\n", out());
    if (p->placed) line_show(p->at, color);
}

/* --- JSON ------------------------------------------------------------------------------------------------------- */

static void json_string(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t length = strlen(text);
    fputc('"', out());
    for (size_t i = 0; i < length;) {
        int n = utf8_length(s + i, length - i);
        if (n == 0) fputs("\\ufffd", out());
        else if (s[i] == '"' || s[i] == '\\') fprintf(out(), "\\%c", s[i]);
        else if (n == 1 && (s[i] < 0x20 || s[i] == 0x7F)) fprintf(out(), "\\u%04x", s[i]);
        else fwrite(s + i, 1, (size_t)n, out());
        i += n ? (size_t)n : 1;
    }
    fputc('"', out());
}

static void json_part(const Part *p)
{
    fputs("\"file\":", out());
    if (p->placed) json_string(p->at.source->name);
    else fputs("null", out());
    fprintf(out(), ",\"line\":%d,\"column\":%d,\"end_line\":%d,\"end_column\":%d,\"message\":",
            p->at.line, p->at.column, p->at.end_line, p->at.end_column);
    json_string(p->text);
}

static void json_flush(void)
{
    const Message *m = diag.open;
    if (!m) return;
    fprintf(out(), "%s{\"severity\":\"%s\",", diag.any ? ",\n" : "", m->severity);
    json_part(&m->main);
    fputs(",\"notes\":[", out());
    for (int i = 0; i < m->notes.count; i++) {
        fputs(i ? ",{" : "{", out());
        json_part(&m->notes.at[i]);
        fputc('}', out());
    }
    fputs("],\"help\":[", out());
    for (int i = 0; i < m->helps.count; i++) {
        if (i) fputc(',', out());
        json_string(m->helps.at[i]);
    }
    fputs("]}", out());
    diag.any = true;
    diag.open = NULL;
}

/* --- what the compiler calls ------------------------------------------------------------------------------------ */

void diag_begin(FILE *to, DiagFormat as, bool color)
{
    memset(&diag, 0, sizeof diag);
    diag.to = to;
    diag.format = as;
    diag.color = color && as == DIAG_TEXT;
    if (as == DIAG_JSON) fputc('[', out());
}

void diag_end(void)
{
    if (diag.format == DIAG_JSON) {
        json_flush();
        fputs("]\n", out());
    }
    fflush(out());
    FILE *to = diag.to;
    int errors = diag.errors;
    memset(&diag, 0, sizeof diag);               /* what was kept lives in the arena, which may be released now */
    diag.to = to;
    diag.errors = errors;
}

int error_count(void) { return diag.errors; }

static bool said_before(const Part *p)
{
    for (int i = 0; i < diag.seen.count; i++) {
        const Part *q = &diag.seen.at[i];
        if (q->placed == p->placed && q->at.source == p->at.source && q->at.line == p->at.line
            && q->at.column == p->at.column && strcmp(q->text, p->text) == 0) return true;
    }
    PUSH(diag.seen, *p);
    return false;
}

static void message_begin(const char *severity, const char *color, const Place *at, const char *text)
{
    Part p = { .placed = at && at->source, .text = text };
    if (p.placed) p.at = *at;
    bool error = strcmp(severity, "error") == 0;
    diag.errors += error;
    diag.muted = diag.shown >= MOST_MESSAGES || said_before(&p);
    if (diag.muted) {
        if (diag.shown < MOST_MESSAGES || diag.capped || !error) return;
        diag.capped = true;
        p = (Part){ .text = "too many errors: the rest is not shown" };
    }
    diag.shown++;
    if (diag.format == DIAG_TEXT) {
        part_show(&p, severity, color);
        return;
    }
    json_flush();
    diag.open = NEW(Message);
    diag.open->severity = severity;
    diag.open->main = p;
}

#define FORMATTED(text, fmt) \
    va_list args; va_start(args, fmt); const char *text = vformat(fmt, args); va_end(args)

void error_at(Place at, const char *fmt, ...)
{
    FORMATTED(text, fmt);
    message_begin("error", "\033[1;31m", &at, text);
}

void warning_at(Place at, const char *fmt, ...)
{
    FORMATTED(text, fmt);
    message_begin("warning", "\033[1;35m", &at, text);
}

void error_plain(const char *fmt, ...)
{
    FORMATTED(text, fmt);
    message_begin("error", "\033[1;31m", NULL, text);
}

void note_at(Place at, const char *fmt, ...)
{
    if (diag.muted) return;
    FORMATTED(text, fmt);
    Part p = { .at = at, .placed = at.source != NULL, .text = text };
    if (diag.format == DIAG_TEXT) part_show(&p, "note", "\033[1;36m");
    else if (diag.open) PUSH(diag.open->notes, p);
}

void help(const char *fmt, ...)
{
    if (diag.muted) return;
    FORMATTED(text, fmt);
    Part p = { .text = text };
    if (diag.format == DIAG_TEXT) part_show(&p, "help", "\033[1;32m");
    else if (diag.open) PUSH(diag.open->helps, p.text);
}

_Noreturn void bug(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    if (diag.format == DIAG_JSON) diag_end();
    fflush(out());
    fputs("dlnc: bug: ", stderr);
    vfprintf(stderr, fmt, args);
    fputs("\ndlnc: this is a fault of dlnc, not of the file; please report it with the file\n", stderr);
    va_end(args);
    exit(70);
}
