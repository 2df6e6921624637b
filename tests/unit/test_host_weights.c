/* test_host_weights.c: safetensors files (round trip, every truncation, every flipped bit, the hostile list), atomic
 * writing, and checkpoints of a model. */
#include <math.h>
#include "host/run.h"
#include "unit/fake_model.c"
#include "unit/host_test.h"

TestSuite(weights, .init = folder_make, .fini = folder_remove);

static const float a_values[6] = { 1, -2, 3.5f, 0, 1e-30f, 7 };
static const double b_values[2] = { 0.1, -1e300 };
static const StoredTensor two[] = { { .name = "a.w", .rank = 2, .extent = { 2, 3 } },
                                    { .name = "b \"q\"", .twice = true, .rank = 1, .extent = { 2 } } };

static bool two_values(void *context, int i, const void **values, Problem *p)
{
    (void)context;
    (void)p;
    *values = i ? (const void *)b_values : (const void *)a_values;
    return true;
}

static const char *two_write(const char *name)
{
    static const char *const note[][2] = { { "format", "dln" }, { "text", "line\n\"quoted\" \\ \x01" } };
    Problem p = { 0 };
    cr_assert(stored_write(in_folder(name), 2, two, 2, note, two_values, NULL, &p), "%s", p.text);
    return in_folder(name);
}

static bool two_intact(const StoredFile *f)
{
    float a[6];
    double b[2];
    Problem p = { 0 };
    const StoredTensor *s = stored_find(f, "a.w"), *t = stored_find(f, "b \"q\"");
    if (f->tensors != 2 || !s || !t || s->twice || !t->twice || s->rank != 2 || s->extent[0] != 2 || s->extent[1] != 3)
        return false;
    return stored_values(f, s, false, a, &p) && stored_values(f, t, true, b, &p) && !memcmp(a, a_values, sizeof a) &&
           !memcmp(b, b_values, sizeof b);
}

Test(weights, round_trip)
{
    StoredFile f;
    Problem p = { 0 };
    double wide[6];
    float narrow[2];
    cr_assert(stored_open(&f, two_write("w"), &p), "%s", p.text);
    cr_assert(two_intact(&f));
    cr_assert(!strcmp(stored_note(&f, "text"), "line\n\"quoted\" \\ \x01") && !stored_note(&f, "other"));
    cr_assert(stored_values(&f, stored_find(&f, "a.w"), true, wide, &p) && wide[2] == 3.5);
    cr_assert(stored_values(&f, stored_find(&f, "b \"q\""), false, narrow, &p) && narrow[0] == 0.1f);
    stored_close(&f);
}

Test(weights, every_truncation_is_refused)
{
    Bytes whole = file_bytes(two_write("w"));
    for (size_t n = 0; n < whole.count; n++) {
        StoredFile f;
        Problem p = { 0 };
        cr_assert(!stored_open(&f, file_make("cut", whole.at, n), &p), "%zu bytes were taken", n);
        cr_assert(p.code == EXIT_INPUT && *p.text);
    }
    free(whole.at);
}

Test(weights, every_flipped_bit_is_refused_or_harmless)
{
    Bytes whole = file_bytes(two_write("w"));
    int taken = 0;
    for (size_t bit = 0; bit < whole.count * 8; bit++) {
        StoredFile f;
        Problem p = { 0 };
        whole.at[bit / 8] ^= (unsigned char)(1 << bit % 8);
        if (stored_open(&f, file_make("flip", whole.at, whole.count), &p)) {
            cr_assert(two_intact(&f), "bit %zu", bit);
            stored_close(&f);
            taken++;
        }
        whole.at[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    cr_assert(taken < 60, "%d", taken); /* those that turn the checksum's own name into another note */
    free(whole.at);
}

static void header_refused(const char *json, size_t data, const char *words)
{
    unsigned char file[4096] = { 0 };
    StoredFile f;
    Problem p = { 0 };
    size_t length = strlen(json);
    for (int i = 0; i < 8; i++) file[i] = (unsigned char)(length >> 8 * i);
    memcpy(file + 8, json, length);
    cr_assert(!stored_open(&f, file_make("hostile", file, 8 + length + data), &p), "was taken: %s", json);
    EXPECT_PROBLEM(p, EXIT_INPUT, words);
}

Test(weights, hostile_headers)
{
    static const uint64_t lengths[] = { 0, 1, 100, UINT64_C(100000001), UINT64_MAX, (uint64_t)1 << 63 };
    static char deep[3000];
    StoredFile f;
    Problem p = { 0 };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        unsigned char file[16] = { 0 };
        memcpy(file, &lengths[i], 8);
        cr_assert(!stored_open(&f, file_make("length", file, sizeof file), &p));
        EXPECT_PROBLEM(p, EXIT_INPUT, "not a safetensors file");
    }
    header_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}", 8, "not a safetensors file");
    header_refused("[1]", 0, "no JSON object");
    header_refused("{\"a\xFF\":1}", 0, "not a safetensors file");
    header_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\",\"shape\":"
                   "[1],\"data_offsets\":[4,8]}}",
                   8, "duplicate");
    header_refused("{\"a\":{\"dtype\":\"Q4\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "has type Q4");
    header_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "whole number from 0 on");
    header_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
                   "too large");
    header_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 4, "do not lie in the file");
    header_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "do not lie in the file");
    header_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, "do not lie in the file");
    header_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8,
                   "do not agree with its shape");
    header_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 8, "behind the last tensor");
    header_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "a hole before it");
    header_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":"
                   "[1],\"data_offsets\":[4,8]}}",
                   8, "overlaps");
    header_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", 4, "whole number");
    header_refused("{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "needs dtype");
    header_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
                   "too many axes");
    header_refused("{\"__metadata__\":{\"a\":1}}", 0, "is no text");
    memset(deep, '[', sizeof deep - 1);
    header_refused(deep, 0, "no JSON object");
    cr_assert(!stored_open(&f, folder, &p));
    EXPECT_PROBLEM(p, EXIT_IO, "is not a file");
    cr_assert(!mkfifo(in_folder("fifo"), 0600) && !stored_open(&f, in_folder("fifo"), &p));
    EXPECT_PROBLEM(p, EXIT_IO, "is not a file");
}

static int files_in_folder(void)
{
    int count = 0;
    DIR *d = opendir(folder);
    for (const struct dirent *e; (e = readdir(d));) count += e->d_name[0] != '.';
    closedir(d);
    return count;
}

Test(weights, atomic_write_leaves_the_old_file_or_the_new_one)
{
    AtomicFile f;
    Problem p = { 0 };
    const char *path = file_make("file", "old", 3);
    cr_assert(atomic_open(&f, path, &p) && atomic_write(&f, "new!", 4, &p));
    Bytes b = file_bytes(path);
    cr_assert(b.count == 3 && files_in_folder() == 2);
    free(b.at);
    atomic_cancel(&f);
    cr_assert(files_in_folder() == 1);
    cr_assert(!symlink(path, in_folder("link")));
    cr_assert(atomic_open(&f, in_folder("link"), &p) && atomic_write(&f, "new!", 4, &p) && atomic_commit(&f, &p), "%s",
              p.text);
    b = file_bytes(path);
    cr_assert(b.count == 4 && files_in_folder() == 2);
    free(b.at);
    cr_assert(!atomic_open(&f, folder, &p));
    EXPECT_PROBLEM(p, EXIT_IO, "it is not a file");
    cr_assert(!atomic_open(&f, in_folder("none/x"), &p));
    EXPECT_PROBLEM(p, EXIT_IO, "No such file");
}

/* ---- checkpoints ---- */

typedef struct Held {
    Run r;
    Progress at;
    double last[3], setting[3];
} Held;

static void held_begin(Held *h, const dln_model *m)
{
    Problem p = { 0 };
    *h = (Held){ .at = { .epoch = 3,
                         .batch_in_epoch = 2,
                         .step = 32,
                         .waited = 1,
                         .batch = 10,
                         .rows = 100,
                         .best = 0.5,
                         .watched = (double)NAN } };
    h->at.last = h->last;
    h->r.options.quiet = true;
    h->r.options.setting = memory_new(3, sizeof(double), &p);
    for (int i = 0; i < 3; i++) h->r.options.setting[i] = (double)NAN;
    cr_assert(run_begin(&h->r, m, &p) && run_init(&h->r, 1, &p), "%s", p.text);
}

Test(weights, checkpoint_round_trip)
{
    Held a, b;
    Problem p = { 0 };
    uint64_t seed = 0;
    const dln_model *m = fake_model("x", 4, 3);
    held_begin(&a, m);
    a.last[2] = 0.25;
    float w[12], back[12];
    for (int i = 0; i < 12; i++) w[i] = (float)i / 3;
    m->put(a.r.object, 0, w);
    m->set_iteration(a.r.object, 32, 7);
    cr_assert(names_add(data_classes(&a.r.data, "label", &p), "red, \"x\"", 8, &p) == 0);
    cr_assert(checkpoint_save(&a.r, in_folder("c"), &a.at, 7, KEEP_ALL, &p), "%s", p.text);
    held_begin(&b, m);
    b.at = (Progress){ .last = b.last };
    cr_assert(checkpoint_classes(&b.r, in_folder("c"), &p) && checkpoint_load(&b.r, in_folder("c"), &b.at, &seed, &p),
              "%s", p.text);
    cr_assert(seed == 7 && b.at.epoch == 3 && b.at.batch_in_epoch == 2 && b.at.step == 32 && b.at.best == 0.5 &&
              isnan(b.at.watched) && b.last[2] == 0.25);
    cr_assert(m->iteration(b.r.object) == 32 && !m->get(b.r.object, 0, back) && !memcmp(w, back, sizeof w));
    const Names *names = data_class_names(&b.r.data, "label");
    cr_assert(names && names->count == 1 && !strcmp(names->name[0], "red, \"x\""));
    run_end(&a.r);
    run_end(&b.r);
}

Test(weights, checkpoint_of_another_shape_gives_a_table)
{
    Held a, b;
    Problem p = { 0 };
    held_begin(&a, fake_model("x", 4, 3));
    cr_assert(checkpoint_save(&a.r, in_folder("c"), &a.at, 7, KEEP_ALL, &p), "%s", p.text);
    run_end(&a.r);
    held_begin(&b, fake_model("x", 5, 3));
    cr_assert(!checkpoint_load(&b.r, in_folder("c"), NULL, NULL, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "does not fit the model");
    cr_assert(strstr(p.text, "expected [5, 3]") && strstr(p.text, "in the file [4, 3]") && strstr(p.text, "tensors match: dense.b"),
              "%s", p.text);
    run_end(&b.r);
}

Test(weights, weights_alone_do_not_resume_and_nan_is_refused)
{
    Held a;
    Problem p = { 0 };
    uint64_t seed;
    const dln_model *m = fake_model("x", 4, 3);
    held_begin(&a, m);
    cr_assert(checkpoint_save(&a.r, in_folder("c"), NULL, 0, KEEP_WEIGHTS, &p), "%s", p.text);
    cr_assert(checkpoint_load(&a.r, in_folder("c"), NULL, NULL, &p), "%s", p.text);
    cr_assert(!checkpoint_load(&a.r, in_folder("c"), &a.at, &seed, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "optimizer/dense.w.v");
    m->put(a.r.object, 1, (float[]){ 1, NAN, 3 });
    cr_assert(checkpoint_save(&a.r, in_folder("c"), &a.at, 0, KEEP_ALL, &p), "%s", p.text);
    cr_assert(!checkpoint_load(&a.r, in_folder("c"), NULL, NULL, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "dense.b holds values that are not finite");
    run_end(&a.r);
}

Test(weights, an_average_is_exported_in_place_of_its_weight)
{
    Held a, b;
    Problem p = { 0 };
    dln_model *m = fake_model("x", 2, 1);
    dln_tensor tensor[TENSORS];
    float back[2];
    memcpy(tensor, m->tensor, sizeof tensor);
    tensor[W_V].name = "average.dense.w";
    tensor[W_V].kind = DLN_STATE;
    m->tensor = tensor;
    held_begin(&a, m);
    m->put(a.r.object, W, (float[]){ 1, 2 });
    m->put(a.r.object, W_V, (float[]){ 3, 4 });
    cr_assert(checkpoint_save(&a.r, in_folder("c"), NULL, 0, KEEP_WEIGHTS, &p), "%s", p.text);
    held_begin(&b, m);
    cr_assert(checkpoint_load(&b.r, in_folder("c"), NULL, NULL, &p), "%s", p.text);
    cr_assert(!m->get(b.r.object, W, back) && back[0] == 3 && back[1] == 4);
    cr_assert(!m->get(b.r.object, W_V, back) && back[0] == 3 && back[1] == 4);
    run_end(&a.r);
    run_end(&b.r);
}

Test(weights, headers_of_the_wrong_kind)
{
    static const char *const headers[] = {
        "\"text\"",
        "{\"a\":1}",
        "{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":4}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0.5,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,\"4\"]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"more\":1}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[\"1\"],\"data_offsets\":[0,4]}}",
        "{\"__metadata__\":[]}",
        "{\"__metadata__\":1,\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
        "{\"__metadata__\":{\"crc32\":\"12\"},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
        "{\"__metadata__\":{\"a\":\"crc32\",\"crc32\":\"00000000\"},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_"
        "offsets\":[0,4]}}",
        "{\"__metadata__\":{\"a\":\"b\",\"c\":\"d\"},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) header_refused(headers[i], 4, "");
    StoredFile f;
    Problem p = { 0 };
    /* empty tensors at one place, in either order of the file, and halves of all kinds */
    static const char good[] =
        "{\"b\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[4,4]},\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_"
        "offsets\":"
        "[0,4]},\"c\":{\"dtype\":\"F32\",\"shape\":[2,0],\"data_offsets\":[4,4]},\"h\":{\"dtype\":\"F16\",\"shape\":[6]"
        ","
        "\"data_offsets\":[4,16]},\"i\":{\"dtype\":\"I64\",\"shape\":[0],\"data_offsets\":[16,16]}}";
    static const uint16_t halves[] = { 0x7C00, 0xFC00, 0x7E00, 0x8001, 0xC000, 0x0400 };
    unsigned char file[1024] = { 0 };
    file[0] = (unsigned char)(sizeof good - 1);
    file[1] = (unsigned char)((sizeof good - 1) >> 8);
    memcpy(file + 8, good, sizeof good - 1);
    memcpy(file + 8 + sizeof good - 1 + 4, halves, sizeof halves);
    cr_assert(stored_open(&f, file_make("good", file, 8 + sizeof good - 1 + 16), &p), "%s", p.text);
    float values[6];
    double twice[6];
    char words[64];
    cr_assert(stored_values(&f, stored_find(&f, "h"), false, values, &p) &&
              stored_values(&f, stored_find(&f, "h"), true, twice, &p));
    cr_expect(isinf(values[0]) && values[0] > 0 && isinf(values[1]) && values[1] < 0 && isnan(values[2]) &&
              values[3] == -ldexpf(1, -24) && values[4] == -2 && values[5] == ldexpf(1, -14) && twice[4] == -2);
    cr_expect(!stored_find(&f, "none") &&
              !strcmp(stored_shape_words(stored_find(&f, "c"), words, sizeof words), "[2, 0]"));
    cr_expect(!strcmp(stored_shape_words(stored_find(&f, "c"), words, 3), "[2"));
    cr_expect(!stored_values(&f, stored_find(&f, "i"), false, values, &p) && p.code == EXIT_INPUT);
    stored_close(&f);
}

Test(weights, a_table_of_more_than_can_be_shown)
{
    Held a;
    Problem p = { 0 };
    dln_model *m = fake_model("x", 4, 3);
    dln_tensor many[40];
    held_begin(&a, m);
    cr_assert(checkpoint_save(&a.r, in_folder("c"), &a.at, 7, KEEP_ALL, &p), "%s", p.text);
    run_end(&a.r);
    static char names[40][16];
    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "tensor%d", i);
        many[i] =
            (dln_tensor){ .name = names[i], .kind = i < 30 ? DLN_PARAM : DLN_OPTIMIZER, .rank = 1, .extent = { 1 } };
    }
    many[0] = m->tensor[0];
    many[1] = m->tensor[1];
    m->tensor = many;
    m->tensors = 40;
    Run r = { .model = m, .options = { .quiet = true } };
    r.measured = calloc(40, sizeof *r.measured);
    cr_assert(!checkpoint_load(&r, in_folder("c"), NULL, NULL, &p));
    EXPECT_PROBLEM(p, EXIT_INPUT, "more");
    cr_expect(strstr(p.text, "normalize.mean") == NULL || strstr(p.text, "not in the model"), "%s", p.text);
    free(r.measured);
}
