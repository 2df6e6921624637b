/* fuzz_cifar.c: any bytes as CIFAR's records. SPDX-License-Identifier: MIT */
#include "reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Problem p = { .code = 0 };
    Table t = { 0 };
    const char *path = file_with(data, size);
    bool good = cifar_read(path, &t, &p);
    reader_judge(good, &t, &p);
    return 0;
}
