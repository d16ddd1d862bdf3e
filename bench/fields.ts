/** What does it cost to encode fields, beside `JSON.stringify` of the same object? Interleaved, medians. */
import { encodeFields } from "../src/logger/fields.ts";
import { compare } from "./compare.ts";

const flat = { orderId: 7, user: "ann" };
const nested = { order: { id: 7, lines: [{ sku: "a", count: 2 }] }, user: { name: "ann" } };

compare("encode fields", {
	"two fields, encodeFields": () => encodeFields(flat, undefined, "text").members,
	"two fields, JSON.stringify": () => JSON.stringify(flat),
	"nested, encodeFields": () => encodeFields(nested, undefined, "text").members,
	"nested, JSON.stringify": () => JSON.stringify(nested),
});
