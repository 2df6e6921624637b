/* main.c: dlnc's command line, and the way of a file through the compiler as one table of stages. Each stage makes one
 * representation from the one before; --emit=NAME stops after it and prints what it made. */
#include "base/sha256.h"
#include "base/text.h"
#include "driver/explain.h"
#include "driver/options.h"
#include "driver/output.h"
#include "driver/run.h"
#include "emit/emit.h"
#include "emit/onnx.h"
#include "kernel/kernel.h"
#include "syntax/ast.h"
#include "tensor/model.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What has been made so far. */
typedef struct Compilation {
    const Options *options;
    const Source *source;
    File *file;
    Symbols symbols;
    Model *model;
    Plan *plan;
    Text c, h;
} Compilation;

/* ---- stages ------------------------------------------------------------------------------------------------------ */
static void parse(Compilation *c) { c->file = parse_source(c->source); }

static void resolve(Compilation *c)
{
    symbols_add_library(&c->symbols);
    symbols_add(&c->symbols, c->file, false);
    symbols_import(&c->symbols, c->file);
}

static void build(Compilation *c)
{
    const Options *o = c->options;
    ModelOptions m = { .file = base_name(c->source->name),
                       .inference_only = o->emit_options.inference_only, .accumulate = o->accumulate, .batch = o->batch, .verify = o->verify };
    c->model = model_build(&c->symbols, &m);
    if (!c->model) return;
    sha256_hex(c->source->text, c->source->length, c->model->sha256);
    if (o->verify) model_verify(c->model);
}

static void plan(Compilation *c)
{
    c->plan = plan_model(c->model, &c->options->emit_options);
}

static void emit(Compilation *c) { emit_source(c->plan, &c->c, &c->h); }

/* ---- what --emit prints ------------------------------------------------------------------------------------------ */
static void show_tokens(Compilation *c, FILE *to)    { tokens_print(c->source, to); }
static void show_ast(Compilation *c, FILE *to)       { ast_print(c->file, to); }
static void show_format(Compilation *c, FILE *to)    { fputs(format_source(c->file), to); }
static void show_dot(Compilation *c, FILE *to)       { emit_dot(c->model, to); }
static void show_onnx(Compilation *c, FILE *to)      { fputs(onnx_text(c->model), to); }
static void show_kernels(Compilation *c, FILE *to)   { plan_print_kernels(c->plan, to); }
static void show_plan(Compilation *c, FILE *to)      { plan_print(c->plan, to); }
static void show_loops(Compilation *c, FILE *to)     { plan_print_loops(c->plan, to); }
static void show_summary(Compilation *c, FILE *to)   { emit_summary(c->model, c->plan, to); }
static void show_html(Compilation *c, FILE *to)      { emit_page(c->plan, c->source, to); }
static void show_c(Compilation *c, FILE *to)         { fputs(text_string(&c->c), to); }
static void show_h(Compilation *c, FILE *to)         { fputs(text_string(&c->h), to); }

static void show_part(const Program *p, bool backward, FILE *to)
{
    if (!p) return;
    Program part = *p;
    int first = p->first_backward < 0 ? p->equations.count : p->first_backward;
    part.equations.at = p->equations.at + (backward ? first : 0);
    part.equations.count = backward ? p->equations.count - first : first;
    if (!backward) part.updates.count = 0;
    program_print(&part, to);
}

static void show_program(Compilation *c, FILE *to)
{
    show_part(c->model->step ? c->model->step : c->model->predict, false, to);
}

static void show_gradients(Compilation *c, FILE *to)
{
    if (!c->model->step) error_plain("--emit=gradients: the file has no train block");
    show_part(c->model->step, true, to);
}

typedef void Stage(Compilation *c);
typedef void Show(Compilation *c, FILE *to);
static const struct { const char *name; Stage *make; Show *show; } stages[] = {
    /* --emit=    makes it (NULL: made already)   prints it */
    { "tokens",    NULL,     show_tokens },
    { "format",    parse,    show_format },
    { "ast",       NULL,     show_ast },
    { "symbols",   resolve,  NULL },
    { "program",   build,    show_program },
    { "gradients", NULL,     show_gradients },
    { "dot",       NULL,     show_dot },
    { "onnx",      NULL,     show_onnx },
    { "kernels",   plan,     show_kernels },
    { "plan",      NULL,     show_plan },
    { "loops",     NULL,     show_loops },
    { "summary",   NULL,     show_summary },
    { "html",      NULL,     show_html },
    { "c",         emit,     show_c },
    { "h",         NULL,     show_h },
};
enum { STAGES = sizeof stages / sizeof *stages };

/* Runs the stages up to the one named `last` (all of them if NULL) and prints it, unless `to` is NULL. False after an
 * error. */
static bool compile(Compilation *c, const char *last, FILE *to)
{
    for (int i = 0; i < STAGES; i++) {
        bool here = last && !strcmp(stages[i].name, last);
        if (stages[i].make) stages[i].make(c);
        bool may_go_on = here && stages[i].show == show_tokens;      /* prints what there is, errors or not */
        if (error_count() && !may_go_on) return false;
        if (here) {
            if (to) stages[i].show(c, to);
            return !error_count();
        }
    }
    return true;
}

static bool is_stage(const char *name)
{
    for (int i = 0; i < STAGES; i++)
        if (stages[i].show && !strcmp(stages[i].name, name)) return true;
    const char *names[STAGES];
    int n = 0;
    for (int i = 0; i < STAGES; i++) if (stages[i].show) names[n++] = stages[i].name;
    error_plain("--emit=%s: there is no such stage", name);
    const char *near = nearest(name, names, n);
    if (near) help("did you mean --emit=%s?", near);
    return false;
}

/* ---- output ------------------------------------------------------------------------------------------------------ */
/* out/mlp.c -> out/mlp.h */
static const char *path_with(const char *path, const char *ending)
{
    size_t n = strlen(path);
    return n > 2 && !strcmp(path + n - 2, ".c") ? format("%.*s%s", (int)(n - 2), path, ending) : format("%s%s", path, ending);
}

/* What dlnc reads must not be what it writes, nor may it write two things into one file. */
static bool overwrites(const Compilation *c, const OutputFile *files, int count)
{
    for (int i = 0; i < count; i++) {
        const char *path = files[i].path;
        bool read = same_file(path, c->source->name);
        for (int k = 0; k < c->symbols.imported.count; k++) read |= same_file(path, c->symbols.imported.at[k]->name);
        if (read) error_plain("%s is the input: the output would overwrite it", path);
        for (int k = 0; k < i; k++) {
            struct stat s;
            bool file = !stat(path, &s) && S_ISREG(s.st_mode);
            if (!strcmp(path, files[k].path) || (file && same_file(path, files[k].path)))
                error_plain("%s would be written twice: choose another name", path);
        }
    }
    return error_count() > 0;
}

/* The source includes the header by the name that it is given here. */
static bool header_rename(Compilation *c, const char *header, Text *renamed)
{
    for (const char *at = header; *at; at++)
        if ((unsigned char)*at < ' ' || *at == '"' || *at == '\\' || !strncmp(at, "??", 2)) {
            error_plain("-o: a C file cannot include a header named %s", header);
            return false;
        }
    const char *prefix = c->plan->options->prefix ? c->plan->options->prefix : c->model->name;
    const char *from = format("#include \"%s.h\"", prefix);
    const char *text = text_string(&c->c), *at = strstr(text, from);
    if (!at) return text_add(renamed, text), true;
    text_add_n(renamed, text, (size_t)(at - text));
    text_addf(renamed, "#include \"%s\"", header);
    text_add(renamed, at + strlen(from));
    return true;
}

static void add_depends(const Compilation *c, const char *path, const char *header, Text *to)
{
    Depends d = { .target = { path, header }, .targets = 2, .source = c->source->name };
    for (int i = 0; i < c->symbols.imported.count; i++)          /* the source is among them */
        if (c->symbols.imported.at[i] != c->source) PUSH(d.others, c->symbols.imported.at[i]->name);
    if (c->options->emit_options.weights) PUSH(d.others, c->options->emit_options.weights);
    depfile_text(to, &d);
}

static int write_files(Compilation *c)
{
    const Options *o = c->options;
    const char *path = o->output ? o->output : format("%s.c", c->model->name);
    if (!strcmp(path, "-")) return file_write_stream(stdout, &c->c);
    const char *header = path_with(path, ".h");
    Text renamed = {0}, depends = {0};
    if (!header_rename(c, base_name(header), &renamed)) return EXIT_USAGE;
    OutputFile files[3] = { { .path = path, .text = &renamed }, { .path = header, .text = &c->h },
                            { .path = o->depfile ? o->depfile : path_with(path, ".d"), .text = &depends } };
    int count = o->depfile || o->depends ? 3 : 2;
    if (overwrites(c, files, count)) return EXIT_INPUT;
    if (count == 3) add_depends(c, path, header, &depends);
    return files_write(files, count, o->write_if_changed);
}

/* What a stage prints goes to -o FILE whole or not at all, as the C does; else to the standard output. */
static int print_stage(Compilation *c, const char *stage)
{
    const Options *o = c->options;
    if (!o->output || !strcmp(o->output, "-")) return compile(c, stage, stdout) ? stream_close(stdout) : EXIT_INPUT;
    char *at = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&at, &length);
    bool good = to && compile(c, stage, to), kept = to && !ferror(to);
    if (!to || fclose(to) || !kept) {
        error_plain("there is not enough memory to print %s", stage);
        good = false;
    }
    Text text = {0};
    if (good) text_add_n(&text, at, length);
    free(at);
    OutputFile file = { .path = o->output, .text = &text };
    if (!good || overwrites(c, &file, 1)) return EXIT_INPUT;
    return files_write(&file, 1, o->write_if_changed);
}

/* Turns a compiled file into C; the paths of the two files are the caller's. */
static int compile_file(const Options *o)
{
    Compilation c = { .options = o };
    if (o->emit && !is_stage(o->emit)) return EXIT_USAGE;
    c.source = source_read(o->input, NULL);
    if (!c.source) return EXIT_IO;
    if (o->emit) return print_stage(&c, o->emit);
    if (!compile(&c, NULL, stdout)) return EXIT_INPUT;
    if (o->summary) emit_summary(c.model, c.plan, stdout);
    int status = write_files(&c);
    return status ? status : stream_close(stdout);
}

static int format_file(const Options *o)
{
    Compilation c = { .options = o, .source = source_read(o->input, NULL) };
    if (!c.source) return EXIT_IO;
    if (!o->in_place) return print_stage(&c, "format");
    if (!compile(&c, "format", NULL)) return EXIT_INPUT;
    Text t = {0};
    text_add(&t, format_source(c.file));
    OutputFile file = { .path = o->input, .text = &t };
    return files_write(&file, 1, true);
}

int main(int argc, char **argv)
{
    Options o;
    diag_begin(stderr, DIAG_TEXT, isatty(2) && !getenv("NO_COLOR"));
    signal(SIGXFSZ, SIG_IGN);                    /* a file that may not grow is an error of write() */
    int status = options_read(&o, argc, argv);
    if (!status) return stream_close(stdout);
    if (status > 0) return status;
    diag_begin(stderr, o.diagnostics, isatty(2) && !getenv("NO_COLOR"));
    status = o.explain ? explain_name(&o) : o.run ? run_model(&o, compile_file) : o.format ? format_file(&o) : compile_file(&o);
    diag_end();
    if (!status && error_count()) status = EXIT_INPUT;
    arena_release();
    return status;
}
