/* scope.c: the names of a function that is being made, its pointers, and where an element lies. */
#include "loop/scope.h"
#include <string.h>

/* ---- names ---- */
static void tensor_name(Scope *s, const Tensor *t)
{
    const char *name = c_name(s->plan, plan_home(s->plan, t));
    for (int i = 0; i < s->tensors.count; i++)
        if (s->tensors.at[i] == name) return;
    PUSH(s->tensors, name);
}

static void read_name(const Node *e, void *data)
{
    if (e->op == OP_READ) tensor_name(data, e->tensor);
}

void scope_tensors(Scope *s)
{
    for (int i = 0; i < s->kernel->equations.count; i++) {
        tensor_name(s, s->kernel->equations.at[i]->out);
        equation_visit(s->kernel->equations.at[i], read_name, s);
    }
}

void scope_name_taken(Scope *s, const char *name) { PUSH(s->names, intern(name)); }

/* A tensor's own name, the pointer that c_name() gives, may be that of its value here, if it needs no pointer; an index of
 * the same spelling may not. */
const char *scope_name(Scope *s, const char *base)
{
    const char *name = intern(base);
    for (int k = 2;; k++) {
        bool used = false;
        for (int i = 0; i < s->tensors.count && !used; i++)
            used = s->tensors.at[i] != base && intern(s->tensors.at[i]) == name;
        for (int i = 0; i < s->names.count && !used; i++) used = s->names.at[i] == name;
        for (int i = 0; i < s->pointers.count && !used; i++) used = intern(c_name(s->plan, s->pointers.at[i].home)) == name;
        if (!used) break;
        name = intern(format("%s%d", base, k));
    }
    PUSH(s->names, name);
    return name;
}

void scope_bind(Scope *s, const Index *i, const CExpr *at)
{
    for (int k = 0; k < s->bound.count; k++)
        if (s->bound.at[k].index == i) { s->bound.at[k].at = at; return; }
    PUSH(s->bound, ((Bound){ i, at }));
}

const CExpr *scope_bound(const Scope *s, const Index *i)
{
    for (int k = 0; k < s->bound.count; k++)
        if (s->bound.at[k].index == i) return s->bound.at[k].at;
    return NULL;
}

const char *scope_index(Scope *s, const Index *i)
{
    const char *name = scope_name(s, index_spelling(i));
    scope_bind(s, i, cexpr_name(C_INT, name));
    return name;
}

const CExpr *index_end(const Index *i) { return i->batch ? cexpr_name(C_INT, "run->n") : cexpr_int(i->extent); }
CType float_type(const Scope *s) { return s->wide ? C_WIDE : C_REAL; }

const char *type_name(CType type)
{
    static const char *const names[] = {
        [C_BOOL] = "int", [C_INT] = "int", [C_WORD] = "uint32_t", [C_REAL] = "real", [C_WIDE] = "double",
        [C_VEC] = "vec", [C_MASK] = "mask", [C_INTS] = "ints", [C_INTS_MASK] = "ints" };
    return names[type];
}

const CExpr *scope_let(Scope *s, const char *base, const CExpr *value)
{
    if (value->kind == X_NAME || value->kind == X_NUMBER || s->guarded) return value;
    const char *name = scope_name(s, base);
    stmt_let(s->body, format("const %s", type_name(value->type)), name, value);
    return cexpr_name(value->type, name);
}

/* ---- pointers ---- */
const char *scope_pointer(Scope *s, const Tensor *t, bool written)
{
    Tensor *home = plan_home(s->plan, t);
    int k = 0;
    while (k < s->pointers.count && s->pointers.at[k].home != home) k++;
    if (k == s->pointers.count) PUSH(s->pointers, ((Pointer){ home, false }));
    s->pointers.at[k].written |= written;
    return c_name(s->plan, home);
}

CType element_type_of(const Scope *s, const Tensor *t)
{
    if (t->type == TYPE_BOOL) return C_BOOL;
    if (t->type == TYPE_INT) return C_INT;
    const Storage *at = plan_storage(s->plan, plan_home(s->plan, t));
    return at->element == 8 && !s->plan->options->wide_real ? C_WIDE : C_REAL;
}

/* Tensors of several types share memory, so it is accessed through types that may alias: see vec.h. */
static const char *memory_type(CType type)
{
    return type == C_BOOL ? "uint8_t" : type == C_INT ? "loose_int" : type == C_WIDE ? "loose_double" : "real";
}

static const char *pointer_value(Scope *s, const Tensor *t)
{
    const Storage *at = plan_storage(s->plan, t);
    CType type = element_type_of(s, t);
    if (at->place == PLACE_CALLER) return format("run->%s", c_name(s->plan, t));
    int64_t reals = at->offset / (s->plan->options->wide_real ? 8 : 4);
    if (type == C_REAL) return reals ? format("run->memory + %lld", (long long)reals) : "run->memory";
    const char *place = reals ? format("(run->memory + %lld)", (long long)reals) : "run->memory";
    return format("(%s *)%s", memory_type(type), place);
}

Declarations scope_declarations(Scope *s)
{
    Declarations d = {0};
    for (int i = 0; i < s->pointers.count; i++) {
        const Pointer *p = &s->pointers.at[i];
        PlaceKind place = plan_storage(s->plan, p->home)->place;
        if (place == PLACE_TEXT || place == PLACE_LOCAL) continue;
        PUSH(d.list, ((Declaration){ format("%s%s *const", p->written ? "" : "const ", memory_type(element_type_of(s, p->home))),
                                     c_name(s->plan, p->home), pointer_value(s, p->home) }));
    }
    for (int i = 0; i < s->sites.count; i++)
        PUSH(d.list, ((Declaration){ "const uint32_t", format("key%d", s->sites.at[i]),
                                     format("dln_key(run->seed, run->iteration, %d)", s->sites.at[i]) }));
    return d;
}

static const char *declared(const Declaration *d)
{
    return format("%s%s%s", d->type, d->type[strlen(d->type) - 1] == '*' ? "" : " ", d->name);
}

void declare(const Declarations *d, Body *body)
{
    Body rest = *body;
    *body = (Body){0};
    for (int i = 0; i < d->list.count; i++)
        stmt_let(body, d->list.at[i].type, d->list.at[i].name, cexpr_name(C_INT, d->list.at[i].value));
    for (int i = 0; i < rest.list.count; i++) PUSH(body->list, rest.list.at[i]);
}

const char *declared_parameters(const Declarations *d)
{
    Text t = {0};
    for (int i = 0; i < d->list.count; i++) text_addf(&t, ", %s", declared(&d->list.at[i]));
    return text_string(&t);
}

const char *declared_names(const Declarations *d)
{
    Text t = {0};
    for (int i = 0; i < d->list.count; i++) text_addf(&t, ", %s", d->list.at[i].name);
    return text_string(&t);
}

/* ---- places ---- */
/* A subscript that reads a tensor may be anything: it is held within its axis. */
static const CExpr *held_subscript(Scope *s, const Sum *a, const Tensor *t, int axis)
{
    s->use->contract = true;
    const CExpr *end = axis == 0 && t->batch ? cexpr_name(C_INT, "run->n") : cexpr_int(t->extent[axis]);
    return cexpr_call2(C_INT, "held", scope_sum(s, a), end);
}

/* j / 32 * (all rows of a panel) + j % 32 */
static const CExpr *panel_offset(Scope *s, const Storage *at, const CExpr *j)
{
    const Tensor *t = at->tensor;
    int64_t rows = tensor_size(t) / t->extent[t->rank - 1];
    (void)s;
    if (j->kind == X_NUMBER)
        return cexpr_int((int64_t)j->number / at->panel * rows * at->panel + (int64_t)j->number % at->panel);
    const CExpr *panel = cexpr_infix(C_INT, "/", j, cexpr_int(at->panel));
    return cexpr_add(cexpr_scale(panel, rows * at->panel), cexpr_infix(C_INT, "%", j, cexpr_int(at->panel)));
}

/* In a frame the first axis is that of the slots. */
static const Sum *subscript(const Scope *s, const Storage *at, const Sum *const *subs, int axis)
{
    return axis == 0 && at->sequence ? sum_index(s->slot) : subs[axis];
}

/* a + 3 -> a and 3 */
static const CExpr *without_constant(const CExpr *e, int64_t *constant)
{
    *constant = 0;
    if (e->kind != X_INFIX || e->arg[1]->kind != X_NUMBER || (strcmp(e->name, "+") && strcmp(e->name, "-"))) return e;
    *constant = e->name[0] == '-' ? -(int64_t)e->arg[1]->number : (int64_t)e->arg[1]->number;
    return e->arg[0];
}

static Repeated *repeated_of(Scope *s, const char *text)
{
    for (int i = 0; i < s->repeated.count; i++)
        if (s->repeated.at[i].text == text) return &s->repeated.at[i];
    return NULL;
}

const CExpr *scope_named(Scope *s, const CExpr *offset)
{
    int64_t constant;
    const CExpr *base = without_constant(offset, &constant);
    if (!s->repeated.count || base->kind != X_INFIX || base->type != C_INT) return offset;
    Repeated *r = repeated_of(s, intern(cexpr_text(base)));
    if (!r || r->uses < 2) return offset;
    if (r->in != s->body) {
        if (s->guarded) return offset;
        r->name = scope_let(s, "at", base)->name;
        r->in = s->body;
    }
    return cexpr_add(cexpr_name(C_INT, r->name), cexpr_int(constant));
}

static const CExpr *plain_offset(Scope *s, const Tensor *t, const Sum *const *subs);

static void count_offset(Scope *s, const Tensor *t, const Sum *const *subs)
{
    PlaceKind place = plan_storage(s->plan, plan_home(s->plan, t))->place;
    if (place == PLACE_RUN || t->rank == 0) return;
    for (int a = 0; a < t->rank; a++) {
        if (!sum_is_affine(subs[a])) return;
        for (int k = 0; k < subs[a]->count; k++)
            if (!scope_bound(s, subs[a]->term[k].index)) return;             /* reduced: its loop comes later */
    }
    int64_t constant;
    const CExpr *base = without_constant(plain_offset(s, t, subs), &constant);
    if (base->kind != X_INFIX) return;
    const char *text = intern(cexpr_text(base));
    if (strlen(text) < 16) return;
    Repeated *r = repeated_of(s, text);
    if (r) r->uses++;
    else PUSH(s->repeated, ((Repeated){ .text = text, .uses = 1 }));
}

static void count_read(const Node *e, void *data)
{
    if (e->op == OP_READ) count_offset(data, e->tensor, e->sum);
}

void scope_repeated(Scope *s, int first, int count)
{
    const Index *lane = s->lane;
    s->lane = NULL;
    s->repeated.count = 0;
    for (int i = first; i < first + count; i++) {
        const Equation *e = s->kernel->equations.at[i];
        node_visit(e->value, count_read, s);
        if (plan_storage(s->plan, plan_home(s->plan, e->out))->place != PLACE_LOCAL) count_offset(s, e->out, e->left);
    }
    s->lane = lane;
}

const CExpr *scope_offset(Scope *s, const Tensor *t, const Sum *const *subs)
{
    return scope_named(s, plain_offset(s, t, subs));
}

static const CExpr *plain_offset(Scope *s, const Tensor *t, const Sum *const *subs)
{
    const Storage *at = plan_storage(s->plan, plan_home(s->plan, t));
    const Sum *plain = sum_constant(0);
    const CExpr *gathered = cexpr_int(0);
    for (int a = 0; a < t->rank; a++) {
        if (at->panel && a == t->rank - 1) {
            gathered = cexpr_add(gathered, panel_offset(s, at, scope_sum(s, subs[a])));
            continue;
        }
        const Sum *sub = subscript(s, at, subs, a);
        if (sum_is_gather(sub))
            gathered = cexpr_add(gathered, cexpr_scale(held_subscript(s, sub, t, a), at->stride[a]));
        else
            plain = sum_add(plain, sum_scale(sub, at->stride[a]));
    }
    const CExpr *rest = scope_sum(s, plain);
    return cexpr_add(gathered, rest);
}

const Sum *scope_place(const Scope *s, const Tensor *t, const Sum *const *subs)
{
    const Storage *at = plan_storage(s->plan, plan_home(s->plan, t));
    const Sum *plain = sum_constant(0);
    for (int a = 0; a < t->rank; a++)
        if (!sum_is_gather(subs[a])) plain = sum_add(plain, sum_scale(subscript(s, at, subs, a), at->stride[a]));
    return plain;
}

/* ---- vectors ---- */
CType lanes_type(const Tensor *t) { return t->type == TYPE_FLOAT ? C_VEC : t->type == TYPE_INT ? C_INTS : C_MASK; }

void scope_store_lanes(Scope *s, Tensor *t, const Sum *const *subs, const CExpr *value, const CExpr *left)
{
    static const char *const whole[] = { "store", "store_ints", "store_bytes" };
    static const char *const part[] = { "store_part", "store_ints_part", "store_bytes_part" };
    const Index *lane = s->lane;
    s->lane = NULL;                              /* the place is that of lane 0 */
    const CExpr *offset = scope_offset(s, t, subs);
    s->lane = lane;
    value = cexpr_to(s, value, lanes_type(t));
    if (t->type == TYPE_BOOL) value = cexpr_call1(C_MASK, "to_bytes", value);
    Text text = {0};
    text_addf(&text, "%s(", left ? part[t->type] : whole[t->type]);
    cexpr_print(cexpr_place(scope_pointer(s, t, true), offset), &text);
    text_add(&text, ", ");
    cexpr_print(value, &text);
    if (left) {
        text_add(&text, ", ");
        cexpr_print(left, &text);
    }
    text_add(&text, ")");
    stmt_call(s->body, text_string(&text));
}

const CExpr *scope_tested(Scope *s, const Node *test, const CExpr *v)
{
    if (!test) return v;
    const CExpr *zero = type_is_vector(v->type) ? cexpr_to(s, cexpr_number(v->type == C_VEC ? C_REAL : C_INT, 0), v->type)
                                                : cexpr_number(v->type, 0);
    return cexpr_choice(scope_test(s, test), v, zero);
}

void scope_hold(Scope *s, const Tensor *t, const CExpr *value, bool everywhere)
{
    for (int i = 0; i < s->held.count; i++)
        if (s->held.at[i].tensor == t) { s->held.at[i] = (Held){ t, value, everywhere }; return; }
    PUSH(s->held, ((Held){ t, value, everywhere }));
}

const CExpr *scope_element(Scope *s, Tensor *t, const Sum *const *subs)
{
    const CExpr *offset = scope_offset(s, t, subs);
    return cexpr_at(element_type_of(s, t), scope_pointer(s, t, true), offset);
}

const CExpr *scope_stored(Scope *s, const Tensor *t, const CExpr *value)
{
    CType type = element_type_of(s, t);
    value = cexpr_to(s, value, type);
    return type == C_BOOL && value->kind != X_NUMBER ? cexpr_prefix(C_BOOL, "(uint8_t)", value) : value;
}
