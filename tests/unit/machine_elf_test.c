/* Shared libraries told from their files: good, broken on purpose, and for other machines. */
#include "harness/machine/elf.h"

#include <elf.h>
#include <errno.h>
#include <ftw.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    MUTANTS = 2000,
    MUTATED_BYTES = 8,
};

static char folder[] = "/tmp/hm-elf-XXXXXX";

static const char *in_folder(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

struct bytes {
    unsigned char *at;
    size_t count;
};

static struct bytes read_bytes(const char *path) {
    struct stat s;
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    assert_int_equal(fstat(fileno(in), &s), 0);
    struct bytes b = {malloc((size_t)s.st_size), (size_t)s.st_size};
    assert_non_null(b.at);
    assert_int_equal(fread(b.at, 1, b.count, in), b.count);
    fclose(in);
    return b;
}

static const char *write_bytes(const char *name, const void *at, size_t count) {
    const char *path = in_folder(name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(at, 1, count, out), count);
    assert_int_equal(fclose(out), 0);
    return path;
}

/* A library small enough to be broken in many ways. */
static struct bytes small_library(void) {
    char path[PATH_MAX];
    if (hm_library_find("libdl.so.2", path, sizeof path))
        assert_int_equal(hm_library_find("libc.so.6", path, sizeof path), 0);
    return read_bytes(path);
}

static void expect_refused(const char *path, int code, const char *word) {
    struct hm_elf elf = {.build_id = "untouched"};
    struct hm_error error = {""};
    int bad = hm_elf_inspect(path, &elf, &error);
    if (bad != code || !strstr(error.line, word))
        fail_msg("%s: %d, not %d '%s': %s", path, bad, code, word, error.line);
    assert_string_equal(elf.build_id, "untouched");
    assert_int_equal(strncmp(error.line, path, strlen(path)), 0);
}

static void test_c_library_is_a_library(void **state) {
    (void)state;
    char path[PATH_MAX];
    struct hm_elf elf;
    struct hm_error error = {""};
    assert_int_equal(hm_library_find("libc.so.6", path, sizeof path), 0);
    if (hm_elf_inspect(path, &elf, &error))
        fail_msg("%s", error.line);
    char *real = realpath(path, NULL);
    assert_string_equal(elf.realpath, real);
    free(real);
}

/* The loader's view of the same note. */
static int find_build_id(struct dl_phdr_info *info, size_t size, void *arg) {
    char *out = arg;
    (void)size;
    if (!strstr(info->dlpi_name, "libc.so"))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        const char *at = (const char *)info->dlpi_addr + p->p_vaddr;
        const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)at;
        if (p->p_type != PT_NOTE || note->n_type != NT_GNU_BUILD_ID)
            continue;
        const unsigned char *id = (const unsigned char *)(note + 1) + note->n_namesz;
        for (size_t k = 0; k < note->n_descsz; k++)
            sprintf(out + 2 * k, "%02x", id[k]);
        return 1;
    }
    return 0;
}

static void test_build_id_is_the_one_that_the_loader_sees(void **state) {
    (void)state;
    char path[PATH_MAX];
    char expected[129] = "";
    struct hm_elf elf;
    struct hm_error error = {""};
    dl_iterate_phdr(find_build_id, expected);
    assert_int_equal(hm_library_find("libc.so.6", path, sizeof path), 0);
    assert_int_equal(hm_elf_inspect(path, &elf, &error), 0);
    assert_string_equal(elf.build_id, expected);
}

static void test_only_defined_symbols_are_exported(void **state) {
    (void)state;
    char path[PATH_MAX];
    assert_int_equal(hm_library_find("libc.so.6", path, sizeof path), 0);
    assert_true(hm_elf_exports(path, "malloc"));
    assert_false(hm_elf_exports(path, "no_such_symbol"));
    assert_false(hm_elf_exports(path, ""));
    assert_false(hm_elf_exports(path, "_dl_argv")); /* libc takes it from the loader */
    assert_false(hm_elf_exports("/no/such/file", "malloc"));
}

static void test_program_is_no_library(void **state) {
    (void)state;
    expect_refused("/proc/self/exe", ENOEXEC, "not a shared library");
}

static void test_what_is_no_elf_file_is_refused(void **state) {
    (void)state;
    const char *text = "GROUP ( /lib/x86_64-linux-gnu/libc.so.6 )\n";
    expect_refused(write_bytes("text.so", text, strlen(text)), ENOEXEC, "not an ELF file");
    expect_refused(write_bytes("empty.so", "", 0), ENOEXEC, "not an ELF file");
    expect_refused(write_bytes("magic.so", ELFMAG, SELFMAG), ENOEXEC, "not an ELF file");
    expect_refused("/no/such/library.so", ENOENT, "No such file");
    expect_refused(folder, EISDIR, "folder");
    assert_int_equal(mkfifo(in_folder("fifo.so"), 0600), 0);
    expect_refused(in_folder("fifo.so"), ENOEXEC, "regular");
}

static void test_unreadable_file_is_refused(void **state) {
    (void)state;
    if (geteuid() == 0)
        skip();
    const char *path = write_bytes("secret.so", "x", 1);
    assert_int_equal(chmod(path, 0), 0);
    expect_refused(path, EACCES, "denied");
}

static void test_library_for_another_machine_is_refused_by_name(void **state) {
    (void)state;
    struct bytes b = small_library();
    ElfW(Ehdr) *header = (ElfW(Ehdr) *)b.at;
    ElfW(Half) machine = header->e_machine;
    header->e_machine = machine == EM_AARCH64 ? EM_RISCV : EM_AARCH64;
    expect_refused(write_bytes("other.so", b.at, b.count), ENOEXEC,
                   machine == EM_AARCH64 ? "is for riscv" : "is for aarch64, this machine is ");
    header->e_machine = 0x4242;
    expect_refused(write_bytes("unknown.so", b.at, b.count), ENOEXEC, "is for ELF machine 16962");
    header->e_machine = machine;
    header->e_ident[EI_CLASS] ^= ELFCLASS32 ^ ELFCLASS64;
    expect_refused(write_bytes("bits.so", b.at, b.count), ENOEXEC, "-bit library");
    free(b.at);
}

/* Bytes up to the end of what is mapped of a library. */
static size_t mapped_bytes(const struct bytes *b) {
    const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)b->at;
    const ElfW(Phdr) *p = (const ElfW(Phdr) *)(b->at + header->e_phoff);
    size_t end = 0;
    for (size_t i = 0; i < header->e_phnum; i++)
        if (p[i].p_type == PT_LOAD && p[i].p_offset + p[i].p_filesz > end)
            end = p[i].p_offset + p[i].p_filesz;
    return end;
}

static void test_library_that_is_cut_off_is_refused(void **state) {
    (void)state;
    struct bytes b = small_library();
    size_t mapped = mapped_bytes(&b);
    char path[512];
    snprintf(path, sizeof path, "%s", write_bytes("cut.so", b.at, b.count));
    for (size_t length = b.count; length > 0; length -= length > 1024 ? 61 : 1) {
        struct hm_elf elf;
        struct hm_error error = {""};
        assert_int_equal(truncate(path, (off_t)length), 0);
        int bad = hm_elf_inspect(path, &elf, &error);
        assert_int_equal(bad, length >= mapped ? 0 : ENOEXEC);
        hm_elf_exports(path, "no_such_symbol");
    }
    free(b.at);
}

/* Headers, tables and notes are hit more often than code: half of the changes are in the first KiB. */
static void test_no_damage_crashes_us(void **state) {
    (void)state;
    struct bytes b = small_library();
    uint64_t random = 1;
    for (int i = 0; i < MUTANTS; i++) {
        unsigned char old[MUTATED_BYTES];
        size_t where[MUTATED_BYTES];
        for (int k = 0; k < MUTATED_BYTES; k++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            where[k] = (random >> 33) % (random >> 63 ? 1024 : b.count);
            old[k] = b.at[where[k]];
            if (where[k] > EI_VERSION)
                b.at[where[k]] = (unsigned char)(random >> 24);
        }
        struct hm_elf elf;
        struct hm_error error = {""};
        const char *path = write_bytes("mutant.so", b.at, b.count);
        if (hm_elf_inspect(path, &elf, &error) == 0)
            assert_true(strlen(elf.build_id) < sizeof elf.build_id);
        hm_elf_exports(path, "no_such_symbol");
        for (int k = MUTATED_BYTES; k-- > 0;)
            b.at[where[k]] = old[k];
    }
    free(b.at);
}

static void test_library_is_found_by_its_name_only(void **state) {
    (void)state;
    char path[PATH_MAX] = "untouched";
    assert_int_equal(hm_library_find("libno-such-library.so.1", path, sizeof path), ENOENT);
    assert_int_equal(hm_library_find("", path, sizeof path), ENOENT);
    assert_int_equal(hm_library_find("../lib/libc.so.6", path, sizeof path), ENOENT);
    assert_int_equal(hm_library_find("libc.so.6", path, 8), ENOENT);
    assert_string_equal(path, "untouched");
}

static void write_text(const char *name, const char *text) {
    write_bytes(name, text, strlen(text));
}

static void test_folders_of_the_loader_are_searched_in_order(void **state) {
    (void)state;
    struct bytes b = small_library();
    char conf[512];
    char path[PATH_MAX];
    char text[2048];
    assert_int_equal(mkdir(in_folder("first"), 0700), 0);
    assert_int_equal(mkdir(in_folder("second"), 0700), 0);
    assert_int_equal(mkdir(in_folder("conf.d"), 0700), 0);
    write_text("first/libmine.so", "GROUP ( libmine.so.1 )\n");
    write_bytes("second/libmine.so", b.at, b.count);
    snprintf(text, sizeof text, "# folders\n%s/none\n%s/first\ninclude conf.d/*.conf\n", folder,
             folder);
    write_text("ld.conf", text);
    snprintf(text, sizeof text, "include ../ld.conf\n  %s/second  # ours\n", folder);
    write_text("conf.d/second.conf", text);
    free(b.at);
    snprintf(conf, sizeof conf, "%s", in_folder("ld.conf"));
    assert_int_equal(hm_library_find_by(conf, "libmine.so", path, sizeof path), 0);
    assert_string_equal(path, in_folder("second/libmine.so"));
    assert_int_equal(hm_library_find_by(conf, "libother.so", path, sizeof path), ENOENT);
    assert_int_equal(hm_library_find_by(conf, "../second/libmine.so", path, sizeof path), ENOENT);
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at) {
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static int remove_folder(void **state) {
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_c_library_is_a_library),
        cmocka_unit_test(test_build_id_is_the_one_that_the_loader_sees),
        cmocka_unit_test(test_only_defined_symbols_are_exported),
        cmocka_unit_test(test_program_is_no_library),
        cmocka_unit_test(test_what_is_no_elf_file_is_refused),
        cmocka_unit_test(test_unreadable_file_is_refused),
        cmocka_unit_test(test_library_for_another_machine_is_refused_by_name),
        cmocka_unit_test(test_library_that_is_cut_off_is_refused),
        cmocka_unit_test(test_no_damage_crashes_us),
        cmocka_unit_test(test_library_is_found_by_its_name_only),
        cmocka_unit_test(test_folders_of_the_loader_are_searched_in_order),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
