/* fuzz_csv.c: any bytes as a CSV file; the first byte says how it is to be read (doubles, header, target, separator).
 * SPDX-License-Identifier: MIT */
#include "reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const target[] = { NULL, "last", "0", "-2" }, *const drop[] = { "1" };
    static const char separator[] = { 0, ',', ' ', ';' };
    Problem p = { .code = 0 };
    Table t = { 0 };
    Names classes = { 0 };
    if (!size) return 0;
    const int how = data[0];
    const CsvSpec spec = { .header = how % 3 - 1, .target = target[how / 4 % 4], .separator = separator[how / 16 % 4],
                           .drops = how / 64 % 2, .drop = drop };
    Bytes text = bytes_copy(data + 1, size - 1);
    bool good = csv_read(&text, "f", &spec, how > 127, &classes, &t, &p);
    reader_judge(good, &t, &p);
    names_free(&classes);
    free(text.at);
    return 0;
}
