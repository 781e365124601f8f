#!/usr/bin/env bash
# `generational` answers as CPython 3.11 where a list is long and scattered, so that it prefetches and has a
# guide; and what it frees, it frees in the order that the careful way has, which is that of a heap with
# a finalizer.
# labels: cpython
#
# The first part is left out where python3 is not 3.11.
command -v python3 >/dev/null || { echo "left out: no python3"; exit 77; }
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

folder=$source_dir/tests/cpython

for seed in 1 2; do
    python3 -B "$folder/large_script.py" $seed 12000 >"plain$seed.script"
    python3 -B "$folder/large_script.py" $seed 12000 --finalizers >"finalizers$seed.script"
done

run python3 -B "$folder/differential.py" "$hm" ./*.script
[[ $status -eq 77 ]] || expect_exit 0

for seed in 1 2; do
    { echo "new careful 1"; echo "finalizer careful"; cat "plain$seed.script"; } >careful.script
    heapmark sim -c generational --script careful.script
    grep ^freed, "$out" >careful
    heapmark sim -c generational --script "plain$seed.script"
    grep ^freed, "$out" >plain
    [[ $(wc -l <plain) -gt 12000 ]] || fail "not all is freed"
    cmp -s careful plain || fail "seed $seed: the order of what is freed differs"
done
