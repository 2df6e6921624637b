/* host_program.h: the whole host program run by a test, in the test's folder, what it says in files there. */
#ifndef HOST_PROGRAM_H
#define HOST_PROGRAM_H
#include <stdlib.h>
#include "unit/host_test.h"

static inline int run_model(const dln_model *m, const char *words, const char *out, const char *err)
{
    char *argv[40] = { (char *)"model" }, *line = strdup(words);
    int argc = 1;
    for (char *w = strtok(line, " "); w; w = strtok(NULL, " ")) argv[argc++] = w;
    setenv("DLN_DATA", folder, 1);
    cr_assert(!chdir(folder));
    cr_assert(freopen(in_folder(out), "w", stdout) && freopen(in_folder(err), "w", stderr));
    int code = dln_main(argc, argv, m);
    fflush(stdout);
    fflush(stderr);
    free(line);
    return code;
}

static inline const char *text_of(const char *name)
{
    static char *kept;
    free(kept);
    return kept = (char *)file_bytes(in_folder(name)).at;
}
#endif
