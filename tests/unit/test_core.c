/* test_core.c: the core's numbers by themselves: functions against libm in double, special values, vector lanes against
 * the scalar form, the fused multiply-add against fmaf, random numbers, sums over rows. */
#include "core/rng.h"
#include "core/vec.h"
#include "core/wide.h"
#include "core/dln_math.h"
#include "core/random.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SAMPLES = 2000000 };

static uint32_t float_bits(float x) { uint32_t u; memcpy(&u, &x, 4); return u; }
static float bits_float(uint32_t u) { float x; memcpy(&x, &u, 4); return x; }
static bool same_bits(float a, float b) { return float_bits(a) == float_bits(b) || (a != a && b != b); }

/* The distance of got from want in units of want's last place as a float. */
static double ulps(float got, double want)
{
    if (isnan(want)) return isnan(got) ? 0 : INFINITY;
    float nearest = (float)want;
    if (isinf(nearest) || isinf(got)) return same_bits(got, nearest) ? 0 : INFINITY;
    int e;
    frexp(want, &e);
    return fabs((double)got - want) / ldexp(1, (e < -125 ? -125 : e) - 24);
}

/* Half of the samples are any bits at all, half lie in low .. high. */
static float sample(uint32_t k, double low, double high)
{
    uint32_t u = dln_bits(7, k);
    return k & 1 ? bits_float(u) : (float)(low + (high - low) * dln_uniform(u));
}

typedef struct Known {
    const char *name;
    vec (*of_vec)(vec);
    float (*of_one)(float);
    double (*wide)(double), (*exact)(double);
    double low, high, bound, wide_bound;         /* ulps of float; relative error of the double form */
} Known;

#define PAIR(f) static vec f##_vec(vec x) { return dln_##f(x); } \
    static float f##_one(float x) { return dln_##f##1(x); } \
    static double f##_wide(double x) { return wide_##f(x); }
PAIR(exp) PAIR(log) PAIR(log1p) PAIR(expm1) PAIR(tanh) PAIR(erf) PAIR(sin) PAIR(cos) PAIR(probit)
#define ROW(f, exact, low, high, bound, wide_bound) { #f, f##_vec, f##_one, f##_wide, exact, low, high, bound, wide_bound }
static const Known known[] = {
    ROW(exp, exp, -90, 90, 1, 4e-16),   ROW(log, log, 0.3, 3, 1, 4e-16),   ROW(log1p, log1p, -0.9, 2, 3, 8e-16),
    ROW(expm1, expm1, -3, 3, 2, 8e-16), ROW(tanh, tanh, -2, 2, 3, 1e-15),  ROW(erf, erf, -3, 3, 2, 3e-15),
    ROW(sin, sin, -100, 100, 2, 1e-15), ROW(cos, cos, -100, 100, 2, 1e-15),
    ROW(probit, probit_wide, 0, 1, 6, 0),
};
enum { KNOWN = sizeof known / sizeof *known };

Test(core, functions_are_within_their_bounds)
{
    for (int f = 0; f < KNOWN; f++) {
        double worst = 0;
        float where = 0;
        for (uint32_t k = 0; k < SAMPLES; k++) {
            float x = sample(k, known[f].low, known[f].high);
            double error = ulps(known[f].of_one(x), known[f].exact((double)x));
            if (error > worst) { worst = error; where = x; }
        }
        cr_expect(worst <= known[f].bound, "%s: %g ulp at %a", known[f].name, worst, (double)where);
    }
}

Test(core, wide_functions_are_within_their_bounds)
{
    for (int f = 0; f < KNOWN; f++)
        for (uint32_t k = 0; k < SAMPLES / 8; k++) {
            double x = known[f].low + (known[f].high - known[f].low) * (dln_uniform(dln_bits(1, k)) + dln_uniform(dln_bits(2, k)) * 0x1p-24);
            double want = known[f].exact(x), got = known[f].wide(x);
            if (known[f].exact == sin || known[f].exact == cos) want = fabs(want) < 1e-3 ? got : want;
            cr_assert(fabs(got - want) <= known[f].wide_bound * fabs(want) + 1e-320, "%s(%a): %a, not %a", known[f].name, x, got, want);
        }
}

Test(core, lanes_and_scalars_agree_in_every_bit)
{
    for (int f = 0; f < KNOWN; f++)
        for (uint32_t k = 0; k < SAMPLES / 16; k += LANES) {
            float x[LANES], y[LANES];
            for (int l = 0; l < LANES; l++) x[l] = sample(k + (uint32_t)l, known[f].low, known[f].high);
            store(y, known[f].of_vec(load(x)));
            for (int l = 0; l < LANES; l++)
                cr_assert(same_bits(y[l], known[f].of_one(x[l])), "%s(%a) in lane %d", known[f].name, (double)x[l], l);
        }
}

Test(core, special_values)
{
    const float inf = INFINITY;
    struct { const char *what; float got; double want; } all[] = {
        { "exp inf", dln_exp1(inf), inf }, { "exp -inf", dln_exp1(-inf), 0 }, { "exp nan", dln_exp1(NAN), NAN },
        { "exp 89", dln_exp1(89), inf }, { "exp -103", dln_exp1(-103), exp(-103) }, { "exp 0", dln_exp1(0), 1 },
        { "log 0", dln_log1(0), -inf }, { "log -1", dln_log1(-1), NAN }, { "log inf", dln_log1(inf), inf },
        { "log subnormal", dln_log1(0x1p-149f), log(0x1p-149) }, { "log 1", dln_log1(1), 0 }, { "log nan", dln_log1(NAN), NAN },
        { "log1p -1", dln_log1p1(-1), -inf }, { "log1p tiny", dln_log1p1(1e-30f), 1e-30f }, { "log1p inf", dln_log1p1(inf), inf },
        { "log1p -2", dln_log1p1(-2), NAN }, { "expm1 tiny", dln_expm11(1e-30f), 1e-30f }, { "expm1 -inf", dln_expm11(-inf), -1 },
        { "tanh inf", dln_tanh1(inf), 1 }, { "tanh -inf", dln_tanh1(-inf), -1 }, { "tanh tiny", dln_tanh1(1e-30f), 1e-30f },
        { "tanh nan", dln_tanh1(NAN), NAN }, { "erf inf", dln_erf1(inf), 1 }, { "erf -inf", dln_erf1(-inf), -1 },
        { "sin inf", dln_sin1(inf), NAN }, { "sin 1e30", dln_sin1(1e30f), sin((double)1e30f) }, { "cos 3e7", dln_cos1(3e7f), cos(3e7) },
        { "probit 0", dln_probit1(0), -inf }, { "probit 1", dln_probit1(1), inf }, { "probit 2", dln_probit1(2), NAN },
        { "probit 1/2", dln_probit1(0.5f), 0 }, { "pow", dln_pow1(2, 0.5f), sqrt(2) }, { "pow odd", dln_pow1(-2, 3), -8 },
        { "pow root of -", dln_pow1(-8, 1.0f / 3), NAN }, { "pow 0 -1", dln_pow1(0, -1), inf }, { "pow x 0", dln_pow1(NAN, 0), 1 },
        { "floor", dln_floor1(-0.5f), -1 }, { "floor big", dln_floor1(1e20f), 1e20f }, { "floor whole", dln_floor1(-3), -3 },
        { "sign", dln_sign1(-2), -1 }, { "sign 0", dln_sign1(0), 0 }, { "abs", dln_abs1(-2), 2 },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        cr_expect(ulps(all[i].got, all[i].want) <= 2, "%s: %g, not %g", all[i].what, (double)all[i].got, all[i].want);
}

Test(core, fused_rounds_once)
{
    for (uint32_t k = 0; k < SAMPLES; k++) {
        float a = bits_float(dln_bits(4, k)), b = bits_float(dln_bits(5, k)), c = bits_float(dln_bits(6, k));
        if (k & 1) c = -a * b * (1 + 1e-6f * (float)(k % 7));            /* nearly all of the product cancels */
        cr_assert(same_bits(fused1(a, b, c), fmaf(a, b, c)), "%a * %a + %a", (double)a, (double)b, (double)c);
        cr_assert(same_bits(lane(fused(splat(a), splat(b), splat(c)), LANES - 1), fmaf(a, b, c)));
    }
}

Test(core, pow_against_libm)
{
    for (uint32_t k = 0; k < SAMPLES / 4; k++) {
        double x = exp(-20 + 40 * dln_uniform(dln_bits(1, k))), y = -30 + 60 * dln_uniform(dln_bits(2, k));
        double want = pow(x, y);
        cr_assert(fabs(wide_pow(x, y) - want) <= 1e-13 * want || want > 1e308 || want < 1e-307);
        cr_assert(ulps(dln_pow1((float)x, (float)y), pow((double)(float)x, (double)(float)y)) <= 0.51);
    }
}

/* The double forms at the ends of their ranges give what C's functions give; but 0 has no sign under odd exponents from
 * 1024 on, and what is just beyond the largest number may be just below it. */
static bool as_c(double got, double want)
{
    if (isnan(want)) return isnan(got);
    if (isinf(want) && fabs(got) > 1.797e308) got = copysign(INFINITY, got);
    return got == want || (isfinite(want) && fabs(got - want) <= 1e-13 * fabs(want) + 1e-320);
}

Test(core, wide_functions_at_the_ends)
{
    static const double at[] = { 0,    -0.0, 1,    -1,   0.5,  -0.5,   1.5,   -1.5,   2,         3,        -3,       7.5,     -8,
                                 1e-9, 30,   -70,  711,  -746, 1023,   1024,  -1025,  4503599627370496.0, 4503599627370497.0, 1e300,
                                 -1e300, 5e-324, -5e-324, 1e-310, INFINITY, -INFINITY, NAN };
    enum { COUNT = sizeof at / sizeof *at };
    for (int i = 0; i < COUNT; i++) {
        const double x = at[i];
        cr_expect(as_c(wide_exp(x), exp(x)) && as_c(wide_expm1(x), expm1(x)) && as_c(wide_tanh(x), tanh(x)), "%g", x);
        cr_expect(as_c(wide_log(x), log(x)), "log(%g): %g", x, wide_log(x));
        cr_expect(as_c(wide_log1p(x), log1p(x)), "log1p(%g): %g", x, wide_log1p(x));
        cr_expect(as_c(wide_erf(x), erf(x)) && as_c(wide_floor(x), floor(x)), "%g: %g, %g", x, wide_erf(x), wide_floor(x));
        for (int k = 0; k < COUNT; k++)
            cr_expect(as_c(wide_pow(x, at[k]), x == 0 ? fabs(pow(x, at[k])) : pow(x, at[k])) || (x == 0 && fabs(at[k]) < 1024 &&
                      as_c(wide_pow(x, at[k]), pow(x, at[k]))), "%g ^ %g: %g, not %g", x, at[k], wide_pow(x, at[k]), pow(x, at[k]));
    }
    cr_expect(wide_probit(0) == -INFINITY && wide_probit(1) == INFINITY && wide_probit(0.5) == 0);
    cr_expect(isnan(wide_probit(-0.1)) && isnan(wide_probit(1.1)) && isnan(wide_probit(NAN)));
    cr_expect(fabs(wide_probit(0.975) - 1.959963984540054) < 1e-14 && fabs(wide_probit(1e-20) + 9.262340089798408) < 1e-13);
    cr_expect(fabs(wide_probit(1 - 0x1p-53) - 8.209536151601387) < 1e-12);
}

Test(core, conversions)
{
    const float from[] = { 1.9f, -1.9f, 3e9f, -3e9f, NAN, 0, 2147483520.0f, -2147483648.0f };
    const int to[] = { 1, -1, INT32_MAX, INT32_MIN, 0, 0, 2147483520, INT32_MIN };
    for (int i = 0; i < 8; i++) {
        int32_t lanes[LANES];
        store_ints(lanes, to_ints(splat(from[i])));
        cr_expect(to_int1(from[i]) == to[i] && lanes[LANES - 1] == to[i], "int(%g)", (double)from[i]);
    }
    uint8_t truths[LANES], back[LANES];
    for (int l = 0; l < LANES; l++) truths[l] = (uint8_t)(l & 1);
    store_bytes(back, to_bytes(from_bytes(load_bytes(truths))));
    cr_expect(memcmp(truths, back, LANES) == 0);
}

/* A row of any length gives the sum of 16 fixed partial sums, and reads nothing behind its end. */
Test(core, row_sums)
{
    float row[64];
    for (int n = 0; n <= 40; n++) {
        for (int i = 0; i < 64; i++) row[i] = i < n ? (float)dln_uniform(dln_bits(9, (uint32_t)i)) - 0.5f : NAN;
        float parts[16] = { 0 }, most = -INFINITY;
        for (int i = 0; i < n; i++) { parts[i % 16] += row[i]; most = fmaxf(most, row[i]); }
        for (int half = 8; half; half /= 2) for (int i = 0; i < half; i++) parts[i] += parts[i + half];
        vec sum[PARTS], max[PARTS];
        clear(sum);
        clear_to(max, -INFINITE);
        for (int i = 0; i < n; i += 16) EACH(p, PARTS) {
            int left = n - i - p * LANES;
            vec x = load_part(row + i + p * LANES, left);
            sum[p] += x;
            max[p] = larger(max[p], pick(first(left), x, max[p]));
        }
        cr_assert(same_bits(total(sum), parts[0]), "length %d", n);
        cr_assert(same_bits(largest(max), most), "length %d", n);
    }
}

Test(core, random_numbers)
{
    uint32_t key = dln_key(1, 2, 3);
    for (uint32_t e = 0; e < 1000; e += LANES) {
        float u[LANES];
        store(u, uniform(key, e));
        for (int l = 0; l < LANES; l++) cr_assert(same_bits(u[l], (float)dln_uniform(dln_bits(key, e + (uint32_t)l))));
    }
    cr_expect(dln_key(1, 2, 3) != dln_key(1, 2, 4) && dln_key(1, 2, 3) != dln_key(1, 3, 3) && dln_key(2, 2, 3) != dln_key(1, 2, 3));

    /* mean, variance, neighbours in a row and in the streams of neighbouring keys: within 5 standard deviations */
    double n = SAMPLES, sum = 0, squares = 0, along = 0, across = 0, before = 0;
    for (uint32_t e = 0; e < SAMPLES; e++) {
        double x = dln_uniform(dln_bits(key, e)) - 0.5, other = dln_uniform(dln_bits(dln_key(1, 3, 3), e)) - 0.5;
        sum += x; squares += x * x; along += x * before; across += x * other; before = x;
    }
    cr_expect(fabs(sum / n) < 5 * sqrt(1.0 / 12 / n));
    cr_expect(fabs(squares / n - 1.0 / 12) < 5 * sqrt(1.0 / 180 / n));
    cr_expect(fabs(along / n) < 5 / 12.0 / sqrt(n) && fabs(across / n) < 5 / 12.0 / sqrt(n));
}

/* A normal number is probit(rand()): one draw in 2^24 must not be infinite. */
Test(core, uniform_numbers_lie_inside)
{
    cr_assert(dln_uniform(0) == 0x1p-24 && dln_uniform(UINT32_MAX) == 1 - 0x1p-24);
    vec low = uniform_of((words){0}), high = uniform_of(~(words){0});
    cr_assert(low[0] == 0x1p-24f && high[0] == 1 - 0x1p-24f);
    cr_assert(isfinite(dln_probit1(low[0])) && isfinite(dln_probit1(high[0])) && isfinite(dln_log1(low[0])));
}
