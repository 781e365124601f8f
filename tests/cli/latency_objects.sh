#!/usr/bin/env bash
# The latency pass on objects: every call is in the histogram, a collection is found in the stalls, and
# whole requests are timed, in an open loop from when they are due.
# labels: threads
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# cell NAME=VALUE..: one process of the pass, which reports on descriptor 3.
cell() {
    run "$hm" cell --pass=latency --cpus=-1 --nonce=n "${@/#/--}" 3>report
    grep -qx 'end n' report || fail "the process did not come to its end"
}

# value METRIC
value() {
    awk -v m="$1" '$1 == "value" && $2 == m { print $4 }' report
}

# counted METRIC: all counts of a histogram.
counted() {
    awk -v m="$1" '$1 == "bucket" && $2 == m { n += $4 } END { printf "%d\n", n }' report
}

at_least() {
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a != "" && a >= b) }' || fail "$3 is '$1', below $2"
}

# A request of one node is two objects, its end two more stores, whatever the collector. Nothing of the
# harness is in the time of an allocation but the delay that was put in. A delay is counted out as the heap opens:
# where the core is shared then and not later, it comes out shorter. So twice of what is looked for is put in.
slow=handicap:ns=40000+floor
one=requests:nodes=1:flight=1:cyclic=0
for collector in refcount manual generational; do
    cell allocator=$slow workload=$one collector=$collector units=50 warmup=10
    [[ $(counted latency_new_ns) -eq 100 ]] || fail "$collector: $(counted latency_new_ns) of 100 allocations"
    [[ $(counted latency_op_ns) -eq 50 ]] || fail "$collector: $(counted latency_op_ns) of 50 requests"
    at_least "$(value latency_new_p50_ns)" 20000 "$collector: the delayed p50 of new"
    at_least "$(value latency_op_p50_ns)" 80000 "$collector: a request of two mallocs and two frees"
    grep -q latency_malloc report && fail "$collector: calls of the allocator are timed"
done
# What frees is the release under reference counting, where a request has one that is the last one of two
# objects; under manual it is the disposal of each.
cell allocator=$slow workload=$one collector=manual units=50 warmup=10
[[ $(counted latency_release_ns) -eq 100 ]] || fail "$(counted latency_release_ns) of 100 disposals"
at_least "$(value latency_release_p50_ns)" 20000 "a disposal"
cell allocator=$slow workload=$one collector=refcount units=50 warmup=10
at_least "$(value latency_release_max_ns)" 40000 "the release of a node with its text"
cell allocator=$slow workload=$one collector=marksweep units=20 warmup=1
at_least 20000 "$(value latency_release_p50_ns)" "a release that frees nothing"

# A collection is a part of the allocation that starts it, and of its stall. Frees are slow: it is a long one.
garbage=requests:cyclic=100:flight=1
cell allocator=handicap:ns=50000+floor workload=$garbage collector=generational units=20 warmup=2
awk '$1 == "point" && $2 ~ /^stall_(new|op)_ns$/ { of[$4] = $5 }
     $1 == "point" && $2 == "stall_paused_ns" && of[$4] > 0 { if ($5 > 0.5 * of[$4] && $5 < 1.1 * of[$4]) n++ }
     END { exit !n }' report || fail "no stall is a collection"
cell allocator=system workload=$garbage collector=none units=20 warmup=2
awk '$2 == "stall_paused_ns" && $5 != 0 { bad = 1 } END { exit bad }' report || fail "a pause without a collector"
cell allocator=system workload=gcbench:stretch=8:long=8:array=5000:max=8 collector=none units=1 warmup=0
grep -q latency_op report && fail "the unit of gcbench is not one operation"

# An open loop: requests of 80 us at least that are due every 10 us, so that each waits for all before it.
cell allocator=$slow workload=$one collector=refcount units=100 warmup=10 rate=100000
[[ $(counted response_ns) -eq 100 ]] || fail "$(counted response_ns) responses of 100 requests"
at_least "$(value response_max_ns)" $((80000 * 100 - 10000 * 99)) "the longest response"
at_least "$(value response_p50_ns)" $((80000 * 49 - 10000 * 49)) "half of the responses"
at_least 400000 "$(value latency_op_p50_ns)" "what a request itself takes"
# Here there is time enough.
cell allocator=floor workload=$one collector=refcount units=4000 warmup=10 rate=20000
at_least 20100 "$(value served_rate)" "the rate that was asked for"
[[ $(counted response_ns) -eq 4000 ]] || fail "$(counted response_ns) responses of 4000 requests"

# Threads that share a collector let each other have their turns while they wait for their time. Without cycles,
# which a count alone would leak.
for way in "gil generational" "free refcount:count=atomic"; do
    read -r threading collector <<<"$way"
    heapmark run -a system -c "$collector" --threading "$threading" -w requests:cyclic=0 -t 2 --rounds 1 --quick \
        --metrics latency --rate 20000 -o "$threading" --no-plots
    expect_exit 0
    expect_out "^  (new|store|release|op|from due to done) +p50 +p90 +p99 +p99.9 +p99.99 +max$"
    expect_out "^The longest call of each cell" "^    $collector on system( |$)" "[0-9.]+ [um]?s at +[0-9.]+ [um]?s round 1   (new|store|release|op)"
    grep -q ",stall_paused_ns," "$threading/series.csv" || fail "$threading: nothing is told of pauses"
    awk -F, '$5 == "served_rate" || /,served_rate,/ { found = 1 } END { exit !found }' "$threading/stats.csv" ||
        fail "$threading: no served rate"
done
heapmark plot gil --figure latency
expect_exit 0
expect_in gil/plots/latency.svg ">new, requests:cyclic=0" ">from due to done, "
