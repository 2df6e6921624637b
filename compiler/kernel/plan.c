/* plan.c: where every tensor lies. The caller's memory is laid out as
 *
 *     weights, states and totals of inference | scratch of inference | states of the optimizer | scratch of training
 *
 * Scratch is shared: a tensor holds its bytes from the phase that makes it to the last phase that reads it, and the
 * programs, which never run at the same time, overlay each other. First fit by size, larger tensors first. */
#include "kernel/winners.h"
#include <string.h>

enum { ALIGNMENT = 64, SLACK = 256 };            /* SLACK: a load of whole vectors may look past the last tensor */

static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

const Storage *plan_storage(const Plan *p, const Tensor *t)
{
    const PlanOf *of = (const PlanOf *)p;
    int at = t->id < of->storage_of.count ? of->storage_of.at[t->id] : -1;
    if (at < 0) bug("plan: tensor %s has no place", t->name);
    return &p->storage.at[at];
}

const ProgramPlan *plan_program(const Plan *p, const Program *program)
{
    for (int i = 0; i < p->programs.count; i++)
        if (p->programs.at[i].program == program) return &p->programs.at[i];
    return NULL;
}

Tensor *plan_home(const Plan *p, const Tensor *t)
{
    const PlanOf *of = (const PlanOf *)p;
    Tensor *state = t->id < of->instead.count ? of->instead.at[t->id] : NULL;
    return state ? state : (Tensor *)t;
}

/* ---- one storage for each tensor ---- */
static Storage *storage_add(PlanOf *p, Tensor *t, PlaceKind place, bool wide)
{
    while (p->storage_of.count <= t->id) PUSH(p->storage_of, -1);
    if (p->storage_of.at[t->id] >= 0) return &p->plan.storage.at[p->storage_of.at[t->id]];
    int element = t->type == TYPE_INT ? 4 : t->type == TYPE_BOOL ? 1 : wide || t->role == ROLE_TOTAL || p->plan.options->wide_real ? 8 : 4;
    Storage s = { .tensor = t, .place = place, .element = element, .bytes = tensor_size(t) * element, .offset = -1 };
    if (tensor_size(t) > INT32_MAX)
        error_at(t->at, "%s has %lld elements; the C counts the places of one tensor in an int, up to %d", t->name,
                 (long long)tensor_size(t), INT32_MAX);
    int64_t stride = 1;
    for (int a = t->rank - 1; a >= 0; a--) {
        s.stride[a] = (int)stride;
        stride *= t->extent[a];
    }
    p->storage_of.at[t->id] = p->plan.storage.count;
    PUSH(p->plan.storage, s);
    return &p->plan.storage.at[p->plan.storage.count - 1];
}

typedef struct Touch { PlanOf *p; const Program *program; } Touch;

static const PlaceKind place_of_role[] = {
    [ROLE_TEMP] = PLACE_MEMORY, [ROLE_INPUT] = PLACE_CALLER, [ROLE_PARAM] = PLACE_MEMORY, [ROLE_STATE] = PLACE_MEMORY,
    [ROLE_TOTAL] = PLACE_MEMORY, [ROLE_SETTING] = PLACE_RUN, [ROLE_CLOCK] = PLACE_RUN, [ROLE_CONST] = PLACE_TEXT };

static void touch(Kernel *k, const Equation *e, Tensor *t, void *data)
{
    Touch *c = data;
    (void)e;
    bool known = t->id < c->p->storage_of.count && c->p->storage_of.at[t->id] >= 0;
    Storage *s = storage_add(c->p, t, place_of_role[t->role], t->role == ROLE_TEMP && c->program->wide);
    if (!known) {
        s->first_phase = s->last_phase = k->phase;
        if (t->role == ROLE_TEMP && program_outputs(c->program, t)) s->place = PLACE_CALLER;
    }
    if (k->phase < s->first_phase) s->first_phase = k->phase;
    if (k->phase > s->last_phase) s->last_phase = k->phase;
}

static void program_touch(PlanOf *p, ProgramPlan *program)
{
    each_touched(program, touch, &(Touch){ p, program->program });
    for (int i = 0; i < program->program->outputs.count; i++) {  /* an output that no equation makes: an input, a weight */
        Tensor *t = program->program->outputs.at[i].value;
        if (t->role != ROLE_TEMP) storage_add(p, t, place_of_role[t->role], false);
    }
}

/* ---- what stays inside one kernel ---- */
typedef struct LocalSearch { const Tensor *t; const Kernel *k; const Equation *e; bool fine; } LocalSearch;

static void check_local_read(const Node *e, void *data)
{
    LocalSearch *c = data;
    if (e->op != OP_READ || e->tensor != c->t) return;
    for (int a = 0; a < e->sums; a++) {
        bool own = e->sums == c->e->out->rank && e->sum[a] == c->e->left[a];
        if (c->k->schedule == SCHEDULE_TILE && !own) c->fine = false;
        if (c->e->step && sum_uses(e->sum[a], c->e->step) && sum_plain(e->sum[a]) != c->e->step) c->fine = false;
    }
}

/* For each tensor the kernel that alone makes and reads it, in the row (tile, step) that makes it; else NULL. */
typedef struct Owner { const Kernel *kernel; bool several; } Owner;
typedef struct Owners { LIST(Owner) by_tensor; } Owners;

static void owner_note(Kernel *k, const Equation *e, Tensor *t, void *data)
{
    Owners *o = data;
    while (o->by_tensor.count <= t->id) PUSH(o->by_tensor, ((Owner){0}));
    Owner *owner = &o->by_tensor.at[t->id];
    LocalSearch c = { t, k, e, true };
    if (!owner->several) equation_visit(e, check_local_read, &c);
    owner->several |= (owner->kernel && owner->kernel != k) || !c.fine;
    owner->kernel = k;
}

static const Kernel *only_kernel(const Owners *o, const Tensor *t)
{
    const Owner *owner = &o->by_tensor.at[t->id];
    return owner->several ? NULL : owner->kernel;
}

enum { ROW_BYTES = 16 << 10 };

/* Tensors of one kernel need no memory: registers, or an array of one row. The axes of the outer loops have stride 0. */
static void place_locals(PlanOf *p, ProgramPlan *program)
{
    Owners owners = {0};
    each_touched(program, owner_note, &owners);
    for (int i = 0; i < program->kernels.count; i++) {
        Kernel *k = program->kernels.at[i];
        for (int j = 0; j < k->equations.count && k->schedule != SCHEDULE_SCALAR; j++) {
            const Equation *e = k->equations.at[j];
            if (e->out->role != ROLE_TEMP || plan_home(&p->plan, e->out) != e->out || program_outputs(program->program, e->out)) continue;
            Storage *s = &p->plan.storage.at[p->storage_of.at[e->out->id]];
            if (s->place != PLACE_MEMORY || only_kernel(&owners, e->out) != k) continue;
            if (k->schedule == SCHEDULE_TILE && k->tile.block && j == 0) {
                k->tile.in_between = k->equations.count > 1;
                continue;
            }
            int64_t size = 1;
            int stride[MAX_RANK] = {0};
            for (int a = e->out->rank - 1; a >= 0; a--) {
                bool outer = e->step && sum_plain(e->left[a]) == e->step;
                for (int q = 0; q < k->outer && k->schedule != SCHEDULE_TILE; q++) outer |= sum_plain(e->left[a]) == k->forms.at[j].loop[q];
                if (outer) continue;
                stride[a] = (int)size;
                size *= e->out->extent[a];
            }
            if (k->schedule != SCHEDULE_TILE && size * s->element > ROW_BYTES) continue;
            s->place = PLACE_LOCAL;
            s->bytes = size * s->element;
            memcpy(s->stride, stride, sizeof stride);
        }
    }
}

/* ---- offsets ---- */
/* `taken` is kept by offset */
int64_t arena_place(Arena *a, int64_t from, int64_t bytes, int first, int last)
{
    int64_t at = from;
    bytes = round_up(bytes, ALIGNMENT);
    for (int i = 0; i < a->taken.count; i++) {
        const Region *r = &a->taken.at[i];
        if (r->last < first || r->first > last || r->offset + r->bytes <= at) continue;
        if (r->offset >= at + bytes) break;
        at = r->offset + r->bytes;
    }
    PUSH(a->taken, ((Region){ at, bytes, first, last }));
    for (int i = a->taken.count - 1; i > 0 && a->taken.at[i - 1].offset > at; i--) {
        Region moved = a->taken.at[i - 1];
        a->taken.at[i - 1] = a->taken.at[i];
        a->taken.at[i] = moved;
    }
    if (at + bytes > a->end) a->end = at + bytes;
    return at;
}

static bool is_scratch(const PlanOf *p, const Storage *s)
{
    return s->place == PLACE_MEMORY && !s->sequence && s->tensor->role == ROLE_TEMP && plan_home(&p->plan, s->tensor) == s->tensor;
}

static bool belongs(const ProgramPlan *program, const Tensor *t)
{
    for (int i = 0; i < program->kernels.count; i++)
        for (int j = 0; j < program->kernels.at[i]->equations.count; j++)
            if (program->kernels.at[i]->equations.at[j]->out == t) return true;
    return false;
}

/* Orders in which tensors look for a place; which one leaves fewest holes differs from model to model. */
static double rank_of(const Storage *s, int order)
{
    switch (order) {
    case 0: return (double)s->bytes;
    case 1: return (double)s->bytes * (s->last_phase - s->first_phase + 1);
    case 2: return -s->first_phase;
    case 3: return s->last_phase;
    default: return s->last_phase - s->first_phase;
    }
}
enum { ORDERS = 5 };

typedef struct Scratch { LIST(Storage *) list; } Scratch;

/* The most bytes that are alive at once. */
static int64_t live_bound(const Scratch *mine, int phases)
{
    int64_t *change = NEW_ARRAY(int64_t, phases + 1), most = 0, sum = 0;
    for (int i = 0; i < mine->list.count; i++) {
        const Storage *s = mine->list.at[i];
        change[s->first_phase] += round_up(s->bytes, ALIGNMENT);
        change[s->last_phase + 1] -= round_up(s->bytes, ALIGNMENT);
    }
    for (int phase = 0; phase < phases; phase++) {
        sum += change[phase];
        if (sum > most) most = sum;
    }
    return most;
}

static void scratch_sort(Scratch *mine, int order)
{
    for (int i = 1; i < mine->list.count; i++) {
        Storage *s = mine->list.at[i];
        int k = i;
        for (; k > 0 && rank_of(mine->list.at[k - 1], order) < rank_of(s, order); k--) mine->list.at[k] = mine->list.at[k - 1];
        mine->list.at[k] = s;
    }
}

static int64_t scratch_try(Scratch *mine, int order, int64_t from, const Region *fixed)
{
    Arena a = { .end = from };
    if (fixed) PUSH(a.taken, *fixed);
    scratch_sort(mine, order);
    for (int i = 0; i < mine->list.count; i++) {
        Storage *s = mine->list.at[i];
        s->offset = arena_place(&a, from, s->bytes, s->first_phase, s->last_phase);
    }
    return a.end;
}

/* Places the scratch of one program from `from` on, round what `fixed` holds. Returns the end. */
static int64_t scratch_place(PlanOf *p, ProgramPlan *program, int64_t from, const Region *fixed)
{
    Scratch mine = {0};
    for (int i = 0; i < program->kernels.count; i++)
        for (int j = 0; j < program->kernels.at[i]->equations.count; j++) {
            Storage *s = &p->plan.storage.at[p->storage_of.at[program->kernels.at[i]->equations.at[j]->out->id]];
            if (!is_scratch(p, s) || s->offset >= 0) continue;
            s->offset = 0;                       /* pieces of one tensor: once */
            PUSH(mine.list, s);
        }
    for (int i = 0; i < program->kernels.count; i++) {
        const Sequence *s = program->kernels.at[i]->sequence;
        if (s && s->frames && s->kernels.at[0] == program->kernels.at[i]) PUSH(mine.list, s->frames);
    }
    int best = 0;
    int64_t least = -1;
    program->live_bytes = live_bound(&mine, program->phases);
    for (int order = 0; order < ORDERS && mine.list.count < 2000; order++) {
        int64_t end = scratch_try(&mine, order, from, fixed);
        if (least < 0 || end < least) {
            least = end;
            best = order;
        }
    }
    int64_t end = scratch_try(&mine, best, from, fixed);
    program->scratch_bytes = end - from - (fixed && end >= fixed->offset + fixed->bytes ? fixed->bytes : 0);
    return end;
}

/* ---- cost ---- */
typedef struct Count { double operations; double bytes; const PlanOf *p; } Count;

static void count_node(const Node *e, void *data)
{
    Count *c = data;
    if (e->type == TYPE_FLOAT && e->op > OP_SELECT && e->op != OP_STOP && e->op != OP_TO_FLOAT) c->operations++;
}

typedef struct Traffic { const PlanOf *p; LIST(const Kernel *) last; } Traffic;          /* last: by tensor id, who touched it */

static void count_bytes(Kernel *k, const Equation *e, Tensor *t, void *data)
{
    Traffic *c = data;
    (void)e;
    while (c->last.count <= t->id) PUSH(c->last, NULL);
    const Storage *s = plan_storage(&c->p->plan, t);
    if (c->last.at[t->id] != k && (s->place == PLACE_MEMORY || s->place == PLACE_CALLER)) k->bytes += (double)s->bytes;
    c->last.at[t->id] = k;
}

/* Loop places times operations; every tensor once for each kernel that reads or writes it. */
static void program_cost(const PlanOf *p, ProgramPlan *program)
{
    for (int i = 0; i < program->kernels.count; i++) {
        Kernel *k = program->kernels.at[i];
        for (int j = 0; j < k->equations.count; j++) {
            const Equation *e = k->equations.at[j];
            Count c = { .p = p };
            double places = 1;
            for (int q = 0; q < e->indices; q++) places *= e->index[q]->extent;
            for (int q = 0; q < e->reduced_count; q++) places *= e->reduced[q]->extent;
            if (k->winners && k->winners->part) places /= k->winners->part->extent;      /* each sample is in one part */
            node_visit(e->value, count_node, &c);
            k->flops += places * (c.operations + (e->reduction == RED_SUM || equation_is_scatter(e) ? 1 : 0));
        }
    }
    each_touched(program, count_bytes, &(Traffic){ .p = p });
    for (int i = 0; i < program->kernels.count; i++) {
        program->flops += program->kernels.at[i]->flops;
        program->bytes_moved += program->kernels.at[i]->bytes;
    }
}

/* ---- the whole ---- */
static void kept_add(PlanOf *p, Tensor *t) { storage_add(p, t, PLACE_MEMORY, false); }

/* What only an instance with the memory for training runs. */
static bool is_training(const Model *m, const Program *p)
{
    return p == m->initialize || p == m->step || p == m->accumulate || p == m->apply;
}

/* By tensor id: what predict, evaluate or report read or write. */
typedef struct Inference { const Plan *plan; LIST(bool) needs; } Inference;

static void inference_note(Kernel *k, const Equation *e, Tensor *t, void *data)
{
    Inference *in = data;
    (void)k;
    (void)e;
    t = plan_home(in->plan, t);
    while (in->needs.count <= t->id) PUSH(in->needs, false);
    in->needs.at[t->id] = true;
}

static Inference find_inference(const PlanOf *p)
{
    Inference in = { .plan = &p->plan };
    for (int i = 0; i < p->plan.programs.count; i++)
        if (!is_training(p->plan.model, p->plan.programs.at[i].program)) each_touched(&p->plan.programs.at[i], inference_note, &in);
    return in;
}

static bool for_inference(const Inference *in, const Tensor *t)
{
    return t->role == ROLE_PARAM || t->role == ROLE_TOTAL || (t->id < in->needs.count && in->needs.at[t->id]);
}

static int64_t kept_place(PlanOf *p, int64_t at, const Inference *in, bool inference)
{
    for (int i = 0; i < p->plan.storage.count; i++) {
        Storage *s = &p->plan.storage.at[i];
        Role role = s->tensor->role;
        if ((role != ROLE_PARAM && role != ROLE_STATE && role != ROLE_TOTAL) || for_inference(in, s->tensor) != inference) continue;
        s->offset = at;
        at += round_up(s->bytes, ALIGNMENT);
    }
    return at;
}

static void check_limit(const PlanOf *p)
{
    int64_t limit = p->plan.options->memory_limit;
    int64_t need = p->plan.options->inference_only ? p->plan.infer_bytes : p->plan.train_bytes;
    if (!limit || need <= limit) return;
    error_plain("the model needs %lld bytes of memory, the limit is %lld", (long long)need, (long long)limit);
    const ProgramPlan *worst = NULL;
    for (int i = 0; i < p->plan.programs.count; i++)
        if (!worst || p->plan.programs.at[i].live_bytes > worst->live_bytes) worst = &p->plan.programs.at[i];
    if (worst) {
        int64_t batch = 0, most = -1;
        int peak = 0;
        for (int phase = 0; phase < worst->phases; phase++) {
            int64_t sum = 0;
            for (int i = 0; i < p->plan.storage.count; i++) {
                const Storage *s = &p->plan.storage.at[i];
                if (is_scratch(p, s) && s->first_phase <= phase && phase <= s->last_phase && belongs(worst, s->tensor)) sum += s->bytes;
            }
            if (sum > most) { most = sum; peak = phase; }
        }
        help("kept: %lld bytes of weights and states; %s needs %lld more, most of it in phase %d, where these are alive:",
             (long long)p->plan.kept_bytes, worst->program->name, (long long)worst->live_bytes, peak);
        for (int i = 0; i < p->plan.storage.count; i++) {
            const Storage *s = &p->plan.storage.at[i];
            if (!is_scratch(p, s) || s->first_phase > peak || peak > s->last_phase || !belongs(worst, s->tensor)) continue;
            if (s->tensor->batch) batch += s->bytes;
            if (s->bytes * 20 > most) help("    %-32s %10lld bytes, phases %d to %d", s->tensor->name, (long long)s->bytes, s->first_phase, s->last_phase);
        }
        help("half the batch would save %lld bytes; --inference-only needs %lld in all", (long long)(batch / 2), (long long)p->plan.infer_bytes);
    }
}

Plan *plan_model(Model *m, const EmitOptions *options)
{
    PlanOf *p = NEW(PlanOf);
    p->plan.model = m;
    p->plan.options = options;
    p->names = NEW(struct NameTable);
    LIST(Program *) programs = {0};
    PUSH(programs, m->initialize);
    for (int i = 0; i < m->measure.count; i++) PUSH(programs, m->measure.at[i]);
    Program *rest[] = { m->settle, m->step, m->accumulate, m->apply, m->evaluate, m->predict, m->report };
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) PUSH(programs, rest[i]);
    for (int i = 0; i < m->inputs.count; i++) storage_add(p, m->inputs.at[i], PLACE_CALLER, false);
    for (int i = 0; i < m->targets.count; i++) storage_add(p, m->targets.at[i], PLACE_CALLER, false);
    for (int i = 0; i < m->kept.count; i++) kept_add(p, m->kept.at[i]);
    for (int i = 0; i < m->totals.count; i++) kept_add(p, m->totals.at[i]);
    for (int i = 0; i < m->settings.count; i++) storage_add(p, m->settings.at[i], PLACE_RUN, false);
    for (int i = 0; i < m->clocks.count; i++) storage_add(p, m->clocks.at[i], PLACE_RUN, false);
    for (int i = 0; i < programs.count; i++) {
        if (!programs.at[i]) continue;
        if (options->inference_only && programs.at[i] == m->step) continue;
        PUSH(p->plan.programs, ((ProgramPlan){ .program = programs.at[i] }));
        fuse_program(p, &p->plan.programs.at[p->plan.programs.count - 1]);
    }
    for (int i = 0; i < p->plan.programs.count; i++) {
        program_touch(p, &p->plan.programs.at[i]);
        place_locals(p, &p->plan.programs.at[i]);
        place_frames(p, &p->plan.programs.at[i]);
    }

    choose_panels(p);

    Inference needs = find_inference(p);
    int64_t weights = kept_place(p, 0, &needs, true), inference = weights;
    for (int i = 0; i < p->plan.programs.count; i++) {
        ProgramPlan *q = &p->plan.programs.at[i];
        if (is_training(m, q->program)) continue;
        int64_t end = scratch_place(p, q, weights, NULL);
        if (end > inference) inference = end;
    }
    int64_t states = kept_place(p, inference, &needs, false), whole = states;
    Region optimizer = { inference, states - inference, 0, 1 << 30 };
    for (int i = 0; i < p->plan.programs.count; i++) {
        ProgramPlan *q = &p->plan.programs.at[i];
        if (!is_training(m, q->program)) continue;
        int64_t end = scratch_place(p, q, weights, &optimizer);
        if (end > whole) whole = end;
    }
    for (int i = 0; i < p->plan.storage.count; i++) {            /* what is computed in a state's place */
        Storage *s = &p->plan.storage.at[i];
        if (s->sequence) s->offset += s->sequence->frames->offset;
        Tensor *home = plan_home(&p->plan, s->tensor);
        if (home != s->tensor) {
            const Storage *at = plan_storage(&p->plan, home);
            s->offset = at->offset;
            s->panel = at->panel;
            memcpy(s->stride, at->stride, sizeof s->stride);
        }
    }
    p->plan.weight_bytes = weights;
    p->plan.kept_bytes = weights + (states - inference);
    p->plan.infer_bytes = inference + SLACK;
    p->plan.train_bytes = whole + SLACK;
    for (int i = 0; i < p->plan.programs.count; i++) program_cost(p, &p->plan.programs.at[i]);
    check_limit(p);
    return &p->plan;
}
