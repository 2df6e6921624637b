/* batch.c: see batch.h. What makes 100,000 programs cheap enough was measured on 16 of them, 4,000 lines of C with the
 * core: tcc compiles that in 10 ms (the core's plain C, one thread), clang -O0 in 0.28 s, gcc -O0 in 0.5, gcc -O1 in
 * 1.4, clang -O1 in 2.1. So every program goes through tcc, and one batch in many also through the others, with vectors
 * and threads. Which, the number of the batch says: a seed is always checked in the same way. Several batches share a
 * process, whose memory they use again: a quarter of the time went to fresh pages. */
#include "batch.h"
#include "check.h"
#include "made.h"
#include "oracle.h"
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const outcome_name[] = { "fine", "unstable", "refused", "gradient", "broken", "no C", "no end", "differs" };

#define PLAIN "-DDLN_PORTABLE -Wno-unsupported"
#define STRONG "-O3 -march=native"
typedef struct Variant {
    const char *cc, *flags;
    bool wide, fuse, blas;
    int threads, every, at; /* in the batches whose number is `at` modulo `every` */
    int force;              /* --schedule */
} Variant;
static const Variant variants[] = {
    { "tcc", PLAIN, true, true, false, 1, 2, 0 },
    { "tcc", PLAIN, true, false, false, 1, 2, 1 },
    { "tcc", PLAIN, false, true, false, 1, 10, 3 },
    { "tcc", PLAIN, true, true, false, 1, 4, 1, FORCE_ALL },
    { "tcc", PLAIN, true, true, false, 1, 8, 2, FORCE_ROWS },
    { "clang", "-O0 -march=native", true, true, false, 2, 100, 5 },
    { "clang", "-O0", false, false, false, 1, 100, 56 },
    { "clang", "-O1 -march=native", true, true, false, 2, 400, 157, FORCE_ALL },
    { "gcc", "-O1 -march=native", true, true, false, 4, 400, 37 },
    { "gcc", "-O1", true, false, false, 2, 400, 238 },
    { "gcc", STRONG, true, true, true, 2, 1000, 21 },
    { "gcc", STRONG, false, true, false, 4, 1000, 242 },
    { "clang", STRONG, true, true, false, 4, 1000, 443 },
    { "clang", STRONG, false, true, false, 2, 1000, 664 },
    { "gcc", "-O2 -march=native", false, true, true, 1, 1000, 885 },
};
enum { VARIANTS = sizeof variants / sizeof *variants };

VariantSet variants_of(uint64_t batch, int rich)
{
    VariantSet set = 0;
    for (int v = 0; v < VARIANTS; v++) {
        uint64_t every = (uint64_t)(variants[v].every > 10 ? variants[v].every / rich : variants[v].every);
        if (every < 2 || batch % every == (uint64_t)variants[v].at % every) set |= 1u << v;
    }
    return set;
}

VariantSet variants_all(void) { return (1u << VARIANTS) - 1; }

const char *variant_name(int v)
{
    static char name[128];
    if (v < 0 || v >= VARIANTS) return "the front end";
    const Variant *x = &variants[v];
    static const char *const forced[] = { "", ", rows forced", ", everything forced" };
    snprintf(name, sizeof name, "%s %s, %s, %s, %d thread%s%s%s", x->cc, strcmp(x->cc, "tcc") ? x->flags : "plain",
             x->wide ? "double" : "float", x->fuse ? "fused" : "not fused", x->threads, x->threads > 1 ? "s" : "",
             x->blas ? ", BLAS" : "", forced[x->force]);
    return name;
}

/* ---- one process ---- */
typedef struct Report {
    Outcome outcome;
    int variant;
} Report;
typedef struct Child {
    Job *jobs;
    int count;
    Report *report;
    Counts counts;
    Oracle oracle;
    LIST(int) job_of; /* of each case of the oracle */
} Child;

static void run_add(OracleRun *runs, int *count, Program *p, int64_t iteration, bool part)
{
    if (p) runs[(*count)++] = (OracleRun){ p, iteration, part };
}

/* The model's life: it begins, three steps (the last of half a batch); then it predicts, or is evaluated, or gathers
 * the gradients of two batches for another step. */
static void add_model(Child *c, const Model *m, uint64_t seed)
{
    OracleRun runs[32];
    int count = 0;
    run_add(runs, &count, m->initialize, 0, false);
    for (int i = 0; i < m->measure.count && i < 8; i++) run_add(runs, &count, m->measure.at[i], 0, i % 2);
    run_add(runs, &count, m->settle, 0, false);
    for (int i = 1; i <= 3; i++) run_add(runs, &count, m->step, i, i == 3);
    if (seed % 4 == 0) run_add(runs, &count, m->predict, 4, seed % 8 == 0);
    if (seed % 4 == 1) {
        run_add(runs, &count, m->accumulate, 4, false);
        run_add(runs, &count, m->accumulate, 5, true);
        run_add(runs, &count, m->apply, 5, false);
    }
    if (seed % 4 == 2) {
        run_add(runs, &count, m->evaluate, 4, seed % 8 == 2);
        run_add(runs, &count, m->report, 4, false);
    }
    oracle_add_runs(&c->oracle, format("seed %d", (int)seed), seed, runs, count);
}

static void set_outcome(Child *c, int job, Outcome outcome, int variant)
{
    if (c->report[job].outcome < outcome) c->report[job] = (Report){ outcome, variant };
}

/* Makes the program of a job; its derivatives against differences; what is to be compared goes to the oracle. */
static void job_add(Child *c, int k)
{
    const Job *job = &c->jobs[k];
    int errors = error_count();
    Made made = random_make(job->text, job->seed, job->seed % 4 == 1);
    c->counts.programs++;
    if (error_count() != errors || !made.value || !made.y) {
        set_outcome(c, k, REFUSED, -1);
        return;
    }
    Checked checked = program_check(made.value, made.y, job->seed, 3);
    c->counts.derivatives += checked.derivatives;
    c->counts.equations += checked.forward + checked.backward;
    if (checked.what) printf("    seed %d: %s\n", (int)job->seed, checked.what);
    if (checked.what) set_outcome(c, k, GRADIENT, -1);
    if (made.model && job->seed % 2) { /* derivatives by inputs: every second time is enough */
        c->counts.trained++;
        add_model(c, made.model, job->seed);
        PUSH(c->job_of, k);
        return;
    }
    simplify(made.value);
    oracle_add_runs(&c->oracle, format("seed %d", (int)job->seed), job->seed, &(OracleRun){ made.value, 3, false }, 1);
    PUSH(c->job_of, k);
    if (!made.model) return;
    c->counts.trained++;
    add_model(c, made.model, job->seed);
    PUSH(c->job_of, k);
}

static void run_variant(Child *c, int v, const char *folder)
{
    const Variant *x = &variants[v];
    OracleOptions options = { .wide = x->wide,
                              .fuse = x->fuse,
                              .blas = x->blas,
                              .force = x->force,
                              .threads = x->threads,
                              .cc = x->cc,
                              .flags = x->flags,
                              .folder = folder,
                              .forgive = true };
    int failed = oracle_run(&c->oracle, &options);
    if (failed < 0)
        for (int k = 0; k < c->count; k++) set_outcome(c, k, failed == -1 ? NO_C : NO_END, v);
    c->counts.values += c->oracle.compared;
    if (c->oracle.worst > c->counts.worst) c->counts.worst = c->oracle.worst;
    for (int i = 0; failed >= 0 && i < c->oracle.cases.count; i++) {
        const OracleCase *one = &c->oracle.cases.at[i];
        if (one->failed || one->unstable) set_outcome(c, c->job_of.at[i], one->failed ? DIFFERS : UNSTABLE, v);
    }
    c->counts.runs[v] += c->count;
}

static void check_part(Child *all, int first, int count, VariantSet set, const char *folder)
{
    arena_release();
    program_reset();
    diag_begin(stdout, DIAG_TEXT, false);
    Child c = { .jobs = all->jobs + first, .count = count, .report = all->report + first, .counts = all->counts };
    for (int k = 0; k < count; k++) job_add(&c, k);
    for (int v = 0; v < VARIANTS; v++)
        if (set >> v & 1 && c.oracle.cases.count) run_variant(&c, v, folder);
    all->counts = c.counts;
}

static void child_run(Child *c, const VariantSet *sets, const char *folder, int to)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 30); /* what the arena lets go of is there for the next part */
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    c->report = calloc((size_t)c->count, sizeof *c->report);
    for (int at = 0; at < c->count; at += BATCH) {
        alarm(300);
        check_part(c, at, c->count - at < BATCH ? c->count - at : BATCH, sets[at / BATCH], folder);
    }
    fflush(stdout);
    bool written = write(to, c->report, sizeof *c->report * (size_t)c->count) > 0 &&
                   write(to, &c->counts, sizeof c->counts) == (ssize_t)sizeof c->counts;
    _exit(!written);
}

static void read_all(int from, void *to, size_t bytes)
{
    for (ssize_t got; bytes > 0 && (got = read(from, to, bytes)) > 0; bytes -= (size_t)got) to = (char *)to + got;
}

static const char *file_text(const char *path)
{
    static char text[4096];
    FILE *f = fopen(path, "r");
    text[f ? fread(text, 1, sizeof text - 1, f) : 0] = 0;
    if (f) fclose(f);
    return text;
}

void batch_check(Job *jobs, int count, const VariantSet *sets, const char *folder, Counts *counts, const char **message)
{
    char log[4096];
    snprintf(log, sizeof log, "%s/messages", folder);
    int ends[2];
    fflush(stdout);
    if (pipe(ends)) exit(3);
    pid_t child = fork();
    if (child == 0) {
        Child c = { .jobs = jobs, .count = count };
        close(ends[0]);
        if (!freopen(log, "w", stdout) || dup2(1, 2) < 0) _exit(3);
        child_run(&c, sets, folder, ends[1]);
    }
    close(ends[1]);
    Report *report = calloc((size_t)count, sizeof *report);
    Counts more = { 0 };
    read_all(ends[0], report, sizeof *report * (size_t)count);
    read_all(ends[0], &more, sizeof more);
    close(ends[0]);
    int status = -1;
    waitpid(child, &status, 0);
    for (int k = 0; k < count; k++) {
        jobs[k].outcome = status ? BROKEN : report[k].outcome;
        jobs[k].variant = status ? -1 : report[k].variant;
        more.unstable += !status && report[k].outcome == UNSTABLE;
    }
    free(report);
    if (message) *message = file_text(log);
    if (!counts) return;
    counts->programs += more.programs;
    counts->trained += more.trained;
    counts->derivatives += more.derivatives;
    counts->equations += more.equations;
    counts->values += more.values;
    counts->unstable += more.unstable;
    for (int v = 0; v < VARIANTS; v++) counts->runs[v] += more.runs[v];
    if (more.worst > counts->worst) counts->worst = more.worst;
}
