/* fuzz_npz.c: any bytes as an .npz archive: its member x.npy is unpacked and read. SPDX-License-Identifier: MIT */
#include "reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Problem p = { .code = 0 };
    Table t = { 0 };
    Bytes archive = bytes_copy(data, size), array = { NULL, 0 };
    bool good = zip_read(&archive, "f", "x.npy", &array, &p) && npy_read(&array, "f", "x", &t, &p);
    reader_judge(good, &t, &p);
    free(array.at);
    free(archive.at);
    return 0;
}
