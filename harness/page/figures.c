/* The figures of a run, within the page. */
#include "harness/page/page.h"
#include "harness/page/put.h"

#include "harness/report/plot.h"

#include <limits.h>
#include <unistd.h>

struct gallery {
    FILE *out;
    const char *folder;
    size_t count;
    int bad;
    struct hm_error *error;
};

/* An <img> keeps a figure's names, styles and scripts, if it had any, to itself. */
static void take_figure(void *arg, const char *name, const char *title) {
    struct gallery *g = arg;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/plots/%s.svg", g->folder, name);
    if (g->bad || access(path, R_OK))
        return;
    g->count++;
    fputs("<figure id=\"figure-", g->out);
    hm_put_text(g->out, name);
    fputs("\"><img alt=\"", g->out);
    hm_put_text(g->out, title);
    fputs(". The values are in the table of all metrics.\" src=\"data:image/svg+xml;base64,",
          g->out);
    g->bad = hm_put_base64_file(g->out, path, g->error);
    fputs("\"><figcaption>", g->out);
    hm_put_text(g->out, title);
    fputs("</figcaption></figure>\n", g->out);
}

int hm_page_put_figures(FILE *out, const struct hm_page_run *run, const char *folder,
                        const char *plots_dir, struct hm_error *error) {
    struct gallery g = {.out = out, .folder = folder, .error = error};
    (void)run;
    fputs("<section id=\"figures\"><h2>Figures</h2>\n", out);
    int bad = hm_plot_list(plots_dir, take_figure, &g);
    if (!g.count)
        fputs(
            "<p>None were drawn: <code>heapmark plot</code> draws them where gnuplot is installed, "
            "and then <code>heapmark report</code> shows them here.</p>\n",
            out);
    fputs("</section>\n", out);
    return g.bad ? g.bad : bad;
}
