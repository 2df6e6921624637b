/* onnx.c: the inference program as an ONNX graph (onnx.h): inputs, the equations in order, outputs. A tensor is the
 * output of the node that makes it last; an equation that only reads another tensor in its order needs no node. Equal
 * nodes are made once. */
#include "emit/onnx.h"
#include <stdlib.h>
#include <string.h>

/* ---- nodes ------------------------------------------------------------------------------------------------------- */
void onnx_refuse(Onnx *o, const char *fmt, ...)
{
    if (o->why) return;
    va_list args;
    va_start(args, fmt);
    const char *reason = vformat(fmt, args);
    va_end(args);
    Place at = o->e ? o->e->at : (Place){0};
    o->why = at.source ? format("%s:%d: %s", base_name(at.source->name), at.line, reason) : reason;
}

const char *onnx_node(Onnx *o, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *text = intern(vformat(fmt, args));
    va_end(args);
    for (int i = o->nodes.count - 1; i >= 0; i--) if (o->nodes.at[i].text == text) return o->nodes.at[i].name;
    OnnxNode n = { format("#%d", ++o->numbers), text };
    PUSH(o->nodes, n);
    return n.name;
}

bool onnx_name_is_taken(const Onnx *o, const char *name)
{
    const Model *m = o->model;
    for (int i = 0; i < m->inputs.count; i++) if (!strcmp(m->inputs.at[i]->name, name)) return true;
    for (int i = 0; i < m->kept.count; i++) if (!strcmp(m->kept.at[i]->name, name)) return true;
    for (int i = 0; i < m->totals.count; i++) if (!strcmp(m->totals.at[i]->name, name)) return true;
    for (int i = 0; i < o->nodes.count; i++) if (!strcmp(o->nodes.at[i].name, name)) return true;
    return false;
}

const char *ints_text(const int64_t *at, int count)
{
    Text t = {0};
    for (int i = 0; i < count; i++) text_addf(&t, "%s%lld", i ? "," : "", (long long)at[i]);
    return text_string(&t);
}

/* ---- Transpose and Reshape, one behind the other, are one -------------------------------------------------------- */
const char *onnx_made_by(const Onnx *o, const char *name)
{
    for (int i = o->nodes.count - 1; i >= 0; i--) if (!strcmp(o->nodes.at[i].name, name)) return o->nodes.at[i].text;
    return "";
}

/* The list in [] of node `name`, if that is `operator NAME LIST`; of is what it is made from. */
static int list_of(const Onnx *o, const char *name, const char *operator, int64_t *at, const char **of)
{
    const char *text = onnx_made_by(o, name);
    size_t length = strlen(operator);
    if (strncmp(text, operator, length) || text[length] != ' ') return 0;
    text += length + 1;
    size_t end = strcspn(text, " ");
    const char *list = strchr(text + end, '[');
    int count = 0;
    *of = intern_n(text, end);
    while (count < MAX_AXES && list && *list++ != ']') at[count++] = strtoll(list, (char **)&list, 10);
    return count;
}

const char *onnx_transposed(Onnx *o, const char *name, const int64_t *from, int count)
{
    int64_t before[MAX_AXES], both[MAX_AXES];
    const char *of;
    bool same = true;
    if (list_of(o, name, "Transpose", before, &of) != count) return onnx_node(o, "Transpose %s perm=[%s]", name, ints_text(from, count));
    for (int i = 0; i < count; i++) {
        both[i] = before[from[i]];
        same &= both[i] == i;
    }
    return same ? of : onnx_node(o, "Transpose %s perm=[%s]", of, ints_text(both, count));
}

/* A length of 0, the batch's, stands first and means the same in both. */
const char *onnx_shaped(Onnx *o, const char *name, const int64_t *shape, int count)
{
    int64_t before[MAX_AXES];
    const char *of;
    int had = list_of(o, name, "Reshape", before, &of);
    if (had && count && (before[0] == 0) == (shape[0] == 0)) name = of;
    return onnx_node(o, "Reshape %s [%s]", name, ints_text(shape, count));
}

const char *onnx_batch(Onnx *o)
{
    for (int i = 0; i < o->model->inputs.count; i++)
        if (o->model->inputs.at[i]->batch) return onnx_node(o, "Slice %s [0] [1]", onnx_node(o, "Shape %s", o->model->inputs.at[i]->name));
    onnx_refuse(o, "there is no input to take the number of samples from");
    return "";
}

/* ---- equations --------------------------------------------------------------------------------------------------- */
int frame_place(const Onnx *o, const Index *i)
{
    for (int k = 0; k < o->frame_count; k++) if (o->frame[k] == i) return k;
    return -1;
}

static void frame_add(Onnx *o, const Index *i)
{
    if (frame_place(o, i) < 0 && o->frame_count < MAX_AXES) o->frame[o->frame_count++] = i;
}

/* The indices of a fused axis stand in the order of their factors, the largest first. */
void onnx_frame(Onnx *o, const Equation *e)
{
    o->e = e;
    o->frame_count = 0;
    o->known.count = 0;
    for (int a = 0; a < e->out->rank; a++)
        for (int largest = INT32_MAX; largest;) {
            int next = 0;
            for (int k = 0; k < e->left[a]->count; k++) {
                const Term *t = &e->left[a]->term[k];
                if (t->index && t->factor < largest && t->factor > next) next = t->factor;
            }
            for (int k = 0; k < e->left[a]->count; k++)
                if (e->left[a]->term[k].index && e->left[a]->term[k].factor == next) frame_add(o, e->left[a]->term[k].index);
            largest = next;
        }
    for (int i = 0; i < e->indices; i++) frame_add(o, e->index[i]);
    for (int i = 0; i < e->reduced_count; i++) frame_add(o, e->reduced[i]);
}

static bool is_reduced(const Equation *e, const Index *i)
{
    for (int k = 0; k < e->reduced_count; k++) if (e->reduced[k] == i) return true;
    return false;
}

/* The sum of what does not change over index i. */
static Wire repeated(Onnx *o, Wire w, const Index *i)
{
    if (!i->batch) return onnx_each(o, "Mul", w.type, 2, (Wire[]){ w, onnx_literal(w.type, i->extent) });
    Wire n = { .name = onnx_node(o, "Squeeze %s axes=[0]", onnx_batch(o)), .type = TYPE_INT };
    if (w.type == TYPE_FLOAT) n = (Wire){ .name = onnx_node(o, "Cast %s to=real", n.name), .type = TYPE_FLOAT };
    return onnx_each(o, "Mul", w.type, 2, (Wire[]){ w, n });
}

/* Axes of w that are reduced become one, the last; of that the place of the extreme. */
static Wire arg_extreme(Onnx *o, const Equation *e, Wire w)
{
    int64_t shape[MAX_AXES] = {0}, size = 1;
    int kept = 0;
    w = onnx_spread(o, w, o->frame, o->frame_count);
    while (kept < w.rank && !is_reduced(e, w.axis[kept])) kept++;
    for (int i = 0; i < w.rank; i++)
        if (i < kept) shape[i] = extent_text(w.axis[i]);
        else if (w.axis[i]->batch) onnx_refuse(o, "a place among the samples of a batch");
        else size *= w.axis[i]->extent;
    shape[kept] = size;
    const char *name = w.rank == kept + 1 ? w.name : onnx_shaped(o, w.name, shape, kept + 1);
    w.name = onnx_node(o, "%s %s axis=%d keepdims=0", e->reduction == RED_ARGMAX ? "ArgMax" : "ArgMin", name, kept);
    w.type = TYPE_INT;
    w.rank = kept;
    return w;
}

static Wire reduced(Onnx *o, const Equation *e)
{
    static const char *const operator[] = { [RED_SUM] = "Sum", [RED_MAX] = "Max", [RED_MIN] = "Min", [RED_ANY] = "Max", [RED_ALL] = "Min" };
    Wire w = onnx_value(o, e->value), out = { .type = w.type };
    if (e->reduction == RED_ARGMAX || e->reduction == RED_ARGMIN) return arg_extreme(o, e, w);
    int64_t axes[MAX_AXES];
    int count = 0;
    for (int i = 0; i < w.rank; i++)
        if (is_reduced(e, w.axis[i])) axes[count++] = i;
        else out.axis[out.rank++] = w.axis[i];
    out.name = w.name;
    if (count && w.type == TYPE_BOOL)            /* ONNX has no reduction of bools */
        out.name = onnx_node(o, "Cast %s to=bool", onnx_node(o, "Reduce%s %s axes=[%s] keepdims=0", operator[e->reduction],
                                                            onnx_node(o, "Cast %s to=int32", w.name), ints_text(axes, count)));
    else if (count)
        out.name = onnx_node(o, "Reduce%s %s axes=[%s] keepdims=0", operator[e->reduction], w.name, ints_text(axes, count));
    for (int k = 0; k < e->reduced_count && e->reduction == RED_SUM; k++) {
        bool used = false;
        for (int i = 0; i < w.rank; i++) used |= w.axis[i] == e->reduced[k];
        if (!used) out = repeated(o, out, e->reduced[k]);
    }
    return out;
}

Wire onnx_result(Onnx *o, const Equation *e)
{
    Wire w;
    onnx_frame(o, e);
    if (equation_is_scatter(e)) {
        onnx_refuse(o, "an equation that adds to places which depend on data");
        return onnx_literal(TYPE_FLOAT, 0);
    }
    if (e->reduction == RED_NONE) w = onnx_value(o, e->value);
    else if (!onnx_pool(o, e, &w) && !onnx_product(o, e, &w)) w = reduced(o, e);
    if (e->test) w = onnx_each(o, "Where", w.type, 3, (Wire[]){ onnx_value(o, e->test), w, onnx_literal(w.type, 0) });
    return w;
}

void onnx_equation(Onnx *o, const Equation *e) { onnx_store(o, e, onnx_result(o, e)); }

/* ---- the program ------------------------------------------------------------------------------------------------- */
const char *onnx_type(const Tensor *t)
{
    Text to = {0};
    text_add(&to, t->type == TYPE_INT ? "int64[" : t->type == TYPE_BOOL ? "bool[" : "real[");
    for (int a = 0; a < t->rank; a++) {
        text_add(&to, a ? "," : "");
        if (a == 0 && t->batch) text_add(&to, "n");
        else text_addf(&to, "%d", t->extent[a]);
    }
    text_add(&to, "]");
    return text_string(&to);
}

typedef struct Used { LIST(const char *) words; } Used;

static void words_use(Used *used, const char *text)
{
    for (size_t n; *text; text += n + (text[n] != 0)) {
        n = strcspn(text, " \n");
        if (n) PUSH(used->words, intern_n(text, n));
    }
}

static bool is_used(const Used *used, const char *names)
{
    for (size_t n; *names; names += n + (names[n] != 0)) {
        n = strcspn(names, " ");
        const char *name = intern_n(names, n);
        for (int k = used->words.count - 1; k >= 0; k--) if (used->words.at[k] == name) return true;
    }
    return false;
}

void onnx_lines(Onnx *o, int first, const char *outputs, Text *to)
{
    Used used = {0};
    bool *needed = NEW_ARRAY(bool, o->nodes.count + 1);
    words_use(&used, outputs);
    for (int i = o->nodes.count - 1; i >= first; i--) {
        needed[i] = is_used(&used, o->nodes.at[i].name);
        if (needed[i]) words_use(&used, o->nodes.at[i].text);
    }
    for (int i = first; i < o->nodes.count; i++) if (needed[i]) text_addf(to, "%s = %s\n", o->nodes.at[i].name, o->nodes.at[i].text);
}

const char *onnx_text(const Model *m)
{
    Onnx o = { .model = m, .program = m->predict };
    Text inputs = {0}, outputs = {0}, all = {0};
    if (!m->predict) return "! the model has no output\n";
    for (int i = 0; i < m->inputs.count; i++)
        text_addf(&inputs, "input %s %s\n", m->inputs.at[i]->name, onnx_type(m->inputs.at[i]));
    for (int i = 0; i < m->predict->equations.count && !o.why;)
        if (m->predict->equations.at[i]->loop) i = onnx_scan(&o, i);
        else onnx_equation(&o, m->predict->equations.at[i++]);
    o.e = NULL;
    for (int i = 0; i < m->predict->outputs.count; i++) {
        const Output *out = &m->predict->outputs.at[i];
        const Tensor *t = out->value;
        const char *held = onnx_held(&o, t).name ? onnx_whole(&o, t) : t->name, *name = out->name;
        if (strcmp(name, held)) {
            while (onnx_name_is_taken(&o, name)) name = format("%s_out", name);
            PUSH(o.nodes, ((OnnxNode){ name, format("Identity %s", held) }));
        }
        text_addf(&outputs, "output %s %s\n", name, onnx_type(t));
    }
    if (m->predict->updates.count && !o.why) onnx_refuse(&o, "predict changes the model's state");
    if (o.why) return format("! %s\n", o.why);
    text_add(&all, text_string(&inputs));
    onnx_lines(&o, 0, text_string(&outputs), &all);
    text_add(&all, text_string(&outputs));
    return text_string(&all);
}
