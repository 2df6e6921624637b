/* test_host_sources.c: weights = safetensors(..) of layers: which tensors of a file go where, PyTorch's order of axes, and
 * what is said of files that do not fit. The model keeps dense.w [4, 3] and dense.b [3], among others. */
#include <math.h>
#include "host/run.h"
#include "unit/fake_model.c"
#include "unit/host_test.h"

TestSuite(sources, .init = folder_make, .fini = folder_remove);

enum { INPUTS_HERE = 4, CLASSES_HERE = 3, WEIGHTS_HERE = 12 };

/* ---- files ---- */

static float weight[WEIGHTS_HERE];               /* as PyTorch has it, [3, 4]: place o * 4 + i holds 10 i + o */
static const float bias[CLASSES_HERE] = { 7, 8, 9 };
static const double total = 5;

static bool file_values(void *context, int i, const void **values, Problem *p)
{
    const StoredTensor *t = context;
    (void)p;
    *values = t[i].twice ? (const void *)&total : t[i].rank == 2 ? (const void *)weight : (const void *)bias;
    return true;
}

static void file_write(const char *name, const StoredTensor *t, int count)
{
    Problem p = { 0 };
    for (int o = 0; o < CLASSES_HERE; o++)
        for (int i = 0; i < INPUTS_HERE; i++) weight[o * INPUTS_HERE + i] = (float)(10 * i + o);
    cr_assert(stored_write(in_folder(name), count, t, 0, NULL, file_values, (void *)(uintptr_t)t, &p), "%s", p.text);
}

static const StoredTensor torch_names[] = { { .name = "weight", .rank = 2, .extent = { 3, 4 } },
                                            { .name = "bias", .rank = 1, .extent = { 3 } } };

/* A file whose header is given as text, with `bytes` of values. */
static void file_raw(const char *name, const char *header, const void *values, size_t bytes)
{
    unsigned char file[2048] = { 0 };
    size_t length = strlen(header);
    cr_assert(8 + length + bytes <= sizeof file);
    file[0] = (unsigned char)length;
    file[1] = (unsigned char)(length >> 8);
    memcpy(file + 8, header, length);
    memcpy(file + 8 + length, values, bytes);
    file_make(name, file, 8 + length + bytes);
}

/* ---- the model ---- */

static size_t turned(size_t element) { return element % CLASSES_HERE * INPUTS_HERE + element / CLASSES_HERE; }
static size_t all_at_once(size_t element) { return element ? 1 : 0; }
static dln_value items[4], source;
static const dln_foreign foreign[] = { { W, "dense.weight", 2, { 3, 4 }, turned }, { B, "dense.bias", 1, { 3 }, NULL } };

/* weights = safetensors("w", ITEMS) of the layer dense */
static dln_model *model_from(int count, const dln_value *more)
{
    dln_model *m = fake_model("x", INPUTS_HERE, CLASSES_HERE);
    items[0] = (dln_value){ .kind = DLN_STRING, .text = "w" };
    for (int i = 0; i < count; i++) items[i + 1] = more[i];
    source = (dln_value){ .kind = DLN_CALL, .key = "dense", .text = "safetensors", .count = count + 1, .items = items };
    m->sources = 1;
    m->source_of = &source;
    m->foreigns = 2;
    m->foreign = foreign;
    return m;
}

static const dln_value torch_layout = { .kind = DLN_WORD, .key = "layout", .text = "torch" };

static bool load(Run *r, const dln_model *m, Problem *p)
{
    *r = (Run){ .options = { .quiet = true, .folder = folder } };
    *p = (Problem){ 0 };
    r->options.setting = memory_new(3, sizeof(double), p);
    for (int i = 0; i < 3; i++) r->options.setting[i] = (double)NAN;
    cr_assert(run_begin(r, m, p) && run_init(r, 1, p), "%s", p->text);
    return sources_load(r, SOURCES_ALL, p);
}

static void expect_values(const Run *r)
{
    float w[WEIGHTS_HERE], b[CLASSES_HERE];
    cr_assert(!r->model->get(r->object, W, w) && !r->model->get(r->object, B, b));
    for (int i = 0; i < INPUTS_HERE; i++)
        for (int o = 0; o < CLASSES_HERE; o++) cr_assert(w[i * CLASSES_HERE + o] == (float)(10 * i + o));
    cr_assert(!memcmp(b, bias, sizeof b));
}

/* The load fails with these words, and nothing has changed. */
static void expect_refusal(const dln_model *m, int code, const char *words)
{
    Run r;
    Problem p;
    float fresh[WEIGHTS_HERE], after[WEIGHTS_HERE];
    Run untouched = { .options = { .quiet = true } };
    untouched.options.setting = memory_new(3, sizeof(double), &p);
    for (int i = 0; i < 3; i++) untouched.options.setting[i] = (double)NAN;
    cr_assert(run_begin(&untouched, m, &p) && run_init(&untouched, 1, &p));
    m->get(untouched.object, W, fresh);
    cr_assert(!load(&r, m, &p), "it was taken; expected '%s'", words);
    EXPECT_PROBLEM(p, code, words);
    m->get(r.object, W, after);
    cr_assert(!memcmp(fresh, after, sizeof fresh));
    run_end(&r);
    run_end(&untouched);
}

/* ---- tests ---- */

Test(sources, the_order_of_axes_of_pytorch)
{
    Run r;
    Problem p;
    file_write("w", torch_names, 2);
    cr_assert(load(&r, model_from(1, &torch_layout), &p), "%s", p.text);
    expect_values(&r);
    run_end(&r);
}

Test(sources, an_average_begins_as_its_parameter)
{
    Run r;
    Problem p;
    float w[WEIGHTS_HERE], average[WEIGHTS_HERE];
    dln_tensor tensor[TENSORS];
    dln_model *m = model_from(1, &torch_layout);
    memcpy(tensor, m->tensor, sizeof tensor);
    tensor[W_V].name = "average.dense.w";
    tensor[W_V].kind = DLN_STATE;
    m->tensor = tensor;
    file_write("w", torch_names, 2);
    cr_assert(load(&r, m, &p), "%s", p.text);
    m->get(r.object, W, w);
    m->get(r.object, W_V, average);
    cr_assert(!memcmp(w, average, sizeof w));
    run_end(&r);
}

Test(sources, exported_for_pytorch_and_loaded_again)
{
    Run r, again;
    Problem p;
    const dln_value more[] = { torch_layout, { .kind = DLN_STRING, .key = "prefix", .text = "dense" } };
    file_write("w", torch_names, 2);
    cr_assert(load(&r, model_from(1, &torch_layout), &p), "%s", p.text);
    cr_assert(checkpoint_save(&r, in_folder("w"), NULL, 0, KEEP_WEIGHTS_TORCH, &p), "%s", p.text);
    StoredFile f;
    cr_assert(stored_open(&f, in_folder("w"), &p), "%s", p.text);
    const StoredTensor *t = stored_find(&f, "dense.weight");
    float there[WEIGHTS_HERE];
    cr_assert(t && t->rank == 2 && t->extent[0] == 3 && stored_values(&f, t, false, there, &p));
    cr_assert(!memcmp(there, weight, sizeof there) && stored_find(&f, "normalize.mean"));
    stored_close(&f);
    cr_assert(load(&again, model_from(2, more), &p), "%s", p.text);
    expect_values(&again);
    run_end(&r);
    run_end(&again);
}

Test(sources, what_is_dropped_keeps_its_initial_value)
{
    Run r;
    Problem p;
    float b[CLASSES_HERE];
    const dln_value more[] = { torch_layout, { .kind = DLN_STRING, .key = "drop", .text = "b*" } };
    const dln_value nothing[] = { torch_layout, { .kind = DLN_STRING, .key = "drop", .text = "fc.*" } };
    file_write("w", torch_names, 2);
    cr_assert(load(&r, model_from(2, more), &p), "%s", p.text);
    r.model->get(r.object, B, b);
    cr_assert(b[0] == 0 && b[2] == 0);
    run_end(&r);
    expect_refusal(model_from(2, nothing), EXIT_INPUT, "drop = \"fc.*\" is no tensor of");
}

Test(sources, tables_of_what_does_not_fit)
{
    StoredTensor t[3] = { torch_names[0], torch_names[1], { .name = "scale", .rank = 1, .extent = { 3 } } };
    file_write("w", t, 3);
    expect_refusal(model_from(1, &torch_layout), EXIT_INPUT, "scale                            not in the model");
    file_write("w", t, 1);
    expect_refusal(model_from(1, &torch_layout), EXIT_INPUT, "bias                             expected [3]");
    expect_refusal(model_from(1, &torch_layout), EXIT_INPUT, "1 of 2 tensors match: weight");
    t[0] = (StoredTensor){ .name = "weight", .rank = 2, .extent = { 4, 3 } };
    file_write("w", t, 2);
    expect_refusal(model_from(1, &torch_layout), EXIT_INPUT, "expected [3, 4]             in the file [4, 3]");
}

Test(sources, what_would_have_fitted)
{
    StoredTensor t[2] = { torch_names[0], torch_names[1] };
    file_write("w", t, 2);
    expect_refusal(model_from(0, NULL), EXIT_INPUT, "The file has the names of layout = torch");
    t[0].name = "net.fc.weight";
    t[1].name = "net.fc.bias";
    file_write("w", t, 2);
    expect_refusal(model_from(1, &torch_layout), EXIT_INPUT, "Is it prefix = \"net.fc\"?");
}

Test(sources, what_the_dln_says_is_read_strictly)
{
    dln_value v = { .kind = DLN_WORD, .key = "layot", .text = "torch" };
    file_write("w", torch_names, 2);
    expect_refusal(model_from(1, &v), EXIT_INPUT, "safetensors has no argument layot; did you mean layout?");
    v = (dln_value){ .kind = DLN_WORD, .key = "layout", .text = "keras" };
    expect_refusal(model_from(1, &v), EXIT_INPUT, "layout is torch or dln");
    v = (dln_value){ .kind = DLN_STRING, .text = "second" };
    expect_refusal(model_from(1, &v), EXIT_INPUT, "the name of one file");
    v = (dln_value){ .kind = DLN_NUMBER, .key = "prefix" };
    expect_refusal(model_from(1, &v), EXIT_INPUT, "prefix takes a string");
    v = (dln_value){ .kind = DLN_NUMBER, .key = "drop" };
    expect_refusal(model_from(1, &v), EXIT_INPUT, "drop takes names of tensors");
    dln_model *m = model_from(0, NULL);
    source.text = "npz";
    expect_refusal(m, EXIT_INPUT, "weights of dense: there is no reader npz");
    source.text = "safetensors";
    source.count = 0;
    expect_refusal(m, EXIT_INPUT, "needs the name of a file");
    m = model_from(0, NULL);
    items[0].text = "none";
    expect_refusal(m, EXIT_IO, "weights of dense: cannot find none in");
}

Test(sources, a_wrong_map_of_places_is_told)
{
    static const dln_foreign bad[] = { { W, "dense.weight", 2, { 3, 4 }, all_at_once }, { B, "dense.bias", 1, { 3 }, NULL } };
    dln_model *m = model_from(1, &torch_layout);
    m->foreign = bad;
    file_write("w", torch_names, 2);
    expect_refusal(m, EXIT_INPUT, "does not lead to places of its own in weight");
}

Test(sources, halves_and_counters)
{
    /* weight: 12 halves, 1.5 and then zeros, the last the smallest there is; bias: 3 brain floats; a counter */
    unsigned char bytes[24 + 6 + 8] = { 0x00, 0x3E };
    static const char header[] =
        "{\"weight\":{\"dtype\":\"F16\",\"shape\":[3,4],\"data_offsets\":[0,24]},\"bias\":{\"dtype\":\"BF16\",\"shape\":"
        "[3],\"data_offsets\":[24,30]},\"%s\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[30,38]}}";
    char text[400];
    float w[WEIGHTS_HERE], b[CLASSES_HERE];
    Run r;
    Problem p;
    bytes[22] = 1;                               /* 2^-24 */
    bytes[26] = 0x80, bytes[27] = 0xBF;          /* -1 */
    snprintf(text, sizeof text, header, "num_batches_tracked");
    file_raw("w", text, bytes, sizeof bytes);
    cr_assert(load(&r, model_from(1, &torch_layout), &p), "%s", p.text);
    r.model->get(r.object, W, w);
    r.model->get(r.object, B, b);
    cr_assert(w[0] == 1.5f && w[1] == 0 && w[11] == ldexpf(1, -24) && b[0] == 0 && b[1] == -1);
    run_end(&r);
    snprintf(text, sizeof text, header, "steps");
    file_raw("w", text, bytes, sizeof bytes);
    expect_refusal(model_from(1, &torch_layout), EXIT_INPUT, "steps                            not in the model");
    bytes[1] = 0x7C;                             /* infinity */
    snprintf(text, sizeof text, header, "num_batches_tracked");
    file_raw("w", text, bytes, sizeof bytes);
    expect_refusal(model_from(1, &torch_layout), EXIT_INPUT, "weight holds values that are not finite");
}

/* Statistics that came with a layer's weights are not measured again. */
Test(sources, totals_stay)
{
    static const StoredTensor t[] = { { .name = "sum", .twice = true } };
    Run r;
    Problem p;
    dln_tensor tensor[TENSORS];
    float sum;
    dln_model *m = model_from(0, NULL);
    memcpy(tensor, m->tensor, sizeof tensor);
    tensor[T_LOSS].name = "norm.sum";
    m->tensor = tensor;
    source.key = "norm";
    file_write("w", t, 1);
    r = (Run){ .options = { .quiet = true, .folder = folder } };
    r.options.setting = memory_new(3, sizeof(double), &p);
    for (int i = 0; i < 3; i++) r.options.setting[i] = (double)NAN;
    cr_assert(run_begin(&r, m, &p) && run_init(&r, 1, &p), "%s", p.text);
    r.measured[T_LOSS] = true;
    for (int i = 0; i < 2; i++) {
        cr_assert(m->put(r.object, T_LOSS, &(float){ 99 }) == 0);
        cr_assert(sources_load(&r, i ? SOURCES_TOTALS : SOURCES_ALL, &p), "%s", p.text);
        cr_assert(!m->get(r.object, T_LOSS, &sum) && sum == 5);
    }
    cr_assert(!sources_cover(&r));
    run_end(&r);
}

Test(sources, names_of_dln)
{
    StoredTensor t[2] = { { .name = "w", .rank = 2, .extent = { 4, 3 } }, { .name = "b", .rank = 1, .extent = { 3 } } };
    static const dln_value layout = { .kind = DLN_WORD, .key = "layout", .text = "dln" };
    Run r;
    Problem p;
    file_write("w", t, 2);
    cr_assert(load(&r, model_from(1, &layout), &p), "%s", p.text);
    run_end(&r);
    t[0].name = "dense.w";                       /* with the path of the layer too */
    t[1].name = "dense.b";
    file_write("w", t, 2);
    bool whole = load(&r, model_from(0, NULL), &p);
    cr_expect(whole || strstr(p.text, "does not fit dense (layout dln)"), "%s", p.text);
    run_end(&r);
    t[0] = torch_names[0];
    t[1] = torch_names[1];
    file_write("w", t, 2);
    expect_refusal(model_from(0, NULL), EXIT_INPUT, "The file has the names of layout = torch");
    t[0] = (StoredTensor){ .name = "w", .rank = 2, .extent = { 4, 3 } };
    t[1] = (StoredTensor){ .name = "b", .rank = 1, .extent = { 3 } };
    file_write("w", t, 2);
    expect_refusal(model_from(1, &torch_layout), EXIT_INPUT, "The file has the names of layout = dln");
}

Test(sources, arguments_of_the_wrong_kind)
{
    static const struct {
        dln_value value;
        const char *words;
    } cases[] = {
        { { .kind = DLN_STRING, .key = "layout", .text = "torch" }, "layout is torch or dln" },
        { { .kind = DLN_NUMBER, .key = "layout" }, "layout is torch or dln" },
        { { .kind = DLN_NUMBER, .number = 3 }, "the name of one file" },
        { { .kind = DLN_NUMBER, .key = "zzzzzzzzzzz" }, "it takes layout, prefix and drop" },
    };
    file_write("w", torch_names, 2);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) expect_refusal(model_from(1, &cases[i].value), EXIT_INPUT, cases[i].words);
    dln_model *m = model_from(0, NULL);
    source = (dln_value){ .kind = DLN_NUMBER, .key = "dense" };
    expect_refusal(m, EXIT_INPUT, "there is no reader of that kind");
    m = model_from(1, &torch_layout);
    char path[600];
    snprintf(path, sizeof path, "%s", in_folder("w"));
    items[0].text = path;                        /* a name from the root */
    Run r;
    Problem p;
    cr_assert(load(&r, m, &p), "%s", p.text);
    expect_values(&r);
    run_end(&r);
}

/* The innermost source is a tensor's; without a file of weights, sources for all of them stand in. */
Test(sources, several_of_them)
{
    static const dln_value one[] = { { .kind = DLN_STRING, .text = "w" }, { .kind = DLN_WORD, .key = "layout", .text = "torch" } };
    static const dln_value none[] = { { .kind = DLN_STRING, .text = "none" } };
    static const dln_value both[] = { { .kind = DLN_CALL, .key = "dense", .text = "safetensors", .count = 2, .items = one },
                                      { .kind = DLN_CALL, .key = "other", .text = "safetensors", .count = 1, .items = none } };
    dln_model *m = model_from(1, &torch_layout);
    dln_tensor tensor[TENSORS];
    Run r;
    Problem p;
    file_write("w", torch_names, 2);
    m->sources = 2;
    m->source_of = both;
    cr_assert(!load(&r, m, &p), "a source of nothing was taken");
    run_end(&r);
    m->sources = 1;
    cr_assert(load(&r, m, &p), "%s", p.text);
    run_end(&r);
    memcpy(tensor, m->tensor, sizeof tensor);    /* all weights lie under `dense` */
    tensor[MEAN].name = "dense.mean";
    tensor[MEAN].kind = DLN_OPTIMIZER;
    m->tensor = tensor;
    r = (Run){ .model = m, .options = { .quiet = true, .folder = folder } };
    r.options.setting = memory_new(3, sizeof(double), &p);
    for (int i = 0; i < 3; i++) r.options.setting[i] = (double)NAN;
    cr_assert(!chdir(folder) && run_begin(&r, m, &p) && trained_load(&r, &p), "%s", p.text);
    expect_values(&r);
    run_end(&r);
}
