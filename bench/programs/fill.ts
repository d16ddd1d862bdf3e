/** Logs so many lines while no logman runs, so that they wait in the queue. */
import { pylog } from "pylog";
import { message, twoFields } from "../run/work.ts";
import { say, told } from "../run/told.ts";

export interface FillOptions {
	readonly path: string;
	readonly cacheDir: string;
	readonly lines: number;
}

/** Twice what is needed: nothing may be dropped. */
const maxSpoolBytes = 8 * 1024 ** 3;

const { path, cacheDir, lines } = told<FillOptions>();
const logger = pylog({ filename: path, cacheDir, format: "json", callSite: false, logman: "external", maxSpoolBytes });
for (let index = 0; index < lines; index++) logger.info(message(index), twoFields(index));
say({ lines });
