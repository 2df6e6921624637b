/* page_kernels.c: the kernels of each program: what each costs, its equations with their lines, its C. Functions that
 * several kernels share stand with the first that calls them; the others link to it. */
#include "emit/page.h"
#include <inttypes.h>
#include <string.h>

/* Where a function that is shared was printed. */
typedef struct Shared { const char *name; int program, kernel; } Shared;
typedef struct KernelPage { Page *page; LIST(Shared) shared; int program; } KernelPage;

static const char *rate_text(double flops, double bytes)
{
    if (!(bytes > 0) || !(flops > 0)) return "";
    double rate = flops / bytes;
    return format(rate < 9.95 ? "%.1f" : "%.0f", rate);
}

static const char *bar(double part, double most)
{
    return most > 0 ? format("<span class=\"b\" style=\"width:%.1f%%\"></span>", 100 * part / most) : "";
}

/* The functions that the text defines and that end in _shape; and the first that it calls without defining it. */
static const char *shared_of(KernelPage *w, const char *text, int kernel)
{
    const char *elsewhere = NULL;
    for (const char *at = text; (at = strstr(at, "_shape(")); at++) {
        const char *begin = at, *end = at + 6;
        while (begin > text && is_word_char(begin[-1])) begin--;
        const char *name = intern_n(begin, (size_t)(end - begin));
        bool known = false;
        for (int i = 0; i < w->shared.count; i++) {
            const Shared *s = &w->shared.at[i];
            if (s->name != name) continue;
            known = true;
            if (s->program != w->program || s->kernel != kernel)
                elsewhere = format("<a href=\"#k%d-%d\">%s</a>", s->program, s->kernel, html_text(name));
        }
        if (!known) PUSH(w->shared, ((Shared){ name, w->program, kernel }));
    }
    return elsewhere;
}

static void equations(KernelPage *w, const KernelInfo *k)
{
    Text *to = w->page->to;
    const Model *m = w->page->model;
    const char *path = k->equation[0]->layer ? k->equation[0]->layer : "";
    int layer = layer_of_path(m, path);
    text_add(to, "<p class=\"sub\">");
    if (layer >= 0) text_addf(to, "for <a href=\"#l%d\">%s</a>, %s; ", layer, html_text(path), place_link(w->page, m->layers.at[layer].at));
    text_addf(to, "%s%s</p>\n<table class=\"eq\">", k->schedule, k->by_sample ? ", called for each sample" : "");
    const char *before = "";
    for (int i = 0; i < k->equations; i++) {     /* a line is named where it changes */
        const char *line = place_link(w->page, k->equation[i]->at);
        text_addf(to, "<tr><td><code>%s</code></td><td>%s</td></tr>\n", html_text(equation_text(k->equation[i])), strcmp(line, before) ? line : "");
        before = line;
    }
    text_add(to, "</table>\n");
}

/* The C without the comments in which the equations are told once more. */
static void code(Text *to, const char *c)
{
    bool comment = false, blank = true;
    while (*c) {
        const char *end = strchr(c, '\n');
        size_t n = end ? (size_t)(end - c) + 1 : strlen(c);
        if (!strncmp(c, "/* ", 3) && strncmp(c, "/* for ", 7)) comment = true;
        if (!comment && !(blank && *c == '\n')) html_add_n(to, c, n);
        if (!comment) blank = *c == '\n';
        if (comment && n > 3 && !strncmp(c + n - 4, " */\n", 4)) comment = false;
        c += n;
    }
}

static void kernel(KernelPage *w, const ProgramPlan *program, int i, double most_flops, double most_bytes)
{
    Page *p = w->page;
    Text c = {0};
    CoreUse use = {0};
    KernelInfo k = kernel_info(program, i);
    emit_kernel(p->plan, program, i, &c, &use);
    const char *name = k.function + strlen(program->program->name) + 1, *text = text_string(&c);
    text_addf(p->to, "<details class=\"k\" id=\"k%d-%d\" data-i=\"%d\" data-f=\"%.0f\" data-b=\"%.0f\"><summary><span class=\"ph\">%d</span><span class=\"nm\">%s</span>",
              w->program, i, i, k.flops, k.bytes, k.phase, html_text(name));
    text_addf(p->to, "<span class=\"q\">%s%s</span><span class=\"q\">%s%s</span><span class=\"r\">%s</span></summary>\n", bar(k.flops, most_flops),
              count_text(k.flops), bar(k.bytes, most_bytes), size_text(k.bytes), rate_text(k.flops, k.bytes));
    equations(w, &k);
    text_add(p->to, "<pre class=\"code c\">");
    code(p->to, text);
    text_add(p->to, "</pre>");
    const char *elsewhere = shared_of(w, text, i);
    if (elsewhere) text_addf(p->to, "<p class=\"sub\">its function stands with the first kernel of this shape: %s</p>", elsewhere);
    text_add(p->to, "</details>\n");
}

static void program_draw(KernelPage *w, const ProgramPlan *q)
{
    Page *p = w->page;
    double most_flops = 0, most_bytes = 0;
    for (int i = 0; i < q->kernels.count; i++) {
        KernelInfo k = kernel_info(q, i);
        if (k.flops > most_flops) most_flops = k.flops;
        if (k.bytes > most_bytes) most_bytes = k.bytes;
    }
    text_addf(p->to, "<details class=\"program\"%s><summary><b>%s</b> <span class=\"sub\">%d kernel%s in %d phase%s, %s operations, %s moved</span></summary>\n",
              q == page_program(p) ? " open" : "", html_text(q->program->name), q->kernels.count, q->kernels.count == 1 ? "" : "s", q->phases,
              q->phases == 1 ? "" : "s", count_text(q->flops), size_text(q->bytes_moved));
    text_add(p->to, "<div class=\"tools\"><input type=\"search\" placeholder=\"name or equation\" aria-label=\"show the kernels that have this\">"
                    "<span>order:</span><button data-by=\"i\" class=\"on\">phase</button><button data-by=\"f\">operations</button><button data-by=\"b\">bytes</button></div>\n"
                    "<div class=\"list\"><div class=\"head\"><span class=\"ph\">phase</span><span class=\"nm\">kernel</span><span class=\"q\">operations</span>"
                    "<span class=\"q\">bytes</span><span class=\"r\">per byte</span></div>\n");
    for (int i = 0; i < q->kernels.count; i++) kernel(w, q, i, most_flops, most_bytes);
    Text calls = {0};
    emit_calls(p->plan, q, &calls);
    text_addf(p->to, "</div>\n<details><summary>The calls, with their barriers</summary><pre class=\"code c\">%s</pre></details>\n</details>\n",
              html_text(text_string(&calls)));
}

void page_kernels(Page *p)
{
    KernelPage w = { .page = p };
    text_add(p->to, "<section id=\"kernels\"><h2>Kernels</h2>\n<p class=\"sub\">One C function each, for a full batch: floating-point operations, and bytes with every "
                    "tensor counted once. A kernel opens to its equations, the lines they come from, and its C.</p>\n");
    for (w.program = 0; w.program < p->plan->programs.count; w.program++)
        if (p->plan->programs.at[w.program].kernels.count) program_draw(&w, &p->plan->programs.at[w.program]);
    text_add(p->to, "</section>\n");
}
