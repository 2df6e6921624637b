/* profile.c: the section of model.c for -DDLN_PROFILE: the time of each kernel of a step, printed when the program ends.
 * Every call of a kernel is replaced by itself between two barriers and two looks at the clock; inside a loop over the
 * samples, where there can be no barrier, by the first thread's time for its samples. */
#include "emit/emit.h"
#include <ctype.h>
#include <string.h>

static const char *const times =
    "static double profile_now(void) {\n"
    "#ifdef _OPENMP\n"
    "    return omp_get_wtime();\n"
    "#else\n"
    "    return (double)clock() / CLOCKS_PER_SEC;\n"
    "#endif\n"
    "}\n"
    "__attribute__((destructor)) static void profile_print(void) {\n"
    "    double all = 0;\n"
    "    for (int k = 0; k < PROFILED; k++) all += profile[k].seconds;\n"
    "    for (int left = PROFILED; left > 0 && all > 0; left--) {         /* the longest first */\n"
    "        int most = 0;\n"
    "        for (int k = 1; k < PROFILED; k++) if (profile[k].seconds > profile[most].seconds) most = k;\n"
    "        if (profile[most].seconds < 0) break;\n"
    "        fprintf(stderr, \"%5.1f %%  %10.3f us  %7ld calls  %s\\n\", 100 * profile[most].seconds / all,\n"
    "                profile[most].calls ? 1e6 * profile[most].seconds / (double)profile[most].calls : 0.0,\n"
    "                profile[most].calls, profile[most].name);\n"
    "        profile[most].seconds = -1;\n"
    "    }\n"
    "}\n"
    "#define PROFILE(k, call) do { \\\n"
    "    OMP_BARRIER \\\n"
    "    const double begin_ = profile_now(); \\\n"
    "    call; \\\n"
    "    OMP_BARRIER \\\n"
    "    OMP_MASTER { profile[k].seconds += profile_now() - begin_; profile[k].calls++; } \\\n"
    "} while (0)\n"
    "#ifdef _OPENMP\n"
    "#define FIRST_THREAD (omp_get_thread_num() == 0)\n"
    "#else\n"
    "#define FIRST_THREAD 1\n"
    "#endif\n"
    "#define PROFILE_SAMPLE(k, call) do { \\\n"
    "    const double begin_ = profile_now(); \\\n"
    "    call; \\\n"
    "    if (FIRST_THREAD) { profile[k].seconds += profile_now() - begin_; profile[k].calls++; } \\\n"
    "} while (0)\n"
    "#ifdef _OPENMP\n"
    "#define OMP_MASTER _Pragma(\"omp master\")\n"
    "#else\n"
    "#define OMP_MASTER\n"
    "#endif\n";

/* calls: the text of the parallel region. A kernel is what is called with run as its first argument. */
void profile_text(const char *calls, Text *to)
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
    text_addf(to, "enum { PROFILED = %d };\nstatic struct { const char *name; double seconds; long calls; } profile[PROFILED] = {\n", names.count);
    for (int i = 0; i < names.count; i++) text_addf(to, "    {\"%s\", 0, 0},\n", names.at[i]);
    text_addf(to, "};\n%s", times);
    for (int i = 0; i < names.count; i++)
        text_addf(to, "#define %s(...) PROFILE%s(%d, %s(__VA_ARGS__))\n", names.at[i], in_sequence.at[i] ? "_SAMPLE" : "", i, names.at[i]);
    text_add(to, "#endif\n");
}
