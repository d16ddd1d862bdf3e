/** What somebody meant who wrote a name that does not exist. */

/**
 * The name of `known` (not empty) nearest to `word`, upper and lower case alike: by Levenshtein distance, in proportion
 * to the length, so that `host` is nearer to `hostname` than to `time`.
 */
export function nearestName(word: string, known: readonly string[]): string {
	const wanted = word.toLowerCase();
	let nearest = "";
	let smallest = Number.POSITIVE_INFINITY;
	for (const name of known) {
		const distance = levenshteinDistance(wanted, name.toLowerCase()) / Math.max(wanted.length, name.length);
		if (distance >= smallest) continue;
		smallest = distance;
		nearest = name;
	}
	return nearest;
}

function levenshteinDistance(from: string, to: string): number {
	let above = Array.from({ length: to.length + 1 }, (_, column) => column);
	for (let row = 1; row <= from.length; row++) {
		const current = [row];
		for (let column = 1; column <= to.length; column++) {
			const replaced = (above[column - 1] as number) + (from[row - 1] === to[column - 1] ? 0 : 1);
			const removed = (above[column] as number) + 1;
			const inserted = (current[column - 1] as number) + 1;
			current.push(Math.min(replaced, removed, inserted));
		}
		above = current;
	}
	return above[to.length] as number;
}
