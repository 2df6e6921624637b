/* learn.c: a firmware's whole program: the model points.dln in static memory learns which of three regions a point lies
 * in, from points that it draws itself, and is tested on others. Prints the loss before and after, how many of 200 test
 * points are right, the bytes, and one number that depends on every bit of the state. Where there is no libc (WebAssembly)
 * DLN_BARE leaves out main; the caller asks learn() for the number.
 * SPDX-License-Identifier: MIT */
#include "points.h"
#ifndef DLN_BARE
#include <stdio.h>
#endif

static _Alignas(POINTS_ALIGN) unsigned char memory[POINTS_TRAIN_BYTES];
static points net;
static unsigned char state[POINTS_STATE_BYTES];
static double first, last;
static int right;

static uint32_t draws = 1;
static float draw(void) { return (float)((draws = draws * 1664525u + 1013904223u) >> 8) * (2.0f / 16777216.0f) - 1.0f; }

static void fill(float *x, int32_t *label, int n)
{
    for (int i = 0; i < n; i++) {
        const float a = x[2 * i] = draw(), b = x[2 * i + 1] = draw();
        label[i] = a * a + b * b < 0.4f ? 0 : a > b ? 1 : 2;
    }
}

uint64_t learn(void);
uint64_t learn(void)
{
    float x[2 * POINTS_BATCH], y[3 * POINTS_BATCH];
    int32_t label[POINTS_BATCH];
    double loss;
    uint64_t hash = UINT64_C(14695981039346656037);
    if (points_init(&net, memory, sizeof memory, 7)) return 1;
    for (int step = 0; step < 400; step++) {
        fill(x, label, POINTS_BATCH);
        if (points_step(&net, x, label, POINTS_BATCH, &loss)) return 2;
        if (step < 20) first += loss / 20;
        if (step >= 380) last += loss / 20;
    }
    for (int i = 0; i < 200; i += POINTS_BATCH) {
        fill(x, label, POINTS_BATCH);
        if (points_predict(&net, x, POINTS_BATCH, y)) return 3;
        for (int k = 0; k < POINTS_BATCH; k++) {
            int best = 0;
            for (int c = 1; c < 3; c++) if (y[3 * k + c] > y[3 * k + best]) best = c;
            right += best == label[k];
        }
    }
    if (points_export_state(&net, state, sizeof state)) return 4;
    for (size_t i = 0; i < sizeof state; i++) hash = (hash ^ state[i]) * UINT64_C(1099511628211);
    return last < 0.5 * first && right >= 180 ? hash : 5;
}

#ifndef DLN_BARE
int main(void)
{
    const unsigned long long hash = learn();
    printf("loss %.3f to %.3f, %d of 200 right, %u bytes of memory\n%016llx\n", first, last, right, (unsigned)sizeof memory, hash);
    return hash < 6;
}
#endif
