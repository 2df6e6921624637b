/* test_front.c: the front end by its interfaces: memory and text, messages, the AST, formatting, hostile files.
 * Run from the project's root; the files of compiler/library and examples are part of the tests. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <glob.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/text.h"
#include "syntax/ast.h"

/* --- helpers ---------------------------------------------------------------------------------------------------- */

static char *said;               /* what the last compilation reported */
static size_t said_length;
static FILE *said_to;

static void listen_as(DiagFormat as)
{
    free(said);
    said_to = open_memstream(&said, &said_length);
    diag_begin(said_to, as, false);
}

static void listen(void) { listen_as(DIAG_TEXT); }

static const char *heard(void)
{
    diag_end();
    fclose(said_to);
    return said;
}

static const Source *source_of(const char *name, const char *text, size_t length)
{
    Source *s = NEW(Source);
    char *copy = arena_alloc(length + 1);
    memcpy(copy, text, length);
    *s = (Source){ name, copy, length };
    return s;
}

static File *parse_text(const char *text) { return parse_source(source_of("t.dln", text, strlen(text))); }

/* Parses and expects no message. */
static File *parse_good(const char *text)
{
    listen();
    File *file = parse_text(text);
    cr_assert_str_eq(heard(), "", "for: %s\n%s", text, said);
    return file;
}

static const Expr *value_of(const char *expression)
{
    File *file = parse_good(format("def f(x) = %s\n", expression));
    cr_assert_eq(file->count, 1);
    return file->at[0]->definition->value;
}

static const char *tree_of(const File *file, bool places)
{
    char *text;
    size_t length;
    FILE *to = open_memstream(&text, &length);
    ast_print(file, to);
    fclose(to);
    Text t = { 0 };
    for (const char *p = text; *p; p++) {
        if (!places && p[0] == ' ' && p[1] == '@') p += strcspn(p, "\n");       /* ` @3:7` ends each line */
        text_add_n(&t, p, 1);
    }
    free(text);
    return text_string(&t);
}

/* --- memory and text -------------------------------------------------------------------------------------------- */

Test(arena, zeroed_aligned_and_counted)
{
    for (size_t n = 0; n < 300000; n = n * 2 + 1) {
        unsigned char *p = arena_alloc(n);
        cr_assert_eq((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++) cr_assert_eq(p[i], 0);
        memset(p, 0xFF, n);
    }
    cr_assert_gt(arena_used(), 300000);
    unsigned before = arena_generation();
    arena_release();
    cr_assert_eq(arena_used(), 0);
    cr_assert_neq(arena_generation(), before);
}

Test(arena, lists_keep_what_was_pushed)
{
    LIST(int) list = { 0 };
    for (int i = 0; i < 100000; i++) PUSH(list, i * 3);
    for (int i = 0; i < list.count; i++) cr_assert_eq(list.at[i], i * 3);
}

Test(text, interned_strings_are_one)
{
    char name[] = "weight";
    const char *a = intern("weight");
    cr_assert_eq(a, intern(name));
    cr_assert_eq(a, intern_n("weights", 6));
    cr_assert_neq(a, intern("weights"));
    for (int i = 0; i < 20000; i++) intern(format("name%d", i));
    cr_assert_eq(a, intern("weight"));
    arena_release();
    cr_assert_str_eq(intern("weight"), "weight");
}

Test(text, long_texts)
{
    Text t = { 0 };
    cr_assert_str_eq(text_string(&t), "");
    for (int i = 0; i < 5000; i++) text_addf(&t, "%d,", i);
    text_addf(&t, "%5000s", "end");
    cr_assert_eq(t.length, strlen(text_string(&t)));
    cr_assert_str_eq(t.at + t.length - 3, "end");
    cr_assert_eq(strlen(format("%9000d", 1)), 9000);
}

Test(text, nearest_finds_what_was_meant)
{
    static const char *const names[] = { "dense", "batchnorm", "conv", "relu", "categorical_crossentropy", "sum" };
    enum { N = sizeof names / sizeof *names };
    cr_assert_str_eq(nearest("dnese", names, N), "dense");
    cr_assert_str_eq(nearest("batch_norm", names, N), "batchnorm");
    cr_assert_str_eq(nearest("Conv", names, N), "conv");
    cr_assert_str_eq(nearest("categorical_crossentrpy", names, N), "categorical_crossentropy");
    cr_assert_null(nearest("attention", names, N));
    cr_assert_null(nearest("x", names, N));
    cr_assert_null(nearest("", names, N));
}

/* --- messages --------------------------------------------------------------------------------------------------- */

Test(diag, places_and_parts)
{
    listen();
    const Source *s = source_of("a.dln", "one\n\ttwo three\r\n", 15);
    error_at((Place){ s, 2, 6, 2, 11 }, "no %s", "three");
    note_at((Place){ s, 1, 1, 1, 4 }, "because of this");
    help("write %d", 3);
    error_plain("cannot open '%s'", "b.dln");
    cr_assert_eq(error_count(), 2);
    cr_assert_str_eq(heard(), "a.dln:2:6: error: no three\n     2 | \ttwo three\n       | \t    ^^^^^\n"
                              "a.dln:1:1: note: because of this\n     1 | one\n       | ^^^\nhelp: write 3\n"
                              "dlnc: error: cannot open 'b.dln'\n");
}

Test(diag, long_lines_are_cut_and_controls_hidden)
{
    listen();
    char line[5000];
    memset(line, 'a', sizeof line);
    memcpy(line + 2500, "\x1b[31m\xff\xc3\xa4", 8);
    const Source *s = source_of("a.dln", line, sizeof line);
    error_at((Place){ s, 1, 2501, 1, 2504 }, "here \x1b[1m");
    const char *text = heard();
    cr_assert_null(strchr(text, 0x1b));
    cr_assert_null(strchr(text, '\xff'));
    cr_assert_not_null(strstr(text, "?[31m?\xc3\xa4"));
    cr_assert_lt(strlen(text), 400);
}

Test(diag, nothing_twice_and_not_without_end)
{
    listen();
    const Source *s = source_of("a.dln", "x\n", 2);
    for (int i = 0; i < 3; i++) {
        error_at((Place){ s, 1, 1, 1, 2 }, "the same");
        note_at((Place){ s, 1, 1, 1, 2 }, "its note");
    }
    for (int i = 0; i < 200; i++) error_at((Place){ s, 1, 1, 1, 2 }, "error %d", i);
    cr_assert_eq(error_count(), 203);
    const char *text = heard();
    cr_assert_null(strstr(strstr(text, "the same") + 1, "the same"));
    cr_assert_null(strstr(strstr(text, "its note") + 1, "its note"));
    cr_assert_not_null(strstr(text, "error 48\n"));
    cr_assert_null(strstr(text, "error 49\n"));
    const char *end = strstr(text, "too many errors");
    cr_assert(end && strchr(end, '\n')[1] == '\0');
}

Test(diag, json)
{
    listen_as(DIAG_JSON);
    const Source *s = source_of("a\"\\\x01.dln", "x\n", 2);
    error_at((Place){ s, 1, 1, 1, 2 }, "tab\tline\nbad \xff good \xc3\xa4 \"");
    note_at((Place){ s, 1, 1, 1, 2 }, "n");
    help("h1");
    help("h2");
    warning_at((Place){ s, 1, 2, 1, 3 }, "w");
    cr_assert_str_eq(heard(),
        "[{\"severity\":\"error\",\"file\":\"a\\\"\\\\\\u0001.dln\","
        "\"line\":1,\"column\":1,\"end_line\":1,\"end_column\":2,"
        "\"message\":\"tab\\u0009line\\u000abad \\ufffd good \xc3\xa4 \\\"\","
        "\"notes\":[{\"file\":\"a\\\"\\\\\\u0001.dln\","
        "\"line\":1,\"column\":1,\"end_line\":1,\"end_column\":2,\"message\":\"n\"}],"
        "\"help\":[\"h1\",\"h2\"]},\n"
        "{\"severity\":\"warning\",\"file\":\"a\\\"\\\\\\u0001.dln\","
        "\"line\":1,\"column\":2,\"end_line\":1,\"end_column\":3,"
        "\"message\":\"w\",\"notes\":[],\"help\":[]}]\n");
    listen_as(DIAG_JSON);
    cr_assert_str_eq(heard(), "[]\n");
}

/* --- the AST ---------------------------------------------------------------------------------------------------- */

Test(ast, binding_of_operators)
{
    const Expr *e = value_of("sum[k] a[k] * b[k] + c");
    cr_assert_eq(e->kind, EXPR_BINARY);
    cr_assert_eq(e->op, AST_ADD);
    cr_assert_eq(e->left->kind, EXPR_REDUCE);
    cr_assert_eq(e->left->left->op, AST_MUL);

    e = value_of("-x^2");
    cr_assert_eq(e->kind, EXPR_UNARY);
    cr_assert_eq(e->left->op, AST_POW);

    e = value_of("2^-1^2");
    cr_assert_eq(e->op, AST_POW);
    cr_assert_eq(e->right->kind, EXPR_UNARY);

    e = value_of("x[t - 1] else i == 0 ? a : b");
    cr_assert_eq(e->kind, EXPR_ELSE);
    cr_assert_eq(e->right->kind, EXPR_CHOICE);
    cr_assert_eq(e->right->cond->op, AST_EQ);

    e = value_of("a - b - c");
    cr_assert_eq(e->left->op, AST_SUB);
    e = value_of("not a and b or c");
    cr_assert_eq(e->op, AST_OR);
    cr_assert_eq(e->left->op, AST_AND);
    cr_assert_eq(e->left->left->op, AST_NOT);
}

Test(ast, subscripts)
{
    const Expr *e = value_of("x[p + 1, r in 3, k in 0..i, i @ axis, n.., s.. in shape, k.. @ order, (i, j)]");
    static const SubKind kinds[] = { SUB_EXPR, SUB_IN, SUB_RANGE, SUB_AT, SUB_PACK, SUB_PACK_IN, SUB_PACK_AT,
                                     SUB_EXPR };
    cr_assert_eq(e->kind, EXPR_READ);
    cr_assert_eq(e->subs.count, 8);
    for (int i = 0; i < 8; i++) cr_assert_eq(e->subs.at[i].kind, kinds[i], "subscript %d", i);
    cr_assert_eq(e->subs.at[2].name, intern("k"));
    cr_assert_eq(e->subs.at[2].to->kind, EXPR_NAME);
    cr_assert_eq(e->subs.at[7].expr->kind, EXPR_FUSED);
    cr_assert_eq(value_of("x[]")->subs.count, 0);
}

Test(ast, flows_and_calls)
{
    const Expr *e = value_of("x -> dense(10, relu, name = \"a\") -> relu");
    cr_assert_eq(e->kind, EXPR_PIPE);
    cr_assert_not(e->parenthesised);
    cr_assert_eq(e->name, intern("relu"));
    cr_assert(e->left->parenthesised);
    cr_assert_eq(e->left->args.count, 3);
    cr_assert_eq(e->left->args.at[2].name, intern("name"));
    cr_assert_str_eq(e->left->args.at[2].value->name, "a");
    e = value_of("f(mean = [1, 2], ...)");
    cr_assert_eq(e->args.at[0].name, intern("mean"));
    cr_assert_null(e->args.at[1].value);
}

Test(ast, definitions)
{
    File *file = parse_good("## First.\n# plain\n## Second.\n"
                            "every loss(y, inner: loss, w[n] = none, l: int[n.., c] | none, ...) {\n    l = y\n}\n"
                            "example mse\n\n## Lost.\n\ninit i(w) = w\n");
    const Definition *d = file->at[0]->definition;
    cr_assert(d->every && d->folds && !d->is_short);
    cr_assert_eq(d->kind, KIND_LOSS);
    cr_assert_null(d->name);
    cr_assert_str_eq(d->doc, "First.\nSecond.");
    cr_assert_eq(d->params.count, 4);
    cr_assert_not(d->params.at[0].has_axes);
    cr_assert(d->params.at[2].has_axes && d->params.at[2].fallback);
    cr_assert(d->params.at[3].has_axes);
    cr_assert_eq(d->params.at[3].axes.count, 2);
    cr_assert_eq(d->params.at[3].type.count, 2);
    cr_assert_eq(d->params.at[3].type.at[1].subs.count, -1);
    cr_assert_eq(file->at[1]->definition, d);
    cr_assert_str_eq(file->at[2]->definition->doc, "");
    cr_assert_str_eq(def_kind_name[file->at[2]->definition->kind], "init");
}

Test(ast, statements)
{
    File *file = parse_good("model m {\n input x: float[2]\n output y[n] = x\n"
                            " param w[i] = zeros as \"weight\"[i]\n"
                            " if a { b } else if c { d } else { e }\n repeat 3 as h { f }\n scan t in 4 { g }\n"
                            " derivative y by x = 1\n require a, \"text {a}\"\n x.y = 3 -> f\n}\n");
    const Block b = file->at[0]->body;
    cr_assert_eq(b.count, 9);
    cr_assert_eq(b.at[0]->type.at[0].subs.count, 1);
    cr_assert_str_eq(b.at[2]->foreign, "weight");
    cr_assert_eq(b.at[2]->foreign_subs.count, 1);
    cr_assert(b.at[3]->has_otherwise);
    cr_assert_eq(b.at[3]->otherwise.at[0]->kind, ST_IF);
    cr_assert_eq(b.at[3]->otherwise.at[0]->otherwise.count, 1);
    cr_assert_eq(b.at[4]->name, intern("h"));
    cr_assert_eq(b.at[5]->value->number, 4);
    cr_assert_eq(b.at[6]->other, intern("x"));
    cr_assert_str_eq(b.at[7]->text, "text {a}");
    cr_assert_eq(b.at[8]->target->kind, EXPR_FIELD);
    cr_assert_eq(b.at[8]->value->kind, EXPR_PIPE);
}

Test(ast, places)
{
    const Expr *e = parse_good("def f(x) =\n    (a +\n     bc)\n")->at[0]->definition->value;
    cr_assert_eq(e->at.line, 2);
    cr_assert_eq(e->at.column, 5);
    cr_assert_eq(e->at.end_line, 3);
    cr_assert_eq(e->at.end_column, 9);
    cr_assert_eq(e->op_at.column, 8);
    cr_assert_eq(e->right->at.column, 6);
    cr_assert_eq(e->right->at.end_column, 8);
}

Test(ast, numbers_in_any_locale)
{
    /* A test that needs a comma is worth nothing without one. */
    static const char *const with_comma[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "C.UTF-8" };
    for (int i = 0; i < 4 && !setlocale(LC_ALL, with_comma[i]); i++) {}
    if (strcmp(localeconv()->decimal_point, ",") != 0) cr_log_info("no locale with a decimal comma here");
    cr_assert_float_eq(value_of("2.5")->number, 2.5, 0);
    cr_assert_float_eq(value_of("1e-3")->number, 1e-3, 0);
    cr_assert(value_of("1e3")->is_float);
    cr_assert_not(value_of("9007199254740992")->is_float);
    cr_assert_float_eq(value_of("1.7976931348623157e308")->number, 1.7976931348623157e308, 0);
}

Test(ast, strings)
{
    cr_assert_str_eq(value_of("\"a \\\"b\\\" \\\\ \\n\\t {x} {{ # ; \"")->name, "a \"b\" \\ \n\t {x} {{ # ; ");
    cr_assert_eq(value_of("\"\"")->kind, EXPR_STRING);
}

Test(ast, expression_text_reads_back)
{
    static const char *const texts[] = {
        "sum[k] a[k] * b[k] + c", "2^-1^2", "-(a + b)", "(a + b) * c", "a - (b - c)", "not (a and b)", "a * -b",
        "x[t - 1] else i == 0 ? a : b", "(a ? b : c) ? d : e", "max[k] -x[k]", "f(a, b = 3, ...)", "[[1, 2], []]",
        "x -> f -> g(1)", "(x -> f) + 1", "f((x -> g))", "x[n.., (i, j), k in 0..3, a @ 2, s.. in t, k.. @ o]", "(k..)",
        "(x[n] else 0) * (sum[i] y[i])", "\"a \\\"q\\\" \\\\\"", "a.b.c[1]", "1e-3", "mean", "(a < b) == c", "(a^b)^c",
        "sum[i] (a + b)", "true and none != false", "a // b % c", "(i, j in 3)" };
    for (int i = 0; i < (int)(sizeof texts / sizeof *texts); i++) {
        const Expr *e = value_of(texts[i]);
        const char *once = expr_text(e);
        cr_assert_str_eq(once, expr_text(value_of(once)), "%s", texts[i]);
        if (e->kind != EXPR_PIPE && strcmp(texts[i], "f((x -> g))") != 0) cr_assert_str_eq(once, texts[i]);
    }
    /* a tree that no text gave gets the ( ) it needs */
    Expr *sum = NEW(Expr), *product = NEW(Expr);
    *sum = *value_of("a + b");
    *product = *value_of("a * b");
    product->left = sum;
    cr_assert_str_eq(expr_text(product), "(a + b) * b");
}

/* --- formatting ------------------------------------------------------------------------------------------------- */

static void format_check(const Source *source)
{
    listen();
    File *file = parse_source(source);
    cr_assert_str_eq(heard(), "");
    const char *once = format_source(file);
    listen();
    File *again = parse_source(source_of("formatted", once, strlen(once)));
    cr_assert_str_eq(heard(), "", "%s, formatted", source->name);
    cr_assert_str_eq(tree_of(file, false), tree_of(again, false), "%s: another tree", source->name);
    cr_assert_str_eq(format_source(again), once, "%s: formatted twice", source->name);
}

static int format_check_all(const char *pattern)
{
    glob_t g;
    if (glob(pattern, 0, NULL, &g) != 0) return 0;
    for (size_t i = 0; i < g.gl_pathc; i++) {
        const Source *source = source_read(g.gl_pathv[i], NULL);
        cr_assert_not_null(source);
        format_check(source);
    }
    int count = (int)g.gl_pathc;
    globfree(&g);
    return count;
}

Test(format, library_and_examples)
{
    cr_assert_geq(format_check_all("compiler/library/*.dln"), 12);
    cr_assert_geq(format_check_all("tests/golden/front/valid_*.dln"), 7);
    format_check_all("examples/*.dln");
}

Test(format, rules)
{
    static const struct { const char *in, *out; } cases[] = {
        { "const A=1,B = [ 1,2 ]", "const A = 1, B = [1, 2]\n" },
        { "def f( x ){y=x[ i ]^ 2;-y}", NULL },
        { "def f( x ){y=x[ i ]^ 2;(- y)}", "def f(x) { y = x[i]^2; (-y) }\n" },
        { "def f(x)\n{\n\n\nx->g( - 1 )\n\n\n\n->h # c\n  }\n\n\n",
          "def f(x) {\n    x -> g(-1)\n      -> h  # c\n}\n" },
        { "train {\n a   = 1 # x\n bbb = 2 # y\n c = 3\n}",
          "train {\n    a   = 1  # x\n    bbb = 2  # y\n    c = 3\n}\n" },
        { "def f(x,a:int|none=1)=x[n ..]?sum[k] -x:y else 2",
          "def f(x, a: int | none = 1) = x[n..] ? sum[k] -x : y else 2\n" },
        { "\n\n# only\n\n\n# comments", "# only\n\n# comments\n" },
        { "", "" },
    };
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        listen();
        File *file = parse_text(cases[i].in);
        bool good = error_count() == 0;
        heard();
        cr_assert_eq(good, cases[i].out != NULL, "%s", cases[i].in);
        if (good) cr_assert_str_eq(format_source(file), cases[i].out);
    }
}

Test(format, breaks_long_lines)
{
    Text t = { 0 };
    text_add(&t, "def f(x) {\n    y = g(");
    for (int i = 0; i < 60; i++) text_addf(&t, "parameter%d = %d, ", i, i);
    text_add(&t, "z) -> h -> k; q = y - ");
    for (int i = 0; i < 40; i++) text_addf(&t, "value%d * other - ", i);
    text_add(&t, "1\n    if y { a = ");
    for (int i = 0; i < 30; i++) text_addf(&t, "[%d] + ", i);
    text_add(&t, "1; b } else { c }\n}\n");
    const Source *source = source_of("long", text_string(&t), t.length);
    format_check(source);
    const char *text = format_source(parse_source(source));
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        cr_assert_leq(strcspn(line, "\n"), 120, "%.*s", (int)strcspn(line, "\n"), line);
}

/* --- files ------------------------------------------------------------------------------------------------------ */

Test(source, refuses_what_is_no_file)
{
    char folder[] = P_tmpdir "/dlnc-front-XXXXXX";
    cr_assert_not_null(mkdtemp(folder));
    const char *pipe = format("%s/pipe", folder), *large = format("%s/large", folder);
    cr_assert_eq(mkfifo(pipe, 0600), 0);
    int file = open(large, O_CREAT | O_WRONLY, 0600);
    cr_assert_eq(ftruncate(file, (off_t)65 << 20), 0);
    close(file);
    listen();
    cr_assert_null(source_read(folder, NULL));
    cr_assert_null(source_read(pipe, NULL));
    cr_assert_null(source_read(large, NULL));
    cr_assert_null(source_read("/dev/zero", NULL));
    cr_assert_null(source_read(format("%s/none", folder), NULL));
    cr_assert_eq(error_count(), 5);
    heard();
    unlink(pipe);
    unlink(large);
    rmdir(folder);
    cr_assert_not_null(strstr(said, "it is a folder"));
    cr_assert_not_null(strstr(said, "it is a pipe"));
    cr_assert_not_null(strstr(said, "larger than 64 MB"));
    cr_assert_not_null(strstr(said, "it is a device"));
    cr_assert_not_null(strstr(said, "No such file"));
}

/* before, then n times `piece`, then after: parsed without a crash; says whether it was accepted. */
static bool accepts(const char *before, const char *piece, int n, const char *after)
{
    Text t = { 0 };
    text_add(&t, before);
    for (int i = 0; i < n; i++) text_add(&t, piece);
    text_add(&t, after);
    listen();
    parse_source(source_of("t.dln", text_string(&t), t.length));
    bool good = error_count() == 0;
    heard();
    if (!good) cr_assert_not_null(strstr(said, ": error: "), "%s", said);
    arena_release();
    return good;
}

Test(hostile, deep_and_long, .timeout = 60)
{
    enum { N = 100000 };
    static const char *const deep[] = { "(", "[", "f(", "f([", "- ", "not ", "x ? ", "x ? x : ", "x else ", "sum[k] ",
                                        "x ^ ", "x + ", "x[" };
    for (int i = 0; i < (int)(sizeof deep / sizeof *deep); i++) {
        cr_assert_not(accepts("def f(x) = ", deep[i], N, "x"), "%s", deep[i]);
        cr_assert_not_null(strstr(said, "deep"), "%s: %s", deep[i], said);
    }
    cr_assert_not(accepts("def f(x) = x", " -> f", N, ""));
    cr_assert_not(accepts("def f(x) = x", ".x", N, ""));
    cr_assert_not(accepts("def f(x) ", "{ if x ", N, ""));
    cr_assert_not(accepts("def f(x) { ", "if x { x } else ", N, "{ x } }"));
    cr_assert(accepts("def f(x) = x", " + x", 900, ""));
    cr_assert(accepts("def f(x) = [", "1, ", N, "1]"));
    cr_assert(accepts("def f(", "a: int | float = 1, ", N, "b) = 3"));
    cr_assert(accepts("def f(x) {\n", "y = x\n", N, "}\n"));
    cr_assert(accepts("", "## doc\n", N, "def f(x) = x\n"));
    cr_assert(accepts("const ", "abcdefghij", 12, " = 1"));
    cr_assert_not(accepts("const ", "abcdefghij", N, " = 1"));           /* a name has 128 characters at most */
    cr_assert_not(accepts("const A = ", "1234567890", N, ""));
    cr_assert_not(accepts("const A = \"", "abcdefghij", N, ""));
    cr_assert_not(accepts("model m {\n", "a b\n", N, "}\n"));
    cr_assert_not(accepts("", "$ ", N, ""));
    cr_assert_not(accepts("", "model m {\n", N, ""));
}

Test(hostile, every_prefix_of_a_file)
{
    const Source *source = source_read("tests/golden/front/valid_expressions.dln", NULL);
    cr_assert_not_null(source);
    char *text = malloc(source->length + 1);
    size_t length = source->length;
    memcpy(text, source->text, length);
    for (size_t n = 0; n <= length; n++) {
        listen();
        File *file = parse_source(source_of("prefix.dln", text, n));
        if (error_count() == 0) tree_of(file, true);
        heard();
        arena_release();
    }
    free(text);
}
