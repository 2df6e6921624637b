/* made.c: see made.h. */
#include "made.h"
#include "generate.h"
#include <string.h>

const char *random_text(uint64_t seed) { return seed % 3 ? generate(seed) : generate_stack(seed); }

static Program *program_new(const char *name)
{
    Program *p = NEW(Program);
    p->name = name;
    p->first_backward = -1;
    return p;
}

Program *random_program(const char *text, uint64_t seed, Model **m, Tensor **y)
{
    Source source = { .name = "random.dln", .text = text, .length = strlen(text) };
    Symbols s = { 0 };
    symbols_add_library(&s);
    symbols_add(&s, parse_source(arena_copy(&source, sizeof source)), false);
    Program *p = program_new("random");
    p->training = seed & 1;
    *y = NULL;
    *m = NEW(Model);
    (*m)->batch = 3;
    (*m)->pytorch = seed & 4;
    (*m)->initialize = program_new("initialize");
    if (error_count()) return p;
    Elaboration *e = elaboration_new(&s, *m, p, p->training);
    elaborate_model(e, s.models.at[s.models.count - 1]);
    *y = error_count() ? NULL : elaborated_value(e);
    return p;
}
