/* rules_places.c: rules on where an equation writes: an index that is divided becomes two (R4), a sum of contributions
 * to disjoint places becomes pieces. */
#include "tensor/rules.h"
#include "base/text.h"
#include <string.h>

/* ---- R4: floor((i + c) / k) and (i + c) mod k in one equation, k dividing the extent: i = k p + r. What is left of them
 * with c is of r alone, which has k places: a loop round everything else ----
 * requires: nothing.  keeps: values; argmax's fused place too.  breaks: left sides that are lone indices.
 * The batch is not split, and a loop's step stays one index. */

/* The one divisor of index in these expressions, or 0. */
static int divisor_of(const RootFacts *root, const Index *index, int divisor)
{
    for (int i = 0; i < root->divisions; i++)
        if (root->divided[i].index == index) {
            if (divisor && divisor != root->divided[i].divisor) return -1;
            divisor = root->divided[i].divisor;
        }
    return divisor;
}

static bool split_one(Equation *e, const Index **list, int *count, int at)
{
    const Index *index = list[at];
    int k = divisor_of(root_facts(e->value), index, 0);
    if (e->test && k >= 0) k = divisor_of(root_facts(e->test), index, k);
    if (k <= 1 || index->extent <= k || index == e->step || index->batch || index->extent % k || *count == MAX_RANK) return false;
    const Index *p = index_new(index->name, index->extent / k, false);
    const Index *r = index_new(format("%sr", index->name), k, false);
    Substitution sub = { 0 };
    substitution_set(&sub, index, sum_add(sum_scale(sum_index(p), k), sum_index(r)));
    memmove(&list[at + 2], &list[at + 1], sizeof *list * (size_t)(*count - at - 1));
    list[at] = p;
    list[at + 1] = r;
    ++*count;
    equation_substitute(e, &sub);
    return true;
}

void rule_split_index(Simplifier *s)
{
    for (int i = 0; i < s->lines.count; i++) {
        Equation *e = s->lines.at[i].e;
        if (root_facts(e->value)->divisions == 0 && (!e->test || root_facts(e->test)->divisions == 0)) continue;
        for (int k = 0; k < e->indices; k++) split_one(e, e->index, &e->indices, k);
        for (int k = 0; k < e->reduced_count; k++) split_one(e, e->reduced, &e->reduced_count, k);
    }
}

/* ---- y[j] = (j in range 1 ? a : 0) + (j in range 2 ? b : 0) + ..: pieces, if the ranges cover each place once ----
 * requires: runs last, on a settled program.  keeps: values.  breaks: tensors with one equation. */
typedef struct Part {
    int low, high;
    const Node *test, *value;
} Part; /* low <= j < high; what is left of the test */
enum { MAX_PARTS = 256 };

static int addends(const Node *e, const Node **out, int room)
{
    if (e->op != OP_ADD) {
        if (room > 0) out[0] = e;
        return 1;
    }
    int left = addends(e->arg[0], out, room);
    return left + addends(e->arg[1], out + (left < room ? left : room), left < room ? room - left : 0);
}

/* Where test holds, if it is a range of j alone: j == c, or 0 <= +-j + c < n. */
static bool range_of(const Node *test, const Index *j, int *low, int *high)
{
    const Sum *a;
    int extent = 1;
    if (test->op == OP_IN) {
        a = test->sum[0];
        extent = test->extent;
    } else if (test->op == OP_EQ && test->arg[0]->type == TYPE_INT && test->arg[1]->type == TYPE_INT) {
        a = sum_sub(sum_node(test->arg[0]), sum_node(test->arg[1]));
    } else {
        return false;
    }
    int factor = sum_factor(a, j);
    if (a->count != 1 || (factor != 1 && factor != -1)) return false;
    int64_t from = factor == 1 ? -(int64_t)a->constant : (int64_t)a->constant - extent + 1, to = from + extent;
    *low = from < 0 ? 0 : from > j->extent ? j->extent : (int)from;
    *high = to < 0 ? 0 : to > j->extent ? j->extent : (int)to;
    return *low < *high;
}

static bool part_of(const Node *e, const Index *j, Part *out)
{
    const Node *part[MAX_CONJUNCTS];
    if (!node_is_guard(e)) return false;
    int count = node_conjuncts(e->arg[0], part, MAX_CONJUNCTS);
    for (int i = 0; i < count && count <= MAX_CONJUNCTS; i++)
        if (range_of(part[i], j, &out->low, &out->high)) {
            memmove(&part[i], &part[i + 1], sizeof *part * (size_t)(count - i - 1));
            out->test = conjunction(part, count - 1);
            out->value = e->arg[1];
            return true;
        }
    return false;
}

/* Sorted by place. True if they cover 0 .. extent - 1 once. */
static bool parts_cover(Part *part, int count, int extent)
{
    for (int i = 1; i < count; i++) {
        Part p = part[i];
        int k = i;
        for (; k > 0 && part[k - 1].low > p.low; k--) part[k] = part[k - 1];
        part[k] = p;
    }
    int place = 0;
    for (int i = 0; i < count; i++) {
        if (part[i].low != place) return false;
        place = part[i].high;
    }
    return place == extent;
}

static Equation *piece_of(const Equation *e, const Index *j, const Part *part)
{
    Equation *q = equation_copy(e);
    int length = part->high - part->low, count = 0;
    const Index *inside = length > 1 ? index_new(j->name, length, false) : NULL;
    for (int i = 0; i < e->indices; i++)
        if (e->index[i] != j)
            q->index[count++] = e->index[i];
        else if (inside)
            q->index[count++] = inside;
    q->indices = count;
    q->value = node_guard(part->test, part->value);
    Substitution sub = { 0 };
    substitution_set(&sub, j, inside ? sum_offset(sum_index(inside), part->low) : sum_constant(part->low));
    equation_substitute(q, &sub);
    return q;
}

/* Puts the pieces of e into out; false if it has none. */
static bool pieces_of(const Equation *e, Part *part, const Node **term, Line line, Lines *out)
{
    int count = addends(e->value, term, MAX_PARTS);
    if (count < 2 || count > MAX_PARTS) return false;
    for (int i = 0; i < e->indices; i++) {
        const Index *j = e->index[i];
        bool all = j != e->step && !j->batch;
        for (int k = 0; k < count && all; k++) all = part_of(term[k], j, &part[k]);
        if (!all || !parts_cover(part, count, j->extent)) continue;
        for (int k = 0; k < count; k++) PUSH(*out, ((Line){ piece_of(e, j, &part[k]), line.backward }));
        return true;
    }
    return false;
}

void rule_pieces(Simplifier *s)
{
    survey(s);
    Lines out = { 0 };
    Part *part = NEW_ARRAY(Part, MAX_PARTS);
    const Node **term = NEW_ARRAY(const Node *, MAX_PARTS);
    for (int i = 0; i < s->lines.count; i++) {
        Line line = s->lines.at[i];
        const Equation *e = line.e;
        bool may = e->value->op == OP_ADD && !e->reduction && !e->test && !equation_is_scatter(e) &&
                   tensor_facts(s, e->out)->pieces == 1;
        if (!may || !pieces_of(e, part, term, line, &out)) PUSH(out, line);
    }
    s->lines = out;
}
