/** Binary data as a short JSON object: what it is, how many bytes, and the first of them. */

import { cutMark, jsonString } from "./json-text.ts";

/** Bytes beyond this are counted instead of printed. A multiple of 3: base64 then ends without padding. */
const maxBinaryBytes = 1023;

const typedArrayTag = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag);

/** `{"type":"Uint8Array","bytes":3,"base64":"AQID"}`. */
export function binaryText(data: ArrayBufferView | ArrayBufferLike): string {
	const view = ArrayBuffer.isView(data)
		? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
		: Buffer.from(data, 0, data.byteLength);
	const bytes = view.length;
	const shown = view.toString("base64", 0, Math.min(bytes, maxBinaryBytes));
	const base64 = bytes > maxBinaryBytes ? shown + cutMark(bytes - maxBinaryBytes, "bytes") : shown;
	return `{"type":"${typeName(data)}","bytes":${bytes},"base64":${jsonString(base64)}}`;
}

/** Asks the built-in getter itself, which no subclass can override. */
function typeName(data: ArrayBufferView | ArrayBufferLike): string {
	if (Buffer.isBuffer(data)) return "Buffer";
	if (!ArrayBuffer.isView(data)) return data instanceof SharedArrayBuffer ? "SharedArrayBuffer" : "ArrayBuffer";
	const name: unknown = typedArrayTag?.get?.call(data);
	return typeof name === "string" ? name : "DataView";
}
