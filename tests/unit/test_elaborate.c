/* test_elaborate.c: every example of the library, elaborated for training and inference, Keras and PyTorch, verified and
 * evaluated; what `f(x) == value` says; and the elaborator's rules on small models written here. */
#include "base/text.h"
#include "tensor/model.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <string.h>

static FILE *messages;
static char *message_text;
static size_t message_size;

static void begin(void)
{
    arena_release();
    program_reset();
    messages = open_memstream(&message_text, &message_size);
    diag_begin(messages, DIAG_TEXT, false);
}
static void end(void)
{
    fclose(messages);
    free(message_text);
}
TestSuite(examples, .init = begin, .fini = end);
TestSuite(elaborate, .init = begin, .fini = end);
TestSuite(errors, .init = begin, .fini = end);

static const char *said(void)
{
    fflush(messages);
    return message_text;
}

/* ---- examples of the library ------------------------------------------------------------------------------------- */
static double literal(const Expr *e)
{
    return e->kind == EXPR_UNARY ? -literal(e->left) : e->number;
}

/* Numbers in (-2, 2) that do not repeat, whole ones for ints. */
static void fill(Values *v, Tensor *t, int seed)
{
    double *to = values_of(v, t);
    for (int64_t i = 0; i < tensor_size(t); i++) {
        double x = sin((double)(i * 7 + seed) * 1.7 + 0.3) * 2;
        to[i] = t->data ? t->data[i] : t->type == TYPE_INT ? floor(fabs(x) * 50) : x;
    }
}

static Values *evaluate(Program *p, Model *m)
{
    Values *v = values_new(m->batch ? m->batch : 1, 1, 1);
    interpret(m->initialize, v);
    for (int i = 0; i < m->inputs.count; i++) fill(v, m->inputs.at[i], i);
    for (int i = 0; i < m->kept.count; i++)
        if (m->kept.at[i]->name == intern("w")) fill(v, m->kept.at[i], 3);
    for (int i = 0; i < m->settings.count; i++) *values_of(v, m->settings.at[i]) = m->settings.at[i]->data[0];
    for (int i = 0; i < m->clocks.count; i++) *values_of(v, m->clocks.at[i]) = i == 0 ? 1 : 20;
    if (m->totals.count) interpret(p, v);        /* what is made of totals follows in the second run */
    interpret(p, v);
    return v;
}

static void check_value(const Expr *example, const double *got, int64_t count, DefKind kind)
{
    if (example->kind != EXPR_BINARY || example->op != AST_EQ) return;
    const Expr *want = example->right;
    double mean = 0;
    for (int64_t i = 0; i < count; i++) mean += got[i] / (double)count;
    if (want->kind == EXPR_LIST) {
        cr_assert(eq(int, want->items.count, (int)count), "%s", expr_text(example));
        for (int64_t i = 0; i < count; i++)
            cr_assert(fabs(got[i] - literal(want->items.at[i])) < 1e-6, "%s: [%d] is %g",
                      expr_text(example), (int)i, got[i]);
    } else {
        cr_assert(kind == KIND_LOSS || count == 1, "%s", expr_text(example));
        cr_assert(fabs(mean - literal(want)) < 1e-6, "%s: got %g", expr_text(example), mean);
    }
}

static void check_example(const Symbols *s, const Item *example, bool training, bool pytorch)
{
    Model m = { .pytorch = pytorch };
    Program p = { .name = "example", .first_backward = -1, .training = training };
    names_reset();
    Tensor *t = elaborate_example(s, &m, &p, example, training, true);
    cr_assert(not(eq(ptr, t, NULL)), "%s: %s", expr_text(example->left), said());
    program_verify(&p, "elaborate_example");
    program_verify(m.initialize, "elaborate_example");
    Values *v = evaluate(&p, &m);
    const double *got = values_of(v, t);
    int64_t count = tensor_size(t);
    for (int64_t i = 0; i < count; i++) cr_assert(not(isnan(got[i])), "%s: NaN", expr_text(example->left));
    check_value(example->left, got, count, example->definition ? example->definition->kind : KIND_DEF);
}

static void all_examples(bool training, bool pytorch)
{
    Symbols s = {0};
    symbols_add_library(&s);
    cr_assert(eq(int, error_count(), 0), "%s", said());
    cr_assert(s.examples.count > 90);
    for (int i = 0; i < s.examples.count; i++) check_example(&s, s.examples.at[i], training, pytorch);
}

Test(examples, training) { all_examples(true, false); }
Test(examples, inference) { all_examples(false, false); }
Test(examples, training_pytorch) { all_examples(true, true); }
Test(examples, inference_pytorch) { all_examples(false, true); }

/* ---- small models ------------------------------------------------------------------------------------------------ */
typedef struct Run { Symbols symbols; Model model; Program program; Elaboration *e; } Run;

static const Source *source_of(const char *text)
{
    Source *s = NEW(Source);
    *s = (Source){ "test.dln", text, strlen(text) };
    return s;
}

static Run *run_text(const char *text, bool training)
{
    Run *r = NEW(Run);
    symbols_add_library(&r->symbols);
    symbols_add(&r->symbols, parse_source(source_of(text)), false);
    cr_assert(eq(int, error_count(), 0), "%s", said());
    r->model.batch = 3;
    r->model.name = "m";
    r->program = (Program){ .name = "step", .training = training, .first_backward = -1 };
    r->e = elaboration_new(&r->symbols, &r->model, &r->program, training);
    cr_assert(eq(int, r->symbols.models.count, 1));
    elaborate_model(r->e, r->symbols.models.at[0]);
    return r;
}

static Run *run_good(const char *text)
{
    Run *r = run_text(text, true);
    cr_assert(eq(int, error_count(), 0), "%s", said());
    program_verify(&r->program, "elaborate_model");
    program_verify(r->model.initialize, "elaborate_model");
    return r;
}

static Tensor *kept_named(const Run *r, const char *name)
{
    for (int i = 0; i < r->model.kept.count; i++)
        if (!strcmp(r->model.kept.at[i]->name, name)) return r->model.kept.at[i];
    return NULL;
}

static void has_weights(const Run *r, const char *const *names, int count)
{
    for (int i = 0; i < count; i++) cr_expect(not(eq(ptr, kept_named(r, names[i]), NULL)), "no %s", names[i]);
    cr_expect(eq(int, r->model.kept.count, count));
}

Test(elaborate, weights_are_named_by_path)
{
    Run *r = run_good("def block(x, u) = x -> dense(u) -> dense(u, name = \"second\", bias = false)\n"
                      "model m { input x: float[4]\n dense(5)\n repeat 2 as h { block(5) }\n block(5)\n dense(2) }");
    static const char *const names[] = { "dense.w", "dense.b", "h.0.block.dense.w", "h.0.block.dense.b", "h.0.block.second.w",
                                         "h.1.block.dense.w", "h.1.block.dense.b", "h.1.block.second.w", "block.dense.w",
                                         "block.dense.b", "block.second.w", "dense_2.w", "dense_2.b" };
    has_weights(r, names, 13);
}

Test(elaborate, shared_layers_have_one_set)
{
    Run *r = run_good("model m { input x: float[4]\n layer d = dense(4)\n x -> d -> d\n dense(3, tie = d.w, bias = false) }");
    (void)r;
}

Test(elaborate, tied_weights)
{
    Run *r = run_good("model m { input t: int[6]\n layer e = embedding(7, 4)\n t -> e\n dense(7, bias = false, tie = e.table) }");
    static const char *const names[] = { "e.table" };
    has_weights(r, names, 1);
}

Test(elaborate, frozen_layers)
{
    Run *r = run_good("def net(x) = x -> dense(3) -> batchnorm\n"
                      "model m { input x: float[4]\n net(trainable = false, name = \"backbone\")\n dense(2) }");
    cr_expect(kept_named(r, "backbone.dense.w")->frozen);
    cr_expect(not(kept_named(r, "dense.w")->frozen));
    cr_expect(eq(int, r->program.updates.count, 0));      /* a frozen batchnorm is in inference mode */
}

Test(elaborate, the_second_run_finds_the_weights)
{
    Run *r = run_good("model m { input x: float[4]\n dense(3) -> batchnorm -> dropout(0.5)\n dense(2) }");
    int kept = r->model.kept.count;
    Program p = { .name = "predict", .first_backward = -1 };
    Elaboration *e = elaboration_new(&r->symbols, &r->model, &p, false);
    elaborate_model(e, r->symbols.models.at[0]);
    cr_expect(eq(int, error_count(), 0), "%s", said());
    cr_expect(eq(int, r->model.kept.count, kept));
    cr_expect(eq(int, r->model.inputs.count, 1));
    Output out[2];
    cr_expect(eq(int, elaborated_outputs(e, out, 2), 1));
    program_verify(&p, "elaborate_model");
}

Test(elaborate, penalties)
{
    Run *r = run_good("model m { input x: float[4]\n dense(3, penalty = l2(0.5))\n dense(2) }");
    Tensor *t = elaborated_penalty(r->e);
    cr_assert(not(eq(ptr, t, NULL)));
    Values *v = values_new(3, 1, 1);
    interpret(r->model.initialize, v);
    interpret(&r->program, v);
    double want = 0;
    Tensor *w = kept_named(r, "dense.w");
    for (int64_t i = 0; i < tensor_size(w); i++) want += 0.5 * values_of(v, w)[i] * values_of(v, w)[i];
    cr_expect(fabs(*values_of(v, t) - want) < 1e-12);
}

static const Expr *train_setting(const Run *r, const char *key)
{
    const Item *t = r->symbols.train.at[0];
    for (int i = 0; i < t->settings.count; i++)
        if (!strcmp(t->settings.at[i].keys.at[0], key)) return t->settings.at[i].value;
    return NULL;
}

Test(elaborate, a_loss_is_a_mean_over_all_places)
{
    Measured m;
    Run *r = run_good("model m { input x: float[4]\n output y = x -> rescale(2) }\ntrain { loss = 3 * mse(y, t) }");
    cr_assert(elaborate_loss(r->e, train_setting(r, "loss"), &m), "%s", said());
    cr_expect(eq(int, m.indices, 0));
    cr_assert(eq(int, r->model.targets.count, 1));
    cr_expect(eq(str, (char *)r->model.targets.at[0]->name, "t"));
    cr_expect(eq(int, r->model.targets.at[0]->rank, 2));
}

Test(errors, a_loss_without_brackets_is_no_number)
{
    Measured m;
    Run *r = run_good("model m { input x: float[4]\n output y = x -> rescale(2) }\ntrain { loss = 3 * mse(y, t) + mae }");
    cr_expect(not(elaborate_loss(r->e, train_setting(r, "loss"), &m)));
    cr_expect(error_count() > 0);
}

Test(elaborate, rewrites_reach_through_names)
{
    Run *r = run_good("model m { input x: float[4]\n a = x -> dense(1, sigmoid)\n output y = a }\n"
                      "train { loss = binary_crossentropy(y, label) }");
    Measured m;
    int begin = r->program.equations.count;
    cr_assert(elaborate_loss(r->e, train_setting(r, "loss"), &m), "%s", said());
    bool logits = false;
    for (int i = begin; i < r->program.equations.count; i++)
        logits = logits || strstr(r->program.equations.at[i]->out->name, "sigmoid_crossentropy");
    cr_expect(logits);
    cr_expect(eq(int, r->model.targets.at[0]->rank, 1));   /* the axis of length 1 is dropped */
}

Test(elaborate, rewrites_reach_through_views)
{
    Run *r = run_good("model m { input x: float[4]\n output y = x -> dense(6, sigmoid) -> reshape([2, 3]) }\n"
                      "train { loss = binary_crossentropy(y, label) }");
    Measured m;
    int begin = r->program.equations.count;
    cr_assert(elaborate_loss(r->e, train_setting(r, "loss"), &m), "%s", said());
    program_verify(&r->program, "elaborate_loss");
    bool logits = false;
    for (int i = begin; i < r->program.equations.count; i++)
        logits = logits || strstr(r->program.equations.at[i]->out->name, "sigmoid_crossentropy");
    cr_expect(logits);
}

Test(elaborate, settings_and_fixed_settings)
{
    Run *r = run_good("model m { input x: float[4]\n dense(2) }\n"
                      "train { loss = mse; optimizer = sgd(lr = cosine(0.1, warmup = 5), momentum = 0.9) }");
    Tensor *w = kept_named(r, "dense.w"), *b = kept_named(r, "dense.b");
    elaborate_optimizer(r->e, train_setting(r, "optimizer"), w, w);
    elaborate_optimizer(r->e, train_setting(r, "optimizer"), b, b);
    optimizer_end(r->e);
    cr_expect(eq(int, error_count(), 0), "%s", said());
    bool lr = false, momentum = false;
    for (int i = 0; i < r->model.settings.count; i++) lr = lr || !strcmp(r->model.settings.at[i]->name, "lr");
    for (int i = 0; i < r->model.fixed_settings.count; i++)
        momentum = momentum || !strcmp(r->model.fixed_settings.at[i]->name, "momentum");
    cr_expect(lr);
    cr_expect(momentum);
    cr_expect(eq(int, r->program.updates.count, 4));       /* w, v of each */
    cr_expect(not(eq(ptr, kept_named(r, "v.dense.w"), NULL)));
    program_verify(&r->program, "elaborate_optimizer");
}

Test(elaborate, a_norm_over_all_variables)
{
    Run *r = run_good("model m { input x: float[4]\n dense(2) }\ntrain { optimizer = sgd(lr = 0.1, global_clip_norm = 1, ema = 0.9) }");
    Tensor *w = kept_named(r, "dense.w"), *b = kept_named(r, "dense.b");
    elaborate_optimizer(r->e, train_setting(r, "optimizer"), w, w);
    elaborate_optimizer(r->e, train_setting(r, "optimizer"), b, b);
    optimizer_end(r->e);
    program_verify(&r->program, "optimizer_end");
    cr_expect(eq(ptr, parameter_average(&r->model, w), kept_named(r, "average.dense.w")));
    Values *v = values_new(3, 1, 1);
    interpret(r->model.initialize, v);
    for (int i = 0; i < r->model.settings.count; i++) *values_of(v, r->model.settings.at[i]) = r->model.settings.at[i]->data[0];
    double *x = values_of(v, w), square = 0, first = x[0];
    for (int i = 0; i < 8; i++) square += x[i] * x[i];
    interpret(&r->program, v);
    double scale = sqrt(square) > 1 ? 1 / sqrt(square) : 1;
    cr_expect(fabs(values_of(v, w)[0] - (first - 0.1 * first * scale)) < 1e-12);
}

Test(elaborate, the_user_hides_the_library_but_not_from_itself)
{
    Run *r = run_good("def relu(x) = x\nmodel m { input x: float[4]\n x -> hard_swish -> relu\n dense(2, relu) }");
    (void)r;
}

Test(elaborate, foreign_names_and_layouts)
{
    Run *r = run_good("model m { input x: float[4]\n dense(3) }");
    const Tensor *w = kept_named(r, "dense.w");
    cr_assert(not(eq(ptr, (void *)w->foreign, NULL)));
    cr_expect(eq(str, (char *)w->foreign, "dense.weight"));
    cr_assert(eq(int, w->foreign_rank, 2));
    cr_expect(eq(ptr, (void *)sum_plain(w->foreign_subs[0]), (void *)w->foreign_index[1]));
}

/* An init's fan_in is a number of elements, whatever names its axes: |b| < 1 / sqrt(fan_in). */
Test(elaborate, fans_are_lengths)
{
    Run *r = NEW(Run);
    symbols_add_library(&r->symbols);
    symbols_add(&r->symbols, parse_source(source_of("model m { input x: float[4, 4, 9]\n conv(50, 2)\n flatten -> dense(100) }")), false);
    r->model = (Model){ .batch = 2, .pytorch = true };
    r->program = (Program){ .training = true, .first_backward = -1 };
    elaborate_model(elaboration_new(&r->symbols, &r->model, &r->program, true), r->symbols.models.at[0]);
    cr_assert(eq(int, error_count(), 0), "%s", said());
    Values *v = values_new(2, 1, 1);
    interpret(r->model.initialize, v);
    static const struct { const char *name; double fan_in; } want[] = { { "conv.b", 36 }, { "conv.k", 36 }, { "dense.b", 450 } };
    for (int i = 0; i < 3; i++) {
        Tensor *t = kept_named(r, want[i].name);
        double largest = 0;
        for (int64_t k = 0; k < tensor_size(t); k++) largest = fmax(largest, fabs(values_of(v, t)[k]));
        cr_expect(largest < 1 / sqrt(want[i].fan_in) && largest > 0.8 / sqrt(want[i].fan_in), "%s: %g", want[i].name, largest);
    }
}

/* ---- sizes ------------------------------------------------------------------------------------------------------- */
Test(errors, a_million_layers_are_refused_or_made)
{
    run_text("model m { input x: float[4]\n repeat 1000000 { relu } }", true);
    cr_expect(error_count() > 0);
    cr_expect(not(eq(ptr, strstr(said(), "at most"), NULL)));
}

Test(errors, tensors_beyond_two_to_the_31_are_refused)
{
    run_text("model m { input x: float[65536, 65536]\n relu }", true);
    cr_expect(error_count() > 0);
}

Test(errors, recursion_is_reported)
{
    run_text("def f(x) = x -> f\nmodel m { input x: float[4]\n f }", true);
    cr_expect(not(eq(ptr, strstr(said(), "calls itself"), NULL)));
}
