/* Arms against groups. */
#include "harness/page/grid.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

const struct hm_page_row *hm_page_grid_at(const struct hm_page_grid *grid, size_t group,
                                          size_t arm) {
    return grid->at[group * grid->run->arm_count + arm];
}

/* The first group before this one with an arm that this one has; itself without one. */
static size_t matrix_of(const struct hm_page_grid *grid, size_t group) {
    bool is_empty = true;
    for (size_t first = 0; first < group; first++)
        for (size_t arm = 0; arm < grid->run->arm_count; arm++)
            if (hm_page_grid_at(grid, first, arm) && hm_page_grid_at(grid, group, arm))
                return grid->matrix[first];
    for (size_t arm = 0; arm < grid->run->arm_count; arm++)
        is_empty = is_empty && !hm_page_grid_at(grid, group, arm);
    return is_empty ? SIZE_MAX : group;
}

int hm_page_grid_make(struct hm_page_grid *out, const struct hm_page_run *run, const char *metric) {
    *out = (struct hm_page_grid){.run = run, .metric = metric};
    out->at = calloc(run->group_count * run->arm_count + 1, sizeof *out->at);
    out->matrix = calloc(run->group_count + 1, sizeof *out->matrix);
    if (!out->at || !out->matrix)
        return ENOMEM;
    for (size_t i = 0; i < run->row_count; i++) {
        const struct hm_page_row *row = &run->rows[i];
        if (strcmp(row->metric_name, metric) == 0)
            out->at[row->group * run->arm_count + row->arm] = row;
    }
    for (size_t group = 0; group < run->group_count; group++)
        out->matrix[group] = matrix_of(out, group);
    return 0;
}

void hm_page_grid_free(struct hm_page_grid *grid) {
    free(grid->at);
    free(grid->matrix);
}

bool hm_page_grid_has_arm(const struct hm_page_grid *grid, size_t matrix, size_t arm) {
    for (size_t group = matrix; group < grid->run->group_count; group++)
        if (grid->matrix[group] == matrix && hm_page_grid_at(grid, group, arm))
            return true;
    return false;
}
