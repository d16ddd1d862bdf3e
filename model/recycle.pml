/*
 * Segments are used again: only when a checkpoint says that nothing in them is needed any more.
 *
 * One lane of one producer: it fills segments of RECORDS_EACH records, with PLACES files, and waits where none is free.
 * The logman reads, announces, writes, confirms, and dies at any of its steps; then the batch is read once more.
 *
 *   RECORDS    how many records are appended
 *   DEATHS     how often the logman dies
 *   KILL       the producer dies at any step
 */

#ifndef RECORDS
#define RECORDS 5
#endif
#ifndef PLACES
#define PLACES 2
#endif
#ifndef RECORDS_EACH
#define RECORDS_EACH 1
#endif
#ifndef DEATHS
#define DEATHS 1
#endif

hidden byte replay_whole, no_damage, no_loss, in_sequence;
#define MUST(property, condition) property = (condition); assert(property)

/* Room for the records, the end record and the zero word behind it. */
#define ROOM (RECORDS_EACH + 2)
#define at(place, i) ((place) * ROOM + (i))

/* The files. A word `length` that is not 0 is a committed record; `life` stands for the seed of its checksum. */
byte header[PLACES] = 0;
bool length[PLACES * ROOM];
byte life[PLACES * ROOM] = 0;
byte sequence[PLACES * ROOM] = 0;
/* Of an end record: place of the next segment. Its sequence is 0. */
byte link[PLACES * ROOM] = 0;

/* The word of the producer's slot. */
byte freeBelow = 0;

bool killed, logmanKilled;
bool hasEnded = false;
byte committed = 0;

/* SegmentChain#isFree. */
#ifdef BUG_FREE_WITH_THE_ONE_READ
#define isFree(place) (place != current && header[place] != 0 && header[place] <= freeBelow)
#else
#define isFree(place) (place != current && header[place] != 0 && header[place] < freeBelow)
#endif

/* SegmentChain#next with Segment.begin, writeEnd, SegmentChain#advance. */
inline roll() {
	if
	:: header[0] == 0 -> next = 0
	:: header[0] != 0 && header[PLACES - 1] == 0 -> next = PLACES - 1
	:: header[0] != 0 && isFree(0) -> next = 0
	:: header[0] != 0 && isFree(PLACES - 1) -> next = PLACES - 1
#if PLACES > 2
	:: header[0] != 0 && header[1] == 0 -> next = 1
	:: header[0] != 0 && isFree(1) -> next = 1
#endif
	fi;
#ifdef BUG_LINK_BEFORE_ZERO
	header[next] = index + 1;
#else
	length[at(next, 0)] = false;
	header[next] = index + 1;
#endif
	if
	:: index > 0 ->
		d_step { life[at(current, cell)] = index; sequence[at(current, cell)] = 0; link[at(current, cell)] = next };
		length[at(current, cell + 1)] = false;
		length[at(current, cell)] = true
	:: else
	fi;
#ifdef BUG_LINK_BEFORE_ZERO
	length[at(next, 0)] = false;
#endif
	atomic { current = next; index++; cell = 0; next = 0 }
}

proctype Producer() provided (!killed)
{
	byte current = 0, index = 0, cell = RECORDS_EACH, next = 0, count = 0;
	do
	:: count < RECORDS ->
		if
		:: cell == RECORDS_EACH -> roll()
		:: cell < RECORDS_EACH
		fi;
		/* Producer#commit: the record but for its length, the zero behind it, the length. */
		d_step { life[at(current, cell)] = index; sequence[at(current, cell)] = count + 1 };
#ifdef BUG_ZERO_AFTER_COMMIT
		d_step { length[at(current, cell)] = true; committed++ };
		length[at(current, cell + 1)] = false;
#else
#ifndef BUG_NO_ZERO_BEHIND
		length[at(current, cell + 1)] = false;
#endif
		d_step { length[at(current, cell)] = true; committed++ };
#endif
		d_step { cell++; count++ }
	:: else -> break
	od;
	hasEnded = true
}

/* ChainReader#peek and #follow: what stands at the position. `found`: 0 nothing, 1 a record, 2 the next segment. */
inline look() {
	d_step {
		found = 0;
		if
		:: header[place] == index && length[at(place, cell)] ->
			/* What is no record by its checksum and is not zero is damage. */
			MUST(no_damage, life[at(place, cell)] == index);
			if
			:: sequence[at(place, cell)] == 0 ->
				place = link[at(place, cell)]; index++; cell = 0; found = 2
			:: else ->
				MUST(in_sequence, sequence[at(place, cell)] == seen + 1);
				seen++; cell++; found = 1
			fi
		:: else
		fi
	}
}

/* Positions, as in the checkpoint. */
#define keep(name) name[0] = place; name[1] = index; name[2] = cell; name[3] = seen
#define goTo(name) place = name[0]; index = name[1]; cell = name[2]; seen = name[3]

/* Delivery#writeCheckpoint: then, and only then, ProducerReader#publish. */
inline confirm() {
#ifdef BUG_FREE_BEFORE_CHECKPOINT
	freeBelow = index;
#endif
	d_step { keep(from); keep(to) };
#ifndef BUG_FREE_BEFORE_CHECKPOINT
	freeBelow = from[1]
#else
	skip
#endif
}

proctype Logman()
{
	byte place = 0, index = 1, cell = 0, seen = 0, found = 0;
	/* The checkpoint; the lines in the file, which are written in one step here: see delivery.pml. */
	byte from[4], to[4], written = 0;
	bool isLast = false;
	from[1] = 1;
	to[1] = 1;
restart:
	{
		/* LogmanRun#recover: a batch that was begun is read again, and is as it was. */
		do
		:: seen < to[3] -> look(); MUST(replay_whole, found != 0)
		:: seen >= to[3] -> break
		od;
		if
		:: from[3] < to[3] -> written = seen; confirm()
		:: else
		fi;
		do
		:: isLast = hasEnded || killed;
			do
			:: look();
				if
				:: found == 0 -> break
				:: found == 1 -> break
				:: found != 0
				fi
			od;
			if
			:: seen > from[3] ->
				/* Delivery#announce: the batch is named. */
				d_step { keep(to) };
#ifdef BUG_FREE_WHAT_IS_READ
				freeBelow = to[1];
#else
				freeBelow = from[1];
#endif
				written = seen;
				confirm()
			:: seen == from[3] && isLast && found == 0 -> break
			:: seen == from[3] && !(isLast && found == 0)
			fi
		od
	} unless { logmanKilled };
	if
	:: logmanKilled -> d_step { logmanKilled = false; goTo(from); found = 0; isLast = false }; goto restart
	:: else
	fi;
	MUST(no_loss, written == committed)
}

active proctype World()
{
	byte deaths = 0;
end:	do
#ifdef KILL
	:: !killed && !hasEnded -> killed = true
#endif
	:: d_step { deaths < DEATHS && !logmanKilled -> deaths++; logmanKilled = true }
	od
}

init { atomic { run Producer(); run Logman() } }
