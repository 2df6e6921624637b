/* rules_order.c: the order of the equations: topological, a loop being one unit; and what need not stand in a loop. */
#include "tensor/rules.h"

/* ---- order: what is read stands before; loops that were torn stand together ----
 * requires: that there is such an order.  keeps: the old order where it can, the order inside a loop.
 * breaks: nothing. */
typedef struct Unit {
    const Loop *loop;
    LIST(int) lines;
    int state;
} Unit; /* state: 0 new, 1 under way, 2 done */
typedef struct Ordering {
    Simplifier *s;
    LIST(Unit) units;
    int *before;         /* the line before, of the same tensor; counted from 1 */
    int *last, *unit_of; /* by tensor: its last line; by line: its unit */
    Lines out;
} Ordering;

typedef struct LoopUnit {
    const Loop *loop;
    int unit;
} LoopUnit;
static bool loop_is(const void *item, const void *key) { return ((const LoopUnit *)item)->loop == key; }

/* The unit of a line: its loop's, or a new one. */
static int unit_for(Ordering *o, const Equation *e, ConsTable *loops)
{
    uint64_t hash = hash_pointer(1, e->loop);
    const LoopUnit *known = e->loop ? cons_find(loops, hash, e->loop, loop_is) : NULL;
    if (known) return known->unit;
    LoopUnit made = { e->loop, o->units.count };
    PUSH(o->units, ((Unit){ .loop = e->loop }));
    if (e->loop) cons_insert(loops, hash, arena_copy(&made, sizeof made));
    return made.unit;
}

static void collect_units(Ordering *o)
{
    Lines *lines = &o->s->lines;
    ConsTable loops = { 0 };
    for (int i = 0; i < lines->count; i++) {
        const Equation *e = lines->at[i].e;
        int unit = unit_for(o, e, &loops);
        PUSH(o->units.at[unit].lines, i);
        o->unit_of[i] = unit;
        o->before[i] = o->last[e->out->id];
        o->last[e->out->id] = i + 1;
    }
}

static void place_unit(Ordering *o, int unit)
{
    Unit *u = &o->units.at[unit];
    if (u->state == 2) return;
    if (u->state == 1)
        bug("simplify: the equations of %s read each other in a circle", o->s->lines.at[u->lines.at[0]].e->out->name);
    u->state = 1;
    for (int i = 0; i < u->lines.count; i++) {
        const Reads *reads = equation_reads(o->s->lines.at[u->lines.at[i]].e);
        for (int k = 0; k < reads->count; k++) {
            const Tensor *t = reads->at[k].node->tensor;
            for (int line = t->id < o->s->facts ? o->last[t->id] : 0; line; line = o->before[line - 1])
                if (o->unit_of[line - 1] != unit) place_unit(o, o->unit_of[line - 1]);
        }
    }
    u->state = 2;
    for (int i = 0; i < u->lines.count; i++) PUSH(o->out, o->s->lines.at[u->lines.at[i]]);
}

void rule_order(Simplifier *s)
{
    survey(s);
    Ordering o = { .s = s };
    o.before = NEW_ARRAY(int, s->lines.count + 1);
    o.unit_of = NEW_ARRAY(int, s->lines.count + 1);
    o.last = NEW_ARRAY(int, s->facts ? s->facts : 1);
    collect_units(&o);
    for (int i = 0; i < o.units.count; i++) place_unit(&o, i);
    s->lines = o.out;
}

/* ---- unloop: what is in no cycle leaves its loop, to stand before it or after it ----
 * requires: loops stand together.  keeps: values, order.  breaks: nothing; the step becomes an index like others.
 * In a cycle is what reads itself through others. Before the loop goes what depends on no cycle; after it, what no
 * cycle depends on. */
typedef struct Body {
    Simplifier *s;
    int from, count; /* the loop's lines */
    bool *reads;     /* [i][k]: line i reads the tensor of line k, directly or through others */
} Body;

static bool *reads_at(Body *b, int i, int k) { return &b->reads[(size_t)i * (size_t)b->count + (size_t)k]; }

static void body_close(Body *b)
{
    for (int i = 0; i < b->count; i++) {
        const Reads *reads = equation_reads(b->s->lines.at[b->from + i].e);
        for (int r = 0; r < reads->count; r++)
            for (int k = 0; k < b->count; k++)
                if (b->s->lines.at[b->from + k].e->out == reads->at[r].node->tensor) *reads_at(b, i, k) = true;
    }
    for (int m = 0; m < b->count; m++) /* Warshall: through m */
        for (int i = 0; i < b->count; i++)
            if (*reads_at(b, i, m))
                for (int k = 0; k < b->count; k++) *reads_at(b, i, k) = *reads_at(b, i, k) || *reads_at(b, m, k);
}

/* Pieces of one tensor stay together: each counts for all. */
typedef enum { FIRST, INSIDE, LAST } Where;
static Where where(Body *b, int i)
{
    bool on_cycle = false, before_cycle = false;
    const Tensor *t = b->s->lines.at[b->from + i].e->out;
    for (int m = 0; m < b->count; m++) {
        if (b->s->lines.at[b->from + m].e->out != t) continue;
        for (int k = 0; k < b->count; k++)
            if (*reads_at(b, k, k)) {
                on_cycle = on_cycle || k == m || *reads_at(b, m, k);
                before_cycle = before_cycle || k == m || *reads_at(b, k, m);
            }
    }
    return !on_cycle ? FIRST : !before_cycle ? LAST : INSIDE;
}

static void unloop_body(Simplifier *s, int from, int count, Lines *out)
{
    Body b = { s, from, count, NEW_ARRAY(bool, (size_t)count *(size_t)count) };
    body_close(&b);
    Where *place = NEW_ARRAY(Where, count);
    for (int i = 0; i < count; i++) place[i] = where(&b, i);
    for (Where w = FIRST; w <= LAST; w++)
        for (int i = 0; i < count; i++) {
            Line line = s->lines.at[from + i];
            if (place[i] != w) continue;
            if (w != INSIDE) {
                line.e->loop = NULL;
                line.e->step = NULL;
            }
            PUSH(*out, line);
        }
}

void rule_unloop(Simplifier *s)
{
    Lines out = { 0 };
    for (int i = 0; i < s->lines.count;) {
        const Loop *loop = s->lines.at[i].e->loop;
        int count = 1;
        while (loop && i + count < s->lines.count && s->lines.at[i + count].e->loop == loop) count++;
        if (loop)
            unloop_body(s, i, count, &out);
        else
            PUSH(out, s->lines.at[i]);
        i += count;
    }
    s->lines = out;
}
