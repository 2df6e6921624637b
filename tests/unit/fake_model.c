/* fake_model.c: softmax regression, z = x w / scale + b, with momentum, standardised by the mean of its inputs (one
 * measuring pass). It keeps a parameter, a state, an optimizer tensor and a total of each kind, so that the host program
 * is tried on all of them. With -DFAKE_MAIN it is a program. */
#include <math.h>
#include <signal.h>
#include <string.h>
#include "fake_model.h"

enum { MOST_INPUTS = 1024, MOST_CLASSES = 16, BATCH = 128 };
enum { W, B, MEAN, W_V, B_V, T_LOSS, T_RIGHT, T_COUNT, TENSORS };
static int inputs, classes;
int64_t fake_fail_step, fake_signal_step;

typedef struct Fake {
    float *w, *b, mean, *wv, *bv; /* [inputs][classes], [classes] */
    double loss, right, count, lr, momentum, sum, sum_count;
    int64_t iteration;
} Fake;

static int fake_init(void *m, void *memory, size_t bytes, uint64_t seed)
{
    Fake *f = m;
    size_t n = (size_t)inputs * (size_t)classes;
    if (bytes < 2 * (n + (size_t)classes) * sizeof(float)) return 1;
    memset(memory, 0, bytes);
    *f = (Fake){ .w = memory, .lr = 0.1, .momentum = 0.9 };
    f->b = f->w + n;
    f->wv = f->b + classes;
    f->bv = f->wv + n;
    for (size_t i = 0; i < n; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        f->w[i] = ((float)(seed >> 40) / (float)(1 << 24) - 0.5f) * 0.01f;
    }
    return 0;
}

static int fake_measure(void *m, int pass, const void *const *fields, int n)
{
    Fake *f = m;
    const float *x = fields[0];
    (void)pass;
    for (int i = 0; i < n * inputs; i++) f->sum += (double)x[i];
    f->sum_count += n * inputs;
    return 0;
}

static int fake_settle(void *m)
{
    Fake *f = m;
    if (f->sum_count > 0) f->mean = (float)(f->sum / f->sum_count);
    return 0;
}

static float scaled(const Fake *f, float x) { return (x - f->mean) * (classes == 10 ? 1.0f / 255 : 0.2f); }

static void forward(const Fake *f, const float *x, float *p)
{
    float most = -INFINITY, sum = 0;
    for (int c = 0; c < classes; c++) p[c] = f->b[c];
    for (int i = 0; i < inputs; i++)
        for (int c = 0; c < classes; c++) p[c] += scaled(f, x[i]) * f->w[i * classes + c];
    for (int c = 0; c < classes; c++) most = fmaxf(most, p[c]);
    for (int c = 0; c < classes; c++) sum += p[c] = expf(p[c] - most);
    for (int c = 0; c < classes; c++) p[c] /= sum;
}

static double count_sample(Fake *f, const float *p, int label)
{
    int best = 0;
    for (int c = 1; c < classes; c++)
        if (p[c] > p[best]) best = c;
    double loss = -log(fmax((double)p[label], 1e-12));
    f->loss += loss;
    f->right += best == label;
    f->count += 1;
    return loss;
}

static int fake_evaluate(void *m, const void *const *fields, int n, double *loss)
{
    float p[MOST_CLASSES];
    *loss = 0;
    for (int s = 0; s < n; s++) {
        forward(m, (const float *)fields[0] + s * inputs, p);
        *loss += count_sample(m, p, ((const int32_t *)fields[1])[s]) / n;
    }
    return 0;
}

static int fake_step(void *m, const void *const *fields, int n, double *loss)
{
    static float dw[MOST_INPUTS * MOST_CLASSES], db[MOST_CLASSES];
    float p[MOST_CLASSES];
    Fake *f = m;
    memset(dw, 0, sizeof dw);
    memset(db, 0, sizeof db);
    *loss = 0;
    for (int s = 0; s < n; s++) {
        const float *x = (const float *)fields[0] + s * inputs;
        int label = ((const int32_t *)fields[1])[s];
        forward(f, x, p);
        *loss += count_sample(f, p, label) / n;
        p[label] -= 1;
        for (int c = 0; c < classes; c++) db[c] += p[c] / (float)n;
        for (int i = 0; i < inputs; i++)
            for (int c = 0; c < classes; c++) dw[i * classes + c] += scaled(f, x[i]) * p[c] / (float)n;
    }
    for (int i = 0; i < inputs * classes; i++)
        f->w[i] += f->wv[i] = (float)f->momentum * f->wv[i] - (float)f->lr * dw[i];
    for (int c = 0; c < classes; c++) f->b[c] += f->bv[c] = (float)f->momentum * f->bv[c] - (float)f->lr * db[c];
    if (f->iteration + 1 == fake_signal_step) raise(SIGINT);
    if (++f->iteration == fake_fail_step) *loss = (double)(f->w[3] = NAN);
    return 0;
}

static int fake_predict(void *m, const void *const *fields, int n, void *const *outputs)
{
    for (int s = 0; s < n; s++) forward(m, (const float *)fields[0] + s * inputs, (float *)outputs[0] + s * classes);
    return 0;
}

static int fake_reset(void *m)
{
    Fake *f = m;
    f->loss = f->right = f->count = 0;
    return 0;
}

static int fake_report(void *m, double *values)
{
    Fake *f = m;
    values[0] = f->loss / f->count;
    values[1] = f->right / f->count;
    return 0;
}

static int fake_set_setting(void *m, int setting, double value)
{
    if (!(value >= 0)) return 2;
    *(setting ? &((Fake *)m)->momentum : &((Fake *)m)->lr) = value;
    return 0;
}

static int fake_set_clock(void *m, int clock, double value)
{
    (void)m;
    (void)clock;
    (void)value;
    return 0;
}

static int fake_move(Fake *f, int tensor, float *to, const float *from)
{
    size_t n = (size_t)inputs * (size_t)classes, c = (size_t)classes;
    float *vector[] = { [W] = f->w, [B] = f->b, [MEAN] = &f->mean, [W_V] = f->wv, [B_V] = f->bv };
    size_t length[] = { [W] = n, [B] = c, [MEAN] = 1, [W_V] = n, [B_V] = c };
    double *total[] = { [T_LOSS] = &f->loss, [T_RIGHT] = &f->right, [T_COUNT] = &f->count };
    if (tensor >= T_LOSS && to)
        *to = (float)*total[tensor];
    else if (tensor >= T_LOSS)
        *total[tensor] = (double)*from;
    else if (to)
        memcpy(to, vector[tensor], length[tensor] * sizeof *to);
    else if (from)
        memcpy(vector[tensor], from, length[tensor] * sizeof *from);
    return 0;
}

static int fake_get(const void *m, int tensor, void *values)
{
    return fake_move((Fake *)(uintptr_t)m, tensor, values, NULL);
}
static int fake_put(void *m, int tensor, const void *values) { return fake_move(m, tensor, NULL, values); }
static int64_t fake_iteration(const void *m) { return ((const Fake *)m)->iteration; }
static int fake_set_iteration(void *m, int64_t i, uint64_t seed)
{
    (void)seed;
    ((Fake *)m)->iteration = i;
    return 0;
}

static const char *fake_strerror(int status)
{
    return status == 0 ? "done" : status == 1 ? "the memory is too small" : "the value is out of range";
}

dln_model *fake_model(const char *input, int count, int labels)
{
    static dln_field field[2];
    static dln_output output = { .name = "output", .rank = 1 };
    static dln_tensor tensor[TENSORS];
    static const char *const name[TENSORS] = { "dense.w",   "dense.b",  "normalize.mean", "dense.w.v",
                                               "dense.b.v", "loss.sum", "accuracy.sum",   "count" };
    static const dln_setting setting[] = { { "lr", 0.1, 0 }, { "momentum", 0.9, 0 }, { "nesterov", 0, 1 } };
    static const dln_metric metric[] = { { "loss", 1 }, { "accuracy", 1 } };
    static const char *const clock[] = { "epoch", "epoch_end", "val_loss" };
    static dln_model m;
    int side = (int)lround(sqrt(count));
    inputs = count;
    classes = labels;
    field[0] = (dln_field){ .name = input, .type = DLN_FLOAT, .rank = 1, .extent = { count } };
    if (side * side == count && side > 4)
        field[0] = (dln_field){ .name = input, .type = DLN_FLOAT, .rank = 3, .extent = { side, side, 1 } };
    field[1] = (dln_field){ .name = "label", .type = DLN_INT, .is_target = 1, .classes = labels };
    output.extent[0] = labels;
    for (int i = 0; i < TENSORS; i++)
        tensor[i] = (dln_tensor){ .name = name[i],
                                  .line = "fake.dln:3",
                                  .kind = i >= T_LOSS ? DLN_TOTAL
                                          : i >= W_V  ? DLN_OPTIMIZER
                                          : i == MEAN ? DLN_STATE
                                                      : DLN_PARAM };
    for (int i = W; i <= W_V; i += W_V - W) {
        tensor[i].rank = 2;
        tensor[i].extent[0] = count;
        tensor[i].extent[1] = labels;
    }
    for (int i = B; i <= B_V; i += B_V - B) {
        tensor[i].rank = 1;
        tensor[i].extent[0] = labels;
    }
    m = (dln_model){ .abi = DLN_ABI,
                     .name = "fake",
                     .source = "fake.dln",
                     .sha256 = "0f",
                     .version = "test",
                     .options = "",
                     .real_bytes = 4,
                     .batch = BATCH,
                     .epochs = 2,
                     .object_bytes = sizeof(Fake),
                     .align = 64,
                     .train_bytes = 2 * ((size_t)count + 1) * (size_t)labels * sizeof(float),
                     .fields = 2,
                     .field = field,
                     .outputs = 1,
                     .output = &output,
                     .tensors = TENSORS,
                     .tensor = tensor,
                     .settings = 3,
                     .setting = setting,
                     .clocks = 3,
                     .clock = clock,
                     .metrics = 2,
                     .metric = metric,
                     .passes = 1,
                     .init = fake_init,
                     .measure = fake_measure,
                     .settle = fake_settle,
                     .step = fake_step,
                     .evaluate = fake_evaluate,
                     .predict = fake_predict,
                     .reset = fake_reset,
                     .report = fake_report,
                     .set_setting = fake_set_setting,
                     .set_clock = fake_set_clock,
                     .get = fake_get,
                     .put = fake_put,
                     .iteration = fake_iteration,
                     .set_iteration = fake_set_iteration,
                     .strerror = fake_strerror };
    m.infer_bytes = m.train_bytes;
    return &m;
}

dln_model *fake_mnist(void)
{
    static const dln_value train_files[] = {
        { .kind = DLN_STRING, .key = "image", .text = "train-images-idx3-ubyte" },
        { .kind = DLN_STRING, .key = "label", .text = "train-labels-idx1-ubyte" }
    };
    static const dln_value test_files[] = { { .kind = DLN_STRING, .key = "image", .text = "t10k-images-idx3-ubyte" },
                                            { .kind = DLN_STRING, .key = "label", .text = "t10k-labels-idx1-ubyte" } };
    static const dln_value data[] = {
        { .kind = DLN_CALL, .key = "train", .text = "idx", .count = 2, .items = train_files },
        { .kind = DLN_CALL, .key = "test", .text = "idx", .count = 2, .items = test_files }
    };
    static const dln_value metric[] = { { .kind = DLN_WORD, .text = "val_accuracy" } };
    static const dln_value train[] = {
        { .kind = DLN_WORD, .key = "validate", .text = "test" },
        { .kind = DLN_CALL, .key = "checkpoint", .text = "best", .count = 1, .items = metric }
    };
    dln_model *m = fake_model("image", 784, 10);
    m->data_values = 2;
    m->data = data;
    m->train_values = 2;
    m->train = train;
    return m;
}

#ifdef FAKE_MAIN
int main(int argc, char **argv) { return dln_main(argc, argv, fake_mnist()); }
#endif
