/* onnx_write.h: between onnx.c, which makes the message, and onnx_fold.c, which computes what does not depend on inputs.
 * SPDX-License-Identifier: 0BSD */
#ifndef HOST_ONNX_WRITE_H
#define HOST_ONNX_WRITE_H
#include "onnx.pb-c.h"
#include "run.h"

typedef struct Builder {
    const Weights *all;
    Problem *p;
    void **block; /* all memory of the message */
    size_t blocks, room;
    Names defined, used;    /* inputs, nodes, initializers; what nodes take */
    Onnx__GraphProto *main; /* all initializers are its own */
} Builder;

void *onnx_keep(Builder *b, size_t count, size_t size); /* zeroed; freed with the message; NULL: problem set */
/* A new initializer, its values zero; it takes extent over. */
Onnx__TensorProto *onnx_initializer(Builder *b, const char *name, size_t length, int type, int64_t rank,
                                    int64_t *extent);
Onnx__TensorProto *onnx_initializer_of(const Builder *b, const char *name); /* NULL: none has that name */
size_t onnx_count(const Onnx__TensorProto *t);                              /* elements */
double onnx_get(const Onnx__TensorProto *t, size_t i);
void onnx_set(Onnx__TensorProto *t, size_t i, double v);

/* The node's value as an initializer of its output's name, if all it takes are initializers and this file knows the operator.
 * False with p->code 0: that is not so. */
bool onnx_fold(Builder *b, const Onnx__NodeProto *n);
#endif
