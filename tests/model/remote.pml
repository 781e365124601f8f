/* A model of the queue in allocators/pool_remote.h: two producers push chains by compare-and-swap, the
 * owner takes all by exchange. No block may be lost, or taken twice; and no taken chain may lead to a
 * block whose link was not written yet.
 *
 * Each producer pushes a chain of two blocks, and then one of a single block. The owner
 * takes until it has seen as many blocks as were pushed; if one is lost it waits for ever, which is an
 * invalid end state. Promela's memory is sequentially consistent, so a weaker order is modelled by
 * the order of the statements that it allows.
 *
 *   -DLATE_LINK      the link to the old head is stored after the publication
 *   -DTORN_TAKE      load, then store, in place of the exchange
 *   -DBLIND_PUSH     load, then store, in place of the compare-and-swap
 *
 * Run by tests/cli/model_remote.sh. */
#define PER_PRODUCER 3
#define BLOCKS 6
#define NONE 255
#define UNWRITTEN 254

byte head = NONE;
byte next[BLOCKS] = UNWRITTEN;
byte taken[BLOCKS];

/* The chain from `first` to `last`, whose inner links stand already. */
inline push(first, last) {
#ifdef LATE_LINK
    do
    :: old = head;
       atomic {
           if
           :: head == old -> head = first; break
           :: else
           fi
       }
    od;
    next[last] = old
#elif defined BLIND_PUSH
    old = head;
    next[last] = old;
    head = first
#else
    do
    :: old = head;
       next[last] = old;
       atomic {
           if
           :: head == old -> head = first; break
           :: else
           fi
       }
    od
#endif
}

proctype producer(byte base) {
    byte old;
    next[base + 1] = base;
    push(base + 1, base);
    push(base + 2, base + 2)
}

proctype owner() {
    byte block, after, seen;
    do
    :: seen < BLOCKS ->
#ifdef TORN_TAKE
       head != NONE;
       block = head;
       head = NONE;
#else
       atomic { head != NONE; block = head; head = NONE };
#endif
       do
       :: block != NONE ->
          assert(next[block] != UNWRITTEN);
          after = next[block];
          next[block] = UNWRITTEN;
          taken[block]++;
          assert(taken[block] == 1);
          seen++;
          block = after
       :: else -> break
       od
    :: else -> break
    od;
    assert(head == NONE)
}

init {
    atomic {
        run producer(0);
        run producer(PER_PRODUCER);
        run owner()
    }
}
