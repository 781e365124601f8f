/* First-fit's tree index with AVX-512: a node is searched in four comparisons. */
#ifdef __x86_64__
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,bmi,bmi2"))),                 \
                             apply_to = function)
#else
#pragma GCC target("avx512f,avx512vl,bmi,bmi2")
#endif
#define HM_TREE_AVX512
#define HM_TREE_CALLS hm_runs_tree_avx512
#include "allocators/first-fit_tree.h"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
