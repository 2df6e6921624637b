/* lenet5.c: a whole training step of LeNet-5 by hand: a batch of 64, tanh, mean pooling, SGD with momentum 0.9.
 *
 * Two phases. (1) A chunk of 8 images goes forward and backward through everything: nothing couples the samples, so
 * there is no barrier and nothing leaves L2. (2) Weight gradients of the dense layers with SGD as the epilogue, and the
 * sums of the chunks. Vectors run along what fills them: pixels of a row where there are 1 or 6 channels, channels
 * where there are 16; the 120, 84 and 10 units of the dense layers are padded with zeros to 128, 96 and 16.
 * SPDX-License-Identifier: MIT */
#include "step.h"

enum { N = 64, CHUNKS = 8, IMAGES = N / CHUNKS, CLASSES = 10, THREADS = 16, F = 400, H1 = 128, H2 = 96, H3 = 16 };
enum { HALVES = 16 / LANES, TALL_STRIP = LANES == 16 ? 8 : 4 };
static float x[N][32][48] ALIGNED, f[N][F] ALIGNED, h1[N][H1] ALIGNED, h2[N][H2] ALIGNED;
static float d1[N][H1] ALIGNED, d2[N][H2] ALIGNED, dz[N][H3] ALIGNED, df[N][416] ALIGNED, loss[N], mean_loss;
static int32_t label[N];
typedef struct Weights {
    float c1[6][25], b1[16], c2[6][5][5][16], b2[16];
    float w1[H1 / WIDE][F][WIDE], e1[H1], w2[H2 / WIDE][H1][WIDE], e2[H2], w3[H2][H3], e3[H3];
} Weights;
static Weights w ALIGNED, m ALIGNED;
/* the same weights as the backward pass reads them */
static float c2_back[16][5][5][8] ALIGNED, w1_back[416 / WIDE][H1][WIDE] ALIGNED, w2_back[H1 / WIDE][H2][WIDE] ALIGNED;
static float w3_back[H3][H2] ALIGNED;
static struct Part { /* gradients of one chunk */
    float c1[5][6][5][16], b1[6][16], c2[6][25][16], b2[16];
} part[CHUNKS] ALIGNED;
static struct Scratch {
    float a1[IMAGES][6][28][32], p1[IMAGES][6][14][16], a2[IMAGES][100][16];
    float dy_turned[16][18][24], dy[100][16], dp[6][14][16], dy1[6][28][32];
} scratch[THREADS] ALIGNED;

/* ---- convolutions, forward ---- */
/* 6 channels x 2 vectors of pixels of one row */
INLINE void first_row(const float (*in)[48], int h, int p, float (*a1)[28][32])
{
    vec s[6][2];
    EACH(o, 6) EACH(c, 2) s[o][c] = (vec){ 0 } + w.b1[o];
    for (int r = 0; r < 5; r++)
        for (int t = 0; t < 5; t++) {
            vec v[2];
            EACH(c, 2) v[c] = load(&in[h + r][t + p + c * LANES]);
            EACH(o, 6)
            {
                const vec k = spread(w.c1[o][r * 5 + t]);
                EACH(c, 2) s[o][c] = fma3(k, v[c], s[o][c]);
            }
        }
    EACH(o, 6) EACH(c, 2) store(&a1[o][h][p + c * LANES], s[o][c]);
}
/* tanh of two rows, and their pool */
INLINE void first_pool(int h, float (*a1)[28][32], float (*p1)[14][16])
{
    for (int o = 0; o < 6; o++)
        for (int p = 0; p < 32; p += WIDE) {
            vec v[2][2];
            EACH(i, 2) EACH(c, 2)
            {
                v[i][c] = hyperbolic(load(&a1[o][h + i][p + c * LANES]));
                store(&a1[o][h + i][p + c * LANES], v[i][c]);
            }
            const vec a = v[0][0] + v[1][0], b = v[0][1] + v[1][1];
            store(&p1[o][h / 2][p / 2], (EVEN(a, b) + ODD(a, b)) * 0.25f);
        }
}
/* 10 pixels x a vector of channels; five taps slide over each broadcast */
INLINE void second_row(float (*p1)[14][16], int h, int half, float (*a2)[16])
{
    vec s[10];
    EACH(p, 10) s[p] = load(w.b2 + half);
    for (int c = 0; c < 6; c++)
        for (int r = 0; r < 5; r++) {
            vec k[5];
            EACH(t, 5) k[t] = load(w.c2[c][r][t] + half);
            EACH(p, 14)
            {
                const vec a = spread(p1[c][h + r][p]);
                EACH(t, 5) if (p - t >= 0 && p - t < 10) s[p - t] = fma3(a, k[t], s[p - t]);
            }
        }
    EACH(p, 10) store(a2[h * 10 + p] + half, s[p]);
}
NOINLINE void conv_forward(const float (*in)[48], float (*a1)[28][32], float (*p1)[14][16], float (*a2)[16], float *out)
{
    for (int h = 0; h < 28; h += 2) {
        for (int i = 0; i < 2; i++)
            for (int p = 0; p < 32; p += WIDE) first_row(in, h + i, p, a1);
        first_pool(h, a1, p1);
    }
    for (int h = 0; h < 10; h++)
        for (int half = 0; half < 16; half += LANES) second_row(p1, h, half, a2);
    for (int i = 0; i < 1600; i += LANES) store(a2[0] + i, hyperbolic(load(a2[0] + i)));
    for (int h = 0; h < 5; h++)
        for (int p = 0; p < 5; p++)
            for (int half = 0; half < 16; half += LANES) {
                float(*q)[16] = a2 + h * 20 + p * 2;
                const vec sum = load(q[0] + half) + load(q[1] + half) + (load(q[10] + half) + load(q[11] + half));
                store(out + (h * 5 + p) * 16 + half, sum * 0.25f);
            }
}

/* ---- convolutions, backward ---- */
/* through the second pool and its tanh: dy, dy turned round with a border of zeros, and the bias */
INLINE void second_dy(struct Scratch *s, const float (*a2)[16], const float *dflat, struct Part *g)
{
    for (int half = 0; half < 16; half += LANES) {
        vec b = load(g->b2 + half);
        for (int h = 0; h < 10; h++) {
            vec v[16];
            EACH(p, 16) v[p] = (vec){ 0 };
            EACH(p, 10)
            {
                const vec a = load(a2[h * 10 + p] + half);
                v[p] = load(dflat + (h / 2 * 5 + p / 2) * 16 + half) * 0.25f * (1.0f - a * a);
                store(s->dy[h * 10 + p] + half, v[p]);
                b += v[p];
            }
            for (int q = 0; q < 16; q += LANES) {
                turn(v + q);
                for (int o = 0; o < LANES; o++) store(&s->dy_turned[half + o][h + 4][4 + q], v[q + o]);
            }
        }
        store(g->b2 + half, b);
    }
}
/* one channel and one row of taps, all 16 outputs */
INLINE void second_weights(float (*p1)[16], float (*dy)[16], int r, float (*to)[16])
{
    vec s[5][HALVES];
    EACH(t, 5) EACH(c, HALVES) s[t][c] = load(to[r * 5 + t] + c * LANES);
    for (int h = 0; h < 10; h++)
        for (int p = 0; p < 10; p++) {
            vec d[HALVES];
            EACH(c, HALVES) d[c] = load(dy[h * 10 + p] + c * LANES);
            EACH(t, 5)
            {
                const vec a = spread(p1[h + r][p + t]);
                EACH(c, HALVES) s[t][c] = fma3(a, d[c], s[t][c]);
            }
        }
    EACH(t, 5) EACH(c, HALVES) store(to[r * 5 + t] + c * LANES, s[t][c]);
}
/* 6 channels x ROWS_ rows of 14 pixels; only rows of dy that exist */
INLINE void second_data(float (*dy)[18][24], float (*dp)[14][16], int h)
{
    enum { AT_ONCE = LANES == 16 ? 2 : 1, VECTORS = LANES == 16 ? 1 : 2 };
    vec s[6][AT_ONCE][VECTORS];
    EACH(c, 6) EACH(i, AT_ONCE) EACH(q, VECTORS) s[c][i][q] = (vec){ 0 };
    const int begin = h < 10 ? 0 : h - 9, end = h + AT_ONCE - 1 < 4 ? h + AT_ONCE - 1 : 4;
    for (int r = begin; r <= end; r++)
        for (int o = 0; o < 16; o++)
            EACH(t, 5)
            {
                vec d[AT_ONCE][VECTORS];
                EACH(i, AT_ONCE) EACH(q, VECTORS) d[i][q] = load(&dy[o][h + i - r + 4][4 - t + q * LANES]);
                EACH(c, 6)
                {
                    const vec k = spread(c2_back[o][r][t][c]);
                    EACH(i, AT_ONCE) EACH(q, VECTORS) s[c][i][q] = fma3(k, d[i][q], s[c][i][q]);
                }
            }
    EACH(c, 6) EACH(i, AT_ONCE) EACH(q, VECTORS) store(dp[c][h + i] + q * LANES, s[c][i][q]);
}
/* through the first pool and its tanh */
INLINE void first_dy(float (*dp)[14][16], const float (*a1)[28][32], float (*dy1)[28][32], struct Part *g)
{
    for (int o = 0; o < 6; o++) {
        vec b = { 0 };
        for (int h = 0; h < 28; h++)
            for (int p = 0; p < 16; p += LANES) {
                const vec d = load(dp[o][h / 2] + p) * 0.25f;
                const vec a = load(a1[o][h] + 2 * p), c = load(a1[o][h] + 2 * p + LANES);
                const vec u = TWICE_LOW(d) * (1.0f - a * a);
                vec v = TWICE_HIGH(d) * (1.0f - c * c);
                if (2 * p + WIDE == 32) v = where(lanes_from(32 - LANES) < 28, v); /* 28 pixels a row */
                store(dy1[o][h] + 2 * p, u);
                store(dy1[o][h] + 2 * p + LANES, v);
                b += u + v;
            }
        store(g->b1[o], load(g->b1[o]) + b);
    }
}
/* CH channels x one row of taps; the sums of the lanes are added up at the end of the step */
INLINE void first_weights(const float (*in)[48], float (*dy1)[28][32], int o, int r, struct Part *g)
{
    enum { CH = LANES == 16 ? 3 : 2 };
    vec s[CH][5];
    EACH(i, CH) EACH(t, 5) s[i][t] = load(g->c1[r][o + i][t]);
    for (int h = 0; h < 28; h++)
        for (int c = 0; c < 32; c += LANES) {
            vec d[CH];
            EACH(i, CH) d[i] = load(&dy1[o + i][h][c]);
            EACH(t, 5)
            {
                vec v = load(&in[h + r][c + t]);
                PIN(v);
                EACH(i, CH) s[i][t] = fma3(d[i], v, s[i][t]);
            }
        }
    EACH(i, CH) EACH(t, 5) store(g->c1[r][o + i][t], s[i][t]);
}
NOINLINE void conv_backward(const float (*in)[48], const float (*a1)[28][32], float (*p1)[14][16],
                            const float (*a2)[16], const float *dflat, int chunk)
{
    struct Scratch *s = &scratch[ME];
    struct Part *g = &part[chunk];
    second_dy(s, a2, dflat, g);
    for (int c = 0; c < 6; c++)
        for (int r = 0; r < 5; r++) second_weights(p1[c], s->dy, r, g->c2[c]);
    for (int h = 0; h < 14; h += LANES == 16 ? 2 : 1) second_data(s->dy_turned, s->dp, h);
    first_dy(s->dp, a1, s->dy1, g);
    for (int o = 0; o < 6; o += LANES == 16 ? 3 : 2)
        for (int r = 0; r < 5; r++) first_weights(in, s->dy1, o, r, g);
}

/* ---- dense layers of a chunk ---- */
#define DENSE(name, COLUMNS, K, lda, a, b, ...)                                                                        \
    NOINLINE void name(int n)                                                                                          \
    {                                                                                                                  \
        for (int j = 0; j < COLUMNS; j += WIDE)                                                                        \
            for (int i = n; i < n + IMAGES; i += TALL_STRIP) {                                                         \
                vec s[8][2];                                                                                           \
                EACH(r, TALL_STRIP) EACH(c, 2) s[r][c] = (vec){ 0 };                                                   \
                contract(TALL_STRIP, 2, K, a[i], lda, 1, b, WIDE, s);                                                  \
                EACH(r, TALL_STRIP) EACH(c, 2)                                                                         \
                {                                                                                                      \
                    const int row = i + r, o = j + c * LANES;                                                          \
                    const vec v = s[r][c];                                                                             \
                    __VA_ARGS__;                                                                                       \
                }                                                                                                      \
            }                                                                                                          \
    }
INLINE void through_tanh(float *d, const float *h, vec v) { store(d, v * (1.0f - load(h) * load(h))); }
DENSE(forward1, H1, F, F, f, w.w1[j / WIDE][0], store(h1[row] + o, v + load(w.e1 + o)))
DENSE(forward2, H2, 120, H1, h1, w.w2[j / WIDE][0], store(h2[row] + o, v + load(w.e2 + o)))
DENSE(backward2, H1, 84, H2, d2, w2_back[j / WIDE][0], through_tanh(d1[row] + o, h1[row] + o, v))
DENSE(backward1, 416, 120, H1, d1, w1_back[j / WIDE][0], store(df[row] + o, v))
static void softmax_row(int n, const float *z)
{
    float e[CLASSES], top = -1e30f, sum = 0;
    for (int c = 0; c < CLASSES; c++) top = z[c] > top ? z[c] : top;
    for (int c = 0; c < CLASSES; c++) sum += e[c] = expf(z[c] - top);
    loss[n] = logf(sum) + top - z[label[n]];
    for (int c = 0; c < CLASSES; c++) dz[n][c] = (e[c] / sum - (float)(c == label[n])) * (1.0f / N);
}
static void head(int n) /* TALL_STRIP rows */
{
    vec s[8][2];
    EACH(r, TALL_STRIP) EACH(c, HALVES) s[r][c] = load(w.e3 + c * LANES);
    contract(TALL_STRIP, HALVES, 84, h2[n], H2, 1, w.w3[0], H3, s);
    for (int r = 0; r < TALL_STRIP; r++) {
        float z[16] ALIGNED;
        EACH(c, HALVES) store(z + c * LANES, s[r][c]);
        softmax_row(n + r, z);
    }
    for (int j = 0; j < H2; j += WIDE) {
        vec t[8][2];
        EACH(r, TALL_STRIP) EACH(c, 2) t[r][c] = (vec){ 0 };
        contract(TALL_STRIP, 2, CLASSES, dz[n], H3, 1, w3_back[0] + j, H2, t);
        EACH(r, TALL_STRIP) EACH(c, 2) through_tanh(d2[n + r] + j + c * LANES, h2[n + r] + j + c * LANES, t[r][c]);
    }
}
static void dense(int n)
{
    forward1(n);
    for (int i = 0; i < IMAGES * H1; i += LANES) store(h1[n] + i, hyperbolic(load(h1[n] + i)));
    forward2(n);
    for (int i = 0; i < IMAGES * H2; i += LANES) store(h2[n] + i, hyperbolic(load(h2[n] + i)));
    for (int i = 0; i < IMAGES; i += TALL_STRIP) head(n + i);
    backward2(n);
    backward1(n);
}

/* ---- updates ---- */
static const float lr = 1e-2f;
INLINE vec sgd(float *p, float *q, vec g)
{
    const vec momentum = fused(0.9f, load(q), g), v = load(p) - lr * momentum;
    store(q, momentum);
    store(p, v);
    return v;
}
INLINE void sgd1(float *p, float *q, float g)
{
    *q = 0.9f * *q + g;
    *p -= lr * *q;
}
/* 16 x 2 vectors of a weight gradient, updated, and stored for the backward pass as well */
INLINE void dense_weights(const int lda, const int ldd, const float *a, const float *d, float *p, float *q, float *back,
                          int i, int j)
{
    float tile[16][WIDE] ALIGNED;
    for (int z = 0; z < 16; z += TALL_STRIP) {
        vec s[8][2];
        EACH(r, TALL_STRIP) EACH(c, 2) s[r][c] = (vec){ 0 };
        contract(TALL_STRIP, 2, N, a + i + z, 1, lda, d + j, ldd, s);
        EACH(r, TALL_STRIP) EACH(c, 2) store(tile[z + r] + c * LANES, s[r][c]);
    }
    for (int z = 0; z < 16; z += LANES)
        for (int c = 0; c < 2; c++) {
            vec v[LANES];
            for (int r = 0; r < LANES; r++) {
                const int at = (i + z + r) * WIDE + c * LANES;
                v[r] = sgd(p + at, q + at, load(tile[z + r] + c * LANES));
            }
            turn(v);
            EACH(r, LANES) store(back + (j + c * LANES + r) * WIDE + (i + z) % WIDE, v[r]);
        }
}
INLINE void bias(const float *d, int columns, float *p, float *q)
{
    for (int c = 0; c < columns; c += LANES) {
        vec g = { 0 };
        for (int n = 0; n < N; n++) g += load(d + n * columns + c);
        sgd(p + c, q + c, g);
    }
}
static void small_updates(void)
{
    for (int i = 0; i < H2; i += TALL_STRIP) {
        vec s[8][2];
        EACH(r, TALL_STRIP) EACH(c, HALVES) s[r][c] = (vec){ 0 };
        contract(TALL_STRIP, HALVES, N, h2[0] + i, 1, H2, dz[0], H3, s);
        EACH(r, TALL_STRIP) EACH(c, HALVES)
            sgd(w.w3[i + r] + c * LANES, m.w3[i + r] + c * LANES, s[r][c]);
        for (int r = 0; r < TALL_STRIP; r++)
            for (int o = 0; o < CLASSES; o++) w3_back[o][i + r] = w.w3[i + r][o];
    }
    bias(d1[0], H1, w.e1, m.e1);
    bias(d2[0], H2, w.e2, m.e2);
    bias(dz[0], H3, w.e3, m.e3);
    for (int c = 0; c < 16; c += LANES) {
        vec g = { 0 };
        for (int k = 0; k < CHUNKS; k++) g += load(part[k].b2 + c);
        sgd(w.b2 + c, m.b2 + c, g);
    }
    for (int o = 0; o < 6; o++) {
        vec g = { 0 };
        for (int k = 0; k < CHUNKS; k++) g += load(part[k].b1[o]);
        sgd1(&w.b1[o], &m.b1[o], add_lanes(g));
        for (int i = 0; i < 25; i++) {
            g = (vec){ 0 };
            for (int k = 0; k < CHUNKS; k++) g += load(part[k].c1[i / 5][o][i % 5]);
            sgd1(&w.c1[o][i], &m.c1[o][i], add_lanes(g));
        }
    }
    mean_loss = 0;
    for (int n = 0; n < N; n++) mean_loss += loss[n] / N;
}
static void second_update(int c, int i)
{
    for (int half = 0; half < 16; half += LANES) {
        vec g = { 0 };
        for (int k = 0; k < CHUNKS; k++) g += load(part[k].c2[c][i] + half);
        sgd(w.c2[c][i / 5][i % 5] + half, m.c2[c][i / 5][i % 5] + half, g);
    }
    for (int o = 0; o < 16; o++) c2_back[o][i / 5][i % 5][c] = w.c2[c][i / 5][i % 5][o];
}
static void update(void)
{
    _Pragma("omp for schedule(static) nowait collapse(2)")
    for (int j = 0; j < H1; j += WIDE)
        for (int i = 0; i < F; i += 16)
            dense_weights(F, H1, f[0], d1[0], w.w1[j / WIDE][0], m.w1[j / WIDE][0], w1_back[i / WIDE][0], i, j);
    _Pragma("omp for schedule(static) nowait collapse(2)")
    for (int j = 0; j < H2; j += WIDE)
        for (int i = 0; i < H1; i += 16)
            dense_weights(H1, H2, h1[0], d2[0], w.w2[j / WIDE][0], m.w2[j / WIDE][0], w2_back[i / WIDE][0], i, j);
    _Pragma("omp for schedule(static) nowait collapse(2)")
    for (int c = 0; c < 6; c++)
        for (int i = 0; i < 25; i++) second_update(c, i);
    _Pragma("omp single nowait") small_updates();
}
static void step(void)
{
    _Pragma("omp parallel")
    {
        SHARED for (int chunk = 0; chunk < CHUNKS; chunk++)
        {
            struct Scratch *s = &scratch[ME];
            const int n = chunk * IMAGES;
            memset(&part[chunk], 0, sizeof part[chunk]);
            for (int i = 0; i < IMAGES; i++)
                conv_forward((const float(*)[48])x[n + i], s->a1[i], s->p1[i], s->a2[i], f[n + i]);
            dense(n);
            for (int i = 0; i < IMAGES; i++)
                conv_backward((const float(*)[48])x[n + i], (const float(*)[28][32])s->a1[i], s->p1[i],
                              (const float(*)[16])s->a2[i], df[n + i], chunk);
        }
        update();
    }
}

/* ---- data ---- */
static void turn_weights(void)
{
    for (int i = 0; i < F; i++)
        for (int o = 0; o < H1; o++) w1_back[i / WIDE][o][i % WIDE] = w.w1[o / WIDE][i][o % WIDE];
    for (int i = 0; i < H1; i++)
        for (int o = 0; o < H2; o++) w2_back[i / WIDE][o][i % WIDE] = w.w2[o / WIDE][i][o % WIDE];
    for (int i = 0; i < H2; i++)
        for (int o = 0; o < H3; o++) w3_back[o][i] = w.w3[i][o];
    for (int c = 0; c < 6; c++)
        for (int i = 0; i < 25; i++)
            for (int o = 0; o < 16; o++) c2_back[o][i / 5][i % 5][c] = w.c2[c][i / 5][i % 5][o];
}
static uint64_t hash(void) { return hash_of(&w, sizeof w, 0); }
int main(int argc, char **argv)
{
    fill_random(w.c1[0], 150, 0.4f);
    fill_random(w.c2[0][0][0], 150 * 16, 0.16f);
    for (int i = 0; i < F; i++)
        for (int o = 0; o < 120; o++) fill_random(&w.w1[o / WIDE][i][o % WIDE], 1, 0.1f);
    for (int i = 0; i < 120; i++)
        for (int o = 0; o < 84; o++) fill_random(&w.w2[o / WIDE][i][o % WIDE], 1, 0.18f);
    for (int i = 0; i < 84; i++) fill_random(w.w3[i], CLASSES, 0.2f);
    fill_random(w.e3, CLASSES, 0.2f);
    for (int n = 0; n < N; n++) {
        for (int h = 0; h < 28; h++)
            for (int i = 0; i < 28; i++) x[n][h + 2][i + 2] = uniform();
        label[n] = (int)(uniform() * 10);
    }
    turn_weights();
    return time_steps(argc, argv, step, hash, &mean_loss);
}
