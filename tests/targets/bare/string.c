/* string.c: memcpy, memset and memmove, byte by byte.
 * SPDX-License-Identifier: MIT */
#include "string.h"

void *memmove(void *to, const void *from, size_t n);

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    for (size_t i = 0; i < n; i++) t[i] = f[i];
    return to;
}
void *memset(void *at, int byte, size_t n)
{
    unsigned char *t = at;
    for (size_t i = 0; i < n; i++) t[i] = (unsigned char)byte;
    return at;
}
void *memmove(void *to, const void *from, size_t n)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    if (t < f) for (size_t i = 0; i < n; i++) t[i] = f[i];
    else for (size_t i = n; i > 0; i--) t[i - 1] = f[i - 1];
    return to;
}
