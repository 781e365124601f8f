/* Runs gnuplot on the scripts of the plots folder.
 *
 * A script is run in the folder of the run, after plots/context.gp and style.gp, and finds in
 * `format`, `output` and `colour` what to draw. It ends with the status EXIT_NO_DATA and one line
 * on stderr when this run has nothing for it. */
#include "harness/report/plot.h"

#include "harness/report/context.h"
#include "harness/results/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    EXIT_NO_DATA = 77,
    EXIT_NO_GNUPLOT = 127, /* of our own child; gnuplot has no such status */
    NO_DATA = -1,          /* among our errnos */
};

/* One drawing: a figure in a format. Paths are relative to the folder of the run. */
struct drawing {
    const char *run_dir;
    const struct hm_plot_options *options;
    const char *figure;
    const char *format;
    char script[PATH_MAX], style[PATH_MAX];
    char final[NAME_MAX + 16], partial[NAME_MAX + 32];
    char complaints[4096]; /* the begin of what gnuplot wrote to stderr */
};

static int is_script(const struct dirent *entry) {
    size_t length = strlen(entry->d_name);
    return length > 3 && entry->d_name[0] != '.' &&
           strcmp(entry->d_name + length - 3, ".gp") == 0 && strcmp(entry->d_name, "style.gp") != 0;
}

static void read_title(const char *path, char *title, size_t size) {
    *title = '\0';
    FILE *in = fopen(path, "re");
    if (!in)
        return;
    if (!fgets(title, (int)size, in))
        *title = '\0';
    fclose(in);
    title[strcspn(title, "\r\n")] = '\0';
    size_t mark = strspn(title, "# ");
    memmove(title, title + mark, strlen(title + mark) + 1);
}

int hm_plot_list(const char *plots_dir,
                 void (*found)(void *arg, const char *name, const char *title), void *arg) {
    struct dirent **entries;
    int count = scandir(plots_dir, &entries, is_script, alphasort);
    if (count < 0)
        return errno;
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        char title[256];
        char *name = entries[i]->d_name;
        snprintf(path, sizeof path, "%s/%s", plots_dir, name);
        read_title(path, title, sizeof title);
        name[strlen(name) - 3] = '\0';
        found(arg, name, title);
        free(entries[i]);
    }
    free(entries);
    return 0;
}

/* gnuplot's child: never returns. */
static void exec_gnuplot(const struct drawing *d, const char *settings, int complaints) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(complaints, STDERR_FILENO) < 0 || chdir(d->run_dir))
        _exit(EXIT_FAILURE);
    char *argv[] = {
        "gnuplot",         "-d", "-e", (char *)settings, "plots/context.gp", (char *)d->style,
        (char *)d->script, NULL};
    execvp(argv[0], argv);
    _exit(EXIT_NO_GNUPLOT);
}

static void read_complaints(struct drawing *d, int from) {
    size_t length = 0;
    char rest[512];
    for (ssize_t got = 1; got > 0 || (got < 0 && errno == EINTR);) {
        bool full = length == sizeof d->complaints - 1;
        got = read(from, full ? rest : d->complaints + length,
                   full ? sizeof rest : sizeof d->complaints - 1 - length);
        if (!full && got > 0)
            length += (size_t)got;
    }
    d->complaints[length] = '\0';
}

/* @return gnuplot's exit status; above 128 when a signal killed it, -1 when it could not be started */
static int run_gnuplot(struct drawing *d, const char *settings) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return -1;
    pid_t child = fork();
    if (child == 0)
        exec_gnuplot(d, settings, ends[1]);
    close(ends[1]);
    if (child > 0)
        read_complaints(d, ends[0]);
    close(ends[0]);
    int status = -1;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (child < 0)
        return -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* gnuplot's error is `"FILE" line N: what`; the statement and a caret stand before it. */
static const char *first_complaint(struct drawing *d) {
    char *rest = d->complaints;
    char *first = NULL;
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (!first && line[strspn(line, " \t")])
            first = line;
        if (*line == '"' && strstr(line, " line "))
            return line;
    }
    return first ? first : "ended without a reason";
}

static const char *last_complaint(struct drawing *d) {
    char *end = d->complaints + strlen(d->complaints);
    while (end > d->complaints && end[-1] == '\n')
        *--end = '\0';
    char *newline = strrchr(d->complaints, '\n');
    return newline ? newline + 1 : d->complaints;
}

/* `format`, `output` and `colour`, as gnuplot statements. The caller frees. */
static char *settings_of(const struct drawing *d) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fprintf(out, "format = '%s'; colour = %d; output = ", d->format, d->options->colour);
    hm_context_put_text(out, d->partial);
    if (fclose(out)) {
        free(text);
        return NULL;
    }
    return text;
}

static const char *path_of(const struct drawing *d, const char *file, char out[PATH_MAX]) {
    snprintf(out, PATH_MAX, "%s/%s", d->run_dir, file);
    return out;
}

/* gnuplot begins each page of text with a form feed, and fills its lines with blanks. */
static void put_page(FILE *in) {
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    while ((length = getline(&line, &room, in)) >= 0) {
        char *begin = *line == '\f' ? line + 1 : line;
        char *end = line + length;
        while (end > begin && strchr(" \n", end[-1]))
            end--;
        *end = '\0';
        puts(begin);
    }
    free(line);
    fflush(stdout);
}

static int finish(const struct drawing *d, struct hm_error *error) {
    char partial[PATH_MAX];
    char final[PATH_MAX];
    path_of(d, d->partial, partial);
    path_of(d, d->final, final);
    if (d->options->format == HM_PLOT_TERM) {
        FILE *in = fopen(partial, "re");
        if (!in)
            return hm_fail(error, errno, "%s: %s", partial, strerror(errno));
        put_page(in);
        fclose(in);
        unlink(partial);
        return 0;
    }
    if (rename(partial, final))
        return hm_fail(error, errno, "%s: %s", final, strerror(errno));
    if (d->options->tell)
        d->options->tell(d->options->arg, d->figure, final, NULL);
    return 0;
}

/* @return 0, NO_DATA, or an errno with one line */
static int draw(struct drawing *d, struct hm_error *error) {
    char path[PATH_MAX];
    char *settings = settings_of(d);
    if (!settings)
        return hm_fail(error, ENOMEM, "%s: out of memory", d->run_dir);
    int status = run_gnuplot(d, settings);
    free(settings);
    if (status == 0)
        return finish(d, error);
    unlink(path_of(d, d->partial, path));
    if (status == EXIT_NO_GNUPLOT)
        return hm_fail(error, ENOENT, "no figures: gnuplot is not installed (gnuplot-nox)");
    if (status > 128)
        return hm_fail(error, EIO, "figure %s: gnuplot was killed by signal %d", d->figure,
                       status - 128);
    if (status != EXIT_NO_DATA)
        return hm_fail(error, EIO, "figure %s: gnuplot: %s", d->figure, first_complaint(d));
    unlink(path_of(d, d->final, path));
    return NO_DATA;
}

static int draw_figure(struct drawing *d, struct hm_error *error) {
    static const struct {
        enum hm_plot_format format;
        const char *name;
    } formats[] = {{HM_PLOT_SVG, "svg"}, {HM_PLOT_PNG, "png"}, {HM_PLOT_TERM, "term"}};
    int bad = 0;
    bool told = false;
    for (size_t i = 0; !bad && i < sizeof formats / sizeof *formats; i++) {
        if (!(d->options->format & formats[i].format))
            continue;
        d->format = formats[i].name;
        snprintf(d->final, sizeof d->final, "plots/%.*s.%s", NAME_MAX, d->figure, d->format);
        snprintf(d->partial, sizeof d->partial, "plots/.%.*s.%s.%d", NAME_MAX, d->figure, d->format,
                 (int)getpid());
        bad = draw(d, error);
        if (bad == NO_DATA) {
            bad = 0;
            if (!told && d->options->tell)
                d->options->tell(d->options->arg, d->figure, NULL, last_complaint(d));
            told = true;
        }
    }
    return bad;
}

static int keep_context(const char *run_dir, const char *text, struct hm_error *error) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/plots", run_dir);
    if (mkdir(path, 0777) && errno != EEXIST)
        return hm_fail(error, errno, "%s: %s", path, strerror(errno));
    snprintf(path, sizeof path, "%s/plots/context.gp", run_dir);
    return hm_file_replace(path, text, strlen(text), error);
}

static int write_context(const char *run_dir, struct hm_error *error) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    int bad = out ? hm_context_write(run_dir, out, error)
                  : hm_fail(error, ENOMEM, "%s: out of memory", run_dir);
    if (out && fclose(out) && !bad)
        bad = hm_fail(error, ENOMEM, "%s: out of memory", run_dir);
    if (!bad)
        bad = keep_context(run_dir, text, error);
    free(text);
    return bad;
}

struct batch {
    struct drawing drawing;
    struct hm_error *error;
    int bad;
    bool found;
};

/* The first error is kept; without gnuplot there is nothing to try again. */
static void draw_one(void *arg, const char *name, const char *title) {
    (void)title;
    struct batch *b = arg;
    struct drawing *d = &b->drawing;
    struct hm_error error;
    if (b->bad == ENOENT || (d->options->figure && strcmp(d->options->figure, name) != 0))
        return;
    b->found = true;
    d->figure = name;
    snprintf(d->script, sizeof d->script, "%.*s/%s.gp",
             (int)(strlen(d->style) - strlen("/style.gp")), d->style, name);
    int bad = draw_figure(d, &error);
    if (!bad || b->bad)
        return;
    b->bad = bad;
    *b->error = error;
}

int hm_plot_run(const char *run_dir, const struct hm_plot_options *options,
                struct hm_error *error) {
    struct batch b = {.drawing = {.run_dir = run_dir, .options = options}, .error = error};
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/stats.csv", run_dir);
    if (access(path, R_OK))
        return hm_fail(error, EINVAL, "%s: %s: not a run's folder", path, strerror(errno));
    snprintf(path, sizeof path, "%s/style.gp", options->plots_dir);
    if (!realpath(path, b.drawing.style))
        return hm_fail(error, EINVAL, "%s: %s", path, strerror(errno));
    int bad = write_context(run_dir, error);
    if (bad)
        return bad;
    fflush(stdout);
    bad = hm_plot_list(options->plots_dir, draw_one, &b);
    if (bad)
        return hm_fail(error, bad, "%s: %s", options->plots_dir, strerror(bad));
    if (!b.found)
        return hm_fail(error, EINVAL, "no figure is named '%s'",
                       options->figure ? options->figure : "");
    return b.bad;
}

int hm_plot_sheet(const char *run_dir, const char *script, const char *context,
                  const struct hm_plot_options *options, struct hm_error *error) {
    struct drawing d = {.run_dir = run_dir, .options = options, .figure = options->figure};
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/style.gp", options->plots_dir);
    if (!realpath(path, d.style))
        return hm_fail(error, EINVAL, "%s: %s", path, strerror(errno));
    snprintf(path, sizeof path, "%s/%s", options->plots_dir, script);
    if (!realpath(path, d.script))
        return hm_fail(error, EINVAL, "%s: %s", path, strerror(errno));
    int bad = keep_context(run_dir, context, error);
    return bad ? bad : draw_figure(&d, error);
}
