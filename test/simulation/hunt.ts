/** `npm run simulate -- --mutations`: each planted bug against seed after seed, until one catches it. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MUTATIONS, type Mutation } from './mutations.ts';
import { mutated } from './plant.ts';
import type { Result } from './run.ts';
import { runAll } from './threads.ts';

export interface Hunt {
  readonly seeds: number;
  readonly days: number;
  readonly threads: number;
  readonly only: string;
  readonly json: boolean;
}

const run = promisify(execFile);
const TEST = join(import.meta.dirname, '..');

/** What a unit test holds too is not looked for in more seeds than these. */
const BESIDE_A_UNIT_TEST = 4;

interface Caught {
  readonly mutation: Mutation;
  readonly by: Result | undefined;
  readonly tried: number;
  /** Where no seed did: the row of a unit test that fails with the bug. */
  readonly unit: string | undefined;
}

export async function hunt({ seeds, days, threads, only, json }: Hunt): Promise<number> {
  const chosen = MUTATIONS.filter(({ name, file }) => `${name} ${file}`.includes(only));
  for (const mutation of chosen) mutated(mutation);
  const found: Caught[] = [];
  for (const mutation of chosen) {
    const enough = mutation.unit === undefined ? seeds : Math.min(seeds, BESIDE_A_UNIT_TEST);
    const caught = await catchOne(mutation, { seeds: enough, days, threads });
    found.push(caught);
    process.stderr.write(`${row(caught)}\n`);
  }
  if (json)
    process.stdout.write(
      `${JSON.stringify(
        found.map(({ mutation: { name }, by }) => ({ name, seed: by?.seed })),
        undefined,
        1,
      )}\n`,
    );
  else
    process.stdout.write(
      ['| planted bug | file | seed | what it broke |', '|---|---|---|---|', ...found.map(row), ''].join('\n'),
    );
  return found.every(({ by, unit }) => by !== undefined || unit !== undefined) ? 0 : 1;
}

/** Seeds that fail without any planted bug prove nothing. */
const sound = new Map<number, boolean>();

async function isSound(seed: number, days: number): Promise<boolean> {
  const known = sound.get(seed);
  if (known !== undefined) return known;
  await runAll({
    ...{ seeds: [seed], days, threads: 1 },
    onResult: ({ violations }) => {
      sound.set(seed, violations.length === 0);
      return true;
    },
  });
  return sound.get(seed) ?? false;
}

/** The first seed that fails with the bug and holds without it; as many at once as there are threads. */
async function catchOne(
  mutation: Mutation,
  { seeds, days, threads }: Pick<Hunt, 'seeds' | 'days' | 'threads'>,
): Promise<Caught> {
  for (let first = 1; first <= seeds; first += threads) {
    const some = Array.from({ length: Math.min(threads, seeds - first + 1) }, (_, n) => first + n);
    const failed: Result[] = [];
    await runAll({
      ...{ seeds: some, days, threads, mutation: mutation.name },
      onResult: (result) => {
        if (result.violations.length > 0) failed.push(result);
        return true;
      },
    });
    for (const by of failed.sort((a, b) => a.seed - b.seed)) {
      if (await isSound(by.seed, days)) return { mutation, by, tried: first + threads - 1, unit: undefined };
    }
  }
  return { mutation, by: undefined, tried: seeds, unit: await unitRow(mutation) };
}

/** Runs the test with the bug in the source, and gives the first row of it that fails. */
async function unitRow({ name, unit }: Mutation): Promise<string | undefined> {
  if (unit === undefined) return undefined;
  const options = ['--import', join(import.meta.dirname, 'planted.ts'), '--test-reporter=tap', join(TEST, unit)];
  const env = { ...process.env, PLANTED_BUG: name, NODE_TEST_CONTEXT: undefined };
  const ended = run(process.execPath, options, { env, timeout: 120_000, maxBuffer: 64 * 1024 * 1024 });
  const said = await ended.then(
    () => '',
    (error: { stdout?: string }) => error.stdout ?? '',
  );
  const found = /^ *not ok \d+ - (.*)$/m.exec(said)?.[1];
  return found && `${unit}: ${found.replaceAll('\\', '')}`;
}

function row({ mutation: { name, file }, by, tried, unit }: Caught): string {
  const what = by?.violations[0] ?? unit ?? `NOT CAUGHT by ${tried} seeds`;
  const where = by?.seed ?? (unit === undefined ? '–' : 'unit');
  return `| ${name} | ${file} | ${where} | ${what.replaceAll('|', '/').replace(/\s+/g, ' ').slice(0, 160)} |`;
}
