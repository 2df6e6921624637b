/* read.c: how fast a numeric table is read: read FILE prints the megabytes a second of processor time, the best of three.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <time.h>
#include "data.h"

int main(int argc, char **argv)
{
    double best = 0;
    for (int k = 0; argc == 2 && k < 3; k++) {
        Bytes text;
        Table t = { 0 };
        Problem p = { 0 };
        Names classes = { 0 };
        const CsvSpec spec = { .header = 0 };
        const clock_t begun = clock();
        if (!file_read(argv[1], (size_t)1 << 34, &text, &p) || !csv_read(&text, argv[1], &spec, false, &classes, &t, &p)) {
            fprintf(stderr, "%s\n", p.text);
            return p.code;
        }
        const double seconds = (double)(clock() - begun) / CLOCKS_PER_SEC, rate = (double)text.count / 1e6 / seconds;
        if (rate > best) best = rate;
        table_free(&t);
        free(text.at);
    }
    printf("%.0f\n", best);
    return argc != 2;
}
