/* sources.c: weights = safetensors("file", layout = torch, prefix = "..", drop = [..]) of the model's layers: what their
 * tensors begin training with.
 *
 *     claims_make    which tensors of ours a source is for, and how they are called in its file
 *     claims_match   holds them against the file, both ways: all of it fits, or a table says what does not
 *     claims_put     reads the values and puts them in their places
 * SPDX-License-Identifier: 0BSD */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "run.h"

typedef struct Source {
    const char *path;                            /* of the layer: "backbone" */
    const char *file, *prefix;                   /* as written; prefix "" where there is none */
    bool torch;
    int drops;
    const dln_value *drop;                       /* strings: names in the file, with * and ? */
} Source;

/* One of our tensors, or a part of a tensor of the file. */
typedef struct Claim {
    int tensor;
    char *name;                                  /* in the file */
    const dln_foreign *row;
    StoredTensor expected;
    bool optional;                               /* a total: measured, if the file does not have it */
    const StoredTensor *found;
} Claim;
typedef struct Claims { int count; Claim *at; } Claims;

/* ---- what the .dln says ---- */

static bool wrong(const Source *s, Problem *p, const char *what, const char *text)
{
    return problem_set(p, EXIT_INPUT, "weights of %s: %s%s", s->path, what, text);
}

static bool argument_unknown(const Source *s, const char *key, Problem *p)
{
    static const char *const keys[] = { "layout", "prefix", "drop" };
    const char *near = name_nearest(key, keys, 3);
    wrong(s, p, "safetensors has no argument ", key);
    problem_add(p, near ? "; did you mean %s?" : "; it takes layout, prefix and drop", near);
    return false;
}

static bool drop_read(Source *s, const dln_value *v, Problem *p)
{
    s->drop = v->kind == DLN_LIST ? v->items : v;
    s->drops = v->kind == DLN_LIST ? v->count : 1;
    for (int i = 0; i < s->drops; i++)
        if (s->drop[i].kind != DLN_STRING) return wrong(s, p, "drop takes names of tensors: drop = [\"fc.*\"]", "");
    return true;
}

static bool argument_read(Source *s, const dln_value *v, Problem *p)
{
    if (!v->key) {
        if (v->kind != DLN_STRING || s->file) return wrong(s, p, "safetensors takes the name of one file", "");
        s->file = v->text;
        return true;
    }
    if (!strcmp(v->key, "layout")) {
        s->torch = v->kind == DLN_WORD && !strcmp(v->text, "torch");
        return s->torch || (v->kind == DLN_WORD && !strcmp(v->text, "dln")) || wrong(s, p, "layout is torch or dln", "");
    }
    if (!strcmp(v->key, "prefix")) {
        s->prefix = v->text;
        return v->kind == DLN_STRING || wrong(s, p, "prefix takes a string", "");
    }
    return strcmp(v->key, "drop") ? argument_unknown(s, v->key, p) : drop_read(s, v, p);
}

static bool source_read(Source *s, const dln_value *v, Problem *p)
{
    *s = (Source){ .path = v->key, .prefix = "" };
    if (v->kind != DLN_CALL || strcmp(v->text, "safetensors")) {
        wrong(s, p, "there is no reader ", v->text ? v->text : "of that kind");
        problem_add(p, "; weights = safetensors(\"FILE\", layout = torch) reads PyTorch's, without layout our own");
        return false;
    }
    for (int i = 0; i < v->count; i++)
        if (!argument_read(s, &v->items[i], p)) return false;
    return s->file || wrong(s, p, "safetensors needs the name of a file", "");
}

/* The file: --data, $DLN_DATA, the current folder. */
static char *source_find(const Run *r, const Source *s, Problem *p)
{
    const char *folders[] = { r->options.folder, getenv("DLN_DATA"), "." };
    if (s->file[0] == '/') return text_join(p, "%s", s->file);
    for (int i = 0; i < 3; i++) {
        if (!folders[i] || !*folders[i]) continue;
        char *path = strcmp(folders[i], ".") ? text_join(p, "%s/%s", folders[i], s->file) : text_join(p, "%s", s->file);
        if (!path || !access(path, F_OK)) return path;
        free(path);
    }
    const bool data = !strcmp(r->data.folder, ".");
    problem_set(p, EXIT_IO, "weights of %s: cannot find %s in %s%s; --data DIR or DLN_DATA names the folder", s->path,
                s->file, data ? "the current folder" : r->data.folder, data ? "" : " or the current folder");
    return NULL;
}

/* ---- which tensors ---- */

static bool is_below(const char *name, const char *path)
{
    size_t n = strlen(path);
    return !strncmp(name, path, n) && name[n] == '.';
}

/* The source of a tensor: that of the innermost layer; -1: none. */
static int source_of_tensor(const dln_model *m, int tensor)
{
    int best = -1;
    for (int i = 0; i < m->sources; i++)
        if (is_below(m->tensor[tensor].name, m->source_of[i].key) &&
            (best < 0 || strlen(m->source_of[i].key) > strlen(m->source_of[best].key)))
            best = i;
    return best;
}

bool sources_cover(const Run *r)
{
    for (int i = 0; i < r->model->tensors; i++)
        if (tensor_is_weight(r, i) && source_of_tensor(r->model, i) < 0) return false;
    return true;
}

static bool is_dropped(const Source *s, const char *name)
{
    for (int i = 0; i < s->drops; i++)
        if (!fnmatch(s->drop[i].text, name, 0)) return true;
    return false;
}

static bool claim_make(const Run *r, const Source *s, int tensor, Claim *c, Problem *p)
{
    *c = (Claim){ .tensor = tensor, .row = s->torch ? foreign_of(r->model, tensor) : NULL };
    c->optional = r->model->tensor[tensor].kind == DLN_TOTAL;
    char *whole = file_name(r, tensor, s->torch, &c->expected, p);
    if (!whole) return false;
    const char *name = is_below(whole, s->path) ? whole + strlen(s->path) + 1 : whole;
    c->name = *s->prefix ? text_join(p, "%s.%s", s->prefix, name) : text_join(p, "%s", name);
    free(whole);
    return c->name != NULL;
}

/* What is dropped keeps its initial value. */
static bool claims_make(const Run *r, int source, const Source *s, Claims *all, Problem *p)
{
    const dln_model *m = r->model;
    *all = (Claims){ .at = memory_new((size_t)m->tensors + 1, sizeof *all->at, p) };
    if (!all->at) return false;
    for (int i = 0; i < m->tensors; i++) {
        Claim *c = &all->at[all->count];
        if (!tensor_is_weight(r, i) || source_of_tensor(m, i) != source) continue;
        if (!claim_make(r, s, i, c, p)) return false;
        if (is_dropped(s, c->name))
            free(c->name);
        else
            all->count++;
    }
    return true;
}

static void claims_free(Claims *all)
{
    for (int i = 0; i < all->count; i++) free(all->at[i].name);
    free(all->at);
}

/* ---- the file against them ---- */

/* A counter of PyTorch's batch normalisation, which nothing here needs. */
static bool is_tolerated(const Source *s, const StoredTensor *t)
{
    const char *last = strrchr(t->name, '.');
    last = last ? last + 1 : t->name;
    if (!s->torch) return !strncmp(t->name, "optimizer/", 10) || !strncmp(t->name, "total/", 6);
    return !t->rank && t->kind == STORED_OTHER && !strcmp(last, "num_batches_tracked");
}

/* Is nobody there who takes it? Another prefix is another source's business. */
static bool is_extra(const Source *s, const Claims *all, const StoredTensor *t)
{
    if (*s->prefix && !is_below(t->name, s->prefix)) return false;
    if (is_tolerated(s, t) || is_dropped(s, t->name)) return false;
    for (int i = 0; i < all->count; i++)
        if (!strcmp(all->at[i].name, t->name)) return false;
    return true;
}

static bool drops_match(const Source *s, const StoredFile *f, Problem *p)
{
    for (int i = 0; i < s->drops; i++) {
        bool any = false;
        for (int k = 0; k < f->tensors && !any; k++) any = !fnmatch(s->drop[i].text, f->tensor[k].name, 0);
        if (!any)
            return problem_set(p, EXIT_INPUT, "weights of %s: drop = \"%s\" is no tensor of %s", s->path,
                               s->drop[i].text, f->path);
    }
    return true;
}

/* What would have made the first missing tensor fit. */
static void match_advise(const Run *r, const Source *s, const Claims *all, const StoredFile *f, Problem *p)
{
    const Claim *c = all->at;
    while (c < all->at + all->count && (c->found || c->optional)) c++;
    if (c == all->at + all->count || stored_find(f, c->name)) return;
    Source other = *s;
    Claim there = { 0 };
    Problem ignored;
    other.torch = !s->torch;
    if (claim_make(r, &other, c->tensor, &there, &ignored) && strcmp(there.name, c->name) &&
        stored_find(f, there.name))
        problem_add(p, "\nThe file has the names of layout = %s", other.torch ? "torch" : "dln");
    free(there.name);
    const size_t length = strlen(c->name);
    for (int i = 0; i < f->tensors; i++) {
        const char *name = f->tensor[i].name;
        const size_t before = strlen(name) > length + 1 ? strlen(name) - length - 1 : 0;
        if (!before || name[before] != '.' || strcmp(name + before + 1, c->name)) continue;
        problem_add(p, "\nIs it prefix = \"%.*s\"?", before > 80 ? 80 : (int)before, name);
        return;
    }
}

enum { SHOWN = 20, MATCHED_SHOWN = 6 };

/* Parts of one tensor of the file stand in the table once. */
static bool is_shown_before(const Claims *all, int i)
{
    for (int k = 0; k < i; k++)
        if (!strcmp(all->at[k].name, all->at[i].name)) return true;
    return false;
}

static void matched_add(const Claims *all, int matched, Problem *p)
{
    int shown = 0, count = 0;
    for (int i = 0; i < all->count; i++) count += !is_shown_before(all, i);
    problem_add(p, "\n%d of %d tensors match%s", matched, count, matched ? ": " : "");
    for (int i = 0; i < all->count; i++)
        if (all->at[i].found && !is_shown_before(all, i) && shown++ < MATCHED_SHOWN)
            problem_add(p, "%s%.60s", shown > 1 ? ", " : "", all->at[i].name);
    if (matched > MATCHED_SHOWN) problem_add(p, ", ..");
}

static bool claims_match(const Run *r, const Source *s, Claims *all, const StoredFile *f, Problem *p)
{
    int bad = 0, matched = 0;
    char a[120], b[120];
    Problem table = { 0 };
    problem_set(&table, EXIT_INPUT, "%s does not fit %s (layout %s):", f->path, s->path, s->torch ? "torch" : "dln");
    for (int i = 0; i < all->count; i++) {
        Claim *c = &all->at[i];
        const StoredTensor *t = stored_find(f, c->name);
        c->found = t && shape_equal(t, &c->expected) && t->kind != STORED_OTHER ? t : NULL;
        if (is_shown_before(all, i)) continue;
        matched += c->found != NULL;
        if (!c->found && (t || !c->optional) && bad++ < SHOWN)
            problem_add(&table, "\n  %-32.60s expected %-18s %s%s", c->name,
                        stored_shape_words(&c->expected, a, sizeof a), t ? "in the file " : "not in the file",
                        t ? stored_shape_words(t, b, sizeof b) : "");
    }
    for (int i = 0; i < f->tensors; i++)
        if (is_extra(s, all, &f->tensor[i]) && bad++ < SHOWN)
            problem_add(&table, "\n  %-32.60s not in the model %14s in the file %s", f->tensor[i].name, "",
                        stored_shape_words(&f->tensor[i], b, sizeof b));
    if (!bad) return drops_match(s, f, p);
    if (bad > SHOWN) problem_add(&table, "\n  and %d more", bad - SHOWN);
    matched_add(all, matched, &table);
    match_advise(r, s, all, f, &table);
    *p = table;
    return false;
}

/* ---- values ---- */

static size_t stored_elements(const StoredTensor *t)
{
    size_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= (size_t)t->extent[i];
    return n;
}

/* The part of `values` that is the claim's tensor, into the model; `taken` counts who has taken each element. */
static bool claim_put(const Run *r, const Claim *c, const void *values, unsigned char *taken, Problem *p)
{
    const dln_model *m = r->model;
    const dln_tensor *t = &m->tensor[c->tensor];
    const size_t bytes = tensor_twice(m, t) ? 8 : 4, count = tensor_elements(t), room = stored_elements(c->found);
    void *own = memory_new(count, bytes, p);
    bool good = own != NULL;
    for (size_t k = 0; good && k < count; k++) {
        const size_t place = c->row && c->row->place ? c->row->place(k) : k;
        if (place >= room || taken[place]++)
            good = problem_set(p, EXIT_INPUT,
                               "%s: what `as \"..\"` of %s (%s) says does not lead to places of its own in %s",
                               m->source, t->name, t->line ? t->line : "?", c->name);
        else
            memcpy((char *)own + k * bytes, (const char *)values + place * bytes, bytes);
    }
    good = good && tensor_put(r, c->tensor, own, p);
    const int average = t->kind == DLN_PARAM ? tensor_average(m, c->tensor) : -1;
    if (good && average >= 0) good = tensor_put(r, average, own, p);
    free(own);
    return good;
}

/* All parts of one tensor of the file. */
static bool found_put(const Run *r, const StoredFile *f, Claims *all, int first, Problem *p)
{
    const StoredTensor *t = all->at[first].found;
    const bool twice = tensor_twice(r->model, &r->model->tensor[all->at[first].tensor]);
    const size_t room = stored_elements(t);
    void *values = memory_new(room, twice ? 8 : 4, p);
    unsigned char *taken = memory_new(room, 1, p);
    bool good = values && taken && stored_values(f, t, twice, values, p);
    if (good && !values_finite(values, twice, room))
        good = problem_set(p, EXIT_INPUT, "%s: %.80s holds values that are not finite", f->path, t->name);
    for (int i = first; i < all->count; i++) {
        if (all->at[i].found != t) continue;
        good = good && claim_put(r, &all->at[i], values, taken, p);
        all->at[i].found = NULL; /* done */
    }
    free(values);
    free(taken);
    return good;
}

static bool claims_put(const Run *r, const StoredFile *f, Claims *all, Problem *p)
{
    for (int i = 0; i < all->count; i++)
        if (all->at[i].found && !found_put(r, f, all, i, p)) return false;
    return true;
}

/* ---- all sources ---- */

static bool source_load(Run *r, int source, SourcesPart part, Problem *p)
{
    Source s;
    Claims all;
    StoredFile f;
    if (!source_read(&s, &r->model->source_of[source], p)) return false;
    char *path = source_find(r, &s, p);
    if (!path || !stored_open(&f, path, p)) {
        free(path);
        return false;
    }
    bool good = claims_make(r, source, &s, &all, p) && claims_match(r, &s, &all, &f, p);
    for (int i = 0; part == SOURCES_TOTALS && i < all.count; i++)
        if (!all.at[i].optional) all.at[i].found = NULL;
    good = good && claims_put(r, &f, &all, p);
    if (good && part == SOURCES_ALL && !r->options.quiet)
        fprintf(stderr, "%s: %d tensors from %s%s\n", s.path, all.count, path, s.torch ? ", PyTorch's layout" : "");
    claims_free(&all);
    stored_close(&f);
    free(path);
    return good;
}

bool sources_load(Run *r, SourcesPart part, Problem *p)
{
    bool any[] = { [SOURCES_ALL] = true, [SOURCES_TOTALS] = false };
    for (int i = 0; i < r->model->tensors; i++)
        any[SOURCES_TOTALS] |= r->measured[i] && source_of_tensor(r->model, i) >= 0;
    for (int i = 0; any[part] && i < r->model->sources; i++)
        if (!source_load(r, i, part, p)) return false;
    return true;
}
