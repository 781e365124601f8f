/* Workloads without a heap: end values, counts and outcomes that are known beforehand, and that a
 * disturbed one is seen.
 *
 * labels: threads */
#include "tests/unit/thread_cell.h"
#include "workloads/locks.h"

#include <unistd.h>

/* Small ones: each workload in each way in which it may go. */
static const char *const examples[] = {
    "counter",
    "counter:lock=spin:fields=3",
    "counter:lock=ticket:fields=3",
    "counter:lock=semaphore:fields=3",
    "counter:lock=condvar:fields=3",
    "counter:lock=rwlock:fields=64",
    "counter:lock=atomic:fields=3",
    "lostupdate",
    "lostupdate:work=5",
    "ordering:op=load:order=relaxed:line=shared",
    "ordering:op=load:order=acqrel:line=private",
    "ordering:op=store:order=acqrel:line=shared",
    "ordering:op=store:order=seqcst:line=private",
    "ordering:op=add:order=relaxed:line=shared",
    "ordering:op=add:order=acqrel:line=private",
    "ordering:op=add:order=seqcst:line=shared",
    "ordering:op=mixed:order=relaxed:line=shared",
    "litmus:test=sb:order=relaxed",
    "litmus:test=sb:order=acqrel",
    "litmus:test=sb:order=seqcst",
    "litmus:test=mp:order=relaxed",
    "litmus:test=mp:order=acqrel",
    "litmus:test=mp:order=seqcst",
    "litmus:test=lb:order=relaxed",
    "litmus:test=lb:order=acqrel",
    "litmus:test=lb:order=seqcst",
    "refcounts:count=plain",
    "refcounts:count=plain:share=1",
    "refcounts:count=atomic",
    "refcounts:count=atomic:share=2",
    "refcounts:count=biased",
    "refcounts:count=biased:share=2",
    "gil:stretches=10:interval=100",
    "gil:stretches=10:interval=1:io=100:call=7:outside=3",
    "gil:stretches=10:interval=1:io=0",
    "threadlocal:data=shared:kind=counter",
    "threadlocal:data=thread:kind=counter:apart=16",
    "threadlocal:data=core:kind=counter",
    "threadlocal:data=shared:kind=list:nodes=2",
    "threadlocal:data=thread:kind=list",
    "threadlocal:data=core:kind=list:nodes=2",
};

enum {
    EXAMPLES = sizeof examples / sizeof *examples,
    UNITS = 300,
};

static void checksums_of(const char *text, unsigned threads, uint64_t piece, uint64_t *out) {
    struct cell cell;
    open_cell(&cell, text, threads);
    for (uint64_t done = 0; done < UNITS; done += piece)
        run_cell(&cell, piece);
    assert_sound(&cell);
    for (unsigned i = 0; i < threads; i++)
        out[i] = cell.runs[i].checksum;
    close_cell(&cell);
}

static void test_every_example_does_its_work_at_any_number_of_threads(void **state) {
    (void)state;
    const unsigned counts[] = {1, 2, 5};
    size_t scratch = hm_scratch_bytes();
    for (size_t i = 0; i < EXAMPLES; i++)
        for (unsigned c = 0; c < 3; c++) {
            uint64_t whole[THREADS_MAX];
            uint64_t pieces[THREADS_MAX];
            checksums_of(examples[i], counts[c], UNITS, whole);
            checksums_of(examples[i], counts[c], UNITS / 3, pieces);
            assert_memory_equal(whole, pieces, counts[c] * sizeof *whole);
            assert_int_not_equal(whole[0], 0);
        }
    assert_int_equal(hm_scratch_bytes(), scratch);
}

static void test_no_unit_is_no_work(void **state) {
    (void)state;
    for (size_t i = 0; i < EXAMPLES; i++) {
        struct cell cell;
        open_cell(&cell, examples[i], 3);
        run_cell(&cell, 0);
        double values[THREADS_MAX][FIGURES_MAX];
        measure_cell(&cell, values);
        assert_sound(&cell);
        close_cell(&cell);
    }
}

/* As the engine asks: after the warm-up, and at the end. */
static double figure_after(const char *text, unsigned threads, uint64_t units, const char *name) {
    struct cell cell;
    double values[THREADS_MAX][FIGURES_MAX];
    open_cell(&cell, text, threads);
    run_cell(&cell, 50);
    measure_cell(&cell, values);
    run_cell(&cell, units / 2);
    run_cell(&cell, units - units / 2);
    double value = figure_of(&cell, name);
    assert_sound(&cell);
    close_cell(&cell);
    return value;
}

static void test_end_value_of_five_threads_is_exact_behind_each_lock(void **state) {
    (void)state;
    static const char *const locks[] = {"mutex",   "spin",   "ticket", "semaphore",
                                        "condvar", "rwlock", "atomic"};
    for (size_t i = 0; i < sizeof locks / sizeof *locks; i++) {
        char text[64];
        snprintf(text, sizeof text, "counter:lock=%s:fields=3", locks[i]);
        assert_true(figure_after(text, 5, 777, "end_value") == 5 * 777);
        if (strcmp(locks[i], "atomic") != 0)
            assert_true(figure_after(text, 5, 777, "torn_reads") == 0);
    }
}

struct visitor {
    struct hm_locks locks;
    enum hm_lock_kind kind;
    int stage; /* atomic; 1: at the door, 2: inside */
};

static void *visit(void *arg) {
    struct visitor *v = arg;
    __atomic_store_n(&v->stage, 1, __ATOMIC_SEQ_CST);
    hm_lock_take(&v->locks, v->kind);
    __atomic_store_n(&v->stage, 2, __ATOMIC_SEQ_CST);
    hm_lock_drop(&v->locks, v->kind);
    return NULL;
}

/* Two threads of a short test may never meet; so one is held up with the lock in its hand. */
static void test_held_lock_keeps_others_out(void **state) {
    (void)state;
    for (int kind = 0; kind < HM_LOCK_KINDS; kind++) {
        static struct visitor v;
        pthread_t thread;
        v = (struct visitor){.kind = (enum hm_lock_kind)kind};
        hm_locks_open(&v.locks);
        hm_lock_take(&v.locks, v.kind);
        assert_int_equal(pthread_create(&thread, NULL, visit, &v), 0);
        while (__atomic_load_n(&v.stage, __ATOMIC_SEQ_CST) == 0)
            sched_yield();
        usleep(10000);
        assert_int_equal(__atomic_load_n(&v.stage, __ATOMIC_SEQ_CST), 1);
        hm_lock_drop(&v.locks, v.kind);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(v.stage, 2);
        hm_locks_close(&v.locks);
    }
}

static void test_lone_thread_loses_no_update(void **state) {
    (void)state;
    assert_true(figure_after("lostupdate", 1, 1000, "lost_updates") == 0);
    assert_true(figure_after("lostupdate", 1, 1000, "lost_percent") == 0);
}

/* One thread after the other loses nothing; together they may, but never more than there are. */
static void test_lost_updates_are_those_that_the_value_lacks(void **state) {
    (void)state;
    struct cell cell;
    open_cell(&cell, "lostupdate", 2);
    cell.workload->run(&cell.runs[0], 100);
    cell.workload->run(&cell.runs[1], 200);
    assert_true(figure_of(&cell, "lost_updates") == 0);
    uint64_t *value = cell.runs[0].shared;
    assert_int_equal(*value, 300);
    cell.workload->run(&cell.runs[0], 100);
    *value -= 30;
    double values[THREADS_MAX][FIGURES_MAX];
    measure_cell(&cell, values);
    assert_true(values[0][0] == 30 && values[0][1] == 30);
    assert_sound(&cell);
    *value += 1000;
    assert_non_null(verdict_of(&cell));
    close_cell(&cell);
    double lost = figure_after("lostupdate:work=20", 4, 3000, "lost_percent");
    assert_true(lost >= 0 && lost < 100);
}

static double outcomes_of(struct cell *cell, double out[4]) {
    double values[THREADS_MAX][FIGURES_MAX];
    double all = 0;
    measure_cell(cell, values);
    for (unsigned i = 0; i < 4; i++) {
        out[i] = 0;
        for (unsigned t = 0; t < cell->threads; t++)
            out[i] += isnan(values[t][i]) ? 0 : values[t][i];
        all += out[i];
    }
    return all;
}

static void test_every_round_of_a_litmus_test_has_one_outcome(void **state) {
    (void)state;
    for (size_t i = 0; i < EXAMPLES; i++) {
        struct cell cell;
        double outcomes[4];
        if (strncmp(examples[i], "litmus", 6) != 0)
            continue;
        open_cell(&cell, examples[i], 5); /* two pairs, and one alone */
        run_cell(&cell, 100);
        run_cell(&cell, 23);
        assert_true(outcomes_of(&cell, outcomes) == 3 * 123);
        assert_sound(&cell);
        close_cell(&cell);
    }
}

/* A thread alone plays one side after the other. */
static void test_litmus_of_one_thread_is_an_interleaving(void **state) {
    (void)state;
    static const struct {
        const char *text;
        unsigned outcome;
    } known[] = {{"litmus:test=sb", 1}, {"litmus:test=mp", 3}, {"litmus:test=lb", 1}};
    for (size_t i = 0; i < 3; i++) {
        struct cell cell;
        double outcomes[4];
        open_cell(&cell, known[i].text, 1);
        run_cell(&cell, 100);
        outcomes_of(&cell, outcomes);
        assert_true(outcomes[known[i].outcome] == 100);
        close_cell(&cell);
    }
}

/* A partner that is always a round ahead, and says of each what we want: its flag is the fourth line of the
 * pair, with what was seen in the last two rounds in its lowest bits. */
static bool is_refused(const char *text, unsigned seen) {
    struct cell cell;
    open_cell(&cell, text, 2);
    char *lines = cell.runs[0].shared;
    uint64_t flag = UINT64_C(1) << 40 | seen << 2 | seen;
    memcpy(lines + 3 * HM_SPIN_APART, &flag, sizeof flag);
    assert_int_equal(cell.workload->run(&cell.runs[0], 10), 10);
    bool refused = cell.workload->verify(&cell.runs[0]) != NULL;
    close_cell(&cell);
    return refused;
}

static void test_forbidden_outcome_fails_the_run(void **state) {
    (void)state;
    assert_true(is_refused("litmus:test=mp:order=acqrel", 2));
    assert_true(is_refused("litmus:test=mp:order=seqcst", 2));
    assert_false(is_refused("litmus:test=mp:order=relaxed", 2));
    assert_false(is_refused("litmus:test=mp:order=seqcst", 3));
    assert_false(is_refused("litmus:test=mp:order=seqcst", 1));
    assert_true(is_refused("litmus:test=sb:order=seqcst", 0)); /* nobody stores y: r1 is 0, too */
    assert_false(is_refused("litmus:test=sb:order=acqrel", 0));
    assert_false(is_refused("litmus:test=sb:order=seqcst", 1));
    assert_false(is_refused("litmus:test=lb:order=seqcst", 1)); /* r1 is 0 */
}

static void test_counts_are_exact_unless_plain_and_shared(void **state) {
    (void)state;
    static const char *const exact[] = {"refcounts:count=atomic", "refcounts:count=biased",
                                        "refcounts:count=biased:share=2",
                                        "refcounts:count=plain:share=1"};
    for (size_t i = 0; i < 4; i++) {
        assert_true(figure_after(exact[i], 5, 2000, "count_error") == 0);
        assert_true(figure_after(exact[i], 5, 2000, "early_ends") == 0);
    }
    assert_true(figure_after("refcounts:count=plain", 1, 2000, "count_error") == 0);
}

static void test_fairness_is_that_of_the_progress(void **state) {
    (void)state;
    assert_true(figure_after("gil:stretches=10", 1, 200, "fairness") == 1);
    assert_true(figure_after("gil:stretches=10", 1, 200, "turns") == 2); /* one in each run */
    double fairness = figure_after("gil:stretches=10:interval=1", 4, 200, "fairness");
    assert_true(fairness >= 0.2499 && fairness <= 1);
    /* Before its last stretch, too: 200 * 10 stretches are 20 calls. */
    assert_true(figure_after("gil:stretches=10:io=100:call=100", 1, 200, "turns") == 22);
    assert_true(figure_after("gil:stretches=10", 3, 100, "longest_wait_ns") > 0);
}

/* Nobody else runs: the first thread has all of the progress. */
static void test_thread_that_has_it_all_is_unfair(void **state) {
    (void)state;
    struct cell cell;
    open_cell(&cell, "gil:stretches=10", 4);
    cell.workload->run(&cell.runs[2], 10);
    for (unsigned i = 0; i < 4; i++)
        if (i != 2)
            cell.workload->run(&cell.runs[i], 10);
    assert_true(fabs(figure_of(&cell, "fairness") - 0.25) < 1e-9);
    close_cell(&cell);
}

/* Every word that holds this number is made one less, in turn. */
static bool all_changes_are_seen(struct cell *cell, uint64_t number) {
    uint64_t *words = cell->runs[0].shared;
    bool found = false;
    for (size_t i = 0; i < cell->shared_bytes / sizeof *words; i++) {
        if (words[i] != number)
            continue;
        found = true;
        words[i]--;
        if (!verdict_of(cell))
            return false;
        words[i]++;
    }
    return found;
}

static void test_value_that_was_changed_is_seen(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t number;
    } known[] = {{"counter:fields=3", 333},
                 {"counter:lock=atomic:fields=3", 333},
                 {"ordering:op=add:line=shared", UINT64_C(333) * 64},
                 {"refcounts:count=atomic", 3},
                 {"refcounts:count=biased", 2},
                 {"threadlocal:data=shared:kind=counter", 333},
                 {"threadlocal:data=thread:kind=counter", 111}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct cell cell;
        open_cell(&cell, known[i].text, 3);
        run_cell(&cell, 111);
        assert_sound(&cell);
        assert_true(all_changes_are_seen(&cell, known[i].number));
        close_cell(&cell);
    }
}

/* A list whose first node links to itself, or has lost the others. */
static void test_free_list_that_was_broken_is_seen(void **state) {
    (void)state;
    struct cell cell;
    open_cell(&cell, "threadlocal:data=shared:kind=list:nodes=4", 1);
    run_cell(&cell, 10);
    assert_sound(&cell);
    char *shared = cell.runs[0].shared;
    void **last_node = (void **)(void *)(shared + HM_SPIN_APART + 3 * 64); /* behind the lane */
    void *next = *last_node;
    *last_node = NULL;
    assert_non_null(verdict_of(&cell));
    *last_node = last_node;
    assert_non_null(verdict_of(&cell));
    *last_node = next;
    assert_sound(&cell);
    close_cell(&cell);
}

static void test_parameters_that_contradict_each_other_are_refused(void **state) {
    (void)state;
    struct hm_workload_spec spec;
    struct hm_error error = {""};
    assert_int_not_equal(hm_workload_spec_parse("ordering:op=mixed:line=private", &spec, &error),
                         0);
    assert_non_null(strstr(error.line, "op=mixed needs line=shared"));
    assert_int_not_equal(hm_workload_spec_parse("threadlocal:apart=20", &spec, &error), 0);
    assert_non_null(strstr(error.line, "multiple of 8"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_example_does_its_work_at_any_number_of_threads),
        cmocka_unit_test(test_no_unit_is_no_work),
        cmocka_unit_test(test_end_value_of_five_threads_is_exact_behind_each_lock),
        cmocka_unit_test(test_held_lock_keeps_others_out),
        cmocka_unit_test(test_lone_thread_loses_no_update),
        cmocka_unit_test(test_lost_updates_are_those_that_the_value_lacks),
        cmocka_unit_test(test_every_round_of_a_litmus_test_has_one_outcome),
        cmocka_unit_test(test_litmus_of_one_thread_is_an_interleaving),
        cmocka_unit_test(test_forbidden_outcome_fails_the_run),
        cmocka_unit_test(test_counts_are_exact_unless_plain_and_shared),
        cmocka_unit_test(test_fairness_is_that_of_the_progress),
        cmocka_unit_test(test_thread_that_has_it_all_is_unfair),
        cmocka_unit_test(test_value_that_was_changed_is_seen),
        cmocka_unit_test(test_free_list_that_was_broken_is_seen),
        cmocka_unit_test(test_parameters_that_contradict_each_other_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
