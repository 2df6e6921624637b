/* zip.c: one file out of a ZIP archive (what an .npz is): stored or deflated, found through the central directory, its
 * size and checksum verified. SPDX-License-Identifier: 0BSD */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "data.h"

static uint32_t little(const unsigned char *b, int bytes)
{
    uint32_t v = 0;
    for (int i = bytes - 1; i >= 0; i--) v = v << 8 | b[i];
    return v;
}

typedef struct ZipEntry {
    int method;
    uint32_t crc, packed, size, header;
} ZipEntry;

/* The record at the end of the archive; NULL: there is none. */
static const unsigned char *end_record(const Bytes *zip)
{
    for (size_t back = 22; back <= zip->count && back <= 22 + 65535; back++) {
        const unsigned char *b = zip->at + zip->count - back;
        if (little(b, 4) == 0x06054b50 && little(b + 20, 2) == back - 22) return b;
    }
    return NULL;
}

static bool entry_find(const Bytes *zip, const char *file, const char *name, ZipEntry *e, Problem *p)
{
    const unsigned char *end = end_record(zip);
    if (!end) return problem_set(p, EXIT_INPUT, "%s: not a ZIP archive, or cut", file);
    size_t at = little(end + 16, 4), count = little(end + 10, 2), length = strlen(name);
    problem_set(p, EXIT_INPUT, "%s: holds no '%s'; it holds:", file, name);
    for (size_t i = 0; i < count; i++) {
        if (at > zip->count || zip->count - at < 46 || little(zip->at + at, 4) != 0x02014b50)
            return problem_set(p, EXIT_INPUT, "%s: its directory is damaged", file);
        const unsigned char *b = zip->at + at;
        size_t name_length = little(b + 28, 2), rest = name_length + little(b + 30, 2) + little(b + 32, 2);
        if (zip->count - at - 46 < rest) return problem_set(p, EXIT_INPUT, "%s: its directory is damaged", file);
        if (name_length == length && !memcmp(b + 46, name, length)) {
            *e = (ZipEntry){ (int)little(b + 10, 2), little(b + 16, 4), little(b + 20, 4), little(b + 24, 4),
                             little(b + 42, 4) };
            *p = (Problem){ 0 };
            return true;
        }
        problem_add(p, "%s %.*s", i ? "," : "", name_length > 60 ? 60 : (int)name_length, (const char *)b + 46);
        at += 46 + rest;
    }
    return false;
}

static bool inflate_all(const unsigned char *from, size_t count, Bytes *out, bool *memory)
{
    z_stream z = {
        .next_in = (Bytef *)(uintptr_t)from, .avail_in = (uInt)count, .next_out = out->at, .avail_out = (uInt)out->count
    };
    int result = inflateInit2(&z, -MAX_WBITS);
    if (result == Z_OK) result = inflate(&z, Z_FINISH);
    *memory = result != Z_MEM_ERROR;
    bool whole = result == Z_STREAM_END && !z.avail_out;
    inflateEnd(&z);
    return whole;
}

bool zip_read(const Bytes *zip, const char *file, const char *name, Bytes *out, Problem *p)
{
    ZipEntry e = { 0 };
    *out = (Bytes){ 0 };
    if (!entry_find(zip, file, name, &e, p)) return false;
    size_t at = e.header;
    bool good = at <= zip->count && zip->count - at >= 30 && little(zip->at + at, 4) == 0x04034b50;
    if (good) {
        at += 30 + little(zip->at + at + 26, 2) + little(zip->at + at + 28, 2);
        good = at <= zip->count && zip->count - at >= e.packed;
    }
    if (!good)
        return problem_set(p, EXIT_INPUT, "%s: '%s' does not lie in the archive (4 GB are the most)", file, name);
    if (e.method != 0 && e.method != 8)
        return problem_set(p, EXIT_INPUT, "%s: '%s' is packed by method %d; stored and deflate are read", file, name,
                           e.method);
    if ((e.method == 0 && e.size != e.packed) || e.size / 1032 > (uint64_t)e.packed + 1) /* deflate packs no tighter */
        return problem_set(p, EXIT_INPUT, "%s: the size of '%s' cannot be right", file, name);
    if (!(out->at = memory_new((size_t)e.size + 1, 1, p))) return false;
    out->count = e.size;
    bool memory = true;
    if (e.method == 0)
        memcpy(out->at, zip->at + at, e.size);
    else
        good = inflate_all(zip->at + at, e.packed, out, &memory);
    if (good && crc32(0, out->at, (uInt)out->count) == e.crc) return true;
    free(out->at);
    *out = (Bytes){ 0 };
    return memory ? problem_set(p, EXIT_INPUT, "%s: '%s' is damaged", file, name)
                  : problem_set(p, EXIT_IO, "%s: out of memory", file);
}
