/* gradient.c: every example of the library, in four variants (training or not, Keras' or PyTorch's defaults): elaborated,
 * differentiated, simplified; gradients against differences, the normal form against the program (check.h). An example
 * f(x) == value is also held against the value. Prints a line for each definition.
 *
 *     gradient [NAME]        all of them, or the examples of one definition */
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
    if (!r->what[0])
        snprintf(r->what, sizeof r->what, "%s", what);
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
            if (p->equations.at[i]->reduced[k]->batch)
                batch = p->equations.at[i]->reduced[k]->extent;
    Values *v = values_new(batch, 1, 1);
    interpret(p, v);
    interpret(p, v);
    double *got = values_of(v, y), sum = 0;
    int64_t size = tensor_size(y), count = wanted->kind == EXPR_LIST ? wanted->items.count : 1;
    if (count == 1) {
        for (int64_t i = 0; i < size; i++)
            sum += got[i];
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

/* ---- one variant of one example ---- */
static const Item *example_at(Symbols *s, int k)
{
    arena_release();
    program_reset();
    diag_begin(stderr, DIAG_TEXT, false);
    symbols_add_library(s);
    return k < s->examples.count ? s->examples.at[k] : NULL;
}

static Tensor *elaborate(Symbols *s, int k, Program **p, bool training, bool pytorch, bool inputs_from_lists)
{
    Item left = *example_at(s, k);
    if (left.left->kind == EXPR_BINARY && left.left->op == AST_EQ)
        left.left = left.left->left;
    Model *m = NEW(Model);
    m->pytorch = pytorch;
    *p = NEW(Program);
    (*p)->name = "example";
    (*p)->training = training;
    (*p)->first_backward = -1;
    return elaborate_example(s, m, *p, arena_copy(&left, sizeof left), training, inputs_from_lists);
}

static void check_variant(Row *r, int k, bool training, bool pytorch)
{
    Program *p;
    Symbols s = {0};
    const Expr *e = example_at(&s, k)->left;
    if (e->kind == EXPR_BINARY && e->op == AST_EQ) {
        Symbols again = {0};
        Tensor *y = elaborate(&again, k, &p, training, pytorch, false);
        if (y)
            check_value(r, p, y, again.examples.at[k]->left->right);
    }
    s = (Symbols){0};
    Tensor *y = elaborate(&s, k, &p, training, pytorch, true);
    if (!y || error_count()) {
        row_fail(r, "was not elaborated");
        return;
    }
    Checked c = program_check(p, y, 1, 60);
    r->forward = c.forward;
    r->backward = c.backward;
    r->simplified = c.simplified;
    r->derivatives += c.derivatives;
    r->error = c.error <= r->error ? r->error : c.error;
    r->variants++;
    if (c.what)
        row_fail(r, format("%s%s: %s", training ? "training" : "inference", pytorch ? ", pytorch" : "", c.what));
}

static void check_example(int k, const char *only)
{
    Symbols s = {0};
    Definition *d = example_at(&s, k)->definition;
    Row r = { .kind = def_kind_name[d->kind] };
    snprintf(r.name, sizeof r.name, "%s", d->every ? "every" : d->name);
    if (only && strcmp(only, r.name) != 0)
        return;
    for (int variant = 0; variant < 4; variant++)
        check_variant(&r, k, variant < 2, variant & 1);
    printf("%-26s %-9s %4d %4d %4d %6d  %.1e  %s\n", r.name, r.kind, r.forward, r.backward, r.simplified, r.derivatives,
           r.error, r.what);
    fflush(stdout);
    programs += r.variants;
    derivatives += r.derivatives;
    failures += r.what[0] != 0;
}

int main(int argc, char **argv)
{
    printf("%-26s %-9s %4s %4s %4s %6s  %s\n", "definition", "kind", "fwd", "bwd", "simp", "checks", "worst");
    Symbols s = {0};
    for (int k = 0; example_at(&s, k); k++) {
        s = (Symbols){0};
        check_example(k, argc > 1 ? argv[1] : NULL);
    }
    printf("%d programs, %d derivatives, %d examples wrong\n", programs, derivatives, failures);
    return failures || programs == 0;
}
