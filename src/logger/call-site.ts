/**
 * Where a logging call stands in the source: `src/pay.ts:42`.
 *
 * Nearly all of the price is V8's walk of the stack, so exactly the frames that are needed are asked for; line number,
 * source map and path are worked out once per place and kept.
 * Invariants: nothing here throws; `Error.prepareStackTrace` and `Error.stackTraceLimit` are as before when a call
 * returns, and no other code sees them changed; what is kept is bounded and refers to no object of the application.
 */

import { sourceLocation } from "./source-location.ts";

// The method is given as it is, whatever its parameters.
type AnyFunction = (...args: never[]) => unknown;

/** What V8 reads from `Error` when it makes a stack. Either may be anything at all, or missing. */
const stackHooks: { prepareStackTrace: unknown; stackTraceLimit: unknown } = Error;

const maxKnownSites = 10_000;

/** Script → position in it, in UTF-16 units → `file:line`. */
const knownSites = new Map<string, Map<number, string>>();
let knownSiteCount = 0;

/**
 * `file:line` of the frame `skip` frames above the caller of `above`, which must be running; "" if that is unknown.
 *
 * The file is relative to the working directory if it lies inside. With source maps enabled (`--enable-source-maps`),
 * file and line are those of the original source.
 *
 * Written as one function for speed: each frame between `above` and the capture costs a tenth more.
 */
export function callSite(above: AnyFunction, skip: number): string {
	try {
		let frame: NodeJS.CallSite | undefined;
		const { prepareStackTrace, stackTraceLimit } = stackHooks;
		// Without a prototype: a property added to an ordinary object costs V8 a new hidden class, half a microsecond.
		const holder = Object.create(null) as { readonly stack?: unknown };
		try {
			stackHooks.stackTraceLimit = skip + 1;
			stackHooks.prepareStackTrace = keepFrames;
			Error.captureStackTrace(holder, above);
			const { stack } = holder;
			if (Array.isArray(stack)) frame = stack[skip] as NodeJS.CallSite | undefined;
		} finally {
			// Frozen ones can't be set, nor were they changed: what this throws ends in "".
			stackHooks.stackTraceLimit = stackTraceLimit;
			stackHooks.prepareStackTrace = prepareStackTrace;
		}
		if (frame === undefined) return "";
		const script = frame.getFileName();
		// A built-in that calls back, such as `Array.prototype.forEach`, is not a place in the source; its caller is.
		if (script === null) return callSite(above, skip + 1);
		return isStable(script) ? knownLocation(script, frame) : location(frame);
	} catch {
		return "";
	}
}

function keepFrames(_error: Error, frames: NodeJS.CallSite[]): readonly NodeJS.CallSite[] {
	return frames;
}

/** Whether a script's name stands for one source. Scripts made at run time share theirs, or hold their source in it. */
function isStable(script: string | undefined): script is string {
	return (
		typeof script === "string" && (script.startsWith("file:") || script.startsWith("/") || script.startsWith("node:"))
	);
}

function knownLocation(script: string, frame: NodeJS.CallSite): string {
	const position = frame.getPosition();
	const known = knownSites.get(script)?.get(position);
	if (known !== undefined) return known;
	const found = location(frame);
	keep(script, position, found);
	return found;
}

function keep(script: string, position: number, found: string): void {
	if (knownSiteCount >= maxKnownSites) {
		knownSites.clear();
		knownSiteCount = 0;
	}
	const sites = knownSites.get(script) ?? new Map<number, string>();
	sites.set(position, found);
	knownSites.set(script, sites);
	knownSiteCount++;
}

function location(frame: NodeJS.CallSite): string {
	const script = frame.getFileName() ?? frame.getScriptNameOrSourceURL() ?? "<anonymous>";
	return sourceLocation(script, frame.getLineNumber() ?? 0, frame.getColumnNumber() ?? 0);
}
