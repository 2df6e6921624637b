/* page_source.c: the texts of the page: escaping, links to lines, and the .dln files themselves, coloured, every line with
 * an id (s0-12: line 12 of the first file). */
#include "emit/page.h"
#include "syntax/ast.h"
#include <string.h>

void html_add_n(Text *to, const char *s, size_t length)
{
    for (const char *at = s, *end = s + length; at < end; at++)
        switch (*at) {
        case '&': text_add(to, "&amp;"); break;
        case '<': text_add(to, "&lt;"); break;
        case '>': text_add(to, "&gt;"); break;
        case '"': text_add(to, "&quot;"); break;
        case '\'': text_add(to, "&#39;"); break;
        default: text_add_n(to, at, 1);
        }
}

void html_add(Text *to, const char *s) { html_add_n(to, s, strlen(s)); }

const char *html_text(const char *s)
{
    Text t = {0};
    html_add(&t, s);
    return text_string(&t);
}

static int source_number(Page *p, const Source *s)
{
    for (int i = 0; i < p->sources.count; i++) if (p->sources.at[i] == s) return i;
    PUSH(p->sources, s);
    return p->sources.count - 1;
}

const char *place_link(Page *p, Place at)
{
    if (!at.source) return "";
    return format("<a href=\"#s%d-%d\">%s:%d</a>", source_number(p, at.source), at.line,
                  html_text(base_name(at.source->name)), at.line);
}

typedef struct Painter { Text *to; int file, line; } Painter;

static void line_begin(Painter *w) { text_addf(w->to, "<span class=\"l\" id=\"s%d-%d\">", w->file, w->line++); }

static void paint(TextPart part, const char *text, size_t length, void *data)
{
    static const char *const classes[] = {
        [PART_COMMENT] = "c", [PART_DOC] = "d", [PART_KEYWORD] = "k", [PART_DEFINED] = "f", [PART_CALL] = "f",
        [PART_REDUCTION] = "r", [PART_CONSTANT] = "n", [PART_NUMBER] = "n", [PART_STRING] = "s", [PART_SIGN] = NULL };
    Painter *w = data;
    const char *style = classes[part];
    while (length) {                             /* a part may go over several lines */
        const char *end = memchr(text, '\n', length);
        size_t n = end ? (size_t)(end - text) : length;
        if (n && style) text_addf(w->to, "<i class=\"%s\">", style);
        for (size_t i = 0; i < n; i++) if (text[i] != '\r') html_add_n(w->to, text + i, 1);
        if (n && style) text_add(w->to, "</i>");
        if (end) {
            text_add(w->to, "\n</span>");
            line_begin(w);
            n++;
        }
        text += n;
        length -= n;
    }
}

void page_sources(Page *p)
{
    text_add(p->to, "<section id=\"source\"><h2>Source</h2>\n");
    for (int i = 0; i < p->sources.count; i++) {
        const Source *s = p->sources.at[i];
        text_addf(p->to, "<details class=\"file\"%s><summary>%s</summary><pre class=\"code dln\">", i ? "" : " open",
                  html_text(strncmp(s->name, "library/", 8) ? base_name(s->name) : s->name));
        Painter w = { p->to, i, 1 };
        line_begin(&w);
        text_paint(s, paint, &w);
        text_add(p->to, "\n</span></pre></details>\n");
    }
    text_add(p->to, "</section>\n");
}
