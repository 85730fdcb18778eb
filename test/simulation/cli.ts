/**
 * `npm run simulate`: many seeds and a summary, or one seed and its trace.
 *
 * Exit code 1 when an invariant did not hold, or when a kind of fault never happened in the whole set: then the set
 * has not tried what it says it has.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import type { Counts, Result } from './run.ts';
import type { Told } from './telling.ts';
import { runAll } from './threads.ts';

const HELP = `npm run simulate -- [options]
  --seeds N      runs this many (default 20)
  --first N      from this one on (default 1)
  --seed N       runs this one alone
  --trace        with --seed: prints what happened, line by line
  --days N       virtual days of each run (default 730)
  --threads N    at once (default: one a core)
  --mutations    plants each bug of mutations.ts and looks for the seed that catches it
  --only WORD    with --mutations: those whose name has the word
  --json         one JSON document instead of text`;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    first: { type: 'string', default: '1' },
    seed: { type: 'string' },
    days: { type: 'string', default: '730' },
    threads: { type: 'string', default: String(availableParallelism()) },
    trace: { type: 'boolean', default: false },
    mutations: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
/** A kind that happened so often in a set was met by somebody. */
const OFTEN = 20;
const days = Number(values.days);
const threads = Number(values.threads);

if (values.help) process.stdout.write(`${HELP}\n`);
else if (values.seed !== undefined && values.trace) process.exitCode = await trace(Number(values.seed));
else if (values.mutations) {
  const { hunt } = await import('./hunt.ts');
  process.exitCode = await hunt({ seeds: Number(values.seeds), days, threads, only: values.only, json: values.json });
} else process.exitCode = await many();

async function trace(seed: number): Promise<number> {
  const { runSeed } = await import('./run.ts');
  const { violations, digest } = await runSeed({ seed, days, onLine: (line) => process.stdout.write(`${line}\n`) });
  process.stdout.write(`${violations.length === 0 ? 'all invariants held' : violations.join('\n')}\ntrace ${digest}\n`);
  return violations.length === 0 ? 0 : 1;
}

async function many(): Promise<number> {
  const seeds = values.seed === undefined ? upFrom(Number(values.first), Number(values.seeds)) : [Number(values.seed)];
  const startedAt = performance.now();
  const results: Result[] = [];
  await runAll({
    ...{ seeds, days, threads },
    onResult: (result) => {
      results.push(result);
      if (!values.json && result.violations.length > 0) tell(result);
      return true;
    },
  });
  results.sort((a, b) => a.seed - b.seed);
  const summary = summaryOf(results, (performance.now() - startedAt) / 1000, values.seed === undefined);
  const isGood = summary.failed.length === 0 && summary.neverFired.length === 0 && summary.neverTold.length === 0;
  if (values.json) process.stdout.write(`${JSON.stringify({ ...summary, results }, undefined, 1)}\n`);
  else process.stdout.write(asText(summary));
  return isGood ? 0 : 1;
}

function upFrom(first: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, n) => first + n);
}

function tell({ seed, violations, tail }: Result): void {
  process.stdout.write(`${[...tail, `seed ${seed} FAILED: ${violations.join('; ')}`].join('\n')}\n\n`);
}

interface Summary {
  readonly seeds: number;
  readonly failed: readonly number[];
  readonly neverFired: readonly string[];
  /** Happened often, and the operator has never read of it. */
  readonly neverTold: readonly string[];
  readonly fired: Readonly<Record<string, number>>;
  readonly told: Readonly<Record<string, Told>>;
  readonly excused: Readonly<Record<string, number>>;
  readonly revoked: Result['revoked'];
  readonly totals: Counts;
  readonly seconds: number;
}

function summaryOf(results: readonly Result[], seconds: number, isSet: boolean): Summary {
  const fired: Record<string, number> = {};
  for (const kind of results.flatMap(({ kinds }) => kinds)) fired[kind] ??= 0;
  for (const result of results) addTo(fired, result.fired);
  const excused: Record<string, number> = {};
  for (const result of results) addTo(excused, result.excused);
  const told = toldIn(results);
  return {
    seeds: results.length,
    failed: results.filter(({ violations }) => violations.length > 0).map(({ seed }) => seed),
    neverFired: isSet ? Object.keys(fired).filter((kind) => fired[kind] === 0) : [],
    neverTold: isSet
      ? Object.keys(told).filter((kind) => told[kind]?.told === 0 && (told[kind]?.untold ?? 0) >= OFTEN)
      : [],
    fired,
    told,
    excused,
    revoked: {
      all: results.reduce((sum, { revoked }) => sum + revoked.all, 0),
      inPeace: results.reduce((sum, { revoked }) => sum + revoked.inPeace, 0),
    },
    totals: results.map(({ counts }) => counts).reduce(added),
    seconds: Math.round(seconds * 10) / 10,
  };
}

function toldIn(results: readonly Result[]): Record<string, Told> {
  const sum: Record<string, Told> = {};
  for (const [kind, { told, untold }] of results.flatMap((result) => Object.entries(result.told))) {
    const before = sum[kind] ?? { told: 0, untold: 0 };
    sum[kind] = { told: before.told + told, untold: before.untold + untold };
  }
  return sum;
}

function addTo(sum: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [key, count] of Object.entries(more)) sum[key] = (sum[key] ?? 0) + count;
}

function added(a: Counts, b: Counts): Counts {
  return Object.fromEntries(
    Object.entries(a).map(([key, value]) => [key, value + b[key as keyof Counts]]),
  ) as unknown as Counts;
}

function asText(summary: Summary): string {
  const { seeds, failed, neverFired, neverTold, fired, told, excused, revoked, totals, seconds } = summary;
  const { days: simulated, passes, checks, orders, certificates, deployments, starts, cpuMs } = totals;
  const kinds = Object.entries(fired).map(([kind, count]) => {
    const words = told[kind];
    const ends = words === undefined ? '' : `: ${words.told} told, ${words.untold} met by nobody`;
    return `  ${String(count).padStart(6)}  ${kind}${ends}`;
  });
  return [
    'what happened, how often:',
    ...kinds,
    '',
    'certificates that expired, and what excused it:',
    ...Object.entries(excused).map(([why, count]) => `  ${String(count).padStart(6)}  ${why}`),
    '',
    `${revoked.all} revoked certificates replaced, ${revoked.inPeace} of them with nothing else happening: one order, one PUT`,
    `${seeds} seeds, ${Math.round(simulated / 365)} virtual years in ${seconds} s (${Math.round(cpuMs / seeds)} ms of CPU a seed)`,
    `${starts} starts of the program, ${passes} passes, ${orders} orders, ${certificates} certificates, ${deployments} PUTs`,
    `${checks} checks of invariants, ${failed.length} seeds failed${failed.length > 0 ? `: ${failed.join(', ')}` : ''}`,
    ...(neverFired.length > 0 ? [`NEVER HAPPENED: ${neverFired.join(', ')}`] : []),
    ...(neverTold.length > 0 ? [`NEVER TOLD: ${neverTold.join(', ')}`] : []),
    '',
  ].join('\n');
}
