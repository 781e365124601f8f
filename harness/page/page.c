/* report.html of a run. */
#include "harness/page/page.h"

#include "harness/page/put.h"
#include "harness/results/folder.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

static int put_part(FILE *out, const struct hm_page_options *options, const char *tag,
                    const char *file, struct hm_error *error) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", options->parts_dir, file);
    fprintf(out, "<%s>\n", tag);
    int bad = hm_put_file(out, path, error);
    fprintf(out, "</%s>\n", tag);
    return bad;
}

static void put_title(FILE *out, const struct hm_page_run *run) {
    hm_put_text(out, *hm_page_text(run->json, "run") ? hm_page_text(run->json, "run") : "run");
}

static int put_head(FILE *out, const struct hm_page_run *run, const struct hm_page_options *options,
                    struct hm_error *error) {
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"generator\" content=\"heapmark\"><link rel=\"icon\" "
          "href=\"data:,\">\n<title>heapmark: ",
          out);
    put_title(out, run);
    fputs("</title>\n", out);
    int bad = put_part(out, options, "style", "style.css", error);
    fputs("</head>\n<body>\n", out);
    return bad;
}

static void put_header(FILE *out, const struct hm_page_run *run) {
    static const char *const sections[][2] = {
        {"verdict", "Verdict"},     {"figures", "Figures"},   {"metrics", "All metrics"},
        {"failed", "Not measured"}, {"warnings", "Warnings"}, {"method", "Method"},
        {"machine", "Machine"},     {"repeat", "Repeat it"}};
    const json_t *machine = json_object_get(run->json, "machine");
    size_t warnings = json_array_size(json_object_get(run->json, "warnings"));
    fputs("<a class=\"skip\" href=\"#verdict\">To the verdict</a>\n<header><h1>heapmark <span>",
          out);
    put_title(out, run);
    fputs("</span></h1>\n<p>", out);
    hm_put_text(out, hm_page_text(run->json, "started_utc"));
    fputs(" on ", out);
    hm_put_text(out, hm_page_text(machine, "cpu_model"));
    fprintf(out, ", %lld rounds, mode ",
            (long long)json_integer_value(json_object_get(run->json, "rounds")));
    hm_put_text(out, hm_page_text(run->json, "mode"));
    fprintf(
        out,
        "; <a href=\"#failed\">%zu not measured</a>, <a href=\"#warnings\">%zu warning%s</a></p>\n",
        run->failure_count, warnings, warnings == 1 ? "" : "s");
    fputs("<nav aria-label=\"Sections\"><ul>", out);
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        fprintf(out, "<li><a href=\"#%s\">%s</a></li>", sections[i][0], sections[i][1]);
    fputs("</ul></nav></header>\n<main>\n", out);
}

static int put_page(FILE *out, const struct hm_page_run *run, const char *folder,
                    const struct hm_page_options *options, struct hm_error *error) {
    int bad = put_head(out, run, options, error);
    put_header(out, run);
    if (!bad && hm_page_put_verdict(out, run))
        bad = hm_fail(error, ENOMEM, "out of memory");
    if (!bad)
        bad = hm_page_put_figures(out, run, folder, options->plots_dir, error);
    hm_page_put_tables(out, run);
    hm_page_put_about(out, run);
    fputs("</main>\n", out);
    if (!bad)
        bad = put_part(out, options, "script", "script.js", error);
    fputs("</body></html>\n", out);
    return bad;
}

static int put_markdown(FILE *out, const struct hm_page_run *run, const char *folder,
                        const struct hm_page_options *options, struct hm_error *error) {
    (void)folder;
    (void)options;
    return hm_page_put_markdown(out, run) ? hm_fail(error, ENOMEM, "out of memory") : 0;
}

typedef int put_fn(FILE *, const struct hm_page_run *, const char *, const struct hm_page_options *,
                   struct hm_error *);

static int write_file(const char *name, put_fn *put, const struct hm_page_run *run,
                      const char *folder, const struct hm_page_options *options,
                      struct hm_error *error) {
    char path[PATH_MAX];
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return hm_fail(error, ENOMEM, "out of memory");
    int bad = put(out, run, folder, options, error);
    if (fclose(out) && !bad)
        bad = hm_fail(error, ENOMEM, "out of memory");
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!bad)
        bad = hm_file_replace(path, text, size, error);
    free(text);
    return bad;
}

int hm_page_write(const char *folder, const struct hm_page_options *options,
                  struct hm_error *error) {
    struct hm_page_run run = {0};
    int bad = hm_page_run_read(&run, folder, error);
    if (!bad)
        bad = write_file("report.html", put_page, &run, folder, options, error);
    if (!bad)
        bad = write_file("report.md", put_markdown, &run, folder, options, error);
    hm_page_run_free(&run);
    return bad;
}
