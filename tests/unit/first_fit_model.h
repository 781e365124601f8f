/* The model that first-fit is held against: a plain array of bytes, one for each granule, searched
 * one by one. It shares nothing with the allocator but the definition of the four fits. */
#ifndef HM_TESTS_UNIT_FIRST_FIT_MODEL_H
#define HM_TESTS_UNIT_FIRST_FIT_MODEL_H

#include <stdbool.h>
#include <string.h>

enum {
    NOWHERE = -1,
    MAX_GRANULES = 1 << 15,
};

enum fit {
    FIRST,
    NEXT,
    BEST,
    WORST,
};

static struct {
    unsigned char used[MAX_GRANULES];
    int granules;
    int rover;
    enum fit fit;
} model;

static void model_open(int granules, enum fit fit) {
    memset(&model, 0, sizeof model);
    model.granules = granules;
    model.fit = fit;
}

static int model_run_end(int at) {
    while (at < model.granules && !model.used[at])
        at++;
    return at;
}

static int model_search(int from, int length, int step) {
    int place = NOWHERE, chosen = 0;
    for (int start = 0, end; start < model.granules; start = end + 1) {
        end = model_run_end(start);
        int up = (start + step - 1) / step * step;
        if (end <= from || up + length > end)
            continue;
        int run = end - start;
        bool better = place == NOWHERE || (model.fit == BEST && run < chosen) ||
                      (model.fit == WORST && run > chosen);
        if (better) {
            place = up;
            chosen = run;
        }
    }
    return place;
}

/* `step` is the alignment in granules. */
static int model_take(int length, int step) {
    int at = model_search(model.fit == NEXT ? model.rover : 0, length, step);
    if (at == NOWHERE)
        at = model_search(0, length, step);
    if (at == NOWHERE)
        return NOWHERE;
    memset(model.used + at, 1, (size_t)length);
    model.rover = at + length;
    return at;
}

static void model_give(int at, int length) {
    memset(model.used + at, 0, (size_t)length);
}

static int model_resize(int at, int old, int length) {
    if (length <= old) {
        model_give(at + length, old - length);
        return at;
    }
    if (model_run_end(at + old) >= at + length) {
        memset(model.used + at, 1, (size_t)length);
        return at;
    }
    int moved = model_take(length, 1);
    if (moved != NOWHERE)
        model_give(at, old);
    return moved;
}

#endif
