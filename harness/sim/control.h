/* The verbs with which a script asks its collector what CPython's gc module can be asked. */
#ifndef HM_HARNESS_SIM_CONTROL_H
#define HM_HARNESS_SIM_CONTROL_H

#include "harness/sim/script.h"

/** For tables of verbs; `sim` is a struct hm_sim_play. */
int hm_sim_play_threshold(void *sim, const struct hm_sim_line *line, struct hm_error *error);
int hm_sim_play_enable(void *sim, const struct hm_sim_line *line, struct hm_error *error);
int hm_sim_play_disable(void *sim, const struct hm_sim_line *line, struct hm_error *error);
int hm_sim_play_freeze(void *sim, const struct hm_sim_line *line, struct hm_error *error);
int hm_sim_play_unfreeze(void *sim, const struct hm_sim_line *line, struct hm_error *error);
int hm_sim_play_count(void *sim, const struct hm_sim_line *line, struct hm_error *error);
int hm_sim_play_stats(void *sim, const struct hm_sim_line *line, struct hm_error *error);

#endif
