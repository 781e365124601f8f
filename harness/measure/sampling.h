/* One process of one cell: what it is told to do, and what becomes of what it reports. */
#ifndef HM_HARNESS_MEASURE_SAMPLING_H
#define HM_HARNESS_MEASURE_SAMPLING_H

#include "harness/measure/session.h"

/** A process of a round. The texts of `spawn` are in here: it does not move. */
struct hm_sampling {
    size_t cell;
    struct hm_sample_place place;
    struct hm_spawn spawn;
    struct hm_outcome outcome;
    char gbench[PATH_MAX], profile[PATH_MAX], folder[PATH_MAX];
};

/** Fill in what the process is told. @param place of its row: pass, round and position; the cell and the
 *  time are set here */
void hm_sampling_prepare(const struct hm_session *session, size_t cell,
                         const struct hm_sample_place *place, struct hm_sampling *out);
/** After its end: judge its outcome, which is freed here, and add its rows. @return 0, EINTR when it was
 *  interrupted, or an errno with a line */
int hm_sampling_keep(struct hm_session *session, struct hm_sampling *sampling,
                     struct hm_error *error);
/** Both, and the process between them. @return as hm_sampling_keep */
int hm_sampling_run(struct hm_session *session, size_t cell, const struct hm_sample_place *place,
                    struct hm_error *error);

/** Fill in what all processes of a session are told alike. @param folder keeps a text of it */
void hm_sampling_complete(const struct hm_session *session, size_t cell, char folder[PATH_MAX],
                          struct hm_spawn *spawn);
/** Run a process that is told no more than that. @return 0, or an errno with a line */
int hm_sampling_spawn(const struct hm_session *session, const struct hm_spawn *spawn,
                      struct hm_outcome *outcome, struct hm_error *error);
/** Keep what the process found out about itself; every arm of a group must have done the same operations. */
void hm_sampling_inspect(struct hm_session *session, size_t cell, enum hm_pass pass,
                         struct hm_outcome *outcome);
/** Add the row of a cell that can not be measured. @return 0, or an errno with a line */
int hm_sampling_fail(struct hm_session *session, const struct hm_sample_place *place,
                     const struct hm_outcome *outcome, struct hm_error *error);
/** Now, for a row. */
void hm_sampling_stamp(struct hm_sample_place *place);

/** A fresh process can run at half its speed for some time: this long it works untimed. */
extern const double hm_sampling_warmup_s;

#endif
