/* Measures a whole program once: what hm_spawn_cell is to a workload.
 *
 * Its files are made in the run's folder, below HM_EXEC_FOLDER: the output, what the witness wrote, and the
 * scratch folder. All but an output that is to be kept are removed again. */
#ifndef HM_HARNESS_EXEC_EXEC_H
#define HM_HARNESS_EXEC_EXEC_H

#include "harness/cell/spawn.h"

#define HM_EXEC_FOLDER "output"

/** Make the folder of a run's programs. @param folder of the run  @return 0 or an errno with a line */
int hm_exec_open(const char *folder, struct hm_error *error);
/** Remove it, when nothing is kept there. */
void hm_exec_close(const char *folder);

/** Run the program of a cell, and its server where it has one, until it ends or the timeout passes; nothing
 *  of its tree is left behind. Main thread.
 *  @return 0 with *out filled (hm_outcome_free it), whatever the status; or an errno when we ourselves
 *  could not go on */
int hm_exec_cell(const struct hm_spawn *spawn, struct hm_outcome *out);

#endif
