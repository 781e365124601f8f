/* From other tools' texts to traces. A source is one file that registers a struct hm_trace_source.
 *
 * Vocabulary
 *   source   a kind of text: what another tool writes
 *   address  what such a text names a block by; here it becomes a number */
#ifndef HM_HARNESS_TRACE_IMPORT_H
#define HM_HARNESS_TRACE_IMPORT_H

#include "allocators/part.h"
#include "harness/error.h"
#include "traces/live.h"
#include "traces/trace.h"

#include <errno.h>

/** One text that is being read. */
struct hm_import {
    struct hm_trace_facts facts;    /* to be right before the first event, stack or module */
    struct hm_trace_writer *writer; /* NULL before those; see hm_import_writer */
    const char *path;
    struct hm_live blocks; /* by address; .bytes is the number of the block */
    uint64_t next;         /* number of a block */
    enum hm_trace_end end;
    int status;
    uint64_t dropped;
    void *state; /* the source's own */
    struct hm_error *error;
};

struct hm_trace_source {
    const char *name;
    const char *summary; /* one line, no full stop */
    /** Set facts and state. @return 0 or ENOMEM */
    int (*begin)(struct hm_import *import);
    /** @param line it may be changed  @return 0; EINVAL: what is wrong is in import->error, and the
     *  caller adds the line's number; another errno, with the line */
    int (*take)(struct hm_import *import, char *line);
    /** After the last line; NULL: nothing is to be done. @return as take */
    int (*end)(struct hm_import *import);
    /** Free the state; whatever happened. May be NULL. */
    void (*close)(struct hm_import *import);
};

/** Read a text and write a trace. @param in "-" is stdin  @param out must not exist
 *  @return 0, or an errno with a line, and there is no file */
int hm_import_run(const struct hm_trace_source *source, const char *in, const char *out,
                  struct hm_error *error);

/** @return the source of that name, or NULL */
const struct hm_trace_source *hm_trace_source_find(const char *name);

/* ---- For sources ---- */

/** The writer, created when it is first asked for. @return 0, or an errno with a line */
int hm_import_writer(struct hm_import *import);

/** Append an event whose block has a number already. @return 0, or an errno with a line */
int hm_import_event(struct hm_import *import, const struct hm_trace_event *event);

/* Events about addresses. event->kind, thread, stack, count, size and alignment are given; the block is
 * filled in. An address that no event gave is a foreign block; 0 is none, and a reallocation of none is
 * an allocation.
 * @return 0, or an errno with a line */
int hm_import_allocation(struct hm_import *import, struct hm_trace_event *event, uint64_t address);
int hm_import_free(struct hm_import *import, struct hm_trace_event *event, uint64_t address);
int hm_import_realloc(struct hm_import *import, struct hm_trace_event *event, uint64_t from,
                      uint64_t to);

/** A number of C: decimal, or hexadecimal behind 0x, or "(nil)". @param end behind it
 *  @return 0, or EINVAL */
int hm_import_number(const char *text, uint64_t *number, const char **end);

#endif
