/* host_block.h: data and train blocks for tests of the host program, from their text: `a = f("s", k = 1, [x, 2]); b = word`.
 * They are never freed. */
#ifndef HOST_BLOCK_H
#define HOST_BLOCK_H
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "host/dln.h"

static inline dln_value value_of(const char **at);

static inline void blanks(const char **at) { *at += strspn(*at, " "); }

static inline const dln_value *values_of_text(const char **at, const char *end, int *count)
{
    dln_value *values = calloc(32, sizeof *values);
    for (*count = 0; blanks(at), **at && !strchr(end, **at); *at += **at == ',' || **at == ';') {
        const char *begin = *at, *equals = begin + strspn(begin, "abcdefghijklmnopqrstuvwxyz_0123456789"), *key = NULL;
        if (*end == 0) equals = strchr(begin, '='), equals--; /* `train, test = ..` at the top */
        if (equals[0] == ' ' && equals[1] == '=' && equals > begin) {
            key = strndup(begin, (size_t)(equals - begin));
            *at = equals + 2;
        }
        values[*count] = value_of(at);
        values[(*count)++].key = key;
        blanks(at);
    }
    *at += **at != 0;
    return values;
}

static inline dln_value value_of(const char **at)
{
    dln_value v = { 0 };
    blanks(at);
    const char *begin = *at;
    if (*begin == '"') {
        size_t n = strcspn(begin + 1, "\"");
        v.kind = DLN_STRING;
        v.text = strndup(begin + 1, n);
        *at = begin + n + 2;
    } else if (*begin == '[') {
        ++*at;
        v.kind = DLN_LIST;
        v.items = values_of_text(at, "]", &v.count);
    } else if (isdigit((unsigned char)*begin) || *begin == '-') {
        v.kind = DLN_NUMBER;
        v.number = strtod(begin, (char **)(uintptr_t)at);
    } else {
        size_t n = strspn(begin, "abcdefghijklmnopqrstuvwxyz_0123456789");
        v.kind = DLN_WORD;
        v.text = strndup(begin, n);
        *at += n;
        if (**at == '(') {
            ++*at;
            v.kind = DLN_CALL;
            v.items = values_of_text(at, ")", &v.count);
        }
    }
    return v;
}

static inline void block_of(dln_model *m, const char *text) { m->data = values_of_text(&text, "", &m->data_values); }
static inline void train_of(dln_model *m, const char *text) { m->train = values_of_text(&text, "", &m->train_values); }
#endif
