/* access.c: how an equation walks through memory. All on row-major places: the plan may lay a tensor out otherwise
 * later, but never so that neighbours along the last axis part (panels keep whole vectors together). */
#include "kernel/group.h"

const Sum *place_sum(const Tensor *t, const Sum *const *subs)
{
    const Sum *place = sum_constant(0);
    for (int a = 0; a < t->rank; a++) place = sum_add(sum_scale(place, t->extent[a]), subs[a]);
    return place;
}

int64_t equation_work(const Equation *e)
{
    int64_t work = 1;
    for (int i = 0; i < e->indices; i++)
        if (e->index[i] != e->step) work *= e->index[i]->extent;
    for (int i = 0; i < e->reduced_count; i++) work *= e->reduced[i]->extent;
    return work;
}

/* ---- lanes ---- */
static bool in_atoms(const Sum *a, const Index *i)
{
    for (int k = 0; k < a->count; k++)
        if (a->term[k].atom && node_uses(a->term[k].atom, i)) return true;
    return false;
}

typedef struct Lanes { const Index *index; bool fine; int unit, apart; } Lanes;

/* Both sides of a choice are computed for all lanes: a read that may leave its axis along the lane cannot be. One that
 * may leave along another axis stands under a test without the lane, which stays C's ?:. */
static void lanes_read(const Node *e, Lanes *c)
{
    const Tensor *t = e->tensor;
    const Sum *place = place_sum(t, e->sum);
    int factor = sum_factor(place, c->index);
    for (int a = 0; a < e->sums; a++) {
        if (sum_is_gather(e->sum[a])) {
            c->fine &= !sum_uses(e->sum[a], c->index);
            continue;
        }
        Range r = sum_range(e->sum[a]);
        if ((r.low < 0 || r.high >= t->extent[a]) && sum_uses(e->sum[a], c->index)) c->fine = false;
    }
    if (in_atoms(place, c->index)) c->fine = false;
    if (factor != 1 && (t->type != TYPE_FLOAT || factor < 0)) c->fine = false;
    if (t->role == ROLE_TOTAL || t->rank == 0) c->fine = false;
    if (factor == 1) c->unit++;
    else c->apart++;
}

static void lanes_visit(const Node *e, void *data)
{
    Lanes *c = data;
    if (!node_uses(e, c->index)) return;
    if (e->op == OP_READ) lanes_read(e, c);
    if (e->op == OP_FLOOR_DIV || e->op == OP_MOD || e->op == OP_EXACT) c->fine = false;
    if (e->type == TYPE_INT && (e->op == OP_FLOOR || e->op == OP_ABS || e->op == OP_SIGN)) c->fine = false;
}

bool node_lanes(const Node *e, const Index *i, int *unit, int *apart)
{
    Lanes c = { .index = i, .fine = true };
    node_visit(e, lanes_visit, &c);
    *unit = c.unit;
    *apart = c.apart;
    return c.fine;
}

/* ---- forms ---- */
static bool is_plain_axis(const Equation *e, const Index *i)
{
    bool alone = false;
    for (int a = 0; a < e->out->rank; a++) {
        if (sum_plain(e->left[a]) == i) alone = true;
        else if (sum_uses(e->left[a], i)) return false;
    }
    return alone;
}

static bool can_run_in_lanes(const Equation *e, const Index *i, int *unit, int *apart)
{
    int test_unit = 0, test_apart = 0;
    if (e->value->type == TYPE_BOOL && e->reduction != RED_NONE) return false;
    if ((e->reduction == RED_ARGMAX || e->reduction == RED_ARGMIN) && e->out->type != TYPE_INT) return false;
    if (e->value->type == TYPE_INT && e->reduction != RED_NONE) return false;
    if (e->out->type != e->value->type && e->out->type == TYPE_FLOAT && e->out->role == ROLE_TOTAL) return false;
    if (e->test && (node_uses(e->test, i) || !node_lanes(e->test, i, &test_unit, &test_apart))) return false;
    return node_lanes(e->value, i, unit, apart);
}

Form form_of(const Equation *e, bool wide)
{
    Form f = { .kind = FORM_PLAIN };
    const Sum *left = place_sum(e->out, e->left);
    for (int i = 0; i < e->indices; i++) {
        if (e->index[i] == e->step) continue;
        int k = f.loops++;
        for (; k > 0 && sum_factor(left, f.loop[k - 1]) < sum_factor(left, e->index[i]); k--) f.loop[k] = f.loop[k - 1];
        f.loop[k] = e->index[i];
    }
    int unit, apart;
    bool scatter = equation_is_scatter(e);
    const Index *last = f.loops ? f.loop[f.loops - 1] : NULL;
    if (!wide && !scatter && last && last->extent >= 4 && !last->batch && sum_factor(left, last) == 1 && e->out->role != ROLE_TOTAL
        && can_run_in_lanes(e, last, &unit, &apart) && apart <= 1 + unit) {
        f.kind = FORM_LANES;
        f.lane = last;
    }
    bool strided = f.kind == FORM_LANES && apart > 0;            /* along the reduced index it may be better */
    bool adds = e->reduction == RED_SUM || e->reduction == RED_MAX || e->reduction == RED_MIN;
    for (int i = e->reduced_count - 1; i >= 0 && !wide && !scatter && adds && e->value->type == TYPE_FLOAT && (f.kind == FORM_PLAIN || strided); i--)
        if (e->reduced[i]->extent >= 8 && node_lanes(e->value, e->reduced[i], &unit, &apart) && unit && !apart
            && !(e->test && node_uses(e->test, e->reduced[i]))) {
            f.kind = FORM_REDUCE;
            f.lane = e->reduced[i];
            strided = false;
        }
    int most = f.kind == FORM_LANES ? f.loops - 1 : f.loops;
    while (f.outer < most && is_plain_axis(e, f.loop[f.outer])) f.outer++;
    if (scatter) f.outer = 0;
    return f;
}

/* ---- products ---- */
bool equation_reduces(const Equation *e, const Index *i)
{
    for (int k = 0; k < e->reduced_count; k++)
        if (e->reduced[k] == i) return true;
    return false;
}

static void add_tests(Tests *t, const Node *test)
{
    const Node *first;
    int n = node_conjuncts(test, &first, 1);
    const Node **part = NEW_ARRAY(const Node *, n);
    node_conjuncts(test, part, n);
    for (int i = 0; i < n; i++) PUSH(t->list, part[i]);
}

const Node *without_tests(Tests *t, const Node *e)
{
    for (; e->op == OP_SELECT && node_is_number(e->arg[2], 0); e = e->arg[1]) add_tests(t, e->arg[0]);
    return e;
}

int axis_of_test(const Node *test, const Node *read)
{
    for (int a = 0; test->op == OP_IN && a < read->sums; a++)
        if (read->sum[a] == test->sum[0] && read->tensor->extent[a] == test->extent) return a;
    return -1;
}

bool program_outputs(const Program *p, const Tensor *t)
{
    for (int i = 0; i < p->outputs.count; i++)
        if (p->outputs.at[i].value == t) return true;
    return false;
}

/* ---- indices ---- */
const Index *counterpart(const Equation *host, const Index *of, const Equation *e)
{
    if (host == e) return of;
    for (int a = 0; a < host->out->rank; a++)
        if (sum_plain(host->left[a]) == of) return sum_plain(e->left[a]);
    return NULL;
}

const char *axis_letter(int axis)
{
    static const char *const letters[MAX_RANK] = { "i", "j", "k", "l", "o", "p", "q", "r", "s", "t", "u", "v" };
    return letters[axis];
}
