/* main.c: the program of the snippets in docs/embedding.md, in C and in C++: a model learns a little, the weights' size is
 * printed, which tells one version of the model from another.
 * SPDX-License-Identifier: MIT */
#include "mlp.h"
#include <stdio.h>

static unsigned char room[MLP_TRAIN_BYTES + MLP_ALIGN];

int main(void)
{
    unsigned char *memory = room + (MLP_ALIGN - (uintptr_t)room % MLP_ALIGN) % MLP_ALIGN;
    float x[MLP_BATCH * 4], y[MLP_BATCH];
    double first = 0, last = 0;
    mlp m;
    int status = mlp_init(&m, memory, MLP_TRAIN_BYTES, 1);
    for (int i = 0; i < MLP_BATCH * 4; i++) x[i] = (float)(i % 5) / 4;
    for (int i = 0; i < MLP_BATCH; i++) y[i] = x[4 * i] - x[4 * i + 1];
    for (int step = 0; step < 50 && !status; step++) {
        status = mlp_step(&m, x, y, MLP_BATCH, &last);
        if (step == 0) first = last;
    }
    if (status) puts(mlp_strerror(status));
    else if (!(last < first)) puts("it does not learn");
    else printf("learned, %d bytes of weights, batches of %d\n", MLP_WEIGHT_BYTES, MLP_BATCH);
    return status || !(last < first);
}
