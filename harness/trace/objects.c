/* heapmark trace objects: what is in a recorded object graph. */
#include "traces/objects.h"
#include "harness/cli/command.h"
#include "harness/trace/verb.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "usage: heapmark trace objects FILE [--format table|json]\n\n"
    "What is in an object graph that heapmark record --objects has left: how many\n"
    "containers, references and roots, of which types, and how much of it reference\n"
    "counts alone would not free.\n";

enum {
    TYPES_SHOWN = 10,
};

struct tally {
    struct hm_objects_text name;
    uint64_t containers, leaves, slots, bytes;
};

struct content {
    const struct hm_objects *objects;
    uint32_t left_containers, left_objects;
    uint64_t bytes;
    struct tally *types; /* the most numerous first */
    char date[32];
};

/* ---- Counting ---- */

static int by_number(const void *a, const void *b) {
    const struct tally *x = a;
    const struct tally *y = b;
    uint64_t more = x->containers + x->leaves;
    uint64_t than = y->containers + y->leaves;
    if (more != than)
        return more > than ? -1 : 1;
    return x->name.at < y->name.at ? -1 : x->name.at > y->name.at;
}

static void count_types(struct content *content) {
    const struct hm_objects *objects = content->objects;
    for (uint32_t i = 0; i < objects->types; i++)
        content->types[i].name = objects->type_names[i];
    for (uint32_t i = 0; i < objects->count; i++) {
        struct tally *type = &content->types[objects->nodes[i].type];
        type->containers += i < objects->containers;
        type->leaves += i >= objects->containers;
        type->slots += objects->nodes[i + 1].first - objects->nodes[i].first;
        type->bytes += objects->nodes[i].bytes;
        content->bytes += objects->nodes[i].bytes;
    }
    if (objects->types)
        qsort(content->types, objects->types, sizeof *content->types, by_number);
}

/* @return 0 or ENOMEM */
static int look(struct content *content) {
    time_t started = (time_t)content->objects->started_utc;
    struct tm parts;
    gmtime_r(&started, &parts);
    strftime(content->date, sizeof content->date, "%Y-%m-%dT%H:%M:%SZ", &parts);
    content->types = calloc((size_t)content->objects->types + 1, sizeof *content->types);
    if (!content->types ||
        hm_objects_left(content->objects, &content->left_containers, &content->left_objects))
        return ENOMEM;
    count_types(content);
    return 0;
}

/* ---- Showing ---- */

static void put_table(const struct content *content) {
    const struct hm_objects *o = content->objects;
    printf("program      %.*s\n", (int)o->command.length, o->command.at);
    printf("recorded     %s, %.*s, %.*s\n", content->date, (int)o->python.length, o->python.at,
           (int)o->machine.length, o->machine.at);
    printf("containers   %" PRIu32 ", of which %" PRIu32 " would not die of their counts\n",
           o->containers, content->left_containers);
    printf("leaves       %" PRIu32 "\n", o->count - o->containers);
    printf("references   %" PRIu32 "\n", o->slots);
    printf("roots        %" PRIu32 "\n", o->roots);
    printf("bytes        %" PRIu64 "\n", content->bytes);
    if (o->garbage)
        printf("left out     %" PRIu64 " containers that were garbage\n", o->garbage);
    if (o->collect_ns)
        printf("collection   %.3f ms for a full one, there\n", (double)o->collect_ns / 1e6);
    printf("\n%-34s %10s %8s %11s %11s\n", "type", "containers", "leaves", "references", "bytes");
    for (uint32_t i = 0; i < o->types && i < TYPES_SHOWN; i++) {
        const struct tally *type = &content->types[i];
        printf("%-34.*s %10" PRIu64 " %8" PRIu64 " %11" PRIu64 " %11" PRIu64 "\n",
               type->name.length < 34 ? (int)type->name.length : 34, type->name.at,
               type->containers, type->leaves, type->slots, type->bytes);
    }
    if (o->types > TYPES_SHOWN)
        printf("and %" PRIu32 " more types\n", o->types - TYPES_SHOWN);
}

static json_t *json_of_text(struct hm_objects_text text) {
    json_t *json = json_stringn(text.at, text.length);
    return json ? json : json_string("?"); /* not UTF-8 */
}

static void put_number(json_t *json, const char *name, uint64_t number) {
    json_object_set_new(json, name, json_integer((json_int_t)number));
}

static json_t *json_of_types(const struct content *content) {
    json_t *types = json_array();
    for (uint32_t i = 0; i < content->objects->types; i++) {
        json_t *type = json_object();
        json_object_set_new(type, "name", json_of_text(content->types[i].name));
        put_number(type, "containers", content->types[i].containers);
        put_number(type, "leaves", content->types[i].leaves);
        put_number(type, "references", content->types[i].slots);
        put_number(type, "bytes", content->types[i].bytes);
        json_array_append_new(types, type);
    }
    return types;
}

static void put_json(const struct content *content) {
    const struct hm_objects *o = content->objects;
    json_t *json = json_object();
    json_object_set_new(json, "command", json_of_text(o->command));
    json_object_set_new(json, "python", json_of_text(o->python));
    json_object_set_new(json, "machine", json_of_text(o->machine));
    json_object_set_new(json, "recorded_utc", json_string(content->date));
    put_number(json, "containers", o->containers);
    put_number(json, "left_containers", content->left_containers);
    put_number(json, "leaves", o->count - o->containers);
    put_number(json, "references", o->slots);
    put_number(json, "roots", o->roots);
    put_number(json, "bytes", content->bytes);
    put_number(json, "garbage", o->garbage);
    json_object_set_new(json, "collect_ns",
                        o->collect_ns ? json_integer((json_int_t)o->collect_ns) : json_null());
    json_object_set_new(json, "types", json_of_types(content));
    json_dumpf(json, stdout, JSON_INDENT(1));
    putchar('\n');
    json_decref(json);
}

/* ---- The verb ---- */

static int refuse(const char *line) {
    fprintf(stderr, "heapmark trace objects: %s\n", line);
    return HM_EXIT_USAGE;
}

static int show(const char *path, bool as_json) {
    char why[HM_OBJECTS_WHY_BYTES];
    struct content content = {0};
    int bad = hm_objects_open(path, &content.objects, why);
    if (bad) {
        refuse(why);
        return bad == ENOMEM ? HM_EXIT_FAILED : HM_EXIT_USAGE;
    }
    bad = look(&content);
    if (bad)
        refuse("out of memory");
    else if (as_json)
        put_json(&content);
    else
        put_table(&content);
    free(content.types);
    hm_objects_close(content.objects);
    return bad ? HM_EXIT_FAILED : HM_EXIT_OK;
}

static int run(int argc, char **argv) {
    const char *path = NULL;
    const char *format = "table";
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--format=", 9) == 0)
            format = argv[i] + 9;
        else if (strcmp(argv[i], "--format") == 0)
            format = i + 1 < argc ? argv[++i] : "";
        else if (argv[i][0] == '-' || path)
            return refuse("wrong usage; see 'heapmark trace objects --help'");
        else
            path = argv[i];
    }
    if (!path)
        return refuse("which file? see 'heapmark trace objects --help'");
    if (strcmp(format, "table") != 0 && strcmp(format, "json") != 0)
        return refuse("--format: must be table or json");
    return show(path, strcmp(format, "json") == 0);
}

static const struct hm_trace_verb objects = {
    .name = "objects", .summary = "what is in a recorded object graph", .usage = usage, .run = run};
HM_REGISTER(hm_trace_verb, objects);
