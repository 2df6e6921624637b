/* checkpoint.c: a model in a safetensors file. Parameters and states have their plain names; what only training needs
 * lies under optimizer/ and total/, so that other programs find the weights and nothing else in their way. The notes
 * (__metadata__) say which model it is, where training stood, and what the class numbers stand for.
 * SPDX-License-Identifier: 0BSD */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "run.h"

/* The tensor that stands for a parameter wherever the model is used, if the optimizer keeps one; -1: none. */
static int average_of(const dln_model *m, int parameter)
{
    for (int i = 0; i < m->tensors; i++)
        if (m->tensor[i].kind != DLN_PARAM && !strncmp(m->tensor[i].name, "average.", 8) &&
            !strcmp(m->tensor[i].name + 8, m->tensor[parameter].name))
            return i;
    return -1;
}

static bool is_average(const dln_model *m, int tensor)
{
    for (int i = 0; i < m->tensors; i++)
        if (m->tensor[i].kind == DLN_PARAM && average_of(m, i) == tensor) return true;
    return false;
}

/* Is this tensor part of the trained model, as opposed to what training alone needs? An average is written in the place
 * of its parameter then. */
static bool is_weight(const Run *r, int tensor)
{
    const dln_kind kind = r->model->tensor[tensor].kind;
    return kind == DLN_PARAM || (kind == DLN_STATE && !is_average(r->model, tensor)) || r->measured[tensor];
}

static char *stored_name(const Run *r, int tensor, Problem *p)
{
    const dln_tensor *t = &r->model->tensor[tensor];
    return text_join(p, "%s%s", is_weight(r, tensor) ? "" : t->kind == DLN_TOTAL ? "total/" : "optimizer/", t->name);
}

/* ---- saving ---- */

typedef struct Notes {
    int count;
    const char *note[32][2];
    Writer text[32];
    char *key[32];
} Notes;

static Writer *note_add(Notes *n, const char *key, Problem *p)
{
    int i = n->count < 31 ? n->count++ : 31;
    n->key[i] = text_join(p, "%s", key);
    return &n->text[i];
}

static void note_number(Notes *n, const char *key, double value, Problem *p)
{
    write_text(note_add(n, key, p), "%.17g", value);
}
static void note_integer(Notes *n, const char *key, uint64_t value, Problem *p)
{
    write_text(note_add(n, key, p), "%llu", (unsigned long long)value);
}
static void note_text(Notes *n, const char *key, const char *value, Problem *p)
{
    write_text(note_add(n, key, p), "%s", value);
}

static void notes_of_model(Notes *n, const Run *r, Problem *p)
{
    const dln_model *m = r->model;
    note_text(n, "format", "dln", p);
    note_text(n, "model", m->name, p);
    note_text(n, "sha256", m->sha256, p);
    note_text(n, "dlnc", m->version, p);
    for (int i = 0; i < r->data.class_fields && n->count < 28; i++) {
        const Names *names = &r->data.classes[i]->names;
        char *key = names->count ? text_join(p, "classes:%s", r->data.classes[i]->field) : NULL;
        if (!key) continue;
        Writer *w = note_add(n, key, p);
        for (int k = 0; k < names->count; k++) {
            write_text(w, k ? "," : "[");
            write_json_string(w, names->name[k]);
        }
        write_text(w, "]");
        free(key);
    }
}

static void notes_of_progress(Notes *n, const Run *r, const Progress *at, uint64_t seed, Problem *p)
{
    const dln_model *m = r->model;
    note_integer(n, "iteration", (uint64_t)m->iteration(r->object), p);
    note_integer(n, "seed", seed, p);
    note_integer(n, "epoch", (uint64_t)at->epoch, p);
    note_integer(n, "batch_in_epoch", (uint64_t)at->batch_in_epoch, p);
    note_integer(n, "step", (uint64_t)at->step, p);
    note_integer(n, "waited", (uint64_t)at->waited, p);
    note_integer(n, "batch", (uint64_t)at->batch, p);
    note_integer(n, "rows", at->rows, p);
    note_number(n, "best", at->best, p);
    note_number(n, "watched", at->watched, p);
    Writer *w = note_add(n, "clocks", p);
    for (int i = 0; i < m->clocks; i++) write_text(w, i ? " %.17g" : "%.17g", at->last[i]);
    w = note_add(n, "settings", p);
    for (int i = 0; i < m->settings; i++)
        write_text(w, "%s%s=%.17g", i ? " " : "", m->setting[i].name,
                   isnan(r->options.setting[i]) ? m->setting[i].value : r->options.setting[i]);
}

typedef struct Saving {
    Run *r;
    const int *tensor;
    void *values;
} Saving;

/* Totals are added up in double, also in a model of floats; a resume to the same bits needs all of them. */
static bool kept_twice(const dln_model *m, const dln_tensor *t)
{
    return m->real_bytes == 8 || (t->kind == DLN_TOTAL && m->get_double && m->put_double);
}

static bool saving_values(void *context, int i, const void **values, Problem *p)
{
    Saving *s = context;
    const dln_model *m = s->r->model;
    const dln_tensor *t = &m->tensor[s->tensor[i]];
    free(s->values);
    if (!(s->values = memory_new(tensor_elements(t), kept_twice(m, t) ? 8 : 4, p))) return false;
    int status = kept_twice(m, t) && m->real_bytes == 4 ? m->get_double(s->r->object, s->tensor[i], s->values)
                                                        : m->get(s->r->object, s->tensor[i], s->values);
    if (!run_check(s->r, status, t->name, p)) return false;
    *values = s->values;
    return true;
}

bool checkpoint_save(Run *r, const char *path, const Progress *at, uint64_t seed, KeepKind keep, Problem *p)
{
    const dln_model *m = r->model;
    const size_t most = (size_t)m->tensors;
    Notes *n = memory_new(1, sizeof *n, p);
    StoredTensor *t = memory_new(most, sizeof *t, p);
    int *tensor = memory_new(most, sizeof *tensor, p), count = 0;
    bool good = n && t && tensor;
    for (int i = 0; good && i < m->tensors; i++) {
        const dln_tensor *from = &m->tensor[i];
        if (keep == KEEP_WEIGHTS && !is_weight(r, i)) continue;
        StoredTensor *to = &t[count];
        *to = (StoredTensor){ .name = stored_name(r, i, p), .twice = kept_twice(m, from), .rank = from->rank };
        for (int k = 0; k < from->rank; k++) to->extent[k] = from->extent[k];
        int average = keep == KEEP_WEIGHTS && from->kind == DLN_PARAM ? average_of(m, i) : -1;
        tensor[count++] = average >= 0 ? average : i;
        good = to->name != NULL;
    }
    if (good) {
        notes_of_model(n, r, p);
        if (keep == KEEP_ALL) notes_of_progress(n, r, at, seed, p);
        for (int i = 0; good && i < n->count; i++) {
            n->note[i][0] = n->key[i];
            n->note[i][1] = n->text[i].text ? n->text[i].text : "";
            good = n->key[i] && !n->text[i].failed;
        }
        Saving s = { r, tensor, NULL };
        good = good && stored_write(path, count, t, n->count, (const char *const(*)[2])n->note, saving_values, &s, p);
        free(s.values);
    }
    for (int i = 0; t && i < count; i++) free((char *)(uintptr_t)t[i].name);
    for (int i = 0; n && i < n->count; i++) {
        free(n->key[i]);
        free(n->text[i].text);
    }
    free(tensor);
    free(t);
    free(n);
    return good;
}

/* ---- loading ---- */

static bool shape_equal(const dln_tensor *t, const StoredTensor *s)
{
    if (t->rank != s->rank) return false;
    for (int i = 0; i < t->rank; i++)
        if (t->extent[i] != s->extent[i]) return false;
    return true;
}

static const char *stored_shape_words(const StoredTensor *s, char *words, size_t room)
{
    size_t used = (size_t)snprintf(words, room, "[");
    for (int i = 0; i < s->rank && used < room; i++)
        used += (size_t)snprintf(words + used, room - used, i ? ", %lld" : "%lld", (long long)s->extent[i]);
    if (used < room) snprintf(words + used, room - used, "]");
    return words;
}

/* Holds every tensor of the model against the file and the other way round. found[i]: where tensor i is, or NULL where
 * it is missing and only training needs it. */
static bool tensors_match(const Run *r, const StoredFile *f, bool whole, const StoredTensor **found, Problem *p)
{
    enum { SHOWN = 20 };
    const dln_model *m = r->model;
    int wrong = 0;
    char a[120], b[120];
    Names names = { 0 };
    problem_set(p, EXIT_INPUT, "%s does not fit the model %s:", f->path, m->name);
    for (int i = 0; i < m->tensors; i++) {
        const dln_tensor *t = &m->tensor[i];
        Problem memory;
        char *name = stored_name(r, i, &memory);
        if (!name || names_add(&names, name, strlen(name), &memory) < 0) {
            *p = memory;
            names_free(&names);
            free(name);
            return false;
        }
        const StoredTensor *s = stored_find(f, name);
        found[i] = s && shape_equal(t, s) ? s : NULL;
        if (!found[i] && (whole || is_weight(r, i)) && wrong++ < SHOWN)
            problem_add(p, "\n  %-32s expected %-20s %s%s", name, shape_words(t->rank, t->extent, a, sizeof a),
                        s ? "in the file " : "not in the file", s ? stored_shape_words(s, b, sizeof b) : "");
        free(name);
    }
    for (int i = 0; i < f->tensors; i++) {
        const char *name = f->tensor[i].name;
        if (names_find(&names, name, strlen(name)) >= 0) continue;
        if (!whole && (!strncmp(name, "optimizer/", 10) || !strncmp(name, "total/", 6))) continue;
        if (wrong++ < SHOWN)
            problem_add(p, "\n  %-32.80s not in the model %13s in the file %s", name, "",
                        stored_shape_words(&f->tensor[i], b, sizeof b));
    }
    if (wrong > SHOWN) problem_add(p, "\n  and %d more", wrong - SHOWN);
    names_free(&names);
    if (!wrong) *p = (Problem){ 0 };
    return !wrong;
}

static bool values_finite(const Run *r, const void *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(r->model->real_bytes == 8 ? ((const double *)values)[i] : (double)((const float *)values)[i]))
            return false;
    return true;
}

/* Puts all tensors of a kind that the file has. */
static bool kind_put(Run *r, const StoredFile *f, const StoredTensor **found, dln_kind kind, Problem *p)
{
    const dln_model *m = r->model;
    for (int i = 0; i < m->tensors; i++) {
        const dln_tensor *t = &m->tensor[i];
        if (t->kind != kind || !found[i]) continue;
        size_t count = tensor_elements(t);
        const bool twice = kept_twice(m, t);
        void *values = memory_new(count, twice ? 8 : 4, p);
        bool good = values && stored_values(f, found[i], twice, values, p);
        if (good && kind == DLN_PARAM && !values_finite(r, values, count))
            good = problem_set(p, EXIT_INPUT, "%s: %s holds values that are not finite", f->path, t->name);
        if (good)
            good = run_check(
                r, twice && m->real_bytes == 4 ? m->put_double(r->object, i, values) : m->put(r->object, i, values),
                t->name, p);
        int average = kind == DLN_PARAM ? average_of(m, i) : -1;
        if (good && average >= 0 && !found[average])
            good = run_check(r, m->put(r->object, average, values), t->name, p);
        free(values);
        if (!good) return false;
    }
    return true;
}

static bool note_read_integer(const StoredFile *f, const char *key, int64_t *out, Problem *p)
{
    const char *text = stored_note(f, key);
    if (text && integer_parse(text, strlen(text), 0, INT64_MAX, out) == NUMBER_GOOD) return true;
    return problem_set(p, EXIT_INPUT, "%s: cannot resume from it: its note '%s' is %s", f->path, key,
                       text ? "wrong" : "missing");
}

static bool note_read_number(const StoredFile *f, const char *key, const char **text, double *out, Problem *p)
{
    char *end = NULL;
    if (*text) *out = strtod(*text, &end);
    if (!end || end == *text)
        return problem_set(p, EXIT_INPUT, "%s: cannot resume from it: its note '%s' is missing or wrong", f->path, key);
    *text = end;
    return true;
}

static bool progress_read(const Run *r, const StoredFile *f, Progress *at, int64_t *iteration, int64_t *seed,
                          Problem *p)
{
    int64_t rows;
    const char *format = stored_note(f, "format"), *best = stored_note(f, "best"), *watched = stored_note(f, "watched"),
               *clocks = stored_note(f, "clocks");
    if (!format || strcmp(format, "dln"))
        return problem_set(p, EXIT_INPUT, "%s: cannot resume from it: it was not written by dln", f->path);
    if (!note_read_integer(f, "iteration", iteration, p) || !note_read_integer(f, "seed", seed, p) ||
        !note_read_integer(f, "epoch", &at->epoch, p) ||
        !note_read_integer(f, "batch_in_epoch", &at->batch_in_epoch, p) ||
        !note_read_integer(f, "step", &at->step, p) || !note_read_integer(f, "waited", &at->waited, p) ||
        !note_read_integer(f, "batch", &at->batch, p) || !note_read_integer(f, "rows", &rows, p))
        return false;
    at->rows = (uint64_t)rows;
    if (!note_read_number(f, "best", &best, &at->best, p) || !note_read_number(f, "watched", &watched, &at->watched, p))
        return false;
    for (int i = 0; i < r->model->clocks; i++)
        if (!note_read_number(f, "clocks", &clocks, &at->last[i], p)) return false;
    return true;
}

bool checkpoint_load(Run *r, const char *path, Progress *at, uint64_t *seed, Problem *p)
{
    const dln_model *m = r->model;
    StoredFile f;
    int64_t iteration = 0, saved_seed = 0;
    if (!stored_open(&f, path, p)) return false;
    const char *sha256 = stored_note(&f, "sha256");
    const StoredTensor **found = memory_new((size_t)m->tensors, sizeof *found, p);
    bool good = found && tensors_match(r, &f, at != NULL, found, p);
    if (good && at) good = progress_read(r, &f, at, &iteration, &saved_seed, p);
    good = good && kind_put(r, &f, found, DLN_TOTAL, p);
    good = good && kind_put(r, &f, found, DLN_PARAM, p) && kind_put(r, &f, found, DLN_STATE, p) &&
           kind_put(r, &f, found, DLN_OPTIMIZER, p);
    /* a model whose iteration is not 0 has been measured: what `normalize` learned is among the states */
    if (good)
        good = run_check(r, m->set_iteration(r->object, at ? iteration : 1, at ? (uint64_t)saved_seed : m->seed),
                         "iteration", p);
    if (good && at) *seed = (uint64_t)saved_seed;
    if (good && sha256 && strcmp(sha256, m->sha256) && !r->options.quiet)
        fprintf(stderr, "note: %s was written by another version of %s; all shapes agree\n", path, m->source);
    free(found);
    stored_close(&f);
    return good;
}

static bool classes_take(const char *path, const char *key, const json_t *list, Names *names, Problem *p)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        int number = name ? names_add(names, name, strlen(name), p) : -1;
        if (name && number < 0) return false;
        if (number != (int)i) return problem_set(p, EXIT_INPUT, "%s: its note '%.80s' is wrong", path, key);
    }
    return true;
}

bool checkpoint_classes(Run *r, const char *path, Problem *p)
{
    StoredFile f;
    const char *key;
    json_t *value;
    bool good = true;
    if (!stored_open(&f, path, p)) return false;
    json_object_foreach(json_object_get(f.json, "__metadata__"), key, value)
    {
        if (!good || strncmp(key, "classes:", 8)) continue;
        const char *text = json_string_value(value);
        json_t *list = stored_json(path, text, strlen(text), p);
        good = list && (json_is_array(list) || problem_set(p, EXIT_INPUT, "%s: its note '%.80s' is wrong", path, key));
        Names *names = good ? data_classes(&r->data, key + 8, p) : NULL;
        good = names && classes_take(path, key, list, names, p);
        json_decref(list);
    }
    stored_close(&f);
    return good;
}

int export_command(Run *r, Problem *p)
{
    const char *to = r->options.output;
    if (!to) return problem_set(p, EXIT_USAGE, "export needs --output FILE"), p->code;
    if (!checkpoint_classes(r, r->weights, p) || !run_init(r, r->model->seed, p) ||
        !checkpoint_load(r, r->weights, NULL, NULL, p) || !checkpoint_save(r, to, NULL, 0, KEEP_WEIGHTS, p))
        return p->code;
    if (!r->options.quiet) fprintf(stderr, "%s: the weights of %s\n", to, r->model->name);
    return EXIT_DONE;
}
