/* test_simplify.c: each normal form on a small program: the text that is expected, and the same values as before. */
#include "base/text.h"
#include "tensor/model.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

static Program *program;

static void begin(void)
{
    arena_release();
    program_reset();
    program = NEW(Program);
    program->name = "test";
    program->first_backward = -1;
}
TestSuite(simplify, .init = begin);

/* ---- short names for building ---- */
static const Index *idx(const char *name, int extent) { return index_new(name, extent, false); }
static const Sum *s(const Index *i) { return sum_index(i); }
static const Sum *c(int constant) { return sum_constant(constant); }

static Tensor *tensor(Role role, const char *name, int rank, ...)
{
    va_list args;
    va_start(args, rank);
    int extent[MAX_RANK];
    for (int a = 0; a < rank; a++) extent[a] = va_arg(args, int);
    va_end(args);
    return tensor_new(name, rank, extent, false, TYPE_FLOAT, role);
}

static const Node *at(Tensor *t, ...)
{
    va_list args;
    va_start(args, t);
    const Sum *sub[MAX_RANK];
    for (int a = 0; a < t->rank; a++) sub[a] = va_arg(args, const Sum *);
    va_end(args);
    return node_read(t, sub);
}

static const Node *add(const Node *a, const Node *b) { return node2(OP_ADD, a, b); }
static const Node *sub(const Node *a, const Node *b) { return node2(OP_SUB, a, b); }
static const Node *mul(const Node *a, const Node *b) { return node2(OP_MUL, a, b); }
static const Node *over(const Node *a, const Node *b) { return node2(OP_DIV, a, b); }
static const Node *greater(const Node *a, const Node *b) { return node2(OP_GT, a, b); }
static const Node *equal(const Sum *a, const Sum *b) { return node2(OP_EQ, node_sum(a), node_sum(b)); }
static const Node *num(double v) { return node_float(v); }

/* t[i, j, ..] = value; the indices follow */
static Equation *let(Tensor *t, const Node *value, ...)
{
    va_list args;
    va_start(args, value);
    const Index *index[MAX_RANK];
    for (int a = 0; a < t->rank; a++) index[a] = va_arg(args, const Index *);
    va_end(args);
    Equation *e = equation_map(t, index, value);
    PUSH(program->equations, e);
    return e;
}

static Equation *reduce(Equation *e, Reduction reduction, const Index *k)
{
    e->reduction = reduction;
    e->reduced[e->reduced_count++] = k;
    return e;
}

static Equation *in_loop(Equation *e, Loop *loop, const Index *step)
{
    e->loop = loop;
    e->step = step;
    return e;
}

static void output(Tensor *t) { PUSH(program->outputs, ((Output){ t->name, t })); }

/* ---- checking ---- */
static double *copy_of(Values *v, Tensor *t)
{
    size_t size = (size_t)tensor_size(t);
    return t->batch ? arena_copy(values_of(v, t), sizeof(double) * size / (size_t)t->extent[0] * 3)
                    : arena_copy(values_of(v, t), sizeof(double) * size);
}

static void fill(const Node *e, void *data)
{
    if (e->op != OP_READ || e->tensor->role == ROLE_TEMP || e->tensor->role == ROLE_CONST) return;
    int64_t size = tensor_size(e->tensor);
    double *to = values_of(data, e->tensor);
    for (int64_t i = 0; i < (e->tensor->batch ? size / e->tensor->extent[0] * 3 : size); i++)
        to[i] = e->tensor->type == TYPE_FLOAT ? sin((double)i * 12.9898 + e->tensor->id) : (double)(i * 7 % 3);
}

/* The batch is 3 samples where there is one. */
static Values *run(Program *p)
{
    Values *v = values_new(3, 1, 1);
    for (int i = 0; i < p->equations.count; i++) equation_visit(p->equations.at[i], fill, v);
    interpret(p, v);
    return v;
}

static const char *text_of(const Program *p)
{
    Text t = { 0 };
    for (int i = 0; i < p->equations.count; i++)
        text_addf(&t, "%s%s\n", p->equations.at[i]->loop ? "| " : "", equation_text(p->equations.at[i]));
    return text_string(&t);
}

static void expect(const char *wanted)
{
    program_verify(program, "the test");
    Values *before = run(program);
    double *value[16];
    for (int i = 0; i < program->outputs.count; i++) value[i] = copy_of(before, program->outputs.at[i].value);
    simplify(program);
    program_verify(program, "simplify");
    const char *got = text_of(program);
    cr_expect_str_eq(got, wanted, "\ngot:\n%swanted:\n%s", got, wanted);
    Values *after = run(program);
    for (int i = 0; i < program->outputs.count; i++) {
        Tensor *t = program->outputs.at[i].value;
        const double *now = copy_of(after, t);
        for (int64_t k = 0; k < (t->batch ? tensor_size(t) / t->extent[0] * 3 : tensor_size(t)); k++)
            cr_expect(fabs(now[k] - value[i][k]) <= 1e-12 * fmax(1, fabs(now[k])), "%s[%d]: %.17g, was %.17g", t->name,
                      (int)k, now[k], value[i][k]);
    }
}

/* ---- what vanishes ---- */
Test(simplify, dead_equations_and_copies_go)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 2, 3, 4), *y = tensor(ROLE_TEMP, "y", 2, 4, 3),
           *unused = tensor(ROLE_TEMP, "u", 1, 3);
    Tensor *z = tensor(ROLE_TEMP, "z", 2, 4, 3);
    const Index *i = idx("i", 4), *j = idx("j", 3), *k = idx("k", 3), *a = idx("a", 4), *b = idx("b", 3);
    let(y, at(x, s(j), s(i)), i, j);
    let(unused, num(1), k);
    let(z, mul(at(y, s(a), s(b)), num(2)), a, b);
    output(z);
    expect("z[a, b] = x[b, a] * 2\n");
}

Test(simplify, output_that_is_a_copy_is_written_directly)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 1, 3), *t = tensor(ROLE_TEMP, "t", 1, 3), *y = tensor(ROLE_TEMP, "y", 1, 3);
    Tensor *z = tensor(ROLE_TEMP, "z", 1, 3);
    const Index *i = idx("i", 3), *j = idx("j", 3), *k = idx("k", 3);
    let(t, node1(OP_EXP, at(x, s(i))), i);
    let(y, at(t, s(j)), j);
    let(z, add(at(t, s(k)), num(1)), k);
    output(y);
    output(z);
    expect("y[i] = exp(x[i])\nz[k] = y[k] + 1\n");
}

Test(simplify, indices_of_extent_one_and_idle_sums_go)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 2, 1, 4), *y = tensor(ROLE_TEMP, "y", 2, 1, 4);
    const Index *i = idx("i", 1), *j = idx("j", 4), *k = idx("k", 5);
    reduce(let(y, at(x, s(i), s(j)), i, j), RED_SUM, k);
    output(y);
    expect("y[0, j] = 5 * x[0, j]\n");
}

Test(simplify, a_test_inside_its_own_branch_goes)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 1, 4), *y = tensor(ROLE_TEMP, "y", 1, 4);
    const Index *i = idx("i", 4);
    const Node *test = greater(at(x, s(i)), num(0));
    let(y, node_select(test, add(node_select(test, at(x, s(i)), num(7)), num(1)), node_select(test, num(3), num(4))),
        i);
    output(y);
    expect("y[i] = x[i] > 0 ? x[i] + 1 : 4\n");
}

Test(simplify, numbers_of_a_product_are_one)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 1, 4), *y = tensor(ROLE_TEMP, "y", 1, 4), *z = tensor(ROLE_TEMP, "z", 1, 4);
    const Index *i = idx("i", 4), *j = idx("j", 4);
    let(y, over(mul(num(3), node1(OP_NEG, mul(num(0.5), node1(OP_STOP, at(x, s(i)))))), num(4)), i);
    let(z, add(at(y, s(j)), node1(OP_NEG, at(x, s(j)))), j);
    output(y);
    output(z);
    expect("y[i] = -(0.375 * x[i])\nz[j] = y[j] - x[j]\n");
}

Test(simplify, a_map_read_once_joins_its_reader)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 2, 3, 4), *t = tensor(ROLE_TEMP, "t", 2, 3, 4),
           *u = tensor(ROLE_TEMP, "u", 1, 3);
    Tensor *y = tensor(ROLE_TEMP, "y", 2, 4, 3);
    const Index *i = idx("i", 3), *j = idx("j", 4), *k = idx("k", 3), *a = idx("a", 4), *b = idx("b", 3);
    let(t, node1(OP_ABS, at(x, s(i), s(j))), i, j);
    let(u, add(at(x, s(k), c(0)), num(1)), k); /* fewer indices: stays */
    let(y, mul(at(t, s(b), s(a)), at(u, s(b))), a, b);
    output(y);
    expect("u[k] = x[k, 0] + 1\ny[a, b] = abs(x[b, a]) * u[b]\n");
}

/* ---- sums ---- */
Test(simplify, a_sum_of_a_delta_has_one_hit)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 2, 3, 4), *y = tensor(ROLE_TEMP, "y", 1, 5);
    const Index *i = idx("i", 5), *k = idx("k", 4);
    reduce(let(y, node_guard(equal(s(k), sum_offset(s(i), -1)), at(x, c(1), s(k))), i), RED_SUM, k);
    output(y);
    expect("y[i] = in(i - 1, 4) ? x[1, i - 1] : 0\n");
}

Test(simplify, a_factor_without_the_index_leaves_the_sum)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 2, 3, 4), *w = tensor(ROLE_PARAM, "w", 1, 3),
           *t = tensor(ROLE_TEMP, "t", 2, 3, 4);
    Tensor *y = tensor(ROLE_TEMP, "y", 1, 3), *z = tensor(ROLE_TEMP, "z", 1, 3);
    const Index *i = idx("i", 3), *j = idx("j", 4), *a = idx("a", 3), *b = idx("b", 3), *k = idx("k", 4),
                *m = idx("m", 4);
    let(t, mul(at(x, s(i), s(j)), at(w, s(i))), i, j);
    reduce(let(y, at(t, s(a), s(k)), a), RED_SUM, k);
    reduce(let(z, mul(num(2), at(x, s(b), s(m))), b), RED_SUM, m);
    output(y);
    output(z);
    expect("y.f[a] = sum[k in 4] x[a, k]\ny[a] = y.f[a] * w[a]\nz[b] = 2 * y.f[b]\n");
}

Test(simplify, a_contraction_keeps_two_factors)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 2, 3, 4), *g = tensor(ROLE_PARAM, "g", 1, 4),
           *r = tensor(ROLE_INPUT, "r", 1, 3);
    Tensor *w = tensor(ROLE_PARAM, "w", 2, 4, 2), *t = tensor(ROLE_TEMP, "t", 2, 3, 4),
           *y = tensor(ROLE_TEMP, "y", 2, 3, 2);
    const Index *i = idx("i", 3), *j = idx("j", 4), *a = idx("a", 3), *b = idx("b", 2), *k = idx("k", 4);
    let(t, mul(mul(at(x, s(i), s(j)), at(r, s(i))), at(g, s(j))), i, j);
    reduce(let(y, mul(at(t, s(a), s(k)), at(w, s(k), s(b))), a, b), RED_SUM, k);
    output(y);
    expect("t[i, j] = x[i, j] * r[i] * g[j]\ny[a, b] = sum[k in 4] t[a, k] * w[k, b]\n");
}

Test(simplify, a_test_without_the_index_stays_at_the_equation)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 2, 3, 4), *y = tensor(ROLE_TEMP, "y", 1, 4);
    const Index *i = idx("i", 4), *k = idx("k", 4);
    const Sum *place = sum_offset(s(i), -1);
    reduce(let(y, node_guard(node_in(place, 3), at(x, place, s(k))), i), RED_SUM, k);
    output(y);
    expect("y[i] = in(i - 1, 3) ? sum[k in 4] x[i - 1, k] : 0\n");
}

Test(simplify, a_test_of_a_factor_leaves_too)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 2, 3, 4), *w = tensor(ROLE_PARAM, "w", 1, 4), *y = tensor(ROLE_TEMP, "y", 1, 4);
    const Index *i = idx("i", 4), *k = idx("k", 4);
    const Sum *place = sum_offset(s(i), -1);
    const Node *guarded = node_guard(node_in(place, 3), at(x, place, s(k)));
    reduce(let(y, mul(mul(guarded, at(w, s(k))), at(w, s(i))), i), RED_SUM, k);
    output(y);
    expect("y.f[i] = in(i - 1, 3) ? sum[k in 4] x[i - 1, k] * w[k] : 0\n"
           "y[i] = in(i - 1, 3) ? y.f[i] * w[i] : 0\n");
}

Test(simplify, nested_guards_are_one)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 1, 4), *y = tensor(ROLE_TEMP, "y", 1, 4);
    const Index *i = idx("i", 4);
    const Node *in = at(x, s(i));
    let(y, node_guard(greater(in, num(0)), node_guard(greater(in, num(0.5)), in)), i);
    output(y);
    expect("y[i] = x[i] > 0 and x[i] > 0.5 ? x[i] : 0\n");
}

/* ---- what is computed once ---- */
Test(simplify, a_costly_expression_with_fewer_indices_is_lifted)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 2, 3, 4), *v = tensor(ROLE_INPUT, "v", 1, 4),
           *y = tensor(ROLE_TEMP, "y", 2, 3, 4);
    const Index *i = idx("i", 3), *j = idx("j", 4);
    let(y, over(at(x, s(i), s(j)), node1(OP_SQRT, add(num(2), at(v, s(j))))), i, j);
    output(y);
    expect("y.inv[j] = 1 / sqrt(2 + v[j])\ny[i, j] = x[i, j] * y.inv[j]\n");
}

Test(simplify, what_is_lifted_takes_its_test_along)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 2, 3, 4), *v = tensor(ROLE_INPUT, "v", 1, 4),
           *y = tensor(ROLE_TEMP, "y", 2, 3, 4);
    const Index *i = idx("i", 3), *j = idx("j", 4);
    const Node *w = at(v, s(j));
    let(y, node_select(greater(w, num(0)), mul(node1(OP_SQRT, w), at(x, s(i), s(j))), num(5)), i, j);
    output(y);
    expect("y.sqrt[j] = v[j] > 0 ? sqrt(v[j]) : 0\ny[i, j] = v[j] > 0 ? y.sqrt[j] * x[i, j] : 5\n");
}

Test(simplify, equal_equations_are_one)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 2, 3, 4), *w = tensor(ROLE_PARAM, "w", 2, 4, 2),
           *p = tensor(ROLE_TEMP, "p", 2, 3, 2);
    Tensor *q = tensor(ROLE_TEMP, "q", 2, 3, 2), *y = tensor(ROLE_TEMP, "y", 2, 3, 2),
           *v = tensor(ROLE_STATE, "v", 2, 3, 2);
    const Index *i = idx("i", 3), *o = idx("o", 2), *k = idx("k", 4), *a = idx("a", 3), *b = idx("b", 2),
                *m = idx("m", 4);
    const Index *n = idx("n", 3), *r = idx("r", 2);
    reduce(let(p, mul(at(x, s(i), s(k)), at(w, s(k), s(o))), i, o), RED_SUM, k);
    reduce(let(q, mul(at(w, s(m), s(b)), at(x, s(a), s(m))), a, b), RED_SUM, m);
    let(y, sub(at(p, s(n), s(r)), node1(OP_EXP, at(q, s(n), s(r)))), n, r);
    output(y);
    PUSH(program->updates, ((Update){ v, q, false }));
    expect("p[i, o] = sum[k in 4] x[i, k] * w[k, o]\ny[n, r] = p[n, r] - exp(p[n, r])\n");
    cr_expect(program->updates.at[0].value == p, "the update has the tensor that is left");
}

/* ---- tests on results ---- */
Test(simplify, relu_and_dropout_store_no_mask)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 1, 6), *relu = tensor(ROLE_TEMP, "relu", 1, 6),
           *drop = tensor(ROLE_TEMP, "drop", 1, 6);
    Tensor *g = tensor(ROLE_INPUT, "g", 1, 6), *dx = tensor(ROLE_TEMP, "dx", 1, 6),
           *drelu = tensor(ROLE_TEMP, "drelu", 1, 6);
    const Index *i = idx("i", 6), *j = idx("j", 6), *k = idx("k", 6), *l = idx("l", 6);
    let(relu, node2(OP_MAX, at(x, s(i)), num(0)), i);
    const Node *kept = node2(OP_GE, node_rand(1, s(j)), num(0.5));
    let(drop, node_guard(kept, mul(at(relu, s(j)), num(2))), j);
    program->first_backward = 2;
    kept = node2(OP_GE, node_rand(1, s(k)), num(0.5));
    let(drelu, node_guard(kept, mul(at(g, s(k)), num(2))), k);
    let(dx, node_guard(greater(at(x, s(l)), num(0)), at(drelu, s(l))), l);
    output(drop);
    output(dx);
    expect("drop[j] = rand#1(j) >= 0.5 ? max(x[j], 0) * 2 : 0\ndx[l] = drop[l] > 0 ? g[l] * 2 : 0\n");
    cr_expect(program->first_backward == 1);
}

Test(simplify, a_clamp_is_tested_by_its_result)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 1, 6), *y = tensor(ROLE_TEMP, "y", 1, 6), *g = tensor(ROLE_INPUT, "g", 1, 6);
    Tensor *dx = tensor(ROLE_TEMP, "dx", 1, 6);
    const Index *i = idx("i", 6), *j = idx("j", 6);
    let(y, node2(OP_MIN, node2(OP_MAX, at(x, s(i)), num(-0.5)), num(0.5)), i);
    const Node *in = at(x, s(j)), *low = node2(OP_MAX, in, num(-0.5));
    let(dx, node_guard(node_and(node2(OP_LT, low, num(0.5)), greater(in, num(-0.5))), at(g, s(j))), j);
    output(y);
    output(dx);
    expect("y[i] = min(max(x[i], -0.5), 0.5)\ndx[j] = y[j] < 0.5 and y[j] > -0.5 ? g[j] : 0\n");
}

/* ---- places ---- */
Test(simplify, a_divided_index_becomes_two)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 2, 3, 2), *y = tensor(ROLE_TEMP, "y", 1, 6);
    const Index *i = idx("i", 6);
    let(y, node1(OP_EXP, at(x, sum_floor(s(i), 2), sum_mod(s(i), 2))), i);
    output(y);
    expect("y[(i, ir)] = exp(x[i, ir])\n");
}

Test(simplify, the_batch_is_not_split)
{
    int extent[2] = { 6, 2 };
    Tensor *x = tensor(ROLE_PARAM, "x", 2, 3, 2), *y = tensor_new("y", 1, extent, true, TYPE_FLOAT, ROLE_TEMP);
    const Index *n = index_new("n", 6, true);
    let(y, node1(OP_EXP, at(x, sum_floor(s(n), 2), sum_mod(s(n), 2))), n);
    output(y);
    Values *v = run(program);
    double before = values_of(v, y)[2];
    simplify(program);
    cr_expect(program->equations.at[0]->indices == 1 && program->equations.at[0]->index[0] == n);
    cr_expect(values_of(run(program), y)[2] == before);
}

Test(simplify, disjoint_contributions_are_pieces)
{
    Tensor *a = tensor(ROLE_INPUT, "a", 2, 3, 2), *b = tensor(ROLE_INPUT, "b", 1, 3),
           *y = tensor(ROLE_TEMP, "y", 2, 3, 3);
    const Index *i = idx("i", 3), *j = idx("j", 3);
    const Node *first = node_guard(node_in(s(j), 2), at(a, s(i), s(j)));
    let(y, add(first, node_guard(equal(s(j), c(2)), at(b, s(i)))), i, j);
    output(y);
    expect("y[i, j] = a[i, j]\ny[i, 2] = b[i]\n");
}

/* ---- loops ---- */
Test(simplify, what_is_in_no_cycle_leaves_the_loop)
{
    Tensor *x = tensor(ROLE_INPUT, "x", 1, 5), *a = tensor(ROLE_TEMP, "a", 1, 5), *h = tensor(ROLE_TEMP, "h", 1, 5);
    Tensor *y = tensor(ROLE_TEMP, "y", 1, 5);
    Loop *loop = NEW(Loop);
    *loop = (Loop){ 0, 5, 1 };
    const Index *t = idx("t", 5), *u = idx("t", 5), *v = idx("t", 5);
    const Sum *before = sum_offset(s(u), -1);
    in_loop(let(a, node1(OP_EXP, at(x, s(t))), t), loop, t);
    in_loop(let(h, add(at(a, s(u)), node_guard(node_in(before, 5), at(h, before))), u), loop, u);
    in_loop(let(y, node1(OP_TANH, at(h, s(v))), v), loop, v);
    output(y);
    expect("a[t] = exp(x[t])\n| h[t] = a[t] + (in(t - 1, 5) ? h[t - 1] : 0)\ny[t] = tanh(h[t])\n");
}

/* ---- the batch ---- */
Test(simplify, a_mean_over_the_batch_keeps_its_count)
{
    int extent[2] = { 8, 4 };
    Tensor *x = tensor_new("x", 2, extent, true, TYPE_FLOAT, ROLE_INPUT), *m = tensor(ROLE_TEMP, "m", 1, 4);
    Tensor *y = tensor_new("y", 2, extent, true, TYPE_FLOAT, ROLE_TEMP), *sum = tensor(ROLE_TEMP, "sum", 1, 4);
    const Index *n = index_new("n", 8, true), *k = index_new("n", 8, true), *i = idx("i", 4), *j = idx("j", 4),
                *l = idx("l", 4);
    reduce(let(sum, at(x, s(k), s(i)), i), RED_SUM, k);
    let(m, over(at(sum, s(l)), node_to_float(node_count(1))), l);
    let(y, sub(at(x, s(n), s(j)), at(m, s(j))), n, j);
    output(y);
    expect("sum[i] = sum[n] x[n, i]\nm[l] = sum[l] * (1 / float(count(n)))\ny[n, j] = x[n, j] - m[j]\n");
}

/* ---- whole models, through the front end ---- */
static void elaborate_text(const char *text, int batch)
{
    Source *source = NEW(Source);
    *source = (Source){ .name = "test.dln", .text = text, .length = strlen(text) };
    Symbols symbols = { 0 };
    diag_begin(stderr, DIAG_TEXT, false);
    symbols_add_library(&symbols);
    symbols_add(&symbols, parse_source(source), false);
    Model *m = NEW(Model);
    m->batch = batch;
    m->initialize = NEW(Program);
    m->initialize->first_backward = -1;
    program->training = true;
    Elaboration *e = elaboration_new(&symbols, m, program, true);
    elaborate_model(e, symbols.models.at[0]);
    cr_assert(error_count() == 0);
    Tensor *loss = elaborated_value(e), *one = tensor(ROLE_CONST, "one", 0);
    one->data = arena_copy(&(double){ 1 }, sizeof(double));
    Gradient given = { loss, one }, *wanted = NEW_ARRAY(Gradient, m->kept.count);
    for (int i = 0; i < m->kept.count; i++) wanted[i].of = m->kept.at[i];
    differentiate(program, &given, 1, wanted, m->kept.count);
    output(loss);
    for (int i = 0; i < m->kept.count; i++) output(wanted[i].gradient);
}

/* The hand-written network that the project began with: neither relu nor the mask of dropout is stored, one division
 * for a row, the gradient of softmax and loss is e / s - onehot. */
Test(simplify, mnist_perceptron)
{
    elaborate_text("model seed {\n"
                   "  input label: int[]\n"
                   "  input image: float[4, 3]\n"
                   "  rescale(1/256) -> flatten -> dense(5, relu) -> dropout(0.5)\n"
                   "  z = dense(3)\n"
                   "  l = softmax_crossentropy(z, label)\n"
                   "  y = mean[n..] l[n..]\n"
                   "}\n",
                   4);
    expect("flatten.y[n, (k0, k1)] = 0.00390625 * image[n, k0, k1]\n"
           "dense.z[n0, o] = sum[i in 12] flatten.y[n0, i] * dense.w[i, o]\n"
           "dropout.y[n0, n1] = rand#0(n0, n1) >= 0.5 ? max(dense.z[n0, n1] + dense.b[n1], 0) * 2 : 0\n"
           "dense_2.z[n0, o] = sum[i in 5] dropout.y[n0, i] * dense_2.w[i, o]\n"
           "dense_2.z'[n0, o] = dense_2.z[n0, o] + dense_2.b[o]\n"
           "softmax_crossentropy.m.max[n0] = max[c in 3] dense_2.z'[n0, c]\n"
           "softmax_crossentropy.l.sum.exp[n0, c] = exp(dense_2.z'[n0, c] - softmax_crossentropy.m.max[n0])\n"
           "softmax_crossentropy.l.sum[n0] = sum[c in 3] softmax_crossentropy.l.sum.exp[n0, c]\n"
           "softmax_crossentropy.l[n0] = log(softmax_crossentropy.l.sum[n0]) + softmax_crossentropy.m.max[n0] - "
           "dense_2.z'[n0, label[n0]]\n"
           "y.sum = sum[n0] softmax_crossentropy.l[n0]\n"
           "y = y.sum * (1 / float(count(n)))\n"
           "dsoftmax_crossentropy.l.sum[n0] = 1 / float(count(n)) / softmax_crossentropy.l.sum[n0]\n"
           "ddense_2.z'[n0, o] = (label[n0] == o ? -(1 / float(count(n))) : 0) + dsoftmax_crossentropy.l.sum[n0] * "
           "softmax_crossentropy.l.sum.exp[n0, o]\n"
           "ddropout.y[n0, n1] = sum[o in 3] ddense_2.z'[n0, o] * dense_2.w[n1, o]\n"
           "ddense.z'[n0, o] = dropout.y[n0, o] > 0 ? ddropout.y[n0, o] * 2 : 0\n"
           "ddense.w[i, j] = sum[n0] ddense.z'[n0, j] * flatten.y[n0, i]\n"
           "ddense.b[i] = sum[n0] ddense.z'[n0, i]\n"
           "ddense_2.w[i, j] = sum[n0] ddense_2.z'[n0, j] * dropout.y[n0, i]\n"
           "ddense_2.b[i] = sum[n0] ddense_2.z'[n0, i]\n");
}
