/* What keeps a cell of a plan from running. */
#ifndef HM_HARNESS_PLAN_SKIP_H
#define HM_HARNESS_PLAN_SKIP_H

#include "harness/plan/plan.h"

/** Write the reason into the cell, whose group, arm and collector are set; "" stays where there is none. */
void hm_plan_say_skip(const struct hm_plan *plan, struct hm_cell *cell);

/** Why the instructions of a group are not counted, static; NULL: they are. */
const char *hm_plan_why_not_counted(const struct hm_group *group);

#endif
