#!/usr/bin/env bash
# The model of pool's queue of remote frees holds, and each weakening of it is found out.
#
# Skipped where spin or a C compiler is missing.
# labels: plain
set -u

model=$(cd "$(dirname "$0")/../model" && pwd)/remote.pml
command -v spin >/dev/null && command -v cc >/dev/null || exit 77
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1

# errors_of DEFINITION..: what the verification of the whole state space counts.
errors_of() {
    spin -a "$@" "$model" >/dev/null && cc -O1 -w -DSAFETY -o pan pan.c || exit 1
    ./pan -m100000 | sed -n 's/.*errors: \([0-9]*\)$/\1/p'
}

failed=0
[ "$(errors_of)" = 0 ] || { echo "the model is wrong"; failed=1; }
for weakening in LATE_LINK TORN_TAKE BLIND_PUSH; do
    errors=$(errors_of -D$weakening)
    [ "${errors:-0}" -gt 0 ] || { echo "$weakening is not found"; failed=1; }
done
exit $failed
