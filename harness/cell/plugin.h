/* Loads a plug-in: a shared library that exports an allocator's descriptor,
 * `const struct hm_allocator hm_plugin`. */
#ifndef HM_HARNESS_CELL_PLUGIN_H
#define HM_HARNESS_CELL_PLUGIN_H

#include "harness/error.h"

/** Load a plug-in and make it the allocator that any path in a spec names (hm_allocator_plug). The
 *  library's code runs in this process: for children only. Main thread, before the spec is parsed;
 *  it stays loaded until the end.
 *  @param path real path of the library
 *  @return 0, or EINVAL with one line: it does not load, or exports no descriptor of this ABI */
int hm_plugin_load(const char *path, struct hm_error *error);

#endif
