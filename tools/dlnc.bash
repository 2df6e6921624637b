# Completion of dlnc's options and files for bash; the options are those that `dlnc --help` lists.
# SPDX-License-Identifier: MIT
_dlnc() {
    local word=${COMP_WORDS[COMP_CWORD]} options
    case $word in
    -*) options=$(dlnc --help 2>/dev/null | grep -oE '^ +-[-A-Za-z]+=?' | tr -d ' ')
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
        [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace ;;
    *)  mapfile -t COMPREPLY < <(compgen -f -X '!*.dln' -- "$word"; compgen -d -- "$word"
                                 [ "$COMP_CWORD" = 1 ] && compgen -W run -- "$word") ;;
    esac
}
complete -o filenames -F _dlnc dlnc
