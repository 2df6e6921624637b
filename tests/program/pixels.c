/* pixels.c: what image_read() makes of a file, for ./images.py: FILE HEIGHT WIDTH CHANNELS FIT, the bytes on stdout.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include "host/image.h"

int main(int argc, char **argv)
{
    if (argc != 6) return 2;
    const ImageShape shape = { atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), (ImageFit)atoi(argv[5]) };
    const size_t bytes = (size_t)shape.height * (size_t)shape.width * (size_t)shape.channels;
    Problem p = { .code = 0 };
    Bytes file;
    unsigned char *to = malloc(bytes);
    if (!to || !file_read(argv[1], 1 << 28, &file, &p) || !image_read(&file, argv[1], &shape, to, &p)) {
        fprintf(stderr, "%s\n", p.text);
        return 1;
    }
    fwrite(to, 1, bytes, stdout);
    free(file.at);
    free(to);
    return 0;
}
