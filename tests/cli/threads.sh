#!/usr/bin/env bash
# More threads than cores are measured, labelled and warned of.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

heapmark run -a floor -w churn -t $(($(nproc) + 1)) --rounds 1 --no-plots -o o
expect_exit 0
expect_err "oversubscribed"
expect "the samples are not labelled" grep -q oversubscribed o/samples.csv
