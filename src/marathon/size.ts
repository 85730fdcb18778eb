/**
 * How large an app's environment may become: the limits that bite long after Marathon has taken it.
 *
 * Marathon takes a value of any size, but a task cannot start with it: Linux has 128 KiB for one `NAME=value`
 * (MAX_ARG_STRLEN), the Mesos containerizer puts the whole environment into one variable, and ZooKeeper keeps a node of
 * 1 MiB (jute.maxbuffer). Then the deployment never ends. Asked by the plan, and once more as the last gate of the PUT.
 */
import type { App, EnvValue } from './app.ts';

const KIB = 1024;
const VALUE_MAX = 120_000;
const MESOS_ENV_MAX = 100 * KIB;
const ENV_MAX = 900 * KIB;

export interface Oversize {
  readonly why: string;
  readonly cure: string;
}

/** What is too large once these variables are set; undefined: nothing. */
export function oversize(app: App, changes: Readonly<Record<string, EnvValue>>): Oversize | undefined {
  const env = { ...app.env, ...changes };
  const sizes = Object.entries(env).map(([name, value]) => ({ name, size: sizeOf(name) + sizeOf(value) }));
  const big = sizes.find(({ size }) => size > VALUE_MAX);
  if (big) {
    return {
      why: `${big.name} of ${app.id} would have ${big.size} bytes; above ${VALUE_MAX} bytes no task could start with it`,
      cure: `shorten ${big.name}; a certificate for fewer names, or KEY_TYPE=ec256, is a smaller one`,
    };
  }
  const total = sizes.reduce((sum, { size }) => sum + size, 0);
  const isMesos = app.containerType === 'MESOS';
  const max = isMesos ? MESOS_ENV_MAX : ENV_MAX;
  return total > max ? tooMuch(app, { total, max, isMesos }) : undefined;
}

function tooMuch({ id }: App, { total, max, isMesos }: { total: number; max: number; isMesos: boolean }): Oversize {
  const where = isMesos ? ' in a container of type MESOS' : '';
  const other = isMesos ? ', or run it in a container of type DOCKER, which has room for more' : '';
  return {
    why: `the environment of ${id} would have ${total} bytes in all; above ${max} bytes no task could start with it${where}`,
    cure: `empty certificate variables of ${id} that nobody needs any more, or shorten others${other}; KEY_TYPE=ec256 makes ours smaller`,
  };
}

/** As JSON escapes it, which is how it travels. */
function sizeOf(value: EnvValue): number {
  return Buffer.byteLength(JSON.stringify(value));
}
