// main.cpp: what an application does with generated models. Two models and three instances live in one C++ program;
// they train in turn, each in memory of its exact size; a state goes from one instance to another; wrong calls are
// refused and change nothing. Built with ASan and UBSan, the models as C.
// SPDX-License-Identifier: MIT
#include "classes.h"
#include "curve.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

static int failures;
#define CHECK(what) ((what) ? (void)0 : (void)(failures++, std::printf("main.cpp:%d: %s does not hold\n", __LINE__, #what)))

// memory of exactly `bytes`, so that ASan sees one byte too far
struct Memory {
    void *at;
    explicit Memory(size_t bytes, size_t align) : at(nullptr) { if (posix_memalign(&at, align, bytes)) std::abort(); }
    ~Memory() { std::free(at); }
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;
};

static unsigned state = 1;
static float uniform() { return static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) / 16777216.0f; }

struct Points {
    std::vector<float> x;
    std::vector<int32_t> label;
    explicit Points(int n) : x(static_cast<size_t>(n) * 4), label(static_cast<size_t>(n)) {
        for (int i = 0; i < n; i++) {
            label[static_cast<size_t>(i)] = i % 3;
            for (int k = 0; k < 4; k++)
                x[static_cast<size_t>(i * 4 + k)] = (k == i % 3 ? 1.0f : 0.0f) + 0.5f * uniform();
        }
    }
};

struct Images {
    std::vector<float> image, value;
    explicit Images(int n) : image(static_cast<size_t>(n) * 36), value(static_cast<size_t>(n)) {
        for (int i = 0; i < n; i++) {
            float sum = 0;
            for (int k = 0; k < 36; k++) sum += image[static_cast<size_t>(i * 36 + k)] = uniform();
            value[static_cast<size_t>(i)] = sum / 36;
        }
    }
};

static std::vector<unsigned char> state_of(const classes &m)
{
    std::vector<unsigned char> bytes(CLASSES_STATE_BYTES);
    CHECK(classes_export_state(&m, bytes.data(), bytes.size()) == CLASSES_OK);
    return bytes;
}

// sums of the first 20 and of the last 20 losses of 120
static void note(int step, double loss, double *first, double *last)
{
    if (step < 20) *first += loss;
    if (step >= 100) *last += loss;
}

int main()
{
    Memory memory_a(CLASSES_TRAIN_BYTES, CLASSES_ALIGN), memory_b(CLASSES_TRAIN_BYTES, CLASSES_ALIGN);
    Memory memory_c(CURVE_TRAIN_BYTES, CURVE_ALIGN), memory_p(CLASSES_INFER_BYTES, CLASSES_ALIGN);
    classes a, b, p;
    curve c;
    double loss, first_a = 0, last_a = 0, first_c = 0, last_c = 0;

    CHECK(classes_init(&a, memory_a.at, CLASSES_TRAIN_BYTES, 7) == CLASSES_OK);
    CHECK(classes_init(&b, memory_b.at, CLASSES_TRAIN_BYTES, 7) == CLASSES_OK);
    CHECK(curve_init(&c, memory_c.at, CURVE_TRAIN_BYTES, 7) == CURVE_OK);

    // in turn, and batches of every size
    for (int step = 0; step < 120; step++) {
        Points points(1 + step % CLASSES_BATCH);
        Images images(2 + step % (CURVE_BATCH - 1));
        const int n = static_cast<int>(points.label.size());
        CHECK(classes_step(&a, points.x.data(), points.label.data(), n, &loss) == CLASSES_OK);
        note(step, loss, &first_a, &last_a);
        CHECK(curve_step(&c, images.image.data(), images.value.data(), static_cast<int>(images.value.size()), &loss) == CURVE_OK);
        note(step, loss, &first_c, &last_c);
        CHECK(classes_step(&b, points.x.data(), points.label.data(), n, nullptr) == CLASSES_OK);
    }
    CHECK(last_a < 0.5 * first_a);
    CHECK(last_c < 0.5 * first_c);
    // two instances that saw the same are the same to the bit, whatever ran between
    CHECK(state_of(a) == state_of(b));

    // a state moves: what then happens is the same
    Points points(CLASSES_BATCH);
    const std::vector<unsigned char> before = state_of(a);
    CHECK(classes_step(&a, points.x.data(), points.label.data(), CLASSES_BATCH, &loss) == CLASSES_OK);
    CHECK(state_of(a) != before);
    CHECK(classes_import_state(&b, before.data(), before.size()) == CLASSES_OK);
    CHECK(classes_step(&b, points.x.data(), points.label.data(), CLASSES_BATCH, &loss) == CLASSES_OK);
    CHECK(state_of(a) == state_of(b));

    // an instance that only predicts, in less memory, with the weights of another
    int tensors = 0;
    const classes_tensor *tensor = classes_tensors(&tensors);
    CHECK(CLASSES_INFER_BYTES < CLASSES_TRAIN_BYTES);
    CHECK(tensors == CLASSES_TENSORS);
    CHECK(classes_init(&p, memory_p.at, CLASSES_INFER_BYTES, 1) == CLASSES_OK);
    for (int i = 0; i < tensors; i++) {
        size_t count = 1;
        if (tensor[i].kind > 1) continue;
        for (int k = 0; k < tensor[i].rank; k++) count *= static_cast<size_t>(tensor[i].extent[k]);
        std::vector<float> values(count);
        CHECK(classes_get(&a, i, values.data()) == CLASSES_OK);
        CHECK(classes_put(&p, i, values.data()) == CLASSES_OK);
    }
    std::vector<float> from_a(CLASSES_BATCH * 3), from_p(CLASSES_BATCH * 3);
    CHECK(classes_predict(&a, points.x.data(), CLASSES_BATCH, from_a.data()) == CLASSES_OK);
    CHECK(classes_predict(&p, points.x.data(), CLASSES_BATCH, from_p.data()) == CLASSES_OK);
    CHECK(std::memcmp(from_a.data(), from_p.data(), from_a.size() * sizeof(float)) == 0);
    for (int i = 0; i < CLASSES_BATCH; i++) {
        const float *row = &from_a[static_cast<size_t>(i * 3)];
        const float sum = row[0] + row[1] + row[2];
        CHECK(sum > 0.999f && sum < 1.001f);
    }

    // metrics over several batches
    double values[CLASSES_METRICS];
    CHECK(classes_reset(&a) == CLASSES_OK);
    CHECK(classes_evaluate(&a, points.x.data(), points.label.data(), CLASSES_BATCH, &loss) == CLASSES_OK);
    CHECK(classes_report(&a, values) == CLASSES_OK);
    CHECK(values[0] > 0 && values[CLASSES_METRICS - 1] > 0.8 && values[CLASSES_METRICS - 1] <= 1);

    // wrong calls say so and change nothing
    const std::vector<unsigned char> kept = state_of(a);
    std::vector<int32_t> wrong(points.label);
    wrong[3] = 3;
    classes raw;
    std::memset(&raw, 0, sizeof raw);
    CHECK(classes_step(nullptr, points.x.data(), points.label.data(), 1, &loss) == CLASSES_NULL);
    CHECK(classes_step(&a, nullptr, points.label.data(), 1, &loss) == CLASSES_NULL);
    CHECK(classes_step(&a, points.x.data(), points.label.data(), 0, &loss) == CLASSES_SAMPLES);
    CHECK(classes_step(&a, points.x.data(), points.label.data(), CLASSES_BATCH + 1, &loss) == CLASSES_SAMPLES);
    CHECK(classes_step(&a, points.x.data(), wrong.data(), CLASSES_BATCH, &loss) == CLASSES_RANGE);
    CHECK(classes_step(&raw, points.x.data(), points.label.data(), 1, &loss) == CLASSES_ORDER);
    CHECK(classes_step(&p, points.x.data(), points.label.data(), 1, &loss) != CLASSES_OK);
    CHECK(classes_init(&raw, memory_p.at, CLASSES_INFER_BYTES - 1, 1) == CLASSES_MEMORY_SHORT);
    CHECK(classes_init(&raw, static_cast<char *>(memory_b.at) + 4, CLASSES_INFER_BYTES, 1) == CLASSES_MEMORY_ALIGN);
    CHECK(classes_get(&a, CLASSES_TENSORS, from_a.data()) == CLASSES_NUMBER);
    CHECK(classes_import_state(&a, kept.data(), kept.size() - 1) == CLASSES_STATE);
    CHECK(state_of(a) == kept);
    CHECK(classes_strerror(CLASSES_RANGE) != nullptr && *classes_strerror(12345) != 0);

    if (failures) std::printf("%d checks failed\n", failures);
    return failures != 0;
}
