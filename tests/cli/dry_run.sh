#!/usr/bin/env bash
# --dry-run shows the cells and how long they would take, and writes nothing.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

heapmark run -a floor,system -w churn -t 1,2 --rounds 3 --dry-run -o o
expect_exit 0
expect_out "floor" "system" "churn" '[0-9.]+ ?(s|min|seconds|minutes)\b'
expect "a dry run wrote something" test ! -e o
expect "a dry run left a file" test -z "$(ls)"

heapmark run --dry-run
expect_exit 0
expect_out "floor"
