/**
 * The environment of a task: Marathon's EnvironmentHelper and TaskBuilder, what Mesos adds, and the app's own last.
 *
 * Nothing else may be in here: what a task gets beyond this is the executor's doing and stands in DIFFERENCES.md.
 */
import type { EnvValue } from './model.ts';
import { type AppDefinition, imageOf, mappings, onHostNetwork } from './model.ts';
import type { Traits } from './profiles.ts';

export interface TaskFacts {
  readonly taskId: string;
  readonly version: string;
  readonly host: string;
  readonly ports: readonly number[];
  readonly role: string;
  readonly sandbox: string;
}

/** Thrown when Mesos could not start a task with this environment. */
export class EnvironmentError extends Error {}

/** Linux: one string of argv or env is at most 128 KiB with its NUL (MAX_ARG_STRLEN). */
const LONGEST_STRING = 131_071;

export function taskEnv(
  app: AppDefinition,
  facts: TaskFacts,
  traits: Traits,
  secretOf: (source: string) => string | undefined,
): Readonly<Record<string, string>> {
  const env = {
    ...marathonEnv(app, facts, traits),
    ...labelEnv(app.labels),
    ...portEnv(app, facts),
    ...mesosEnv(app, facts),
    ...ownEnv(app, secretOf),
  };
  for (const [name, value] of Object.entries(env)) {
    const size = Buffer.byteLength(value) + name.length + 1;
    if (size > LONGEST_STRING) throw new EnvironmentError(`${name}: Argument list too long`);
  }
  return env;
}

function marathonEnv(app: AppDefinition, facts: TaskFacts, traits: Traits): Record<string, string> {
  const image = app.container?.type === 'DOCKER' ? imageOf(app) : undefined;
  return {
    MESOS_TASK_ID: facts.taskId,
    MARATHON_APP_ID: app.id,
    MARATHON_APP_VERSION: facts.version,
    ...(image === undefined ? {} : { MARATHON_APP_DOCKER_IMAGE: image }),
    MARATHON_APP_RESOURCE_CPUS: scalaDouble(app.cpus),
    MARATHON_APP_RESOURCE_MEM: scalaDouble(app.mem),
    MARATHON_APP_RESOURCE_DISK: scalaDouble(app.disk),
    MARATHON_APP_RESOURCE_GPUS: String(app.gpus),
    ...(traits.role ? { MARATHON_APP_ENFORCE_GROUP_ROLE: 'FALSE' } : {}),
  };
}

/** Scala's Double.toString: "128.0". */
function scalaDouble(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

function mesosEnv(app: AppDefinition, facts: TaskFacts): Record<string, string> {
  const docker = app.container?.type === 'DOCKER';
  return {
    HOST: facts.host,
    MESOS_SANDBOX: docker ? '/mnt/mesos/sandbox' : facts.sandbox,
    ...(docker ? { MESOS_CONTAINER_NAME: `mesos-${facts.taskId.replace(/^.*?([0-9a-f-]{36}).*$/, '$1')}` } : {}),
    MESOS_ALLOCATION_ROLE: facts.role,
  };
}

/** Long labels are left out: whoever needs a long HAPROXY_0_VHOST must ask the API. */
function labelEnv(labels: Readonly<Record<string, string>>): Record<string, string> {
  const short = Object.entries(labels).filter(([key, value]) => key.length < 493 && value.length < 512);
  const named = short.map(([key, value]) => [environmentName(key), value] as const);
  return {
    MARATHON_APP_LABELS: named.map(([name]) => name).join(' '),
    ...Object.fromEntries(named.map(([name, value]) => [`MARATHON_APP_LABEL_${name}`, value])),
  };
}

function environmentName(name: string): string {
  return name
    .replace(/[^a-zA-Z0-9_]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .toUpperCase();
}

function portEnv(app: AppDefinition, { ports }: TaskFacts): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [index, { port, containerPort, name }] of effectivePorts(app, ports).entries()) {
    env[`PORT${index}`] = String(port);
    if (containerPort !== 0) env[`PORT_${containerPort}`] = String(port);
    if (name !== undefined) env[`PORT_${environmentName(name)}`] = String(port);
  }
  const all = effectivePorts(app, ports).map(({ port }) => port);
  if (all.length > 0) Object.assign(env, { PORT: String(all[0]), PORTS: all.join(',') });
  return env;
}

interface EffectivePort {
  readonly port: number;
  readonly containerPort: number;
  readonly name: string | undefined;
}

/** A mapping without a host port shows its container port. */
function effectivePorts(app: AppDefinition, ports: readonly number[]): readonly EffectivePort[] {
  if (onHostNetwork(app)) {
    return app.portDefinitions.map(({ port, name }, index) => ({ port: ports[index] ?? 0, containerPort: port, name }));
  }
  const rest = [...ports];
  return mappings(app).map(({ containerPort, hostPort, name }) => {
    const port = hostPort === undefined ? containerPort : (rest.shift() ?? 0);
    return { port, containerPort: containerPort || port, name };
  });
}

function ownEnv(app: AppDefinition, secretOf: (source: string) => string | undefined): Record<string, string> {
  const value = (name: string, given: EnvValue): string => {
    if (typeof given === 'string') return given;
    const secret = secretOf(app.secrets[given.secret]?.source ?? '');
    if (secret === undefined) throw new EnvironmentError(`${name}: secret ${given.secret} was not found`);
    return secret;
  };
  return Object.fromEntries(Object.entries(app.env).map(([name, given]) => [name, value(name, given)]));
}
