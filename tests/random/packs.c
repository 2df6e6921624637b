/* packs.c: layers for tensors of any shape, see generator.h: reductions over the last axis and over all, broadcasts,
 * packs in another order, an axis chosen by number, split and merged axes, parameters by the last axis. */
#include "generator.h"

/* Their bodies; %d: the number of the definition, %s: an expression of the element a and of r, which has fewer axes. */
typedef enum { OF_LAST, OF_REST, OF_AXIS, OF_GROUP, OF_PARAM, OF_ALL, OF_ORDER, PACK_KINDS } PackKind;

static const char *definition(Generator *g, PackKind kind, const char *name)
{
    const char *op = PICK(g, "sum", "mean", "max", "min");
    const char *const a_r[] = { "a", "r" }, *const a_p[] = { "a", "p" }, *const only_a[] = { "a" };
    const char *of_r = elementwise(g, a_r, 2, 2), *of_p = elementwise(g, a_p, 2, 2),
               *of_a = elementwise(g, only_a, 1, 2);
    const char *map = format("def %s_map(a, r) = 0.2 * r + %s\ndef %s_one(a) = %s\n", name, of_r, name, of_a);
    switch (kind) {
    case OF_LAST:
        return format("%sdef %s(x[n.., c]) {\n  r[n..] = %s[c] %s_one(x[n.., c])\n"
                      "  y[n.., c] = %s_map(x[n.., c], r[n..])\n}\n",
                      map, name, op, name, name);
    case OF_REST:
        return format("%sdef %s(x[n.., c]) {\n  r[c] = mean[n..] %s_one(x[n.., c])\n"
                      "  y[n.., c] = %s_map(x[n.., c], r[c])\n}\n",
                      map, name, name, name);
    case OF_AXIS:
        return format("%sdef %s(x[a.., i @ 1, b..]) {\n  r[a.., b..] = %s[i] x[a.., i, b..]\n"
                      "  y[a.., i, b..] = %s_map(x[a.., i, b..], r[a.., b..]) + (x[a.., i - 1, b..] else 0.1)\n}\n",
                      map, name, op, name);
    case OF_GROUP:
        return format(
            "%sdef %s(x[n, k..]) {\n  f[n, (k..)] = x[n, k..]\n  r[n] = %s[j] f[n, j]\n"
            "  z[n, j, q in 2] = %s_map(f[n, j], r[n]) * (q == 0 ? 1 : 0.5)\n  y[n, (j, q)] = z[n, j, q]\n}\n",
            map, name, op, name);
    case OF_PARAM:
        return format("def %s_map(a, p) = %s\ndef %s(x[n.., c]) {\n  param p[c] = uniform(-1, 1)\n"
                      "  y[n.., c] = %s_map(x[n.., c], p[c]) + 0.3 * p[c]\n}\n",
                      name, of_p, name, name);
    case OF_ALL:
        return format("%sdef %s(x[n, k..]) {\n  r[n] = %s[k..] x[n, k..]\n  count[n] = sum[k..] 1\n"
                      "  y[n, k..] = %s_map(x[n, k..], r[n]) / count[n]\n}\n",
                      map, name, op, name);
    default:
        return format("%sdef %s(x[n, k.., c]) {\n  param v[c, o in 3] = normal(0, 0.6)\n"
                      "  z[n, k.., o] = sum[c] %s_one(x[n, k.., c]) * v[c, o]\n"
                      "  y[n, o, k..] = z[n, k.., o] * (x[n, k.., o - 1] else 0.5)\n}\n",
                      map, name, name);
    }
}

const char *pack_definitions(Generator *g, Text *pipe)
{
    Text t = { 0 };
    int count = between(g, 0, 2);
    for (int i = 0; i < count; i++) {
        const char *name = format("pack_%d", i);
        text_add(&t, definition(g, (PackKind)below(g, PACK_KINDS), name));
        text_addf(pipe, " -> %s", name);
    }
    return text_string(&t);
}
