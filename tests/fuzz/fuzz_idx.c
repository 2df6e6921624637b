/* fuzz_idx.c: any bytes as an IDX file, plain or gzip, read twice into one table as images and labels are.
 * SPDX-License-Identifier: MIT */
#include "reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Problem p = { .code = 0 };
    Table t = { 0 };
    const char *path = file_with(data, size);
    bool good = idx_read(path, "image", &t, &p) && idx_read(path, "label", &t, &p);
    reader_judge(good, &t, &p);
    return 0;
}
