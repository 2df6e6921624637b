/* scope.c: the names of a body, the ranges of its indices, its packs; how names are looked up; and errors, which are
 * shown at the user's own line with the library's line as a note. */
#include "tensor/elaborate.h"
#include <math.h>
#include <string.h>

/* ---- maps from pointers ------------------------------------------------------------------------------------------ */
static int map_slot(const PointerMap *m, const void *key)
{
    uint64_t h = (uint64_t)(uintptr_t)key * 0x9E3779B97F4A7C15u;
    int i = (int)(h >> 33) & (m->room - 1);
    while (m->key[i] && m->key[i] != key) i = (i + 1) & (m->room - 1);
    return i;
}

void *map_get(const PointerMap *m, const void *key)
{
    if (!m->room) return NULL;
    int i = map_slot(m, key);
    return m->key[i] ? m->value[i] : NULL;
}

static void map_grow(PointerMap *m)
{
    PointerMap old = *m;
    m->room = old.room ? old.room * 2 : 64;
    m->key = NEW_ARRAY(const void *, m->room);
    m->value = NEW_ARRAY(void *, m->room);
    for (int i = 0; i < old.room; i++) {
        if (!old.key[i]) continue;
        int k = map_slot(m, old.key[i]);
        m->key[k] = old.key[i];
        m->value[k] = old.value[i];
    }
}

void map_set(PointerMap *m, const void *key, void *value)
{
    if (m->count * 2 >= m->room) map_grow(m);
    int i = map_slot(m, key);
    if (!m->key[i]) m->count++;
    m->key[i] = key;
    m->value[i] = value;
}

/* ---- scopes ------------------------------------------------------------------------------------------------------ */
Scope *scope_new(Elaboration *e, const Definition *d, Scope *caller, Place call_at, const char *path)
{
    Scope *s = NEW(Scope);
    s->e = e;
    s->definition = d;
    s->caller = caller;
    s->call_at = call_at;
    s->path = s->prefix = path;
    s->last = s->fan_in = s->fan_out = value_none();
    s->trainable = caller ? caller->trainable : true;
    s->penalty = caller ? caller->penalty : NULL;
    s->depth = caller ? caller->depth + 1 : 0;
    s->layer = -1;
    return s;
}

bool scope_in_library(const Scope *s) { return s->definition && s->definition->from_library; }

Entry *scope_find(Scope *s, const char *name)
{
    for (int i = s->entries.count - 1; i >= 0; i--)
        if (s->entries.at[i].name == name) return &s->entries.at[i];
    return NULL;
}

Entry *scope_set(Scope *s, const char *name, Value v, Place at)
{
    Entry *e = scope_find(s, name);
    if (!e) {
        PUSH(s->entries, ((Entry){ .name = name }));
        e = &s->entries.at[s->entries.count - 1];
    }
    e->value = v;
    e->at = at;
    if (v.kind == VALUE_POISON) s->broken = true;
    return e;
}

AxisRange *range_find(Scope *s, const char *name)
{
    for (int i = 0; i < s->ranges.count; i++)
        if (s->ranges.at[i].name == name) return &s->ranges.at[i];
    return NULL;
}

AxisRange *range_set(Scope *s, const char *name, int extent, bool batch, Place at, const char *what)
{
    AxisRange *r = range_find(s, name);
    if (!r) {
        PUSH(s->ranges, ((AxisRange){ .name = name }));
        r = &s->ranges.at[s->ranges.count - 1];
    }
    *r = (AxisRange){ .name = name, .extent = extent, .batch = batch, .at = at, .what = what };
    return r;
}

Pack *pack_find(Scope *s, const char *name)
{
    for (int i = 0; i < s->packs.count; i++)
        if (s->packs.at[i].name == name) return &s->packs.at[i];
    return NULL;
}

/* The pack of `count` indices n.0, n.1, .. */
Pack *pack_set(Scope *s, const char *name, int count)
{
    Pack *p = pack_find(s, name);
    if (!p) {
        PUSH(s->packs, ((Pack){ .name = name }));
        p = &s->packs.at[s->packs.count - 1];
    }
    p->count = count;
    p->names = NEW_ARRAY(const char *, count + 1);
    for (int i = 0; i < count; i++) p->names[i] = intern(format("%s.%d", name, i));
    return p;
}

const Bound *bound_find(const Scope *s, const char *name)
{
    for (int i = s->bound.count - 1; i >= 0; i--)
        if (s->bound.at[i].name == name) return &s->bound.at[i];
    return NULL;
}

Local *local_find(Scope *s, const char *name)
{
    for (int i = s->locals.count - 1; i >= 0; i--)
        if (s->locals.at[i].name == name) return &s->locals.at[i];
    return NULL;
}

/* ---- paths ------------------------------------------------------------------------------------------------------- */
const char *path_join(const char *a, const char *b) { return *a ? intern(format("%s.%s", a, b)) : intern(b); }

const char *full_name(Scope *s, const char *name)
{
    bool optimizer = s->definition && s->definition->kind == KIND_OPTIMIZER && s->e->variable;
    if (!optimizer) return path_join(s->path, name);
    const Entry *e = scope_find(s, name);
    return e && e->holder ? e->holder->name : path_join(name, s->e->variable);
}

const char *path_count(Elaboration *e, const char *path)
{
    intptr_t used = (intptr_t)map_get(&e->paths, path);
    map_set(&e->paths, path, (void *)(used + 1));
    if (!used) return path;
    return path_count(e, intern(format("%s_%d", path, (int)used + 1)));
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */
/* The innermost place that is not the library's: where the user called what went wrong. */
static Place user_place(const Scope *s, Place at)
{
    while (s && scope_in_library(s) && s->caller) {
        at = s->call_at;
        s = s->caller;
    }
    return at;
}

static bool place_same(Place a, Place b) { return a.source == b.source && a.line == b.line && a.column == b.column; }

void scope_error(Scope *s, Place at, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *text = vformat(fmt, args);
    va_end(args);
    Place user = user_place(s, at);
    const char *name = scope_in_library(s) && s->definition->name ? s->definition->name : NULL;
    if (name)
        error_at(user, "%s: %s", name, text);
    else
        error_at(user, "%s", text);
    if (!place_same(user, at)) note_at(at, "%s", name ? format("here in %s", name) : "here");
}

void scope_note_range(Scope *s, const AxisRange *r)
{
    (void)s;
    if (!r->what) return;
    note_at(r->at, "%s is %s: %s", r->name, r->batch ? "the batch" : format("%d", r->extent), r->what);
}

/* ---- names ------------------------------------------------------------------------------------------------------- */
static const struct {
    const char *name;
    Op op;
} functions[] = {
    { "exp", OP_EXP },       { "log", OP_LOG },   { "log1p", OP_LOG1P }, { "expm1", OP_EXPM1 },
    { "sqrt", OP_SQRT },     { "tanh", OP_TANH }, { "erf", OP_ERF },     { "sin", OP_SIN },
    { "cos", OP_COS },       { "abs", OP_ABS },   { "sign", OP_SIGN },   { "floor", OP_FLOOR },
    { "probit", OP_PROBIT }, { "stop", OP_STOP }, { "int", OP_TO_INT },  { "float", OP_TO_FLOAT },
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

Op function_named(const char *name)
{
    for (int i = 0; i < FUNCTIONS; i++)
        if (!strcmp(functions[i].name, name)) return functions[i].op;
    return OP_OPERATIONS;
}

/* A definition or function by its name. */
Value part_of_name(Scope *s, const char *name)
{
    Part *p = NEW(Part);
    p->definition = symbols_find(s->e->symbols, name, scope_in_library(s));
    p->function = p->definition ? OP_OPERATIONS : function_named(name);
    return p->definition || p->function != OP_OPERATIONS ? value_part(p) : value_none();
}

/* ---- constants of the file */
typedef struct ConstantValue {
    bool busy;
    Value value;
} ConstantValue;

static Value constant_value(Elaboration *e, const Binding *b)
{
    ConstantValue *c = map_get(&e->constants, b);
    if (!c) {
        c = NEW(ConstantValue);
        map_set(&e->constants, b, c);
        c->busy = true;
        Scope *s = scope_new(e, NULL, NULL, b->at, "");
        c->value = express(s, b->value);
        if (value_is_run_time(c->value)) {
            error_at(b->value->at, "a constant must be known when dlnc runs");
            c->value = value_poison();
        }
        c->busy = false;
    } else if (c->busy) {
        error_at(b->at, "the constant %s depends on itself", b->name);
        c->busy = false;
        c->value = value_poison();
    }
    return c->value;
}

static const Binding *constant_find(Scope *s, const char *name)
{
    return scope_in_library(s) ? NULL : symbols_constant(s->e->symbols, name); /* the user's are not the library's */
}

Tensor *clock_named(Elaboration *e, const char *name, Type type)
{
    Model *m = e->model;
    for (int i = 0; i < m->clocks.count; i++)
        if (!strcmp(m->clocks.at[i]->name, name)) return m->clocks.at[i];
    Tensor *t = tensor_new(name, 0, NULL, false, type, ROLE_CLOCK);
    t->name = intern(name);
    PUSH(m->clocks, t);
    return t;
}

/* What an optimizer or schedule knows of the run. */
static Value clock_value(Scope *s, const char *name, bool *found)
{
    bool here = s->e->in_optimizer ||
                (s->definition && (s->definition->kind == KIND_OPTIMIZER || s->definition->kind == KIND_SCHEDULE));
    if (!here) return value_none();
    bool is_int = !strcmp(name, "iteration") || !strcmp(name, "epoch");
    bool is_bool = !strcmp(name, "epoch_end"), is_monitor = !strncmp(name, "val_", 4) || !strcmp(name, "train_loss");
    if (!is_int && !is_bool && !is_monitor) return value_none();
    *found = true;
    Type type = is_int ? TYPE_INT : is_bool ? TYPE_BOOL : TYPE_FLOAT;
    return value_node(node_read(clock_named(s->e, name, type), NULL));
}

static Value flag_value(Scope *s, const char *name, bool *found)
{
    *found = true;
    if (!strcmp(name, "training")) return value_bool(s->e->training);
    if (!strcmp(name, "trainable")) return value_bool(s->trainable);
    if (!strcmp(name, "pytorch")) return value_bool(s->e->model->pytorch);
    if (!strcmp(name, "inf")) return value_float(INFINITY);
    if (!strcmp(name, "fan_in") && s->fan_in.kind != VALUE_NONE) return s->fan_in;
    if (!strcmp(name, "fan_out") && s->fan_out.kind != VALUE_NONE) return s->fan_out;
    *found = false;
    return clock_value(s, name, found);
}

static bool is_word(const Scope *s, const char *name)
{
    for (int i = 0; i < s->words.count; i++)
        if (s->words.at[i] == name) return true;
    return false;
}

/* The order of the language: index, tensor or constant of the body, word, length of an axis, constants, definitions. */
Value name_lookup(Scope *s, const char *name, bool *found)
{
    *found = true;
    const Bound *b = bound_find(s, name);
    if (b) return value_node(b->node);
    Entry *e = scope_find(s, name);
    if (e) {
        if (e->pieces && !e->pieces->closed) pieces_close(s, e);
        return scope_find(s, name)->value;
    }
    if (is_word(s, name)) return value_text_of(VALUE_WORD, name);
    const AxisRange *r = range_find(s, name);
    if (r) return r->batch ? value_node(node_count(1)) : value_int(r->extent);
    const Binding *c = constant_find(s, name);
    if (c) return constant_value(s->e, c);
    Value v = flag_value(s, name, found);
    if (*found) return v;
    v = part_of_name(s, name);
    *found = v.kind != VALUE_NONE;
    return v;
}

bool is_index_name(Scope *s, const char *name)
{
    if (bound_find(s, name)) return true;
    if (scope_find(s, name)) return false;
    return local_find(s, name) || range_find(s, name) || !constant_find(s, name);
}

static void help_near(Scope *s, const char *name, bool values)
{
    LIST(const char *) known = { 0 };
    for (int i = 0; values && i < s->entries.count; i++) PUSH(known, s->entries.at[i].name);
    for (int i = 0; values && i < s->ranges.count; i++) PUSH(known, s->ranges.at[i].name);
    for (int i = 0; values && i < s->words.count; i++) PUSH(known, s->words.at[i]);
    const Symbols *all = s->e->symbols;
    for (int i = 0; values && !scope_in_library(s) && i < all->constants.count; i++)
        for (int k = 0; k < all->constants.at[i]->bindings.count; k++)
            PUSH(known, all->constants.at[i]->bindings.at[k].name);
    for (int i = 0; i < all->definitions.count; i++) PUSH(known, all->definitions.at[i]->name);
    for (int i = 0; i < FUNCTIONS; i++) PUSH(known, functions[i].name);
    const char *near = nearest(name, known.at, known.count);
    if (near) help("did you mean %s?", near);
}

void help_definition(Scope *s, const char *name) { help_near(s, name, false); }

Value name_value(Scope *s, const char *name, Place at)
{
    bool found;
    Value v = name_lookup(s, name, &found);
    if (found) return v;
    if (s->in_train) return value_text_of(VALUE_FIELD, name);
    scope_error(s, at, "%s is not defined", name);
    help_near(s, name, true);
    return value_poison();
}
