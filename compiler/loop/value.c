/* value.c: the expression of a node. A scalar choice is C's ?: and computes the side that is taken only, so a read under
 * a test may be off its axis; lanes are computed on both sides, so node_has_lanes refuses such reads. */
#include "loop/scope.h"
#include <math.h>
#include <string.h>

/* ---- sums ---- */
static bool atom_is_negative(const Sum *a) { return sum_range(a).low < 0; }

static const CExpr *atom_value(Scope *s, const Node *e)
{
    if (e->op != OP_FLOOR_DIV && e->op != OP_MOD && e->op != OP_EXACT) {
        const CExpr *v = scope_value(s, e);
        return cexpr_to(s, v, type_is_vector(v->type) ? C_INTS : C_INT);
    }
    const CExpr *a = scope_sum(s, e->sum[0]), *k = cexpr_int(e->extent);
    if (e->op == OP_EXACT || !atom_is_negative(e->sum[0]))
        return cexpr_infix(a->type, e->op == OP_MOD ? "%" : "/", a, k);
    s->use->contract = true;
    return cexpr_call2(C_INT, e->op == OP_MOD ? "floor_mod" : "floor_div", a, k);
}

static const CExpr *term_value(Scope *s, const Term *t)
{
    if (t->atom) return atom_value(s, t->atom);
    const CExpr *at = scope_bound(s, t->index);
    if (!at) bug("loop: index %s of %s has no value", t->index->name, equation_text(s->equation));
    if (t->index == s->lane) return cexpr_add(cexpr_call(C_INTS, "iota", 0, NULL), at);
    return at;
}

/* Larger factors first, as one writes an offset: n * 784 + i * 28 + j; what is subtracted last. */
const CExpr *scope_sum(Scope *s, const Sum *a)
{
    int order[64], n = 0;
    if (a->count > 64) bug("loop: a sum of %d terms", a->count);
    for (int i = 0; i < a->count; i++) {
        int k = n++;
        for (; k > 0 && a->term[order[k - 1]].factor < a->term[i].factor; k--) order[k] = order[k - 1];
        order[k] = i;
    }
    const CExpr *sum = cexpr_int(0);
    bool constant_first = n && a->term[order[0]].factor < 0 && a->constant;
    if (constant_first) sum = cexpr_int(a->constant);
    for (int k = 0; k < n; k++) {
        const Term *t = &a->term[order[k]];
        const CExpr *e = term_value(s, t);
        if (t->factor < 0 && !cexpr_is_number(sum, 0))
            sum = cexpr_infix(type_is_vector(e->type) ? e->type : sum->type, "-", sum, cexpr_scale(e, -t->factor));
        else
            sum = cexpr_add(sum, cexpr_scale(e, t->factor));
    }
    return constant_first ? sum : cexpr_add(sum, cexpr_int(a->constant));
}

/* ---- conversions ---- */
static CType as_vector(CType t)
{
    return t == C_BOOL ? C_MASK : t == C_INT ? C_INTS : t == C_REAL || t == C_WIDE ? C_VEC : t;
}

static const CExpr *not_zero(const CExpr *e)
{
    CType to = e->type == C_VEC ? C_MASK : e->type == C_INTS ? C_INTS_MASK : C_BOOL;
    return cexpr_infix(to, "!=", e, cexpr_number(type_is_vector(e->type) && e->type == C_VEC ? C_REAL : e->type == C_INTS ? C_INT : e->type, 0));
}

const CExpr *cexpr_to(Scope *s, const CExpr *e, CType to)
{
    CType from = e->type;
    if (from == to) return e;
    if (e->kind == X_NUMBER && !type_is_vector(to)) return cexpr_number(to, to == C_BOOL ? e->number != 0 : e->number);
    if (type_is_vector(to) && !type_is_vector(from)) {           /* one number for all lanes */
        if (from == C_WIDE || to == C_VEC) e = cexpr_to(s, e, C_REAL);
        if (to == C_INTS) return cexpr_call1(C_INTS, "splat_int", cexpr_to(s, e, C_INT));
        if (to == C_VEC) return cexpr_call1(C_VEC, "splat", e);
        s->use->contract = true;
        const CExpr *m = cexpr_call1(C_MASK, "truth", cexpr_to(s, e, C_BOOL));
        return to == C_MASK ? m : cexpr_call1(C_INTS_MASK, "to_ints_mask", m);
    }
    switch (to) {
    case C_BOOL: return not_zero(e);
    case C_INT:
        if (from == C_BOOL || from == C_WORD) return from == C_BOOL ? e : cexpr_prefix(to, "(int)", e);
        if (from == C_WIDE) s->use->contract = true;
        return cexpr_call1(to, from == C_WIDE ? "wide_to_int" : "to_int1", e);
    case C_REAL: return cexpr_prefix(to, "(real)", e);
    case C_WIDE: return cexpr_prefix(to, "(double)", e);
    case C_VEC: return from == C_INTS ? cexpr_call1(to, "to_real", e) : cexpr_call1(to, "mask_to_real", cexpr_to(s, e, C_MASK));
    case C_MASK: return from == C_INTS_MASK ? cexpr_call1(to, "to_mask", e) : cexpr_to(s, not_zero(e), to);
    case C_INTS: return from == C_VEC ? cexpr_call1(to, "to_ints", e) : cexpr_call1(to, "mask_to_ints", cexpr_to(s, e, C_MASK));
    case C_INTS_MASK: return from == C_INTS ? not_zero(e) : cexpr_call1(to, "to_ints_mask", cexpr_to(s, e, C_MASK));
    default: bug("loop: no such conversion");
    }
}

/* ---- reads ---- */
static const CExpr *table_number(const Tensor *t) { return cexpr_number(t->type == TYPE_INT ? C_INT : t->type == TYPE_BOOL ? C_BOOL : C_REAL, t->data[0]); }

static const CExpr *load_lanes(Scope *s, const Tensor *t, const CExpr *offset, int64_t stride)
{
    static const struct { const char *all, *part; CType type; } how[] = {
        [C_BOOL] = { "load_bytes", "load_bytes_part", C_MASK }, [C_INT] = { "load_ints", "load_ints_part", C_INTS },
        [C_REAL] = { "load", "load_part", C_VEC } };
    CType type = element_type_of(s, t);
    const CExpr *at = cexpr_place(scope_pointer(s, t, false), offset), *v;
    PlaceKind place = plan_storage(s->plan, plan_home(s->plan, t))->place;
    if (stride != 1 && s->lanes_left && place != PLACE_MEMORY) /* a row of one's own is not written behind its end */
        return cexpr_call3(C_VEC, "load_apart_part", at, cexpr_int(stride), s->lanes_left);
    if (stride != 1) return cexpr_call2(C_VEC, "load_apart", at, cexpr_int(stride));
    if (s->lanes_left && place != PLACE_MEMORY && place != PLACE_LOCAL) v = cexpr_call2(how[type].type, how[type].part, at, s->lanes_left);
    else v = cexpr_call1(how[type].type, how[type].all, at);
    return type == C_BOOL ? cexpr_call1(C_MASK, "from_bytes", v) : v;
}

/* By how many elements t[subs] moves from lane to lane. */
static int64_t lane_stride(const Scope *s, const Tensor *t, const Sum *const *subs)
{
    const Storage *at = plan_storage(s->plan, plan_home(s->plan, t));
    int64_t stride = 0;
    for (int a = 0; s->lane && a < t->rank; a++) stride += (int64_t)sum_factor(subs[a], s->lane) * at->stride[a];
    return stride;
}

/* scope_offset for lane 0 */
static const CExpr *offset_of_lane0(Scope *s, const Tensor *t, const Sum *const *subs)
{
    const Index *lane = s->lane;
    s->lane = NULL;
    const CExpr *offset = scope_offset(s, t, subs);
    s->lane = lane;
    return offset;
}

static bool at_own_place(const Scope *s, const Node *e)
{
    for (int a = 0; a < e->sums; a++)
        if (s->equation->out->rank != e->sums || e->sum[a] != s->equation->left[a]) return false;
    return true;
}

static const CExpr *read_value(Scope *s, const Node *e)
{
    Tensor *t = e->tensor;
    for (int i = 0; i < s->held.count; i++)
        if (s->held.at[i].tensor == t && s->held.at[i].value && (s->held.at[i].everywhere || at_own_place(s, e)))
            return s->held.at[i].value;
    const Storage *at = plan_storage(s->plan, plan_home(s->plan, t));
    if (at->place == PLACE_RUN) return cexpr_name(C_REAL, format("run->%s", c_name(s->plan, t)));
    if (at->place == PLACE_TEXT && t->rank == 0) return table_number(t);
    int64_t stride = lane_stride(s, t, e->sum);
    const CExpr *offset = offset_of_lane0(s, t, e->sum);
    if (stride) return load_lanes(s, t, offset, stride);
    return cexpr_at(element_type_of(s, t), scope_pointer(s, t, false), offset);
}

/* ---- random numbers ---- */
static const char *site_key(Scope *s, int site)
{
    int k = 0;
    while (k < s->sites.count && s->sites.at[k] != site) k++;
    if (k == s->sites.count) PUSH(s->sites, site);
    s->use->random = true;
    return format("key%d", site);
}

static const CExpr *rand_value(Scope *s, const Node *e)
{
    const CExpr *key = cexpr_name(C_WORD, site_key(s, e->extent));
    const Sum *place = e->sum[0];
    if (s->lane && sum_uses(place, s->lane)) {
        if (sum_factor(place, s->lane) != 1 || sum_uses(sum_sub(place, sum_index(s->lane)), s->lane))
            return cexpr_call1(C_VEC, "uniform_of", cexpr_call2(C_INTS, "random_bits_of", key, cexpr_prefix(C_INTS, "(words)", scope_sum(s, place))));
        const Index *lane = s->lane;
        s->lane = NULL;
        const CExpr *first = cexpr_prefix(C_WORD, "(uint32_t)", scope_named(s, scope_sum(s, place)));
        s->lane = lane;
        return cexpr_call2(C_VEC, "uniform", key, first);
    }
    const CExpr *element = cexpr_prefix(C_WORD, "(uint32_t)", scope_sum(s, place));
    if (!s->wide) return cexpr_call2(C_REAL, "uniform1", key, element);
    return cexpr_call1(C_WIDE, "dln_uniform", cexpr_call2(C_WORD, "dln_bits", key, element));
}

/* ---- truths ---- */
static const CExpr *both(Scope *s, const char *op, const CExpr *a, const CExpr *b)
{
    if (!type_is_vector(a->type) && !type_is_vector(b->type))
        return cexpr_infix(C_BOOL, op[0] == '&' ? "&&" : "||", a, b);
    CType type = a->type == C_INTS_MASK && b->type == C_INTS_MASK ? C_INTS_MASK : C_MASK;
    return cexpr_infix(type, op, cexpr_to(s, a, type), cexpr_to(s, b, type));
}

const CExpr *scope_test(Scope *s, const Node *e)
{
    const CExpr *v = scope_value(s, e);
    if (v->type == C_BOOL || v->type == C_MASK || v->type == C_INTS_MASK) return v;
    return not_zero(v);
}

static const CExpr *in_value(Scope *s, const Node *e)
{
    Range r = sum_range(e->sum[0]);
    const CExpr *a = scope_sum(s, e->sum[0]);
    CType type = type_is_vector(a->type) ? C_INTS_MASK : C_BOOL;
    if (type == C_BOOL && (r.low < 0 || r.high >= e->extent) && sum_is_gather(e->sum[0])) a = scope_let(s, "at", a);
    const CExpr *low = r.low < 0 ? cexpr_infix(type, ">=", a, cexpr_int(0)) : NULL;
    const CExpr *high = r.high >= e->extent ? cexpr_infix(type, "<", a, cexpr_int(e->extent)) : NULL;
    if (low && high) return both(s, "&", low, high);
    return low ? low : high ? high : cexpr_number(C_BOOL, 1);
}

/* Brings two operands to one type: the wider of number kinds, vectors if one is. */
static CType common_type(Scope *s, const CExpr **a, const CExpr **b, Type at_least)
{
    bool vector = type_is_vector((*a)->type) || type_is_vector((*b)->type);
    CType x = as_vector((*a)->type), y = as_vector((*b)->type), type;
    if (at_least == TYPE_FLOAT || x == C_VEC || y == C_VEC) type = vector ? C_VEC : float_type(s);
    else if (at_least == TYPE_INT || x == C_INTS || y == C_INTS) type = vector ? C_INTS : C_INT;
    else type = vector ? C_MASK : C_BOOL;
    /* a scalar beside a vector stays one: C's vector operators take it */
    CType scalar = type == C_VEC ? C_REAL : type == C_INTS ? C_INT : C_BOOL;
    *a = cexpr_to(s, *a, vector && !type_is_vector((*a)->type) && type != C_MASK ? scalar : type);
    *b = cexpr_to(s, *b, vector && !type_is_vector((*b)->type) && type != C_MASK ? scalar : type);
    return type;
}

static const CExpr *compare(Scope *s, const Node *e)
{
    const CExpr *a = scope_value(s, e->arg[0]), *b = scope_value(s, e->arg[1]);
    CType type = common_type(s, &a, &b, TYPE_BOOL);
    CType to = type == C_VEC || type == C_MASK ? C_MASK : type == C_INTS ? C_INTS_MASK : C_BOOL;
    return cexpr_infix(to, op_info[e->op].text, a, b);
}

static const CExpr *choice(Scope *s, const Node *e, const CExpr *test, const CExpr *a, const CExpr *b)
{
    if (!type_is_vector(test->type)) {
        const CExpr *x = a, *y = b;
        CType type = common_type(s, &x, &y, e->type);
        return cexpr_choice(test, cexpr_to(s, x, type), cexpr_to(s, y, type));
    }
    if (e->type == TYPE_BOOL) {
        const CExpr *m = cexpr_to(s, test, C_MASK);
        return both(s, "|", both(s, "&", m, cexpr_to(s, a, C_MASK)),
                    both(s, "&", cexpr_call1(C_MASK, "none", m), cexpr_to(s, b, C_MASK)));
    }
    if (e->type == TYPE_INT)
        return cexpr_call3(C_INTS, "pick_ints", cexpr_to(s, test, C_INTS_MASK), cexpr_to(s, a, C_INTS), cexpr_to(s, b, C_INTS));
    const CExpr *m = cexpr_to(s, test, C_MASK);
    if (cexpr_is_number(b, 0)) return cexpr_call2(C_VEC, "where", m, cexpr_to(s, a, C_VEC));
    return cexpr_call3(C_VEC, "pick", m, cexpr_to(s, a, C_VEC), cexpr_to(s, b, C_VEC));
}

/* ---- functions ---- */
static const char *function_name(Op op, CType type)
{
    static const struct { Op op; const char *vec, *real, *wide; } names[] = {
        { OP_EXP, "dln_exp", "dln_exp1", "wide_exp" }, { OP_LOG, "dln_log", "dln_log1", "wide_log" },
        { OP_LOG1P, "dln_log1p", "dln_log1p1", "wide_log1p" }, { OP_EXPM1, "dln_expm1", "dln_expm11", "wide_expm1" },
        { OP_SQRT, "root", "root1", "wide_sqrt" }, { OP_TANH, "dln_tanh", "dln_tanh1", "wide_tanh" },
        { OP_ERF, "dln_erf", "dln_erf1", "wide_erf" }, { OP_SIN, "dln_sin", "dln_sin1", "wide_sin" },
        { OP_COS, "dln_cos", "dln_cos1", "wide_cos" }, { OP_ABS, "magnitude", "dln_abs1", "wide_abs" },
        { OP_SIGN, "dln_sign", "dln_sign1", "wide_sign" }, { OP_FLOOR, "floors", "dln_floor1", "wide_floor" },
        { OP_PROBIT, "dln_probit", "dln_probit1", "wide_probit" }, { OP_POW, "dln_pow", "dln_pow1", "wide_pow" },
        { OP_MAX, "larger", "max1", "wide_max" }, { OP_MIN, "smaller", "min1", "wide_min" } };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].op == op) return type == C_VEC ? names[i].vec : type == C_WIDE ? names[i].wide : names[i].real;
    bug("loop: no function for %s", op_info[op].name);
}

static const CExpr *power(Scope *s, const Node *e, const CExpr *a, const CExpr *b)
{
    if (b->kind == X_NUMBER && (b->number == 2 || b->number == 3)) {
        a = scope_let(s, b->number == 2 ? "root_of_square" : "root_of_cube", a);
        const CExpr *square = cexpr_infix(a->type, "*", a, a);
        return b->number == 2 ? square : cexpr_infix(a->type, "*", square, a);
    }
    (void)e;
    s->use->math = true;
    if (a->type == C_VEC) b = cexpr_to(s, b, C_VEC);
    return cexpr_call2(a->type, function_name(OP_POW, a->type), a, b);
}

/* max(a, b) is b where b > a, else a: so max(x, 0) of what is no number is no number, and a training that has lost its way
 * does not go on unseen. */
static const CExpr *extreme(Scope *s, const Node *e, const CExpr *a, const CExpr *b, CType type)
{
    if (type == C_INT) {
        s->use->contract = true;
        return cexpr_call2(type, e->op == OP_MAX ? "max_int" : "min_int", a, b);
    }
    if (type == C_INTS) {
        const CExpr *x = cexpr_to(s, a, C_INTS), *y = cexpr_to(s, b, C_INTS);
        return cexpr_call3(C_INTS, "pick_ints", cexpr_infix(C_INTS_MASK, e->op == OP_MAX ? ">" : "<", y, x), y, x);
    }
    if (type == C_VEC && e->op == OP_MAX && cexpr_is_number(b, 0)) {
        a = scope_let(s, "at_least", a);
        return cexpr_call2(C_VEC, "where", cexpr_call1(C_MASK, "none", cexpr_infix(C_MASK, "<=", a, cexpr_int(0))), a);
    }
    if (type == C_WIDE) s->use->math = true;
    if (type == C_REAL) s->use->contract = true;
    a = cexpr_to(s, a, type);
    b = cexpr_to(s, b, type);
    return cexpr_call2(type, function_name(e->op, type), a, b);
}

static const CExpr *one_argument(Scope *s, const Node *e)
{
    const CExpr *a = scope_value(s, e->arg[0]);
    bool vector = type_is_vector(a->type);
    switch (e->op) {
    case OP_STOP: return a;
    case OP_TO_FLOAT: return cexpr_to(s, a, vector ? C_VEC : float_type(s));
    case OP_TO_INT: return cexpr_to(s, a, vector ? C_INTS : C_INT);
    case OP_NOT:
        a = type_is_vector(a->type) ? cexpr_to(s, a, C_MASK) : cexpr_to(s, a, C_BOOL);
        return a->type == C_MASK ? cexpr_call1(C_MASK, "none", a) : cexpr_prefix(C_BOOL, "!", a);
    case OP_NEG:
        a = cexpr_to(s, a, e->type == TYPE_FLOAT ? (vector ? C_VEC : float_type(s)) : vector ? C_INTS : C_INT);
        return cexpr_prefix(a->type, "-", a);
    default: break;
    }
    if (e->type == TYPE_INT && e->op == OP_ABS && !vector) {
        a = scope_let(s, "size", a);
        return cexpr_choice(cexpr_infix(C_BOOL, "<", a, cexpr_int(0)), cexpr_prefix(C_INT, "-", a), a);
    }
    CType type = vector ? C_VEC : float_type(s);
    if (e->op != OP_SQRT) s->use->math = true;
    const CExpr *f = cexpr_call1(type, function_name(e->op, type), cexpr_to(s, a, type));
    return e->type == TYPE_INT ? cexpr_to(s, f, vector ? C_INTS : C_INT) : f;
}

static const CExpr *two_arguments(Scope *s, const Node *e)
{
    const CExpr *a = scope_value(s, e->arg[0]), *b = scope_value(s, e->arg[1]);
    CType type = common_type(s, &a, &b, e->op == OP_DIV || e->op == OP_POW || e->type == TYPE_FLOAT ? TYPE_FLOAT : TYPE_INT);
    if (e->op == OP_POW) return power(s, e, a, b);
    if (e->op == OP_MAX || e->op == OP_MIN) return extreme(s, e, a, b, type);
    return cexpr_infix(type, op_info[e->op].text, a, b);
}

/* ---- nodes ---- */
static const CExpr *count_value(Scope *s, const Node *e)
{
    const CExpr *n = cexpr_name(C_INT, "run->n");
    if (e->number == floor(e->number)) {
        const CExpr *c = cexpr_scale(n, (int64_t)e->number);
        return e->type == TYPE_FLOAT ? cexpr_to(s, c, float_type(s)) : c;
    }
    return cexpr_infix(float_type(s), "*", cexpr_number(float_type(s), e->number), cexpr_to(s, n, float_type(s)));
}

static const CExpr *number_value(const Scope *s, const Node *e)
{
    return cexpr_number(e->type == TYPE_INT ? C_INT : e->type == TYPE_BOOL ? C_BOOL : float_type(s), e->number);
}

/* A test of parts with and without the lane: those without go first, as C's ?:, so that what they guard is not read. */
static bool split_test(const Scope *s, const Node *test, const Node **scalar, const Node **lanes)
{
    const Node *part[32];
    int n = node_conjuncts(test, part, 32);
    *scalar = *lanes = NULL;
    for (int i = 0; i < n; i++) {
        const Node **to = node_uses(part[i], s->lane) ? lanes : scalar;
        *to = node_and(*to, part[i]);
    }
    return *scalar && *lanes;
}

static const CExpr *value_of(Scope *s, const Node *e)
{
    switch (e->op) {
    case OP_NUM: return number_value(s, e);
    case OP_COUNT: return count_value(s, e);
    case OP_INT: return scope_sum(s, e->sum[0]);
    case OP_READ: return read_value(s, e);
    case OP_RAND: return rand_value(s, e);
    case OP_IN: return in_value(s, e);
    case OP_FLOOR_DIV: case OP_MOD: case OP_EXACT: return atom_value(s, e);
    case OP_EQ: case OP_NE: case OP_LT: case OP_GT: case OP_LE: case OP_GE: return compare(s, e);
    default: break;
    }
    if (e->op == OP_SELECT || e->op == OP_AND || e->op == OP_OR) {
        const Node *scalar, *lanes;
        if (e->op == OP_SELECT && s->lane && split_test(s, e->arg[0], &scalar, &lanes))
            return scope_value(s, node_select(scalar, node_select(lanes, e->arg[1], e->arg[2]), e->arg[2]));
        const CExpr *test = scope_test(s, e->arg[0]);
        bool guarded = !type_is_vector(test->type);
        s->guarded += guarded;
        const CExpr *a = e->op == OP_SELECT ? scope_value(s, e->arg[1]) : scope_test(s, e->arg[1]);
        const CExpr *b = e->op == OP_SELECT ? scope_value(s, e->arg[2]) : NULL;
        s->guarded -= guarded;
        return e->op == OP_SELECT ? choice(s, e, test, a, b) : both(s, e->op == OP_AND ? "&" : "|", test, a);
    }
    return op_info[e->op].args == 1 ? one_argument(s, e) : two_arguments(s, e);
}

/* ---- what occurs more than once ---- */
static const char *name_for(Op op)
{
    switch (op) {
    case OP_ADD: return "added";
    case OP_SUB: return "difference";
    case OP_MUL: return "product";
    case OP_DIV: return "quotient";
    case OP_MAX: return "largest";
    case OP_MIN: return "smallest";
    case OP_SELECT: return "chosen";
    case OP_SQRT: return "root_of";
    case OP_RAND: return "drawn";
    case OP_READ: return "read_once";
    default: return "part";
    }
}

static bool is_worth_a_name(const Node *e)
{
    return e->op == OP_RAND || e->op == OP_SELECT || (e->op >= OP_NEG && e->op <= OP_MIN && e->op != OP_NOT) || e->op >= OP_EXP
        || e->op == OP_EXACT || (e->op == OP_READ && e->tensor->rank > 0);
}

static Shared *shared_of(Scope *s, const Node *e)
{
    for (int i = 0; i < s->shared.count; i++)
        if (s->shared.at[i].node == e) return &s->shared.at[i];
    return NULL;
}

/* Counts the places where e stands, each distinct parent once. */
static void count_uses(Scope *s, const Node *e)
{
    if (is_worth_a_name(e)) {
        Shared *known = shared_of(s, e);
        if (known) { known->uses++; return; }
        PUSH(s->shared, ((Shared){ e, 1, NULL }));
    }
    for (int i = 0; i < 3 && e->arg[i]; i++) count_uses(s, e->arg[i]);
}

void scope_equation(Scope *s, const Equation *e)
{
    s->equation = e;
    s->shared.count = 0;
    count_uses(s, e->value);
}

const CExpr *scope_value(Scope *s, const Node *e)
{
    Shared *known = shared_of(s, e);
    if (known && known->value) return known->value;
    const CExpr *v = value_of(s, e);
    if (!known || known->uses < 2 || s->guarded) return v;
    v = scope_let(s, name_for(e->op), v);
    return shared_of(s, e)->value = v;
}

/* ---- lanes ---- */
static bool sum_has_lanes(const Sum *a, const Index *i)
{
    for (int k = 0; k < a->count; k++)
        if (a->term[k].atom && node_uses(a->term[k].atom, i)) return false;
    return true;
}

typedef struct Lanes { const Scope *s; const Index *index; bool fine; } Lanes;

static void lanes_visit(const Node *e, void *data)
{
    Lanes *c = data;
    if (e->op == OP_READ && node_uses(e, c->index)) {
        const Storage *at = plan_storage(c->s->plan, plan_home(c->s->plan, e->tensor));
        int64_t stride = 0;
        for (int a = 0; a < e->sums; a++) {
            if (!sum_has_lanes(e->sum[a], c->index)) c->fine = false;
            stride += (int64_t)sum_factor(e->sum[a], c->index) * at->stride[a];
        }
        CType type = element_type_of(c->s, e->tensor);
        if (stride != 1 && type != C_REAL) c->fine = false;
        if (type == C_WIDE || at->place == PLACE_RUN) c->fine = false;
    }
    if ((e->op == OP_FLOOR_DIV || e->op == OP_MOD || e->op == OP_EXACT) && node_uses(e, c->index)) c->fine = false;
    if (e->op == OP_FLOOR && e->type == TYPE_INT) c->fine = false;
}

bool node_has_lanes(const Scope *s, const Node *e, const Index *i)
{
    Lanes c = { s, i, !s->wide };
    node_visit(e, lanes_visit, &c);
    return c.fine;
}
