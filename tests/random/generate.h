/* generate.h: random valid .dln files. The same seed gives the same file (built by the same
 * compiler: C leaves open in which order arguments are made). */
#ifndef DLNC_TESTS_GENERATE_H
#define DLNC_TESTS_GENERATE_H
#include "base/text.h"
#include <stdint.h>

/* Of three files one is a model of the library's layers, two have definitions of equations of their own: all kinds of
 * subscripts, `else`, pieces, fused axes, packs, scans, reductions, gathers, states, refinements, with and without the
 * batch. Most have a train block: losses and an optimizer, made of equations or the library's. */
const char *generate(uint64_t seed);
#endif
