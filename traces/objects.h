/* Recorded object graphs: what the cyclic collector of a Python program had before it at one moment.
 *
 * Vocabulary
 *   object     numbered 0, 1, 2, ..; containers first, in the order of the collector's lists, then leaves.
 *   container  what the collector tracked: it has slots, each with a reference.
 *   leaf       any other object that a container refers to.
 *   root       a container that was referred to from elsewhere, too.
 *
 * Invariants of a graph that was opened, whatever the file holds
 *   Each slot names an object, each root a container, in ascending order. Every object can be reached from
 *   a root. Texts have no control characters.
 *
 * The file's bytes are described in docs/object-trace-format.md. Reading does not call the C library's
 * malloc: it may happen in a process whose heap is measured. */
#ifndef HM_TRACES_OBJECTS_H
#define HM_TRACES_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HM_OBJECTS_WHY_BYTES = 256,
    HM_OBJECTS_BYTES_MAX = 1 << 28, /* of a file, packed or not */
};

struct hm_objects_text {
    const char *at; /* not terminated */
    uint32_t length;
};

struct hm_objects_node {
    uint32_t type;
    uint32_t bytes; /* as sys.getsizeof tells: the collector's header with it */
    uint32_t first; /* slot; the next node has the first one behind */
};

/** One mapping, never written to after it was opened; any number of threads may read it. */
struct hm_objects {
    struct hm_objects_text command, python, machine;
    int64_t started_utc; /* seconds since 1970 */
    uint64_t
        collect_ns; /* median time of a full collection of this graph, in that program; 0: not known */
    uint64_t garbage; /* containers of that program that were garbage, and are left out */
    uint32_t types, count, containers, slots, roots;
    const struct hm_objects_text *type_names;
    const struct hm_objects_node *nodes; /* count + 1; the last one has only `first` */
    const uint32_t *targets;             /* slots: number of an object */
    const uint32_t *root_numbers;
    size_t mapped_bytes; /* all that hm_objects_close gives back */
};

/** Open a file that nobody vouches for, and check all of it. Every length is checked against what is
 *  left of the file before memory is taken for it.
 *  @param file a path, or the name of one of the examples (without a slash and the ending)
 *  @param why one line, when it fails: what is wrong, with the path
 *  @return 0; EINVAL: it is not a valid file; another errno: it could not be read, or memory ran out. On an
 *  error *out is as it was */
int hm_objects_open(const char *file, const struct hm_objects **out,
                    char why[HM_OBJECTS_WHY_BYTES]);

/** NULL does nothing. */
void hm_objects_close(const struct hm_objects *objects);

/** What would not die of its counts if the roots were let go of: cycles, and what they refer to.
 *  @return 0 or ENOMEM */
int hm_objects_left(const struct hm_objects *objects, uint32_t *containers, uint32_t *all);

/** Write a file anew, compressed. @param to must not exist; appears when it is whole
 *  @return as hm_objects_open */
int hm_objects_pack(const char *from, const char *to, char why[HM_OBJECTS_WHY_BYTES]);

#endif
