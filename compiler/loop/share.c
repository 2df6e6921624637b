/* share.c: one C function for a shape, not for a layer. Kernels whose functions are the same text but for the names of
 * tensors and variables share it: its pointers become parameters, and each kernel is one call. The layers of a deep model
 * and the forward halves of step, evaluate and predict have most of their kernels in common. */
#include "loop/lower.h"
#include <ctype.h>
#include <string.h>

typedef struct Shape {
    const char *text;            /* of the functions, with names replaced by numbers in the order in which they occur */
    int uses;
    const char *name;            /* of the shared function, once it is written */
} Shape;
typedef struct KernelShape { const Kernel *kernel; int shape; Declarations declarations; } KernelShape;
struct Shapes { LIST(Shape) list; LIST(KernelShape) of; };

/* ---- the shape of a text ---- */
/* Words that mean something outside of the function: C's and the core's, and the fields of the run. */
static bool keeps_its_name(const char *word, const Text *before)
{
    const char *end = before->at ? before->at + before->length : "";
    bool field = before->length >= 2 && end[-1] == '>' && end[-2] == '-';
    return field || isdigit((unsigned char)word[0]) || name_is_taken(word);
}

static const char *shape_text(const char *text)
{
    Text t = {0};
    LIST(const char *) seen = {0};
    while (*text) {
        size_t n = 0;
        while (is_word_char(text[n])) n++;
        if (!n) {
            text_add_n(&t, text++, 1);
            continue;
        }
        const char *word = intern_n(text, n);
        text += n;
        if (keeps_its_name(word, &t)) {
            text_add(&t, word);
            continue;
        }
        int k = 0;
        while (k < seen.count && seen.at[k] != word) k++;
        if (k == seen.count) PUSH(seen, word);
        text_addf(&t, "$%d", k);
    }
    return text_string(&t);
}

static const char *functions_text(const Functions *f)
{
    Text t = {0};
    for (int i = 0; i < f->list.count; i++) function_print(f->list.at[i], &t);
    return text_string(&t);
}

typedef struct TableSearch { bool found; } TableSearch;

static void find_table(const Node *e, void *data)
{
    if (e->op == OP_READ && e->tensor->role == ROLE_CONST && e->tensor->rank) ((TableSearch *)data)->found = true;
}

/* A function that reads a table of the file, or is short, serves its own kernel only. */
static bool may_be_shared(const Kernel *k, const Functions *f)
{
    TableSearch c = {0};
    for (int i = 0; i < k->equations.count; i++) equation_visit(k->equations.at[i], find_table, &c);
    int statements = 0;
    for (int i = 0; i < f->list.count; i++) statements += f->list.at[i]->body.list.count;
    return !c.found && (k->schedule == SCHEDULE_TILE || statements > 1 || k->equations.count > 1 || k->schedule == SCHEDULE_ROWS);
}

static void find_shapes(PlanOf *p)
{
    p->shapes = NEW(struct Shapes);
    CoreUse use = {0};
    for (int i = 0; i < p->plan.programs.count; i++) {
        const ProgramPlan *program = &p->plan.programs.at[i];
        for (int j = 0; j < program->kernels.count; j++) {
            const Kernel *k = program->kernels.at[j];
            Lowered l = kernel_lower(&p->plan, program, k, kernel_function_name(program, k), true, &use);
            const char *text = intern(shape_text(functions_text(&l.functions)));
            int s = 0;
            while (s < p->shapes->list.count && p->shapes->list.at[s].text != text) s++;
            if (s == p->shapes->list.count) PUSH(p->shapes->list, ((Shape){ text, 0, NULL }));
            if (may_be_shared(k, &l.functions)) p->shapes->list.at[s].uses++;
            else s = -1;
            PUSH(p->shapes->of, ((KernelShape){ k, s, l.declarations }));
        }
    }
}

/* NULL: the kernel has a function of its own. */
static Shape *shape_of(const PlanOf *p, const Kernel *k, const Declarations **declarations)
{
    for (int i = 0; i < p->shapes->of.count; i++) {
        const KernelShape *s = &p->shapes->of.at[i];
        *declarations = &s->declarations;
        if (s->kernel == k) return s->shape < 0 || p->shapes->list.at[s->shape].uses < 2 ? NULL : &p->shapes->list.at[s->shape];
    }
    return NULL;
}

/* ---- printing ---- */
static void functions_print(const Functions *f, Text *to)
{
    for (int i = 0; i < f->list.count; i++) {
        text_add(to, "\n");
        function_print(f->list.at[i], to);
    }
}

/* step_dense_z(run) { dense_z_shape(run, run->memory + 12, ..); } */
static void caller_print(const ProgramPlan *program, const Kernel *k, const char *shared, const Declarations *d, Text *to)
{
    Function f = { .head = format("static void %s(const struct run *run%s)", kernel_function_name(program, k), kernel_arguments(k, true)) };
    Text call = {0};
    text_addf(&call, "%s(run%s", shared, kernel_arguments(k, false));
    for (int i = 0; i < d->list.count; i++) text_addf(&call, ", %s", d->list.at[i].value);
    text_add(&call, ")");
    stmt_call(&f.body, text_string(&call));
    kernel_describe(&f, k);
    text_add(to, "\n");
    function_print(&f, to);
}

void kernel_print(const Plan *plan, const ProgramPlan *program, const Kernel *k, Text *to, CoreUse *use)
{
    PlanOf *p = (PlanOf *)plan;
    if (!p->shapes) find_shapes(p);
    if (program == &plan->programs.at[0] && k == program->kernels.at[0])         /* the begin of a file */
        for (int i = 0; i < p->shapes->list.count; i++) p->shapes->list.at[i].name = NULL;
    const Declarations *declarations;
    Shape *shape = shape_of(p, k, &declarations);
    const char *name = kernel_function_name(program, k);
    if (!shape) {
        Lowered l = kernel_lower(plan, program, k, name, false, use);
        kernel_describe(l.functions.list.at[0], k);
        functions_print(&l.functions, to);
        return;
    }
    use->contract = true;
    if (!shape->name) {
        shape->name = format("%s_shape", name);
        Lowered l = kernel_lower(plan, program, k, shape->name, true, use);
        PUSH(l.functions.list.at[0]->comment, format("for %d kernels that differ in their tensors only; %s is the first", shape->uses, name));
        functions_print(&l.functions, to);
    }
    caller_print(program, k, shape->name, declarations, to);
}
