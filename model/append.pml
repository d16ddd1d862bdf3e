/*
 * One order: producers append without locks, the logman reads below the horizon.
 *
 * Each statement that touches shared memory is a step of its own, and death comes between any two of them. README.md
 * tells which function of the code each part stands for.
 *
 *   PRODUCERS, RECORDS, LANES   size of the model; RECORDS are those of one producer
 *   OPENING                     producers open while the others append; without it they are open from the start
 *   FULL_BATCHES                a batch may be full after any record
 *   HANDOVER                    somebody who appends nothing takes the slot of the first producer when that is dead
 *   DEADLINE                    the deadline of a producer in its append may pass at any moment
 *   LOGMAN_DEATHS               how often the logman dies
 *   STOPS                       the first producer may stop for ever, and nobody dies
 */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef RECORDS
#define RECORDS 2
#endif
#ifndef LANES
#define LANES 1
#endif
#ifndef LOGMAN_DEATHS
#define LOGMAN_DEATHS 0
#endif
/* The counter has 4 bits, and wraps after two numbers. Full numbers have all bits, as those of the logman do. */
#define MODULUS 16
#ifndef FIRST
#define FIRST 14
#endif
/* As liftQueueNumber: the full number nearest to one that is known. */
#define distance(low, near) (((low) + 2 * MODULUS - (near)) % MODULUS)
#define lift(low, near) (distance(low, near) < MODULUS / 2 -> (near) + distance(low, near) : \
	(near) + distance(low, near) - MODULUS)

#define NONE 255
#define NOBODY 255
#define IN_BETWEEN 254

#define CHAINS (PRODUCERS * LANES)
#define CELLS (CHAINS * RECORDS)
#define chain(p, l) ((p) * LANES + (l))
#define cell(p, l, s) (chain(p, l) * RECORDS + (s))

/* The properties. An assertion that fails names the one that is broken. */
hidden byte one_order, no_duplicate, no_loss, progress;
hidden byte noLooks;
#define MUST(property, condition) property = (condition); assert(property)

/* The control file. */
byte nextNumber = FIRST % MODULUS;
byte slotsUsed = 0;
byte producersOpened = 0;
byte owner[PRODUCERS] = NOBODY;
byte bound[PRODUCERS] = 0;
byte appended[PRODUCERS * LANES] = 0;

/* Folders, locks, and records: `committed` stands for the length word. */
bool folder[PRODUCERS];
bool locked[PRODUCERS] = true;
byte number[CELLS] = NONE;
bool committed[CELLS];

/* What the world does. */
bool killed[PRODUCERS];
bool stopped[PRODUCERS];
bool logmanKilled;

/* What really happened, for the properties only. */
byte trueNext = FIRST;
byte trueNumber[CELLS] = NONE;
bool isDelivered[CELLS];
bool wasPassed[PRODUCERS];
byte waiting = 0;
byte ended = 0;

/* Producer.open: claimFolder, claimSlot, `producersOpened`. */
inline open() {
	folder[me] = true;
	owner[me] = me;
	atomic { slotsUsed = (slotsUsed > me + 1 -> slotsUsed : me + 1) };
#ifndef BUG_OPENED_TOLD_LATE
	producersOpened++;
#endif
}

#define own cell(me, lane, counts[lane])

proctype Producer(byte me) provided (!killed[me] && !stopped[me])
{
	byte low = 0, done = 0, lane = 0;
	byte counts[LANES] = 0;
#ifdef OPENING
	open();
#endif
	do
	:: done < RECORDS ->
		if
		:: lane = 0
#if LANES > 1
		:: lane = 1
#endif
		fi;
		/* append: begin. Producer#commit; test/model/protocol-model.test.ts compares the labels with the code. */
#ifdef BUG_NUMBER_BEFORE_BOUND
		d_step {
			low = nextNumber; nextNumber = (nextNumber + 1) % MODULUS;
			trueNumber[own] = trueNext; trueNext++
		};
		number[own] = low;
		bound[me] = (low == 0 -> MODULUS - 1 : low);
#else
load_counter:		low = nextNumber;
#ifdef BUG_BOUND_OF_ZERO
		bound[me] = low;
#else
store_bound:		bound[me] = (low == 0 -> MODULUS - 1 : low);
#endif
take_number:		atomic {
			low = nextNumber; nextNumber = (nextNumber + 1) % MODULUS;
			trueNumber[own] = trueNext; trueNext++
		};
#ifdef BUG_COMMIT_BEFORE_NUMBER
		d_step { committed[own] = true; waiting++ };
#endif
store_number:		number[own] = low;
#endif
#ifdef BUG_BOUND_CLEARED_BEFORE_COMMIT
		bound[me] = 0;
#endif
#ifdef BUG_APPENDED_BEFORE_COMMIT
		appended[me * LANES + lane] = counts[lane] + 1;
#endif
#ifndef BUG_COMMIT_BEFORE_NUMBER
store_length:		atomic { committed[own] = true; waiting++ };
#endif
#ifdef BUG_APPENDED_AFTER_BOUND
		bound[me] = 0;
#endif
#ifndef BUG_APPENDED_BEFORE_COMMIT
store_appended:		appended[me * LANES + lane] = counts[lane] + 1;
#endif
#if !defined(BUG_APPENDED_AFTER_BOUND) && !defined(BUG_BOUND_CLEARED_BEFORE_COMMIT)
clear_bound:		bound[me] = 0;
#endif
		/* append: end */
		d_step { counts[lane]++; low = 0; lane = 0; done++ };
#ifdef BUG_OPENED_TOLD_LATE
		producersOpened++;
#endif
	:: else -> break
	od
	/* Producer.close: from here on the lock is free. */
	atomic { locked[me] = false; ended++; low = 0; done = 0; lane = 0; counts[0] = 0; counts[LANES - 1] = 0 }
}

/*
 * The logman. What it does by itself between two looks at shared memory is one step with the look: nobody can tell.
 */

/* How often a bound may be seen before the producer is asked for, and before it is passed over. */
#ifdef STOPS
#define looks(s) looksAt[s]
#define patience 1
#if defined(BUG_NO_DEADLINE)
#define patienceWithLiving NONE
#else
#define patienceWithLiving 2
#endif
#define deadline 2
#else
#define looks(s) noLooks
#define patience (ended == PRODUCERS -> 0 : NONE)
#define patienceWithLiving NONE
#define deadline 0
#endif

#ifdef BUG_SLOTS_BEFORE_COUNTER
#define near horizon
#else
#define near counter
#endif

#define hold(value) lowest = (lift(value, near) < lowest -> lift(value, near) : lowest)

/* Horizon#read, one slot. How long a bound has been seen is left open: it may be asked for, or passed over, at once. */
inline readSlot(s) {
	if
	:: d_step { s >= used || bound[s] == 0 -> looks(s) = 0 }
	:: d_step { s < used && bound[s] != 0 && looks(s) < patience -> hold(bound[s]); looks(s)++ }
#if defined(DEADLINE) && !defined(BUG_NO_DEADLINE)
	/* Horizon#mayPass: the deadline. */
	:: d_step {
		s < used && bound[s] != 0 && looks(s) >= deadline ->
		if
		:: owner[s] < PRODUCERS -> wasPassed[owner[s]] = true
		:: else
		fi;
		looks(s) = 0
	}
#endif
	/* Horizon#mayPass: whether the owner lives. */
	:: d_step { s < used && bound[s] != 0 && looks(s) < patienceWithLiving -> low = bound[s]; looks(s)++ };
		asked = owner[s];
		d_step {
#if defined(BUG_TRUST_PIDS)
			isHeld = false;
#elif defined(BUG_WAIT_FOR_THE_DEAD)
			isHeld = true;
#else
			isHeld = (asked < PRODUCERS -> locked[(asked < PRODUCERS -> asked : 0)] : false);
#endif
			if
			:: isHeld -> hold(low)
			:: else -> looks(s) = 0
			fi;
			low = 0; asked = 0; isHeld = false
		}
	fi
}

/* Horizon#read. */
inline readHorizon() {
	/* look: begin. SpoolReader#read; the labels are compared with the code as well. */
	lowest = NONE;
#ifndef BUG_SLOTS_BEFORE_COUNTER
read_counter:	counter = lift(nextNumber, horizon);
#endif
read_used:	used = slotsUsed;
	readSlot(0);
	readSlot(1);
#if PRODUCERS > 2
	readSlot(2);
#endif
	d_step {
#ifdef BUG_SLOTS_BEFORE_COUNTER
		counter = lift(nextNumber, horizon);
#endif
		lowest = (counter < lowest -> counter : lowest);
		horizon = (lowest > horizon -> lowest : horizon);
		counter = 0; lowest = 0; used = 0
	}
}

/* SpoolReader#discover. */
inline discover() {
#ifdef OPENING
	p = 0;
read_opened:	asked = producersOpened;
	/* look: end */
#endif
	d_step {
		p = 0;
		do
		:: p < PRODUCERS && asked != openedSeen ->
			if
			:: folder[p] && !known[p] -> known[p] = true; isAlive[p] = locked[p]
			:: else
			fi;
			p++
		:: else -> break
		od;
		openedSeen = asked;
		p = 0; asked = 0
	}
}

/* ProducerReader#load: a word of the producer's own slot; 0 when the slot is another's. */
#ifdef HANDOVER
#define loadOwn(p, word, result) \
	if \
	:: owner[p] == p -> result = word \
	:: owner[p] != p -> result = 0 \
	fi
#else
#define loadOwn(p, word, result) result = word
#endif

#define boundOf(p) bound[p]
#define appendedOf(p) appended[p * LANES + l]

/* SpoolReader#readLane, before the first record: ProducerReader#refresh with #isExhausted, `appended`, the first peek. */
inline lookAtChain(p) {
	if
	:: !known[p] || (exhaustedAt[chain(p, l)] != NONE && !isAlive[p])
	:: known[p] && exhaustedAt[chain(p, l)] == NONE -> look(p)
	:: known[p] && exhaustedAt[chain(p, l)] != NONE && isAlive[p] ->
#if defined(BUG_TRUST_THE_COUNT)
		skip;
#else
#ifdef BUG_OWNER_ASKED_FIRST
		if
		:: owner[p] != p -> low = NONE
		:: owner[p] == p -> loadOwn(p, boundOf(p), low)
		fi;
#else
		loadOwn(p, boundOf(p), low);
#endif
#endif
		if
		:: low != 0 -> look(p)
		:: low == 0 ->
			loadOwn(p, appendedOf(p), low);
			if
#if defined(HANDOVER) && !defined(BUG_SLOT_OF_ANOTHER) && !defined(BUG_OWNER_ASKED_FIRST)
			:: low == exhaustedAt[chain(p, l)] ->
				/* Whose slot it is, asked last. */
				if
				:: owner[p] == p -> low = 0
				:: owner[p] != p -> look(p)
				fi
#else
			:: low == exhaustedAt[chain(p, l)] -> low = 0
#endif
			:: low != exhaustedAt[chain(p, l)] -> look(p)
			fi
		fi
	fi
}

inline look(p) {
	loadOwn(p, appendedOf(p), low);
	d_step { appendedSeen[p] = low; low = 0; exhaustedAt[chain(p, l)] = NONE; peek(p) }
}

/* ChainReader#peek: the commit word, then whether the record is below the horizon. */
inline peek(q) {
	head[q] = NONE;
	if
	:: position[chain(q, l)] < RECORDS && committed[cell(q, l, position[chain(q, l)])] ->
		low = number[cell(q, l, position[chain(q, l)])];
		low = (low == NONE -> 0 : lift(low, horizon));
		head[q] = (low < horizon -> low : NONE);
		low = 0
	:: else -> exhaustedAt[chain(q, l)] = appendedSeen[q]
	fi
}

#if PRODUCERS == 2
#define hasHead (head[0] != NONE || head[1] != NONE)
#else
#define hasHead (head[0] != NONE || head[1] != NONE || head[2] != NONE)
#endif

/* SpoolReader#visitAll: the lowest record, and a peek at what is behind it. */
inline visit() {
	d_step {
		hasHead ->
		p = 1; low = 0;
		do
		:: p < PRODUCERS -> low = (head[p] < head[low] -> p : low); p++
		:: else -> break
		od;
		p = low;
		asked = cell(p, l, position[chain(p, l)]);
		MUST(one_order, head[p] == trueNumber[asked]);
#ifdef BUG_FORGET_LATE
		isLate = false;
#else
		isLate = head[p] < delivered[l];
#endif
		MUST(one_order, isLate || head[p] > highest[l]);
		/* Nothing is late but what a producer commits that the deadline has passed over. */
		MUST(one_order, !isLate || wasPassed[p]);
		MUST(no_duplicate, !isDelivered[asked]);
		highest[l] = (head[p] > highest[l] -> head[p] : highest[l]);
		position[chain(p, l)]++;
		asked = 0; low = 0; isLate = false;
		peek(p);
		p = 0
	}
}

#define endLane() atomic { \
	head[0] = NONE; appendedSeen[0] = 0; head[1] = NONE; appendedSeen[1] = 0; \
	head[PRODUCERS - 1] = NONE; appendedSeen[PRODUCERS - 1] = 0 }

inline readLane() {
	lookAtChain(0);
	lookAtChain(1);
#if PRODUCERS > 2
	lookAtChain(2);
#endif
	do
	:: visit()
#ifdef FULL_BATCHES
	:: hasHead && quiet == 0 -> hasMore = true; break
#endif
	:: !hasHead -> break
	od;
	endLane()
}

/* SpoolReader#read: one batch. */
inline readBatch() {
#ifdef BUG_DISCOVER_BEFORE_COUNTER
	discover();
#endif
	if
	:: fixed == NONE -> readHorizon()
	:: fixed != NONE
	fi;
#ifndef BUG_DISCOVER_BEFORE_COUNTER
	discover();
#endif
	readLane();
#if LANES > 1
	if
	:: hasMore -> fixed = horizon
	:: !hasMore -> fixed = NONE; l = 1; readLane(); l = 0
	fi;
#endif
}

/* Delivery, from the announcement to the confirmation. */
inline deliver() {
	d_step {
		do
		:: p < CHAINS ->
			do
			:: deliveredTo[p] < position[p] ->
				isDelivered[p * RECORDS + deliveredTo[p]] = true;
				waiting--;
				deliveredTo[p]++
			:: else -> break
			od;
			p++
		:: else -> break
		od;
		delivered[0] = highest[0];
		delivered[LANES - 1] = highest[LANES - 1];
		deliveredHorizon = horizon;
		p = 0
	}
}

/* SpoolReader#checkLiveness: once a second, so at any time. */
inline checkLiveness() {
	d_step {
		do
		:: p < PRODUCERS ->
			if
			:: known[p] && isAlive[p] && !locked[p] ->
				isAlive[p] = false;
#ifndef BUG_TRUST_THE_COUNT
				exhaustedAt[chain(p, 0)] = NONE;
				exhaustedAt[chain(p, LANES - 1)] = NONE
#endif
			:: else
			fi;
			p++
		:: else -> break
		od;
		p = 0
	}
}

/* The constructor of SpoolReader, with the checkpoint that is there. */
inline startLogman() {
	atomic {
		logmanKilled = false;
		counter = 0; lowest = 0; used = 0; asked = 0; low = 0; l = 0; p = 0;
		hasMore = false; isHeld = false; isLate = false; quiet = 0;
		highest[0] = delivered[0];
		highest[LANES - 1] = delivered[LANES - 1];
		do
		:: p < CHAINS -> position[p] = deliveredTo[p]; exhaustedAt[p] = NONE; p++
		:: else -> break
		od;
		p = 0;
		do
		:: p < PRODUCERS -> known[p] = false; isAlive[p] = false; head[p] = NONE; appendedSeen[p] = 0; p++
		:: else -> break
		od;
		p = 0;
		openedSeen = NONE; fixed = NONE; horizon = deliveredHorizon
	}
}

/* Looks at everything so many times when all producers have ended: twice at bounds, once at locks, once at the rest. */
#define ENOUGH 4

proctype Logman()
{
	/* What the logman remembers (SpoolReader, ProducerReader, Horizon); a death takes it away. */
	byte openedSeen = NONE;
	bool known[PRODUCERS], isAlive[PRODUCERS];
#ifdef STOPS
	byte looksAt[PRODUCERS] = 0;
#endif
	byte position[CHAINS] = 0;
	byte exhaustedAt[CHAINS] = NONE;
	byte horizon = FIRST, fixed = NONE;
	byte highest[LANES] = 0;
	byte head[PRODUCERS] = NONE;
	byte appendedSeen[PRODUCERS] = 0;
	/* The checkpoint. Here it is stored in one step with the lines; how that is possible is told in delivery.pml. */
	byte deliveredTo[CHAINS] = 0;
	byte delivered[LANES] = 0;
	byte deliveredHorizon = FIRST;
	byte counter = 0, lowest = 0, used = 0, asked = 0, low = 0, p = 0, l = 0, quiet = 0;
	bool hasMore = false, isLate = false, isHeld = false;

#if LOGMAN_DEATHS > 0
restart:
	{
#endif
		do
		:: quiet < ENOUGH ->
			readBatch();
			deliver();
			if
			:: checkLiveness()
			:: quiet == 0
			fi;
			d_step { quiet = (ended == PRODUCERS && !hasMore -> quiet + 1 : 0); hasMore = false }
		:: else -> break
		od
#if LOGMAN_DEATHS > 0
	} unless { logmanKilled };
	if
	:: logmanKilled && quiet < ENOUGH -> startLogman(); goto restart
	:: else
	fi;
#else
	;
#endif
#ifdef STOPS
	MUST(progress, waiting == 0)
#else
	MUST(no_loss, waiting == 0)
#endif
}

#ifdef HANDOVER
/* takeSlotOfDead, ControlFile#passSlot. */
active proctype Taker()
{
	d_step { !locked[0] -> owner[0] = IN_BETWEEN };
	bound[0] = 0;
	appended[0] = 0;
	owner[0] = PRODUCERS
}
#endif

/* SIGKILL: the kernel frees the lock some time later, as if the producer had just not run in between. */
#define KILL(p) d_step { folder[p] && locked[p] -> killed[p] = true; locked[p] = false; ended++ }

active proctype World()
{
#if LOGMAN_DEATHS > 0
	byte deaths = 0;
#endif
end:	do
#ifdef STOPS
	:: d_step { locked[0] && !stopped[0] -> stopped[0] = true; ended++ }
#else
#ifndef NO_DEATHS
	:: KILL(0)
#ifndef HANDOVER
	:: KILL(1)
#if PRODUCERS > 2
	:: KILL(2)
#endif
#endif
#endif
#endif
#if LOGMAN_DEATHS > 0
	:: d_step { deaths < LOGMAN_DEATHS && !logmanKilled -> deaths++; logmanKilled = true }
#endif
	od
}

inline openAll() {
	slotsUsed = PRODUCERS; producersOpened = PRODUCERS;
	folder[0] = true; folder[1] = true; owner[0] = 0; owner[1] = 1;
#if PRODUCERS > 2
	folder[2] = true; owner[2] = 2
#endif
}

init {
	atomic {
#ifndef OPENING
		openAll();
#endif
		run Producer(0);
		run Producer(1);
#if PRODUCERS > 2
		run Producer(2);
#endif
		run Logman()
	}
}
