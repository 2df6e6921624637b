/* fuzz_front.c: any bytes as a .dln file. The front end must not crash, hang or read outside its memory; what it
 * accepts must be the same tree again after formatting, and formatting that once more must change nothing. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "syntax/ast.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *nowhere;
    if (!nowhere) nowhere = fopen("/dev/null", "w");
    diag_begin(nowhere, size % 2 ? DIAG_TEXT : DIAG_JSON, false);
    File *file = parse_bytes((const char *)data, size);
    if (!error_count()) format_try(file);
    diag_end();
    arena_release();
    return 0;
}
