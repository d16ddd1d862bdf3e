// @ts-check
// What becomes of the bundled files (`bundle.mjs`): the one of what is called later is made a function, and the parts of Node
// are taken without being imported. Line stays line, so that their maps hold.

import { createHash } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const takenFromLogger = /^import \{(.+)\} from "\.\/parts\.js";$/m;
const exported = /^export \{(.+)\};$/m;

/** Code of the module that loads the file of what is called later: {@link finish} puts in its name, and what it is given. */
export const laterLoader = `
import { createRequire } from "node:module";
let loaded;
export function later() {
	return (loaded ??= createRequire(import.meta.url)("LATER_FILE")(LATER_TAKES));
}`;

/**
 * A module whose functions load the real one.
 *
 * @param {string} folder of all modules
 * @param {string} name of this one in it
 */
export function moduleCalledLater(folder, name) {
	const path = join(folder, name);
	const functions = readFileSync(path, "utf8").matchAll(/^export (?:(async )?function (\w+)|.*)/gm);
	const stubs = [...functions].map(([text, isAsync = "", called]) => {
		if (called === undefined) throw new Error(`${path} is called later: it may export functions only, not: ${text}`);
		return `export const ${called} = ${isAsync}(...given) => later()["${name}#${called}"](...given);`;
	});
	return { code: ['import { later } from "\0later";', ...stubs].join("\n") };
}

/**
 * Makes of the bundled files what they are to be: of `parts.js` the file `logger.js`, and one of the old name that passes on all
 * that is in it; of `later.js` a file with a function, and one that passes on what that gives.
 *
 * @param {string} folder of all modules
 * @param {readonly string[]} calledLater names of modules in it
 */
export function finish(folder, calledLater) {
	const bundle = join(folder, "bundle");
	const later = finishLater(bundle, folder, calledLater);
	finishLogger(bundle, join(folder, "index.js"), later);
	const logman = join(bundle, "logman.js");
	writeFileSync(logman, quicker(readFileSync(logman, "utf8")));
}

/**
 * @param {string} bundle
 * @param {string} folder
 * @param {readonly string[]} calledLater
 * @returns {string} name of the file
 */
function finishLater(bundle, folder, calledLater) {
	const path = join(bundle, "later.js");
	const text = quicker(readFileSync(path, "utf8"));
	const takes = namesIn(takenFromLogger.exec(text)?.[1]).map(([name, as]) => `${name}: ${as}`);
	const exports = namesIn(exported.exec(text)?.[1]);
	const locals = new Map(exports.map(([name, as]) => [as, name]));
	const called = calledLater.flatMap((module) => {
		const passedOn = namesIn(/^export \{(.+)\} from/m.exec(readFileSync(join(folder, module), "utf8"))?.[1]);
		return passedOn.map(([as, name]) => `"${module}#${name}": ${locals.get(as)}`);
	});
	const gives = [...exports.map(([name, as]) => `${as}: ${name}`), ...called];
	const body = text
		.replace(takenFromLogger, () => `module.exports = ({${takes.join(",")}}) => {`)
		.replace(exported, () => `return {${gives.join(",")}}; };`);
	// By its name, nobody gets the file of another version that was installed meanwhile.
	const file = `later-${createHash("sha256").update(body).digest("hex").slice(0, 8)}.cjs`;
	writeFileSync(join(bundle, file), body.replace("=later.js.map", `=${file}.map`));
	renameSync(`${path}.map`, join(bundle, `${file}.map`));
	passOn(path, "later", exports);
	return file;
}

/**
 * V8 looks through all exports of a module for each name of which a function that it compiles does not know the place. So
 * there are few: the package's own, and a function that gives everything to the other files.
 *
 * @param {string} bundle
 * @param {string} index
 * @param {string} later
 */
function finishLogger(bundle, index, later) {
	const path = join(bundle, "parts.js");
	const text = quicker(readFileSync(path, "utf8"));
	const exports = namesIn(exported.exec(text)?.[1]);
	const locals = new Map(exports.map(([name, as]) => [as, name]));
	const indexText = readFileSync(index, "utf8");
	const published = namesIn(/^export \{(.+)\} from/m.exec(indexText)?.[1]).map(
		([name]) => `${locals.get(name)} as ${name}`,
	);
	const all = `function all() { return {${exports.map(([name, as]) => `${as}: ${name}`).join(",")}}; }`;
	writeFileSync(
		join(bundle, "logger.js"),
		text
			.replace("LATER_FILE", `./${later}`)
			.replace("LATER_TAKES", "all()")
			.replace("=parts.js.map", "=logger.js.map")
			.replace(exported, () => `${all} export {${published.join(",")}, all, later};`),
	);
	renameSync(`${path}.map`, join(bundle, "logger.js.map"));
	writeFileSync(index, indexText.replace("/parts.js", "/logger.js"));
	passOn(path, "all", exports);
}

/**
 * @param {string} path
 * @param {string} giver function of `logger.js`
 * @param {readonly [name: string, as: string][]} exports
 */
function passOn(path, giver, exports) {
	// A name may be a word of the language.
	const taken = exports.map(([, as], index) => `${as}: _${index}`).join(",");
	const given = exports.map(([, as], index) => `_${index} as ${as}`).join(",");
	writeFileSync(path, `import { ${giver} } from "./logger.js";\nconst {${taken}} = ${giver}();\nexport {${given}};\n`);
}

/**
 * @param {string | undefined} list such as "a as b, c"
 * @returns {[name: string, as: string][]}
 */
function namesIn(list) {
	if (list === undefined) throw new Error("the bundler has changed how it writes imports and exports");
	return list.split(",").map((each) => {
		const [name = "", as = name] = each.trim().split(" as ");
		return [name, as];
	});
}

/**
 * Takes the parts of Node from Node itself: an `import` of one evaluates every getter that it has, and loads what they stand
 * for (streams, the promises of `fs`, and more) for 2 ms. And writes other characters than ASCII as escapes, for they stand
 * in literals only, and a text with one of them takes twice the memory, and longer to read.
 *
 * @param {string} code
 */
function quicker(code) {
	return code
		.replaceAll(/^import \{(.+)\} from "(node:[^"]+)";$/gm, (_, /** @type {string} */ names, name) => {
			return `const {${names.replaceAll(" as ", ": ")}} = process.getBuiltinModule("${name}");`;
		})
		.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
