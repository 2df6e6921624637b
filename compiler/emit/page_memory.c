/* page_memory.c: memory over the phases of a step: how many bytes are alive in each, by what they are for, and below, where
 * each tensor lies and how long. What lasts (weights, the optimizer's states) is the height of all phases. */
#include "emit/page.h"
#include <math.h>
#include <string.h>

enum { LEFT = 64, WIDE = 940, RIGHT = 8, STACK = 170, MAP = 340, SPACE = 44 };
typedef enum { MEM_WEIGHTS, MEM_STATES, MEM_VALUES, MEM_GRADIENTS, MEM_COPIES, MEM_KINDS } MemoryKind;
static const char *const kind_names[] = { "weights", "optimizer's states", "values", "gradients", "copies, partial sums" };

/* A tensor, or what a sample's way through several kernels needs (a frame for each slot), for some phases. */
typedef struct Piece {
    const char *name, *shape;
    MemoryKind kind;
    int64_t offset, bytes;
    int first, last;
    Place at;
    const struct Sequence *frames;               /* of all that lies in these frames, or NULL */
} Piece;
typedef struct Pieces {
    LIST(Piece) list;
    int phases, peak;
    int64_t *live;               /* by phase and kind */
    int64_t most, end;           /* the most alive at once; where the memory ends */
} Pieces;

static MemoryKind kind_of(const Program *q, const Tensor *t)
{
    for (int i = 0; i < q->equations.count; i++)
        if (q->equations.at[i]->out == t) return q->first_backward >= 0 && i >= q->first_backward ? MEM_GRADIENTS : MEM_VALUES;
    return MEM_COPIES;
}

static void pieces_kept(const Page *p, Pieces *all)
{
    bool trains = p->model->step != NULL;
    for (int i = 0; i < p->plan->storage.count; i++) {
        const Storage *s = &p->plan->storage.at[i];
        const Tensor *t = s->tensor;
        bool kept = t->role == ROLE_PARAM || t->role == ROLE_STATE || t->role == ROLE_TOTAL;
        bool weight = s->offset < p->plan->weight_bytes;
        if (!kept || s->place != PLACE_MEMORY || (!weight && !trains)) continue;
        PUSH(all->list, ((Piece){ t->name, sample_shape(t), weight ? MEM_WEIGHTS : MEM_STATES, s->offset, s->bytes, 0, all->phases - 1, t->at, NULL }));
    }
}

static bool is_in_place(const Pieces *all, int kept, const Storage *s)
{
    for (int i = 0; i < kept; i++)
        if (s->offset >= all->list.at[i].offset && s->offset < all->list.at[i].offset + all->list.at[i].bytes) return true;
    return false;
}

/* The frames of one sequence are one piece. */
static void pieces_frames(Pieces *all, const Storage *s, int phase, Place at)
{
    for (int i = 0; i < all->list.count; i++) {
        Piece *one = &all->list.at[i];
        if (one->frames != s->sequence) continue;
        if (s->offset < one->offset) one->offset = s->offset;
        return;
    }
    int64_t sample = tensor_size(s->tensor) / s->tensor->extent[0] * s->element;
    int64_t bytes = (int64_t)s->stride[0] * s->element * (s->bytes / sample);
    PUSH(all->list, ((Piece){ "frames", "of samples on their way through the kernels of this phase", MEM_VALUES, s->offset, bytes, phase, phase, at,
                              s->sequence }));
}

static Pieces pieces_of(const Page *p, const ProgramPlan *program)
{
    Pieces all = { .phases = program->phases > 0 ? program->phases : 1 };
    pieces_kept(p, &all);
    int kept = all.list.count;
    LIST(const Tensor *) done = {0};
    for (int i = 0; i < program->kernels.count; i++) {
        KernelInfo k = kernel_info(program, i);
        for (int j = 0; j < k.equations; j++) {
            const Tensor *t = k.equation[j]->out;
            const Storage *s = plan_storage(p->plan, t);
            bool again = false;
            for (int d = 0; d < done.count; d++) again |= done.at[d] == t;
            if (again || t->role != ROLE_TEMP || s->place != PLACE_MEMORY || is_in_place(&all, kept, s)) continue;
            PUSH(done, t);
            Place at = t->at.source ? t->at : k.equation[j]->at;
            if (s->sequence) pieces_frames(&all, s, k.phase, at);
            else PUSH(all.list, ((Piece){ t->name, sample_shape(t), kind_of(program->program, t), s->offset, s->bytes, s->first_phase,
                                          s->last_phase, at, NULL }));
        }
    }
    all.live = NEW_ARRAY(int64_t, all.phases * MEM_KINDS);
    for (int i = 0; i < all.list.count; i++) {
        Piece *one = &all.list.at[i];
        if (one->last >= all.phases) one->last = all.phases - 1;
        for (int phase = one->first; phase <= one->last; phase++) all.live[phase * MEM_KINDS + one->kind] += one->bytes;
        if (one->offset + one->bytes > all.end) all.end = one->offset + one->bytes;
    }
    for (int phase = 0; phase < all.phases; phase++) {
        int64_t sum = 0;
        for (int k = 0; k < MEM_KINDS; k++) sum += all.live[phase * MEM_KINDS + k];
        if (sum <= all.most) continue;
        all.most = sum;
        all.peak = phase;
    }
    return all;
}

/* ---- drawing ----------------------------------------------------------------------------------------------------- */
/* 1, 2 or 5 times a power of ten, so that there are 3 to 6 marks. */
static double tick_step(double most)
{
    double step = pow(10, floor(log10(most > 1 ? most : 1)));
    return most / step < 1.5 ? step / 4 : most / step < 3 ? step / 2 : most / step < 6 ? step : step * 2;
}

static void axis(Page *p, double most, double y, double height)
{
    double step = tick_step(most);
    for (double at = 0; at <= most; at += step) {
        double line = y + height - at / most * height;
        text_addf(p->to, "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text class=\"tick y\" x=\"%d\" y=\"%.1f\">%s</text>\n", LEFT, line, LEFT + WIDE,
                  LEFT - 6, line + 4, at > 0 ? size_text(at) : "0");
    }
}

static double phase_x(const Pieces *all, int phase) { return LEFT + (double)phase / all->phases * WIDE; }

static void stack_draw(Page *p, const Pieces *all)
{
    double most = (double)(all->most > 0 ? all->most : 1);
    axis(p, most, 10, STACK);
    for (int phase = 0; phase < all->phases; phase++) {
        double y = 10 + STACK, width = phase_x(all, phase + 1) - phase_x(all, phase);
        for (int k = 0; k < MEM_KINDS; k++) {
            int64_t bytes = all->live[phase * MEM_KINDS + k];
            double height = (double)bytes / most * STACK;
            y -= height;
            if (height < 0.05) continue;
            text_addf(p->to, "<rect class=\"m%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>phase %d: %s of %s</title></rect>\n", k,
                      phase_x(all, phase), y, width - (width > 4 ? 1 : 0), height, phase, size_text((double)bytes), kind_names[k]);
        }
    }
}

/* The phase from which on the work is the gradients'. Some of it may be done before, some of the forward pass after; here
 * most of it, by operations, is on its side. */
static int backward_begins(const Pieces *all, const ProgramPlan *program)
{
    double *wins = NEW_ARRAY(double, all->phases + 1), best = 0, sum = 0;
    for (int i = 0; i < program->kernels.count; i++) {
        KernelInfo k = kernel_info(program, i);
        wins[k.phase] += kind_of(program->program, k.equation[0]->out) == MEM_GRADIENTS ? -k.flops : k.flops;
    }
    int begin = 0;
    for (int phase = 0; phase < all->phases; phase++) {
        sum += wins[phase];
        if (sum < best) continue;
        best = sum;
        begin = phase + 1;
    }
    return begin < all->phases ? begin : -1;
}

static void phases_draw(Page *p, const Pieces *all, const ProgramPlan *program)
{
    int step = (all->phases + 15) / 16;
    double y = 10 + STACK + 14;
    for (int phase = 0; phase < all->phases; phase += step)
        text_addf(p->to, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\">%d</text>\n", (phase_x(all, phase) + phase_x(all, phase + 1)) / 2, y, phase);
    text_addf(p->to, "<text class=\"tick y\" x=\"%d\" y=\"%.1f\">phase</text>\n", LEFT - 6, y);
    int backward = backward_begins(all, program);
    if (backward <= 0) return;
    double x = phase_x(all, backward);
    text_addf(p->to, "<path class=\"divide\" d=\"M%.1f 4V%d\"/><text class=\"tick\" style=\"text-anchor:start\" x=\"%.1f\" y=\"%d\">backward from here</text>\n",
              x, 10 + STACK + SPACE + MAP, x + 4, 10 + STACK + 30);
}

static void map_draw(Page *p, const Pieces *all)
{
    double end = (double)(all->end > 0 ? all->end : 1), top = 10 + STACK + SPACE;
    axis(p, end, top, MAP);
    for (int i = 0; i < all->list.count; i++) {
        const Piece *one = &all->list.at[i];
        double height = (double)one->bytes / end * MAP, width = phase_x(all, one->last + 1) - phase_x(all, one->first);
        double y = top + MAP - (double)(one->offset + one->bytes) / end * MAP;
        if (height < 0.5) height = 0.5;
        text_addf(p->to, "<rect class=\"m%d b\" x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" height=\"%.2f\"><title>%s %s: %s at %s, ", one->kind,
                  phase_x(all, one->first), y, width, height, html_text(one->name), html_text(one->shape), size_text((double)one->bytes),
                  size_text((double)one->offset));
        text_addf(p->to, one->kind <= MEM_STATES ? "always</title></rect>\n" : "phases %d to %d</title></rect>\n", one->first, one->last);
        double letters = 6.2 * (double)strlen(one->name);
        if (height > 13 && width > letters + 6)
            text_addf(p->to, "<text class=\"in i%d\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", one->kind, phase_x(all, one->first) + width / 2, y + height / 2 + 4,
                      html_text(one->name));
    }
}

/* ---- the largest of the peak ------------------------------------------------------------------------------------- */
static void peak_table(Page *p, const Pieces *all)
{
    enum { SHOWN = 16 };
    bool *done = NEW_ARRAY(bool, all->list.count + 1);
    text_addf(p->to, "<details><summary>The largest of what is alive in phase %d, the fullest</summary><div class=\"scroll\"><table><thead><tr>"
                     "<th>tensor</th><th>shape</th><th>for</th><th class=\"n\">size</th><th>phases</th><th>line</th></tr></thead><tbody>\n", all->peak);
    for (int row = 0; row < SHOWN; row++) {
        int best = -1;
        for (int i = 0; i < all->list.count; i++) {
            const Piece *one = &all->list.at[i];
            if (done[i] || one->first > all->peak || one->last < all->peak) continue;
            if (best < 0 || one->bytes > all->list.at[best].bytes) best = i;
        }
        if (best < 0) break;
        done[best] = true;
        const Piece *one = &all->list.at[best];
        text_addf(p->to, "<tr><td>%s</td><td>%s</td><td>%s</td><td class=\"n\">%s</td><td>%s</td><td>%s</td></tr>\n", html_text(one->name),
                  html_text(one->shape), kind_names[one->kind], size_text((double)one->bytes),
                  one->kind <= MEM_STATES ? "always" : format("%d to %d", one->first, one->last), place_link(p, one->at));
    }
    text_add(p->to, "</tbody></table></div></details>\n");
}

void page_memory(Page *p)
{
    const ProgramPlan *program = page_program(p);
    if (!program) return;
    Pieces all = pieces_of(p, program);
    text_addf(p->to, "<section id=\"memory\"><h2>Memory over a %s</h2>\n<p class=\"sub\">Above: what is alive in each phase, at most %s. Below: where it lies, "
                     "from 0 to %s; tensors that are not needed at the same time share a place. A barrier stands between two phases.</p>\n<p class=\"legend\">",
              p->model->step ? "step" : "prediction", size_text((double)all.most), size_text((double)all.end));
    for (int k = 0; k < MEM_KINDS; k++) {
        bool any = false;
        for (int i = 0; i < all.list.count; i++) any |= (int)all.list.at[i].kind == k;
        if (any) text_addf(p->to, "<span><svg width=\"12\" height=\"12\"><rect class=\"m%d\" width=\"12\" height=\"12\"/></svg> %s</span>", k, kind_names[k]);
    }
    int height = 10 + STACK + SPACE + MAP + 8;
    text_addf(p->to, "</p>\n<div class=\"scroll\"><svg class=\"memory\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"memory over the phases\">\n",
              LEFT + WIDE + RIGHT, height);
    stack_draw(p, &all);
    map_draw(p, &all);
    phases_draw(p, &all, program);
    text_add(p->to, "</svg></div>\n");
    peak_table(p, &all);
    text_add(p->to, "</section>\n");
}
