/* host.c: the last section of model.c, for -DDLN_MAIN: what the host program (dln.h) wants to know of the model, as
 * constant tables, and the calls with the arguments in arrays. */
#include "emit/foreign.h"
#include "emit/onnx.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

static void extents(const Tensor *t, Text *to)
{
    int n = t->rank - t->batch;
    text_addf(to, "%d, {", n);
    for (int i = 0; i < n; i++) text_addf(to, "%s%d", i ? ", " : "", t->extent[i + t->batch]);
    text_add(to, n ? "}" : "0}");
}

static const char *type_name(const Tensor *t)
{
    return t->type == TYPE_INT ? "DLN_INT" : t->type == TYPE_BOOL ? "DLN_BOOL" : "DLN_FLOAT";
}

/* All fields: inputs, then targets. */
static Fields all_fields(const Emission *e)
{
    Fields f = {0};
    for (int i = 0; i < e->model->inputs.count; i++) PUSH(f, e->model->inputs.at[i]);
    for (int i = 0; i < e->model->targets.count; i++) PUSH(f, e->model->targets.at[i]);
    return f;
}

static int64_t classes(const Emission *e, const Tensor *t)
{
    const Program *p = e->model->step ? e->model->step : e->model->evaluate;
    if (!p || t->type != TYPE_INT) return 0;
    FieldRanges r = field_ranges(p);
    for (int i = 0; i < r.count; i++) if (r.at[i].field == t && r.at[i].low == 0) return r.at[i].high;
    return 0;
}

/* ---- the data and train blocks ----------------------------------------------------------------------------------- */
static void value_number(double v, Text *to)
{
    if (isfinite(v)) text_add(to, double_text(v));
    else text_add(to, isnan(v) ? "0.0 / 0.0" : v > 0 ? "1.0 / 0.0" : "-1.0 / 0.0");
}

static void value_text(const char *s, Text *to) { if (s) text_add_literal(to, s); else text_add(to, "NULL"); }

/* The items of lists and calls first, as tables of their own; gives the number of the table. */
static int values_table(Tree *const *at, int count, int *tables, Text *to)
{
    static const char *const kinds[] = { [TREE_NUMBER] = "DLN_NUMBER", [TREE_STRING] = "DLN_STRING", [TREE_WORD] = "DLN_WORD",
                                         [TREE_LIST] = "DLN_LIST", [TREE_CALL] = "DLN_CALL" };
    if (!count) return 0;
    int *inner = NEW_ARRAY(int, count);
    for (int i = 0; i < count; i++) inner[i] = values_table(at[i]->items.at, at[i]->items.count, tables, to);
    int self = ++*tables;
    text_addf(to, "static const dln_value values_%d[] = {\n", self);
    for (int i = 0; i < count; i++) {
        text_addf(to, "    {%s, ", kinds[at[i]->kind]);
        value_text(at[i]->key, to);
        text_add(to, ", ");
        value_text(at[i]->text, to);
        text_add(to, ", ");
        value_number(at[i]->number, to);
        text_addf(to, ", %d, ", at[i]->items.count);
        if (inner[i]) text_addf(to, "values_%d},\n", inner[i]);
        else text_add(to, "NULL},\n");
    }
    text_add(to, "};\n");
    return self;
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */
static void tables(const Emission *e, Text *to)
{
    const Model *m = e->model;
    Fields f = all_fields(e);
    if (f.count) text_add(to, "static const dln_field host_fields[] = {\n");
    for (int i = 0; i < f.count; i++) {
        text_add(to, "    {");
        text_add_literal(to, f.at[i]->name);
        text_addf(to, ", %s, ", type_name(f.at[i]));
        extents(f.at[i], to);
        text_addf(to, ", %d, %" PRId64 "},\n", i >= m->inputs.count, classes(e, f.at[i]));
    }
    if (f.count) text_add(to, "};\n");
    if (e->outputs->count) text_add(to, "static const dln_output host_outputs[] = {\n");
    for (int i = 0; i < e->outputs->count; i++) {
        text_add(to, "    {");
        text_add_literal(to, e->outputs->at[i].name);
        text_add(to, ", ");
        extents(e->outputs->at[i].value, to);
        text_add(to, "},\n");
    }
    if (e->outputs->count) text_add(to, "};\n");
    if (kept_count(e)) template_add(e, to, "static dln_tensor host_tensors[@P_TENSORS];     /* main fills it in from tensors[] */\n");
    if (m->settings.count + m->fixed_settings.count) text_add(to, "static const dln_setting host_settings[] = {\n");
    for (int i = 0; i < m->settings.count + m->fixed_settings.count; i++) {
        bool fixed = i >= m->settings.count;
        const Tensor *t = fixed ? m->fixed_settings.at[i - m->settings.count] : m->settings.at[i];
        text_add(to, "    {");
        text_add_literal(to, t->name);
        text_addf(to, ", %s, %d},\n", double_text(t->data ? t->data[0] : 0.0), fixed);
    }
    if (m->settings.count + m->fixed_settings.count) text_add(to, "};\n");
    if (m->clocks.count) text_add(to, "static const char *const host_clocks[] = {");
    for (int i = 0; i < m->clocks.count; i++) { text_add(to, i ? ", " : ""); text_add_literal(to, m->clocks.at[i]->name); }
    if (m->clocks.count) text_add(to, "};\n");
    if (m->metrics.count) text_add(to, "static const dln_metric host_metrics[] = {\n");
    for (int i = 0; i < m->metrics.count; i++) {
        text_add(to, "    {");
        text_add_literal(to, m->metrics.at[i].name);
        text_addf(to, ", %d},\n", m->metrics.at[i].values);
    }
    if (m->metrics.count) text_add(to, "};\n");
}

static bool is_sum(const Model *m, const Tensor *t)
{
    for (int i = 0; i < m->sums.count; i++) if (m->sums.at[i].gradient == t) return true;
    return false;
}

/* What accumulate changes: sums of gradients, and states of layers. Its totals are found by their kind. */
static int parts_table(const Emission *e, Text *to)
{
    const Model *m = e->model;
    int count = 0;
    for (int i = 0; m->accumulate && i < m->accumulate->updates.count; i++) {
        const Tensor *t = m->accumulate->updates.at[i].state;
        const Storage *s = plan_storage(e->plan, t);
        if (t->role == ROLE_TOTAL || t == m->accumulated) continue;
        const char *join = is_sum(m, t) ? "DLN_SUM" : t->type == TYPE_FLOAT ? "DLN_MEAN" : "DLN_FIRST";
        if (!count++) text_add(to, "static const dln_part host_parts[] = {\n");
        text_addf(to, "    {%d, %s, %" PRId64 ", %" PRId64 "},\n", kept_number(e, t), join, s->offset, s->bytes);
    }
    if (count) text_add(to, "};\n");
    return count;
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */
/* "fields[0], fields[1], " for what program p takes */
static void from_fields(const Emission *e, const Program *p, Text *to)
{
    int n = program_fields(e, p).count;
    for (int i = 0; i < n; i++) text_addf(to, "fields[%d], ", i);
}

static void wrappers(const Emission *e, Text *to)
{
    const Model *m = e->model;
    template_add(e, to,
        "static int host_init(void *m, void *memory, size_t bytes, uint64_t seed) { return @p_init(m, memory, bytes, seed); }\n"
        "static int host_get(const void *m, int tensor, void *values) { return @p_get(m, tensor, values); }\n"
        "static int host_put(void *m, int tensor, const void *values) { return @p_put(m, tensor, values); }\n"
        "static int host_get_double(const void *m, int tensor, double *values) {\n"
        "    const int status = tensor_check(m, tensor, values);\n"
        "    if (status) return status;\n"
        "    const place *p = &places[tensor];\n"
        "    for (size_t i = 0; i < p->count; i++) values[i] = element_read(p, ((const @p *)m)->memory + element_at(p, i));\n"
        "    return @P_OK;\n"
        "}\n"
        "static int host_put_double(void *m, int tensor, const double *values) {\n"
        "    const int status = tensor_check(m, tensor, values);\n"
        "    if (status) return status;\n"
        "    const place *p = &places[tensor];\n"
        "    for (size_t i = 0; i < p->count; i++) if (!element_takes(p, values[i])) return @P_VALUE;\n"
        "    for (size_t i = 0; i < p->count; i++) element_write(p, ((@p *)m)->memory + element_at(p, i), values[i]);\n"
        "    return @P_OK;\n"
        "}\n"
        "static int64_t host_iteration(const void *m) { return ((const @p *)m)->iteration; }\n"
        "static int host_set_iteration(void *m, int64_t iteration, uint64_t seed) { return @p_set_iteration(m, iteration, seed); }\n");
    if (m->measure.count) {
        template_add(e, to, "static int host_measure(void *m, int pass, const void *const *fields, int n) { return @p_measure(m, pass, ");
        from_fields(e, m->measure.at[0], to);
        template_add(e, to, "n); }\nstatic int host_settle(void *m) { return @p_settle(m); }\n");
    }
    const Program *with_loss[] = { m->step, m->evaluate, m->accumulate };
    for (int i = 0; i < 3; i++) {
        if (!with_loss[i]) continue;
        const char *call = with_loss[i]->name;
        text_addf(to, "static int host_%s(void *m, const void *const *fields, int n, double *loss) { return %s_%s(m, ", call, e->prefix, call);
        from_fields(e, with_loss[i], to);
        text_add(to, "n, loss); }\n");
    }
    if (m->apply) template_add(e, to, "static int host_apply(void *m) { return @p_apply(m); }\n");
    if (m->predict) {
        template_add(e, to, "static int host_predict(void *m, const void *const *fields, int n, void *const *outputs) { return @p_predict(m, ");
        from_fields(e, m->predict, to);
        text_add(to, "n");
        for (int i = 0; i < e->outputs->count; i++) text_addf(to, ", outputs[%d]", i);
        text_add(to, "); }\n");
    }
    if (m->report)
        template_add(e, to, "static int host_reset(void *m) { return @p_reset(m); }\n"
                            "static int host_report(void *m, double *values) { return @p_report(m, values); }\n");
    if (m->settings.count)
        template_add(e, to, "static int host_set(void *m, int setting, double value) { return @p_set(m, setting, value); }\n");
    if (m->clocks.count)
        template_add(e, to, "static int host_clock(void *m, int clock, double value) { return @p_clock(m, clock, value); }\n");
}

static void if_there(const char *field, const char *what, bool there, Text *to)
{
    if (there) text_addf(to, "    .%s = %s,\n", field, what);
}

static void if_counted(const char *count_field, const char *field, const char *what, int count, Text *to)
{
    if (count) text_addf(to, "    .%s = %d, .%s = %s,\n", count_field, count, field, what);
}

static void literal_field(const char *field, const char *s, Text *to)
{
    text_addf(to, "    .%s = ", field);
    text_add_literal(to, s ? s : "");
    text_add(to, ",\n");
}

/* A text, a C string literal for each line. */
static void lines_field(const char *field, const char *lines, Text *to)
{
    text_addf(to, "    .%s =", field);
    for (const char *at = lines; *at;) {
        const char *end = strchr(at, '\n');
        size_t n = end ? (size_t)(end - at) + 1 : strlen(at);
        text_add(to, "\n        ");
        text_add_literal(to, format("%.*s", (int)n, at));
        at += n;
    }
    text_add(to, ",\n");
}

/* weights = safetensors(..) of the calls: the calls, each with the path of its layer as key. */
static int weights_table(const Emission *e, int *count, Text *to)
{
    const Model *m = e->model;
    Tree **at = NEW_ARRAY(Tree *, m->weights.count + 1);
    for (int i = 0; i < m->weights.count; i++) {
        at[i] = arena_copy(m->weights.at[i].source, sizeof **at);
        at[i]->key = m->weights.at[i].path;
    }
    return values_table(at, m->weights.count, count, to);
}

/* The numbers of what was written before it. */
typedef struct Written { int data, train, weights, foreigns, parts; } Written;

static void descriptor(const Emission *e, const Written *w, Text *to)
{
    const Model *m = e->model;
    text_add(to, "static const dln_model host_model = {\n    .abi = DLN_ABI,\n");
    literal_field("name", m->name, to);
    literal_field("source", m->file, to);
    literal_field("sha256", m->sha256, to);
    literal_field("version", e->plan->options->version, to);
    literal_field("options", e->plan->options->options, to);
    Text summary = {0};
    summary_text(m, e->plan, &summary);
    lines_field("summary", text_string(&summary), to);
    text_addf(to, "    .real_bytes = sizeof(real), .batch = %d, .epochs = %d, .steps = %" PRId64 ", .seed = UINT64_C(%" PRIu64 "),\n",
              m->batch, m->epochs, m->steps, m->seed);
    template_add(e, to, "    .object_bytes = sizeof(@p), .train_bytes = WHOLE_BYTES, .infer_bytes = @P_INFER_BYTES, .align = @P_ALIGN,\n");
    if_counted("fields", "field", "host_fields", m->inputs.count + m->targets.count, to);
    if_counted("outputs", "output", "host_outputs", e->outputs->count, to);
    if_counted("tensors", "tensor", "host_tensors", kept_count(e), to);
    if_counted("settings", "setting", "host_settings", m->settings.count + m->fixed_settings.count, to);
    if_counted("clocks", "clock", "host_clocks", m->clocks.count, to);
    if_counted("metrics", "metric", "host_metrics", m->metrics.count, to);
    if_counted("data_values", "data", format("values_%d", w->data), m->data.count, to);
    if_counted("train_values", "train", format("values_%d", w->train), m->train.count, to);
    if_counted("sources", "source_of", format("values_%d", w->weights), m->weights.count, to);
    if_counted("foreigns", "foreign", "host_foreign", w->foreigns, to);
    text_addf(to, "    .passes = PASSES,\n    .init = host_init,\n");
    if_there("measure", "host_measure", m->measure.count > 0, to);
    if_there("settle", "host_settle", m->measure.count > 0, to);
    if_there("step", "host_step", m->step != NULL, to);
    if_there("evaluate", "host_evaluate", m->evaluate != NULL, to);
    if_there("accumulate", "host_accumulate", m->accumulate != NULL, to);
    if_there("apply", "host_apply", m->apply != NULL, to);
    if (m->accumulated) text_addf(to, "    .samples = %d,\n", kept_number(e, m->accumulated));
    if_counted("parts", "part", "host_parts", w->parts, to);
    if_there("predict", "host_predict", m->predict != NULL, to);
    if_there("reset", "host_reset", m->report != NULL, to);
    if_there("report", "host_report", m->report != NULL, to);
    if_there("set_setting", "host_set", m->settings.count > 0, to);
    if_there("set_clock", "host_clock", m->clocks.count > 0, to);
    if (m->predict) lines_field("onnx", onnx_text(m), to);
    template_add(e, to, "    .get = host_get, .put = host_put, .get_double = host_get_double, .put_double = host_put_double,\n    .iteration = host_iteration, .set_iteration = host_set_iteration,\n"
                        "    .strerror = @p_strerror, .prefix = \"@p\",\n};\n");
}

/* A program of -march=native on another machine ends with a message, not with an illegal instruction. */
static const char processor_check[] =
    "#if !defined __x86_64__ || !defined __GNUC__\n"
    "#define PROCESSOR_FITS 1\n"
    "#elif defined __AVX512F__\n"
    "#define PROCESSOR_FITS __builtin_cpu_supports(\"avx512f\")\n"
    "#elif defined __AVX2__\n"
    "#define PROCESSOR_FITS __builtin_cpu_supports(\"avx2\")\n"
    "#elif defined __AVX__\n"
    "#define PROCESSOR_FITS __builtin_cpu_supports(\"avx\")\n"
    "#else\n"
    "#define PROCESSOR_FITS 1\n"
    "#endif\n\n";

void host_text(const Emission *e, Text *to)
{
    int count = 0;
    text_add(to, "/* ---- the host program: data, training loop, checkpoints come with libdln ---- */\n#ifdef DLN_MAIN\n#include <stdio.h>\n#include \"dln.h\"\n\n");
    int data = values_table(e->model->data.at, e->model->data.count, &count, to);
    int train = values_table(e->model->train.at, e->model->train.count, &count, to);
    int weights = weights_table(e, &count, to);
    int foreigns = foreign_text(e, to), parts = parts_table(e, to);
    tables(e, to);
    wrappers(e, to);
    descriptor(e, &(Written){ data, train, weights, foreigns, parts }, to);
    text_add(to, processor_check);
    text_add(to, "int main(int argc, char **argv) {\n"
                 "    if (!PROCESSOR_FITS) {\n"
                 "        fprintf(stderr, \"error: compiled for another processor: compile it here, or with -march=x86-64\\n\");\n"
                 "        return 3;\n"
                 "    }\n");
    if (kept_count(e))
        template_add(e, to,
            "    for (int i = 0; i < @P_TENSORS; i++) {\n"
            "        host_tensors[i].name = tensors[i].name;\n"
            "        host_tensors[i].kind = (dln_kind)tensors[i].kind;\n"
            "        host_tensors[i].frozen = tensors[i].frozen;\n"
            "        host_tensors[i].rank = tensors[i].rank;\n"
            "        host_tensors[i].line = tensors[i].line;\n"
            "        memcpy(host_tensors[i].extent, tensors[i].extent, sizeof tensors[i].extent);\n"
            "    }\n");
    text_add(to, "    return dln_main(argc, argv, &host_model);\n}\n#endif\n");
}
