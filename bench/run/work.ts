/**
 * What every logger is given to log. Each message holds {@link mark} once, and nothing else does: so lines are counted
 * by it in whatever a logger makes of them, also where an error's stack takes lines of its own.
 */

export const mark = "shop-order";

const messageCount = 16;
const messages: readonly string[] = Array.from({ length: messageCount }, (_, index) =>
	["order", 4711 + index, "was paid by card, in", index * 3, `ms (${mark})`].join(" "),
);
const errors: readonly Error[] = messages.map((_, index) => new Error(`card ${index} was refused`));

/** What the child logger of the case `child` has bound. */
export const bindings = { service: "shop", requestId: "r-4711-0815" };

/** One of a few finished texts: none is made during the measurement. */
export function message(index: number): string {
	return messages[index % messageCount] as string;
}

/** A text that is made for the call, and nobody keeps. */
export function madeMessage(index: number): string {
	return `order ${index} was paid by card, in ${index % 97} ms (${mark})`;
}

export function twoFields(index: number): { orderId: number; user: string } {
	return { orderId: index, user: "ann" };
}

/** Ten fields, some nested two deep. */
export function tenFields(index: number): object {
	return {
		orderId: index,
		user: { id: 42, name: "Ann Other", roles: ["buyer", "reviewer"] },
		request: { method: "POST", path: "/orders", remote: { address: "192.0.2.7", port: 51_234 } },
		items: [
			{ sku: "A-1", count: 2 },
			{ sku: "B-7", count: 1 },
		],
		total: 59.9,
		currency: "EUR",
		isPaid: true,
		coupon: null,
		region: "eu-central",
		durationMs: 12.5,
	};
}

/** One of a few errors, made before: making one costs more than logging it, and the same everywhere. */
export function error(index: number): Error {
	return errors[index % messageCount] as Error;
}
