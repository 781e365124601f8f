/* A property: one thing that an allocator has to keep, checked in a process of its own.
 *
 * A property is one function and one descriptor; HM_REGISTER(hm_property, NAME) is all that makes
 * it known. The function returns when the property holds. Everything else ends the process at once,
 * from any thread: hm_verify_fail, hm_verify_unsupported. What it keeps for itself it maps; nothing
 * of it lies in the heap under test. */
#ifndef HM_HARNESS_VERIFY_PROPERTY_H
#define HM_HARNESS_VERIFY_PROPERTY_H

#include "harness/cell/memory.h"
#include "harness/verify/board.h"
#include "harness/verify/shadow.h"

enum {
    HM_VERIFY_SHADOWS = 4,
};

/** What a property's function is given. */
struct hm_verify {
    const struct hm_property *property;
    const struct hm_memory *memory;   /* the open heap under test */
    const struct hm_memory *resets;   /* what hm_verify_reset resets, or NULL */
    const struct hm_allocator *known; /* what its deviations are, or NULL: none are excused */
    struct hm_memory_stack *stack;
    struct hm_board *board;
    const char *library; /* real path of the preloaded library, or "" */
    uint64_t ops;        /* how much to do; hm_verify_effort scales by it */
    uint64_t seed;
    double timeout_s; /* without progress, for whoever is watched */
    size_t alignment; /* that every block has, by declaration */
    bool is_process;  /* the C library's functions (malloc, posix_memalign, ...) are this heap's */
    bool promised;    /* all of allocator.h holds; a C library's malloc promises less */
    size_t arena_bytes; /* of a bounded heap, as far as it is known; 0: it may always run out */
    size_t block_extra; /* what it may add to each block: a header, rounding */
    const struct hm_shadow *shadows[HM_VERIFY_SHADOWS]; /* what is live, as far as they know */
    unsigned shadow_count;
    size_t away_bytes; /* live besides: in no shadow, at most. Atomic. */
    size_t away_blocks;
    bool no_reuse;      /* free gives nothing back: HM_CAP_NO_REUSE */
    bool unaligned;     /* alignment was found to be broken: the random scripts look past it */
    bool may_run_out;   /* NULL with ENOMEM is no fault: the arena is bounded */
    bool no_usable;     /* usable_size is 0 for every block: HM_CAP_NO_USABLE */
    bool no_aligned;    /* aligned_alloc refuses more than `alignment`: HM_CAP_NO_ALIGNED */
    uint64_t failed_at; /* the operation that failed before; for shrinking */
};

struct hm_property {
    const char *name;
    const char *summary; /* what it demands; one line */
    unsigned point;      /* its place in the table */
    unsigned threads;    /* that use the heap; above 1 it needs HM_CAP_THREADS */
    bool informative;    /* has a verdict, and never fails an allocator */
    bool fresh;          /* is repeated in fresh processes: one for each 10,000 operations */
    void (*run)(struct hm_verify *v);
    void (*shrink)(struct hm_verify *v); /* NULL, or: leaves a shorter script on the board */
};

/** All properties, in the table's order. @return how many; at most `room` are filled in */
size_t hm_properties(const struct hm_property **out, size_t room);
const struct hm_property *hm_property_find(const char *name);

/** ops / per, but at least `least` and at most `most`. */
uint64_t hm_verify_effort(const struct hm_verify *v, uint64_t per, uint64_t least, uint64_t most);

/** Say what is tried next; it is told should the process die of it. One thread at a time. */
__attribute__((format(printf, 2, 3))) void hm_verify_at(struct hm_verify *v, const char *format,
                                                        ...);
/** Raise the progress. Any thread. */
void hm_verify_progress(struct hm_verify *v, uint64_t ops);
/** A note that goes with a verdict other than failed. */
__attribute__((format(printf, 2, 3))) void hm_verify_note(struct hm_verify *v, const char *format,
                                                          ...);

/** End the process with a verdict. Any thread; the first one has the word. */
__attribute__((format(printf, 2, 3), noreturn)) void hm_verify_fail(struct hm_verify *v,
                                                                    const char *format, ...);
/** As hm_verify_fail, but the property goes on if the library is known for just this line: then its
 *  verdict is `deviates` at best. The line is hm_deviation.fault's: no addresses. Any thread. */
__attribute__((format(printf, 2, 3))) void hm_verify_fault(struct hm_verify *v, const char *format,
                                                           ...);
/** Whether the library is known for the line in this property; it is noted if so. Any thread. */
bool hm_verify_is_known(struct hm_verify *v, const char *line);
/** As hm_verify_is_known for "CALL is not aligned". */
bool hm_verify_is_misaligned(struct hm_verify *v, const char *call);
__attribute__((format(printf, 2, 3), noreturn)) void hm_verify_unsupported(struct hm_verify *v,
                                                                           const char *format, ...);
/** Set the verdict and leave the process running. */
void hm_verify_conclude(struct hm_verify *v, enum hm_conform verdict);

/** The property of a result that must not be NULL. @param what "malloc(24)", for the line
 *  @return p; a bounded arena that ran out ends the property as unsupported */
void *hm_verify_need(struct hm_verify *v, void *p, const char *what, size_t size);
/** Whether a bounded heap may have no room for a request. It must not be refused while less than a
 *  quarter of the arena is live, unless what is free may lie in pieces that are all too small. */
bool hm_verify_may_refuse(const struct hm_verify *v, size_t bytes);
/** Say what is live at most, and in no shadow. */
void hm_verify_away(struct hm_verify *v, size_t blocks, size_t bytes);
/** hm_malloc, then as hm_verify_need. */
void *hm_verify_malloc(struct hm_verify *v, size_t size);
/** End as failed with the line if the code is not 0. */
void hm_verify_try(struct hm_verify *v, int code, const struct hm_error *error);
/** aligned_alloc, or posix_memalign where a C library's aligned_alloc refuses a size that is no
 *  multiple of the alignment, as C11 let it. Then as hm_verify_need. */
void *hm_verify_aligned(struct hm_verify *v, size_t alignment, size_t size);
/** No block is live: give back at once what frees did not, in a heap that works so. */
void hm_verify_reset(const struct hm_verify *v);
/** A shadow, or the end of the process. */
void hm_verify_shadow(struct hm_verify *v, struct hm_shadow *shadow, uint32_t ids);
/** Take a block into a shadow; check one and free it. They fail as hm_verify_try. */
void hm_verify_take(struct hm_verify *v, struct hm_shadow *shadow, uint32_t id, void *p,
                    size_t bytes, size_t alignment);
void hm_verify_free(struct hm_verify *v, struct hm_shadow *shadow, uint32_t id);
/** The alignment that a block of this size has by declaration or, in a C library, by its size. */
size_t hm_verify_alignment(const struct hm_verify *v, size_t bytes);

/** Zeroed memory outside of the heap under test, or the end of the process. */
void *hm_verify_scratch(struct hm_verify *v, size_t bytes);

/** Start `count` threads, which come to the heap (hm_memory_stack_enter) and to `run` at the same
 *  time, and wait for them.
 *  @param run receives arg and the thread's number */
void hm_verify_threads(struct hm_verify *v, unsigned count, void (*run)(void *arg, unsigned number),
                       void *arg);

enum hm_watch {
    HM_WATCH_EXIT,    /* by exit status */
    HM_WATCH_SIGNAL,  /* killed */
    HM_WATCH_TIMEOUT, /* ended by us */
};
/** Wait for a forked process, and kill it after `seconds`. Progress is raised meanwhile.
 *  @param steps a number in shared memory; each change of it begins the seconds anew, and time in
 *  which the process has no turn is not counted. NULL: all time counts
 *  @param status the exit status or the signal's number */
enum hm_watch hm_verify_watch(struct hm_verify *v, int pid, double seconds, const uint64_t *steps,
                              int *status);
/** fork, with the child bound to this process's life. @return as fork; failure ends the process */
int hm_verify_fork(struct hm_verify *v);

#endif
