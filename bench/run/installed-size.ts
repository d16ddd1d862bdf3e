/** What a package takes on the disk with all that it depends on, as npm has installed it here. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface InstalledSize {
	readonly packages: number;
	/** Of all files, without what file systems add. */
	readonly bytes: number;
}

interface Manifest {
	readonly dependencies?: Readonly<Record<string, string>>;
	readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const root: string = fileURLToPath(new URL("../../", import.meta.url));

/** Pylog, as it would be published, and its dependencies. */
export function installedSizeOfPylog(): InstalledSize {
	const args = ["pack", "--dry-run", "--json", "--ignore-scripts"];
	const packed = execFileSync("npm", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
	const [{ unpackedSize }] = JSON.parse(packed) as [{ readonly unpackedSize: number }];
	const folders = new Set<string>();
	addDependencies(root, folders);
	return { packages: folders.size + 1, bytes: unpackedSize + bytesOf(folders) };
}

/** Packages that are used together. */
export function installedSize(names: readonly string[]): InstalledSize {
	const folders = new Set<string>();
	for (const name of names) addPackage(name, root, folders);
	return { packages: folders.size, bytes: bytesOf(folders) };
}

function addPackage(name: string, from: string, folders: Set<string>): void {
	const folder = folderOf(name, from);
	// An optional one that is not for this machine.
	if (folder === undefined || folders.has(folder)) return;
	folders.add(folder);
	addDependencies(folder, folders);
}

function addDependencies(folder: string, folders: Set<string>): void {
	const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
	const names = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });
	for (const name of names) addPackage(name, folder, folders);
}

/** Where Node finds a package that `from` imports. */
function folderOf(name: string, from: string): string | undefined {
	for (let at = from; ; at = dirname(at)) {
		const folder = join(at, "node_modules", name);
		if (existsSync(join(folder, "package.json"))) return folder;
		if (at === dirname(at)) return undefined;
	}
}

function bytesOf(folders: ReadonlySet<string>): number {
	return [...folders].reduce((sum, folder) => sum + bytesBelow(folder), 0);
}

/** Packages inside of a package are counted where they are depended on. */
function bytesBelow(folder: string): number {
	let sum = 0;
	for (const entry of readdirSync(folder, { withFileTypes: true })) {
		const path = join(folder, entry.name);
		if (entry.isDirectory()) sum += entry.name === "node_modules" ? 0 : bytesBelow(path);
		else if (entry.isFile()) sum += statSync(path).size;
	}
	return sum;
}
