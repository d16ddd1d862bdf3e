/**
 * Before the tests: the build is made new if it is out of date, since tests that start processes run on dist.
 * Type errors do not stop the tests, for the emitted files do what the sources say; `npm run types` shows them.
 */
import { ready } from "../../scripts/ready.mjs";

export default async function setup(): Promise<void> {
	const messages = await ready();
	if (messages.length > 0) {
		process.stderr.write(`ready: built in spite of ${messages.length} messages of the compiler: see npm run types\n`);
	}
}
