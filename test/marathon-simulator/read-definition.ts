/**
 * From a posted body to the canonical definition: old and new spelling, types, and nothing but what was there.
 *
 * What comes out is partial, because a PUT is; `definitions.ts` adds defaults or the old app. Fields nobody knows are
 * dropped without a word, as Marathon does. A null is an absent field.
 */
import { ApiError, notValid } from './api-error.ts';
import { compact, given, isObject, type Json, listAt, objectAt } from './json.ts';
import type { AppDefinition, Container, Network, PortDefinition, PortMapping } from './model.ts';
import type { Traits } from './profiles.ts';

export type Update = Partial<AppDefinition>;

type Kind = 'string' | 'number' | 'boolean' | 'array' | 'object' | 'any';

/** The fields that are taken over as they are. */
const FIELDS: Readonly<Record<string, Kind>> = {
  id: 'string',
  cmd: 'string',
  args: 'array',
  user: 'string',
  instances: 'number',
  cpus: 'number',
  mem: 'number',
  disk: 'number',
  gpus: 'number',
  env: 'object',
  labels: 'object',
  constraints: 'array',
  dependencies: 'array',
  acceptedResourceRoles: 'array',
  requirePorts: 'boolean',
  backoffSeconds: 'number',
  backoffFactor: 'number',
  maxLaunchDelaySeconds: 'number',
  executor: 'string',
  killSelection: 'string',
  unreachableStrategy: 'any',
  healthChecks: 'array',
  readinessChecks: 'array',
  upgradeStrategy: 'object',
  container: 'object',
  networks: 'array',
  ports: 'array',
  portDefinitions: 'array',
  uris: 'array',
  fetch: 'array',
  residency: 'object',
  ipAddress: 'object',
};

const ERRORS: Readonly<Record<Kind, string>> = {
  string: 'error.expected.jsstring',
  number: 'error.expected.jsnumber',
  boolean: 'error.expected.jsboolean',
  array: 'error.expected.jsarray',
  object: 'error.expected.jsobject',
  any: '',
};

export function readUpdate(body: unknown, traits: Traits): Update {
  if (!isObject(body)) throw wrongType(traits, '', 'error.expected.jsobject');
  checkTypes(body, traits);
  checkEnv(body, traits);
  const out: Record<string, unknown> = {};
  for (const name of Object.keys(FIELDS)) if (given(body[name])) out[name] = body[name];
  for (const name of newerFields(traits)) if (given(body[name])) out[name] = body[name];
  for (const name of ['ports', 'uris', 'ipAddress', 'networks', 'container', 'portDefinitions', 'fetch'])
    delete out[name];
  return compact({ ...out, ...readNetworking(body, traits), ...readFetch(body, traits), ...readChecks(body) });
}

function newerFields(traits: Traits): readonly string[] {
  return [
    ...(traits.secrets ? ['secrets'] : []),
    ...(traits.killGrace ? ['taskKillGracePeriodSeconds'] : []),
    ...(traits.role ? ['role', 'executorResources'] : []),
    ...(traits.resourceLimits ? ['resourceLimits'] : []),
  ];
}

function checkTypes(body: Json, traits: Traits): void {
  for (const [name, kind] of Object.entries(FIELDS)) {
    if (given(body[name]) && !isOf(kind, body[name])) throw wrongType(traits, `/${name}`, ERRORS[kind]);
  }
}

function isOf(kind: Kind, value: unknown): boolean {
  if (kind === 'any') return true;
  if (kind === 'array') return Array.isArray(value);
  if (kind === 'object') return isObject(value);
  return typeof value === kind;
}

function checkEnv(body: Json, traits: Traits): void {
  for (const [name, value] of Object.entries(objectAt(body, 'env'))) {
    const reference = traits.secrets && isObject(value) && typeof value.secret === 'string';
    if (typeof value !== 'string' && !reference) throw wrongType(traits, `/env/${name}`, 'error.expected.jsstring');
  }
  for (const [name, value] of Object.entries(objectAt(body, 'labels'))) {
    if (typeof value !== 'string') throw wrongType(traits, `/labels/${name}`, 'error.expected.jsstring');
  }
}

export function wrongType(traits: Traits, path: string, error: string): ApiError {
  return new ApiError(traits.wrongTypeStatus, { message: 'Invalid JSON', details: [{ path, errors: [error] }] });
}

function readFetch(body: Json, traits: Traits): Update {
  if (given(body.uris) && given(body.fetch) && (listAt(body, 'uris').length > 0 || listAt(body, 'fetch').length > 0)) {
    throw wrongType({ ...traits, wrongTypeStatus: 400 }, 'obj', 'You cannot specify both uris and fetch fields');
  }
  if (given(body.fetch)) return { fetch: listAt(body, 'fetch') as AppDefinition['fetch'] };
  return given(body.uris) ? { fetch: listAt(body, 'uris').map((uri) => ({ uri: String(uri) })) } : {};
}

const CHECK_DEFAULTS = {
  gracePeriodSeconds: 300,
  intervalSeconds: 60,
  timeoutSeconds: 20,
  maxConsecutiveFailures: 3,
  delaySeconds: 15,
};
const READINESS_DEFAULTS = {
  name: 'readinessCheck',
  protocol: 'HTTP',
  path: '/',
  portName: 'http-api',
  intervalSeconds: 30,
  timeoutSeconds: 10,
  httpStatusCodesForReady: [200],
  preserveLastResponse: false,
};

function readChecks(body: Json): Update {
  const health = listAt(body, 'healthChecks').map((check) => {
    const own = compactNull(check);
    const portless = own.port === undefined && own.portIndex === undefined && own.protocol !== 'COMMAND';
    return { protocol: 'HTTP', ...(portless ? { portIndex: 0 } : {}), ...CHECK_DEFAULTS, ...own };
  });
  const ready = listAt(body, 'readinessChecks').map((check) => ({ ...READINESS_DEFAULTS, ...compactNull(check) }));
  return {
    ...(given(body.healthChecks) ? { healthChecks: health as unknown as AppDefinition['healthChecks'] } : {}),
    ...(given(body.readinessChecks) ? { readinessChecks: ready as AppDefinition['readinessChecks'] } : {}),
  };
}

function compactNull(value: unknown): Json {
  return isObject(value) ? Object.fromEntries(Object.entries(value).filter(([, member]) => given(member))) : {};
}

/** Networks, port mappings and port definitions, whichever generation's words were used. */
function readNetworking(body: Json, traits: Traits): Update {
  const docker = objectAt(body.container, 'docker');
  if (!traits.legacy) refuseMixture(body, docker);
  const networks = readNetworks(body, docker, traits);
  const mode = networks?.[0]?.mode;
  const raw = (!traits.legacy && objectAt(body, 'container').portMappings) || docker.portMappings;
  return {
    ...(networks ? { networks } : {}),
    ...(given(body.container) ? { container: readContainer(body, traits, readMappings(raw, mode)) } : {}),
    ...readPortDefinitions(body),
  };
}

function refuseMixture(body: Json, docker: Json): void {
  if (!given(body.networks) || !(given(docker.network) || given(body.ipAddress))) return;
  throw notValid([
    { path: '/', errors: ['cannot specify both networks and the deprecated container.docker.network or ipAddress'] },
  ]);
}

function readNetworks(body: Json, docker: Json, traits: Traits): readonly Network[] | undefined {
  if (!traits.legacy && given(body.networks)) return readNewNetworks(body);
  if (docker.network === 'BRIDGE') return [{ mode: 'container/bridge' }];
  if (docker.network === 'HOST') return [{ mode: 'host' }];
  if (docker.network !== 'USER' && !given(body.ipAddress)) return undefined;
  const name = objectAt(body, 'ipAddress').networkName;
  return [{ mode: 'container', ...(typeof name === 'string' ? { name } : {}) }];
}

function readNewNetworks(body: Json): readonly Network[] {
  return listAt(body, 'networks').map((network) => {
    const { mode = 'container', name } = isObject(network) ? network : {};
    return compact({ mode, name }) as Network;
  });
}

/** Without a network beside them (a partial update) the old app's network holds; `complete` drops them on the host's. */
function readMappings(raw: unknown, mode: Network['mode'] | undefined): readonly PortMapping[] | undefined {
  if (!Array.isArray(raw) || mode === 'host') return undefined;
  return raw.map((mapping: unknown) => {
    const own = compactNull(mapping);
    const hostPort = own.hostPort ?? (mode === 'container' ? undefined : 0);
    return compact({ containerPort: 0, protocol: 'tcp', servicePort: 0, ...own, hostPort }) as PortMapping;
  });
}

function readContainer(body: Json, traits: Traits, portMappings: readonly PortMapping[] | undefined): Container {
  const raw = compactNull(body.container);
  const { network, portMappings: old, ...docker } = compactNull(raw.docker);
  const volumes = listAt(raw, 'volumes').map((volume) => {
    const { persistent, ...rest } = compactNull(volume);
    return { mode: 'RW', ...rest, ...(traits.persistentVolumes && persistent ? { persistent } : {}) };
  });
  return compact({
    type: raw.type ?? 'DOCKER',
    docker: given(raw.docker) ? { forcePullImage: false, privileged: false, parameters: [], ...docker } : undefined,
    portMappings,
    volumes,
  }) as unknown as Container;
}

function readPortDefinitions(body: Json): Update {
  if (Array.isArray(body.portDefinitions)) {
    return {
      portDefinitions: body.portDefinitions.map(
        (definition: unknown) => ({ port: 0, protocol: 'tcp', ...compactNull(definition) }) as PortDefinition,
      ),
    };
  }
  if (!Array.isArray(body.ports)) return {};
  return { portDefinitions: body.ports.map((port: unknown) => ({ port: Number(port), protocol: 'tcp' })) };
}
