/**
 * New apps and changed apps: defaults, Marathon's merge of a partial update, and whether anything changed at all.
 *
 * A partial update replaces whole top-level fields: `{"env": {"A": "1"}}` wipes every other variable. A full one
 * (`partialUpdate=false`) starts from the defaults.
 */
import { isDeepStrictEqual } from 'node:util';
import { compact } from './json.ts';
import {
  type AppDefinition,
  type Container,
  isResident,
  onHostNetwork,
  type PortDefinition,
  type PortMapping,
} from './model.ts';
import type { Traits } from './profiles.ts';
import type { Update } from './read-definition.ts';

const DEFAULTS = {
  instances: 1,
  cpus: 1,
  mem: 128,
  disk: 0,
  gpus: 0,
  env: {},
  secrets: {},
  labels: {},
  networks: [{ mode: 'host' as const }],
  requirePorts: false,
  healthChecks: [],
  readinessChecks: [],
  backoffSeconds: 1,
  backoffFactor: 1.15,
  constraints: [],
  fetch: [],
  dependencies: [],
  executor: '',
  killSelection: 'YOUNGEST_FIRST',
};

/** A definition with every default that Marathon would have stored. */
export function complete(update: Update, id: string, traits: Traits): AppDefinition {
  const networks = update.networks ?? DEFAULTS.networks;
  const hosted = onHostNetwork({ ...DEFAULTS, ...update, networks } as AppDefinition);
  const base = {
    ...DEFAULTS,
    maxLaunchDelaySeconds: traits.maxLaunchDelaySeconds,
    ...(traits.role ? { role: '*' } : {}),
    ...update,
    id,
    networks,
    portDefinitions: hosted ? (update.portDefinitions ?? [{ port: 0, protocol: 'tcp', name: 'default' }]) : [],
  };
  const resident = isResident(base as AppDefinition);
  return compact({
    ...base,
    container: hosted ? withoutMappings(update.container) : update.container,
    upgradeStrategy: completeStrategy(update, resident),
    unreachableStrategy: update.unreachableStrategy ?? defaultUnreachable(resident),
  }) as unknown as AppDefinition;
}

function withoutMappings(container: Container | undefined): Container | undefined {
  return container && (compact({ ...container, portMappings: undefined }) as unknown as Container);
}

function defaultUnreachable(resident: boolean): unknown {
  return resident ? 'disabled' : { inactiveAfterSeconds: 0, expungeAfterSeconds: 0 };
}

function completeStrategy(update: Update, resident: boolean): AppDefinition['upgradeStrategy'] {
  const external = update.container?.volumes.some((volume) => volume.external !== undefined) ?? false;
  const fallback =
    resident || external
      ? { minimumHealthCapacity: 0.5, maximumOverCapacity: 0 }
      : { minimumHealthCapacity: 1, maximumOverCapacity: 1 };
  return { ...fallback, ...update.upgradeStrategy };
}

/** Marathon's AppConversion: present fields replace, absent ones stay, but for two that are forgotten. */
export function merge(old: AppDefinition, update: Update, traits: Traits): AppDefinition {
  const { executorResources: _1, resourceLimits: _2, ...kept } = old; // taken from the update only: Marathon's bug, since 1.6
  const merged = { ...kept, ...update };
  if (update.upgradeStrategy) merged.upgradeStrategy = { ...old.upgradeStrategy, ...update.upgradeStrategy };
  return complete(merged, old.id, traits);
}

export function isSame(a: AppDefinition, b: AppDefinition): boolean {
  return isDeepStrictEqual(a, b);
}

/** Only the number of instances differs: a scaling, which restarts nothing. */
export function isScaling(a: AppDefinition, b: AppDefinition): boolean {
  return isSame({ ...a, instances: b.instances }, b);
}

/** A service port 0 is assigned when the app is stored; a changed app keeps the ones it had. */
export function withServicePorts(
  app: AppDefinition,
  old: AppDefinition | undefined,
  taken: ReadonlySet<number>,
): AppDefinition {
  const used = new Set(taken);
  const assign = (wanted: number, before: number | undefined): number => {
    const port = wanted || before || firstFree(used);
    used.add(port);
    return port;
  };
  if (onHostNetwork(app)) {
    if (app.requirePorts) return app;
    const definitions = app.portDefinitions.map(
      (definition, index): PortDefinition => ({
        ...definition,
        port: assign(definition.port, old?.portDefinitions[index]?.port),
      }),
    );
    return { ...app, portDefinitions: definitions };
  }
  if (app.container?.portMappings === undefined) return app;
  const portMappings = app.container.portMappings.map(
    (mapping, index): PortMapping => ({
      ...mapping,
      servicePort: assign(mapping.servicePort, old?.container?.portMappings?.[index]?.servicePort),
    }),
  );
  return { ...app, container: { ...app.container, portMappings } };
}

function firstFree(used: ReadonlySet<number>): number {
  let port = 10_000;
  while (used.has(port)) port += 1;
  return port;
}
