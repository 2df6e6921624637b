/* print.c: the AST as text. expr_text gives an expression back in the language, as dlnc --format writes it; ast_print
 * shows the tree, one node a line, indented by its depth, each with its place. */
#include "base/text.h"
#include "syntax/ast.h"
#include <string.h>

/* --- expr_text -------------------------------------------------------------------------------------------------- */

/* How tightly a kind of expression binds; a part is put in ( ) if it binds less than its place asks. */
enum { BIND_PIPE, BIND_CHOICE, BIND_OR, BIND_AND, BIND_NOT, BIND_COMPARE, BIND_ADD, BIND_REDUCE, BIND_MUL, BIND_NEG,
       BIND_POW, BIND_PRIMARY };

static const struct { const char *sign; int binding; } operators[] = {
    [AST_NEG] = { "-", BIND_NEG },       [AST_NOT] = { "not ", BIND_NOT },
    [AST_ADD] = { " + ", BIND_ADD },     [AST_SUB] = { " - ", BIND_ADD },
    [AST_MUL] = { " * ", BIND_MUL },     [AST_DIV] = { " / ", BIND_MUL },
    [AST_FLOOR_DIV] = { " // ", BIND_MUL }, [AST_MOD] = { " % ", BIND_MUL },
    [AST_POW] = { "^", BIND_POW },
    [AST_EQ] = { " == ", BIND_COMPARE }, [AST_NE] = { " != ", BIND_COMPARE },
    [AST_LT] = { " < ", BIND_COMPARE },  [AST_GT] = { " > ", BIND_COMPARE },
    [AST_LE] = { " <= ", BIND_COMPARE }, [AST_GE] = { " >= ", BIND_COMPARE },
    [AST_AND] = { " and ", BIND_AND },   [AST_OR] = { " or ", BIND_OR },
};

static int binding_of(const Expr *e)
{
    switch (e->kind) {
    case EXPR_PIPE: return BIND_PIPE;
    case EXPR_CHOICE: case EXPR_ELSE: return BIND_CHOICE;
    case EXPR_UNARY: case EXPR_BINARY: return operators[e->op].binding;
    case EXPR_REDUCE: return BIND_REDUCE;
    default: return BIND_PRIMARY;
    }
}

static void expr_write(Text *t, const Expr *e);

/* e where at least `least` is asked for. On the right of an operator a prefix (-x, not x, sum[k] x) needs no ( ). */
static void part_write(Text *t, const Expr *e, int least, bool on_right)
{
    bool prefix = e->kind == EXPR_UNARY || e->kind == EXPR_REDUCE;
    bool paren = (e->parenthesised && e->kind != EXPR_PIPE) || (binding_of(e) < least && !(prefix && on_right));
    if (paren) text_add(t, "(");
    expr_write(t, e);
    if (paren) text_add(t, ")");
}

static void subscripts_write(Text *t, Subscripts subs)
{
    for (int i = 0; i < subs.count; i++) {
        const Subscript *s = &subs.at[i];
        bool pack = s->kind == SUB_PACK || s->kind == SUB_PACK_IN || s->kind == SUB_PACK_AT;
        bool by_number = s->kind == SUB_AT || s->kind == SUB_PACK_AT;
        if (i) text_add(t, ", ");
        if (s->name) text_addf(t, "%s%s", s->name, pack ? ".." : "");
        if (s->name && s->expr) text_add(t, by_number ? " @ " : " in ");
        if (s->expr) part_write(t, s->expr, BIND_CHOICE, false);
        if (s->to) {
            text_add(t, "..");
            part_write(t, s->to, BIND_CHOICE, false);
        }
    }
}

static void arguments_write(Text *t, Arguments args)
{
    text_add(t, "(");
    for (int i = 0; i < args.count; i++) {
        const Argument *a = &args.at[i];
        if (i) text_add(t, ", ");
        if (a->name) text_addf(t, "%s = ", a->name);
        if (a->value) part_write(t, a->value, BIND_PIPE, false);
        else text_add(t, "...");
    }
    text_add(t, ")");
}

static void string_write(Text *t, const char *s)
{
    text_add(t, "\"");
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') text_addf(t, "\\%c", *s);
        else if (*s == '\n') text_add(t, "\\n");
        else if (*s == '\t') text_add(t, "\\t");
        else text_add_n(t, s, 1);
    }
    text_add(t, "\"");
}

static void binary_write(Text *t, const Expr *e)
{
    int binding = operators[e->op].binding;
    int left = binding == BIND_COMPARE || binding == BIND_POW ? binding + 1 : binding;
    int right = binding == BIND_POW ? binding : binding + 1;
    part_write(t, e->left, left, false);
    text_add(t, operators[e->op].sign);
    part_write(t, e->right, right, true);
}

static void expr_write(Text *t, const Expr *e)
{
    switch (e->kind) {
    case EXPR_STRING: string_write(t, e->name); break;
    case EXPR_TRUE: text_add(t, "true"); break;
    case EXPR_FALSE: text_add(t, "false"); break;
    case EXPR_NONE: text_add(t, "none"); break;
    case EXPR_NUMBER: case EXPR_NAME: text_add(t, e->name); break;
    case EXPR_FIELD:
        part_write(t, e->left, BIND_PRIMARY, false);
        text_addf(t, ".%s", e->name);
        break;
    case EXPR_READ:
        part_write(t, e->left, BIND_PRIMARY, false);
        text_add(t, "[");
        subscripts_write(t, e->subs);
        text_add(t, "]");
        break;
    case EXPR_CALL:
        text_add(t, e->name);
        arguments_write(t, e->args);
        break;
    case EXPR_PIPE:
        part_write(t, e->left, BIND_PIPE, false);
        text_addf(t, " -> %s", e->name);
        if (e->parenthesised) arguments_write(t, e->args);
        break;
    case EXPR_LIST:
        text_add(t, "[");
        for (int i = 0; i < e->items.count; i++) {
            if (i) text_add(t, ", ");
            part_write(t, e->items.at[i], BIND_CHOICE, false);
        }
        text_add(t, "]");
        break;
    case EXPR_FUSED:
        text_add(t, "(");
        subscripts_write(t, e->subs);
        text_add(t, ")");
        break;
    case EXPR_UNARY:
        text_add(t, operators[e->op].sign);
        part_write(t, e->left, operators[e->op].binding, true);
        break;
    case EXPR_BINARY: binary_write(t, e); break;
    case EXPR_CHOICE:
        part_write(t, e->cond, BIND_CHOICE + 1, false);
        text_add(t, " ? ");
        part_write(t, e->left, BIND_CHOICE, true);
        text_add(t, " : ");
        part_write(t, e->right, BIND_CHOICE, true);
        break;
    case EXPR_ELSE:
        part_write(t, e->left, BIND_CHOICE + 1, false);
        text_add(t, " else ");
        part_write(t, e->right, BIND_CHOICE, true);
        break;
    case EXPR_REDUCE:
        text_addf(t, "%s[", e->name);
        subscripts_write(t, e->subs);
        text_add(t, "] ");
        part_write(t, e->left, BIND_REDUCE, true);
        break;
    }
}

const char *expr_text(const Expr *e)
{
    Text t = { 0 };
    if (e) part_write(&t, e, BIND_PIPE, false);
    return text_string(&t);
}

/* --- ast_print -------------------------------------------------------------------------------------------------- */

typedef struct Printer { FILE *to; int depth; } Printer;

__attribute__((format(printf, 3, 4)))
static void node(Printer *p, Place at, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(p->to, "%*s%s @%d:%d\n", 2 * p->depth, "", vformat(fmt, args), at.line, at.column);
    va_end(args);
}

static const char *quoted(const char *s)
{
    Text t = { 0 };
    string_write(&t, s);
    return text_string(&t);
}

static void expr_print(Printer *p, const char *role, const Expr *e);

static void subscripts_print(Printer *p, const char *role, Subscripts subs)
{
    static const char *const kinds[] = { "index", "in", "range", "at", "pack", "pack in", "pack at" };
    p->depth++;
    for (int i = 0; i < subs.count; i++) {
        const Subscript *s = &subs.at[i];
        node(p, s->at, "%s: %s%s%s", role, kinds[s->kind], s->name ? " " : "", s->name ? s->name : "");
        p->depth++;
        expr_print(p, "value", s->expr);
        expr_print(p, "to", s->to);
        p->depth--;
    }
    p->depth--;
}

static const char *expr_title(const Expr *e)
{
    switch (e->kind) {
    case EXPR_NUMBER: return format("number %s", e->name);
    case EXPR_STRING: return format("string %s", quoted(e->name));
    case EXPR_TRUE: return "true";
    case EXPR_FALSE: return "false";
    case EXPR_NONE: return "none";
    case EXPR_NAME: return format("name %s", e->name);
    case EXPR_FIELD: return format("field .%s", e->name);
    case EXPR_READ: return format("read, %d subscripts", e->subs.count);
    case EXPR_CALL: return format("call %s, %d arguments", e->name, e->args.count);
    case EXPR_PIPE: return format("-> %s%s", e->name, e->parenthesised ? format(", %d arguments", e->args.count) : "");
    case EXPR_LIST: return format("list, %d items", e->items.count);
    case EXPR_FUSED: return format("fused, %d parts", e->subs.count);
    case EXPR_CHOICE: return "? :";
    case EXPR_ELSE: return "else";
    case EXPR_REDUCE: return format("reduce %s", e->name);
    case EXPR_UNARY: case EXPR_BINARY: break;
    }
    const char *sign = operators[e->op].sign;
    size_t n = strlen(sign), first = sign[0] == ' ', last = sign[n - 1] == ' ';
    return format("%s %.*s", e->kind == EXPR_UNARY ? "unary" : "binary", (int)(n - first - last), sign + first);
}

static void expr_print(Printer *p, const char *role, const Expr *e)
{
    if (!e) return;
    bool paren = e->parenthesised && e->kind != EXPR_PIPE;
    node(p, e->at, "%s: %s%s", role, expr_title(e), paren ? ", in ( )" : "");
    p->depth++;
    expr_print(p, "condition", e->cond);
    expr_print(p, "left", e->left);
    expr_print(p, "right", e->right);
    p->depth--;
    subscripts_print(p, "subscript", e->subs);
    p->depth++;
    for (int i = 0; i < e->args.count; i++) {
        const Argument *a = &e->args.at[i];
        if (!a->value) node(p, a->at, "argument: ...");
        else expr_print(p, a->name ? format("argument %s", a->name) : "argument", a->value);
    }
    for (int i = 0; i < e->items.count; i++) expr_print(p, "item", e->items.at[i]);
    p->depth--;
}

static void type_print(Printer *p, AstType type)
{
    p->depth++;
    for (int i = 0; i < type.count; i++) {
        const TypeName *t = &type.at[i];
        node(p, t->at, "type %s%s", t->name, t->subs.count >= 0 ? format(", %d axes", t->subs.count) : "");
        subscripts_print(p, "axis", t->subs);
    }
    p->depth--;
}

static void bindings_print(Printer *p, const Binding *at, int count)
{
    p->depth++;
    for (int i = 0; i < count; i++) {
        node(p, at[i].at, "const %s", at[i].name);
        p->depth++;
        expr_print(p, "value", at[i].value);
        p->depth--;
    }
    p->depth--;
}

static void block_print(Printer *p, const char *role, Block block);

static const char *statement_title(const Statement *s)
{
    switch (s->kind) {
    case ST_INPUT: return format("input %s", s->name);
    case ST_OUTPUT: return "output";
    case ST_LAYER: return format("layer %s", s->name);
    case ST_PARAM: return "param";
    case ST_STATE: return "state";
    case ST_TOTAL: return "total";
    case ST_UPDATE: return "update";
    case ST_CONST: return "const";
    case ST_PENALTY: return "penalty";
    case ST_REQUIRE: return format("require %s", quoted(s->text));
    case ST_DERIVATIVE: return format("derivative %s by %s", s->name, s->other);
    case ST_REPEAT: return s->name ? format("repeat as %s", s->name) : "repeat";
    case ST_IF: return "if";
    case ST_SCAN: return format("scan %s", s->name);
    case ST_EQUATION: return "equation";
    case ST_FLOW: return "flow";
    }
    bug("statement %d", (int)s->kind);
}

static void statement_print(Printer *p, const Statement *s)
{
    node(p, s->at, "%s%s", statement_title(s), s->foreign ? format(" as %s", quoted(s->foreign)) : "");
    p->depth++;
    expr_print(p, "target", s->target);
    expr_print(p, "value", s->value);
    p->depth--;
    type_print(p, s->type);
    if (s->has_foreign_subs) subscripts_print(p, "foreign axis", s->foreign_subs);
    bindings_print(p, s->bindings.at, s->bindings.count);
    bool has_body = s->kind == ST_IF || s->kind == ST_REPEAT || s->kind == ST_SCAN;
    p->depth++;
    if (has_body) block_print(p, "body", s->body);
    if (s->has_otherwise) block_print(p, "else", s->otherwise);
    p->depth--;
}

static void block_print(Printer *p, const char *role, Block block)
{
    node(p, block.place, "%s", role);
    p->depth++;
    for (int i = 0; i < block.count; i++) statement_print(p, block.at[i]);
    p->depth--;
}

static void definition_print(Printer *p, const Definition *d)
{
    if (d->every) node(p, d->at, "every %s%s", def_kind_name[d->kind], d->folds ? ", folds" : "");
    else node(p, d->at, "%s %s%s", def_kind_name[d->kind], d->name, d->folds ? ", folds" : "");
    p->depth++;
    if (*d->doc) node(p, d->at, "doc %s", quoted(d->doc));
    for (int i = 0; i < d->params.count; i++) {
        const Param *q = &d->params.at[i];
        node(p, q->at, "parameter %s%s", q->name, q->has_axes ? format(", %d axes", q->axes.count) : "");
        if (q->has_axes && q->type.count == 0) subscripts_print(p, "axis", q->axes);
        type_print(p, q->type);
        p->depth++;
        expr_print(p, "default", q->fallback);
        p->depth--;
    }
    if (d->is_short) expr_print(p, "value", d->value);
    else block_print(p, "body", d->body);
    p->depth--;
}

static void settings_print(Printer *p, const Item *item)
{
    p->depth++;
    for (int i = 0; i < item->settings.count; i++) {
        const Setting *s = &item->settings.at[i];
        for (int k = 0; k < s->keys.count; k++) node(p, s->keys.places[k], "setting %s", s->keys.at[k]);
        p->depth++;
        expr_print(p, "value", s->value);
        p->depth--;
    }
    p->depth--;
}

static void item_print(Printer *p, const Item *item)
{
    switch (item->kind) {
    case ITEM_IMPORT: node(p, item->at, "import %s", quoted(item->name)); break;
    case ITEM_CONST:
        node(p, item->at, "constants");
        bindings_print(p, item->bindings.at, item->bindings.count);
        break;
    case ITEM_DATA: case ITEM_TRAIN:
        node(p, item->at, "%s%s", item->name ? "data " : "train", item->name ? item->name : "");
        settings_print(p, item);
        break;
    case ITEM_MODEL:
        node(p, item->at, "model %s", item->name);
        p->depth++;
        block_print(p, "body", item->body);
        p->depth--;
        break;
    case ITEM_DEFINITION: definition_print(p, item->definition); break;
    case ITEM_REWRITE: case ITEM_EXAMPLE: {
        const char *of = item->definition && item->definition->name ? item->definition->name : "";
        node(p, item->at, "%s%s%s", item->kind == ITEM_REWRITE ? "rewrite" : "example", *of ? " of " : "", of);
        p->depth++;
        expr_print(p, item->kind == ITEM_REWRITE ? "from" : "value", item->left);
        expr_print(p, "to", item->right);
        p->depth--;
        break;
    }
    }
}

void ast_print(const File *file, FILE *to)
{
    Printer p = { to, 0 };
    for (int i = 0; i < file->count; i++) item_print(&p, file->at[i]);
}
