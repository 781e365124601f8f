/* heapmark trace dump: a trace as text. */
#include "harness/trace/dump.h"

#include "harness/trace/arguments.h"
#include "harness/trace/text.h"
#include "harness/trace/texts.h"
#include "harness/trace/verb.h"
#include "traces/format.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: heapmark trace dump FILE\n\n"
    "Prints a recorded heap as text: its facts, and a line for each event, in order.\n"
    "'heapmark trace import --from text' makes the same trace of it again.\n\n"
    "  0 malloc 24 = 1      thread, call, size, block; `= failed` where it gave none\n"
    "  0 calloc 3 8 = 2     count and size; for aligned calls, alignment and size\n"
    "  0 realloc 1 200      block and size; reallocarray: block, count and size\n"
    "  1 free 2 @1500 #7    with the time in ns and the stack, where there are any\n"
    "  0 free foreign       made before the recording; NULL: no block\n\n"
    "Modules (number, build id, path) and stacks (number, module+offset ..) stand\n"
    "before the first event that needs them.\n\n"
    "Exit status: 0 done, 2 the file is not a whole trace, or wrong usage.\n\n"
    "examples:\n"
    "  heapmark trace dump lua.hmt | grep -c ' realloc '\n";

struct dumping {
    FILE *out;
    struct hm_trace_reader *reader;
    const struct hm_trace_facts *facts;
    uint64_t stacks;         /* that were printed */
    struct hm_texts modules; /* "BUILD-ID PATH", as printed */
};

/* ---- Facts ---- */

static void put_fact(FILE *out, const char *name, const char *text) {
    fprintf(out, "%s ", name);
    hm_trace_put_text(out, text, "", SIZE_MAX);
    fputc('\n', out);
}

static void put_facts(const struct dumping *d) {
    const struct hm_trace_facts *f = d->facts;
    fputs(HM_DUMP_FIRST_LINE "\n", d->out);
    put_fact(d->out, "program", f->program);
    put_fact(d->out, "command", f->command);
    put_fact(d->out, "recorder", f->recorder);
    put_fact(d->out, "machine", f->machine);
    fprintf(d->out, "pid %" PRIu64 "\nstarted %" PRId64 "\npage %" PRIu64 "\ntimes %d\nstacks %d\n",
            f->pid, f->started_utc, f->page_bytes, f->has_times, f->has_stacks);
}

/* ---- Stacks ---- */

/* The number of a module, which is printed when it is new. @return 0 or ENOMEM */
static int see_module(struct dumping *d, const struct hm_trace_frame *frame, uint32_t *number) {
    char *line = NULL;
    size_t size = 0;
    size_t known = d->modules.count;
    FILE *out = open_memstream(&line, &size);
    if (!out)
        return ENOMEM;
    hm_trace_put_text(out, *frame->build_id ? frame->build_id : "-", " ", SIZE_MAX);
    fputc(' ', out);
    hm_trace_put_text(out, frame->module, "", SIZE_MAX);
    *number = fclose(out) == 0 ? hm_texts_add(&d->modules, line) : HM_TEXT_NONE;
    if (*number == known)
        fprintf(d->out, "module %" PRIu32 " %s\n", *number, line);
    free(line);
    return *number == HM_TEXT_NONE ? ENOMEM : 0;
}

static bool has_module(const struct hm_trace_frame *frame) {
    return *frame->module || *frame->build_id;
}

static int put_stack(struct dumping *d, uint32_t stack) {
    struct hm_trace_frame frames[HM_TRACE_FRAMES_MAX];
    uint32_t modules[HM_TRACE_FRAMES_MAX] = {0};
    size_t count = hm_trace_stack(d->reader, stack, frames, HM_TRACE_FRAMES_MAX);
    for (size_t i = 0; i < count; i++)
        if (has_module(&frames[i]) && see_module(d, &frames[i], &modules[i]))
            return ENOMEM;
    fprintf(d->out, "stack %" PRIu32, stack);
    for (size_t i = 0; i < count; i++) {
        if (has_module(&frames[i]))
            fprintf(d->out, " %" PRIu32, modules[i]);
        else
            fputs(" -", d->out);
        fprintf(d->out, "+%" PRIx64, frames[i].offset);
    }
    fputc('\n', d->out);
    return 0;
}

static int put_new_stacks(struct dumping *d) {
    uint64_t stacks = hm_trace_totals(d->reader)->stacks;
    int bad = 0;
    while (!bad && d->stacks < stacks)
        bad = put_stack(d, (uint32_t)++d->stacks);
    return bad;
}

/* ---- Events ---- */

static void put_block(FILE *out, uint64_t block) {
    if (block == HM_TRACE_NULL)
        fputs(" NULL", out);
    else if (block == HM_TRACE_FOREIGN)
        fputs(" foreign", out);
    else
        fprintf(out, " %" PRIu64, block);
}

static void put_event(const struct dumping *d, const struct hm_trace_event *e) {
    unsigned fields = hm_trace_fields(e->kind);
    fprintf(d->out, "%" PRIu32 " %s", e->thread, hm_trace_kind_names[e->kind]);
    if (fields & HM_TRACE_FIELD_REF)
        put_block(d->out, e->block);
    if (fields & HM_TRACE_FIELD_ALIGNMENT)
        fprintf(d->out, " %" PRIu64,
                e->alignment_log2 ? UINT64_C(1) << e->alignment_log2 : UINT64_C(0));
    if (fields & HM_TRACE_FIELD_COUNT)
        fprintf(d->out, " %" PRIu64, e->count);
    if (fields & HM_TRACE_FIELD_SIZE)
        fprintf(d->out, " %" PRIu64, e->size);
    if (e->failed)
        fputs(" = failed", d->out);
    else if (hm_trace_is_allocation(e->kind))
        fprintf(d->out, " = %" PRIu64, e->block);
    if (d->facts->has_times)
        fprintf(d->out, " @%" PRIu64, e->time_ns);
    if (e->stack)
        fprintf(d->out, " #%" PRIu32, e->stack);
    fputc('\n', d->out);
}

static int put_events(struct dumping *d) {
    struct hm_trace_event event;
    int more = 0;
    int bad = 0;
    while (!bad && (more = hm_trace_next(d->reader, &event)) == 1) {
        bad = put_new_stacks(d);
        if (!bad)
            put_event(d, &event);
    }
    if (!bad && more == 0)
        bad = put_new_stacks(d);
    return bad ? bad : more < 0 ? EINVAL : 0;
}

int hm_dump_put(FILE *out, struct hm_trace_reader *reader, struct hm_error *error) {
    static const char *const ends[] = {"exit", "signal", "exec", "unknown"};
    struct dumping d = {.out = out, .reader = reader, .facts = hm_trace_facts(reader)};
    put_facts(&d);
    int bad = put_events(&d);
    hm_texts_free(&d.modules);
    if (bad == EINVAL)
        return hm_fail(error, bad, "%s", hm_trace_why(reader));
    if (bad)
        return hm_fail(error, bad, "%s", strerror(bad));
    const struct hm_trace_totals *totals = hm_trace_totals(reader);
    fprintf(out, "dropped %" PRIu64 "\nend %s %" PRId32 "\n", totals->dropped, ends[totals->end],
            totals->status);
    return 0;
}

static int run(int argc, char **argv) {
    const char *path = NULL;
    const struct hm_trace_argument arguments[] = {{NULL, &path}, {0}};
    struct hm_trace_reader *reader = NULL;
    struct hm_error error = {""};
    int bad = hm_trace_arguments(argc, argv, arguments, &error);
    if (!bad)
        bad = hm_trace_open(path, &reader, error.line);
    if (!bad)
        bad = hm_dump_put(stdout, reader, &error);
    hm_trace_close(reader);
    return hm_trace_exit(argv[0], bad, &error);
}

static const struct hm_trace_verb dump = {
    .name = "dump", .summary = "all events as text", .usage = usage, .run = run};
HM_REGISTER(hm_trace_verb, dump);
