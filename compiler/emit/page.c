/* page.c: --emit=html: the frame of the page, the facts on top, the table of layers and that of weights. */
#include "emit/page.h"
#include <inttypes.h>
#include <string.h>

const ProgramPlan *page_program(const Page *p)
{
    const Program *program = p->model->step ? p->model->step : p->model->predict;
    return program ? plan_program(p->plan, program) : NULL;
}

int layer_of_path(const Model *m, const char *path)
{
    int best = -1;
    size_t longest = 0;
    for (int i = 0; i < m->layers.count; i++) {
        const char *layer = m->layers.at[i].path;
        size_t n = strlen(layer);
        if (m->layers.at[i].depth || n <= longest || strncmp(path, layer, n) || (path[n] && path[n] != '.')) continue;
        best = i;
        longest = n;
    }
    return best;
}

/* Three digits, and a unit for each thousand. */
static const char *scaled(double n, const char *const units[5])
{
    int unit = 0;
    while (n >= 999.5 && unit < 4) n /= 1000, unit++;
    return format(unit && n < 9.995 ? "%.2f%s" : unit && n < 99.95 ? "%.1f%s" : "%.0f%s", n, units[unit]);
}

const char *size_text(double bytes)
{
    static const char *const units[] = { " bytes", " KB", " MB", " GB", " TB" };
    return scaled(bytes, units);
}

const char *count_text(double n)
{
    static const char *const units[] = { "", " k", " M", " G", " T" };
    return scaled(n, units);
}

/* 1669770 -> 1,669,770 */
static const char *grouped(int64_t n)
{
    const char *digits = format("%" PRId64, n);
    size_t length = strlen(digits);
    Text t = {0};
    for (size_t i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0) text_add(&t, ",");
        text_add_n(&t, digits + i, 1);
    }
    return text_string(&t);
}

/* ---- facts ------------------------------------------------------------------------------------------------------- */
static void fact(Page *p, const char *value, const char *what)
{
    text_addf(p->to, "<div><b>%s</b><span>%s</span></div>\n", value, what);
}

static void facts(Page *p)
{
    const Model *m = p->model;
    int64_t parameters = 0, frozen = 0;
    for (int i = 0; i < m->kept.count; i++) {
        const Tensor *t = m->kept.at[i];
        if (t->role == ROLE_PARAM) parameters += tensor_size(t);
        if (t->role == ROLE_PARAM && t->frozen) frozen += tensor_size(t);
    }
    text_add(p->to, "<div class=\"facts\">\n");
    fact(p, grouped(parameters), frozen ? format("parameters, %s of them frozen", grouped(frozen)) : "parameters");
    fact(p, format("%d", m->batch), "samples in a batch");
    if (m->step) {
        const ProgramPlan *step = plan_program(p->plan, m->step);
        fact(p, size_text((double)p->plan->train_bytes), "of memory to train");
        fact(p, count_text(step->flops), "operations a step");
        fact(p, size_text(step->bytes_moved), "moved a step");
    }
    if (m->predict) {
        const ProgramPlan *predict = plan_program(p->plan, m->predict);
        fact(p, size_text((double)p->plan->infer_bytes), format("to predict, %s of it weights", size_text((double)p->plan->weight_bytes)));
        fact(p, count_text(predict->flops), "operations a prediction of a batch");
    }
    text_add(p->to, "</div>\n");
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */
/* The operations of the kernels whose first equation, the one that the others follow, comes from each call of the model. */
typedef struct Cost { double forward, backward; } Cost;

static Cost *layer_costs(const Page *p, double *all)
{
    const ProgramPlan *program = page_program(p);
    Cost *costs = NEW_ARRAY(Cost, p->model->layers.count + 1);
    const Program *q = program ? program->program : NULL;
    for (int i = 0; program && i < program->kernels.count; i++) {
        KernelInfo k = kernel_info(program, i);
        int layer = layer_of_path(p->model, k.equation[0]->layer ? k.equation[0]->layer : "");
        bool backward = false;
        for (int j = q->first_backward; j >= 0 && j < q->equations.count; j++) backward |= q->equations.at[j]->out == k.equation[0]->out;
        *all += k.flops;
        if (layer >= 0) *(backward ? &costs[layer].backward : &costs[layer].forward) += k.flops;
    }
    return costs;
}

static void layer_row(Page *p, int i, const Cost *cost, double all)
{
    const Layer *l = &p->model->layers.at[i];
    text_addf(p->to, "<tr id=\"l%d\"%s><td style=\"padding-left:%.1fem\">%s</td><td>%s</td><td>%s</td>", i, l->depth ? " class=\"inner\"" : "",
              0.6 + 1.2 * l->depth, html_text(l->path), html_text(l->definition), sample_shape(l->out));
    text_addf(p->to, "<td class=\"n\">%s</td>", l->parameters ? grouped(l->parameters) : "");
    double here = cost->forward + cost->backward;
    if (all > 0 && !l->depth && here > 0)
        text_addf(p->to, "<td class=\"n bar\" title=\"%s forward, %s backward\"><span style=\"width:%.1f%%\"></span>%s</td>",
                  count_text(cost->forward), count_text(cost->backward), 100 * here / all,
                  here < 0.001 * all ? "&lt; 0.1 %" : format("%.1f %%", 100 * here / all));
    else text_add(p->to, "<td></td>");
    text_addf(p->to, "<td>%s</td></tr>\n", place_link(p, l->at));
}

static void layer_table(Page *p)
{
    const Model *m = p->model;
    double all = 0;
    const Cost *costs = layer_costs(p, &all);
    bool inner = false;
    for (int i = 0; i < m->layers.count; i++) inner |= m->layers.at[i].depth > 0;
    if (inner) text_add(p->to, "<label class=\"switch\"><input type=\"checkbox\" id=\"inner\"> calls inside of layers</label>\n");
    text_add(p->to, "<div class=\"scroll\"><table id=\"layer-table\"><thead><tr><th>layer</th><th>kind</th><th>output</th>"
                    "<th class=\"n\">parameters</th><th class=\"n\" title=\"of a step; where kernels compute several layers at once, they count for the first\">operations</th><th>line</th></tr></thead><tbody>\n");
    for (int i = 0; i < m->inputs.count; i++) {
        const Tensor *t = m->inputs.at[i];
        text_addf(p->to, "<tr id=\"i%d\"><td>%s</td><td>input</td><td>%s</td><td></td><td></td><td>%s</td></tr>\n", i,
                  html_text(t->name), sample_shape(t), place_link(p, t->at));
    }
    for (int i = 0; i < m->layers.count; i++) layer_row(p, i, &costs[i], all);
    text_add(p->to, "</tbody></table></div>\n");
}

static void weight_table(Page *p)
{
    const Model *m = p->model;
    if (!m->kept.count) return;
    text_addf(p->to, "<details><summary>Weights and states, %d tensors</summary><div class=\"scroll\"><table><thead><tr><th>tensor</th><th>shape</th>"
                     "<th>what it is</th><th class=\"n\">bytes</th><th>in PyTorch</th><th>line</th></tr></thead><tbody>\n", m->kept.count);
    for (int i = 0; i < m->kept.count; i++) {
        const Tensor *t = m->kept.at[i];
        const Storage *s = plan_storage(p->plan, t);
        const char *what = t->role == ROLE_PARAM ? t->frozen ? "frozen" : "trained" : s->offset < p->plan->weight_bytes ? "state" : "optimizer's state";
        text_addf(p->to, "<tr><td>%s</td><td>%s</td><td>%s</td><td class=\"n\">%s</td><td>%s</td><td>%s</td></tr>\n", html_text(t->name),
                  sample_shape(t), what, grouped(s->bytes), html_text(t->foreign ? t->foreign : ""), place_link(p, t->at));
    }
    text_add(p->to, "</tbody></table></div></details>\n");
}

/* ---- the page ---------------------------------------------------------------------------------------------------- */
static const char *page_file(const char *name)
{
    for (const struct LibraryFile *f = page_files; f->name; f++) if (!strcmp(f->name, name)) return f->text;
    bug("%s is not among the files of the page", name);
}

static void names_of(Page *p, const char *what, int count, const char *names)
{
    if (count) text_addf(p->to, " &middot; %s%s %s", what, count > 1 ? "s" : "", names);
}

static void head(Page *p)
{
    const Model *m = p->model;
    const EmitOptions *o = p->plan->options;
    Text outputs = {0};
    for (int i = 0; i < m->outputs.count; i++)
        text_addf(&outputs, "%s%s %s", i ? ", " : "", html_text(m->outputs.at[i].name), sample_shape(m->outputs.at[i].value));
    text_addf(p->to, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                     "<title>%s</title>\n<style>\n%s</style></head>\n<body>\n", html_text(m->name), page_file("page/page.css"));
    text_addf(p->to, "<header><nav><b>%s</b><a href=\"#layers\">Layers</a><a href=\"#memory\">Memory</a><a href=\"#kernels\">Kernels</a>"
                     "<a href=\"#source\">Source</a><button id=\"theme\" title=\"light or dark\" aria-label=\"light or dark\">&#9681;</button></nav></header>\n"
                     "<main><h1>%s</h1>\n<p class=\"sub\">%s", html_text(m->name), html_text(m->name), html_text(m->file ? m->file : ""));
    names_of(p, "output", m->outputs.count, text_string(&outputs));
    text_addf(p->to, " &middot; dlnc %s", html_text(o->version ? o->version : ""));
    if (o->options && *o->options) text_addf(p->to, " %s", html_text(o->options));
    text_add(p->to, "</p>\n");
}

void emit_page(const Plan *plan, const Source *source, FILE *to)
{
    Text text = {0};
    Page p = { .plan = plan, .model = plan->model, .to = &text };
    PUSH(p.sources, source);
    head(&p);
    facts(&p);
    text_add(p.to, "<section id=\"layers\"><h2>Layers</h2>\n<div class=\"two\"><div>\n");
    page_graph(&p);
    text_add(p.to, "</div><div>\n");
    layer_table(&p);
    weight_table(&p);
    text_add(p.to, "</div></div></section>\n");
    page_memory(&p);
    page_kernels(&p);
    page_sources(&p);
    text_addf(p.to, "</main>\n<script>\n%s</script>\n</body></html>\n", page_file("page/page.js"));
    fputs(text_string(&text), to);
}
