/* lower.c: each kernel as C functions, and the calls of a program: kernels of one phase one after another without a
 * barrier, a barrier after each phase, a scan as a loop round the phases of its step. */
#include "loop/lower.h"
#include <string.h>

Function *function_new(Functions *to, const char *head)
{
    Function *f = NEW(Function);
    f->head = head;
    PUSH(to->list, f);
    return f;
}

/* Whether the text has the word, other than as a field. */
static bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at += n)
        if ((at == text || (!is_word_char(at[-1]) && at[-1] != '>')) && !is_word_char(at[n])) return true;
    return false;
}

/* In a function that does not need a parameter: says so to the compiler. */
static void may_ignore(Function *f, int count, const char *const *parameter)
{
    Text t = {0};
    Body head = {0}, rest = f->body;
    body_print(&f->body, 0, &t);
    for (int i = count - 1; i >= 0; i--)
        if (!has_word(text_string(&t), parameter[i])) stmt_call(&head, format("(void)%s", parameter[i]));
    if (!head.list.count) return;
    for (int i = 0; i < rest.list.count; i++) PUSH(head.list, rest.list.at[i]);
    f->body = head;
}

/* A line of comment: nothing in it may end the comment, or be a trigraph. */
static const char *comment_line(const char *text)
{
    Text t = {0};
    for (const char *at = text; *at; at++) {
        if ((*at == '*' && at[1] == '/') || (*at == '/' && at[1] == '*') || (*at == '?' && at[1] == '?')) {
            text_add_n(&t, at, 1);
            text_add(&t, " ");
        } else text_add_n(&t, *at == '\n' || *at == '\\' ? " " : at, 1);
    }
    return text_string(&t);
}

void kernel_describe(Function *f, const Kernel *k)
{
    for (int i = 0; i < k->equations.count; i++) {
        const Equation *e = k->equations.at[i];
        const char *text = comment_line(equation_text(e));
        if (e->at.source) text = format("%s    %s:%d", text, comment_line(base_name(e->at.source->name)), e->at.line);
        PUSH(f->comment, text);
    }
}

/* The step of a scan is the function's argument, under the name that the first equation gives it. */
static const char *kernel_step(const Kernel *k) { return index_spelling(k->equations.at[0]->step); }

/* The names of a kernel's parameters besides the run: the step; the sample and, with frames, the slot. */
static int kernel_parameters(const Kernel *k, const char **name)
{
    int n = 0;
    if (k->loop) name[n++] = kernel_step(k);
    if (k->sequence) name[n++] = index_spelling(sum_plain(k->equations.at[0]->left[0]));
    if (k->sequence && k->sequence->frames) name[n++] = "slot";
    return n;
}

const char *kernel_arguments(const Kernel *k, bool types)
{
    const char *name[2];
    Text t = {0};
    for (int i = 0, n = kernel_parameters(k, name); i < n; i++) text_addf(&t, ", %s%s", types ? "int " : "", name[i]);
    return text_string(&t);
}

/* What the function is called with stands for the step, or the sample. */
static void bind_arguments(Scope *s)
{
    const Kernel *k = s->kernel;
    const char *name[2];
    int n = kernel_parameters(k, name);
    for (int i = 0; i < n; i++) scope_name_taken(s, name[i]);
    for (int i = 0; n && i < k->equations.count; i++) {
        const Equation *e = k->equations.at[i];
        scope_bind(s, k->loop ? e->step : sum_plain(e->left[0]), cexpr_name(C_INT, name[0]));
    }
    if (n < 2) return;
    s->slot = index_new("slot", k->sequence->slots, false);
    scope_bind(s, s->slot, cexpr_name(C_INT, "slot"));
}

const char *kernel_function_name(const ProgramPlan *program, const Kernel *k)
{
    return format("%s_%s", program->program->name, k->name);
}

Lowered kernel_lower(const Plan *p, const ProgramPlan *program, const Kernel *k, const char *name, bool shared, CoreUse *use)
{
    Lowered all = {0};
    Scope s = { .plan = p, .program = program, .kernel = k, .use = use, .wide = program->program->wide, .serves_many = shared };
    scope_tensors(&s);
    scope_name_taken(&s, "run");
    bind_arguments(&s);
    use->vectors = use->math = true;             /* the scalar functions are lane 0 of the vector ones */
    if (k->schedule == SCHEDULE_TILE) all.declarations = tile_kernel(&s, &all.functions, name);
    else {
        Function *f = function_new(&all.functions, NULL);
        if (k->schedule == SCHEDULE_SCALAR) scalar_kernel(&s, &f->body);
        else if (k->schedule == SCHEDULE_PRODUCT) product_kernel(&s, &f->body);
        else if (k->schedule == SCHEDULE_WINNERS) winners_kernel(&s, &f->body);
        else rows_kernel(&s, &f->body);
        all.declarations = scope_declarations(&s);
        if (!shared) declare(&all.declarations, &f->body);
    }
    const char *parameter[3] = { "run" };
    int parameters = 1 + (k->sequence ? kernel_parameters(k, parameter + 1) : 0);
    for (int i = 0; i < all.functions.list.count; i++) may_ignore(all.functions.list.at[i], parameters, parameter);
    Function *last = all.functions.list.at[all.functions.list.count - 1];
    last->head = format("%s %s(const struct run *run%s%s)", shared ? "NOINLINE void" : "static void", name,
                        kernel_arguments(k, true), shared ? declared_parameters(&all.declarations) : "");
    return all;
}

/* ---- tables ---- */
typedef struct Tables { LIST(const Tensor *) list; } Tables;

static void find_tables(const Node *e, void *data)
{
    Tables *t = data;
    if (e->op != OP_READ || e->tensor->role != ROLE_CONST || e->tensor->rank == 0) return;
    for (int i = 0; i < t->list.count; i++)
        if (t->list.at[i] == e->tensor) return;
    PUSH(t->list, e->tensor);
}

static void table_print(const Plan *p, const Tensor *t, Text *to)
{
    CType type = t->type == TYPE_FLOAT ? C_REAL : C_INT;
    int64_t size = tensor_size(t);
    const char *name = c_name(p, t);
    text_addf(to, "\n#ifndef TABLE_%s\n#define TABLE_%s\nstatic const %s %s[%lld] = {", name, name,
              t->type == TYPE_FLOAT ? "real" : t->type == TYPE_INT ? "int32_t" : "uint8_t", name, (long long)size);
    for (int64_t i = 0; i < size; i++) {
        text_add(to, i ? (i % 12 ? ", " : ",\n    ") : "\n    ");
        cexpr_print(cexpr_number(type, t->data[i]), to);
    }
    text_add(to, "\n};\n#endif\n");
}

/* ---- the text ---- */
void emit_kernel(const Plan *p, const ProgramPlan *program, int kernel, Text *to, CoreUse *use)
{
    print_real(p->options->wide_real);
    kernel_print(p, program, program->kernels.at[kernel], to, use);
}

void emit_kernels(const Plan *p, const ProgramPlan *program, Text *to, CoreUse *use)
{
    Tables tables = {0};
    print_real(p->options->wide_real);
    for (int i = 0; i < program->kernels.count; i++)
        for (int j = 0; j < program->kernels.at[i]->equations.count; j++)
            equation_visit(program->kernels.at[i]->equations.at[j], find_tables, &tables);
    for (int i = 0; i < tables.list.count; i++) table_print(p, tables.list.at[i], to);
    for (int i = 0; i < program->kernels.count; i++) emit_kernel(p, program, i, to, use);
}

static void call_add(const ProgramPlan *program, const Kernel *k, int indent, Text *to)
{
    text_addf(to, "%*s%s_%s(run%s);\n", indent, "", program->program->name, k->name, kernel_arguments(k, false));
}

KernelInfo kernel_info(const ProgramPlan *program, int kernel)
{
    const Kernel *k = program->kernels.at[kernel];
    bool first = k->phase == 0 && !k->loop && (!k->sequence || k->sequence->kernels.at[0] == k);
    return (KernelInfo){ kernel_function_name(program, k), k->flops, k->bytes, k->sequence != NULL, first,
                         k->phase, schedule_name(k->schedule), k->equations.count, k->equations.at };
}

static void loop_calls(const ProgramPlan *program, const Loop *loop, Text *to)
{
    int last = 0;
    const char *step = NULL;
    for (int i = 0; i < program->kernels.count; i++) {
        const Kernel *k = program->kernels.at[i];
        if (k->loop != loop) continue;
        if (k->inner > last) last = k->inner;
        if (!step) step = kernel_step(k);
    }
    if (loop->step > 0) text_addf(to, "        for (int %s = 0; %s < %d; %s++) {\n", step, step, loop->extent, step);
    else text_addf(to, "        for (int %s = %d; %s >= 0; %s--) {\n", step, loop->extent - 1, step, step);
    for (int inner = 0; inner <= last; inner++) {
        for (int i = 0; i < program->kernels.count; i++) {
            const Kernel *k = program->kernels.at[i];
            if (k->loop == loop && k->inner == inner) text_addf(to, "%12s%s_%s(run, %s);\n", "", program->program->name, k->name, step);
        }
        text_add(to, "            OMP_BARRIER\n");
    }
    text_add(to, "        }\n");
}

/* Samples one after the other through all kernels of the sequence. */
static void sequence_calls(const ProgramPlan *program, const Sequence *s, Text *to)
{
    bool frames = s->frames != NULL;
    text_add(to, "        OMP_FOR\n");
    if (frames)
        text_addf(to, "        for (int slot = 0; slot < %d; slot++)\n"
                      "            for (int n = share(run->n, slot, %d); n < share(run->n, slot + 1, %d); n++) {\n", s->slots, s->slots, s->slots);
    else text_add(to, "        for (int n = 0; n < run->n; n++) {\n");
    for (int i = 0; i < s->kernels.count; i++)
        text_addf(to, "%*s%s_%s(run, n%s);\n", frames ? 16 : 12, "", program->program->name, s->kernels.at[i]->name, frames ? ", slot" : "");
    text_addf(to, "%*s}\n", frames ? 12 : 8, "");
}

void emit_calls(const Plan *p, const ProgramPlan *program, Text *to)
{
    (void)p;
    for (int phase = 0; phase < program->phases; phase++) {
        LIST(const Loop *) loops = {0};
        for (int i = 0; i < program->kernels.count; i++) {
            const Kernel *k = program->kernels.at[i];
            if (k->phase != phase) continue;
            if (k->sequence) {
                if (k->sequence->kernels.at[0] == k) sequence_calls(program, k->sequence, to);
                continue;
            }
            if (!k->loop) { call_add(program, k, 8, to); continue; }
            bool known = false;
            for (int j = 0; j < loops.count; j++) known = known || loops.at[j] == k->loop;
            if (!known) PUSH(loops, k->loop);
        }
        for (int j = 0; j < loops.count; j++) loop_calls(program, loops.at[j], to);
        if (phase + 1 < program->phases) text_add(to, "        OMP_BARRIER\n");
    }
}
