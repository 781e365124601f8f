/* The parts as markdown. */
#include "harness/cli/list_markdown.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

static const char *text_of(const json_t *part, const char *key) {
    const char *text = json_string_value(json_object_get(part, key));
    return text ? text : "";
}

/* What markdown would take for its own. */
static void put_text(FILE *out, const char *text) {
    for (; *text; text++) {
        if (strchr("\\`*<>[]|", *text))
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void put_sentence(FILE *out, const char *label, const char *text, const char *end) {
    if (!*text)
        return;
    fputs(label, out);
    if (!*label && islower((unsigned char)*text))
        fputc(toupper((unsigned char)*text++), out);
    put_text(out, text);
    fputs(end, out);
}

/* As a spec takes it: K, M and G where nothing is lost. */
static void put_number(FILE *out, json_int_t number, bool bytes) {
    static const char suffixes[] = "KMG";
    const json_int_t kilo = bytes ? 1024 : 1000;
    int power = 0;
    while (power < 3 && number >= kilo && number % kilo == 0) {
        number /= kilo;
        power++;
    }
    fprintf(out, "%" JSON_INTEGER_FORMAT, number);
    if (power)
        fputc(suffixes[power - 1], out);
}

static void put_range(FILE *out, const json_t *param, bool bytes) {
    const char *choices = text_of(param, "choices");
    if (*choices)
        put_text(out, choices);
    else if (json_object_get(param, "min")) {
        put_number(out, json_integer_value(json_object_get(param, "min")), bytes);
        fputs(" to ", out);
        put_number(out, json_integer_value(json_object_get(param, "max")), bytes);
    }
}

static void put_param(FILE *out, const json_t *param) {
    const json_t *value = json_object_get(param, "default");
    bool bytes = strcmp(text_of(param, "unit"), "bytes") == 0;
    fprintf(out, "| `%s` | ", text_of(param, "name"));
    if (json_is_integer(value))
        put_number(out, json_integer_value(value), bytes);
    else
        put_text(out, json_string_value(value));
    fputs(" | ", out);
    put_text(out, text_of(param, "unit"));
    fputs(" | ", out);
    put_range(out, param, bytes);
    fputs(" | ", out);
    put_text(out, text_of(param, "help"));
    fputs(" |\n", out);
}

static void put_params(FILE *out, const json_t *params) {
    size_t i;
    const json_t *param;
    if (json_array_size(params))
        fputs("\n| parameter | default | unit | range | meaning |\n|---|---|---|---|---|\n", out);
    json_array_foreach(params, i, param) {
        put_param(out, param);
    }
}

static void put_figures(FILE *out, const json_t *figures) {
    size_t i;
    const json_t *figure;
    if (json_array_size(figures))
        fputs("\n| figure | unit | better | meaning |\n|---|---|---|---|\n", out);
    json_array_foreach(figures, i, figure) {
        fprintf(out, "| `%s` | %s | %s | ", text_of(figure, "name"), text_of(figure, "unit"),
                text_of(figure, "better"));
        put_text(out, text_of(figure, "help"));
        fputs(" |\n", out);
    }
}

static void put_part(FILE *out, const json_t *part) {
    json_int_t most = json_integer_value(json_object_get(part, "max_threads"));
    fprintf(out, "\n### %s\n\n", text_of(part, "name"));
    put_sentence(out, "", text_of(part, "summary"), ".\n\n");
    put_sentence(out, "- stresses: ", text_of(part, "stresses"), "\n");
    put_sentence(out, "- origin: ", text_of(part, "origin"), "\n");
    put_sentence(out, "- one operation: ", text_of(part, "op"), "\n");
    if (most)
        fprintf(out, "- threads: at most %" JSON_INTEGER_FORMAT "\n", most);
    put_params(out, json_object_get(part, "params"));
    put_figures(out, json_object_get(part, "figures"));
}

/* Those of one kind of workload; NULL: parts that have no kind. */
static void put_section(FILE *out, const char *title, const json_t *parts, const char *kind) {
    size_t i;
    const json_t *part;
    bool empty = true;
    json_array_foreach(parts, i, part) {
        const char *own = json_string_value(json_object_get(part, "kind"));
        if (kind ? !own || strcmp(own, kind) != 0 : own != NULL)
            continue;
        if (empty)
            fprintf(out, "## %c%s%s%s\n", toupper((unsigned char)*(kind ? kind : title)),
                    (kind ? kind : title) + 1, kind ? " " : "", kind ? title : "");
        empty = false;
        put_part(out, part);
    }
    if (!empty)
        fputc('\n', out);
}

void hm_list_markdown(FILE *out, const json_t *all) {
    static const char *const kinds[] = {NULL, "heap", "object", "thread", "process"};
    const char *title;
    const json_t *parts;
    json_object_foreach((json_t *)all, title, parts) {
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
            put_section(out, title, parts, kinds[i]);
    }
}
