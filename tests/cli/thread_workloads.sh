#!/usr/bin/env bash
# Workloads without a heap: one cell and its A/A arm whatever allocators are named, with figures of their own.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

heapmark run -a system,pool,floor -c refcount,none -w counter,litmus:test=mp:order=acqrel,churn -t 2 --dry-run
expect_exit 0
[[ $(grep -c "^counter/" "$out") -eq 2 ]] || fail "not two cells of counter"
expect_out "^counter/-/-/t2/core$" "^counter/-#2/-/t2/core$" "^churn/pool/-/t2/core$"

heapmark run -a system,pool -w counter,litmus:order=seqcst -t 3 --rounds 1 -o o
expect_exit 0
expect_column o/samples.csv status ok
[[ $(column o/samples.csv allocator | sort -u | tr '\n' ' ') == "- -#2 " ]] || fail "an allocator is named"
expect_out "counter, 3 threads" "^  \(no heap\)" "A/A: \(no heap\)"
expect "no figure" test -s o/plots/throughput.svg
expect_in o/plots/context.gp "row_name\[1\] = 'no heap'" "row_name\[2\] = 'again \(A/A\)'"
expect_in o/run.json '"label": "-"'

# The end value is as many updates as were done; no run of it has lost one.
paste -d' ' <(column o/samples.csv metric) <(column o/samples.csv value) <(column o/samples.csv ops) |
    awk '$1 == "end_value" { rows++; wrong += $2 != $3 } END { exit !rows || wrong }' ||
    fail "an end value is not the number of operations"
column o/samples.csv metric | grep -qx footprint_bytes && fail "space was measured where there is none"

# Nothing but space was asked for.
heapmark run -w counter --metrics space --rounds 1 --no-plots -o space
expect_in space/samples.csv "counter has no heap"

heapmark list workloads --format json
python3 - "$out" <<'END' || fail "counter is not listed as a workload of threads"
import json, sys
parts = {p["name"]: p for p in json.load(open(sys.argv[1]))["workloads"]}
assert parts["counter"]["kind"] == "thread"
assert any(f["name"] == "end_value" for f in parts["counter"]["figures"])
END

heapmark run -w ordering:op=mixed -t 2
expect_refusal "ordering" "op=mixed needs line=shared"
