/* onnx_window.c: reductions over windows as Conv, MaxPool and AveragePool (onnx.h). The image is read at
 *
 *     x[.., stride p + dilation r - before, ..]        p an index of the result, r a reduced one
 *
 * on one axis or more, and has the value of its padding where a test says that the place is off these axes. A sum of it
 * times a kernel is a Conv: what only the kernel has are filters, what both have and the sum keeps are groups, what is
 * summed up besides are channels. ONNX wants [sample, channel, places..]: transpositions see to that. */
#include "emit/onnx.h"
#include <math.h>
#include <string.h>

enum { MOST_WINDOWS = 4 };                       /* axes of windows */
typedef struct Window { const Index *place, *tap; int axis, stride, dilation; int64_t before, after; } Window;
typedef struct Image {
    const Node *read;
    Window window[MOST_WINDOWS];
    int windows, plain[MAX_AXES], plains;        /* plain: the other axes */
} Image;

static bool is_reduced(const Equation *e, const Index *i)
{
    for (int k = 0; k < e->reduced_count; k++) if (e->reduced[k] == i) return true;
    return false;
}

/* ---- windows ----------------------------------------------------------------------------------------------------- */
/* The read inside of `value`, if that is `padding` where, and only where, the read is off an axis. */
static const Node *padded_read(const Node *value, double padding)
{
    const Node *part[MAX_AXES], *read = value;
    if (value->op == OP_SELECT) {
        read = value->arg[1];
        int count = node_conjuncts(value->arg[0], part, MAX_AXES);
        if (read->op != OP_READ || !node_is_number(value->arg[2], padding) || count > MAX_AXES) return NULL;
        for (int i = 0; i < count; i++) {
            bool own = false;
            for (int a = 0; a < read->sums; a++)
                own |= part[i]->op == OP_IN && part[i]->sum[0] == read->sum[a] && part[i]->extent == read->tensor->extent[a];
            if (!own) return NULL;
        }
    }
    return read->op == OP_READ ? read : NULL;
}

/* Does axis a move with a place of the result and, but for windows of one element, a reduced index? A place is no index of
 * the kernel: that would be a group of channels. */
static bool window_of(const Equation *e, const Node *kernel, const Node *read, int a, Window *w)
{
    const Sum *s = read->sum[a];
    int64_t extent = read->tensor->extent[a];
    *w = (Window){ .axis = a, .dilation = 1 };
    if (!sum_is_affine(s) || s->count < 1 || s->count > 2) return false;
    for (int k = 0; k < s->count; k++) {
        const Term *t = &s->term[k];
        if (t->factor < 1 || t->index->batch) return false;
        if (is_reduced(e, t->index)) {
            w->tap = t->index;
            w->dilation = t->factor;
        } else {
            w->place = t->index;
            w->stride = t->factor;
        }
    }
    if (!w->place || (s->count == 2 && !w->tap) || (kernel && node_uses(kernel, w->place))) return false;
    int64_t span = w->tap ? (int64_t)w->dilation * (w->tap->extent - 1) + 1 : 1;
    int64_t last = s->constant + (int64_t)w->stride * (w->place->extent - 1) + span - 1;
    w->before = -(int64_t)s->constant;
    w->after = last >= extent ? last - extent + 1 : 0;
    int64_t places = (extent + w->before + w->after - span) / w->stride + 1;
    return w->before >= 0 && places == w->place->extent;
}

/* The index that axis a has for itself, whole. */
static const Index *whole_axis(const Node *read, int a)
{
    const Index *i = sum_plain(read->sum[a]);
    return i && (i->batch || i->extent == read->tensor->extent[a]) ? i : NULL;
}

/* kernel: what it is multiplied by, or NULL */
static bool image_of(const Equation *e, const Node *kernel, const Node *value, double padding, Image *out)
{
    *out = (Image){ .read = padded_read(value, padding) };
    if (!out->read) return false;
    for (int a = 0; a < out->read->sums; a++) {
        Window w;
        if (whole_axis(out->read, a) || out->windows == MOST_WINDOWS || !window_of(e, kernel, out->read, a, &w)) {
            out->plain[out->plains++] = a;
            continue;
        }
        out->window[out->windows++] = w;
    }
    return out->windows > 0;
}

static const Index *plain_index(const Image *x, int k) { return whole_axis(x->read, x->plain[k]); }

static bool windows_use(const Image *x, const Index *i)
{
    for (int k = 0; k < x->windows; k++) if (x->window[k].place == i || x->window[k].tap == i) return true;
    return false;
}

/* No index stands for two things. */
static bool windows_apart(const Image *x)
{
    for (int k = 0; k < x->windows; k++) {
        for (int a = 0; a < x->read->sums; a++) {
            if (a == x->window[k].axis) continue;
            if (sum_uses(x->read->sum[a], x->window[k].place)) return false;
            if (x->window[k].tap && sum_uses(x->read->sum[a], x->window[k].tap)) return false;
        }
    }
    return true;
}

/* kernel_shape=[3,3] strides=[2,2] .. */
static const char *attributes(const Image *x, bool dilations)
{
    int64_t shape[MOST_WINDOWS] = {0}, stride[MOST_WINDOWS] = {0}, dilation[MOST_WINDOWS] = {0}, pad[2 * MOST_WINDOWS] = {0}, most = 1, padded = 0;
    Text t = {0};
    for (int k = 0; k < x->windows; k++) {
        const Window *w = &x->window[k];
        shape[k] = w->tap ? w->tap->extent : 1;
        stride[k] = w->stride;
        dilation[k] = w->dilation;
        pad[k] = w->before;
        pad[x->windows + k] = w->after;
        padded |= w->before | w->after;
        if (most < w->dilation) most = w->dilation;
    }
    text_addf(&t, "kernel_shape=[%s] strides=[%s]", ints_text(shape, x->windows), ints_text(stride, x->windows));
    if (dilations && most > 1) text_addf(&t, " dilations=[%s]", ints_text(dilation, x->windows));
    if (padded) text_addf(&t, " pads=[%s]", ints_text(pad, 2 * x->windows));
    return text_string(&t);
}

/* ---- the image as ONNX wants it ---------------------------------------------------------------------------------- */
/* The tensor, with an index of its own for each axis. */
static Wire held_by(Onnx *o, const Node *read, const Index **axis)
{
    const Tensor *t = read->tensor;
    for (int a = 0; a < t->rank; a++) {
        Index *i = NEW(Index);
        *i = (Index){ .extent = t->extent[a], .batch = a == 0 && t->batch, .name = "" };
        axis[a] = i;
    }
    return onnx_read(o, node_read_at(read->tensor, axis));
}

/* Its axes in the given order, the first `lead` as they are, the next `joined` (none: length 1) as one, then the windows. */
static const char *arranged(Onnx *o, const Image *x, const int *order, int lead, int joined)
{
    const Tensor *t = x->read->tensor;
    const Index *axis[MAX_AXES], *wanted[MAX_AXES];
    int64_t shape[MAX_AXES], size = 1;
    int count = 0, rank = 0;
    Wire w = held_by(o, x->read, axis);
    for (int k = 0; k < lead + joined; k++) wanted[count++] = axis[order[k]];
    for (int k = 0; k < x->windows; k++) wanted[count++] = axis[x->window[k].axis];
    const char *name = onnx_ordered(o, w, wanted, count).name;
    if (joined == 1 && lead == 1) return name;
    if (lead) shape[rank++] = t->batch && order[0] == 0 ? 0 : t->extent[order[0]];
    else shape[rank++] = 1;
    for (int k = 0; k < joined; k++) size *= t->extent[order[lead + k]];
    shape[rank++] = size;
    for (int k = 0; k < x->windows; k++) shape[rank++] = t->extent[x->window[k].axis];
    return onnx_shaped(o, name, shape, rank);
}

/* ---- pools ------------------------------------------------------------------------------------------------------- */
static bool pool_image(const Equation *e, Image *x)
{
    int taps = 0;
    if (e->reduction != RED_MAX && e->reduction != RED_SUM) return false;
    if (e->value->type != TYPE_FLOAT) return false;
    if (!image_of(e, NULL, e->value, e->reduction == RED_MAX ? -(double)INFINITY : 0, x) || !windows_apart(x)) return false;
    for (int k = 0; k < x->windows; k++) {
        const Window *w = &x->window[k];
        if (!w->tap || (e->reduction == RED_SUM && w->dilation > 1)) return false;
        int64_t span = (int64_t)w->dilation * (w->tap->extent - 1) + 1;
        if (w->before >= span || w->after >= span) return false;
        taps++;
    }
    for (int k = 0; k < x->plains; k++) if (!plain_index(x, k) || is_reduced(e, plain_index(x, k))) return false;
    return taps == e->reduced_count;
}

bool onnx_pool(Onnx *o, const Equation *e, Wire *out)
{
    Image x;
    int64_t shape[MAX_AXES], size = 1;
    if (!pool_image(e, &x)) return false;
    int lead = x.plains > 0, joined = x.plains - lead;
    const char *name = arranged(o, &x, x.plain, lead, joined);
    name = onnx_node(o, "%s %s %s%s", e->reduction == RED_MAX ? "MaxPool" : "AveragePool", name, attributes(&x, e->reduction == RED_MAX),
                     e->reduction == RED_SUM && strstr(attributes(&x, false), "pads") ? " count_include_pad=1" : "");
    *out = (Wire){ .type = TYPE_FLOAT };
    for (int k = 0; k < x.plains; k++) out->axis[out->rank++] = plain_index(&x, k);
    for (int k = 0; k < x.windows; k++) {
        out->axis[out->rank++] = x.window[k].place;
        size *= x.window[k].tap->extent;
    }
    for (int k = 0; k < out->rank; k++) shape[k] = extent_text(out->axis[k]);
    out->name = joined == 1 && lead == 1 ? name : onnx_shaped(o, name, shape, out->rank);
    if (e->reduction == RED_SUM) *out = onnx_each(o, "Mul", TYPE_FLOAT, 2, (Wire[]){ *out, onnx_literal(TYPE_FLOAT, (double)size) });
    return true;
}

/* ---- convolutions ------------------------------------------------------------------------------------------------ */
typedef struct Filter {
    Image image;
    int sample, channel;                         /* axes of the image; -1: none */
    const Index *group[MAX_AXES], *inner[MAX_AXES], *filter[MAX_AXES];
    int groups, inners, filters;
} Filter;

/* An axis (g, i): all of it, first what the result keeps, then what is summed up. */
static bool channel_of(const Equation *e, const Node *kernel, const Sum *s, int extent, Filter *f)
{
    int64_t size = 1;
    if (s->constant || !sum_is_affine(s)) return false;
    const Index *parts[MAX_AXES];
    int count = 0;
    for (; count < s->count && count < MAX_AXES; count++) {
        parts[count] = NULL;
        for (int k = 0; k < s->count; k++) if (s->term[k].factor == size) parts[count] = s->term[k].index;
        if (!parts[count] || parts[count]->batch || parts[count]->extent < 2 || !node_uses(kernel, parts[count])) return false;
        size *= parts[count]->extent;
    }
    for (int k = count - 1; k >= 0; k--) {
        if (is_reduced(e, parts[k])) f->inner[f->inners++] = parts[k];
        else if (f->inners) return false;
        else f->group[f->groups++] = parts[k];
    }
    return size == extent;
}

static bool image_axes(const Equation *e, const Node *kernel, Filter *f)
{
    const Image *x = &f->image;
    f->sample = f->channel = -1;
    for (int k = 0; k < x->plains; k++) {
        int a = x->plain[k];
        const Index *i = plain_index(x, k);
        if (i && !is_reduced(e, i) && !node_uses(kernel, i)) {
            if (f->sample >= 0) return false;
            f->sample = a;
        } else {
            if (f->channel >= 0 || !channel_of(e, kernel, x->read->sum[a], x->read->tensor->extent[a], f)) return false;
            f->channel = a;
        }
    }
    return f->sample >= 0;
}

static bool contains(const Index *const *at, int count, const Index *i)
{
    for (int k = 0; k < count; k++) if (at[k] == i) return true;
    return false;
}

/* What the kernel has besides are filters; each reduced index is a tap or a channel, and all of them are the kernel's. */
static bool kernel_axes(const Onnx *o, const Equation *e, const Node *kernel, Filter *f)
{
    for (int k = 0; k < o->frame_count; k++) {
        const Index *i = o->frame[k];
        bool used = node_uses(kernel, i), tap = is_reduced(e, i) && windows_use(&f->image, i);
        if (is_reduced(e, i) && (!used || !(tap || contains(f->inner, f->inners, i)))) return false;
        if (!used || is_reduced(e, i) || contains(f->group, f->groups, i)) continue;
        if (windows_use(&f->image, i) || i->batch) return false;
        f->filter[f->filters++] = i;
    }
    return true;
}

static int64_t product(const Index *const *at, int count)
{
    int64_t size = 1;
    for (int k = 0; k < count; k++) size *= at[k]->extent;
    return size;
}

/* The kernel as [(group, filter), channel, taps..] */
static const char *kernel_name(Onnx *o, const Node *kernel, const Filter *f)
{
    const Index *order[MAX_AXES];
    int64_t shape[MAX_AXES] = { product(f->group, f->groups) * product(f->filter, f->filters), product(f->inner, f->inners) };
    int count = 0, rank = 2;
    for (int k = 0; k < f->groups; k++) order[count++] = f->group[k];
    for (int k = 0; k < f->filters; k++) order[count++] = f->filter[k];
    for (int k = 0; k < f->inners; k++) order[count++] = f->inner[k];
    for (int k = 0; k < f->image.windows; k++) {
        const Window *w = &f->image.window[k];
        if (w->tap) order[count++] = w->tap;
        shape[rank++] = w->tap ? w->tap->extent : 1;
    }
    Wire w = onnx_ordered(o, onnx_read(o, kernel), order, count);
    bool as_it_is = f->groups + f->filters == 1 && f->inners == 1 && rank == count;
    return as_it_is ? w.name : onnx_shaped(o, w.name, shape, rank);
}

bool onnx_convolution(Onnx *o, const Equation *e, const Node *kernel, const Node *image, Wire *out)
{
    Filter f = {0};
    if (kernel->op != OP_READ || kernel->tensor->batch || !image_of(e, kernel, image, 0, &f.image) || !windows_apart(&f.image)) return false;
    if (!image_axes(e, kernel, &f) || !kernel_axes(o, e, kernel, &f)) return false;
    const Image *x = &f.image;
    const Index *n = sum_plain(x->read->sum[f.sample]);
    int order[] = { f.sample, f.channel };
    const char *name = arranged(o, x, order, 1, f.channel >= 0);
    name = onnx_node(o, "Conv %s %s %s%s", name, kernel_name(o, kernel, &f), attributes(x, true),
                     f.groups ? format(" group=%lld", (long long)product(f.group, f.groups)) : "");
    int64_t shape[MAX_AXES];
    *out = (Wire){ .type = TYPE_FLOAT, .rank = 1, .axis = { n } };
    for (int k = 0; k < f.groups; k++) out->axis[out->rank++] = f.group[k];
    for (int k = 0; k < f.filters; k++) out->axis[out->rank++] = f.filter[k];
    for (int k = 0; k < x->windows; k++) out->axis[out->rank++] = x->window[k].place;
    for (int k = 0; k < out->rank; k++) shape[k] = extent_text(out->axis[k]);
    out->name = f.groups + f.filters == 1 ? name : onnx_shaped(o, name, shape, out->rank);
    return true;
}
