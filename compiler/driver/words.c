/* words.c: reads compiler/library/words.txt, which is part of dlnc as the library is. A line says by its indentation what
 * it is: none: a word and how it is written; two: what it is; four: an example, or before any text more ways to write it. */
#include "driver/words.h"
#include "tensor/model.h"
#include <string.h>

extern const struct LibraryFile word_files[];

/* "max min: max(a, b)" */
static WordEntry *entry_new(const char *line, size_t length, const char *kind)
{
    WordEntry *e = NEW(WordEntry);
    e->kind = kind;
    const char *end = line + length, *p = line;
    while (p < end && *p != ':') {
        size_t n = strcspn(p, " :");
        PUSH(e->names, intern_n(p, n));
        p += n + (p[n] == ' ');
    }
    p += 2;                                      /* ": " */
    if (p < end) text_addf(&e->how, "%.*s\n", (int)(end - p), p);
    return e;
}

WordEntries words_read(void)
{
    WordEntries all = {0};
    WordEntry *e = NULL;
    const char *kind = "";
    for (const char *line = word_files[0].text; *line;) {
        size_t length = strcspn(line, "\n"), indent = strspn(line, " ");
        const char *bar;
        if (!strncmp(line, "== ", 3) && (bar = strstr(line, " | "))) {
            kind = intern_n(bar + 3, (size_t)(line + length - (bar + 3)));
        } else if (length && indent == 0 && *line != '#') {
            e = entry_new(line, length, kind);
            PUSH(all, e);
        } else if (e && length > indent) {
            bool example = indent >= 4 && e->what.length, more = indent >= 4 && !example;
            Text *to = example ? &e->example : more ? &e->how : &e->what;
            size_t skip = example ? 4 : more ? 5 : 2;
            text_addf(to, "%.*s\n", (int)(length - skip), line + skip);
        }
        line += length + (line[length] == '\n');
    }
    return all;
}
