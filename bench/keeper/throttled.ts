/**
 * In the CPU and memory that our definition asks for, everything else outside: how soon the keeper listens, is healthy, and
 * has its certificate, and whether it lives through it; and the same order by `obtain`, beside the bare client.
 *
 * Each run is a new cluster, or a new CA, and an empty state folder. The clock starts when the process does, and the
 * keeper's certificate is there when the CA has issued it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SIDECAR } from '../../test/support/cluster.ts';
import { sidecarFor } from '../../test/support/episode.ts';
import { until } from '../../test/support/until.ts';
import { floor, ours } from '../peers.ts';
import { bundledFloor } from '../yardstick.ts';
import { isAnswered } from './answered.ts';
import { type Cgroup, LIMITS, makeCgroup, type Spent } from './cgroup.ts';
import { type ClientRun, throttledClient } from './clients.ts';
import { median, type Row, type ScenarioOptions } from './row.ts';
import { type Keeper, keeperCluster, MIB, memoryOf, namesOf, program, staged } from './stage.ts';

const PATIENCE_MS = 300_000;
const LOOK_EVERY_MS = 10;

interface Case {
  readonly names: number;
  readonly keyType: 'ec256' | 'rsa4096';
  /** Seconds to the certificate; undefined: it is to succeed, no matter when. */
  readonly within: number | undefined;
}

const CASES: readonly Case[] = [
  { names: 1, keyType: 'ec256', within: 6 },
  { names: 100, keyType: 'ec256', within: 20 },
  { names: 100, keyType: 'rsa4096', within: undefined },
];

/** Seconds since the process started; and what it cost. */
interface Run extends Spent {
  readonly listening: number;
  readonly healthy: number;
  readonly ordered: number;
  readonly issued: number;
  readonly peakRss: number;
  readonly failed?: string;
}

export function throttled({ quick }: ScenarioOptions): Promise<readonly Row[]> {
  return staged(async (t) => {
    const [node = '', ...rest] = await program();
    const clients = { ours: ours([node, ...rest]), floor: floor([node, await bundledFloor(t)]) };
    // A 4096-bit key may take a minute here: nothing for a short look.
    const cases = quick ? CASES.filter(({ keyType }) => keyType === 'ec256') : CASES;
    const each = <T>(count: number, lanes: number, play: (one: Case) => Promise<T>) =>
      byCase({ cases, count: quick ? 1 : count, lanes }, play);
    const [kept, byUs, byFloor] = await Promise.all([
      each(10, 6, run),
      each(5, 3, (one) => throttledClient(clients.ours, one)),
      each(5, 2, (one) => throttledClient(clients.floor, one)),
    ]);
    const yardstick = cases.flatMap((one) => byFloor(one)).flatMap(({ listening }) => listening ?? []);
    const theirs = `; the bare client's ${median(yardstick).toFixed(2)} s`;
    const starts = cases.flatMap((one) => kept(one));
    return [
      startRow(starts, { what: 'challenge listener up', limit: 2.5, figure: 'listening', beside: theirs }),
      startRow(starts, { what: 'healthy for Marathon', limit: 6, figure: 'healthy' }),
      ...cases.map((one) => rowOf(one, kept(one))),
      ...cases.map((one) => clientRow(one, byUs(one), byFloor(one))),
    ];
  });
}

interface Series {
  readonly cases: readonly Case[];
  /** Runs of each case. */
  readonly count: number;
  /** Beside each other: each run uses a twentieth of a core, and has a cluster or a CA of its own. */
  readonly lanes: number;
}

/** What it gives has the results by case. */
async function byCase<T>(
  { cases, count, lanes }: Series,
  play: (one: Case) => Promise<T>,
): Promise<(one: Case) => readonly T[]> {
  const left = cases.flatMap((one) => Array.from({ length: count }, () => one));
  const done: { readonly one: Case; readonly played: T }[] = [];
  const lane = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) done.push({ one, played: await play(one) });
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return (wanted) => done.filter(({ one }) => one === wanted).map(({ played }) => played);
}

async function run({ names, keyType }: Case): Promise<Run> {
  const cgroup = makeCgroup(LIMITS);
  try {
    return await staged(async (t) => {
      const keeper = await keeperCluster(t, {}, cgroup.enter);
      await keeper.cluster.addSidecar(await sidecarFor(namesOf(names), { env: { KEY_TYPE: keyType } }));
      return measure(keeper, cgroup);
    });
  } finally {
    await until(() => cgroup.remove() ?? true, 'the cgroup is empty');
  }
}

async function measure(keeper: Keeper, cgroup: Cgroup): Promise<Run> {
  const { cluster } = keeper;
  const since = (at: number): number => (at - keeper.startedAt()) / 1000;
  const task = () => cluster.marathon.tasksOf(SIDECAR)[0];
  await until(() => keeper.startedAt() > 0 && task()?.pid, 'started');
  const [listening, healthy] = await Promise.all([
    seen(() => isAnswered(task()?.host, task()?.ports[0])),
    seen(() => task()?.alive === true),
  ]);
  const pid = keeper.pid();
  const end = performance.now() + PATIENCE_MS;
  let order = 0;
  for (; performance.now() < end; await sleep(LOOK_EVERY_MS)) {
    if (order === 0 && cluster.pebble.orders() > 0) order = performance.now();
    if (cluster.pebble.counts().certificate > 0 || cluster.tasks(SIDECAR)[0]?.pid !== pid) break;
  }
  const issued = performance.now();
  const isIssued = cluster.pebble.counts().certificate > 0;
  const isAlive = cluster.tasks(SIDECAR)[0]?.pid === pid;
  const failed = !isAlive ? 'the process ended' : !isIssued ? 'no certificate' : undefined;
  return {
    listening: since(listening),
    healthy: since(healthy),
    ordered: since(order),
    issued: since(issued),
    peakRss: isAlive ? memoryOf(pid).peak : Number.NaN,
    ...cgroup.spent(),
    ...(failed === undefined ? {} : { failed }),
  };
}

async function seen(look: () => boolean | Promise<boolean>): Promise<number> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await look()) && performance.now() < end) await sleep(LOOK_EVERY_MS);
  return performance.now();
}

interface Start {
  readonly what: string;
  /** In seconds. */
  readonly limit: number;
  readonly figure: 'listening' | 'healthy';
  /** What else the row tells. */
  readonly beside?: string;
}

function startRow(runs: readonly Run[], { what, limit, figure, beside = '' }: Start): Row {
  const seconds = runs.map((one) => one[figure]);
  const met = seconds.filter((one) => one <= limit).length;
  return {
    target: `0.05 CPU, 128 MB: ${what} ≤ ${limit} s`,
    measured: `${median(seconds).toFixed(2)} s (worst ${Math.max(...seconds).toFixed(2)} s; ${met} of ${runs.length} runs${beside})`,
    met: met === runs.length,
    figures: { medianSeconds: median(seconds), worstSeconds: Math.max(...seconds), runs: runs.length, met },
  };
}

function rowOf({ names, keyType, within }: Case, runs: readonly Run[]): Row {
  const all = (of: (run: Run) => number): readonly number[] => runs.map(of);
  const good = runs.filter(
    ({ failed, issued, killed }) => failed === undefined && killed === 0 && issued <= (within ?? Infinity),
  );
  const figures = {
    issuedSeconds: median(all(({ issued }) => issued)),
    worstSeconds: Math.max(...all(({ issued }) => issued)),
    orderSeconds: median(all(({ issued, ordered }) => issued - ordered)),
    cpuSeconds: median(all(({ cpuSeconds }) => cpuSeconds)),
    throttledSeconds: median(all(({ throttledSeconds }) => throttledSeconds)),
    peakChargedMib: Math.max(...all(({ peakBytes }) => peakBytes)) / MIB,
    peakRssMib: Math.max(...all(({ peakRss }) => peakRss)) / MIB,
    killed: all(({ killed }) => killed).reduce((sum, one) => sum + one, 0),
    runs: runs.length,
    met: good.length,
  };
  const f = figures;
  return {
    target: `0.05 CPU, 128 MB: ${titleOf({ names, keyType, within })}`,
    measured:
      `${f.issuedSeconds.toFixed(1)} s from start (worst ${f.worstSeconds.toFixed(1)} s; the order ${f.orderSeconds.toFixed(1)} s), ` +
      `${good.length} of ${runs.length} runs; CPU ${f.cpuSeconds.toFixed(2)} s, throttled ${f.throttledSeconds.toFixed(1)} s, ` +
      `charged ${f.peakChargedMib.toFixed(0)} MiB, RSS ${f.peakRssMib.toFixed(0)} MiB, killed ${f.killed}`,
    met: good.length === runs.length,
    figures,
  };
}

function titleOf({ names, keyType, within }: Case): string {
  const wanted = within === undefined ? 'succeed' : `≤ ${within} s`;
  return `${names === 1 ? '1 name' : `${names} names`} ${keyType} ${wanted}`;
}

function clientRow(one: Case, runs: readonly ClientRun[], yardstick: readonly ClientRun[]): Row {
  const seconds = runs.map(({ issued }) => issued);
  const good = runs.filter(({ ok, killed, issued }) => ok && killed === 0 && issued <= (one.within ?? Infinity)).length;
  const figures = {
    seconds: median(seconds),
    worstSeconds: Math.max(...seconds),
    floorSeconds: median(yardstick.filter(({ ok }) => ok).map(({ issued }) => issued)),
    cpuSeconds: median(runs.map(({ cpuSeconds }) => cpuSeconds)),
    peakChargedMib: Math.max(...runs.map(({ peakBytes }) => peakBytes)) / MIB,
    met: good,
    runs: runs.length,
  };
  const f = figures;
  return {
    target: `0.05 CPU, 128 MB, by \`obtain\`: ${titleOf(one)}`,
    measured:
      `${f.seconds.toFixed(1)} s (worst ${f.worstSeconds.toFixed(1)} s), ${good} of ${runs.length} runs; the bare client ` +
      `${f.floorSeconds.toFixed(1)} s; CPU ${f.cpuSeconds.toFixed(2)} s, charged ${f.peakChargedMib.toFixed(0)} MiB`,
    ratio: `${(f.seconds / f.floorSeconds).toFixed(2)} ×`,
    met: good === runs.length,
    figures,
  };
}
