/* A window of the newest messages: each one that comes in pushes out the oldest, and the longest time that
 * one has to wait is what users of such a server see.
 *
 * A message is an entry, which has its number and a reference, and a text of 1 KiB without references. An
 * operation writes one, and puts it into the place of the oldest. The time from the end of one insert to
 * the end of the next is read for each: a figure of this workload is the longest. */
#include "workloads/clock.h"
#include "workloads/objects.h"
#include "workloads/scratch.h"

#include <errno.h>

enum {
    PARAM_WINDOW,
    PARAM_SIZE,
};

static const struct hm_param params[] = {
    [PARAM_WINDOW] = {.name = "window",
                      .unit = "messages",
                      .help = "messages that are kept, the newest ones",
                      .kind = HM_PARAM_COUNT,
                      .initial = 20000,
                      .min = 1,
                      .max = 10000000},
    [PARAM_SIZE] = {.name = "size",
                    .unit = "",
                    .help = "bytes of a message's text",
                    .kind = HM_PARAM_CHOICE,
                    .initial = 1,
                    .choices = "64|1K|16K"},
    {.name = NULL},
};

enum {
    LONGEST_INSERT,
};

static const struct hm_figure figures[] = {
    [LONGEST_INSERT] = {.name = "longest_insert_ns",
                        .unit = "ns",
                        .help =
                            "longest time that one insert took, with the collector's work in it",
                        .better = HM_FIGURE_LOWER_IS_BETTER,
                        .over_threads = HM_FIGURE_MAX},
    {.name = NULL},
};

static const struct hm_type window_type = {.name = "window", .variable = true};
static const struct hm_type entry_type = {
    .name = "entry", .slots = 1, .payload_bytes = sizeof(uint64_t)};

/* In the order of the choices of `size`: a type must outlive the collector, not just the run. */
static const struct hm_type text_types[] = {
    {.name = "text-64", .payload_bytes = 64},
    {.name = "text-1K", .payload_bytes = 1 << 10},
    {.name = "text-16K", .payload_bytes = 16 << 10},
};

struct window {
    struct hm_object *entries; /* root */
    uint64_t at;               /* messages that came in */
    uint64_t longest_ns;       /* since measure() was called last */
};

static const struct hm_type *text_type(const struct hm_run *run) {
    return &text_types[run->params[PARAM_SIZE].number];
}

/* A message that nobody will look at again. NULL is allowed. */
static void dispose(struct hm_mutator *m, struct hm_object *entry) {
    if (!HM_DISPOSES || !entry)
        return;
    hm_dispose(m, hm_load(entry, 0));
    hm_dispose(m, entry);
}

/* @return a message, owned by the caller, or NULL: out of memory */
static inline struct hm_object *write_message(struct hm_mutator *m, const struct hm_type *type,
                                              uint64_t number) {
    struct hm_object *text = hm_new(m, type);
    if (!text)
        return NULL;
    memset(hm_payload(text), (int)(number & 0xff), type->payload_bytes);
    hm_root(m, &text);
    struct hm_object *entry = hm_new(m, &entry_type);
    hm_unroot(m, 1);
    if (!entry) {
        hm_dispose(m, text);
        hm_release(m, text);
        return NULL;
    }
    *(uint64_t *)hm_payload(entry) = number;
    hm_init_store(m, entry, 0, text);
    return entry;
}

/* @return false: out of memory, and nothing has changed */
static inline bool insert(struct hm_mutator *m, struct window *window, const struct hm_type *type) {
    hm_safepoint(m);
    struct hm_object *entry = write_message(m, type, window->at);
    if (!entry)
        return false;
    uint32_t slot = (uint32_t)(window->at++ % hm_length(window->entries));
    dispose(m, hm_load(window->entries, slot));
    hm_adopt(m, window->entries, slot, entry);
    return true;
}

static void teardown(struct hm_run *run) {
    struct window *window = run->state;
    for (uint32_t i = 0; HM_DISPOSES && window->entries && i < hm_length(window->entries); i++)
        dispose(run->mutator, hm_load(window->entries, i));
    if (HM_DISPOSES && window->entries)
        hm_dispose(run->mutator, window->entries);
    hm_drop(run->mutator, &window->entries);
    hm_unroot(run->mutator, 1);
    hm_scratch_free(window, sizeof *window);
    run->state = NULL;
}

static bool fill(struct hm_run *run, struct window *window) {
    uint32_t messages = (uint32_t)run->params[PARAM_WINDOW].number;
    window->entries = hm_new_array(run->mutator, &window_type, messages);
    for (uint32_t i = 0; window->entries && i < messages; i++)
        if (!insert(run->mutator, window, text_type(run)))
            return false;
    return window->entries;
}

static int setup(struct hm_run *run) {
    struct window *window = run->state = hm_scratch(sizeof *window);
    if (!window)
        return ENOMEM;
    hm_root(run->mutator, &window->entries);
    if (fill(run, window))
        return 0;
    teardown(run);
    return ENOMEM;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct window *window = run->state;
    uint64_t longest_ns = window->longest_ns;
    uint64_t before_ns = hm_clock_ns();
    uint64_t done = 0;
    for (; done < units && insert(run->mutator, window, text_type(run)); done++) {
        uint64_t now_ns = hm_clock_ns();
        longest_ns = now_ns - before_ns > longest_ns ? now_ns - before_ns : longest_ns;
        before_ns = now_ns;
        run->checksum = run->checksum * 31 + window->at;
    }
    window->longest_ns = longest_ns;
    return done;
}

static void measure(struct hm_run *run, double *values) {
    struct window *window = run->state;
    if (window->longest_ns)
        values[LONGEST_INSERT] = (double)window->longest_ns;
    window->longest_ns = 0;
}

static bool is_message(struct hm_object *entry, uint64_t number, size_t bytes) {
    if (!entry || *(uint64_t *)hm_payload(entry) != number)
        return false;
    const unsigned char *text = hm_payload(hm_load(entry, 0));
    return text[0] == (number & 0xff) && memcmp(text, text + 1, bytes - 1) == 0;
}

static const char *verify(struct hm_run *run) {
    const struct window *window = run->state;
    uint32_t messages = hm_length(window->entries);
    for (uint64_t number = window->at - messages; number < window->at; number++)
        if (!is_message(hm_load(window->entries, (uint32_t)(number % messages)), number,
                        text_type(run)->payload_bytes))
            return "a message of the window is not as it came in";
    return NULL;
}

static uint64_t live_objects(const struct hm_run *run) {
    const struct window *window = run->state;
    return 1 + 2 * (uint64_t)hm_length(window->entries);
}

static const struct hm_workload window = {
    HM_WORKLOAD_VARIANT,
    .name = "window",
    .summary = "put messages into a window of the newest ones, in the place of the oldest",
    .stresses = "pauses: the longest insert, beside a large live heap that ages and dies in order",
    .origin =
        "message window of Fischer's Pusher, as gc-latency-experiment has it: messages of 1 KiB; "
        "there window=200000",
    .op = "message put into the window",
    .params = params,
    .figures = figures,
    .measure = measure,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_objects = live_objects,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, window);
