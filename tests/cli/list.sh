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

# A capability is a word of its part, and no other part's.
heapmark list allocators --format json
for part in first-fit pool; do
    python3 - "$out" "$part" <<'END' >>"$work/shared"
import json, sys
parts = json.load(open(sys.argv[1]))["allocators"]
print(*("shared-backing" in p["capabilities"] for p in parts if p["name"] == sys.argv[2]))
END
done
[[ $(tr '\n' ' ' <"$work/shared") == "True False " ]] || fail "shared-backing is first-fit's"
heapmark list allocators
expect_out "capabilities: threads bounded shared-backing"

for kind in allocators collectors workloads figures metrics; do
    heapmark list "$kind" --format json
    expect_exit 0
    expect "list $kind --format json is not JSON" python3 -m json.tool "$out"
done

heapmark list
expect_exit 0
expect_out "floor" "churn" "generational"
