/* scan.h: from characters to the tokens that the grammar sees. flex (grammar/dln.l) cuts the text; scan.c reads the
 * values of numbers and strings, ends statements at newlines, keeps comments, watches brackets and reports what is
 * wrong with a single token. complain.c words the syntax errors. Private to compiler/syntax and grammar. */
#ifndef DLNC_SCAN_H
#define DLNC_SCAN_H
#include "base/text.h"
#include "syntax/build.h"
#include "dln.tab.h"

typedef struct Bracket {
    int kind;
    Place at;
    int before; const char *word;                        /* the token before it, and its text */
} Bracket;

typedef struct Token {
    int kind;                    /* of dln.tab.h; a character for itself; 0 at the end */
    Place at;
    size_t begin, end;           /* bytes of the text */
    bool newline;                /* a line break stands before it */
    bool semicolon;              /* ... or a ';', at semicolon_at */
    Place semicolon_at;
    bool made_up;                /* a '}' that the text lacks; reported already */
    Bracket closes;              /* ')' and ']': the bracket that was open */
    DLN_STYPE value;
} Token;

typedef struct Comment { Place at; size_t begin, end; } Comment;         /* with its #, without the line break */

struct Scan {
    const Source *source;
    void *flex;
    int line, column;            /* where flex stands */
    size_t offset;
    bool stopped;                /* nothing more is read: too deep, too many errors */

    Token last, before, before2; /* the token given last, the one before it, and the one before that */
    Token first;                 /* the first token of the statement */
    LIST(Token) held; int held_next;                     /* tokens to give before reading on */
    LIST(Bracket) open;          /* brackets not closed yet */
    Bracket dropped;             /* the ( or [ that the last token, a brace or a keyword, found open; kind 0: none */
    bool spoiled;                /* a character of the statement was left out: what follows from it is not reported */
    bool recover;                /* skip to the end of the broken statement */
    int recover_braces;          /* ... which stands in so many braces */
    int braces;                  /* of open */
    int errors;                  /* in tokens and syntax */

    LIST(Comment) comments;
    Text doc; int doc_line;      /* the ## lines read last, and the line after them */

    ItemList items;
    Definition *definition;      /* the last one */
};

void scan_begin(Scan *scan, const Source *source);
bool scan_check(Scan *scan);                             /* is it text at all? reports; false: do not parse */
void scan_next(Scan *scan, Token *token);                /* with SEP tokens, as the grammar sees them */
bool token_is_keyword(int kind);
bool token_needs_operand(int kind);                      /* a statement does not end after it */
bool token_cannot_begin(int kind);                       /* ... nor before it */
bool token_begins_item(int kind);                        /* and no statement of a block */
const char *item_word_near(const char *name);            /* the word that may be meant, or NULL */
const char *token_text(const Token *t);                  /* as it stands in the file, cut if long */
void scan_error(Scan *scan);                             /* counts; after too many nothing more is read */
void scan_recover(Scan *scan);                           /* after a syntax error at last: skip what is broken */

/* dln.l */
void flex_begin(Scan *scan);
int  flex_next(Token *token, void *flex);                /* a token, NEWLINE, SEMICOLON, COMMENT, BLANK or 0 */
enum { FLEX_BLANK = -1, FLEX_NEWLINE = -2, FLEX_SEMICOLON = -3, FLEX_COMMENT = -4 };

/* dln.y */
const char *token_name(int kind);

/* complain.c */
void syntax_error(Scan *scan, Place at, int got, const int *expected, int count);
void depth_error(Scan *scan, Place at);
#endif
