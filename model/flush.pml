/*
 * flush(): it resolves only when the lines are on disk, it does resolve, and a power failure after it takes or repeats
 * nothing.
 *
 * Sync is left to flush() alone here (`sync: "never"`), which is the hardest case. It goes on beside the delivery. Lines,
 * checkpoint and words are counts: so many records are appended, written, on disk.
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

/* A sync of the file: 0 none, 1 under way, 2 it worked, 3 it failed. It is about `linesThen` lines. */
byte syncing = 0;
byte linesThen = 0;

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

/* Standing#store: the checkpoint, then SpoolReader#publish. */
inline writeCheckpoint(batchTo, isUnsynced) {
	d_step { from = delivered; to = batchTo; unsynced = isUnsynced; hasUnconfirmed = false };
	written = from
}

/* FileSink#isSynced: whether bytes are in the file that no sync was about. */
#define isDirty (lines > syncedTo)

/* LogmanRun#deliverNext. */
inline deliverNext() {
	read = appended;
	if
	:: read > delivered ->
		writeCheckpoint(read, true);
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

/* LogmanRun#syncIfDue, Syncing#complete and #begin. */
inline syncIfDue() {
	if
	:: syncing == 2 ->
#ifdef BUG_ALL_IS_SYNCED
		d_step { syncedTo = lines; syncing = 0 };
#else
		d_step { syncedTo = (linesThen > syncedTo -> linesThen : syncedTo); syncing = 0 };
#endif
		if
		:: hasUnconfirmed -> writeCheckpoint(delivered, isDirty)
		:: else
		fi;
#ifndef BUG_NO_CHECKPOINT_SYNC
		fromOnDisk = from;
#endif
		/* SpoolReader#publishDurable, with the counts from when the sync began. */
#ifdef BUG_COUNTED_AT_THE_END
		durable = delivered;
#else
		durable = counts;
#endif
		/* A power failure from here on: what was flushed must not be written again. */
		MUST(not_repeated, fromOnDisk >= durable)
	:: syncing == 3 ->
#ifdef BUG_PASS_OVER_A_FAILED_SYNC
		d_step { syncedTo = linesThen; syncing = 0 }
#else
		syncing = 0
#endif
	:: else
	fi;
	if
	:: flushWanted && syncing == 0 ->
		flushWanted = false;
		d_step { counts = delivered; linesThen = lines; syncing = (isDirty -> 1 : 2) };
#ifdef BUG_DURABLE_BEFORE_SYNC
		durable = counts
#else
		skip
#endif
	:: else
	fi
}

proctype Logman()
{
	byte read = 0, delivered = 0, counts = 0, syncedTo = 0;
	bool hasUnconfirmed;
restart:
	{
		/* LogmanRun#start: what the checkpoint says; a batch that was begun is finished. */
		atomic {
			read = to; delivered = from; hasUnconfirmed = false; counts = 0;
#ifdef BUG_FORGET_UNSYNCED
			syncedTo = lines
#else
			syncedTo = (unsynced -> 0 : lines)
#endif
		};
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
		:: deliverNext(); syncIfDue()
		od
	} unless { logmanKilled };
	atomic { logmanKilled = false; syncing = 0; goto restart }
}

/* The disk. A sync is about what was in the file when it began, or more. */
active proctype Disk()
{
	byte failures = 0;
end:	do
	:: d_step { syncing == 1 -> linesOnDisk = (linesThen > linesOnDisk -> linesThen : linesOnDisk); syncing = 2 }
	:: d_step { syncing == 1 && failures < FAILURES -> failures++; syncing = 3 }
	od
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
ltl progress { (<> (flushed == RECORDS)) && (<> (written == RECORDS)) }
#endif
