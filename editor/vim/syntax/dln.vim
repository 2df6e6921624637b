" Vim syntax for .dln files. Copy editor/vim into ~/.vim, or `make install`.
" SPDX-License-Identifier: MIT
if exists("b:current_syntax") | finish | endif

syn keyword dlnItem       import const data model train example rewrite every
syn keyword dlnKind       def loss metric optimizer schedule init nextgroup=dlnName skipwhite
syn keyword dlnStatement  input output layer param state update total penalty require derivative by as
syn keyword dlnFlow       if else repeat scan in
syn keyword dlnOperator   and or not
syn keyword dlnReduction  sum mean max min argmax argmin any all
syn keyword dlnFunction   exp log log1p expm1 sqrt tanh erf sin cos abs sign floor probit rand stop len prod int float
syn keyword dlnConstant   true false none inf training iteration epoch epoch_end pytorch
syn keyword dlnType       bool list int2 int4
syn match   dlnName       "\h\w*" contained
syn match   dlnStage      "->\s*\zs\h\w*"
syn match   dlnArrow      "->\|=>\|\.\.\.\?"
syn match   dlnNumber     "\<\d\+\(\.\d\+\)\?\([eE][-+]\?\d\+\)\?\>"
syn region  dlnString     start=+"+ skip=+\\"+ end=+"+ oneline contains=dlnFill
syn region  dlnFill       start=+{+ end=+}+ contained
syn match   dlnComment    "#.*$" contains=@Spell
syn match   dlnDoc        "##.*$" contains=@Spell

hi def link dlnItem       Keyword
hi def link dlnKind       Keyword
hi def link dlnStatement  Statement
hi def link dlnFlow       Conditional
hi def link dlnOperator   Operator
hi def link dlnReduction  Operator
hi def link dlnFunction   Function
hi def link dlnConstant   Constant
hi def link dlnType       Type
hi def link dlnName       Identifier
hi def link dlnStage      Function
hi def link dlnArrow      Operator
hi def link dlnNumber     Number
hi def link dlnString     String
hi def link dlnFill       Special
hi def link dlnComment    Comment
hi def link dlnDoc        SpecialComment

setlocal commentstring=#\ %s comments=b:##,b:#
let b:current_syntax = "dln"
