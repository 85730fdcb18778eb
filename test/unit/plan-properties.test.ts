/**
 * What holds for every plan, whatever the world looks like: many random worlds, drawn from the odd values of each field.
 *
 * The draw is seeded, so a failure names the world by its number and comes again.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observation, Policy } from '../../src/plan/observation.ts';
import { type Plan, plan } from '../../src/plan/plan.ts';
import { readSlots } from '../../src/plan/slots.ts';
import { planAsJson, planAsText } from '../../src/status.ts';
import {
  ago,
  ahead,
  CURRENT,
  certificate,
  DAY,
  DUE,
  deploying,
  EXPIRED,
  empty,
  FOREIGN,
  failure,
  HOUR,
  holding,
  inFlight,
  ledger,
  loadBalancer,
  MINUTE,
  NAMES,
  NOW,
  observation,
  ourApp,
  placeholder,
  policy,
  remembering,
  routes,
  SECOND,
  SLOT,
  STAGING,
  stored,
  task,
  VERSION,
  vhost,
  wire,
} from '../support/observation.ts';
import { checkPace } from '../support/plan-table.ts';

const WORLDS = 1_500;

/** mulberry32 */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Draw = <T>(values: readonly T[]) => T;

const unseen = { ok: false, problem: 'Marathon: GET: no answer' } as const;
const staging = certificate({ issuerName: '(STAGING) Test CA' });
const early = certificate({ notBefore: ahead(DAY) });
const longLived = certificate({ notAfter: ahead(800 * DAY) });
const shadowing = certificate({ domains: ['a.net', 'shop.net'], issuerName: 'Bought CA' });
const bundles = [CURRENT, DUE, EXPIRED, staging, early, longLived, certificate({ domains: ['a.net'] })];
const values = [undefined, '', ...bundles, FOREIGN, shadowing, placeholder('a.net'), { secret: 's' }, 'junk'];
const moments = [ago(2 * DAY), ago(HOUR), ago(SECOND), NOW, ahead(HOUR)];
const order = inFlight();
const other = {
  kind: 'other',
  fingerprint: 'AA:BB:CC:DD',
  domains: [],
  pastDomains: [],
  notAfter: ahead(DAY),
} as const;
const silent = { kind: 'unreachable', note: 'connection refused' } as const;
const crash = { state: 'TASK_FAILED', message: 'OOM', at: ago(MINUTE), taskId: 'us.0', host: '10.0.0.9', version: VERSION };

function loadBalancerOf(draw: Draw): Observation['loadBalancer'] {
  const some = () => draw([holding(CURRENT), holding(draw(values), draw(values), draw(values))]);
  const env = draw([...Array(20).fill(some), () => holding(...Array(30).fill(FOREIGN)), () => holding(...bundles)])();
  const tasks = draw([
    [],
    [task('lb.1')],
    [task('lb.1'), task('lb.2')],
    [task('lb.1'), task('lb.3', { alive: false })],
  ]);
  const differing = { env, tasks, instances: draw([0, 1, 2]), hasHealthChecks: draw([true, false]) };
  return draw([unseen, ...Array(6).fill(loadBalancer(differing)), deploying(differing), deploying(differing)]);
}

function selfOf(draw: Draw): Observation['self'] {
  const tasks = draw([[], ...Array(6).fill([task('us.1')]), [task('us.0', { startedAt: ago(3 * DAY) }), task('us.1')]]);
  const labels = draw([{}, vhost(...NAMES), vhost(...NAMES), vhost('a.net'), vhost(...NAMES, 'c.net', '*.x', 'x y')]);
  return draw([unseen, ...Array(5).fill(ourApp({ tasks, labels, lastTaskFailure: draw([undefined, crash]) }))]);
}

function storedOf(draw: Draw): Observation['stored'] {
  const bundle = draw([undefined, ...bundles]);
  const failures = Array.from({ length: draw([0, 0, 1, 3]) }, () => failure({ at: draw(moments) }));
  const replacements = Array.from({ length: draw([0, 0, 1, 2]) }, () => ({
    at: draw(moments),
    slot: SLOT,
    fingerprint: CURRENT.fingerprint,
  }));
  const differing = {
    order: draw([undefined, undefined, order, { ...order, directory: STAGING }, { ...order, domains: ['x.net'] }]),
    ledger: ledger({ ...draw([{}, remembering(CURRENT), remembering(DUE)]), failures, replacements }),
    writable: draw([true, true, true, false]),
    previous: draw([undefined, ...bundles]),
  };
  return draw([
    empty(differing),
    stored(),
    stored(),
    ...[1, 2, 3].map(() => stored({ ...differing, bundle, bundleDirectory: draw([policy().directoryUrl, STAGING]) })),
  ]);
}

function worldOf(draw: Draw): { seen: Observation; rules: Policy } {
  const expected = draw([CURRENT, CURRENT, ...bundles]).fingerprint;
  const seen = observation({
    self: selfOf(draw),
    loadBalancer: loadBalancerOf(draw),
    stored: storedOf(draw),
    order: draw([undefined, undefined, undefined, { startedAt: ago(MINUTE), domains: NAMES, progress: undefined }]),
    unsettledSince: draw([undefined, ...moments]),
    failedInstall: draw([
      undefined,
      {
        at: draw(moments),
        fingerprint: expected,
        loadBalancerVersion: draw([VERSION, 'another']),
        problem: '409',
        retryable: draw([true, false]),
        count: draw([1, 99]),
      },
    ]),
    routes: draw([
      undefined,
      ...Array(4).fill(routes()),
      routes({ 'a.net': { kind: 'answered', status: 503, note: '' } }, { waitingSince: draw(moments) }),
      routes({}, { at: draw(moments), looks: [] }),
    ]),
    wire: draw([
      undefined,
      wire({}, { expected, at: draw(moments) }),
      wire({ 'lb.1': other }, { expected, at: draw(moments), failingSince: draw(moments) }),
      wire({ 'lb.2': silent }, { expected, failingSince: draw(moments) }),
      wire({}, { expected, looks: [], failingSince: NOW }),
    ]),
    queue: draw([undefined, { ok: true, value: [] }, unseen]),
  });
  const rules = policy({
    takeOver: draw([true, false]),
    pause: draw([...Array(7).fill(false), true]),
    taskId: draw(['us.1', undefined]),
    domains: draw([...Array(7).fill(undefined), 'a.net', '10.0.0.1']),
    directoryUrl: draw([policy().directoryUrl, STAGING, 'https://ca.internal/directory']),
  });
  return { seen, rules };
}

function checkAll(planned: Plan, seen: Observation, rules: Policy): void {
  checkPace(planned);
  const { actions, leader } = planned;
  if (rules.pause || !leader.isUs || seen.order !== undefined) assert.deepEqual(actions, []);
  for (const action of actions) {
    if (action.kind === 'install') checkInstall(action, seen, rules);
    if (action.kind === 'issue') checkIssue(action, seen);
    if (action.kind === 'adopt') assert.ok(seen.stored.writable);
  }
  const told = JSON.stringify(planAsJson(planned)) + planAsText(planned);
  assert.doesNotMatch(told, /PRIVATE KEY|BEGIN CERTIFICATE/);
  assert.doesNotMatch(told, /undefined|NaN|Invalid Date|\[object/);
}

type Install = Extract<Plan['actions'][number], { kind: 'install' }>;
type Issue = Extract<Plan['actions'][number], { kind: 'issue' }>;

function checkInstall({ slots, bundle }: Install, seen: Observation, rules: Policy): void {
  assert.ok(seen.loadBalancer.ok);
  const { env, deployments } = seen.loadBalancer.value;
  assert.deepEqual(deployments, [], 'never on top of a deployment');
  assert.ok(
    slots.some((slot) => env[slot] !== bundle.pem),
    'something changes',
  );
  // Whose the others are, by no memory and for no names: only what anybody may overwrite.
  const { certEnv } = rules;
  const read = readSlots({
    certEnv,
    env,
    domains: [],
    pastDomains: [],
    ours: new Set(),
    takeOver: false,
    now: seen.at,
  });
  const known = new Set([...bundles, ...(rules.takeOver ? [shadowing] : [])].map(({ fingerprint }) => fingerprint));
  for (const { name, content } of read.filter((slot) => slots.includes(slot.name))) {
    assert.ok(content.kind !== 'secret' && content.kind !== 'unreadable', name);
    if (content.kind === 'foreign') assert.ok(known.has(content.bundle.fingerprint), `${name} is somebody else's`);
  }
}

function checkIssue({ resume }: Issue, seen: Observation): void {
  assert.ok(seen.stored.writable, 'never what cannot be kept');
  if (resume !== undefined) return;
  assert.ok(
    seen.routes?.looks.every(({ verdict }) => verdict.kind === 'ours'),
    'never without a route',
  );
}

test(`in each of ${WORLDS} random worlds the plan is one that may be carried out`, () => {
  const kinds = new Map<string, number>();
  for (let seed = 0; seed < WORLDS; seed += 1) {
    const random = randomFrom(seed);
    const draw: Draw = (from) => from[Math.floor(random() * from.length)] as (typeof from)[number];
    const { seen, rules } = worldOf(draw);
    try {
      const planned = plan(seen, rules);
      checkAll(planned, seen, rules);
      assert.deepEqual(plan(seen, rules), planned, 'the same world, the same plan');
      for (const { kind } of planned.actions) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      kinds.set(planned.certificate.state, (kinds.get(planned.certificate.state) ?? 0) + 1);
    } catch (error) {
      throw new Error(`world ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  // A draw that never gets anywhere proves nothing.
  for (const kind of ['adopt', 'issue', 'install'])
    assert.ok((kinds.get(kind) ?? 0) > 20, `${kind}: ${kinds.get(kind)}`);
  assert.equal(kinds.size, 3 + 15, `every state was met: ${[...kinds].join(' ')}`);
});
