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

# Weak references: objects that can be dropped, referred to, and told of their target's death.
for collector in refcount generational; do
    play $collector <<'END'
new a 1
new b 0
weak w b
weak v b
deref w
ref a 0 v
drop v
drop b
deref w
drop w
drop a
END
    expect_exit 0
    expect_rows new,a, new,b, weak,w, weak,v, deref,w,b ref,a, drop,v, callback,v, callback,w, \
        freed,b, drop,b, deref,w, freed,w, drop,w, freed,a, freed,v, drop,a,
done

# A line's words live until it ends, whatever its finalizers drop: here the one that drops the line's own.
play refcount <<'END'
new a 1
new b 0
new c 0
ref a 0 b
drop b
finalizer b drop a
ref a 0 c
END
expect_exit 0
expect_rows new,a, new,b, new,c, ref,a, drop,b, finalizer,b, finalized,b, freed,b, freed,a, ref,a,

# Where nothing dies, nothing is told.
play none <<'END'
new a 1
weak w a
drop a
collect
deref w
END
expect_exit 0
expect_rows new,a, weak,w, drop,a, collect,,0 deref,w,a

# What a program may ask of its collector.
play generational:threshold0=0 <<'END'
new a 1
new b 0
count
freeze
count
ref a 0 a
drop a
collect
unfreeze
threshold 1 0 0
new c 1
new d 1
disable
new e 1
new f 1
enable
count
stats
END
expect_exit 0
expect_rows new,a, new,b, "count,,1 0 0" freeze,, "count,,0 0 0" ref,a, drop,a, collect,,0 \
    unfreeze,, threshold,, new,c, new,d, disable,, new,e, new,f, enable,, "count,,2 1 0" \
    "$(tail -n 1 "$out")"
expect_out '^stats,,.* collections0=1 collections1=0 collections2=1 .* collected0=0 .* uncollectable2=0$'

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
heapmark sim -c refcount -a first-fit:size=4K --script script
expect_exit 2
expect_one_line "script:3" "not freed"
printf 'new a 600\nnew a 1\n' >script
heapmark sim -c refcount -a first-fit:size=4K --script script
expect_exit 0
expect_rows new,a,oom new,a,
{
    seq -f 'new a%g 10' 50
    seq -f 'new l%g 0' 50
    printf 'weak w a1\ndrop a2\nweak w a1\n'
} >script
heapmark sim -c refcount -a first-fit:size=4K --script script
expect_exit 0
expect_out '^new,l50,oom$' '^weak,w,oom$' '^weak,w,$'

# Bad lines.
bad() {
    printf '%b' "$2" >script
    heapmark sim -c "$1" --script script
    expect_exit 2
    expect_one_line "${@:3}"
}
bad none 'new a 1\nrefcount a\n' "script:2" "refcount.* not offered by none"
bad refcount 'freeze\n' "freeze.* not offered by refcount"
for verb in unfreeze enable disable count 'threshold 1 1 1'; do
    bad none "new a 1\n$verb\n" "script:2" "${verb%% *}.* not offered by none"
done
bad generational 'threshold 1 1 2147483648\n' "threshold" "below 2147483648"
bad generational 'threshold 1 1\n' "threshold A B C"
bad generational 'new a 1\nderef a\n' "script:2" "a is no weak reference"
bad generational 'new a 1\nweak w a\nweak v w\n' "script:3" "w is a weak reference"
bad generational 'new a 1\nweak w a\nfinalizer w\n' "script:3" "w is a weak reference"
bad generational 'new a 1\nweak w a\nref w 1 a\n' "script:3" "slot" "below 1"
bad generational 'new a 1\nweak a a\n' "script:2" "a is not freed yet"
bad generational 'weak w a\n' "a is not known"
bad refcount 'new a 1\nref a 1 a\n' "script:2" "slot" "below 1"
bad refcount 'new a 1\ndrop a\nref a 0 a\n' "script:3" "a is freed"
bad refcount 'drop a\n' "a is not known"
bad refcount 'collect 3\n' "generation" "below 3"
bad refcount 'new a 1\nfinalizer a dance\n' "resurrect, collect, or drop"
bad refcount 'new a 1\nfinalizer a drop\n' "resurrect, collect, or drop"
bad refcount 'new a 2000000000\n' "number of slots"
bad refcount 'new a 134217728\n' "number of slots" "below 134217728"
bad refcount 'new a 1 2\n' "a word too many; it is: new ID SLOTS"
bad refcount 'new a\n' "a missing word; it is: new ID SLOTS"

# The longest object is asked for, and does not fit.
echo 'new a 134217727' >script
heapmark sim -c refcount -a first-fit:size=4K --script script
expect_exit 0
expect_rows new,a,oom

# What never happens is not offered: finalizers, and callbacks of weak references.
bad manual 'new a 1\nfinalizer a\n' "script:2" "finalizer.* not offered by manual"
if ! collector_is_missing boehm; then
    bad boehm 'new a 1\nfinalizer a\n' "script:2" "finalizer.* not offered by boehm"
    bad boehm 'new a 1\nweak w a\n' "script:2" "weak.* not offered by boehm"
    expect_rows new,a,
    play boehm <<<collect
    expect_exit 0
    expect_rows collect,,
fi
heapmark sim -c '' --script script
expect_refusal "a collector's name is empty"

# Finalizers inside of finalizers take stack: there is a limit, and no crash.
awk 'BEGIN {
    for (i = 0; i < 100000; i++) print "new n" i " 0"
    for (i = 1; i < 100000; i++) print "finalizer n" i " drop n" i - 1
    print "drop n99999"
}' >script
heapmark sim -c refcount --script script
expect_exit 2
expect_one_line "1000 finalizers"
