#!/usr/bin/env bash
# `--rounds auto`: what is decided is not measured any more, the rest goes on, and a budget ends it all.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

library slow <<'C'
#include <errno.h>
#include <stddef.h>
#include <string.h>
int heap_is_slow = 1;
static _Alignas(64) char arena[1 << 24];
static size_t used = 64;
void *memalign(size_t a, size_t n) {
    size_t at = (used + 16 + (a < 16 ? 15 : a - 1)) & -(a < 16 ? 16 : a);
    if (n > sizeof arena || at + n > sizeof arena) { errno = ENOMEM; return NULL; }
    used = at + n;
    return memcpy(arena + at - 16, &n, sizeof n) + 16;
}
void *malloc(size_t n) { return memalign(16, n); }
void free(void *p) { (void)p; }
void *calloc(size_t n, size_t size) { return malloc(n * size); }
size_t malloc_usable_size(void *p) { size_t n = 0; if (p) memcpy(&n, (char *)p - 16, sizeof n); return n; }
void *realloc(void *p, size_t n) {
    void *q = malloc(n);
    size_t old = malloc_usable_size(p);
    return p && q ? memcpy(q, p, old < n ? old : n) : q;
}
void *aligned_alloc(size_t a, size_t n) { return memalign(a, n); }
int posix_memalign(void **p, size_t a, size_t n) { return (*p = memalign(a, n)) ? 0 : ENOMEM; }
C
cat >work.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
/* told: 5 ms, on the slow heap 150, which no other work on the machine hides; noise: up to 8 ms on any; long: 200 ms */
int main(int count, char **words) {
    struct timespec now;
    const char *what = count > 1 ? words[1] : "";
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (strcmp(what, "told") == 0) usleep(dlsym(RTLD_DEFAULT, "heap_is_slow") ? 150000 : 5000);
    if (strcmp(what, "noise") == 0) usleep((unsigned)(now.tv_nsec >> 6) % 8000);
    if (strcmp(what, "long") == 0) usleep(200000);
    return !calloc(1, 100);
}
C
cc -O1 -o work work.c || fail "could not compile work"
cat >suite.ini <<INI
[told]
command = $work/work told
[noise]
command = $work/work noise
INI

# One program is decided at the first look and rests; the other one has all the rounds there are.
auto=(exec -a "system,./slow.so" --suite suite.ini --rounds auto --quick --no-output --no-plots)
heapmark "${auto[@]}" -o o
expect_exit 0
expect_out "slow.so .*slower @8" "slow.so .*inconclusive|needs ~" "98.75 % CI" "^speed, .*; intervals at 98.75 %$" \
    "^Decided: 1 of 2 comparisons of time; 1 undecided after 27 rounds\.$"
expect_err "round 27 of at most 27 done" "^exec:told/slow.so.*: slower, decided after 8 rounds"
grep -E "comparisons|looks at|judged at" "$out" | awk 'length > 80' | grep -q . && fail "the foot is wider than the page"
cat >check.py <<'END'
import csv, json, sys
run = json.load(open("o/run.json"))
stats = list(csv.DictReader(open("o/stats.csv")))
assert [g["rounds"] for g in run["groups"]] == [8, 27] and run["rounds"] == 27, run["groups"]
assert [look["rounds"] for look in run["looks"]] == [8, 12, 18, 27]
assert all(look["held"] and look["level"] == 0.0125 for look in run["looks"])
assert not run["out_of_budget"]
for row in stats:
    told = row["cell"].startswith("exec:told/")
    assert row["n"] == ("8" if told else "27"), row
    assert row["confidence"] == "0.98750000000000004", row
    if row["metric"] == "wall_ns" and "slow" in row["allocator"]:
        assert row["verdict"] == ("slower" if told else "inconclusive"), row
        assert row["decided_after"] == ("8" if told else "NA"), row
# The interval at this confidence, by hand: of 8 rounds from the least ratio to the greatest.
values = {}
for row in csv.DictReader(open("o/samples.csv")):
    if row["metric"] == "wall_ns" and "told" in row["cell"]:
        values.setdefault(row["allocator"], {})[row["round"]] = float(row["value"])
slow = next(arm for arm in values if "slow" in arm)
ratios = [values[slow][r] / values["system"][r] for r in values["system"]]
row = next(r for r in stats if r["metric"] == "wall_ns" and "told" in r["cell"] and r["allocator"] == slow)
assert abs(float(row["ratio_low"]) / min(ratios) - 1) < 1e-9
assert abs(float(row["ratio_high"]) / max(ratios) - 1) < 1e-9
END
run python3 check.py
expect_exit 0

# A run that is over has nothing to go on with: the same looks on the same samples decide the same.
cp -r o again
sed -i 's/"state": "finished"/"state": "running"/; s/"held": true/"held": false/' again/run.json
heapmark "${auto[@]}" --resume again
expect_exit 0
expect "a group that rests was measured" cmp o/samples.csv again/samples.csv
expect "other statistics" cmp o/stats.csv again/stats.csv
# One that was stopped between two looks goes on where it was: the rounds of the group that rests stay.
awk -F, 'NR == 1 || $11 < 15' o/samples.csv >again/samples.csv
heapmark "${auto[@]}" --resume again
expect_exit 0
expect_out "slower @8" "1 undecided after 27 rounds"
[[ $(grep -c 'told/.*wall_ns' again/samples.csv) -eq $(grep -c 'told/.*wall_ns' o/samples.csv) ]] ||
    fail "a group that rests was measured"
heapmark exec -a system,./slow.so --suite suite.ini --rounds 9 --resume again
expect_refusal "4 looks" "auto" "same options"

# Runs of unequal rounds are compared and drawn.
heapmark compare o o
expect_exit 0
heapmark plot o --figure programs
expect_exit 0

# The budget ends a run in good order.
heapmark exec -a system --rounds auto --budget 1s --no-output --no-plots -o short -- ./work long
expect_exit 0
expect_out "^The budget of 1 s is spent\.$" "first look is after 8" "inconclusive"
rounds=$(column short/samples.csv round | sort -n | tail -n 1)
[[ $rounds -lt 7 ]] || fail "the budget had no room for $rounds rounds"

heapmark run -a floor -w churn --rounds auto --budget 2h --dry-run
expect_exit 0
expect_out "auto, at most 60 rounds" "budget 7200 s"
heapmark run -a floor -w churn --rounds auto --rigorous --dry-run
expect_out "auto, at most 141 rounds" "budget 600 s"
