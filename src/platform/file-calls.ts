/** Calls that change no file, as promises: of descriptors, for whoever must not block. They fail with the file system's error. */

import { close, fstat, open } from "node:fs";
import { promisify } from "node:util";

export const openSoon: typeof open.__promisify__ = promisify(open);
export const fstatSoon: typeof fstat.__promisify__ = promisify(fstat);
export const closeSoon: typeof close.__promisify__ = promisify(close);
