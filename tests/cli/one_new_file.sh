#!/usr/bin/env bash
# One new file is one new part: the examples of docs/add-a-part.md, dropped into a copy of the sources,
# are built, listed and run, and no other file is touched.
# labels: slow
# timeout: 600
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

tree=$work/tree
mkdir tree
tar -C "$source_dir" --exclude=./build --exclude=./.git --exclude='./results/[0-9]*' -cf - . |
    tar -C tree -xf -

# Most workloads stay behind: they would only be built.
find tree/workloads/heap tree/workloads/object -name '*.c' ! -name churn.c ! -name trees.c -delete

# The examples are the blocks whose fence has a path: "```c allocators/mine.c".
awk -v tree="$tree" '
    /^```[a-z]+ [a-z\/_.]+$/ { path = tree "/" $2; next }
    /^```/ { path = "" }
    path { print > path }
' "$source_dir/docs/add-a-part.md"
sed 's/none/mine/g' tree/collectors/none.c >tree/collectors/mine.c
sed 's/none/mine/g; s/NONE/MINE/g' tree/collectors/none.h >tree/collectors/mine.h

# An allocator whose library no machine has.
sed 's/libjemalloc2/libabsent7/; s/libjemalloc\.so\.2/libabsent.so.7/; s/jemalloc/absent/g' \
    tree/allocators/jemalloc.c >tree/allocators/absent.c

run "$tree/scripts/check-includes"
expect_exit 0

cd tree || exit 1
run cmake --preset debug -DBUILD_TESTING=OFF -DCMAKE_COMPILE_WARNING_AS_ERROR=ON
expect_exit 0
command_line="build of the tree with new parts"
timeout 500 cmake --build --preset debug >"$out" 2>"$err"
status=$?
expect_exit 0
cd "$work" || exit 1
hm=$tree/build/debug/heapmark

for kind in allocators collectors workloads figures; do
    heapmark list "$kind"
    expect_exit 0
    grep -qE "^ *mine( |$)" "$out" || fail "list $kind does not name mine"
done

heapmark mine
expect_exit 0
expect_out "^[0-9]+$"

heapmark run -a mine -w mine -t 1 --rounds 1 -o heap
expect_exit 0
expect_column heap/samples.csv status ok
expect "no figure" ls heap/plots/mine.svg

heapmark run -a system -c mine -w trees -t 1 --rounds 1 --no-plots -o object
expect_exit 0
expect_column object/samples.csv status ok
expect_column object/samples.csv collector mine

# A library that is not installed is refused with the package that has it.
heapmark run -a absent -w mine -t 1 --rounds 1 -o o
expect_refusal "absent" "libabsent7" "libabsent\.so\.7"
