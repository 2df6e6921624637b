/* tile.h: what the loops of the kernels are made of: the inner loop of every contraction, strips of rows, subscripts that
 * are held inside, and small things that C has no operator for. Needs vec.h.
 * SPDX-License-Identifier: 0BSD */
#ifndef DLN_TILE_H
#define DLN_TILE_H

#if defined __GNUC__
#define NOINLINE static __attribute__((noinline))
#else
#define NOINLINE static
#endif

/* ---- numbers ---- */
INLINE real max1(real a, real b)              { return b > a ? b : a; }
INLINE real min1(real a, real b)              { return b < a ? b : a; }
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

/* ---- loops shared out over the threads, nested ones together ---- */
#ifdef _OPENMP
#define OMP_FOR_2 _Pragma("omp for schedule(static) nowait collapse(2)")
#define OMP_FOR_3 _Pragma("omp for schedule(static) nowait collapse(3)")
#define OMP_FOR_4 _Pragma("omp for schedule(static) nowait collapse(4)")
#define OMP_FOR_5 _Pragma("omp for schedule(static) nowait collapse(5)")
#define OMP_FOR_6 _Pragma("omp for schedule(static) nowait collapse(6)")
#else
#define OMP_FOR_2
#define OMP_FOR_3
#define OMP_FOR_4
#define OMP_FOR_5
#define OMP_FOR_6
#endif

/* ---- tiles: rows x width results, each loop unrolled so that the sums are registers ---- */
enum { TALLEST = 2 * ROWS };                     /* of one vector a row */
#define EACH_TILE(r, c) EACH(r, TALLEST) if (r < rows) EACH(c, 2) if (c * LANES < width)
INLINE void clear_tile(vec sum[TALLEST][2])      { EACH(r, TALLEST) EACH(c, 2) sum[r][c] = splat(R(0)); }
/* brings what will be read, and written over, near */
#if defined __GNUC__
#define prefetch(place) __builtin_prefetch(place, 1)
#else
#define prefetch(place) ((void)(place))
#endif
/* v in a register: else gcc loads it again for each of the products that it is in */
INLINE vec kept(vec v) {
#if DLN_VECTORS && defined __AVX__ && !defined __clang__
    __asm__("" : "+v"(v));
#endif
    return v;
}
/* *p in all lanes, by one instruction from memory and in each round anew. Left to itself gcc loads a whole vector to
 * broadcast one of its lanes, or keeps what the next round will need, and then sums have no register. */
INLINE vec spread(const real *p) {
#if DLN_VECTORS && defined __AVX512F__ && defined DLN_REAL_DOUBLE
    vec v; __asm__("vbroadcastsd {%1, %0|%0, %1}" : "=v"(v) : "m"(*p)); return v;
#elif DLN_VECTORS && defined __AVX512F__
    vec v; __asm__("vbroadcastss {%1, %0|%0, %1}" : "=v"(v) : "m"(*p)); return v;
#elif DLN_VECTORS && defined __AVX__ && defined DLN_REAL_DOUBLE
    vec v; __asm__("vbroadcastsd {%1, %0|%0, %1}" : "=x"(v) : "m"(*p)); return v;
#elif DLN_VECTORS && defined __AVX__
    vec v; __asm__("vbroadcastss {%1, %0|%0, %1}" : "=x"(v) : "m"(*p)); return v;
#else
    return splat(*p);
#endif
}
/* sum[r][c] += a[r * a_row + k * a_k] * b[k * b_k + c * LANES ..] over k: the inner loop of every contraction */
INLINE void contract(const int rows, const int width, int length, const real *a, const int a_row, const int a_k,
                     const real *b, const int b_k, vec sum[TALLEST][2]) {
    for (int k = 0; k < length; k++) {
        const vec b0 = kept(load(b + k * b_k)), b1 = width > LANES ? kept(load(b + k * b_k + LANES)) : b0;
        EACH(r, ROWS) if (r < rows) {
            const vec x = spread(a + r * a_row + k * a_k);
            sum[r][0] = fused(x, b0, sum[r][0]);
            if (width > LANES) sum[r][1] = fused(x, b1, sum[r][1]);
        }
    }
}
/* the same where one vector may be as wide as the tile */
INLINE void contract_tall(const int rows, const int width, int length, const real *a, const int a_row, const int a_k,
                          const real *b, const int b_k, vec sum[TALLEST][2]) {
    if (width > LANES) { contract(rows, width, length, a, a_row, a_k, b, b_k, sum); return; }
    for (int k = 0; k < length; k++) {
        const vec b0 = kept(load(b + k * b_k));
        EACH(r, TALLEST) if (r < rows) sum[r][0] = fused(spread(a + r * a_row + k * a_k), b0, sum[r][0]);
    }
}
/* the same where nothing may be read behind the last column */
INLINE void contract_part(const int rows, const int width, int length, const real *a, const int a_row, const int a_k,
                          const real *b, const int b_k, vec sum[TALLEST][2]) {
    for (int k = 0; k < length; k++) {
        const vec b0 = load_part(b + k * b_k, width), b1 = width > LANES ? load_part(b + k * b_k + LANES, width - LANES) : b0;
        EACH(r, TALLEST) if (r < rows) {
            const vec x = spread(a + r * a_row + k * a_k);
            sum[r][0] = fused(x, b0, sum[r][0]);
            if (width > LANES) sum[r][1] = fused(x, b1, sum[r][1]);
        }
    }
}
/* the same of one row: sum[r][c] is of column r * WIDE + c * LANES */
INLINE void contract_row(const int rows, int length, const real *a, const int a_k, const real *b, const int b_k,
                         vec sum[TALLEST][2]) {
    for (int k = 0; k < length; k++) {
        const vec x = spread(a + k * a_k);
        EACH(r, ROWS) if (r < rows) EACH(c, 2)
            sum[r][c] = fused(x, load(b + k * b_k + r * WIDE + c * LANES), sum[r][c]);
    }
}
/* ---- sums over lists: of many products those that are not 0 ---- */
INLINE void clear_reals(real *p, int n)       { for (int i = 0; i < n; i++) p[i] = 0; }
/* to[r * to_row + c] += x[k] * b[place[k] + r * b_row + c] over k, for up to 6 rows of up to 384 bytes: 12 registers of
 * AVX. Behind a row of b there may be anything; behind one of `to` nothing is touched. */
enum { LISTED = 384 / REAL / LANES };
#define EACH_LISTED(r, c) EACH(r, 6) if (r < rows) UNROLL_LISTED for (int c = 0; c < LISTED; c++) if (c * LANES < width)
#if DLN_VECTORS
#define UNROLL_LISTED _Pragma("GCC unroll 24")
#else
#define UNROLL_LISTED
#endif
INLINE void add_listed(const int rows, const int width, int length, const int *place, const real *x,
                       const real *b, const int b_row, real *to, const int to_row) {
    vec sum[6][LISTED];
    EACH_LISTED(r, c) sum[r][c] = load_part(to + r * to_row + c * LANES, width - c * LANES);
    for (int k = 0; k < length; k++) {
        const real *const at = b + place[k];
        const vec v = spread(x + k);
        EACH_LISTED(r, c) sum[r][c] = fused(v, load(at + r * b_row + c * LANES), sum[r][c]);
    }
    EACH_LISTED(r, c) store_part(to + r * to_row + c * LANES, sum[r][c], width - c * LANES);
}
/* Lists those of n that are not 0 by their winner: from `at` on the place (i * b_k) and the amount of each whose winner is
 * 0, then 1, ..; counts[z] of them. bucket has room for n of each winner. The number that are listed then. */
INLINE int list_winners(const int winners, const int n, const loose_int *winner, const real *x, const int b_k, int *bucket,
                        int *counts, int *place, real *amount, int at) {
    for (int z = 0; z < winners; z++) counts[z] = 0;
    for (int i = 0; i < n; i++) {
        const int z = winner[i], k = counts[z];
        bucket[z * n + k] = i;
        counts[z] = k + (x[i] != 0);
    }
    for (int z = 0; z < winners; z++)
        for (int k = 0; k < counts[z]; k++) {
            const int i = bucket[z * n + k];
            place[at] = i * b_k;
            amount[at++] = x[i];
        }
    return at;
}
/* n rows in strips of nearly equal height, at most `most`, the taller ones first; n and most are numbers of the text */
#define STRIPS_OF(n, most)  (((n) + (most) - 1) / (most))
#define LOW(n, most)        ((n) / STRIPS_OF(n, most))
#define TALL(n, most)       ((n) % STRIPS_OF(n, most))
#define STRIP_OF(tile, n, most, s, width, ...) do { \
        if (TALL(n, most) > 0 && (s) < TALL(n, most)) tile(LOW(n, most) + 1, width, (s) * (LOW(n, most) + 1), __VA_ARGS__); \
        else tile(LOW(n, most), width, (s) * LOW(n, most) + TALL(n, most), __VA_ARGS__); \
    } while (0)
#define STRIPS(n)                     STRIPS_OF(n, ROWS)
#define STRIP(tile, n, s, width, ...) STRIP_OF(tile, n, ROWS, s, width, __VA_ARGS__)
#define HEIGHT(columns)               ((columns) <= LANES ? TALLEST : ROWS)
/* n samples: strips of ROWS and ROWS - 1 if that comes out, else of ROWS and single rows */
INLINE int strip_evens(int n)                 { const int s = (n + ROWS - 1) / ROWS; return s * (ROWS - 1) <= n ? s : 0; }
INLINE int strip_count(int n)                 { const int s = strip_evens(n); return s ? s : n / ROWS + n % ROWS; }
INLINE int strip_talls(int n)                 { const int s = strip_evens(n); return s ? n - s * (ROWS - 1) : n / ROWS; }
#define RUN_STRIP(tile, n, s, width, ...) do { \
        const int talls_ = strip_talls(n); \
        if ((s) < talls_) tile(ROWS, width, (s) * ROWS, __VA_ARGS__); \
        else if (strip_evens(n)) tile(ROWS - 1, width, talls_ * ROWS + ((s) - talls_) * (ROWS - 1), __VA_ARGS__); \
        else tile(1, width, talls_ * ROWS + (s) - talls_, __VA_ARGS__); \
    } while (0)
#endif
