/* explain.c: `dlnc --explain NAME [FILE.dln]`. A definition of the library, or of the file and what it imports, is shown as
 * it is written: what it says of itself (##), its header and equations, the axes it takes, keeps and gives, and each of
 * its examples with the shapes that the compiler finds for it. What has no definition stands in words.txt (words.h). A name
 * that is neither may be a parameter of definitions: those are listed. An empty NAME lists all names. */
#include "driver/explain.h"
#include "driver/output.h"
#include "driver/words.h"
#include "syntax/ast.h"
#include "tensor/model.h"
#include <string.h>

typedef struct Explanation {
    const char *name;
    Symbols symbols;
    WordEntries words;
    FILE *to;
    int found;
} Explanation;

static const char *kind_text(const Definition *d)
{
    static const char *const text[] = { [KIND_DEF] = "a layer or function", [KIND_LOSS] = "a loss",
                                        [KIND_METRIC] = "a metric",         [KIND_OPTIMIZER] = "an optimizer",
                                        [KIND_SCHEDULE] = "a schedule",     [KIND_INIT] = "an initializer" };
    return text[d->kind];
}

/* ---- text -------------------------------------------------------------------------------------------------------- */
static void lines_show(FILE *to, const char *text, const char *before)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        fprintf(to, "%s%.*s\n", n ? before : "", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

/* The lines of the source from that of `from` to `last`. */
static void source_show(FILE *to, Place from, int last)
{
    const char *line = from.source->text;
    for (int i = 1; *line && i <= last; i++) {
        size_t n = strcspn(line, "\n");
        if (i >= from.line) fprintf(to, "%s%.*s\n", n ? "    " : "", (int)n, line);
        line += n + (line[n] == '\n');
    }
}

static void head_show(Explanation *x, const char *name, const char *kind, const char *where)
{
    if (x->found++) fputc('\n', x->to);
    fprintf(x->to, "%s: %s%s\n\n", name, kind, where);
}

/* ---- shapes ------------------------------------------------------------------------------------------------------ */
static void shape_show(FILE *to, const char *what, const char *text) { fprintf(to, "    %-7s %s\n", what, text); }

static const char *param_text(const Param *p)
{
    Expr name = { .kind = EXPR_NAME, .name = p->name }, read = { .kind = EXPR_READ, .left = &name, .subs = p->axes };
    const char *text = expr_text(p->has_axes ? &read : &name);
    return p->type.count == 1 && p->type.at[0].subs.count >= 0 ? format("%s, %s", text, p->type.at[0].name) : text;
}

/* What the statements keep, those of inner blocks included. */
static void kept_show(FILE *to, const Block *b)
{
    for (int i = 0; i < b->count; i++) {
        const Statement *s = b->at[i];
        if (s->kind == ST_PARAM) shape_show(to, "learns", expr_text(s->target));
        if (s->kind == ST_STATE) shape_show(to, "keeps", expr_text(s->target));
        if (s->kind == ST_TOTAL) shape_show(to, "adds up", expr_text(s->target));
        kept_show(to, &s->body);
        kept_show(to, &s->otherwise);
    }
}

static void axes_show(FILE *to, const Definition *d)
{
    for (int i = 0; i < d->params.count; i++)
        if (d->params.at[i].has_axes) shape_show(to, "takes", param_text(&d->params.at[i]));
    kept_show(to, &d->body);
    const Statement *last = d->body.count ? d->body.at[d->body.count - 1] : NULL;
    if (last && last->kind == ST_EQUATION && last->target->kind == EXPR_READ) shape_show(to, "gives", expr_text(last->target));
    if (d->is_short && d->params.count && !d->params.at[0].has_axes && d->kind == KIND_DEF)
        shape_show(to, "gives", "a number for each element");
}

static const char *tensor_shape(const Tensor *t)
{
    static const char *const type[] = { [TYPE_FLOAT] = "float", [TYPE_INT] = "int", [TYPE_BOOL] = "bool" };
    Text s = {0};
    text_add(&s, type[t->type]);
    for (int i = 0; i < t->rank; i++) text_addf(&s, "%s%d", i ? ", " : "[", t->extent[i]);
    if (t->rank) text_add(&s, "]");
    return text_string(&s);
}

/* What the compiler makes of an example: its value's shape and what it learns and keeps. */
static const char *example_shapes(const Symbols *symbols, const Item *example)
{
    Model model = {0};
    Program program = { .name = "example", .first_backward = -1 };
    names_reset();
    const Tensor *value = elaborate_example(symbols, &model, &program, example, false, true);
    if (!value) return NULL;
    Text s = {0};
    text_addf(&s, "gives %s", tensor_shape(value));
    for (int i = 0; i < model.kept.count; i++) {
        const Tensor *t = model.kept.at[i];
        text_addf(&s, "; %s %s, %s", t->role == ROLE_PARAM ? "learns" : "keeps", t->name, tensor_shape(t));
    }
    return text_string(&s);
}

static void examples_show(Explanation *x, const Definition *d)
{
    for (int i = 0; i < x->symbols.examples.count; i++) {
        const Item *e = x->symbols.examples.at[i];
        if (e->definition != d) continue;
        fprintf(x->to, "\n    example %s\n", expr_text(e->left));
        bool layer = d->kind == KIND_DEF || d->kind == KIND_LOSS || d->kind == KIND_METRIC;
        const char *shapes = layer && e->left->kind != EXPR_BINARY ? example_shapes(&x->symbols, e) : NULL;
        if (shapes) fprintf(x->to, "        %s\n", shapes);
    }
    for (int i = 0; i < x->symbols.rewrites.count; i++) {
        const Item *r = x->symbols.rewrites.at[i];
        if (r->left->name == d->name) fprintf(x->to, "\n    rewrite %s => %s\n", expr_text(r->left), expr_text(r->right));
    }
}

/* ---- definitions and words --------------------------------------------------------------------------------------- */
static const char *param_header(const Param *p)
{
    Text t = {0};
    text_add(&t, p->name);
    for (int i = 0; i < p->type.count; i++) text_addf(&t, "%s%s", i ? " | " : ": ", p->type.at[i].name);
    if (p->fallback) text_addf(&t, " = %s", expr_text(p->fallback));
    return text_string(&t);
}

/* What `every` of the kind offers beside the definition's own parameters. */
static void offered_show(Explanation *x, const Definition *d)
{
    const Definition *every = x->symbols.every[d->kind];
    int shown = 0;
    for (int i = 0; every && i < every->params.count; i++)
        if (every->params.at[i].fallback)
            fprintf(x->to, "%s%s", shown++ ? ", " : "\n    also    ", param_header(&every->params.at[i]));
    if (shown) fputc('\n', x->to);
}

static void definition_show(Explanation *x, const Definition *d)
{
    const char *hides = !d->from_library && d->name && symbols_find(&x->symbols, d->name, true) ? "; it hides the library's" : "";
    const char *name = d->every ? format("every %s", def_kind_name[d->kind]) : d->name;
    const char *kind = d->every ? "wrapped round each of its kind" : kind_text(d);
    head_show(x, name, kind, format(", %s:%d%s", d->at.source->name, d->at.line, hides));
    if (*d->doc) {
        lines_show(x->to, d->doc, "    ");
        fputc('\n', x->to);
    }
    source_show(x->to, d->at, d->is_short ? d->value->at.end_line : d->body.place.end_line);
    if (d->every) return;
    fputc('\n', x->to);
    axes_show(x->to, d);
    offered_show(x, d);
    examples_show(x, d);
}

static bool word_has(const WordEntry *e, const char *name)
{
    for (int i = 0; i < e->names.count; i++)
        if (!strcmp(e->names.at[i], name)) return true;
    return false;
}

static void words_show(Explanation *x)
{
    for (int i = 0; i < x->words.count; i++) {
        WordEntry *e = x->words.at[i];
        if (!word_has(e, x->name)) continue;
        head_show(x, x->name, e->kind, "");
        lines_show(x->to, text_string(&e->what), "    ");
        fputc('\n', x->to);
        lines_show(x->to, text_string(&e->how), "    ");
        fputs("\n    example\n", x->to);
        lines_show(x->to, text_string(&e->example), "        ");
    }
    for (int i = 0; i < 6; i++)
        if (x->symbols.every[i] && !strcmp(def_kind_name[i], x->name)) definition_show(x, x->symbols.every[i]);
}

static void parameter_show(Explanation *x, const Definition *d)
{
    for (int i = 0; i < d->params.count; i++) {
        if (d->params.at[i].name != x->name) continue;
        if (!x->found) head_show(x, x->name, "a parameter", "");
        const char *of = d->every ? format("every %s", def_kind_name[d->kind]) : d->name;
        fprintf(x->to, "    %-24s %s\n", of, param_header(&d->params.at[i]));
    }
}

static void parameters_show(Explanation *x)
{
    for (int i = 0; i < 6; i++)
        if (x->symbols.every[i]) parameter_show(x, x->symbols.every[i]);
    for (int i = 0; i < x->symbols.definitions.count; i++) parameter_show(x, x->symbols.definitions.at[i]);
}

/* ---- all names --------------------------------------------------------------------------------------------------- */
typedef LIST(const char *) Names;
static void name_add(Names *names, const char *name)
{
    for (int i = 0; i < names->count; i++)
        if (!strcmp(names->at[i], name)) return;
    PUSH(*names, name);
}

static Names all_names(const Explanation *x)
{
    Names names = {0};
    for (int i = 0; i < x->symbols.definitions.count; i++) name_add(&names, x->symbols.definitions.at[i]->name);
    for (int i = 0; i < x->words.count; i++)
        for (int k = 0; k < x->words.at[i]->names.count; k++) name_add(&names, x->words.at[i]->names.at[k]);
    return names;
}

/* A line for each name and kind: a name, a tab, what it is. */
static void names_list(const Explanation *x)
{
    for (int i = 0; i < x->symbols.definitions.count; i++) {
        const Definition *d = x->symbols.definitions.at[i];
        if (symbols_find(&x->symbols, d->name, false) == d) fprintf(x->to, "%s\t%s\n", d->name, kind_text(d));
    }
    for (int i = 0; i < x->words.count; i++)
        for (int k = 0; k < x->words.at[i]->names.count; k++)
            fprintf(x->to, "%s\t%s\n", x->words.at[i]->names.at[k], x->words.at[i]->kind);
}

static int unknown(const Explanation *x, const char *file)
{
    Names names = all_names(x);
    error_plain("--explain=%s: there is no such name in the language or its library%s%s", x->name, file ? " or in " : "",
                file ? file : "");
    const char *near = nearest(x->name, names.at, names.count);
    if (near) help("did you mean %s?", near);
    else help("dlnc --explain= lists all names%s", file ? "" : "; those of a file: dlnc --explain=NAME FILE.dln");
    return EXIT_USAGE;
}

int explain_name(const Options *o)
{
    Explanation x = { .name = intern(o->explain), .to = stdout };
    symbols_add_library(&x.symbols);
    if (o->input) {
        const Source *source = source_read(o->input, NULL);
        if (!source) return EXIT_IO;
        File *file = parse_source(source);
        symbols_add(&x.symbols, file, false);
        symbols_import(&x.symbols, file);
        if (error_count()) return EXIT_INPUT;
    }
    x.words = words_read();
    if (!*x.name) {
        names_list(&x);
        return stream_close(stdout);
    }
    const Definition *d = symbols_find(&x.symbols, x.name, false);
    if (d) definition_show(&x, d);
    words_show(&x);
    if (!x.found) parameters_show(&x);
    if (!x.found) return unknown(&x, o->input);
    return stream_close(stdout);
}
