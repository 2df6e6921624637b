/* dln_math.h: dln_exp, dln_log, dln_log1p, dln_expm1, dln_tanh, dln_erf, dln_sin, dln_cos, dln_pow, dln_probit, dln_sign
 * on vec, and the same with a 1 at the end (dln_exp1 ..) on one real: lane 0 of the vector form, so the same bits.
 * In float they are polynomials without branches, right to 1 or 2 in the last place (the bounds stand beside each),
 * also at 0, inf, nan and where the result is subnormal. In double they are wide.h's, lane by lane. No libm anywhere.
 * SPDX-License-Identifier: 0BSD */
#ifndef DLN_MATH_H
#define DLN_MATH_H

/* f of each lane, one after another */
#if DLN_VECTORS
#define EACH_LANE(r, l) for (int l = 0; l < LANES; l++) r[l]
#define LANE(v, l) (v)[l]
#else
#define EACH_LANE(r, l) r
#define LANE(v, l) (v)
#endif

INLINE vec dln_sign(vec x) { return pick((x > 0) | (x < 0), with_sign(splat(R(1)), x), x); }
FUNCTION vec dln_pow(vec x, vec y) {               /* through double: half a unit in the last place */
    vec r = splat(R(0));
    EACH_LANE(r, l) = (real)wide_pow((double)LANE(x, l), (double)LANE(y, l));
    return r;
}

#ifdef DLN_REAL_DOUBLE
INLINE vec dln_exp(vec x) { vec r = splat(0.0); EACH_LANE(r, l) = wide_exp(LANE(x, l)); return r; }
INLINE vec dln_log(vec x) { vec r = splat(0.0); EACH_LANE(r, l) = wide_log(LANE(x, l)); return r; }
INLINE vec dln_log1p(vec x) { vec r = splat(0.0); EACH_LANE(r, l) = wide_log1p(LANE(x, l)); return r; }
INLINE vec dln_expm1(vec x) { vec r = splat(0.0); EACH_LANE(r, l) = wide_expm1(LANE(x, l)); return r; }
INLINE vec dln_tanh(vec x) { vec r = splat(0.0); EACH_LANE(r, l) = wide_tanh(LANE(x, l)); return r; }
INLINE vec dln_erf(vec x) { vec r = splat(0.0); EACH_LANE(r, l) = wide_erf(LANE(x, l)); return r; }
INLINE vec dln_sin(vec x) { vec r = splat(0.0); EACH_LANE(r, l) = wide_sin(LANE(x, l)); return r; }
INLINE vec dln_cos(vec x) { vec r = splat(0.0); EACH_LANE(r, l) = wide_cos(LANE(x, l)); return r; }
INLINE vec dln_probit(vec x) { vec r = splat(0.0); EACH_LANE(r, l) = wide_probit(LANE(x, l)); return r; }
#else

/* a polynomial, highest power first */
#define POLY2(x, a, b, c) fused(fused(splat(a), x, splat(b)), x, splat(c))
#define POLY3(x, a, b, c, d) fused(POLY2(x, a, b, c), x, splat(d))
#define POLY4(x, a, b, c, d, e) fused(POLY3(x, a, b, c, d), x, splat(e))
#define POLY5(x, a, b, c, d, e, f) fused(POLY4(x, a, b, c, d, e), x, splat(f))

/* x = k ln 2 + r, |r| <= ln 2 / 2 (x within +-200); 2^(k/2) and 2^(k - k/2): their product reaches inf and subnormals */
INLINE vec split_exp(vec x, vec *low, vec *high) {
    const vec shifted = fused(x, splat(1.44269504f), splat(12582912.0f)), k = shifted - 12582912.0f;
    const lane_bits n = bits_of(shifted) - 0x4b400000u, half = ((n + 256u) >> 1) - 128u;
    *low = of_bits((half + 127u) << 23);
    *high = of_bits((n - half + 127u) << 23);
    return fused(k, splat(1.9046542e-9f), fused(k, splat(-0.69314718f), x));
}
/* (e^r - 1 - r) / r^2 */
INLINE vec exp_rest(vec r) {
    return POLY5(r, 0.000199156231f, 0.00139420456f, 0.00833327044f, 0.0416663438f, 0.166666672f, 0.5f);
}
INLINE vec within(vec x, real low, real high) {  /* nan stays nan */
    x = pick(x < low, splat(low), x);
    return pick(x > high, splat(high), x);
}
INLINE vec dln_exp(vec x) {                      /* <= 1 ulp */
    vec low, high;
    const vec r = split_exp(within(x, -104.0f, 89.0f), &low, &high);
    return (fused(r * r, exp_rest(r), r) + 1.0f) * low * high;
}
/* e^x for x from -87 to 88, where one power of two does; <= 1 ulp */
INLINE vec middle_exp(vec x) {
    const vec shifted = fused(x, splat(1.44269504f), splat(12582912.0f)), k = shifted - 12582912.0f;
    const vec power = of_bits((bits_of(shifted) + 127u) << 23);          /* what else shifted has is shifted out */
    const vec r = fused(k, splat(1.9046542e-9f), fused(k, splat(-0.69314718f), x));
    return fused(fused(r * r, exp_rest(r), r), power, power);
}
INLINE vec dln_expm1(vec x) {                    /* <= 2 ulp */
    vec low, high;
    const vec r = split_exp(within(x, -30.0f, 89.0f), &low, &high);
    const vec p = fused(r * r, exp_rest(r), r);
    return pick(x == 0, x, fused(p, low, low - 1.0f / high) * high);
}
INLINE vec dln_log(vec x) {                      /* <= 1 ulp */
    const mask tiny = x < 1.17549435e-38f;       /* subnormal: times 2^23 */
    const vec y = pick(tiny, x * 8388608.0f, x);
    const lane_bits u = bits_of(y) - 0x3f3504f3u;                        /* from sqrt(1/2) on */
    const lane_bits k = ((u + 0x40000000u) >> 23) + 1024u;               /* the exponent + 1152, as the low bits of 2^23 + k */
    const vec n = (of_bits(k | 0x4b000000u) - 8389760.0f) - where(tiny, splat(23.0f));
    const vec f = of_bits((u & 0x007fffffu) + 0x3f3504f3u) - 1.0f, z = f * f;
    const vec p = fused(POLY4(f, 0.0672505349f, -0.11676044f, 0.119009547f, -0.124073394f, 0.142176807f), z * z,
                        fused(POLY2(f, -0.166676894f, 0.200022206f, -0.250000268f), f, splat(0.333333105f)));
    const vec r = fused(n, splat(0.69314718f), fused(z, fused(p, f, splat(-0.5f)), fused(n, splat(-1.9046542e-9f), f)));
    return pick((x > 0) & (x < splat(INFINITE)), r, pick(x == 0, -splat(INFINITE), pick(x > 0, x, splat(NOT_A_NUMBER))));
}
INLINE vec dln_log1p(vec x) {                    /* <= 3 ulp */
    const vec u = x + 1.0f, d = u - 1.0f, y = dln_log(u) * (x / d);
    return pick(d == 0, x, pick((x > -1.0f) & (x < splat(INFINITE)), y, dln_log(u)));
}
INLINE vec dln_tanh(vec x) {                     /* <= 2 ulp; from 5/8 on by 1 - 2 / (e^2x + 1) */
    const vec a = magnitude(x), z = a * a;
    const vec p = POLY4(z, -0.00570498873f, 0.0206390888f, -0.0537397155f, 0.133314422f, -0.333332819f);
    const vec big = 1.0f - 2.0f / (middle_exp(smaller(a * 2.0f, splat(20.0f))) + 1.0f);
    return with_sign(pick(a < 0.625f, fused(p * z, a, a), big), x);
}
INLINE vec dln_erf(vec x) {                      /* <= 2 ulp; from 1 on by 1 - e^(polynomial of log erfc) */
    const vec a = magnitude(x), b = smaller(a, splat(4.0f)), z = a * a;
    const vec rest = POLY5(z, -9.64151695e-06f, 0.000112569483f, -0.000848282885f, 0.00522094546f, -0.0268654004f, 0.112837821f);
    const vec small = fused(fused(rest, z, splat(-0.376126379f)), z, splat(0.12837917f));
    const vec tail = POLY5(b, -2.16976132e-05f, 0.000441472657f, -0.00420528464f, 0.0252103396f, -0.108422101f, -0.633216381f);
    const vec big = 1.0f - middle_exp(fused(fused(tail, b, splat(-1.12958026f)), b, splat(0.000188468155f)));
    return with_sign(pick(a < 1.0f, fused(a, small, a), big), x);
}
/* y, but sin or cos of x in double in the lanes of large angles */
FUNCTION vec large_angles(vec y, vec x, mask large, uint32_t turn) {
    vec one_by_one = y;
    EACH_LANE(one_by_one, l) = (real)(turn ? wide_cos((double)LANE(x, l)) : wide_sin((double)LANE(x, l)));
    return pick(large, one_by_one, y);
}
/* sin of x + turn pi/2, by quarter turns */
INLINE vec sin_turned(vec x, uint32_t turn) {
    const vec shifted = fused(x, splat(0.636619772f), splat(12582912.0f)), k = shifted - 12582912.0f;
    const vec r = fused(k, splat(1.7151245e-15f), fused(k, splat(4.37113883e-8f), fused(k, splat(-1.57079637f), x)));
    const vec z = r * r;
    const vec s = fused(r * z, POLY3(z, 2.71774593e-06f, -0.000198392721f, 0.00833332911f, -0.166666672f), r);
    const vec c = fused(z * z, POLY3(z, -2.72022106e-07f, 2.47994176e-05f, -0.00138888834f, 0.0416666679f),
                        fused(z, splat(-0.5f), splat(1.0f)));
    const lane_bits q = bits_of(shifted) + turn;
    vec y = pick((q & 1u) != 0, c, s);
    y = of_bits(bits_of(y) ^ ((q & 2u) << 30));
    const mask large = none(magnitude(x) < 65536.0f);
    return any(large) ? large_angles(y, x, large, turn) : y;
}
INLINE vec dln_sin(vec x) { return sin_turned(x, 0); }                   /* <= 2 ulp */
INLINE vec dln_cos(vec x) { return sin_turned(x, 1); }
INLINE vec dln_probit(vec p) {                   /* the shorter rational functions of AS 241: 4e-7 relative */
    const vec q = p - 0.5f, a = magnitude(q);
    const mask middle = a <= 0.425f;
    const vec s = 0.180625f - q * q, r = root(-dln_log(smaller(p, 1.0f - p)));
    const vec t = r - 1.6f, u = r - 5.0f;
    const vec top = pick(middle, q * POLY3(s, 59.10937472f, 159.29113202f, 50.434271938f, 3.3871327179f),
                    pick(r <= 5.0f, POLY3(t, 0.17023821103f, 1.3067284816f, 2.756815390f, 1.4234372777f),
                                    POLY3(u, 0.017337203997f, 0.42868294337f, 3.0812263860f, 6.657905115f)));
    const vec below = pick(middle, POLY3(s, 67.187563600f, 78.757757664f, 17.895169469f, 1.0f),
                      pick(r <= 5.0f, POLY2(t, 0.12021132975f, 0.73700164250f, 1.0f),
                                      POLY2(u, 0.012258202635f, 0.24197894225f, 1.0f)));
    const vec y = top / below, signed_y = pick(middle, y, with_sign(magnitude(y), q));
    return pick((p > 0) & (p < 1.0f), signed_y, pick(p == 0, -splat(INFINITE), pick(p == 1.0f, splat(INFINITE), splat(NOT_A_NUMBER))));
}
#endif

FUNCTION real dln_exp1(real x) { return lane(dln_exp(splat(x)), 0); }
FUNCTION real dln_log1(real x) { return lane(dln_log(splat(x)), 0); }
FUNCTION real dln_log1p1(real x) { return lane(dln_log1p(splat(x)), 0); }
FUNCTION real dln_expm11(real x) { return lane(dln_expm1(splat(x)), 0); }
FUNCTION real dln_tanh1(real x) { return lane(dln_tanh(splat(x)), 0); }
FUNCTION real dln_erf1(real x) { return lane(dln_erf(splat(x)), 0); }
FUNCTION real dln_sin1(real x) { return lane(dln_sin(splat(x)), 0); }
FUNCTION real dln_cos1(real x) { return lane(dln_cos(splat(x)), 0); }
FUNCTION real dln_probit1(real x) { return lane(dln_probit(splat(x)), 0); }
FUNCTION real dln_sign1(real x) { return lane(dln_sign(splat(x)), 0); }
FUNCTION real dln_pow1(real x, real y) { return (real)wide_pow((double)x, (double)y); }
INLINE real dln_floor1(real x)       { return lane(floors(splat(x)), 0); }
INLINE real dln_abs1(real x)         { return lane(magnitude(splat(x)), 0); }
#endif
