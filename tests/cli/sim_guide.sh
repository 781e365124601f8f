#!/usr/bin/env bash
# What the guides show is what heapmark answers: their scripts are the files that they name, and their
# commands have the output that stands below them. What was measured is shown as `text`.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mkdir bin
ln -s "$hm" bin/heapmark
PATH=$work/bin:$PATH
consoles=0

# block TITLE FILE: a fenced block, whose fence said TITLE.
block() {
    local title=$1 file=$2 command
    case $title in
    console)
        consoles=$((consoles + 1))
        command=$(sed -n '1s/^\$ //p' "$file")
        sed 1d "$file" >expected
        run bash -c "cd '$source_dir' && { $command; } 2>&1"
        diff expected "$out" >difference || fail "$guide shows another output: $(cat difference)"
        ;;
    text\ *)
        command_line=$title
        diff "$file" "$source_dir/${title#text }" >difference ||
            fail "$guide shows another script: $(cat difference)"
        ;;
    esac
}

for guide in "$source_dir"/docs/guide/*.md; do
    rm -f block.*
    awk '
        /^```/ { inside = !inside; if (inside) { n++; print substr($0, 4) > ("block." n ".title") }; next }
        inside { print > ("block." n) }
    ' "$guide"
    for title in block.*.title; do
        [[ -e $title ]] && block "$(cat "$title")" "${title%.title}"
    done
done
[[ $consoles -gt 0 ]] || fail "no command in any guide"
