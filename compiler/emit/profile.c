/* profile.c: the section of model.c for -DDLN_PROFILE: the time of each kernel of a step, its operations and the bytes
 * it touches, printed when the program ends. Every call of a kernel is replaced by itself between two barriers and two
 * looks at the clock; inside a loop over the samples, where no barrier can be, the first thread's time for its samples
 * counts. */
#include "emit/emit.h"

/* Without OpenMP clock() is the processor's time: what other programs do does not count. */
static const char *const times =
    "static double profile_now(void) {\n"
    "#ifdef _OPENMP\n"
    "    return omp_get_wtime();\n"
    "#else\n"
    "    return (double)clock() / CLOCKS_PER_SEC;\n"
    "#endif\n"
    "}\n"
    "static void profile_step_ends(void) {\n"
    "    for (int k = 0; k < PROFILED; k++) {\n"
    "        if (!profile_steps || profile[k].step < profile[k].least) profile[k].least = profile[k].step;\n"
    "        profile[k].seconds += profile[k].step;\n"
    "        profile[k].step = 0;\n"
    "    }\n"
    "    profile_steps++;\n"
    "}\n"
    "static void profile_line(const struct profile *k, double all, double steps) {\n"
    "    const double least = k->least > 0 ? k->least : 1e-9;\n"
    "    fprintf(stderr, \"%5.1f %%  %10.2f %10.2f us  %4.0f calls  %9.3f Mflop %8.3f MB\",\n"
    "            100 * k->seconds / all, 1e6 * k->seconds / steps, 1e6 * least, (double)k->calls / steps,\n"
    "            1e-6 * k->flops, 1e-6 * k->bytes);\n"
    "    fprintf(stderr, \"  %6.1f GF/s %6.1f GB/s  %s\\n\",\n"
    "            1e-9 * k->flops / least, 1e-9 * k->bytes / least, k->name);\n"
    "}\n"
    "__attribute__((destructor)) static void profile_print(void) {\n"
    "    if (!profile[PROFILED_FIRST].calls) return;\n"
    "    profile_step_ends();\n"
    "    double all = 0;\n"
    "    for (int k = 0; k < PROFILED; k++) all += profile[k].seconds;\n"
    "    fprintf(stderr, \"%ld steps; a step on average, at the least; rates of a full batch at the least:\\n\",\n"
    "            profile_steps);\n"
    "    for (;;) {                       /* the longest first */\n"
    "        int most = 0;\n"
    "        for (int k = 1; k < PROFILED; k++) if (profile[k].seconds > profile[most].seconds) most = k;\n"
    "        if (!(profile[most].seconds > 0)) break;\n"
    "        profile_line(&profile[most], all, (double)profile_steps);\n"
    "        profile[most].seconds = 0;\n"
    "    }\n"
    "}\n"
    "#define PROFILE(k, call) do { \\\n"
    "    OMP_BARRIER \\\n"
    "    OMP_MASTER { if ((k) == PROFILED_FIRST && profile[k].calls) profile_step_ends(); } \\\n"
    "    const double begin_ = profile_now(); \\\n"
    "    call; \\\n"
    "    OMP_BARRIER \\\n"
    "    OMP_MASTER { profile[k].step += profile_now() - begin_; profile[k].calls++; } \\\n"
    "} while (0)\n"
    "#ifdef _OPENMP\n"
    "#define FIRST_THREAD (omp_get_thread_num() == 0)\n"
    "#else\n"
    "#define FIRST_THREAD 1\n"
    "#endif\n"
    "#define PROFILE_SAMPLE(k, call) do { \\\n"
    "    if ((k) == PROFILED_FIRST && n == 0 && FIRST_THREAD && profile[k].calls) profile_step_ends(); \\\n"
    "    const double begin_ = profile_now(); \\\n"
    "    call; \\\n"
    "    if (FIRST_THREAD) { profile[k].step += profile_now() - begin_; profile[k].calls++; } \\\n"
    "} while (0)\n"
    "#ifdef _OPENMP\n"
    "#define OMP_MASTER _Pragma(\"omp master\")\n"
    "#else\n"
    "#define OMP_MASTER\n"
    "#endif\n";

void profile_text(const ProgramPlan *p, Text *to)
{
    int first = 0, n = p->kernels.count;         /* first: where a step begins */
    if (!n) return;
    text_add(to, "\n#ifdef DLN_PROFILE          /* the time of each kernel, on stderr when the program ends */\n"
                 "#include <stdio.h>\n#include <time.h>\n#ifdef _OPENMP\n#include <omp.h>\n#endif\n");
    while (first < n - 1 && !kernel_info(p, first).begins) first++;
    text_addf(to, "enum { PROFILED = %d, PROFILED_FIRST = %d };\nstatic struct profile {\n    const char *name;\n"
                  "    double flops, bytes;             /* of a step with a full batch */\n"
                  "    double seconds, least, step;     /* of all steps, of the quickest, of this one */\n"
                  "    long calls;\n} profile[PROFILED] = {\n", n, first);
    for (int i = 0; i < n; i++) {
        KernelInfo k = kernel_info(p, i);
        text_addf(to, "    {\"%s\", %.0f, %.0f, 0, 0, 0, 0},\n", k.function, k.flops, k.bytes);
    }
    text_addf(to, "};\nstatic long profile_steps;\n%s", times);
    for (int i = 0; i < n; i++) {
        KernelInfo k = kernel_info(p, i);
        text_addf(to, "#define %s(...) PROFILE%s(%d, %s(__VA_ARGS__))\n", k.function, k.by_sample ? "_SAMPLE" : "", i, k.function);
    }
    text_add(to, "#endif\n");
}
