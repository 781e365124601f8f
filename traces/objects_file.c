#define ZSTD_STATIC_LINKING_ONLY
#include "traces/objects_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

enum {
    VERSION = 1,
    HEAD_BYTES =
        32, /* magic, version, packing, 6 zeros, length of the payload, bytes that follow */
    SUM_BYTES = 4,
    LEVEL = 19,
};

enum packing {
    PLAIN,
    ZSTD,
};

static const uint8_t magic[8] = {'H', 'M', 'O', 'B', 'J', '\r', '\n', 0x1a};

void hm_objects_say(char why[HM_OBJECTS_WHY_BYTES], const char *path, const char *what, ...) {
    va_list args;
    int used = snprintf(why, HM_OBJECTS_WHY_BYTES, "%.150s: ", path);
    va_start(args, what);
    vsnprintf(why + used, (size_t)(HM_OBJECTS_WHY_BYTES - used), what, args);
    va_end(args);
    for (char *c = why; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
}

bool hm_objects_map(struct hm_objects_bytes *out, size_t count) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = (count + page) & -page; /* at least one */
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return false;
    *out = (struct hm_objects_bytes){p, count, bytes};
    return true;
}

void hm_objects_unmap(struct hm_objects_bytes *bytes) {
    if (bytes->at)
        munmap(bytes->at, bytes->mapped_bytes);
    *bytes = (struct hm_objects_bytes){0};
}

/* CRC-32 as in zlib and Ethernet, four bits at a time. */
static uint32_t checksum(const uint8_t *at, size_t count, uint32_t sum) {
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                       0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                       0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                       0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    sum = ~sum;
    for (size_t i = 0; i < count; i++) {
        sum ^= at[i];
        sum = table[sum & 15] ^ (sum >> 4);
        sum = table[sum & 15] ^ (sum >> 4);
    }
    return ~sum;
}

static uint64_t number_at(const uint8_t *at, unsigned bytes) {
    uint64_t number = 0;
    while (bytes--)
        number = number << 8 | at[bytes];
    return number;
}

static void put_number(uint8_t *at, unsigned bytes, uint64_t number) {
    for (; bytes--; number >>= 8)
        *at++ = (uint8_t)number;
}

/* ---- Reading ---- */

static int read_all(int file, const char *path, struct hm_objects_bytes *out,
                    char why[HM_OBJECTS_WHY_BYTES]) {
    struct stat status;
    if (fstat(file, &status) || !S_ISREG(status.st_mode))
        return hm_objects_fail(why, EINVAL, path, "not a file");
    if (status.st_size > HM_OBJECTS_BYTES_MAX)
        return hm_objects_fail(why, EINVAL, path, "larger than 256 MiB");
    if (!hm_objects_map(out, (size_t)status.st_size))
        return hm_objects_fail(why, ENOMEM, path, "no memory to read it");
    size_t used = 0;
    while (used < out->count) {
        ssize_t got = read(file, out->at + used, out->count - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return hm_objects_fail(why, EIO, path, "could not be read");
        if (got == 0)
            break;
        used += (size_t)got;
    }
    out->count = used;
    return 0;
}

/* @return NULL, or what is wrong */
static const char *check_head(const struct hm_objects_bytes *file) {
    const uint8_t *head = file->at;
    if (!head || file->count < sizeof magic || memcmp(head, magic, sizeof magic) != 0)
        return "not a recorded object graph";
    if (file->count < HEAD_BYTES + SUM_BYTES)
        return "cut off in its head";
    if (head[8] != VERSION)
        return "of another version than this heapmark knows";
    if (head[9] > ZSTD || number_at(head + 10, 6))
        return "its head is damaged";
    uint64_t length = number_at(head + 16, 8);
    uint64_t stored = number_at(head + 24, 8);
    if (stored != file->count - HEAD_BYTES - SUM_BYTES)
        return "not as long as its head says";
    if (length > HM_OBJECTS_BYTES_MAX || (head[9] == PLAIN && length != stored))
        return "its head is damaged";
    size_t behind = file->count - SUM_BYTES;
    if (checksum(head, behind, 0) != number_at(head + behind, SUM_BYTES))
        return "damaged: its checksum is wrong";
    return NULL;
}

/* The context of the decompression lies in memory of our own. @return whether the payload came out */
static bool decompress(const uint8_t *from, size_t stored, struct hm_objects_bytes *out) {
    struct hm_objects_bytes work = {0};
    bool done = false;
    if (!hm_objects_map(&work, ZSTD_estimateDCtxSize()))
        return false;
    ZSTD_DCtx *context = ZSTD_initStaticDCtx(work.at, work.mapped_bytes);
    if (context)
        done = ZSTD_decompressDCtx(context, out->at, out->count, from, stored) == out->count;
    hm_objects_unmap(&work);
    return done;
}

static int unpack(const struct hm_objects_bytes *file, const char *path,
                  struct hm_objects_bytes *out, char why[HM_OBJECTS_WHY_BYTES]) {
    const uint8_t *stored = file->at + HEAD_BYTES;
    size_t stored_bytes = file->count - HEAD_BYTES - SUM_BYTES;
    uint64_t length = number_at(file->at + 16, 8);
    bool plain = file->at[9] == PLAIN;
    if (!plain && ZSTD_getFrameContentSize(stored, stored_bytes) != length)
        return hm_objects_fail(why, EINVAL, path, "what is compressed has another length");
    if (!hm_objects_map(out, length))
        return hm_objects_fail(why, ENOMEM, path, "no memory to read it");
    if (plain)
        memcpy(out->at, stored, length);
    else if (!decompress(stored, stored_bytes, out))
        return hm_objects_fail(why, EINVAL, path, "what is compressed is damaged");
    return 0;
}

int hm_objects_read(const char *path, struct hm_objects_bytes *payload,
                    char why[HM_OBJECTS_WHY_BYTES]) {
    struct hm_objects_bytes file = {0};
    struct hm_objects_bytes found = {0};
    int number = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int bad = number < 0 ? errno : 0;
    if (bad)
        return hm_objects_fail(why, bad, path, "%s", strerror(bad));
    bad = read_all(number, path, &file, why);
    close(number);
    const char *wrong = bad ? NULL : check_head(&file);
    if (wrong)
        bad = hm_objects_fail(why, EINVAL, path, "%s", wrong);
    if (!bad)
        bad = unpack(&file, path, &found, why);
    hm_objects_unmap(&file);
    if (bad)
        hm_objects_unmap(&found);
    else
        *payload = found;
    return bad;
}

/* ---- Writing ---- */

static int write_all(int file, const struct hm_objects_bytes *bytes) {
    for (size_t done = 0; done < bytes->count;) {
        ssize_t put = write(file, bytes->at + done, bytes->count - done);
        if (put < 0 && errno != EINTR)
            return errno;
        done += put > 0 ? (size_t)put : 0;
    }
    return fsync(file) ? errno : 0;
}

/* Under a name of its own first; it gets the other one if there is no such file. */
static int create(const char *path, const struct hm_objects_bytes *bytes) {
    char partial[4096];
    int length = snprintf(partial, sizeof partial, "%s.part%ld", path, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof partial)
        return ENAMETOOLONG;
    int file = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file < 0)
        return errno;
    int bad = write_all(file, bytes);
    if (close(file) && !bad)
        bad = errno;
    if (!bad && link(partial, path))
        bad = errno;
    unlink(partial);
    return bad;
}

static int pack(const struct hm_objects_bytes *payload, struct hm_objects_bytes *out) {
    if (!hm_objects_map(out, HEAD_BYTES + ZSTD_compressBound(payload->count) + SUM_BYTES))
        return ENOMEM;
    size_t room = out->count - HEAD_BYTES - SUM_BYTES;
    size_t stored = ZSTD_compress(out->at + HEAD_BYTES, room, payload->at, payload->count, LEVEL);
    if (ZSTD_isError(stored))
        return ENOMEM;
    memcpy(out->at, magic, sizeof magic);
    out->at[8] = VERSION;
    out->at[9] = ZSTD;
    put_number(out->at + 16, 8, payload->count);
    put_number(out->at + 24, 8, stored);
    size_t behind = HEAD_BYTES + stored;
    put_number(out->at + behind, SUM_BYTES, checksum(out->at, behind, 0));
    out->count = behind + SUM_BYTES;
    return 0;
}

int hm_objects_write(const char *path, const struct hm_objects_bytes *payload,
                     char why[HM_OBJECTS_WHY_BYTES]) {
    struct hm_objects_bytes file = {0};
    int bad = pack(payload, &file);
    if (!bad)
        bad = create(path, &file);
    hm_objects_unmap(&file);
    return bad ? hm_objects_fail(why, bad, path, "%s", strerror(bad)) : 0;
}
