#!/usr/bin/env bash
# Instruction counts: the same in every process, different for another allocator, and skipped with a reason
# where they can not be had.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Without valgrind the cells are skipped; beside another pass it is one warning.
run env PATH=/nowhere "$hm" run -a floor -w churn --metrics instructions -o none --no-plots
expect_exit 0
expect_err "^churn/floor/.*skip: .*Debian package valgrind"
expect_column none/samples.csv status skip
run env PATH=/nowhere "$hm" run -a floor -w churn --metrics time,instructions --rounds 1 -o beside --no-plots
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

heapmark run -a system,pool -w churn --metrics instructions -o a --no-plots --rounds 1
expect_exit 0
expect_out "instr +reads +writes" "A/A: system .* 1  equivalent" "pool .*  fewer"
expect "a line is too long" bash -c "! grep -qE '.{81}' '$out'"
ops=$(column a/samples.csv ops | sort -u)

# counts ALLOCATOR: what the run says, and again ALLOCATOR PADDING: what one more process says, whose environment
# has another size, and whose files have longer names.
counts() {
    grep "^[^,]*,[^,]*,churn/$1/" a/samples.csv | grep -oE "(instructions|reads|writes)_per_op,[^,]*" | tr , ' ' | sort
}
again() {
    env -i PATH=/usr/bin:/bin "PADDING=$2" valgrind -q --tool=callgrind --cache-sim=yes --instr-atstart=no \
        --collect-atstart=no "--callgrind-out-file=profile-$2" "$hm" cell --pass=instructions --allocator="$1" \
        --workload=churn --units="$ops" --warmup="$ops" --cpus=-1 --seed=1 --nonce=n "--profile=profile-$2" \
        3>report 2>/dev/null >&2
    sed -n 's/^value \([a-z]*_per_op\) -1 /\1 /p' report | sort
}

# Processes agree to the instruction; other allocators do not.
[[ $(counts system | wc -l) -eq 3 ]] || fail "not three counts: $(counts system)"
[[ $(counts system) == "$(again system "$(printf %100d 7)")" ]] || fail "two processes differ: $(cat report)"
[[ $(counts system) == "$(counts 'system#2')" ]] || fail "the A/A arm differs"
[[ $(counts system) != "$(counts pool)" ]] || fail "pool counts as system does"
[[ $(counts system) != "$(again handicap:ns=20+system 1)" ]] || fail "a handicap is not counted"

# A handicap in turns: one call of 500 waits, and an operation is two calls. Turns are a few instructions each.
turned() {
    again "handicap:ns=0:turns=$1:every=500+system" 1 | sed -n 's/^instructions_per_op //p'
}
expect "1000 turns are not 4 for each operation" awk -v none="$(turned 0)" -v some="$(turned 1000)" \
    'BEGIN { exit !(some - none > 2 * 4 && some - none < 4 * 4) }'

# An interval of no width, and a verdict without a test.
awk -F, '$1 == "churn/pool/-/t1/core" && $(NF - 15) == "instructions_per_op"' a/stats.csv >row
expect "the row of pool is not one of a count" awk -F, '
    $(NF - 12) == 1 && $(NF - 11) > 0 && $(NF - 8) == $(NF - 11) && $(NF - 7) == $(NF - 11) &&
    $(NF - 5) == $(NF - 4) && $(NF - 4) == $(NF - 3) && $(NF - 5) < 0.98 && $(NF - 2) == "faster" { good = 1 }
    END { exit !good }' row

# The profiles are for valgrind's own tools, and their totals are what was told.
[[ -f a/callgrind/c0-r0.out && ! -e a/callgrind/c0-r0.out.1 ]] || fail "the profiles are $(ls a/callgrind)"
per_op=$(counts system | sed -n 's/^instructions_per_op //p')
total=$(sed -n 's/^totals: \([0-9]*\) .*/\1/p' a/callgrind/c0-r0.out)
expect "totals of $total are not $per_op for each of $ops" awk -v t="$total" -v p="$per_op" -v n="$ops" \
    'BEGIN { exit !(t > 4000000 && t == p * n) }'
