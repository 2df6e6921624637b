/* interpret.c: the oracle. Evaluates a program in double, element by element in meaning; shares no code with emission.
 *
 * An equation is compiled once into three lists of instructions (value, test, left side), one register for each
 * distinct node, and run inside plain loops over its indices. To be fast enough for tests, an instruction works on a
 * block of up to LANES neighbours along one index of the equation, the longest: the lane index.
 *
 * Reads are checked: one outside its axis marks its lane, marks follow the value through every operation, a choice
 * passes on the marks of the taken side only, and a mark that reaches the equation's value is a bug(). A gather that
 * leaves its axis is held within it, as the language has it. */
#include "core/rng.h"
#include "tensor/cons.h"
#include <math.h>
#include <string.h>

enum { LANES = 256, SLOTS = 2 * MAX_RANK };

/* constant + step * lane + factor * position of a loop, .. + factor * register, ..; the registers that differ from lane
 * to lane stand last. */
typedef struct Linear {
    int64_t constant, step;
    int loops, slot[SLOTS];
    int64_t loop_factor[SLOTS];
    int registers, uniform;                      /* registers in all; those that are the same in all lanes */
    struct LinearTerm { int64_t factor; const struct Instruction *from; } *term;
    bool varies, gather;
} Linear;

typedef struct Instruction {
    const Node *e;
    bool varies;                                 /* differs from lane to lane; else only lane 0 is computed */
    bool marked;                                 /* some lane of this block is marked: a read outside */
    const struct Instruction *arg[3];
    Linear *sub;
    const double *from;                          /* READ: the tensor's elements */
    double *value;                               /* LANES of them */
    bool *mark;
} Instruction;

/* value and mark of all instructions lie in the pool of the Values, used again by each equation */
typedef struct Code { LIST(Instruction *) list; ConsTable by_node; } Code;

typedef struct Compiled {
    const Equation *key;                         /* the equation that was compiled, */
    Equation as_it_was;                          /* and what it was then: it may have been changed since */
    Code value, test, left;
    const Instruction *result, *condition;
    Linear place[MAX_RANK], fused;               /* the left side; the place of an argmax */
    int slots, lane;                             /* indices, then reduced; lane: -1 without indices */
    int extent[SLOTS];
    double *out;
} Compiled;

typedef struct CompiledProgram { const Program *program; LIST(Compiled *) equations; } CompiledProgram;

struct Values {
    int n;
    uint64_t seed;
    int64_t iteration;
    double jitter;
    uint64_t salt;
    bool apart;
    LIST(double *) of;                           /* by tensor id */
    LIST(CompiledProgram *) programs;
    int room;                                    /* registers in the pool */
    double *pool;
    bool *mark_pool;
};

/* ---- values ---- */
Values *values_new(int n, uint64_t seed, int64_t iteration)
{
    Values *v = NEW(Values);
    v->n = n;
    v->seed = seed;
    v->iteration = iteration;
    return v;
}

void values_iteration(Values *v, int64_t iteration) { v->iteration = iteration; }

void values_jitter(Values *v, double jitter, uint64_t salt, bool apart)
{
    v->jitter = jitter;
    v->salt = salt;
    v->apart = apart;
}

/* The same for the same result of the same operation: what is equal stays so. What is left of a sum of terms as large as
 * `largest` when nothing but their rounding is left may be nothing at all: every second salt makes it 0. */
static double with_jitter(const Values *v, int operation, double x, double largest)
{
    uint64_t z;
    if (v->salt % 2 && fabs(x) < 8 * v->jitter * largest)
        return 0;
    memcpy(&z, &x, sizeof z);
    z = (z ^ v->salt * 0x9E3779B97F4A7C15u) + (uint64_t)operation * 0xD1B54A32D192ED03u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    double off = v->jitter * (2 * ((double)((z ^ z >> 31) >> 11) * 0x1p-53) - 1);
    return x * (1 + off) + (v->apart && operation < 0 ? off : 0);
}

static int64_t size_at(const Values *v, const Tensor *t)
{
    int64_t size = tensor_size(t);
    return t->batch ? size / t->extent[0] * v->n : size;
}

double *values_of(Values *v, Tensor *t)
{
    while (v->of.count <= t->id)
        PUSH(v->of, NULL);
    if (!v->of.at[t->id]) {
        double *data = NEW_ARRAY(double, size_at(v, t) + 1);
        if (t->data)
            memcpy(data, t->data, sizeof *data * (size_t)tensor_size(t));
        v->of.at[t->id] = data;
    }
    return v->of.at[t->id];
}

/* ---- compiling ---- */
typedef struct Compiler { Values *v; Compiled *c; Code *code; const Equation *e; } Compiler;

static const Instruction *compile(Compiler *k, const Node *e);

static int slot_of(const Equation *e, const Index *index)
{
    for (int i = 0; i < e->indices; i++)
        if (e->index[i] == index)
            return i;
    for (int i = 0; i < e->reduced_count; i++)
        if (e->reduced[i] == index)
            return e->indices + i;
    bug("interpret: index %s comes from nowhere in %s", index->name, equation_text(e));
}

static void add_loop(const Compiled *c, Linear *out, int slot, int64_t factor)
{
    out->slot[out->loops] = slot;
    out->loop_factor[out->loops++] = factor;
    if (slot == c->lane) {
        out->step = factor;
        out->varies = true;
    }
}

static void compile_sum(Compiler *k, const Sum *a, Linear *out)
{
    *out = (Linear){ .constant = a->constant, .gather = sum_is_gather(a) };
    out->term = NEW_ARRAY(struct LinearTerm, a->count);
    for (int i = 0; i < a->count; i++) {
        const Term *t = &a->term[i];
        if (t->index) {
            add_loop(k->c, out, slot_of(k->e, t->index), t->factor);
            continue;
        }
        const Instruction *from = compile(k, t->atom);
        int place = out->registers++;
        if (!from->varies) {
            out->term[place] = out->term[out->uniform];
            place = out->uniform++;
        }
        out->term[place] = (struct LinearTerm){ t->factor, from };
        out->varies = out->varies || from->varies;
    }
}

static bool instruction_is(const void *item, const void *key) { return ((const Instruction *)item)->e == key; }

static const Instruction *compile(Compiler *k, const Node *e)
{
    uint64_t hash = hash_add(1, (uint64_t)e->id);
    const Instruction *known = cons_find(&k->code->by_node, hash, e, instruction_is);
    if (known)
        return known;
    Instruction *made = NEW(Instruction);
    made->e = e;
    for (int i = 0; i < 3 && e->arg[i]; i++) {
        made->arg[i] = compile(k, e->arg[i]);
        made->varies = made->varies || made->arg[i]->varies;
    }
    made->sub = e->sums ? NEW_ARRAY(Linear, e->sums) : NULL;
    for (int i = 0; i < e->sums; i++) {
        compile_sum(k, e->sum[i], &made->sub[i]);
        made->varies = made->varies || made->sub[i].varies;
    }
    if (e->op == OP_READ)
        made->from = values_of(k->v, e->tensor);
    PUSH(k->code->list, made);
    cons_insert(&k->code->by_node, hash, made);
    return made;
}

static int index_extent(const Values *v, const Index *index) { return index->batch ? v->n : index->extent; }

/* The longest index is the lane, but for the step of a scan, which stands still while the equation runs. */
static void choose_lane(Values *v, Compiled *c, const Equation *e)
{
    c->lane = -1;
    c->slots = e->indices + e->reduced_count;
    for (int s = 0; s < c->slots; s++) {
        const Index *index = s < e->indices ? e->index[s] : e->reduced[s - e->indices];
        c->extent[s] = index_extent(v, index);
        if (index != e->step && (c->lane < 0 || c->extent[s] > c->extent[c->lane]))
            c->lane = s;
    }
}

static void reserve_registers(Values *v, const Compiled *c)
{
    int need = c->value.list.count + c->test.list.count + c->left.list.count;
    if (need <= v->room)
        return;
    v->room = need * 2;
    v->pool = NEW_ARRAY(double, (int64_t)v->room * LANES);
    v->mark_pool = NEW_ARRAY(bool, (int64_t)v->room * LANES);
}

static Compiled *compile_equation(Values *v, const Equation *e)
{
    Compiled *c = NEW(Compiled);
    Compiler k = { v, c, &c->value, e };
    c->key = e;
    memcpy(&c->as_it_was, e, sizeof *e);
    choose_lane(v, c, e);
    c->result = compile(&k, e->value);
    k.code = &c->test;
    c->condition = e->test ? compile(&k, e->test) : NULL;
    k.code = &c->left;
    for (int a = 0; a < e->out->rank; a++)
        compile_sum(&k, e->left[a], &c->place[a]);
    int64_t factor = 1;
    for (int i = e->reduced_count - 1; i >= 0; i--) {
        add_loop(c, &c->fused, e->indices + i, factor);
        factor *= e->reduced[i]->extent;
    }
    c->out = values_of(v, e->out);
    reserve_registers(v, c);
    return c;
}

/* ---- running instructions ---- */
typedef struct Run {
    Values *v;
    Compiled *c;
    const Equation *e;
    int64_t at[SLOTS];                           /* the lane's is the first of the block */
    int lanes;                                   /* in the block that is being computed */
    double acc[LANES], best[LANES];              /* of a reduction; best: the place of an argmax;
                                                    of a sum that jitters the largest so far */
    bool on[LANES];                              /* the equation's test */
    int outputs;                                 /* lanes of acc and on: 1 if the lane index is reduced */
} Run;

/* Its value in lane 0, but for registers that vary. */
static int64_t linear_base(const Run *r, const Linear *s)
{
    int64_t base = s->constant;
    for (int i = 0; i < s->loops; i++)
        base += s->loop_factor[i] * r->at[s->slot[i]];
    for (int i = 0; i < s->uniform; i++)
        base += s->term[i].factor * (int64_t)s->term[i].from->value[0];
    return base;
}

static void linear_values(const Run *r, const Linear *s, int lanes, int64_t *out)
{
    int64_t base = linear_base(r, s);
    for (int l = 0; l < lanes; l++)
        out[l] = base + s->step * l;
    for (int i = s->uniform; i < s->registers; i++) {
        const Instruction *from = s->term[i].from;
        for (int l = 0; l < lanes; l++)
            out[l] += s->term[i].factor * (int64_t)from->value[l];
    }
}

static int axis_extent(const Run *r, const Tensor *t, int axis)
{
    return axis == 0 && t->batch ? r->v->n : t->extent[axis];
}

/* All subscripts are linear and inside: one place and one stride. False if that is not so. */
static bool read_straight(const Run *r, const Instruction *ins, int lanes)
{
    const Tensor *t = ins->e->tensor;
    int64_t place = 0, stride = 0;
    for (int a = 0; a < t->rank; a++) {
        int64_t extent = axis_extent(r, t, a), base = linear_base(r, &ins->sub[a]), step = ins->sub[a].step;
        if (ins->sub[a].uniform < ins->sub[a].registers)
            return false;
        int64_t end = base + step * (lanes - 1);
        if (base < 0 || base >= extent || end < 0 || end >= extent)
            return false;
        place = place * extent + base;
        stride = stride * extent + step;
    }
    const double *from = ins->from + place;
    for (int l = 0; l < lanes; l++)
        ins->value[l] = from[l * stride];
    return true;
}

static void read(const Run *r, Instruction *ins, int lanes)
{
    const Tensor *t = ins->e->tensor;
    int64_t place[LANES] = {0}, sub[LANES];
    bool outside[LANES] = {0};
    for (int a = 0; a < t->rank; a++) {
        int64_t extent = axis_extent(r, t, a);
        linear_values(r, &ins->sub[a], lanes, sub);
        for (int l = 0; l < lanes; l++) {
            bool inside = sub[l] >= 0 && sub[l] < extent;
            outside[l] |= !inside && !ins->sub[a].gather;
            place[l] = place[l] * extent + (inside ? sub[l] : sub[l] < 0 ? 0 : extent - 1);
        }
    }
    for (int l = 0; l < lanes; l++) {
        ins->value[l] = ins->from[place[l]];
        if (outside[l] && !ins->marked) {
            memset(ins->mark, 0, sizeof(bool) * (size_t)lanes);
            ins->marked = true;
        }
        if (ins->marked)
            ins->mark[l] |= outside[l];
    }
}

static void sum_operation(const Run *r, const Instruction *ins, int lanes)
{
    int64_t sum[LANES], k = ins->e->extent;
    uint32_t key = ins->e->op == OP_RAND ? dln_key(r->v->seed, (uint64_t)r->v->iteration, (uint32_t)k) : 0;
    linear_values(r, &ins->sub[0], lanes, sum);
    for (int l = 0; l < lanes; l++)
        switch (ins->e->op) {
        case OP_INT: ins->value[l] = (double)sum[l]; break;
        case OP_IN: ins->value[l] = sum[l] >= 0 && sum[l] < k; break;
        case OP_MOD: ins->value[l] = (double)(sum[l] % k + (sum[l] % k < 0 ? k : 0)); break;
        case OP_RAND: ins->value[l] = dln_uniform(dln_bits(key, (uint32_t)sum[l])); break;
        default: ins->value[l] = (double)(sum[l] / k - (sum[l] % k < 0)); break;      /* FLOOR_DIV, EXACT */
        }
}

static bool is_marked(const Instruction *ins, int lane)
{
    return ins->marked && ins->mark[ins->varies ? lane : 0];
}

/* The marks that an instruction takes over: those of its arguments and subscripts; of a choice, those that count. */
static void inherit_marks(Instruction *ins, int lanes)
{
    ins->marked = false;
    for (int i = 0; i < 3 && ins->arg[i]; i++)
        ins->marked = ins->marked || ins->arg[i]->marked;
    for (int k = 0; k < ins->e->sums; k++)
        for (int i = 0; i < ins->sub[k].registers; i++)
            ins->marked = ins->marked || ins->sub[k].term[i].from->marked;
    for (int l = 0; ins->marked && l < lanes; l++) {
        bool mark[3] = {0};
        for (int i = 0; i < 3 && ins->arg[i]; i++)
            mark[i] = is_marked(ins->arg[i], l);
        const Instruction *a = ins->arg[0];
        bool first = a && a->value[a->varies ? l : 0] != 0;
        switch (ins->e->op) {
        case OP_SELECT: ins->mark[l] = mark[0] || mark[first ? 1 : 2]; break;
        case OP_AND: ins->mark[l] = mark[0] || (first && mark[1]); break;
        case OP_OR: ins->mark[l] = mark[0] || (!first && mark[1]); break;
        default: ins->mark[l] = mark[0] || mark[1];
        }
        for (int k = 0; k < ins->e->sums; k++)
            for (int i = 0; i < ins->sub[k].registers; i++)
                ins->mark[l] |= is_marked(ins->sub[k].term[i].from, l);
    }
}

#define EACH(formula)                                                                                                  \
    for (int l = 0; l < lanes; l++) {                                                                                  \
        double a = x[l * dx], b = y[l * dy];                                                                           \
        out[l] = formula;                                                                                              \
    }                                                                                                                  \
    break

static void operation(const Instruction *ins, int lanes)
{
    const Instruction *left = ins->arg[0], *right = ins->arg[1] ? ins->arg[1] : left;
    const double *x = left->value, *y = right->value;
    double *out = ins->value;
    int dx = left->varies, dy = right->varies;
    switch (ins->e->op) {
    case OP_ADD: EACH(a + b);
    case OP_SUB: EACH(a - b);
    case OP_MUL: EACH(a * b);
    case OP_DIV: EACH(a / b);
    case OP_MAX: EACH(b > a ? b : a);
    case OP_EQ: EACH(a == b);
    case OP_GT: EACH(a > b);
    case OP_AND: EACH((a != 0) & (b != 0));
    case OP_SELECT: {
        const double *z = ins->arg[2]->value;
        int dz = ins->arg[2]->varies;
        for (int l = 0; l < lanes; l++)
            out[l] = x[l * dx] != 0 ? y[l * dy] : z[l * dz];
        break;
    }
    default: EACH(number_apply(ins->e->op, a, b));
    }
}

/* Whether the operation makes a float that is rounded. */
static bool is_rounded(const Node *e)
{
    switch (e->op) {
    case OP_READ: case OP_RAND: case OP_SELECT: case OP_STOP: case OP_NEG: case OP_TO_FLOAT: case OP_MAX: case OP_MIN:
    case OP_ABS: case OP_SIGN: case OP_FLOOR: return false;
    default: return e->type == TYPE_FLOAT;
    }
}

static double largest_term(const Instruction *ins, int lane)
{
    const Instruction *a = ins->arg[0], *b = ins->arg[1];
    if (ins->e->op != OP_ADD && ins->e->op != OP_SUB)
        return 0;
    return fmax(fabs(a->value[a->varies ? lane : 0]), fabs(b->value[b->varies ? lane : 0]));
}

static void run_code(const Run *r, const Code *code)
{
    for (int i = 0; i < code->list.count; i++) {
        Instruction *ins = code->list.at[i];
        int lanes = ins->varies ? r->lanes : 1;
        if (ins->e->op == OP_NUM || ins->e->op == OP_COUNT)
            continue;                            /* set by place_registers() */
        inherit_marks(ins, lanes);
        if (ins->e->op == OP_READ) {
            if (!read_straight(r, ins, lanes))
                read(r, ins, lanes);
        } else if (ins->e->sums)
            sum_operation(r, ins, lanes);
        else
            operation(ins, lanes);
        if (r->v->jitter != 0 && is_rounded(ins->e))
            for (int l = 0; l < lanes; l++)
                ins->value[l] = with_jitter(r->v, ins->e->id, ins->value[l], largest_term(ins, l));
    }
}

/* ---- reductions ---- */
static void fold(Run *r, const double *x, int dx)
{
    int step = r->outputs > 1 || r->lanes == r->outputs;
    int64_t base = linear_base(r, &r->c->fused), along = r->c->fused.step;
    for (int l = 0; l < r->lanes; l++) {
        double value = x[l * dx], place = (double)(base + along * l);
        double *acc = &r->acc[l * step], *best = &r->best[l * step];
        switch (r->e->reduction) {
        case RED_NONE: *acc = value; break;
        case RED_SUM:
            *acc += value;
            if (r->v->jitter != 0) *best = fmax(*best, fabs(*acc));
            break;
        case RED_MAX: *acc = value > *acc ? value : *acc; break;
        case RED_MIN: *acc = value < *acc ? value : *acc; break;
        case RED_ANY: *acc = *acc != 0 || value != 0; break;
        case RED_ALL: *acc = *acc != 0 && value != 0; break;
        case RED_ARGMAX: case RED_ARGMIN: {
            bool better = r->e->reduction == RED_ARGMAX ? value > *acc : value < *acc;
            if (better || (value == *acc && place < *best)) {
                *acc = value;
                *best = place;
            }
        }
        }
    }
}

static void run_value(Run *r)
{
    const Instruction *result = r->c->result;
    run_code(r, &r->c->value);
    for (int l = 0; result->marked && l < r->lanes; l++)
        if (result->mark[result->varies ? l : 0] && r->on[r->outputs > 1 ? l : 0])
            bug("interpret: a read outside its axis counts in %s", equation_text(r->e));
    fold(r, result->value, result->varies);
}

/* Runs the value for every place of the reduced indices from slot s on; blocks of lanes innermost. */
static void each_reduced(Run *r, int s)
{
    const Compiled *c = r->c;
    if (s == c->lane)
        s++;
    if (s < c->slots) {
        for (r->at[s] = 0; r->at[s] < c->extent[s]; r->at[s]++)
            each_reduced(r, s + 1);
        return;
    }
    if (c->lane < r->e->indices) {
        run_value(r);
        return;
    }
    for (int64_t begin = 0; begin < c->extent[c->lane]; begin += LANES) {
        r->at[c->lane] = begin;
        r->lanes = c->extent[c->lane] - begin < LANES ? (int)(c->extent[c->lane] - begin) : LANES;
        run_value(r);
    }
    r->at[c->lane] = 0;
    r->lanes = 1;
}

static const double reduction_start[] = {
    [RED_MAX] = -INFINITY, [RED_ARGMAX] = -INFINITY, [RED_MIN] = INFINITY, [RED_ARGMIN] = INFINITY, [RED_ALL] = 1,
};

static void store(Run *r)
{
    const Compiled *c = r->c;
    const Tensor *t = r->e->out;
    bool scatter = equation_is_scatter(r->e), arg = r->e->reduction == RED_ARGMAX || r->e->reduction == RED_ARGMIN;
    int64_t place[LANES] = {0}, sub[LANES];
    run_code(r, &c->left);
    for (int a = 0; a < t->rank; a++) {
        int64_t extent = axis_extent(r, t, a);
        linear_values(r, &c->place[a], r->outputs, sub);
        for (int l = 0; l < r->outputs; l++) {
            bool inside = sub[l] >= 0 && sub[l] < extent;
            if (!inside && !c->place[a].gather && r->on[l])
                bug("interpret: writes outside: %s", equation_text(r->e));
            place[l] = place[l] * extent + (inside ? sub[l] : sub[l] < 0 ? 0 : extent - 1);
        }
    }
    for (int l = 0; l < r->outputs; l++) {
        double value = !r->on[l] ? 0 : arg ? r->best[l] : r->acc[l];
        if (r->v->jitter != 0 && r->e->reduction == RED_SUM && t->type == TYPE_FLOAT)
            value = with_jitter(r->v, -1 - t->id, value, r->best[l]);
        c->out[place[l]] = scatter ? c->out[place[l]] + value : value;
    }
}

/* One block of places of the equation: its test, its reduction, the store. */
static void run_block(Run *r)
{
    const Compiled *c = r->c;
    bool any = !c->condition;
    r->outputs = r->lanes;
    if (c->condition)
        run_code(r, &c->test);
    for (int l = 0; l < r->outputs; l++) {
        r->acc[l] = reduction_start[r->e->reduction];
        r->best[l] = 0;
        r->on[l] = true;
        if (!c->condition)
            continue;
        int from = c->condition->varies ? l : 0;
        if (c->condition->marked && c->condition->mark[from])
            bug("interpret: a read outside its axis counts in the test of %s", equation_text(r->e));
        r->on[l] = c->condition->value[from] != 0;
        any = any || r->on[l];
    }
    if (any)
        each_reduced(r, r->e->indices);
    store(r);
}

static void each_output(Run *r, int s)
{
    const Compiled *c = r->c;
    while (s < r->e->indices && (s == c->lane || r->e->index[s] == r->e->step))
        s++;
    if (s < r->e->indices) {
        for (r->at[s] = 0; r->at[s] < c->extent[s]; r->at[s]++)
            each_output(r, s + 1);
        return;
    }
    r->lanes = 1;
    if (c->lane < 0 || c->lane >= r->e->indices) {
        run_block(r);
        return;
    }
    for (int64_t begin = 0; begin < c->extent[c->lane]; begin += LANES) {
        r->at[c->lane] = begin;
        r->lanes = c->extent[c->lane] - begin < LANES ? (int)(c->extent[c->lane] - begin) : LANES;
        run_block(r);
    }
}

/* ---- equations and programs ---- */
static void place_registers(Values *v, Compiled *c)
{
    Code *codes[] = { &c->value, &c->test, &c->left };
    int64_t used = 0;
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < codes[k]->list.count; i++, used += LANES) {
            Instruction *ins = codes[k]->list.at[i];
            ins->value = v->pool + used;
            ins->mark = v->mark_pool + used;
            if (ins->e->op == OP_NUM || ins->e->op == OP_COUNT)
                ins->value[0] = ins->e->number * (ins->e->op == OP_COUNT ? v->n : 1);
        }
}

static void run_equation(Values *v, Compiled *c, int step)
{
    static Run run;                              /* large; an equation does not run inside another */
    run = (Run){ .v = v, .c = c, .e = c->key };
    place_registers(v, c);
    if (run.e->step)
        run.at[slot_of(run.e, run.e->step)] = step;
    each_output(&run, 0);
}

static CompiledProgram *compile_program(Values *v, const Program *p)
{
    CompiledProgram *all = NULL;
    for (int i = 0; i < v->programs.count; i++)
        if (v->programs.at[i]->program == p)
            all = v->programs.at[i];
    if (!all) {
        all = NEW(CompiledProgram);
        all->program = p;
        PUSH(v->programs, all);
    }
    for (int i = 0; i < p->equations.count; i++) {
        const Equation *e = p->equations.at[i];
        bool fresh = i < all->equations.count && all->equations.at[i]->key == e &&
                     memcmp(&all->equations.at[i]->as_it_was, e, sizeof *e) == 0;
        if (fresh)
            continue;
        if (i == all->equations.count)
            PUSH(all->equations, NULL);
        all->equations.at[i] = compile_equation(v, e);
    }
    return all;
}

static void run_loop(Values *v, CompiledProgram *all, int first, int end)
{
    const Loop *loop = all->equations.at[first]->key->loop;
    for (int k = 0; k < loop->extent; k++)
        for (int i = first; i < end; i++)
            run_equation(v, all->equations.at[i], loop->step > 0 ? k : loop->extent - 1 - k);
}

static void apply_updates(const Program *p, Values *v)
{
    double **value = NEW_ARRAY(double *, p->updates.count);
    for (int i = 0; i < p->updates.count; i++) { /* all are read before any is written */
        Tensor *t = p->updates.at[i].value;
        value[i] = values_of(v, t);
        if (t->role != ROLE_TEMP)
            value[i] = arena_copy(value[i], sizeof(double) * (size_t)size_at(v, t));
    }
    for (int i = 0; i < p->updates.count; i++) {
        double *state = values_of(v, p->updates.at[i].state);
        for (int64_t k = size_at(v, p->updates.at[i].state) - 1; k >= 0; k--)
            state[k] = value[i][k] + (p->updates.at[i].add ? state[k] : 0);
    }
}

void interpret(const Program *p, Values *v)
{
    CompiledProgram *all = compile_program(v, p);
    for (int i = 0; i < p->equations.count; i++)
        if (equation_is_scatter(p->equations.at[i])) {
            Tensor *t = p->equations.at[i]->out;
            memset(values_of(v, t), 0, sizeof(double) * (size_t)size_at(v, t));
        }
    for (int i = 0, end; i < p->equations.count; i = end) {
        const Loop *loop = p->equations.at[i]->loop;
        for (end = i + 1; loop && end < p->equations.count && p->equations.at[end]->loop == loop; end++)
            ;
        if (loop)
            run_loop(v, all, i, end);
        else
            run_equation(v, all->equations.at[i], 0);
    }
    apply_updates(p, v);
}
