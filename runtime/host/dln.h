/* dln.h: the host program's face of a generated model. A generated model.c knows nothing of it unless it is compiled
 * with -DDLN_MAIN: then its last section fills in a dln_model and its main() hands it to dln_main(), which reads data,
 * trains, evaluates, predicts, saves and reports. Everything here may use the whole of libc; the core never does.
 * SPDX-License-Identifier: 0BSD */
#ifndef DLN_H
#define DLN_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DLN_ABI 1                /* of this header; a model made for another one is refused */

typedef enum { DLN_FLOAT, DLN_INT, DLN_BOOL } dln_type;          /* float (or double, see real_bytes), int32_t, uint8_t */
enum { DLN_MAX_RANK = 12 };

/* One thing that a sample consists of: an input of the model, or a target that loss and metrics read. */
typedef struct dln_field {
    const char *name;
    dln_type type;
    int rank, extent[DLN_MAX_RANK];              /* of one sample, without the batch */
    int is_target;
    int classes;                                 /* int targets: they lie in 0 .. classes - 1; 0: not known */
} dln_field;

/* One tensor that is kept with the model. Values go in and out in logical (row-major) order, as float or double. */
typedef enum { DLN_PARAM, DLN_STATE, DLN_OPTIMIZER, DLN_TOTAL } dln_kind;
typedef struct dln_tensor {
    const char *name;                            /* dense.w */
    dln_kind kind;
    int frozen;
    int rank, extent[DLN_MAX_RANK];
    const char *line;                            /* "mnist_mlp.dln:11" */
} dln_tensor;

/* A value of the data and train blocks: idx(image = "f") is a CALL with named items; `train, test = split(..)` has the
 * key "train, test". */
typedef enum { DLN_NUMBER, DLN_STRING, DLN_WORD, DLN_LIST, DLN_CALL } dln_value_kind;
typedef struct dln_value {
    dln_value_kind kind;
    const char *key, *text;                      /* key: NULL where there is none; text: the string, word or callee */
    double number;
    int count;
    const struct dln_value *items;
} dln_value;

typedef struct dln_setting { const char *name; double value; int fixed; } dln_setting;   /* fixed: only the .dln can change it */
typedef struct dln_metric { const char *name; int values; } dln_metric;                  /* values > 1: a table (confusion) */
typedef struct dln_output { const char *name; int rank, extent[DLN_MAX_RANK]; } dln_output;

/* How a tensor is called, and where its elements lie, in a PyTorch file. Several tensors may be parts of one there. */
typedef struct dln_foreign {
    int tensor;
    const char *name;                            /* "h.0.attention.in_proj_weight" */
    int rank, extent[DLN_MAX_RANK];              /* of the tensor there */
    size_t (*place)(size_t element);             /* there, of an element here, both row by row; NULL: the same */
} dln_foreign;

/* What accumulate changes beside totals, and what becomes of it where several processes each do a part of a batch. */
typedef enum { DLN_SUM, DLN_MEAN, DLN_FIRST } dln_join;          /* FIRST: what the process of the first part has */
typedef struct dln_part {
    int tensor;
    dln_join join;
    size_t offset, bytes;                        /* SUM: in the memory, floats or doubles, as in tensor; padding counts */
} dln_part;

/* All calls return 0 or a status for strerror(). m is object_bytes large; memory is bytes long, aligned to align. fields
 * has one pointer for each field, in order (predict and measure read inputs only; a target's pointer may be NULL there);
 * n samples each, 1 <= n <= batch. */
typedef struct dln_model {
    int abi;
    const char *name, *source, *sha256, *version, *options;
    const char *summary;                         /* the table of layers, as dlnc --summary prints it */
    int real_bytes;                              /* 4: float, 8: double */
    int batch, epochs;
    int64_t steps;                               /* of the train block; 0: epochs count */
    uint64_t seed;
    size_t object_bytes, train_bytes, infer_bytes, align;
    int fields; const dln_field *field;
    int outputs; const dln_output *output;
    int tensors; const dln_tensor *tensor;
    int settings; const dln_setting *setting;
    int clocks; const char *const *clock;        /* epoch, epoch_end, steps, val_loss ..: set_clock keeps them; iteration is the model's own */
    int metrics; const dln_metric *metric;       /* metric[0] is the loss */
    int data_values; const dln_value *data;
    int train_values; const dln_value *train;
    int passes;                                  /* passes over the training data before the first step (normalize) */

    int  (*init)(void *m, void *memory, size_t bytes, uint64_t seed);
    int  (*measure)(void *m, int pass, const void *const *fields, int n);
    int  (*settle)(void *m);                     /* after the last pass; also after pass k, before pass k + 1 */
    int  (*step)(void *m, const void *const *fields, int n, double *loss);
    int  (*evaluate)(void *m, const void *const *fields, int n, double *loss);
    int  (*predict)(void *m, const void *const *fields, int n, void *const *outputs);
    int  (*reset)(void *m);                      /* metrics begin anew */
    int  (*report)(void *m, double *values);     /* of all since reset: the metrics one after another */
    int  (*set_setting)(void *m, int setting, double value);
    /* epoch_end is 1 in the first step after an epoch has ended, when loss and val_* are new */
    int  (*set_clock)(void *m, int clock, double value);
    int  (*get)(const void *m, int tensor, void *values);
    int  (*put)(void *m, int tensor, const void *values);
    int64_t (*iteration)(const void *m);
    int  (*set_iteration)(void *m, int64_t iteration, uint64_t seed);
    const char *(*strerror)(int status);

    /* May be missing (NULL): a tensor's values as double whatever the model computes in, so that totals, which are added
     * up in double, survive a checkpoint in the middle of an epoch to the bit. */
    int  (*get_double)(const void *m, int tensor, double *values);
    int  (*put_double)(void *m, int tensor, const double *values);

    /* May be missing: weights = safetensors(..) of layers, a CALL each, whose key is the path of the layer; and how
     * tensors lie in a PyTorch file. */
    int sources; const dln_value *source_of;
    int foreigns; const dln_foreign *foreign;

    const char *prefix;                          /* of the public names in the C; may be missing: the model's name */

    /* May be missing: a step in two (dlnc --accumulate). accumulate adds up gradients over the samples of any number of
     * calls, apply takes the step. Tensor `samples` counts them; it also is the place in the batch of the next part's first
     * sample (random numbers differ from part to part), and may be put for both. */
    int  (*accumulate)(void *m, const void *const *fields, int n, double *loss);
    int  (*apply)(void *m);
    int samples, parts; const dln_part *part;

    const char *onnx;                            /* the graph of predict for `export FILE.onnx`, as text; may be missing */
} dln_model;

/* The whole host program: train, eval, predict, info, export. Returns the exit code: 0 done, 1 an error in the input,
 * 2 usage, 3 input or output, 70 a bug. */
int dln_main(int argc, char **argv, const dln_model *model);

#ifdef __cplusplus
}
#endif
#endif
