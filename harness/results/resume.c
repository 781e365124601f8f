/* Holds the part of a run that is there against the part that would follow. */
#include "harness/results/resume.h"

#include "harness/machine/image.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE = 800,
    TEXT = 100,
};

/* A value as people read it. */
static void print(const json_t *value, char out[TEXT]) {
    const char *text = json_string_value(value);
    char *dumped = text ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    snprintf(out, TEXT, "%s", text ? text : dumped ? dumped : "not known");
    free(dumped);
}

static void add(json_t *misfits, const char *what, const json_t *was, const json_t *is) {
    char line[2 * LINE];
    char texts[2][TEXT];
    print(was, texts[0]);
    print(is, texts[1]);
    snprintf(line, sizeof line, "%s was %s, and is %s", what, texts[0], texts[1]);
    json_array_append_new(misfits, json_string(line));
}

static bool same(const json_t *was, const json_t *is) {
    bool none = (!was || json_is_null(was)) && (!is || json_is_null(is));
    return none || json_equal(was, is);
}

static const struct fact {
    const char *object, *key, *what;
} facts[] = {
    {NULL, "schema", "the version of the tables"},
    {"build", "id", "the build of heapmark"},
    {"machine", "fingerprint", "the machine's fingerprint (processor, kernel, C library)"},
    {NULL, "seed", "--seed"},
    {NULL, "rate", "--rate"},
    {NULL, "turn_ms", "the length of turns (--turns)"},
    {NULL, "threading", "--threading"},
    {NULL, "pin", "--pin"},
    {NULL, "mode", "the mode (--quick, --rigorous), and so the work of a process,"},
    {NULL, "passes", "--metrics"},
};

/* Parts are told by their label; what it stands for may have changed. */
static const struct list {
    const char *array, *label;
    const char *keys[5];
} lists[] = {
    {"allocators", "label", {"spec", "params", "env", "code"}},
    {"collectors", "label", {"spec", "params"}},
    {"workloads", "label", {"spec", "params", "code"}},
    {"cells", "cell", {"baseline"}},
};

static void check_entry(json_t *misfits, const struct list *list, const json_t *was,
                        const json_t *is) {
    char what[LINE];
    const char *label = json_string_value(json_object_get(is, list->label));
    for (size_t k = 0; list->keys[k]; k++) {
        const json_t *before = json_object_get(was, list->keys[k]);
        const json_t *now = json_object_get(is, list->keys[k]);
        if (same(before, now))
            continue;
        snprintf(what, sizeof what, "%s of %.150s", list->keys[k], label ? label : "?");
        add(misfits, what, before, now);
    }
}

/* Cells are the same ones, or the run does not go on at all: so are its parts. */
static void check_list(json_t *misfits, const struct list *list, const json_t *was,
                       const json_t *is) {
    size_t i;
    json_t *one;
    const json_t *before = json_object_get(was, list->array);
    json_array_foreach(json_object_get(is, list->array), i, one)
        check_entry(misfits, list, json_array_get(before, i), one);
}

/* A run that was resumed by force has several ids of a path. */
static bool was_mapped(const json_t *images, const struct hm_image *image, const char *path) {
    size_t i;
    json_t *one;
    json_array_foreach(images, i, one) {
        const char *other = json_string_value(json_object_get(one, "path"));
        const char *id = json_string_value(json_object_get(one, "id"));
        if (other && id && strcmp(other, path) == 0 && strcmp(id, image->id) == 0)
            return true;
    }
    return false;
}

/* Libraries that were mapped, of parts that load them by themselves too. The program has been looked at. */
static void check_images(json_t *misfits, const json_t *was, const json_t *is) {
    size_t i;
    json_t *one;
    const char *program =
        json_string_value(json_object_get(json_object_get(is, "build"), "program"));
    const char *earlier =
        json_string_value(json_object_get(json_object_get(was, "build"), "program"));
    json_array_foreach(json_object_get(was, "images"), i, one) {
        struct hm_image now;
        const char *path = json_string_value(json_object_get(one, "path"));
        const char *id = json_string_value(json_object_get(one, "id"));
        if (!path || !id || (program && strcmp(path, program) == 0) ||
            (earlier && strcmp(path, earlier) == 0))
            continue;
        char line[LINE];
        bool gone = hm_image_of(path, &now) != 0;
        if (!gone && was_mapped(json_object_get(was, "images"), &now, path))
            continue;
        snprintf(line, sizeof line, "%.200s %s", path,
                 gone ? "is not there any more" : "is another build by now");
        json_array_append_new(misfits, json_string(line));
    }
}

/* A run that stops when it knows enough has judged by its margin already. */
static void check_margin(json_t *misfits, const json_t *was, const json_t *is) {
    const json_t *before = json_object_get(was, "margin");
    const json_t *now = json_object_get(is, "margin");
    if (json_object_get(was, "looks") && !same(before, now))
        add(misfits, "--margin", before, now);
}

json_t *hm_resume_misfits(const json_t *was, const json_t *is) {
    json_t *misfits = json_array();
    for (size_t i = 0; misfits && i < sizeof facts / sizeof *facts; i++) {
        const struct fact *f = &facts[i];
        const json_t *before =
            json_object_get(f->object ? json_object_get(was, f->object) : was, f->key);
        const json_t *now =
            json_object_get(f->object ? json_object_get(is, f->object) : is, f->key);
        if (!same(before, now))
            add(misfits, f->what, before, now);
    }
    for (size_t i = 0; misfits && i < sizeof lists / sizeof *lists; i++)
        check_list(misfits, &lists[i], was, is);
    if (misfits) {
        check_margin(misfits, was, is);
        check_images(misfits, was, is);
    }
    return misfits;
}
