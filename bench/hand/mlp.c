/* mlp.c: a whole training step of a dense network by hand: IN-HIDDEN-10, relu, softmax, cross-entropy.
 *
 *     -DHIDDEN=512 -DBATCH=128 -DSEED=1    the seed: dropout and RMSprop        (b64, b1: -DHIDDEN=128, SGD)
 *
 * Weights of the first layer and the gradient that meets x lie in panels as wide as a tile, so nothing is packed; the
 * optimizer is the epilogue of the weight gradient; the head (logits, softmax, gradients) runs by strips of rows.
 * SPDX-License-Identifier: MIT */
#include "step.h"

#ifndef HIDDEN
#define HIDDEN 512
#endif
#ifndef BATCH
#define BATCH 128
#endif
#ifndef SEED
#define SEED 0
#endif
enum { IN = 784, CLASSES = 10, PADDED = 16 };
static struct {
    float w1[IN * HIDDEN] ALIGNED, v1[IN * HIDDEN] ALIGNED, b1[HIDDEN] ALIGNED, vb1[HIDDEN] ALIGNED;
    float w2[CLASSES * HIDDEN] ALIGNED, v2[CLASSES * HIDDEN] ALIGNED, b2[PADDED] ALIGNED, vb2[PADDED] ALIGNED;
    float x[BATCH * IN] ALIGNED, h[BATCH * HIDDEN] ALIGNED, g[BATCH * HIDDEN] ALIGNED, dz[BATCH * PADDED] ALIGNED;
    float w2_turned[HIDDEN * PADDED] ALIGNED, loss[BATCH] ALIGNED;
    int32_t label[BATCH] ALIGNED;
    float mean_loss;
    uint32_t steps;
} m ALIGNED;
static const float lr = SEED ? 1e-3f : 1e-2f;
static const uint32_t drop_below = (uint32_t)(0.2 * 4294967296.0);
#define W1(k, j) ((((j) / WIDE) * IN + (k)) * WIDE + (j) % WIDE)
#define G(i, j) ((((j) / WIDE) * BATCH + (i)) * WIDE + (j) % WIDE)

/* h = dropout(relu(x w1 + b1)) */
INLINE void forward_tile(const int rows, int i, int j, uint32_t key)
{
    vec s[ROWS][2];
    EACH(r, ROWS) EACH(c, 2) s[r][c] = (vec){ 0 };
    contract(rows, 2, IN, m.x + i * IN, IN, 1, m.w1 + W1(0, j), WIDE, s);
    EACH(r, ROWS) if (r < rows) EACH(c, 2)
    {
        vec v = s[r][c] + load(m.b1 + j + c * LANES);
        mask keep = v > 0;
        if (SEED) {
            keep &= (mask)(random_bits((uint32_t)((i + r) * HIDDEN + j + c * LANES), key) >= drop_below);
            v *= 1.25f;
        }
        store(m.h + (i + r) * HIDDEN + j + c * LANES, where(keep, v));
    }
}
static void forward(void)
{
    const uint32_t key = m.steps * 0x85ebca6bu + 77;
    SHARED for (int j = 0; j < HIDDEN; j += WIDE)
    {
        for (int s = 0; s < STRIPS(BATCH); s++) STRIP(s, BATCH, forward_tile, j, key);
        for (int k = j; k < j + WIDE; k++)
            for (int c = 0; c < CLASSES; c++) m.w2_turned[k * PADDED + c] = m.w2[c * HIDDEN + k];
    }
}

/* one row: softmax of z, its loss; z becomes dz */
INLINE void softmax_row(float *z, int label, float *loss)
{
    float e[PADDED] ALIGNED, top = z[0], sum = 0;
    for (int c = 1; c < CLASSES; c++) top = z[c] > top ? z[c] : top;
    for (int c = 0; c < PADDED; c += LANES) store(e + c, exponential(load(z + c) - top));
    for (int c = 0; c < CLASSES; c++) sum += e[c];
    *loss = logf(sum) + top - z[label];
    for (int c = 0; c < CLASSES; c++) z[c] = e[c] * (1.0f / sum * (1.0f / BATCH));
    z[label] -= 1.0f / BATCH;
}
/* z = h w2 + b2, softmax, dz; then g = (dz w2^T) where h > 0: all for one strip of rows */
INLINE void head_tile(const int rows, int i, int unused)
{
    (void)unused;
    vec s[ROWS][2];
    EACH(r, ROWS) EACH(c, 2) s[r][c] = (vec){ 0 };
    contract(rows, PADDED / LANES, HIDDEN, m.h + i * HIDDEN, HIDDEN, 1, m.w2_turned, PADDED, s);
    EACH(r, ROWS) if (r < rows) EACH(c, PADDED / LANES)
        store(m.dz + (i + r) * PADDED + c * LANES, s[r][c] + load(m.b2 + c * LANES));
    for (int r = 0; r < rows; r++) softmax_row(m.dz + (i + r) * PADDED, m.label[i + r], &m.loss[i + r]);
    for (int j = 0; j < HIDDEN; j += WIDE) {
        vec g[ROWS][2];
        EACH(r, ROWS) EACH(c, 2) g[r][c] = (vec){ 0 };
        contract(rows, 2, CLASSES, m.dz + i * PADDED, PADDED, 1, m.w2 + j, HIDDEN, g);
        EACH(r, ROWS) if (r < rows) EACH(c, 2)
        {
            const mask on = load(m.h + (i + r) * HIDDEN + j + c * LANES) > 0;
            store(m.g + G(i + r, j) + c * LANES, where(on, SEED ? g[r][c] * 1.25f : g[r][c]));
        }
    }
}
static void head(void)
{
    SHARED for (int s = 0; s < STRIPS(BATCH); s++) STRIP(s, BATCH, head_tile, 0);
}

INLINE void update(float *w, float *v, vec g)
{
    if (SEED) {
        const vec a = fused(0.9f, load(v), 0.1f * (g * g));
        store(v, a);
        store(w, load(w) - lr * g / root(a + 1e-7f));
    } else {
        store(w, load(w) - lr * g);
    }
}
INLINE void weight1_tile(const int rows, int i, int j)
{
    vec s[ROWS][2];
    EACH(r, ROWS) EACH(c, 2) s[r][c] = (vec){ 0 };
    EACH(r, ROWS) if (r < rows) EACH(c, 2) if (c * LANES % 16 == 0)
    {
        __builtin_prefetch(m.w1 + W1(i + r, j) + c * LANES, 1);
        if (SEED) __builtin_prefetch(m.v1 + W1(i + r, j) + c * LANES, 1);
    }
    contract(rows, 2, BATCH, m.x + i, 1, IN, m.g + G(0, j), WIDE, s);
    EACH(r, ROWS) if (r < rows) EACH(c, 2)
        update(m.w1 + W1(i + r, j) + c * LANES, m.v1 + W1(i + r, j) + c * LANES, s[r][c]);
}
INLINE void weight2_tile(const int rows, int i, int j)
{
    vec s[ROWS][2];
    EACH(r, ROWS) EACH(c, 2) s[r][c] = (vec){ 0 };
    contract(rows, 2, BATCH, m.dz + i, 1, PADDED, m.h + j, HIDDEN, s);
    EACH(r, ROWS) if (r < rows) EACH(c, 2)
        update(m.w2 + (i + r) * HIDDEN + j + c * LANES, m.v2 + (i + r) * HIDDEN + j + c * LANES, s[r][c]);
}
static void weights(void)
{
    SHARED_ON for (int j = 0; j < HIDDEN; j += WIDE)
    {
        vec s[2] = { { 0 }, { 0 } };
        for (int q = 0; q < STRIPS(CLASSES); q++) STRIP(q, CLASSES, weight2_tile, j);
        for (int i = 0; i < BATCH; i++) EACH(c, 2) s[c] += load(m.g + G(i, j) + c * LANES);
        EACH(c, 2) update(m.b1 + j + c * LANES, m.vb1 + j + c * LANES, s[c]);
        if (j > 0) continue;
        float sum = 0;
        vec d[2] = { { 0 }, { 0 } };
        for (int i = 0; i < BATCH; i++) {
            sum += m.loss[i];
            EACH(c, PADDED / LANES) d[c] += load(m.dz + i * PADDED + c * LANES);
        }
        m.mean_loss = sum / BATCH;
        EACH(c, PADDED / LANES) update(m.b2 + c * LANES, m.vb2 + c * LANES, d[c]);
    }
    SHARED for (int j = 0; j < HIDDEN; j += WIDE)
        for (int s = 0; s < STRIPS(IN); s++) STRIP(s, IN, weight1_tile, j);
}
static void step(void)
{
    _Pragma("omp parallel")
    {
        forward();
        head();
        weights();
    }
    m.steps++;
}

static uint64_t hash(void)
{
    return hash_of(m.b1, sizeof m.b1, hash_of(m.w2, sizeof m.w2, hash_of(m.w1, sizeof m.w1, 0)));
}
int main(int argc, char **argv)
{
    fill_random(m.w1, IN * HIDDEN, 0.1f);
    fill_random(m.b1, HIDDEN, 0.1f);
    fill_random(m.w2, CLASSES * HIDDEN, 0.1f);
    for (int i = 0; i < BATCH * IN; i++) m.x[i] = uniform();
    for (int i = 0; i < BATCH; i++) m.label[i] = (int)(uniform() * 10);
    return time_steps(argc, argv, step, hash, &m.mean_loss);
}
