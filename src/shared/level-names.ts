/** The names of the levels, the least important first. */
export const levelNames = ["trace", "debug", "info", "warning", "error", "fatal"] as const;
