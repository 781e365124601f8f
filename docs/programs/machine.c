/* For `heapmark exec --suite programs`: work for a C compiler. An abstract machine with its types, tables and
 * functions, most of them made by macros; it is compiled and never run. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST(X)                                                                                    \
    X(add, +) X(sub, -) X(mul, *) X(and, &) X(or, |) X(xor, ^)

#define TYPES(X)                                                                                   \
    X(i8, int8_t) X(u8, uint8_t) X(i16, int16_t) X(u16, uint16_t) X(i32, int32_t) X(u32, uint32_t) \
    X(i64, int64_t) X(u64, uint64_t)

/* A growing array of each type, with what one does with arrays. */
#define ARRAY(name, type)                                                                          \
    struct array_##name {                                                                          \
        type *at;                                                                                  \
        size_t count, room;                                                                        \
    };                                                                                             \
    int array_##name##_push(struct array_##name *a, type value) {                                  \
        if (a->count == a->room) {                                                                 \
            size_t room = a->room ? 2 * a->room : 8;                                               \
            type *grown = realloc(a->at, room * sizeof *grown);                                    \
            if (!grown)                                                                            \
                return 1;                                                                          \
            a->at = grown;                                                                         \
            a->room = room;                                                                        \
        }                                                                                          \
        a->at[a->count++] = value;                                                                 \
        return 0;                                                                                  \
    }                                                                                              \
    void array_##name##_sort(struct array_##name *a) {                                             \
        for (size_t gap = a->count / 2; gap > 0; gap /= 2)                                         \
            for (size_t i = gap; i < a->count; i++) {                                              \
                type moved = a->at[i];                                                             \
                size_t j = i;                                                                      \
                for (; j >= gap && a->at[j - gap] > moved; j -= gap)                               \
                    a->at[j] = a->at[j - gap];                                                     \
                a->at[j] = moved;                                                                  \
            }                                                                                      \
    }                                                                                              \
    uint64_t array_##name##_digest(const struct array_##name *a) {                                 \
        uint64_t digest = 14695981039346656037u;                                                   \
        for (size_t i = 0; i < a->count; i++)                                                      \
            for (size_t byte = 0; byte < sizeof(type); byte++)                                     \
                digest = (digest ^ (uint8_t)(a->at[i] >> (8 * byte))) * 1099511628211u;            \
        return digest;                                                                             \
    }
TYPES(ARRAY)

/* A hash table from texts to each type. */
#define TABLE(name, type)                                                                          \
    struct entry_##name {                                                                          \
        struct entry_##name *next;                                                                 \
        type value;                                                                                \
        char key[];                                                                                \
    };                                                                                             \
    struct table_##name {                                                                          \
        struct entry_##name **buckets;                                                             \
        size_t bucket_count, count;                                                                \
    };                                                                                             \
    static size_t hash_##name(const char *key) {                                                   \
        size_t hash = 5381;                                                                        \
        while (*key)                                                                               \
            hash = hash * 33 + (unsigned char)*key++;                                              \
        return hash;                                                                               \
    }                                                                                              \
    type *table_##name##_find(struct table_##name *t, const char *key) {                           \
        if (!t->bucket_count)                                                                      \
            return NULL;                                                                           \
        struct entry_##name *e = t->buckets[hash_##name(key) % t->bucket_count];                   \
        while (e && strcmp(e->key, key) != 0)                                                      \
            e = e->next;                                                                           \
        return e ? &e->value : NULL;                                                               \
    }                                                                                              \
    int table_##name##_put(struct table_##name *t, const char *key, type value) {                  \
        type *known = table_##name##_find(t, key);                                                 \
        size_t length = strlen(key);                                                               \
        if (known) {                                                                               \
            *known = value;                                                                        \
            return 0;                                                                              \
        }                                                                                          \
        struct entry_##name *e = malloc(sizeof *e + length + 1);                                   \
        if (!e || !t->bucket_count) {                                                              \
            free(e);                                                                               \
            return 1;                                                                              \
        }                                                                                          \
        memcpy(e->key, key, length + 1);                                                           \
        e->value = value;                                                                          \
        struct entry_##name **bucket = &t->buckets[hash_##name(key) % t->bucket_count];            \
        e->next = *bucket;                                                                         \
        *bucket = e;                                                                               \
        t->count++;                                                                                \
        return 0;                                                                                  \
    }
TYPES(TABLE)

/* Each operation on each pair of types, for one element and for arrays. */
#define OPERATION(op, sign, name, type)                                                            \
    type op##_##name(type a, type b) {                                                             \
        return (type)(a sign b);                                                                   \
    }                                                                                              \
    void op##_##name##_all(type *restrict out, const type *restrict a, const type *restrict b,     \
                           size_t count) {                                                         \
        for (size_t i = 0; i < count; i++)                                                         \
            out[i] = (type)(a[i] sign b[i]);                                                       \
    }
#define OPERATION_ADD(name, type) OPERATION(add, +, name, type)
#define OPERATION_SUB(name, type) OPERATION(sub, -, name, type)
#define OPERATION_MUL(name, type) OPERATION(mul, *, name, type)
#define OPERATION_XOR(name, type) OPERATION(xor, ^, name, type)
TYPES(OPERATION_ADD)
TYPES(OPERATION_SUB)
TYPES(OPERATION_MUL)
TYPES(OPERATION_XOR)

/* A machine with a register file, whose instructions are made of the same lists. */
struct machine {
    uint64_t registers[32];
    const uint32_t *code;
    size_t at, length;
    uint64_t steps;
};

#define OPCODE(op, sign)                                                                           \
    case __COUNTER__:                                                                              \
        m->registers[a] = m->registers[b] sign m->registers[c];                                    \
        break;

uint64_t machine_run(struct machine *m, uint64_t most) {
    while (m->at < m->length && m->steps < most) {
        uint32_t word = m->code[m->at++];
        unsigned a = word >> 8 & 31, b = word >> 13 & 31, c = word >> 18 & 31;
        m->steps++;
        switch (word & 255) {
            LIST(OPCODE)
        case 100:
            if (m->registers[a] > m->registers[b])
                m->at = c < m->at ? m->at - c : 0;
            break;
        case 101:
            m->registers[a] = m->registers[b] << (m->registers[c] & 63);
            break;
        default:
            return m->steps;
        }
    }
    return m->steps;
}

const char *machine_say(const struct machine *m, char *out, size_t size) {
    size_t used = 0;
    for (unsigned i = 0; i < 32 && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "r%u=%llu ", i,
                                 (unsigned long long)m->registers[i]);
    return out;
}
