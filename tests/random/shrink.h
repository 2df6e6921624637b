/* shrink.h: the smallest form of a file that fails. */
#ifndef DLNC_TESTS_SHRINK_H
#define DLNC_TESTS_SHRINK_H
#include "batch.h"

/* A text that has the outcome of the job in its variant, from which nothing can be left out. */
const char *shrink(const Job *job, const char *folder);
#endif
