/* format.c: a file in its canonical form. It works on tokens and comments, not on the AST, so that nothing can be lost:
 * the same tokens come out, with other blanks between them. In this order:
 *   pieces_read     tokens and comments in one list, with where lines and statements begin
 *   blocks_judge    which { } stand on several lines; which '-' is a sign, which ':' belongs to a '?'
 *   equals_align    columns of '=' that the writer aligned stay aligned
 *   lines_lay       line by line: indentation, one blank where the rules want one, too long lines broken
 *   lines_write     comments behind consecutive lines get one column, and so do those that the writer aligned
 * The writer's own line breaks are kept, and each rule looks only at what it leaves as it is; so formatting once more
 * changes nothing. */
#include "syntax/scan.h"
#include <string.h>

enum { WIDEST = 120, FARTHEST = 60, INDENT = 4, COMMENT = -1, NONE = -1 };

typedef struct Piece {
    int kind;                    /* of a token, or COMMENT */
    size_t begin, end;
    int line, column;            /* in the file; of its first character */
    bool begins;                 /* a statement begins here */
    bool breaks;                 /* a line begins here: in the file, or put in because the line was too long */
    bool blank;                  /* after an empty line */
    bool many;                   /* '{' and '}' of a block on several lines */
    bool sign, choice;           /* '-' before an operand; ':' of '? :' */
    int partner;                 /* the other bracket of the pair */
    int block;                   /* the '{' it stands in, or NONE */
    int pad;                     /* blanks more before '=' */
} Piece;

typedef struct Nest { int kind, column, indent; bool hanging; } Nest;    /* hanging: a line break follows the bracket */
typedef struct Line { const char *code; int indent, width; bool blank; const char *comment; int column; } Line;

typedef struct Layout {
    const char *text;
    LIST(Piece) pieces;
    LIST(Nest) nests;
    LIST(Line) lines;
    int depth;                   /* many blocks open */
    int statement_indent, statement_lines;
    int arrow, question;         /* columns of the statement's first '->' and '?', or NONE */
    int after_comments;          /* the first piece behind the comments that are being laid */
} Layout;

/* --- pieces ----------------------------------------------------------------------------------------------------- */

static void piece_add(Layout *f, Piece p)
{
    const Piece *before = f->pieces.count ? &f->pieces.at[f->pieces.count - 1] : NULL;
    p.breaks = before && p.line > before->line;
    p.blank = before && p.line > before->line + 1;
    p.partner = p.block = NONE;
    PUSH(f->pieces, p);
}

static void comments_add(Layout *f, const Scan *scan, int *next, size_t until)
{
    for (; *next < scan->comments.count && scan->comments.at[*next].begin < until; ++*next) {
        const Comment *c = &scan->comments.at[*next];
        piece_add(f, (Piece){ .kind = COMMENT, .begin = c->begin, .end = c->end, .line = c->at.line,
                              .column = c->at.column });
    }
}

static bool pieces_read(Layout *f, const Source *source)
{
    Scan scan;
    Token t;
    int comment = 0;
    bool ends = true;
    scan_begin(&scan, source);
    for (;;) {
        scan_next(&scan, &t);
        if (t.kind == SEP) {
            ends = true;
            continue;
        }
        comments_add(f, &scan, &comment, t.kind ? t.begin : source->length + 1);
        if (t.kind == 0) break;
        piece_add(f, (Piece){ .kind = t.kind, .begin = t.begin, .end = t.end, .line = t.at.line,
                              .column = t.at.column, .begins = ends && t.kind != '}' });
        ends = t.kind == '{';
    }
    return scan.errors == 0;
}

static int token_before(const Layout *f, int i)
{
    do i--; while (i >= 0 && f->pieces.at[i].kind == COMMENT);
    return i;
}

static int piece_width(const Layout *f, int i)
{
    int width = 0;
    for (size_t k = f->pieces.at[i].begin; k < f->pieces.at[i].end; k++)
        width += ((unsigned char)f->text[k] & 0xC0) != 0x80;
    return width;
}

/* --- blocks and signs ------------------------------------------------------------------------------------------- */

static bool is_sign(const Layout *f, int i)
{
    int b = token_before(f, i);
    if (b < 0 || f->pieces.at[i].begins) return true;
    const Piece *p = &f->pieces.at[b];
    if (p->kind == ']' && p->partner > 0) return f->pieces.at[p->partner - 1].kind == REDUCE;
    return token_needs_operand(p->kind) || p->kind == '(' || p->kind == '[' || token_is_keyword(p->kind);
}

/* Sets partner, block, many, sign, choice. False: brackets do not match. */
static bool blocks_judge(Layout *f)
{
    struct { int at, questions; } stack[MOST_DEPTH + 1] = { { NONE, 0 } };
    int top = 0, block = NONE;
    for (int i = 0; i < f->pieces.count; i++) {
        Piece *p = &f->pieces.at[i];
        p->block = block;
        bool in_block = stack[top].at == block;
        if (p->begins && in_block) stack[top].questions = 0;
        if (block != NONE && in_block && (p->kind == COMMENT || (p->begins && p->breaks)))
            f->pieces.at[block].many = true;
        if (p->kind == '?') stack[top].questions++;
        if (p->kind == ':' && stack[top].questions > 0) {
            p->choice = true;
            stack[top].questions--;
        }
        if (p->kind == '-') p->sign = is_sign(f, i);
        if (p->kind == '(' || p->kind == '[' || p->kind == '{') {
            if (top == MOST_DEPTH) return false;
            stack[++top].at = i;
            stack[top].questions = 0;
            if (p->kind == '{') block = i;
        }
        if (p->kind != ')' && p->kind != ']' && p->kind != '}') continue;
        if (top == 0) return false;
        p->partner = stack[top--].at;
        Piece *open = &f->pieces.at[p->partner];
        open->partner = i;
        if (p->kind != '}') continue;
        if (p->breaks && p->partner + 1 < i) open->many = true;
        p->many = open->many;
        p->block = block = open->block;
        if (open->many && block != NONE) f->pieces.at[block].many = true;
    }
    return top == 0;
}

/* --- blanks between tokens -------------------------------------------------------------------------------------- */

static bool opens_call(const Piece *p)           /* no blank between it and '(' */
{
    return p->kind == NAME || p->kind == REDUCE || token_begins_item(p->kind);
}

static bool takes_subscript(const Piece *p)      /* no blank between it and '[' */
{
    return p->kind == NAME || p->kind == REDUCE || p->kind == STRING || p->kind == CONSTANT || p->kind == LAYER
        || p->kind == LOSS || p->kind == INIT || p->kind == OPTIMIZER || p->kind == SCHEDULE;
}

static int gap(const Layout *f, int b, int i)    /* blanks between piece b and its successor i on one line */
{
    const Piece *p = &f->pieces.at[b], *q = &f->pieces.at[i];
    switch (q->kind) {
    case ')': case ']': case ',': case '.': case DOTS: case '^': return 0;
    case ':': if (!q->choice) return 0; break;
    case '(': if (opens_call(p)) return 0; break;
    case '[': if (takes_subscript(p)) return 0; break;
    }
    switch (p->kind) {
    case '(': case '[': case '.': case '^': return 0;
    case DOTS: return q->kind == IN || q->kind == '@' || token_cannot_begin(q->kind);
    case '-': return p->sign ? 0 : 1;
    }
    return 1 + q->pad;
}

/* --- '=' in columns --------------------------------------------------------------------------------------------- */

typedef struct Equal { int piece, width, column, block; } Equal;         /* width: of what stands before it */

/* The '=' of the statement that begins at i, if it stands on its first line outside brackets; else piece NONE. */
static Equal equal_find(const Layout *f, int i)
{
    int width = 0, nesting = 0;
    for (int k = i; k < f->pieces.count; k++) {
        const Piece *p = &f->pieces.at[k];
        if (k > i && (p->begins || p->breaks)) break;
        if (k > i) width += gap(f, k - 1, k);
        if (p->kind == '=' && nesting == 0) return (Equal){ k, width, p->column, f->pieces.at[i].block };
        if (p->kind == '{' || width > FARTHEST) break;
        nesting += (p->kind == '(' || p->kind == '[') - (p->kind == ')' || p->kind == ']');
        width += piece_width(f, k);
    }
    return (Equal){ .piece = NONE };
}

static void group_align(Layout *f, const Equal *at, int count)
{
    int most = 0;
    for (int i = 0; i < count; i++)
        if (at[i].width > most) most = at[i].width;
    for (int i = 0; i < count; i++) f->pieces.at[at[i].piece].pad = most - at[i].width;
}

static void equals_align(Layout *f)
{
    LIST(Equal) group = { 0 };
    for (int i = 0; i < f->pieces.count; i++) {
        const Piece *p = &f->pieces.at[i];
        if (p->kind == COMMENT && p->breaks) {
            group_align(f, group.at, group.count);
            group.count = 0;
        }
        if (!p->begins || !(p->breaks || i == 0)) continue;
        Equal e = equal_find(f, i);
        const Equal *last = group.count ? &group.at[group.count - 1] : NULL;
        bool joins = last && e.piece != NONE && !p->blank && last->block == e.block && last->column == e.column;
        if (!joins) {
            group_align(f, group.at, group.count);
            group.count = 0;
        }
        if (e.piece != NONE) PUSH(group, e);
    }
    group_align(f, group.at, group.count);
}

/* --- lines ------------------------------------------------------------------------------------------------------ */

static const Nest *nest_top(const Layout *f) { return f->nests.count ? &f->nests.at[f->nests.count - 1] : NULL; }

static bool in_brackets(const Layout *f) { return nest_top(f) && nest_top(f)->kind != '{'; }

/* The else of an if, not the value off an axis. */
static bool is_branch(const Layout *f, int i)
{
    int b = token_before(f, i);
    return f->pieces.at[i].kind == ELSE && b >= 0 && f->pieces.at[b].kind == '}';
}

/* Does a new line begin before piece i (i > 0), which is no comment? */
static bool line_begins(const Layout *f, int i)
{
    const Piece *p = &f->pieces.at[i], *before = &f->pieces.at[i - 1];
    if (before->kind == COMMENT) return true;
    if (before->kind == '{' && p->kind != '}') return before->many;
    if (p->kind == '}') return p->many;
    if (p->kind == '{') return p->breaks && f->statement_lines > 1;
    return p->breaks;
}

static int indent_in_brackets(const Layout *f, bool closes)
{
    const Nest *n = nest_top(f);
    if (n->hanging) return closes ? n->indent : n->indent + INDENT;
    return n->column <= FARTHEST + INDENT ? n->column : n->indent + INDENT;
}

static int indent_of(const Layout *f, int i)
{
    const Piece *p = &f->pieces.at[i];
    int block = INDENT * f->depth;
    if (p->kind == COMMENT) {
        int next = f->after_comments;
        if (in_brackets(f)) return indent_in_brackets(f, false);
        if (next == f->pieces.count || f->pieces.at[next].begins || is_branch(f, next)) return block;
        int kind = f->pieces.at[next].kind;
        return kind == '{' || kind == '}' ? block : f->statement_indent + INDENT;
    }
    if (p->begins || p->kind == '{' || is_branch(f, i)) return block;
    if (p->kind == '}') return block - INDENT;
    if (in_brackets(f)) return indent_in_brackets(f, p->kind == ')' || p->kind == ']');
    if (p->kind == ARROW && f->arrow != NONE && f->arrow <= FARTHEST) return f->arrow;
    bool chooses = p->kind == '?' || p->choice;
    if (chooses && f->question != NONE && f->question <= FARTHEST) return f->question;
    return f->statement_indent + INDENT;
}

/* --- too long lines --------------------------------------------------------------------------------------------- */

/* How well a line may be broken before piece i: 0 best, NONE not at all. inside: of brackets. */
static int break_class(const Layout *f, int i, bool inside)
{
    const Piece *p = &f->pieces.at[i], *before = &f->pieces.at[i - 1];
    if (p->begins || before->kind == ',' || p->kind == ARROW) return 0;
    if (p->kind == YIELDS || p->kind == '?' || p->choice || p->kind == AND || p->kind == OR) return 1;
    if (p->kind == ELSE && before->kind != '}') return 1;
    if (p->kind == '+' || (p->kind == '-' && !p->sign && inside)) return 2;
    if (before->kind == '-' && !before->sign && !inside) return 2;
    if (p->kind == '*' || p->kind == '/' || p->kind == FLOOR_DIV || p->kind == '%') return 3;
    return before->kind == '=' ? 4 : NONE;
}

/* Where to break the line that begins with piece `from` in column `indent`, or NONE if it fits or cannot be broken.
 * The least nested place wins, then the best class, then the last. An inline { } may be opened instead. */
static int break_find(const Layout *f, int from, int indent)
{
    int width = indent + piece_width(f, from), best = NONE, best_rank = 0, nesting = 0, around = f->nests.count;
    for (int i = from;; i++) {
        const Piece *p = &f->pieces.at[i];
        bool inside = nesting > 0 || (around > 0 && f->nests.at[around - 1].kind != '{');
        int rank = i == from ? NONE : break_class(f, i, inside);
        bool openable = p->kind == '{' && !p->many && p->partner > i + 1;
        if (openable) rank = 0;
        else if (p->begins && p->block != NONE && !f->pieces.at[p->block].many) rank = NONE;
        if (rank != NONE) rank += 8 * nesting;
        bool better = rank != NONE && (best == NONE || rank <= best_rank);
        if (better && width <= WIDEST) best = i, best_rank = rank;
        if (width > WIDEST && best != NONE) return best;
        if (better && width > WIDEST) return i;
        nesting += p->kind == '(' || p->kind == '[' || p->kind == '{';
        nesting -= p->kind == ')' || p->kind == ']' || p->kind == '}';
        if (nesting < 0) nesting = 0, around--;
        int next = i + 1;
        if (next == f->pieces.count || f->pieces.at[next].kind == COMMENT || line_begins(f, next)) break;
        bool semicolon = f->pieces.at[next].begins && p->kind != '{';
        width += gap(f, i, next) + semicolon + piece_width(f, next);
    }
    return width > WIDEST ? best : NONE;
}

/* Puts breaks into the line that begins with `from`, until its first line fits. */
static void line_fit(Layout *f, int from, int indent)
{
    int i = break_find(f, from, indent);
    if (i == NONE) return;
    Piece *p = &f->pieces.at[i];
    if (p->kind == '{' && !p->many) {
        p->many = f->pieces.at[p->partner].many = true;
        line_fit(f, from, indent);               /* at most once more for each brace of the line */
    } else {
        p->breaks = true;
    }
}

/* --- laying the lines ------------------------------------------------------------------------------------------- */

static void nest_follow(Layout *f, int i, int column, int indent)
{
    const Piece *p = &f->pieces.at[i];
    switch (p->kind) {
    case '(': case '[': case '{': {
        bool hanging = i + 1 < f->pieces.count && (f->pieces.at[i + 1].kind == COMMENT || f->pieces.at[i + 1].breaks);
        Nest n = { p->kind, column + 1, indent, hanging };
        PUSH(f->nests, n);
        if (p->kind == '{' && p->many) f->depth++;
        break;
    }
    case ')': case ']': case '}':
        if (f->nests.count) f->nests.count--;
        if (p->kind == '}' && p->many) {
            f->depth--;
            f->statement_lines = 1;              /* what may follow is an else: a head of its own */
        }
        break;
    case ARROW: if (f->arrow == NONE && !in_brackets(f)) f->arrow = column; break;
    case '?': if (f->question == NONE && !in_brackets(f)) f->question = column; break;
    }
}

static const char *piece_text(const Layout *f, int i)
{
    const Piece *p = &f->pieces.at[i];
    size_t end = p->end;
    while (p->kind == COMMENT && end > p->begin && (f->text[end - 1] == ' ' || f->text[end - 1] == '\t')) end--;
    char *s = arena_alloc(end - p->begin + 1);
    return memcpy(s, f->text + p->begin, end - p->begin);
}

static void statement_begin(Layout *f)
{
    f->statement_indent = INDENT * f->depth;
    f->statement_lines = 0;
    f->arrow = f->question = NONE;
}

static bool blank_before(const Layout *f, int i)
{
    const Piece *p = &f->pieces.at[i];
    return p->blank && (p->begins || p->kind == COMMENT) && f->pieces.at[i - 1].kind != '{';
}

/* One line of code from piece i, its comment included; gives the piece after it. */
static int line_lay(Layout *f, int i)
{
    bool fresh = f->pieces.at[i].begins;
    if (fresh) statement_begin(f);
    Line line = { .indent = indent_of(f, i), .blank = i > 0 && blank_before(f, i) };
    line_fit(f, i, line.indent);
    Text code = { 0 };
    int column = line.indent;
    f->statement_lines++;
    for (int first = i;; i++) {
        const Piece *p = &f->pieces.at[i];
        if (i > first) {
            if (p->kind == COMMENT) {
                line.column = p->column;
                line.comment = piece_text(f, i++);
                break;
            }
            if (line_begins(f, i)) break;
            bool semicolon = p->begins && f->pieces.at[i - 1].kind != '{';
            int blanks = gap(f, i - 1, i);
            text_addf(&code, "%s%*s", semicolon ? ";" : "", blanks, "");
            column += semicolon + blanks;
            if (p->begins) {
                int lines = f->statement_lines;
                statement_begin(f);
                f->statement_lines = lines;
            }
        }
        text_add_n(&code, f->text + p->begin, p->end - p->begin);
        nest_follow(f, i, column, line.indent);
        column += piece_width(f, i);
        if (i + 1 == f->pieces.count) {
            i++;
            break;
        }
        if (f->pieces.at[i + 1].kind == COMMENT && f->pieces.at[i + 1].breaks) {
            i++;
            break;
        }
    }
    line.code = text_string(&code);
    line.width = column;
    PUSH(f->lines, line);
    return i;
}

static void lines_lay(Layout *f)
{
    for (int i = 0; i < f->pieces.count;) {
        if (f->pieces.at[i].kind != COMMENT) {
            i = line_lay(f, i);
            continue;
        }
        if (f->after_comments < i) f->after_comments = i;
        while (f->after_comments < f->pieces.count && f->pieces.at[f->after_comments].kind == COMMENT)
            f->after_comments++;
        Line line = { .code = piece_text(f, i), .indent = indent_of(f, i),
                      .blank = i > 0 && blank_before(f, i) };
        PUSH(f->lines, line);
        i++;
    }
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

/* The lines from i whose comments get one column: neighbours, and those in one column in the file, up to an empty line.
 * Gives the line after them. */
static int comments_run(const Layout *f, int i, int *column)
{
    enum { LONG_LINE = 90 };                     /* its comment does not push the others away */
    int last = i, k = i;
    for (*column = 0; k < f->lines.count && (k == i || !f->lines.at[k].blank); k++) {
        const Line *line = &f->lines.at[k];
        if (!line->comment) continue;
        if (k > last + 1 && line->column != f->lines.at[last].column) break;
        if (line->width <= LONG_LINE && line->width + 2 > *column) *column = line->width + 2;
        last = k;
    }
    return k;
}

static const char *lines_write(const Layout *f)
{
    Text t = { 0 };
    int column = 0, run_end = 0;
    for (int i = 0; i < f->lines.count; i++) {
        const Line *line = &f->lines.at[i];
        if (line->comment && i >= run_end) run_end = comments_run(f, i, &column);
        if (line->blank && i > 0) text_add(&t, "\n");
        text_addf(&t, "%*s%s", line->indent, "", line->code);
        if (line->comment) {
            int blanks = line->width + 2 <= column ? column - line->width : 2;
            text_addf(&t, "%*s%s", blanks, "", line->comment);
        }
        text_add(&t, "\n");
    }
    return text_string(&t);
}

static const char *format_once(const Source *source)
{
    Layout f = { .text = source->text, .arrow = NONE, .question = NONE };
    if (!pieces_read(&f, source) || !blocks_judge(&f)) return source->text;
    equals_align(&f);
    lines_lay(&f);
    return lines_write(&f);
}

/* A line that is broken at its ';' can part a group of aligned '='; the next round settles that. */
const char *format_source(const File *file)
{
    Source now = *file->source;
    for (int round = 0; round < 4; round++) {
        const char *text = format_once(&now);
        if (strcmp(text, now.text) == 0) break;
        now.text = text;
        now.length = strlen(text);
    }
    return now.text;
}
