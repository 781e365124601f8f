/* A model of stopping the world, collectors/world.h: threads enter, run, leave, poll at safepoints, and
 * each may stop the world. While one has stopped it nobody else runs; and all come to their end.
 *
 * The mutex is a lock here, and the two conditions are waits that give it up in one step with falling asleep,
 * as pthread_cond_wait does; a signal wakes one that sleeps, and is lost if nobody does. `inside` is which
 * threads look at objects, set and reset between the steps of the protocol. Promela's memory is sequentially
 * consistent; `asked` alone is not under the lock, and may be seen late: a poll may miss it.
 *
 *   -DEARLY_STOP     who stops the world does not wait until it is the only one
 *   -DJOIN           a thread enters without a look at whether the world is stopped
 *   -DTWO_STOPS      who stops the world does not look whether another one has
 *   -DQUIET_LEAVE    a thread that comes to rest wakes nobody
 *   -DQUIET_RESUME   the end of a stop wakes nobody
 *   -DWAKE_ONE       the end of a stop wakes one thread only
 *   -DNEVER_POLL     a running thread polls no more: it waits, while it runs, for the others' end
 *
 * Run by tests/cli/model_world.sh. */
#define THREADS 3
#define STEPS 2

bool locked, stopped, asked;
byte running;
bool inside[THREADS];
bool asleep_rested[THREADS], asleep_resumed[THREADS];
byte ended;

inline lock() {
    atomic { !locked -> locked = true }
}

inline unlock() {
    locked = false
}

/* With the lock; has it again at the end. */
inline wait(asleep) {
    atomic { asleep = true; locked = false };
    atomic { !asleep && !locked -> locked = true }
}

/* One sleeps there at most: who has stopped the world. */
inline signal_rested() {
#ifdef QUIET_LEAVE
    skip
#else
    atomic {
        asleep_rested[0] = false;
        asleep_rested[1] = false;
        asleep_rested[2] = false
    }
#endif
}

inline broadcast_resumed() {
#ifdef WAKE_ONE
    atomic {
        if
        :: asleep_resumed[0] -> asleep_resumed[0] = false
        :: asleep_resumed[1] -> asleep_resumed[1] = false
        :: asleep_resumed[2] -> asleep_resumed[2] = false
        :: !asleep_resumed[0] && !asleep_resumed[1] && !asleep_resumed[2] -> skip
        fi
    }
#elif defined QUIET_RESUME
    skip
#else
    atomic {
        asleep_resumed[0] = false;
        asleep_resumed[1] = false;
        asleep_resumed[2] = false
    }
#endif
}

inline begin() {
#ifndef JOIN
    do
    :: stopped -> wait(asleep_resumed[me])
    :: !stopped -> break
    od;
#endif
    running++
}

inline end() {
    running--;
    signal_rested()
}

inline alone() {
    assert(inside[0] + inside[1] + inside[2] == 0 && running == 1)
}

inline stop() {
    lock();
#ifndef TWO_STOPS
    if
    :: stopped -> end(); begin()
    :: !stopped
    fi;
#endif
    stopped = true;
    asked = true;
#ifndef EARLY_STOP
    do
    :: running > 1 -> wait(asleep_rested[me])
    :: running <= 1 -> break
    od;
#endif
    unlock()
}

inline resume() {
    lock();
    stopped = false;
    asked = false;
    broadcast_resumed();
    unlock()
}

proctype thread(byte me) {
    byte steps;
    lock();
    begin();
    unlock();
    do
    :: steps < STEPS ->
       steps++;
       inside[me] = true;
       inside[me] = false;
       if
       :: asked -> lock(); end(); unlock(); lock(); begin(); unlock()
       :: skip
       :: stop(); alone(); alone(); resume()
       :: lock(); end(); unlock(); lock(); begin(); unlock()
       fi
    :: steps == STEPS -> break
    od;
#ifdef NEVER_POLL
    if
    :: me == 0 -> ended == THREADS - 1
    :: else
    fi;
#endif
    lock();
    end();
    unlock();
    ended++
}

init {
    atomic {
        run thread(0);
        run thread(1);
        run thread(2)
    }
}
