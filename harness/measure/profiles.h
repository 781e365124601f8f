/* The profiles that callgrind leaves in a run's folder: callgrind/cCELL-rROUND.out, for callgrind_annotate and
 * kcachegrind. */
#ifndef HM_HARNESS_MEASURE_PROFILES_H
#define HM_HARNESS_MEASURE_PROFILES_H

#include "harness/error.h"
#include "harness/results/folder.h"

#include <limits.h>

/** Make their folder, unless it is there. @return 0, or an errno with a line */
int hm_profiles_open(const struct hm_folder *folder, struct hm_error *error);
/** The name of one. */
void hm_profiles_name(const struct hm_folder *folder, size_t cell, unsigned round,
                      char path[PATH_MAX]);
/** After a process that counted once: what it counted takes the place of what callgrind wrote at the
 *  end, which is nothing. */
void hm_profiles_keep(const char *path);
/** After one that counted to find a number of units: none of it is kept. */
void hm_profiles_drop(const char *path);

#endif
