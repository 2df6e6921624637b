/* stacks.c: models made of the library's layers, with random sizes, strides, paddings, groups; see generator.h. The
 * shape is kept track of, so that every layer fits what comes before it. */
#include "generator.h"
#include "check.h"
#include <string.h>

enum { MOST = 160 }; /* elements of a sample between layers */
typedef struct Stack {
    Generator *g;
    int rank, axis[3]; /* [h, w, c], [t, c] or [c] */
    Text text;
} Stack;

static int *channels(Stack *s) { return &s->axis[s->rank - 1]; }

static int size_of(const Stack *s)
{
    int size = 1;
    for (int a = 0; a < s->rank; a++) size *= s->axis[a];
    return size;
}

static const char *activation(Stack *s)
{
    return PICK(s->g, "", ", relu", ", tanh", ", sigmoid", ", elu", ", gelu", ", silu", ", softplus",
                ", leaky_relu(0.1)");
}

static void layer(Stack *s, const char *text) { text_addf(&s->text, "  %s\n", text); }

static int divisor_of(Stack *s, int n)
{
    int k = between(s->g, 1, n);
    while (n % k) k--;
    return k;
}

/* ---- windows: kernel, stride, padding, dilation of one axis, and how many there are ---- */
typedef struct Window {
    int kernel, stride, dilation, out;
} Window;

static int windows(int size, Window w, int pad, bool same)
{
    return same ? (size + w.stride - 1) / w.stride
                : (size + 2 * pad - ((w.kernel - 1) * w.dilation + 1)) / w.stride + 1;
}

static Window window_for(Stack *s, int size, int pad, bool same, int dilation)
{
    Window w = { .kernel = between(s->g, 1, 3), .stride = between(s->g, 1, 2), .dilation = dilation };
    while (w.kernel > 1 && (w.kernel - 1) * dilation + 1 > size + 2 * pad) w.kernel--;
    if (w.kernel <= pad) w.kernel = pad + 1;
    w.out = windows(size, w, pad, same);
    return w;
}

/* A convolution or pool: "kernel, stride = .., pad = .." in `args`; sets h and w. */
static const char *window_args(Stack *s, bool dilates, const char *between_args)
{
    const char *pad = PICK(s->g, "valid", "same", "0", "1");
    int width = pad[0] == '1', dilation = dilates && chance(s->g, 0.3) ? 2 : 1;
    Window h = window_for(s, s->axis[0], width, pad[0] == 's', dilation);
    Window w = window_for(s, s->axis[1], width, pad[0] == 's', dilation);
    s->axis[0] = h.out;
    s->axis[1] = w.out;
    return format("[%d, %d]%s, stride = [%d, %d], pad = %s%s", h.kernel, w.kernel, between_args, h.stride, w.stride,
                  pad, dilation == 2 ? ", dilation = 2" : "");
}

static void image_layer(Stack *s)
{
    int c = *channels(s), filters = between(s->g, 1, 4);
    switch (below(s->g, 11)) {
    case 0:
    case 1:
    case 2: {
        int groups = chance(s->g, 0.4) ? divisor_of(s, c) : 1;
        filters = groups * between(s->g, 1, 2);
        const char *args = window_args(s, true, activation(s));
        layer(s, format("conv(%d, %s, groups = %d)", filters, args, groups));
        *channels(s) = filters;
        break;
    }
    case 3: {
        int multiplier = between(s->g, 1, 2);
        layer(s, format("depthwise_conv(%s, multiplier = %d)", window_args(s, true, activation(s)), multiplier));
        *channels(s) = c * multiplier;
        break;
    }
    case 4:
        layer(s, format("separable_conv(%d, %s)", filters, window_args(s, false, "")));
        *channels(s) = filters;
        break;
    case 5: {
        int kernel = between(s->g, 1, 3), stride = between(s->g, 1, 2);
        layer(s, format("conv_transpose(%d, %d%s, stride = %d, pad = same)", filters, kernel, activation(s), stride));
        s->axis[0] *= stride;
        s->axis[1] *= stride;
        *channels(s) = filters;
        break;
    }
    case 6: layer(s, format("maxpool(%s)", window_args(s, false, ""))); break;
    case 7: layer(s, format("avgpool(%s)", window_args(s, false, ""))); break;
    case 8:
        layer(s, format("upsample(2, %s)", PICK(s->g, "nearest", "bilinear")));
        s->axis[0] *= 2;
        s->axis[1] *= 2;
        break;
    case 9:
        layer(s, "zero_pad([1, 0, 0, 2])");
        s->axis[0] += 1;
        s->axis[1] += 2;
        break;
    default: layer(s, format("groupnorm(%d)", divisor_of(s, c)));
    }
}

static void sequence_layer(Stack *s)
{
    int c = *channels(s), units = between(s->g, 1, 3);
    switch (below(s->g, 4)) {
    case 0: {
        int kernel = between(s->g, 1, 3), dilation = between(s->g, 1, 2);
        layer(s, format("conv1d(%d, %d%s, pad = %s, dilation = %d)", units, kernel, activation(s),
                        PICK(s->g, "same", "causal"), dilation));
        *channels(s) = units;
        break;
    }
    case 1: layer(s, format("attention(%d, causal = %s)", divisor_of(s, c), PICK(s->g, "true", "false"))); break;
    default: {
        const char *cell = PICK(s->g, "lstm", "gru", "rnn");
        bool sequences = chance(s->g, 0.7), both = chance(s->g, 0.25);
        const char *inner = format("%s(%d, sequences = %s)", cell, units, sequences ? "true" : "false");
        layer(s, both ? format("bidirectional(%s)", inner) : inner);
        *channels(s) = both ? 2 * units : units;
        if (!sequences) {
            s->axis[0] = *channels(s);
            s->rank = 1;
        }
    }
    }
}

static void flat_layer(Stack *s)
{
    if (chance(s->g, 0.3) && *channels(s) % 2 == 0) {
        layer(s, format("reshape([%d, 2])", *channels(s) / 2));
        s->rank = 2;
        s->axis[0] /= 2;
        s->axis[1] = 2;
        return;
    }
    layer(s, "around(dense(4, tanh))");
    *channels(s) += 4;
}

/* A layer for any shape. */
static void any_layer(Stack *s)
{
    switch (below(s->g, 7)) {
    case 0: {
        int units = between(s->g, 1, 4);
        layer(s, format("dense(%d%s)", units, activation(s)));
        *channels(s) = units;
        break;
    }
    case 1: layer(s, PICK(s->g, "batchnorm", "layernorm", "rmsnorm", "prelu(0.2)")); break;
    case 2:
        layer(s, PICK(s->g, "relu", "relu6", "elu", "selu", "hard_swish", "softsign", "gelu(tanh_form = true)"));
        break;
    case 3: layer(s, PICK(s->g, "dropout(0.3)", "noise(0.1)", "rescale(0.5, 0.1)", "softmax", "log_softmax")); break;
    case 4:
        layer(s, "flatten");
        s->axis[0] = size_of(s);
        s->rank = 1;
        break;
    case 5: {
        int to = between(s->g, 1, *channels(s)), from = below(s->g, to);
        layer(s, format("slice(%d, %d)", from, to));
        *channels(s) = to - from;
        break;
    }
    default:
        if (s->rank == 2) {
            layer(s, "permute([2, 1])");
            int t = s->axis[0];
            s->axis[0] = s->axis[1];
            s->axis[1] = t;
        } else if (s->rank == 3) {
            layer(s, PICK(s->g, "global_avgpool", "global_maxpool"));
            s->axis[0] = *channels(s);
            s->rank = 1;
        } else {
            flat_layer(s);
        }
    }
}

/* One set of weights for two layers after each other. */
static void shared_layer(Stack *s, int k)
{
    const char *inner = s->rank == 2 && chance(s->g, 0.3) ? format("rnn(%d, sequences = true)", *channels(s))
                                                          : format("dense(%d, tanh)", *channels(s));
    layer(s, format("layer twice_%d = %s", k, inner));
    layer(s, format("twice_%d -> twice_%d", k, k));
}

const char *layer_stack(Generator *g, int *rank, int *classes)
{
    Stack s = { .g = g, .rank = between(g, 1, 3) };
    int most = g->roomy ? 4 * MOST : MOST;
    for (int a = 0; a < s.rank; a++) {
        bool last = a == s.rank - 1;
        s.axis[a] = last ? extent_of(g, 1, 4) : g->roomy ? between(g, 4, 9) : between(g, 1, 6);
    }
    text_add(&s.text, "  input x: float[");
    for (int a = 0; a < s.rank; a++) text_addf(&s.text, "%s%d", a ? ", " : "", s.axis[a]);
    text_add(&s.text, "]\n");
    for (int left = between(g, 1, 5); left > 0 && size_of(&s) < most; left--) {
        double k = random_uniform(&g->random, 0, 1);
        if (k < 0.06)
            shared_layer(&s, left);
        else if (k < 0.35)
            any_layer(&s);
        else if (s.rank == 3)
            image_layer(&s);
        else if (s.rank == 2)
            sequence_layer(&s);
        else
            flat_layer(&s);
    }
    *rank = s.rank;
    *classes = *channels(&s);
    return text_string(&s.text);
}
