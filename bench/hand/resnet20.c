/* resnet20.c: a whole training step of ResNet-20 on CIFAR's shape by hand: a batch of 32, channels last, SGD with momentum
 * 0.9 and weight decay 1e-4.
 *
 *     -DWINO=1 (default)     every 3x3 convolution of stride 1, and its gradients, by 1-D Winograd F(4,3) along the row
 *     -DWINO=0               directly
 *
 * One phase a convolution, one barrier a phase: batch normalisation needs the whole batch between two convolutions,
 * nothing else does. The map before a convolution (normalisation, relu, residual sum; backward its gradient) runs row by
 * row as the convolution loads its input; the statistics are the epilogue of the convolution that makes them.
 * SPDX-License-Identifier: MIT */
#include "resnet20_conv.h"

/* ---- phases ---- */
#define CNT(H) ((float)((H) * (H)))
#define AT(l, n, H, O) (L[l].y + (n) * (H) * (H) * (O))
#define SC(f, z) (H == 32 ? s->f##1 : H == 16 ? s->f##2 z : s->f##3 z)
enum { FP = LANES == 8 ? 4 : 16 };
static void first_forward(void)
{
    _Pragma("omp for schedule(static)") for (int n = 0; n < N; n++)
    {
        hook k = { .to = AT(0, n, 32, 16), .st = L[0].st[n] };
        sums_zero(FWD, &k, 16);
        for (int h = 0; h < 32; h++)
            for (int i = 0; i < 32; i += FP) {
                vec s[FP][2];
                EACH(p, FP) EACH(c, 2) s[p][c] = (vec){ 0 };
                for (int r = 0; r < 3; r++)
                    contract(FP, 16 / LANES, 9, &x0[n][h + r][i][0], 3, 1, L[0].w + r * 9 * 16, 16, s);
                EACH(c, 16 / LANES)
                {
                    const int o = c * LANES;
                    vec S, Q, Q2, shift;
                    sums_in(FWD, &k, o, &S, &Q, &Q2, &shift);
                    if (h == 0 && i == 0) store(&k.st[0][o], shift = s[0][c]);
                    EACH(p, FP) finish(FWD, &k, (h * 32 + i + p) * 16 + o, o, s[p][c], &S, &Q, &Q2, shift);
                    sums_out(FWD, &k, o, S, Q, Q2);
                }
            }
    }
}
/* conv l from a map of kind `kind`; prev: the layer whose y is mapped; xi: the block input (ENTER, JOIN: written) */
INLINE void forward_(const int kind, const int C, const int H, int l, int prev, int pl2, const float *skip, float *xo)
{
    const coef *k1 = &co[ME][prev], *k2 = &co[ME][pl2];
    bn_forward(prev, C, CNT(H));
    if (kind == JOIN2) bn_forward(pl2, C, CNT(H));
    _Pragma("omp for schedule(static)") for (int n = 0; n < N; n++)
    {
        scratch_t *s = &scratch[ME];
        const int I = n * H * H * C;
        float *row = SC(row, ), *V = SC(vd, ), *P = SC(p, );
        for (int h = 0; h < H; h++) {
            float *to = WINO ? row : P + (h + 1) * (H + 2) * C;
            const int R = h * H * C;
            fill(kind, C, H, to, k1, AT(prev, n, H, C) + R, kind == JOIN2 ? AT(pl2, n, H, C) + R : skip + I + R, k2,
                 xo + I + R);
            if (WINO) v_row(C, H, h, to, V);
        }
        hook k = { .to = AT(l, n, H, C), .st = L[l].st[n] };
        conv3(FWD, C, C, H, WINO ? V : P, L[l].u, s->m, &k);
    }
}
INLINE void forward_s2(const int C, const int H, int l, int sc, int prev, const float *skip, float *xo)
{ /* H: input size */
    bn_forward(prev, C, CNT(H));
    const coef *k1 = &co[ME][prev];
    _Pragma("omp for schedule(static)") for (int n = 0; n < N; n++)
    {
        scratch_t *s = &scratch[ME];
        const int I = n * H * H * C;
        float *P = SC(p, );
        for (int h = 0; h < H; h++) {
            const int R = h * H * C;
            fill(JOIN, C, H, P + (h + 1) * (H + 2) * C, k1, AT(prev, n, H, C) + R, skip + I + R, k1, xo + I + R);
        }
        hook k = { .to = AT(l, n, H / 2, 2 * C), .st = L[l].st[n] },
             ks = { .to = AT(sc, n, H / 2, 2 * C), .st = L[sc].st[n] };
        conv_s2(C, 2 * C, H / 2, P, l, &k, &ks);
    }
}
static void head(void)
{ /* last join, pool, dense, softmax, gradients down to the last block's dz, its statistics */
    bn_forward(18, 64, 64);
    const coef *k = &co[ME][18];
    _Pragma("omp for schedule(static)") for (int n = 0; n < N; n++)
    {
        float row[10 * 64] = { 0 }, z[CL], e[CL], top = -1e30f, sum = 0;
        vec p[64 / LANES] = { { 0 } };
        float *x = xb[9] + n * 4096, *d = dza + n * 4096;
        for (int h = 0; h < 8; h++) {
            fill(JOIN, 64, 8, row, k, AT(18, n, 8, 64) + h * 512, xb[8] + n * 4096 + h * 512, k, x + h * 512);
            for (int i = 0; i < 8; i++) EACH(c, 64 / LANES) p[c] += load(row + (i + 1) * 64 + c * LANES);
        }
        EACH(c, 64 / LANES) store(pooled[n] + c * LANES, p[c] * (1.0f / 64));
        for (int o = 0; o < CL; o++) {
            float v = bd[o];
            for (int c = 0; c < 64; c++) v += pooled[n][c] * wd[o][c];
            z[o] = v;
            if (v > top) top = v;
        }
        for (int o = 0; o < CL; o++) sum += e[o] = expf(z[o] - top);
        loss[n] = logf(sum) + top - z[lab[n]];
        for (int o = 0; o < CL; o++) dz[n][o] = (e[o] / sum - (o == lab[n])) * (1.0f / N);
        for (int c = 0; c < 64; c += LANES) {
            vec g = { 0 }, S = { 0 }, Q = { 0 };
            for (int o = 0; o < CL; o++) g = fused(dz[n][o], load(&wd[o][c]), g);
            g *= 1.0f / 64;
            vec mean = load(k->mean + c);
            for (int i = 0; i < 64; i++) {
                vec v = where(load(x + i * 64 + c) > 0, g);
                store(d + i * 64 + c, v);
                S += v;
                Q = fma3(v, load(AT(18, n, 8, 64) + i * 64 + c) - mean, Q);
            }
            store(&L[18].bs[n][0][c], S);
            store(&L[18].bs[n][1][c], Q);
        }
    }
}
/* backward of conv l (C -> C, H): dz is the gradient after l's batchnorm; the input of l is relu(bn(y of prev)) [RELU] or a block's input xi [JOIN] */
INLINE void backward_(const int kind, const int C, const int H, const int G, int l, int prev, int pl2, const float *dz_,
                      const float *xi, const float *skip, float *to, int buf)
{
    bn_backward(l, C, CNT(H), L[l].bs);
    const coef *kl = &co[ME][l], *kp = &co[ME][prev];
    _Pragma("omp for schedule(static)") for (int ch = 0; ch < CHUNKS; ch++)
    {
        scratch_t *s = &scratch[ME];
        float *row = SC(row, ), *VD = SC(vd, ), *P = SC(p, ), *VX = SC(vx, [0]), *Q = SC(q, [0]), *DD = SC(dd, [0]),
              *D = SC(d, [0]);
        for (int g = 0; g < IPC; g += G) {
            for (int j = 0; j < G; j++) {
                const int n = ch * IPC + g + j, I = n * H * H * C;
                for (int h = 0; h < H; h++) {
                    float *r = WINO ? row : P + (h + 1) * (H + 2) * C;
                    const int R = I + h * H * C;
                    fill(DBN, C, H, r, kl, dz_ + R, L[l].y + R, kl, 0);
                    if (WINO) {
                        v_row(C, H, h, r, VD);
                        d_row(C, H, h, r, DD + j * 6 * (H / 4) * H * C);
                    } else
                        memcpy(D + (j * H + h) * H * C, r + C, H * C * 4);
                }
                for (int h = 0; h < H; h++) {
                    float *r = WINO ? row : Q + (j * (H + 2) + h + 1) * (H + 2) * C;
                    const int R = I + h * H * C;
                    if (kind == BWD_RELU)
                        fill(RELU, C, H, r, kp, L[prev].y + R, 0, kp, 0);
                    else
                        fill(COPY, C, H, r, kp, xi + R, 0, kp, 0);
                    if (WINO) v_row(C, H, h, r, VX + j * 6 * (H / 4) * (H + 2) * C);
                }
                hook k = { .to = to + I,
                           .skip = skip ? skip + I : 0,
                           .y = L[prev].y + I,
                           .y2 = kind == BWD_JOIN2 ? L[pl2].y + I : 0,
                           .x = xi + I,
                           .k = kp,
                           .k2 = &co[ME][pl2],
                           .st = L[prev].bs[n],
                           .bs2 = L[pl2].bs[n] };
                conv3(kind, C, C, H, WINO ? VD : P, L[l].ut, s->m, &k);
            }
            wgrad3(C, C, H, G, WINO ? VX : Q, WINO ? DD : D, part[buf][ch], g == 0);
        }
    }
}
INLINE void backward_s2(const int C, const int H, int l, int sc, int prev, const float *dz1, const float *dzs,
                        const float *xi, float *to, int buf)
{ /* H: output size */
    const int O = 2 * C;
    bn_backward(l, O, CNT(H), L[l].bs);
    bn_backward(sc, O, CNT(H), L[sc].bs);
    const coef *kl = &co[ME][l], *ks = &co[ME][sc], *kp = &co[ME][prev];
    _Pragma("omp for schedule(static)") for (int ch = 0; ch < CHUNKS; ch++)
    {
        scratch_t *s = &scratch[ME];
        float *D = H == 16 ? s->p2 : s->p3, *Q = H == 16 ? s->q1 : s->q2[0], *Ds = s->m;
        for (int j = 0; j < IPC; j++) {
            const int n = ch * IPC + j, I = n * H * H * O, J = n * 4 * H * H * C;
            for (int h = 0; h < H; h++) {
                const int R = I + h * H * O;
                fill(DBN, O, H, D + (h + 1) * (H + 2) * O, kl, dz1 + R, L[l].y + R, kl, 0);
                fill(DBN, O, H, Ds + (h * H - 1) * O + O, ks, dzs + R, L[sc].y + R, ks, 0);
            }
            for (int h = 0; h < 2 * H; h++)
                fill(COPY, C, 2 * H, Q + (h + 1) * (2 * H + 2) * C, kp, xi + J + h * 2 * H * C, 0, kp, 0);
            hook k = { .to = to + J, .y = L[prev].y + J, .x = xi + J, .k = kp, .st = L[prev].bs[n] };
            dgrad_s2(C, O, H, D, Ds + O, l, &k);
            wgrad_s2(C, O, H, Q, D, Ds + O, part[buf][ch], j == 0);
        }
    }
}
/* one function a shape, not a layer */
#define FORWARD(kind, C, H)                                                                                            \
    NOINLINE void forward_##kind##C(int l, int prev, int pl2, const float *skip, float *xo)                            \
    {                                                                                                                  \
        forward_(kind, C, H, l, prev, pl2, skip, xo);                                                                  \
    }
#define BACKWARD(kind, C, H)                                                                                           \
    NOINLINE void backward_##kind##C(int l, int prev, int pl2, const float *dz_, const float *xi, const float *skip,   \
                                     float *to, int buf)                                                               \
    {                                                                                                                  \
        backward_(kind, C, H, C / 16, l, prev, pl2, dz_, xi, skip, to, buf);                                           \
    }
FORWARD(ENTER, 16, 32)
FORWARD(RELU, 16, 32) FORWARD(JOIN, 16, 32) FORWARD(RELU, 32, 16) FORWARD(JOIN, 32, 16) FORWARD(JOIN2, 32, 16)
    FORWARD(RELU, 64, 8) FORWARD(JOIN, 64, 8) FORWARD(JOIN2, 64, 8) BACKWARD(BWD_RELU, 16, 32)
        BACKWARD(BWD_JOIN, 16, 32) BACKWARD(BWD_RELU, 32, 16) BACKWARD(BWD_JOIN, 32, 16) BACKWARD(BWD_JOIN2, 32, 16)
            BACKWARD(BWD_RELU, 64, 8) BACKWARD(BWD_JOIN, 64, 8) BACKWARD(BWD_JOIN2, 64, 8)
#define forward(kind, C, H, ...) forward_##kind##C(__VA_ARGS__)
#define backward(kind, C, H, G, ...) backward_##kind##C(__VA_ARGS__)
                static float gpart0[CHUNKS][27 * 16] ALIGNED;
static void first_backward(void)
{
    bn_backward(0, 16, 1024, L[0].bs);
    const coef *k = &co[ME][0];
    _Pragma("omp for schedule(static)") for (int ch = 0; ch < CHUNKS; ch++)
    {
        float *to = gpart0[ch];
        memset(to, 0, sizeof gpart0[0]);
        for (int n = ch * IPC; n < (ch + 1) * IPC; n++)
            for (int h = 0; h < 32; h++) {
                float row[34 * 16] ALIGNED;
                const int R = (n * 32 + h) * 512;
                fill(DBN, 16, 32, row, k, dza + R, L[0].y + R, k, 0);
                for (int r = 0; r < 3; r++)
                    for (int o = 0; o < 16; o += LANES) {
                        vec s[9];
                        EACH(q, 9) s[q] = load(to + (r * 9 + q) * 16 + o);
                        for (int i = 0; i < 32; i++) {
                            const vec d = load(row + (i + 1) * 16 + o);
                            EACH(q, 9) s[q] = fma3(spread((&x0[n][h + r][i][0])[q]), d, s[q]);
                        }
                        EACH(q, 9) store(to + (r * 9 + q) * 16 + o, s[q]);
                    }
            }
    }
}
static void small_updates(void)
{
    for (int l = 0; l < NL; l++)
        for (int c = 0; c < cout[l]; c += LANES) {
            sgd(L[l].gam + c, L[l].mg + c, load(L[l].dg + c));
            sgd(L[l].bet + c, L[l].mb + c, load(L[l].db + c));
        }
    for (int i = 0; i < 27 * 16; i += LANES) {
        vec g = { 0 };
        for (int k = 0; k < CHUNKS; k++) g += load(gpart0[k] + i);
        sgd(L[0].w + i, L[0].m + i, g);
    }
    for (int o = 0; o < CL; o++) {
        for (int c = 0; c < 64; c += LANES) {
            vec g = { 0 };
            for (int n = 0; n < N; n++) g = fused(dz[n][o], load(pooled[n] + c), g);
            sgd(wd[o] + c, mwd[o] + c, g);
        }
    }
    for (int o = 0; o < CL; o++) {
        float g = 0;
        for (int n = 0; n < N; n++) g += dz[n][o];
        mbd[o] = .9f * mbd[o] + g + WDECAY * bd[o];
        bd[o] -= LR * mbd[o];
    }
    float s = 0;
    for (int n = 0; n < N; n++) s += loss[n];
    mean_loss = s / N;
}
static void forms(void)
{
    for (int l = 1; l <= 6; l++) update3(16, 16, l, 0, 0);
    for (int l = 8; l <= 12; l++) update3(32, 32, l, 0, 0);
    for (int l = 14; l <= 18; l++) update3(64, 64, l, 0, 0);
    panels2(16, 32, 7, 19, 0, 0);
    panels2(32, 64, 13, 20, 0, 0);
}
static void step(void)
{
    _Pragma("omp parallel")
    {
        first_forward();
        forward(ENTER, 16, 32, 1, 0, 0, xb[0], xb[0]);
        forward(RELU, 16, 32, 2, 1, 0, 0, 0);
        forward(JOIN, 16, 32, 3, 2, 0, xb[0], xb[1]);
        forward(RELU, 16, 32, 4, 3, 0, 0, 0);
        forward(JOIN, 16, 32, 5, 4, 0, xb[1], xb[2]);
        forward(RELU, 16, 32, 6, 5, 0, 0, 0);
        forward_s2(16, 32, 7, 19, 6, xb[2], xb[3]);
        forward(RELU, 32, 16, 8, 7, 0, 0, 0);
        forward(JOIN2, 32, 16, 9, 8, 19, 0, xb[4]);
        forward(RELU, 32, 16, 10, 9, 0, 0, 0);
        forward(JOIN, 32, 16, 11, 10, 0, xb[4], xb[5]);
        forward(RELU, 32, 16, 12, 11, 0, 0, 0);
        forward_s2(32, 16, 13, 20, 12, xb[5], xb[6]);
        forward(RELU, 64, 8, 14, 13, 0, 0, 0);
        forward(JOIN2, 64, 8, 15, 14, 20, 0, xb[7]);
        forward(RELU, 64, 8, 16, 15, 0, 0, 0);
        forward(JOIN, 64, 8, 17, 16, 0, xb[7], xb[8]);
        forward(RELU, 64, 8, 18, 17, 0, 0, 0);
        head();
        backward(BWD_RELU, 64, 8, 4, 18, 17, 0, dza, 0, 0, dzb, 0);
        update3(64, 64, 18, 0, 1);
        backward(BWD_JOIN, 64, 8, 4, 17, 16, 0, dzb, xb[8], dza, dza, 1);
        update3(64, 64, 17, 1, 1);
        backward(BWD_RELU, 64, 8, 4, 16, 15, 0, dza, 0, 0, dzb, 0);
        update3(64, 64, 16, 0, 1);
        backward(BWD_JOIN2, 64, 8, 4, 15, 14, 20, dzb, xb[7], dza, dza, 1);
        update3(64, 64, 15, 1, 1);
        backward(BWD_RELU, 64, 8, 4, 14, 13, 0, dza, 0, 0, dzb, 0);
        update3(64, 64, 14, 0, 1);
        backward_s2(32, 8, 13, 20, 12, dzb, dza, xb[6], dzc, 1);
        panels2(32, 64, 13, 20, 1, 1);
        backward(BWD_RELU, 32, 16, 2, 12, 11, 0, dzc, 0, 0, dzb, 0);
        update3(32, 32, 12, 0, 1);
        backward(BWD_JOIN, 32, 16, 2, 11, 10, 0, dzb, xb[5], dzc, dzc, 1);
        update3(32, 32, 11, 1, 1);
        backward(BWD_RELU, 32, 16, 2, 10, 9, 0, dzc, 0, 0, dzb, 0);
        update3(32, 32, 10, 0, 1);
        backward(BWD_JOIN2, 32, 16, 2, 9, 8, 19, dzb, xb[4], dzc, dzc, 1);
        update3(32, 32, 9, 1, 1);
        backward(BWD_RELU, 32, 16, 2, 8, 7, 0, dzc, 0, 0, dzb, 0);
        update3(32, 32, 8, 0, 1);
        backward_s2(16, 16, 7, 19, 6, dzb, dzc, xb[3], dza, 1);
        panels2(16, 32, 7, 19, 1, 1);
        backward(BWD_RELU, 16, 32, 1, 6, 5, 0, dza, 0, 0, dzb, 0);
        update3(16, 16, 6, 0, 1);
        backward(BWD_JOIN, 16, 32, 1, 5, 4, 0, dzb, xb[2], dza, dza, 1);
        update3(16, 16, 5, 1, 1);
        backward(BWD_RELU, 16, 32, 1, 4, 3, 0, dza, 0, 0, dzb, 0);
        update3(16, 16, 4, 0, 1);
        backward(BWD_JOIN, 16, 32, 1, 3, 2, 0, dzb, xb[1], dza, dza, 1);
        update3(16, 16, 3, 1, 1);
        backward(BWD_RELU, 16, 32, 1, 2, 1, 0, dza, 0, 0, dzb, 0);
        update3(16, 16, 2, 0, 1);
        backward(BWD_JOIN, 16, 32, 1, 1, 0, 0, dzb, xb[0], dza, dza, 1);
        update3(16, 16, 1, 1, 1);
        first_backward();
        if (ME == 0) small_updates();
    }
}
static uint64_t hash(void)
{
    uint64_t h = 0;
    for (int l = 0; l < NL; l++) h = hash_of(L[l].w, sizeof L[l].w, h);
    return h;
}
int main(int argc, char **argv)
{
    float *p = ypool;
    for (int l = 0; l < NL; l++) {
        L[l].y = p;
        p += N * (l == 0 || l < 7 ? Y1 : l < 13 || l == 19 ? Y1 / 2 : Y1 / 4);
    }
    p = xpool;
    for (int b = 0; b < 10; b++) {
        xb[b] = p;
        p += N * (b < 4 ? Y1 : b < 7 ? Y1 / 2 : Y1 / 4);
    }
    for (int l = 0; l < NL; l++) {
        fill_random(L[l].w, (size_t)(TAPS(l) * cin[l] * cout[l]), 2 * sqrtf(6.0f / (float)(TAPS(l) * cin[l])));
        for (int c = 0; c < cout[l]; c++) L[l].gam[c] = L[l].rv[c] = 1;
    }
    fill_random(wd[0], 640, 0.25f);
    for (int n = 0; n < N; n++) {
        for (int h = 0; h < 32; h++)
            for (int i = 0; i < 32; i++)
                for (int c = 0; c < 3; c++) x0[n][h + 1][i + 1][c] = uniform();
        lab[n] = (int)(uniform() * 10);
    }
    _Pragma("omp parallel") forms();
    return time_steps(argc, argv, step, hash, &mean_loss);
}
