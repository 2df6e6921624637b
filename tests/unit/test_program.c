/* test_program.c: sums and nodes fold and are shared, substitution, names, printing. */
#include "base/text.h"
#include "tensor/program.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void begin(void) { arena_release(); program_reset(); }
TestSuite(program, .init = begin);

static const Sum *plus(const Sum *a, int k, const Sum *b) { return sum_add(a, sum_scale(b, k)); }
static const Sum *axis(const char *name, int extent) { return sum_index(index_new(name, extent, false)); }

Test(program, sums_are_shared)
{
    const Sum *i = axis("i", 5), *j = axis("j", 7);
    cr_assert(plus(i, 3, j) == sum_add(sum_scale(j, 3), i));
    cr_assert(sum_sub(plus(i, 3, j), i) == sum_scale(j, 3));
    cr_assert(sum_sub(i, i) == sum_constant(0));
    Range r = sum_range(sum_offset(plus(i, -3, j), 2));
    cr_assert(eq(i64, r.low, 2 - 18));
    cr_assert(eq(i64, r.high, 2 + 4));
}

Test(program, floor_and_mod_of_a_fused_axis)
{
    const Sum *i = axis("i", 5), *j = axis("j", 7), *place = sum_add(sum_scale(i, 7), j);
    cr_assert(sum_floor(place, 7) == i);
    cr_assert(sum_mod(place, 7) == j);
    const Sum *p = axis("p", 35);
    cr_assert(plus(sum_mod(p, 7), 7, sum_floor(p, 7)) == p);
    cr_assert(plus(sum_scale(sum_mod(p, 7), 2), 14, sum_floor(p, 7)) == sum_scale(p, 2));
    cr_assert(sum_floor(sum_constant(-1), 7) == sum_constant(-1));
    cr_assert(sum_mod(sum_constant(-1), 7) == sum_constant(6));
    cr_assert(sum_floor(sum_offset(p, -1), 7) == sum_offset(sum_floor(sum_offset(p, 6), 7), -1));
    cr_assert(sum_exact(sum_scale(p, 4), 2) == sum_scale(p, 2));
}

Test(program, overflow_is_an_error_of_the_program)
{
    diag_begin(fopen("/dev/null", "w"), DIAG_TEXT, false);
    const Sum *i = axis("i", 5);
    sum_scale(sum_scale(i, 2000000000), 2000000000);
    sum_scale(sum_scale(i, 2000000000), 2000000000);
    cr_assert(eq(int, error_count(), 1));
}

Test(program, constructors_fold)
{
    const Node *i = node_sum(axis("i", 5));
    cr_assert(node_is_true(node_in(sum_node(i), 5)));
    cr_assert(node_in(sum_node(i), 4)->op == OP_IN);
    cr_assert(node_is_false(node2(OP_GE, i, node_int(5))));
    cr_assert(node_is_true(node2(OP_EQ, node2(OP_ADD, i, node_int(1)), node2(OP_ADD, node_int(1), i))));
    const Node *x = node1(OP_SIN, i);
    cr_assert(node2(OP_ADD, node_int(0), x) == x);
    cr_assert(node2(OP_MUL, x, node_int(1)) == x);
    cr_assert(node1(OP_NEG, node1(OP_NEG, x)) == x);
    cr_assert(node_is_number(node2(OP_DIV, node_int(1), node_int(4)), 0.25));
    const Node *c = node2(OP_GT, x, node_float(0));
    cr_assert(node_select(node1(OP_NOT, c), x, i) == node_select(c, i, x));
    cr_assert(node_select(c, x, x) == x);
    cr_assert(node2(OP_AND, c, node_bool(true)) == c);
    cr_assert(node_is_false(node2(OP_AND, c, node_bool(false))));
    cr_assert(node2(OP_MOD, node_int(-1), node_int(5)) == node_int(4));
    cr_assert(node2(OP_MOD, node_int(1), node_int(-5)) == node_int(-4));
    cr_assert(node1(OP_LOG, node_float(0))->number == -INFINITY);
    cr_assert(fabs(node1(OP_PROBIT, node_float(0.975))->number - 1.959963984540054) < 1e-14);
}

Test(program, types_meet)
{
    const Node *i = node_sum(axis("i", 5)), *b = node2(OP_EQ, i, node_int(2));
    cr_assert(b->type == TYPE_BOOL);
    cr_assert(node2(OP_ADD, i, i)->type == TYPE_INT);
    cr_assert(node2(OP_DIV, i, i)->type == TYPE_FLOAT);
    cr_assert(node2(OP_ADD, b, b)->type == TYPE_FLOAT);
    cr_assert(node2(OP_MUL, b, node_float(2)) == node2(OP_MUL, node_to_float(b), node_int(2)));
    cr_assert(node_select(b, node_int(1), node_int(0))->type == TYPE_FLOAT);
    cr_assert(node_select(b, i, node_int(0))->type == TYPE_INT);
    cr_assert(node1(OP_TO_INT, node_float(-2.7)) == node_int(-2));
}

Test(program, substitution_folds_and_is_simultaneous)
{
    const Index *i = index_new("i", 6, false), *j = index_new("j", 6, false);
    Tensor *t = tensor_new("t", 2, (int[]){ 6, 6 }, false, TYPE_FLOAT, ROLE_INPUT);
    const Node *e = node_read_at(t, (const Index *[]){ i, j });
    Substitution s = {0};
    substitution_set(&s, i, sum_index(j));
    substitution_set(&s, j, sum_index(i));
    cr_assert(node_substitute(e, &s) == node_read_at(t, (const Index *[]){ j, i }));
    Substitution half = {0};
    substitution_set(&half, i, sum_constant(3));
    const Node *test = node_in(sum_offset(sum_index(i), -1), 6);
    cr_assert(node_is_true(node_substitute(test, &half)));
    cr_assert(node_substitute(node1(OP_EXP, e), &half)->arg[0]->sum[0] == sum_constant(3));
}

static const Node *count_node(const Node *e, void *data)
{
    ++*(int *)data;
    return e;
}
static void count_visit(const Node *e, void *data) { count_node(e, data); }

Test(program, walks_are_linear_in_distinct_nodes)
{
    const Index *i = index_new("i", 6, false);
    const Node *e = node1(OP_SIN, node_sum(sum_index(i)));
    for (int k = 0; k < 60; k++)
        e = node2(OP_MUL, e, e);
    int walked = 0, visited = 0;
    cr_assert(node_walk(e, count_node, &walked) == e);
    node_visit(e, count_visit, &visited);
    cr_assert(eq(int, walked, 63));
    cr_assert(eq(int, visited, 63));
    Substitution s = {0};
    substitution_set(&s, i, sum_constant(0));
    cr_assert(node_is_number(node_substitute(e, &s), 0));
}

Test(program, conjuncts)
{
    const Node *x = node1(OP_SIN, node_sum(axis("i", 5))), *test = NULL, *part[2];
    for (int k = 0; k < 3; k++)
        test = node_and(test, node2(OP_GT, x, node_float(k)));
    cr_assert(eq(int, node_conjuncts(test, part, 2), 3));
    cr_assert(part[1] == node2(OP_GT, x, node_float(1)));
    cr_assert(eq(int, node_conjuncts(NULL, part, 2), 0));
}

Test(program, names_are_unique)
{
    const char *want[] = { "x", "x'", "x''", "x'''", "x_5", "x_6" };
    tensor_new("x_4", 0, NULL, false, TYPE_FLOAT, ROLE_TEMP);
    for (int k = 0; k < 6; k++)
        cr_assert(eq(str, (char *)tensor_new("x", 0, NULL, false, TYPE_FLOAT, ROLE_TEMP)->name, (char *)want[k]));
}

static Equation *dense(void)
{
    const Index *n = index_new("n", 8, true), *i = index_new("i", 12, false), *o = index_new("i", 3, false);
    Tensor *x = tensor_new("x", 3, (int[]){ 8, 4, 3 }, true, TYPE_FLOAT, ROLE_INPUT);
    Tensor *w = tensor_new("w", 2, (int[]){ 12, 3 }, false, TYPE_FLOAT, ROLE_PARAM);
    Tensor *y = tensor_new("y", 2, (int[]){ 8, 3 }, true, TYPE_FLOAT, ROLE_TEMP);
    const Sum *at = sum_index(i), *subs[] = { sum_index(n), sum_floor(at, 3), sum_mod(at, 3) };
    Equation *e = equation_map(y, (const Index *[]){ n, o },
                               node2(OP_MUL, node_read(x, subs), node_read_at(w, (const Index *[]){ i, o })));
    e->reduction = RED_SUM;
    e->reduced_count = 1;
    e->reduced[0] = i;
    return e;
}

Test(program, prints_as_the_language)
{
    cr_assert(eq(str, (char *)equation_text(dense()), "y[n, i] = sum[i2 in 12] x[n, i2 // 3, i2 % 3] * w[i2, i]"));
    const Index *i = index_new("i", 5, false), *j = index_new("j", 7, false);
    const Sum *place = sum_add(sum_scale(sum_index(i), 7), sum_index(j));
    cr_assert(eq(str, (char *)sum_text(place), "(i, j)"));
    cr_assert(eq(str, (char *)sum_text(sum_offset(sum_sub(sum_index(j), place), -2)), "-7 i - 2"));
    const Node *x = node1(OP_SIN, node_sum(place)), *y = node_float(0.1);
    const Node *power = node2(OP_POW, node2(OP_SUB, x, node1(OP_NEG, x)), node_float(2));
    cr_assert(eq(str, (char *)node_text(node2(OP_SUB, y, node2(OP_SUB, power, y))),
                 "0.1 - ((sin(float((i, j))) - -sin(float((i, j))))^2 - 0.1)"));
    cr_assert(eq(str, (char *)node_text(node_guard(node_in(sum_sub(place, sum_constant(3)), 9), x)),
                 "in(7 i + j - 3, 9) ? sin(float((i, j))) : 0"));
    cr_assert(eq(str, (char *)node_text(node2(OP_MUL, y, node_float(-2.5))), "-0.25"));
}

Test(program, prints_a_program)
{
    Program p = { .name = "step", .training = true, .first_backward = -1 };
    Equation *e = dense();
    PUSH(p.equations, e);
    PUSH(p.outputs, ((Output){ "y", e->out }));
    char *text = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&text, &length);
    program_print(&p, to);
    fclose(to);
    cr_assert(eq(str, text, "# program step, training\n"
                            "input   x: [n, 4, 3]\n"
                            "param   w: [12, 3]\n"
                            "y[n, i] = sum[i2 in 12] x[n, i2 // 3, i2 % 3] * w[i2, i]\n"
                            "output y = y\n"));
    free(text);
}
