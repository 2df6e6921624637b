/* foreign.c: how tensors are called and how they lie in a PyTorch file, as the model's definitions say by `as`: for each
 * tensor a row of a table, and a function
 *
 *     place there = f(element here)          both counted row by row
 *
 * unless the elements lie in the same order; tensors that lie alike share one. */
#include "emit/foreign.h"
#include <inttypes.h>
#include <string.h>

/* ---- whole numbers as C ------------------------------------------------------------------------------------------ */
typedef struct Names { int count; const Index *const *index; const char **name; } Names;

static void sum_c(const Names *n, const Sum *a, Text *to);

/* floor(a / k) and a mod k, also of what is below 0 */
static void quotient_c(const Names *n, const Node *e, Text *to)
{
    bool rises = sum_range(e->sum[0]).low >= 0;
    if (e->op == OP_MOD && !rises) {
        text_add(to, "((");
        sum_c(n, e->sum[0], to);
        text_addf(to, " %% %d + %d) %% %d)", e->extent, e->extent, e->extent);
        return;
    }
    text_add(to, "(");
    sum_c(n, e->sum[0], to);
    if (e->op == OP_FLOOR_DIV && !rises) {
        text_addf(to, " - (");
        sum_c(n, e->sum[0], to);
        text_addf(to, " %% %d + %d) %% %d", e->extent, e->extent, e->extent);
    }
    text_addf(to, ") %s %d", e->op == OP_MOD ? "%" : "/", e->extent);
}

static const char *c_operator(Op op)
{
    switch (op) {
    case OP_ADD: return "+";   case OP_SUB: return "-";   case OP_MUL: return "*";
    case OP_EQ:  return "==";  case OP_NE:  return "!=";  case OP_LT:  return "<";
    case OP_GT:  return ">";   case OP_LE:  return "<=";  case OP_GE:  return ">=";
    case OP_AND: return "&&";  case OP_OR:  return "||";
    default: return NULL;
    }
}

static void node_c(const Names *n, const Node *e, Text *to);

static void in_brackets(const Names *n, const Node *e, Text *to)
{
    bool plain = (e->op == OP_NUM && e->number >= 0) || (e->op == OP_INT && sum_plain(e->sum[0]));
    if (!plain) text_add(to, "(");
    node_c(n, e, to);
    if (!plain) text_add(to, ")");
}

static void choice_c(const Names *n, const char *compared, const Node *e, Text *to)
{
    in_brackets(n, e->arg[0], to);
    text_addf(to, " %s ", compared);
    in_brackets(n, e->arg[1], to);
    text_add(to, " ? ");
    in_brackets(n, e->arg[0], to);
    text_add(to, " : ");
    in_brackets(n, e->arg[1], to);
}

static void node_c(const Names *n, const Node *e, Text *to)
{
    const char *between = c_operator(e->op);
    if (between) {
        in_brackets(n, e->arg[0], to);
        text_addf(to, " %s ", between);
        in_brackets(n, e->arg[1], to);
        return;
    }
    switch (e->op) {
    case OP_NUM: text_addf(to, "%.0f", e->number); break;
    case OP_INT: sum_c(n, e->sum[0], to); break;
    case OP_FLOOR_DIV: case OP_MOD: case OP_EXACT: quotient_c(n, e, to); break;
    case OP_MAX: choice_c(n, ">", e, to); break;
    case OP_MIN: choice_c(n, "<", e, to); break;
    case OP_NEG: text_add(to, "-"); in_brackets(n, e->arg[0], to); break;
    case OP_NOT: text_add(to, "!"); in_brackets(n, e->arg[0], to); break;
    case OP_TO_INT: case OP_STOP: in_brackets(n, e->arg[0], to); break;
    case OP_IN:
        text_add(to, "(");
        sum_c(n, e->sum[0], to);
        text_add(to, ") >= 0 && (");
        sum_c(n, e->sum[0], to);
        text_addf(to, ") < %d", e->extent);
        break;
    case OP_SELECT:
        in_brackets(n, e->arg[0], to);
        text_add(to, " ? ");
        in_brackets(n, e->arg[1], to);
        text_add(to, " : ");
        in_brackets(n, e->arg[2], to);
        break;
    default: bug("foreign.c: %s is no operation on places", op_info[e->op].name);
    }
}

static const char *name_of(const Names *n, const Index *index)
{
    for (int i = 0; i < n->count; i++)
        if (n->index[i] == index) return n->name[i];
    bug("foreign.c: an index that the tensor does not have");
}

static void sum_c(const Names *n, const Sum *a, Text *to)
{
    for (int i = 0; i < a->count; i++) {
        int factor = a->term[i].factor;
        text_add(to, i == 0 ? (factor < 0 ? "-" : "") : factor < 0 ? " - " : " + ");
        if (factor != 1 && factor != -1) text_addf(to, "%d * ", factor < 0 ? -factor : factor);
        if (a->term[i].index) text_add(to, name_of(n, a->term[i].index));
        else in_brackets(n, a->term[i].atom, to);
    }
    if (!a->count) text_addf(to, "%d", a->constant);
    else if (a->constant) text_addf(to, " %c %d", a->constant < 0 ? '-' : '+', a->constant < 0 ? -a->constant : a->constant);
}

/* ---- one tensor -------------------------------------------------------------------------------------------------- */
/* The place in rows of the given lengths; an index of one place is 0. */
static const Sum *row_major(const Sum *const *at, const int *extent, int rank)
{
    const Sum *a = sum_constant(0);
    for (int k = 0; k < rank; k++) a = sum_add(sum_scale(a, k ? extent[k] : 1), at[k]);
    return a;
}

static const Sum *without_single(const Tensor *t, const Sum *a)
{
    Substitution single = {0};
    for (int i = 0; i < t->foreign_indices; i++)
        if (t->foreign_index[i]->extent == 1) substitution_set(&single, t->foreign_index[i], sum_constant(0));
    return sum_substitute(a, &single);
}

/* Its own elements in their order: the tensor's indices, outermost first. */
static const Sum *own_order(const Tensor *t)
{
    const Sum *at[2 * MAX_RANK];
    int extent[2 * MAX_RANK];
    for (int i = 0; i < t->foreign_indices; i++) {
        at[i] = sum_index(t->foreign_index[i]);
        extent[i] = t->foreign_index[i]->extent;
    }
    return without_single(t, row_major(at, extent, t->foreign_indices));
}

static Names names_of(const Tensor *t)
{
    Names n = { t->foreign_indices, t->foreign_index, NEW_ARRAY(const char *, t->foreign_indices + 1) };
    for (int i = 0; i < n.count; i++) {
        const char *name = n.index[i]->name;
        bool good = name && (!name[1] || !word_is_taken(name)) && strcmp(name, "element");
        for (const char *c = name; good && *c; c++) good = is_word_char(*c);
        for (int k = 0; k < i; k++) good = good && strcmp(name, n.name[k]);
        n.name[i] = good ? name : format("axis_%d", i);
    }
    return n;
}

/* The body of the function for t; NULL: the elements lie in the same order. */
static const char *place_body(const Tensor *t)
{
    const Sum *there = without_single(t, row_major(t->foreign_subs, t->foreign_extent, t->foreign_rank));
    if (there == own_order(t)) return NULL;
    Names n = names_of(t);
    Text s = {0};
    int64_t step = tensor_size(t);
    bool first = true;
    for (int i = 0; i < n.count; i++) {
        step /= n.index[i]->extent;
        if (!sum_uses(there, n.index[i])) continue;
        text_addf(&s, "%s%s = (int64_t)(element", first ? "    const int64_t " : ", ", n.name[i]);
        if (step > 1) text_addf(&s, " / %" PRId64, step);
        if (i) text_addf(&s, " %% %d", n.index[i]->extent);
        text_add(&s, ")");
        first = false;
    }
    text_add(&s, first ? "    (void)element;\n    return (size_t)(" : ";\n    return (size_t)(");
    sum_c(&n, there, &s);
    text_add(&s, ");\n");
    return intern(text_string(&s));
}

/* ---- all --------------------------------------------------------------------------------------------------------- */
typedef LIST(const char *) Bodies;

/* The number of the function with this body; it is written when it is new. */
static int place_function(const char *body, const Tensor *t, Bodies *all, Text *to)
{
    for (int i = 0; i < all->count; i++)
        if (all->at[i] == body) return i;
    text_add(to, "/* ");
    text_add_comment(to, format("%s in %s", t->name, t->foreign));
    text_addf(to, " */\nstatic size_t host_place_%d(size_t element) {\n%s}\n", all->count, body);
    PUSH(*all, body);
    return all->count - 1;
}

int foreign_text(const Emission *e, Text *to)
{
    Text table = {0};
    Bodies bodies = {0};
    int rows = 0;
    for (int i = 0; i < kept_count(e); i++) {
        const Tensor *t = kept_tensor(e, i);
        if (!t->foreign || !t->foreign_extent) continue;
        const char *body = place_body(t);
        const char *function = body ? format("host_place_%d", place_function(body, t, &bodies, to)) : "NULL";
        text_addf(&table, "    {%d, ", i);
        text_add_literal(&table, t->foreign);
        text_addf(&table, ", %d, {", t->foreign_rank);
        for (int k = 0; k < t->foreign_rank; k++) text_addf(&table, "%s%d", k ? ", " : "", t->foreign_extent[k]);
        text_addf(&table, "%s}, %s},\n", t->foreign_rank ? "" : "0", function);
        rows++;
    }
    if (rows) text_addf(to, "static const dln_foreign host_foreign[] = {     /* in a PyTorch file */\n%s};\n", text_string(&table));
    return rows;
}
