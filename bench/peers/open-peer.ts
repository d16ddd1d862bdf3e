/** All loggers that are compared, by the names they have in tables and ratios. Only the one that is asked for is loaded. */
import type { LoggerOptions } from "pylog";
import type { Peer, PeerOptions } from "./peer.ts";

type Openers = Readonly<Record<string, (options: PeerOptions) => Promise<Peer>>>;

const openers: Openers = {
	pylog: (options) => pylogWith(options),
	"pino async": async (options) => (await import("./pino.ts")).openPino(options, "async"),
	"pino sync": async (options) => (await import("./pino.ts")).openPino(options, "sync"),
	"pino transport": async (options) => (await import("./pino.ts")).openPino(options, "transport"),
	winston: async (options) => (await import("./winston.ts")).openWinston(options),
	bunyan: async (options) => (await import("./bunyan.ts")).openBunyan(options),
	log4js: async (options) => (await import("./log4js.ts")).openLog4js(options),
	tslog: async (options) => (await import("./tslog.ts")).openTslog(options),
	LogTape: async (options) => (await import("./logtape.ts")).openLogTape(options),
	roarr: async (options) => (await import("./roarr.ts")).openRoarr(options),
};

/** Pylog with other options than it is compared with. */
const configured: Openers = {
	"pylog with call site": (options) => pylogWith(options, { callSite: true }),
	"pylog as text": (options) => pylogWith(options, { format: "text", logform: "%loglevel% - %time% | " }),
	"pylog as text with call site": (options) => pylogWith(options, { format: "text", callSite: true }),
	"pylog with priority": (options) => pylogWith(options, { priority: ["info"] }),
	"pylog that blocks": (options) => pylogWith(options, { onFull: "block" }),
};

export const peerNames: readonly string[] = Object.keys(openers);

/** @throws Error for a name that is not in `peerNames`. */
export function openPeer(name: string, options: PeerOptions): Promise<Peer> {
	const open = openers[name] ?? configured[name];
	if (open === undefined) throw new Error(`no logger is named "${name}"; there are ${peerNames.join(", ")}`);
	return open(options);
}

async function pylogWith(options: PeerOptions, other?: LoggerOptions): Promise<Peer> {
	return (await import("./pylog.ts")).openPylog(options, other);
}
