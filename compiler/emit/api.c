/* api.c: the public functions of model.c. Each checks everything it was given before anything changes, fills in a
 * struct run, and starts the program of kernels that does the work. */
#include "emit/emit.h"
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

/* ---- kept tensors ------------------------------------------------------------------------------------------------ */
int kept_count(const Emission *e) { return e->model->kept.count + e->model->totals.count; }

const Tensor *kept_tensor(const Emission *e, int i)
{
    const Model *m = e->model;
    return i < m->kept.count ? m->kept.at[i] : m->totals.at[i - m->kept.count];
}

int kept_number(const Emission *e, const Tensor *t)
{
    for (int i = 0; i < kept_count(e); i++) if (kept_tensor(e, i) == t) return i;
    bug("%s is not kept", t->name);
}

bool kept_in_inference(const Emission *e, const Tensor *t)
{
    return plan_storage(e->plan, t)->offset < e->plan->weight_bytes;
}

/* Nothing that predicts needs it. */
static bool is_optimizer_state(const Emission *e, const Tensor *t)
{
    return t->role == ROLE_STATE && (t->measures || !kept_in_inference(e, t));
}

enum { STATE_HEAD = 56 };        /* magic 8, version and byte order 8, model 8, seed 8, iteration 8, passes 8, settings, clocks; checksum 8 */
int64_t state_bytes(const Emission *e)
{
    int64_t n = STATE_HEAD + 8 * (e->model->settings.count + e->model->clocks.count);
    for (int i = 0; i < kept_count(e); i++)
        n += tensor_size(kept_tensor(e, i)) * plan_storage(e->plan, kept_tensor(e, i))->element;
    return n;
}

/* Elements between two panels of a tensor that is stored in panels: all rows of one panel. */
static int storage_panel_step(const Storage *s)
{
    const Tensor *t = s->tensor;
    int64_t rows = 1;
    for (int i = 0; i + 1 < t->rank; i++) rows *= t->extent[i];
    return (int)rows * s->panel;
}

/* "net.dln:11", without folders */
static const char *place_text(Place at)
{
    if (!at.source) return "";
    const char *slash = strrchr(at.source->name, '/');
    return format("%s:%d", slash ? slash + 1 : at.source->name, at.line);
}

/* What a state must agree in to be this model's: names, shapes and types of what is kept. */
static uint64_t fingerprint(const Emission *e)
{
    Text t = {0};
    uint64_t h = UINT64_C(14695981039346656037);
    for (int i = 0; i < kept_count(e); i++) {
        const Tensor *k = kept_tensor(e, i);
        text_addf(&t, "%s %d %d %d", k->name, k->role, k->type, plan_storage(e->plan, k)->element);
        for (int a = 0; a < k->rank; a++) text_addf(&t, " %d", k->extent[a]);
        text_add(&t, "\n");
    }
    for (int i = 0; i < e->model->settings.count; i++) text_addf(&t, "%s\n", e->model->settings.at[i]->name);
    for (int i = 0; i < e->model->clocks.count; i++) text_addf(&t, "%s\n", e->model->clocks.at[i]->name);
    for (size_t i = 0; i < t.length; i++) h = (h ^ (unsigned char)t.at[i]) * UINT64_C(1099511628211);
    return h;
}

static void numbers_add(const int *at, int count, Text *to)
{
    text_add(to, "{");
    for (int i = 0; i < count; i++) text_addf(to, "%s%d", i ? ", " : "", at[i]);
    text_add(to, count ? "}" : "0}");
}

/* The table behind P_tensors, and where each tensor lies. */
static void kept_tables(const Emission *e, Text *to)
{
    int rank = 1, n = kept_count(e);
    for (int i = 0; i < n; i++) if (kept_tensor(e, i)->rank > rank) rank = kept_tensor(e, i)->rank;
    text_add(to, "/* ---- what is kept: names and shapes for the caller, and where the values lie ---- */\n");
    text_addf(to, "static const %s_tensor tensors[%d] = {\n", e->prefix, n ? n : 1);
    for (int i = 0; i < n; i++) {
        const Tensor *t = kept_tensor(e, i);
        int kind = t->role == ROLE_PARAM ? 0 : t->role == ROLE_TOTAL ? 3 : is_optimizer_state(e, t) ? 2 : 1;
        text_add(to, "    {");
        text_add_literal(to, t->name);
        text_addf(to, ", %d, %d, %d, ", kind, t->frozen, t->rank);
        numbers_add(t->extent, t->rank, to);
        text_add(to, ", ");
        text_add_literal(to, place_text(t->at));
        text_add(to, "},\n");
    }
    if (!n) text_add(to, "    {0, 0, 0, 0, {0}, 0}\n");
    text_addf(to, "};\n"
        "/* Element (i, j, .. l) lies at offset + (i stride[0] + j stride[1] + ..) elements; with panels the last axis lies in\n"
        " * pieces of `panel` elements, panel_step apart. element: 4 and 8 float and double, 1 int32_t, 0 uint8_t (bool). */\n"
        "typedef struct place { size_t offset, count; int element, rank, extent[%d], stride[%d], panel, panel_step; } place;\n"
        "static const place places[%d] = {\n", rank, rank, n ? n : 1);
    for (int i = 0; i < n; i++) {
        const Tensor *t = kept_tensor(e, i);
        const Storage *s = plan_storage(e->plan, t);
        int element = t->type == TYPE_INT ? 1 : t->type == TYPE_BOOL ? 0 : s->element;
        text_addf(to, "    {%" PRId64 ", %" PRId64 ", %d, %d, ", s->offset, tensor_size(t), element, t->rank);
        numbers_add(t->extent, t->rank, to);
        text_add(to, ", ");
        numbers_add(s->stride, t->rank, to);
        text_addf(to, ", %d, %d},\n", s->panel, storage_panel_step(s));
    }
    if (!n) text_add(to, "    {0, 0, 0, 0, {0}, {0}, 0, 0}\n");
    text_add(to, "};\n\n");
}

static const char *const element_access =
    "static size_t element_bytes(const place *p) { return p->element == 0 ? 1 : p->element == 8 ? 8 : 4; }\n"
    "/* The byte at which the element with this row-major number lies. */\n"
    "static size_t element_at(const place *p, size_t number) {\n"
    "    size_t at = 0;\n"
    "    for (int a = p->rank - 1; a >= 0; a--) {\n"
    "        const size_t i = number % (size_t)p->extent[a];\n"
    "        number /= (size_t)p->extent[a];\n"
    "        if (p->panel && a == p->rank - 1)\n"
    "            at += i / (size_t)p->panel * (size_t)p->panel_step + i % (size_t)p->panel;\n"
    "        else at += i * (size_t)p->stride[a];\n"
    "    }\n"
    "    return p->offset + at * element_bytes(p);\n"
    "}\n"
    "static double element_read(const place *p, const unsigned char *at) {\n"
    "    union { float f; double d; int32_t i; uint8_t b; } x;\n"
    "    memcpy(&x, at, element_bytes(p));\n"
    "    return p->element == 4 ? (double)x.f : p->element == 8 ? x.d : p->element == 1 ? (double)x.i : (double)x.b;\n"
    "}\n"
    "static void element_write(const place *p, unsigned char *at, double value) {\n"
    "    union { float f; double d; int32_t i; uint8_t b; } x;\n"
    "    if (p->element == 4) x.f = (float)value;\n"
    "    else if (p->element == 8) x.d = value;\n"
    "    else if (p->element == 1) x.i = (int32_t)value;\n"
    "    else x.b = value != 0;\n"
    "    memcpy(at, &x, element_bytes(p));\n"
    "}\n"
    "/* A finite number that the element can hold. */\n"
    "static int element_takes(const place *p, double value) {\n"
    "    return value - value == 0 && (p->element != 1 || (value >= -2147483648.0 && value <= 2147483647.0));\n"
    "}\n"
    "/* An instance for inference has less memory: what lies beyond it is not there. */\n"
    "static int is_there(const @p *m, const place *p) {\n"
    "    return m->bytes >= WHOLE_BYTES || p->offset < @P_WEIGHT_BYTES;\n"
    "}\n\n";

/* ---- checks of the batch ----------------------------------------------------------------------------------------- */
static void range_check(Text *to)
{
    text_add(to,
        "/* Labels and indices are places in tensors: all of them must lie inside. */\n"
        "static int all_within(const int32_t *value, size_t count, int32_t low, int32_t high) {\n"
        "    int bad = 0;\n"
        "    for (size_t i = 0; i < count; i++) bad |= (value[i] < low) | (value[i] > high);\n"
        "    return !bad;\n"
        "}\n\n");
}

/* Has the model weights that an instance for inference must be given before it predicts? */
static bool waits_for_weights(const Emission *e)
{
    bool has = false;
    for (int i = 0; i < kept_count(e) && !e->weights; i++) has |= kept_tensor(e, i)->role == ROLE_PARAM;
    return has;
}

/* The lines that refuse a wrong batch, for program p. */
static void batch_checks(const Emission *e, const Program *p, Text *to)
{
    Fields f = program_fields(e, p);
    bool waits = waits_for_weights(e) && (p == e->model->predict || p == e->model->evaluate);
    template_add(e, to, waits ? "    if (m->ready != READY || m->passes < 0) return @P_ORDER;\n" : "    if (m->ready != READY) return @P_ORDER;\n");
    if (f.count) {
        text_add(to, "    if (");
        for (int i = 0; i < f.count; i++) text_addf(to, "%s!%s", i ? " || " : "", parameter_name(e, f.at[i]));
        template_add(e, to, ") return @P_NULL;\n");
    }
    template_add(e, to, "    if (n < 1 || n > @P_BATCH) return @P_SAMPLES;\n");
    FieldRanges r = field_ranges(p);
    for (int i = 0; i < r.count; i++) {
        const Tensor *t = r.at[i].field;
        text_addf(to, "    if (!all_within(%s, (size_t)n * %" PRId64 ", %" PRId64 ", %" PRId64 ")) return %s_RANGE;\n",
                  parameter_name(e, t), sample_size(t), r.at[i].low, r.at[i].high - 1, e->upper);
    }
}

/* ---- programs ---------------------------------------------------------------------------------------------------- */
static bool given_by_pointer(const Emission *e, const Tensor *t) { return plan_storage(e->plan, t)->place == PLACE_CALLER; }

/* The output that was given the pointer for this one's tensor: itself, or an earlier one of the same tensor. */
static int output_first(const Emission *e, int i)
{
    for (int j = 0; j < i; j++) if (e->outputs->at[j].value == e->outputs->at[i].value) return j;
    return i;
}

/* As the model names it, if that is free; the one output of a model without `output` is called out. */
const char *output_name(const Emission *e, int i)
{
    const char *name = e->outputs->at[i].name;
    if (name == e->model->name || !strcmp(name, e->prefix)) return "out";
    char *c = arena_copy(name, strlen(name) + 1);
    for (char *at = c; *at; at++) if (!isalnum((unsigned char)*at)) *at = '_';
    bool taken = word_is_taken(c);
    Fields f = program_fields(e, e->model->predict);
    for (int k = 0; k < f.count; k++) taken |= !strcmp(c, parameter_name(e, f.at[k]));
    return taken || isdigit((unsigned char)*c) ? format("out_%s", c) : c;
}

static void run_fields(const Emission *e, const Program *p, Text *to)
{
    Fields f = program_fields(e, p);
    for (int i = 0; i < f.count; i++)
        text_addf(to, "    run.%s = %s;\n", c_name(e->plan, f.at[i]), parameter_name(e, f.at[i]));
}

static const char *value_type(const Emission *e, const Tensor *t)
{
    return t->type == TYPE_FLOAT && plan_storage(e->plan, t)->element == 8 ? "double" : element_type(e, t);
}

/* An output that lies in the model's memory (from NULL) or at `from`, and not where the caller wants it. */
static void output_copy(const Emission *e, const Tensor *t, const char *from, const char *to_name, Text *to)
{
    if (!from) from = format("m->memory + %" PRId64, plan_storage(e->plan, t)->offset);
    text_addf(to, "    memcpy(%s, %s, (size_t)%s * %" PRId64 " * sizeof(%s));\n",
              to_name, from, t->batch ? "n" : "1", sample_size(t), value_type(e, t));
}

/* step, accumulate and evaluate: their first output is the loss. The first two are for training; accumulate is a part of
 * the next iteration, which apply ends: its random numbers differ from part to part. */
static void call_with_loss(const Emission *e, const Program *p, Text *to)
{
    bool trains = p != e->model->evaluate, adds = p == e->model->accumulate;
    Fields f = program_fields(e, p);
    const Tensor *loss = p->outputs.count ? p->outputs.at[0].value : NULL;
    text_addf(to, "int %s_%s(%s *m, ", e->prefix, p->name, e->prefix);
    fields_parameters(e, &f, to);
    template_add(e, to, "int n, double *loss) {\n    if (!m) return @P_NULL;\n");
    batch_checks(e, p, to);
    if (trains) template_add(e, to, "    if (m->bytes < @P_TRAIN_BYTES) return @P_MEMORY_SHORT;\n"
                                    "    if (m->passes < PASSES) return @P_ORDER;\n");
    text_addf(to, "    struct run run = run_of(m, n, (uint64_t)m->iteration%s);\n", trains ? " + 1" : "");
    if (adds) text_add(to, "    run.seed += (uint64_t)accumulated(m) * UINT64_C(0x9e3779b97f4a7c15);\n");
    run_fields(e, p, to);
    if (loss) {
        text_addf(to, "    %s mean = 0;\n", value_type(e, loss));
        if (given_by_pointer(e, loss)) text_addf(to, "    run.%s = &mean;\n", c_name(e->plan, loss));
    }
    text_addf(to, "    run_%s(&run);\n", p->name);
    if (trains && !adds) text_add(to, "    m->iteration++;\n");
    if (loss && !given_by_pointer(e, loss)) output_copy(e, loss, NULL, "&mean", to);
    text_add(to, loss ? "    if (loss) *loss = (double)mean;\n" : "    if (loss) *loss = 0;\n");
    template_add(e, to, "    return @P_OK;\n}\n");
}

static void call_apply(const Emission *e, Text *to)
{
    text_addf(to, "int %s_apply(%s *m) {\n", e->prefix, e->prefix);
    template_add(e, to,
        "    if (!m) return @P_NULL;\n"
        "    if (m->ready != READY) return @P_ORDER;\n"
        "    if (m->bytes < @P_TRAIN_BYTES) return @P_MEMORY_SHORT;\n"
        "    if (m->passes < PASSES || !(accumulated(m) >= 1)) return @P_ORDER;\n"
        "    const struct run run = run_of(m, 1, (uint64_t)m->iteration + 1);\n"
        "    run_apply(&run);\n"
        "    m->iteration++;\n"
        "    return @P_OK;\n}\n");
}

static void accumulated_text(const Emission *e, Text *to)
{
    text_addf(to, "/* Samples since the last apply; of an instance that trains. */\n"
        "static double accumulated(const %s *m) {\n    return element_read(&places[%d], m->memory + places[%d].offset);\n}\n\n",
        e->prefix, kept_number(e, e->model->accumulated), kept_number(e, e->model->accumulated));
}

static void call_predict(const Emission *e, Text *to)
{
    const Model *m = e->model;
    Fields f = program_fields(e, m->predict);
    template_add(e, to, "int @p_predict(@p *m, ");
    fields_parameters(e, &f, to);
    text_add(to, "int n");
    for (int i = 0; i < e->outputs->count; i++)
        text_addf(to, ", %s *%s", element_type(e, e->outputs->at[i].value), output_name(e, i));
    text_add(to, ") {\n    if (!m");
    for (int i = 0; i < e->outputs->count; i++) text_addf(to, " || !%s", output_name(e, i));
    template_add(e, to, ") return @P_NULL;\n");
    batch_checks(e, m->predict, to);
    text_add(to, "    struct run run = run_of(m, n, (uint64_t)m->iteration);\n");
    run_fields(e, m->predict, to);
    Text copies = {0};
    for (int i = 0; i < e->outputs->count; i++) {
        const Tensor *t = e->outputs->at[i].value;
        int first = output_first(e, i);
        if (t->role == ROLE_INPUT) output_copy(e, t, parameter_name(e, t), output_name(e, i), &copies);
        else if (first < i) output_copy(e, t, output_name(e, first), output_name(e, i), &copies);
        else if (!given_by_pointer(e, t)) output_copy(e, t, NULL, output_name(e, i), &copies);
        else text_addf(to, "    run.%s = %s;\n", c_name(e->plan, t), output_name(e, i));
    }
    text_addf(to, "    run_%s(&run);\n%s", m->predict->name, text_string(&copies));
    template_add(e, to, "    return @P_OK;\n}\n");
}

static void call_measure(const Emission *e, Text *to)
{
    const Model *m = e->model;
    if (!m->measure.count) return;
    Fields f = program_fields(e, m->measure.at[0]);
    template_add(e, to, "int @p_measure(@p *m, int pass, ");
    fields_parameters(e, &f, to);
    template_add(e, to, "int n) {\n    if (!m) return @P_NULL;\n    if (pass < 0 || pass >= PASSES) return @P_NUMBER;\n");
    batch_checks(e, m->measure.at[0], to);
    template_add(e, to, "    if (m->bytes < @P_TRAIN_BYTES) return @P_MEMORY_SHORT;\n"
                        "    if (pass != m->passes) return @P_ORDER;\n"
                        "    struct run run = run_of(m, n, (uint64_t)m->iteration);\n");
    run_fields(e, m->measure.at[0], to);
    for (int i = 0; i < m->measure.count; i++)
        text_addf(to, "    if (pass == %d) run_%s(&run);\n", i, m->measure.at[i]->name);
    template_add(e, to, "    return @P_OK;\n}\n"
        "int @p_settle(@p *m) {\n    if (!m) return @P_NULL;\n    if (m->ready != READY || m->passes >= PASSES) return @P_ORDER;\n"
        "    if (m->bytes < @P_TRAIN_BYTES) return @P_MEMORY_SHORT;\n");
    if (m->settle)
        text_addf(to, "    const struct run run = run_of(m, 1, (uint64_t)m->iteration);\n    run_%s(&run);\n", m->settle->name);
    template_add(e, to, "    m->passes++;\n    return @P_OK;\n}\n");
}

static bool program_adds_to(const Program *p, const Tensor *t)
{
    if (!p) return false;
    for (int i = 0; i < p->updates.count; i++) if (p->updates.at[i].state == t) return true;
    return false;
}

static void call_report(const Emission *e, Text *to)
{
    const Model *m = e->model;
    bool all_there = true;
    if (!m->report) return;
    template_add(e, to, "int @p_reset(@p *m) {\n    if (!m) return @P_NULL;\n    if (m->ready != READY) return @P_ORDER;\n");
    for (int i = 0; i < m->totals.count; i++) {
        const Storage *s = plan_storage(e->plan, m->totals.at[i]);
        if (program_adds_to(m->step, m->totals.at[i]) || program_adds_to(m->evaluate, m->totals.at[i]))
            text_addf(to, "    %smemset(m->memory + %" PRId64 ", 0, %" PRId64 ");        /* %s */\n",
                      kept_in_inference(e, m->totals.at[i]) ? "" : "if (m->bytes == WHOLE_BYTES) ", s->offset, s->bytes,
                      c_name(e->plan, m->totals.at[i]));
        all_there &= kept_in_inference(e, m->totals.at[i]);
    }
    template_add(e, to, "    return @P_OK;\n}\n"
        "int @p_report(@p *m, double *values) {\n    if (!m || !values) return @P_NULL;\n    if (m->ready != READY) return @P_ORDER;\n");
    if (!all_there) template_add(e, to, "    if (m->bytes < WHOLE_BYTES) return @P_MEMORY_SHORT;\n");
    template_add(e, to, "    struct run run = run_of(m, 1, (uint64_t)m->iteration);\n");
    Text copies = {0};
    int64_t at = 0;
    for (int i = 0; i < m->report->outputs.count; i++) {
        const Tensor *t = m->report->outputs.at[i].value;
        const char *where = format("values + %" PRId64, at);
        if (given_by_pointer(e, t)) text_addf(to, "    run.%s = %s;\n", c_name(e->plan, t), where);
        else output_copy(e, t, NULL, where, &copies);
        at += tensor_size(t);
    }
    if (at != metric_values(m)) bug("report gives %d values, the metrics are %d", (int)at, metric_values(m));
    text_addf(to, "    run_%s(&run);\n%s", m->report->name, text_string(&copies));
    template_add(e, to, "    return @P_OK;\n}\n");
}

/* ---- init, settings, tensors, state ------------------------------------------------------------------------------ */
static void call_init(const Emission *e, Text *to)
{
    const Model *m = e->model;
    template_add(e, to,
        "int @p_init(@p *m, void *memory, size_t bytes, uint64_t seed) {\n"
        "    if (!m || !memory) return @P_NULL;\n"
        "    if (bytes < @P_INFER_BYTES) return @P_MEMORY_SHORT;\n"
        "    if ((uintptr_t)memory % @P_ALIGN) return @P_MEMORY_ALIGN;\n"
        "    memset(m, 0, sizeof *m);\n"
        "    m->memory = (unsigned char *)memory;\n"
        "    m->bytes = bytes < WHOLE_BYTES ? @P_INFER_BYTES : WHOLE_BYTES;\n"
        "    m->seed = seed;\n"
        "    memset(memory, 0, m->bytes);\n");
    for (int i = 0; i < m->settings.count; i++)
        text_addf(to, "    m->setting[%d] = %s;        /* %s */\n", i, double_text(m->settings.at[i]->data[0]), c_name(e->plan, m->settings.at[i]));
    if (m->initialize && e->trains)
        text_addf(to, "    if (m->bytes == WHOLE_BYTES) {\n        const struct run run = run_of(m, 1, 0);\n        run_%s(&run);\n    }\n",
                  m->initialize->name);
    if (waits_for_weights(e))
        text_addf(to, "    %sm->passes = -1;        /* no weights yet */\n", e->trains ? "if (m->bytes < WHOLE_BYTES) " : "");
    if (e->weights)
        template_add(e, to,
            "    for (int t = 0; t < @P_TENSORS; t++)\n"
            "        for (size_t i = 0; weights[t] && i < places[t].count; i++)\n"
            "            element_write(&places[t], m->memory + element_at(&places[t], i), (double)weights[t][i]);\n"
            "    m->passes = PASSES;\n");
    template_add(e, to, "    m->ready = READY;\n    return @P_OK;\n}\n");
}

static void call_set(const Emission *e, const char *call, const char *array, int count, Text *to)
{
    if (!count) return;
    text_addf(to, "int %s_%s(%s *m, int %s, double value) {\n", e->prefix, call, e->prefix, array);
    template_add(e, to, "    if (!m) return @P_NULL;\n    if (m->ready != READY) return @P_ORDER;\n");
    text_addf(to, "    if (%s < 0 || %s >= %d) return %s_NUMBER;\n", array, array, count, e->upper);
    text_addf(to, "    if (value - value != 0) return %s_VALUE;\n    m->%s[%s] = value;\n    return %s_OK;\n}\n",
              e->upper, array, array, e->upper);
}

static const char *const access_calls =
    "const @p_tensor *@p_tensors(int *count) {\n"
    "    if (count) *count = @P_TENSORS;\n"
    "    return tensors;\n"
    "}\n"
    "static int tensor_check(const @p *m, int tensor, const void *values) {\n"
    "    if (!m || !values) return @P_NULL;\n"
    "    if (m->ready != READY) return @P_ORDER;\n"
    "    if (tensor < 0 || tensor >= @P_TENSORS) return @P_NUMBER;\n"
    "    return is_there(m, &places[tensor]) ? @P_OK : @P_MEMORY_SHORT;\n"
    "}\n"
    "int @p_get(const @p *m, int tensor, @r *values) {\n"
    "    const int status = tensor_check(m, tensor, values);\n"
    "    if (status) return status;\n"
    "    const place *p = &places[tensor];\n"
    "    for (size_t i = 0; i < p->count; i++) values[i] = (@r)element_read(p, m->memory + element_at(p, i));\n"
    "    return @P_OK;\n"
    "}\n"
    "int @p_put(@p *m, int tensor, const @r *values) {\n"
    "    const int status = tensor_check(m, tensor, values);\n"
    "    if (status) return status;\n"
    "    const place *p = &places[tensor];\n"
    "    for (size_t i = 0; i < p->count; i++) if (!element_takes(p, (double)values[i])) return @P_VALUE;\n"
    "    for (size_t i = 0; i < p->count; i++) element_write(p, m->memory + element_at(p, i), (double)values[i]);\n"
    "    if (m->passes < 0) m->passes = 0;\n"
    "    return @P_OK;\n"
    "}\n"
    "int @p_set_iteration(@p *m, int64_t iteration, uint64_t seed) {\n"
    "    if (!m) return @P_NULL;\n"
    "    if (m->ready != READY) return @P_ORDER;\n"
    "    if (iteration < 0 || iteration > INT64_MAX / 2) return @P_VALUE;\n"
    "    m->iteration = iteration;\n"
    "    m->seed = seed;\n"
    "    if (iteration > 0 && m->passes >= 0) m->passes = PASSES;         /* a run that goes on: its statistics are among the tensors */\n"
    "    return @P_OK;\n"
    "}\n\n";

static const char *const state_calls =
    "/* ---- a state: \"DLNSTATE\", version, byte order, model, seed, iteration, passes; settings, clocks; each tensor row\n"
    " *      after row; a checksum of all before it ---- */\n"
    "static unsigned char *put_bytes(unsigned char *at, const void *from, size_t n) { memcpy(at, from, n); return at + n; }\n"
    "static const unsigned char *get_bytes(const unsigned char *at, void *into, size_t n) { memcpy(into, at, n); return at + n; }\n"
    "static uint64_t checksum(const unsigned char *at, size_t n) {\n"
    "    uint64_t h = UINT64_C(14695981039346656037);\n"
    "    for (size_t i = 0; i < n; i++) h = (h ^ at[i]) * UINT64_C(1099511628211);\n"
    "    return h;\n"
    "}\n"
    "static int has_magic(const unsigned char *at) {\n"
    "    for (int i = 0; i < 8; i++) if (at[i] != (unsigned char)\"DLNSTATE\"[i]) return 0;\n"
    "    return 1;\n"
    "}\n"
    "int @p_export_state(const @p *m, void *state, size_t bytes) {\n"
    "    const uint32_t format[2] = {1, 0x01020304};\n"
    "    const uint64_t model = FINGERPRINT;\n"
    "    unsigned char *at = (unsigned char *)state;\n"
    "    if (!m || !state) return @P_NULL;\n"
    "    if (m->ready != READY) return @P_ORDER;\n"
    "    if (bytes < @P_STATE_BYTES || m->bytes < WHOLE_BYTES) return @P_MEMORY_SHORT;\n"
    "    if (m->passes < 0) return @P_ORDER;\n"
    "    const int64_t passes = m->passes;\n"
    "    at = put_bytes(at, \"DLNSTATE\", 8);\n"
    "    at = put_bytes(at, format, 8);\n"
    "    at = put_bytes(at, &model, 8);\n"
    "    at = put_bytes(at, &m->seed, 8);\n"
    "    at = put_bytes(at, &m->iteration, 8);\n"
    "    at = put_bytes(at, &passes, 8);\n"
    "#S\n"
    "    for (int t = 0; t < @P_TENSORS; t++)\n"
    "        for (size_t i = 0; i < places[t].count; i++)\n"
    "            at = put_bytes(at, m->memory + element_at(&places[t], i), element_bytes(&places[t]));\n"
    "    const uint64_t sum = checksum((const unsigned char *)state, @P_STATE_BYTES - 8);\n"
    "    put_bytes(at, &sum, 8);\n"
    "    return @P_OK;\n"
    "}\n"
    "/* Nothing of m changes unless the whole state is right. */\n"
    "int @p_import_state(@p *m, const void *state, size_t bytes) {\n"
    "    uint32_t format[2];\n"
    "    uint64_t model, seed, sum;\n"
    "    int64_t iteration, passes;\n"
    "    double number;\n"
    "    const unsigned char *at = (const unsigned char *)state;\n"
    "    if (!m || !state) return @P_NULL;\n"
    "    if (m->ready != READY) return @P_ORDER;\n"
    "    if (bytes != @P_STATE_BYTES) return @P_STATE;\n"
    "    memcpy(&sum, at + @P_STATE_BYTES - 8, 8);\n"
    "    if (!has_magic(at) || sum != checksum(at, @P_STATE_BYTES - 8)) return @P_STATE;\n"
    "    at = get_bytes(at + 8, format, 8);\n"
    "    at = get_bytes(at, &model, 8);\n"
    "    at = get_bytes(at, &seed, 8);\n"
    "    at = get_bytes(at, &iteration, 8);\n"
    "    at = get_bytes(at, &passes, 8);\n"
    "    if (format[0] != 1 || format[1] != 0x01020304 || model != FINGERPRINT) return @P_STATE;\n"
    "    if (iteration < 0 || iteration > INT64_MAX / 2 || passes < 0 || passes > PASSES) return @P_STATE;\n"
    "    const unsigned char *const numbers = at;\n"
    "    for (int i = 0; i < SETTINGS; i++) {\n"
    "        at = get_bytes(at, &number, 8);\n"
    "        if (number - number != 0) return @P_STATE;\n"
    "    }\n"
    "    const unsigned char *const values = at;\n"
    "    for (int t = 0; t < @P_TENSORS; t++)\n"
    "        for (size_t i = 0; i < places[t].count; i++, at += element_bytes(&places[t]))\n"
    "            if (!element_takes(&places[t], element_read(&places[t], at))) return @P_STATE;\n"
    "    m->seed = seed;\n"
    "    m->iteration = iteration;\n"
    "    m->passes = (int32_t)passes;\n"
    "    at = numbers;\n"
    "#G\n"
    "    at = values;\n"
    "    for (int t = 0; t < @P_TENSORS; t++)\n"
    "        for (size_t i = 0; i < places[t].count; i++, at += element_bytes(&places[t]))\n"
    "            if (is_there(m, &places[t])) put_bytes(m->memory + element_at(&places[t], i), at, element_bytes(&places[t]));\n"
    "    return @P_OK;\n"
    "}\n\n";

/* The template with the lines for settings and clocks, which a model may lack, in place of #S and #G. */
static void state_text(const Emission *e, Text *to)
{
    const Model *m = e->model;
    const char *put = strstr(state_calls, "#S\n"), *get = strstr(state_calls, "#G\n");
    template_add(e, to, format("%.*s", (int)(put - state_calls), state_calls));
    if (m->settings.count) text_add(to, "    at = put_bytes(at, m->setting, sizeof m->setting);\n");
    if (m->clocks.count) text_add(to, "    at = put_bytes(at, m->clock, sizeof m->clock);\n");
    template_add(e, to, format("%.*s", (int)(get - put - 3), put + 3));
    if (m->settings.count) text_add(to, "    at = get_bytes(at, m->setting, sizeof m->setting);\n");
    if (m->clocks.count) text_add(to, "    get_bytes(at, m->clock, sizeof m->clock);\n");
    template_add(e, to, get + 3);
}

static const char *const strerror_call =
    "const char *@p_strerror(int status) {\n"
    "    switch (status) {\n"
    "    case @P_OK: return \"no error\";\n"
    "    case @P_NULL: return \"a pointer is NULL\";\n"
    "    case @P_MEMORY_SHORT: return \"the memory is too small for this\";\n"
    "    case @P_MEMORY_ALIGN: return \"the memory is not aligned\";\n"
    "    case @P_ORDER: return \"called too early: first init, then weights or the passes over the training data#A\";\n"
    "    case @P_SAMPLES: return \"the number of samples is not in 1 .. batch\";\n"
    "    case @P_RANGE: return \"a label or an index in the batch is outside of its range\";\n"
    "    case @P_NUMBER: return \"there is no such tensor, setting, clock or pass\";\n"
    "    case @P_VALUE: return \"a value is not finite, or is not allowed\";\n"
    "    case @P_STATE: return \"not a state of this model, or damaged\";\n"
    "    default: return \"no status of this model\";\n"
    "    }\n"
    "}\n\n";

void api_text(const Emission *e, Text *to)
{
    const Model *m = e->model;
    Text calls = {0};
    bool ranges = false;
    if (m->step) call_with_loss(e, m->step, &calls);
    if (m->accumulate) call_with_loss(e, m->accumulate, &calls);
    if (m->apply) call_apply(e, &calls);
    if (m->evaluate) call_with_loss(e, m->evaluate, &calls);
    if (m->predict) call_predict(e, &calls);
    const Program *p[] = { m->step, m->evaluate, m->predict, m->measure.count ? m->measure.at[0] : NULL };
    for (int i = 0; i < 4; i++) ranges |= p[i] && field_ranges(p[i]).count;

    kept_tables(e, to);
    text_addf(to, "enum { READY = 0x%08x, PASSES = %d, SETTINGS = %d };\n", (unsigned)(fingerprint(e) >> 33) | 1,
              m->measure.count, m->settings.count + m->clocks.count);
    text_addf(to, "#define FINGERPRINT UINT64_C(0x%016" PRIx64 ")\n", fingerprint(e));
    template_add(e, to, e->trains ? "#define WHOLE_BYTES ((size_t)@P_TRAIN_BYTES)\n" : "#define WHOLE_BYTES ((size_t)@P_INFER_BYTES)\n");
    template_add(e, to, element_access);
    if (ranges) range_check(to);
    if (m->accumulate) accumulated_text(e, to);
    weights_text(e, to);
    text_add(to, "/* ---- the public calls ---- */\n");
    call_init(e, to);
    call_measure(e, to);
    text_add(to, text_string(&calls));
    call_report(e, to);
    call_set(e, "set", "setting", m->settings.count, to);
    call_set(e, "clock", "clock", m->clocks.count, to);
    template_add(e, to, access_calls);
    state_text(e, to);
    const char *order = strstr(strerror_call, "#A");            /* what else ORDER means with accumulate */
    template_add(e, to, format("%.*s%s%s", (int)(order - strerror_call), strerror_call, m->apply ? "; accumulate before apply" : "", order + 2));
}
