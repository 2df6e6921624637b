/* fake_model.h: a hand-written dln_model for tests of the host program: softmax regression with momentum. */
#ifndef FAKE_MODEL_H
#define FAKE_MODEL_H
#include "host/dln.h"

/* The model over `inputs` numbers (a square of them is an image) and `classes`; data and train blocks as given. One at a
 * time: the next call changes it. */
dln_model *fake_model(const char *input, int inputs, int classes);
/* The same with data and train blocks that train it on MNIST. */
dln_model *fake_mnist(void);
extern int64_t fake_fail_step, fake_signal_step; /* the loss is nan at this step; SIGINT comes in that one; 0: never */
#endif
