/* Reading blocks by words: one byte that differs is seen wherever it lies, and nothing beside the block. */
#include "workloads/bytes.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
    LONGEST = 100,
    MARK = 0xa5,
};

static void test_one_byte_that_differs_is_seen_at_every_place(void **state) {
    unsigned char room[LONGEST + 2];
    (void)state;
    for (size_t size = 0; size <= LONGEST; size++) {
        memset(room, (unsigned char)~MARK, sizeof room);
        memset(room + 1, MARK, size);
        assert_true(hm_bytes_unlike(room + 1, size, MARK) == 0);
        for (size_t at = 1; at <= size; at++) {
            room[at] = MARK ^ 0x10;
            assert_true(hm_bytes_unlike(room + 1, size, MARK) != 0);
            room[at] = MARK;
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_byte_that_differs_is_seen_at_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
