/** The two lanes of the queue. The logman writes what waits in the priority lane first. */
export const lanes = ["priority", "normal"] as const;

export type Lane = (typeof lanes)[number];

/** A lane's number in the spool's files: its place in `lanes`. */
export type LaneIndex = 0 | 1;

export const laneIndex: Readonly<Record<Lane, LaneIndex>> = { priority: 0, normal: 1 };
