/**
 * The settings of one process: read once from the environment that is handed in, all mistakes told at once.
 *
 * Pure: no file is opened and no name looked up here. The variables themselves are in settings/table.ts.
 */

import type { KeyType } from './certificates/spec.ts';
import type { InstallWindow } from './install-window/window.ts';
import type { ServiceAccount } from './marathon/auth.ts';
import { emailOrWarning, type PREFLIGHT_MODES, type Setting, TABLE, type WEBHOOK_FORMATS } from './settings/table.ts';

export interface Config {
  readonly marathon: {
    readonly urls: readonly string[];
    readonly user: string | undefined;
    readonly password: string | undefined;
    readonly token: string | undefined;
    readonly serviceAccount: ServiceAccount | undefined;
    readonly caFile: string | undefined;
    readonly timeoutMs: number;
  };
  readonly appId: string;
  readonly taskId: string | undefined;
  readonly loadBalancer: {
    readonly id: string;
    readonly certEnv: string;
    readonly httpPort: number;
    readonly httpsPort: number;
    readonly servedCheck: { host: string; port: number } | undefined;
  };
  readonly acme: {
    readonly directoryUrl: string;
    readonly caFile: string | undefined;
    readonly email: string | undefined;
    readonly keyType: KeyType;
    readonly timeoutMs: number;
    readonly proxyEnv: Readonly<Record<string, string>>;
  };
  readonly domains: string | undefined;
  readonly listenAddress: string;
  readonly httpPort: number;
  readonly adminPort: number;
  /** Undefined: nothing can be asked for on the admin port. */
  readonly adminToken: string | undefined;
  readonly stateDir: string;
  /** Who to be once the ports are bound; undefined: whoever started us. */
  readonly runAs: { readonly uid: number; readonly gid: number } | undefined;
  /** A cron expression; undefined: daily at a minute drawn once. */
  readonly checkSchedule: string | undefined;
  readonly takeOver: boolean;
  readonly restore: boolean;
  readonly pause: boolean;
  /** The hours in which marathon-lb may be redeployed; undefined: all of them. */
  readonly installWindow: InstallWindow | undefined;
  readonly logLevel: string;
  /** Deadline after which a deployment is diagnosed. */
  readonly deploymentTimeoutMs: number;
  /** One look through the load balancer. */
  readonly probeTimeoutMs: number;
  readonly preflight: {
    readonly mode: (typeof PREFLIGHT_MODES)[number];
    /** Undefined: the system's. */
    readonly resolvers: readonly string[] | undefined;
  };
  /** Where alerts go; undefined: nowhere. The URL is a secret. */
  readonly webhook: { readonly url: string; readonly format: 'json' | 'slack' } | undefined;
  readonly warnings: readonly string[];
}

export type Environment = Readonly<Record<string, string | undefined>>;

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** One sentence each; the process ends with exit code 2, because no waiting mends a setting. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

export const SETTINGS: readonly { name: string; meaning: string; default: string; secret?: boolean }[] =
  Object.values(TABLE);

export function parseConfig(env: Environment): Config {
  const problems: string[] = [];

  /** A mistake is noted, not thrown, so that the operator sees them all at once. */
  function optional<T>(setting: Setting<T>): T | undefined {
    const text = textOf(env, setting);
    try {
      return text === '' ? undefined : setting.parse(text);
    } catch (error) {
      problems.push(`${nameUsed(env, setting)} ${(error as Error).message}`);
      return undefined;
    }
  }
  /** For settings with a default: undefined only after a mistake, and then nobody sees the result. */
  const required = <T>(setting: Setting<T>): T => optional(setting) as T;

  const directory = required(TABLE.directory);
  const marathonUrls = required(TABLE.marathonUrl);
  const email = emailOrWarning(optional(TABLE.email));
  const config: Config = {
    marathon: {
      urls: marathonUrls?.urls,
      user: optional(TABLE.user) ?? marathonUrls?.userinfo?.user,
      password: optional(TABLE.password) ?? marathonUrls?.userinfo?.password,
      token: optional(TABLE.token),
      serviceAccount: optional(TABLE.serviceAccount),
      caFile: optional(TABLE.marathonCaFile),
      timeoutMs: required(TABLE.marathonTimeout),
    },
    appId: required(TABLE.appId),
    taskId: optional(TABLE.taskId),
    loadBalancer: {
      id: required(TABLE.lbId),
      certEnv: required(TABLE.certEnv),
      httpPort: required(TABLE.lbHttpPort),
      httpsPort: required(TABLE.lbHttpsPort),
      servedCheck: optional(TABLE.servedCheck),
    },
    acme: {
      directoryUrl: directory?.url,
      caFile: optional(TABLE.acmeCaFile),
      email: email.email,
      keyType: required(TABLE.keyType),
      timeoutMs: required(TABLE.acmeTimeout),
      proxyEnv: proxyEnv(optional(TABLE.httpsProxy), optional(TABLE.noProxy)),
    },
    domains: optional(TABLE.domains),
    listenAddress: required(TABLE.listenAddress),
    httpPort: required(TABLE.httpPort),
    adminPort: required(TABLE.adminPort),
    adminToken: optional(TABLE.adminToken),
    stateDir: required(TABLE.stateDir),
    runAs: optional(TABLE.runAs),
    checkSchedule: optional(TABLE.checkSchedule),
    takeOver: required(TABLE.takeOver),
    restore: required(TABLE.restore) === 'on',
    pause: required(TABLE.pause),
    installWindow: optional(TABLE.installWindow),
    logLevel: required(TABLE.logLevel),
    deploymentTimeoutMs: required(TABLE.deploymentTimeout),
    probeTimeoutMs: required(TABLE.probeTimeout),
    preflight: { mode: required(TABLE.preflight), resolvers: optional(TABLE.preflightResolvers) },
    webhook: webhook(optional(TABLE.webhookUrl), required(TABLE.webhookFormat)),
    warnings: [directory?.warning, email.warning].filter((warning) => warning !== undefined),
  };
  problems.push(...contradictions(env, config));
  if (problems.length > 0) throw new ConfigError(problems);
  return { ...config, warnings: [...config.warnings, ...doubts(config)] };
}

/** What the program goes by, for people: every setting, with what is secret masked; also where a value is mistaken. */
export function effectiveSettings(env: Environment): Readonly<Record<string, string>> {
  const shown = (setting: Setting<unknown>): string => {
    const text = textOf(env, setting);
    if (setting.secret && text !== '') return '***';
    return setting.mayCarryUserinfo ? text.split(',').map(withoutUserinfo).join(',') : text;
  };
  return Object.fromEntries(Object.values(TABLE).map((setting) => [setting.name, shown(setting)]));
}

/** Up to the last @, for a password that should have been percent-encoded may hold one itself. */
function withoutUserinfo(url: string): string {
  return url.replace(/^(\s*(?:[a-z][a-z0-9+.-]*:\/\/)?).*@/i, '$1***@');
}

/** What was set, under whichever of its names; blank counts as not set, as in a definition with `"KEY": ""`. */
function textOf(env: Environment, setting: Setting<unknown>): string {
  return env[nameUsed(env, setting)]?.trim() || setting.default;
}

function nameUsed(env: Environment, setting: Setting<unknown>): string {
  const isSet = (name: string): boolean => Boolean(env[name]?.trim());
  return [setting.name, ...(setting.aliases ?? [])].find(isSet) ?? setting.name;
}

/** Under the names that every HTTP client knows. */
function proxyEnv(httpsProxy: string | undefined, noProxy: string | undefined): Readonly<Record<string, string>> {
  return { ...(httpsProxy && { HTTPS_PROXY: httpsProxy }), ...(noProxy && { NO_PROXY: noProxy }) };
}

/** Slack's own addresses, and those of others (Discord) that end in the word. */
function webhook(url: URL | undefined, format: (typeof WEBHOOK_FORMATS)[number]): Config['webhook'] {
  if (url === undefined) return undefined;
  const isSlack = /(^|\.)slack(-gov)?\.com$/.test(url.hostname) || url.pathname.endsWith('/slack');
  return { url: url.href, format: format === 'auto' ? (isSlack ? 'slack' : 'json') : format };
}

/** Settings that are right alone and wrong together. */
function contradictions(env: Environment, config: Config): readonly string[] {
  const { httpPort, adminPort, appId, loadBalancer, marathon } = config;
  const found: string[] = [];
  if (httpPort !== undefined && httpPort === adminPort)
    found.push(`HTTP_PORT and ADMIN_PORT are both ${httpPort}; give each a port of its own`);
  if (appId !== undefined && appId === loadBalancer.id)
    found.push(`MARATHON_LB_ID is '${appId}', our own app; it must be the id of the load balancer's app`);
  return [...found, ...authContradictions(env, marathon)];
}

function authContradictions(env: Environment, marathon: Config['marathon']): readonly string[] {
  const isSet = (setting: Setting<unknown>): boolean => textOf(env, setting) !== '';
  const ownPair = isSet(TABLE.user) || isSet(TABLE.password);
  const inUrl = textOf(env, TABLE.marathonUrl).includes('@');
  const kinds = [
    inUrl && 'a user in MARATHON_URL',
    ownPair && 'MARATHON_USER with MARATHON_PASSWORD',
    isSet(TABLE.token) && 'MARATHON_TOKEN',
    isSet(TABLE.serviceAccount) && 'DCOS_SERVICE_ACCOUNT_CREDENTIAL',
  ].filter((kind) => kind !== false);
  const found: string[] = [];
  if (kinds.length > 1)
    found.push(`Marathon is given ${kinds.length} ways to log in (${kinds.join(', ')}); keep one of them`);
  if (ownPair && !inUrl && marathon.user === undefined)
    found.push('MARATHON_USER is not set, but MARATHON_PASSWORD is; set both');
  if (ownPair && !inUrl && marathon.password === undefined)
    found.push('MARATHON_PASSWORD is not set, but MARATHON_USER is; set both');
  return found;
}

/** Settings that may be meant, and most often are not. */
function doubts(config: Config): readonly string[] {
  const { certEnv } = config.loadBalancer;
  const found: string[] = [];
  if (!/^HAPROXY_SSL_CERT(1?\d|2[0-8])?$/.test(certEnv))
    found.push(
      `MARATHON_LB_CERT_ENV is '${certEnv}'; marathon-lb as it comes reads HAPROXY_SSL_CERT and HAPROXY_SSL_CERT0 to 28; take one of these, unless yours reads another`,
    );
  if (config.acme.directoryUrl.startsWith('http:'))
    found.push(
      'LETSENCRYPT_SERVER_URL is not https, so anybody on the way could answer in the place of the CA; use its https address',
    );
  if (config.webhook?.url.startsWith('http:'))
    found.push('WEBHOOK_URL is not https, so anybody on the way can read it, and post to it; use its https address');
  return found;
}
