/* winners.c: sums of products that visit the winners of windows only (kernel/winners.c). What stands at the winners is
 * listed where it is not 0, with the place that it goes to or comes from, and each list runs through registers:
 * add_listed() of core/tile.h. Two forms:
 *
 *     sum     for chunks of samples, groups of windows, columns: one list of the windows, for all taps
 *     spread  for samples, groups of windows: a list of columns for each window and winner, for all taps */
#include "kernel/winners.h"
#include "loop/lower.h"

typedef struct Moved {
    const Sum *rest;             /* without the winner's digits */
    int digit[MAX_RANK];         /* elements by which each digit moves */
} Moved;

static const Sum *stored_place(const Scope *s, const Tensor *t, const Sum *const *subs)
{
    const Storage *at = plan_storage(s->plan, plan_home(s->plan, t));
    const Sum *place = sum_constant(0);
    for (int a = 0; a < t->rank; a++) place = sum_add(place, sum_scale(subs[a], at->stride[a]));
    return place;
}

static Moved place_of(const Scope *s, const Tensor *t, const Sum *const *subs)
{
    const Winners *w = s->kernel->winners;
    Moved p = { .rest = stored_place(s, t, subs) };
    const Sum *all = p.rest;
    for (int i = 0; i < all->count; i++)
        for (int k = 0; k < w->digits; k++)
            if (all->term[i].atom == w->digit[k].atom) {
                p.digit[k] = all->term[i].factor;
                p.rest = sum_sub(p.rest, sum_scale(sum_node(w->digit[k].atom), p.digit[k]));
            }
    return p;
}

/* winner / 2 * 832 + winner % 2 * 32 */
static const CExpr *winner_place(const Winners *w, const Moved *p, const CExpr *winner)
{
    const CExpr *sum = cexpr_int(0);
    for (int k = 0; k < w->digits; k++) {
        int factor = w->digit[k].factor;
        const CExpr *digit = factor > 1 ? cexpr_infix(C_INT, "/", winner, cexpr_int(factor)) : winner;
        if (k > 0) digit = cexpr_infix(C_INT, "%", digit, cexpr_int(w->digit[k].extent));
        sum = cexpr_add(sum, cexpr_scale(digit, p->digit[k]));
    }
    return sum;
}

static void bind_zero(Scope *s, const Index *const *index, int count)
{
    for (int i = 0; i < count; i++) scope_bind(s, index[i], cexpr_int(0));
}

/* What of a place the sample, the windows or the taps make; the constant goes with the sample. */
typedef enum { BY_SAMPLE, BY_WINDOW, BY_TAP } Mover;

static const CExpr *part_of(Scope *s, const Sum *place, Mover mover)
{
    const Winners *w = s->kernel->winners;
    const Sum *sum = sum_constant(mover == BY_SAMPLE ? place->constant : 0);
    for (int i = 0; i < place->count; i++) {
        const Index *index = place->term[i].index;
        Mover own = BY_TAP;
        if (index == w->sample) own = BY_SAMPLE;
        for (int k = 0; k < w->windows; k++)
            if (w->window[k] == index) own = BY_WINDOW;
        if (own == mover) sum = sum_add(sum, sum_scale(sum_index(index), place->term[i].factor));
    }
    return scope_sum(s, sum);
}

/* ---- loops ---- */
typedef void BlockDone(Scope *s, int size, Body *to, void *data);

/* f for index = 0, size, ..; what is left at the end is a block of its own. */
static void each_block(Scope *s, const Index *index, int size, Body *to, BlockDone *f, void *data)
{
    int whole = index->extent / size * size;
    if (whole == size) {
        scope_bind(s, index, cexpr_int(0));
        f(s, size, to, data);
    } else if (whole) {
        Stmt *loop = stmt_for(to, scope_index(s, index), cexpr_int(0), cexpr_int(whole));
        if (size > 1) loop->step = format("%d", size);
        f(s, size, &loop->body, data);
    }
    if (whole == index->extent) return;
    scope_bind(s, index, cexpr_int(whole));
    f(s, index->extent - whole, to, data);
}

/* The group of window[0] that is under way begins at `first`; NULL: there is one group. */
static Body *group_loop(Scope *s, Body *to, const CExpr **first)
{
    const Winners *w = s->kernel->winners;
    *first = NULL;
    if (w->windows == 0 || w->group == w->window[0]->extent) return to;
    const char *name = scope_name(s, "first");
    Stmt *loop = stmt_for(to, name, cexpr_int(0), cexpr_int(w->window[0]->extent));
    loop->step = format("%d", w->group);
    *first = cexpr_name(C_INT, name);
    return &loop->body;
}

/* The end of a block of an axis that begins at `first`. */
static const CExpr *block_end(Scope *s, const CExpr *first, int size, int extent)
{
    if (!first) return cexpr_int(extent);
    const CExpr *end = cexpr_add(first, cexpr_int(size));
    if (extent % size == 0) return end;
    s->use->contract = true;
    return cexpr_call2(C_INT, "min_int", end, cexpr_int(extent));
}

static Body *window_loops(Scope *s, const CExpr *first, Body *to)
{
    const Winners *w = s->kernel->winners;
    for (int i = 0; i < w->windows; i++) {
        const CExpr *begin = i == 0 && first ? first : cexpr_int(0), *end = cexpr_int(w->window[i]->extent);
        if (i == 0) end = block_end(s, first, w->group, w->window[0]->extent);
        to = &stmt_for(to, scope_index(s, w->window[i]), begin, end)->body;
    }
    return to;
}

static int listed_windows(const Winners *w)
{
    int n = w->windows ? w->group : 1;
    for (int i = 1; i < w->windows; i++) n *= w->window[i]->extent;
    return n;
}

/* ---- the calls for all taps ---- */
typedef struct Lists { const char *count, *place, *amount; } Lists;
typedef struct Calls {
    const char *from, *to;       /* pointers to where the sample and the window put them */
    const Sum *from_place, *to_place;
    Lists lists;
    const char *before, *after;  /* a loop round the calls that the spread needs, or NULL */
    const Index *chunk;          /* along the run */
    int rows;
    Body *(*around)(Scope *s, struct Calls *c, Body *to);
    const CExpr *window;         /* what the window adds to `to` */
} Calls;

static const CExpr *taps_place(Scope *s, const Calls *c, const Sum *place)
{
    const Winners *w = s->kernel->winners;
    bind_zero(s, w->tap + w->taps - w->run, w->run);
    return cexpr_add(part_of(s, place, BY_TAP), scope_bound(s, c->chunk));
}

static void call(Scope *s, int width, Body *to, void *data)
{
    Calls *c = data;
    const Index *row = winners_row(s->kernel->winners);
    if (c->around) to = c->around(s, c, to);
    s->body = to;
    Text t = {0};
    text_addf(&t, "add_listed(%d, %d, %s, %s, %s, ", c->rows, width, c->lists.count, c->lists.place, c->lists.amount);
    cexpr_print(cexpr_place(c->from, taps_place(s, c, c->from_place)), &t);
    text_addf(&t, ", %d, ", row ? sum_factor(c->from_place, row) : 0);
    const CExpr *at = taps_place(s, c, c->to_place);
    cexpr_print(cexpr_place(c->to, c->window ? cexpr_add(c->window, at) : at), &t);
    text_addf(&t, ", %d)", row ? sum_factor(c->to_place, row) : 0);
    stmt_call(to, text_string(&t));
}

static void chunks(Scope *s, int rows, Body *to, void *data)
{
    Calls *c = data;
    c->rows = rows;
    each_block(s, c->chunk, s->kernel->winners->chunk, to, call, c);
}

static void all_taps(Scope *s, Calls *c, Body *to)
{
    const Winners *w = s->kernel->winners;
    const Index *row = winners_row(w);
    c->chunk = index_new("c", w->width, false);
    for (int i = 0; i < w->taps - w->run - (row != NULL); i++)
        to = &stmt_for(to, scope_index(s, w->tap[i]), cexpr_int(0), cexpr_int(w->tap[i]->extent))->body;
    if (row) each_block(s, row, w->rows, to, chunks, c);
    else chunks(s, 1, to, c);
}

static const CExpr *read_element(Scope *s, const Node *read)
{
    return cexpr_at(element_type_of(s, read->tensor), scope_pointer(s, read->tensor, false),
                    scope_sum(s, stored_place(s, read->tensor, read->sum)));
}

static void address_print(Scope *s, const Node *read, Text *to)
{
    const CExpr *at = scope_sum(s, stored_place(s, read->tensor, read->sum));
    cexpr_print(cexpr_place(scope_pointer(s, read->tensor, false), at), to);
}

static void let_array(Body *to, const char *type, const char *name, int size)
{
    stmt_let(to, type, format("%s[%d]", name, size), NULL);
}

/* A pointer to t moved by the sample. */
static const char *sample_pointer(Scope *s, const char *base, const char *type, Tensor *t, const CExpr *moved, Body *to)
{
    const char *name = scope_name(s, base);
    Text at = {0};
    cexpr_print(cexpr_place(scope_pointer(s, t, type[0] != 'c'), moved), &at);
    stmt_let(to, type, name, cexpr_name(C_INT, text_string(&at)));
    return name;
}

/* ---- the sum ---- */
static void list_windows(Scope *s, const Moved *from, const CExpr *first, const Lists *l, Body *to)
{
    const Winners *w = s->kernel->winners;
    stmt_let(to, "int", l->count, cexpr_int(0));
    to = window_loops(s, first, to);
    s->body = to;
    const CExpr *winner = scope_let(s, "winner", read_element(s, w->winner)), *count = cexpr_name(C_INT, l->count);
    const CExpr *at = cexpr_add(part_of(s, from->rest, BY_WINDOW), winner_place(w, from, winner));
    const CExpr *amount = cexpr_at(C_REAL, l->amount, count);
    stmt_store(to, cexpr_at(C_INT, l->place, count), at);
    stmt_store(to, amount, read_element(s, w->amount));
    stmt_reduce(to, "+=", count, cexpr_infix(C_BOOL, "!=", amount, cexpr_int(0)));
}

static void sum_kernel(Scope *s, Body *to)
{
    const Winners *w = s->kernel->winners;
    const Equation *e = s->kernel->equations.at[0];
    Moved from = place_of(s, w->operand->tensor, w->operand->sum);
    const Sum *out = stored_place(s, e->out, e->left);
    int columns = sum_factor(out, w->column), blocks = (w->column->extent + w->block - 1) / w->block;
    Lists l = { scope_name(s, "count"), scope_name(s, "place"), scope_name(s, "amount") };
    Stmt *parts = stmt_for(to, scope_index(s, w->part), cexpr_int(0), cexpr_int(w->part->extent)), *each = NULL;
    const CExpr *part = scope_bound(s, w->part), *block = NULL;
    parts->pragma = blocks > 1 ? "OMP_FOR_2" : "OMP_FOR";
    to = &parts->body;
    if (blocks > 1) {
        const char *name = scope_name(s, "block");
        each = stmt_for(to, name, cexpr_int(0), cexpr_int(w->column->extent));
        each->step = format("%d", w->block);
        block = cexpr_name(C_INT, name);
        to = &each->body;
    }
    const CExpr *end = block_end(s, block, w->block, w->column->extent);
    const CExpr *begin = cexpr_scale(part, sum_factor(out, w->part));
    const CExpr *size = cexpr_scale(cexpr_int(w->column->extent), columns);
    if (block) {
        begin = cexpr_add(begin, cexpr_scale(block, columns));
        size = cexpr_scale(cexpr_infix(C_INT, "-", end, block), columns);
    }
    Text clear = {0};
    text_add(&clear, "clear_reals(");
    cexpr_print(cexpr_place(scope_pointer(s, e->out, true), begin), &clear);
    text_add(&clear, ", ");
    cexpr_print(size, &clear);
    text_add(&clear, ")");
    stmt_call(to, text_string(&clear));
    let_array(to, "int", l.place, listed_windows(w));
    let_array(to, "real", l.amount, listed_windows(w));
    const CExpr *sample = cexpr_scale(part, w->samples);
    const CExpr *next = cexpr_add(sample, cexpr_int(w->samples));
    const CExpr *last = cexpr_call2(C_INT, "min_int", next, cexpr_name(C_INT, "run->n"));
    to = &stmt_for(to, scope_index(s, w->sample), sample, last)->body;
    Calls c = { .lists = l, .from_place = from.rest };
    c.from = sample_pointer(s, "from", "const real *const", w->operand->tensor, part_of(s, from.rest, BY_SAMPLE), to);
    const CExpr *first;
    to = group_loop(s, to, &first);
    to = &stmt_for(to, scope_index(s, w->column), block ? block : cexpr_int(0), end)->body;
    list_windows(s, &from, first, &l, to);
    c.to = scope_pointer(s, e->out, true);
    c.to_place = out;
    all_taps(s, &c, to);
}

/* ---- the spread ---- */
typedef struct Spread {
    Calls calls;
    const CExpr *first;
    Moved to;
    const char *lengths, *list;
} Spread;

/* for windows, winners: what is listed for them goes to the place of that window and winner */
static Body *round_lists(Scope *s, Calls *calls, Body *to)
{
    Spread *c = (Spread *)calls;
    const Winners *w = s->kernel->winners;
    const char *count = scope_name(s, "listed"), *list = scope_name(s, "list"), *winner = scope_name(s, "z");
    Body *inner = &stmt_block(to, NULL)->body;
    stmt_let(inner, "int", list, cexpr_int(0));
    stmt_let(inner, "int", count, cexpr_int(0));
    inner = window_loops(s, c->first, inner);
    calls->window = part_of(s, c->to.rest, BY_WINDOW);
    inner = &stmt_for(inner, winner, cexpr_int(0), cexpr_int(w->winners))->body;
    stmt_call(inner, format("const int begin = %s", count));
    stmt_call(inner, format("%s += %s[%s++]", count, c->lengths, list));
    calls->window = cexpr_add(calls->window, winner_place(w, &c->to, cexpr_name(C_INT, winner)));
    calls->lists.count = format("%s - begin", count);
    calls->lists.place = format("places + begin");
    calls->lists.amount = format("amounts + begin");
    return inner;
}

static void spread_kernel(Scope *s, Body *to)
{
    const Winners *w = s->kernel->winners;
    const Equation *e = s->kernel->equations.at[0];
    Spread c = { .to = place_of(s, e->out, e->left) };
    const Sum *from = stored_place(s, w->operand->tensor, w->operand->sum);
    static const char *const own[] = { "begin", "places", "amounts" };
    for (int i = 0; i < 3; i++) PUSH(s->names, own[i]);
    c.lengths = scope_name(s, "lengths");
    int lists = listed_windows(w) * w->winners, room = listed_windows(w) * w->block;
    int blocks = (w->column->extent + w->block - 1) / w->block;
    Stmt *samples = stmt_for(to, scope_index(s, w->sample), cexpr_int(0), index_end(w->sample));
    samples->pragma = "OMP_FOR";
    to = &samples->body;
    c.calls.to = sample_pointer(s, "to", "real *const", e->out, part_of(s, c.to.rest, BY_SAMPLE), to);
    stmt_call(to, format("clear_reals(%s, %d)", c.calls.to, sum_factor(c.to.rest, w->sample)));
    let_array(to, "int", "places", room);
    let_array(to, "int", c.lengths, lists);
    let_array(to, "int", "bucket", w->winners * w->block);
    let_array(to, "real", "amounts", room);
    const CExpr *block = cexpr_int(0);
    if (blocks > 1) {
        const char *name = scope_name(s, "block");
        Stmt *each = stmt_for(to, name, cexpr_int(0), cexpr_int(w->column->extent));
        each->step = format("%d", w->block);
        block = cexpr_name(C_INT, name);
        to = &each->body;
    }
    const CExpr *columns = cexpr_int(w->block);
    if (w->column->extent % w->block) columns = cexpr_infix(C_INT, "-", block_end(s, block, w->block, w->column->extent), block);
    to = group_loop(s, to, &c.first);
    const char *count = scope_name(s, "count"), *list = scope_name(s, "lists");
    stmt_let(to, "int", count, cexpr_int(0));
    stmt_let(to, "int", list, cexpr_int(0));
    Body *inner = window_loops(s, c.first, to);
    scope_bind(s, w->column, block);
    Text t = {0};
    text_addf(&t, "%s = list_winners(%d, ", count, w->winners);
    cexpr_print(columns, &t);
    text_add(&t, ", ");
    address_print(s, w->winner, &t);
    text_add(&t, ", ");
    address_print(s, w->amount, &t);
    text_addf(&t, ", %d, bucket, %s + %s, places, amounts, %s)", sum_factor(from, w->column), c.lengths, list, count);
    stmt_call(inner, text_string(&t));
    stmt_call(inner, format("%s += %d", list, w->winners));
    c.calls.from_place = from;
    c.calls.from = scope_pointer(s, w->operand->tensor, false);
    c.calls.to_place = c.to.rest;
    c.calls.around = round_lists;
    all_taps(s, &c.calls, to);
}

void winners_kernel(Scope *s, Body *to)
{
    s->use->contract = true;
    s->equation = s->kernel->equations.at[0];
    if (s->kernel->winners->spread) spread_kernel(s, to);
    else sum_kernel(s, to);
}
