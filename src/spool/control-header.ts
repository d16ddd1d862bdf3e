/** The fixed part of the control file, as both who map it and who only look at it judge it. */

import { controlBytes, controlHeader, controlMagic, slotCount, spoolVersion } from "./control-layout.ts";

/** Bytes of the file's start that are needed to judge it. */
export const controlHeaderBytes = 64;

/** Why a control file can't be used. Where it is of another version, nothing else is said of it. */
export interface ControlProblem {
	readonly what: string;
	/** Its version, where that is not ours. */
	readonly version: number | undefined;
}

/**
 * What is wrong with a control file; `undefined` for a sound one.
 *
 * @param header Its first bytes, with zeros behind its end.
 */
export function findControlProblem(header: Buffer, sizeBytes: number): ControlProblem | undefined {
	const damaged = (what: string): ControlProblem => ({ what, version: undefined });
	if (header.toString("latin1", 0, 8) !== controlMagic) return damaged(`it does not start with ${controlMagic}`);
	if (sizeBytes < controlHeaderBytes) return damaged(`it has ${sizeBytes} bytes, not ${controlBytes}`);
	const version = header.readUInt32LE(controlHeader.version);
	if (version !== spoolVersion) {
		return { what: `it is of format version ${version}, and this Pylog knows ${spoolVersion}`, version };
	}
	const slots = header.readUInt32LE(controlHeader.slotCount);
	if (slots !== slotCount) return damaged(`it says it has ${slots} slots, not ${slotCount}`);
	return sizeBytes === controlBytes ? undefined : damaged(`it has ${sizeBytes} bytes, not ${controlBytes}`);
}
