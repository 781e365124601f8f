/* Runs one property of one allocator in a process of its own, and says what became of it. */
#ifndef HM_HARNESS_VERIFY_JUDGE_H
#define HM_HARNESS_VERIFY_JUDGE_H

#include "harness/plan/arm.h"
#include "harness/verify/property.h"

struct hm_verifying {
    const char *program; /* absolute path of heapmark */
    const struct hm_arm *arm;
    uint64_t ops;
    uint64_t seed;
    bool unaligned;   /* the property alignment has failed: it is not told again by others */
    double timeout_s; /* a process without progress for so long has failed */
};

struct hm_finding {
    const struct hm_property *property;
    enum hm_conform verdict;
    char line[1700];                       /* what broke, or a note; "" for nothing to say */
    const struct hm_deviation *deviations; /* of the allocator; those that were seen are.. */
    uint32_t deviated;                     /* ..bit i for entry i; also if it failed besides */
    char version[HM_VERSION_BYTES];        /* of its library, if any was seen */
    uint64_t ops;                          /* that were timed */
    uint64_t refused;                      /* of them: an arena had no room for it */
    double seconds;                        /* 0 when nothing was timed */
    char script[sizeof((struct hm_board *)0)->script]; /* of a failed random; "" for none */
    unsigned script_ops; /* of the shrunk script, even when it is too long to be kept */
};

/** Main thread. Nothing of the process's group is left behind.
 *  @return 0 with *out filled in, whatever the verdict; an errno when the parent can not go on */
int hm_verify_property(const struct hm_verifying *judge, const struct hm_property *property,
                       struct hm_finding *out, struct hm_error *error);

#endif
