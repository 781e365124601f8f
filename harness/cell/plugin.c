/* Loads a plug-in. */
#include "harness/cell/plugin.h"

#include "harness/plan/registry.h"

#include <dlfcn.h>
#include <errno.h>

/* A descriptor whose ABI is another one has its members elsewhere: that number is read first. */
static int check(const char *path, const struct hm_allocator *plugin, struct hm_error *error) {
    if (plugin->abi != HM_ALLOCATOR_ABI)
        return hm_fail(error, EINVAL, "%s: is a plug-in of ABI %d, and this is %d", path,
                       plugin->abi, HM_ALLOCATOR_ABI);
    if (!plugin->name || !plugin->open)
        return hm_fail(error, EINVAL, "%s: its hm_plugin has no name, or no open", path);
    if (plugin->library)
        return hm_fail(error, EINVAL, "%s: a plug-in can not ask for a library to be preloaded",
                       path);
    return 0;
}

int hm_plugin_load(const char *path, struct hm_error *error) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct hm_allocator *plugin = library ? dlsym(library, "hm_plugin") : NULL;
    if (!plugin)
        return hm_fail(error, EINVAL, "%s", dlerror());
    int bad = check(path, plugin, error);
    if (!bad)
        hm_allocator_plug(plugin);
    return bad;
}
