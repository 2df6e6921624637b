/* main.c: two instances from the same seed. One takes whole steps of 8 samples; the other accumulates 5 and 3 samples and
 * applies them, the second time through an exported state in between. Weights and states must agree within -DLIMIT of
 * the largest value of their tensor. Then what must be refused, and the gradients beside differences of the loss. */
#include "net.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 5, N = NET_BATCH, FIRST = 5, X = 6, Y = 3 };
static int failed;
static void check(int holds, const char *what) { if (!holds) { failed++; printf("failed: %s\n", what); } }

static _Alignas(64) unsigned char memory[4][NET_TRAIN_BYTES], state[NET_STATE_BYTES];
static REAL x[N * X], y[N * Y];

static void batch_fill(void)
{
    for (int i = 0; i < N * X; i++) x[i] = (REAL)rand() / (REAL)RAND_MAX - (REAL)0.5;
    for (int i = 0; i < N * Y; i++) y[i] = (REAL)rand() / (REAL)RAND_MAX;
}

/* The worst difference of tensor t, of its largest value in a; *size: that value. */
static double difference(const net *a, const net *b, int t, double *size)
{
    static REAL of_a[4096], of_b[4096];
    double worst = 0;
    int count = 1;
    for (int k = 0; k < net_tensors(NULL)[t].rank; k++) count *= net_tensors(NULL)[t].extent[k];
    net_get(a, t, of_a);
    net_get(b, t, of_b);
    *size = 0;
    for (int i = 0; i < count; i++) {
        worst = fmax(worst, fabs((double)of_a[i] - (double)of_b[i]));
        *size = fmax(*size, fabs((double)of_a[i]));
    }
    return *size > 0 ? worst / *size : worst;
}

static double worst_difference(const net *a, const net *b, int report)
{
    double worst = 0, size;
    int count;
    const net_tensor *tensors = net_tensors(&count);
    for (int t = 0; t < count; t++) {
        double one = tensors[t].kind == 3 ? 0 : difference(a, b, t, &size);
        if (report && !(one <= LIMIT)) printf("%s: %g of %g\n", tensors[t].name, one, size);
        if (!(one <= worst)) worst = one;
    }
    return worst;
}

static int accumulate(net *m, int first, int n, double *loss) { return net_accumulate(m, x + first * X, y + first * Y, n, loss); }

static void compare(net *whole, net *parts, const net *begin)
{
    for (int i = 0; i < ROUNDS; i++) {
        double loss, part[2];
        batch_fill();
        check(!net_step(whole, x, y, N, &loss), "step");
        check(!accumulate(parts, 0, FIRST, &part[0]), "accumulate");
        if (i == 1) {
            check(!net_export_state(parts, state, sizeof state), "export between the parts");
            check(!net_init(parts, memory[1], sizeof memory[1], 99), "init");
            check(!net_import_state(parts, state, sizeof state), "import between the parts");
        }
        check(!accumulate(parts, FIRST, N - FIRST, &part[1]), "accumulate again");
        check(!net_apply(parts), "apply");
        double both = (FIRST * part[0] + (N - FIRST) * part[1]) / N;
        check(fabs(both - loss) <= 10 * LIMIT * loss, "the losses of the parts add up to that of the step");
        check(parts->iteration == i + 1, "apply counts as a step");
    }
    double worst = worst_difference(whole, parts, 1), moved = worst_difference(whole, begin, 0);
    printf("worst difference %g\n", worst);
    check(worst <= LIMIT, "accumulate and apply give what step gives");
    check(moved > 1e-3, "the weights moved");
}

static void refuse(net *m, net *small)
{
    double values[NET_METRICS];
    check(net_apply(m) == NET_ORDER, "apply with nothing accumulated");
    check(net_apply(NULL) == NET_NULL && net_accumulate(NULL, x, y, N, NULL) == NET_NULL, "no instance");
    check(net_accumulate(m, x, y, N + 1, NULL) == NET_SAMPLES && net_accumulate(m, x, y, 0, NULL) == NET_SAMPLES, "n");
    check(net_accumulate(m, NULL, y, N, NULL) == NET_NULL, "no input");
    check(net_apply(m) == NET_ORDER, "what was refused was not added up");
    check(net_accumulate(small, x, y, N, NULL) == NET_MEMORY_SHORT && net_apply(small) == NET_MEMORY_SHORT, "memory");
    check(!net_reset(m) && !accumulate(m, 0, 2, NULL) && !net_report(m, values) && values[0] > 0, "metrics of parts");
    check(!net_apply(m) && net_apply(m) == NET_ORDER, "apply twice");
}

/* Differences of a float loss are worth little, those of a double are close. */
static void gradients(net *m, net *small)
{
    double worst = -1;
    check(!net_accumulate(m, x, y, 3, NULL), "accumulate before the check");
    check(!net_export_state(m, state, sizeof state), "export before the check");
    check(!net_check_gradients(m, x, y, N, &worst), "check_gradients");
    printf("worst gradient %g\n", worst);
    check(worst > 0 && worst <= (sizeof(REAL) == 8 ? 1e-6 : 0.02), "the gradients are those of the loss");
    static unsigned char after[NET_STATE_BYTES];
    check(!net_export_state(m, after, sizeof after) && !memcmp(state, after, sizeof after), "the check leaves no trace");
    check(!net_apply(m), "what was added up before is still there");
    check(net_check_gradients(m, x, y, N, NULL) == NET_NULL && net_check_gradients(NULL, x, y, N, &worst) == NET_NULL, "NULL");
    check(net_check_gradients(m, x, y, 0, &worst) == NET_SAMPLES, "no samples");
    check(net_check_gradients(small, x, y, N, &worst) == NET_MEMORY_SHORT, "memory of the check");
}

int main(void)
{
    net whole, parts, begin, small;
    srand(3);
    check(!net_init(&whole, memory[0], sizeof memory[0], 7) && !net_init(&parts, memory[1], sizeof memory[1], 7)
          && !net_init(&begin, memory[2], sizeof memory[2], 7), "init");
    check(!net_init(&small, memory[3], NET_INFER_BYTES, 7), "init for inference");
    compare(&whole, &parts, &begin);
    refuse(&parts, &small);
    gradients(&parts, &small);
    return failed != 0;
}
