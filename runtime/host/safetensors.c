/* safetensors.c: the file format alone: 8 bytes with the length of a JSON header (little-endian), the header
 * {"__metadata__": {text: text}, "name": {"dtype", "shape", "data_offsets"}}, then the values, without holes.
 * A file is hostile until stored_open() has checked its whole structure. Files of ours also carry a checksum of header
 * and values ("crc32", counted with its own digits as zeros). SPDX-License-Identifier: 0BSD */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include "run.h"

enum { HEADER_MOST = 100 * 1000 * 1000, CRC_DIGITS = 8 };
static const char crc_key[] = "\"crc32\":\"";

static uint64_t little64(const unsigned char *b)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--) v = v << 8 | b[i];
    return v;
}

/* ---- reading ---- */

static bool bytes_at(const StoredFile *f, uint64_t at, void *to, size_t count, Problem *p)
{
    char *out = to;
    while (count) {
        ssize_t n = pread(f->fd, out, count, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return problem_set(p, EXIT_IO, "%s: %s", f->path, strerror(errno));
        if (n == 0) return problem_set(p, EXIT_INPUT, "%s: ends too early", f->path);
        out += n;
        at += (uint64_t)n;
        count -= (size_t)n;
    }
    return true;
}

static bool wrong(const StoredFile *f, const char *name, const char *what, Problem *p)
{
    return problem_set(p, EXIT_INPUT, "%s: tensor '%.80s': %s", f->path, name, what);
}

/* The types of the format; those that are not floats may be in a file, but nobody can ask for their values. */
static const struct {
    const char *name;
    size_t bytes;
    StoredKind kind;
} types[] = {
    { "F32", 4, STORED_FLOAT },    { "F64", 8, STORED_FLOAT },    { "F16", 2, STORED_HALF }, { "BF16", 2, STORED_BRAIN },
    { "F8_E4M3", 1, STORED_OTHER }, { "F8_E5M2", 1, STORED_OTHER }, { "I64", 8, STORED_OTHER }, { "I32", 4, STORED_OTHER },
    { "I16", 2, STORED_OTHER },    { "I8", 1, STORED_OTHER },     { "U64", 8, STORED_OTHER }, { "U32", 4, STORED_OTHER },
    { "U16", 2, STORED_OTHER },    { "U8", 1, STORED_OTHER },     { "BOOL", 1, STORED_OTHER },
};
enum { TYPES = sizeof types / sizeof *types };

static int type_find(const char *name)
{
    for (int i = 0; i < TYPES; i++)
        if (!strcmp(types[i].name, name)) return i;
    return -1;
}

/* One entry of the header, all its values in range and its bytes as many as its shape says. */
static bool tensor_parse(const StoredFile *f, const char *name, const json_t *j, uint64_t data, StoredTensor *t,
                         Problem *p)
{
    const json_t *shape = json_object_get(j, "shape"), *offsets = json_object_get(j, "data_offsets"), *item;
    const char *dtype = json_string_value(json_object_get(j, "dtype"));
    size_t i, bytes;
    *t = (StoredTensor){ .name = name };
    if (!json_is_object(j) || !dtype || !json_is_array(shape) || !json_is_array(offsets))
        return wrong(f, name, "needs dtype, shape and data_offsets", p);
    if (json_object_size(j) != 3) return wrong(f, name, "has more than dtype, shape and data_offsets", p);
    const int type = type_find(dtype);
    if (type < 0)
        return problem_set(p, EXIT_INPUT, "%s: tensor '%.80s' has type %.20s, which is none of safetensors", f->path,
                           name, dtype);
    t->kind = types[type].kind;
    t->type = types[type].name;
    bytes = types[type].bytes;
    t->twice = t->kind == STORED_FLOAT && bytes == 8;
    if (json_array_size(shape) > DLN_MAX_RANK) return wrong(f, name, "has too many axes", p);
    t->rank = (int)json_array_size(shape);
    json_array_foreach(shape, i, item)
    {
        t->extent[i] = json_is_integer(item) ? json_integer_value(item) : -1;
        if (t->extent[i] < 0) return wrong(f, name, "an extent is not a whole number from 0 on", p);
        if (!size_product(bytes, (size_t)t->extent[i], &bytes)) return wrong(f, name, "its shape is too large", p);
    }
    if (json_array_size(offsets) != 2) return wrong(f, name, "data_offsets needs two numbers", p);
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (!json_is_integer(begin) || !json_is_integer(end) || json_integer_value(begin) < 0 ||
        json_integer_value(end) < json_integer_value(begin) || (uint64_t)json_integer_value(end) > data)
        return wrong(f, name, "its data_offsets do not lie in the file", p);
    t->begin = (uint64_t)json_integer_value(begin);
    t->end = (uint64_t)json_integer_value(end);
    return t->end - t->begin == bytes || wrong(f, name, "its data_offsets do not agree with its shape", p);
}

static int tensor_order(const void *a, const void *b)
{
    const StoredTensor *s = a, *t = b;
    if (s->begin != t->begin) return s->begin < t->begin ? -1 : 1;
    return s->end < t->end ? -1 : s->end > t->end;
}

/* Sorted by place, each begins where the one before ends, and the last ends with the file. */
static bool tensors_check(StoredFile *f, uint64_t data, Problem *p)
{
    uint64_t at = 0;
    qsort(f->tensor, (size_t)f->tensors, sizeof *f->tensor, tensor_order);
    for (int i = 0; i < f->tensors; at = f->tensor[i++].end)
        if (f->tensor[i].begin != at)
            return wrong(f, f->tensor[i].name,
                         f->tensor[i].begin < at ? "overlaps another one" : "there is a hole before it", p);
    return at == data || problem_set(p, EXIT_INPUT, "%s: %llu bytes behind the last tensor", f->path,
                                     (unsigned long long)(data - at));
}

static bool notes_check(const StoredFile *f, const json_t *notes, Problem *p)
{
    const char *key;
    json_t *value;
    if (!notes) return true;
    if (!json_is_object(notes)) return problem_set(p, EXIT_INPUT, "%s: __metadata__ is no object", f->path);
    json_object_foreach((json_t *)notes, key, value) if (!json_is_string(value)) return problem_set(
        p, EXIT_INPUT, "%s: __metadata__ '%.80s' is no text", f->path, key);
    return true;
}

/* jansson 2.14 takes an allocation that fails for an error in the text, or crashes. So its blocks are kept in a list,
 * newest first, and a failure leaves the parser by longjmp; then what it had allocated is freed here. */
typedef struct Block {
    struct Block *next, *before;
} Block;
static Block blocks = { &blocks, &blocks };
static jmp_buf json_starved;

static void *json_memory(size_t bytes)
{
    Block *b = bytes < PTRDIFF_MAX ? malloc(sizeof *b + bytes) : NULL;
    if (!b) longjmp(json_starved, 1);
    *b = (Block){ blocks.next, &blocks };
    blocks.next->before = b;
    blocks.next = b;
    return b + 1;
}

static void json_release(void *block)
{
    Block *b = block;
    if (!b) return;
    b--;
    b->next->before = b->before;
    b->before->next = b->next;
    free(b);
}

json_t *stored_json(const char *path, const char *text, size_t length, Problem *p)
{
    json_error_t error;
    Block *const mark = blocks.next;
    json_set_alloc_funcs(json_memory, json_release);
    if (setjmp(json_starved)) {
        while (blocks.next != mark) json_release(blocks.next + 1);
        problem_set(p, EXIT_IO, "%s: out of memory", path);
        return NULL;
    }
    json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (!json) problem_set(p, EXIT_INPUT, "%s: not a safetensors file (%.200s)", path, error.text);
    return json;
}

static bool header_parse(StoredFile *f, size_t length, uint64_t data, Problem *p)
{
    const char *name;
    json_t *value;
    if (f->header[0] != '{')
        return problem_set(p, EXIT_INPUT, "%s: not a safetensors file (its header is no JSON object)", f->path);
    if (!(f->json = stored_json(f->path, f->header, length, p))) return false;
    if (!json_is_object(f->json))
        return problem_set(p, EXIT_INPUT, "%s: not a safetensors file (its header is no JSON object)", f->path);
    if (!notes_check(f, json_object_get(f->json, "__metadata__"), p)) return false;
    if (!(f->tensor = memory_new(json_object_size(f->json), sizeof *f->tensor, p))) return false;
    json_object_foreach(f->json, name, value)
    {
        if (!strcmp(name, "__metadata__")) continue;
        if (!tensor_parse(f, name, value, data, &f->tensor[f->tensors], p)) return false;
        f->tensors++;
    }
    return tensors_check(f, data, p);
}

/* The checksum of a file that has one. Its digits are the first note, so their place is known. */
static bool crc_check(const StoredFile *f, size_t length, uint64_t data, Problem *p)
{
    const char *noted = stored_note(f, "crc32");
    char *digits = noted ? strstr(f->header, crc_key) : NULL, saved[CRC_DIGITS], computed[CRC_DIGITS + 1];
    enum { PIECE = 1 << 20 };
    if (!noted) return true;
    if (!digits || strlen(noted) != CRC_DIGITS || digits + sizeof crc_key - 1 + CRC_DIGITS > f->header + length)
        return problem_set(p, EXIT_INPUT, "%s: damaged (its checksum is not readable)", f->path);
    digits += sizeof crc_key - 1;
    memcpy(saved, digits, CRC_DIGITS);
    memset(digits, '0', CRC_DIGITS);
    uLong crc = crc32(0, (const Bytef *)f->header, (uInt)length);
    memcpy(digits, saved, CRC_DIGITS);
    unsigned char *piece = memory_new(PIECE, 1, p);
    bool good = piece != NULL;
    for (uint64_t at = 0; good && at < data; at += PIECE) {
        size_t count = data - at < PIECE ? (size_t)(data - at) : PIECE;
        good = bytes_at(f, f->data_begin + at, piece, count, p);
        if (good) crc = crc32(crc, piece, (uInt)count);
    }
    free(piece);
    snprintf(computed, sizeof computed, "%08lx", (unsigned long)crc & 0xFFFFFFFFul);
    if (good && memcmp(computed, saved, CRC_DIGITS))
        good = problem_set(p, EXIT_INPUT, "%s: damaged (checksum %.8s, expected %.8s)", f->path, computed, saved);
    return good;
}

static bool file_parse(StoredFile *f, Problem *p)
{
    struct stat s;
    unsigned char prefix[8];
    if (fstat(f->fd, &s) || !S_ISREG(s.st_mode)) return problem_set(p, EXIT_IO, "%s is not a file", f->path);
    if (s.st_size < 10)
        return problem_set(p, EXIT_INPUT, "%s: %lld bytes are too few for a safetensors file", f->path,
                           (long long)s.st_size);
    if (!bytes_at(f, 0, prefix, 8, p)) return false;
    uint64_t length = little64(prefix), rest = (uint64_t)s.st_size - 8;
    if (length < 2 || length > HEADER_MOST || length > rest)
        return problem_set(p, EXIT_INPUT,
                           "%s: not a safetensors file, or cut: its header is said to have %llu bytes, %llu follow",
                           f->path, (unsigned long long)length, (unsigned long long)rest);
    if (!(f->header = memory_new((size_t)length + 1, 1, p)) || !bytes_at(f, 8, f->header, (size_t)length, p))
        return false;
    f->data_begin = 8 + length;
    return header_parse(f, (size_t)length, rest - length, p) && crc_check(f, (size_t)length, rest - length, p);
}

bool stored_open(StoredFile *f, const char *path, Problem *p)
{
    *f = (StoredFile){ .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) };
    if (f->fd < 0) return problem_set(p, EXIT_IO, "cannot open %s: %s", path, strerror(errno));
    f->path = text_join(p, "%s", path);
    if (f->path && file_parse(f, p)) return true;
    stored_close(f);
    return false;
}

const char *stored_note(const StoredFile *f, const char *key)
{
    return json_string_value(json_object_get(json_object_get(f->json, "__metadata__"), key));
}

const StoredTensor *stored_find(const StoredFile *f, const char *name)
{
    for (int i = 0; i < f->tensors; i++)
        if (!strcmp(f->tensor[i].name, name)) return &f->tensor[i];
    return NULL;
}

const char *stored_shape_words(const StoredTensor *t, char *words, size_t room)
{
    size_t used = (size_t)snprintf(words, room, "%s[", t->kind == STORED_OTHER ? t->type : "");
    for (int i = 0; i < t->rank && used < room; i++)
        used += (size_t)snprintf(words + used, room - used, i ? ", %lld" : "%lld", (long long)t->extent[i]);
    if (used < room) snprintf(words + used, room - used, "]");
    return words;
}

/* sign, 5 bits of exponent, 10 of fraction; without an exponent the fraction counts in 2^-24 */
static double half_value(uint16_t h)
{
    const int exponent = h >> 10 & 31, fraction = h & 1023;
    double v = exponent == 0    ? ldexp(fraction, -24)
               : exponent == 31 ? (fraction ? (double)NAN : (double)INFINITY)
                                : ldexp(1024 + fraction, exponent - 25);
    return h >> 15 ? -v : v;
}

/* the upper half of a float */
static double brain_value(uint16_t b)
{
    const uint32_t bits = (uint32_t)b << 16;
    float v;
    memcpy(&v, &bits, sizeof v);
    return (double)v;
}

static double value_at(const StoredTensor *t, const void *stored, size_t i)
{
    if (t->kind == STORED_HALF) return half_value(((const uint16_t *)stored)[i]);
    if (t->kind == STORED_BRAIN) return brain_value(((const uint16_t *)stored)[i]);
    return t->twice ? ((const double *)stored)[i] : (double)((const float *)stored)[i];
}

/* Values are little-endian in the file, as on every machine that this host program supports. */
bool stored_values(const StoredFile *f, const StoredTensor *t, bool twice, void *values, Problem *p)
{
    size_t bytes = (size_t)(t->end - t->begin), count = bytes / (t->kind != STORED_FLOAT ? 2 : t->twice ? 8 : 4);
    if (t->kind == STORED_OTHER)
        return problem_set(p, EXIT_INPUT, "%s: tensor '%.80s' has type %s; F32, F64, F16 and BF16 are read", f->path,
                           t->name, t->type);
    if (t->kind == STORED_FLOAT && twice == t->twice) return bytes_at(f, f->data_begin + t->begin, values, bytes, p);
    void *stored = memory_new(bytes, 1, p);
    bool good = stored && bytes_at(f, f->data_begin + t->begin, stored, bytes, p);
    for (size_t i = 0; good && i < count; i++) {
        if (twice)
            ((double *)values)[i] = value_at(t, stored, i);
        else
            ((float *)values)[i] = (float)value_at(t, stored, i);
    }
    free(stored);
    return good;
}

void stored_close(StoredFile *f)
{
    if (f->fd >= 0) close(f->fd);
    json_decref(f->json);
    free(f->header);
    free(f->tensor);
    free(f->path);
    *f = (StoredFile){ .fd = -1 };
}

/* ---- writing ---- */

static size_t stored_bytes(const StoredTensor *t)
{
    size_t n = t->twice ? 8 : 4;
    for (int i = 0; i < t->rank; i++) n *= (size_t)t->extent[i];
    return n;
}

static void header_write(Writer *w, int tensors, const StoredTensor *tensor, int notes, const char *const (*note)[2])
{
    size_t at = 0;
    write_text(w, "{\"__metadata__\":{%s00000000\"", crc_key);
    for (int i = 0; i < notes; i++) {
        write_text(w, ",");
        write_json_string(w, note[i][0]);
        write_text(w, ":");
        write_json_string(w, note[i][1]);
    }
    write_text(w, "}");
    for (int i = 0; i < tensors; i++) {
        size_t bytes = stored_bytes(&tensor[i]);
        write_text(w, ",");
        write_json_string(w, tensor[i].name);
        write_text(w, ":{\"dtype\":\"%s\",\"shape\":[", tensor[i].twice ? "F64" : "F32");
        for (int k = 0; k < tensor[i].rank; k++) write_text(w, k ? ",%lld" : "%lld", (long long)tensor[i].extent[k]);
        write_text(w, "],\"data_offsets\":[%zu,%zu]}", at, at + bytes);
        at += bytes;
    }
    write_text(w, "}");
    while (w->length % 8 && !w->failed) write_text(w, " ");
}

/* Writes all values and goes on with the checksum. */
static bool values_pass(AtomicFile *f, int tensors, const StoredTensor *tensor, StoredSource *values, void *context,
                        uLong *crc, Problem *p)
{
    const void *from;
    for (int i = 0; i < tensors; i++) {
        size_t bytes = stored_bytes(&tensor[i]);
        if (!values(context, i, &from, p) || !atomic_write(f, from, bytes, p)) return false;
        for (size_t at = 0; at < bytes; at += (size_t)1 << 30) {
            size_t count = bytes - at < (size_t)1 << 30 ? bytes - at : (size_t)1 << 30;
            *crc = crc32(*crc, (const Bytef *)from + at, (uInt)count);
        }
    }
    return true;
}

bool stored_write(const char *path, int tensors, const StoredTensor *tensor, int notes, const char *const (*note)[2],
                  StoredSource *values, void *context, Problem *p)
{
    Writer w = { 0 };
    AtomicFile f;
    unsigned char prefix[8];
    char digits[CRC_DIGITS + 1];
    header_write(&w, tensors, tensor, notes, note);
    if (w.failed || w.length > HEADER_MOST) {
        free(w.text);
        return problem_set(p, EXIT_IO, "%s: out of memory", path);
    }
    for (int i = 0; i < 8; i++) prefix[i] = (unsigned char)((uint64_t)w.length >> 8 * i);
    bool good = atomic_open(&f, path, p);
    if (!good) {
        free(w.text);
        return false;
    }
    uLong crc = crc32(0, (const Bytef *)w.text, (uInt)w.length);
    good = atomic_write(&f, prefix, 8, p) && atomic_write(&f, w.text, w.length, p) &&
           values_pass(&f, tensors, tensor, values, context, &crc, p);
    snprintf(digits, sizeof digits, "%08lx", (unsigned long)crc & 0xFFFFFFFFul);
    const char *place = strstr(w.text, crc_key);
    off_t at = 8 + (off_t)(place - w.text) + (off_t)sizeof crc_key - 1;
    if (good && pwrite(f.fd, digits, CRC_DIGITS, at) != CRC_DIGITS)
        good = problem_set(p, EXIT_IO, "cannot write %s: %s", path, strerror(errno));
    free(w.text);
    if (good) return atomic_commit(&f, p);
    atomic_cancel(&f);
    return false;
}
