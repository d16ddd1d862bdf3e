/** Values that make careless code throw, hang or lose something. */

import fc from "fast-check";

export function revokedProxy(): object {
	const { proxy, revoke } = Proxy.revocable({}, {});
	revoke();
	return proxy;
}

/** A proxy whose every trap throws. */
export function throwingProxy(): object {
	const handler = new Proxy({}, { get: () => refuse });
	return new Proxy({}, handler);
}

export function cycle(): object {
	const value: Record<string, unknown> = { name: "cycle" };
	value["self"] = value;
	value["list"] = [value, { up: value }];
	return value;
}

export function throwingGetter(): object {
	return {
		before: 1,
		get bad(): never {
			return refuse();
		},
		after: 2,
	};
}

function refuse(): never {
	throw new Error("refused");
}

/** An error whose every property throws when it is read. */
export function throwingError(): Error {
	const error = new Error("hidden");
	// The stack first: it is made on first sight, out of name and message.
	for (const key of ["stack", "message", "cause", "errors", "name", "constructor", "code"]) {
		Object.defineProperty(error, key, { get: refuse, enumerable: true });
	}
	return error;
}

function hostileThrower(): object {
	return {
		get bad(): never {
			throw throwingProxy() as Error;
		},
	};
}

class Account {
	readonly #secret = 1;
	readonly id = 7;
	get secret(): number {
		return this.#secret;
	}
}

const oddities: readonly (() => unknown)[] = [
	revokedProxy,
	throwingProxy,
	cycle,
	throwingGetter,
	throwingError,
	hostileThrower,
	() => ({ toJSON: refuse }),
	() => ({ toJSON: () => undefined }),
	() => ({ toJSON: () => 10n }),
	() => ({ toString: refuse, valueOf: refuse, [Symbol.toPrimitive]: refuse }),
	() => Object.create(null),
	() => JSON.parse('{"__proto__":{"x":1}}'),
	() => new Account(),
	() => new Error("plain", { cause: new TypeError("why") }),
	() => new AggregateError([new Error("one"), 2, undefined], "many"),
	() => new Date(Number.NaN),
	() => new Date(0),
	() =>
		new Map<unknown, unknown>([
			[1, "a"],
			["1", "b"],
			[{}, undefined],
		]),
	() => new Set([1, new Set()]),
	() => /x"y/g,
	() => Buffer.from("bytes"),
	() => new Float64Array(3),
	() => new DataView(new ArrayBuffer(2)),
	() => new SharedArrayBuffer(8),
	() => Object("boxed"),
	() => Object(1n),
	() => Symbol("s"),
	() => 2n ** 70n,
	() => Number.NaN,
	() => -0,
	() => "\ud800 half a pair \u0000\u001b[31m",
	() => (): void => undefined,
	() => Account,
	() => Promise.resolve(1),
	() => new Proxy([], { get: refuse }),
	() => new Array(5),
];

const hostileKey = fc.oneof(
	fc.string({ unit: "binary" }),
	fc.constantFrom("msg", "msg_", "time", "late", "late_", "err", "err_", "__proto__", "toJSON", "0", "…", "args"),
);

/** Makes a value. Not the value itself: fast-check looks into what it generates, and some values don't stand that. */
type Make = () => unknown;

/** Any value, from plain to malicious. */
export const hostileValue: fc.Arbitrary<Make> = fc.letrec<{ make: Make }>((tie) => ({
	make: fc.oneof(
		{ maxDepth: 4, withCrossShrink: true },
		fc
			.oneof(fc.string({ unit: "binary" }), fc.integer(), fc.double(), fc.boolean(), fc.constant(null))
			.map((value) => () => value),
		fc.constantFrom(...oddities),
		fc.array(tie("make"), { maxLength: 4 }).map((makes) => () => makes.map((make) => make())),
		fc.dictionary(hostileKey, tie("make"), { maxKeys: 5 }).map((makes) => () => madeObject(makes)),
		tie("make").map((make) => () => new Map([["key", make()]])),
		tie("make").map((make) => () => Object.assign(new Error("with"), { value: make() })),
		tie("make").map((make) => () => new Error("caused", { cause: make() })),
		tie("make").map((make) => () => ({ toJSON: make })),
	),
})).make;

/** An object to be logged as fields. */
export const hostileFields: fc.Arbitrary<() => object> = fc.oneof(
	fc.dictionary(hostileKey, hostileValue, { maxKeys: 8 }).map((makes) => () => madeObject(makes)),
	hostileValue.map((make) => () => {
		const value = make();
		return typeof value === "object" && value !== null ? value : { value };
	}),
);

function madeObject(makes: Readonly<Record<string, Make>>): object {
	const made = {};
	for (const [key, make] of Object.entries(makes)) {
		Object.defineProperty(made, key, { value: make(), enumerable: true, writable: true, configurable: true });
	}
	return made;
}
