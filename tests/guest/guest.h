/* guest.h: a batch for any model of this folder and one function for each call of its header, so that the tests can go
 * through all of them. The models are compiled with --prefix=net; their fields are `x` and `label`, whose types and sizes
 * run gives as X, X_SIZE, LABEL; HAS_measure and the like say which calls the header declares.
 * SPDX-License-Identifier: MIT */
#ifndef GUEST_H
#define GUEST_H
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Batch { X x[NET_BATCH * X_SIZE]; LABEL label[NET_BATCH]; } Batch;

/* An instance with all that its calls are given. */
typedef struct Guest {
    net m;
    void *memory;
    Batch batch;
    float out[NET_BATCH * 4], values[4096];
    double loss, report[NET_METRICS];
    unsigned char state[NET_STATE_BYTES];
} Guest;

static inline unsigned guest_random(unsigned *state) { return (*state = *state * 1664525u + 1013904223u) >> 8; }

/* Classes 0 .. 2 and tokens 0 .. 19; values between -1 and 1. */
static inline void batch_fill(Batch *b, unsigned seed)
{
    for (int i = 0; i < NET_BATCH; i++) {
        int kind = (int)(guest_random(&seed) % 3);
        b->label[i] = (LABEL)kind;
        for (int k = 0; k < X_SIZE; k++) {
            unsigned r = guest_random(&seed) % 1000;
            b->x[i * X_SIZE + k] = (X)0.5 != 0 ? (X)(((double)r / 500 - 1 + kind) / 3) : (X)((int)r % 6 + 6 * kind);
        }
    }
}

static inline void guest_begin(Guest *g)
{
    memset(g, 0, sizeof *g);
    g->memory = aligned_alloc(NET_ALIGN, (NET_TRAIN_BYTES + NET_ALIGN - 1) / NET_ALIGN * NET_ALIGN);
    if (!g->memory) abort();
    batch_fill(&g->batch, 1);
}

static inline void guest_end(Guest *g) { free(g->memory); }

/* ---- the calls, in an order that works ---- */
typedef int Call(Guest *g);
static inline int call_init(Guest *g) { return net_init(&g->m, g->memory, NET_TRAIN_BYTES, 7); }
#ifdef HAS_measure
static inline int call_measure(Guest *g)
{
    for (int pass = 0;; pass++) {                /* as many passes as there are: the one after the last is no pass */
        int status = net_measure(&g->m, pass, g->batch.x, NET_BATCH);
        if (status) return status == NET_NUMBER && pass > 0 ? 0 : status;
        if (net_settle(&g->m)) return NET_ORDER;
    }
}
#endif
static inline int call_step(Guest *g) { return net_step(&g->m, g->batch.x, g->batch.label, NET_BATCH, &g->loss); }
static inline int call_accumulate(Guest *g) { return net_accumulate(&g->m, g->batch.x, g->batch.label, NET_BATCH - 1, &g->loss); }
static inline int call_apply(Guest *g) { return net_apply(&g->m); }
static inline int call_evaluate(Guest *g) { return net_evaluate(&g->m, g->batch.x, g->batch.label, NET_BATCH, &g->loss); }
static inline int call_predict(Guest *g) { return net_predict(&g->m, g->batch.x, NET_BATCH, g->out); }
static inline int call_report(Guest *g) { return net_report(&g->m, g->report); }
static inline int call_reset(Guest *g) { return net_reset(&g->m); }
static inline int call_set(Guest *g) { return net_set(&g->m, 0, 0.01); }
#ifdef HAS_clock
static inline int call_clock(Guest *g) { return net_clock(&g->m, 0, 3); }
#endif
static inline int call_tensors(Guest *g) { int n; (void)g; return net_tensors(&n) ? n != NET_TENSORS : -1; }
static inline int call_get(Guest *g) { return net_get(&g->m, 0, g->values); }
static inline int call_put(Guest *g) { return net_put(&g->m, 0, g->values); }
static inline int call_export_state(Guest *g) { return net_export_state(&g->m, g->state, sizeof g->state); }
static inline int call_import_state(Guest *g) { return net_import_state(&g->m, g->state, sizeof g->state); }
static inline int call_set_iteration(Guest *g) { return net_set_iteration(&g->m, 5, 9); }
static inline int call_strerror(Guest *g) { (void)g; return net_strerror(NET_RANGE) ? 0 : -1; }

static const struct { const char *name; Call *call; } calls[] = {
    { "init", call_init },
#ifdef HAS_measure
    { "measure settle", call_measure },
#endif
    { "step", call_step }, { "accumulate", call_accumulate }, { "apply", call_apply }, { "step", call_step },
    { "evaluate", call_evaluate }, { "predict", call_predict }, { "report", call_report }, { "reset", call_reset },
    { "set", call_set },
#ifdef HAS_clock
    { "clock", call_clock },
#endif
    { "tensors", call_tensors }, { "get", call_get }, { "put", call_put },
    { "export_state", call_export_state }, { "import_state", call_import_state },
    { "set_iteration", call_set_iteration }, { "strerror", call_strerror },
};
enum { CALLS = sizeof calls / sizeof *calls };

/* ---- what has come out, as one number ---- */
static inline unsigned long long hash_add(unsigned long long h, const void *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) h = (h ^ ((const unsigned char *)at)[i]) * 1099511628211u;
    return h;
}

static inline unsigned long long guest_hash(const Guest *g)
{
    unsigned long long h = hash_add(14695981039346656037u, g->out, sizeof g->out);
    h = hash_add(h, g->state, sizeof g->state);
    h = hash_add(h, g->report, sizeof g->report);
    return hash_add(h, &g->loss, sizeof g->loss);
}
#endif
