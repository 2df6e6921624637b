/* flash.c: a program of a small machine: the weights are constants (export --output w.h), nothing is read.
 * SPDX-License-Identifier: MIT */
#include "small.h"
#include "w.h"
#include <stdio.h>

static _Alignas(SMALL_MODEL_ALIGN) unsigned char memory[SMALL_MODEL_INFER_BYTES];

int main(void)
{
    static small_model m;
    const float samples[2][3] = { { 1.5f, 0.3f, 4 }, { 0.2f, -0.4f, 8 } };
    float out[2][3];
    int status = small_model_init(&m, memory, sizeof memory, 1);
    if (!status) status = small_model_weights_load(&m);
    if (!status) status = small_model_predict(&m, &samples[0][0], 2, &out[0][0]);
    if (status) return fprintf(stderr, "%s\n", small_model_strerror(status)), 1;
    for (int i = 0; i < 2; i++) printf("%.9g,%.9g,%.9g\n", (double)out[i][0], (double)out[i][1], (double)out[i][2]);
    return 0;
}
