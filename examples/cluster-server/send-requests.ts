/** The load: what autocannon sends, and which responses it gets. */

import autocannon from "autocannon";

export interface Responses {
	/** The `x-request-id` of each response with a status of 2xx, in the order they came. */
	readonly requestIds: readonly string[];
	/** Responses with another status, broken connections and timeouts. */
	readonly failures: number;
	readonly seconds: number;
}

/** Sends `amount` requests over 20 connections and waits for the responses; stops early when `signal` aborts. */
export async function sendRequests(url: string, amount: number, signal: AbortSignal): Promise<Responses> {
	const requestIds: string[] = [];
	const onResponse = (status: number, _body: string, _context: object, headers: object = {}): void => {
		// Header names arrive as the server wrote them.
		const entry = Object.entries(headers).find(([name]) => name.toLowerCase() === "x-request-id");
		if (status >= 200 && status < 300) requestIds.push(String(entry?.[1]));
	};
	const result = await run(
		{
			url,
			amount,
			connections: 20,
			requests: [
				{ path: "/orders/7", onResponse },
				{ path: "/orders/8?verbose=1", onResponse },
			],
		},
		signal,
	);
	return { requestIds, failures: result.non2xx + result.errors, seconds: result.duration };
}

function run(options: autocannon.Options, signal: AbortSignal): Promise<autocannon.Result> {
	return new Promise((resolve, reject) => {
		const instance = autocannon(options, (error: Error | null, result) => {
			if (error) reject(error);
			else resolve(result);
		});
		signal.addEventListener("abort", () => instance.stop(), { once: true });
	});
}
