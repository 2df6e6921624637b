/* number.c: decimal numbers from text, strictly and whatever the locale is. Most numbers of a table take the short way:
 * up to 19 digits and a power of ten that a double holds exactly give the correctly rounded value with one operation.
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

static bool decimal_scan(const char *c, const char *end, Decimal *d)
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
    if (c - begin == (point != NULL)) return false; /* no digit at all */
    if (c < end && (*c == 'e' || *c == 'E')) {
        bool down = false;
        int64_t power = 0;
        if (++c < end && (*c == '-' || *c == '+')) down = *c++ == '-';
        if (c == end) return false;
        for (; c < end && is_digit(*c); c++)
            if (power < 1000000) power = power * 10 + (*c - '0');
        d->power += down ? -power : power;
    }
    return c == end;
}

static locale_t plain_locale(void)
{
    static locale_t made;
    if (!made) made = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return made;
}

NumberResult number_parse(const char *text, size_t length, double *out)
{
    static const double tens[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    Decimal d;
    char copy[512];
    if (!decimal_scan(text, text + length, &d)) return NUMBER_NONE;
    if (d.exact && d.mantissa <= (uint64_t)1 << 53 && d.power >= -22 && d.power <= 22) {
        double value = (double)d.mantissa;
        value = d.power < 0 ? value / tens[-d.power] : value * tens[d.power];
        *out = d.negative ? -value : value;
        return NUMBER_GOOD;
    }
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
