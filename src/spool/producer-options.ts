/** How a producer takes part in a spool. */

export interface ProducerOptions {
	/** Absolute path of the cache directory. */
	readonly cacheDir: string;
	/** Disk that all segments of the spool may take together, in bytes. @default 1 GiB */
	readonly maxSpoolBytes?: number;
	/**
	 * How much longer an append may wait for room, in milliseconds; 0 for no longer. Asked when it begins to wait and every
	 * 50 ms, so it is the place to see to it that somebody makes room. @default as long as its policy says
	 */
	readonly maxWaitMs?: () => number;
	/**
	 * Sizes of segments, multiples of 4096: of a lane's first one, and the one up to which they grow. Only tests set them.
	 * @default 64 KiB and 4 MiB
	 */
	readonly segmentBytes?: readonly [first: number, most: number];
}

export const defaultMaxSpoolBytes: number = 1024 * 1024 * 1024;
