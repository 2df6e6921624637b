/* cifar.c: the binary files of CIFAR-10: records of a label and 3 x 32 x 32 bytes, colour after colour. Images are
 * turned into [32][32][3], channels last, as everything in dlnc. SPDX-License-Identifier: 0BSD */
#include <stdlib.h>
#include <string.h>
#include "data.h"

enum { SIDE = 32, PLANE = SIDE * SIDE, IMAGE = 3 * PLANE, RECORD = 1 + IMAGE };

bool cifar_read(const char *path, Table *t, Problem *p)
{
    Bytes file;
    if (!data_read(path, &file, p)) return false;
    size_t count = file.count / RECORD, rows = (size_t)t->rows + count;
    bool good = count && file.count % RECORD == 0;
    if (!good)
        problem_set(p, EXIT_INPUT, "%s: %zu bytes; expected a multiple of %d (a label and 3 x 32 x 32 bytes)", path,
                    file.count, RECORD);
    if (good && !t->columns) {
        good = table_add(t, "image", path, p) && table_add(t, "label", path, p);
        if (good) {
            Column *image = &t->column[0];
            image->rank = 3;
            image->extent[0] = image->extent[1] = SIDE;
            image->extent[2] = 3;
            image->elements = IMAGE;
        }
    }
    for (int i = 0; good && i < 2; i++) {
        size_t room = (size_t)t->rows;           /* no more of it is known: five files are few */
        good = cells_grow(&t->column[i].owned, &room, rows, i ? 1 : IMAGE, p);
        t->column[i].cells = t->column[i].owned;
    }
    for (size_t r = 0; good && r < count; r++) {
        const unsigned char *from = file.at + r * RECORD;
        unsigned char *to = (unsigned char *)t->column[0].owned + ((size_t)t->rows + r) * IMAGE;
        ((unsigned char *)t->column[1].owned)[t->rows + r] = *from++;
        for (int place = 0; place < PLANE; place++)
            for (int colour = 0; colour < 3; colour++) to[3 * place + colour] = from[colour * PLANE + place];
    }
    if (good) t->rows = rows;
    cells_free(file.at);
    return good;
}
