#!/usr/bin/env bash
# A pass that was not asked for leaves NA, never 0 and never nan.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

heapmark run -a system -w churn --metrics space --rounds 2 -o space --no-plots
expect_exit 0
expect_out " NA "
expect "nan stands in the table" bash -c "! grep -qw nan '$out'"
expect "time was measured" bash -c '! grep -q ,time_ns, space/stats.csv'
expect "no footprint" grep -q ,footprint_bytes, space/stats.csv

heapmark run -a system -w churn --metrics time --rounds 2 -o time --no-plots
expect_exit 0
expect "footprint was measured" bash -c '! grep -q ,footprint_bytes, time/stats.csv'
expect "no time" grep -q ,time_ns, time/stats.csv
