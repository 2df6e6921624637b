/* scan.c: flex's raw tokens -> the tokens of the grammar. Three things are added here.
 *   Values: names are interned, numbers and strings read, and a bad one reported and replaced by what was meant.
 *   Ends: SEP is put in where a newline or ';' ends a statement. It does not inside ( ) and [ ], after a token that
 *     needs an operand, or before one that cannot begin a statement.
 *   Recovery: after a syntax error the rest of the broken statement, with its blocks, is skipped, so that the next
 *     message is about the next mistake. A line that begins with a keyword closes forgotten brackets. */
#include "syntax/scan.h"
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ERRORS = 100, LONGEST_NAME = 128 };

/* --- kinds of tokens -------------------------------------------------------------------------------------------- */

bool token_needs_operand(int kind)
{
    switch (kind) {
    case 0: case SEP: case '{': case ',': case '=': case '.': case ':': case '?': case '|': case '@': case '^':
    case '+': case '-': case '*': case '/': case '%': case '<': case '>': case FLOOR_DIV: case EQ: case NE:
    case LE: case GE: case AND: case OR: case NOT: case IN: case ARROW: case YIELDS: case ELSE: case BY:
        return true;
    default:
        return false;
    }
}

bool token_cannot_begin(int kind)
{
    switch (kind) {
    case ARROW: case YIELDS: case '{': case '?': case ':': case '|': case '+': case '*': case '/': case '%':
    case '^': case '<': case '>': case FLOOR_DIV: case EQ: case NE: case LE: case GE: case AND: case OR: case ELSE:
    case '=': case ',':
        return true;
    default:
        return false;
    }
}

bool token_is_keyword(int kind) { return kind >= IMPORT && kind <= NOT; }

bool token_begins_item(int kind)
{
    switch (kind) {
    case IMPORT: case DATA: case MODEL: case TRAIN: case DEF: case LOSS: case METRIC: case OPTIMIZER: case SCHEDULE:
    case INIT: case EVERY: case REWRITE: case EXAMPLE:
        return true;
    default:
        return false;
    }
}

const char *item_word_near(const char *name)
{
    static const char *const words[] = { "import", "const", "data", "train", "model", "def", "loss", "metric",
        "optimizer", "schedule", "init", "every", "rewrite", "example" };
    return nearest(name, words, (int)(sizeof words / sizeof *words));
}

/* A keyword that no expression, argument or parameter begins with. */
static bool begins_statement(int kind)
{
    return token_is_keyword(kind) && kind != BY && kind != AS && kind != ELSE && kind != IN && kind != AND && kind != OR
        && kind != NOT;
}

static bool is_bracket(int kind) { return kind == '(' || kind == '['; }

const char *token_text(const Token *t)
{
    size_t n = t->end - t->begin;
    if (n == 0 || !t->at.source) return "";
    const char *s = t->at.source->text + t->begin;
    if (n <= 40) return format("%.*s", (int)n, s);
    n = 37;
    while (((unsigned char)s[n] & 0xC0) == 0x80) n--;
    return format("%.*s...", (int)n, s);
}

void scan_error(Scan *scan)
{
    if (++scan->errors >= MOST_ERRORS) scan->stopped = true;
}

/* --- is it text? ------------------------------------------------------------------------------------------------ */

void scan_begin(Scan *scan, const Source *source)
{
    memset(scan, 0, sizeof *scan);
    scan->source = source;
    bool bom = source->length >= 3 && memcmp(source->text, "\xEF\xBB\xBF", 3) == 0;
    scan->offset = bom ? 3 : 0;
    scan->line = scan->column = 1;
    scan->first.at = scan->last.at = (Place){ source, 1, 1, 1, 1 };
    flex_begin(scan);
}

/* The length of the UTF-8 character at s, or 0 if it is none. */
static int character_length(const unsigned char *s, size_t room)
{
    int n = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : s[0] < 0xF5 ? 4 : 0;
    if ((size_t)n > room) return 0;
    for (int i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    return n;
}

static bool check_failed(const Scan *scan, size_t offset, const char *message, const char *advice)
{
    const char *text = scan->source->text;
    int line = 1;
    size_t start = scan->offset;
    for (size_t i = scan->offset; i < offset; i++)
        if (text[i] == '\n') line++, start = i + 1;
    int column = (int)(offset - start) + 1;
    error_at((Place){ scan->source, line, column, line, column + 1 }, "%s", message);
    help("%s", advice);
    return false;
}

bool scan_check(Scan *scan)
{
    const unsigned char *s = (const unsigned char *)scan->source->text;
    size_t n = scan->source->length;
    if (n >= 2 && ((s[0] == 0xFF && s[1] == 0xFE) || (s[0] == 0xFE && s[1] == 0xFF)))
        return check_failed(scan, 0, "the file is UTF-16 text", "save it as UTF-8");
    if (memchr(s, 0, n))
        return check_failed(scan, (size_t)((const unsigned char *)memchr(s, 0, n) - s),
                            "a zero byte: the file is not text", "a .dln file is UTF-8 text");
    for (size_t i = 0; i < n;) {
        int length = character_length(s + i, n - i);
        if (length == 0)
            return check_failed(scan, i, format("byte 0x%02x: the file is not UTF-8 text", s[i]), "save it as UTF-8");
        if (s[i] == '\r' && i + 1 < n && s[i + 1] != '\n')
            return check_failed(scan, i, "a carriage return without a line feed",
                                "save the file with line ends LF or CR LF");
        if ((s[i] < 0x20 && s[i] != '\t' && s[i] != '\n' && s[i] != '\r') || s[i] == 0x7F)
            return check_failed(scan, i, format("control byte 0x%02x in the text", s[i]), "remove it");
        i += (size_t)length;
    }
    return true;
}

/* --- values ----------------------------------------------------------------------------------------------------- */

/* As strtod in the C locale, whatever the program around dlnc has set. */
static double decimal(const char *digits)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double value = strtod_l(digits, NULL, c);
    freelocale(c);
    return value;
}

static void number_read(Scan *scan, Token *t, size_t length)
{
    const double most = 9007199254740992;        /* 2^53: every integer up to it is a double */
    const char *digits = intern_n(scan->source->text + t->begin, length);
    bool is_float = strpbrk(digits, ".eE") != NULL;
    bool zero = strcspn(digits, "123456789") >= strcspn(digits, "eE");
    double value = decimal(digits);
    t->kind = NUMBER;
    t->value.number = (Number){ value, digits, is_float };
    if (is_float && isinf(value)) error_at(t->at, "the number is too large: at most 1.79e308");
    else if (is_float && value == 0 && !zero) error_at(t->at, "the number is too small: it would be 0");
    else if (!is_float && value > most) error_at(t->at, "the integer is too large: at most 2^53 = 9007199254740992");
    else return;
    scan_error(scan);
    t->value.number.value = 1;
}

static void number_bad(Scan *scan, Token *t)
{
    const char *s = scan->source->text + t->begin;
    size_t n = t->end - t->begin, digits = strspn(s, "0123456789");
    if (s[digits] == '.') digits += 1 + strspn(s + digits + 1, "0123456789");
    const char *tail = format("%.*s", (int)(n - digits < 40 ? n - digits : 40), s + digits);
    error_at(t->at, "letters after a number: '%s'", token_text(t));
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) help("numbers are decimal");
    else if (strcmp(tail, "e") == 0 || strcmp(tail, "E") == 0) help("digits are missing after '%s'", tail);
    else if (strlen(tail) == 1 && strchr("fFlLuUdD", tail[0])) help("numbers have no suffix; 1 is an int, 1.0 a float");
    else help("a product needs its '*': %.*s * %s", (int)(digits < 40 ? digits : 40), s, tail);
    scan_error(scan);
    number_read(scan, t, digits);
}

static void string_read(Scan *scan, Token *t, size_t from, size_t to)
{
    const char *s = scan->source->text;
    char *text = arena_alloc(to - from + 1);
    size_t n = 0;
    for (size_t i = from; i < to; i++) {
        if (s[i] != '\\') {
            text[n++] = s[i];
            continue;
        }
        char c = s[++i];
        if (c == 'n' || c == 't') {
            text[n++] = c == 'n' ? '\n' : '\t';
            continue;
        }
        text[n++] = c;
        if (c == '"' || c == '\\') continue;
        Place at = t->at;
        at.column += (int)(i - 1 - t->begin);
        at.end_column = at.column + 2;
        error_at(at, "a string knows \\\" \\\\ \\n and \\t only");
        help("write \\\\ for a backslash");
        scan_error(scan);
    }
    t->kind = STRING;
    t->value.text = intern_n(text, n);
}

static void string_bad(Scan *scan, Token *t)
{
    bool single = t->kind == BAD_QUOTE;
    bool closed = single && t->end - t->begin >= 2 && scan->source->text[t->end - 1] == '\'';
    if (single) error_at(t->at, "a string stands between double quotes");
    else error_at(t->at, "the string is not finished on its line");
    if (!single) help("end it with \"; a quote in a string is \\\", a line break \\n");
    scan_error(scan);
    t->kind = STRING;
    t->value.text = intern_n(scan->source->text + t->begin + 1, t->end - t->begin - 1 - closed);
}

/* What typesetting makes of the language's own characters. */
static const struct { const char *seen, *meant; int kind; } lookalike[] = {
    { "\u2192", "->", ARROW }, { "\u21D2", "=>", YIELDS }, { "\u2212", "-", '-' }, { "\u2013", "-", '-' },
    { "\u2014", "-", '-' }, { "\u00D7", "*", '*' }, { "\u00B7", "*", '*' }, { "\u00F7", "/", '/' },
    { "\u2264", "<=", LE }, { "\u2265", ">=", GE }, { "\u2260", "!=", NE }, { "\u2026", "...", ELLIPSIS },
    { "\u2025", "..", DOTS }, { "\u00AC", "not", NOT }, { "\u2227", "and", AND }, { "\u2228", "or", OR },
    { "\u00B2", "^2", 0 }, { "\u221A", "sqrt()", 0 }, { "\u221E", "inf", 0 }, { "\u03A3", "sum", 0 },
    { "\u2211", "sum", 0 }, { "\u201C", "\"", 0 }, { "\u201D", "\"", 0 }, { "\u201E", "\"", 0 },
    { "\u2018", "\"", 0 }, { "\u2019", "\"", 0 }, { "\u00A0", "a space", 0 }, { "\u200B", "", 0 },
    { "\uFEFF", "", 0 }, { "!", "not", NOT }, { "&", "and", AND }, { "&&", "and", AND }, { "||", "or", OR },
    { "\\", "no sign: a line goes on by itself inside ( )", 0 },
};

static unsigned code_point(const unsigned char *s, int n)
{
    unsigned code = n == 1 ? s[0] : s[0] & (0xFFu >> (n + 1));
    for (int i = 1; i < n; i++) code = code << 6 | (s[i] & 0x3F);
    return code;
}

/* Reports it; true if the token now stands for what was meant, false if it is to be skipped. */
static bool character_bad(Scan *scan, Token *t)
{
    const unsigned char *s = (const unsigned char *)scan->source->text + t->begin;
    int n = s[0] < 0x80 ? (int)(t->end - t->begin) : character_length(s, t->end - t->begin), known = -1;
    for (int i = 0; i < (int)(sizeof lookalike / sizeof *lookalike); i++)
        if ((size_t)n == strlen(lookalike[i].seen) && memcmp(s, lookalike[i].seen, (size_t)n) == 0) known = i;
    Place at = t->at;
    at.end_column = at.column + n;
    unsigned code = code_point(s, n);
    if (s[0] < 0x80) error_at(at, "'%.*s' is not of the language", n, s);
    else if (code == 0xA0 || code == 0x200B || code == 0xFEFF) error_at(at, "the invisible character U+%04X", code);
    else error_at(at, "the character '%.*s' (U+%04X) is not of the language", n, s, code);
    if (known >= 0 && *lookalike[known].meant) help("write %s", lookalike[known].meant);
    else if (known >= 0) help("remove it");
    else if (s[0] >= 0x80) help("other letters and signs stand in strings and comments only");
    scan_error(scan);
    if (known >= 0 && t->end - t->begin == (size_t)n) t->kind = lookalike[known].kind;
    else t->kind = 0;
    scan->spoiled |= t->kind == 0;
    return t->kind != 0;
}

/* ## lines gather to a documentation; it holds if the definition begins on the line after them. */
static void comment_keep(Scan *scan, const Token *t, bool own_line)
{
    const char *s = scan->source->text + t->begin;
    size_t n = t->end - t->begin;
    n -= s[n - 1] == '\r';
    PUSH(scan->comments, ((Comment){ t->at, t->begin, t->begin + n }));
    if (!own_line) return;
    bool follows = scan->doc_line == t->at.line;
    if (n < 2 || s[1] != '#' || (n > 2 && s[2] == '#')) {
        if (follows) scan->doc_line++;           /* a plain comment between */
        return;
    }
    if (!follows) scan->doc = (Text){ 0 };
    if (scan->doc.length) text_add(&scan->doc, "\n");
    while (s[n - 1] == ' ' || s[n - 1] == '\t') n--;         /* ends at the ## */
    size_t skip = n > 2 && s[2] == ' ' ? 3 : 2;
    text_add_n(&scan->doc, s + skip, n - skip);
    scan->doc_line = t->at.line + 1;
}

/* Sets the value. False: the token is to be skipped. */
static bool value_read(Scan *scan, Token *t)
{
    size_t length = t->end - t->begin;
    switch (t->kind) {
    case NAME: case REDUCE: case CONSTANT:
        if (length > LONGEST_NAME) {
            error_at(t->at, "a name has at most %d characters, this has %zu", LONGEST_NAME, length);
            scan_error(scan);
            length = LONGEST_NAME;
        }
        t->value.text = intern_n(scan->source->text + t->begin, length);
        break;
    case DEF: case LOSS: case METRIC: case OPTIMIZER: case SCHEDULE: case INIT: case EVERY:
        t->value.text = scan->doc.length && scan->doc_line == t->at.line ? text_string(&scan->doc) : "";
        break;
    case NUMBER: number_read(scan, t, length); break;
    case BAD_NUMBER: number_bad(scan, t); break;
    case STRING: string_read(scan, t, t->begin + 1, t->end - 1); break;
    case BAD_STRING: case BAD_QUOTE: string_bad(scan, t); break;
    case BAD_CHARACTER: return character_bad(scan, t);
    }
    return true;
}

/* --- raw tokens and brackets ------------------------------------------------------------------------------------ */

static void raw_next(Scan *scan, Token *t)
{
    bool fresh = scan->last.kind == 0;           /* nothing but comments yet */
    memset(t, 0, sizeof *t);
    for (;;) {
        t->kind = flex_next(t, scan->flex);
        if (scan->stopped) t->kind = 0;
        if (t->kind == 0) break;
        if (t->kind == FLEX_NEWLINE) {
            t->newline = true;
            scan->line++;
            scan->column = 1;
        } else if (t->kind == FLEX_SEMICOLON) {
            t->semicolon = true;
            t->semicolon_at = t->at;
        } else if (t->kind == FLEX_COMMENT) {
            comment_keep(scan, t, t->newline || fresh);
        } else if (t->kind != FLEX_BLANK && value_read(scan, t)) {
            break;
        }
    }
    if (t->kind == 0) {
        t->begin = t->end = scan->offset;
        t->at = (Place){ scan->source, scan->line, scan->column, scan->line, scan->column };
    }
    scan->doc = (Text){ 0 };
    scan->doc_line = 0;
}

static Bracket *bracket_innermost(Scan *scan)    /* ( or [ of the statement, or NULL */
{
    Bracket *b = scan->open.count ? &scan->open.at[scan->open.count - 1] : NULL;
    return b && is_bracket(b->kind) ? b : NULL;
}

/* Forgets the ( and [ that are open: a brace or a keyword at the beginning of a line ends them. */
static void brackets_drop(Scan *scan)
{
    if (bracket_innermost(scan)) scan->dropped = *bracket_innermost(scan);
    while (bracket_innermost(scan)) scan->open.count--;
}

static void bracket_push(Scan *scan, Token *t)
{
    if (scan->open.count >= MOST_DEPTH) {
        depth_error(scan, t->at);
        t->kind = 0;
        return;
    }
    Bracket b = { t->kind, t->at, scan->last.kind, is_bracket(t->kind) ? token_text(&scan->last) : "" };
    PUSH(scan->open, b);
    scan->braces += t->kind == '{';
}

/* dense(10} in a block that began on an earlier line: the brace stands for the bracket. */
static bool brace_mistyped(Scan *scan, Token *t)
{
    const Bracket *b = bracket_innermost(scan), *outer = b;
    if (!b || b->at.line != t->at.line) return false;
    while (outer > scan->open.at && outer->kind != '{') outer--;
    if (outer->kind == '{' && outer->at.line == t->at.line) return false;
    char meant = b->kind == '(' ? ')' : ']';
    error_at(t->at, "expected '%c' before '}'", meant);
    note_at(b->at, "this '%c' is still open", b->kind);
    scan_error(scan);
    t->kind = meant;
    t->closes = *b;
    scan->open.count--;
    return true;
}

static void bracket_watch(Scan *scan, Token *t)
{
    switch (t->kind) {
    case '(': case '[': case '{':
        if (t->kind == '{') brackets_drop(scan);
        bracket_push(scan, t);
        break;
    case ')': case ']':
        if (!bracket_innermost(scan)) break;
        t->closes = *bracket_innermost(scan);
        scan->open.count--;
        break;
    case '}':
        if (brace_mistyped(scan, t)) break;
        brackets_drop(scan);
        if (!scan->open.count) break;
        scan->open.count--;
        scan->braces--;
        break;
    }
}

/* --- statement ends and recovery -------------------------------------------------------------------------------- */

static void hold(Scan *scan, Token t) { PUSH(scan->held, t); }

static bool has_held(const Scan *scan) { return scan->held_next < scan->held.count; }

static void held_take(Scan *scan, Token *t)
{
    *t = scan->held.at[scan->held_next++];
    if (!has_held(scan)) scan->held_next = scan->held.count = 0;
}

static Token token_at(const Token *like, int kind, Place at)
{
    Token t = { .kind = kind, .at = at, .begin = like->end, .end = like->end };
    t.at.line = at.end_line;
    t.at.column = at.end_column;
    return t;
}

static Token sep_after(const Scan *scan, const Token *next)
{
    Token t = token_at(&scan->last, SEP, scan->last.at);
    t.semicolon = next->semicolon;
    if (next->semicolon) t.at = next->semicolon_at;
    return t;
}

/* `train {` on a line of its own; `train = f` and `train, test = f` are settings. */
static bool is_item_line(const Scan *scan, const Token *t)
{
    if (!(t->newline || scan->last.kind == 0) || t->at.column != 1 || !token_begins_item(t->kind)) return false;
    const char *after = scan->source->text + t->end;
    after += strspn(after, " \t");
    return *after != '=' && *after != ',';
}

/* A new item while braces are open: the text lacks a '}'. Closes what is open and goes on with the item. */
static void braces_close(Scan *scan, const Token *item)
{
    const Bracket *b = &scan->open.at[scan->open.count - 1];
    while (b->kind != '{') b--;
    error_at(item->at, "expected '}' before '%s', which begins a new item", token_text(item));
    note_at(b->at, "this '{' is still open");
    scan_error(scan);
    brackets_drop(scan);
    Token brace = token_at(&scan->last, '}', scan->last.at);
    brace.made_up = true;
    for (; scan->open.count; scan->open.count--) hold(scan, brace);
    scan->braces = 0;
    Token sep = sep_after(scan, item);
    sep.made_up = true;
    hold(scan, sep);
    hold(scan, *item);
}

static bool statement_ends(const Scan *scan, const Token *t, bool inside)
{
    int last = scan->last.kind;
    if (t->kind == 0 || t->kind == '}') return false;
    if (t->semicolon) return last != 0 && last != SEP && last != '{';
    if (!t->newline || inside || t->kind == ')' || t->kind == ']') return false;
    return !token_needs_operand(last) && !token_cannot_begin(t->kind);
}

/* The next token, or several to hold, from the raw ones. */
static void tokens_read(Scan *scan, Token *t)
{
    raw_next(scan, t);
    scan->dropped = (Bracket){ 0 };
    if (scan->braces && is_item_line(scan, t)) {
        braces_close(scan, t);
        held_take(scan, t);
        return;
    }
    bool type_follows = scan->last.kind == ':' || scan->last.kind == '|';
    if (bracket_innermost(scan) && t->newline && begins_statement(t->kind) && !type_follows) brackets_drop(scan);
    bool ends = statement_ends(scan, t, bracket_innermost(scan) != NULL);
    bracket_watch(scan, t);
    if (!ends || t->kind == 0) return;
    Token sep = sep_after(scan, t);
    if (t->kind == '-') t->kind = LEADING_MINUS;
    hold(scan, *t);
    *t = sep;
}

static bool resumes_item(const Token *t)
{
    if (t->kind == NAME && t->at.column == 1) return item_word_near(t->value.text) != NULL;
    return token_begins_item(t->kind) || t->kind == CONST;
}

/* Skips to the end of the broken statement; at the top of the file, to the next line that begins an item. */
static void broken_skip(Scan *scan, Token *t)
{
    bool top = scan->recover_braces == 0;
    scan->recover = false;
    for (;;) {
        if (has_held(scan)) {
            held_take(scan, t);
            if (bracket_innermost(scan)) continue;
        } else {
            raw_next(scan, t);
            scan->dropped = (Bracket){ 0 };
            if (t->kind == 0) return;
            if (scan->braces && is_item_line(scan, t)) {
                braces_close(scan, t);
                held_take(scan, t);
                return;
            }
            if (t->newline && begins_statement(t->kind) && bracket_innermost(scan)) brackets_drop(scan);
            bool inside = bracket_innermost(scan) != NULL, at_depth = scan->braces == scan->recover_braces;
            bracket_watch(scan, t);
            if (t->kind == 0 || (t->kind == '}' && at_depth && !top)) return;
            if (inside || !at_depth) continue;
        }
        bool line = t->newline || t->semicolon;
        if (line && (top ? resumes_item(t) : !token_cannot_begin(t->kind))) break;
    }
    if (scan->last.kind == SEP) return;
    Token sep = sep_after(scan, t);
    if (t->kind == '-') t->kind = LEADING_MINUS;
    hold(scan, *t);
    *t = sep;
}

void scan_recover(Scan *scan)
{
    int got = scan->last.kind, braces = scan->braces - (got == '{');
    bool ends = got == 0 || got == '}' || (got == SEP && braces > 0 && !bracket_innermost(scan));
    scan->recover = !ends && !scan->last.made_up;
    scan->recover_braces = braces;
}

void scan_next(Scan *scan, Token *t)
{
    if (scan->stopped) {
        *t = token_at(&scan->last, 0, scan->last.at);
    } else if (scan->recover) {
        broken_skip(scan, t);
    } else if (has_held(scan)) {
        held_take(scan, t);
    } else {
        tokens_read(scan, t);
    }
    bool begins = scan->last.kind == 0 || scan->last.kind == SEP || scan->last.kind == '{';
    if (begins && t->kind != SEP) scan->first = *t;
    if (t->kind == SEP || t->kind == '{' || t->kind == '}') scan->spoiled = false;
    scan->before2 = scan->before;
    scan->before = scan->last;
    scan->last = *t;
}
