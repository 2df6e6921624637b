/* number.c: decimal numbers from text, strictly and whatever the locale is, correctly rounded. Numbers of a table take
 * the first of these ways that is open to them:
 *     digits, point, digits: read eight at a time; up to 2^53 divided by a power of ten that a double holds
 *     up to 2^53 times a power of ten that a double holds: one operation
 *     up to 19 digits times 10^-27 .. 10^27: one product or quotient of integers of 128 bits, rounded by hand
 *     strtod
 * SPDX-License-Identifier: 0BSD */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "host.h"

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* What the characters say: mantissa * 10^power; exact is false when digits had to be left out. */
typedef struct Decimal {
    bool negative, exact;
    uint64_t mantissa;
    int64_t power;
} Decimal;

/* Digits from c on go behind those of the mantissa while it has room (19 digits fit into 64 bits). */
static const char *digits_scan(const char *c, const char *end, Decimal *d, bool fraction)
{
    uint64_t mantissa = d->mantissa, digit;
    const char *begin = c;
    for (; c < end && (digit = (uint64_t)(unsigned char)*c - '0') <= 9 && mantissa < UINT64_C(1000000000000000000); c++)
        mantissa = mantissa * 10 + digit;
    d->mantissa = mantissa;
    if (fraction) d->power -= c - begin;
    for (; c < end && is_digit(*c); c++) {
        d->exact = false;
        d->power += !fraction;
    }
    return c;
}

/* Gives where the number ends; NULL: there is none. */
static const char *decimal_scan(const char *c, const char *end, Decimal *d)
{
    const char *begin, *point = NULL;
    *d = (Decimal){ .exact = true };
    if (c < end && (*c == '-' || *c == '+')) d->negative = *c++ == '-';
    begin = c;
    c = digits_scan(c, end, d, false);
    if (c < end && *c == '.') {
        point = c;
        c = digits_scan(c + 1, end, d, true);
    }
    if (c - begin == (point != NULL)) return NULL; /* no digit at all */
    if (c < end && (*c == 'e' || *c == 'E')) {
        bool down = false;
        int64_t power = 0;
        if (++c < end && (*c == '-' || *c == '+')) down = *c++ == '-';
        if (c == end || !is_digit(*c)) return NULL;
        for (; c < end && is_digit(*c); c++)
            if (power < 1000000) power = power * 10 + (*c - '0');
        d->power += down ? -power : power;
    }
    return c;
}

static locale_t plain_locale(void)
{
    static locale_t made;
    if (!made) made = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return made;
}

#ifdef __SIZEOF_INT128__
__extension__ typedef unsigned __int128 Wide;

/* q * 2^power, rounded to the nearest, ties to even; `more`: the true value lies a little above q. */
static double rounded(uint64_t q, int power, bool more)
{
    const int drop = 64 - __builtin_clzll(q) - 53;
    if (drop > 0) {
        const uint64_t rest = q & (((uint64_t)1 << drop) - 1), half = (uint64_t)1 << (drop - 1);
        q >>= drop;
        power += drop;
        q += rest > half || (rest == half && (more || (q & 1)));
    }
    const uint64_t scale = (uint64_t)(1023 + power) << 52;
    double two;
    memcpy(&two, &scale, sizeof two);
    return (double)q * two;
}

enum { FIVES = 28 }; /* 5^27 < 2^64 */

static double decimal_wide(uint64_t mantissa, int power)
{
    static const uint64_t five[FIVES] = {
        UINT64_C(1), UINT64_C(5), UINT64_C(25), UINT64_C(125), UINT64_C(625), UINT64_C(3125), UINT64_C(15625),
        UINT64_C(78125), UINT64_C(390625), UINT64_C(1953125), UINT64_C(9765625), UINT64_C(48828125),
        UINT64_C(244140625), UINT64_C(1220703125), UINT64_C(6103515625), UINT64_C(30517578125),
        UINT64_C(152587890625), UINT64_C(762939453125), UINT64_C(3814697265625), UINT64_C(19073486328125),
        UINT64_C(95367431640625), UINT64_C(476837158203125), UINT64_C(2384185791015625),
        UINT64_C(11920928955078125), UINT64_C(59604644775390625), UINT64_C(298023223876953125),
        UINT64_C(1490116119384765625), UINT64_C(7450580596923828125)
    };
    if (!mantissa) return 0;
    const int up = __builtin_clzll(mantissa);
    if (power < 0) { /* the quotient has 63 or 64 bits */
        const int by = __builtin_clzll(five[-power]);
        const Wide n = (Wide)(mantissa << up) << 63;
        const uint64_t d = five[-power] << by, q = (uint64_t)(n / d);
        return rounded(q, power + by - up - 63, (uint64_t)n != q * d);
    }
    const Wide product = (Wide)(mantissa << up) * five[power];
    const uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    if (!high) return rounded(low, power - up, false);
    const int room = __builtin_clzll(high);
    const uint64_t q = room ? high << room | low >> (64 - room) : high;
    return rounded(q, power - up + 64 - room, (room ? low << room : low) != 0);
}
#else
enum { FIVES = 0 };
static double decimal_wide(uint64_t mantissa, int power) { return (double)mantissa * power; } /* never called */
#endif

/* Those that a double holds. */
static const double power_of_ten[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                       1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

/* The value, if it needs no strtod. */
static bool decimal_value(const Decimal *d, double *out)
{
    double value;
    if (!d->exact) return false;
    if (d->mantissa <= (uint64_t)1 << 53 && d->power >= -22 && d->power <= 22) {
        value = (double)d->mantissa;
        value = d->power < 0 ? value / power_of_ten[-d->power] : value * power_of_ten[d->power];
    } else if (d->power > -FIVES && d->power < FIVES)
        value = decimal_wide(d->mantissa, (int)d->power);
    else
        return false;
    *out = d->negative ? -value : value;
    return true;
}

/* ---- plain numbers: digits, perhaps a point and digits, eight characters at a time ---- */

enum { EIGHT = 8, DIGITS_MOST = 19 }; /* digits that fit into 64 bits */

#if defined __BYTE_ORDER__ && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* The value of the `length` digits (0 .. 9, the first one in the lowest byte) that eight bytes begin with: pairs, then
 * fours, then all eight, digits in front of them being 0. */
static uint64_t eight_value(uint64_t digits, unsigned length)
{
    const uint64_t half = UINT64_C(0x000000ff000000ff);
    digits <<= 8 * (EIGHT - length);
    digits = digits * 10 + (digits >> 8);
    const uint64_t even = digits & half, odd = digits >> 16 & half;
    return (even * UINT64_C(0x000f424000000064) + odd * UINT64_C(0x0000271000000001)) >> 32;
}

/* Adds the digits at c to *mantissa and their number to *count; NULL: too near to the end, or too many. */
static const char *digits_quick(const char *c, const char *end, uint64_t *mantissa, unsigned *count)
{
    static const uint64_t tens[EIGHT + 1] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000 };
    for (;;) {
        uint64_t eight, other;
        if (end - c < EIGHT) return NULL;
        memcpy(&eight, c, EIGHT);
        eight ^= UINT64_C(0x3030303030303030);
        /* of what is no digit */
        other = ((eight + UINT64_C(0x0606060606060606)) | eight) & UINT64_C(0xf0f0f0f0f0f0f0f0);
        const unsigned length = other ? (unsigned)__builtin_ctzll(other) / 8 : EIGHT;
        if (!length) return c;
        if ((*count += length) > DIGITS_MOST) return NULL;
        *mantissa = *mantissa * tens[length] + eight_value(eight, length);
        c += length;
        if (length < EIGHT) return c;
    }
}
#else
static const char *digits_quick(const char *c, const char *end, uint64_t *mantissa, unsigned *count)
{
    (void)c, (void)end, (void)mantissa, (void)count;
    return NULL;
}
#endif

/* What decimal_scan and decimal_value give, for most numbers; NULL: ask them. */
static const char *plain_scan(const char *c, const char *end, double *out)
{
    uint64_t mantissa = 0;
    unsigned count = 0, before = 0;
    const bool negative = c < end && *c == '-';
    c = digits_quick(c + negative, end, &mantissa, &count);
    if (!c || !count) return NULL;
    before = count;
    if (*c == '.' && !(c = digits_quick(c + 1, end, &mantissa, &count))) return NULL;
    if (c == end || *c == 'e' || *c == 'E' || mantissa > (uint64_t)1 << 53) return NULL;
    const double value = (double)mantissa / power_of_ten[count - before];
    *out = negative ? -value : value;
    return c;
}

const char *number_scan(const char *text, const char *end, double *out)
{
    Decimal d;
    const char *after = plain_scan(text, end, out);
    if (after) return after;
    after = decimal_scan(text, end, &d);
    return after && decimal_value(&d, out) ? after : NULL;
}

NumberResult number_parse(const char *text, size_t length, double *out)
{
    Decimal d;
    char copy[512];
    if (decimal_scan(text, text + length, &d) != text + length) return NUMBER_NONE;
    if (decimal_value(&d, out)) return NUMBER_GOOD;
    if (length >= sizeof copy) return NUMBER_RANGE;
    memcpy(copy, text, length);
    copy[length] = 0;
    locale_t plain = plain_locale();
    *out = plain ? strtod_l(copy, NULL, plain) : strtod(copy, NULL);
    return isfinite(*out) ? NUMBER_GOOD : NUMBER_RANGE;
}

NumberResult integer_parse(const char *text, size_t length, int64_t low, int64_t high, int64_t *out)
{
    const char *c = text, *end = text + length;
    bool negative = false;
    uint64_t value = 0, most;
    if (c < end && (*c == '-' || *c == '+')) negative = *c++ == '-';
    if (c == end) return NUMBER_NONE;
    for (const char *d = c; d < end; d++)
        if (!is_digit(*d)) return NUMBER_NONE;
    most = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    for (; c < end; c++) {
        uint64_t digit = (uint64_t)(*c - '0');
        if (value > (most - digit) / 10) return NUMBER_RANGE;
        value = value * 10 + digit;
    }
    *out = negative ? (value > INT64_MAX ? INT64_MIN : -(int64_t)value) : (int64_t)value;
    return *out < low || *out > high ? NUMBER_RANGE : NUMBER_GOOD;
}
