#!/usr/bin/env bash
# `heapmark sim -c`: what a line frees and finalizes is told before its own row.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# play COLLECTOR < SCRIPT
play() {
    cat >script
    heapmark sim -c "$1" --script script
}

expect_rows() {
    diff <(printf '%s\n' op,id,value "$@") "$out" >/dev/null ||
        fail "not the rows that were expected: $*"
}

# A pair of objects that hold each other, and a leaf.
cat >cycle <<'END'
new a 2
new b 1
new leaf 0
ref a 0 b
ref b 0 a
ref a 1 leaf
drop leaf
drop a
drop b
collect
END
head=(new,a, new,b, new,leaf, ref,a, ref,b, ref,a, drop,leaf, drop,a, drop,b,)

play generational:auto=off <cycle
expect_exit 0
expect_rows "${head[@]}" freed,b, freed,leaf, freed,a, collect,,2
play refcount <cycle
expect_exit 0
expect_rows "${head[@]}" collect,,0
play none <cycle
expect_exit 0
expect_rows "${head[@]}" collect,,0

# Without a cycle the last reference is enough.
for collector in refcount generational:auto=off; do
    play $collector <<'END'
new a 1
new b 0
ref a 0 b
refcount b
drop b
refcount b
clear a 0
drop a
new b 0
END
    expect_exit 0
    expect_rows new,a, new,b, ref,a, refcount,b,2 drop,b, refcount,b,1 freed,b, clear,a, \
        freed,a, drop,a, new,b,
done

# Finalizers run once, and can bring the object back, collect, or drop another root.
for collector in refcount generational:auto=off; do
    play $collector <<'END'
new a 1
new b 1
new c 1
finalizer a resurrect
finalizer b collect
finalizer c drop b
drop a
drop a
drop c
END
    expect_exit 0
    expect_rows new,a, new,b, new,c, finalizer,a, finalizer,b, finalizer,c, finalized,a, drop,a, \
        freed,a, drop,a, finalized,c, finalized,b, freed,b, freed,c, drop,c,
done

# An automatic collection tells what it freed before the line that set it off.
play generational:threshold0=2 <<'END'
new a 1
ref a 0 a
drop a
new b 1
new c 1
stats
END
expect_exit 0
expect_rows new,a, ref,a, drop,a, new,b, freed,a, new,c, "$(tail -n 1 "$out")"
expect_out '^stats,,allocated_objects=3 .*freed_objects=1 .*collections0=1 .*collected=1 '

# Out of memory is an answer.
printf 'new a 100\nnew b 10\nnew a 1\n' >script
heapmark sim -c refcount -a first-fit:size=1K --script script
expect_exit 2
expect_one_line "script:3" "not freed"
printf 'new a 200\nnew a 1\n' >script
heapmark sim -c refcount -a first-fit:size=1K --script script
expect_exit 0
expect_rows new,a,oom new,a,

# Bad lines.
bad() {
    printf '%b' "$2" >script
    heapmark sim -c "$1" --script script
    expect_exit 2
    expect_one_line "${@:3}"
}
bad none 'new a 1\nrefcount a\n' "script:2" "refcount.* not offered by none"
bad refcount 'freeze\n' "freeze.* not offered by refcount"
bad refcount 'new a 1\nref a 1 a\n' "script:2" "slot" "below 1"
bad refcount 'new a 1\ndrop a\nref a 0 a\n' "script:3" "a is freed"
bad refcount 'drop a\n' "a is not known"
bad refcount 'collect 3\n' "generation" "below 3"
bad refcount 'new a 1\nfinalizer a dance\n' "resurrect, collect, or drop"
bad refcount 'new a 1\nfinalizer a drop\n' "resurrect, collect, or drop"
bad refcount 'new a 2000000000\n' "number of slots"

# Finalizers inside of finalizers take stack: there is a limit, and no crash.
awk 'BEGIN {
    for (i = 0; i < 100000; i++) print "new n" i " 0"
    for (i = 1; i < 100000; i++) print "finalizer n" i " drop n" i - 1
    print "drop n99999"
}' >script
heapmark sim -c refcount --script script
expect_exit 2
expect_one_line "1000 finalizers"
