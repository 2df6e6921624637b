/* cons.h: what the files of the tensor program share among themselves: tables that keep one object for each distinct
 * value (hash-consing), and memo tables for walks. Not for other folders. */
#ifndef DLNC_CONS_H
#define DLNC_CONS_H
#include "tensor/program.h"

/* ---- one object for each value: open addressing, grown at half full ---- */
typedef struct ConsTable { const void **item; uint64_t *hash; int room, count; } ConsTable;
typedef bool ConsSame(const void *item, const void *key);
const void *cons_find(const ConsTable *t, uint64_t hash, const void *key, ConsSame *same);       /* NULL: not there */
void cons_insert(ConsTable *t, uint64_t hash, const void *item);

static inline uint64_t hash_add(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 29;
}
static inline uint64_t hash_pointer(uint64_t hash, const void *p) { return hash_add(hash, (uint64_t)(uintptr_t)p); }

/* ---- what a walk has seen: an array over the nodes' ids, cleared by counting up a generation ---- */
typedef struct Memo { int generation, room, *stamp; const Node **result; } Memo;
Memo *memo_begin(void);                          /* walks nest: one memo for each level, used again by the next walk */
void memo_end(Memo *m);
const Node *memo_get(const Memo *m, const Node *key);            /* NULL: not seen */
void memo_set(Memo *m, const Node *key, const Node *result);

/* ---- within the folder ---- */
const Node *node_atom(Op op, const Sum *a, int k);               /* FLOOR_DIV, MOD, EXACT as it stands, no folding */
/* e with other arguments and sums, through the constructors; keeps e's type. */
const Node *node_like(const Node *e, const Node *const *arg, const Sum *const *sum);
double number_apply(Op op, double a, double b);  /* what an operation on numbers gives (b unused if it takes one) */

void sums_reset(void);
void nodes_reset(void);
void memos_reset(void);
#endif
