/* image.c: a PNG or JPEG file into the bytes of a sample: decoded, into the model's channels, and to its size.
 *
 *     image_read -> png_decode | jpeg_decode -> Picture (4 bytes a pixel) -> channels_keep -> picture_fit
 *
 * libpng and libjpeg are opened when the first image is read, so that a program without images neither needs nor links
 * them; where libdln.a was built without their headers, images are refused with words. A file with anything wrong
 * is an error, warnings of the libraries included. Memory is bounded by IMAGE_MOST pixels, and for PNG by what the
 * bytes of the file can hold. Sizes change in whole numbers only: the same bytes on every machine.
 * SPDX-License-Identifier: 0BSD */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include "image.h"
#if __has_include(<png.h>)
#include <png.h>
#endif
#if __has_include(<jpeglib.h>)
#include <jpeglib.h>
#endif

enum { IMAGE_MOST = 1 << 26, SCANS_MOST = 500, PIXEL = 4 }; /* pixels; passes over a JPEG image; bytes of a pixel */

typedef struct Picture {
    int height, width;
    unsigned char *pixels; /* PIXEL bytes each: red, green, blue, opacity */
} Picture;

typedef struct Library {
    const char *name, *package;
    const char *file[3]; /* the first that opens is taken */
    int functions;
    const char *const *function;
    void **address; /* of each function; [0] NULL: not opened yet */
} Library;

static bool library_open(const Library *l, Problem *p)
{
    void *handle = NULL;
    if (l->address[0]) return true;
    for (int i = 0; !handle && i < 3 && l->file[i]; i++) handle = dlopen(l->file[i], RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return problem_set(p, EXIT_IO, "%s files need %s, which is not here (%s; Debian: apt-get install %s)", l->name,
                           l->file[0], dlerror(), l->package);
    for (int i = l->functions - 1; i >= 0; i--)
        if (!(l->address[i] = dlsym(handle, l->function[i]))) {
            problem_set(p, EXIT_IO, "%s has no function %s", l->file[0], l->function[i]);
            dlclose(handle);
            return false;
        }
    return true; /* stays open */
}

static bool picture_size(Picture *out, const char *name, uint64_t height, uint64_t width, Problem *p)
{
    if (!height || !width || height > IMAGE_SIDE || width > IMAGE_SIDE || height * width > IMAGE_MOST)
        return problem_set(p, EXIT_INPUT, "%s: %llu x %llu pixels; images of up to %d pixels, %d a side, are read",
                           name, (unsigned long long)width, (unsigned long long)height, (int)IMAGE_MOST,
                           (int)IMAGE_SIDE);
    *out = (Picture){ .height = (int)height, .width = (int)width };
    out->pixels = memory_new((size_t)(height * width), PIXEL, p);
    return out->pixels != NULL;
}

/* ---- PNG ---- */

#ifdef PNG_IMAGE_VERSION
enum { PNG_BEGIN, PNG_FINISH, PNG_FREE, PNG_FUNCTIONS };
static const char *const png_function[] = { "png_image_begin_read_from_memory", "png_image_finish_read",
                                            "png_image_free" };
static void *png_address[PNG_FUNCTIONS];
static const Library png_library = { "PNG",         "libpng16-16", { "libpng16.so.16", "libpng16.so", "libpng.so" },
                                     PNG_FUNCTIONS, png_function,  png_address };
typedef int PngBegin(png_imagep, png_const_voidp, size_t);
typedef int PngFinish(png_imagep, png_const_colorp, void *, png_int_32, void *);
typedef void PngFree(png_imagep);

/* Deflate makes at most 1,032 bytes of one: a header that promises more than that lies. */
static bool png_plausible(const Bytes *file, const char *name, uint64_t height, uint64_t width, Problem *p)
{
    const uint64_t least_bits = file->count > 24 && file->at[24] ? file->at[24] : 1;
    const uint64_t bytes = height * (1 + (width * least_bits + 7) / 8);
    return bytes / 1032 <= file->count ||
           problem_set(p, EXIT_INPUT, "%s: %llu x %llu pixels do not fit into its %zu bytes", name,
                       (unsigned long long)width, (unsigned long long)height, file->count);
}

static bool png_decode(const Bytes *file, const char *name, Picture *out, Problem *p)
{
    png_image image = { .version = PNG_IMAGE_VERSION };
    PngBegin *begin = (PngBegin *)png_address[PNG_BEGIN];
    PngFinish *finish = (PngFinish *)png_address[PNG_FINISH];
    PngFree *release = (PngFree *)png_address[PNG_FREE];
    bool good = begin(&image, file->at, file->count);
    if (good && (!png_plausible(file, name, image.height, image.width, p) ||
                 !picture_size(out, name, image.height, image.width, p))) {
        release(&image);
        return false;
    }
    image.format = PNG_FORMAT_RGBA;
    image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB; /* 16 bits are no other scale of light than 8 */
    good = good && finish(&image, NULL, out->pixels, 0, NULL);
    if (!good || PNG_IMAGE_FAILED(image))
        good = problem_set(p, EXIT_INPUT, "%s: damaged PNG image (%.60s)", name, image.message);
    release(&image);
    return good;
}
#endif

/* ---- JPEG ---- */

#ifdef JPEG_LIB_VERSION
enum {
    JPEG_ERRORS,
    JPEG_CREATE,
    JPEG_SOURCE,
    JPEG_HEADER,
    JPEG_START,
    JPEG_LINES,
    JPEG_FINISH,
    JPEG_DESTROY,
    JPEG_FUNCTIONS
};
static const char *const jpeg_function[] = { "jpeg_std_error",         "jpeg_CreateDecompress",  "jpeg_mem_src",
                                             "jpeg_read_header",       "jpeg_start_decompress",  "jpeg_read_scanlines",
                                             "jpeg_finish_decompress", "jpeg_destroy_decompress" };
static void *jpeg_address[JPEG_FUNCTIONS];
#if JPEG_LIB_VERSION >= 80
static const Library jpeg_library = { "JPEG",         "libjpeg62-turbo", { "libjpeg.so.8", NULL, NULL },
                                      JPEG_FUNCTIONS, jpeg_function,     jpeg_address };
#else
static const Library jpeg_library = { "JPEG",         "libjpeg62-turbo", { "libjpeg.so.62", NULL, NULL },
                                      JPEG_FUNCTIONS, jpeg_function,     jpeg_address };
#endif
typedef struct jpeg_error_mgr *JpegErrors(struct jpeg_error_mgr *);
typedef void JpegCreate(j_decompress_ptr, int, size_t);
typedef void JpegSource(j_decompress_ptr, const unsigned char *, unsigned long);
typedef int JpegHeader(j_decompress_ptr, boolean);
typedef boolean JpegWhole(j_decompress_ptr);
typedef JDIMENSION JpegLines(j_decompress_ptr, JSAMPARRAY, JDIMENSION);
typedef void JpegDestroy(j_decompress_ptr);

typedef struct Jpeg {
    struct jpeg_decompress_struct d; /* first: the library's calls back give its address */
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    char words[JMSG_LENGTH_MAX];
    Picture *out;
    Problem *p;
    const char *name;
} Jpeg;

static void jpeg_failed(j_common_ptr common)
{
    Jpeg *j = (Jpeg *)common;
    j->errors.format_message(common, j->words);
    longjmp(j->failed, 1);
}

/* level -1: something is wrong with the data; above: news. */
static void jpeg_warned(j_common_ptr common, int level)
{
    if (level < 0) jpeg_failed(common);
}

/* A small file can ask for the whole picture to be gone through again and again. */
static void jpeg_scanned(j_common_ptr common)
{
    Jpeg *j = (Jpeg *)common;
    if (j->d.input_scan_number <= SCANS_MOST) return;
    snprintf(j->words, sizeof j->words, "more than %d scans", SCANS_MOST);
    longjmp(j->failed, 1);
}

/* longjmp comes back into jpeg_decode; what it needs then is in j. */
static bool jpeg_lines(Jpeg *j, const Bytes *file)
{
    ((JpegCreate *)jpeg_address[JPEG_CREATE])(&j->d, JPEG_LIB_VERSION, sizeof j->d);
    j->d.progress = &j->progress;
    ((JpegSource *)jpeg_address[JPEG_SOURCE])(&j->d, file->at, (unsigned long)file->count);
    ((JpegHeader *)jpeg_address[JPEG_HEADER])(&j->d, TRUE);
    if (!picture_size(j->out, j->name, j->d.image_height, j->d.image_width, j->p)) return false;
    const bool four = j->d.jpeg_color_space == JCS_CMYK || j->d.jpeg_color_space == JCS_YCCK;
    if (four) return problem_set(j->p, EXIT_INPUT, "%s: a JPEG image of four inks (CMYK); save it as RGB", j->name);
    const bool grey = j->d.jpeg_color_space == JCS_GRAYSCALE;
    j->d.out_color_space = grey ? JCS_GRAYSCALE : JCS_RGB;
    j->d.dct_method = JDCT_ISLOW;
    ((JpegWhole *)jpeg_address[JPEG_START])(&j->d);
    const size_t width = (size_t)j->out->width;
    while (j->d.output_scanline < j->d.output_height) {
        unsigned char *line = j->out->pixels + (size_t)j->d.output_scanline * width * PIXEL;
        if (!((JpegLines *)jpeg_address[JPEG_LINES])(&j->d, &line, 1)) continue;
        for (size_t x = width; x-- > 0;) { /* spread in place, from the end */
            const unsigned char *from = line + (grey ? x : 3 * x);
            const unsigned char pixel[PIXEL] = { from[0], from[grey ? 0 : 1], from[grey ? 0 : 2], 255 };
            memcpy(line + PIXEL * x, pixel, PIXEL);
        }
    }
    ((JpegWhole *)jpeg_address[JPEG_FINISH])(&j->d);
    return true;
}

static bool jpeg_decode(const Bytes *file, const char *name, Picture *out, Problem *p)
{
    Jpeg *j = memory_new(1, sizeof *j, p);
    bool good = false;
    if (!j) return false;
    j->out = out, j->p = p, j->name = name;
    j->d.err = ((JpegErrors *)jpeg_address[JPEG_ERRORS])(&j->errors);
    j->errors.error_exit = jpeg_failed;
    j->errors.emit_message = jpeg_warned;
    j->progress.progress_monitor = jpeg_scanned;
    if (!setjmp(j->failed))
        good = jpeg_lines(j, file);
    else
        problem_set(p, EXIT_INPUT, "%s: damaged JPEG image (%.100s)", name, j->words);
    ((JpegDestroy *)jpeg_address[JPEG_DESTROY])(&j->d);
    free(j);
    return good;
}
#endif

/* ---- channels and size ---- */

/* Grey is the weighted sum that TV and most programs take; whole numbers, of which the weights make 2^16. */
static void channels_keep(Picture *picture, int channels)
{
    const size_t count = (size_t)picture->height * (size_t)picture->width;
    const unsigned char *from = picture->pixels;
    unsigned char *to = picture->pixels;
    for (size_t i = 0; i < count; i++, from += PIXEL, to += channels)
        if (channels == 1)
            *to = (unsigned char)((19595u * from[0] + 38470u * from[1] + 7471u * from[2] + 32768u) >> 16);
        else
            memmove(to, from, (size_t)channels);
}

/* How place `at` of `to` places is made of `from` places, `begin` further on: the weights of a triangle as wide as a
 * place of the coarser side, so that making small takes means and making large goes from one to the next in a line. */
typedef struct Taps {
    int64_t first, count, sum;
} Taps;
static int64_t tap_weight(int64_t at, int64_t s, int64_t from, int64_t to)
{
    const int64_t wide = 2 * (from > to ? from : to), away = (2 * s + 1) * to - (2 * at + 1) * from;
    const int64_t weight = wide - (away < 0 ? -away : away);
    return weight > 0 ? weight : 0;
}
static Taps taps_of(int64_t at, int64_t from, int64_t to)
{
    const int64_t reach = from > to ? from / to + 2 : 2, middle = (2 * at + 1) * from / (2 * to);
    Taps taps = { .first = middle > reach ? middle - reach : 0 };
    int64_t end = middle + reach + 1 < from ? middle + reach + 1 : from;
    while (!tap_weight(at, taps.first, from, to)) taps.first++;
    while (!tap_weight(at, end - 1, from, to)) end--;
    taps.count = end - taps.first;
    for (int64_t s = taps.first; s < end; s++) taps.sum += tap_weight(at, s, from, to);
    return taps;
}

typedef struct Cut {
    int top, left, height, width;
} Cut; /* of the picture, what is kept */

/* Across: rows of the cut become `width` pixels of 16 bits; then down. */
static void rows_fit(const Picture *picture, Cut cut, const ImageShape *shape, const int64_t *weight, const Taps *taps,
                     uint16_t *to)
{
    const size_t channels = (size_t)shape->channels;
    for (int y = 0; y < cut.height; y++) {
        const unsigned char *row =
            picture->pixels + ((size_t)(cut.top + y) * (size_t)picture->width + (size_t)cut.left) * channels;
        const int64_t *w = weight;
        for (int x = 0; x < shape->width; w += taps[x++].count)
            for (size_t c = 0; c < channels; c++) {
                const unsigned char *from = row + (size_t)taps[x].first * channels + c;
                int64_t sum = 0;
                for (int64_t k = 0; k < taps[x].count; k++) sum += w[k] * from[(size_t)k * channels];
                *to++ = (uint16_t)((sum * 256 + taps[x].sum / 2) / taps[x].sum);
            }
    }
}

static void columns_fit(const uint16_t *from, const ImageShape *shape, const int64_t *weight, const Taps *taps,
                        unsigned char *to)
{
    const size_t line = (size_t)shape->width * (size_t)shape->channels;
    for (int y = 0; y < shape->height; weight += taps[y++].count)
        for (size_t i = 0; i < line; i++) {
            const uint16_t *at = from + (size_t)taps[y].first * line + i;
            int64_t sum = 0;
            for (int64_t k = 0; k < taps[y].count; k++) sum += weight[k] * at[(size_t)k * line];
            *to++ = (unsigned char)((sum + taps[y].sum * 128) / (taps[y].sum * 256));
        }
}

/* The taps of all places, and their weights one behind the other in a block that the caller frees. */
static int64_t *weights_make(int64_t from, int64_t to, Taps *taps, Problem *p)
{
    size_t count = 0;
    for (int64_t at = 0; at < to; at++) count += (size_t)(taps[at] = taps_of(at, from, to)).count;
    int64_t *weight = memory_new(count, sizeof *weight, p), *next = weight;
    for (int64_t at = 0; weight && at < to; at++)
        for (int64_t k = 0; k < taps[at].count; k++) *next++ = tap_weight(at, taps[at].first + k, from, to);
    return weight;
}

static bool cut_fit(const Picture *picture, Cut cut, const ImageShape *shape, unsigned char *to, Problem *p)
{
    const int longest = shape->height > shape->width ? shape->height : shape->width;
    Taps *taps = memory_new((size_t)longest, sizeof *taps, p);
    uint16_t *lines = memory_new((size_t)cut.height * (size_t)shape->width, (size_t)shape->channels * sizeof *lines, p);
    int64_t *weight = taps && lines ? weights_make(cut.width, shape->width, taps, p) : NULL;
    if (weight) rows_fit(picture, cut, shape, weight, taps, lines);
    if (weight) {
        free(weight);
        if ((weight = weights_make(cut.height, shape->height, taps, p))) columns_fit(lines, shape, weight, taps, to);
    }
    const bool good = weight != NULL;
    free(weight);
    free(lines);
    free(taps);
    return good;
}

static bool picture_fit(const Picture *picture, const char *name, const ImageShape *shape, unsigned char *to,
                        Problem *p)
{
    const int64_t height = picture->height, width = picture->width;
    Cut cut = { 0, 0, picture->height, picture->width };
    if (height == shape->height && width == shape->width) {
        memcpy(to, picture->pixels, (size_t)height * (size_t)width * (size_t)shape->channels);
        return true;
    }
    if (shape->fit == IMAGE_NEVER)
        return problem_set(p, EXIT_INPUT,
                           "%s: %d x %d pixels, but the model takes %d x %d; resize = stretch or crop makes it fit",
                           name, picture->width, picture->height, shape->width, shape->height);
    if (shape->fit == IMAGE_CROP) { /* the largest middle of the model's proportions */
        const int64_t tall = width * shape->height / shape->width, broad = height * shape->width / shape->height;
        if (tall < height) cut.height = tall > 0 ? (int)tall : 1;
        if (broad < width) cut.width = broad > 0 ? (int)broad : 1;
        cut.top = (picture->height - cut.height) / 2;
        cut.left = (picture->width - cut.width) / 2;
    }
    return cut_fit(picture, cut, shape, to, p);
}

/* ---- a file ---- */

ImageKind image_kind(const Bytes *file)
{
    static const unsigned char png[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
    if (file->count >= 8 && !memcmp(file->at, png, 8)) return IMAGE_PNG;
    return file->count >= 3 && file->at[0] == 0xff && file->at[1] == 0xd8 && file->at[2] == 0xff ? IMAGE_JPEG
                                                                                                 : IMAGE_NONE;
}

bool image_library(ImageKind kind, Problem *p)
{
#ifdef PNG_IMAGE_VERSION
    if (kind == IMAGE_PNG) return library_open(&png_library, p);
#endif
#ifdef JPEG_LIB_VERSION
    if (kind == IMAGE_JPEG) return library_open(&jpeg_library, p);
#endif
    return problem_set(p, EXIT_IO,
                       "libdln was built without %s; install its header (Debian: %s) and build dlnc again (make -B)",
                       kind == IMAGE_PNG ? "libpng" : "libjpeg", kind == IMAGE_PNG ? "libpng-dev" : "libjpeg-dev");
}

bool image_read(const Bytes *file, const char *name, const ImageShape *shape, unsigned char *to, Problem *p)
{
    const ImageKind kind = image_kind(file);
    Picture picture = { 0 };
    bool good = false;
    if (kind == IMAGE_NONE) return problem_set(p, EXIT_INPUT, "%s: neither a PNG nor a JPEG image", name);
    if (!image_library(kind, p)) return false;
#ifdef PNG_IMAGE_VERSION
    if (kind == IMAGE_PNG) good = png_decode(file, name, &picture, p);
#endif
#ifdef JPEG_LIB_VERSION
    if (kind == IMAGE_JPEG) good = jpeg_decode(file, name, &picture, p);
#endif
    if (good) channels_keep(&picture, shape->channels);
    good = good && picture_fit(&picture, name, shape, to, p);
    free(picture.pixels);
    return good;
}
