/* The tree of a flame graph and its page, against all lines looked at for each question. */
#include "harness/trace/flame_tree.h"
#include "harness/trace/xml.h"
#include "tests/unit/random_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    LINES = 60,
};

static struct random_trace draws;
static char texts[LINES][256];
static struct hm_flame_line lines[LINES];

/* ---- Stacks ---- */

/* Names that are beginnings of each other, and sort next to the semicolon. */
static const char *const names[] = {"a", "ab", "a b", "a:", "a<", "b", "main"};

static bool is_new(size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(texts[i], texts[count]) == 0)
            return false;
    return true;
}

static size_t draw_lines(uint64_t seed) {
    size_t count = 0;
    draws.state = seed;
    for (size_t i = 0; i < LINES; i++) {
        texts[count][0] = '\0';
        for (uint64_t depth = 1 + random_below(&draws, 6); depth-- > 0;) {
            strcat(texts[count], names[random_below(&draws, 7)]);
            strcat(texts[count], depth ? ";" : "");
        }
        lines[count] = (struct hm_flame_line){texts[count], 1 + random_below(&draws, 1000)};
        count += is_new(count);
    }
    qsort(lines, count, sizeof *lines, hm_flame_compare);
    return count;
}

/* The weight of all lines that begin with these frames, and of the one that ends there. */
static uint64_t weight_of(const char *path, size_t count, uint64_t *self) {
    uint64_t sum = 0;
    size_t length = strlen(path);
    *self = 0;
    for (size_t i = 0; i < count; i++) {
        const char *stack = lines[i].stack;
        if (strncmp(stack, path, length) != 0 || (stack[length] && stack[length] != ';'))
            continue;
        sum += lines[i].weight;
        *self += stack[length] ? 0 : lines[i].weight;
    }
    return sum;
}

/* @return nodes at and above this one */
static size_t check_node(const struct hm_flame_tree *tree, uint32_t at, const char *path,
                         size_t count) {
    char name[512];
    const struct hm_flame_node *node = &tree->nodes[at];
    size_t seen = 1;
    uint64_t self;
    uint64_t above = 0;
    uint64_t last = UINT64_MAX;
    snprintf(name, sizeof name, "%s%s%.*s", path, *path ? ";" : "", (int)node->length, node->name);
    assert_int_equal(node->weight, weight_of(name, count, &self));
    assert_int_equal(node->self, self);
    for (uint32_t c = node->child; c != HM_FLAME_NONE; c = tree->nodes[c].sibling) {
        assert_true(tree->nodes[c].weight <= last);
        assert_int_equal(tree->nodes[c].depth, node->depth + 1);
        last = tree->nodes[c].weight;
        above += last;
        seen += check_node(tree, c, name, count);
    }
    assert_int_equal(above + node->self, node->weight);
    return seen;
}

static size_t count_paths(size_t count) {
    size_t paths = 0;
    for (size_t i = 0; i < count; i++)
        for (const char *end = lines[i].stack; end; end = strchr(end + 1, ';')) {
            const char *stop = strchr(end + 1, ';');
            size_t length = stop ? (size_t)(stop - lines[i].stack) : strlen(lines[i].stack);
            bool first = true;
            for (size_t k = 0; k < i && first; k++)
                first = strncmp(lines[k].stack, lines[i].stack, length) != 0 ||
                        (lines[k].stack[length] && lines[k].stack[length] != ';');
            paths += first;
        }
    return paths;
}

/* ---- Tests ---- */

static void test_frames_weigh_what_the_stacks_through_them_do(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        size_t count = draw_lines(seed);
        struct hm_flame_tree tree;
        assert_int_equal(hm_flame_tree_make(&tree, lines, count), 0);
        size_t seen = 1;
        uint64_t all = 0;
        for (uint32_t c = tree.nodes[0].child; c != HM_FLAME_NONE; c = tree.nodes[c].sibling)
            seen += check_node(&tree, c, "", count);
        for (size_t i = 0; i < count; i++)
            all += lines[i].weight;
        assert_int_equal(tree.nodes[0].weight, all);
        assert_int_equal(seen, tree.count);
        assert_int_equal(tree.count, 1 + count_paths(count));
        hm_flame_tree_free(&tree);
    }
}

static void test_tree_of_nothing_is_its_root(void **state) {
    (void)state;
    struct hm_flame_tree tree;
    assert_int_equal(hm_flame_tree_make(&tree, NULL, 0), 0);
    assert_int_equal(tree.count, 1);
    assert_int_equal(tree.nodes[0].weight, 0);
    hm_flame_tree_free(&tree);
}

static void expect_xml(const char *text, const char *xml) {
    char *out = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&out, &size);
    hm_xml_put(file, text, strlen(text));
    assert_int_equal(fclose(file), 0);
    assert_string_equal(out, xml);
    free(out);
}

static void test_xml_is_escaped_and_utf8(void **state) {
    (void)state;
    expect_xml("vector<int>::f(A&&, \"b\")", "vector&lt;int&gt;::f(A&amp;&amp;, &quot;b&quot;)");
    expect_xml("\xC3\xA9t\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA9t\xE2\x82\xAC\xF0\x9F\x98\x80");
    expect_xml("\x1B[31m\x7F", "?[31m?");
    expect_xml("\xFF\x80\xC0\xAF\xED\xA0\x80", "???????");
    expect_xml("\xEF\xBF\xBF\xC2\x9B", "?????");
    expect_xml("a\xE2\x82", "a??");
    expect_xml("\xF4\x90\x80\x80", "????");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_weigh_what_the_stacks_through_them_do),
        cmocka_unit_test(test_tree_of_nothing_is_its_root),
        cmocka_unit_test(test_xml_is_escaped_and_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
