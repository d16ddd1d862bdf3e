/**
 * The durable steps: whatever Pylog changes outside of a process (a file, a folder, a word in shared memory that others
 * go by) is a step with a name, `<part>.<what>`. An observer sees each before it is made, so a fault can be put exactly
 * there: a kill, half a write, an error in its place. Nobody observes but a test; the cost is one comparison a step.
 *
 * Invariants: a name stands at one place in the code; what an observer throws is thrown in place of the step.
 */

export type StepName = `${string}.${string}`;

/** A change that is about to be made. Paths are as the code has them, descriptors are open. */
export type Step = { readonly name: StepName } & (
	| { readonly call: "create" | "makeFolder" | "remove" | "removeTree"; readonly path: string }
	| { readonly call: "rename"; readonly from: string | Buffer; readonly to: string }
	/** Without a position: at the end of a file opened for appending, else where the descriptor stands. */
	| { readonly call: "write"; readonly fd: number; readonly bytes: Uint8Array; readonly position: number | undefined }
	| { readonly call: "truncate" | "reserve"; readonly fd: number; readonly sizeBytes: number }
	| { readonly call: "sync"; readonly fd: number }
	| { readonly call: "syncFolder"; readonly path: string }
	/** Stores to mapped memory. */
	| { readonly call: "store" }
);

export type StepObserver = (step: Step) => void;

let observer: StepObserver | undefined;

/** From now on `next` sees each step of this thread before it is made; `undefined` ends it. */
export function observeSteps(next: StepObserver | undefined): void {
	observer = next;
}

/** Whether anybody observes: the calls below make no step otherwise. */
export function isObserved(): boolean {
	return observer !== undefined;
}

/** Announces a step. */
export function announce(step: Step): void {
	observer?.(step);
}

/** Announces stores to mapped memory, which follow. */
export function announceStore(name: StepName): void {
	observer?.({ name, call: "store" });
}
