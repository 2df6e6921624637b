/* prefetch.c: a thread that copies the samples of the next step while a step is computed. Which samples those are
 * follows from the place in training alone, so they are the same with the thread and without it; if training goes
 * elsewhere than was said, what the thread has is dropped. Where no thread can be had, or it has not come to it on a busy
 * machine, the samples are copied by who needs them. SPDX-License-Identifier: 0BSD */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "run.h"

extern int omp_get_max_threads(void) __attribute__((weak));
extern int omp_get_num_places(void) __attribute__((weak));
extern int omp_get_place_num_procs(int) __attribute__((weak));
extern void omp_get_place_proc_ids(int, int *) __attribute__((weak));

bool prefetch_has_core(void)
{
    const int threads = omp_get_max_threads ? omp_get_max_threads() : 1;
    return sysconf(_SC_NPROCESSORS_ONLN) > threads;
}

/* OpenMP binds the thread that starts us to one core, for itself: any core of its places will do here. */
static void cores_free(void)
{
    enum { MOST = 4096 };
    static int id[MOST];
    cpu_set_t all;
    CPU_ZERO(&all);
    for (int i = 0, places = omp_get_num_places && omp_get_place_num_procs ? omp_get_num_places() : 0; i < places;
         i++) {
        const int count = omp_get_place_num_procs(i);
        if (count > MOST) continue;
        omp_get_place_proc_ids(i, id);
        for (int k = 0; k < count; k++)
            if (id[k] >= 0 && id[k] < CPU_SETSIZE) CPU_SET(id[k], &all);
    }
    if (CPU_COUNT(&all)) sched_setaffinity(0, sizeof all, &all);
}

static void *prefetch_work(void *context)
{
    Prefetch *q = context;
    cores_free();
    pthread_mutex_lock(&q->lock);
    for (;;) {
        while (q->state != PREFETCH_ASKED && !q->ends) pthread_cond_wait(&q->change, &q->lock);
        if (q->ends) break;
        q->state = PREFETCH_BEGUN;
        pthread_mutex_unlock(&q->lock);
        feed_fill(q->feed, &q->place, q->spare);
        pthread_mutex_lock(&q->lock);
        q->state = PREFETCH_READY;
        pthread_cond_broadcast(&q->change);
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

void prefetch_begin(Prefetch *q, Feed *f)
{
    Problem ignored;
    sigset_t all, before;
    if (q->runs || q->tried) return;
    *q = (Prefetch){ .feed = f, .tried = true };
    if (!(q->spare = feed_buffers(f, &ignored))) return;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->change, NULL);
    sigfillset(&all); /* signals are for the thread that trains */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    q->runs = !pthread_create(&q->thread, NULL, prefetch_work, q);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (q->runs) return;
    pthread_cond_destroy(&q->change);
    pthread_mutex_destroy(&q->lock);
}

static bool place_equal(const FeedPlace *a, const FeedPlace *b)
{
    return a->first == b->first && a->n == b->n && a->shift == b->shift && a->mixed == b->mixed &&
           a->order.key == b->order.key && a->order.count == b->order.count && a->order.bits == b->order.bits;
}

void prefetch_fetch(Prefetch *q, Feed *f, const FeedPlace *place)
{
    bool got = false;
    if (q->runs) {
        pthread_mutex_lock(&q->lock);
        while (q->state == PREFETCH_BEGUN) pthread_cond_wait(&q->change, &q->lock);
        got = q->state == PREFETCH_READY && place_equal(&q->place, place);
        q->state = PREFETCH_IDLE;
        pthread_mutex_unlock(&q->lock);
    }
    if (!got) {
        feed_fill(f, place, f->buffer);
        return;
    }
    for (int i = 0; i < f->model->fields; i++) {
        void *filled = q->spare[i];
        q->spare[i] = f->buffer[i];
        f->fields[i] = f->buffer[i] = filled;
    }
}

void prefetch_ask(Prefetch *q, const FeedPlace *place)
{
    if (!q->runs) return;
    pthread_mutex_lock(&q->lock);
    q->place = *place;
    q->state = PREFETCH_ASKED;
    pthread_cond_broadcast(&q->change);
    pthread_mutex_unlock(&q->lock);
}

void prefetch_end(Prefetch *q)
{
    if (q->runs) {
        pthread_mutex_lock(&q->lock);
        q->ends = true;
        pthread_cond_broadcast(&q->change);
        pthread_mutex_unlock(&q->lock);
        pthread_join(q->thread, NULL);
        pthread_cond_destroy(&q->change);
        pthread_mutex_destroy(&q->lock);
    }
    for (int i = 0; q->spare && i < q->feed->model->fields; i++) free(q->spare[i]);
    free(q->spare);
    *q = (Prefetch){ .tried = true };
}
