/*
 * flush(): it resolves only when the lines are on disk, it resolves, and a power failure after it takes or repeats
 * nothing.
 *
 * Sync is left to flush() alone here (`sync: "never"`), which is the hardest case. Lines, checkpoint and words are counts:
 * so many records are appended, written, on disk.
 *
 *   DEATHS     how often the logman dies
 *   FAILURES   how often syncing the file fails
 *   PROGRESS   for the claim `progress`
 */

#ifndef RECORDS
#define RECORDS 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef FAILURES
#define FAILURES 1
#endif

hidden byte on_disk, not_repeated;
#define MUST(property, condition) property = (condition); assert(property)

/* Shared words. `appended` stands for what is committed in the segments. */
byte appended = 0;
byte written = 0;
byte durable = 0;
bool flushWanted;

/* The log file, and the checkpoint: how far, how far the batch goes, whether the file has bytes that may not be on disk. */
byte lines = 0, linesOnDisk = 0;
byte from = 0, to = 0;
bool unsynced;
byte fromOnDisk = 0;

bool logmanKilled;
byte flushed = 0;

proctype Application()
{
	byte goal = 0;
	do
	:: goal < RECORDS ->
		appended++;
		goal++;
		/* flushLines: asks again and again. */
#ifdef BUG_ASK_ONCE
		flushWanted = true;
		durable >= goal;
#else
		do
		:: durable >= goal -> break
		:: durable < goal -> flushWanted = true
		od;
#endif
		MUST(on_disk, linesOnDisk >= goal);
		flushed++
	:: else -> break
	od
}

/* Delivery#writeCheckpoint, then SpoolReader#publish. */
inline writeCheckpoint(batchTo, isUnsynced) {
	d_step { from = delivered; to = batchTo; unsynced = isUnsynced; hasUnconfirmed = false };
	written = from
}

/* LogmanRun#deliverNext. */
inline deliverNext() {
	read = appended;
	if
	:: read > delivered ->
		writeCheckpoint(read, true);
		isDirty = true;
		lines = (read > lines -> read : lines);
		atomic { delivered = read; hasUnconfirmed = true };
		if
		:: writeCheckpoint(delivered, isDirty)
		/* Under a flood the next checkpoint comes later. */
		:: skip
		fi
	:: else
	fi
}

/* LogmanRun#syncIfDue and Delivery#sync. */
inline syncIfWanted() {
	if
	:: flushWanted ->
		flushWanted = false;
#ifdef BUG_DURABLE_BEFORE_SYNC
		durable = written;
#endif
		/* FileSink#sync: of what is not known to be on disk. */
		if
		:: isDirty && failures < FAILURES ->
			failures++;
#ifdef BUG_PASS_OVER_A_FAILED_SYNC
			isDirty = false
#endif
		:: isDirty -> linesOnDisk = lines; isDirty = false
		:: !isDirty
		fi;
		if
		:: !isDirty ->
			if
			:: hasUnconfirmed -> writeCheckpoint(delivered, isDirty)
			:: else
			fi;
#ifndef BUG_NO_CHECKPOINT_SYNC
			fromOnDisk = from;
#endif
			/* SpoolReader#publishDurable. */
#ifdef BUG_DURABLE_IS_APPENDED
			durable = appended;
#else
			durable = written;
#endif
			/* A power failure from here on: what was flushed must not be written again. */
			MUST(not_repeated, fromOnDisk >= durable)
		:: else
		fi
	:: !flushWanted
	fi
}

proctype Logman()
{
	byte read = 0, delivered = 0, failures = 0;
	bool hasUnconfirmed, isDirty;
restart:
	{
		/* LogmanRun#start: what the checkpoint says; a batch that was begun is finished. */
		atomic { read = to; delivered = from; hasUnconfirmed = false };
#ifdef BUG_FORGET_UNSYNCED
		isDirty = false;
#else
		isDirty = unsynced;
#endif
		if
		:: read > delivered ->
			lines = (read > lines -> read : lines);
			atomic { delivered = read; hasUnconfirmed = true }
#ifdef BUG_START_WITHOUT_TELLING
		:: else
#else
		:: else -> written = delivered
#endif
		fi;
		do
		:: deliverNext(); syncIfWanted()
		od
	} unless { logmanKilled };
	atomic { logmanKilled = false; goto restart }
}

active proctype World()
{
	byte deaths = 0;
end:	do
	:: d_step { deaths < DEATHS && !logmanKilled -> deaths++; logmanKilled = true }
	od
}

init { atomic { run Application(); run Logman() } }

#ifdef PROGRESS
ltl progress { <> (flushed == RECORDS) }
#endif
