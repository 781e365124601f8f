#!/usr/bin/env bash
# Parameters that leave one thread only: skipped in a run and unsupported in verify, for any number
# of threads above 1; neither measured nor failed.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

heapmark run -a first-fit:lock=none,pool:lock=none,locked+first-fit:lock=none -w churn -t 2 \
    --rounds 1 --dry-run -o o
expect_exit 0
for part in first-fit pool; do
    expect_out "^churn/$part:lock=none/-/t2/core  skip: $part works on one thread only"
done
! grep -q "/locked+.* skip" "$out" || fail "a layer that locks does not help"

heapmark run -a first-fit:lock=none:backing=shared -w churn -t 2 --rounds 1 --dry-run -o o
! grep -q " skip" "$out" || fail "users who keep out of each other's way are refused"

heapmark verify -a first-fit:lock=none,pool:lock=none --property first-touch,random-threads --ops 20K
expect_exit 0
for property in first-touch random-threads; do
    expect_out "^$property +unsupported +unsupported$"
done
expect_out "first-fit is not for several threads" "pool is not for several threads"
