/* Finds the parts that the build has linked in. */
#include "harness/plan/registry.h"

#include <string.h>

/* The linker makes a pair of symbols for each section whose name is a C identifier. */
#define SECTION(kind)                                                                              \
    extern const struct kind *const __start_##kind##_parts[] __attribute__((weak));                \
    extern const struct kind *const __stop_##kind##_parts[] __attribute__((weak))

SECTION(hm_allocator);
SECTION(hm_collector);
SECTION(hm_workload);

const struct hm_allocator *const *hm_allocators(size_t *count) {
    *count = (size_t)(__stop_hm_allocator_parts - __start_hm_allocator_parts);
    return __start_hm_allocator_parts;
}

const struct hm_collector *const *hm_collectors(size_t *count) {
    *count = (size_t)(__stop_hm_collector_parts - __start_hm_collector_parts);
    return __start_hm_collector_parts;
}

const struct hm_workload *const *hm_workloads(size_t *count) {
    *count = (size_t)(__stop_hm_workload_parts - __start_hm_workload_parts);
    return __start_hm_workload_parts;
}

static const struct hm_allocator *plugged;
static const struct hm_collector *plugged_collector;

void hm_allocator_plug(const struct hm_allocator *plugin) {
    plugged = plugin;
}

void hm_collector_plug(const struct hm_collector *plugin) {
    plugged_collector = plugin;
}

bool hm_allocator_is_path(const char *name) {
    return strchr(name, '/') || strstr(name, ".so");
}

const struct hm_allocator *hm_allocator_find(const char *name) {
    size_t count;
    if (plugged && hm_allocator_is_path(name))
        return plugged;
    const struct hm_allocator *const *all = hm_allocators(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

const struct hm_collector *hm_collector_find(const char *name) {
    size_t count;
    if (plugged_collector && hm_allocator_is_path(name))
        return plugged_collector;
    const struct hm_collector *const *all = hm_collectors(&count);
    for (size_t i = 0; i < count; i++)
        if (!all[i]->variant_of && strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

const struct hm_collector *hm_collector_variant(const struct hm_collector *collector,
                                                const char *setting) {
    size_t count;
    const struct hm_collector *const *all = hm_collectors(&count);
    for (size_t i = 0; i < count; i++)
        if (all[i]->variant_of && strcmp(all[i]->variant_of, collector->name) == 0 &&
            strcmp(all[i]->variant, setting) == 0)
            return all[i];
    return NULL;
}

const struct hm_collector *hm_collector_compiled(const char *name) {
    size_t count;
    const struct hm_collector *const *all = hm_collectors(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

const struct hm_workload *hm_workload_find(const char *name) {
    size_t count;
    const struct hm_workload *const *all = hm_workloads(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

const struct hm_workload *hm_workload_variant(const char *name, int shape, const char *collector) {
    size_t count;
    const struct hm_workload *const *all = hm_workloads(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(all[i]->name, name) != 0)
            continue;
        if (all[i]->kind == HM_WORKLOAD_HEAP && all[i]->shape == shape)
            return all[i];
        if (all[i]->kind == HM_WORKLOAD_OBJECT && collector &&
            strcmp(all[i]->collector, collector) == 0)
            return all[i];
        if (!hm_workload_has_heap(all[i])) /* one variant, whatever it runs on */
            return all[i];
    }
    return NULL;
}

static size_t smallest(size_t a, size_t b, size_t c) {
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein's distance, one row at a time; words longer than a row are never near. */
static size_t distance(const char *a, const char *b) {
    size_t row[65];
    size_t n = strlen(b);
    if (n >= sizeof row / sizeof *row || strlen(a) >= sizeof row / sizeof *row)
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t above = row[j];
            row[j] = smallest(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[n];
}

const char *hm_nearest(const char *word, const char *const *words, size_t count) {
    const char *best = NULL;
    size_t limit = strlen(word) < 5 ? 2 : 3;
    size_t least = limit + 1;
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(word, words[i]);
        if (d < least && d < strlen(word)) {
            least = d;
            best = words[i];
        }
    }
    return best;
}

static size_t add_name(const char *name, const char **names, size_t used, size_t room) {
    for (size_t i = 0; i < used && i < room; i++)
        if (strcmp(names[i], name) == 0)
            return used;
    if (used < room)
        names[used] = name;
    return used + 1;
}

size_t hm_part_names(const char *kind, const char **names, size_t room) {
    size_t count = 0;
    size_t used = 0;
    if (strcmp(kind, "allocator") == 0) {
        const struct hm_allocator *const *all = hm_allocators(&count);
        for (size_t i = 0; i < count; i++)
            used = add_name(all[i]->name, names, used, room);
    } else if (strcmp(kind, "collector") == 0) {
        const struct hm_collector *const *all = hm_collectors(&count);
        for (size_t i = 0; i < count; i++)
            if (!all[i]->variant_of)
                used = add_name(all[i]->name, names, used, room);
    } else {
        const struct hm_workload *const *all = hm_workloads(&count);
        for (size_t i = 0; i < count; i++)
            used = add_name(all[i]->name, names, used, room);
    }
    return used < room ? used : room;
}
