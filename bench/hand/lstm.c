/* lstm.c: a whole training step of LSTM(28 -> 128) by hand: 28 steps, a batch of 64, dense 10 on the last state, softmax,
 * Adam.
 *
 * Forward: one tile in registers holds the four gates of the same units, so the cell is the epilogue of the contraction.
 * Samples are independent through all 28 steps, both ways: one parallel loop, no barrier inside the loop over time.
 * SPDX-License-Identifier: MIT */
#include "step.h"

enum { GROUP = 8, CELL = LANES == 16 ? 6 : 2 /* rows of the tile of four gates */, KT = 2 };
/* column of gate q of unit j: the four gates of 16 units lie side by side */
#define COL(q, j) ((j) / 16 * 64 + (q)*16 + (j) % 16)
enum { T = 28, B = 64, I = 28, H = 128, Z = 4 * H, CL = 10 };
static struct params {
    float wx[I][Z] ALIGNED, wh[H][Z] ALIGNED, b[Z] ALIGNED, wo[CL][H] ALIGNED, bo[16] ALIGNED;
} w, am, av;
static float x[B][T][I] ALIGNED, h[T + 1][B][H] ALIGNED, c[T + 1][B][H] ALIGNED, g[T][B][Z] ALIGNED, wht[Z][H] ALIGNED,
    dh[B][H] ALIGNED, dc[B][H] ALIGNED, dz[B][16] ALIGNED, loss[B];
static int32_t lab[B];
static float step_size, mean_loss;
static uint32_t steps;
INLINE void adam(float *p, float *a, float *b, vec g)
{
    const vec mm = fused(0.9f, load(a), 0.1f * g), v = fused(0.999f, load(b), 0.001f * (g * g));
    store(a, mm);
    store(b, v);
    store(p, load(p) - step_size * mm / (root(v) + 1e-7f));
}
INLINE void gates(int K, const int rows, const float *a, const int ar, const float *b, vec s[][4])
{
    for (int k = 0; k < K; k++) {
        vec bv[4];
        EACH(q, 4) bv[q] = load(b + k * Z + q * 16);
        EACH(r, CELL) if (r < rows)
        {
            const vec w_ = spread(a[r * ar + k]);
            EACH(q, 4) s[r][q] = fma3(w_, bv[q], s[r][q]);
        }
    }
}
INLINE void cell_tile(const int rows, int t, int i, int j)
{
    vec s[CELL][4];
    EACH(r, CELL) EACH(q, 4) s[r][q] = load(w.b + COL(q, j));
    gates(I, rows, x[i][t], T * I, w.wx[0] + COL(0, j), s);
    gates(H, rows, h[t][i], H, w.wh[0] + COL(0, j), s);
    EACH(r, CELL) if (r < rows)
    {
        vec in = sigmoid(s[r][0]), fo = sigmoid(s[r][1]), ga = hyperbolic(s[r][2]), ou = sigmoid(s[r][3]);
        vec cc = fo * load(&c[t][i + r][j]) + in * ga;
        store(&c[t + 1][i + r][j], cc);
        store(&h[t + 1][i + r][j], ou * hyperbolic(cc));
        float *p = &g[t][i + r][COL(0, j)];
        store(p, in);
        store(p + 16, fo);
        store(p + 32, ga);
        store(p + 48, ou);
    }
}
static void lstm_forward(void)
{
    _Pragma("omp for schedule(static) nowait") for (int z = 0; z < Z; z++) for (int k = 0; k < H; k++) wht[z][k] =
        w.wh[k][z];
    _Pragma("omp for schedule(static)") for (int group = 0; group < B; group += GROUP) for (int t = 0; t < T;
                                                                                            t++) for (int j = 0; j < H;
                                                                                                      j += LANES)
    { /* rows in strips of at most CELL, heights differing by one */
        enum { S = (GROUP + CELL - 1) / CELL, LOW = GROUP / S, HIGH = (GROUP + S - 1) / S, TALLS = GROUP - S * LOW };
        int i = group;
        for (int s = 0; s < TALLS; s++, i += HIGH) cell_tile(HIGH, t, i, j);
        for (; i < group + GROUP; i += LOW) cell_tile(LOW, t, i, j);
    }
}
static void head(void)
{
    _Pragma("omp for schedule(static)") for (int i = 0; i < B; i++)
    {
        float z[CL], e[CL], top = -1e30f, sum = 0;
        for (int o = 0; o < CL; o++) {
            float d = w.bo[o];
            for (int k = 0; k < H; k++) d += h[T][i][k] * w.wo[o][k];
            z[o] = d;
            if (d > top) top = d;
        }
        for (int o = 0; o < CL; o++) sum += e[o] = expf(z[o] - top);
        loss[i] = logf(sum) + top - z[lab[i]];
        for (int o = 0; o < CL; o++) dz[i][o] = (e[o] / sum - (o == lab[i])) * (1.0f / B);
        for (int k = 0; k < H; k++) dh[i][k] = dc[i][k] = 0;
        for (int o = 0; o < CL; o++)
            for (int k = 0; k < H; k++) dh[i][k] += dz[i][o] * w.wo[o][k];
    }
}
INLINE void dh_tile(const int rows, int i0, int t, int i)
{
    i += i0;
    for (int j = 0; j < H; j += WIDE) {
        vec s[ROWS][2];
        EACH(r, ROWS) EACH(q, 2) s[r][q] = (vec){ 0 };
        contract(rows, 2, Z, g[t][i], Z, 1, wht[0] + j, H, s);
        EACH(r, ROWS) if (r < rows) EACH(q, 2) store(&dh[i + r][j + q * LANES], s[r][q]);
    }
}
static void lstm_backward(void)
{
    _Pragma("omp for schedule(static)") for (int group = 0; group < B; group += GROUP) for (int t = T - 1; t >= 0; t--)
    {
        for (int i = group; i < group + GROUP; i++)
            for (int k = 0; k < H; k += LANES) {
                float *p = &g[t][i][COL(0, k)];
                vec in = load(p), fo = load(p + 16), ga = load(p + 32), ou = load(p + 48),
                    tc = hyperbolic(load(&c[t + 1][i][k])), d = load(&dh[i][k]);
                vec dcc = load(&dc[i][k]) + d * ou * (1.0f - tc * tc);
                store(p, dcc * ga * in * (1.0f - in));
                store(p + 16, dcc * load(&c[t][i][k]) * fo * (1.0f - fo));
                store(p + 32, dcc * in * (1.0f - ga * ga));
                store(p + 48, d * tc * ou * (1.0f - ou));
                store(&dc[i][k], dcc * fo);
            }
        if (t)
            for (int s = 0; s < STRIPS(GROUP); s++) STRIP(s, GROUP, dh_tile, t, group);
    }
}
static float grad[Z / WIDE][I + H][WIDE] ALIGNED; /* one column block of the gradient, finished over the time blocks */
INLINE void wx_tile(const int rows, int i, int j, int t0)
{
    vec s[ROWS][2];
    float(*to)[WIDE] = &grad[j / WIDE][i];
    EACH(r, ROWS) if (r < rows) EACH(q, 2) s[r][q] = load(&to[r][q * LANES]);
    for (int t = t0; t < t0 + KT; t++) contract(rows, 2, B, x[0][t] + i, 1, T * I, g[t][0] + j, Z, s);
    EACH(r, ROWS) if (r < rows) EACH(q, 2) store(&to[r][q * LANES], s[r][q]);
}
INLINE void wh_tile(const int rows, int i, int j, int t0)
{
    vec s[ROWS][2];
    float(*to)[WIDE] = &grad[j / WIDE][I + i];
    EACH(r, ROWS) if (r < rows) EACH(q, 2) s[r][q] = load(&to[r][q * LANES]);
    contract(rows, 2, KT * B, h[t0][0] + i, 1, H, g[t0][0] + j, Z, s);
    EACH(r, ROWS) if (r < rows) EACH(q, 2) store(&to[r][q * LANES], s[r][q]);
}
static void weights(void)
{
    _Pragma("omp for schedule(static)") for (int j = 0; j < Z; j += WIDE)
    {
        memset(grad[j / WIDE], 0, sizeof grad[0]);
        for (int t = 0; t < T; t += KT) {
            for (int s = 0; s < STRIPS(I); s++) STRIP(s, I, wx_tile, j, t);
            for (int s = 0; s < STRIPS(H); s++) STRIP(s, H, wh_tile, j, t);
        }
        for (int i = 0; i < I; i++)
            for (int q = 0; q < WIDE; q += LANES)
                adam(&w.wx[i][j + q], &am.wx[i][j + q], &av.wx[i][j + q], load(&grad[j / WIDE][i][q]));
        for (int i = 0; i < H; i++)
            for (int q = 0; q < WIDE; q += LANES)
                adam(&w.wh[i][j + q], &am.wh[i][j + q], &av.wh[i][j + q], load(&grad[j / WIDE][I + i][q]));
        vec b[2] = { { 0 }, { 0 } };
        for (int k = 0; k < T * B; k++) EACH(q, 2) b[q] += load(g[0][0] + k * Z + j + q * LANES);
        EACH(q, 2)
        {
            const int o = j + q * LANES;
            adam(w.b + o, am.b + o, av.b + o, b[q]);
        }
        if (j == 0) {
            float sum = 0, e[16] ALIGNED = { 0 };
            for (int i = 0; i < B; i++) sum += loss[i];
            mean_loss = sum / B;
            for (int o = 0; o < CL; o++) {
                float d[H] ALIGNED = { 0 };
                for (int i = 0; i < B; i++) {
                    e[o] += dz[i][o];
                    for (int k = 0; k < H; k++) d[k] += dz[i][o] * h[T][i][k];
                }
                for (int k = 0; k < H; k += LANES) adam(&w.wo[o][k], &am.wo[o][k], &av.wo[o][k], load(d + k));
            }
            for (int o = 0; o < 16; o += LANES) adam(w.bo + o, am.bo + o, av.bo + o, load(e + o));
        }
    }
}
static void step(void)
{
    steps++;
    step_size = 1e-3f * (float)(sqrt(1 - pow(0.999, steps)) / (1 - pow(0.9, steps)));
    _Pragma("omp parallel")
    {
        lstm_forward();
        head();
        lstm_backward();
        weights();
    }
}
static uint64_t hash(void) { return hash_of(&w, sizeof w, 0); }
int main(int argc, char **argv)
{
    for (int k = 0; k < I; k++)
        for (int z = 0; z < Z; z++) fill_random(&w.wx[k][COL(z / H, z % H)], 1, 0.17f);
    for (int k = 0; k < H; k++)
        for (int z = 0; z < Z; z++) fill_random(&w.wh[k][COL(z / H, z % H)], 1, 0.17f);
    fill_random(w.wo[0], CL * H, 0.17f);
    for (int i = 0; i < B; i++)
        for (int t = 0; t < T; t++)
            for (int k = 0; k < I; k++) x[i][t][k] = uniform();
    for (int i = 0; i < B; i++) lab[i] = (int)(uniform() * 10);
    return time_steps(argc, argv, step, hash, &mean_loss);
}
