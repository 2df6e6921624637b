/* complain.c: words a syntax error. First come the mistakes that people make (a table of tests, each knowing the
 * context it needs); what none of them recognises is told by what the grammar expected there. */
#include "syntax/scan.h"
#include <string.h>

typedef struct Error {
    Scan *scan;
    Place at;                    /* of the token */
    int got;
    const int *expected;
    int count;
    const char *text;            /* of the token, as it stands in the file */
    const Bracket *in;           /* the innermost ( or [ round it, or NULL */
} Error;

static bool expects(const Error *e, int kind)
{
    for (int i = 0; i < e->count; i++)
        if (e->expected[i] == kind) return true;
    return false;
}

static bool after_operand(const Error *e) { return expects(e, '+') || expects(e, ARROW); }
static bool before_operand(const Error *e) { return expects(e, NUMBER); }
static bool at_top(const Error *e) { return expects(e, IMPORT); }
static bool in_block(const Error *e) { return expects(e, OUTPUT) && before_operand(e); }      /* a statement begins */
static bool is_word(int kind) { return kind == NAME || kind == REDUCE || kind == CONSTANT || token_is_keyword(kind); }
static bool is_comparison(int kind)
{
    return kind == EQ || kind == NE || kind == '<' || kind == '>' || kind == LE || kind == GE;
}

static const char *before_text(const Error *e) { return token_text(&e->scan->before); }
static bool before_is(const Error *e, const char *word) { return strcmp(before_text(e), word) == 0; }
static bool same_line(const Error *e) { return e->scan->before.at.end_line == e->at.line; }

/* How the token is called in a message. */
static const char *got_name(const Error *e)
{
    switch (e->got) {
    case 0: case SEP: case LEADING_MINUS: return e->scan->last.semicolon && e->got == SEP ? "';'" : token_name(e->got);
    case STRING: return "a string";
    default: return format("'%s'", e->text);
    }
}

static const char *kind_name(int kind)
{
    const char *name = token_name(kind);
    return token_is_keyword(kind) ? format("'%s'", name) : name;
}

/* --- the mistakes that people make ------------------------------------------------------------------------------ */

static bool leading_minus(const Error *e)
{
    if (e->got != LEADING_MINUS) return false;
    error_at(e->at, "a line cannot begin with '-'");
    help("end the line before with the '-', or put the value in ( )");
    return true;
}

static bool unknown_item(const Error *e)
{
    if (e->got == '}' && !e->scan->braces && expects(e, END)) {
        error_at(e->at, "this '}' closes nothing");
        return true;
    }
    if (!at_top(e)) return false;
    const char *near = e->got == NAME ? item_word_near(e->text) : NULL;
    if (token_is_keyword(e->got)) error_at(e->at, "'%s' stands in a block { }, not at the top of the file", e->text);
    else if (e->got == NAME || e->got == REDUCE) error_at(e->at, "'%s' begins nothing at the top of the file", e->text);
    else error_at(e->at, "%s cannot stand at the top of the file", got_name(e));
    if (near) help("did you mean '%s'?", near);
    else if (e->got == '*' || e->got == FLOOR_DIV || e->got == '/') help("comments begin with '#'");
    else help("import, const, data, train, model, def, loss, metric, optimizer, schedule, init, rewrite or example");
    return true;
}

/* The character of the file behind the token, blanks skipped. */
static char next_character(const Error *e)
{
    const char *s = e->scan->source->text + e->scan->last.end;
    return s[strspn(s, " \t")];
}

static bool slash_comment(const Error *e)
{
    bool slashes = e->got == FLOOR_DIV || (e->got == '/' && e->scan->source->text[e->scan->last.end] == '*');
    if (!slashes || !before_operand(e)) return false;
    error_at(e->at, "expected a value before '%s'", e->text);
    help("comments begin with '#'");
    return true;
}

static bool item_in_block(const Error *e)
{
    bool begins = in_block(e) || (e->scan->first.begin == e->scan->last.begin && e->scan->braces > 0);
    if (!begins || !token_begins_item(e->got)) return false;
    if (next_character(e) == '=') {
        error_at(e->at, "'%s' is a word of the language and cannot be a name", e->text);
        return true;
    }
    error_at(e->at, "'%s' stands at the top of the file, not in a block", e->text);
    for (int i = e->scan->open.count - 1; i >= 0; i--)
        if (e->scan->open.at[i].kind == '{') {
            note_at(e->scan->open.at[i].at, "the block begins here");
            break;
        }
    return true;
}

static bool reserved_name(const Error *e)
{
    bool name_only = expects(e, NAME) && !before_operand(e) && (e->count <= 2 || expects(e, REDUCE));
    if (name_only && token_is_keyword(e->got))
        error_at(e->at, "'%s' is a word of the language and cannot be a name", e->text);
    else if (name_only && e->got == REDUCE && !expects(e, REDUCE))
        error_at(e->at, "'%s' is a reduction and cannot be a name", e->text);
    else if (e->got == '=' && e->scan->before.kind == REDUCE && after_operand(e))
        error_at(e->scan->before.at, "'%s' is a reduction and cannot be a name", before_text(e));
    else if (e->got == '=' && token_is_keyword(e->scan->before.kind) && expects(e, NAME))
        error_at(e->scan->before.at, "'%s' is a word of the language and cannot be a name", before_text(e));
    else return false;
    return true;
}

static bool assignment(const Error *e)
{
    if (e->got != '=' || !after_operand(e)) return false;
    int first = e->scan->first.kind;
    const Token *before = &e->scan->before, *before2 = &e->scan->before2;
    if (before->newline && token_needs_operand(before2->kind) && before2->kind != SEP && before2->kind != '{') {
        Place at = before2->at;                  /* y =
                                                    z = 3 */
        error_at(at, "expected a %s after '%s'", before2->kind == '.' ? "name" : "value", token_text(before2));
        return true;
    }
    if (e->scan->before.kind == '=') {
        error_at(e->at, "expected a value before '='");
    } else if (e->in && e->in->kind == '[') {
        error_at(e->at, "'=' cannot stand between [ ]");
        help("arguments stand in ( ), indices in [ ]; a comparison is '=='");
    } else if (e->in || first == IF || first == REQUIRE || first == REPEAT || first == PENALTY || first == EXAMPLE) {
        error_at(e->at, "'=' gives a name its value; a comparison is '=='");
    } else {
        error_at(e->at, "only a name, or a name with [indices], can stand before '='");
        help("a comparison is '=='");
    }
    return true;
}

static bool chained_comparison(const Error *e)
{
    if (!is_comparison(e->got) || !after_operand(e)) return false;
    error_at(e->at, "comparisons do not chain");
    help("write a < b and b < c");
    return true;
}

static bool foreign_operator(const Error *e)
{
    int before = e->scan->before.kind;
    bool assigns = e->got < 256 && e->got > 0 && strchr("+-*/%^", e->got) && expects(e, '=');
    if (assigns && e->scan->source->text[e->scan->last.end] == '=') {
        error_at(e->at, "'%s=' is no operator", e->text);
        help("write the whole: name = name %s value", e->text);
        return true;
    }
    char next = e->scan->source->text[e->scan->last.end];
    if (after_operand(e) && ((e->got == '|' && next == '>') || (e->got == ':' && next == '='))) {
        error_at(e->at, "'%s%c' is no operator", e->text, next);
        help("%s", next == '>' ? "a value is passed on by '->'" : "write '='");
        return true;
    }
    bool adjacent = e->scan->before.end == e->scan->last.begin;
    if (!adjacent) return false;
    const char *name = token_text(&e->scan->before2);
    const char *meant = e->got == '*' && before == '*' ? "a power is written a ^ b"
        : e->got == '>' && before == LE ? "write '<=', or 'not (a == b)'"
        : e->got == '=' && (before == EQ || before == NE) ? "write '==' or '!='"
        : e->got == '=' && strchr("+-*/%^", before) && before < 256 && before > 0
            ? format("write %s = %s %c ...", name, name, before)
        : e->got == '+' && before == '+' ? format("write %s = %s + 1", name, name) : NULL;
    if (!meant) return false;
    error_at(e->at, "'%s%s' is no operator", before_text(e), e->text);
    help("%s", meant);
    return true;
}

static bool wrong_bracket(const Error *e)
{
    const Bracket *in = e->in, *closed = &e->scan->before.closes;
    bool index = e->got == DOTS || e->got == IN || e->got == '@';
    if (in && in->kind == '(' && index && (in->before == REDUCE || in->before == NAME)) {
        error_at(e->at, "'%s' can stand between [ ] only: indices stand in [ ], values in ( )", e->text);
        help("write %s[...]", in->word);
        return true;
    }
    if (closed->kind == '(' && closed->before == REDUCE && e->scan->before.kind == ')' && after_operand(e)
        && (is_word(e->got) || e->got == NUMBER || e->got == '(')) {
        error_at(e->at, "expected an operator before %s", got_name(e));
        note_at(closed->at, "if these are the indices of a reduction, they stand in [ ]: %s[...]", closed->word);
        return true;
    }
    const Bracket *closes = &e->scan->last.closes;
    if (!closes->kind || (closes->kind == '(') == (e->got == ')')) return false;
    error_at(e->at, "expected '%c' before '%s'", closes->kind == '(' ? ')' : ']', e->text);
    note_at(closes->at, "this '%c' is still open", closes->kind);
    return true;
}

/* Words of other languages, where a name is followed by what cannot follow it. */
static const struct { const char *word, *advice; } foreign_word[] = {
    { "return", "the value of a block is that of its last line: leave out 'return'" },
    { "for", "indices run by themselves: y[i] = ...; a loop over compile-time values is repeat N as k { }" },
    { "while", "there is no loop at run time but scan t { }" },
    { "elif", "write 'else if'" }, { "elseif", "write 'else if'" },
    { "let", "write name = value" }, { "var", "write name = value" }, { "int", "write name = value" },
    { "float", "write name = value" },
    { "function", "a definition is def name(parameters) = value" },
    { "fn", "a definition is def name(parameters) = value" },
    { "class", "a layer is def name(x, ...) { }, a network model name { }" },
    { "assert", "write require condition, \"message\"" }, { "print", "there is no output from inside a model" },
};

static bool foreign_statement(const Error *e)
{
    const Token *first = &e->scan->first, *before = &e->scan->before;
    if (first->kind != NAME || first->begin != before->begin || !same_line(e) || !after_operand(e)) return false;
    for (int i = 0; i < (int)(sizeof foreign_word / sizeof *foreign_word); i++)
        if (before_is(e, foreign_word[i].word)) {
            error_at(first->at, "'%s' is not of the language", foreign_word[i].word);
            help("%s", foreign_word[i].advice);
            return true;
        }
    static const char *const words[] = { "input", "output", "layer", "param", "state", "update", "total", "penalty",
        "require", "derivative", "repeat", "if", "scan", "const" };
    const char *near = e->got == NAME ? nearest(before_text(e), words, (int)(sizeof words / sizeof *words)) : NULL;
    if (!near) return false;
    error_at(first->at, "'%s' begins no statement", before_text(e));
    help("did you mean '%s'?", near);
    return true;
}

static bool missing_arrow(const Error *e)
{
    int before = e->scan->before.kind;
    bool operand = before == ')' || before == ']' || before == NAME || before == REDUCE;
    bool operand_next = e->got == NAME || e->got == REDUCE;
    if (!operand || !operand_next || !expects(e, ARROW) || e->in || !same_line(e)) return false;
    bool value = expects(e, '+');                /* else behind a layer: x -> f */
    if (before == REDUCE) {
        error_at(e->at, "expected '[' or '(' after '%s'", before_text(e));
        help("a reduction names its indices: %s[i] %s[i]", before_text(e), e->text);
        return true;
    }
    if (strcmp(e->text, "is") == 0) {
        error_at(e->at, "'is' is not of the language");
        help("a comparison is '=='");
        return true;
    }
    error_at(e->at, "expected '->'%s or the end of the line before '%s'", value ? ", an operator" : "", e->text);
    help("'-> %s' passes the value on%s", e->text, value ? "; a product needs its '*'" : "");
    return true;
}

static bool missing_comma(const Error *e)
{
    bool begins = is_word(e->got) || e->got == NUMBER || e->got == STRING || e->got == '(' || e->got == '[';
    if (!e->in || !after_operand(e) || !begins) return false;
    error_at(e->at, "expected ',', '%c' or an operator before %s", e->in->kind == '(' ? ')' : ']', got_name(e));
    return true;
}

static bool bad_stage(const Error *e)
{
    if (e->scan->before.kind == ARROW && expects(e, NAME)) {
        error_at(e->at, "after '->' stands a layer, not %s", got_name(e));
        bool value = e->got == '(' || e->got == '[' || e->got == NUMBER;
        if (value) help("give the value a name, or begin the line with it");
        return true;
    }
    bool piped = e->scan->before.kind == NAME && (e->got == '.' || e->got == '[') && !expects(e, e->got)
        && expects(e, ARROW) && expects(e, '(');
    if (!piped) return false;
    error_at(e->at, "after '->' stands the name of a layer, which '%s' cannot follow", e->text);
    if (e->got == '[') help("arguments stand in ( ): %s(...)", before_text(e));
    return true;
}

static bool python_colon(const Error *e)
{
    bool block = e->got == ':' && expects(e, '{');
    if (!block) return false;
    error_at(e->at, "expected '{' before ':'");
    help("a block stands between { }; a short definition is def f(x) = value");
    return true;
}

static bool trailing_comma(const Error *e)
{
    if (e->scan->before.kind != ',' || (e->got != ')' && e->got != ']')) return false;
    error_at(e->at, "expected %s after ','", before_operand(e) ? "a value" : "a name");
    help("leave out the last ','");
    return true;
}

static bool late_member(const Error *e)
{
    if (e->got != '.' || !after_operand(e) || e->scan->before.kind != NUMBER) return false;
    error_at(e->at, "a number has digits on both sides of its point");
    return true;
}

static bool early_point(const Error *e)
{
    if (e->got != '.' || !before_operand(e)) return false;
    error_at(e->at, "expected a value before '.'");
    help("a number has digits on both sides of its point: 0.5");
    return true;
}

/* --- anything else ---------------------------------------------------------------------------------------------- */

/* Tokens of lesser interest where others can stand too. */
static bool is_implied(const Error *e, int kind)
{
    return (kind == REDUCE && expects(e, NAME)) || (kind == '}' && expects(e, SEP)) || (kind == '.' && e->count > 2)
        || (kind == END && expects(e, SEP) && e->got != '}');
}

static const char *expected_list(const Error *e)
{
    Text t = { 0 };
    LIST(const char *) names = { 0 };
    for (int i = 0; i < e->count; i++)
        if (!is_implied(e, e->expected[i])) PUSH(names, kind_name(e->expected[i]));
    for (int i = 0; i < names.count; i++) {
        const char *mark = i == 0 ? "" : i == names.count - 1 ? " or " : ", ";
        text_addf(&t, "%s%s", mark, names.at[i]);
    }
    return text_string(&t);
}

static const char *expected_text(const Error *e)
{
    if (e->got == END && expects(e, '}')) return "'}'";
    if (after_operand(e) && !expects(e, '+') && !e->in) return "'->' or the end of the line";
    if (e->count <= 4) return expected_list(e);
    if (in_block(e)) return "a statement";
    if (before_operand(e)) return expects(e, ')') ? "a value or ')'" : expects(e, ']') ? "a value or ']'" : "a value";
    if (after_operand(e) && expects(e, ')')) return "',', ')' or an operator";
    if (after_operand(e) && expects(e, ']')) return "',', ']' or an operator";
    if (after_operand(e) && expects(e, ':')) return "':' or an operator";
    if (after_operand(e) && expects(e, '{')) return "'{' or an operator";
    if (after_operand(e) && expects(e, YIELDS)) return "'=>' or an operator";
    if (after_operand(e) && expects(e, ARROW)) return "'->', an operator or the end of the line";
    if (after_operand(e)) return expects(e, ',') ? "',' or an operator" : "an operator or the end of the line";
    if (expects(e, NAME) && expects(e, REDUCE)) return "a name";
    if (expects(e, LAYER) && expects(e, CONSTANT)) return "a type";
    if (expects(e, OPTIMIZER)) return "def, loss, metric, optimizer, schedule or init";
    return expected_list(e);
}

/* How it is written, where the mistake can be guessed; or NULL. */
static const char *advice(const Error *e)
{
    const Scan *scan = e->scan;
    int first = scan->first.kind, before = scan->before.kind;
    bool literal = e->got == NUMBER || e->got == STRING;
    if (first == IMPORT) return "import \"file.dln\"";
    if (first == REQUIRE && (e->got == SEP || e->got == STRING)) return "require condition, \"message\"";
    if (first == INPUT && e->got == '(') return format("axes stand in [ ]: %s[...]", before_text(e));
    if (first == INPUT && (expects(e, ':') || expects(e, CONSTANT))) return "input name: float[axes]";
    if (first == MODEL && e->got == '(') return "a model has no parameters; its inputs are input x: float[3]";
    if (before == NAME && literal && expects(e, ARROW) && !e->in)
        return format("arguments stand in ( ): %s(%s)", before_text(e), e->text);
    if (e->got == '{' && before_operand(e)) return "a block follows if, repeat, scan or the head of a definition";
    if (e->got == ':' && e->in && e->in->kind == '[') return "there are no slices: y[i in 0..3] = x[i + 1]";
    if (e->got == ':' && e->in && expects(e, ',')) return "an argument is name = value";
    if (e->got == IF && after_operand(e)) return "a choice is condition ? a : b";
    if (e->got == '@' && after_operand(e)) return "a matrix product is y[i, j] = sum[k] a[i, k] * b[k, j]";
    if (e->got == ',' && expects(e, ARROW) && !e->in) return "a statement ends at the end of the line or at ';'";
    return NULL;
}

static void plain_error(const Error *e)
{
    const char *expected = expected_text(e), *got = got_name(e);
    if (e->count == 0) error_at(e->at, "unexpected %s", got);
    else if (e->got == 0 || e->got == SEP) error_at(e->at, "expected %s, but found %s", expected, got);
    else error_at(e->at, "expected %s before %s", expected, got);
    const char *better = advice(e);
    if (better) help("%s", better);
}

static void open_note(const Error *e)
{
    const Scan *scan = e->scan;
    bool closable = expects(e, ')') || expects(e, ']');
    const Bracket *b = scan->dropped.kind && closable ? &scan->dropped : e->in;
    if (!b && e->got == 0 && scan->open.count) b = &scan->open.at[scan->open.count - 1];
    if (!b) return;
    if (b->at.line != e->at.line || e->got == SEP || e->got == 0 || e->got == '}' || e->got == '{')
        note_at(b->at, "this '%c' is still open", b->kind);
}

static Place after(Place at)
{
    at.line = at.end_line;
    at.column = at.end_column++;
    return at;
}

void syntax_error(Scan *scan, Place at, int got, const int *expected, int count)
{
    static bool (*const known[])(const Error *) = {
        leading_minus, unknown_item, slash_comment, item_in_block, reserved_name, foreign_operator, assignment,
        chained_comparison, wrong_bracket, foreign_statement, bad_stage, missing_arrow, missing_comma, python_colon,
        trailing_comma, late_member, early_point,
    };
    if (!scan->stopped && !scan->last.made_up && !scan->spoiled) {
        if (got == 0) at = after(scan->before.at);
        Error e = { scan, at, got, expected, count, token_text(&scan->last), NULL };
        const Bracket *top = scan->open.count ? &scan->open.at[scan->open.count - 1] : NULL;
        if (top && got == top->kind) top = scan->open.count > 1 ? top - 1 : NULL;       /* the token itself */
        if (top && top->kind != '{') e.in = top;
        bool told = false;
        for (int i = 0; i < (int)(sizeof known / sizeof *known) && !told; i++) told = known[i](&e);
        if (!told) plain_error(&e);
        open_note(&e);
        scan_error(scan);
    }
    scan_recover(scan);
}

void depth_error(Scan *scan, Place at)
{
    if (scan->stopped) return;
    error_at(at, "nested or chained more than %d deep", MOST_DEPTH);
    help("give parts of it names, or use repeat");
    scan->stopped = true;
}
