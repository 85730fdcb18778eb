/**
 * The story of one certificate: a cluster comes up, an operator posts the app, a certificate is seen on the wire.
 *
 * What is told comes from the CA, from Marathon and from a TLS client of our own; of the program itself only what it logs
 * is repeated, and nothing is counted by it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KeyType } from '../../src/certificates/spec.ts';
import {
  type Cluster,
  type ClusterOptions,
  LOAD_BALANCER,
  mayBindWebPorts,
  SIDECAR,
  startCluster,
} from '../support/cluster.ts';
import { type Definition, shipped } from '../support/definitions.ts';
import type { Disposer } from '../support/pebble.ts';
import type { Sighting } from '../support/sighting.ts';
import { Progress } from './progress.ts';
import { seconds, type Teller } from './teller.ts';

export interface StoryOptions {
  readonly names: readonly string[];
  readonly keyType: KeyType | undefined;
  readonly teller: Teller;
  readonly signal: AbortSignal;
}

export interface Served {
  readonly result: 'served';
  readonly names: number;
  readonly instances: number;
  /** Counted by the CA. */
  readonly orders: number;
  /** Of the load balancer, counted by Marathon. */
  readonly deployments: number;
  readonly totalMs: number;
  /** From the order that the CA took to the certificate that it gave. */
  readonly caMs: number;
  /** The launch of our app and the deployment of the load balancer. */
  readonly deployMs: number;
  /** What is left: our own. */
  readonly ownMs: number;
}

const LOOK_AGAIN_MS = 100;
const PATIENCE_MS = 180_000;
const PATIENCE_PER_NAME_MS = 500;

/** The cluster with everything but our app. */
export async function bringUp(t: Disposer, { names, teller }: StoryOptions): Promise<Cluster> {
  const web = await mayBindWebPorts();
  const options: ClusterOptions = { ports: web ? 'web' : 'high' };
  teller.tell('Starting Pebble (the CA), a Marathon, and two HAProxys as the load balancer …', { event: 'starting' });
  const cluster = await startCluster(t, options);
  const { marathon, pebble, publicHosts, httpPort, httpsPort } = cluster;
  teller.tell(`The CA answers at ${pebble.directoryUrl}`, { event: 'ca', url: pebble.directoryUrl });
  teller.tell(`Marathon answers at ${marathon.url}`, { event: 'marathon', url: marathon.url });
  teller.tell(`marathon-lb runs on ${publicHosts.join(' and ')}, ports ${httpPort} and ${httpsPort}`, {
    event: 'load-balancers',
    hosts: publicHosts,
    httpPort,
    httpsPort,
  });
  await addTestApps(cluster, names, teller);
  return cluster;
}

/** Behind the first two names, one of them with a redirect to HTTPS. */
async function addTestApps(cluster: Cluster, names: readonly string[], teller: Teller): Promise<void> {
  const apps = names.slice(0, 2).map(async (name, index) => {
    const app = await shipped(`letsencrypt-dcos-test-${index + 1}`, { labels: { HAPROXY_0_VHOST: name } });
    await cluster.deploy(app);
    teller.tell(`${app.id} runs behind ${name}`, { event: 'test-app', app: app.id, name });
  });
  await Promise.all(apps);
}

/** Posts our app and tells what happens, until each name has been seen at each instance and the program says so too. */
export async function untilServed(cluster: Cluster, options: StoryOptions): Promise<Served> {
  const { names, teller, signal } = options;
  const definition = await ours(cluster, options);
  const postedAt = Date.now();
  const progress = new Progress(cluster, names.length, teller);
  await cluster.addSidecar(definition);
  teller.tell(`Posted marathon/${fileOf(cluster)}.json with ${count(names.length, 'name')}`, {
    event: 'posted',
    app: definition.id,
    names: names.length,
  });
  const deadline = postedAt + PATIENCE_MS + names.length * PATIENCE_PER_NAME_MS;
  const patiently = async <T>(look: () => Promise<T | undefined>): Promise<T> => {
    for (;;) {
      await progress.tell();
      const seen = await look();
      if (seen !== undefined) return seen;
      if (Date.now() > deadline) throw new Error(await progress.whyNot());
      await sleep(LOOK_AGAIN_MS, undefined, { signal });
    }
  };
  const instances = await patiently(() => proven(cluster, names));
  const result = account(cluster, { names: names.length, instances, totalMs: Date.now() - postedAt });
  teller.tell(`${count(names.length, 'name')} proven on each of ${instances} load balancer instances`, {
    event: 'seen',
    names: names.length,
    instances,
  });
  await patiently(async () => (progress.state === 'live' ? true : undefined));
  return result;
}

/** The labels of the README where the CA finds port 80; elsewhere those that need no second hop by port 443. */
function fileOf(cluster: Cluster): string {
  return cluster.httpPort === 80 ? 'letsencrypt-dcos' : 'letsencrypt-dcos-catch-all';
}

function ours(cluster: Cluster, { names, keyType }: StoryOptions): Promise<Definition> {
  const list = names.join(',');
  const key = keyType === undefined ? {} : { KEY_TYPE: keyType };
  return cluster.httpPort === 80
    ? shipped(fileOf(cluster), { env: key, labels: { HAPROXY_0_VHOST: list } })
    : shipped(fileOf(cluster), { env: { ...key, DOMAINS: list } });
}

/** How many instances serve a trusted certificate for all names; undefined: not all of them yet. */
async function proven(cluster: Cluster, names: readonly string[]): Promise<number | undefined> {
  const [first] = names;
  if (cluster.pebble.issued() === 0 || first === undefined) return undefined;
  if (cluster.marathon.deploymentsOf(LOAD_BALANCER).some(({ state }) => state === 'running')) return undefined;
  // One name tells when it is worth asking for all.
  if (!isProof(cluster, await cluster.look([first]), 1)) return undefined;
  return isProof(cluster, await cluster.look(names), names.length) ? cluster.publicHosts.length : undefined;
}

function isProof(cluster: Cluster, seen: readonly Sighting[], names: number): boolean {
  return (
    seen.length === names * cluster.publicHosts.length &&
    new Set(seen.map(({ fingerprint }) => fingerprint)).size === 1 &&
    seen.every(({ objection }) => objection === undefined)
  );
}

interface Span {
  readonly from: number;
  readonly to: number;
}

function account(cluster: Cluster, facts: { names: number; instances: number; totalMs: number }): Served {
  const { firstOrder, lastIssued } = cluster.pebble.times();
  const atCa = firstOrder && lastIssued ? [{ from: firstOrder.getTime(), to: lastIssued.getTime() }] : [];
  const launches = cluster.marathon.deploymentsOf(SIDECAR);
  const redeployments = cluster.marathon.deploymentsOf(LOAD_BALANCER).slice(1); // the first one brought it up
  const deploying = [...launches, ...redeployments].map(({ startedAt, endedAt }) => ({
    from: startedAt.getTime(),
    to: (endedAt ?? new Date()).getTime(),
  }));
  return {
    result: 'served',
    names: facts.names,
    instances: facts.instances,
    orders: cluster.pebble.orders(),
    deployments: redeployments.length,
    totalMs: facts.totalMs,
    caMs: covered(atCa),
    deployMs: covered(deploying),
    ownMs: facts.totalMs - covered([...atCa, ...deploying]),
  };
}

/** How long at least one of them lasted: what runs side by side counts once. */
function covered(spans: readonly Span[]): number {
  let total = 0;
  let reached = 0;
  for (const { from, to } of [...spans].sort((a, b) => a.from - b.from)) {
    total += Math.max(0, to - Math.max(from, reached));
    reached = Math.max(reached, to);
  }
  return total;
}

export function inWords(served: Served): string {
  const { names, instances, orders, deployments, totalMs, caMs, deployMs, ownMs } = served;
  const shares = `${seconds(caMs)} at the CA, ${seconds(deployMs)} in Marathon's deployments, ${seconds(ownMs)} our own`;
  return (
    `Served: ${count(names, 'name')} on ${count(instances, 'instance')} of the load balancer, after ` +
    `${count(orders, 'order')} and ${count(deployments, 'deployment')}, in ${seconds(totalMs)} (${shares}).`
  );
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
