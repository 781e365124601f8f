/* The ledger of blocks: an entry for each address, and what it takes is scratch memory.
 *
 * labels: threads */
#include "harness/cell/ledger.h"
#include "workloads/scratch.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum {
    THREADS = 4,
    BLOCKS = 20000,
};

static struct hm_ledger ledger;

static const void *at(uint64_t address) {
    return (const void *)(uintptr_t)address;
}

static void test_blocks_next_to_each_other_and_far_apart_have_entries_of_their_own(void **state) {
    static const uint64_t addresses[] = {
        8, 16, 0xfffff8, 0x100000, 0x100008, 0x7f0000000000, 0xfffffffffff8};
    enum {
        COUNT = sizeof addresses / sizeof *addresses
    };
    (void)state;
    assert_int_equal(hm_ledger_open(&ledger, sizeof(uint32_t)), 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t *entry = hm_ledger_at(&ledger, at(addresses[i]));
        assert_non_null(entry);
        assert_int_equal(*entry, 0);
        *entry = i + 1;
    }
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(*(uint32_t *)hm_ledger_at(&ledger, at(addresses[i])), i + 1);
    hm_ledger_close(&ledger);
}

static void test_addresses_that_it_has_no_place_for_have_no_entry(void **state) {
    (void)state;
    assert_int_equal(hm_ledger_open(&ledger, 1), 0);
    assert_null(hm_ledger_at(&ledger, at(0x1004)));
    assert_null(hm_ledger_at(&ledger, at(0x1001)));
    assert_null(hm_ledger_at(&ledger, at(1ull << 48)));
    hm_ledger_close(&ledger);
}

static void test_its_memory_is_scratch_until_it_is_closed(void **state) {
    (void)state;
    size_t before = hm_scratch_bytes();
    assert_int_equal(hm_ledger_open(&ledger, 1), 0);
    size_t open = hm_scratch_bytes();
    assert_non_null(hm_ledger_at(&ledger, at(0x40000000)));
    assert_true(hm_scratch_bytes() >= open + (1u << HM_LEDGER_LEAF_BITS));
    hm_ledger_close(&ledger);
    assert_int_equal(hm_scratch_bytes(), before);
}

/* Each thread's blocks lie between those of the others. */
static void *write_own(void *arg) {
    uintptr_t thread = (uintptr_t)arg;
    for (uint64_t i = 0; i < BLOCKS; i++)
        *(uint8_t *)hm_ledger_at(&ledger, at((i * THREADS + thread) * 4096)) =
            (uint8_t)(thread + 1);
    return NULL;
}

static void test_threads_that_grow_it_at_the_same_time_share_its_nodes(void **state) {
    pthread_t threads[THREADS];
    (void)state;
    assert_int_equal(hm_ledger_open(&ledger, 1), 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, write_own, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (uint64_t i = 0; i < BLOCKS * THREADS; i++)
        assert_int_equal(*(uint8_t *)hm_ledger_at(&ledger, at(i * 4096)), i % THREADS + 1);
    hm_ledger_close(&ledger);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_next_to_each_other_and_far_apart_have_entries_of_their_own),
        cmocka_unit_test(test_addresses_that_it_has_no_place_for_have_no_entry),
        cmocka_unit_test(test_its_memory_is_scratch_until_it_is_closed),
        cmocka_unit_test(test_threads_that_grow_it_at_the_same_time_share_its_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
