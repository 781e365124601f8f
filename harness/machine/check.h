/* What the state of a machine does to measurements: one table of checks, from which come the
 * warnings of a run, what `--require-quiet` refuses, and the answer of `heapmark doctor`.
 *
 * All are pure functions of states, for any thread. */
#ifndef HM_HARNESS_MACHINE_CHECK_H
#define HM_HARNESS_MACHINE_CHECK_H

#include "harness/machine/state.h"

#include <stdbool.h>
#include <stddef.h>

enum hm_fitness {
    HM_FIT_UNKNOWN, /* the machine does not tell */
    HM_FIT_GOOD,
    HM_FIT_WARN, /* figures are touched; ratios of interleaved rounds stand */
    HM_FIT_BAD,  /* not fit to measure on */
};

/** The word of a verdict; static storage. */
const char *hm_fitness_name(enum hm_fitness fitness);

struct hm_finding {
    const char *name;   /* one word */
    const char *effect; /* what it does to figures */
    const char *mend;   /* begins with "with" or "by" */
    enum hm_fitness fitness;
    char read[80];  /* what the machine tells; "NA" */
    char said[160]; /* the same as the begin of a sentence; "" unless warn or bad */
};

typedef void hm_say_fn(void *arg, const char *line);

/** How many checks there are. */
size_t hm_check_count(void);

/** Whether a check is about a run, and not about the machine alone. */
bool hm_check_is_of_run(size_t check);

/** Judge one matter.
 *  @param now the state  @param earlier of the same machine: what grows is then judged by its growth
 *         since, and else by its sum since boot; or NULL
 *  @param threads the most that a cell has; 0: that is not known, and the machine is judged for any */
void hm_check_judge(size_t check, const struct hm_machine_state *now,
                    const struct hm_machine_state *earlier, unsigned threads,
                    struct hm_finding *out);

/** Say what makes measurements on this machine doubtful, what it means and how to mend it: one line
 *  without a newline for each matter, in a fixed order.
 *  @param after NULL before a run. With it, what happened in between is said last: the lines of the
 *         call before the run are the first lines of the call after it
 *  @param max_threads the most threads that a cell has, >= 1
 *  @param say called for each line, which is gone when it returns  @param arg passed on to say
 *  @return number of lines */
int hm_machine_warnings(const struct hm_machine_state *before, const struct hm_machine_state *after,
                        unsigned max_threads, hm_say_fn *say, void *arg);

/** Say what is bad, as above. @param earlier some time before `now`, or NULL  @return number of lines */
int hm_machine_refusals(const struct hm_machine_state *now, const struct hm_machine_state *earlier,
                        unsigned max_threads, hm_say_fn *say, void *arg);

/** Name what became worse from before a run until after it, with what was read: "others 3, steal
 *  2.1 %". What the run itself does (the load average) is left out.
 *  @param names "" when nothing did  @return how many */
int hm_machine_worsened(const struct hm_machine_state *before, const struct hm_machine_state *after,
                        unsigned max_threads, char *names, size_t size);

#endif
