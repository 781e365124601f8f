#!/usr/bin/env bash
# No false alarm: what verify finds in an allocator that is used everywhere, a program of a few lines
# without any of our code must see too. Our own parts have nothing to be found.
# labels: plain
# timeout: 300
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Names the properties whose breach it sees, in the malloc that it runs on.
cc -O0 -w -o witness -xc - <<'C'
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
static volatile size_t wide = (size_t)1 << 32, huge = (size_t)PTRDIFF_MAX + 1;
int main(void) {
    int bad = 0;
    for (volatile size_t alignment = 32; alignment <= 4096; alignment *= 2)
        for (int i = 0; i < 100; i++)
            bad |= (uintptr_t)aligned_alloc(alignment, alignment) % alignment != 0;
    if (bad)
        puts("alignment");
    void *old = malloc(40);
    errno = 0;
    bad = calloc(wide, wide) == NULL && errno != ENOMEM;
    errno = 0;
    bad |= malloc(huge) == NULL && errno != ENOMEM;
    errno = 0;
    bad |= realloc(old, huge) == NULL && errno != ENOMEM;
    if (bad)
        puts("enomem");
    return 0;
}
C

# only_what_is_there ALLOCATOR LIBRARY: LIBRARY is what the witness runs on, or empty.
only_what_is_there() {
    local property
    heapmark verify -a "$1" --ops 20K
    if grep -q "is not installed" "$err"; then
        echo "not tried: $1 is not installed"
        return
    fi
    LD_PRELOAD=$2 ./witness >seen 2>/dev/null || fail "the witness does not run on $1"
    [[ $status -le 1 ]] || fail "the exit status is $status"
    sed -n "s/^failed: $1, \([a-z-]*\): .*/\1/p" "$out" >found
    while read -r property; do
        grep -qx "$property" seen || fail "a false alarm: $1, $property"
    done <found
    while read -r property; do
        grep -qx "$property" found || fail "not found: $1, $property"
    done <seen
}

only_what_is_there system ""
only_what_is_there jemalloc libjemalloc.so.2
only_what_is_there mimalloc libmimalloc.so.2
only_what_is_there tcmalloc libtcmalloc_minimal.so.4

for part in pool pool:arena=256K:pool=4K first-fit first-fit:size=1M first-fit:align=1:size=4M; do
    heapmark verify -a "$part" --ops 20K
    expect_exit 0
    ! grep -q "^failed" "$out" || fail "a false alarm: $part"
done
