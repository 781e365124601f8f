#!/usr/bin/env bash
# --sweep adds a part at several values of a parameter, and the run says what they do.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# What can not be swept is refused.
refused() {
    local sweep=$1
    shift
    heapmark run -w rings --sweep "$sweep" -o o
    expect_refusal "$@"
    expect "something was written" test ! -e o
}
refused "genrational:threshold0=1,2" "did you mean 'generational'"
refused "generational" "PART:KEY=VALUE"
refused "generational:treshold0=1,2" "did you mean 'threshold0'"
refused "generational:threshold0=1,x" "threshold0=x"
refused "generational:threshold0=" "empty value"
refused "generational:threshold0=1,2,1" "threshold0=1 is given twice"
refused "pool:arena=1M,1024K" "the same"
refused "generational:threshold0=$(seq -s, 300)" "more than 254 arms"
refused "" "which part"
heapmark run -w churn --sweep generational:threshold0=1,2 --dry-run
expect_refusal "no workload .* objects"

# The unswept part comes first; what the lists name stays.
heapmark run -w rings -c none --sweep generational:threshold0=100,700 --sweep pool:arena=1M,4M --dry-run
expect_exit 0
arms=$(grep -v '#2\|floor' "$out" | grep '^rings' | cut -d/ -f2,3 | tr '\n' ' ')
wanted=
for collector in none generational{,:threshold0=100,:threshold0=700}; do
    wanted+="pool/$collector pool:arena=4M/$collector "
done
[[ $arms == "$wanted" ]] || fail "the arms are $arms"

# A job file's sweeps, and the command line's in their place.
cat >job.ini <<'INI'
[run]
workloads = rings
sweep = mine:threshold0=100,
        700
[collector mine]
use = generational:policy=full
INI
heapmark run job.ini --dry-run
expect_out rings/system/mine/ mine:threshold0=100/ mine:threshold0=700/
heapmark run job.ini --sweep marksweep:heap=4 --dry-run
expect_out marksweep/ marksweep:heap=4/
expect "the job file's sweep is there, too" test "$(grep -c mine "$out")" = 0

# A run, its record, and its figure.
heapmark run --quick --rounds 1 -w rings:collect=auto --sweep generational:threshold0=3000 \
    --sweep marksweep:heap=2,8 -o o --no-plots
expect_exit 0
expect_out "^Sweep generational:threshold0=3000$" "^rings:collect=auto on system, 1 thread$" \
    "^  default .* open; by medians" "^  3000 " "^  2 \(default\)" "^front: "
sed '1,/^Sweep/d' "$out" | grep '.\{81\}' && fail "a line is longer than 80 columns"
python3 - o/run.json <<'PY' || fail "run.json does not tell of the sweeps"
import json, sys
first, second = json.load(open(sys.argv[1]))["sweeps"]
assert first["part"] == "generational" and first["kind"] == "collector", first
assert first["keys"] == ["threshold0"], first
assert [a["label"] for a in first["arms"]] == ["generational", "generational:threshold0=3000"], first
assert [a["unswept"] for a in first["arms"]] == [True, False], first
assert first["arms"][0]["values"] is None and first["arms"][1]["values"][0]["number"] == 3000
assert second["arms"][0]["values"][0]["text"] == "2" and second["arms"][0]["unswept"], second
PY
heapmark run --quick --rounds 1 -w rings:collect=auto --sweep generational:threshold0=3000 \
    --sweep marksweep:heap=2,8 --resume o --no-plots
expect_exit 0
heapmark run --quick --rounds 1 -w rings:collect=auto --sweep generational:threshold0=2000 \
    --sweep marksweep:heap=2,8 --resume o --no-plots
expect_exit 2

command -v gnuplot >/dev/null || exit
heapmark plot o --figure curves --format svg
expect_exit 0
expect_in o/plots/curves.svg ">generational by threshold0<" ">marksweep by heap<" ">3000<" ">8<" \
    "lower left is better" "n = 1 round," "rings:collect=auto on system, 1 thread" "$(date -u +%Y-)"
heapmark plot o --figure curves --format term
expect_exit 0
expect_out "generational by threshold0" "^ +default " "^ +2 \(default\)"

# median METRIC COLLECTOR DIVISOR: with three digits, as the figure writes it.
median() {
    tr -d '"\r' <o/stats.csv | awk -F, -v metric="$1" -v collector="$2" -v divisor="$3" '
        $7 == metric && $3 == collector && $2 == "system" {
            v = $11 / divisor
            printf(v < 9.995 ? "%.2f" : v < 99.95 ? "%.1f" : "%.0f", v)
        }'
}
for value in 3000:generational:threshold0=3000 8:marksweep:heap=8 "default:generational"; do
    ns=$(median time_ns "${value#*:}" 1)
    mib=$(median footprint_bytes "${value#*:}" 1048576)
    expect_out "^ +${value%%:*} +$ns +$mib "
done

# Without a sweep, or without space, there is none.
heapmark "${tiny[@]}" -o plain
heapmark plot plain --figure curves
expect_err "no figure curves: the run has no sweep"
sed -i /footprint_bytes/d o/stats.csv
heapmark plot o --figure curves
expect_err "no figure curves: .*times and footprints"
