/* free_sized believes that its size is the block's class, and is one class off.
 * caught by: sized-free */
#include "tests/zoo/base.h"

ZOO_EXPORT void free_sized(void *p, size_t size);

ZOO_EXPORT void free_sized(void *p, size_t size) {
    if (p && size < STEP_LIMIT && span_of(p)->class < CLASSES)
        give_small(class_of(size + 16), p);
    else
        base_free(p);
}
