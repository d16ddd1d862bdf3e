/**
 * The bytes of lines that are being rendered: one buffer, grown as needed and used again for every batch.
 *
 * Invariants: `storage[0, length)` is what was written; `view` is over the same bytes as `storage`; after `reserve(n)`
 * there is room for `n` more bytes. Renderers write into `storage` and `view` themselves after `reserve`,
 * because a method call per byte would cost more than the byte.
 */

const defaultInitialBytes = 64 * 1024;
const defaultMaxKeptBytes = 16 * 1024 * 1024;
/**
 * Up to these sizes a loop over bytes (1 ns each) is cheaper than `Uint8Array.set`: measured at 15 ns for a whole array,
 * and at 50 ns where a view of a part has to be made first.
 */
const maxLoopedWhole = 12;
const maxLoopedPart = 48;

export interface LineBufferOptions {
	/** @default 65536 */
	readonly initialBytes?: number;
	/** A buffer that has grown beyond this is given back by `clear`. @default 16777216 */
	readonly maxKeptBytes?: number;
}

export class LineBuffer {
	/** Bytes written so far. */
	length = 0;
	/** Replaced when it grows: never keep it over a call of `reserve`. */
	storage: Buffer;
	/** Replaced together with `storage`. */
	view: DataView;
	readonly #initialBytes: number;
	readonly #maxKeptBytes: number;

	constructor(options: LineBufferOptions = {}) {
		this.#initialBytes = options.initialBytes ?? defaultInitialBytes;
		this.#maxKeptBytes = options.maxKeptBytes ?? defaultMaxKeptBytes;
		this.storage = Buffer.allocUnsafeSlow(this.#initialBytes);
		this.view = viewOver(this.storage);
	}

	/** A view of what was written; valid until the next write or `clear`. */
	get bytes(): Buffer {
		return this.storage.subarray(0, this.length);
	}

	/** Makes room for `size` more bytes after `length`. Throws a `RangeError` beyond what a `Buffer` can hold. */
	reserve(size: number): void {
		const neededBytes = this.length + size;
		if (neededBytes > this.storage.length) this.#grow(neededBytes);
	}

	/** Appends `text` in UTF-8; a lone surrogate becomes U+FFFD. Escapes nothing. */
	writeText(text: string): void {
		this.reserve(text.length * 3);
		this.length += this.storage.write(text, this.length, "utf8");
	}

	/** Appends `source[start, end)`. Escapes nothing. */
	writeBytes(source: Uint8Array, start = 0, end: number = source.length): void {
		const size = end - start;
		this.reserve(size);
		const { storage, length } = this;
		const whole = size === source.length;
		if (size <= (whole ? maxLoopedWhole : maxLoopedPart)) {
			for (let index = 0; index < size; index++) storage[length + index] = source[start + index] as number;
		} else {
			storage.set(whole ? source : source.subarray(start, end), length);
		}
		this.length = length + size;
	}

	/**
	 * Appends the first `size` bytes of `doubles`, eight at a time: what is short costs less so than as bytes. They must be
	 * valid UTF-8: no eight bytes of that are a NaN, of which there is more than one, and a store may make another of it.
	 */
	writeDoubles(doubles: Float64Array, size: number): void {
		this.reserve(size + 7);
		const { view } = this;
		for (let index = 0, at = this.length; index < doubles.length; index++, at += 8) {
			view.setFloat64(at, doubles[index] as number, true);
		}
		this.length += size;
	}

	writeByte(byte: number): void {
		this.reserve(1);
		this.storage[this.length++] = byte;
	}

	/** Forgets what was written after the first `length` bytes. */
	truncate(length: number): void {
		this.length = Math.min(this.length, length);
	}

	/** Forgets everything, and gives memory back if the buffer has grown beyond `maxKeptBytes`. */
	clear(): void {
		this.length = 0;
		if (this.storage.length > this.#maxKeptBytes) this.#replace(Buffer.allocUnsafeSlow(this.#initialBytes));
	}

	#grow(neededBytes: number): void {
		const grown = Buffer.allocUnsafeSlow(Math.max(neededBytes, this.storage.length * 2));
		grown.set(this.storage.subarray(0, this.length));
		this.#replace(grown);
	}

	#replace(storage: Buffer): void {
		this.storage = storage;
		this.view = viewOver(storage);
	}
}

function viewOver(bytes: Buffer): DataView {
	return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
