/**
 * Each kind of fault, done to real processes and sockets. A fault resolves when it is over and what it hit is up again,
 * so that the pauses between faults are known to be calm.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SimTask } from '../marathon-simulator/model.ts';
import { LOAD_BALANCER, SIDECAR } from '../support/cluster.ts';
import { isDeploying } from '../support/episode.ts';
import { until } from '../support/until.ts';
import type { Fault, KindName } from './schedule.ts';
import { CHANGING, environmentOf, loadBalancers, STEADY, type Stage, sidecars } from './stage.ts';
import { type Sky, setSky } from './weather.ts';

/** Thrown where there was nothing to hit. */
export class Missed extends Error {}

type Blow = (stage: Stage, fault: Fault) => Promise<void>;

const BLOWS: Readonly<Record<KindName, Blow>> = {
  'sidecar killed': (stage, fault) => end(stage, fault, 'SIGKILL'),
  'sidecar killed, its folder lost': async (stage, fault) => {
    const folder = await stateOf(sidecarFor(stage, fault));
    await end(stage, fault, 'SIGKILL', () => empty(folder));
  },
  'sidecar told to end': (stage, fault) => end(stage, fault, 'SIGTERM'),
  'sidecar frozen': (stage, fault) => frozen([pidOf(sidecarFor(stage, fault))], fault.lastsMs),
  'two sidecars': async (stage, { lastsMs }) => {
    await edited(stage, SIDECAR, () => ({ instances: 2 }));
    await sleep(lastsMs);
    await edited(stage, SIDECAR, () => ({ instances: 1 }));
  },
  'a name added or taken away': renamed,
  'Pebble killed': async ({ pebble }, { lastsMs }) => {
    await pebble.kill();
    await sleep(lastsMs);
    await pebble.start();
  },
  'CA: connections dropped': ({ ca }, fault) => underSky(ca, 'connections dropped', fault),
  'CA: replies lost': ({ ca }, fault) => underSky(ca, 'replies lost', fault),
  'CA: replies cut': ({ ca }, fault) => underSky(ca, 'replies cut', fault),
  'CA: slow': ({ ca }, fault) => underSky(ca, 'slow', fault),
  'CA: hangs': ({ ca }, fault) => underSky(ca, 'hangs', fault),
  'HAProxy killed': (stage, fault) => killHaproxys(stage, [one(loadBalancers(stage), fault)]),
  'all HAProxys killed': (stage) => killHaproxys(stage, loadBalancers(stage)),
  'HAProxy frozen': async (stage, fault) => {
    const master = pidOf(one(loadBalancers(stage), fault));
    await frozen([master, ...(await childrenOf(master))], fault.lastsMs);
    await until(() => loadBalancers(stage).length === 2, 'both HAProxys to run again', PATIENCE_MS);
  },
  'Marathon: connections dropped': ({ api }, fault) => underSky(api, 'connections dropped', fault),
  'Marathon: replies lost': ({ api }, fault) => underSky(api, 'replies lost', fault),
  'Marathon: replies cut': ({ api }, fault) => underSky(api, 'replies cut', fault),
  'Marathon: slow': ({ api }, fault) => underSky(api, 'slow', fault),
  'Marathon: hangs': ({ api }, fault) => underSky(api, 'hangs', fault),
  'Marathon: 503': async ({ cluster }, { lot }) =>
    cluster.marathon.faults.failNext({ status: 503, body: 'Service Unavailable', times: 1 + Math.floor(lot * 5) }),
  'Marathon: another leader': async ({ cluster }, { lot }) =>
    cluster.marathon.faults.leaderFailover(1 + Math.floor(lot * 5)),
  'Marathon: event streams cut': async ({ cluster }) => cluster.marathon.faults.dropEventStreams(),
  'a variable set by others': async (stage, { n }) => {
    const [name, value] = [`HAPROXY_EDITED_${n}`, `by somebody else, at fault ${n}`];
    await edited(stage, LOAD_BALANCER, () => ({ env: { ...environmentOf(stage), [name]: value } }));
    stage.foreign.set(name, value);
  },
};

const PATIENCE_MS = 20_000;

export function strike(stage: Stage, fault: Fault): Promise<void> {
  return BLOWS[fault.kind](stage, fault);
}

function one(tasks: readonly SimTask[], { lot }: Fault): SimTask {
  const task = tasks[Math.floor(lot * tasks.length)];
  if (task?.pid === undefined) throw new Missed('nobody was there');
  return task;
}

function sidecarFor(stage: Stage, fault: Fault): SimTask {
  return one(sidecars(stage), fault);
}

function pidOf({ pid }: SimTask): number {
  if (pid === undefined) throw new Missed('it had no process');
  return pid;
}

// Our program

/** Marathon starts the next one by itself. `between`: what happens to its folder before that. */
async function end(
  stage: Stage,
  fault: Fault,
  signal: NodeJS.Signals,
  between: () => Promise<void> = async () => undefined,
): Promise<void> {
  const task = sidecarFor(stage, fault);
  const wanted = sidecars(stage).length;
  stage.victims.add(task.id);
  process.kill(pidOf(task), signal);
  await until(() => task.endedAt !== undefined, `task ${task.id} to end`, PATIENCE_MS);
  await between();
  await until(() => sidecars(stage).length >= Math.min(wanted, 1), 'a sidecar to run again', PATIENCE_MS);
}

async function stateOf(task: SimTask): Promise<string> {
  const environ = await readFile(`/proc/${pidOf(task)}/environ`, 'utf8');
  const folder = /(?:^|\0)STATE_DIR=([^\0]+)/.exec(environ)?.[1];
  if (folder === undefined) throw new Missed('it had no folder');
  return folder;
}

async function empty(folder: string): Promise<void> {
  const names = await readdir(folder);
  await Promise.all(names.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}

/** A name that comes or goes; what others have is never touched. */
async function renamed(stage: Stage, { lot }: Fault): Promise<void> {
  const name = CHANGING[Math.floor(lot * CHANGING.length)] ?? '';
  const others = stage.names.filter((known) => known !== name && !STEADY.includes(known));
  const names = [...STEADY, ...others, ...(stage.names.includes(name) ? [] : [name])];
  const labels = (): Readonly<Record<string, string>> => {
    const app = stage.cluster.marathon.cluster.apps().find(({ id }) => id === SIDECAR);
    return { ...app?.labels, HAPROXY_0_VHOST: names.join(',') };
  };
  await edited(stage, SIDECAR, () => ({ labels: labels() }));
  stage.names = names;
}

/** As a person does it: an app that is locked by a deployment is tried again, and the deployment waited for. */
async function edited(stage: Stage, appId: string, change: () => object): Promise<void> {
  const { marathon } = stage.cluster;
  const put = async (): Promise<boolean> => {
    const { status, body } = await marathon.api('PUT', `/v2/apps${appId}`, change());
    if (status !== 200 && status !== 409) throw new Missed(`${status} ${JSON.stringify(body)}`);
    return status === 200;
  };
  await until(put, `${appId} to be free for an edit`, PATIENCE_MS);
  await until(() => !isDeploying(stage.cluster, appId), `${appId} to be deployed`, 2 * PATIENCE_MS);
}

// Servers and ways

async function underSky(proxy: Stage['ca'], sky: Sky, { lastsMs, lot }: Fault): Promise<void> {
  setSky(proxy, sky, lot);
  await sleep(lastsMs);
  setSky(proxy, 'fair');
}

async function killHaproxys(stage: Stage, tasks: readonly SimTask[]): Promise<void> {
  if (tasks.length === 0) throw new Missed('nobody was there');
  for (const task of tasks) process.kill(pidOf(task), 'SIGKILL');
  const isOver = (): boolean =>
    tasks.every(({ endedAt }) => endedAt !== undefined) && loadBalancers(stage).length === 2;
  await until(isOver, 'both HAProxys to run again', PATIENCE_MS);
}

async function frozen(pids: readonly number[], lastsMs: number): Promise<void> {
  for (const pid of pids) signal(pid, 'SIGSTOP');
  await sleep(lastsMs);
  for (const pid of pids) signal(pid, 'SIGCONT');
}

/** It may have been killed meanwhile, which is right: a frozen one fails its health check. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone.
  }
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return children.split(' ').filter(Boolean).map(Number);
}
