/* LLVM's hardened allocator, stand-alone: preloaded, then called as the process's malloc. */
#include "allocators/libc.h"

#if defined(__aarch64__)
#define LIBRARY "libclang_rt.scudo_standalone-aarch64.so"
#else
#define LIBRARY "libclang_rt.scudo_standalone-x86_64.so"
#endif

static const struct hm_allocator hm_scudo;

static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    (void)options;
    return hm_libc_open(out, &hm_scudo);
}

static const struct hm_allocator hm_scudo = {
    .abi = HM_ALLOCATOR_ABI,
    .name = "scudo",
    .summary = "LLVM's hardened allocator: checksummed headers, randomised classes; compiler-rt 14",
    .origin = "Kostya Kortchinsky: LLVM, Scudo hardened allocator",
    .caps = HM_CAP_THREADS,
    .library = LIBRARY,
    .package = "libclang-rt-14-dev",
    .open = open_heap,
};
HM_REGISTER(hm_allocator, hm_scudo);
