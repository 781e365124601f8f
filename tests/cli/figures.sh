#!/usr/bin/env bash
# The figures of collectors show what a run's tables have.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v gnuplot >/dev/null || exit 77

heapmark run --quick --rounds 3 -a system,pool -c none,refcount,generational -w rings -t 1 -o o \
    --no-plots
expect_exit 0
heapmark list figures
expect_out collectors mmu garbage overhead
heapmark plot o --format svg
expect_exit 0

# medians METRIC ALLOCATOR: `collector median` of each cell, without quotes, for awk.
medians() {
    tr -d '"\r' <o/stats.csv |
        awk -F, -v metric="$1" -v allocator="$2" \
            '$7 == metric && (allocator == "" || $2 == allocator) && $2 !~ /#|floor/ { print $3, $11 }'
}

# three DIGITS: as the figures write times and ratios.
three() {
    awk '{ printf($2 < 9.995 ? "%.2f\n" : $2 < 99.95 ? "%.1f\n" : "%.0f\n", $2) }'
}

# expect_labels FIGURE SUFFIX < VALUES: each one is a label of its own, and there are some.
expect_labels() {
    local value count=0
    while read -r value; do
        count=$((count + 1))
        grep -qF ">$value$2<" "o/plots/$1.svg" || fail "no '$value$2' in the figure $1"
    done
    [[ $count -gt 0 ]] || fail "nothing to look for in the figure $1"
}

expect_labels collectors "" < <(medians time_ns "" | three)
[[ $(medians time_ns "" | wc -l) -eq 6 ]] || fail "not six cells"
expect_labels overhead × < <(medians lower_bound_overhead system | three)
expect_labels overhead " + 0" < <(medians mutator_ns system | grep -E 'none|refcount' | three)
expect_in o/plots/mmu.svg ">generational<" "no pauses: none, refcount" "median of n = 3 rounds"
expect_in o/plots/garbage.svg ">refcount<" "no garbage: generational"
for figure in collectors mmu garbage overhead; do
    expect_in o/plots/$figure.svg "is better" "rings" "1 thread" "$(date -u +%Y-)"
    heapmark plot o --figure $figure --format term
    expect_exit 0
    expect_out rings
    [[ ! -s $err ]] || fail "there is something on stderr"
done

# A run without collectors has none of them, and each says so.
heapmark "${tiny[@]}" -o heap
heapmark plot heap
expect_exit 0
for figure in collectors mmu garbage overhead; do
    expect_err "no figure $figure: .*collector"
    expect "the figure $figure was drawn" test ! -e heap/plots/$figure.svg
done
