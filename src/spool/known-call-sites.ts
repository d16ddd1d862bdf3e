/** Call sites that were read before. Each segment brings its own copy; as one text they are told apart, and found, at less cost. */

const maxKnown = 4096;
const maxLength = 256;
const knownOnes = new Map<string, string>();

/** The same text, and the same object for equal ones; the bounded number of them is forgotten now and then. */
export function knownCallSite(callSite: string): string {
	const known = knownOnes.get(callSite);
	if (known !== undefined) return known;
	if (callSite.length > maxLength) return callSite;
	if (knownOnes.size >= maxKnown) knownOnes.clear();
	knownOnes.set(callSite, callSite);
	return callSite;
}
