/* generate.h: random valid .dln files. The same seed gives the same file. */
#ifndef DLNC_TESTS_GENERATE_H
#define DLNC_TESTS_GENERATE_H
#include "base/text.h"
#include <stdint.h>

/* A definition of a few equations and a model that calls it: all kinds of subscripts, `else`, pieces, fused axes, scans,
 * reductions, gathers, functions of the library, with and without the batch. */
const char *generate(uint64_t seed);
/* A model of layers of the library. */
const char *generate_stack(uint64_t seed);
#endif
