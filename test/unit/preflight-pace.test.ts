/**
 * How often names are tried from outside, by the running loop: the production Reconciler, Observer and planner under a
 * clock that only the test moves.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { PreflightVerdict } from '../../src/acme/preflight.ts';
import { parseConfig } from '../../src/config.ts';
import { Observer } from '../../src/observe.ts';
import type { Policy } from '../../src/plan/observation.ts';
import { plan } from '../../src/plan/plan.ts';
import { type Loop, startLoop } from '../support/mock-loop.ts';
import {
  BAD,
  GOOD,
  HOUR,
  loadBalancer,
  MINUTE,
  NAMES,
  NOW,
  ourApp,
  policy,
  SECOND,
  stored,
  UNKNOWN,
  vhost,
} from '../support/observation.ts';

const NEW = 'c.net';
/** A sleep ends with the next step, so a pause may be longer by one of these. */
const STEP = 5 * SECOND;

interface Outside {
  readonly loop: Loop;
  /** What is seen of each name from now on; good unless told. */
  readonly verdicts: Record<string, PreflightVerdict>;
  /** Minutes after the start at which this name was tried. */
  triesOf(name: string): readonly number[];
  /** Names of the orders that were begun. */
  readonly orders: (readonly string[])[];
}

/** Live with the two names; `wanted` may have one more. Every name leads to us and is served. */
function outside(t: TestContext, wanted: readonly string[], preflight: Policy['preflight']): Outside {
  const verdicts: Record<string, PreflightVerdict> = { [NEW]: BAD };
  const tries: { readonly at: number; readonly names: readonly string[] }[] = [];
  const orders: (readonly string[])[] = [];
  const app = { '/marathon-lb': loadBalancer(), '/letsencrypt-dcos': ourApp({ labels: vhost(...wanted) }) };
  const observer = new Observer({
    config: parseConfig({}),
    marathon: {
      app: async (id) => {
        const seen = app[id as keyof typeof app];
        return seen.ok ? seen.value : assert.fail();
      },
      deployments: async () => [],
      queue: async () => [],
      pastLabels: async () => [],
      neighbours: async () => [],
    },
    store: { read: async () => stored() },
    actions: { order: undefined, failedInstall: undefined, deploymentId: undefined, renewAskedAt: undefined },
    routes: async (instances, domains) =>
      instances.flatMap((instance) => domains.map((domain) => ({ instance, domain, verdict: { kind: 'ours' } }))),
    preflight: async (names) => {
      tries.push({ at: (Date.now() - NOW.getTime()) / MINUTE, names });
      return names.map((domain) => ({ domain, verdict: verdicts[domain] ?? GOOD }));
    },
    wire: async (endpoints, domains) =>
      endpoints.flatMap(({ host, port, taskId }) =>
        domains.map((domain) => ({ endpoint: `${host}:${port}`, taskId, domain, verdict: { kind: 'served' } })),
      ),
  });
  const loop = startLoop(t, {
    observe: (signal) => observer.look(signal),
    lookCloser: (seen, planned, signal) => observer.lookCloser(seen, planned, signal),
    plan: (seen) => plan(seen, policy({ preflight })),
    act: async (action) => {
      if (action.kind === 'issue') orders.push(action.spec.domains);
    },
  });
  const triesOf = (name: string) => tries.filter(({ names }) => names.includes(name)).map(({ at }) => at);
  return { loop, verdicts, triesOf, orders };
}

/** Minutes between one try and the next. */
const pauses = (times: readonly number[]): readonly number[] =>
  times.slice(1).map((time, nth) => time - (times[nth] ?? 0));

function assertPaced(times: readonly number[], count: number, everyMinutes: number): void {
  assert.equal(times.length, count, `tried after ${times.join(', ')} minutes`);
  for (const pause of pauses(times)) assert.ok(pause >= everyMinutes && pause < everyMinutes + 1, `${pause} minutes`);
}

test('all is well: every name is tried again every six hours, and no more often', async (t) => {
  const { loop, triesOf, orders } = outside(t, NAMES, 'auto');
  await loop.pass(18 * HOUR + 10 * MINUTE, STEP);
  for (const name of NAMES) assertPaced(triesOf(name), 4, 360);
  assert.deepEqual(orders, []);
});

test('a name that waits is tried every five minutes, its neighbours are not; mended, it is ordered within five', async (t) => {
  const { loop, verdicts, triesOf, orders } = outside(t, [...NAMES, NEW], 'auto');
  await loop.pass(2 * HOUR + 3 * MINUTE, STEP);
  assertPaced(triesOf(NEW), 25, 5);
  for (const name of NAMES) assert.equal(triesOf(name).length, 1, name);
  assert.deepEqual(orders, []);
  verdicts[NEW] = GOOD;
  await loop.pass(5 * MINUTE + STEP, STEP);
  assert.deepEqual(orders[0], [...NAMES, NEW]);
});

test('what cannot be seen from here: ordered at once, but with PREFLIGHT=strict tried every five minutes until it is seen', async (t) => {
  await t.test('auto', async (t) => {
    const { loop, verdicts, orders } = outside(t, [...NAMES, NEW], 'auto');
    verdicts[NEW] = UNKNOWN;
    await loop.pass(MINUTE, STEP);
    assert.deepEqual(orders[0], [...NAMES, NEW]);
  });
  await t.test('strict', async (t) => {
    const { loop, verdicts, triesOf, orders } = outside(t, [...NAMES, NEW], 'strict');
    verdicts[NEW] = UNKNOWN;
    await loop.pass(HOUR + 2 * MINUTE, STEP);
    assertPaced(triesOf(NEW), 13, 5);
    assert.deepEqual(orders, []);
    verdicts[NEW] = GOOD;
    await loop.pass(5 * MINUTE + STEP, STEP);
    assert.deepEqual(orders[0], [...NAMES, NEW]);
  });
});

test('PREFLIGHT=off: nobody is asked', async (t) => {
  const { loop, triesOf, orders } = outside(t, [...NAMES, NEW], 'off');
  await loop.pass(MINUTE, STEP);
  assert.deepEqual([triesOf(NEW), orders[0]], [[], [...NAMES, NEW]]);
});
