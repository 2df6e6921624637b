/* settings.c: reads the data and train blocks. What the compiler needs itself (loss, optimizer, metrics, batch, epochs,
 * steps, seed, compat) it takes from here; everything goes to the host program as a tree of numbers, strings, words,
 * lists and calls, whose meaning (csv, split, early_stop, ..) is the host's business. */
#include "tensor/settings.h"
#include "tensor/elaborate.h"
#include "base/text.h"
#include <math.h>
#include <string.h>

enum { MAX_BATCH = 1 << 20 };

const Item *model_item(const Symbols *s)
{
    if (!s->models.count) {
        Place at = { s->imported.count ? s->imported.at[0] : NULL, 1, 1, 1, 1 };
        if (at.source) error_at(at, "the file has no model: expected `model NAME { .. }`");
        else error_plain("the file has no model: expected `model NAME { .. }`");
        return NULL;
    }
    for (int i = 1; i < s->models.count; i++) {
        error_at(s->models.at[i]->at, "a second model, %s: dlnc makes one file of one model", s->models.at[i]->name);
        note_at(s->models.at[0]->at, "the first is %s", s->models.at[0]->name);
    }
    return s->models.at[0];
}

/* ---- trees ------------------------------------------------------------------------------------------------------- */
static Tree *tree_new(TreeKind kind, const char *text, Place at)
{
    Tree *t = NEW(Tree);
    t->kind = kind;
    t->text = text;
    t->at = at;
    return t;
}

/* A value that is known now; NULL after an error. */
static Tree *tree_of_value(Scope *s, Value v, Place at)
{
    Tree *t;
    switch (v.kind) {
    case VALUE_NUMBER:
        if (v.type == TYPE_BOOL) return tree_new(TREE_WORD, v.number != 0 ? "true" : "false", at);
        t = tree_new(TREE_NUMBER, NULL, at);
        t->number = v.number;
        return t;
    case VALUE_STRING: return tree_new(TREE_STRING, v.text, at);
    case VALUE_WORD:   return tree_new(TREE_WORD, v.text, at);
    case VALUE_NONE:   return tree_new(TREE_WORD, "none", at);
    case VALUE_LIST:
        t = tree_new(TREE_LIST, NULL, at);
        for (int i = 0; i < v.list->count; i++) {
            Tree *item = tree_of_value(s, v.list->at[i], at);
            if (item) PUSH(t->items, item);
        }
        return t;
    case VALUE_POISON: return NULL;
    default:
        scope_error(s, at, "expected a number, a string, a list or a word, this is %s", value_kind_text(v));
        return NULL;
    }
}

/* context = CTX: a name of this body or a constant of the file is its value, any other name is the host program's. */
static bool is_known(Scope *s, const char *name)
{
    return scope_find(s, name) || (!scope_in_library(s) && symbols_constant(s->e->symbols, name));
}

static Tree *tree_call(Scope *s, const Expr *x)
{
    Tree *t = tree_new(TREE_CALL, x->name, x->at);
    for (int i = 0; i < x->args.count; i++) {
        const Argument *a = &x->args.at[i];
        if (!a->value) {
            scope_error(s, a->at, "... stands for further tensors of a definition, it has no meaning here");
            continue;
        }
        Tree *item = tree_of(s, a->value);
        if (!item) continue;
        item->key = a->name;
        item->key_at = a->at;
        PUSH(t->items, item);
    }
    return t;
}

/* NULL after an error. Arithmetic on numbers is worked out, {..} in strings is filled in. */
Tree *tree_of(Scope *s, const Expr *x)
{
    switch (x->kind) {
    case EXPR_TRUE:   return tree_new(TREE_WORD, "true", x->at);
    case EXPR_FALSE:  return tree_new(TREE_WORD, "false", x->at);
    case EXPR_NONE:   return tree_new(TREE_WORD, "none", x->at);
    case EXPR_NAME:
        return is_known(s, x->name) ? tree_of_value(s, express(s, x), x->at) : tree_new(TREE_WORD, x->name, x->at);
    case EXPR_CALL:   return tree_call(s, x);
    case EXPR_LIST: {
        Tree *t = tree_new(TREE_LIST, NULL, x->at);
        for (int i = 0; i < x->items.count; i++) {
            Tree *item = tree_of(s, x->items.at[i]);
            if (item) PUSH(t->items, item);
        }
        return t;
    }
    default: return tree_of_value(s, express(s, x), x->at);
    }
}

/* The value of a setting of the data or train block, where no names but the file's constants are known. */
static Tree *setting_tree(Elaboration *e, const Expr *x) { return tree_of(scope_new(e, NULL, NULL, x->at, ""), x); }

static const char *joined_keys(const Setting *s)
{
    Text t = {0};
    for (int i = 0; i < s->keys.count; i++) {
        if (i) text_add(&t, ", ");
        text_add(&t, s->keys.at[i]);
    }
    return text_string(&t);
}

static Tree *keyed(const Setting *s, Tree *t)
{
    if (t) t->key = joined_keys(s), t->key_at = s->at;
    return t;
}

/* ---- train ------------------------------------------------------------------------------------------------------- */
/* What the host program reads; it reports what it cannot make of the value. */
static const char *const host_keys[] = { "validate", "early_stop", "checkpoint", "shuffle" };
static const char *const all_keys[] = { "loss", "optimizer", "metrics", "batch", "epochs", "steps", "seed", "compat",
                                        "validate", "early_stop", "checkpoint", "shuffle" };
enum { HOST_KEYS = sizeof host_keys / sizeof *host_keys, ALL_KEYS = sizeof all_keys / sizeof *all_keys };

typedef struct Reader { Elaboration *e; Model *m; Train *train; DataBlock data; } Reader;

static void read_whole(Reader *r, const Setting *s, double low, double high, double *out)
{
    double v;
    if (!elaborate_number(r->e, s->value, &v)) return;
    if (v != floor(v) || !(v >= low && v <= high))
        error_at(s->value->at, "%s must be a whole number from %.0f to %.0f, got %g", s->keys.at[0], low, high, v);
    else *out = v;
}

static void read_metrics(Train *t, const Expr *value)
{
    if (value->kind != EXPR_LIST) PUSH(t->metrics, value);
    else for (int i = 0; i < value->items.count; i++) PUSH(t->metrics, value->items.at[i]);
}

static void read_compat(Reader *r, const Expr *value)
{
    if (value->kind == EXPR_NAME && !strcmp(value->name, "pytorch")) r->m->pytorch = true;
    else if (value->kind != EXPR_NAME || strcmp(value->name, "keras"))
        error_at(value->at, "compat must be keras or pytorch, got %s", expr_text(value));
}

static void read_setting(Reader *r, const Setting *s)
{
    const char *key = s->keys.at[0];
    double v = 0;
    if (s->keys.count > 1) error_at(s->at, "a setting of train has one name, got %s", joined_keys(s));
    else if (!strcmp(key, "loss")) r->train->loss = s->value;
    else if (!strcmp(key, "optimizer")) r->train->optimizer = s->value;
    else if (!strcmp(key, "metrics")) read_metrics(r->train, s->value);
    else if (!strcmp(key, "compat")) read_compat(r, s->value);
    else if (!strcmp(key, "batch")) { read_whole(r, s, 1, MAX_BATCH, &v); r->m->batch = (int)v; }
    else if (!strcmp(key, "epochs")) { read_whole(r, s, 1, 1e9, &v); r->m->epochs = (int)v; }
    else if (!strcmp(key, "steps")) { read_whole(r, s, 1, 1e15, &v); r->m->steps = (int64_t)v; }
    else if (!strcmp(key, "seed")) { read_whole(r, s, 0, 9007199254740992.0, &v); r->m->seed = (uint64_t)v; }
    else {
        bool known = false;
        for (int i = 0; i < HOST_KEYS; i++) known |= !strcmp(key, host_keys[i]);
        if (known) return;
        error_at(s->at, "train has no setting %s", key);
        const char *near = nearest(key, all_keys, ALL_KEYS);
        if (near) help("did you mean %s?", near);
    }
}

static bool is_the_compilers(const char *key)
{
    return !strcmp(key, "loss") || !strcmp(key, "optimizer") || !strcmp(key, "metrics");
}

static void check_twice(const Item *item)
{
    for (int i = 0; i < item->settings.count; i++)
        for (int k = 0; k < i; k++) {
            const Setting *a = &item->settings.at[k], *b = &item->settings.at[i];
            if (!a->keys.count || !b->keys.count || strcmp(joined_keys(a), joined_keys(b))) continue;
            error_at(b->at, "%s is set twice", joined_keys(b));
            note_at(a->at, "here for the first time");
        }
}

static void check_required(const Train *t)
{
    if (!t->loss) error_at(t->at, "train needs a loss: loss = mse");
    if (!t->optimizer) error_at(t->at, "train needs an optimizer: optimizer = adam(lr = 1e-3)");
}

static void read_data(Reader *r, const Symbols *s)
{
    for (int i = 0; i < s->data.count; i++) {
        for (int k = 0; k < s->data.at[i]->settings.count; k++) {
            const Setting *one = &s->data.at[i]->settings.at[k];
            Tree *t = keyed(one, setting_tree(r->e, one->value));
            if (!t) continue;
            PUSH(r->m->data, t);
            PUSH(r->data.setting, one);
            PUSH(r->data.tree, t);
        }
    }
    data_check(&r->data);
}

static void check_length(const Item *item)
{
    const Setting *epochs = NULL, *steps = NULL;
    for (int i = 0; i < item->settings.count; i++) {
        if (!strcmp(item->settings.at[i].keys.at[0], "epochs")) epochs = &item->settings.at[i];
        if (!strcmp(item->settings.at[i].keys.at[0], "steps")) steps = &item->settings.at[i];
    }
    if (!epochs || !steps) return;
    error_at(steps->at, "train is as long as its epochs or as its steps, not both");
    note_at(epochs->at, "the epochs");
}

static void read_train(Reader *r, const Item *item)
{
    TrainBlock block = {0};
    check_twice(item);
    check_length(item);
    for (int i = 0; i < item->settings.count; i++) {
        const Setting *one = &item->settings.at[i];
        read_setting(r, one);
        if (is_the_compilers(one->keys.at[0])) continue;
        Tree *t = keyed(one, setting_tree(r->e, one->value));
        if (!t) continue;
        PUSH(r->m->train, t);
        block.validate |= !strcmp(t->key, "validate");
    }
    block.tree = r->m->train.at;
    block.count = r->m->train.count;
    block.metric = r->train->metrics.at;
    block.metrics = r->train->metrics.count;
    train_check(&block, &r->data);
    check_required(r->train);
}

const Train *train_read(const Symbols *s, Model *m, const ModelOptions *options)
{
    Reader r = { .e = elaboration_new(s, m, NEW(Program), false), .m = m };
    read_data(&r, s);
    m->batch = 32;
    m->epochs = 1;
    for (int i = 1; i < s->train.count; i++) {
        error_at(s->train.at[i]->at, "a second train block");
        note_at(s->train.at[0]->at, "the first one");
    }
    if (s->train.count) {
        const Item *item = s->train.at[0];
        r.train = NEW(Train);
        r.train->at = item->at;
        read_train(&r, item);
    }
    if (options->batch) m->batch = options->batch;
    return r.train;
}
