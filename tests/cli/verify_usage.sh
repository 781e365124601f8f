#!/usr/bin/env bash
# What verify is asked and what it answers: wrong usage, exit status, table and JSON, and libraries
# that do not come to their first malloc.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

refused() {
    heapmark verify "${@:2}"
    expect_refusal "$1"
}

refused "did you mean 'pool'" -a pol
refused "arena" -a pool:arena=3
refused "no such file" -a ./missing.so
refused "a name is missing" -a pool,
refused "did you mean 'calloc'" --property caloc
refused "whole number" --ops many
refused "whole number" --ops 0
refused "whole number" --ops 1.5
refused "whole number" --ops 1e-3
refused "whole number" --ops 1e99
refused "table or json" --format xml
refused "timeout" --timeout never
refused "did you mean '--property'" --propety calloc
refused "needs a value" --seed
refused "one too many" pool

# A property by its name, several by the beginning of theirs.
heapmark verify -a pool --property calloc,misuse
expect_exit 0
expect_out "^calloc +passed" "^misuse-double-free +" "^misuse-overflow +"
! grep -q "^realloc" "$out" || fail "a property that was not asked for"

heapmark verify -a pool --property calloc --ops 2.5e3
expect_exit 0
expect_out "^2500 operations"

# sized BODY: what becomes of a wrong size where free_sized does so; `room` is what the block has.
sized() {
    {
        echo '#include "tests/zoo/base.h"'
        echo 'ZOO_EXPORT void free_sized(void *p, size_t size);'
        echo "void free_sized(void *p, size_t size) { size_t room = base_usable(p); $1 }"
    } >sized.c
    cc -D_GNU_SOURCE -w -O1 -fno-builtin -shared -fPIC -I"$source_dir" -o sized.so sized.c -lpthread
    heapmark verify -a ./sized.so --property sized-free,misuse-sized-mismatch
    expect_exit 0
    expect_out "^sized-free +passed" "^misuse-sized-mismatch +$2"
}

sized "base_free(p);" neutralised
sized "size_t least = room > 8192 ? 8193 : room > 16 ? room / 2 : 0;
    if (size > room || size < least) abort();
    base_free(p);" aborted
sized "if (p && size <= 8192 && span_of(p)->class < CLASSES) give_small(class_of(size), p);
    else base_free(p);" "(late|missed)"
heapmark verify -a pool --property misuse-sized-mismatch
expect_exit 0
expect_out "^misuse-sized-mismatch +unsupported" "^unsupported: misuse-sized-mismatch: it exports"

# A table of all parts fits on 80 columns, and says of each library that it is missing or runs.
heapmark verify --property entry-points
expect_exit 0
[[ $(awk 'length > 80 && !/^missing/' "$out") == "" ]] || fail "a line of more than 80 columns"
! grep -qE "^property.* floor" "$out" || fail "a control is checked"

# An arena in which next to nothing fits is no pass of the random scripts.
heapmark verify -a first-fit:size=1K --property random --ops 20K
expect_exit 0
expect_out "^random +unsupported" "most requests were refused"
! grep -q "million checked" "$out" || fail "what was refused has a rate"

heapmark verify -a pool,first-fit --property calloc
expect_exit 0
for part in pool first-fit; do
    expect_err "^heapmark verify: $part: 2 passed, 0 deviate, 0 failed, 0 unsupported$"
done

heapmark verify -a pool --property calloc --format json
expect_exit 0
expect_out '"allocator": "pool"' '"property": "calloc"' '"verdict": "passed"' '"seed": 1'
expect "not JSON" python3 -m json.tool "$out"

# A property that crashes the process is one verdict, and the next one runs.
library crash <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
static char arena[1 << 28] __attribute__((aligned(4096)));
static size_t used;
static void *take(size_t align, size_t n) {
    used = (used + 16 + align - 1) & -align;
    if (n > sizeof arena - used - 64) return NULL;
    memcpy(arena + used - 16 + 4096, &n, 8);
    used += n + 32;
    return arena + used - n - 32 + 4096;
}
void *malloc(size_t n) { return take(16, n); }
void *calloc(size_t n, size_t s) { return take(16, n * s); }
void *realloc(void *p, size_t n) {
    size_t old;
    void *q = take(16, n);
    if (!p || !q) return q;
    memcpy(&old, (char *)p - 16, 8);
    return memcpy(q, p, old < n ? old : n);
}
void free(void *p) {}
void *aligned_alloc(size_t a, size_t n) { return take(a < 16 ? 16 : a, n); }
void *memalign(size_t a, size_t n) { return take(a, n); }
int posix_memalign(void **p, size_t a, size_t n) { *p = take(a, n); return 0; }
size_t malloc_usable_size(void *p) { size_t n; memcpy(&n, (char *)p - 16, 8); return n; }
C
heapmark verify -a ./crash.so --property usable-size,free-null-errno
expect_exit 1
expect_out "^usable-size +failed" "^free-null-errno +passed" \
    "^failed: crash.so, usable-size: killed by SIGSEGV: usable_size\(NULL\)"

library nothing <<'C'
int nothing(void) { return 0; }
C
heapmark verify -a ./nothing.so --property calloc
expect_exit 1
expect_out "entry-points +failed" "calloc +could-not-run" "malloc comes from"

library leaver <<'C'
#include <unistd.h>
__attribute__((constructor)) static void leave(void) { _exit(0); }
C
heapmark verify -a ./leaver.so --property calloc
expect_exit 1
expect_out "entry-points +failed" "ended early, with exit status 0"

library sleeping <<'C'
#include <unistd.h>
__attribute__((constructor)) static void rest(void) { sleep(100); }
C
heapmark verify -a ./sleeping.so --property calloc --timeout 0.5
expect_exit 1
expect_out "entry-points +failed" "no progress for 0.5 s"

# Where there is no terminal, each allocator is told of as soon as it is done.
mkfifo lines
"$hm" verify -a first-fit,./sleeping.so --property calloc --timeout 60 2>lines >/dev/null &
told=$(timeout 30 head -n 1 lines)
kill $!
wait $! 2>/dev/null
[[ $told == "heapmark verify: first-fit: "* ]] || fail "nothing is told of the first: '$told'"

# It is called by heapmark itself, and says so when it is not.
heapmark --help
! grep -q verify-child "$out" || fail "verify-child is listed"
heapmark verify-child --property=calloc
expect_exit 2
