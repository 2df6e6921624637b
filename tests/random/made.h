/* made.h: a random program, elaborated. */
#ifndef DLNC_TESTS_MADE_H
#define DLNC_TESTS_MADE_H
#include "tensor/model.h"

typedef struct Made {
    Program *value; /* the model block alone, half of them for training, and its value; NULL if it was refused */
    Tensor *y;
    Model *model; /* the whole file; NULL without a train block */
} Made;
/* What was refused has its errors reported. */
Made random_make(const char *text, uint64_t seed, bool accumulate);
#endif
