/* verify.c: the invariants of a tensor program, checked between passes. A violation is a bug of dlnc.
 *
 * Form       every index is in the equation's lists, once; left sums are affine and inside; the equations of a tensor
 *            cover each of its places once; types meet; tests are over the equation's own indices.
 * Order      a tensor is read after its equations, or in their loop at an earlier step; loops stand together.
 * Batch      the batch index subscripts the first axis of batch tensors, alone and with factor 1, and no other axis; it
 *            stands in no floor, mod or test of a range. (In a comparison or as a number it may stand.)
 * Reads      proved inside by the ranges of indices or by the tests round them; a read that is not proved is no bug:
 *            equation_unproved() names it, and the C text holds it within its axis. */
#include "tensor/program.h"
#include "base/text.h"
#include <string.h>

typedef struct Check {
    const Program *program;
    const char *pass;
    const Equation *e;
    int position;                                /* of e */
    LIST(int) last;                              /* by tensor id: 1 + the position of its last equation; 0: none */
} Check;

static _Noreturn void fail(const Check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static _Noreturn void fail(const Check *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *what = vformat(fmt, args);
    va_end(args);
    if (c->e)
        bug("after %s, in %s: %s\n  equation %d: %s", c->pass, c->program->name ? c->program->name : "a program", what,
            c->position, equation_text(c->e));
    bug("after %s, in %s: %s", c->pass, c->program->name ? c->program->name : "a program", what);
}

static int last_of(const Check *c, const Tensor *t) { return t->id < c->last.count ? c->last.at[t->id] : 0; }

static void last_set(Check *c, const Tensor *t, int position)
{
    while (c->last.count <= t->id)
        PUSH(c->last, 0);
    c->last.at[t->id] = position + 1;
}

/* ---- batch ---- */
static bool sum_has_batch(const Sum *a)
{
    for (int i = 0; i < a->count; i++)
        if (a->term[i].index && a->term[i].index->batch)
            return true;
    return false;
}

static void check_subscripts(const Check *c, const Tensor *t, const Sum *const *sub)
{
    for (int a = 0; a < t->rank; a++) {
        const Index *plain = sum_plain(sub[a]);
        if (a == 0 && t->batch) {
            if (!plain || !plain->batch || plain->extent != t->extent[0])
                fail(c, "the batch axis of %s is subscripted by %s", t->name, sum_text(sub[a]));
        } else if (sum_has_batch(sub[a]))
            fail(c, "the batch index subscripts axis %d of %s", a, t->name);
    }
}

/* ---- order ---- */
static int step_axis(const Equation *e)
{
    for (int a = 0; a < e->out->rank; a++)
        if (sum_plain(e->left[a]) == e->step)
            return a;
    return -1;
}

static const Equation *maker_in_loop(const Check *c, const Tensor *t, const Loop *loop)
{
    for (int i = 0; i < c->program->equations.count; i++)
        if (c->program->equations.at[i]->out == t && c->program->equations.at[i]->loop == loop)
            return c->program->equations.at[i];
    return NULL;
}

static void check_order(const Check *c, const Node *read)
{
    const Tensor *t = read->tensor;
    if (t->role != ROLE_TEMP)
        return;
    int last = last_of(c, t);
    if (last == 0)
        fail(c, "%s is read, and no equation makes it", t->name);
    bool before = last - 1 < c->position;
    const Equation *maker = c->e->loop ? maker_in_loop(c, t, c->e->loop) : NULL;
    if (maker && c->e->loop->extent > 1) {
        const Sum *d = sum_sub(read->sum[step_axis(maker)], sum_index(c->e->step));
        bool earlier = sum_is_constant(d) && d->constant * c->e->loop->step < 0;
        before = earlier || (before && sum_is_constant(d) && d->constant == 0);
    }
    if (!before)
        fail(c, "%s is read before it is made", t->name);
}

static void check_node(const Node *e, void *data)
{
    const Check *c = data;
    switch (e->op) {
    case OP_READ:
        if (e->sums != e->tensor->rank || e->type != e->tensor->type)
            fail(c, "a read of %s with another rank or type", e->tensor->name);
        check_subscripts(c, e->tensor, e->sum);
        check_order(c, e);
        break;
    case OP_FLOOR_DIV: case OP_MOD: case OP_EXACT: case OP_IN:
        if (sum_has_batch(e->sum[0]))
            fail(c, "the batch index in %s", node_text(e));
        break;
    default: break;
    }
}

/* ---- form ---- */
static bool listed(const Index *const *list, int count, const Index *index)
{
    for (int i = 0; i < count; i++)
        if (list[i] == index)
            return true;
    return false;
}

static void check_indices(const Check *c)
{
    const Equation *e = c->e;
    const Index *all[MAX_RANK * 2];
    int count = 0;
    for (int i = 0; i < e->indices + e->reduced_count; i++) {
        const Index *index = i < e->indices ? e->index[i] : e->reduced[i - e->indices];
        if (listed(all, count, index))
            fail(c, "index %s stands twice", index->name);
        all[count++] = index;
    }
    for (int i = 0; i < e->value->indices; i++)
        if (!listed(all, count, e->value->index[i]))
            fail(c, "index %s comes from nowhere", e->value->index[i]->name);
    for (int i = 0; e->test && i < e->test->indices; i++)
        if (!listed(e->index, e->indices, e->test->index[i]))
            fail(c, "the test uses %s, which is no index of the equation", e->test->index[i]->name);
    for (int a = 0; a < e->out->rank; a++) {
        const Node *left = node_sum(e->left[a]);
        for (int i = 0; i < left->indices; i++)
            if (!listed(e->index, e->indices, left->index[i]))
                fail(c, "the left side uses %s, which is no index of the equation", left->index[i]->name);
    }
    for (int i = 0; i < e->indices && !equation_is_scatter(e); i++) {
        bool used = e->index[i]->extent == 1;
        for (int a = 0; a < e->out->rank; a++)
            used = used || sum_uses(e->left[a], e->index[i]);
        if (!used)
            fail(c, "the left side lacks %s", e->index[i]->name);
    }
}

static void check_types(const Check *c)
{
    const Equation *e = c->e;
    Type in = e->value->type, out = e->out->type;
    if (e->out->role != ROLE_TEMP)
        fail(c, "an equation writes %s, which is kept or given", e->out->name);
    if ((e->reduction == RED_NONE) != (e->reduced_count == 0))
        fail(c, "a reduction without indices, or indices without a reduction");
    bool good = e->reduction == RED_ARGMAX || e->reduction == RED_ARGMIN ? out == TYPE_INT
              : e->reduction == RED_ANY || e->reduction == RED_ALL       ? in == TYPE_BOOL && out == TYPE_BOOL
              : e->reduction == RED_SUM                                  ? in == out && out != TYPE_BOOL
                                                                         : in == out;
    if (!good)
        fail(c, "the value's type %d does not meet the tensor's type %d", in, out);
    if (e->test && e->test->type != TYPE_BOOL)
        fail(c, "the test is no bool");
}

static void check_left(const Check *c)
{
    const Equation *e = c->e;
    check_subscripts(c, e->out, e->left);
    if (equation_is_scatter(e))
        return;
    for (int a = 0; a < e->out->rank; a++) {
        Range r = sum_range(e->left[a]);
        if (!sum_is_affine(e->left[a]) || r.low < 0 || r.high >= e->out->extent[a])
            fail(c, "axis %d of %s, of length %d, is written at %s", a, e->out->name, e->out->extent[a],
                 sum_text(e->left[a]));
    }
}

static void check_loop(const Check *c)
{
    const Equation *e = c->e;
    if (!e->loop != !e->step)
        fail(c, "a loop without its index");
    if (!e->loop)
        return;
    if (!listed(e->index, e->indices, e->step) || step_axis(e) < 0 || e->step->extent != e->loop->extent)
        fail(c, "the loop's index does not subscript an axis alone");
    for (int i = 0; i + 1 < c->position; i++)
        if (c->program->equations.at[i]->loop == e->loop && c->program->equations.at[c->position - 1]->loop != e->loop)
            fail(c, "a loop is torn");
}

/* ---- every place of a tensor is written once ---- */
enum { COVER_LIMIT = 1 << 16 };                  /* tensors up to this size are marked place by place, others counted */
static unsigned char covered[COVER_LIMIT];

static int64_t equation_places(const Equation *e)
{
    int64_t places = 1;
    for (int i = 0; i < e->indices; i++)
        places *= e->index[i]->extent;
    return places;
}

static void mark_places(const Check *c, const Equation *e)
{
    int at[MAX_RANK] = {0};
    for (int64_t k = equation_places(e); k > 0; k--) {
        int64_t place = 0;
        for (int a = 0; a < e->out->rank; a++) {
            int64_t sub = e->left[a]->constant;
            for (int i = 0; i < e->indices; i++)
                sub += (int64_t)sum_factor(e->left[a], e->index[i]) * at[i];
            place = place * e->out->extent[a] + sub;
        }
        if (covered[place]++)
            fail(c, "a place of %s is written twice", e->out->name);
        for (int i = e->indices - 1; i >= 0 && ++at[i] == e->index[i]->extent; i--)
            at[i] = 0;
    }
}

static void check_cover(Check *c, const Tensor *t)
{
    const Program *p = c->program;
    int64_t places = 0, size = tensor_size(t);
    bool marked = size <= COVER_LIMIT;
    if (marked)
        memset(covered, 0, (size_t)size);
    c->e = NULL;
    for (int i = 0; i < p->equations.count; i++) {
        const Equation *e = p->equations.at[i];
        if (e->out != t)
            continue;
        if (equation_is_scatter(e)) {
            places = size;
            continue;
        }
        places += equation_places(e);
        if (marked && places <= size)
            mark_places(c, e);
    }
    if (places != size)
        fail(c, "%lld places of %s are written, it has %lld", (long long)places, t->name, (long long)size);
}

static void check_ends(Check *c)
{
    const Program *p = c->program;
    c->e = NULL;
    for (int i = 0; i < p->updates.count; i++) {
        const Tensor *state = p->updates.at[i].state, *value = p->updates.at[i].value;
        if (value->role == ROLE_TEMP && last_of(c, value) == 0)
            fail(c, "%s is updated by %s, which no equation makes", state->name, value->name);
        if (state->rank != value->rank || tensor_size(state) != tensor_size(value) || state->type != value->type)
            fail(c, "%s is updated by %s, of another shape or type", state->name, value->name);
    }
    for (int i = 0; i < p->outputs.count; i++)
        if (p->outputs.at[i].value->role == ROLE_TEMP && last_of(c, p->outputs.at[i].value) == 0)
            fail(c, "no equation makes the output %s", p->outputs.at[i].name);
}

void program_verify(const Program *p, const char *after_pass)
{
    Check c = { .program = p, .pass = after_pass };
    for (int i = 0; i < p->equations.count; i++)
        last_set(&c, p->equations.at[i]->out, i);
    for (int i = 0; i < p->equations.count; i++) {
        c.e = p->equations.at[i];
        c.position = i;
        check_indices(&c);
        check_types(&c);
        check_left(&c);
        check_loop(&c);
    }
    for (int i = 0; i < p->equations.count; i++) {
        c.e = p->equations.at[i];
        c.position = i;
        equation_visit(c.e, check_node, &c);
    }
    for (int i = 0; i < p->equations.count; i++)
        if (last_of(&c, p->equations.at[i]->out) == i + 1)
            check_cover(&c, p->equations.at[i]->out);
    check_ends(&c);
}
