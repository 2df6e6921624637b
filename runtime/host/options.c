/* options.c: the command line. Each option is one row of `rows`; numbers are strict and say their range; what is not
 * known gets a "did you mean". --NAME of any of the model's settings is an option too. SPDX-License-Identifier: 0BSD */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "run.h"

typedef enum { TAKES_NOTHING, TAKES_INTEGER, TAKES_TEXT, TAKES_PROGRESS } Takes;
typedef enum {
    OPTION_EPOCHS,
    OPTION_STEPS,
    OPTION_BATCH,
    OPTION_SEED,
    OPTION_THREADS,
    OPTION_LIMIT,
    OPTION_CLASS_WEIGHTS,
    OPTION_MEMORY,
    OPTION_DATA,
    OPTION_WEIGHTS,
    OPTION_RESUME,
    OPTION_NO_SAVE,
    OPTION_VALIDATE,
    OPTION_NO_VALIDATE,
    OPTION_ON,
    OPTION_INPUT,
    OPTION_OUTPUT,
    OPTION_FORMAT,
    OPTION_LAYOUT,
    OPTION_LOG,
    OPTION_PLOT,
    OPTION_PROGRESS,
    OPTION_QUIET,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_COUNT
} Option;

static const struct Row {
    const char *name, *value, *help;
    Takes takes;
    int64_t low, high;
} rows[OPTION_COUNT] = {
    [OPTION_EPOCHS] = { "--epochs", "N", "passes over the training data, those before --resume included", TAKES_INTEGER,
                        0, 1000000000 },
    [OPTION_STEPS] = { "--steps", "N", "steps instead of epochs", TAKES_INTEGER, 1, INT64_C(1000000000000) },
    [OPTION_BATCH] = { "--batch", "N", "samples a step, up to what the model was compiled for", TAKES_INTEGER, 1,
                       INT32_MAX },
    [OPTION_SEED] = { "--seed", "N", "of initial weights, order of samples, dropout", TAKES_INTEGER, 0, INT64_MAX },
    [OPTION_THREADS] = { "--threads", "N", "threads to compute with", TAKES_INTEGER, 1, 256 },
    [OPTION_LIMIT] = { "--limit", "N", "use the first N training samples only", TAKES_INTEGER, 1, INT64_MAX },
    [OPTION_CLASS_WEIGHTS] = { "--class-weights", "LIST",
                               "train: in place of the loss's class_weight: 1,2,1.5 in order, or NAME=2,..", TAKES_TEXT,
                               0, 0 },
    [OPTION_MEMORY] = { "--memory", "MB", "a field of more data lies in a file (else: half of the machine's memory)",
                        TAKES_INTEGER, 1, INT64_C(1) << 40 },
    [OPTION_DATA] = { "--data", "DIR", "folder of the data files (else $DLN_DATA, else here)", TAKES_TEXT, 0, 0 },
    [OPTION_WEIGHTS] = { "--weights", "FILE", "safetensors: train writes it, the others read it", TAKES_TEXT, 0, 0 },
    [OPTION_RESUME] = { "--resume", NULL, "go on from the weights file, to the same bits", TAKES_NOTHING, 0, 0 },
    [OPTION_NO_SAVE] = { "--no-save", NULL, "write no weights", TAKES_NOTHING, 0, 0 },
    [OPTION_VALIDATE] = { "--validate", NULL,
                          "measure on the validation data after each epoch (if the .dln names them)", TAKES_NOTHING, 0,
                          0 },
    [OPTION_NO_VALIDATE] = { "--no-validate", NULL, "do not", TAKES_NOTHING, 0, 0 },
    [OPTION_ON] = { "--on", "NAME", "eval, predict: the part of the data (else `validate` of the .dln, else test)",
                    TAKES_TEXT, 0, 0 },
    [OPTION_INPUT] = { "--input", "FILE", "predict: a CSV of features, an image, IDX or .npy, text; - is standard input",
                       TAKES_TEXT, 0, 0 },
    [OPTION_OUTPUT] = { "--output", "FILE", "export: the file to write: .safetensors, .npz, .h or .onnx", TAKES_TEXT, 0, 0 },
    [OPTION_FORMAT] = { "--format", "KIND", "predict: csv or json (an object a line)", TAKES_TEXT, 0, 0 },
    [OPTION_LAYOUT] = { "--layout", "KIND", "export: whose names and axes: dln or torch", TAKES_TEXT, 0, 0 },
    [OPTION_LOG] = { "--log", "FILE", "figures of each epoch, as .csv or .jsonl", TAKES_TEXT, 0, 0 },
    [OPTION_PLOT] = { "--plot", "FILE", "curves of loss and metrics over the epochs, as .svg", TAKES_TEXT, 0, 0 },
    [OPTION_PROGRESS] = { "--progress", "KIND", "auto, bar, plain, json or none", TAKES_PROGRESS, 0, 0 },
    [OPTION_QUIET] = { "--quiet", NULL, "say nothing but figures and errors (-q)", TAKES_NOTHING, 0, 0 },
    [OPTION_HELP] = { "--help", NULL, "this text (-h)", TAKES_NOTHING, 0, 0 },
    [OPTION_VERSION] = { "--version", NULL, "the model and the dlnc it comes from", TAKES_NOTHING, 0, 0 },
};

static const struct {
    const char *name;
    Command command;
    const char *help;
} commands[] = {
    { "train", COMMAND_TRAIN, "train and save the weights" },
    { "eval", COMMAND_EVAL, "loss and metrics; for classes also who was taken for whom" },
    { "predict", COMMAND_PREDICT, "what the model says to each sample, as CSV or JSON lines" },
    { "info", COMMAND_INFO, "layers, sizes, settings, fields, tensors" },
    { "export", COMMAND_EXPORT, "the weights: .safetensors, .npz (NumPy), .h (C); or the model as .onnx" },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

void options_help(FILE *to, const dln_model *m, const char *program)
{
    fprintf(to, "usage: %s COMMAND [OPTION ..]\n\n%s, a model from %s\n\n", program, m->name, m->source);
    for (int i = 0; i < COMMANDS; i++) fprintf(to, "  %-17s %s\n", commands[i].name, commands[i].help);
    fprintf(to, "\n");
    for (int i = 0; i < OPTION_COUNT; i++) {
        char left[40];
        snprintf(left, sizeof left, "%s %s", rows[i].name, rows[i].value ? rows[i].value : "");
        fprintf(to, "  %-17s %s\n", left, rows[i].help);
    }
    for (int i = 0; i < m->settings; i++) {
        char left[40];
        if (m->setting[i].fixed) continue;
        snprintf(left, sizeof left, "--%s X", m->setting[i].name);
        fprintf(to, "  %-17s a setting of the .dln (%g)\n", left, m->setting[i].value);
    }
    fprintf(to, "\nExit codes: 0 done, 1 an error in the input, 2 usage, 3 input or output, 70 a bug.\n");
}

/* The same but for - and _. */
static bool option_equal(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((a[i] == '_' ? '-' : a[i]) != (b[i] == '_' ? '-' : b[i])) return false;
    return !b[length];
}

static bool usage(Problem *p, const char *what, const char *text)
{
    return problem_set(p, EXIT_USAGE, "%s '%s'", what, text);
}

static bool option_unknown(const char *text, size_t length, const dln_model *m, Problem *p)
{
    Names all = { 0 };
    Problem ignored;
    char name[64], setting[64];
    snprintf(name, sizeof name, "%.*s", length > 60 ? 60 : (int)length, text);
    for (int i = 0; i < OPTION_COUNT; i++) names_add(&all, rows[i].name, strlen(rows[i].name), &ignored);
    for (int i = 0; i < m->settings; i++) {
        snprintf(setting, sizeof setting, "--%s", m->setting[i].name);
        names_add(&all, setting, strlen(setting), &ignored);
    }
    usage(p, "unknown option", name);
    const char *near = name_nearest(name, (const char *const *)all.name, all.count);
    if (near) problem_add(p, "; did you mean %s?", near);
    names_free(&all);
    return false;
}

static bool progress_read(const char *text, ProgressKind *out, Problem *p)
{
    static const char *const name[] = { "auto", "bar", "plain", "json", "none" };
    for (int i = 0; i < 5; i++)
        if (!strcmp(text, name[i])) {
            *out = (ProgressKind)i;
            return true;
        }
    return problem_set(p, EXIT_USAGE, "--progress is auto, bar, plain, json or none, not '%s'", text);
}

static void text_store(Options *o, Option which, const char *value)
{
    switch (which) {
    case OPTION_DATA: o->folder = value; break;
    case OPTION_WEIGHTS: o->weights = value; break;
    case OPTION_ON: o->part = value; break;
    case OPTION_INPUT: o->input = value; break;
    case OPTION_OUTPUT: o->output = value; break;
    case OPTION_PLOT: o->plot = value; break;
    case OPTION_CLASS_WEIGHTS: o->class_weights = value; break;
    default: o->log = value; break;
    }
}

static void integer_store(Options *o, Option which, int64_t value)
{
    switch (which) {
    case OPTION_EPOCHS:
        o->epochs = value;
        o->steps = -1;
        break;
    case OPTION_STEPS:
        o->steps = value;
        o->epochs = -1;
        break;
    case OPTION_BATCH: o->batch = value; break;
    case OPTION_SEED: o->seed = value; break;
    case OPTION_THREADS: o->threads = value; break;
    case OPTION_MEMORY: o->memory = value; break;
    default: o->limit = value; break;
    }
}

static void flag_store(Options *o, Option which)
{
    switch (which) {
    case OPTION_RESUME: o->resume = true; break;
    case OPTION_NO_SAVE: o->save = false; break;
    case OPTION_VALIDATE:
    case OPTION_NO_VALIDATE:
        o->has_validate = true;
        o->validate = which == OPTION_VALIDATE;
        break;
    case OPTION_QUIET: o->quiet = true; break;
    case OPTION_HELP: o->command = COMMAND_HELP; break;
    default: o->command = COMMAND_VERSION; break;
    }
}

static bool layout_read(Options *o, const char *text, Problem *p)
{
    o->has_layout = true;
    o->torch = !strcmp(text, "torch");
    return o->torch || !strcmp(text, "dln") || problem_set(p, EXIT_USAGE, "--layout is dln or torch, not '%s'", text);
}

static bool format_read(Options *o, const char *text, Problem *p)
{
    o->has_format = true;
    o->json = !strcmp(text, "json");
    return o->json || !strcmp(text, "csv") || problem_set(p, EXIT_USAGE, "--format is csv or json, not '%s'", text);
}

static bool option_store(Options *o, Option which, const char *value, Problem *p)
{
    const struct Row *row = &rows[which];
    int64_t number;
    switch (row->takes) {
    case TAKES_NOTHING: flag_store(o, which); return true;
    case TAKES_PROGRESS: return progress_read(value, &o->progress, p);
    case TAKES_TEXT:
        if (!*value) return problem_set(p, EXIT_USAGE, "%s is empty", row->name);
        if (which == OPTION_LAYOUT) return layout_read(o, value, p);
        if (which == OPTION_FORMAT) return format_read(o, value, p);
        text_store(o, which, value);
        return true;
    case TAKES_INTEGER: break;
    }
    if (integer_parse(value, strlen(value), row->low, row->high, &number) != NUMBER_GOOD)
        return problem_set(p, EXIT_USAGE, "%s expects a whole number from %lld to %lld, got '%s'", row->name,
                           (long long)row->low, (long long)row->high, value);
    integer_store(o, which, number);
    return true;
}

static bool setting_store(Options *o, const dln_model *m, int i, const char *value, Problem *p)
{
    const dln_setting *s = &m->setting[i];
    double number;
    if (s->fixed)
        return problem_set(p, EXIT_USAGE, "%s is fixed when the model is compiled: edit %s and compile it again",
                           s->name, m->source);
    if (number_parse(value, strlen(value), &number) != NUMBER_GOOD)
        return problem_set(p, EXIT_USAGE, "--%s expects a finite number, got '%s'", s->name, value);
    o->setting[i] = number;
    return true;
}

/* Reads the option at argv[*at], its value perhaps from the next word. */
static bool option_read(Options *o, int argc, char **argv, int *at, const dln_model *m, Problem *p)
{
    const char *text = argv[*at], *equals = strchr(text, '='), *value = equals ? equals + 1 : NULL;
    if (!strcmp(text, "-q")) text = "--quiet";
    if (!strcmp(text, "-h")) text = "--help";
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    int which = -1, setting = -1;
    for (int i = 0; i < OPTION_COUNT; i++)
        if (option_equal(text, rows[i].name, length)) which = i;
    for (int i = 0; which < 0 && length > 2 && i < m->settings; i++)
        if (!strncmp(text, "--", 2) && option_equal(text + 2, m->setting[i].name, length - 2)) setting = i;
    if (which < 0 && setting < 0) return option_unknown(text, length, m, p);
    bool takes = setting >= 0 || rows[which].takes != TAKES_NOTHING;
    if (!takes && value) return problem_set(p, EXIT_USAGE, "%s takes no value", rows[which].name);
    if (takes && !value) {
        if (*at + 1 >= argc) return problem_set(p, EXIT_USAGE, "%.*s needs a value", (int)length, text);
        value = argv[++*at];
    }
    return setting >= 0 ? setting_store(o, m, setting, value, p) : option_store(o, (Option)which, value, p);
}

static bool command_read(Options *o, const char *text, Problem *p)
{
    const char *name[COMMANDS];
    for (int i = 0; i < COMMANDS; i++) {
        name[i] = commands[i].name;
        if (!strcmp(text, name[i])) {
            o->command = commands[i].command;
            return true;
        }
    }
    usage(p, "unknown command", text);
    const char *near = name_nearest(text, name, COMMANDS);
    if (near) problem_add(p, "; did you mean %s?", near);
    return false;
}

/* Is there an ending, and something before it? */
bool ends_in(const char *text, const char *ending)
{
    size_t length = strlen(text), tail = strlen(ending);
    return length > tail && !strcmp(text + length - tail, ending);
}

bool options_read(Options *o, int argc, char **argv, const dln_model *m, Problem *p)
{
    *o = (Options){ .epochs = -1, .steps = -1, .batch = -1, .seed = -1, .threads = -1, .limit = -1, .memory = -1, .save = true };
    if (!(o->setting = memory_new((size_t)m->settings, sizeof *o->setting, p))) return false;
    for (int i = 0; i < m->settings; i++) o->setting[i] = (double)NAN;
    for (int i = 1; i < argc; i++) {
        if (o->command == COMMAND_HELP || o->command == COMMAND_VERSION) return true;
        if (argv[i][0] == '-' && argv[i][1]) {
            if (!option_read(o, argc, argv, &i, m, p)) return false;
        } else if (o->command == COMMAND_NONE) {
            if (!command_read(o, argv[i], p)) return false;
        } else if (o->command == COMMAND_PREDICT && !o->input)
            o->input = argv[i]; /* predict FILE, predict - */
        else
            return usage(p, "unexpected", argv[i]);
    }
    if (o->batch > (int64_t)m->batch * team_ranks())
        return problem_set(p, EXIT_USAGE,
                           "--batch %lld: the model was compiled for batches of up to %d; a larger one is set in %s",
                           (long long)o->batch, m->batch, m->source);
    if (o->has_layout && o->command != COMMAND_EXPORT)
        return problem_set(p, EXIT_USAGE, "--layout is for export; what train loads is said by weights = of %s",
                           m->source);
    if (o->class_weights && o->command != COMMAND_TRAIN)
        return problem_set(p, EXIT_USAGE, "--class-weights is for train; they are kept with the weights");
    if (o->has_format && o->command != COMMAND_PREDICT)
        return problem_set(p, EXIT_USAGE, "--format is for predict");
    if (o->plot && !ends_in(o->plot, ".svg"))
        return problem_set(p, EXIT_USAGE, "--plot FILE ends in .svg, not '%s'", o->plot);
    if (o->log && !ends_in(o->log, ".csv") && !ends_in(o->log, ".jsonl"))
        return problem_set(p, EXIT_USAGE, "--log FILE ends in .csv or .jsonl, not '%s'", o->log);
    return true;
}

void options_free(Options *o)
{
    free(o->setting);
    *o = (Options){ 0 };
}
