/* A ledger of the blocks of a heap. */
#include "harness/cell/ledger.h"

#include "workloads/scratch.h"

#include <errno.h>
#include <string.h>

static const size_t largest_region = (size_t)1 << 36;
static const size_t smallest_region = (size_t)1 << 28;
static const size_t node_bytes = sizeof(void *) << HM_LEDGER_NODE_BITS;

/* Zeroed and touched; under the mutex. Never given back before the end. @return NULL: all is used */
static void *cut(struct hm_ledger *ledger, size_t bytes) {
    char *memory = ledger->region + ledger->used_bytes;
    if (bytes > ledger->region_bytes - ledger->used_bytes ||
        mprotect(memory, bytes, PROT_READ | PROT_WRITE))
        return NULL;
    madvise(memory, bytes, MADV_NOHUGEPAGE); /* one would hold more than is counted */
    memset(memory, 0, bytes);
    ledger->used_bytes += bytes;
    __atomic_fetch_add(&hm_scratch_held_bytes, bytes, __ATOMIC_RELAXED);
    return memory;
}

int hm_ledger_open(struct hm_ledger *ledger, size_t entry_bytes) {
    *ledger = (struct hm_ledger){.entry_bytes = entry_bytes, .mutex = PTHREAD_MUTEX_INITIALIZER};
    void *region = MAP_FAILED;
    size_t bytes = largest_region;
    for (; region == MAP_FAILED && bytes >= smallest_region; bytes /= 2) {
        region = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ledger->region_bytes = bytes;
    }
    if (region == MAP_FAILED)
        return ENOMEM;
    ledger->region = region;
    ledger->root = cut(ledger, node_bytes);
    if (ledger->root)
        return 0;
    hm_ledger_close(ledger);
    return ENOMEM;
}

void hm_ledger_close(struct hm_ledger *ledger) {
    if (ledger->region)
        munmap(ledger->region, ledger->region_bytes);
    __atomic_fetch_sub(&hm_scratch_held_bytes, ledger->used_bytes, __ATOMIC_RELAXED);
    *ledger = (struct hm_ledger){.entry_bytes = 0};
}

/* What a slot points to, made when it points to nothing. */
static void *fill(struct hm_ledger *ledger, void **slot, size_t bytes) {
    void *there = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
    if (there)
        return there;
    pthread_mutex_lock(&ledger->mutex);
    there = *slot ? *slot : cut(ledger, bytes);
    __atomic_store_n(slot, there, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&ledger->mutex);
    return there;
}

void *hm_ledger_grow(struct hm_ledger *ledger, uintptr_t address) {
    size_t leaf = address >> (HM_LEDGER_GRAIN_BITS + HM_LEDGER_LEAF_BITS);
    void **node = fill(ledger, &ledger->root[leaf >> HM_LEDGER_NODE_BITS], node_bytes);
    if (!node || !fill(ledger, &node[leaf & ((1u << HM_LEDGER_NODE_BITS) - 1)],
                       ledger->entry_bytes << HM_LEDGER_LEAF_BITS))
        return NULL;
    return hm_ledger_at(ledger, (const void *)address);
}
