/* check.c: see check.h. The value's program is copied before it is differentiated: differences are taken of the copy,
 * so that they share nothing with the gradient but the interpreter. */
#include "check.h"
#include "base/text.h"
#include <math.h>
#include <string.h>

/* ---- random numbers ---- */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

double random_uniform(uint64_t *state, double low, double high)
{
    return low + (high - low) * ((double)(random_next(state) >> 11) * 0x1p-53);
}

int random_below(uint64_t *state, int n) { return (int)(random_next(state) % (uint64_t)n); }

/* ---- programs and their leaves ---- */
static Program *program_copy(const Program *p)
{
    Program *q = arena_copy(p, sizeof *p);
    memset(&q->equations, 0, sizeof q->equations);
    for (int i = 0; i < p->equations.count; i++) PUSH(q->equations, equation_copy(p->equations.at[i]));
    q->updates.at = arena_copy(p->updates.at, sizeof *p->updates.at * (size_t)p->updates.count);
    q->updates.room = p->updates.count;
    q->outputs.at = arena_copy(p->outputs.at, sizeof *p->outputs.at * (size_t)p->outputs.count);
    q->outputs.room = p->outputs.count;
    return q;
}

typedef struct Leaves {
    LIST(Tensor *) tensors;
    LIST(char) seen;
    int batch;
} Leaves;

static void leaf_add(Leaves *l, Tensor *t)
{
    while (l->seen.count <= t->id) PUSH(l->seen, 0);
    if (l->seen.at[t->id]++) return;
    if (t->batch) l->batch = t->extent[0];
    if (t->role != ROLE_TEMP && t->role != ROLE_CONST) PUSH(l->tensors, t);
}

static void leaf_visit(const Node *e, void *data)
{
    if (e->op == OP_READ) leaf_add(data, e->tensor);
}

static int64_t size_of(const Tensor *t, int n) { return t->batch ? tensor_size(t) / t->extent[0] * n : tensor_size(t); }

/* Ints are classes and places: small ones and large ones. */
static double leaf_value(const Tensor *t, uint64_t *random)
{
    switch (t->role) {
    case ROLE_CLOCK: return 2;
    case ROLE_STATE:
    case ROLE_TOTAL: return random_uniform(random, 0.5, 1.5);
    case ROLE_PARAM: return random_uniform(random, -0.8, 0.8);
    default: break;
    }
    if (t->type == TYPE_FLOAT) return random_uniform(random, -2, 2);
    return random_below(random, t->type == TYPE_BOOL ? 2 : random_below(random, 2) ? 4 : 1000);
}

static void leaf_fill(const Tensor *t, double *to, int n, uint64_t *random)
{
    if (t->role == ROLE_SETTING && t->data) return;
    for (int64_t i = 0; i < size_of(t, n); i++) to[i] = leaf_value(t, random);
}

static bool wants_gradient(const Tensor *t)
{
    return t->type == TYPE_FLOAT && (t->role == ROLE_INPUT || t->role == ROLE_PARAM) && !t->frozen;
}

/* ---- one check ---- */
typedef struct Check {
    Leaves leaves;
    Program *value; /* the program before it was differentiated */
    Tensor *y, *weight;
    Values *values; /* of value, and of the differentiated program */
    uint64_t random;
    int n, limit;
    double rounding;                   /* of weighted_value(), at the least: what a difference cannot see */
    Checked result;
} Check;

static void wrong(Check *c, double error, const char *what)
{
    if (!(error <= c->result.error)) c->result.error = error;
    if (!(error < 1.0 / GRADIENT_LIMIT) && !c->result.what) c->result.what = what;
}

static double weighted_value(Check *c)
{
    interpret(c->value, c->values);
    const double *y = values_of(c->values, c->y), *w = values_of(c->values, c->weight);
    double sum = 0;
    c->rounding = 0;
    for (int64_t i = 0; i < size_of(c->y, c->n); i++) {
        sum += w[i] * y[i];
        c->rounding += 0x1p-50 * fabs(w[i] * y[i]);
    }
    return sum;
}

static double difference(Check *c, double *x, double h)
{
    double was = *x;
    *x = was + h;
    double up = weighted_value(c);
    *x = was - h;
    double down = weighted_value(c);
    *x = was;
    return (up - down) / (2 * h);
}

/* The difference that has an error of h^4 where difference() has one of h^2: for steps that rounding does not spoil. */
static double far_difference(Check *c, double *x, double h)
{
    return (4 * difference(c, x, h) - difference(c, x, 2 * h)) / 3;
}

/* How far g is from what differences of step h say, what their rounding explains left out. */
static double off_by(Check *c, double *x, double h, double g)
{
    double numeric = h > 1e-5 ? far_difference(c, x, h) : difference(c, x, h);
    return fmax(0, fabs(numeric - g) - 2 * c->rounding / h);
}

/* Where they do not agree, smaller steps are tried: the wide one may have crossed a kink; and wider ones of a higher
 * order: what is a small part of the value drowned in its rounding. */
static void compare_gradient(Check *c, Tensor *t, const double *gradient)
{
    static const double step[] = { 1e-6, 1e-7, 1e-8, 1e-3, 3e-4, 1e-4 };
    int64_t size = size_of(t, c->n), count = size < c->limit ? size : c->limit;
    int64_t *place = NEW_ARRAY(int64_t, count + 1);
    double *numeric = NEW_ARRAY(double, count + 1), *x = values_of(c->values, t), scale = 0.01;
    for (int64_t i = 0; i < count; i++) {
        place[i] = count == size ? i : random_below(&c->random, (int)size);
        numeric[i] = difference(c, &x[place[i]], 1e-5);
        scale = fmax(scale, fabs(numeric[i]));
    }
    for (int64_t i = 0; i < count; i++) {
        double g = gradient ? gradient[place[i]] : 0, error = fabs(numeric[i] - g) / scale;
        for (int k = 0; k < 6 && !(error < 0.3 / GRADIENT_LIMIT); k++) {
            double again = off_by(c, &x[place[i]], step[k], g) / scale;
            error = again < error ? again : error;
        }
        wrong(c, error, format("d%s[%d]: gradient %.9g, difference %.9g", t->name, (int)place[i], g, numeric[i]));
        c->result.derivatives++;
    }
}

static void compare_simplified(Check *c, const Program *before, const Program *after)
{
    Values *v = values_new(c->n, 1, 2);
    for (int i = 0; i < c->leaves.tensors.count; i++) {
        Tensor *t = c->leaves.tensors.at[i];
        memcpy(values_of(v, t), values_of(c->values, t), sizeof(double) * (size_t)size_of(t, c->n));
    }
    interpret(after, v);
    for (int i = 0; i < before->outputs.count; i++) {
        Tensor *t = before->outputs.at[i].value, *u = after->outputs.at[i].value;
        const double *a = values_of(c->values, t), *b = values_of(v, u);
        double scale = 1;
        for (int64_t k = 0; k < size_of(t, c->n); k++) scale = isfinite(a[k]) ? fmax(scale, fabs(a[k])) : scale;
        for (int64_t k = 0; k < size_of(t, c->n); k++)
            if (a[k] != b[k] && !(isnan(a[k]) && isnan(b[k])) && !(fabs(a[k] - b[k]) <= 1e-9 * scale))
                wrong(c, INFINITY, format("%s[%d] simplified: %.17g, before %.17g", t->name, (int)k, b[k], a[k]));
    }
}

/* y, every gradient, and what updates would store become the outputs. */
static void set_outputs(Program *p, Tensor *y, const Gradient *g, int count)
{
    PUSH(p->outputs, ((Output){ y->name, y }));
    for (int i = 0; i < count; i++)
        if (g[i].gradient) PUSH(p->outputs, ((Output){ g[i].gradient->name, g[i].gradient }));
    for (int i = 0; i < p->updates.count; i++)
        PUSH(p->outputs, ((Output){ p->updates.at[i].state->name, p->updates.at[i].value }));
    p->updates.count = 0;
}

Checked program_check(Program *p, Tensor *y, uint64_t seed, int limit)
{
    Check c = { .y = y, .random = seed, .limit = limit };
    program_verify(p, "elaborate");
    for (int i = 0; i < p->equations.count; i++) equation_visit(p->equations.at[i], leaf_visit, &c.leaves);
    leaf_add(&c.leaves, y);
    for (int i = 0; i < p->updates.count; i++) leaf_add(&c.leaves, p->updates.at[i].value);
    c.n = c.leaves.batch > 1 ? c.leaves.batch - (int)(seed % 2) : 1;
    c.weight = tensor_new("weight", y->rank, y->extent, y->batch, TYPE_FLOAT, ROLE_INPUT);
    leaf_add(&c.leaves, c.weight);
    c.value = program_copy(p);
    c.value->updates.count = 0;
    c.result.forward = p->equations.count;

    Gradient given = { y, c.weight }, *wanted = NEW_ARRAY(Gradient, c.leaves.tensors.count + 1);
    int count = 0;
    for (int i = 0; i < c.leaves.tensors.count && y->type == TYPE_FLOAT; i++)
        if (c.leaves.tensors.at[i] != c.weight && wants_gradient(c.leaves.tensors.at[i]))
            wanted[count++].of = c.leaves.tensors.at[i];
    if (count) {
        differentiate(p, &given, 1, wanted, count);
        program_verify(p, "differentiate");
    }
    c.result.backward = p->equations.count - c.result.forward;
    set_outputs(p, y, wanted, count);
    Program *simple = program_copy(p);
    simplify(simple);
    program_verify(simple, "simplify");
    c.result.simplified = simple->equations.count;

    c.values = values_new(c.n, 1, 2);
    for (int i = 0; i < c.leaves.tensors.count; i++) {
        Tensor *t = c.leaves.tensors.at[i];
        leaf_fill(t, values_of(c.values, t), c.n, t == c.weight ? &(uint64_t){ seed + 1 } : &c.random);
    }
    interpret(p, c.values);
    compare_simplified(&c, p, simple);
    for (int i = 0; i < count; i++) {
        double *gradient = wanted[i].gradient ? values_of(c.values, wanted[i].gradient) : NULL;
        if (gradient) gradient = arena_copy(gradient, sizeof *gradient * (size_t)size_of(wanted[i].of, c.n));
        compare_gradient(&c, wanted[i].of, gradient);
    }
    return c.result;
}
