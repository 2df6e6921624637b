/* test_host_failures.c: what may go wrong round the host program. Each system call of a training, an evaluation and an
 * export fails in turn, is interrupted, or takes a byte at a time; each call of the model returns a status; each note of
 * a checkpoint is missing or wrong. The program says so and ends with the right code, and a weights file is the old one
 * or the new one. A model of doubles goes through the same commands. (test_host_memory.c: allocations.) */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "host/run.h"
#include "unit/fake_model.c"
#include "unit/host_block.h"
#include "unit/host_program.h"

TestSuite(failures, .init = folder_make, .fini = folder_remove);

/* ---- system calls of the files, replaced: number `until` of one kind goes wrong ---- */
typedef enum {
    CALL_NONE,
    CALL_READ,
    CALL_WRITE,
    CALL_PREAD,
    CALL_PWRITE,
    CALL_FSYNC,
    CALL_CLOSE,
    CALL_RENAME,
    CALL_OPEN,
    CALLS
} Call;
typedef enum { WRONG_ERROR, WRONG_INTERRUPTED, WRONG_SHORT, WRONG_NOTHING, WRONGS } Wrong;
static Call call_now;
static Wrong wrong_now;
static long until;
static bool reached;

static bool goes_wrong(Call call)
{
    if (call != call_now || until-- != 0) return false;
    errno = wrong_now == WRONG_INTERRUPTED ? EINTR : EIO;
    return reached = true;
}

/* The result of a call that moves n bytes: -2, the true one. */
static ssize_t moved(Call call, size_t *n)
{
    if (!goes_wrong(call)) return -2;
    if (wrong_now == WRONG_NOTHING) return 0;
    if (wrong_now != WRONG_SHORT) return -1;
    *n = *n > 1 ? *n / 2 : *n;
    return -2;
}

ssize_t read(int fd, void *to, size_t n)
{
    ssize_t result = moved(CALL_READ, &n);
    return result > -2 ? result : syscall(SYS_read, fd, to, n);
}

ssize_t write(int fd, const void *from, size_t n)
{
    ssize_t result = moved(CALL_WRITE, &n);
    return result > -2 ? result : syscall(SYS_write, fd, from, n);
}

ssize_t pread(int fd, void *to, size_t n, off_t at)
{
    ssize_t result = moved(CALL_PREAD, &n);
    return result > -2 ? result : syscall(SYS_pread64, fd, to, n, at);
}

ssize_t pwrite(int fd, const void *from, size_t n, off_t at)
{
    ssize_t result = moved(CALL_PWRITE, &n);
    return result > -2 ? result : syscall(SYS_pwrite64, fd, from, n, at);
}

int fsync(int fd) { return (void)fd, goes_wrong(CALL_FSYNC) ? -1 : 0; } /* the disk is not what is tried */
int rename(const char *from, const char *to)
{
    return goes_wrong(CALL_RENAME) ? -1 : (int)syscall(SYS_rename, from, to);
}

int close(int fd)
{
    int result = (int)syscall(SYS_close, fd);
    return goes_wrong(CALL_CLOSE) ? -1 : result;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return goes_wrong(CALL_OPEN) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* ---- the model ---- */
static dln_model *small_model(void)
{
    dln_model *m = fake_model("features", 2, 2);
    m->batch = 4;
    block_of(m, "all = csv(\"t.csv\", target = last); train, test = split(all, 0.5)");
    train_of(m, "validate = test; checkpoint = best(val_accuracy)");
    file_make("t.csv", "9,1,a\n-9,2,b\n8,3,a\n-8,4,b\n7,5,a\n-7,6,b\n6,7,a\n-6,8,b\n", 52);
    return m;
}

static bool file_is(const char *name, const Bytes *bytes)
{
    Bytes now = file_bytes(in_folder(name));
    bool same = now.count == bytes->count && !memcmp(now.at, bytes->at, now.count);
    free(now.at);
    return same;
}

/* Runs the words with call k of the kind gone wrong; false: there is none. */
static bool run_wrong(const dln_model *m, const char *words, Call call, Wrong wrong, long k, int *code)
{
    call_now = call;
    wrong_now = wrong;
    until = k;
    reached = false;
    *code = run_model(m, words, "out", "err");
    call_now = CALL_NONE;
    return reached;
}

Test(failures, each_system_call_in_turn)
{
    static const struct {
        const char *words;
        bool trains, goes_on; /* w may be that of the training; w may be anything whole */
    } runs_of[] = {
        { "train -q --epochs 2 --weights w --log l.csv --plot c.svg", true, false },
        { "eval --weights w", false, false },
        { "export --weights w --output x", false, false },
        { "export --weights w --output x.npz", false, false },
        { "export --weights w --output x.h", false, false },
        { "predict --weights w --format json", false, false },
        { "train -q --epochs 3 --weights w --resume --plot c.svg", true, true },
    };
    dln_model *m = small_model();
    cr_assert(run_model(m, "train -q --epochs 2 --weights new --plot c.svg", "out", "err") == 0);
    cr_assert(run_model(m, "train -q --epochs 1 --weights old", "out", "err") == 0);
    Bytes fresh = file_bytes(in_folder("new")), old = file_bytes(in_folder("old"));
    int runs = 0, failed = 0;
    for (int c = CALL_READ; c < CALLS; c++)
        for (int wrong = 0; wrong < (c <= CALL_PWRITE ? (int)WRONGS : 1); wrong++)
            for (size_t w = 0; w < sizeof runs_of / sizeof *runs_of; w++)
                for (long k = 0;; k++) {
                    int code;
                    const char *words = runs_of[w].words;
                    file_make("w", old.at, old.count);
                    bool any = run_wrong(m, words, (Call)c, (Wrong)wrong, k, &code);
                    if (!any) break;
                    runs++;
                    failed += code != 0;
                    const char *said = text_of("err");
                    cr_assert(code == 0 || ((code == EXIT_IO || code == EXIT_INPUT) && strstr(said, "error: ")),
                              "%s, call %d, %d, number %ld: %d %s", words, c, wrong, k, code, said);
                    bool whole = file_is("w", &old) || (runs_of[w].trains && file_is("w", &fresh)) || runs_of[w].goes_on;
                    cr_assert(whole, "%s, call %d, %d, number %ld: a torn file", words, c, wrong, k);
                    cr_assert(k < 1000);
                }
    cr_assert(runs > 200 && failed > 60, "%d runs, %d failed", runs, failed);
}

/* ---- calls of the model ---- */
static dln_model *inner;
static long calls_left;
static int calls_made(void) { return calls_left-- == 0 ? 2 : 0; }

#define TRY()                                                                                                          \
    do {                                                                                                               \
        int status_ = calls_made();                                                                                    \
        if (status_) return status_;                                                                                   \
    } while (0)
static int try_init(void *m, void *memory, size_t bytes, uint64_t seed)
{
    TRY();
    return fake_init(m, memory, bytes, seed);
}
static int try_measure(void *m, int pass, const void *const *f, int n)
{
    TRY();
    return fake_measure(m, pass, f, n);
}
static int try_settle(void *m)
{
    TRY();
    return fake_settle(m);
}
static int try_step(void *m, const void *const *f, int n, double *loss)
{
    TRY();
    return fake_step(m, f, n, loss);
}
static int try_evaluate(void *m, const void *const *f, int n, double *loss)
{
    TRY();
    return fake_evaluate(m, f, n, loss);
}
static int try_predict(void *m, const void *const *f, int n, void *const *out)
{
    TRY();
    return fake_predict(m, f, n, out);
}
static int try_reset(void *m)
{
    TRY();
    return fake_reset(m);
}
static int try_report(void *m, double *values)
{
    TRY();
    return fake_report(m, values);
}
static int try_set_setting(void *m, int s, double v)
{
    TRY();
    return fake_set_setting(m, s, v);
}
static int try_set_clock(void *m, int c, double v)
{
    TRY();
    return fake_set_clock(m, c, v);
}
static int try_get(const void *m, int t, void *values)
{
    TRY();
    return fake_get(m, t, values);
}
static int try_put(void *m, int t, const void *values)
{
    TRY();
    return fake_put(m, t, values);
}
static int try_set_iteration(void *m, int64_t i, uint64_t seed)
{
    TRY();
    return fake_set_iteration(m, i, seed);
}

Test(failures, each_call_of_the_model_in_turn)
{
    static const char *const words[] = { "train --epochs 2 --lr 0.2 --weights w",
                                         "train --epochs 4 --weights w --resume --progress bar", "eval --weights w",
                                         "predict --weights w", "export --weights w --output x",
                                         "export --weights w --output x.npz", "export --weights w --output x.h" };
    dln_model *m = inner = small_model();
    cr_assert(run_model(m, "train -q --epochs 1 --weights old", "out", "err") == 0);
    Bytes old = file_bytes(in_folder("old"));
    m->init = try_init;
    m->measure = try_measure;
    m->settle = try_settle;
    m->step = try_step;
    m->evaluate = try_evaluate;
    m->predict = try_predict;
    m->reset = try_reset;
    m->report = try_report;
    m->set_setting = try_set_setting;
    m->set_clock = try_set_clock;
    m->get = try_get;
    m->put = try_put;
    m->set_iteration = try_set_iteration;
    int failed = 0;
    for (int w = 0; w < 7; w++)
        for (long k = 0;; k++) {
            file_make("w", old.at, old.count);
            calls_left = k;
            int code = run_model(m, words[w], "out", "err");
            if (calls_left >= 0) break;
            failed += code != 0;
            cr_assert(code == 0 || strstr(text_of("err"), "the value is out of range"), "%s, call %ld: %d %s", words[w],
                      k, code, text_of("err"));
            cr_assert(k < 2000);
        }
    cr_assert(failed > 100, "%d failed", failed);
}

/* ---- notes of a checkpoint ---- */
/* The file with `from` in its header replaced by `to`, of the same length, and without its checksum. */
static void note_change(const Bytes *file, const char *from, const char *to)
{
    Bytes copy = { malloc(file->count), file->count };
    memcpy(copy.at, file->at, file->count);
    const char *const changes[][2] = { { "\"crc32\"", "\"crcXX\"" }, { from, to } };
    for (int i = 0; i < 2; i++) {
        unsigned char *at = memmem(copy.at, copy.count, changes[i][0], strlen(changes[i][0]));
        cr_assert(at && strlen(changes[i][0]) == strlen(changes[i][1]), "no %s", changes[i][0]);
        memcpy(at, changes[i][1], strlen(changes[i][1]));
    }
    file_make("w", copy.at, copy.count);
    free(copy.at);
}

Test(failures, notes_that_are_missing_or_wrong)
{
    static const char *const keys[] = { "iteration", "seed",   "epoch", "batch_in_epoch",
                                        "step",      "waited", "batch", "rows" };
    dln_model *m = small_model();
    cr_assert(run_model(m, "train -q --epochs 1 --weights old", "out", "err") == 0);
    Bytes old = file_bytes(in_folder("old"));
    for (int i = 0; i < 8; i++) {
        char from[40], to[40], words[80];
        snprintf(from, sizeof from, "\"%s\":", keys[i]);
        snprintf(to, sizeof to, "\"X%s\":", keys[i] + 1);
        snprintf(words, sizeof words, "its note '%s' is missing", keys[i]);
        note_change(&old, from, to);
        cr_assert(run_model(m, "train -q --epochs 2 --weights w --resume", "out", "err") == 1);
        cr_expect(strstr(text_of("err"), words), "%s", text_of("err"));
        strcat(from, "\"");
        snprintf(to, sizeof to, "\"%s\":\"", keys[i]);
        const char *value = memmem(old.at, old.count, from, strlen(from));
        cr_assert(value);
        char was[80], now[80];
        size_t digits = strcspn(value + strlen(from), "\"");
        snprintf(was, sizeof was, "%s%.*s\"", from, (int)digits, value + strlen(from));
        snprintf(now, sizeof now, "%s%.*s\"", from, (int)digits, "xxxxxxxxxxxxxxxxxxxx");
        note_change(&old, was, now);
        cr_assert(run_model(m, "train -q --epochs 2 --weights w --resume", "out", "err") == 1);
        cr_expect(strstr(text_of("err"), "is wrong"), "%s", text_of("err"));
    }
    static const struct {
        const char *from, *to, *words;
        int code;
    } cases[] = {
        { "\"best\":", "\"bess\":", "'best' is missing or wrong", 1 },
        { "\"watched\":", "\"watchec\":", "'watched' is missing or wrong", 1 },
        { "\"clocks\":\"", "\"clocks\":\"x", NULL, 0 },
        { "\"clocks\":", "\"clockx\":", "'clocks' is missing or wrong", 1 },
        { "\"format\":\"dln\"", "\"format\":\"dlx\"", "it was not written by dln", 1 },
        { "\"format\":", "\"formax\":", "it was not written by dln", 1 },
        { "\"sha256\":\"0f\"", "\"sha256\":\"0e\"", "was written by another version of fake.dln", 0 },
        { "\"sha256\":", "\"sha255\":", "", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!cases[i].words) continue;
        note_change(&old, cases[i].from, cases[i].to);
        int code = run_model(m, "train --epochs 2 --weights w --resume", "out", "err");
        cr_expect(code == cases[i].code && strstr(text_of("err"), cases[i].words), "%s: %d %s", cases[i].from, code,
                  text_of("err"));
    }
    note_change(&old, "classes:label\":\"[\\\"", "classes:label\":\" \\\"");
    cr_assert(run_model(m, "eval --weights w", "out", "err") == 1);
    note_change(&old, "[\\\"a\\\",\\\"b\\\"]", "[\\\"a\\\",\\\"a\\\"]");
    cr_assert(run_model(m, "eval --weights w", "out", "err") == 1);
    cr_expect(strstr(text_of("err"), "its note 'classes:label' is wrong"), "%s", text_of("err"));
    note_change(&old, "[\\\"a\\\",\\\"b\\\"]", "[12345,\\\"b\\\"]");
    cr_assert(run_model(m, "eval --weights w", "out", "err") == 1);
    cr_expect(strstr(text_of("err"), "its note 'classes:label' is wrong"), "%s", text_of("err"));
}

/* ---- a model of doubles ---- */
static const void *const *narrow(const void *const *fields, int n)
{
    static float x[1024];
    static const void *narrowed[2];
    for (int i = 0; i < n * 2; i++) x[i] = (float)((const double *)fields[0])[i];
    narrowed[0] = x;
    narrowed[1] = fields[1];
    return narrowed;
}
static int wide_measure(void *m, int pass, const void *const *f, int n)
{
    return fake_measure(m, pass, narrow(f, n), n);
}
static int wide_step(void *m, const void *const *f, int n, double *loss) { return fake_step(m, narrow(f, n), n, loss); }
static int wide_evaluate(void *m, const void *const *f, int n, double *loss)
{
    return fake_evaluate(m, narrow(f, n), n, loss);
}
static int wide_predict(void *m, const void *const *f, int n, void *const *out)
{
    static float y[1024];
    void *narrowed[] = { y };
    fake_predict(m, narrow(f, n), n, narrowed);
    for (int i = 0; i < n * 2; i++) ((double *)out[0])[i] = (double)y[i];
    return 0;
}
static int wide_get(const void *m, int tensor, void *values)
{
    static float x[1024];
    int n = tensor == W || tensor == W_V ? 4 : tensor == B || tensor == B_V ? 2 : 1;
    fake_get(m, tensor, x);
    for (int i = 0; i < n; i++) ((double *)values)[i] = (double)x[i];
    return 0;
}
static int wide_put(void *m, int tensor, const void *values)
{
    static float x[1024];
    int n = tensor == W || tensor == W_V ? 4 : tensor == B || tensor == B_V ? 2 : 1;
    for (int i = 0; i < n; i++) x[i] = (float)((const double *)values)[i];
    return fake_put(m, tensor, x);
}

Test(failures, a_model_of_doubles)
{
    dln_model *m = small_model();
    cr_assert(run_model(m, "train -q --epochs 3 --weights single", "out", "err") == 0);
    char *figures = strdup(text_of("out"));
    m->real_bytes = 8;
    m->measure = wide_measure;
    m->step = wide_step;
    m->evaluate = wide_evaluate;
    m->predict = wide_predict;
    m->get = wide_get;
    m->put = wide_put;
    cr_assert(run_model(m, "train -q --epochs 3 --weights twice", "out", "err") == 0, "%s", text_of("err"));
    cr_expect(!strcmp(figures, text_of("out")), "%s%s", figures, text_of("out"));
    cr_assert(run_model(m, "train -q --epochs 4 --weights twice --resume", "out", "err") == 0, "%s", text_of("err"));
    cr_assert(run_model(m, "eval --weights twice", "out", "err") == 0, "%s", text_of("err"));
    cr_assert(run_model(m, "predict --weights twice", "out", "err") == 0, "%s", text_of("err"));
    cr_expect(!strncmp(text_of("out"), "class,a,b\n", 10), "%s", text_of("out"));
    cr_assert(run_model(m, "eval --weights single", "out", "err") == 0, "%s", text_of("err")); /* floats fit doubles */
    fake_fail_step = 2;
    cr_assert(run_model(m, "train -q --epochs 3 --weights bad", "out", "err") == 1);
    cr_expect(strstr(text_of("err"), "dense.w"), "%s", text_of("err"));
    free(figures);
}
