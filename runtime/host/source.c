/* source.c: the data block. `train = idx(..)` and its like make parts of tables, `train, test = split(all, 0.8)` shares
 * one out (share.c). A definition is read when its name is first asked for; eval never reads the training files.
 * Adding a source is a reader and a line in `sources`. SPDX-License-Identifier: 0BSD */
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "image.h"
#include "source.h"

typedef bool SourceRead(Data *d, const dln_value *call, Table *t, Problem *p);
static SourceRead idx_source, csv_source, text_source, cifar_source, npy_source, npz_source;
static const struct {
    const char *name;
    SourceRead *read;
} sources[] = {
    { "idx", idx_source },       { "csv", csv_source }, { "text", text_source },
    { "cifar10", cifar_source }, { "npy", npy_source }, { "npz", npz_source },
    { "images", images_source },
};
static const struct {
    const char *name;
    bool (*define)(Data *d, const dln_value *call, const char *name, Problem *p);
} shares[] = { { "split", split_define }, { "window", window_define } };
enum { SOURCES = sizeof sources / sizeof *sources, SHARES = sizeof shares / sizeof *shares };

void data_begin(Data *d, const dln_model *m, const char *folder) { *d = (Data){ .model = m, .folder = folder }; }

const dln_value *value_find(const dln_value *values, int count, const char *key)
{
    for (int i = 0; i < count; i++)
        if (values[i].key && !strcmp(values[i].key, key)) return &values[i];
    return NULL;
}

const dln_value *argument(const dln_value *call, const char *key)
{
    return value_find(call->items, call->count, key);
}

bool arguments_check(const dln_value *call, const char *const *known, Problem *p)
{
    int count = 0;
    while (known[count]) count++;
    for (int i = 0; i < call->count; i++) {
        bool found = !call->items[i].key;
        for (int k = 0; k < count; k++) found |= call->items[i].key && !strcmp(call->items[i].key, known[k]);
        if (found) continue;
        const char *near = name_nearest(call->items[i].key, known, count);
        problem_set(p, EXIT_INPUT, "data: %s has no argument '%s'", call->text, call->items[i].key);
        if (near) problem_add(p, "; did you mean '%s'?", near);
        return false;
    }
    return true;
}

bool argument_flag(const dln_value *call, const char *key, bool *out, Problem *p)
{
    const dln_value *v = argument(call, key);
    if (!v) return true;
    const bool word = v->kind == DLN_WORD, number = v->kind == DLN_NUMBER;
    const bool yes = (word && !strcmp(v->text, "true")) || (number && v->number == 1);
    if (!yes && !(word && !strcmp(v->text, "false")) && !(number && v->number == 0))
        return problem_set(p, EXIT_INPUT, "data: %s: %s is true or false", call->text, key);
    *out = yes;
    return true;
}

/* The first argument, a file name. */
const char *argument_file(const dln_value *call, Problem *p)
{
    if (call->count && !call->items[0].key && call->items[0].kind == DLN_STRING) return call->items[0].text;
    problem_set(p, EXIT_INPUT, "data: %s needs the name of a file first: %s(\"file\", ..)", call->text, call->text);
    return NULL;
}

bool argument_integer(const dln_value *call, const char *key, double low, double high, int64_t *out, Problem *p)
{
    const dln_value *v = argument(call, key);
    if (!v) return true;
    if (v->kind != DLN_NUMBER || !(v->number >= low && v->number <= high) || (double)(int64_t)v->number != v->number)
        return problem_set(p, EXIT_INPUT, "data: %s: %s must be a whole number from %.0f to %.0f", call->text, key, low,
                           high);
    *out = (int64_t)v->number;
    return true;
}

/* ---- the sources ---- */

static bool idx_source(Data *d, const dln_value *call, Table *t, Problem *p)
{
    if (!call->count)
        return problem_set(p, EXIT_INPUT, "data: idx needs fields: idx(image = \"file\", label = \"file\")");
    for (int i = 0; i < call->count; i++) {
        const dln_value *v = &call->items[i];
        if (!v->key || v->kind != DLN_STRING)
            return problem_set(p, EXIT_INPUT, "data: idx takes fields only: idx(image = \"file\", label = \"file\")");
        char *path = file_find(d->folder, v->text, p);
        bool good = path && idx_read(path, v->key, t, p);
        free(path);
        if (!good) return false;
    }
    return true;
}

static bool npy_source(Data *d, const dln_value *call, Table *t, Problem *p)
{
    if (!call->count)
        return problem_set(p, EXIT_INPUT, "data: npy needs fields: npy(image = \"x.npy\", label = \"y.npy\")");
    for (int i = 0; i < call->count; i++) {
        const dln_value *v = &call->items[i];
        Bytes array = { 0 };
        if (!v->key || v->kind != DLN_STRING)
            return problem_set(p, EXIT_INPUT, "data: npy takes fields only: npy(image = \"x.npy\", label = \"y.npy\")");
        char *path = file_find(d->folder, v->text, p);
        bool good = path && data_read(path, &array, p) && npy_read(&array, path, v->key, t, p);
        cells_free(array.at);
        free(path);
        if (!good) return false;
    }
    return true;
}

/* npz("file", image = "x_train", label = "y_train") */
static bool npz_source(Data *d, const dln_value *call, Table *t, Problem *p)
{
    Bytes zip = { 0 };
    const char *name = argument_file(call, p);
    char *path = name ? file_find(d->folder, name, p) : NULL;
    bool good = path && data_read(path, &zip, p);
    if (good && call->count < 2)
        good = problem_set(p, EXIT_INPUT, "data: npz needs fields: npz(\"file\", image = \"x_train\")");
    for (int i = 1; good && i < call->count; i++) {
        const dln_value *v = &call->items[i];
        Bytes array = { 0 };
        if (!v->key || v->kind != DLN_STRING) {
            good =
                problem_set(p, EXIT_INPUT, "data: npz takes the names of arrays: npz(\"file\", image = \"x_train\")");
            break;
        }
        char *inner = text_join(p, "%s.npy", v->text), *shown = text_join(p, "%s:%s", path, v->text);
        good = inner && shown && zip_read(&zip, path, inner, &array, p) && npy_read(&array, shown, v->key, t, p);
        cells_free(array.at);
        free(shown);
        free(inner);
    }
    cells_free(zip.at);
    free(path);
    return good;
}

/* A name or number as text, into a list whose strings belong to the caller. */
static bool column_words_add(const dln_value *v, Names *to, Problem *p)
{
    char number[32];
    const char *text = v->text;
    if (v->kind == DLN_NUMBER)
        snprintf(number, sizeof number, "%.0f", v->number), text = number;
    else if (v->kind != DLN_WORD && v->kind != DLN_STRING)
        return problem_set(p, EXIT_INPUT, "data: csv: a column is a name or a number");
    return names_add(to, text, strlen(text), p) >= 0;
}

static bool columns_list(const dln_value *call, const char *key, Names *to, Problem *p)
{
    const dln_value *v = argument(call, key);
    if (!v) return true;
    if (v->kind != DLN_LIST) return column_words_add(v, to, p);
    for (int i = 0; i < v->count; i++)
        if (!column_words_add(&v->items[i], to, p)) return false;
    return true;
}

const char *only_target(const dln_model *m)
{
    const char *name = NULL;
    for (int i = 0; i < m->fields; i++) {
        if (!m->field[i].is_target) continue;
        if (name) return NULL;
        name = m->field[i].name;
    }
    return name;
}

static bool header_mode(const dln_value *call, int *mode, Problem *p)
{
    const dln_value *v = argument(call, "header");
    bool yes = false;
    *mode = -1;
    if (!v || (v->kind == DLN_WORD && !strcmp(v->text, "auto"))) return true;
    if (!argument_flag(call, "header", &yes, p))
        return problem_set(p, EXIT_INPUT, "data: csv: header is true, false or auto");
    *mode = yes;
    return true;
}

static bool missing_mode(const dln_value *call, CsvMissing *mode, Problem *p)
{
    static const char *const words[] = { [MISSING_REFUSED] = "error", [MISSING_DROPS] = "drop",
                                         [MISSING_ZERO] = "zero", [MISSING_NAN] = "nan" };
    const dln_value *v = argument(call, "missing");
    if (!v) return true;
    for (int i = 0; v->kind == DLN_WORD && i < 4; i++)
        if (!strcmp(v->text, words[i])) {
            *mode = (CsvMissing)i;
            return true;
        }
    return problem_set(p, EXIT_INPUT, "data: csv: missing is error, drop, zero or nan");
}

static bool separator_read(const dln_value *call, char *separator, Problem *p)
{
    const dln_value *v = argument(call, "separator");
    if (v && (v->kind != DLN_STRING || strlen(v->text) != 1))
        return problem_set(p, EXIT_INPUT, "data: csv: separator is one character, as \";\"");
    if (v) *separator = v->text[0];
    return true;
}

/* The texts of a category are kept as those of classes are. */
static Names *category_names(void *context, const char *column, Problem *p)
{
    return data_classes(context, column, p);
}

/* The lists of columns of a call. */
enum { LIST_TARGET, LIST_DROP, LIST_NAMES, LIST_COLUMNS, LIST_CATEGORIES, LIST_NUMBERED, LISTS };

static bool csv_spec(const dln_value *call, Names list[LISTS], CsvSpec *spec, Problem *p)
{
    static const char *const key[LISTS] = { "target", "drop", "names", "columns", "categories", "numbered" };
    static const char *const known[] = { "target",   "drop",      "names",  "columns", "categories",
                                         "numbered", "separator", "header", "missing", NULL };
    if (!arguments_check(call, known, p) || !header_mode(call, &spec->header, p) ||
        !missing_mode(call, &spec->missing, p) || !separator_read(call, &spec->separator, p))
        return false;
    for (int i = 0; i < LISTS; i++)
        if (!columns_list(call, key[i], &list[i], p)) return false;
    if (list[LIST_TARGET].count > 1) return problem_set(p, EXIT_INPUT, "data: csv: one target only");
#define LIST(i) ((ColumnList){ list[i].count, (const char *const *)list[i].name })
    spec->target = list[LIST_TARGET].count ? list[LIST_TARGET].name[0] : NULL;
    spec->drops = list[LIST_DROP].count;
    spec->drop = LIST(LIST_DROP).at;
    spec->names = list[LIST_NAMES].count;
    spec->name = LIST(LIST_NAMES).at;
    spec->keep = LIST(LIST_COLUMNS);
    spec->category = LIST(LIST_CATEGORIES);
    spec->numbered = LIST(LIST_NUMBERED);
#undef LIST
    return true;
}

/* Reads text as the call says; without a call, as a table of features; `bare`: the target is not there. */
static bool csv_read_as(Data *d, const dln_value *call, bool bare, const Bytes *text, const char *path, Table *t, Problem *p)
{
    Names list[LISTS] = { 0 };
    const char *field = only_target(d->model);
    CsvSpec spec = { .header = -1, .target_field = field, .names_of = category_names, .context = d };
    Names *classes = data_classes(d, field ? field : "target", p);
    bool good = classes && (!call || csv_spec(call, list, &spec, p));
    if (bare) spec.target = NULL;
    good = good && csv_read(text, path, &spec, d->model->real_bytes == 8, classes, t, p);
    for (int i = 0; i < LISTS; i++) names_free(&list[i]);
    return good;
}

static bool csv_source(Data *d, const dln_value *call, Table *t, Problem *p)
{
    Bytes text = { 0 };
    const char *name = argument_file(call, p);
    char *path = name ? file_find(d->folder, name, p) : NULL;
    bool good = path && data_read(path, &text, p) && csv_read_as(d, call, false, &text, path, t, p);
    cells_free(text.at);
    free(path);
    return good;
}

static bool text_source(Data *d, const dln_value *call, Table *t, Problem *p)
{
    static const char *const known[] = { "context", NULL };
    Bytes text = { 0 };
    int64_t context = 0;
    Names *alphabet = data_classes(d, "characters", p);
    if (!alphabet || !arguments_check(call, known, p) || !argument_integer(call, "context", 1, 1 << 24, &context, p))
        return false;
    if (!context)
        return problem_set(p, EXIT_INPUT, "data: text needs the length of a sample: text(\"file\", context = 128)");
    const char *name = argument_file(call, p);
    char *path = name ? file_find(d->folder, name, p) : NULL;
    bool good = path && data_read(path, &text, p) && chars_read(&text, path, (int)context, alphabet, t, p);
    cells_free(text.at);
    free(path);
    return good;
}

static int glob_gives_up(const char *path, int error) /* folders that cannot be read are passed over */
{
    (void)path;
    return error == ENOMEM;
}

static bool cifar_source(Data *d, const dln_value *call, Table *t, Problem *p)
{
    const char *name = argument_file(call, p);
    glob_t found = { 0 };
    bool good = name != NULL;
    for (int deep = 0; good && deep < 2 && !found.gl_pathc; deep++) {
        char *pattern = text_join(p, deep ? "%s/*/%s" : "%s/%s", d->folder, name);
        if (!pattern) return false;
        globfree(&found);
        const int status = glob(pattern, 0, glob_gives_up, &found);
        good = (status != GLOB_NOSPACE && status != GLOB_ABORTED) || problem_set(p, EXIT_IO, "%s: out of memory", name);
        free(pattern);
    }
    if (good && !found.gl_pathc)
        good =
            problem_set(p, EXIT_IO, "cannot find %s in %s; --data DIR or DLN_DATA names the folder", name, d->folder);
    for (size_t i = 0; good && i < found.gl_pathc; i++) good = cifar_read(found.gl_pathv[i], t, p);
    globfree(&found);
    return good;
}

/* ---- parts ---- */

Part *part_new(Data *d, const char *name, size_t length, Problem *p)
{
    if (!memory_grow((void **)&d->part, &d->part_room, (size_t)d->parts + 1, sizeof *d->part, p)) return NULL;
    Part *part = memory_new(1, sizeof *part, p);
    if (!part || !(part->name = text_join(p, "%.*s", (int)length, name))) {
        free(part);
        return NULL;
    }
    return d->part[d->parts++] = part;
}

Part *part_of_table(Data *d, const char *name, size_t length, Table **table, Problem *p)
{
    Part *part = part_new(d, name, length, p);
    if (!part || !(part->own = memory_new(1, sizeof *part->own, p))) return NULL;
    part->table = *table = part->own;
    return part;
}

void part_drop_last(Data *d)
{ /* one that could not be made */
    Part *part = d->part[--d->parts];
    if (part->own) table_free(part->own);
    free(part->own);
    free(part->list_owned);
    free(part->name);
    free(part);
}

static bool source_define(Data *d, const dln_value *v, const char *name, Problem *p)
{
    const char *callee[SOURCES + SHARES];
    for (int i = 0; i < SOURCES; i++) callee[i] = sources[i].name;
    for (int i = 0; i < SHARES; i++) callee[SOURCES + i] = shares[i].name;
    if (v->kind != DLN_CALL)
        return problem_set(p, EXIT_INPUT, "data: %s is no source; write %s = csv(\"file\"), idx(..) ..", name, name);
    for (int i = 0; i < SHARES; i++)
        if (!strcmp(v->text, shares[i].name)) return shares[i].define(d, v, name, p);
    for (int i = 0; i < SOURCES; i++) {
        if (strcmp(v->text, sources[i].name)) continue;
        Table *table = NULL;
        Part *part = part_of_table(d, name, strlen(name), &table, p);
        if (!part) return false;
        if (!sources[i].read(d, v, table, p)) {
            part_drop_last(d);
            return false;
        }
        part->rows = table->rows;
        return true;
    }
    const char *near = name_nearest(v->text, callee, SOURCES + SHARES);
    problem_set(p, EXIT_INPUT, "data: there is no source '%s'", v->text);
    if (near)
        problem_add(p, "; did you mean '%s'?", near);
    else
        for (int i = 0; i < SOURCES + SHARES; i++) problem_add(p, "%s %s", i ? "," : "; there are", callee[i]);
    return false;
}

/* Does a definition's key, "train, test", have this name? */
static bool key_has(const char *key, const char *name)
{
    size_t length;
    for (; (key = next_name(key, &length)); key += length)
        if (length == strlen(name) && !memcmp(key, name, length)) return true;
    return false;
}

static const Part *part_find(const Data *d, const char *name)
{
    for (int i = 0; i < d->parts; i++)
        if (!strcmp(d->part[i]->name, name)) return d->part[i];
    return NULL;
}

const Part *data_part(Data *d, const char *name, Problem *p)
{
    const dln_model *m = d->model;
    const Part *part = part_find(d, name);
    if (part) return part;
    for (int i = 0; i < m->data_values; i++) {
        const dln_value *v = &m->data[i];
        if (!v->key || !key_has(v->key, name)) continue;
        if (d->depth > 20) {
            problem_set(p, EXIT_INPUT, "data: %s is made of itself", name);
            return NULL;
        }
        d->depth++;
        bool good = v->kind == DLN_WORD ? data_part(d, v->text, p) != NULL : source_define(d, v, name, p);
        d->depth--;
        if (!good) return NULL;
        return v->kind == DLN_WORD ? part_find(d, v->text) : part_find(d, name);
    }
    if (!m->data_values)
        problem_set(p, EXIT_INPUT, "%s has no data block; it names the files to read", m->source);
    else {
        problem_set(p, EXIT_INPUT, "the data block of %s defines no '%s'; it has:", m->source, name);
        for (int i = 0; i < m->data_values; i++)
            if (m->data[i].key) problem_add(p, "%s %s", i ? "," : "", m->data[i].key);
    }
    return NULL;
}

static NamedNames *classes_find(const Data *d, const char *field)
{
    for (int i = 0; i < d->class_fields; i++)
        if (!strcmp(d->classes[i]->field, field)) return d->classes[i];
    return NULL;
}

const Names *data_class_names(const Data *d, const char *field)
{
    const NamedNames *n = classes_find(d, field);
    return n && n->names.count ? &n->names : NULL;
}

Names *data_classes(Data *d, const char *field, Problem *p)
{
    NamedNames *n = classes_find(d, field);
    if (n) return &n->names;
    if (!memory_grow((void **)&d->classes, &d->class_room, (size_t)d->class_fields + 1, sizeof *d->classes, p))
        return NULL;
    if (!(n = memory_new(1, sizeof *n, p)) || !(n->field = text_join(p, "%s", field))) {
        free(n);
        return NULL;
    }
    d->classes[d->class_fields++] = n;
    return &n->names;
}

/* The first call of the data block to a source, which says what files of this model look like. */
static const dln_value *source_call(const dln_model *m, const char *callee)
{
    for (int i = 0; i < m->data_values; i++)
        if (m->data[i].kind == DLN_CALL && !strcmp(m->data[i].text, callee)) return &m->data[i];
    return NULL;
}

/* A CSV of as many columns as the input has elements is all features; any other is read as the data block says, first
 * with the target, then without. */
static bool csv_input(Data *d, const Bytes *text, const char *path, size_t elements, Table *t, Problem *p)
{
    static const struct { bool called, bare, any; } way[] = { { 0 }, { true, false, false }, { true, true, false },
                                                              { true, false, true } };
    const dln_value *call = source_call(d->model, "csv");
    for (int i = 0; i < 4; i++) {
        const bool good = csv_read_as(d, way[i].called ? call : NULL, way[i].bare, text, path, t, p);
        if (!call || way[i].any) return good;    /* a shape that does not fit is complained about later */
        if (good && t->columns && t->column[0].elements == elements) return true;
        table_free(t);
    }
    return false;
}

/* A table of which the model takes windows: read with its target or without it, whichever makes windows that fit. */
static bool series_input(Data *d, const Bytes *text, const char *path, const dln_field *input, Table *t, Problem *p)
{
    const dln_value *window = source_call(d->model, "window"), *call = source_call(d->model, "csv");
    Table *rows = NULL;
    size_t elements = 1;
    bool good = false;
    for (int i = 0; i < input->rank; i++) elements *= (size_t)input->extent[i];
    Part *part = part_of_table(d, path, strlen(path), &rows, p); /* the windows lie in its cells: it stays */
    for (int bare = 0; part && bare < 2; bare++) {
        table_free(t);
        table_free(rows);
        good = csv_read_as(d, call, bare, text, path, rows, p);
        part->rows = rows->rows;
        good = good && window_input(window, part, t, p);
        const Column *c = good ? table_find(t, input->name) : NULL;
        if (good && !c && t->columns == 1) c = t->column;
        if (good && c && c->elements == elements) return true;
        if (!argument(call, "target")) break;
    }
    return good;                                 /* a shape that does not fit is complained about later */
}

/* The only input of the model. */
static const dln_field *only_input(const dln_model *m, Problem *p)
{
    const dln_field *input = NULL;
    for (int i = 0; i < m->fields; i++) {
        if (m->field[i].is_target) continue;
        if (input) {
            problem_set(p, EXIT_USAGE, "--input FILE is for models with one input");
            return NULL;
        }
        input = &m->field[i];
    }
    if (!input) problem_set(p, EXIT_USAGE, "the model has no input");
    return input;
}

/* The file tells by its first bytes what it is, else the data block says what texts are. */
static bool input_read(Data *d, Bytes *file, const char *path, const dln_field *input, Table *t, Problem *p)
{
    const dln_model *m = d->model;
    size_t elements = 1;
    for (int i = 0; i < input->rank; i++) elements *= (size_t)input->extent[i];
    if (file->count >= 4 && !file->at[0] && !file->at[1])
        return strcmp(path, "-")
                   ? idx_read(path, input->name, t, p)
                   : problem_set(p, EXIT_USAGE, "IDX images are read from a file, not from standard input");
    if (file->count >= 6 && !memcmp(file->at, "\x93NUMPY", 6)) return npy_read(file, path, input->name, t, p);
    if (image_kind(file) != IMAGE_NONE) return image_input(source_call(m, "images"), input, file, path, t, p);
    if (source_call(m, "text"))
        return chars_read(file, path, (int)elements, data_classes(d, "characters", p), t, p);
    if (source_call(m, "window") && source_call(m, "csv")) return series_input(d, file, path, input, t, p);
    return csv_input(d, file, path, elements, t, p);
}

const Part *data_input(Data *d, const char *path, Problem *p)
{
    const dln_field *input = only_input(d->model, p);
    Table *t = NULL;
    Bytes file = { 0 };
    if (!input || !data_read(path, &file, p)) return NULL;
    const int before = d->parts;
    Part *part = part_of_table(d, "(input)", 7, &t, p);
    bool good = part && input_read(d, &file, path, input, t, p);
    cells_free(file.at);
    if (good && strcmp(t->column[0].name, input->name)) {
        free(t->column[0].name);
        good = (t->column[0].name = text_join(p, "%s", input->name));
    }
    while (!good && d->parts > before) part_drop_last(d);
    if (!good) return NULL;
    part->rows = t->rows;
    return part;
}

void data_end(Data *d)
{
    while (d->parts) part_drop_last(d);
    for (int i = 0; i < d->class_fields; i++) {
        names_free(&d->classes[i]->names);
        free(d->classes[i]->field);
        free(d->classes[i]);
    }
    free(d->classes);
    free(d->part);
    *d = (Data){ 0 };
}
