#!/usr/bin/env bash
# compare as a gate: on time, space, latency and instructions each by itself, on any metric that is named,
# and what a gate must not pass over.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

make() {
    python3 "$source_dir/tests/cli/compare_run.py" "$@" || fail "could not make the runs"
}

# gate STATUS OPTION..: BASE against NEW.
gate() {
    local wanted=$1
    shift
    heapmark compare base new "$@"
    expect_exit "$wanted"
}

make base latency=1 counts=1 -- new seed=2 latency=1 counts=1
gate 0 --strict
for change in time:churn=1.1 space:space=1.1 instructions:counts=1.1; do
    make new seed=2 latency=1 counts=1 "${change#*:}"
    for kind in time space latency instructions; do
        gate "$([[ $kind == "${change%%:*}" ]] && echo 3 || echo 0)" --metrics $kind
    done
    gate 3
    gate 0 --margin 15% --metrics "${change%%:*}"
done
# The latency of one arm: that of all arms of a run would be drift.
make new seed=2 latency=1 counts=1
for f in samples.csv; do
    awk -F, -v OFS=, '$4 == "pool" && $14 == "latency_malloc_p99_ns" { $15 *= 1.1 } { print }' new/$f >more && mv more new/$f
done
gate 3 --metrics latency
expect_out "latency_malloc_p99_ns, better is lower" "^  churn/pool/-/t1/core .* slower$"
gate 0 --metrics time,space --metrics instructions
gate 0 --metrics latency --margin 15%

# A latency that the clock could not tell from none has no logarithm; that it has grown is seen all the same.
sed -i -E '/,pool,.*latency_malloc_p99_ns/s/(latency_malloc_p99_ns),[^,]*/\1,0/' base/samples.csv
gate 3 --metrics latency
make base latency=1 counts=1

# Metrics by name, in any case those that have no verdict in a run.
awk -F, -v OFS=, 'NR > 1 && $14 == "footprint_bytes" { print; $14 = "mapped_bytes"; print; next } { print }' \
    base/samples.csv >more && mv more base/samples.csv
awk -F, -v OFS=, 'NR > 1 && $14 == "footprint_bytes" { print; $14 = "mapped_bytes"; $15 *= 1.2; print; next } { print }' \
    new/samples.csv >more && mv more new/samples.csv
gate 0 --metrics space
gate 3 --metrics mapped_bytes
expect "another metric is there" bash -c "! grep -q 'footprint_bytes' '$out'"
expect "the table is wider than 80 columns" awk 'length > 80 { exit 1 }' "$out"
expect_out "Holm over 6 comparisons"
gate 2 --metrics latencies
expect_refusal "no metric" "did you mean 'latency'"
gate 2 --metrics time,
expect_refusal "'' is no metric"
gate 2 --metrics live_bytes
expect_refusal "live_bytes" "neither more nor less is better"
gate 2 --metrics response_p50_ns
expect_refusal "none of these in common"

# What BASE has and NEW has not is said, and a strict gate does not pass over it.
make new seed=2 counts=1
gate 0
expect_out "^latency_malloc_p99_ns: of 6 cells in BASE only$" "^Not compared:"
gate 4 --strict
gate 0 --strict --metrics time
make new seed=2 latency=1 counts=1 drop=churn/pool/-/t1/core
gate 0 --metrics time
gate 4 --strict --metrics time
