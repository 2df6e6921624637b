/* check.h: holds a tensor program against numbers: its gradient against differences of its value, its normal form
 * against itself. Shared by tests/gradient (the library's examples) and tests/random (made-up programs). */
#ifndef DLNC_TESTS_CHECK_H
#define DLNC_TESTS_CHECK_H
#include "tensor/program.h"

typedef struct Checked {
    int forward, backward, simplified; /* equations */
    int derivatives;                   /* compared with a difference */
    double error;                      /* the largest, by the measure below */
    const char *what;                  /* where it is; NULL: everything agrees */
} Checked;

enum { GRADIENT_LIMIT = 1000000 }; /* an error of 1 / GRADIENT_LIMIT and more is wrong */

/* Makes p the program of value y and of the gradient of sum(weight * y), with random weights, by every float input and
 * parameter. Compares, on random values of the leaves:
 *   - each gradient with central differences: |difference - gradient| / max(0.01, the tensor's largest difference);
 *     of a tensor with more than `limit` elements a random choice of them;
 *   - every value and gradient after simplify() with the same before: relative 1e-9.
 * With an odd seed the batch is not full. The programs are verified on the way: a violation ends the process (bug). */
Checked program_check(Program *p, Tensor *y, uint64_t seed, int limit);

/* Random numbers: SplitMix64. */
double random_uniform(uint64_t *state, double low, double high);
int random_below(uint64_t *state, int n);
#endif
