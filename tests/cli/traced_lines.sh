#!/usr/bin/env bash
# scripts/traced-lines sums the sites of a traced program by line of its source.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

library=$(realpath "$(dirname "$hm")/preload/libheapmark-traced.so")
[[ -f $library ]] || exit 77

cat >held.c <<'C'
#include <stdlib.h>
static void *kept[400];
int main(int count, char **words) {
    (void)words;
    for (int i = 0; i < 100; i++) kept[i] = malloc(50);
    for (int i = 0; i < 100; i++) { kept[100 + i] = malloc(10); kept[200 + i] = malloc(30); }
    free(kept[3]);
    if (count > 1) for (int i = 0; i < 100; i++) free(kept[100 + i]);
    return 0;
}
C
cc -g -O0 -fno-builtin held.c -o held || fail "the program does not compile"
sites() {
    rm -f "$1".*
    run env LD_PRELOAD="$library" HEAPMARK_TRACED="$work/$1" ./held "${@:2}"
    expect_exit 0
    mv "$1".* "$1.csv"
}
sites all
sites less and-free

lines=$source_dir/scripts/traced-lines
run "$lines" -m held all.csv
expect_exit 0
expect_out '^line,blocks,bytes,peak_bytes,total_blocks,total_bytes$' \
    'held\.c:5,99,4950,5000,100,5000$' 'held\.c:6,200,4000,4000,200,4000$'
[[ $(sed -n 2p "$out") == *held.c:5,* ]] || fail "the largest line is not the first"
run "$lines" --top 1 -m held all.csv
[[ $(wc -l <"$out") -eq 2 ]] || fail "--top 1 gives $(wc -l <"$out") lines"

# The same lines, a hundred blocks of 10 bytes later.
run "$lines" -m held --since all.csv less.csv
expect_exit 0
expect_out 'held\.c:6,-100,-1000,4000,0,0$' 'held\.c:5,0,0,5000,0,0$'

# Without the program the offsets stay.
run "$lines" all.csv
expect_exit 0
expect_out '^held\+0x[0-9a-f]+,99,4950,'

echo "a,b" >other.csv
run "$lines" other.csv
expect_refusal "not the sites of the traced layer"
run "$lines" nothing.csv
expect_refusal "nothing.csv"
run "$lines" -m missing all.csv
expect_refusal "missing: no such file"
