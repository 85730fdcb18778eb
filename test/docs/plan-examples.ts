/**
 * Each state of the plan as an operator meets it: worlds in which the planner says so, and what to do where it leaves
 * that to the reader.
 */
import { CURES as SEEN_FROM_HERE } from '../../src/acme/preflight.ts';
import { setOf } from '../../src/certificates/ledger.ts';
import { installWindow } from '../../src/install-window/window.ts';
import type { Observation, Policy } from '../../src/plan/observation.ts';
import type { State } from '../../src/plan/verdict.ts';
import {
  ago,
  ahead,
  CURRENT,
  DAY,
  DIRECTORY,
  DUE,
  deploying,
  empty,
  FOREIGN,
  failure,
  HOUR,
  holding,
  ledger,
  loadBalancer,
  MINUTE,
  NAMES,
  NOW,
  observation,
  ourApp,
  policy,
  remembering,
  routes,
  SECOND,
  SLOT,
  stored,
  task,
  tried,
  vhost,
  wire,
} from '../support/observation.ts';

export interface Example {
  readonly state: State;
  readonly seen?: Partial<Observation>;
  readonly policy?: Partial<Policy>;
  /** Where the plan has no cure of its own. */
  readonly otherwise?: string;
}

export const worldOf = ({ seen, policy: differing }: Example) => ({
  seen: observation(seen),
  policy: policy(differing),
});

const NOTHING = 'nothing: it goes on by itself';
const OUTAGE = { ok: false, problem: 'Marathon: GET /v2/apps/marathon-lb: no answer within 10 s' } as const;
const answered = (status: number, note: string) => ({ kind: 'answered', status, note }) as const;
const other = { kind: 'other', fingerprint: 'AA:BB:CC:DD:EE', domains: [], notAfter: ahead(DAY) } as const;
const WITHOUT_ADDRESS = {
  kind: 'bad',
  why: 'a.net: does not exist in DNS (NXDOMAIN)',
  cure: SEEN_FROM_HERE.noName,
} as const;
const silent = { kind: 'unreachable', note: 'connection refused' } as const;

/** No certificate yet, and a load balancer that runs. */
const bare = {
  loadBalancer: loadBalancer({ env: holding() }),
  stored: stored({ bundle: undefined, ledger: ledger() }),
};
const noRoute = (status: number, note: string) => ({ ...bare, routes: routes({ 'a.net': answered(status, note) }) });
const failed = (differing: Parameters<typeof failure>[0]) => ({
  ...bare,
  stored: stored({ bundle: undefined, ledger: ledger({ failures: [failure(differing)] }) }),
});
const refusedName = failure({
  ...{ scope: 'name', names: ['c.net'], pace: 'name' },
  problem: 'ACME: c.net: connection: connection refused',
});
const had = (...msAgo: readonly number[]) =>
  msAgo.map((ms) => ({ at: ago(ms), directory: DIRECTORY, set: setOf(NAMES), fingerprint: `${ms}` }));
const issued = { loadBalancer: loadBalancer({ env: holding() }), stored: stored({ ledger: ledger() }) };
const stuck = (declined: Readonly<Record<string, number>>, overdue = true) => ({
  loadBalancer: deploying(),
  unsettledSince: ago(HOUR),
  queue: { ok: true, value: [{ appId: '/marathon-lb', count: 1, overdue, timeLeftSeconds: 40, declined }] } as const,
});

export const EXAMPLES: readonly Example[] = [
  { state: 'no-names', seen: { self: ourApp({ labels: {} }) } },
  {
    state: 'blind',
    seen: { loadBalancer: OUTAGE },
  },
  { state: 'following', seen: { self: ourApp({ tasks: [task('us.1', { state: 'TASK_STAGING' })] }) } },
  {
    state: 'following',
    seen: { self: ourApp({ instances: 2, tasks: [task('us.0', { startedAt: ago(3 * DAY) }), task('us.1')] }) },
    otherwise: 'nothing: look at the instance that leads',
  },
  { state: 'waiting-for-route', seen: noRoute(503, 'no server is available') },
  { state: 'waiting-for-route', seen: noRoute(401, 'it asks for a password') },
  { state: 'waiting-for-route', seen: noRoute(200, 'another answer than ours') },
  { state: 'waiting-for-route', seen: noRoute(404, 'another answer than ours') },
  {
    state: 'waiting-for-route',
    seen: { ...bare, routes: routes({ 'a.net': { kind: 'redirected', to: 'https://www.example.com/login' } }) },
  },
  { state: 'waiting-for-route', seen: { ...bare, routes: routes({ 'a.net': silent }) } },
  {
    state: 'waiting-for-route',
    seen: { ...bare, preflight: [tried('a.net', WITHOUT_ADDRESS), tried('b.net', WITHOUT_ADDRESS)], routes: routes() },
    policy: { preflight: 'auto' },
  },
  {
    state: 'waiting-for-route',
    seen: { ...bare, loadBalancer: loadBalancer({ env: holding(), instances: 0, tasks: [] }) },
  },
  {
    state: 'not-writable',
    seen: {
      ...bare,
      stored: stored({
        bundle: undefined,
        ledger: ledger(),
        writable: false,
        problems: [
          '/etc/letsencrypt cannot be written (ENOSPC): nothing is ordered until it can; make room on its disk',
        ],
      }),
    },
  },
  {
    state: 'ordering',
    seen: {
      ...bare,
      order: {
        startedAt: ago(10 * SECOND),
        domains: ['a.net'],
        progress: { step: 'validating', validated: 1, total: 2 },
      },
    },
    otherwise: NOTHING,
  },
  {
    state: 'backing-off',
    seen: failed({ problem: 'ACME: a.net: unauthorized: Invalid response: 404', names: ['a.net', 'b.net'] }),
    otherwise:
      'look the sentence up under [what the CA says](#what-the-ca-says); *Retry now* on the page tries at once',
  },
  {
    state: 'backing-off',
    seen: {
      stored: stored({ bundle: DUE, ledger: { ...remembering(DUE), issued: had(DAY, 2 * DAY) } }),
      loadBalancer: loadBalancer({ env: holding(DUE) }),
      routes: routes(),
      wire: wire({}, { expected: DUE.fingerprint }),
    },
  },
  {
    state: 'backing-off',
    seen: {
      loadBalancer: loadBalancer({ env: holding() }),
      stored: empty(),
      self: ourApp({
        lastTaskFailure: {
          state: 'TASK_FAILED',
          message: 'Container exited with status 137',
          at: ago(MINUTE),
          taskId: 'us.0',
          host: '10.0.0.9',
          version: undefined,
        },
      }),
    },
  },
  {
    state: 'backing-off',
    seen: {
      ...issued,
      failedInstall: {
        at: NOW,
        fingerprint: CURRENT.fingerprint,
        loadBalancerVersion: '2026-11-20T08:00:00.000Z',
        problem: 'Marathon: PUT /v2/apps/marathon-lb: 403 Not Authorized to perform this action!',
        retryable: false,
        count: 1,
      },
    },
    otherwise: 'see [what Marathon says](#what-marathon-says)',
  },
  {
    state: 'not-installable',
    seen: {
      ...issued,
      loadBalancer: loadBalancer({
        env: holding(...Array.from({ length: 30 }, () => FOREIGN)),
      }),
    },
  },
  {
    state: 'not-installable',
    seen: { ...issued, loadBalancer: loadBalancer({ env: holding('not a PEM'), hasHealthChecks: false }) },
  },
  {
    state: 'not-installable',
    seen: { ...issued, stored: stored({ ledger: ledger({ blocked: [CURRENT.fingerprint] }) }) },
    policy: { keyType: 'ec256' },
  },
  {
    state: 'contested',
    seen: {
      loadBalancer: loadBalancer({ env: holding() }),
      stored: stored({
        ledger: {
          ...remembering(CURRENT),
          replacements: [{ at: ago(HOUR), slot: SLOT, fingerprint: CURRENT.fingerprint }],
        },
      }),
    },
  },
  { state: 'installing', seen: issued, otherwise: NOTHING },
  {
    state: 'installing',
    seen: { ...issued, loadBalancer: deploying({ env: holding() }), unsettledSince: ago(MINUTE) },
    otherwise: 'nothing: it never posts on top of a deployment; end yours if it hangs',
  },
  {
    state: 'waiting-for-window',
    seen: {
      loadBalancer: loadBalancer({ env: holding(DUE) }),
      stored: stored({ ledger: { ...remembering(DUE), installed: [DUE.fingerprint, CURRENT.fingerprint] } }),
      wire: wire({}, { expected: DUE.fingerprint }),
    },
    policy: { installWindow: installWindow('Sat,Sun 01:00-06:00 Europe/Berlin') },
    otherwise: 'nothing: what is urgent does not wait; to have it installed at once, empty `INSTALL_WINDOW`',
  },
  { state: 'deploying', seen: { loadBalancer: deploying(), unsettledSince: ago(MINUTE) }, otherwise: NOTHING },
  {
    state: 'deploying',
    seen: {
      loadBalancer: loadBalancer({ tasks: [task('lb.1'), task('lb.2', { alive: false })] }),
      unsettledSince: ago(MINUTE),
    },
  },
  { state: 'stuck', seen: stuck({ InsufficientPorts: 12 }) },
  { state: 'stuck', seen: stuck({ InsufficientMemory: 3 }) },
  {
    state: 'stuck',
    seen: stuck({}, false),
  },
  {
    state: 'not-served',
    seen: { wire: wire({ 'lb.2': other }, { at: NOW, failingSince: ago(HOUR) }) },
  },
  { state: 'unproven', seen: { wire: wire({ 'lb.2': silent }, { at: NOW, failingSince: ago(HOUR) }) } },
  {
    state: 'degraded',
    seen: {
      self: ourApp({ labels: vhost('a.net', 'b.net', 'c.net') }),
      stored: stored({ ledger: { ...remembering(CURRENT), failures: [refusedName] } }),
    },
    otherwise: 'see what stands in the way of the names that are missing: the rest of the sentence says it',
  },
  { state: 'live', otherwise: 'nothing' },
];
