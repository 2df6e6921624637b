/* onnx_read.c: t[subscripts] as ONNX nodes. An axis whose subscript is an index, a constant, an index with step and
 * offset, or a fused axis is cut and reshaped; any other is a Gather by a table of places, or by what another tensor
 * holds. Axes that share an index are made one first. A place outside the axis is held within it: a test before the read
 * chooses something else there. */
#include "emit/onnx.h"
#include <limits.h>
#include <string.h>

typedef enum { AXIS_WHOLE, AXIS_FUSED, AXIS_SINGLE, AXIS_CUT, AXIS_PICKED, AXIS_TAKEN } AxisKind;
typedef struct Axis { const Sum *sub; int extent; bool batch; AxisKind kind; int parts; const Index *part[MAX_AXES]; } Axis;
typedef struct Array { const char *name; int rank; Axis axis[MAX_AXES]; } Array;

/* ---- axes -------------------------------------------------------------------------------------------------------- */
int64_t extent_text(const Index *i) { return i->batch ? 0 : i->extent; }

Wire onnx_ordered(Onnx *o, Wire w, const Index *const *order, int count)
{
    int64_t from[MAX_AXES];
    int n = 0;
    bool moved = false;
    Wire out = w;
    for (int k = 0; k < count; k++)
        for (int i = 0; i < w.rank; i++)
            if (w.axis[i] == order[k]) {
                moved |= i != n;
                out.axis[n] = order[k];
                from[n++] = i;
            }
    if (moved) out.name = onnx_transposed(o, w.name, from, n);
    return out;
}

Wire onnx_reshaped(Onnx *o, Wire w, const int64_t *shape, int count, const Index *const *axis, int rank)
{
    Wire out = { .type = w.type, .rank = rank };
    out.name = onnx_shaped(o, w.name, shape, count);
    for (int i = 0; i < rank; i++) out.axis[i] = axis[i];
    return out;
}

/* Is a the place of a fused axis of this extent? Its indices then, outermost first. */
static bool is_fused(Axis *x)
{
    const Sum *a = x->sub;
    int64_t size = 1;
    if (a->constant || !sum_is_affine(a) || a->count > MAX_AXES) return false;
    for (x->parts = 0; x->parts < a->count; x->parts++) {
        const Index *next = NULL;
        for (int k = 0; k < a->count; k++) if (a->term[k].factor == size && !a->term[k].index->batch) next = a->term[k].index;
        if (!next || next->extent < 2) return false;
        x->part[x->parts] = next;
        size *= next->extent;
    }
    for (int i = 0; i < x->parts / 2; i++) {
        const Index *swap = x->part[i];
        x->part[i] = x->part[x->parts - 1 - i];
        x->part[x->parts - 1 - i] = swap;
    }
    return size == x->extent;
}

static void classify(const Onnx *o, Axis *x)
{
    const Index *i = sum_plain(x->sub);
    Range r = sum_range(x->sub);
    bool inside = r.low >= 0 && r.high < x->extent;
    x->parts = 1;
    if (o->scan && sum_uses(x->sub, o->e->step)) {
        x->kind = AXIS_PICKED;
    } else if (i && (i->batch ? x->batch : i->extent == x->extent && !x->batch)) {
        x->kind = AXIS_WHOLE;
        x->part[0] = i;
    } else if (x->extent == 1 && sum_is_constant(x->sub) && inside) {
        x->kind = AXIS_SINGLE;
        x->parts = 0;
    } else if (is_fused(x)) {
        x->kind = AXIS_FUSED;
    } else if (x->sub->count == 1 && x->sub->term[0].index && !x->sub->term[0].index->batch && inside) {
        x->kind = AXIS_CUT;
        x->parts = 1;
        x->part[0] = x->sub->term[0].index;
    } else {
        x->kind = AXIS_PICKED;
    }
}

static bool share(const Onnx *o, const Sum *a, const Sum *b)
{
    for (int i = 0; i < o->frame_count; i++) if (sum_uses(a, o->frame[i]) && sum_uses(b, o->frame[i])) return true;
    return false;
}

/* ---- axes that share an index: made one, the last ---------------------------------------------------------------- */
/* Marks those that hang together with axis `first`; how many. */
static int together(const Onnx *o, const Array *s, int first, bool *in)
{
    int count = 1;
    memset(in, 0, sizeof *in * MAX_AXES);
    in[first] = true;
    for (bool more = true; more;) {
        more = false;
        for (int a = 0; a < s->rank; a++)
            for (int b = 0; b < s->rank; b++)
                if (in[a] && !in[b] && s->axis[a].kind != AXIS_TAKEN && s->axis[b].kind != AXIS_TAKEN &&
                    share(o, s->axis[a].sub, s->axis[b].sub)) {
                    in[b] = more = true;
                    count++;
                }
    }
    return count;
}

/* The place along the axes `in` as one, the last of them innermost. */
static Wire joint_place(Onnx *o, const Array *s, const bool *in, int from)
{
    Wire place = {0};
    for (int a = from; a < s->rank; a++) {
        if (!in[a]) continue;
        Wire w = onnx_within(o, s->axis[a].sub, s->axis[a].extent);
        if (place.name) {
            place = onnx_each(o, "Mul", TYPE_INT, 2, (Wire[]){ place, onnx_literal(TYPE_INT, s->axis[a].extent) });
            w = onnx_each(o, "Add", TYPE_INT, 2, (Wire[]){ place, w });
        }
        place = w;
    }
    return place;
}

static Wire with_batch(Onnx *o, Wire place, const Index *n)
{
    const Index *axis[MAX_AXES] = { n };
    int count = 1;
    for (int i = 0; i < place.rank; i++) if (place.axis[i] != n) axis[count++] = place.axis[i];
    return onnx_spread(o, place, axis, count);
}

/* The array with the axes `in` as one: behind the others, or with the batch among them, where it is a choice within each
 * sample, right behind the batch. */
static const char *joined(Onnx *o, const Array *s, const bool *in, bool batch)
{
    int64_t order[MAX_AXES], shape[MAX_AXES], joint = 1;
    int count = 0, rank = 0;
    if (batch) {
        order[count++] = 0;
        shape[rank++] = 0;
    }
    for (int pass = 0; pass < 2; pass++) {
        bool whole = (pass == 0) != batch;       /* first the others, or first the joint one */
        for (int a = batch; a < s->rank; a++) {
            if (in[a] == whole) continue;
            order[count++] = a;
            if (whole) shape[rank++] = s->axis[a].batch ? 0 : s->axis[a].extent;
            else joint *= s->axis[a].extent;
        }
        if (!whole) shape[rank++] = joint;
    }
    const char *name = s->name;
    bool moved = false;
    for (int i = 0; i < count; i++) moved |= order[i] != i;
    if (moved) name = onnx_transposed(o, name, order, count);
    return rank == count ? name : onnx_shaped(o, name, shape, rank);
}

static void take_joint(Onnx *o, Array *s, const bool *in)
{
    Array out = {0};
    int others = 0;
    bool batch = in[0] && s->axis[0].batch;
    const Index *n = batch ? sum_plain(s->axis[0].sub) : NULL;
    if (batch && !(n && n->batch)) {
        onnx_refuse(o, "a read of another sample of the batch");
        return;
    }
    Wire place = joint_place(o, s, in, batch);
    if (batch) place = with_batch(o, place, n);
    for (int a = 0; a < s->rank; a++) others += !in[a];
    const char *name = joined(o, s, in, batch);
    if (batch) out.name = onnx_node(o, "GatherND %s %s batch_dims=1", name, onnx_node(o, "Unsqueeze %s axes=[-1]", place.name));
    else out.name = onnx_node(o, "Gather %s %s axis=%d", name, place.name, others);
    for (int pass = 0; pass < 2; pass++) {
        for (int a = 0; a < s->rank && (pass == 0) != batch; a++) if (!in[a]) out.axis[out.rank++] = s->axis[a];
        for (int i = 0; i < place.rank && (pass == 0) == batch; i++)
            out.axis[out.rank++] = (Axis){ .extent = place.axis[i]->extent, .batch = place.axis[i]->batch, .kind = AXIS_TAKEN,
                                           .parts = 1, .part = { place.axis[i] } };
    }
    *s = out;
}

/* ---- one axis ---------------------------------------------------------------------------------------------------- */
static void cut_axis(Onnx *o, Array *s, int a)
{
    const Term *t = &s->axis[a].sub->term[0];
    int64_t first = s->axis[a].sub->constant, end = first + (int64_t)t->factor * t->index->extent;
    if (end < 0) end = INT_MIN;
    if (t->factor == 1) s->name = onnx_node(o, "Slice %s [%lld] [%lld] [%d]", s->name, (long long)first, (long long)end, a);
    else s->name = onnx_node(o, "Slice %s [%lld] [%lld] [%d] [%d]", s->name, (long long)first, (long long)end, a, t->factor);
}

static void pick_axis(Onnx *o, Array *s, int a)
{
    if (s->axis[a].batch) {
        onnx_refuse(o, "a read of another sample of the batch");
        return;
    }
    Wire place = onnx_within(o, s->axis[a].sub, s->axis[a].extent);
    s->name = onnx_node(o, "Gather %s %s axis=%d", s->name, place.name, a);
    Array out = { .name = s->name };
    for (int i = 0; i < a; i++) out.axis[out.rank++] = s->axis[i];
    for (int i = 0; i < place.rank; i++)
        out.axis[out.rank++] = (Axis){ .extent = place.axis[i]->extent, .batch = place.axis[i]->batch, .kind = AXIS_TAKEN,
                                       .parts = 1, .part = { place.axis[i] } };
    for (int i = a + 1; i < s->rank; i++) out.axis[out.rank++] = s->axis[i];
    *s = out;
}

/* Fused axes are taken apart, single ones vanish. */
static Wire opened(Onnx *o, const Array *s, Type type)
{
    int64_t shape[MAX_AXES];
    bool changed = false;
    Wire w = { .name = s->name, .type = type };
    for (int a = 0; a < s->rank; a++) {
        changed |= s->axis[a].parts != 1;
        for (int i = 0; i < s->axis[a].parts; i++) {
            const Index *part = s->axis[a].part[i];
            if (part->batch && w.rank != a) onnx_refuse(o, "the batch behind a fused axis");
            shape[w.rank] = extent_text(part);
            w.axis[w.rank++] = part;
        }
    }
    if (changed) w.name = onnx_shaped(o, s->name, shape, w.rank);
    return w;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */
static void source_of(Onnx *o, const Node *e, Array *s)
{
    const Tensor *t = e->tensor;
    int step = -1;
    Held held = onnx_held(o, t);
    s->name = t->name;
    if (t->role == ROLE_TEMP && held.name) s->name = held.name;
    else if (t->role == ROLE_SETTING || t->role == ROLE_CLOCK) onnx_refuse(o, "its prediction depends on %s, a number of training", t->name);
    else if (t->role == ROLE_CONST) {
        Text values = {0};
        int64_t extent[MAX_AXES];
        for (int64_t i = 0; i < tensor_size(t); i++)
            text_addf(&values, "%s%s", i ? "," : "", onnx_literal(TYPE_FLOAT, t->data[i]).name);
        for (int a = 0; a < t->rank; a++) extent[a] = t->extent[a];
        s->name = onnx_node(o, "Const %s[%s] %s", t->type == TYPE_INT ? "int64" : t->type == TYPE_BOOL ? "bool" : "real",
                            ints_text(extent, t->rank), text_string(&values));
    } else if (t->role == ROLE_TEMP && !scan_read(o, e, &s->name, &step)) {
        onnx_refuse(o, "%s is read before it is whole", t->name);
    }
    for (int k = 0; k < t->rank; k++) {
        int a = held.order[k];
        if (a == step) continue;
        Axis *x = &s->axis[s->rank++];
        *x = (Axis){ .sub = e->sum[a], .extent = t->extent[a], .batch = a == 0 && t->batch };
        classify(o, x);
    }
}

Wire onnx_read(Onnx *o, const Node *e)
{
    Array s = {0};
    bool in[MAX_AXES];
    source_of(o, e, &s);
    for (bool again = true; again && !o->why;) {
        again = false;
        for (int a = 0; a < s.rank && !again; a++)
            if (s.axis[a].kind != AXIS_TAKEN && together(o, &s, a, in) > 1) {
                take_joint(o, &s, in);
                again = true;
            }
    }
    for (int a = s.rank - 1; a >= 0 && !o->why; a--)
        if (s.axis[a].kind == AXIS_CUT) cut_axis(o, &s, a);
        else if (s.axis[a].kind == AXIS_PICKED) pick_axis(o, &s, a);
    if (o->why) return onnx_literal(e->type, 0);
    return opened(o, &s, e->tensor->type);
}
