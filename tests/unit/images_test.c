/* Which code is mapped: told of this process, kept once for a run, and missed when it changes.
 *
 * The oracle for build ids is readelf's way: the bytes that the linker put in, read from the file by libelf. */
#include "harness/machine/elf.h"
#include "harness/results/images.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static size_t seen;

static void check_image(void *arg, const char *path, const char *build_id) {
    char in_file[HM_IMAGE_ID_BYTES];
    (void)arg;
    seen++;
    assert_int_equal(path[0], '/');
    hm_elf_build_id(path, in_file, sizeof in_file);
    assert_string_equal(build_id, in_file);
}

static void test_images_of_this_process_have_the_build_ids_of_their_files(void **state) {
    (void)state;
    struct hm_image self;
    struct hm_image libc;
    seen = 0;
    hm_images_each(check_image, NULL);
    assert_true(seen >= 3); /* program, C library, loader */
    assert_int_equal(hm_image_of_self(&self), 0);
    assert_int_equal(hm_image_of_libc(&libc), 0);
    assert_int_equal(strlen(self.id), 40);
    assert_non_null(strstr(self.path, "images_test"));
    assert_non_null(strstr(libc.path, "libc.so"));
    assert_string_not_equal(self.id, libc.id);
    assert_true(self.bytes > 0 && libc.bytes > 0);
}

/* The hash is FNV-1a's of "foobar", from its authors' table of test vectors. */
static void test_file_without_a_build_id_is_told_by_its_bytes(void **state) {
    (void)state;
    char path[] = "/tmp/hm-image-XXXXXX";
    struct hm_image image;
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, "foobar", 6) == 6);
    close(fd);
    assert_int_equal(hm_image_of(path, &image), 0);
    assert_string_equal(image.id, "fnv1a-85944171f73967e8");
    assert_int_equal(image.bytes, 6);
    unlink(path);
    assert_int_equal(hm_image_of(path, &image), ENOENT);
    assert_int_equal(hm_image_of("/", &image), EINVAL);
}

static void expect_indices(const struct hm_cell *cell, const char *expected) {
    json_t *json = hm_cell_images_json(cell);
    assert_string_equal(json_string_value(json), expected);
    json_decref(json);
}

static void test_images_are_kept_once_and_noted_at_their_cells(void **state) {
    (void)state;
    struct hm_images images = {.count = 0};
    struct hm_cell cells[3] = {{.image_count = 0}};
    struct hm_error error;
    assert_int_equal(hm_images_add(&images, &cells[0], "aa /one\nbb /two\ncc /three\n", &error), 0);
    assert_int_equal(hm_images_add(&images, &cells[1], "aa /one\ndd /four\ncc /three\n", &error),
                     0);
    assert_int_equal(hm_images_add(&images, &cells[1], "aa /one\n", &error), 0);
    assert_int_equal(hm_images_add(&images, &cells[2], NULL, &error), 0);
    assert_int_equal(images.count, 4);
    expect_indices(&cells[0], "0-2");
    expect_indices(&cells[1], "0,2-3");
    expect_indices(&cells[2], "");

    /* And read back, as they were written. */
    json_t *run = json_pack("{s:o, s:[{s:o}, {s:o}, {s:s}]}", "images", hm_images_json(&images),
                            "cells", "images", hm_cell_images_json(&cells[0]), "images",
                            hm_cell_images_json(&cells[1]), "images", "7-99999999999,x");
    struct hm_cell again[3] = {{.image_count = 0}};
    struct hm_plan plan = {.cells = again, .cell_count = 3};
    struct hm_images read = {.count = 0};
    assert_int_equal(hm_images_recall(&read, run, &plan), 0);
    assert_int_equal(read.count, 4);
    assert_string_equal(read.at[3].path, "/four");
    assert_string_equal(read.at[3].id, "dd");
    expect_indices(&again[0], "0-2");
    expect_indices(&again[1], "0,2-3");
    expect_indices(&again[2], "");
    json_decref(run);
    hm_images_free(&images);
    hm_images_free(&read);
    for (size_t i = 0; i < 3; i++) {
        free(cells[i].images);
        free(again[i].images);
    }
}

static void test_file_that_changes_under_a_run_is_told(void **state) {
    (void)state;
    struct hm_images images = {.count = 0};
    struct hm_cell cell = {.image_count = 0};
    struct hm_error error;
    assert_int_equal(hm_images_add(&images, &cell, "aa /one\n", &error), 0);
    assert_int_equal(hm_images_add(&images, &cell, "ab /one\n", &error), ESTALE);
    assert_non_null(strstr(error.line, "/one changed while the run measured: it was aa and is ab"));
    assert_int_equal(images.count, 1);
    images.may_change = true;
    assert_int_equal(hm_images_add(&images, &cell, "ab /one\n", &error), 0);
    assert_int_equal(images.count, 2);
    expect_indices(&cell, "0-1");
    hm_images_free(&images);
    free(cell.images);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_images_of_this_process_have_the_build_ids_of_their_files),
        cmocka_unit_test(test_file_without_a_build_id_is_told_by_its_bytes),
        cmocka_unit_test(test_images_are_kept_once_and_noted_at_their_cells),
        cmocka_unit_test(test_file_that_changes_under_a_run_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
