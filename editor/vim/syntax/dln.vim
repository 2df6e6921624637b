" Vim syntax for .dln files: made by tools/highlight, do not edit. Copy editor/vim into ~/.vim, or `make install`.
" SPDX-License-Identifier: MIT
if exists("b:current_syntax") | finish | endif

" what is piped into; a name of the library where it is called or stands alone, not where it is read (add[i]) or assigned
syn match   dlnStage      "\%(->\s*\)\@3<=\h\w*"
syn match   dlnLayer      "\<\%(add\|attention\|avgpool\|batchnorm\|bidirectional\|both_positive\|concat\|conv\|conv1d\|conv_transpose\|counts\|dense\|depthwise_conv\|dropout\|elu\|embedding\|flatten\|gelu\|global_avgpool\|global_maxpool\|groupnorm\|gru\|hard_sigmoid\|hard_swish\|hflip\|impute\|l1\|l2\|layernorm\|leaky_relu\|linear\|log_of_cosh\|log_softmax\|lstm\|maxpool\|multiply\|noise\|norm\|normalize\|one_hot\|pad_crop\|pad_lead\|pad_out\|pad_valid\|permute\|pool_fits\|prelu\|randn\|range\|relu\|relu6\|rescale\|reshape\|rmsnorm\|rnn\|selu\|separable_conv\|sigmoid\|silu\|slice\|softmax\|softplus\|softsign\|upsample\|weigh\|zero_pad\)\>\ze\s*\%([(,)};#]\|->\|$\)"
syn match   dlnPart       "\<\%(accuracy\|adadelta\|adagrad\|adam\|adamax\|adamw\|auc\|binary_crossentropy\|categorical_crossentropy\|confusion\|constant\|cosine\|cosine_similarity\|exponential\|f1\|fan_uniform\|glorot_normal\|glorot_uniform\|he_normal\|he_uniform\|hinge\|huber\|identity\|kl_divergence\|lamb\|lecun_normal\|lecun_uniform\|lion\|log_cosh\|mae\|mse\|nadam\|normal\|one_cycle\|ones\|orthogonal\|perplexity\|plateau\|polynomial\|precision\|r2\|recall\|rmse\|rmsprop\|scaled_normal\|sgd\|sigmoid_crossentropy\|smooth_l1\|softmax_crossentropy\|steady\|step\|top_k\|truncated_normal\|uniform\|zeros\)\>\ze\s*\%([(,)};#*+]\|->\|$\)"
syn match   dlnSource     "\<\%(cifar10\|csv\|idx\|images\|npy\|npz\|split\|text\|window\)\>\ze\s*("
syn keyword dlnItem       const data every example import model rewrite train
syn keyword dlnKind       def init loss metric optimizer schedule nextgroup=dlnName skipwhite
syn keyword dlnStatement  as by derivative input layer output param penalty require state total update
syn keyword dlnFlow       else if in repeat scan
syn keyword dlnOperator   and not or
syn keyword dlnReduction  all any argmax argmin max mean min sum
syn keyword dlnFunction   abs cos erf every_variable exp expm1 float floor int len log log1p probit prod rand sign sin sqrt stop tanh
syn keyword dlnConstant   epoch epoch_end fan_in fan_out inf iteration pytorch train_loss trainable training val_loss false none true
syn keyword dlnType       bool int2 int4 list
syn match   dlnName       "\h\w*" contained
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
hi def link dlnLayer      Function
hi def link dlnPart       Function
hi def link dlnSource     Function
hi def link dlnArrow      Operator
hi def link dlnNumber     Number
hi def link dlnString     String
hi def link dlnFill       Special
hi def link dlnComment    Comment
hi def link dlnDoc        SpecialComment

setlocal commentstring=#\ %s comments=b:##,b:#
let b:current_syntax = "dln"
