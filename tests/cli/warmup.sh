#!/usr/bin/env bash
# The warm-up pass: every iteration is told, from the first unit on, and what is told of them agrees.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

report=$work/.report
measure() {
    heapmark cell --pass=warmup --allocator=system --workload=rings --collector="$1" --units="$2" --cpus=-1 \
        --nonce=n 3>"$report"
    grep -qx 'end n' "$report" || fail "the process did not come to its end"
}

value() {
    awk -v m="$1" '$1 == "value" && $2 == m { print $4 }' "$report"
}

# Iterations of 10 and 11 units follow each other without a gap, and their mean is that of all.
measure generational 2050
awk -v all="$(value warmup_time_ns)" '
    function far(a, b) { return (a - b) ^ 2 > (1e-3 * (a + b)) ^ 2 }
    $1 == "ops" { ops = $2 / 2050 }
    $1 == "point" && $2 == "iteration_ns" { begin[n] = $4; time[n++] = $5 }
    END {
        for (i = 0; i < n; i++) {
            units = int(2050 * (i + 1) / 200) - int(2050 * i / 200)
            if (begin[i] - sum > 1 || sum - begin[i] > 1)
                print "iteration " i " begins at " begin[i] ", after " sum
            sum += time[i] * units * ops
        }
        if (n != 200 || far(sum, all * 2050 * ops)) print n " iterations of " sum / ops / 2050 ", " all
    }' "$report" >odd
[[ ! -s odd ]] || fail "$(cat odd)"
[[ $(value warmup_label) =~ ^[0-3]$ ]] || fail "the label is '$(value warmup_label)'"
[[ $(awk '$2 == "segment_ns" { print $4; exit }' "$report") == 0 ]] || fail "the first segment is not at the begin"

# Too few for a label: all are told nevertheless.
measure refcount 7
[[ $(grep -c iteration_ns "$report") -eq 7 ]] || fail "$(grep -c iteration_ns "$report") iterations of 7 units"
[[ -z $(value warmup_label) ]] || fail "7 iterations have a label"

heapmark run --rounds 2 --quick -a system -c refcount -w rings -t 1 --metrics warmup -o o --no-plots
expect_exit 0
# The baseline, its second copy and two floors.
for metric in warmup_time_ns warmup_label warmup_outliers; do
    [[ $(grep -c ",-1,$metric," o/samples.csv) -eq 8 ]] || fail "$(grep -c ",-1,$metric," o/samples.csv) rows of $metric"
done
[[ $(grep -c ,iteration_ns, o/series.csv) -eq 1600 ]] || fail "$(grep -c ,iteration_ns, o/series.csv) iterations"
heapmark run --rounds 2 --quick -a system -c refcount -w rings -t 1 --metrics warmup --resume o --no-plots
expect_exit 0
[[ $(grep -c ,iteration_ns, o/series.csv) -eq 1600 ]] || fail "a run that is complete was gone on with"
