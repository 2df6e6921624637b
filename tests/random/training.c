/* training.c: losses, optimizers and schedules made of equations, or the library's, and the train block that uses them;
 * see generator.h. */
#include "generator.h"

/* ---- loss ---- */
static const char *own_loss(Generator *g, const char *name)
{
    const char *const names[] = { "y", "target", "(y - target)" };
    const char *e = elementwise(g, names, 3, 2);
    switch (below(g, 4)) {
    case 0: return format("loss %s(y, target) = (y - target)^2 + 0.3 * %s\n", name, e);
    case 1: return format("loss %s(y, target) = %s + 0.2 * y^2\n", name, e);
    case 2:
        return format("loss %s(y[n, k..], target[n, k..]) {\n  m[n] = stop(%s[k..] y[n, k..])\n"
                      "  l[n] = mean[k..] (y[n, k..] - target[n, k..])^2 + 0.1 * m[n] * (sum[k..] y[n, k..])\n}\n",
                      name, PICK(g, "max", "mean"));
    default:
        return format("def %s_of(y, target) = %s\nloss %s(y[n.., c], target[n.., c]) = sum[c] (%s_of(y[n.., c], "
                      "target[n.., c]) + tanh(y[n.., c]))\n",
                      name, e, name, name);
    }
}

static const char *loss_call(Generator *g, const char *output, int k, int classes, Text *definitions)
{
    if (classes > 0 && chance(g, 0.25))
        return format("categorical_crossentropy(%s, label_%d, logits = true%s)", output, k,
                      chance(g, 0.3) ? ", smoothing = 0.1" : "");
    if (chance(g, 0.4))
        return format("%s(%s, target_%d)", PICK(g, "mse", "mae", "huber", "log_cosh", "smooth_l1", "hinge"), output, k);
    const char *name = format("loss_%d", k);
    text_add(definitions, own_loss(g, name));
    return format("%s(%s, target_%d)", name, output, k);
}

/* ---- optimizer ---- */
static const char *own_optimizer(Generator *g)
{
    const char *const names[] = { "w", "g", "m", "v", "(g^2)", "(1 / iteration)" };
    Text t = { 0 };
    bool two = chance(g, 0.5), all = chance(g, 0.25), norm = chance(g, 0.25);
    text_add(&t, "optimizer own(w, g, lr: float = 0.1, beta: float = 0.8) {\n");
    text_addf(&t, "  state m = %s\n", PICK(g, "0", "0", "0.5", "w"));
    if (two)
        text_addf(&t, "  state v%s = %s\n", chance(g, 0.3) ? "[]" : "", PICK(g, "0", "1"));
    else
        text_add(&t, "  v = 0.5 * g\n");
    if (norm) text_add(&t, "  s = sqrt(sum[i..] g[i..]^2)\n  g = g / (1 + s)\n");
    if (all) text_add(&t, "  g = g / (1 + every_variable(norm(g)^2))\n");
    bool first = chance(g, 0.5);
    text_addf(&t, "  update m = beta * m + %s\n", elementwise(g, names, 2, 2));
    if (two) text_addf(&t, "  update v = %s\n", chance(g, 0.5) ? "0.9 * v + 0.1" : "v * beta + 0.01 * iteration");
    if (first) text_addf(&t, "  update w = w - lr * %s\n", PICK(g, "g", "m", "0.1 * w"));
    text_addf(&t, "  update w = w - lr * tanh(%s)\n}\n", elementwise(g, names, 6, 3));
    return text_string(&t);
}

static const char *wrapped(Generator *g)
{
    if (chance(g, 0.6)) return "";
    return PICK(g, ", weight_decay = 0.01", ", clip_value = 0.05", ", clip_norm = 0.3", ", global_clip_norm = 0.5",
                ", ema = 0.9", ", weight_decay = 0.02, ema = 0.5");
}

static const char *optimizer_call(Generator *g, Text *definitions)
{
    const char *rate = "0.1";
    if (chance(g, 0.25))
        rate = PICK(g, "cosine(0.1, over = 5)", "exponential(0.1, 0.5, over = 2)", "polynomial(0.1, over = 4)",
                    "step(0.1, at = [1, 2])", "cosine(0.1, over = 5, warmup = 2)");
    if (chance(g, 0.5)) {
        text_add(definitions, own_optimizer(g));
        return format("own(lr = %s%s)", rate, wrapped(g));
    }
    const char *call =
        PICK(g, "sgd(lr = %s%s)", "sgd(lr = %s, momentum = 0.9%s)", "sgd(lr = %s, momentum = 0.8, nesterov = true%s)",
             "rmsprop(lr = %s%s)", "rmsprop(lr = %s, centered = true, momentum = 0.5%s)", "adagrad(lr = %s%s)",
             "adadelta(lr = %s%s)", "adam(lr = %s%s)", "adam(lr = %s, amsgrad = true%s)", "adamw(lr = %s%s)",
             "nadam(lr = %s%s)", "lion(lr = %s%s)", "lamb(lr = %s%s)");
    Text t = { 0 };
    for (const char *at = call; *at; at++) {
        if (*at != '%')
            text_add_n(&t, at, 1);
        else
            text_add(&t, t.at[t.length - 2] == '=' ? rate : wrapped(g)), at++;
    }
    return text_string(&t);
}

/* ---- the block ---- */
const char *training(Generator *g, const char *const *outputs, int count, int classes)
{
    static const int batches[] = { 1, 1, 2, 3, 3, 4, 5, 6, 7, 9 }, roomy[] = { 8, 13, 16, 17, 33 };
    Text definitions = { 0 }, loss = { 0 };
    for (int k = 0; k < count; k++) {
        if (k) text_addf(&loss, " + %s * ", PICK(g, "0.3", "2", "0.75"));
        text_add(&loss, loss_call(g, outputs[k], k, classes, &definitions));
    }
    const char *optimizer = optimizer_call(g, &definitions);
    int batch = g->batch ? g->batch : g->roomy ? roomy[below(g, 5)] : batches[below(g, 10)];
    return format("%strain {\n  loss = %s\n  optimizer = %s\n  batch = %d; epochs = 4\n%s}\n",
                  text_string(&definitions), text_string(&loss), optimizer, batch,
                  chance(g, 0.25) ? "  compat = pytorch\n" : "");
}
