/** The keeper's parts made from the environment: what `run`, `once` and `plan` begin with. */
import { setImmediate as turn } from 'node:timers/promises';
import { type Config, type Environment, parseConfig } from '../config.ts';
import { Door } from '../door.ts';
import type { Log } from '../log.ts';
import type { Plan } from '../plan/plan.ts';
import type { Service } from '../service.ts';
import type { Context } from './command.ts';

/** Odd settings are told in the log; mistaken ones throw a ConfigError. */
export async function serviceOf(env: Environment): Promise<Service> {
  const config = parseConfig(env);
  const log = await logOf(config);
  const { Service } = await import('../service.ts');
  return Service.create(config, log);
}

/**
 * With the challenge port open before the rest of the program is read: most of a start is reading. Throws the signal's reason
 * when it aborts meanwhile.
 */
export async function listening(
  { env, signal }: Pick<Context, 'env' | 'signal'>,
  onPlan?: (planned: Plan) => void,
): Promise<Service> {
  const config = parseConfig(env);
  const door = new Door(config);
  await door.open();
  try {
    await readInPieces(signal);
    const log = await logOf(config);
    const { Service } = await import('../service.ts');
    return await Service.create(config, log, { door, ...(onPlan && { onPlan }) });
  } catch (error) {
    await door.close();
    throw error;
  }
}

/** What the service is made of, of about the same size. */
const PIECES: readonly (() => Promise<unknown>)[] = [
  () => import('../log.ts'),
  () => import('../certificates/bundle.ts'),
  () => import('../marathon/client.ts'),
  () => import('../plan/plan.ts'),
  () => import('../store.ts'),
  () => import('../parts.ts'),
  () => import('../service.ts'),
];

/** The open port answers between them. Read at once they would keep it mute for seconds, in a share of 0.05 CPU. */
async function readInPieces(signal: AbortSignal): Promise<void> {
  for (const read of PIECES) {
    await turn();
    signal.throwIfAborted();
    await read();
  }
  await turn();
  signal.throwIfAborted();
}

async function logOf(config: Config): Promise<Log> {
  const { createLog } = await import('../log.ts');
  const log = createLog({ level: config.logLevel });
  for (const warning of config.warnings) log.warn({ warning }, 'odd setting');
  return log;
}
