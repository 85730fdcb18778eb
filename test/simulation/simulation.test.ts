/**
 * The short form of the simulation, in processes of its own, since it puts a virtual clock in the place of the real one:
 * some seeds of two years each, and that a seed says the same twice. The long form is `npm run simulate`.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { MUTATIONS } from './mutations.ts';
import { mutated } from './plant.ts';

const run = promisify(execFile);
const CLI = join(import.meta.dirname, 'cli.ts');
const SEEDS = 5;

interface Told {
  readonly seeds: number;
  readonly failed: readonly number[];
  readonly fired: Readonly<Record<string, number>>;
  readonly totals: { readonly certificates: number; readonly checks: number };
}

/** It ends with 1 where an invariant did not hold; what it says is worth more than that. */
async function simulate(...options: string[]): Promise<string> {
  const ended = run(process.execPath, [CLI, ...options], { maxBuffer: 64 * 1024 * 1024 });
  return ended.then(
    ({ stdout }) => stdout,
    (error: { stdout?: string }) => error.stdout ?? '',
  );
}

test(`${SEEDS} runs of two virtual years, with most kinds of fault: every invariant holds at every step`, async () => {
  const said = JSON.parse(await simulate('--seeds', String(SEEDS), '--json')) as Told;
  assert.deepEqual(said.failed, []);
  assert.equal(said.seeds, SEEDS);
  assert.ok(said.totals.certificates > SEEDS * 10, `${said.totals.certificates} certificates`);
  assert.ok(said.totals.checks > SEEDS * 2_000, `${said.totals.checks} checks`);
  const fired = Object.values(said.fired).filter((count) => count > 0);
  // That none is missing is for the long form, which fails on it.
  assert.ok(fired.length > 50, `${fired.length} kinds of fault happened`);
});

test('the same seed says the same, line by line', async () => {
  const [once, again] = await Promise.all([1, 2].map(() => simulate('--seed', '3', '--trace', '--days', '150')));
  assert.ok((once ?? '').split('\n').length > 50);
  assert.equal(once, again);
});

test('every planted bug still fits the source', () => {
  for (const mutation of MUTATIONS) assert.notEqual(mutated(mutation), '');
  assert.ok(MUTATIONS.length >= 80);
});
