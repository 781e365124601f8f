/* Processes that share memory: how a workload starts them, has them work, and is rid of them.
 *
 * Vocabulary
 *   crew      the processes of one cell. The cell's own process starts them and waits while they work.
 *   member    one of them, by its index from 0. Workers take turns; servers come behind them and do what
 *             they do until the crew is closed.
 *   turn      what the workers do between being told how many units, and the last one's end.
 *   segment   POSIX shared memory: the head below, and behind it `body`, which is the workload's.
 *   job       the work of a kind of crew, found by the name of its workload.
 *
 * Members are the same program, executed anew with the segment as a descriptor (`heapmark member`), and
 * map it wherever they like: what lies in it holds no pointers. Only where they use a heap that exists
 * already are they plain forks, as its mappings are inherited, at one address.
 *
 * Nothing is left behind. The segment has no name, or none for longer than the two calls take that make
 * and remove it; the kernel frees it with its last process. A member is killed as soon as the process
 * dies that started it, however that may happen, and looks once more after it asked for that. Whoever
 * waits sleeps in the kernel, so that members may outnumber cores. */
#ifndef HM_WORKLOADS_PROCESS_CREW_H
#define HM_WORKLOADS_PROCESS_CREW_H

#include "workloads/spin.h"
#include "workloads/workload.h"

#include <stdatomic.h>
#include <sys/types.h>

enum {
    HM_CREW_MAX = 64, /* members */
    HM_CREW_PARAMS = 16,
    HM_CREW_FDS = 2 * HM_CREW_MAX,
};

/* A member's place in the segment; it alone writes there while it works. */
struct hm_crew_place {
    _Alignas(
        HM_SPIN_APART) int pin; /* the CPU that it is bound to, as read back; -1: to none alone */
    int bad;                    /* errno of what kept it from beginning */
    uint64_t turn_done;         /* units of the last turn */
    uint64_t busy_ns;           /* in all turns */
    atomic_bool is_gone;        /* it will not come back, and nobody waits for it */
};

/* The head of the segment. */
struct hm_crew_head {
    size_t bytes;
    size_t body_at;
    char workload[32];
    int64_t params[HM_CREW_PARAMS];
    uint64_t seed;
    pid_t parent;
    unsigned workers, servers;
    int fds[HM_CREW_FDS]; /* of the workload's, inherited by all; -1: none */
    int cpus[HM_CREW_MAX];
    uint64_t units;                           /* of this turn */
    _Alignas(HM_SPIN_APART) atomic_uint turn; /* a futex: goes up when a turn begins */
    _Alignas(HM_SPIN_APART)
        atomic_uint awaited; /* a futex: members that have not come to its end */
    atomic_bool is_over;     /* there is no further turn */
    struct hm_crew_place places[HM_CREW_MAX];
};

/** What a member knows. */
struct hm_member {
    struct hm_crew_head *head;
    void *body; /* of the segment */
    unsigned index;
    const struct hm_memory *memory; /* forked members only */
    void *state;                    /* the job's own */
};

/** The work of the members. A worker's calls are all from its one thread. */
struct hm_crew_job {
    const char *name; /* of the workload */
    /** Before the first turn, untimed: draw the script. @return 0 or an errno. NULL: nothing to do */
    int (*prepare)(struct hm_member *member);
    /** A turn. @return units done; fewer than asked: memory ran out */
    uint64_t (*work)(struct hm_member *member, uint64_t units);
    /** What a server does; it ends when the crew is closed, at the latest by a signal. NULL: no servers */
    void (*serve)(struct hm_member *member);
};

/** The cell's side of a crew. */
struct hm_crew {
    struct hm_crew_head *head;
    void *body;
    int fd; /* -1: there is no segment */
    unsigned members;
    pid_t pids[HM_CREW_MAX]; /* 0: it has been reaped */
    bool has_failed;
};

/** Make the segment, with members still to come. @param crew zeroed  @param part has a job of its name
 *  @param body_bytes of the workload, zeroed
 *  @return 0, or an errno: ENOMEM also where shared memory has too little room. hm_crew_close is due
 *  either way. */
int hm_crew_open(struct hm_crew *crew, const struct hm_run *run, const struct hm_workload *part,
                 size_t body_bytes, unsigned workers, unsigned servers);

enum hm_crew_start {
    HM_CREW_EXEC, /* the program anew */
    HM_CREW_FORK, /* copies of this process, with its heap */
};

/** Start all members, and wait until they are there, pinned and prepared. Not hot.
 *  @return 0, or an errno; run->failed then says it in words unless it is ENOMEM */
int hm_crew_start(struct hm_crew *crew, struct hm_run *run, enum hm_crew_start how);

/** One turn of all workers: begins with the first one's start and ends with the last one's end.
 *  @return units that each of them did, `units` unless memory ran out; 0 with run->failed if a member died
 *  that had not said that it would */
uint64_t hm_crew_turn(struct hm_crew *crew, struct hm_run *run, uint64_t units);

/** End and reap all members, by force where they do not come; and give the segment back. */
void hm_crew_close(struct hm_crew *crew);

/** For a member: nobody waits for this one any more. */
void hm_crew_leave(struct hm_member *member);

/** What a member that is executed anew does with its life. @return its exit status */
int hm_crew_serve(int fd, unsigned index);

/** Memory that processes can share, without a name. @return its descriptor, or -1 with errno */
int hm_crew_segment(size_t bytes);
/** The same where /dev/shm makes no files without a name: it has one at first. */
int hm_crew_segment_by_name(size_t bytes);

#endif
