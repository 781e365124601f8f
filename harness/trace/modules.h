/* Modules of a recorded process: from an address to an offset in a file, by the snapshots of its
 * mappings that lie beside its spool. */
#ifndef HM_HARNESS_TRACE_MODULES_H
#define HM_HARNESS_TRACE_MODULES_H

#include "traces/trace.h"

struct hm_modules;

/** @param spool path of the spool  @param writer which is told of modules  @return NULL: no memory */
struct hm_modules *hm_modules_open(const char *spool, struct hm_trace_writer *writer);

/** Where an address lies. @param snapshot its number, 0 for none
 *  @return with module UINT32_MAX when no file is mapped there */
struct hm_trace_address hm_modules_find(struct hm_modules *modules, uint64_t snapshot,
                                        uint64_t address);

void hm_modules_close(struct hm_modules *modules);

#endif
