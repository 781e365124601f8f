#!/usr/bin/env bash
# verify -c: each animal of the zoo of collectors is caught by the properties that its head names, the
# sound one and our own collectors by none; and what it is asked, and answers.
# labels: plain
# timeout: 300
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

zoo=$(dirname "$hm")/tests/zoo_gc
animals=("$source_dir"/tests/zoo_gc/*.c)

# caught ANIMAL FILE: by each of its properties.
caught() {
    local library=$zoo/zoo_$1.so property properties
    properties=$(sed -n 's|^ \* caught by: \(.*\) \*/$|\1|p' "$2")
    [[ -n $properties ]] || fail "$1 does not say what catches it"
    heapmark verify -c "$library" --property "${properties// /,}" --ops 40K --timeout 2
    expect_exit 1
    for property in $properties; do
        grep -q "^failed: zoo_$1.so, $property: " "$out" || fail "$1 is not caught by $property"
    done
}

[[ ${#animals[@]} -gt 38 ]] || fail "there are only ${#animals[@]} animals"
for file in "${animals[@]}"; do
    animal=$(basename "$file" .c)
    [[ $animal == sound ]] || caught "$animal" "$file"
done

heapmark verify -c "$zoo/zoo_sound.so" --ops 100K
expect_exit 0
expect_out "^random +passed" "^old-to-young +passed" "^control-freeze +unsupported"

# shrunk ANIMAL MOST: its failing script is shrunk to so few operations, which are printed, and which
# `heapmark sim` can play.
shrunk() {
    local count
    heapmark verify -c "$zoo/zoo_$1.so" --property random --ops 40K
    count=$(sed -n 's/^  shrunk to \([0-9]*\) operations:$/\1/p' "$out")
    [[ -n $count && $count -le $2 ]] || fail "the script of $1 has '$count' operations"
    sed -n 's/^    \([a-z]*\( [0-9a-z]*\)*\)$/\1/p' "$out" | tail -n "$count" >script
    [[ $(wc -l <script) == "$count" ]] || fail "the script of $1 is not all there"
    heapmark sim -c "$zoo/zoo_sound.so" --script script
    expect_exit 0
}

shrunk slot_lost 6
shrunk premature 5
shrunk self_leaks 4
shrunk callback_twice 5

# Our own collectors, as far as their libraries are here.
heapmark verify -c all --ops 100K
expect_exit 0
expect_out "^property .* generational" "none: .* 0 failed" "refcount: .* 0 failed" "trial: .* 0 failed"
sed -n 's/^missing: /not tried: /p' "$out"
[[ $(awk 'length > 80 && !/^missing/' "$out") == "" ]] || fail "a line of more than 80 columns"

# What CPython is known for deviates, and scripts behind it are played; a plug-in is excused from nothing.
if ! grep -q "^missing: .*cpython" "$out"; then
    heapmark verify -c cpython --property weak-dying,weak-callbacks
    expect_exit 0
    expect_out "^weak-callbacks +passed" "^weak-dying +deviates" "1 passed, 1 deviate, 0 failed" \
        "^deviates: cpython, weak-dying: an object dies together" "version 3\.11\."
fi

# Several mutators, where they can share it.
heapmark verify -c generational,freethreaded,boehm --property mutators --ops 40K --seed 5
expect_exit 0
expect_out "^mutators-gil" "freethreaded: 2 passed" "generational: 1 passed, .* 1 unsupported"

# With collections at every turn.
heapmark verify -c generational:threshold0=5:threshold1=2:threshold2=1 --ops 50K
expect_exit 0

heapmark verify -c refcount --property counts,cycles --format json
expect_exit 0
expect_out '"collector": "refcount"' '"property": "cycles"' '"verdict": "unsupported"' '"seed": 1'
expect "not JSON" python3 -m json.tool "$out"

# The same seed, the same words.
heapmark verify -c "$zoo/zoo_slot_lost.so" --property random,reachable --ops 40K
cp "$out" first
heapmark verify -c "$zoo/zoo_slot_lost.so" --property random,reachable --ops 40K
expect "another answer to the same question" cmp "$out" first

refused() {
    heapmark verify "${@:2}"
    expect_refusal "$1"
}

refused "did you mean 'refcount'" -c refcoun
refused "did you mean 'auto'" -c generational:aut=off
refused "no such file" -c ./missing.so
refused "a name is missing" -c none,
refused "a name is missing" -c ""
refused "did you mean 'cycles'" -c none --property cycle
refused "unknown property 'calloc' of collectors" -c none --property calloc
refused "whole number" -c none --ops many
refused "whole number" -c none --ops 0
refused "table or json" -c none --format xml
refused "timeout" -c none --timeout never
refused "two commands" -c none -a pool
refused "unknown option" -c none --propety cycles
refused "needs a value" -c none --seed
refused "needs a value" -c
refused "one too many" -c none pool

# Plug-ins that are none.
library plain <<'C'
int nothing(void) { return 0; }
C
refused "exports no hm_collector_plugin" -c ./plain.so
echo "not a library" >text.so
refused "text\.so" -c ./text.so
# plugin NAME DESCRIPTOR
plugin() {
    printf '#include "collectors/mutator.h"\n%s\n' "$2" |
        cc -shared -fPIC -I"$source_dir" -o "$1.so" -xc - || fail "$1 does not compile"
}
plugin stale 'const struct hm_collector_plugin hm_collector_plugin = {.abi = HM_COLLECTOR_ABI + 1};'
refused "ABI" -c ./stale.so
plugin empty 'const struct hm_collector_plugin hm_collector_plugin = {.abi = HM_COLLECTOR_ABI};'
refused "lacks a function" -c ./empty.so
library leaver <<'C'
#include <unistd.h>
__attribute__((constructor)) static void leave(void) { _exit(3); }
C
refused "exit status 3" -c ./leaver.so

# A plug-in can be played on, and not measured.
printf 'new a 2\nref a 0 a\ndrop a\ncollect\n' >ring
heapmark sim -c "$zoo/zoo_sound.so" --script ring
expect_exit 0
expect_out "^freed,a," "^collect,,1"
heapmark sim -c ./plain.so --script ring
expect_refusal "exports no hm_collector_plugin"
heapmark run -c "$zoo/zoo_sound.so" -w gcbench -o o
expect_refusal "can be played on .* not measured"
