/** What does it cost to write fields into a record, beside `JSON.stringify` of the same object? Interleaved, medians. */
import { writeFields } from "../src/logger/fields.ts";
import { giveBackDraft, takeDraft } from "../src/spool/draft.ts";
import { compare } from "./compare.ts";
import { tenFields, twoFields } from "./run/work.ts";

const [flat, nested] = [twoFields(7), tenFields(7)];

compare("write fields", {
	"two fields, Pylog": () => write(flat),
	"two fields, JSON.stringify": () => JSON.stringify(flat),
	"ten, some nested, Pylog": () => write(nested),
	"ten, JSON.stringify": () => JSON.stringify(nested),
});

function write(fields: object): number {
	const draft = takeDraft();
	draft.message("");
	writeFields(draft, fields, undefined, "text", false);
	giveBackDraft(draft);
	return draft.end;
}
