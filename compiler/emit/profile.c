/* profile.c: the section of model.c for -DDLN_PROFILE: the time of each kernel of a step, its operations and the bytes
 * it touches, printed when the program ends. Every call of a kernel is replaced by itself between two barriers and two
 * looks at the clock; inside a loop over the samples, where no barrier can be, the first thread's time for its samples
 * counts. */
#include "emit/emit.h"
#include <ctype.h>
#include <string.h>

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

/* calls: the text of the parallel region. A kernel is what is called with run as its first argument. */
void profile_text(const ProgramPlan *p, const char *calls, Text *to)
{
    LIST(const char *) names = {0};
    LIST(bool) in_sequence = {0};
    for (const char *at = strstr(calls, "(run"); at; at = strstr(at + 1, "(run")) {
        const char *begin = at;
        while (begin > calls && (isalnum((unsigned char)begin[-1]) || begin[-1] == '_')) begin--;
        const char *name = intern_n(begin, (size_t)(at - begin));
        bool again = begin == at || at[4] == '-';                    /* share(run->n, ..) is no kernel */
        for (int i = 0; i < names.count; i++) again |= names.at[i] == name;
        if (again) continue;
        const char *end = strchr(at, ')');
        PUSH(names, name);
        PUSH(in_sequence, end - at > 5 && !strncmp(end - 5, " slot", 5));
    }
    if (!names.count) return;
    text_add(to, "\n#ifdef DLN_PROFILE          /* the time of each kernel, on stderr when the program ends */\n"
                 "#include <stdio.h>\n#include <time.h>\n#ifdef _OPENMP\n#include <omp.h>\n#endif\n");
    int first = 0;                               /* of the kernels outside of loops: where a step begins */
    while (first < names.count - 1 && !in_sequence.at[first] && !strstr(calls, format("%s(run)", names.at[first]))) first++;
    text_addf(to, "enum { PROFILED = %d, PROFILED_FIRST = %d };\nstatic struct profile {\n    const char *name;\n"
                  "    double flops, bytes;             /* of a step with a full batch */\n"
                  "    double seconds, least, step;     /* of all steps, of the quickest, of this one */\n"
                  "    long calls;\n} profile[PROFILED] = {\n", names.count, first);
    for (int i = 0; i < names.count; i++) {
        double flops, bytes;
        kernel_cost(p, names.at[i], &flops, &bytes);
        text_addf(to, "    {\"%s\", %.0f, %.0f, 0, 0, 0, 0},\n", names.at[i], flops, bytes);
    }
    text_addf(to, "};\nstatic long profile_steps;\n%s", times);
    for (int i = 0; i < names.count; i++)
        text_addf(to, "#define %s(...) PROFILE%s(%d, %s(__VA_ARGS__))\n", names.at[i], in_sequence.at[i] ? "_SAMPLE" : "", i, names.at[i]);
    text_add(to, "#endif\n");
}
