/* header.c: model.h. It opens with the use of the model in a few lines, then sizes as macros, types, and the calls. It is
 * plain C99 and clean in C++; every name begins with the prefix. */
#include "emit/emit.h"
#include <inttypes.h>
#include <string.h>

int metric_values(const Model *m)
{
    int n = 0;
    for (int i = 0; i < m->metrics.count; i++) n += m->metrics.at[i].values;
    return n;
}


static void shape_add(const Tensor *t, Text *to)
{
    if (t->batch) text_add(to, "[n]");
    for (int i = t->batch; i < t->rank; i++) text_addf(to, "[%d]", t->extent[i]);
}

/* C may not begin a name with a digit, nor hold other characters in it. */
static void macro_name_add(const char *s, Text *to)
{
    for (; *s; s++) {
        char c = *s;
        if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
        bool good = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        text_add_n(to, good ? &c : "_", 1);
    }
}

static const char *macro_name(const char *s)
{
    Text t = {0};
    macro_name_add(s, &t);
    return text_string(&t);
}

static void tensor_enum(const Emission *e, const char *what, const char *kind, Tensor *const *at, int count, Text *to)
{
    if (!count) return;
    text_addf(to, "/* %s */\nenum { ", what);
    for (int i = 0; i < count; i++) {
        if (i) text_add(to, ", ");
        const char *name = macro_name(at[i]->name);
        int same = 0;                            /* lr and LR: the second one gets a number */
        for (int j = 0; j < i; j++) same += !strcmp(macro_name(at[j]->name), name);
        text_addf(to, "%s_%s_%s", e->upper, kind, name);
        if (same) text_addf(to, "_AGAIN%d", same);
        if (!i) text_add(to, " = 0");
    }
    text_add(to, " };\n");
}

static void sizes(const Emission *e, Text *to)
{
    const Plan *p = e->plan;
    const Model *m = e->model;
    text_add(to, "/* ---- sizes, in bytes ---- */\n");
    text_addf(to, "#define %s_BATCH        %-10d /* samples in one call, at most */\n", e->upper, m->batch);
    if (e->trains)
        text_addf(to, "#define %s_TRAIN_BYTES  %-10" PRId64 " /* memory of an instance that trains */\n", e->upper, p->train_bytes);
    text_addf(to, "#define %s_INFER_BYTES  %-10" PRId64 " /* memory of an instance that only predicts and evaluates */\n", e->upper, p->infer_bytes);
    text_addf(to, "#define %s_WEIGHT_BYTES %-10" PRId64 " /* of that: weights and what is kept with them */\n", e->upper, p->weight_bytes);
    text_addf(to, "#define %s_ALIGN        64         /* of the memory */\n", e->upper);
    text_addf(to, "#define %s_STATE_BYTES  %-10" PRId64 " /* of an exported state */\n", e->upper, state_bytes(e));
    text_addf(to, "#define %s_TENSORS      %-10d /* tensors that are kept */\n", e->upper, kept_count(e));
    text_addf(to, "#define %s_METRICS      %-10d /* numbers that %s_report gives */\n\n", e->upper, metric_values(m), e->prefix);
}

static const char *const statuses =
    "/* ---- what a call returns: 0, or why it did nothing ---- */\n"
    "enum {\n"
    "    @P_OK = 0,\n"
    "    @P_NULL,               /* a pointer is NULL */\n"
    "    @P_MEMORY_SHORT,       /* the memory is smaller than this needs */\n"
    "    @P_MEMORY_ALIGN,       /* the memory does not lie at a multiple of @P_ALIGN */\n"
    "    @P_ORDER,              /* called before @p_init, the passes over the training data, or the weights */\n"
    "    @P_SAMPLES,            /* n is not in 1 .. @P_BATCH */\n"
    "    @P_RANGE,              /* a label or an index in the batch is outside of its range */\n"
    "    @P_NUMBER,             /* there is no such tensor, setting, clock or pass */\n"
    "    @P_VALUE,              /* a value is not finite, or is not allowed */\n"
    "    @P_STATE               /* not a state of this model, or damaged */\n"
    "};\n"
    "const char *@p_strerror(int status);\n\n";

static void object(const Emission *e, Text *to)
{
    const Model *m = e->model;
    template_add(e, to,
        "/* One instance. Its weights and everything else lie in the caller's memory; the fields are for reading only. */\n"
        "typedef struct @p {\n"
        "    unsigned char *memory;\n"
        "    size_t bytes;\n"
        "    uint64_t seed;\n"
        "    int64_t iteration;     /* steps done */\n"
        "    uint32_t ready;\n"
        "    int32_t passes;        /* over the training data, done; -1: no weights yet */\n");
    if (m->settings.count) text_addf(to, "    double setting[%d];\n", m->settings.count);
    if (m->clocks.count) text_addf(to, "    double clock[%d];\n", m->clocks.count);
    template_add(e, to, "} @p;\n\n");
}

static void tensors(const Emission *e, Text *to)
{
    template_add(e, to,
        "/* ---- what is kept from call to call: parameters, states (the optimizer's too), totals ---- */\n"
        "typedef struct @p_tensor {\n"
        "    const char *name;      /* dense.w */\n"
        "    int kind;              /* 0 parameter, 1 state, 2 state of the optimizer, 3 total */\n"
        "    int frozen;            /* a parameter that is not trained */\n");
    text_addf(to, "    int rank, extent[%d];\n", MAX_RANK);
    template_add(e, to,
        "    const char *line;      /* of the source: \"net.dln:11\" */\n"
        "} @p_tensor;\n"
        "const @p_tensor *@p_tensors(int *count);\n"
        "/* One tensor's values, row after row, as @r. */\n"
        "int @p_get(const @p *m, int tensor, @r *values);\n"
        "int @p_put(@p *m, int tensor, const @r *values);\n"
        "/* Everything: tensors, iteration, seed, settings. For the same machine type; @P_STATE_BYTES long. */\n"
        "int @p_export_state(const @p *m, void *state, size_t bytes);\n"
        "int @p_import_state(@p *m, const void *state, size_t bytes);\n"
        "int @p_set_iteration(@p *m, int64_t iteration, uint64_t seed);\n\n");
}

/* The comment above a call: the shapes of what it takes. */
static void shapes(const Emission *e, const Fields *f, Text *to)
{
    for (int i = 0; i < f->count; i++) {
        text_addf(to, "%s%s", i ? ", " : "", parameter_name(e, f->at[i]));
        shape_add(f->at[i], to);
    }
}

static void call_with_loss(const Emission *e, const Program *p, const char *comment, Text *to)
{
    if (!p) return;
    Fields f = program_fields(e, p);
    text_add(to, "/* ");
    template_add(e, to, comment);
    shapes(e, &f, to);
    text_addf(to, " */\nint %s_%s(%s *m, ", e->prefix, p->name, e->prefix);
    fields_parameters(e, &f, to);
    text_add(to, "int n, double *loss);\n");
}

static void gradient_check(const Emission *e, Text *to)
{
    Fields f = program_fields(e, e->model->accumulate);
    template_add(e, to,
        "#ifdef DLN_CHECK\n"
        "/* For tests, with --real=double: compares the gradient of up to 20 elements of each parameter with central differences\n"
        " * of the loss. *worst: the largest difference, of the largest derivative of its parameter (of 1e-4 of the loss, if\n"
        " * that is more). The instance is afterwards as it was. One at a time: it uses static memory. */\n"
        "int @p_check_gradients(@p *m, ");
    fields_parameters(e, &f, to);
    text_add(to, "int n, double *worst);\n#endif\n");
}

static void calls(const Emission *e, Text *to)
{
    const Model *m = e->model;
    text_add(to, "/* ---- the calls: n samples, one after another, in arrays of the shapes given ---- */\n");
    template_add(e, to,
        e->weights ? "/* Begins with the weights that model.c holds. bytes: @P_INFER_BYTES or more"
                   : "/* Begins with fresh weights made from the seed. bytes: @P_INFER_BYTES or more (then weights are 0 and wait for\n"
                     " * @p_put or @p_import_state)");
    template_add(e, to, e->trains ? ", or @P_TRAIN_BYTES or more to train.\n" : ".\n");
    template_add(e, to, " * The memory must stay until the last call. */\nint @p_init(@p *m, void *memory, size_t bytes, uint64_t seed);\n");
    for (int i = 0; i < m->measure.count; i++) {
        Fields f = program_fields(e, m->measure.at[i]);
        if (!i) {
            text_addf(to, "/* Before the first step: pass 0 .. %d over the training data, with settle after each. ", m->measure.count - 1);
            shapes(e, &f, to);
            template_add(e, to, " */\nint @p_measure(@p *m, int pass, ");
            fields_parameters(e, &f, to);
            template_add(e, to, "int n);\nint @p_settle(@p *m);\n");
        }
    }
    call_with_loss(e, m->step, "One step of training on a batch; *loss (or NULL) is its loss before the step.\n * ", to);
    call_with_loss(e, m->accumulate,
        "A step in parts, for batches larger than @P_BATCH: accumulate adds up the gradients of any number of batches, each\n"
        " * sample counts the same; apply then changes the weights by their mean, as one step does, and begins anew. It\n"
        " * returns @P_ORDER if nothing was added up. A step in between does not touch what was added up.\n * ", to);
    if (m->apply) template_add(e, to, "int @p_apply(@p *m);\n");
    if (m->accumulate) gradient_check(e, to);
    call_with_loss(e, m->evaluate, "The loss of a batch, without training. ", to);
    if (m->predict) {
        Fields f = program_fields(e, m->predict);
        text_add(to, "/* ");
        shapes(e, &f, to);
        text_add(to, " -> ");
        for (int i = 0; i < e->outputs->count; i++) {
            text_addf(to, "%s%s", i ? ", " : "", output_name(e, i));
            shape_add(e->outputs->at[i].value, to);
        }
        text_addf(to, " */\nint %s_predict(%s *m, ", e->prefix, e->prefix);
        fields_parameters(e, &f, to);
        text_add(to, "int n");
        for (int i = 0; i < e->outputs->count; i++)
            text_addf(to, ", %s *%s", element_type(e, e->outputs->at[i].value), output_name(e, i));
        text_add(to, ");\n");
    }
    if (m->report) {
        template_add(e, to, "/* Metrics over all batches since the last reset: ");
        for (int i = 0; i < m->metrics.count; i++) {
            if (i) text_add(to, ", ");
            text_add_comment(to, m->metrics.at[i].name);
            if (m->metrics.at[i].values > 1) text_addf(to, " (%d)", m->metrics.at[i].values);
        }
        template_add(e, to, " */\nint @p_reset(@p *m);\nint @p_report(@p *m, double *values);\n");
    }
    text_add(to, "\n");
    if (m->settings.count) {
        tensor_enum(e, "settings of the run, for set", "SET", m->settings.at, m->settings.count, to);
        template_add(e, to, "int @p_set(@p *m, int setting, double value);\n\n");
    }
    if (m->clocks.count) {
        tensor_enum(e, "clocks, which schedules read; iteration runs by itself", "CLOCK", m->clocks.at, m->clocks.count, to);
        template_add(e, to, "int @p_clock(@p *m, int clock, double value);\n\n");
    }
}

static void header_open(const Emission *e, Text *to)
{
    text_addf(to, "/* %s.h: the interface of the network `%s`, made by dlnc %s from ", e->prefix, e->model->name,
              e->plan->options->version);
    text_add_comment(to, e->model->file);
    text_add(to, ".\n *\n");
    const Model *m = e->model;
    text_addf(to, " *     static %s m;\n", e->prefix);
    text_addf(to, " *     %s_init(&m, memory, %s_%s_BYTES, 1);\n", e->prefix, e->upper, e->trains ? "TRAIN" : "INFER");
    if (m->step) {
        Fields f = program_fields(e, m->step);
        text_addf(to, " *     for (each batch) %s_step(&m, ", e->prefix);
        for (int i = 0; i < f.count; i++) text_addf(to, "%s, ", parameter_name(e, f.at[i]));
        text_add(to, "n, &loss);\n");
    }
    if (m->predict) {
        Fields f = program_fields(e, m->predict);
        text_addf(to, " *     %s_predict(&m, ", e->prefix);
        for (int i = 0; i < f.count; i++) text_addf(to, "%s, ", parameter_name(e, f.at[i]));
        text_add(to, "n");
        for (int i = 0; i < e->outputs->count; i++) text_addf(to, ", %s", output_name(e, i));
        text_add(to, ");\n");
    }
    text_add(to, " *\n * Every call returns 0 or a status. Calls on different instances may run at the same time.\n"
                 " * SPDX-License-Identifier: 0BSD */\n");
}

void header_text(const Emission *e, Text *to)
{
    header_open(e, to);
    text_addf(to, "#ifndef %s_H\n#define %s_H\n", e->upper, e->upper);
    text_add(to, "#include <stddef.h>\n#include <stdint.h>\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    sizes(e, to);
    template_add(e, to, statuses);
    object(e, to);
    calls(e, to);
    tensors(e, to);
    text_add(to, "#ifdef __cplusplus\n}\n#endif\n#endif\n");
}
