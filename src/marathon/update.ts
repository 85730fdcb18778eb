/**
 * The body of the one change we make: variables in an app's env.
 *
 * Marathon merges at the top level only, so `env` is sent whole, each value as it was read. With it go `secrets`
 * (1.5.0 to 1.5.12 check the update alone and miss what its references name) and the fields that 1.6 and later drop
 * from a partial update. Never `id` or `version`: with a version, Marathon refuses or rolls back.
 */
import type { App, EnvValue } from './app.ts';
import { MarathonError } from './error.ts';

export function appUpdate(app: App, changes: Readonly<Record<string, string>>): Readonly<Record<string, unknown>> {
  const env = { ...app.env, ...changes };
  const objection = oversize(app, env);
  if (objection) throw new MarathonError(`PUT /v2/apps${app.id}: not sent: ${objection}`, { retryable: false });
  return { env, ...(app.secrets && { secrets: app.secrets }), ...app.echoes };
}

const KIB = 1024;
const VALUE_MAX = 120_000;
const MESOS_ENV_MAX = 100 * KIB;
const ENV_MAX = 900 * KIB;

/**
 * Marathon takes a value of any size, but a task cannot start with it: Linux has 128 KiB for one variable, the Mesos
 * containerizer puts the whole env into one, and ZooKeeper keeps a node of 1 MiB.
 */
function oversize(app: App, env: Readonly<Record<string, EnvValue>>): string | undefined {
  const sizes = Object.entries(env).map(([name, value]) => ({ name, size: sizeOf(name) + sizeOf(value) }));
  const big = sizes.find(({ size }) => size > VALUE_MAX);
  if (big) return `${big.name} has ${big.size} bytes; above ${VALUE_MAX} no task could start with it`;
  const total = sizes.reduce((sum, { size }) => sum + size, 0);
  const max = app.containerType === 'MESOS' ? MESOS_ENV_MAX : ENV_MAX;
  return total > max ? `the env has ${total} bytes in all; above ${max} no task could start with it` : undefined;
}

/** As JSON escapes it, which is how it travels. */
function sizeOf(value: EnvValue): number {
  return Buffer.byteLength(JSON.stringify(value));
}
