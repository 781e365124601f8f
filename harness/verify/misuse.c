/* What becomes of a program that misuses its heap. Each case runs in a process of its own:
 *
 *   set up      eight blocks of one size, with patterns; one of them is the victim
 *   the act     stopped here: aborted
 *   afterwards  blocks are handed out, checked and freed; stopped here: late
 *   the end     all patterns and places sound: neutralised, else missed
 *
 * An allocator that ignores a double free and stays sound is as good as one that aborts: to look at
 * crashes alone would be wrong (mimalloc's secure mode, hardened_malloc's tests). */
#include "harness/verify/sized.h"

#include "workloads/scratch.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

enum {
    PHASE_SET_UP,
    PHASE_ACT,
    PHASE_AFTER,
    PHASE_SOUND,
    PHASE_UNSOUND,
};

enum {
    ROW = 8,
    VICTIM = 3,
    FRESH = 48,
    IDS = ROW + FRESH,
    MIB = 1 << 20,
};

/* What is not done by then goes round in a damaged list. */
static const double hung_s = 2;

struct field {
    struct hm_verify *v;
    struct hm_shadow shadow;
    size_t size;
    size_t length; /* bytes that are written where they must not be; or a size that is wrong */
    const struct hm_sized *sized; /* the victim is freed by this one; NULL: by free */
    void *blocks[IDS];
};

struct misuse {
    void (*act)(struct field *f);
    const struct hm_sized *sized; /* or NULL */
    const size_t *lengths;        /* field.length, one after the other */
    size_t length_count;
};

static void begin_act(struct field *f) {
    f->v->board->phase = PHASE_ACT;
}

static char *victim(struct field *f) {
    return f->blocks[VICTIM];
}

/* The victim is freed once, rightly, and is no longer looked at. */
static void free_victim(struct field *f) {
    hm_verify_free(f->v, &f->shadow, VICTIM);
    f->blocks[VICTIM] = NULL;
}

static void set_up(struct field *f) {
    hm_verify_shadow(f->v, &f->shadow, IDS);
    for (uint32_t id = 0; id < ROW; id++) {
        void *sized = f->sized && id == VICTIM ? f->sized->allocate(f->size) : NULL;
        f->blocks[id] = sized ? sized : hm_verify_malloc(f->v, f->size);
        hm_verify_take(f->v, &f->shadow, id, f->blocks[id], f->size, 1);
    }
}

/* One more life of the heap. What it hands out must be fresh, and stay as it was written. */
static bool live_on(struct field *f) {
    struct hm_error error = {""};
    bool sound = hm_shadow_check_all(&f->shadow, &error) == 0;
    for (uint32_t id = ROW; id < IDS; id++) {
        size_t size = id % 4 ? f->size : 1 + f->size / 2;
        if (f->sized && id % 4 == 1) /* it may have come to the blocks of the wrong size */
            size = f->length;
        errno = 0;
        f->blocks[id] = hm_malloc(f->v->memory, size);
        if (!f->blocks[id] && f->v->may_run_out && errno == ENOMEM)
            continue;
        if (!f->blocks[id] || hm_shadow_take(&f->shadow, id, f->blocks[id], size, 1, &error))
            sound = false;
    }
    sound = hm_shadow_check_all(&f->shadow, &error) == 0 && sound;
    for (uint32_t id = 0; id < IDS; id++) {
        if (hm_shadow_is_live(&f->shadow, id))
            sound = hm_shadow_drop(&f->shadow, id, NULL, &error) == 0 && sound;
        hm_free(f->v->memory, f->blocks[id]);
        f->blocks[id] = NULL;
    }
    return sound;
}

__attribute__((noreturn)) static void commit(struct field *f, void (*act)(struct field *f)) {
    set_up(f);
    act(f);
    f->v->board->phase = PHASE_AFTER;
    bool sound = live_on(f);
    sound = live_on(f) && sound;
    f->v->board->phase = sound ? PHASE_SOUND : PHASE_UNSOUND;
    _exit(0);
}

static enum hm_conform judge(const struct hm_board *board, enum hm_watch how) {
    switch (board->phase) {
    case PHASE_SOUND:
        return HM_CONFORM_NEUTRALISED;
    case PHASE_UNSOUND:
        return HM_CONFORM_MISSED;
    case PHASE_ACT:
        return how == HM_WATCH_TIMEOUT ? HM_CONFORM_MISSED : HM_CONFORM_ABORTED;
    case PHASE_AFTER:
        return how == HM_WATCH_TIMEOUT ? HM_CONFORM_MISSED : HM_CONFORM_LATE;
    default:
        return HM_CONFORM_COULD_NOT_RUN;
    }
}

static enum hm_conform try_case(struct hm_verify *v, const struct misuse *m, size_t size,
                                size_t length) {
    struct field f = {.v = v, .size = size, .length = length, .sized = m->sized};
    struct hm_board *board = v->board;
    int status;
    hm_verify_at(v, "misuse of %zu bytes", size);
    board->phase = PHASE_SET_UP;
    int pid = hm_verify_fork(v);
    if (pid == 0)
        commit(&f, m->act);
    enum hm_conform verdict =
        judge(board, hm_verify_watch(v, pid, fmin(v->timeout_s, hung_s), NULL, &status));
    board->verdict = HM_CONFORM_NONE; /* what the case said of its set-up is told by the verdict */
    board->ended = 0;
    return verdict;
}

/* What became of all cases so far: the worst one that could be tried, and each in words. */
struct outcome {
    enum hm_conform worst;
    char note[sizeof((struct hm_board *)0)->line];
};

static void tell(struct outcome *o, const struct misuse *m, size_t size, size_t length,
                 enum hm_conform one) {
    size_t used = strlen(o->note);
    char before[64] = "";
    if (one != HM_CONFORM_COULD_NOT_RUN && one > o->worst)
        o->worst = one;
    if (length)
        snprintf(before, sizeof before, "%s%s%zu at ", m->sized ? m->sized->name : "",
                 m->sized ? " " : "", length);
    snprintf(o->note + used, sizeof o->note - used, "%s%s%zu: %s", used ? ", " : "", before, size,
             hm_conform_word(one));
}

static void try_sizes(struct hm_verify *v, const struct misuse *m, struct outcome *o) {
    static const size_t sizes[] = {24, 1000, 200000};
    for (size_t l = 0; l < m->length_count; l++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            tell(o, m, sizes[i], m->lengths[l], try_case(v, m, sizes[i], m->lengths[l]));
}

static void conclude(struct hm_verify *v, const struct outcome *o) {
    hm_verify_note(v, "%s", o->note);
    hm_verify_conclude(v, o->worst == HM_CONFORM_NONE ? HM_CONFORM_COULD_NOT_RUN : o->worst);
}

static void try_all(struct hm_verify *v, void (*act)(struct field *f), const size_t *lengths,
                    size_t length_count) {
    const struct misuse m = {.act = act, .lengths = lengths, .length_count = length_count};
    struct outcome o = {.worst = HM_CONFORM_NONE};
    try_sizes(v, &m, &o);
    conclude(v, &o);
}

static const size_t no_length[] = {0};
static const size_t lengths[] = {1, 32, MIB};

static void free_twice(struct field *f) {
    char *p = victim(f);
    free_victim(f);
    begin_act(f);
    hm_free(f->v->memory, p);
}

static void check_double_free(struct hm_verify *v) {
    try_all(v, free_twice, no_length, 1);
}

static void free_foreign(struct field *f) {
    char *p = hm_verify_scratch(f->v, f->size + 4096);
    begin_act(f);
    hm_free(f->v->memory, p + 64);
}

static void check_foreign_free(struct hm_verify *v) {
    try_all(v, free_foreign, no_length, 1);
}

static void free_interior(struct field *f) {
    size_t offset = f->size > 64 ? f->size / 2 & ~(size_t)15 : 16;
    begin_act(f);
    hm_free(f->v->memory, victim(f) + offset);
}

static void check_interior_free(struct hm_verify *v) {
    try_all(v, free_interior, no_length, 1);
}

static void free_stack(struct field *f) {
    _Alignas(16) char local[256];
    memset(local, 0, sizeof local);
    begin_act(f);
    hm_free(f->v->memory, local + 64);
}

static void check_stack_free(struct hm_verify *v) {
    try_all(v, free_stack, no_length, 1);
}

static void write_behind(struct field *f) {
    volatile char *end = victim(f) + f->size;
    begin_act(f);
    for (size_t i = 0; i < f->length; i++)
        end[i] = 0x5a;
}

static void check_overflow(struct hm_verify *v) {
    try_all(v, write_behind, lengths, 3);
}

static void write_before(struct field *f) {
    volatile char *begin = victim(f);
    begin_act(f);
    for (size_t i = 1; i <= f->length; i++)
        begin[-(ptrdiff_t)i] = 0x5a;
}

static void check_underflow(struct hm_verify *v) {
    try_all(v, write_before, lengths, 3);
}

/* Two blocks are freed: what a free list keeps in the later one leads to the earlier one. */
static void write_freed(struct field *f) {
    volatile char *p = victim(f);
    hm_verify_free(f->v, &f->shadow, VICTIM + 2);
    f->blocks[VICTIM + 2] = NULL;
    free_victim(f);
    begin_act(f);
    for (size_t i = 0; i < 24; i++)
        p[i] = 0x5a;
}

static void check_use_after_free(struct hm_verify *v) {
    try_all(v, write_freed, no_length, 1);
}

/* Another size class each time, and twice another kind of block. */
static const size_t wrong_sizes[] = {1, 4096, MIB};

static void free_with_wrong_size(struct field *f) {
    void *p = victim(f);
    struct hm_error error = {""};
    hm_verify_try(f->v, hm_shadow_drop(&f->shadow, VICTIM, NULL, &error), &error);
    f->blocks[VICTIM] = NULL;
    begin_act(f);
    hm_sized_free(f->sized, p, f->length);
}

static void check_sized_mismatch(struct hm_verify *v) {
    struct hm_sized all[HM_SIZED_MAX];
    struct outcome o = {.worst = HM_CONFORM_NONE};
    size_t found = hm_sized_frees(v, all);
    if (!found)
        hm_verify_unsupported(v, "it exports no sized free");
    for (size_t i = 0; i < found; i++) {
        const struct misuse m = {free_with_wrong_size, &all[i], wrong_sizes,
                                 sizeof wrong_sizes / sizeof *wrong_sizes};
        try_sizes(v, &m, &o);
    }
    conclude(v, &o);
}

#define MISUSE(symbol, word, text)                                                                 \
    static const struct hm_property symbol = {                                                     \
        .name = "misuse-" word,                                                                    \
        .summary = (text),                                                                         \
        .point = 90,                                                                               \
        .threads = 1,                                                                              \
        .informative = true,                                                                       \
        .run = check_##symbol,                                                                     \
    };                                                                                             \
    HM_REGISTER(hm_property, symbol)

MISUSE(double_free, "double-free", "what becomes of a block that is freed twice");
MISUSE(foreign_free, "foreign-free", "a free of memory that the program mapped for itself");
MISUSE(interior_free, "interior-free", "a free of a pointer into a block");
MISUSE(stack_free, "stack-free", "a free of a local variable");
MISUSE(overflow, "overflow", "1 byte, 32 bytes and 1 MiB written behind a block");
MISUSE(underflow, "underflow", "1 byte, 32 bytes and 1 MiB written before a block");
MISUSE(use_after_free, "use-after-free", "24 bytes written to a block that was freed");
MISUSE(sized_mismatch, "sized-mismatch", "a sized free that is told a wrong size");
