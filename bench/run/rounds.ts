/** Interleaves: every round asks all subjects, each time beginning with another one, so that none always runs in the same weather. */
export function* interleaved<Subject>(subjects: readonly Subject[], rounds: number): Generator<[number, Subject]> {
	for (let round = 0; round < rounds; round++) {
		const first = (round * 3) % subjects.length;
		for (let turn = 0; turn < subjects.length; turn++) {
			yield [round, subjects[(first + turn) % subjects.length] as Subject];
		}
	}
}
