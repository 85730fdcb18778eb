/**
 * What an operator does and sees in the end-to-end stories: edits an app, reads the status, opens a page by its name.
 *
 * Whether a story ended well is never the program's own word: `untilServed` asks the wire with a client of its own, the
 * counts come from the CA's log and from Marathon. What the program says is compared with that.
 */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { FinishedOrRunningDeployment } from '../marathon-simulator/deployment.ts';
import type { RecordedRequest } from '../marathon-simulator/http.ts';
import { type Cluster, LOAD_BALANCER, SIDECAR } from './cluster.ts';
import type { Definition, Edits } from './definitions.ts';
import { shipped } from './definitions.ts';
import { type Sighting, sighted } from './sighting.ts';
import { until } from './until.ts';

/** Two cores, several clusters side by side. */
const PATIENCE_MS = 40_000;

/** A second of health checks and back-off lasts this long in the stories. */
export const QUICK = { secondMs: 100 } as const;

/** A part of a story, in which one part follows from the other: after one that failed nothing is told any more. */
export async function step(t: TestContext, name: string, tell: () => Promise<void>): Promise<void> {
  let failed = true;
  await t.test(name, async () => {
    await tell();
    failed = false;
  });
  assert.ok(!failed, `the story ends here: ${name}`);
}

/** A shipped definition with the quickest key. */
export function keeper(name: string, edits: Edits = {}): Promise<Definition> {
  return shipped(name, { ...edits, env: { KEY_TYPE: 'ec256', ...edits.env } });
}

/** The certificate as `/api/status` tells of it. */
export interface Said {
  readonly state: string;
  readonly why: string;
  readonly cure?: string;
  readonly slot?: string;
  readonly notes: readonly string[];
  readonly at: Date;
}

export async function said(cluster: Cluster, appId = SIDECAR): Promise<Said> {
  const status = (await cluster.ask('/api/status', appId)) as {
    plan: { at: string; certificate: Said; notes: readonly string[] } | null;
  };
  if (status.plan === null) throw new Error(`${appId} has no plan yet`);
  const { at, certificate, notes } = status.plan;
  return { ...certificate, notes, at: new Date(at) };
}

export interface Wanted {
  readonly state: string;
  readonly why?: RegExp;
  readonly cure?: RegExp;
  readonly appId?: string;
}

/** Waits until the program says this; its last words are in the error if it does not. */
export function untilSaid(cluster: Cluster, { state, why, cure, appId = SIDECAR }: Wanted): Promise<Said> {
  const look = async (): Promise<Said> => {
    const heard = await said(cluster, appId);
    const fits = heard.state === state && (why?.test(heard.why) ?? true) && (cure?.test(heard.cure ?? '') ?? true);
    if (!fits) throw new Error(`it says ${heard.state}: ${heard.why} (cure: ${heard.cure})`);
    return heard;
  };
  return until(look, `${appId} to say ${state} ${why ?? ''} ${cure ?? ''}`, PATIENCE_MS);
}

/** Waits until the program has looked at the world so many times more, whatever it saw. */
export async function moreLooks(cluster: Cluster, times: number, appId = SIDECAR): Promise<Said> {
  let last = await said(cluster, appId);
  for (let left = times; left > 0; left--) {
    const before = last.at;
    last = await until(
      async () => {
        const now = await said(cluster, appId);
        return now.at > before && now;
      },
      `${appId} to look again`,
      PATIENCE_MS,
    );
  }
  return last;
}

export interface Where {
  readonly loadBalancer?: string;
  readonly rootPem?: string;
}

/** What each instance of a load balancer serves for these names. */
export async function look(
  cluster: Cluster,
  names: readonly string[],
  where: Where = {},
): Promise<readonly Sighting[]> {
  const { loadBalancer = LOAD_BALANCER, rootPem = await cluster.pebble.rootPem() } = where;
  const endpoints = cluster.tasks(loadBalancer).map(({ host }) => ({ host, port: cluster.httpsPort }));
  return sighted(endpoints, names, rootPem);
}

/** Waits until every instance serves one trusted certificate for all the names, and nothing is being deployed. */
export function untilServed(cluster: Cluster, names: readonly string[], where: Where = {}): Promise<string> {
  const { loadBalancer = LOAD_BALANCER } = where;
  const seen = async (): Promise<string | undefined> => {
    const running = cluster.marathon.deploymentsOf(loadBalancer).some(({ state }) => state === 'running');
    if (running) throw new Error(`${loadBalancer} is being deployed`);
    const sightings = await look(cluster, names, where);
    const bad = sightings.find(({ objection }) => objection !== undefined);
    if (bad) throw new Error(`${bad.name} at ${bad.endpoint.host}: ${bad.objection}`);
    const fingerprints = new Set(sightings.map(({ fingerprint }) => fingerprint));
    if (fingerprints.size > 1) throw new Error(`${[...fingerprints].join(' and ')} are served`);
    return [...fingerprints][0];
  };
  return until(seen, `${names.join(', ')} to be served by ${loadBalancer}`, PATIENCE_MS);
}

/** The deployments of a load balancer since it was brought up. */
export function redeployments(cluster: Cluster, loadBalancer = LOAD_BALANCER): readonly FinishedOrRunningDeployment[] {
  return cluster.marathon.deploymentsOf(loadBalancer).slice(1);
}

/** Every change that was asked for by clients of Marathon, not by the operator of the story. */
export function changes(cluster: Cluster, loadBalancer = LOAD_BALANCER): readonly RecordedRequest[] {
  return cluster.marathon.requests.filter(
    ({ operator, method, path }) => !operator && method !== 'GET' && path === `/v2/apps${loadBalancer}`,
  );
}

/** A whole app as Marathon shows it: its env, above all. */
export async function shown(cluster: Cluster, appId: string): Promise<Definition> {
  const { body } = await cluster.marathon.api('GET', `/v2/apps${appId}`);
  return (body as { app: Definition }).app;
}

/** `dcos marathon app update`: an operator's PUT, waited for. */
export async function update(
  cluster: Cluster,
  appId: string,
  fields: Readonly<Record<string, unknown>>,
  options: { readonly force?: boolean } = {},
): Promise<void> {
  const { status, body } = await cluster.marathon.api(
    'PUT',
    `/v2/apps${appId}${options.force ? '?force=true' : ''}`,
    fields,
  );
  assert.ok(status < 300, `PUT ${appId}: ${status} ${JSON.stringify(body)}`);
  await cluster.marathon.deployed((body as { deploymentId: string }).deploymentId);
}

/** Some variables of an app, the others as they are. */
export async function updateEnv(
  cluster: Cluster,
  appId: string,
  env: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { env: now } = await shown(cluster, appId);
  await update(cluster, appId, { env: { ...now, ...env } });
}

/** `dcos marathon app restart`, waited for. */
export async function restart(cluster: Cluster, appId: string): Promise<void> {
  const { body } = await cluster.marathon.api('POST', `/v2/apps${appId}/restart`);
  await cluster.marathon.deployed((body as { deploymentId: string }).deploymentId);
}

/** No client has done what a well-behaved one never does. */
export function assertWellBehaved(cluster: Cluster): void {
  assert.deepEqual(cluster.marathon.violations, []);
}

/** One order, one change, one deployment that went through: the whole cost of a certificate. */
export function assertDoneOnce(cluster: Cluster): void {
  assert.equal(cluster.pebble.orders(), 1);
  assert.equal(changes(cluster).length, 1);
  assert.deepEqual(
    redeployments(cluster).map(({ state }) => state),
    ['succeeded'],
  );
  assertWellBehaved(cluster);
}
