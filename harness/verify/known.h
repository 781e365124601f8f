/* Whether what went wrong is what a library of others is known for. */
#ifndef HM_HARNESS_VERIFY_KNOWN_H
#define HM_HARNESS_VERIFY_KNOWN_H

#include "allocators/allocator.h"

/** The property, the whole line and the version are all in one entry's patterns.
 *  @param list ends at fault == NULL; NULL: nothing is known  @return its index, or -1 */
int hm_deviation_find(const struct hm_deviation *list, const char *property, const char *line,
                      const char *version);

#endif
