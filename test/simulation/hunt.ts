/** `npm run simulate -- --mutations`: each planted bug against seed after seed, until one catches it. */
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

interface Caught {
  readonly mutation: Mutation;
  readonly by: Result | undefined;
  readonly tried: number;
}

export async function hunt({ seeds, days, threads, only, json }: Hunt): Promise<number> {
  const chosen = MUTATIONS.filter(({ name, file }) => `${name} ${file}`.includes(only));
  for (const mutation of chosen) mutated(mutation);
  const found: Caught[] = [];
  for (const mutation of chosen) {
    const caught = await catchOne(mutation, { seeds, days, threads });
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
  return found.every(({ by }) => by !== undefined) ? 0 : 1;
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
      if (await isSound(by.seed, days)) return { mutation, by, tried: first + threads - 1 };
    }
  }
  return { mutation, by: undefined, tried: seeds };
}

function row({ mutation: { name, file }, by, tried }: Caught): string {
  const what = by?.violations[0] ?? `NOT CAUGHT by ${tried} seeds`;
  return `| ${name} | ${file} | ${by?.seed ?? '–'} | ${what.replaceAll('|', '/').replace(/\s+/g, ' ').slice(0, 160)} |`;
}
