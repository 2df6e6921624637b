/* foreign.c: weights from elsewhere. `param w[i, o] = .. as "weight"[o, i]` says how w is called and how it lies in a
 * PyTorch file: element (i, o) is the element (o, i) there. Several tensors may be parts of one there: a part's range of
 * places begins behind the one before, as "in_proj_weight"[(1, h, d), e]. `weights = safetensors(..)` of a call says what
 * its tensors begin with. Both are for the host program to use; here they are checked. */
#include "tensor/elaborate.h"
#include <string.h>

enum { MOST_PLACES = 1 << 20 };

/* ---- the places of one axis -------------------------------------------------------------------------------------- */
static const Index *atoms_index(const Sum *a)
{
    for (int i = 0; i < a->count; i++)
        if (a->term[i].atom && a->term[i].atom->indices) return a->term[i].atom->index[0];
    return NULL;
}

/* The least and the greatest value of a: an atom's are found by putting in all values of its indices. *budget: how many
 * of them may still be tried. False: not known. */
static bool places_of(const Sum *a, int *budget, Range *out)
{
    const Index *index = atoms_index(a);
    if (!index) {
        *out = sum_range(a);
        for (int i = 0; i < a->count; i++)
            if (a->term[i].atom) return false;
        return true;
    }
    for (int v = 0; v < index->extent; v++) {
        Substitution one = { 0 };
        Range r;
        substitution_set(&one, index, sum_constant(v));
        if (--*budget < 0 || !places_of(sum_substitute(a, &one), budget, &r)) return false;
        if (v == 0) *out = r;
        if (r.low < out->low) out->low = r.low;
        if (r.high > out->high) out->high = r.high;
    }
    return true;
}

static void look_whole(const Node *e, void *data)
{
    if (e->type == TYPE_FLOAT || e->op == OP_READ || e->op == OP_RAND || e->op == OP_COUNT) *(bool *)data = false;
}

/* Made of indices and whole numbers alone. */
static bool is_whole(const Sum *a)
{
    bool whole = true;
    for (int i = 0; i < a->count; i++)
        if (a->term[i].atom) node_visit(a->term[i].atom, look_whole, &whole);
    return whole;
}

/* ---- as "weight"[o, i] ------------------------------------------------------------------------------------------- */
/* A tensor of the file, and those of ours that are parts of it. */
typedef struct Foreign { int rank, extent[MAX_RANK]; int64_t parts; const Tensor *first; } Foreign;

static const char *places_text(const Foreign *f)
{
    Text t = { 0 };
    for (int i = 0; i < f->rank; i++) text_addf(&t, "%s%d", i ? ", " : "[", f->extent[i]);
    text_add(&t, f->rank ? "]" : "[]");
    return text_string(&t);
}

static bool foreign_add(Foreign *f, const Tensor *t)
{
    if (f->first && f->rank != t->foreign_rank) {
        error_at(t->at, "as \"%s\": number of axes of the PyTorch tensor: %d for %s, %d for %s", t->foreign,
                 t->foreign_rank, t->name, f->rank, f->first->name);
        note_at(f->first->at, "%s is here", f->first->name);
        return false;
    }
    if (!f->first) f->first = t;
    f->rank = t->foreign_rank;
    f->parts += tensor_size(t);
    for (int k = 0; k < f->rank; k++) {
        int budget = MOST_PLACES;
        Range r;
        if (!is_whole(t->foreign_subs[k]) || !places_of(t->foreign_subs[k], &budget, &r)) {
            error_at(t->at, "as \"%s\": axis %d is not made of the indices of %s", t->foreign, k + 1, t->name);
            return false;
        }
        if (r.low < 0 || r.high >= INT32_MAX) {
            error_at(t->at, "as \"%s\": places of axis %d reach from %lld to %lld; they begin at 0", t->foreign, k + 1,
                     (long long)r.low, (long long)r.high);
            return false;
        }
        if (r.high >= f->extent[k]) f->extent[k] = (int)r.high + 1;
    }
    return true;
}

/* Do its parts make up all of it? */
static void foreign_filled(const Foreign *f)
{
    double places = 1;
    for (int k = 0; k < f->rank; k++) places *= f->extent[k];
    if (places == (double)f->parts) return;
    error_at(f->first->at, "as \"%s\": a PyTorch tensor %s has %.0f elements, what is said to be in it has %lld",
             f->first->foreign, places_text(f), places, (long long)f->parts);
}

static void foreigns_check(Model *m)
{
    PointerMap by_name = { 0 };
    LIST(Foreign *) all = { 0 };
    for (int i = 0; i < m->kept.count; i++) {
        Tensor *t = m->kept.at[i];
        if (!t->foreign) continue;
        Foreign *f = map_get(&by_name, t->foreign);
        if (!f) {
            f = NEW(Foreign);
            map_set(&by_name, t->foreign, f);
            PUSH(all, f);
        }
        if (!foreign_add(f, t)) return;
        t->foreign_extent = f->extent;
    }
    for (int i = 0; i < all.count; i++) foreign_filled(all.at[i]);
}

/* ---- weights = safetensors(..) ----------------------------------------------------------------------------------- */
static bool is_below(const char *name, const char *path)
{
    size_t n = strlen(path);
    return !strncmp(name, path, n) && (!n || name[n] == '.');
}

static void source_check(const Model *m, const Weights *w)
{
    bool any = false;
    for (int i = 0; i < m->kept.count && !any; i++) any = is_below(m->kept.at[i]->name, w->path);
    if (w->source->kind != TREE_CALL) {
        error_at(w->at, "weights must say where they come from");
        help("weights = safetensors(\"%s.safetensors\", layout = torch)", w->path);
    } else if (!any)
        error_at(w->at, "%s has no parameters that could be loaded", w->path);
}

static bool is_none(const Tree *t) { return t->kind == TREE_WORD && !strcmp(t->text, "none"); }

void foreign_check(Model *m)
{
    PointerMap by_path = { 0 };
    int kept = 0;
    foreigns_check(m);
    for (int i = 0; i < m->weights.count; i++) {
        const Weights *w = &m->weights.at[i], *other = map_get(&by_path, w->path);
        if (is_none(w->source) || (other && other->source == w->source)) continue;
        if (other) {
            error_at(w->at, "the weights of %s are given twice", w->path);
            note_at(other->at, "here for the first time");
            continue;
        }
        source_check(m, w);
        map_set(&by_path, w->path, arena_copy(w, sizeof *w));
        m->weights.at[kept++] = *w;
    }
    m->weights.count = kept;
}
