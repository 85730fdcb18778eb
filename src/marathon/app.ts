/**
 * What we read of an app, from Marathon 0.15 to 1.11, and what follows from it.
 *
 * Generations differ: up to 1.4 nulls, `ports` and `container.docker.portMappings`; since 1.5 absent fields (even
 * `env`), `networks`, `portDefinitions` and `container.portMappings`. Fields and values we don't know are ignored;
 * what goes back in a PUT (`env`, `secrets`, `echoes`) is kept as it came.
 */
import { printable } from '../printable.ts';
import { IS_IT_MARATHON, MarathonError } from './error.ts';
import { instant, type Json, list, number, record, records, text } from './json.ts';

/** A text, or a reference to a secret; what an object of Marathon's holds besides, or instead, is written back as it came. */
export type EnvValue = string | { readonly secret?: string };

export interface Task {
  readonly id: string;
  readonly host: string;
  readonly ports: readonly number[];
  readonly state: string;
  readonly version: string | undefined;
  readonly stagedAt: Date | undefined;
  readonly startedAt: Date | undefined;
  /** By all its health checks; undefined: no result yet. */
  readonly alive: boolean | undefined;
  /** Since when all its health checks have passed once; undefined: not yet, or there are none. */
  readonly passedAt: Date | undefined;
}

export interface TaskFailure {
  readonly state: string;
  readonly message: string;
  readonly at: Date;
  readonly taskId: string;
  readonly host: string;
  /** The configuration that the task had. */
  readonly version: string | undefined;
}

/** How many of the instances have to stay healthy while Marathon replaces them, and how many more there may be. */
export interface UpgradeStrategy {
  readonly minimumHealthCapacity: number;
  readonly maximumOverCapacity: number;
}

export interface App {
  readonly id: string;
  readonly instances: number;
  readonly env: Readonly<Record<string, EnvValue>>;
  readonly secrets: Readonly<Record<string, unknown>> | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly version: string;
  /** When its tasks last had to be replaced; scaling does not count. */
  readonly lastConfigChangeAt: string | undefined;
  readonly deployments: readonly string[];
  readonly tasks: readonly Task[];
  readonly hasHealthChecks: boolean;
  /** By port index: the containerPort of a mapping, or the port in host mode. */
  readonly containerPorts: readonly number[];
  readonly hostNetwork: boolean;
  readonly containerType: 'DOCKER' | 'MESOS' | undefined;
  /** Ports that it must have on its agent, so that two of its tasks cannot share one. */
  readonly fixedPorts: readonly number[];
  readonly upgradeStrategy: UpgradeStrategy;
  /** What its container is started with. */
  readonly args: readonly string[];
  readonly lastTaskFailure: TaskFailure | undefined;
  /** Fields that a partial update drops in Marathon 1.6 and later unless they are sent again. */
  readonly echoes: Readonly<Record<string, unknown>>;
}

/** `asked`: the request that this came as an answer to. */
export function readApp(body: unknown, asked = 'GET /v2/apps'): App {
  const app = record(record(body)?.app) ?? record(body);
  const id = text(app?.id);
  const version = text(app?.version);
  if (!app || id === undefined || version === undefined) {
    throw new MarathonError(`${asked}: the answer is not an app: it has no id and version`, IS_IT_MARATHON, {
      retryable: true,
    });
  }
  return {
    id: normaliseId(id),
    version,
    instances: number(app.instances) ?? 1,
    env: readEnv(app.env),
    secrets: record(app.secrets),
    labels: readLabels(app.labels),
    lastConfigChangeAt: text(record(app.versionInfo)?.lastConfigChangeAt),
    deployments: records(app.deployments).flatMap((deployment) => text(deployment.id) ?? []),
    tasks: records(app.tasks).flatMap((task) => readTask(task) ?? []),
    hasHealthChecks: list(app.healthChecks).length > 0,
    ...readNetwork(app),
    upgradeStrategy: readStrategy(app),
    args: readArgs(app),
    lastTaskFailure: readFailure(record(app.lastTaskFailure)),
    echoes: Object.fromEntries(ECHOED.filter((key) => app[key] != null).map((key) => [key, app[key]])),
  };
}

const ECHOED = ['executorResources', 'resourceLimits'] as const;

/** As it is, for it is written back whole; null, which only other hands could have put there, is no value. */
function readEnv(value: unknown): App['env'] {
  const entries = Object.entries(record(value) ?? {}).filter(([, one]) => one !== null);
  return Object.fromEntries(entries.map(([name, one]) => [name, record(one) ? one : String(one)])) as App['env'];
}

export function readLabels(value: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(record(value) ?? {});
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

function readTask(task: Json): Task | undefined {
  const id = text(task.id);
  if (id === undefined) return undefined;
  const startedAt = instant(task.startedAt);
  const results = records(task.healthCheckResults);
  return {
    id,
    host: text(task.host) ?? '',
    ports: list(task.ports).flatMap((port) => number(port) ?? []),
    // Marathon 0.15 has no state; there a task that has started runs, as those that ended are not listed.
    state: text(task.state) ?? (startedAt ? 'TASK_RUNNING' : 'TASK_STAGING'),
    version: text(task.version),
    stagedAt: instant(task.stagedAt),
    startedAt,
    alive: results.length > 0 ? results.every((result) => result.alive === true) : undefined,
    passedAt: latest(results.map(({ firstSuccess }) => instant(firstSuccess))),
  };
}

function latest(times: readonly (Date | undefined)[]): Date | undefined {
  return times.reduce((a, b) => (a === undefined || b === undefined || a > b ? a : b), times[0]);
}

type Network = Pick<App, 'containerPorts' | 'hostNetwork' | 'containerType' | 'fixedPorts'>;

function readNetwork(app: Json): Network {
  const container = record(app.container);
  const docker = record(container?.docker);
  const type = text(container?.type);
  const hostNetwork = isHostNetwork(app, docker);
  const mappings = [container?.portMappings, docker?.portMappings].map(records).find((found) => found.length > 0) ?? [];
  return {
    hostNetwork,
    containerType: type === 'DOCKER' || type === 'MESOS' ? type : undefined,
    containerPorts: hostNetwork ? hostPorts(app) : mappings.map((mapping) => number(mapping.containerPort) ?? 0),
    fixedPorts: hostNetwork ? required(app) : mappings.map((mapping) => number(mapping.hostPort) ?? 0).filter(isPort),
  };
}

/** On the host's network Marathon holds back only those ports that are required. */
function required(app: Json): readonly number[] {
  return app.requirePorts === true ? hostPorts(app).filter(isPort) : [];
}

function isPort(port: number): boolean {
  return port > 0;
}

/** Every Marathon writes it; should one not, these are its defaults. */
function readStrategy(app: Json): UpgradeStrategy {
  const strategy = record(app.upgradeStrategy);
  return {
    minimumHealthCapacity: number(strategy?.minimumHealthCapacity) ?? 1,
    maximumOverCapacity: number(strategy?.maximumOverCapacity) ?? 1,
  };
}

/** Of a `cmd` the words, which do for finding an option in them. */
function readArgs(app: Json): readonly string[] {
  const args = list(app.args).flatMap((arg) => text(arg) ?? []);
  return args.length > 0 ? args : (text(app.cmd)?.split(/\s+/).filter(Boolean) ?? []);
}

/** Host is what Marathon takes when nothing is said. */
function isHostNetwork(app: Json, docker: Json | undefined): boolean {
  const modes = records(app.networks).flatMap((network) => text(network.mode) ?? []);
  if (modes.length > 0) return modes.every((mode) => mode === 'host');
  const old = text(docker?.network);
  return old === undefined ? !record(app.ipAddress) : old === 'HOST';
}

function hostPorts(app: Json): readonly number[] {
  const definitions = records(app.portDefinitions);
  if (definitions.length > 0) return definitions.map((definition) => number(definition.port) ?? 0);
  return list(app.ports).flatMap((port) => number(port) ?? []);
}

/** A container's complaint can run over many lines, and it is quoted in a sentence. */
const LONGEST_LAST_WORDS = 300;

function readFailure(failure: Json | undefined): TaskFailure | undefined {
  const at = instant(failure?.timestamp);
  if (!failure || !at) return undefined;
  return {
    at,
    state: text(failure.state) ?? 'TASK_FAILED',
    message: printable(text(failure.message) ?? '', LONGEST_LAST_WORDS),
    taskId: text(failure.taskId) ?? '',
    host: text(failure.host) ?? '',
    version: text(failure.version),
  };
}

/**
 * Does the task run the app's latest configuration? Marathon's own rule (TaskStatsByVersion): scaling moves
 * `app.version` but leaves the tasks alone, so the version counts only where nothing better is known.
 */
export function isCurrent(app: App, task: Pick<Task, 'version'>): boolean {
  const version = instant(task.version)?.getTime();
  if (version === undefined) return false; // a task that is not active has none
  const since = instant(app.lastConfigChangeAt)?.getTime();
  return since === undefined ? version === instant(app.version)?.getTime() : version >= since;
}

export function isHealthy(app: App, task: Task): boolean {
  return task.state === 'TASK_RUNNING' && (!app.hasHealthChecks || task.alive === true);
}

/**
 * Where a port of the container is found on the task's host. On the host's own network the process binds that very
 * port, whatever Marathon has assigned (HAProxy in marathon-lb binds 80 and 443 literally).
 */
export function hostPort(app: App, task: Task, containerPort: number): number | undefined {
  if (app.hostNetwork) return containerPort;
  const index = app.containerPorts.indexOf(containerPort);
  return index < 0 ? undefined : task.ports[index];
}

export function isSettled(app: App): boolean {
  const good = app.tasks.filter((task) => isCurrent(app, task) && isHealthy(app, task));
  return app.deployments.length === 0 && good.length >= app.instances;
}

/** Ids in JSON are absolute; people write them with and without the slash. */
export function normaliseId(id: string): string {
  // Looked at from the first slash of a run only: else a long run of them would take for ever.
  return `/${id.trim().replace(/^\/+|(?<!\/)\/+$/g, '')}`;
}
