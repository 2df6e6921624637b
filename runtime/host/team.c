/* team.c: training by several processes (ranks) that all hold the whole model. Each does its share of a batch with
 * accumulate; then what it has added is added up over the ranks, and each takes the same step. So a step of P ranks is P
 * calls of accumulate and one of apply; between two steps all ranks hold the same bits.
 * SPDX-License-Identifier: 0BSD */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "run.h"

/* What is added up in double: loss, signals, then totals, then states. */
enum { LOSS, INTERRUPTS, TERMINATIONS, FIXED_FIGURES };

static bool is_shared_total(const Run *r, int tensor)
{
    return r->model->tensor[tensor].kind == DLN_TOTAL && !r->measured[tensor];
}

static size_t totals_count(const Run *r)
{
    size_t count = 0;
    for (int i = 0; i < r->model->tensors; i++)
        if (is_shared_total(r, i)) count += tensor_elements(&r->model->tensor[i]);
    return count;
}

/* All shared totals one after another. */
static bool totals_get(const Run *r, double *values, Problem *p)
{
    for (int i = 0; i < r->model->tensors; i++) {
        if (!is_shared_total(r, i)) continue;
        if (!run_check(r, r->model->get_double(r->object, i, values), r->model->tensor[i].name, p)) return false;
        values += tensor_elements(&r->model->tensor[i]);
    }
    return true;
}

static bool totals_put(const Run *r, const double *values, Problem *p)
{
    for (int i = 0; i < r->model->tensors; i++) {
        if (!is_shared_total(r, i)) continue;
        if (!run_check(r, r->model->put_double(r->object, i, values), r->model->tensor[i].name, p)) return false;
        values += tensor_elements(&r->model->tensor[i]);
    }
    return true;
}

bool team_totals(Run *r, Problem *p)
{
    const size_t count = totals_count(r);
    if (team_size() == 1) return true;
    double *values = memory_new(count, sizeof *values, p);
    bool good = values && totals_get(r, values, p) && team_add(values, count, true, p) && totals_put(r, values, p);
    free(values);
    return good;
}

bool team_open(Team *t, const Run *r, Problem *p)
{
    const dln_model *m = r->model;
    if (team_size() == 1) return true;
    if (!m->accumulate || !m->apply || !m->get_double || !m->put_double)
        return problem_set(p, EXIT_USAGE, "%s was compiled without `dlnc --accumulate`: it cannot train on several ranks",
                           m->source);
    t->figures = FIXED_FIGURES + totals_count(r);
    for (int i = 0; i < m->parts; i++) {
        if (m->part[i].join == DLN_SUM)
            t->sums += m->part[i].bytes;
        else
            t->figures += tensor_elements(&m->tensor[m->part[i].tensor]);
    }
    t->sum = memory_new(t->sums, 1, p);
    t->figure = memory_new(t->figures, sizeof *t->figure, p);
    t->before = memory_new(t->figures, sizeof *t->before, p);
    return t->sum && t->figure && t->before;
}

void team_close(Team *t)
{
    free(t->sum);
    free(t->figure);
    free(t->before);
    *t = (Team){ 0 };
}

Share team_share(int n)
{
    const int64_t begin = (int64_t)n * team_rank() / team_size(), end = (int64_t)n * (team_rank() + 1) / team_size();
    return (Share){ (int)begin, (int)(end - begin) };
}

/* Between the sums in the model's memory and their copy, which lies in one piece. */
static void sums_copy(const Team *t, const Run *r, bool into_model)
{
    char *copy = t->sum;
    for (int i = 0; i < r->model->parts; i++) {
        const dln_part *part = &r->model->part[i];
        char *in_model = (char *)r->memory + part->offset;
        if (part->join != DLN_SUM) continue;
        memcpy(into_model ? in_model : copy, into_model ? copy : in_model, part->bytes);
        copy += part->bytes;
    }
}

/* States as this rank's part of their mean, or of what the first rank has; or back into the model. */
static bool states_move(const Run *r, double *values, Share own, int n, bool into_model, Problem *p)
{
    const dln_model *m = r->model;
    for (int i = 0; i < m->parts; i++) {
        const dln_part *part = &m->part[i];
        const size_t count = tensor_elements(&m->tensor[part->tensor]);
        const bool mean = part->join == DLN_MEAN;
        if (part->join == DLN_SUM) continue;
        const int status = into_model ? m->put_double(r->object, part->tensor, values)
                                      : m->get_double(r->object, part->tensor, values);
        if (!run_check(r, status, m->tensor[part->tensor].name, p)) return false;
        const bool counts = mean ? own.count > 0 : team_rank() == 0;
        for (size_t k = 0; !into_model && k < count; k++)
            values[k] = !counts ? 0 : mean ? values[k] * own.count / n : values[k];
        values += count;
    }
    return true;
}

static bool samples_put(const Run *r, int samples, Problem *p)
{
    const double value = samples;
    return run_check(r, r->model->put_double(r->object, r->model->samples, &value), "samples", p);
}

/* This rank's part of the batch, into t->sum and t->figure; t->before keeps the totals of the steps before. */
static bool part_do(Team *t, Run *r, const Feed *f, Share own, int n, int signal_number, Problem *p)
{
    double loss = 0, *totals = t->figure + FIXED_FIGURES;
    memset(totals, 0, totals_count(r) * sizeof *totals);
    if (!totals_get(r, t->before, p) || !totals_put(r, totals, p) || !samples_put(r, own.first, p)) return false;
    if (own.count && !run_check(r, r->model->accumulate(r->object, f->fields, own.count, &loss), "accumulate", p))
        return false;
    t->figure[LOSS] = loss * own.count;
    t->figure[INTERRUPTS] = signal_number == SIGINT;
    t->figure[TERMINATIONS] = signal_number == SIGTERM;
    sums_copy(t, r, false);
    return totals_get(r, totals, p) && states_move(r, totals + totals_count(r), own, n, false, p);
}

/* The step, with what all ranks have. */
static bool parts_apply(Team *t, Run *r, Share own, int n, Problem *p)
{
    double *totals = t->figure + FIXED_FIGURES;
    const size_t count = totals_count(r);
    for (size_t i = 0; i < count; i++) totals[i] += t->before[i];
    sums_copy(t, r, true);
    return totals_put(r, totals, p) && states_move(r, totals + count, own, n, true, p) && samples_put(r, n, p) &&
           run_check(r, r->model->apply(r->object), "apply", p);
}

bool team_step(Team *t, Run *r, const Feed *f, Share own, int n, double *loss, int *signal_number, Problem *p)
{
    const bool twice = r->model->real_bytes == 8;
    if (team_size() == 1) return run_check(r, r->model->step(r->object, f->fields, n, loss), "step", p);
    if (!part_do(t, r, f, own, n, *signal_number, p)) return false;
    if (!team_add(t->sum, t->sums / (twice ? 8 : 4), twice, p) || !team_add(t->figure, t->figures, true, p)) return false;
    *loss = t->figure[LOSS] / n;
    *signal_number = t->figure[INTERRUPTS] > 0 ? SIGINT : t->figure[TERMINATIONS] > 0 ? SIGTERM : 0;
    return parts_apply(t, r, own, n, p);
}
