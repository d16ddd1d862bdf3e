/** What is said of a spool that was written in another version of the format. */

import { PylogError } from "../shared/errors.ts";
import { spoolVersion } from "./control-layout.ts";

export function otherVersion(version: number): PylogError {
	return new PylogError(
		"PYLOG_SPOOL_VERSION",
		`The spool is of format version ${version}; this Pylog knows ${spoolVersion}. ` +
			"Drain it with the Pylog that wrote it, then remove the cache directory.",
		{ details: { version, known: spoolVersion } },
	);
}
