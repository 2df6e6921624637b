/* checkpoint.c: a model in a safetensors file. Parameters and states have their plain names; what only training needs
 * lies under optimizer/ and total/, so that other programs find the weights and nothing else in their way. The notes
 * (__metadata__) say which model it is, where training stood, and what the class numbers stand for.
 * SPDX-License-Identifier: 0BSD */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "run.h"

int tensor_average(const dln_model *m, int parameter)
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
        if (m->tensor[i].kind == DLN_PARAM && tensor_average(m, i) == tensor) return true;
    return false;
}

bool tensor_is_weight(const Run *r, int tensor)
{
    const dln_kind kind = r->model->tensor[tensor].kind;
    return kind == DLN_PARAM || (kind == DLN_STATE && !is_average(r->model, tensor)) || r->measured[tensor];
}

const dln_foreign *foreign_of(const dln_model *m, int tensor)
{
    for (int i = 0; i < m->foreigns; i++)
        if (m->foreign[i].tensor == tensor) return &m->foreign[i];
    return NULL;
}

char *file_name(const Run *r, int tensor, bool torch, StoredTensor *shape, Problem *p)
{
    const dln_tensor *t = &r->model->tensor[tensor];
    const dln_foreign *row = torch ? foreign_of(r->model, tensor) : NULL;
    shape->rank = row ? row->rank : t->rank;
    for (int k = 0; k < shape->rank; k++) shape->extent[k] = row ? row->extent[k] : t->extent[k];
    if (row) return text_join(p, "%s", row->name);
    return text_join(p, "%s%s", tensor_is_weight(r, tensor) ? "" : t->kind == DLN_TOTAL ? "total/" : "optimizer/",
                     t->name);
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

static bool notes_of_model(Notes *n, const Run *r, Problem *p)
{
    const dln_model *m = r->model;
    note_text(n, "format", "dln", p);
    note_text(n, "model", m->name, p);
    note_text(n, "sha256", m->sha256, p);
    note_text(n, "dlnc", m->version, p);
    for (int i = 0; i < r->data.class_fields && n->count < 28; i++) {
        const Names *names = &r->data.classes[i]->names;
        if (!names->count) continue;
        char *key = text_join(p, "classes:%s", r->data.classes[i]->field);
        if (!key) return false;
        Writer *w = note_add(n, key, p);
        write_names(w, names);
        free(key);
    }
    return true;
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

/* What is written: stored tensor `into[i]` takes tensor i, whose values are those of `from[i]` (itself or its average).
 * In PyTorch's layout several may go into one. */
typedef struct Saving {
    Run *r;
    bool torch;
    int count;
    StoredTensor *stored;
    int *into, *from;
    void *values, *part;
} Saving;

/* A resume to the same bits needs all of a total. */
bool tensor_twice(const dln_model *m, const dln_tensor *t)
{
    return m->real_bytes == 8 || (t->kind == DLN_TOTAL && m->get_double && m->put_double);
}

bool tensor_read(const Run *r, int tensor, void *values, Problem *p)
{
    const dln_model *m = r->model;
    const dln_tensor *t = &m->tensor[tensor];
    const bool wide = tensor_twice(m, t) && m->real_bytes == 4;
    return run_check(r, wide ? m->get_double(r->object, tensor, values) : m->get(r->object, tensor, values), t->name,
                     p);
}

static bool saving_values(void *context, int which, const void **values, Problem *p)
{
    Saving *s = context;
    const dln_model *m = s->r->model;
    const StoredTensor *to = &s->stored[which];
    const size_t bytes = to->twice ? 8 : 4;
    size_t room = 1;
    for (int k = 0; k < to->rank; k++) room *= (size_t)to->extent[k];
    free(s->values);
    if (!(s->values = memory_new(room, bytes, p))) return false;
    for (int i = 0; i < m->tensors; i++) {
        if (s->into[i] != which) continue;
        const dln_foreign *row = s->torch ? foreign_of(m, i) : NULL;
        const size_t count = tensor_elements(&m->tensor[i]);
        free(s->part);
        if (!(s->part = memory_new(count, bytes, p)) || !tensor_read(s->r, s->from[i], s->part, p)) return false;
        for (size_t k = 0; k < count; k++) {
            const size_t place = row && row->place ? row->place(k) : k;
            if (place >= room) return problem_set(p, EXIT_BUG, "%s: element %zu lies outside of %s", m->tensor[i].name, k, to->name);
            memcpy((char *)s->values + place * bytes, (const char *)s->part + k * bytes, bytes);
        }
    }
    *values = s->values;
    return true;
}

/* A stored tensor for tensor i: a new one, or the one that it is a part of. */
static bool saving_add(Saving *s, int i, Problem *p)
{
    const dln_model *m = s->r->model;
    const dln_tensor *t = &m->tensor[i];
    StoredTensor *to = &s->stored[s->count];
    char *name = file_name(s->r, i, s->torch, to, p);
    if (!name) return false;
    s->into[i] = s->count;
    for (int k = 0; s->torch && k < s->count; k++)
        if (!strcmp(s->stored[k].name, name)) s->into[i] = k;
    to->twice = tensor_twice(m, t);
    if (s->into[i] == s->count)
        s->stored[s->count++].name = name;
    else
        free(name);
    return true;
}

static bool saving_begin(Saving *s, KeepKind keep, Problem *p)
{
    const dln_model *m = s->r->model;
    const size_t most = (size_t)m->tensors;
    s->stored = memory_new(most + 1, sizeof *s->stored, p);
    s->into = memory_new(most, sizeof *s->into, p);
    s->from = memory_new(most, sizeof *s->from, p);
    if (!s->stored || !s->into || !s->from) return false;
    for (int i = 0; i < m->tensors; i++) {
        s->into[i] = -1;
        if (keep != KEEP_ALL && !tensor_is_weight(s->r, i)) continue;
        int average = keep != KEEP_ALL && m->tensor[i].kind == DLN_PARAM ? tensor_average(m, i) : -1;
        s->from[i] = average >= 0 ? average : i;
        if (!saving_add(s, i, p)) return false;
    }
    return true;
}

static void saving_end(Saving *s)
{
    for (int i = 0; i < s->count; i++) free((char *)(uintptr_t)s->stored[i].name);
    free(s->stored);
    free(s->into);
    free(s->from);
    free(s->values);
    free(s->part);
}

bool weights_export(Run *r, const char *path, bool torch, WeightsWriter *write, Problem *p)
{
    Saving s = { .r = r, .torch = torch };
    bool good = saving_begin(&s, torch ? KEEP_WEIGHTS_TORCH : KEEP_WEIGHTS, p);
    if (good) {
        const Weights all = { .model = r->model, .tensors = s.count, .tensor = s.stored, .values = saving_values,
                              .context = &s, .data = &r->data };
        good = write(path, &all, p);
    }
    saving_end(&s);
    return good;
}

bool checkpoint_save(Run *r, const char *path, const Progress *at, uint64_t seed, KeepKind keep, Problem *p)
{
    Notes *n = memory_new(1, sizeof *n, p);
    Saving s = { .r = r, .torch = keep == KEEP_WEIGHTS_TORCH };
    bool good = n && saving_begin(&s, keep, p);
    if (good && (good = notes_of_model(n, r, p))) {
        if (keep == KEEP_ALL) notes_of_progress(n, r, at, seed, p);
        for (int i = 0; good && i < n->count; i++) {
            n->note[i][0] = n->key[i];
            n->note[i][1] = n->text[i].text ? n->text[i].text : "";
            good = (n->key[i] && !n->text[i].failed) || problem_set(p, EXIT_IO, "%s: out of memory", path);
        }
        good = good && stored_write(path, s.count, s.stored, n->count, (const char *const(*)[2])n->note,
                                    saving_values, &s, p);
    }
    saving_end(&s);
    for (int i = 0; n && i < n->count; i++) {
        free(n->key[i]);
        free(n->text[i].text);
    }
    free(n);
    return good;
}

/* ---- loading ---- */

bool shape_equal(const StoredTensor *a, const StoredTensor *b)
{
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->extent[i] != b->extent[i]) return false;
    return true;
}

/* "5 of 7 tensors match: dense.w, dense.b .." */
static void matched_add(const Run *r, const StoredTensor **found, bool whole, int matched, int asked, Problem *p)
{
    enum { SHOWN = 8 };
    int shown = 0;
    problem_add(p, "\n%d of %d tensors match", matched, asked);
    for (int i = 0; i < r->model->tensors; i++)
        if (found[i] && (whole || tensor_is_weight(r, i)) && shown++ < SHOWN)
            problem_add(p, "%s%.60s", shown > 1 ? ", " : ": ", found[i]->name);
    if (matched > SHOWN) problem_add(p, ", ..");
}

/* Holds every tensor of the model against the file and the other way round. found[i]: where tensor i is, or NULL where
 * it is missing and only training needs it. */
static bool tensors_match(const Run *r, const StoredFile *f, bool whole, const StoredTensor **found, Problem *p)
{
    enum { SHOWN = 20 };
    const dln_model *m = r->model;
    int wrong = 0, matched = 0, asked = 0;
    char a[120], b[120];
    Names names = { 0 };
    problem_set(p, EXIT_INPUT, "%s does not fit the model %s:", f->path, m->name);
    for (int i = 0; i < m->tensors; i++) {
        Problem memory;
        StoredTensor expected = { 0 };
        char *name = file_name(r, i, false, &expected, &memory);
        if (!name || names_add(&names, name, strlen(name), &memory) < 0) {
            *p = memory;
            names_free(&names);
            free(name);
            return false;
        }
        const StoredTensor *s = stored_find(f, name);
        found[i] = s && shape_equal(&expected, s) && s->kind != STORED_OTHER ? s : NULL;
        if (whole || tensor_is_weight(r, i)) {
            asked++;
            matched += found[i] != NULL;
        }
        if (!found[i] && (whole || tensor_is_weight(r, i)) && wrong++ < SHOWN)
            problem_add(p, "\n  %-32s expected %-20s %s%s", name, stored_shape_words(&expected, a, sizeof a),
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
    matched_add(r, found, whole, matched, asked, p);
    names_free(&names);
    if (!wrong) *p = (Problem){ 0 };
    return !wrong;
}

bool values_finite(const void *values, bool twice, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(twice ? ((const double *)values)[i] : (double)((const float *)values)[i])) return false;
    return true;
}

bool tensor_put(const Run *r, int tensor, const void *values, Problem *p)
{
    const dln_model *m = r->model;
    const dln_tensor *t = &m->tensor[tensor];
    const bool wide = tensor_twice(m, t) && m->real_bytes == 4;
    return run_check(r, wide ? m->put_double(r->object, tensor, values) : m->put(r->object, tensor, values), t->name,
                     p);
}

/* Puts all tensors of a kind that the file has. */
static bool kind_put(Run *r, const StoredFile *f, const StoredTensor **found, dln_kind kind, Problem *p)
{
    const dln_model *m = r->model;
    for (int i = 0; i < m->tensors; i++) {
        const dln_tensor *t = &m->tensor[i];
        if (t->kind != kind || !found[i]) continue;
        size_t count = tensor_elements(t);
        const bool twice = tensor_twice(m, t);
        void *values = memory_new(count, twice ? 8 : 4, p);
        bool good = values && stored_values(f, found[i], twice, values, p);
        if (good && kind == DLN_PARAM && !values_finite(values, twice, count))
            good = problem_set(p, EXIT_INPUT, "%s: %s holds values that are not finite", f->path, t->name);
        good = good && tensor_put(r, i, values, p);
        int average = kind == DLN_PARAM ? tensor_average(m, i) : -1;
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

/* ---- for the commands that use a trained model ---- */

/* No file was named and none is there, but the .dln says where all weights come from. */
static bool sources_stand_in(const Run *r)
{
    return !r->options.weights && r->model->sources && access(r->weights, F_OK) && sources_cover(r);
}

bool trained_load(Run *r, Problem *p)
{
    const dln_model *m = r->model;
    if (sources_stand_in(r))
        return run_init(r, m->seed, p) && sources_load(r, SOURCES_ALL, p) &&
               run_check(r, m->set_iteration(r->object, 1, m->seed), "iteration", p);
    return checkpoint_classes(r, r->weights, p) && run_init(r, m->seed, p) &&
           checkpoint_load(r, r->weights, NULL, NULL, p);
}
