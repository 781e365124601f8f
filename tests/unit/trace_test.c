/* trace: the heap sees exactly the recorded calls, in their order and as often as they are replayed, and holds as
 * much as the program held; slots are as many as live blocks; what a heap breaks is found. */
#include "tests/unit/trace_cell.h"
#include "traces/replay.h"

#include <errno.h>

static const struct recording all_kinds = {
    .threads = 3, .live = 300, .inherited = 40, .seed = 7, .leave = 50};
static const struct recording plain = {.threads = 1, .live = 500, .plain = true, .seed = 9};

static struct hm_trace_totals totals_of_trace(void) {
    char why[HM_TRACE_WHY_BYTES];
    struct hm_trace_reader *reader;
    struct hm_trace_event event;
    assert_int_equal(hm_trace_open(trace_path, &reader, why), 0);
    while (hm_trace_next(reader, &event) > 0)
        ;
    struct hm_trace_totals totals = *hm_trace_totals(reader);
    hm_trace_close(reader);
    return totals;
}

static uint64_t live_at_end(void) {
    uint64_t *sizes = calloc(EVENTS + 1, sizeof *sizes);
    uint64_t sum = 0;
    for (size_t i = 0; i < event_count; i++) {
        const struct hm_trace_event *e = &events[i];
        if (e->failed || e->block == HM_TRACE_NULL || e->block == HM_TRACE_FOREIGN ||
            e->kind == HM_TRACE_USABLE)
            continue;
        sizes[e->block] = e->kind == HM_TRACE_FREE ? 0 : e->count * e->size;
    }
    for (size_t i = 0; i <= EVENTS; i++)
        sum += sizes[i];
    free(sizes);
    return sum;
}

static void test_the_heap_sees_the_recorded_calls_in_their_order(void **state) {
    (void)state;
    for (enum touch touch = TOUCH_NONE; touch <= TOUCH_ALL; touch++) {
        struct cell cell;
        draw_trace(touch == TOUCH_NONE ? &plain : &all_kinds, EVENTS);
        note_afresh();
        open_cell(&cell, noted_memory(), 1, touch);
        struct hm_run *run = &cell.runs[0];
        assert_int_equal(noted.calls, 0);
        assert_int_equal(cell.workload->prepare(run), 0);
        assert_int_equal(noted.calls, touch == TOUCH_NONE ? 0 : all_kinds.inherited);
        assert_int_equal(cell.workload->run(run, 1), 1);
        assert_int_equal(noted.digest, foretold_digest());
        assert_int_equal(noted.live_bytes, live_at_end());
        assert_int_equal(cell.workload->live_bytes(run), live_at_end());
        assert_null(cell.workload->verify(run));
        close_cell(&cell);
    }
}

static void test_the_peak_of_live_bytes_is_that_of_the_trace(void **state) {
    (void)state;
    struct cell cell;
    double figure;
    draw_trace(&all_kinds, EVENTS);
    note_afresh();
    open_cell(&cell, noted_memory(), 1, TOUCH_FIRST);
    assert_int_equal(cell.workload->prepare(&cell.runs[0]), 0);
    assert_int_equal(cell.workload->run(&cell.runs[0], 1), 1);
    assert_int_equal(noted.peak_bytes, totals_of_trace().peak_bytes);
    cell.workload->measure(&cell.runs[0], &figure);
    assert_true((uint64_t)figure == noted.peak_bytes);
    close_cell(&cell);
}

static void test_a_hundred_replays_are_the_same(void **state) {
    (void)state;
    struct cell cell;
    draw_trace(&all_kinds, EVENTS / 4);
    note_afresh();
    open_cell(&cell, noted_memory(), 1, TOUCH_FIRST);
    struct hm_run *run = &cell.runs[0];
    uint64_t digest = 0, checksum = 0;
    for (unsigned i = 0; i < 100; i++) {
        run->checksum = 0;
        note_afresh();
        assert_int_equal(cell.workload->prepare(run), 0);
        uint64_t prepared = noted.calls;
        noted.digest = 0;
        assert_int_equal(cell.workload->run(run, 1), 1);
        assert_int_equal(noted.calls - prepared, cell.workload->ops_per_unit(cell.values));
        if (i == 0) {
            digest = noted.digest;
            checksum = run->checksum;
        }
        assert_int_equal(noted.digest, digest);
        assert_int_equal(run->checksum, checksum);
        assert_null(run->failed);
    }
    close_cell(&cell);
}

static void test_operations_are_the_calls_that_are_made_again(void **state) {
    (void)state;
    struct hm_value values[2] = {{0, trace_path}, {0, NULL}};
    draw_trace(&all_kinds, EVENTS);
    struct hm_trace_totals totals = totals_of_trace();
    uint64_t calls = hm_workload_variant("trace", HM_SHAPE_HEAP, NULL)->ops_per_unit(values);
    assert_int_equal(calls, totals.operations - totals.failed - totals.null_frees - totals.foreign);
    assert_true(totals.failed && totals.null_frees && totals.foreign);
}

static void test_checksums_of_different_traces_differ(void **state) {
    (void)state;
    uint64_t seen[2];
    for (unsigned i = 0; i < 2; i++) {
        struct cell cell;
        draw_events(&all_kinds, EVENTS / 4);
        if (i)
            for (size_t at = event_count; at-- > 0;)
                if (events[at].kind == HM_TRACE_MALLOC && !events[at].failed) {
                    events[at].size++;
                    break;
                }
        write_trace();
        open_cell(&cell, noted_memory(), 1, TOUCH_NONE);
        assert_int_equal(cell.workload->prepare(&cell.runs[0]), 0);
        assert_int_equal(cell.workload->run(&cell.runs[0], 1), 1);
        seen[i] = cell.runs[0].checksum;
        close_cell(&cell);
    }
    assert_true(seen[0] != seen[1]);
}

static void test_parts_of_a_unit_are_the_unit(void **state) {
    (void)state;
    static const unsigned counts[] = {1, 2, 7, 100};
    draw_trace(&all_kinds, EVENTS);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct cell cell;
        note_afresh();
        open_cell(&cell, noted_memory(), 1, TOUCH_FIRST);
        struct hm_run *run = &cell.runs[0];
        uint64_t least = UINT64_MAX, most = 0;
        assert_int_equal(cell.workload->prepare(run), 0);
        assert_int_equal(cell.workload->live_bytes(run), noted.live_bytes);
        for (unsigned part = 0; part < counts[i]; part++) {
            uint64_t before = noted.calls;
            assert_true(cell.workload->run_part(run, part, counts[i]));
            assert_int_equal(cell.workload->live_bytes(run), noted.live_bytes);
            uint64_t calls = noted.calls - before;
            least = calls < least ? calls : least;
            most = calls > most ? calls : most;
        }
        assert_int_equal(noted.digest, foretold_digest());
        assert_true(most <= 3 * least);
        close_cell(&cell);
    }
}

/* ---- The plan ---- */

static struct hm_replay_plan *plan_of_events(unsigned workers) {
    static const struct hm_replay_memory scratch = {hm_scratch, hm_scratch_free};
    struct hm_replay_builder *builder;
    struct hm_replay_plan *plan;
    assert_int_equal(hm_replay_begin(workers, &builder), 0);
    for (size_t i = 0; i < event_count; i++)
        assert_int_equal(hm_replay_survey(builder, &events[i]), 0);
    for (size_t i = 0; i < event_count; i++)
        assert_int_equal(hm_replay_add(builder, &events[i]), 0);
    assert_int_equal(hm_replay_end(builder, &scratch, &plan), 0);
    return plan;
}

static void test_slots_are_as_many_as_blocks_live_at_most(void **state) {
    (void)state;
    draw_trace(&plain, EVENTS);
    struct hm_replay_plan *plan = plan_of_events(1);
    assert_int_equal(plan->streams[0].slot_count, totals_of_trace().peak_blocks);
    assert_int_equal(plan->common_count, 0);
    assert_int_equal(plan->streams[0].left_count, known_count);
    hm_scratch_free(plan, plan->bytes);
}

/* A byte for each code, at most eight for each malloc and four for each free. */
static void test_a_plan_of_plain_calls_is_small(void **state) {
    (void)state;
    draw_events(&plain, EVENTS);
    size_t scratch = hm_scratch_bytes();
    struct hm_replay_plan *plan = plan_of_events(1);
    const struct hm_replay_stream *stream = &plan->streams[0];
    assert_true(stream->word_count <= 2 * stream->calls);
    assert_true(stream->code_count <= stream->calls / 3);
    hm_scratch_free(plan, plan->bytes);
    assert_int_equal(hm_scratch_bytes(), scratch);
}

static void test_numbers_that_no_word_holds_are_kept(void **state) {
    (void)state;
    event_count = 0;
    add_event(HM_TRACE_MALLOC, 0, 1, UINT64_C(5) << 32);
    add_event(HM_TRACE_CALLOC, 0, 2, 0)->count = UINT64_C(7) << 32;
    add_event(HM_TRACE_REALLOC, 0, 1, UINT64_C(9) << 33);
    add_event(HM_TRACE_REALLOC, 0, 1, 8);
    struct hm_replay_plan *plan = plan_of_events(1);
    assert_int_equal(plan->rare_count, 4);
    assert_true(plan->rares[0].kind == HM_TRACE_MALLOC && plan->rares[0].size == UINT64_C(5) << 32);
    assert_true(plan->rares[1].kind == HM_TRACE_CALLOC && plan->rares[1].count == UINT64_C(7)
                                                                                      << 32);
    assert_true(plan->rares[2].kind == HM_TRACE_REALLOC &&
                plan->rares[2].size == UINT64_C(9) << 33 &&
                plan->rares[2].before == UINT64_C(5) << 32);
    assert_true(plan->rares[3].size == 8 && plan->rares[3].before == UINT64_C(9) << 33);
    assert_int_equal(plan->peak_bytes, UINT64_C(9) << 33);
    hm_scratch_free(plan, plan->bytes);
}

/* Some allocators free the block then, and give NULL. */
static void test_a_realloc_to_nothing_is_a_free_and_a_malloc(void **state) {
    (void)state;
    struct cell cell;
    event_count = 0;
    add_event(HM_TRACE_MALLOC, 0, 1, 10);
    add_event(HM_TRACE_REALLOC, 0, 1, 0);
    add_event(HM_TRACE_REALLOC, 0, 1, 20);
    write_trace();
    note_afresh();
    open_cell(&cell, noted_memory(), 1, TOUCH_ALL);
    assert_int_equal(cell.workload->prepare(&cell.runs[0]), 0);
    assert_int_equal(cell.workload->run(&cell.runs[0], 1), 1);
    uint64_t digest = 0;
    note_digest(&digest, 'm', 1, 10, 0);
    note_digest(&digest, 'f', 1, 0, 0);
    note_digest(&digest, 'm', 2, 0, 0);
    note_digest(&digest, 'r', 2, 20, 0);
    assert_int_equal(noted.digest, digest);
    assert_null(cell.workload->verify(&cell.runs[0]));
    close_cell(&cell);
}

/* ---- Out of memory, and broken heaps ---- */

static void test_memory_that_runs_out_ends_the_replay(void **state) {
    (void)state;
    size_t scratch = hm_scratch_bytes();
    draw_trace(&all_kinds, 2000);
    for (uint64_t at = 1; at < 1500; at += 97) {
        struct cell cell;
        note_afresh();
        open_cell(&cell, noted_memory(), 1, TOUCH_ALL);
        noted.fail_at = at;
        bool prepared = cell.workload->prepare(&cell.runs[0]) == 0;
        uint64_t done = prepared ? cell.workload->run(&cell.runs[0], 1) : 0;
        assert_int_equal(done, noted.allocations < at);
        close_cell(&cell);
        assert_int_equal(hm_scratch_bytes(), scratch);
    }
}

static void *forgetful_realloc(void *block, size_t bytes) {
    unsigned char *moved = noted_realloc(block, bytes);
    if (moved && bytes > 100)
        moved[99] = 0;
    return moved;
}

static void *dirty_calloc(size_t count, size_t size) {
    return noted_malloc(count * size);
}

static void *unaligned(size_t alignment, size_t bytes) {
    (void)alignment;
    return noted_malloc(bytes);
}

static size_t short_usable(void *block) {
    return noted_usable(block) / 2;
}

static void *scribbling_malloc(size_t bytes) {
    static unsigned char *last;
    unsigned char *block = noted_malloc(bytes);
    if (last)
        *last ^= 1;
    last = bytes == 77 ? block + 70 : NULL;
    return block;
}

static const char *verdict_on(struct hm_memory memory) {
    static struct cell cell;
    note_afresh();
    open_cell(&cell, memory, 1, TOUCH_NONE);
    assert_int_equal(cell.workload->prepare(&cell.runs[0]), 0);
    assert_int_equal(cell.workload->run(&cell.runs[0], 1), 1);
    const char *verdict = cell.workload->verify(&cell.runs[0]);
    close_cell(&cell);
    return verdict;
}

static void test_what_a_heap_breaks_is_found(void **state) {
    (void)state;
    draw_trace(&all_kinds, EVENTS);
    struct hm_memory memory = noted_memory();
    assert_null(verdict_on(memory));
    memory.libc.realloc = forgetful_realloc;
    assert_string_equal(verdict_on(memory), "a live block does not hold what was written to it");
    memory = noted_memory();
    memory.libc.malloc = scribbling_malloc;
    assert_string_equal(verdict_on(memory), "a live block does not hold what was written to it");
    memory = noted_memory();
    memory.libc.calloc = dirty_calloc;
    assert_string_equal(verdict_on(memory), "a block of calloc is not zero");
    memory = noted_memory();
    memory.libc.aligned_alloc = unaligned;
    assert_string_equal(verdict_on(memory), "a block is not aligned as it was asked for");
    memory = noted_memory();
    memory.libc.usable_size = short_usable;
    assert_string_equal(verdict_on(memory), "the usable size of a block is less than its size");
}

static void test_an_allocator_that_can_not_align_is_refused(void **state) {
    (void)state;
    static const struct hm_allocator rigid = {.name = "rigid", .caps = HM_CAP_NO_ALIGNED};
    struct hm_memory memory = noted_memory();
    memory.allocator = &rigid;
    draw_trace(&all_kinds, 2000);
    const struct hm_workload *trace = hm_workload_variant("trace", HM_SHAPE_LIBC, NULL);
    struct hm_value values[2] = {{0, trace_path}, {0, NULL}};
    struct hm_run run = {.memory = &memory,
                         .params = values,
                         .threads = 1,
                         .shared = hm_scratch(trace->shared_bytes(values, 1))};
    size_t scratch = hm_scratch_bytes();
    assert_int_equal(trace->setup(&run), EINVAL);
    assert_non_null(strstr(run.failed, "does not align"));
    assert_int_equal(hm_scratch_bytes(), scratch);
    hm_scratch_free(run.shared, trace->shared_bytes(values, 1));
}

/* ---- Files ---- */

static const char *told(const char *file) {
    struct hm_value values[2] = {{0, file}, {0, NULL}};
    return hm_workload_variant("trace", HM_SHAPE_HEAP, NULL)->conflict(values);
}

static void test_files_that_are_no_trace_are_refused(void **state) {
    (void)state;
    assert_non_null(strstr(told(""), "file= is missing"));
    assert_non_null(strstr(told("/nowhere/x.hmtrace"), "No such file"));
    assert_non_null(strstr(told("no-such-example"), "No such file"));
    assert_non_null(told("/"));
    draw_trace(&all_kinds, 2000);
    assert_null(told(trace_path));
    assert_int_equal(truncate(trace_path, 300), 0);
    assert_non_null(told(trace_path));
    assert_null(strchr(told(trace_path), '\n'));
}

static void test_a_trace_without_calls_is_refused(void **state) {
    (void)state;
    event_count = 0;
    add_event(HM_TRACE_FREE, 0, HM_TRACE_NULL, 0);
    write_trace();
    assert_non_null(strstr(told(trace_path), "no call"));
}

static void test_there_is_work_for_as_many_threads_as_were_recorded(void **state) {
    (void)state;
    struct hm_value values[2] = {{0, trace_path}, {0, NULL}};
    draw_trace(&all_kinds, 2000);
    const struct hm_workload *trace = hm_workload_variant("trace", HM_SHAPE_HEAP, NULL);
    assert_int_equal(trace->most_threads(values), all_kinds.threads);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_heap_sees_the_recorded_calls_in_their_order),
        cmocka_unit_test(test_the_peak_of_live_bytes_is_that_of_the_trace),
        cmocka_unit_test(test_a_hundred_replays_are_the_same),
        cmocka_unit_test(test_operations_are_the_calls_that_are_made_again),
        cmocka_unit_test(test_checksums_of_different_traces_differ),
        cmocka_unit_test(test_parts_of_a_unit_are_the_unit),
        cmocka_unit_test(test_slots_are_as_many_as_blocks_live_at_most),
        cmocka_unit_test(test_a_plan_of_plain_calls_is_small),
        cmocka_unit_test(test_numbers_that_no_word_holds_are_kept),
        cmocka_unit_test(test_a_realloc_to_nothing_is_a_free_and_a_malloc),
        cmocka_unit_test(test_memory_that_runs_out_ends_the_replay),
        cmocka_unit_test(test_what_a_heap_breaks_is_found),
        cmocka_unit_test(test_an_allocator_that_can_not_align_is_refused),
        cmocka_unit_test(test_files_that_are_no_trace_are_refused),
        cmocka_unit_test(test_a_trace_without_calls_is_refused),
        cmocka_unit_test(test_there_is_work_for_as_many_threads_as_were_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, remove_trace);
}
