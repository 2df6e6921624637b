/* image.h: one picture of a file, as the bytes of a sample; image.c. SPDX-License-Identifier: 0BSD */
#ifndef HOST_IMAGE_H
#define HOST_IMAGE_H
#include "data.h"

enum { IMAGE_SIDE = 65535 };                      /* pixels, the longest */
typedef enum { IMAGE_STRETCH, IMAGE_CROP, IMAGE_NEVER } ImageFit;   /* what becomes of other sizes; CROP: its middle */
typedef struct ImageShape {
    int height, width, channels;                 /* channels 1: grey, 3: colours, 4: and opacity */
    ImageFit fit;
} ImageShape;

typedef enum { IMAGE_NONE, IMAGE_PNG, IMAGE_JPEG } ImageKind;
ImageKind image_kind(const Bytes *file);         /* by its first bytes */
/* The libraries for a kind are there, or a Problem says what to install. Once, before threads read images. */
bool image_library(ImageKind kind, Problem *p);
/* Reads a whole file into height x width x channels bytes. */
bool image_read(const Bytes *file, const char *name, const ImageShape *shape, unsigned char *to, Problem *p);
#endif
