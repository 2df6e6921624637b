/* took.c: runs a command and says what it took:
 *
 *     took FILE COMMAND [ARGUMENT...]    appends "WALL CPU RSS" (seconds, seconds, KB at the most) to FILE
 *
 * The exit code is the command's.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec * 1e-6; }

int main(int argc, char **argv)
{
    if (argc < 3) return fputs("usage: took FILE COMMAND [ARGUMENT...]\n", stderr), 2;
    struct timespec begin, end;
    struct rusage use;
    int status;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    const pid_t child = fork();
    if (child < 0) return perror("took"), 2;
    if (!child) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    if (wait4(child, &status, 0, &use) != child) return perror("took"), 2;
    clock_gettime(CLOCK_MONOTONIC, &end);
    FILE *to = fopen(argv[1], "a");
    if (!to) return perror(argv[1]), 2;
    fprintf(to, "%.4f %.4f %ld\n", (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) * 1e-9,
            seconds(use.ru_utime) + seconds(use.ru_stime), use.ru_maxrss);
    if (fclose(to)) return perror(argv[1]), 2;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}
