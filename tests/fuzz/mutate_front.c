/* mutate_front.c: how libFuzzer changes a .dln file: mostly by whole tokens, so that the input stays near to what the
 * parser takes; now and then by its own bytes. The words come from the embedded library: every token that stands there,
 * and whole lines of it. Linked with fuzz_front.c by `make fuzz`.
 * SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "tensor/elaborate.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t as, const uint8_t *b, size_t bs, uint8_t *out, size_t room, unsigned seed);

typedef struct Piece { const char *at; size_t length; } Piece;
enum { PIECES = 1 << 14 };

static uint32_t state;
static uint32_t random_below(size_t bound)
{
    state = state * 1664525u + 1013904223u;
    return bound ? (uint32_t)((state >> 8) % bound) : 0;
}

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_' || c == '.'; }

/* The token that begins at `at`: a word or number, a string, a run of blanks, or an operator of one or two characters. */
static size_t token_length(const char *at, const char *end)
{
    const char *to = at + 1;
    if (is_word(*at))
        while (to < end && is_word(*to)) to++;
    else if (isspace((unsigned char)*at))
        while (to < end && isspace((unsigned char)*to)) to++;
    else if (*at == '"') {
        while (to < end && *to != '"' && *to != '\n') to++;
        to += to < end;
    } else if (to < end && (*to == '=' || (*at == '-' && *to == '>') || (*at == '.' && *to == '.')))
        to++;
    return (size_t)(to - at);
}

static int tokens_cut(const char *text, size_t length, Piece *token)
{
    int count = 0;
    for (const char *at = text, *end = text + length; at < end && count < PIECES; at += token[count++].length)
        token[count] = (Piece){ at, token_length(at, end) };
    return count;
}

/* The words of the language and the library, each once. */
static const Piece *words(int *count)
{
    static Piece word[PIECES], token[PIECES];
    static int distinct;
    static const char *const more[] = {
        "data", "model", "train", "input", "output", "layer", "repeat", "import", "const", "stop", "require", "weights",
        "trainable", "name", "loss", "optimizer", "metrics", "batch", "epochs", "steps", "seed", "validate", "early_stop",
        "0", "1", "2", "3", "4", "-1", "0.5", "1e-3", "1e30", "2147483647", "4294967296", "true", "false", "inf", "x", "y",
        "[", "]", "{", "}", "(", ")", " ", "\n", ",", ";", ":", "..", "->", "?", "else", "if", "float[4]", "int[3]",
        " -> dense(2)", "[n, i]", "[n.., i]", "sum[i] ", "max[k in 3] ", "y[n, i] = x[n, i]", "param w[i, o in 3] = ones\n",
        "train { optimizer = sgd; loss = mse; batch = 2 }", "model m { input x: float[4]; dense(2) }\n",
    };
    *count = distinct;
    if (distinct) return word;
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) word[distinct++] = (Piece){ more[i], strlen(more[i]) };
    for (int f = 0; library_files[f].name; f++) {
        const int n = tokens_cut(library_files[f].text, library_files[f].length, token);
        for (int i = 0; i < n; i++) {
            int k = 0;
            while (k < distinct && (word[k].length != token[i].length || memcmp(word[k].at, token[i].at, token[i].length))) k++;
            if (k == distinct && distinct < PIECES) word[distinct++] = token[i];
        }
    }
    *count = distinct;
    return word;
}

/* A line of the library. */
static Piece line_any(void)
{
    int files = 0;
    while (library_files[files].name) files++;
    const int f = (int)random_below((size_t)files);
    const char *text = library_files[f].text;
    const char *at = text + random_below(library_files[f].length);
    while (at > text && at[-1] != '\n') at--;
    const char *end = strchr(at, '\n');
    return (Piece){ at, end ? (size_t)(end - at) + 1 : strlen(at) };
}

/* Puts `piece` in place of `gone` bytes at `place`; the size afterwards. */
static size_t splice(uint8_t *data, size_t size, size_t room, size_t place, size_t gone, Piece piece)
{
    if (size - gone + piece.length > room) return size;
    char *copy = malloc(piece.length + 1);                  /* it may lie in data */
    if (piece.length) memcpy(copy, piece.at, piece.length);
    memmove(data + place + piece.length, data + place + gone, size - place - gone);
    if (piece.length) memcpy(data + place, copy, piece.length);
    free(copy);
    return size - gone + piece.length;
}

static size_t tokens_mutate(uint8_t *data, size_t size, size_t room)
{
    static Piece token[PIECES];
    int known;
    const Piece *word = words(&known);
    const int count = tokens_cut((const char *)data, size, token);
    const int a = (int)random_below((size_t)count), b = (int)random_below((size_t)count);
    const Piece none = { NULL, 0 }, one = word[random_below((size_t)known)];
    const size_t at = count ? (size_t)(token[a].at - (const char *)data) : 0, here = count ? token[a].length : 0;
    size_t run = 0;                                         /* some tokens from b on */
    for (int k = b, left = 1 + (int)random_below(8); k < count && left; k++, left--) run += token[k].length;
    switch (random_below(8)) {
    case 0: return splice(data, size, room, at, here, none);
    case 1: case 2: return splice(data, size, room, at, here, one);
    case 3: return splice(data, size, room, at, 0, one);
    case 4: return splice(data, size, room, at, here, count ? token[b] : one);
    case 5: return splice(data, size, room, at, 0, count ? (Piece){ token[b].at, run } : one);
    case 6: return splice(data, size, room, at, 0, line_any());
    default: return count && b >= a ? splice(data, size, room, at, run < size - at ? run : here, none) : splice(data, size, room, at, 0, one);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
    state = seed;
    if (!random_below(8)) return LLVMFuzzerMutate(data, size, room);
    for (uint32_t times = 1 + random_below(4); times; times--) size = tokens_mutate(data, size, room);
    return size;
}

/* The begin of one, then the end of the other, cut between tokens. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t as, const uint8_t *b, size_t bs, uint8_t *out, size_t room, unsigned seed)
{
    static Piece token[PIECES];
    state = seed;
    int count = tokens_cut((const char *)a, as, token);
    size_t first = count ? (size_t)(token[random_below((size_t)count)].at - (const char *)a) : 0;
    count = tokens_cut((const char *)b, bs, token);
    size_t from = count ? (size_t)(token[random_below((size_t)count)].at - (const char *)b) : 0;
    if (first > room) first = room;
    size_t rest = bs - from < room - first ? bs - from : room - first;
    memcpy(out, a, first);
    memcpy(out + first, b + from, rest);
    return first + rest;
}
