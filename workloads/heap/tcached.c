/* glibc's benchmark of malloc in threads: a thousand slots, of which a random one is replaced.
 *
 * What makes it differ from `churn` is where its numbers come from. Sizes and slots are two tables,
 * walked and wrapped on their own, 8000 and 4096 long: only half a million operations later a size
 * meets the same slot again, and yet both tables stay in the cache. Sizes have a density that falls
 * with the square, between 4 bytes and 32 KB: nearly all fit a thread's cache, and a few do not.
 *
 * The slots are filled before the clock starts; the original starts with empty ones, and runs for
 * seconds. The blocks are written to in mimalloc-bench's version, and not in glibc's. */
#include "workloads/slots.h"

#include <errno.h>

enum {
    PARAM_SLOTS,
    PARAM_MIN,
    PARAM_MAX,
    PARAM_TOUCH,
};

enum {
    SIZES = 8000,
    PLACES = 4096,
};

static const struct hm_param params[] = {
    [PARAM_SLOTS] = {.name = "slots",
                     .unit = "blocks",
                     .help = "blocks that each thread holds",
                     .kind = HM_PARAM_COUNT,
                     .initial = 1024,
                     .min = 1,
                     .max = 1000000},
    [PARAM_MIN] = {.name = "min",
                   .unit = "bytes",
                   .help = "smallest block",
                   .kind = HM_PARAM_BYTES,
                   .initial = 4,
                   .min = 1,
                   .max = 1 << 30},
    [PARAM_MAX] = {.name = "max",
                   .unit = "bytes",
                   .help = "largest block",
                   .kind = HM_PARAM_BYTES,
                   .initial = 32 << 10,
                   .min = 1,
                   .max = 1 << 30},
    [PARAM_TOUCH] = {.name = "touch",
                     .unit = "",
                     .help = "bytes of each new block that are written",
                     .kind = HM_PARAM_CHOICE,
                     .initial = 1,
                     .choices = "none|first"},
    {.name = NULL},
};

/* One mapping: this, the slots. */
struct tcached {
    struct hm_slots set; /* without a script */
    bool touching;
    size_t size; /* next in its table */
    size_t place;
    size_t bytes;
    uint32_t sizes[SIZES];
    uint32_t places[PLACES];
};

static size_t touch_of(const struct tcached *tcached) {
    return tcached->touching;
}

static const char *conflict(const struct hm_value *values) {
    return hm_sizes_conflict(values[PARAM_MIN].number, values[PARAM_MAX].number);
}

static void teardown(struct hm_run *run) {
    struct tcached *tcached = run->state;
    hm_slots_free(run->memory, &tcached->set);
    hm_scratch_free(tcached, tcached->bytes);
    run->state = NULL;
}

static int setup(struct hm_run *run) {
    const struct hm_sizes sizes = {HM_SIZES_POWER, (uint32_t)run->params[PARAM_MIN].number,
                                   (uint32_t)run->params[PARAM_MAX].number};
    if (!hm_sizes_valid(&sizes))
        return EINVAL;
    size_t slots = (size_t)run->params[PARAM_SLOTS].number;
    size_t bytes = sizeof(struct tcached) + slots * sizeof(struct hm_slot);
    struct tcached *tcached = hm_scratch(bytes);
    if (!tcached)
        return ENOMEM;
    run->state = tcached;
    tcached->bytes = bytes;
    tcached->touching = run->params[PARAM_TOUCH].number;
    tcached->set.slots = (struct hm_slot *)(tcached + 1);
    tcached->set.slot_count = slots;
    struct hm_random random = hm_random_of(run->seed, run->thread);
    for (size_t i = 0; i < SIZES; i++)
        tcached->sizes[i] = hm_size_draw(&sizes, &random);
    for (size_t i = 0; i < PLACES; i++)
        tcached->places[i] = (uint32_t)hm_random_below(&random, slots);
    if (hm_slots_fill(run->memory, &tcached->set, &sizes, &random, touch_of(tcached)))
        return 0;
    teardown(run);
    return ENOMEM;
}

__attribute__((always_inline)) static inline uint64_t work(struct hm_run *run, uint64_t units,
                                                           const size_t touch) {
    const struct hm_memory memory = *run->memory; /* the called pointers stay in registers */
    struct tcached *tcached = run->state;
    struct hm_slot *slots = tcached->set.slots;
    size_t size = tcached->size;
    size_t place = tcached->place;
    uint64_t sum = 0;
    uint64_t done = 0;
    for (; done < units; done++) {
        const struct hm_step step = {tcached->places[place], tcached->sizes[size]};
        if (!hm_slots_replace(&memory, slots, &step, touch))
            break;
        sum += (uint64_t)step.slot * step.size + 1;
        size = size + 1 < SIZES ? size + 1 : 0;
        place = place + 1 < PLACES ? place + 1 : 0;
    }
    tcached->size = size;
    tcached->place = place;
    run->checksum += sum;
    return done;
}

__attribute__((noinline)) static uint64_t run_untouched(struct hm_run *run, uint64_t units) {
    return work(run, units, 0);
}

__attribute__((noinline)) static uint64_t run_touched(struct hm_run *run, uint64_t units) {
    return work(run, units, 1);
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    const struct tcached *tcached = run->state;
    return tcached->touching ? run_touched(run, units) : run_untouched(run, units);
}

static const char *verify(struct hm_run *run) {
    const struct tcached *tcached = run->state;
    return hm_slots_verify(&tcached->set, touch_of(tcached));
}

static uint64_t live_bytes(const struct hm_run *run) {
    const struct tcached *tcached = run->state;
    return hm_slots_live_bytes(&tcached->set);
}

static const struct hm_workload tcached = {
    HM_WORKLOAD_VARIANT,
    .name = "tcached",
    .summary = "a thousand blocks of each thread, mostly tiny, of which a random one is replaced",
    .stresses = "a thread's cache of free blocks, and now and then what is too large for it",
    .origin = "glibc's bench-malloc-thread.c, and as glibc-thread in mimalloc-bench (touch=first): "
              "1024 slots, sizes in [4, 32768]",
    .op = "free and malloc",
    .params = params,
    .conflict = conflict,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, tcached);
