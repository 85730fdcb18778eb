/**
 * One property as one test: drawn by fast-check, shrunk when it fails, and named by the seed that brings it back.
 *
 * `npm test` draws the same values each time, so that it is green or red for the same reason everywhere; `npm run fuzz`
 * draws new ones, for as many runs or minutes as it is told, and prints the seed. One value may take no longer than a
 * second: what is slow for a text of some kilobytes hangs for one of a megabyte.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

const { FUZZ_RUNS, FUZZ_MINUTES, FUZZ_SEED, FUZZ_PATH } = process.env;
/** The long form, whichever way it is told to be long. */
export const FUZZING = (FUZZ_RUNS ?? FUZZ_MINUTES ?? FUZZ_SEED) !== undefined;

const RUNS = 300;
const SEED = 20_260_301;
const SLOWEST_MS = 1_000;

export function holds<T>(
  name: string,
  arbitrary: fc.Arbitrary<T>,
  check: (value: T) => void | Promise<void>,
  /** Fewer than usual, where one run is dear. */
  runs: number = RUNS,
): void {
  test(name, async (t) => {
    const seed = Number(FUZZ_SEED ?? (FUZZING ? Date.now() % 2 ** 31 : SEED));
    if (FUZZING) t.diagnostic(`--seed ${seed}`);
    const timed = async (value: T): Promise<void> => {
      const tookMs = await leastMs(() => check(value));
      assert.ok(tookMs < SLOWEST_MS, `it took ${Math.round(tookMs)} ms`);
    };
    await fc.assert(fc.asyncProperty(arbitrary, timed), { seed, numRuns: runs, ...longForm(runs) });
  });
}

/** How long it takes: the machine may pause at any time, but hardly three times in a row. */
async function leastMs(work: () => void | Promise<void>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let time = 0; time < 3 && least >= SLOWEST_MS; time += 1) {
    const start = performance.now();
    await work();
    least = Math.min(least, performance.now() - start);
  }
  return least;
}

function longForm(runs: number): fc.Parameters<unknown> {
  const path = FUZZ_PATH === undefined ? {} : { path: FUZZ_PATH };
  if (FUZZ_MINUTES === undefined) return { ...path, numRuns: scaled(runs) };
  const limit = { interruptAfterTimeLimit: Number(FUZZ_MINUTES) * 60_000, markInterruptAsFailure: false };
  return { ...path, ...limit, numRuns: Number.MAX_SAFE_INTEGER };
}

/** The dear ones stay as much rarer than the others as they are. */
function scaled(runs: number): number {
  return FUZZ_RUNS === undefined ? runs : Math.max(1, Math.round((Number(FUZZ_RUNS) * runs) / RUNS));
}

/** What may be put on a terminal, into a log and a page: no control characters, no halves of a character, not endless. */
export function assertPrintable(text: string, longest: number): void {
  assert.ok(text.isWellFormed(), `half a character: ${JSON.stringify(text.slice(0, 300))}`);
  const found = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u.exec(text);
  assert.equal(found, null, `the character ${JSON.stringify(found?.[0])} in ${JSON.stringify(text.slice(0, 300))}`);
  assert.ok(text.length <= longest, `${text.length} characters, ${longest} are enough: ${text.slice(0, 300)}`);
}

/** Any text: short ones of odd characters, and now and then a long run of one piece, which is what regular expressions fear. */
export function anyText(...pieces: readonly string[]): fc.Arbitrary<string> {
  const piece = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...pieces, ' ', '\n', '\u001b[31m', '\u0085', '\u202e') },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  );
  const run = fc.tuple(piece, fc.constantFrom(1, 1, 1, 1, 2, 70, 300, 40_000)).map(([one, times]) => one.repeat(times));
  return fc.array(run, { maxLength: 8 }).map((parts) => parts.join('').slice(0, 200_000));
}
