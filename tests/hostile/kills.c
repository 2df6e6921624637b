/* kills.c: kills TIMES WHOLE TRAINER ARGUMENT... --weights FILE: starts the trainer, kills it with SIGKILL at a random
 * moment and starts it again with --resume, as often as that; then once more without killing it. Whenever there is a
 * checkpoint, the next start must take it, and a training that comes to its end must have made the file WHOLE. The moments
 * of every second run lie behind its first new checkpoint, those of the others anywhere, however busy the machine.
 * SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t start(char **arguments)
{
    pid_t child = fork();
    if (!child) {
        execv(arguments[0], arguments);
        _exit(127);
    }
    return child;
}

/* A new checkpoint is another file under the old name. */
static ino_t file_now(const char *path)
{
    struct stat s;
    return stat(path, &s) ? 0 : s.st_ino;
}

/* Until there is a new checkpoint, or two seconds. */
static void await_new(const char *path, ino_t before)
{
    for (int i = 0; i < 20000 && file_now(path) == before; i++) usleep(100);
}

static bool file_same(const char *a, const char *b)
{
    static char x[1 << 16], y[1 << 16];
    FILE *f = fopen(a, "rb"), *g = fopen(b, "rb");
    if (!f || !g) return false;
    const size_t n = fread(x, 1, sizeof x, f), m = fread(y, 1, sizeof y, g);
    fclose(f);
    fclose(g);
    return n == m && n < sizeof x && !memcmp(x, y, n);
}

int main(int argc, char **argv)
{
    if (argc < 7 || strcmp(argv[argc - 2], "--weights")) return 2;
    const char *weights = argv[argc - 1];
    char **arguments = calloc((size_t)argc + 1, sizeof *arguments);
    if (!arguments) return 3;
    memcpy(arguments, argv + 3, sizeof *arguments * (size_t)(argc - 3));
    const int times = atoi(argv[1]);
    int killed = 0, saved = 0, finished = 0, status = 0;
    double limit = 20e3;                         /* microseconds: the moments lie between 0 and this */
    srand(1);
    while (killed < times) {
        const ino_t before = file_now(weights);
        arguments[argc - 3] = before ? "--resume" : NULL;
        pid_t child = start(arguments);
        if (killed % 2) await_new(weights, before);
        usleep((useconds_t)((killed % 2 ? 2e3 : limit) * rand() / RAND_MAX));
        kill(child, SIGKILL);
        if (waitpid(child, &status, 0) != child) return 3;
        if (WIFEXITED(status)) {                 /* it was faster: from the beginning again */
            if (WEXITSTATUS(status) || !file_same(weights, argv[2]) || unlink(weights)) {
                printf("after %d kills: exit %d, or other weights\n", killed, WEXITSTATUS(status));
                return 1;
            }
            finished++;
            limit *= 0.7;
            continue;
        }
        killed++;
        const bool new = file_now(weights) != before;
        saved += new;
        limit = new ? limit * 0.9 : limit < 1e6 ? limit * 1.1 : limit;
    }
    arguments[argc - 3] = file_now(weights) ? "--resume" : NULL;
    pid_t child = start(arguments);
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) || !file_same(weights, argv[2])) {
        printf("the last run: %d\n", status);
        return 1;
    }
    printf("%d kills, %d of them after a new checkpoint; %d trainings came to their end\n", killed, saved, finished + 1);
    return saved < times / 10;
}
