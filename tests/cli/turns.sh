#!/usr/bin/env bash
# Arms that take turns: the same work as without, one arm that fails in the middle and leaves the others alone, runs
# that are stopped and go on, and values that make no sense.
# labels: plain
# timeout: 300
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# ---- What is asked for ----

heapmark run -a floor -w churn --turns 2.5 --dry-run
expect_exit 0
expect_out '^turns of 2.5 ms$'
heapmark run -a floor -w churn --turns off --dry-run
expect "--turns off is dropped" test -z "$(grep turns "$out")"
printf '[run]\nallocators = floor\nworkloads = churn\nturns = 4\n' >job.ini
heapmark run job.ini --dry-run
expect_out '^turns of 4 ms$'
heapmark run job.ini --turns off --dry-run
expect "the command line has not the last word" test -z "$(grep turns "$out")"
heapmark run -a floor -w churn --turns 4 --metrics space --dry-run
expect "turns without a time pass" test -z "$(grep turns "$out")"
for bad in 0 -1 0.01 20000 nan 5ms on ""; do
    heapmark run -a floor -w churn --turns "$bad" -o o
    expect_refusal "turns=$bad:" "0.1 to 10000"
done

# ---- The same work ----

# cell SLICES UNITS ARGUMENT..: one measured process; its report goes to `report`. All its turns are there from the start.
cell() {
    local slices=$1 units=$2
    shift 2
    head -c $((slices + 1)) "$hm" | tr '\0' '\377' >tokens
    run "$hm" cell --pass=time --units="$units" --warmup=3 --nonce=n --slices="$slices" "$@" 3>report 4<tokens
    expect "no end" grep -q '^end n$' report
}

# same_work UNITS SKIPPED ARGUMENT..: the same in slices and at once, but so many of the units are not timed and not told.
# A slice that is reported is one that was waited for.
same_work() {
    local slices units=$1 skipped=$2 checksum ops
    shift 2
    cell 0 $((units - skipped)) "$@"
    ops=$(grep '^ops' report)
    cell 0 "$units" "$@"
    checksum=$(grep '^checksum' report)
    expect "$* waits" test -z "$(grep '^slice' report)"
    for slices in 1 5 13; do
        cell $slices "$units" "$@"
        [[ $(grep '^checksum' report) == "$checksum" ]] || fail "$* does other work in $slices slices"
        [[ $(grep '^ops' report) == "$ops" ]] || fail "$* counts other work in $slices slices"
        grep '^slice' report | cmp -s - <(seq 0 $slices | sed 's/^/slice /') || fail "$* has not $slices slices"
    done
}

same_work 13 0 --allocator=system --workload=churn --cpus=0
same_work 5003 1000 --allocator=system --workload=churn --cpus=0
same_work 5003 1000 --allocator=pool --workload=batch:count=100 --cpus=-1,-1
same_work 208 0 --allocator=system --workload=xthread --cpus=-1,-1
same_work 13 0 --allocator=system --collector=generational --workload=trees --cpus=0
same_work 13 0 --allocator=system --collector=refcount --workload=graph:objects=500 --cpus=-1,-1
same_work 300 0 --allocator=system --workload=shm-counter:rounds=10 --cpus=0 --process-cpus=-1,-1
# A process whose parent is gone does not work on.
printf 00 >tokens
run "$hm" cell --pass=time --units=13 --nonce=n --slices=5 --allocator=floor --workload=churn --cpus=0 3>report 4<tokens
expect "it went on by itself" grep -q '^fail interrupted' report

# ---- An arm that fails ----

# In the measured processes, not in those of the calibration, on its way through the slices.
cat >sinks.c <<'C'
#define ZOO_MALLOC sinking_malloc
#include "tests/zoo/base.h"
static long left = -1;
__attribute__((constructor)) static void look(void) {
    char words[4096];
    FILE *f = fopen("/proc/self/cmdline", "r");
    size_t got = fread(words, 1, sizeof words - 1, f);
    fclose(f);
    long units = 0, warmup = 0, time = 0;
    for (size_t at = 0; at < got; at += strlen(words + at) + 1) {
        sscanf(words + at, "--units=%ld", &units);
        sscanf(words + at, "--warmup=%ld", &warmup);
        time |= strcmp(words + at, "--pass=time") == 0;
    }
    if (time)
        left = warmup + units / 2;
}
static void *sinking_malloc(size_t size) {
    if (left > 0 && --left == 0) {
        if (!getenv("HANGS"))
            abort();
        for (;;)
            pause();
    }
    return base_malloc(size);
}
C
cc -shared -fPIC -O1 -include stdio.h -I"$source_dir" -o sinks.so sinks.c || fail "could not compile sinks.so"
cat >sinks.ini <<EOF2
[run]
allocators = system, hangs, crashes, pool
workloads = churn
metrics = time
rounds = 2
turns = 1
timeout = 1
[allocator crashes]
use = $work/sinks.so
[allocator hangs]
use = $work/sinks.so
env = HANGS=yes
EOF2
# A copy, so that its processes can be told from all others.
cp "$hm" copy
gone() {
    local exe
    for exe in /proc/[0-9]*/exe; do
        [[ $(readlink "$exe" 2>/dev/null) == "$work/copy"* ]] && return 1
    done
    return 0
}
run ./copy run sinks.ini --no-plots -o sunk
expect_exit 1
expect_err "churn/crashes/-/t1/core: signal: killed by Abort" "churn/hangs/-/t1/core: timeout: not done after 1 s"
expect "processes are left behind" gone
# rows FILE: cell, round and status of the samples of time.
rows() {
    paste -d ' ' <(column "$1" metric) <(column "$1" cell) <(column "$1" round) <(column "$1" status) |
        sed -n 's/^time_ns //p' | sort
}
rows sunk/samples.csv >found
for arm in system 'system#2' pool floor floor:shape=heap; do
    for round in 0 1; do
        grep -qF "churn/$arm/-/t1/core $round ok" found || fail "$arm has no round $round"
    done
done
[[ $(grep -c ' ok$' found) -eq 10 && $(wc -l <found) -eq 12 ]] || fail "other rows: $(cat found)"
expect "no slices in run.json" python3 - <<'PY'
import json
run = json.load(open("sunk/run.json"))
assert run["turn_ms"] == 1
assert run["groups"][0]["slices"] >= 10 and run["groups"][0]["no_turns"] is None
PY

# ---- Runs that go on ----

matrix=(run -a "system,pool" -w churn --metrics time,space --rounds 2 --no-plots)
run ./copy "${matrix[@]}" --turns 2 -o whole
expect_exit 0
# What a run leaves that is killed between two rows of a round.
python3 - <<'PY'
import csv
rows = list(csv.reader(open("whole/samples.csv", newline="")))
at = {name: i for i, name in enumerate(rows[0])}
kept = [r for r in rows[1:] if not (r[at["round"]] == "1" and r[at["allocator"]] in ("pool", "floor"))]
with open("whole/samples.csv", "w", newline="") as f:
    csv.writer(f, lineterminator="\r\n").writerows([rows[0]] + kept)
PY
cp whole/samples.csv kept.csv
for other in off 3; do
    run ./copy "${matrix[@]}" --turns $other --resume whole
    expect_refusal "length of turns .--turns. was 2"
done
run ./copy "${matrix[@]}" --turns 2 --resume whole
expect_exit 0
head -n "$(wc -l <kept.csv)" whole/samples.csv | cmp -s - kept.csv || fail "rows changed on the way"
rows whole/samples.csv >found
[[ $(wc -l <found) -eq 10 && -z $(uniq -d found) ]] || fail "a round is not complete: $(cat found)"
run "$hm" "${matrix[@]}" --turns off -o row
run "$hm" "${matrix[@]}" --turns 2 --resume row
expect_refusal "length of turns .--turns. was 0"
heapmark compare row whole
expect_exit 2
expect_err "length of turns .--turns. is 0.* in BASE and 2.0 in NEW"

for signal in INT KILL; do
    set -m
    ./copy "${matrix[@]}" --rounds 1000 --turns 2 -o $signal </dev/null >"$out" 2>"$err" &
    set +m
    until [[ -f $signal/samples.csv && $(wc -l <$signal/samples.csv) -gt 3 ]]; do sleep 0.05; done
    kill -$signal $!
    wait $! 2>/dev/null
    status=$?
    [[ $signal == KILL ]] || expect_exit 130
    sleep 0.3
    expect "processes are left behind after SIG$signal" gone
done
