/* The examples that come with heapmark, by their names. */
#ifndef HM_TRACES_EXAMPLE_H
#define HM_TRACES_EXAMPLE_H

#include <limits.h>

/** A file of that name comes first; else the example, if there is one: a name without a slash and the ending, in a folder
 *  beside the program, or in the sources that it was built from.
 *  @param folder below the program's data, and below docs/ of the sources  @param ending with its point
 *  @return `file` or `room` */
const char *hm_example_path(const char *file, const char *folder, const char *ending,
                            char room[PATH_MAX]);

#endif
