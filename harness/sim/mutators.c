/* Finds the mutator's operations of a collector, linked in or loaded from a plug-in. */
#include "harness/sim/mutators.h"

#include "harness/plan/registry.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

extern const struct hm_sim_mutator *const __start_hm_sim_mutator_parts[] __attribute__((weak));
extern const struct hm_sim_mutator *const __stop_hm_sim_mutator_parts[] __attribute__((weak));

static const struct hm_collector_plugin *plugged;

const struct hm_sim_mutator *hm_sim_mutator_find(const struct hm_collector *collector) {
    if (plugged && plugged->collector == collector)
        return plugged->mutator;
    for (const struct hm_sim_mutator *const *at = __start_hm_sim_mutator_parts;
         at < __stop_hm_sim_mutator_parts; at++)
        if (strcmp((*at)->collector, collector->name) == 0)
            return *at;
    return NULL;
}

static bool is_whole(const struct hm_collector_plugin *plugin) {
    const struct hm_collector *c = plugin->collector;
    const struct hm_sim_mutator *m = plugin->mutator;
    return c && m && c->name && c->open && c->close && c->attach && c->detach && c->stats &&
           m->new && m->store && m->retain && m->release && m->root && m->unroot && m->collect &&
           m->weak_new && m->weak_get && m->init_store && m->load && m->length && m->payload;
}

/* A descriptor whose ABI is another one has its members elsewhere: that number is read first. */
static int check(const char *path, const struct hm_collector_plugin *plugin,
                 struct hm_error *error) {
    if (plugin->abi != HM_COLLECTOR_ABI)
        return hm_fail(error, EINVAL, "%s: is a collector's plug-in of ABI %d, and this is %d",
                       path, plugin->abi, HM_COLLECTOR_ABI);
    if (!is_whole(plugin))
        return hm_fail(error, EINVAL, "%s: its hm_collector_plugin lacks a function", path);
    return 0;
}

int hm_collector_plugin_load(const char *text, struct hm_error *error) {
    char path[PATH_MAX + 1], real[PATH_MAX];
    snprintf(path, sizeof path, "%.*s", (int)strcspn(text, ":"), text);
    if (!realpath(path, real))
        return hm_fail(error, EINVAL, "%s: %s", path, strerror(errno));
    void *library = dlopen(real, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return hm_fail(error, EINVAL, "%s", dlerror());
    const struct hm_collector_plugin *plugin = dlsym(library, "hm_collector_plugin");
    if (!plugin)
        return hm_fail(error, EINVAL, "%s: exports no hm_collector_plugin", path);
    int bad = check(path, plugin, error);
    if (bad)
        return bad;
    plugged = plugin;
    hm_collector_plug(plugin->collector);
    return 0;
}
