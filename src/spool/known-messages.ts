/**
 * Messages of this thread that came before, as UTF-8: most applications log the same few texts again and again. One that is
 * known costs 20 ns, handed to Node it costs 50 to 70.
 *
 * Where texts are made for each call, looking for them costs more than it saves (V8 has to hash them), so it is only done
 * as long as enough of them are found, and tried again from time to time.
 * Invariants: what is kept is bounded, and refers to no string of the application (a slice would keep all of its whole).
 */

/** Bytes of the longest text that is kept. */
const maxKnownBytes = 128;
const maxKnown = 256;
const wordsEach: number = maxKnownBytes / 4;
/** Looking for a text that is not known costs as much as a few finds save. */
const priceOfMiss = 3;
const mostCredit = 64;
/** Without credit, so many texts are not looked for; then some are. */
const passedOver = 2000;
const probes = 16;

/** `find` has not looked: the text is too long, or not worth it. */
export const notLookedFor = -2;
const notKnown = -1;

export class KnownMessages {
	/** Text → place. */
	readonly #places = new Map<string, number>();
	/** Bytes of each text, by place. */
	readonly #bytes = new Uint8Array(maxKnown);
	/** 1 for those that have a `%`, by place. */
	readonly #percents = new Uint8Array(maxKnown);
	/** The texts, `wordsEach` for each place. */
	readonly #words = new Int32Array(maxKnown * wordsEach);
	/** Hashes of texts that were not found: one that comes again is worth keeping. */
	readonly #missed = new Int32Array(maxKnown);
	#credit: number = mostCredit;
	#passed = 0;

	/** The place of a text, for {@link KnownMessages.copy}; else a negative number, for {@link KnownMessages.note}. */
	find(text: string): number {
		if (text.length > maxKnownBytes || (this.#credit <= 0 && !this.#isWorthATry())) return notLookedFor;
		const place = this.#places.get(text);
		if (place === undefined) {
			this.#credit -= priceOfMiss;
			return notKnown;
		}
		if (this.#credit < mostCredit) this.#credit += 1;
		return place;
	}

	/** Copies the text at a place to the start of `target`. Returns its bytes. */
	copy(place: number, target: Int32Array): number {
		const bytes = this.#bytes[place] as number;
		const words = this.#words;
		const count = (bytes + 3) >>> 2;
		const from = place * wordsEach;
		for (let word = 0; word < count; word++) target[word] = words[from + word] as number;
		return bytes;
	}

	/** Whether the text at a place has a `%`. */
	hasPercent(place: number): boolean {
		return this.#percents[place] === 1;
	}

	/** Notes a text that was looked for and not found: UTF-8 at the start of `source`, `bytes` long. */
	note(bytes: number, source: Buffer, words: Int32Array): void {
		if (bytes > maxKnownBytes) return;
		let hash = bytes;
		for (let word = 0; word < bytes >>> 2; word++) hash = Math.imul(hash ^ (words[word] as number), 0x01000193);
		const slot = (hash ^ (hash >>> 16)) & (maxKnown - 1);
		if (this.#missed[slot] === hash) this.#keep(source.toString("utf8", 0, bytes), bytes, words);
		else this.#missed[slot] = hash;
	}

	#keep(text: string, bytes: number, words: Int32Array): void {
		if (this.#places.size >= maxKnown) this.#places.clear();
		const place = this.#places.get(text) ?? this.#places.size;
		this.#bytes[place] = bytes;
		this.#percents[place] = text.includes("%") ? 1 : 0;
		this.#words.set(words.subarray(0, wordsEach), place * wordsEach);
		this.#places.set(text, place);
	}

	#isWorthATry(): boolean {
		this.#passed += 1;
		if (this.#passed < passedOver) return false;
		this.#passed = 0;
		this.#credit = probes;
		return true;
	}
}
