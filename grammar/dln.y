/* dln.y: the grammar. LALR(1) without a conflict; the actions build the nodes of compiler/syntax/ast.h by the
 * functions of build.h. A newline that ends a statement comes as SEP (scan.c), so that the grammar never sees another.
 *
 *     bison -Wall -Wcounterexamples -Werror -o $(BUILD)/dln.tab.c -H$(BUILD)/dln.tab.h grammar/dln.y
 */
%require "3.8"
%define api.prefix {dln_}
%define api.pure full
%define api.location.type {Place}
%define parse.error custom
%define parse.lac full
%expect 0
%locations
%param { Scan *scan }
%code requires {
#include "syntax/build.h"
}
%code {
#include "syntax/scan.h"

/* The parser's stacks live in the arena. A grammar symbol of a legal file lies at most some 8 * MOST_DEPTH deep. */
#define YYMALLOC arena_alloc
#define YYFREE(at) ((void)(at))
#define YYMAXDEPTH 10000

#define YYLLOC_DEFAULT(all, rhs, n)                                                                     \
    do {                                                                                                \
        (all) = YYRHSLOC(rhs, (n) ? 1 : 0);                                                             \
        if (!(n)) (all).line = (all).end_line, (all).column = (all).end_column;                         \
        (all).end_line = YYRHSLOC(rhs, n).end_line, (all).end_column = YYRHSLOC(rhs, n).end_column;     \
    } while (0)

static int dln_lex(DLN_STYPE *value, Place *at, Scan *scan);
static void dln_error(const Place *at, Scan *scan, const char *message);
static Place span(Place from, Place to);
static Word reserved(const char *text, Place at) { return (Word){ intern(text), at }; }
}
%initial-action { @$ = (Place){ scan->source, 1, 1, 1, 1 }; }

%union {
    const char *text;
    Number number;
    Word word;
    Expr *expr;
    ExprList *exprs;
    Subscript subscript;
    SubscriptList *subscripts;
    Argument argument;
    ArgumentList *arguments;
    TypeName type;
    TypeList *types;
    Param param;
    ParamList *params;
    Binding binding;
    BindingList *bindings;
    Setting setting;
    SettingList *settings;
    KeyList *keys;
    Statement *statement;
    StatementList *statements;
    Choice choice;
    Block block;
    Foreign foreign;
    Kind kind;
    Definition *definition;
}

%token END 0 "the end of the file" SEP "the end of the line"
%token <text> NAME "a name" STRING "a string" CONSTANT "true, false or none" REDUCE "a reduction"
%token <number> NUMBER "a number"
%token ARROW "'->'" YIELDS "'=>'" ELLIPSIS "'...'" DOTS "'..'" FLOOR_DIV "'//'" EQ "'=='" NE "'!='" LE "'<='" GE "'>='"
%token IMPORT "import" CONST "const" DATA "data" MODEL "model" TRAIN "train" REWRITE "rewrite" EXAMPLE "example"
%token <text> DEF "def" LOSS "loss" METRIC "metric" OPTIMIZER "optimizer" SCHEDULE "schedule" INIT "init"
              EVERY "every"                      /* their text is the ## lines above */
%token INPUT "input" OUTPUT "output" LAYER "layer" PARAM "param" STATE "state" UPDATE "update" TOTAL "total"
       PENALTY "penalty" REQUIRE "require" DERIVATIVE "derivative" BY "by" REPEAT "repeat" AS "as" IF "if" ELSE "else"
       SCAN "scan" IN "in" AND "and" OR "or" NOT "not"
/* The scanner reports the bad ones and gives what was meant; a leading minus it leaves to the grammar to refuse. */
%token LEADING_MINUS "'-' at the beginning of a line" BAD_STRING BAD_QUOTE BAD_NUMBER BAD_CHARACTER

%type <word> key setting_key type_name
%type <expr> default flow stage call watched expr primary ref path
%type <exprs> expr_list
%type <subscript> index ranged pack
%type <subscripts> indices fused fused_tail
%type <argument> arg
%type <arguments> args arg_list
%type <type> one_type
%type <types> type
%type <param> param
%type <params> param_list params
%type <binding> binding
%type <bindings> bindings
%type <setting> setting
%type <settings> settings setting_list
%type <keys> setting_keys
%type <statement> statement
%type <statements> statements
%type <choice> choice
%type <block> block
%type <foreign> foreign
%type <kind> kind every
%type <definition> head

%right '?' ELSE             /* x[t-1] else c ? a : b;  c ? a : x[t-1] else b */
%left OR
%left AND
%precedence NOT
%nonassoc EQ NE '<' '>' LE GE
%left '+' '-'
%precedence REDUCE          /* a reduction covers the product after it */
%left '*' '/' FLOOR_DIV '%'
%precedence NEGATIVE
%right '^'
%%
/* A list begins right behind what opens it, so that an error in its first element is caught there. */
file:   %empty | items opt_sep ;
items:  item | items sep item ;
opt_sep: %empty | sep ;
sep:    SEP                                     { yyerrok; } ;

item:   IMPORT STRING                           { item_simple(scan, ITEM_IMPORT, @$, $2, NULL, NULL); }
    |   CONST bindings                          { item_const(scan, @$, $2); }
    |   DATA NAME settings                      { item_settings(scan, ITEM_DATA, span(@1, @2), $2, $3); }
    |   TRAIN settings                          { item_settings(scan, ITEM_TRAIN, @1, NULL, $2); }
    |   MODEL NAME block                        { item_model(scan, span(@1, @2), $2, $3); }
    |   head '=' flow                           { $1->is_short = true; $1->value = $3; item_definition(scan, $1); }
    |   head block                              { $1->body = $2; item_definition(scan, $1); }
    |   REWRITE expr YIELDS expr                { item_simple(scan, ITEM_REWRITE, @$, NULL, $2, $4); }
    |   EXAMPLE flow                            { item_simple(scan, ITEM_EXAMPLE, @$, NULL, $2, NULL); }
    |   error ;

/* what a definition is called and takes */
head:   kind NAME '(' params ')'                { $$ = definition_new($1, false, (Word){ $2, @2 }, $4, false); }
    |   kind NAME '(' param_list ',' ELLIPSIS ')'
                                                { $$ = definition_new($1, false, (Word){ $2, @2 }, $4, true); }
    |   every '(' params ')'                    { $$ = definition_new($1, true, (Word){ NULL, @1 }, $3, false); }
    |   every '(' param_list ',' ELLIPSIS ')'   { $$ = definition_new($1, true, (Word){ NULL, @1 }, $3, true); } ;
every:  EVERY kind                              { $$ = $2; $$.doc = $1; } ;
kind:   DEF                                     { $$ = (Kind){ KIND_DEF, $1, @1 }; }
    |   LOSS                                    { $$ = (Kind){ KIND_LOSS, $1, @1 }; }
    |   METRIC                                  { $$ = (Kind){ KIND_METRIC, $1, @1 }; }
    |   OPTIMIZER                               { $$ = (Kind){ KIND_OPTIMIZER, $1, @1 }; }
    |   SCHEDULE                                { $$ = (Kind){ KIND_SCHEDULE, $1, @1 }; }
    |   INIT                                    { $$ = (Kind){ KIND_INIT, $1, @1 }; } ;

params: %empty                                  { $$ = NULL; }
    |   param_list ;
param_list:
        param                                   { $$ = params_add(NULL, $1); }
    |   param_list ',' param                    { $$ = params_add($1, $3); } ;
param:  key default                             { $$ = param_new($1, NULL, NULL, $2); }
    |   key '[' indices ']' default             { $$ = param_new($1, $3, NULL, $5); }   /* a tensor with named axes */
    |   key ':' type default                    { $$ = param_new($1, NULL, $3, $4); } ;
default: %empty                                 { $$ = NULL; }
    |   '=' expr                                { $$ = $2; } ;
type:   one_type                                { $$ = types_add(NULL, $1); }
    |   type '|' one_type                       { $$ = types_add($1, $3); } ;
one_type:
        type_name                               { $$ = (TypeName){ @$, $1.text, { NULL, -1 } }; }
    |   type_name '[' indices ']'               { $$ = (TypeName){ @$, $1.text, subscripts_of($3) }; }
    |   type_name '[' ']'                       { $$ = (TypeName){ @$, $1.text, subscripts_of(NULL) }; } ;
type_name:
        NAME                                    { $$ = (Word){ $1, @1 }; }
    |   CONSTANT                                { $$ = (Word){ $1, @1 }; }
    |   LAYER                                   { $$ = reserved("layer", @1); }
    |   LOSS                                    { $$ = reserved("loss", @1); }
    |   INIT                                    { $$ = reserved("init", @1); }
    |   OPTIMIZER                               { $$ = reserved("optimizer", @1); }
    |   SCHEDULE                                { $$ = reserved("schedule", @1); } ;

/* data and train: keys and values */
settings:
        '{' '}'                                 { $$ = NULL; }
    |   '{' setting_list '}'                    { $$ = $2; } ;
setting_list:
        setting                                 { $$ = settings_add(NULL, $1); }
    |   setting_list sep setting                { $$ = settings_add($1, $3); } ;
setting:
        setting_keys '=' flow                   { $$ = setting_new(@1, $1, $3); }
    |   error                                   { $$ = (Setting){ .at = @1 }; } ;
setting_keys:
        setting_key                             { $$ = keys_add(NULL, $1); }
    |   setting_keys ',' setting_key            { $$ = keys_add($1, $3); } ;
setting_key:
        key
    |   DATA                                    { $$ = reserved("data", @1); }
    |   TRAIN                                   { $$ = reserved("train", @1); }
    |   MODEL                                   { $$ = reserved("model", @1); }
    |   LOSS                                    { $$ = reserved("loss", @1); }
    |   METRIC                                  { $$ = reserved("metric", @1); }
    |   OPTIMIZER                               { $$ = reserved("optimizer", @1); }
    |   SCHEDULE                                { $$ = reserved("schedule", @1); }
    |   INIT                                    { $$ = reserved("init", @1); }
    |   INPUT                                   { $$ = reserved("input", @1); }
    |   OUTPUT                                  { $$ = reserved("output", @1); }
    |   LAYER                                   { $$ = reserved("layer", @1); } ;

bindings:
        binding                                 { $$ = bindings_add(NULL, $1); }
    |   bindings ',' binding                    { $$ = bindings_add($1, $3); } ;
binding:
        key '=' expr                            { $$ = (Binding){ @1, $1.text, $3 }; } ;

block:  '{' '}'                                 { $$ = block_new(@$, NULL); }
    |   '{' statements '}'                      { $$ = block_new(@$, $2); } ;
statements:
        statement                               { $$ = statements_add(NULL, $1); }
    |   statements sep statement                { $$ = statements_add($1, $3); } ;
statement:
        INPUT NAME ':' type                     { $$ = statement_input(@$, $2, $4); }
    |   OUTPUT ref                              { $$ = statement_new(ST_OUTPUT, @$, NULL, $2, NULL); }
    |   OUTPUT ref '=' flow                     { $$ = statement_new(ST_OUTPUT, @$, NULL, $2, $4); }
    |   LAYER NAME '=' flow                     { $$ = statement_new(ST_LAYER, @$, $2, NULL, $4); }
    |   PARAM ref '=' flow foreign              { $$ = statement_stored(ST_PARAM, @$, $2, $4, $5); }
    |   STATE ref '=' flow foreign              { $$ = statement_stored(ST_STATE, @$, $2, $4, $5); }
    |   TOTAL ref '=' flow                      { $$ = statement_new(ST_TOTAL, @$, NULL, $2, $4); }
    |   UPDATE ref '=' flow                     { $$ = statement_new(ST_UPDATE, @$, NULL, $2, $4); }
    |   CONST bindings                          { $$ = statement_const(@$, $2); }
    |   PENALTY expr                            { $$ = statement_new(ST_PENALTY, @$, NULL, NULL, $2); }
    |   REQUIRE expr ',' STRING                 { $$ = statement_new(ST_REQUIRE, @$, NULL, NULL, $2); $$->text = $4; }
    |   DERIVATIVE NAME BY NAME '=' expr        { $$ = statement_new(ST_DERIVATIVE, @$, $2, NULL, $6); $$->other = $4; }
    |   REPEAT expr block                       { $$ = statement_block(ST_REPEAT, span(@1, @2), NULL, $2, $3); }
    |   REPEAT expr AS NAME block               { $$ = statement_block(ST_REPEAT, span(@1, @4), $4, $2, $5); }
    |   choice                                  { $$ = $1.statement; }
    |   SCAN NAME block                         { $$ = statement_block(ST_SCAN, span(@1, @2), $2, NULL, $3); }
    |   SCAN NAME IN expr block                 { $$ = statement_block(ST_SCAN, span(@1, @4), $2, $4, $5); }
    |   ref '=' flow                            { $$ = statement_new(ST_EQUATION, @$, NULL, $1, $3); }
    |   flow                                    { $$ = statement_new(ST_FLOW, @$, NULL, NULL, $1); }
    |   error                                   { $$ = NULL; } ;
/* what it is called, and how its axes lie, in a PyTorch file */
foreign:
        %empty                                  { $$ = (Foreign){ .name = NULL }; }
    |   AS STRING                               { $$ = (Foreign){ .name = $2 }; }
    |   AS STRING '[' indices ']'               { $$ = (Foreign){ $2, true, subscripts_of($4) }; } ;
choice: IF expr block                           { $$ = choice_new(scan, span(@1, @2), $2, $3, NULL, NULL); }
    |   IF expr block ELSE block                { $$ = choice_new(scan, span(@1, @2), $2, $3, &$5, NULL); }
    |   IF expr block ELSE choice               { $$ = choice_new(scan, span(@1, @2), $2, $3, NULL, &$5); } ;

/* x -> conv(8, 3) -> relu */
flow:   expr
    |   flow ARROW stage                        { $$ = expr_pipe(scan, @$, $1, $3); } ;
stage:  NAME                                    { $$ = expr_word(EXPR_NAME, @1, $1); }
    |   call ;
call:   NAME '(' args ')'                       { $$ = expr_call(scan, @$, $1, $3); }
    |   REDUCE '(' args ')'                     { $$ = expr_call(scan, @$, $1, $3); }
    |   EVERY '(' args ')'                      { $$ = expr_call(scan, @$, reserved("every", @1).text, $3); } ;
args:   %empty                                  { $$ = NULL; }
    |   arg_list ;
arg_list:
        arg                                     { $$ = arguments_add(NULL, $1); }
    |   arg_list ',' arg                        { $$ = arguments_add($1, $3); } ;
arg:    flow                                    { $$ = (Argument){ @1, NULL, $1 }; }
    |   key '=' flow                            { $$ = (Argument){ @$, $1.text, $3 }; }
    |   watched                                 { $$ = (Argument){ @1, NULL, $1 }; }
    |   key '=' watched                         { $$ = (Argument){ @$, $1.text, $3 }; }
    |   PENALTY '=' flow                        { $$ = (Argument){ @$, reserved("penalty", @1).text, $3 }; }
    |   ELLIPSIS                                { $$ = (Argument){ @1, NULL, NULL }; } ;
watched:                                            /* best(loss) */
        LOSS                                    { $$ = expr_word(EXPR_NAME, @1, reserved("loss", @1).text); } ;
key:    NAME                                    { $$ = (Word){ $1, @1 }; }
    |   REDUCE                                  { $$ = (Word){ $1, @1 }; } ;

expr:   primary
    |   '-' expr %prec NEGATIVE                 { $$ = expr_unary(scan, @$, AST_NEG, @1, $2); }
    |   NOT expr                                { $$ = expr_unary(scan, @$, AST_NOT, @1, $2); }
    |   REDUCE '[' indices ']' expr %prec REDUCE
                                                { $$ = expr_reduce(scan, @$, (Word){ $1, span(@1, @4) }, $3, $5); }
    |   expr '+' expr                           { $$ = expr_binary(scan, @$, AST_ADD, @2, $1, $3); }
    |   expr '-' expr                           { $$ = expr_binary(scan, @$, AST_SUB, @2, $1, $3); }
    |   expr '*' expr                           { $$ = expr_binary(scan, @$, AST_MUL, @2, $1, $3); }
    |   expr '/' expr                           { $$ = expr_binary(scan, @$, AST_DIV, @2, $1, $3); }
    |   expr FLOOR_DIV expr                     { $$ = expr_binary(scan, @$, AST_FLOOR_DIV, @2, $1, $3); }
    |   expr '%' expr                           { $$ = expr_binary(scan, @$, AST_MOD, @2, $1, $3); }
    |   expr '^' expr                           { $$ = expr_binary(scan, @$, AST_POW, @2, $1, $3); }
    |   expr EQ expr                            { $$ = expr_binary(scan, @$, AST_EQ, @2, $1, $3); }
    |   expr NE expr                            { $$ = expr_binary(scan, @$, AST_NE, @2, $1, $3); }
    |   expr '<' expr                           { $$ = expr_binary(scan, @$, AST_LT, @2, $1, $3); }
    |   expr '>' expr                           { $$ = expr_binary(scan, @$, AST_GT, @2, $1, $3); }
    |   expr LE expr                            { $$ = expr_binary(scan, @$, AST_LE, @2, $1, $3); }
    |   expr GE expr                            { $$ = expr_binary(scan, @$, AST_GE, @2, $1, $3); }
    |   expr AND expr                           { $$ = expr_binary(scan, @$, AST_AND, @2, $1, $3); }
    |   expr OR expr                            { $$ = expr_binary(scan, @$, AST_OR, @2, $1, $3); }
    |   expr ELSE expr                          { $$ = expr_else(scan, @$, @2, $1, $3); }  /* the value off the axis */
    |   expr '?' expr ':' expr %prec '?'        { $$ = expr_choice(scan, @$, $1, $3, $5); } ;
primary:
        NUMBER                                  { $$ = expr_number(@1, $1); }
    |   STRING                                  { $$ = expr_word(EXPR_STRING, @1, $1); }
    |   CONSTANT                                { $$ = expr_constant(@1, $1); }
    |   REDUCE                                  { $$ = expr_word(EXPR_NAME, @1, $1); }
    |   call
    |   ref
    |   '[' ']'                                 { $$ = expr_list(scan, @$, NULL); }
    |   '[' expr_list ']'                       { $$ = expr_list(scan, @$, $2); }
    |   '(' flow ')'                            { $$ = expr_paren(@$, $2); }
    |   '(' fused ')'                           { $$ = expr_fused(scan, @$, $2); } ;
expr_list:
        expr                                    { $$ = exprs_add(NULL, $1); }
    |   expr_list ',' expr                      { $$ = exprs_add($1, $3); } ;

/* w, stride.h, x[n.., i], wte.table[o, i] */
ref:    path
    |   path '[' indices ']'                    { $$ = expr_read(scan, @$, $1, $3); }
    |   path '[' ']'                            { $$ = expr_read(scan, @$, $1, NULL); } ;
path:   NAME                                    { $$ = expr_word(EXPR_NAME, @1, $1); }
    |   path '.' key                            { $$ = expr_field(scan, @$, $1, $3); } ;

/* between [ ]: subscripts and the indices of a reduction */
indices:
        index                                   { $$ = subscripts_add(NULL, $1); }
    |   indices ',' index                       { $$ = subscripts_add($1, $3); } ;
index:  expr                                    { $$ = (Subscript){ SUB_EXPR, @$, NULL, $1, NULL }; }
    |   ranged
    |   pack ;
ranged: NAME IN expr                            { $$ = (Subscript){ SUB_IN, @$, $1, $3, NULL }; }
    |   NAME IN expr DOTS expr                  { $$ = (Subscript){ SUB_RANGE, @$, $1, $3, $5 }; }
    |   NAME '@' expr                           { $$ = (Subscript){ SUB_AT, @$, $1, $3, NULL }; } ;
pack:   NAME DOTS                               { $$ = (Subscript){ SUB_PACK, @$, $1, NULL, NULL }; }
    |   NAME DOTS IN expr                       { $$ = (Subscript){ SUB_PACK_IN, @$, $1, $4, NULL }; }
    |   NAME DOTS '@' expr                      { $$ = (Subscript){ SUB_PACK_AT, @$, $1, $4, NULL }; } ;
fused:  pack                                    { $$ = subscripts_add(NULL, $1); }
    |   index ',' index                         { $$ = subscripts_add(subscripts_add(NULL, $1), $3); }
    |   fused_tail ;
fused_tail:
        index ',' index ',' index               { $$ = subscripts_add(subscripts_add(NULL, $1), $3);
                                                  subscripts_add($$, $5); }
    |   fused_tail ',' index                    { $$ = subscripts_add($1, $3); } ;
%%
static int dln_lex(DLN_STYPE *value, Place *at, Scan *scan)
{
    Token t;
    scan_next(scan, &t);
    *value = t.value;
    *at = t.at;
    return t.kind;
}

static Place span(Place from, Place to)
{
    from.end_line = to.end_line;
    from.end_column = to.end_column;
    return from;
}

/* Bison calls this only when its stack is full. */
static void dln_error(const Place *at, Scan *scan, const char *message)
{
    (void)message;
    depth_error(scan, *at);
}

const char *token_name(int kind) { return yysymbol_name(YYTRANSLATE(kind)); }

/* Bison's symbols are numbered otherwise than tokens; complain.c knows tokens only. */
static int yyreport_syntax_error(const yypcontext_t *context, Scan *scan)
{
    yysymbol_kind_t symbols[YYNTOKENS];
    int token_of[YYNTOKENS], expected[YYNTOKENS];
    for (int t = 0; t <= BAD_CHARACTER; t++) token_of[YYTRANSLATE(t)] = t;
    int n = yypcontext_expected_tokens(context, symbols, YYNTOKENS);
    for (int i = 0; i < n; i++) expected[i] = token_of[symbols[i]];
    syntax_error(scan, *yypcontext_location(context), token_of[yypcontext_token(context)], expected, n);
    return 0;
}
