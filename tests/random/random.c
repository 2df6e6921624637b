/* random.c: random programs (generate.h), checked in batches (batch.h): derivatives against differences, the normal
 * form against the program, and the C of everything against the interpreter: values, gradients by every parameter
 * and input, the weights after three steps. A program that fails is made small (shrink.h) and kept in a folder.
 *
 *     random [COUNT [FIRST]]     COUNT programs from seed FIRST on; 1000 from 0
 *     random -p SEED             the text of one: a file for dlnc
 *     random -s SEED             checks that one in every variant
 *     random -f FILE..           the same for files: what was found once. Their first line is "# seed N: what it
 *                                was", or "# seed N: known: .." for a fault that is still there: it
 *                                is told, and not counted
 * The environment: RANDOM_FOLDER for what is compiled, FOUND_FOLDER for what is found, PROGRESS=seconds, SHRINK=0 to
 * leave what is found as it is, RICH=times as many programs through the slow compilers. */
#include "batch.h"
#include "generate.h"
#include "shrink.h"
#include "base/arena.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { GROUP = 20 }; /* batches in one process */
static const char *folder, *found_folder;
static Counts counts;
static long failures;

static const char *environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

/* A name of the variant that failed, and what was said, are in the first lines. */
static void keep_found(const Job *job, const char *small)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/seed_%llu.dln", found_folder, (unsigned long long)job->seed);
    FILE *f = fopen(path, "w");
    if (!f) return;
    fprintf(f, "# seed %llu: %s: %s\n%s", (unsigned long long)job->seed, variant_name(job->variant),
            outcome_name[job->outcome], small);
    fclose(f);
    printf("  made small: %s\n%s", path, small);
}

/* One job that may have failed, by itself: what it is, and its smallest form. */
static void look_at(const Job *job, VariantSet set)
{
    Job one = { .text = job->text, .seed = job->seed };
    const char *message;
    batch_check(&one, 1, &set, folder, NULL, &message);
    if (one.outcome <= UNSTABLE) return;
    failures++;
    printf("seed %llu: %s: %s\n%s", (unsigned long long)one.seed, variant_name(one.variant), outcome_name[one.outcome],
           message);
    fflush(stdout);
    if (*environment("SHRINK", "1") != '0') keep_found(&one, shrink(&one, folder));
    fflush(stdout);
}

/* Seeds from first to end, from the begin of a batch on. */
static void check_seeds(uint64_t first, uint64_t end, const VariantSet *sets)
{
    Job jobs[GROUP * BATCH];
    int count = 0, failed = 0;
    bool broken = false;
    for (uint64_t seed = first; seed < end; seed++)
        jobs[count++] = (Job){ .text = strdup(generate(seed)), .seed = seed };
    batch_check(jobs, count, sets, folder, &counts, NULL);
    for (int k = 0; k < count; k++) broken |= jobs[k].outcome == BROKEN;
    for (int at = 0; at < count && broken; at += BATCH) /* which batch it was */
        batch_check(jobs + at, count - at < BATCH ? count - at : BATCH, sets + at / BATCH, folder,
                    count > BATCH ? &counts : NULL, NULL);
    long before = failures;
    for (int k = 0; k < count; k++) {
        if (jobs[k].outcome == UNSTABLE)
            printf("(seed %llu: unstable: %s)\n", (unsigned long long)jobs[k].seed, variant_name(jobs[k].variant));
        if (jobs[k].outcome <= UNSTABLE) continue;
        look_at(&jobs[k], sets[k / BATCH]);
        failed++;
    }
    if (failed && failures == before) {
        printf("seeds %llu ..: failed together, but none alone\n", (unsigned long long)first);
        failures++;
    }
    for (int k = 0; k < count; k++) free((char *)jobs[k].text);
    arena_release();
}

static void progress(uint64_t done, uint64_t count, time_t begun)
{
    static time_t last;
    time_t now = time(NULL), each = atoi(environment("PROGRESS", "60"));
    if (!last) last = begun;
    if (now - last < each || done == 0) return;
    last = now;
    printf("%llu of %llu programs, %ld failed, %ld unstable; %.0f a second, %.0f minutes left\n",
           (unsigned long long)done, (unsigned long long)count, failures, counts.unstable,
           (double)done / (double)(now - begun + !(now - begun)),
           (double)(count - done) * (double)(now - begun) / (double)done / 60);
    fflush(stdout);
}

static void check_many(uint64_t count, uint64_t first)
{
    time_t begun = time(NULL);
    int rich = atoi(environment("RICH", "1"));
    first -= first % BATCH;
    for (uint64_t seed = first, end = first + count, next; seed < end; seed = next) {
        VariantSet sets[GROUP];
        for (int k = 0; k < GROUP; k++) sets[k] = variants_of(seed / BATCH + (uint64_t)k, rich);
        next = seed + GROUP * BATCH < end ? seed + GROUP * BATCH : end;
        check_seeds(seed, next, sets);
        progress(next - first, count, begun);
    }
    for (int v = 0; v < VARIANTS_MOST; v++)
        if (counts.runs[v]) printf("%7ld through %s\n", counts.runs[v], variant_name(v));
    printf(
        "%ld random programs, %ld trained, %ld derivatives, %ld equations, %ld values of C: %ld wrong, %ld unstable, "
        "worst %.2g of what is allowed\n",
        counts.programs, counts.trained, counts.derivatives, counts.equations, counts.values, failures, counts.unstable,
        counts.worst);
}

static const char *read_file(const char *path)
{
    static char text[1 << 16];
    FILE *f = fopen(path, "r");
    if (!f) {
        printf("%s: cannot be read\n", path);
        exit(2);
    }
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    return text;
}

static bool is_known(const Job *job)
{
    const char *known = strstr(job->text, ": known: "), *line = strchr(job->text, '\n');
    return known && line && known < line;
}

/* Files that were found once, all together and, if one fails, each by itself. */
static int check_files(char **paths, int count)
{
    Job *jobs = calloc((size_t)count, sizeof *jobs);
    VariantSet *sets = calloc((size_t)count, sizeof *sets), every = variants_all();
    bool failed = false;
    int wrong = 0, known_faults = 0;
    for (int k = 0; k < count; k++) {
        unsigned long long seed = 0;
        sets[k] = every;
        jobs[k].text = strdup(read_file(paths[k]));
        if (sscanf(jobs[k].text, "# seed %llu", &seed) == 1) jobs[k].seed = seed;
    }
    batch_check(jobs, count, sets, folder, NULL, NULL);
    for (int k = 0; k < count; k++) failed |= jobs[k].outcome > UNSTABLE || is_known(&jobs[k]);
    for (int k = 0; k < count && failed; k++) {
        const char *message;
        batch_check(&jobs[k], 1, &every, folder, NULL, &message);
        bool known = is_known(&jobs[k]), fails = jobs[k].outcome > UNSTABLE;
        if (!known && !fails) continue;
        printf("%s%s: %s: %s\n%s", known ? "KNOWN FAULT " : "", paths[k], variant_name(jobs[k].variant),
               known && !fails ? "is fine now: take `known` out" : outcome_name[jobs[k].outcome], message);
        wrong += known != fails;
        known_faults += known;
    }
    printf("%d files that were found once, %d wrong, %d of known faults\n", count, wrong, known_faults);
    return wrong != 0;
}

int main(int argc, char **argv)
{
    folder = environment("RANDOM_FOLDER", ".");
    found_folder = environment("FOUND_FOLDER", folder);
    const char *option = argc > 2 && argv[1][0] == '-' ? argv[1] : "";
    if (!strcmp(option, "-f")) return check_files(argv + 2, argc - 2);
    uint64_t number = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    if (!strcmp(option, "-p")) {
        fputs(generate(number), stdout);
        return 0;
    }
    VariantSet every = variants_all();
    if (!strcmp(option, "-s"))
        check_seeds(number, number + 1, &every);
    else
        check_many(argc > 1 ? strtoull(argv[1], NULL, 10) : 1000, number);
    return failures != 0 || (counts.programs == 0);
}
