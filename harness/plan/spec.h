/* Specs: the text that names a part and its parameters, `name:key=value:key=value`; allocators may
 * be stacked, `layer+layer+base`.
 *
 * A parsed spec holds a value for every parameter of the part, defaults included. */
#ifndef HM_HARNESS_PLAN_SPEC_H
#define HM_HARNESS_PLAN_SPEC_H

#include "harness/error.h"
#include "harness/plan/registry.h"

enum {
    HM_SPEC_PARAMS = 24, /* most parameters of one part */
    HM_SPEC_LAYERS = 6,  /* most parts of one stack */
    HM_SPEC_BYTES = 512, /* longest text of a spec, with its end */
};

/** The parameters of one part of a spec. Texts point into `store`. */
struct hm_params {
    struct hm_value values[HM_SPEC_PARAMS];
    char store[HM_SPEC_BYTES];
};

/** A stack of allocators, outermost first: parts[count - 1] is the base. */
struct hm_allocator_spec {
    char text[HM_SPEC_BYTES];
    unsigned count;
    const struct hm_allocator *parts[HM_SPEC_LAYERS];
    struct hm_params params[HM_SPEC_LAYERS];
};

struct hm_collector_spec {
    char text[HM_SPEC_BYTES];
    const struct hm_collector *part; /* the variant, where the parameters choose one */
    struct hm_params params;
};

struct hm_workload_spec {
    char text[HM_SPEC_BYTES];
    const struct hm_workload *part; /* any variant */
    struct hm_params params;
};

/** Parse a text. @return 0, or EINVAL with one line that names the part, the parameter and its
 * range, and the nearest name of a mistyped one. */
int hm_allocator_spec_parse(const char *text, struct hm_allocator_spec *out,
                            struct hm_error *error);
int hm_collector_spec_parse(const char *text, struct hm_collector_spec *out,
                            struct hm_error *error);
int hm_workload_spec_parse(const char *text, struct hm_workload_spec *out, struct hm_error *error);

/** The first part of a stack that must not be used by several threads: the parts beneath a layer that
 * locks may be. @return NULL when there is none */
const struct hm_allocator *hm_allocator_spec_alone(const struct hm_allocator_spec *spec);
/** What to put behind its name: whether its parameters are why. Static storage. */
const char *hm_allocator_alone_why(const struct hm_allocator *alone);

/** Whether processes that are forked while it is open can use one heap of it together: one part alone, as
 *  a layer keeps what it knows in each process's own memory. */
bool hm_allocator_spec_shared(const struct hm_allocator_spec *spec);

/** Write all parameters as `key=value:key=value`, defaults included; "-" when there are none. */
void hm_params_format(const struct hm_param *table, const struct hm_params *params, char *out,
                      size_t size);

/** Parse a whole number with K, M, G. @param kilo 1000 or 1024  @return 0, EINVAL or ERANGE */
int hm_number_parse(const char *text, int64_t kilo, int64_t *out);

/** "isolated", "gil" or "free". */
const char *hm_threading_name(enum hm_threading threading);
/** @return 0, or EINVAL with *out untouched */
int hm_threading_parse(const char *name, enum hm_threading *out);

#endif
