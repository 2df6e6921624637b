/* fail.c: problems, checked memory, growing texts. The only places that call malloc for the host program are here, so
 * that no size is multiplied unchecked. SPDX-License-Identifier: 0BSD */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "host.h"

bool problem_set(Problem *p, int code, const char *format, ...)
{
    va_list args;
    p->code = code;
    va_start(args, format);
    vsnprintf(p->text, sizeof p->text, format, args);
    va_end(args);
    return false;
}

void problem_add(Problem *p, const char *format, ...)
{
    size_t used = strlen(p->text);
    va_list args;
    va_start(args, format);
    vsnprintf(p->text + used, sizeof p->text - used, format, args);
    va_end(args);
}

bool size_product(size_t a, size_t b, size_t *out)
{
    if (b && a > SIZE_MAX / b) return false;
    *out = a * b;
    return true;
}

void *memory_new(size_t count, size_t size, Problem *p)
{
    size_t bytes;
    void *block = NULL;
    if (size_product(count, size, &bytes) && bytes < PTRDIFF_MAX) block = calloc(1, bytes ? bytes : 1);
    if (!block) problem_set(p, EXIT_IO, "out of memory (%zu times %zu bytes)", count, size);
    return block;
}

bool memory_grow(void **block, size_t *room, size_t count, size_t size, Problem *p)
{
    if (count <= *room) return true;
    size_t wanted = *room < 16 ? 16 : *room + *room / 2, bytes;
    if (wanted < count) wanted = count;
    void *grown = NULL;
    if (size_product(wanted, size, &bytes) && bytes < PTRDIFF_MAX) grown = realloc(*block, bytes);
    if (!grown) return problem_set(p, EXIT_IO, "out of memory (%zu times %zu bytes)", wanted, size);
    *block = grown;
    *room = wanted;
    return true;
}

char *text_join(Problem *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = memory_new((size_t)(length < 0 ? 0 : length) + 1, 1, p);
    if (!text) return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

void write_bytes(Writer *w, const void *bytes, size_t count)
{
    Problem ignored;
    if (w->failed || count >= SIZE_MAX - w->length - 1 ||
        !memory_grow((void **)&w->text, &w->room, w->length + count + 1, 1, &ignored)) {
        w->failed = true;
        return;
    }
    memcpy(w->text + w->length, bytes, count);
    w->length += count;
    w->text[w->length] = 0;
}

void write_text(Writer *w, const char *format, ...)
{
    char small[256];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (length < 0) {
        w->failed = true;
        return;
    }
    if ((size_t)length < sizeof small) {
        write_bytes(w, small, (size_t)length);
        return;
    }
    Problem ignored;
    if (w->failed || !memory_grow((void **)&w->text, &w->room, w->length + (size_t)length + 1, 1, &ignored)) {
        w->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf(w->text + w->length, (size_t)length + 1, format, args);
    va_end(args);
    w->length += (size_t)length;
}

void write_json_string(Writer *w, const char *text)
{
    write_bytes(w, "\"", 1);
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            write_text(w, "\\%c", *c);
        else if ((unsigned char)*c < 0x20 || *c == 0x7f)
            write_text(w, "\\u%04x", (unsigned)(unsigned char)*c);
        else
            write_bytes(w, c, 1);
    }
    write_bytes(w, "\"", 1);
}
