/* symbols.c: the definitions that can be named: the library's, then those of the file and of the files it imports. A
 * user's definition hides the library's of the same name, but not from the library itself. */
#include "tensor/elaborate.h"
#include <string.h>

/* ---- by name ----------------------------------------------------------------------------------------------------- */
struct SymbolTable {
    PointerMap of_library, of_user, constants;
}; /* interned name -> Definition, Binding */

static struct SymbolTable *table_of(Symbols *s)
{
    if (!s->table) s->table = NEW(struct SymbolTable);
    return s->table;
}

const Definition *symbols_find(const Symbols *s, const char *name, bool for_library)
{
    if (!s->table) return NULL;
    const Definition *d = for_library ? NULL : map_get(&s->table->of_user, name);
    return d ? d : map_get(&s->table->of_library, name);
}

const Binding *symbols_constant(const Symbols *s, const char *name)
{
    return s->table ? map_get(&s->table->constants, name) : NULL;
}

/* ---- adding ------------------------------------------------------------------------------------------------------ */
static void every_add(Symbols *s, Definition *d)
{
    Definition *before = s->every[d->kind];
    if (d->kind != KIND_LOSS && d->kind != KIND_OPTIMIZER && d->kind != KIND_SCHEDULE)
        error_at(d->at, "`every` is for losses, optimizers and schedules, not for a %s", def_kind_name[d->kind]);
    else if (before && before->from_library == d->from_library) {
        error_at(d->at, "there is a second `every %s`", def_kind_name[d->kind]);
        note_at(before->at, "the first one");
    } else
        s->every[d->kind] = d;
}

static void definition_add(Symbols *s, Definition *d, bool from_library)
{
    d->from_library = from_library;
    if (d->every) {
        every_add(s, d);
        return;
    }
    for (int i = 0; i < d->params.count; i++)
        if (param_find(d, d->params.at[i].name) < i)
            error_at(d->params.at[i].at, "%s has two parameters %s", d->name, d->params.at[i].name);
    PointerMap *map = from_library ? &table_of(s)->of_library : &table_of(s)->of_user;
    const Definition *before = map_get(map, d->name);
    if (before) {
        error_at(d->at, "%s is defined twice", d->name);
        note_at(before->at, "the first definition");
        return;
    }
    map_set(map, d->name, d);
    PUSH(s->definitions, d);
}

static void constants_add(Symbols *s, Item *item)
{
    for (int i = 0; i < item->bindings.count; i++) {
        Binding *b = &item->bindings.at[i];
        const Binding *before = map_get(&table_of(s)->constants, b->name);
        if (!before) {
            map_set(&table_of(s)->constants, b->name, b);
            continue;
        }
        error_at(b->at, "the constant %s is defined twice", b->name);
        note_at(before->at, "the first definition");
    }
    PUSH(s->constants, item);
}

void symbols_add(Symbols *s, File *file, bool from_library)
{
    for (int i = 0; i < file->count; i++) {
        Item *item = file->at[i];
        switch (item->kind) {
        case ITEM_CONST: constants_add(s, item); break;
        case ITEM_DATA: PUSH(s->data, item); break;
        case ITEM_TRAIN: PUSH(s->train, item); break;
        case ITEM_MODEL: PUSH(s->models, item); break;
        case ITEM_DEFINITION: definition_add(s, item->definition, from_library); break;
        case ITEM_REWRITE: PUSH(s->rewrites, item); break;
        case ITEM_EXAMPLE: PUSH(s->examples, item); break;
        case ITEM_IMPORT: break;
        }
    }
}

/* ---- other files ------------------------------------------------------------------------------------------------- */
void symbols_add_library(Symbols *s)
{
    static struct Parsed { LIST(File *) list; } parsed;
    static unsigned generation = ~0u;
    if (generation != arena_generation()) {
        parsed = (struct Parsed){0};
        for (int i = 0; library_files[i].name; i++) {
            Source *source = NEW(Source);
            *source = (Source){ library_files[i].name, library_files[i].text, library_files[i].length };
            PUSH(parsed.list, parse_source(source));
        }
        generation = arena_generation();
    }
    for (int i = 0; i < parsed.list.count; i++) symbols_add(s, parsed.list.at[i], true);
    s->library_rewrites = s->rewrites.count;
}

/* ./a/b.dln and a/./b.dln are one file: drops "./" and "x/..". */
static const char *path_normal(const char *path)
{
    LIST(const char *) parts = { 0 };
    for (const char *p = path; *p;) {
        size_t n = strcspn(p, "/");
        const char *part = intern_n(p, n);
        if (!strcmp(part, "..") && parts.count && strcmp(parts.at[parts.count - 1], ".."))
            parts.count--;
        else if (n && strcmp(part, "."))
            PUSH(parts, part);
        p += n + (p[n] == '/');
    }
    Text t = { 0 };
    if (*path == '/') text_add(&t, "/");
    for (int i = 0; i < parts.count; i++) {
        if (i) text_add(&t, "/");
        text_add(&t, parts.at[i]);
    }
    return intern(text_string(&t));
}

static const char *path_beside(const char *file, const char *name)
{
    const char *slash = strrchr(file, '/');
    if (*name == '/' || !slash) return path_normal(name);
    return path_normal(format("%.*s/%s", (int)(slash - file), file, name));
}

static bool is_imported(const Symbols *s, const char *path)
{
    for (int i = 0; i < s->imported.count; i++)
        if (path_normal(s->imported.at[i]->name) == path) return true;
    return false;
}

void symbols_import(Symbols *s, File *file)
{
    if (!file->source) return;
    if (!is_imported(s, path_normal(file->source->name))) PUSH(s->imported, file->source);
    for (int i = 0; i < file->count; i++) {
        const Item *item = file->at[i];
        if (item->kind != ITEM_IMPORT) continue;
        const char *path = path_beside(file->source->name, item->name);
        if (is_imported(s, path)) continue;
        const Source *source = source_read(*path ? path : ".", &item->at);
        if (!source) continue;
        PUSH(s->imported, source);
        File *other = parse_source(source);
        symbols_add(s, other, false);
        symbols_import(s, other);
    }
}
