/**
 * `doctor`: everything that a certificate depends on, looked at from here; a line each, with the cure.
 *
 * The same looks as the keeper's own, and it is the keeper that answers them: where a look needs somebody at the end of the
 * challenge path, `ping` is asked for, which is answered by any task of ours.
 */
import { statfs } from 'node:fs/promises';
import type { Prober } from '../acme/challenges.ts';
import { lookAtDirectory } from '../acme/identities.ts';
import { preflightInParts } from '../acme/preflight.ts';
import { type Config, parseConfig } from '../config.ts';
import { examine } from '../doctor/examine.ts';
import type { Senses } from '../doctor/senses.ts';
import { findInstance } from '../instance/find.ts';
import { createLog } from '../log.ts';
import { MarathonClient } from '../marathon/client.ts';
import { authOf, authorityOptions, type CaFiles, preflightOf, readCaFiles } from '../parts.ts';
import { lookAtRoutes } from '../route.ts';
import { lookAtServed } from '../served.ts';
import { Service } from '../service.ts';
import { Store } from '../store.ts';
import { showingProgress } from '../terminal/progress.ts';
import { styleOf } from '../terminal/style.ts';
import type { Context, Given } from './command.ts';
import { diagnosesAsText } from './doctor-text.ts';

/** Nobody waits longer for an answer; each look has its own time-out, far below. */
const WHOLE_MS = 90_000;
/** A CA is more patient; who sits before a terminal is not. */
const LIMITS = { connectMs: 5_000, chainMs: 10_000, dnsMs: 3_000, wholeMs: 40_000 };

/** What every task of ours answers, as long as it is alive. */
const PING: Prober = { newProbe: () => ({ token: 'ping', answer: 'pong' }), withdraw: () => undefined };

export async function doctor(context: Context, { operands, json }: Given): Promise<number> {
  const config = parseConfig(context.env);
  const senses = await sensesOf(config);
  let waiting: readonly string[] = [];
  const onWait = (checks: readonly string[]): void => {
    waiting = checks;
  };
  const found = await showingProgress(
    context,
    () => `looking at ${waiting.join(', ')}`,
    () => examine({ senses, names: operands, signal: context.signal, wholeMs: WHOLE_MS, onWait }),
  );
  const view = { now: new Date(), style: styleOf(context) };
  context.out(json ? `${JSON.stringify(found, null, 2)}\n` : diagnosesAsText(found, view));
  return found.some(({ verdict }) => verdict === 'wrong') ? 1 : 0;
}

async function sensesOf(config: Config): Promise<Senses> {
  const files = await readCaFiles(config);
  const marathon = new MarathonClient({ ...config.marathon, auth: authOf(config), caPem: files.marathon });
  const service = await Service.create(config, createLog({ level: 'silent' }));
  const { adminPort, listenAddress, appId, stateDir, probeTimeoutMs: timeoutMs } = config;
  const whereabouts = { adminPort, listenAddress, appId, app: (inTime: AbortSignal) => marathon.app(appId, inTime) };
  return {
    config,
    glance: (signal) => service.glance(signal),
    marathonInfo: (signal) => marathon.info(signal),
    neighbours: (groups, signal) => marathon.neighbours(groups, signal),
    keeper: (signal) => findInstance(whereabouts, signal),
    directory: (signal) => lookAtDirectory(authorityOptions(config, files.acme), signal),
    routes: (instances, names, signal) => lookAtRoutes(instances, names, { challenges: PING, timeoutMs, signal }),
    preflight: preflightFor(config, files),
    served: (endpoints, names, expected, signal) => lookAtServed(endpoints, names, expected, { timeoutMs, signal }),
    freeBytes: () => freeIn(stateDir),
  };
}

function preflightFor(config: Config, files: CaFiles): Senses['preflight'] {
  const ahead = preflightOf(config, files.acme);
  const accountUrl = async (): Promise<string | undefined> => {
    const store = new Store(config.stateDir);
    await store.openToLook();
    const accounts = await store.accounts().catch(() => []);
    return accounts.find(({ directory }) => directory === config.acme.directoryUrl)?.url;
  };
  return (names, { hosts: loadBalancerHosts, askedAs, signal }) =>
    preflightInParts(names, {
      ...ahead,
      limits: LIMITS,
      challenges: PING,
      accountUrl,
      loadBalancerHosts,
      askedAs,
      signal,
    });
}

async function freeIn(folder: string): Promise<number | undefined> {
  const { bavail, bsize } = (await statfs(folder).catch(() => undefined)) ?? {};
  return bavail === undefined || bsize === undefined ? undefined : bavail * bsize;
}
