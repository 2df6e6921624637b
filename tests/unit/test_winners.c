/* test_winners.c: which sums visit the winners of windows only, and by which equations. The numbers are the oracle's. */
#include "kernel/winners.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static void begin(void) { arena_release(); program_reset(); }
TestSuite(winners, .init = begin);

enum { SAMPLES = 16, PLACES = 10, CHANNELS = 24, COLUMNS = 20, TAPS = 5 };

/* A line of 10 places in windows: x -> y by taps, the largest of each window of y; and what goes back. */
typedef struct Line {
    Program p;
    Model m;
    Tensor *x, *k, *y, *most, *first, *g, *dy, *dk, *dx, *db;
} Line;

static Tensor *temp(const char *name, int rank, int a, int b, int c, bool batch, Type type)
{
    return tensor_new(name, rank, (int[]){ a, b, c }, batch, type, ROLE_TEMP);
}

static Equation *add(Line *l, Equation *e)
{
    e->layer = "";
    PUSH(l->p.equations, e);
    return e;
}

static void reduce(Equation *e, Reduction by, const Index *i)
{
    e->reduction = by;
    e->reduced[e->reduced_count++] = i;
}

static const Index *sample(void) { return index_new("n", SAMPLES, true); }
static const Index *along(const char *name, int extent) { return index_new(name, extent, false); }

static void add_extreme(Line *l, Reduction by, Tensor *out, int window, int stride)
{
    const Index *n = sample(), *p = along("p", out->extent[1]), *r = along("r", window), *o = along("o", COLUMNS);
    const Sum *at = sum_add(sum_scale(sum_index(p), stride), sum_index(r));
    const Node *value = node_read(l->y, (const Sum *[]){ sum_index(n), at, sum_index(o) });
    reduce(add(l, equation_map(out, (const Index *[]){ n, p, o }, value)), by, r);
}

/* dy[n, window p + r, o] = r == first[n, p, o] ? factor g[n, p, o] : 0 */
static void add_spread(Line *l, int window, const Node *otherwise)
{
    const Index *n = sample(), *p = along("p", l->g->extent[1]), *r = along("r", window), *o = along("o", COLUMNS);
    const Index *at[] = { n, p, o }, *all[] = { n, p, r, o };
    const Sum *left[] = { sum_index(n), sum_add(sum_scale(sum_index(p), window), sum_index(r)), sum_index(o) };
    const Node *won = node2(OP_EQ, node_sum(sum_index(r)), node_read_at(l->first, at));
    add(l, equation_new(l->dy, left, 4, all, node_select(won, node_read_at(l->g, at), otherwise)));
}

static Line *line_new(int window, const Node *otherwise)
{
    Line *l = NEW(Line);
    int windows = PLACES / window, inputs = PLACES + TAPS - 1;
    l->p.first_backward = -1;
    l->p.name = "step";
    l->x = temp("x", 3, SAMPLES, inputs, CHANNELS, true, TYPE_FLOAT);
    l->k = tensor_new("k", 3, (int[]){ TAPS, CHANNELS, COLUMNS }, false, TYPE_FLOAT, ROLE_PARAM);
    l->y = tensor_new("y", 3, (int[]){ SAMPLES, PLACES, COLUMNS }, true, TYPE_FLOAT, ROLE_INPUT);
    l->most = temp("most", 3, SAMPLES, windows, COLUMNS, true, TYPE_FLOAT);
    l->first = temp("first", 3, SAMPLES, windows, COLUMNS, true, TYPE_INT);
    l->g = tensor_new("g", 3, (int[]){ SAMPLES, windows, COLUMNS }, true, TYPE_FLOAT, ROLE_INPUT);
    l->dy = temp("dy", 3, SAMPLES, PLACES, COLUMNS, true, TYPE_FLOAT);
    l->dk = temp("dk", 3, TAPS, CHANNELS, COLUMNS, false, TYPE_FLOAT);
    l->dx = temp("dx", 3, SAMPLES, inputs, CHANNELS, true, TYPE_FLOAT);
    l->db = temp("db", 1, COLUMNS, 0, 0, false, TYPE_FLOAT);
    const Index *n = sample(), *i = along("i", inputs), *c = along("c", CHANNELS), *at[] = { n, i, c };
    Tensor *image = tensor_new("image", 3, (int[]){ SAMPLES, inputs, CHANNELS }, true, TYPE_FLOAT, ROLE_INPUT);
    add(l, equation_map(l->x, at, node1(OP_TANH, node_read_at(image, at))));
    add_extreme(l, RED_MAX, l->most, window, window);
    add_extreme(l, RED_ARGMAX, l->first, window, window);
    add_spread(l, window, otherwise);
    Tensor *inputs_of[] = { image, l->y, l->g };
    for (int k = 0; k < 3; k++) PUSH(l->m.inputs, inputs_of[k]);
    PUSH(l->m.kept, l->k);
    return l;
}

/* dk[r, c, o] = sum[n, p] x[n, p + r, c] * dy[n, p, o] */
static void add_sum(Line *l)
{
    const Index *n = sample(), *p = along("p", PLACES), *r = along("r", TAPS), *c = along("c", CHANNELS), *o = along("o", COLUMNS);
    const Node *x = node_read(l->x, (const Sum *[]){ sum_index(n), sum_add(sum_index(p), sum_index(r)), sum_index(c) });
    const Node *dy = node_read_at(l->dy, (const Index *[]){ n, p, o });
    Equation *e = add(l, equation_map(l->dk, (const Index *[]){ r, c, o }, node2(OP_MUL, x, dy)));
    reduce(e, RED_SUM, n);
    reduce(e, RED_SUM, p);
    PUSH(l->p.outputs, ((Output){ "dk", l->dk }));
}

/* dx[n, i, c] = sum[r, o] dy[n, i - r, o] * k[r, c, o] where i - r is inside */
static void add_back(Line *l)
{
    const Index *n = sample(), *i = along("i", l->dx->extent[1]), *r = along("r", TAPS), *c = along("c", CHANNELS), *o = along("o", COLUMNS);
    const Sum *at = sum_sub(sum_index(i), sum_index(r));
    const Node *dy = node_read(l->dy, (const Sum *[]){ sum_index(n), at, sum_index(o) });
    const Node *value = node2(OP_MUL, dy, node_read_at(l->k, (const Index *[]){ r, c, o }));
    Equation *e = add(l, equation_map(l->dx, (const Index *[]){ n, i, c }, node_guard(node_in(at, PLACES), value)));
    reduce(e, RED_SUM, r);
    reduce(e, RED_SUM, o);
    PUSH(l->p.outputs, ((Output){ "dx", l->dx }));
}

/* db[o] = sum[n, p] dy[n, p, o] */
static void add_bias(Line *l)
{
    const Index *n = sample(), *p = along("p", PLACES), *o = along("o", COLUMNS);
    Equation *e = add(l, equation_map(l->db, (const Index *[]){ o }, node_read_at(l->dy, (const Index *[]){ n, p, o })));
    reduce(e, RED_SUM, n);
    reduce(e, RED_SUM, p);
    PUSH(l->p.outputs, ((Output){ "db", l->db }));
}

static const Plan *plan_of(Line *l, bool fuse)
{
    static EmitOptions options;
    options = (EmitOptions){ .prefix = "t", .fuse = fuse, .version = "0", .options = "" };
    l->m.name = "t";
    l->m.step = &l->p;
    return plan_model(&l->m, &options);
}

static int winners_of(const Plan *p, bool spread)
{
    int n = 0;
    for (int i = 0; i < p->programs.at[0].kernels.count; i++) {
        const Kernel *k = p->programs.at[0].kernels.at[i];
        n += k->schedule == SCHEDULE_WINNERS && k->winners->spread == spread;
    }
    return n;
}

static const Equation *equation_of(const Plan *p, const char *out)
{
    for (int i = 0; i < p->programs.at[0].kernels.count; i++) {
        const Kernel *k = p->programs.at[0].kernels.at[i];
        for (int j = 0; j < k->equations.count; j++)
            if (!strcmp(k->equations.at[j]->out->name, out)) return k->equations.at[j];
    }
    return NULL;
}

Test(winners, a_sum_and_a_spread_visit_the_winners)
{
    Line *l = line_new(5, node_float(0));
    add_sum(l);
    add_back(l);
    const Plan *p = plan_of(l, true);
    cr_assert(eq(int, winners_of(p, false), 1));
    cr_assert(eq(int, winners_of(p, true), 1));
    cr_assert(equation_of(p, "dy") == NULL, "nobody reads it any more");
    cr_assert(eq(str, (char *)equation_text(equation_of(p, "dy.won")), "dy.won[n, p, o] = g[n, p, o]"));
    cr_assert(eq(str, (char *)equation_text(equation_of(p, "dx")),
                 "dx[n, r + 5 p + (first[n, p, o]) % 5, c] += k.turned[o, r, c] * dy.won[n, p, o]"));
}

Test(winners, what_reads_all_places_keeps_the_tensor)
{
    Line *l = line_new(5, node_float(0));
    add_sum(l);
    PUSH(l->p.outputs, ((Output){ "dy", l->dy }));
    const Plan *p = plan_of(l, true);
    cr_assert(eq(int, winners_of(p, false), 1));
    cr_assert(equation_of(p, "dy") != NULL);
}

Test(winners, a_sum_of_the_tensor_alone_is_that_of_the_winners)
{
    Line *l = line_new(5, node_float(0));
    add_sum(l);
    add_bias(l);
    const Plan *p = plan_of(l, true);
    const Equation *e = equation_of(p, "db");
    cr_assert(e != NULL);
    cr_assert(eq(int, e->value->op, OP_READ));
    cr_assert(eq(str, (char *)e->value->tensor->name, "dy.won"));
    cr_assert(equation_of(p, "dy") == NULL);
}

Test(winners, nothing_changes_without_products_or_fusion)
{
    Line *l = line_new(5, node_float(0));
    add_bias(l);
    cr_assert(equation_of(plan_of(l, true), "dy") != NULL);
    begin();
    l = line_new(5, node_float(0));
    add_sum(l);
    cr_assert(eq(int, winners_of(plan_of(l, false), false), 0));
}

Test(winners, other_places_must_be_nothing)
{
    Line *l = line_new(5, node_float(0.5));
    add_sum(l);
    add_back(l);
    const Plan *p = plan_of(l, true);
    cr_assert(eq(int, winners_of(p, false), 0));
    cr_assert(eq(int, winners_of(p, true), 0));
    cr_assert(equation_of(p, "dy") != NULL);
}

/* With one place in each window there is nothing to win. */
Test(winners, windows_of_one_place_stay_as_they_are)
{
    Line *l = line_new(1, node_float(0));
    add_sum(l);
    const Plan *p = plan_of(l, true);
    cr_assert(eq(int, winners_of(p, false), 0));
}

/* Chunks of samples do not depend on anything but the batch, and together they are all samples. */
Test(winners, chunks_are_all_samples)
{
    Line *l = line_new(2, node_float(0));
    add_sum(l);
    const Plan *p = plan_of(l, true);
    for (int i = 0; i < p->programs.at[0].kernels.count; i++) {
        const Winners *w = p->programs.at[0].kernels.at[i]->winners;
        if (!w) continue;
        cr_assert(w->part->extent * w->samples >= SAMPLES);
        cr_assert(w->part->extent * w->samples < SAMPLES + w->samples);
        cr_assert(eq(int, w->width, TAPS * CHANNELS));
        cr_assert(w->chunk * 4 <= 384 && w->group >= 1 && w->group <= PLACES / 2);
    }
}
