/* digits: draws handwritten-like digits and writes them as the four MNIST files, so that every example trains at once
 * without a network.
 *
 *     digits OUTDIR [--train 20000] [--test 4000] [--seed 1] [--colour] [--meta]
 *
 * How to read it, from the bottom: main writes the files, image by image; image_draw draws one: hand_new chooses how it
 * is written, write_glyph turns a glyph's strokes into short segments of ink, ink_* paints them with smooth edges, and
 * paper_* makes a grey or a coloured picture of the ink. Image i of a set depends on (seed, set, i) alone, so a smaller
 * set is the beginning of a larger one and the grey and the coloured set have the same labels.
 * The same bytes on every machine: integers, and + - * / sqrt in double (compile with -ffp-contract=off); never two
 * random numbers in one expression, whose order C leaves open.
 * SPDX-License-Identifier: MIT */
#include "glyphs.h"
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- random numbers: splitmix64 */
typedef struct Random { uint64_t state; } Random;

static uint64_t random_next(Random *r)
{
    uint64_t z = r->state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static Random random_of(uint64_t seed, uint64_t set, uint64_t image)
{
    Random r = { seed };
    r.state = random_next(&r) + set;
    r.state = random_next(&r) + image;
    r.state = random_next(&r);
    return r;
}

static double uniform(Random *r, double low, double high)
{
    return low + (high - low) * ((double)(random_next(r) >> 11) / 9007199254740992.0);
}

static int below(Random *r, int n) { return (int)(random_next(r) >> 33) % n; }

/* nearly normal, mean 0, deviation 1, never beyond 3.5 */
static double normal(Random *r)
{
    double sum = 0;
    for (int i = 0; i < 4; i++) sum += uniform(r, -1, 1);
    return sum * 0.8660254037844386;
}

static double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

/* ---- ink: how dark each pixel is, 0 .. 1 */
enum { SIDE_MAX = 32 };
typedef struct Ink { int side; double at[SIDE_MAX][SIDE_MAX]; } Ink;
typedef struct Point { double x, y; } Point;

/* A segment from a to b, drawn by a round pen of the given radius whose edge fades over `soft` pixels. */
static void ink_segment(Ink *ink, Point a, Point b, double radius, double soft, double dark)
{
    double reach = radius + soft, dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy;
    int left  = (int)clamp((a.x < b.x ? a.x : b.x) - reach, 0, ink->side);
    int right = (int)clamp((a.x < b.x ? b.x : a.x) + reach + 1, 0, ink->side);
    int top    = (int)clamp((a.y < b.y ? a.y : b.y) - reach, 0, ink->side);
    int bottom = (int)clamp((a.y < b.y ? b.y : a.y) + reach + 1, 0, ink->side);
    for (int y = top; y < bottom; y++) {
        for (int x = left; x < right; x++) {
            double px = x + 0.5 - a.x, py = y + 0.5 - a.y;
            double along = length2 > 0 ? clamp((px * dx + py * dy) / length2, 0, 1) : 0;
            double ex = px - along * dx, ey = py - along * dy, distance = sqrt(ex * ex + ey * ey);
            double cover = dark * clamp((radius - distance) / soft + 0.5, 0, 1);
            if (cover > ink->at[y][x]) ink->at[y][x] = cover;
        }
    }
}

/* ---- the hand: what all strokes of one image share */
typedef struct Hand {
    double slant, turn, width, height;           /* turn: tangent of half the angle */
    Point centre;
    double bend[2][3];                           /* x and y move by bend . (u v, u^2, v^2), u and v in -1/2 .. 1/2 */
    double shake;                                /* how far points stray, in the box of 100 */
    double radius, pressure, soft, dark;
} Hand;

static Hand hand_new(Random *r, int side)
{
    Hand h;
    double scale = side / 28.0;
    h.slant = 0.12 + 0.21 * normal(r);
    h.turn = 0.045 * normal(r);
    h.height = clamp(19 + 1.9 * normal(r), 13, 25) * scale;
    h.width = h.height * clamp(0.74 + 0.13 * normal(r), 0.42, 1.1);
    h.centre.x = side / 2.0 + uniform(r, -1.0, 1.0) * scale;
    h.centre.y = side / 2.0 + uniform(r, -1.0, 1.0) * scale;
    h.centre.x += 0.6 * normal(r) * scale;
    h.centre.y += 0.6 * normal(r) * scale;
    for (int axis = 0; axis < 2; axis++)
        for (int k = 0; k < 3; k++) h.bend[axis][k] = 0.12 * normal(r);
    h.shake = uniform(r, 1.5, 5.0);
    h.radius = clamp(1.25 + 0.42 * normal(r), 0.6, 2.5) * scale;
    h.pressure = uniform(r, 0, 0.35);
    h.soft = uniform(r, 0.9, 1.6);
    h.dark = uniform(r, 0.72, 1);
    return h;
}

/* from the glyph's box to the picture */
static Point hand_place(const Hand *h, Point p)
{
    double u = p.x / 100 - 0.5, v = p.y / 100 - 0.5;
    double x = u + h->bend[0][0] * u * v + h->bend[0][1] * u * u + h->bend[0][2] * v * v;
    double y = v + h->bend[1][0] * u * v + h->bend[1][1] * u * u + h->bend[1][2] * v * v;
    x = x * h->width - h->slant * y * h->height;
    y = y * h->height;
    double t2 = h->turn * h->turn, c = (1 - t2) / (1 + t2), s = 2 * h->turn / (1 + t2);
    Point q = { h->centre.x + c * x - s * y, h->centre.y + s * x + c * y };
    return q;
}

/* Catmull-Rom: from b (t = 0) to c (t = 1), smooth with what comes before and after. */
static double between(double a, double b, double c, double d, double t)
{
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
}

/* The smooth curve through n points, as ink. */
static void write_curve(Ink *ink, Random *r, const Hand *h, const Point *p, int n)
{
    enum { STEPS = 8 };
    double press = 1 + h->pressure * normal(r) * 0.6;
    Point last = hand_place(h, p[0]);
    for (int i = 0; i + 1 < n; i++) {
        Point a = p[i > 0 ? i - 1 : i], b = p[i], c = p[i + 1], d = p[i + 2 < n ? i + 2 : i + 1];
        double next = clamp(1 + h->pressure * normal(r), 0.5, 1.6);
        for (int k = 1; k <= STEPS; k++) {
            double t = (double)k / STEPS;
            Point q = { between(a.x, b.x, c.x, d.x, t), between(a.y, b.y, c.y, d.y, t) };
            Point placed = hand_place(h, q);
            ink_segment(ink, last, placed, h->radius * (press + (next - press) * t), h->soft, h->dark);
            last = placed;
        }
        press = next;
    }
}

/* One digit: parses the strokes, lets every point stray a little, and some strokes begin late or end early. */
static void write_glyph(Ink *ink, Random *r, const Hand *h, const Glyph *glyph)
{
    enum { POINTS = 32 };
    Point p[POINTS];
    int n = 0;
    const char *s = glyph->strokes;
    Point stray = { 0, 0 };
    for (;;) {
        while (*s == ' ') s++;
        if (*s == '|' || *s == '/' || *s == 0) {
            if (n > 1) write_curve(ink, r, h, p, n);
            if (*s == 0) return;
            if (*s == '|') p[0] = p[n - 1], n = 1;
            else n = 0, stray.x = 1.2 * h->shake * normal(r), stray.y = 1.2 * h->shake * normal(r);
            s++;
            continue;
        }
        char *after;
        double x = (double)strtol(s, &after, 10), y = (double)strtol(after, &after, 10);
        s = after;
        if (n < POINTS) {
            p[n].x = x + stray.x + h->shake * normal(r);
            p[n].y = y + stray.y + h->shake * normal(r);
            n++;
        }
    }
}

static const Glyph *glyph_choose(Random *r, int digit)
{
    int all = 0;
    for (int i = 0; i < GLYPHS; i++) if (glyphs[i].digit == digit) all += glyphs[i].often;
    int at = below(r, all);
    for (int i = 0; i < GLYPHS; i++) {
        if (glyphs[i].digit != digit) continue;
        if (at < glyphs[i].often) return &glyphs[i];
        at -= glyphs[i].often;
    }
    return &glyphs[0];
}

/* What does not belong to the digit: the end of a neighbour's stroke at the edge, specks. */
static void write_marks(Ink *ink, Random *r, const Hand *h)
{
    double side = ink->side;
    if (below(r, 100) < 22) {
        double edge = uniform(r, 0, side);
        Point a = { edge, 0 }, b;
        switch (below(r, 4)) {
        case 0: break;
        case 1: a.y = side; break;
        case 2: a.x = 0, a.y = edge; break;
        default: a.x = side, a.y = edge;
        }
        b.x = a.x + (side / 2 - a.x) * uniform(r, 0.1, 0.38);
        b.y = a.y + (side / 2 - a.y) * uniform(r, 0.1, 0.38);
        b.x += 2 * normal(r);
        b.y += 2 * normal(r);
        ink_segment(ink, a, b, h->radius, h->soft, h->dark);
    }
    for (int specks = below(r, 100) < 25 ? 1 + below(r, 3) : 0; specks > 0; specks--) {
        Point a, b;
        a.x = uniform(r, 0, side);
        a.y = uniform(r, 0, side);
        b.x = a.x + 0.8 * normal(r);
        b.y = a.y + 0.8 * normal(r);
        double radius = uniform(r, 0.3, 0.8), dark = uniform(r, 0.3, 1);
        ink_segment(ink, a, b, radius, h->soft, dark);
    }
}

/* ---- paper: ink as a picture of bytes */
static uint8_t byte_of(double x) { return (uint8_t)(clamp(x, 0, 1) * 255 + 0.5); }

/* black paper, white ink as in MNIST; every third scan is noisy */
static void paper_grey(const Ink *ink, Random *r, uint8_t *out)
{
    double noise = below(r, 3) == 0 ? uniform(r, 0.02, 0.12) : 0;
    for (int y = 0; y < ink->side; y++)
        for (int x = 0; x < ink->side; x++)
            *out++ = byte_of(ink->at[y][x] + (noise > 0 ? noise * normal(r) : 0));
}

/* Two colours that can be told apart, the paper's shaded from side to side, a grain in each channel. */
static void paper_colour(const Ink *ink, Random *r, uint8_t *out)
{
    double front[3], back[3], shade_x[3], shade_y[3], contrast;
    do {
        contrast = 0;
        for (int c = 0; c < 3; c++) {
            front[c] = uniform(r, 0, 1), back[c] = uniform(r, 0, 1);
            contrast += (front[c] - back[c]) * (front[c] - back[c]);
        }
    } while (contrast < 0.16);
    for (int c = 0; c < 3; c++) shade_x[c] = 0.12 * normal(r), shade_y[c] = 0.12 * normal(r);
    double noise = uniform(r, 0.01, 0.07);
    for (int y = 0; y < ink->side; y++) {
        for (int x = 0; x < ink->side; x++) {
            double u = (double)x / ink->side - 0.5, v = (double)y / ink->side - 0.5;
            for (int c = 0; c < 3; c++) {
                double paper = back[c] + shade_x[c] * u + shade_y[c] * v;
                *out++ = byte_of(paper + ink->at[y][x] * (front[c] - paper) + noise * normal(r));
            }
        }
    }
}

/* ---- one image: its label, and its pixels; meta is how it was written: slant, thickness, scale, shift */
static int image_draw(Random *r, int colour, uint8_t *pixels, float meta[4])
{
    int side = colour ? 32 : 28, digit = below(r, 10);
    Ink ink = { .side = side };
    const Glyph *glyph = glyph_choose(r, digit);
    Hand hand = hand_new(r, side);
    write_glyph(&ink, r, &hand, glyph);
    write_marks(&ink, r, &hand);
    if (colour) paper_colour(&ink, r, pixels);
    else paper_grey(&ink, r, pixels);
    meta[0] = (float)hand.slant;
    meta[1] = (float)(hand.radius * 28 / side);
    meta[2] = (float)(hand.height / side);
    meta[3] = (float)((hand.centre.x + hand.centre.y) / side - 1);
    return digit;
}

/* ---- IDX: 0 0 type axes, the extents, the values, all big-endian */
enum { IDX_BYTE = 0x08, IDX_FLOAT = 0x0D };

static void put_word(FILE *f, uint32_t word)
{
    for (int shift = 24; shift >= 0; shift -= 8) fputc((int)(word >> shift & 255), f);
}

static FILE *idx_begin(const char *folder, const char *set, const char *name, int type, int axes, const int *extent)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s-%s", folder, set, name) >= (int)sizeof path) {
        fprintf(stderr, "digits: the name of the folder is too long\n");
        exit(2);
    }
    FILE *f = fopen(path, "wb");
    if (!f) { perror(path); exit(3); }
    put_word(f, (uint32_t)(type << 8 | axes));
    for (int i = 0; i < axes; i++) put_word(f, (uint32_t)extent[i]);
    return f;
}

static void idx_end(FILE *f, const char *name)
{
    int bad = ferror(f);
    if (fclose(f) != 0 || bad) { perror(name); exit(3); }
}

static void write_set(const char *folder, const char *name, int set, int count, uint64_t seed, int colour,
                      int with_meta)
{
    static uint8_t pixels[SIDE_MAX * SIDE_MAX * 3];
    const int grey_shape[] = { count, 28, 28 }, colour_shape[] = { count, 32, 32, 3 }, meta_shape[] = { count, 4 };
    const char *images_name = colour ? "images-idx4-ubyte" : "images-idx3-ubyte";
    size_t bytes = colour ? 32 * 32 * 3 : 28 * 28;
    FILE *images = idx_begin(folder, name, images_name, IDX_BYTE, colour ? 4 : 3, colour ? colour_shape : grey_shape);
    FILE *labels = idx_begin(folder, name, "labels-idx1-ubyte", IDX_BYTE, 1, &count);
    FILE *metas = with_meta ? idx_begin(folder, name, "meta-idx2-float", IDX_FLOAT, 2, meta_shape) : NULL;
    for (int i = 0; i < count; i++) {
        Random r = random_of(seed, (uint64_t)set, (uint64_t)i);
        float meta[4];
        int label = image_draw(&r, colour, pixels, meta);
        fwrite(pixels, 1, bytes, images);
        fputc(label, labels);
        for (int k = 0; metas && k < 4; k++) {
            uint32_t word;
            memcpy(&word, &meta[k], sizeof word);
            put_word(metas, word);
        }
    }
    idx_end(images, images_name);
    idx_end(labels, "labels-idx1-ubyte");
    if (metas) idx_end(metas, "meta-idx2-float");
}

static int usage(void)
{
    fprintf(stderr, "usage: digits OUTDIR [--train 20000] [--test 4000] [--seed 1] [--colour] [--meta]\n"
                    "  writes images and labels, train-* and t10k-*, as IDX: 28x28 grey, or 32x32x3 with --colour;\n"
                    "  --meta: how each digit was written too (slant, thickness, scale, shift), as IDX floats\n");
    return 2;
}

int main(int argc, char **argv)
{
    const char *folder = NULL;
    long train = 20000, test = 4000, seed = 1;
    int colour = 0, meta = 0;
    for (int i = 1; i < argc; i++) {
        long *number = !strcmp(argv[i], "--train") ? &train : !strcmp(argv[i], "--test") ? &test :
                       !strcmp(argv[i], "--seed") ? &seed : NULL;
        if (number) {
            char *end;
            if (++i == argc) return usage();
            *number = strtol(argv[i], &end, 10);
            if (*end || end == argv[i] || *number < 1 || *number > 10000000) return usage();
        }
        else if (!strcmp(argv[i], "--colour")) colour = 1;
        else if (!strcmp(argv[i], "--meta")) meta = 1;
        else if (argv[i][0] == '-' || folder) return usage();
        else folder = argv[i];
    }
    if (!folder) return usage();
    write_set(folder, "train", 0, (int)train, (uint64_t)seed, colour, meta);
    write_set(folder, "t10k", 1, (int)test, (uint64_t)seed, colour, meta);
    return 0;
}
