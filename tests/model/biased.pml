/* A model of one object under biased counting, collectors/refcount_biased.h: its owner and two other
 * threads count references up and down, pass them to each other, and the owner may end at any time. The
 * object must be freed once, by the last reference's end, never be touched after that, and never stay.
 *
 * `held` is what each thread has; a reference is passed in one step, as that must synchronise. The loops
 * of compare-and-swap are one step, as they end only when nothing came in between; what lies between
 * two changes of the word, the local count and the queue is a step of its own. Promela's memory is
 * sequentially consistent: the orders of the atomics are the thread sanitizer's to check.
 *
 *   -DFREE_QUEUED    the owner frees a queued object when its local count falls to 0
 *   -DTORN_MERGE     load, then store, in place of the compare-and-swap, when the local count fell to 0
 *   -DTORN_DROP      the same, when another thread counts down
 *   -DNEVER_CLOSED   the owner's end leaves its queue open
 *   -DNO_DRAIN       the owner's end closes its queue over what is in it
 *
 * Run by tests/cli/model_biased.sh. */
#define OWNER 0
#define UPS 3
#define PASSES 4

mtype = { OWNED, QUEUED, MERGED, EMPTY, FULL, CLOSED };

mtype state = OWNED; /* and shared: the word */
short shared = 0;
short own = 1; /* the local count */
mtype queue = EMPTY;
byte held[3];
byte ups, passes;
bool ended, freed;

inline touch() {
    assert(!freed)
}

inline bury() {
    assert(!freed && held[0] + held[1] + held[2] == 0);
    freed = true
}

inline pass(from, to) {
    atomic { held[from]--; held[to]++; passes++ }
}

/* Add the local to the shared count; free what has no reference left. */
inline merge() {
    touch();
    mine = own;
    own = 0;
    atomic { shared = shared + mine; state = MERGED; zero = (shared == 0) };
    if
    :: zero -> bury()
    :: else
    fi
}

inline drain() {
    atomic { taken = (queue == FULL); queue = EMPTY };
    if
    :: taken -> merge()
    :: else
    fi;
    taken = false
}

/* The local count is 0. */
inline end_local() {
#ifdef TORN_MERGE
    touch();
    seen = shared;
    zero = (state == OWNED && seen == 0);
    merged = (state == OWNED && seen != 0);
    if
    :: merged -> atomic { touch(); shared = seen; state = MERGED }
    :: else
    fi;
#else
    atomic {
        touch();
#ifdef FREE_QUEUED
        zero = (state != MERGED && shared == 0);
#else
        zero = (state == OWNED && shared == 0);
#endif
        if
        :: state == OWNED && shared != 0 -> state = MERGED
        :: else
        fi
    };
#endif
    if
    :: zero -> bury()
    :: else
    fi
}

/* Another one than the owner, or the owner of what is merged. */
inline drop_shared() {
#ifdef TORN_DROP
    touch();
    seen = shared;
    atomic {
        touch();
        shared = seen - 1;
#else
    atomic {
        touch();
        shared--;
#endif
        queued = (state == OWNED && shared < 0);
        zero = (state == MERGED && shared == 0);
        if
        :: queued -> state = QUEUED
        :: else
        fi
    };
    if
    :: zero -> bury()
    :: queued ->
       atomic {
           touch();
           if
           :: queue == CLOSED -> closed = true
           :: else -> assert(queue == EMPTY); queue = FULL; closed = false
           fi
       };
       if
       :: closed -> merge()
       :: else
       fi
    :: else
    fi;
    queued = false;
    closed = false
}

proctype owner() {
    short mine, seen;
    bool zero, taken, queued, closed, merged, biased;
    do
    :: held[OWNER] > 0 && ups < UPS ->
       ups++;
       touch();
       biased = (state != MERGED);
       if
       :: biased -> touch(); own++
       :: else -> atomic { touch(); shared++ }
       fi;
       held[OWNER]++
    :: held[OWNER] > 0 ->
       held[OWNER]--;
       touch();
       biased = (state != MERGED);
       if
       :: biased ->
          touch();
          own--;
          if
          :: own == 0 -> end_local()
          :: else
          fi
       :: else -> drop_shared()
       fi
    :: held[OWNER] > 0 && passes < PASSES -> pass(OWNER, 1)
    :: held[OWNER] > 0 && passes < PASSES -> pass(OWNER, 2)
    :: drain()
    :: freed -> break
    :: atomic { ended = true; held[1] = held[1] + held[OWNER]; held[OWNER] = 0 };
       break
    od;
#ifdef NO_DRAIN
    queue = CLOSED
#elif !defined NEVER_CLOSED
    do
    :: atomic { queue == EMPTY -> queue = CLOSED }; break
    :: queue == FULL -> drain()
    od
#endif
}

proctype other(byte me; byte it) {
    short mine, seen;
    bool zero, queued, closed;
    do
    :: held[me] > 0 && ups < UPS ->
       ups++;
       atomic { touch(); shared++ };
       held[me]++
    :: held[me] > 0 ->
       held[me]--;
       drop_shared()
    :: held[me] > 0 && passes < PASSES -> pass(me, it)
    :: atomic { held[me] > 0 && passes < PASSES && !ended -> held[me]--; held[OWNER]++; passes++ }
    :: freed -> break
    od
}

init {
    atomic {
        held[OWNER] = 1;
        run owner();
        run other(1, 2);
        run other(2, 1)
    }
}
