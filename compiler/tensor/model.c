/* model.c: from the definitions of a file to the whole model: its programs and what they keep.
 *
 * The model block is elaborated once for each program, because each has tensors of its own; parameters, states and totals
 * are found again by their path. In order:
 *     step         the block in training, loss, metrics, the gradient, the optimizer
 *     accumulate   the same without the optimizer: the gradient is added to what is kept of it
 *     apply        the optimizer with the mean of the gradients that were added up
 *     evaluate     the block in inference, loss, metrics
 *     predict      the block in inference
 *     measure k    what layers add up over the training data (normalize), a program for each pass that it takes
 *     report       what follows from the totals of loss and metrics */
#include "tensor/model.h"
#include "base/text.h"
#include "tensor/settings.h"
#include <math.h>
#include <string.h>

/* What a loss or metric adds up in an epoch: its values, and the number of places that have one. */
typedef struct Mean { const char *name; Tensor *sum, *places; } Mean;

typedef struct Builder {
    const Symbols *symbols;
    Model *model;
    const Item *block;                           /* the model item */
    const Train *train;                          /* NULL: the file has no train block */
    LIST(Measured) measured;                     /* loss first, then the metrics of the train block */
    LIST(Mean) means;
    Elaboration *stepped;                        /* that of step: settings of the optimizer */
} Builder;

static Program *program_new(const char *name, bool training)
{
    Program *p = NEW(Program);
    p->name = name;
    p->training = training;
    p->first_backward = -1;
    return p;
}

/* ---- totals of loss and metrics -------------------------------------------------------------------------------- */
static Tensor *total_new(Model *m, const char *name)
{
    Tensor *t = tensor_new(name, 0, NULL, false, TYPE_FLOAT, ROLE_TOTAL);
    PUSH(m->totals, t);
    return t;
}

/* The two totals of a loss or metric: the same in training and in evaluation. */
static Mean mean_of(Builder *b, const char *name)
{
    for (int i = 0; i < b->means.count; i++)
        if (!strcmp(b->means.at[i].name, name)) return b->means.at[i];
    Mean mean = { name, total_new(b->model, format("epoch.%s", name)), total_new(b->model, format("epoch.%s.places", name)) };
    PUSH(b->means, mean);
    return mean;
}

static Tensor *scalar(Program *p, const char *name, const Node *value, Place at)
{
    Tensor *t = tensor_new(name, 0, NULL, false, TYPE_FLOAT, ROLE_TEMP);
    t->at = at;
    Equation *e = equation_map(t, NULL, value);
    e->at = at;
    e->layer = "";
    PUSH(p->equations, e);
    return t;
}

/* The number of places over which `measured` has a value, as a node: extents and, where the batch is among them, n. */
static const Node *places(const Measured *measured)
{
    double count = 1;
    bool batch = false;
    for (int i = 0; i < measured->indices; i++) {
        if (measured->index[i]->batch) batch = true;
        else count *= measured->index[i]->extent;
    }
    return batch ? node_to_float(node_count(count)) : node_float(count);
}

/* total += value */
static void add_to_total(Program *p, Tensor *total, Tensor *value)
{
    PUSH(p->updates, ((Update){ .state = total, .value = value, .add = true }));
}

/* Adds the values of a metric, and the number of its places, to its totals. */
static void accumulate(Builder *b, Program *p, const Measured *measured, Place at)
{
    Tensor *sum = tensor_new(format("%s.batch", measured->name), 0, NULL, false, TYPE_FLOAT, ROLE_TEMP);
    Equation *e = equation_map(sum, NULL, node_to_float(measured->value));
    if (measured->indices) {
        e->reduction = RED_SUM;
        e->reduced_count = measured->indices;
        memcpy(e->reduced, measured->index, sizeof e->reduced);
    }
    e->at = sum->at = at;
    e->layer = "";
    PUSH(p->equations, e);
    Mean mean = mean_of(b, measured->name);
    add_to_total(p, mean.sum, sum);
    add_to_total(p, mean.places, scalar(p, format("%s.places", measured->name), places(measured), at));
}

/* The loss is a mean over the samples of one batch: weighted by their number it adds up to the mean over an epoch. */
static void accumulate_loss(Builder *b, Program *p, Tensor *loss, Place at)
{
    Mean mean = mean_of(b, "loss");
    const Node *n = node_to_float(node_count(1));
    add_to_total(p, mean.sum, scalar(p, "loss.batch", node2(OP_MUL, node_read(loss, NULL), n), at));
    add_to_total(p, mean.places, scalar(p, "loss.places", n, at));
}

/* ---- the programs ------------------------------------------------------------------------------------------------ */
static Tensor *build_loss(Builder *b, Elaboration *e, Program *p)
{
    Measured loss;
    if (!elaborate_loss(e, b->train->loss, &loss)) return NULL;
    const Node *value = loss.value;
    Tensor *penalty = elaborated_penalty(e);
    if (penalty) value = node2(OP_ADD, value, node_read(penalty, NULL));
    Tensor *t = scalar(p, "loss", value, b->train->loss->at);
    PUSH(p->outputs, ((Output){ .name = "loss", .value = t }));
    return t;
}

/* Loss and metrics of one program; `keep` remembers the metrics' values for the report. */
static Tensor *build_measures(Builder *b, Elaboration *e, Program *p, bool keep)
{
    Tensor *loss = build_loss(b, e, p);
    if (!loss) return NULL;
    accumulate_loss(b, p, loss, b->train->loss->at);
    if (keep) PUSH(b->measured, ((Measured){ .name = "loss" }));
    for (int i = 0; i < b->train->metrics.count; i++) {
        const Expr *flow = b->train->metrics.at[i];
        Measured metric;
        if (!elaborate_metric(e, flow, &metric)) continue;
        if (!metric.of_totals) accumulate(b, p, &metric, flow->at);
        if (keep) PUSH(b->measured, metric);
    }
    return loss;
}

static bool is_trained(const Tensor *t) { return t->role == ROLE_PARAM && !t->frozen; }

typedef LIST(Gradient) Gradients;

/* Appends the derivatives of the loss: a gradient for each trained parameter, NULL for those that it does not depend on. */
static Gradients gradients_of(const Model *m, Program *p, Tensor *loss)
{
    static const double one = 1;
    Tensor *seed = tensor_new("one", 0, NULL, false, TYPE_FLOAT, ROLE_CONST);
    seed->data = &one;
    Gradients wanted = {0};
    for (int i = 0; i < m->kept.count; i++)
        if (is_trained(m->kept.at[i])) PUSH(wanted, ((Gradient){ .of = m->kept.at[i] }));
    p->first_backward = p->equations.count;
    differentiate(p, &(Gradient){ .of = loss, .gradient = seed }, 1, wanted.at, wanted.count);
    return wanted;
}

/* Appends gradient and optimizer. The loss must reach at least one parameter. */
static void build_training(Builder *b, Elaboration *e, Program *p, Tensor *loss)
{
    Gradients wanted = gradients_of(b->model, p, loss);
    int reached = 0;
    for (int i = 0; i < wanted.count; i++) {
        Tensor *w = wanted.at[i].of;
        if (!wanted.at[i].gradient) {
            warning_at(w->at, "the loss does not depend on %s: it keeps its initial value", w->name);
            continue;
        }
        reached++;
        elaborate_optimizer(e, b->train->optimizer, w, wanted.at[i].gradient);
    }
    if (!reached && !error_count())
        error_at(b->train->loss->at, "the loss does not depend on any parameter: there is nothing to train");
    optimizer_end(e);
}

static void drop_measured_totals(Builder *b, Program *p)
{
    int kept = 0;
    for (int i = 0; i < p->updates.count; i++) {
        bool measured = false;
        for (int k = 0; k < b->model->measured; k++) measured |= p->updates.at[i].state == b->model->totals.at[k];
        if (!measured) p->updates.at[kept++] = p->updates.at[i];
    }
    p->updates.count = kept;
}

static void build_step(Builder *b)
{
    Model *m = b->model;
    Program *p = m->step = program_new("step", true);
    Elaboration *e = b->stepped = elaboration_new(b->symbols, m, p, true);
    elaborate_model(e, b->block);
    m->measured = m->totals.count;
    if (error_count()) return;
    Tensor *loss = build_measures(b, e, p, false);
    if (error_count() || !loss) return;
    build_training(b, e, p, loss);
    drop_measured_totals(b, p);
}

/* ---- a step in two: accumulate and apply ------------------------------------------------------------------------- */
static const Index *const *axes_of(const Tensor *t)
{
    const Index **axis = NEW_ARRAY(const Index *, t->rank + 1);
    for (int k = 0; k < t->rank; k++) axis[k] = index_new("i", t->extent[k], false);
    return axis;
}

/* name[axis ..] = value, for the state, parameter or gradient `like`. */
static Tensor *tensor_like(Program *p, const char *name, const Tensor *like, const Index *const *axis, const Node *value)
{
    Tensor *t = tensor_new(name, like->rank, like->extent, false, TYPE_FLOAT, ROLE_TEMP);
    t->at = like->at;
    Equation *e = equation_map(t, axis, value);
    e->at = like->at;
    e->layer = "";
    PUSH(p->equations, e);
    return t;
}

static void set_to_zero(Program *p, Tensor *state)
{
    Tensor *zero = tensor_like(p, format("%s.start", state->name), state, axes_of(state), node_float(0));
    PUSH(p->updates, ((Update){ .state = state, .value = zero }));
}

static Tensor *sum_new(Model *m, const char *name, int rank, const int *extent, Place at)
{
    Tensor *t = tensor_new(name, rank, extent, false, TYPE_FLOAT, ROLE_STATE);
    t->at = at;
    PUSH(m->kept, t);
    set_to_zero(m->initialize, t);
    return t;
}

/* The gradient is that of a mean over n samples: n times it is added, apply divides by all samples. */
static void add_gradient(Builder *b, Program *p, const Gradient *g)
{
    const Tensor *w = g->of;
    Tensor *sum = sum_new(b->model, format("gradient.%s", w->name), w->rank, w->extent, w->at);
    const Index *const *axis = axes_of(w);
    const Node *weighted = node2(OP_MUL, node_read_at(g->gradient, axis), node_to_float(node_count(1)));
    Tensor *next = tensor_like(p, format("%s.next", sum->name), sum, axis, node2(OP_ADD, node_read_at(sum, axis), weighted));
    PUSH(p->updates, ((Update){ .state = sum, .value = next }));
    PUSH(b->model->sums, ((Gradient){ .of = g->of, .gradient = sum }));
}

static void build_accumulate(Builder *b)
{
    Model *m = b->model;
    Program *p = m->accumulate = program_new("accumulate", true);
    Elaboration *e = elaboration_new(b->symbols, m, p, true);
    elaborate_model(e, b->block);
    Tensor *loss = error_count() ? NULL : build_measures(b, e, p, false);
    if (error_count() || !loss) return;
    Gradients wanted = gradients_of(m, p, loss);
    for (int i = 0; i < wanted.count; i++)
        if (wanted.at[i].gradient) add_gradient(b, p, &wanted.at[i]);
    Tensor *n = m->accumulated = sum_new(m, "gradient.samples", 0, NULL, b->train->loss->at);
    const Node *samples = node2(OP_ADD, node_read(n, NULL), node_to_float(node_count(1)));
    PUSH(p->updates, ((Update){ .state = n, .value = tensor_like(p, "gradient.samples.next", n, NULL, samples) }));
    drop_measured_totals(b, p);
}

static void build_apply(Builder *b)
{
    Model *m = b->model;
    Program *p = m->apply = program_new("apply", true);
    Elaboration *e = elaboration_new(b->symbols, m, p, true);
    optimizer_again(e, b->stepped);
    for (int i = 0; i < m->sums.count; i++) {
        Tensor *w = m->sums.at[i].of, *sum = m->sums.at[i].gradient;
        const Index *const *axis = axes_of(w);
        const Node *mean = node2(OP_DIV, node_read_at(sum, axis), node_read(m->accumulated, NULL));
        elaborate_optimizer(e, b->train->optimizer, w, tensor_like(p, format("%s.mean", sum->name), w, axis, mean));
    }
    optimizer_end(e);
    for (int i = 0; i < m->sums.count; i++) set_to_zero(p, m->sums.at[i].gradient);
    set_to_zero(p, m->accumulated);
}

static void keep_outputs(Model *m, Elaboration *e, Program *p)
{
    Output out[64];
    int n = elaborated_outputs(e, out, 64);
    for (int i = 0; i < n; i++) {
        PUSH(p->outputs, out[i]);
        PUSH(m->outputs, out[i]);
    }
}

static void build_predict(Builder *b)
{
    Program *p = b->model->predict = program_new("predict", false);
    Elaboration *e = elaboration_new(b->symbols, b->model, p, false);
    elaborate_model(e, b->block);
    if (!b->model->has_train) b->model->measured = b->model->totals.count;
    if (!error_count()) keep_outputs(b->model, e, p);
    drop_measured_totals(b, p);
}

/* ---- what is made of totals -------------------------------------------------------------------------------------- */
typedef struct Reads { bool all_totals; const Program *p; const bool *of_totals; } Reads;

static int producer(const Program *p, const Tensor *t)
{
    for (int i = p->equations.count - 1; i >= 0; i--)
        if (p->equations.at[i]->out == t) return i;
    return -1;
}

/* Whether all equations that make t are: it may have been made in pieces. */
static bool pieces_are(const Program *p, const bool *of_totals, const Tensor *t)
{
    bool all = producer(p, t) >= 0;
    for (int i = 0; i < p->equations.count; i++) all &= p->equations.at[i]->out != t || of_totals[i];
    return all;
}

static void look(const Node *e, void *data)
{
    Reads *r = data;
    if (e->op == OP_RAND || e->op == OP_COUNT) r->all_totals = false;
    if (e->op != OP_READ) return;
    if (e->tensor->role == ROLE_TOTAL || e->tensor->role == ROLE_CONST) return;
    if (e->tensor->role != ROLE_TEMP || !pieces_are(r->p, r->of_totals, e->tensor)) r->all_totals = false;
}

/* Moves the equations that totals, constants and nothing else lead to into `report`. */
static void move_to_report(Program *from, Program *report)
{
    bool *of_totals = NEW_ARRAY(bool, from->equations.count + 1);
    for (int i = 0; i < from->equations.count; i++) {
        Equation *e = from->equations.at[i];
        Reads r = { .all_totals = true, .p = from, .of_totals = of_totals };
        node_visit(e->value, look, &r);
        for (int k = 0; k < e->indices; k++) r.all_totals &= !e->index[k]->batch;
        for (int k = 0; k < e->reduced_count; k++) r.all_totals &= !e->reduced[k]->batch;
        of_totals[i] = r.all_totals;
    }
    for (int i = 0; i < from->equations.count; i++)
        if (pieces_are(from, of_totals, from->equations.at[i]->out)) PUSH(report->equations, equation_copy(from->equations.at[i]));
}

static void report_value(Builder *b, Program *p, const Measured *measured)
{
    Model *m = b->model;
    Tensor *t;
    int values = 1;
    if (measured->of_totals) {
        int extent[MAX_RANK];
        for (int i = 0; i < measured->indices; i++) values *= extent[i] = measured->index[i]->extent;
        t = tensor_new(format("report.%s", measured->name), measured->indices, extent, false, TYPE_FLOAT, ROLE_TEMP);
        PUSH(p->equations, equation_map(t, measured->index, node_to_float(measured->value)));
        p->equations.at[p->equations.count - 1]->layer = "";
    } else {
        Mean mean = mean_of(b, measured->name);
        const Node *value = node2(OP_DIV, node_read(mean.sum, NULL), node_read(mean.places, NULL));
        t = scalar(p, format("report.%s", measured->name), value, (Place){0});
    }
    PUSH(p->outputs, ((Output){ .name = measured->name, .value = t }));
    PUSH(m->metrics, ((Metric){ .name = measured->name, .values = values }));
}

static void build_evaluate(Builder *b)
{
    Model *m = b->model;
    Program *p = m->evaluate = program_new("evaluate", false);
    Elaboration *e = elaboration_new(b->symbols, m, p, false);
    elaborate_model(e, b->block);
    if (error_count()) return;
    build_measures(b, e, p, true);
    if (error_count()) return;
    m->report = program_new("report", false);
    m->report->wide = true;
    move_to_report(p, m->report);
    for (int i = 0; i < b->measured.count; i++) report_value(b, m->report, &b->measured.at[i]);
    drop_measured_totals(b, p);
}

/* ---- passes over the training data ------------------------------------------------------------------------------- */
/* The pass in which each measured total can be added up: 1 + the latest of those that its value reads. */
typedef struct Level { const Model *m; const Program *p; const int *of_equation; const int *of_total; int level; } Level;

static void look_level(const Node *e, void *data)
{
    Level *l = data;
    if (e->op != OP_READ) return;
    int level = 0;
    if (e->tensor->role == ROLE_TEMP) {
        int k = producer(l->p, e->tensor);
        if (k >= 0) level = l->of_equation[k];
    }
    for (int i = 0; i < l->m->measured; i++)
        if (l->m->totals.at[i] == e->tensor) level = l->of_total[i] + 1;
    if (level > l->level) l->level = level;
}

static void total_levels(const Model *m, const Program *p, int *of_total)
{
    int *of_equation = NEW_ARRAY(int, p->equations.count + 1);
    for (int i = 0; i < p->equations.count; i++) {
        Level l = { m, p, of_equation, of_total, 0 };
        node_visit(p->equations.at[i]->value, look_level, &l);
        of_equation[i] = l.level;
        for (int u = 0; u < p->updates.count; u++)
            for (int k = 0; k < m->measured; k++)
                if (p->updates.at[u].state == m->totals.at[k] && p->updates.at[u].value == p->equations.at[i]->out)
                    of_total[k] = l.level;
    }
}

/* One program for each pass: the same elaboration, of which only the totals of that pass are kept. */
static void build_measure(Builder *b)
{
    Model *m = b->model;
    if (!m->measured) return;
    int *of_total = NEW_ARRAY(int, m->measured);
    for (int pass = 0, last = 0; pass <= last; pass++) {
        Program *p = program_new(format("measure_%d", pass), false);
        Elaboration *e = elaboration_new(b->symbols, m, p, false);
        elaborate_model(e, b->block);
        if (error_count()) return;
        total_levels(m, p, of_total);
        for (int k = 0; k < m->measured; k++)
            if (of_total[k] > last) last = of_total[k];
        int kept = 0;
        for (int u = 0; u < p->updates.count; u++)
            for (int k = 0; k < m->measured; k++)
                if (p->updates.at[u].state == m->totals.at[k] && of_total[k] == pass) p->updates.at[kept++] = p->updates.at[u];
        p->updates.count = kept;
        PUSH(m->measure, p);
    }
}

/* ---- all together ------------------------------------------------------------------------------------------------ */
typedef void ProgramPass(Program *p, const char *name);

static void each_program(Model *m, ProgramPass *f)
{
    Program *all[] = { m->initialize, m->step, m->accumulate, m->apply, m->evaluate, m->predict, m->report, m->settle };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i]) f(all[i], all[i]->name);
    for (int i = 0; i < m->measure.count; i++) f(m->measure.at[i], m->measure.at[i]->name);
}

static void simplify_pass(Program *p, const char *name) { (void)name; simplify(p); }
static void verify_pass(Program *p, const char *name)   { program_verify(p, name); }

void model_verify(Model *m) { each_program(m, verify_pass); }

Model *model_build(const Symbols *s, const ModelOptions *options)
{
    Model *m = NEW(Model);
    Builder b = { .symbols = s, .model = m };
    m->file = options->file;
    m->initialize = program_new("initialize", false);
    b.block = model_item(s);
    if (!b.block) return NULL;
    m->name = b.block->name;
    b.train = train_read(s, m, options);
    if (error_count()) {                         /* the block's own errors belong to the same run */
        elaborate_model(elaboration_new(s, m, program_new("check", true), true), b.block);
        return NULL;
    }
    m->has_train = b.train && !options->inference_only;
    if (m->has_train) {
        build_step(&b);
        if (!error_count() && options->accumulate) build_accumulate(&b);
        if (!error_count() && options->accumulate) build_apply(&b);
        if (!error_count()) build_evaluate(&b);
    }
    if (!error_count()) build_predict(&b);
    if (!error_count() && !options->inference_only) build_measure(&b);
    if (!error_count()) foreign_check(m);
    if (error_count()) return NULL;
    if (options->verify) each_program(m, verify_pass);
    layers_connect(m, m->step ? m->step : m->predict);
    each_program(m, simplify_pass);
    return m;
}
