/* numbers.c: what each operation gives for numbers, in double: used to fold constants and by the oracle (interpret.c).
 * The conventions are the language's: poles and 0 / 0 as IEEE has them, so log(0) is -inf and the log of less is nan;
 * max(a, b) is b where b > a, else a; true and false are 1 and 0. */
#include "tensor/cons.h"
#include <math.h>

/* The inverse of the normal distribution function: Acklam's rational start, then Halley's method on erfc, which doubles
 * the number of right digits and more in each step. */
static double probit(double p)
{
    static const double a[] = { -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.3577518672690,
                                -30.66479806614716, 2.506628277459239 };
    static const double b[] = { -54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972,
                                -13.28068155288572 };
    static const double c[] = { -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734,
                                4.374664141464968, 2.938163982698783 };
    static const double d[] = { 0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416 };
    if (!(p > 0 && p < 1)) return p == 0 ? -INFINITY : p == 1 ? INFINITY : NAN;
    double tail = p < 0.5 ? p : 1 - p, x;
    if (tail < 0.02425) {
        double q = sqrt(-2 * log(tail));
        x = (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
            ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
        x = p < 0.5 ? x : -x;
    } else {
        double q = p - 0.5, r = q * q;
        x = (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
            (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
    }
    for (int i = 0; i < 2; i++) {
        double error = p < 0.5 ? 0.5 * erfc(-x * M_SQRT1_2) - p : (1 - p) - 0.5 * erfc(x * M_SQRT1_2);
        double u = error * sqrt(2 * M_PI) * exp(x * x / 2);
        x -= u / (1 + x * u / 2);
    }
    return x;
}

/* The whole part of a number; 0 for what no int can hold. */
static double whole_part(double a) { return a > -9e15 && a < 9e15 ? trunc(a) : 0; }

static double apply_one(Op op, double a)
{
    switch (op) {
    case OP_STOP: case OP_TO_FLOAT: return a;
    case OP_TO_INT: return whole_part(a);
    case OP_NEG: return -a;
    case OP_NOT: return a == 0;
    case OP_EXP: return exp(a > 700 ? 700 : a);
    case OP_LOG: return log(a);
    case OP_LOG1P: return log1p(a);
    case OP_EXPM1: return expm1(a);
    case OP_SQRT: return sqrt(a);
    case OP_TANH: return tanh(a);
    case OP_ERF: return erf(a);
    case OP_SIN: return sin(a);
    case OP_COS: return cos(a);
    case OP_ABS: return fabs(a);
    case OP_SIGN: return (a > 0) - (a < 0);
    case OP_FLOOR: return floor(a);
    case OP_PROBIT: return probit(a);
    default: bug("number_apply: %s", op_info[op].name);
    }
}

double number_apply(Op op, double a, double b)
{
    switch (op) {
    case OP_ADD: return a + b;
    case OP_SUB: return a - b;
    case OP_MUL: return a * b;
    case OP_DIV: return a / b;
    case OP_POW: return pow(a, b);
    case OP_MAX: return b > a ? b : a;
    case OP_MIN: return b < a ? b : a;
    case OP_EQ: return a == b;
    case OP_NE: return a != b;
    case OP_LT: return a < b;
    case OP_GT: return a > b;
    case OP_LE: return a <= b;
    case OP_GE: return a >= b;
    case OP_AND: return a != 0 && b != 0;
    case OP_OR: return a != 0 || b != 0;
    default: return apply_one(op, a);
    }
}
