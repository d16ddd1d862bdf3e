/**
 * Text from outside on its way to a terminal: paths, reasons and messages may hold anything. The same characters are
 * escaped as in log lines (`src/line/utf8.ts`): C0 and C1 controls, DEL, line and paragraph separators, and what turns the
 * direction of text.
 */

const acting: RegExp = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;
const actingInJson: RegExp = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** On one line, with each character that acts on a terminal as `\xNN` or `\uNNNN`. */
export function visible(text: string): string {
	return text.replaceAll(acting, (character) => {
		const code = character.charCodeAt(0);
		return code > 0xff ? unicodeEscape(code) : `\\x${hex(code, 2)}`;
	});
}

/** JSON text that means the same, without characters that act on a terminal but for the newlines between its tokens. */
export function visibleJson(json: string): string {
	return json.replaceAll(actingInJson, (character) => unicodeEscape(character.charCodeAt(0)));
}

function unicodeEscape(code: number): string {
	return `\\u${hex(code, 4)}`;
}

function hex(code: number, digits: number): string {
	return code.toString(16).padStart(digits, "0");
}
