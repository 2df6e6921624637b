/* fields.c: what a call takes. The fields of a batch are the model's inputs and, where loss and metrics are computed, its
 * targets; some of them are read as a place (label in z[n, label[n]]), and these must lie inside before a kernel runs. */
#include "emit/emit.h"
#include <string.h>

/* Names that the public functions and struct run have for themselves. */
const char *parameter_name(const Emission *e, const Tensor *t)
{
    static const char *const taken[] = { "m", "n", "loss", "pass", "run", "seed", "memory", "bytes", "values", "status", "model" };
    const char *name = c_name(e->plan, t);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (!strcmp(name, taken[i])) return format("%s_", name);
    if (e->model->accumulate && !strcmp(name, "worst")) return "worst_";         /* of P_check_gradients */
    return name;
}

int64_t sample_size(const Tensor *t)
{
    int64_t n = 1;
    for (int i = t->batch; i < t->rank; i++) n *= t->extent[i];
    return n;
}

const char *element_type(const Emission *e, const Tensor *t)
{
    return t->type == TYPE_INT ? "int32_t" : t->type == TYPE_BOOL ? "uint8_t" : e->real;
}

Fields program_fields(const Emission *e, const Program *p)
{
    Fields f = {0};
    const Model *m = e->model;
    for (int i = 0; i < m->inputs.count; i++) PUSH(f, m->inputs.at[i]);
    if (p == m->step || p == m->evaluate || (p && p == m->accumulate))
        for (int i = 0; i < m->targets.count; i++) PUSH(f, m->targets.at[i]);
    return f;
}

void fields_parameters(const Emission *e, const Fields *f, Text *to)
{
    for (int i = 0; i < f->count; i++)
        text_addf(to, "const %s *%s, ", element_type(e, f->at[i]), parameter_name(e, f->at[i]));
}

/* ---- ranges ------------------------------------------------------------------------------------------------------ */
/* Nodes are shared, so a walk remembers where it has been: once for each set of guards, which are few. */
typedef struct Seen { const Node **at; size_t room, count; } Seen;
typedef struct Search {
    FieldRanges ranges;
    LIST(const Node *) guards;   /* IN(..) that are true where we are: by SELECTs above, and by the equation's test */
    Seen seen;                   /* under these guards */
} Search;

static bool seen_before(Seen *s, const Node *e)
{
    if (2 * (s->count + 1) > s->room) {
        Seen larger = { NEW_ARRAY(const Node *, s->room ? 2 * s->room : 64), s->room ? 2 * s->room : 64, 0 };
        for (size_t i = 0; i < s->room; i++) if (s->at[i]) seen_before(&larger, s->at[i]);
        *s = larger;
    }
    size_t h = (size_t)e->id * 0x9e3779b97f4a7c15u;
    while (s->at[h & (s->room - 1)] && s->at[h & (s->room - 1)] != e) h++;
    if (s->at[h & (s->room - 1)]) return true;
    s->at[h & (s->room - 1)] = e;
    s->count++;
    return false;
}

static bool is_guarded(const Search *s, const Sum *a, int extent)
{
    for (int i = 0; i < s->guards.count; i++) {
        const Node *g = s->guards.at[i];
        if (g->sum[0] == a && g->extent <= extent) return true;
    }
    return false;
}

static void range_add(Search *s, const Tensor *field, int64_t low, int64_t high)
{
    for (int i = 0; i < s->ranges.count; i++) {
        FieldRange *r = &s->ranges.at[i];
        if (r->field != field) continue;
        if (low > r->low) r->low = low;
        if (high < r->high) r->high = high;
        return;
    }
    PUSH(s->ranges, ((FieldRange){ field, low, high }));
}

/* A subscript c + field[..] of an axis of `extent` places: the field lies in -c .. extent - c - 1, whatever the other
 * terms of c are. */
static void subscript_search(Search *s, const Sum *a, int extent)
{
    const Term *atom = NULL;
    for (int i = 0; i < a->count; i++) {
        const Term *t = &a->term[i];
        if (!t->atom || t->atom->op != OP_READ || t->atom->tensor->role != ROLE_INPUT) continue;
        if (atom || t->factor != 1) return;
        atom = t;
    }
    if (!atom || is_guarded(s, a, extent)) return;
    Range rest = sum_range(sum_sub(a, sum_node(atom->atom)));
    range_add(s, atom->atom->tensor, -rest.low, extent - rest.high);
}

static void node_search(Search *s, const Node *e);
static void sum_search(Search *s, const Sum *a)
{
    for (int i = 0; i < a->count; i++) if (a->term[i].atom) node_search(s, a->term[i].atom);
}

static void guarded_search(Search *s, const Node *test, const Node *e)
{
    const Node *part[64];
    int before = s->guards.count, n = node_conjuncts(test, part, 64);
    for (int i = 0; i < n; i++) if (part[i]->op == OP_IN) PUSH(s->guards, part[i]);
    if (s->guards.count == before) { node_search(s, e); return; }
    Seen outside = s->seen;
    s->seen = (Seen){0};
    node_search(s, e);
    s->seen = outside;
    s->guards.count = before;
}

static void node_search(Search *s, const Node *e)
{
    if (seen_before(&s->seen, e)) return;
    if (e->op == OP_READ)
        for (int i = 0; i < e->sums; i++) subscript_search(s, e->sum[i], e->tensor->extent[i]);
    for (int i = 0; i < e->sums; i++) sum_search(s, e->sum[i]);
    if (e->op == OP_SELECT) {
        node_search(s, e->arg[0]);
        guarded_search(s, e->arg[0], e->arg[1]);
        node_search(s, e->arg[2]);
        return;
    }
    for (int i = 0; i < 3; i++) if (e->arg[i]) node_search(s, e->arg[i]);
}

FieldRanges field_ranges(const Program *p)
{
    Search s = {0};
    for (int i = 0; i < p->equations.count; i++) {
        const Equation *q = p->equations.at[i];
        s.seen = (Seen){0};
        if (q->test) node_search(&s, q->test);
        if (q->test) guarded_search(&s, q->test, q->value);
        else node_search(&s, q->value);
    }
    return s.ranges;
}
