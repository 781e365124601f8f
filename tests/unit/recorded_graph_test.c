/* Recorded object graphs: a known one is read as it is, and whatever else a file may hold is refused in one
 * line, or keeps to the invariants. */
#include "tests/unit/recorded_graph.h"
#include "traces/objects.h"
#include "workloads/scratch.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] =
    "/dev/shm/recorded_graph_XXXXXX"; /* in memory: files are written by the thousand */
static char path[64];
static char packed[64];

static int open_file(const struct graph_bytes *file, const struct hm_objects **out, char *why) {
    write_graph(path, file->at, file->count);
    return hm_objects_open(path, out, why);
}

static void refuse(const struct graph_bytes *file, const char *what) {
    char why[HM_OBJECTS_WHY_BYTES] = "";
    const struct hm_objects *objects = NULL;
    assert_int_equal(open_file(file, &objects, why), EINVAL);
    assert_null(objects);
    assert_null(strchr(why, '\n'));
    assert_memory_equal(why, path, strlen(path));
    if (!strstr(why, what))
        fail_msg("'%s' does not say '%s'", why, what);
}

/* ---- What is right ---- */

static bool is(struct hm_objects_text text, const char *what) {
    return text.length == strlen(what) && memcmp(text.at, what, text.length) == 0;
}

static void check_known(const char *file) {
    char why[HM_OBJECTS_WHY_BYTES];
    const struct hm_objects *o;
    assert_int_equal(hm_objects_open(file, &o, why), 0);
    assert_true(is(o->command, "known.py") && is(o->python, "CPython 3.11.2"));
    assert_true(is(o->machine, "Linux"));
    assert_int_equal(o->started_utc, 1800000000);
    assert_int_equal(o->collect_ns, 1234567);
    assert_int_equal(o->garbage, 5);
    assert_int_equal(o->types, 2);
    assert_true(is(o->type_names[0], "list") && is(o->type_names[1], "float"));
    assert_int_equal(o->count, KNOWN_OBJECTS);
    assert_int_equal(o->containers, KNOWN_CONTAINERS);
    assert_int_equal(o->slots, KNOWN_SLOTS);
    assert_memory_equal(o->targets, known_targets, sizeof known_targets);
    for (uint32_t i = 0; i < KNOWN_OBJECTS; i++) {
        assert_int_equal(o->nodes[i].bytes, i == 4 ? 500 : 24 + i);
        assert_int_equal(o->nodes[i].type, i >= KNOWN_CONTAINERS);
        assert_int_equal(o->nodes[i + 1].first - o->nodes[i].first,
                         i < KNOWN_CONTAINERS ? known_slots[i] : 0);
    }
    assert_int_equal(o->roots, 2);
    assert_int_equal(o->root_numbers[0], 0);
    assert_int_equal(o->root_numbers[1], 3);
    hm_objects_close(o);
}

static void test_a_known_graph_is_read_as_it_is(void **state) {
    (void)state;
    struct graph_bytes file = known_file();
    write_graph(path, file.at, file.count);
    check_known(path);
}

static void test_what_its_counts_do_not_free_is_the_ring_and_its_leaf(void **state) {
    (void)state;
    char why[HM_OBJECTS_WHY_BYTES];
    const struct hm_objects *o;
    uint32_t containers, all;
    struct graph_bytes file = known_file();
    assert_int_equal(open_file(&file, &o, why), 0);
    assert_int_equal(hm_objects_left(o, &containers, &all), 0);
    assert_int_equal(containers, 3);
    assert_int_equal(all, 4);
    hm_objects_close(o);
}

static void test_packed_it_is_the_same_and_packing_overwrites_nothing(void **state) {
    (void)state;
    char why[HM_OBJECTS_WHY_BYTES];
    struct graph_bytes file = known_file();
    write_graph(path, file.at, file.count);
    unlink(packed);
    assert_int_equal(hm_objects_pack(path, packed, why), 0);
    check_known(packed);
    assert_int_equal(hm_objects_pack(path, packed, why), EEXIST);
    unlink(packed);
    assert_int_equal(hm_objects_pack(packed, path, why), ENOENT);
}

/* ---- What is wrong ---- */

static void test_every_truncation_is_refused(void **state) {
    (void)state;
    struct graph_bytes file = known_file();
    for (size_t whole = file.count; file.count-- > 0;) {
        refuse(&file, "");
        assert_in_range(file.count, 0, whole - 1);
    }
}

static void test_every_flipped_bit_is_refused(void **state) {
    (void)state;
    struct graph_bytes file = known_file();
    for (size_t i = 0; i < 8 * file.count; i++) {
        file.at[i / 8] ^= (uint8_t)(1u << (i % 8));
        refuse(&file, "");
        file.at[i / 8] ^= (uint8_t)(1u << (i % 8));
    }
}

/* Whether a graph that was let in keeps to what objects.h promises. */
static void check_invariants(const struct hm_objects *o) {
    uint8_t *reached = calloc(o->count + (size_t)1, 1);
    assert_non_null(reached);
    assert_in_range(o->containers, 0, o->count);
    assert_int_equal(o->nodes[o->count].first, o->slots);
    for (uint32_t i = 0; i < o->count; i++) {
        assert_in_range(o->nodes[i].type, 0, o->types - 1);
        assert_true(o->nodes[i].first <= o->nodes[i + 1].first);
    }
    for (uint32_t i = 0; i < o->roots; i++) {
        assert_in_range(o->root_numbers[i], 0, o->containers - 1);
        assert_true(i == 0 || o->root_numbers[i] > o->root_numbers[i - 1]);
        reached[o->root_numbers[i]] = 1;
    }
    for (bool more = true; more;) {
        more = false;
        for (uint32_t i = 0; i < o->count; i++)
            for (uint32_t j = o->nodes[i].first; reached[i] && j < o->nodes[i + 1].first; j++) {
                assert_in_range(o->targets[j], 0, o->count - 1);
                more |= !reached[o->targets[j]];
                reached[o->targets[j]] = 1;
            }
    }
    for (uint32_t i = 0; i < o->count; i++)
        assert_true(reached[i]);
    free(reached);
}

/* Open a payload that somebody has changed, with a checksum that is right. */
static bool try_payload(const struct graph_bytes *payload) {
    char why[HM_OBJECTS_WHY_BYTES] = "";
    const struct hm_objects *objects = NULL;
    struct graph_bytes file = *payload;
    finish_file(&file, 0, file.count - GRAPH_HEAD);
    int bad = open_file(&file, &objects, why);
    if (bad) {
        assert_int_equal(bad, EINVAL);
        assert_true(why[0] && !strchr(why, '\n'));
        return false;
    }
    check_invariants(objects);
    hm_objects_close(objects);
    return true;
}

static struct graph_bytes known_payload(void) {
    struct graph_bytes file = known_file();
    file.count -= 4;
    return file;
}

static void test_every_other_byte_is_refused_or_keeps_to_the_invariants(void **state) {
    (void)state;
    struct graph_bytes file = known_payload();
    unsigned refused = 0;
    for (size_t i = GRAPH_HEAD; i < file.count; i++)
        for (unsigned change = 1; change < 256; change += 11) {
            file.at[i] ^= (uint8_t)change;
            refused += !try_payload(&file);
            file.at[i] ^= (uint8_t)change;
        }
    assert_in_range(refused, 300, 20000);
}

static void test_a_payload_that_is_cut_or_drawn_at_random_is_refused(void **state) {
    (void)state;
    struct hm_random random = {1};
    struct graph_bytes file = known_payload();
    while (file.count-- > GRAPH_HEAD)
        assert_false(try_payload(&file));
    for (int i = 0; i < 1000; i++) {
        file = known_payload();
        size_t from = GRAPH_HEAD + hm_random_below(&random, file.count - GRAPH_HEAD);
        for (size_t j = from; j < file.count; j++)
            file.at[j] = (uint8_t)hm_random_next(&random) & (i % 2 ? 255 : 7);
        try_payload(&file);
    }
}

struct claim {
    uint64_t counts[5]; /* types, objects, containers, slots, roots */
    const char *what;
};

static void test_absurd_counts_are_refused_before_memory_is_taken(void **state) {
    (void)state;
    static const struct claim claims[] = {
        {{4000000000, 1, 1, 0, 1}, "not as many things"},
        {{1, 4000000000, 1, 0, 1}, "not as many things"},
        {{1, 30, 30, 0, 30}, "not as many things"},
        {{1, 1, 2, 0, 1}, "too large"},
        {{1, 1, 1, UINT64_C(1) << 62, 1}, "too large"},
        {{1, 1, 1, 4000000000, 1}, "not as many things"},
        {{1, 1, 1, 0, 2}, "too large"},
        {{0, 1, 1, 0, 1}, "no types"},
    };
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        struct graph_bytes file = begin_file();
        add_facts(&file);
        add_counts(&file, claims[i].counts);
        for (int j = 0; j < 16; j++)
            add_byte(&file, 0);
        finish_file(&file, 0, file.count - GRAPH_HEAD);
        refuse(&file, claims[i].what);
    }
}

/* One container with a slot, and what it refers to and who is a root. */
static struct graph_bytes small_file(uint64_t containers, uint64_t target, uint64_t root) {
    struct graph_bytes file = begin_file();
    add_facts(&file);
    add_counts(&file, (const uint64_t[5]){1, 2, containers, 1, 1});
    add_text(&file, "list");
    for (uint64_t i = 0; i < 2; i++) {
        add_number(&file, 0);
        add_number(&file, 64);
        if (i < containers)
            add_number(&file, i == 0);
    }
    add_number(&file, target);
    add_number(&file, root);
    finish_file(&file, 0, file.count - GRAPH_HEAD);
    return file;
}

static void test_graphs_that_are_none_are_refused(void **state) {
    (void)state;
    struct graph_bytes file = small_file(1, 2, 0);
    char why[HM_OBJECTS_WHY_BYTES];
    const struct hm_objects *objects;
    assert_int_equal(open_file(&file, &objects, why), 0);
    hm_objects_close(objects);
    file = small_file(1, 0, 0); /* to itself, so that the leaf is lost */
    refuse(&file, "can not be reached");
    file = small_file(2, 2, 1); /* the second one is the root */
    refuse(&file, "can not be reached");
    file = small_file(1, 4, 0);
    refuse(&file, "leads to no object");
    file = small_file(1, 1, 0);
    refuse(&file, "leads to no object");
    file = small_file(1, 2, 1);
    refuse(&file, "a root is no container");
    file = known_payload();
    add_byte(&file, 0);
    finish_file(&file, 0, file.count - GRAPH_HEAD);
    refuse(&file, "something follows");
}

static void test_texts_for_a_terminal_are_refused(void **state) {
    (void)state;
    struct graph_bytes file = begin_file();
    add_text(&file, "\033[31m");
    finish_file(&file, 0, file.count - GRAPH_HEAD);
    refuse(&file, "control characters");
}

static void test_what_is_no_such_file_is_refused(void **state) {
    (void)state;
    char why[HM_OBJECTS_WHY_BYTES];
    const struct hm_objects *objects;
    struct graph_bytes file = known_file();
    assert_int_equal(hm_objects_open("/nowhere", &objects, why), ENOENT);
    assert_int_equal(hm_objects_open(folder, &objects, why), EINVAL);
    assert_int_equal(hm_objects_open("/dev/zero", &objects, why), EINVAL);
    file.at[8] = 2;
    refuse(&file, "another version");
    file = known_payload();
    finish_file(&file, 1, file.count - GRAPH_HEAD);
    refuse(&file, "another length");
    file = known_payload();
    finish_file(&file, 0, UINT64_C(1) << 40);
    refuse(&file, "head is damaged");
}

/* ---- Compressed files ---- */

static struct graph_bytes packed_file(void) {
    char why[HM_OBJECTS_WHY_BYTES];
    struct graph_bytes file = known_file();
    write_graph(path, file.at, file.count);
    unlink(packed);
    assert_int_equal(hm_objects_pack(path, packed, why), 0);
    FILE *in = fopen(packed, "r");
    assert_non_null(in);
    file.count = fread(file.at, 1, sizeof file.at, in);
    fclose(in);
    return file;
}

static void test_every_other_byte_of_what_is_compressed_is_refused_or_harmless(void **state) {
    (void)state;
    struct graph_bytes file = packed_file();
    uint64_t length = file.at[16] + 256u * file.at[17];
    file.count -= 4;
    for (size_t i = GRAPH_HEAD; i < file.count; i++)
        for (unsigned change = 1; change < 256; change += 11) {
            char why[HM_OBJECTS_WHY_BYTES] = "";
            const struct hm_objects *objects;
            struct graph_bytes other = file;
            other.at[i] ^= (uint8_t)change;
            finish_file(&other, 1, length);
            int bad = open_file(&other, &objects, why);
            assert_true(!bad || bad == EINVAL);
            if (!bad) {
                check_invariants(objects);
                hm_objects_close(objects);
            }
        }
    while (file.count-- > GRAPH_HEAD) {
        struct graph_bytes cut = file;
        finish_file(&cut, 1, length);
        refuse(&cut, "");
    }
}

static int make_folder(void **state) {
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/graph", folder);
    snprintf(packed, sizeof packed, "%s/packed", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(path);
    unlink(packed);
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_known_graph_is_read_as_it_is),
        cmocka_unit_test(test_what_its_counts_do_not_free_is_the_ring_and_its_leaf),
        cmocka_unit_test(test_packed_it_is_the_same_and_packing_overwrites_nothing),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_every_flipped_bit_is_refused),
        cmocka_unit_test(test_every_other_byte_is_refused_or_keeps_to_the_invariants),
        cmocka_unit_test(test_a_payload_that_is_cut_or_drawn_at_random_is_refused),
        cmocka_unit_test(test_absurd_counts_are_refused_before_memory_is_taken),
        cmocka_unit_test(test_graphs_that_are_none_are_refused),
        cmocka_unit_test(test_texts_for_a_terminal_are_refused),
        cmocka_unit_test(test_what_is_no_such_file_is_refused),
        cmocka_unit_test(test_every_other_byte_of_what_is_compressed_is_refused_or_harmless),
    };
    return cmocka_run_group_tests_name("recorded_graph", tests, make_folder, remove_folder);
}
