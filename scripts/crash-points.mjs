// @ts-check
// The crash points: every durable step of src/ by its name (src/platform/step.ts), read out of the code.
//
//   node scripts/crash-points.mjs           writes docs/crash-points.md
//   node scripts/crash-points.mjs --check   fails where the document is not what the code says
//   node scripts/crash-points.mjs --json    prints the points
//
// A step is a call whose first argument is a name as "part.what". A function that is given such a name and makes others
// of it (`${name}-sync`) adds them for each of its callers. The steps of an append are comments, `// step: append.number`,
// once its bound stands: nothing may be added to it then but what does the work. A name that stands at two places is an error.

import { readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import { filesBelow, root } from "./stamp.mjs";

/**
 * @typedef {object} CrashPoint
 * @property {string} name
 * @property {string} file path from the root
 * @property {string} place function that makes the step
 * @property {string} change what kind of change it is
 * @property {string} purpose first sentence of what the function says of itself
 *
 * @typedef {{ readonly file: string, readonly at: number, readonly callee: string, readonly text: string }} Call
 */

/** What the functions that make steps do. Another one stands in the table with its own name. @type {Record<string, string>} */
const changes = {
	writeWhole: "writes",
	writeWholeSoon: "writes",
	appendSoon: "appends",
	truncate: "truncates",
	syncData: "syncs a file",
	syncDataSoon: "syncs a file",
	syncFolder: "syncs a folder",
	syncFolderSoon: "syncs a folder",
	rename: "renames",
	remove: "removes",
	removeIfThere: "removes",
	removeFolder: "removes a folder",
	removeTree: "removes a folder with its files",
	makeFolder: "makes a folder",
	makeFoldersSoon: "makes folders",
	ensureOwnedDirectory: "makes a folder",
	openOwnedFile: "makes a file",
	createSoon: "makes a file",
	openFile: "makes a file",
	writeNewFile: "makes a file",
	tryAcquire: "makes a file and locks it",
	acquire: "makes a file and locks it",
	reserve: "reserves space",
	announceStore: "stores to mapped memory",
	append: "stores to mapped memory",
};

const documentPath = join(root, "docs/crash-points.md");
const stepName = "[a-z][a-z-]*\\.[a-z][a-z-]*";
const callPattern = new RegExp(`([\\w#]+)\\(\\s*"(${stepName})"`, "g");
const commentPattern = new RegExp(`// step: (append)(\\.[a-z-]+)`, "g");
const templatePattern = /([\w#]+)\(\s*`\$\{name\}(-[a-z-]+)`/g;
const functionPattern =
	/^(?:export )?(?:async )?function\*? (\w+)|^\t(?:(?:private|static|override|async|get|set) )*(\*?#?\w+)(?:<[^>]*>)?\([^;]*?\)[^;=]*? \{$/gm;

/** All crash points, by name. @returns {CrashPoint[]} */
export function crashPoints() {
	const sources = filesBelow(join(root, "src"))
		.filter((path) => path.endsWith(".ts"))
		.map((path) => ({ file: relative(root, path), text: readFileSync(path, "utf8") }));
	const templates = sources.flatMap((source) =>
		calls(source, templatePattern).map(({ callee, text, at }) => {
			return { callee, text, maker: functionAt(source.text, at).name };
		}),
	);
	/** @type {CrashPoint[]} */
	const points = [];
	for (const source of sources) {
		for (const call of calls(source, callPattern)) {
			points.push(pointOf(source, call, call.text));
			for (const { maker, callee, text } of templates)
				if (maker === call.callee)
					points.push({ ...pointOf(source, call, call.text + text), change: changeOf(callee) });
		}
		for (const call of calls(source, commentPattern)) points.push(pointOf(source, call, call.callee + call.text));
	}
	return points.sort((one, other) => (one.name < other.name ? -1 : 1));
}

/**
 * @param {{ file: string, text: string }} source
 * @param {RegExp} pattern
 * @returns {Call[]}
 */
function calls({ file, text }, pattern) {
	return [...text.matchAll(pattern)].map((match) => ({
		file,
		at: match.index,
		callee: match[1] ?? "",
		text: match[2] ?? "",
	}));
}

/**
 * @param {{ file: string, text: string }} source
 * @param {Call} call
 * @param {string} name
 * @returns {CrashPoint}
 */
function pointOf({ file, text }, call, name) {
	const place = functionAt(text, call.at);
	return { name, file, place: place.name, change: changeOf(call.callee), purpose: place.purpose };
}

/** @param {string} callee */
function changeOf(callee) {
	return changes[callee] ?? `\`${callee}\``;
}

/**
 * The function that a place of a file is in: the last one that begins above it.
 *
 * @param {string} text
 * @param {number} at
 */
function functionAt(text, at) {
	const above = [...text.slice(0, at).matchAll(functionPattern)].filter(
		(match) => !["if", "for", "while", "switch", "catch"].includes(match[2] ?? ""),
	);
	const last = above.at(-1);
	if (last === undefined) return { name: "", purpose: "" };
	return { name: last[1] ?? last[2] ?? "", purpose: purposeAbove(text.slice(0, last.index)) };
}

/** The first sentence of the comment that ends a text. @param {string} text */
function purposeAbove(text) {
	const comment = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*$/.exec(text)?.[1] ?? "";
	const words = comment
		.replaceAll(/^\s*\* ?/gm, " ")
		.replaceAll(/\s+/g, " ")
		.trim();
	const sentence = /^.*?[.:;](?=\s|$)/.exec(words)?.[0] ?? words;
	return sentence
		.replace(/[:;]$/, ".")
		.replaceAll(/\{@link (?:\w+\.)?(\w+)\}/g, "`$1`")
		.replaceAll("|", "\\|");
}

/** Names that stand at more than one place. @param {readonly CrashPoint[]} points */
function repeatedNames(points) {
	return points.filter(({ name }, index) => points[index - 1]?.name === name).map(({ name }) => name);
}

/** @param {readonly CrashPoint[]} points */
function documentOf(points) {
	const rows = points.map(
		({ name, change, file, place, purpose }) =>
			`| \`${name}\` | ${change} | [\`${place}\`](../${file}) | ${purpose.replaceAll("<", "\\<")} |`,
	);
	return `# Crash points

Every step by which Pylog changes something outside of a process has a name: files, folders, and words in shared memory that others
go by. \`test/faults/crash-points.test.ts\` kills at each, once and again and again, and looks whether a line was lost, repeated or
disordered, and whether anything stays behind. The last column is what the function says of itself.

This list is made from the code by \`node scripts/crash-points.mjs\`; a test fails where it is not what the code says.

| step | change | where | what for |
|---|---|---|---|
${rows.join("\n")}
`;
}

/** @param {string | undefined} option */
function main(option) {
	const points = crashPoints();
	const repeated = repeatedNames(points);
	if (repeated.length > 0) {
		process.stderr.write(`names that stand at two places: ${repeated.join(", ")}\n`);
		process.exitCode = 1;
	} else if (option === "--json") {
		process.stdout.write(`${JSON.stringify(points, undefined, "\t")}\n`);
	} else if (option !== "--check") {
		writeFileSync(documentPath, documentOf(points));
	} else if (readFileSync(documentPath, "utf8") !== documentOf(points)) {
		process.stderr.write("docs/crash-points.md is not what the code says. Run: node scripts/crash-points.mjs\n");
		process.exitCode = 1;
	}
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv[2]);
