/* What the tests of the re-created benchmarks share: small cells of each, and what holds for them. */
#ifndef HM_TESTS_UNIT_HEAP_CLASSICS_H
#define HM_TESTS_UNIT_HEAP_CLASSICS_H

#include "tests/unit/heap_cell.h"

enum {
    DRAWS_NOTHING = 1,     /* all seeds and threads do the same */
    FEWER_ALLOCS = 2,      /* an operation may be a free */
    MORE_ALLOCS = 4,       /* realloc comes on top of the operations */
    NO_OVERLAP = 8,        /* nothing that two blocks on the same bytes would show */
    NOT_IN_ONE_BLOCK = 64, /* blocks hold pointers, or are large */
    OP_IS_A_WRITE = 32,    /* to the one block of a unit */
    IN_PAIRS = 16,         /* one thread's work is not what it does alone */
};

struct classic {
    struct example example;
    unsigned traits;
};

static const struct classic classics[] = {
    {{"falsesharing", {{"writes", 300}}, 60, 0}, NO_OVERLAP | OP_IS_A_WRITE},
    {{"falsesharing", {{"writes", 300}, {"mode", 1}, {"size", 3}}, 60, 0},
     NO_OVERLAP | OP_IS_A_WRITE},
    {{"shbench6", {{"slots", 33}}, 20, 0}, 0},
    {{"shbench8", {{"slots", 33}, {"given", 5}}, 20, 0}, NOT_IN_ONE_BLOCK},
    {{"mstress", {{"blocks", 20}, {"places", 7}, {"large", 0}}, 12, 0}, 0},
    {{"mstress", {{"blocks", 20}, {"places", 7}, {"large", 0}, {"fresh", 0}}, 12, 0}, 0},
    {{"mixed", {{"slots", 60}}, 500, 0}, FEWER_ALLOCS | NOT_IN_ONE_BLOCK},
    {{"simple", {{"size", 24}, {"count", 4}}, 1, 0}, DRAWS_NOTHING},
    {{"simple", {{"size", 24}, {"count", 1}, {"order", 1}, {"where", 1}}, 1, 0}, DRAWS_NOTHING},
    {{"simple", {{"size", 24}, {"count", 2}, {"where", 2}}, 1, 0}, DRAWS_NOTHING},
    {{"tcached", {{"slots", 20}, {"max", 300}}, 300, 0}, 0},
    {{"tcached", {{"slots", 20}, {"max", 300}, {"touch", 0}}, 300, 0}, NO_OVERLAP},
    {{"rptest", {{"slots", 100}, {"ops", 20}, {"max", 300}}, 10, 0}, NOT_IN_ONE_BLOCK},
    {{"rptest", {{"slots", 100}, {"ops", 20}, {"max", 300}, {"loops", 12}, {"fresh", 1}}, 10, 0},
     NOT_IN_ONE_BLOCK},
    {{"msgpass", {{"max_out", 30}, {"max_batch", 4}}, 3, 0}, IN_PAIRS},
    {{"msgpass", {{"max_out", 30}, {"max_batch", 4}, {"proxies", 1}}, 3, 0}, IN_PAIRS},
    {{"phong", {{"first", 20}, {"p", 10}, {"q", 30}, {"max", 300}}, 12, 0}, MORE_ALLOCS},
};
enum {
    CLASSICS = sizeof classics / sizeof *classics,
};

static inline uint64_t ops_in_unit(const struct cell *cell) {
    return cell->workload->ops_per_unit ? cell->workload->ops_per_unit(cell->values) : 1;
}

#endif
