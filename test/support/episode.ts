/**
 * What the stories of test/e2e share: a quick cluster, what an operator does to it, what its visitors see meanwhile, and
 * what came of it by the count of the CA and of Marathon. Nothing is counted by the program's own word.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SimTask } from '../marathon-simulator/model.ts';
import { type Cluster, type ClusterOptions, LOAD_BALANCER, SIDECAR, startCluster } from './cluster.ts';
import { type Definition, type Edits, shipped } from './definitions.ts';
import type { Disposer } from './pebble.ts';
import type { Sighting } from './sighting.ts';
import { until } from './until.ts';

/** Health checks, delays and back-off ten times as fast; nothing else is hurried. */
const SECOND_MS = 100;
/** A story hangs when nothing has come of it for so long, on a machine that is busy with others. */
const PATIENCE_MS = 60_000;

export function quickCluster(t: Disposer, options: ClusterOptions = {}): Promise<Cluster> {
  return startCluster(t, { ...options, simulator: { secondMs: SECOND_MS, ...options.simulator } });
}

/** Our app as it is shipped, with these names in its label and the key that is made fastest. */
export function sidecarFor(names: readonly string[], edits: Edits = {}): Promise<Definition> {
  return shipped('letsencrypt-dcos', {
    ...edits,
    env: { KEY_TYPE: 'ec256', ...edits.env },
    labels: { HAPROXY_0_VHOST: names.join(','), ...edits.labels },
  });
}

/** By the CA's log and by Marathon's record. */
export interface Tally {
  /** Requests for a new order, refused ones too. */
  readonly newOrders: number;
  readonly orders: number;
  readonly issued: number;
  /** Of the load balancer, all but the operator's own. */
  readonly deployments: number;
  /** PUTs that were not the operator's. */
  readonly puts: number;
}

export const NOTHING: Tally = { newOrders: 0, orders: 0, issued: 0, deployments: 0, puts: 0 };
export const ONE_OF_EACH: Tally = { newOrders: 1, orders: 1, issued: 1, deployments: 1, puts: 1 };

function tally({ pebble, marathon }: Cluster): Tally {
  return {
    newOrders: pebble.counts().newOrder,
    orders: pebble.orders(),
    issued: pebble.issued(),
    deployments: marathon.deploymentsOf(LOAD_BALANCER).length,
    puts: marathon.requests.filter(({ method, operator }) => method !== 'GET' && !operator).length,
  };
}

/** What has happened since: for `assert.deepEqual(since(), NOTHING)`. */
export function countFrom(cluster: Cluster): () => Tally {
  const before = tally(cluster);
  return () => {
    const now = tally(cluster);
    return {
      newOrders: now.newOrders - before.newOrders,
      orders: now.orders - before.orders,
      issued: now.issued - before.issued,
      deployments: now.deployments - before.deployments,
      puts: now.puts - before.puts,
    };
  };
}

/** What our program says of itself, as far as stories read it. */
export interface Status {
  readonly taskId: string;
  readonly plan: {
    readonly at: string;
    readonly leader: { readonly taskId?: string; readonly isUs: boolean };
    readonly paused: boolean;
    readonly certificate: {
      readonly state: string;
      readonly why: string;
      readonly cure?: string;
      readonly domains: readonly string[];
      readonly names: readonly { readonly name: string; readonly obstacle?: { why: string; cure?: string } }[];
      readonly refused: readonly { readonly name: string; readonly reason: string }[];
      readonly held?: { readonly fingerprint: string; readonly domains: readonly string[] };
    };
    readonly notes: readonly string[];
    readonly actions: readonly { readonly kind: string }[];
  } | null;
}

/** What this very task says on its admin listener. */
export async function statusOf(task: SimTask): Promise<Status> {
  const reply = await fetch(`http://${task.host}:${task.ports[1]}/api/status`, { signal: AbortSignal.timeout(5_000) });
  return (await reply.json()) as Status;
}

/** What this very task logged, oldest first: for those without an admin port, and those that are gone. */
export async function logOf(task: SimTask): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const text = await readFile(task.stdout, 'utf8');
  const whole = text
    .split('\n')
    .slice(0, -1)
    .filter((line) => line.startsWith('{'));
  return whole.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
}

/** The state that it logged last. */
export async function stateOf(task: SimTask | undefined): Promise<string | undefined> {
  const changes = task === undefined ? [] : (await logOf(task)).filter(({ msg }) => msg === 'state changed');
  return changes.at(-1)?.to as string | undefined;
}

/**
 * Waits until every instance of the load balancer serves one and the same trusted certificate for all names, Marathon
 * has finished, and the program's only task says that it is live. Gives the fingerprint.
 */
export async function untilServed(cluster: Cluster, names: readonly string[], before?: string): Promise<string> {
  return patiently(cluster, `${names.length} names to be served`, async () => {
    if (isDeploying(cluster, LOAD_BALANCER) || isDeploying(cluster, SIDECAR)) return undefined;
    const [task, ...others] = cluster.tasks(SIDECAR);
    if (others.length > 0 || (await stateOf(task)) !== 'live') return undefined;
    const fingerprint = proof(await cluster.look(names), names.length * cluster.publicHosts.length);
    return fingerprint === before ? undefined : fingerprint;
  });
}

/** The one fingerprint that all of them saw and trust; undefined: they did not. */
export function proof(seen: readonly Sighting[], expected: number): string | undefined {
  const [first] = seen;
  const isProven = seen.every((one) => one.objection === undefined && one.fingerprint === first?.fingerprint);
  return isProven && seen.length === expected ? first?.fingerprint : undefined;
}

export function isDeploying({ marathon }: Cluster, appId: string): boolean {
  return marathon.deploymentsOf(appId).some(({ state }) => state === 'running');
}

/** `until`, and when it is in vain the program's own last words. */
export async function patiently<T>(
  cluster: Cluster,
  why: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  try {
    return await until(look, why, PATIENCE_MS);
  } catch (error) {
    const words = (await cluster.log()).slice(-6).map((line) => JSON.stringify(line));
    throw new Error(`${(error as Error).message}; the program's last words:\n${words.join('\n')}`, { cause: error });
  }
}

// What an operator does

/** Changes these fields of our app, and waits until Marathon has restarted it so. */
export async function edit({ marathon }: Cluster, fields: Readonly<Record<string, unknown>>): Promise<void> {
  await accepted(marathon, 'PUT', `/v2/apps${SIDECAR}`, fields);
}

/** `dcos marathon app restart` */
export async function restart({ marathon }: Cluster): Promise<void> {
  await accepted(marathon, 'POST', `/v2/apps${SIDECAR}/restart`);
}

async function accepted(marathon: Cluster['marathon'], method: string, path: string, body?: unknown): Promise<void> {
  const answer = await marathon.api(method, path, body);
  const { deploymentId } = answer.body as { deploymentId?: string };
  assert.ok(answer.status < 300 && deploymentId !== undefined, `${method} ${path}: ${JSON.stringify(answer.body)}`);
  await marathon.deployed(deploymentId);
}

// What visitors see

/** The status that one instance answers over HTTP, asked by this name. (fetch would not let us choose Host.) */
export async function statusAt(address: string, name: string, path = '/'): Promise<number> {
  const request = get({ host: address, path, headers: { host: name }, agent: false, timeout: 5_000 });
  const [reply] = (await once(request, 'response')) as [IncomingMessage];
  reply.resume();
  return reply.statusCode ?? 0;
}

export interface Visitors {
  /** Sends them home, and gives what went wrong for them, as sentences. */
  leave(): Promise<readonly string[]>;
}

const VISIT_EVERY_MS = 50;

/** Visitors who come all the time: each of the names must be served well somewhere, and badly nowhere. */
export function visitors(cluster: Cluster, names: readonly string[]): Visitors {
  const complaints: string[] = [];
  const home = new AbortController();
  const visit = async (): Promise<void> => {
    while (!home.signal.aborted) {
      complaints.push(...complaintsAbout(await cluster.look(names), names));
      await sleep(VISIT_EVERY_MS, undefined, { signal: home.signal }).catch(() => undefined);
    }
  };
  const visiting = visit();
  return {
    leave: async () => {
      home.abort();
      await visiting;
      return [...new Set(complaints)];
    },
  };
}

/** An instance that is being replaced does not answer; DNS has the other one. */
function complaintsAbout(seen: readonly Sighting[], names: readonly string[]): readonly string[] {
  const bad = seen.filter(({ fingerprint, objection }) => fingerprint !== undefined && objection !== undefined);
  const lost = names.filter((name) => !seen.some((one) => one.name === name && one.objection === undefined));
  return [
    ...bad.map(({ name, endpoint, objection }) => `${endpoint.host}: ${name}: ${objection}`),
    ...lost.map((name) => `${name} was served nowhere`),
  ];
}
