/* split.c: a sum over much that leaves little, like a mean over all samples and pixels, would keep one thread busy. It
 * becomes two: a partial sum for each place of one reduced index (the batch, or the first that is long enough), which
 * threads share out, and the sum of those, in order. So the bits do not depend on the number of threads. */
#include "kernel/group.h"

enum { LONG = 1 << 14, SMALL = 1 << 13, TILES = 1 << 8 };      /* TILES: results of a product enough for threads */

static const Index *split_index(const Equation *e)
{
    const Index *best = NULL;
    for (int i = 0; i < e->reduced_count; i++) {
        const Index *k = e->reduced[i];
        if (k->batch) return k;
        if (!best && k->extent >= 8) best = k;
    }
    return best;
}

static bool is_to_be_split(const Equation *e)
{
    if (e->reduction != RED_SUM || e->reduced_count < 2 || equation_is_scatter(e) || e->loop || e->test) return false;
    if (e->out->rank + 1 > MAX_RANK) return false;
    int64_t left = tensor_size(e->out);
    for (int a = 0; a < e->out->rank; a++)
        if (!sum_plain(e->left[a])) return false;
    if (e->value->op == OP_MUL && left >= TILES) return false;   /* likely a contraction, which goes block by block */
    return left <= SMALL && equation_work(e) / left > 256 && equation_work(e) >= LONG;
}

/* part[k, left..] = sum[the rest] value; out[left..] = sum[k] part[k, left..] */
static Equation *split(Equation *e, const Index *k, Equation **last)
{
    int extent[MAX_RANK] = { k->extent };
    for (int a = 0; a < e->out->rank; a++) extent[a + 1] = e->out->extent[a];
    Tensor *part = tensor_new(format("%s.part", e->out->name), e->out->rank + 1, extent, k->batch, e->out->type, ROLE_TEMP);
    part->at = e->out->at;
    Equation *first = equation_copy(e);
    first->out = part;
    first->left[0] = sum_index(k);
    for (int a = 0; a < e->out->rank; a++) first->left[a + 1] = e->left[a];
    first->index[0] = k;
    for (int i = 0; i < e->indices; i++) first->index[i + 1] = e->index[i];
    first->indices = e->indices + 1;
    first->reduced_count = 0;
    for (int i = 0; i < e->reduced_count; i++)
        if (e->reduced[i] != k) first->reduced[first->reduced_count++] = e->reduced[i];
    *last = equation_copy(e);
    (*last)->value = node_read(part, first->left);
    (*last)->reduced_count = 1;
    (*last)->reduced[0] = k;
    return first;
}

void split_sums(Equations *all)
{
    Equations out = {0};
    for (int i = 0; i < all->list.count; i++) {
        Equation *e = all->list.at[i], *last;
        const Index *k = is_to_be_split(e) ? split_index(e) : NULL;
        if (!k) { PUSH(out.list, e); continue; }
        PUSH(out.list, split(e, k, &last));
        PUSH(out.list, last);
    }
    *all = out;
}
