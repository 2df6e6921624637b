/* fuzz_front.c: any bytes as a .dln file. The front end must not crash, hang or read outside its memory; what it
 * accepts must be the same tree again after formatting, and formatting that once more must change nothing. What parses
 * is compiled, as far as it goes: a file is refused with a message or becomes C. The library is parsed once for many
 * inputs; the arena is let go when it has grown. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "emit/emit.h"
#include "kernel/kernel.h"
#include "syntax/ast.h"
#include "tensor/elaborate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_MOST = 32 << 20, EQUATIONS_MOST = 60 };

static File *parse_bytes(const char *text, size_t length)
{
    Source *source = NEW(Source);
    char *copy = arena_alloc(length + 1);
    if (length) memcpy(copy, text, length);
    *source = (Source){ "fuzz.dln", copy, length };
    return parse_source(source);
}

static const char *tree_without_places(const File *file)
{
    char *text;
    size_t length;
    FILE *to = open_memstream(&text, &length);
    ast_print(file, to);
    fclose(to);
    Text t = { 0 };
    for (const char *p = text; *p; p++) {
        if (p[0] == ' ' && p[1] == '@') p += strcspn(p, "\n");
        text_add_n(&t, p, 1);
    }
    free(text);
    return text_string(&t);
}

static void format_try(const File *file)
{
    const char *once = format_source(file);
    File *again = parse_bytes(once, strlen(once));
    if (error_count()) abort();
    if (strcmp(tree_without_places(file), tree_without_places(again)) != 0) abort();
    if (strcmp(format_source(again), once) != 0) abort();
}

/* An import would read this machine's files. */
static bool imports(const File *file)
{
    for (int i = 0; i < file->count; i++)
        if (file->at[i]->kind == ITEM_IMPORT) return true;
    return false;
}

/* All the way to C, but large models only to their equations: the time goes to those that are quick. */
static void compile_try(File *file)
{
    Symbols s = { 0 };
    symbols_add_library(&s);
    symbols_add(&s, file, false);
    if (error_count()) return;
    const ModelOptions options = { .file = "fuzz.dln" };
    Model *m = model_build(&s, &options);
    if (!m || error_count()) return;
    model_verify(m);
    const Program *p = m->step ? m->step : m->predict;
    if (p->equations.count > EQUATIONS_MOST) return;
    const EmitOptions emit = { .fuse = true, .blas = BLAS_AUTO, .version = "fuzz" };
    Plan *plan = plan_model(m, &emit);
    Text c = { 0 }, h = { 0 };
    if (!error_count()) emit_source(plan, &c, &h);
    if (!error_count() && (!c.length || !h.length)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *nowhere;
    if (!nowhere) nowhere = fopen("/dev/null", "w");
    diag_begin(nowhere, size % 2 ? DIAG_TEXT : DIAG_JSON, false);
    File *file = parse_bytes((const char *)data, size);
    if (!error_count()) format_try(file);
    if (!error_count() && !imports(file)) compile_try(file);
    diag_end();
    if (arena_used() > ARENA_MOST) {
        arena_release();
        program_reset();
    }
    return 0;
}
