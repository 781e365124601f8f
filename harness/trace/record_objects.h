/* `heapmark record --objects`: the object graph of a Python program. */
#ifndef HM_HARNESS_TRACE_RECORD_OBJECTS_H
#define HM_HARNESS_TRACE_RECORD_OBJECTS_H

/** Run a Python program and leave its object graph in a file.
 *  @param argv argv[0] is the subcommand's name; argv[1] is --objects
 *  @return the exit status of the process */
int hm_record_objects(int argc, char **argv);

#endif
