/* contract.c: a sum of products in tiles. A tile is `rows` x `width` results: up to ROWS broadcasts of the one operand
 * times two vectors of the other, all sums in registers while the reduced indices run (core/tile.h, contract). What is
 * done with the results, the epilogue, is done in the tile; so the results themselves need not be stored.
 *
 *     INLINE void .._tile(rows, width, i, j, run, ..)     sums, then EACH_TILE(r, c): the epilogue
 *     static void ..(run)                                 loops over the other indices, columns and strips of rows */
#include "loop/lower.h"
#include <string.h>

/* Binds an index of the host and what stands in its place in the epilogue's equations. */
static void bind_all(Scope *s, const Index *i, const CExpr *at)
{
    for (int q = 0; q < s->kernel->equations.count; q++) {
        const Index *own = counterpart(s->kernel->equations.at[0], i, s->kernel->equations.at[q]);
        if (own) scope_bind(s, own, at);
    }
}

/* ---- the sum ---- */
typedef struct Walk { const Sum *broadcast, *vector; } Walk;

/* Can the reduced indices a (outer) and b (inner) be one loop? Both operands must go on where b ends. */
static bool is_one_run(const Walk *w, const Index *a, const Index *b)
{
    return !b->batch && sum_factor(w->broadcast, a) == sum_factor(w->broadcast, b) * b->extent
        && sum_factor(w->vector, a) == sum_factor(w->vector, b) * b->extent;
}

static bool guard_uses(const Tile *t, const Index *i) { return t->guard && node_uses(t->guard, i); }

/* Puts an if round what follows for the tests whose indices are all bound now and were not before `last` was. */
static Body *guarded(Scope *s, const Tile *t, int bound, Body *to)
{
    const Node *part[32], *now = NULL;
    int n = t->guard ? node_conjuncts(t->guard, part, 32) : 0;
    for (int i = 0; i < n; i++) {
        int last = -1;
        for (int k = 0; k < t->reduced_count; k++)
            if (node_uses(part[i], t->reduced[k])) last = k;
        if (last == bound) now = node_and(now, part[i]);
    }
    if (!now) return to;
    s->body = to;
    return &stmt_if(to, scope_test(s, now))->body;
}

/* So few columns that one vector may be enough: then strips are twice as high, or sums would wait for each other. */
static bool is_narrow(const Tile *t) { return t->row && !t->row->batch && t->col->extent <= 16; }

static void sum_loops(Scope *s, Body *to)
{
    const Kernel *k = s->kernel;
    const Tile *t = &k->tile;
    Walk w = { scope_place(s, t->broadcast->tensor, t->broadcast->sum), scope_place(s, t->vector->tensor, t->vector->sum) };
    const CExpr *length = cexpr_int(1);
    int loops = t->reduced_count, run = t->reduced_count - 1;
    if (run >= 0 && !guard_uses(t, t->reduced[run])) {           /* the innermost run: one call of contract */
        length = index_end(t->reduced[run]);
        loops = run;
        if (t->block && run == 0) bug("loop: a block of one sum");
        while (loops > (t->block > 0) && is_one_run(&w, t->reduced[loops - 1], t->reduced[loops]) && !guard_uses(t, t->reduced[loops - 1])) {
            loops--;
            length = cexpr_scale(index_end(t->reduced[loops]), 1);
            int64_t rest = 1;
            for (int i = loops + 1; i <= run; i++) rest *= t->reduced[i]->extent;
            length = cexpr_scale(length, rest);
        }
    }
    s->body = to;
    s->equation = k->equations.at[0];
    Body *inner = guarded(s, t, -1, to);
    for (int i = 0; i < loops; i++) {
        bool block = t->block && i == 0;
        inner = &stmt_for(inner, scope_index(s, t->reduced[i]), block ? cexpr_name(C_INT, "from") : cexpr_int(0),
                          block ? cexpr_name(C_INT, "to") : index_end(t->reduced[i]))->body;
        inner = guarded(s, t, i, inner);
    }
    for (int i = loops; i < t->reduced_count; i++) scope_bind(s, t->reduced[i], cexpr_int(0));
    s->body = inner;
    int a_k = loops < t->reduced_count ? sum_factor(w.broadcast, t->reduced[run]) : 0;
    int b_k = loops < t->reduced_count ? sum_factor(w.vector, t->reduced[run]) : 0;
    const Storage *at = plan_storage(s->plan, plan_home(s->plan, t->vector->tensor));
    bool exact = t->row && at->place != PLACE_MEMORY && t->col->extent % PANEL;
    Text call = {0};
    const char *function = !t->row ? "contract_row" : exact ? "contract_part" : is_narrow(t) ? "contract_tall" : "contract";
    text_addf(&call, "%s(rows, %s", function, t->row ? "width, " : "");
    cexpr_print(length, &call);
    text_add(&call, ", ");
    cexpr_print(cexpr_place(scope_pointer(s, t->broadcast->tensor, false), scope_offset(s, t->broadcast->tensor, t->broadcast->sum)), &call);
    if (t->row) text_addf(&call, ", %d", sum_factor(w.broadcast, t->row));
    text_addf(&call, ", %d, ", a_k);
    cexpr_print(cexpr_place(scope_pointer(s, t->vector->tensor, false), scope_offset(s, t->vector->tensor, t->vector->sum)), &call);
    text_addf(&call, ", %d, sum)", b_k);
    stmt_call(inner, text_string(&call));
}

/* The first column of vector c in row r. */
static const CExpr *column_at(const Scope *s, const CExpr *col)
{
    const CExpr *vectors = cexpr_infix(C_INT, "*", cexpr_name(C_INT, "c"), cexpr_name(C_INT, "LANES"));
    if (!s->kernel->tile.row) col = cexpr_add(col, cexpr_infix(C_INT, "*", cexpr_name(C_INT, "r"), cexpr_name(C_INT, "WIDE")));
    return cexpr_add(col, vectors);
}

static const CExpr *columns_left(const Scope *s)
{
    return s->kernel->tile.col->extent % PANEL ? cexpr_name(C_INT, "width - c * LANES") : NULL;
}

/* ---- the epilogue ---- */
static bool is_read_later(const Kernel *k, const Tensor *t, int from)
{
    for (int i = from; i < k->equations.count; i++)
        if (equation_needs(k->equations.at[i], t)) return true;
    return false;
}

static void epilogue(Scope *s, const CExpr *row, const CExpr *col, Body *to)
{
    const Kernel *k = s->kernel;
    const Equation *host = k->equations.at[0];
    s->body = to;
    if (k->tile.row) bind_all(s, k->tile.row, cexpr_add(row, cexpr_name(C_INT, "r")));
    bind_all(s, k->tile.col, column_at(s, col));
    const CExpr *left = columns_left(s);
    s->lanes_left = left;
    scope_repeated(s, 1, k->equations.count - 1);
    LIST(const CExpr *) values = {0};
    for (int q = 0; q < k->equations.count; q++) {
        const Equation *e = k->equations.at[q];
        const Tensor *home = plan_home(s->plan, e->out);
        s->lane = counterpart(host, k->tile.col, e);
        const CExpr *value = cexpr_name(C_VEC, "sum[r][c]");
        if (q) {
            scope_equation(s, e);
            s->guarded += e->test != NULL;
            value = cexpr_to(s, scope_value(s, e->value), lanes_type(e->out));
            value = scope_tested(s, e->test, value);
            s->guarded -= e->test != NULL;
            bool stored = plan_storage(s->plan, home)->place != PLACE_LOCAL;
            if (is_read_later(k, e->out, q + 1))
                value = scope_let(s, stored ? format("%s_here", c_name(s->plan, home)) : c_name(s->plan, e->out), value);
        }
        scope_hold(s, e->out, value, false);
        PUSH(values, value);
    }
    for (int q = 0; q < k->equations.count; q++) {
        const Equation *e = k->equations.at[q];
        s->lane = counterpart(host, k->tile.col, e);
        if (q == 0 && k->tile.in_between) continue;
        if (plan_storage(s->plan, plan_home(s->plan, e->out))->place != PLACE_LOCAL)
            scope_store_lanes(s, e->out, e->left, values.at[q], left);
    }
    s->repeated.count = 0;
    s->lane = NULL;
    s->lanes_left = NULL;
}

/* ---- the functions ---- */
static const char *outer_parameters(const Scope *s, bool types)
{
    const Kernel *k = s->kernel;
    const Equation *e = k->equations.at[0];
    Text t = {0};
    for (int i = 0; i < e->indices; i++) {
        if (e->index[i] == k->tile.row || e->index[i] == k->tile.col) continue;
        text_addf(&t, ", %s", types ? "int " : "");
        cexpr_print(scope_bound(s, e->index[i]), &t);
    }
    if (k->sequence && k->sequence->frames) text_add(&t, types ? ", int slot" : ", slot");
    return text_string(&t);
}

/* Names for all indices of the host but the reduced ones, in the order of its loops. */
static void name_indices(Scope *s)
{
    const Kernel *k = s->kernel;
    const Equation *e = k->equations.at[0];
    for (int i = 0; i < e->indices; i++) {
        if (e->index[i] == e->step || scope_bound(s, e->index[i])) continue;
        const char *name = scope_index(s, e->index[i]);
        bind_all(s, e->index[i], cexpr_name(C_INT, name));
    }
}

/* sum[r][c] from where it was left, or to there; the block begins at sample `from`. */
static void sums_in_memory(Scope *s, const CExpr *row, const CExpr *col, bool leave, Body *to)
{
    const Equation *host = s->kernel->equations.at[0];
    scope_bind(s, s->kernel->tile.col, column_at(s, col));
    if (s->kernel->tile.row) scope_bind(s, s->kernel->tile.row, cexpr_add(row, cexpr_name(C_INT, "r")));
    s->body = &stmt_macro(to, "EACH_TILE(r, c)")->body;
    const CExpr *at = cexpr_place(scope_pointer(s, host->out, true), scope_offset(s, host->out, host->left));
    if (leave) scope_store_lanes(s, host->out, host->left, cexpr_name(C_VEC, "sum[r][c]"), columns_left(s));
    else stmt_store(s->body, cexpr_name(C_VEC, "sum[r][c]"), cexpr_call1(C_VEC, "load", at));
    scope_bind(s, s->kernel->tile.col, col);
    if (s->kernel->tile.row) scope_bind(s, s->kernel->tile.row, row);
}

/* ---- what the epilogue will read ---- */
enum { FAR = 2 << 20 };                          /* bytes of a tensor that no cache has kept from the last step */

typedef struct Prefetch { Scope *s; Body *to; LIST(const Tensor *) seen; } Prefetch;

static void prefetch_read(const Node *e, void *data)
{
    Prefetch *p = data;
    const Scope *s = p->s;
    if (e->op != OP_READ || e->tensor->rank == 0) return;
    const Storage *at = plan_storage(s->plan, plan_home(s->plan, e->tensor));
    bool far = at->place == PLACE_MEMORY && !at->sequence && at->bytes >= FAR && scope_place(s, e->tensor, e->sum)->count > 1;
    for (int i = 0; i < p->seen.count; i++) far &= p->seen.at[i] != e->tensor;
    for (int i = 0; i < s->kernel->equations.count; i++) far &= s->kernel->equations.at[i]->out != e->tensor;
    for (int a = 0; a < e->sums; a++) far &= sum_plain(e->sum[a]) != NULL || sum_is_constant(e->sum[a]);
    if (!far) return;
    PUSH(p->seen, e->tensor);
    const CExpr *place = cexpr_place(scope_pointer(p->s, e->tensor, false), scope_offset(p->s, e->tensor, e->sum));
    Text text = {0};
    text_add(&text, "prefetch(");
    cexpr_print(place, &text);
    text_add(&text, ")");
    stmt_call(p->to, text_string(&text));
}

/* Weights and states of the optimizer come while the sum runs. */
static void prefetch_epilogue(Scope *s, const CExpr *row, const CExpr *col, Body *to)
{
    const Kernel *k = s->kernel;
    Body inner = {0};
    Prefetch p = { .s = s, .to = &inner };
    if (k->tile.row) bind_all(s, k->tile.row, cexpr_add(row, cexpr_name(C_INT, "r")));
    bind_all(s, k->tile.col, column_at(s, col));
    s->body = &inner;
    scope_repeated(s, 1, k->equations.count - 1);
    for (int q = 1; q < k->equations.count; q++) equation_visit(k->equations.at[q], prefetch_read, &p);
    s->repeated.count = 0;
    if (inner.list.count) stmt_macro(to, "EACH_TILE(r, c)")->body = inner;
    if (k->tile.row) bind_all(s, k->tile.row, row);
    bind_all(s, k->tile.col, col);
}

/* What it needs of the run; as its last parameters if it is shared. */
static Declarations tile_function(Scope *s, Functions *to, const char *name)
{
    const Kernel *k = s->kernel;
    static const char *const own[] = { "rows", "width", "r", "c", "sum", "from", "to" };
    for (int i = 0; i < 7; i++) scope_name_taken(s, own[i]);
    name_indices(s);
    const char *row = k->tile.row ? scope_bound(s, k->tile.row)->name : scope_name(s, "group");
    const CExpr *row_at = cexpr_name(C_INT, row), *col = scope_bound(s, k->tile.col);
    Function *f = function_new(to, NULL);
    if (!k->tile.row) stmt_let(&f->body, "const int", col->name, cexpr_infix(C_INT, "*", row_at, cexpr_name(C_INT, "WIDE")));
    stmt_let(&f->body, "vec", "sum[TALLEST][2]", NULL);
    stmt_call(&f->body, "clear_tile(sum)");
    if (k->tile.block)
        sums_in_memory(s, row_at, col, false, &stmt_if(&f->body, cexpr_infix(C_BOOL, ">", cexpr_name(C_INT, "from"), cexpr_int(0)))->body);
    if (!k->tile.block && !k->loop) prefetch_epilogue(s, row_at, col, &f->body);
    sum_loops(s, &f->body);
    Body *end = &f->body;
    if (k->tile.block && k->equations.count > 1) {
        Stmt *more = stmt_if(end, cexpr_infix(C_BOOL, "<", cexpr_name(C_INT, "to"), cexpr_name(C_INT, "run->n")));
        sums_in_memory(s, row_at, col, true, &more->body);
        end = &more->other;
    }
    epilogue(s, row_at, col, &stmt_macro(end, "EACH_TILE(r, c)")->body);
    Declarations d = scope_declarations(s);
    if (!s->serves_many) declare(&d, &f->body);
    f->head = format("INLINE void %s_tile(const int rows, const int width, int %s%s, const struct run *run%s%s%s)", name, row,
                     k->tile.row ? format(", int %s", col->name) : "", outer_parameters(s, true), k->tile.block ? ", int from, int to" : "", s->serves_many ? declared_parameters(&d) : "");
    return d;
}

/* One call of the tile for each strip of rows: heights are numbers of the C text, so a tile is compiled for each. */
static const char *tile_call(const Scope *s, const char *name, const char *width, const char *strip, const char *pointers)
{
    const Kernel *k = s->kernel;
    const char *col = scope_bound(s, k->tile.col)->name, *outer = outer_parameters(s, false);
    if (k->tile.block) outer = format("%s, from, min_int(from + %d, run->n)", outer, k->tile.block);
    outer = format("%s%s", outer, pointers);
    if (!k->tile.row) return format("STRIP(%s_tile, %d / WIDE, %s, %s, run%s)", name, k->tile.col->extent, strip, width, outer);
    if (k->tile.row->batch) return format("RUN_STRIP(%s_tile, run->n, %s, %s, %s, run%s)", name, strip, width, col, outer);
    if (is_narrow(&k->tile))
        return format("STRIP_OF(%s_tile, %d, HEIGHT(%d), %s, %s, %s, run%s)", name, k->tile.row->extent, k->tile.col->extent, strip, width,
                      col, outer);
    return format("STRIP(%s_tile, %d, %s, %s, %s, run%s)", name, k->tile.row->extent, strip, width, col, outer);
}

/* The operand of the inner of the two loops is read again for each round of the outer: that is the smaller one. */
static bool is_rows_outside(const Scope *s)
{
    const Tile *t = &s->kernel->tile;
    return !s->kernel->sequence && plan_storage(s->plan, plan_home(s->plan, t->broadcast->tensor))->bytes
           > 2 * plan_storage(s->plan, plan_home(s->plan, t->vector->tensor))->bytes;
}

static Body *strip_loop(const Scope *s, const char *strip, Body *to, Stmt **first)
{
    const Tile *t = &s->kernel->tile;
    const char *end = !t->row     ? format("STRIPS(%d / WIDE)", t->col->extent)
                    : is_narrow(t)  ? format("STRIPS_OF(%d, HEIGHT(%d))", t->row->extent, t->col->extent)
                    : t->row->batch ? "strip_count(run->n)"
                                    : format("STRIPS(%d)", t->row->extent);
    Stmt *loop = stmt_for(to, strip, cexpr_int(0), cexpr_name(C_INT, end));
    if (!*first) *first = loop;
    return &loop->body;
}

/* A tile of all columns that one can have, or of the last ones. */
static void tile_calls(const Scope *s, Body *to, const char *name, const char *strip, const char *pointers)
{
    int n = s->kernel->tile.col->extent;
    if (n % PANEL == 0) {
        stmt_call(to, tile_call(s, name, "WIDE", strip, pointers));
        return;
    }
    const CExpr *end = cexpr_add(scope_bound(s, s->kernel->tile.col), cexpr_name(C_INT, "WIDE"));
    Stmt *whole = stmt_if(to, cexpr_infix(C_BOOL, "<=", end, cexpr_int(n)));
    stmt_call(&whole->body, tile_call(s, name, "WIDE", strip, pointers));
    Stmt *rest = stmt_if(&whole->other, cexpr_name(C_BOOL, format("%d %% WIDE != 0", n)));   /* or the compiler has it in vain */
    stmt_call(&rest->body, tile_call(s, name, format("%d %% WIDE", n), strip, pointers));
}

static void call_loops(Scope *s, Body *to, const char *name, const char *pointers)
{
    const Kernel *k = s->kernel;
    const Equation *e = k->equations.at[0];
    Body *inner = to;
    Stmt *first = NULL;
    int loops = 0;
    name_indices(s);
    if (k->tile.block) {                         /* each thread has the same tiles in every block: no barrier */
        scope_name_taken(s, "from");
        Stmt *blocks = stmt_for(inner, "from", cexpr_int(0), cexpr_name(C_INT, "run->n"));
        blocks->step = format("%d", k->tile.block);
        inner = &blocks->body;
    }
    for (int i = 0; i < e->indices; i++) {
        if (e->index[i] == k->tile.row || e->index[i] == k->tile.col || e->index[i] == e->step) continue;
        if (k->sequence && e->index[i]->batch) continue;
        Stmt *loop = stmt_for(inner, scope_bound(s, e->index[i])->name, cexpr_int(0), index_end(e->index[i]));
        if (!first) first = loop;
        inner = &loop->body;
        loops++;
    }
    const char *strip = scope_name(s, "strip");
    bool rows_outside = !k->tile.row || is_rows_outside(s);
    if (rows_outside) inner = strip_loop(s, strip, inner, &first);
    if (k->tile.row) {
        Stmt *columns = stmt_for(inner, scope_bound(s, k->tile.col)->name, cexpr_int(0), cexpr_int(k->tile.col->extent));
        columns->step = "WIDE";
        if (!first) first = columns;
        inner = &columns->body;
        loops++;
    }
    if (!rows_outside) inner = strip_loop(s, strip, inner, &first);
    loops++;
    if (!k->sequence) first->pragma = loops == 1 ? "OMP_FOR" : format("OMP_FOR_%d", loops > 6 ? 6 : loops);
    tile_calls(s, inner, name, strip, pointers);
}

Declarations tile_kernel(const Scope *begin, Functions *to, const char *name)
{
    Scope tile = *begin, calls = *begin;
    begin->use->contract = true;
    Declarations d = tile_function(&tile, to, name);
    call_loops(&calls, &function_new(to, NULL)->body, name, begin->serves_many ? declared_names(&d) : "");
    return d;
}
