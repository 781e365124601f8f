#!/usr/bin/env bash
# Threads of an object workload share what --threading says.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

heapmark run -w trees -c none --threading some
expect_refusal "threading=some: must be one of isolated, gil, free"

# value DIR METRIC COLLECTOR: the median.
value() {
    tr -d '"\r' <"$1/stats.csv" | awk -F, -v metric="$2" -v collector="$3" '
        $7 == metric && $3 == collector && $2 == "system" { print $11 }'
}

for how in isolated gil; do
    heapmark run --rounds 2 -a system -c none,refcount,generational -w rings:collect=auto -t 2 \
        --threading "$how" -o "$how" --no-plots
    expect_exit 0
    expect_in "$how/run.json" "\"threading\": \"$how\""
    expect_column "$how/samples.csv" status ok
done

# Every thread's rings die, but for the last ones that wait for a collection: there is a collector for
# each thread, or one.
[[ $(value isolated unfreed_objects refcount) -gt 4200 ]] || fail "refcount freed rings"
[[ $(value gil unfreed_objects refcount) -gt 4200 ]] || fail "refcount freed rings under the lock"
[[ $(value gil collected_objects generational) -gt 0 ]] || fail "nothing was collected"

# One lock lets one thread run at a time: the pauses of the one collector are told of one thread.
threads() {
    tr -d '"\r' <"$1/series.csv" | awk -F, '$5 == "pause_ns" { print $3 }' | sort -u | tr '\n' ' '
}
[[ $(threads isolated) == "0 1 " ]] || fail "the collectors' pauses are of: $(threads isolated)"
[[ $(threads gil) == "0 " ]] || fail "the one collector's pauses are of: $(threads gil)"

# Without a lock: whoever collects stops the others, and the pauses are those of the one collector.
heapmark run --rounds 1 -a system -c none,marksweep,freethreaded -w rings -t 2 --threading free -o free --no-plots
expect_exit 0
expect_in free/samples.csv "none does not support --threading free"
[[ $(threads free) == "0 " ]] || fail "the one collector's pauses are of: $(threads free)"
for collector in marksweep freethreaded; do
    [[ $(value free collected_objects $collector) -ge 4200 ]] || fail "$collector left rings"
    [[ $(value free pauses $collector) -ge 2 ]] || fail "$collector stopped nobody"
done
