/* CSV: the reader and the writers.
 *
 * The file is read whole, and each row is unquoted where it lies: a field never gets longer by
 * that. It is read and not mapped, because a mapped file that another process truncates is a
 * SIGBUS.
 *
 * Invariants
 *   bytes .. limit  the file; *limit is a NUL, so that looking one byte ahead is always allowed
 *   names           point into the header row, which lies before every row and is not written again
 *   lines           newlines before `at`; a row is known by the line on which it begins */
#include "harness/results/csv.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fields {
    char **at;
    size_t count;
};

struct hm_csv {
    char *path;
    char *bytes;
    char *limit;
    char *at;
    long lines;
    long row_line;
    struct fields names;
    struct fields row; /* room for names.count */
    bool torn;
    bool bad; /* a row was malformed; what follows it cannot be trusted */
    struct hm_error complaint;
};

/* What follows a field. */
enum stop {
    STOP_COMMA,
    STOP_LINE,
    STOP_FILE,
    STOP_BAD,
};

/* @return false */
static bool complain(struct hm_csv *csv, const char *what) {
    csv->bad = true;
    hm_fail(&csv->complaint, EINVAL, "%s:%ld: %s", csv->path, csv->row_line, what);
    return false;
}

/* Step over the quoted field at `at`. *end is where its text ends, once unquoted in its place.
 * @return false after a complaint */
static bool read_quoted(struct hm_csv *csv, char **end) {
    char *out = csv->at;
    long first_line = csv->lines;
    for (char *in = csv->at + 1;;) {
        char *quote = in + strcspn(in, "\"");
        for (const char *c = in; c < quote; c++)
            csv->lines += *c == '\n';
        memmove(out, in, (size_t)(quote - in));
        out += quote - in;
        csv->at = quote;
        if (*quote == '\0' || quote[1] != '"')
            break;
        *out++ = '"';
        in = quote + 2;
    }
    /* Only the last line may be torn: else one stray quote would drop all that follows it. */
    if (csv->at == csv->limit && csv->lines > first_line)
        return complain(csv, "a quoted field is never closed");
    /* strchr also finds the NUL: read_separator() knows whether that is the end of the file. */
    if (*csv->at == '"' && !strchr(",\r\n", *++csv->at))
        return complain(csv, "text after a closing quote");
    *end = out;
    return true;
}

static bool read_plain(struct hm_csv *csv, char **end) {
    csv->at += strcspn(csv->at, ",\"\r\n");
    *end = csv->at;
    return *csv->at != '"' || complain(csv, "a quote inside a field that does not begin with one");
}

/* Step over what separates fields and rows. */
static enum stop read_separator(struct hm_csv *csv) {
    if (*csv->at == '\r' && csv->at + 1 < csv->limit && csv->at[1] != '\n') {
        complain(csv, "a carriage return inside a field without quotes");
        return STOP_BAD;
    }
    csv->at += *csv->at == '\r';
    if (csv->at == csv->limit)
        return STOP_FILE;
    if (*csv->at == '\0') {
        complain(csv, "a NUL byte");
        return STOP_BAD;
    }
    bool line = *csv->at++ == '\n';
    csv->lines += line;
    return line ? STOP_LINE : STOP_COMMA;
}

/* The field at `at` goes to *start; its text is ended with a NUL. */
static enum stop read_field(struct hm_csv *csv, char **start) {
    char *end;
    *start = csv->at;
    if (!(*csv->at == '"' ? read_quoted(csv, &end) : read_plain(csv, &end)))
        return STOP_BAD;
    enum stop stop = read_separator(csv);
    if (stop == STOP_COMMA || stop == STOP_LINE)
        *end = '\0';
    return stop;
}

static enum stop read_row(struct hm_csv *csv) {
    enum stop stop = STOP_COMMA;
    size_t count = 0;
    csv->row_line = csv->lines + 1;
    while (stop == STOP_COMMA) {
        char *start;
        stop = read_field(csv, &start);
        if (stop == STOP_BAD || stop == STOP_FILE)
            return stop;
        if (count == csv->names.count) {
            complain(csv, "more fields than the header has columns");
            return STOP_BAD;
        }
        csv->row.at[count++] = start;
    }
    if (count < csv->names.count) {
        complain(csv, "fewer fields than the header has columns");
        return STOP_BAD;
    }
    csv->row.count = count;
    return STOP_LINE;
}

int hm_csv_next(struct hm_csv *csv, struct hm_error *error) {
    enum stop stop = STOP_FILE;
    csv->row.count = 0;
    if (!csv->bad && csv->at < csv->limit) {
        stop = read_row(csv);
        csv->torn = stop == STOP_FILE;
    }
    if (csv->bad) {
        *error = csv->complaint;
        return -1;
    }
    return stop == STOP_LINE;
}

static int append_name(struct fields *names, char *name) {
    bool full = (names->count & (names->count - 1)) == 0; /* room is a power of two */
    if (full) {
        size_t room = names->count ? 2 * names->count : 1;
        char **grown = realloc(names->at, room * sizeof *grown);
        if (!grown)
            return ENOMEM;
        names->at = grown;
    }
    names->at[names->count++] = name;
    return 0;
}

static int read_header(struct hm_csv *csv, struct hm_error *error) {
    enum stop stop = STOP_COMMA;
    csv->row_line = 1;
    while (stop == STOP_COMMA) {
        char *start;
        stop = read_field(csv, &start);
        if (stop == STOP_FILE)
            complain(csv, "the file has no header row");
        else if (stop != STOP_BAD && append_name(&csv->names, start))
            return hm_fail(error, ENOMEM, "%s: out of memory", csv->path);
    }
    if (csv->bad) {
        *error = csv->complaint;
        return EINVAL;
    }
    csv->row.at = calloc(csv->names.count, sizeof *csv->row.at);
    return csv->row.at ? 0 : hm_fail(error, ENOMEM, "%s: out of memory", csv->path);
}

/* As many bytes as the file has now; less where it gets shorter meanwhile. */
static int read_all(struct hm_csv *csv, int file, size_t size, struct hm_error *error) {
    csv->bytes = calloc(1, size + 1);
    if (!csv->bytes)
        return hm_fail(error, ENOMEM, "%s: out of memory", csv->path);
    csv->limit = csv->bytes;
    for (ssize_t got = 1; got && size;) {
        got = read(file, csv->limit, size);
        if (got < 0 && errno != EINTR)
            return hm_fail(error, EIO, "%s: %s", csv->path, strerror(EIO));
        got = got < 0 ? 1 : got;
        csv->limit += got;
        size -= (size_t)got;
    }
    csv->at = csv->bytes;
    if (strncmp(csv->at, "\xEF\xBB\xBF", 3) == 0)
        csv->at += 3;
    return 0;
}

/* Read the file and its header. O_NONBLOCK: a FIFO where a file should be must not hang the reader.
 */
static int load(struct hm_csv *csv, struct hm_error *error) {
    struct stat status;
    int code = 0;
    int file = open(csv->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return hm_fail(error, errno, "%s: %s", csv->path, strerror(errno));
    if (fstat(file, &status))
        code = hm_fail(error, EIO, "%s: %s", csv->path, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        code = hm_fail(error, EINVAL, "%s: not a regular file", csv->path);
    else
        code = read_all(csv, file, (size_t)status.st_size, error);
    close(file);
    return code ? code : read_header(csv, error);
}

int hm_csv_open(struct hm_csv **out, const char *path, struct hm_error *error) {
    struct hm_csv *csv = calloc(1, sizeof *csv);
    if (!csv || !(csv->path = strdup(path))) {
        free(csv);
        return hm_fail(error, ENOMEM, "%s: out of memory", path);
    }
    int code = load(csv, error);
    if (code)
        hm_csv_close(csv);
    else
        *out = csv;
    return code;
}

void hm_csv_close(struct hm_csv *csv) {
    if (!csv)
        return;
    free(csv->row.at);
    free(csv->names.at);
    free(csv->bytes);
    free(csv->path);
    free(csv);
}

int hm_csv_column(const struct hm_csv *csv, const char *name) {
    for (size_t i = 0; i < csv->names.count; i++)
        if (strcmp(csv->names.at[i], name) == 0)
            return (int)i;
    return -1;
}

const char *hm_csv_field(const struct hm_csv *csv, int column) {
    return column >= 0 && (size_t)column < csv->row.count ? csv->row.at[column] : "";
}

/* The C locale for this thread, whatever setlocale() chose. Creating it neither allocates nor fails
 * in glibc. */
static locale_t enter_c_locale(void) {
    return uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0));
}

static void leave_c_locale(locale_t before) {
    freelocale(uselocale(before));
}

bool hm_csv_number(const struct hm_csv *csv, int column, double *out) {
    const char *text = hm_csv_field(csv, column);
    if (!*text ||
        text[strspn(text, "0123456789+-.eE")]) /* strtod also takes spaces, hex, inf, nan */
        return false;
    char *end;
    locale_t before = enter_c_locale();
    double value = strtod(text, &end);
    leave_c_locale(before);
    if (*end || !isfinite(value))
        return false;
    *out = value;
    return true;
}

long hm_csv_line(const struct hm_csv *csv) {
    return csv->row_line;
}

bool hm_csv_torn(const struct hm_csv *csv) {
    return csv->torn;
}

void hm_csv_put_text(FILE *out, const char *text) {
    bool is_formula = *text && text[1] && strchr("=+-@\t", *text) && strncmp(text, "-#", 2) != 0;
    const char *guard = is_formula ? "'" : "";
    if (!strpbrk(text, ",\"\r\n")) {
        fprintf(out, "%s%s", guard, text);
        return;
    }
    fprintf(out, "\"%s", guard);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', out);
        putc(*text, out);
    }
    putc('"', out);
}

void hm_csv_put_number(FILE *out, double value) {
    if (!isfinite(value)) {
        fputs("NA", out);
        return;
    }
    locale_t before = enter_c_locale();
    fprintf(out, "%.17g", value);
    leave_c_locale(before);
}
