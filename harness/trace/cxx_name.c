/* C++ names without types. Brackets are counted and not understood: all that matters is where a name's own
 * parts are. The brackets of operators are no brackets, and `(anonymous namespace)` is no parameter. */
#include "harness/trace/cxx_name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define ANONYMOUS "(anonymous namespace)"
#define OPERATOR  "operator"

static bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

static bool is_part_of_word(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || letter == '_';
}

/* Bytes up to the bracket that closes the first one; 0: none does. */
static size_t bracketed(const char *text, char open, char close) {
    int depth = 0;
    for (size_t i = 0; text[i]; i++) {
        depth += text[i] == open;
        depth -= text[i] == close;
        if (!depth)
            return i + 1;
    }
    return 0;
}

/* Bytes of `operator<<`, `operator()` or `operator new`. */
static size_t operator_bytes(const char *text) {
    static const char *const signs[] = {"<=>", "<<=", ">>=", "->*", "<<", ">>", "<=", ">=", "->",
                                        "()",  "[]",  "==",  "!=",  "&&", "||", "++", "--", "+=",
                                        "-=",  "*=",  "/=",  "%=",  "^=", "&=", "|="};
    size_t length = strlen(OPERATOR);
    if (text[length] == ' ')
        return length + 1 + strcspn(text + length + 1, "(<");
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (begins(text + length, signs[i]))
            return length + strlen(signs[i]);
    return length + (text[length] && strchr("<>=!+-*/%^&|~,", text[length]));
}

/* How many bytes from here stand in the name as they are; 0: brackets with types begin. */
static size_t own_bytes(const char *name, const char *at) {
    bool at_word = at == name || !is_part_of_word(at[-1]);
    if (begins(at, ANONYMOUS))
        return strlen(ANONYMOUS);
    if (at_word && begins(at, OPERATOR) && !is_part_of_word(at[strlen(OPERATOR)]))
        return operator_bytes(at);
    if (*at == '{')
        return bracketed(at, '{', '}');
    return *at != '<' && *at != '(';
}

/* What is behind brackets with parameters: the end, or more of the name, as with lambdas and decltype.
 * @return NULL: the name ends here */
static const char *behind_parameters(const char *at) {
    static const char *const qualifiers[] = {" const", " volatile", " &&", " &"};
    size_t length = bracketed(at, '(', ')');
    if (!length)
        return NULL;
    at += length;
    for (size_t i = 0; i < sizeof qualifiers / sizeof *qualifiers; i++)
        if (begins(at, qualifiers[i]))
            at += strlen(qualifiers[i]);
    return *at && !begins(at, " [") ? at : NULL;
}

/* @param out room for the name  @return where the name begins there, behind the type of its result; NULL: what
 * this is can not be told */
static const char *shorten(const char *name, char *out) {
    const char *begin = out;
    for (const char *at = name; at && *at;) {
        at += begins(at, " <"); /* an operator's own types */
        size_t own = own_bytes(name, at);
        if (own == 1 && *at == ' ')
            begin = out + 1;
        memcpy(out, at, own);
        out += own;
        at += own;
        if (own)
            continue;
        size_t types = *at == '<' ? bracketed(at, '<', '>') : 0;
        if (*at != '(' && !types)
            return NULL;
        at = types ? at + types : behind_parameters(at);
    }
    *out = '\0';
    return begin < out ? begin : NULL;
}

void hm_cxx_shorten(char *name) {
    char *room = malloc(strlen(name) + 1);
    const char *begin = room ? shorten(name, room) : NULL;
    if (begin)
        memmove(name, begin, strlen(begin) + 1);
    free(room);
}
