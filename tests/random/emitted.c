/* emitted.c: the generated C of random programs and their gradients against the interpreter (tests/oracle): in double,
 * fused and not, one thread and two, a whole batch and a short one.
 *
 *     emitted [COUNT [FIRST]]        COUNT programs from seed FIRST on; 48 from 0 */
#include "made.h"
#include "oracle.h"
#include "base/text.h"
#include <stdlib.h>

enum { FILE_PROGRAMS = 16 }; /* in one C file */

static bool add_program(Oracle *o, uint64_t seed)
{
    Model *m;
    Tensor *y;
    Program *p = random_program(random_text(seed), seed, &m, &y);
    if (!y || error_count()) return false;
    PUSH(p->outputs, ((Output){ "y", y }));
    if (y->type == TYPE_FLOAT) {
        Gradient given = { y, tensor_new("weight", y->rank, y->extent, y->batch, TYPE_FLOAT, ROLE_INPUT) };
        Gradient *wanted = NEW_ARRAY(Gradient, m->inputs.count + m->kept.count + 1);
        int count = 0;
        for (int i = 0; i < m->inputs.count; i++)
            if (m->inputs.at[i]->type == TYPE_FLOAT) wanted[count++].of = m->inputs.at[i];
        for (int i = 0; i < m->kept.count; i++)
            if (m->kept.at[i]->role == ROLE_PARAM) wanted[count++].of = m->kept.at[i];
        differentiate(p, &given, 1, wanted, count);
        for (int i = 0; i < count; i++)
            if (wanted[i].gradient)
                PUSH(p->outputs, ((Output){ format("d%s", wanted[i].of->name), wanted[i].gradient }));
    }
    simplify(p);
    oracle_add(o, format("seed %d", (int)seed), p);
    return true;
}

/* Returns the number of programs that differ in one of the variants. */
static int run_variants(Oracle *o, const char *folder)
{
    static const struct {
        bool fuse;
        int threads, n;
    } variants[] = { { true, 1, 0 }, { true, 2, 2 }, { false, 1, 0 } };
    bool *wrong = NEW_ARRAY(bool, o->programs.count);
    int count = 0;
    for (int v = 0; v < 3; v++) {
        OracleOptions options = { .wide = true, .folder = folder };
        options.fuse = variants[v].fuse;
        options.threads = variants[v].threads;
        options.n = variants[v].n;
        if (oracle_run(o, &options) < 0) {
            printf("%s ..: does not compile or run\n", o->names.at[0]);
            return o->programs.count;
        }
        for (int k = 0; k < o->programs.count; k++)
            if (o->failed.at[k] && !wrong[k]) {
                wrong[k] = true;
                count++;
                printf("%s: differs, %s, %d threads\n", o->names.at[k], options.fuse ? "fused" : "not fused",
                       options.threads);
            }
    }
    return count;
}

int main(int argc, char **argv)
{
    const char *folder = getenv("ORACLE_FOLDER");
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 48, first = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    int programs = 0, wrong = 0;
    double worst = 0;
    for (uint64_t seed = first; seed < first + count;) {
        arena_release();
        program_reset();
        diag_begin(stderr, DIAG_TEXT, false);
        Oracle o = { 0 };
        for (int k = 0; k < FILE_PROGRAMS && seed < first + count; k++, seed++)
            if (!add_program(&o, seed)) printf("seed %d: was refused\n", (int)seed), wrong++;
        wrong += run_variants(&o, folder ? folder : ".");
        programs += o.programs.count;
        worst = o.worst > worst ? o.worst : worst;
        fflush(stdout);
    }
    printf("%d random programs as C, %d wrong, worst difference %.2g of what is allowed\n", programs, wrong, worst);
    return wrong || programs == 0;
}
