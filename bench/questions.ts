/** All questions, in the order in which they are asked. */
import { call } from "./call.ts";
import { configurations } from "./configurations.ts";
import { cpu } from "./cpu.ts";
import { drain } from "./drain.ts";
import { latency } from "./latency.ts";
import { memory } from "./memory.ts";
import { pipeline } from "./pipeline.ts";
import { producers } from "./producers.ts";
import type { Question } from "./report/question.ts";
import { server } from "./server.ts";
import { start } from "./start.ts";
import { visible } from "./visible.ts";

export const questions: readonly Question[] = [
	call,
	latency,
	pipeline,
	cpu,
	drain,
	visible,
	start,
	memory,
	producers,
	server,
	configurations,
];
