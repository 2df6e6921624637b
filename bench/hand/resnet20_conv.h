/* resnet20_conv.h: what the phases of resnet20.c are made of: the arena, batch normalisation's coefficients, the rows and
 * transforms of a convolution's input, the convolutions (forward, data gradient, weight gradient; stride 1 and 2), the
 * updates. C channels in, O out, H rows and columns; a scratch for each thread; sums over images in CHUNKS.
 * SPDX-License-Identifier: MIT */
#include "step.h"
#ifndef WINO
#define WINO 1
#endif
enum { N = 32, CHUNKS = 8, IPC = N / CHUNKS /* images of a chunk */, NL = 21 /* convolutions */, CL = 10, THREADS = 16 };
enum { PX = LANES == 8 ? 4 : 8 };                /* pixels of a tile of two vectors */
static const int cin[NL] = { 3, 16, 16, 16, 16, 16, 16, 16, 32, 32, 32, 32, 32, 32, 64, 64, 64, 64, 64, 16, 32 },
                 cout[NL] = { 16, 16, 16, 16, 16, 16, 16, 32, 32, 32, 32, 32, 32, 64, 64, 64, 64, 64, 64, 32, 64 };
#define TAPS(l) ((l) >= 19 ? 1 : 9)
#define Y1 (32 * 32 * 16)
/* ---- arena ---- */
static float x0[N][34][34][3] ALIGNED, ypool[N * (Y1 * 7 + Y1 / 2 * 7 + Y1 / 4 * 7)] ALIGNED,
    xpool[N * (Y1 * 4 + Y1 / 2 * 3 + Y1 / 4 * 3)] ALIGNED, dza[N * Y1] ALIGNED, dzb[N * Y1] ALIGNED,
    dzc[N * Y1] ALIGNED;
static int32_t lab[N];
static float loss[N], mean_loss, pooled[N][64] ALIGNED, dz[N][16] ALIGNED;
static struct {
    float w[9 * 64 * 64] ALIGNED, m[9 * 64 * 64] ALIGNED, u[18 * 64 * 64] ALIGNED, ut[18 * 64 * 64] ALIGNED, gam[64],
        bet[64], mg[64], mb[64], rm[64], rv[64], dg[64], db[64];
    float *y;
    float st[N][3][64], bs[N][2][64], bs2[N][2][64];
} L[NL] ALIGNED;
static float wd[CL][64] ALIGNED, bd[16], mwd[CL][64] ALIGNED, mbd[16];
static float part[2][CHUNKS][18 * 64 * 64] ALIGNED;
static float *xb[10];
typedef struct {
    float a[64], b[64], mean[64], rstd[64], A[64], B[64], C[64];
} coef;
static coef co[THREADS][NL] ALIGNED;
typedef struct {
    float row1[34 * 16], row2[18 * 32], row3[10 * 64]; /* zero ends */
    float p1[34 * 34 * 16], p2[18 * 18 * 32], p3[10 * 10 * 64], q1[34 * 34 * 16], q2[2][18 * 18 * 32],
        q3[4][10 * 10 * 64], d1[32 * 32 * 16], d2[2][16 * 16 * 32],
        d3[4][8 * 8 * 64]; /* direct: padded dy, x; also stride 2 */
    float vd1[6 * 8 * 34 * 16], vd2[6 * 4 * 18 * 32], vd3[6 * 2 * 10 * 64], vx1[6 * 8 * 34 * 16],
        vx2[2][6 * 4 * 18 * 32], vx3[4][6 * 2 * 10 * 64], dd1[6 * 8 * 32 * 16], dd2[2][6 * 4 * 16 * 32],
        dd3[4][6 * 2 * 8 * 64];
    float m[9 * 32 * 32]; /* also dys of a stride 2 block and one row before it */
} scratch_t;
static scratch_t scratch[THREADS] ALIGNED;

/* ---- batchnorm coefficients: every thread for itself, images joined in order (Chan) ---- */
INLINE void bn_forward(int l, int O, float cnt)
{
    coef *k = &co[ME][l];
    for (int c = 0; c < O; c += LANES) {
        vec mean = { 0 }, m2 = { 0 };
        for (int n = 0; n < N; n++) {
            vec s = load(&L[l].st[n][1][c]) / cnt, q = load(&L[l].st[n][2][c]) - s * s * cnt,
                mi = load(&L[l].st[n][0][c]) + s, d = mi - mean;
            mean += d / (float)(n + 1);
            m2 += q + d * d * (cnt * n / (n + 1));
        }
        vec var = m2 / (cnt * N), rs = 1.0f / root(var + 1e-5f), a = load(L[l].gam + c) * rs;
        store(k->mean + c, mean);
        store(k->rstd + c, rs);
        store(k->a + c, a);
        store(k->b + c, load(L[l].bet + c) - mean * a);
        if (ME == 0) {
            store(L[l].rm + c, .9f * load(L[l].rm + c) + .1f * mean);
            store(L[l].rv + c, .9f * load(L[l].rv + c) + .1f * (m2 / (cnt * N - 1)));
        }
    }
}
INLINE void bn_backward(int l, int O, float cnt, float (*bs)[2][64])
{
    coef *k = &co[ME][l];
    for (int c = 0; c < O; c += LANES) {
        vec s1 = { 0 }, s2 = { 0 };
        for (int n = 0; n < N; n++) {
            s1 += load(&bs[n][0][c]);
            s2 += load(&bs[n][1][c]);
        }
        vec rs = load(k->rstd + c), A = load(k->a + c), dg = s2 * rs, B = -A * rs * dg / (cnt * N);
        store(k->A + c, A);
        store(k->B + c, B);
        store(k->C + c, -A * s1 / (cnt * N) - B * load(k->mean + c));
        if (ME == 0) {
            store(L[l].dg + c, dg);
            store(L[l].db + c, s1);
        }
    }
}
/* ---- one row of a convolution's input ---- */
enum { RELU, ENTER, JOIN, JOIN2, COPY, DBN };
INLINE vec relu(vec v) { return where(v > 0, v); }
INLINE void fill(const int kind, const int C, const int H, float *row, const coef *k, const float *y, const float *skip,
                 const coef *k2, float *xo)
{
    for (int c = 0; c < C; c += LANES) {
        vec a = load((kind == DBN ? k->A : k->a) + c), b = load((kind == DBN ? k->B : k->b) + c),
            e = load((kind == DBN     ? k->C
                      : kind == JOIN2 ? k2->a
                                      : k->a) +
                     c),
            f = load((kind == JOIN2 ? k2->b : k->b) + c);
        for (int i = 0; i < H; i++) {
            vec v = load(y + i * C + c);
            if (kind == RELU || kind == ENTER) v = relu(fma3(a, v, b));
            if (kind == JOIN) v = relu(fma3(a, v, b) + load(skip + i * C + c));
            if (kind == JOIN2) v = relu(fma3(a, v, b) + fma3(e, load(skip + i * C + c), f));
            if (kind == DBN) v = fma3(a, v, fma3(b, load(skip + i * C + c), e)); /* y = dz, skip = y */
            store(row + (i + 1) * C + c, v);
            if (kind == ENTER || kind == JOIN || kind == JOIN2) store(xo + i * C + c, v);
        }
    }
}
/* ---- transforms of a row: B^T over 6 pixels, A over 4 ---- */
INLINE void v_row(const int C, const int H, int h, const float *row, float *V)
{ /* V[6][H / 4][H + 2][C] */
    const int f = H / 4 * (H + 2) * C;
    for (int t = 0; t < H / 4; t++)
        for (int c = 0; c < C; c += LANES) {
            vec d[6];
            EACH(i, 6) d[i] = load(row + (4 * t + i) * C + c);
            vec a = fused(-4, d[2], d[4]), b = fused(-4, d[1], d[3]), e = d[4] - d[2], g = 2 * (d[3] - d[1]);
            float *to = V + (t * (H + 2) + h + 1) * C + c;
            store(to, fused(4, d[0], fused(-5, d[2], d[4])));
            store(to + f, a + b);
            store(to + 2 * f, a - b);
            store(to + 3 * f, e + g);
            store(to + 4 * f, e - g);
            store(to + 5 * f, fused(4, d[1], fused(-5, d[3], d[5])));
        }
}
INLINE void d_row(const int O, const int H, int h, const float *row, float *D)
{ /* D[6][H / 4][H][O] */
    const int f = H / 4 * H * O;
    for (int t = 0; t < H / 4; t++)
        for (int o = 0; o < O; o += LANES) {
            vec d[4];
            EACH(i, 4) d[i] = load(row + (4 * t + i + 1) * O + o);
            vec a = d[0] + d[2], b = d[1] + d[3], e = fused(4, d[2], d[0]), g = 2 * fused(4, d[3], d[1]);
            float *to = D + (t * H + h) * O + o;
            store(to, d[0]);
            store(to + f, a + b);
            store(to + 2 * f, a - b);
            store(to + 3 * f, e + g);
            store(to + 4 * f, e - g);
            store(to + 5 * f, d[3]);
        }
}
/* ---- what becomes of an output vector ---- */
enum { FWD, BWD_RELU, BWD_JOIN, BWD_JOIN2 };
typedef struct {
    float *to;
    const float *skip, *y, *y2, *x;
    const coef *k, *k2;
    float (*st)[64], (*bs2)[64];
} hook;
INLINE void finish(const int kind, const hook *k, int at, int o, vec v, vec *s, vec *q, vec *q2, vec shift)
{
    if (kind == FWD) {
        store(k->to + at, v);
        v -= shift;
        *s += v;
        *q = fma3(v, v, *q);
        return;
    }
    vec y = load(k->y + at);
    if (kind == BWD_RELU)
        v = where(fma3(load(k->k->a + o), y, load(k->k->b + o)) > 0, v);
    else {
        if (k->skip) v += load(k->skip + at);
        v = where(load(k->x + at) > 0, v);
    }
    store(k->to + at, v);
    *s += v;
    *q = fma3(v, y - load(k->k->mean + o), *q);
    if (kind == BWD_JOIN2) *q2 = fma3(v, load(k->y2 + at) - load(k->k2->mean + o), *q2);
}
INLINE void sums_in(const int kind, const hook *k, int o, vec *s, vec *q, vec *q2, vec *shift)
{
    const int z = kind == FWD;
    *shift = load(&k->st[0][o]);
    *s = load(&k->st[z][o]);
    *q = load(&k->st[z + 1][o]);
    if (kind == BWD_JOIN2)
        *q2 = load(&k->bs2[1][o]);
    else
        *q2 = (vec){ 0 };
}
INLINE void sums_out(const int kind, const hook *k, int o, vec s, vec q, vec q2)
{
    const int z = kind == FWD;
    store(&k->st[z][o], s);
    store(&k->st[z + 1][o], q);
    if (kind == BWD_JOIN2) {
        store(&k->bs2[0][o], s);
        store(&k->bs2[1][o], q2);
    }
}
/* the sums start at zero; FWD shifts by the image's first pixel so that one sweep is enough */
INLINE void sums_zero(const int kind, const hook *k, int O)
{
    for (int o = 0; o < O; o++) {
        k->st[0][o] = k->st[1][o] = 0;
        if (kind == FWD) k->st[2][o] = 0;
        if (kind == BWD_JOIN2) k->bs2[0][o] = k->bs2[1][o] = 0;
    }
}

/* ---- the contraction of F(4,3): six slides down the image into L1; one instance a shape ---- */
INLINE void product_(const int C, const int O, const int H, const float *V, const float *U, float *m4)
{
    const int COLS = O >= WIDE ? 2 : 1, PW = COLS * LANES, R = LANES == 8 ? 4 : COLS == 1 && H % 16 == 0 ? 16 : 8;
    for (int f = 0; f < 6; f++)
        for (int h = 0; h < H; h += R) {
            vec s[16][2];
            EACH(p, R) EACH(c, 2) s[p][c] = (vec){ 0 };
            slide(R, COLS, C, V + (f * (H / 4) * (H + 2) + h) * C, C, U + f * O * 3 * C, C * PW, PW, s);
            EACH(p, R) EACH(c, 2) if (c < COLS) store(m4 + (f * H + h + p) * PW + c * LANES, s[p][c]);
        }
}
NOINLINE void product16(const float *V, const float *U, float *m4) { product_(16, 16, 32, V, U, m4); }
NOINLINE void product32(const float *V, const float *U, float *m4) { product_(32, 32, 16, V, U, m4); }
NOINLINE void product64(const float *V, const float *U, float *m4) { product_(64, 64, 8, V, U, m4); }
INLINE void product(const int C, const int O, const int H, const float *V, const float *U, float *m4)
{
    (void)O;
    (void)H;
    (C == 16 ? product16 : C == 32 ? product32 : product64)(V, U, m4);
}
/* ---- 3x3, stride 1: V (or padded image) by U, C -> O, H x H ---- */
INLINE void conv3_(const int kind, const int C, const int O, const int H, const float *V, const float *U, float *m4,
                   const hook *k)
{
    const int COLS = O >= WIDE ? 2 : 1, PW = COLS * LANES, R = LANES == 8 ? 4 : COLS == 1 && H % 16 == 0 ? 16 : 8;
    sums_zero(kind, k, O);
    for (int q = 0; q < O / PW; q++) {
        if (WINO)
            for (int t = 0; t < H / 4; t++) {
                product(C, O, H, V + t * (H + 2) * C, U + q * 3 * C * PW, m4);
                EACH(c, 2) if (c < COLS)
                {
                    const int o = q * PW + c * LANES;
                    vec S, Q, Q2, shift;
                    sums_in(kind, k, o, &S, &Q, &Q2, &shift);
                    for (int h = 0; h < H; h++) {
                        vec m[6];
                        EACH(f, 6) m[f] = load(m4 + (f * H + h) * PW + c * LANES);
                        vec p = m[1] + m[2], e = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
                        const int at = (h * H + 4 * t) * O + o;
                        vec v0 = m[0] + p + r;
                        if (kind == FWD && h == 0 && t == 0) store(&k->st[0][o], shift = v0);
                        finish(kind, k, at, o, v0, &S, &Q, &Q2, shift);
                        finish(kind, k, at + O, o, fused(2, s, e), &S, &Q, &Q2, shift);
                        finish(kind, k, at + 2 * O, o, fused(4, r, p), &S, &Q, &Q2, shift);
                        finish(kind, k, at + 3 * O, o, fused(8, s, e) + m[5], &S, &Q, &Q2, shift);
                    }
                    sums_out(kind, k, o, S, Q, Q2);
                }
            }
        else
            for (int h = 0; h < H; h++)
                for (int i = 0; i < H; i += R) {
                    vec s[16][2];
                    EACH(p, R) EACH(c, 2) s[p][c] = (vec){ 0 };
                    for (int r = 0; r < 3; r++)
                        slide(R, COLS, C, V + ((h + r) * (H + 2) + i) * C, C, U + (q * 3 + r) * 3 * C * PW, C * PW, PW,
                              s);
                    EACH(c, 2) if (c < COLS)
                    {
                        const int o = q * PW + c * LANES;
                        vec S, Q, Q2, shift;
                        sums_in(kind, k, o, &S, &Q, &Q2, &shift);
                        if (kind == FWD && h == 0 && i == 0) store(&k->st[0][o], shift = s[0][c]);
                        EACH(p, R) finish(kind, k, (h * H + i + p) * O + o, o, s[p][c], &S, &Q, &Q2, shift);
                        sums_out(kind, k, o, S, Q, Q2);
                    }
                }
    }
}
/* its weight gradient over G images */
INLINE void wgrad3_(const int C, const int O, const int H, const int G, const float *X, const float *D, float *g,
                    int first)
{
    const int COLS = O >= WIDE ? 2 : 1, PW = COLS * LANES,
              CB = LANES == 8  ? 2
                   : COLS == 2 ? 4
                               : 8,
              VS = 6 * (H / 4) * (H + 2) * C, DS = 6 * (H / 4) * H * O, PS = (H + 2) * (H + 2) * C;
    for (int f = 0; f < (WINO ? 6 : 3); f++)
        for (int q = 0; q < O / PW; q++)
            for (int b = 0; b < C; b += CB) {
                vec s[3][8][2];
                float *to = g + ((f * (O / PW) + q) * 3 * C + b) * PW;
                EACH(t, 3) EACH(i, 8) EACH(c, 2) s[t][i][c] = (vec){ 0 };
                if (!first)
                    EACH(t, 3)
                    EACH(i, 8) EACH(c, 2) if (i < CB && c < COLS) s[t][i][c] = load(to + (t * C + i) * PW + c * LANES);
                for (int j = 0; j < G; j++) {
                    if (WINO)
                        for (int t = 0; t < H / 4; t++)
                            slide_t(CB, COLS, H, X + j * VS + (f * (H / 4) + t) * (H + 2) * C + b, C,
                                    D + j * DS + (f * (H / 4) + t) * H * O + q * PW, O, s);
                    else
                        for (int h = 0; h < H; h++)
                            slide_t(CB, COLS, H, X + j * PS + (h + f) * (H + 2) * C + b, C,
                                    D + (j * H * H + h * H) * O + q * PW, O, s);
                }
                EACH(t, 3)
                EACH(i, 8) EACH(c, 2) if (i < CB && c < COLS) store(to + (t * C + i) * PW + c * LANES, s[t][i][c]);
            }
}
#define INST(C, H)                                                                                                     \
    NOINLINE void fwd##C(const float *V, const float *U, float *m4, const hook *k)                                     \
    {                                                                                                                  \
        conv3_(FWD, C, C, H, V, U, m4, k);                                                                             \
    }                                                                                                                  \
    NOINLINE void relu##C(const float *V, const float *U, float *m4, const hook *k)                                    \
    {                                                                                                                  \
        conv3_(BWD_RELU, C, C, H, V, U, m4, k);                                                                        \
    }                                                                                                                  \
    NOINLINE void join##C(const float *V, const float *U, float *m4, const hook *k)                                    \
    {                                                                                                                  \
        conv3_(BWD_JOIN, C, C, H, V, U, m4, k);                                                                        \
    }                                                                                                                  \
    NOINLINE void joinb##C(const float *V, const float *U, float *m4, const hook *k)                                   \
    {                                                                                                                  \
        conv3_(BWD_JOIN2, C, C, H, V, U, m4, k);                                                                       \
    }                                                                                                                  \
    NOINLINE void weights##C(const float *X, const float *D, float *g, int first)                                      \
    {                                                                                                                  \
        wgrad3_(C, C, H, C / 16, X, D, g, first);                                                                      \
    }
INST(16, 32)
INST(32, 16) INST(64, 8)
#define PICK(kind, C) ((kind) == FWD ? fwd##C : (kind) == BWD_RELU ? relu##C : (kind) == BWD_JOIN ? join##C : joinb##C)
    INLINE void conv3(const int kind, const int C, const int O, const int H, const float *V, const float *U, float *m4,
                      const hook *k)
{
    (void)O;
    (void)H;
    (C == 16 ? PICK(kind, 16) : C == 32 ? PICK(kind, 32) : PICK(kind, 64))(V, U, m4, k);
}
INLINE void wgrad3(const int C, const int O, const int H, const int G, const float *X, const float *D, float *g,
                   int first)
{
    (void)O;
    (void)H;
    (void)G;
    (C == 16 ? weights16 : C == 32 ? weights32 : weights64)(X, D, g, first);
}
/* ---- sum of the chunks, SGD, and the forms of the new weights the kernels read ---- */
static float LR = 0.1f, WDECAY = 1e-4f;
INLINE vec sgd(float *w, float *m, vec g)
{
    vec old = load(w), mm = 0.9f * load(m) + fused(WDECAY, old, g);
    store(m, mm);
    vec v = old - LR * mm;
    store(w, v);
    return v;
}
INLINE void u_make(const int C, const int O, float *u, int q, int r, int c, vec w0, vec w1, vec w2, const int at)
{ /* panel form; `at` columns into the panel */
    const int PW = O >= WIDE ? WIDE : LANES, F = O / PW * 3 * C * PW;
    float *to = u + ((q * 3 + r) * C + c) * PW + at;
    if (!WINO) {
        float *d = u + ((q * 3 + r) * 3 * C + c) * PW + at;
        store(d, w0);
        store(d + C * PW, w1);
        store(d + 2 * C * PW, w2);
        return;
    }
    vec e = (w0 + w2) * (-1.0f / 6), f = w1 * (1.0f / 6), g = fused(4, w2, w0) * (1.0f / 24), h = w1 * (1.0f / 12);
    store(to, .25f * w0);
    store(to + F, e - f);
    store(to + 2 * F, e + f);
    store(to + 3 * F, g + h);
    store(to + 4 * F, g - h);
    store(to + 5 * F, w2);
}
INLINE void update3_(const int C, const int O, int l, int buf, const int sum)
{
    const int PW = O >= WIDE ? WIDE : LANES, PWC = C >= WIDE ? WIDE : LANES, F = O / PW * 3 * C * PW;
    _Pragma("omp for schedule(static) nowait collapse(2)") for (int r = 0; r < 3;
                                                                r++) for (int qb = 0; qb < O / PW * (C / LANES); qb++)
    {
        const int q = qb / (C / LANES), b = qb % (C / LANES) * LANES;
        float tmp[3][WIDE][LANES] ALIGNED;
        for (int c = b; c < b + LANES; c++)
            for (int at = 0; at < PW; at += LANES) {
                vec g[3], w[3];
                if (sum) {
                    if (WINO) {
                        vec u[6];
                        EACH(f, 6)
                        {
                            const float *p = part[buf][0] + f * F + ((q * 3 + r) * C + c) * PW + at;
                            u[f] = load(p);
                            for (int k = 1; k < CHUNKS; k++) u[f] += load(p + k * 18 * 64 * 64);
                        }
                        vec e = (u[1] + u[2]) * (1.0f / 6), h = (u[3] + u[4]) * (1.0f / 6),
                            d = (u[2] - u[1]) * (1.0f / 6), t = (u[3] - u[4]) * (1.0f / 12);
                        g[0] = .25f * u[0] - e + .25f * h;
                        g[1] = d + t;
                        g[2] = h - e + u[5];
                    } else
                        EACH(s, 3)
                        {
                            const float *p = part[buf][0] + ((r * (O / PW) + q) * 3 * C + s * C + c) * PW + at;
                            g[s] = load(p);
                            for (int k = 1; k < CHUNKS; k++) g[s] += load(p + k * 18 * 64 * 64);
                        }
                }
                EACH(s, 3)
                {
                    const int p = ((r * 3 + s) * C + c) * O + q * PW + at;
                    w[s] = sum ? sgd(L[l].w + p, L[l].m + p, g[s]) : load(L[l].w + p);
                    for (int o = 0; o < LANES; o++) tmp[s][at + o][c - b] = w[s][o];
                }
                u_make(C, O, L[l].u, q, r, c, w[0], w[1], w[2], at);
            }
        for (int o = 0; o < PW; o++)
            u_make(O, C, L[l].ut, b / PWC, 2 - r, q * PW + o, load(tmp[2][o]), load(tmp[1][o]), load(tmp[0][o]),
                   b % PWC);
    }
}
NOINLINE void update16(int l, int buf, int sum) { update3_(16, 16, l, buf, sum); }
NOINLINE void update32(int l, int buf, int sum) { update3_(32, 32, l, buf, sum); }
NOINLINE void update64(int l, int buf, int sum) { update3_(64, 64, l, buf, sum); }
#define update3(C, O, l, buf, sum) update##C(l, buf, sum)
/* ---- 3x3 stride 2 (C -> 2C, H -> H / 2) with its 1x1 shortcut: plain contractions on the padded image ---- */
INLINE void panels2(const int C, const int O, int l, int sc, int buf, const int sum)
{ /* u: [q][tap][C][PW]; ut: [q][tap][O][PWC] */
    const int PWC = C >= WIDE ? WIDE : LANES;
    _Pragma("omp for schedule(static) nowait") for (int tap = 0; tap < 10; tap++)
    {
        const int l2 = tap == 9 ? sc : l, t = tap == 9 ? 0 : tap;
        for (int c = 0; c < C; c++)
            for (int o = 0; o < O; o += LANES) {
                const int p = (t * C + c) * O + o;
                vec w;
                if (sum) {
                    const float *s = part[buf][0] + ((o / WIDE * 10 + tap) * C + c) * WIDE + o % WIDE;
                    vec g = load(s);
                    for (int k = 1; k < CHUNKS; k++) g += load(s + k * 18 * 64 * 64);
                    w = sgd(L[l2].w + p, L[l2].m + p, g);
                } else
                    w = load(L[l2].w + p);
                store(L[l].u + ((o / WIDE * 10 + tap) * C + c) * WIDE + o % WIDE, w);
                for (int z = 0; z < LANES; z++) L[l].ut[((c / PWC * 10 + tap) * O + o + z) * PWC + c % PWC] = w[z];
            }
    }
}
INLINE void conv_s2(const int C, const int O, const int H, const float *P, int l, const hook *k, const hook *ks)
{ /* H: output size */
    const int W2 = 2 * H + 2;
    sums_zero(FWD, k, O);
    sums_zero(FWD, ks, O);
    for (int q = 0; q < O / WIDE; q++)
        for (int h = 0; h < H; h++)
            for (int i = 0; i < H; i += PX)
                for (int sc = 0; sc < 2; sc++) {
                    vec s[8][2];
                    EACH(p, PX) EACH(c, 2) s[p][c] = (vec){ 0 };
                    const hook *kk = sc ? ks : k;
                    if (sc)
                        contract(PX, 2, C, P + ((2 * h + 1) * W2 + 2 * i + 1) * C, 2 * C, 1,
                                 L[l].u + (q * 10 + 9) * C * WIDE, WIDE, s);
                    else
                        for (int r = 0; r < 3; r++)
                            contract(PX, 2, 3 * C, P + ((2 * h + r) * W2 + 2 * i) * C, 2 * C, 1,
                                     L[l].u + (q * 10 + r * 3) * C * WIDE, WIDE, s);
                    EACH(c, 2)
                    {
                        const int o = q * WIDE + c * LANES;
                        vec S, Q, Q2, shift;
                        sums_in(FWD, kk, o, &S, &Q, &Q2, &shift);
                        if (h == 0 && i == 0) store(&kk->st[0][o], shift = s[0][c]);
                        EACH(p, PX) finish(FWD, kk, (h * H + i + p) * O + o, o, s[p][c], &S, &Q, &Q2, shift);
                        sums_out(FWD, kk, o, S, Q, Q2);
                    }
                }
}
INLINE void dgrad_s2(const int C, const int O, const int H, const float *D, const float *Ds, int l, const hook *k)
{ /* D: dy in a padded (H+2)^2 image, Ds: dys, flat; four residue classes */
    const int COLS = C >= WIDE ? 2 : 1, PW = COLS * LANES, R = PX;
    sums_zero(BWD_JOIN, k, C);
    for (int q = 0; q < C / PW; q++) {
        const float *u = L[l].ut + q * 10 * O * PW;
        for (int h = 0; h < H; h++)
            for (int i = 0; i < H; i += R)
                for (int z = 0; z < 4; z++) {
                    const int odd = z / 2, odw = z % 2;
                    vec s[16][2];
                    EACH(p, R) EACH(c, 2) s[p][c] = (vec){ 0 };
                    for (int r = odd ? 0 : 1; r < 3; r += odd ? 2 : 3)
                        for (int t = odw ? 0 : 1; t < 3;
                             t += odw ? 2 : 3) /* odd rows meet taps 0 (from the next dy) and 2 */
                            contract(R, COLS, O, D + ((h + 1 + (r == 0)) * (H + 2) + i + 1 + (t == 0)) * O, O, 1,
                                     u + (r * 3 + t) * O * PW, PW, s);
                    if (z == 0) contract(R, COLS, O, Ds + (h * H + i) * O, O, 1, u + 9 * O * PW, PW, s);
                    EACH(c, 2) if (c < COLS)
                    {
                        const int o = q * PW + c * LANES;
                        vec S, Q, Q2, shift;
                        sums_in(BWD_JOIN, k, o, &S, &Q, &Q2, &shift);
                        EACH(p, R)
                        finish(BWD_JOIN, k, ((2 * h + odd) * 2 * H + 2 * (i + p) + odw) * C + o, o, s[p][c], &S, &Q,
                               &Q2, shift);
                        sums_out(BWD_JOIN, k, o, S, Q, Q2);
                    }
                }
    }
}
INLINE void wgrad_s2(const int C, const int O, const int H, const float *P, const float *D, const float *Ds, float *g,
                     int first)
{ /* D padded, Ds flat */
    const int W2 = 2 * H + 2;
    for (int q = 0; q < O / WIDE; q++)
        for (int tap = 0; tap < 10; tap++)
            for (int b = 0; b < C; b += PX) {
                vec s[8][2];
                float *to = g + ((q * 10 + tap) * C + b) * WIDE;
                const int r = tap == 9 ? 1 : tap / 3, t = tap == 9 ? 1 : tap % 3;
                EACH(i, PX) EACH(c, 2) s[i][c] = (vec){ 0 };
                if (!first) EACH(i, PX) EACH(c, 2) s[i][c] = load(to + i * WIDE + c * LANES);
                for (int h = 0; h < H; h++)
                    contract(PX, 2, H, P + ((2 * h + r) * W2 + t) * C + b, 1, 2 * C,
                             tap == 9 ? Ds + h * H * O + q * WIDE : D + ((h + 1) * (H + 2) + 1) * O + q * WIDE, O, s);
                EACH(i, PX) EACH(c, 2) store(to + i * WIDE + c * LANES, s[i][c]);
            }
}
