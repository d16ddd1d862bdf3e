/*
 * No lost wake-up: the logman sleeps on the doorbell without a time-out here, and still nothing waits while it sleeps.
 *
 *   PRODUCERS   of one record each
 *   FLUSH       somebody asks for a flush as well
 */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif

hidden byte no_lost_wake;
#define MUST(property, condition) property = (condition); assert(property)

/* Shared words. */
byte nextNumber = 0;
byte sleeping = 0;
bool flushWanted;
byte bound[PRODUCERS] = 0;
byte number[PRODUCERS] = 0;
bool committed[PRODUCERS];

/* The kernel's queue of the futex. */
bool isQueued;

byte waiting = 0;

/* Doorbell#ring: exchange, and wake whoever slept. */
inline ring() {
	if
	:: sleeping == 0
	:: sleeping != 0 ->
		if
		:: d_step { sleeping == 1 -> sleeping = 0 };
			isQueued = false
		:: sleeping != 1
		fi
	fi
}

/* Producer#commit, from the bound on. */
proctype Producer(byte me)
{
	bound[me] = nextNumber + 1;
	d_step { number[me] = nextNumber; nextNumber++ };
#ifdef BUG_RING_BEFORE_COMMIT
	ring();
#endif
	d_step { committed[me] = true; waiting++ };
	bound[me] = 0;
#ifndef BUG_RING_BEFORE_COMMIT
	ring()
#else
	skip
#endif
}

/* flushLines, one round. */
proctype Flusher()
{
#ifdef BUG_RING_BEFORE_ASKING
	ring();
	flushWanted = true
#else
	flushWanted = true;
	ring()
#endif
}

/* Horizon#read, one slot: no bound, one that holds the horizon up, or one that is passed over after the deadline. */
inline readSlot(p) {
	if
	:: d_step { bound[p] == 0 -> passed[p] = 0 }
	:: d_step { bound[p] != 0 -> isHeldUp = true; horizon = (bound[p] - 1 < horizon -> bound[p] - 1 : horizon); passed[p] = 0 }
	:: d_step { bound[p] != 0 -> passed[p] = bound[p] }
	fi
}

inline readRecord(p) {
	d_step {
		if
		:: committed[p] && !taken[p] && number[p] < horizon -> taken[p] = true; waiting--
		:: else
		fi
	}
}

/* Alarm#hasNews. */
inline lookForNews() {
	d_step { hasNews = (nextNumber != lastNumber); lastNumber = nextNumber }
}

/* Horizon#isPassedGone: a bound that was passed over is not there any more, so its record is. */
inline lookForPassed(p) {
#ifdef BUG_FORGET_THE_PASSED
	skip
#else
	d_step { hasNews = (hasNews || (passed[p] != 0 && bound[p] != passed[p])) }
#endif
}

proctype Logman()
{
	byte lastNumber = 0, horizon = 0;
	byte passed[PRODUCERS] = 0;
	bool taken[PRODUCERS];
	bool isHeldUp, hasNews;
	do
	:: /* LogmanRun#cycle. */
		atomic { isHeldUp = false; hasNews = false };
		horizon = nextNumber;
		readSlot(0);
		readSlot(1);
		readRecord(0);
		readRecord(1);
		horizon = 0;
		if
		:: flushWanted -> flushWanted = false
		:: !flushWanted
		fi;
		/* Alarm#wait: a poll while there was news a short while ago, or where a bound holds the horizon up. */
		lookForNews();
		if
#ifdef BUG_SLEEP_WHILE_HELD_UP
		:: hasNews
#else
		:: hasNews || isHeldUp
#endif
		:: !hasNews -> skip
#ifdef BUG_SLEEP_WHILE_HELD_UP
		:: !hasNews ->
#else
		:: !hasNews && !isHeldUp ->
#endif
			/* Alarm#sleep. */
#ifdef BUG_LOOK_BEFORE_ANNOUNCING
			lookForNews();
			lookForPassed(0);
			lookForPassed(1);
			if
			:: hasNews || flushWanted
			:: !hasNews && !flushWanted ->
				sleeping = 1;
#else
			sleeping = 1;
#ifdef BUG_NO_SECOND_LOOK
			hasNews = false;
#else
			lookForNews();
			lookForPassed(0);
			lookForPassed(1);
#endif
			if
#ifdef BUG_FORGET_THE_FLUSH
			:: hasNews -> sleeping = 0
			:: !hasNews ->
#else
			:: hasNews || flushWanted -> sleeping = 0
			:: !hasNews && !flushWanted ->
#endif
#endif
				/* futexWait: the kernel looks at the word and queues the sleeper in one step. */
#ifdef BUG_WAIT_WITHOUT_COMPARING
				isQueued = true;
#else
				d_step { isQueued = (sleeping == 1) };
#endif
end:				!isQueued;
				sleeping = 0
			fi
		fi
	od
}

/* Nobody can do anything any more: the logman sleeps. */
active proctype World()
{
end:	do
	:: timeout -> MUST(no_lost_wake, waiting == 0 && !flushWanted); break
	od
}

init {
	atomic {
		run Producer(0);
		run Producer(1);
#ifdef FLUSH
		run Flusher();
#endif
		run Logman()
	}
}
