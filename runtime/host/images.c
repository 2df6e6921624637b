/* images.c: folders of images: `train = images("photos/train")`, in which each sub-folder is a class, by its name, and
 * holds its PNG and JPEG files. Classes and files go in the order of their names, byte by byte, whatever the system's.
 * One image alone (predict FILE) is read the same way. SPDX-License-Identifier: 0BSD */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include "image.h"
#include "source.h"

static const size_t IMAGE_BYTES = (size_t)1 << 28; /* of a file */

/* The input that takes images: the one called `image`, else the only one. */
static const dln_field *image_field(const dln_model *m, Problem *p)
{
    const dln_field *found = NULL;
    int inputs = 0;
    for (int i = 0; i < m->fields; i++) {
        if (m->field[i].is_target) continue;
        if (!strcmp(m->field[i].name, "image")) return &m->field[i];
        found = &m->field[i];
        inputs++;
    }
    if (inputs == 1) return found;
    problem_set(p, EXIT_INPUT, "data: images: the model has %s: call the one that takes images `image`",
                inputs ? "several inputs" : "no input");
    return NULL;
}

static bool shape_of(const dln_field *f, ImageShape *shape, Problem *p)
{
    char words[120];
    *shape = (ImageShape){ .height = f->extent[0], .width = f->extent[1], .channels = f->rank == 3 ? f->extent[2] : 1 };
    if ((f->rank == 2 || f->rank == 3) && (shape->channels == 1 || shape->channels == 3 || shape->channels == 4) &&
        shape->height <= IMAGE_SIDE && shape->width <= IMAGE_SIDE)
        return true;
    return problem_set(p, EXIT_INPUT,
                       "data: images are [height, width] or [height, width, channels], 1 (grey), 3 (red, green, "
                       "blue) or 4 (and opacity) of them; the model takes %s for %s",
                       shape_words(f->rank, f->extent, words, sizeof words), f->name);
}

static bool fit_read(const dln_value *call, ImageFit *fit, Problem *p)
{
    static const char *const known[] = { "resize", NULL };
    static const char *const word[] = { [IMAGE_STRETCH] = "stretch", [IMAGE_CROP] = "crop", [IMAGE_NEVER] = "never" };
    const dln_value *v = call ? argument(call, "resize") : NULL;
    if (call && !arguments_check(call, known, p)) return false;
    if (!v) return true;
    for (int i = 0; v->kind == DLN_WORD && i < 3; i++)
        if (!strcmp(v->text, word[i])) {
            *fit = (ImageFit)i;
            return true;
        }
    return problem_set(p, EXIT_INPUT, "data: images: resize is stretch, crop or never");
}

typedef struct Images {
    ImageShape shape;
    size_t elements, image_room, label_room;
    unsigned char *image;
    int32_t *label;
    uint64_t rows;
} Images;

static bool image_add(Images *all, const char *path, int label, Problem *p)
{
    Bytes file = { 0 };
    const size_t rows = (size_t)all->rows + 1;
    size_t bytes;
    bool good = size_product(rows, all->elements, &bytes) &&
                cells_grow((void **)&all->image, &all->image_room, bytes, 1, p) &&
                memory_grow((void **)&all->label, &all->label_room, rows, sizeof *all->label, p) &&
                file_read(path, IMAGE_BYTES, &file, p) &&
                image_read(&file, path, &all->shape, all->image + (rows - 1) * all->elements, p);
    free(file.at);
    if (!good) return false;
    all->label[rows - 1] = label;
    all->rows = rows;
    return true;
}

/* ---- folders ---- */

static int entry_order(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }
static int entry_seen(const struct dirent *e) { return e->d_name[0] != '.'; }

typedef struct Listing {
    struct dirent **at;
    int count;
} Listing;
static bool folder_list(const char *path, Listing *l, Problem *p)
{
    l->count = scandir(path, &l->at, entry_seen, entry_order);
    return l->count >= 0 || problem_set(p, EXIT_IO, "cannot read the folder %s", path);
}
static void listing_free(Listing *l)
{
    for (int i = 0; i < l->count; i++) free(l->at[i]);
    if (l->count >= 0) free(l->at);
}

static bool is_folder(const char *path)
{
    struct stat s;
    return !stat(path, &s) && S_ISDIR(s.st_mode);
}

static bool image_name(const char *name)
{
    static const char *const ending[] = { ".png", ".jpg", ".jpeg", ".jpe" };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ending / sizeof *ending; i++)
        if (!strcasecmp(dot, ending[i])) return true;
    return false;
}

static bool class_read(Images *all, const char *path, int label, Problem *p)
{
    Listing files;
    const uint64_t before = all->rows;
    if (!folder_list(path, &files, p)) return false;
    bool good = true;
    for (int i = 0; good && i < files.count; i++) {
        if (!image_name(files.at[i]->d_name)) continue;
        char *file = text_join(p, "%s/%s", path, files.at[i]->d_name);
        good = file && image_add(all, file, label, p);
        free(file);
    }
    if (good && all->rows == before) {
        good = problem_set(p, EXIT_INPUT, "%s: holds no .png or .jpg file", path);
        if (files.count) problem_add(p, "; %s is none", files.at[0]->d_name);
    }
    listing_free(&files);
    return good;
}

/* The number of a class; those that are known are those of the training data. */
static int class_number(Names *classes, bool closed, const char *name, const char *path, Problem *p)
{
    if (!closed) return names_add(classes, name, strlen(name), p);
    const int found = names_find(classes, name, strlen(name));
    if (found < 0) {
        const char *near = name_nearest(name, (const char *const *)classes->name, classes->count);
        problem_set(p, EXIT_INPUT, "%s: no class of the training data is called %s", path, name);
        if (near) problem_add(p, "; did you mean %s?", near);
    }
    return found;
}

static bool folder_read(Images *all, const char *path, Names *classes, Problem *p)
{
    Listing folders;
    const bool closed = classes->count > 0;
    if (!folder_list(path, &folders, p)) return false;
    bool good = true;
    for (int i = 0; good && i < folders.count; i++) {
        char *folder = text_join(p, "%s/%s", path, folders.at[i]->d_name);
        if (!(good = folder != NULL)) break;
        if (is_folder(folder)) {
            const int label = class_number(classes, closed, folders.at[i]->d_name, path, p);
            good = label >= 0 && class_read(all, folder, label, p);
        }
        free(folder);
    }
    listing_free(&folders);
    return good &&
           (all->rows || problem_set(p, EXIT_INPUT, "%s: holds no sub-folder; each class of images is one", path));
}

/* ---- tables ---- */

static bool images_begin(Images *all, const dln_value *call, const dln_field *field, Problem *p)
{
    *all = (Images){ 0 };
    if (!field || !shape_of(field, &all->shape, p) || !fit_read(call, &all->shape.fit, p)) return false;
    all->elements = (size_t)all->shape.height * (size_t)all->shape.width * (size_t)all->shape.channels;
    return true;
}

static bool image_column(Images *all, const dln_field *field, const char *path, Table *t, Problem *p)
{
    Column *c = table_add(t, field->name, path, p);
    if (!c) return false;
    c->rank = field->rank;
    for (int i = 0; i < c->rank; i++) c->extent[i] = field->extent[i];
    c->elements = all->elements;
    c->cells = c->owned = all->image;
    all->image = NULL;
    t->rows = all->rows;
    return true;
}

static bool label_column(Images *all, const char *name, const char *path, const Names *classes, Table *t, Problem *p)
{
    Column *c = table_add(t, name, path, p);
    if (!c) return false;
    c->type = CELL_I32;
    c->is_target = true;
    c->classes = classes;
    c->cells = c->owned = all->label;
    all->label = NULL;
    return true;
}

bool images_source(Data *d, const dln_value *call, Table *t, Problem *p)
{
    Images all;
    const dln_field *field = image_field(d->model, p);
    const char *name = argument_file(call, p), *target = only_target(d->model);
    if (!name || !images_begin(&all, call, field, p)) return false;
    if (!target) target = "label";
    char *path = folder_find(d->folder, name, p);
    Names *classes = path ? data_classes(d, target, p) : NULL;
    const bool good = classes && folder_read(&all, path, classes, p) && image_column(&all, field, path, t, p) &&
                      label_column(&all, target, path, classes, t, p);
    free(path);
    cells_free(all.image);
    free(all.label);
    return good;
}

bool image_input(const dln_value *call, const dln_field *field, const Bytes *file, const char *path, Table *t,
                 Problem *p)
{
    Images all;
    if (!images_begin(&all, call, field, p)) return false;
    all.rows = 1;
    all.image = memory_new(all.elements, 1, p);
    const bool good =
        all.image && image_read(file, path, &all.shape, all.image, p) && image_column(&all, field, path, t, p);
    cells_free(all.image);
    return good;
}
