/**
 * One row of the kills: a load balancer and a sidecar of its own on a cluster that many rows share, both proxies between,
 * and the three ways in which the killed process gets its successor.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Executor } from '../marathon-simulator/executor.ts';
import type { SimTask } from '../marathon-simulator/model.ts';
import { type Blow, Boundaries } from './boundaries.ts';
import type { Cluster } from './cluster.ts';
import { type Definition, shipped } from './definitions.ts';
import type { Disposer } from './pebble.ts';
import { type Recorded, type RecordingProxy, startRecordingProxy } from './recording-proxy.ts';
import { sighted } from './sighting.ts';
import { until } from './until.ts';

/** Whether the next task finds what the last one wrote. */
export type Folder = 'volume kept' | 'no volume';
/**
 * relaunched: SIGKILL out of the blue, Marathon starts the same version again.
 * kill-first: an upgrade of our app is posted at the boundary; Marathon kills, then starts the new version.
 * start-first: the same, but the new version starts beside the old one, which hangs at the boundary and is killed when
 * the new one is healthy.
 * rolled: as start-first, but the old one goes on until Marathon ends it.
 * taken over: of two instances the leader is killed by SIGKILL; the other one is there already.
 */
export type Upgrade = 'relaunched' | 'kill-first' | 'start-first' | 'rolled' | 'taken over';

export interface StageOptions {
  /** Unlike all others on this cluster. */
  readonly id: string;
  /** The agent that this row has for its load balancer. */
  readonly host: string;
  readonly folder: Folder;
  readonly upgrade: Upgrade;
}

const PATIENCE_MS = 45_000;

/** An agent whose containers have no grace: told to end a task, it kills it. */
export function abrupt(executor: Executor): Executor {
  return async (launch, cluster) => {
    const task = await executor(launch, cluster);
    return { ...task, kill: () => task.kill('SIGKILL') };
  };
}

export class Stage {
  readonly boundaries = new Boundaries();
  readonly names: readonly string[];
  readonly #cluster: Cluster;
  readonly #options: StageOptions;
  readonly #proxies: readonly [RecordingProxy, RecordingProxy];
  readonly #sidecar: Definition;
  readonly #loadBalancer: Definition;

  private constructor(
    cluster: Cluster,
    options: StageOptions,
    parts: { proxies: readonly [RecordingProxy, RecordingProxy]; sidecar: Definition; loadBalancer: Definition },
  ) {
    this.#cluster = cluster;
    this.#options = options;
    this.names = namesOf(options);
    this.#proxies = parts.proxies;
    this.#sidecar = parts.sidecar;
    this.#loadBalancer = parts.loadBalancer;
  }

  static async build(t: Disposer, cluster: Cluster, options: StageOptions): Promise<Stage> {
    const { pebble, marathon, folder } = cluster;
    const ca = await startRecordingProxy(t, { target: pebble.directoryUrl, caPem: pebble.caPem });
    const api = await startRecordingProxy(t, { target: marathon.url });
    const caFile = join(folder, `${options.id}.pem`);
    await writeFile(caFile, ca.caPem ?? '');
    const env = { ...cluster.caEnv, MARATHON_URL: api.url, LETSENCRYPT_SERVER_URL: ca.url, ACME_CA_FILE: caFile };
    const [sidecar, loadBalancer] = [await sidecarOf(cluster, options, env), await loadBalancerOf(options)];
    await Promise.all(namesOf(options).map((name) => pebble.resolve(name, options.host)));
    await cluster.deploy(loadBalancer);
    return new Stage(cluster, options, { proxies: [ca, api], sidecar, loadBalancer });
  }

  /** Posts the sidecar: from here on the boundaries come by. */
  async begin(): Promise<void> {
    await this.#cluster.marathon.add(this.#sidecar);
  }

  record(): void {
    this.boundaries.record(...this.#proxies);
  }

  arm(boundary: string, moment: 'reply lost' | 'reply passed on'): void {
    this.boundaries.arm({ boundary, moment }, this.#blow(boundary, moment), ...this.#proxies);
  }

  /** At this boundary a new version is posted, and nobody hears of the CA until it is healthy; then both go on. */
  roll(boundary: string): void {
    const work = async (): Promise<void> => {
      await this.#upgrade();
      await until(() => this.launched()[1]?.alive === true, 'the new version to be healthy', PATIENCE_MS);
    };
    this.boundaries.meanwhile(boundary, work, ...this.#proxies);
  }

  /** Resolves when the old process is dead, or the new one there. */
  async struck(): Promise<void> {
    await until(() => this.boundaries.struck !== undefined, 'the boundary to be reached', PATIENCE_MS);
    await this.boundaries.struck;
  }

  /**
   * Waits until the load balancer serves one trusted certificate for all names, Marathon has finished with both apps,
   * and the only task left, or the one that leads, says so too. Gives the fingerprint.
   */
  untilServed(): Promise<string> {
    const look = async (): Promise<string> => {
      const tasks = this.#tasks();
      if (tasks.length !== instancesOf(this.#options) || this.#isDeploying()) throw new Error('Marathon is at work');
      const { state, why, held } = (await this.#leading(tasks))?.plan?.certificate ?? { state: 'unborn', why: '' };
      if (state !== 'live') throw new Error(`it says ${state}: ${why}`);
      const [first, ...rest] = await this.#look();
      const bad = [first, ...rest].find(
        (one) => one?.objection !== undefined || one?.fingerprint !== held?.fingerprint,
      );
      if (bad !== undefined || first?.fingerprint === undefined) throw new Error(`${bad?.name}: ${bad?.objection}`);
      return first.fingerprint;
    };
    return until(look, `${this.names} to be served`, PATIENCE_MS);
  }

  /** Orders that the CA accepted from this row. */
  orders(): number {
    const [ca] = this.#proxies;
    return ca.requests.filter(({ path, status }) => path.startsWith('/order-plz') && status === 201).length;
  }

  /** Certificates that the CA was told to make, whoever came to fetch them. */
  certificates(): number {
    const [ca] = this.#proxies;
    const made = ca.requests.filter(({ path, status }) => path.startsWith('/finalize-order/') && status === 200);
    return new Set(made.map(({ path }) => path)).size;
  }

  /** Deployments of the load balancer since it was brought up. */
  deployments(): number {
    return this.#cluster.marathon.deploymentsOf(this.#loadBalancer.id).length - 1;
  }

  /** All tasks of the sidecar there ever were. */
  launched(): readonly SimTask[] {
    return this.#cluster.marathon.tasksOf(this.#sidecar.id);
  }

  /** Makes room for the next row on this agent. */
  async clear(): Promise<void> {
    const { marathon } = this.#cluster;
    const ids = [this.#sidecar.id, this.#loadBalancer.id];
    for (const id of ids) await marathon.api('DELETE', `/v2/apps${id}?force=true`);
    const isOver = (): boolean => ids.every((id) => marathon.tasksOf(id).every(({ endedAt }) => endedAt !== undefined));
    await until(isOver, `tasks of ${ids} to end`, PATIENCE_MS);
  }

  #blow(boundary: string, moment: 'reply lost' | 'reply passed on'): Blow {
    const { upgrade } = this.#options;
    const isKilled = upgrade === 'relaunched' || upgrade === 'taken over';
    // After the PUT it has nothing more to ask for.
    const goesOn = !isKilled && upgrade !== 'kill-first' && moment === 'reply passed on' && boundary !== 'PUT';
    let [victim] = this.launched();
    const dead = (): boolean => victim?.endedAt !== undefined;
    return {
      successorAsks: () => dead() || (!isKilled && this.launched()[1]?.alive === true),
      strike: async (asksForMore) => {
        const asked = this.#visitsAsked(); // before all else: what is asked from here on gets no further
        victim = await this.#victim();
        const pid = Number(victim.pid);
        await this.#visitsMade(asked);
        if (isKilled) process.kill(pid, 'SIGKILL');
        // Nothing holds it once it has the reply: it stands still until Marathon's kill has come.
        if (upgrade === 'kill-first' && moment === 'reply passed on') process.kill(pid, 'SIGSTOP');
        // What it asks for only beside a healthy successor could not be told from what that one asks for.
        if (goesOn) await until(asksForMore, 'what it has to ask for next', PATIENCE_MS);
        if (!isKilled) await this.#upgrade();
        await until(dead, `task ${victim?.id} to be killed`, PATIENCE_MS);
      },
    };
  }

  /** Of several, the one that leads. */
  async #victim(): Promise<SimTask> {
    const tasks = this.#tasks();
    const leads = tasks.length > 1 ? (await this.#leading(tasks))?.plan?.leader.taskId : tasks[0]?.id;
    const task = tasks.find(({ id }) => id === leads);
    if (task?.pid === undefined) throw new Error('there is nobody to kill');
    return task;
  }

  /** What the task says that says of itself that it leads. */
  async #leading(tasks: readonly SimTask[]): Promise<Status | undefined> {
    const said = await Promise.all(tasks.map((task) => this.#ask(task)));
    return said.find(({ plan }) => plan?.leader.isUs);
  }

  async #ask({ host, ports }: SimTask): Promise<Status> {
    const url = `http://${host}:${ports[1]}/api/status`;
    const text = await (await fetch(url, { signal: AbortSignal.timeout(5_000) })).text();
    this.#cluster.hear(url, text);
    return JSON.parse(text) as Status;
  }

  /**
   * The CA calls once, and an order is lost to whoever is dead just then: no program can help that. So the process stays
   * until the CA has been where it was asked to come.
   */
  async #visitsMade(asked: readonly Recorded[]): Promise<void> {
    const made = (): boolean => asked.every(({ status }) => status !== undefined) && this.#decided() >= asked.length;
    if (!made()) await until(made, 'the CA to come', PATIENCE_MS);
  }

  #visitsAsked(): readonly Recorded[] {
    const [ca] = this.#proxies;
    return ca.requests.filter(({ path }) => path.startsWith('/chalZ/'));
  }

  #decided(): number {
    const [ca] = this.#proxies;
    const ids = ca.requests.flatMap(({ path }) => /^\/authZ\/(.+)$/.exec(path)?.[1] ?? []);
    const log = this.#cluster.pebble.log();
    return [...new Set(ids)].filter((id) => new RegExp(`authz ${id} set (?:IN)?VALID`).test(log)).length;
  }

  /** A new variable: what makes Marathon start a new version of our app. */
  async #upgrade(): Promise<void> {
    const env = { ...this.#sidecar.env, UPGRADED: 'yes' };
    const { status, body } = await this.#cluster.marathon.api('PUT', `/v2/apps${this.#sidecar.id}`, { env });
    if (status !== 200) throw new Error(`upgrade refused: ${status} ${JSON.stringify(body)}`);
  }

  #tasks(): readonly SimTask[] {
    return this.launched().filter(({ endedAt }) => endedAt === undefined);
  }

  #isDeploying(): boolean {
    const { marathon } = this.#cluster;
    const all = [this.#sidecar, this.#loadBalancer].flatMap(({ id }) => marathon.deploymentsOf(id));
    return all.some(({ state }) => state === 'running');
  }

  async #look() {
    const endpoint = { host: this.#options.host, port: this.#cluster.httpsPort };
    return sighted([endpoint], this.names, await this.#cluster.pebble.rootPem());
  }
}

interface Status {
  readonly plan: {
    readonly leader: { readonly taskId?: string; readonly isUs: boolean };
    readonly certificate: {
      readonly state: string;
      readonly why: string;
      readonly held?: { readonly fingerprint: string };
    };
  } | null;
}

function namesOf({ id }: StageOptions): readonly string[] {
  return [`www.${id}.example.com`, `${id}.example.com`];
}

async function sidecarOf(
  { publicHosts }: Cluster,
  { id, folder, upgrade }: StageOptions,
  env: Readonly<Record<string, string>>,
): Promise<Definition> {
  const overlap = upgrade !== 'relaunched' && upgrade !== 'kill-first';
  const definition = await shipped('letsencrypt-dcos', {
    env: { ...env, KEY_TYPE: 'ec256', MARATHON_LB_ID: `/${id}-lb` },
    labels: { HAPROXY_GROUP: id, HAPROXY_0_VHOST: namesOf({ id } as StageOptions).join(',') },
    fields: {
      ...{ id: `/${id}`, instances: instancesOf({ upgrade }), backoffSeconds: 0 },
      ...(overlap && { upgradeStrategy: OVERLAPPING }),
    },
  });
  const [check] = definition.healthChecks as readonly object[];
  const patient = { ...definition, healthChecks: [{ ...check, gracePeriodSeconds: 300, timeoutSeconds: 20 }] };
  const container = definition.container as Readonly<Record<string, unknown>>;
  if (folder === 'no volume') return { ...patient, container: { ...container, volumes: [] } };
  if (!overlap) return patient;
  // Marathon lets no app with a persistent volume overlap with itself: a folder of the agent, and both tasks there.
  const volumes = [{ containerPath: '/etc/letsencrypt', hostPath: `/srv/${id}`, mode: 'RW' }];
  const agent = publicHosts.at(-1)?.replace(/\d+$/, (last) => String(Number(last) + 1));
  return { ...patient, container: { ...container, volumes }, constraints: [['hostname', 'CLUSTER', agent]] };
}

function instancesOf({ upgrade }: Pick<StageOptions, 'upgrade'>): number {
  return upgrade === 'taken over' ? 2 : 1;
}

const OVERLAPPING = { minimumHealthCapacity: 1, maximumOverCapacity: 1 };
/** Marathon's usual ones are for machines that do nothing else. */
const PATIENT = {
  delaySeconds: 1,
  gracePeriodSeconds: 300,
  intervalSeconds: 2,
  timeoutSeconds: 20,
  maxConsecutiveFailures: 20,
};

async function loadBalancerOf({ id, host }: StageOptions): Promise<Definition> {
  const definition = await shipped('marathon-lb', {
    fields: {
      id: `/${id}-lb`,
      instances: 1,
      args: ['sse', '-m', 'http://marathon.mesos:8080', '--health-check', '--group', id],
      constraints: [['hostname', 'CLUSTER', host]],
      backoffSeconds: 0,
      // One instance on fixed ports: there is no room for a second one beside it.
      upgradeStrategy: { minimumHealthCapacity: 0, maximumOverCapacity: 0 },
    },
  });
  const [check] = definition.healthChecks as readonly object[];
  return { ...definition, healthChecks: [{ ...check, ...PATIENT }] };
}
