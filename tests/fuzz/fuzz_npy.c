/* fuzz_npy.c: any bytes as a .npy array. SPDX-License-Identifier: MIT */
#include "reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Problem p = { .code = 0 };
    Table t = { 0 };
    Bytes array = bytes_copy(data, size), again = bytes_copy(data, size);        /* a reader may take the bytes over */
    bool good = npy_read(&array, "f", "x", &t, &p) && npy_read(&again, "f", "y", &t, &p);
    reader_judge(good, &t, &p);
    free(array.at);
    free(again.at);
    return 0;
}
