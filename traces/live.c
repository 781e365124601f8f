/* The room of the table of live blocks. */
#include "traces/live.h"
#include "traces/pages.h"

#include <errno.h>
#include <string.h>

enum {
    FIRST_BITS = 12,
};

static int make_room(struct hm_live *live, unsigned bits) {
    size_t places = (size_t)1 << bits;
    struct hm_live_block *fresh = hm_pages_get(places * sizeof *fresh);
    if (!fresh)
        return ENOMEM;
    *live = (struct hm_live){.places = fresh, .mask = places - 1, .shift = 64 - (bits - 3)};
    return 0;
}

int hm_live_open(struct hm_live *live) {
    return make_room(live, FIRST_BITS);
}

void hm_live_close(struct hm_live *live) {
    hm_pages_give(live->places, (live->mask + 1) * sizeof *live->places);
    *live = (struct hm_live){0};
}

int hm_live_grow(struct hm_live *live) {
    struct hm_live wider;
    if (make_room(&wider, 64 - live->shift + 3 + 1))
        return ENOMEM;
    for (size_t i = 0; i <= live->mask; i++)
        if (live->places[i].block)
            hm_live_add(&wider, live->places[i].block, live->places[i].bytes,
                        live->places[i].thread);
    hm_live_close(live);
    *live = wider;
    return 0;
}

void hm_live_clear(struct hm_live *live) {
    if (live->count)
        memset(live->places, 0, (live->mask + 1) * sizeof *live->places);
    live->count = 0;
}
