/* page.h: --emit=html, one page that holds all it shows: no network, no other file. One file for each part:
 *     page.c          the frame, the facts, the table of layers     page_graph.c    the layers as a drawing
 *     page_memory.c   memory over the phases of a step              page_kernels.c  costs, equations and C
 *     page_source.c   the .dln texts, coloured; links to their lines
 *     page.css, page.js   embedded by the Makefile */
#ifndef DLNC_PAGE_H
#define DLNC_PAGE_H
#include "emit/emit.h"

extern const struct LibraryFile page_files[];    /* page/page.css, page/page.js; ends with a NULL name */

typedef struct Page {
    const Plan *plan;
    const Model *model;
    Text *to;
    LIST(const Source *) sources;                /* that something links to, the file itself first: they are shown last */
} Page;

void page_graph(Page *p);
void page_memory(Page *p);
void page_kernels(Page *p);
void page_sources(Page *p);

/* What a user wrote goes into the page by these only. */
void html_add_n(Text *to, const char *s, size_t length);
void html_add(Text *to, const char *s);
const char *html_text(const char *s);

const char *place_link(Page *p, Place at);       /* <a href="#s1-10">layers.dln:10</a>; "" without a place */
const ProgramPlan *page_program(const Page *p);  /* step, or predict where nothing is trained */
/* Counts the top-level call (an index of model.layers) in which the path lies; -1 for the model's own equations. */
int layer_of_path(const Model *m, const char *path);
const char *size_text(double bytes);             /* 1.50 MB */
const char *count_text(double n);                /* 214 M */
#endif
