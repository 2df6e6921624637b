/* simplify.c: brings a program into the normal forms of the language reference, section 8. Each form is a rule in
 * rules_*.c, a rewrite of single equations; here they run, over and over, until a round changes nothing. What a rule
 * means, and what it requires, keeps and breaks, stands above it. */
#include "tensor/rules.h"

enum { MAX_ROUNDS = 20 };

/* One number for the program as it stands. Sums and nodes are hash-consed, so their ids stand for their text. */
static uint64_t fingerprint(const Simplifier *s)
{
    uint64_t hash = 1;
    for (int i = 0; i < s->lines.count; i++) {
        const Equation *e = s->lines.at[i].e;
        hash = hash_add(hash_add(hash, (uint64_t)e->out->id), (uint64_t)e->value->id);
        hash = hash_add(hash_pointer(hash, e->loop), e->test ? (uint64_t)e->test->id + 1 : 0);
        hash = hash_add(hash, (uint64_t)e->reduction * 64 + (uint64_t)e->reduced_count);
        for (int a = 0; a < e->out->rank; a++) hash = hash_add(hash, (uint64_t)e->left[a]->id);
    }
    return hash;
}

static void one_round(Simplifier *s)
{
    rule_order(s);
    rule_unloop(s);
    rule_dead(s);
    rule_ones(s);
    rule_copies(s);
    rule_dead(s);
    rule_deltas(s);
    rule_hoist(s);
    rule_invariant(s);
    rule_cse(s);
    rule_strip(s);
    rule_results(s);
    rule_inline_guards(s);
    rule_dead(s);
    rule_drops(s);
    rule_inline_once(s);
    rule_split_index(s);
    rule_dead(s);
}

static Simplifier simplifier_begin(Program *p)
{
    Simplifier s = { .p = p };
    for (int i = 0; i < p->equations.count; i++)
        PUSH(s.lines, ((Line){ p->equations.at[i], p->first_backward >= 0 && i >= p->first_backward }));
    return s;
}

static void simplifier_end(Simplifier *s)
{
    Program *p = s->p;
    bool had_backward = p->first_backward >= 0;
    p->equations.count = 0;
    p->first_backward = -1;
    for (int i = 0; i < s->lines.count; i++) {
        if (s->lines.at[i].backward && p->first_backward < 0) p->first_backward = i;
        PUSH(p->equations, s->lines.at[i].e);
    }
    if (had_backward && p->first_backward < 0) p->first_backward = p->equations.count;
}

/* requires: the program is verified and will not be differentiated again (stop() goes).
 * keeps: outputs and the values of updates, up to rounding; an update may get another tensor of equal value.
 * breaks: the equations it is given: they are changed in place. */
void simplify(Program *p)
{
    Simplifier s = simplifier_begin(p);
    rule_strip(&s);
    uint64_t before = 0, now = fingerprint(&s);
    for (int round = 0; round < MAX_ROUNDS && now != before; round++) {
        before = now;
        one_round(&s);
        now = fingerprint(&s);
    }
    rule_pieces(&s);
    rule_order(&s);
    rule_unloop(&s);
    simplifier_end(&s);
}
