/* C++ names as people say them: without types. */
#ifndef HM_HARNESS_TRACE_CXX_NAME_H
#define HM_HARNESS_TRACE_CXX_NAME_H

/** Take template arguments, parameters and the type of the result out of a demangled name, in place:
 *  `void std::sort<int*>(int*, int*)` is `std::sort`. One that it can not make sense of stays whole. */
void hm_cxx_shorten(char *name);

#endif
