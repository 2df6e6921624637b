/* arena.c: blocks of growing size, handed out from the front, released together. A request too large for a block gets
 * one of its own. Everything is zeroed when a block is taken from the system. Under AddressSanitizer what has not been
 * handed out is out of bounds, with a gap behind each allocation. */
#include "base/arena.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined __SANITIZE_ADDRESS__
#define SANITIZED 1
#elif defined __has_feature
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif
#if SANITIZED
#include <sanitizer/asan_interface.h>
enum { GAP = 16 };
#else
#define ASAN_POISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
enum { GAP = 0 };
#endif

typedef struct ArenaBlock {
    struct ArenaBlock *before;
    size_t size, used;                           /* bytes of data behind this header */
    _Alignas(max_align_t) char data[];
} ArenaBlock;

enum { FIRST_BLOCK = 1 << 16, LARGEST_BLOCK = 1 << 23 };

static ArenaBlock *current;
static size_t used_bytes, next_block = FIRST_BLOCK;
static unsigned generation;

static _Noreturn void out_of_memory(void)
{
    fprintf(stderr, "dlnc: error: out of memory (%zu bytes in use)\n", used_bytes);
    exit(3);
}

static ArenaBlock *block_new(size_t size)
{
    ArenaBlock *b = size > SIZE_MAX - sizeof *b ? NULL : calloc(1, sizeof *b + size);
    if (!b) out_of_memory();
    b->size = size;
    ASAN_POISON_MEMORY_REGION(b->data, size);
    return b;
}

void *arena_alloc(size_t bytes)
{
    const size_t step = _Alignof(max_align_t);
    if (bytes > SIZE_MAX / 2) out_of_memory();
    const size_t asked = bytes;
    bytes = (bytes + step - 1) / step * step + GAP;
    used_bytes += bytes;
    if (current && current->size - current->used >= bytes) {
        void *at = current->data + current->used;
        current->used += bytes;
        ASAN_UNPOISON_MEMORY_REGION(at, asked);
        return at;
    }
    bool own = bytes > next_block / 4;           /* a large request leaves the current block in use */
    ArenaBlock *b = block_new(own ? bytes : next_block);
    b->used = bytes;
    if (own && current) {
        b->before = current->before;
        current->before = b;
    } else {
        b->before = current;
        current = b;
    }
    if (!own && next_block < LARGEST_BLOCK) next_block *= 2;
    ASAN_UNPOISON_MEMORY_REGION(b->data, asked);
    return b->data;
}

void *arena_copy(const void *from, size_t bytes)
{
    void *to = arena_alloc(bytes);
    if (bytes) memcpy(to, from, bytes);
    return to;
}

void arena_release(void)
{
    while (current) {
        ArenaBlock *before = current->before;
        free(current);
        current = before;
    }
    used_bytes = 0;
    next_block = FIRST_BLOCK;
    generation++;
}

size_t arena_used(void) { return used_bytes; }
unsigned arena_generation(void) { return generation; }

void *list_grow(void *at, size_t count, int *room, size_t size)
{
    if (*room > INT32_MAX / 2) out_of_memory();
    int bigger = *room ? *room * 2 : 4;
    void *to = arena_alloc((size_t)bigger * size);
    if (count) memcpy(to, at, count * size);
    *room = bigger;
    return to;
}
