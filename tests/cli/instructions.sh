#!/usr/bin/env bash
# Instruction counts: the same in every process, different for another allocator, and skipped with a reason
# where they can not be had.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Without valgrind the cells are skipped; beside another pass it is one warning.
PATH=/nowhere heapmark run -a floor -w churn --metrics instructions -o none --no-plots
expect_exit 0
expect_err "^churn/floor/.*skip: .*Debian package valgrind"
expect_column none/samples.csv status skip
PATH=/nowhere heapmark run -a floor -w churn --metrics time,instructions --rounds 1 -o beside --no-plots
expect_exit 0
[[ $(grep -c "warning: instructions: skip: .*Debian package valgrind" "$err") -eq 1 ]] || fail "not one warning"
expect "no time beside it" grep -q ,time_ns, beside/stats.csv
expect_column beside/samples.csv status ok

# The processor's counters: numbers or NA, never 0, and the run goes on.
heapmark run -a floor -w churn --metrics counters --rounds 1 -o counters --no-plots
expect_exit 0
for metric in cpu_cycles_per_op cpu_instructions_per_op cache_misses_per_op tlb_misses_per_op; do
    grep ",$metric," counters/samples.csv >rows || fail "no $metric"
    expect "$metric is not known" awk -F, '$15 != "NA" && !($15 >= 0) { exit 1 }' rows
done
expect_column counters/samples.csv status ok
expect "a count of 0" bash -c "! grep -qE ',cpu_(cycles|instructions)_per_op,0,' counters/samples.csv"
expect "nan stands in a file" bash -c "! grep -qiw nan counters/samples.csv counters/stats.csv"

heapmark run -a floor -w churn -t 2 --metrics instructions --dry-run
command -v valgrind >/dev/null || exit 0
grep -q "built without valgrind" "$out" && exit 0
expect_out "churn/floor/-/t2/core  skip: .*one thread only"

# Two runs agree to the instruction; another allocator does not. The second run has another folder, and the environment outside is another one.
heapmark run -a system,pool -w churn --metrics instructions -o a --no-plots --rounds 2
expect_exit 0
expect_out "instr +reads +writes" "A/A: system .* 1  equivalent" "pool .*  fewer"
expect "a line is too long" bash -c "! grep -qE '.{81}' '$out'"
HM_TEST_PAD=$(printf %500d 0) heapmark run -a system -w churn --metrics instructions -o another-folder --no-plots --rounds 1
expect_exit 0
counts() {
    grep -E "^[^,]*,[^,]*,churn/$2/" "$1/samples.csv" | grep -oE ",(instructions|reads|writes)_per_op,[^,]*" | sort -u
}
[[ $(counts a system | wc -l) -eq 3 ]] || fail "two processes differ: $(counts a system)"
[[ $(counts a system) == "$(counts another-folder system)" ]] ||
    fail "two runs differ: $(counts a system; counts another-folder system)"
[[ $(counts a system) == "$(counts a 'system#2')" ]] || fail "the A/A arm differs"
[[ $(counts a system) != "$(counts a pool)" ]] || fail "pool counts as system does"

# An interval of no width, and a verdict without a test.
awk -F, '$1 == "churn/pool/-/t1/core" && $(NF - 13) == "instructions_per_op"' a/stats.csv >row
expect "not two rounds, or not one value" awk -F, '
    $(NF - 10) == 2 && $(NF - 9) > 0 && $(NF - 6) == $(NF - 9) && $(NF - 5) == $(NF - 9) &&
    $(NF - 3) == $(NF - 2) && $(NF - 2) == $(NF - 1) && $(NF - 3) < 0.98 && $NF == "faster" { good = 1 }
    END { exit !good }' row

# The profiles are for valgrind's own tools, and their totals are what was told.
[[ -f a/callgrind/c0-r1.out && ! -e a/callgrind/c0-r0.out.1 ]] || fail "the profiles are $(ls a/callgrind)"
ops=$(column a/samples.csv ops | sort -u)
per_op=$(counts a system | grep -oE "instructions_per_op,.*" | cut -d, -f2)
total=$(sed -n 's/^totals: \([0-9]*\) .*/\1/p' a/callgrind/c0-r0.out)
expect "totals of $total are not $per_op for each of $ops" awk -v t="$total" -v p="$per_op" -v n="$ops" \
    'BEGIN { exit !(t > 4000000 && t == p * n) }'
