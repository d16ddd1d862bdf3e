/** Reading messages from stdin: whole, or line by line as they come. What is not UTF-8 is replaced by U+FFFD. */

import { StringDecoder } from "node:string_decoder";
import { PylogError } from "../shared/errors.ts";
import { maxInboxFileBytes } from "../spool/inbox.ts";

/** All of stdin, without the newline at its end. @throws PylogError PYLOG_INBOX_MESSAGE_INVALID for more than fits. */
export async function readWhole(): Promise<string> {
	const chunks: Buffer[] = [];
	let bytes = 0;
	for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
		chunks.push(chunk);
		bytes += chunk.length;
		if (bytes > maxInboxFileBytes) throw tooLarge("stdin has");
	}
	return Buffer.concat(chunks)
		.toString("utf8")
		.replace(/\r?\n$/, "");
}

/** The lines of stdin, each as soon as it is there; one without a newline at the end counts. @throws as above. */
export async function* readLines(): AsyncGenerator<string, void, undefined> {
	const decoder = new StringDecoder("utf8");
	let rest = "";
	for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
		const [first = "", ...others] = decoder.write(chunk).split("\n");
		rest += first;
		for (const next of others) {
			yield rest.replace(/\r$/, "");
			rest = next;
		}
		if (rest.length > maxInboxFileBytes) throw tooLarge("a line of stdin has");
	}
	rest += decoder.end();
	if (rest !== "") yield rest.replace(/\r$/, "");
}

function tooLarge(what: string): PylogError {
	return new PylogError(
		"PYLOG_INBOX_MESSAGE_INVALID",
		`A message takes at most ${maxInboxFileBytes} bytes, and ${what} more. Send it in parts, or with --each-line.`,
		{ details: { maxInboxFileBytes } },
	);
}
