/* factor: its numbers, against arithmetic on 128 bits, and the factors that it finds. */
#include "tests/unit/heap_cell.h"
#include "workloads/numbers.h"

typedef unsigned __int128 wide;

enum {
    PAIRS = 20000,
};

static struct hm_numbers numbers;

static int open_numbers(void **state) {
    start_afresh(state);
    numbers = (struct hm_numbers){.memory = counted_memory(HM_SHAPE_HEAP)};
    return 0;
}

static struct hm_number *number_of(wide value) {
    struct hm_number *high = hm_number_of(&numbers, (uint64_t)(value >> 64));
    struct hm_number *low = hm_number_of(&numbers, (uint64_t)value);
    struct hm_number *half = hm_number_of(&numbers, (uint64_t)1 << 32);
    struct hm_number *power = hm_number_multiply(&numbers, half, half);
    struct hm_number *shifted = hm_number_multiply(&numbers, high, power);
    struct hm_number *sum = hm_number_add(&numbers, shifted, low);
    struct hm_number *const dead[] = {high, low, half, power, shifted};
    for (size_t i = 0; i < 5; i++)
        hm_number_drop(&numbers, dead[i]);
    return sum;
}

/* It is dropped, too. */
static void expect(struct hm_number *number, wide value) {
    assert_non_null(number);
    assert_true(number->count == 0 || number->limb[number->count - 1]);
    wide sum = 0;
    assert_true(number->count <= 4);
    for (uint32_t i = number->count; i-- > 0;)
        sum = sum << 32 | number->limb[i];
    assert_true(sum == value);
    hm_number_drop(&numbers, number);
}

/* Of any length up to `bits`, often with limbs that are all ones or zeroes. */
static wide draw(struct hm_random *random, unsigned bits) {
    wide value = (wide)hm_random_next(random) << 64 | hm_random_next(random);
    for (unsigned i = 0; i < 128; i += 32) {
        uint64_t lot = hm_random_below(random, 4);
        if (lot < 2)
            value = (value & ~((wide)UINT32_MAX << i)) | (wide)(lot ? UINT32_MAX : 0) << i;
    }
    value >>= 128 - bits;
    return value >> hm_random_below(random, bits);
}

static wide gcd(wide a, wide b) {
    return b ? gcd(b, a % b) : a;
}

static void check_pair(wide a, wide b) {
    struct hm_number *x = number_of(a);
    struct hm_number *y = number_of(b);
    assert_int_equal(hm_number_compare(x, y), a < b ? -1 : a > b);
    if (a >> 127 == 0 && b >> 127 == 0)
        expect(hm_number_add(&numbers, x, y), a + b);
    expect(hm_number_subtract(&numbers, a < b ? y : x, a < b ? x : y), a < b ? b - a : a - b);
    if (a >> 64 == 0 && b >> 64 == 0)
        expect(hm_number_multiply(&numbers, x, y), a * b);
    if (b) {
        expect(hm_number_quotient(&numbers, x, y), a / b);
        expect(hm_number_rest(&numbers, x, y), a % b);
    }
    expect(hm_number_gcd(&numbers, x, y), gcd(a, b));
    assert_true(hm_number_is(x, 7) == (a == 7));
    hm_number_drop(&numbers, x);
    hm_number_drop(&numbers, y);
}

static void test_numbers_are_those_of_128_bits(void **state) {
    (void)state;
    struct hm_random random = hm_random_of(7, 0);
    const unsigned bits[] = {128, 96, 64, 33, 8};
    for (unsigned i = 0; i < PAIRS; i++)
        check_pair(draw(&random, bits[i % 5]), draw(&random, bits[i / 5 % 5]));
    assert_int_equal(counted.live_blocks, 0);
    assert_int_equal(numbers.live_bytes, 0);
}

/* The case in which algorithm D takes the divisor once too often; and longer numbers:
 * (x y + z) / y gives x and z again. */
static void test_quotients_and_rests_multiply_back(void **state) {
    (void)state;
    struct hm_random random = hm_random_of(7, 1);
    for (unsigned i = 0; i < PAIRS; i++) {
        wide x = draw(&random, 128);
        wide y = draw(&random, 128) | 1;
        wide z = draw(&random, 128) % y;
        struct hm_number *of_x = number_of(x), *of_y = number_of(y), *of_z = number_of(z);
        struct hm_number *product = hm_number_multiply(&numbers, of_x, of_y);
        struct hm_number *sum = hm_number_add(&numbers, product, of_z);
        expect(hm_number_quotient(&numbers, sum, of_y), x);
        expect(hm_number_rest(&numbers, sum, of_y), z);
        struct hm_number *const dead[] = {of_x, of_y, of_z, product, sum};
        for (size_t j = 0; j < 5; j++)
            hm_number_drop(&numbers, dead[j]);
    }
    assert_int_equal(counted.live_blocks, 0);
}

static void test_roots_are_whole_parts(void **state) {
    (void)state;
    struct hm_random random = hm_random_of(7, 2);
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t root = (uint64_t)draw(&random, 64) | 1;
        wide square = (wide)root * root;
        const wide values[] = {square, square + 2 * root};
        for (unsigned j = 0; j < 2; j++) {
            struct hm_number *number = number_of(values[j]);
            expect(hm_number_root(&numbers, number), root);
            hm_number_drop(&numbers, number);
        }
    }
    assert_int_equal(counted.live_blocks, 0);
}

static void test_numbers_without_memory_are_null(void **state) {
    (void)state;
    struct hm_number *a = number_of((wide)1 << 100);
    struct hm_number *b = number_of(((wide)1 << 70) + 12345);
    uint64_t live = counted.live_blocks;
    for (uint64_t n = 1; n < 12; n++) {
        count_fail(n, UINT64_MAX);
        struct hm_number *root = hm_number_root(&numbers, a);
        assert_null(root);
        assert_int_equal(counted.live_blocks, live);
        count_clear();
        count_fail(n, UINT64_MAX);
        struct hm_number *divisor = hm_number_gcd(&numbers, a, b);
        assert_null(divisor);
        assert_int_equal(counted.live_blocks, live);
        count_clear();
    }
    hm_number_drop(&numbers, a);
    hm_number_drop(&numbers, b);
}

/* ---- The workload ---- */

/* Steps until n was factored and all begins anew: live bytes fall back to those of the start. */
static void test_numbers_are_factored_again_and_again(void **state) {
    (void)state;
    const struct example sixteen = {"factor", {{"digits", 0}}, 1, 0};
    struct cell cell;
    open_cell(&cell, &sixteen, glibc_memory(), 1, 7);
    struct hm_run *run = &cell.runs[0];
    assert_int_equal(cell.workload->setup(run), 0);
    uint64_t at_start = cell.workload->live_bytes(run);
    unsigned factored = 0;
    uint64_t before = at_start;
    for (unsigned i = 0; i < 2000; i++) {
        assert_int_equal(cell.workload->run(run, 1), 1);
        uint64_t live = cell.workload->live_bytes(run);
        factored += before > 2 * at_start && live == at_start;
        before = live;
    }
    assert_int_equal(factored, 2000 / 633); /* 632 steps, and one to finish */
    assert_null(cell.workload->verify(run));
    cell.workload->teardown(run);
    close_cell(&cell);
}

/* The elimination asks for memory, too. */
static void test_factoring_goes_on_where_memory_ran_out(void **state) {
    (void)state;
    const struct example sixteen = {"factor", {{"digits", 0}}, 1000, 0};
    uint64_t expected = run_whole(&sixteen, glibc_memory(), 7, 0, 1000);
    bool ran_out = true;
    for (uint64_t n = 1; ran_out; n += 9) {
        struct cell cell;
        open_cell(&cell, &sixteen, counted_memory(HM_SHAPE_HEAP), 1, 7);
        struct hm_run *run = &cell.runs[0];
        assert_int_equal(cell.workload->setup(run), 0);
        assert_int_equal(cell.workload->run(run, 632), 632);
        count_clear();
        count_fail(n, 1);
        ran_out = cell.workload->run(run, 1) == 0;
        assert_true(ran_out || n > 100);
        count_clear();
        assert_null(cell.workload->verify(run));
        uint64_t left = ran_out ? 368 : 367;
        assert_int_equal(cell.workload->run(run, left), left);
        assert_int_equal(run->checksum, expected);
        assert_null(cell.workload->verify(run));
        cell.workload->teardown(run);
        close_cell(&cell);
        assert_int_equal(counted.live_blocks, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_numbers_are_those_of_128_bits, open_numbers),
        cmocka_unit_test_setup(test_quotients_and_rests_multiply_back, open_numbers),
        cmocka_unit_test_setup(test_roots_are_whole_parts, open_numbers),
        cmocka_unit_test_setup(test_numbers_without_memory_are_null, open_numbers),
        cmocka_unit_test_setup(test_numbers_are_factored_again_and_again, start_afresh),
        cmocka_unit_test_setup(test_factoring_goes_on_where_memory_ran_out, start_afresh),
    };
    return cmocka_run_group_tests_name("factor", tests, NULL, NULL);
}
