/* C++ names without types: what c++filt prints, and what is left of it. */
#include "harness/trace/cxx_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
    const char *whole, *left;
} names[] = {
    {"fill(std::map<int, Node>&)", "fill"},
    {"main", "main"},
    {"std::vector<int, std::allocator<int> >::_M_realloc_insert(int*)",
     "std::vector::_M_realloc_insert"},
    {"void std::sort<int*>(int*, int*)", "std::sort"},
    {"std::pair<a, b> const& f<c>(d)", "f"},
    {"operator new(unsigned long)", "operator new"},
    {"operator new[](unsigned long, std::align_val_t)", "operator new[]"},
    {"A::operator()(int) const", "A::operator()"},
    {"std::ostream& operator<< <char>(std::ostream&, char)", "operator<<"},
    {"bool operator< <int>(A<int> const&, A<int> const&)", "operator<"},
    {"std::basic_string<char> std::operator+<char>(char const*)", "std::operator+"},
    {"A<(B)1>::operator->() const", "A::operator->"},
    {"A::operator std::vector<int>() const", "A::operator std::vector"},
    {"operator_name(int)", "operator_name"},
    {"my_operator<int>::f()", "my_operator::f"},
    {"(anonymous namespace)::f(int)", "(anonymous namespace)::f"},
    {"int a::(anonymous namespace)::g<int>(int) [clone .cold]", "a::(anonymous namespace)::g"},
    {"main::{lambda(int)#1}::operator()(int) const", "main::{lambda(int)#1}::operator()"},
    {"A::f(int) const::{lambda()#1}::operator()() const", "A::f::{lambda()#1}::operator()"},
    {"decltype (g(1)) h<int>(int)", "h"},
    {"A::~A()", "A::~A"},
    {"f() &&", "f"},
    /* no sense can be made of these */
    {"void (*f(int))(char)", "void (*f(int))(char)"},
    {"a<b", "a<b"},
    {"a{b", "a{b"},
    {"(", "("},
    {"", ""},
    {" ", " "},
    {"f<int>(<", "f"},
};

static void test_types_are_left_out(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[256];
        snprintf(name, sizeof name, "%s", names[i].whole);
        hm_cxx_shorten(name);
        assert_string_equal(name, names[i].left);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
