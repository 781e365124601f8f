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

#include "harness/trace/addresses.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct stretch {
    uint64_t from, to; /* bytes of the file */
    uint64_t ticket;
    uint32_t number;
    bool is_copy;
};

struct stream {
    uint32_t thread;
    bool has_ended; /* the thread's own mark was seen */
    struct stretch *chunks;
    size_t chunk_count, chunk_room;
    size_t chunk; /* that is read */
    uint64_t at;
    uint64_t ticket;             /* of the last record that was not nested */
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
    uint64_t stopped;           /* UINT64_MAX for never */
    uint64_t before;            /* ticket of the item before */
    struct hm_addresses stacks; /* by hash; the number is the record's place in the file */
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

static int add_stretch(struct stream *stream, const struct stretch *stretch) {
    if (stream->chunk_count == stream->chunk_room) {
        size_t room = stream->chunk_room ? 2 * stream->chunk_room : 4;
        struct stretch *chunks = realloc(stream->chunks, room * sizeof *chunks);
        if (!chunks)
            return ENOMEM;
        stream->chunks = chunks;
        stream->chunk_room = room;
    }
    stream->chunks[stream->chunk_count++] = *stretch;
    return 0;
}

/* By number, and a copy before what it was copied from. */
static int by_number(const void *a, const void *b) {
    const struct stretch *left = a;
    const struct stretch *right = b;
    if (left->number != right->number)
        return left->number < right->number ? -1 : 1;
    return right->is_copy - left->is_copy;
}

static void sort_chunks(struct stream *stream) {
    size_t kept = 0;
    if (stream->chunk_count)
        qsort(stream->chunks, stream->chunk_count, sizeof *stream->chunks, by_number);
    for (size_t i = 0; i < stream->chunk_count; i++)
        if (!kept || stream->chunks[kept - 1].number != stream->chunks[i].number)
            stream->chunks[kept++] = stream->chunks[i];
    stream->chunk_count = kept;
}

static int add_chunk(struct hm_spool *s, uint64_t at, const struct hm_spool_chunk *chunk) {
    struct stream *stream = find_stream(s, chunk->thread);
    if (!stream)
        return chunk->thread < s->size / HM_SPOOL_GRANULE ? ENOMEM : 0;
    if (chunk->tid == (uint32_t)hm_spool_head(s)->pid)
        s->main = chunk->thread;
    const struct stretch stretch = {.from = at + sizeof *chunk,
                                    .to = at + chunk->bytes,
                                    .ticket = chunk->ticket,
                                    .number = chunk->number,
                                    .is_copy = chunk->is_copy};
    return add_stretch(stream, &stretch);
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
    for (size_t i = 0; i < s->stream_count; i++)
        sort_chunks(&s->streams[i]);
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
    hm_addresses_free(&spool->stacks);
    if (spool->bytes)
        munmap((void *)spool->bytes, spool->mapped);
    free(spool);
}

/* ---- Records ---- */

static unsigned kind_of(uint64_t first) {
    return first >> HM_SPOOL_KIND_SHIFT & HM_SPOOL_KIND_MASK;
}

/* Of a record, or of one that was never begun. */
static uint64_t words_of(const uint64_t *words) {
    uint64_t first = __atomic_load_n(words, __ATOMIC_ACQUIRE);
    if (!first || first & HM_SPOOL_IS_SHORT)
        return 1;
    if (kind_of(first) == HM_SPOOL_STACK)
        return 4 + (first >> HM_SPOOL_ADDRESS_SHIFT);
    return 2u + (first & HM_SPOOL_MOVED ? 2 : 0) + (first & HM_SPOOL_LARGE ? 2 : 0) +
           (first & HM_SPOOL_EXTRA ? 2 : 0);
}

static bool is_finished(const uint64_t *words) {
    return words[0] & HM_SPOOL_IS_SHORT ||
           (words[0] && __atomic_load_n(&words[1], __ATOMIC_ACQUIRE) >> HM_SPOOL_TICKET_SHIFT);
}

/* The next record that was finished. @return NULL at the stream's end */
static const uint64_t *next_record(const struct hm_spool *s, struct stream *stream) {
    while (stream->chunk < stream->chunk_count) {
        const struct stretch *chunk = &stream->chunks[stream->chunk];
        if (stream->at < chunk->from) {
            stream->at = chunk->from;
            if (chunk->ticket > stream->ticket)
                stream->ticket = chunk->ticket;
        }
        while (stream->at < chunk->to) {
            const uint64_t *words = (const void *)(s->bytes + stream->at);
            uint64_t left = (chunk->to - stream->at) / HM_SPOOL_WORD_BYTES;
            uint64_t count = left > 1 ? words_of(words) : 1;
            stream->at += count * HM_SPOOL_WORD_BYTES;
            if (count <= left && (left > 1 || words[0] & HM_SPOOL_IS_SHORT) && is_finished(words))
                return words;
        }
        stream->chunk++;
        stream->at = 0;
    }
    return NULL;
}

static bool is_counted(unsigned kind) {
    return kind == HM_TRACE_CALLOC || kind == HM_TRACE_REALLOCARRAY;
}

static void decode_short(const struct hm_spool *s, struct stream *stream, uint64_t word,
                         struct hm_spool_item *item) {
    const uint64_t ticket_mask = (1u << HM_SPOOL_TICKET_BITS) - 1;
    const uint64_t place_mask = (UINT64_C(1) << HM_SPOOL_PLACE_BITS) - 1;
    uint64_t base = hm_spool_head(s)->bases[word & HM_SPOOL_IS_HIGH ? 1 : 0];
    uint64_t low = word >> HM_SPOOL_TICKET_AT & ticket_mask;
    bool is_free = word & HM_SPOOL_IS_FREE;
    stream->ticket += (low - stream->ticket) & ticket_mask;
    *item = (struct hm_spool_item){
        .ticket = stream->ticket,
        .address = base + ((word >> HM_SPOOL_PLACE_SHIFT & place_mask) << 4),
        .kind = is_free ? HM_TRACE_FREE : HM_TRACE_MALLOC,
        .count = 1,
        .size = word >> HM_SPOOL_SIZE_AT,
    };
    if (is_free && item->size)
        item->address = item->size = 0;
}

/* @return the old address of a reallocation that moved, and the ticket in *leaves */
static uint64_t decode_long(struct stream *stream, const uint64_t *words,
                            struct hm_spool_item *item, uint64_t *leaves) {
    uint64_t first = words[0];
    uint64_t small = words[1] & HM_SPOOL_SIZE_MAX;
    uint64_t old = 0;
    *item = (struct hm_spool_item){
        .ticket = words[1] >> HM_SPOOL_TICKET_SHIFT,
        .address = first >> HM_SPOOL_ADDRESS_SHIFT,
        .kind = (uint8_t)(kind_of(first) - 1),
        .failed = first & HM_SPOOL_FAILED,
        .alignment_log2 = first >> HM_SPOOL_ALIGNMENT_SHIFT & 0x1f,
    };
    if (!(first & HM_SPOOL_NESTED))
        stream->ticket = item->ticket;
    bool counted = is_counted(item->kind);
    item->count = counted ? small >> HM_SPOOL_COUNT_SHIFT : 1;
    item->size = counted ? small & HM_SPOOL_COUNT_MAX : small;
    words += 2;
    if (first & HM_SPOOL_MOVED) {
        old = words[0];
        *leaves = words[1];
        words += 2;
    }
    if (first & HM_SPOOL_LARGE) {
        item->count = counted ? words[0] : 1;
        item->size = words[1];
        words += 2;
    }
    if (first & HM_SPOOL_EXTRA) {
        item->stack = words[0];
        item->time_ns = words[1];
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

/* @return true; a stack that there is no memory for is not known later */
static bool keep_stack(struct hm_spool *s, const uint64_t *words) {
    const struct hm_live_block stack = {.address = words[2],
                                        .number = (uint64_t)((const char *)words - s->bytes)};
    if (stack.address)
        hm_addresses_put(&s->stacks, &stack);
    return true;
}

size_t hm_spool_stack(const struct hm_spool *spool, uint64_t stack, const uint64_t **frames,
                      uint64_t *snapshot) {
    const struct hm_live_block *found = hm_addresses_find(&spool->stacks, stack);
    if (!found)
        return 0;
    const uint64_t *words = (const void *)(spool->bytes + found->number);
    *snapshot = words[3];
    *frames = words + 4;
    return words[0] >> HM_SPOOL_ADDRESS_SHIFT;
}

/* Reads one record into the window. @return false at the stream's end */
static bool read_one(struct hm_spool *s, struct stream *stream) {
    struct hm_spool_item item;
    uint64_t leaves = 0;
    uint64_t old = 0;
    const uint64_t *words = next_record(s, stream);
    if (!words)
        return false;
    if (!(words[0] & HM_SPOOL_IS_SHORT) && kind_of(words[0]) == HM_SPOOL_STACK)
        return keep_stack(s, words);
    if (words[0] & HM_SPOOL_IS_SHORT)
        decode_short(s, stream, words[0], &item);
    else
        old = decode_long(stream, words, &item, &leaves);
    if (item.kind == HM_SPOOL_THREAD_END - 1)
        stream->has_ended = true;
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
        stream->chunk = stream->at = stream->first = stream->last = stream->ticket = 0;
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
