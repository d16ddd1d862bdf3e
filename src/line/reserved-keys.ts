/** The names that a JSON line has of its own. The logger needs them, and nothing else of what makes lines. */

/** Keys a line has of its own; a field with such a key must be renamed before it is stored. */
export const reservedKeys: ReadonlySet<string> = new Set([
	"time",
	"level",
	"queue",
	"pid",
	"name",
	"file",
	"msg",
	"late",
	"err",
]);
