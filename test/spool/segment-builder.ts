/** Segments made by hand, as a hostile or broken program could make them: every checksum is right, unless told else. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lane } from "../../src/shared/lane.ts";
import { finishChecksum, bodyChecksum, recordBytes, recordHeader, recordKinds } from "../../src/spool/record-codec.ts";
import { encodeSegmentHeader, segmentHeaderBytes, segmentSeed } from "../../src/spool/segment-header.ts";
import { loggerDefinition } from "./spool-records.ts";

export interface RawRecord {
	readonly kind?: number;
	readonly number?: number;
	readonly sequence?: number;
	readonly definition?: number;
	readonly callSite?: number;
	readonly message?: string;
	/** In place of what the message says. */
	readonly parts?: readonly [message: number, fields: number, error: number];
	readonly timeMs?: number;
}

export class SegmentBuilder {
	readonly bytes: Buffer;
	readonly lane: Lane;
	readonly #index: number;
	readonly #seed: number;
	#offset: number = segmentHeaderBytes;

	constructor(producer: number, lane: Lane, index: number, sizeBytes = 64 * 1024, nonce = 77) {
		this.bytes = Buffer.from(new ArrayBuffer(sizeBytes));
		this.lane = lane;
		this.#index = index;
		this.#seed = segmentSeed(nonce, index);
		encodeSegmentHeader({ producer, nonce, lane, index, sizeBytes }).copy(this.bytes);
	}

	get offset(): number {
		return this.#offset;
	}

	/** Appends a record and returns where it stands. */
	add(record: RawRecord): number {
		const at = this.#offset;
		const message = Buffer.from(record.message ?? "");
		const length = recordBytes(message.length);
		const { bytes } = this;
		message.copy(bytes, at + 48);
		bytes.writeInt32LE(record.sequence ?? 0, at + recordHeader.sequence);
		bytes.writeDoubleLE(record.timeMs ?? 0, at + recordHeader.timeMs);
		bytes.writeUInt8(record.kind ?? recordKinds.log, at + recordHeader.kind);
		bytes.writeUInt32LE(record.definition ?? 0, at + recordHeader.definition);
		bytes.writeUInt32LE(record.callSite ?? 0, at + recordHeader.callSite);
		(record.parts ?? [message.length, 0, 0]).forEach((part, index) => {
			bytes.writeInt32LE(part, at + recordHeader.messageBytes + index * 4);
		});
		bytes.writeInt32LE(record.number ?? 0, at + recordHeader.number);
		const words = new Int32Array(bytes.buffer);
		const checksum = finishChecksum(bodyChecksum(words, at / 4, length, this.#seed), record.number ?? 0, length);
		bytes.writeInt32LE(checksum, at + recordHeader.checksum);
		bytes.writeUInt32LE(length, at);
		this.#offset = at + length;
		return at;
	}

	/** Changes a record that was added; its checksum is right again. */
	patch(at: number, edit: (bytes: Buffer) => void): void {
		edit(this.bytes.subarray(at));
		this.#sum(at, this.bytes.readUInt32LE(at));
	}

	/**
	 * Call sites, each of which has all that follow in its text, over `totalBytes`.
	 *
	 * @param each Gets the offset of each.
	 */
	nest(count: number, totalBytes: number, each: (at: number) => void): void {
		const end = this.#offset + totalBytes;
		const { bytes } = this;
		for (let index = count - 1; index >= 0; index--) {
			const at = this.#offset + index * 48;
			const length = end - at;
			bytes.writeUInt8(recordKinds.callSite, at + recordHeader.kind);
			bytes.writeInt32LE(length - 48, at + recordHeader.messageBytes);
			this.#sum(at, length);
			bytes.writeUInt32LE(length, at);
		}
		for (let index = 0; index < count; index++) each(this.#offset + index * 48);
		this.#offset = end;
	}

	/** Leaves out so many times eight bytes, each the start of something that claims to be a record of `length` bytes. */
	claim(count: number, length: number): void {
		const { bytes } = this;
		for (let index = 0; index < count; index++) {
			const at = this.#offset + index * 8;
			bytes.writeUInt32LE(Math.max(48, length - index * 8), at);
		}
		this.#offset += count * 8 + 48;
	}

	#sum(at: number, length: number): void {
		const { bytes } = this;
		const number = bytes.readInt32LE(at + recordHeader.number);
		const sum = finishChecksum(bodyChecksum(new Int32Array(bytes.buffer), at / 4, length, this.#seed), number, length);
		bytes.writeInt32LE(sum, at + recordHeader.checksum);
	}

	addDefinition(): number {
		return this.add({ kind: recordKinds.loggerDefinition, message: JSON.stringify(loggerDefinition()) });
	}

	addLink(place: number, index: number = this.#index + 1): number {
		return this.add({ kind: recordKinds.end, definition: place, callSite: index });
	}

	/** Puts the segment at a place of a producer's folder. */
	write(cacheDir: string, producer: number, place: number): string {
		const directory = join(cacheDir, "producers", String(producer));
		mkdirSync(directory, { recursive: true, mode: 0o700 });
		const path = join(directory, `${this.lane}-${place}.seg`);
		writeFileSync(path, this.bytes, { mode: 0o600 });
		return path;
	}
}
