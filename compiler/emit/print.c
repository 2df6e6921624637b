/* print.c: loops as C that reads as if written by hand: no parentheses that are not needed, braces only round more than
 * one statement, numbers as short as they can be and still the same number. */
#include "loop/loop.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How tightly an operator binds, as in C: the larger the tighter. && within || and a shift, & or | beside another
 * operator keep their parentheses: compilers warn without them. */
static const struct Binding { const char *op; int level; } bindings[] = {
    { "?", 1 }, { "||", 2 }, { "&&", 3 }, { "|", 4 }, { "^", 5 }, { "&", 6 }, { "==", 7 }, { "!=", 7 },
    { "<", 8 }, { ">", 8 }, { "<=", 8 }, { ">=", 8 }, { ">>", 9 }, { "<<", 9 }, { "+", 10 }, { "-", 10 },
    { "*", 11 }, { "/", 11 }, { "%", 11 },
};
enum { PREFIX = 12, POSTFIX = 13 };

static int level_of(const CExpr *e)
{
    switch (e->kind) {
    case X_PREFIX: return PREFIX;
    case X_PLACE: return cexpr_is_number(e->arg[0], 0) ? POSTFIX : 10;
    case X_NUMBER: return e->number < 0 || signbit(e->number) ? PREFIX : POSTFIX;
    case X_INFIX: case X_CHOICE:
        for (size_t i = 0; i < sizeof bindings / sizeof *bindings; i++)
            if (!strcmp(bindings[i].op, e->name)) return bindings[i].level;
        return 0;
    default: return POSTFIX;
    }
}

static bool is_bitwise(int level) { return level == 4 || level == 5 || level == 6 || level == 9; }

/* Whether an operand needs parentheses beside the operator of the given level. */
static bool needs_parentheses(const CExpr *operand, int level, bool right)
{
    int own = level_of(operand);
    if (own >= PREFIX) return own == PREFIX && level > PREFIX;
    if (level <= 2 && own == 3) return level == 2;
    if ((level == 7 || level == 8) && (own == 7 || own == 8)) return true;
    if (is_bitwise(level) || is_bitwise(own)) return own != level || own == 9;
    return own < level || (own == level && right);
}

static void operand_print(const CExpr *e, int level, bool right, Text *to)
{
    bool wrap = needs_parentheses(e, level, right);
    if (wrap) text_add(to, "(");
    cexpr_print(e, to);
    if (wrap) text_add(to, ")");
}

/* The shortest digits that give the number back, as a float or a double. */
static const char *digits_of(double x, bool wide)
{
    for (int precision = 1; precision < 17; precision++) {
        const char *s = format("%.*g", precision, x);
        if (wide ? strtod(s, NULL) == x : strtof(s, NULL) == (float)x) return s;
    }
    return format("%.17g", x);
}

static void number_print(const CExpr *e, Text *to)
{
    double x = e->number;
    if (e->type != C_REAL && e->type != C_WIDE) {
        text_addf(to, "%.0f", x);
        return;
    }
    bool wide = e->type == C_WIDE;
    if (isnan(x)) text_add(to, wide ? "wide_nan()" : "NOT_A_NUMBER");
    else if (isinf(x)) text_addf(to, "%s%s", x < 0 ? "-" : "", wide ? "wide_inf()" : "INFINITE");
    else {
        const char *s = digits_of(x, wide);
        text_add(to, s);
        if (!strpbrk(s, ".e")) text_add(to, ".0");
    }
}

/* real is float or double: the name of the suffix is part of the file, R(0.1) would be everywhere. So numbers of type
 * real end in f in a file of floats; set by print_real. */
static bool reals_are_wide;
void print_real(bool wide) { reals_are_wide = wide; }

static void real_print(const CExpr *e, Text *to)
{
    if (reals_are_wide && isfinite(e->number)) {
        CExpr wide = *e;
        wide.type = C_WIDE;
        number_print(&wide, to);
        return;
    }
    CExpr narrow = *e;                           /* what a float makes of it: 1e60f and 1e-60f are warned of */
    narrow.number = (float)e->number;
    number_print(&narrow, to);
    if (isfinite(narrow.number)) text_add(to, "f");
}

/* Whether `p + e` without brackets, from left to right, may leave the array of p on its way into it. */
static bool takes_away(const CExpr *e)
{
    if (e->kind == X_NUMBER) return e->number < 0;
    if (e->kind == X_PREFIX) return e->name[0] == '-';
    if (e->kind != X_INFIX) return false;
    return !strcmp(e->name, "-") || (strchr("+*", e->name[0]) && (takes_away(e->arg[0]) || takes_away(e->arg[1])));
}

void cexpr_print(const CExpr *e, Text *to)
{
    int level = level_of(e);
    switch (e->kind) {
    case X_NUMBER:
        if (e->type == C_REAL) real_print(e, to);
        else number_print(e, to);
        break;
    case X_NAME: text_add(to, e->name); break;
    case X_AT:
        text_addf(to, "%s[", e->name);
        cexpr_print(e->arg[0], to);
        text_add(to, "]");
        break;
    case X_PLACE:
        text_add(to, e->name);
        if (cexpr_is_number(e->arg[0], 0)) break;
        text_add(to, " + ");
        operand_print(e->arg[0], level, takes_away(e->arg[0]), to);
        break;
    case X_PREFIX:
        text_add(to, e->name);
        /* - -a: two signs that touch would be another operator */
        if (e->name[0] == '-' && level_of(e->arg[0]) == PREFIX) {
            text_add(to, "(");
            cexpr_print(e->arg[0], to);
            text_add(to, ")");
        } else operand_print(e->arg[0], PREFIX, false, to);
        break;
    case X_INFIX:
        operand_print(e->arg[0], level, false, to);
        text_addf(to, " %s ", e->name);
        operand_print(e->arg[1], level, true, to);
        break;
    case X_CHOICE:
        operand_print(e->arg[0], 1, true, to);
        text_add(to, " ? ");
        operand_print(e->arg[1], 1, false, to);
        text_add(to, " : ");
        operand_print(e->arg[2], 1, false, to);
        break;
    case X_CALL:
        text_addf(to, "%s(", e->name);
        for (int i = 0; i < e->args; i++) {
            if (i) text_add(to, ", ");
            cexpr_print(e->arg[i], to);
        }
        text_add(to, ")");
        break;
    }
}

const char *cexpr_text(const CExpr *e)
{
    Text t = {0};
    cexpr_print(e, &t);
    return text_string(&t);
}

/* ---- statements ---- */
static void nested_print(const Body *b, int indent, Text *to);

static void for_print(const Stmt *s, int indent, Text *to)
{
    if (s->pragma) text_addf(to, "%*s%s\n", indent, "", s->pragma);
    if (s->macro) {
        text_addf(to, "%*s%s", indent, "", s->macro);
        nested_print(&s->body, indent, to);
        return;
    }
    if (!s->name) {
        text_addf(to, "%*s{\n", indent, "");
        body_print(&s->body, indent + 4, to);
        text_addf(to, "%*s}\n", indent, "");
        return;
    }
    if (s->down)
        text_addf(to, "%*sfor (int %s = %s - 1; %s >= %s; %s--)", indent, "", s->name, cexpr_text(s->below), s->name,
                  cexpr_text(s->from), s->name);
    else
        text_addf(to, "%*sfor (int %s = %s; %s < %s; %s)", indent, "", s->name, cexpr_text(s->from), s->name,
                  cexpr_text(s->below), s->step ? format("%s += %s", s->name, s->step) : format("%s++", s->name));
    nested_print(&s->body, indent, to);
}

static void reduce_print(const Stmt *s, int indent, Text *to)
{
    const char *place = cexpr_text(s->place), *value = cexpr_text(s->value);
    if (!strncmp(s->name, "arg", 3)) {
        text_addf(to, "%*sif (%s %s %s) {\n", indent, "", value, !strcmp(s->name, "argmax") ? ">" : "<", place);
        text_addf(to, "%*s%s = %s;\n", indent + 4, "", place, value);
        text_addf(to, "%*s%s = %s;\n%*s}\n", indent + 4, "", cexpr_text(s->where), cexpr_text(s->at), indent, "");
    } else if (!strcmp(s->name, "max") || !strcmp(s->name, "min"))
        text_addf(to, "%*sif (%s %s %s) %s = %s;\n", indent, "", value, !strcmp(s->name, "max") ? ">" : "<", place, place, value);
    else
        text_addf(to, "%*s%s %s %s;\n", indent, "", place, s->name, value);
}

/* if (..) .. else if (..) .. else .., from where the line is. */
static void if_print(const Stmt *s, int indent, Text *to)
{
    text_addf(to, "if (%s)", cexpr_text(s->value));
    nested_print(&s->body, indent, to);
    if (!s->other.list.count) return;
    const Stmt *only = s->other.list.count == 1 ? s->other.list.at[0] : NULL;
    text_addf(to, "%*selse", indent, "");
    if (only && only->kind == S_IF) {
        text_add(to, " ");
        if_print(only, indent, to);
    } else
        nested_print(&s->other, indent, to);
}

static void stmt_print(const Stmt *s, int indent, Text *to)
{
    switch (s->kind) {
    case S_FOR: for_print(s, indent, to); break;
    case S_LET:
        text_addf(to, "%*s%s%s%s", indent, "", s->type, s->type[strlen(s->type) - 1] == '*' ? "" : " ", s->name);
        if (s->value) text_addf(to, " = %s", cexpr_text(s->value));
        text_add(to, ";\n");
        break;
    case S_STORE: text_addf(to, "%*s%s = %s;\n", indent, "", cexpr_text(s->place), cexpr_text(s->value)); break;
    case S_REDUCE: reduce_print(s, indent, to); break;
    case S_IF:
        text_addf(to, "%*s", indent, "");
        if_print(s, indent, to);
        break;
    case S_CALL: text_addf(to, "%*s%s;\n", indent, "", s->name); break;
    case S_COMMENT: text_addf(to, "%*s/* %s */\n", indent, "", s->name); break;
    }
}

/* After `for (..)` or `if (..)`: one simple statement without braces. */
static void nested_print(const Body *b, int indent, Text *to)
{
    const Stmt *only = b->list.count == 1 ? b->list.at[0] : NULL;
    bool simple = only && only->kind != S_LET && only->kind != S_IF && only->kind != S_COMMENT
               && !(only->kind == S_FOR && (only->pragma || only->macro));
    text_add(to, simple ? "\n" : " {\n");
    body_print(b, indent + 4, to);
    if (!simple) text_addf(to, "%*s}\n", indent, "");
}

void body_print(const Body *b, int indent, Text *to)
{
    for (int i = 0; i < b->list.count; i++)
        stmt_print(b->list.at[i], indent, to);
}

void function_print(const Function *f, Text *to)
{
    for (int i = 0; i < f->comment.count; i++)
        text_addf(to, "%s%s%s\n", i ? "   " : "/* ", f->comment.at[i], i == f->comment.count - 1 ? " */" : "");
    text_addf(to, "%s {\n", f->head);
    body_print(&f->body, 4, to);
    text_add(to, "}\n");
}
