/* Which code is mapped into a process: its program and libraries, each with its identity.
 *
 * Vocabulary
 *   image   a file that the loader has mapped: the program or a shared library
 *   id      what tells two builds of an image apart: its build id, which the linker made from its
 *           contents, in hex; where it has none, "fnv1a-" and a hash of the whole file */
#ifndef HM_HARNESS_MACHINE_IMAGE_H
#define HM_HARNESS_MACHINE_IMAGE_H

#include "harness/error.h"

#include <limits.h>
#include <stddef.h>

enum {
    HM_IMAGE_ID_BYTES = 64,
};

/** Told of one image. @param path its real path  @param build_id in hex; "" when it has none */
typedef void hm_image_fn(void *arg, const char *path, const char *build_id);

/** Tell of each image of this process, as they are mapped now; the kernel's own (vdso) is left out.
 *  Takes no memory from the heap. Any thread but not hot. */
void hm_images_each(hm_image_fn *take, void *arg);

struct hm_image {
    char path[PATH_MAX];
    char id[HM_IMAGE_ID_BYTES];
    long long bytes;
};

/** The id and size of a file as it is now. Main thread (libelf), not hot.
 *  @return 0, or an errno with the output untouched */
int hm_image_of(const char *path, struct hm_image *out);

/** This program, and the C library that is mapped in it. The program is told by what is mapped: its
 *  file may be another one by now. @return 0, or an errno with the output untouched */
int hm_image_of_self(struct hm_image *out);
int hm_image_of_libc(struct hm_image *out);

#endif
