/* data.h: samples. A reader makes a Table: columns of equal length, in the type of the file. A Part is a table or a
 * share of one (train, test). A Feed copies samples of a part into the batch buffers of a model.
 *
 *     data block --source.c--> Part of a Table (idx.c csv.c chars.c cifar.c npy.c) --share.c--> other parts
 *     --feed.c--> batches
 * SPDX-License-Identifier: 0BSD */
#ifndef HOST_DATA_H
#define HOST_DATA_H
#include "host.h"

typedef enum { CELL_U8, CELL_I32, CELL_F32, CELL_F64 } CellType;
size_t cell_bytes(CellType type);

typedef struct Column {
    char *name, *file;
    CellType type;
    int rank, extent[DLN_MAX_RANK];              /* of one sample */
    size_t elements;                             /* their product */
    size_t step;                                 /* sample r begins at element r * step; 0: r * elements */
    const void *cells;
    void *owned;                                 /* cells_free() with the column; NULL: somebody else's */
    bool is_target;
    const Names *classes;                        /* what the numbers stand for, or NULL */
} Column;

typedef struct Table {
    uint64_t rows;
    int columns;
    Column *column;
    size_t slide;                                /* text: training moves all samples by fewer elements than this .. */
    size_t room;                                 /* .. but the begin of none beyond this element */
    bool ordered;                                /* windows: a split keeps their order, and leaves out .. */
    uint64_t overlap;                            /* .. so many at a cut, whose targets lie beyond it */
} Table;
Column *table_add(Table *t, const char *name, const char *file, Problem *p);  /* a new column, else empty */
const Column *table_find(const Table *t, const char *name);
void table_free(Table *t);
double column_value(const Column *c, size_t element);
size_t column_step(const Column *c);             /* elements from one sample to the next */

/* cells.c: memory that may lie in a file, above a limit (0: half of the machine's memory). */
void cells_limit(size_t bytes);
bool cells_grow(void **cells, size_t *room, size_t count, size_t size, Problem *p);     /* as memory_grow() */
void *cells_new(size_t count, size_t size, Problem *p);                                 /* as memory_new() */
void cells_free(void *cells);                                    /* also of data_read(), data_map() and malloc() */
bool data_read(const char *path, Bytes *out, Problem *p);        /* a whole file, to be read only */
bool data_map(const char *path, Bytes *out, Problem *p);         /* out->at NULL: is better read piece by piece */
bool cells_mapped(const void *cells);
void cells_any_order(const void *cells);                         /* mapped ones: they will not be read one after another */
void cells_ahead(const void *at, size_t bytes);                  /* mapped ones that are needed soon */

/* shuffle.c: an order of 0 .. count - 1 that is computed, not stored: place i holds element shuffle_place(i). */
typedef struct Shuffle { uint64_t count, key; int bits; } Shuffle;
Shuffle shuffle_new(uint64_t count, uint64_t seed, uint64_t stream);
uint64_t shuffle_place(const Shuffle *s, uint64_t i);
uint64_t shuffle_below(uint64_t seed, uint64_t stream, uint64_t bound);       /* one number in 0 .. bound - 1 */

/* Readers. Each fills an empty table, which the caller frees in either case. */
bool idx_read(const char *path, const char *field, Table *t, Problem *p);     /* adds a column; rows must agree */
bool cifar_read(const char *path, Table *t, Problem *p);                      /* appends samples: image, label */
/* Adds a column, which may take the bytes over: array->at is NULL then. */
bool npy_read(Bytes *array, const char *file, const char *field, Table *t, Problem *p);
bool zip_read(const Bytes *zip, const char *file, const char *name, Bytes *out, Problem *p);     /* one file of it */

typedef enum { MISSING_REFUSED, MISSING_DROPS, MISSING_ZERO, MISSING_NAN } CsvMissing;     /* DROPS: the row */
typedef struct ColumnList { int count; const char *const *at; } ColumnList;              /* names or numbers */
typedef struct CsvSpec {
    int header;                                  /* 1, 0, -1: look */
    char separator;                              /* 0: look; ' ': any blanks */
    const char *target;                          /* name or number from 0 (-1: the last); NULL: none */
    int drops;
    const char *const *drop;                     /* names or numbers */
    int names;
    const char *const *name;                     /* of all columns, where there is no header */
    const char *target_field;                    /* the name of the target's field; NULL: the column's */
    ColumnList keep;                             /* the features, if any is listed; else all that are left */
    ColumnList category;                         /* texts: a feature for each */
    ColumnList numbered;                         /* texts: a field of its own with the number of each; or the target */
    CsvMissing missing;
    Names *(*names_of)(void *context, const char *column, Problem *p);    /* the texts of such a column; kept with weights */
    void *context;
} CsvSpec;
bool csv_read(const Bytes *text, const char *file, const CsvSpec *spec, bool wide, Names *classes, Table *t, Problem *p);
/* Fields tokens and next: windows of `context` characters, ids by sorted order unless `alphabet` has names already. */
bool chars_read(const Bytes *text, const char *file, int context, Names *alphabet, Table *t, Problem *p);
/* Shares the characters of all. */
bool chars_split(const Table *all, double from, double to, Table *part, Problem *p);

/* source.c: the data block. */
typedef struct Part {
    char *name;
    const Table *table;
    const struct Part *of;                       /* has the rows, here in `order` or as `list`, from `first` on; NULL: the table's */
    Shuffle order;
    const uint64_t *list;                        /* in place of the order, where there is one */
    uint64_t *list_owned;                        /* freed with the part */
    uint64_t first, rows;
    Table *own;
} Part;
uint64_t part_row(const Part *part, uint64_t i); /* the row in the table */

typedef struct NamedNames { char *field; Names names; } NamedNames;
typedef struct Data {
    const dln_model *model;
    const char *folder;
    Part **part; int parts; size_t part_room;
    NamedNames **classes; int class_fields; size_t class_room;   /* names of classes and characters, by field */
    int depth;
} Data;
void data_begin(Data *d, const dln_model *m, const char *folder);
const Part *data_part(Data *d, const char *name, Problem *p);    /* read when first asked for */
Names *data_classes(Data *d, const char *field, Problem *p);     /* those of a field, made empty */
const Names *data_class_names(const Data *d, const char *field); /* NULL: it has none */
const dln_value *value_find(const dln_value *values, int count, const char *key);
/* A part from a file that is named on the command line (predict --input). */
const Part *data_input(Data *d, const char *path, Problem *p);
void data_end(Data *d);

/* feed.c: batches. */
typedef struct Feed {
    const dln_model *model;
    const Part *part;
    uint64_t rows;                               /* used of the part */
    const Column **column;                       /* for each field; NULL: not fed (targets when predicting) */
    void **buffer;                               /* for each field: batch samples */
    const void **fields;                         /* what model->step takes */
    bool *mapped;                                /* for each field: its cells lie in a file */
} Feed;
typedef struct FeedPlace {                       /* which samples */
    Shuffle order;
    bool mixed;                                  /* in that order; else as they stand */
    size_t shift;
    uint64_t first;
    int n;
} FeedPlace;
bool feed_open(Feed *f, const dln_model *m, const Part *part, bool targets, Problem *p);
void **feed_buffers(const Feed *f, Problem *p);                  /* others like those of the feed */
void feed_fill(const Feed *f, const FeedPlace *place, void **buffer);
void feed_gather(Feed *f, uint64_t first, int n);                /* samples as they stand */
bool feed_streams(const Feed *f);                                /* does any of it lie in a file? */
void feed_close(Feed *f);
const char *shape_words(int rank, const int *extent, char *words, size_t room);          /* "[28, 28, 1]" */
#endif
