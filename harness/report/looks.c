/* What run.json tells of the looks. */
#include "harness/report/looks.h"

#include "harness/results/manifest.h"

#include <string.h>

struct counts {
    int compared, decided; /* without A/A arms, unless there is nothing else */
    int held, planned;
};

static void count_cells(const json_t *run, bool again, struct counts *c) {
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(run, "cells"), i, one) {
        const char *id = json_string_value(json_object_get(one, "cell"));
        if (!id || !json_is_string(json_object_get(one, "verdict")) ||
            (strstr(id, "#2/") != NULL) != again)
            continue;
        c->compared++;
        c->decided += json_is_integer(json_object_get(one, "decided_after"));
    }
}

static struct counts count(const json_t *run) {
    struct counts c = {0};
    size_t i;
    json_t *one;
    count_cells(run, false, &c);
    if (!c.compared)
        count_cells(run, true, &c);
    json_array_foreach(json_object_get(run, "looks"), i, one) {
        c.held += json_is_true(json_object_get(one, "held"));
        c.planned++;
    }
    return c;
}

static void put_end(FILE *out, const json_t *run, const struct counts *c) {
    double budget_s = json_number_value(json_object_get(run, "budget_s"));
    int rounds = (int)json_integer_value(json_object_get(run, "rounds"));
    fprintf(out, "Decided: %d of %d comparisons of time", c->decided, c->compared);
    if (c->decided < c->compared)
        fprintf(out, "; %d undecided after %d round%s", c->compared - c->decided, rounds,
                rounds == 1 ? "" : "s");
    fputs(".\n", out);
    if (json_is_true(json_object_get(run, "out_of_budget")))
        fprintf(out, "The budget of %g %s is spent.\n", budget_s >= 60 ? budget_s / 60 : budget_s,
                budget_s >= 60 ? "min" : "s");
}

static void put_first(FILE *out, const json_t *run) {
    const json_t *first = json_array_get(json_object_get(run, "looks"), 0);
    fprintf(out, "Too few rounds for a verdict: the first look is after %d.\n",
            (int)json_integer_value(json_object_get(first, "rounds")));
}

void hm_looks_print(FILE *out, const char *folder) {
    json_t *run;
    struct hm_error error;
    if (hm_manifest_read(&run, folder, &error))
        return;
    const struct counts c = count(run);
    if (c.planned) {
        fprintf(
            out,
            "@8: decided after 8 rounds, for good. %d looks at the data share the 5 %%: each is\n"
            "judged at %.3g %%, with intervals to match. The A/A arm may stay open.\n",
            c.planned, 5.0 / c.planned);
        put_end(out, run, &c);
        if (!c.held)
            put_first(out, run);
    }
    json_decref(run);
}
