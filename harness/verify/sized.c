/* The sized frees that a library exports, and the property sized-free. */
#include "harness/verify/sized.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A function of the library itself, and not of something that it is linked with. */
static void *exported(const struct hm_verify *v, const char *name) {
    Dl_info info;
    char path[PATH_MAX];
    void *address = dlsym(RTLD_DEFAULT, name);
    if (!address || !v->library[0] || !dladdr(address, &info) || !info.dli_fname ||
        !realpath(info.dli_fname, path) || strcmp(path, v->library) != 0)
        return NULL;
    return address;
}

size_t hm_sized_frees(const struct hm_verify *v, struct hm_sized *out) {
    void *new = exported(v, "_Znwm");
    const struct hm_sized all[] = {
        {"free_sized", exported(v, "free_sized"), malloc},
        {"sdallocx", exported(v, "sdallocx"), malloc},
        {"sized delete", new ? exported(v, "_ZdlPvm") : NULL, (void *(*)(size_t)) new}};
    size_t found = 0;
    for (size_t i = 0; v->is_process && i < sizeof all / sizeof *all; i++)
        if (all[i].address)
            out[found++] = all[i];
    return found;
}

void hm_sized_free(const struct hm_sized *sized, void *p, size_t size) {
    if (strcmp(sized->name, "sdallocx") == 0)
        ((void (*)(void *, size_t, int))sized->address)(p, size, 0);
    else
        ((void (*)(void *, size_t))sized->address)(p, size);
}

static void check_one_sized(struct hm_verify *v, const struct hm_sized *sized) {
    enum {
        BLOCKS = 512,
    };
    struct hm_shadow s;
    struct hm_error error = {""};
    hm_verify_shadow(v, &s, BLOCKS);
    for (int pass = 0; pass < 6; pass++) {
        hm_verify_at(v, "%s, pass %d", sized->name, pass);
        for (uint32_t id = pass & 1; id < BLOCKS; id++) {
            size_t size = id < 256 ? 1 + id * 4 : (size_t)id * 40;
            hm_verify_take(v, &s, id, hm_verify_need(v, sized->allocate(size), "malloc", size),
                           size, 1);
        }
        for (uint32_t id = pass & 1; id < BLOCKS; id++) {
            struct hm_shadow_block was;
            hm_verify_try(v, hm_shadow_drop(&s, id, &was, &error), &error);
            hm_sized_free(sized, was.begin, was.bytes);
        }
    }
    hm_shadow_close(&s);
}

static void check_sized_free(struct hm_verify *v) {
    struct hm_sized all[HM_SIZED_MAX];
    char names[sizeof v->board->line] = "";
    size_t found = hm_sized_frees(v, all);
    for (size_t i = 0; i < found; i++) {
        check_one_sized(v, &all[i]);
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "",
                 all[i].name);
    }
    if (!found)
        hm_verify_unsupported(v, "it exports no sized free");
    hm_verify_note(v, "%s", names);
}

static const struct hm_property sized_free = {
    .name = "sized-free",
    .summary = "free_sized, sdallocx and C++'s sized delete take back what was handed out",
    .point = 16,
    .threads = 1,
    .run = check_sized_free,
};
HM_REGISTER(hm_property, sized_free);
