/* What is dead in a heap is told in bytes: on a heap that maps each block and that gives back, or
 * keeps, what is freed. Then what workloads make of it.
 *
 * labels: plain */
#include "tests/unit/heap_cell.h"
#include "workloads/footprint.h"

#include <sys/mman.h>

enum {
    MIB = 1 << 20,
    NOISE = 256 << 10, /* stacks, tables and what the library itself maps meanwhile */
};

static void test_dead_bytes_are_those_that_are_resident_and_not_live(void **state) {
    (void)state;
    struct hm_footprint footprint = {0, 0};
    hm_footprint_open(&footprint);
    assert_in_range(hm_footprint_dead(&footprint), 0, NOISE);
    char *pages = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(pages, MAP_FAILED);
    assert_in_range(hm_footprint_dead(&footprint), 0, NOISE); /* mapped, not resident */
    memset(pages, 1, 16 * MIB);
    assert_in_range(hm_footprint_dead(&footprint), 16 * MIB - NOISE, 16 * MIB + NOISE);
    hm_footprint_add(&footprint, 12 * MIB);
    assert_in_range(hm_footprint_dead(&footprint), 4 * MIB - NOISE, 4 * MIB + NOISE);
    hm_footprint_add(&footprint, -2 * MIB);
    assert_in_range(hm_footprint_dead(&footprint), 6 * MIB - NOISE, 6 * MIB + NOISE);
    void *scratch = hm_scratch(8 * MIB); /* the harness's own */
    assert_in_range(hm_footprint_dead(&footprint), 6 * MIB - NOISE, 6 * MIB + NOISE);
    hm_scratch_free(scratch, 8 * MIB);
    munmap(pages, 16 * MIB);
    assert_in_range(hm_footprint_dead(&footprint), 0, NOISE);
}

static void test_base_is_the_lowest_that_any_thread_saw(void **state) {
    (void)state;
    struct hm_footprint footprint = {0, 0};
    hm_footprint_open(&footprint);
    uint64_t first = footprint.base;
    char *pages = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    hm_footprint_open(&footprint);
    assert_true(footprint.base <= first);
    munmap(pages, 16 * MIB);
}

/* ---- Heaps of which it is known what they keep ---- */

static size_t mapped_bytes(size_t size) {
    return (size + 16 + 4095) & ~(size_t)4095;
}

static void *map_block(size_t size) {
    size_t *block = mmap(NULL, mapped_bytes(size), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    assert_ptr_not_equal(block, MAP_FAILED);
    *block = mapped_bytes(size);
    return block + 2;
}

static void unmap_block(void *block) {
    if (block)
        munmap((size_t *)block - 2, *((size_t *)block - 2));
}

static uint64_t kept_bytes;

static void keep_block(void *block) {
    kept_bytes += block ? *((size_t *)block - 2) : 0;
}

/* @param values of the figures of the second half of the units, prepared one by one as by the engine */
static void measure(const struct example *example, void (*release)(void *), double *values) {
    struct hm_memory memory = counted_memory(HM_SHAPE_LIBC);
    memory.libc.malloc = map_block;
    memory.libc.free = release;
    struct cell cell;
    open_cell(&cell, example, memory, 1, 7);
    struct hm_run *run = &cell.runs[0];
    assert_int_equal(cell.workload->setup(run), 0);
    for (int half = 0; half < 2; half++) {
        for (uint64_t i = 0; i < example->units / 2; i++) {
            assert_int_equal(cell.workload->prepare(run), 0);
            assert_int_equal(cell.workload->run(run, 1), 1);
        }
        cell.workload->measure(run, values);
    }
    cell.workload->teardown(run);
    close_cell(&cell);
}

/* Blocks of 4080 bytes to 8159 take one page or two: half as much again is dead, and no more. */
static void test_phases_tell_what_a_phase_left_behind(void **state) {
    (void)state;
    const struct example phases = {
        "phases",
        {{"bytes", 4 * MIB}, {"count", 1000}, {"min", 4080}, {"max", 8160}, {"keep", 50}},
        4,
        0};
    double dead;
    measure(&phases, unmap_block, &dead);
    assert_in_range(dead, 0, 2 * MIB);
    kept_bytes = 0;
    measure(&phases, keep_block, &dead);
    /* after 3 and after 4 phases of about 6 MiB each, of which 2 MiB are live */
    assert_in_range(dead, 3.5 * 6 * MIB - 2 * MIB - 3 * MIB, 3.5 * 8 * MIB);
    assert_true(dead < (double)kept_bytes);
}

static void test_burst_tells_what_was_kept_and_what_went(void **state) {
    (void)state;
    const struct example burst = {
        "burst", {{"count", 500}, {"min", 4080}, {"max", 4080}, {"keep", 0}, {"gap", 1}}, 4, 0};
    double values[2];
    measure(&burst, unmap_block, values);
    assert_in_range(values[0], 0, NOISE);
    assert_in_range(values[1], 0, NOISE);
    measure(&burst, keep_block, values);
    assert_in_range(values[0], 3.5 * 500 * 4096 - NOISE, 3.5 * 500 * 4096 + NOISE);
    assert_in_range(values[1], 0, NOISE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_dead_bytes_are_those_that_are_resident_and_not_live,
                               start_afresh),
        cmocka_unit_test_setup(test_base_is_the_lowest_that_any_thread_saw, start_afresh),
        cmocka_unit_test_setup(test_phases_tell_what_a_phase_left_behind, start_afresh),
        cmocka_unit_test_setup(test_burst_tells_what_was_kept_and_what_went, start_afresh),
    };
    return cmocka_run_group_tests_name("footprint", tests, NULL, NULL);
}
