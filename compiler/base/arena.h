/* arena.h: memory by lifetime. A compilation allocates, never frees, and lets go of everything at once: dlnc when it
 * exits, a test or a fuzzer by arena_release(). Nothing else in the compiler calls malloc. */
#ifndef DLNC_ARENA_H
#define DLNC_ARENA_H
#include <stddef.h>

void *arena_alloc(size_t bytes);                 /* zeroed, aligned for any type; never NULL (no memory: dlnc ends) */
void *arena_copy(const void *from, size_t bytes);
void  arena_release(void);                       /* ends the compilation: every pointer into the arena is dead */
size_t arena_used(void);                         /* bytes */
unsigned arena_generation(void);                 /* counts releases: a static cache of arena pointers checks it */

#define NEW(Type)          ((Type *)arena_alloc(sizeof(Type)))
#define NEW_ARRAY(Type, n) ((Type *)arena_alloc(sizeof(Type) * (size_t)(n)))

/* A growing array of T is declared LIST(T) name = {0}; and used as name.at[i], name.count. */
#define LIST(T) struct { T *at; int count, room; }
#define PUSH(list, value) \
    ((list).count == (list).room \
         ? (void)((list).at = list_grow((list).at, (size_t)(list).count, &(list).room, sizeof *(list).at)) : (void)0, \
     (void)((list).at[(list).count++] = (value)))
void *list_grow(void *at, size_t count, int *room, size_t size);
#endif
