#!/usr/bin/env bash
# A workload's own figures are metrics: listed, in samples.csv and stats.csv, and below the table.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

heapmark list metrics
expect_out "^  producer_waits " "^  consumer_waits "

heapmark run -a system -w xthread:batch=64:queue=1 -t 1,2 --rounds 1 -o run --no-plots
expect_exit 0
expect_out "^producer_waits, batches$" "^  xthread:batch=64:queue=1, 2 threads$"
expect "more than 80 columns" bash -c "! sed -n '/own figures/,\$p' '$out' | grep -E '.{81}'"
# With one place in the queue hardly a batch is there already; one row for both threads.
grep ',producer_waits,' run/samples.csv >own.csv
[[ $(wc -l <own.csv) -eq 4 ]] || fail "1 round of 4 arms gives $(wc -l <own.csv) rows"
expect "not of the whole process" bash -c "! grep -v ',-1,producer_waits,' own.csv"
expect "no unit, or nothing counted" bash -c "! grep -vE ',[1-9][0-9]*,batches,neither,' own.csv"
expect "nobody waits at one thread" bash -c "! grep '/1/' own.csv"
expect "no row of stats.csv" grep -qE ',2,consumer_waits,batches,neither,1,' run/stats.csv

# They count from the end of the warm-up, which takes longer than what is timed: of a producer's batches,
# which are the blocks of both threads over 64, none is counted twice.
awk -F, '{ print $15, $18 / 64 }' own.csv | while read -r waits most; do
    awk -v a="$waits" -v b="$most" 'BEGIN { exit !(a > 0 && a <= b) }' || echo "$waits waits for $most batches"
done >wrong
[[ ! -s wrong ]] || fail "$(cat wrong)"

# Without a time pass, the space pass tells them.
heapmark run -a system -w xthread:batch=64:queue=1 -t 2 --rounds 1 -o space --no-plots --metrics space
expect_exit 0
expect "no figure in the space pass" grep -q ',producer_waits,' space/stats.csv

# No figures, no table of them.
heapmark "${tiny[@]}" -o without
expect "a table without figures" bash -c "! grep -q 'own figures' '$out'"
