/* oracle.c: the generated C of every example of the library, with its gradients, against the interpreter; in double and
 * float, each equation alone and fused, one thread and two.
 *     oracle [-v] [--double] [--sanitize] [--cc=..] [--flags=..] [--from=K] [--to=K] [NAME] [FILE.dln]
 * NAME: the examples of one definition only; FILE.dln: its examples instead of the library's. */
#include "oracle.h"
#include "tensor/elaborate.h"
#include <stdlib.h>
#include <string.h>

/* The example `item` as a program: its value and the gradients of all floats that it is made of. */
static Program *example_program(const Symbols *s, const Item *item, bool training)
{
    Item left = *item;
    if (left.left->kind == EXPR_BINARY && left.left->op == AST_EQ) left.left = left.left->left;
    Model *m = NEW(Model);
    Program *p = NEW(Program);
    *p = (Program){ .name = "example", .training = training, .first_backward = -1 };
    Tensor *y = elaborate_example(s, m, p, arena_copy(&left, sizeof left), training, true);
    if (!y || error_count()) return NULL;
    PUSH(p->outputs, ((Output){ "y", y }));
    if (y->type == TYPE_FLOAT) {
        Tensor *weight = tensor_new("weight", y->rank, y->extent, y->batch, TYPE_FLOAT, ROLE_INPUT);
        Gradient seed = { y, weight }, wanted[64] = {{0}};
        int count = 0;
        for (int i = 0; i < m->inputs.count && count < 64; i++)
            if (m->inputs.at[i]->type == TYPE_FLOAT) wanted[count++].of = m->inputs.at[i];
        for (int i = 0; i < m->kept.count && count < 64; i++)
            if (m->kept.at[i]->role == ROLE_PARAM) wanted[count++].of = m->kept.at[i];
        differentiate(p, &seed, 1, wanted, count);
        for (int i = 0; i < count; i++)
            if (wanted[i].gradient) PUSH(p->outputs, ((Output){ format("d%s", wanted[i].of->name), wanted[i].gradient }));
    }
    simplify(p);
    return p;
}

typedef struct Tally { int programs, failed, files; double worst; } Tally;

static void run_batch(Oracle *o, const OracleOptions *base, bool wide_only, bool verbose, Tally *t)
{
    static const struct { bool wide, fuse; int threads, n; } variants[] = {
        { true, true, 1, 0 }, { true, true, 2, 0 }, { true, false, 2, 1 }, { false, true, 2, 3 } };
    uint64_t bits = 0;
    for (int v = 0; v < (wide_only ? 1 : 4); v++) {
        OracleOptions options = *base;
        options.wide = variants[v].wide;
        options.fuse = variants[v].fuse;
        options.threads = variants[v].threads;
        options.n = variants[v].n;
        int failed = oracle_run(o, &options);
        t->files++;
        if (failed < 0) {
            printf("FAIL %s ..: does not compile or run\n", o->cases.at[0].name);
            t->failed++;
            return;
        }
        for (int k = 0; k < o->cases.count; k++)
            if (o->cases.at[k].failed) printf("FAIL %s: %s, %s\n", o->cases.at[k].name, options.wide ? "double" : "float", options.fuse ? "fused" : "not fused");
        t->failed += failed;
        if (o->worst > t->worst) t->worst = o->worst;
        if (v == 0) bits = o->bits;
        if (v == 1 && o->bits != bits) {
            printf("FAIL %s ..: other bits with two threads\n", o->cases.at[0].name);
            t->failed++;
        }
    }
    if (verbose) printf("%d programs from %s on, worst %.2g\n", o->programs.count, o->cases.at[0].name, t->worst);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const char *only = NULL, *file = NULL;
    OracleOptions base = { .folder = getenv("ORACLE_FOLDER") ? getenv("ORACLE_FOLDER") : "." };
    bool verbose = false, wide_only = false;
    int from = 0, to = 1 << 30, batch = 12;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-v")) verbose = true;
        else if (!strcmp(argv[i], "--double")) wide_only = true;
        else if (!strcmp(argv[i], "--sanitize")) base.sanitize = true;
        else if (!strncmp(argv[i], "--flags=", 8)) base.flags = argv[i] + 8;
        else if (!strncmp(argv[i], "--cc=", 5)) base.cc = argv[i] + 5;
        else if (!strncmp(argv[i], "--from=", 7)) from = atoi(argv[i] + 7);
        else if (!strncmp(argv[i], "--to=", 5)) to = atoi(argv[i] + 5);
        else if (strstr(argv[i], ".dln")) file = argv[i];
        else only = argv[i];
    }
    if (only) batch = 1;
    Tally t = {0};
    for (int k = from; k < to; k += batch) {
        arena_release();
        program_reset();
        diag_begin(stderr, DIAG_TEXT, false);
        Symbols s = {0};
        symbols_add_library(&s);
        if (file) {                              /* its own examples instead of the library's */
            s.examples.count = 0;
            symbols_add(&s, parse_source(source_read(file, NULL)), false);
        }
        if (k >= s.examples.count || error_count()) break;
        Oracle o = {0};
        for (int j = k; j < k + batch && j < to && j < s.examples.count; j++) {
            const char *name = s.examples.at[j]->definition->name;
            if (only && (!name || strcmp(only, name))) continue;
            for (int training = 0; training < 2; training++) {
                Program *p = example_program(&s, s.examples.at[j], training);
                if (p) oracle_add(&o, format("%d %s%s", j, name ? name : "every", training ? " (training)" : ""), p);
                else { printf("FAIL %d %s: was not elaborated\n", j, name); t.failed++; }
            }
        }
        if (!o.programs.count) continue;
        t.programs += o.programs.count;
        run_batch(&o, &base, wide_only, verbose, &t);
    }
    printf("%d programs in %d C files, %d wrong, worst difference %.2g of what is allowed\n", t.programs, t.files, t.failed, t.worst);
    return t.failed || !t.programs;
}
