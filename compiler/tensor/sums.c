/* sums.c: integer sums  constant + factor * atom + ..., the only form of a subscript.
 *
 * A sum is built in a Draft (any order, repeated atoms, zero factors), then made canonical and looked up: equal sums
 * are the same pointer. Atoms are indices and int nodes; FLOOR_DIV, MOD and EXACT atoms hold a sum themselves.
 *
 * Numbers are int, and computed in int64. One that leaves int can only come from a program with an axis or a constant
 * beyond 2^31: that is reported once as an error of the program, and the number is held at the limit. */
#include "tensor/cons.h"
#include <limits.h>
#include <string.h>

static ConsTable table;
static int index_count, sum_count;
static bool overflow_told;

void sums_reset(void)
{
    table = (ConsTable){0};
    index_count = sum_count = 0;
    overflow_told = false;
}

/* ---- integers ---- */
static int narrow(int64_t v)
{
    if (v >= -INT_MAX && v <= INT_MAX)
        return (int)v;
    if (!overflow_told)
        error_plain("a subscript or size of this model needs whole numbers beyond 2147483647");
    overflow_told = true;
    return v < 0 ? -INT_MAX : INT_MAX;
}

static int64_t floor_divide(int64_t a, int64_t k) { return a / k - (a % k < 0); }
static int64_t floor_modulo(int64_t a, int64_t k) { return a % k + (a % k < 0 ? k : 0); }

/* Ranges saturate here; what is unbounded (a gather) begins at UNBOUNDED, so that small sums leave it unbounded. */
#define LIMIT ((int64_t)1 << 62)
#define UNBOUNDED ((int64_t)1 << 40)
static int64_t limit(__int128 v) { return v > LIMIT ? LIMIT : v < -LIMIT ? -LIMIT : (int64_t)v; }

/* ---- drafts ---- */
enum { DRAFT_INLINE = 24 };
typedef struct Draft {
    int64_t constant;
    int count, room;
    Term *term, first[DRAFT_INLINE];
} Draft;

static void draft_begin(Draft *d)
{
    d->constant = 0;
    d->count = 0;
    d->room = DRAFT_INLINE;
    d->term = d->first;
}

static void draft_add_term(Draft *d, int factor, const Index *index, const Node *atom)
{
    for (int i = 0; i < d->count; i++)
        if (d->term[i].index == index && d->term[i].atom == atom) {
            d->term[i].factor = narrow((int64_t)d->term[i].factor + factor);
            return;
        }
    if (d->count == d->room) {
        Term *more = NEW_ARRAY(Term, d->room * 2);
        memcpy(more, d->term, sizeof(Term) * (size_t)d->count);
        d->term = more;
        d->room *= 2;
    }
    d->term[d->count++] = (Term){ factor, index, atom };
}

static void draft_add(Draft *d, const Sum *a, int64_t k)
{
    d->constant = narrow(d->constant + (int64_t)narrow(a->constant * k));
    for (int i = 0; i < a->count; i++)
        draft_add_term(d, narrow(a->term[i].factor * k), a->term[i].index, a->term[i].atom);
}

/* k FLOOR(A, k) + MOD(A, k) = A, the pair having one factor. True if a pair was joined. */
static bool draft_join(Draft *d)
{
    for (int m = 0; m < d->count; m++) {
        const Node *mod = d->term[m].atom;
        int factor = d->term[m].factor;
        if (!mod || mod->op != OP_MOD || factor == 0)
            continue;
        for (int f = 0; f < d->count; f++) {
            const Node *floor = d->term[f].atom;
            if (!floor || floor->op != OP_FLOOR_DIV || floor->sum[0] != mod->sum[0] || floor->extent != mod->extent ||
                d->term[f].factor != (int64_t)factor * mod->extent)
                continue;
            d->term[m].factor = d->term[f].factor = 0;
            draft_add(d, mod->sum[0], factor);
            return true;
        }
    }
    return false;
}

static int64_t term_key(const Term *t) { return t->index ? t->index->id : ((int64_t)1 << 32) + t->atom->id; }

static void sort_terms(Term *term, int count)
{
    for (int i = 1; i < count; i++) {
        Term t = term[i];
        int k = i;
        for (; k > 0 && term_key(&term[k - 1]) > term_key(&t); k--)
            term[k] = term[k - 1];
        term[k] = t;
    }
}

static bool sum_same(const void *item, const void *key)
{
    const Sum *a = item;
    const Draft *d = key;
    if (a->constant != d->constant || a->count != d->count)
        return false;
    for (int i = 0; i < a->count; i++)
        if (a->term[i].factor != d->term[i].factor || a->term[i].index != d->term[i].index ||
            a->term[i].atom != d->term[i].atom)
            return false;
    return true;
}

static const Sum *draft_end(Draft *d)
{
    while (draft_join(d))
        ;
    int kept = 0;
    for (int i = 0; i < d->count; i++)
        if (d->term[i].factor)
            d->term[kept++] = d->term[i];
    d->count = kept;
    sort_terms(d->term, kept);
    uint64_t hash = hash_add(1, (uint64_t)d->constant);
    for (int i = 0; i < kept; i++) {
        hash = hash_add(hash, (uint64_t)d->term[i].factor);
        hash = hash_add(hash, (uint64_t)term_key(&d->term[i]));
    }
    const Sum *known = cons_find(&table, hash, d, sum_same);
    if (known)
        return known;
    Sum *a = arena_alloc(sizeof(Sum) + sizeof(Term) * (size_t)kept);
    a->id = sum_count++;
    a->constant = (int)d->constant;
    a->count = kept;
    memcpy(a->term, d->term, sizeof(Term) * (size_t)kept);
    cons_insert(&table, hash, a);
    return a;
}

/* ---- constructors ---- */
const Index *index_new(const char *name, int extent, bool batch)
{
    Index *i = NEW(Index);
    *i = (Index){ .extent = extent, .batch = batch, .id = index_count++, .name = name };
    return i;
}

const Sum *sum_constant(int c)
{
    Draft d;
    draft_begin(&d);
    d.constant = c;
    return draft_end(&d);
}

const Sum *sum_index(const Index *i)
{
    Draft d;
    draft_begin(&d);
    draft_add_term(&d, 1, i, NULL);
    return draft_end(&d);
}

const Sum *sum_node(const Node *e)
{
    if (e->type != TYPE_INT)
        bug("sum_node: %s is no int", node_text(e));
    if (e->op == OP_INT)
        return e->sum[0];
    Draft d;
    draft_begin(&d);
    if (e->op == OP_NUM)
        d.constant = narrow((int64_t)e->number);
    else
        draft_add_term(&d, 1, NULL, e);
    return draft_end(&d);
}

static const Sum *combine(const Sum *a, const Sum *b, int k)
{
    Draft d;
    draft_begin(&d);
    draft_add(&d, a, 1);
    draft_add(&d, b, k);
    return draft_end(&d);
}

const Sum *sum_add(const Sum *a, const Sum *b) { return combine(a, b, 1); }
const Sum *sum_sub(const Sum *a, const Sum *b) { return combine(a, b, -1); }

const Sum *sum_scale(const Sum *a, int k)
{
    Draft d;
    draft_begin(&d);
    draft_add(&d, a, k);
    return draft_end(&d);
}

const Sum *sum_offset(const Sum *a, int c)
{
    Draft d;
    draft_begin(&d);
    draft_add(&d, a, 1);
    d.constant = narrow(d.constant + c);
    return draft_end(&d);
}

/* a = k out + rest, the rest having what k does not divide and a constant in 0 .. k - 1. */
static void split(const Sum *a, int k, const Sum **out, const Sum **rest)
{
    if (k <= 0)
        bug("a sum is divided by %d", k);
    Draft o, r;
    draft_begin(&o);
    draft_begin(&r);
    o.constant = floor_divide(a->constant, k);
    r.constant = floor_modulo(a->constant, k);
    for (int i = 0; i < a->count; i++) {
        const Term *t = &a->term[i];
        if (t->factor % k == 0)
            draft_add_term(&o, t->factor / k, t->index, t->atom);
        else
            draft_add_term(&r, t->factor, t->index, t->atom);
    }
    *out = draft_end(&o);
    *rest = draft_end(&r);
}

const Sum *sum_floor(const Sum *a, int k)
{
    const Sum *out, *rest;
    split(a, k, &out, &rest);
    Range r = sum_range(rest);
    int64_t low = floor_divide(r.low, k), high = floor_divide(r.high, k);
    if (low == high)
        return sum_offset(out, narrow(low));
    return sum_add(out, sum_node(node_atom(OP_FLOOR_DIV, rest, k)));
}

const Sum *sum_mod(const Sum *a, int k)
{
    const Sum *out, *rest;
    split(a, k, &out, &rest);
    Range r = sum_range(rest);
    int64_t low = floor_divide(r.low, k), high = floor_divide(r.high, k);
    if (low == high)
        return sum_offset(rest, narrow(-low * k));
    return sum_node(node_atom(OP_MOD, rest, k));
}

const Sum *sum_exact(const Sum *a, int k)
{
    bool whole = true;
    for (int i = 0; i < a->count; i++)
        whole = whole && a->term[i].factor % k == 0;
    return whole ? sum_floor(a, k) : sum_node(node_atom(OP_EXACT, a, k));
}

/* ---- questions ---- */
static Range atom_range(const Node *e)
{
    if (e->op == OP_MOD)
        return (Range){ 0, e->extent - 1 };
    if (e->op == OP_FLOOR_DIV || e->op == OP_EXACT) {
        Range r = sum_range(e->sum[0]);
        return (Range){ floor_divide(r.low, e->extent), floor_divide(r.high, e->extent) };
    }
    return (Range){ -UNBOUNDED, UNBOUNDED };
}

Range sum_range(const Sum *a)
{
    Range sum = { a->constant, a->constant };
    for (int i = 0; i < a->count; i++) {
        const Term *t = &a->term[i];
        Range r = t->index ? (Range){ 0, t->index->extent - 1 } : atom_range(t->atom);
        __int128 x = (__int128)r.low * t->factor, y = (__int128)r.high * t->factor;
        sum.low = limit(sum.low + (x < y ? x : y));
        sum.high = limit(sum.high + (x < y ? y : x));
    }
    return sum;
}

const Index *sum_plain(const Sum *a)
{
    return a->count == 1 && a->constant == 0 && a->term[0].factor == 1 ? a->term[0].index : NULL;
}

bool sum_is_constant(const Sum *a) { return a->count == 0; }

bool sum_is_affine(const Sum *a)
{
    for (int i = 0; i < a->count; i++)
        if (a->term[i].atom)
            return false;
    return true;
}

bool sum_is_gather(const Sum *a)
{
    for (int i = 0; i < a->count; i++) {
        const Node *e = a->term[i].atom;
        if (!e)
            continue;
        if (e->op != OP_FLOOR_DIV && e->op != OP_MOD && e->op != OP_EXACT)
            return true;
        if (sum_is_gather(e->sum[0]))
            return true;
    }
    return false;
}

int sum_factor(const Sum *a, const Index *index)
{
    for (int i = 0; i < a->count; i++)
        if (a->term[i].index == index)
            return a->term[i].factor;
    return 0;
}

bool sum_uses(const Sum *a, const Index *index)
{
    for (int i = 0; i < a->count; i++)
        if (a->term[i].index ? a->term[i].index == index : node_uses(a->term[i].atom, index))
            return true;
    return false;
}

/* ---- substitution ---- */
void substitution_set(Substitution *s, const Index *index, const Sum *value)
{
    for (int i = 0; i < s->count; i++)
        if (s->index[i] == index) {
            s->value[i] = value;
            return;
        }
    if (s->count == s->room) {
        int room = s->room ? s->room * 2 : 8;
        const Index **more = NEW_ARRAY(const Index *, room);
        const Sum **values = NEW_ARRAY(const Sum *, room);
        if (s->count) {
            memcpy(more, s->index, sizeof *more * (size_t)s->count);
            memcpy(values, s->value, sizeof *values * (size_t)s->count);
        }
        *s = (Substitution){ s->count, room, more, values };
    }
    s->index[s->count] = index;
    s->value[s->count++] = value;
}

static const Sum *substituted(const Substitution *s, const Index *index)
{
    for (int i = 0; i < s->count; i++)
        if (s->index[i] == index)
            return s->value[i];
    return NULL;
}

const Sum *sum_substitute(const Sum *a, const Substitution *s)
{
    Draft d;
    draft_begin(&d);
    d.constant = a->constant;
    bool changed = false;
    for (int i = 0; i < a->count; i++) {
        const Term *t = &a->term[i];
        const Sum *value = t->index ? substituted(s, t->index) : NULL;
        const Node *atom = t->atom ? node_substitute(t->atom, s) : NULL;
        if (value)
            draft_add(&d, value, t->factor);
        else if (t->index || atom == t->atom)
            draft_add_term(&d, t->factor, t->index, t->atom);
        else
            draft_add(&d, sum_node(atom), t->factor);
        changed = changed || value || atom != t->atom;
    }
    return changed ? draft_end(&d) : a;
}

const Sum *sum_rebuild(const Sum *a, NodeMap *f, void *data)
{
    Draft d;
    draft_begin(&d);
    d.constant = a->constant;
    bool changed = false;
    for (int i = 0; i < a->count; i++) {
        const Term *t = &a->term[i];
        const Node *atom = t->atom ? f(t->atom, data) : NULL;
        if (atom == t->atom)
            draft_add_term(&d, t->factor, t->index, t->atom);
        else
            draft_add(&d, sum_node(atom), t->factor);
        changed = changed || atom != t->atom;
    }
    return changed ? draft_end(&d) : a;
}
