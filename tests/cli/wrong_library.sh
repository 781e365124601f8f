#!/usr/bin/env bash
# A library that is not what it says ends as a failed cell, and never as a number.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# ends_as STATUS LIBRARY: next to a good arm, which keeps its numbers.
ends_as() {
    local expected=$1 path=$2
    rm -rf o
    heapmark run -a "floor,$path" -w churn -t 1 --rounds 1 --timeout 5 --no-plots -o o
    expect_exit 1
    states samples.csv status | grep -q '^floor ok$' || fail "the good arm did not end as ok"
    states samples.csv status | grep -q "^${path#./} $expected\$" ||
        fail "no row with status $expected: $(states samples.csv status | tr '\n' ';')"
    ! states samples.csv status | grep -q "^${path#./} ok\$" || fail "a row has status ok"
    ! states stats.csv n | grep -q "^${path#./} [1-9]" || fail "it has statistics"
}

# states FILE COLUMN: each allocator with each value of the column.
states() {
    column "o/$1" allocator >allocators
    column "o/$1" "$2" | paste -d ' ' allocators - | sort -u
}

library nothing <<'C'
int nothing(void) { return 0; }
C
ends_as wrong-allocator ./nothing.so

# Four functions are its own; a block of the C library's aligned_alloc would come to its free.
library half <<'C'
#include <stddef.h>
#include <string.h>
static char arena[1 << 28];
static size_t used;
void *malloc(size_t n) {
    size_t at = used;
    used += (n + 31) & ~(size_t)15;
    return used <= sizeof arena ? memcpy(arena + at, &n, sizeof n) + 16 : NULL;
}
void *calloc(size_t n, size_t size) { return malloc(n * size); }
void *realloc(void *p, size_t n) {
    size_t old = 0;
    void *q = malloc(n);
    if (p) memcpy(&old, (char *)p - 16, sizeof old);
    return p && q ? memcpy(q, p, old < n ? old : n) : q;
}
void free(void *p) { (void)p; }
C
ends_as wrong-allocator ./half.so

library leaver <<'C'
#include <unistd.h>
__attribute__((constructor)) static void leave(void) { _exit(0); }
C
ends_as invalid ./leaver.so

library failing <<'C'
#include <unistd.h>
__attribute__((constructor)) static void leave(void) { _exit(3); }
C
ends_as exit ./failing.so

library crashing <<'C'
#include <stdlib.h>
__attribute__((constructor)) static void leave(void) { abort(); }
C
ends_as signal ./crashing.so

library sleeping <<'C'
#include <unistd.h>
__attribute__((constructor)) static void rest(void) { sleep(100); }
C
ends_as timeout ./sleeping.so
