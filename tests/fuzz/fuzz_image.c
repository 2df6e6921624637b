/* fuzz_image.c: any bytes as a PNG or JPEG file, of which a sample of every number of channels is made.
 * SPDX-License-Identifier: MIT */
#include "reader.h"
#include "host/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ImageFit fit[] = { IMAGE_STRETCH, IMAGE_CROP, IMAGE_NEVER };
    static const int channels[] = { 1, 3, 4 };
    unsigned char sample[5 * 7 * 4];
    Bytes file = bytes_copy(data, size);
    for (int i = 0; i < 3; i++) {
        Problem p = { .code = 0 };
        const ImageShape shape = { 5, 7, channels[i], fit[i] };
        if (!image_read(&file, "image", &shape, sample, &p) && (!p.code || !*p.text)) abort();
    }
    free(file.at);
    return 0;
}
