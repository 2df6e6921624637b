/* fuzz_text.c: any bytes as text that is learned by characters. SPDX-License-Identifier: MIT */
#include "reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Problem p = { .code = 0 };
    Table t = { 0 };
    Names alphabet = { 0 };
    Bytes text = bytes_copy(data, size);
    bool good = chars_read(&text, "f", 3, &alphabet, &t, &p);
    reader_judge(good, &t, &p);
    names_free(&alphabet);
    free(text.at);
    return 0;
}
