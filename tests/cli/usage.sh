#!/usr/bin/env bash
# Wrong usage is refused with one line that says what to do; help fits a terminal.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

heapmark
expect_exit 2

heapmark frobnicate
expect_refusal "frobnicate"

heapmark lisst
expect_refusal "lisst" "list"

heapmark pot
expect_refusal "pot" "plot"

heapmark run --frobnicate
expect_refusal "frobnicate"

heapmark list --frobnicate
expect_refusal "frobnicate"

heapmark plot --frobnicate
expect_refusal "frobnicate"

heapmark list alocators
expect_refusal "alocators" "allocators"

heapmark plot
expect_refusal "which run" "folder"

heapmark plot no-such-folder
expect_refusal "no-such-folder" "no such file"

heapmark run -a
expect_refusal "-a"

heapmark --version
expect_exit 0
expect_out '^heapmark [0-9]+\.[0-9]+'

# The names that heapmark itself, or `heapmark trace`, lists.
names() {
    "$hm" ${1:+"$1"} --help | awk -v before="${1:+$1 }" '/^  [a-z]/ { print before $1 }'
}

mapfile -t subcommands < <(names && names trace)
[[ " ${subcommands[*]} " == *" run "*" trace flame "* ]] || fail "no names in the help"
for subcommand in "" "${subcommands[@]}"; do
    # shellcheck disable=SC2086
    heapmark $subcommand --help
    expect_exit 0
    expect_out "usage" "${subcommand:-run}"
    awk 'length > 80 { wide = 1 } END { exit wide }' "$out" || fail "help is wider than 80 columns"
    [[ ! -s $err ]] || fail "help is on stderr"
done
