#!/usr/bin/env bash
# `heapmark list` names every part that lies in the source tree, and nothing twice.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# names FILE..: what the descriptors of these files are called.
names() {
    sed -n 's/^    \.name = "\([a-z0-9-]*\)",$/\1/p' "$@" | sort -u
}

# lists KIND FILE..
lists() {
    local kind=$1 name
    shift
    heapmark list "$kind"
    expect_exit 0
    for name in $(names "$@"); do
        grep -qE "^ *$name( |$)" "$out" || fail "list $kind has no $name"
    done
    [[ -n $(names "$@") ]] || fail "no names in the sources of $kind"
}

lists allocators "$source_dir"/allocators/*.c
lists collectors "$source_dir"/collectors/*.c
lists workloads "$source_dir"/workloads/*/*.c

for kind in allocators collectors workloads figures metrics; do
    heapmark list "$kind" --format json
    expect_exit 0
    expect "list $kind --format json is not JSON" python3 -m json.tool "$out"
done

heapmark list
expect_exit 0
expect_out "floor" "churn" "generational"
