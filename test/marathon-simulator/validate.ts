/**
 * What Marathon refuses with 422: an ordered table of small checks, every objection told at once.
 *
 * Not all of Marathon's rules, but those an app like ours can run into.
 */
import { ApiError, notValid, type Violation } from './api-error.ts';
import { type AppDefinition, imageOf, isResident, mappings, onHostNetwork, persistentVolumes } from './model.ts';
import type { Traits } from './profiles.ts';
import type { Update } from './read-definition.ts';

interface Context {
  readonly traits: Traits;
  readonly secretsEnabled: boolean;
  readonly old: AppDefinition | undefined;
}

type Check = (app: AppDefinition, context: Context) => readonly Violation[];

const ID = /^\/([a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])([./]([a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9]))*$/;
const MARATHON_RUN = ['HTTP', 'HTTPS', 'TCP', 'COMMAND'];
const MESOS_RUN = ['MESOS_HTTP', 'MESOS_HTTPS', 'MESOS_TCP'];

const objection = (path: string, ...errors: string[]): Violation => ({ path, errors });
const when = (bad: boolean, path: string, error: string): readonly Violation[] => (bad ? [objection(path, error)] : []);

const id: Check = (app) => [
  ...when(!ID.test(app.id), '/id', 'must fully match regular expression'),
  ...when(
    /\/(restart|tasks|versions)$/.test(app.id),
    '/id',
    'must not end with any of the following reserved keywords',
  ),
];

const numbers: Check = (app) =>
  (['instances', 'cpus', 'mem', 'disk', 'backoffSeconds'] as const)
    .filter((name) => app[name] < 0)
    .map((name) => objection(`/${name}`, `got ${app[name]}, expected 0 or more`));

const command: Check = (app) =>
  when(
    app.cmd === undefined && app.args === undefined && imageOf(app) === undefined,
    '/',
    "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.",
  );

const strategy: Check = (app) =>
  Object.entries(app.upgradeStrategy).flatMap(([name, value]) => [
    ...when(value > 1, `/upgradeStrategy/${name}`, 'is greater than 1'),
    ...when(value < 0, `/upgradeStrategy/${name}`, 'is less than 0'),
  ]);

const singleInstance: Check = (app) => {
  if (app.labels.MARATHON_SINGLE_INSTANCE_APP !== 'true') return [];
  const { minimumHealthCapacity, maximumOverCapacity } = app.upgradeStrategy;
  return [
    ...when(app.instances > 1, '/instances', 'Single instance app may only have one instance'),
    ...when(minimumHealthCapacity !== 0 || maximumOverCapacity !== 0, '/upgradeStrategy', 'must be empty'),
  ];
};

const resident: Check = (app, { old }) => {
  if (!isResident(app)) return [];
  const paths = persistentVolumes(app).filter(({ containerPath }) => containerPath.includes('/'));
  return [
    ...paths.map(({ containerPath }) => objection('/container/volumes', `must not contain "/": ${containerPath}`)),
    ...when(
      app.upgradeStrategy.maximumOverCapacity !== 0,
      '/upgradeStrategy/maximumOverCapacity',
      'got non-zero value',
    ),
    ...when(app.unreachableStrategy !== 'disabled', '/unreachableStrategy', 'unreachableStrategy must be disabled'),
    ...when(old !== undefined && volumesOf(old) !== volumesOf(app), '/', 'Persistent volumes can not be changed!'),
  ];
};

const volumesOf = (app: AppDefinition) => JSON.stringify(persistentVolumes(app));

const container: Check = (app) => [
  ...when(
    app.container?.type === 'DOCKER' && !imageOf(app),
    '/container/docker',
    'docker is required when type is DOCKER',
  ),
  ...when(
    !['DOCKER', 'MESOS', undefined].includes(app.container?.type),
    '/container/type',
    'is not one of (MESOS, DOCKER)',
  ),
];

const ports: Check = (app) => {
  const fixed = (onHostNetwork(app) ? app.portDefinitions.map(({ port }) => port) : []).filter((port) => port !== 0);
  const all = [...fixed, ...mappings(app).flatMap(({ containerPort, hostPort = 0 }) => [containerPort, hostPort])];
  const names = mappings(app).flatMap(({ name }) => name ?? []);
  return [
    ...when(new Set(fixed).size < fixed.length, '/portDefinitions', 'Ports must be unique.'),
    ...when(
      all.some((port) => !Number.isInteger(port) || port < 0 || port > 65_535),
      '/ports',
      'port out of range',
    ),
    ...when(new Set(names).size < names.length, '/container/portMappings', 'Port names must be unique.'),
  ];
};

const healthChecks: Check = (app, { traits }) => {
  const known = [...MARATHON_RUN, ...(traits.mesosHealthChecks ? MESOS_RUN : [])];
  const count = onHostNetwork(app) ? app.portDefinitions.length : mappings(app).length;
  const byMesos = app.healthChecks.filter(({ protocol }) => MESOS_RUN.includes(protocol) || protocol === 'COMMAND');
  return [
    ...app.healthChecks.flatMap((check, index) => [
      ...when(!known.includes(check.protocol), `/healthChecks(${index})/protocol`, 'is not a known protocol'),
      ...when(
        (check.portIndex ?? 0) >= count && check.portIndex !== undefined && check.port === undefined,
        `/healthChecks(${index})`,
        'Health check port indices must address an element of the ports array or container port mappings.',
      ),
      ...when(check.protocol === 'COMMAND' && !check.command, `/healthChecks(${index})/command`, 'must be defined'),
      ...when(
        check.protocol !== 'COMMAND' && check.command !== undefined,
        `/healthChecks(${index})/command`,
        'must be empty',
      ),
    ]),
    ...when(byMesos.length > 1, '/healthChecks', 'AppDefinition can contain at most one Mesos health check'),
  ];
};

const readiness: Check = (app) => [
  ...when(app.readinessChecks.length > 1, '/readinessChecks', 'must have at most 1 element'),
  ...app.readinessChecks.flatMap((check) =>
    when(
      check.timeoutSeconds >= check.intervalSeconds,
      '/readinessChecks',
      'timeoutSeconds must be less than intervalSeconds',
    ),
  ),
];

const externalVolumes: Check = (app) =>
  when(
    app.instances > 1 && (app.container?.volumes ?? []).some((volume) => volume.external),
    '/instances',
    'external volumes allow one instance only',
  );

const CHECKS: readonly Check[] = [
  id,
  numbers,
  command,
  strategy,
  singleInstance,
  resident,
  container,
  ports,
  healthChecks,
  readiness,
  externalVolumes,
];

/** Throws what Marathon would answer for this definition. */
export function validate(app: AppDefinition, context: Context): void {
  const violations = [...CHECKS.flatMap((check) => check(app, context)), ...secretViolations(app, context)];
  if (violations.length > 0) throw notValid(violations);
}

function secretViolations(app: Pick<AppDefinition, 'env' | 'secrets'>, context: Pick<Context, 'secretsEnabled'>) {
  const references = Object.entries(app.env).flatMap(([name, value]) =>
    typeof value === 'string' ? [] : [{ name, secret: value.secret }],
  );
  if (references.length > 0 && !context.secretsEnabled) {
    const error = 'use of secret-references in the environment requires the secrets feature to be enabled';
    return [objection('/env', error)];
  }
  return references
    .filter(({ secret }) => app.secrets[secret] === undefined)
    .map(({ name }) => objection(`/env/${name}/secret`, 'references an undefined secret'));
}

/** What is wrong with a partial update in itself, before it is merged. */
export function validateUpdate(body: Readonly<Record<string, unknown>>, update: Update, context: Context): void {
  const extra = Object.keys(body).filter((name) => name !== 'version' && name !== 'id');
  if (body.version !== undefined && extra.length > 0) throw versionWithOthers(context.traits);
  if (context.traits.strictSecrets && update.env) {
    const violations = secretViolations({ env: update.env, secrets: update.secrets ?? {} }, context);
    if (violations.length > 0) throw notValid(violations);
  }
  requireWholeStrategy(update, context.traits);
}

/** 1.5 and later want both members; before, the missing one got its default. */
export function requireWholeStrategy(update: Update, traits: Traits): void {
  if (traits.legacy || update.upgradeStrategy === undefined) return;
  const given: Readonly<Record<string, unknown>> = { ...update.upgradeStrategy };
  const missing = ['minimumHealthCapacity', 'maximumOverCapacity'].filter((name) => given[name] === undefined);
  if (missing.length === 0) return;
  const details = missing.map((name) => objection(`/upgradeStrategy/${name}`, 'error.path.missing'));
  throw new ApiError(traits.wrongTypeStatus, { message: 'Invalid JSON', details });
}

function versionWithOthers(traits: Traits): ApiError {
  const message = "The 'version' field may only be combined with the 'id' field.";
  return traits.legacy
    ? new ApiError(422, { message: `requirement failed: ${message}` })
    : notValid([objection('/', message)]);
}
