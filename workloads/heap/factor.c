/* Factors a number by continued fractions, with numbers that are blocks of the heap: cfrac's pattern
 * of very many tiny blocks that die at once, among few that stay.
 *
 * The method is Morrison and Brillhart's. The expansion of the square root of n gives A and Q with
 * A^2 = (-1)^i Q modulo n, where Q is small; each Q is divided by the primes of a factor base, and a Q
 * of which nothing is left is a relation. With some more relations than primes, Gaussian elimination
 * finds products of them that are squares on both sides, X^2 = Y^2 modulo n, and gcd(X - Y, n) is a
 * factor. Then all relations are freed, and it begins anew.
 *
 * An operation is one step of the expansion with its trial divisions, each of which makes a
 * quotient and a rest and drops them; the step that has relations enough ends with the elimination.
 *
 * Vocabulary
 *   base      the primes modulo which n is a square; numbers that live as long as the workload.
 *   relation  A, and the exponents of -1 and of each prime in its Q; lives until n is factored.
 *   row       a relation's exponents modulo 2, and which relations have been added to it: bits.
 *
 * Oracles: the factors are known; and every relation, as well as the step at hand, is checked by
 * arithmetic on 128 bits that uses no block of the heap.
 *
 * Invariant
 *   A step changes nothing before it has all its memory, so that it can be done again. */
#include "workloads/numbers.h"
#include "workloads/scratch.h"
#include "workloads/workload.h"

#include <errno.h>

enum {
    PARAM_DIGITS,
};

enum {
    BASE_MAX = 100,
    SPARE_RELATIONS = 8, /* half of the products that come out are of no use, each by itself */
    RELATIONS_MAX = BASE_MAX + 1 + SPARE_RELATIONS,
    ROW_WORDS = 2,
};

static const struct hm_param params[] = {
    [PARAM_DIGITS] = {.name = "digits",
                      .unit = "",
                      .help = "of the number, a product of two primes",
                      .kind = HM_PARAM_CHOICE,
                      .initial = 1,
                      .choices = "16|20|24|28"},
    {.name = NULL},
};

static const struct task {
    uint64_t p, q;
    unsigned base; /* primes */
} tasks[] = {
    {78522767, 92977991, 40},
    {6885297179, 8410917703, 60},
    {723966284857, 943557039517, 60},
    {82235877401411, 68397569632033, 100},
};

typedef unsigned __int128 wide;

/* One step of the expansion: a quotient of (g + P) / Q, and a convergent's numerator A. */
struct step {
    struct hm_number *p;
    struct hm_number *q;
    struct hm_number *quotient;
    struct hm_number *a;
    struct hm_number *a_before;
};

struct relation {
    struct hm_number *a;
    unsigned char *exponents; /* of -1, then of each prime */
};

struct row {
    uint64_t exponents[ROW_WORDS]; /* modulo 2 */
    uint64_t members[ROW_WORDS];   /* relations */
};

struct factor {
    const struct task *task;
    wide product; /* n, for set-up and verification */
    struct hm_numbers numbers;
    uint32_t primes[BASE_MAX];
    struct hm_number *base[BASE_MAX];
    struct hm_number *n;
    struct hm_number *root;
    struct step step;
    uint64_t index; /* of the step */
    struct relation relations[RELATIONS_MAX];
    unsigned relation_count;
    bool wrong; /* n was not split, or not into the factors that are known */
    uint64_t salt;
};

/* ---- Blocks that are no numbers ---- */

static void *new_block(struct factor *factor, size_t bytes) {
    void *block = hm_malloc(&factor->numbers.memory, bytes);
    factor->numbers.live_bytes += block ? bytes : 0;
    return block;
}

static void drop_block(struct factor *factor, void *block, size_t bytes) {
    hm_free(&factor->numbers.memory, block);
    factor->numbers.live_bytes -= block ? bytes : 0;
}

static size_t exponent_bytes(const struct factor *factor) {
    return factor->task->base + 1;
}

/* ---- The expansion ---- */

static void drop_step(struct factor *factor, struct step *step) {
    hm_number_drop(&factor->numbers, step->p);
    hm_number_drop(&factor->numbers, step->q);
    hm_number_drop(&factor->numbers, step->quotient);
    hm_number_drop(&factor->numbers, step->a);
    hm_number_drop(&factor->numbers, step->a_before);
    *step = (struct step){NULL, NULL, NULL, NULL, NULL};
}

static bool is_whole(const struct step *step) {
    return step->p && step->q && step->quotient && step->a && step->a_before;
}

static bool first_step(struct factor *factor, struct step *out) {
    struct hm_numbers *numbers = &factor->numbers;
    *out = (struct step){.p = hm_number_of(numbers, 0),
                         .q = hm_number_of(numbers, 1),
                         .quotient = hm_number_copy(numbers, factor->root),
                         .a = hm_number_copy(numbers, factor->root),
                         .a_before = hm_number_of(numbers, 1)};
    if (is_whole(out))
        return true;
    drop_step(factor, out);
    return false;
}

/* P' = quotient Q - P, Q' = (n - P'^2) / Q, quotient' = (g + P') / Q', A' = quotient' A + A before. */
static bool next_step(struct factor *factor, const struct step *step, struct step *out) {
    struct hm_numbers *numbers = &factor->numbers;
    struct hm_number *product = hm_number_multiply(numbers, step->quotient, step->q);
    out->p = hm_number_subtract(numbers, product, step->p);
    struct hm_number *square = hm_number_multiply(numbers, out->p, out->p);
    struct hm_number *rest = hm_number_subtract(numbers, factor->n, square);
    out->q = hm_number_quotient(numbers, rest, step->q);
    struct hm_number *sum = hm_number_add(numbers, factor->root, out->p);
    out->quotient = hm_number_quotient(numbers, sum, out->q);
    struct hm_number *term = hm_number_multiply_modulo(numbers, out->quotient, step->a, factor->n);
    struct hm_number *next = hm_number_add(numbers, term, step->a_before);
    out->a = hm_number_rest(numbers, next, factor->n);
    out->a_before = hm_number_copy(numbers, step->a);
    struct hm_number *const temporaries[] = {product, square, rest, sum, term, next};
    for (size_t i = 0; i < sizeof temporaries / sizeof *temporaries; i++)
        hm_number_drop(numbers, temporaries[i]);
    if (is_whole(out))
        return true;
    drop_step(factor, out);
    return false;
}

/* ---- Relations ---- */

enum trial {
    TRIAL_NO_MEMORY,
    TRIAL_ROUGH,
    TRIAL_SMOOTH,
};

/* Divide by a prime as often as it goes. @param left replaced  @return whether there was memory */
static bool divide_out(struct hm_numbers *numbers, struct hm_number **left,
                       const struct hm_number *prime, unsigned char *exponent) {
    for (;;) {
        struct hm_number *quotient, *rest;
        if (!hm_number_divide(numbers, *left, prime, &quotient, &rest))
            return false;
        bool divides = rest->count == 0;
        hm_number_drop(numbers, rest);
        hm_number_drop(numbers, divides ? *left : quotient);
        if (!divides)
            return true;
        *left = quotient;
        ++*exponent;
    }
}

/* @param exponents those of the primes, zeroed */
static enum trial try_base(struct factor *factor, const struct hm_number *q,
                           unsigned char *exponents) {
    struct hm_numbers *numbers = &factor->numbers;
    struct hm_number *left = hm_number_copy(numbers, q);
    bool enough = left;
    for (unsigned i = 0; enough && i < factor->task->base && !hm_number_is(left, 1); i++)
        enough = divide_out(numbers, &left, factor->base[i], &exponents[i]);
    bool smooth = enough && hm_number_is(left, 1);
    hm_number_drop(numbers, left);
    if (!enough)
        return TRIAL_NO_MEMORY;
    return smooth ? TRIAL_SMOOTH : TRIAL_ROUGH;
}

static void drop_relation(struct factor *factor, struct relation *relation) {
    hm_number_drop(&factor->numbers, relation->a);
    drop_block(factor, relation->exponents, exponent_bytes(factor));
    *relation = (struct relation){NULL, NULL};
}

/* @return whether there was memory */
static bool keep_relation(struct factor *factor, const struct hm_number *a,
                          const unsigned char *exponents) {
    struct relation *relation = &factor->relations[factor->relation_count];
    relation->a = hm_number_copy(&factor->numbers, a);
    relation->exponents = new_block(factor, exponent_bytes(factor));
    if (!relation->a || !relation->exponents) {
        drop_relation(factor, relation);
        return false;
    }
    memcpy(relation->exponents, exponents, exponent_bytes(factor));
    factor->relation_count++;
    return true;
}

static void drop_relations(struct factor *factor) {
    while (factor->relation_count)
        drop_relation(factor, &factor->relations[--factor->relation_count]);
}

/* ---- Elimination ---- */

static bool has_bit(const uint64_t *bits, unsigned i) {
    return bits[i / 64] >> i % 64 & 1;
}

static void drop_rows(struct factor *factor, struct row **rows) {
    for (unsigned i = 0; i < factor->relation_count; i++)
        drop_block(factor, rows[i], sizeof **rows);
}

/* One row for each relation. @return whether there was memory */
static bool make_rows(struct factor *factor, struct row **rows) {
    bool enough = true;
    for (unsigned i = 0; i < factor->relation_count; i++) {
        rows[i] = new_block(factor, sizeof **rows);
        enough &= rows[i] != NULL;
        if (!rows[i])
            continue;
        memset(rows[i], 0, sizeof **rows);
        rows[i]->members[i / 64] = (uint64_t)1 << i % 64;
        for (unsigned j = 0; j <= factor->task->base; j++)
            rows[i]->exponents[j / 64] |= (uint64_t)(factor->relations[i].exponents[j] & 1)
                                          << j % 64;
    }
    if (!enough)
        drop_rows(factor, rows);
    return enough;
}

static void add_row(struct row *to, const struct row *row) {
    for (unsigned i = 0; i < ROW_WORDS; i++) {
        to->exponents[i] ^= row->exponents[i];
        to->members[i] ^= row->members[i];
    }
}

/* @return rows that are not zero; those behind them are */
static unsigned eliminate(const struct factor *factor, struct row **rows) {
    unsigned rank = 0;
    for (unsigned column = 0; column <= factor->task->base; column++) {
        unsigned pivot = rank;
        while (pivot < factor->relation_count && !has_bit(rows[pivot]->exponents, column))
            pivot++;
        if (pivot == factor->relation_count)
            continue;
        struct row *row = rows[pivot];
        rows[pivot] = rows[rank];
        rows[rank++] = row;
        for (unsigned i = rank; i < factor->relation_count; i++)
            if (has_bit(rows[i]->exponents, column))
                add_row(rows[i], row);
    }
    return rank;
}

/* number = number * factor modulo n, in its place. */
static void multiply_on(struct factor *factor, struct hm_number **number,
                        const struct hm_number *by) {
    struct hm_number *product = hm_number_multiply_modulo(&factor->numbers, *number, by, factor->n);
    hm_number_drop(&factor->numbers, *number);
    *number = product;
}

/* X, the product of the A, and Y, the root of the product of the Q. */
static void make_squares(struct factor *factor, const struct row *row, struct hm_number **x,
                         struct hm_number **y) {
    unsigned sums[BASE_MAX + 1] = {0};
    *x = hm_number_of(&factor->numbers, 1);
    *y = hm_number_of(&factor->numbers, 1);
    for (unsigned i = 0; i < factor->relation_count; i++) {
        if (!has_bit(row->members, i))
            continue;
        multiply_on(factor, x, factor->relations[i].a);
        for (unsigned j = 0; j <= factor->task->base; j++)
            sums[j] += factor->relations[i].exponents[j];
    }
    for (unsigned j = 1; j <= factor->task->base; j++)
        for (unsigned k = 0; k < sums[j] / 2; k++)
            multiply_on(factor, y, factor->base[j - 1]);
}

/* gcd(|X - Y|, n). @return NULL without memory */
static struct hm_number *divisor_of(struct factor *factor, const struct row *row) {
    struct hm_numbers *numbers = &factor->numbers;
    struct hm_number *x, *y;
    make_squares(factor, row, &x, &y);
    bool swapped = x && y && hm_number_compare(x, y) < 0;
    struct hm_number *rest = hm_number_subtract(numbers, swapped ? y : x, swapped ? x : y);
    struct hm_number *divisor = hm_number_gcd(numbers, rest, factor->n);
    hm_number_drop(numbers, x);
    hm_number_drop(numbers, y);
    hm_number_drop(numbers, rest);
    return divisor;
}

/* @return whether there was memory */
static bool note_divisor(struct factor *factor, struct hm_number *divisor, bool *split) {
    if (!divisor)
        return false;
    *split = !hm_number_is(divisor, 1) && hm_number_compare(divisor, factor->n) != 0;
    uint64_t low = hm_number_low(divisor);
    if (*split && (divisor->count > 2 || (low != factor->task->p && low != factor->task->q)))
        factor->wrong = true;
    hm_number_drop(&factor->numbers, divisor);
    return true;
}

/* With relations enough: split n, then drop all of them and begin anew.
 * @return whether there was memory; if not, all is as it was */
static bool finish(struct factor *factor) {
    struct row *rows[RELATIONS_MAX] = {NULL};
    struct step step;
    bool split = false;
    if (!make_rows(factor, rows))
        return false;
    bool enough = true;
    for (unsigned i = eliminate(factor, rows); enough && !split && i < factor->relation_count; i++)
        enough = note_divisor(factor, divisor_of(factor, rows[i]), &split);
    drop_rows(factor, rows);
    if (!enough || !first_step(factor, &step))
        return false;
    factor->wrong |= !split;
    drop_relations(factor);
    drop_step(factor, &factor->step);
    factor->step = step;
    factor->index = 0;
    return true;
}

/* ---- The workload ---- */

static void drop_all(struct factor *factor) {
    drop_relations(factor);
    drop_step(factor, &factor->step);
    for (unsigned i = 0; i < factor->task->base; i++)
        hm_number_drop(&factor->numbers, factor->base[i]);
    hm_number_drop(&factor->numbers, factor->n);
    hm_number_drop(&factor->numbers, factor->root);
}

static void teardown(struct hm_run *run) {
    struct factor *factor = run->state;
    drop_all(factor);
    hm_scratch_free(factor, sizeof *factor);
    run->state = NULL;
}

static wide power_modulo(wide number, uint64_t exponent, wide modulus) {
    wide power = 1;
    for (number %= modulus; exponent; exponent /= 2, number = number * number % modulus)
        if (exponent % 2)
            power = power * number % modulus;
    return power;
}

static bool is_prime(uint32_t number) {
    for (uint32_t d = 2; d * d <= number; d++)
        if (number % d == 0)
            return false;
    return number > 1;
}

/* Euler's criterion: whether n is a square modulo the prime. */
static void find_primes(struct factor *factor) {
    wide n = factor->product;
    unsigned count = 0;
    for (uint32_t prime = 2; count < factor->task->base; prime++)
        if (is_prime(prime) && (prime == 2 || power_modulo(n, (prime - 1) / 2, prime) == 1))
            factor->primes[count++] = prime;
}

/* @return whether there was memory */
static bool make_constants(struct factor *factor) {
    struct hm_numbers *numbers = &factor->numbers;
    struct hm_number *p = hm_number_of(numbers, factor->task->p);
    struct hm_number *q = hm_number_of(numbers, factor->task->q);
    bool enough = true;
    factor->n = hm_number_multiply(numbers, p, q);
    factor->root = factor->n ? hm_number_root(numbers, factor->n) : NULL;
    hm_number_drop(numbers, p);
    hm_number_drop(numbers, q);
    for (unsigned i = 0; i < factor->task->base; i++) {
        factor->base[i] = hm_number_of(numbers, factor->primes[i]);
        enough &= factor->base[i] != NULL;
    }
    return enough && factor->root && first_step(factor, &factor->step);
}

static int setup(struct hm_run *run) {
    struct factor *factor = hm_scratch(sizeof *factor);
    if (!factor)
        return ENOMEM;
    run->state = factor;
    factor->task = &tasks[run->params[PARAM_DIGITS].number];
    factor->product = (wide)factor->task->p * factor->task->q;
    factor->numbers.memory = *run->memory;
    factor->salt = hm_mix(run->seed + run->thread);
    find_primes(factor);
    if (make_constants(factor))
        return 0;
    teardown(run);
    return ENOMEM;
}

/* @return whether there was memory; if not, all is as it was */
static bool take_step(struct factor *factor) {
    unsigned char exponents[BASE_MAX + 1] = {0};
    struct step next;
    if (factor->relation_count > factor->task->base + SPARE_RELATIONS)
        return finish(factor);
    if (!next_step(factor, &factor->step, &next))
        return false;
    exponents[0] = (factor->index + 1) % 2;
    enum trial trial = try_base(factor, next.q, exponents + 1);
    if (trial == TRIAL_NO_MEMORY ||
        (trial == TRIAL_SMOOTH && !keep_relation(factor, factor->step.a, exponents))) {
        drop_step(factor, &next);
        return false;
    }
    drop_step(factor, &factor->step);
    factor->step = next;
    factor->index++;
    return true;
}

/* Nothing is drawn: the seed is in the checksum for the sake of form. */
static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct factor *factor = run->state;
    for (uint64_t done = 0; done < units; done++) {
        if (!take_step(factor))
            return done;
        run->checksum += hm_number_low(factor->step.a) + hm_number_low(factor->step.q) +
                         factor->relation_count + factor->salt;
    }
    return units;
}

/* ---- Verification, without a number ---- */

static wide wide_of(const struct hm_number *number) {
    wide sum = 0;
    for (uint32_t i = number->count; i-- > 0;)
        sum = sum << 32 | number->limb[i];
    return sum;
}

/* By doubling, for a product of two numbers below n may have more than 128 bits. */
static wide product_modulo(wide a, wide b, wide n) {
    wide sum = 0;
    for (; b; b /= 2, a = 2 * a % n)
        if (b % 2)
            sum = (sum + a) % n;
    return sum;
}

/* Whether A^2 = (-1)^sign Q modulo n. */
static bool is_relation(wide n, wide a, bool sign, wide q) {
    return product_modulo(a % n, a % n, n) == (sign ? n - q % n : q % n) % n;
}

static bool holds(const struct factor *factor, const struct relation *relation) {
    wide n = factor->product;
    wide q = 1;
    for (unsigned i = 0; i < factor->task->base; i++)
        for (unsigned k = 0; k < relation->exponents[i + 1]; k++)
            q = product_modulo(q, factor->primes[i], n);
    return is_relation(factor->product, wide_of(relation->a), relation->exponents[0], q);
}

static const char *verify(struct hm_run *run) {
    const struct factor *factor = run->state;
    const struct step *step = &factor->step;
    if (factor->wrong)
        return "the number was not split into the factors that are known";
    if (!factor->product || wide_of(factor->n) != factor->product)
        return "the number to be factored has changed";
    for (unsigned i = 0; i < factor->task->base; i++)
        if (wide_of(factor->base[i]) != factor->primes[i])
            return "a prime of the factor base has changed";
    if (!is_relation(factor->product, wide_of(step->a_before), factor->index % 2, wide_of(step->q)))
        return "a step of the expansion does not hold";
    for (unsigned i = 0; i < factor->relation_count; i++)
        if (!holds(factor, &factor->relations[i]))
            return "a relation does not hold";
    return NULL;
}

static uint64_t live_bytes(const struct hm_run *run) {
    const struct factor *factor = run->state;
    return factor->numbers.live_bytes;
}

static const struct hm_workload factor = {
    HM_WORKLOAD_VARIANT,
    .name = "factor",
    .summary =
        "a number is factored by continued fractions, in numbers that are blocks of the heap",
    .stresses = "very many tiny blocks that die at once, among few that live long",
    .origin =
        "Morrison and Brillhart, 1975, as cfrac in mimalloc-bench, which factors one of 44 digits; "
        "here one of 20, again and again",
    .op = "step of the expansion, with its trial divisions",
    .params = params,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, factor);
