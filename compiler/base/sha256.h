/* sha256.h: SHA-256 (FIPS 180-4), by which a generated file names the source that it comes from. */
#ifndef DLNC_SHA256_H
#define DLNC_SHA256_H
#include <stddef.h>

void sha256_hex(const void *data, size_t n, char out[65]);       /* 64 hex digits and a zero byte */
#endif
