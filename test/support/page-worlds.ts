/**
 * The statuses that the page is looked at with: one world for each thing that may be on it, made by the real planner.
 *
 * The table in test/unit/page.test.ts says what must stand there; a browser looks at some of them, and so do the screenshots.
 */
import type { Failure } from '../../src/certificates/ledger.ts';
import { installWindow } from '../../src/install-window/window.ts';
import type { Observation, Policy } from '../../src/plan/observation.ts';
import { plan } from '../../src/plan/plan.ts';
import { type Status, statusOf } from '../../src/status.ts';
import { Timeline } from '../../src/timeline.ts';
import {
  ago,
  ahead,
  certificate,
  DAY,
  DIRECTORY,
  failure,
  HOUR,
  holding,
  ledger,
  loadBalancer,
  MINUTE,
  NOW,
  observation,
  ourApp,
  policy,
  remembering,
  SECOND,
  stored,
  task,
  vhost,
  wire,
} from './observation.ts';

const NAMES = ['www.shop.example.com', 'shop.example.com', 'api.example.com', 'status.example.com'];
const LATER = 'blog.example.com';
const BUNDLE = certificate({ domains: NAMES, notBefore: ago(37 * DAY), issuerName: "Let's Encrypt R11" });
const RENEWED = certificate({ domains: NAMES, notBefore: ago(HOUR), issuerName: "Let's Encrypt R11" });
const TASK = 'letsencrypt-dcos.instance-5f1d.1';

const twoBalancers = (differing: object = {}) =>
  loadBalancer({
    env: holding(BUNDLE),
    tasks: [task('lb.1'), task('lb.2')],
    ...differing,
  });
const seenOnWire = (verdicts: Parameters<typeof wire>[0] = {}) =>
  wire(verdicts, { at: ago(SECOND), expected: BUNDLE.fingerprint }, NAMES);
const kept = (failures: readonly Failure[] = []) =>
  stored({
    bundle: BUNDLE,
    ledger: {
      ...remembering(BUNDLE),
      failures,
      issued: [{ at: ago(2 * DAY), directory: DIRECTORY, set: 'others', fingerprint: 'AA' }],
      orders: [{ at: ago(HOUR), directory: DIRECTORY }],
    },
  });

/** All is well; a row takes away from it. */
function seen(differing: Partial<Observation> = {}): Observation {
  const self = ourApp({ labels: vhost(...NAMES), tasks: [task(TASK)] });
  return observation({ self, loadBalancer: twoBalancers(), stored: kept(), wire: seenOnWire(), ...differing });
}

const refused = failure({
  at: ago(5 * MINUTE),
  scope: 'name',
  names: [LATER],
  pace: 'name',
  problem: `ACME: ${LATER}: unauthorized: 203.0.113.7: Invalid response from http://${LATER}/.well-known/acme-challenge/…: 404. What answers at 203.0.113.7 is not this load balancer: correct the A record of ${LATER}`,
});

interface World {
  readonly seen: Partial<Observation>;
  readonly policy?: Partial<Policy>;
  readonly before?: Partial<Observation>;
}

const WORLDS = {
  live: { before: { loadBalancer: twoBalancers({ deployments: ['5ed4c0c5'] }) }, seen: {} },
  degraded: {
    seen: {
      self: ourApp({ labels: vhost(...NAMES, LATER), tasks: [task(TASK)] }),
      stored: kept([refused]),
    },
  },
  'not-served': {
    seen: {
      wire: seenOnWire({
        'lb.2': {
          kind: 'other',
          fingerprint: '3F:A1:55:00:9C:02:77:18:AB:3F:A1:55:00:9C:02:77:18:AB',
          domains: ['*.example.com'],
          notAfter: ahead(3 * DAY),
        },
      }),
    },
  },
  unproven: {
    seen: {
      wire: seenOnWire({ 'lb.1': { kind: 'unreachable', note: 'cannot connect to 10.0.0.1:443: ECONNREFUSED' } }),
    },
  },
  blind: {
    seen: {
      self: { ok: false, problem: 'Marathon: GET /v2/apps/letsencrypt-dcos: 503 no leader elected' },
    },
  },
  'not-writable': {
    seen: {
      stored: stored({
        bundle: undefined,
        ledger: ledger(),
        writable: false,
        problems: ['/etc/letsencrypt: no space left'],
      }),
      loadBalancer: twoBalancers({ env: {} }),
      wire: undefined,
    },
  },
  ordering: {
    seen: {
      order: {
        startedAt: ago(20 * SECOND),
        domains: NAMES,
        progress: { step: 'validating', validated: 2, total: 4 },
      },
      stored: stored({ bundle: undefined, ledger: ledger() }),
      loadBalancer: twoBalancers({ env: {} }),
      wire: undefined,
    },
  },
  deploying: {
    seen: {
      stored: stored({ bundle: RENEWED, ledger: remembering(RENEWED) }),
      loadBalancer: twoBalancers({ env: holding(RENEWED), deployments: ['5ed4c0c5'] }),
      ourDeployment: '5ed4c0c5',
      unsettledSince: ago(40 * SECOND),
    },
  },
  'waiting-for-window': {
    seen: {
      stored: stored({
        bundle: RENEWED,
        previous: BUNDLE,
        ledger: { ...remembering(BUNDLE), installed: [BUNDLE.fingerprint, RENEWED.fingerprint] },
      }),
    },
    policy: { installWindow: installWindow('Mon-Fri 02:00-04:00; Sat,Sun 01:00-06:00 Europe/Berlin') },
  },
  following: { seen: {}, policy: { taskId: 'letsencrypt-dcos.instance-77aa.2' } },
  'no-names': { seen: { self: ourApp({ labels: {}, tasks: [task(TASK)] }) } },
  paused: { seen: {}, policy: { pause: true } },
} satisfies Readonly<Record<string, World>>;

export type WorldName = keyof typeof WORLDS;
export const WORLD_NAMES = Object.keys(WORLDS) as readonly WorldName[];

export function statusIn(name: WorldName, differing: Partial<Status> = {}): Status {
  const world: World = WORLDS[name];
  const our = policy({ taskId: TASK, ...world.policy });
  const timeline = new Timeline(ago(3 * HOUR), 'letsencrypt-dcos 2.0.0 started');
  const plans = [
    ...(world.before === undefined ? [] : [plan(seen({ at: ago(2 * HOUR), ...world.before }), our)]),
    plan(seen(world.seen), our),
  ];
  for (const one of plans) timeline.note(one);
  return {
    ...statusOf(plans.at(-1), {
      ...{ version: '2.0.0', appId: our.appId, taskId: our.taskId, loadBalancerId: our.loadBalancerId },
      ...{ directoryUrl: our.directoryUrl, startedAt: ago(3 * HOUR), alive: true, warnings: [] },
      ...{ deployments: timeline.deployments, events: timeline.events },
    }),
    ...differing,
  };
}

export { NOW };
