/* tile.h: what the loops of the kernels are made of: the inner loop of every contraction, strips of rows, subscripts that
 * are held inside, and small things that C has no operator for. Needs vec.h.
 * SPDX-License-Identifier: 0BSD */
#ifndef DLN_TILE_H
#define DLN_TILE_H

/* ---- numbers ---- */
INLINE real max1(real b, real a)              { return a > b ? a : b; }
INLINE real min1(real b, real a)              { return a < b ? a : b; }
INLINE int  max_int(int a, int b)             { return a > b ? a : b; }
INLINE int  min_int(int a, int b)             { return a < b ? a : b; }
/* towards 0; what an int cannot hold is the nearest one that it can, nan is 0 */
INLINE int  wide_to_int(double x) {
    if (!(x < 2147483648.0)) return x > 0 ? INT32_MAX : 0;
    return x < -2147483648.0 ? INT32_MIN : (int)x;
}
/* rounded down, for any sign of a; k > 0 */
INLINE int  floor_div(int a, int k)           { return a / k - (a % k < 0); }
INLINE int  floor_mod(int a, int k)           { return a % k + (a % k < 0 ? k : 0); }
/* the place itself if it is on an axis of `end` places, else the nearest one that is */
INLINE int  held(int place, int end)          { return place < 0 ? 0 : place < end ? place : end - 1; }
#if DLN_VECTORS
INLINE mask truth(int yes)                    { return to_mask(splat_int(-(yes != 0))); }
#else
INLINE mask truth(int yes)                    { return yes != 0; }
#endif
#endif
