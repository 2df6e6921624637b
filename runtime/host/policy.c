/* policy.c: what the train block says of stopping early and of keeping checkpoints, and which way a figure is better.
 * SPDX-License-Identifier: 0BSD */
#include <math.h>
#include <string.h>
#include "run.h"

/* Settings of the train block that the compiler has dealt with, and ours. */
static const char *const known_settings[] = { "loss", "optimizer", "metrics",  "batch",      "epochs",     "steps",
                                              "seed", "compat",    "validate", "early_stop", "checkpoint", "shuffle" };
enum { KNOWN = sizeof known_settings / sizeof *known_settings };

/* Figures of merit; of any other figure less is better, unless mode = max says otherwise. */
static const char *const rising[] = { "accuracy", "top_k", "precision", "recall", "f1", "auc", "r2" };

static const char *word_of(const dln_value *v)
{
    return v && (v->kind == DLN_WORD || v->kind == DLN_STRING) ? v->text : NULL;
}

static bool monitor_read(Monitor *monitor, const char *name, const dln_value *call, const dln_model *m, bool validated,
                         Problem *p)
{
    const char *mode = call->kind == DLN_CALL ? word_of(value_find(call->items, call->count, "mode")) : NULL;
    const char *metric = !strncmp(name, "val_", 4) ? name + 4 : name;
    *monitor = (Monitor){ .name = name, .validation = metric != name && validated, .place = metric_place(m, metric) };
    if (monitor->place < 0) {
        problem_set(p, EXIT_INPUT, "train: %s watches '%s'; there are:", call->key, name);
        for (int i = 0; i < m->metrics; i++)
            if (m->metric[i].values == 1) problem_add(p, "%s %s", i ? "," : "", m->metric[i].name);
        problem_add(p, " (and with val_ before them)");
        return false;
    }
    if (mode && strcmp(mode, "min") && strcmp(mode, "max"))
        return problem_set(p, EXIT_INPUT, "train: %s: mode is min or max", call->key);
    for (size_t i = 0; i < sizeof rising / sizeof *rising; i++) monitor->rises |= !strcmp(metric, rising[i]);
    if (mode) monitor->rises = !strcmp(mode, "max");
    return true;
}

bool monitor_better(const Monitor *monitor, double value, double best)
{
    if (isnan(value)) return false;
    if (isnan(best)) return true;
    return monitor->rises ? value > best + monitor->least : value < best - monitor->least;
}

static bool count_read(const dln_value *call, int64_t *out, Problem *p)
{
    const dln_value *v = call->count && !call->items[0].key ? &call->items[0] : NULL;
    if (!v || v->kind != DLN_NUMBER || !(v->number >= 0 && v->number <= 1e9) || v->number != floor(v->number))
        return problem_set(p, EXIT_INPUT, "train: %s = %s(N): N is a whole number from 0 on", call->key, call->text);
    *out = (int64_t)v->number;
    return true;
}

static bool early_stop_read(Policy *policy, const dln_value *v, const dln_model *m, bool validated, Problem *p)
{
    if (v->kind != DLN_CALL || strcmp(v->text, "patience"))
        return problem_set(p, EXIT_INPUT, "train: early_stop = patience(EPOCHS, monitor = val_loss, min_delta = 0)");
    const char *name = word_of(value_find(v->items, v->count, "monitor"));
    const dln_value *least = value_find(v->items, v->count, "min_delta");
    policy->stops = true;
    if (!count_read(v, &policy->patience, p) || !monitor_read(&policy->stop,
                                                              name        ? name
                                                              : validated ? "val_loss"
                                                                          : "loss",
                                                              v, m, validated, p))
        return false;
    if (least && (least->kind != DLN_NUMBER || !(least->number >= 0)))
        return problem_set(p, EXIT_INPUT, "train: early_stop: min_delta is a number from 0 on");
    if (least) policy->stop.least = least->number;
    return true;
}

static bool checkpoint_read(Policy *policy, const dln_value *v, const dln_model *m, bool validated, Problem *p)
{
    const char *word = v->kind == DLN_WORD || v->kind == DLN_CALL ? v->text : "";
    if (!strcmp(word, "last") && v->kind == DLN_WORD) return policy->keeps_last = true;
    if (!strcmp(word, "every") && v->kind == DLN_CALL)
        return count_read(v, &policy->every, p) &&
               (policy->every > 0 || problem_set(p, EXIT_INPUT, "train: checkpoint = every(N): N is 1 or more"));
    if (strcmp(word, "best"))
        return problem_set(p, EXIT_INPUT, "train: checkpoint is best(val_loss), last or every(N)");
    const char *name = v->kind == DLN_CALL && v->count && !v->items[0].key ? word_of(&v->items[0]) : NULL;
    policy->keeps_best = true;
    return monitor_read(&policy->best, name ? name : validated ? "val_loss" : "loss", v, m, validated, p);
}

static bool shuffle_read(Policy *policy, const dln_value *v, Problem *p)
{
    const char *word = word_of(v);
    if (!word || (strcmp(word, "true") && strcmp(word, "false")))
        return problem_set(p, EXIT_INPUT, "train: shuffle is true or false");
    policy->in_order = !strcmp(word, "false");
    return true;
}

bool policy_read(Policy *policy, const dln_model *m, bool validated, Problem *p)
{
    *policy = (Policy){ 0 };
    for (int i = 0; i < m->train_values; i++) {
        const dln_value *v = &m->train[i];
        bool known = !v->key;
        for (int k = 0; k < KNOWN; k++) known |= v->key && !strcmp(v->key, known_settings[k]);
        if (!known) {
            const char *near = name_nearest(v->key, known_settings, KNOWN);
            problem_set(p, EXIT_INPUT, "train: there is no setting '%s'", v->key);
            if (near) problem_add(p, "; did you mean '%s'?", near);
            return false;
        }
        if (v->key && !strcmp(v->key, "early_stop") && !early_stop_read(policy, v, m, validated, p)) return false;
        if (v->key && !strcmp(v->key, "shuffle") && !shuffle_read(policy, v, p)) return false;
        if (v->key && !strcmp(v->key, "checkpoint") && !checkpoint_read(policy, v, m, validated, p)) return false;
    }
    return true;
}
