/* host_files.h: NumPy arrays and archives of them, made for tests of the host program. */
#ifndef HOST_FILES_H
#define HOST_FILES_H
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>
#include "unit/host_test.h"

static inline size_t npy_make(unsigned char *to, const char *header, const void *data, size_t bytes)
{
    size_t length = strlen(header);
    memcpy(to, "\x93NUMPY\x01\x00", 8);
    to[8] = (unsigned char)length;
    to[9] = (unsigned char)(length >> 8);
    memcpy(to + 10, header, length);
    memcpy(to + 10 + length, data, bytes);
    return 10 + length + bytes;
}

/* An archive of one file. */
static inline size_t zip_make(unsigned char *to, const char *name, const void *data, size_t bytes, bool deflated)
{
    unsigned char packed[200];
    z_stream z = {
        .next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)bytes, .next_out = packed, .avail_out = sizeof packed
    };
    uLong crc = crc32(0, data, (uInt)bytes);
    size_t length = strlen(name), at = 0, directory, size = bytes, end;
    if (deflated) {
        cr_assert(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK &&
                  deflate(&z, Z_FINISH) == Z_STREAM_END);
        size = z.total_out;
        data = packed;
        deflateEnd(&z);
    }
#define PUT(value, width)                                                                                              \
    for (int k = 0; k < (width); k++) to[at++] = (unsigned char)((uint64_t)(value) >> 8 * k)
/* what the local header and the directory have in common: version, flags, method, time, checksum, sizes, name, extra */
#define FIELDS()                                                                                                       \
    do {                                                                                                               \
        PUT(20, 2);                                                                                                    \
        PUT(0, 2);                                                                                                     \
        PUT(deflated ? 8 : 0, 2);                                                                                      \
        PUT(0, 4);                                                                                                     \
        PUT(crc, 4);                                                                                                   \
        PUT(size, 4);                                                                                                  \
        PUT(bytes, 4);                                                                                                 \
        PUT(length, 2);                                                                                                \
        PUT(0, 2);                                                                                                     \
    } while (0)
    PUT(0x04034b50, 4);
    FIELDS();
    memcpy(to + at, name, length);
    memcpy(to + at + length, data, size);
    directory = at += length + size;
    PUT(0x02014b50, 4);
    PUT(20, 2);
    FIELDS();
    PUT(0, 2);
    PUT(0, 2);
    PUT(0, 2);
    PUT(0, 4);
    PUT(0, 4);
    memcpy(to + at, name, length);
    end = at += length;
    PUT(0x06054b50, 4);
    PUT(0, 4);
    PUT(1, 2);
    PUT(1, 2);
    PUT(end - directory, 4);
    PUT(directory, 4);
    PUT(0, 2);
#undef FIELDS
#undef PUT
    return at;
}

static inline bool npy_try(const char *header, const void *data, size_t bytes, Table *t, Problem *p)
{
    unsigned char file[2000];
    *t = (Table){ 0 };
    *p = (Problem){ 0 };
    return npy_read(&(Bytes){ file, npy_make(file, header, data, bytes) }, "a.npy", "x", t, p);
}

static inline bool csv_try(const char *text, size_t length, CsvSpec spec, Names *found, Table *t, Problem *p)
{
    Bytes b = { malloc(length + 1), length };
    memcpy(b.at, text, length);
    *t = (Table){ 0 };
    *p = (Problem){ 0 };
    bool good = csv_read(&b, "t.csv", &spec, false, found, t, p);
    free(b.at);
    return good;
}
#endif
