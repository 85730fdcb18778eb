/**
 * The cluster of the chaos: everything real, both ways out of the program through recording proxies, names spread over
 * both load balancers, a Pebble that can be killed, and a program whose minutes are short.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SimTask } from '../marathon-simulator/model.ts';
import { type Cluster, LOAD_BALANCER, SIDECAR, startCluster } from '../support/cluster.ts';
import { shipped } from '../support/definitions.ts';
import { sidecarFor } from '../support/episode.ts';
import { imageFlags } from '../support/image-flags.ts';
import type { Disposer } from '../support/pebble.ts';
import { type RecordingProxy, startRecordingProxy } from '../support/recording-proxy.ts';
import { MortalPebble } from './certificate-authority.ts';
import { bundleWithMinutesOf } from './short-minutes.ts';

export interface Measures {
  /** Of a certificate. */
  readonly lifeSeconds: number;
  /** How long the program takes a minute to be. */
  readonly minuteMs: number;
}

/** Always in the label; the others come and go. */
export const STEADY = ['a.example.com', 'b.example.com', 'c.example.com'];
export const CHANGING = ['d.example.com', 'e.example.com', 'f.example.com'];
/** Somebody else's, from the beginning. */
const FOREIGN = { HAPROXY_GLOBAL_DEFAULT_OPTIONS: 'httplog,dontlognull' };
/** Marathon would start what was killed often later and later, up to an hour; a day of kills is ten minutes here. */
const NO_BACK_OFF = { backoffSeconds: 3, backoffFactor: 1 };

export interface Stage {
  readonly cluster: Cluster;
  readonly pebble: MortalPebble;
  readonly ca: RecordingProxy;
  readonly api: RecordingProxy;
  /** What the label says. */
  names: readonly string[];
  /** What is in the load balancer's environment by others. */
  readonly foreign: Map<string, string>;
  /** Tasks of ours that were killed or told to end by a fault. */
  readonly victims: Set<string>;
}

export async function setStage(t: Disposer, { lifeSeconds, minuteMs }: Measures): Promise<Stage> {
  const { healthChecks } = await shipped('marathon-lb');
  const cluster = await startCluster(t, {
    pebble: { validitySeconds: lifeSeconds },
    // With its own health check, which finds one that is frozen.
    loadBalancerEdits: { env: FOREIGN, fields: { ...NO_BACK_OFF, healthChecks } },
    simulator: { secondMs: 100 },
    // As the image starts it.
    images: { argv: [process.execPath, ...imageFlags(), await program(t, minuteMs)] },
  });
  const ca = await startRecordingProxy(t, { target: cluster.pebble.directoryUrl, caPem: cluster.pebble.caPem });
  const api = await startRecordingProxy(t, { target: cluster.marathon.url });
  const caFile = join(cluster.folder, 'ca.pem');
  await writeFile(caFile, ca.caPem ?? '');
  const all = [...STEADY, ...CHANGING];
  await Promise.all(all.map((name, n) => cluster.pebble.resolve(name, cluster.publicHosts[n % 2] ?? '')));
  const env = { MARATHON_URL: api.url, LETSENCRYPT_SERVER_URL: ca.url, ACME_CA_FILE: caFile };
  const definition = await sidecarFor(STEADY, { fields: NO_BACK_OFF });
  await cluster.marathon.add({ ...definition, env: { ...definition.env, ...cluster.caEnv, ...env } });
  return {
    ...{ cluster, pebble: await MortalPebble.of(t, cluster.pebble), ca, api, names: STEADY },
    ...{ foreign: new Map(Object.entries(FOREIGN)), victims: new Set<string>() },
  };
}

async function program(t: Disposer, minuteMs: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'chaos-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'main.mjs');
  await bundleWithMinutesOf(minuteMs, file);
  return file;
}

export function sidecars({ cluster }: Stage): readonly SimTask[] {
  return cluster.tasks(SIDECAR);
}

export function loadBalancers({ cluster }: Stage): readonly SimTask[] {
  return cluster.tasks(LOAD_BALANCER);
}

/** The load balancer's environment, as Marathon has it. */
export function environmentOf({ cluster }: Stage): Readonly<Record<string, unknown>> {
  return cluster.marathon.cluster.apps().find(({ id }) => id === LOAD_BALANCER)?.env ?? {};
}
