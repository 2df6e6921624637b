/* generate.h: random valid .dln files. The same seed gives the same file. */
#ifndef DLNC_TESTS_GENERATE_H
#define DLNC_TESTS_GENERATE_H
#include "base/text.h"
#include <stdbool.h>
#include <stdint.h>

/* A definition of a few equations, and what calls it: an example, or (*is_model) a model whose first axis is the batch.
 * All kinds of subscripts, `else`, pieces, fused axes, scans, reductions, gathers, functions of the library. */
const char *generate(uint64_t seed, bool *is_model);
#endif
