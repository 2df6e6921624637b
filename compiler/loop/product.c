/* product.c: a large plain product of two matrices as one call of cblas (--blas=always):
 *
 *     cblas_sgemm(CblasRowMajor, .., rows, columns, length, 1, a, a_row, b, b_row, 0, out, out_row)
 *
 * One thread calls it; the library has threads of its own. */
#include "loop/lower.h"

static void add_extent(const Index *i, Text *call)
{
    text_add(call, ", ");
    cexpr_print(index_end(i), call);
}

static void add_matrix(Scope *s, Tensor *t, bool written, Text *call)
{
    text_addf(call, ", %s, %d", scope_pointer(s, t, written), t->extent[1]);
}

void product_kernel(Scope *s, Body *to)
{
    const Kernel *k = s->kernel;
    const MatrixProduct *p = &k->product;
    const char *one = s->plan->options->wide_real ? "1.0" : "1.0f", *zero = s->plan->options->wide_real ? "0.0" : "0.0f";
    Text call = {0};
    text_addf(&call, "cblas_%cgemm(CblasRowMajor, %s, %s", s->plan->options->wide_real ? 'd' : 's',
              p->a_turned ? "CblasTrans" : "CblasNoTrans", p->b_turned ? "CblasTrans" : "CblasNoTrans");
    add_extent(p->row, &call);
    add_extent(p->col, &call);
    add_extent(p->sum, &call);
    text_addf(&call, ", %s", one);
    add_matrix(s, p->a->tensor, false, &call);
    add_matrix(s, p->b->tensor, false, &call);
    text_addf(&call, ", %s", zero);
    add_matrix(s, k->equations.at[0]->out, true, &call);
    text_add(&call, ")");
    stmt_call(&stmt_block(to, "OMP_SINGLE")->body, text_string(&call));
    s->use->blas = true;
}
