/* batch.h: programs checked together: one C file for all of them and each variant, in a process of its own. */
#ifndef DLNC_TESTS_BATCH_H
#define DLNC_TESTS_BATCH_H
#include <stdbool.h>
#include <stdint.h>

/* How a batch is compiled and run; see variants[] in batch.c. */
enum { VARIANTS_MOST = 16, BATCH = 10 };
typedef uint32_t VariantSet;
VariantSet variants_of(uint64_t batch, int rich); /* for the batch of that number; rich: so many times as often */
VariantSet variants_all(void);
const char *variant_name(int variant);

typedef enum {
    FINE,
    UNSTABLE, /* UNSTABLE: differs, where rounding decides */
    REFUSED,
    GRADIENT, /* a valid file has errors; a derivative is not the difference, or the normal form differs */
    BROKEN,
    NO_C,
    NO_END, /* the compiler ended or hangs; its C does not compile; it does not run to its end */
    DIFFERS
} Outcome;
extern const char *const outcome_name[];

typedef struct Job {
    const char *text;
    uint64_t seed;
    Outcome outcome;
    int variant;
} Job;
typedef struct Counts {
    long programs, trained, derivatives, equations, values, unstable, refused;
    long runs[VARIANTS_MOST];
    double worst;
} Counts;

/* Fills in what became of each job and adds to counts. Each BATCH of the jobs is one C file and has a set of variants.
 * The files lie in `folder`. message: what was said. A job that ends the process makes all of them BROKEN. */
void batch_check(Job *jobs, int count, const VariantSet *sets, const char *folder, Counts *counts,
                 const char **message);
#endif
