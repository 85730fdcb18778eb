/**
 * Killed anywhere: SIGKILL at each request boundary of an order and of the PUT that installs it, before and right after
 * the reply is passed on, with and without a state folder, as a crash and under both kinds of upgrade. The next start
 * must end in the same served state.
 *
 * The boundaries are not written down here: a first run without a kill finds them. Nothing in the program helps: two
 * recording proxies, before the CA and before Marathon, hold a reply while the process dies.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Moment } from '../support/boundaries.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { images, OUR_IMAGE } from '../support/images.ts';
import { abrupt, type Folder, Stage, type Upgrade } from '../support/kill-stage.ts';
import type { Disposer } from '../support/pebble.ts';

const MOMENTS: readonly Moment[] = ['reply lost', 'reply passed on'];
const FOLDERS: readonly Folder[] = ['volume kept', 'no volume'];
const UPGRADES: readonly Upgrade[] = ['relaunched', 'kill-first', 'start-first'];

/** How many rows run side by side; each has a load balancer on an agent of its own. */
const AT_ONCE = 4;
const PROJECT = join(import.meta.dirname, '..', '..');

/**
 * Without a folder an order is not placed within 15 minutes of a crash of our own task. That is right, and would take
 * these rows a quarter of an hour each: so Marathon's clock is behind, and the crash looks long past.
 */
const CRASH_LOOKS_OLD_MS = -20 * 60_000;

interface Row {
  readonly boundary: string;
  readonly moment: Moment;
  readonly folder: Folder;
  readonly upgrade: Upgrade;
}

/** Every combination with KILLS=all; else one row for each boundary, so that all twelve of the other facts occur. */
function rowsFor(boundaries: readonly string[]): readonly Row[] {
  return boundaries.flatMap((boundary, n) => (process.env.KILLS === 'all' ? everyRow(boundary) : oneRow(boundary, n)));
}

function everyRow(boundary: string): readonly Row[] {
  return MOMENTS.flatMap((moment) =>
    FOLDERS.flatMap((folder) => UPGRADES.map((upgrade) => ({ boundary, moment, folder, upgrade }))),
  );
}

function oneRow(boundary: string, n: number): Row {
  const turn = <T>(values: readonly T[], by: number): T => values[by % values.length] as T;
  return {
    boundary,
    moment: turn(MOMENTS, n),
    folder: turn(FOLDERS, Math.floor(n / MOMENTS.length)),
    upgrade: turn(UPGRADES, n),
  };
}

/** What the CA may have been asked for, and not one more. */
function ordersAllowed({ boundary, moment, folder, upgrade }: Row, boundaries: readonly string[]): readonly number[] {
  const from = boundaries.indexOf(boundary) - boundaries.indexOf('newOrder');
  if (from < 0) return [1]; // there was no order yet
  if (boundary === 'PUT') return [1]; // Marathon has it, and from there it is adopted
  if (folder === 'no volume') return [2]; // the unfinished order is forgotten with the task, key and all
  if (from > 0) return [1];
  if (moment === 'reply lost') return [2]; // nobody knows of it but the CA
  // It had the reply, and no time to write it down, or just enough; one that hangs at its next request has written it.
  return upgrade === 'start-first' ? [1] : [1, 2];
}

interface Result extends Row {
  readonly orders: number;
  readonly deployments: number;
}

test('killed at any request boundary, the next start ends in the same served state without a needless order or deployment', {
  concurrency: AT_ONCE,
}, async (t) => {
  const cluster = await sharedCluster(t);
  const boundaries = await boundariesOf(t, cluster);
  t.diagnostic(`boundaries: ${boundaries.join(', ')}`);
  const rows = rowsFor(boundaries);
  assertPairs(rows);

  const free = [...cluster.publicHosts];
  const results: Result[] = [];
  const ordersBefore = cluster.pebble.orders();
  const play = async (row: Row, n: number, rowTest: TestContext): Promise<void> => {
    const host = free.pop();
    assert.ok(host, 'as many rows as hosts run at a time');
    try {
      const stage = await Stage.build(rowTest, cluster, { ...row, id: `row-${n}`, host });
      results.push(await killedAt(stage, row, boundaries).finally(() => stage.clear()));
    } finally {
      free.push(host);
    }
  };
  await Promise.all(rows.map((row, n) => t.test(titleOf(row), (rowTest) => play(row, n, rowTest))));

  for (const line of table(results, boundaries)) t.diagnostic(line);
  const orders = results.reduce((sum, result) => sum + result.orders, 0);
  assert.equal(cluster.pebble.orders() - ordersBefore, orders, 'the CA counts the same');
  assert.deepEqual(cluster.marathon.violations, []);
});

function titleOf({ boundary, moment, folder, upgrade }: Row): string {
  return `${boundary}, ${moment}, ${folder}, ${upgrade}`;
}

async function killedAt(stage: Stage, row: Row, boundaries: readonly string[]): Promise<Result> {
  stage.arm(row.boundary, row.moment);
  await stage.begin();
  await stage.struck();
  await stage.untilServed();

  const result = { ...row, orders: stage.orders(), deployments: stage.deployments() };
  assert.equal(stage.launched().length, 2, 'one was killed, one came after it');
  assert.equal(result.deployments, 1, 'deployments of the load balancer');
  const allowed = ordersAllowed(row, boundaries);
  assert.ok(allowed.includes(result.orders), `${result.orders} orders, not ${allowed.join(' or ')}`);
  return result;
}

/** The run without a kill: which boundaries there are. How often an order is polled is chance; the first time is not. */
async function boundariesOf(t: Disposer, cluster: Cluster): Promise<readonly string[]> {
  const [host = ''] = cluster.publicHosts;
  const stage = await Stage.build(t, cluster, { id: 'dry', host, folder: 'volume kept', upgrade: 'relaunched' });
  stage.record();
  await stage.begin();
  await stage.untilServed();
  assert.deepEqual([stage.orders(), stage.deployments()], [1, 1]);
  await stage.clear();
  return stage.boundaries.reached.filter((name) => !/^(order poll|newNonce).* \d+$/.test(name));
}

async function sharedCluster(t: Disposer): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), 'kills-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const program = join(folder, 'main.mjs');
  execFileSync(process.execPath, ['test/support/bootstrap.mjs', 'build', `--outdir=${folder}`], { cwd: PROJECT });
  // Compiled once and not by each of the many starts; only who ends well leaves a cache behind.
  const cache = { NODE_COMPILE_CACHE: join(folder, 'compiled') };
  execFileSync(process.execPath, [program, '--version'], { env: cache });
  const ours = images({ argv: [process.execPath, program], marathonUrl: () => '', taskEnv: () => cache });
  return startCluster(t, {
    publicAgents: AT_ONCE,
    loadBalancers: 0,
    pebble: { authzReuse: 0 },
    simulator: {
      secondMs: 50,
      clockOffsetMs: CRASH_LOOKS_OLD_MS,
      images: { [OUR_IMAGE]: abrupt(ours[OUR_IMAGE] as NonNullable<(typeof ours)[string]>) },
    },
  });
}

/** The rows left out are no gap: at any boundary it is killed, and any two of the other facts meet somewhere. */
function assertPairs(rows: readonly Row[]): void {
  const pairs = new Set(rows.flatMap(pairsIn));
  const all = [...new Set(rows.map(({ boundary }) => boundary))].flatMap(everyRow).flatMap(pairsIn);
  assert.deepEqual(
    [...new Set(all)].filter((pair) => !pairs.has(pair)),
    [],
  );
}

function pairsIn(row: Row): readonly string[] {
  const { moment, folder, upgrade } = row;
  const pairs = [
    [moment, folder],
    [moment, upgrade],
    [folder, upgrade],
  ];
  return pairs.map((pair) => pair.join(' + '));
}

function table(results: readonly Result[], boundaries: readonly string[]): readonly string[] {
  const line = (name: string, some: readonly Result[]): string => {
    const sum = (of: (result: Result) => number): string =>
      String(some.map(of).reduce((a, b) => a + b, 0)).padStart(11);
    const count = (folder: Folder): string => sum((result) => (result.folder === folder ? result.orders : 0));
    return `${name.padEnd(26)}${sum(() => 1)}${count('volume kept')}${count('no volume')}${sum((one) => one.deployments)}`;
  };
  return [
    `${''.padEnd(26)}       rows  orders with  and without deployments`,
    ...boundaries.map((boundary) =>
      line(
        boundary,
        results.filter((result) => result.boundary === boundary),
      ),
    ),
    line('all', results),
  ];
}
