/* Binds the threads of a measured process, and reads back what became of it.
 *
 * No hwloc in here: a loaded topology is thousands of small blocks, and they would lie in the very
 * heap that is measured. So the harness chooses the CPUs (topology.h) before the process starts,
 * and the process only makes system calls; nothing here allocates. */
#ifndef HM_HARNESS_MACHINE_PIN_H
#define HM_HARNESS_MACHINE_PIN_H

#include <stddef.h>

/** Bind the calling thread to one CPU. @param cpu the kernel's index of it, from 0
 *  @return 0, or a positive errno: EINVAL for a CPU that does not exist or is not allowed here */
int hm_pin_self(int cpu);

/** Tell where the calling thread may run and where it runs: "0-3,8@2" is bound to the CPUs 0 to 3
 *  and 8, and was on CPU 2 just now.
 *  @param size bytes of *actual; 128 hold any usual list
 *  @return 0, or a positive errno with *actual untouched: ERANGE when it is too small */
int hm_pin_read(char *actual, size_t size);

#endif
