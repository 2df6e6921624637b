/* shrink.c: see shrink.h. Candidates are texts with a piece left out or made simpler; one that still fails in the same
 * way takes the place of the text, until no candidate does. Pieces: blocks and lines (many at once, then fewer), stages
 * of a pipe, items of a list, operands of an expression in parentheses; numbers become smaller. A candidate need not be
 * a valid file: then it is refused, which is another outcome. */
#include "shrink.h"
#include "base/text.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TESTS_MOST = 1500 };
typedef struct Shrinking {
    const Job *job;
    const char *folder;
    char *text;
    int tests;
} Shrinking;

static bool fails(Shrinking *s, const char *text)
{
    if (s->tests >= TESTS_MOST) return false;
    s->tests++;
    Job one = { .text = text, .seed = s->job->seed };
    VariantSet set = s->job->variant >= 0 ? 1u << s->job->variant : 3;
    batch_check(&one, 1, &set, s->folder, NULL, NULL);
    return one.outcome == s->job->outcome && one.variant == s->job->variant;
}

/* The text with [from, to) replaced. */
static bool try(Shrinking *s, size_t from, size_t to, const char *with)
{
    size_t n = strlen(s->text), m = strlen(with);
    char *text = malloc(n + m + 1);
    memcpy(text, s->text, from);
    memcpy(text + from, with, m);
    memcpy(text + from + m, s->text + to, n - to + 1);
    if (strcmp(text, s->text) != 0 && fails(s, text)) {
        free(s->text);
        s->text = text;
        return true;
    }
    free(text);
    return false;
}

static size_t line_end(const char *text, size_t at)
{
    const char *end = strchr(text + at, '\n');
    return end ? (size_t)(end - text) + 1 : strlen(text);
}

/* The end of a block that the line at `at` opens, or 0. */
static size_t block_end(const char *text, size_t at)
{
    int depth = 0;
    bool opened = false;
    for (size_t i = at; text[i]; i++) {
        if (text[i] == '{') depth++, opened = true;
        if (text[i] == '}' && --depth == 0) return line_end(text, i);
        if (text[i] == '\n' && !opened) return 0;
    }
    return 0;
}

static bool drop_lines(Shrinking *s, int many)
{
    bool any = false;
    for (size_t at = 0; s->text[at];) {
        size_t block = block_end(s->text, at), end = at, next = line_end(s->text, at);
        for (int k = 0; k < many && s->text[end]; k++) end = line_end(s->text, end);
        if (block && many == 1 && try(s, at, block, ""))
            any = true;
        else if (!block && try(s, at, end, ""))
            any = true;
        else
            at = next;
    }
    return any;
}

/* ---- within a line ---- */
static size_t closing(const char *text, size_t open)
{
    int depth = 0;
    for (size_t i = open; text[i] && text[i] != '\n'; i++) {
        if (strchr("([", text[i])) depth++;
        if (strchr(")]", text[i]) && --depth == 0) return i;
    }
    return 0;
}

static size_t word_begin(const char *text, size_t at)
{
    while (at > 0 && (isalnum((unsigned char)text[at - 1]) || text[at - 1] == '_')) at--;
    return at;
}

/* The length of an operator or comma at `at` that parts an expression; 0: none. */
static size_t parting(const char *text, size_t at)
{
    static const char *const marks[] = { " + ", " - ",  " * ", " / ", " ? ",   " : ", " else ",
                                         ", ",  " -> ", " < ", " > ", " and ", " or " };
    for (size_t k = 0; k < sizeof marks / sizeof *marks; k++)
        if (!strncmp(text + at, marks[k], strlen(marks[k]))) return strlen(marks[k]);
    return 0;
}

static bool keep_part(Shrinking *s, size_t from, size_t to, size_t begin, size_t end)
{
    char *part = strndup(s->text + begin, end - begin);
    bool fine = try(s, from, to, part);
    free(part);
    return fine;
}

/* Between inner and end stands an expression, all of [from, to): one of its operands in its place, or without one. */
static bool simpler(Shrinking *s, size_t from, size_t inner, size_t end, size_t to)
{
    int depth = 0;
    if (end - inner > 3 && to > from && (try(s, from, to, "1") || try(s, from, to, "0.5"))) return true;
    for (size_t i = inner, begin = inner, left = inner; i <= end; i++) {
        if (i < end && strchr("([", s->text[i])) depth++;
        if (i < end && strchr(")]", s->text[i])) depth--;
        size_t length = i < end && depth == 0 ? parting(s->text, i) : 0;
        if (i < end && !length) continue;
        if ((begin > inner || i < end) && keep_part(s, from, to, begin, i)) return true;
        if (i < end && begin == inner && try(s, inner, i + length, "")) return true; /* without the first */
        if (begin > inner && try(s, left, i, "")) return true;                       /* without this one */
        left = i;
        begin = i + length;
        i += length ? length - 1 : 0;
    }
    return false;
}

static bool simplify_expressions(Shrinking *s)
{
    bool any = false;
    for (size_t at = 0; s->text[at]; at++) {
        if (s->text[at] == '(' || s->text[at] == '[') {
            size_t end = closing(s->text, at), from = word_begin(s->text, at);
            if (!end) continue;
            bool all = s->text[at] == '(' && from < at && simpler(s, from, at + 1, end, end + 1);
            if (all || simpler(s, s->text[at] == '(' ? at : at + 1, at + 1, end, s->text[at] == '(' ? end + 1 : end)) {
                any = true;
                at = from ? from - 1 : 0;
            }
        } else if (!strncmp(s->text + at, " = ", 3) || !strncmp(s->text + at, " -> ", 4)) {
            size_t begin = at + (s->text[at + 1] == '=' ? 3 : 4), end = line_end(s->text, at);
            if (end > begin) end--;
            while (simpler(s, begin, begin, end, end)) {
                any = true;
                end = line_end(s->text, at) - 1;
            }
        }
    }
    return any;
}

static bool smaller_numbers(Shrinking *s)
{
    bool any = false;
    for (size_t at = 0; s->text[at]; at++) {
        bool begins = isdigit((unsigned char)s->text[at]) &&
                      (at == 0 || (!isalnum((unsigned char)s->text[at - 1]) && !strchr("_.", s->text[at - 1])));
        if (!begins) continue;
        size_t end = at;
        while (isdigit((unsigned char)s->text[end])) end++;
        int number = atoi(s->text + at), tries[] = { 1, 2, 3, number / 2, number - 1 };
        char text[16];
        for (int k = 0; k < 5; k++) {
            if (tries[k] < 1 || tries[k] >= number) continue;
            snprintf(text, sizeof text, "%d", tries[k]);
            if (try(s, at, end, text)) {
                any = true;
                break;
            }
        }
    }
    return any;
}

const char *shrink(const Job *job, const char *folder)
{
    Shrinking s = { .job = job, .folder = folder, .text = strdup(job->text) };
    for (bool again = true; again && s.tests < TESTS_MOST;) {
        again = false;
        for (int many = 8; many; many /= 2) again |= drop_lines(&s, many);
        again |= simplify_expressions(&s);
        again |= smaller_numbers(&s);
    }
    return s.text;
}
