/* The names of addresses, looked up in the modules' files after the program has ended.
 *
 * A module is looked at only when its build id is the one that was recorded: one that has changed since, or
 * that is gone, is noted, and its addresses have no names. The paths come from a trace, which nobody
 * vouches for: only regular files are opened.
 *
 * Without libdw there are no names at all, and a note that says so. */
#ifndef HM_HARNESS_TRACE_SYMBOLS_H
#define HM_HARNESS_TRACE_SYMBOLS_H

#include "traces/trace.h"

#include <stdio.h>

/** Texts are "" when not known, and belong to the symbols, as all that they hand out. */
struct hm_symbol {
    const char *function; /* C++ names demangled, and without types */
    const char *file;     /* as the compiler was told it */
    const char *module;   /* path */
    int line;             /* 0: not known */
    uint64_t offset;      /* in the module; the address where there is none */
    uint64_t entry; /* of a function without a name: where it begins, as its unwind table says; or
                             the offset */
};

struct hm_symbols;

/** @return NULL: no memory */
struct hm_symbols *hm_symbols_open(void);

/** What is at an address: the function, and before it those that are inlined there, innermost first.
 *  @return how many, at least 1; 0: no memory */
size_t hm_symbols_at(struct hm_symbols *symbols, const struct hm_trace_frame *frame,
                     const struct hm_symbol **out);

/** One line for each module that was asked for and could not be looked at: "who: PATH has changed ..". */
void hm_symbols_put_notes(const struct hm_symbols *symbols, FILE *out, const char *who);

void hm_symbols_close(struct hm_symbols *symbols);

#endif
