#!/usr/bin/env bash
# The latency pass: a delay that was put in is found, every call is in the histogram, and a resumed run
# has each round once.
# labels: threads
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# stat FOLDER ALLOCATOR METRIC COLUMN
stat() {
    paste -d '|' <(column "$1/stats.csv" allocator) <(column "$1/stats.csv" metric) \
        <(column "$1/stats.csv" "$4") | awk -F '|' -v a="$2" -v m="$3" '$1 == a && $2 == m { print $3 }'
}

# counted FOLDER CELL METRIC: all counts of a histogram.
counted() {
    paste -d '|' <(column "$1/histogram.csv" cell) <(column "$1/histogram.csv" metric) \
        <(column "$1/histogram.csv" count) |
        awk -F '|' -v c="$2" -v m="$3" 'index($1, c) == 1 && $2 ~ m { n += $3 } END { printf "%d\n", n }'
}

at_least() {
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a != "" && a >= b) }' || fail "$3 is '$1', below $2"
}

# A delay is counted out as the heap opens: where the core is shared then and not later, it comes out shorter. So
# twice of what is looked for is put in.
slow="handicap:ns=40000+floor"
heapmark run -a "$slow" -w churn -t 1 --rounds 2 --quick --metrics latency -o o --no-plots
expect_exit 0
for call in malloc free; do
    at_least "$(stat o "$slow" "latency_${call}_p50_ns" median)" 20000 "the delayed p50 of $call"
    at_least "$(stat o "$slow" "latency_${call}_small_p50_ns" median)" 20000 "that of small blocks"
    at_least "$(stat o "$slow" "latency_${call}_max_ns" median)" \
        "$(stat o "$slow" "latency_${call}_p90_ns" median)" "the maximum of $call"
done
at_least "$(stat o "$slow" timer_ns median)" 1 "the timer's cost"
expect "a realloc that churn has not" bash -c "! grep -q latency_realloc o/stats.csv"
expect "a p99.99 of too few calls" bash -c "! grep -q latency_malloc_p9999_ns o/stats.csv"
expect_out "^  malloc +p50 +p90 +p99 +p99.9 +p99.99 +max$" "^    floor +[0-9.]+ ns " "^ {24} +[0-9.]+ us .* NA +[0-9.]+ [um]?s$"
expect "a table of speeds" bash -c "! grep -qE 'ns/op|speed' '$out'"
expect "time was measured" bash -c "! grep -q ,time_ns, o/stats.csv"

# An operation of churn is one free and one malloc, and both rounds are in the file.
ops=$(column o/samples.csv ops | sort -u)
for call in malloc free; do
    found=$(counted o "churn/$slow/" "^latency_${call}_(small|medium|large)_ns$")
    [[ $found -eq $((2 * ops)) ]] || fail "$found of $call in two rounds of $ops operations"
done
expect_column o/histogram.csv round -1
column o/series.csv metric | grep -qE '^stall_(malloc|free)_small_ns$' || fail "no stall"
[[ $(grep -c "^churn/$slow/.*,stall_" o/series.csv) -eq 20 ]] || fail "not ten stalls of each process"

# What a killed run left of a round is not counted when the round is done again.
cp -r o again
grep -v "$slow/.*,1,[0-9]*,0,-1,latency_time_ns," o/samples.csv >again/samples.csv
sed 's/,-1,ns$/,0,ns/' o/histogram.csv >again/histogram.csv
echo "churn/$slow/-/t1/core,latency_malloc_small_ns,10,10.125,777,1,ns" >>again/histogram.csv
heapmark run -a "$slow" -w churn -t 1 --rounds 2 --quick --metrics latency --resume again --no-plots
expect_exit 0
expect_column again/histogram.csv round -1
[[ $(grep -c ",latency_time_ns," again/samples.csv) -eq $(grep -c ",latency_time_ns," o/samples.csv) ]] ||
    fail "not as many processes"
found=$(counted again "churn/$slow/" "^latency_malloc_")
[[ $found -eq $((3 * ops)) ]] || fail "$found calls in two rounds and one of $ops operations"

# Threads; and blocks that are freed by another thread than they were allocated by.
heapmark run -a system -w "server:slots=100:rounds=5:max=2000" -t 2 --rounds 1 --quick --metrics latency \
    -o two --no-plots
expect_exit 0
for kind in malloc_small malloc_medium free_small free_medium; do
    at_least "$(counted two "server:slots=100:rounds=5:max=2000/system/" "^latency_${kind}_ns$")" 10 "the count of $kind"
done

heapmark run -w counter --metrics latency --rounds 1 --no-plots -o none
grep -q "it has no heap, and so no calls" "$err" || fail "counter is not skipped"
for list in latencies time,,space latency,time,x; do
    heapmark run -a system -w churn --metrics $list -o bad
    expect_refusal "metrics=$list" "none of time, space, idle, latency, instructions, counters"
done

# The figure has the delayed calls where they are, and says when there are none.
heapmark plot o --figure latency
expect_exit 0
expect_in o/plots/latency.svg "malloc, churn, 1 thread" "free, churn, 1 thread" ">99 %<" ">100 µs<"
heapmark plot o --figure latency --format term
expect_exit 0
expect_out "free, churn, 1 thread: by percentile" "100 us"
sed -i /latency_time_ns/d o/stats.csv
heapmark plot o --figure latency
expect_err "no latencies"

# value METRIC: of one process, which reports on descriptor 3.
value() {
    awk -v m="$1" '$1 == "value" && $2 == m { print $4 }' report
}

# open_loop RATE UNITS
open_loop() {
    heapmark cell --pass=latency --allocator="$slow" --workload=churn --units="$2" --warmup=20 --cpus=-1 \
        --nonce=n --rate="$1" 3>report
    grep -qx 'end n' report || fail "the process did not come to its end"
}

# An open loop: calls of 20 us at least that are due every 10 us, so that each waits for all the lateness of those before.
open_loop 100000 200
calls=$(awk '$1 == "bucket" && $2 == "response_ns" { n += $4 } END { print n }' report)
[[ $calls -eq 400 ]] || fail "$calls responses of 200 operations"
at_least "$(value response_max_ns)" $((10000 * 399 + 20000)) "the longest response"
at_least "$(value response_p50_ns)" $((10000 * 198 + 20000)) "half of the responses"
# Here there is time enough; and no more is done than there is time for in a second.
open_loop 2000 5000
at_least 2010 "$(value served_rate)" "the rate that was asked for"
at_least "$(value response_p50_ns)" 20000 "the delayed p50 of the responses"
grep -qx 'ops 1000' report || fail "not a thousand operations: $(grep ^ops report)"
heapmark run -a system -w churn --metrics latency --rate fast -o bad
expect_refusal "rate=fast" "calls per second"
heapmark run -a system -w churn --rate 1M -o bad
expect_refusal "rate=1000000" "metrics=latency"
