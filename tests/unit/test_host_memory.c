/* test_host_memory.c: memory runs out at every allocation in turn, once or for good: the program ends with a message and
 * exit code 3, or manages without. The allocators of libc are replaced by ones that count. */
#include <fcntl.h>
#include <sys/wait.h>
#include "host/run.h"
#include "unit/fake_model.c"
#include "unit/host_allocators.h"
#include "unit/host_test.h"

#ifndef OWN_ALLOCATORS
Test(memory, skipped_under_address_sanitizer) {}
#else

TestSuite(memory, .init = folder_make, .fini = folder_remove);

static const dln_value csv_items[] = { { .kind = DLN_STRING, .text = "t.csv" },
                                       { .kind = DLN_WORD, .key = "target", .text = "last" } };
static const dln_value split_items[] = { { .kind = DLN_WORD, .text = "all" }, { .kind = DLN_NUMBER, .number = 0.5 } };
static const dln_value data[] = {
    { .kind = DLN_CALL, .key = "all", .text = "csv", .count = 2, .items = csv_items },
    { .kind = DLN_CALL, .key = "train, test", .text = "split", .count = 2, .items = split_items },
};
static const dln_value train[] = { { .kind = DLN_WORD, .key = "validate", .text = "test" } };

static dln_model *small_model(void)
{
    dln_model *m = fake_model("features", 2, 2);
    m->data_values = 2;
    m->data = data;
    m->train_values = 1;
    m->train = train;
    return m;
}

/* The command in a process of its own, its allocation number `n` (from 0) failing; the status of wait(). */
static int run_without(const dln_model *m, char *words[], long n, bool good)
{
    int status, count = 0;
    while (words[count]) count++;
    pid_t child = fork();
    if (!child) {
        int out = open(in_folder("out"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        setenv("DLN_DATA", folder, 1);
        if (chdir(folder) || dup2(out, 1) < 0 || dup2(out, 2) < 0) _exit(98);
        for_good = good;
        until = n;
        counts = true;
        int code = dln_main(count, words, m);
        counts = false;
        bool reached = refused;
        _exit(!reached && !code ? 97 : code); /* 97: all is well, it was never reached */
    }
    waitpid(child, &status, 0);
    return status;
}

/* The allocations from number `from` on: those before are of what another command has tried (the weights are read). */
static void try_from(const dln_model *m, char *words[], long from)
{
    int fine = run_without(m, words, 1L << 60, false);
    cr_assert(WIFEXITED(fine) && WEXITSTATUS(fine) == 97);
    for (int good = 0; good < 2; good++)
        /* the first failure alone is one that `once` tries: every eighth for good is enough */
        for (long n = from, code = 0; code != 97; n += good ? 8 : 1) {
            int status = run_without(m, words, n, good);
            cr_assert(WIFEXITED(status), "allocation %ld: signal %d", n, WTERMSIG(status));
            code = WEXITSTATUS(status);
            Bytes said = file_bytes(in_folder("out"));
            cr_assert(code == 0 || code == 97 || (code == EXIT_IO && strstr((char *)said.at, "error:")),
                      "allocation %ld of %s gave %ld: %s", n, words[1], code, said.at);
            free(said.at);
            cr_assert(n < 3000);
        }
}

static void try_all(const dln_model *m, char *words[]) { try_from(m, words, 0); }
enum { LOADING = 480 }; /* fewer than the allocations of reading the weights */

Test(memory, every_allocation_may_fail)
{
    char *training[] = { "model", "train", "--epochs", "1", "--log", "l.csv", NULL };
    char *evaluation[] = { "model", "eval", NULL }, *prediction[] = { "model", "predict", "t.csv", NULL };
    file_make("t.csv", "1,2,a\n3,4,b\n5,6,a\n1,1,b\n", 24);
    try_all(small_model(), training);
    try_all(small_model(), evaluation);
    try_from(small_model(), prediction, LOADING);
}

/* Curves, records, other forms of predictions and weights, and a training that goes on. */
Test(memory, every_allocation_for_what_is_written_may_fail)
{
    char *training[] = { "model", "train", "-q", "--epochs", "2", "--log", "l.jsonl", "--plot", "c.svg", NULL };
    char *going_on[] = { "model", "train", "-q", "--epochs", "3", "--resume", "--plot", "c.svg", "--weights", "w", NULL };
    char *json[] = { "model", "predict", "--format", "json", "--weights", "w", NULL };
    char *archive[] = { "model", "export", "--output", "x.npz", "--weights", "w", NULL };
    char *constants[] = { "model", "export", "--output", "x.h", "--weights", "w", NULL };
    char *graph[] = { "model", "export", "--output", "x.onnx", "--weights", "w", NULL };
    char *first[] = { "model", "train", "-q", "--epochs", "1", "--weights", "w", "--plot", "c.svg", NULL };
    char *facts[] = { "model", "info", "--weights", "w", NULL };
    dln_model *m = small_model();
    file_make("t.csv", "1,2,a\n3,4,b\n5,6,a\n1,1,b\n", 24);
    cr_assert(WEXITSTATUS(run_without(m, first, 1L << 60, false)) == 97);
    try_from(m, json, LOADING);
    try_from(m, archive, LOADING);
    try_from(m, constants, LOADING);
    m->onnx = "input x real[n,2]\n#1 = Reshape dense.w [4]\nz = Add x dense.b\ny = Add z #1\noutput y real[n,4]\n";
    int written = WEXITSTATUS(run_without(m, graph, 1L << 60, false));
    if (written == 97) try_from(m, graph, LOADING);       /* not where protobuf-c was missing */
    else cr_assert(written == EXIT_USAGE);
    try_all(m, facts);
    try_all(m, training);
    try_all(m, going_on);
}

/* With weights = safetensors("w", layout = torch), and written in that layout. */
Test(memory, every_allocation_for_weights_of_layers_may_fail)
{
    static const dln_foreign foreign[] = { { W, "dense.weight", 2, { 2, 2 }, NULL }, { B, "dense.bias", 1, { 2 }, NULL } };
    static const dln_value items[] = { { .kind = DLN_STRING, .text = "w" },
                                       { .kind = DLN_WORD, .key = "layout", .text = "torch" } };
    static const dln_value source = { .kind = DLN_CALL, .key = "dense", .text = "safetensors", .count = 2, .items = items };
    static const char header[] = "{\"weight\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},"
                                 "\"bias\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[16,20]}}";
    char *training[] = { "model", "train", "--epochs", "0", NULL };
    char *writing[] = { "model", "export", "--layout", "torch", "--output", "t", NULL };
    unsigned char file[8 + sizeof header - 1 + 20] = { sizeof header - 1 };
    dln_model *m = small_model();
    m->sources = 1;
    m->source_of = &source;
    m->foreigns = 2;
    m->foreign = foreign;
    memcpy(file + 8, header, sizeof header - 1);
    file_make("w", file, sizeof file);
    file_make("t.csv", "1,2,a\n3,4,b\n5,6,a\n1,1,b\n", 24);
    try_all(m, training);
    try_all(m, writing);
}
#endif
