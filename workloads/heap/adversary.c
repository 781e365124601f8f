/* Programs that are made to spread a heap out: they never hold more than `live` bytes, and an allocator
 * needs several times as much.
 *
 * mode=robson: Robson's bad program. It fills the heap with the smallest blocks; then, for each power
 * of two S up to `max`, it frees all blocks but those that lie on an address f modulo S, so that no
 * hole is as large as S, and fills up with blocks of S. Of the two values that f can take it chooses
 * the one whose blocks leave most room to be wasted. Against any allocator that does not move blocks
 * a program that sees the addresses so needs M (log2(n) / 2 + 1) - n + 1 words for M live ones and
 * blocks of up to n (Robson, JACM 18 (3), 1971; in this form in Cohen and Petrank, PLDI 2013). This one
 * must not look at addresses, for all arms do the same: it is drawn against a model of first fit
 * without headers, whose words are of 16 bytes. On a first fit whose blocks take what was asked for
 * the bound holds; other allocators answer as they will, and often better.
 *
 * mode=classes: the same idea against allocators with a page or slab for each size class. For each power of
 * two it fills up with blocks of that size, and frees all of them but one in every 4 KiB that were
 * allocated in turn. A slab with one block in it can serve no other class; a heap that merges
 * neighbours has holes of nearly 4 KiB for all classes that follow.
 *
 * Vocabulary
 *   program  the steps of one unit, drawn before the clock starts; what it leaves is freed as the next
 *            unit begins.
 *   word     16 bytes: the smallest block, and the unit of the model.
 *
 * Figures: what is resident, and the range of addresses, at the end of a program over `live`. All pages
 * of a block are written to. A range of addresses says little of who takes memory from the system
 * in several places. */
#include "workloads/footprint.h"
#include "workloads/workload.h"

#include <errno.h>

enum {
    PARAM_MODE,
    PARAM_LIVE,
    PARAM_MAX,
};

enum mode {
    MODE_ROBSON,
    MODE_CLASSES,
};

enum {
    FIGURE_HEAP,
    FIGURE_SPAN,
};

enum {
    WORD_BYTES = 16,
    PAGE_BYTES = 4096,
};

static const struct hm_param params[] = {
    [PARAM_MODE] = {.name = "mode",
                    .unit = "",
                    .help = "which program: against first fit, or against size classes",
                    .kind = HM_PARAM_CHOICE,
                    .initial = MODE_ROBSON,
                    .choices = "robson|classes"},
    [PARAM_LIVE] = {.name = "live",
                    .unit = "bytes",
                    .help = "live bytes of each thread, at most",
                    .kind = HM_PARAM_BYTES,
                    .initial = 1 << 20,
                    .min = 1 << 10,
                    .max = 1 << 26},
    [PARAM_MAX] = {.name = "max",
                   .unit = "bytes",
                   .help = "largest block; rounded down to a power of two; at most 2K for classes",
                   .kind = HM_PARAM_BYTES,
                   .initial = 16 << 10,
                   .min = 32,
                   .max = 1 << 22},
    {.name = NULL},
};

static const struct hm_figure figures[] = {
    [FIGURE_HEAP] = {.name = "heap_per_live",
                     .unit = "ratio",
                     .help = "resident bytes of the heap over the live bytes that were allowed",
                     .better = HM_FIGURE_LOWER_IS_BETTER,
                     .over_threads = HM_FIGURE_MAX},
    [FIGURE_SPAN] = {.name = "span_per_live",
                     .unit = "ratio",
                     .help = "range of the blocks' addresses over the live bytes that were allowed",
                     .better = HM_FIGURE_LOWER_IS_BETTER,
                     .over_threads = HM_FIGURE_MAX},
    {.name = NULL},
};

struct step {
    uint32_t id;   /* of the block, from 0 in the order of allocation */
    uint32_t size; /* bytes; 0: free it */
};

struct block {
    unsigned char *bytes; /* NULL: not live */
    uint32_t size;
};

/* One mapping: this, the program, the blocks. */
struct adversary {
    struct step *steps;
    size_t step_count;
    struct block *blocks;
    size_t block_count;
    size_t cursor; /* step of the program */
    uint64_t live;
    uintptr_t lowest, highest; /* of this program's blocks, and their ends */
    size_t bytes;
};

/* ---- The model: blocks on an array of words, placed by first fit ---- */

struct placed {
    uint32_t id;
    uint32_t at; /* word */
    uint32_t words;
};

/* One mapping: this, the live blocks, the words. */
struct model {
    struct placed *live;
    size_t count;
    uint64_t live_words;
    unsigned char *used; /* of each word; those beyond have never been */
    size_t words;
    struct step *out; /* NULL: only counted */
    size_t steps;
    size_t allocations;
    size_t bytes;
};

static unsigned log2_down(uint64_t number) {
    return 63u - (unsigned)__builtin_clzll(number);
}

/* Words that first fit can need: less than M log2(n) + M, and n at the end. */
static struct model *map_model(const struct hm_value *values) {
    size_t live = (size_t)values[PARAM_LIVE].number / WORD_BYTES;
    size_t largest = (size_t)values[PARAM_MAX].number / WORD_BYTES;
    size_t words = live * (log2_down(largest) + 2) + largest;
    size_t bytes = sizeof(struct model) + live * sizeof(struct placed) + words;
    struct model *model = hm_scratch(bytes);
    if (!model)
        return NULL;
    model->bytes = bytes;
    model->live = (struct placed *)(model + 1);
    model->words = words;
    model->used = (unsigned char *)(model->live + live);
    return model;
}

static void note(struct model *model, uint32_t id, uint32_t size) {
    if (model->out)
        model->out[model->steps] = (struct step){id, size};
    model->steps++;
}

/* The lowest hole of so many words. @param from below it there is none */
static uint32_t first_fit(const struct model *model, uint32_t from, uint32_t words) {
    uint32_t run = 0;
    uint32_t at = from;
    for (; run < words; at++)
        run = model->used[at] ? 0 : run + 1;
    return at - words;
}

/* Fill up with blocks of one size: holes below one that was found have not become larger. */
static void fill_up(struct model *model, uint64_t limit_words, uint32_t words) {
    uint32_t at = 0;
    while (model->live_words + words <= limit_words) {
        at = first_fit(model, at, words);
        uint32_t id = (uint32_t)model->allocations++;
        memset(model->used + at, 1, words);
        model->live[model->count++] = (struct placed){id, at, words};
        model->live_words += words;
        note(model, id, words * WORD_BYTES);
        at += words;
    }
}

static bool lies_on(const struct placed *block, uint32_t offset, uint32_t modulus) {
    return ((offset - block->at) & (modulus - 1)) < block->words;
}

/* Words that the blocks on this offset keep from blocks of `modulus` words. */
static uint64_t wasted(const struct model *model, uint32_t offset, uint32_t modulus) {
    uint64_t sum = 0;
    for (size_t i = 0; i < model->count; i++)
        if (lies_on(&model->live[i], offset, modulus))
            sum += modulus - model->live[i].words;
    return sum;
}

typedef bool keeps_fn(const struct placed *block, uint32_t arg, uint32_t modulus);

static void free_others(struct model *model, keeps_fn *keeps, uint32_t arg, uint32_t modulus) {
    size_t count = model->count;
    model->count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct placed block = model->live[i];
        if (keeps(&block, arg, modulus)) {
            model->live[model->count++] = block;
            continue;
        }
        memset(model->used + block.at, 0, block.words);
        model->live_words -= block.words;
        note(model, block.id, 0);
    }
}

static void play_robson(struct model *model, uint64_t limit_words, unsigned powers) {
    uint32_t offset = 0;
    fill_up(model, limit_words, 1);
    for (unsigned i = 1; i <= powers; i++) {
        uint32_t words = (uint32_t)1 << i;
        uint32_t other = offset + words / 2;
        if (wasted(model, other, words) > wasted(model, offset, words))
            offset = other;
        free_others(model, lies_on, offset, words);
        fill_up(model, limit_words, words);
    }
}

/* Of the blocks of this size, each `every`-th; all older ones. */
static bool is_kept(const struct placed *block, uint32_t first_id, uint32_t every) {
    return block->id < first_id || (block->id - first_id) % every == 0;
}

static void play_classes(struct model *model, uint64_t limit_words, unsigned powers) {
    for (unsigned i = 0; i <= powers && (WORD_BYTES << i) < PAGE_BYTES; i++) {
        uint32_t words = (uint32_t)1 << i;
        uint32_t first = (uint32_t)model->allocations;
        fill_up(model, limit_words, words);
        free_others(model, is_kept, first, PAGE_BYTES / WORD_BYTES / words);
    }
}

/* @param out NULL: only count  @return whether there was memory */
static bool play(const struct hm_value *values, struct step *out, size_t *steps, size_t *blocks) {
    struct model *model = map_model(values);
    if (!model)
        return false;
    model->out = out;
    uint64_t limit_words = (uint64_t)values[PARAM_LIVE].number / WORD_BYTES;
    unsigned powers = log2_down((uint64_t)values[PARAM_MAX].number / WORD_BYTES);
    (values[PARAM_MODE].number == MODE_ROBSON ? play_robson : play_classes)(model, limit_words,
                                                                            powers);
    *steps = model->steps;
    *blocks = model->allocations;
    hm_scratch_free(model, model->bytes);
    return true;
}

/* ---- The workload ---- */

static const char *conflict(const struct hm_value *values) {
    return values[PARAM_MAX].number > values[PARAM_LIVE].number ? "max is above live" : NULL;
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    size_t steps, blocks;
    return play(values, NULL, &steps, &blocks) ? blocks : 1;
}

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    (void)values;
    (void)threads;
    return sizeof(struct hm_footprint);
}

static struct adversary *map_adversary(size_t steps, size_t blocks) {
    size_t bytes =
        sizeof(struct adversary) + blocks * sizeof(struct block) + steps * sizeof(struct step);
    struct adversary *adversary = hm_scratch(bytes);
    if (!adversary)
        return NULL;
    adversary->bytes = bytes;
    adversary->blocks = (struct block *)(adversary + 1);
    adversary->block_count = blocks;
    adversary->steps = (struct step *)(adversary->blocks + blocks);
    adversary->step_count = steps;
    return adversary;
}

static int setup(struct hm_run *run) {
    size_t steps, blocks;
    if (conflict(run->params))
        return EINVAL;
    if (!play(run->params, NULL, &steps, &blocks))
        return ENOMEM;
    struct adversary *adversary = map_adversary(steps, blocks);
    if (!adversary || !play(run->params, adversary->steps, &steps, &blocks)) {
        hm_scratch_free(adversary, adversary ? adversary->bytes : 0);
        return ENOMEM;
    }
    run->state = adversary;
    hm_footprint_open(run->shared);
    return 0;
}

static unsigned char mark_of(uint32_t id) {
    return (unsigned char)(id % 255 + 1);
}

static void touch(unsigned char *bytes, uint32_t size, unsigned char mark) {
    for (uint32_t at = 0; at < size; at += PAGE_BYTES)
        bytes[at] = mark;
    bytes[size - 1] = mark;
}

static void free_block(const struct hm_memory *memory, struct adversary *adversary,
                       struct block *block) {
    hm_free(memory, block->bytes);
    adversary->live -= block->size;
    *block = (struct block){NULL, 0};
}

static bool take_step(const struct hm_memory *memory, struct adversary *adversary,
                      const struct step *step) {
    struct block *block = &adversary->blocks[step->id];
    if (!step->size) {
        free_block(memory, adversary, block);
        return true;
    }
    unsigned char *bytes = hm_malloc(memory, step->size);
    if (__builtin_expect(!bytes, 0))
        return false;
    touch(bytes, step->size, mark_of(step->id));
    *block = (struct block){bytes, step->size};
    adversary->live += step->size;
    uintptr_t address = (uintptr_t)bytes;
    adversary->lowest = address < adversary->lowest ? address : adversary->lowest;
    uintptr_t end = address + step->size;
    adversary->highest = end > adversary->highest ? end : adversary->highest;
    return true;
}

static void free_all(const struct hm_memory *memory, struct adversary *adversary) {
    for (size_t i = 0; i < adversary->block_count; i++)
        if (adversary->blocks[i].bytes)
            free_block(memory, adversary, &adversary->blocks[i]);
}

/* Nothing is drawn: the seed is in the checksum for the sake of form. */
__attribute__((noinline)) static bool run_program(struct hm_run *run, struct adversary *adversary) {
    const struct hm_memory memory = *run->memory; /* the called pointers stay in registers */
    if (adversary->cursor == 0) {
        free_all(&memory, adversary);
        adversary->lowest = UINTPTR_MAX;
        adversary->highest = 0;
    }
    uint64_t sum = 0;
    while (adversary->cursor < adversary->step_count) {
        const struct step *step = &adversary->steps[adversary->cursor];
        if (!take_step(&memory, adversary, step))
            break;
        sum += (step->id + 1ull) * (step->size + 1ull);
        adversary->cursor++;
    }
    bool done = adversary->cursor == adversary->step_count;
    run->checksum += sum + (done ? hm_mix(run->seed + run->thread) : 0);
    return done;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct adversary *adversary = run->state;
    for (uint64_t done = 0; done < units; done++) {
        if (!run_program(run, adversary))
            return done;
        adversary->cursor = 0;
    }
    return units;
}

/* No live bytes are told to the footprint: what it calls dead is all that is resident. */
static void measure(struct hm_run *run, double *values) {
    const struct adversary *adversary = run->state;
    struct hm_footprint *footprint = run->shared;
    double allowed = (double)run->params[PARAM_LIVE].number;
    values[FIGURE_HEAP] = hm_footprint_dead(footprint) / (allowed * run->threads);
    values[FIGURE_SPAN] = (double)(adversary->highest - adversary->lowest) / allowed;
}

static const char *verify(struct hm_run *run) {
    const struct adversary *adversary = run->state;
    for (uint32_t i = 0; i < adversary->block_count; i++) {
        const struct block *block = &adversary->blocks[i];
        for (uint32_t at = 0; at < block->size; at += PAGE_BYTES)
            if (block->bytes[at] != mark_of(i))
                return "a live block does not hold what was written to it";
        if (block->size && block->bytes[block->size - 1] != mark_of(i))
            return "a live block does not hold what was written to it";
    }
    return NULL;
}

static uint64_t live_bytes(const struct hm_run *run) {
    const struct adversary *adversary = run->state;
    return adversary->live;
}

static void teardown(struct hm_run *run) {
    struct adversary *adversary = run->state;
    free_all(run->memory, adversary);
    hm_scratch_free(adversary, adversary->bytes);
    run->state = NULL;
}

static const struct hm_workload adversary = {
    HM_WORKLOAD_VARIANT,
    .name = "adversary",
    .summary = "a program that is made to spread the heap out, while it holds few bytes itself",
    .stresses = "fragmentation at its worst: of first fit, or of pages of one size class each",
    .origin =
        "Robson, JACM 18 (3), 1971: on first fit it takes M (log2(n) / 2 + 1) - n + 1 words for M "
        "live ones in blocks of up to n; the program against size classes is ours",
    .op = "malloc and its free",
    .params = params,
    .figures = figures,
    .measure = measure,
    .conflict = conflict,
    .ops_per_unit = ops_per_unit,
    .shared_bytes = shared_bytes,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, adversary);
