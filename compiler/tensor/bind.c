/* bind.c: arguments meet parameters: types checked and converted, axes of tensors named as the header says. */
#include "tensor/elaborate.h"
#include <string.h>

/* ---- parameters -------------------------------------------------------------------------------------------------- */
static bool is_fan(const char *name) { return !strcmp(name, "fan_in") || !strcmp(name, "fan_out"); }

bool param_is_tensor(const Definition *d, int k)
{
    const Param *p = &d->params.at[k];
    if (p->has_axes) return true;
    switch (d->kind) {
    case KIND_DEF: return (k == 0 || (d->folds && k == 1)) && !p->type.count && !p->fallback;
    case KIND_INIT: return is_fan(p->name);
    default: return k < 2;
    }
}

int param_find(const Definition *d, const char *name)
{
    for (int k = 0; k < d->params.count; k++)
        if (d->params.at[k].name == name) return k;
    return -1;
}

bool param_admits(const Param *p, const char *type)
{
    for (int i = 0; i < p->type.count; i++)
        if (!strcmp(p->type.at[i].name, type) && p->type.at[i].subs.count < 0) return true;
    return false;
}

static const char *const value_types[] = { "int",  "float", "bool", "int2", "int4",      "list",
                                           "none", "layer", "init", "loss", "optimizer", "schedule" };
enum { VALUE_TYPES = sizeof value_types / sizeof *value_types, FIRST_PART_TYPE = 7 };

static bool is_word_type(const TypeName *t)
{
    for (int i = 0; i < VALUE_TYPES; i++)
        if (!strcmp(t->name, value_types[i])) return false;
    return t->subs.count < 0;
}

bool param_is_part(const Param *p)
{
    for (int i = FIRST_PART_TYPE; i < VALUE_TYPES; i++)
        if (param_admits(p, value_types[i])) return true;
    return false;
}

static bool param_has_word(const Param *p, const char *name)
{
    for (int i = 0; i < p->type.count; i++)
        if (p->type.at[i].name == name && is_word_type(&p->type.at[i])) return true;
    return false;
}

static const char *type_text(const Param *p)
{
    Text t = { 0 };
    for (int i = 0; i < p->type.count; i++) {
        if (i) text_add(&t, " | ");
        text_add(&t, p->type.at[i].name);
        if (p->type.at[i].subs.count >= 0) text_add(&t, "[..]");
    }
    return text_string(&t);
}

static void help_type(const Param *p, const char *given)
{
    LIST(const char *) words = { 0 };
    for (int i = 0; i < p->type.count; i++) PUSH(words, p->type.at[i].name);
    const char *near = nearest(given, words.at, words.count);
    if (near) help("did you mean %s?", near);
}

/* An unknown name where a word is expected: reported. */
static bool is_misspelt_word(Scope *s, const Param *p, const Expr *e)
{
    bool words = false, found;
    for (int i = 0; i < p->type.count; i++) words = words || is_word_type(&p->type.at[i]);
    if (!words) return false;
    name_lookup(s, e->name, &found);
    if (found) return false;
    scope_error(s, e->at, "%s is not defined; %s is %s", e->name, p->name, type_text(p));
    help_type(p, e->name);
    return true;
}

Value argument_value(Scope *s, const Param *p, const Expr *e)
{
    if (e->kind == EXPR_NAME && param_has_word(p, e->name) && !scope_find(s, e->name))
        return value_text_of(VALUE_WORD, e->name);
    if (param_is_part(p)) return part_express(s, e);
    if (e->kind == EXPR_NAME && is_misspelt_word(s, p, e)) return value_poison();
    bool of_numbers = !p->type.count || p->has_axes || param_admits(p, "float");
    return of_numbers ? express(s, e) : express_outside(s, e); /* an index's name is the length of its axis */
}

NamedValue *named_find(const NamedValues *args, const char *name)
{
    for (int i = 0; i < args->count; i++)
        if (args->at[i].name == name) return &args->at[i];
    return NULL;
}

void named_set(NamedValues *args, NamedValue v)
{
    NamedValue *old = named_find(args, v.name);
    if (old)
        *old = v;
    else
        PUSH(*args, v);
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */
/* An error in what was given for p: shown at the call. */
static void argument_error(Scope *s, const Param *p, Place at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void argument_error(Scope *s, const Param *p, Place at, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *text = vformat(fmt, args);
    va_end(args);
    const char *name = s->definition->name ? s->definition->name : def_kind_name[s->definition->kind];
    scope_error(s->caller ? s->caller : s, at.source ? at : s->call_at, "%s: %s", name, text);
    note_at(p->at, "the parameter %s", p->name);
}

/* ---- types ------------------------------------------------------------------------------------------------------- */
static bool is_int_list(Value v, int count)
{
    if (v.kind != VALUE_LIST || (count >= 0 && v.list->count != count)) return false;
    for (int i = 0; i < v.list->count; i++)
        if (!value_is_int(v.list->at[i])) return false;
    return true;
}

static Value repeated(Value v, int count)
{
    Value *at = NEW_ARRAY(Value, count);
    for (int i = 0; i < count; i++) at[i] = v;
    return value_list(count, at);
}

static bool part_fits(Value v, const char *type)
{
    if (v.kind != VALUE_PART) return false;
    if (!strcmp(type, "layer")) return !v.part->definition || v.part->definition->kind == KIND_DEF;
    return v.part->definition && !strcmp(def_kind_name[v.part->definition->kind], type);
}

static bool tensor_fits(Scope *s, Value *v, const char *type)
{
    *v = value_to_tensor(s, *v);
    if (!value_is_run_time(*v) && v->kind != VALUE_NUMBER) return false;
    if (strcmp(type, "int")) return true;
    Type t = v->kind == VALUE_NUMBER ? v->type : v->kind == VALUE_NODE ? v->node->type : v->whole->node->type;
    if (t != TYPE_FLOAT) return true;
    Tensor *leaf = value_leaf(*v); /* floats that hold ints: lists, data that another loss reads as floats */
    bool is_data = leaf && (leaf->role == ROLE_CONST || leaf->data);
    for (int i = 0; i < s->e->model->targets.count; i++) is_data = is_data || leaf == s->e->model->targets.at[i];
    if (!is_data) return false;
    *v = value_unary(s, OP_TO_INT, *v, s->call_at);
    return true;
}

/* Does v fit one alternative? It may be converted. */
static bool type_fits(Scope *s, const TypeName *t, Value *v)
{
    const char *n = t->name;
    if (t->subs.count >= 0) return tensor_fits(s, v, n);
    if (!strcmp(n, "int")) return value_is_int(*v);
    if (!strcmp(n, "float"))
        return (v->kind == VALUE_NUMBER && v->type != TYPE_BOOL) || v->kind == VALUE_NODE || part_fits(*v, "schedule");
    if (!strcmp(n, "bool")) return v->kind == VALUE_NUMBER && v->type == TYPE_BOOL;
    if (!strcmp(n, "int2")) return is_int_list(*v, 2);
    if (!strcmp(n, "int4")) return is_int_list(*v, 4);
    if (!strcmp(n, "list")) return v->kind == VALUE_LIST;
    if (!strcmp(n, "none")) return v->kind == VALUE_NONE;
    if (is_word_type(t)) return v->kind == VALUE_WORD && v->text == n;
    return part_fits(*v, n);
}

static Value param_check(Scope *s, const Param *p, Value v, Place at)
{
    if (v.kind == VALUE_POISON || !p->type.count) return v;
    if (p->has_axes && v.kind == VALUE_NONE) return v;
    for (int i = 0; i < p->type.count; i++)
        if (type_fits(s, &p->type.at[i], &v)) return v;
    if (value_is_int(v) && param_admits(p, "int2")) return repeated(v, 2);
    if (value_is_int(v) && param_admits(p, "int4")) return repeated(v, 4);
    double number;
    if (v.kind == VALUE_NODE && settings_fold(s->e, v.node, &number)) {
        Value folded = value_number(number, v.node->type);
        for (int i = 0; i < p->type.count; i++)
            if (type_fits(s, &p->type.at[i], &folded)) return folded;
    }
    argument_error(s, p, at, "%s must be %s, this is %s", p->name, type_text(p), value_kind_text(v));
    if (v.kind == VALUE_WORD || v.kind == VALUE_PART) help_type(p, value_text(v));
    return value_poison();
}

/* ---- axes -------------------------------------------------------------------------------------------------------- */
/* The number of the axis in `i @ e`: e may name a parameter that stands behind the tensor. */
static bool axis_number(Scope *s, const NamedValues *args, const Subscript *x, int rank, int *out)
{
    const Expr *e = x->expr;
    Value v = value_poison();
    int k = e->kind == EXPR_NAME ? param_find(s->definition, e->name) : -1;
    const NamedValue *given = k >= 0 ? named_find(args, e->name) : NULL;
    if (given)
        v = given->value;
    else if (k >= 0 && s->definition->params.at[k].fallback)
        v = express(s, s->definition->params.at[k].fallback);
    else
        v = express(s, e);
    if (v.kind == VALUE_POISON) return false;
    int low = -rank, high = rank - 1;
    if (!value_is_int(v) || v.number < low || v.number > high) {
        scope_error(s->caller ? s->caller : s, given ? given->at : s->call_at,
                    "an axis of a tensor of %d axes is an int from %d to %d, got %s", rank, low, high, value_text(v));
        return false;
    }
    *out = v.number < 0 ? (int)v.number + rank : (int)v.number;
    return true;
}

/* How many axes each pack of the header has for a tensor of so many axes. */
static bool pack_lengths(Scope *s, const NamedValues *args, const Param *p, int rank, int *length, bool *reported)
{
    *reported = false;
    int single = 0, packs = 0, first = -1, at = -1, known = 0, open = -1, open_count = 0;
    for (int i = 0; i < p->axes.count; i++) {
        const Subscript *x = &p->axes.at[i];
        length[i] = 1;
        if (x->kind == SUB_AT) at = i;
        if (x->kind != SUB_PACK) {
            single++;
            continue;
        }
        if (first < 0) first = i;
        packs++;
        const Pack *pack = pack_find(s, x->name);
        if (pack)
            known += length[i] = pack->count;
        else {
            open = i;
            open_count++;
        }
    }
    if (rank < single || (!packs && rank != single)) return false;
    if (at >= 0 && packs == 2) {
        int k;
        if (!axis_number(s, args, &p->axes.at[at], rank, &k)) {
            *reported = true;
            return false;
        }
        length[first] = k - (at - first - 1);
        for (int i = first + 1; i < p->axes.count; i++)
            if (p->axes.at[i].kind == SUB_PACK) length[i] = rank - single - length[first];
        return length[first] >= 0 && rank - single - length[first] >= 0;
    }
    if (open_count == 1)
        length[open] = rank - single - known;
    else if (open_count > 1)
        return false;
    else
        return rank == single + known;
    return length[open] >= 0;
}

static const char *axes_text(const Param *p)
{
    Text t = { 0 };
    text_addf(&t, "%s[", p->name);
    for (int i = 0; i < p->axes.count; i++) {
        const Subscript *x = &p->axes.at[i];
        text_addf(&t, "%s%s%s", i ? ", " : "", x->name ? x->name : expr_text(x->expr), x->kind == SUB_PACK ? ".." : "");
    }
    text_add(&t, "]");
    return text_string(&t);
}

static bool axis_bind(Scope *s, const Param *p, const Subscript *x, const char *name, const Index *axis, int place,
                      Place given)
{
    const char *what = format("axis %d of the %s that was given", place + 1, p->name);
    const AxisRange *r = range_find(s, name);
    if (r && (r->extent != axis->extent || r->batch != axis->batch)) {
        argument_error(s, p, given, "%s has the length %s, but axis %d of %s has %s", name,
                       r->batch ? "of the batch" : format("%d", r->extent), place + 1, p->name,
                       axis->batch ? "that of the batch" : format("%d", axis->extent));
        scope_note_range(s, r);
        return false;
    }
    if (!r) range_set(s, name, axis->extent, axis->batch, given.source ? given : x->at, what);
    return true;
}

/* An axis of a header is a name, a name with its range or number, or a pack. */
static bool axes_named(Scope *s, const Param *p)
{
    for (int i = 0; i < p->axes.count; i++) {
        const Subscript *x = &p->axes.at[i];
        bool ok = x->kind == SUB_IN || x->kind == SUB_AT || x->kind == SUB_PACK ||
                  (x->kind == SUB_EXPR && x->expr->kind == EXPR_NAME);
        if (ok) continue;
        scope_error(s, x->at, "an axis in a header is named: n, o in units, i @ axis or n..");
        return false;
    }
    return true;
}

bool header_axes(Scope *s, const NamedValues *args, const Param *p, Value v, Place given)
{
    if (!axes_named(s, p)) return false;
    const Whole *w = v.kind == VALUE_TENSOR ? v.whole : NULL;
    int rank = w ? w->rank : 0, length[MAX_RANK] = { 0 }, axis = 0;
    bool reported = false;
    if (p->axes.count > MAX_RANK || !pack_lengths(s, args, p, rank, length, &reported)) {
        if (reported) return false;
        argument_error(s, p, given, "%s %s, expected %s", p->name,
                       w ? format("has the shape %s", shape_text(rank, w->axis)) : "is a number", axes_text(p));
        return false;
    }
    for (int i = 0; i < p->axes.count; i++) {
        const Subscript *x = &p->axes.at[i];
        if (x->kind == SUB_PACK) {
            Pack *pack = pack_find(s, x->name);
            if (!pack) pack = pack_set(s, x->name, length[i]);
            if (pack->count != length[i]) {
                argument_error(s, p, given, "%s.. has %d axes elsewhere, %d in %s %s", x->name, pack->count, length[i],
                               p->name, shape_text(rank, w->axis));
                return false;
            }
            for (int k = 0; k < pack->count; k++, axis++)
                if (!axis_bind(s, p, x, pack->names[k], w->axis[axis], axis, given)) return false;
        } else {
            const char *name = x->name ? x->name : x->expr->kind == EXPR_NAME ? x->expr->name : NULL;
            if (!axis_bind(s, p, x, name, w->axis[axis], axis, given)) return false;
            axis++;
        }
    }
    return true;
}

/* `o in units` in a header: known before the tensor is looked at, and when there is none. */
static void axes_given(Scope *s, const Param *p)
{
    for (int i = 0; i < p->axes.count; i++) {
        const Subscript *x = &p->axes.at[i];
        int extent;
        if (x->kind == SUB_IN && express_int(s, x->expr, format("the range of %s", x->name), 1, 1 << 30, &extent))
            range_set(s, x->name, extent, false, x->at, "given by `in`");
    }
}

/* An init's tensor parameter names the axes of what it is to fill. */
static void axes_fill(Scope *s, const NamedValues *args, const Param *p)
{
    const Left *fill = s->fill;
    if (!fill) return;
    Whole *w = NEW(Whole);
    w->rank = fill->rank;
    for (int k = 0; k < fill->rank; k++) w->axis[k] = index_new("i", fill->extent[k], false);
    w->node = node_float(0);
    header_axes(s, args, p, (Value){ .kind = fill->rank ? VALUE_TENSOR : VALUE_NONE, .whole = w }, s->call_at);
}

/* ---- the header -------------------------------------------------------------------------------------------------- */
static Value param_value(Scope *s, const NamedValues *args, int k, Place *at, Tensor **holder)
{
    const Param *p = &s->definition->params.at[k];
    const NamedValue *given = named_find(args, p->name);
    if (given) {
        *at = given->at;
        *holder = given->holder;
        return given->value;
    }
    if (p->fallback) return argument_value(s, p, p->fallback);
    if (s->definition->kind == KIND_INIT && is_fan(p->name)) {
        Value fan = !strcmp(p->name, "fan_in") ? s->fan_in : s->fan_out;
        if (fan.kind != VALUE_NONE) return fan;
    }
    argument_error(s, p, s->call_at, "%s is missing", p->name);
    return value_poison();
}

/* A list of an example becomes an input, so that gradients by it can be tested; its numbers stay with it. */
static Value list_input(Scope *s, Value v)
{
    const Tensor *c = value_leaf(value_to_tensor(s, v));
    if (!c) return v;
    if (!s->e->model->batch) s->e->model->batch = c->extent[0];
    Tensor *t = input_new(s->e, "list", c->rank, c->extent, c->type, s->call_at);
    t->data = c->data;
    return value_tensor(t);
}

static void param_bind(Scope *s, const NamedValues *args, int k)
{
    const Definition *d = s->definition;
    const Param *p = &d->params.at[k];
    if (d->kind == KIND_INIT && p->has_axes) { /* what is to be filled has no values yet */
        axes_fill(s, args, p);
        return;
    }
    Place at = { 0 };
    Tensor *holder = NULL;
    Value v = param_value(s, args, k, &at, &holder);
    v = param_check(s, p, v, at);
    bool of_example = s->caller && s->caller->example && param_is_tensor(d, k); /* relu([-1, 0, 2]) */
    if (p->has_axes || of_example)
        v = v.kind == VALUE_LIST && s->e->lists_are_inputs ? list_input(s, v) : value_to_tensor(s, v);
    if (p->has_axes) axes_given(s, p);
    if (d->kind == KIND_OPTIMIZER || d->kind == KIND_SCHEDULE) v = setting_value(s, p, v);
    if (value_is_run_time(v)) v = name_it(s, full_name(s, p->name), v);
    if (p->has_axes && v.kind != VALUE_NONE && v.kind != VALUE_POISON) {
        if (v.kind != VALUE_TENSOR && v.kind != VALUE_NODE && v.kind != VALUE_NUMBER)
            argument_error(s, p, at, "%s must be a tensor, this is %s", p->name, value_kind_text(v));
        if (!header_axes(s, args, p, v, at)) v = value_poison();
    }
    scope_set(s, p->name, v, p->at)->holder = holder;
    if (k == 0) s->last = v;
}

void bind_header(Scope *s, const NamedValues *args)
{
    const Definition *d = s->definition;
    for (int k = 0; k < d->params.count; k++)
        for (int i = 0; i < d->params.at[k].type.count; i++)
            if (is_word_type(&d->params.at[k].type.at[i])) PUSH(s->words, d->params.at[k].type.at[i].name);
    const NamedValue *fan_in = named_find(args, intern("fan_in")), *fan_out = named_find(args, intern("fan_out"));
    if (fan_in) s->fan_in = fan_in->value;
    if (fan_out) s->fan_out = fan_out->value;
    for (int k = 0; k < d->params.count; k++) param_bind(s, args, k);
}
