#!/usr/bin/env bash
# profile: a bad table is refused with its line before anything runs; the example is a good one.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

head=size_bytes,allocations_per_second,live_blocks

refused() {
    heapmark run -a system -w "profile$1" -o o
    shift
    expect_refusal "$@"
    expect "a run of nothing" test ! -e o
}

refused "" "profile: file= is missing" "docs/profile.md"
refused ":file=nowhere.csv" "profile: nowhere.csv: No such file"
printf '%s\n16,100,5\n0,1,1\n' $head >bad.csv
refused ":file=bad.csv" "bad.csv, line 3: the size"
printf '%s\n16,100,\033[31m\n' $head >ugly.csv
refused ":file=ugly.csv" "ugly.csv, line 2: the live blocks"

cp "$source_dir/docs/examples/profile.csv" good.csv
heapmark run -a system -w profile:file=good.csv --rounds 1 --no-plots --metrics space -o run
expect_exit 0
expect "live bytes are not those of the table" python3 - <<'END'
import csv
rows = [r for r in csv.reader(open("good.csv")) if r and r[0].isdigit()]
live = sum(int(s) * max(1, round(float(n))) for s, _, n in rows)
told = [float(r["value"]) for r in csv.DictReader(open("run/samples.csv")) if r["metric"] == "live_bytes"]
assert told and all(v == live for v in told), (live, told)
END
