/* made.c: see made.h. */
#include "made.h"
#include <string.h>

static Program *program_new(const char *name, bool training)
{
    Program *p = NEW(Program);
    *p = (Program){ .name = name, .training = training, .first_backward = -1 };
    return p;
}

Made random_make(const char *text, uint64_t seed, bool accumulate)
{
    Source source = { .name = "random.dln", .text = text, .length = strlen(text) };
    Symbols s = { 0 };
    Made made = { 0 };
    symbols_add_library(&s);
    symbols_add(&s, parse_source(arena_copy(&source, sizeof source)), false);
    if (error_count() || s.models.count == 0) return made;
    Model *m = NEW(Model);
    m->batch = 3;
    if (s.train.count) {
        const ModelOptions options = { .file = "random.dln", .accumulate = accumulate, .verify = true };
        made.model = model_build(&s, &options);
        if (!made.model) return made;
        m->batch = made.model->batch;
        m->pytorch = made.model->pytorch;
        m->seed = made.model->seed;
    } else
        m->pytorch = seed & 4;
    m->initialize = program_new("initialize", false);
    made.value = program_new("random", seed & 1);
    Elaboration *e = elaboration_new(&s, m, made.value, seed & 1);
    elaborate_model(e, s.models.at[s.models.count - 1]);
    Output out[8];
    if (!error_count()) made.y = elaborated_value(e);
    if (!error_count() && !made.y && elaborated_outputs(e, out, 8) > 0) made.y = out[0].value;
    return made;
}
