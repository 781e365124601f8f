/* First-fit's tree index for any processor, and the choice of the version for this one. */
#define HM_TREE_CALLS hm_runs_tree_plain
#include "allocators/first-fit_tree.h"

const struct hm_runs_calls *hm_runs_tree(void) {
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("bmi2"))
        return &hm_runs_tree_avx512;
#endif
    return &hm_runs_tree_plain;
}
