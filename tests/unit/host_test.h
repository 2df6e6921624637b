/* host_test.h: what the tests of the host program share: a folder of their own, files in it, problems looked at. */
#ifndef HOST_TEST_H
#define HOST_TEST_H
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "host/data.h"

static char folder[300];

static inline void folder_make(void) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/dln-host-XXXXXX", base ? base : P_tmpdir);
    cr_assert(mkdtemp(folder) != NULL);
}

static inline void folder_remove(void) {
    DIR *d = opendir(folder);
    for (const struct dirent *e; d && (e = readdir(d));) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.') remove(path);
    }
    if (d) closedir(d);
    rmdir(folder);
}

static inline const char *in_folder(const char *name) {
    static char path[4][600];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static inline const char *file_make(const char *name, const void *bytes, size_t count) {
    const char *path = in_folder(name);
    FILE *f = fopen(path, "wb");
    cr_assert(f && fwrite(bytes, 1, count, f) == count && !fclose(f));
    return path;
}

static inline Bytes file_bytes(const char *path) {
    Bytes b;
    Problem p = { 0 };
    cr_assert(file_read(path, 1 << 30, &b, &p), "%s", p.text);
    return b;
}

/* Fails unless the problem has this code and its text contains `words`. */
#define EXPECT_PROBLEM(p, expected, words) \
    cr_assert((p).code == (expected) && strstr((p).text, words), "code %d, text '%s'; expected '%s'", (p).code, \
              (p).text, words)
#endif
