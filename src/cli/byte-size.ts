/** Sizes for people. */

const units = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;

/** A size with its unit, such as `1.5 MiB`. */
export function byteSize(bytes: number): string {
	let value = bytes;
	let unit = 0;
	while (value >= 1024 && unit < units.length - 1) {
		value /= 1024;
		unit += 1;
	}
	return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** A number with its noun, such as `1 record` or `2 records`. */
export function counted(count: number, noun: string, plural: string = `${noun}s`): string {
	return `${count} ${count === 1 ? noun : plural}`;
}
