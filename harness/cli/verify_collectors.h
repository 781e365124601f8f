/* heapmark verify -c: the half of verify that checks collectors. */
#ifndef HM_HARNESS_CLI_VERIFY_COLLECTORS_H
#define HM_HARNESS_CLI_VERIFY_COLLECTORS_H

#include <stdbool.h>

/** Whether a command line asks for collectors: one of its words is -c, or begins so. */
bool hm_verify_is_of_collectors(int argc, char **argv);
/** Carry it out. @return the exit status */
int hm_verify_collectors(int argc, char **argv);

#endif
