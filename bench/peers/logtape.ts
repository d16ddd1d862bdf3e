/** LogTape: its stream file sink with a large buffer, "optimized for high-volume logging". It prints no call site. */
import { getStreamFileSink } from "@logtape/file";
import { configure, dispose, getLogger, jsonLinesFormatter } from "@logtape/logtape";
import { bindings, error, madeMessage, message, tenFields, twoFields } from "../run/work.ts";
import type { Peer, PeerOptions } from "./peer.ts";

export async function openLogTape({ path }: PeerOptions): Promise<Peer> {
	await configure({
		sinks: { file: getStreamFileSink(path, { highWaterMark: 32_768, formatter: jsonLinesFormatter }) },
		loggers: [
			{ category: ["bench"], sinks: ["file"], lowestLevel: "info" },
			{ category: ["logtape", "meta"], sinks: [] },
		],
	});
	const logger = getLogger(["bench"]);
	const child = logger.with(bindings);
	return {
		calls: {
			message: (index) => logger.info(message(index)),
			made: (index) => logger.info(madeMessage(index)),
			fields: (index) => logger.info(message(index), twoFields(index)),
			nested: (index) => logger.info(message(index), { ...tenFields(index) }),
			child: (index) => child.info(message(index)),
			error: (index) => logger.error(message(index), { error: error(index) }),
			disabled: (index) => logger.debug(message(index)),
		},
		finish: () => dispose(),
	};
}
