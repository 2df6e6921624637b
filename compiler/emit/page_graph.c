/* page_graph.c: the layers as a drawing, from top to bottom. A node stands one row below the last of those that it is made
 * from; an edge over several rows passes through a point in each of them; within its row everything is ordered and moved
 * towards the middle of its neighbours, in a few sweeps down and up. */
#include "emit/page.h"
#include <inttypes.h>
#include <string.h>

enum { ROW_GAP = 22, LINE = 16, PAD = 8, GAP = 22, SWEEPS = 12, MOST_POINTS = 4000 };

typedef struct Vertex {
    int tensor;                  /* input i: -1 - i; layer i: i; POINT: an edge passes */
    int row, place;              /* place: from the left in its row */
    double x, width, height;     /* x: of its middle */
    const char *text[3];
    const char *id;              /* of the table's row */
    LIST(int) up, down;
} Vertex;
enum { POINT = 1 << 30 };
typedef struct Edge { int from, to; LIST(int) points; } Edge;
typedef struct Graph {
    const Page *page;
    LIST(Vertex) vertices;
    LIST(Edge) edges;
    int rows;
    struct Row { LIST(int) at; double y, height; } *row;
} Graph;

/* ---- nodes ------------------------------------------------------------------------------------------------------- */
/* What it keeps: two tensors by name and shape, more by their number. */
static const char *weights_of_layer(const Model *m, const Layer *l)
{
    Text t = {0};
    int count = 0;
    int64_t numbers = 0;
    size_t n = strlen(l->path);
    for (int i = 0; i < m->kept.count; i++) {
        const Tensor *w = m->kept.at[i];
        if (strncmp(w->name, l->path, n) || w->name[n] != '.') continue;
        if (count < 2) text_addf(&t, "%s%s %s", count ? ", " : "", w->name + n + 1, sample_shape(w));
        numbers += tensor_size(w);
        count++;
    }
    return count > 2 ? format("%d tensors, %" PRId64 " numbers", count, numbers) : text_string(&t);
}

static void vertex_add(Graph *g, int tensor, const char *id, const char *name, const char *shape, const char *weights)
{
    Vertex v = { .tensor = tensor, .id = id, .text = { name, shape, weights } };
    v.width = 90;
    int lines = 0;
    for (int i = 0; i < 3; i++) {
        double n = (double)strlen(v.text[i]), width = 2 * PAD + (i ? 6.3 : 7.7) * n;
        if (width > v.width) v.width = width;
        lines += n > 0;
    }
    v.height = 2 * PAD + LINE * lines - 3;
    PUSH(g->vertices, v);
}

static void vertices(Graph *g)
{
    const Model *m = g->page->model;
    for (int i = 0; i < m->inputs.count; i++)
        vertex_add(g, -1 - i, format("i%d", i), m->inputs.at[i]->name, sample_shape(m->inputs.at[i]), "");
    for (int i = 0; i < m->layers.count; i++) {
        const Layer *l = &m->layers.at[i];
        if (l->depth) continue;
        const char *name = strcmp(l->path, l->definition) ? format("%s: %s", l->path, l->definition) : l->path;
        vertex_add(g, i, format("l%d", i), name, sample_shape(l->out), weights_of_layer(m, l));
    }
}

static int vertex_of(const Graph *g, const Tensor *t)
{
    const Model *m = g->page->model;
    for (int i = 0; i < g->vertices.count; i++) {
        int k = g->vertices.at[i].tensor;
        if (t == (k < 0 ? m->inputs.at[-1 - k] : m->layers.at[k].out)) return i;
    }
    return -1;
}

static void edges(Graph *g)
{
    const Model *m = g->page->model;
    for (int i = 0; i < g->vertices.count; i++) {
        int k = g->vertices.at[i].tensor;
        for (int j = 0; k >= 0 && j < m->layers.at[k].from.count; j++) {
            Edge e = { .from = vertex_of(g, m->layers.at[k].from.at[j]), .to = i };
            if (e.from >= 0 && e.from != i) PUSH(g->edges, e);
        }
    }
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */
static void set_rows(Graph *g)
{
    bool moved = true;
    for (int round = 0; moved && round <= g->vertices.count; round++) {
        moved = false;
        for (int i = 0; i < g->edges.count; i++) {
            Vertex *from = &g->vertices.at[g->edges.at[i].from], *to = &g->vertices.at[g->edges.at[i].to];
            if (to->row > from->row) continue;
            to->row = from->row + 1;
            moved = true;
        }
    }
    for (int i = 0; i < g->vertices.count; i++) {                /* made from nothing: just above what reads it */
        int nearest_row = -1;
        bool made = false;
        for (int j = 0; j < g->edges.count; j++) {
            made |= g->edges.at[j].to == i;
            int row = g->vertices.at[g->edges.at[j].to].row;
            if (g->edges.at[j].from == i && (nearest_row < 0 || row < nearest_row)) nearest_row = row;
        }
        if (!made && nearest_row > 0) g->vertices.at[i].row = nearest_row - 1;
    }
}

static void link_vertices(Graph *g, int from, int to)
{
    PUSH(g->vertices.at[from].down, to);
    PUSH(g->vertices.at[to].up, from);
}

static void set_points(Graph *g)
{
    int64_t points = 0;
    for (int i = 0; i < g->edges.count; i++) points += g->vertices.at[g->edges.at[i].to].row - g->vertices.at[g->edges.at[i].from].row;
    for (int i = 0; i < g->edges.count; i++) {
        Edge *e = &g->edges.at[i];
        int last = e->from, to = g->vertices.at[e->to].row;
        for (int row = g->vertices.at[e->from].row + 1; points < MOST_POINTS && row < to; row++) {
            Vertex v = { .tensor = POINT, .row = row, .width = 10 };
            PUSH(g->vertices, v);
            PUSH(e->points, g->vertices.count - 1);
            link_vertices(g, last, g->vertices.count - 1);
            last = g->vertices.count - 1;
        }
        link_vertices(g, last, e->to);
    }
    for (int i = 0; i < g->vertices.count; i++) if (g->vertices.at[i].row >= g->rows) g->rows = g->vertices.at[i].row + 1;
    g->row = NEW_ARRAY(struct Row, g->rows + 1);
    for (int i = 0; i < g->vertices.count; i++) {
        Vertex *v = &g->vertices.at[i];
        struct Row *r = &g->row[v->row];
        v->place = r->at.count;
        PUSH(r->at, i);
        if (v->height > r->height) r->height = v->height;
    }
}

/* ---- places in a row --------------------------------------------------------------------------------------------- */
static double middle(const Graph *g, const Vertex *v, bool down)
{
    double sum = 0;
    int count = down ? v->up.count : v->down.count;
    for (int i = 0; i < count; i++) sum += g->vertices.at[down ? v->up.at[i] : v->down.at[i]].x;
    return count ? sum / count : v->x;
}

/* Side by side in their order, each as near to its wish as the others let it: pushed to the right, then all moved back. */
static void row_spread(Graph *g, const struct Row *r)
{
    double shift = 0, edge = 0;
    for (int i = 0; i < r->at.count; i++) {
        Vertex *v = &g->vertices.at[r->at.at[i]];
        double wish = v->x;
        if (i && v->x - v->width / 2 < edge) v->x = edge + v->width / 2;
        shift += v->x - wish;
        edge = v->x + v->width / 2 + GAP;
    }
    for (int i = 0; r->at.count && i < r->at.count; i++) g->vertices.at[r->at.at[i]].x -= shift / r->at.count;
}

static void row_order(Graph *g, struct Row *r)
{
    for (int i = 1; i < r->at.count; i++)        /* by insertion: stable, and rows are short */
        for (int j = i; j && g->vertices.at[r->at.at[j - 1]].x > g->vertices.at[r->at.at[j]].x; j--) {
            int other = r->at.at[j];
            r->at.at[j] = r->at.at[j - 1];
            r->at.at[j - 1] = other;
        }
}

static void set_places(Graph *g)
{
    for (int row = 0; row < g->rows; row++) row_spread(g, &g->row[row]);
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        bool down = sweep % 2 == 0;
        for (int i = 0; i < g->rows; i++) {
            struct Row *r = &g->row[down ? i : g->rows - 1 - i];
            for (int k = 0; k < r->at.count; k++) {
                Vertex *v = &g->vertices.at[r->at.at[k]];
                v->x = middle(g, v, down);
            }
            if (sweep < SWEEPS / 2) row_order(g, r);
            row_spread(g, r);
        }
    }
    double left = 0, y = 4;
    for (int i = 0; i < g->vertices.count; i++) {
        double begin = g->vertices.at[i].x - g->vertices.at[i].width / 2;
        if (!i || begin < left) left = begin;
    }
    for (int i = 0; i < g->vertices.count; i++) g->vertices.at[i].x += 4 - left;
    for (int row = 0; row < g->rows; row++) {
        g->row[row].y = y;
        y += g->row[row].height + ROW_GAP;
    }
}

/* ---- drawing ----------------------------------------------------------------------------------------------------- */
/* A line from (x, y) on to the next point, bent so that it leaves and arrives upright. */
static void curve_to(Text *to, double *x, double *y, double next_x, double next_y)
{
    double bend = (next_y - *y) / 2;
    if (*x == next_x) text_addf(to, "V%.1f", next_y);
    else text_addf(to, "C%.1f %.1f %.1f %.1f %.1f %.1f", *x, *y + bend, next_x, next_y - bend, next_x, next_y);
    *x = next_x;
    *y = next_y;
}

static void edge_draw(const Graph *g, const Edge *e, Text *to)
{
    const Vertex *from = &g->vertices.at[e->from], *at = &g->vertices.at[e->to];
    double x = from->x, y = g->row[from->row].y + from->height;
    text_addf(to, "<path class=\"edge\" d=\"M%.1f %.1f", x, y);
    for (int i = 0; i < e->points.count; i++) {
        const Vertex *p = &g->vertices.at[e->points.at[i]];
        curve_to(to, &x, &y, p->x, g->row[p->row].y);
        y = g->row[p->row].y + g->row[p->row].height;
        text_addf(to, "V%.1f", y);
    }
    curve_to(to, &x, &y, at->x, g->row[at->row].y - 1);
    text_add(to, "\"/>\n");
}

static void vertex_draw(const Graph *g, const Vertex *v, Text *to)
{
    double y = g->row[v->row].y;
    text_addf(to, "<a href=\"#%s\"><rect class=\"node%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"%d\"/>", v->id,
              v->tensor < 0 ? " in" : *v->text[2] ? " w" : "", v->x - v->width / 2, y, v->width, v->height, v->tensor < 0 ? 14 : 5);
    for (int i = 0; i < 3; i++)
        if (*v->text[i])
            text_addf(to, "<text class=\"t%d\" x=\"%.1f\" y=\"%.1f\">%s</text>", i, v->x, y + PAD + LINE * (i + 1) - 5, html_text(v->text[i]));
    text_add(to, "</a>\n");
}

void page_graph(Page *page)
{
    Graph g = { .page = page };
    vertices(&g);
    edges(&g);
    set_rows(&g);
    set_points(&g);
    set_places(&g);
    double width = 0, height = 0;
    for (int i = 0; i < g.vertices.count; i++) {
        const Vertex *v = &g.vertices.at[i];
        if (v->x + v->width / 2 > width) width = v->x + v->width / 2;
        if (g.row[v->row].y + v->height > height) height = g.row[v->row].y + v->height;
    }
    text_addf(page->to, "<div class=\"scroll graph\"><svg width=\"%.0f\" height=\"%.0f\" role=\"img\" aria-label=\"the layers as a graph\">\n"
                        "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">"
                        "<path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n", width + 4, height + 4);
    for (int i = 0; i < g.edges.count; i++) edge_draw(&g, &g.edges.at[i], page->to);
    for (int i = 0; i < g.vertices.count; i++) if (g.vertices.at[i].tensor != POINT) vertex_draw(&g, &g.vertices.at[i], page->to);
    text_add(page->to, "</svg></div>\n");
}
