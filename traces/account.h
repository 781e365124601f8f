/* The account of a trace: whether each event can follow on those before it, and what they come to.
 *
 * Reader and writer keep the same one, so that what is written can be read. */
#ifndef HM_TRACES_ACCOUNT_H
#define HM_TRACES_ACCOUNT_H

#define XXH_STATIC_LINKING_ONLY
#include "traces/format.h"
#include "traces/live.h"

#include <xxhash.h>

enum {
    HM_ACCOUNT_WORDS = 6, /* of an event, in the hash */
    HM_ACCOUNT_BATCH = 64,
};

struct hm_account {
    struct hm_trace_totals totals; /* the hash is there after hm_account_close_hash */
    struct hm_live live;
    uint64_t live_bytes;
    uint64_t time_ns;
    uint64_t events;
    unsigned batched;
    uint64_t batch[HM_ACCOUNT_BATCH][HM_ACCOUNT_WORDS];
    XXH3_state_t hash;
};

/** @return 0 or ENOMEM */
int hm_account_open(struct hm_account *account);
void hm_account_close(struct hm_account *account);
/** Back to a trace without events. */
void hm_account_reset(struct hm_account *account);

/** Count an event. Fields that its kind does not have are to be as hm_account_tidy leaves them.
 *  @param why what is wrong with it, after EINVAL  @return 0; EINVAL or ENOMEM: it is not counted.
 *  Hot. */
int hm_account_take(struct hm_account *account, const struct hm_trace_event *event,
                    const char **why);

/** Give the fields that an event's kind does not have their one value: count 1, all others 0. */
void hm_account_tidy(struct hm_trace_event *event);

/** totals.hash becomes that of all events so far; more may follow. */
void hm_account_close_hash(struct hm_account *account);

#endif
