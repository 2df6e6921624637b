/* emit.h: the two files that dlnc writes, model.c and model.h, around the kernels that kernel.h's functions print; and
 * what else is printed of a whole model. One file for each part:
 *     file.c     model.c: its sections in order      head.c     the comment it opens with, the summary, the graph
 *     core.c     what it needs of runtime/core
 *     header.c   model.h                             fields.c   which values the fields of a batch may have
 *     api.c      the public functions                host.c     the section for -DDLN_MAIN
 *     weights.c  --weights: trained values as constants       profile.c  the section for -DDLN_PROFILE
 *     check.c    the section for -DDLN_CHECK            page*.c    --emit=html (page.h) */
#ifndef DLNC_EMIT_H
#define DLNC_EMIT_H
#include "kernel/kernel.h"
#include <stdio.h>

/* model.c and model.h; the first includes the second as "PREFIX.h", which main.c replaces by the name of the output. */
void emit_source(const Plan *plan, Text *c, Text *h);
void emit_summary(const Model *m, const Plan *plan, FILE *to);   /* --summary: layers, shapes, parameters, memory, operations; plan may be NULL */
void emit_dot(const Model *m, FILE *to);                         /* --emit=dot: the layers as a graph */
void emit_page(const Plan *plan, const Source *source, FILE *to);        /* --emit=html: source is the .dln itself */

extern const struct LibraryFile core_files[];                    /* runtime/core/(name).h; ends with a NULL name */

/* ---- between the files of this folder ---- */
typedef LIST(Output) Outputs;
typedef struct Emission {
    const Plan *plan;
    const Model *model;
    const char *prefix, *upper;                  /* mlp, MLP */
    const char *real;                            /* float, double */
    bool trains;                                 /* there is a step */
    const struct WeightFile *weights;            /* --weights, or NULL */
    const Outputs *outputs;                      /* of predict, as its simplified program has them */
} Emission;

const char *sample_shape(const Tensor *t);                       /* head.c: [28, 28], without the batch */
void summary_text(const Model *m, const Plan *plan, Text *to);
void head_text(const Emission *e, const CoreUse *use, Text *to);
void header_text(const Emission *e, Text *to);
void api_text(const Emission *e, Text *to);
void host_text(const Emission *e, Text *to);
void check_text(const Emission *e, Text *to);
void profile_text(const ProgramPlan *p, Text *to);
void core_text(const Emission *e, const CoreUse *use, bool wide, const char *body, Text *to);   /* what body needs of the core */

/* template.c */
void template_add(const Emission *e, Text *to, const char *text);        /* @p mlp, @P MLP, @r float */
void text_add_literal(Text *to, const char *s);                  /* "s" */
void text_add_comment(Text *to, const char *s);
const char *double_text(double v);               /* 0.9 */
bool word_is_taken(const char *name);            /* file.c: by C, C++, the core or model.c itself */

/* weights.c: trained values from a safetensors file. NULL after an error; values in row-major order, NULL if the file
 * has no such tensor or after an error. */
typedef struct WeightFile WeightFile;
WeightFile *weights_read(const char *path);
const char *weights_sha256(const WeightFile *f);
const double *weights_of(const WeightFile *f, const Tensor *t);
void weights_text(const Emission *e, Text *to);

/* What a call takes: the inputs, and for step and evaluate the targets, as C parameters "const float *image, ". */
typedef LIST(Tensor *) Fields;
Fields program_fields(const Emission *e, const Program *p);      /* inputs, then targets if p is step or evaluate */
void fields_parameters(const Emission *e, const Fields *f, Text *to);
const char *parameter_name(const Emission *e, const Tensor *t);  /* its C name, but for m, n, loss .. */
int64_t sample_size(const Tensor *t);            /* elements of one sample, or of a tensor without batch */
const char *element_type(const Emission *e, const Tensor *t);    /* float, double, int32_t, uint8_t */

/* Field values that a gather reads as a place, without `else`: low <= value < high. */
typedef struct FieldRange { const Tensor *field; int64_t low, high; } FieldRange;
typedef LIST(FieldRange) FieldRanges;
FieldRanges field_ranges(const Program *p);

/* kept tensors, then totals: the numbering of P_get, P_put and P_tensors */
int  kept_count(const Emission *e);
const Tensor *kept_tensor(const Emission *e, int i);
int  kept_number(const Emission *e, const Tensor *t);
int64_t state_bytes(const Emission *e);          /* of an exported state */
int  metric_values(const Model *m);              /* numbers of all metrics */
const char *output_name(const Emission *e, int i);               /* the C name of predict's i-th output */
bool kept_in_inference(const Emission *e, const Tensor *t);      /* lies in the memory that an instance for inference has */
#endif
