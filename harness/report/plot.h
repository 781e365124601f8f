/* Draws the figures of a run with gnuplot: each script of the plots folder but style.gp is one. */
#ifndef HM_HARNESS_REPORT_PLOT_H
#define HM_HARNESS_REPORT_PLOT_H

#include "harness/error.h"

#include <stdbool.h>

enum hm_plot_format {
    HM_PLOT_SVG = 1,
    HM_PLOT_PNG = 2,
    HM_PLOT_FILES = HM_PLOT_SVG | HM_PLOT_PNG,
    HM_PLOT_TERM = 4, /* as text to stdout, 80 columns */
};

struct hm_plot_options {
    const char *figure; /* NULL: all */
    enum hm_plot_format format;
    const char *plots_dir; /* where the scripts are */
    bool colour;           /* HM_PLOT_TERM with ANSI colours */
    /** Called for each file that stands now (path below run_dir), and once for each figure that
     * this run has no data for (reason). The other one is NULL. May be NULL. */
    void (*tell)(void *arg, const char *figure, const char *path, const char *reason);
    void *arg;
};

/** Draw figures into run_dir/plots/NAME.svg and .png, or to stdout. An old file stays as it is
 * until the new one is complete, and goes when there is nothing to draw. Figures after a failed one
 * are drawn all the same. Main thread; runs gnuplot as a child, without a shell.
 *  @param run_dir has stats.csv
 *  @return 0; ENOENT when there is no gnuplot; EINVAL when run_dir is no run, a file is malformed,
 * or the figure is unknown; EIO when a script failed; or an errno of the file system; with one line
 */
int hm_plot_run(const char *run_dir, const struct hm_plot_options *options, struct hm_error *error);

/** Draw one script that is no figure of a run, as run_dir/plots/FIGURE.svg and .png.
 *  @param script below options->plots_dir  @param context gnuplot statements that it finds executed
 *  @param options its figure is the name of the files; files only
 *  @return as hm_plot_run */
int hm_plot_sheet(const char *run_dir, const char *script, const char *context,
                  const struct hm_plot_options *options, struct hm_error *error);

/** Call back for each figure, by name, with the title in the first line of its script.
 *  @return 0, or an errno when the folder can not be read */
int hm_plot_list(const char *plots_dir,
                 void (*found)(void *arg, const char *name, const char *title), void *arg);

#endif
