/* made.h: a random program, elaborated. */
#ifndef DLNC_TESTS_MADE_H
#define DLNC_TESTS_MADE_H
#include "tensor/model.h"

const char *random_text(uint64_t seed); /* each third one a model of layers, the others equations */
/* The program of the text, half of them for training; *y its value, NULL if it was refused (errors are reported). */
Program *random_program(const char *text, uint64_t seed, Model **m, Tensor **y);
#endif
