#!/usr/bin/env bash
# `heapmark trace top`, `flame` and `profile` on a recorded program whose every call is known, and on what
# is no trace.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# ---- Wrong usage ----

head -c 100 /dev/urandom >noise
: >empty
for verb in top flame profile; do
    heapmark trace $verb
    expect_refusal "trace $verb: which file"
    heapmark trace $verb one two
    expect_refusal "two"
    heapmark trace $verb --nothing noise
    expect_refusal "unknown option '--nothing'"
    heapmark trace $verb nowhere
    expect_refusal "nowhere"
    heapmark trace $verb .
    expect_refusal "trace $verb: "
    heapmark trace $verb noise
    expect_refusal "noise"
    heapmark trace $verb empty
    expect_refusal "empty"
    heapmark trace $verb --help
    expect_exit 0
    expect_out "^usage: heapmark trace $verb FILE"
    awk 'length > 80' "$out" | grep -q . && fail "$verb --help has lines of more than 80 columns"
done
heapmark trace top --by sites noise
expect_refusal "--by=sites: must be site, stack, function, module, size or thread"
heapmark trace top --sort=size noise
expect_refusal "--sort=size: must be bytes"
heapmark trace top --top -1 noise
expect_refusal "--top=-1: must be a whole number"
heapmark trace top noise --temporary 0
expect_refusal "--temporary=0"
heapmark trace top --tp 3 noise
expect_refusal "did you mean '--top'"
heapmark trace top noise --top
expect_refusal "'--top' needs a value"
heapmark trace flame --weight kilo noise
expect_refusal "--weight=kilo: must be bytes"
heapmark trace flame noise -o
expect_refusal "'-o' needs a value"
heapmark trace profile --clock wall noise
expect_refusal "--clock=wall: must be time or operations"

# ---- A program ----

# 400 times one block of 24 bytes that is freed at once; 30 of 1000 that live until the end; one that
# grows; and one that is left.
cat >program.c <<'END'
#include <stdlib.h>
static void *volatile kept[30];
static void *volatile left;
int main(void) {
    for (int i = 0; i < 30; i++)
        kept[i] = malloc(1000);
    for (int i = 0; i < 400; i++)
        free(malloc(24));
    void *grown = malloc(100);
    for (size_t size = 200; size <= 6400; size *= 2)
        grown = realloc(grown, size);
    free(grown);
    for (int i = 0; i < 30; i++)
        free(kept[i]);
    left = malloc(7);
    return 0;
}
END
expect "program.c compiles" cc -O1 -o program program.c -fno-builtin-malloc -fno-builtin-free
heapmark record --quiet --times -o timed.hmtrace -- ./program
expect_exit 0
heapmark record --quiet -o plain.hmtrace -- ./program
expect_exit 0

# Without stacks, sizes are what blocks are told apart by.
heapmark trace top plain.hmtrace --format csv
expect_exit 0
expect_one_line "plain.hmtrace" "--stacks" "by size instead"
cp "$out" sizes.csv
# row SIZE COLUMNS: the whole row but for the lifetimes.
row() {
    grep -q "^$1,$2," sizes.csv || fail "size $1 is '$(grep "^$1," sizes.csv)' and not '$2'"
}
# bytes, blocks, peak bytes and blocks, own peak, live bytes and blocks, temporary bytes and blocks
row 1000 30000,30,30000,30,30000,0,0,0,0
row 24 9600,400,0,0,24,0,0,9600,400
row 6400 6400,1,6400,1,6400,0,0,6400,1
row 100 100,1,0,0,100,0,0,100,1
row 7 7,1,0,0,7,7,1,0,0
expect "every line has as many fields" awk -F, 'NF != 12 { exit 1 }' sizes.csv

# The sums are those of `trace info`, as memcheck counts.
heapmark trace info plain.hmtrace --format json
cp "$out" info.json
heapmark trace top plain.hmtrace --by size --format json
expect "the sums agree" python3 - "$out" info.json <<'END'
import json, sys
top, info = (json.load(open(name)) for name in sys.argv[1:])
assert top["all"]["bytes"] == info["bytes"] and top["all"]["blocks"] == info["allocations"]
assert top["all"]["peak_bytes"] == info["peak_bytes"]
assert sum(row["bytes"] for row in top["rows"]) == info["bytes"]
assert sum(row["peak_bytes"] for row in top["rows"]) == info["peak_bytes"]
assert len(top["rows"]) == top["count"] and top["by"] == "size"
END

# The table: rows asked for, all others, all; 80 columns.
heapmark trace top timed.hmtrace --by size --sort blocks --top 2
expect_exit 0
expect_out "^ *[0-9.]+% .* 24 bytes$" "^ *[0-9.]+% .* 1000 bytes$" "[0-9]+ others$" "^100\.0%.* all$"
awk 'length > 80' "$out" | grep -q . && fail "the table has lines of more than 80 columns"
heapmark trace top timed.hmtrace --by thread --top 0
expect_out "thread 0$"

# What needs stacks says so.
heapmark trace top plain.hmtrace --by site
expect_refusal "plain.hmtrace" "--stacks"
heapmark trace flame plain.hmtrace
expect_refusal "plain.hmtrace" "--stacks"

# ---- The table of sizes ----

heapmark trace profile plain.hmtrace --clock time
expect_refusal "no times in it"
for trace in plain timed; do
    heapmark trace profile $trace.hmtrace -o $trace.csv
    expect_exit 0
    [[ ! -s $out ]] || fail "there is something on stdout"
    heapmark run -w profile:file=$trace.csv -a floor --dry-run
    expect_exit 0
done
heapmark trace profile timed.hmtrace --clock operations
expect "both clocks are operations" diff <(grep -v '^# ./' "$out") <(grep -v '^# ./' plain.csv)
"$hm" run -a floor -w profile:file=plain.csv -t 1 --rounds 1 --no-plots -o run >/dev/null 2>&1 ||
    fail "the workload does not run on the table"

# The program once more, as a list of what it does; what is live before each operation is looked at.
heapmark trace profile plain.hmtrace
expect "rates, live blocks and live bytes agree" python3 - "$out" <<'END'
import sys
calls = [(i, 1000) for i in range(30)]
for i in range(400):
    calls += [("short", 24), ("short", 0)]
calls += [("grown", 100 << i) for i in range(7)] + [("grown", 0)]
calls += [(i, 0) for i in range(30)] + [("left", 7)]
live, blocks, size_bytes, made = {}, 0, 0, 0
for name, size in calls:
    blocks += len(live)
    size_bytes += sum(live.values())
    made += size > 0
    live.pop(name, None)
    if size:
        live[name] = size
text = open(sys.argv[1]).read().splitlines()
rows = [[float(field) for field in line.split(",")] for line in text if line[0].isdigit()]
said = [line.split() for line in text if line.startswith("# live on average: ")][0]
def near(a, b, part=1e-9):
    assert abs(a - b) <= part * b, (a, b)
near(float(said[4]), blocks / len(calls), 1e-8)
near(float(said[6]), size_bytes / len(calls), 1e-8)
near(sum(row[2] for row in rows), blocks / len(calls))
near(sum(row[1] for row in rows), made * 1e6 / len(calls))
near(sum(row[0] * max(1, round(row[2])) for row in rows), size_bytes / len(calls), 0.01)
END

