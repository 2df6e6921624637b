/* gradient.c: every example of the library, and the examples and models of the files that are named, in four variants
 * (training or not, Keras' or PyTorch's defaults): elaborated, differentiated, simplified; gradients against
 * differences, the normal form against the program (check.h). An example f(x) == value is also held against the value.
 * Prints a line for each.
 *
 *     gradient [-n NAME] [FILE.dln ..]        NAME: only this definition or model */
#include "base/text.h"
#include "check.h"
#include "tensor/model.h"
#include <math.h>
#include <string.h>

typedef struct Row {
    const char *kind;
    char name[64], what[400];
    int forward, backward, simplified, derivatives, variants;
    double error;
} Row;

static int failures, programs, derivatives;

static void row_fail(Row *r, const char *what)
{
    if (!r->what[0]) snprintf(r->what, sizeof r->what, "%s", what);
}

static void row_add(Row *r, Program *p, Tensor *y, bool training, bool pytorch)
{
    if (!y || error_count()) {
        row_fail(r, "was not elaborated");
        return;
    }
    Checked c = program_check(p, y, 2, 40);
    r->forward = c.forward;
    r->backward = c.backward;
    r->simplified = c.simplified;
    r->derivatives += c.derivatives;
    r->error = c.error <= r->error ? r->error : c.error;
    r->variants++;
    if (c.what)
        row_fail(r, format("%s%s: %s", training ? "training" : "inference", pytorch ? ", pytorch" : "", c.what));
}

static void row_print(const Row *r)
{
    printf("%-26s %-9s %4d %4d %4d %6d  %.1e  %s\n", r->name, r->kind, r->forward, r->backward, r->simplified,
           r->derivatives, r->error, r->what);
    fflush(stdout);
    programs += r->variants;
    derivatives += r->derivatives;
    failures += r->what[0] != 0;
}

/* Every row begins anew: the library, and the file if there is one. */
static void begin(Symbols *s, const char *file)
{
    arena_release();
    program_reset();
    diag_begin(stderr, DIAG_TEXT, false);
    *s = (Symbols){ 0 };
    symbols_add_library(s);
    if (!file) return;
    const Source *source = source_read(file, NULL);
    File *parsed = source ? parse_source(source) : NULL;
    s->examples.count = 0;
    if (!parsed) return;
    symbols_add(s, parsed, false);
    symbols_import(s, parsed);
}

static Program *program_new(bool training)
{
    Program *p = NEW(Program);
    p->name = "example";
    p->training = training;
    p->first_backward = -1;
    return p;
}

/* ---- example f(x) == [1, 2, -3] ---- */
static double literal(const Expr *e)
{
    return e->kind == EXPR_UNARY && e->op == AST_NEG ? -literal(e->left) : e->kind == EXPR_NUMBER ? e->number : NAN;
}

/* One number wanted of many: a loss or metric, whose value is the mean. What is made of totals is worked out after
 * the pass that adds them up: so the program runs twice. */
static void check_value(Row *r, Program *p, Tensor *y, const Expr *wanted)
{
    int batch = y->batch ? y->extent[0] : 1;
    for (int i = 0; i < p->equations.count; i++)
        for (int k = 0; k < p->equations.at[i]->reduced_count; k++)
            if (p->equations.at[i]->reduced[k]->batch) batch = p->equations.at[i]->reduced[k]->extent;
    Values *v = values_new(batch, 1, 1);
    interpret(p, v);
    interpret(p, v);
    double *got = values_of(v, y), sum = 0;
    int64_t size = tensor_size(y), count = wanted->kind == EXPR_LIST ? wanted->items.count : 1;
    if (count == 1) {
        for (int64_t i = 0; i < size; i++) sum += got[i];
        got[0] = sum / (double)size;
    } else if (size != count) {
        row_fail(r, format("%d numbers, the example has %d", (int)size, (int)count));
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        double want = literal(wanted->kind == EXPR_LIST ? wanted->items.at[i] : wanted);
        if (!(fabs(got[i] - want) <= 1e-6 * fmax(1, fabs(want))))
            row_fail(r, format("value %.9g, the example says %.9g", got[i], want));
    }
}

static bool is_assertion(const Expr *e) { return e->kind == EXPR_BINARY && e->op == AST_EQ; }

/* A straight-through derivative cannot agree with differences: its example asserts the value only. */
static bool declares_derivative(const Definition *d)
{
    for (int i = 0; d && i < d->body.count; i++)
        if (d->body.at[i]->kind == ST_DERIVATIVE) return true;
    return false;
}

/* ---- examples ---- */
static Tensor *elaborate(Symbols *s, const char *file, int k, Program **p, bool pytorch, bool inputs_from_lists)
{
    bool training = (*p)->training;
    begin(s, file);
    *p = program_new(training);
    Item left = *s->examples.at[k];
    if (is_assertion(left.left)) left.left = left.left->left;
    Model *m = NEW(Model);
    m->pytorch = pytorch;
    return elaborate_example(s, m, *p, arena_copy(&left, sizeof left), training, inputs_from_lists);
}

static void check_variant(Row *r, const char *file, int k, bool training, bool pytorch)
{
    Symbols s;
    begin(&s, file);
    bool asserts = is_assertion(s.examples.at[k]->left);
    Program *p = &(Program){ .training = training };
    if (asserts) {
        Tensor *y = elaborate(&s, file, k, &p, pytorch, false);
        if (y) check_value(r, p, y, s.examples.at[k]->left->right);
        r->variants++;
        if (declares_derivative(s.examples.at[k]->definition)) return;
    }
    Tensor *y = elaborate(&s, file, k, &p, pytorch, true);
    row_add(r, p, y, training, pytorch);
}

static void check_examples(const char *file, const char *only)
{
    Symbols s;
    for (int k = 0; begin(&s, file), k < s.examples.count; k++) {
        const Definition *d = s.examples.at[k]->definition;
        Row r = { .kind = d ? def_kind_name[d->kind] : "" };
        snprintf(r.name, sizeof r.name, "%s", d && d->name ? d->name : "?");
        if (only && strcmp(only, r.name) != 0) continue;
        for (int variant = 0; variant < 4; variant++) check_variant(&r, file, k, variant < 2, variant & 1);
        row_print(&r);
    }
}

/* ---- models: each of their outputs ---- */
static Tensor *elaborate_output(Symbols *s, int k, int output, Program *p, bool pytorch, int *outputs)
{
    Model *m = NEW(Model);
    m->pytorch = pytorch;
    m->batch = 2;
    m->initialize = program_new(false);
    Elaboration *e = elaboration_new(s, m, p, p->training);
    elaborate_model(e, s->models.at[k]);
    Output out[8];
    *outputs = error_count() ? 0 : elaborated_outputs(e, out, 8);
    return output < *outputs ? out[output].value : NULL;
}

static void check_models(const char *file, const char *only)
{
    Symbols s;
    for (int k = 0; begin(&s, file), k < s.models.count; k++) {
        Row r = { .kind = "model" };
        snprintf(r.name, sizeof r.name, "%s", s.models.at[k]->name);
        if (only && strcmp(only, r.name) != 0) continue;
        for (int variant = 0; variant < 4; variant++)
            for (int output = 0, outputs = 1; output < outputs; output++) {
                begin(&s, file);
                Program *p = program_new(variant < 2);
                Tensor *y = elaborate_output(&s, k, output, p, variant & 1, &outputs);
                row_add(&r, p, y, variant < 2, variant & 1);
            }
        row_print(&r);
    }
}

int main(int argc, char **argv)
{
    const char *only = argc > 2 && strcmp(argv[1], "-n") == 0 ? argv[2] : NULL;
    printf("%-26s %-9s %4s %4s %4s %6s  %s\n", "definition", "kind", "fwd", "bwd", "simp", "checks", "worst");
    check_examples(NULL, only);
    for (int i = only ? 3 : 1; i < argc; i++) {
        check_examples(argv[i], only);
        check_models(argv[i], only);
    }
    printf("%d programs, %d derivatives, %d rows wrong\n", programs, derivatives, failures);
    return failures || programs == 0;
}
