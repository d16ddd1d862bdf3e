/** Bytes made from a text, kept for the next time. Bounded in entries and in the size of each. */

const maxEntries = 2048;
const maxEntryBytes = 512;

export class ByteCache {
	readonly #make: (text: string) => Buffer;
	readonly #entries = new Map<string, Buffer>();

	/** `make` must give the same bytes for the same text, always. */
	constructor(make: (text: string) => Buffer) {
		this.#make = make;
	}

	get(text: string): Buffer {
		return this.#entries.get(text) ?? this.#add(text);
	}

	#add(text: string): Buffer {
		const bytes = this.#make(text);
		if (bytes.length > maxEntryBytes) return bytes;
		if (this.#entries.size >= maxEntries) this.#entries.clear();
		this.#entries.set(text, bytes);
		return bytes;
	}
}
