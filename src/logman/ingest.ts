/**
 * Takes inbox messages into the spool, each exactly once.
 *
 * A message is appended to the logman's own chain and its file removed, both before any batch can hold the record: the
 * record names the file it came from. After a death in between, the next logman finds the file and, in what is not
 * delivered yet, the record, and only removes the file. A file that can't be removed is noted in a list on disk instead.
 *
 * A run is bounded in messages and in time, so that a flood of them, or of large ones, delays no line for long.
 */

import { hostname } from "node:os";
import { levels } from "../line/level.ts";
import { PylogError } from "../shared/errors.ts";
import { type Lane, laneIndex, lanes } from "../shared/lane.ts";
import { Definition } from "../spool/definition.ts";
import type { Inbox, InboxFile } from "../spool/inbox.ts";
import type { ParsedInboxMessage } from "../spool/inbox-message.ts";
import { recordFlags } from "../spool/log-record.ts";
import type { Entry, Producer } from "../spool/producer.ts";
import type { Quarantine } from "../spool/quarantine.ts";
import { inboxOrigin } from "../spool/taken-from-inbox.ts";
import type { ErrorLog } from "./error-log.ts";

/** Prefix of a message that has a level; one without is a finished line. */
const prefix = "%loglevel% - %time% | ";
const maxMessagesAtOnce = 1000;
const minMessagesAtOnce = 16;
/** What a lane of the inbox may take while lines of others wait: one message of 16 MiB costs a tenth of a second. */
const maxLaneMs = 25;
/** How often a file that has to stay is tried again. */
const stuckMs = 60_000;
const unnotedMs = 1000;
const maxDefinitions = 1000;

export class Ingest {
	readonly #inbox: Inbox;
	readonly #quarantine: Quarantine;
	readonly #producer: () => Producer;
	readonly #errors: ErrorLog;
	/** Identities of files whose message is in the spool, from before a death or because they can't be removed. */
	readonly #taken = new Set<string>();
	readonly #definitions = new Map<string, Definition>();
	/** Files that can't be moved away, by lane and name: when each is tried again. */
	readonly #stuck = new Map<string, number>();
	/** How many messages of a lane a run looks for: about as many as it has time for, since looking costs as well. */
	readonly #atOnce: Record<Lane, number> = { priority: maxMessagesAtOnce, normal: maxMessagesAtOnce };
	/** Identities in the list on disk, as far as this process has put them there. */
	readonly #noted = new Set<string>();

	/** @param producer Gives the logman's own producer, made when it is needed. */
	constructor(inbox: Inbox, quarantine: Quarantine, errors: ErrorLog, producer: () => Producer) {
		this.#inbox = inbox;
		this.#errors = errors;
		this.#quarantine = quarantine;
		this.#producer = producer;
	}

	/** Notes files whose message is in the spool already, by their identities. */
	pass(taken: Iterable<string>): void {
		for (const identity of taken) this.#taken.add(identity);
		for (const identity of this.#inbox.taken.read()) this.#noted.add(identity);
	}

	/**
	 * Takes what waits. Returns whether more may wait. Blocks for a few system calls a message.
	 *
	 * @param maxMs What a lane may take, but for the message that passes it.
	 */
	run(maxMs: number = maxLaneMs): boolean {
		let hasMore = false;
		for (const lane of lanes) {
			const outcome = this.#runLane(lane, maxMs);
			if (outcome === "stop") return false;
			hasMore ||= outcome === "more";
		}
		return hasMore;
	}

	#runLane(lane: Lane, maxMs: number): "more" | "end" | "stop" {
		const startMs = performance.now();
		const isLeft = (name: string): boolean => (this.#stuck.get(`${lane}/${name}`) ?? 0) > startMs;
		const limit = this.#atOnce[lane];
		const files = this.#inbox.list(lane, limit, this.#stuck.size > 0 ? isLeft : undefined);
		let gone = 0;
		for (const file of files) {
			const outcome = this.#take(file);
			if (outcome === "stop") return "stop";
			if (outcome === "gone") gone += 1;
			if (gone === 0 || performance.now() - startMs <= maxMs) continue;
			// The rest has its turn in the next cycle.
			this.#atOnce[lane] = Math.max(minMessagesAtOnce, gone);
			return "more";
		}
		this.#atOnce[lane] = Math.min(maxMessagesAtOnce, limit * 2);
		// Where every file has to stay, another look at once would find the same.
		return gone > 0 && files.length === limit ? "more" : "end";
	}

	/**
	 * "gone" when the file is out of the way, be it that it is passed over for a while; "stays" when its lane is closed;
	 * "stop" when the spool has no room or this process lacks descriptors: what comes behind it must not pass it.
	 */
	#take(file: InboxFile): "gone" | "stays" | "stop" {
		if (!this.#taken.has(file.identity)) {
			const receipt = this.#inbox.receive(file);
			if (receipt.kind === "gone") return "gone";
			if (receipt.kind === "bad") return this.#setAside(file, receipt.reason);
			if (receipt.kind === "later") {
				this.#errors.report({ what: "read a message of the inbox; it is tried again", error: receipt.error });
				return "stop";
			}
			const producer = this.#producer();
			const lane: Lane = receipt.message.priority ? "priority" : "normal";
			if (producer.control.isClosed(lane)) return "stays";
			if (!producer.offer(laneIndex[lane], this.#entry(file, receipt.message))) return "stop";
			this.#taken.add(file.identity);
		}
		const removal = this.#inbox.remove(file);
		if (removal.kind === "failed") {
			// It stays known, so that it is not taken again.
			this.#report("remove a message of the inbox that is in the queue", file, removal.error);
			this.#leave(file, this.#note(file.identity) ? stuckMs : unnotedMs);
			return "gone";
		}
		this.#stuck.delete(`${file.lane}/${file.name}`);
		this.#taken.delete(file.identity);
		return "gone";
	}

	/** Notes on disk that a message is taken whose file stays. Before any batch holds its record, as a removal would be. */
	#note(identity: string): boolean {
		if (this.#noted.has(identity)) return true;
		try {
			this.#inbox.taken.add(identity);
			this.#noted.add(identity);
			return true;
		} catch (error) {
			this.#errors.report({ what: "note a message of the inbox that is in the queue and can't be removed", error });
			return false;
		}
	}

	/** One report for all files with which the same goes wrong: there may be a hundred thousand. */
	#report(what: string, file: InboxFile, { code, details }: PylogError): void {
		const error = new PylogError(code, `A file of the inbox can't be moved away: ${String(details["errno"])}.`);
		this.#errors.report({ what, error, message: file.path });
	}

	#leave({ lane, name }: InboxFile, forMs: number): void {
		this.#stuck.set(`${lane}/${name}`, performance.now() + forMs);
	}

	#setAside(file: InboxFile, reason: string): "gone" {
		this.#errors.report({
			what: "understand a message of the inbox; it is in quarantine/",
			error: new PylogError("PYLOG_INBOX_MESSAGE_INVALID", reason),
			message: file.name,
		});
		const outcome = this.#quarantine.take(file.path, reason);
		if (outcome.kind !== "failed") return "gone";
		this.#report("move a message of the inbox to quarantine/", file, outcome.error);
		this.#leave(file, stuckMs);
		return "gone";
	}

	#entry(file: InboxFile, message: ParsedInboxMessage): Entry {
		const { level, msg, logTo, exception, time } = message;
		return {
			level: levels[level ?? "info"],
			timeMs: time ?? 0,
			flags: level === undefined ? recordFlags.finished : 0,
			definition: this.#definition(logTo),
			callSite: Definition.ofCallSite(inboxOrigin + file.identity),
			message: msg,
			fields: "",
			error: exception === undefined ? "" : JSON.stringify({ type: "Error", message: exception, stack: exception }),
		};
	}

	#definition(output: string): Definition {
		let definition = this.#definitions.get(output);
		if (definition === undefined) {
			if (this.#definitions.size >= maxDefinitions) this.#definitions.clear();
			definition = Definition.ofLogger({
				output,
				format: "text",
				logform: prefix,
				name: "",
				hostname: hostname(),
				pid: process.pid,
				thread: 0,
				fields: "",
			});
			this.#definitions.set(output, definition);
		}
		return definition;
	}
}
