/* sequence.c: kernels that a sample goes through one after the other. Where all that passes between kernels passes at the
 * same sample, there is one loop over the samples round all of them instead of a barrier after each:
 *
 *     for slot in 0 .. SLOTS (shared out over the threads)
 *         for the samples n of this slot: first(n); second(n); third(n);
 *
 * What one makes for the next is still near when it is read, and what nobody else reads needs no memory for every sample:
 * it lies in the frame of the slot. Sums over samples stay outside, so the bits do not depend on slots or threads. */
#include "kernel/graph.h"

enum { SLOTS = 32, FEW = 4 };                    /* FEW samples: threads share out the loops inside a kernel instead */

/* ---- what may be in a sequence ---- */
/* The index of the sample, if e makes one sample of its result from anything; NULL. */
static const Index *sample_of(const Equation *e)
{
    const Index *sample = e->out->batch && e->out->rank ? sum_plain(e->left[0]) : NULL;
    if (!sample || !sample->batch || equation_is_scatter(e)) return NULL;
    for (int i = 0; i < e->indices; i++)
        if (e->index[i]->batch && e->index[i] != sample) return NULL;
    for (int i = 0; i < e->reduced_count; i++)
        if (e->reduced[i]->batch) return NULL;
    return sample;
}

static bool can_take_part(const Kernel *k, int few)
{
    if (k->loop || k->add || (k->schedule != SCHEDULE_TILE && k->schedule != SCHEDULE_ROWS)) return false;
    if (k->schedule == SCHEDULE_TILE && (k->tile.block || !k->tile.row || k->tile.row->batch)) return false;
    if (k->schedule == SCHEDULE_ROWS && k->outer == 0) return false;
    for (int j = 0; j < k->equations.count; j++) {
        const Index *sample = sample_of(k->equations.at[j]);
        if (!sample || sample->extent < few) return false;
        if (k->schedule == SCHEDULE_ROWS && k->forms.at[j].loop[0] != sample) return false;
    }
    return true;
}

typedef struct Passing { Graph *g; const Sequence *from; const Index *sample; bool fine; } Passing;

static void check_sample(const Node *e, void *data)
{
    Passing *p = data;
    if (e->op != OP_READ || (e->sums && sum_plain(e->sum[0]) == p->sample)) return;
    const Kernels *makers = of_tensor(&p->g->makers, e->tensor);
    for (int i = 0; i < makers->list.count; i++) p->fine &= makers->list.at[i]->sequence != p->from;
}

/* All that passes from one to the other passes at the same sample. */
static bool passes_by_sample(Graph *g, const Sequence *from, const Sequence *to)
{
    Passing p = { .g = g, .from = from, .fine = true };
    for (int k = 0; k < to->kernels.count; k++)
        for (int j = 0; j < to->kernels.at[k]->equations.count; j++) {
            p.sample = sample_of(to->kernels.at[k]->equations.at[j]);
            equation_visit(to->kernels.at[k]->equations.at[j], check_sample, &p);
        }
    return p.fine;
}

/* A state that one writes over and the other reads: only a barrier keeps these apart. */
static bool has_states(const PlanOf *p, const Sequence *s)
{
    for (int i = 0; i < s->kernels.count; i++)
        for (int j = 0; j < s->kernels.at[i]->equations.count; j++)
            if (plan_home(&p->plan, s->kernels.at[i]->equations.at[j]->out)->role != ROLE_TEMP) return true;
    return false;
}

static int samples(const Sequence *s) { return sample_of(s->kernels.at[0]->equations.at[0])->extent; }

static bool can_be_one(Graph *g, Sequence *a, Sequence *b)
{
    if (samples(a) != samples(b) || !passes_by_sample(g, a, b) || !passes_by_sample(g, b, a)) return false;
    if (has_states(g->plan, a) || has_states(g->plan, b)) return false;
    for (int i = 0; i < a->kernels.count; i++)
        if (reaches_round(g, a->kernels.at[i], b->kernels.at[0])) return false;
    for (int i = 0; i < b->kernels.count; i++)
        if (reaches_round(g, b->kernels.at[i], a->kernels.at[0])) return false;
    return true;
}

/* ---- growing ---- */
static void sequence_join(Sequence *a, Sequence *b)
{
    for (int i = 0; i < b->kernels.count; i++) {
        b->kernels.at[i]->sequence = a;
        PUSH(a->kernels, b->kernels.at[i]);
    }
    b->kernels.count = 0;
}

static void join_with_makers(Graph *g, Kernel *k)
{
    Tensors *reads = &g->reads.at[k->id];
    for (int i = 0; i < reads->list.count; i++) {
        Kernels *makers = of_tensor(&g->makers, reads->list.at[i]);
        for (int j = 0; j < makers->list.count; j++) {
            Kernel *maker = makers->list.at[j];
            if (maker->sequence && maker->sequence != k->sequence && can_be_one(g, maker->sequence, k->sequence))
                sequence_join(maker->sequence, k->sequence);
        }
    }
}

void find_sequences(Graph *g)
{
    ProgramPlan *p = g->program;
    for (int i = 0; i < p->kernels.count; i++) {
        Kernel *k = p->kernels.at[i];
        if (!can_take_part(k, g->plan->plan.options->force == FORCE_ALL ? 1 : FEW)) continue;
        k->sequence = NEW(Sequence);
        PUSH(k->sequence->kernels, k);
    }
    for (int i = 0; i < p->kernels.count; i++)
        if (p->kernels.at[i]->sequence) join_with_makers(g, p->kernels.at[i]);
    for (int i = 0; i < p->kernels.count; i++) {
        Kernel *k = p->kernels.at[i];
        if (k->sequence && k->sequence->kernels.count == 1) k->sequence = NULL;
        if (k->sequence) k->sequence->slots = samples(k->sequence) < SLOTS ? samples(k->sequence) : SLOTS;
    }
}

/* In the order of the calls; inner becomes the place there. */
void sequences_order(ProgramPlan *p)
{
    for (int i = 0; i < p->kernels.count; i++) {
        Sequence *s = p->kernels.at[i]->sequence;
        if (!s || s->kernels.at[0] != p->kernels.at[i]) continue;
        for (int a = 1; a < s->kernels.count; a++) {
            Kernel *k = s->kernels.at[a];
            int b = a;
            for (; b > 0 && s->kernels.at[b - 1]->inner > k->inner; b--) s->kernels.at[b] = s->kernels.at[b - 1];
            s->kernels.at[b] = k;
        }
        for (int a = 0; a < s->kernels.count; a++) s->kernels.at[a]->inner = a;
    }
}

/* ---- frames ---- */
typedef struct Use { const Sequence *sequence; bool outside; int first, last; } Use;
typedef struct Uses { LIST(Use) by_tensor; } Uses;

static void use_note(Kernel *k, const Equation *e, Tensor *t, void *data)
{
    Uses *u = data;
    (void)e;
    while (u->by_tensor.count <= t->id) PUSH(u->by_tensor, ((Use){ .first = -1 }));
    Use *use = &u->by_tensor.at[t->id];
    const Sequence *s = k->sequence;
    use->outside |= !s || (use->sequence && use->sequence != s);
    use->sequence = s;
    if (use->first < 0 || k->inner < use->first) use->first = k->inner;
    if (k->inner > use->last) use->last = k->inner;
}

void place_frames(PlanOf *p, ProgramPlan *program)
{
    Uses uses = {0};
    each_touched(program, use_note, &uses);
    for (int i = 0; i < program->kernels.count; i++) {
        Sequence *s = program->kernels.at[i]->sequence;
        if (!s || s->kernels.at[0] != program->kernels.at[i]) continue;
        Arena frame = {0};
        LIST(Storage *) inside = {0};
        for (int k = 0; k < s->kernels.count; k++)
            for (int j = 0; j < s->kernels.at[k]->equations.count; j++) {
                Tensor *t = s->kernels.at[k]->equations.at[j]->out;
                Storage *at = &p->plan.storage.at[p->storage_of.at[t->id]];
                const Use *use = &uses.by_tensor.at[t->id];
                if (at->place != PLACE_MEMORY || at->sequence || use->outside || t->role != ROLE_TEMP) continue;
                int64_t bytes = at->bytes / t->extent[0];
                at->sequence = s;
                at->offset = arena_place(&frame, 0, bytes, use->first, use->last);
                at->bytes = bytes * s->slots;
                PUSH(inside, at);
            }
        for (int k = 0; k < inside.count; k++) inside.at[k]->stride[0] = (int)(frame.end / inside.at[k]->element);
        if (!frame.end) continue;
        s->frames = NEW(Storage);
        *s->frames = (Storage){ .place = PLACE_MEMORY, .bytes = frame.end * s->slots, .offset = -1, .sequence = s,
                                .first_phase = s->kernels.at[0]->phase, .last_phase = s->kernels.at[0]->phase };
    }
}
