/* Reads a spool: the records of all threads, in the order of their tickets.
 *
 * Vocabulary
 *   stream   the chunks of one thread, in the order in which it filled them
 *   window   items of a stream that were read ahead, sorted by ticket
 *
 * Invariants
 *   The streams of which something is left are a heap: the first one's first item has the lowest
 *   ticket. The recorded program could write to its spool, so nothing that stands there is believed:
 *   each offset and count is checked against the file. */
#include "harness/trace/spool_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct stretch {
    uint64_t from, to; /* bytes of the file */
};

struct stream {
    uint32_t thread;
    bool has_ended; /* the thread's own mark was seen */
    struct stretch *chunks;
    size_t chunk_count, chunk_room;
    size_t chunk; /* that is read */
    uint64_t at;
    struct hm_spool_item *items; /* room for twice the window */
    size_t first, last;
};

struct hm_spool {
    const char *bytes;
    uint64_t size; /* that may be read */
    uint64_t mapped;
    uint32_t main;
    unsigned window;
    struct stream *streams;
    size_t stream_count;
    struct stream **heap;
    size_t heap_count;
    uint64_t stopped; /* UINT64_MAX for never */
    uint64_t before;  /* ticket of the item before */
};

/* ---- The file ---- */

static uint64_t rounded(uint64_t bytes) {
    return bytes & ~(uint64_t)(HM_SPOOL_GRANULE - 1);
}

static int map_file(struct hm_spool *s, const char *path) {
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &info)) {
        int bad = errno;
        if (fd >= 0)
            close(fd);
        return bad;
    }
    s->mapped = info.st_size > 0 ? (uint64_t)info.st_size : 0;
    void *start = s->mapped < HM_SPOOL_HEAD_BYTES
                      ? NULL
                      : mmap(NULL, s->mapped, PROT_READ, MAP_SHARED, fd, 0);
    int bad = !start ? EINVAL : start == MAP_FAILED ? errno : 0;
    close(fd);
    if (bad)
        return bad;
    s->bytes = start;
    madvise(start, s->mapped, MADV_SEQUENTIAL);
    return hm_spool_head(s)->magic == HM_SPOOL_MAGIC ? 0 : EINVAL;
}

const struct hm_spool_head *hm_spool_head(const struct hm_spool *spool) {
    return (const struct hm_spool_head *)(const void *)spool->bytes;
}

uint32_t hm_spool_main(const struct hm_spool *spool) {
    return spool->main;
}

/* ---- Streams ---- */

/* Threads are numbered without gaps, but for those that were killed before their chunk had a head. */
static struct stream *find_stream(struct hm_spool *s, uint32_t thread) {
    if (thread >= s->size / HM_SPOOL_GRANULE)
        return NULL;
    if (thread >= s->stream_count) {
        size_t count = (size_t)thread + 1;
        struct stream *streams = realloc(s->streams, 2 * count * sizeof *streams);
        if (!streams)
            return NULL;
        memset(streams + s->stream_count, 0, (2 * count - s->stream_count) * sizeof *streams);
        s->streams = streams;
        for (size_t i = s->stream_count; i < count; i++)
            streams[i].thread = (uint32_t)i;
        s->stream_count = count;
    }
    return &s->streams[thread];
}

static int add_stretch(struct stream *stream, uint64_t from, uint64_t to) {
    if (stream->chunk_count == stream->chunk_room) {
        size_t room = stream->chunk_room ? 2 * stream->chunk_room : 4;
        struct stretch *chunks = realloc(stream->chunks, room * sizeof *chunks);
        if (!chunks)
            return ENOMEM;
        stream->chunks = chunks;
        stream->chunk_room = room;
    }
    stream->chunks[stream->chunk_count++] = (struct stretch){from, to};
    return 0;
}

static int add_chunk(struct hm_spool *s, uint64_t at, const struct hm_spool_chunk *chunk) {
    struct stream *stream = find_stream(s, chunk->thread);
    if (!stream)
        return chunk->thread < s->size / HM_SPOOL_GRANULE ? ENOMEM : 0;
    if (chunk->tid == (uint32_t)hm_spool_head(s)->pid)
        s->main = chunk->thread;
    return add_stretch(stream, at + sizeof *chunk, at + chunk->bytes);
}

/* Where a thread was killed between taking a chunk and giving it a head, the next head is looked
 * for; it is at one of the granules. */
static int find_chunks(struct hm_spool *s) {
    uint64_t at = HM_SPOOL_HEAD_BYTES;
    while (at + HM_SPOOL_GRANULE <= s->size) {
        struct hm_spool_chunk chunk;
        memcpy(&chunk, s->bytes + at, sizeof chunk);
        bool is_valid = chunk.magic == HM_SPOOL_CHUNK_MAGIC && chunk.bytes >= HM_SPOOL_GRANULE &&
                        chunk.bytes % HM_SPOOL_GRANULE == 0 && chunk.bytes <= s->size - at;
        int bad = is_valid ? add_chunk(s, at, &chunk) : 0;
        if (bad)
            return bad;
        at += is_valid ? chunk.bytes : HM_SPOOL_GRANULE;
    }
    return 0;
}

int hm_spool_open(const char *path, struct hm_spool **out) {
    struct hm_spool *s = calloc(1, sizeof *s);
    if (!s)
        return ENOMEM;
    s->main = UINT32_MAX;
    int bad = map_file(s, path);
    if (!bad) {
        const struct hm_spool_head *head = hm_spool_head(s);
        uint64_t used = __atomic_load_n(&head->used, __ATOMIC_ACQUIRE);
        s->size = rounded(used < s->mapped ? used : s->mapped);
        s->stopped = head->stopped ? head->stopped : UINT64_MAX;
        bad = find_chunks(s);
    }
    if (bad) {
        hm_spool_close(s);
        return bad;
    }
    *out = s;
    return 0;
}

void hm_spool_close(struct hm_spool *spool) {
    if (!spool)
        return;
    for (size_t i = 0; i < spool->stream_count; i++) {
        free(spool->streams[i].chunks);
        free(spool->streams[i].items);
    }
    free(spool->streams);
    free(spool->heap);
    if (spool->bytes)
        munmap((void *)spool->bytes, spool->mapped);
    free(spool);
}

/* ---- Records ---- */

static unsigned slots_of(const struct hm_spool_slot *slot) {
    if ((slot->first & HM_SPOOL_KIND_MASK) == HM_SPOOL_STACK)
        return 2 + (unsigned)(slot->second & HM_SPOOL_COUNT_MAX) / 2;
    return 1u + !!(slot->first & HM_SPOOL_MOVED) + !!(slot->first & HM_SPOOL_LARGE) +
           !!(slot->first & HM_SPOOL_EXTRA);
}

/* The next record that was finished. @return NULL at the stream's end */
static const struct hm_spool_slot *next_record(const struct hm_spool *s, struct stream *stream) {
    while (stream->chunk < stream->chunk_count) {
        const struct stretch *chunk = &stream->chunks[stream->chunk];
        if (stream->at < chunk->from)
            stream->at = chunk->from;
        while (stream->at + HM_SPOOL_SLOT_BYTES <= chunk->to) {
            const struct hm_spool_slot *slot = (const void *)(s->bytes + stream->at);
            uint64_t first = __atomic_load_n(&slot->first, __ATOMIC_ACQUIRE);
            uint64_t left = (chunk->to - stream->at) / HM_SPOOL_SLOT_BYTES;
            uint64_t slots = first ? slots_of(slot) : 1;
            stream->at += slots * HM_SPOOL_SLOT_BYTES;
            if (first && slots <= left && __atomic_load_n(&slot->second, __ATOMIC_ACQUIRE))
                return slot;
        }
        stream->chunk++;
        stream->at = 0;
    }
    return NULL;
}

static bool is_counted(unsigned kind) {
    return kind == HM_TRACE_CALLOC || kind == HM_TRACE_REALLOCARRAY;
}

/* @return the old address of a reallocation that moved, and the ticket in *leaves */
static uint64_t decode(const struct hm_spool_slot *slot, struct hm_spool_item *item,
                       uint64_t *leaves) {
    uint64_t first = slot->first;
    uint64_t small = slot->second & HM_SPOOL_SIZE_MAX;
    uint64_t old = 0;
    *item = (struct hm_spool_item){
        .ticket = slot->second >> HM_SPOOL_TICKET_SHIFT,
        .address = first >> HM_SPOOL_ADDRESS_SHIFT,
        .kind = (uint8_t)((first & HM_SPOOL_KIND_MASK) - 1),
        .failed = first & HM_SPOOL_FAILED,
        .alignment_log2 = first >> HM_SPOOL_ALIGNMENT_SHIFT & 0x3f,
    };
    bool counted = is_counted(item->kind);
    item->count = counted ? small >> HM_SPOOL_COUNT_SHIFT : 1;
    item->size = counted ? small & HM_SPOOL_COUNT_MAX : small;
    slot++;
    if (first & HM_SPOOL_MOVED) {
        old = slot->first;
        *leaves = slot->second;
        slot++;
    }
    if (first & HM_SPOOL_LARGE) {
        item->count = counted ? slot->first : 1;
        item->size = slot->second;
        slot++;
    }
    if (first & HM_SPOOL_EXTRA) {
        item->stack = slot->first;
        item->time_ns = slot->second;
    }
    return old;
}

/* ---- The window ---- */

static void insert(struct hm_spool *s, struct stream *stream, const struct hm_spool_item *item) {
    if (stream->last == 2 * (size_t)s->window + 2) {
        memmove(stream->items, stream->items + stream->first,
                (stream->last - stream->first) * sizeof *stream->items);
        stream->last -= stream->first;
        stream->first = 0;
    }
    size_t at = stream->last++;
    for (; at > stream->first && stream->items[at - 1].ticket > item->ticket; at--)
        stream->items[at] = stream->items[at - 1];
    stream->items[at] = *item;
}

/* Reads one record into the window. @return false at the stream's end */
static bool read_one(struct hm_spool *s, struct stream *stream) {
    struct hm_spool_item item;
    uint64_t leaves = 0;
    const struct hm_spool_slot *slot = next_record(s, stream);
    if (!slot)
        return false;
    if ((slot->first & HM_SPOOL_KIND_MASK) == HM_SPOOL_STACK)
        return true;
    if ((slot->first & HM_SPOOL_KIND_MASK) == HM_SPOOL_THREAD_END) {
        stream->has_ended = true;
        return true;
    }
    uint64_t old = decode(slot, &item, &leaves);
    if (item.kind >= HM_TRACE_KINDS || item.ticket >= s->stopped)
        return true;
    item.thread = stream->thread;
    if (old) {
        item.phase = HM_SPOOL_ARRIVES;
        item.arrival = item.ticket;
        struct hm_spool_item leaving = item;
        leaving.phase = HM_SPOOL_LEAVES;
        leaving.ticket = leaves;
        leaving.address = old;
        insert(s, stream, &leaving);
    }
    insert(s, stream, &item);
    return true;
}

static bool fill(struct hm_spool *s, struct stream *stream) {
    while (stream->last - stream->first < s->window && read_one(s, stream))
        ;
    return stream->first < stream->last;
}

/* ---- The heap ---- */

static uint64_t key(const struct hm_spool *s, size_t at) {
    const struct stream *stream = s->heap[at];
    return stream->items[stream->first].ticket;
}

static void sift_down(struct hm_spool *s, size_t at) {
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < s->heap_count; child++)
            if (key(s, child) < key(s, least))
                least = child;
        if (least == at)
            return;
        struct stream *other = s->heap[least];
        s->heap[least] = s->heap[at];
        s->heap[at] = other;
        at = least;
    }
}

int hm_spool_rewind(struct hm_spool *spool, unsigned window) {
    free(spool->heap);
    spool->heap = calloc(spool->stream_count + 1, sizeof(struct stream *));
    spool->heap_count = 0;
    spool->window = window;
    spool->before = 0;
    if (!spool->heap)
        return ENOMEM;
    for (size_t i = 0; i < spool->stream_count; i++) {
        struct stream *stream = &spool->streams[i];
        free(stream->items);
        stream->items = calloc(2 * (size_t)window + 2, sizeof *stream->items);
        if (!stream->items)
            return ENOMEM;
        stream->chunk = stream->at = stream->first = stream->last = 0;
        stream->has_ended = false;
        if (fill(spool, stream))
            spool->heap[spool->heap_count++] = stream;
    }
    for (size_t i = spool->heap_count; i-- > 0;)
        sift_down(spool, i);
    return 0;
}

/* The stream's last item was handed out: what is left of it is that its thread ended. */
static void leave_heap(struct hm_spool *s, struct stream *stream) {
    if (stream->has_ended) {
        stream->has_ended = false;
        struct hm_spool_item end = {
            .ticket = s->before, .phase = HM_SPOOL_THREAD_IS_OVER, .thread = stream->thread};
        stream->first = stream->last = 0;
        insert(s, stream, &end);
    } else {
        s->heap[0] = s->heap[--s->heap_count];
    }
}

int hm_spool_next(struct hm_spool *spool, struct hm_spool_item *item) {
    if (!spool->heap_count)
        return 0;
    struct stream *stream = spool->heap[0];
    *item = stream->items[stream->first++];
    if (item->ticket < spool->before)
        return -1;
    spool->before = item->ticket;
    if (!fill(spool, stream))
        leave_heap(spool, stream);
    if (spool->heap_count)
        sift_down(spool, 0);
    return 1;
}
