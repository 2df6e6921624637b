/* template.c: text with the model's names filled in. @p is the prefix (mlp), @P the same in capitals (MLP), @r the type
 * of a number (float or double); @@ is an @. Everything else is copied. */
#include "emit/emit.h"
#include <stdlib.h>

void template_add(const Emission *e, Text *to, const char *text)
{
    for (const char *at = text; *at; at++) {
        if (*at != '@') { text_add_n(to, at, 1); continue; }
        switch (*++at) {
        case 'p': text_add(to, e->prefix); break;
        case 'P': text_add(to, e->upper); break;
        case 'r': text_add(to, e->real); break;
        case '@': text_add(to, "@"); break;
        default: bug("template: @%c", *at);
        }
    }
}

/* The shortest decimal that reads back as v. */
const char *double_text(double v)
{
    for (int digits = 15; digits < 17; digits++) {
        const char *s = format("%.*g", digits, v);
        if (strtod(s, NULL) == v) return s;
    }
    return format("%.17g", v);
}

/* s as a C string literal with its quotes: what is not plain ASCII as three octal digits */
void text_add_literal(Text *to, const char *s)
{
    text_add(to, "\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '\n') text_add(to, "\\n");
        else if (c == '"' || c == '\\') text_addf(to, "\\%c", c);
        else if (c == '?' || c < 32 || c > 126) text_addf(to, "\\%03o", c);     /* ?: no trigraphs */
        else text_add_n(to, s, 1);
    }
    text_add(to, "\"");
}

/* s for a comment: no end of a comment in it, no line breaks */
void text_add_comment(Text *to, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool ends = (c == '*' && s[1] == '/') || (c == '/' && s[1] == '*');
        text_add_n(to, c < 32 ? " " : s, 1);
        if (ends) text_add(to, " ");
    }
}
