/* blas.c: --blas=always: which sums are large plain products of two matrices, for cblas_sgemm. Nothing joins such a
 * kernel, and its tensors keep their rows. --blas=auto takes the library where it was measured faster than tiles: nowhere
 * so far (bench/), so it is --blas=never today; a library adds up in an order of its own, so the same bits on every
 * machine are given up. */
#include "kernel/group.h"

enum { LARGE_PRODUCT = 1 << 18 };                /* multiplications, below which a call is not worth its while */

/* The read as a matrix over `row` and `col`: 1 row-major, -1 transposed, 0 neither. */
static int orientation(const Node *read, const Index *row, const Index *col)
{
    if (read->op != OP_READ || read->type != TYPE_FLOAT || read->sums != 2 || read->tensor->role == ROLE_TOTAL) return 0;
    const Index *a = sum_plain(read->sum[0]), *b = sum_plain(read->sum[1]);
    return a == row && b == col ? 1 : a == col && b == row ? -1 : 0;
}

bool find_product(const Equation *e, MatrixProduct *p)
{
    if (e->reduction != RED_SUM || e->reduced_count != 1 || e->test || e->loop || e->out->rank != 2 || e->indices != 2) return false;
    if (e->out->type != TYPE_FLOAT || e->value->op != OP_MUL || equation_work(e) < LARGE_PRODUCT) return false;
    *p = (MatrixProduct){ .row = sum_plain(e->left[0]), .col = sum_plain(e->left[1]), .sum = e->reduced[0] };
    if (!p->row || !p->col) return false;
    for (int i = 0; i < 2; i++) {
        p->a = e->value->arg[i];
        p->b = e->value->arg[1 - i];
        int a = orientation(p->a, p->row, p->sum), b = orientation(p->b, p->sum, p->col);
        p->a_turned = a < 0;
        p->b_turned = b < 0;
        if (a && b) return true;
    }
    return false;
}
