/* What the kernel knows about the calling process. */
#include "harness/machine/proc.h"

#include "harness/machine/file.h"

#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static double seconds(const struct timeval *t) {
    return (double)t->tv_sec + (double)t->tv_usec * 1e-6;
}

void hm_proc_usage_read(struct hm_proc_usage *out) {
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u)) {
        *out = (struct hm_proc_usage){NAN, NAN, NAN, NAN, NAN};
        return;
    }
    *out = (struct hm_proc_usage){.minor_faults = (double)u.ru_minflt,
                                  .major_faults = (double)u.ru_majflt,
                                  .voluntary_switches = (double)u.ru_nvcsw,
                                  .involuntary_switches = (double)u.ru_nivcsw,
                                  .cpu_s = seconds(&u.ru_utime) + seconds(&u.ru_stime)};
}

uint64_t hm_proc_resident_bytes(void) {
    char text[128];
    char *end;
    if (hm_file_read("/proc/self/statm", text, sizeof text))
        return UINT64_MAX;
    strtoull(text, &end, 10); /* the first word is the size of the address space */
    char *second = end;
    unsigned long long pages = strtoull(second, &end, 10);
    return end == second ? UINT64_MAX : pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- Mappings ---- */

enum {
    LINE_BYTES = 128,
};

static bool begins(const char *text, const char *word) {
    return strncmp(text, word, strlen(word)) == 0;
}

/* Memory of its own, for whatever name. The pages that the kernel lends to every process are not. */
static bool is_memory(unsigned long long inode, const char *name) {
    if (!inode)
        return !begins(name, "[v") && !begins(name, "[uprobes]");
    return begins(name, "/dev/zero (") || begins(name, "/memfd:") || begins(name, "/SYSV") ||
           begins(name, "/dev/shm/");
}

uint64_t hm_proc_mapping_bytes(const char *line) {
    unsigned long long begin, end, inode;
    char rights[5];
    int name = 0;
    if (sscanf(line, "%llx-%llx %4s %*x %*x:%*x %llu %n", &begin, &end, rights, &inode, &name) < 4)
        return 0;
    bool is_reserved = begins(rights, "---");
    return !is_reserved && is_memory(inode, line + name) ? end - begin : 0;
}

/* A line of text, and the sum so far. */
struct sum {
    uint64_t bytes;
    unsigned long long file_end; /* of the last mapping of a file */
    bool is_resident;            /* of the last mapping, what is resident counts */
};
typedef void take_line(struct sum *sum, const char *line);

static void take_mapping(struct sum *sum, const char *line) {
    sum->bytes += hm_proc_mapping_bytes(line);
}

/* What lies right behind a file's mapping are its variables. */
static void take_taken(struct sum *sum, const char *line) {
    unsigned long long begin, end, inode, kib;
    if (sscanf(line, "%llx-%llx %*s %*x %*x:%*x %llu", &begin, &end, &inode) == 3) {
        uint64_t bytes = hm_proc_mapping_bytes(line);
        bool is_whole = begin == sum->file_end || strstr(line, "[stack]");
        sum->bytes += is_whole ? bytes : 0;
        sum->is_resident = bytes && !is_whole;
        sum->file_end = inode ? end : 0;
    } else if (sum->is_resident && sscanf(line, "Rss: %llu", &kib) == 1) {
        sum->bytes += 1024 * kib;
    }
}

/* Lines are cut behind so many bytes; what is left out is the rest of a name. */
static uint64_t sum_lines(const char *path, take_line *take) {
    char piece[4096], line[LINE_BYTES];
    struct sum sum = {0};
    size_t used = 0;
    ssize_t size;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return UINT64_MAX;
    while ((size = read(file, piece, sizeof piece)) > 0)
        for (ssize_t i = 0; i < size; i++) {
            if (piece[i] != '\n' && used < sizeof line - 1)
                line[used++] = piece[i];
            if (piece[i] != '\n')
                continue;
            line[used] = '\0';
            take(&sum, line);
            used = 0;
        }
    close(file);
    return size == 0 && sum.bytes ? sum.bytes : UINT64_MAX;
}

uint64_t hm_proc_mapped_bytes(void) {
    return sum_lines("/proc/self/maps", take_mapping);
}

uint64_t hm_proc_taken_bytes(void) {
    return sum_lines("/proc/self/smaps", take_taken);
}

double hm_proc_peak_resident_bytes(void) {
    return hm_file_kib("/proc/self/status", "VmHWM:");
}
