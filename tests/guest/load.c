/* load.c: a shared object with a model is loaded, trains a step, predicts and is unloaded, 1,000 times. It really goes each
 * time, and the process does not grow. With OpenMP the program has its library too: when libgomp goes with the object, its
 * waiting threads are left without code.
 *     load OBJECT
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "guest.h"
#include <dlfcn.h>
#include <unistd.h>

enum { TIMES = 1000, WARM = 200, GROWTH_KB = 512 };

static long resident_kb(void)
{
    long all, here = -1;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", &all, &here) != 2) here = -1;
    if (f) fclose(f);
    return here < 0 ? -1 : here * (sysconf(_SC_PAGESIZE) / 1024);
}

/* One life of the object: 0, or what failed. */
static const char *life(const char *path, Guest *g)
{
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object) return dlerror();
    __typeof__(net_init) *init;
    __typeof__(net_step) *step;
    __typeof__(net_predict) *predict;
    *(void **)&init = dlsym(object, "net_init");
    *(void **)&step = dlsym(object, "net_step");
    *(void **)&predict = dlsym(object, "net_predict");
    if (!init || !step || !predict) return "a call is not there";
    if (init(&g->m, g->memory, NET_TRAIN_BYTES, 7) || step(&g->m, g->batch.x, g->batch.label, NET_BATCH, &g->loss)
        || predict(&g->m, g->batch.x, NET_BATCH, g->out)) return "a call fails";
    if (dlclose(object)) return dlerror();
    return dlopen(path, RTLD_NOW | RTLD_NOLOAD) ? "it stays after dlclose" : NULL;
}

int main(int argc, char **argv)
{
    static Guest g;
    long before = 0;
    unsigned long long first = 0;
    if (argc < 2) return 2;
    guest_begin(&g);
    for (int i = 0; i < TIMES; i++) {
        const char *what = life(argv[1], &g);
        if (what) { printf("time %d: %s\n", i, what); return 1; }
        if (i == 0) first = guest_hash(&g);
        if (guest_hash(&g) != first) { printf("time %d: other results\n", i); return 1; }
        if (i == WARM) before = resident_kb();
    }
    const long grown = resident_kb() - before;
    printf("loaded and unloaded %d times: grows by %ld KB\n", TIMES, grown);
    guest_end(&g);
    return grown > GROWTH_KB;
}
