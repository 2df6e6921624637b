/* value.c: values and their arithmetic. Numbers known at compile time are computed here; as soon as a tensor or a
 * run-time number takes part, the result is an expression (program.h). Lists act element by element, whole tensors
 * align at their last axes. */
#include "tensor/elaborate.h"
#include <limits.h>
#include <math.h>
#include <string.h>

/* ---- making values ----------------------------------------------------------------------------------------------- */
Value value_poison(void) { return (Value){ .kind = VALUE_POISON }; }
Value value_none(void) { return (Value){ .kind = VALUE_NONE }; }
Value value_number(double v, Type type) { return (Value){ .kind = VALUE_NUMBER, .type = type, .number = v }; }
Value value_int(double v) { return value_number(v, TYPE_INT); }
Value value_float(double v) { return value_number(v, TYPE_FLOAT); }
Value value_bool(bool v) { return value_number(v, TYPE_BOOL); }
Value value_text_of(ValueKind kind, const char *text) { return (Value){ .kind = kind, .text = text }; }
Value value_part(Part *p) { return p ? (Value){ .kind = VALUE_PART, .part = p } : value_poison(); }

Value value_list(int count, Value *at)
{
    ValueList *l = NEW(ValueList);
    l->count = count;
    l->at = at;
    return (Value){ .kind = VALUE_LIST, .list = l };
}

Value value_node(const Node *e)
{
    if (!e) return value_poison();
    if (e->op == OP_NUM) return value_number(e->number, e->type);
    return (Value){ .kind = VALUE_NODE, .node = e };
}

Value value_whole(const Whole *w)
{
    return w->rank ? (Value){ .kind = VALUE_TENSOR, .whole = w } : value_node(w->node);
}

Value value_tensor(Tensor *t)
{
    static const char *const names[MAX_RANK] = { "i", "j", "k", "l", "m", "o", "p", "q", "r", "s", "u", "v" };
    Whole *w = NEW(Whole);
    w->rank = t->rank;
    for (int k = 0; k < t->rank; k++)
        w->axis[k] = t->batch && k == 0 ? index_new("n", t->extent[k], true) : index_new(names[k], t->extent[k], false);
    w->node = node_read_at(t, w->axis);
    return value_whole(w);
}

bool value_is_number(Value v, double number) { return v.kind == VALUE_NUMBER && v.number == number; }
bool value_is_int(Value v) { return v.kind == VALUE_NUMBER && v.type == TYPE_INT; }
bool value_is_run_time(Value v) { return v.kind == VALUE_TENSOR || v.kind == VALUE_NODE; }

bool whole_is_leaf(const Whole *w)
{
    if (w->node->op != OP_READ || w->node->tensor->rank != w->rank) return false;
    for (int k = 0; k < w->rank; k++)
        if (sum_plain(w->node->sum[k]) != w->axis[k]) return false;
    return true;
}

Tensor *value_leaf(Value v)
{
    if (v.kind == VALUE_TENSOR) return whole_is_leaf(v.whole) ? v.whole->node->tensor : NULL;
    if (v.kind == VALUE_NODE && v.node->op == OP_READ && v.node->tensor->rank == 0) return v.node->tensor;
    return NULL;
}

const Node *value_to_node(Value v)
{
    if (v.kind == VALUE_NODE) return v.node;
    if (v.kind != VALUE_NUMBER) bug("value_to_node: kind %d", v.kind);
    return v.type == TYPE_FLOAT  ? node_float(v.number)
           : v.type == TYPE_BOOL ? node_bool(v.number != 0)
                                 : node_int((int)v.number);
}

const Node *whole_at(const Whole *w, const Index *const *axis)
{
    Substitution s = { 0 };
    for (int k = 0; k < w->rank; k++)
        if (w->axis[k] != axis[k]) substitution_set(&s, w->axis[k], sum_index(axis[k]));
    return s.count ? node_substitute(w->node, &s) : w->node;
}

/* ---- text -------------------------------------------------------------------------------------------------------- */
const char *shape_text(int rank, const Index *const *axis)
{
    Text t = { 0 };
    text_add(&t, "[");
    for (int k = 0; k < rank; k++) {
        if (k) text_add(&t, ", ");
        if (axis[k]->batch)
            text_add(&t, "batch");
        else
            text_addf(&t, "%d", axis[k]->extent);
    }
    text_add(&t, "]");
    return text_string(&t);
}

const char *tensor_shape_text(const Tensor *x)
{
    Text t = { 0 };
    text_add(&t, "[");
    for (int k = 0; k < x->rank; k++) {
        if (k) text_add(&t, ", ");
        if (k == 0 && x->batch)
            text_add(&t, "batch");
        else
            text_addf(&t, "%d", x->extent[k]);
    }
    text_add(&t, "]");
    return text_string(&t);
}

const char *value_text(Value v)
{
    switch (v.kind) {
    case VALUE_NONE: return "none";
    case VALUE_NUMBER: return v.type == TYPE_BOOL ? (v.number != 0 ? "true" : "false") : format("%.9g", v.number);
    case VALUE_STRING:
    case VALUE_WORD:
    case VALUE_FIELD: return v.text;
    case VALUE_PART: return v.part->definition ? v.part->definition->name : op_info[v.part->function].text;
    case VALUE_TENSOR: return format("a tensor %s", shape_text(v.whole->rank, v.whole->axis));
    case VALUE_NODE: return "a number known at run time";
    case VALUE_POISON: return "?";
    case VALUE_LIST: {
        Text t = { 0 };
        text_add(&t, "[");
        for (int i = 0; i < v.list->count; i++) {
            if (i) text_add(&t, ", ");
            text_add(&t, value_text(v.list->at[i]));
        }
        text_add(&t, "]");
        return text_string(&t);
    }
    }
    return "?";
}

const char *value_kind_text(Value v)
{
    switch (v.kind) {
    case VALUE_NUMBER: return format("%s", value_text(v));
    case VALUE_STRING: return format("the string \"%s\"", v.text);
    case VALUE_WORD: return format("the word %s", v.text);
    case VALUE_LIST: return format("the list %s", value_text(v));
    case VALUE_PART:
        return format("%s %s", v.part->definition ? def_kind_name[v.part->definition->kind] : "the function",
                      value_text(v));
    case VALUE_FIELD: return format("the data field %s", v.text);
    case VALUE_TENSOR: {
        Type t = v.whole->node->type;
        return format("%s tensor %s",
                      t == TYPE_INT    ? "an int"
                      : t == TYPE_BOOL ? "a bool"
                                       : "a float",
                      shape_text(v.whole->rank, v.whole->axis));
    }
    default: return value_text(v);
    }
}

/* ---- compile-time arithmetic ------------------------------------------------------------------------------------- */
static Value number_checked(Scope *s, double v, Type type, Place at)
{
    if (type == TYPE_INT && !(v >= INT_MIN && v <= INT_MAX)) {
        scope_error(s, at, "%.9g does not fit into an integer of 32 bits", v);
        return value_poison();
    }
    return value_number(v, type);
}

static Value numbers_binary(Scope *s, Op op, Value a, Value b, Place at)
{
    double x = a.number, y = b.number;
    bool ints = a.type == TYPE_INT && b.type == TYPE_INT;
    Type type = ints ? TYPE_INT : TYPE_FLOAT;
    switch (op) {
    case OP_ADD: return number_checked(s, x + y, type, at);
    case OP_SUB: return number_checked(s, x - y, type, at);
    case OP_MUL: return number_checked(s, x * y, type, at);
    case OP_DIV:
        if (y != 0) return value_float(x / y);
        scope_error(s, at, "division by 0");
        return value_poison();
    case OP_MAX: return value_number(x > y ? x : y, type);
    case OP_MIN: return value_number(x < y ? x : y, type);
    case OP_POW: return number_checked(s, pow(x, y), ints && y >= 0 ? TYPE_INT : TYPE_FLOAT, at);
    case OP_FLOOR_DIV:
    case OP_MOD:
        if (ints && y == 0) {
            scope_error(s, at, "division by 0");
            return value_poison();
        }
        return number_checked(s, op == OP_MOD ? x - y * floor(x / y) : floor(x / y), type, at);
    case OP_EQ: return value_bool(x == y);
    case OP_NE: return value_bool(x != y);
    case OP_LT: return value_bool(x < y);
    case OP_GT: return value_bool(x > y);
    case OP_LE: return value_bool(x <= y);
    case OP_GE: return value_bool(x >= y);
    case OP_AND: return value_bool(x != 0 && y != 0);
    case OP_OR: return value_bool(x != 0 || y != 0);
    default: bug("numbers_binary: %s", op_info[op].name);
    }
}

static Value number_unary(Scope *s, Op op, Value a, Place at)
{
    double x = a.number;
    Type same = a.type == TYPE_INT ? TYPE_INT : TYPE_FLOAT;
    switch (op) {
    case OP_NEG: return number_checked(s, -x, same, at);
    case OP_NOT: return value_bool(x == 0);
    case OP_TO_FLOAT: return value_float(x);
    case OP_TO_INT: return number_checked(s, trunc(x), TYPE_INT, at);
    case OP_STOP: return a;
    case OP_ABS: return number_checked(s, fabs(x), same, at);
    case OP_SIGN: return value_number((x > 0) - (x < 0), same);
    default: return value_node(node1(op, node_float(x)));
    }
}

/* ---- whole tensors and lists ------------------------------------------------------------------------------------- */
static bool list_numbers(const ValueList *l, int depth, int *extent, int *rank, Type *type)
{
    if (depth >= MAX_RANK || (*rank >= 0 && depth >= *rank)) return false;
    if (extent[depth] < 0) extent[depth] = l->count;
    if (extent[depth] != l->count) return false;
    for (int i = 0; i < l->count; i++) {
        Value v = l->at[i];
        if (v.kind == VALUE_LIST) {
            if (!list_numbers(v.list, depth + 1, extent, rank, type)) return false;
        } else {
            if (v.kind != VALUE_NUMBER || (*rank >= 0 && *rank != depth + 1)) return false;
            *rank = depth + 1;
            if (v.type == TYPE_FLOAT || (v.type == TYPE_INT && *type == TYPE_BOOL)) *type = v.type;
        }
    }
    return true;
}

static double *list_copy(const ValueList *l, double *to)
{
    for (int i = 0; i < l->count; i++) {
        if (l->at[i].kind == VALUE_LIST)
            to = list_copy(l->at[i].list, to);
        else
            *to++ = l->at[i].number;
    }
    return to;
}

/* Ints of a list are literals: floats, unless an equation needs places (a subscript converts them). */
Value value_to_tensor(Scope *s, Value v)
{
    (void)s;
    if (v.kind != VALUE_LIST || !v.list->count) return v;
    if (v.list->constant) return value_tensor(v.list->constant);
    int extent[MAX_RANK + 1], rank = -1;
    for (int k = 0; k <= MAX_RANK; k++) extent[k] = -1;
    Type type = TYPE_BOOL;
    if (!list_numbers(v.list, 0, extent, &rank, &type) || rank < 0) return v;
    Tensor *t = tensor_new("list", rank, extent, false, type == TYPE_BOOL ? TYPE_BOOL : TYPE_FLOAT, ROLE_CONST);
    double *data = NEW_ARRAY(double, tensor_size(t));
    list_copy(v.list, data);
    t->data = data;
    v.list->constant = t;
    return value_tensor(t);
}

/* Where a tensor of a message was made, if it stands somewhere. */
static void note_origin(const Whole *w)
{
    Tensor *t = value_leaf(value_whole(w));
    if (t && t->at.source) note_at(t->at, "%s is made here, %s", t->name, shape_text(w->rank, w->axis));
}

static bool whole_align(Scope *s, const Whole *big, Value v, Place at, const Node **out)
{
    if (v.kind != VALUE_TENSOR) {
        *out = value_to_node(v);
        return true;
    }
    const Whole *w = v.whole;
    const Index *const *axis = big->axis + (big->rank - w->rank);
    for (int k = 0; k < w->rank; k++)
        if (w->axis[k]->extent != axis[k]->extent || w->axis[k]->batch != axis[k]->batch) {
            scope_error(s, at, "shapes %s and %s do not meet: they must be equal, or one the last axes of the other",
                        shape_text(w->rank, w->axis), shape_text(big->rank, big->axis));
            note_origin(w);
            note_origin(big);
            return false;
        }
    *out = whole_at(w, axis);
    return true;
}

typedef const Node *NodeOf(Op op, const Node *const *arg);

/* op over run-time values: numbers, nodes and whole tensors. */
static Value lift(Scope *s, Op op, NodeOf *f, const Value *arg, int count, Place at)
{
    Value a[3];
    const Whole *big = NULL;
    for (int i = 0; i < count; i++) {
        a[i] = value_to_tensor(s, arg[i]);
        if (a[i].kind != VALUE_TENSOR && a[i].kind != VALUE_NODE && a[i].kind != VALUE_NUMBER) {
            scope_error(s, at, "%s has no place in arithmetic", value_kind_text(a[i]));
            return value_poison();
        }
        if (a[i].kind == VALUE_TENSOR && (!big || a[i].whole->rank > big->rank)) big = a[i].whole;
    }
    const Node *node[3] = { 0 };
    if (!big) {
        for (int i = 0; i < count; i++) node[i] = value_to_node(a[i]);
        return value_node(f(op, node));
    }
    Whole *w = NEW(Whole);
    w->rank = big->rank;
    memcpy(w->axis, big->axis, sizeof w->axis);
    for (int i = 0; i < count; i++)
        if (!whole_align(s, big, a[i], at, &node[i])) return value_poison();
    w->node = f(op, node);
    return value_whole(w);
}

static const Node *node_of_1(Op op, const Node *const *a) { return node1(op, a[0]); }
static const Node *node_of_2(Op op, const Node *const *a) { return node2(op, a[0], a[1]); }
static const Node *node_of_select(Op op, const Node *const *a)
{
    (void)op;
    return node_select(a[0], a[1], a[2]);
}

static Value list_map(Scope *s, Op op, Value a, Value b, bool two, Place at)
{
    int n = a.kind == VALUE_LIST ? a.list->count : b.list->count;
    if (two && a.kind == VALUE_LIST && b.kind == VALUE_LIST && a.list->count != b.list->count) {
        scope_error(s, at, "lists of %d and %d elements do not meet", a.list->count, b.list->count);
        return value_poison();
    }
    Value *out = NEW_ARRAY(Value, n + 1);
    for (int i = 0; i < n; i++) {
        Value x = a.kind == VALUE_LIST ? a.list->at[i] : a;
        out[i] = two ? value_binary(s, op, x, b.kind == VALUE_LIST ? b.list->at[i] : b, at) : value_unary(s, op, x, at);
    }
    return value_list(n, out);
}

Value value_unary(Scope *s, Op op, Value a, Place at)
{
    if (a.kind == VALUE_POISON) return a;
    if (a.kind == VALUE_NUMBER) return number_unary(s, op, a, at);
    if (a.kind == VALUE_LIST) return list_map(s, op, a, a, false, at);
    return lift(s, op, node_of_1, &a, 1, at);
}

static bool is_plain(Value v) { return v.kind == VALUE_NONE || v.kind == VALUE_WORD || v.kind == VALUE_STRING; }

/* == of none, words and strings: of another kind is not equal. */
static bool plain_equal(Value a, Value b)
{
    if (a.kind != b.kind) return false;
    return a.kind == VALUE_NONE || a.text == b.text;
}

Value value_binary(Scope *s, Op op, Value a, Value b, Place at)
{
    if (a.kind == VALUE_POISON || b.kind == VALUE_POISON) return value_poison();
    if ((op == OP_EQ || op == OP_NE) && (is_plain(a) || is_plain(b)))
        return value_bool(plain_equal(a, b) == (op == OP_EQ));
    if (a.kind == VALUE_NUMBER && b.kind == VALUE_NUMBER) return numbers_binary(s, op, a, b, at);
    bool lists = a.kind == VALUE_LIST || b.kind == VALUE_LIST;
    if (lists && !value_is_run_time(a) && !value_is_run_time(b)) return list_map(s, op, a, b, true, at);
    if (lists && (a.kind == VALUE_NODE || b.kind == VALUE_NODE)) return list_map(s, op, a, b, true, at);
    return lift(s, op, node_of_2, (Value[]){ a, b }, 2, at);
}

Value value_select(Scope *s, Value c, Value a, Value b, Place at)
{
    if (c.kind == VALUE_POISON || a.kind == VALUE_POISON || b.kind == VALUE_POISON) return value_poison();
    if (c.kind == VALUE_NUMBER) return c.number != 0 ? a : b;
    return lift(s, OP_SELECT, node_of_select, (Value[]){ c, a, b }, 3, at);
}

static bool uses_batch(const Node *e)
{
    if (e->op == OP_COUNT) return true;
    for (int i = 0; i < 3 && e->arg[i]; i++)
        if (uses_batch(e->arg[i])) return true;
    return false;
}

Value value_const(Scope *s, Value v, Place at, const char *what)
{
    double number;
    if (v.kind == VALUE_NODE && settings_fold(s->e, v.node, &number)) return value_number(number, v.node->type);
    if (v.kind == VALUE_NODE && uses_batch(v.node)) {
        scope_error(s, at,
                    "%s must be known when dlnc runs, but the number of samples in a batch is known only at run time",
                    what);
        return value_poison();
    }
    if (value_is_run_time(v)) {
        scope_error(s, at, "%s must be known when dlnc runs, this is %s", what, value_text(v));
        if (!strcmp(what, "the condition of if")) help("a choice at run time is written  condition ? a : b");
        return value_poison();
    }
    return v;
}
