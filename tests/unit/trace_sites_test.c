/* Sums by site, against a model that keeps every event and looks at all of them for each question. */
#include "harness/trace/sites.h"
#include "harness/trace/texts.h"
#include "tests/unit/random_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum {
    TRACES = 60,
    SITES = 5,
    ALL = -1, /* the site that is the whole heap */
    FEW = 3,
};

static struct random_trace trace;

/* ---- The model ---- */

static bool belongs(const struct stay *stay, int site) {
    return site == ALL || stay->site == (uint32_t)site;
}

static struct hm_site live_after(int event, int site) {
    struct hm_site sum = {0};
    for (const struct stay *s = trace.stays; s < trace.stays + trace.count; s++) {
        if (!belongs(s, site) || !is_live(s, event))
            continue;
        sum.live_blocks++;
        sum.live_bytes += s->bytes;
    }
    return sum;
}

/* The first event after which the heap's bytes are the most; -1: they never were more than none. */
static int peak_event(void) {
    int peak = -1;
    uint64_t most = 0;
    for (int i = 0; i < RANDOM_EVENTS; i++) {
        uint64_t bytes = live_after(i, ALL).live_bytes;
        if (bytes > most) {
            most = bytes;
            peak = i;
        }
    }
    return peak;
}

static bool changes_the_heap(const struct hm_trace_event *e) {
    return is_operation(e) && e->kind != HM_TRACE_USABLE && !e->failed && e->block != HM_TRACE_NULL;
}

static bool is_temporary(const struct stay *stay) {
    int calls = 0;
    if (stay->to == NEVER || stay->foreign ||
        trace.events[stay->to].thread != trace.events[stay->from].thread)
        return false;
    for (int i = stay->from + 1; i <= stay->to; i++)
        calls += changes_the_heap(&trace.events[i]) &&
                 trace.events[i].thread == trace.events[stay->from].thread;
    return calls <= FEW;
}

static double operations_in(const struct stay *stay) {
    int count = 0;
    for (int i = stay->from + 1; i <= stay->to && i < RANDOM_EVENTS; i++)
        count += is_operation(&trace.events[i]);
    return count;
}

static double time_in(const struct stay *stay) {
    int to = stay->to == NEVER ? RANDOM_EVENTS - 1 : stay->to;
    return (double)(trace.events[to].time_ns - trace.events[stay->from].time_ns);
}

static void add_stay(struct hm_site *sum, const struct stay *s) {
    if (!s->inherited) {
        sum->blocks++;
        sum->bytes += s->bytes;
    }
    if (s->foreign)
        return;
    sum->born++;
    sum->life_operations += operations_in(s);
    sum->life_ns += time_in(s);
    if (is_temporary(s)) {
        sum->temporary_blocks++;
        sum->temporary_bytes += s->bytes;
    }
}

static struct hm_site model_of(int site) {
    struct hm_site sum = live_after(RANDOM_EVENTS - 1, site);
    int peak = peak_event();
    for (int i = 0; i < trace.count; i++)
        if (belongs(&trace.stays[i], site))
            add_stay(&sum, &trace.stays[i]);
    for (int i = 0; i < RANDOM_EVENTS; i++) {
        uint64_t bytes = live_after(i, site).live_bytes;
        if (bytes > sum.peak_bytes)
            sum.peak_bytes = bytes;
    }
    if (peak >= 0) {
        sum.at_peak_blocks = live_after(peak, site).live_blocks;
        sum.at_peak_bytes = live_after(peak, site).live_bytes;
    }
    return sum;
}

static void expect_same(const struct hm_site *site, const struct hm_site *model) {
    assert_int_equal(site->blocks, model->blocks);
    assert_int_equal(site->bytes, model->bytes);
    assert_int_equal(site->live_blocks, model->live_blocks);
    assert_int_equal(site->live_bytes, model->live_bytes);
    assert_int_equal(site->peak_bytes, model->peak_bytes);
    assert_int_equal(site->at_peak_blocks, model->at_peak_blocks);
    assert_int_equal(site->at_peak_bytes, model->at_peak_bytes);
    assert_int_equal(site->temporary_blocks, model->temporary_blocks);
    assert_int_equal(site->temporary_bytes, model->temporary_bytes);
    assert_int_equal(site->born, model->born);
    assert_true(site->life_operations == model->life_operations);
    assert_true(site->life_ns == model->life_ns);
}

static struct hm_sites *sum_of_trace(void) {
    struct hm_sites *sites = hm_sites_new(FEW);
    assert_non_null(sites);
    for (int i = 0; i < RANDOM_EVENTS; i++)
        assert_int_equal(hm_sites_add(sites, &trace.events[i], trace.sites[i]), 0);
    hm_sites_end(sites);
    return sites;
}

/* ---- Tests ---- */

static void test_sums_are_those_of_the_model(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= TRACES; seed++) {
        random_trace(&trace, seed, SITES);
        struct hm_sites *sites = sum_of_trace();
        assert_int_equal(hm_sites_count(sites), SITES);
        for (int i = 0; i < SITES; i++) {
            struct hm_site model = model_of(i);
            expect_same(hm_sites_at(sites, (size_t)i), &model);
        }
        struct hm_site model = model_of(ALL);
        expect_same(hm_sites_all(sites), &model);
        hm_sites_free(sites);
    }
}

static void test_many_live_blocks_are_told_apart(void **state) {
    (void)state;
    enum {
        BLOCKS = 20000
    };
    struct hm_sites *sites = hm_sites_new(1);
    for (uint64_t i = 1; i <= BLOCKS; i++) {
        struct hm_trace_event born = {.kind = HM_TRACE_MALLOC, .block = i, .count = 1, .size = i};
        assert_int_equal(hm_sites_add(sites, &born, (uint32_t)(i % 7)), 0);
    }
    for (uint64_t i = 1; i <= BLOCKS; i++) {
        struct hm_trace_event freed = {.kind = HM_TRACE_FREE, .block = (i * 7919) % BLOCKS + 1};
        assert_int_equal(hm_sites_add(sites, &freed, 0), 0);
    }
    hm_sites_end(sites);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(hm_sites_at(sites, i)->live_blocks, 0);
        assert_int_equal(hm_sites_at(sites, i)->live_bytes, 0);
        assert_int_equal(hm_sites_at(sites, i)->at_peak_bytes, hm_sites_at(sites, i)->bytes);
    }
    assert_int_equal(hm_sites_all(sites)->peak_bytes, (uint64_t)BLOCKS * (BLOCKS + 1) / 2);
    hm_sites_free(sites);
}

static void test_trace_without_events_is_all_zero(void **state) {
    (void)state;
    struct hm_sites *sites = hm_sites_new(1);
    struct hm_site zero = {0};
    hm_sites_end(sites);
    assert_int_equal(hm_sites_count(sites), 0);
    expect_same(hm_sites_all(sites), &zero);
    hm_sites_free(sites);
}

static void test_words_are_numbered_once_in_their_order(void **state) {
    (void)state;
    enum {
        WORDS = 3000
    };
    struct hm_texts words = {0};
    char text[32];
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < WORDS; i++) {
            snprintf(text, sizeof text, "%x", i * 2654435761u);
            assert_int_equal(hm_texts_add(&words, text), i);
            assert_string_equal(hm_texts_text(&words, i), text);
        }
    assert_int_equal(words.count, WORDS);
    assert_int_equal(hm_texts_add(&words, ""), WORDS);
    hm_texts_free(&words);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_are_those_of_the_model),
        cmocka_unit_test(test_many_live_blocks_are_told_apart),
        cmocka_unit_test(test_trace_without_events_is_all_zero),
        cmocka_unit_test(test_words_are_numbered_once_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
