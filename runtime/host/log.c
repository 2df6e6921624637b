/* log.c: --log FILE.csv or FILE.jsonl: one record an epoch, flushed at once. SPDX-License-Identifier: 0BSD */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "run.h"

/* ,"loss":0.5,"accuracy":0.9 or ,0.5,0.9; what is not finite is null or empty. */
void write_record(Writer *w, const dln_model *m, const double *values, const char *prefix, bool json)
{
    char label[100], key[120];
    for (int i = 0, at = 0; i < m->metrics; at += m->metric[i++].values) {
        if (m->metric[i].values != 1) continue;
        write_text(w, ",");
        if (json) {
            snprintf(key, sizeof key, "%s%s", prefix, metric_label(&m->metric[i], label, sizeof label));
            write_json_string(w, key);
            write_text(w, ":");
        }
        if (values && isfinite(values[at]))
            write_text(w, "%.9g", values[at]);
        else if (json)
            write_text(w, "null");
    }
}

static void write_titles(Writer *w, const dln_model *m, const char *prefix)
{
    char label[100];
    for (int i = 0; i < m->metrics; i++)
        if (m->metric[i].values == 1) write_text(w, ",%s%s", prefix, metric_label(&m->metric[i], label, sizeof label));
}

static bool log_write(Log *l, Writer *w, Problem *p)
{
    write_text(w, "\n");
    bool good = !w->failed && fputs(w->text, l->file) >= 0 && !fflush(l->file);
    free(w->text);
    return good || problem_set(p, EXIT_IO, "cannot write %s: %s", l->path, strerror(errno));
}

bool log_open(Log *l, const char *path, const dln_model *m, bool validated, bool append, Problem *p)
{
    *l = (Log){ .model = m, .json = path[strlen(path) - 1] == 'l', .validated = validated };
    if (!(l->path = text_join(p, "%s", path))) return false;
    if (!(l->file = fopen(path, append ? "ae" : "we"))) {
        problem_set(p, EXIT_IO, "cannot write %s: %s", path, strerror(errno));
        free(l->path);
        return false;
    }
    if (l->json || (append && !fseek(l->file, 0, SEEK_END) && ftell(l->file) > 0)) return true;
    Writer w = { 0 };
    write_text(&w, "epoch,iteration,seconds");
    write_titles(&w, m, "");
    if (validated) write_titles(&w, m, "val_");
    return log_write(l, &w, p);
}

bool log_round(Log *l, int64_t epoch, int64_t iteration, double seconds, const double *values, const double *validation,
               Problem *p)
{
    Writer w = { 0 };
    if (!l->file) return true;
    write_text(&w, l->json ? "{\"epoch\":%lld,\"iteration\":%lld,\"seconds\":%.3f" : "%lld,%lld,%.3f", (long long)epoch,
               (long long)iteration, seconds);
    write_record(&w, l->model, values, "", l->json);
    if (l->validated) write_record(&w, l->model, validation, "val_", l->json);
    if (l->json) write_text(&w, "}");
    return log_write(l, &w, p);
}

bool log_close(Log *l, Problem *p)
{
    bool good =
        !l->file || !fclose(l->file) || problem_set(p, EXIT_IO, "cannot write %s: %s", l->path, strerror(errno));
    free(l->path);
    *l = (Log){ 0 };
    return good;
}
