/* A table of boxed values, of which some are shared: what smallints and strings have in common.
 *
 * Vocabulary
 *   number   stands for a value: what is put into a slot, and what the script draws.
 *   shared   numbers below the length of this array have one object, made in setup and immortal,
 *            wherever they are put. All others get an object of their own each time, alive as long
 *            as it is in its slot.
 *
 * Invariant: slot i holds the value numbered held[i] - 1, or nothing if that is 0. */
#ifndef HM_WORKLOADS_VALUES_H
#define HM_WORKLOADS_VALUES_H

#include "workloads/objects.h"
#include "workloads/scratch.h"

#include <errno.h>

enum {
    HM_TABLE_SCRIPT = 1 << 14, /* draws; the script starts again behind its end */
};

struct hm_table_draw {
    uint32_t number;
    uint32_t slot;
    uint32_t other; /* another slot, for who wants to look at one */
};

struct hm_table {
    struct hm_object *slots;  /* root */
    struct hm_object *shared; /* root; NULL: none is */
    uint64_t at;              /* draws that were played */
    size_t bytes;             /* of this structure with what is behind it */
    uint32_t *held;
    void *own; /* of the workload, behind `held` */
    struct hm_table_draw script[HM_TABLE_SCRIPT];
};

static const struct hm_type hm_table_type = {.name = "table", .variable = true};

/** @param held slots  @param own_bytes for the workload, zeroed  @return NULL: no memory */
static inline struct hm_table *hm_table_new(uint32_t held, size_t own_bytes) {
    size_t aligned = (held * sizeof(uint32_t) + 7) / 8 * 8;
    size_t bytes = sizeof(struct hm_table) + aligned + own_bytes;
    struct hm_table *table = hm_scratch(bytes);
    if (!table)
        return NULL;
    table->bytes = bytes;
    table->held = (uint32_t *)(void *)(table + 1);
    table->own = (char *)table->held + aligned;
    return table;
}

static inline bool hm_table_is_shared(const struct hm_table *table, uint32_t number) {
    return table->shared && number < hm_length(table->shared);
}

static inline struct hm_table_draw hm_table_next(const struct hm_table *table) {
    return table->script[table->at % HM_TABLE_SCRIPT];
}

/** Give up what a table holds, and the table. */
static inline void hm_table_free(struct hm_mutator *m, struct hm_table *table) {
    for (uint32_t i = 0; HM_DISPOSES && table->slots && i < hm_length(table->slots); i++)
        if (table->held[i] && !hm_table_is_shared(table, table->held[i] - 1))
            hm_dispose(m, hm_load(table->slots, i));
    if (HM_DISPOSES && table->slots)
        hm_dispose(m, table->slots);
    hm_drop(m, &table->slots);
    hm_drop_array(m, &table->shared);
    hm_unroot(m, 2);
    hm_scratch_free(table, table->bytes);
}

/** Make the array of shared values, each by `make` from its number. @return false: out of memory */
static inline bool hm_table_share(struct hm_mutator *m, struct hm_table *table, uint32_t count,
                                  struct hm_object *(*make)(struct hm_mutator *m,
                                                            struct hm_table *table,
                                                            uint32_t number)) {
    table->shared = hm_new_array(m, &hm_table_type, count);
    for (uint32_t i = 0; table->shared && i < count; i++) {
        struct hm_object *object = make(m, table, i);
        if (!object)
            return false;
        hm_adopt(m, table->shared, i, object);
        if (!hm_immortalize(m, object))
            return false;
    }
    return table->shared;
}

/** Put a value into a slot, in the place of what is there. @param own a new object, which is taken, or
 *  NULL: the number is shared */
static inline void hm_table_put(struct hm_mutator *m, struct hm_table *table,
                                struct hm_table_draw draw, struct hm_object *own) {
    uint32_t *held = &table->held[draw.slot];
    struct hm_object *old = NULL;
    if (HM_DISPOSES && *held && !hm_table_is_shared(table, *held - 1))
        old = hm_load(table->slots, draw.slot);
    if (own)
        hm_adopt(m, table->slots, draw.slot, own);
    else
        hm_store(m, table->slots, draw.slot, hm_load(table->shared, draw.number));
    *held = draw.number + 1;
    if (old)
        hm_dispose(m, old);
}

/** @param is whether an object is the value of this number  @return NULL, or what broke */
static inline const char *hm_table_verify(const struct hm_table *table,
                                          bool (*is)(const struct hm_table *table,
                                                     struct hm_object *object, uint32_t number)) {
    for (uint32_t i = 0; i < hm_length(table->slots); i++) {
        struct hm_object *object = hm_load(table->slots, i);
        if (!table->held[i] != !object)
            return "a slot is empty that was filled, or the other way round";
        if (object && !is(table, object, table->held[i] - 1))
            return "a value is not what was put into its slot";
    }
    for (uint32_t i = 0; table->shared && i < hm_length(table->shared); i++)
        if (!is(table, hm_load(table->shared, i), i))
            return "a shared value has changed";
    return NULL;
}

static inline uint64_t hm_table_live(const struct hm_table *table) {
    uint64_t live = 1 + (table->shared ? 1u + hm_length(table->shared) : 0u);
    for (uint32_t i = 0; i < hm_length(table->slots); i++)
        live += table->held[i] && !hm_table_is_shared(table, table->held[i] - 1);
    return live;
}

#endif
