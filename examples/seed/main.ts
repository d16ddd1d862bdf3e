/**
 * Pylog's four steps: import, make a logger, log, let a logman write.
 *
 * A logger puts its lines into a queue on disk and goes on; a logman takes them out and writes them into their file. So it
 * does not matter which of the two comes first. Here the logman comes last.
 */

// Step 1: import.
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pylog, startLogman } from "pylog";

// For the example, everything is in a new directory. Without `cacheDir` all your programs share one queue.
const directory = mkdtempSync(join(tmpdir(), "pylog-seed-"));
const filename = join(directory, "my_log.log");
const cacheDir = join(directory, "cache");

// Step 2: make a logger. `filename` and `logform` have defaults: a file per day in logs/, and just this logform.
// "external" says that we start the logman ourselves, in step 4; otherwise the logger would.
const logger = pylog({ filename, logform: "%loglevel% - %time% - %file% | ", cacheDir, logman: "external" });

// Step 3: log. When such a call returns, its line is safe, even if this process is killed in the next moment.
logger.info("This is an informational message.");
logger.warning("This is a warning message.");
logger.error("This is an error message.");
logger.debug("This is a debug message.");

// An error can have an exception with it. It is printed below the message, with its stack and its causes.
try {
	JSON.parse("{ this is no JSON");
} catch (error) {
	logger.error("An error occurred.", error);
}

// Step 4: let the lines be written. The logman gets a process of its own, so that it holds up nothing here.
// (`await logman({ cacheDir })` would run it in this process, until it is stopped.)
const writer = await startLogman({ cacheDir });

// A logman goes on until it is stopped. Stopping it writes what waits.
await logger.close();
await writer.stop();

// The debug line is the first one: debug lines have priority over all others that wait.
process.stdout.write(`${filename}\n\n${readFileSync(filename, "utf8")}\n`);
process.stdout.write(`The files stay where they are. To remove them: rm -r '${directory}'\n`);
