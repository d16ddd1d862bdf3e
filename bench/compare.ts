/** Runs things side by side, in turns, and prints the median cost of each: single runs mean little on a shared machine. */
import { cpus } from "node:os";

const rounds = 15;
const callsPerRound = 50_000;

export function compare(question: string, subjects: Readonly<Record<string, () => unknown>>): void {
	process.stdout.write(
		`${question}: Node ${process.version}, ${cpus().length} cores, ${rounds} rounds of ${callsPerRound} calls\n`,
	);
	const costs = new Map<string, number[]>();
	for (let round = 0; round < rounds; round++) {
		for (const [name, subject] of Object.entries(subjects)) {
			const startNs = process.hrtime.bigint();
			for (let call = 0; call < callsPerRound; call++) subject();
			const costNs = Number(process.hrtime.bigint() - startNs) / callsPerRound;
			costs.set(name, [...(costs.get(name) ?? []), costNs]);
		}
	}
	for (const [name, of] of costs) print(name, `${median(of).toFixed(0)} ns`);
}

export function median(values: readonly number[]): number {
	return [...values].sort((a, b) => a - b)[values.length >>> 1] ?? Number.NaN;
}

export function print(name: string, figure: string): void {
	process.stdout.write(`  ${name.padEnd(30)} ${figure.padStart(10)}\n`);
}
