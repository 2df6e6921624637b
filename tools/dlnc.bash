# Completion of dlnc's options and files for bash: the options that `dlnc --help` lists, the names that
# `dlnc --explain=` lists.
# SPDX-License-Identifier: MIT
_dlnc() {
    local word=${COMP_WORDS[COMP_CWORD]} options at=$((COMP_CWORD - 1))
    # --explain NAME, --explain=NAME; = is a word of its own for bash
    [ "$word" = "=" ] && { at=$COMP_CWORD; word=; }
    [[ ${COMP_WORDS[at]} == "=" ]] && at=$((at - 1))
    if [ "${COMP_WORDS[at]}" = --explain ]; then
        mapfile -t COMPREPLY < <(compgen -W "$(dlnc --explain= 2>/dev/null | cut -f 1)" -- "$word")
        return
    fi
    case $word in
    -*) options=$(dlnc --help 2>/dev/null | grep -E '^  -' | cut -c 1-30 | grep -oE -- '--?[A-Za-z][-A-Za-z]*=?')
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
        [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace ;;
    *)  mapfile -t COMPREPLY < <(compgen -f -X '!*.dln' -- "$word"; compgen -d -- "$word"
                                 [ "$COMP_CWORD" = 1 ] && compgen -W run -- "$word") ;;
    esac
}
complete -o filenames -F _dlnc dlnc
