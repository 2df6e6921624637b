/* progress.c: the line of an epoch as Keras users know it. On a terminal it is redrawn at most ten times a second;
 * elsewhere it appears once, when the epoch is over. All of it goes to stderr, but for json and the figures at the end,
 * which are data and go to stdout. SPDX-License-Identifier: 0BSD */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "run.h"

double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void display_begin(Display *d, const Run *r, bool in_steps, int64_t rounds)
{
    *d = (Display){ .model = r->model,
                    .kind = r->options.progress,
                    .quiet = r->options.quiet,
                    .rounds = rounds,
                    .in_steps = in_steps };
    if (d->kind == PROGRESS_AUTO) {
        const char *terminal = getenv("TERM");
        d->kind = isatty(STDERR_FILENO) && !(terminal && !strcmp(terminal, "dumb")) ? PROGRESS_BAR : PROGRESS_PLAIN;
    }
    if (d->quiet && d->kind != PROGRESS_JSON) d->kind = PROGRESS_NONE;
}

void display_round(Display *d, int64_t round, int64_t steps)
{
    d->round = round;
    d->steps = steps;
    d->begun = d->drawn = seconds_now();
}

bool display_due(const Display *d) { return d->kind == PROGRESS_BAR && seconds_now() - d->drawn >= 0.1; }

static void write_value(Writer *w, double value)
{
    write_text(w, (fabs(value) >= 1e-3 && fabs(value) < 1e7) || value == 0 ? "%.4f" : "%.4e", value);
}

static void write_values(Writer *w, const dln_model *m, const double *values, const char *prefix)
{
    char label[100];
    for (int i = 0, at = 0; i < m->metrics; at += m->metric[i++].values) {
        if (m->metric[i].values != 1) continue;
        write_text(w, " - %s%s: ", prefix, metric_label(&m->metric[i], label, sizeof label));
        write_value(w, values[at]);
    }
}

static void write_duration(Writer *w, double seconds)
{
    if (seconds < 60)
        write_text(w, "%.0fs", seconds);
    else if (seconds < 3600)
        write_text(w, "%d:%02d", (int)seconds / 60, (int)seconds % 60);
    else
        write_text(w, "%lld:%02d:%02d", (long long)seconds / 3600, (int)fmod(seconds / 60, 60), (int)fmod(seconds, 60));
}

static void write_step_time(Writer *w, double seconds)
{
    if (seconds >= 1)
        write_text(w, "%.1fs/step", seconds);
    else if (seconds >= 1e-3)
        write_text(w, "%.0fms/step", seconds * 1e3);
    else
        write_text(w, "%.0fus/step", seconds * 1e6);
}

static void write_head(Writer *w, const Display *d, int64_t done)
{
    if (!d->in_steps)
        write_text(w, "Epoch %lld/%lld  ", (long long)d->round, (long long)d->rounds);
    else
        write_text(w, "Round %lld/%lld  ", (long long)d->round, (long long)d->rounds);
    write_text(w, "%lld/%lld", (long long)done, (long long)d->steps);
}

static void write_bar(Writer *w, int64_t done, int64_t steps)
{
    enum { WIDTH = 30 };
    int full = steps ? (int)(WIDTH * (double)done / (double)steps) : WIDTH;
    write_text(w, " [");
    for (int i = 0; i < WIDTH; i++) write_text(w, i < full ? "=" : i == full ? ">" : ".");
    write_text(w, "]");
}

/* One line on the terminal, no longer than it is wide. */
static void line_draw(Display *d, const Writer *w, bool last)
{
    struct winsize size;
    size_t width = !ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col > 20 ? (size_t)size.ws_col - 1 : 200,
           length = w->length;
    if (!last && length > width) length = width;
    if (w->failed) return;
    fprintf(stderr, "\r%.*s\033[K%s", (int)length, w->text, last ? "\n" : "");
    fflush(stderr);
    d->line_open = !last;
}

void display_step(Display *d, int64_t done, int64_t own, const double *values)
{
    Writer w = { 0 };
    double now = seconds_now(), used = now - d->begun;
    d->drawn = now;
    write_head(&w, d, done);
    write_bar(&w, done, d->steps);
    write_text(&w, " - ETA: ");
    write_duration(&w, own ? used / (double)own * (double)(d->steps - done) : 0);
    write_values(&w, d->model, values, "");
    line_draw(d, &w, false);
    free(w.text);
}

/* To standard output, at once; false: memory is out, or the text has no place to go. */
static bool text_print(Writer *w, Problem *p)
{
    bool good = !w->failed && fputs(w->text ? w->text : "", stdout) >= 0 && !fflush(stdout);
    if (!good) problem_set(p, EXIT_IO, w->failed ? "out of memory" : "cannot write to standard output");
    free(w->text);
    return good;
}

static bool json_line(const Display *d, int64_t done, double used, const double *values, const double *validation,
                      Problem *p)
{
    Writer w = { 0 };
    write_text(&w, "{\"%s\":%lld,\"of\":%lld,\"steps\":%lld,\"seconds\":%.3f", d->in_steps ? "round" : "epoch",
               (long long)d->round, (long long)d->rounds, (long long)done, used);
    write_record(&w, d->model, values, "", true);
    if (validation) write_record(&w, d->model, validation, "val_", true);
    write_text(&w, "}\n");
    return text_print(&w, p);
}

bool display_round_end(Display *d, int64_t done, int64_t own, const double *values, const double *validation,
                       Problem *p)
{
    Writer w = { 0 };
    double used = seconds_now() - d->begun;
    if (d->kind == PROGRESS_JSON) return json_line(d, done, used, values, validation, p);
    if (d->kind != PROGRESS_BAR && d->kind != PROGRESS_PLAIN) return true;
    write_head(&w, d, done);
    if (d->kind == PROGRESS_BAR) write_bar(&w, done, d->steps);
    write_text(&w, " - ");
    write_duration(&w, used);
    write_text(&w, " ");
    write_step_time(&w, own ? used / (double)own : 0);
    write_values(&w, d->model, values, "");
    if (validation) write_values(&w, d->model, validation, "val_");
    if (d->kind == PROGRESS_BAR)
        line_draw(d, &w, true);
    else if (!w.failed)
        fprintf(stderr, "%s\n", w.text);
    free(w.text);
    return true;
}

void display_break(Display *d)
{
    if (d->line_open) fputc('\n', stderr);
    d->line_open = false;
}

/* A metric of several numbers: in rows, if they can be a square. */
static void write_table(Writer *w, const double *values, int count)
{
    int side = (int)lround(sqrt(count)), width = side * side == count ? side : count;
    for (int i = 0; i < count; i++)
        write_text(w, "%s%g%s", i % width ? " " : "  ", values[i], (i + 1) % width ? "" : "\n");
}

static void write_figures(Writer *w, const dln_model *m, const char *part, const double *values)
{
    char label[100];
    for (int i = 0, at = 0; i < m->metrics; at += m->metric[i++].values) {
        bool table = m->metric[i].values != 1;
        write_text(w, "%c%s %s:%s", toupper((unsigned char)part[0]), part + 1,
                   metric_label(&m->metric[i], label, sizeof label), table ? "\n" : " ");
        if (table)
            write_table(w, values + at, m->metric[i].values);
        else
            write_value(w, values[at]);
        if (!table) write_text(w, "\n");
    }
}

bool display_figures(const Display *d, const char *part, const double *values, Problem *p)
{
    Writer w = { 0 };
    if (d->kind != PROGRESS_JSON)
        write_figures(&w, d->model, part, values);
    else {
        write_text(&w, "{\"part\":");
        write_json_string(&w, part);
        write_record(&w, d->model, values, "", true);
        write_text(&w, "}\n");
    }
    return text_print(&w, p);
}
