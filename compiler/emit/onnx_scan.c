/* onnx_scan.c: a recurrence as a Scan (onnx.h). Its body is one step: the equations of the loop without their step's axis.
 * What a step reads of the one before is a state of the Scan, zero at first: a test chooses something else there. What is read
 * after the loop is stacked along the step's axis. The only thing scanned is the number of the step; other tensors are seen
 * from the body as they are. */
#include "emit/onnx.h"
#include <string.h>

/* A tensor of the loop: tensor itself, and what one step makes of it. */
typedef struct Stepped { Tensor *whole, *one; int axis; const char *before; bool read_later; } Stepped;
typedef struct Recurrence { const Loop *loop; LIST(Stepped) tensors; } Recurrence;

static Stepped *stepped(const Recurrence *r, const Tensor *t)
{
    for (int i = 0; i < r->tensors.count; i++) if (r->tensors.at[i].whole == t) return &r->tensors.at[i];
    return NULL;
}

static int step_axis(const Equation *e)
{
    for (int a = 0; a < e->out->rank; a++) if (sum_plain(e->left[a]) == e->step) return a;
    return -1;
}

/* ---- one step ---------------------------------------------------------------------------------------------------- */
static Tensor *without_axis(const Tensor *t, int axis)
{
    int extent[MAX_RANK], rank = 0;
    for (int a = 0; a < t->rank; a++) if (a != axis) extent[rank++] = t->extent[a];
    return tensor_new(t->name, rank, extent, t->batch, t->type, ROLE_TEMP);
}

static Equation *one_step(const Equation *e, const Stepped *s)
{
    Equation *one = equation_copy(e);
    int rank = 0;
    one->out = s->one;
    for (int a = 0; a < e->out->rank; a++) if (a != s->axis) one->left[rank++] = e->left[a];
    one->indices = 0;
    for (int i = 0; i < e->indices; i++) if (e->index[i] != e->step) one->index[one->indices++] = e->index[i];
    return one;
}

/* A read of the step at hand, or of the one before. */
bool scan_read(Onnx *o, const Node *e, const char **name, int *axis)
{
    const Stepped *s = o->scan ? stepped(o->scan, e->tensor) : NULL;
    if (!s) return false;
    const Sum *back = sum_sub(e->sum[s->axis], sum_index(o->e->step));
    *axis = s->axis;
    *name = NULL;
    if (sum_is_constant(back) && back->constant == 0 && onnx_held(o, s->one).name) *name = onnx_whole(o, s->one);
    else if (sum_is_constant(back) && back->constant == -o->scan->loop->step) *name = s->before;
    return *name != NULL;
}

/* ---- what is read where ------------------------------------------------------------------------------------------ */
typedef struct Reads { Recurrence *r; Onnx *o; const Equation *e; } Reads;

static void read_before(const Node *e, void *data)
{
    Reads *reads = data;
    Stepped *s = e->op == OP_READ ? stepped(reads->r, e->tensor) : NULL;
    if (!s || s->before || sum_sub(e->sum[s->axis], sum_index(reads->e->step)) == sum_constant(0)) return;
    s->before = format("#%d", ++reads->o->numbers);
}

static void read_later(const Node *e, void *data)
{
    Stepped *s = e->op == OP_READ ? stepped(data, e->tensor) : NULL;
    if (s) s->read_later = true;
}

static void find_reads(Onnx *o, Recurrence *r, int first, int end)
{
    const Program *p = o->program;
    for (int i = first; i < end; i++) equation_visit(p->equations.at[i], read_before, &(Reads){ r, o, p->equations.at[i] });
    for (int i = end; i < p->equations.count; i++) equation_visit(p->equations.at[i], read_later, r);
    for (int i = 0; i < p->outputs.count; i++) {
        Stepped *s = stepped(r, p->outputs.at[i].value);
        if (s) s->read_later = true;
    }
}

/* ---- the Scan ---------------------------------------------------------------------------------------------------- */
static const char *start_of(Onnx *o, const Stepped *s)
{
    const Index *axis[MAX_RANK];
    for (int a = 0; a < s->one->rank; a++) {
        Index *i = NEW(Index);
        *i = (Index){ .extent = s->one->extent[a], .batch = a == 0 && s->one->batch, .name = "" };
        axis[a] = i;
    }
    return onnx_spread(o, onnx_literal(s->one->type, 0), axis, s->one->rank).name;
}

static void body_output(Onnx *o, const Stepped *s, Text *body)
{
    const char *whole = onnx_whole(o, s->one);
    text_addf(body, "output #%d %s\n", ++o->numbers, onnx_type(s->one));
    PUSH(o->nodes, ((OnnxNode){ format("#%d", o->numbers), format("Identity %s", whole) }));
}

/* Of the nodes from `first` on those that depend on the step come last. Where they begin. */
static int depending(Onnx *o, const Recurrence *r, int first)
{
    Text names = {0};
    int count = o->nodes.count - first, kept = first, moved = 0;
    OnnxNode *own = NEW_ARRAY(OnnxNode, count + 1);
    text_addf(&names, " %s ", o->step);
    for (int i = 0; i < r->tensors.count; i++) if (r->tensors.at[i].before) text_addf(&names, " %s ", r->tensors.at[i].before);
    for (int i = first; i < o->nodes.count; i++) {
        bool depends = false;
        for (const char *at = o->nodes.at[i].text; *at && !depends;) {
            size_t n = strcspn(at, " ");
            depends = strstr(text_string(&names), format(" %.*s ", (int)n, at)) != NULL;
            at += n + (at[n] != 0);
        }
        if (depends) {
            text_addf(&names, " %s ", o->nodes.at[i].name);
            own[moved++] = o->nodes.at[i];
        } else {
            o->nodes.at[kept++] = o->nodes.at[i];
        }
    }
    for (int i = 0; i < moved; i++) o->nodes.at[kept + i] = own[i];
    return kept;
}

/* From node `first` on they are the body's: taken out of the graph, as text. */
static void body_text(Onnx *o, const Recurrence *r, int first, Text *to)
{
    Text outputs = {0};
    for (int i = 0; i < r->tensors.count; i++) {
        const Stepped *s = &r->tensors.at[i];
        if (s->before) text_addf(to, "input %s %s\n", s->before, onnx_type(s->one));
    }
    text_addf(to, "input %s int64[]\n", o->step);
    for (int i = 0; i < r->tensors.count; i++) if (r->tensors.at[i].before) body_output(o, &r->tensors.at[i], &outputs);
    for (int i = 0; i < r->tensors.count; i++) if (r->tensors.at[i].read_later) body_output(o, &r->tensors.at[i], &outputs);
    onnx_lines(o, first, text_string(&outputs), to);
    text_add(to, text_string(&outputs));
    o->nodes.count = first;
}

/* NAME.. = Scan START.. STEPS ..: states come first, then what is stacked. */
static void scan_node(Onnx *o, Recurrence *r, const char *starts, const char *body)
{
    Text names = {0}, axes = {0}, directions = {0};
    for (int i = 0; i < r->tensors.count; i++) if (r->tensors.at[i].before) text_addf(&names, "#%d ", ++o->numbers);
    for (int i = 0; i < r->tensors.count; i++) {
        const Stepped *s = &r->tensors.at[i];
        if (!s->read_later) continue;
        const char *name = format("#%d", ++o->numbers);
        text_addf(&names, "%s ", name);
        text_addf(&axes, "%s%d", axes.length ? "," : "", s->axis);
        text_addf(&directions, "%s%d", directions.length ? "," : "", r->loop->step < 0);
        Held h = { .name = name };
        for (int a = 0; a < MAX_RANK; a++) h.order[a] = a;
        onnx_hold(o, s->whole, h);
    }
    const char *steps = onnx_node(o, "Affine [%d] %d %d", r->loop->extent, r->loop->step < 0 ? r->loop->extent - 1 : 0, r->loop->step);
    const char *text = format("Scan%s %s num_scan_inputs=1%s%s {\n%s}", starts, steps,
                              axes.length ? format(" scan_output_axes=[%s]", text_string(&axes)) : "",
                              r->loop->step < 0 && axes.length ? format(" scan_output_directions=[%s]", text_string(&directions)) : "", body);
    PUSH(o->nodes, ((OnnxNode){ format("%.*s", (int)names.length - 1, text_string(&names)), text }));
}

static bool tensors_of(Onnx *o, Recurrence *r, Program *body, int first, int end)
{
    for (int i = first; i < end; i++) {
        const Equation *e = o->program->equations.at[i];
        Stepped s = { .whole = e->out, .axis = step_axis(e) };
        o->e = e;
        if (s.axis < 0 || (s.axis == 0 && e->out->batch)) {
            onnx_refuse(o, "a recurrence whose step is no axis of %s", e->out->name);
            return false;
        }
        if (!stepped(r, e->out)) {
            s.one = without_axis(e->out, s.axis);
            PUSH(r->tensors, s);
        }
        PUSH(body->equations, one_step(e, stepped(r, e->out)));
    }
    return true;
}

int onnx_scan(Onnx *o, int first)
{
    const Program *p = o->program;
    int end = first;
    Recurrence r = { .loop = p->equations.at[first]->loop };
    Program body = { .first_backward = -1 };
    Text starts = {0}, text = {0};
    while (end < p->equations.count && p->equations.at[end]->loop == r.loop) end++;
    if (!tensors_of(o, &r, &body, first, end)) return end;
    find_reads(o, &r, first, end);
    for (int i = 0; i < r.tensors.count; i++) if (r.tensors.at[i].before) text_addf(&starts, " %s", start_of(o, &r.tensors.at[i]));
    int begin = o->nodes.count;
    o->scan = &r;
    o->program = &body;
    o->step = format("#%d", ++o->numbers);
    for (int i = 0; i < body.equations.count && !o->why; i++) onnx_equation(o, body.equations.at[i]);
    if (!o->why) body_text(o, &r, depending(o, &r, begin), &text);
    o->scan = NULL;
    o->program = p;
    if (!o->why) scan_node(o, &r, text_string(&starts), text_string(&text));
    return end;
}
