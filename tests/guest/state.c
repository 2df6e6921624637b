/* state.c: every call leaves the state of its process as it was. Under each rounding mode, with FTZ and DAZ on and off,
 * all calls are made, and around each of them are compared: rounding mode and control words, errno, locale, signal mask
 * and handlers, working folder, umask. Flags of floating-point exceptions may be raised by a call but never lowered.
 * With the default mode the results are the same before and after; under the others they stay sound.
 *     state [LOCALE]        prints the names of the calls and, last, the hash of the results in the default mode
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "guest.h"
#include <errno.h>
#include <fenv.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

/* The threads of a team keep the mode in which they were started, and which of them does what is left to chance. */
#ifdef _OPENMP
enum { ONE_THREAD = 0 };
#else
enum { ONE_THREAD = 1 };
#endif
enum { ERRNO = 4242, MODES = 4, SIGNALS = 65, RAISED = 0x3f };      /* RAISED: the flags of MXCSR */

typedef struct Host {
    int rounding, error;
    unsigned control;            /* MXCSR without its flags: rounding, FTZ, DAZ, which exceptions trap */
    unsigned short x87;          /* the same of the x87 */
    mode_t mask;
    sigset_t blocked;
    void *handler[SIGNALS];
    char folder[4096], locale[512];
} Host;

static void host_read(Host *h)
{
    const int error = errno;
    memset(h, 0, sizeof *h);
    h->error = error;
    h->rounding = fegetround();
#ifdef __SSE__
    h->control = _mm_getcsr() & ~(unsigned)RAISED;
    __asm__ volatile("fnstcw %0" : "=m"(h->x87));
#endif
    h->mask = umask(0);
    umask(h->mask);
    sigprocmask(SIG_BLOCK, NULL, &h->blocked);
    for (int s = 1; s < SIGNALS; s++) {
        struct sigaction now;
        if (!sigaction(s, NULL, &now)) h->handler[s] = (void *)now.sa_handler;
    }
    if (!getcwd(h->folder, sizeof h->folder)) abort();
    snprintf(h->locale, sizeof h->locale, "%s", setlocale(LC_ALL, NULL));
    errno = error;
}

static const char *difference(const Host *a, const Host *b)
{
    return a->rounding != b->rounding ? "the rounding mode"
         : a->control != b->control || a->x87 != b->x87 ? "the control word"
         : a->error != b->error ? "errno" : a->mask != b->mask ? "the umask"
         : memcmp(&a->blocked, &b->blocked, sizeof a->blocked) ? "the signal mask"
         : memcmp(a->handler, b->handler, sizeof a->handler) ? "a signal's handler"
         : strcmp(a->folder, b->folder) ? "the working folder" : strcmp(a->locale, b->locale) ? "the locale" : NULL;
}

static int failures;

/* All calls, with the flags of exceptions up or down before each. */
static unsigned long long calls_make(int flags, const char *mode)
{
    static Guest g;
    Host before, after;
    guest_begin(&g);
    for (int i = 0; i < CALLS; i++) {
        feclearexcept(FE_ALL_EXCEPT);
        feraiseexcept(flags);
        errno = ERRNO;
        host_read(&before);
        const int status = calls[i].call(&g);
        host_read(&after);
        const int lowered = flags & ~fetestexcept(FE_ALL_EXCEPT);
        const char *changed = difference(&before, &after);
        if (status || changed || lowered) {
            failures++;
            printf("%s, %s: status %d, changes %s, lowers flags 0x%x\n", calls[i].name, mode, status, changed ? changed : "nothing", lowered);
        }
        if (!isfinite(g.loss)) { failures++; printf("%s, %s: the loss is not finite\n", calls[i].name, mode); }
    }
    const unsigned long long hash = guest_hash(&g);
    guest_end(&g);
    return hash;
}

static void flush_to_zero(unsigned bits)
{
#ifdef __SSE__
    _mm_setcsr((_mm_getcsr() & ~0x8040u) | bits);
#else
    (void)bits;
#endif
}

int main(int argc, char **argv)
{
    static const int rounding[MODES] = { FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO };
    static const char *const name[MODES] = { "to nearest", "up", "down", "to zero" };
    sigset_t some;
    if (argc > 1 && !setlocale(LC_ALL, argv[1])) { printf("no locale %s\n", argv[1]); return 2; }
    if (argc > 1 && strcmp(localeconv()->decimal_point, ",")) { printf("%s has no decimal comma\n", argv[1]); return 2; }
    sigemptyset(&some);
    sigaddset(&some, SIGUSR1);
    sigaddset(&some, SIGALRM);
    sigprocmask(SIG_BLOCK, &some, NULL);
    signal(SIGPIPE, SIG_IGN);
    umask(027);

    const unsigned long long expected = calls_make(0, "first");
    for (int r = 0; r < MODES; r++)
        for (unsigned bits = 0; bits < 4; bits++) {
            char mode[80];
            snprintf(mode, sizeof mode, "rounding %s%s%s", name[r], bits & 1 ? ", FTZ" : "", bits & 2 ? ", DAZ" : "");
            fesetround(rounding[r]);
            flush_to_zero((bits & 1 ? 0x8000u : 0) | (bits & 2 ? 0x40u : 0));
            const unsigned long long up = calls_make(FE_ALL_EXCEPT, mode), down = calls_make(0, mode);
            if (up != down && (ONE_THREAD || r == 0)) { failures++; printf("%s: flags change the results\n", mode); }
            if (r == 0 && bits == 0 && up != expected) { failures++; printf("the results depend on flags\n"); }
        }
    fesetround(FE_TONEAREST);
    flush_to_zero(0);
    if (calls_make(0, "last") != expected) { failures++; printf("the results are not what they were before\n"); }

    for (int i = 0; i < CALLS; i++) printf("call %s\n", calls[i].name);
    printf("%d modes, %d calls: %d failures\n%016llx\n", MODES * 4, CALLS, failures, expected);
    return failures != 0;
}
