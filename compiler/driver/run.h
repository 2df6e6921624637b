/* run.h: dlnc run: compile, build with the C compiler of the environment, start. */
#ifndef DLNC_RUN_H
#define DLNC_RUN_H
#include "driver/options.h"

/* compile writes o->output and its header. Returns the started program's exit code, or dlnc's own. */
int run_model(const Options *o, int (*compile)(const Options *o));
#endif
