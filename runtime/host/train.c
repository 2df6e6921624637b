/* train.c: the training loop. A round is what is reported together: an epoch, or with `steps` in the train block a
 * share of the steps. All that decides what comes next is in Progress and in the model, so a checkpoint between any two
 * steps goes on to the same bits. SPDX-License-Identifier: 0BSD */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "run.h"

typedef struct Trainer {
    Run *r;
    const dln_model *m;
    Feed feed, check; /* training data; validation data */
    bool validated, in_steps, stopped, restored;
    const char *check_name;
    Display display;
    Log log;
    Plot plot;
    Policy policy;
    Progress at;
    Team team;
    Prefetch prefetch;
    int64_t own_steps; /* of this run of the program */
    struct { int64_t steps; double waited, stepped; } looked; /* when a thread for samples was last considered */
    double begun, first, waited, stepped; /* seconds: when all began; until the first step; for samples; in steps */
    int halted; /* with several ranks: the signal that they agree on */
    Snapshot begin; /* of the round */
    int samples;    /* of the newest step */
    uint64_t seed;
    int64_t epoch_steps, round_steps, rounds, total_steps;
    double *validation; /* the newest report on the validation data */
    char *best_path;
} Trainer;

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    if (interrupted) _exit(128 + number); /* the second one */
    interrupted = number;
}

/* The signal after which training ends. Several ranks must all end after the same step. */
static int halt_signal(const Trainer *t) { return team_size() > 1 ? t->halted : (int)interrupted; }

enum { SIGNALS = 4 };

/* SIGINT and SIGTERM end the training after the step; a closed pipe or a full disk is an error that write() tells. */
static void signals_set(bool on, struct sigaction saved[SIGNALS])
{
    static const int number[SIGNALS] = { SIGINT, SIGTERM, SIGPIPE, SIGXFSZ };
    struct sigaction ours = { .sa_flags = SA_RESTART };
    sigemptyset(&ours.sa_mask);
    for (int i = 0; i < SIGNALS; i++) {
        ours.sa_handler = i < 2 ? on_signal : SIG_IGN;
        if (on)
            sigaction(number[i], &ours, &saved[i]);
        else
            sigaction(number[i], &saved[i], NULL);
    }
}

static void trainer_clock(Trainer *t, const char *name, double value)
{
    for (int i = 0; i < t->m->clocks; i++) {
        if (strcmp(t->m->clock[i], name)) continue;
        t->at.last[i] = value;
        t->m->set_clock(t->r->object, i, value);
    }
}

/* ---- before the first step ---- */

static bool trainer_data(Trainer *t, Problem *p)
{
    Run *r = t->r;
    const dln_value *v = value_find(t->m->train, t->m->train_values, "validate");
    const Part *train = data_part(&r->data, "train", p);
    if (!train || !feed_open(&t->feed, t->m, train, true, p)) return false;
    if (r->options.limit > 0 && (uint64_t)r->options.limit < t->feed.rows) t->feed.rows = (uint64_t)r->options.limit;
    if (v && v->kind != DLN_WORD)
        return problem_set(p, EXIT_INPUT, "train: validate is the name of a part of the data");
    t->validated = r->options.has_validate ? r->options.validate : v != NULL;
    if (!t->validated) return true;
    t->check_name = v ? v->text : "test";
    const Part *check = data_part(&r->data, t->check_name, p);
    return check && feed_open(&t->check, t->m, check, true, p);
}

static void trainer_plan(Trainer *t)
{
    const Options *o = &t->r->options;
    const uint64_t batch = (uint64_t)t->at.batch;
    int64_t steps = o->steps > 0 ? o->steps : o->epochs >= 0 ? 0 : t->m->steps;
    int64_t epochs = o->epochs >= 0 ? o->epochs : t->m->epochs;
    t->epoch_steps = (int64_t)((t->feed.rows + batch - 1) / batch);
    t->in_steps = steps > 0;
    t->round_steps = t->epoch_steps;
    if (t->in_steps && t->round_steps > (steps + 9) / 10) t->round_steps = (steps + 9) / 10;
    t->rounds = t->in_steps ? (steps + t->round_steps - 1) / t->round_steps : epochs;
    t->total_steps = t->in_steps ? steps : epochs > INT64_MAX / t->epoch_steps ? INT64_MAX : epochs * t->epoch_steps;
}

static bool trainer_resume(Trainer *t, Problem *p)
{
    const Options *o = &t->r->options;
    const int64_t batch = t->at.batch;
    if (!checkpoint_load(t->r, t->r->weights, &t->at, &t->seed, p)) return false;
    if (o->seed >= 0 && (uint64_t)o->seed != t->seed)
        return problem_set(p, EXIT_USAGE, "--seed %lld: %s was trained with seed %llu", (long long)o->seed,
                           t->r->weights, (unsigned long long)t->seed);
    bool other = t->at.batch != batch || t->at.rows != t->feed.rows;
    if (other && t->at.batch_in_epoch)
        return problem_set(
            p, EXIT_INPUT,
            "%s stands in the middle of an epoch of %llu samples in batches of %lld; go on with the same",
            t->r->weights, (unsigned long long)t->at.rows, (long long)t->at.batch);
    t->at.batch = batch;
    t->at.rows = t->feed.rows;
    for (int i = 0; i < t->m->clocks; i++)
        if (!run_check(t->r, t->m->set_clock(t->r->object, i, t->at.last[i]), t->m->clock[i], p)) return false;
    return true;
}

/* Passes over the training data that the model asks for before it begins (statistics of normalize). Those that came with
 * a layer's weights stay. */
static bool trainer_measure(Trainer *t, Problem *p)
{
    const uint64_t batch = (uint64_t)(t->at.batch < t->m->batch ? t->at.batch : t->m->batch);
    for (int pass = 0; pass < t->m->passes && !halt_signal(t); pass++) {
        for (uint64_t first = 0; first < t->feed.rows && !halt_signal(t); first += batch) {
            int n = (int)(t->feed.rows - first < batch ? t->feed.rows - first : batch);
            feed_gather(&t->feed, first, n);
            if (!run_check(t->r, t->m->measure(t->r->object, pass, t->feed.fields, n), "measure", p)) return false;
        }
        if (!sources_load(t->r, SOURCES_TOTALS, p) || !run_check(t->r, t->m->settle(t->r->object), "settle", p)) return false;
    }
    return true;
}

static bool trainer_begin(Trainer *t, Run *r, Problem *p)
{
    const Options *o = &r->options;
    *t = (Trainer){ .r = r, .m = r->model, .begun = seconds_now(), .seed = o->seed >= 0 ? (uint64_t)o->seed : r->model->seed };
    t->at = (Progress){ .batch = run_batch(r), .best = (double)NAN, .watched = (double)NAN };
    t->at.last = memory_new((size_t)t->m->clocks, sizeof *t->at.last, p);
    t->validation = memory_new((size_t)r->value_count, sizeof *t->validation, p);
    if (!t->at.last || !t->validation) return false;
    if (o->resume && !checkpoint_classes(r, r->weights, p)) return false;
    if (!run_init(r, t->seed, p) || (!o->resume && !sources_load(r, SOURCES_ALL, p))) return false;
    if (!trainer_data(t, p) || !policy_read(&t->policy, t->m, t->validated, p)) return false;
    if (!team_open(&t->team, r, p)) return false;
    t->at.rows = t->feed.rows;
    size_t stem = strlen(r->weights);
    if (stem > 12 && !strcmp(r->weights + stem - 12, ".safetensors")) stem -= 12;
    if (!(t->best_path = text_join(p, "%.*s.best.safetensors", (int)stem, r->weights))) return false;
    if (o->resume ? !trainer_resume(t, p) : !trainer_measure(t, p)) return false;
    if (!class_weights_set(r, p)) return false;
    trainer_plan(t);
    trainer_clock(t, "steps", (double)t->total_steps);
    trainer_clock(t, "epoch", (double)t->at.epoch);
    if (!plot_begin(&t->plot, r, t->in_steps, t->validated, p)) return false;
    const int64_t rounds_done = t->in_steps ? t->at.step / t->round_steps : t->at.epoch;
    if (o->resume && !plot_resume(&t->plot, rounds_done, p)) return false;
    return !o->log || log_open(&t->log, o->log, t->m, t->validated, o->resume, p);
}

/* ---- steps ---- */

/* The samples of a step: all of them (*n), and this rank's. */
static FeedPlace step_place(const Trainer *t, int64_t epoch, int64_t batch_in_epoch, int *n)
{
    const uint64_t batch = (uint64_t)t->at.batch, first = (uint64_t)batch_in_epoch * batch, era = 2 * (uint64_t)epoch;
    FeedPlace place = { .mixed = !t->policy.in_order };
    *n = (int)(t->feed.rows - first < batch ? t->feed.rows - first : batch);
    if (place.mixed) {
        place.order = shuffle_new(t->feed.rows, t->seed, era);
        place.shift = (size_t)shuffle_below(t->seed, era + 1, t->feed.part->table->slide);
    }
    const Share own = team_share(*n);
    place.first = first + (uint64_t)own.first;
    place.n = own.count;
    return place;
}

/* A thread for the samples, where they come from a file, or take their share of the time and a core is free; for samples
 * in memory only as long as it is worth it: other programs may want that core. */
static void prefetch_consider(Trainer *t)
{
    const bool streams = feed_streams(&t->feed);
    const int64_t steps = t->own_steps - t->looked.steps;
    const double waited = t->waited - t->looked.waited, stepped = t->stepped - t->looked.stepped;
    if (t->prefetch.tried ? !t->prefetch.runs || streams || steps < 64 : steps < 16 && !streams) return;
    if (t->prefetch.tried && waited > 0.05 * stepped)
        prefetch_end(&t->prefetch);
    else if (!t->prefetch.tried && waited <= 20e-6 * (double)steps && !streams)
        return;
    else if (!t->prefetch.tried && (streams || (waited > 0.01 * stepped && prefetch_has_core())))
        prefetch_begin(&t->prefetch, &t->feed);
    t->looked.steps = t->own_steps, t->looked.waited = t->waited, t->looked.stepped = t->stepped;
}

/* Copies the samples of the step, and has those of the next one copied. */
static void step_fetch(Trainer *t, const FeedPlace *place)
{
    const bool last = t->at.batch_in_epoch + 1 == t->epoch_steps;
    int n;
    prefetch_consider(t);
    prefetch_fetch(&t->prefetch, &t->feed, place);
    const FeedPlace next = step_place(t, t->at.epoch + last, last ? 0 : t->at.batch_in_epoch + 1, &n);
    prefetch_ask(&t->prefetch, &next);
}

static bool trainer_step(Trainer *t, double *loss, Problem *p)
{
    int n;
    const FeedPlace place = step_place(t, t->at.epoch, t->at.batch_in_epoch, &n);
    const Share own = team_share(n);
    const double begun = seconds_now();
    t->samples = own.count;
    step_fetch(t, &place);
    const double fetched = seconds_now();
    if (!t->own_steps++) t->first = fetched - t->begun;
    t->halted = interrupted;
    if (!team_step(&t->team, t->r, &t->feed, own, n, loss, &t->halted, p)) return false;
    t->waited += fetched - begun;
    t->stepped += seconds_now() - fetched;
    trainer_clock(t, "epoch_end", 0);
    t->at.step++;
    if (++t->at.batch_in_epoch == t->epoch_steps) {
        t->at.batch_in_epoch = 0;
        t->at.epoch++;
        trainer_clock(t, "epoch", (double)t->at.epoch);
    }
    return true;
}

/* Goes back to where the round began and looks for the step that made the first tensor not finite, up to step `last`. */
static void loss_trace(Trainer *t, int64_t last, Problem *p)
{
    Run *r = t->r;
    void *room = NULL;
    size_t element = 0;
    double loss, value = 0;
    Problem ignored;
    int bad;
    if (!snapshot_back(&t->begin, r, &t->at, t->seed, &ignored)) return;
    bad = tensor_not_finite(r, &room, &element, &value);
    while (bad < 0 && t->at.step < last && !halt_signal(t)) {
        if (t->at.step == last - 1) largest_describe(r, p);
        if (!trainer_step(t, &loss, &ignored)) break;
        bad = tensor_not_finite(r, &room, &element, &value);
    }
    if (bad >= 0) {
        if (t->at.step < last) problem_add(p, "after step %lld: ", (long long)t->at.step);
        tensor_describe(r, bad, element, value, p);
    } else
        problem_add(p, "after it all tensors are finite");
    free(room);
}

/* Why a loss is not finite: the first tensor that is not either, and what the data hold. */
static bool loss_explain(Trainer *t, double loss, Problem *p)
{
    const int64_t epoch = t->at.batch_in_epoch ? t->at.epoch : t->at.epoch - 1; /* the step is done */
    problem_set(p, EXIT_INPUT, "step %lld (epoch %lld): the loss is %g; ", (long long)t->at.step, (long long)epoch + 1,
                loss);
    loss_trace(t, t->at.step, p);
    batch_describe(&t->feed, t->samples, p);
    problem_add(p, ". Nothing was saved after it; try a smaller learning rate, or clipping");
    return false;
}

/* ---- rounds ---- */

static void clocks_report(Trainer *t, const double *values, const char *prefix)
{
    char label[100], name[120];
    for (int i = 0, at = 0; i < t->m->metrics; at += t->m->metric[i++].values) {
        snprintf(name, sizeof name, "%s%s", prefix, metric_label(&t->m->metric[i], label, sizeof label));
        if (t->m->metric[i].values == 1) trainer_clock(t, name, values[at]);
    }
}

static double monitor_value(const Trainer *t, const Monitor *monitor)
{
    return (monitor->validation ? t->validation : t->r->values)[monitor->place];
}

static bool trainer_save(Trainer *t, const char *path, Problem *p)
{
    return !t->r->options.save || checkpoint_save(t->r, path, &t->at, t->seed, KEEP_ALL, p);
}

/* What the train block wants done at the end of a round. */
static bool policy_act(Trainer *t, int64_t round, Problem *p)
{
    Policy *policy = &t->policy;
    if (policy->stops) {
        double value = monitor_value(t, &policy->stop);
        bool better = monitor_better(&policy->stop, value, t->at.watched);
        if (better) t->at.watched = value;
        t->at.waited = better ? 0 : t->at.waited + 1;
        t->stopped = t->at.waited > 0 && t->at.waited >= policy->patience;
    }
    if (policy->keeps_best) {
        double value = monitor_value(t, &policy->best);
        if (monitor_better(&policy->best, value, t->at.best)) {
            t->at.best = value;
            if (!trainer_save(t, t->best_path, p)) return false;
        }
    }
    if (policy->every && round % policy->every == 0) {
        char *path =
            text_join(p, "%.*s-%04lld.safetensors", (int)(strlen(t->best_path) - 17), t->best_path, (long long)round);
        bool good = path && trainer_save(t, path, p);
        free(path);
        if (!good) return false;
    }
    return !policy->keeps_last || trainer_save(t, t->r->weights, p);
}

/* steps: of the round; own: those done by this run of the program. */
static bool round_end(Trainer *t, int64_t round, int64_t steps, int64_t own, Problem *p)
{
    Run *r = t->r;
    double begun = t->display.begun;
    if (!run_check(r, t->m->report(r->object, r->values), "report", p)) return false;
    if (t->validated && !evaluate_feed(r, &t->check, t->validation, p)) return false;
    clocks_report(t, r->values, "");
    if (t->validated) clocks_report(t, t->validation, "val_");
    trainer_clock(t, "epoch_end", 1); /* for the next step: schedules see the new figures then */
    const double *validation = t->validated ? t->validation : NULL;
    return display_round_end(&t->display, steps, own, r->values, validation, p) &&
           log_round(&t->log, t->at.epoch, t->at.step, seconds_now() - begun, r->values, validation, p) &&
           plot_round(&t->plot, round, r->values, validation, p) && policy_act(t, round, p);
}

/* Steps until the round is full or somebody interrupts. */
static bool round_run(Trainer *t, int64_t round, Problem *p)
{
    Run *r = t->r;
    int64_t steps = t->round_steps, begun,
            done = t->in_steps ? t->at.step - (round - 1) * t->round_steps : t->at.batch_in_epoch;
    if (t->in_steps && steps > t->total_steps - (round - 1) * t->round_steps)
        steps = t->total_steps - (round - 1) * t->round_steps;
    if (!done && !run_check(r, t->m->reset(r->object), "reset", p)) return false;
    if (!snapshot_take(&t->begin, r, &t->at, p)) return false;
    display_round(&t->display, round, steps);
    begun = done;
    while (done < steps && !halt_signal(t)) {
        double loss = 0;
        if (!trainer_step(t, &loss, p) || (!isfinite(loss) && !loss_explain(t, loss, p))) return false;
        done++;
        if (!display_due(&t->display)) continue;
        if (!run_check(r, t->m->report(r->object, r->values), "report", p)) return false;
        display_step(&t->display, done, done - begun, r->values);
    }
    return done < steps || round_end(t, round, steps, steps - begun, p);
}

static bool rounds_run(Trainer *t, Problem *p)
{
    for (;;) {
        int64_t round = t->in_steps ? t->at.step / t->round_steps : t->at.epoch;
        if (round >= t->rounds || t->stopped || halt_signal(t) || (t->in_steps && t->at.step >= t->total_steps))
            return true;
        if (!round_run(t, round + 1, p)) return false;
        if (t->stopped && !t->r->options.quiet)
            fprintf(stderr, "early stop: %s has not become better than %.4f for %lld rounds\n", t->policy.stop.name,
                    t->at.watched, (long long)t->at.waited);
    }
}

/* ---- the end ---- */

/* A training that had ended left the best weights as its checkpoint, and no file of them: when it goes on they are still
 * the ones to beat. */
static bool best_keep(Trainer *t, Problem *p)
{
    if (!t->r->options.resume || !t->policy.keeps_best || isnan(t->at.best) || !access(t->best_path, F_OK)) return true;
    return trainer_save(t, t->best_path, p);
}

/* Puts the best weights back, if they are not the last ones. */
static bool best_restore(Trainer *t, Problem *p)
{
    if (!t->policy.keeps_best || !t->r->options.save || isnan(t->at.best) || access(t->best_path, R_OK)) return true;
    int64_t step = t->at.step;
    if (!checkpoint_load(t->r, t->best_path, &t->at, &t->seed, p)) return false;
    t->restored = t->at.step != step;
    if (t->restored && !t->r->options.quiet)
        fprintf(stderr, "the best weights (%s %.4f, step %lld) are restored\n", t->policy.best.name, t->at.best,
                (long long)t->at.step);
    return true;
}

static bool trainer_finish(Trainer *t, bool any, Problem *p)
{
    Run *r = t->r;
    bool quiet = r->options.quiet;
    team_leave(); /* what is left is for rank 0 */
    if (team_rank() > 0) return true;
    if (!best_restore(t, p) || !trainer_save(t, r->weights, p)) return false;
    if (t->policy.keeps_best && r->options.save) unlink(t->best_path);
    if (r->options.save && !quiet) fprintf(stderr, "weights: %s\n", r->weights);
    if (!t->validated) return true;
    if ((t->restored || !any) && !evaluate_feed(r, &t->check, t->validation, p)) return false;
    return display_figures(&t->display, t->check_name, t->validation, p);
}

static int trainer_interrupt(Trainer *t, Problem *p)
{
    display_break(&t->display);
    if (!t->at.step) return 128 + halt_signal(t); /* nothing to keep */
    if (!trainer_save(t, t->r->weights, p)) return p->code;
    if (!t->r->options.quiet)
        fprintf(stderr, "interrupted after step %lld of %lld%s%s%s\n", (long long)t->at.step, (long long)t->total_steps,
                t->r->options.save ? "; train --resume --weights " : "", t->r->options.save ? t->r->weights : "",
                t->r->options.save ? " goes on from here" : "");
    return 128 + halt_signal(t);
}

static void trainer_announce(const Trainer *t)
{
    double parameters = 0;
    for (int i = 0; i < t->m->tensors; i++)
        if (t->m->tensor[i].kind == DLN_PARAM) parameters += (double)tensor_elements(&t->m->tensor[i]);
    if (t->display.kind != PROGRESS_BAR && t->display.kind != PROGRESS_PLAIN) return;
    fprintf(stderr, "%s: %.0f parameters; trains on %llu samples", t->m->name, parameters,
            (unsigned long long)t->feed.rows);
    if (t->validated) fprintf(stderr, ", validates on %llu (%s)", (unsigned long long)t->check.rows, t->check_name);
    fprintf(stderr, "; batches of %lld, seed %llu\n", (long long)t->at.batch, (unsigned long long)t->seed);
}

/* What the data cost, where that is something, or they were told where to lie. */
static void data_announce(const Trainer *t)
{
    const bool much = t->first > 1 || (t->waited > 1 && t->waited > 0.02 * t->stepped);
    if (t->r->options.quiet || !t->own_steps || team_rank() > 0) return;
    if (!much && !feed_streams(&t->feed) && t->r->options.memory < 0) return;
    fprintf(stderr, "data: first step after %.2f s, then %.1f %% of the time waiting for samples%s\n", t->first,
            100 * t->waited / (t->waited + t->stepped), t->prefetch.runs ? " (a thread fetches them)" : "");
}

/* Log and plot; what went wrong before them is what the user hears. */
static bool records_close(Trainer *t, bool good, Problem *p)
{
    Problem second = { 0 };
    if (!plot_write(&t->plot, good ? p : &second)) good = false;
    if (t->log.file && !log_close(&t->log, good ? p : &second)) good = false;
    return good;
}

static void trainer_end(Trainer *t)
{
    prefetch_end(&t->prefetch);
    if (t->feed.model) feed_close(&t->feed);
    if (t->check.model) feed_close(&t->check);
    free(t->at.last);
    free(t->validation);
    free(t->best_path);
    team_close(&t->team);
    plot_end(&t->plot);
    snapshot_free(&t->begin, t->r);
}

int train_command(Run *r, Problem *p)
{
    Trainer t;
    struct sigaction saved[SIGNALS];
    int code = EXIT_DONE;
    if (!r->model->step || !r->model->report)
        return problem_set(p, EXIT_INPUT, "%s has no train block: the model can only predict", r->model->source),
               p->code;
    interrupted = 0;
    signals_set(true, saved);
    bool good = trainer_begin(&t, r, p);
    if (good) {
        int64_t before = t.at.step;
        display_begin(&t.display, r, t.in_steps, t.rounds);
        trainer_announce(&t);
        good = best_keep(&t, p) && rounds_run(&t, p);
        if (!good)
            display_break(&t.display);
        else if (halt_signal(&t))
            code = trainer_interrupt(&t, p);
        else
            data_announce(&t), good = trainer_finish(&t, t.at.step > before, p);
    }
    good = records_close(&t, good, p);
    if (!good) code = p->code;
    trainer_end(&t);
    signals_set(false, saved);
    return code;
}
