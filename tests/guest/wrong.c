/* wrong.c: every wrong call gets its status, changes nothing and touches nothing that it was not given. All memory is on
 * the heap in its exact size; built under ASan and UBSan.
 * SPDX-License-Identifier: MIT */
#include "guest.h"
#include <limits.h>
#include <math.h>
#include <stddef.h>

static int failures, checks;
static void expect(int status, int expected, const char *what, int line)
{
    checks++;
    if (status == expected) return;
    failures++;
    printf("wrong.c:%d: %s: %d (%s), not %d (%s)\n", line, what, status, net_strerror(status), expected, net_strerror(expected));
}
#define EXPECT(call, status) expect(call, status, #call, __LINE__)

static const int bad_count[] = { 0, -1, INT_MIN, NET_BATCH + 1, INT_MAX };
static const int bad_number[] = { -1, INT_MIN, 1 << 20, INT_MAX };
#define EACH(i, array) for (size_t i = 0; i < sizeof(array) / sizeof *(array); i++)

static Guest g;
static net *const m = &g.m;
#ifdef HAS_clock
#define EXPECT_CLOCK(call, status) EXPECT(call, status)
#else
#define EXPECT_CLOCK(call, status)
#endif
#define X_AND_LABEL g.batch.x, g.batch.label

/* An instance that could train: all passes over the data are done. */
static void begin_again(void)
{
    EXPECT(call_init(&g), NET_OK);
#ifdef HAS_measure
    EXPECT(call_measure(&g), NET_OK);
#endif
}

/* ---- pointers ---------------------------------------------------------------------------------------------------- */
static void nulls(void)
{
    EXPECT(net_init(NULL, g.memory, NET_TRAIN_BYTES, 1), NET_NULL);
    EXPECT(net_init(m, NULL, NET_TRAIN_BYTES, 1), NET_NULL);
    EXPECT(net_step(NULL, X_AND_LABEL, 1, &g.loss), NET_NULL);
    EXPECT(net_step(m, NULL, g.batch.label, 1, &g.loss), NET_NULL);
    EXPECT(net_step(m, g.batch.x, NULL, 1, &g.loss), NET_NULL);
    EXPECT(net_accumulate(NULL, X_AND_LABEL, 1, &g.loss), NET_NULL);
    EXPECT(net_accumulate(m, NULL, g.batch.label, 1, &g.loss), NET_NULL);
    EXPECT(net_accumulate(m, g.batch.x, NULL, 1, &g.loss), NET_NULL);
    EXPECT(net_apply(NULL), NET_NULL);
    EXPECT(net_evaluate(NULL, X_AND_LABEL, 1, &g.loss), NET_NULL);
    EXPECT(net_evaluate(m, NULL, g.batch.label, 1, &g.loss), NET_NULL);
    EXPECT(net_evaluate(m, g.batch.x, NULL, 1, &g.loss), NET_NULL);
    EXPECT(net_predict(NULL, g.batch.x, 1, g.out), NET_NULL);
    EXPECT(net_predict(m, NULL, 1, g.out), NET_NULL);
    EXPECT(net_predict(m, g.batch.x, 1, NULL), NET_NULL);
    EXPECT(net_reset(NULL), NET_NULL);
    EXPECT(net_report(NULL, g.report), NET_NULL);
    EXPECT(net_report(m, NULL), NET_NULL);
    EXPECT(net_set(NULL, 0, 1), NET_NULL);
    EXPECT_CLOCK(net_clock(NULL, 0, 1), NET_NULL);
    EXPECT(net_get(NULL, 0, g.values), NET_NULL);
    EXPECT(net_get(m, 0, NULL), NET_NULL);
    EXPECT(net_put(NULL, 0, g.values), NET_NULL);
    EXPECT(net_put(m, 0, NULL), NET_NULL);
    EXPECT(net_export_state(NULL, g.state, sizeof g.state), NET_NULL);
    EXPECT(net_export_state(m, NULL, sizeof g.state), NET_NULL);
    EXPECT(net_import_state(NULL, g.state, sizeof g.state), NET_NULL);
    EXPECT(net_import_state(m, NULL, sizeof g.state), NET_NULL);
    EXPECT(net_set_iteration(NULL, 0, 0), NET_NULL);
#ifdef HAS_measure
    EXPECT(net_measure(NULL, 0, g.batch.x, 1), NET_NULL);
    EXPECT(net_measure(m, 0, NULL, 1), NET_NULL);
    EXPECT(net_settle(NULL), NET_NULL);
#endif
    EXPECT(net_tensors(NULL) == NULL, 0);
    EXPECT(net_step(m, X_AND_LABEL, 1, NULL), NET_OK);           /* a loss that nobody wants */
    EXPECT(net_evaluate(m, X_AND_LABEL, 1, NULL), NET_OK);
}

/* ---- order ------------------------------------------------------------------------------------------------------- */
static void before_init(net *raw)
{
    EXPECT(net_step(raw, X_AND_LABEL, 1, &g.loss), NET_ORDER);
    EXPECT(net_accumulate(raw, X_AND_LABEL, 1, &g.loss), NET_ORDER);
    EXPECT(net_apply(raw), NET_ORDER);
    EXPECT(net_evaluate(raw, X_AND_LABEL, 1, &g.loss), NET_ORDER);
    EXPECT(net_predict(raw, g.batch.x, 1, g.out), NET_ORDER);
    EXPECT(net_reset(raw), NET_ORDER);
    EXPECT(net_report(raw, g.report), NET_ORDER);
    EXPECT(net_set(raw, 0, 1), NET_ORDER);
    EXPECT_CLOCK(net_clock(raw, 0, 1), NET_ORDER);
    EXPECT(net_get(raw, 0, g.values), NET_ORDER);
    EXPECT(net_put(raw, 0, g.values), NET_ORDER);
    EXPECT(net_export_state(raw, g.state, sizeof g.state), NET_ORDER);
    EXPECT(net_import_state(raw, g.state, sizeof g.state), NET_ORDER);
    EXPECT(net_set_iteration(raw, 0, 0), NET_ORDER);
#ifdef HAS_measure
    EXPECT(net_measure(raw, 0, g.batch.x, 1), NET_ORDER);
    EXPECT(net_settle(raw), NET_ORDER);
#endif
}

static void order(void)
{
    net raw;
    static const int fill[] = { 0, 0xff, 0xa5, 1 };
    EACH(i, fill) {
        memset(&raw, fill[i], sizeof raw);
        before_init(&raw);
    }
    memset(&raw, 0, sizeof raw);
    EXPECT(net_init(&raw, g.memory, 0, 1), NET_MEMORY_SHORT);    /* an init that failed is none */
    before_init(&raw);
    EXPECT(call_init(&g), NET_OK);
    EXPECT(net_apply(m), NET_ORDER);                             /* nothing was added up */
#ifdef HAS_measure
    EXPECT(call_step(&g), NET_ORDER);                            /* the passes come first, in their order */
    EXPECT(call_accumulate(&g), NET_ORDER);
    EXPECT(net_measure(m, 1, g.batch.x, 1), NET_ORDER);
    EACH(i, bad_number) EXPECT(net_measure(m, bad_number[i], g.batch.x, 1), NET_NUMBER);
    EACH(i, bad_count) EXPECT(net_measure(m, 0, g.batch.x, bad_count[i]), NET_SAMPLES);
    EXPECT(call_measure(&g), NET_OK);
    EXPECT(net_measure(m, 0, g.batch.x, 1), NET_ORDER);
    EXPECT(net_settle(m), NET_ORDER);
#endif
    EXPECT(call_accumulate(&g), NET_OK);
    EXPECT(call_apply(&g), NET_OK);
    EXPECT(call_apply(&g), NET_ORDER);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */
/* An instance with less memory than training needs predicts, once it has weights, and refuses to train. */
static void inference(size_t bytes)
{
    void *memory = NULL;
    Guest *small = calloc(1, sizeof *small);
    if (!small || posix_memalign(&memory, NET_ALIGN, bytes)) abort();
    memset(memory, 0xa5, bytes);
    batch_fill(&small->batch, 1);
    EXPECT(net_init(&small->m, memory, bytes, 1), NET_OK);
    EXPECT(call_predict(small), NET_ORDER);                      /* it has no weights yet */
    EXPECT(call_evaluate(small), NET_ORDER);
    for (int t = 0; t < NET_TENSORS; t++) {                      /* what an instance for inference lacks is the optimizer's */
        EXPECT(net_get(m, t, small->values), NET_OK);
        const int status = net_put(&small->m, t, small->values);
        const int kind = net_tensors(NULL)[t].kind;
        EXPECT(kind < 2 ? status : NET_OK, NET_OK);
        EXPECT(kind == 2 ? status : NET_MEMORY_SHORT, NET_MEMORY_SHORT);
        EXPECT(net_get(&small->m, t, small->values), status);
    }
    EXPECT(call_predict(small), NET_OK);
    EXPECT(call_predict(&g), NET_OK);
    for (int i = 0; i < NET_BATCH; i++) EXPECT(fabsf(small->out[i] - g.out[i]) < 1e-6f, 1);      /* get and put round sums */
    EXPECT(call_evaluate(small), NET_OK);
    EXPECT(call_step(small), NET_MEMORY_SHORT);
    EXPECT(call_accumulate(small), NET_MEMORY_SHORT);
    EXPECT(call_apply(small), NET_MEMORY_SHORT);
    EXPECT(call_export_state(small), NET_MEMORY_SHORT);
#ifdef HAS_measure
    EXPECT(net_measure(&small->m, 0, small->batch.x, 1), NET_MEMORY_SHORT);
    EXPECT(net_settle(&small->m), NET_MEMORY_SHORT);
#endif
    EXPECT(net_reset(&small->m), NET_OK);
    EXPECT(net_init(&small->m, memory, bytes, 1), NET_OK);       /* or all at once, from a state */
    EXPECT(call_export_state(&g), NET_OK);
    EXPECT(net_import_state(&small->m, g.state, sizeof g.state), NET_OK);
    memset(small->out, 0, sizeof small->out);
    EXPECT(call_predict(small), NET_OK);
    EXPECT(memcmp(small->out, g.out, sizeof g.out), 0);
    free(memory);
    free(small);
}

static void memory(void)
{
    net other;
    for (size_t bytes = 0; bytes < NET_INFER_BYTES; bytes += bytes < 200 ? 1 : 97) {
        void *at = NULL;
        if (posix_memalign(&at, NET_ALIGN, bytes)) abort();
        EXPECT(net_init(&other, at, bytes, 1), NET_MEMORY_SHORT);
        free(at);
    }
    EXPECT(net_init(&other, g.memory, NET_INFER_BYTES - 1, 1), NET_MEMORY_SHORT);
    for (int by = 1; by < NET_ALIGN; by++)
        EXPECT(net_init(&other, (unsigned char *)g.memory + by, NET_TRAIN_BYTES, 1), NET_MEMORY_ALIGN);
    begin_again();
    EXPECT(call_step(&g), NET_OK);
    inference(NET_INFER_BYTES);
    inference(NET_INFER_BYTES + 1);
    inference(NET_TRAIN_BYTES - 1);
    begin_again();                                               /* twice: from the beginning */
    const unsigned long long first = (EXPECT(call_step(&g), NET_OK), EXPECT(call_export_state(&g), NET_OK), guest_hash(&g));
    begin_again();
    EXPECT(call_step(&g), NET_OK);
    EXPECT(call_export_state(&g), NET_OK);
    EXPECT(guest_hash(&g) == first, 1);
    EXPECT(net_init(m, g.memory, SIZE_MAX, UINT64_MAX), NET_OK); /* more than is needed is not touched */
}

/* ---- what a batch holds ------------------------------------------------------------------------------------------ */
static void batches(void)
{
    EACH(i, bad_count) {
        EXPECT(net_step(m, X_AND_LABEL, bad_count[i], &g.loss), NET_SAMPLES);
        EXPECT(net_accumulate(m, X_AND_LABEL, bad_count[i], &g.loss), NET_SAMPLES);
        EXPECT(net_evaluate(m, X_AND_LABEL, bad_count[i], &g.loss), NET_SAMPLES);
        EXPECT(net_predict(m, g.batch.x, bad_count[i], g.out), NET_SAMPLES);
    }
}

/* A place of an int field that holds what it must not. */
static void out_of_range(int32_t *at, int32_t beyond, int predicts)
{
    const int32_t kept = *at, bad[] = { -1, beyond, INT32_MIN, INT32_MAX };
    EACH(i, bad) {
        *at = bad[i];
        EXPECT(call_step(&g), NET_RANGE);
        EXPECT(net_accumulate(m, X_AND_LABEL, NET_BATCH, &g.loss), NET_RANGE);
        EXPECT(call_evaluate(&g), NET_RANGE);
        EXPECT(call_predict(&g), predicts ? NET_OK : NET_RANGE);
    }
    *at = kept;
}

static void ranges(void)
{
    if ((LABEL)0.5 == 0) {
        out_of_range((int32_t *)(void *)&g.batch.label[0], 3, 1);
        out_of_range((int32_t *)(void *)&g.batch.label[NET_BATCH - 1], 3, 1);
    }
    if ((X)0.5 == 0) {
        out_of_range((int32_t *)(void *)&g.batch.x[0], 20, 0);
        out_of_range((int32_t *)(void *)&g.batch.x[NET_BATCH * X_SIZE - 1], 20, 0);
    }
}

/* Numbers that are none are no error of a call, but an instance that has learned them is spoilt. */
static void not_numbers(void)
{
    static const double bad[] = { NAN, INFINITY, -INFINITY, 3e38, -3e38, 1e-45 };
    if ((X)0.5 == 0) return;
    EACH(i, bad) {
        begin_again();
        for (int k = 0; k < X_SIZE; k++) g.batch.x[k] = (X)bad[i];
        EXPECT(call_predict(&g), NET_OK);
        EXPECT(call_evaluate(&g), NET_OK);
        EXPECT(call_step(&g), NET_OK);
        EXPECT(call_step(&g), NET_OK);
        EXPECT(call_accumulate(&g), NET_OK);
        EXPECT(call_apply(&g), NET_OK);
        EXPECT(call_report(&g), NET_OK);
        EXPECT(call_export_state(&g), NET_OK);
        if (isnan(bad[i])) EXPECT(call_import_state(&g), NET_STATE);         /* not a state to go on from */
    }
    batch_fill(&g.batch, 1);
    begin_again();
}

/* ---- numbers and values ------------------------------------------------------------------------------------------ */
static void numbers(void)
{
    static const double bad[] = { NAN, INFINITY, -INFINITY };
    EACH(i, bad_number) {
        EXPECT(net_set(m, bad_number[i], 1), NET_NUMBER);
        EXPECT_CLOCK(net_clock(m, bad_number[i], 1), NET_NUMBER);
        EXPECT(net_get(m, bad_number[i], g.values), NET_NUMBER);
        EXPECT(net_put(m, bad_number[i], g.values), NET_NUMBER);
    }
    EXPECT(net_get(m, NET_TENSORS, g.values), NET_NUMBER);
    EXPECT(call_get(&g), NET_OK);
    EACH(i, bad) {
        const float kept = g.values[1];
        EXPECT(net_set(m, 0, bad[i]), NET_VALUE);
        EXPECT_CLOCK(net_clock(m, 0, bad[i]), NET_VALUE);
        g.values[1] = (float)bad[i];
        EXPECT(call_put(&g), NET_VALUE);
        g.values[1] = kept;
    }
    EXPECT(net_set_iteration(m, -1, 0), NET_VALUE);
    EXPECT(net_set_iteration(m, INT64_MIN, 0), NET_VALUE);
    EXPECT(net_set_iteration(m, INT64_MAX, 0), NET_VALUE);
    for (int status = -2; status < 40; status++) EXPECT(net_strerror(status) && *net_strerror(status), 1);
    EXPECT(*net_strerror(INT_MIN) != 0 && *net_strerror(INT_MAX) != 0, 1);
}

/* Steps are counted, and the count does not run over. */
static void last_iterations(void)
{
    for (int64_t i = INT64_MAX - 3; i < INT64_MAX; i++) {
        begin_again();
        if (net_set_iteration(m, i, 0)) continue;                /* refused, or all goes well from there */
        EXPECT(call_step(&g), NET_OK);
        EXPECT(call_step(&g), NET_OK);
        EXPECT(call_accumulate(&g), NET_OK);
        EXPECT(call_apply(&g), NET_OK);
    }
    begin_again();
    EXPECT(net_set_iteration(m, INT64_C(1) << 60, UINT64_MAX), NET_OK);
    EXPECT(call_step(&g), NET_OK);
}

/* ---- states ------------------------------------------------------------------------------------------------------ */
enum { AT_FORMAT = 8, AT_MODEL = 16, AT_SEED = 24, AT_ITERATION = 32, AT_PASSES = 40, AT_NUMBERS = 48 };

/* The state with other bytes at some place and a checksum that fits. */
static int import_with(const unsigned char *good, size_t at, const void *value, size_t bytes)
{
    unsigned char *state = malloc(NET_STATE_BYTES);
    if (!state) abort();
    memcpy(state, good, NET_STATE_BYTES);
    memcpy(state + at, value, bytes);
    const uint64_t sum = hash_add(14695981039346656037u, state, NET_STATE_BYTES - 8);
    memcpy(state + NET_STATE_BYTES - 8, &sum, 8);
    const int status = net_import_state(m, state, NET_STATE_BYTES);
    free(state);
    return status;
}

static void states(void)
{
    unsigned char *good = malloc(NET_STATE_BYTES), *again = malloc(NET_STATE_BYTES);
    const double nan_double = NAN, inf_double = INFINITY;
    const int64_t bad[] = { -1, INT64_MIN, INT64_MAX };
    if (!good || !again) abort();
    EXPECT(net_export_state(m, good, NET_STATE_BYTES), NET_OK);
    for (size_t bytes = 0; bytes < NET_STATE_BYTES; bytes += bytes < 100 || bytes > NET_STATE_BYTES - 100 ? 1 : 61) {
        unsigned char *cut = malloc(bytes ? bytes : 1);
        if (!cut) abort();
        memcpy(cut, good, bytes);
        EXPECT(net_import_state(m, cut, bytes), NET_STATE);
        EXPECT(net_export_state(m, cut, bytes), NET_MEMORY_SHORT);
        free(cut);
    }
    EXPECT(net_import_state(m, good, NET_STATE_BYTES + 1), NET_STATE);
    EXPECT(net_import_state(m, good, SIZE_MAX), NET_STATE);
    const size_t apart = NET_STATE_BYTES > 6000 ? 13 : 5;        /* bits of the head all, of the rest some */
    for (size_t bit = 0; bit < 8 * NET_STATE_BYTES; bit += bit < 800 ? 1 : apart) {
        good[bit / 8] ^= (unsigned char)(1 << bit % 8);
        EXPECT(net_import_state(m, good, NET_STATE_BYTES), NET_STATE);
        good[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    EXPECT(import_with(good, 0, "dlnstate", 8), NET_STATE);
    EXPECT(import_with(good, AT_FORMAT, "\2\0\0\0", 4), NET_STATE);
    EXPECT(import_with(good, AT_FORMAT + 4, "\1\2\3\4", 4), NET_STATE);
    EXPECT(import_with(good, AT_MODEL, "another!", 8), NET_STATE);           /* of a model with other tensors */
    EACH(i, bad) {
        EXPECT(import_with(good, AT_ITERATION, &bad[i], 8), NET_STATE);
        EXPECT(import_with(good, AT_PASSES, &bad[i], 8), NET_STATE);
    }
    EXPECT(import_with(good, AT_PASSES, &(int64_t){ INT64_C(1) << 32 }, 8), NET_STATE);
    EXPECT(import_with(good, AT_NUMBERS, &nan_double, 8), NET_STATE);
    EXPECT(import_with(good, AT_NUMBERS, &inf_double, 8), NET_STATE);
    EXPECT(import_with(good, NET_STATE_BYTES - 16, &nan_double, 8), NET_STATE);
    EXPECT(net_export_state(m, again, NET_STATE_BYTES), NET_OK);
    EXPECT(memcmp(good, again, NET_STATE_BYTES), 0);             /* nothing of all this has left a trace */
    EXPECT(import_with(good, AT_SEED, "any seed", 8), NET_OK);
    EXPECT(net_import_state(m, good, NET_STATE_BYTES), NET_OK);
    EXPECT(call_step(&g), NET_OK);
    free(good);
    free(again);
}

int main(void)
{
    unsigned char *before = malloc(NET_STATE_BYTES), *after = malloc(NET_STATE_BYTES);
    if (!before || !after) return 3;
    void *exact = NULL;
    guest_begin(&g);
    free(g.memory);
    if (posix_memalign(&exact, NET_ALIGN, NET_TRAIN_BYTES)) return 3;
    g.memory = exact;

    order();
    nulls();
    memory();
    begin_again();
    EXPECT(call_step(&g), NET_OK);
    EXPECT(net_export_state(m, before, NET_STATE_BYTES), NET_OK);
    batches();
    ranges();
    numbers();
    EXPECT(net_export_state(m, after, NET_STATE_BYTES), NET_OK);
    EXPECT(memcmp(before, after, NET_STATE_BYTES), 0);
    states();
    not_numbers();
    last_iterations();
    free(before);
    free(after);
    free(exact);
    printf("%d wrong calls and their statuses: %d failures\n", checks, failures);
    return failures != 0;
}
