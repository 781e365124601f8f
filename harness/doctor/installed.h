/* What is optional and is there, or not: libraries of allocators and collectors, tools, and our own
 * libraries that are preloaded. */
#ifndef HM_HARNESS_DOCTOR_INSTALLED_H
#define HM_HARNESS_DOCTOR_INSTALLED_H

#include <limits.h>

struct hm_installed {
    const char *kind; /* allocator, collector, tool, preload */
    const char *name;
    const char *purpose; /* what is missing without it; "" for a part, which is then skipped */
    const char *package; /* Debian's; NULL: it comes with heapmark */
    char path[PATH_MAX]; /* where it is; "" when missing */
};

/** Look for all of them; parts that need nothing are left out. Main thread, not hot.
 *  @param found called for each */
void hm_installed_look(void (*found)(void *arg, const struct hm_installed *one), void *arg);

#endif
