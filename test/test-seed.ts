/** The seed of what a test chooses at random: another one with each run, said when the test fails, or given. */

/** PYLOG_TEST_SEED, or a new one. */
export function testSeed(): number {
	const given = process.env["PYLOG_TEST_SEED"];
	return given === undefined ? Math.floor(Math.random() * 0x7fff_ffff) : Number(given);
}
