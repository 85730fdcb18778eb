/**
 * A healthy world for the planner: two names, one certificate, two load balancers that serve it. Rows take away from it.
 *
 * Every part is a function of what differs, so that a row says only what it is about.
 */

import type { PreflightVerdict } from '../../src/acme/preflight.ts';
import { CertificateBundle } from '../../src/certificates/bundle.ts';
import { EMPTY_LEDGER, type Failure, type Ledger } from '../../src/certificates/ledger.ts';
import type { App, Task } from '../../src/marathon/app.ts';
import type { Observation, Policy, PreflightSeen, RoutesSeen, Seen, WireSeen } from '../../src/plan/observation.ts';
import type { RouteVerdict } from '../../src/route.ts';
import type { ServedVerdict } from '../../src/served.ts';
import type { OrderInFlight, StoredState } from '../../src/store.ts';
import { type IssueOptions, issue, selfSignedWith } from './certificates.ts';

export const NOW = new Date('2026-11-22T12:00:00Z');
export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const ago = (ms: number): Date => new Date(NOW.getTime() - ms);
export const ahead = (ms: number): Date => ago(-ms);

export const NAMES = ['a.net', 'b.net'];
export const SLOT = 'HAPROXY_SSL_CERT';
export const DIRECTORY = 'https://acme-v02.api.letsencrypt.org/directory';
export const STAGING = 'https://acme-staging-v02.api.letsencrypt.org/directory';
export const SETTINGS = 'these settings';
export const VERSION = '2026-11-20T08:00:00.000Z';

export function policy(differing: Partial<Policy> = {}): Policy {
  return {
    appId: '/letsencrypt-dcos',
    taskId: 'us.1',
    loadBalancerId: '/marathon-lb',
    certEnv: SLOT,
    directoryUrl: DIRECTORY,
    domains: undefined,
    keyType: 'rsa4096',
    preflight: 'off',
    settingsMark: SETTINGS,
    takeOver: false,
    restore: true,
    pause: false,
    installWindow: undefined,
    deploymentTimeoutMs: 10 * MINUTE,
    ...differing,
  };
}

/** Ten days old, of ninety. */
export function certificate(differing: Partial<IssueOptions> = {}): CertificateBundle {
  const options = { domains: NAMES, notBefore: ago(10 * DAY), ...differing };
  return CertificateBundle.parse(issue(options).pem);
}

export function placeholder(...domains: string[]): CertificateBundle {
  return CertificateBundle.parse(selfSignedWith({ domains, notBefore: ago(DAY) }).pem);
}

/** The one that all is well with. */
export const CURRENT = certificate();
/** Covers the names, and is past two thirds of its life. */
export const DUE = certificate({ notBefore: ago(70 * DAY) });
export const EXPIRED = certificate({ notBefore: ago(100 * DAY) });
/** Somebody else's, for names that are not ours. */
export const FOREIGN = certificate({ domains: ['shop.net'], issuerName: 'Bought CA' });

export function task(id: string, differing: Partial<Task> = {}): Task {
  return {
    id,
    host: `10.0.0.${id.at(-1)}`,
    ports: [80, 443],
    state: 'TASK_RUNNING',
    version: VERSION,
    stagedAt: ago(2 * DAY),
    startedAt: ago(2 * DAY),
    alive: true,
    passedAt: undefined,
    ...differing,
  };
}

function app(differing: Partial<App> & Pick<App, 'id'>): Seen<App> {
  const value: App = {
    instances: 1,
    env: {},
    secrets: undefined,
    labels: {},
    version: VERSION,
    lastConfigChangeAt: VERSION,
    deployments: [],
    tasks: [],
    hasHealthChecks: true,
    containerPorts: [80, 443],
    hostNetwork: false,
    containerType: 'DOCKER',
    fixedPorts: [80, 443],
    upgradeStrategy: { minimumHealthCapacity: 0.5, maximumOverCapacity: 0.2 },
    args: [],
    lastTaskFailure: undefined,
    echoes: {},
    ...differing,
  };
  return { ok: true, value };
}

export function ourApp(differing: Partial<App> = {}): Seen<App> {
  return app({ id: '/letsencrypt-dcos', labels: vhost(...NAMES), tasks: [task('us.1')], ...differing });
}

export function vhost(...names: string[]): Record<string, string> {
  return { HAPROXY_0_VHOST: names.join(',') };
}

export function loadBalancer(differing: Partial<App> = {}): Seen<App> {
  const tasks = [task('lb.1'), task('lb.2')];
  return app({ id: '/marathon-lb', instances: 2, env: holding(CURRENT), tasks, ...differing });
}

/** An environment with these in the first variable and the numbered ones after it; undefined: not there. */
export function holding(...values: (CertificateBundle | App['env'][string] | undefined)[]): App['env'] {
  const entries = values.map((value, index) => {
    const name = index === 0 ? SLOT : `${SLOT}${index - 1}`;
    return [name, value instanceof CertificateBundle ? value.pem : value] as const;
  });
  const given = entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  return { HAPROXY_GLOBAL_DEFAULT_OPTIONS: 'redispatch', ...Object.fromEntries(given) };
}

/** marathon-lb while Marathon replaces its tasks. */
export function deploying(differing: Partial<App> = {}): Seen<App> {
  return loadBalancer({ deployments: ['d-17'], ...differing });
}

export function ledger(differing: Partial<Ledger> = {}): Ledger {
  return { ...EMPTY_LEDGER, ...differing };
}

/** What ordering and posting this one leaves behind. */
export function remembering(bundle: CertificateBundle, slot = SLOT): Ledger {
  return ledger({ installed: [bundle.fingerprint], posted: { [slot]: bundle.fingerprint } });
}

export function failure(differing: Partial<Failure> = {}): Failure {
  return {
    at: ago(SECOND),
    directory: DIRECTORY,
    settings: SETTINGS,
    scope: 'certificate',
    names: NAMES,
    type: 'unauthorized',
    pace: 'order',
    problem: 'ACME: a.net: unauthorized: 404',
    retryAfter: undefined,
    ...differing,
  };
}

export function stored(differing: Partial<StoredState> = {}): StoredState {
  return {
    bundle: CURRENT,
    bundleDirectory: DIRECTORY,
    previous: undefined,
    order: undefined,
    kept: undefined,
    ledger: remembering(CURRENT),
    certbots: [],
    wasEmpty: false,
    problems: [],
    writable: true,
    ...differing,
  };
}

/** A state folder that came up with nothing in it. */
export function empty(differing: Partial<StoredState> = {}): StoredState {
  const nothing = { bundle: undefined, bundleDirectory: undefined, ledger: EMPTY_LEDGER, wasEmpty: true };
  return stored({ ...nothing, ...differing });
}

export function inFlight(differing: Partial<OrderInFlight> = {}): OrderInFlight {
  const url = 'https://acme-v02.api.letsencrypt.org/acme/order/1/2';
  const keyPem = issue({ domains: NAMES }).keyPem;
  return { directory: DIRECTORY, url, domains: NAMES, keyPem, createdAt: ago(MINUTE), ...differing };
}

/** Every name at both load balancers; all lead to us, but where a name has another verdict. */
export function routes(
  verdicts: Readonly<Record<string, RouteVerdict>> = {},
  differing: Partial<RoutesSeen> = {},
  names: readonly string[] = NAMES,
) {
  const looks = ['lb.1', 'lb.2'].flatMap((taskId) =>
    names.map((domain) => ({
      instance: { taskId, host: `10.0.0.${taskId.at(-1)}`, httpPort: 80, httpsPort: 443 },
      domain,
      verdict: verdicts[domain] ?? { kind: 'ours' as const },
    })),
  );
  const waitingSince = Object.keys(verdicts).length > 0 ? ago(SECOND) : undefined;
  const since = differing.waitingSince ?? waitingSince;
  const lackingSince = Object.fromEntries(Object.keys(verdicts).map((name) => [name, since ?? NOW]));
  return { at: NOW, waitingSince, lackingSince, looks, ...differing } satisfies RoutesSeen;
}

export const GOOD: PreflightVerdict = { kind: 'good' };
export const BAD: PreflightVerdict = { kind: 'bad', why: 'no A record', cure: 'create one' };
export const UNKNOWN: PreflightVerdict = { kind: 'unknown', why: 'hairpin', cure: 'see from outside' };

/** One name, tried from outside a minute ago. */
export function tried(
  domain: string,
  verdict: PreflightVerdict,
  differing: Partial<PreflightSeen> = {},
): PreflightSeen {
  const badSince = verdict.kind === 'good' ? undefined : ago(HOUR);
  return { domain, at: ago(MINUTE), verdict, badSince, recoveredAt: undefined, ...differing };
}

/** Every name at both load balancers, seen an hour ago; all served, but where a task has another verdict. */
export function wire(
  verdicts: Readonly<Record<string, ServedVerdict>> = {},
  differing: Partial<WireSeen> = {},
  names: readonly string[] = NAMES,
) {
  const looks = ['lb.1', 'lb.2'].flatMap((taskId) =>
    names.map((domain) => ({
      endpoint: `10.0.0.${taskId.at(-1)}:443`,
      taskId,
      domain,
      verdict: verdicts[taskId] ?? { kind: 'served' as const },
    })),
  );
  const failingSince = Object.keys(verdicts).length > 0 ? ago(HOUR + MINUTE) : undefined;
  const facts = { at: ago(HOUR), expected: CURRENT.fingerprint, loadBalancerVersion: VERSION };
  return { ...facts, failingSince, looks, ...differing } satisfies WireSeen;
}

/** All is well, but for what differs. */
export function observation(differing: Partial<Observation> = {}): Observation {
  return {
    at: NOW,
    self: ourApp(),
    loadBalancer: loadBalancer(),
    stored: stored(),
    order: undefined,
    failedInstall: undefined,
    unsettledSince: undefined,
    routes: undefined,
    preflight: [],
    wire: wire(),
    queue: undefined,
    failedLaunches: [],
    neighbours: undefined,
    ourDeployment: undefined,
    pastNames: undefined,
    ...differing,
  };
}
