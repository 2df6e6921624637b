/* kerascnn.c: a whole training step of Keras's convolutional network for MNIST by hand, channels last, a batch of 128:
 * conv 3x3 32 relu, conv 3x3 64 relu, maxpool 2, dropout, dense 128 relu, dropout, dense 10, softmax, Adam.
 *
 * The second convolution, its relu, pool and dropout are one tile; its output is never stored. Backward visits the
 * winners of the pool only: one place in four. Sums over images in fixed chunks, so the threads do not change the bits.
 * SPDX-License-Identifier: MIT */
#include "step.h"

enum { N = 128, F = 9216, D = 128, CLASSES = 10, PADDED = 16, CHUNKS = 8, THREADS = 16 };
typedef struct Weights {
    float c1[9 * 32] ALIGNED, b1[32] ALIGNED, c2[288 * 64] ALIGNED, b2[64] ALIGNED;
    float wd[F * D] ALIGNED, bd[D] ALIGNED, wo[D * PADDED] ALIGNED, bo[PADDED] ALIGNED;
} Weights;
static Weights w, am, av, grad;                  /* wd is stored in panels [D / WIDE][F][WIDE] */
static float x[N][28 * 28] ALIGNED, first[N][26 * 26 * 32] ALIGNED, pooled[N][F] ALIGNED, dpooled[N][F] ALIGNED;
static float hidden[N][D] ALIGNED, dh[N][D] ALIGNED, dh_turned[D][N] ALIGNED, dz[N][PADDED] ALIGNED;
static float wo_turned[PADDED][D] ALIGNED, loss[N];
static int8_t winner[N][F] ALIGNED;
static int32_t label[N];
static float c2_turned[64 * 9 * 32] ALIGNED;     /* [o][r][s][c] */
static struct Part { float c1[9 * 32] ALIGNED, b1[32] ALIGNED, c2[288 * 64] ALIGNED, b2[64] ALIGNED; } part[CHUNKS];
static float dfirst[THREADS][26 * 26 * 32] ALIGNED;
static float step_size, mean_loss;
static uint32_t steps;
#define WD(f, j) ((((j) / WIDE) * F + (f)) * WIDE + (j) % WIDE)

INLINE void adam(float *p, float *a, float *b, vec g)
{
    const vec m = fused(0.9f, load(a), 0.1f * g), v = fused(0.999f, load(b), 0.001f * (g * g));
    store(a, m);
    store(b, v);
    store(p, load(p) - step_size * m / (root(v) + 1e-7f)); /* the corrections of the bias are in step_size */
}

/* ---- forward ---- */
INLINE void first_tile(const int rows, int i, int n, int h)
{
    vec s[ROWS][2];
    for (int j = 0; j < 32; j += WIDE) {
        EACH(r, ROWS) EACH(c, 2) s[r][c] = load(w.b1 + j + c * LANES);
        for (int r = 0; r < 3; r++) contract(rows, 2, 3, x[n] + (h + r) * 28 + i, 1, 1, w.c1 + r * 96 + j, 32, s);
        EACH(r, ROWS) if (r < rows) EACH(c, 2)
            store(first[n] + (h * 26 + i + r) * 32 + j + c * LANES, where(s[r][c] > 0, s[r][c]));
    }
}
INLINE void keep_larger(vec v, int place, vec *best, mask *at)
{
    const mask more = v > *best;
    *best = either(more, v, *best);
    *at = (more & place) | (~more & *at);
}
/* PAIRS pools side by side: two rows of 2 * PAIRS outputs */
enum { PAIRS = LANES == 16 ? 2 : 1, TILE = 4 * PAIRS };
INLINE void pool_and_drop(vec s[TILE][2], int n, int h, int q, int j, uint32_t key)
{
    typedef int8_t bytes __attribute__((vector_size(LANES)));
    EACH(o, PAIRS) EACH(c, 2)
    {
        vec best = s[2 * o][c];
        mask at = { 0 };
        keep_larger(s[2 * o + 1][c], 1, &best, &at);
        keep_larger(s[2 * PAIRS + 2 * o][c], 2, &best, &at);
        keep_larger(s[2 * PAIRS + 2 * o + 1][c], 3, &best, &at);
        const int e = ((h / 2) * 12 + q / 2 + o) * 64 + j + c * LANES;
        const mask keep = (best > 0) & (mask)(random_bits((uint32_t)(n * F + e), key) >= 0x40000000u);
        store(pooled[n] + e, where(keep, best * (4.0f / 3)));
        *(bytes *)(winner[n] + e) = __builtin_convertvector(at, bytes);
    }
}
static void second_and_pool(int n)
{
    const uint32_t key = steps * 0x85ebca6bu + 77;
    for (int j = 0; j < 64; j += WIDE)
        for (int h = 0; h < 24; h += 2)
            for (int q = 0; q < 24; q += 2 * PAIRS) {
                vec s[TILE][2];
                EACH(r, TILE) EACH(c, 2) s[r][c] = load(w.b2 + j + c * LANES);
                for (int r = 0; r < 3; r++) {
                    const float *a = first[n] + ((h + r) * 26 + q) * 32, *b = w.c2 + r * 96 * 64 + j;
                    for (int k = 0; k < 96; k++) {
                        vec bv[2];
                        EACH(c, 2) bv[c] = load(b + k * 64 + c * LANES);
                        EACH(p, TILE)
                        {
                            const vec v = spread(a[(p / (2 * PAIRS)) * 26 * 32 + (p % (2 * PAIRS)) * 32 + k]);
                            EACH(c, 2) s[p][c] = fma3(v, bv[c], s[p][c]);
                        }
                    }
                }
                pool_and_drop(s, n, h, q, j, key);
            }
}
static void images_forward(void)
{
    SHARED for (int n = 0; n < N; n++)
    {
        for (int h = 0; h < 26; h++)
            for (int s = 0; s < STRIPS(26); s++) STRIP(s, 26, first_tile, n, h);
        second_and_pool(n);
    }
}
/* K in blocks of 768, so that a block of the weights stays near; the sums wait in hidden */
INLINE void dense_tile(const int rows, int i, int j, int k)
{
    enum { BLOCK = 768 };
    vec s[ROWS][2];
    EACH(r, ROWS) if (r < rows) EACH(c, 2) s[r][c] = load((k ? hidden[i + r] : w.bd) + j + c * LANES);
    contract(rows, 2, BLOCK, pooled[0] + i * F + k, F, 1, w.wd + WD(k, j), WIDE, s);
    const uint32_t key = steps * 0x9e3779b9u + 99;
    EACH(r, ROWS) if (r < rows) EACH(c, 2)
    {
        vec v = s[r][c];
        if (k + BLOCK == F) {
            const words draw = random_bits((uint32_t)((i + r) * D + j + c * LANES), key);
            v = where((v > 0) & (mask)(draw >= 0x80000000u), v * 2.0f);
        }
        store(&hidden[i + r][j + c * LANES], v);
    }
}
static void dense_forward(void)
{
    SHARED for (int j = 0; j < D; j += WIDE)
        for (int k = 0; k < F; k += 768)
            for (int s = 0; s < STRIPS(N); s++) STRIP(s, N, dense_tile, j, k);
}
static void head_row(int i)
{
    float z[PADDED] ALIGNED, e[PADDED], sum = 0;
    for (int c = 0; c < PADDED; c++) z[c] = w.bo[c];
    for (int k = 0; k < D; k++)
        for (int c = 0; c < PADDED; c++) z[c] += hidden[i][k] * w.wo[k * PADDED + c];
    float top = z[0];
    for (int c = 1; c < CLASSES; c++) top = z[c] > top ? z[c] : top;
    for (int c = 0; c < CLASSES; c++) sum += e[c] = expf(z[c] - top);
    loss[i] = logf(sum) + top - z[label[i]];
    for (int c = 0; c < PADDED; c++)
        dz[i][c] = c < CLASSES ? (e[c] / sum - (float)(c == label[i])) * (1.0f / N) : 0;
    for (int k = 0; k < D; k++) {
        float d = 0;
        for (int c = 0; c < CLASSES; c++) d += dz[i][c] * wo_turned[c][k];
        dh[i][k] = dh_turned[k][i] = hidden[i][k] > 0 ? 2 * d : 0;
    }
}
static void head_updates(void)
{
    mean_loss = 0;
    memset(grad.wo, 0, sizeof grad.wo);
    memset(grad.bo, 0, sizeof grad.bo);
    memset(grad.bd, 0, sizeof grad.bd);
    for (int i = 0; i < N; i++) {
        mean_loss += loss[i] / N;
        for (int k = 0; k < D; k++)
            for (int c = 0; c < PADDED; c++) grad.wo[k * PADDED + c] += hidden[i][k] * dz[i][c];
        for (int c = 0; c < PADDED; c++) grad.bo[c] += dz[i][c];
        for (int k = 0; k < D; k++) grad.bd[k] += dh[i][k];
    }
    for (int k = 0; k < D * PADDED; k += LANES) adam(w.wo + k, am.wo + k, av.wo + k, load(grad.wo + k));
    for (int k = 0; k < PADDED; k += LANES) adam(w.bo + k, am.bo + k, av.bo + k, load(grad.bo + k));
    for (int k = 0; k < D; k += LANES) adam(w.bd + k, am.bd + k, av.bd + k, load(grad.bd + k));
    for (int k = 0; k < D; k++)
        for (int c = 0; c < PADDED; c++) wo_turned[c][k] = w.wo[k * PADDED + c];
}
static void head(void)
{
    SHARED for (int i = 0; i < N; i++) head_row(i);
    _Pragma("omp single nowait") head_updates();
}

/* ---- backward ---- */
/* a strip of features: dpooled = wd dh^T with the old weights, then the weight gradient and Adam */
INLINE void dense_backward_tile(const int rows, int f, int unused)
{
    (void)unused;
    float tile[ROWS][WIDE] ALIGNED, weights[D / WIDE][ROWS][WIDE] ALIGNED;
    for (int j = 0; j < D; j += WIDE)
        EACH(r, ROWS) if (r < rows) EACH(c, 2)
            store(&weights[j / WIDE][r][c * LANES], load(w.wd + WD(f + r, j) + c * LANES));
    for (int j = 0; j < N; j += WIDE) {
        vec s[ROWS][2];
        EACH(r, ROWS) EACH(c, 2) s[r][c] = (vec){ 0 };
        for (int k = 0; k < D; k += WIDE)
            contract(rows, 2, WIDE, weights[k / WIDE][0], WIDE, 1, dh_turned[k] + j, N, s);
        EACH(r, ROWS) if (r < rows) EACH(c, 2) store(&tile[r][c * LANES], s[r][c]);
        for (int n = 0; n < WIDE; n++)
            for (int r = 0; r < rows; r++)
                dpooled[j + n][f + r] = pooled[j + n][f + r] > 0 ? tile[r][n] * (4.0f / 3) : 0;
    }
    for (int j = 0; j < D; j += WIDE) {
        vec s[ROWS][2];
        EACH(r, ROWS) EACH(c, 2) s[r][c] = (vec){ 0 };
        contract(rows, 2, N, pooled[0] + f, 1, F, dh[0] + j, D, s);
        EACH(r, ROWS) if (r < rows) EACH(c, 2)
        {
            const int k = WD(f + r, j) + c * LANES;
            adam(w.wd + k, am.wd + k, av.wd + k, s[r][c]);
        }
    }
}
static void dense_backward(void)
{
    SHARED for (int s = 0; s < STRIPS(F); s++) STRIP(s, F, dense_backward_tile, 0);
}
static const int place_of[4] = { 0, 32, 26 * 32, 27 * 32 }; /* of a winner in its window */
enum { TAPS = 96 / LANES }; /* (s, c) of one row of the kernel, one after another */
enum { WINDOW_ROWS = 2 };   /* so few that their rows of `first` stay in L1 */
static void second_weights(int n, float *g) /* [o][r][s][c] */
{
    for (int w0 = 0; w0 < 12; w0 += WINDOW_ROWS)
        for (int o = 0; o < 64; o++)
            for (int r = 0; r < 3; r++) {
                vec s[TAPS];
                float *to = g + (o * 3 + r) * 96;
                EACH(q, TAPS) s[q] = load(to + q * LANES);
                for (int wh = w0; wh < w0 + WINDOW_ROWS; wh++)
                    for (int ww = 0; ww < 12; ww++) {
                        const int e = (wh * 12 + ww) * 64 + o;
                        const float *a = first[n] + ((2 * wh + r) * 26 + 2 * ww) * 32 + place_of[winner[n][e]];
                        const vec d = spread(dpooled[n][e]);
                        EACH(q, TAPS) s[q] = fma3(d, load(a + q * LANES), s[q]);
                    }
                EACH(q, TAPS) store(to + q * LANES, s[q]);
            }
}
/* even windows, then odd ones: neighbours overlap. Half of the taps at a time where registers are few. */
enum { PIECE = LANES == 16 ? TAPS : TAPS };
static void second_data(int n, float *dx)
{
    memset(dx, 0, sizeof dfirst[0]);
    for (int wh = 0; wh < 12; wh++)
        for (int o = 0; o < 64; o++)
            for (int r = 0; r < 3; r++)
                for (int piece = 0; piece < TAPS; piece += PIECE) {
                    float *from = dx + (2 * wh + r) * 26 * 32 + piece * LANES;
                    vec k[PIECE];
                    EACH(q, PIECE) k[q] = load(c2_turned + (o * 3 + r) * 96 + (piece + q) * LANES);
                    for (int odd = 0; odd < 2; odd++)
                        for (int ww = odd; ww < 12; ww += 2) {
                            const int e = (wh * 12 + ww) * 64 + o;
                            float *a = from + ww * 64 + place_of[winner[n][e]];
                            const vec d = spread(dpooled[n][e]);
                            EACH(q, PIECE) store(a + q * LANES, fma3(d, k[q], load(a + q * LANES)));
                        }
                }
    for (int k = 0; k < 26 * 26 * 32; k += LANES) store(dx + k, where(load(first[n] + k) > 0, load(dx + k)));
}
static void first_weights(int n, const float *dx, struct Part *g)
{
    for (int j = 0; j < 32; j += LANES) {
        vec s[9], b = load(g->b1 + j);
        EACH(r, 9) s[r] = load(g->c1 + r * 32 + j);
        for (int h = 0; h < 26; h++)
            for (int q = 0; q < 26; q++) {
                const vec d = load(dx + (h * 26 + q) * 32 + j);
                b += d;
                EACH(r, 9) s[r] = fma3(spread(x[n][(h + r / 3) * 28 + q + r % 3]), d, s[r]);
            }
        EACH(r, 9) store(g->c1 + r * 32 + j, s[r]);
        store(g->b1 + j, b);
    }
}
static void second_bias(int n, struct Part *g)
{
    for (int o = 0; o < 64; o += LANES) {
        vec b = load(g->b2 + o);
        for (int e = 0; e < 144; e++) b += load(dpooled[n] + e * 64 + o);
        store(g->b2 + o, b);
    }
}
static void images_backward(void)
{
    SHARED for (int r = 0; r < 9; r++)
        for (int o = 0; o < 64; o++)
            for (int c = 0; c < 32; c++) c2_turned[(o * 9 + r) * 32 + c] = w.c2[(r * 32 + c) * 64 + o];
    SHARED for (int k = 0; k < CHUNKS; k++)
    {
        float *dx = dfirst[ME];
        memset(&part[k], 0, sizeof part[k]);
        for (int n = k * (N / CHUNKS); n < (k + 1) * (N / CHUNKS); n++) {
            second_bias(n, &part[k]);
            second_weights(n, part[k].c2);
            second_data(n, dx);
            first_weights(n, dx, &part[k]);
        }
    }
}
#define SUM_OF_PARTS(field, at)                                                                                        \
    ({                                                                                                                 \
        vec sum = load(part[0].field + (at));                                                                           \
        for (int c = 1; c < CHUNKS; c++) sum += load(part[c].field + (at));                                             \
        sum;                                                                                                           \
    })
static void conv_updates(void)
{
    SHARED_ON for (int q = 0; q < 288; q += LANES)
        for (int o = 0; o < 64; o += LANES) { /* the gradient is [o][q], the weight [q][o] */
            vec g[LANES];
            EACH(l, LANES) g[l] = SUM_OF_PARTS(c2, (o + l) * 288 + q);
            turn(g);
            EACH(l, LANES)
            {
                const int k = (q + l) * 64 + o;
                adam(w.c2 + k, am.c2 + k, av.c2 + k, g[l]);
            }
        }
    _Pragma("omp single")
    {
        for (int q = 0; q < 288; q += LANES) adam(w.c1 + q, am.c1 + q, av.c1 + q, SUM_OF_PARTS(c1, q));
        for (int q = 0; q < 32; q += LANES) adam(w.b1 + q, am.b1 + q, av.b1 + q, SUM_OF_PARTS(b1, q));
        for (int q = 0; q < 64; q += LANES) adam(w.b2 + q, am.b2 + q, av.b2 + q, SUM_OF_PARTS(b2, q));
    }
}
static void step(void)
{
    steps++;
    step_size = 1e-3f * (float)(sqrt(1 - pow(0.999, steps)) / (1 - pow(0.9, steps)));
    _Pragma("omp parallel")
    {
        images_forward();
        dense_forward();
        head();
        dense_backward();
        images_backward();
        conv_updates();
    }
}

static uint64_t hash(void) { return hash_of(&w, sizeof w, 0); }
int main(int argc, char **argv)
{
    fill_random(w.c1, 288, 0.6f);
    fill_random(w.c2, 288 * 64, 0.12f);
    for (int k = 0; k < F; k++)
        for (int j = 0; j < D; j++) fill_random(w.wd + WD(k, j), 1, 0.02f);
    for (int k = 0; k < D; k++)
        for (int c = 0; c < CLASSES; c++) {
            fill_random(w.wo + k * PADDED + c, 1, 0.2f);
            wo_turned[c][k] = w.wo[k * PADDED + c];
        }
    for (int n = 0; n < N; n++) {
        for (int k = 0; k < 784; k++) x[n][k] = uniform();
        label[n] = (int)(uniform() * 10);
    }
    return time_steps(argc, argv, step, hash, &mean_loss);
}
