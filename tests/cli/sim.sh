#!/usr/bin/env bash
# `heapmark sim` answers each line of a script with a row, and refuses bad lines with their place.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

heap=first-fit:size=1024:align=1

# expect_rows ROW..: exactly these rows below the header.
expect_rows() {
    diff <(printf '%s\n' op,id,size,offset,status "$@") "$out" >/dev/null ||
        fail "not the rows that were expected: $*"
}

# The classic: enough bytes are free, but not in one run.
cat >classic.heap <<'END'
malloc a 256
malloc b 256
free a
malloc c 1024
malloc d 256
END
for index in scan bitmap tree; do
    heapmark sim -a $heap:index=$index --script classic.heap
    expect_exit 0
    expect_rows malloc,a,256,0,ok malloc,b,256,256,ok free,a,256,0,ok malloc,c,1024,NA,oom \
        malloc,d,256,0,ok
done

run bash -c "'$hm' sim -a $heap --script - <classic.heap"
expect_exit 0
expect_out '^malloc,c,1024,NA,oom$'

run bash -c "'$hm' sim -a $heap <classic.heap"
expect_exit 0
expect_out '^malloc,d,256,0,ok$'

heapmark sim -a system --script classic.heap
expect_exit 0
expect_rows malloc,a,256,NA,ok malloc,b,256,NA,ok free,a,256,NA,ok malloc,c,1024,NA,ok \
    malloc,d,256,NA,ok

# The map is 80 columns wide, and names every block.
heapmark sim -a $heap --script classic.heap --map
expect_exit 0
expect_out '\[d#+\]\[b#+\]\.+\|$' '^ +0 +256  d$' '^ +256 +256  b$' '^ +512 +512  \(free\)$'
expect "the map is wider than 80 columns" awk 'length > 80 { exit 1 }' "$out"
[[ ! -s $err ]] || fail "there is something on stderr"

heapmark sim -a $heap --script classic.heap --map=each
expect_exit 0
[[ $(grep -c '^offset' "$out") -eq 5 ]] || fail "not a map for each line"

heapmark sim -a $heap --script classic.heap --map --width 64
expect_exit 0
expect "the map is wider than 64 columns" awk 'length > 64 { exit 1 }' "$out"

# An allocator without a map says so, and has answered.
heapmark sim -a system --script classic.heap --map
expect_exit 0
expect_one_line "system" "no map"
[[ $(wc -l <"$out") -eq 6 ]] || fail "not a row for each line"

# A bad line: its file and number, and what was answered before it.
printf 'malloc a 8\n\nmalloc b -8\nmalloc c 8\n' >bad.heap
heapmark sim -a $heap --script bad.heap
expect_exit 2
expect_one_line "bad.heap:3" "-8" "whole number"
expect_rows malloc,a,8,0,ok

run bash -c "head -c 100M /dev/zero | tr '\\0' x | '$hm' sim -a $heap"
expect_exit 2
expect_one_line "standard input:1" "longer"

heapmark sim -a $heap --script /
expect_exit 2
expect_one_line "/" "directory"

# Wrong usage.
heapmark sim
expect_refusal "-a ALLOC"
heapmark sim -a $heap --script no-such-file
expect_refusal "no-such-file" "no such file"
heapmark sim -a first-fitt
expect_refusal "first-fitt" "first-fit"
heapmark sim -a $heap --map=sideways
expect_refusal "sideways" "each"
heapmark sim -a $heap --width 10
expect_refusal "width" "64 to 400"
heapmark sim -a $heap bad.heap
expect_refusal "bad.heap" "--script"
heapmark sim -a $heap --frobnicate
expect_refusal "frobnicate"
heapmark sim -a
expect_refusal "-a"
heapmark sim -c generational --map
expect_refusal "--map" "-c"

heapmark sim --help
expect_exit 0
expect "help is wider than 80 columns" awk 'length > 80 { exit 1 }' "$out"
