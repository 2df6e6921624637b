/* test_kernel.c: grouping, places in memory, names, and the text of expressions. That the generated C computes the right
 * numbers is what tests/oracle shows. */
#include "kernel/kernel.h"
#include "loop/loop.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static void begin(void) { arena_release(); program_reset(); }
TestSuite(kernel, .init = begin);
TestSuite(loop, .init = begin);

/* ---- programs ---- */
static Tensor *matrix(const char *name, int a, int b, Role role)
{
    return tensor_new(name, 2, (int[]){ a, b }, role == ROLE_INPUT, TYPE_FLOAT, role);
}

static Equation *add(Program *p, Equation *e)
{
    e->layer = "";
    PUSH(p->equations, e);
    return e;
}

/* out[i, j] = sum[k] a[i, k] * b[k, j] */
static void add_product(Program *p, Tensor *out, Tensor *a, Tensor *b)
{
    const Index *i = index_new("i", out->extent[0], out->batch), *j = index_new("j", out->extent[1], false);
    const Index *k = index_new("k", a->extent[1], false);
    const Node *value = node2(OP_MUL, node_read_at(a, (const Index *[]){ i, k }), node_read_at(b, (const Index *[]){ k, j }));
    Equation *e = add(p, equation_map(out, (const Index *[]){ i, j }, value));
    e->reduction = RED_SUM;
    e->reduced[e->reduced_count++] = k;
}

/* out[i, j] = a[i, j] op b[i, j] */
static void add_map(Program *p, Tensor *out, Op op, Tensor *a, Tensor *b)
{
    const Index *index[] = { index_new("i", out->extent[0], out->batch), index_new("j", out->extent[1], false) };
    add(p, equation_map(out, index, node2(op, node_read_at(a, index), node_read_at(b, index))));
}

static Tensor *temp(const char *name, int a, int b, bool batch)
{
    return tensor_new(name, 2, (int[]){ a, b }, batch, TYPE_FLOAT, ROLE_TEMP);
}

static const EmitOptions options = { .prefix = "t", .fuse = true, .version = "0", .options = "" };

static const Plan *plan_step(Model *m, Program *p)
{
    p->name = "step";
    m->name = "t";
    m->step = p;
    return plan_model(m, &options);
}

/* ---- grouping ---- */
Test(kernel, a_map_joins_the_product_that_it_reads)
{
    Program p = { .first_backward = -1 };
    Model m = {0};
    Tensor *x = matrix("x", 64, 48, ROLE_INPUT), *w = matrix("w", 48, 32, ROLE_PARAM), *b = matrix("b", 64, 32, ROLE_STATE);
    Tensor *z = temp("z", 64, 32, true), *y = temp("y", 64, 32, true);
    add_product(&p, z, x, w);
    add_map(&p, y, OP_ADD, z, b);
    PUSH(m.inputs, x);
    PUSH(m.kept, w);
    PUSH(m.kept, b);
    PUSH(p.outputs, ((Output){ "y", y }));
    const Plan *plan = plan_step(&m, &p);
    cr_assert(eq(int, plan->programs.at[0].kernels.count, 1));
    cr_assert(eq(int, plan_storage(plan, z)->place, PLACE_LOCAL));       /* never stored */
    cr_assert(eq(int, plan_storage(plan, y)->place, PLACE_CALLER));
}

/* w' = w + g is computed in w's place; with a later reader of the old w it is not. */
static const Plan *plan_update(bool read_later, Tensor **w, Tensor **next)
{
    static Program p;
    static Model m;
    p = (Program){ .first_backward = -1 };
    m = (Model){0};
    *w = matrix("w", 48, 64, ROLE_PARAM);
    Tensor *g = matrix("g", 48, 64, ROLE_STATE), *y = temp("y", 48, 64, false);
    *next = temp("w.next", 48, 64, false);
    add_map(&p, *next, OP_ADD, *w, g);
    if (read_later) add_map(&p, y, OP_MUL, *next, *w);
    else add_map(&p, y, OP_MUL, *next, g);
    PUSH(m.kept, *w);
    PUSH(m.kept, g);
    PUSH(p.updates, ((Update){ *w, *next, false }));
    PUSH(p.outputs, ((Output){ "y", y }));
    return plan_step(&m, &p);
}

Test(kernel, an_update_is_made_in_place_where_it_can_be)
{
    Tensor *w, *next;
    const Plan *plan = plan_update(false, &w, &next);
    cr_assert(eq(i64, plan_storage(plan, next)->offset, plan_storage(plan, w)->offset));
    begin();
    plan = plan_update(true, &w, &next);
    const Storage *s = plan_storage(plan, next);
    cr_assert(s->place == PLACE_LOCAL || s->offset != plan_storage(plan, w)->offset);
}

Test(kernel, long_sums_read_panels)
{
    Program p = { .first_backward = -1 };
    Model m = {0};
    Tensor *x = matrix("x", 64, 128, ROLE_INPUT), *w = matrix("w", 128, 96, ROLE_PARAM), *y = temp("y", 64, 96, true);
    add_product(&p, y, x, w);
    PUSH(m.inputs, x);
    PUSH(m.kept, w);
    PUSH(p.outputs, ((Output){ "y", y }));
    const Plan *plan = plan_step(&m, &p);
    cr_assert(eq(int, plan_storage(plan, w)->panel, 32));
    cr_assert(eq(int, plan_storage(plan, w)->stride[0], 32));
}

/* ---- memory ---- */
Test(kernel, what_is_alive_at_once_does_not_overlap)
{
    Program p = { .first_backward = -1 };
    Model m = {0};
    Tensor *x = matrix("x", 40, 40, ROLE_INPUT), *w[8], *h = x;
    PUSH(m.inputs, x);
    LIST(Tensor *) made = {0};
    for (int k = 0; k < 8; k++) {
        w[k] = matrix(format("w%d", k), 40, 40, ROLE_PARAM);
        PUSH(m.kept, w[k]);
        Tensor *next = temp(format("h%d", k), 40, 40, true);
        add_product(&p, next, h, w[k]);
        PUSH(made, next);
        h = next;
    }
    Tensor *y = temp("y", 40, 40, true);
    add_map(&p, y, OP_ADD, h, made.at[2]);
    PUSH(p.outputs, ((Output){ "y", y }));
    const Plan *plan = plan_step(&m, &p);
    int pairs = 0;
    for (int i = 0; i < plan->storage.count; i++)
        for (int j = 0; j < i; j++) {
            const Storage *a = &plan->storage.at[i], *b = &plan->storage.at[j];
            if (a->place != PLACE_MEMORY || b->place != PLACE_MEMORY) continue;
            bool kept = a->tensor->role != ROLE_TEMP || b->tensor->role != ROLE_TEMP;
            if (!kept && (a->last_phase < b->first_phase || b->last_phase < a->first_phase)) continue;
            cr_assert(a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset);
            cr_assert(a->offset % 64 == 0 && a->offset + a->bytes <= plan->train_bytes);
            pairs++;
        }
    cr_assert(gt(int, pairs, 30));
    const ProgramPlan *step = &plan->programs.at[0];
    cr_assert(le(i64, step->scratch_bytes, step->live_bytes * 105 / 100));
}

/* ---- names ---- */
Test(kernel, names_are_words_of_c_and_differ)
{
    Program p = { .first_backward = -1 };
    Model m = {0};
    const char *names[] = { "dense.w", "dense.w'", "int", "vec", "run", "x", "a..b", "1st" };
    for (int k = 0; k < 8; k++) PUSH(m.kept, matrix(names[k], 2, 2, ROLE_STATE));
    const Plan *plan = plan_step(&m, &p);
    for (int k = 0; k < 8; k++) {
        const char *name = c_name(plan, m.kept.at[k]);
        cr_assert(eq(sz, strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name)));
        cr_assert(ne(int, strcmp(name, "int"), 0));
        cr_assert(ne(int, strcmp(name, "vec"), 0));
        for (int j = 0; j < k; j++) cr_assert(ne(int, strcmp(name, c_name(plan, m.kept.at[j])), 0));
    }
    cr_assert(eq(str, (char *)c_name(plan, m.kept.at[0]), "dense_w"));
    cr_assert(eq(str, (char *)c_name(plan, m.kept.at[1]), "dense_w1"));
}

/* ---- text ---- */
static char *text_of(const CExpr *e)
{
    Text t = {0};
    cexpr_print(e, &t);
    return (char *)text_string(&t);
}

Test(loop, parentheses_where_they_are_needed)
{
    const CExpr *i = cexpr_name(C_INT, "i"), *j = cexpr_name(C_INT, "j");
    const CExpr *sum = cexpr_add(i, j), *difference = cexpr_infix(C_INT, "-", i, j);
    cr_assert(eq(str, text_of(cexpr_add(cexpr_scale(i, 512), j)), "i * 512 + j"));
    cr_assert(eq(str, text_of(cexpr_scale(sum, 3)), "(i + j) * 3"));
    cr_assert(eq(str, text_of(cexpr_infix(C_INT, "-", i, difference)), "i - (i - j)"));
    cr_assert(eq(str, text_of(cexpr_infix(C_INT, "-", difference, i)), "i - j - i"));
    cr_assert(eq(str, text_of(cexpr_prefix(C_INT, "-", cexpr_int(-2))), "-(-2)"));
    cr_assert(eq(str, text_of(cexpr_choice(cexpr_infix(C_BOOL, "<", i, j), i, j)), "i < j ? i : j"));
    const CExpr *both = cexpr_infix(C_BOOL, "&&", cexpr_infix(C_BOOL, "<", i, j), cexpr_infix(C_BOOL, "<", j, i));
    cr_assert(eq(str, text_of(cexpr_infix(C_BOOL, "||", both, i)), "(i < j && j < i) || i"));
    cr_assert(eq(str, text_of(cexpr_add(cexpr_int(0), i)), "i"));
    cr_assert(eq(str, text_of(cexpr_scale(i, 1)), "i"));
    cr_assert(eq(str, text_of(cexpr_scale(i, 0)), "0"));
    cr_assert(eq(str, text_of(cexpr_scale(i, -1)), "-i"));
    cr_assert(eq(str, text_of(cexpr_scale(cexpr_int(4), 3)), "12"));
}

Test(loop, numbers_are_short_and_exact)
{
    print_real(false);
    cr_assert(eq(str, text_of(cexpr_number(C_REAL, 0.2)), "0.2f"));
    cr_assert(eq(str, text_of(cexpr_number(C_REAL, 3)), "3.0f"));
    cr_assert(eq(str, text_of(cexpr_number(C_WIDE, 1.0 / 3)), "0.3333333333333333"));
    cr_assert(eq(str, text_of(cexpr_number(C_INT, -7)), "-7"));
}
