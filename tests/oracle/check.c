/* check.c: see oracle.h. All programs of an Oracle are "measure" programs of one model, so that they have one plan, one
 * struct run, and one memory, which each finds as its own image: NaN but for what is kept. */
#include "oracle.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct LibraryFile core_files[];

void oracle_add(Oracle *o, const char *name, Program *p)
{
    p->name = format("p%d", o->programs.count);
    PUSH(o->programs, p);
    PUSH(o->names, name);
    PUSH(o->failed, false);
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
typedef struct Leaves { LIST(Tensor *) list; int batch; } Leaves;

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
    Leaves l = {0};
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

static double leaf_number(const Tensor *t, uint64_t *random, bool wide, int64_t i)
{
    double x = t->role == ROLE_SETTING && t->data ? t->data[i]
             : t->role == ROLE_CLOCK ? 2
             : t->role == ROLE_STATE || t->role == ROLE_TOTAL ? 0.5 + uniform(random)
             : t->type == TYPE_FLOAT ? 4 * uniform(random) - 2
             : floor(uniform(random) * (t->type == TYPE_INT ? 1000 : 2));
    return wide || t->role == ROLE_TOTAL ? x : (float)x;
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

typedef struct Callers { LIST(const Tensor *) list; } Callers;

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
    Callers c = {0};
    Leaves l = leaves_of(p);
    for (int i = 0; i < l.list.count; i++) caller_add(plan, &c, l.list.at[i]);
    for (int i = 0; i < p->outputs.count; i++) caller_add(plan, &c, p->outputs.at[i].value);
    return c;
}

static const char *source_text(const Plan *plan)
{
    Text t = {0}, kernels = {0};
    const Model *m = plan->model;
    CoreUse use = {0};
    if (plan->options->wide_real) text_add(&t, "#define DLN_REAL_DOUBLE 1\n");
    text_add(&t, "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n");
    core_add(&t);
    text_add(&t, "struct model;\nstruct run {\n    real *memory;\n    const struct model *model;\n    int n;\n    uint64_t seed, iteration;\n");
    Callers all = {0};
    for (int i = 0; i < plan->programs.count; i++) {
        Callers c = callers_of(plan, plan->programs.at[i].program);
        for (int j = 0; j < c.list.count; j++) caller_add(plan, &all, c.list.at[j]);
        emit_kernels(plan, &plan->programs.at[i], &kernels, &use);
        text_addf(&kernels, "static void run_%d(const struct run *run) {\n    (void)run;\n    OMP_PARALLEL\n    {\n", i);
        emit_calls(plan, &plan->programs.at[i], &kernels);
        text_add(&kernels, "    }\n}\n");
    }
    for (int i = 0; i < all.list.count; i++)
        text_addf(&t, "    %s%s *%s;\n", all.list.at[i]->role == ROLE_INPUT ? "const " : "", c_type(plan, all.list.at[i]),
                  c_name(plan, all.list.at[i]));
    for (int i = 0; i < m->settings.count; i++) text_addf(&t, "    real %s;\n", c_name(plan, m->settings.at[i]));
    for (int i = 0; i < m->clocks.count; i++) text_addf(&t, "    real %s;\n", c_name(plan, m->clocks.at[i]));
    text_add(&t, "};\n");
    text_add(&t, text_string(&kernels));
    text_add(&t,
        "static FILE *in, *out;\n"
        "static void *got(size_t bytes) {\n"
        "    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);\n"
        "    unsigned char *q = malloc(bytes + !bytes);\n"
        "    if (!p || !q || fread(q, 1, bytes, in) != bytes) exit(3);\n"
        "    if (bytes % 64) { free(p); return q; }\n"
        "    memcpy(p, q, bytes); free(q); return p;\n}\n"
        "int main(int argc, char **argv) {\n"
        "    if (argc != 3 || !(in = fopen(argv[1], \"rb\")) || !(out = fopen(argv[2], \"wb\"))) return 2;\n");
    for (int i = 0; i < plan->programs.count; i++) {
        const Program *p = plan->programs.at[i].program;
        Leaves l = leaves_of(p);
        Callers c = callers_of(plan, p);
        text_addf(&t, "    {   struct run run = {0};\n        int64_t head[3], bytes[%d];\n        void *array[%d];\n"
                      "        if (fread(head, sizeof head, 1, in) != 1 || fread(bytes, sizeof bytes, 1, in) != 1) return 3;\n"
                      "        run.n = (int)head[0]; run.seed = (uint64_t)head[1]; run.iteration = (uint64_t)head[2];\n"
                      "        run.memory = got((size_t)bytes[0]);\n", c.list.count + 1, c.list.count + 1);
        for (int j = 0; j < c.list.count; j++)
            text_addf(&t, "        run.%s = array[%d] = got((size_t)bytes[%d]);\n", c_name(plan, c.list.at[j]), j, j + 1);
        for (int j = 0; j < l.list.count; j++)
            if (plan_storage(plan, l.list.at[j])->place == PLACE_RUN)
                text_addf(&t, "        if (fread(&run.%s, sizeof(real), 1, in) != 1) return 3;\n", c_name(plan, l.list.at[j]));
        text_addf(&t, "        run_%d(&run);\n        fwrite(run.memory, 1, (size_t)bytes[0], out);\n        free(run.memory);\n", i);
        text_addf(&t, "        for (int i = 0; i < %d; i++) { fwrite(array[i], 1, (size_t)bytes[i + 1], out); free(array[i]); }\n    }\n", c.list.count);
    }
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
    if (s->tensor->type == TYPE_INT) { int32_t v = (int32_t)x; memcpy(at, &v, 4); }
    else if (s->tensor->type == TYPE_BOOL) *at = x != 0;
    else if (s->element == 8) memcpy(at, &x, 8);
    else { float v = (float)x; memcpy(at, &v, 4); }
}

static double element_get(const unsigned char *from, const Storage *s, int64_t i)
{
    const unsigned char *at = from + place_of(s, i) * s->element;
    if (s->tensor->type == TYPE_INT) { int32_t v; memcpy(&v, at, 4); return v; }
    if (s->tensor->type == TYPE_BOOL) return *at;
    if (s->element == 8) { double v; memcpy(&v, at, 8); return v; }
    float v;
    memcpy(&v, at, 4);
    return v;
}

typedef struct Image { unsigned char *memory; LIST(unsigned char *) array; LIST(int64_t) bytes; } Image;

static int samples(const Oracle *o, int k, const OracleOptions *options)
{
    int batch = leaves_of(o->programs.at[k]).batch;
    return options->n && options->n < batch ? options->n : batch ? batch : 1;
}

static bool write_input(const Oracle *o, const Plan *plan, const OracleOptions *options, Values **values, const char *path)
{
    FILE *f = fopen(path, "wb");
    if (!f) return false;
    for (int k = 0; k < o->programs.count; k++) {
        Program *p = o->programs.at[k];
        int n = samples(o, k, options);
        uint64_t random = (uint64_t)k * 7919 + 17;
        values[k] = values_new(n, 5, 3);
        Leaves l = leaves_of(p);
        Callers c = callers_of(plan, p);
        int64_t head[3] = { n, 5, 3 }, bytes[256] = { plan->train_bytes };
        unsigned char *memory = NEW_ARRAY(unsigned char, plan->train_bytes), *array[256];
        memset(memory, 0xff, (size_t)plan->train_bytes);
        for (int i = 0; i < c.list.count; i++) {
            bytes[i + 1] = size_at(c.list.at[i], n) * plan_storage(plan, c.list.at[i])->element;
            array[i] = NEW_ARRAY(unsigned char, bytes[i + 1] + 1);
            memset(array[i], 0xff, (size_t)bytes[i + 1]);
        }
        LIST(double) numbers = {0};
        for (int j = 0; j < l.list.count; j++) {
            Tensor *t = l.list.at[j];
            const Storage *s = plan_storage(plan, t);
            double *v = values_of(values[k], t);
            unsigned char *to = s->place == PLACE_MEMORY ? memory + s->offset : NULL;
            for (int i = 0; i < c.list.count; i++)
                if (c.list.at[i] == t) to = array[i];
            for (int64_t i = 0; i < size_at(t, n); i++) {
                v[i] = leaf_number(t, &random, plan->options->wide_real, i);
                if (to) element_put(to, s, i, v[i]);
            }
            if (s->place == PLACE_RUN) PUSH(numbers, v[0]);
        }
        fwrite(head, sizeof head, 1, f);
        fwrite(bytes, sizeof *bytes, (size_t)c.list.count + 1, f);
        fwrite(memory, 1, (size_t)plan->train_bytes, f);
        for (int i = 0; i < c.list.count; i++) fwrite(array[i], 1, (size_t)bytes[i + 1], f);
        for (int i = 0; i < numbers.count; i++) {
            float x = (float)numbers.at[i];
            if (plan->options->wide_real) fwrite(&numbers.at[i], 8, 1, f);
            else fwrite(&x, 4, 1, f);
        }
        interpret(p, values[k]);
    }
    return fclose(f) == 0;
}

/* ---- comparing ---- */
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

static void compare(Oracle *o, int k, const Plan *plan, const OracleOptions *options, const char *what, const Tensor *t,
                    const unsigned char *got, const double *want, int n, double scale)
{
    double largest = scale, bound = plan->options->wide_real ? 1e-9 : 2e-4;
    for (int64_t i = 0; i < size_at(t, n); i++)
        if (isfinite(want[i])) largest = fmax(largest, fabs(want[i]));
    for (int64_t i = 0; i < size_at(t, n); i++) {
        double x = element_get(got, plan_storage(plan, t), i), allowed = bound * fmax(0.1, largest);
        double off = x == want[i] || (isnan(x) && isnan(want[i])) ? 0 : fabs(x - want[i]) / allowed;
        o->compared++;
        if (off > o->worst || isnan(off)) o->worst = off;
        if (off <= 1) continue;
        if (!o->failed.at[k] && !options->keep_quiet)
            printf("    %s: %s %s[%" PRId64 "] is %.9g, not %.9g\n", o->names.at[k], what, t->name, i, x, want[i]);
        o->failed.at[k] = true;
    }
}

static bool read_output(Oracle *o, const Plan *plan, const OracleOptions *options, Values **values, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    o->bits = 1469598103934665603u;
    bool fine = true;
    for (int k = 0; k < o->programs.count && fine; k++) {
        Program *p = o->programs.at[k];
        int n = samples(o, k, options);
        Callers c = callers_of(plan, p);
        unsigned char *memory = NEW_ARRAY(unsigned char, plan->train_bytes), *array[256];
        fine = fread(memory, 1, (size_t)plan->train_bytes, f) == (size_t)plan->train_bytes;
        for (int i = 0; i < c.list.count && fine; i++) {
            int64_t bytes = size_at(c.list.at[i], n) * plan_storage(plan, c.list.at[i])->element;
            array[i] = NEW_ARRAY(unsigned char, bytes + 1);
            fine = fread(array[i], 1, (size_t)bytes, f) == (size_t)bytes;
            for (int64_t b = 0; b < bytes; b++) o->bits = (o->bits ^ array[i][b]) * 1099511628211u;
        }
        double scale = scale_of(p, values[k], n);
        for (int i = 0; i < p->outputs.count && fine; i++) {
            Tensor *t = p->outputs.at[i].value;
            const unsigned char *got = plan_storage(plan, t)->place == PLACE_MEMORY ? memory + plan_storage(plan, t)->offset : NULL;
            for (int j = 0; j < c.list.count; j++)
                if (c.list.at[j] == t) got = array[j];
            if (got) compare(o, k, plan, options, "output", t, got, values_of(values[k], t), n, scale);
        }
        for (int i = 0; i < p->updates.count && fine; i++) {
            Tensor *t = p->updates.at[i].state;
            compare(o, k, plan, options, "state", t, memory + plan_storage(plan, t)->offset, values_of(values[k], t), n, scale);
        }
        for (int64_t b = 0; b < plan->kept_bytes && fine; b++) o->bits = (o->bits ^ memory[b]) * 1099511628211u;
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
#define ADD(list) do { \
        for (int j = 0; j < m->list.count; j++) known = known || m->list.at[j] == t; \
        if (!known) PUSH(m->list, t); } while (0)
        if (t->role == ROLE_INPUT) ADD(inputs);
        else if (t->role == ROLE_PARAM || t->role == ROLE_STATE) ADD(kept);
        else if (t->role == ROLE_TOTAL) ADD(totals);
        else if (t->role == ROLE_SETTING) ADD(settings);
        else ADD(clocks);
    }
}

int oracle_run(Oracle *o, const OracleOptions *options)
{
    Model *m = NEW(Model);
    m->name = "oracle";
    for (int k = 0; k < o->programs.count; k++) {
        model_add(m, o->programs.at[k]);
        PUSH(m->measure, o->programs.at[k]);
        o->failed.at[k] = false;
    }
    EmitOptions emit = { .prefix = "oracle", .wide_real = options->wide, .fuse = options->fuse };
    const Plan *plan = plan_model(m, &emit);
    const char *stem = format("%s/oracle", options->folder), *c = format("%s.c", stem);
    FILE *f = fopen(c, "w");
    if (!f) return -1;
    fputs(source_text(plan), f);
    fclose(f);
    const char *flags = options->flags ? options->flags : "-O1 -march=native";
    const char *cc = format("%s -std=gnu11 %s %s -ffp-contract=off -fno-math-errno -fopenmp -Wall -Wextra -Wpedantic -Wconversion "
                            "-Wdouble-promotion -Wshadow -Werror -Wno-unused-function -Wno-unused-const-variable -o %s %s",
                            options->cc ? options->cc : "gcc", flags,
                            options->sanitize ? "-g -fsanitize=address,undefined -fno-sanitize-recover=undefined" : "", stem, c);
    if (system(cc)) return -1;
    Values **values = NEW_ARRAY(Values *, o->programs.count);
    if (!write_input(o, plan, options, values, format("%s.in", stem))) return -1;
    if (system(format("ASAN_OPTIONS=detect_leaks=0 OMP_NUM_THREADS=%d %s %s.in %s.out", options->threads, stem, stem, stem))) return -1;
    o->worst = 0;
    o->compared = 0;
    if (!read_output(o, plan, options, values, format("%s.out", stem))) return -1;
    int failed = 0;
    for (int k = 0; k < o->programs.count; k++) failed += o->failed.at[k];
    return failed;
}
