/* weights.c: --weights=FILE: a trained model's values, read from a safetensors file when dlnc runs and written into
 * model.c as constants. The file: 8 bytes length of the header, little-endian; the header, JSON of the form
 *     {"dense.w": {"dtype": "F32", "shape": [784, 512], "data_offsets": [0, 1605632]}, .., "__metadata__": {..}}
 * and the values. The file is not trusted: whatever it holds, it is read inside its bounds or refused with a message. */
#include "base/sha256.h"
#include "emit/emit.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Stored { const char *name, *dtype; int rank; int64_t extent[MAX_RANK], from, to; } Stored;
struct WeightFile {
    const char *path, *sha256;
    const unsigned char *data;                   /* the values */
    int64_t bytes;
    LIST(Stored) tensors;
};

/* ---- JSON, as much as a header has ---- */
typedef struct Json { const char *at, *end; const char *wrong; } Json;

static void json_space(Json *j) { while (j->at < j->end && strchr(" \t\r\n", *j->at)) j->at++; }

static bool json_is(Json *j, char c)             /* takes c if it is next */
{
    json_space(j);
    if (j->at < j->end && *j->at == c) { j->at++; return true; }
    return false;
}

static void json_need(Json *j, char c)
{
    if (!j->wrong && !json_is(j, c)) j->wrong = format("expected '%c'", c);
}

static const char *json_string(Json *j)
{
    Text t = {0};
    json_need(j, '"');
    while (!j->wrong && j->at < j->end && *j->at != '"') {
        if (*j->at == '\\' && j->at + 1 < j->end) j->at++;
        text_add_n(&t, j->at++, 1);
    }
    json_need(j, '"');
    return text_string(&t);
}

static int64_t json_count(Json *j)
{
    int64_t n = 0;
    json_space(j);
    const char *begin = j->at;
    while (j->at < j->end && *j->at >= '0' && *j->at <= '9') {
        if (n > (INT64_MAX - 9) / 10) { j->wrong = "a number that is too large"; return 0; }
        n = 10 * n + (*j->at++ - '0');
    }
    if (j->at == begin && !j->wrong) j->wrong = "expected a whole number";
    return n;
}

static int json_counts(Json *j, int64_t *out, int room)
{
    int n = 0;
    json_need(j, '[');
    if (json_is(j, ']')) return 0;
    do {
        int64_t v = json_count(j);
        if (n == room) { j->wrong = "a list that is too long"; return n; }
        out[n++] = v;
    } while (!j->wrong && json_is(j, ','));
    json_need(j, ']');
    return n;
}

/* Passes over {"text": "text", ..} */
static void json_skip_texts(Json *j)
{
    json_need(j, '{');
    if (json_is(j, '}')) return;
    do {
        json_string(j);
        json_need(j, ':');
        json_string(j);
    } while (!j->wrong && json_is(j, ','));
    json_need(j, '}');
}

static void stored_read(Json *j, const char *name, WeightFile *f)
{
    Stored s = { .name = name, .from = -1 };
    int64_t offsets[2] = {0};
    json_need(j, '{');
    do {
        const char *key = json_string(j);
        json_need(j, ':');
        if (!strcmp(key, "dtype")) s.dtype = json_string(j);
        else if (!strcmp(key, "shape")) s.rank = json_counts(j, s.extent, MAX_RANK);
        else if (!strcmp(key, "data_offsets")) {
            if (json_counts(j, offsets, 2) == 2) { s.from = offsets[0]; s.to = offsets[1]; }
        } else if (!j->wrong) j->wrong = format("'%.60s' is not expected in a tensor", key);
    } while (!j->wrong && json_is(j, ','));
    json_need(j, '}');
    if (j->wrong) return;
    if (!s.dtype || s.from < 0 || s.to < s.from || s.to > f->bytes) j->wrong = format("tensor '%.80s' does not lie in the file", name);
    else PUSH(f->tensors, s);
}

static void header_read(WeightFile *f, const char *text, int64_t length)
{
    Json j = { .at = text, .end = text + length };
    json_need(&j, '{');
    if (!json_is(&j, '}')) {
        do {
            const char *name = json_string(&j);
            json_need(&j, ':');
            if (j.wrong) break;
            if (!strcmp(name, "__metadata__")) json_skip_texts(&j);
            else stored_read(&j, name, f);
        } while (!j.wrong && json_is(&j, ','));
        json_need(&j, '}');
    }
    if (j.wrong) error_plain("%s: byte %lld of the header: %s", f->path, (long long)(j.at - text), j.wrong);
}

/* ---- the file ---- */
static const size_t MOST_BYTES = (size_t)1 << 30;

static bool file_read(const char *path, const unsigned char **out, int64_t *length)
{
    FILE *file = fopen(path, "rb");
    Text t = {0};
    static char buffer[1 << 16];
    size_t n;
    if (!file) { error_plain("%s: %s", path, strerror(errno)); return false; }
    while (t.length < MOST_BYTES && (n = fread(buffer, 1, sizeof buffer, file)) > 0) text_add_n(&t, buffer, n);
    bool bad = ferror(file) || t.length >= MOST_BYTES;
    if (bad) error_plain("%s: %s", path, ferror(file) ? strerror(errno) : "more than a GB of weights is too much for C's text");
    fclose(file);
    *out = (const unsigned char *)text_string(&t);
    *length = (int64_t)t.length;
    return !bad;
}

WeightFile *weights_read(const char *path)
{
    WeightFile *f = NEW(WeightFile);
    const unsigned char *at;
    int64_t length, header = 0;
    char sha256[65];
    f->path = path;
    if (!file_read(path, &at, &length)) return NULL;
    for (int i = 7; i >= 0 && length >= 8; i--) header = header < INT64_MAX >> 9 ? header << 8 | at[i] : INT64_MAX >> 1;
    if (length < 8 || header > length - 8) {
        error_plain("%s: is no safetensors file: %lld bytes, a header of %lld", path, (long long)length, (long long)header);
        return NULL;
    }
    f->data = at + 8 + header;
    f->bytes = length - 8 - header;
    sha256_hex(at, (size_t)length, sha256);
    f->sha256 = intern(sha256);
    int before = error_count();
    header_read(f, (const char *)at + 8, header);
    return error_count() == before ? f : NULL;
}

const char *weights_sha256(const WeightFile *f) { return f->sha256; }

static const char *extents_text(int rank, const int64_t *extent)
{
    Text t = {0};
    for (int i = 0; i < rank; i++) text_addf(&t, "%s%" PRId64, i ? ", " : "[", extent[i]);
    text_add(&t, rank ? "]" : "[]");
    return text_string(&t);
}

static bool shape_is(const Stored *s, const Tensor *t)
{
    bool same = s->rank == t->rank;
    for (int i = 0; same && i < t->rank; i++) same = s->extent[i] == t->extent[i];
    return same;
}

const double *weights_of(const WeightFile *f, const Tensor *t)
{
    const Stored *s = NULL;
    for (int i = 0; i < f->tensors.count; i++) if (!strcmp(f->tensors.at[i].name, t->name)) s = &f->tensors.at[i];
    if (!s) return NULL;
    int64_t size = tensor_size(t), element = !strcmp(s->dtype, "F32") ? 4 : !strcmp(s->dtype, "F64") ? 8 : 0;
    int64_t extent[MAX_RANK];
    for (int i = 0; i < t->rank; i++) extent[i] = t->extent[i];
    if (!element) error_plain("%s: tensor '%s' has type %.20s; F32 and F64 are read", f->path, t->name, s->dtype);
    else if (!shape_is(s, t))
        error_plain("%s: tensor '%s' has shape %s, the model's has %s", f->path, t->name, extents_text(s->rank, s->extent), extents_text(t->rank, extent));
    else if (s->to - s->from != size * element)
        error_plain("%s: tensor '%s' has %lld bytes, its shape needs %lld", f->path, t->name, (long long)(s->to - s->from), (long long)(size * element));
    else {
        double *values = NEW_ARRAY(double, size ? size : 1);
        for (int64_t i = 0; i < size; i++) {
            float single;
            const unsigned char *at = f->data + s->from + i * element;
            if (element == 4) { memcpy(&single, at, 4); values[i] = (double)single; }
            else memcpy(&values[i], at, 8);
            if (!isfinite(values[i])) {
                error_plain("%s: tensor '%s' is not finite at place %lld", f->path, t->name, (long long)i);
                return NULL;
            }
        }
        return values;
    }
    return NULL;
}

/* ---- as constants of model.c ---- */
static const char *number_text(const Emission *e, double v)
{
    if (e->plan->options->wide_real) return double_text(v);
    for (int digits = 6; ; digits++) {
        const char *s = format("%.*g", digits, v);
        if (digits == 9 || strtof(s, NULL) == (float)v) return strpbrk(s, ".e") ? format("%sf", s) : format("%s.0f", s);
    }
}

void weights_text(const Emission *e, Text *to)
{
    if (!e->weights) return;
    text_addf(to, "/* ---- the weights that every instance begins with; SHA-256 of their file: %s ---- */\n", weights_sha256(e->weights));
    bool *given = NEW_ARRAY(bool, kept_count(e) + 1);
    for (int i = 0; i < kept_count(e); i++) {
        const Tensor *t = kept_tensor(e, i);
        if (!kept_in_inference(e, t)) continue;
        const double *values = weights_of(e->weights, t);
        if (!values && t->role == ROLE_PARAM && !error_count()) error_plain("the file of weights has no tensor '%s'", t->name);
        if (!values) continue;
        given[i] = true;
        text_addf(to, "static const real weights_%d[%" PRId64 "] = {       /* %s */", i, tensor_size(t), c_name(e->plan, t));
        for (int64_t k = 0, column = 99; k < tensor_size(t); k++) {
            const char *number = number_text(e, values[k]);
            int length = (int)strlen(number) + 2;
            bool wraps = column + length > 110;
            text_addf(to, "%s%s,", wraps ? "\n    " : " ", number);
            column = wraps ? length + 3 : column + length;
        }
        text_add(to, "\n};\n");
    }
    template_add(e, to, "static const real *const weights[@P_TENSORS] = {");
    for (int i = 0; i < kept_count(e); i++) text_addf(to, given[i] ? "%sweights_%d" : "%sNULL", i ? ", " : "", i);
    text_add(to, "};\n\n");
}
