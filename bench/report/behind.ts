/** Where Pylog is not ahead: every ratio below 1 to a peer, by question. */
import type { Answer } from "./question.ts";
import { lines, number } from "./table.ts";

/** Differences that noise makes. */
const even = 0.97;
const peerRatio = /^(\S+) pylog vs (.+)$/;

export function behindTable(answers: readonly Answer[]): string {
	const behind = new Map<string, string[]>();
	for (const { ratios } of answers) {
		for (const [name, value] of Object.entries(ratios)) {
			const [, what = "", peer = ""] = peerRatio.exec(name) ?? [];
			// Two different measures, as a goal compares them, say nothing of who is ahead.
			if (what === "" || what.includes("-to-") || value >= even) continue;
			behind.set(what, [...(behind.get(what) ?? []), `${peer} ${number(1 / value)} times`]);
		}
	}
	const rows = [...behind].map(([what, peers]) => [`\`${what}\``, peers.join(", ")]);
	return lines([["figure", "who is better, and by how much"], ...rows]);
}
