/* test_host_train.c: the order of samples, the data block, batches, and whole runs of the program on a small table. */
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "host/run.h"
#include "unit/fake_model.c"
#include "unit/host_program.h"
#include "unit/host_test.h"

TestSuite(train, .init = folder_make, .fini = folder_remove);

#define LENGTH(a) (int)(sizeof a / sizeof *a)
#define STRING(s)                                                                                                      \
    {                                                                                                                  \
        .kind = DLN_STRING, .text = s                                                                                  \
    }
#define WORD(w)                                                                                                        \
    {                                                                                                                  \
        .kind = DLN_WORD, .text = w                                                                                    \
    }
#define NUMBER(n)                                                                                                      \
    {                                                                                                                  \
        .kind = DLN_NUMBER, .number = n                                                                                \
    }
#define CALL(name, of, list)                                                                                           \
    {                                                                                                                  \
        .kind = DLN_CALL, .key = name, .text = of, .count = LENGTH(list), .items = list                                \
    }

Test(train, shuffle_is_a_permutation)
{
    static const uint64_t counts[] = { 1, 2, 3, 7, 100, 255, 256, 257, 4096, 60000 };
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        char *seen = calloc(counts[k], 1);
        for (uint64_t epoch = 0; epoch < 3; epoch++) {
            Shuffle s = shuffle_new(counts[k], 11, epoch);
            memset(seen, 0, counts[k]);
            for (uint64_t i = 0; i < counts[k]; i++) {
                uint64_t place = shuffle_place(&s, i);
                cr_assert(place < counts[k] && !seen[place]);
                seen[place] = 1;
            }
        }
        free(seen);
    }
    Shuffle large = shuffle_new(UINT64_C(1000000000000), 1, 2);
    cr_assert(shuffle_place(&large, 999999999999) < UINT64_C(1000000000000));
}

Test(train, shuffle_mixes)
{ /* places of neighbours are as good as independent; epochs differ */
    enum { N = 10000 };
    Shuffle a = shuffle_new(N, 3, 0), b = shuffle_new(N, 3, 1);
    int same = 0;
    double product = 0;
    for (uint64_t i = 0; i + 1 < N; i++) {
        double x = (double)shuffle_place(&a, i) / N - 0.5, y = (double)shuffle_place(&a, i + 1) / N - 0.5;
        product += x * y * 12 / N; /* correlation */
        same += shuffle_place(&a, i) == shuffle_place(&b, i);
    }
    cr_assert(fabs(product) < 0.05, "%g", product);
    cr_assert(same < 10);
}

/* ---- the data block ---- */

/* 30 rows of three classes, far apart; x1 and x2 then the class, and a column of text to drop. */
static const dln_value drop_note[] = { NUMBER(0) };
static const dln_value csv_items[] = { STRING("t.csv"),
                                       { .kind = DLN_WORD, .key = "target", .text = "last" },
                                       { .kind = DLN_LIST, .key = "drop", .count = 1, .items = drop_note } };
static const dln_value split_items[] = { WORD("all"), NUMBER(0.8), { .kind = DLN_NUMBER, .key = "seed", .number = 5 } };
static const dln_value table_data[] = { CALL("all", "csv", csv_items), CALL("train, test", "split", split_items) };
static const dln_value table_train[] = { { .kind = DLN_WORD, .key = "validate", .text = "test" } };

static void table_make(void)
{
    static const char *const name[] = { "rose", "tulip", "lily" };
    static const double at[3][2] = { { 10, 0 }, { -10, 5 }, { 0, -10 } };
    char text[4000];
    size_t used = 0;
    srand(1);
    for (int i = 0; i < 30; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "n%d,%.3f,%.3f,%s\n", i,
                                 at[i % 3][0] + rand() % 100 / 50.0, at[i % 3][1] + rand() % 100 / 50.0, name[i % 3]);
    file_make("t.csv", text, used);
}

static dln_model *table_model(void)
{
    dln_model *m = fake_model("features", 2, 3);
    table_make();
    m->batch = 8;
    m->data_values = LENGTH(table_data);
    m->data = table_data;
    m->train_values = LENGTH(table_train);
    m->train = table_train;
    return m;
}

Test(train, split_shares_every_row_once)
{
    Data d;
    Problem p = { 0 };
    int seen[30] = { 0 };
    data_begin(&d, table_model(), folder);
    const Part *train = data_part(&d, "train", &p), *test = data_part(&d, "test", &p);
    cr_assert(train && test, "%s", p.text);
    cr_assert(train->rows == 24 && test->rows == 6 && train->table == test->table);
    for (uint64_t i = 0; i < 24; i++) seen[part_row(train, i)]++;
    for (uint64_t i = 0; i < 6; i++) seen[part_row(test, i)]++;
    for (int i = 0; i < 30; i++) cr_assert(seen[i] == 1);
    cr_assert(!data_part(&d, "valid", &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "defines no 'valid'; it has: all, train, test");
    data_end(&d);
}

Test(train, data_block_errors)
{
    static const dln_value self[] = { WORD("a"), NUMBER(0.5) };
    static const dln_value share[] = { WORD("all"), NUMBER(1.5) };
    static const dln_value data[] = { CALL("a", "split", self),
                                      CALL("b", "cvs", csv_items),
                                      CALL("c", "text", csv_items),
                                      CALL("all", "csv", csv_items),
                                      CALL("d", "split", share),
                                      CALL("e", "split", split_items),
                                      { .kind = DLN_WORD, .key = "f", .text = "g" } };
    dln_model *m = table_model();
    Data d;
    Problem p = { 0 };
    m->data_values = LENGTH(data);
    m->data = data;
    data_begin(&d, m, folder);
    cr_assert(!data_part(&d, "a", &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "a is made of itself");
    cr_assert(!data_part(&d, "b", &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "no source 'cvs'; did you mean 'csv'?");
    cr_assert(!data_part(&d, "c", &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "text has no argument 'target'");
    cr_assert(!data_part(&d, "d", &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "shares are numbers above 0 whose sum is below 1");
    cr_assert(!data_part(&d, "e", &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "has 2 shares");
    cr_assert(!data_part(&d, "f", &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "defines no 'g'");
    data_end(&d);
}

/* ---- feeds ---- */

static const unsigned char images[] = {
    0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 2, 3, 252, 253, 254, 255
};

static bool feed_try(const unsigned char *labels, size_t count, dln_model *m, Feed *f, Data *d, Problem *p)
{
    static const dln_value items[] = { { .kind = DLN_STRING, .key = "features", .text = "i" },
                                       { .kind = DLN_STRING, .key = "label", .text = "l" } };
    static const dln_value data[] = { CALL("train", "idx", items) };
    file_make("i", images, sizeof images);
    file_make("l", labels, count);
    m->data_values = 1;
    m->data = data;
    data_begin(d, m, folder);
    const Part *part = data_part(d, "train", p);
    return part && feed_open(f, m, part, true, p);
}

Test(train, feed_converts_and_checks)
{
    static const unsigned char labels[] = { 0, 0, 8, 1, 0, 0, 0, 2, 2, 0 };
    static const unsigned char beyond[] = { 0, 0, 8, 1, 0, 0, 0, 2, 2, 3 };
    static const unsigned char three[] = { 0, 0, 8, 1, 0, 0, 0, 3, 2, 1, 0 };
    Feed f;
    Data d;
    Problem p = { 0 };
    dln_model *m = fake_model("features", 4, 3);
    dln_field field[2] = { m->field[0], m->field[1] };
    field[0].rank = 3; /* [2, 2] of the file fits [2, 2, 1] */
    field[0].extent[0] = field[0].extent[1] = 2;
    field[0].extent[2] = 1;
    m->field = field;
    cr_assert(feed_try(labels, sizeof labels, m, &f, &d, &p), "%s", p.text);
    feed_gather(&f, 0, 2);
    cr_assert(((float *)f.buffer[0])[3] == 3 && ((float *)f.buffer[0])[7] == 255 && ((int32_t *)f.buffer[1])[0] == 2);
    feed_close(&f);
    data_end(&d);
    cr_assert(!feed_try(beyond, sizeof beyond, m, &f, &d, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "sample 1: label is 3, but the model has 3 classes, 0 .. 2");
    data_end(&d);
    cr_assert(!feed_try(three, sizeof three, m, &f, &d, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "3 samples, but");
    data_end(&d);
    field[0].extent[0] = 4;
    cr_assert(!feed_try(labels, sizeof labels, m, &f, &d, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "features is [2, 2] in every sample, but the model takes [4, 2, 1] for features");
    data_end(&d);
    field[0].name = "image";
    cr_assert(!feed_try(labels, sizeof labels, m, &f, &d, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "the data have no field 'image' (an input of the model); they have: features, label");
    data_end(&d);
}

/* ---- the program ---- */

static bool files_equal(const char *a, const char *b)
{
    Bytes x = file_bytes(in_folder(a)), y = file_bytes(in_folder(b));
    bool same = x.count == y.count && !memcmp(x.at, y.at, x.count);
    free(x.at);
    free(y.at);
    return same;
}

Test(train, trains_evaluates_predicts)
{
    dln_model *m = table_model();
    cr_assert(run_model(m, "train --epochs 5 --log l.csv", "out", "err") == 0, "%s", text_of("err"));
    cr_assert(strstr(text_of("out"), "Test accuracy: 1.0000"), "%s", text_of("out"));
    cr_assert(strstr(text_of("err"), "\nEpoch 5/5  3/3 - 0s ") && !strchr(text_of("err"), '\r'), "%s", text_of("err"));
    cr_assert(!strncmp(text_of("l.csv"), "epoch,iteration,seconds,loss,accuracy,val_loss,val_accuracy\n1,3,", 64));
    cr_assert(run_model(m, "eval", "out", "err") == 0, "%s", text_of("err"));
    cr_assert(strstr(text_of("out"), "Test accuracy: 1.0000") && strstr(text_of("out"), "tulip"), "%s", text_of("out"));
    file_make("new.csv", "10,0\n-10,5\n", 11);
    cr_assert(run_model(m, "predict new.csv", "out", "err") == 0, "%s", text_of("err"));
    cr_assert(!strncmp(text_of("out"), "class,rose,tulip,lily\nrose,", 27), "%s", text_of("out"));
    cr_assert(strstr(text_of("out"), "\ntulip,"));
    cr_assert(run_model(m, "export --output w.safetensors", "out", "err") == 0, "%s", text_of("err"));
    cr_assert(run_model(m, "eval --weights w.safetensors", "out", "err") == 0, "%s", text_of("err"));
    cr_assert(strstr(text_of("out"), "Test accuracy: 1.0000"));
    cr_assert(run_model(m, "info", "out", "err") == 0);
    cr_assert(strstr(text_of("out"), "train, test = split(all, 0.8, seed = 5)"), "%s", text_of("out"));
}

Test(train, resume_gives_the_same_bits)
{
    dln_model *m = table_model();
    cr_assert(run_model(m, "train -q --epochs 4 --weights a", "out", "err") == 0, "%s", text_of("err"));
    cr_assert(run_model(m, "train -q --epochs 1 --weights b", "out", "err") == 0);
    cr_assert(run_model(m, "train -q --epochs 4 --weights b --resume", "out", "err") == 0, "%s", text_of("err"));
    cr_assert(files_equal("a", "b"));
    fake_signal_step = 5; /* in the middle of the second epoch */
    cr_assert(run_model(m, "train -q --epochs 4 --weights c", "out", "err") == 130);
    fake_signal_step = 0;
    cr_assert(run_model(m, "train -q --epochs 4 --weights c --resume --batch 4", "out", "err") == 1);
    cr_assert(strstr(text_of("err"), "in the middle of an epoch of 24 samples in batches of 8"), "%s", text_of("err"));
    cr_assert(run_model(m, "train -q --epochs 4 --weights c --resume", "out", "err") == 0, "%s", text_of("err"));
    cr_assert(files_equal("a", "c"));
    cr_assert(run_model(m, "train -q --epochs 4 --weights c --resume --seed 9", "out", "err") == 2);
    cr_assert(run_model(m, "train -q --epochs 4 --weights d --seed 9", "out", "err") == 0 && !files_equal("a", "d"));
}

Test(train, rounds_of_steps)
{
    dln_model *m = table_model();
    m->steps = 20;
    cr_assert(run_model(m, "train --weights a --progress plain", "out", "err") == 0, "%s", text_of("err"));
    cr_assert(strstr(text_of("err"), "Round 10/10  2/2"), "%s", text_of("err"));
    fake_signal_step = 9;
    cr_assert(run_model(m, "train -q --weights b", "out", "err") == 130);
    fake_signal_step = 0;
    cr_assert(run_model(m, "train -q --weights b --resume", "out", "err") == 0, "%s", text_of("err"));
    cr_assert(files_equal("a", "b"));
}

Test(train, early_stop_and_best)
{
    static const dln_value patience[] = { NUMBER(2), { .kind = DLN_WORD, .key = "monitor", .text = "val_accuracy" } };
    static const dln_value best[] = { WORD("val_accuracy") };
    static const dln_value train[] = { { .kind = DLN_WORD, .key = "validate", .text = "test" },
                                       CALL("early_stop", "patience", patience),
                                       CALL("checkpoint", "best", best) };
    dln_model *m = table_model();
    m->train_values = LENGTH(train);
    m->train = train;
    cr_assert(run_model(m, "train --epochs 50", "out", "err") == 0, "%s", text_of("err"));
    cr_assert(strstr(text_of("err"), "early stop: val_accuracy") && strstr(text_of("err"), "are restored"), "%s",
              text_of("err"));
    cr_assert(strstr(text_of("out"), "Test accuracy: 1.0000"));
    cr_assert(access(in_folder("fake.best.safetensors"), F_OK) && !access(in_folder("fake.safetensors"), F_OK));
}

Test(train, nan_names_the_tensor_and_saves_nothing)
{
    dln_model *m = table_model();
    fake_fail_step = 4;
    cr_assert(run_model(m, "train -q", "out", "err") == 1);
    cr_assert(
        strstr(
            text_of("err"),
            "step 4 (epoch 2): the loss is nan; before this step all tensors were finite, the largest value "),
        "%s", text_of("err"));
    cr_assert(
        strstr(text_of("err"),
               "the first tensor that is not finite: dense.w of layer dense (fake.dln:3), element 3 is nan"),
        "%s", text_of("err"));
    cr_assert(access(in_folder("fake.safetensors"), F_OK));
}

Test(train, usage)
{
    static const struct {
        const char *words, *text;
        int code;
    } cases[] = {
        { "", "usage: model COMMAND", 2 },
        { "trian", "did you mean train?", 2 },
        { "train --epcohs 3", "did you mean --epochs?", 2 },
        { "train --epochs", "--epochs needs a value", 2 },
        { "train --epochs -1", "from 0 to 1000000000, got '-1'", 2 },
        { "train --batch 0", "from 1 to", 2 },
        { "train --batch 9", "compiled for batches of up to 8", 2 },
        { "train --threads 100000", "from 1 to 256", 2 },
        { "train --lr nan", "a finite number", 2 },
        { "train --lr 1e999", "a finite number", 2 },
        { "train --lr 1,5", "a finite number", 2 },
        { "train --lr -1", "lr: the value is out of range", 1 },
        { "train --nesterov=1", "edit fake.dln and compile it again", 2 },
        { "train --momentun 1", "did you mean --momentum?", 2 },
        { "train extra", "unexpected 'extra'", 2 },
        { "train --resume=1", "takes no value", 2 },
        { "train --progress pretty", "--progress is", 2 },
        { "train --log l.txt", "ends in .csv or .jsonl", 2 },
        { "eval", "cannot open fake.safetensors", 3 },
        { "train --resume", "cannot open fake.safetensors", 3 },
        { "export", "needs --output", 2 },
        { "eval --weights .", "is not a file", 3 },
        { "train --data none", "cannot find t.csv", 3 },
        { "train --weights none/w", "No such file", 3 },
        { "train --log none/l.csv", "cannot write none/l.csv", 3 },
    };
    dln_model *m = table_model();
    for (int i = 0; i < LENGTH(cases); i++) {
        int code = run_model(m, cases[i].words, "out", "err");
        cr_assert(code == cases[i].code && strstr(text_of("err"), cases[i].text), "'%s' gave %d: %s", cases[i].words,
                  code, text_of("err"));
    }
    cr_assert(run_model(m, "--help", "out", "err") == 0 && strstr(text_of("out"), "--momentum X"), "%s",
              text_of("out"));
    cr_assert(run_model(m, "train -h", "out", "err") == 0);
    m->abi = 99;
    cr_assert(run_model(m, "train", "out", "err") == 70);
}

Test(train, settings_of_the_train_block_are_known)
{
    static const dln_value train[] = { { .kind = DLN_WORD, .key = "valdate", .text = "test" } };
    static const dln_value watch[] = { WORD("val_acuracy") };
    static const dln_value train_2[] = { CALL("checkpoint", "best", watch) };
    dln_model *m = table_model();
    m->train_values = 1;
    m->train = train;
    cr_assert(run_model(m, "train", "out", "err") == 1);
    cr_assert(strstr(text_of("err"), "there is no setting 'valdate'; did you mean 'validate'?"), "%s", text_of("err"));
    m->train = train_2;
    cr_assert(run_model(m, "train", "out", "err") == 1);
    cr_assert(strstr(text_of("err"), "checkpoint watches 'val_acuracy'; there are: loss, accuracy"), "%s",
              text_of("err"));
}

/* Skipped without the folder of real data. */
Test(train, real_tables)
{
    static const struct {
        const char *file;
        bool target;
        int64_t rows;
        size_t features;
        int classes;
    } cases[] = {
        { "csv/housing.csv", true, 506, 13, 0 },
        { "csv/iris.csv", true, 150, 4, 3 },
        { "csv/sonar.csv", true, 208, 60, 2 },
        { "csv/pima-indians-diabetes.csv", true, 768, 8, 0 },
        { "csv/banknote_authentication.csv", true, 1372, 4, 0 },
    };
    const char *data = getenv("DLN_DATA");
    if (!data) {
        fprintf(stderr, "skipped: DLN_DATA is not set\n");
        return;
    }
    for (int i = 0; i < LENGTH(cases); i++) {
        char path[600];
        Names found = { 0 };
        Table t = { 0 };
        Problem p = { 0 };
        snprintf(path, sizeof path, "%s/%s", data, cases[i].file);
        Bytes b = file_bytes(path);
        CsvSpec spec = { .header = -1, .target = cases[i].target ? "last" : NULL };
        cr_assert(csv_read(&b, path, &spec, false, &found, &t, &p), "%s", p.text);
        cr_assert((int64_t)t.rows == cases[i].rows && t.column[0].elements == cases[i].features &&
                      found.count == cases[i].classes,
                  "%s: %d %zu %d", path, (int)t.rows, t.column[0].elements, found.count);
        table_free(&t);
        names_free(&found);
        free(b.at);
    }
}

/* ---- failures ---- */

static const dln_value keep_last[] = { { .kind = DLN_WORD, .key = "validate", .text = "test" },
                                       { .kind = DLN_WORD, .key = "checkpoint", .text = "last" } };

/* A training in a process of its own, killed after so many microseconds (0: never); the status of wait(). */
static int train_killed(const dln_model *m, const char *words, useconds_t after)
{
    int status = 0;
    pid_t child = fork();
    if (!child) _exit(run_model(m, words, "out", "err"));
    if (after) {
        usleep(after);
        kill(child, SIGKILL);
    }
    waitpid(child, &status, 0);
    return status;
}

Test(train, kills_at_any_moment_lose_nothing)
{
    dln_model *m = table_model();
    m->train = keep_last;
    m->train_values = LENGTH(keep_last);
    cr_assert(train_killed(m, "train -q --epochs 120 --weights whole", 0) == 0, "%s", text_of("err"));
    int status = 1;
    for (int attempt = 0; attempt < 200 && status; attempt++) {
        bool saved = !access(in_folder("broken"), F_OK);
        status = train_killed(
            m, saved ? "train -q --epochs 120 --weights broken --resume" : "train -q --epochs 120 --weights broken",
            attempt < 40 ? 1000 + (useconds_t)(rand() % 30000) : 0);
        cr_assert(!status || WIFSIGNALED(status), "attempt %d: %s", attempt, text_of("err"));
    }
    cr_assert(!status && files_equal("whole", "broken"));
}

Test(train, a_full_disk_keeps_the_old_file)
{
    dln_model *m = table_model();
    struct rlimit limit = { 300, 300 };
    cr_assert(run_model(m, "train -q --epochs 1", "out", "err") == 0, "%s", text_of("err"));
    Bytes before = file_bytes(in_folder("fake.safetensors"));
    pid_t child = fork();
    int status;
    if (!child) {
        if (setrlimit(RLIMIT_FSIZE, &limit)) _exit(99);
        _exit(run_model(m, "train -q --epochs 2", "out", "err"));
    }
    waitpid(child, &status, 0);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 3, "%d", status);
    cr_assert(strstr(text_of("err"), "File too large"), "%s", text_of("err"));
    Bytes after = file_bytes(in_folder("fake.safetensors"));
    cr_assert(before.count == after.count && !memcmp(before.at, after.at, before.count));
    free(before.at);
    free(after.at);
    DIR *d = opendir(folder);
    for (const struct dirent *e; (e = readdir(d));) cr_assert(!strstr(e->d_name, ".tmp"), "%s was left", e->d_name);
    closedir(d);
}
