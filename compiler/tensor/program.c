/* program.c: tensors, their names, equations; and forgetting everything for the next compilation. */
#include "tensor/cons.h"
#include "base/text.h"
#include <string.h>

const char *const reduction_name[] = { "", "sum", "max", "min", "argmax", "argmin", "any", "all" };

static int tensor_count;

/* ---- names: each with the number of times it was asked for ---- */
typedef struct Name { const char *name; int used; } Name;
static ConsTable names;

static bool name_same(const void *item, const void *key) { return ((const Name *)item)->name == key; }

static Name *name_entry(const char *name)
{
    uint64_t hash = hash_pointer(1, name);
    const Name *known = cons_find(&names, hash, name, name_same);
    if (known)
        return (Name *)known;
    Name *n = NEW(Name);
    n->name = name;
    cons_insert(&names, hash, n);
    return n;
}

/* x, x', x'', x''', x_4, x_5, ... */
static const char *unique_name(const char *asked)
{
    Name *base = name_entry(intern(asked));
    if (base->used++ == 0)
        return base->name;
    for (;; base->used++) {
        int k = base->used - 1;
        const char *name = intern(k <= 3 ? format("%s%.*s", asked, k, "'''") : format("%s_%d", asked, k));
        Name *taken = name_entry(name);
        if (taken->used++ == 0)
            return name;
    }
}

void names_reset(void) { names = (ConsTable){0}; }

void program_reset(void)
{
    sums_reset();
    nodes_reset();
    memos_reset();
    names_reset();
    tensor_count = 0;
}

/* ---- tensors ---- */
Tensor *tensor_new(const char *name, int rank, const int *extent, bool batch, Type type, Role role)
{
    if (rank > MAX_RANK)
        bug("tensor %s has %d axes; program.h holds %d", name, rank, MAX_RANK);
    Tensor *t = NEW(Tensor);
    t->name = unique_name(name);
    t->id = tensor_count++;
    t->rank = rank;
    t->batch = batch;
    t->type = type;
    t->role = role;
    for (int i = 0; i < rank; i++)
        t->extent[i] = extent[i];
    return t;
}

int64_t tensor_size(const Tensor *t)
{
    int64_t size = 1;
    for (int i = 0; i < t->rank; i++)
        if (__builtin_mul_overflow(size, (int64_t)t->extent[i], &size))
            return INT64_MAX;
    return size;
}

/* ---- equations ---- */
Equation *equation_new(Tensor *out, const Sum *const *left, int indices, const Index *const *index, const Node *value)
{
    if (indices > MAX_RANK)
        bug("the equation of %s has %d indices; program.h holds %d", out->name, indices, MAX_RANK);
    Equation *e = NEW(Equation);
    e->out = out;
    for (int i = 0; i < out->rank; i++)
        e->left[i] = left[i];
    e->indices = indices;
    for (int i = 0; i < indices; i++)
        e->index[i] = index[i];
    e->value = value;
    e->layer = "";
    return e;
}

Equation *equation_map(Tensor *out, const Index *const *index, const Node *value)
{
    const Sum *left[MAX_RANK];
    for (int i = 0; i < out->rank; i++)
        left[i] = sum_index(index[i]);
    return equation_new(out, left, out->rank, index, value);
}

Equation *equation_copy(const Equation *e) { return arena_copy(e, sizeof *e); }

bool equation_is_scatter(const Equation *e)
{
    for (int i = 0; i < e->out->rank; i++)
        if (sum_is_gather(e->left[i]))
            return true;
    return false;
}
