/* The code that a run has measured. */
#include "harness/results/images.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHOWN = 12, /* digits of an id in a message */
};

/* @param id "": any
 * @return its index, or the count */
static size_t find(const struct hm_images *images, const char *path, const char *id) {
    size_t i = 0;
    while (i < images->count &&
           (strcmp(images->at[i].path, path) != 0 || (id[0] && strcmp(images->at[i].id, id) != 0)))
        i++;
    return i;
}

static int append(struct hm_images *images, const struct hm_image *image) {
    struct hm_image *grown = realloc(images->at, (images->count + 1) * sizeof *grown);
    if (!grown)
        return ENOMEM;
    images->at = grown;
    images->at[images->count++] = *image;
    return 0;
}

static int note_at(struct hm_cell *cell, size_t index) {
    for (size_t i = 0; i < cell->image_count; i++)
        if (cell->images[i] == index)
            return 0;
    size_t *grown = realloc(cell->images, (cell->image_count + 1) * sizeof *grown);
    if (!grown)
        return ENOMEM;
    cell->images = grown;
    size_t at = cell->image_count++; /* they ascend */
    for (; at && grown[at - 1] > index; at--)
        grown[at] = grown[at - 1];
    grown[at] = index;
    return 0;
}

/* What the process had mapped counts; the file is only looked at for what has no build id, and for its size. */
static int add(struct hm_images *images, struct hm_cell *cell, const char *path, const char *id,
               struct hm_error *error) {
    struct hm_image image = {.bytes = 0};
    hm_image_of(path, &image);
    snprintf(image.path, sizeof image.path, "%s", path);
    if (id[0])
        snprintf(image.id, sizeof image.id, "%s", id);
    size_t index = find(images, path, image.id);
    size_t before = find(images, path, "");
    if (index == images->count && before < images->count && !images->may_change)
        return hm_fail(error, ESTALE, "%s changed while the run measured: it was %.*s and is %.*s",
                       path, SHOWN, images->at[before].id, SHOWN, image.id);
    if (index == images->count && append(images, &image))
        return hm_fail(error, ENOMEM, "out of memory");
    return note_at(cell, index) ? hm_fail(error, ENOMEM, "out of memory") : 0;
}

/* As most processes map what others did, a line that is known needs no look at the file. */
static int add_line(struct hm_images *images, struct hm_cell *cell, const char *id,
                    const char *path, struct hm_error *error) {
    bool none = strcmp(id, "-") == 0;
    size_t index = find(images, path, none ? "" : id);
    if (index < images->count && !images->may_change)
        return note_at(cell, index) ? hm_fail(error, ENOMEM, "out of memory") : 0;
    return add(images, cell, path, none ? "" : id, error);
}

int hm_images_add(struct hm_images *images, struct hm_cell *cell, const char *lines,
                  struct hm_error *error) {
    char *copy = strdup(lines ? lines : "");
    char *at = copy;
    int bad = copy ? 0 : hm_fail(error, ENOMEM, "out of memory");
    for (char *line; !bad && (line = strsep(&at, "\n"));) {
        char *path = strchr(line, ' ');
        if (!path)
            continue;
        *path++ = '\0';
        bad = add_line(images, cell, line, path, error);
    }
    free(copy);
    return bad;
}

static int recall_cell(const json_t *json, struct hm_cell *cell, size_t count) {
    const char *text = json_string_value(json_object_get(json, "images"));
    int bad = 0;
    for (char *end; text && *text && !bad; text = *end == ',' ? end + 1 : "") {
        size_t first = strtoul(text, &end, 10);
        if (end == text)
            break;
        size_t last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
        for (size_t i = first; !bad && i <= last && i < count; i++)
            bad = note_at(cell, i);
    }
    return bad;
}

int hm_images_recall(struct hm_images *images, const json_t *run, struct hm_plan *plan) {
    size_t i;
    json_t *one;
    const json_t *cells = json_object_get(run, "cells");
    int bad = 0;
    json_array_foreach(json_object_get(run, "images"), i, one) {
        struct hm_image image = {.bytes = 0};
        const char *path = json_string_value(json_object_get(one, "path"));
        const char *id = json_string_value(json_object_get(one, "id"));
        snprintf(image.path, sizeof image.path, "%s", path ? path : "");
        snprintf(image.id, sizeof image.id, "%s", id ? id : "");
        image.bytes = json_integer_value(json_object_get(one, "bytes"));
        bad = bad ? bad : append(images, &image);
    }
    for (size_t c = 0; !bad && c < plan->cell_count; c++)
        bad = recall_cell(json_array_get(cells, c), &plan->cells[c], images->count);
    return bad;
}

json_t *hm_images_json(const struct hm_images *images) {
    json_t *all = json_array();
    for (size_t i = 0; images && i < images->count; i++)
        json_array_append_new(all, json_pack("{s:s, s:s, s:I}", "path", images->at[i].path, "id",
                                             images->at[i].id, "bytes",
                                             (json_int_t)images->at[i].bytes));
    return all;
}

json_t *hm_cell_images_json(const struct hm_cell *cell) {
    char text[1024] = "";
    size_t used = 0;
    size_t last;
    for (size_t i = 0; i < cell->image_count && used < sizeof text; i = last + 1) {
        for (last = i;
             last + 1 < cell->image_count && cell->images[last + 1] == cell->images[last] + 1;)
            last++;
        used += (size_t)snprintf(text + used, sizeof text - used, last > i ? "%s%zu-%zu" : "%s%zu",
                                 i ? "," : "", cell->images[i], cell->images[last]);
    }
    return json_string(text);
}

void hm_images_free(struct hm_images *images) {
    free(images->at);
    *images = (struct hm_images){.count = 0};
}
