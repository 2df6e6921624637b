/* ulp.c: how far the core's exp, log, tanh, erf and sigmoid are from the truth, over all 2^32 floats:
 *
 *     ulp [NAME...] [every=N]    one line a function: the worst error in units of the last place and where it is
 *
 * The unit is the distance of neighbouring floats at the true value. The truth is computed in double, where it errs by
 * less than 1e-7 of such a unit: by libm where it must be, else by what is exact there: log x = k log 2 + log m from a
 * table of the 2^23 values of m in [sqrt 1/2, sqrt 2); first terms of the series near 0; the limit far away. Infinite
 * and undefined values must be exactly that, and the sign of zero right. every=N takes one float in N.
 * Exit code 1 if one is further away than its bound: 1 unit for exp and log, 2 for tanh and erf, 2.5 for sigmoid, which is
 * an equation of the library, three roundings on top of exp; where e^-x overflows (below -87.3) it may be 0.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/vec.h"
#include "core/wide.h"
#include "core/dln_math.h"

static double *log_table;                        /* of the mantissas from sqrt 1/2 on */

static uint32_t word_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}
static float float_of(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* ---- the truth ---- */
static double true_exp(double x)
{
    if (x > 89) return INFINITY;
    if (x < -105) return 0;
    return fabs(x) < 1e-5 ? 1 + x + x * x / 2 + x * x * x / 6 : exp(x);
}
static double true_log(double x)
{
    if (!(x > 0) || isinf(x)) return log(x);
    int shift = 0;
    if (x < 1.17549435e-38) x *= 8388608, shift = -23;
    const uint32_t u = word_of((float)x) - 0x3f3504f3u;
    return (double)((int32_t)u >> 23) * M_LN2 + shift * M_LN2 + log_table[u & 0x7fffffu];
}
static double true_tanh(double x)
{
    if (fabs(x) > 10) return x > 0 ? 1 : -1;
    return fabs(x) < 1e-4 ? x - x * x * x / 3 : tanh(x);
}
static double true_erf(double x)
{
    if (fabs(x) > 5) return x > 0 ? 1 : -1;
    return fabs(x) < 1e-4 ? M_2_SQRTPI * (x - x * x * x / 3) : erf(x);
}
static double true_sigmoid(double x)
{
    if (x > 40) return 1;
    if (x < -105) return 0;
    return fabs(x) < 1e-4 ? 0.5 + x / 4 - x * x * x / 48 : x < -40 ? exp(x) : 1 / (1 + exp(-x));
}
static vec sigmoid(vec x) { return 1.0f / (1.0f + dln_exp(-x)); }        /* as the library writes it */

static const struct function {
    const char *name;
    vec (*of)(vec);
    double (*truth)(double);
    double most;                                 /* units */
    float from;                                  /* below it the result may be 0 */
} functions[] = { { "exp", dln_exp, true_exp, 1, -INFINITY },
                  { "log", dln_log, true_log, 1, -INFINITY },
                  { "tanh", dln_tanh, true_tanh, 2, -INFINITY },
                  { "erf", dln_erf, true_erf, 2, -INFINITY },
                  { "sigmoid", sigmoid, true_sigmoid, 2.5, -87.33654f } };
enum { FUNCTIONS = sizeof functions / sizeof *functions };

/* ---- errors ---- */
/* The distance of neighbouring floats where t is; 2^-149 among the subnormal ones. */
static double unit(double t)
{
    uint64_t u;
    memcpy(&u, &t, sizeof u);
    const int exponent = (int)(u >> 52 & 0x7ff) - 1023;
    u = (uint64_t)((exponent < -126 ? -149 : exponent - 23) + 1023) << 52;
    double d;
    memcpy(&d, &u, sizeof d);
    return d;
}
static double error_of(float got, double t)
{
    if (isnan(t)) return isnan(got) ? 0 : INFINITY;
    if (isinf(t)) return (double)got == t ? 0 : INFINITY;
    if (isnan(got)) return INFINITY;
    if (t >= 0x1.ffffffp127) return isinf(got) && got > 0 ? 0 : INFINITY;    /* rounds to infinity */
    if (t == 0) return got == 0 ? 0 : fabs((double)got) / unit(0);
    if (isinf(got)) return (0x1p128 - t) / unit(t);
    return fabs((double)got - t) / unit(t);
}

typedef struct Worst { double error; uint32_t at; float got; } Worst;

static Worst worst_of(const struct function *f, uint32_t every)
{
    Worst worst = { -1, 0, 0 };
    for (uint64_t first = 0; first < UINT64_C(1) << 32; first += (uint64_t)LANES * every) {
        float x[LANES] ALIGNED, y[LANES] ALIGNED;
        for (int l = 0; l < LANES; l++) x[l] = float_of((uint32_t)(first + (uint64_t)l * every));
        store(y, f->of(load(x)));
        for (int l = 0; l < LANES; l++) {
            const double error = x[l] < f->from && word_of(y[l]) <= 0x00800000u ? 0 : error_of(y[l], f->truth((double)x[l]));
            if (error > worst.error) worst = (Worst){ error, word_of(x[l]), y[l] };
        }
    }
    return worst;
}

static int odd_zeros(void)                       /* the sign of zero, where the function is odd */
{
    int wrong = 0;
    for (int f = 2; f < 4; f++)
        wrong += word_of(lane(functions[f].of(splat(-0.0f)), 0)) != 0x80000000u ||
                 word_of(lane(functions[f].of(splat(0.0f)), 0));
    return wrong;
}

static void fill_log_table(void)
{
    log_table = malloc((size_t)8 << 23);
    if (!log_table) exit(2);
    for (uint32_t i = 0; i < 1u << 23; i++) log_table[i] = log((double)float_of(0x3f3504f3u + i));
}

int main(int argc, char **argv)
{
    uint32_t every = 1;
    int named = 0, far = 0;
    for (int a = 1; a < argc; a++)
        if (!strncmp(argv[a], "every=", 6)) every = (uint32_t)strtoul(argv[a] + 6, NULL, 10);
        else named++;
    if (!every) return fputs("ulp: every=N with N > 0\n", stderr), 2;
    fill_log_table();
    for (int f = 0; f < FUNCTIONS; f++) {
        int wanted = !named;
        for (int a = 1; a < argc; a++) wanted |= !strcmp(argv[a], functions[f].name);
        if (!wanted) continue;
        const Worst w = worst_of(&functions[f], every);
        const double x = (double)float_of(w.at);
        printf("%-8s %.3f ulp at most, at %a (%.9g): %.9g for %.17g\n", functions[f].name, w.error, x, x, (double)w.got,
               functions[f].truth(x));
        fflush(stdout);
        far |= !(w.error <= functions[f].most);
    }
    if (odd_zeros()) far = puts("the sign of zero is lost") > 0;
    return far;
}
