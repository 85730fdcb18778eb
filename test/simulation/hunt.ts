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

/** The lowest seed of those that ran, so that the same one is told each time as far as that goes. */
async function catchOne(
  mutation: Mutation,
  { seeds, days, threads }: Pick<Hunt, 'seeds' | 'days' | 'threads'>,
): Promise<Caught> {
  const order = Array.from({ length: seeds }, (_, n) => n + 1);
  let by: Result | undefined;
  let tried = 0;
  await runAll({
    ...{ seeds: order, days, threads, mutation: mutation.name },
    onResult: (result) => {
      tried += 1;
      if (result.violations.length > 0 && (by === undefined || result.seed < by.seed)) by = result;
      return by === undefined;
    },
  });
  return { mutation, by, tried };
}

function row({ mutation: { name, file }, by, tried }: Caught): string {
  const what = by?.violations[0] ?? `NOT CAUGHT by ${tried} seeds`;
  return `| ${name} | ${file} | ${by?.seed ?? '–'} | ${what.replaceAll('|', '/').replace(/\s+/g, ' ').slice(0, 160)} |`;
}
