/* model.h: what one .dln file means as a whole: what is kept from step to step, and the programs that work on it, each
 * one entry of the generated file. model.c builds it: it elaborates the model block twice (for training and for
 * inference), binds loss, metrics and optimizer of the train block, differentiates and simplifies. */
#ifndef DLNC_MODEL_H
#define DLNC_MODEL_H
#include "syntax/ast.h"
#include "tensor/program.h"

/* Every definition that can be named: the library's, then the file's and its imports'. */
typedef struct Symbols {
    LIST(Definition *) definitions;              /* a user's definition hides the library's, but not from the library */
    Definition *every[6];                        /* by DefKind, or NULL */
    LIST(Item *) rewrites, constants, examples, models, data, train;
    LIST(const Source *) imported;               /* each file once */
    struct SymbolTable *table;                   /* by name: symbols.c */
    int library_rewrites;                        /* the first so many rewrites are the library's */
} Symbols;
void symbols_add(Symbols *s, File *file, bool from_library);     /* duplicates are errors, but for a user's over the library's */
void symbols_import(Symbols *s, File *file);                     /* the imports of file, relative to it; each file once; loops are fine */
const Definition *symbols_find(const Symbols *s, const char *name, bool for_library);
const Binding *symbols_constant(const Symbols *s, const char *name);
extern const struct LibraryFile { const char *name, *text; size_t length; } library_files[];     /* made by the Makefile; ends with a NULL name */
void symbols_add_library(Symbols *s);                            /* parsed once in the life of the arena */

/* What a call of the model block made, for the summary: conv, dense_2 ... and for calls inside them. */
typedef struct Layer {
    const char *path, *definition;               /* "h.0.block.dense", "dense" */
    int depth;                                   /* 0: called by the model itself */
    Tensor *out;                                 /* its value in the training program */
    int64_t parameters, frozen;                  /* numbers it holds, inner calls included */
    LIST(Tensor *) from;                         /* depth 0: inputs and values of other layers that it is made from */
    Place at;
} Layer;

/* As the user wrote it, and how many numbers it reports. */
typedef struct Metric { const char *name; int values; } Metric;

/* The generic tree of the data and train blocks for the host program: idx(image = "f") is a CALL with named items. */
typedef enum { TREE_NUMBER, TREE_STRING, TREE_WORD, TREE_LIST, TREE_CALL } TreeKind;
typedef struct Tree {
    TreeKind kind;
    const char *key, *text;
    double number;
    LIST(struct Tree *) items;
    Place at, key_at;
} Tree;

/* weights = safetensors("f", layout = torch) of a layer call: what the parameters and states below path begin with. */
typedef struct Weights { const char *path; const Tree *source; Place at; } Weights;

typedef struct Model {
    const char *name, *file;                     /* mlp; the .dln's name without folders */
    char sha256[65];                             /* of the source text */
    int batch;                                   /* the largest number of samples in a call */
    int epochs; int64_t steps;                   /* of train; steps 0: from epochs */
    uint64_t seed;
    bool pytorch, has_train;
    LIST(Tensor *) inputs;                       /* of the model block, in order */
    LIST(Tensor *) targets;                      /* data fields that loss and metrics read and that are no inputs, in order of first use */
    LIST(Tensor *) kept;                         /* PARAM and STATE, in order of creation; optimizer state after them */
    LIST(Tensor *) totals;                       /* TOTAL: of measured layers (kept with the weights), then of metrics */
    int measured;                                /* the first so many totals are measured over the training data */
    LIST(Tensor *) settings;                     /* SETTING: may be changed by the command line; named lr, momentum .. */
    LIST(Tensor *) fixed_settings;               /* read by an `if`: named on the command line they are errors */
    LIST(Tensor *) clocks;
    LIST(Output) outputs;                        /* of predict */
    LIST(Metric) metrics;                        /* loss first */
    LIST(Layer) layers;
    LIST(Weights) weights;
    LIST(Tree *) data, train;                    /* settings of the data and train blocks, in order; key set */
    Program *initialize;                         /* params, states: from rand(); run once */
    LIST(Program *) measure;                     /* totals of the training data, a pass each */
    Program *settle;                             /* what follows from measured totals, or NULL */
    Program *step, *evaluate, *predict;          /* step: forward, backward, optimizer */
    Program *accumulate, *apply;                 /* step in two: gradients of several batches are added up, then the optimizer; or NULL */
    LIST(Gradient) sums;                         /* of each trained parameter, the STATE that adds up its gradient */
    Tensor *accumulated;                         /* STATE: samples since the last apply */
    Program *report;                             /* metrics from their totals; wide */
} Model;

/* elaborate.c: one run of the model block, training or not. */
typedef struct Elaboration Elaboration;
Elaboration *elaboration_new(const Symbols *s, Model *m, Program *p, bool training);
/* Runs the block. Inputs, holders of parameters and states (by path) are made in m on the first run and found on the
 * second; their initial values go to m->initialize on the first run. Named tensors become fields for loss and metrics. */
void elaborate_model(Elaboration *e, const Item *model);
Tensor *elaborated_value(Elaboration *e);        /* the value of the last statement, or NULL */
int elaborated_outputs(Elaboration *e, Output *out, int room);   /* `output` statements, or the last value named by the model */
Tensor *elaborated_penalty(Elaboration *e);      /* one number, the sum of all penalties; NULL if there are none */

/* The moving average that evaluation and export read in place of the parameter, or NULL. Inference programs that are
 * elaborated after the optimizer read it already. */
Tensor *parameter_average(const Model *m, const Tensor *parameter);

/* A loss or metric expression of the train block: mse(recon, x) + 0.1 * categorical_crossentropy(digit, label), accuracy.
 * Names are outputs, tensors of the model, inputs; any other name is a data field: `fields` gives its tensor, made on
 * demand. Calls without tensors take the only output and the only target. mean says whether the value (a number for
 * each element or sample) is still to be averaged: false for a metric that is made of totals.
 * A loss expression's parts are averaged before they are added; the result is then one number. */
typedef struct Measured {
    const char *name;            /* accuracy; top_k; loss */
    const Node *value;           /* over index */
    int indices; const Index *index[MAX_RANK];
    bool of_totals;              /* the value is made of totals: report it once */
} Measured;
bool elaborate_loss(Elaboration *e, const Expr *flow, Measured *out);
bool elaborate_metric(Elaboration *e, const Expr *flow, Measured *out);

/* The optimizer of the train block for one parameter: appends equations and updates of w and of its states to the program.
 * Call optimizer_end after the last parameter: it closes every_variable(..). Schedules are made once. */
void elaborate_optimizer(Elaboration *e, const Expr *flow, Tensor *w, Tensor *gradient);
void optimizer_again(Elaboration *e, const Elaboration *first);  /* before it, in a second program: the settings are those of the first */
void optimizer_end(Elaboration *e);

/* A number, list, string or word of a setting as the language has it: batch = 2 * 64. Errors are reported. */
bool elaborate_number(Elaboration *e, const Expr *value, double *out);

/* For tests: an `example` of a definition as a program of its own. Inputs are made for float[..] and int[..]; lists of
 * literals become inputs too when inputs_from_lists. Returns the value's tensor (or NULL with errors reported). */
Tensor *elaborate_example(const Symbols *s, Model *m, Program *p, const Item *example, bool training, bool inputs_from_lists);

/* foreign.c: fills in the shapes that tensors have in a PyTorch file; says what is wrong with `as` and `weights`. */
void foreign_check(Model *m);

/* layers.c: which layers lead into which, before the normal forms take tensors away. p: the first program. */
void layers_connect(Model *m, const Program *p);

/* model.c: from symbols to a whole model. NULL if there were errors. */
typedef struct ModelOptions {
    const char *file;            /* for Model.file */
    bool inference_only, verify; /* verify: check the invariants before the normal forms too */
    bool accumulate;             /* also the programs accumulate and apply */
    int batch;                   /* 0: as the train block says */
} ModelOptions;
Model *model_build(const Symbols *s, const ModelOptions *options);
void model_verify(Model *m);                     /* program_verify on all programs */
#endif
