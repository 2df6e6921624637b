/* onnx.h: the inference program as an ONNX graph, in a text that is easy to read and small: a line for each input, node
 * and output,
 *
 *     input image real[n, 28, 28]
 *     dense.z = MatMul flatten.y dense.w
 *     dense.relu = Relu dense.z
 *     output mlp real[n, 10]
 *
 * `real` is the model's own type, n the free batch axis. A node is NAME = OPERATOR ARGUMENT.. KEY=ATTRIBUTE..; an argument
 * is a name (an input's, a node's, a tensor's that is kept with the model) or a constant: 0.5 a real, 3i an int64, true,
 * [0,784] a list of int64. Two operators are no ONNX but constants: `Const real[3] 1,2,3`, and `Affine [4,3] start steps..`, the
 * ints start + steps . place. An attribute is an int, a list [..], or a word. The body of a Scan is the lines between `{`
 * at the end of its line and `}`, inputs and outputs among them; it sees the names outside. Where a program cannot be an
 * ONNX graph the text is one line that begins with `!` and says why. runtime/host/onnx.c turns it into the file.
 *
 * No operator follows from a name: onnx_product.c and onnx_window.c go by the indices of an equation alone.
 *     onnx.c          programs and equations        onnx_value.c    expressions and integer sums
 *     onnx_read.c     reads of tensors               onnx_store.c    what an equation makes, as a whole tensor
 *     onnx_product.c  sums of products               onnx_window.c   sums and maxima over windows
 *     onnx_scan.c     recurrences */
#ifndef DLNC_ONNX_H
#define DLNC_ONNX_H
#include "base/text.h"
#include "tensor/model.h"

const char *onnx_text(const Model *m);

/* ---- between the onnx files ---- */
enum { MAX_AXES = 2 * MAX_RANK };
/* What a name of the graph holds: an array whose axes are distinct indices of the equation, each over all of its range. */
typedef struct Wire { const char *name; Type type; int rank; const Index *axis[MAX_AXES]; } Wire;

typedef struct OnnxNode { const char *name, *text; } OnnxNode;   /* text: what stands behind NAME = */
typedef struct Piece { const Equation *e; Wire value; } Piece;

/* The array that holds a tensor: its axis k is the tensor's axis order[k]. name NULL: there is none yet. */
typedef struct Held { const char *name; int order[MAX_RANK]; } Held;

typedef struct Onnx {
    const Model *model;
    const Program *program;
    LIST(OnnxNode) nodes;
    LIST(Held) tensor;                           /* by id */
    LIST(Piece) pieces;                          /* of the tensor that is being put together */
    const char *why;                             /* why it cannot be; NULL: all is well */
    int numbers;                                 /* names given */
    /* the equation at hand */
    const Equation *e;
    const Index *frame[MAX_AXES];                /* its indices in the order of axes: those of the left side, then the reduced */
    int frame_count;
    LIST(struct Known { const Node *e; Wire value; }) known;     /* its expressions so far */
    const struct Recurrence *scan;               /* the recurrence that it is part of, or NULL */
    const char *step;                            /* the name of its step's number */
} Onnx;

/* onnx.c */
void onnx_refuse(Onnx *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *onnx_node(Onnx *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));     /* the name; the same for the same text */
void onnx_equation(Onnx *o, const Equation *e);  /* one outside of recurrences */
Wire onnx_result(Onnx *o, const Equation *e);    /* its value over its indices; sets the frame */
const char *onnx_made_by(const Onnx *o, const char *name);       /* the node's text; "": no node's name */
const char *onnx_transposed(Onnx *o, const char *name, const int64_t *from, int count);          /* axis i of it is from[i] of name */
const char *onnx_shaped(Onnx *o, const char *name, const int64_t *shape, int count);
void onnx_lines(Onnx *o, int first, const char *outputs, Text *to);      /* the nodes from `first` on that are needed for the lines `outputs` */
const char *onnx_type(const Tensor *t);          /* real[n,28,28] */
bool onnx_name_is_taken(const Onnx *o, const char *name);
const char *onnx_batch(Onnx *o);                 /* how many samples there are, [1] int64 */
int  frame_place(const Onnx *o, const Index *i); /* -1: none of the equation's */
const char *ints_text(const int64_t *at, int count);             /* 1,2,3 */

void onnx_frame(Onnx *o, const Equation *e);     /* e is the equation at hand */

/* onnx_value.c */
Wire onnx_value(Onnx *o, const Node *e);         /* its axes in any order */
Wire onnx_sum(Onnx *o, const Sum *a);
Wire onnx_each(Onnx *o, const char *operator, Type type, int count, const Wire *args);           /* element by element, axes aligned */
Wire onnx_literal(Type type, double v);
Wire onnx_within(Onnx *o, const Sum *a, int extent);             /* held within 0 .. extent - 1 */

/* onnx_read.c */
Wire onnx_read(Onnx *o, const Node *e);
Wire onnx_ordered(Onnx *o, Wire w, const Index *const *order, int count);        /* axes in that order: the same indices */
Wire onnx_reshaped(Onnx *o, Wire w, const int64_t *shape, int count, const Index *const *axis, int rank);
int64_t extent_text(const Index *i);             /* in the shape of a Reshape: 0 for the batch, which comes first */

/* onnx_store.c */
void onnx_hold(Onnx *o, const Tensor *t, Held h);
Held onnx_held(const Onnx *o, const Tensor *t);
const char *onnx_whole(Onnx *o, const Tensor *t);                /* an array with the tensor's own order of axes */
void onnx_store(Onnx *o, const Equation *e, Wire value);
Wire onnx_spread(Onnx *o, Wire w, const Index *const *axis, int count);          /* with all of these axes, in this order */

/* onnx_product.c, onnx_window.c: false if the equation is none of theirs. */
bool onnx_product(Onnx *o, const Equation *e, Wire *out);
bool onnx_convolution(Onnx *o, const Equation *e, const Node *kernel, const Node *image, Wire *out);
bool onnx_pool(Onnx *o, const Equation *e, Wire *out);

/* onnx_scan.c */
int  onnx_scan(Onnx *o, int first);              /* the equations of a loop; where the next one is */
bool scan_read(Onnx *o, const Node *e, const char **name, int *axis);    /* of a tensor of the loop: its name without axis */
#endif
