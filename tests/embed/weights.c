/* weights.c: what a model has learned, put into the C of another one. Built twice: with -DWRITE it trains the model
 * `classes` a little and writes its weights as safetensors and its predictions; without, it links the model that dlnc
 * made with --weights=FILE --inference-only and compares its predictions, to the bit.
 *     write WEIGHTS PREDICTIONS      read PREDICTIONS
 * SPDX-License-Identifier: MIT */
#include "model.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = CLASSES_BATCH };
static float x[N * 4], out[N * 3], expected[N * 3], values[1 << 16];
#ifdef WRITE
#define BYTES CLASSES_TRAIN_BYTES
#else
#define BYTES CLASSES_INFER_BYTES
#endif
static _Alignas(CLASSES_ALIGN) unsigned char memory[BYTES];
static classes m;

static void must(int status, const char *what)
{
    if (!status) return;
    fprintf(stderr, "%s: %s\n", what, classes_strerror(status));
    exit(1);
}

#ifdef WRITE
static size_t size_of(const classes_tensor *t)
{
    size_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= (size_t)t->extent[i];
    return n;
}

static void write_weights(FILE *f)
{
    int count;
    const classes_tensor *t = classes_tensors(&count);
    char header[4096] = "{", *at = header + 1;
    size_t offset = 0;
    for (int i = 0; i < count; i++) {
        if (t[i].kind > 1) continue;
        at += sprintf(at, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[", at > header + 1 ? "," : "", t[i].name);
        for (int a = 0; a < t[i].rank; a++) at += sprintf(at, "%s%d", a ? "," : "", t[i].extent[a]);
        at += sprintf(at, "],\"data_offsets\":[%zu,%zu]}", offset, offset + 4 * size_of(&t[i]));
        offset += 4 * size_of(&t[i]);
    }
    at += sprintf(at, "}");
    for (int i = 0; i < 8; i++) fputc((int)((size_t)(at - header) >> 8 * i & 255), f);
    fwrite(header, 1, (size_t)(at - header), f);
    for (int i = 0; i < count; i++) {
        if (t[i].kind > 1) continue;
        must(classes_get(&m, i, values), t[i].name);
        fwrite(values, 4, size_of(&t[i]), f);
    }
}
#endif

int main(int argc, char **argv)
{
    FILE *f = NULL;
    if (argc < 2) return 2;
    for (int i = 0; i < N * 4; i++) x[i] = (float)(i * 37 % 101) / 101.0f;
    must(classes_init(&m, memory, sizeof memory, 3), "init");
#ifdef WRITE
    int32_t label[N];
    for (int i = 0; i < N; i++) label[i] = i % 3;
    for (int step = 0; step < 20; step++) must(classes_step(&m, x, label, N, NULL), "step");
    must(classes_predict(&m, x, N, out), "predict");
    if (argc < 3 || !(f = fopen(argv[1], "wb"))) return 2;
    write_weights(f);
    if (fclose(f) || !(f = fopen(argv[2], "wb"))) return 3;
    fwrite(out, sizeof out, 1, f);
#else
    must(classes_predict(&m, x, N, out), "predict");
    if (!(f = fopen(argv[1], "rb")) || fread(expected, sizeof expected, 1, f) != 1) return 2;
    if (memcmp(out, expected, sizeof out)) { fprintf(stderr, "other predictions\n"); return 1; }
#endif
    (void)values;
    (void)expected;
    return fclose(f) ? 3 : 0;
}
