/* onnx_fold.c: nodes of an ONNX graph that take constants only are computed when it is written: kernels lie in the file
 * as Conv wants them, the scale of a normalisation is one number a channel, tests for places are tables. Numbers are computed
 * in double. SPDX-License-Identifier: 0BSD */
#ifdef DLN_ONNX
#include <math.h>
#include <string.h>
#include "onnx_write.h"

enum { MOST_AXES = 2 * DLN_MAX_RANK, MOST_GROWTH = 1 << 16 }; /* of elements, beyond those of the arguments */

/* ---- element by element ---- */

static double add(double a, double b) { return a + b; }
static double sub(double a, double b) { return a - b; }
static double mul(double a, double b) { return a * b; }
static double quotient(double a, double b) { return a / b; }
static double modulo(double a, double b) { return a - b * floor(a / b); }
static double larger(double a, double b) { return a > b || isnan(a) ? a : b; }
static double smaller(double a, double b) { return a < b || isnan(a) ? a : b; }
static double equal(double a, double b) { return a == b; }
static double less(double a, double b) { return a < b; }
static double greater(double a, double b) { return a > b; }
static double less_equal(double a, double b) { return a <= b; }
static double greater_equal(double a, double b) { return a >= b; }
static double both(double a, double b) { return a != 0 && b != 0; }
static double root(double a, double b) { return (void)b, sqrt(a); }

static const struct Operator {
    const char *name;
    double (*f)(double a, double b);
    bool tests;
} operators[] = {
    { "Add", add, false },
    { "Sub", sub, false },
    { "Mul", mul, false },
    { "Div", quotient, false },
    { "Mod", modulo, false },
    { "Max", larger, false },
    { "Min", smaller, false },
    { "Sqrt", root, false },
    { "Equal", equal, true },
    { "Less", less, true },
    { "Greater", greater, true },
    { "LessOrEqual", less_equal, true },
    { "GreaterOrEqual", greater_equal, true },
    { "And", both, true },
};

/* The extents of both, aligned at the last axes; -1: they do not fit. */
static int broadcast(const Onnx__TensorProto *a, const Onnx__TensorProto *b, int64_t *extent)
{
    const size_t rank = a->n_dims > b->n_dims ? a->n_dims : b->n_dims;
    if (rank > MOST_AXES) return -1;
    for (size_t i = 1; i <= rank; i++) {
        const int64_t x = i <= a->n_dims ? a->dims[a->n_dims - i] : 1, y = i <= b->n_dims ? b->dims[b->n_dims - i] : 1;
        if (x != y && x != 1 && y != 1) return -1;
        extent[rank - i] = x == 1 ? y : x;
    }
    return (int)rank;
}

/* The element of t that goes with element `at` of the whole. */
static size_t place(const Onnx__TensorProto *t, const int64_t *extent, int rank, size_t at)
{
    size_t out = 0, step = 1;
    for (int i = rank - 1; i >= 0 && (size_t)(rank - 1 - i) < t->n_dims; i--) {
        const size_t e = (size_t)extent[i], d = (size_t)t->dims[t->n_dims - (size_t)(rank - i)];
        if (d > 1) out += at % e * step;
        step *= d;
        at /= e;
    }
    return out;
}

static bool combine(Builder *b, const char *name, const struct Operator *o, const Onnx__TensorProto *x,
                    const Onnx__TensorProto *y)
{
    int64_t *extent = onnx_keep(b, MOST_AXES, sizeof *extent);
    if (!extent) return false;
    const int rank = broadcast(x, y, extent);
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        if (!size_product(count, (size_t)extent[i], &count)) return false;
    if (rank < 0 || count > MOST_GROWTH + onnx_count(x) + onnx_count(y)) return false;
    const int type = o->tests ? ONNX__TENSOR_PROTO__DATA_TYPE__BOOL : x->data_type;
    const bool whole = type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
    Onnx__TensorProto *t = onnx_initializer(b, name, strlen(name), type, rank, extent);
    for (size_t i = 0; t && i < count; i++) {
        const double v = o->f(onnx_get(x, place(x, extent, rank, i)), onnx_get(y, place(y, extent, rank, i)));
        onnx_set(t, i, whole ? trunc(v) : v);
    }
    return t != NULL;
}

/* ---- the same elements in other places ---- */

static const Onnx__AttributeProto *attribute(const Onnx__NodeProto *n, const char *name)
{
    for (size_t i = 0; i < n->n_attribute; i++)
        if (!strcmp(n->attribute[i]->name, name)) return n->attribute[i];
    return NULL;
}

static bool transpose(Builder *b, const Onnx__NodeProto *n, const Onnx__TensorProto *x)
{
    const Onnx__AttributeProto *perm = attribute(n, "perm");
    int64_t *extent = onnx_keep(b, MOST_AXES, sizeof *extent);
    if (!extent || !perm || perm->n_ints != x->n_dims || x->n_dims > MOST_AXES) return false;
    size_t step[MOST_AXES] = { 0 }, from[MOST_AXES] = { 0 }, size = 1;
    for (size_t i = x->n_dims; i-- > 0; size *= (size_t)x->dims[i]) step[i] = size;
    for (size_t i = 0; i < x->n_dims; i++) {
        extent[i] = x->dims[perm->ints[i]];
        from[i] = step[perm->ints[i]];
    }
    Onnx__TensorProto *t =
        onnx_initializer(b, n->output[0], strlen(n->output[0]), x->data_type, (int64_t)x->n_dims, extent);
    for (size_t k = 0; t && k < size; k++) {
        size_t at = 0, left = k;
        for (size_t i = x->n_dims; i-- > 0; left /= (size_t)extent[i]) at += left % (size_t)extent[i] * from[i];
        onnx_set(t, k, onnx_get(x, at));
    }
    return t != NULL;
}

/* Row by row the elements are the same. */
static bool reshape(Builder *b, const Onnx__NodeProto *n, const Onnx__TensorProto *x, int64_t rank, int64_t *extent)
{
    Onnx__TensorProto *t = onnx_initializer(b, n->output[0], strlen(n->output[0]), x->data_type, rank, extent);
    if (t) memcpy(t->raw_data.data, x->raw_data.data, x->raw_data.len);
    return t != NULL;
}

static bool reshape_to(Builder *b, const Onnx__NodeProto *n, const Onnx__TensorProto *x, const Onnx__TensorProto *shape)
{
    const size_t rank = onnx_count(shape);
    int64_t *extent = onnx_keep(b, rank, sizeof *extent);
    if (!extent) return false;
    for (size_t i = 0; i < rank; i++)
        if ((extent[i] = (int64_t)onnx_get(shape, i)) < 1) return false; /* the batch's, which no constant has */
    return reshape(b, n, x, (int64_t)rank, extent);
}

static bool unsqueeze(Builder *b, const Onnx__NodeProto *n, const Onnx__TensorProto *x)
{
    const Onnx__AttributeProto *axes = attribute(n, "axes");
    if (!axes || x->n_dims + axes->n_ints > MOST_AXES) return false;
    const int64_t rank = (int64_t)(x->n_dims + axes->n_ints);
    int64_t *extent = onnx_keep(b, (size_t)rank, sizeof *extent);
    if (!extent) return false;
    for (size_t i = 0; i < axes->n_ints; i++) extent[(axes->ints[i] + rank) % rank] = 1;
    for (int64_t i = 0, next = 0; i < rank; i++)
        if (!extent[i]) extent[i] = x->dims[next++];
    return reshape(b, n, x, rank, extent);
}

/* ---- all of it ---- */

bool onnx_fold(Builder *b, const Onnx__NodeProto *n)
{
    const Onnx__TensorProto *x[2] = { NULL, NULL };
    if (n->n_input < 1 || n->n_input > 2 || n->n_output != 1) return false;
    for (size_t i = 0; i < n->n_input; i++)
        if (!(x[i] = onnx_initializer_of(b, n->input[i]))) return false;
    if (!strcmp(n->op_type, "Transpose")) return transpose(b, n, x[0]);
    if (!strcmp(n->op_type, "Unsqueeze")) return unsqueeze(b, n, x[0]);
    if (!strcmp(n->op_type, "Reshape")) return reshape_to(b, n, x[0], x[1]);
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (!strcmp(n->op_type, operators[i].name))
            return combine(b, n->output[0], &operators[i], x[0], x[n->n_input - 1]);
    return false;
}
#else
typedef int onnx_fold_without_protobuf;
#endif
