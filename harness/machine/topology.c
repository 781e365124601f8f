/* The cores of the machine, by hwloc; no other file includes it.
 *
 * Invariants
 *   machine   holds the PUs that this process may use, and no others
 *   first     a copy of machine with only the first PU of each core. hwloc_distrib shares out by
 *             the number of PUs, so where cores differ in it (taskset, hybrid processors) it
 *             would put two threads on one core and leave another one idle
 *   in_order  OS indices in hwloc's logical order, in which siblings are neighbours
 *   by_core   the same ones: the first PUs of all cores, then the second ones, and so on */
#include "harness/machine/topology.h"

#include <errno.h>
#include <hwloc.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct hm_topology {
    hwloc_topology_t machine;
    hwloc_topology_t first;
    int *in_order;
    int *by_core;
    unsigned core_count;
    unsigned pu_count;
};

static const char *const pin_names[] = {[HM_PIN_CORE] = "core",
                                        [HM_PIN_SMT] = "smt",
                                        [HM_PIN_SPREAD] = "spread",
                                        [HM_PIN_NONE] = "none"};

const char *hm_pin_name(enum hm_pin pin) {
    return pin_names[pin];
}

int hm_pin_parse(const char *name, enum hm_pin *out) {
    for (size_t i = 0; i < sizeof pin_names / sizeof *pin_names; i++)
        if (strcmp(name, pin_names[i]) == 0) {
            *out = (enum hm_pin)i;
            return 0;
        }
    return EINVAL;
}

/* hwloc gives the real machine, silently, where it can not read what the environment names. */
static int check_source(hwloc_topology_t machine, struct hm_error *error) {
    static const char *const variables[] = {"HWLOC_SYNTHETIC", "HWLOC_XMLFILE"};
    if (!hwloc_topology_is_thissystem(machine) || getenv("HWLOC_THISSYSTEM"))
        return 0;
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *value = getenv(variables[i]);
        if (value && *value)
            return hm_fail(error, EINVAL, "%s='%s' is no topology that hwloc can read",
                           variables[i], value);
    }
    return 0;
}

static int load_machine(hwloc_topology_t *out, struct hm_error *error) {
    const unsigned long flags =
        HWLOC_TOPOLOGY_FLAG_IS_THISSYSTEM | HWLOC_TOPOLOGY_FLAG_RESTRICT_TO_CPUBINDING;
    if (hwloc_topology_init(out))
        return hm_fail(error, ENOMEM, "can not read the machine's topology: out of memory");
    if (hwloc_topology_set_flags(*out, flags) || hwloc_topology_load(*out)) {
        int bad = errno ? errno : EIO;
        hwloc_topology_destroy(*out);
        *out = NULL;
        return hm_fail(error, bad, "can not read the machine's topology: %s", strerror(bad));
    }
    return check_source(*out, error);
}

/* @return ranks[i], the place among the PUs of its core of the PU that is i-th in order; NULL when
 * memory is out. */
static unsigned *rank_pus(struct hm_topology *t) {
    unsigned *ranks = calloc(t->pu_count, sizeof *ranks);
    hwloc_obj_t previous = NULL;
    for (unsigned i = 0; ranks && i < t->pu_count; i++) {
        hwloc_obj_t pu = hwloc_get_obj_by_type(t->machine, HWLOC_OBJ_PU, i);
        hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(t->machine, HWLOC_OBJ_CORE, pu);
        t->in_order[i] = (int)pu->os_index;
        ranks[i] = core && core == previous ? ranks[i - 1] + 1 : 0;
        t->core_count += ranks[i] == 0;
        previous = core;
    }
    return ranks;
}

static int order_pus(struct hm_topology *t) {
    t->pu_count = (unsigned)hwloc_get_nbobjs_by_type(t->machine, HWLOC_OBJ_PU);
    t->in_order = calloc(t->pu_count, sizeof *t->in_order);
    t->by_core = calloc(t->pu_count, sizeof *t->by_core);
    unsigned *ranks = t->in_order && t->by_core ? rank_pus(t) : NULL;
    if (!ranks)
        return ENOMEM;
    unsigned placed = 0;
    for (unsigned rank = 0; placed < t->pu_count; rank++)
        for (unsigned i = 0; i < t->pu_count; i++)
            if (ranks[i] == rank)
                t->by_core[placed++] = t->in_order[i];
    free(ranks);
    return 0;
}

static int copy_first(struct hm_topology *t) {
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    int bad = set && hwloc_topology_dup(&t->first, t->machine) == 0 ? 0 : ENOMEM;
    for (unsigned i = 0; !bad && i < t->core_count; i++)
        bad = hwloc_bitmap_set(set, (unsigned)t->by_core[i]) ? ENOMEM : 0;
    if (!bad && hwloc_topology_restrict(t->first, set, 0))
        bad = errno;
    hwloc_bitmap_free(set);
    return bad;
}

int hm_topology_load(struct hm_topology **out, struct hm_error *error) {
    struct hm_topology *t = calloc(1, sizeof *t);
    if (!t)
        return hm_fail(error, ENOMEM, "out of memory");
    int bad = load_machine(&t->machine, error);
    if (!bad) {
        bad = order_pus(t);
        if (!bad)
            bad = copy_first(t);
        if (bad)
            hm_fail(error, bad, "can not order the machine's cores: %s", strerror(bad));
    }
    if (bad)
        hm_topology_free(t);
    else
        *out = t;
    return bad;
}

void hm_topology_free(struct hm_topology *topology) {
    if (!topology)
        return;
    if (topology->machine)
        hwloc_topology_destroy(topology->machine);
    if (topology->first)
        hwloc_topology_destroy(topology->first);
    free(topology->in_order);
    free(topology->by_core);
    free(topology);
}

bool hm_topology_is_real(const struct hm_topology *topology) {
    return hwloc_topology_is_thissystem(topology->machine) != 0;
}

unsigned hm_topology_cores(const struct hm_topology *topology) {
    return topology->core_count;
}

unsigned hm_topology_pus(const struct hm_topology *topology) {
    return topology->pu_count;
}

static void place_round(const int *order, unsigned count, unsigned threads, int *cpus) {
    for (unsigned i = 0; i < threads; i++)
        cpus[i] = order[i % count];
}

/* The first PU of each set stands for singlify. Sets overlap only where there are more than PUs. */
static int place_spread(const struct hm_topology *t, unsigned threads, int *cpus) {
    hwloc_topology_t over = threads <= t->core_count ? t->first : t->machine;
    hwloc_obj_t root = hwloc_get_root_obj(over);
    hwloc_cpuset_t *sets = calloc(threads, sizeof *sets);
    if (!sets)
        return ENOMEM;
    hwloc_distrib(over, &root, 1, sets, threads, INT_MAX, 0);
    int bad = 0;
    for (unsigned i = 0; i < threads; i++)
        if (!sets[i])
            bad = ENOMEM;
    for (unsigned i = 0; i < threads; i++) {
        if (!bad)
            cpus[i] = hwloc_bitmap_first(sets[i]);
        hwloc_bitmap_free(sets[i]);
    }
    free(sets);
    return bad;
}

int hm_topology_place(const struct hm_topology *topology, enum hm_pin policy, unsigned threads,
                      int *cpus, bool *oversubscribed) {
    static const int unpinned = -1;
    unsigned enough = topology->pu_count;
    int bad = 0;
    switch (policy) {
    case HM_PIN_CORE:
        place_round(topology->by_core, topology->pu_count, threads, cpus);
        enough = topology->core_count;
        break;
    case HM_PIN_SMT:
        place_round(topology->in_order, topology->pu_count, threads, cpus);
        break;
    case HM_PIN_SPREAD:
        bad = place_spread(topology, threads, cpus);
        enough = topology->core_count;
        break;
    case HM_PIN_NONE:
        place_round(&unpinned, 1, threads, cpus);
        break;
    }
    if (!bad)
        *oversubscribed = threads > enough;
    return bad;
}

/* hwloc's own export to a file calls a full disk EPERM (2.9). */
static int write_file(const char *path, const char *text, size_t bytes) {
    FILE *out = fopen(path, "we");
    if (!out)
        return errno;
    int bad = fwrite(text, 1, bytes, out) == bytes ? 0 : errno;
    if (fclose(out) && !bad)
        bad = errno;
    return bad;
}

int hm_topology_export(const struct hm_topology *topology, const char *path,
                       struct hm_error *error) {
    char *xml;
    int bytes; /* the final NUL included */
    if (hwloc_topology_export_xmlbuffer(topology->machine, &xml, &bytes, 0))
        return hm_fail(error, errno, "can not export the topology: %s", strerror(errno));
    int bad = write_file(path, xml, (size_t)bytes - 1);
    hwloc_free_xmlbuffer(topology->machine, xml);
    return bad ? hm_fail(error, bad, "%s: %s", path, strerror(bad)) : 0;
}

int hm_pin_child(const struct hm_topology *topology, int cpu) {
    if (!hm_topology_is_real(topology))
        return ENOTSUP;
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    int bad = set && hwloc_bitmap_only(set, (unsigned)cpu) == 0 ? 0 : ENOMEM;
    if (!bad &&
        hwloc_set_cpubind(topology->machine, set, HWLOC_CPUBIND_THREAD | HWLOC_CPUBIND_STRICT))
        bad = errno;
    hwloc_bitmap_free(set);
    return bad;
}
