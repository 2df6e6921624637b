/* explain.h: `dlnc --explain NAME [FILE.dln]`: what a name of the language, its library or a file means. */
#ifndef DLNC_EXPLAIN_H
#define DLNC_EXPLAIN_H
#include "driver/options.h"

/* Prints it. Returns the exit code: EXIT_USAGE for a name that is unknown. */
int explain_name(const Options *o);
#endif
