/* host_allocators.h: the allocators of libc replaced by ones that count and, from allocation number `until` on, fail once or
 * for good; while `counts`. Under ASan, which has allocators of its own, OWN_ALLOCATORS is not defined: the tests are left out.
 * SPDX-License-Identifier: 0BSD */
#ifndef HOST_ALLOCATORS_H
#define HOST_ALLOCATORS_H
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#if defined __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifndef __SANITIZE_ADDRESS__
#define OWN_ALLOCATORS 1
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void __libc_free(void *);
static bool counts, for_good, refused;
static long until = -1, made, live; /* allocations that still succeed, -1: all do; those made; those not yet freed */

static bool refuses(void)
{
    if (!counts) return false;
    made++;
    if (until < 0 || until-- > 0) return false;
    if (for_good) until = 0;
    errno = ENOMEM;
    return refused = true;
}
static void *counted(void *p)
{
    live += counts && p;
    return p;
}
void *malloc(size_t n) { return refuses() ? NULL : counted(__libc_malloc(n)); }
void *calloc(size_t a, size_t b) { return refuses() ? NULL : counted(__libc_calloc(a, b)); }
void *realloc(void *p, size_t n)
{
    if (refuses()) return NULL;
    return p ? __libc_realloc(p, n) : counted(__libc_malloc(n));
}
void free(void *p)
{
    live -= counts && p;
    __libc_free(p);
}
#endif
#endif
