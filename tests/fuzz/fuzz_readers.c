/* fuzz_readers.c: any bytes as a data file or a checkpoint; the first byte chooses the reader. Nothing may crash, read
 * outside its memory or leak, and a refusal must say why. Files that are read by name come through a memfd. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "host/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes in a block of exactly their size and the 0 that file_read() promises behind them. */
static Bytes copy_of(const uint8_t *data, size_t size, Problem *p)
{
    Bytes b = { memory_new(size + 1, 1, p), size };
    if (size) memcpy(b.at, data, size);
    return b;
}

static int memory_file(const uint8_t *data, size_t size, char *path, size_t room)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    snprintf(path, room, "/proc/self/fd/%d", fd);
    return fd;
}

static bool try_idx(const char *path, Table *t, Problem *p)
{
    return idx_read(path, "image", t, p) && idx_read(path, "label", t, p);
}

static bool try_weights(const char *path, Problem *p)
{
    StoredFile f;
    if (!stored_open(&f, path, p)) return false;
    for (int i = 0; i < f.tensors; i++) {
        size_t count = (size_t)(f.tensor[i].end - f.tensor[i].begin);
        double *values = memory_new(count + 1, sizeof *values, p);
        bool good = values && stored_values(&f, &f.tensor[i], true, values, p);
        free(values);
        if (!good && f.tensor[i].kind != STORED_OTHER) abort(); /* what was checked must be there */
    }
    stored_close(&f);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Problem p = { 0 };
    Table t = { 0 };
    Names names = { 0 };
    Bytes inner = { 0 };
    char path[40];
    bool good;
    if (!size) return 0;
    int kind = data[0] % 8, fd = -1;
    Bytes b = copy_of(data + 1, size - 1, &p);
    CsvSpec spec = { .header = -1, .target = kind == 1 ? "last" : NULL };
    switch (kind) {
    case 0:
    case 1: good = csv_read(&b, "f", &spec, kind == 0, &names, &t, &p); break;
    case 2: good = chars_read(&b, "f", 3, &names, &t, &p); break;
    case 3: good = npy_read(&b, "f", "x", &t, &p); break;
    case 4: good = zip_read(&b, "f", "x.npy", &inner, &p); break;
    case 5:
        fd = memory_file(data + 1, size - 1, path, sizeof path);
        good = try_idx(path, &t, &p);
        break;
    case 6:
        fd = memory_file(data + 1, size - 1, path, sizeof path);
        good = try_weights(path, &p);
        break;
    default:
        fd = memory_file(data + 1, size - 1, path, sizeof path);
        good = cifar_read(path, &t, &p);
    }
    if (!good && (!p.code || !*p.text)) abort();
    if (fd >= 0) close(fd);
    free(inner.at);
    free(b.at);
    table_free(&t);
    names_free(&names);
    return 0;
}
