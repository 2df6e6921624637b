/* flips.c: every length and every single flipped bit of a small checkpoint, and headers that lie: it is refused with a
 * message, or what it gives is what was saved. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include "host/run.h"
#include "unit/fake_model.c"

static int wrong;
#define CHECK(condition, ...) do { if (!(condition)) { printf(__VA_ARGS__); printf("\n"); wrong++; } } while (0)

static void run_new(Run *r, double *last)
{
    Problem p = { .code = 0 };
    const dln_model *m = fake_model("x", 2, 2);
    (void)last;
    *r = (Run){ .options = { .quiet = true } };
    r->options.setting = memory_new(3, sizeof(double), &p);
    for (int i = 0; i < 3; i++) r->options.setting[i] = (double)NAN;
    CHECK(run_begin(r, m, &p) && run_init(r, 1, &p), "%s", p.text);
}

static void file_put(const char *path, const void *bytes, size_t count)
{
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(bytes, 1, count, f) == count, "cannot write");
    if (f) fclose(f);
}

/* Takes "c" as train --resume does, then as eval does. 1: taken; the weights must be those that were saved, unless they
 * may be others. */
static int take(const float *saved, bool others, const char *what, size_t which)
{
    Run r;
    double last[3];
    Problem p = { .code = 0 };
    Progress at = { .last = last };
    uint64_t seed = 0;
    float w[4];
    run_new(&r, last);
    bool good = checkpoint_classes(&r, "c", &p) && checkpoint_load(&r, "c", &at, &seed, &p);
    CHECK(good || (p.code == EXIT_INPUT && *p.text), "%s %zu: refused without a reason", what, which);
    if (good && !others) {
        r.model->get(r.object, 0, w);
        CHECK(!memcmp(w, saved, sizeof w) && at.step == 7 && seed == 3, "%s %zu: taken, and not what was saved", what, which);
    }
    run_end(&r);
    return good;
}

static void header_try(const char *name, const char *metadata)
{
    static char text[3 << 20];
    size_t length = (size_t)snprintf(text + 8, sizeof text - 8, "{\"__metadata__\":{%s},\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                                     metadata, name);
    for (int i = 0; i < 8; i++) text[i] = (char)((uint64_t)length >> 8 * i);
    memset(text + 8 + length, 0, 4);
    file_put("c", text, 8 + length + 4);
    CHECK(!take(NULL, true, "header", 0), "a file with the tensor %.20s was taken", name);
}

int main(void)
{
    Run r;
    double last[3] = { 1, 2, 3 };
    Problem p = { .code = 0 };
    Progress at = { .epoch = 3, .batch_in_epoch = 1, .step = 7, .batch = 2, .rows = 4, .best = 0.5, .watched = (double)NAN, .last = last };
    float saved[4] = { 1, -2, 0.25f, 3 };
    Bytes whole;
    run_new(&r, last);
    r.model->put(r.object, 0, saved);
    r.model->set_iteration(r.object, 7, 3);
    CHECK(checkpoint_save(&r, "c", &at, 3, KEEP_ALL, &p) && file_read("c", 1 << 20, &whole, &p), "%s", p.text);
    CHECK(take(saved, false, "whole", 0), "the whole one is refused");
    run_end(&r);

    int taken = 0;
    for (size_t n = 0; n < whole.count; n++) {
        file_put("c", whole.at, n);
        CHECK(!take(saved, false, "cut at", n), "%zu of %zu bytes were taken", n, whole.count);
    }
    for (size_t bit = 0; bit < whole.count * 8; bit++) {
        whole.at[bit / 8] ^= (unsigned char)(1 << bit % 8);
        file_put("c", whole.at, whole.count);
        taken += take(saved, false, "bit", bit);
        whole.at[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    CHECK(taken < 60, "%d", taken);                  /* those that turn the checksum's name into that of another note */

    static char name[1 << 20];
    memset(name, 'n', sizeof name - 1);
    header_try(name, "\"format\":\"dln\"");
    header_try("../../etc/passwd", "\"format\":\"dln\"");
    header_try("%n%s", "\"format\":\"dln\"");
    header_try("dense.w", "\"format\":\"dln\",\"iteration\":\"9223372036854775808\"");
    header_try("dense.w", "\"classes:label\":\"[1]\"");
    header_try("dense.w", "\"classes:label\":\"[\\\"a\\\",\\\"a\\\"]\"");
    header_try("dense.w", "\"classes:label\":\"{\"");
    /* notes that lie, in a file that is right otherwise */
    static const char *const notes[][2] = {
        { "\"iteration\":\"7\"", "\"iteration\":\"9223372036854775808\"" }, { "\"step\":\"7\"", "\"step\":\"-7\"" },
        { "\"epoch\":\"3\"", "\"epoch\":\"x\"" }, { "\"batch\":\"2\"", "\"batch\":\"1e9\"" },
        { "\"best\":\"0.5\"", "\"best\":\"\"" }, { "\"clocks\":\"1 2 3\"", "\"clocks\":\"1 2\"" },
        { "\"crc32\"", "\"other\"" },
    };
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        char text[8192], *place = strstr((char *)whole.at + 8, notes[i][0]);
        if (!place) { CHECK(false, "there is no %s", notes[i][0]); continue; }
        size_t before = (size_t)(place - (char *)whole.at), gone = strlen(notes[i][0]), put = strlen(notes[i][1]);
        memcpy(text, whole.at, before);
        memcpy(text + before, notes[i][1], put);
        memcpy(text + before + put, place + gone, whole.count - before - gone);
        char *checksum = strstr(text + 8, "\"crc32\"");      /* without one: the note itself is looked at */
        if (checksum) memcpy(checksum, "\"other\"", 7);
        uint64_t length = (uint64_t)put - gone;
        for (int k = 7; k >= 0; k--) length += (uint64_t)whole.at[k] << 8 * k;
        for (int k = 0; k < 8; k++) text[k] = (char)(length >> 8 * k);
        file_put("c", text, whole.count + put - gone);
        const bool last_one = i + 1 == sizeof notes / sizeof *notes;
        CHECK(take(saved, true, notes[i][1], i) == last_one, "%s: %s", notes[i][1], last_one ? "refused" : "taken");
    }
    printf("%zu lengths and %zu bits; %d flips were taken, harmless\n", whole.count, whole.count * 8, taken);
    free(whole.at);
    return wrong != 0;
}
