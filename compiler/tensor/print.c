/* print.c: a tensor program in the language's own notation: what --emit=program shows and what a bug() quotes.
 *
 *     dense.z[n, o] = sum[i in 784] flatten[n, i] * dense.w[i, o]
 *
 * Two indices of one name get numbers (n, n2) within an equation. A sum that is a fused axis is written (i, j). The
 * batch index has no length: sum[n, p in 28] runs n over the samples that are there. */
#include "tensor/program.h"
#include "base/text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_LIMIT = 1 << 16 };                   /* of one equation: an expression is a DAG, its text is a tree */

typedef struct Named { const Index *index; const char *name; } Named;
typedef struct Printer { Text text; LIST(Named) names; } Printer;

/* How tightly an operation binds; 0: written as a call. */
static int precedence(Op op)
{
    switch (op) {
    case OP_SELECT: return 1;
    case OP_OR: return 3;
    case OP_AND: return 4;
    case OP_NOT: return 5;
    case OP_EQ: case OP_NE: case OP_LT: case OP_GT: case OP_LE: case OP_GE: return 6;
    case OP_ADD: case OP_SUB: return 7;
    case OP_MUL: case OP_DIV: return 9;
    case OP_NEG: return 10;
    case OP_POW: return 12;
    default: return 0;
    }
}

static bool name_taken(const Printer *p, const char *name)
{
    for (int i = 0; i < p->names.count; i++)
        if (strcmp(p->names.at[i].name, name) == 0)
            return true;
    return false;
}

static const char *index_name(Printer *p, const Index *index)
{
    for (int i = 0; i < p->names.count; i++)
        if (p->names.at[i].index == index)
            return p->names.at[i].name;
    const char *base = index->name ? index->name : "i", *name = base;
    for (int k = 2; name_taken(p, name); k++)
        name = format("%s%d", base, k);
    PUSH(p->names, ((Named){ index, name }));
    return name;
}

/* The shortest decimal that reads back as v. */
static void print_number(Printer *p, const Node *e)
{
    double v = e->number;
    if (e->type == TYPE_BOOL)
        text_add(&p->text, v != 0 ? "true" : "false");
    else if (isinf(v) || isnan(v))
        text_add(&p->text, isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
    else {
        char digits[40];
        for (int k = 1; k <= 17; k++) {
            snprintf(digits, sizeof digits, "%.*g", k, v);
            if (strtod(digits, NULL) == v)
                break;
        }
        text_add(&p->text, digits);
    }
}

/* ---- sums ---- */
static void print_sum(Printer *p, const Sum *a);
static void print_node(Printer *p, const Node *e, int outer);

/* A as the operand of // % /: bare if it is one plain index or number. */
static void print_operand(Printer *p, const Sum *a)
{
    bool bare = sum_plain(a) || (a->count == 0 && a->constant >= 0);
    text_add(&p->text, bare ? "" : "(");
    print_sum(p, a);
    text_add(&p->text, bare ? "" : ")");
}

static void print_atom(Printer *p, const Node *e)
{
    if (e->op == OP_FLOOR_DIV || e->op == OP_MOD || e->op == OP_EXACT) {
        print_operand(p, e->sum[0]);
        text_addf(&p->text, " %s %d", op_info[e->op].text, e->extent);
    } else
        print_node(p, e, 8);
}

/* A fused axis: indices whose factors are the products of the extents after them. Terms, outermost first, or false. */
static bool sum_is_fused(const Sum *a, const Index **out)
{
    if (a->count < 2 || a->constant != 0 || a->count > MAX_RANK)
        return false;
    int64_t factor = 1;
    for (int k = a->count - 1; k >= 0; k--) {
        const Index *next = NULL;
        for (int i = 0; i < a->count; i++) {
            bool used = !a->term[i].index || a->term[i].factor != factor;
            for (int m = k + 1; m < a->count && !used; m++)
                used = out[m] == a->term[i].index;
            if (!used && (!next || a->term[i].index->extent < next->extent))
                next = a->term[i].index;         /* of equal factors that of extent 1 lies inside */
        }
        if (!next)
            return false;
        out[k] = next;
        factor *= next->extent;
    }
    return true;
}

static void print_term(Printer *p, const Term *t, bool first)
{
    text_add(&p->text, first ? (t->factor < 0 ? "-" : "") : t->factor < 0 ? " - " : " + ");
    bool scaled = t->factor != 1 && t->factor != -1;
    if (scaled)
        text_addf(&p->text, "%d ", abs(t->factor));
    if (t->index)
        text_add(&p->text, index_name(p, t->index));
    else {
        text_add(&p->text, scaled ? "(" : "");
        print_atom(p, t->atom);
        text_add(&p->text, scaled ? ")" : "");
    }
}

static void print_sum(Printer *p, const Sum *a)
{
    const Index *fused[MAX_RANK];
    if (sum_is_fused(a, fused)) {
        for (int i = 0; i < a->count; i++)
            text_addf(&p->text, "%s%s", i ? ", " : "(", index_name(p, fused[i]));
        text_add(&p->text, ")");
        return;
    }
    bool first = true;
    for (int negative = 0; negative < 2; negative++)
        for (int i = 0; i < a->count; i++)
            if ((a->term[i].factor < 0) == negative) {
                print_term(p, &a->term[i], first);
                first = false;
            }
    if (first)
        text_addf(&p->text, "%d", a->constant);
    else if (a->constant)
        text_addf(&p->text, " %c %d", a->constant < 0 ? '-' : '+', abs(a->constant));
}

static void print_subscripts(Printer *p, const Sum *const *sum, int count)
{
    for (int i = 0; i < count; i++) {
        text_add(&p->text, i ? ", " : "[");
        print_sum(p, sum[i]);
    }
    text_add(&p->text, count ? "]" : "");
}

/* ---- expressions ---- */
static void print_call(Printer *p, const Node *e)
{
    text_addf(&p->text, "%s(", op_info[e->op].text);
    for (int i = 0; i < 3 && e->arg[i]; i++) {
        text_add(&p->text, i ? ", " : "");
        print_node(p, e->arg[i], 0);
    }
    text_add(&p->text, ")");
}

static void print_operation(Printer *p, const Node *e, int own)
{
    switch (e->op) {
    case OP_SELECT:
        print_node(p, e->arg[0], 2);
        text_add(&p->text, " ? ");
        print_node(p, e->arg[1], 1);
        text_add(&p->text, " : ");
        print_node(p, e->arg[2], 1);
        break;
    case OP_NEG: case OP_NOT:
        text_add(&p->text, e->op == OP_NEG ? "-" : "not ");
        print_node(p, e->arg[0], own);
        break;
    default:
        print_node(p, e->arg[0], own + (e->op == OP_POW || own == 6));
        text_addf(&p->text, e->op == OP_POW ? "%s" : " %s ", op_info[e->op].text);
        print_node(p, e->arg[1], own + 1);
    }
}

/* A sum as a value binds as its outermost operation does. */
static void print_int(Printer *p, const Sum *a, int outer)
{
    const Index *fused[MAX_RANK];
    bool wrap = outer > 7 && a->count + (a->constant != 0) > 1 && !sum_is_fused(a, fused);
    wrap = wrap || (outer > 9 && a->count == 1 && a->term[0].factor != 1);
    text_add(&p->text, wrap ? "(" : "");
    print_sum(p, a);
    text_add(&p->text, wrap ? ")" : "");
}

static void print_node(Printer *p, const Node *e, int outer)
{
    if (p->text.length > TEXT_LIMIT) {
        text_add(&p->text, "...");
        return;
    }
    int own = precedence(e->op);
    bool wrap = own ? own < outer
                    : outer >= 8 && ((e->op == OP_NUM && e->number < 0) ||
                                     (outer > 9 && (e->op == OP_FLOOR_DIV || e->op == OP_MOD || e->op == OP_EXACT)));
    text_add(&p->text, wrap ? "(" : "");
    switch (e->op) {
    case OP_NUM: print_number(p, e); break;
    case OP_COUNT:
        if (e->number == 1)
            text_add(&p->text, "count(n)");
        else
            text_addf(&p->text, "count(%.17g n)", e->number);
        break;
    case OP_INT: print_int(p, e->sum[0], outer); break;
    case OP_FLOOR_DIV: case OP_MOD: case OP_EXACT: print_atom(p, e); break;
    case OP_READ:
        text_add(&p->text, e->tensor->name);
        print_subscripts(p, e->sum, e->sums);
        break;
    case OP_RAND: {
        const Index *fused[MAX_RANK];
        bool has_own = sum_is_fused(e->sum[0], fused);
        text_addf(&p->text, "rand#%d%s", e->extent, has_own ? "" : "(");
        print_sum(p, e->sum[0]);
        text_add(&p->text, has_own ? "" : ")");
        break;
    }
    case OP_IN:
        text_add(&p->text, "in(");
        print_sum(p, e->sum[0]);
        text_addf(&p->text, ", %d)", e->extent);
        break;
    default:
        if (own)
            print_operation(p, e, own);
        else
            print_call(p, e);
    }
    text_add(&p->text, wrap ? ")" : "");
}

const char *sum_text(const Sum *a)
{
    Printer p = {0};
    print_sum(&p, a);
    return text_string(&p.text);
}

const char *node_text(const Node *e)
{
    Printer p = {0};
    print_node(&p, e, 0);
    return text_string(&p.text);
}

/* ---- equations ---- */
const char *equation_text(const Equation *e)
{
    Printer p = {0};
    for (int i = 0; i < e->indices; i++)
        index_name(&p, e->index[i]);
    for (int i = 0; i < e->reduced_count; i++)
        index_name(&p, e->reduced[i]);
    text_add(&p.text, e->out->name);
    print_subscripts(&p, e->left, e->out->rank);
    text_add(&p.text, equation_is_scatter(e) ? " += " : " = ");
    if (e->test) {
        print_node(&p, e->test, 2);
        text_add(&p.text, " ? ");
    }
    if (e->reduction != RED_NONE) {
        text_addf(&p.text, "%s[", reduction_name[e->reduction]);
        for (int i = 0; i < e->reduced_count; i++) {
            text_addf(&p.text, "%s%s", i ? ", " : "", index_name(&p, e->reduced[i]));
            if (!e->reduced[i]->batch)
                text_addf(&p.text, " in %d", e->reduced[i]->extent);
        }
        text_add(&p.text, "] ");
    }
    print_node(&p, e->value, e->reduction != RED_NONE ? 9 : e->test ? 1 : 0);
    text_add(&p.text, e->test ? " : 0" : "");
    return text_string(&p.text);
}

/* ---- programs ---- */
static const char *const role_name[] = {
    [ROLE_TEMP] = "temp", [ROLE_INPUT] = "input", [ROLE_PARAM] = "param", [ROLE_STATE] = "state",
    [ROLE_TOTAL] = "total", [ROLE_SETTING] = "setting", [ROLE_CLOCK] = "clock", [ROLE_CONST] = "const",
};
static const char *const type_prefix[] = { [TYPE_FLOAT] = "", [TYPE_INT] = "int", [TYPE_BOOL] = "bool" };

typedef struct Leaves { LIST(Tensor *) list; } Leaves;

static void leaf_add(Leaves *l, Tensor *t)
{
    if (t->role == ROLE_TEMP)
        return;
    for (int i = 0; i < l->list.count; i++)
        if (l->list.at[i] == t)
            return;
    PUSH(l->list, t);
}

static void leaf_visit(const Node *e, void *data)
{
    if (e->op == OP_READ)
        leaf_add(data, e->tensor);
}

static void print_leaf(const Tensor *t, FILE *to)
{
    fprintf(to, "%-7s %s", role_name[t->role], t->name);
    if (t->rank) {
        fprintf(to, ": %s[", type_prefix[t->type]);
        for (int i = 0; i < t->rank; i++)
            if (i == 0 && t->batch)
                fprintf(to, "n");
            else
                fprintf(to, "%s%d", i ? ", " : "", t->extent[i]);
        fprintf(to, "]");
    }
    if (t->data && tensor_size(t) <= 8)
        for (int i = 0; i < (int)tensor_size(t); i++)
            fprintf(to, "%s%s", i ? ", " : " = ", node_text(node_float(t->data[i])));
    fprintf(to, "%s\n", t->frozen ? "   frozen" : "");
}

static void print_leaves(const Program *p, FILE *to)
{
    Leaves leaves = {0};
    for (int i = 0; i < p->equations.count; i++)
        equation_visit(p->equations.at[i], leaf_visit, &leaves);
    for (int i = 0; i < p->updates.count; i++) {
        leaf_add(&leaves, p->updates.at[i].value);
        leaf_add(&leaves, p->updates.at[i].state);
    }
    for (int i = 0; i < p->outputs.count; i++)
        leaf_add(&leaves, p->outputs.at[i].value);
    for (int role = ROLE_INPUT; role <= ROLE_CONST; role++)
        for (int i = 0; i < leaves.list.count; i++)
            if ((int)leaves.list.at[i]->role == role)
                print_leaf(leaves.list.at[i], to);
}

void program_print(const Program *p, FILE *to)
{
    fprintf(to, "# program %s%s%s\n", p->name ? p->name : "", p->training ? ", training" : "",
            p->wide ? ", in double" : "");
    print_leaves(p, to);
    const Loop *loop = NULL;
    for (int i = 0; i < p->equations.count; i++) {
        const Equation *e = p->equations.at[i];
        if (i == p->first_backward)
            fprintf(to, "# gradient\n");
        if (e->loop && e->loop != loop)
            fprintf(to, "scan %s in %d%s\n", e->step->name, e->loop->extent, e->loop->step < 0 ? " backwards" : "");
        loop = e->loop;
        fprintf(to, "%s%s\n", loop ? "   " : "", equation_text(e));
    }
    for (int i = 0; i < p->updates.count; i++)
        fprintf(to, "%s %s %s\n", p->updates.at[i].state->name, p->updates.at[i].add ? "+=" : "<-",
                p->updates.at[i].value->name);
    for (int i = 0; i < p->outputs.count; i++)
        fprintf(to, "output %s = %s\n", p->outputs.at[i].name, p->outputs.at[i].value->name);
}
