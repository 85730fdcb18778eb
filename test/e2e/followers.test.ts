/**
 * Two instances of our app: one leads, the other follows, answers challenges and takes over. HAProxy leads probes and the
 * CA to both in turn.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { Agent, get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import type { SimTask } from '../marathon-simulator/model.ts';
import { type Cluster, LOAD_BALANCER, SIDECAR } from '../support/cluster.ts';
import {
  countFrom,
  edit,
  isDeploying,
  ONE_OF_EACH,
  patiently,
  proof,
  quickCluster,
  sidecarFor,
  statusOf,
  untilServed,
  visitors,
} from '../support/episode.ts';
import { imageFlags } from '../support/image-flags.ts';
import { OUR_PROGRAM } from '../support/images.ts';
import { type RecordingProxy, startRecordingProxy } from '../support/recording-proxy.ts';
import { until } from '../support/until.ts';

test('scaled to two, the second instance follows and says who leads; when the leader is killed it takes over, and nothing is ordered again', async (t) => {
  const names = ['a.example.com', 'b.example.com'];
  const cluster = await quickCluster(t);
  const since = countFrom(cluster);
  await cluster.addSidecar(await sidecarFor(names));
  await untilServed(cluster, names);
  const [leader] = cluster.tasks(SIDECAR);
  assert.ok(leader?.pid);

  await edit(cluster, { instances: 2 });
  const follower = cluster.tasks(SIDECAR).find(({ id }) => id !== leader.id);
  assert.ok(follower);
  const following = await patiently(cluster, 'the second one to follow', async () => {
    const { plan } = await statusOf(follower);
    return plan?.certificate.state === 'following' && plan.leader.taskId === leader.id && plan;
  });
  const { why } = following.certificate;
  assert.ok(why.startsWith(`task ${leader.id} of /letsencrypt-dcos leads`), why);
  assert.deepEqual(following.actions, []);

  process.kill(leader.pid, 'SIGKILL');
  await patiently(cluster, 'the second one to take over', async () => {
    const { plan } = await statusOf(follower);
    return plan?.leader.isUs && plan.certificate.state === 'live';
  });
  await patiently(cluster, 'a new second one to follow the new leader', async () => {
    const newcomer = cluster.tasks(SIDECAR).find(({ id }) => id !== follower.id);
    const plan = newcomer && (await statusOf(newcomer)).plan;
    return plan?.certificate.state === 'following' && plan.leader.taskId === follower.id;
  });
  assert.deepEqual(since(), ONE_OF_EACH);
  assert.deepEqual(cluster.marathon.violations, []);
});

test('two instances started at once get one certificate, while the follower is flooded with invented tokens', async (t) => {
  const names = ['a.example.com', 'b.example.com', 'c.example.com'];
  const [node = '', program = ''] = OUR_PROGRAM;
  // As the image starts it: what a flood of requests leaves behind is collected often.
  const cluster = await quickCluster(t, { images: { argv: [node, ...imageFlags(), program] } });
  const { pebble, folder } = cluster;
  const ca = await startRecordingProxy(t, { target: pebble.directoryUrl, caPem: pebble.caPem });
  const caFile = join(folder, 'proxy.pem');
  await writeFile(caFile, ca.caPem ?? '');
  const since = countFrom(cluster);
  const flood = new Flood();
  t.after(() => flood.end());
  // The order begins when the flood is there, and not before.
  ca.hooks = {
    onRequest: (_, { path }) => (path.startsWith('/order-plz') && flood.answered < ENOUGH ? 'hold' : 'pass'),
  };

  const env = { LETSENCRYPT_SERVER_URL: ca.url, ACME_CA_FILE: caFile };
  await cluster.addSidecar(await sidecarFor(names, { env, fields: { instances: 2 } }));
  const follower = await followerWhen(cluster, ca);
  const restMib = await peakMemory(follower);
  flood.begin(follower);
  await patiently(cluster, 'the flood to be there', () => flood.answered >= ENOUGH);
  ca.release();
  await patiently(cluster, 'all names to be served', async () => {
    if (isDeploying(cluster, SIDECAR) || isDeploying(cluster, LOAD_BALANCER)) return false;
    return proof(await cluster.look(names), names.length * cluster.publicHosts.length);
  });
  await flood.end();

  assert.deepEqual(since(), ONE_OF_EACH);
  const peakMib = await peakMemory(follower);
  t.diagnostic(
    `${flood.answered} invented tokens, the slowest answer after ${Math.round(flood.slowestMs)} ms; at most ${peakMib} MiB, ${restMib} before`,
  );
  assert.deepEqual([...flood.statuses], [404]);
  assert.ok(flood.slowestMs < CA_PATIENCE_MS, `${flood.slowestMs} ms`);
  assert.ok(peakMib < 100, `${peakMib} MiB, ${restMib} MiB before`);
  assert.deepEqual(cluster.marathon.violations, []);
});

/** Once the leader asks for an order: the other one. */
async function followerWhen(cluster: Cluster, ca: RecordingProxy): Promise<SimTask> {
  return patiently(cluster, 'an order to be held, and a follower', async () => {
    if (ca.held() === 0) return undefined;
    for (const task of cluster.tasks(SIDECAR)) {
      if ((await statusOf(task)).plan?.certificate.state === 'following') return task;
    }
    return undefined;
  });
}

/** The most there ever was, without the pages of the program's file, which are not counted against a container. */
async function peakMemory({ pid }: SimTask): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kib = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]);
  return Math.round((kib('VmHWM') - kib('RssFile')) / 1024);
}

const LANES = 100;
/** Before the order begins; more come while it runs. */
const ENOUGH = 1_000;
/** What a CA waits for an answer to its challenge (GUIDE §6), at most. */
const CA_PATIENCE_MS = 10_000;

/** Tokens that nobody published, as fast as they are refused. */
class Flood {
  readonly statuses = new Set<number>();
  answered = 0;
  slowestMs = 0;
  readonly #agent = new Agent({ keepAlive: true });
  #isOn = false;
  #lanes: Promise<unknown> = Promise.resolve();

  begin({ host, ports: [port] }: SimTask): void {
    this.#isOn = true;
    const lane = async (): Promise<void> => {
      while (this.#isOn) await this.#ask(host, port ?? 0);
    };
    this.#lanes = Promise.all(Array.from({ length: LANES }, lane));
    this.#lanes.catch(() => undefined); // end() tells
  }

  async end(): Promise<void> {
    this.#isOn = false;
    await this.#lanes;
    this.#agent.destroy();
  }

  async #ask(host: string, port: number): Promise<void> {
    const began = performance.now();
    const token = crypto.randomUUID();
    const request = get({ agent: this.#agent, host, port, path: `/.well-known/acme-challenge/${token}` });
    const [reply] = (await once(request, 'response')) as [IncomingMessage];
    reply.resume();
    await once(reply, 'end');
    this.answered += 1;
    this.statuses.add(reply.statusCode ?? 0);
    this.slowestMs = Math.max(this.slowestMs, performance.now() - began);
  }
}

/** Half of it is left for the renewal: by then the old task does not give way to its successor any more. */
const LIFE_SECONDS = 48;
const GIVES_WAY_SECONDS = 20;

test('an upgrade whose new task dies on start again and again: the old one goes on, and renews', async (t) => {
  const names = ['a.example.com', 'b.example.com'];
  const cluster = await quickCluster(t, { pebble: { validitySeconds: LIFE_SECONDS } });
  const upgradeStrategy = { minimumHealthCapacity: 1, maximumOverCapacity: 1 };
  const env = { DEPLOYMENT_TIMEOUT: String(GIVES_WAY_SECONDS) };
  const definition = await sidecarFor(names, { env, fields: { upgradeStrategy, backoffSeconds: 1 } });
  // Marathon lets no app with a persistent volume overlap with itself.
  await cluster.addSidecar({ ...definition, container: { ...(definition.container as object), volumes: [] } });
  const first = await untilServed(cluster, names);
  const [old] = cluster.tasks(SIDECAR);
  assert.ok(old);
  const crowd = visitors(cluster, names);
  t.after(() => crowd.leave());
  const sinceRenewal = countFrom(cluster);

  await cluster.marathon.api('PUT', `/v2/apps${SIDECAR}`, {
    env: { ...definition.env, ...cluster.caEnv, KEY_TYPE: 'none' },
  });
  const crashes = (): number => cluster.marathon.tasksOf(SIDECAR).filter(({ endedAt }) => endedAt !== undefined).length;
  await until(() => crashes() >= 2, 'the new version to crash twice');
  await patiently(cluster, 'the old one to renew', async () => {
    if (isDeploying(cluster, LOAD_BALANCER)) return false;
    const fingerprint = proof(await cluster.look(names), names.length * cluster.publicHosts.length);
    return fingerprint !== undefined && fingerprint !== first;
  });
  assert.deepEqual(sinceRenewal(), ONE_OF_EACH);
  assert.equal(old.endedAt, undefined);
  assert.ok(isDeploying(cluster, SIDECAR), 'the upgrade is stuck, and said so by Marathon');
  assert.deepEqual(await crowd.leave(), []);
  assert.deepEqual(cluster.marathon.violations, []);
});
