/* main.c: from the command line to a command. Threads are set up here, before OpenMP's pool starts, and numbers are
 * read and written with a decimal point whatever the caller's locale. SPDX-License-Identifier: 0BSD */
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
#include "run.h"

/* There when the model was compiled with -fopenmp. */
extern void omp_set_num_threads(int) __attribute__((weak));
extern int omp_get_num_procs(void) __attribute__((weak));

/* Threads that stay on their core keep their caches: good where there is one for each core, bad where several programs
 * would all choose the first ones. OpenMP reads its variables when the program is loaded, so the program starts itself
 * once more with them; who has set OMP_PROC_BIND is obeyed. */
static void threads_set(const Options *o, char **argv)
{
    if (!omp_set_num_threads) {
        if (o->threads > 1) fprintf(stderr, "note: the model was compiled without -fopenmp: one thread computes\n");
        return;
    }
    int processors = omp_get_num_procs ? omp_get_num_procs() : 1;
    bool fits = processors > 1 && team_ranks() == 1 && (o->threads < 0 || o->threads == processors);
    bool computes = o->command == COMMAND_TRAIN || o->command == COMMAND_EVAL || o->command == COMMAND_PREDICT;
    if (computes && fits && !getenv("OMP_PROC_BIND") && !getauxval(AT_SECURE) && !setenv("OMP_PROC_BIND", "true", 1))
        execv("/proc/self/exe", argv); /* comes back only if it cannot */
    if (o->threads > 0) omp_set_num_threads((int)o->threads);
}

static int command_run(Run *r, Problem *p)
{
    switch (r->options.command) {
    case COMMAND_TRAIN: return train_command(r, p);
    case COMMAND_EVAL: return eval_command(r, p);
    case COMMAND_PREDICT: return predict_command(r, p);
    case COMMAND_INFO: return info_command(r, p);
    case COMMAND_EXPORT: return export_command(r, p);
    default: break;
    }
    return problem_set(p, EXIT_BUG, "no such command"), p->code;
}

static bool streams_good(Problem *p)
{
    return (!fflush(stdout) && !ferror(stdout)) || problem_set(p, EXIT_IO, "cannot write to standard output");
}

static int program_run(int argc, char **argv, const dln_model *m)
{
    const char *program = argc > 0 && argv[0] ? argv[0] : m->name;
    Run r = { 0 };
    Problem p = { 0 };
    int code = EXIT_USAGE;
    if (!options_read(&r.options, argc, argv, m, &p))
        code = p.code;
    else if (r.options.command == COMMAND_NONE)
        options_help(stderr, m, program);
    else if (r.options.command == COMMAND_HELP) {
        options_help(stdout, m, program);
        code = EXIT_DONE;
    } else if (r.options.command == COMMAND_VERSION) {
        printf("%s, by dlnc %s\n", m->name, m->version);
        code = EXIT_DONE;
    } else {
        threads_set(&r.options, argv);
        code = team_begin(&r.options, &p) && run_begin(&r, m, &p) ? command_run(&r, &p) : p.code;
    }
    if (!streams_good(&p) && code == EXIT_DONE) code = p.code;
    if (code && code == p.code) fprintf(stderr, "%s: error: %s%s\n", program, team_words(), p.text);
    run_end(&r);
    team_end(code, code && code == p.code);
    return code;
}

int dln_main(int argc, char **argv, const dln_model *m)
{
    if (m->abi != DLN_ABI) {
        fprintf(stderr, "%s: error: the model was made for version %d of libdln, this is %d\n", m->name, m->abi,
                DLN_ABI);
        return EXIT_BUG;
    }
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0), before = plain ? uselocale(plain) : (locale_t)0;
    int code = program_run(argc, argv, m);
    if (plain) {
        uselocale(before);
        freelocale(plain);
    }
    return code;
}
