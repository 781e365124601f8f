/* The part of a plan that is of whole programs: their groups, and allocators that can be put under them. */
#include "harness/plan/arm.h"
#include "harness/plan/build.h"

#include "harness/machine/elf.h"
#include "harness/machine/preload.h"

#include <errno.h>
#include <string.h>

/* In the place of a workload's descriptor. It is registered nowhere: no cell of `run` can be of it. */
static const struct hm_workload whole_program = {
    .name = "exec",
    .summary = "a program that is measured as a whole",
    .origin = "the command",
    .op = "run of the command",
    .kind = HM_WORKLOAD_PROGRAM,
};

static bool is_spec(const struct hm_arm *arm, const char *const *parts) {
    const struct hm_allocator_spec *spec = &arm->spec;
    unsigned i = 0;
    while (i < spec->count && parts[i] && strcmp(spec->parts[i]->name, parts[i]) == 0)
        i++;
    return i == spec->count && !parts[i] && !strchr(spec->text, ':');
}

/* Our own allocators have a library each, with fixed parameters (docs/preload.md). */
static const char *own_library(const struct hm_arm *arm) {
    static const struct {
        const char *name;
        const char *parts[3];
    } all[] = {{"pool", {"pool"}}, {"debug", {"debug", "pool"}}, {"traced", {"traced", "pool"}}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (is_spec(arm, all[i].parts))
            return all[i].name;
    return NULL;
}

static int take_own(struct hm_arm *arm, const char *name, struct hm_error *error) {
    struct hm_elf elf;
    if (hm_preload_find(name, arm->library, sizeof arm->library))
        return hm_fail(error, EINVAL, "%s: libheapmark-%s.so is not installed", arm->label, name);
    if (hm_elf_inspect(arm->library, &elf, error))
        return EINVAL;
    snprintf(arm->build_id, sizeof arm->build_id, "%s", elf.build_id);
    return 0;
}

int hm_arm_for_programs(struct hm_arm *arm, struct hm_error *error) {
    static const char *const system[] = {"system", NULL};
    const char *own = own_library(arm);
    if (own)
        return take_own(arm, own, error);
    if (arm->plugin && !hm_elf_exports(arm->library, "malloc"))
        return hm_fail(error, EINVAL, "%s: a plug-in without malloc can not be put under a program",
                       arm->label);
    arm->plugin = false;
    if (arm->spec.count > 1 || !(arm->library[0] || arm->missing[0] || is_spec(arm, system)))
        return hm_fail(error, EINVAL,
                       "%s: has no library that can be put under a program; there are system, "
                       "jemalloc, mimalloc, tcmalloc, tbbmalloc, scudo, pool, debug+pool, "
                       "traced+pool, and any library by its path",
                       arm->label);
    return strpbrk(arm->library, " :")
               ? hm_fail(error, EINVAL, "%s: the loader takes no blank and no : in a path",
                         arm->library)
               : 0;
}

static int add_cells(struct hm_builder *b, struct hm_group *group, const struct hm_lists *l) {
    struct hm_arm *again;
    int bad = 0;
    for (size_t a = 0; !bad && a < l->arm_count; a++)
        bad = hm_build_cell(b, group, l->arms[a], NULL, group->first);
    if (!bad)
        bad = hm_build_again(b, l->arms[0], &again);
    return bad ? bad : hm_build_cell(b, group, again, NULL, group->first);
}

static int add_group(struct hm_builder *b, const struct hm_lists *l,
                     const struct hm_program *program) {
    struct hm_plan *plan = b->plan;
    struct hm_workload_arm *workload =
        hm_build_append(&plan->workloads, &plan->workload_count, sizeof *workload);
    struct hm_group *group =
        workload ? hm_build_append(&plan->groups, &plan->group_count, sizeof *group) : NULL;
    if (!group)
        return hm_build_out_of_memory(b);
    snprintf(workload->label, sizeof workload->label, "exec:%s", program->name);
    snprintf(workload->spec.text, sizeof workload->spec.text, "exec:%s", program->name);
    workload->spec.part = &whole_program;
    group->workload = workload;
    group->program = program;
    group->threads = 1; /* that we place: the first one */
    group->first = plan->cell_count;
    int bad = hm_build_place(b, group);
    return bad ? bad : add_cells(b, group, l);
}

int hm_build_programs(struct hm_builder *b, const struct hm_lists *l) {
    const struct hm_programs *all = b->request->programs;
    int bad = 0;
    b->plan->space_pass = false;
    b->plan->warmup_pass = false;
    for (size_t i = 0; !bad && i < all->count; i++)
        bad = add_group(b, l, &all->at[i]);
    return bad;
}
