# words.awk: the identifiers and string literals of C, flex and bison files, comments left out.
# Prints a line for each: FILE:LINE <tab> identifier|string|word <tab> TEXT; `word` is a word inside a longer string.
# SPDX-License-Identifier: MIT
function put(kind, text) { print FILENAME ":" FNR "\t" kind "\t" text }

function put_string(text,    parts, count, i) {
    if (text ~ /^[A-Za-z_][A-Za-z0-9_]*$/) { put("string", text); return }
    gsub(/\\[a-z"\\]/, " ", text)
    gsub(/%[-+ 0-9.*]*[a-zA-Z]/, " ", text)
    count = split(text, parts, /[^A-Za-z0-9_]+/)
    for (i = 1; i <= count; i++) if (parts[i] != "") put("word", parts[i])
}

FNR == 1 { comment = 0 }
{
    line = $0
    while (line != "") {
        if (comment) {
            at = index(line, "*/")
            if (!at) break
            line = substr(line, at + 2); comment = 0
        }
        else if (match(line, /^\/\*/)) { comment = 1; line = substr(line, 3) }
        else if (match(line, /^\/\//)) break
        else if (match(line, /^'([^'\\]|\\.)+'/)) line = substr(line, RLENGTH + 1)
        else if (match(line, /^"([^"\\]|\\.)*"/)) {
            put_string(substr(line, 2, RLENGTH - 2)); line = substr(line, RLENGTH + 1)
        }
        else if (match(line, /^#[ \t]*include.*/)) break
        else if (match(line, /^[A-Za-z_][A-Za-z0-9_]*/)) {
            put("identifier", substr(line, 1, RLENGTH)); line = substr(line, RLENGTH + 1)
        }
        else if (match(line, /^[0-9][A-Za-z0-9_.]*/)) line = substr(line, RLENGTH + 1)
        else line = substr(line, 2)
    }
}
