/* settings.h: the data and train blocks: what the compiler reads of them itself, and all of it as a tree for the host
 * program. */
#ifndef DLNC_SETTINGS_H
#define DLNC_SETTINGS_H
#include "tensor/model.h"

typedef struct Train {
    Place at;
    const Expr *loss, *optimizer;
    LIST(const Expr *) metrics;
} Train;

/* What blocks.c looks at: the settings of the data block with their values; those of the train block that the host program
 * reads, with the metrics. */
typedef struct DataBlock { LIST(const Setting *) setting; LIST(const Tree *) tree; } DataBlock;
typedef struct TrainBlock {
    Tree *const *tree;
    int count;
    const Expr *const *metric;
    int metrics;
    bool validate;               /* is something validated? */
} TrainBlock;
void data_check(const DataBlock *b);
void train_check(const TrainBlock *b, const DataBlock *data);

/* The model block of the file; an error if there is none, or more than one. */
const Item *model_item(const Symbols *s);
/* Reads batch, epochs, steps, seed, compat into m, fills m->data and m->train. NULL if the file has no train block. */
const Train *train_read(const Symbols *s, Model *m, const ModelOptions *options);
#endif
