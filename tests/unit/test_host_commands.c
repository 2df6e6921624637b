/* test_host_commands.c: what the train block may say of stopping and keeping, every form of progress, log and prediction,
 * and options in all their spellings, seen in what the program prints and in the files that it leaves. */
#include <errno.h>
#include <math.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include "host/run.h"
#include "unit/fake_model.c"
#include "unit/host_block.h"
#include "unit/host_program.h"

TestSuite(commands, .init = folder_make, .fini = folder_remove);

/* 24 rows of two classes, far apart. */
static dln_model *small_model(const char *train)
{
    char text[1000];
    size_t used = 0;
    for (int i = 0; i < 24; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%d,%d,%s\n", i % 2 ? 9 - i % 3 : -9, i % 5,
                                 i % 2 ? "yes" : "no");
    file_make("t.csv", text, used);
    dln_model *m = fake_model("features", 2, 2);
    m->batch = 8;
    block_of(m, "all = csv(\"t.csv\", target = last); train, test = split(all, 0.5, seed = 5)");
    train_of(m, train);
    return m;
}

static bool is_there(const char *name) { return !access(in_folder(name), F_OK); }

static void expect_run(const dln_model *m, const char *words, int code, const char *out, const char *err)
{
    int got = run_model(m, words, "out", "err");
    cr_assert(got == code, "'%s' gave %d: %s", words, got, text_of("err"));
    cr_expect(strstr(text_of("out"), out), "'%s' printed %s", words, text_of("out"));
    cr_expect(strstr(text_of("err"), err), "'%s' said %s", words, text_of("err"));
}

/* ---- policies ---- */
Test(commands, what_the_train_block_may_say)
{
    static const struct {
        const char *train, *words, *err;
    } cases[] = {
        { "early_stop = patience(1); validate = test", "train --epochs 60 --lr 0", "early stop: val_loss" },
        { "early_stop = patience(1)", "train --epochs 60 --lr 0 --no-validate", "early stop: loss" },
        { "early_stop = patience(1, monitor = loss, min_delta = 1000)", "train --epochs 60", "early stop: loss" },
        { "early_stop = patience(1, monitor = val_loss, mode = max)", "train --epochs 60", "early stop: val_loss" },
        { "early_stop = patience(1, monitor = \"accuracy\", mode = min)", "train --epochs 60", "early stop: accuracy" },
        { "checkpoint = best(val_accuracy, mode = max)", "train --epochs 6", "are restored" },
        { "checkpoint = best", "train --epochs 2", "weights: fake.safetensors" },
        { "checkpoint = best(loss)", "train --epochs 2 --no-validate", "weights: fake.safetensors" },
        { "checkpoint = best", "train --epochs 2 --no-validate", "weights: fake.safetensors" },
        { "checkpoint = last; shuffle = false", "train --epochs 2", "weights: fake.safetensors" },
        { "shuffle = true", "train --epochs 1", "weights: fake.safetensors" },
        { "shuffle = \"false\"", "train --epochs 1", "weights: fake.safetensors" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_run(small_model(cases[i].train), cases[i].words, 0, "", cases[i].err);
}

Test(commands, each_mistake_in_a_train_block_is_named)
{
    static const struct {
        const char *train, *words;
    } cases[] = {
        { "early_stop = 3", "early_stop = patience(EPOCHS" },
        { "early_stop = patienc(3)", "early_stop = patience(EPOCHS" },
        { "early_stop = patience()", "N is a whole number" },
        { "early_stop = patience(1.5)", "N is a whole number" },
        { "early_stop = patience(-1)", "N is a whole number" },
        { "early_stop = patience(few)", "N is a whole number" },
        { "early_stop = patience(monitor = loss)", "N is a whole number" },
        { "early_stop = patience(3, monitor = los)", "early_stop watches 'los'; there are: loss, accuracy" },
        { "early_stop = patience(3, mode = up)", "mode is min or max" },
        { "early_stop = patience(3, min_delta = small)", "min_delta is a number" },
        { "early_stop = patience(3, min_delta = -1)", "min_delta is a number" },
        { "checkpoint = every(0)", "N is 1 or more" },
        { "checkpoint = every(x)", "N is a whole number" },
        { "checkpoint = every", "checkpoint is best(val_loss), last or every(N)" },
        { "checkpoint = last(3)", "checkpoint is best(val_loss), last or every(N)" },
        { "checkpoint = 3", "checkpoint is best(val_loss), last or every(N)" },
        { "checkpoint = best(val_los)", "checkpoint watches 'val_los'" },
        { "shuffle = 1", "shuffle is true or false" },
        { "shuffle = maybe", "shuffle is true or false" },
        { "zzzzzzzzzzzz = 1", "there is no setting 'zzzzzzzzzzzz'\n" },
        { "validate = 3", "validate" },
        { "validate = nothing", "defines no 'nothing'" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_run(small_model(cases[i].train), "train --epochs 1", 1, "", cases[i].words);
}

Test(commands, a_checkpoint_every_two_epochs)
{
    dln_model *m = small_model("checkpoint = every(2)");
    expect_run(m, "train --epochs 5 --weights w.safetensors", 0, "", "weights: w.safetensors");
    int count = 0;
    DIR *d = opendir(folder);
    for (const struct dirent *e; (e = readdir(d));) count += e->d_name[0] == 'w';
    closedir(d);
    cr_assert(count == 3 && is_there("w-0002.safetensors") && is_there("w-0004.safetensors"), "%d files", count);
    expect_run(m, "train --epochs 5 --weights v --no-save", 0, "", "");
    cr_assert(!is_there("v"));
}

Test(commands, the_best_of_a_file_with_another_ending)
{
    dln_model *m = small_model("validate = test; checkpoint = best(val_accuracy)");
    expect_run(m, "train -q --epochs 3 --weights plain", 0, "Test accuracy", "");
    cr_assert(is_there("plain") && !is_there("plain.best.safetensors"));
    expect_run(m, "train --no-save --epochs 3", 0, "Test accuracy", "");
    expect_run(m, "train --epochs 0", 0, "Test accuracy", "");
}

/* ---- progress and logs ---- */
Test(commands, progress_as_json)
{
    dln_model *m = small_model("validate = test");
    expect_run(m, "train --epochs 2 --progress json", 0, "{\"epoch\":2,\"of\":2,\"steps\":2,\"seconds\":0.", "");
    cr_expect(strstr(text_of("out"), "\"val_accuracy\":1") && strstr(text_of("out"), "{\"part\":\"test\",\"loss\":"),
              "%s", text_of("out"));
    expect_run(m, "train -q --steps 3 --progress json --no-validate", 0, "{\"round\":", "");
    cr_expect(!strstr(text_of("out"), "val_"));
    expect_run(m, "eval --progress json", 0, "{\"part\":\"test\",\"loss\":", "");
    cr_expect(!strstr(text_of("out"), "precision"));
    expect_run(m, "train --epochs 1 --progress none", 0, "", "");
    cr_expect(!strstr(text_of("err"), "Epoch"));
}

/* The program with a terminal of so many columns; all that it wrote there. */
static char *on_terminal(const dln_model *m, const char *words, int columns)
{
    static char screen[200000];
    struct winsize size = { .ws_row = 25, .ws_col = (unsigned short)columns };
    int master, slave, status;
    size_t used = 0;
    cr_assert(!openpty(&master, &slave, NULL, NULL, &size));
    pid_t child = fork();
    if (!child) {
        char *argv[20] = { (char *)"model" }, *line = strdup(words);
        int argc = 1;
        for (char *w = strtok(line, " "); w; w = strtok(NULL, " ")) argv[argc++] = w;
        setenv("DLN_DATA", folder, 1);
        setenv("TERM", "xterm", 1);
        close(master);
        if (chdir(folder) || dup2(slave, 2) < 0 || !freopen(in_folder("out"), "w", stdout)) _exit(98);
        exit(dln_main(argc, argv, m));
    }
    close(slave);
    for (ssize_t n; (n = read(master, screen + used, sizeof screen - 1 - used)) != 0;) {
        if (n < 0 && errno != EINTR) break;
        if (n > 0) used += (size_t)n;
    }
    screen[used] = 0;
    close(master);
    waitpid(child, &status, 0);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s", screen);
    return screen;
}

static int slow_step(void *object, const void *const *fields, int n, double *loss)
{
    usleep(60000); /* two of them are worth a redraw */
    return fake_step(object, fields, n, loss);
}

Test(commands, a_bar_on_a_terminal)
{
    dln_model *m = small_model("");
    m->step = slow_step;
    char *screen = on_terminal(m, "train --epochs 2 --batch 2", 40);
    cr_assert(strstr(screen, "\rEpoch 1/2") && strstr(screen, "\033[K") && strstr(screen, "=>"), "%s", screen);
    cr_assert(strstr(screen, "\033[K\r\n") || strstr(screen, "\033[K\n"), "%s", screen);
    for (char *at = screen, *end; (end = strstr(at, "\033[K\r")); at = end + 4) {
        const char *begin = end;
        while (begin > screen && begin[-1] != '\r') begin--;
        if (end[4] != '\n') cr_expect(end - begin <= 39, "a line of %d columns", (int)(end - begin));
    }
    screen = on_terminal(m, "train --epochs 1 --batch 4", 10); /* too narrow to be believed */
    cr_assert(strstr(screen, "Epoch 1/1"), "%s", screen);
    fake_signal_step = 4;
    m->step = fake_step;
    cr_assert(run_model(m, "train --epochs 9 --progress bar", "out", "err") == 130, "%s", text_of("err"));
    cr_expect(strstr(text_of("err"),
                     "interrupted after step 4 of 18; train --resume --weights fake.safetensors goes on from here"),
              "%s", text_of("err"));
    fake_signal_step = 1;
    cr_assert(run_model(m, "train --epochs 9 --no-save --batch 1", "out", "err") == 130);
    cr_expect(strstr(text_of("err"), "interrupted after step 1 of 108\n"), "%s", text_of("err"));
    fake_signal_step = 0;
    setenv("TERM", "dumb", 1);
    expect_run(m, "train --epochs 1", 0, "", "Epoch 1/1  2/2 - ");
}

Test(commands, logs)
{
    dln_model *m = small_model("validate = test");
    expect_run(m, "train -q --epochs 2 --log l.jsonl", 0, "", "");
    cr_expect(!strncmp(text_of("l.jsonl"), "{\"epoch\":1,\"iteration\":2,\"seconds\":0.", 36) &&
                  strstr(text_of("l.jsonl"), "\"val_loss\":"),
              "%s", text_of("l.jsonl"));
    expect_run(m, "train -q --epochs 1 --log l.csv --no-validate", 0, "", "");
    expect_run(m, "train -q --epochs 2 --log l.csv --no-validate --resume", 0, "", "");
    cr_expect(!strncmp(text_of("l.csv"), "epoch,iteration,seconds,loss,accuracy\n1,2,", 42), "%s", text_of("l.csv"));
    cr_expect(strstr(text_of("l.csv"), "\n2,4,") && !strstr(text_of("l.csv") + 1, "epoch"), "%s", text_of("l.csv"));
    unlink(in_folder("l.csv"));
    expect_run(m, "train -q --epochs 3 --log l.csv --no-validate --resume", 0, "",
               ""); /* the log is new: titles again */
    cr_expect(!strncmp(text_of("l.csv"), "epoch,", 6) && strstr(text_of("l.csv"), "\n3,6,"), "%s", text_of("l.csv"));
    fake_fail_step = 0;
    expect_run(m, "train -q --epochs 1 --log /dev/full/l.csv", 3, "", "cannot write /dev/full/l.csv");
}

Test(commands, what_is_not_finite_in_a_record)
{
    dln_model *m = small_model("");
    const double values[] = { NAN, 0.5 };
    Writer w = { 0 }, j = { 0 };
    write_record(&w, m, values, "", false);
    write_record(&j, m, values, "val_", true);
    cr_assert(!strcmp(w.text, ",,0.5") && !strcmp(j.text, ",\"val_loss\":null,\"val_accuracy\":0.5"), "%s %s", w.text,
              j.text);
    free(w.text);
    free(j.text);
}

/* ---- a metric of several numbers ---- */
static int table_report(void *m, double *values)
{
    fake_report(m, values);
    for (int i = 0; i < 7; i++) values[2 + i] = i < 4 ? i : 0.5;
    return 0;
}

Test(commands, tables_among_the_metrics)
{
    static const dln_metric metric[] = { { "loss", 1 }, { "accuracy", 1 }, { "confusion", 4 }, { "parts", 3 } };
    dln_model *m = small_model("early_stop = patience(1, monitor = confusion)");
    m->metrics = 4;
    m->metric = metric;
    m->report = table_report;
    expect_run(m, "train -q --epochs 1", 1, "", "watches 'confusion'; there are: loss, accuracy (and");
    train_of(m, "validate = test");
    expect_run(m, "train --epochs 1 --log l.csv", 0, "Test confusion:\n  0 1\n  2 3\nTest parts:\n  0.5 0.5 0.5\n", "");
    cr_expect(strstr(text_of("l.csv"), "loss,accuracy,val_loss,val_accuracy\n"), "%s", text_of("l.csv"));
    expect_run(m, "eval", 0, "Test confusion:\n  0 1\n  2 3\n", "");
}

/* ---- predictions ---- */
Test(commands, predictions_of_every_form)
{
    dln_model *m = small_model("");
    dln_output output[2] = { m->output[0], { .name = "sure, \"or\" not", .rank = 0 } };
    dln_field field[2] = { m->field[0], m->field[1] };
    file_make("t.csv", "1,2,\"a,b\"\n3,4,\"say \"\"c\"\"\"\n5,6,\"a,b\"\n7,8,\"a,b\"\n", 46);
    expect_run(m, "train -q --epochs 1 --no-validate", 0, "", "");
    expect_run(m, "predict", 0, "class,\"a,b\",\"say \"\"c\"\"\"\n", "");
    expect_run(m, "predict --on train", 0, "class,\"a,b\",", "");
    expect_run(m, "predict --on none", 1, "", "defines no 'none'");
    m->field = field;
    field[1].type = DLN_FLOAT; /* a regression of two numbers */
    file_make("f.csv", "1,2\n3,4\n", 8);
    expect_run(m, "predict f.csv", 0, "output[0],output[1]\n", "");
    field[1].type = DLN_INT;
    field[1].classes = 5; /* not what the output chooses among */
    expect_run(m, "predict f.csv", 0, "output[0],output[1]\n", "");
    m->output = output;
    m->outputs = 2;
    field[1].classes = 2;
    m->predict = NULL;
    expect_run(m, "predict f.csv", 1, "", "the model predicts nothing");
}

Test(commands, which_models_choose_among_classes)
{
    static const struct {
        dln_type type;
        int rank, extent, classes, outputs, output_rank, width, expected;
    } cases[] = {
        { DLN_INT, 0, 0, 3, 1, 1, 3, 3 }, { DLN_INT, 0, 0, 0, 1, 1, 3, 3 },   { DLN_INT, 0, 0, 4, 1, 1, 3, 0 },
        { DLN_INT, 0, 0, 2, 1, 1, 1, 2 }, { DLN_FLOAT, 0, 0, 3, 1, 1, 3, 0 }, { DLN_INT, 1, 1, 3, 1, 1, 3, 3 },
        { DLN_INT, 1, 2, 3, 1, 1, 3, 0 }, { DLN_INT, 0, 0, 3, 2, 1, 3, 0 },   { DLN_INT, 0, 0, 3, 1, 2, 3, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dln_model *m = fake_model("x", 2, 3);
        dln_field field[2] = { m->field[0], m->field[1] };
        dln_output output = { .name = "y", .rank = cases[i].output_rank, .extent = { cases[i].width, 1 } };
        int f;
        field[1] = (dln_field){ .name = "label",
                                .type = cases[i].type,
                                .rank = cases[i].rank,
                                .extent = { cases[i].extent },
                                .is_target = 1,
                                .classes = cases[i].classes };
        m->field = field;
        m->output = &output;
        m->outputs = cases[i].outputs;
        int got = classes_predicted(m, &f);
        cr_expect(got == cases[i].expected && f == 1, "%zu: %d", i, got);
    }
    dln_model *m = fake_model("x", 2, 3);
    const float single[] = { 0.1f, 0.7f, 0.2f, 0.9f };
    const double twice[] = { 0.5, 0.2, 0.6 };
    cr_expect(class_of(m, single, 0, 3) == 1 && class_of(m, single, 1, 1) == 1 && class_of(m, single, 0, 1) == 0);
    m->real_bytes = 8;
    cr_expect(class_of(m, twice, 0, 3) == 2 && class_of(m, twice, 0, 1) == 0 && class_of(m, twice, 2, 1) == 1);
    m->fields = 1; /* no target */
    int f;
    cr_expect(classes_predicted(m, &f) == 0 && f == -1);
}

Test(commands, an_evaluation_of_many_classes_has_no_matrix)
{
    dln_model *m = small_model("");
    expect_run(m, "train -q --epochs 3", 0, "", "");
    expect_run(m, "eval --on train", 0, "Train accuracy: ", "");
    cr_expect(strstr(text_of("out"), "precision") || strstr(text_of("out"), "recall"), "%s", text_of("out"));
    m->evaluate = NULL;
    expect_run(m, "eval", 1, "", "");
    m->step = NULL;
    expect_run(m, "train", 1, "", "");
}

/* ---- options ---- */
Test(commands, options_in_all_their_spellings)
{
    dln_model *m = small_model("");
    expect_run(m, "train --epochs=1 --quiet --data=. --weights=w --threads 1 --limit 8 --validate", 0, "Test accuracy",
               "");
    expect_run(m, "train -q --no_validate --epochs 1 --lr=0.5 --momentum 0", 0, "", "");
    expect_run(m, "train -q --steps 1 --epochs 1", 0, "", "");
    expect_run(m, "train -q --epochs 1 --steps 1", 0, "", "");
    expect_run(m, "train --limit 100 --epochs 1", 0, "", "trains on 12 samples");
    expect_run(m, "train --limit 5 --epochs 1", 0, "", "trains on 5 samples");
    expect_run(m, "--version", 0, "fake", "");
    expect_run(m, "train --version", 0, "fake", "");
    expect_run(m, "train --help", 0, "--momentum X", "");
    expect_run(m, "export --layout=dln --output w.safetensors", 0, "", "w.safetensors: the weights of fake");
    expect_run(m, "export -q --output w.safetensors", 0, "", "");
    expect_run(m, "export --layout keras --output w", 2, "", "--layout is dln or torch, not 'keras'");
    expect_run(m, "train --layout dln", 2, "", "--layout is for export");
    expect_run(m, "train --weights=", 2, "", "--weights is empty");
    expect_run(m, "train --log x", 2, "", "ends in .csv or .jsonl");
    expect_run(m, "train --log .csv", 2, "", "ends in .csv or .jsonl");
    expect_run(m, "zzzzzzzz", 2, "", "unknown command 'zzzzzzzz'");
    expect_run(m, "train --zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", 2, "",
               "unknown option '--zzzz");
    expect_run(m, "train -", 2, "", "unexpected '-'");
    expect_run(m, "predict a b", 2, "", "unexpected 'b'");
    expect_run(m, "info", 0, "fake", "");
    expect_run(m, "export --output none/w", 3, "", "none/w");
}

Test(commands, standard_output_that_is_full)
{
    dln_model *m = small_model("");
    expect_run(m, "train -q --epochs 1", 0, "", "");
    for (int i = 0; i < 3; i++) {
        int status;
        pid_t child = fork();
        if (!child) {
            char *argv[] = { (char *)"model", (char *)(i == 0 ? "predict" : i == 1 ? "info" : "eval"), NULL };
            if (!freopen("/dev/full", "w", stdout) || !freopen(in_folder("err"), "w", stderr)) _exit(98);
            exit(dln_main(2, argv, m));
        }
        waitpid(child, &status, 0);
        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_IO &&
                      strstr(text_of("err"), "cannot write to standard output"),
                  "%d: %d %s", i, status, text_of("err"));
    }
}

Test(commands, info_of_a_model_with_everything)
{
    dln_model *m = small_model("early_stop = patience(3); loss = mse; weights = [1, 2.5, a, \"b\", f(x = 1)]");
    static const dln_value source = { .kind = DLN_CALL, .key = "dense", .text = "safetensors" };
    dln_tensor tensor[TENSORS];
    dln_output output[2] = { m->output[0], { .name = "amount" } };
    memcpy(tensor, m->tensor, sizeof tensor);
    tensor[0].frozen = 1;
    tensor[1].line = NULL;
    m->tensor = tensor;
    m->output = output;
    m->outputs = 2;
    m->sources = 1;
    m->source_of = &source;
    m->options = "--real=float";
    m->summary = "a table of layers";
    expect_run(m, "info", 0, "options   --real=float", "");
    static const char *const words[] = { "a table of layers",           " (frozen)", "weights\n",
                                         "dense = safetensors()",       "amount",    "patience(3)",
                                         "[1, 2.5, a, \"b\", f(x = 1)]" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        cr_expect(strstr(text_of("out"), words[i]), "no %s in %s", words[i], text_of("out"));
    m->options = NULL;
    expect_run(m, "info", 0, "sha256", "");
    cr_expect(!strstr(text_of("out"), "options"));
}

Test(commands, durations_of_every_length)
{
    dln_model *m = small_model("");
    static const struct {
        double ago;
        const char *words;
    } cases[] = { { 0.1, "- 0s " }, { 59, "- 59s " }, { 100, "- 1:40" }, { 7325, "- 2:02:05" } };
    const double values[] = { 0, 12345 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Display d = { .model = m,
                      .kind = PROGRESS_PLAIN,
                      .round = 1,
                      .rounds = 2,
                      .steps = 10,
                      .begun = seconds_now() - cases[i].ago };
        cr_assert(freopen(in_folder("err"), "w", stderr));
        Problem p = { 0 };
        cr_assert(display_round_end(&d, 10, i == 2 ? 0 : 10, values, NULL, &p), "%s", p.text);
        fflush(stderr);
        cr_expect(strstr(text_of("err"), cases[i].words), "%g: %s", cases[i].ago, text_of("err"));
    }
    Monitor monitor = { .rises = true, .least = 0.5 };
    cr_expect(!monitor_better(&monitor, NAN, 1) && monitor_better(&monitor, 1, NAN) && monitor_better(&monitor, 2, 1));
    cr_expect(!monitor_better(&monitor, 1.5, 1));
    monitor.rises = false;
    cr_expect(monitor_better(&monitor, 0.4, 1) && !monitor_better(&monitor, 0.5, 1));
}

Test(commands, a_loss_that_is_not_finite)
{
    dln_model *m = small_model("");
    dln_tensor tensor[TENSORS];
    memcpy(tensor, m->tensor, sizeof tensor);
    tensor[0].line = NULL;
    m->tensor = tensor;
    fake_fail_step = 2;
    expect_run(m, "train -q --epochs 3", 1, "", "the first tensor that is not finite: dense.w of layer dense (?), element 3");
    fake_fail_step = 0;
}

static int infinite_step(void *object, const void *const *fields, int n, double *loss)
{
    fake_step(object, fields, n, loss);
    *loss = (double)INFINITY;
    return 0;
}

Test(commands, an_infinite_loss_of_finite_tensors)
{
    dln_model *m = small_model("");
    m->step = infinite_step;
    expect_run(m, "train -q --epochs 3", 1, "", "all tensors are finite");
}

Test(commands, a_signal_before_the_first_step)
{
    dln_model *m = small_model("");
    int status;
    pid_t child = fork();
    if (!child) {
        signal(SIGTERM, SIG_DFL);
        exit(run_model(m, "train --epochs 1000000", "out", "err"));
    }
    usleep(100000);
    kill(child, SIGTERM);
    waitpid(child, &status, 0);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGTERM, "%d", status);
}

static int slow_measure(void *object, int pass, const void *const *fields, int n)
{
    raise(SIGINT);
    return fake_measure(object, pass, fields, n);
}

static int endless_step(void *object, const void *const *fields, int n, double *loss)
{
    raise(SIGINT);
    raise(SIGINT); /* the second one: at once */
    return fake_step(object, fields, n, loss);
}

Test(commands, signals_while_measuring_and_twice)
{
    dln_model *m = small_model("");
    m->measure = slow_measure;
    int status;
    pid_t child = fork();
    if (!child) exit(run_model(m, "train --epochs 1", "out", "err"));
    waitpid(child, &status, 0);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 130, "%d", status);
    m->measure = fake_measure;
    m->step = endless_step;
    child = fork();
    if (!child) exit(run_model(m, "train --epochs 1", "out", "err"));
    waitpid(child, &status, 0);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 130 && !is_there("fake.safetensors"), "%d", status);
}
