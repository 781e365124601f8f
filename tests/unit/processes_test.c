/* Workloads of several processes: end values that are known beforehand, processes that die, and that nothing
 * is left behind.
 *
 * The program is its own member: what heapmark does for `heapmark member`, main() does here.
 *
 * locks: shared-memory */
#include "harness/cell/memory.h"
#include "harness/plan/spec.h"
#include "workloads/process/crew.h"
#include "workloads/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    DEADLINE_S = 100,
    FOR_EVER = 1 << 30, /* units */
};

struct cell {
    struct hm_workload_spec spec;
    struct hm_allocator_spec allocator;
    struct hm_memory_stack memory;
    const struct hm_workload *workload;
    struct hm_run run;
    char *array; /* of a first-fit heap: where its offsets count from */
};

/* @return the errno of setup() */
static int try_cell(struct cell *cell, const char *text, const char *allocator) {
    struct hm_error error = {""};
    *cell = (struct cell){.workload = NULL};
    if (hm_workload_spec_parse(text, &cell->spec, &error) ||
        hm_allocator_spec_parse(allocator, &cell->allocator, &error))
        fail_msg("%s", error.line);
    assert_int_equal(hm_memory_stack_open(&cell->memory, &cell->allocator, 1), 0);
    cell->workload = cell->spec.part;
    cell->run = (struct hm_run){.params = cell->spec.params.values,
                                .seed = 7,
                                .threads = 1,
                                .memory = hm_memory_stack_top(&cell->memory)};
    cell->array = hm_malloc(cell->run.memory, 1);
    hm_free(cell->run.memory, cell->array);
    return cell->workload->setup(&cell->run);
}

static void open_cell(struct cell *cell, const char *text) {
    const char *shared = "first-fit:size=16M:backing=shared";
    assert_int_equal(try_cell(cell, text, strncmp(text, "shm-heap", 8) == 0 ? shared : "system"),
                     0);
}

static void run_cell(struct cell *cell, uint64_t units) {
    assert_int_equal(cell->workload->run(&cell->run, units), units);
    assert_null(cell->run.failed);
}

static void assert_sound(struct cell *cell) {
    const char *broken = cell->workload->verify(&cell->run);
    if (broken)
        fail_msg("%s: %s", cell->spec.text, broken);
}

static void close_cell(struct cell *cell) {
    cell->workload->teardown(&cell->run);
    hm_memory_stack_close(&cell->memory);
}

/* The state of each begins with its crew. */
static struct hm_crew *crew_of(struct cell *cell) {
    return cell->run.state;
}

static void assert_numbers(struct cell *cell, unsigned count, uint64_t expected) {
    const uint64_t *numbers = crew_of(cell)->body;
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(numbers[i], expected);
}

/* ---- Nothing is left ---- */

static unsigned segments_in_sight(void) {
    unsigned count = 0;
    DIR *folder = opendir("/dev/shm");
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) /* folders are those of recordings */
        count += entry->d_type == DT_REG && strncmp(entry->d_name, "heapmark-", 9) == 0;
    closedir(folder);
    return count;
}

static unsigned open_files(void) {
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static unsigned files_before, scratch_before;

static int look_before(void **state) {
    (void)state;
    alarm(DEADLINE_S);
    files_before = open_files();
    scratch_before = (unsigned)hm_scratch_bytes();
    return 0;
}

/* What a test that failed has left is not to keep the next one waiting. @return whether there was any */
static bool end_children(void) {
    char path[64];
    int child;
    bool any = false;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    FILE *list = fopen(path, "r");
    while (list && fscanf(list, "%d", &child) == 1)
        kill(child, SIGKILL);
    if (list)
        fclose(list);
    while (waitpid(-1, NULL, 0) > 0)
        any = true;
    return any;
}

static int look_after(void **state) {
    (void)state;
    bool clean = !end_children();
    return !(clean && segments_in_sight() == 0 && open_files() == files_before &&
             hm_scratch_bytes() == scratch_before);
}

/* ---- Known end values ---- */

static void test_two_processes_and_five_elements_end_at_two(void **state) {
    (void)state;
    static const char *const locks[] = {"mutex", "semaphore", "atomic"};
    for (int i = 0; i < 3; i++) {
        struct cell cell;
        char text[64];
        snprintf(text, sizeof text, "shm-counter:lock=%s", locks[i]);
        open_cell(&cell, text);
        assert_numbers(&cell, 6, 0);
        run_cell(&cell, 1);
        assert_numbers(&cell, 6, 2);
        assert_numbers(&cell, 6, 2);
        assert_sound(&cell);
        close_cell(&cell);
    }
}

static void test_rounds_of_all_processes_are_in_the_end_value(void **state) {
    (void)state;
    static const char *const locks[] = {"mutex", "semaphore", "atomic"};
    for (int i = 0; i < 3; i++) {
        struct cell cell;
        double values[2] = {NAN, NAN};
        char text[96];
        snprintf(text, sizeof text, "shm-counter:processes=5:rounds=70:elements=9:lock=%s",
                 locks[i]);
        open_cell(&cell, text);
        run_cell(&cell, 10);
        cell.workload->measure(&cell.run, values);
        run_cell(&cell, 0);
        run_cell(&cell, 300);
        cell.workload->measure(&cell.run, values);
        assert_true(values[0] == 5 * 70 * 300);
        assert_numbers(&cell, 10, 5 * 70 * 310);
        assert_int_equal(cell.workload->ops_per_unit(cell.run.params), 5 * 70);
        assert_sound(&cell);
        ((uint64_t *)crew_of(&cell)->body)[9]--;
        assert_non_null(cell.workload->verify(&cell.run));
        close_cell(&cell);
    }
}

static const char *const examples[] = {
    "shm-counter:elements=0", "shm-counter:processes=1", "shm-heap:processes=1:held=3",
    "shm-heap:held=20",       "shm-heap:processes=3",    "manager:processes=1",
    "manager:processes=3",    "manager:ask=incr",        "manager:ask=set:objects=1",
};

static uint64_t checksum_of(const char *text, uint64_t units, uint64_t piece) {
    struct cell cell;
    open_cell(&cell, text);
    for (uint64_t done = 0; done < units; done += piece)
        run_cell(&cell, piece);
    assert_sound(&cell);
    uint64_t checksum = cell.run.checksum;
    close_cell(&cell);
    return checksum;
}

static void test_work_is_the_same_each_time_and_in_pieces(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        uint64_t checksum = checksum_of(examples[i], 300, 300);
        assert_int_not_equal(checksum, 0);
        assert_int_equal(checksum_of(examples[i], 300, 100), checksum);
    }
}

static void test_members_are_where_they_are_told_to_be(void **state) {
    (void)state;
    cpu_set_t allowed;
    int cpu = 0;
    int pins[3] = {-2, -2, -2};
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    while (!CPU_ISSET((size_t)cpu, &allowed))
        cpu++;
    const int cpus[] = {cpu, cpu, cpu};
    struct cell cell;
    open_cell(&cell, "manager");
    cell.workload->teardown(&cell.run);
    cell.run.process_cpus = cpus;
    cell.run.process_pins = pins;
    assert_int_equal(cell.workload->setup(&cell.run), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pins[i], cpu);
    close_cell(&cell);
}

/* ---- One heap ---- */

static void test_heap_of_several_processes_loses_no_block(void **state) {
    (void)state;
    struct cell cell;
    struct hm_heap_stats stats;
    open_cell(&cell, "shm-heap:processes=3:held=50:min=16:max=300");
    const struct hm_memory *m = cell.run.memory;
    run_cell(&cell, 2000);
    assert_sound(&cell);
    m->allocator->stats(m->heap, &stats);
    assert_int_equal(stats.live_blocks, 3 * 50 + 1);
    cell.workload->teardown(&cell.run);
    m->allocator->stats(m->heap, &stats);
    assert_int_equal(stats.live_blocks, 0);
    assert_int_equal(stats.bad_frees, 0);
    hm_memory_stack_close(&cell.memory);
}

/* The middle of the block behind the first one, which is the anchor. */
static void find_middle(void *arg, const struct hm_block *block) {
    uint64_t *middle = arg;
    if (block->used && block->offset && !*middle)
        *middle = block->offset + block->bytes / 2;
}

static void test_harmed_block_is_found(void **state) {
    (void)state;
    struct cell cell;
    uint64_t middle = 0;
    open_cell(&cell, "shm-heap:held=50:min=64:max=64");
    const struct hm_memory *m = cell.run.memory;
    run_cell(&cell, 100);
    m->allocator->walk(m->heap, find_middle, &middle);
    assert_int_not_equal(middle, 0);
    cell.array[middle] ^= 1;
    assert_non_null(cell.workload->verify(&cell.run));
    cell.array[middle] ^= 1;
    assert_sound(&cell);
    close_cell(&cell);
}

static void test_full_heap_ends_the_run_with_what_was_done(void **state) {
    (void)state;
    struct cell cell;
    struct hm_heap_stats stats;
    assert_int_equal(try_cell(&cell, "shm-heap:processes=3:min=100:max=200",
                              "first-fit:size=64K:backing=shared"),
                     0);
    assert_in_range(cell.workload->run(&cell.run, 5000), 1, 4999);
    assert_null(cell.run.failed);
    assert_sound(&cell);
    const struct hm_memory *m = cell.run.memory;
    cell.workload->teardown(&cell.run);
    m->allocator->stats(m->heap, &stats);
    assert_int_equal(stats.live_blocks, 0);
    hm_memory_stack_close(&cell.memory);
}

/* ---- Processes that die ---- */

static void test_process_killed_inside_the_lock_is_outlived(void **state) {
    (void)state;
    static const unsigned kills[] = {1, 50, 200, 201, 350};
    for (int i = 0; i < 5; i++) {
        struct cell cell;
        double values[2];
        char text[64];
        snprintf(text, sizeof text, "shm-counter:processes=3:kill=%u", kills[i]);
        open_cell(&cell, text);
        run_cell(&cell, 200);
        assert_numbers(&cell, 6, 3 * 200);
        assert_sound(&cell);
        cell.workload->measure(&cell.run, values);
        run_cell(&cell, 200);
        assert_numbers(&cell, 6, 3 * 400);
        assert_sound(&cell);
        cell.workload->measure(&cell.run, values);
        assert_true(values[1] == 1);
        int status = 0;
        pid_t victim = crew_of(&cell)->pids[0];
        if (victim) {
            assert_int_equal(waitpid(victim, &status, 0), victim);
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        }
        close_cell(&cell);
    }
}

static void nap_ms(long ms) {
    nanosleep(&(struct timespec){0, ms * 1000000}, NULL);
}

/* A process that kills a member of ours in a moment. */
static pid_t start_killer(pid_t victim, int signal) {
    pid_t killer = fork();
    assert_true(killer >= 0);
    if (killer)
        return killer;
    nap_ms(30);
    kill(victim, signal);
    _exit(0);
}

static void test_death_of_any_member_ends_the_run_and_is_told(void **state) {
    (void)state;
    static const struct {
        const char *text;
        unsigned victim;
        int signal;
        const char *told;
    } deaths[] = {
        {"shm-counter", 1, SIGKILL, "process 1 of 2 died: killed by signal 9"},
        {"shm-counter:lock=semaphore", 0, SIGTERM, "process 0 of 2 died: killed by signal 15"},
        {"shm-counter:lock=atomic", 0, SIGUSR1, "process 0 of 2 died: killed by signal 10"},
        {"shm-heap:processes=3", 2, SIGKILL, "process 2 of 3 died: killed by signal 9"},
        {"manager", 0, SIGKILL, "process 0 of 3 died: killed by signal 9"},
        {"manager", 2, SIGKILL, "server"}, /* "does not answer any more", or as above */
    };
    for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++) {
        struct cell cell;
        open_cell(&cell, deaths[i].text);
        pid_t killer = start_killer(crew_of(&cell)->pids[deaths[i].victim], deaths[i].signal);
        cell.workload->run(&cell.run, FOR_EVER);
        assert_non_null(cell.run.failed);
        if (!strstr(cell.run.failed, deaths[i].told) &&
            !strstr(cell.run.failed, "process 2 of 3 died"))
            fail_msg("%s: %s", deaths[i].text, cell.run.failed);
        assert_int_equal(cell.workload->run(&cell.run, 1), 0);
        assert_int_equal(waitpid(killer, NULL, 0), killer);
        close_cell(&cell);
    }
}

/* The engine reads why when all of the workload's memory is gone. */
static void test_member_that_dies_before_the_first_turn_is_told(void **state) {
    (void)state;
    struct cell cell;
    setenv("HM_TEST_MEMBER_FAILS", "1", 1);
    assert_int_not_equal(try_cell(&cell, "shm-counter", "system"), 0);
    unsetenv("HM_TEST_MEMBER_FAILS");
    assert_non_null(cell.run.failed);
    assert_non_null(strstr(cell.run.failed, "of 2 died: exit status 9"));
    hm_memory_stack_close(&cell.memory);
}

/* The cell is killed in the middle of its work; its members become ours, as their next of kin. */
static void test_members_do_not_outlive_their_cell(void **state) {
    (void)state;
    static const char *const texts[] = {"shm-counter:processes=3", "shm-heap:processes=3",
                                        "manager"};
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    for (int i = 0; i < 3; i++) {
        pid_t doomed = fork();
        assert_true(doomed >= 0);
        if (doomed == 0) {
            struct cell cell;
            open_cell(&cell, texts[i]);
            start_killer(getpid(), SIGKILL);
            cell.workload->run(&cell.run, FOR_EVER);
            _exit(1);
        }
        int ended = 0, killed = 0, status;
        while (waitpid(-1, &status, 0) > 0) {
            ended++;
            killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        }
        assert_int_equal(ended, 1 + 3 + 1); /* the cell, its members, the killer */
        assert_int_equal(killed, 1 + 3);
    }
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void test_segment_has_no_name(void **state) {
    (void)state;
    int (*const makes[])(size_t) = {hm_crew_segment, hm_crew_segment_by_name};
    for (int i = 0; i < 2; i++) {
        struct stat is;
        int fd = makes[i](100000);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &is), 0);
        assert_int_equal(is.st_nlink, 0);
        assert_int_equal(is.st_size, 100000);
        assert_int_equal(segments_in_sight(), 0);
        close(fd);
        assert_int_equal(makes[i]((size_t)1 << 60), -1);
        assert_true(errno == ENOMEM || errno == EFBIG || errno == EINVAL);
    }
}

static void test_parameters_that_contradict_each_other_are_refused(void **state) {
    (void)state;
    struct hm_workload_spec spec;
    struct hm_error error;
    assert_int_equal(hm_workload_spec_parse("shm-counter:kill=3:lock=semaphore", &spec, &error),
                     EINVAL);
    assert_int_equal(hm_workload_spec_parse("shm-counter:kill=3:processes=1", &spec, &error),
                     EINVAL);
    assert_int_equal(hm_workload_spec_parse("shm-heap:min=100:max=99", &spec, &error), EINVAL);
    assert_int_equal(hm_workload_spec_parse("manager:processes=64", &spec, &error), EINVAL);
}

static int be_member(char **argv) {
    int fd = -1;
    unsigned index = 0;
    if (getenv("HM_TEST_MEMBER_FAILS"))
        return 9;
    if (sscanf(argv[2], "--segment=%d", &fd) != 1 || sscanf(argv[3], "--index=%u", &index) != 1)
        return 2;
    return hm_crew_serve(fd, index);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, look_before, look_after)

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "member") == 0)
        return be_member(argv);
    const struct CMUnitTest tests[] = {
        TEST(test_two_processes_and_five_elements_end_at_two),
        TEST(test_rounds_of_all_processes_are_in_the_end_value),
        TEST(test_work_is_the_same_each_time_and_in_pieces),
        TEST(test_members_are_where_they_are_told_to_be),
        TEST(test_heap_of_several_processes_loses_no_block),
        TEST(test_harmed_block_is_found),
        TEST(test_full_heap_ends_the_run_with_what_was_done),
        TEST(test_process_killed_inside_the_lock_is_outlived),
        TEST(test_death_of_any_member_ends_the_run_and_is_told),
        TEST(test_member_that_dies_before_the_first_turn_is_told),
        TEST(test_members_do_not_outlive_their_cell),
        TEST(test_segment_has_no_name),
        TEST(test_parameters_that_contradict_each_other_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
