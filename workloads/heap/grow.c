/* Vectors and strings that grow by realloc.
 *
 * A step makes one of `live` arrays larger. An array that would pass its last size is freed instead,
 * and a new one begins: one step, too. Several arrays grow in turns, so that what lies behind one of
 * them is hardly ever free; how often realloc has to move a block all the same, and how cheaply it
 * does, is the allocator's. What is new in an array is written, as a vector does that grows to be used.
 *
 * Vocabulary
 *   factor  new size over old one: 2 as in GCC's C++ library, 1.5 as in folly's and Microsoft's, for
 *           which the blocks left behind are once large enough for the next; `exact` is a string to which a
 *           piece of `min` bytes is appended, with no room kept.
 *
 * Invariant
 *   All bytes of an array hold the mark of its slot and of its generation. */
#include "workloads/sizes.h"
#include "workloads/workload.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum {
    PARAM_LIVE,
    PARAM_MIN,
    PARAM_MAX,
    PARAM_FACTOR,
};

enum factor {
    FACTOR_2,
    FACTOR_1_5,
    FACTOR_EXACT,
};

enum {
    SCRIPT_STEPS = 1 << 16,
};

static const struct hm_param params[] = {
    [PARAM_LIVE] = {.name = "live",
                    .unit = "arrays",
                    .help = "arrays of each thread that grow in turns",
                    .kind = HM_PARAM_COUNT,
                    .initial = 100,
                    .min = 1,
                    .max = 1000000},
    [PARAM_MIN] = {.name = "min",
                   .unit = "bytes",
                   .help = "first size of an array, and the piece that is appended",
                   .kind = HM_PARAM_BYTES,
                   .initial = 16,
                   .min = 2,
                   .max = 1 << 28},
    [PARAM_MAX] = {.name = "max",
                   .unit = "bytes",
                   .help = "the size at which an array ends is drawn between min and this",
                   .kind = HM_PARAM_BYTES,
                   .initial = 64 << 10,
                   .min = 2,
                   .max = 1 << 28},
    [PARAM_FACTOR] = {.name = "factor",
                      .unit = "",
                      .help = "new size over old one; exact: a piece more",
                      .kind = HM_PARAM_CHOICE,
                      .initial = FACTOR_2,
                      .choices = "2|1.5|exact"},
    {.name = NULL},
};

struct array {
    unsigned char *block; /* NULL before the first step, and after memory ran out */
    size_t size;
    size_t last; /* size that it does not pass */
    unsigned char mark;
};

struct step {
    uint32_t array;
    uint32_t last; /* of the array that begins with this step, if one does */
};

/* One mapping: this, the arrays, the script. */
struct grow {
    enum factor factor;
    size_t first;
    size_t count;
    struct array *arrays;
    struct step *steps;
    uint64_t cursor;
    size_t bytes;
};

static const char *conflict(const struct hm_value *values) {
    return hm_sizes_conflict(values[PARAM_MIN].number, values[PARAM_MAX].number);
}

static struct grow *map_grow(size_t live) {
    size_t bytes =
        sizeof(struct grow) + live * sizeof(struct array) + SCRIPT_STEPS * sizeof(struct step);
    struct grow *grow = hm_scratch(bytes);
    if (!grow)
        return NULL;
    grow->bytes = bytes;
    grow->count = live;
    grow->arrays = (struct array *)(grow + 1);
    grow->steps = (struct step *)(grow->arrays + live);
    return grow;
}

static int setup(struct hm_run *run) {
    if (conflict(run->params))
        return EINVAL;
    struct grow *grow = map_grow((size_t)run->params[PARAM_LIVE].number);
    if (!grow)
        return ENOMEM;
    run->state = grow;
    grow->factor = (enum factor)run->params[PARAM_FACTOR].number;
    grow->first = (size_t)run->params[PARAM_MIN].number;
    struct hm_random random = hm_random_of(run->seed, run->thread);
    uint64_t span = (uint64_t)run->params[PARAM_MAX].number - grow->first + 1;
    for (size_t i = 0; i < SCRIPT_STEPS; i++)
        grow->steps[i] = (struct step){(uint32_t)hm_random_below(&random, grow->count),
                                       (uint32_t)(grow->first + hm_random_below(&random, span))};
    return 0;
}

static size_t grown(const struct grow *grow, size_t size) {
    if (grow->factor == FACTOR_EXACT)
        return size + grow->first;
    return grow->factor == FACTOR_2 ? 2 * size : size + size / 2;
}

/* One step. @return false when memory ran out: a new array is missing then, an old one as it was */
static bool take_step(const struct hm_memory *memory, struct grow *grow, const struct step *step) {
    struct array *array = &grow->arrays[step->array];
    size_t size = array->block ? grown(grow, array->size) : grow->first;
    if (array->block && size > array->last) {
        hm_free(memory, array->block);
        *array = (struct array){.mark = (unsigned char)(array->mark + 1)};
        size = grow->first;
    }
    unsigned char *block =
        array->block ? hm_realloc(memory, array->block, size) : hm_malloc(memory, size);
    if (__builtin_expect(!block, 0))
        return false;
    if (!array->block) {
        array->last = step->last;
        array->mark = (unsigned char)(array->mark + 3 * step->array + 1);
    }
    memset(block + array->size, array->mark, size - array->size);
    array->block = block;
    array->size = size;
    return true;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    const struct hm_memory memory = *run->memory; /* the called pointers stay in registers */
    struct grow *grow = run->state;
    for (uint64_t done = 0; done < units; done++) {
        const struct step *step = &grow->steps[grow->cursor % SCRIPT_STEPS];
        if (!take_step(&memory, grow, step))
            return done;
        grow->cursor++;
        run->checksum += (step->array + 1) * grow->arrays[step->array].size;
    }
    return units;
}

static const char *verify(struct hm_run *run) {
    const struct grow *grow = run->state;
    for (size_t i = 0; i < grow->count; i++)
        for (size_t at = 0; at < grow->arrays[i].size; at++)
            if (grow->arrays[i].block[at] != grow->arrays[i].mark)
                return "an array does not hold what was written to it";
    return NULL;
}

static uint64_t live_bytes(const struct hm_run *run) {
    const struct grow *grow = run->state;
    uint64_t sum = 0;
    for (size_t i = 0; i < grow->count; i++)
        sum += grow->arrays[i].size;
    return sum;
}

static void teardown(struct hm_run *run) {
    struct grow *grow = run->state;
    for (size_t i = 0; i < grow->count; i++)
        hm_free(run->memory, grow->arrays[i].block);
    hm_scratch_free(grow, grow->bytes);
    run->state = NULL;
}

static const struct hm_workload grow = {
    HM_WORKLOAD_VARIANT,
    .name = "grow",
    .summary = "vectors or strings that grow by realloc in turns, up to a size, and begin anew",
    .stresses = "realloc: growing in place, moving, and reuse of the blocks left behind",
    .origin = "growth of C++ vectors: factor 2 in GCC's library, 1.5 in folly's and Microsoft's; "
              "exact: strings that are appended to",
    .op = "realloc, or free and malloc",
    .params = params,
    .conflict = conflict,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, grow);
