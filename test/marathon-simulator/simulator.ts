/**
 * A Marathon for tests and the demo: speaks its HTTP, keeps its state, and really runs the tasks.
 *
 * Deployments advance only by the states of tasks that are started, health-checked and killed on agents whose ports
 * are really bound; no timer completes one. Faults are asked of `faults`; what a client did wrong is in `violations`.
 * DIFFERENCES.md says what this is not.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { until } from '../support/until.ts';
import { Agent, type AgentOptions } from './agents.ts';
import { Api } from './api.ts';
import { ApiError } from './api-error.ts';
import { Gate, type SimulatorAuth } from './auth.ts';
import { Bus, type SimulatorEvent } from './bus.ts';
import { ClientRules } from './client-rules.ts';
import { Clock } from './clock.ts';
import { Cluster } from './cluster.ts';
import type { FinishedOrRunningDeployment } from './deployment.ts';
import { Deployments } from './deployments.ts';
import { EventStreams } from './event-stream.ts';
import type { ClusterView, Executor } from './executor.ts';
import { Faults } from './faults.ts';
import { HealthChecker } from './health.ts';
import { createHttpServer, type RecordedRequest, type Tls } from './http.ts';
import { infoOf } from './info.ts';
import { isObject } from './json.ts';
import { Launcher } from './launcher.ts';
import type { SimTask } from './model.ts';
import { Offers } from './offers.ts';
import { type ApiAnswer, callAsOperator } from './operator.ts';
import { type Profile, traitsOf } from './profiles.ts';
import { renderQueue } from './queue.ts';
import { dispatch, routes } from './routes.ts';

export interface SimulatorOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default: any free one. */
  readonly port?: number;
  /** Default 1.9. */
  readonly profile?: Profile;
  /** Default: one agent, 127.0.0.1, role '*'. */
  readonly agents?: readonly AgentOptions[];
  /** Docker image, with or without its tag, or '*' → who runs it. */
  readonly images?: Readonly<Record<string, Executor>>;
  readonly auth?: SimulatorAuth;
  readonly tls?: Tls;
  /** App id → host: its tasks are reported as running there, nothing is started. */
  readonly external?: Readonly<Record<string, string>>;
  /** Secret source → value. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** False: a Marathon without the feature `secrets` (DC/OS open source). Default true where the profile has it. */
  readonly secretsEnabled?: boolean;
  /** Marathon's clock against ours. */
  readonly clockOffsetMs?: number;
  /** How long a second of health check intervals, delays, grace periods and back-off lasts; default 1000. */
  readonly secondMs?: number;
  /** Sandboxes and volumes. */
  readonly workDir: string;
  readonly onEvent?: (event: SimulatorEvent) => void;
}

export interface Simulator {
  readonly url: string;
  readonly faults: Faults;
  readonly requests: readonly RecordedRequest[];
  /** What clients did that a well-behaved one never does, as sentences. */
  readonly violations: readonly string[];
  readonly events: readonly SimulatorEvent[];
  /** How often a service account logged in. */
  readonly logins: () => number;
  readonly openEventStreams: () => number;
  readonly cluster: ClusterView;
  /** As an operator's client, over HTTP; not held to the rules, faults and auth. */
  api(method: string, path: string, body?: unknown): Promise<ApiAnswer>;
  /** POSTs an app; the deployment's id. */
  add(definition: unknown): Promise<string>;
  /** Waits until the deployment has succeeded; says what holds it up when it does not. */
  deployed(id: string, timeoutMs?: number): Promise<void>;
  until(predicate: () => boolean | Promise<boolean>, why: string, timeoutMs?: number): Promise<void>;
  /** All tasks of an app there ever were, oldest first. */
  tasksOf(appId: string): readonly SimTask[];
  /** All deployments of an app there ever were, oldest first. */
  deploymentsOf(appId: string): readonly FinishedOrRunningDeployment[];
  close(): Promise<void>;
}

export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const traits = traitsOf(options.profile ?? '1.9');
  const clock = new Clock(options.clockOffsetMs ?? 0, options.secondMs ?? 1000);
  const bus = new Bus(clock);
  const agents = (options.agents ?? [{ host: '127.0.0.1' }]).map((agent, index) => new Agent(agent, index));
  const cluster = new Cluster({ traits, clock, bus, agents });
  const rules = new ClientRules();
  const gate = new Gate(options.auth ?? { kind: 'none' }, clock);
  const events: SimulatorEvent[] = [];
  bus.listen((event) => events.push(event));
  if (options.onEvent) bus.listen(options.onEvent);

  const faults: Faults = new Faults({
    failover: () => failover(),
    expireTokens: () => gate.expireTokens(),
    closeStreams: () => streams.closeAll(),
    sendRaw: (text) => streams.sendRaw(text),
  });
  const streams = new EventStreams(bus, faults.sse);
  const health = new HealthChecker({
    clock,
    bus,
    traits,
    changed: () => cluster.changed(),
    neverHealthy: (appId) => faults.isNeverHealthy(appId),
  });
  const { workDir, images = {}, secrets = {}, external = {} } = options;
  const launcher = new Launcher(cluster, health, { workDir, images, secrets, external, faults });
  const deployments = new Deployments(cluster, {
    kill: (task) => launcher.kill(task),
    limit: () => faults.maxRunningDeployments,
    lockedOtherwise: (appId) => faults.isLockedOtherwise(appId),
  });
  const offers = new Offers(cluster, launcher, (appId, taskId) => {
    for (const running of deployments.running(appId)) running.launches.push({ taskId, at: new Date() });
  });
  cluster.run(async () => {
    deployments.pass();
    await offers.pass();
  });

  const secretsEnabled = options.secretsEnabled ?? traits.secrets;
  const kill = (task: Parameters<Launcher['kill']>[0]) => launcher.kill(task);
  const api = new Api({ cluster, deployments, faults, rules, secretsEnabled, kill });
  const table = routes(api, {
    info: () => infoOf(traits, leader(), secretsEnabled),
    leader: () => ({ status: 200, body: { leader: leader() } }),
    queue: (embedOffers) => renderQueue(cluster.states.values(), clock, traits, embedOffers),
    login: (body) => gate.login(body),
  });
  const requests: RecordedRequest[] = [];
  const operatorSecret = randomUUID();
  const server = createHttpServer(
    {
      traits,
      faults,
      rules,
      gate,
      streams,
      operatorSecret,
      leaderUrl: () => url,
      handle: (call) => dispatch(table, call, traits),
      record: (request) => requests.push(request),
    },
    options.tls,
  );
  server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
  await once(server, 'listening');
  const { address, port } = server.address() as AddressInfo;
  const url = `${options.tls ? 'https' : 'http'}://${address}:${port}`;
  const leader = () => `${address}:${port}`;

  function failover(): void {
    streams.closeAll();
    server.closeAllConnections();
    deployments.resume();
  }

  const operator = { url, operatorSecret, ...(options.tls ? { ca: options.tls.cert } : {}) };
  const callApi: Simulator['api'] = (method, path, body) => callAsOperator(operator, method, path, body);

  return {
    url,
    faults,
    requests,
    violations: rules.violations,
    events,
    logins: () => gate.logins,
    openEventStreams: () => streams.count,
    cluster,
    api: callApi,
    add: async (definition) => addApp(callApi, definition),
    deployed: async (id, timeoutMs = 60_000) => {
      const deployment = deployments.all.find((one) => one.id === id);
      if (!deployment) return; // a change that changed nothing
      const over = () => deployment.state !== 'running';
      const why = () => `deployment of ${deployment.appId} to end; ${standing(deployment.appId)}`;
      await until(over, 'deployment', timeoutMs).catch(() => Promise.reject(new Error(`waited in vain for ${why()}`)));
      if (deployment.state === 'cancelled') throw new Error(`deployment of ${deployment.appId} was cancelled`);
    },
    until: async (predicate, why, timeoutMs) => void (await until(predicate, why, timeoutMs)),
    tasksOf: (appId) => cluster.allTasks.filter((task) => task.appId === appId),
    deploymentsOf: (appId) => deployments.all.filter((one) => one.appId === appId),
    close: async () => {
      streams.closeAll();
      health.close();
      await cluster.close();
      await launcher.close();
      server.close();
      server.closeAllConnections();
    },
  };

  function standing(appId: string): string {
    const state = cluster.states.get(appId);
    const tasks = cluster.allTasks.filter((task) => task.appId === appId);
    const told = tasks.slice(-4).map(({ id, state: at, host, alive, message }) => ({ id, at, host, alive, message }));
    return JSON.stringify({ waiting: state?.queue.count, declined: state?.queue.summary('last'), tasks: told });
  }
}

async function addApp(api: Simulator['api'], definition: unknown): Promise<string> {
  const { status, body } = await api('POST', '/v2/apps', definition);
  const [deployment] = isObject(body) && Array.isArray(body.deployments) ? body.deployments : [];
  if (status !== 201 || !isObject(deployment)) throw new ApiError(status, body);
  return String(deployment.id);
}
