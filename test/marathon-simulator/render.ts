/**
 * How each generation of Marathon writes an app.
 *
 * 1.5 and later write the canonical form and leave out what is unset or empty; up to 1.4 there are nulls, empty
 * lists, and both old and new spellings.
 */
import type { AppState, Snapshot } from './app-state.ts';
import { compact } from './json.ts';
import { type AppDefinition, type Container, mappings, onHostNetwork } from './model.ts';
import type { Traits } from './profiles.ts';
import type { Task } from './task.ts';

type Fields = Record<string, unknown>;

/** Marathon's app.raml: left out when empty. */
const OMIT_EMPTY = [
  'args',
  'constraints',
  'dependencies',
  'env',
  'fetch',
  'healthChecks',
  'readinessChecks',
  'secrets',
];

/** The definition as GET …/versions/{v} and `api_post_event` show it. */
export function render({ definition, version, versionInfo }: Snapshot, traits: Traits): Fields {
  const fields = traits.legacy ? legacy(definition, traits) : canonical(definition);
  return { ...fields, version, versionInfo };
}

export interface Runtime {
  readonly tasks: readonly Task[];
  readonly deployments: readonly string[];
}

/** As GET /v2/apps/{id} shows it: with counts, deployments, tasks and the last failure. */
export function renderApp(state: AppState, runtime: Runtime, traits: Traits): Fields {
  const failure = state.lastTaskFailure ? { lastTaskFailure: state.lastTaskFailure } : {};
  return {
    ...renderListed(state, runtime, traits),
    tasks: runtime.tasks.map((task) => renderTask(task, traits)),
    ...failure,
  };
}

/** As GET /v2/apps shows it without `embed`. */
export function renderListed(state: AppState, { tasks, deployments }: Runtime, traits: Traits): Fields {
  const count = (fits: (task: Task) => boolean) => tasks.filter(fits).length;
  const checked = state.definition.healthChecks.length > 0;
  return {
    ...render(state.current, traits),
    tasksStaged: count(({ state: at }) => at === 'TASK_STAGING' || at === 'TASK_STARTING'),
    tasksRunning: count(({ state: at }) => at === 'TASK_RUNNING'),
    tasksHealthy: checked ? count(({ alive }) => alive === true) : 0,
    tasksUnhealthy: checked ? count(({ alive }) => alive === false) : 0,
    deployments: deployments.map((id) => ({ id })),
  };
}

function canonical(app: AppDefinition): Fields {
  const hosted = onHostNetwork(app);
  const fields: Fields = { ...app, ...(hosted ? {} : { portDefinitions: undefined }) };
  for (const name of OMIT_EMPTY) if (isEmpty(fields[name])) fields[name] = undefined;
  return compact(fields);
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

const NULLS = { user: null, cmd: null, args: null, acceptedResourceRoles: null, ipAddress: null };

function legacy(app: AppDefinition, traits: Traits): Fields {
  const { networks, portDefinitions, container, fetch, secrets, ...rest } = app;
  const { unreachableStrategy: _, role: _role, ...plain } = rest;
  const ports = onHostNetwork(app)
    ? portDefinitions.map(({ port }) => port)
    : mappings(app).map((one) => one.servicePort);
  return {
    ...NULLS,
    storeUrls: [],
    ...plain,
    container: container ? legacyContainer(container, app, traits) : null,
    ...(networks[0]?.mode === 'container' ? { ipAddress: { networkName: networks[0].name ?? null } } : {}),
    ports,
    uris: fetch.map(({ uri }) => uri),
    ...(traits.secrets ? legacyNewer(app, ports) : { gpus: undefined, readinessChecks: undefined }),
    healthChecks: app.healthChecks.map((check) => ({ ignoreHttp1xx: false, ...check })),
  };
}

/** What 1.3 and 1.4 write and 0.15 does not. */
function legacyNewer(app: AppDefinition, ports: readonly number[]): Fields {
  const definitions = onHostNetwork(app) ? app.portDefinitions : ports.map((port) => ({ port, protocol: 'tcp' }));
  return {
    secrets: app.secrets,
    fetch: app.fetch,
    portDefinitions: definitions.map((definition) => ({ labels: {}, ...definition })),
    residency: null,
    taskKillGracePeriodSeconds: app.taskKillGracePeriodSeconds ?? null,
    unreachableStrategy: app.unreachableStrategy,
  };
}

function legacyContainer(container: Container, app: AppDefinition, traits: Traits): Fields {
  const { portMappings, ...rest } = container;
  const network = { host: 'HOST', 'container/bridge': 'BRIDGE', container: 'USER' }[app.networks[0]?.mode ?? 'host'];
  if (!container.docker) return { ...rest };
  const written = (portMappings ?? []).map(({ name, ...mapping }) => ({
    ...mapping,
    ...(traits.secrets ? { name: name ?? null, labels: mapping.labels ?? {} } : {}),
  }));
  return { ...rest, docker: { ...container.docker, network, portMappings: written } };
}

/** One task. Version and ports only while it is active. */
export function renderTask(task: Task, traits: Traits): Fields {
  const { agent, instanceId, definition } = task.origin;
  const results = [...task.health.values()];
  const who = traits.instanceEvents ? { instanceId } : { taskId: task.id };
  return compact({
    ipAddresses: [{ ipAddress: task.host, protocol: 'IPv4' }],
    stagedAt: task.stagedAt,
    state: traits.taskStates ? task.state : undefined,
    ports: task.ports,
    startedAt: task.startedAt ?? (traits.legacy ? null : undefined),
    version: task.version,
    id: task.id,
    appId: task.appId,
    slaveId: agent?.id ?? 'external-S0',
    host: task.host,
    role: traits.role ? (agent?.role ?? '*') : undefined,
    servicePorts: mappings(definition).map(({ servicePort }) => servicePort),
    localVolumes: traits.persistentVolumes ? [] : undefined,
    healthCheckResults:
      definition.healthChecks.length > 0 ? results.map((result) => ({ ...result, ...who })) : undefined,
  });
}
