/* Traces are written and read without the C library's malloc: a reader may be at work in a process whose
 * heap is measured.
 *
 * labels: plain */
#include "tests/unit/trace_files.h"

static size_t calls;

/* glibc's own, under the names that it keeps for this. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

void *malloc(size_t size) {
    calls++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    calls++;
    return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size) {
    calls++;
    return __libc_realloc(block, size);
}

void free(void *block) {
    calls += block != NULL;
    __libc_free(block);
}

static void test_neither_writer_nor_reader_calls_malloc(void **state) {
    (void)state;
    struct trace_random random = {.state = 5};
    struct hm_trace_writer *writer = NULL;
    struct hm_trace_reader *reader = NULL;
    struct hm_trace_event event;
    char why[HM_TRACE_WHY_BYTES];
    free(malloc(1));
    assert_true(calls >= 2);
    calls = 0;
    int error = hm_trace_create(trace_path, &trace_facts, &writer);
    for (uint32_t i = 0; !error && i < 200000; i++) {
        const struct hm_trace_address frames[] = {{0, i}, {UINT32_MAX, i}};
        if (i % 1000 == 0)
            hm_trace_add_module(writer, "a module", "00");
        if (i % 3 == 0)
            random.stacks = hm_trace_add_stack(writer, frames, 2);
        event = trace_draw_event(&random);
        error = hm_trace_add(writer, &event);
    }
    error = error ? error : hm_trace_finish(writer, HM_TRACE_END_EXIT, 0, 0, NULL);
    error = error ? error : hm_trace_open(trace_path, &reader, why);
    int more = 1;
    while (!error && more == 1)
        more = hm_trace_next(reader, &event);
    hm_trace_close(reader);
    size_t seen = calls;
    assert_int_equal(error, 0);
    assert_int_equal(more, 0);
    assert_int_equal(seen, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neither_writer_nor_reader_calls_malloc),
    };
    return cmocka_run_group_tests_name("trace_malloc", tests, make_trace_folder,
                                       remove_trace_folder);
}
