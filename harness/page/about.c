/* What a reader must know to judge a run, and to repeat it. */
#include "harness/page/page.h"
#include "harness/page/put.h"

#include "harness/stats/verdict.h"

#include <stdlib.h>
#include <string.h>

static void put_warnings(FILE *out, const struct hm_page_run *run) {
    const json_t *warnings = json_object_get(run->json, "warnings");
    const char *doubt = hm_page_text(run->json, "doubt");
    size_t i;
    json_t *warning;
    fputs("<section id=\"warnings\"><h2>Warnings</h2>\n", out);
    if (!json_array_size(warnings) && !*doubt)
        fputs("<p>None.</p>\n", out);
    if (*doubt) {
        fputs("<p class=\"doubt\">These numbers are not to be trusted: ", out);
        hm_put_text(out, doubt);
        fputs(".</p>\n", out);
    }
    if (json_array_size(warnings))
        fputs("<ul>\n", out);
    json_array_foreach(warnings, i, warning) {
        fputs("<li>", out);
        hm_put_text(out, json_string_value(warning) ? json_string_value(warning) : "");
        fputs("</li>\n", out);
    }
    fputs(json_array_size(warnings) ? "</ul></section>\n" : "</section>\n", out);
}

static void put_failures(FILE *out, const struct hm_page_run *run) {
    fputs("<section id=\"failed\"><h2>Not measured</h2>\n", out);
    if (!run->failure_count) {
        fputs("<p>No cell failed or was skipped.</p></section>\n", out);
        return;
    }
    fputs("<p>These cells are in no mean, no ratio and no figure.</p>\n"
          "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Not measured\">"
          "<table class=\"sortable\"><caption class=\"unseen\">Cells that were not "
          "measured</caption><thead><tr>"
          "<th scope=\"col\">cell</th><th scope=\"col\">status</th><th scope=\"col\">reason</th>"
          "<th scope=\"col\">times</th></tr></thead><tbody>\n",
          out);
    for (size_t i = 0; i < run->failure_count; i++) {
        const struct hm_page_failure *f = &run->failures[i];
        const char *texts[] = {f->cell, f->status, f->reason};
        fputs("<tr>", out);
        for (size_t t = 0; t < 3; t++) {
            fputs("<td>", out);
            hm_put_text(out, texts[t]);
            fputs("</td>", out);
        }
        fprintf(out, "<td class=\"number\">%zu</td></tr>\n", f->rounds);
    }
    fputs("</tbody></table></div></section>\n", out);
}

static void put_sample(FILE *out, const struct hm_page_run *run) {
    long long rounds = json_integer_value(json_object_get(run->json, "rounds"));
    double turn_ms = json_number_value(json_object_get(run->json, "turn_ms"));
    const json_t *first = json_array_get(json_object_get(run->json, "workloads"), 0);
    if (json_object_get(first, "program")) {
        fprintf(out,
                "<li>A program is run in up to %lld rounds, after once that is not counted. The "
                "run is the sample.</li>\n",
                rounds);
        return;
    }
    fprintf(out,
            "<li>Each cell is a fresh, warmed-up process in each of up to %lld rounds. The process "
            "is the sample. All arms of a workload do the very same operations, which a checksum "
            "proves.</li>\n",
            rounds);
    if (turn_ms > 0)
        fprintf(out,
                "<li>Where time is measured, the arms of a workload live at once and take turns of "
                "%g ms in random order, as far as memory allows.</li>\n",
                turn_ms);
}

/* A run with looks has judged several times, each time at a part of the 5 %. */
static void put_method(FILE *out, const struct hm_page_run *run) {
    const json_t *looks = json_object_get(run->json, "looks");
    size_t count = json_array_size(looks);
    double level =
        count ? json_number_value(json_object_get(json_array_get(looks, 0), "level")) : HM_LEVEL;
    fputs("<section id=\"method\"><h2>Method in short</h2>\n", out);
    if (!run->json) {
        fputs("<p>Not known: run.json is missing.</p></section>\n", out);
        return;
    }
    fputs("<ul>\n", out);
    put_sample(out, run);
    fprintf(out,
            "<li>Arms are compared within a round, in random order: a ratio is the median over the "
            "rounds, with its exact order-statistic interval at %.4g\xE2\x80\xAF%%.</li>\n"
            "<li>Faster and slower need the whole interval beyond the margin of %g\xE2\x80\xAF%% "
            "and beyond what identical arms differed by, and p at most %.3g after "
            "Holm\xE2\x80\x99s correction over all comparisons of the metric. Equivalent means "
            "the interval is within the margin; all else is inconclusive.</li>\n",
            100 * (1 - level), 100 * json_number_value(json_object_get(run->json, "margin")),
            level);
    if (count)
        fprintf(out,
                "<li>The run stopped by itself: up to %zu looks at the data share the "
                "5\xE2\x80\xAF%%. What has a fixed, small number of rounds (space) is judged "
                "once, at 95\xE2\x80\xAF%%.</li>\n",
                count);
    fputs(
        "<li>Time, space, latency and counts come from processes of their own. Instruction counts "
        "have no test: their interval is from the least to the greatest. A cell that failed is "
        "in no number.</li>\n</ul></section>\n",
        out);
}

static void put_fact(FILE *out, const char *name, const json_t *value) {
    char *text = json_is_string(value) ? strdup(json_string_value(value))
                                       : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    fputs("<tr><th scope=\"row\">", out);
    hm_put_text(out, name);
    fputs("</th><td>", out);
    hm_put_text(out, text ? text : "");
    fputs("</td></tr>\n", out);
    free(text);
}

static void put_facts(FILE *out, const json_t *object, const char *caption) {
    const char *name;
    json_t *value;
    fprintf(out, "<details><summary>%s</summary><table class=\"facts\"><tbody>\n", caption);
    json_object_foreach((json_t *)object, name, value) put_fact(out, name, value);
    fputs("</tbody></table></details>\n", out);
}

static void put_machine(FILE *out, const struct hm_page_run *run) {
    const json_t *machine = json_object_get(run->json, "machine");
    fputs("<section id=\"machine\"><h2>Machine</h2>\n<p>", out);
    hm_put_text(out, hm_page_text(machine, "cpu_model"));
    fprintf(out, ", %lld cores, ",
            (long long)json_integer_value(json_object_get(machine, "cores")));
    hm_put_quantity(out, (double)json_integer_value(json_object_get(machine, "memory_bytes")),
                    "bytes");
    fputs(", ", out);
    hm_put_text(out, hm_page_text(machine, "os"));
    fputs(", Linux ", out);
    hm_put_text(out, hm_page_text(machine, "kernel"));
    fputs(", glibc ", out);
    hm_put_text(out, hm_page_text(machine, "glibc"));
    fputs(".</p>\n", out);
    put_facts(out, machine, "All that was recorded of it");
    put_facts(out, json_object_get(run->json, "build"), "How heapmark was built");
    fputs("</section>\n", out);
}

/* As a shell takes it. */
static void put_word(FILE *out, const char *word) {
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./%@";
    if (*word && strspn(word, plain) == strlen(word)) {
        hm_put_text(out, word);
        return;
    }
    fputc('\'', out);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", out);
        else
            hm_put_text(out, (const char[]){*word, 0});
    fputc('\'', out);
}

static void put_repeat(FILE *out, const struct hm_page_run *run) {
    const json_t *arguments = json_object_get(run->json, "arguments");
    size_t i;
    json_t *word;
    fputs("<section id=\"repeat\"><h2>Repeat it</h2>\n<pre><code>heapmark", out);
    json_array_foreach(arguments, i, word) {
        fputc(' ', out);
        put_word(out, json_string_value(word) ? json_string_value(word) : "");
    }
    fputs("</code></pre>\n<p>heapmark ", out);
    hm_put_text(out, hm_page_text(json_object_get(run->json, "build"), "version"));
    fprintf(out,
            ", seed %lld. <code>heapmark compare</code> tells whether another run differs.</p>\n"
            "</section>\n",
            (long long)json_integer_value(json_object_get(run->json, "seed")));
}

void hm_page_put_about(FILE *out, const struct hm_page_run *run) {
    put_failures(out, run);
    put_warnings(out, run);
    put_method(out, run);
    if (run->json) {
        put_machine(out, run);
        put_repeat(out, run);
        return;
    }
    fputs("<section id=\"machine\"><h2>Machine</h2>\n<p>Not known: run.json is "
          "missing.</p></section>\n"
          "<section id=\"repeat\"><h2>Repeat it</h2>\n<p>Not known: run.json is "
          "missing.</p></section>\n",
          out);
}
