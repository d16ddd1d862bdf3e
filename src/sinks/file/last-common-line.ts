/**
 * Where an append ends in its file, when a record of it was damaged between the writing and the comparison: a line of it
 * differs then, or is in one of the two only. One pass over each.
 */

const newline = 0x0a;
/** So many lines from the end of the file are looked for. */
const maxLinesTried = 64;

/** A line of the append. */
interface OwnLine {
	/** One character a byte. */
	readonly text: string;
	/** Behind its last byte. */
	readonly end: number;
	/** Lines up to this one that are in the file, in their order. */
	readonly inFile: number;
	/** How many lines there are up to this one. */
	readonly count: number;
}

/**
 * Where the last line of `found` that is in `bytes` as well, and once only, ends there; 0 where none of its last lines is. Most
 * lines before it are in `found`, too: others may write the very same line, and damage may have changed a few of ours.
 *
 * @param found What is in the file, from where `bytes` began. Its last line may be cut.
 */
export function endOfLastCommonLine(found: Buffer, bytes: Buffer): number {
	let end = found.lastIndexOf(newline) + 1;
	const own = ownLines(bytes, found.subarray(0, end));
	const cut = end < found.length ? endOfCut(own, found.toString("latin1", end)) : 0;
	if (cut > 0) return cut;
	const only = onlyOnes(own);
	for (let tried = 0; tried < maxLinesTried && end > 0; tried++) {
		const from = startOfLine(found, end);
		const line = only.get(found.toString("latin1", from, end));
		if (line !== undefined && line.inFile * 2 > line.count) return line.end;
		end = from;
	}
	return 0;
}

/** Where the line begins that ends at `end`. */
function startOfLine(text: Buffer, end: number): number {
	return end < 2 ? 0 : text.lastIndexOf(newline, end - 2) + 1;
}

function ownLines(bytes: Buffer, file: Buffer): OwnLine[] {
	const places = placesFromTheEnd(file);
	const own: OwnLine[] = [];
	let [behind, inFile] = [-1, 0];
	for (let from = 0; from < bytes.length; ) {
		const end = bytes.indexOf(newline, from) + 1 || bytes.length;
		const text = bytes.toString("latin1", from, end);
		const at = nextBehind(behind, places.get(text) ?? []);
		if (at !== undefined) [behind, inFile] = [at, inFile + 1];
		own.push({ text, end, inFile, count: own.length + 1 });
		from = end;
	}
	return own;
}

/** Where each line is, the last place first. */
function placesFromTheEnd(file: Buffer): Map<string, number[]> {
	const places = new Map<string, number[]>();
	for (let end = file.length; end > 0; ) {
		const from = startOfLine(file, end);
		const text = file.toString("latin1", from, end);
		const known = places.get(text);
		if (known === undefined) places.set(text, [from]);
		else known.push(from);
		end = from;
	}
	return places;
}

/** Takes the first place behind `behind` from the end of `places`, and those before it. */
function nextBehind(behind: number, places: number[]): number | undefined {
	for (let at = places.pop(); at !== undefined; at = places.pop()) {
		if (at > behind) return at;
	}
	return undefined;
}

/** Behind the bytes of a line of which the file has only the beginning. */
function endOfCut(own: readonly OwnLine[], cut: string): number {
	const [line, another] = own.filter(({ text }) => text.startsWith(cut));
	if (line === undefined || another !== undefined) return 0;
	const inFile = (own[line.count - 2]?.inFile ?? 0) + 1;
	return inFile * 2 > line.count ? line.end - line.text.length + cut.length : 0;
}

function onlyOnes(own: readonly OwnLine[]): Map<string, OwnLine | undefined> {
	const only = new Map<string, OwnLine | undefined>();
	for (const line of own) only.set(line.text, only.has(line.text) ? undefined : line);
	return only;
}
