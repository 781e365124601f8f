/* A flame graph as one SVG file that needs nothing else: boxes as wide as their part of the whole, callers
 * below what they call. It can be read without scripts; with them, a click makes a box fill the width. */
#ifndef HM_HARNESS_TRACE_FLAME_SVG_H
#define HM_HARNESS_TRACE_FLAME_SVG_H

#include "harness/trace/flame_tree.h"
#include "harness/trace/groups.h"

struct hm_flame_style {
    const char *title;   /* what is shown: "Bytes allocated" */
    const char *program; /* path of its module; it has a colour of its own */
    const char *command;
    bool in_bytes;                  /* weights are bytes; or else blocks */
    const struct hm_groups *groups; /* know the modules */
};

/** @return 0 or ENOMEM */
int hm_flame_put_svg(FILE *out, const struct hm_flame_tree *tree,
                     const struct hm_flame_style *style);

#endif
