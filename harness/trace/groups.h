/* What the blocks of a trace are told apart by: the number and the name of an event's site.
 *
 *   site      function and line that asked for the block: the innermost frame of its stack
 *   stack     the whole of it, as `main a.c:3;f b.c:7`: outermost first
 *   function  site's, whatever the line
 *   module    the program or library that it lies in
 *   size      bytes asked for
 *   thread    that called
 *
 * Frames that only pass a wish on (operator new, and what else the caller names) can be skipped: the next
 * one outwards is the site then. */
#ifndef HM_HARNESS_TRACE_GROUPS_H
#define HM_HARNESS_TRACE_GROUPS_H

#include "harness/trace/symbols.h"

enum hm_by {
    HM_BY_SITE,
    HM_BY_STACK,
    HM_BY_FUNCTION,
    HM_BY_MODULE,
    HM_BY_SIZE,
    HM_BY_THREAD,
    HM_BYS,
};

extern const char *const hm_by_names[HM_BYS];

static inline bool hm_by_needs_stacks(enum hm_by by) {
    return by <= HM_BY_MODULE;
}

struct hm_groups;

/** @param with_lines whether frames of a stack have their line  @param skip functions, as patterns of
 *  fnmatch(3), separated by commas; "" for none  @return NULL: no memory */
struct hm_groups *hm_groups_open(enum hm_by by, bool with_lines, const char *skip);

/** The site of an event that makes a block. @return 0 or ENOMEM */
int hm_groups_find(struct hm_groups *groups, const struct hm_trace_reader *reader,
                   const struct hm_trace_event *event, uint32_t *site);

/** Name of a site that was found. */
const char *hm_groups_name(const struct hm_groups *groups, uint32_t site);
size_t hm_groups_count(const struct hm_groups *groups);

/** The module of a stack's frame by its name there, for colours; "" when not known. */
const char *hm_groups_module(const struct hm_groups *groups, const char *frame, size_t length);

const struct hm_symbols *hm_groups_symbols(const struct hm_groups *groups);

void hm_groups_close(struct hm_groups *groups);

#endif
