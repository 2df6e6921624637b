/* options.c: reads the command line. One table holds every option with its help, so that none is without. */
#include "driver/options.h"
#include "base/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef int Set(Options *o, const char *value);           /* 0, or EXIT_USAGE after an error */

static int usage_error(const char *message)
{
    error_plain("%s", message);
    help("dlnc --help lists the options");
    return EXIT_USAGE;
}

static int set_output(Options *o, const char *v)   { o->output = v; return *v ? 0 : usage_error("-o needs the name of a file"); }
static int set_emit(Options *o, const char *v)     { o->emit = v; return 0; }
static int set_explain(Options *o, const char *v)  { o->explain = v; return 0; }
static int set_format(Options *o, const char *v)   { (void)v; return o->format = true, 0; }
static int set_in_place(Options *o, const char *v) { (void)v; return o->in_place = true, 0; }
static int set_summary(Options *o, const char *v)  { (void)v; return o->summary = true, 0; }
static int set_verify(Options *o, const char *v)   { (void)v; return o->verify = true, 0; }
static int set_changed(Options *o, const char *v)  { (void)v; return o->write_if_changed = true, 0; }
static int set_depfile(Options *o, const char *v)  { o->depfile = v; return *v ? 0 : usage_error("-MF needs the name of a file"); }
static int set_depends(Options *o, const char *v)  { (void)v; return o->depends = true, 0; }
static int set_infer(Options *o, const char *v)    { (void)v; return o->emit_options.inference_only = true, 0; }

static int set_accumulate(Options *o, const char *v) { (void)v; return o->accumulate = true, 0; }

static int set_weights(Options *o, const char *v)  { o->emit_options.weights = v; return 0; }

static int set_prefix(Options *o, const char *v)
{
    bool good = *v && !(*v >= '0' && *v <= '9');
    for (const char *p = v; *p; p++)
        good &= (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '_';
    if (!good || strlen(v) > 64) return usage_error(format("--prefix=%.80s: expected a C name of at most 64 characters", v));
    o->emit_options.prefix = intern(v);
    return 0;
}

/* Which of the words, which end with NULL, v is; -1 after an error that names them. */
static int choice(const char *option, const char *v, const char *const *words)
{
    Text all = {0};
    for (int i = 0; words[i]; i++) {
        if (!strcmp(words[i], v)) return i;
        text_addf(&all, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
    }
    usage_error(format("%s=%s: expected %s", option, v, text_string(&all)));
    return -1;
}

static int set_real(Options *o, const char *v)
{
    int i = choice("--real", v, (const char *const[]){ "float", "double", NULL });
    o->emit_options.wide_real = i == 1;
    return i < 0 ? EXIT_USAGE : 0;
}

static int set_blas(Options *o, const char *v)
{
    int i = choice("--blas", v, (const char *const[]){ "auto", "always", "never", NULL });
    o->emit_options.blas = i == 0 ? BLAS_AUTO : i == 1 ? BLAS_ALWAYS : BLAS_NEVER;
    return i < 0 ? EXIT_USAGE : 0;
}

static int set_schedule(Options *o, const char *v)
{
    int i = choice("--schedule", v, (const char *const[]){ "auto", "rows", "all", NULL });
    o->emit_options.force = i == 1 ? FORCE_ROWS : i == 2 ? FORCE_ALL : FORCE_NOTHING;
    return i < 0 ? EXIT_USAGE : 0;
}

static int set_winograd(Options *o, const char *v)
{
    int i = choice("--winograd", v, (const char *const[]){ "auto", "never", NULL });
    o->emit_options.direct = i == 1;
    return i < 0 ? EXIT_USAGE : 0;
}

static int set_fuse(Options *o, const char *v)
{
    int i = choice("--fuse", v, (const char *const[]){ "auto", "never", NULL });
    o->emit_options.fuse = i == 0;
    return i < 0 ? EXIT_USAGE : 0;
}

static int set_diagnostics(Options *o, const char *v)
{
    int i = choice("--diagnostics-format", v, (const char *const[]){ "text", "json", NULL });
    o->diagnostics = i == 1 ? DIAG_JSON : DIAG_TEXT;
    return i < 0 ? EXIT_USAGE : 0;
}

static bool whole(const char *v, int64_t *out, const char **end)
{
    char *stop;
    errno = 0;
    long long n = strtoll(v, &stop, 10);
    if (stop == v || errno || n < 1) return false;
    *out = n;
    *end = stop;
    return true;
}

static int set_batch(Options *o, const char *v)
{
    int64_t n;
    const char *end;
    if (!whole(v, &n, &end) || *end || n > 1 << 20)
        return usage_error(format("--batch=%s: expected a whole number from 1 to %d", v, 1 << 20));
    o->batch = (int)n;
    return 0;
}

/* 96K, 2M, 1G or bytes */
static int set_limit(Options *o, const char *v)
{
    int64_t n;
    const char *end;
    if (whole(v, &n, &end)) {
        int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
        if (!end[shift != 0] && n < INT64_MAX >> shift) {
            o->emit_options.memory_limit = n << shift;
            return 0;
        }
    }
    return usage_error(format("--memory-limit=%s: expected bytes, or a number with K, M or G: 96K", v));
}

/* in_head: it changes the C, and stands in the head of the file */
static const struct Option { const char *name, *value, *what; Set *set; bool in_head; } table[] = {
    { "-o", "FILE", "where the C goes (default MODEL.c; header beside it; -: stdout), or what --emit, --format print", set_output, false },
    { "--emit", "STAGE", "print one stage: tokens ast program gradients onnx kernels plan loops c h dot summary html", set_emit, false },
    { "--explain", "NAME", "what NAME is: a layer, loss, .., function, word, setting; empty: all names; FILE.dln: its own too", set_explain, false },
    { "--summary", NULL, "also print the table of layers, parameters and memory", set_summary, false },
    { "--format", NULL, "print the file in its canonical form", set_format, false },
    { "--in-place", NULL, "with --format: rewrite the file", set_in_place, false },
    { "--prefix", "NAME", "of every public name of the C (default the model's name)", set_prefix, true },
    { "--real", "TYPE", "float or double (default float)", set_real, true },
    { "--batch", "N", "the largest batch (default as the train block says)", set_batch, true },
    { "--inference-only", NULL, "write no training code", set_infer, true },
    { "--accumulate", NULL, "also PREFIX_accumulate and PREFIX_apply: gradients of several batches for one step", set_accumulate, true },
    { "--weights", "FILE", "trained weights (safetensors) that the C begins with, as constants", set_weights, false },
    { "--blas", "WHEN", "cblas_sgemm for large plain products: auto, always or never", set_blas, true },
    { "--winograd", "WHEN", "auto, or never: windows of 3 taps in their direct form", set_winograd, true },
    { "--schedule", "WHICH", "auto; for tests: rows, or all (tiles and the like also where they do not pay)", set_schedule, true },
    { "--fuse", "WHEN", "auto, or never: one kernel for each equation", set_fuse, true },
    { "--memory-limit", "BYTES", "refuse a model that needs more memory: bytes, 96K (of 1024), 2M", set_limit, true },
    { "--write-if-changed", NULL, "leave a file alone that has its new contents already", set_changed, false },
    { "-MD", NULL, "also write the files that the output depends on, for make: beside it, as .d", set_depends, false },
    { "-MF", "FILE", "the same, into FILE", set_depfile, false },
    { "--diagnostics-format", "FORM", "text or json", set_diagnostics, false },
    { "--verify", NULL, "check the compiler's own invariants between its passes", set_verify, false },
};
enum { OPTIONS = sizeof table / sizeof *table };

static void print_help(FILE *to)
{
    fputs("usage: dlnc [options] FILE.dln\n"
          "       dlnc run [options] FILE.dln -- train|eval|predict|export|info [its options]\n"
          "       dlnc --explain NAME [FILE.dln]\n\n"
          "Compiles a model into one C file that trains and evaluates it, or (run) compiles,\n"
          "builds with $CC and $CFLAGS, and starts it.\n\n", to);
    for (int i = 0; i < OPTIONS; i++) {
        const struct Option *t = &table[i];
        const char *left = t->value ? format("%s%s%s", t->name, t->name[1] == '-' ? "=" : " ", t->value) : t->name;
        fprintf(to, "  %-28s %s\n", left, t->what);
    }
    fputs("  -h, --help  --version\n", to);
}

/* The option that `arg` is; *value is what follows its =, or NULL. */
static const struct Option *find(const char *arg, const char **value)
{
    const char *equals = strchr(arg, '=');
    size_t n = equals ? (size_t)(equals - arg) : strlen(arg);
    *value = equals ? equals + 1 : NULL;
    for (int i = 0; i < OPTIONS; i++)
        if (strlen(table[i].name) == n && !strncmp(table[i].name, arg, n)) return &table[i];
    return NULL;
}

static int unknown(const char *arg)
{
    const char *names[OPTIONS];
    for (int i = 0; i < OPTIONS; i++) names[i] = table[i].name;
    error_plain("unknown option %s", arg);
    const char *near = nearest(format("%.*s", (int)strcspn(arg, "="), arg), names, OPTIONS);
    if (near) help("did you mean %s?", near);
    else help("dlnc --help lists the options");
    return EXIT_USAGE;
}

/* Reads argv[*i], which begins with '-', and its value. */
static int read_option(Options *o, int *i, int argc, char **argv)
{
    const char *value;
    const struct Option *t = find(argv[*i], &value);
    if (!t) return unknown(argv[*i]);
    if (!t->value && value) return usage_error(format("%s takes no value", t->name));
    if (t->value && !value) {
        if (*i + 1 >= argc) return usage_error(format("%s needs a value: %s", t->name, t->value));
        value = argv[++*i];
    }
    return t->set(o, value);
}

/* The options as they stand in the head of the generated file: those that change it, paths left out. */
static const char *describe(int argc, char **argv)
{
    Text t = {0};
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
        const char *value;
        const struct Option *option = argv[i][0] == '-' ? find(argv[i], &value) : NULL;
        if (!option) continue;
        const char *written = value ? value : option->value && i + 1 < argc ? argv[++i] : NULL;
        if (option->in_head) text_addf(&t, "%s%s%s%s", t.length ? " " : "", option->name, written ? "=" : "", written ? written : "");
    }
    return text_string(&t);
}

/* Options that say two things at once. 0, or EXIT_USAGE after an error. */
static int together(const Options *o)
{
    bool depends = o->depends || o->depfile, to_stdout = o->output && !strcmp(o->output, "-");
    const struct { bool wrong; const char *message; } rules[] = {
        { o->accumulate && o->emit_options.inference_only, "--accumulate belongs to training, --inference-only writes none" },
        { o->rest && !o->run, "what follows -- is for `dlnc run`" },
        { o->run && depends, "-MD and -MF are not for `dlnc run`" },
        { o->run && o->output, "-o is not for `dlnc run`, which keeps neither the C nor the program" },
        { o->run && o->emit, "--emit is not for `dlnc run`" },
        { o->run && (o->format || o->explain), "--format and --explain are not for `dlnc run`" },
        { o->explain && o->output, "-o is not for --explain, which writes to the standard output" },
        { o->emit && depends, "-MD and -MF go with the C, not with --emit" },
        { o->format && o->emit, "--format and --emit: one of the two" },
        { o->in_place && o->output, "--in-place rewrites the file itself: no -o" },
        { to_stdout && depends, "-MD and -MF need an output that has a name: -o FILE" },
        { to_stdout && o->summary, "--summary and -o - would both write to the standard output" },
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].wrong) return usage_error(rules[i].message);
    return 0;
}

int options_read(Options *o, int argc, char **argv)
{
    *o = (Options){ .emit_options = { .fuse = true, .blas = BLAS_AUTO, .version = DLNC_VERSION } };
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        int status = 0;
        if (!strcmp(a, "--help") || !strcmp(a, "-h")) { print_help(stdout); return 0; }
        if (!strcmp(a, "--version")) { puts("dlnc " DLNC_VERSION); return 0; }
        if (!strcmp(a, "--")) {
            o->rest = argc - i - 1;
            o->rest_at = argv + i + 1;
            break;
        }
        if (i == 1 && !strcmp(a, "run")) o->run = true;
        else if (a[0] == '-' && a[1]) status = read_option(o, &i, argc, argv);
        else if (!o->input) o->input = a;
        else status = usage_error(format("one file at a time: %s and %s", o->input, a));
        if (status) return status;
    }
    if (!o->input && !o->explain) {
        if (argc < 2) print_help(stderr);
        return argc < 2 ? EXIT_USAGE : usage_error("no input file");
    }
    int status = together(o);
    if (status) return status;
    o->emit_options.options = describe(argc, argv);
    return -1;
}
