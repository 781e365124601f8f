#include "traces/example.h"
#include "traces/objects_file.h"

#include <errno.h>
#include <string.h>

enum {
    TEXT_MAX = 1024,
    SIZE_MAX_BYTES = INT32_MAX,
};

/* What is left of the payload, and the first thing that was wrong with it. */
struct source {
    const uint8_t *at;
    const uint8_t *end;
    const char *wrong;
};

static void refuse(struct source *source, const char *what) {
    if (!source->wrong)
        source->wrong = what;
    source->at = source->end;
}

static size_t left(const struct source *source) {
    return (size_t)(source->end - source->at);
}

/* Seven bits a byte, the lowest first. @return a number of at most `max`; 0 if that was wrong */
static uint64_t take_number(struct source *source, uint64_t max) {
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
        if (source->at == source->end) {
            refuse(source, "it ends too early");
            return 0;
        }
        uint8_t byte = *source->at++;
        number |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            if (number <= max)
                return number;
            break;
        }
    }
    refuse(source, "a number is too large");
    return 0;
}

static struct hm_objects_text take_text(struct source *source) {
    struct hm_objects_text text = {.length = (uint32_t)take_number(source, TEXT_MAX)};
    text.at = (const char *)source->at;
    if (text.length > left(source)) {
        refuse(source, "it ends too early");
        return (struct hm_objects_text){"", 0};
    }
    for (uint32_t i = 0; i < text.length; i++)
        if (source->at[i] < ' ' || source->at[i] == 0x7f)
            refuse(source, "a text has control characters");
    if (!source->wrong)
        source->at += text.length;
    return text;
}

/* A count of things that take at least so many bytes each. */
static uint32_t take_count(struct source *source, size_t bytes_each) {
    uint64_t count = take_number(source, UINT32_MAX - 1);
    if (count * bytes_each > left(source)) {
        refuse(source, "it has not as many things as it says");
        return 0;
    }
    return (uint32_t)count;
}

static void take_facts(struct source *source, struct hm_objects *objects) {
    objects->command = take_text(source);
    objects->python = take_text(source);
    objects->machine = take_text(source);
    objects->started_utc = (int64_t)take_number(source, (uint64_t)1 << 40);
    objects->collect_ns = take_number(source, (uint64_t)1 << 50);
    objects->garbage = take_number(source, UINT32_MAX);
    objects->types = take_count(source, 1);
    objects->count = take_count(source, 2);
    objects->containers = (uint32_t)take_number(source, objects->count);
    objects->slots = take_count(source, 1);
    objects->roots = (uint32_t)take_number(source, objects->containers);
    if (objects->types + 2 * (uint64_t)objects->count + objects->containers + objects->slots +
            objects->roots >
        left(source))
        refuse(source, "it has not as many things as it says");
}

/* The arrays, in one mapping with what they belong to and the payload, which has the texts. */
struct arrays {
    struct hm_objects *objects;
    struct hm_objects_text *type_names;
    struct hm_objects_node *nodes;
    uint32_t *targets;
    uint32_t *roots;
    uint32_t *todo;   /* for each object */
    uint8_t *reached; /* for each object */
};

static void take_types(struct source *source, const struct arrays *arrays) {
    for (uint32_t i = 0; i < arrays->objects->types; i++)
        arrays->type_names[i] = take_text(source);
}

static void take_nodes(struct source *source, const struct arrays *arrays) {
    const struct hm_objects *objects = arrays->objects;
    uint64_t first = 0;
    for (uint32_t i = 0; i < objects->count; i++) {
        struct hm_objects_node *node = &arrays->nodes[i];
        if (objects->types == 0)
            return refuse(source, "it has objects, and no types");
        node->type = (uint32_t)take_number(source, objects->types - 1);
        node->bytes = (uint32_t)take_number(source, SIZE_MAX_BYTES);
        node->first = (uint32_t)first;
        first += i < objects->containers ? take_number(source, objects->slots - first) : 0;
    }
    arrays->nodes[objects->count].first = (uint32_t)first;
    if (first != objects->slots)
        refuse(source, "its slots are not as many as it says");
}

/* As a distance from the object that refers to it. */
static void take_targets(struct source *source, const struct arrays *arrays) {
    const struct hm_objects *objects = arrays->objects;
    for (uint32_t i = 0; i < objects->containers; i++)
        for (uint32_t j = arrays->nodes[i].first; j < arrays->nodes[i + 1].first; j++) {
            uint64_t coded = take_number(source, 2 * (uint64_t)UINT32_MAX);
            uint64_t steps = (coded + 1) / 2;
            if (coded % 2 ? steps > i : steps >= objects->count - i)
                return refuse(source, "a reference leads to no object");
            arrays->targets[j] = coded % 2 ? i - (uint32_t)steps : i + (uint32_t)steps;
        }
}

static void take_roots(struct source *source, const struct arrays *arrays) {
    uint64_t next = 0;
    for (uint32_t i = 0; i < arrays->objects->roots; i++) {
        next += take_number(source, UINT32_MAX);
        if (next >= arrays->objects->containers)
            return refuse(source, "a root is no container");
        arrays->roots[i] = (uint32_t)next++;
    }
}

/* @return how many objects were reached for the first time */
static uint32_t reach(const struct arrays *arrays, uint32_t number, uint32_t found) {
    if (!arrays->reached[number]) {
        arrays->reached[number] = 1;
        arrays->todo[found++] = number;
    }
    return found;
}

static void check_reached(struct source *source, const struct arrays *arrays) {
    const struct hm_objects *objects = arrays->objects;
    uint32_t found = 0;
    for (uint32_t i = 0; i < objects->roots; i++)
        found = reach(arrays, arrays->roots[i], found);
    for (uint32_t i = 0; i < found; i++) {
        const struct hm_objects_node *node = &arrays->nodes[arrays->todo[i]];
        for (uint32_t j = node->first; j < node[1].first; j++)
            found = reach(arrays, arrays->targets[j], found);
    }
    if (found != objects->count)
        refuse(source, "an object can not be reached from a root");
}

static void take_graph(struct source *source, const struct arrays *arrays) {
    take_types(source, arrays);
    if (!source->wrong)
        take_nodes(source, arrays);
    if (!source->wrong)
        take_targets(source, arrays);
    if (!source->wrong)
        take_roots(source, arrays);
    if (!source->wrong && left(source))
        refuse(source, "something follows behind its end");
    if (!source->wrong)
        check_reached(source, arrays);
}

/* @return false: no memory. All counts have been checked against the length of the payload. */
static bool map_arrays(struct arrays *arrays, const struct hm_objects *facts,
                       const struct hm_objects_bytes *payload) {
    struct hm_objects_bytes map;
    size_t nodes = (size_t)facts->count + 1;
    size_t bytes = sizeof(struct hm_objects) + facts->types * sizeof *arrays->type_names +
                   nodes * sizeof *arrays->nodes +
                   ((size_t)facts->slots + facts->roots + facts->count) * sizeof(uint32_t) +
                   facts->count + payload->count;
    if (!hm_objects_map(&map, bytes))
        return false;
    arrays->objects = (struct hm_objects *)(void *)map.at;
    arrays->type_names = (struct hm_objects_text *)(arrays->objects + 1);
    arrays->nodes = (struct hm_objects_node *)(arrays->type_names + facts->types);
    arrays->targets = (uint32_t *)(arrays->nodes + nodes);
    arrays->roots = arrays->targets + facts->slots;
    arrays->todo = arrays->roots + facts->roots;
    arrays->reached = (uint8_t *)(arrays->todo + facts->count);
    memcpy(arrays->reached + facts->count, payload->at, payload->count);
    *arrays->objects = *facts;
    arrays->objects->type_names = arrays->type_names;
    arrays->objects->nodes = arrays->nodes;
    arrays->objects->targets = arrays->targets;
    arrays->objects->root_numbers = arrays->roots;
    arrays->objects->mapped_bytes = map.mapped_bytes;
    return true;
}

/* @return 0, ENOMEM, or EINVAL and *wrong */
static int decode(const struct hm_objects_bytes *payload, const struct hm_objects **out,
                  const char **wrong) {
    struct hm_objects facts = {0};
    struct arrays arrays;
    struct source source = {payload->at, payload->at + payload->count, NULL};
    take_facts(&source, &facts);
    *wrong = source.wrong;
    if (source.wrong)
        return EINVAL;
    if (!map_arrays(&arrays, &facts, payload))
        return ENOMEM;
    const uint8_t *copy = arrays.reached + facts.count;
    source = (struct source){copy, copy + payload->count, NULL};
    take_facts(&source, &facts); /* again, for texts in the copy */
    arrays.objects->command = facts.command;
    arrays.objects->python = facts.python;
    arrays.objects->machine = facts.machine;
    take_graph(&source, &arrays);
    *wrong = source.wrong;
    if (source.wrong)
        hm_objects_close(arrays.objects);
    else
        *out = arrays.objects;
    return source.wrong ? EINVAL : 0;
}

int hm_objects_open(const char *file, const struct hm_objects **out,
                    char why[HM_OBJECTS_WHY_BYTES]) {
    char room[PATH_MAX];
    const char *path = hm_example_path(file, "objects", ".hmobjects", room);
    struct hm_objects_bytes payload = {0};
    const char *wrong = NULL;
    int bad = hm_objects_read(path, &payload, why);
    if (bad)
        return bad;
    bad = decode(&payload, out, &wrong);
    hm_objects_unmap(&payload);
    return bad ? hm_objects_fail(why, bad, path, "%s", wrong ? wrong : "no memory to read it") : 0;
}

void hm_objects_close(const struct hm_objects *objects) {
    struct hm_objects_bytes map = {0};
    if (!objects)
        return;
    map.mapped_bytes = objects->mapped_bytes;
    map.at = (uint8_t *)(uintptr_t)objects;
    hm_objects_unmap(&map);
}

int hm_objects_pack(const char *from, const char *to, char why[HM_OBJECTS_WHY_BYTES]) {
    struct hm_objects_bytes payload = {0};
    const struct hm_objects *objects = NULL;
    const char *wrong = NULL;
    int bad = hm_objects_read(from, &payload, why);
    if (bad)
        return bad;
    bad = decode(&payload, &objects, &wrong);
    hm_objects_close(objects);
    if (bad)
        hm_objects_say(why, from, "%s", wrong ? wrong : "no memory to read it");
    else
        bad = hm_objects_write(to, &payload, why);
    hm_objects_unmap(&payload);
    return bad;
}

/* By a count of the references to each object, and a list of those that have none. */
int hm_objects_left(const struct hm_objects *objects, uint32_t *containers, uint32_t *all) {
    struct hm_objects_bytes map;
    if (!hm_objects_map(&map, 2 * (size_t)objects->count * sizeof(uint32_t)))
        return ENOMEM;
    uint32_t *counts = (uint32_t *)(void *)map.at;
    uint32_t *dead = counts + objects->count;
    uint32_t found = 0;
    for (uint32_t j = 0; j < objects->slots; j++)
        counts[objects->targets[j]]++;
    for (uint32_t i = 0; i < objects->containers; i++)
        if (counts[i] == 0)
            dead[found++] = i;
    *containers = objects->containers;
    for (uint32_t i = 0; i < found; i++) {
        const struct hm_objects_node *node = &objects->nodes[dead[i]];
        *containers -= dead[i] < objects->containers;
        for (uint32_t j = node->first; j < node[1].first; j++)
            if (--counts[objects->targets[j]] == 0)
                dead[found++] = objects->targets[j];
    }
    *all = objects->count - found;
    hm_objects_unmap(&map);
    return 0;
}
