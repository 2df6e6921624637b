/* export.c: the weights alone, in the format that the ending of --output names: safetensors, NumPy's .npz (an archive
 * of .npy arrays, stored without packing), or .h, constants in C for the flash of a small machine.
 * SPDX-License-Identifier: 0BSD */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "run.h"

static size_t stored_count(const StoredTensor *t)
{
    size_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= (size_t)t->extent[i];
    return n;
}

/* Ends a file that was begun: in its place if all went well, else not at all. */
static bool atomic_end(AtomicFile *f, bool good, Problem *p)
{
    if (good) return atomic_commit(f, p);
    atomic_cancel(f);
    return false;
}

static bool writer_flush(Writer *w, AtomicFile *f, Problem *p)
{
    bool good =
        !w->failed ? atomic_write(f, w->text, w->length, p) : problem_set(p, EXIT_IO, "%s: out of memory", f->path);
    w->length = 0;
    return good;
}

/* ---- .npz ---- */

static void write_little(Writer *w, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++, value >>= 8) {
        const unsigned char b = (unsigned char)value;
        write_bytes(w, &b, 1);
    }
}

/* {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, with blanks up to a multiple of 64 bytes. */
static void write_npy_header(Writer *w, const StoredTensor *t)
{
    Writer dict = { 0 };
    write_text(&dict, "{'descr': '<f%d', 'fortran_order': False, 'shape': (", t->twice ? 8 : 4);
    for (int i = 0; i < t->rank; i++) write_text(&dict, "%lld,%s", (long long)t->extent[i], i + 1 < t->rank ? " " : "");
    write_text(&dict, "), }");
    while ((dict.length + 11) % 64 && !dict.failed) write_text(&dict, " ");
    write_bytes(w, "\x93NUMPY\x01\x00", 8);
    write_little(w, dict.length + 1, 2);
    if (dict.failed)
        w->failed = true;
    else
        write_bytes(w, dict.text, dict.length);
    write_bytes(w, "\n", 1);
    free(dict.text);
}

/* What an archive says of a file in both places, the local header and the directory. */
static void write_zip_facts(Writer *w, uint32_t crc, size_t size, size_t name)
{
    write_little(w, 20, 2);   /* version of ZIP */
    write_little(w, 0, 2);    /* flags */
    write_little(w, 0, 2);    /* stored */
    write_little(w, 0, 2);    /* time: none, so that equal weights give equal files */
    write_little(w, 0x21, 2); /* the first day of ZIP */
    write_little(w, crc, 4);
    write_little(w, size, 4);
    write_little(w, size, 4);
    write_little(w, name, 2);
}

/* One array; adds its entry to the directory. *at: bytes in the archive so far. */
static bool npz_add(AtomicFile *f, const StoredTensor *t, const void *values, Writer *directory, uint64_t *at,
                    Problem *p)
{
    const size_t bytes = stored_count(t) * (t->twice ? 8 : 4), name = strlen(t->name) + 4;
    Writer array = { 0 }, head = { 0 };
    write_npy_header(&array, t);
    const uint64_t size = array.length + (uint64_t)bytes;
    if (*at + size + 1000 + name + directory->length > UINT32_MAX || name > UINT16_MAX) {
        free(array.text);
        return problem_set(p, EXIT_INPUT, "%s: %s does not fit: an .npz holds 4 GB at most; use safetensors", f->path,
                           t->name);
    }
    uLong crc = array.failed ? 0 : crc32(0, (const Bytef *)array.text, (uInt)array.length);
    crc = crc32(crc, values, (uInt)bytes);
    write_little(&head, 0x04034b50, 4);
    write_zip_facts(&head, (uint32_t)crc, (size_t)size, name);
    write_little(&head, 0, 2);
    write_text(&head, "%s.npy", t->name);
    write_little(directory, 0x02014b50, 4);
    write_little(directory, 20, 2);
    write_zip_facts(directory, (uint32_t)crc, (size_t)size, name);
    write_little(directory, 0, 2 + 2 + 2 + 2 + 4); /* extra, comment, disk, attributes */
    write_little(directory, *at, 4);
    write_text(directory, "%s.npy", t->name);
    *at += head.length + size;
    bool good = writer_flush(&head, f, p) && writer_flush(&array, f, p) && atomic_write(f, values, bytes, p);
    free(head.text);
    free(array.text);
    return good;
}

static bool npz_write(const char *path, const Weights *all, Problem *p)
{
    AtomicFile f;
    Writer directory = { 0 };
    const void *from;
    uint64_t at = 0;
    if (all->tensors >= UINT16_MAX) return problem_set(p, EXIT_INPUT, "%s: an .npz holds 65534 tensors at most", path);
    if (!atomic_open(&f, path, p)) return false;
    bool good = true;
    for (int i = 0; good && i < all->tensors; i++)
        good = all->values(all->context, i, &from, p) && npz_add(&f, &all->tensor[i], from, &directory, &at, p);
    const size_t length = directory.length;
    write_little(&directory, 0x06054b50, 4);
    write_little(&directory, 0, 4);
    write_little(&directory, (uint64_t)all->tensors, 2);
    write_little(&directory, (uint64_t)all->tensors, 2);
    write_little(&directory, length, 4);
    write_little(&directory, at, 4);
    write_little(&directory, 0, 2);
    good = good && writer_flush(&directory, &f, p);
    free(directory.text);
    return atomic_end(&f, good, p);
}

/* ---- .h ---- */

/* dense_w of dense.w */
static void write_identifier(Writer *w, const char *name)
{
    if (isdigit((unsigned char)*name)) write_text(w, "_");
    for (; *name; name++) write_text(w, "%c", isalnum((unsigned char)*name) ? *name : '_');
}

/* As float or double, whatever it is stored as: what the model computes in. */
static void write_constant(Writer *w, const StoredTensor *t, const void *values, size_t i, bool twice)
{
    const double v = t->twice ? ((const double *)values)[i] : (double)((const float *)values)[i];
    char text[40];
    if (isfinite(v)) {
        snprintf(text, sizeof text, "%.*g", twice ? 17 : 9, twice ? v : (double)(float)v);
        write_text(w, "%s%s%s", text, strpbrk(text, ".e") ? "" : ".0", twice ? "" : "f");
    } else
        write_text(w, "(%s)(%s1.0 / 0.0)", twice ? "double" : "float", v < 0 ? "-" : isnan(v) ? "0 * " : "");
}

static bool array_write(AtomicFile *f, Writer *w, const StoredTensor *t, int number, const void *values, bool twice,
                        Problem *p)
{
    const size_t count = stored_count(t);
    char shape[160];
    write_text(w, "/* %s %s */\nstatic const %s w%d_", t->name, stored_shape_words(t, shape, sizeof shape),
               twice ? "double" : "float", number);
    write_identifier(w, t->name);
    write_text(w, "[%zu] = {", count);
    for (size_t i = 0; i < count; i++) {
        write_text(w, i % 8 ? " " : "\n    ");
        write_constant(w, t, values, i, twice);
        write_text(w, ",");
        if (w->length > 1 << 16 && !writer_flush(w, f, p)) return false;
    }
    write_text(w, "\n};\n\n");
    return writer_flush(w, f, p);
}

/* The template's @ is the prefix, $ the number of arrays. */
static void write_template(Writer *w, const char *template, const char *prefix, int count)
{
    for (; *template; template ++) {
        if (*template == '@')
            write_text(w, "%s", prefix);
        else if (*template == '$')
            write_text(w, "%d", count);
        else
            write_bytes(w, template, 1);
    }
}

static void write_head(Writer *w, const dln_model *m, const char *prefix, int count)
{
    write_text(w, "/* The weights of %s (%s, SHA-256 %.16s..), written by its `export`.\n", m->name, m->source,
               m->sha256);
    write_template(
        w,
        " *\n *     #include \"@.h\"\n *     #include \"this file\"\n"
        " *     @_init(&m, memory, sizeof memory, 1);\n *     @_weights_load(&m);\n *\n"
        " * (`dlnc --weights=FILE.safetensors` writes them into the model's own C.) SPDX-License-Identifier: 0BSD */\n"
        "#ifndef @_weights_h\n#define @_weights_h\n#include <string.h>\n\n",
        prefix, count);
}

/* Behind the arrays: a table of them by name, and the function that puts them into a model. */
static void write_loader(Writer *w, const Weights *all, const char *prefix, bool twice)
{
    write_template(w, "static const struct { const char *name; const ", prefix, 0);
    write_text(w, "%s *values; } %s_weights[%d] = {\n", twice ? "double" : "float", prefix, all->tensors);
    for (int i = 0; i < all->tensors; i++) {
        write_text(w, "    {");
        write_json_string(w, all->tensor[i].name);
        write_text(w, ", w%d_", i);
        write_identifier(w, all->tensor[i].name);
        write_text(w, "},\n");
    }
    write_template(
        w,
        "};\n\n"
        "/* Puts them into a model after @_init(); gives the first status that is not @_OK, or -1 if the model has\n"
        " * no such tensor. */\n"
        "static inline int @_weights_load(@ *m)\n{\n"
        "    int count, status = 0;\n"
        "    const @_tensor *tensor = @_tensors(&count);\n"
        "    for (int i = 0; i < $ && !status; i++) {\n"
        "        int k = 0;\n"
        "        while (k < count && strcmp(tensor[k].name, @_weights[i].name)) k++;\n"
        "        status = k < count ? @_put(m, k, @_weights[i].values) : -1;\n"
        "    }\n"
        "    return status ? status : @_set_iteration(m, 1, 0);\n}\n#endif\n",
        prefix, all->tensors);
}

static bool arrays_write(const char *path, const Weights *all, Problem *p)
{
    const bool twice = all->model->real_bytes == 8;
    AtomicFile f;
    const char *prefix = all->model->prefix ? all->model->prefix : all->model->name;
    Writer w = { 0 };
    const void *from;
    if (!all->tensors) return problem_set(p, EXIT_INPUT, "%s: the model has no weights", path);
    if (!atomic_open(&f, path, p)) return false;
    write_head(&w, all->model, prefix, all->tensors);
    bool good = true;
    for (int i = 0; good && i < all->tensors; i++)
        good = all->values(all->context, i, &from, p) && array_write(&f, &w, &all->tensor[i], i, from, twice, p);
    if (good) write_loader(&w, all, prefix, twice);
    good = good && writer_flush(&w, &f, p);
    free(w.text);
    return atomic_end(&f, good, p);
}

/* ---- the command ---- */

int export_command(Run *r, Problem *p)
{
    const char *to = r->options.output;
    const bool torch = r->options.torch;
    if (!to) return problem_set(p, EXIT_USAGE, "export needs --output FILE"), p->code;
    if (ends_in(to, ".h") && torch)
        return problem_set(p, EXIT_USAGE, "--layout=torch is for safetensors and .npz, not for C"), p->code;
    if (ends_in(to, ".onnx") && torch)
        return problem_set(p, EXIT_USAGE, "--layout=torch is for safetensors and .npz; ONNX has the whole graph"), p->code;
    if (!trained_load(r, p)) return p->code;
    bool good = ends_in(to, ".npz") ? weights_export(r, to, torch, npz_write, p)
                : ends_in(to, ".h") ? weights_export(r, to, false, arrays_write, p)
                : ends_in(to, ".onnx") ? weights_export(r, to, false, onnx_write, p)
                                    : checkpoint_save(r, to, NULL, 0, torch ? KEEP_WEIGHTS_TORCH : KEEP_WEIGHTS, p);
    if (!good) return p->code;
    if (!r->options.quiet) fprintf(stderr, "%s: the %s of %s\n", to, ends_in(to, ".onnx") ? "graph and weights" : "weights", r->model->name);
    return EXIT_DONE;
}
