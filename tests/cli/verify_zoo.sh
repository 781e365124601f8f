#!/usr/bin/env bash
# Each animal of the zoo is caught by the properties that its head names, and the sound one by none.
# labels: plain
# timeout: 300
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

zoo=$(dirname "$hm")/tests/zoo
animals=("$source_dir"/tests/zoo/*.c)

# said_by FILE WORD: what its head says behind `WORD: `.
said_by() {
    sed -n "s|^ \* $2: \(.*[a-z0-9KM]\)\( \*/\)\?$|\1|p" "$1"
}

# caught ANIMAL FILE: by each of its properties.
caught() {
    local library=$zoo/zoo_$1.so property properties ops
    properties=$(said_by "$2" "caught by")
    ops=$(said_by "$2" ops)
    [[ -n $properties ]] || fail "$1 does not say what catches it"
    heapmark verify -a "$library" --property "${properties// /,}" --ops "${ops:-20K}" --timeout 1
    expect_exit 1
    for property in $properties; do
        grep -q "^failed: zoo_$1.so, $property: " "$out" || fail "$1 is not caught by $property"
    done
}

[[ ${#animals[@]} -gt 40 ]] || fail "there are only ${#animals[@]} animals"
for file in "${animals[@]}"; do
    animal=$(basename "$file" .c)
    [[ $animal == sound ]] || caught "$animal" "$file"
done

heapmark verify -a "$zoo/zoo_sound.so" --ops 50K
expect_exit 0

# An arena that is full is no fault; the same plug-in stays sound for ever, and is small.
heapmark verify -a "$zoo/zoo_small_refused.so:after=0" --ops 50K
expect_exit 0

# shrunk ANIMAL MOST: its failing script is shrunk to so few operations, which are printed.
shrunk() {
    local count
    heapmark verify -a "$zoo/zoo_$1.so" --property random --ops 20K
    count=$(sed -n 's/^  shrunk to \([0-9]*\) operations:$/\1/p' "$out")
    [[ -n $count && $count -le $2 ]] || fail "the script of $1 has '$count' operations"
    [[ $(grep -cE '^    (malloc|calloc|realloc|aligned|free|#)' "$out") == "$count" ]] ||
        fail "the script of $1 is not all there"
}

shrunk null_for_a_page 1
shrunk large_unmapped_early 6
shrunk aborts 20
shrunk twice 20

# What broke, and the script, are the same each time.
cp "$out" first
heapmark verify -a "$zoo/zoo_twice.so" --property random --ops 20K
expect "another script with the same seed" cmp "$out" first
