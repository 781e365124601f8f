#!/usr/bin/env bash
# The conformance suite of our own allocators under valgrind's memcheck: no invalid access, no use of
# what nobody wrote, no leak. There are no suppressions.
#
# An arena is one mapping, inside of which memcheck sees no blocks: what is found is what goes beyond
# it, and every misuse of the C library's blocks, which the layers and pool's larger ones are.
#
# Skipped where valgrind is missing.
# labels: slow plain
# timeout: 300
set -u

suite=$(dirname "$1")/tests/allocators_test
command -v valgrind >/dev/null || { echo "no valgrind here"; exit 77; }
[ -x "$suite" ] || { echo "no $suite"; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
    --fair-sched=try --num-callers=20 --log-file="$folder/log" \
    "$suite" --memcheck >"$folder/out" 2>&1
status=$?
[ $status = 0 ] && exit 0
echo "status $status"
grep -v 'Warning: set address range perms' "$folder/log" | head -n 60
grep -E 'ERROR|FAILED|PASSED' "$folder/out" | head -n 40
exit 1
