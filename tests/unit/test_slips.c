/* test_slips.c: mistakes of meaning: for each a text that parses, the place of the first message, its words, and the help.
 * Each is elaborated as dlnc does it; nothing may end as a bug of dlnc, and one slip is told in at most two messages.
 * The texts are those of slips.h, put into the frame that their line names.
 * SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "tensor/model.h"

enum Frame { IN_DEF, BEFORE_MODEL, IN_MODEL, IN_TRAIN, ALONE };
static const char *const frames[] = {
    [IN_DEF] = "def f(x[n, c]) { @ }\nmodel m { input x: float[4]\n f }",
    [BEFORE_MODEL] = "@\nmodel m { input x: float[4]\n f }",
    [IN_MODEL] = "model m { input x: float[4]\n @ }",
    [IN_TRAIN] = "model m { input x: float[4]\n output y = x -> dense(2) }\ntrain { @ }",
    [ALONE] = "@",
};

static const struct Slip {
    enum Frame frame;
    const char *text, *place, *message, *help;
} slips[] = {
#include "unit/slips.h"
};

Test(slips, of_meaning)
{
    for (size_t i = 0; i < sizeof slips / sizeof *slips; i++) {
        const struct Slip *s = &slips[i];
        const char *frame = frames[s->frame], *hole = strchr(frame, '@');
        char text[2000], first[600], *said = NULL;
        size_t length, errors = 0;
        names_reset();
        FILE *to = open_memstream(&said, &length);
        diag_begin(to, DIAG_TEXT, false);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(hole - frame), frame, s->text, hole + 1);
        Source source = { .name = "t.dln", .text = text, .length = strlen(text) };
        Symbols symbols = { 0 };
        ModelOptions options = { .file = "t.dln" };
        File *file = parse_source(&source);
        if (!error_count()) {
            symbols_add_library(&symbols);
            symbols_add(&symbols, file, false);
            symbols_import(&symbols, file);
        }
        if (!error_count()) model_build(&symbols, &options);
        diag_end();
        fclose(to);
        snprintf(first, sizeof first, "t.dln:%s: error: %s\n", s->place, s->message); /* warnings may stand before it */
        cr_expect(strstr(said, " error: ") && strstr(said, first) && strstr(said, first) < strstr(said, " error: "),
                  "%s\n  %s  %s", s->text, first, said);
        const char *help = strstr(said, "help: ");
        if (s->help)
            cr_expect(help && strncmp(help + 6, s->help, strlen(s->help)) == 0, "%s\n  %s", s->text, said);
        else
            cr_expect(!help, "%s\n  %s", s->text, said);
        for (const char *at = said; (at = strstr(at, " error: ")); at++) errors++;
        cr_expect(errors <= 2, "%s: %zu messages\n%s", s->text, errors, said);
        free(said);
    }
}
