/* onnx.c: export to ONNX: the graph that dlnc wrote into the model as text (compiler/emit/onnx.h says how to read it),
 * the trained weights, the names of classes. protobuf-c writes the message, of which onnx.proto has the part that is
 * used; where it was missing when this library was built, export says so. SPDX-License-Identifier: 0BSD */
#include "run.h"

#ifndef DLN_ONNX
bool onnx_write(const char *path, const Weights *all, Problem *p)
{
    (void)all;
    return problem_set(p, EXIT_USAGE,
                       "%s: this libdln was built without protobuf-c and writes no ONNX (Debian: libprotobuf-c-dev, "
                       "protobuf-c-compiler; then make)",
                       path);
}
#else
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "onnx_write.h"

enum { IR_VERSION = 7, OPERATORS = 12 }; /* what Debian 12's tools read, and all later ones */
#define PLACES (INT64_C(1) << 31) /* beyond every number of a table */

/* ---- memory ---- */

void *onnx_keep(Builder *b, size_t count, size_t size)
{
    if (!memory_grow((void **)&b->block, &b->room, b->blocks + 1, sizeof *b->block, b->p)) return NULL;
    void *block = memory_new(count ? count : 1, size, b->p);
    if (block) b->block[b->blocks++] = block;
    return block;
}

static char *keep_text(Builder *b, const char *text, size_t length)
{
    char *copy = onnx_keep(b, length + 1, 1);
    if (copy) memcpy(copy, text, length);
    return copy;
}

/* p = a message of its own, initialized */
#define KEEP_MESSAGE(b, p, init) (((p) = onnx_keep(b, 1, sizeof *(p))) ? (init(p), true) : false)

/* ---- words ---- */

typedef struct Words {
    const char *at, *end;
} Words; /* of a line */
typedef struct Word {
    const char *at;
    size_t length;
} Word;

static bool word_next(Words *w, Word *out)
{
    while (w->at < w->end && *w->at == ' ') w->at++;
    out->at = w->at;
    while (w->at < w->end && *w->at != ' ') w->at++;
    out->length = (size_t)(w->at - out->at);
    return out->length > 0;
}

static bool word_is(const Word *w, const char *text)
{
    return strlen(text) == w->length && !memcmp(w->at, text, w->length);
}

static bool not_understood(const Builder *b, const Word *w)
{
    return problem_set(b->p, EXIT_BUG, "the model's ONNX graph: '%.*s' is not understood", (int)w->length, w->at);
}

/* 1,2,3 up to any other character; how many, -1: no memory */
static int64_t integers(Builder *b, const char *text, const char *end, int64_t **out)
{
    size_t count = 0, room = 1;
    for (const char *c = text; c < end; c++) room += *c == ',';
    if (!(*out = onnx_keep(b, room, sizeof **out))) return -1;
    while (text < end && (*text == '-' || (*text >= '0' && *text <= '9'))) {
        char *next;
        (*out)[count++] = strtoll(text, &next, 10);
        text = next + (next < end && *next == ',');
    }
    return (int64_t)count;
}

static int real_type(const Builder *b)
{
    return b->all->model->real_bytes == 8 ? ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE
                                          : ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
}

/* real, int64 .., up to the end or a [ */
static int type_of(const Builder *b, const Word *w)
{
    static const struct {
        const char *name;
        int type;
    } types[] = {
        { "int64", ONNX__TENSOR_PROTO__DATA_TYPE__INT64 },
        { "int32", ONNX__TENSOR_PROTO__DATA_TYPE__INT32 },
        { "bool", ONNX__TENSOR_PROTO__DATA_TYPE__BOOL },
    };
    const char *end = memchr(w->at, '[', w->length);
    const Word name = { w->at, end ? (size_t)(end - w->at) : w->length };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (word_is(&name, types[i].name)) return types[i].type;
    return real_type(b);
}

/* ---- initializers ---- */

static size_t type_bytes(int type)
{
    return type == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL ? 1 : type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT ? 4 : 8;
}

Onnx__TensorProto *onnx_initializer(Builder *b, const char *name, size_t length, int type, int64_t rank,
                                    int64_t *extent)
{
    Onnx__TensorProto *t;
    size_t count = 1;
    if (names_add(&b->defined, name, length, b->p) < 0) return NULL;
    for (int64_t i = 0; i < rank; i++)
        if (extent[i] < 0 || !size_product(count, (size_t)extent[i], &count)) {
            not_understood(b, &(Word){ name, length });
            return NULL;
        }
    if (!KEEP_MESSAGE(b, t, onnx__tensor_proto__init) || !(t->name = keep_text(b, name, length))) return NULL;
    t->has_data_type = t->has_raw_data = true;
    t->data_type = type;
    t->n_dims = (size_t)rank;
    t->dims = extent;
    t->raw_data.len = count * type_bytes(type);
    if (!(t->raw_data.data = onnx_keep(b, count, type_bytes(type)))) return NULL;
    b->main->initializer[b->main->n_initializer++] = t;
    return t;
}

static Onnx__TensorProto *initializer(Builder *b, const Word *name, int type, int64_t rank, int64_t *extent)
{
    return onnx_initializer(b, name->at, name->length, type, rank, extent);
}

Onnx__TensorProto *onnx_initializer_of(const Builder *b, const char *name)
{
    for (size_t i = b->main->n_initializer; i-- > 0;)
        if (!strcmp(b->main->initializer[i]->name, name)) return b->main->initializer[i];
    return NULL;
}

size_t onnx_count(const Onnx__TensorProto *t) { return t->raw_data.len / type_bytes(t->data_type); }

double onnx_get(const Onnx__TensorProto *t, size_t i)
{
    const uint8_t *at = t->raw_data.data + i * type_bytes(t->data_type);
    float single;
    double twice;
    int64_t whole;
    switch (t->data_type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL: return *at;
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT: return memcpy(&single, at, 4), (double)single;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64: return memcpy(&whole, at, 8), (double)whole;
    default: return memcpy(&twice, at, 8), twice;
    }
}

void onnx_set(Onnx__TensorProto *t, size_t i, double v)
{
    uint8_t *at = t->raw_data.data + i * type_bytes(t->data_type);
    const float single = (float)v;
    const int64_t whole = t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64 ? (int64_t)v : 0;
    switch (t->data_type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL: *at = v != 0; break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT: memcpy(at, &single, 4); break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64: memcpy(at, &whole, 8); break;
    default: memcpy(at, &v, 8);
    }
}

/* A number, nan or an infinity. */
static bool number_read(const Builder *b, const Word *w, double *out)
{
    if (word_is(w, "nan"))
        *out = (double)NAN;
    else if (word_is(w, "inf") || word_is(w, "-inf"))
        *out = *w->at == '-' ? -(double)INFINITY : (double)INFINITY;
    else if (number_parse(w->at, w->length, out) != NUMBER_GOOD)
        return not_understood(b, w);
    return true;
}

/* 0.5, 3i, true, [1,2] */
static bool constant_add(Builder *b, const Word *w)
{
    int64_t *at, *extent = onnx_keep(b, 1, sizeof *extent);
    Onnx__TensorProto *t;
    double v;
    const char last = w->at[w->length - 1];
    if (!extent) return false;
    if (*w->at == '[') {
        if ((*extent = integers(b, w->at + 1, w->at + w->length, &at)) < 0) return false;
        if (!(t = initializer(b, w, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, 1, extent))) return false;
        memcpy(t->raw_data.data, at, t->raw_data.len);
        return true;
    }
    if (word_is(w, "true") || word_is(w, "false")) {
        if (!(t = initializer(b, w, ONNX__TENSOR_PROTO__DATA_TYPE__BOOL, 0, extent))) return false;
        onnx_set(t, 0, *w->at == 't');
        return true;
    }
    const bool whole = last == 'i';
    const Word number = { w->at, w->length - whole };
    if (!number_read(b, &number, &v)) return false;
    if (!(t = initializer(b, w, whole ? ONNX__TENSOR_PROTO__DATA_TYPE__INT64 : real_type(b), 0, extent))) return false;
    onnx_set(t, 0, v);
    return true;
}

static bool is_constant(const Word *w)
{
    return *w->at == '[' || *w->at == '-' || (*w->at >= '0' && *w->at <= '9') || word_is(w, "true") ||
           word_is(w, "false") || word_is(w, "inf") || word_is(w, "nan");
}

/* A kept average of a parameter is given away in the parameter's place, under its name. */
static bool weight_is(const Word *name, const char *stored)
{
    const Word behind = { name->at + 8, name->length > 8 ? name->length - 8 : 0 };
    return word_is(name, stored) || (behind.length && !memcmp(name->at, "average.", 8) && word_is(&behind, stored));
}

static bool weight_add(Builder *b, const Word *name)
{
    for (int i = 0; i < b->all->tensors; i++) {
        const StoredTensor *s = &b->all->tensor[i];
        const void *values;
        if (!weight_is(name, s->name)) continue;
        int64_t *extent = onnx_keep(b, (size_t)s->rank, sizeof *extent);
        if (!extent) return false;
        if (s->rank) memcpy(extent, s->extent, (size_t)s->rank * sizeof *extent);
        Onnx__TensorProto *t = initializer(b, name, real_type(b), s->rank, extent);
        if (!t || !b->all->values(b->all->context, i, &values, b->p)) return false;
        const size_t count = onnx_count(t);
        for (size_t k = 0; k < count; k++)
            onnx_set(t, k, s->twice ? ((const double *)values)[k] : (double)((const float *)values)[k]);
        return true;
    }
    return not_understood(b, name);
}

/* NAME = Const real[3] 1,2,3   NAME = Affine [4,3] start steps */
static bool table_of(Builder *b, const Word *name, Words *w, bool affine)
{
    Word shape, first, rest;
    int64_t *extent, *step = NULL, start = 0;
    if (!word_next(w, &shape) || !word_next(w, &first)) return not_understood(b, name);
    const char *open = memchr(shape.at, '[', shape.length);
    if (!open) return not_understood(b, &shape);
    const int64_t rank = integers(b, open + 1, shape.at + shape.length, &extent);
    if (rank < 0) return false;
    if (affine && (!word_next(w, &rest) || integers(b, rest.at, rest.at + rest.length, &step) != rank ||
                   integer_parse(first.at, first.length, -PLACES, PLACES, &start) != NUMBER_GOOD))
        return not_understood(b, &first);
    Onnx__TensorProto *t =
        initializer(b, name, affine ? ONNX__TENSOR_PROTO__DATA_TYPE__INT64 : type_of(b, &shape), rank, extent);
    if (!t) return false;
    const size_t count = onnx_count(t);
    for (size_t i = 0; i < count && affine; i++) {
        int64_t v = start, left = (int64_t)i;
        for (int64_t a = rank - 1; a >= 0; left /= extent[a--]) v += step[a] * (left % extent[a]);
        onnx_set(t, i, (double)v);
    }
    for (size_t i = 0; i < count && !affine; i++) {
        const char *end = first.length ? memchr(first.at, ',', first.length) : NULL;
        const Word one = { first.at, end ? (size_t)(end - first.at) : first.length };
        double v;
        if (!one.length || !number_read(b, &one, &v)) return not_understood(b, &one);
        onnx_set(t, i, v);
        first.at += one.length + (end != NULL);
        first.length -= one.length + (end != NULL);
    }
    return true;
}

/* ---- nodes ---- */

static bool attribute_add(Builder *b, Onnx__NodeProto *node, const Word *w, const char *equals)
{
    Onnx__AttributeProto *a;
    const char *value = equals + 1, *end = w->at + w->length;
    const Word key = { w->at, (size_t)(equals - w->at) }, rest = { value, (size_t)(end - value) };
    int64_t *at;
    if (!KEEP_MESSAGE(b, a, onnx__attribute_proto__init) || !(a->name = keep_text(b, key.at, key.length))) return false;
    node->attribute[node->n_attribute++] = a;
    a->has_type = true;
    if (*value == '[') {
        const int64_t count = integers(b, value + 1, end, &at);
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
        a->n_ints = count < 0 ? 0 : (size_t)count;
        a->ints = at;
        return count >= 0;
    }
    if (word_is(&key, "to") || *value == '-' || (*value >= '0' && *value <= '9')) {
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
        a->has_i = true;
        if (!word_is(&key, "to"))
            return integer_parse(value, rest.length, INT64_MIN, INT64_MAX, &a->i) == NUMBER_GOOD ||
                   not_understood(b, w);
        a->i = type_of(b, &rest);
        return true;
    }
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    a->has_s = true;
    a->s.len = rest.length;
    return (a->s.data = (uint8_t *)keep_text(b, rest.at, rest.length)) != NULL;
}

static bool argument_add(Builder *b, Onnx__NodeProto *node, const Word *w)
{
    if (names_find(&b->defined, w->at, w->length) < 0 && !(is_constant(w) ? constant_add(b, w) : weight_add(b, w)))
        return false;
    return (node->input[node->n_input++] = keep_text(b, w->at, w->length)) != NULL;
}

/* NAME.. = OPERATOR ARGUMENT.. KEY=ATTRIBUTE.., and whether `{` stands behind it */
static bool node_add(Builder *b, Onnx__GraphProto *g, Words w, bool *opens)
{
    const size_t most = (size_t)(w.end - w.at) / 2 + 1;
    Onnx__NodeProto *node;
    Word word, first = { w.at, 0 };
    if (!KEEP_MESSAGE(b, node, onnx__node_proto__init) || !(node->input = onnx_keep(b, most, sizeof *node->input)) ||
        !(node->output = onnx_keep(b, most, sizeof *node->output)) ||
        !(node->attribute = onnx_keep(b, most, sizeof *node->attribute)))
        return false;
    while (word_next(&w, &word) && !word_is(&word, "=")) {
        if (!first.length) first = word;
        if (!(node->output[node->n_output++] = keep_text(b, word.at, word.length))) return false;
    }
    if (!first.length || !word_next(&w, &word)) return not_understood(b, &first);
    if (word_is(&word, "Const") || word_is(&word, "Affine")) return table_of(b, &first, &w, *word.at == 'A');
    if (!(node->op_type = keep_text(b, word.at, word.length)) || !(node->name = keep_text(b, first.at, first.length)))
        return false;
    while (word_next(&w, &word)) {
        const char *equals = memchr(word.at, '=', word.length);
        if (word_is(&word, "{"))
            *opens = true;
        else if (!(equals ? attribute_add(b, node, &word, equals) : argument_add(b, node, &word)))
            return false;
    }
    if (onnx_fold(b, node)) return true;
    if (b->p->code) return false;
    for (size_t i = 0; i < node->n_input; i++)
        if (names_add(&b->used, node->input[i], strlen(node->input[i]), b->p) < 0) return false;
    for (size_t i = 0; i < node->n_output; i++)
        if (names_add(&b->defined, node->output[i], strlen(node->output[i]), b->p) < 0) return false;
    g->node[g->n_node++] = node;
    return true;
}

/* ---- inputs and outputs ---- */

/* NAME TYPE[n,3] */
static Onnx__ValueInfoProto *value_info(Builder *b, Words w)
{
    Word name, type;
    Onnx__ValueInfoProto *v;
    int64_t *extent, rank;
    if (!word_next(&w, &name) || !word_next(&w, &type)) return NULL;
    const char *open = memchr(type.at, '[', type.length), *end = type.at + type.length;
    if (!KEEP_MESSAGE(b, v, onnx__value_info_proto__init) || !KEEP_MESSAGE(b, v->type, onnx__type_proto__init) ||
        !KEEP_MESSAGE(b, v->type->tensor_type, onnx__type_proto__tensor__init) ||
        !(v->name = keep_text(b, name.at, name.length)) || names_add(&b->defined, name.at, name.length, b->p) < 0)
        return NULL;
    v->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    v->type->tensor_type->has_elem_type = true;
    v->type->tensor_type->elem_type = type_of(b, &type);
    if (!open) return v;
    const bool batch = open[1] == 'n';
    Onnx__TensorShapeProto *shape;
    if ((rank = integers(b, open + 1 + batch + (batch && open[2] == ','), end, &extent)) < 0) return NULL;
    if (!KEEP_MESSAGE(b, shape, onnx__tensor_shape_proto__init) ||
        !(shape->dim = onnx_keep(b, (size_t)rank + batch, sizeof *shape->dim)))
        return NULL;
    v->type->tensor_type->shape = shape;
    for (int64_t i = -(int64_t)batch; i < rank; i++) {
        Onnx__TensorShapeProto__Dimension *d;
        if (!KEEP_MESSAGE(b, d, onnx__tensor_shape_proto__dimension__init)) return NULL;
        d->value_case = i < 0 ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM
                              : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (i >= 0)
            d->dim_value = extent[i];
        else if (!(d->dim_param = keep_text(b, "batch", 5)))
            return NULL;
        shape->dim[shape->n_dim++] = d;
    }
    return v;
}

/* ---- the graph ---- */

static Onnx__GraphProto *graph_new(Builder *b, const char *name, size_t lines)
{
    Onnx__GraphProto *g;
    if (!KEEP_MESSAGE(b, g, onnx__graph_proto__init) || !(g->name = keep_text(b, name, strlen(name))) ||
        !(g->node = onnx_keep(b, lines, sizeof *g->node)) || !(g->input = onnx_keep(b, lines, sizeof *g->input)) ||
        !(g->output = onnx_keep(b, lines, sizeof *g->output)))
        return NULL;
    return g;
}

/* An output that is constant: a node of its own gives it, before all that may take it. */
static bool constant_output(Builder *b, Onnx__GraphProto *g, const char *name)
{
    Onnx__TensorProto *t = g == b->main ? onnx_initializer_of(b, name) : NULL;
    Onnx__NodeProto *node;
    if (!t) return true;
    if (!KEEP_MESSAGE(b, node, onnx__node_proto__init) || !(node->input = onnx_keep(b, 1, sizeof *node->input)) ||
        !(node->output = onnx_keep(b, 1, sizeof *node->output)) || !(node->op_type = keep_text(b, "Identity", 8)) ||
        !(t->name = onnx_keep(b, strlen(name) + 2, 1)))
        return false;
    memcpy(t->name, name, strlen(name));
    t->name[strlen(name)] = '#';
    node->input[node->n_input++] = t->name;
    node->output[node->n_output++] = (char *)name;
    node->name = (char *)name;
    memmove(g->node + 1, g->node, g->n_node * sizeof *g->node);
    g->node[0] = node;
    g->n_node++;
    return names_add(&b->used, t->name, strlen(t->name), b->p) >= 0;
}

static bool line_add(Builder *b, Onnx__GraphProto *g, Words w, bool *opens)
{
    Words rest = w;
    Word first;
    if (!word_next(&rest, &first)) return true;
    const bool input = word_is(&first, "input"), output = word_is(&first, "output");
    if (!input && !output) return node_add(b, g, w, opens);
    Onnx__ValueInfoProto *v = value_info(b, rest);
    if (!v) return b->p->code ? false : not_understood(b, &first);
    if (input)
        g->input[g->n_input++] = v;
    else
        g->output[g->n_output++] = v;
    return input || constant_output(b, g, v->name);
}

static bool graph_read(Builder *b, const char **text, Onnx__GraphProto *g, int depth);

/* What stands between { and } belongs to the node before it. */
static bool body_add(Builder *b, Onnx__GraphProto *g, const char **text, int depth)
{
    Onnx__NodeProto *node = g->node[g->n_node - 1];
    Onnx__AttributeProto *a;
    size_t lines = 1;
    for (const char *c = *text; *c && *c != '}'; c++) lines += *c == '\n';
    if (!KEEP_MESSAGE(b, a, onnx__attribute_proto__init) || !(a->name = keep_text(b, "body", 4)) ||
        !(a->g = graph_new(b, node->name, lines)))
        return false;
    a->has_type = true;
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH;
    node->attribute[node->n_attribute++] = a;
    return graph_read(b, text, a->g, depth + 1);
}

/* The lines up to the end, or up to a `}`. */
static bool graph_read(Builder *b, const char **text, Onnx__GraphProto *g, int depth)
{
    while (**text) {
        const Words line = { *text, *text + strcspn(*text, "\n") };
        bool opens = false;
        *text = line.end + (*line.end == '\n');
        if (*line.at == '}' && depth) return true;
        if (!line_add(b, g, line, &opens) || (opens && !body_add(b, g, text, depth))) return false;
    }
    return true;
}

static bool main_read(Builder *b, const char *text)
{
    size_t lines = 1, words = 1;
    for (const char *c = text; *c; c++) {
        lines += *c == '\n';
        words += *c == ' ';
    }
    const bool good = (b->main = graph_new(b, b->all->model->name, lines)) &&
                      (b->main->initializer = onnx_keep(b, words, sizeof *b->main->initializer)) &&
                      graph_read(b, &text, b->main, 0);
    size_t kept = 0; /* what only nodes needed that have been computed is left out */
    for (size_t i = 0; good && i < b->main->n_initializer; i++) {
        Onnx__TensorProto *t = b->main->initializer[i];
        if (names_find(&b->used, t->name, strlen(t->name)) >= 0) b->main->initializer[kept++] = t;
    }
    if (good) b->main->n_initializer = kept;
    return good;
}

/* ---- the model ---- */

static bool property_add(Builder *b, Onnx__ModelProto *m, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *e;
    if (!KEEP_MESSAGE(b, e, onnx__string_string_entry_proto__init) || !(e->key = keep_text(b, key, strlen(key))) ||
        !(e->value = keep_text(b, value, strlen(value))))
        return false;
    m->metadata_props[m->n_metadata_props++] = e;
    return true;
}

static bool properties(Builder *b, Onnx__ModelProto *m)
{
    const Data *d = b->all->data;
    bool good = (m->metadata_props = onnx_keep(b, (size_t)d->class_fields + 1, sizeof *m->metadata_props)) != NULL &&
                property_add(b, m, "sha256", b->all->model->sha256);
    for (int i = 0; good && i < d->class_fields; i++) {
        const NamedNames *n = d->classes[i];
        Writer w = { 0 };
        if (!n->names.count) continue;
        char *key = text_join(b->p, "classes:%s", n->field);
        write_names(&w, &n->names);
        good = key && !w.failed && property_add(b, m, key, w.text);
        free(key);
        free(w.text);
    }
    return good;
}

static bool model_read(Builder *b, Onnx__ModelProto *m)
{
    static char producer[] = "dlnc", domain[] = "";
    onnx__model_proto__init(m);
    if (!main_read(b, b->all->model->onnx) || !properties(b, m) ||
        !(m->opset_import = onnx_keep(b, 1, sizeof *m->opset_import)) ||
        !KEEP_MESSAGE(b, m->opset_import[0], onnx__operator_set_id_proto__init) ||
        !(m->producer_version = keep_text(b, b->all->model->version, strlen(b->all->model->version))))
        return false;
    m->has_ir_version = true;
    m->ir_version = IR_VERSION;
    m->producer_name = producer;
    m->graph = b->main;
    m->n_opset_import = 1;
    m->opset_import[0]->domain = domain;
    m->opset_import[0]->has_version = true;
    m->opset_import[0]->version = OPERATORS;
    return true;
}

/* ---- the file ---- */

typedef struct Sink {
    ProtobufCBuffer base;
    AtomicFile *file;
    Writer text;
    bool good;
    Problem *p;
} Sink;

static void sink_flush(Sink *s)
{
    if (s->text.failed) s->good = problem_set(s->p, EXIT_IO, "%s: out of memory", s->file->path);
    s->good = s->good && atomic_write(s->file, s->text.text, s->text.length, s->p);
    s->text.length = 0;
}

static void sink_append(ProtobufCBuffer *base, size_t length, const uint8_t *bytes)
{
    Sink *s = (Sink *)base;
    if (length < 1 << 16) write_bytes(&s->text, bytes, length);
    if (length >= 1 << 16 || s->text.length >= 1 << 16 || s->text.failed) sink_flush(s);
    if (length >= 1 << 16) s->good = s->good && atomic_write(s->file, bytes, length, s->p);
}

static bool message_write(const char *path, const Onnx__ModelProto *m, Problem *p)
{
    AtomicFile f;
    if (protobuf_c_message_get_packed_size(&m->base) > INT32_MAX)
        return problem_set(p, EXIT_INPUT, "%s: an ONNX file holds 2 GB at most; use safetensors", path);
    if (!atomic_open(&f, path, p)) return false;
    Sink s = { .base = { sink_append }, .file = &f, .good = true, .p = p };
    protobuf_c_message_pack_to_buffer(&m->base, &s.base);
    sink_flush(&s);
    free(s.text.text);
    if (s.good) return atomic_commit(&f, p);
    atomic_cancel(&f);
    return false;
}

bool onnx_write(const char *path, const Weights *all, Problem *p)
{
    Builder b = { .all = all, .p = p };
    Onnx__ModelProto m;
    const char *graph = all->model->onnx;
    if (!graph) return problem_set(p, EXIT_INPUT, "%s: the model's C was made without an ONNX graph", path);
    if (*graph == '!')
        return problem_set(p, EXIT_INPUT, "%s: the model cannot be written as ONNX: %s", path, graph + 2);
    const bool good = model_read(&b, &m) && message_write(path, &m, p);
    names_free(&b.defined);
    names_free(&b.used);
    for (size_t i = 0; i < b.blocks; i++) free(b.block[i]);
    free(b.block);
    return good;
}
#endif
