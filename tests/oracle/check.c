/* check.c: see oracle.h. All programs of an Oracle are "measure" programs of one model, so that they have one plan, one
 * struct run, and one memory, which each finds as its own image: NaN but for what is kept. */
#include "oracle.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct LibraryFile core_files[];

void oracle_add_runs(Oracle *o, const char *name, uint64_t seed, const OracleRun *runs, int count)
{
    OracleCase c = {
        .name = name, .seed = seed, .count = count, .run = arena_copy(runs, sizeof *runs * (size_t)count)
    };
    for (int i = 0; i < count; i++) {
        bool known = false;
        for (int k = 0; k < o->programs.count; k++) known = known || o->programs.at[k] == runs[i].program;
        if (known) continue;
        runs[i].program->name = format("p%d", o->programs.count);
        PUSH(o->programs, runs[i].program);
    }
    PUSH(o->cases, c);
}

void oracle_add(Oracle *o, const char *name, Program *p)
{
    oracle_add_runs(o, name, (uint64_t)o->cases.count * 7919 + 17, &(OracleRun){ p, 3, false }, 1);
}

/* ---- random numbers ---- */
static double uniform(uint64_t *s)
{
    uint64_t z = *s += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

/* ---- leaves ---- */
typedef struct Leaves {
    LIST(Tensor *) list;
    int batch;
} Leaves;

static void leaf_add(Leaves *l, Tensor *t)
{
    if (t->batch) l->batch = t->extent[0];
    if (t->role == ROLE_TEMP || t->role == ROLE_CONST) return;
    for (int i = 0; i < l->list.count; i++)
        if (l->list.at[i] == t) return;
    PUSH(l->list, t);
}

static void leaf_visit(const Node *e, void *data)
{
    if (e->op == OP_READ) leaf_add(data, e->tensor);
}

static Leaves leaves_of(const Program *p)
{
    Leaves l = { 0 };
    for (int i = 0; i < p->equations.count; i++) {
        const Equation *e = p->equations.at[i];
        leaf_add(&l, e->out);
        node_visit(e->value, leaf_visit, &l);
        if (e->test) node_visit(e->test, leaf_visit, &l);
        for (int a = 0; a < e->out->rank; a++)
            for (int k = 0; k < e->left[a]->count; k++)
                if (e->left[a]->term[k].atom) node_visit(e->left[a]->term[k].atom, leaf_visit, &l);
    }
    for (int i = 0; i < p->updates.count; i++) leaf_add(&l, p->updates.at[i].state);
    for (int i = 0; i < p->outputs.count; i++) leaf_add(&l, p->outputs.at[i].value);
    return l;
}

static Leaves leaves_of_case(const OracleCase *c)
{
    Leaves all = { 0 };
    for (int r = 0; r < c->count; r++) {
        Leaves l = leaves_of(c->run[r].program);
        for (int i = 0; i < l.list.count; i++) leaf_add(&all, l.list.at[i]);
    }
    return all;
}

/* Every number is one that float holds: the same for both kinds of real. */
static double leaf_number(const Tensor *t, uint64_t *random, int64_t iteration, int64_t i)
{
    double x = t->role == ROLE_SETTING && t->data               ? t->data[i]
               : t->role == ROLE_CLOCK                          ? (strcmp(t->name, "iteration") ? 2 : (double)iteration)
               : t->role == ROLE_STATE || t->role == ROLE_TOTAL ? 0.5 + uniform(random)
               : t->type == TYPE_FLOAT                          ? 4 * uniform(random) - 2
                                       : floor(uniform(random) * (t->type == TYPE_INT ? 1000 : 2));
    return t->role == ROLE_TOTAL ? x : (float)x;
}

/* ---- the C file ---- */
static const char *c_type(const Plan *plan, const Tensor *t)
{
    if (t->type != TYPE_FLOAT) return t->type == TYPE_INT ? "int32_t" : "uint8_t";
    return plan_storage(plan, t)->element == 8 ? "double" : "float";
}

static void core_add(Text *to)
{
    static const char *const order[] = { "vec", "wide", "dln_math", "rng", "random", "tile" };
    for (int i = 0; i < 6; i++)
        for (const struct LibraryFile *f = core_files; f->name; f++)
            if (!strcmp(f->name, format("core/%s.h", order[i]))) text_add_n(to, f->text, f->length);
}

typedef struct Callers {
    LIST(const Tensor *) list;
} Callers;

static void caller_add(const Plan *plan, Callers *c, const Tensor *t)
{
    if (plan_storage(plan, t)->place != PLACE_CALLER) return;
    for (int i = 0; i < c->list.count; i++)
        if (c->list.at[i] == t) return;
    PUSH(c->list, t);
}

/* The arrays that program i is called with. */
static Callers callers_of(const Plan *plan, const Program *p)
{
    Callers c = { 0 };
    Leaves l = leaves_of(p);
    for (int i = 0; i < l.list.count; i++) caller_add(plan, &c, l.list.at[i]);
    for (int i = 0; i < p->outputs.count; i++) caller_add(plan, &c, p->outputs.at[i].value);
    return c;
}

/* One function for each case: reads memory and arrays of each run, runs, writes what is there after it. */
static void case_text(const Plan *plan, const Oracle *o, int k, Text *t)
{
    const OracleCase *c = &o->cases.at[k];
    text_addf(t, "static void case_%d(void) {\n    begin();\n", k);
    for (int r = 0; r < c->count; r++) {
        const Program *p = c->run[r].program;
        Leaves l = leaves_of(p);
        Callers callers = callers_of(plan, p);
        text_addf(t, "    {   struct run run = got_run();\n");
        for (int j = 0; j < callers.list.count; j++)
            text_addf(t, "        run.%s = got_array(%d);\n", c_name(plan, callers.list.at[j]), j);
        for (int j = 0; j < l.list.count; j++)
            if (plan_storage(plan, l.list.at[j])->place == PLACE_RUN)
                text_addf(t, "        run.%s = got_real();\n", c_name(plan, l.list.at[j]));
        text_addf(t, "        run_%s(&run);\n        put(%d);\n    }\n", p->name, callers.list.count);
    }
    text_add(t, "    free(memory);\n}\n");
}

static const char *source_text(const Plan *plan, const Oracle *o)
{
    Text t = { 0 }, kernels = { 0 };
    const Model *m = plan->model;
    CoreUse use = { 0 };
    Callers all = { 0 };
    int most = 1;
    for (int i = 0; i < plan->programs.count; i++) {
        Callers c = callers_of(plan, plan->programs.at[i].program);
        most = c.list.count > most ? c.list.count : most;
        for (int j = 0; j < c.list.count; j++) caller_add(plan, &all, c.list.at[j]);
        emit_kernels(plan, &plan->programs.at[i], &kernels, &use);
        text_addf(&kernels, "static void run_%s(const struct run *run) {\n    (void)run;\n    OMP_PARALLEL\n    {\n",
                  plan->programs.at[i].program->name);
        emit_calls(plan, &plan->programs.at[i], &kernels);
        text_add(&kernels, "    }\n}\n");
    }
    if (plan->options->wide_real) text_add(&t, "#define DLN_REAL_DOUBLE 1\n");
    text_add(&t, "#define _POSIX_C_SOURCE 200809L\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n");
    if (use.blas) text_add(&t, "#include <cblas.h>\n");
    core_add(&t);
    text_add(&t, "struct model;\nstruct run {\n    real *memory;\n    const struct model *model;\n    int n;\n    "
                 "uint64_t seed, iteration;\n");
    for (int i = 0; i < all.list.count; i++)
        text_addf(&t, "    %s%s *%s;\n", all.list.at[i]->role == ROLE_INPUT ? "const " : "",
                  c_type(plan, all.list.at[i]), c_name(plan, all.list.at[i]));
    for (int i = 0; i < m->settings.count; i++) text_addf(&t, "    real %s;\n", c_name(plan, m->settings.at[i]));
    for (int i = 0; i < m->clocks.count; i++) text_addf(&t, "    real %s;\n", c_name(plan, m->clocks.at[i]));
    text_add(&t, "};\n");
    text_add(&t, text_string(&kernels));
    text_addf(&t, "enum { MOST = %d, KEPT = %" PRId64 ", ALL = %" PRId64 " };\n", most, plan->kept_bytes,
              plan->train_bytes);
    text_add(
        &t,
        "static FILE *in, *out;\n"
        "static unsigned char *memory;\n"
        "static void *array[MOST];\n"
        "static int64_t bytes[MOST];\n"
        "static void read_in(void *to, size_t n) { if (fread(to, 1, n, in) != n) exit(3); }\n"
        "static void *aligned(size_t n) { void *p; if (posix_memalign(&p, 64, n + !n)) exit(3); return p; }\n"
        "static void begin(void) { memory = aligned(ALL); memset(memory, 255, ALL); read_in(memory, KEPT); }\n"
        "static struct run got_run(void) {\n"
        "    struct run run = {0};\n    int64_t head[3];\n    read_in(head, sizeof head);\n"
        "    run.n = (int)head[0]; run.seed = (uint64_t)head[1]; run.iteration = (uint64_t)head[2];\n"
        "    run.memory = (real *)(void *)memory;\n    memset(memory + KEPT, 255, ALL - KEPT);\n    return run;\n}\n"
        "static void *got_array(int i) {\n" /* ends where it ends: for the sanitizer */
        "    read_in(&bytes[i], sizeof *bytes);\n    const size_t n = (size_t)bytes[i];\n"
        "    array[i] = n % 64 ? malloc(n) : aligned(n);\n    if (!array[i]) exit(3);\n    read_in(array[i], n);\n    "
        "return array[i];\n}\n"
        "static real got_real(void) { real x; read_in(&x, sizeof x); return x; }\n"
        "static void put(int arrays) {\n"
        "    for (int i = 0; i < arrays; i++) { fwrite(array[i], 1, (size_t)bytes[i], out); free(array[i]); }\n"
        "    fwrite(memory, 1, ALL, out);\n}\n");
    for (int k = 0; k < o->cases.count; k++) case_text(plan, o, k, &t);
    text_add(&t, "int main(int argc, char **argv) {\n"
                 "    if (argc != 3 || !(in = fopen(argv[1], \"rb\")) || !(out = fopen(argv[2], \"wb\"))) return 2;\n"
                 "    (void)got_array; (void)got_real;\n");
    for (int k = 0; k < o->cases.count; k++) text_addf(&t, "    case_%d();\n", k);
    text_add(&t, "    return fclose(out) != 0;\n}\n");
    return text_string(&t);
}

/* ---- memory images ---- */
static int64_t size_at(const Tensor *t, int n) { return t->batch ? tensor_size(t) / t->extent[0] * n : tensor_size(t); }

/* Where element i, in row-major order, lies: counted in elements. */
static int64_t place_of(const Storage *s, int64_t i)
{
    const Tensor *t = s->tensor;
    int64_t offset = 0, rest = i;
    for (int a = t->rank - 1; a >= 0; a--) {
        int64_t sub = rest % t->extent[a];
        rest /= t->extent[a];
        if (a == t->rank - 1 && s->panel > 0) {
            int64_t rows = tensor_size(t) / t->extent[a];
            offset += sub / s->panel * rows * s->panel + sub % s->panel;
        } else if (a < t->rank - 1 && s->panel > 0) {
            int64_t rows = 1;
            for (int b = a + 1; b < t->rank - 1; b++) rows *= t->extent[b];
            offset += sub * rows * s->panel;
        } else
            offset += sub * s->stride[a];
    }
    return offset;
}

static void element_put(unsigned char *to, const Storage *s, int64_t i, double x)
{
    unsigned char *at = to + place_of(s, i) * s->element;
    if (s->tensor->type == TYPE_INT) {
        int32_t v = (int32_t)x;
        memcpy(at, &v, 4);
    } else if (s->tensor->type == TYPE_BOOL)
        *at = x != 0;
    else if (s->element == 8)
        memcpy(at, &x, 8);
    else {
        float v = (float)x;
        memcpy(at, &v, 4);
    }
}

static double element_get(const unsigned char *from, const Storage *s, int64_t i)
{
    const unsigned char *at = from + place_of(s, i) * s->element;
    if (s->tensor->type == TYPE_INT) {
        int32_t v;
        memcpy(&v, at, 4);
        return v;
    }
    if (s->tensor->type == TYPE_BOOL) return *at;
    if (s->element == 8) {
        double v;
        memcpy(&v, at, 8);
        return v;
    }
    float v;
    memcpy(&v, at, 4);
    return v;
}

/* ---- what a case computes ---- */
static int samples(const OracleRun *r, const OracleOptions *options)
{
    int batch = leaves_of(r->program).batch, n = batch ? batch : 1;
    if (r->part) n = (n + 1) / 2;
    return options->n && options->n < n ? options->n : n;
}

/* What is kept from run to run. */
typedef struct Kept {
    LIST(Tensor *) tensor;
    LIST(double *) value;
} Kept;

static bool is_kept(const Tensor *t) { return t->role == ROLE_PARAM || t->role == ROLE_STATE || t->role == ROLE_TOTAL; }

static Kept kept_new(const OracleCase *c, uint64_t *random)
{
    Kept kept = { 0 };
    Leaves l = leaves_of_case(c);
    for (int i = 0; i < l.list.count; i++) {
        Tensor *t = l.list.at[i];
        if (!is_kept(t)) continue;
        double *v = NEW_ARRAY(double, tensor_size(t) + 1);
        for (int64_t e = 0; e < tensor_size(t); e++) v[e] = leaf_number(t, random, 0, e);
        PUSH(kept.tensor, t);
        PUSH(kept.value, v);
    }
    return kept;
}

static void kept_write(const Kept *kept, const Plan *plan, FILE *f)
{
    unsigned char *memory = NEW_ARRAY(unsigned char, plan->kept_bytes + 1);
    memset(memory, 0xff, (size_t)plan->kept_bytes);
    for (int i = 0; i < kept->tensor.count; i++) {
        const Storage *s = plan_storage(plan, kept->tensor.at[i]);
        for (int64_t e = 0; e < tensor_size(kept->tensor.at[i]); e++)
            element_put(memory + s->offset, s, e, kept->value.at[i][e]);
    }
    fwrite(memory, 1, (size_t)plan->kept_bytes, f);
}

static void kept_move(const Kept *kept, Values *v, bool back)
{
    for (int i = 0; i < kept->tensor.count; i++) {
        double *at = values_of(v, kept->tensor.at[i]);
        size_t bytes = sizeof *at * (size_t)tensor_size(kept->tensor.at[i]);
        if (back)
            memcpy(kept->value.at[i], at, bytes);
        else
            memcpy(at, kept->value.at[i], bytes);
    }
}

static void real_write(const Plan *plan, double x, FILE *f)
{
    float y = (float)x;
    if (plan->options->wide_real)
        fwrite(&x, sizeof x, 1, f);
    else
        fwrite(&y, sizeof y, 1, f);
}

static void arrays_write(const Plan *plan, const Program *p, Values *v, int n, FILE *f)
{
    Callers c = callers_of(plan, p);
    for (int i = 0; i < c.list.count; i++) {
        Tensor *t = (Tensor *)c.list.at[i];
        const Storage *s = plan_storage(plan, t);
        int64_t bytes = size_at(t, n) * s->element;
        unsigned char *array = NEW_ARRAY(unsigned char, bytes + 1);
        memset(array, 0xff, (size_t)bytes);
        for (int64_t e = 0; t->role == ROLE_INPUT && e < size_at(t, n); e++)
            element_put(array, s, e, values_of(v, t)[e]);
        fwrite(&bytes, sizeof bytes, 1, f);
        fwrite(array, 1, (size_t)bytes, f);
    }
    Leaves l = leaves_of(p);
    for (int i = 0; i < l.list.count; i++)
        if (plan_storage(plan, l.list.at[i])->place == PLACE_RUN) real_write(plan, *values_of(v, l.list.at[i]), f);
}

enum { NOISES = 16 };

/* values[r]: what the interpreter has after run r, its operations off by as much as jitter. f: what it
 * reads. */
static void case_compute(const OracleCase *c, const Plan *plan, const OracleOptions *options, double jitter,
                         uint64_t salt, Values **values, FILE *f)
{
    uint64_t random = c->seed;
    Kept kept = kept_new(c, &random);
    if (f) kept_write(&kept, plan, f);
    for (int r = 0; r < c->count; r++) {
        const OracleRun *run = &c->run[r];
        int64_t n = samples(run, options), head[3] = { n, 5, run->iteration };
        Values *v = values[r] = values_new((int)n, 5, run->iteration);
        values_jitter(v, jitter, salt, options->force == FORCE_ALL && salt > NOISES / 2); /* Winograd's zeros cancel */
        Leaves l = leaves_of(run->program);
        for (int i = 0; i < l.list.count; i++)
            if (!is_kept(l.list.at[i]))
                for (int64_t e = 0; e < size_at(l.list.at[i], (int)n); e++)
                    values_of(v, l.list.at[i])[e] = leaf_number(l.list.at[i], &random, run->iteration, e);
        if (f) fwrite(head, sizeof head, 1, f);
        if (f) arrays_write(plan, run->program, v, (int)n, f);
        kept_move(&kept, v, false);
        interpret(run->program, v);
        kept_move(&kept, v, true);
    }
}

static bool write_input(const Oracle *o, const Plan *plan, const OracleOptions *options, Values ***values,
                        const char *path)
{
    FILE *f = fopen(path, "wb");
    if (!f) return false;
    for (int k = 0; k < o->cases.count; k++) {
        values[k] = NEW_ARRAY(Values *, o->cases.at[k].count);
        case_compute(&o->cases.at[k], plan, options, 0, 0, values[k], f);
    }
    return fclose(f) == 0;
}

/* ---- comparing ---- */
typedef struct Compare {
    Oracle *o;
    OracleCase *c;
    const Plan *plan;
    const OracleOptions *options;
    Values **values, **noisy[NOISES]; /* noisy: made when the first value differs */
    int run, n;
    bool on_edge;                                /* an earlier run was unstable: from there on everything may differ */
    double scale;
} Compare;

/* A tenth of the largest value of the program: what cancels to nothing is off by the rounding of what it is made of. */
static double scale_of(const Program *p, Values *values, int n)
{
    double largest = 0;
    for (int i = 0; i < p->outputs.count; i++) {
        const double *v = values_of(values, p->outputs.at[i].value);
        for (int64_t k = 0; k < size_at(p->outputs.at[i].value, n); k++)
            if (isfinite(v[k])) largest = fmax(largest, fabs(v[k]));
    }
    return largest / 10;
}

/* How far a value of t moves when every operation is a little off. */
static double spread_of(Compare *c, Tensor *t)
{
    double spread = 0;
    for (int s = 0; s < NOISES; s++) {
        if (!c->noisy[s]) {
            c->noisy[s] = NEW_ARRAY(Values *, c->c->count);
            case_compute(c->c, c->plan, c->options, c->plan->options->wide_real ? 0x1p-50 : 0x1p-21, (uint64_t)s + 1,
                         c->noisy[s], NULL);
        }
        const double *a = values_of(c->values[c->run], t), *b = values_of(c->noisy[s][c->run], t);
        for (int64_t i = 0; i < size_at(t, c->n); i++)
            if (a[i] != b[i] && !(isnan(a[i]) && isnan(b[i])))
                spread = fmax(spread, isfinite(a[i] - b[i]) ? fabs(a[i] - b[i]) : INFINITY);
    }
    return spread;
}

static void compare(Compare *c, const char *what, Tensor *t, const unsigned char *got)
{
    const double *want = values_of(c->values[c->run], t);
    double largest = c->scale, bound = c->plan->options->wide_real ? 1e-9 : 2e-4, spread = -1;
    for (int64_t i = 0; i < size_at(t, c->n); i++)
        if (isfinite(want[i])) largest = fmax(largest, fabs(want[i]));
    for (int64_t i = 0; i < size_at(t, c->n); i++) {
        double x = element_get(got, plan_storage(c->plan, t), i), allowed = bound * fmax(0.1, largest);
        double off = x == want[i] || (isnan(x) && isnan(want[i])) ? 0 : fabs(x - want[i]) / allowed;
        c->o->compared++;
        if (off <= 1) {
            c->o->worst = fmax(c->o->worst, off);
            continue;
        }
        if (c->options->forgive && spread < 0) spread = spread_of(c, t);
        bool overflows = !isfinite(x) && fabs(want[i]) > (c->plan->options->wide_real ? 1e150 : 1e17); /* its square does */
        if (c->options->forgive && (c->on_edge || isinf(spread) || overflows || fabs(x - want[i]) <= 64 * spread)) {
            c->c->unstable = true;
            continue;
        }
        if (!c->c->failed && !c->options->keep_quiet)
            printf("    %s: %s %s[%" PRId64 "] is %.9g, not %.9g (run %d)\n", c->c->name, what, t->name, i, x, want[i],
                   c->run);
        c->c->failed = true;
    }
}

static void bits_add(Oracle *o, const unsigned char *at, int64_t bytes)
{
    for (int64_t b = 0; b < bytes; b++) o->bits = (o->bits ^ at[b]) * 1099511628211u;
}

static bool compare_run(Compare *c, FILE *f)
{
    const Plan *plan = c->plan;
    const Program *p = c->c->run[c->run].program;
    Callers callers = callers_of(plan, p);
    unsigned char *memory = NEW_ARRAY(unsigned char, plan->train_bytes + 1);
    unsigned char **array = NEW_ARRAY(unsigned char *, callers.list.count + 1);
    c->n = samples(&c->c->run[c->run], c->options);
    c->scale = scale_of(p, c->values[c->run], c->n);
    for (int i = 0; i < callers.list.count; i++) {
        int64_t bytes = size_at(callers.list.at[i], c->n) * plan_storage(plan, callers.list.at[i])->element;
        array[i] = NEW_ARRAY(unsigned char, bytes + 1);
        if (fread(array[i], 1, (size_t)bytes, f) != (size_t)bytes) return false;
        bits_add(c->o, array[i], bytes);
    }
    if (fread(memory, 1, (size_t)plan->train_bytes, f) != (size_t)plan->train_bytes) return false;
    bits_add(c->o, memory, plan->kept_bytes);
    for (int i = 0; i < p->outputs.count; i++) {
        Tensor *t = p->outputs.at[i].value;
        const unsigned char *got =
            plan_storage(plan, t)->place == PLACE_MEMORY ? memory + plan_storage(plan, t)->offset : NULL;
        for (int j = 0; j < callers.list.count; j++)
            if (callers.list.at[j] == t) got = array[j];
        if (got) compare(c, "output", t, got);
    }
    for (int i = 0; i < p->updates.count; i++) {
        Tensor *t = p->updates.at[i].state;
        compare(c, "state", t, memory + plan_storage(plan, t)->offset);
    }
    return true;
}

static bool read_output(Oracle *o, const Plan *plan, const OracleOptions *options, Values ***values, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    o->bits = 1469598103934665603u;
    bool fine = true;
    for (int k = 0; k < o->cases.count && fine; k++) {
        Compare c = { .o = o, .c = &o->cases.at[k], .plan = plan, .options = options, .values = values[k] };
        for (c.run = 0; c.run < c.c->count && fine; c.run++) {
            fine = compare_run(&c, f);
            c.on_edge = c.c->unstable;
        }
        c.c->unstable = c.c->unstable && !c.c->failed;
    }
    fclose(f);
    return fine;
}

static void model_add(Model *m, const Program *p)
{
    Leaves l = leaves_of(p);
    for (int i = 0; i < l.list.count; i++) {
        Tensor *t = l.list.at[i];
        bool known = false;
#define ADD(list)                                                                                                      \
    do {                                                                                                               \
        for (int j = 0; j < m->list.count; j++) known = known || m->list.at[j] == t;                                   \
        if (!known) PUSH(m->list, t);                                                                                  \
    } while (0)
        if (t->role == ROLE_INPUT)
            ADD(inputs);
        else if (t->role == ROLE_PARAM || t->role == ROLE_STATE)
            ADD(kept);
        else if (t->role == ROLE_TOTAL)
            ADD(totals);
        else if (t->role == ROLE_SETTING)
            ADD(settings);
        else
            ADD(clocks);
    }
}

static const char *compile_command(const OracleOptions *options, const char *stem, bool blas)
{
    const char *cc = options->cc ? options->cc : "gcc", *flags = options->flags ? options->flags : "-O1 -march=native";
    if (!strcmp(cc, "tcc")) return format("tcc %s -o %s %s.c", flags, stem, stem);
    return format(
        "%s -std=gnu11 %s -ffp-contract=off -fno-math-errno -fopenmp -Wall -Wextra -Wpedantic -Wconversion "
        "-Wdouble-promotion -Wshadow -Werror -Wno-unused-function -Wno-unused-const-variable %s -o %s %s.c %s",
        cc, flags, options->sanitize ? "-g -fsanitize=address,undefined -fno-sanitize-recover=undefined" : "", stem,
        stem, blas ? "-lopenblas" : "");
}

int oracle_run(Oracle *o, const OracleOptions *options)
{
    Model *m = NEW(Model);
    m->name = "oracle";
    for (int k = 0; k < o->programs.count; k++) {
        model_add(m, o->programs.at[k]);
        PUSH(m->measure, o->programs.at[k]);
    }
    for (int k = 0; k < o->cases.count; k++) o->cases.at[k].failed = o->cases.at[k].unstable = false;
    EmitOptions emit = { .prefix = "oracle",
                         .wide_real = options->wide,
                         .fuse = options->fuse,
                         .force = options->force,
                         .blas = options->blas ? BLAS_ALWAYS : BLAS_NEVER };
    const Plan *plan = plan_model(m, &emit);
    const char *stem = format("%s/oracle", options->folder), *text = source_text(plan, o);
    FILE *f = fopen(format("%s.c", stem), "w");
    if (!f) return -1;
    fputs(text, f);
    fclose(f);
    if (system(compile_command(options, stem, strstr(text, "cblas.h") != NULL))) return -1;
    Values ***values = NEW_ARRAY(Values **, o->cases.count);
    if (!write_input(o, plan, options, values, format("%s.in", stem))) return -2;
    if (system(
            format("ASAN_OPTIONS=detect_leaks=0 OMP_WAIT_POLICY=passive OMP_NUM_THREADS=%d timeout 60 %s %s.in %s.out",
                   options->threads, stem, stem, stem)))
        return -2;
    o->worst = 0;
    o->compared = 0;
    if (!read_output(o, plan, options, values, format("%s.out", stem))) return -2;
    int failed = 0;
    for (int k = 0; k < o->cases.count; k++) failed += o->cases.at[k].failed;
    return failed;
}
