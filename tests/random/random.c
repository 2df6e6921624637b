/* random.c: random programs (generate.c; each third one of layers, stacks.c) through the front end: gradient against differences, the normal form against
 * the program (check.h).
 *
 *     random [COUNT [FIRST]]     COUNT programs from seed FIRST on; 1000 from 0
 *     random -s SEED             one, with its text and its equations
 *     random -p SEED             its text only: a file for dlnc
 *
 * A program that the elaborator refuses is wrong too: they are all valid. A failure names its seed. */
#include "base/text.h"
#include "check.h"
#include "made.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed_now;
static const char *text_now; /* of the program that is being checked */
static FILE *messages;

static void report_end(void)
{
    if (text_now) printf("seed %llu ended the process:\n%s", (unsigned long long)seed_now, text_now);
}

static void report_signal(int number)
{
    report_end();
    fflush(stdout);
    signal(number, SIG_DFL);
    raise(number);
}

typedef struct Totals {
    int checked, wrong, derivatives, forward, backward, simplified;
} Totals;

static void check_seed(uint64_t seed, Totals *totals, bool verbose)
{
    arena_release();
    program_reset();
    diag_begin(verbose ? stderr : messages, DIAG_TEXT, false);
    seed_now = seed;
    const char *text = random_text(seed);
    text_now = text;
    if (verbose) printf("%s", text);
    Model *m;
    Tensor *y;
    Program *p = random_program(text, seed, &m, &y);
    if (!y || error_count()) {
        totals->wrong++;
        printf("seed %llu: was refused\n", (unsigned long long)seed);
    } else {
        Checked c = program_check(p, y, seed, 12);
        totals->checked++;
        totals->derivatives += c.derivatives;
        totals->forward += c.forward;
        totals->backward += c.backward;
        totals->simplified += c.simplified;
        totals->wrong += c.what != NULL;
        if (c.what) printf("seed %llu: %s\n", (unsigned long long)seed, c.what);
        if (verbose) program_print(p, stdout);
        if (verbose) {
            printf("---- simplified\n");
            simplify(p);
            program_print(p, stdout);
        }
    }
    text_now = NULL;
}

int main(int argc, char **argv)
{
    messages = fopen("/dev/null", "w");
    atexit(report_end);
    signal(SIGSEGV, report_signal);
    signal(SIGABRT, report_signal);
    signal(SIGFPE, report_signal);
    if (argc > 2 && strcmp(argv[1], "-p") == 0) {
        fputs(random_text(strtoull(argv[2], NULL, 10)), stdout);
        return 0;
    }
    bool one = argc > 2 && strcmp(argv[1], "-s") == 0;
    uint64_t count = one ? 1 : argc > 1 ? strtoull(argv[1], NULL, 10) : 1000;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    Totals t = { 0 };
    for (uint64_t seed = first; seed < first + count; seed++) check_seed(seed, &t, one);
    printf("%d random programs, %d derivatives, %d + %d equations, %d simplified; %d wrong\n", t.checked, t.derivatives,
           t.forward, t.backward, t.simplified, t.wrong);
    return t.wrong || t.checked == 0;
}
