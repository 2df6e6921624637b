/* cons.c: the tables of cons.h. */
#include "tensor/cons.h"
#include <string.h>

const void *cons_find(const ConsTable *t, uint64_t hash, const void *key, ConsSame *same)
{
    if (t->room == 0)
        return NULL;
    for (size_t i = hash & (size_t)(t->room - 1); t->item[i]; i = (i + 1) & (size_t)(t->room - 1))
        if (t->hash[i] == hash && same(t->item[i], key))
            return t->item[i];
    return NULL;
}

static void place(ConsTable *t, uint64_t hash, const void *item)
{
    size_t i = hash & (size_t)(t->room - 1);
    while (t->item[i])
        i = (i + 1) & (size_t)(t->room - 1);
    t->item[i] = item;
    t->hash[i] = hash;
}

void cons_insert(ConsTable *t, uint64_t hash, const void *item)
{
    if (t->count * 2 >= t->room) {
        ConsTable old = *t;
        t->room = old.room ? old.room * 2 : 256;
        t->item = NEW_ARRAY(const void *, t->room);
        t->hash = NEW_ARRAY(uint64_t, t->room);
        for (int i = 0; i < old.room; i++)
            if (old.item[i])
                place(t, old.hash[i], old.item[i]);
    }
    place(t, hash, item);
    t->count++;
}

/* ---- memo tables: a stack of them, one for each walk that is under way ---- */
static LIST(Memo *) memos;
static int memo_depth;

void memos_reset(void)
{
    memset(&memos, 0, sizeof memos);
    memo_depth = 0;
}

Memo *memo_begin(void)
{
    if (memo_depth == memos.count)
        PUSH(memos, NEW(Memo));
    Memo *m = memos.at[memo_depth++];
    m->generation++;
    return m;
}

void memo_end(Memo *m)
{
    if (memos.at[--memo_depth] != m)
        bug("memo tables end in another order than they began");
}

const Node *memo_get(const Memo *m, const Node *key)
{
    return key->id < m->room && m->stamp[key->id] == m->generation ? m->result[key->id] : NULL;
}

void memo_set(Memo *m, const Node *key, const Node *result)
{
    if (key->id >= m->room) {
        int room = m->room ? m->room : 1024;
        while (room <= key->id)
            room *= 2;
        int *stamp = NEW_ARRAY(int, room);
        const Node **all = NEW_ARRAY(const Node *, room);
        if (m->room) {
            memcpy(stamp, m->stamp, sizeof *stamp * (size_t)m->room);
            memcpy(all, m->result, sizeof *all * (size_t)m->room);
        }
        m->room = room;
        m->stamp = stamp;
        m->result = all;
    }
    m->stamp[key->id] = m->generation;
    m->result[key->id] = result;
}
