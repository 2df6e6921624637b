/* foreign.h: in the host program's section of model.c, where tensors lie in a PyTorch file. */
#ifndef DLNC_EMIT_FOREIGN_H
#define DLNC_EMIT_FOREIGN_H
#include "emit/emit.h"

/* Functions from an element's place to its place there, then the table host_foreign[]; the number of its rows. */
int foreign_text(const Emission *e, Text *to);
#endif
