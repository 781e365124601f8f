#!/usr/bin/env bash
# Each process of a program proves which allocator it runs on; one that does not is no number.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# exec_ends STATUS ARGUMENT..: all its cells end so.
exec_ends() {
    local expected=$1
    shift
    rm -rf o
    heapmark exec --rounds 1 --no-plots -o o "$@"
    expect_exit "$([[ $expected == ok ]] && echo 0 || echo 1)"
    expect_column o/samples.csv status "$expected"
}

library mine <<'C'
#include <errno.h>
#include <stddef.h>
#include <string.h>
static _Alignas(64) char arena[1 << 26];
static size_t used;
static void *take(size_t alignment, size_t n) {
    size_t at = (used + 16 + alignment - 1) & -alignment;
    if (n > sizeof arena || at + n > sizeof arena) { errno = ENOMEM; return NULL; }
    used = at + n;
    memcpy(arena + at - 16, &n, sizeof n);
    return arena + at;
}
void *malloc(size_t n) { return take(16, n); }
void free(void *p) { (void)p; }
void *calloc(size_t n, size_t size) { return take(16, n * size); }
size_t malloc_usable_size(void *p) { size_t n = 0; if (p) memcpy(&n, (char *)p - 16, sizeof n); return n; }
void *realloc(void *p, size_t n) {
    void *q = take(16, n);
    size_t old = malloc_usable_size(p);
    return p && q ? memcpy(q, p, old < n ? old : n) : q;
}
void *memalign(size_t a, size_t n) { return take(a < 16 ? 16 : a, n); }
void *aligned_alloc(size_t a, size_t n) { return memalign(a, n); }
int posix_memalign(void **p, size_t a, size_t n) { return (*p = memalign(a, n)) ? 0 : ENOMEM; }
C
library half <<'C'
#include <stddef.h>
extern void *__libc_malloc(size_t);
void *malloc(size_t n) { return __libc_malloc(n); }
C
library nothing <<'C'
int nothing(void) { return 0; }
C

exec_ends ok -a system,./mine.so -- ls /
python3 - o/run.json <<'END' >found || fail "run.json does not tell where malloc came from"
import json, sys
for cell in json.load(open(sys.argv[1]))["cells"]:
    print(cell["cell"].split("/")[1], cell["malloc_from"])
END
expect_in found "^mine.so $work/mine.so\$" "^system /.*libc" "^system#2 /.*libc"

exec_ends wrong-allocator -a ./half.so -- ls /
expect_err "calloc of ls comes from .*libc.*, not from .*half.so"
exec_ends wrong-allocator -a ./nothing.so -- ls /
expect_err "malloc of ls comes from .*libc.*, not from .*nothing.so"

# A program that brings its own malloc, and one that is linked with another library.
echo 'int main(void) { return 0; }' >main.c
{ cat main.c; echo 'void *malloc(unsigned long n) { return (void *)(n * 0); }'; } >own.c
cc -fno-builtin -o own own.c || fail "could not compile own"
exec_ends wrong-allocator -a system -- ./own
expect_err "malloc of own comes from .*/own, not from .*libc"
cc -o linked main.c -Wl,--no-as-needed ./mine.so || fail "could not compile linked"
exec_ends ok -a system,./mine.so -- ./linked

# One that takes the address of free, at a fixed place: the linker makes a stub of its own.
cat >fixed.c <<'C'
#include <stdlib.h>
static void (*volatile kept)(void *);
int main(void) { kept = free; kept(malloc(10)); return 0; }
C
cc -no-pie -fno-pie -o fixed fixed.c || fail "could not compile fixed"
exec_ends ok -a system,./mine.so -- ./fixed

if cc -static -o static main.c 2>/dev/null; then
    exec_ends wrong-allocator -a system -- ./static
    expect_err "took no preload.*static"
fi

# Children, too, whoever their parent is.
exec_ends ok -a ./mine.so -- sh -c 'sh -c "ls / | wc -l"; (ls /; ls /)'
exec_ends wrong-allocator -a ./mine.so -- sh -c 'LD_PRELOAD=${LD_PRELOAD%%:*} ls /; :'
expect_err "malloc of ls comes from"
exec_ends ok -a ./mine.so --children any -- sh -c 'LD_PRELOAD=${LD_PRELOAD%%:*} ls /; :'

# What would have chosen or tuned an allocator is dropped, and said; the rest stays.
export LD_PRELOAD=$work/nothing.so MALLOC_ARENA_MAX=1 MINE=yes
exec_ends ok -a system -- sh -c '[ "$MINE" = yes ] && [ -z "$MALLOC_ARENA_MAX" ]'
unset LD_PRELOAD
expect_err "not in the program's environment: .*LD_PRELOAD" "MALLOC_ARENA_MAX"
! grep -q MINE "$err" || fail "it drops what has to do with nothing"
