/* onnx_value.c: expressions as ONNX nodes (onnx.h). A value has the axes of the indices that it depends on and no others.
 * What an operator makes has the order of the argument with the most axes, if that has them all, else the frame's: so what
 * follows a Conv keeps its order. Arguments are aligned at their last axes, as ONNX does it, with axes of length 1 between. Integer sums are int64 values: of indices alone they are constants. */
#include "emit/onnx.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PLACES = 1 << 22 };                  /* of one constant */

/* ---- constants --------------------------------------------------------------------------------------------------- */
static const char *real_text(double v)
{
    if (isnan(v)) return "nan";
    if (isinf(v)) return v < 0 ? "-inf" : "inf";
    for (int digits = 15; digits < 17; digits++) {
        const char *s = format("%.*g", digits, v);
        if (strtod(s, NULL) == v) return s;
    }
    return format("%.17g", v);
}

Wire onnx_literal(Type type, double v)
{
    const char *name = type == TYPE_BOOL ? v ? "true" : "false" : type == TYPE_INT ? format("%.0fi", v) : real_text(v);
    return (Wire){ .name = name, .type = type };
}

/* ---- alignment --------------------------------------------------------------------------------------------------- */
static bool wire_has(const Wire *w, const Index *i)
{
    for (int k = 0; k < w->rank; k++) if (w->axis[k] == i) return true;
    return false;
}

/* w to be combined with what has the given axes: length 1 where it has none, but for the first ones. */
static const char *aligned(Onnx *o, const Wire *w, const Wire *with)
{
    int64_t at[MAX_AXES];
    int count = 0, first = 0;
    if (!w->rank) return w->name;
    Wire own = onnx_ordered(o, *w, with->axis, with->rank);
    w = &own;
    while (first < with->rank && with->axis[first] != w->axis[0]) first++;
    for (int i = first; i < with->rank; i++) if (!wire_has(w, with->axis[i])) at[count++] = i - first;
    return count ? onnx_node(o, "Unsqueeze %s axes=[%s]", w->name, ints_text(at, count)) : w->name;
}

/* The only name in the node that makes `name`, if the rest of it is `before NAME behind`. */
static const char *name_within(const Onnx *o, const char *name, const char *before, const char *behind)
{
    const char *text = onnx_made_by(o, name);
    size_t length = strlen(text), front = strlen(before), back = strlen(behind);
    if (length <= front + back || strncmp(text, before, front) || strcmp(text + length - back, behind)) return "";
    const char *inner = intern_n(text + front, length - front - back);
    return strchr(inner, ' ') ? "" : inner;
}

/* e times scale, where e = exp(x - max x) and scale = 1 / sum e along the last axis, has an operator of its own. */
static const char *exponential_share(Onnx *o, const char *e, const char *scale, int last)
{
    const char *along = format(" axes=[%d]", last), *kept = format(" axes=[%d] keepdims=0", last);
    const char *sum = name_within(o, name_within(o, scale, "Unsqueeze ", along), "Div 1 ", "");
    if (last < 0 || strcmp(name_within(o, sum, "ReduceSum ", kept), e)) return NULL;
    const char *shifted = name_within(o, e, "Exp ", ""), *text = onnx_made_by(o, shifted);
    size_t n = strncmp(text, "Sub ", 4) ? 0 : strcspn(text + 4, " ");
    if (!n) return NULL;
    const char *x = intern_n(text + 4, n), *largest = intern(text + 4 + n + 1);
    if (strcmp(name_within(o, name_within(o, largest, "Unsqueeze ", along), "ReduceMax ", kept), x)) return NULL;
    return onnx_node(o, "Softmax %s axis=%d", x, last);
}

static void axes_of(const Onnx *o, int count, const Wire *args, Wire *out)
{
    int most = 0;
    for (int i = 1; i < count; i++) if (args[i].rank > args[most].rank) most = i;
    for (int k = 0; k < o->frame_count; k++)
        for (int i = 0; i < count; i++)
            if (wire_has(&args[i], o->frame[k])) {
                out->axis[out->rank++] = o->frame[k];
                break;
            }
    if (out->rank == args[most].rank) memcpy(out->axis, args[most].axis, sizeof out->axis);
}

Wire onnx_each(Onnx *o, const char *operator, Type type, int count, const Wire *args)
{
    Wire out = { .type = type };
    Text t = {0};
    axes_of(o, count, args, &out);
    const char *name[3] = { "" };
    for (int i = 0; i < count; i++) name[i] = aligned(o, &args[i], &out);
    if (!strcmp(operator, "Mul") && (out.name = exponential_share(o, name[0], name[1], out.rank - 1))) return out;
    text_add(&t, operator);
    for (int i = 0; i < count; i++) text_addf(&t, " %s", name[i]);
    out.name = onnx_node(o, "%s", text_string(&t));
    return out;
}

/* ---- integer sums ------------------------------------------------------------------------------------------------ */
static Wire plus(Onnx *o, Wire a, Wire b) { return a.name ? onnx_each(o, "Add", TYPE_INT, 2, (Wire[]){ a, b }) : b; }

static Wire times(Onnx *o, Wire a, int k)
{
    return k == 1 ? a : onnx_each(o, "Mul", TYPE_INT, 2, (Wire[]){ a, onnx_literal(TYPE_INT, k) });
}

/* The part of a that is known when dlnc runs: a table over its indices, or a number. */
static Wire known_part(Onnx *o, const Sum *a)
{
    Wire out = { .type = TYPE_INT };
    int64_t extent[MAX_AXES] = {0}, step[MAX_AXES] = {0}, size = 1;
    for (int k = 0; k < o->frame_count; k++) {
        const Index *i = o->frame[k];
        if (!sum_factor(a, i) || i->batch || (o->scan && i == o->e->step)) continue;
        extent[out.rank] = i->extent;
        step[out.rank] = sum_factor(a, i);
        size *= i->extent;
        out.axis[out.rank++] = i;
        if (size > MOST_PLACES) {
            onnx_refuse(o, "a table of more than %d places", MOST_PLACES);
            size = 1;
        }
    }
    if (!out.rank) return onnx_literal(TYPE_INT, a->constant);
    out.name = onnx_node(o, "Affine [%s] %d %s", ints_text(extent, out.rank), a->constant, ints_text(step, out.rank));
    return out;
}

/* The step of a scan is a number of its own; the samples of a batch are counted when there are some. */
static Wire index_value(Onnx *o, const Index *i)
{
    if (!i->batch) return (Wire){ .name = o->step, .type = TYPE_INT };
    Wire w = { .type = TYPE_INT, .rank = 1, .axis = { i } };
    w.name = onnx_node(o, "Range 0i %s 1i", onnx_node(o, "Squeeze %s axes=[0]", onnx_batch(o)));
    return w;
}

Wire onnx_sum(Onnx *o, const Sum *a)
{
    Wire out = known_part(o, a);
    if (!out.rank && !a->constant && a->count) out.name = NULL;
    for (int k = 0; k < a->count; k++) {
        const Term *t = &a->term[k];
        if (t->atom) out = plus(o, out, times(o, onnx_value(o, t->atom), t->factor));
        else if (t->index->batch || (o->scan && t->index == o->e->step))
            out = plus(o, out, times(o, index_value(o, t->index), t->factor));
    }
    return out.name ? out : onnx_literal(TYPE_INT, a->constant);
}

Wire onnx_within(Onnx *o, const Sum *a, int extent)
{
    Wire w = onnx_sum(o, a);
    Range r = sum_range(a);
    if (r.low < 0) w = onnx_each(o, "Max", TYPE_INT, 2, (Wire[]){ w, onnx_literal(TYPE_INT, 0) });
    if (r.high >= extent) w = onnx_each(o, "Min", TYPE_INT, 2, (Wire[]){ w, onnx_literal(TYPE_INT, extent - 1) });
    return w;
}

/* ---- expressions ------------------------------------------------------------------------------------------------- */
static const char *const operators[OP_OPERATIONS] = {
    [OP_SELECT] = "Where", [OP_NEG] = "Neg", [OP_NOT] = "Not", [OP_ADD] = "Add", [OP_SUB] = "Sub", [OP_MUL] = "Mul",
    [OP_DIV] = "Div", [OP_POW] = "Pow", [OP_MAX] = "Max", [OP_MIN] = "Min", [OP_EQ] = "Equal", [OP_LT] = "Less",
    [OP_GT] = "Greater", [OP_LE] = "LessOrEqual", [OP_GE] = "GreaterOrEqual", [OP_AND] = "And", [OP_OR] = "Or",
    [OP_EXP] = "Exp", [OP_LOG] = "Log", [OP_SQRT] = "Sqrt", [OP_TANH] = "Tanh", [OP_ERF] = "Erf", [OP_SIN] = "Sin",
    [OP_COS] = "Cos", [OP_ABS] = "Abs", [OP_SIGN] = "Sign", [OP_FLOOR] = "Floor",
};

static Wire one(Onnx *o, const char *operator, Type type, Wire a) { return onnx_each(o, operator, type, 1, &a); }
static Wire two(Onnx *o, const char *operator, Type type, Wire a, Wire b)
{
    return onnx_each(o, operator, type, 2, (Wire[]){ a, b });
}

static Wire cast(Onnx *o, Wire w, Type type, const char *to)
{
    return (Wire){ onnx_node(o, "Cast %s to=%s", w.name, to), type, w.rank, { 0 } };
}

static Wire with_axes(Wire w, const Wire *of)
{
    memcpy(w.axis, of->axis, sizeof w.axis);
    return w;
}

static Wire within_range(Onnx *o, const Node *e)
{
    Wire w = onnx_sum(o, e->sum[0]), low = {0}, high = {0};
    Range r = sum_range(e->sum[0]);
    if (r.low < 0) low = two(o, "GreaterOrEqual", TYPE_BOOL, w, onnx_literal(TYPE_INT, 0));
    if (r.high >= e->extent) high = two(o, "Less", TYPE_BOOL, w, onnx_literal(TYPE_INT, e->extent));
    if (!low.name && !high.name) return onnx_literal(TYPE_BOOL, 1);
    return !low.name ? high : !high.name ? low : two(o, "And", TYPE_BOOL, low, high);
}

/* Rounded towards minus infinity, as ONNX's Mod has the divisor's sign. */
static Wire floor_quotient(Onnx *o, const Node *e)
{
    Wire w = onnx_sum(o, e->sum[0]), k = onnx_literal(TYPE_INT, e->extent);
    if (e->op == OP_MOD) return two(o, "Mod", TYPE_INT, w, k);
    if (sum_range(e->sum[0]).low < 0) w = two(o, "Sub", TYPE_INT, w, two(o, "Mod", TYPE_INT, w, k));
    return two(o, "Div", TYPE_INT, w, k);
}

/* 1 / (1 + exp(-x)): of this ONNX has an operator of its own. The x, or NULL. */
static const Node *logistic(const Node *e)
{
    if (e->op != OP_DIV || !node_is_number(e->arg[0], 1) || e->arg[1]->op != OP_ADD) return NULL;
    for (int i = 0; i < 2; i++) {
        const Node *x = e->arg[1]->arg[1 - i];
        if (node_is_number(e->arg[1]->arg[i], 1) && x->op == OP_EXP && x->arg[0]->op == OP_NEG) return x->arg[0]->arg[0];
    }
    return NULL;
}

static Wire operation(Onnx *o, const Node *e)
{
    Wire arg[3];
    int count = 0;
    for (; count < 3 && e->arg[count]; count++) arg[count] = onnx_value(o, e->arg[count]);
    switch (e->op) {
    case OP_STOP: return arg[0];
    case OP_NE: return one(o, "Not", TYPE_BOOL, two(o, "Equal", TYPE_BOOL, arg[0], arg[1]));
    case OP_TO_FLOAT: return with_axes(cast(o, arg[0], TYPE_FLOAT, "real"), &arg[0]);
    case OP_TO_INT: return with_axes(cast(o, arg[0], TYPE_INT, "int64"), &arg[0]);
    case OP_LOG1P: return one(o, "Log", TYPE_FLOAT, two(o, "Add", TYPE_FLOAT, arg[0], onnx_literal(TYPE_FLOAT, 1)));
    case OP_EXPM1: return two(o, "Sub", TYPE_FLOAT, one(o, "Exp", TYPE_FLOAT, arg[0]), onnx_literal(TYPE_FLOAT, 1));
    case OP_MAX:
        if (e->type == TYPE_FLOAT && node_is_number(e->arg[1], 0)) return one(o, "Relu", TYPE_FLOAT, arg[0]);
        break;
    default:
        break;
    }
    bool swaps = (e->op == OP_ADD || e->op == OP_MUL) && !arg[0].rank && arg[1].rank;      /* a number stands behind */
    if (swaps) return two(o, operators[e->op], e->type, arg[1], arg[0]);
    if (operators[e->op]) return onnx_each(o, operators[e->op], e->type, count, arg);
    onnx_refuse(o, "ONNX has no operation '%s'", op_info[e->op].text);
    return arg[0];
}

static Wire compute(Onnx *o, const Node *e)
{
    const Node *x = logistic(e);
    if (x) return one(o, "Sigmoid", TYPE_FLOAT, onnx_value(o, x));
    switch (e->op) {
    case OP_NUM: return onnx_literal(e->type, e->number);
    case OP_INT: return onnx_sum(o, e->sum[0]);
    case OP_READ: return onnx_read(o, e);
    case OP_IN: return within_range(o, e);
    case OP_FLOOR_DIV: case OP_MOD: case OP_EXACT: return floor_quotient(o, e);
    case OP_COUNT: {
        Wire n = { .name = onnx_node(o, "Squeeze %s axes=[0]", onnx_batch(o)), .type = TYPE_INT };
        return e->number == 1 ? n : two(o, "Mul", TYPE_INT, n, onnx_literal(TYPE_INT, e->number));
    }
    case OP_RAND:
        onnx_refuse(o, "its prediction draws random numbers");
        return onnx_literal(TYPE_FLOAT, 0);
    default: return operation(o, e);
    }
}

Wire onnx_value(Onnx *o, const Node *e)
{
    for (int i = 0; i < o->known.count; i++) if (o->known.at[i].e == e) return o->known.at[i].value;
    Wire w = compute(o, e);
    PUSH(o->known, ((struct Known){ e, w }));
    return w;
}
