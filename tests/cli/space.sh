#!/usr/bin/env bash
# The space pass: blocks of a known size are told exactly, a unit that is longer than the run is looked into,
# and what is freed is found given back.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# measure ALLOCATOR WORKLOAD UNITS OPTION..: what one process of the pass reports, in $report.
report=$work/.report
measure() {
    heapmark cell --pass=space --allocator="$1" --workload="$2" --units="$3" --warmup=2 --cpus=-1 \
        --nonce=n "${@:4}" 3>"$report"
    grep -qx 'end n' "$report" || fail "the process did not come to its end"
}

# expect_value METRIC CONDITION: of awk, on x.
expect_value() {
    local x
    x=$(awk -v m="$1" '$1 == "value" && $2 == m { print $4 }' "$report")
    awk -v x="$x" "BEGIN { exit !(x != \"\" && ($2)) }" || fail "$1 is '$x', not $2"
}

points() {
    awk -v m="$1" '$1 == "point" && $2 == m { print $5 }' "$report"
}

# 1000 blocks of 72 bytes, whatever the allocator makes of them.
for allocator in system first-fit:align=16 pool; do
    measure "$allocator" churn:live=1000:min=72:max=72 5000
    expect_value live_bytes "x == 72000"
    [[ $(points live_bytes | sort -u) == 72000 ]] || fail "live bytes over time: $(points live_bytes)"
    [[ $(points footprint_bytes | wc -l) -eq 101 ]] || fail "not 101 points of the footprint"
    expect_value footprint_over_live_end "x >= 1"
    expect_value blowup_after_peak "x >= 1"
done
measure first-fit:align=16 churn:live=1000:min=72:max=72 5000
expect_value internal_fragmentation "x == 80 / 72 || x == 1"

expect_value metadata_bytes "x > 0"
expect_value mapped_bytes "x >= 256 * 1048576" # all of the array, and its tables
[[ $(points mapped_bytes | wc -l) -eq 101 ]] || fail "not 101 points of what is mapped"

# A wave of burst rises and falls within one unit: between two units nothing of it is seen.
measure system burst:gap=0:count=10000:min=100:max=100:keep=0 3
[[ $(points live_bytes | wc -l) -gt 150 ]] || fail "$(points live_bytes | wc -l) points of live bytes"
expect_value live_bytes "x == 1000000"
awk '$1 == "point" && t > $4 { exit 1 } $1 == "point" { t = $4 }' "$report" ||
    fail "a point is before the one before it"

# Large blocks go back as they are freed.
measure system large:live=4:min=4M:max=4M 20 --idle=1
expect_value returned_0s_bytes "x > 2 * 4194304"
[[ $(points idle_footprint_bytes | wc -l) -eq 2 ]] || fail "not two points of the idle process"
expect_value returned_1s_bytes "x > 2 * 4194304"
expect "ten seconds" bash -c "! grep -q returned_10s '$report'"

heapmark run -a system -w churn --metrics idle --rounds 3 --rigorous --dry-run
expect_exit 0
expect_out "16 processes, about 1[0-9][0-9] s"

heapmark run -a system,pool -w churn:live=1000:min=72:max=72 -t 1 --rounds 1 --quick --metrics space -o o --no-plots
expect_exit 0
[[ $(grep '^churn.*/system/' o/series.csv | grep ',live_bytes,' | cut -d , -f 6 | sort -u) == 72000 ]] ||
    fail "live bytes in series.csv"
expect "no reason" grep -q ',metadata_bytes,NA,bytes,.*,the allocator does not tell' o/samples.csv
expect "a number that nobody told" bash -c '! grep -q ^churn.*/system.*,metadata_bytes, o/stats.csv'
# A block of 72 bytes takes 80: of each time the map has 1000 of them, and the free runs are multiples.
awk -F, 'NR > 1 { used[$3] += $6 } END { for (t in used) { if (used[t] != 80000) exit 1; n++ }; exit n < 33 }' \
    o/heapmap.csv || fail "the map of the heap does not add up"
awk -F, '$2 ~ /^free_run_bytes_/ { n[$2]++; if ($3 % 16 || $3 >= 1048576 || $7 != "bytes") exit 1 }
    END { exit !(n["free_run_bytes_peak"] && n["free_run_bytes_end"]) }' o/histogram.csv || fail "free runs"
expect "no fragmentation" grep -q '^churn.*/pool/.*,external_fragmentation_peak,' o/stats.csv
expect "one of what can not be walked" bash -c "! grep -q '^churn.*/system.*,external_frag' o/stats.csv"
heapmark plot o --figure space
expect_exit 0
expect_in o/plots/space.svg "churn:live=1000" ">0\.[0-9]+<" "asked for"
heapmark plot o --figure space --format term
expect_out "footprint in live bytes" "##"
heapmark plot o --figure heapmap --format term
expect_exit 0
expect_out "pool, churn"
