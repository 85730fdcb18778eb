/**
 * From settings to what the service is made of: policy, credentials, trusted roots, the way to the CA.
 *
 * Each function takes the settings and gives one part; service.ts puts them together.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { identitiesAt } from './acme/identities.ts';
import { type PreflightDeps, USUAL_LIMITS } from './acme/preflight.ts';
import type { Authority, AuthorityOptions } from './acme/transport.ts';
import { Alerter } from './alerts/alerter.ts';
import { MemoryFile } from './alerts/memory-file.ts';
import { post } from './alerts/webhook.ts';
import { type Config, ConfigError } from './config.ts';
import type { Log } from './log.ts';
import type { MarathonAuth } from './marathon/auth.ts';
import type { Policy } from './plan/observation.ts';
import { VERSION } from './version.ts';

/** Longer than any receiver that is well needs; the loop does not wait for it. */
const WEBHOOK_TIMEOUT_MS = 10_000;

/** The settings that decisions depend on. */
export function policyOf(config: Config, files: CaFiles): Policy {
  const { appId, taskId, domains, takeOver, restore, pause, installWindow, deploymentTimeoutMs } = config;
  const { loadBalancer, acme, preflight } = config;
  const { directoryUrl, keyType } = acme;
  const { id: loadBalancerId, certEnv } = loadBalancer;
  return {
    appId,
    taskId,
    loadBalancerId,
    certEnv,
    directoryUrl,
    domains,
    keyType,
    preflight: preflight.mode,
    settingsMark: markOf(config, files),
    takeOver,
    restore,
    pause,
    installWindow,
    deploymentTimeoutMs,
  };
}

/** What failed for want of a setting is tried again at once when one of these is another. */
function markOf({ acme }: Config, files: CaFiles): string {
  const { directoryUrl, email, keyType, proxyEnv } = acme;
  const text = JSON.stringify([directoryUrl, email, keyType, proxyEnv, files.acme]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

export function authOf({ marathon: { user, password, token, serviceAccount } }: Config): MarathonAuth {
  if (serviceAccount !== undefined) return { kind: 'service-account', credential: serviceAccount };
  if (token !== undefined) return { kind: 'token', token };
  if (user !== undefined) return { kind: 'basic', user, password: password ?? '' };
  return { kind: 'none' };
}

/** Roots to check the CA's and Marathon's servers by, besides the system's; as PEM. */
export interface CaFiles {
  readonly acme: string | undefined;
  readonly marathon: string | undefined;
}

/** Throws ConfigError with a sentence for each file that cannot be read. */
export async function readCaFiles({ acme, marathon }: Config): Promise<CaFiles> {
  const problems: string[] = [];
  const read = async (name: string, path: string | undefined): Promise<string | undefined> =>
    path === undefined
      ? undefined
      : readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
          problems.push(`${name} must be a PEM file that this process can read, not '${path}' (${error.code})`);
          return undefined;
        });
  const files = {
    acme: await read('ACME_CA_FILE', acme.caFile),
    marathon: await read('MARATHON_CA_FILE', marathon.caFile),
  };
  if (problems.length > 0) throw new ConfigError(problems);
  return files;
}

/** Undefined: no webhook is set, and nobody is told. */
export function alerterOf({ webhook, appId, taskId, stateDir, acme }: Config, log: Log): Alerter | undefined {
  if (webhook === undefined) return undefined;
  const options = { ...webhook, timeoutMs: WEBHOOK_TIMEOUT_MS, proxyEnv: acme.proxyEnv, app: appId, task: taskId };
  return new Alerter({
    send: (alert, signal) => post(alert, options, signal),
    file: new MemoryFile(stateDir),
    log,
  });
}

/** Opened once, when first needed: acme-client and what it brings cost more memory and CPU than all else together. */
export function authorityOf(config: Config, caPem: string | undefined): () => Promise<Authority> {
  let opened: Promise<Authority> | undefined;
  return () => {
    opened ??= openAuthority(config, caPem);
    return opened;
  };
}

async function openAuthority(config: Config, caPem: string | undefined): Promise<Authority> {
  const transport = await import('./acme/transport.ts');
  return transport.openAuthority(authorityOptions(config, caPem));
}

export function authorityOptions({ acme }: Config, caPem: string | undefined): AuthorityOptions {
  const { directoryUrl, email, timeoutMs, proxyEnv } = acme;
  return { directoryUrl, caPem, email, timeoutMs, proxyEnv, userAgent: `letsencrypt-dcos/${VERSION}` };
}

/** What of the preflight does not change from one look to the next. */
export function preflightOf(
  config: Config,
  caPem: string | undefined,
): Pick<PreflightDeps, 'directoryUrl' | 'identities' | 'resolvers' | 'limits'> {
  return {
    directoryUrl: config.acme.directoryUrl,
    identities: identitiesAt(authorityOptions(config, caPem)),
    resolvers: config.preflight.resolvers,
    limits: USUAL_LIMITS,
  };
}
