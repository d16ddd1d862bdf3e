/*
 * A slot goes from a dead producer to a new one, or to nobody, while the logman stores into the slots of those it
 * believes to live.
 *
 * There is one slot; producer 1 has it, the others wait for it. The word `told` stands for all that the logman stores in a
 * slot (`freeBelow`, `written`, `durable`): what it says is whom it was meant for.
 *
 *   LOGMAN_DEATHS   how often the logman dies
 */

#ifndef LOGMAN_DEATHS
#define LOGMAN_DEATHS 1
#endif

#ifndef PRODUCERS
#define PRODUCERS 3
#endif
#define FREE 0
#define IN_BETWEEN 9

hidden byte words_are_own, one_owner;
#define MUST(property, condition) property = (condition); assert(property)

byte owner = 1;
byte told = 0;
/* 1 while the logman stores into slots. */
bool telling;
/* Index 0 is nobody. */
bool locked[PRODUCERS + 1] = true;
bool folder[PRODUCERS + 1];
bool lease;

/* ControlFile#passSlot behind the first exchange. */
inline handOver(whom) {
	told = 0;
	owner = whom
}

proctype Producer(byte me) provided (locked[me])
{
	byte dead = 0;
	folder[me] = true;
	do
	:: me == 1 -> break
	:: me > 1 && owner == FREE ->
		if
		:: d_step { owner == FREE -> owner = me }; break
		:: owner != FREE
		fi
	:: me > 1 && owner != FREE && owner != IN_BETWEEN ->
		/* takeSlotOfDead. */
		dead = owner;
		if
		:: dead != FREE && dead != IN_BETWEEN && !locked[(dead <= PRODUCERS -> dead : 0)] ->
			if
			:: d_step { owner == dead -> owner = IN_BETWEEN };
#ifndef BUG_TAKE_WHILE_TOLD
				if
				:: !telling || !lease -> handOver(me); break
				/* For too long: the slot stays as it was. */
				:: telling && lease -> owner = dead
				fi
#else
				handOver(me);
				break
#endif
			:: owner != dead
			fi
		:: else
		fi;
		dead = 0
	od;
	/* It has the slot: what it reads there was meant for it. */
end:	do
	:: MUST(one_owner, owner == me); MUST(words_are_own, told == 0 || told == me); owner != me
	od
}

bool logmanKilled;

/* SpoolReader#publish, one producer: ProducerReader#publish with #ownsSlot. */
inline tell(p) {
	if
	:: known[p] && alive[p] ->
		if
#ifdef BUG_TELL_WITHOUT_LOOKING
		:: true -> told = p
#else
		:: owner == p -> told = p
		:: owner != p
#endif
		fi
	:: else
	fi
}

proctype Logman()
{
	bool known[PRODUCERS + 1], alive[PRODUCERS + 1];
	byte p = 0;
restart:
	{
		lease = true;
		telling = false;
end:		do
		:: /* SpoolReader#discover. */
			d_step {
				p = 1;
				do
				:: p <= PRODUCERS ->
					if
					:: folder[p] && !known[p] -> known[p] = true; alive[p] = locked[p]
					:: else
					fi;
					p++
				:: else -> break
				od;
				p = 0
			}
		:: /* SpoolReader#publish. */
			telling = true;
			tell(1);
			tell(2);
#if PRODUCERS > 2
			tell(3);
#endif
			telling = false
		:: /* ProducerReader#checkAlive, #retire with ControlFile#releaseSlot. */
			if
			:: p = 1
			:: p = 2
#if PRODUCERS > 2
			:: p = 3
#endif
			fi;
			if
			:: known[p] && !locked[p] ->
				alive[p] = false;
				folder[p] = false;
				if
				:: d_step { owner == p -> owner = IN_BETWEEN }; handOver(FREE)
				:: owner != p
				fi;
				d_step { known[p] = false }
			:: else
			fi;
			p = 0
		od
	} unless { logmanKilled };
	atomic {
		logmanKilled = false;
		p = 0;
		do
		:: p <= PRODUCERS -> known[p] = false; alive[p] = false; p++
		:: else -> break
		od;
		p = 0;
		goto restart
	}
}

active proctype World()
{
	byte deaths = 0;
end:	do
	:: locked[1] && folder[1] -> locked[1] = false
	:: locked[2] && folder[2] -> locked[2] = false
	:: d_step { deaths < LOGMAN_DEATHS && lease && !logmanKilled -> deaths++; logmanKilled = true; lease = false }
	od
}

init { atomic { 
	run Producer(1); run Producer(2);
#if PRODUCERS > 2
	run Producer(3);
#endif
	run Logman()
}  }
