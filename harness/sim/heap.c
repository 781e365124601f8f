/* Plays a script on an allocator.
 *
 * Invariant: an entry is live exactly while the heap has its block, and no two live entries have the
 * same address: a pointer that happens to be another block's start is never given to the heap. */
#include "harness/sim/heap.h"

#include "allocators/first-fit.h"
#include "harness/sim/map.h"

#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

struct named {
    char id[HM_SIM_ID_BYTES];
    bool live;
    char *address;
    uint64_t size;
};

struct sim {
    const struct hm_memory *memory; /* the outermost heap */
    const struct hm_memory *walked; /* the outermost one that can walk; NULL: none */
    bool judges;                    /* tells what is wrong with a bad pointer */
    bool started;                   /* something has been allocated */
    const char *base;               /* of the walked arena; NULL: not known */
    void *names;
    FILE *out;
};

static const struct hm_memory *find_walked(const struct hm_memory_stack *stack) {
    for (unsigned i = 0; i < stack->count; i++)
        if (stack->open[i].allocator->caps & HM_CAP_WALK)
            return &stack->open[i];
    return NULL;
}

bool hm_sim_heap_has_map(const struct hm_memory_stack *stack) {
    return find_walked(stack) != NULL;
}

/* ---- Rows ---- */

static void put_row(struct sim *sim, const struct hm_sim_line *line, uint64_t size,
                    const char *address, const char *status) {
    fprintf(sim->out, "%s,%s,", line->words[0], line->words[1]);
    if (size == HM_UNKNOWN)
        fputs("NA,", sim->out);
    else
        fprintf(sim->out, "%" PRIu64 ",", size);
    if (address && sim->base)
        fprintf(sim->out, "%" PRIuPTR, (uintptr_t)address - (uintptr_t)sim->base);
    else
        fputs("NA", sim->out);
    fprintf(sim->out, ",%s\n", status);
}

static int refuse(struct sim *sim, const struct hm_sim_line *line, const char *status) {
    put_row(sim, line, HM_UNKNOWN, NULL, status);
    return 0;
}

struct first_block {
    unsigned count;
    uint64_t offset;
};

static void take_used(void *arg, const struct hm_block *block) {
    struct first_block *first = arg;
    if (!block->used)
        return;
    first->count++;
    first->offset = block->offset;
}

/* A walk knows offsets, a block an address: the first block, alone in the heap, has both. */
static void find_base(struct sim *sim, const char *address) {
    struct first_block first = {.count = 0};
    sim->started = true;
    if (!sim->walked)
        return;
    sim->walked->allocator->walk(sim->walked->heap, take_used, &first);
    if (first.count == 1)
        sim->base = address - first.offset;
}

/* ---- Allocation ---- */

static int new_entry(struct sim *sim, const char *id, struct named **out, struct hm_error *error) {
    int bad = hm_sim_check_id(id, error);
    if (bad)
        return bad;
    struct named *entry = hm_sim_find(sim->names, id);
    if (entry && entry->live)
        return hm_fail(error, EINVAL, "%s is allocated already", id);
    *out = entry;
    return 0;
}

/* The answer to an allocation: its name is only kept when it has a block. */
static int answer(struct sim *sim, const struct hm_sim_line *line, struct named *entry,
                  uint64_t size, char *address, struct hm_error *error) {
    if (!address) {
        put_row(sim, line, size, NULL, "oom");
        return 0;
    }
    if (!entry)
        entry = hm_sim_name(&sim->names, line->words[1], sizeof *entry);
    if (!entry) {
        hm_free(sim->memory, address);
        return hm_fail(error, ENOMEM, "out of memory for the names");
    }
    if (!sim->started)
        find_base(sim, address);
    entry->live = true;
    entry->address = address;
    entry->size = size;
    put_row(sim, line, size, address, "ok");
    return 0;
}

static int play_malloc(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct sim *sim = arg;
    struct named *entry;
    uint64_t size;
    int bad = new_entry(sim, line->words[1], &entry, error);
    if (!bad)
        bad = hm_sim_parse_size(line->words[2], &size, error);
    return bad ? bad : answer(sim, line, entry, size, hm_malloc(sim->memory, size), error);
}

static int play_calloc(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct sim *sim = arg;
    struct named *entry;
    uint64_t count, size, bytes;
    int bad = new_entry(sim, line->words[1], &entry, error);
    if (!bad)
        bad = hm_sim_parse_size(line->words[2], &count, error);
    if (!bad)
        bad = hm_sim_parse_size(line->words[3], &size, error);
    if (bad)
        return bad;
    bool countable = !__builtin_mul_overflow(count, size, &bytes);
    return answer(sim, line, entry, countable ? bytes : HM_UNKNOWN,
                  hm_calloc(sim->memory, count, size), error);
}

static int play_aligned(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct sim *sim = arg;
    struct named *entry;
    uint64_t alignment, size;
    int bad = new_entry(sim, line->words[1], &entry, error);
    if (!bad)
        bad = hm_sim_parse_size(line->words[2], &alignment, error);
    if (!bad)
        bad = hm_sim_parse_size(line->words[3], &size, error);
    if (bad)
        return bad;
    if (!alignment || (alignment & (alignment - 1)))
        return hm_fail(error, EINVAL, "an alignment of %" PRIu64 ": it must be a power of two",
                       alignment);
    return answer(sim, line, entry, size, hm_aligned_alloc(sim->memory, alignment, size), error);
}

/* ---- Bad pointers ---- */

static const char *judgement(struct sim *sim, const char *otherwise) {
    switch (hm_first_fit_last_bad(sim->memory->heap)) {
    case HM_BAD_FREE_DOUBLE:
        return "double-free";
    case HM_BAD_FREE_INSIDE:
        return "inside-block";
    case HM_BAD_FREE_FOREIGN:
        return "foreign";
    case HM_BAD_FREE_NONE:
        break;
    }
    return otherwise;
}

/* Free a pointer that is none of a live entry's. @param status where the heap does not judge */
static int free_bad(struct sim *sim, const struct hm_sim_line *line, char *pointer,
                    const char *status) {
    bool is_block = sim->judges && hm_usable_size(sim->memory, pointer) > 0;
    if (!sim->judges || is_block)
        return refuse(sim, line, status);
    hm_free(sim->memory, pointer);
    return refuse(sim, line, judgement(sim, status));
}

static int free_inside(struct sim *sim, const struct hm_sim_line *line, struct hm_error *error) {
    char id[HM_SIM_LINE_BYTES];
    uint64_t distance;
    size_t length = strcspn(line->words[1], "+");
    memcpy(id, line->words[1], length);
    id[length] = '\0';
    int bad = hm_sim_check_id(id, error);
    if (!bad)
        bad = hm_sim_parse_size(line->words[1] + length + 1, &distance, error);
    if (bad)
        return bad;
    struct named *entry = hm_sim_find(sim->names, id);
    if (!entry)
        return refuse(sim, line, "not-allocated");
    if (distance == 0 || distance >= entry->size)
        return hm_fail(error, EINVAL, "%s has %" PRIu64 " bytes: +%" PRIu64 " is not inside", id,
                       entry->size, distance);
    return free_bad(sim, line, entry->address + distance,
                    entry->live ? "inside-block" : "double-free");
}

/* ---- Free and realloc ---- */

static int free_entry(struct sim *sim, const struct hm_sim_line *line, struct named *entry) {
    if (!entry->live)
        return free_bad(sim, line, entry->address, "double-free");
    hm_free(sim->memory, entry->address);
    entry->live = false;
    put_row(sim, line, entry->size, entry->address, "ok");
    return 0;
}

static int play_free(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct sim *sim = arg;
    const char *what = line->words[1];
    if (strcmp(what, "!foreign") == 0)
        return free_bad(sim, line, (char *)sim, "foreign");
    if (strchr(what, '+'))
        return free_inside(sim, line, error);
    int bad = hm_sim_check_id(what, error);
    if (bad)
        return bad;
    struct named *entry = hm_sim_find(sim->names, what);
    return entry ? free_entry(sim, line, entry) : refuse(sim, line, "not-allocated");
}

/* C leaves a realloc to 0 bytes open, and glibc's frees: here the block stays, with a byte. */
static int play_realloc(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct sim *sim = arg;
    uint64_t size;
    int bad = hm_sim_check_id(line->words[1], error);
    if (!bad)
        bad = hm_sim_parse_size(line->words[2], &size, error);
    if (bad)
        return bad;
    struct named *entry = hm_sim_find(sim->names, line->words[1]);
    if (!entry)
        return refuse(sim, line, "not-allocated");
    if (!entry->live)
        return refuse(sim, line, "double-free");
    char *moved = hm_realloc(sim->memory, entry->address, size ? size : 1);
    return answer(sim, line, entry, size, moved, error);
}

static const struct hm_sim_verb verbs[] = {
    {"malloc", "ID SIZE", play_malloc},
    {"calloc", "ID N SIZE", play_calloc},
    {"realloc", "ID SIZE", play_realloc},
    {"aligned", "ID ALIGN SIZE", play_aligned},
    {"free", "ID", play_free},
    {NULL, NULL, NULL},
};

/* ---- The map ---- */

struct runs {
    struct hm_sim_run *at;
    size_t count, room;
    bool failed;
};

struct living {
    const struct named **at;
    size_t count, room;
    bool failed;
};

/* The array with room for one more. @return NULL: out of memory, and the array as it was */
static void *grown(void *array, size_t count, size_t *room, size_t bytes) {
    if (count < *room)
        return array;
    size_t wanted = *room ? 2 * *room : 64;
    void *larger = reallocarray(array, wanted, bytes);
    if (larger)
        *room = wanted;
    return larger;
}

static void take_run(void *arg, const struct hm_block *block) {
    struct runs *runs = arg;
    struct hm_sim_run *at = grown(runs->at, runs->count, &runs->room, sizeof *at);
    runs->failed |= !at;
    if (!at)
        return;
    runs->at = at;
    at[runs->count++] = (struct hm_sim_run){block->offset, block->bytes, block->used, NULL};
}

static void take_live(const void *node, VISIT visit, void *arg) {
    const struct named *entry = *(struct named *const *)node;
    struct living *live = arg;
    if ((visit != postorder && visit != leaf) || !entry->live)
        return;
    const struct named **at = grown(live->at, live->count, &live->room, sizeof *at);
    live->failed |= !at;
    if (!at)
        return;
    live->at = at;
    at[live->count++] = entry;
}

static int by_address(const void *a, const void *b) {
    const struct named *x = *(const struct named *const *)a, *y = *(const struct named *const *)b;
    return x->address < y->address ? -1 : x->address > y->address;
}

/* Both in address order. */
static void name_runs(const struct sim *sim, struct runs *runs, const struct living *live) {
    size_t next = 0;
    for (size_t i = 0; i < runs->count && sim->base; i++) {
        const char *begin = sim->base + runs->at[i].offset;
        while (next < live->count && live->at[next]->address < begin)
            next++;
        if (next < live->count && live->at[next]->address < begin + runs->at[i].bytes)
            runs->at[i].name = live->at[next]->id;
    }
}

static int draw_map(struct sim *sim, unsigned width, struct hm_error *error) {
    struct runs runs = {.count = 0};
    struct living live = {.count = 0};
    sim->walked->allocator->walk(sim->walked->heap, take_run, &runs);
    twalk_r(sim->names, take_live, &live);
    bool failed = runs.failed || live.failed;
    if (!failed && live.count)
        qsort(live.at, live.count, sizeof *live.at, by_address);
    if (!failed && runs.count) {
        name_runs(sim, &runs, &live);
        fputc('\n', sim->out);
        hm_sim_map_draw(sim->out, runs.at, runs.count, width);
    }
    free(runs.at);
    free(live.at);
    return failed ? hm_fail(error, ENOMEM, "out of memory for the map") : 0;
}

/* ---- Playing ---- */

static int play_lines(struct sim *sim, struct hm_sim_script *script,
                      const struct hm_sim_heap_options *options, struct hm_error *error) {
    struct hm_sim_line line;
    int got, bad = 0;
    fputs("op,id,size,offset,status\n", sim->out);
    while (!bad && (got = hm_sim_next(script, &line, error)) != 0) {
        bad = got < 0 ? EINVAL : line.verb->play(sim, &line, error);
        if (!bad && options->map == HM_SIM_MAP_EACH && sim->walked) {
            bad = draw_map(sim, options->width, error);
            fputc('\n', sim->out);
        }
    }
    if (!bad && options->map == HM_SIM_MAP_END && sim->walked)
        bad = draw_map(sim, options->width, error);
    return bad;
}

static void free_live(const void *node, VISIT visit, void *arg) {
    const struct named *entry = *(struct named *const *)node;
    const struct sim *sim = arg;
    if ((visit == postorder || visit == leaf) && entry->live)
        hm_free(sim->memory, entry->address);
}

int hm_sim_heap_play(const struct hm_memory_stack *stack, struct hm_sim_script *script,
                     const struct hm_sim_heap_options *options, struct hm_error *error) {
    const struct hm_memory *memory = hm_memory_stack_top(stack);
    struct sim sim = {
        .memory = memory,
        .walked = find_walked(stack),
        .judges = memory->allocator == hm_allocator_find("first-fit"),
        .out = options->out,
    };
    script->verbs = verbs;
    int bad = play_lines(&sim, script, options, error);
    twalk_r(sim.names, free_live, &sim);
    hm_sim_forget(sim.names);
    return bad;
}
