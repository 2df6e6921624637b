/* head.c: what a model is, for people: the table of layers as Keras prints it, memory and operations; the comment that
 * opens model.c with it; the layers as a graph. */
#include "emit/emit.h"
#include <inttypes.h>
#include <string.h>

const char *sample_shape(const Tensor *t)
{
    Text s = {0};
    if (!t) return "";
    text_add(&s, "[");
    for (int i = t->batch; i < t->rank; i++) text_addf(&s, "%s%d", i > t->batch ? ", " : "", t->extent[i]);
    text_add(&s, "]");
    return text_string(&s);
}

static const char *bytes_text(int64_t n)
{
    if (n < 10000) return format("%" PRId64 " bytes", n);
    return n < 10000000 ? format("%.1f KB", (double)n / 1e3) : format("%.1f MB", (double)n / 1e6);
}

static const char *count_text(double n)
{
    return n < 1e5 ? format("%.0f", n) : n < 1e8 ? format("%.2f M", n * 1e-6) : format("%.2f G", n * 1e-9);
}

static void layer_row(int widths[3], const char *layer, const char *definition, const char *shape, const char *params, Text *to)
{
    text_addf(to, "%-*s  %-*s  ", widths[0], layer, widths[1], definition);
    if (*params) text_addf(to, "%-*s  %12s\n", widths[2], shape, params);
    else text_addf(to, "%s\n", shape);
}

static void layers(const Model *m, Text *to)
{
    int widths[3] = { 5, 5, 6 };
    for (int i = 0; i < m->inputs.count + m->layers.count; i++) {
        bool input = i < m->inputs.count;
        const Layer *l = input ? NULL : &m->layers.at[i - m->inputs.count];
        if (l && l->depth) continue;
        const Tensor *t = input ? m->inputs.at[i] : l->out;
        int lengths[3] = { (int)strlen(input ? t->name : l->path), (int)strlen(input ? "input" : l->definition), (int)strlen(sample_shape(t)) };
        for (int k = 0; k < 3; k++) if (lengths[k] > widths[k]) widths[k] = lengths[k];
    }
    layer_row(widths, "layer", "kind", "output", "parameters", to);
    for (int i = 0; i < m->inputs.count; i++)
        layer_row(widths, m->inputs.at[i]->name, "input", sample_shape(m->inputs.at[i]), "", to);
    for (int i = 0; i < m->layers.count; i++) {
        const Layer *l = &m->layers.at[i];
        if (!l->depth) layer_row(widths, l->path, l->definition, sample_shape(l->out), format("%" PRId64, l->parameters), to);
    }
    int64_t trained = 0, frozen = 0, states = 0;
    for (int i = 0; i < m->kept.count; i++) {
        const Tensor *t = m->kept.at[i];
        *(t->role == ROLE_STATE ? &states : t->frozen ? &frozen : &trained) += tensor_size(t);
    }
    text_addf(to, "parameters: %" PRId64 " (%" PRId64 " trained, %" PRId64 " frozen); states, the optimizer's included: %" PRId64 "\n",
              trained + frozen, trained, frozen, states);
}

static void costs(const Plan *plan, Text *to)
{
    const Model *m = plan->model;
    text_addf(to, "memory, batch %d: ", m->batch);
    if (m->step) text_addf(to, "%s to train (%s kept, %s for one step),", bytes_text(plan->train_bytes), bytes_text(plan->kept_bytes),
                           bytes_text(plan->train_bytes - plan->kept_bytes));
    text_addf(to, "%s%s to predict, of which %s weights\n", m->step ? "\n    " : "", bytes_text(plan->infer_bytes), bytes_text(plan->weight_bytes));
    const Program *programs[] = { m->step, m->predict };
    for (int i = 0; i < 2; i++) {
        if (!programs[i]) continue;
        const ProgramPlan *p = plan_program(plan, programs[i]);
        if (p) text_addf(to, "%s: %s floating-point operations, %s moved, %d kernels in %d phases\n", programs[i]->name, count_text(p->flops),
                         bytes_text((int64_t)p->bytes_moved), p->kernels.count, p->phases);
    }
    if (plan->options->blas == BLAS_ALWAYS)
        text_add(to, "large products of matrices are left to a BLAS: their bits depend on that library, the machine, the threads\n");
}

void summary_text(const Model *m, const Plan *plan, Text *to)
{
    text_addf(to, "model %s\n", m->name);
    layers(m, to);
    if (plan) costs(plan, to);
}

void emit_summary(const Model *m, const Plan *plan, FILE *to)
{
    Text t = {0};
    summary_text(m, plan, &t);
    fputs(text_string(&t), to);
}

/* What a reader of the C cannot guess: kernels, names, memory. */
static void reading_text(const Emission *e, Text *to)
{
    text_add(to,
        " *\n * How to read it: first come the small functions (\"core\") that kernels are made of. A kernel is a function\n"
        " * that computes a few tensors together; above it stand its equations and the line of the source. Kernels of\n"
        " * one phase may run at the same time; between phases stands a barrier. run_NAME is a program, its kernels in\n"
        " * order; the calls of the header are at the end.\n"
        " * Names: dense.w of an equation is dense_w in C; a ' tells tensors of one name apart (z', z'': z1, z2).\n");
    if (e->trains)
        text_add(to,
            " * In the step dNAME is the gradient of the loss by NAME, and w' of a parameter or state its next value, in\n"
            " * the same place. To a total (epoch.loss) the right side is added.\n");
    text_add(to,
        " * Memory: run->memory + N, in elements; tensors that are not needed at the same time share a place. A large\n"
        " * matrix may lie in panels of columns: column j is at j / WIDTH * (size of a panel) + j % WIDTH.\n"
        " * A loop over slots takes sample after sample through several kernels: what only these see has a place for\n"
        " * each slot, not for each sample.\n"
        " * A load may reach past the end of a row: what is there is inside the memory, and is not used.\n");
}

/* The comment at the top of model.c. It depends on nothing but the source, the options and dlnc: no date, no path. */
void head_text(const Emission *e, const CoreUse *use, Text *to)
{
    const Model *m = e->model;
    const EmitOptions *o = e->plan->options;
    Text summary = {0};
    text_addf(to, "/* %s: %s the network `%s`", e->prefix, e->trains ? "trains, evaluates and runs" : "runs", m->name);
    text_add(to, ". Made by dlnc ");
    text_add_comment(to, o->version ? o->version : "");
    text_add(to, " from ");
    text_add_comment(to, m->file);
    text_add(to, ".\n * options: ");
    text_add_comment(to, o->options && *o->options ? o->options : "none");
    text_addf(to, "\n * SHA-256 of the source: %s\n *\n", m->sha256);
    text_add(to, " * To build it with your program (its interface is the header beside it):\n"
                 " *     cc -O3 -march=native -ffp-contract=off -fno-math-errno -fopenmp -c FILE.c\n"
                 " * Without -fopenmp it runs on one thread; with -DDLN_PORTABLE it is ISO C99, slower, with the same bits.\n"
                 " * As a program of its own, which reads data, trains, evaluates and predicts, add to that line\n"
                 " *     -DDLN_MAIN -I DIR DIR/libdln.a -lz -ljansson -lm\n"
                 " * in place of -c, DIR being the folder of dln.h and libdln.a, which come with dlnc.\n");
    if (use->blas) text_add(to, " * It calls cblas_sgemm: add -lopenblas, or another BLAS.\n");
    text_add(to, " *\n");
    summary_text(m, e->plan, &summary);
    for (const char *at = text_string(&summary); *at;) {
        const char *end = strchr(at, '\n');
        text_add(to, " * ");
        text_add_comment(to, format("%.*s", (int)(end - at), at));
        text_add(to, "\n");
        at = end + 1;
    }
    reading_text(e, to);
    text_add(to, " * SPDX-License-Identifier: 0BSD */\n");
}

/* ---- --emit=dot -------------------------------------------------------------------------------------------------- */
static int layer_of(const Model *m, const Tensor *t)
{
    for (int i = 0; i < m->layers.count; i++) if (!m->layers.at[i].depth && m->layers.at[i].out == t) return i;
    return -1;
}

/* Names stand in strings only: `node`, `graph` and the like are words of the graph's language. */
void emit_dot(const Model *m, FILE *to)
{
    fprintf(to, "digraph \"%s\" {\n    rankdir = TB;\n    node [shape = box, fontname = \"sans-serif\"];\n", m->name);
    for (int i = 0; i < m->inputs.count; i++)
        fprintf(to, "    i%d [label = \"%s\\n%s\", shape = ellipse];\n", i, m->inputs.at[i]->name, sample_shape(m->inputs.at[i]));
    for (int i = 0; i < m->layers.count; i++) {
        const Layer *l = &m->layers.at[i];
        const char *weights = l->parameters ? format("\\n%" PRId64 " parameters", l->parameters) : "";
        if (!l->depth) fprintf(to, "    l%d [label = \"%s: %s\\n%s%s\"];\n", i, l->path, l->definition, sample_shape(l->out), weights);
    }
    for (int i = 0; i < m->layers.count; i++) {
        const Layer *l = &m->layers.at[i];
        for (int j = 0; j < l->from.count; j++) {
            int from = layer_of(m, l->from.at[j]);
            if (from >= 0) fprintf(to, "    l%d -> l%d;\n", from, i);
            for (int k = 0; from < 0 && k < m->inputs.count; k++)
                if (m->inputs.at[k] == l->from.at[j]) fprintf(to, "    i%d -> l%d;\n", k, i);
        }
    }
    fprintf(to, "}\n");
}
