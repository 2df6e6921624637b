/* test_verify.c: one sound program, and what the verifier says when one thing in it is spoilt: `cases` names each way, the
 * function that spoils it and the words of the message. Each runs in a process of its own, which must end as a bug does.
 * SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "tensor/program.h"
#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void begin(void)
{
    arena_release();
    program_reset();
    names_reset();
}
TestSuite(spoilt, .init = begin);

/* map:   y[n, i] = x[n, i]                                sum:   v[j] = sum[k] w[j, k]
 * first: h[n, t] = (t > 0 ? g[n, t - 1] : 0) + y[n, t]    then:  g[n, t] = h[n, t]       in one loop over t
 * state <- v; output y */
typedef struct Parts {
    Program p;
    Tensor *x, *y, *w, *v, *h, *g, *state;
    const Index *n, *i, *j, *k, *t, *t2;
    Equation *map, *sum, *first, *then;
} Parts;

static Tensor *tensor2(const char *name, int a, int b, bool batch, Role role)
{
    return tensor_new(name, 2, (int[]){ a, b }, batch, TYPE_FLOAT, role);
}
static const Node *read2(Tensor *t, const Sum *a, const Sum *b) { return node_read(t, (const Sum *[]){ a, b }); }
static const Sum *at(const Index *i, int offset) { return sum_offset(sum_index(i), offset); }

static Equation *scan(Parts *s, Tensor *out, Loop *loop, const Index *n, const Index *t, const Node *value)
{
    Equation *e = equation_map(out, (const Index *[]){ n, t }, value);
    e->loop = loop;
    e->step = t;
    PUSH(s->p.equations, e);
    return e;
}

static Parts *parts_new(void)
{
    Parts *s = NEW(Parts);
    int six = 6;
    s->p = (Program){ .name = "sound", .first_backward = -1 };
    s->n = index_new("n", 4, true);
    s->i = index_new("i", 6, false);
    s->j = index_new("j", 6, false);
    s->k = index_new("k", 6, false);
    s->t = index_new("t", 6, false);
    s->t2 = index_new("t", 6, false);
    s->x = tensor2("x", 4, 6, true, ROLE_INPUT);
    s->y = tensor2("y", 4, 6, true, ROLE_TEMP);
    s->h = tensor2("h", 4, 6, true, ROLE_TEMP);
    s->g = tensor2("g", 4, 6, true, ROLE_TEMP);
    s->w = tensor2("w", 6, 6, false, ROLE_PARAM);
    s->v = tensor_new("v", 1, &six, false, TYPE_FLOAT, ROLE_TEMP);
    s->state = tensor_new("state", 1, &six, false, TYPE_FLOAT, ROLE_STATE);
    s->map = equation_map(s->y, (const Index *[]){ s->n, s->i }, node_read_at(s->x, (const Index *[]){ s->n, s->i }));
    PUSH(s->p.equations, s->map);
    s->sum = equation_map(s->v, &s->j, node_read_at(s->w, (const Index *[]){ s->j, s->k }));
    s->sum->reduction = RED_SUM;
    s->sum->reduced[s->sum->reduced_count++] = s->k;
    PUSH(s->p.equations, s->sum);
    Loop *loop = NEW(Loop);
    *loop = (Loop){ .id = 1, .extent = 6, .step = 1 };
    const Index *n = index_new("n", 4, true), *n2 = index_new("n", 4, true);
    const Node *before = node_guard(node_in(at(s->t, -1), 6), read2(s->g, sum_index(n), at(s->t, -1)));
    s->first = scan(s, s->h, loop, n, s->t, node2(OP_ADD, before, read2(s->y, sum_index(n), sum_index(s->t))));
    s->then = scan(s, s->g, loop, n2, s->t2, read2(s->h, sum_index(n2), sum_index(s->t2)));
    PUSH(s->p.updates, ((Update){ s->state, s->v, false }));
    PUSH(s->p.outputs, ((Output){ "y", s->y }));
    return s;
}

static void swap(Parts *s, int a, int b)
{
    Equation *e = s->p.equations.at[a];
    s->p.equations.at[a] = s->p.equations.at[b];
    s->p.equations.at[b] = e;
}

/* ---- ways to spoil it ---- */
static void index_twice(Parts *s) { s->sum->reduced[s->sum->reduced_count++] = s->j; }
static void index_unknown(Parts *s) { s->map->value = read2(s->x, sum_index(s->n), sum_index(s->k)); }
static void test_of_reduced(Parts *s) { s->sum->test = node_in(at(s->k, -1), 6); }
static void left_of_another(Parts *s) { s->map->left[1] = sum_index(s->k); }
static void left_lacks_one(Parts *s) { s->map->index[s->map->indices++] = index_new("more", 2, false); }
static void writes_kept(Parts *s) { s->v->role = ROLE_STATE; }
static void sum_of_nothing(Parts *s) { s->map->reduction = RED_SUM; }
static void no_reduction(Parts *s) { s->sum->reduction = RED_NONE; }
static void any_of_floats(Parts *s) { s->sum->reduction = RED_ANY; }
static void all_into_float(Parts *s)
{
    s->sum->reduction = RED_ALL;
    s->sum->value = node2(OP_GT, s->sum->value, node_float(0));
}
static void argmax_into_float(Parts *s) { s->sum->reduction = RED_ARGMAX; }
static void sum_of_bools(Parts *s)
{
    s->sum->value = node2(OP_GT, s->sum->value, node_float(0));
    s->v->type = TYPE_BOOL;
}
static void max_of_ints(Parts *s)
{
    s->sum->reduction = RED_MAX;
    s->sum->value = node_sum(sum_index(s->k));
}
static void test_is_a_number(Parts *s) { s->map->test = node_to_float(node_sum(sum_index(s->i))); }
static void left_before(Parts *s) { s->map->left[1] = at(s->i, -1); }
static void left_behind(Parts *s) { s->map->left[1] = at(s->i, 1); }
static void left_floor(Parts *s) { s->map->left[1] = sum_floor(sum_index(s->i), 2); }
static void batch_is_constant(Parts *s) { s->map->value = read2(s->x, sum_constant(0), sum_index(s->i)); }
static void batch_is_an_axis(Parts *s) { s->map->value = read2(s->x, sum_index(s->i), sum_constant(0)); }
static void batch_of_another_length(Parts *s)
{
    s->map->index[0] = index_new("n", 5, true);
    s->map->value = node_float(1);
    s->map->left[0] = sum_index(s->map->index[0]);
}
static void batch_in_axis(Parts *s) { s->map->value = read2(s->w, sum_index(s->n), sum_index(s->i)); }
static void batch_in_floor(Parts *s) { s->map->value = node_to_float(node_sum(sum_floor(sum_index(s->n), 2))); }
static void batch_in_mod(Parts *s) { s->map->value = node_to_float(node_sum(sum_mod(sum_index(s->n), 2))); }
static void batch_in_range(Parts *s) { s->map->value = node_guard(node_in(sum_index(s->n), 2), s->map->value); }
static void read_of_another_type(Parts *s) { s->x->type = TYPE_INT; }
static void read_of_another_rank(Parts *s) { s->w->rank = 1; }
static void read_never_made(Parts *s)
{
    s->map->value = read2(tensor2("z", 4, 6, true, ROLE_TEMP), sum_index(s->n), sum_index(s->i));
}
static void read_of_itself(Parts *s) { s->map->value = read2(s->y, sum_index(s->n), sum_index(s->i)); }
static void loop_without_step(Parts *s) { s->first->step = NULL; }
static void step_without_loop(Parts *s) { s->map->step = s->i; }
static void step_unknown(Parts *s) { s->first->step = s->t2; }
static void step_in_a_sum(Parts *s) { s->first->left[1] = at(s->t, 1); }
static void step_of_another_length(Parts *s)
{
    s->first->loop = memcpy(NEW(Loop), s->first->loop, sizeof(Loop));
    s->first->loop->extent = 5;
}
static void loop_torn(Parts *s) { swap(s, 1, 2); }
static void step_to_come(Parts *s) { s->first->value = read2(s->g, s->first->left[0], at(s->t, 1)); }
static void step_to_come_backwards(Parts *s) { s->first->loop->step = -1; /* and t - 1 comes after t */ }
static void same_step_not_yet(Parts *s) { s->first->value = read2(s->g, s->first->left[0], sum_index(s->t)); }
static void step_reversed(Parts *s)
{
    s->then->value = read2(s->h, s->then->left[0], sum_sub(sum_constant(5), sum_index(s->t2)));
}
static void place_twice(Parts *s)
{
    s->map->left[1] = sum_constant(0);
    s->map->index[1] = index_new("one", 1, false);
    s->map->value = node_float(0);
    const Index *n = index_new("n", 4, true);
    PUSH(s->p.equations, equation_new(s->y, (const Sum *[]){ sum_index(n), sum_constant(0) }, 1, &n, node_float(1)));
    s->first->value = node_float(0); /* it would read y before the second time */
}
static void places_missing(Parts *s)
{
    s->map->left[1] = sum_constant(0);
    s->map->index[1] = index_new("one", 1, false);
    s->map->value = node_float(0);
}
static void many_places_missing(Parts *s) /* of a tensor that is too large to be marked place by place */
{
    int extent = 1 << 20;
    const Index *i = index_new("i", extent - 1, false);
    const Sum *left = sum_index(i);
    PUSH(s->p.equations,
         equation_new(tensor_new("large", 1, &extent, false, TYPE_FLOAT, ROLE_TEMP), &left, 1, &i, node_float(0)));
}
static void updated_by_nothing(Parts *s)
{
    s->p.updates.at[0].value = tensor_new("z", 1, (int[]){ 6 }, false, TYPE_FLOAT, ROLE_TEMP);
}
static void updated_by_another_rank(Parts *s) { s->p.updates.at[0].value = s->w; }
static void updated_by_another_size(Parts *s)
{
    s->p.updates.at[0].value = tensor_new("z", 1, (int[]){ 5 }, false, TYPE_FLOAT, ROLE_INPUT);
}
static void updated_by_another_type(Parts *s)
{
    s->p.updates.at[0].value = tensor_new("z", 1, (int[]){ 6 }, false, TYPE_INT, ROLE_INPUT);
}
static void output_never_made(Parts *s)
{
    s->p.outputs.at[0].value = tensor_new("z", 1, (int[]){ 6 }, false, TYPE_FLOAT, ROLE_TEMP);
}

static const struct Case {
    const char *name;
    void (*spoil)(Parts *);
    const char *words;
} cases[] = {
#define CASE(name, words)                                                                                              \
    {                                                                                                                  \
#name, name, words                                                                                             \
    }
    CASE(index_twice, "index j stands twice"),
    CASE(index_unknown, "index k comes from nowhere"),
    CASE(test_of_reduced, "the test uses k, which is no index"),
    CASE(left_of_another, "the left side uses k, which is no index"),
    CASE(left_lacks_one, "the left side lacks more"),
    CASE(writes_kept, "writes v, which is kept or given"),
    CASE(sum_of_nothing, "a reduction without indices"),
    CASE(no_reduction, "indices without a reduction"),
    CASE(any_of_floats, "does not meet the tensor's type"),
    CASE(all_into_float, "does not meet the tensor's type"),
    CASE(argmax_into_float, "does not meet the tensor's type"),
    CASE(sum_of_bools, "does not meet the tensor's type"),
    CASE(max_of_ints, "does not meet the tensor's type"),
    CASE(test_is_a_number, "the test is no bool"),
    CASE(left_before, "axis 1 of y, of length 6, is written at i - 1"),
    CASE(left_behind, "axis 1 of y, of length 6, is written at i + 1"),
    CASE(left_floor, "axis 1 of y, of length 6, is written at i // 2"),
    CASE(batch_is_constant, "the batch axis of x is subscripted by 0"),
    CASE(batch_is_an_axis, "the batch axis of x is subscripted by i"),
    CASE(batch_of_another_length, "the batch axis of y is subscripted by n"),
    CASE(batch_in_axis, "the batch index subscripts axis 0 of w"),
    CASE(batch_in_floor, "the batch index in n // 2"),
    CASE(batch_in_mod, "the batch index in n % 2"),
    CASE(batch_in_range, "the batch index in in(n, 2)"),
    CASE(read_of_another_type, "a read of x with another rank or type"),
    CASE(read_of_another_rank, "a read of w with another rank or type"),
    CASE(read_never_made, "z is read, and no equation makes it"),
    CASE(read_of_itself, "y is read before it is made"),
    CASE(loop_without_step, "a loop without its index"),
    CASE(step_without_loop, "a loop without its index"),
    CASE(step_unknown, "the loop's index does not subscript an axis alone"),
    CASE(step_in_a_sum, "axis 1 of h, of length 6, is written at t + 1"),
    CASE(step_of_another_length, "the loop's index does not subscript an axis alone"),
    CASE(loop_torn, "a loop is torn"),
    CASE(step_to_come, "g is read before it is made"),
    CASE(step_to_come_backwards, "g is read before it is made"),
    CASE(same_step_not_yet, "g is read before it is made"),
    CASE(step_reversed, "h is read before it is made"),
    CASE(place_twice, "a place of y is written twice"),
    CASE(places_missing, "4 places of y are written, it has 24"),
    CASE(many_places_missing, "1048575 places of large are written, it has 1048576"),
    CASE(updated_by_nothing, "state is updated by z, which no equation makes"),
    CASE(updated_by_another_rank, "state is updated by w, of another shape or type"),
    CASE(updated_by_another_size, "state is updated by z, of another shape or type"),
    CASE(updated_by_another_type, "state is updated by z, of another shape or type"),
    CASE(output_never_made, "no equation makes the output y"),
};

Test(spoilt, the_sound_program_is_sound) { program_verify(&parts_new()->p, "nothing"); }

Test(spoilt, each_way_is_a_bug_that_names_the_pass)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char said[4096] = "";
        int ends[2], status;
        cr_assert(!pipe(ends));
        pid_t child = fork();
        cr_assert(child >= 0);
        if (!child) {
            Parts *s = parts_new();
            dup2(ends[1], 2);
            cases[i].spoil(s);
            program_verify(&s->p, "the pass");
            _exit(0);
        }
        close(ends[1]);
        for (size_t n = 0; n < sizeof said - 1;) {
            ssize_t k = read(ends[0], said + n, sizeof said - 1 - n);
            if (k <= 0) break;
            n += (size_t)k;
        }
        close(ends[0]);
        waitpid(child, &status, 0);
        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 70, "%s: status %d: %s", cases[i].name, status, said);
        cr_expect(strstr(said, "after the pass, in sound: ") && strstr(said, cases[i].words), "%s: %s", cases[i].name,
                  said);
    }
}
