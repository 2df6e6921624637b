/* parallel.c: threads, each with an instance of its own, make all calls at the same time; the results are those of one
 * thread alone. Built under TSan (without OpenMP) and once with OpenMP, where every thread has a team of its own.
 * SPDX-License-Identifier: MIT */
#include "guest.h"
#include <pthread.h>

enum { THREADS = 4, ROUNDS = 5 };
static unsigned long long results[THREADS + 1];

static void *all_calls(void *result)
{
    Guest *g = malloc(sizeof *g);
    if (!g) abort();
    guest_begin(g);
    unsigned long long hash = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CALLS; i++)
            if (calls[i].call(g)) { printf("%s fails\n", calls[i].name); exit(1); }
        hash = hash * 31 + guest_hash(g);
    }
    *(unsigned long long *)result = hash;
    guest_end(g);
    free(g);
    return NULL;
}

int main(void)
{
    pthread_t thread[THREADS];
    int failures = 0;
    all_calls(&results[THREADS]);
    for (int i = 0; i < THREADS; i++) if (pthread_create(&thread[i], NULL, all_calls, &results[i])) return 3;
    for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
    for (int i = 0; i < THREADS; i++) failures += results[i] != results[THREADS];
    printf("%d threads, each with its own instance: %d with other results\n", THREADS, failures);
    return failures != 0;
}
