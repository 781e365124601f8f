/* A trace: the heap calls of one process, in the order in which they happened.
 *
 * Vocabulary
 *   event   one call of the malloc family, or a mark: a thread that began or ended.
 *   block   what an allocation made, numbered 1, 2, 3, .. in the order of the events; never an
 *           address. It keeps its number when it is reallocated.
 *   failed  the call gave nothing: an allocation that has no block, a reallocation that changed none.
 *   foreign a block that was there before the recording began, and is only seen as it goes.
 *   inherited  live when the process was forked: an allocation that its parent made.
 *   thread  numbered 0, 1, 2, .. in the order in which they first appear; 0 is the main thread.
 *   stack   the call stack of an event, numbered from 1; 0: not recorded.
 *
 * Invariants of every event that a reader hands out, whatever the file holds
 *   An allocation's block is the next number. Other events name a live block, or HM_TRACE_NULL or
 *   HM_TRACE_FOREIGN. count * size does not overflow. A thread's number is below `threads`, a stack's
 *   at most `stacks`. Times never go back. (A failed call whose count * size overflowed is recorded as
 *   1 * UINT64_MAX.) Of the fields that a kind does not have, count is 1 and all others are 0.
 *
 * The file's bytes are described in docs/trace-format.md. Neither reader nor writer calls the C
 * library's malloc: a reader may be at work in a process whose heap is measured. */
#ifndef HM_TRACES_TRACE_H
#define HM_TRACES_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hm_trace_kind {
    HM_TRACE_MALLOC,
    HM_TRACE_CALLOC,         /* count x size */
    HM_TRACE_REALLOC,        /* of a block; realloc(NULL, n) is a MALLOC, one that frees a FREE */
    HM_TRACE_REALLOCARRAY,   /* count x size; as REALLOC */
    HM_TRACE_ALIGNED_ALLOC,  /* with alignment, as the next four */
    HM_TRACE_POSIX_MEMALIGN, /* C++'s aligned new comes as the one that it calls */
    HM_TRACE_MEMALIGN,
    HM_TRACE_VALLOC,
    HM_TRACE_PVALLOC,
    HM_TRACE_INHERITED, /* counted apart from allocations; a replay allocates it */
    HM_TRACE_FREE,
    HM_TRACE_USABLE, /* malloc_usable_size */
    HM_TRACE_THREAD_BEGIN,
    HM_TRACE_THREAD_END,
    HM_TRACE_KINDS,
};

/* Blocks that are none of the trace. */
#define HM_TRACE_NULL    UINT64_C(0)
#define HM_TRACE_FOREIGN UINT64_MAX

struct hm_trace_event {
    uint8_t kind;           /* enum hm_trace_kind */
    uint8_t alignment_log2; /* as asked for; 0: the call has none */
    bool failed;
    uint32_t thread; /* that called */
    uint32_t stack;
    uint64_t block;   /* allocation: the new one; else the one it is about */
    uint64_t count;   /* of elements; 1 for calls that have no count */
    uint64_t size;    /* of one element, as requested */
    uint64_t time_ns; /* since the recording began; 0 in a trace without times */
};

/** Bytes asked for; no overflow in a valid event. */
static inline uint64_t hm_trace_bytes(const struct hm_trace_event *event) {
    return event->count * event->size;
}

static inline bool hm_trace_is_allocation(unsigned kind) {
    return kind <= HM_TRACE_INHERITED && kind != HM_TRACE_REALLOC && kind != HM_TRACE_REALLOCARRAY;
}

static inline bool hm_trace_is_realloc(unsigned kind) {
    return kind == HM_TRACE_REALLOC || kind == HM_TRACE_REALLOCARRAY;
}

/** "malloc", "calloc", .., "thread-begin": as `heapmark trace dump` prints them. */
extern const char *const hm_trace_kind_names[HM_TRACE_KINDS];

/** How the recorded process ended. */
enum hm_trace_end {
    HM_TRACE_END_EXIT,   /* status: its exit status */
    HM_TRACE_END_SIGNAL, /* status: the signal */
    HM_TRACE_END_EXEC,   /* another program took its place */
    HM_TRACE_END_UNKNOWN,
};

/** What is said of the whole trace. Texts belong to the reader, or to the caller of the writer. */
struct hm_trace_facts {
    const char *program;  /* path of the executable; "" when not known */
    const char *command;  /* its arguments as a shell would read them; "" when not known */
    const char *recorder; /* who made it: "heapmark 0.1.0", "mtrace", .. */
    const char *machine;  /* uname: "Linux 6.1 x86_64" */
    uint64_t pid;
    int64_t started_utc; /* seconds since 1970 */
    uint64_t page_bytes;
    bool has_times;
    bool has_stacks;
};

/** Known at the end; a reader has them once hm_trace_next said that there is no more, or from
 *  hm_trace_totals. Counts are as valgrind's memcheck has them: a reallocation of a block is one
 *  allocation and one free; what failed, free(NULL) and inherited blocks count in none of them. */
struct hm_trace_totals {
    uint64_t operations; /* calls, failed ones too; no marks of threads, no inherited blocks */
    uint64_t allocations;
    uint64_t frees;      /* with those of foreign and of inherited blocks */
    uint64_t bytes;      /* of all allocations, as requested */
    uint64_t peak_bytes; /* most that was live at a time, inherited too */
    uint64_t peak_blocks;
    uint64_t blocks; /* numbers given out */
    uint64_t threads;
    uint64_t stacks;
    uint64_t failed;
    uint64_t null_frees;
    uint64_t foreign; /* events about foreign blocks */
    uint64_t inherited;
    uint64_t cross_thread_frees; /* and reallocations, by another thread than allocated it last */
    uint64_t duration_ns;        /* 0 without times */
    uint64_t dropped;            /* calls that the recorder could not keep */
    uint64_t hash; /* of all events, over every field; equal files' are equal on every machine */
    int32_t end;   /* enum hm_trace_end */
    int32_t status;
};

#define HM_TRACE_WHY_BYTES 256

/* ---- Reading ---- */

struct hm_trace_reader;

/** Open and check the head of a file that nobody vouches for. Every length is checked against the
 *  file before memory is taken for it.
 *  @param why one line, when it fails: what is wrong, with the path
 *  @return 0; EINVAL: the file is not a valid trace; another errno: it could not be read, or memory
 *  ran out. On an error *out is as it was. One reader is for one thread at a time. */
int hm_trace_open(const char *path, struct hm_trace_reader **out, char why[HM_TRACE_WHY_BYTES]);

const struct hm_trace_facts *hm_trace_facts(const struct hm_trace_reader *reader);

/** The next event. @return 1; 0: there is no more, and the totals agree with the file's; -1: the file is broken
 *  here, and hm_trace_why says how, in one line. */
int hm_trace_next(struct hm_trace_reader *reader, struct hm_trace_event *event);

const char *hm_trace_why(const struct hm_trace_reader *reader);

/** Back before the first event. @return 0, or an errno */
int hm_trace_rewind(struct hm_trace_reader *reader);

/** What was read so far; all of it after hm_trace_next's 0. */
const struct hm_trace_totals *hm_trace_totals(const struct hm_trace_reader *reader);

/** A frame of a stack: an offset in a module, as addr2line takes it. */
struct hm_trace_frame {
    const char *module;   /* path; "" when not known */
    const char *build_id; /* hexadecimal; "" when not known */
    uint64_t offset;
};

/** Frames of a stack, innermost first. @param stack 1 .. totals.stacks of what was read so far
 *  @return how many there are; at most `room` were written */
size_t hm_trace_stack(const struct hm_trace_reader *reader, uint32_t stack,
                      struct hm_trace_frame *frames, size_t room);

void hm_trace_close(struct hm_trace_reader *reader);

/* ---- Writing ---- */

struct hm_trace_writer;

/** Create `path`, which must not exist; it appears when hm_trace_finish succeeds, whole.
 *  @return 0 or an errno. One writer is for one thread at a time. */
int hm_trace_create(const char *path, const struct hm_trace_facts *facts,
                    struct hm_trace_writer **out);

/** A module for frames. @return its number, from 0; UINT32_MAX: no memory */
uint32_t hm_trace_add_module(struct hm_trace_writer *writer, const char *path,
                             const char *build_id);

struct hm_trace_address {
    uint32_t module; /* UINT32_MAX: none, and offset is the address */
    uint64_t offset;
};

/** A stack, which becomes the next number, from 1. Equal ones are the caller's to find.
 *  @param count at most 255  @return its number, 0: no memory */
uint32_t hm_trace_add_stack(struct hm_trace_writer *writer, const struct hm_trace_address *frames,
                            size_t count);

/** Append an event, which must hold to the invariants above; fields that its kind does not have are
 *  not looked at, nor times and stacks in a trace without them.
 *  @return 0; EINVAL: it does not, and nothing was written; or another errno */
int hm_trace_add(struct hm_trace_writer *writer, const struct hm_trace_event *event);

/** What was wrong with the last event that was refused with EINVAL; "" when none was. */
const char *hm_trace_refusal(const struct hm_trace_writer *writer);

/** Write what is left and give the file its name. The writer is gone, whatever happens.
 *  @param end, status, dropped go into the totals; all else there is counted here
 *  @param totals may be NULL  @return 0 or an errno, and there is no file */
int hm_trace_finish(struct hm_trace_writer *writer, enum hm_trace_end end, int status,
                    uint64_t dropped, struct hm_trace_totals *totals);

/** Throw away what was written. NULL does nothing. */
void hm_trace_abandon(struct hm_trace_writer *writer);

#endif
