/* What is inside of a heap that can be walked. */
#include "harness/cell/space_map.h"

#include "harness/cell/channel.h"
#include "harness/stats/histogram.h"
#include "workloads/scratch.h"

#include <errno.h>

enum {
    LEAST_BITS = 8,
    LOOKS_TOLD = 64,
};

struct share {
    uint64_t used, free; /* bytes */
};

struct bucket {
    uint64_t number; /* its address, in lengths of buckets */
    struct share looks[HM_SPACE_MAP_LOOKS];
};

struct found {
    struct hm_space_runs sum;
    struct hm_histogram runs; /* bytes, where latencies have nanoseconds */
};

/* It is large, and so no memory of the process's own. */
struct tables {
    struct found last, peak;
    struct bucket buckets[HM_SPACE_MAP_BUCKETS]; /* in no order */
    uint64_t t_ns[HM_SPACE_MAP_LOOKS];
};

static struct map {
    const struct hm_memory *walked; /* NULL: there is none */
    struct tables *tables;
    unsigned bits; /* of the length of a bucket */
    unsigned buckets, looks;
    struct bucket *near; /* where the last byte went */
    uint64_t most;       /* level */
    /* Of the look that is under way: */
    uint64_t end; /* what lies behind is left out */
    uint64_t run_begin, run_end;
} map;

/* ---- Buckets ---- */

static void add_shares(struct bucket *into, const struct bucket *other) {
    for (unsigned i = 0; i <= map.looks; i++) {
        into->looks[i].used += other->looks[i].used;
        into->looks[i].free += other->looks[i].free;
    }
}

static struct bucket *seek(uint64_t number, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if (map.tables->buckets[i].number == number)
            return &map.tables->buckets[i];
    return NULL;
}

/* Two neighbours become one. */
static void double_buckets(void) {
    struct bucket *all = map.tables->buckets;
    unsigned kept = 0;
    for (unsigned i = 0; i < map.buckets; i++) {
        struct bucket *same = seek(all[i].number / 2, kept);
        if (same) {
            add_shares(same, &all[i]);
            continue;
        }
        if (kept != i)
            all[kept] = all[i];
        all[kept++].number /= 2;
    }
    map.buckets = kept;
    map.bits++;
}

static struct bucket *bucket_of(uint64_t address) {
    if (map.near && map.near->number == address >> map.bits)
        return map.near;
    struct bucket *found = seek(address >> map.bits, map.buckets);
    while (!found && map.buckets == HM_SPACE_MAP_BUCKETS) {
        double_buckets();
        found = seek(address >> map.bits, map.buckets);
    }
    if (!found) {
        found = &map.tables->buckets[map.buckets++];
        *found = (struct bucket){.number = address >> map.bits};
    }
    return map.near = found;
}

static void fill(uint64_t address, uint64_t bytes, bool used) {
    while (bytes) {
        struct share *share = &bucket_of(address)->looks[map.looks];
        uint64_t room = (UINT64_C(1) << map.bits) - (address & ((UINT64_C(1) << map.bits) - 1));
        uint64_t part = bytes < room ? bytes : room;
        *(used ? &share->used : &share->free) += part;
        address += part;
        bytes -= part;
    }
}

/* ---- A look ---- */

static void end_run(void) {
    struct found *last = &map.tables->last;
    uint64_t bytes = map.run_end - map.run_begin;
    map.run_begin = map.run_end = 0;
    if (!bytes)
        return;
    last->sum.runs++;
    last->sum.largest = bytes > last->sum.largest ? bytes : last->sum.largest;
    hm_histogram_count(&last->runs, bytes * HM_HISTOGRAM_PARTS);
}

static void take_block(void *arg, const struct hm_block *block) {
    struct hm_space_runs *sum = &map.tables->last.sum;
    (void)arg;
    if (block->offset >= map.end)
        return;
    uint64_t room = map.end - block->offset;
    uint64_t bytes = block->bytes < room ? block->bytes : room;
    fill(block->offset, bytes, block->used);
    *(block->used ? &sum->used_bytes : &sum->free_bytes) += bytes;
    if (block->used || block->offset != map.run_end)
        end_run();
    if (!block->used) {
        map.run_begin = map.run_end ? map.run_begin : block->offset;
        map.run_end = block->offset + bytes;
    }
}

/* The end of what a bounded arena has ever handed out. */
static uint64_t touched_end(const struct hm_memory *m) {
    struct hm_heap_stats stats = {.footprint_bytes = HM_UNKNOWN};
    if (!(m->allocator->caps & HM_CAP_WALK) || !m->allocator->stats)
        return UINT64_MAX;
    m->allocator->stats(m->heap, &stats);
    if (stats.footprint_bytes == HM_UNKNOWN || stats.metadata_bytes == HM_UNKNOWN)
        return UINT64_MAX;
    return stats.footprint_bytes - stats.metadata_bytes;
}

void hm_space_map_look(uint64_t t_ns, uint64_t level) {
    if (!map.walked || map.looks == HM_SPACE_MAP_LOOKS)
        return;
    map.tables->last = (struct found){.sum = {0}};
    map.tables->t_ns[map.looks] = t_ns;
    map.end = touched_end(map.walked);
    map.walked->allocator->walk(map.walked->heap, take_block, NULL);
    end_run();
    if (!map.looks || level > map.most) {
        map.most = level;
        map.tables->peak = map.tables->last;
    }
    map.looks++;
}

int hm_space_map_open(const struct hm_memory_stack *stack) {
    map = (struct map){.bits = LEAST_BITS};
    for (unsigned i = stack->count; i-- > 0;)
        if (stack->open[i].allocator->caps & (HM_CAP_WALK | HM_CAP_WALK_ARENAS))
            map.walked = &stack->open[i];
    if (map.walked && !(map.tables = hm_scratch(sizeof *map.tables)))
        return ENOMEM;
    return 0;
}

/* ---- Telling ---- */

const struct hm_space_runs *hm_space_map_peak(void) {
    return &map.tables->peak.sum;
}

const struct hm_space_runs *hm_space_map_last(void) {
    return &map.tables->last.sum;
}

/* @param order of each place the index of its bucket */
static void sort_buckets(unsigned order[HM_SPACE_MAP_BUCKETS]) {
    const struct bucket *all = map.tables->buckets;
    for (unsigned i = 0; i < map.buckets; i++) {
        unsigned place = i;
        for (; place > 0 && all[order[place - 1]].number > all[i].number; place--)
            order[place] = order[place - 1];
        order[place] = i;
    }
}

void hm_space_map_visit(hm_space_map_fn *visit, void *arg) {
    const struct bucket *all = map.tables->buckets;
    unsigned order[HM_SPACE_MAP_BUCKETS] = {0};
    sort_buckets(order);
    for (unsigned i = 0; i < map.looks; i++)
        for (unsigned place = 0; place < map.buckets; place++) {
            const struct bucket *b = &all[order[place]];
            const struct hm_space_spot spot = {
                .look = i,
                .t_ns = map.tables->t_ns[i],
                .offset_bytes = (b->number - all[order[0]].number) << map.bits,
                .size_bytes = UINT64_C(1) << map.bits,
                .used_bytes = b->looks[i].used,
                .free_bytes = b->looks[i].free,
            };
            visit(arg, &spot);
        }
}

static void tell_found(const struct found *found, const char *when) {
    const struct hm_space_runs *sum = &found->sum;
    for (unsigned b = 0; b < HM_HISTOGRAM_BUCKETS; b++)
        if (found->runs.counts[b])
            hm_tell("bucket free_run_bytes_%s %u %llu", when, b,
                    (unsigned long long)found->runs.counts[b]);
    hm_tell("value largest_free_run_bytes_%s -1 %.17g", when, (double)sum->largest);
    if (sum->free_bytes)
        hm_tell("value external_fragmentation_%s -1 %.17g", when,
                1 - (double)sum->largest / (double)sum->free_bytes);
}

/* The last look is told in any case. */
static void tell_spot(void *arg, const struct hm_space_spot *spot) {
    unsigned stride = *(const unsigned *)arg;
    if ((spot->used_bytes || spot->free_bytes) && (map.looks - 1 - spot->look) % stride == 0)
        hm_tell("map %llu %llu %llu %llu %llu", (unsigned long long)spot->t_ns,
                (unsigned long long)spot->offset_bytes, (unsigned long long)spot->size_bytes,
                (unsigned long long)spot->used_bytes, (unsigned long long)spot->free_bytes);
}

void hm_space_map_tell(void) {
    unsigned stride = (map.looks + LOOKS_TOLD - 1) / LOOKS_TOLD;
    if (!map.looks)
        return;
    tell_found(&map.tables->peak, "peak");
    tell_found(&map.tables->last, "end");
    hm_space_map_visit(tell_spot, &stride);
}
