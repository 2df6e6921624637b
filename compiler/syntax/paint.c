/* paint.c: the text of a file in coloured parts, for pages and editors: what the scanner cuts, with the blanks and
 * comments between, so that the parts joined are the text again. */
#include "syntax/scan.h"

static TextPart part_of(const Scan *scan, const Token *t, int before)
{
    const char *text = scan->source->text + t->begin;
    switch (t->kind) {
    case FLEX_BLANK: case FLEX_NEWLINE: return PART_BLANK;
    case FLEX_COMMENT: return t->end - t->begin > 1 && text[1] == '#' ? PART_DOC : PART_COMMENT;
    case STRING: return PART_STRING;
    case NUMBER: return PART_NUMBER;
    case CONSTANT: return PART_CONSTANT;
    case REDUCE: return PART_REDUCTION;
    case NAME: return before == ARROW ? PART_CALL : before >= DEF && before <= INIT ? PART_DEFINED : PART_NAME;
    case ARROW: case YIELDS: case ELLIPSIS: case DOTS: return PART_SIGN;
    default: return token_is_keyword(t->kind) ? before == ARROW ? PART_CALL : PART_KEYWORD : PART_SIGN;
    }
}

void text_paint(const Source *source, PaintPart *paint, void *data)
{
    Scan scan;
    Token t;
    int before = 0;
    scan_begin(&scan, source);
    size_t done = 0;
    for (;;) {
        t.kind = flex_next(&t, scan.flex);
        if (t.kind == 0) break;
        if (t.begin > done) paint(PART_BLANK, source->text + done, t.begin - done, data);    /* a byte order mark */
        paint(part_of(&scan, &t, before), source->text + t.begin, t.end - t.begin, data);
        done = t.end;
        if (t.kind != FLEX_BLANK && t.kind != FLEX_COMMENT) before = t.kind;
    }
}
