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

/* The model block of the file; an error if there is none, or more than one. */
const Item *model_item(const Symbols *s);
/* Reads batch, epochs, steps, seed, compat into m, fills m->data and m->train. NULL if the file has no train block. */
const Train *train_read(const Symbols *s, Model *m, const ModelOptions *options);
#endif
