/** Pylog's public interface: everything an application may use, and nothing else. */

export { type LogmanHandle, startLogman, type StartLogmanOptions, stopLogman } from "./launch/start-logman.ts";
export { type LevelName, levels, type Threshold } from "./line/level.ts";
export { type FlushOptions, type LogMethod, Pylog, pylog, type QueueInOptions } from "./logger/logger.ts";
export { LogQueue, type PutOptions } from "./logger/log-queue.ts";
export type { QueueItem } from "./logger/queue-item.ts";
export type { BlockOption, DropLowestOption, FullPolicyOption, LoggerOptions } from "./logger/options.ts";
export { logman } from "./logman/logman.ts";
export type { LogmanOptions } from "./logman/logman-options.ts";
export type { SyncMode } from "./launch/logman-rules.ts";
export { type ErrorCode, InvariantError, isRetryable, PylogError, type PylogErrorOptions } from "./shared/errors.ts";
export type { Lane } from "./shared/lane.ts";
export type { InboxMessage } from "./spool/inbox-message.ts";
export type { ErrorRecord, Format } from "./spool/log-record.ts";
