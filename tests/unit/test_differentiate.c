/* test_differentiate.c: the gradient of programs written by hand against central differences through the interpreter.
 *
 * check(p, out, wanted) takes  L = sum of weight * out  for fixed random weights, differentiates p, and compares dL/dw
 * with (L(w + h) - L(w - h)) / 2h for every element of every wanted tensor. */
#include "tensor/program.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

static Program *p;
static unsigned seed;                            /* of a random program */

static void begin(void)
{
    arena_release();
    program_reset();
    p = NEW(Program);
    p->name = "test";
    p->first_backward = -1;
}
TestSuite(differentiate, .init = begin);

/* ---- shorthand for writing programs ---- */
static const Index *idx(const char *name, int extent) { return index_new(name, extent, name[0] == 'n' && !name[1]); }
static const Sum *at(const Index *i) { return sum_index(i); }
static const Sum *shift(const Sum *a, int c) { return sum_offset(a, c); }
static const Sum *plus(const Sum *a, const Sum *b) { return sum_add(a, b); }
static const Sum *times(const Sum *a, int k) { return sum_scale(a, k); }
static const Node *num(double v) { return node_float(v); }
static const Node *mul(const Node *a, const Node *b) { return node2(OP_MUL, a, b); }
static const Node *add(const Node *a, const Node *b) { return node2(OP_ADD, a, b); }

static Tensor *tensor(Role role, const char *name, int rank, ...)
{
    int extent[MAX_RANK];
    va_list args;
    va_start(args, rank);
    for (int i = 0; i < rank; i++)
        extent[i] = va_arg(args, int);
    va_end(args);
    return tensor_new(name, rank, extent, false, TYPE_FLOAT, role);
}
static Tensor *batched(Tensor *t)
{
    t->batch = true;
    return t;
}
static Tensor *ints(Tensor *t)
{
    t->type = TYPE_INT;
    return t;
}

#define READ(t, ...) node_read(t, (const Sum *[]){ __VA_ARGS__ })
#define MAP(t, value, ...) define(equation_map(t, (const Index *[]){ __VA_ARGS__ }, value))

static Equation *define(Equation *e)
{
    PUSH(p->equations, e);
    return e;
}

static Equation *over(Equation *e, Reduction reduction, int count, ...)
{
    va_list args;
    va_start(args, count);
    e->reduction = reduction;
    for (int i = 0; i < count; i++)
        e->reduced[e->reduced_count++] = va_arg(args, const Index *);
    va_end(args);
    return e;
}

/* ---- the comparison ---- */
enum { BATCH = 3 };                              /* samples given; the programs are made for 4 */
static Values *values;

static int64_t elements(Tensor *t)
{
    int64_t size = tensor_size(t);
    return t->batch ? size / t->extent[0] * BATCH : size;
}

static void fill(Tensor *t, int salt)
{
    double *v = values_of(values, t);
    for (int64_t i = 0; i < elements(t); i++)
        v[i] = t->type == TYPE_INT ? (double)((i * 7 + salt) % 3) : sin((double)i * 12.9898 + salt * 78.233) * 1.1;
}

static double weighted(Tensor *out, const double *weight)
{
    double sum = 0;
    const double *v = values_of(values, out);
    for (int64_t i = 0; i < elements(out); i++)
        sum += weight[i] * v[i];
    return sum;
}

static bool at_random;                           /* a random program: reads may be unproved, nothing may be reached */

static void check(Tensor *out, int count, Tensor *const *wanted)
{
    enum { MOST = 8 };
    Program forward = *p;
    Gradient want[MOST] = {0};
    program_verify(p, "writing");
    Tensor *weight = tensor_new("weight", out->rank, out->extent, out->batch, TYPE_FLOAT, ROLE_INPUT);
    for (int i = 0; i < count; i++)
        want[i].of = wanted[i];
    differentiate(p, &(Gradient){ out, weight }, 1, want, count);
    program_verify(p, "differentiate");
    cr_assert(at_random || program_unproved(p) == 0);
    forward.equations.count = p->first_backward;
    forward.equations.at = p->equations.at;
    fill(weight, 99);
    interpret(p, values);
    for (int w = 0; w < count; w++) {
        cr_assert(at_random || want[w].gradient, "nothing reaches %s", wanted[w]->name);
        double *x = values_of(values, wanted[w]), largest = 0.01, worst = 0;
        double *g = want[w].gradient ? values_of(values, want[w].gradient) : NULL;
        for (int64_t i = 0; i < elements(wanted[w]); i++) {
            double keep = x[i], h = 1e-5;
            x[i] = keep + h;
            interpret(&forward, values);
            double difference = weighted(out, values_of(values, weight));
            x[i] = keep - h;
            interpret(&forward, values);
            difference = (difference - weighted(out, values_of(values, weight))) / (2 * h);
            x[i] = keep;
            largest = fmax(largest, fabs(difference));
            worst = fmax(worst, fabs(difference - (g ? g[i] : 0)));
        }
        cr_assert(worst <= 1e-7 * largest, "gradient of %s (%u): off by %g of %g", wanted[w]->name, seed, worst,
                  largest);
    }
}
#define COUNT(...) (int)(sizeof((Tensor *[]){ __VA_ARGS__ }) / sizeof(Tensor *))
#define CHECK(out, ...) check(out, COUNT(__VA_ARGS__), (Tensor *[]){ __VA_ARGS__ })

static void start(int count, Tensor *const *leaves)
{
    values = values_new(BATCH, 1, 1);
    for (int i = 0; i < count; i++)
        fill(leaves[i], i + 1);
}
#define START(...) start(COUNT(__VA_ARGS__), (Tensor *[]){ __VA_ARGS__ })

/* ---- programs ---- */
/* y[n, o] = sum[i] x[n, i] w[i, o] + b[o], as two equations */
static Tensor *dense(Tensor *x, Tensor *w, Tensor *b)
{
    int in = w->extent[0], out = w->extent[1];
    const Index *n = idx("n", 4), *i = idx("i", in), *o = idx("o", out), *n2 = idx("n", 4), *o2 = idx("o", out);
    Tensor *z = batched(tensor(ROLE_TEMP, "z", 2, 4, out)), *y = batched(tensor(ROLE_TEMP, "y", 2, 4, out));
    over(MAP(z, mul(READ(x, at(n), at(i)), READ(w, at(i), at(o))), n, o), RED_SUM, 1, i);
    MAP(y, add(READ(z, at(n2), at(o2)), READ(b, at(o2))), n2, o2);
    return y;
}

Test(differentiate, dense_relu_softmax_crossentropy)
{
    Tensor *x = batched(tensor(ROLE_INPUT, "x", 2, 4, 5)), *label = ints(batched(tensor(ROLE_INPUT, "label", 1, 4)));
    Tensor *w1 = tensor(ROLE_PARAM, "w", 2, 5, 6), *b1 = tensor(ROLE_PARAM, "b", 1, 6);
    Tensor *w2 = tensor(ROLE_PARAM, "w2", 2, 6, 3), *b2 = tensor(ROLE_PARAM, "b2", 1, 3);
    START(x, label, w1, b1, w2, b2);
    Tensor *h = batched(tensor(ROLE_TEMP, "h", 2, 4, 6)), *y = dense(x, w1, b1);
    const Index *n = idx("n", 4), *j = idx("j", 6);
    MAP(h, node2(OP_MAX, READ(y, at(n), at(j)), num(0)), n, j);
    Tensor *z = dense(h, w2, b2);
    Tensor *m = batched(tensor(ROLE_TEMP, "m", 1, 4)), *s = batched(tensor(ROLE_TEMP, "s", 1, 4));
    const Index *n1 = idx("n", 4), *c1 = idx("c", 3), *n2 = idx("n", 4), *c2 = idx("c", 3), *n3 = idx("n", 4);
    over(MAP(m, READ(z, at(n1), at(c1)), n1), RED_MAX, 1, c1);
    const Node *apart = node2(OP_SUB, READ(z, at(n2), at(c2)), READ(m, at(n2)));
    over(MAP(s, node1(OP_EXP, apart), n2), RED_SUM, 1, c2);
    const Node *own = READ(z, at(n3), sum_node(READ(label, at(n3))));
    const Node *l = node2(OP_SUB, add(node1(OP_LOG, READ(s, at(n3))), READ(m, at(n3))), own);
    Tensor *loss = tensor(ROLE_TEMP, "loss", 0);
    over(define(equation_new(loss, NULL, 0, NULL, node2(OP_DIV, l, node_count(1)))), RED_SUM, 1, n3);
    CHECK(loss, w1, b1, w2, b2, x);
}

/* A convolution with padding 1, then one with stride 2 */
static Tensor *conv(Tensor *x, Tensor *k, int side, int stride, int pad)
{
    int out = (side + 2 * pad - k->extent[0]) / stride + 1, channels = k->extent[3];
    const Index *n = idx("n", 4), *a = idx("a", out), *b = idx("b", out), *o = idx("o", channels);
    const Index *r = idx("r", k->extent[0]), *s = idx("s", k->extent[1]), *i = idx("i", k->extent[2]);
    const Sum *row = shift(plus(times(at(a), stride), at(r)), -pad);
    const Sum *col = shift(plus(times(at(b), stride), at(s)), -pad);
    const Node *test = node2(OP_AND, node_in(row, side), node_in(col, side));
    Tensor *y = batched(tensor(ROLE_TEMP, "conv", 4, 4, out, out, channels));
    const Node *pixel = node_guard(test, READ(x, at(n), row, col, at(i)));
    over(MAP(y, mul(READ(k, at(r), at(s), at(i), at(o)), pixel), n, a, b, o), RED_SUM, 3, r, s, i);
    return y;
}

Test(differentiate, convolutions_with_padding_and_stride)
{
    Tensor *x = batched(tensor(ROLE_INPUT, "x", 4, 4, 6, 6, 2));
    Tensor *k1 = tensor(ROLE_PARAM, "k", 4, 3, 3, 2, 3), *k2 = tensor(ROLE_PARAM, "k2", 4, 3, 3, 3, 2);
    START(x, k1, k2);
    CHECK(conv(conv(x, k1, 6, 1, 1), k2, 6, 2, 1), k1, k2, x);
}

Test(differentiate, max_pool_takes_the_first_maximum)
{
    Tensor *x = batched(tensor(ROLE_INPUT, "x", 3, 4, 6, 6)), *y = batched(tensor(ROLE_TEMP, "y", 3, 4, 3, 3));
    START(x);
    const Index *n = idx("n", 4), *a = idx("a", 3), *b = idx("b", 3), *r = idx("r", 2), *s = idx("s", 2);
    const Sum *row = plus(times(at(a), 2), at(r)), *col = plus(times(at(b), 2), at(s));
    over(MAP(y, READ(x, at(n), row, col), n, a, b), RED_MAX, 2, r, s);
    CHECK(y, x);
}

/* windows of 3 at stride 2: an element can be the maximum of two */
Test(differentiate, overlapping_pool)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 1, 9), *y = tensor(ROLE_TEMP, "y", 1, 4);
    START(x);
    const Index *a = idx("a", 4), *r = idx("r", 3);
    over(MAP(y, READ(x, plus(times(at(a), 2), at(r))), a), RED_MAX, 1, r);
    CHECK(y, x);
}

/* y[q] = sum[r] k[r] * (x[(q - r + 1) / 2] else 0): a read that counts only where it is whole */
Test(differentiate, transposed_convolution)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 1, 4), *k = tensor(ROLE_PARAM, "k", 1, 3), *y = tensor(ROLE_TEMP, "y", 1, 8);
    START(x, k);
    const Index *q = idx("q", 8), *r = idx("r", 3);
    const Sum *place = shift(sum_sub(at(q), at(r)), 1), *half = sum_exact(place, 2);
    const Node *test = node2(OP_AND, node2(OP_EQ, node_sum(sum_mod(place, 2)), node_int(0)), node_in(half, 4));
    over(MAP(y, mul(READ(k, at(r)), node_guard(test, READ(x, half))), q), RED_SUM, 1, r);
    CHECK(y, x, k);
}

/* h[n, t, j] = tanh(sum[m] (h[n, t - 1, m] else 0) u[m, j] + x[n, t, j]), read at the last step and at all */
Test(differentiate, recurrent_net)
{
    Tensor *x = batched(tensor(ROLE_INPUT, "x", 3, 4, 5, 3)), *u = tensor(ROLE_PARAM, "u", 2, 3, 3);
    START(x, u);
    Tensor *s = batched(tensor(ROLE_TEMP, "s", 3, 4, 5, 3)), *h = batched(tensor(ROLE_TEMP, "h", 3, 4, 5, 3));
    Tensor *y = batched(tensor(ROLE_TEMP, "y", 2, 4, 3));
    Loop *loop = NEW(Loop);
    *loop = (Loop){ 1, 5, 1 };
    const Index *n = idx("n", 4), *t = idx("t", 5), *j = idx("j", 3), *m = idx("m", 3);
    const Sum *last = shift(at(t), -1);
    Equation *e = over(MAP(s, mul(node_guard(node_in(last, 5), READ(h, at(n), last, at(m))), READ(u, at(m), at(j))),
                           n, t, j), RED_SUM, 1, m);
    e->loop = loop;
    e->step = t;
    const Index *n2 = idx("n", 4), *t2 = idx("t", 5), *j2 = idx("j", 3);
    const Node *tanh_node = node1(OP_TANH, add(READ(s, at(n2), at(t2), at(j2)), READ(x, at(n2), at(t2), at(j2))));
    e = MAP(h, mul(tanh_node, num(1.5)), n2, t2, j2);
    e->loop = loop;
    e->step = t2;
    const Index *n3 = idx("n", 4), *j3 = idx("j", 3), *t3 = idx("t", 5);
    const Node *end = READ(h, at(n3), sum_constant(4), at(j3));
    over(MAP(y, mul(end, READ(h, at(n3), at(t3), at(j3))), n3, j3), RED_SUM, 1, t3);
    CHECK(y, u, x);
}

/* e[n, t, j] = table[token[n, t], j]: the gradient is a scatter */
Test(differentiate, embedding)
{
    Tensor *token = ints(batched(tensor(ROLE_INPUT, "token", 2, 4, 5))), *table = tensor(ROLE_PARAM, "table", 2, 3, 2);
    START(token, table);
    Tensor *e = batched(tensor(ROLE_TEMP, "e", 3, 4, 5, 2)), *y = batched(tensor(ROLE_TEMP, "y", 3, 4, 5, 2));
    const Index *n = idx("n", 4), *t = idx("t", 5), *j = idx("j", 2);
    const Index *n2 = idx("n", 4), *t2 = idx("t", 5), *j2 = idx("j", 2);
    MAP(e, READ(table, sum_node(READ(token, at(n), at(t))), at(j)), n, t, j);
    MAP(y, node1(OP_SIN, READ(e, at(n2), at(t2), at(j2))), n2, t2, j2);
    CHECK(y, table);
    bool scatter = false;
    for (int i = p->first_backward; i < p->equations.count; i++)
        scatter = scatter || equation_is_scatter(p->equations.at[i]);
    cr_assert(scatter);
}

/* h[n, t, j] = sin(h[n, t - 1, to[j]] else x[n, 0, j]) + x[n, t, to[j]]: scatters by samples, and inside a scan */
Test(differentiate, gathers_in_a_scan)
{
    Tensor *x = batched(tensor(ROLE_INPUT, "x", 3, 4, 5, 3)), *to = ints(tensor(ROLE_INPUT, "to", 1, 3));
    START(x, to);
    Tensor *h = batched(tensor(ROLE_TEMP, "h", 3, 4, 5, 3));
    const Index *n = idx("n", 4), *t = idx("t", 5), *j = idx("j", 3);
    const Sum *last = shift(at(t), -1), *other = sum_node(READ(to, at(j)));
    const Node *start = READ(x, at(n), sum_constant(0), at(j));
    const Node *before = node_select(node_in(last, 5), READ(h, at(n), last, other), start);
    Equation *e = MAP(h, add(node1(OP_SIN, before), READ(x, at(n), at(t), other)), n, t, j);
    e->loop = NEW(Loop);
    *e->loop = (Loop){ 1, 5, 1 };
    e->step = t;
    CHECK(h, x);
}

/* y[i in 0..3] = a[i], y[3 + i] = b[i]^2, y[7] = 1: pieces; read as a whole and at a constant */
Test(differentiate, pieces)
{
    Tensor *a = tensor(ROLE_PARAM, "a", 1, 3), *b = tensor(ROLE_PARAM, "b", 1, 4), *y = tensor(ROLE_TEMP, "y", 1, 8);
    START(a, b);
    Tensor *z = tensor(ROLE_TEMP, "z", 1, 8);
    const Index *i = idx("i", 3), *j = idx("j", 4), *k = idx("k", 8);
    MAP(y, READ(a, at(i)), i);
    const Sum *second = shift(at(j), 3), *third = sum_constant(7);
    define(equation_new(y, &second, 1, &j, node2(OP_POW, READ(b, at(j)), num(2))));
    define(equation_new(y, &third, 0, NULL, num(1)));
    MAP(z, mul(READ(y, at(k)), READ(y, sum_constant(4))), k);
    CHECK(z, a, b);
}

/* views: y[(i, j)] = x[j, i]; then split by floor and mod */
Test(differentiate, views)
{
    Tensor *x = tensor(ROLE_PARAM, "x", 2, 4, 6);
    Tensor *y = tensor(ROLE_TEMP, "y", 1, 24), *z = tensor(ROLE_TEMP, "z", 2, 3, 8);
    START(x);
    const Index *i = idx("i", 6), *j = idx("j", 4), *a = idx("a", 3), *b = idx("b", 8);
    const Sum *place = plus(times(at(i), 4), at(j));
    define(equation_new(y, &place, 2, (const Index *[]){ i, j }, READ(x, at(j), at(i))));
    MAP(z, node1(OP_COS, READ(y, plus(times(at(a), 8), at(b)))), a, b);
    CHECK(z, x);
}

/* A branch that is not taken may be infinite or NaN; its gradient does not spoil the other. */
Test(differentiate, choices_guard)
{
    Tensor *x = tensor(ROLE_PARAM, "x", 1, 9), *y = tensor(ROLE_TEMP, "y", 1, 9);
    START(x);
    const Index *i = idx("i", 9);
    const Node *e = READ(x, at(i)), *positive = node2(OP_GT, e, num(0));
    MAP(y, node_select(positive, mul(node1(OP_SQRT, e), e), node2(OP_DIV, num(1), node2(OP_SUB, e, num(2)))), i);
    CHECK(y, x);
}

Test(differentiate, functions)
{
    static const Op ops[] = { OP_EXP, OP_LOG, OP_LOG1P, OP_EXPM1, OP_SQRT, OP_TANH, OP_ERF, OP_SIN, OP_COS, OP_ABS,
                              OP_PROBIT };
    Tensor *x = tensor(ROLE_PARAM, "x", 1, 9), *y = tensor(ROLE_TEMP, "y", 2, 9, 12);
    START(x);
    for (int k = 0; k < 12; k++) {               /* arguments in 0.1 .. 0.9 */
        const Index *i = idx("i", 9);
        const Node *e = add(mul(READ(x, at(i)), num(0.35)), num(0.5)), *twice = mul(e, e);
        const Node *value = k < 11 ? mul(node1(ops[k], e), twice) : node2(OP_POW, e, add(e, num(0.5)));
        define(equation_new(y, (const Sum *[]){ at(i), sum_constant(k) }, 1, &i, value));
    }
    CHECK(y, x);
}

/* derivative y by x = d takes the place of the rules, and cuts other paths */
Test(differentiate, declared_derivative)
{
    Tensor *x = tensor(ROLE_PARAM, "x", 1, 5), *y = tensor(ROLE_TEMP, "y", 1, 5), *z = tensor(ROLE_TEMP, "z", 1, 5);
    START(x);
    const Index *i = idx("i", 5), *j = idx("j", 5), *a = idx("a", 5);
    const Node *e = READ(x, at(i)), *own = READ(y, at(a));
    MAP(y, node2(OP_DIV, num(1), add(num(1), node1(OP_EXP, node1(OP_NEG, e)))), i);
    struct Derivative *d = NEW(struct Derivative);
    d->by = READ(x, at(a));
    d->value = mul(own, node2(OP_SUB, num(1), own));
    y->derivative = d;
    y->axis[0] = a;
    MAP(z, mul(READ(y, at(j)), num(3)), j);
    CHECK(z, x);
}

/* What wants no gradient gets no equations. */
Test(differentiate, nothing_for_what_is_frozen)
{
    Tensor *x = batched(tensor(ROLE_INPUT, "x", 2, 4, 5)), *w1 = tensor(ROLE_PARAM, "w", 2, 5, 6);
    Tensor *b1 = tensor(ROLE_PARAM, "b", 1, 6);
    Tensor *w2 = tensor(ROLE_PARAM, "w2", 2, 6, 3), *b2 = tensor(ROLE_PARAM, "b2", 1, 3);
    START(x, w1, b1, w2, b2);
    Tensor *y = dense(dense(x, w1, b1), w2, b2), *other = tensor(ROLE_PARAM, "other", 1, 3);
    Tensor *weight = batched(tensor(ROLE_INPUT, "weight", 2, 4, 3));
    Gradient want[] = { { b2, NULL }, { other, NULL } };
    differentiate(p, &(Gradient){ y, weight }, 1, want, 2);
    cr_assert(want[0].gradient && !want[1].gradient);
    cr_assert(p->equations.count - p->first_backward == 2);      /* dy (a copy of the seed) and db2 */
}

/* A DAG of shared squares: linear in its nodes. */
Test(differentiate, shared_expressions)
{
    Tensor *x = tensor(ROLE_PARAM, "x", 1, 2), *y = tensor(ROLE_TEMP, "y", 1, 2);
    START(x);
    const Index *i = idx("i", 2);
    const Node *e = READ(x, at(i));
    for (int k = 0; k < 40; k++)
        e = mul(num(0.7), add(e, node1(OP_SIN, e)));
    MAP(y, e, i);
    CHECK(y, x);
}

/* ---- random reads: sums with any factors, floors, remainders, exact divisions, gathers; all guarded ---- */
static unsigned state;
static int below(int n)
{
    state = state * 1103515245u + 12345u;
    return (int)((state >> 16) % (unsigned)n);
}

static const Sum *random_sum(const Index *const *index, int count)
{
    const Sum *a = sum_constant(below(4) - 1);
    for (int terms = 1 + below(3); terms > 0; terms--)
        a = plus(a, times(at(index[below(count)]), (const int[]){ 1, 1, 1, 2, 3, -1, -2 }[below(7)]));
    return a;
}

/* One read of x somewhere, 0.5 off its axes. */
static const Node *random_read(Tensor *x, Tensor *label, const Index *const *index, int count)
{
    const Sum *sub[MAX_RANK];
    const Node *test = NULL;
    for (int k = 0; k < x->rank; k++) {
        const Sum *a = random_sum(index, count);
        switch (below(8)) {
        case 0:
            test = node_and(test, node2(OP_EQ, node_sum(sum_mod(a, 2)), node_int(0)));
            a = sum_exact(a, 2);
            break;
        case 1: a = sum_floor(a, 2); break;
        case 2: a = sum_mod(a, 3); break;
        case 3:
            if (label) {
                const Sum *place = random_sum(index, count);
                test = node_and(test, node_in(place, label->extent[0]));
                a = plus(sum_node(READ(label, place)), sum_constant(below(2)));
            }
            break;
        default: break;
        }
        test = node_and(test, node_in(a, x->extent[k]));
        sub[k] = a;
    }
    return test ? node_select(test, node_read(x, sub), num(0.5)) : node_read(x, sub);
}

Test(differentiate, random_reads)
{
    at_random = true;
    for (seed = 0; seed < 400; seed++) {
        begin();
        state = seed * 2654435761u + 1;
        Tensor *x = tensor(ROLE_PARAM, "x", 1 + below(3), 1 + below(5), 2 + below(3), 2 + below(2));
        Tensor *w = tensor(ROLE_PARAM, "w", 1 + below(2), 2 + below(5), 2 + below(3));
        Tensor *label = ints(tensor(ROLE_INPUT, "label", 1, 3));
        START(x, w, label);
        const Index *index[4] = { idx("a", 1 + below(4)), idx("b", 1 + below(4)), idx("c", 1 + below(4)), idx("d", 3) };
        int left = below(4), reduced = left == 0 ? 1 + below(4) : below(5 - left), all = left + reduced;
        int extent[4] = { index[0]->extent, index[1]->extent, index[2]->extent, index[3]->extent };
        Tensor *y = tensor_new("y", left, extent, false, TYPE_FLOAT, ROLE_TEMP);
        const Node *e = mul(random_read(x, label, index, all), random_read(w, below(2) ? label : NULL, index, all));
        e = add(e, node1(OP_SIN, random_read(below(2) ? x : w, NULL, index, all)));
        Equation *q = define(equation_map(y, index, e));
        q->reduction = reduced == 0 ? RED_NONE : below(4) ? RED_SUM : RED_MAX;
        for (int i = left; i < all; i++)
            q->reduced[q->reduced_count++] = index[i];
        Tensor *z = tensor(ROLE_TEMP, "z", 1, 4);    /* reads of y too */
        const Index *m[2] = { idx("m", 4), idx("k", 3) };
        q = MAP(z, mul(random_read(y, NULL, m, 2), random_read(x, label, m, 2)), m[0]);
        over(q, RED_SUM, 1, m[1]);
        CHECK(z, x, w);
    }
}
