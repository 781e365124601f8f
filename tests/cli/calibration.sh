#!/usr/bin/env bash
# A moment in which a process stands still while it finds out how long its work takes, as when another one
# has its processor, does not make the samples short.
# labels: plain timing
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The 8000th malloc sleeps 30 ms: the calibration has then come to runs of about 4096 units, of which 15 ms
# would seem to hold half.
cat >still.c <<'END'
#include <errno.h>
#include <stddef.h>
#include <time.h>
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);
void *malloc(size_t size) {
    static unsigned long count;
    if (__atomic_add_fetch(&count, 1, __ATOMIC_RELAXED) == 8000)
        nanosleep(&(struct timespec){0, 30000000}, NULL);
    return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) { return __libc_calloc(count, size); }
void *realloc(void *block, size_t size) { return __libc_realloc(block, size); }
void *aligned_alloc(size_t alignment, size_t size) { return __libc_memalign(alignment, size); }
void *memalign(size_t alignment, size_t size) { return __libc_memalign(alignment, size); }
int posix_memalign(void **out, size_t alignment, size_t size) {
    return (*out = __libc_memalign(alignment, size)) ? 0 : ENOMEM;
}
size_t malloc_usable_size(void *block) { return block ? 1 : 0; }
void free(void *block) { __libc_free(block); }
END
cc -O1 -shared -fPIC -o libstill.so still.c || fail "the allocator does not compile"

heapmark run -a ./libstill.so -w pairs -t 1 --quick --rounds 1 --metrics time --no-plots -o o
expect_exit 0
column o/samples.csv ops >ops
[[ $(sort -n ops | tail -n 1) -gt 4096 ]] || fail "samples of $(sort -n ops | tail -n 1) operations"
