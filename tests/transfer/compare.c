/* compare.c: compare A PREFIX B: is every tensor of the safetensors file A in the file B under PREFIX. too, with the same
 * shape and the same bits? Counters and names that begin with a word given after B are left out. Prints how many are. */
#include <string.h>
#include <stdlib.h>
#include "host/run.h"

static bool same_bits(const StoredFile *a, const StoredTensor *s, const StoredFile *b, const StoredTensor *t, Problem *p)
{
    const size_t bytes = (size_t)(s->end - s->begin);
    void *x = memory_new(bytes, 1, p), *y = memory_new(bytes, 1, p);
    bool same = x && y && stored_values(a, s, s->twice, x, p) && stored_values(b, t, t->twice, y, p) && !memcmp(x, y, bytes);
    free(x);
    free(y);
    return same;
}

int main(int argc, char **argv)
{
    StoredFile a, b;
    Problem p = { 0 };
    int same = 0;
    if (argc < 4 || !stored_open(&a, argv[1], &p) || !stored_open(&b, argv[3], &p)) {
        fprintf(stderr, "compare: %s\n", argc < 4 ? "A PREFIX B [WORD]" : p.text);
        return 2;
    }
    for (int i = 0; i < a.tensors; i++) {
        const StoredTensor *s = &a.tensor[i];
        if (s->kind == STORED_OTHER || (argc > 4 && !strncmp(s->name, argv[4], strlen(argv[4])))) continue;
        char *name = text_join(&p, "%s%s%s", argv[2], *argv[2] ? "." : "", s->name);
        const StoredTensor *t = name ? stored_find(&b, name) : NULL;
        const bool good = t && t->twice == s->twice && shape_equal(s, t) && same_bits(&a, s, &b, t, &p);
        if (!good) printf("%s and %s are not the same\n", s->name, t ? t->name : "nothing");
        if (!good) return 1;
        same++;
        free(name);
    }
    printf("%d tensors are the same\n", same);
    stored_close(&a);
    stored_close(&b);
    return same ? 0 : 1;
}
