#!/usr/bin/env bash
# One script on `generational` and on CPython itself: the same rows, in the same order. Left out without
# libpython.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

heapmark list collectors --format json
if collector_is_missing cpython; then
    echo "left out: no libpython"
    trap - EXIT
    rm -rf "$work"
    exit 77
fi

cat >script <<'END'
new a 2
new b 2
ref a 0 b
ref b 0 a
weak w a
finalizer a
drop a
drop b
count
collect
deref w
new c 1
finalizer c resurrect
drop c
collect
deref w
drop c
new leaf 0
weak v leaf
finalizer leaf
refcount leaf
drop leaf
deref v
threshold 3 2 2
new d 1
ref d 0 d
drop d
new e 1
new f 1
new g 1
new h 1
count
freeze
count
unfreeze
refcount e
collect 0
count
disable
new i 1
new j 1
new k 1
new l 1
new m 1
count
enable
new n 1
count
collect 1
count
collect
new large 500
ref large 499 large
drop large
collect
END
heapmark sim -c generational --script script
[[ $status -eq 0 ]] || fail "generational does not play it"
cp "$out" ours
heapmark sim -c cpython --script script
[[ $status -eq 0 ]] || fail "cpython does not play it"
grep -q '^freed,d,$' ours || fail "no automatic collection"
diff ours "$out" >difference || { cat difference; fail "CPython plays it in another way"; }

# On its own allocator, which CPython asks, too: alone, below what watches it, and below layers.
for allocator in pymalloc traced+pymalloc locked+traced+pymalloc; do
    heapmark sim -c cpython -a $allocator --script script
    expect_exit 0
    diff ours "$out" >difference || { cat difference; fail "it is played in another way on $allocator"; }
done
heapmark run -a pymalloc,traced+pymalloc -c cpython -w trees:depth=8 -t 1 --rounds 1 --no-plots -o cells
expect_exit 0
