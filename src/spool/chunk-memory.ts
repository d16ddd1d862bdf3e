/**
 * Memory that segments are read into. It goes from one segment to the next: made anew for each, it keeps the collector busy.
 *
 * Invariant: what is given back is read by nobody any more.
 */

/** The same bytes in three ways. */
export interface ChunkMemory {
	readonly bytes: Buffer;
	readonly words: Int32Array;
	readonly view: DataView;
}

const maxSpare = 64;
const maxSpareBytes = 64 * 1024;
const spare: ChunkMemory[] = [];

/** Memory of at least so many bytes, with anything in it. */
export function takeMemory(bytes: number): ChunkMemory {
	const known = bytes > maxSpareBytes ? undefined : spare.pop();
	// One that is too small is of no use to others either.
	return known !== undefined && known.bytes.length >= bytes ? known : newMemory(bytes);
}

export function giveMemoryBack(memory: ChunkMemory): void {
	const { length } = memory.bytes;
	if (length > 0 && length <= maxSpareBytes && spare.length < maxSpare) spare.push(memory);
}

function newMemory(bytes: number): ChunkMemory {
	const memory = new ArrayBuffer((bytes + 7) & ~7);
	return { bytes: Buffer.from(memory), words: new Int32Array(memory), view: new DataView(memory) };
}
