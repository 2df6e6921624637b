#compdef dlnc
# Completion of dlnc's options and files for zsh; the options and what they do are read from `dlnc --help`, the
# names of --explain from `dlnc --explain=`.
# SPDX-License-Identifier: MIT
local -a known names
names=(${(f)"$(dlnc --explain= 2>/dev/null | tr '\t:' ': ')"})
known=(${(f)"$(dlnc --help 2>/dev/null | tr '[]:' '   ' | sed -nE \
    -e 's/^  (--explain)=[A-Z]+ +(.*)/\1=-[\2]:name:_dlnc_names/p; t' \
    -e 's/^  (--[-a-z]+)=[A-Z]+ +(.*)/\1=-[\2]:value:_files/p' \
    -e 's/^  (-[A-Za-z]+) [A-Z]+ +(.*)/\1[\2]:file:_files/p' \
    -e 's/^  (-[-A-Za-z]+) +([a-z].*)/\1[\2]/p')"})
_dlnc_names() { _describe name names }
_arguments -s $known '(- *)'{-h,--help}'[print the options]' '(- *)--version[print the version]' \
    '*:model:_files -g "*.dln"'
