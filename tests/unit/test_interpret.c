/* test_interpret.c: the oracle and the verifier, on programs written by hand. */
#include "tensor/program.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include "core/rng.h"

static void begin(void) { arena_release(); program_reset(); }
TestSuite(interpret, .init = begin);
TestSuite(verify, .init = begin);

static const Index *idx(const char *name, int extent) { return index_new(name, extent, false); }
static Tensor *tensor1(const char *name, int a, Role role) { return tensor_new(name, 1, &a, false, TYPE_FLOAT, role); }
static Tensor *tensor2(const char *name, int a, int b, Role role)
{
    return tensor_new(name, 2, (int[]){ a, b }, false, TYPE_FLOAT, role);
}
static const Node *read1(Tensor *t, const Sum *a) { return node_read(t, &a); }

static Equation *add(Program *p, Equation *e)
{
    PUSH(p->equations, e);
    return e;
}

static Equation *reduce(Equation *e, Reduction reduction, const Index *k)
{
    e->reduction = reduction;
    e->reduced[e->reduced_count++] = k;
    return e;
}

static void run(Program *p, Values *v)
{
    program_verify(p, "the test");
    interpret(p, v);
}

static void fill(double *to, int count)
{
    for (int i = 0; i < count; i++)
        to[i] = sin(i * 12.9898 + 1);
}

/* y[i] = sum[r in 3] in(i + r - 1, 600) ? x[i + r - 1] : 0, longer than a block of lanes */
Test(interpret, padded_window)
{
    Program p = { .first_backward = -1 };
    Tensor *x = tensor1("x", 600, ROLE_INPUT), *y = tensor1("y", 600, ROLE_TEMP);
    const Index *i = idx("i", 600), *r = idx("r", 3);
    const Sum *at = sum_offset(sum_add(sum_index(i), sum_index(r)), -1);
    reduce(add(&p, equation_map(y, &i, node_guard(node_in(at, 600), read1(x, at)))), RED_SUM, r);
    Values *v = values_new(1, 0, 0);
    double *in = values_of(v, x), *out = values_of(v, y);
    fill(in, 600);
    run(&p, v);
    for (int k = 0; k < 600; k++)
        cr_assert(fabs(out[k] - ((k ? in[k - 1] : 0) + in[k] + (k < 599 ? in[k + 1] : 0))) < 1e-12);
    cr_assert(eq(int, program_unproved(&p), 0));
}

Test(interpret, unguarded_read_is_a_bug, .exit_code = 70)
{
    Program p = { .first_backward = -1 };
    Tensor *x = tensor1("x", 6, ROLE_INPUT), *y = tensor1("y", 6, ROLE_TEMP);
    const Index *i = idx("i", 6);
    add(&p, equation_map(y, &i, read1(x, sum_offset(sum_index(i), 1))));
    cr_assert(eq(int, program_unproved(&p), 1));
    run(&p, values_new(1, 0, 0));
}

Test(interpret, unguarded_read_before_the_first_is_a_bug, .exit_code = 70)
{
    Program p = { .first_backward = -1 };
    Tensor *x = tensor1("x", 6, ROLE_INPUT), *y = tensor1("y", 6, ROLE_TEMP);
    const Index *i = idx("i", 6);
    add(&p, equation_map(y, &i, read1(x, sum_offset(sum_index(i), -1))));
    run(&p, values_new(1, 0, 0));
}

/* From the other end: the first lane reads beyond, the last one does not. */
Test(interpret, unguarded_read_backwards_is_a_bug, .exit_code = 70)
{
    Program p = { .first_backward = -1 };
    Tensor *x = tensor1("x", 6, ROLE_INPUT), *y = tensor1("y", 6, ROLE_TEMP);
    const Index *i = idx("i", 6);
    add(&p, equation_map(y, &i, read1(x, sum_offset(sum_scale(sum_index(i), -1), 6))));
    run(&p, values_new(1, 0, 0));
}

/* The equation's own test guards its reads; so does the left side of an `and`. */
Test(interpret, tests_guard)
{
    Program p = { .first_backward = -1 };
    Tensor *x = tensor1("x", 6, ROLE_INPUT), *y = tensor1("y", 6, ROLE_TEMP), *z = tensor1("z", 6, ROLE_TEMP);
    const Index *i = idx("i", 6), *j = idx("j", 6);
    const Sum *at = sum_offset(sum_index(i), 1), *back = sum_offset(sum_index(j), -1);
    add(&p, equation_map(y, &i, read1(x, at)))->test = node_in(at, 6);
    const Node *c = node2(OP_AND, node_in(back, 6), node2(OP_GT, read1(y, back), node_float(0)));
    add(&p, equation_map(z, &j, node_select(c, node_float(1), node_float(2))));
    Values *v = values_new(1, 0, 0);
    fill(values_of(v, x), 6);
    run(&p, v);
    cr_assert(eq(int, program_unproved(&p), 0));
    cr_assert(values_of(v, y)[5] == 0 && values_of(v, y)[4] == values_of(v, x)[5]);
    cr_assert(values_of(v, z)[0] == 2);
    for (int k = 1; k < 6; k++)
        cr_assert(values_of(v, z)[k] == (values_of(v, y)[k - 1] > 0 ? 1 : 2));
}

Test(interpret, argmax_takes_the_first)
{
    Program p = { .first_backward = -1 };
    Tensor *x = tensor2("x", 2, 4, ROLE_INPUT), *all = tensor_new("all", 0, NULL, false, TYPE_INT, ROLE_TEMP);
    Tensor *row = tensor_new("row", 1, (int[]){ 2 }, false, TYPE_INT, ROLE_TEMP);
    const Index *i = idx("i", 2), *j = idx("j", 4), *a = idx("a", 2), *b = idx("b", 4);
    Equation *e = add(&p, equation_new(all, NULL, 0, NULL, node_read_at(x, (const Index *[]){ a, b })));
    reduce(reduce(e, RED_ARGMAX, a), RED_ARGMAX, b);
    reduce(add(&p, equation_map(row, &i, node_read_at(x, (const Index *[]){ i, j }))), RED_ARGMIN, j);
    Values *v = values_new(1, 0, 0);
    double data[] = { 1, 7, 0, 0, 7, 2, 7, 2 };
    for (int k = 0; k < 8; k++)
        values_of(v, x)[k] = data[k];
    run(&p, v);
    cr_assert(values_of(v, all)[0] == 1);
    cr_assert(values_of(v, row)[0] == 2 && values_of(v, row)[1] == 1);
}

/* h[t] = (h[t - 1] else 1) * 2, then backwards g[t] = (g[t + 1] else 0) + h[t]; the batch cut to n = 2 of 5 */
Test(interpret, scans_and_batches)
{
    Program p = { .first_backward = -1 };
    int shape[] = { 5, 4 };
    Tensor *x = tensor_new("x", 1, shape, true, TYPE_FLOAT, ROLE_INPUT);
    Tensor *h = tensor_new("h", 2, shape, true, TYPE_FLOAT, ROLE_TEMP);
    Tensor *g = tensor_new("g", 2, shape, true, TYPE_FLOAT, ROLE_TEMP);
    Tensor *mean = tensor_new("mean", 0, NULL, false, TYPE_FLOAT, ROLE_TEMP);
    Loop forward = { 0, 4, 1 }, backward = { 1, 4, -1 };
    for (int k = 0; k < 2; k++) {
        const Index *n = index_new("n", 5, true), *t = idx("t", 4);
        const Sum *at = sum_offset(sum_index(t), k ? 1 : -1), *subs[] = { sum_index(n), at };
        const Node *before = node_read(k ? g : h, subs), *inside = node_in(at, 4);
        const Node *e = k ? node2(OP_ADD, node_guard(inside, before), node_read_at(h, (const Index *[]){ n, t }))
                          : node2(OP_MUL, node_select(inside, before, node_read_at(x, &n)), node_float(2));
        Equation *q = add(&p, equation_map(k ? g : h, (const Index *[]){ n, t }, e));
        q->loop = k ? &backward : &forward;
        q->step = t;
    }
    const Index *m = index_new("m", 5, true);
    const Node *part = node2(OP_DIV, node_read(g, (const Sum *[]){ sum_index(m), sum_constant(0) }), node_count(1));
    reduce(add(&p, equation_new(mean, NULL, 0, NULL, part)), RED_SUM, m);
    Values *v = values_new(2, 0, 0);
    values_of(v, x)[0] = 1;
    values_of(v, x)[1] = 3;
    run(&p, v);
    cr_assert(values_of(v, h)[3] == 16 && values_of(v, h)[7] == 48);
    cr_assert(values_of(v, g)[0] == 30 && values_of(v, g)[4] == 90);
    cr_assert(values_of(v, mean)[0] == 60);
}

/* table[label[i]] is read within its axis; its gradient is a scatter: d[label[i]] += i + 1 */
Test(interpret, gathers_and_scatters)
{
    Program p = { .first_backward = -1 };
    Tensor *label = tensor_new("label", 1, (int[]){ 5 }, false, TYPE_INT, ROLE_INPUT);
    Tensor *table = tensor1("table", 3, ROLE_PARAM), *y = tensor1("y", 5, ROLE_TEMP), *d = tensor1("d", 3, ROLE_TEMP);
    const Index *i = idx("i", 5), *j = idx("j", 5);
    add(&p, equation_map(y, &i, read1(table, sum_node(node_read_at(label, &i)))));
    const Sum *left = sum_node(node_read_at(label, &j));
    add(&p, equation_new(d, &left, 1, &j, node_to_float(node_sum(sum_offset(sum_index(j), 1)))));
    Values *v = values_new(1, 0, 0);
    double labels[] = { 2, 0, 2, 9, 1 };
    for (int k = 0; k < 5; k++)
        values_of(v, label)[k] = labels[k];
    fill(values_of(v, table), 3);
    for (int times = 0; times < 2; times++)
        run(&p, v);
    cr_assert(values_of(v, y)[3] == values_of(v, table)[2]);
    cr_assert(values_of(v, d)[0] == 2 && values_of(v, d)[1] == 5 && values_of(v, d)[2] == 1 + 3 + 4);
}

Test(interpret, random_numbers_follow_seed_iteration_and_element)
{
    Program p = { .first_backward = -1 };
    Tensor *u = tensor1("u", 4000, ROLE_TEMP), *z = tensor_new("z", 0, NULL, false, TYPE_FLOAT, ROLE_TEMP);
    const Index *i = idx("i", 4000), *j = idx("j", 4000);
    add(&p, equation_map(u, &i, node_rand(3, sum_index(i))));
    const Node *normal = node1(OP_PROBIT, node_rand(3, sum_index(j)));
    reduce(add(&p, equation_new(z, NULL, 0, NULL, node2(OP_POW, normal, node_float(2)))), RED_SUM, j);
    Values *v = values_new(1, 1, 1);
    run(&p, v);
    uint32_t key = dln_key(1, 1, 3);             /* the numbers of the generated C */
    for (int k = 0; k < 4000; k++) cr_assert(values_of(v, u)[k] == dln_uniform(dln_bits(key, (uint32_t)k)));
    double first = values_of(v, u)[7], sum = 0;
    for (int k = 0; k < 4000; k++)
        sum += values_of(v, u)[k];
    cr_assert(fabs(sum / 4000 - 0.5) < 0.02);
    cr_assert(fabs(values_of(v, z)[0] / 4000 - 1) < 0.08);
    values_iteration(v, 2);
    run(&p, v);
    cr_assert(values_of(v, u)[7] != first);
    values_iteration(v, 1);
    run(&p, v);
    cr_assert(values_of(v, u)[7] == first);
}

/* a <- b, b <- a, total += a: all values are read before any is written */
Test(interpret, updates)
{
    Program p = { .first_backward = -1 };
    Tensor *a = tensor1("a", 1, ROLE_STATE), *b = tensor1("b", 1, ROLE_STATE), *total = tensor1("t", 1, ROLE_TOTAL);
    PUSH(p.updates, ((Update){ a, b, false }));
    PUSH(p.updates, ((Update){ b, a, false }));
    PUSH(p.updates, ((Update){ total, a, true }));
    Values *v = values_new(1, 0, 0);
    values_of(v, a)[0] = 1;
    values_of(v, b)[0] = 2;
    run(&p, v);
    run(&p, v);
    cr_assert(values_of(v, a)[0] == 1 && values_of(v, b)[0] == 2 && values_of(v, total)[0] == 3);
}

/* ---- the verifier finds ---- */
static Program *copy_program(Tensor **x, Tensor **y)
{
    static Program p;
    p = (Program){ .name = "copy", .first_backward = -1 };
    *x = tensor1("x", 6, ROLE_INPUT);
    *y = tensor1("y", 6, ROLE_TEMP);
    return &p;
}

Test(verify, a_place_written_twice, .exit_code = 70)
{
    Tensor *x, *y;
    Program *p = copy_program(&x, &y);
    for (int k = 0; k < 2; k++) {
        const Index *i = idx("i", 3);
        const Sum *left = sum_offset(sum_index(i), 2 * k);
        add(p, equation_new(y, &left, 1, &i, read1(x, sum_index(i))));
    }
    program_verify(p, "the test");
}

Test(verify, a_place_not_written, .exit_code = 70)
{
    Tensor *x, *y;
    Program *p = copy_program(&x, &y);
    const Index *i = idx("i", 3);
    const Sum *left = sum_index(i);
    add(p, equation_new(y, &left, 1, &i, read1(x, sum_index(i))));
    program_verify(p, "the test");
}

Test(verify, an_index_from_nowhere, .exit_code = 70)
{
    Tensor *x, *y;
    Program *p = copy_program(&x, &y);
    const Index *i = idx("i", 6), *j = idx("j", 6);
    add(p, equation_map(y, &i, read1(x, sum_index(j))));
    program_verify(p, "the test");
}

Test(verify, a_read_too_early, .exit_code = 70)
{
    Tensor *x, *y;
    Program *p = copy_program(&x, &y);
    Tensor *z = tensor1("z", 6, ROLE_TEMP);
    const Index *i = idx("i", 6), *j = idx("j", 6);
    add(p, equation_map(y, &i, read1(z, sum_index(i))));
    add(p, equation_map(z, &j, read1(x, sum_index(j))));
    program_verify(p, "the test");
}

Test(verify, the_batch_index_in_another_axis, .exit_code = 70)
{
    Tensor *x, *y;
    Program *p = copy_program(&x, &y);
    const Index *n = index_new("n", 6, true);
    Tensor *z = tensor_new("z", 1, (int[]){ 6 }, true, TYPE_FLOAT, ROLE_TEMP);
    add(p, equation_map(z, &n, read1(x, sum_index(n))));
    program_verify(p, "the test");
}
