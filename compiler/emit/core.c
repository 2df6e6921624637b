/* core.c: what a generated file needs of runtime/core, and no more. The headers of the core are cut into items: a
 * function, a macro, a type, a directive, each with the comment above it. An item is kept if the rest of the file names
 * it, or an item that is kept does. Directives and types always stay, but an #if round nothing goes, and so does the
 * heading of a section of which nothing is left. */
#include "emit/emit.h"
#include <ctype.h>
#include <string.h>

typedef enum { ITEM_OTHER, ITEM_FUNCTION, ITEM_MACRO, ITEM_IF, ITEM_ELSE, ITEM_ENDIF, ITEM_HEADING, ITEM_FILE } CoreItemKind;
typedef struct CoreItem {
    CoreItemKind kind;
    const char *name;            /* FUNCTION, MACRO */
    const char *text;            /* whole lines */
    bool kept;
} CoreItem;

typedef struct Core {
    LIST(CoreItem) items;
    LIST(const char *) lines;
} Core;

/* ---- reading ------------------------------------------------------------------------------------------------------ */
static bool begins(const char *line, const char *with) { return !strncmp(line, with, strlen(with)); }
/* `#ifdef DLN_REAL_DOUBLE .. #else .. #endif` is decided here: of its lines those of the one real that the file has. */
typedef struct Choice { int depth, inside; bool taken; } Choice;         /* inside: the depth of that #ifdef, 0: not in one */

static bool is_chosen(Choice *c, const char *line, bool wide_real)
{
    bool own = c->inside && c->depth == c->inside;
    if (begins(line, "#if")) {
        c->depth++;
        if (!c->inside && !strcmp(line, "#ifdef DLN_REAL_DOUBLE\n")) {
            *c = (Choice){ .depth = c->depth, .inside = c->depth, .taken = wide_real };
            return false;
        }
    } else if (begins(line, "#endif")) {
        c->depth--;
        if (own) {
            *c = (Choice){ .depth = c->depth, .taken = true };
            return false;
        }
    } else if (own && begins(line, "#else")) {
        c->taken = !c->taken;
        return false;
    }
    return !c->inside || c->taken;
}

/* The lines of one header without its guard and its includes of other headers, which stand above it. */
static void read_header(Core *core, const char *name, bool wide_real)
{
    const struct LibraryFile *f = core_files;
    while (f->name && strcmp(f->name, format("core/%s.h", name))) f++;
    if (!f->name) bug("there is no core/%s.h", name);
    bool guard = false;
    Choice choice = { .taken = true };
    for (const char *at = f->text, *end = f->text + f->length; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t n = stop ? (size_t)(stop - at) + 1 : (size_t)(end - at);
        const char *line = format("%.*s", (int)n, at);
        at += n;
        if (!guard && begins(line, "#ifndef DLN_")) { guard = true; continue; }
        if (begins(line, "#define DLN_") && strstr(line, "_H\n")) continue;
        if (begins(line, "#include") || (at >= end && begins(line, "#endif"))) continue;
        if (is_chosen(&choice, line, wide_real)) PUSH(core->lines, line);
    }
}

static const char *word_at(const char *at)
{
    size_t n = 0;
    while (is_word_char(at[n])) n++;
    return intern_n(at, n);
}

/* The word before the first ( or [: what a definition defines. */
static const char *defined_name(const char *line)
{
    size_t end = strcspn(line, "([=;");
    while (begins(line + end, "(") && strstr(line, "__attribute__((") && line + end < strstr(line, "__attribute__((") + 15) {
        const char *after = strstr(line, "))");
        if (!after) break;
        end = (size_t)(after + 2 - line) + strcspn(after + 2, "([=;");
    }
    while (end > 0 && !is_word_char(line[end - 1])) end--;
    size_t begin = end;
    while (begin > 0 && is_word_char(line[begin - 1])) begin--;
    return intern_n(line + begin, end - begin);
}

/* How far a line opens braces and parentheses; comments do not count. */
static int depth_of(const char *line)
{
    int depth = 0;
    for (; *line; line++) {
        if (line[0] == '/' && line[1] == '*') {
            const char *end = strstr(line, "*/");
            if (!end) break;
            line = end + 1;
        } else if (*line == '{' || *line == '(') depth++;
        else if (*line == '}' || *line == ')') depth--;
    }
    return depth;
}

static bool is_definition(const char *line)
{
    return begins(line, "INLINE ") || begins(line, "FUNCTION ") || begins(line, "NOINLINE ") || begins(line, "static ")
        || begins(line, "DLN_RNG_FUNCTION ");
}

/* The lines of a definition from line i on; the number of the line after it. */
static int read_definition(const Core *core, int i, Text *to)
{
    int depth = 0;
    for (bool opened = false; i < core->lines.count; i++) {
        const char *line = core->lines.at[i];
        text_add(to, line);
        if (line[0] == '#') continue;
        opened |= strchr(line, '{') || strchr(line, ';');
        depth += depth_of(line);
        if (opened && depth <= 0) return i + 1;
    }
    return i;
}

static int read_directive(const Core *core, int i, CoreItem *item, Text *to)
{
    const char *line = core->lines.at[i];
    const char *word = line + 1 + strspn(line + 1, " ");
    item->kind = begins(word, "if") ? ITEM_IF : begins(word, "el") ? ITEM_ELSE : begins(word, "endif") ? ITEM_ENDIF : ITEM_OTHER;
    if (begins(word, "define ")) {
        item->kind = ITEM_MACRO;
        item->name = word_at(word + 7);
    }
    bool more;
    do {
        line = core->lines.at[i++];
        text_add(to, line);
        size_t n = strlen(line);
        more = n > 1 && line[n - 2] == '\\';
    } while (more && i < core->lines.count);
    return i;
}

static int read_comment(const Core *core, int i, Text *to)
{
    while (i < core->lines.count) {
        const char *line = core->lines.at[i++];
        text_add(to, line);
        if (strstr(line, "*/")) break;
    }
    return i;
}

static void read_items(Core *core)
{
    for (int i = 0; i < core->lines.count;) {
        Text text = {0};
        CoreItem item = { .kind = ITEM_OTHER };
        const char *line = core->lines.at[i];
        if (begins(line, "/*") && (i == 0 || begins(line, "/* ----") || begins(line, "/* ===="))) {
            item.kind = begins(line, "/* ====") ? ITEM_FILE : ITEM_HEADING;
            i = read_comment(core, i, &text);
            if (item.kind == ITEM_FILE && i < core->lines.count && begins(core->lines.at[i], "/*")) i = read_comment(core, i, &text);
        } else {
            if (begins(line, "/*") && !is_definition(line)) i = read_comment(core, i, &text);
            line = i < core->lines.count ? core->lines.at[i] : "\n";
            if (line[0] == '#') i = read_directive(core, i, &item, &text);
            else if (is_definition(line)) {
                item.kind = ITEM_FUNCTION;
                item.name = defined_name(line);
                i = read_definition(core, i, &text);
            } else if (line[0] != '\n') i = read_definition(core, i, &text);
            else { text_add(&text, line); i++; }
        }
        item.text = text_string(&text);
        PUSH(core->items, item);
    }
}

/* ---- what is needed ------------------------------------------------------------------------------------------------ */
static bool is_prunable(const CoreItem *item) { return item->kind == ITEM_FUNCTION || item->kind == ITEM_MACRO; }

static void need_text(Core *core, const char *text);

static void need(Core *core, const char *name)   /* interned, as the items' are */
{
    for (int i = 0; i < core->items.count; i++) {
        CoreItem *item = &core->items.at[i];
        if (item->kept || item->name != name) continue;
        item->kept = true;
        need_text(core, item->text);
    }
}

static void need_text(Core *core, const char *text)
{
    for (const char *at = text; *at;) {
        if (at[0] == '/' && at[1] == '*') {
            const char *end = strstr(at + 2, "*/");
            if (!end) return;
            at = end + 2;
        } else if (is_word_char(*at) && !isdigit((unsigned char)*at)) {
            const char *word = word_at(at);
            at += strlen(word);
            need(core, word);
        } else if (isdigit((unsigned char)*at)) {
            while (is_word_char(*at) || *at == '.') at++;
        } else at++;
    }
}

/* ---- what is left --------------------------------------------------------------------------------------------------- */
static bool is_blank(const CoreItem *item) { return item->text[0] == '\n'; }

/* Drops every #if .. #endif that holds nothing but directives. */
static void drop_empty_conditions(Core *core)
{
    for (bool again = true; again;) {
        again = false;
        int open = -1;
        for (int i = 0; i < core->items.count; i++) {
            CoreItem *item = &core->items.at[i];
            if (!item->kept) continue;
            if (item->kind == ITEM_IF) open = i;
            else if (item->kind == ITEM_ENDIF && open >= 0) {
                for (int k = open; k <= i; k++) core->items.at[k].kept = false;
                again = true;
                open = -1;
            } else if (item->kind != ITEM_ELSE && item->kind != ITEM_HEADING && !is_blank(item)) open = -1;
        }
    }
}

static void drop_empty_sections(Core *core)
{
    CoreItem *heading = NULL;
    bool holds = true;
    for (int i = 0; i <= core->items.count; i++) {
        CoreItem *item = i < core->items.count ? &core->items.at[i] : NULL;
        if (!item || item->kind == ITEM_HEADING || item->kind == ITEM_FILE) {
            if (heading && !holds) heading->kept = false;
            heading = item && item->kind == ITEM_HEADING ? item : NULL;
            holds = false;
        } else if (item->kept && !is_blank(item) && item->kind != ITEM_ENDIF && item->kind != ITEM_ELSE) holds = true;
    }
}

static void write_items(const Core *core, Text *to)
{
    bool blank = true;
    for (int i = 0; i < core->items.count; i++) {
        const CoreItem *item = &core->items.at[i];
        if (!item->kept || (is_blank(item) && blank)) continue;
        text_add(to, item->text);
        blank = is_blank(item);
    }
}

void core_text(const Emission *e, const CoreUse *use, bool wide, const char *body, Text *to)
{
    static const struct { const char *name; } headers[] = { { "vec" }, { "wide" }, { "dln_math" }, { "rng" }, { "random" }, { "tile" }, { "scatter" } };
    const bool used[] = { true, use->math || wide, use->math, use->random, use->random, use->contract, use->scatter };
    if (e->plan->options->wide_real) text_add(to, "#define DLN_REAL_DOUBLE 1\n");
    Core core = {0};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        if (!used[i]) continue;
        PUSH(core.lines, "\n");
        PUSH(core.lines, format("/* ==== core: %s ==== */\n", headers[i].name));
        read_header(&core, headers[i].name, e->plan->options->wide_real);
    }
    read_items(&core);
    for (int i = 0; i < core.items.count; i++) core.items.at[i].kept = !is_prunable(&core.items.at[i]);
    for (int i = 0; i < core.items.count; i++)
        if (core.items.at[i].kept) need_text(&core, core.items.at[i].text);
    need_text(&core, body);
    drop_empty_conditions(&core);
    drop_empty_sections(&core);
    write_items(&core, to);
}
