/* check.c: the section of model.c for -DDLN_CHECK, with --accumulate: P_check_gradients compares the gradients with central
 * differences of the loss. For every loss the instance begins from the same exported state, so that whatever a pass over
 * the batch changes (running means, metrics) is as it was, and random numbers repeat. */
#include "emit/emit.h"

static const char *const check =
    "enum { CHECKED = 20 };         /* elements of each parameter, at most */\n"
    "static unsigned char check_state[@P_STATE_BYTES];\n"
    "static double check_size(double x) { return x < 0 ? -x : x; }\n"
    "/* The loss with one element of a parameter moved by `by`; *gradient: its derivative there. */\n"
    "static int check_loss(@p *m, #Pint n, const place *w, const place *g, size_t element, double by, double *loss, double *gradient) {\n"
    "    int status = @p_import_state(m, check_state, sizeof check_state);\n"
    "    if (status) return status;\n"
    "    unsigned char *const value = m->memory + element_at(w, element), *const sum = m->memory + element_at(g, element);\n"
    "    element_write(w, value, element_read(w, value) + by);\n"
    "    element_write(g, sum, 0);\n"
    "    element_write(&places[#N], m->memory + places[#N].offset, 0);\n"
    "    status = @p_accumulate(m, #An, loss);\n"
    "    *gradient = element_read(g, sum) / (double)n;\n"
    "    return status;\n"
    "}\n"
    "int @p_check_gradients(@p *m, #Pint n, double *worst) {\n"
    "    const double by = sizeof(real) == 8 ? 1e-5 : 1e-2;\n"
    "    if (!worst) return @P_NULL;\n"
    "    *worst = 0;\n"
    "    int status = @p_export_state(m, check_state, sizeof check_state);\n"
    "    for (size_t p = 0; !status && p < sizeof check_sums / sizeof *check_sums; p++) {\n"
    "        const place *const w = &places[check_sums[p][0]], *const g = &places[check_sums[p][1]];\n"
    "        const size_t checked = w->count < CHECKED ? w->count : CHECKED;\n"
    "        double difference = 0, largest = 0, loss = 0, above = 0, below = 0, gradient = 0, unused = 0;\n"
    "        for (size_t i = 0; !status && i < checked; i++) {\n"
    "            const size_t element = i * w->count / checked;\n"
    "            status = check_loss(m, #An, w, g, element, 0, &loss, &gradient);\n"
    "            if (!status) status = check_loss(m, #An, w, g, element, by, &above, &unused);\n"
    "            if (!status) status = check_loss(m, #An, w, g, element, -by, &below, &unused);\n"
    "            const double expected = (above - below) / (2 * by), off = check_size(gradient - expected);\n"
    "            if (!(off <= difference)) difference = off;\n"
    "            if (check_size(expected) > largest) largest = check_size(expected);\n"
    "            if (check_size(loss) * 1e-4 > largest) largest = check_size(loss) * 1e-4;\n"
    "        }\n"
    "        if (largest > 0) difference /= largest;\n"
    "        if (!(difference <= *worst)) *worst = difference;\n"
    "    }\n"
    "    const int restored = m && m->ready == READY && m->bytes >= WHOLE_BYTES ? @p_import_state(m, check_state, sizeof check_state) : @P_OK;\n"
    "    return status ? status : restored;\n"
    "}\n";

/* #P: the fields as parameters, by names that nothing else has; #A: as arguments; #N: the number of gradient.samples. */
static void text_fill(const Emission *e, const char *text, Text *to)
{
    Fields f = program_fields(e, e->model->accumulate);
    Text filled = {0};
    for (const char *at = text; *at; at++) {
        if (*at != '#') { text_add_n(&filled, at, 1); continue; }
        at++;
        if (*at == 'N') text_addf(&filled, "%d", kept_number(e, e->model->accumulated));
        else for (int i = 0; i < f.count; i++) {
            if (*at == 'P') text_addf(&filled, "const %s *", element_type(e, f.at[i]));
            text_addf(&filled, "field_%d, ", i);
        }
    }
    template_add(e, to, text_string(&filled));
}

void check_text(const Emission *e, Text *to)
{
    const Model *m = e->model;
    if (!m->accumulate) return;
    text_add(to, "#ifdef DLN_CHECK        /* gradients beside differences of the loss */\n"
                 "static const int check_sums[][2] = {     /* a parameter, its gradient */\n");
    for (int i = 0; i < m->sums.count; i++)
        text_addf(to, "    {%d, %d},\n", kept_number(e, m->sums.at[i].of), kept_number(e, m->sums.at[i].gradient));
    text_add(to, "};\n");
    text_fill(e, check, to);
    text_add(to, "#endif\n\n");
}
