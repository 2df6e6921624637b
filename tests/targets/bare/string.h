/* string.h: all that a generated file asks of a C library, where there is none (WebAssembly).
 * SPDX-License-Identifier: MIT */
#ifndef BARE_STRING_H
#define BARE_STRING_H
#include <stddef.h>
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memset(void *at, int byte, size_t n);
#endif
