#!/usr/bin/env bash
# Without gnuplot the numbers are complete, and one line says that the figures are missing.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

run env PATH="$work/nothing" "$hm" run -a floor -w churn -t 1 --rounds 1 -o o
expect_exit 0
[[ $(grep -ci gnuplot "$err") -eq 1 ]] || fail "not one line about gnuplot"
expect_column o/samples.csv status ok
expect "no statistics" test -s o/stats.csv
expect "run.json is not JSON" python3 -m json.tool o/run.json

run env PATH="$work/nothing" "$hm" plot o
expect_exit 1
expect_one_line "gnuplot"
