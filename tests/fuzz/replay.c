/* replay.c: a fuzz target without libFuzzer: runs it on each file named on the command line, whole and cut at some forty
 * lengths. SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    long inputs = 0;
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        long size = f && !fseek(f, 0, SEEK_END) ? ftell(f) : -1;
        uint8_t *data = size >= 0 ? malloc((size_t)size + 1) : NULL;
        if (!data || fseek(f, 0, SEEK_SET) || fread(data, 1, (size_t)size, f) != (size_t)size) {
            fprintf(stderr, "cannot read %s\n", argv[i]);
            return 1;
        }
        fclose(f);
        for (long length = size; length >= 0; length -= size / 40 + 1, inputs++) {
            uint8_t *cut = malloc((size_t)length + !length);     /* what lies behind it is out of bounds */
            if (!cut) return 1;
            if (length) memcpy(cut, data, (size_t)length);
            LLVMFuzzerTestOneInput(cut, (size_t)length);
            free(cut);
        }
        free(data);
    }
    printf("%ld inputs\n", inputs);
    return 0;
}
