/* Finds the parts that the build has linked in. The linker section of each kind is the only list.
 */
#ifndef HM_HARNESS_PLAN_REGISTRY_H
#define HM_HARNESS_PLAN_REGISTRY_H

#include "allocators/allocator.h"
#include "collectors/collector.h"
#include "workloads/workload.h"

/** All parts of a kind, in the order of their file names; collectors with their variants. Static
 *  storage. */
const struct hm_allocator *const *hm_allocators(size_t *count);
const struct hm_collector *const *hm_collectors(size_t *count);
/** Every variant of every workload: a name occurs once for each shape or collector. */
const struct hm_workload *const *hm_workloads(size_t *count);

/** Make a loaded plug-in the allocator that any path names: a name that hm_allocator_is_path. Main
 *  thread, before any spec that has one is parsed. @param plugin stays for good */
void hm_allocator_plug(const struct hm_allocator *plugin);
/** Whether an allocator is named by a library's path or file name and not by its own. */
bool hm_allocator_is_path(const char *name);

/** As hm_allocator_plug, for collectors. */
void hm_collector_plug(const struct hm_collector *plugin);

/** @return the part, or NULL */
const struct hm_allocator *hm_allocator_find(const char *name);
const struct hm_collector *hm_collector_find(const char *name); /* not a variant */
/** What a collector is with a parameter set so. @param setting "key=value"
 *  @return the variant, or NULL: there is none, it is the collector itself */
const struct hm_collector *hm_collector_variant(const struct hm_collector *collector,
                                                const char *setting);
/** A collector or variant by the name under which workloads are compiled for it. */
const struct hm_collector *hm_collector_compiled(const char *name);
/** Any variant: for what all variants of a workload share. */
const struct hm_workload *hm_workload_find(const char *name);
/** The variant compiled for a shape (heap workloads) or a collector (object workloads); the only one
 *  of a workload without a heap. */
const struct hm_workload *hm_workload_variant(const char *name, int shape, const char *collector);

/** The word nearest to a mistyped one, by edit distance. @return NULL when none is near */
const char *hm_nearest(const char *word, const char *const *words, size_t count);

/** Names of one kind ("allocator", "collector", "workload"), each once, without variants.
 *  @param names room for `room` pointers  @return how many there are */
size_t hm_part_names(const char *kind, const char **names, size_t room);

#endif
