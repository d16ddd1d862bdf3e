/*
 * Exactly once: the checkpoint names a batch before the output gets it; what a death left is found out by comparing.
 *
 * The logman dies before any step, while it recovers as well. An output that fails is parked, and brought back. One that
 * stalls is in doubt: the write may have happened, or a part of it. A file holds units: a line has two of them, so a
 * write can end in the middle of a line.
 *
 *   DEATHS     how often a logman dies
 *   FAULTS     how often a write to the output, or opening it, fails
 *   FULL       how often the spool's own disk takes nothing when lines are to be parked
 *   LOGMANS    processes that want to be the logman
 *   TORN       a death in the middle of a checkpoint leaves a slot that is not valid
 */

#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef FAULTS
#define FAULTS 0
#endif
#ifndef FULL
#define FULL 0
#endif
#ifndef LOGMANS
#define LOGMANS 1
#endif

/* One record of the priority lane, two of the normal lane. */
#define PRIORITY 1
#define NORMAL 2
#define UNITS 2
#define TOTAL ((PRIORITY + NORMAL) * UNITS)

hidden byte exactly_once, in_order, nothing_missing, lines_whole, one_logman;
#define MUST(property, condition) property = (condition); assert(property)

/* Records that producers have committed, by lane. They come at any time. */
byte committed[2] = 0;

/* The output. */
byte file[TOTAL] = 255;
byte fileSize = 0;
bool isWritten[TOTAL];
byte faults = 0;
byte noRoom = 0;

/* parked/: the note, and the file with the lines. */
bool note, parkedExists;
byte parked[TOTAL] = 255;
byte parkedSize = 0;

/* A slot of the checkpoint. `target` of the batch: 0 none, 1 the output, 2 its parked file. A doubt is about the output. */
typedef Slot {
	bool isValid;
	byte generation;
	byte from[2];
	byte to[2];
	byte target;
	byte sizeBytes;
	byte skipped;
	bool hasDoubt;
	byte doubtSize;
	byte doubtFrom;
	byte doubtTo;
	byte broughtBack
};
Slot slots[2];

/* The lease: who holds the lock. */
byte lease = 0;
bool logmanKilled[LOGMANS];
byte working = 0;

/* Unit `i` of the batch from..to: the priority lane first. */
#define priorityUnits ((to[0] - from[0]) * UNITS)
#define batchLength ((to[0] - from[0] + to[1] - from[1]) * UNITS)
#define batchUnit(i) ((i) < priorityUnits -> from[0] * UNITS + (i) : \
	(PRIORITY + from[1]) * UNITS + (i) - priorityUnits)

/* What a reader of the file sees, at the moment a unit is added to it. */
inline addToFile() {
	MUST(exactly_once, !isWritten[unit]);
	/* A line begins where a line has ended, and goes on behind its beginning. */
	MUST(lines_whole, (unit % UNITS == 0 -> fileSize % UNITS == 0 : fileSize % UNITS != 0 && file[fileSize - 1] == unit - 1));
	/* The records of a lane are in their order. */
	MUST(in_order, unit == 0 || unit == PRIORITY * UNITS || isWritten[unit - 1]);
	file[fileSize] = unit;
	fileSize++;
	isWritten[unit] = true;
	unit = 0
}

#define other(slot) (1 - (slot))
#ifdef BUG_ONE_SLOT
#define older(slot) (slot)
#else
#define older(slot) other(slot)
#endif

/* Standing#store and CheckpointFile#write: over the older slot. What is announced stays until the batch is delivered. */
inline writeCheckpoint() {
#ifdef TORN
	d_step { newest = older(newest); slots[newest].isValid = false };
#else
	newest = older(newest);
#endif
	d_step {
		slots[newest].generation = (slots[other(newest)].generation + 1) % 3;
		slots[newest].isValid = true;
		slots[newest].from[0] = from[0]; slots[newest].from[1] = from[1];
		slots[newest].to[0] = to[0]; slots[newest].to[1] = to[1];
		slots[newest].target = target;
		slots[newest].sizeBytes = sizeBefore;
		slots[newest].skipped = skipped;
#ifdef BUG_DOUBT_FORGOTTEN
		slots[newest].hasDoubt = (target == 0 && hasDoubt);
#else
		slots[newest].hasDoubt = hasDoubt;
#endif
		slots[newest].doubtSize = doubtSize;
		slots[newest].doubtFrom = doubtFrom;
		slots[newest].doubtTo = doubtTo;
		slots[newest].broughtBack = (isParked -> broughtBack : 0);
		hasUnconfirmed = false
	}
}

/* ParkedOutputs#park. */
inline park() {
	if
	:: !isParked ->
		d_step { parkedExists = false; parkedSize = 0 };
		note = true;
		parkedExists = true;
		d_step { isParked = true; broughtBack = 0 }
	:: else
	fi
}

/* Delivery#announce and #stateOf. */
inline announce() {
	if
	:: written < batchLength ->
		if
		:: !isParked && faults < FAULTS -> faults++; park()
		:: !isParked -> skip
#ifdef BUG_PASS_THE_PARKED
		:: isParked -> goOn = true
#endif
		:: isParked -> skip
		fi;
		d_step {
			target = (isParked && !goOn -> 2 : 1);
			goOn = false;
			sizeBefore = (target == 2 -> parkedSize : fileSize);
#ifdef BUG_FORGET_SKIPPED
			skipped = 0
#else
			skipped = written
#endif
		}
	:: else -> target = 0; sizeBefore = 0; skipped = 0
	fi;
#ifndef BUG_CHECKPOINT_AFTER_WRITE
	writeCheckpoint()
#else
	skip
#endif
}

/* Delivery#putInDoubt: of what the checkpoint says was to be written, all is parked as well. */
inline putInDoubt() {
	park();
	d_step {
		hasDoubt = true;
		doubtSize = slots[newest].sizeBytes;
		written = slots[newest].skipped;
		doubtFrom = parkedSize; doubtTo = parkedSize + batchLength - written
	}
}

/* findAppend: how much of what was to go to a file stands in it, from `size` on. */
#define countFrom(size, unitAt, most) \
	do \
	:: back < (most) && (size) + back < fileSize && file[(size) + back] == (unitAt) -> back++ \
	:: else -> break \
	od

#define countInFile(unitAt, most) countFrom(sizeBefore, unitAt, most)

/* Delivery#finish, #compare and #write: unit by unit, since a write may end anywhere. */
inline finish() {
	isHeldUp = false;
	if
	:: isInDoubt ->
		d_step {
#ifndef BUG_HELD_UP_TRIED_AGAIN
			countInFile(batchUnit(skipped + back), batchLength - skipped);
#endif
			written = skipped + back; back = 0; isInDoubt = false
		}
	:: else
	fi;
	announce();
	do
	:: written < batchLength && target == 1 ->
		d_step { unit = batchUnit(written); addToFile(); written++ }
	:: written < batchLength && target == 1 && faults < FAULTS ->
		/* AppendError: what was written counts, the rest waits in parked/. */
		faults++;
		park();
#ifdef BUG_PARK_NOT_ANNOUNCED
		target = 2
#else
		announce()
#endif
	:: written < batchLength && target == 1 && faults < FAULTS ->
		/* StalledError: nobody knows how much of the write has happened. */
		faults++;
#ifdef BUG_STALLED_IS_FAILED
		written = slots[newest].skipped;
		park();
#else
		putInDoubt();
#endif
		announce()
	:: written < batchLength && target == 1 && faults < FAULTS && noRoom < FULL ->
		/* It fails, and there is no room to park it. */
		d_step { faults++; noRoom++; isHeldUp = true };
		break
	:: written < batchLength && target == 1 && faults < FAULTS && noRoom < FULL ->
		/* It stalls, and there is none. */
		d_step { faults++; noRoom++; isHeldUp = true; isInDoubt = true; written = skipped };
		break
	:: written < batchLength && target == 2 && noRoom < FULL ->
		noRoom++;
#ifndef BUG_HELD_UP_INEXACT
		announce();
#endif
		isHeldUp = true;
		break
	:: written < batchLength && target == 2 ->
		d_step { parked[parkedSize] = batchUnit(written); parkedSize++; written++ }
	:: written == batchLength -> break
	od;
	if
	:: isHeldUp
	:: !isHeldUp ->
		/* SpoolReader#markDelivered. */
		atomic {
			from[0] = to[0]; from[1] = to[1];
			written = 0; target = 0; sizeBefore = 0; skipped = 0; isPending = false; hasUnconfirmed = true
		}
#ifdef BUG_CHECKPOINT_AFTER_WRITE
		;
		writeCheckpoint()
#endif
	fi
}

/* SpoolReader#read: a batch ends anywhere. */
inline deliver() {
	d_step { to[0] = committed[0]; to[1] = from[1] };
	if
	:: committed[1] > from[1] -> to[1] = from[1] + 1
	:: committed[1] > from[1] -> to[1] = committed[1]
	:: to[0] > from[0] -> skip
	fi;
	isPending = true;
	finish()
}

/* ReturnHome#bringBack: one step of it; batches may come between two. */
inline bringBack() {
	if
	:: arrivingTo != 0 ->
		/* #arrive: it is on disk. */
		d_step {
			/* Delivery#noteWritten: of the rest that is held up, some is in the output. */
			if
			:: isHeldUp && arrivingTo > parkedSize ->
#ifndef BUG_HELD_UP_NOT_NOTED
				written = written + arrivingTo - parkedSize; skipped = written;
#endif
				arrivingTo = parkedSize
			:: else
			fi;
			broughtBack = arrivingTo; arrivingTo = 0; hasDoubt = false; doubtSize = 0; doubtFrom = 0; doubtTo = 0
		};
		writeCheckpoint()
	:: arrivingTo == 0 && hasDoubt ->
		/* #settle: has the write happened that is in doubt? */
		d_step {
#ifdef BUG_DOUBT_NOT_SETTLED
			back = 0;
#else
			/* Delivery#bytesInDoubt: what of it is not parked yet is the rest that is held up. */
			countFrom(doubtSize, (doubtFrom + back < parkedSize -> parked[doubtFrom + back] :
				batchUnit(written + doubtFrom + back - parkedSize)), doubtTo - doubtFrom);
#endif
			arrivingTo = (back > 0 -> doubtFrom + back : 0);
			hasDoubt = (back > 0);
			doubtFrom = (back > 0 -> doubtFrom : 0);
			doubtTo = (back > 0 -> doubtTo : 0);
			doubtSize = (back > 0 -> doubtSize : 0);
			back = 0
		};
		if
		:: !hasDoubt -> writeCheckpoint()
		:: else
		fi
	:: arrivingTo == 0 && !hasDoubt && broughtBack < parkedSize && faults < FAULTS -> faults++
	:: arrivingTo == 0 && !hasDoubt && broughtBack < parkedSize ->
		d_step {
			doubtFrom = broughtBack;
			doubtTo = (broughtBack + 3 < parkedSize -> broughtBack + 3 : parkedSize);
			doubtSize = fileSize;
			hasDoubt = true
		};
#ifndef BUG_BRING_BACK_NOT_ANNOUNCED
		writeCheckpoint();
#endif
		do
		:: doubtFrom + back < doubtTo -> d_step { unit = parked[doubtFrom + back]; addToFile(); back++ }
		:: doubtFrom + back < doubtTo && faults < FAULTS ->
			/* AppendError: what was written counts. */
			d_step { faults++; hasDoubt = (back > 0); arrivingTo = (back > 0 -> doubtFrom + back : 0); back = 0 };
			break
		:: doubtFrom + back < doubtTo && faults < FAULTS ->
			/* StalledError: it stays in doubt. */
			d_step { faults++; back = 0 };
			break
		:: doubtFrom + back == doubtTo -> d_step { arrivingTo = doubtTo; back = 0 }; break
		od
	:: arrivingTo == 0 && !hasDoubt && broughtBack == parkedSize ->
		/* #release with ParkedOutputs#release. */
		d_step { parkedExists = false; parkedSize = 0 };
		note = false;
		d_step { isParked = false; broughtBack = 0 };
		writeCheckpoint()
	fi
}

/* LogmanRun#start: the checkpoint, ParkedOutputs#restore, SpoolReader#replay, Delivery#recover. */
inline start() {
	d_step {
		newest = (slots[0].isValid &&
			(!slots[1].isValid || slots[0].generation == (slots[1].generation + 1) % 3) -> 0 : 1);
		from[0] = 0; from[1] = 0; to[0] = 0; to[1] = 0; target = 0; sizeBefore = 0; skipped = 0;
		written = 0; broughtBack = 0; arrivingTo = 0; back = 0; unit = 0;
		hasDoubt = false; doubtSize = 0; doubtFrom = 0; doubtTo = 0;
		isPending = false; isHeldUp = false; isInDoubt = false; isParked = false; hasUnconfirmed = false; goOn = false;
		if
		:: slots[newest].isValid ->
			from[0] = slots[newest].from[0]; from[1] = slots[newest].from[1];
#ifdef BUG_BATCH_NOT_NAMED
			to[0] = committed[0]; to[1] = committed[1];
#else
			to[0] = slots[newest].to[0]; to[1] = slots[newest].to[1];
#endif
			target = slots[newest].target;
			sizeBefore = slots[newest].sizeBytes; skipped = slots[newest].skipped;
			broughtBack = slots[newest].broughtBack;
			hasDoubt = slots[newest].hasDoubt; doubtSize = slots[newest].doubtSize;
			doubtFrom = slots[newest].doubtFrom; doubtTo = slots[newest].doubtTo
		:: else
		fi
	};
	/* ParkedOutputs#restore. */
	if
	:: note && parkedExists ->
		d_step {
			isParked = true;
#ifndef BUG_TRUST_BROUGHT_BACK
			broughtBack = (broughtBack <= parkedSize -> broughtBack : 0);
#endif
		}
	:: note && !parkedExists -> d_step { note = false; broughtBack = 0 }
	:: !note -> broughtBack = 0
	fi;
	if
	:: target == 1 && faults < FAULTS -> faults++; putInDoubt(); target = 3
	:: else
	fi;
	d_step {
		/* Without its parked file, all that was in doubt is settled. */
		if
		:: !isParked -> hasDoubt = false; doubtSize = 0; doubtFrom = 0; doubtTo = 0
		:: else
		fi;
		if
		:: target == 0 -> written = batchLength
		/* It does not answer: all is parked, and looked at later. */
		:: target == 3 -> skip
#ifndef BUG_RECOVER_BLINDLY
		:: target == 1 -> countInFile(batchUnit(skipped + back), batchLength - skipped); written = skipped + back
		:: target == 2 ->
			do
			:: skipped + back < batchLength && sizeBefore + back < parkedSize &&
				parked[sizeBefore + back] == batchUnit(skipped + back) -> back++
			:: else -> break
			od;
			written = skipped + back
#else
		:: else -> written = skipped
#endif
		fi;
		isPending = (target != 0 || from[0] != to[0] || from[1] != to[1]);
		target = 0; back = 0; sizeBefore = 0; skipped = 0
	}
}

#define isBehind (committed[0] > from[0] || committed[1] > from[1])
#define isDone (from[0] == PRIORITY && from[1] == NORMAL)

proctype Logman(byte me)
{
	byte newest, from[2], to[2], target, sizeBefore, skipped, written, broughtBack, arrivingTo, back, unit;
	byte doubtSize, doubtFrom, doubtTo;
	bool hasDoubt, isPending, isHeldUp, isInDoubt, isParked, hasUnconfirmed, goOn;

restart:
	{
#ifndef BUG_NO_LEASE
		atomic { lease == 0 -> lease = me + 1; working++ };
#else
		working++;
#endif
		MUST(one_logman, working == 1);
		start();
		do
		:: isPending -> finish()
		:: !isPending && isBehind -> deliver()
		:: !isPending && hasUnconfirmed -> writeCheckpoint()
		:: (!isPending || isHeldUp) && isParked -> bringBack()
		:: !isPending && isDone && !isParked && !hasUnconfirmed -> break
		od;
		atomic { lease = 0; working-- }
	} unless { logmanKilled[me] };
	if
	:: logmanKilled[me] -> logmanKilled[me] = false; goto restart
	:: else
	fi;
	MUST(nothing_missing, fileSize == TOTAL)
}

/* A death frees the lease with it: the kernel does that. Producers go on meanwhile. */
active proctype World()
{
	byte deaths = 0;
end:	do
	:: d_step { deaths < DEATHS && lease != 0 && !logmanKilled[lease - 1] ->
		deaths++; logmanKilled[lease - 1] = true; lease = 0; working--
	}
	:: committed[0] < PRIORITY -> committed[0]++
	:: committed[1] < NORMAL -> committed[1]++
	od
}

init {
	atomic {
		run Logman(0);
#if LOGMANS > 1
		run Logman(1)
#endif
	}
}
