/* A property of collectors: one thing that a collector has to keep, checked in a process of its own.
 *
 * A property is one function and one descriptor; HM_REGISTER(hm_gc_property, NAME) is all that makes it
 * known. The function returns when the property holds. Everything else ends the process at once:
 * hm_check_fail, hm_check_unsupported. */
#ifndef HM_HARNESS_VERIFY_GC_CHECK_H
#define HM_HARNESS_VERIFY_GC_CHECK_H

#include "collectors/mutator.h"
#include "harness/plan/spec.h"
#include "harness/verify/board.h"

#define HM_NO_PROGRAM UINT64_MAX

/** What a checking process tells its parent: memory that both have, readable whatever becomes of the
 *  process. */
struct hm_check_board {
    uint64_t ops; /* progress; a process that does not raise it for too long is ended. Atomic. */
    int verdict;  /* enum hm_conform */
    int ended;    /* the process came to the end of the property. Atomic. */
    int is_bad_input; /* `line` is about the command line. */
    uint64_t program; /* of the random scripts, which one is played; else HM_NO_PROGRAM */
    unsigned nested;  /* collections that finalizers and callbacks have asked for, and that go on */
    char crash[180];  /* where the process crashed, for behind the signal's name */
    char version[HM_VERSION_BYTES]; /* of the library, if it is known for something */
    char at[200];                   /* what is being tried */
    char line[600];                 /* what broke, or a note */
    char script[8192];              /* the shrunk script, in the language of `heapmark sim` */
    unsigned script_ops;
};

/** What a property's function is given. */
struct hm_check {
    const struct hm_gc_property *property;
    const struct hm_collector_spec *spec;
    const struct hm_collector *collector;
    const struct hm_sim_mutator *ops;
    struct hm_check_board *board;
    uint64_t effort; /* operations of the random scripts; hm_check_effort scales by it */
    uint64_t seed;
    uint64_t first; /* of the random scripts: those before it are not played */
};

struct hm_gc_property {
    const char *name;
    const char *summary; /* what it demands; one line */
    unsigned point;      /* its place in the table */
    void (*run)(struct hm_check *c);
    void (*shrink)(struct hm_check *c); /* NULL, or: leaves a shorter script on the board */
};

/** All properties, in the table's order. @return how many; at most `room` are filled in */
size_t hm_gc_properties(const struct hm_gc_property **out, size_t room);

/** effort / per, but at least `least` and at most `most`. */
uint64_t hm_check_effort(const struct hm_check *c, uint64_t per, uint64_t least, uint64_t most);
bool hm_check_can(const struct hm_check *c, unsigned cap);
/** What the collector offers; never NULL. */
const struct hm_gc_control *hm_check_control(const struct hm_check *c);

/** Say what is tried next; it is told should the check fail, or the process die of it. */
__attribute__((format(printf, 2, 3))) void hm_check_at(struct hm_check *c, const char *format, ...);
void hm_check_progress(struct hm_check *c, uint64_t ops);
/** A note that goes with a verdict other than failed. */
__attribute__((format(printf, 2, 3))) void hm_check_note(struct hm_check *c, const char *format,
                                                         ...);

/** End the process with a verdict. Any thread. */
__attribute__((format(printf, 2, 3), noreturn)) void hm_check_fail(struct hm_check *c,
                                                                   const char *format, ...);
__attribute__((format(printf, 2, 3), noreturn)) void hm_check_unsupported(struct hm_check *c,
                                                                          const char *format, ...);

/** Ends the property as unsupported unless the collector has the capability. @param what "cycles" */
void hm_check_need(struct hm_check *c, unsigned cap, const char *what);

#endif
