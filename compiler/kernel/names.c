/* names.c: C names for tensors and indices. A tensor's name is the one of the language with what C does not allow
 * replaced (dense.w -> dense_w, dense.z' -> dense_z1); it is the same wherever it is asked for, differs from the names
 * of all other tensors, and is no word of C or C++, of the library of C that a file may include, or of the core. */
#include "kernel/group.h"
#include <ctype.h>
#include <string.h>

extern const struct LibraryFile core_files[];

/* ---- words that are taken ---- */
static const char *const keywords[] = {
    /* C */
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "float", "for",
    "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed", "sizeof", "static", "struct",
    "switch", "typedef", "union", "unsigned", "void", "volatile", "while", "asm", "typeof", "bool", "true", "false", "NULL",
    "alignas", "alignof", "constexpr", "nullptr", "static_assert", "thread_local", "typeof_unqual",
    "_Alignas", "_Alignof", "_Atomic", "_Bool", "_Complex", "_Generic", "_Imaginary", "_Noreturn", "_Static_assert",
    "_Thread_local", "__asm__", "__attribute__", "__typeof__", "__inline", "__const",
    /* C++, which reads the header */
    "and", "and_eq", "bitand", "bitor", "catch", "char8_t", "char16_t", "char32_t", "class", "co_await", "co_return",
    "co_yield", "compl", "concept", "consteval", "constinit", "const_cast", "decltype", "delete", "dynamic_cast", "explicit",
    "export", "friend", "mutable", "namespace", "new", "noexcept", "not", "not_eq", "operator", "or", "or_eq", "private",
    "protected", "public", "reinterpret_cast", "requires", "static_cast", "template", "this", "throw", "try", "typeid",
    "typename", "using", "virtual", "xor", "xor_eq",
};

static const char *const words[] = {
    /* macros, and what other headers declare */
    "main", "errno", "linux", "unix", "i386", "I", "complex", "imaginary", "stdin", "stdout", "stderr", "assert", "EOF", "FILE",
    "defined", "offsetof", "size_t", "ptrdiff_t", "wchar_t", "max_align_t", "intptr_t", "uintptr_t", "intmax_t", "uintmax_t",
    /* functions of <math.h>, <string.h>, <stdlib.h> with short names, which compilers know without a header */
    "y0", "y1", "yn", "j0", "j1", "jn", "gamma", "lgamma", "tgamma", "abs", "exp", "log", "sqrt", "sin", "cos", "tan", "tanh",
    "pow", "floor", "ceil", "round", "trunc", "erf", "exp2", "log2", "log10", "index", "rindex", "time", "clock", "div", "rand",
    "random", "signal", "remove", "rename", "read", "write", "open", "close", "link", "pipe", "exit", "abort", "free", "malloc",
    "calloc", "printf", "puts", "memcpy", "memset", "memmove", "strlen", "select", "wait", "sleep", "pause", "fork", "access",
    "scale", "logb", "fma", "hypot", "cbrt", "signbit", "isnan", "isinf",
    /* of the kernels and the public functions */
    "run", "n", "m", "model", "memory", "seed", "iteration", "sum", "rows", "width", "strip", "cols", "loss", "pass", "status",
    "bytes", "values", "min", "max", "place", "best", "all", "row", "col", "step", "tile", "real",
};

/* Identifiers of the core and the words above: a set of interned pointers, made on first use in a compilation. */
typedef struct NameSet { const char **at; int room, count; } NameSet;

static bool set_has(const NameSet *s, const char *name)
{
    for (size_t h = (uintptr_t)name >> 4; s->room; h++) {
        const char *here = s->at[h & (size_t)(s->room - 1)];
        if (!here) return false;
        if (here == name) return true;
    }
    return false;
}

static void set_add(NameSet *s, const char *name)
{
    if (set_has(s, name)) return;
    if (2 * (s->count + 1) > s->room) {
        NameSet larger = { NULL, s->room ? 2 * s->room : 256, 0 };
        larger.at = NEW_ARRAY(const char *, larger.room);
        for (int i = 0; i < s->room; i++)
            if (s->at[i]) set_add(&larger, s->at[i]);
        *s = larger;
    }
    size_t h = (uintptr_t)name >> 4;
    while (s->at[h & (size_t)(s->room - 1)]) h++;
    s->at[h & (size_t)(s->room - 1)] = name;
    s->count++;
}

static const NameSet *taken_names(void)
{
    static NameSet set;
    static unsigned generation = ~0u;
    if (generation == arena_generation() && set.room) return &set;
    set = (NameSet){0};
    generation = arena_generation();
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) set_add(&set, intern(keywords[i]));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) set_add(&set, intern(words[i]));
    for (const struct LibraryFile *f = core_files; f->name; f++)
        for (const char *at = f->text; *at;) {
            size_t length = 0;
            while (is_word_char(at[length])) length++;
            if (length && !isdigit((unsigned char)*at)) set_add(&set, intern_n(at, length));
            at += length ? length : 1;
        }
    return &set;
}

/* ---- tensors ---- */
/* The generated file's own names begin so. */
static bool is_prefixed(const char *name)
{
    return !strncmp(name, "dln_", 4) || !strncmp(name, "wide_", 5) || !strncmp(name, "DLN_", 4);
}

/* ' becomes 1, '' 2, ..; other characters _; no __ inside, no _ at the begin: those names are the compiler's. What begins
 * with a prefix of the file's own gets an x before it, or no number behind it would make it free. */
static const char *c_spelling(const char *name)
{
    Text t = {0};
    for (const char *at = name; *at; at++) {
        int primes = 0;
        while (at[primes] == '\'') primes++;
        if (primes) {
            text_addf(&t, "%d", primes);
            at += primes - 1;
        } else if (isalnum((unsigned char)*at))
            text_add_n(&t, at, 1);
        else if (t.length && t.at[t.length - 1] != '_' && at[1])
            text_add(&t, "_");
    }
    const char *s = text_string(&t);
    return !*s || isdigit((unsigned char)*s) ? format("x%s", s) : is_prefixed(s) ? format("x_%s", s) : s;
}

bool name_is_keyword(const char *name)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) if (!strcmp(keywords[i], name)) return true;
    return false;
}

bool name_is_taken(const char *name)
{
    if (!strncmp(name, "key", 3) && name[3] && !name[3 + strspn(name + 3, "0123456789")]) return true;   /* of a rand(): scope.c */
    if (!name[1]) return !strcmp(name, "n") || !strcmp(name, "m") || !strcmp(name, "I");
    return set_has(taken_names(), intern(name)) || is_prefixed(name);
}

static struct NameTable *table_of(const Plan *p) { return ((PlanOf *)p)->names; }

const char *c_name(const Plan *p, const Tensor *t)
{
    struct NameTable *table = table_of(p);
    while (table->of.count <= t->id) PUSH(table->of, NULL);
    if (table->of.at[t->id]) return table->of.at[t->id];
    const char *spelling = c_spelling(t->name), *name = intern(spelling);
    for (int k = 2;; k++) {
        bool used = name_is_taken(name);
        for (int i = 0; i < table->of.count && !used; i++) used = table->of.at[i] == name;
        if (!used) break;
        name = intern(k == 2 && name_is_taken(spelling) ? format("%s_", spelling) : format("%s_%d", spelling, k));
    }
    return table->of.at[t->id] = name;
}

/* The name of an index as a C variable, before it is made different from the others of its kernel. */
const char *index_spelling(const Index *i)
{
    const char *s = c_spelling(i->name ? i->name : "i");
    return name_is_taken(s) && strcmp(s, "n") && strcmp(s, "m") && strcmp(s, "step") ? format("%s_", s) : s;
}
