/* What the kernel knows about the calling process: memory, faults, switches, processor time.
 *
 * For the measured process: nothing here allocates, so that a reading does not change the heap that
 * it reads. The kernel counts resident pages per thread or per processor and adds them up now and
 * then: both resident figures may lag behind by some tens of pages for each thread
 * (proc(5), statm). */
#ifndef HM_HARNESS_MACHINE_PROC_H
#define HM_HARNESS_MACHINE_PROC_H

#include <stdint.h>

/** Counts of the whole process since its start; NAN where the kernel does not tell. They are
 *  doubles so that a missing one stays missing in a difference. */
struct hm_proc_usage {
    double minor_faults; /* pages that were mapped without I/O */
    double major_faults; /* pages that had to be read */
    double voluntary_switches;
    double involuntary_switches;
    double cpu_s; /* user and system, of all threads */
};

/** Read the counts. One system call, about a microsecond; any thread. Source: getrusage(2). */
void hm_proc_usage_read(struct hm_proc_usage *out);

/** @return bytes that are resident now (/proc/self/statm), or UINT64_MAX. Any thread, not hot. */
uint64_t hm_proc_resident_bytes(void);

/** Bytes of address space that the process may use and that are of no file: private and shared
 *  mappings, resident or not. What is only reserved, without any right to it, is not mapped.
 *  @return UINT64_MAX when the kernel does not tell (/proc/self/maps). Some 10 microseconds for a hundred
 *  mappings; any thread, not hot. */
uint64_t hm_proc_mapped_bytes(void);

/** The same of one line of that file, which may be cut behind the first bytes of its name. */
uint64_t hm_proc_mapping_bytes(const char *line);

/** The part of that which is no heap's to use any more: what is resident, the main thread's stack, and
 *  variables without a value of the executable and its libraries.
 *  @return UINT64_MAX when the kernel does not tell (/proc/self/smaps). Milliseconds. */
uint64_t hm_proc_taken_bytes(void);

/** @return the most bytes that were ever resident (VmHWM), or NAN. Any thread, not hot. */
double hm_proc_peak_resident_bytes(void);

#endif
