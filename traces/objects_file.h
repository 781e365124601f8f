/* The outer layer of a file of object graphs: a head, the payload as it is or compressed, a checksum. */
#ifndef HM_TRACES_OBJECTS_FILE_H
#define HM_TRACES_OBJECTS_FILE_H

#include "traces/objects.h"

/** Bytes in a mapping of their own. */
struct hm_objects_bytes {
    uint8_t *at;
    size_t count;
    size_t mapped_bytes;
};

/** One line about a file in `why`. */
__attribute__((format(printf, 3, 4))) void hm_objects_say(char why[HM_OBJECTS_WHY_BYTES],
                                                          const char *path, const char *what, ...);

/** Say it, and pass the code on: `return hm_objects_fail(why, EINVAL, path, "...", ...)`. A macro, so
 *  that static analysis sees which code it is. */
#define hm_objects_fail(why, code, path, ...) (hm_objects_say(why, path, __VA_ARGS__), (code))

/** Zeroed pages. @return false: no memory */
bool hm_objects_map(struct hm_objects_bytes *out, size_t count);
void hm_objects_unmap(struct hm_objects_bytes *bytes);

/** The payload of a file, whose head and checksum are right. @return as hm_objects_open */
int hm_objects_read(const char *path, struct hm_objects_bytes *payload,
                    char why[HM_OBJECTS_WHY_BYTES]);

/** Write a payload, compressed, to a file that must not exist. @return as hm_objects_open */
int hm_objects_write(const char *path, const struct hm_objects_bytes *payload,
                     char why[HM_OBJECTS_WHY_BYTES]);

#endif
