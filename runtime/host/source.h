/* source.h: what the files that read the data block share: arguments of a call, and making parts.
 * SPDX-License-Identifier: 0BSD */
#ifndef HOST_SOURCE_H
#define HOST_SOURCE_H
#include "data.h"

/* source.c */
const dln_value *argument(const dln_value *call, const char *key);                       /* NULL: not given */
/* Every named argument must be one of `known` (a list that ends with NULL). */
bool arguments_check(const dln_value *call, const char *const *known, Problem *p);
/* What is not given leaves *out as it is. */
bool argument_integer(const dln_value *call, const char *key, double low, double high, int64_t *out, Problem *p);
bool argument_flag(const dln_value *call, const char *key, bool *out, Problem *p);
const char *argument_file(const dln_value *call, Problem *p);    /* the first one; NULL: problem */
const char *only_target(const dln_model *m);                     /* its field, if it has one target; else NULL */
Part *part_new(Data *d, const char *name, size_t length, Problem *p);
Part *part_of_table(Data *d, const char *name, size_t length, Table **table, Problem *p);        /* an empty one */
void part_drop_last(Data *d);                                                            /* that could not be made */

/* images.c */
bool images_source(Data *d, const dln_value *call, Table *t, Problem *p);
/* One image; call: what the data block says of images, or NULL. */
bool image_input(const dln_value *call, const dln_field *field, const Bytes *file, const char *path, Table *t,
                 Problem *p);

/* share.c: parts of parts. */
const char *next_name(const char *key, size_t *length);          /* of "train, test"; NULL: no more */
bool split_define(Data *d, const dln_value *call, const char *name, Problem *p);         /* all parts of the call's key */
bool window_define(Data *d, const dln_value *call, const char *name, Problem *p);
bool window_input(const dln_value *call, const Part *rows, Table *t, Problem *p);   /* as the call says, without targets */
#endif
