/* run.c: `dlnc run model.dln -- train ..`. The C and the program lie in a folder of their own under $TMPDIR, which is
 * removed at the end. $CC (default cc) and $CFLAGS (default the flags of the generated file's first lines) are honoured.
 * libdln is looked for beside dlnc (a build) and under its prefix (an installation). */
#include "driver/run.h"
#include "driver/output.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char default_flags[] = "-O3 -march=native -fopenmp";

/* Splits words at spaces: "ccache gcc", "-O2 -g". */
typedef LIST(char *) Words;
static void add_words(Words *w, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, " \t\n");
        if (n) PUSH(*w, (char *)(uintptr_t)format("%.*s", (int)n, text));
        text += n + strspn(text + n, " \t\n");
    }
}

static void add_word(Words *w, const char *word) { PUSH(*w, (char *)(uintptr_t)word); }

/* The folder of this program's own file, or NULL. */
static const char *own_folder(void)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0) return NULL;
    path[n] = 0;
    char *slash = strrchr(path, '/');
    if (slash) *slash = 0;
    return format("%s", path);
}

/* Where dln.h and libdln.a are: beside dlnc's build, or under its prefix. */
static bool find_library(const char **include, const char **library)
{
    const char *own = own_folder();
    if (!own) return false;
    const char *const places[][2] = {
        { own, format("%s/libdln.a", own) },
        { format("%s/../include", own), format("%s/../lib/libdln.a", own) },
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (!access(places[i][1], R_OK)) {
            *include = places[i][0];
            *library = places[i][1];
            return true;
        }
    return false;
}

enum { NOT_STARTED = 127 };

/* Runs words[0], which answers to Ctrl-C by itself. Its exit code, 128 + the signal that ended it, or -1 if it could not
 * be started. */
static int start(Words *words)
{
    add_word(words, NULL);
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) return -1;
    if (!child) {
        signal(SIGXFSZ, SIG_DFL);
        execvp(words->at[0], words->at);
        _exit(NOT_STARTED);
    }
    void (*on_int)(int) = signal(SIGINT, SIG_IGN), (*on_term)(int) = signal(SIGTERM, SIG_IGN);
    int status, ended;
    do ended = waitpid(child, &status, 0);
    while (ended < 0 && errno == EINTR);
    signal(SIGINT, on_int);
    signal(SIGTERM, on_term);
    if (ended < 0) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int build(const Options *o, const char *folder, const char *source, const char *program)
{
    const char *include = NULL, *library = NULL, *cc = getenv("CC"), *flags = getenv("CFLAGS");
    if (!find_library(&include, &library)) {
        error_plain("libdln.a is neither beside dlnc nor in ../lib: build it with make, or install dlnc");
        return EXIT_IO;
    }
    Words w = {0};
    add_words(&w, cc && *cc ? cc : "cc");
    add_words(&w, flags && *flags ? flags : default_flags);
    add_words(&w, format("-ffp-contract=off -fno-math-errno -DDLN_MAIN"));
    add_word(&w, format("-I%s", include));
    add_word(&w, format("-I%s", folder));
    add_word(&w, source);
    add_word(&w, "-o");
    add_word(&w, program);
    add_word(&w, library);
    add_words(&w, "-lz -ljansson -lm");
    if (o->emit_options.blas == BLAS_ALWAYS) add_word(&w, "-lopenblas");
    if (strstr(flags && *flags ? flags : default_flags, "-fopenmp") == NULL) add_word(&w, "-pthread");
    int status = start(&w);
    if (!status) return 0;
    if (status == NOT_STARTED) error_plain("cannot start the C compiler %s", w.at[0]);
    else error_plain("the C compiler (%s) ended with %d on the generated file", w.at[0], status);
    help("$CC is the compiler (default cc), $CFLAGS its flags (default %s)", default_flags);
    return EXIT_IO;
}

/* What is removed however dlnc ends; nothing if folder is NULL. */
static struct { const char *folder, *source, *header, *program; } made;
static void remove_made(void)
{
    if (!made.folder) return;
    unlink(made.program);
    unlink(made.source);
    unlink(made.header);
    rmdir(made.folder);
    made.folder = NULL;
}

int run_model(const Options *given, int (*compile)(const Options *o))
{
    const char *base = getenv("TMPDIR");
    if (!base || !*base) base = "/tmp";
    char *folder = (char *)(uintptr_t)format("%s/dlnc-XXXXXX", base);
    if (!mkdtemp(folder)) {
        error_plain("cannot make a folder in %s: %s", base, strerror(errno));
        return EXIT_IO;
    }
    const char *source = made.source = format("%s/model.c", folder);
    made.header = format("%s/model.h", folder);
    made.program = format("%s/model", folder);
    made.folder = folder;
    atexit(remove_made);
    Options o = *given;
    o.output = source;
    int status = compile(&o);
    if (!status) status = build(&o, folder, source, made.program);
    if (!status) {
        Words w = {0};
        add_word(&w, made.program);
        for (int i = 0; i < o.rest; i++) PUSH(w, o.rest_at[i]);
        status = start(&w);
        if (status < 0) error_plain("cannot start %s: %s", made.program, strerror(errno));
    }
    remove_made();
    return status < 0 ? EXIT_IO : status;
}
