/* heapmark trace import: from other tools' texts to traces. */
#include "harness/trace/import.h"

#include "harness/trace/arguments.h"
#include "harness/trace/lines.h"
#include "harness/trace/verb.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: heapmark trace import --from SOURCE -o OUT IN\n\n"
    "Makes a trace of what another tool has written. IN may be -, for stdin; OUT\n"
    "must not exist. Addresses become numbers; a block that was there before, and is\n"
    "only seen as it is freed, is foreign.\n\n"
    "  --from text      what 'heapmark trace dump' prints\n"
    "  --from mtrace    glibc's MALLOC_TRACE: calls and their places, of no thread\n"
    "  --from ltrace    ltrace -f -e malloc+free+calloc+realloc+memalign\n"
    "                   with -o or not; pids are threads. posix_memalign's blocks are\n"
    "                   not in its text, and counted as dropped\n"
    "  -o OUT           the trace\n\n"
    "Exit status: 0 done, 1 out of memory, 2 a line can not be read, or wrong usage:\n"
    "then one line tells where, and there is no OUT.\n\n"
    "examples:\n"
    "  heapmark trace dump a.hmt | grep -v ' usable ' |\n"
    "      heapmark trace import --from text -o b.hmt -\n"
    "  MALLOC_TRACE=m LD_PRELOAD=libc_malloc_debug.so.0 ./program\n"
    "  heapmark trace import --from mtrace -o program.hmt m\n";

extern const struct hm_trace_source *const __start_hm_trace_source_parts[];
extern const struct hm_trace_source *const __stop_hm_trace_source_parts[];

const struct hm_trace_source *hm_trace_source_find(const char *name) {
    size_t count = (size_t)(__stop_hm_trace_source_parts - __start_hm_trace_source_parts);
    for (size_t i = 0; i < count; i++)
        if (strcmp(__start_hm_trace_source_parts[i]->name, name) == 0)
            return __start_hm_trace_source_parts[i];
    return NULL;
}

/* ---- For sources ---- */

static int out_of_memory(struct hm_import *import) {
    return hm_fail(import->error, ENOMEM, "out of memory");
}

/* EEXIST and its like are the user's, but of no line of the text. */
int hm_import_writer(struct hm_import *import) {
    int bad = import->writer ? 0 : hm_trace_create(import->path, &import->facts, &import->writer);
    if (bad == EINVAL)
        bad = EIO;
    return bad ? hm_fail(import->error, bad, "%s: %s", import->path, strerror(bad)) : 0;
}

int hm_import_event(struct hm_import *import, const struct hm_trace_event *event) {
    int bad = hm_import_writer(import);
    if (bad)
        return bad;
    bad = hm_trace_add(import->writer, event);
    if (bad == EINVAL)
        return hm_fail(import->error, bad, "%s", hm_trace_refusal(import->writer));
    if (bad)
        return hm_fail(import->error, bad, "%s: %s", import->path, strerror(bad));
    import->next += hm_trace_is_allocation(event->kind) && !event->failed;
    return 0;
}

static int give_address(struct hm_import *import, uint64_t address, uint64_t block) {
    if (!hm_live_has_room(&import->blocks) && hm_live_grow(&import->blocks))
        return out_of_memory(import);
    hm_live_add(&import->blocks, address, block, 0);
    return 0;
}

static int refuse_twice(struct hm_import *import, uint64_t address) {
    if (address && !hm_live_find(&import->blocks, address))
        return 0;
    return hm_fail(import->error, EINVAL, "%#" PRIx64 " is given out, and was not freed before",
                   address);
}

/* A failed call whose product overflows has a form of its own. */
static void settle_size(struct hm_trace_event *event) {
    uint64_t bytes;
    if (event->failed && __builtin_mul_overflow(event->count, event->size, &bytes)) {
        event->count = 1;
        event->size = UINT64_MAX;
    }
}

int hm_import_allocation(struct hm_import *import, struct hm_trace_event *event, uint64_t address) {
    event->failed = !address;
    event->block = address ? import->next : HM_TRACE_NULL;
    settle_size(event);
    int bad = address ? refuse_twice(import, address) : 0;
    if (!bad)
        bad = hm_import_event(import, event);
    return bad || !address ? bad : give_address(import, address, event->block);
}

/* @return the block that lies there, or foreign */
static uint64_t block_at(const struct hm_import *import, uint64_t address,
                         struct hm_live_block **place) {
    *place = address ? hm_live_find(&import->blocks, address) : NULL;
    return *place ? (*place)->bytes : address ? HM_TRACE_FOREIGN : HM_TRACE_NULL;
}

int hm_import_free(struct hm_import *import, struct hm_trace_event *event, uint64_t address) {
    struct hm_live_block *place;
    event->block = block_at(import, address, &place);
    int bad = hm_import_event(import, event);
    if (!bad && place && event->kind == HM_TRACE_FREE)
        hm_live_remove(&import->blocks, place);
    return bad;
}

int hm_import_realloc(struct hm_import *import, struct hm_trace_event *event, uint64_t from,
                      uint64_t to) {
    struct hm_live_block *place;
    if (!from) {
        event->kind = event->count == 1 ? HM_TRACE_MALLOC : HM_TRACE_CALLOC;
        return hm_import_allocation(import, event, to);
    }
    event->block = block_at(import, from, &place);
    event->failed = !to;
    settle_size(event);
    int bad = to && to != from ? refuse_twice(import, to) : 0;
    if (!bad)
        bad = hm_import_event(import, event);
    if (bad || !place || !to)
        return bad;
    uint64_t block = place->bytes;
    hm_live_remove(&import->blocks, place);
    return give_address(import, to, block);
}

int hm_import_number(const char *text, uint64_t *number, const char **end) {
    bool is_nil = strncmp(text, "(nil)", 5) == 0;
    bool is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    unsigned char first = (unsigned char)(is_hex ? text[2] : text[0]);
    char *behind;
    if (is_nil) {
        *number = 0;
        *end = text + 5;
        return 0;
    }
    if (!(is_hex ? isxdigit(first) : isdigit(first)))
        return EINVAL;
    errno = 0;
    *number = strtoull(text, &behind, is_hex ? 16 : 10);
    *end = behind;
    return errno ? EINVAL : 0;
}

/* ---- The whole ---- */

static int take_lines(struct hm_import *import, const struct hm_trace_source *source,
                      struct hm_lines *lines, const char *in) {
    char *line;
    int more;
    int bad = 0;
    while (!bad && (more = hm_lines_next(lines, &line, import->error)) != 0) {
        if (more < 0)
            return EIO;
        bad = source->take(import, line);
    }
    if (!bad && source->end)
        bad = source->end(import);
    if (bad == EINVAL) {
        struct hm_error what = *import->error;
        hm_error_set(import->error, "%.200s: line %" PRIu64 ": %.200s", in, hm_lines_number(lines),
                     what.line);
    }
    return bad;
}

static int take_all(struct hm_import *import, const struct hm_trace_source *source,
                    const char *in) {
    struct hm_lines *lines = NULL;
    int bad = hm_lines_open(in, &lines, import->error);
    if (bad)
        return bad;
    bad = source->begin(import);
    if (bad)
        hm_error_set(import->error, "%s", strerror(bad));
    else
        bad = take_lines(import, source, lines, in);
    if (!bad)
        bad = hm_import_writer(import); /* of a text without events */
    if (source->close)
        source->close(import);
    hm_lines_close(lines);
    return bad;
}

int hm_import_run(const struct hm_trace_source *source, const char *in, const char *out,
                  struct hm_error *error) {
    struct hm_import import = {.path = out,
                               .next = 1,
                               .end = HM_TRACE_END_UNKNOWN,
                               .error = error,
                               .facts = {"", "", source->name, "", 0, 0, 4096, false, false}};
    int bad = hm_live_open(&import.blocks) ? out_of_memory(&import) : 0;
    if (!bad)
        bad = take_all(&import, source, in);
    hm_live_close(&import.blocks);
    if (bad) {
        hm_trace_abandon(import.writer);
        return bad;
    }
    bad = hm_trace_finish(import.writer, import.end, import.status, import.dropped, NULL);
    return bad ? hm_fail(error, bad, "%s: %s", out, strerror(bad)) : 0;
}

static int run(int argc, char **argv) {
    const char *in = NULL;
    const char *out = NULL;
    const char *from = NULL;
    const struct hm_trace_argument arguments[] = {
        {NULL, &in}, {"--from", &from}, {"-o", &out}, {0}};
    struct hm_error error = {""};
    int bad = hm_trace_arguments(argc, argv, arguments, &error);
    const struct hm_trace_source *source = from ? hm_trace_source_find(from) : NULL;
    if (!bad && !from)
        bad = hm_fail(&error, EINVAL, "from what? give --from text, mtrace or ltrace");
    if (!bad && !source)
        bad = hm_fail(&error, EINVAL, "--from=%s: must be text, mtrace or ltrace", from);
    if (!bad && !out)
        bad = hm_fail(&error, EINVAL, "where to? give -o OUT");
    if (!bad)
        bad = hm_import_run(source, in, out, &error);
    return hm_trace_exit(argv[0], bad, &error);
}

static const struct hm_trace_verb import = {
    .name = "import", .summary = "a trace from another tool's text", .usage = usage, .run = run};
HM_REGISTER(hm_trace_verb, import);
