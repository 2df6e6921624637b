/* emit.h: the two files that dlnc writes, model.c and model.h, around the kernels that kernel.h's functions print; and
 * what else is printed of a whole model. One file for each part:
 *     file.c     model.c: its sections in order      head.c     the comment it opens with, the summary, the graph
 *     header.c   model.h                             fields.c   which values the fields of a batch may have
 *     api.c      the public functions                host.c     the section for -DDLN_MAIN */
#ifndef DLNC_EMIT_H
#define DLNC_EMIT_H
#include "kernel/kernel.h"
#include <stdio.h>

/* header: the name that model.c includes, "mlp.h"; NULL: the declarations stand in model.c itself, h stays empty. */
void emit_source(const Plan *plan, const char *header, Text *c, Text *h);
void emit_summary(const Model *m, const Plan *plan, FILE *to);   /* --summary: layers, shapes, parameters, memory, operations; plan may be NULL */
void emit_dot(const Model *m, FILE *to);                         /* --emit=dot: the layers as a graph */

extern const struct LibraryFile core_files[];                    /* runtime/core/(name).h; ends with a NULL name */

/* ---- between the files of this folder ---- */
typedef struct Emission {
    const Plan *plan;
    const Model *model;
    const char *prefix, *upper;                  /* mlp, MLP */
    const char *real;                            /* float, double */
    bool trains;                                 /* there is a step */
} Emission;

void summary_text(const Model *m, const Plan *plan, Text *to);
void head_text(const Emission *e, const CoreUse *use, Text *to);
void header_text(const Emission *e, Text *to);   /* the declarations, without guard */
void api_text(const Emission *e, Text *to);
void host_text(const Emission *e, Text *to);

/* What a call takes: the inputs, and for step and evaluate the targets, as C parameters "const float *image, ". */
typedef LIST(Tensor *) Fields;
Fields program_fields(const Emission *e, const Program *p);      /* inputs, then targets if p is step or evaluate */
void fields_parameters(const Emission *e, const Fields *f, Text *to);
const char *parameter_name(const Emission *e, const Tensor *t);  /* its C name, but for m, n, loss .. */
const char *element_type(const Emission *e, const Tensor *t);    /* float, double, int32_t, uint8_t */

/* Field values that a gather reads as a place, without `else`: low <= value < high. */
typedef struct FieldRange { const Tensor *field; int64_t low, high; } FieldRange;
typedef LIST(FieldRange) FieldRanges;
FieldRanges field_ranges(const Program *p);

/* kept tensors, then totals: the numbering of P_get, P_put and P_tensors */
int  kept_count(const Emission *e);
const Tensor *kept_tensor(const Emission *e, int i);
bool kept_in_inference(const Emission *e, const Tensor *t);      /* lies in the memory that an instance for inference has */
#endif
