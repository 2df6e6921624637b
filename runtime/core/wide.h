/* wide.h: the functions of the language in double, one number at a time, from + - * / and sqrt alone: for what is made
 * of totals (metrics, statistics of the data), for float's pow and large angles, and for --real=double. About 1e-15
 * relative; pow and erf lose a digit or two more. Needs vec.h (wide_sqrt).
 * SPDX-License-Identifier: 0BSD */
#ifndef DLN_WIDE_H
#define DLN_WIDE_H

typedef union { double d; uint64_t u; } wide_bits;
FUNCTION double wide_of(uint64_t u)     { wide_bits x; x.u = u; return x.d; }
FUNCTION uint64_t bits_of_wide(double d) { wide_bits x; x.d = d; return x.u; }
FUNCTION double wide_inf(void)          { return wide_of(UINT64_C(0x7ff) << 52); }
FUNCTION double wide_nan(void)          { return wide_of(UINT64_C(0xfff) << 51); }
FUNCTION double wide_abs(double x)      { return wide_of(bits_of_wide(x) & (~UINT64_C(0) >> 1)); }
FUNCTION double wide_max(double a, double b) { return b > a ? b : a; }
FUNCTION double wide_min(double a, double b) { return b < a ? b : a; }
FUNCTION double wide_sign(double x)     { return x > 0 ? 1.0 : x < 0 ? -1.0 : x; }
FUNCTION double wide_power_of_2(int k)  { return wide_of((uint64_t)(k + 1023) << 52); }      /* -1022 <= k <= 1023 */
FUNCTION double wide_floor(double x) {
    if (!(wide_abs(x) < 4503599627370496.0)) return x;
    const double whole = (double)(int64_t)x;
    return whole > x ? whole - 1.0 : whole;
}
/* x = k ln 2 + r, |r| <= ln 2 / 2 */
FUNCTION int wide_halve(double x, double *r) {
    const double k = wide_floor(x * 1.44269504088896340736 + 0.5);
    *r = (x - k * 0x1.62e42fee00000p-1) - k * 1.9082149292705877e-10;
    return (int)k;
}
/* (e^r - 1 - r) / r^2 */
FUNCTION double wide_exp_rest(double r) {
    double p = 1.0 / 87178291200.0;
    p = p * r + 1.0 / 6227020800.0; p = p * r + 1.0 / 479001600.0; p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;    p = p * r + 1.0 / 362880.0;    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;       p = p * r + 1.0 / 720.0;       p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;         p = p * r + 1.0 / 6.0;         return p * r + 0.5;
}
FUNCTION double wide_exp(double x) {
    double r;
    if (x != x) return x;
    const int k = wide_halve(x < -750.0 ? -750.0 : x > 710.0 ? 710.0 : x, &r);
    const int half = (k + 2048) / 2 - 1024;
    return (1.0 + (r + r * r * wide_exp_rest(r))) * wide_power_of_2(half) * wide_power_of_2(k - half);
}
FUNCTION double wide_expm1(double x) {
    double r;
    if (x != x || x == 0) return x;
    const int k = wide_halve(x < -60.0 ? -60.0 : x > 710.0 ? 710.0 : x, &r);
    const int half = (k + 2048) / 2 - 1024;
    const double a = wide_power_of_2(half), b = wide_power_of_2(k - half);
    return ((r + r * r * wide_exp_rest(r)) * a + (a - 1.0 / b)) * b;
}
FUNCTION double wide_log(double x) {
    if (!(x > 0)) return x == 0 ? -wide_inf() : wide_nan();
    if (x - x != 0) return x;
    int k = 0;
    if (x < 0x1p-1022) { x *= 0x1p54; k = -54; }
    const uint64_t u = bits_of_wide(x) - UINT64_C(0x3fe6a09e667f3bcd);           /* from sqrt(1/2) */
    k += (int)((u + (UINT64_C(1024) << 52)) >> 52) - 1024;
    const double f = wide_of((u & (~UINT64_C(0) >> 12)) + UINT64_C(0x3fe6a09e667f3bcd)) - 1.0;
    const double s = f / (2.0 + f), z = s * s;               /* log(1 + f) = 2 (s + s^3 / 3 + s^5 / 5 ..) = f - s (f - 2 rest) */
    double p = 2.0 / 23;
    p = p * z + 2.0 / 21; p = p * z + 2.0 / 19; p = p * z + 2.0 / 17; p = p * z + 2.0 / 15; p = p * z + 2.0 / 13;
    p = p * z + 2.0 / 11; p = p * z + 2.0 / 9;  p = p * z + 2.0 / 7;  p = p * z + 2.0 / 5;  p = p * z + 2.0 / 3;
    const double h = 0.5 * f * f, n = k;
    return n * 0x1.62e42fee00000p-1 + (f - (h - (s * (h + p * z) + n * 1.9082149292705877e-10)));
}
FUNCTION double wide_log1p(double x) {
    const double u = 1.0 + x, d = u - 1.0;
    if (d == 0 || !(x < wide_inf()) || !(x > -1)) return d == 0 || x != x || x > 0 ? x : wide_log(u);
    return wide_log(u) * (x / d);
}
FUNCTION double wide_tanh(double x) {
    const double t = wide_expm1(-2.0 * wide_abs(x)), y = -t / (2.0 + t);
    return x < 0 ? -y : y;
}
/* x^y as C has it; whole exponents below 1024 by multiplication */
FUNCTION double wide_pow(double x, double y) {
    const double whole = wide_floor(y);
    if (y == 0 || x == 1) return 1.0;
    if (x != x || y != y) return x + y;
    if (whole == y && wide_abs(y) < 1024) {
        double r = 1.0, s = y < 0 ? 1.0 / x : x;
        for (int n = (int)wide_abs(y); n > 0; n /= 2) { if (n & 1) r *= s; s *= s; }
        return r;
    }
    if (x == 0) return y > 0 ? 0.0 : wide_inf();
    if (x < 0 && whole != y) return wide_abs(x) < wide_inf() && wide_abs(y) < wide_inf() ? wide_nan() : y > 0 ? wide_inf() : 0.0;
    if (x == -1) return wide_abs(y) < wide_inf() && wide_floor(y / 2) * 2 != y ? -1.0 : 1.0;
    const double size = wide_exp(y * wide_log(wide_abs(x)));
    return x < 0 && wide_floor(y / 2) * 2 != y ? -size : size;
}
/* 2 / sqrt(pi) e^(-x^2) x (1 + 2 x^2 / 3 + (2 x^2)^2 / 15 + ..): no term is negative */
FUNCTION double wide_erf(double x) {
    if (x != x) return x;
    if (wide_abs(x) > 6) return x < 0 ? -1.0 : 1.0;
    double term = 1.0, sum = 1.0;
    for (int k = 1; k < 200 && term > sum * 1e-17; k++) sum += term *= 2.0 * x * x / (2 * k + 1);
    return 1.12837916709551257390 * x * wide_exp(-x * x) * sum;
}

/* x = q pi/2 + r with |r| <= pi/4; returns q mod 4 */
static const uint32_t two_over_pi[36] = {
    0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041,
    0xfe5163ab, 0xdebbc561, 0xb7246e3a, 0x424dd2e0, 0x06492eea, 0x09d1921c,
    0xfe1deb1c, 0xb129a73e, 0xe88235f5, 0x2ebb4484, 0xe99c7026, 0xb45f7e41,
    0x3991d639, 0x835339f4, 0x9c845f8b, 0xbdf9283b, 0x1ff897ff, 0xde05980f,
    0xef2f118b, 0x5a0a6d1f, 0x6d367ecf, 0x27cb09b7, 0x4f463f66, 0x9e5fea2d,
    0x7527bac7, 0xebe5f17b, 0x3d0739f7, 0x8a5292ea, 0x6bfb5fb1, 0x1f8d5d08,
};
FUNCTION int wide_turns(double x, double *r) {
    if (wide_abs(x) < 524288.0) {                            /* pi/2 in pieces of 33 bits: the products are exact */
        const double q = wide_floor(x * 0.63661977236758134308 + 0.5);
        *r = ((x - q * 1.5707963267341256) - q * 6.077100506303966e-11) - q * 2.0222662487111665e-21;
        return (int)q & 3;
    }
    if (x - x != 0) { *r = wide_nan(); return 0; }
    /* |x| = m 2^e: the 192 bits of 2/pi from bit e - 2 on, times m; what lies above is whole turns */
    const uint64_t u = bits_of_wide(x), m = (u & (~UINT64_C(0) >> 12)) | UINT64_C(1) << 52;
    const int from = (int)((u >> 52) & 2047) - 1075 - 2 + 64;
    uint32_t window[6], product[6];
    for (int i = 0; i < 6; i++) {
        const int bit = from + 32 * i, word = bit / 32 - 2, shift = bit % 32;
        const uint64_t high = word >= 0 && word < 36 ? two_over_pi[word] : 0;
        const uint64_t low = word >= -1 && word < 35 ? two_over_pi[word + 1] : 0;
        window[i] = (uint32_t)((high << 32 | low) >> (32 - shift));
    }
    uint64_t carry = 0;
    for (int i = 5; i >= 0; i--) {
        const uint64_t a = (m & 0xffffffffu) * window[i], b = i < 5 ? (m >> 32) * window[i + 1] : 0;
        const uint64_t sum = carry + (a & 0xffffffffu) + (b & 0xffffffffu);
        product[i] = (uint32_t)sum;
        carry = (sum >> 32) + (a >> 32) + (b >> 32);
    }
    int q = (int)(product[0] >> 30);
    const int up = (int)(product[0] >> 29) & 1;              /* nearer to the next one */
    double f = 0;
    product[0] &= 0x3fffffffu;
    for (int i = 5; i >= 0; i--) {
        const double part = up ? (double)(i == 0 ? 0x3fffffffu - product[0] : 0xffffffffu - product[i]) : (double)product[i];
        f = (f + part) * (1.0 / 4294967296.0);
    }
    f *= 4.0 * 1.57079632679489661923;
    *r = (up != 0) == (x < 0) ? f : -f;
    q += up;
    return (x < 0 ? -q : q) & 3;
}
FUNCTION double wide_sin_series(double r) {
    const double z = r * r;
    double p = 1.0 / 355687428096000.0;
    p = 1.0 / 1307674368000.0 - z * p; p = 1.0 / 6227020800.0 - z * p; p = 1.0 / 39916800.0 - z * p;
    p = 1.0 / 362880.0 - z * p;        p = 1.0 / 5040.0 - z * p;       p = 1.0 / 120.0 - z * p;
    return r - r * z * (1.0 / 6.0 - z * p);
}
FUNCTION double wide_cos_series(double r) {
    const double z = r * r;
    double p = 1.0 / 20922789888000.0;
    p = 1.0 / 87178291200.0 - z * p;   p = 1.0 / 479001600.0 - z * p;  p = 1.0 / 3628800.0 - z * p;
    p = 1.0 / 40320.0 - z * p;         p = 1.0 / 720.0 - z * p;        p = 1.0 / 24.0 - z * p;
    return 1.0 - (0.5 * z - z * z * p);
}
FUNCTION double wide_sin(double x) {
    double r;
    const int q = wide_turns(x, &r);
    const double y = q & 1 ? wide_cos_series(r) : wide_sin_series(r);
    return q & 2 ? -y : y;
}
FUNCTION double wide_cos(double x) {
    double r;
    const int q = wide_turns(x, &r);
    const double y = q & 1 ? wide_sin_series(r) : wide_cos_series(r);
    return q == 1 || q == 2 ? -y : y;
}

/* The normal quantile: rational functions of Wichura's AS 241. */
static const double probit_middle[2][8] = {
    {3.3871328727963666080, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125,
     45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727},
    {1.0, 42.313330701600911252, 687.18700749205790830, 5394.1960214247511077,
     21213.794301586595867, 39307.895800092710610, 28729.085735721942674, 5226.4952788528545610}};
static const double probit_side[2][8] = {
    {1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504,
     1.27045825245236838258, 0.241780725177450611770, 0.0227238449892691845833, 7.74545014278341407640e-4},
    {1.0, 2.05319162663775882187, 1.67638483018380384940, 0.689767334985100004550,
     0.148103976427480074590, 0.0151986665636164571966, 5.47593808499534494600e-4, 1.05075007164441684324e-9}};
static const double probit_tail[2][8] = {
    {6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, 0.296560571828504891230,
     0.0265321895265761230930, 0.00124266094738807843860, 2.71155556874348757815e-5, 2.01033439929228813265e-7},
    {1.0, 0.599832206555887937690, 0.136929880922735805310, 0.0148753612908506148525,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15}};
FUNCTION double wide_ratio(const double c[2][8], double x) {
    double a = 0, b = 0;
    for (int i = 7; i >= 0; i--) { a = a * x + c[0][i]; b = b * x + c[1][i]; }
    return a / b;
}
FUNCTION double wide_probit(double p) {
    const double q = p - 0.5;
    if (!(p > 0 && p < 1)) return p == 0 ? -wide_inf() : p == 1 ? wide_inf() : wide_nan();
    if (wide_abs(q) <= 0.425) return q * wide_ratio(probit_middle, 0.180625 - q * q);
    const double r = wide_sqrt(-wide_log(q < 0 ? p : 1.0 - p));
    const double y = r <= 5 ? wide_ratio(probit_side, r - 1.6) : wide_ratio(probit_tail, r - 5.0);
    return q < 0 ? -y : y;
}
#endif
