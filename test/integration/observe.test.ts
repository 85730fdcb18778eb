/** What the Observer remembers from look to look, with senses that are handed in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PreflightVerdict } from '../../src/acme/preflight.ts';
import { parseConfig } from '../../src/config.ts';
import { MarathonError } from '../../src/marathon/error.ts';
import { Observer, type Senses } from '../../src/observe.ts';
import type { Observation } from '../../src/plan/observation.ts';
import { type Plan, plan } from '../../src/plan/plan.ts';
import type { Look } from '../../src/plan/verdict.ts';
import type { RouteVerdict } from '../../src/route.ts';
import {
  BAD,
  CURRENT,
  GOOD,
  HOUR,
  loadBalancer,
  NAMES,
  NOW,
  ourApp,
  policy,
  SECOND,
  stored,
  UNKNOWN,
  vhost,
} from '../support/observation.ts';

const never = new AbortController().signal;
const ALL = [...NAMES, 'c.net'];

/** A world in which all is well; what the test changes in it is seen from then on. */
function world(differing: Partial<Senses> = {}) {
  const now = {
    names: ALL as readonly string[],
    preflight: {} as Record<string, PreflightVerdict>,
    routes: {} as Record<string, RouteVerdict>,
  };
  const asked: { routes: (readonly string[])[]; preflight: (readonly string[])[]; wire: (readonly string[])[] } = {
    routes: [],
    preflight: [],
    wire: [],
  };
  const app = (id: string) =>
    id === policy().loadBalancerId ? loadBalancer() : ourApp({ labels: vhost(...now.names) });
  const observer = new Observer({
    config: parseConfig({ LETSENCRYPT_EMAIL: 'a@b.net', MARATHON_LB_ID: policy().loadBalancerId }),
    marathon: {
      app: async (id) => {
        const seen = app(id);
        return seen.ok ? seen.value : assert.fail();
      },
      deployments: async () => [],
      queue: async () => [],
      pastLabels: async () => [],
      neighbours: async () => [],
    },
    store: { read: async () => stored() },
    actions: { order: undefined, failedInstall: undefined, deploymentId: undefined, renewAskedAt: undefined },
    routes: async (instances, domains) => {
      asked.routes.push(domains);
      return instances.flatMap((instance) =>
        domains.map((domain) => ({ instance, domain, verdict: now.routes[domain] ?? { kind: 'ours' } })),
      );
    },
    preflight: async (domains) => {
      asked.preflight.push(domains);
      return domains.map((domain) => ({ domain, verdict: now.preflight[domain] ?? GOOD }));
    },
    wire: async (endpoints, domains) => {
      asked.wire.push(domains);
      return endpoints.flatMap(({ host, port, taskId }) =>
        domains.map((domain) => ({
          endpoint: `${host}:${port}`,
          taskId,
          domain,
          verdict: { kind: 'served' } as const,
        })),
      );
    },
    ...differing,
  });
  /** As the loop does it, but for what the plan asks to be looked at. */
  const look = async (...looks: readonly Look[]): Promise<Observation> => {
    const seen = await observer.look(never);
    const planned: Plan = { ...plan(seen, policy({ preflight: 'auto' })), looks, preflightDue: now.names };
    return observer.lookCloser(seen, planned, never);
  };
  return { now, asked, observer, look };
}

const of = (name: string, { preflight }: Observation) => preflight.find(({ domain }) => domain === name);

test('a preflight that is bad is remembered since when, until it is good; then, when it turned', async () => {
  const { now, look } = world();
  now.preflight['c.net'] = BAD;
  const first = of('c.net', await look('preflight'));
  assert.deepEqual([first?.badSince, first?.recoveredAt], [first?.at, undefined]);
  now.preflight['c.net'] = UNKNOWN;
  const second = of('c.net', await look('preflight'));
  assert.deepEqual([second?.verdict.kind, second?.badSince], ['unknown', first?.badSince]);
  now.preflight['c.net'] = GOOD;
  const third = of('c.net', await look('preflight'));
  assert.deepEqual([third?.badSince, third?.recoveredAt], [undefined, third?.at]);
  const fourth = of('c.net', await look('preflight'));
  assert.deepEqual(fourth?.recoveredAt, third?.at, 'it turned only once');
  assert.equal(of('a.net', await look('preflight'))?.recoveredAt, undefined, 'it was good all the time');
});

test('only the names that are due are tried; of the others what is known stays', async () => {
  const { asked, observer, look } = world();
  const seen = await look('preflight');
  const planned: Plan = { ...plan(seen, policy()), looks: ['preflight'], preflightDue: ['b.net'] };
  const closer = await observer.lookCloser(seen, planned, never);
  assert.deepEqual(asked.preflight, [ALL, ['b.net']]);
  assert.deepEqual(of('a.net', closer), of('a.net', seen));
  assert.equal(closer.preflight.length, ALL.length);
});

test('a name that nobody wants any more is forgotten, with its past', async () => {
  const { now, look } = world();
  now.preflight['c.net'] = BAD;
  await look('preflight');
  now.names = NAMES;
  assert.deepEqual(
    (await look('preflight')).preflight.map(({ domain }) => domain),
    NAMES,
  );
  now.names = ALL;
  const anew = of('c.net', await look('preflight'));
  assert.deepEqual(anew?.badSince, anew?.at);
});

test('the load balancers are asked for the names on the certificate, and for no others', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: NOW });
  const { asked, look } = world();
  const { wire } = await look('wire');
  assert.deepEqual(asked.wire, [NAMES]);
  assert.deepEqual([wire?.expected, wire?.failingSince], [CURRENT.fingerprint, undefined]);
});

test('no route: remembered since when, until all lead to us', async () => {
  const { now, look } = world();
  now.routes['c.net'] = { kind: 'answered', status: 503, note: '' };
  const since = (await look('routes')).routes?.waitingSince;
  assert.ok(since);
  assert.deepEqual((await look('routes')).routes?.waitingSince, since);
  now.routes = {};
  assert.equal((await look('routes')).routes?.waitingSince, undefined);
});

test('looking at everything anew, as the daily check does, does not begin the wait for a route anew', async () => {
  const { now, observer, look } = world();
  now.routes['c.net'] = { kind: 'answered', status: 503, note: '' };
  const since = (await look('routes')).routes?.waitingSince;
  observer.forget();
  assert.equal((await look()).routes, undefined, 'what was seen is not believed any more');
  assert.deepEqual((await look('routes')).routes?.waitingSince, since);
});

test('each name has its own wait: one that has had no route for long says nothing of another', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_000 });
  const { now, look } = world();
  now.routes['c.net'] = { kind: 'unreachable', note: '' };
  await look('routes');
  t.mock.timers.setTime(2_000);
  now.routes['a.net'] = { kind: 'unreachable', note: '' };
  const lacking = (await look('routes')).routes?.lackingSince;
  assert.deepEqual(lacking, { 'a.net': new Date(2_000), 'c.net': new Date(1_000) });
  now.routes = {};
  assert.deepEqual((await look('routes')).routes?.lackingSince, {});
});

test('the clock is set back: what was seen later than now is looked at anew, and not believed until then', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 10 * HOUR });
  const { now, look } = world();
  now.routes['c.net'] = { kind: 'answered', status: 503, note: '' };
  now.preflight['c.net'] = BAD;
  await look('routes', 'preflight', 'wire');
  t.mock.timers.setTime(10 * HOUR - 30 * SECOND);
  assert.notEqual((await look()).routes, undefined, 'a clock that is corrected a little is no reason');
  t.mock.timers.setTime(HOUR);
  const { routes, preflight, wire } = await look();
  assert.deepEqual([routes, preflight, wire], [undefined, [], undefined]);
  const { routes: anew } = await look('routes');
  assert.deepEqual([anew?.waitingSince, anew?.lackingSince], [new Date(HOUR), { 'c.net': new Date(HOUR) }]);
});

test('a name more is a new wait', async () => {
  const { now, look } = world();
  now.names = NAMES;
  now.routes['b.net'] = { kind: 'unreachable', note: '' };
  const since = (await look('routes')).routes?.waitingSince ?? new Date();
  now.names = ALL;
  const anew = (await look('routes')).routes?.waitingSince ?? since;
  assert.ok(anew >= since);
});

test('marathon-lb cannot be seen: the reason is, and nothing is looked at through it', async () => {
  const refusal = new MarathonError('GET /v2/apps//marathon-lb: 404 App does not exist', 'wrong id', { status: 404 });
  const { asked, look } = world({
    marathon: {
      app: () => Promise.reject(refusal),
      deployments: async () => [],
      queue: async () => [],
      pastLabels: async () => [],
      neighbours: async () => [],
    },
  });
  const seen = await look('routes', 'preflight', 'wire', 'queue');
  assert.deepEqual([seen.self.ok, seen.loadBalancer.ok], [false, false]);
  assert.deepEqual(asked, { routes: [], preflight: [], wire: [] });
});
