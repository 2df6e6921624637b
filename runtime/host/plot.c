/* plot.c: --plot FILE.svg: a panel for each figure, a curve for training and one for validation over the epochs. The
 * picture carries its own colours for light and dark pages, and its numbers too (in <metadata>), so that --resume goes
 * on with the curves of before. Redrawn at most once a second and at the end. SPDX-License-Identifier: 0BSD */
#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "run.h"

enum {
    WIDTH = 460,
    HEIGHT = 270,
    LEFT = 62,
    RIGHT = 18,
    TOP = 40,
    BOTTOM = 44,
    HEAD = 34
};                              /* of a panel; of the page */
enum { TICKS = 12, DOTS = 40 }; /* the most on an axis; points with a mark of their own */

/* A range of numbers along an axis; logarithmic where the numbers span several powers of ten. */
typedef struct Axis {
    double low, high;
    bool log;
    int ticks;
    double tick[TICKS];
} Axis;

static const char style[] =
    "<style>\n"
    "text { font: 12px system-ui, sans-serif; fill: #333 } .title { font-size: 14px; font-weight: 600 }\n"
    ".page { fill: #fff } .grid { stroke: #ddd } .frame { stroke: #888; fill: none } .end { text-anchor: end }\n"
    ".mid { text-anchor: middle } polyline { fill: none; stroke-width: 2; stroke-linejoin: round }\n"
    ".train { stroke: #1f6fb4 } .val { stroke: #d2601a } .dot.train { fill: #1f6fb4 } .dot.val { fill: #d2601a }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "text { fill: #d8d8d8 } .page { fill: #17191c } .grid { stroke: #3a3d42 } .frame { stroke: #8a8d92 }\n"
    ".train { stroke: #6db3f2 } .val { stroke: #f2a15f } .dot.train { fill: #6db3f2 } .dot.val { fill: #f2a15f }\n"
    "}\n"
    "</style>\n";

/* ---- what is drawn ---- */

bool plot_begin(Plot *plot, const Run *r, bool in_steps, bool validated, Problem *p)
{
    const char *path = r->options.plot;
    *plot = (Plot){ .model = r->model, .in_steps = in_steps, .validated = validated, .count = r->value_count };
    return !path || (plot->path = text_join(p, "%s", path));
}

void plot_end(Plot *plot)
{
    free(plot->path);
    free(plot->point);
    *plot = (Plot){ 0 };
}

/* The point of a round: its number, the figures of training, those of validation. */
static double *point_of(const Plot *plot, size_t i) { return plot->point + i * (1 + 2 * (size_t)plot->count); }

static double *point_add(Plot *plot, int64_t round, Problem *p)
{
    const size_t width = 1 + 2 * (size_t)plot->count;
    if (!memory_grow((void **)&plot->point, &plot->room, (plot->points + 1) * width, sizeof *plot->point, p))
        return NULL;
    double *point = point_of(plot, plot->points++);
    point[0] = (double)round;
    for (size_t i = 1; i < width; i++) point[i] = (double)NAN;
    return point;
}

bool plot_round(Plot *plot, int64_t round, const double *values, const double *validation, Problem *p)
{
    if (!plot->path) return true;
    double *point = point_add(plot, round, p);
    if (!point) return false;
    memcpy(point + 1, values, (size_t)plot->count * sizeof *values);
    if (validation) memcpy(point + 1 + plot->count, validation, (size_t)plot->count * sizeof *values);
    return seconds_now() - plot->drawn < 1 || plot_write(plot, p);
}

/* Differences of what is drawn are finite, too. */
static bool is_drawn(double v) { return fabs(v) <= 1e300; }

/* The smallest and the largest of figure `at` in both curves; false: there is none to be drawn. */
static bool extremes(const Plot *plot, int at, double *low, double *high)
{
    *low = (double)INFINITY;
    *high = -(double)INFINITY;
    for (size_t i = 0; i < plot->points; i++)
        for (int k = 0; k < 2; k++) {
            double v = point_of(plot, i)[1 + at + k * plot->count];
            if (!is_drawn(v)) continue;
            if (v < *low) *low = v;
            if (v > *high) *high = v;
        }
    return *low <= *high;
}

/* ---- axes ---- */

/* 1, 2 or 5 times a power of ten, so that `most` steps cover the span. */
static double step_round(double span, int most)
{
    double power = pow(10, floor(log10(span / most))), ratio = span / most / power;
    return power * (ratio <= 1 ? 1 : ratio <= 2 ? 2 : ratio <= 5 ? 5 : 10);
}

static void axis_ticks(Axis *a, double step)
{
    for (double k = ceil(a->low / step - 1e-9); k * step <= a->high + 1e-9 * step && a->ticks < TICKS; k++)
        a->tick[a->ticks++] = k * step + 0.0; /* no -0 */
}

static Axis axis_values(double low, double high)
{
    Axis a = { .log = low > 0 && high / low > 50 };
    if (a.log) {
        int first = (int)floor(log10(low)), last = (int)ceil(log10(high)), by = 1 + (last - first) / 6;
        a.low = pow(10, first);
        a.high = pow(10, last);
        for (int k = first; k <= last && a.ticks < TICKS; k += by) a.tick[a.ticks++] = pow(10, k);
        return a;
    }
    if (high - low <= 1e-9 * fabs(high)) { /* one number only */
        double around = high != 0 ? fabs(high) / 10 : 1;
        low -= around;
        high += around;
    }
    double step = step_round(high - low, 5);
    a.low = floor(low / step + 1e-9) * step;
    a.high = ceil(high / step - 1e-9) * step;
    axis_ticks(&a, step);
    return a;
}

static Axis axis_rounds(const Plot *plot)
{
    Axis a = { .low = point_of(plot, 0)[0], .high = point_of(plot, plot->points - 1)[0] };
    double step = a.high > a.low ? step_round(a.high - a.low, 8) : 1;
    axis_ticks(&a, step < 1 ? 1 : step);
    if (a.low == a.high) {
        a.low -= 1;
        a.high += 1;
    }
    return a;
}

static double share(const Axis *a, double v)
{
    return a->log ? (log(v) - log(a->low)) / (log(a->high) - log(a->low)) : (v - a->low) / (a->high - a->low);
}

static double place_x(const Axis *a, double v) { return LEFT + share(a, v) * (WIDTH - LEFT - RIGHT); }
static double place_y(const Axis *a, double v) { return HEIGHT - BOTTOM - share(a, v) * (HEIGHT - TOP - BOTTOM); }

/* ---- the text of the picture ---- */

static void write_escaped(Writer *w, const char *text)
{
    for (; *text; text++) {
        if (*text == '<' || *text == '>' || *text == '&')
            write_text(w, "&#%d;", *text);
        else
            write_bytes(w, (unsigned char)*text < 0x20 ? " " : text, 1);
    }
}

static void write_axes(Writer *w, const Plot *plot, const Axis *x, const Axis *y)
{
    for (int i = 0; i < y->ticks; i++) {
        double at = place_y(y, y->tick[i]);
        write_text(w, "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text class=\"end\" x=\"%d\" y=\"%.1f\">%.6g</text>\n",
                   LEFT, at, WIDTH - RIGHT, LEFT - 6, at + 4, y->tick[i]);
    }
    for (int i = 0; i < x->ticks; i++) {
        double at = place_x(x, x->tick[i]);
        write_text(w, "<path class=\"grid\" d=\"M%.1f %dV%d\"/><text class=\"mid\" x=\"%.1f\" y=\"%d\">%.0f</text>\n",
                   at, TOP, HEIGHT - BOTTOM, at, HEIGHT - BOTTOM + 17, x->tick[i]);
    }
    write_text(w, "<rect class=\"frame\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", LEFT, TOP,
               WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    write_text(w, "<text class=\"mid\" x=\"%d\" y=\"%d\">%s</text>\n", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8,
               plot->in_steps ? "round" : "epoch");
}

/* Pieces between what is not finite; single points, and few points, get a dot that tells its number. */
static void write_curve(Writer *w, const Plot *plot, const Axis *x, const Axis *y, int at, const char *class)
{
    bool open = false;
    for (size_t i = 0; i < plot->points; i++) {
        double v = point_of(plot, i)[1 + at];
        if (is_drawn(v)) {
            if (!open) write_text(w, "<polyline class=\"%s\" points=\"", class);
            write_text(w, open ? " %.1f,%.1f" : "%.1f,%.1f", place_x(x, point_of(plot, i)[0]), place_y(y, v));
            open = true;
        } else if (open) {
            write_text(w, "\"/>\n");
            open = false;
        }
    }
    if (open) write_text(w, "\"/>\n");
    for (size_t i = 0; plot->points <= DOTS && i < plot->points; i++) {
        const double *point = point_of(plot, i);
        if (is_drawn(point[1 + at]))
            write_text(
                w, "<circle class=\"dot %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"><title>%s %.0f: %.6g</title></circle>\n",
                class, place_x(x, point[0]), place_y(y, point[1 + at]), plot->in_steps ? "round" : "epoch", point[0],
                point[1 + at]);
    }
}

/* "train 0.1234" and "val 0.2345", the newest figures, right of the title. */
static void write_legend(Writer *w, const Plot *plot, int at)
{
    const double *last = point_of(plot, plot->points - 1);
    for (int k = 0; k <= plot->validated; k++) {
        int x = WIDTH - RIGHT - 110 - (plot->validated - k) * 115;
        write_text(w, "<path class=\"%s\" stroke-width=\"3\" d=\"M%d %dh16\"/><text x=\"%d\" y=\"%d\">%s %.4g</text>\n",
                   k ? "val" : "train", x, TOP - 15, x + 21, TOP - 11, k ? "val" : "train",
                   last[1 + at + k * plot->count]);
    }
}

static void write_panel(Writer *w, const Plot *plot, int metric, int at, int column, int row)
{
    double low, high;
    write_text(w, "<g transform=\"translate(%d %d)\">\n<text class=\"title\" x=\"%d\" y=\"%d\">", column * WIDTH,
               HEAD + row * HEIGHT, LEFT, TOP - 11);
    char label[100];
    write_escaped(w, metric_label(&plot->model->metric[metric], label, sizeof label));
    write_text(w, "</text>\n");
    if (extremes(plot, at, &low, &high)) {
        Axis x = axis_rounds(plot), y = axis_values(low, high);
        write_axes(w, plot, &x, &y);
        write_curve(w, plot, &x, &y, at, "train");
        if (plot->validated) write_curve(w, plot, &x, &y, at + plot->count, "val");
        write_legend(w, plot, at);
    } else
        write_text(w, "<text x=\"%d\" y=\"%d\">no finite figure yet</text>\n", LEFT, HEIGHT / 2);
    write_text(w, "</g>\n");
}

/* [[round, figures ..], ..]; null: not finite */
static void write_points(Writer *w, const Plot *plot)
{
    write_text(w, "<metadata>[");
    for (size_t i = 0; i < plot->points; i++) {
        const double *point = point_of(plot, i);
        write_text(w, i ? ",\n[" : "[");
        for (int k = 0; k < 1 + 2 * plot->count; k++)
            write_text(w, isfinite(point[k]) ? "%s%.9g" : "%snull", k ? "," : "", point[k]);
        write_text(w, "]");
    }
    write_text(w, "]</metadata>\n");
}

static void write_picture(Writer *w, const Plot *plot)
{
    int panels = 0, drawn = 0;
    for (int i = 0; i < plot->model->metrics; i++) panels += plot->model->metric[i].values == 1;
    const int columns = panels > 1 ? 2 : 1, width = columns * WIDTH,
              height = HEAD + (panels + columns - 1) / columns * HEIGHT;
    write_text(
        w,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n"
        "<title>",
        width, height, width, height);
    write_escaped(w, plot->model->name);
    write_text(w, ": training</title>\n%s", style);
    write_points(w, plot);
    write_text(w, "<rect class=\"page\" width=\"%d\" height=\"%d\"/>\n<text class=\"title\" x=\"%d\" y=\"24\">", width,
               height, LEFT);
    write_escaped(w, plot->model->name);
    write_text(w, "</text>\n");
    for (int i = 0, at = 0; i < plot->model->metrics; at += plot->model->metric[i++].values) {
        if (plot->model->metric[i].values != 1) continue;
        write_panel(w, plot, i, at, drawn % columns, drawn / columns);
        drawn++;
    }
    write_text(w, "</svg>\n");
}

bool plot_write(Plot *plot, Problem *p)
{
    Writer w = { 0 };
    AtomicFile f;
    if (!plot->path || !plot->points) return true;
    write_picture(&w, plot);
    bool good = !w.failed || problem_set(p, EXIT_IO, "%s: out of memory", plot->path);
    if (good && (good = atomic_open(&f, plot->path, p))) {
        good = atomic_write(&f, w.text, w.length, p);
        if (good)
            good = atomic_commit(&f, p);
        else
            atomic_cancel(&f);
    }
    free(w.text);
    plot->drawn = seconds_now();
    return good;
}

/* ---- going on with a picture of before ---- */

/* The numbers of one round; those of a model with other figures, and rounds that come again, are left out. */
static bool point_take(Plot *plot, const json_t *numbers, int64_t before, Problem *p)
{
    const size_t width = 1 + 2 * (size_t)plot->count;
    const double round = json_number_value(json_array_get(numbers, 0));
    if (json_array_size(numbers) != width || !(round >= 1 && round <= (double)before)) return true;
    if (plot->points && point_of(plot, plot->points - 1)[0] >= round) return true;
    double *point = point_add(plot, (int64_t)round, p);
    for (size_t i = 1; point && i < width; i++) {
        const json_t *number = json_array_get(numbers, i);
        if (json_is_number(number)) point[i] = json_number_value(number);
    }
    return point != NULL;
}

/* Takes the points up to round `before` out of the file, if it is one of ours; anything else is drawn over. */
bool plot_resume(Plot *plot, int64_t before, Problem *p)
{
    static const char begin[] = "<metadata>", end[] = "</metadata>";
    Bytes file = { 0 };
    Problem ignored;
    bool good = true;
    if (!plot->path || access(plot->path, R_OK) || !file_read(plot->path, (size_t)1 << 28, &file, &ignored))
        return true;
    const char *from = strstr((char *)file.at, begin), *to = from ? strstr(from, end) : NULL;
    from += from ? sizeof begin - 1 : 0;
    json_t *rounds = to ? stored_json(plot->path, from, (size_t)(to - from), &ignored) : NULL;
    for (size_t i = 0; good && i < json_array_size(rounds); i++)
        good = point_take(plot, json_array_get(rounds, i), before, p);
    json_decref(rounds);
    free(file.at);
    return good;
}
