/* comma.c: as LD_PRELOAD, gives any program the locale of the environment (LC_ALL), as a toolkit's start does.
 * SPDX-License-Identifier: MIT */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((constructor)) static void locale_set(void)
{
    if (!setlocale(LC_ALL, "") || strcmp(localeconv()->decimal_point, ",")) { fputs("no decimal comma\n", stderr); exit(99); }
}
