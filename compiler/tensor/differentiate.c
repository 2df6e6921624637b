/* differentiate.c: appends the backward equations of a program (section 7 of the language reference; one rule for each
 * construct, none for a layer).
 *
 * Backwards over the equations. When the last equation that reads a tensor t has been passed, the gradient dt is made
 * (finish): the sum of what was handed to it. Then each equation of t hands on to what it reads (backward_of): down the
 * right side to every read (partials.c), and each contribution c(I) at t[f(I)] is solved for the place J of dt
 * (gather.c). What is solved completely is an expression over J; what leaves indices open is a sum, an equation of its
 * own; a gather that leaves indices open is a scatter.
 *
 * A scan goes backwards as a loop of the other direction: first all contributions of its equations, then the gradients
 * in reverse order inside the loop. What goes to tensors outside (the weights) are ordinary equations after it.
 *
 * requires: a verified program. keeps: every equation that was there (store_results splits some). breaks: nothing. */
#include "tensor/differentiate.h"
#include "base/text.h"
#include <string.h>

/* One summand of a gradient: value over the gradient's axes, summed over `left`; as a scatter: written at `sub`. */
typedef struct Part {
    const Node *value;
    IndexList left;
    bool scatter;
    const Sum *sub[MAX_RANK];
    Place at;
    const char *layer;
} Part;

typedef struct Adjoint {                         /* of one tensor */
    Tensor *of, *gradient;                       /* gradient NULL: not made */
    LIST(Part) parts;
    const Index **axis;                          /* J: the indices of the gradient; NULL: not asked for yet */
} Adjoint;

typedef struct Backward {
    Program *p;
    Needs *needs;
    int forward;                                 /* equations of the forward program */
    LIST(Adjoint *) adjoint;                     /* by tensor id */
} Backward;

static Adjoint *adjoint_of(Backward *b, Tensor *t)
{
    while (b->adjoint.count <= t->id)
        PUSH(b->adjoint, NULL);
    if (!b->adjoint.at[t->id]) {
        b->adjoint.at[t->id] = NEW(Adjoint);
        b->adjoint.at[t->id]->of = t;
    }
    return b->adjoint.at[t->id];
}

static bool has_parts(Backward *b, Tensor *t) { return adjoint_of(b, t)->parts.count > 0; }

/* J, named as on the left side of the equation that makes t. */
static const Index **axes_of(Backward *b, Tensor *t)
{
    static const char *const letters[MAX_RANK] = { "i", "j", "k", "l", "m", "o", "p", "q", "r", "s", "t", "u" };
    Adjoint *a = adjoint_of(b, t);
    if (a->axis)
        return a->axis;
    const Equation *maker = NULL;
    for (int i = 0; i < b->forward && !maker; i++)
        if (b->p->equations.at[i]->out == t)
            maker = b->p->equations.at[i];
    a->axis = NEW_ARRAY(const Index *, t->rank);
    for (int k = 0; k < t->rank; k++) {
        const Index *plain = maker ? sum_plain(maker->left[k]) : NULL;
        const char *name = plain ? plain->name : k == 0 && t->batch ? "n" : letters[k];
        a->axis[k] = index_new(name, t->extent[k], k == 0 && t->batch);
    }
    return a->axis;
}

static Tensor *tensor_like(const char *name, const Tensor *t)
{
    Tensor *made = tensor_new(name, t->rank, t->extent, t->batch, TYPE_FLOAT, ROLE_TEMP);
    made->at = t->at;
    return made;
}

static void open_gradient(Adjoint *a)
{
    if (!a->gradient)
        a->gradient = tensor_like(format("d%s", a->of->name), a->of);
}

static Equation *append(Backward *b, const Equation *e)
{
    Equation *made = equation_fresh(e);
    PUSH(b->p->equations, made);
    return made;
}

/* ---- from an equation to the tensors that it reads ---- */
static Part *part_add(Backward *b, Tensor *t, const Node *value, const Equation *from)
{
    Adjoint *a = adjoint_of(b, t);
    PUSH(a->parts, ((Part){ .value = value, .layer = "" }));
    Part *part = &a->parts.at[a->parts.count - 1];
    if (from) {
        part->at = from->at;
        part->layer = from->layer;
    }
    return part;
}

/* What c comes to where the solution holds. A test that reads a tensor (g[I] == J) stands behind the tests of the read
 * itself: it may read nothing where these are false. */
static const Node *solved_value(const Contribution *c, const Solution *s)
{
    const Node *sum = NULL;
    for (int i = 0; i < c->part.count; i++) {
        const Node *test = c->part.at[i].test ? node_substitute(c->part.at[i].test, &s->value) : NULL;
        const Node *value = node_substitute(c->part.at[i].value, &s->value);
        value = node_guard(node_and(test, s->gather_test), value);
        sum = sum ? node2(OP_ADD, sum, value) : value;
    }
    return node_guard(s->test, sum);
}

/* A gather with indices left: the plain axes are solved, the others written where the gather says. */
static void contribute_scatter(Backward *b, const Contribution *c, const IndexList *indices, const Equation *from)
{
    const Node *read = c->read;
    Tensor *t = read->tensor;
    const Index **axis = axes_of(b, t), *place[MAX_RANK];
    const Sum *plain[MAX_RANK];
    int plains = 0;
    for (int k = 0; k < t->rank; k++)
        if (!sum_is_gather(read->sum[k])) {
            plain[plains] = read->sum[k];
            place[plains++] = axis[k];
        }
    Solution s = solve(plain, place, plains, indices);
    const Node *value = solved_value(c, &s);
    if (node_is_number(value, 0))
        return;
    Part *part = part_add(b, t, value, from);
    part->left = s.left;
    for (int k = 0; k < t->rank; k++) {
        part->sub[k] = sum_is_gather(read->sum[k]) ? sum_substitute(read->sum[k], &s.value) : sum_index(axis[k]);
        part->scatter = part->scatter || sum_is_gather(part->sub[k]);
    }
    if (part->scatter)
        return;
    for (int k = 0; k < t->rank; k++)            /* solving made known places of the gathers */
        part->value = node_guard(node2(OP_EQ, node_sum(part->sub[k]), node_sum(sum_index(axis[k]))), part->value);
}

/* c with every index of extent 1 at its only place, 0: a gather by such an index alone is a known place. */
static Contribution without_units(const Contribution *c, const IndexList *indices, IndexList *left)
{
    Contribution out = { .read = c->read };
    Substitution units = {0};
    for (int i = 0; i < indices->count; i++)
        if (indices->at[i]->extent == 1 && !indices->at[i]->batch)
            substitution_set(&units, indices->at[i], sum_constant(0));
        else
            PUSH(*left, indices->at[i]);
    out.read = node_substitute(c->read, &units);
    for (int i = 0; i < c->part.count; i++) {
        const Node *test = c->part.at[i].test;
        PUSH(out.part, ((Guarded){ test ? node_substitute(test, &units) : NULL, node_substitute(c->part.at[i].value, &units) }));
    }
    return out;
}

/* c(I) belongs to the tensor that is read, at the subscripts of the read, for every place of the indices I. */
static void contribute(Backward *b, const Contribution *given, const IndexList *all, const Equation *from)
{
    IndexList left = {0}, *indices = &left;
    Contribution without = without_units(given, all, &left), *c = &without;
    const Node *read = c->read;
    Tensor *t = read->tensor;
    bool gather = false;
    for (int k = 0; k < t->rank; k++)
        gather = gather || sum_is_gather(read->sum[k]);
    Solution s = solve(read->sum, axes_of(b, t), t->rank, indices);
    if (gather && s.left.count) {
        contribute_scatter(b, c, indices, from);
        return;
    }
    const Node *value = solved_value(c, &s);
    if (!node_is_number(value, 0))
        part_add(b, t, value, from)->left = s.left;
}

/* max[K] e: the first place of the maximum, as an equation over the indices of e; gives the test for being there. */
static const Node *first_place_test(Backward *b, const Equation *e)
{
    IndexList over = {0};
    for (int batch = 1; batch >= 0; batch--)
        for (int i = 0; i < e->indices; i++)
            if (e->index[i]->batch == batch)
                PUSH(over, e->index[i]);
    Tensor *first = tensor_over(format("%s.first", e->out->name), &over, TYPE_INT);
    first->at = e->at;
    Equation *q = equation_map(first, over.at, e->value);
    q->reduction = e->reduction == RED_MAX ? RED_ARGMAX : RED_ARGMIN;
    q->reduced_count = e->reduced_count;
    memcpy(q->reduced, e->reduced, sizeof q->reduced);
    q->test = e->test;
    q->at = e->at;
    q->layer = e->layer;
    append(b, q);
    const Sum *place = sum_constant(0);
    for (int i = 0; i < e->reduced_count; i++)
        place = sum_add(sum_scale(place, e->reduced[i]->extent), sum_index(e->reduced[i]));
    return node2(OP_EQ, node_sum(place), node_read_at(first, over.at));
}

/* `derivative y by x = d`: d in the place of dy/dx, and no other path from y. */
static void declared_partials(Backward *b, const Equation *e, const Node *adjoint, Contributions *out)
{
    Substitution s = {0};
    for (int k = 0; k < e->out->rank; k++)
        substitution_set(&s, e->out->axis[k], e->left[k]);
    for (const struct Derivative *d = e->out->derivative; d; d = d->next) {
        const Node *value = node2(OP_MUL, adjoint, node_substitute(d->value, &s));
        partials(node_substitute(d->by, &s), NULL, value, e->test, b->needs, out);
    }
}

static void backward_of(Backward *b, const Equation *e)
{
    const Adjoint *a = adjoint_of(b, e->out);
    if (!a->gradient || e->reduction == RED_ARGMAX || e->reduction == RED_ARGMIN || e->out->type != TYPE_FLOAT)
        return;
    const Node *adjoint = node_read(a->gradient, e->left), *test = e->test;
    Contributions out = {0};
    if (e->out->derivative)
        declared_partials(b, e, adjoint, &out);
    else {
        if (e->reduction == RED_MAX || e->reduction == RED_MIN)
            test = node_and(test, first_place_test(b, e));
        const Node *result = e->reduction == RED_NONE ? node_read(e->out, e->left) : NULL;
        partials(e->value, result, adjoint, test, b->needs, &out);
    }
    IndexList indices = {0};
    for (int i = 0; i < e->indices; i++)
        PUSH(indices, e->index[i]);
    for (int i = 0; i < e->reduced_count; i++)
        PUSH(indices, e->reduced[i]);
    for (int i = 0; i < out.count; i++)
        contribute(b, &out.at[i], &indices, e);
}

/* ---- the gradient of a tensor from its parts ---- */

static void append_gradient(Backward *b, Equation *e, const Index *step, const Loop *loop)
{
    e->loop = (Loop *)loop;
    e->step = loop ? step : NULL;
    append(b, e);
}

/* A sum over what is left open, or a scatter, written to `to`. */
static Equation *part_equation(const Part *part, Tensor *to, const Index *const *axis)
{
    Equation *e;
    if (part->scatter) {
        IndexList indices = {0};
        for (int i = 0; i < part->left.count; i++)
            PUSH(indices, part->left.at[i]);
        for (int k = 0; k < to->rank; k++)
            if (sum_plain(part->sub[k]) == axis[k])
                PUSH(indices, axis[k]);
        e = equation_new(to, part->sub, indices.count, indices.at, part->value);
    } else {
        e = equation_map(to, axis, part->value);
        e->reduction = RED_SUM;
        e->reduced_count = part->left.count;
        if (part->left.count > MAX_RANK)
            bug("the gradient %s is summed over %d indices", to->name, part->left.count);
        for (int i = 0; i < part->left.count; i++)
            e->reduced[i] = part->left.at[i];
    }
    e->at = part->at;
    e->layer = part->layer;
    return e;
}

/* dt[J] = the parts without a sum + a read of one equation for each sum; one part alone is dt itself. */
static void finish(Backward *b, Adjoint *a, Loop *loop, int step_axis)
{
    const Index **axis = axes_of(b, a->of), *step = loop ? axis[step_axis] : NULL;
    bool alone = a->parts.count == 1;
    const Node *value = NULL;
    const Part *source = NULL;
    open_gradient(a);
    for (int i = 0; i < a->parts.count; i++) {
        const Part *part = &a->parts.at[i];
        const Node *summand = part->value;
        if (part->scatter || part->left.count) {
            Tensor *to = alone ? a->gradient : tensor_like(format("%s.part", a->gradient->name), a->of);
            append_gradient(b, part_equation(part, to, axis), step, loop);
            if (alone)
                return;
            summand = node_read_at(to, axis);
        }
        source = source ? source : part;
        value = value ? node2(OP_ADD, value, summand) : summand;
    }
    Equation *e = equation_map(a->gradient, axis, value ? value : node_float(0));
    e->at = source ? source->at : a->of->at;
    e->layer = source ? source->layer : "";
    append_gradient(b, e, step, loop);
}

/* Scatters to places of a loop's step that a gather gives can only come from outside: they are made before the loop,
 * which reads their sum. */
static void finish_before_loop(Backward *b, Adjoint *a, int step_axis)
{
    const Index **axis = axes_of(b, a->of);
    for (int i = 0; i < a->parts.count; i++) {
        Part *part = &a->parts.at[i];
        if (!part->scatter || sum_plain(part->sub[step_axis]))
            continue;
        Tensor *to = tensor_like(format("%s.part", a->gradient->name), a->of);
        append_gradient(b, part_equation(part, to, axis), NULL, NULL);
        part->value = node_read_at(to, axis);
        part->scatter = false;
        part->left.count = 0;
    }
}

/* ---- over the program ---- */
static void backward_equation(Backward *b, const Equation *e)
{
    Adjoint *a = adjoint_of(b, e->out);
    if (a->parts.count == 0 || !needs_tensor(b->needs, e->out))
        return;
    if (!a->gradient)
        finish(b, a, NULL, 0);
    backward_of(b, e);
}

typedef struct Reach { Backward *b; const Equation *const *equation; int count; bool grew; } Reach;

/* A tensor of the loop that a reached equation reads is reached. */
static void reach_visit(const Node *e, void *data)
{
    Reach *r = data;
    if (e->op != OP_READ || !needs_tensor(r->b->needs, e->tensor))
        return;
    for (int i = 0; i < r->count; i++)
        if (r->equation[i]->out == e->tensor && !adjoint_of(r->b, e->tensor)->gradient) {
            open_gradient(adjoint_of(r->b, e->tensor));
            r->grew = true;
        }
}

static int step_axis(const Equation *e)
{
    for (int k = 0; k < e->out->rank; k++)
        if (sum_plain(e->left[k]) == e->step)
            return k;
    bug("differentiate: a scan without its index on the left: %s", equation_text(e));
}

static void backward_loop(Backward *b, const Equation *const *equation, int count)
{
    Reach reach = { b, equation, count, false };
    for (int i = 0; i < count; i++)
        if (has_parts(b, equation[i]->out) && needs_tensor(b->needs, equation[i]->out)) {
            open_gradient(adjoint_of(b, equation[i]->out));
            reach.grew = true;
        }
    if (!reach.grew)
        return;
    while (reach.grew) {
        reach.grew = false;
        for (int i = 0; i < count; i++)
            if (adjoint_of(b, equation[i]->out)->gradient) {
                node_visit(equation[i]->value, reach_visit, &reach);
                for (const struct Derivative *d = equation[i]->out->derivative; d; d = d->next)
                    node_visit(d->by, reach_visit, &reach);
            }
    }
    for (int i = count - 1; i >= 0; i--)
        backward_of(b, equation[i]);
    for (int i = 0; i < count; i++)
        if (adjoint_of(b, equation[i]->out)->gradient)
            finish_before_loop(b, adjoint_of(b, equation[i]->out), step_axis(equation[i]));
    Loop *loop = NEW(Loop);
    *loop = *equation[0]->loop;
    loop->id = -1 - loop->id;
    loop->step = -loop->step;
    for (int i = count - 1; i >= 0; i--) {
        Adjoint *a = adjoint_of(b, equation[i]->out);
        bool last = true;                        /* of the equations that make this tensor */
        for (int k = i + 1; k < count; k++)
            last = last && equation[k]->out != equation[i]->out;
        if (last && a->gradient)
            finish(b, a, loop, step_axis(equation[i]));
    }
}

static void seed(Backward *b, const Gradient *g)
{
    part_add(b, g->of, node_read_at(g->gradient, axes_of(b, g->of)), NULL);
    for (int i = b->forward - 1; i >= 0; i--)
        if (b->p->equations.at[i]->out == g->of) {
            Adjoint *a = adjoint_of(b, g->of);
            a->parts.at[a->parts.count - 1].at = b->p->equations.at[i]->at;
            a->parts.at[a->parts.count - 1].layer = b->p->equations.at[i]->layer;
        }
}

void differentiate(Program *p, const Gradient *seeds, int seed_count, Gradient *wanted, int wanted_count)
{
    Backward b = { .p = p, .needs = needs_of(p, wanted, wanted_count) };
    store_results(p, b.needs);
    b.forward = p->equations.count;
    if (p->first_backward < 0)
        p->first_backward = b.forward;
    for (int i = 0; i < seed_count; i++)
        seed(&b, &seeds[i]);
    for (int end = b.forward, first; end > 0; end = first) {
        const Loop *loop = p->equations.at[end - 1]->loop;
        for (first = end - 1; loop && first > 0 && p->equations.at[first - 1]->loop == loop; first--)
            ;
        if (loop) {                              /* a copy of the list: the program's grows */
            const Equation *const *equations = arena_copy(p->equations.at + first,
                                                          sizeof *equations * (size_t)(end - first));
            backward_loop(&b, equations, end - first);
        } else
            backward_equation(&b, p->equations.at[first]);
    }
    for (int i = 0; i < wanted_count; i++) {
        Adjoint *a = adjoint_of(&b, wanted[i].of);
        if (!a->gradient && a->parts.count)
            finish(&b, a, NULL, 0);
        wanted[i].gradient = a->gradient;
    }
    memo_end(b.needs->memo);
}
