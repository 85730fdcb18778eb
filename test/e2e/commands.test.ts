/** The commands besides `run`, as an operator uses them, and PAUSE: what looks only must leave no trace. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { SimTask } from '../marathon-simulator/model.ts';
import { type Cluster, LOAD_BALANCER, SIDECAR } from '../support/cluster.ts';
import {
  countFrom,
  edit,
  NOTHING,
  ONE_OF_EACH,
  patiently,
  proof,
  quickCluster,
  sidecarFor,
  statusAt,
  statusOf,
  untilServed,
} from '../support/episode.ts';
import { OUR_PROGRAM } from '../support/images.ts';
import { until } from '../support/until.ts';

const NAMES = ['a.example.com', 'b.example.com'];

interface Exit {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function run(cluster: Cluster, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Exit> {
  const [file = '', ...program] = OUR_PROGRAM;
  return new Promise((resolve) => {
    execFile(file, [...program, ...args], { env, timeout: 30_000 }, (error, out, err) => {
      cluster.hear(`the command ${args.join(' ')}`, out + err);
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

test('`once` as the command of the app: it ends with 0 when the certificate was seen, and again when all is well already', async (t) => {
  const cluster = await quickCluster(t);
  const since = countFrom(cluster);
  await cluster.addSidecar(await sidecarFor(NAMES, { fields: { args: ['once'] } }));
  const ended = await patiently(cluster, 'two runs to end', () => {
    const tasks = cluster.marathon.tasksOf(SIDECAR).filter(({ endedAt }) => endedAt !== undefined);
    return tasks.length >= 2 && tasks;
  });
  assert.notEqual(proof(await cluster.look(NAMES), 4), undefined);
  for (const task of ended.slice(0, 2)) {
    assert.equal(task.message, 'Command exited with status 0');
    assert.match(await readFile(task.stdout, 'utf8'), /^state {6}live$/m);
  }
  assert.deepEqual(since(), ONE_OF_EACH);
  assert.deepEqual(cluster.marathon.violations, []);
});

test('`once` ends with 1 and the reason when it cannot be done', async (t) => {
  const cluster = await quickCluster(t);
  await cluster.addSidecar(await sidecarFor(['*.example.com'], { fields: { args: ['once'] } }));
  const ended = await patiently(cluster, 'the run to end', () => {
    return cluster.marathon.tasksOf(SIDECAR).find(({ endedAt }) => endedAt !== undefined);
  });
  assert.equal(ended.message, 'Command exited with status 1');
  const out = await readFile(ended.stdout, 'utf8');
  assert.match(out, /^state {6}no-names$/m);
  assert.match(out, /^cure {7}put a public DNS name into HAPROXY_0_VHOST of \/letsencrypt-dcos$/m);
  assert.match(out, /^note {7}\*\.example\.com: is a wildcard/m);
  assert.equal(cluster.pebble.counts().total, 0);
  assert.deepEqual(cluster.marathon.violations, []);
});

/** The variables that a process of this machine was started with: what `docker exec` would give a command beside it. */
async function environmentOf(task: SimTask | undefined): Promise<Record<string, string>> {
  const text = await readFile(`/proc/${task?.pid}/environ`, 'utf8');
  const pairs = text.split('\0').filter((pair) => pair !== '');
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

/** Everything below it, with what changes when somebody writes, moves or makes a temporary file. */
async function traces(folder: string): Promise<readonly string[]> {
  const names = ['.', ...(await readdir(folder, { recursive: true }))];
  return Promise.all(
    names.map(async (name) => {
      const { ino, size, mode, mtimeMs, ctimeMs } = await stat(join(folder, name));
      return `${name} ${ino} ${size} ${mode} ${mtimeMs} ${ctimeMs}`;
    }),
  );
}

/** Once all is served, the program drops what it had kept of marathon-lb's variables: its last deed. */
async function untilForgotten({ folder }: Cluster): Promise<void> {
  const files = () => readdir(join(folder, 'mesos', 'volumes'), { recursive: true });
  await until(async () => !(await files()).some((path) => path.endsWith('replaced-values.json')), 'it to be quiet');
}

/** What a look from outside must not leave, wherever. */
async function leavesNoTrace<T>(cluster: Cluster, look: () => Promise<T>, readsOfDirectory = 0): Promise<T> {
  const since = countFrom(cluster);
  const atCa = cluster.pebble.counts().total;
  const before = await traces(join(cluster.folder, 'mesos', 'volumes'));
  const seen = await look();
  assert.deepEqual(await traces(join(cluster.folder, 'mesos', 'volumes')), before);
  assert.equal(cluster.pebble.counts().total, atCa + readsOfDirectory);
  assert.deepEqual(since(), NOTHING);
  return seen;
}

interface PlanAsJson {
  readonly certificate: { readonly state: string; readonly why: string };
  readonly actions: readonly { readonly kind: string }[];
  readonly looks: readonly string[];
}

interface Diagnosis {
  readonly check: string;
  readonly subject: string;
  readonly verdict: string;
  readonly says: string;
}

test('`plan`, `status` and `doctor` beside the running program tell what is so and what would be done, and change nothing', async (t) => {
  const cluster = await quickCluster(t);
  await cluster.addSidecar(await sidecarFor(NAMES));
  await untilServed(cluster, NAMES);
  await untilForgotten(cluster);
  const env = await environmentOf(cluster.tasks(SIDECAR)[0]);
  const planned = async (more: Readonly<Record<string, string>> = {}): Promise<PlanAsJson> => {
    const { code, out, err } = await leavesNoTrace(cluster, () =>
      run(cluster, ['plan', '--json'], { ...env, ...more }),
    );
    assert.deepEqual([code, err], [0, '']);
    return JSON.parse(out) as PlanAsJson;
  };

  const { code, out } = await leavesNoTrace(cluster, () => run(cluster, ['plan'], env));
  assert.equal(code, 0);
  assert.match(out, /^state {6}live$/m);

  const live = await planned();
  assert.equal(live.certificate.state, 'live', live.certificate.why);
  assert.deepEqual(live.actions, []);

  const status = await leavesNoTrace(cluster, () => run(cluster, ['status'], env));
  assert.deepEqual([status.code, status.err], [0, ''], 'found where Marathon shows its admin port');
  assert.match(status.out, /^. live {2}/);
  assert.match(status.out, /ours for all of 2 names/);

  const examined = await leavesNoTrace(
    cluster,
    () => run(cluster, ['doctor', '--json', ...NAMES, 'c.example.com'], env),
    1,
  );
  assert.deepEqual([examined.code, examined.err], [0, '']);
  const rows = JSON.parse(examined.out) as readonly Diagnosis[];
  const isOld = ({ subject }: Diagnosis): boolean => !subject.startsWith('c.example.com');
  assert.deepEqual(
    rows.filter((row) => isOld(row) && row.verdict !== 'good'),
    [],
  );
  const about = (check: string) => rows.filter((row) => row.check === check && !isOld(row));
  assert.deepEqual(
    about('route').map(({ verdict }) => verdict),
    ['unknown', 'unknown'],
    'no label has it yet',
  );
  assert.match(about('reach')[0]?.says ?? '', /leads to this load balancer .* it can be added to the labels/);

  const withMore = await planned({ DOMAINS: [...NAMES, 'c.example.com'].join(',') });
  assert.deepEqual([withMore.certificate.state, withMore.looks], ['waiting-for-route', ['routes']]);

  const folder = join(cluster.folder, 'not-there');
  const withoutState = await planned({ STATE_DIR: folder });
  assert.deepEqual(
    withoutState.actions.map(({ kind }) => kind),
    ['adopt'],
  );
  await assert.rejects(stat(folder), 'it was not made');
  assert.deepEqual(cluster.marathon.violations, []);
});

test('PAUSE=true serves and reports and changes nothing; unpaused, it goes on', async (t) => {
  const cluster = await quickCluster(t);
  const since = countFrom(cluster);
  const definition = await sidecarFor(NAMES, { env: { ...cluster.caEnv, PAUSE: 'true' } });
  await cluster.deploy(definition);
  const paused = await patiently(cluster, 'the plan to be an order', async () => {
    const [task] = cluster.tasks(SIDECAR);
    const plan = task && (await statusOf(task)).plan;
    return plan?.certificate.state === 'ordering' && plan;
  });
  assert.deepEqual([paused.paused, paused.actions], [true, []]);
  assert.match(paused.certificate.why, /^nothing covers a\.example\.com, b\.example\.com/);
  for (const host of cluster.tasks(LOAD_BALANCER).map((task) => task.host)) {
    const ping = await statusAt(host, 'a.example.com', '/.well-known/acme-challenge/ping');
    assert.equal(ping, 200, 'it answers through the load balancer');
  }
  assert.deepEqual(since(), NOTHING);
  assert.equal(cluster.pebble.counts().total, 0);

  await edit(cluster, { env: { ...definition.env, PAUSE: 'false' } });
  await untilServed(cluster, NAMES);
  assert.deepEqual(since(), ONE_OF_EACH);
  assert.deepEqual(cluster.marathon.violations, []);
});
