/* test_complain.c: texts that end too early, or hold what does not belong there: the first message, its column, and what
 * it says was expected. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/text.h"
#include "syntax/ast.h"

static const struct {
    const char *text;
    int column; /* 0: nothing is wrong */
    const char *message;
} cases[] = {
    { "sum[k] x[k]", 1, "'sum' begins nothing at the top of the file" },
    { "x = 3", 1, "'x' begins nothing at the top of the file" },
    { "-> dense", 1, "'->' cannot stand at the top of the file" },
    { "\"text\"", 1, "a string cannot stand at the top of the file" },
    { "}", 1, "this '}' closes nothing" },
    { ")", 1, "')' cannot stand at the top of the file" },
    { "/* c */", 1, "'/' cannot stand at the top of the file" },
    { "3", 1, "'3' cannot stand at the top of the file" },
    { "[1]", 1, "'[' cannot stand at the top of the file" },
    { "if x { y }", 1, "'if' stands in a block { }, not at the top of the file" },
    { "param w[c] = 0", 1, "'param' stands in a block { }, not at the top of the file" },
    { "def", 4, "expected a name, but found the end of the file" },
    { "def f", 6, "expected '(', but found the end of the file" },
    { "def f(", 7, "expected a name or ')', but found the end of the file" },
    { "def f(x", 8, "expected '=', ')', ',', '[' or ':', but found the end of the file" },
    { "def f(x)", 9, "expected '=' or '{', but found the end of the file" },
    { "def f(x) =", 11, "expected a value, but found the end of the file" },
    { "def f(x) {", 11, "expected '}', but found the end of the file" },
    { "model", 6, "expected a name, but found the end of the file" },
    { "model m {", 10, "expected '}', but found the end of the file" },
    { "train {", 8, "expected '}', but found the end of the file" },
    { "data d {", 9, "expected '}', but found the end of the file" },
    { "rewrite", 8, "expected a value, but found the end of the file" },
    { "rewrite a(b)", 13, "expected '=>' or an operator, but found the end of the file" },
    { "rewrite a(b) =>", 16, "expected a value, but found the end of the file" },
    { "example", 8, "expected a value, but found the end of the file" },
    { "import", 7, "expected a string, but found the end of the file" },
    { "import x", 8, "expected a string before 'x'" },
    { "const", 6, "expected a name, but found the end of the file" },
    { "const a", 8, "expected '=', but found the end of the file" },
    { "loss", 5, "expected a name, but found the end of the file" },
    { "every", 6, "expected def, loss, metric, optimizer, schedule or init, but found the end of the file" },
    { "every loss", 11, "expected '(', but found the end of the file" },
    { "def f(x) { y[n", 15, "expected ',', ']' or an operator, but found the end of the file" },
    { "def f(x) { if", 14, "expected a value, but found the end of the file" },
    { "def f(x) { if x", 16, "expected '{' or an operator, but found the end of the file" },
    { "def f(x) { repeat 3 as", 23, "expected a name, but found the end of the file" },
    { "def f(x) = [1, 2", 17, "expected ',', ']' or an operator, but found the end of the file" },
    { "def f(x: ) = x", 10, "expected a type before ')'" },
    { "def f(x = ) = x", 11, "expected a value before ')'" },
    { "def f(, x) = x", 7, "expected a name or ')' before ','" },
    { "def f(x,, y) = x", 9, "expected a name or '...' before ','" },
    { "def f(x[n,,c]) = x", 11, "expected a value before ','" },
    { "def f(x..) = x", 8, "'..' can stand between [ ] only: indices stand in [ ], values in ( )" },
    { "def f(x) { update }", 19, "expected a name before '}'" },
    { "def f(x) { param }", 18, "expected a name before '}'" },
    { "def f(x) { derivative y = 1 }", 25, "expected 'by' before '='" },
    { "def f(x) { scan t x }", 19, "expected 'in' or '{' before 'x'" },
    { "def f(x) { layer }", 18, "expected a name before '}'" },
    { "def f(x) { output }", 19, "expected a name before '}'" },
    { "model m { input }", 17, "expected a name before '}'" },
    { "model m { input x }", 19, "expected ':' before '}'" },
    { "model m { input x: }", 20, "expected a type before '}'" },
    { "model m { input x: float[ }", 27, "expected a value or ']' before '}'" },
    { "def f(x) = a ? b", 17, "expected ':' or an operator, but found the end of the file" },
    { "def f(x) = a else b", 0, NULL },
    { "def f(x) = not", 15, "expected a value, but found the end of the file" },
    { "def f(x) = a and", 17, "expected a value, but found the end of the file" },
    { "def f(x) = (a", 14, "expected ',', ')' or an operator, but found the end of the file" },
    { "def f(x) = a)", 13, "expected '->', an operator or the end of the line before ')'" },
    { "def f(x) = a b", 14, "expected '->', an operator or the end of the line before 'b'" },
    { "def f(x) = a.b.", 16, "expected a name, but found the end of the file" },
    { "def f(x) = f(a = )", 18, "expected a value before ')'" },
    { "def f(x) = f(a b)", 16, "expected ',', ')' or an operator before 'b'" },
    { "def f(x) = max[", 16, "expected a value, but found the end of the file" },
    { "def f(x) = max[k", 17, "expected ',', ']' or an operator, but found the end of the file" },
    { "def f(x) = max[k]", 18, "expected a value, but found the end of the file" },
    { "def f(x) = {x}", 12, "expected a value before '{'" },
    { "def f(x) = x -> -> y", 17, "after '->' stands a layer, not '->'" },
    { "def f(x) = -> y", 12, "expected a value before '->'" },
    { "def f(x) = a @ b", 14, "expected '->', an operator or the end of the line before '@'" },
    { "def f(x) = a => b", 14, "expected '->', an operator or the end of the line before '=>'" },
};

Test(complain, what_was_expected_where_the_text_ends)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *said = NULL, first[300];
        size_t length;
        FILE *to = open_memstream(&said, &length);
        Source source = { .name = "t.dln", .text = cases[i].text, .length = strlen(cases[i].text) };
        diag_begin(to, DIAG_TEXT, false);
        parse_source(&source);
        diag_end();
        fclose(to);
        snprintf(first, sizeof first, "t.dln:1:%d: error: %s\n", cases[i].column,
                 cases[i].message ? cases[i].message : "");
        if (cases[i].column)
            cr_expect(strncmp(said, first, strlen(first)) == 0, "%s\n  %s  %s", cases[i].text, first, said);
        else
            cr_expect(length == 0, "%s\n  %s", cases[i].text, said);
        free(said);
        arena_release();
    }
}

/* The same with a newline behind it: never more than a few messages, and no other first one than at the same place. */
Test(complain, one_slip_is_not_many_messages)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *said = NULL, text[200];
        size_t length, errors = 0;
        FILE *to = open_memstream(&said, &length);
        snprintf(text, sizeof text, "%s\ndef after(x) = x\n", cases[i].text);
        Source source = { .name = "t.dln", .text = text, .length = strlen(text) };
        diag_begin(to, DIAG_TEXT, false);
        parse_source(&source);
        diag_end();
        fclose(to);
        for (const char *at = said; (at = strstr(at, " error: ")); at++) errors++;
        cr_expect(cases[i].column ? errors >= 1 && errors <= 2 : errors == 0, "%s: %zu messages\n%s", cases[i].text,
                  errors, said);
        free(said);
        arena_release();
    }
}
