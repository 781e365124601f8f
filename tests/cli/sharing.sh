#!/usr/bin/env bash
# Threads that share objects: the variants of refcount run at the same time, the plain one under the lock.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# A variant is no part of its own.
heapmark list collectors
expect_exit 0
grep -q refcount_ "$out" && fail "a variant is listed"
heapmark run -c refcount_atomic -w sharing
expect_refusal "collector" "refcount_atomic"
heapmark run -c refcount:count=some -w sharing
expect_refusal "refcount" "count=some" "plain" "atomic" "biased"

heapmark run --rounds 2 -a system -c refcount:count=atomic,refcount:count=biased,refcount -w sharing -t 2 \
    --threading free -o free --no-plots
expect_exit 0
expect_in free/samples.csv "refcount does not support --threading free"

heapmark run --rounds 2 -a system -c refcount,refcount:count=biased,generational -w sharing -t 2 \
    --threading gil -o gil --no-plots
expect_exit 0
expect_column gil/samples.csv status ok

# states DIR COLLECTOR: how its cells ended.
states() {
    tr -d '"\r' <"$1/samples.csv" | awk -F, -v collector="$2" '$5 == collector { print $19 }' | sort -u
}
[[ $(states free refcount:count=atomic) == ok ]] || fail "atomic did not run"
[[ $(states free refcount:count=biased) == ok ]] || fail "biased did not run"
[[ $(states free refcount) == skip ]] || fail "plain ran without the lock"

# A name for each way in a script, too; its count is what both halves of a biased one are together.
printf 'new a 1\nnew b 0\nref a 0 b\nrefcount b\ndrop b\nrefcount b\ndrop a\n' >counts.gc
for how in plain atomic biased; do
    heapmark sim -c "refcount:count=$how" --script counts.gc
    expect_exit 0
    cp "$out" "$how.csv"
    cmp plain.csv "$how.csv" || fail "the script goes another way with $how"
done
