/* blocks.c: holds the data block, and what the host program reads of the train block, against what libdln understands,
 * so that a mistake is found with its place before anything is compiled. libdln (runtime/host/source.c, share.c,
 * policy.c) gives the words their meaning and checks them again: a model.c may be older than its library, and much
 * depends on files.
 *
 *     sources[]      the calls of a data block and what each argument may be
 *     data_check     names of parts, arguments, what contradicts itself
 *     train_check    validate, early_stop, checkpoint, shuffle */
#include "tensor/settings.h"
#include "base/text.h"
#include <math.h>
#include <string.h>

/* ---- arguments --------------------------------------------------------------------------------------------------- */
typedef enum {
    TAKES_WHOLE, TAKES_NUMBER, TAKES_FLAG, TAKES_CHOICE, TAKES_CHARACTER, TAKES_WORD, TAKES_FLAG_OR_NAME, TAKES_COLUMN,
    TAKES_COLUMNS
} Takes;

typedef struct Rule {
    const char *key;
    Takes takes;
    double low, high;            /* WHOLE, NUMBER */
    const char *choices[5];      /* CHOICE */
    bool required;
} Rule;

/* What a call begins with. FIELDS: any names, each a file or an array. */
typedef enum { FIRST_FILE, FIRST_PART, FIRST_COUNT, FIRST_WORD, FIRST_FIELDS, FIRST_FILE_FIELDS } First;
typedef struct Callee { const char *name, *sample; First first; const Rule *rules; } Callee;

static const Rule csv_rules[] = {
    { .key = "target", .takes = TAKES_COLUMN }, { .key = "drop", .takes = TAKES_COLUMNS },
    { .key = "names", .takes = TAKES_COLUMNS }, { .key = "columns", .takes = TAKES_COLUMNS },
    { .key = "categories", .takes = TAKES_COLUMNS }, { .key = "numbered", .takes = TAKES_COLUMNS },
    { .key = "separator", .takes = TAKES_CHARACTER },
    { .key = "header", .takes = TAKES_CHOICE, .choices = { "true", "false", "auto" } },
    { .key = "missing", .takes = TAKES_CHOICE, .choices = { "error", "drop", "zero", "nan" } }, { .key = NULL }
};
static const Rule text_rules[] = {
    { .key = "context", .takes = TAKES_WHOLE, .low = 1, .high = 1 << 24, .required = true }, { .key = NULL }
};
static const Rule image_rules[] = {
    { .key = "resize", .takes = TAKES_CHOICE, .choices = { "stretch", "crop", "never" } }, { .key = NULL }
};
static const Rule split_rules[] = { { .key = "seed", .takes = TAKES_WHOLE, .low = 0, .high = 1e15 },
                                    { .key = "shuffle", .takes = TAKES_FLAG },
                                    { .key = "stratify", .takes = TAKES_FLAG_OR_NAME }, { .key = NULL } };
static const Rule window_rules[] = {
    { .key = "length", .takes = TAKES_WHOLE, .low = 1, .high = 1 << 24, .required = true },
    { .key = "horizon", .takes = TAKES_WHOLE, .low = 0, .high = 1 << 24 },
    { .key = "stride", .takes = TAKES_WHOLE, .low = 1, .high = 1 << 24 },
    { .key = "past", .takes = TAKES_FLAG }, { .key = NULL }
};
static const Rule no_rules[] = { { .key = NULL } };

static const Callee sources[] = {
    { "idx", "idx(image = \"file\", label = \"file\")", FIRST_FIELDS, no_rules },
    { "npy", "npy(image = \"x.npy\", label = \"y.npy\")", FIRST_FIELDS, no_rules },
    { "npz", "npz(\"file.npz\", image = \"x_train\")", FIRST_FILE_FIELDS, no_rules },
    { "csv", "csv(\"file.csv\", target = last)", FIRST_FILE, csv_rules },
    { "text", "text(\"file.txt\", context = 128)", FIRST_FILE, text_rules },
    { "cifar10", "cifar10(\"data_batch_*.bin\")", FIRST_FILE, no_rules },
    { "images", "images(\"folder\")", FIRST_FILE, image_rules },
    { "split", "split(all, 0.8)", FIRST_PART, split_rules },
    { "window", "window(series, length = 30)", FIRST_PART, window_rules },
};
enum { SOURCES = sizeof sources / sizeof *sources, MOST_RULES = 16 };

static bool is_word(const Tree *t, const char *word) { return t->kind == TREE_WORD && !strcmp(t->text, word); }

static const Tree *given(const Tree *call, const char *key)
{
    for (int i = 0; i < call->items.count; i++)
        if (call->items.at[i]->key && !strcmp(call->items.at[i]->key, key)) return call->items.at[i];
    return NULL;
}

static bool is_true(const Tree *t) { return t && (is_word(t, "true") || (t->kind == TREE_NUMBER && t->number == 1)); }
static bool is_false(const Tree *t) { return t && (is_word(t, "false") || (t->kind == TREE_NUMBER && t->number == 0)); }

/* "a, b or c", with " or " as last. */
static const char *listed(const char *const *word, int count, const char *last)
{
    Text t = {0};
    for (int i = 0; i < count; i++) text_addf(&t, "%s%s", !i ? "" : i + 1 < count ? ", " : last, word[i]);
    return text_string(&t);
}

static void check_choice(const Callee *c, const Rule *r, const Tree *t)
{
    int count = 0;
    for (; count < 5 && r->choices[count]; count++)
        if (is_word(t, r->choices[count])) return;
    if (t->kind == TREE_NUMBER && !strcmp(r->choices[0], "true") && (is_true(t) || is_false(t))) return;
    error_at(t->at, "%s of %s must be %s", r->key, c->name, listed(r->choices, count, " or "));
    const char *near = t->kind == TREE_WORD || t->kind == TREE_STRING ? nearest(t->text, r->choices, count) : NULL;
    if (near) help("did you mean %s?", near);
}

static void check_number(const Callee *c, const Rule *r, const Tree *t)
{
    const bool whole = r->takes == TAKES_WHOLE;
    const bool within = t->kind == TREE_NUMBER && t->number >= r->low && t->number <= r->high;
    if (within && (!whole || t->number == floor(t->number))) return;
    if (!whole && r->high >= HUGE_VAL) error_at(t->at, "%s of %s must be a number from %g on", r->key, c->name, r->low);
    else error_at(t->at, "%s of %s must be a %snumber from %.0f to %.0f", r->key, c->name, whole ? "whole " : "", r->low,
                  r->high);
}

static void check_column(const Callee *c, const Rule *r, const Tree *t)
{
    if (t->kind == TREE_WORD || t->kind == TREE_STRING) return;
    if (t->kind == TREE_NUMBER && t->number == floor(t->number) && fabs(t->number) < 1e9) return;
    error_at(t->at, "%s of %s names %s by name or by number", r->key, c->name,
             r->takes == TAKES_COLUMN ? "a column" : "columns");
    help("columns count from 0; -1 and last are the last one; a name with other characters than letters is a string");
}

static void check_value(const Callee *c, const Rule *r, const Tree *t)
{
    switch (r->takes) {
    case TAKES_WHOLE:
    case TAKES_NUMBER: check_number(c, r, t); break;
    case TAKES_FLAG:
        if (!is_true(t) && !is_false(t)) error_at(t->at, "%s of %s must be true or false", r->key, c->name);
        break;
    case TAKES_CHOICE: check_choice(c, r, t); break;
    case TAKES_CHARACTER:
        if (t->kind != TREE_STRING || strlen(t->text) != 1)
            error_at(t->at, "%s of %s must be one character in quotes, as \";\"", r->key, c->name);
        break;
    case TAKES_WORD:
    case TAKES_FLAG_OR_NAME:
        if (t->kind == TREE_WORD || t->kind == TREE_STRING) break;
        error_at(t->at, "%s of %s must be %s", r->key, c->name,
                 r->takes == TAKES_WORD ? "a name" : "true, false or the name of a field");
        break;
    case TAKES_COLUMN: check_column(c, r, t); break;
    case TAKES_COLUMNS:
        if (t->kind != TREE_LIST) check_column(c, r, t);
        else for (int i = 0; i < t->items.count; i++) check_column(c, r, t->items.at[i]);
        break;
    }
}

static void argument_unknown(const Callee *c, const Tree *t)
{
    const char *key[MOST_RULES];
    int count = 0;
    for (; c->rules[count].key; count++) key[count] = c->rules[count].key;
    error_at(t->key_at, "%s has no argument %s", c->name, t->key);
    const char *near = nearest(t->key, key, count);
    if (near) help("did you mean %s?", near);
    else if (count) help("it takes %s", listed(key, count, " and "));
    else help("%s", c->sample);
}

static bool takes_fields(const Callee *c) { return c->first == FIRST_FIELDS || c->first == FIRST_FILE_FIELDS; }

static void check_named(const Callee *c, const Tree *call)
{
    int fields = 0;
    for (int i = 0; i < call->items.count; i++) {
        const Tree *t = call->items.at[i];
        const Rule *r = c->rules;
        if (!t->key) continue;
        if (given(call, t->key) != t) error_at(t->key_at, "%s is given twice", t->key);
        if (takes_fields(c)) {
            fields++;
            if (t->kind != TREE_STRING)
                error_at(t->at, "%s = .. of %s must be the name of %s in quotes", t->key, c->name,
                         c->first == FIRST_FIELDS ? "a file" : "an array of the file");
            continue;
        }
        while (r->key && strcmp(r->key, t->key)) r++;
        if (r->key) check_value(c, r, t);
        else argument_unknown(c, t);
    }
    if (takes_fields(c) && !fields && (c->first != FIRST_FIELDS || !call->items.count)) {
        error_at(call->at, "%s needs fields by name", c->name);
        help("%s", c->sample);
    }
    for (const Rule *r = c->rules; r->key; r++)
        if (r->required && !given(call, r->key)) {
            error_at(call->at, "%s needs %s", c->name, r->key);
            help("%s", c->sample);
        }
}

/* What stands without a name. */
static void check_first(const Callee *c, const Tree *call)
{
    static const char *const what[] = {
        [FIRST_FILE] = "the name of a file in quotes", [FIRST_FILE_FIELDS] = "the name of a file in quotes",
        [FIRST_PART] = "a part of the data", [FIRST_COUNT] = "a number", [FIRST_WORD] = "the name of a figure"
    };
    const bool file = c->first == FIRST_FILE || c->first == FIRST_FILE_FIELDS;
    const Tree *t = call->items.count && !call->items.at[0]->key ? call->items.at[0] : NULL;
    bool fits = !t;
    if (t && file) fits = t->kind == TREE_STRING;
    if (t && c->first == FIRST_PART) fits = t->kind == TREE_WORD;
    if (t && c->first == FIRST_COUNT) fits = t->kind == TREE_NUMBER;
    if (t && c->first == FIRST_WORD) fits = t->kind == TREE_WORD || t->kind == TREE_STRING;
    if (c->first == FIRST_FIELDS) fits = true; /* complained about below */
    if ((!t && c->first != FIRST_FIELDS && c->first != FIRST_WORD) || !fits) {
        error_at(t ? t->at : call->at, "%s needs %s first", c->name, what[c->first]);
        help("%s", c->sample);
    }
    const bool shares = c->first == FIRST_PART && !strcmp(c->name, sources[SOURCES - 2].name);
    for (int i = c->first == FIRST_FIELDS ? 0 : 1; i < call->items.count; i++)
        if (!call->items.at[i]->key && !shares) {
            error_at(call->items.at[i]->at, c->first == FIRST_FIELDS ? "%s takes fields by name only"
                                                                      : "what follows in %s has a name", c->name);
            help("%s", c->sample);
            return;
        }
}

/* ---- the data block ---------------------------------------------------------------------------------------------- */
typedef struct PartName { const char *name; Place at; const Tree *made; } PartName;
typedef struct Parts { LIST(PartName) list; LIST(const char *) names; } Parts;

static const PartName *part_find(const Parts *p, const char *name)
{
    for (int i = 0; i < p->list.count; i++)
        if (!strcmp(p->list.at[i].name, name)) return &p->list.at[i];
    return NULL;
}

static const PartName *part_named(const Parts *p, const Tree *t)
{
    const PartName *found = part_find(p, t->text);
    if (found) return found;
    error_at(t->at, "the data block defines no %s", t->text);
    const char *near = nearest(t->text, p->names.at, p->names.count);
    if (near) help("did you mean %s?", near);
    else if (p->names.count) help("it defines %s", listed(p->names.at, p->names.count, " and "));
    return NULL;
}

/* The part that a definition is made of; NULL: a file. */
static const Tree *made_of(const Tree *t)
{
    if (t->kind == TREE_WORD) return t;
    const Tree *first = t->kind == TREE_CALL && t->items.count && !t->items.at[0]->key ? t->items.at[0] : NULL;
    return first && first->kind == TREE_WORD ? first : NULL;
}

static const Callee *callee_of(const Tree *t)
{
    for (int i = 0; t->kind == TREE_CALL && i < SOURCES; i++)
        if (!strcmp(t->text, sources[i].name)) return &sources[i];
    return NULL;
}

static void callee_unknown(const Tree *t, const char *key)
{
    const char *name[SOURCES];
    for (int i = 0; i < SOURCES; i++) name[i] = sources[i].name;
    if (t->kind != TREE_CALL) {
        error_at(t->at, "%s must be a source of data or a part of them", key);
        help("%s = csv(\"file.csv\")", key);
        return;
    }
    error_at(t->at, "there is no source %s", t->text);
    const char *near = nearest(t->text, name, SOURCES);
    if (near) help("did you mean %s?", near);
    else help("there are %s", listed(name, SOURCES, " and "));
}

static bool is_call(const Tree *t, const char *name) { return t->kind == TREE_CALL && !strcmp(t->text, name); }

static void check_shares(const Tree *call, int names)
{
    double sum = 0;
    int shares = 1;
    for (int i = 1; i < call->items.count; i++) {
        const Tree *t = call->items.at[i];
        if (t->key) continue;
        if (t->kind != TREE_NUMBER || !(t->number > 0) || !((sum += t->number) < 1)) {
            error_at(t->at, "shares are numbers above 0 whose sum is below 1; the last part takes the rest");
            return;
        }
        shares++;
    }
    if (shares == 1) {
        error_at(call->at, "split needs a share");
        help("train, test = split(all, 0.8)");
    } else if (shares != names) {
        error_at(call->at, "%d parts are made, %d name%s given", shares, names, names == 1 ? " is" : "s are");
        help("%d share%s and the rest: one name for each", shares - 1, shares == 2 ? "" : "s");
    }
}

/* Settings that exclude each other. */
static void check_contradictions(const Parts *p, const Tree *call)
{
    const Tree *of = made_of(call), *past = given(call, "past"), *horizon = given(call, "horizon");
    const PartName *base = of ? part_find(p, of->text) : NULL;
    if (is_call(call, "window") && is_true(past) && horizon && horizon->kind == TREE_NUMBER && horizon->number == 0)
        error_at(past->at, "with past = true and horizon = 0 a sample would hold its own target");
    if (is_call(call, "window") && base && is_call(base->made, "split") && !is_false(given(base->made, "shuffle")) &&
        !is_call(base->made, "window")) {
        const Tree *root = made_of(base->made);
        const PartName *whole = root ? part_find(p, root->text) : NULL;
        if (!whole || !is_call(whole->made, "window")) {
            error_at(of->at, "the rows of %s are mixed, a window needs them in order", of->text);
            help("split(.., shuffle = false) keeps them, or make the windows first and split those");
        }
    }
    const Tree *mixed = given(call, "shuffle"), *by = given(call, "stratify"), *seed = given(call, "seed");
    if (!is_call(call, "split")) return;
    if (base && is_call(base->made, "window") && (is_true(mixed) || (by && !is_false(by))))
        error_at((is_true(mixed) ? mixed : by)->at,
                 "windows stay in order: mixed, those of one share would show the other's values");
    else if (is_false(mixed) && seed && (!by || is_false(by)))
        error_at(seed->key_at, "seed mixes the samples, shuffle = false does not");
}

static bool column_same(const Tree *a, const Tree *b)
{
    if (a->kind == TREE_NUMBER || b->kind == TREE_NUMBER) return a->kind == b->kind && a->number == b->number;
    return a->text && b->text && !strcmp(a->text, b->text);
}

static const Tree *column_in(const Tree *list, const Tree *column)
{
    if (!list) return NULL;
    if (list->kind != TREE_LIST) return column_same(list, column) ? list : NULL;
    for (int i = 0; i < list->items.count; i++)
        if (column_same(list->items.at[i], column)) return list->items.at[i];
    return NULL;
}

/* The target is no feature, and what is dropped is neither. */
static void check_columns(const Tree *call)
{
    static const char *const features[] = { "columns", "categories" };
    const Tree *target = given(call, "target"), *drop = given(call, "drop"), *twice;
    if (target && target->kind != TREE_LIST && (twice = column_in(drop, target)))
        error_at(twice->at, "this column is the target and dropped");
    for (int i = 0; i < 2; i++) {
        const Tree *list = given(call, features[i]);
        if (list && target && target->kind != TREE_LIST && (twice = column_in(list, target)))
            error_at(twice->at, "this column is the target and one of %s", features[i]);
        for (int k = 0; drop && list && list->kind == TREE_LIST && k < list->items.count; k++)
            if ((twice = column_in(drop, list->items.at[k])))
                error_at(twice->at, "this column is dropped and one of %s", features[i]);
    }
    if (target && target->kind == TREE_LIST) error_at(target->at, "csv has one target");
}

static void check_definition(const Parts *p, const Setting *s, const Tree *t)
{
    const Callee *c = callee_of(t);
    const Tree *of = made_of(t);
    if (t->kind != TREE_WORD && !c) {
        callee_unknown(t, s->keys.at[0]);
        return;
    }
    if (c) {
        check_first(c, t);
        check_named(c, t);
    }
    if (of && (!c || c->first == FIRST_PART)) part_named(p, of);
    if (is_call(t, "split")) check_shares(t, s->keys.count);
    else if (s->keys.count > 1) {
        error_at(s->keys.places[1], "only split makes several parts");
        help("train, test = split(all, 0.8)");
    }
    if (is_call(t, "csv")) check_columns(t);
    if (c) check_contradictions(p, t);
}

/* Follows what a part is made of; back at the part: an error. */
static void check_loop(const Parts *p, const PartName *part)
{
    const PartName *at = part;
    for (int steps = 0; at && steps <= p->list.count; steps++) {
        const Tree *of = made_of(at->made);
        at = of ? part_find(p, of->text) : NULL;
        if (at != part) continue;
        error_at(part->at, "%s is made of itself", part->name);
        return;
    }
}

static Parts parts_of(const DataBlock *b)
{
    Parts p = {0};
    for (int i = 0; i < b->setting.count; i++)
        for (int k = 0; k < b->setting.at[i]->keys.count; k++) {
            PartName one = { b->setting.at[i]->keys.at[k], b->setting.at[i]->keys.places[k], b->tree.at[i] };
            PUSH(p.list, one);
            PUSH(p.names, one.name);
        }
    return p;
}

void data_check(const DataBlock *b)
{
    const Parts p = parts_of(b);
    for (int i = 0; i < p.list.count; i++) {
        const PartName *part = &p.list.at[i], *before = part_find(&p, part->name);
        check_loop(&p, part);
        if (before == part) continue;
        error_at(part->at, "%s is defined twice", part->name);
        note_at(before->at, "here for the first time");
    }
    for (int i = 0; i < b->setting.count; i++) check_definition(&p, b->setting.at[i], b->tree.at[i]);
}

/* ---- the train block --------------------------------------------------------------------------------------------- */
static const Rule patience_rules[] = {
    { .key = "monitor", .takes = TAKES_WORD },
    { .key = "min_delta", .takes = TAKES_NUMBER, .low = 0, .high = HUGE_VAL },
    { .key = "mode", .takes = TAKES_CHOICE, .choices = { "min", "max" } }, { .key = NULL }
};
static const Rule best_rules[] = {
    { .key = "mode", .takes = TAKES_CHOICE, .choices = { "min", "max" } }, { .key = NULL }
};
static const Callee patience = {
    "patience", "early_stop = patience(5, monitor = val_loss)", FIRST_COUNT, patience_rules
};
static const Callee best = { "best", "checkpoint = best(val_loss)", FIRST_WORD, best_rules };
static const Callee every = { "every", "checkpoint = every(10)", FIRST_COUNT, no_rules };

/* A figure that is watched: loss or one of the metrics, with val_ that of the validation. */
static void check_figure(const TrainBlock *b, const Tree *t)
{
    if (!t || (t->kind != TREE_WORD && t->kind != TREE_STRING)) return;
    const bool validation = !strncmp(t->text, "val_", 4);
    const char *name = t->text + (validation ? 4 : 0);
    LIST(const char *) known = {0};
    PUSH(known, "loss");
    for (int i = 0; i < b->metrics; i++) {
        const Expr *m = b->metric[i];
        if (m->kind != EXPR_NAME && m->kind != EXPR_CALL) return; /* it has a name of its own, later */
        PUSH(known, m->name);
    }
    bool found = false;
    for (int i = 0; i < known.count; i++) found |= !strcmp(name, known.at[i]);
    if (!found) {
        error_at(t->at, "there is no figure %s to watch", t->text);
        const char *near = nearest(name, known.at, known.count);
        if (near) help("did you mean %s%s?", validation ? "val_" : "", near);
        else help("there are %s, and with val_ those of the validation", listed(known.at, known.count, " and "));
    } else if (validation && !b->validate) {
        error_at(t->at, "%s is watched, but nothing is validated", t->text);
        help("validate = test, or watch %s", name);
    }
}

static void check_count(const Callee *c, const Tree *call, double low)
{
    const Tree *t = call->items.count && !call->items.at[0]->key ? call->items.at[0] : NULL;
    if (t && t->kind == TREE_NUMBER && !(t->number >= low && t->number <= 1e9 && t->number == floor(t->number)))
        error_at(t->at, "%s takes a whole number from %.0f on", c->name, low);
}

static void check_policy(const Callee *c, const Tree *t)
{
    check_first(c, t);
    check_named(c, t);
}

static void check_early_stop(const TrainBlock *b, const Tree *t)
{
    if (!is_call(t, patience.name)) {
        error_at(t->at, "early_stop must be patience(N)");
        help("%s", patience.sample);
        return;
    }
    check_policy(&patience, t);
    check_count(&patience, t, 0);
    check_figure(b, given(t, "monitor"));
}

static void check_checkpoint(const TrainBlock *b, const Tree *t)
{
    if (is_word(t, "last") || is_word(t, best.name)) return;
    if (is_call(t, every.name)) {
        check_policy(&every, t);
        check_count(&every, t, 1);
    } else if (is_call(t, best.name)) {
        check_policy(&best, t);
        if (t->items.count && !t->items.at[0]->key) check_figure(b, t->items.at[0]);
    } else {
        error_at(t->at, "checkpoint must be last, best(FIGURE) or every(N)");
        help("%s", best.sample);
    }
}

void train_check(const TrainBlock *b, const DataBlock *data)
{
    for (int i = 0; i < b->count; i++) {
        const Tree *t = b->tree[i];
        if (!strcmp(t->key, "early_stop")) check_early_stop(b, t);
        else if (!strcmp(t->key, "checkpoint")) check_checkpoint(b, t);
        else if (!strcmp(t->key, "shuffle") && !is_word(t, "true") && !is_word(t, "false"))
            error_at(t->at, "shuffle must be true or false");
        else if (!strcmp(t->key, "validate") && t->kind != TREE_WORD)
            error_at(t->at, "validate must be the name of a part of the data");
        else if (!strcmp(t->key, "validate") && data->setting.count) {
            const Parts p = parts_of(data);
            part_named(&p, t);
        }
    }
}
