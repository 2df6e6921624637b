/* words.h: what belongs to the language and has no definition in the library: functions, reductions, statements, settings,
 * sources of data. Its text is compiler/library/words.txt, which says how it is written. */
#ifndef DLNC_WORDS_H
#define DLNC_WORDS_H
#include "base/arena.h"
#include "base/text.h"

typedef struct WordEntry {
    const char *kind;                            /* "a reduction over indices" */
    LIST(const char *) names;                    /* those that share the entry: max, min */
    Text how, what, example;                     /* lines without their indentation, each ended by a newline */
} WordEntry;
typedef struct WordEntries { WordEntry **at; int count, room; } WordEntries;

WordEntries words_read(void);                    /* in the text's order */
#endif
