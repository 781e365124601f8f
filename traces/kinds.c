/* The names of a trace's events. */
#include "traces/trace.h"

const char *const hm_trace_kind_names[HM_TRACE_KINDS] = {
    [HM_TRACE_MALLOC] = "malloc",
    [HM_TRACE_CALLOC] = "calloc",
    [HM_TRACE_REALLOC] = "realloc",
    [HM_TRACE_REALLOCARRAY] = "reallocarray",
    [HM_TRACE_ALIGNED_ALLOC] = "aligned_alloc",
    [HM_TRACE_POSIX_MEMALIGN] = "posix_memalign",
    [HM_TRACE_MEMALIGN] = "memalign",
    [HM_TRACE_VALLOC] = "valloc",
    [HM_TRACE_PVALLOC] = "pvalloc",
    [HM_TRACE_INHERITED] = "inherited",
    [HM_TRACE_FREE] = "free",
    [HM_TRACE_USABLE] = "usable",
    [HM_TRACE_THREAD_BEGIN] = "thread-begin",
    [HM_TRACE_THREAD_END] = "thread-end",
};
