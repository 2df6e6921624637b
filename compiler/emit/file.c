/* file.c: model.c, section by section in the order in which it is read:
 *     what it is (head.c), the header, the core that it uses, one call's data (struct run),
 *     the kernels of each program with the function that runs them, the public calls (api.c), the host's section (host.c). */
#include "emit/emit.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

/* ---- names ------------------------------------------------------------------------------------------------------- */
/* Whether the core defines or uses the name as a whole word of its code. */
static bool core_has(const char *name)
{
    size_t length = strlen(name);
    for (const struct LibraryFile *f = core_files; f->name; f++) {
        bool comment = false;
        for (const char *at = f->text; *at; at++) {
            if (!comment && at[0] == '/' && at[1] == '*') comment = true;
            if (comment && at[0] == '*' && at[1] == '/') comment = false;
            bool begins = at == f->text || !is_word_char(at[-1]);
            if (!comment && begins && !strncmp(at, name, length) && !is_word_char(at[length]))
                return true;
        }
    }
    return false;
}

/* Whether a name is C's or C++'s, the core's or the host program's, or one that model.c itself uses. */
bool word_is_taken(const char *name)
{
    static const char *const words[] = { "main", "errno", "linux", "unix", "run", "tensors", "place", "places", "memcpy",
                                         "memset", "READY", "PASSES", "SETTINGS", "m", "n", "run_of" };
    size_t length = strlen(name);
    bool type = length > 2 && !strcmp(name + length - 2, "_t");      /* size_t, uint8_t .. */
    bool host = !strncasecmp(name, "dln", 3) && (!name[3] || name[3] == '_');
    bool taken = type || host || name_is_keyword(name) || core_has(name);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) taken |= !strcmp(name, words[i]);
    return taken;
}

/* The prefix of public names: the user's or the model's name, unless a tensor or the core is called that. */
static const char *public_prefix(const Plan *plan)
{
    const char *name = plan->options->prefix ? plan->options->prefix : plan->model->name;
    bool taken = word_is_taken(name);
    for (int i = 0; i < plan->storage.count; i++) taken |= !strcmp(name, c_name(plan, plan->storage.at[i].tensor));
    return taken ? format("%s_model", name) : name;
}

static const char *upper(const char *s)
{
    char *u = arena_copy(s, strlen(s) + 1);
    for (char *at = u; *at; at++) *at = (char)toupper((unsigned char)*at);
    return u;
}

/* ---- one call ---------------------------------------------------------------------------------------------------- */
static void run_pointer(const Emission *e, const Tensor *t, bool given, Text *to)
{
    const Storage *s = plan_storage(e->plan, t);
    const char *type = t->type == TYPE_FLOAT && s->element == 8 ? "double" : element_type(e, t);
    text_addf(to, "    %s%s *%s;\n", given ? "const " : "", type, c_name(e->plan, t));
}

static void run_struct(const Emission *e, Text *to)
{
    const Model *m = e->model;
    text_add(to, "\n/* ---- one call: the memory, the batch, the caller's arrays, the numbers of the run ---- */\n");
    template_add(e, to, "struct run {\n    real *memory;\n    const @p *model;\n    int n;                 /* samples in this batch */\n");
    for (int i = 0; i < m->inputs.count; i++) run_pointer(e, m->inputs.at[i], true, to);
    for (int i = 0; i < m->targets.count; i++) run_pointer(e, m->targets.at[i], true, to);
    LIST(const Tensor *) done = {0};
    for (int k = 0; k < e->plan->programs.count; k++) {
        const Program *p = e->plan->programs.at[k].program;
        for (int i = 0; i < p->outputs.count; i++) {
            const Tensor *t = p->outputs.at[i].value;
            bool again = t->role == ROLE_INPUT || plan_storage(e->plan, t)->place != PLACE_CALLER;
            for (int j = 0; j < done.count; j++) again |= done.at[j] == t;
            if (again) continue;
            PUSH(done, t);
            run_pointer(e, t, false, to);
        }
    }
    text_add(to, "    uint64_t seed, iteration;\n");
    for (int i = 0; i < m->settings.count; i++) text_addf(to, "    real %s;\n", c_name(e->plan, m->settings.at[i]));
    for (int i = 0; i < m->clocks.count; i++) text_addf(to, "    real %s;\n", c_name(e->plan, m->clocks.at[i]));
    template_add(e, to, "};\n"
        "static struct run run_of(const @p *m, int n, uint64_t iteration) {\n"
        "    struct run run = {0};\n"
        "    run.memory = (real *)(void *)m->memory;\n"
        "    run.model = m;\n"
        "    run.n = n;\n"
        "    run.seed = m->seed;\n"
        "    run.iteration = iteration;\n");
    for (int i = 0; i < m->settings.count; i++)
        text_addf(to, "    run.%s = (real)m->setting[%d];\n", c_name(e->plan, m->settings.at[i]), i);
    for (int i = 0; i < m->clocks.count; i++) {
        const Tensor *t = m->clocks.at[i];
        if (!strcmp(t->name, "iteration")) text_addf(to, "    run.%s = (real)iteration;\n", c_name(e->plan, t));
        else text_addf(to, "    run.%s = (real)m->clock[%d];\n", c_name(e->plan, t), i);
    }
    text_add(to, "    return run;\n}\n");
}

/* ---- programs ---------------------------------------------------------------------------------------------------- */
/* Is a full batch less work than what threads would spend on waiting for each other? */
static bool is_small(const ProgramPlan *p)
{
    const double flops_a_second = 60e9, bytes_a_second = 60e9, seconds = 40e-6;
    return p->flops / flops_a_second + p->bytes_moved / bytes_a_second < seconds;
}

static void program_text(const Emission *e, const ProgramPlan *p, const char *kernels, Text *to)
{
    text_addf(to, "\n/* ==== %s: ", p->program->name);
    text_add(to, p->program == e->model->step ? "forward, backward, optimizer; " : p->program == e->model->apply ? "optimizer; "
               : p->program == e->model->accumulate ? "forward, backward; gradients are added up; " : "");
    text_addf(to, "%d kernel%s in %d phase%s", p->kernels.count, p->kernels.count == 1 ? "" : "s", p->phases, p->phases == 1 ? "" : "s");
    if (p->flops >= 1e4) text_addf(to, ", %.4g Mflop and %.4g MB moved for a full batch", p->flops * 1e-6, p->bytes_moved * 1e-6);
    text_addf(to, " ==== */\n%s", kernels);
    Text calls = {0};
    emit_calls(e->plan, p, &calls);
    if (p->program == e->model->step) profile_text(p, to);
    text_addf(to, "\nstatic void run_%s(const struct run *run) {\n    (void)run;\n    %s\n    {\n", p->program->name,
              is_small(p) ? "/* so little that one thread is the quickest */" : "OMP_PARALLEL");
    text_add(to, text_string(&calls));
    text_add(to, "    }\n}\n");
}

static bool is_emitted(const Emission *e, const ProgramPlan *p) { return e->trains || p->program != e->model->initialize; }

void emit_source(const Plan *plan, Text *c, Text *h)
{
    Emission e = { .plan = plan, .model = plan->model, .trains = plan->model->step != NULL };
    static const Outputs none;
    Outputs outputs = none;
    if (e.model->predict)
        for (int i = 0; i < e.model->predict->outputs.count; i++) PUSH(outputs, e.model->predict->outputs.at[i]);
    e.outputs = &outputs;
    e.real = plan->options->wide_real ? "double" : "float";
    e.prefix = public_prefix(plan);
    e.upper = upper(e.prefix);
    if (plan->options->weights && !(e.weights = weights_read(plan->options->weights))) return;

    /* without a step nothing is initialised: weights come from the caller */
    CoreUse use = {0};
    bool wide = false;
    const char **kernels = NEW_ARRAY(const char *, plan->programs.count + 1);
    for (int i = 0; i < plan->programs.count; i++) {
        Text t = {0};
        if (!is_emitted(&e, &plan->programs.at[i])) continue;
        emit_kernels(plan, &plan->programs.at[i], &t, &use);
        kernels[i] = text_string(&t);
        wide |= strstr(kernels[i], "wide_") != NULL;
    }
    Text body = {0};
    run_struct(&e, &body);
    for (int i = 0; i < plan->programs.count; i++)
        if (kernels[i]) program_text(&e, &plan->programs.at[i], kernels[i], &body);
    text_add(&body, "\n");
    api_text(&e, &body);
    check_text(&e, &body);
    host_text(&e, &body);

    head_text(&e, &use, c);
    text_addf(c, "#include \"%s.h\"\n#include <string.h>\n", plan->options->prefix ? plan->options->prefix : plan->model->name);
    if (use.blas) text_add(c, "#include <cblas.h>\n");
    core_text(&e, &use, wide, text_string(&body), c);
    text_add(c, text_string(&body));
    header_text(&e, h);
}
