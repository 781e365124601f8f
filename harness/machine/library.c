/* Finds a shared library by its file name, as the loader would. */
#include "harness/machine/elf.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

enum {
    INCLUDES_DEEP = 8, /* a file that includes itself ends here */
};

/* The last one has clang's runtime libraries, which no loader searches. */
static const char standard_folders[] =
    "{{/usr/local/lib,/lib,/usr/lib,/lib64,/usr/lib64}{/*-linux-*,},"
    "/usr/lib/llvm-*/lib/clang/*/lib/linux}";

struct search {
    const char *soname;
    char *path;
    size_t size;
};

/* Linker scripts and libraries for other machines have the same names: the file decides. */
static int try_folder(const struct search *s, const char *folder) {
    char candidate[PATH_MAX];
    struct hm_elf elf;
    struct hm_error error;
    int length = snprintf(candidate, sizeof candidate, "%s/%s", folder, s->soname);
    if (strchr(s->soname, '/') || length >= (int)sizeof candidate || (size_t)length >= s->size)
        return ENOENT;
    if (hm_elf_inspect(candidate, &elf, &error))
        return ENOENT;
    memcpy(s->path, candidate, (size_t)length + 1);
    return 0;
}

static int try_conf(const struct search *s, const char *conf, unsigned depth);

/* A pattern without a leading slash is relative to the folder of the file that it stands in. */
static int try_include(const struct search *s, const char *conf, const char *pattern,
                       unsigned depth) {
    char whole[PATH_MAX];
    glob_t found;
    const char *slash = strrchr(conf, '/');
    int folder = pattern[0] != '/' && slash ? (int)(slash + 1 - conf) : 0;
    int length = snprintf(whole, sizeof whole, "%.*s%s", folder, conf, pattern);
    if (length >= (int)sizeof whole || glob(whole, 0, NULL, &found))
        return ENOENT;
    int bad = ENOENT;
    for (size_t i = 0; bad && i < found.gl_pathc; i++)
        bad = try_conf(s, found.gl_pathv[i], depth + 1);
    globfree(&found);
    return bad;
}

static int try_line(const struct search *s, const char *conf, char *line, unsigned depth) {
    static const char include[] = "include";
    line[strcspn(line, "#\n")] = '\0';
    line += strspn(line, " \t");
    size_t length = strlen(line);
    while (length && isspace((unsigned char)line[length - 1]))
        line[--length] = '\0';
    size_t word = strcspn(line, " \t");
    if (word == sizeof include - 1 && memcmp(line, include, word) == 0)
        return try_include(s, conf, line + word + strspn(line + word, " \t"), depth);
    return line[0] == '/' ? try_folder(s, line) : ENOENT;
}

static int try_conf(const struct search *s, const char *conf, unsigned depth) {
    FILE *in = depth < INCLUDES_DEEP ? fopen(conf, "re") : NULL;
    if (!in)
        return ENOENT;
    int bad = ENOENT;
    char *line = NULL;
    size_t room = 0;
    while (bad && getline(&line, &room, in) >= 0)
        bad = try_line(s, conf, line, depth);
    free(line);
    fclose(in);
    return bad;
}

int hm_library_find_by(const char *conf, const char *soname, char *path, size_t size) {
    const struct search s = {soname, path, size};
    return try_conf(&s, conf, 0);
}

int hm_library_find(const char *soname, char *path, size_t size) {
    const struct search s = {soname, path, size};
    glob_t folders;
    int bad = hm_library_find_by("/etc/ld.so.conf", soname, path, size);
    if (!bad || glob(standard_folders, GLOB_BRACE, NULL, &folders))
        return bad;
    for (size_t i = 0; bad && i < folders.gl_pathc; i++)
        bad = try_folder(&s, folders.gl_pathv[i]);
    globfree(&folders);
    return bad;
}
