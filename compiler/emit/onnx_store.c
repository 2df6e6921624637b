/* onnx_store.c: what an equation makes, as a whole tensor (onnx.h): values that do not depend on an axis are spread over it,
 * fused axes are joined by a Reshape, and a tensor that several equations make piece by piece is put together when the last
 * one is there: by Concat where they lie one behind the other, else each with zeros round it, added up. */
#include "emit/onnx.h"
#include <string.h>

/* ---- spreading --------------------------------------------------------------------------------------------------- */
static bool has_axis(const Wire *w, const Index *i)
{
    for (int k = 0; k < w->rank; k++) if (w->axis[k] == i) return true;
    return false;
}

/* The shape for an Expand: 1 where w has the axis already. */
static const char *spread_shape(Onnx *o, const Wire *w, const Index *const *axis, int count)
{
    int64_t extent[MAX_AXES];
    bool batch = false;
    for (int k = 0; k < count; k++) {
        bool there = has_axis(w, axis[k]);
        if (!there && axis[k]->batch && k) onnx_refuse(o, "a value is repeated over the samples, which are not its first axis");
        batch |= !there && axis[k]->batch;
        extent[k] = there || axis[k]->batch ? 1 : axis[k]->extent;
    }
    if (!batch) return format("[%s]", ints_text(extent, count));
    if (count == 1) return onnx_batch(o);
    return onnx_node(o, "Concat %s [%s] axis=0", onnx_batch(o), ints_text(extent + 1, count - 1));
}

Wire onnx_spread(Onnx *o, Wire w, const Index *const *axis, int count)
{
    int64_t missing[MAX_AXES];
    int n = 0, first = 0;
    w = onnx_ordered(o, w, axis, count);
    if (w.rank == count) return w;
    while (first < count && w.rank && axis[first] != w.axis[0]) first++;        /* axes before it need no place in w */
    for (int k = first; k < count && w.rank; k++) if (!has_axis(&w, axis[k])) missing[n++] = k - first;
    Wire out = { .type = w.type, .rank = count };
    memcpy(out.axis, axis, sizeof *axis * (size_t)count);
    const char *name = n ? onnx_node(o, "Unsqueeze %s axes=[%s]", w.name, ints_text(missing, n)) : w.name;
    out.name = onnx_node(o, "Expand %s %s", name, spread_shape(o, &w, axis, count));
    return out;
}

/* ---- the left side ----------------------------------------------------------------------------------------------- */
/* Along axis a the equation fills first .. first + length - 1; its indices there, fused, in the frame's order. */
typedef struct Span { int first, length; bool batch, plain; } Span;

static bool span_of(const Onnx *o, const Equation *e, int a, Span *b)
{
    const Sum *left = e->left[a];
    int64_t size = 1;
    int count = 0;
    b->first = left->constant;
    b->batch = a == 0 && e->out->batch;
    for (int k = o->frame_count - 1; k >= 0; k--) {
        const Index *i = o->frame[k];
        int factor = sum_factor(left, i);
        if (!factor) continue;
        if (factor != size || (i->batch && (left->count != 1 || left->constant || !b->batch))) return false;
        size *= i->extent;
        count++;
    }
    b->length = (int)size;
    b->plain = count == 1;
    return count == left->count && !(b->batch && !count);
}

static void shape_of(const Equation *e, const Span *block, int64_t *shape)
{
    for (int a = 0; a < e->out->rank; a++) shape[a] = block[a].batch ? 0 : block[a].length;
}

/* The value with the axes of the left side: as an array of its own. */
static const char *as_array(Onnx *o, const Equation *e, Wire w, const Span *block)
{
    const Index *order[MAX_AXES];
    int64_t shape[MAX_AXES];
    int count = 0;
    bool plain = true;
    for (int k = 0; k < o->frame_count && count < e->indices; k++) order[count++] = o->frame[k];
    w = onnx_spread(o, w, order, count);
    for (int a = 0; a < e->out->rank; a++) plain &= block[a].plain;
    if (plain) return w.name;
    shape_of(e, block, shape);
    return onnx_shaped(o, w.name, shape, e->out->rank);
}

/* ---- names ------------------------------------------------------------------------------------------------------- */
/* The tensor's name without the marks that tell it from the training program's; a model's output has its own. */
static const char *title(const Onnx *o, const Tensor *t)
{
    for (int i = 0; i < o->program->outputs.count; i++)
        if (o->program->outputs.at[i].value == t && !onnx_name_is_taken(o, o->program->outputs.at[i].name))
            return o->program->outputs.at[i].name;
    const char *plain = format("%.*s", (int)strcspn(t->name, "'"), t->name);
    return onnx_name_is_taken(o, plain) ? t->name : plain;
}

static Held in_order(const char *name)
{
    Held h = { .name = name };
    for (int a = 0; a < MAX_RANK; a++) h.order[a] = a;
    return h;
}

void onnx_hold(Onnx *o, const Tensor *t, Held h)
{
    while (o->tensor.count <= t->id) PUSH(o->tensor, in_order(NULL));
    o->tensor.at[t->id] = h;
}

Held onnx_held(const Onnx *o, const Tensor *t) { return t->id < o->tensor.count ? o->tensor.at[t->id] : in_order(NULL); }

const char *onnx_whole(Onnx *o, const Tensor *t)
{
    Held h = onnx_held(o, t);
    int64_t from[MAX_RANK] = {0};
    bool moved = false;
    for (int k = 0; k < t->rank; k++) {
        from[h.order[k]] = k;
        moved |= h.order[k] != k;
    }
    return moved ? onnx_transposed(o, h.name, from, t->rank) : h.name;
}

/* A node that was made last, and has no name of its own, takes the tensor's; not within a recurrence, where names of the
 * whole graph must differ. */
static void hold(Onnx *o, Tensor *t, Held h)
{
    OnnxNode *last = o->nodes.count ? &o->nodes.at[o->nodes.count - 1] : NULL;
    if (last && last->name == h.name && *h.name == '#' && !o->scan) last->name = h.name = title(o, t);
    onnx_hold(o, t, h);
}

/* ---- pieces ------------------------------------------------------------------------------------------------------ */
typedef struct Part { const char *name; Span block[MAX_RANK]; } Part;

/* The only axis along which the pieces do not fill everything, if they lie there one behind the other; they are put into
 * that order. -1: no such axis. */
static int axis_in_row(const Tensor *t, Part *part, int count)
{
    int axis = -1, end = 0;
    for (int a = 0; a < t->rank; a++)
        for (int i = 0; i < count; i++)
            if (part[i].block[a].length != t->extent[a]) {
                if (axis >= 0 && axis != a) return -1;
                axis = a;
            }
    for (int i = 0; i < count && axis >= 0; i++) {
        int next = i;
        for (int k = i; k < count; k++) if (part[k].block[axis].first < part[next].block[axis].first) next = k;
        Part swap = part[i];
        part[i] = part[next];
        part[next] = swap;
        if (part[i].block[axis].first != end) return -1;
        end += part[i].block[axis].length;
    }
    return axis >= 0 && end == t->extent[axis] ? axis : -1;
}

static const char *surrounded(Onnx *o, const Tensor *t, const Part *p)
{
    int64_t pads[2 * MAX_RANK];
    for (int a = 0; a < t->rank; a++) {
        const Span *b = &p->block[a];
        pads[a] = b->batch ? 0 : b->first;
        pads[t->rank + a] = b->batch ? 0 : t->extent[a] - b->first - b->length;
    }
    return onnx_node(o, "Pad %s [%s]", p->name, ints_text(pads, 2 * t->rank));
}

static const char *put_together(Onnx *o, const Tensor *t, Part *part, int count)
{
    int axis = axis_in_row(t, part, count);
    if (axis >= 0) {
        Text names = {0};
        for (int i = 0; i < count; i++) text_addf(&names, " %s", part[i].name);
        return onnx_node(o, "Concat%s axis=%d", text_string(&names), axis);
    }
    const char *sum = NULL;
    for (int i = 0; i < count; i++) {
        const char *name = surrounded(o, t, &part[i]);
        sum = sum ? onnx_node(o, "%s %s %s", t->type == TYPE_BOOL ? "Or" : "Add", sum, name) : name;
    }
    return sum;
}

static bool is_last(const Onnx *o, const Equation *e)
{
    int at = 0, last = 0;
    for (int i = 0; i < o->program->equations.count; i++) {
        if (o->program->equations.at[i] == e) at = i;
        if (o->program->equations.at[i]->out == e->out) last = i;
    }
    return at == last;
}

/* A value whose axes are those of the tensor, in any order with the batch first, holds it. Not for an output. */
static bool as_it_comes(Onnx *o, const Equation *e, Wire w, const Span *block)
{
    Held h = { .name = w.name };
    if (w.rank != e->out->rank || w.rank != e->indices) return false;
    for (int k = 0; k < w.rank; k++) {
        int axis = -1;
        for (int a = 0; a < w.rank; a++) if (block[a].plain && sum_plain(e->left[a]) == w.axis[k]) axis = a;
        if (axis < 0 || (w.axis[k]->batch && k)) return false;
        h.order[k] = axis;
    }
    for (int i = 0; i < o->program->outputs.count; i++)
        if (o->program->outputs.at[i].value == e->out) return false;
    hold(o, e->out, h);
    return true;
}

/* ---- an equation's value ----------------------------------------------------------------------------------------- */
void onnx_store(Onnx *o, const Equation *e, Wire value)
{
    Part now;
    bool whole = true;
    for (int a = 0; a < e->out->rank; a++) {
        if (!span_of(o, e, a, &now.block[a])) {
            onnx_refuse(o, "%s is filled in places that are not next to each other", e->out->name);
            return;
        }
        whole &= now.block[a].length == e->out->extent[a];
    }
    if (whole && as_it_comes(o, e, value, now.block)) return;
    now.name = as_array(o, e, value, now.block);
    if (whole) {
        hold(o, e->out, in_order(now.name));
        return;
    }
    Piece p = { e, { .name = now.name } };
    PUSH(o->pieces, p);
    if (!is_last(o, e)) return;
    Part *part = NEW_ARRAY(Part, o->pieces.count);
    int count = 0;
    for (int i = 0; i < o->pieces.count; i++) {
        const Equation *f = o->pieces.at[i].e;
        if (f->out != e->out) continue;
        part[count].name = o->pieces.at[i].value.name;
        onnx_frame(o, f);
        for (int a = 0; a < f->out->rank; a++) span_of(o, f, a, &part[count].block[a]);
        count++;
    }
    onnx_frame(o, e);
    hold(o, e->out, in_order(put_together(o, e->out, part, count)));
}
