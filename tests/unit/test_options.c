/* test_options.c: dlnc's command line: what words say and which do not go together, and what of them stands in the head
 * of the C. SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "driver/options.h"

/* Reads `words`, which blanks divide; what is said goes to *said. */
static int try_words(const char *words, Options *o, char **said)
{
    char *argv[40] = { (char *)"dlnc" }, *line = strdup(words);
    size_t length;
    int argc = 1;
    for (char *w = strtok(line, " "); w; w = strtok(NULL, " ")) argv[argc++] = w;
    FILE *to = open_memstream(said, &length);
    diag_begin(to, DIAG_TEXT, false);
    int status = options_read(o, argc, argv); /* line lives on: the options point into it */
    fclose(to);
    return status;
}

Test(options, words_that_are_wrong)
{
    static const char *const cases[][2] = {
        { "-x a.dln", "unknown option -x" },
        { "--formt a.dln", "did you mean --format?" },
        { "--zzzzzzzzzzz a.dln", "dlnc --help lists the options" },
        { "--emi=c a.dln", "did you mean --emit?" },
        { "--format=yes a.dln", "--format takes no value" },
        { "a.dln -o", "-o needs a value: FILE" },
        { "a.dln --emit", "--emit needs a value: STAGE" },
        { "-o= a.dln", "-o needs the name of a file" },
        { "-MF= a.dln", "-MF needs the name of a file" },
        { "a.dln b.dln", "one file at a time: a.dln and b.dln" },
        { "--format", "no input file" },
        { "run", "no input file" },
        { "--prefix=2a a.dln", "--prefix=2a: expected a C name" },
        { "--prefix=a-b a.dln", "--prefix=a-b: expected a C name" },
        { "--prefix=a{b a.dln", "expected a C name" },
        { "--prefix=a:b a.dln", "expected a C name" },
        { "--prefix= a.dln", "expected a C name" },
        { "--prefix=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa a.dln", "at most 64 characters" },
        { "--real=half a.dln", "--real=half: expected float or double" },
        { "--blas=no a.dln", "--blas=no: expected auto, always or never" },
        { "--schedule=tiles a.dln", "--schedule=tiles: expected auto, rows or all" },
        { "--winograd=always a.dln", "--winograd=always: expected auto or never" },
        { "--fuse=yes a.dln", "--fuse=yes: expected auto or never" },
        { "--diagnostics-format=xml a.dln", "--diagnostics-format=xml: expected text or json" },
        { "--batch=0 a.dln", "expected a whole number from 1 to 1048576" },
        { "--batch=x a.dln", "expected a whole number" },
        { "--batch=3x a.dln", "expected a whole number" },
        { "--batch=-3 a.dln", "expected a whole number" },
        { "--batch=1048577 a.dln", "expected a whole number" },
        { "--batch=99999999999999999999 a.dln", "expected a whole number" },
        { "--memory-limit=x a.dln", "expected bytes, or a number with K, M or G: 96K" },
        { "--memory-limit=3T a.dln", "expected bytes" },
        { "--memory-limit=3KB a.dln", "expected bytes" },
        { "--memory-limit=9223372036854775807K a.dln", "expected bytes" },
        { "--memory-limit=0 a.dln", "expected bytes" },
        { "--accumulate --inference-only a.dln", "--accumulate belongs to training" },
        { "a.dln -- train", "what follows -- is for `dlnc run`" },
        { "run -MD a.dln", "-MD and -MF are not for `dlnc run`" },
        { "run -MF x a.dln", "-MD and -MF are not for `dlnc run`" },
        { "run -o x a.dln", "-o is not for `dlnc run`" },
        { "run --emit=c a.dln", "--emit is not for `dlnc run`" },
        { "run --format a.dln", "--format and --explain are not for `dlnc run`" },
        { "run --explain=relu a.dln", "--format and --explain are not for `dlnc run`" },
        { "--explain=relu -o x", "-o is not for --explain" },
        { "--emit=c -MD a.dln", "-MD and -MF go with the C, not with --emit" },
        { "--format --emit=c a.dln", "--format and --emit: one of the two" },
        { "--format --in-place -o x a.dln", "--in-place rewrites the file itself: no -o" },
        { "-o - -MD a.dln", "-MD and -MF need an output that has a name" },
        { "-o - -MF x a.dln", "-MD and -MF need an output that has a name" },
        { "-o - --summary a.dln", "would both write to the standard output" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Options o;
        char *said;
        int status = try_words(cases[i][0], &o, &said);
        cr_expect(status == EXIT_USAGE && strstr(said, cases[i][1]), "%s: %d, %s", cases[i][0], status, said);
        free(said);
    }
}

Test(options, words_that_are_right)
{
    static const struct {
        const char *words, *head;
    } cases[] = {
        { "a.dln", "" },
        { "--real=double a.dln --prefix net_2", "--real=double --prefix=net_2" },
        { "-o x.c --emit=c --batch 32 --blas=never -MD a.dln", NULL },
        { "--blas=always --winograd=never --schedule=rows --fuse=never a.dln",
          "--blas=always --winograd=never --schedule=rows --fuse=never" },
        { "--blas=auto --winograd=auto --schedule=all --fuse=auto a.dln",
          "--blas=auto --winograd=auto --schedule=all --fuse=auto" },
        { "--schedule=auto --real=float --diagnostics-format=json --weights w a.dln", "--schedule=auto --real=float" },
        { "--memory-limit=96K --inference-only a.dln -o x -MF x.d --write-if-changed",
          "--memory-limit=96K --inference-only" },
        { "--format --in-place a.dln", "" },
        { "--summary --verify --accumulate a.dln", "--accumulate" },
        { "run --real=double a.dln -- train --real=float", "--real=double" },
        { "- -o -", "" },
        { "--explain=relu", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Options o;
        char *said;
        int status = try_words(cases[i].words, &o, &said);
        if (cases[i].head)
            cr_expect(status == -1 && !*said && !strcmp(o.emit_options.options, cases[i].head), "%s: %d, %s%s",
                      cases[i].words, status, said, o.emit_options.options ? o.emit_options.options : "");
        else
            cr_expect(status == EXIT_USAGE, "%s: %d", cases[i].words, status);
        free(said);
    }
}

Test(options, what_they_say)
{
    Options o;
    char *said;
    cr_assert(try_words("run --real double --batch=7 --memory-limit=3G --blas=never --fuse=never --winograd=never "
                        "--schedule=all m.dln -- eval -q",
                        &o, &said) == -1);
    cr_expect(o.run && o.rest == 2 && !strcmp(o.rest_at[0], "eval") && !strcmp(o.input, "m.dln"));
    cr_expect(o.emit_options.wide_real && o.batch == 7 && o.emit_options.memory_limit == (int64_t)3 << 30);
    cr_expect(o.emit_options.blas == BLAS_NEVER && !o.emit_options.fuse && o.emit_options.direct &&
              o.emit_options.force == FORCE_ALL);
    cr_assert(try_words("--blas=always --schedule=rows --memory-limit=100 m.dln", &o, &said) == -1);
    cr_expect(o.emit_options.blas == BLAS_ALWAYS && o.emit_options.force == FORCE_ROWS &&
              o.emit_options.memory_limit == 100 && o.emit_options.fuse);
    cr_assert(try_words("--blas=auto --memory-limit=2M --diagnostics-format=json m.dln", &o, &said) == -1);
    cr_expect(o.emit_options.blas == BLAS_AUTO && o.emit_options.memory_limit == 2 << 20 && o.diagnostics == DIAG_JSON);
}

Test(options, help_and_version)
{
    Options o;
    char *said;
    cr_expect(try_words("--help", &o, &said) == 0 && try_words("-h", &o, &said) == 0 &&
              try_words("a.dln --version", &o, &said) == 0);
    cr_expect(try_words("", &o, &said) == EXIT_USAGE);
}
