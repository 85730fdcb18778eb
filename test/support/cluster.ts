/**
 * A whole small cluster on this machine: the simulator as Marathon, Pebble as the CA with a DNS of its own, two public
 * agents with a real HAProxy each as the instances of marathon-lb, two more agents for everything else.
 *
 * The agents are addresses of 127.0.0.0/8, a /24 for each cluster, so that clusters side by side do not meet. Where ports
 * 80 and 443 may be bound, the load balancers are on the host network as `marathon/marathon-lb.json` says; elsewhere they
 * are on the bridge network with high host ports, and Pebble is told these.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { canBind } from '../marathon-simulator/agents.ts';
import type { SimTask } from '../marathon-simulator/model.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../marathon-simulator/simulator.ts';
import { pagesOf, sweepCluster } from './cluster-sweep.ts';
import { type Definition, type Edits, edited, shipped } from './definitions.ts';
import { type Images, images } from './images.ts';
import { type Disposer, type Pebble, type PebbleOptions, startPebble } from './pebble.ts';
import { type Sighting, sighted } from './sighting.ts';
import type { Output } from './sweep.ts';

export const SIDECAR = '/letsencrypt-dcos';
export const LOAD_BALANCER = '/marathon-lb';

export interface ClusterOptions {
  /** Agents with ports 80 and 443; 2 unless told. */
  readonly publicAgents?: number;
  /** 2 unless told; 0: no load balancer is posted. */
  readonly loadBalancers?: number;
  readonly loadBalancerEdits?: Edits;
  /** 80 and 443 on the agents, or high host ports; `web` unless told. */
  readonly ports?: 'web' | 'high';
  /** The first three numbers of the addresses, e.g. 10.64.9; unless told, a /24 of 127.0.0.0/8 that is free. */
  readonly prefix?: string;
  readonly pebble?: PebbleOptions;
  readonly simulator?: Partial<SimulatorOptions>;
  readonly images?: Partial<Images>;
}

export interface Cluster {
  readonly marathon: Simulator;
  readonly pebble: Pebble;
  /** The root that Pebble issues under, as a file: for curl's --cacert. */
  readonly rootFile: string;
  readonly folder: string;
  /** The public agents: one instance of the load balancer each. */
  readonly publicHosts: readonly string[];
  readonly httpPort: number;
  readonly httpsPort: number;
  /** What an operator writes into a definition's env so that this CA is used. */
  readonly caEnv: Readonly<Record<string, string>>;
  /** Posts a definition and waits until its deployment is over. */
  deploy(definition: Definition): Promise<void>;
  /** Posts one of ours with `caEnv` in it, and does not wait. Gives the deployment's id. */
  addSidecar(definition: Definition): Promise<string>;
  /** The running tasks of an app. */
  tasks(appId: string): readonly SimTask[];
  /** What our program's admin listener says on this path; of the app's only, or first, running task. */
  ask(path: string, appId?: string): Promise<unknown>;
  /** Something that a person could have read, such as what a command printed: it is swept for secrets at the end. */
  hear(from: string, text: string): void;
  /** Every line that the app's tasks ever logged, oldest first. */
  log(appId?: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** What each instance serves for each name, looked at by a client that trusts Pebble's root only. */
  look(names: readonly string[]): Promise<readonly Sighting[]>;
}

export async function startCluster(t: Disposer, options: ClusterOptions = {}): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), 'cluster-'));
  const { prefix } = options;
  const net = prefix ? { prefix, httpPort: 80, httpsPort: 443 } : await freeNetwork(options.ports ?? 'web');
  const hosts = Array.from({ length: (options.publicAgents ?? 2) + 2 }, (_, nth) => `${net.prefix}.${nth + 2}`);
  const publicHosts = hosts.slice(0, -2);
  const pebble = await startPebble(t, {
    host: `${net.prefix}.1`,
    defaultAddress: publicHosts[0] ?? '',
    httpPort: net.httpPort,
    httpsPort: net.httpsPort,
    ...options.pebble,
  });
  let marathonUrl = '';
  const marathon = await startSimulator({
    host: `${net.prefix}.1`,
    agents: [
      ...publicHosts.map((host) => ({ host, role: 'slave_public' })),
      ...hosts.slice(-2).map((host) => ({ host })),
    ],
    workDir: join(folder, 'mesos'),
    ...options.simulator,
    images: {
      ...images({ marathonUrl: () => marathonUrl, visitorsAddress: `${net.prefix}.2`, ...options.images }),
      ...options.simulator?.images,
    },
  });
  marathonUrl = marathon.url;
  const heard: Output[] = [];
  t.after(async () => {
    const pages = await pagesOf(marathon);
    await marathon.close();
    const swept = sweepCluster(marathon, folder, [...heard, ...pages]);
    // Once more where a task that has just ended still had a line to write.
    await swept.finally(() => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }));
  });
  const rootFile = join(folder, 'pebble-root.pem');
  const rootPem = await pebble.rootPem();
  await writeFile(rootFile, rootPem);

  // The names are known to Pebble's DNS only; and they are looked for at port 80, wherever this Pebble goes.
  const ahead: Record<string, string> =
    net.httpPort === 80 ? { PREFLIGHT_RESOLVERS: pebble.dnsServer } : { PREFLIGHT: 'off' };
  const caEnv = { LETSENCRYPT_SERVER_URL: pebble.directoryUrl, ACME_CA_FILE: pebble.caFile, ...ahead };
  const deploy = async (definition: Definition): Promise<void> => marathon.deployed(await marathon.add(definition));
  const tasks = (appId: string): readonly SimTask[] =>
    marathon.tasksOf(appId).filter(({ state }) => state === 'TASK_RUNNING');
  const cluster: Cluster = {
    marathon,
    pebble,
    rootFile,
    folder,
    publicHosts,
    httpPort: net.httpPort,
    httpsPort: net.httpsPort,
    caEnv,
    deploy,
    addSidecar: (definition) => marathon.add(edited(definition, { env: { ...caEnv, ...definition.env } })),
    tasks,
    ask: async (path, appId = SIDECAR) => {
      const text = await answer(`${adminUrl(tasks(appId))}${path}`);
      heard.push({ from: `${path} of ${appId}`, text });
      return text.startsWith('{') ? JSON.parse(text) : text;
    },
    hear: (from, text) => void heard.push({ from, text }),
    log: async (appId = SIDECAR) => (await Promise.all(marathon.tasksOf(appId).map(linesOf))).flat(),
    look: (names) => {
      const endpoints = tasks(LOAD_BALANCER).map(({ host }) => ({ host, port: net.httpsPort }));
      return sighted(endpoints, names, rootPem);
    },
  };
  const instances = options.loadBalancers ?? publicHosts.length;
  if (instances > 0) await deploy(await loadBalancer(net, instances, options.loadBalancerEdits));
  return cluster;
}

interface Network {
  /** The first three numbers of the addresses. */
  readonly prefix: string;
  readonly httpPort: number;
  readonly httpsPort: number;
}

/** Drawn, and looked at: another test, or a web server on every address, may be there already, and soon be gone. */
async function freeNetwork(ports: 'web' | 'high'): Promise<Network> {
  for (let tries = 0; tries < 50; tries++) {
    if (tries > 10) await sleep(100);
    const prefix = `127.${drawn(1, 254)}.${drawn(0, 254)}`;
    const [httpPort, httpsPort] = ports === 'web' ? [80, 443] : [drawn(31_000, 31_499), drawn(31_500, 31_999)];
    const wanted = [2, 3].flatMap((host) => [httpPort, httpsPort].map((port) => canBind(`${prefix}.${host}`, port)));
    if ((await Promise.all(wanted)).every((free) => free)) return { prefix, httpPort, httpsPort };
  }
  throw new Error(
    `no address of 127.0.0.0/8 has its ${ports === 'web' ? 'ports 80 and 443' : 'high ports'} free for us`,
  );
}

function drawn(from: number, to: number): number {
  return from + Math.floor(Math.random() * (to - from + 1));
}

/** Whether this process may bind 80 and 443: root, a user namespace, or a machine that lets everybody. */
export async function mayBindWebPorts(): Promise<boolean> {
  return freeNetwork('web').then(
    () => true,
    () => false,
  );
}

/** Two seconds, as the definition has it, may be over because the machine has more to do than HAProxy. */
const PATIENT = { timeoutSeconds: 20 };

async function loadBalancer(net: Network, instances: number, edits: Edits = {}): Promise<Definition> {
  const { healthChecks } = await shipped('marathon-lb');
  const patient = (healthChecks as readonly object[]).map((check) => ({ ...check, ...PATIENT }));
  const fields = { instances, healthChecks: patient, ...edits.fields };
  const definition = await shipped('marathon-lb', { ...edits, fields });
  return net.httpPort === 80 ? definition : onBridge(definition, net);
}

/** The edit that an operator makes who has other things on port 80: fixed host ports through the bridge. */
function onBridge(definition: Definition, { httpPort, httpsPort }: Network): Definition {
  const mapping = (containerPort: number, hostPort: number) => ({ containerPort, hostPort, servicePort: 0 });
  const { portDefinitions: _, requirePorts: __, container, ...rest } = definition;
  return {
    ...rest,
    networks: [{ mode: 'container/bridge' }],
    container: {
      ...(container as object),
      portMappings: [mapping(80, httpPort), mapping(443, httpsPort), mapping(9090, 0)],
    },
  };
}

function adminUrl([task]: readonly SimTask[]): string {
  const port = task?.ports[1];
  if (task === undefined || port === undefined) throw new Error('no running task with a second port');
  return `http://${task.host}:${port}`;
}

async function answer(url: string): Promise<string> {
  const reply = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  return reply.text();
}

async function linesOf(task: SimTask): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const text = await readFile(task.stdout, 'utf8').catch(() => '');
  const whole = text.split('\n').slice(0, -1); // the last one may be half written
  return whole.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Readonly<Record<string, unknown>>] : []));
}
