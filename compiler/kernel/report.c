/* report.c: --emit=kernels, --emit=plan, --emit=loops: what fuse.c and plan.c decided, for people. */
#include "kernel/group.h"

const char *schedule_name(Schedule s)
{
    static const char *const names[] = {
        [SCHEDULE_SCALAR] = "plain loops", [SCHEDULE_TILE] = "tiles", [SCHEDULE_ROWS] = "rows", [SCHEDULE_SERIAL] = "one thread",
        [SCHEDULE_PRODUCT] = "gemm", [SCHEDULE_WINNERS] = "winners" };
    return names[s];
}

/* Along which index an equation of a rows kernel runs in vectors. */
static const char *vectors(const Kernel *k, int j)
{
    const Form *f = &k->forms.at[j];
    if (k->schedule != SCHEDULE_ROWS && k->schedule != SCHEDULE_SERIAL) return "";
    return f->kind == FORM_PLAIN ? "" : format("    [vectors along %s]", f->lane->name);
}

void plan_print_kernels(const Plan *p, FILE *to)
{
    for (int i = 0; i < p->programs.count; i++) {
        const ProgramPlan *q = &p->programs.at[i];
        fprintf(to, "==== %s: %d kernels in %d phases\n", q->program->name, q->kernels.count, q->phases);
        for (int phase = 0; phase < q->phases; phase++)
            for (int k = 0; k < q->kernels.count; k++) {
                const Kernel *kernel = q->kernels.at[k];
                if (kernel->phase != phase) continue;
                fprintf(to, "phase %d%s  %s (%s)\n", phase, kernel->loop || kernel->sequence ? format(".%d", kernel->inner) : "", kernel->name,
                        schedule_name(kernel->schedule));
                for (int j = 0; j < kernel->equations.count; j++) {
                    const Equation *e = kernel->equations.at[j];
                    Tensor *home = plan_home(p, e->out);
                    fprintf(to, "    %s%s%s\n", equation_text(e), vectors(kernel, j), home != e->out ? format("    over %s", home->name) : kernel->add ? "    added" : "");
                }
            }
    }
}

void plan_print(const Plan *p, FILE *to)
{
    static const char *const places[] = { "local", "memory", "caller", "run", "text" };
    fprintf(to, "kept %lld bytes (%lld to predict); whole memory: %lld to train, %lld to predict\n", (long long)p->kept_bytes,
            (long long)p->weight_bytes, (long long)p->train_bytes, (long long)p->infer_bytes);
    for (int i = 0; i < p->programs.count; i++) {
        const ProgramPlan *q = &p->programs.at[i];
        fprintf(to, "%s: %d kernels, %d phases, scratch %lld bytes (at least %lld are alive at once), %.3g Mflop, %.3g MB moved\n",
                q->program->name, q->kernels.count, q->phases, (long long)q->scratch_bytes, (long long)q->live_bytes,
                q->flops * 1e-6, q->bytes_moved * 1e-6);
    }
    fprintf(to, "\n%-40s %-20s %-8s %12s %12s  live\n", "tensor", "shape", "place", "offset", "bytes");
    for (int i = 0; i < p->storage.count; i++) {
        const Storage *s = &p->storage.at[i];
        Text shape = {0};
        text_add(&shape, "[");
        for (int a = 0; a < s->tensor->rank; a++) text_addf(&shape, "%s%d", a ? ", " : "", s->tensor->extent[a]);
        text_add(&shape, "]");
        fprintf(to, "%-40s %-20s %-8s", s->tensor->name, text_string(&shape), places[s->place]);
        if (s->place == PLACE_MEMORY) fprintf(to, " %12lld %12lld", (long long)s->offset, (long long)s->bytes);
        else fprintf(to, " %12s %12s", "", "");
        Tensor *home = plan_home(p, s->tensor);
        if (home != s->tensor) fprintf(to, "  in the place of %s\n", home->name);
        else if (s->tensor->role == ROLE_TEMP && s->place == PLACE_MEMORY) fprintf(to, "  phases %d to %d\n", s->first_phase, s->last_phase);
        else fputs("\n", to);
    }
}

void plan_print_loops(const Plan *p, FILE *to)
{
    for (int i = 0; i < p->programs.count; i++) {
        Text t = {0};
        CoreUse use = {0};
        emit_kernels(p, &p->programs.at[i], &t, &use);
        fputs(text_string(&t), to);
    }
}
