/* What is mapped, beside what is resident: on mappings made here, and lines as kernels write them.
 *
 * labels: plain */
#include "harness/machine/proc.h"
#include "workloads/footprint.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
    MIB = 1 << 20,
};

static void *map(size_t bytes, int rights, int kind, int file) {
    void *pages = mmap(NULL, bytes, rights, kind | (file < 0 ? MAP_ANONYMOUS : 0), file, 0);
    assert_ptr_not_equal(pages, MAP_FAILED);
    return pages;
}

static int64_t grown(uint64_t *before) {
    uint64_t now = hm_proc_mapped_bytes();
    int64_t more = (int64_t)(now - *before);
    *before = now;
    return more;
}

static void test_what_may_be_used_is_mapped_and_what_is_reserved_is_not(void **state) {
    (void)state;
    uint64_t at = hm_proc_mapped_bytes();
    char *untouched = map(64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, -1);
    assert_int_equal(grown(&at), 64 * MIB);
    char *shared = map(4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, -1);
    assert_int_equal(grown(&at), 4 * MIB);
    char *reserved = map(32 * MIB, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE, -1);
    assert_int_equal(grown(&at), 0);
    mprotect(reserved + 8 * MIB, 3 * MIB, PROT_READ | PROT_WRITE);
    assert_int_equal(grown(&at), 3 * MIB);
    munmap(untouched, 16 * MIB);
    assert_int_equal(grown(&at), -16 * MIB);
    munmap(untouched + 16 * MIB, 48 * MIB);
    munmap(shared, 4 * MIB);
    munmap(reserved, 32 * MIB);
    assert_int_equal(grown(&at), -48 * MIB - 4 * MIB - 3 * MIB);
}

static void test_files_are_not_mapped_memory_and_shared_memory_is(void **state) {
    (void)state;
    int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    uint64_t at = hm_proc_mapped_bytes();
    void *pages = map(64 << 10, PROT_READ, MAP_PRIVATE, program);
    assert_int_equal(grown(&at), 0);
    munmap(pages, 64 << 10);
    close(program);
    int memory = memfd_create("heap", MFD_CLOEXEC);
    assert_int_equal(ftruncate(memory, MIB), 0);
    pages = map(MIB, PROT_READ | PROT_WRITE, MAP_SHARED, memory);
    assert_int_equal(grown(&at), MIB);
    munmap(pages, MIB);
    close(memory);
}

static void test_lines_of_the_kernel_are_told_apart(void **state) {
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *line;
    } lines[] = {
        {0x21000, "55d0c0a00000-55d0c0a21000 rw-p 00000000 00:00 0                  [heap]"},
        {0x1000, "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 "},
        {0x1000, "7f0000000000-7f0000001000 rw-p 00000000 00:00 0"},
        {0x2000, "7f0000000000-7f0000002000 rw-p 00000000 00:00 0           [anon:scudo:primary]"},
        {0x3000, "7f0000000000-7f0000003000 r--p 00000000 00:00 0 "},
        {0, "7f0000000000-7f0000001000 ---p 00000000 00:00 0 "},
        {0, "7ffc00000000-7ffc00002000 r-xp 00000000 00:00 0                  [vdso]"},
        {0, "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0          [vsyscall]"},
        {0, "7f0000000000-7f0000001000 rw-p 001e0000 fe:01 4242    /usr/lib/libc.so.6"},
        {0x1000, "7f0000000000-7f0000001000 rw-s 00000000 00:01 77    /dev/zero (deleted)"},
        {0x1000, "7f0000000000-7f0000001000 rw-s 00000000 00:01 77    /memfd:heap (deleted)"},
        {0, "Rss:                  12 kB"},
        {0, ""},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_int_equal(hm_proc_mapping_bytes(lines[i].line), lines[i].bytes);
}

/* Of a mapping of 32 MiB, the 5 MiB that were touched are taken. */
static void test_taken_is_what_was_touched(void **state) {
    (void)state;
    uint64_t before = hm_proc_taken_bytes();
    assert_true(before <= hm_proc_mapped_bytes());
    char *pages = map(32 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
    madvise(pages, 32 * MIB, MADV_NOHUGEPAGE);
    memset(pages + 7 * MIB, 1, 5 * MIB);
    assert_in_range(hm_proc_taken_bytes() - before, 5 * MIB, 5 * MIB + (64 << 10));
    munmap(pages, 32 * MIB);
}

/* A kernel that leaves one of the words out does not tell: 0 would be a number. */
static void test_a_missing_word_is_not_zero(void **state) {
    (void)state;
    char path[] = "/tmp/hm-rollup-XXXXXX";
    const char text[] = "00400000-7ffd0000 ---p 00000000 00:00 0 [rollup]\nRss:  40 kB\n"
                        "Anonymous:  12 kB\n";
    int file = mkstemp(path);
    assert_int_equal(write(file, text, sizeof text - 1), sizeof text - 1);
    close(file);
    assert_int_equal(hm_footprint_read_(path, "\nAnonymous:", "\nRss:"), 52 << 10);
    assert_true(hm_footprint_read_(path, "\nAnonymous:", "\nPss_Shmem:") == UINT64_MAX);
    assert_true(hm_footprint_read_(path, "\nAnon:", "\nRss:") == UINT64_MAX);
    unlink(path);
    assert_true(hm_footprint_read_(path, "\nAnonymous:", "\nRss:") == UINT64_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_may_be_used_is_mapped_and_what_is_reserved_is_not),
        cmocka_unit_test(test_files_are_not_mapped_memory_and_shared_memory_is),
        cmocka_unit_test(test_lines_of_the_kernel_are_told_apart),
        cmocka_unit_test(test_taken_is_what_was_touched),
        cmocka_unit_test(test_a_missing_word_is_not_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
