/* Fuzz targets of importers: a text is refused with one line, or becomes a trace which, dumped and
 * imported again, is the same. Define SOURCE, its name, before. */
#ifndef HM_TESTS_FUZZ_IMPORT_TARGET_H
#define HM_TESTS_FUZZ_IMPORT_TARGET_H

#include "harness/trace/dump.h"
#include "harness/trace/import.h"
#include "tests/fuzz/memory_file.h"

#include <string.h>

static struct memory_file import_file;

/* A trace beside nobody's. */
static const char *out_path(void) {
    static char path[64];
    snprintf(path, sizeof path, "/dev/shm/fuzz-heapmark-%ld", (long)getpid());
    return path;
}

static bool import_text(const char *source, const void *text, size_t size) {
    struct hm_error error = {""};
    const char *in = put_memory_file(&import_file, text, size);
    int bad = hm_import_run(hm_trace_source_find(source), in, out_path(), &error);
    MUST(!bad || (error.line[0] && !strchr(error.line, '\n')));
    MUST(!bad || access(out_path(), F_OK) != 0);
    return !bad;
}

/* The trace as text, and its hash. @return the caller's */
static char *dump_trace(size_t *size, uint64_t *hash) {
    struct hm_trace_reader *reader = NULL;
    char why[HM_TRACE_WHY_BYTES];
    struct hm_error error;
    char *text = NULL;
    MUST(hm_trace_open(out_path(), &reader, why) == 0);
    FILE *out = open_memstream(&text, size);
    MUST(out && hm_dump_put(out, reader, &error) == 0 && fclose(out) == 0);
    *hash = hm_trace_totals(reader)->hash;
    hm_trace_close(reader);
    unlink(out_path());
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint64_t hash;
    uint64_t again;
    size_t length;
    size_t length_again;
    if (!import_text(SOURCE, data, size))
        return 0;
    char *text = dump_trace(&length, &hash);
    MUST(import_text("text", text, length));
    char *text_again = dump_trace(&length_again, &again);
    MUST(hash == again && length == length_again && memcmp(text, text_again, length) == 0);
    free(text);
    free(text_again);
    return 0;
}

#endif
