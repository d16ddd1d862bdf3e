// @ts-check
// What becomes of the bundled files (`bundle.mjs`): the one of what is called later is made a function, and the parts of Node
// are taken without being imported. Line stays line, so that their maps hold.

import { createHash } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const taken = /^import \{(.+)\} from "\.\/logger\.js";$/m;
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
 * Makes of the bundled files what they are to be. Line stays line, so that their maps hold.
 *
 * @param {string} folder of all modules
 * @param {readonly string[]} calledLater names of modules in it
 */
export function finish(folder, calledLater) {
	const logger = join(folder, "bundle", "logger.js");
	const later = join(folder, "bundle", "later.js");
	const logman = join(folder, "bundle", "logman.js");
	const laterText = readFileSync(later, "utf8");
	const takes = namesIn(taken.exec(laterText)?.[1]);
	const gives = namesIn(exported.exec(laterText)?.[1]);
	const locals = new Map(gives.map(([name, as]) => [as, name]));
	const called = calledLater.flatMap((module) => {
		const passedOn = namesIn(/^export \{(.+)\} from/m.exec(readFileSync(join(folder, module), "utf8"))?.[1]);
		return passedOn.map(([as, name]) => `"${module}#${name}": ${locals.get(as)}`);
	});
	const given = [...gives.map(([name, as]) => `${as}: ${name}`), ...called];
	const body = quicker(laterText)
		.replace(taken, () => `module.exports = ({${takes.map(([name, as]) => `${name}: ${as}`).join(",")}}) => {`)
		.replace(exported, () => `return {${given.join(",")}}; };`);
	// By its name, nobody gets the file of another version that was installed meanwhile.
	const file = `later-${createHash("sha256").update(body).digest("hex").slice(0, 8)}.cjs`;
	writeFileSync(join(folder, "bundle", file), body.replace("=later.js.map", `=${file}.map`));
	renameSync(`${later}.map`, join(folder, "bundle", `${file}.map`));
	writeFileSync(
		later,
		`import { later } from "./logger.js";\nexport const {${gives.map(([, as]) => as).join(",")}} = later();\n`,
	);

	const loggerText = quicker(readFileSync(logger, "utf8"));
	const names = new Map(namesIn(exported.exec(loggerText)?.[1]).map(([name, as]) => [as, name]));
	writeFileSync(
		logger,
		loggerText
			.replace("LATER_FILE", `./${file}`)
			.replace("LATER_TAKES", () => `{${takes.map(([name]) => `${name}: ${names.get(name)}`).join(",")}}`)
			.replace(exported, (_, list) => `export {${list}, later};`),
	);
	writeFileSync(logman, quicker(readFileSync(logman, "utf8")));
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
