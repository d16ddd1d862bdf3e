/** The producers of a spool as a table for people. */

import type { ProducerLaneStatus, ProducerStatus } from "../spool/spool-status.ts";
import { styled } from "./terminal.ts";

const titles = ["producer", "process/thread", "state", "priority", "normal", "dropped"] as const;

/** Lines with their newlines; lanes show written/appended. Nothing where there are no producers. */
export function producerTable(producers: readonly ProducerStatus[]): string[] {
	if (producers.length === 0) return [];
	const rows = producers.map(({ number, pid, thread, alive, lanes, dropped }) => [
		String(number),
		`${pid ?? "?"}/${thread ?? "?"}`,
		alive ? "alive" : "dead",
		laneText(lanes.priority),
		laneText(lanes.normal),
		String(dropped),
	]);
	const widths = titles.map((title, column) =>
		Math.max(...[titles, ...rows].map((row) => (row[column] ?? title).length)),
	);
	const line = (cells: readonly string[]): string =>
		cells.map((cell, column) => cell.padStart(widths[column] ?? 0)).join("  ");
	return [
		"\n",
		`${styled("bold", line(titles))}\n`,
		...rows.map((row) => `${line(row)}\n`),
		"lanes: written/appended\n",
	];
}

/** Without a slot only what waits is known. */
function laneText({ appended, written, waiting }: ProducerLaneStatus): string {
	return appended === null ? `${waiting} waiting` : `${written}/${appended}`;
}
