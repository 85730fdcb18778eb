/**
 * What holds for every plan, whatever the world looks like: many random worlds, drawn from the odd values of each field.
 *
 * The draw is seeded, so a failure names the world by its number and comes again.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPublicCa } from '../../src/certificates/authority.ts';
import type { CertificateBundle } from '../../src/certificates/bundle.ts';
import { type Failure, setOf } from '../../src/certificates/ledger.ts';
import { lifeLeft, mayShrinkAt, renewAt } from '../../src/certificates/renewal.ts';
import { installWindow } from '../../src/install-window/window.ts';
import type { Observation, Policy, PreflightSeen } from '../../src/plan/observation.ts';
import { type Plan, plan } from '../../src/plan/plan.ts';
import { readSlots } from '../../src/plan/slots.ts';
import type { State } from '../../src/plan/verdict.ts';
import { planAsJson, planAsText } from '../../src/status.ts';
import {
  ago,
  ahead,
  BAD,
  CURRENT,
  certificate,
  DAY,
  DUE,
  deploying,
  EXPIRED,
  empty,
  FOREIGN,
  failure,
  GOOD,
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
  SETTINGS,
  SLOT,
  STAGING,
  stored,
  task,
  tried,
  UNKNOWN,
  VERSION,
  vhost,
  wire,
} from '../support/observation.ts';
import { checkPace, checkTold } from '../support/plan-table.ts';

const WORLDS = 1_500;

/** But `waiting-for-window`, which has worlds of its own. */
const EVERY_STATE: readonly State[] = [
  'backing-off',
  'blind',
  'contested',
  'degraded',
  'deploying',
  'following',
  'installing',
  'live',
  'no-names',
  'not-installable',
  'not-served',
  'not-writable',
  'ordering',
  'stuck',
  'unproven',
  'waiting-for-route',
];

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
const part = certificate({ domains: ['a.net'] });
const partDue = certificate({ domains: ['a.net'], notBefore: ago(70 * DAY) });
const late = certificate({ notBefore: ago(80 * DAY) });
const whole = certificate({ domains: [...NAMES, 'c.net'] });
const wholeDue = certificate({ domains: [...NAMES, 'c.net'], notBefore: ago(70 * DAY) });
const wholeLate = certificate({ domains: [...NAMES, 'c.net'], notBefore: ago(80 * DAY) });
const bundles = [CURRENT, DUE, EXPIRED, staging, early, longLived, part, partDue, late];
const values = [undefined, '', ...bundles, FOREIGN, shadowing, placeholder('a.net'), { secret: 's' }, 'junk'];
const moments = [ago(2 * DAY), ago(2 * HOUR), ago(HOUR), ago(SECOND), NOW, ahead(HOUR)];
const order = inFlight();
const other = {
  kind: 'other',
  fingerprint: 'AA:BB:CC:DD',
  domains: [],
  pastDomains: [],
  notAfter: ahead(DAY),
} as const;
const silent = { kind: 'unreachable', note: 'connection refused' } as const;
const crash = {
  state: 'TASK_FAILED',
  message: 'OOM',
  at: ago(MINUTE),
  taskId: 'us.0',
  host: '10.0.0.9',
  version: VERSION,
};

const shut = installWindow('Sat 22:00-04:00');
const open = installWindow('11:00-13:00');

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

const directories = [policy().directoryUrl, policy().directoryUrl, STAGING, 'https://ca.internal/directory'];
const nameSets = [NAMES, ['a.net'], ['b.net'], [...NAMES, 'c.net'], ['x.net']];

function failureOf(draw: Draw): Failure {
  const scope = draw(['name', 'name', 'certificate', 'account', 'directory'] as const);
  return failure({
    at: draw(moments),
    scope,
    names: scope === 'name' ? [draw(['a.net', 'b.net', 'c.net'])] : draw(nameSets),
    pace: draw(['name', 'dns', 'day', 'week', 'order', 'settings', 'outage'] as const),
    settings: draw([SETTINGS, SETTINGS, 'others']),
    directory: draw(directories),
    retryAfter: draw([undefined, undefined, undefined, ...moments, ahead(30 * DAY)]),
  });
}

function preflightOf(draw: Draw): readonly PreflightSeen[] {
  if (draw([true, false])) return [...NAMES, 'c.net'].map((name) => tried(name, GOOD));
  return ['a.net', 'b.net', 'c.net', 'old.net'].flatMap((name) => {
    const look = tried(name, draw([GOOD, GOOD, BAD, UNKNOWN]), {
      at: draw([...moments, ago(MINUTE), ago(MINUTE)]),
      recoveredAt: draw([undefined, ...moments]),
    });
    const badSince = look.verdict.kind === 'good' ? undefined : draw([...moments, ago(HOUR / 2)]);
    return draw([true, true, true, false]) ? [{ ...look, badSince }] : [];
  });
}

function routesOf(draw: Draw): Observation['routes'] {
  const wanted = draw([NAMES, [...NAMES, 'c.net']]);
  const missing = draw(wanted);
  return draw([
    undefined,
    ...Array(4).fill(routes({}, {}, [...NAMES, 'c.net'])),
    routes({ [missing]: { kind: 'answered', status: 503, note: '' } }, { waitingSince: draw(moments) }, wanted),
    routes({ [missing]: { kind: 'unreachable', note: '' } }, { waitingSince: ago(3 * MINUTE) }, wanted),
    routes({}, { at: draw(moments), looks: [] }),
  ]);
}

function selfOf(draw: Draw): Observation['self'] {
  const tasks = draw([[], ...Array(6).fill([task('us.1')]), [task('us.0', { startedAt: ago(3 * DAY) }), task('us.1')]]);
  const labels = draw([
    {},
    vhost(...NAMES),
    vhost(...NAMES),
    vhost('a.net'),
    vhost(...NAMES, 'c.net', '*.x', 'x y'),
    vhost(...NAMES, 'c.net'),
  ]);
  return draw([unseen, ...Array(5).fill(ourApp({ tasks, labels, lastTaskFailure: draw([undefined, crash]) }))]);
}

function storedOf(draw: Draw): Observation['stored'] {
  const bundle = draw([undefined, ...bundles]);
  const failures = Array.from({ length: draw([0, 0, 1, 3, 9]) }, () => failureOf(draw));
  const spent = Array.from({ length: draw([0, 0, 0, 2, 4, 25]) }, () => draw(moments));
  const issuedSets = Array.from({ length: draw([0, 0, 0, 2, 4]) }, (_, nth) => ({
    at: draw(moments),
    directory: draw(directories),
    set: setOf(draw(nameSets)),
    fingerprint: `${nth}`,
  }));
  const replacements = Array.from({ length: draw([0, 0, 1, 2]) }, () => ({
    at: draw(moments),
    slot: SLOT,
    fingerprint: CURRENT.fingerprint,
  }));
  const differing = {
    order: draw([undefined, undefined, order, { ...order, directory: STAGING }, { ...order, domains: ['x.net'] }]),
    ledger: ledger({
      ...draw([{}, remembering(CURRENT), remembering(DUE)]),
      failures,
      replacements,
      issued: issuedSets,
      orders: spent.map((at) => ({ at, directory: draw(directories) })),
    }),
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
    routes: routesOf(draw),
    preflight: preflightOf(draw),
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
    directoryUrl: draw(directories),
    preflight: draw(['auto', 'auto', 'strict', 'off'] as const),
    installWindow: draw([undefined, undefined, open, shut, shut]),
  });
  return { seen, rules };
}

/** All is well but for what an order depends on: few things at a time, so that there is something to decide. */
function nearOrder(draw: Draw): { seen: Observation; rules: Policy } {
  const wanted = draw([NAMES, [...NAMES, 'c.net'], [...NAMES, 'c.net']]);
  const bundle = draw([undefined, undefined, CURRENT, DUE, part, partDue, late, whole, wholeDue, wholeLate]);
  const { failures, issued, orders } = storedOf(draw).ledger;
  const one = draw(['failures', 'issued', 'orders', 'routes', 'preflight'] as const);
  const known = bundle === undefined ? ledger() : remembering(bundle);
  const seen = observation({
    self: ourApp({ labels: vhost(...wanted) }),
    loadBalancer: loadBalancer({ env: bundle === undefined ? holding() : holding(bundle) }),
    stored: stored({
      bundle,
      ledger: {
        ...known,
        failures: one === 'failures' ? failures : Array.from({ length: draw([0, 0, 1]) }, () => failureOf(draw)),
        issued: one === 'issued' ? issued : [],
        orders: one === 'orders' ? orders : [],
      },
    }),
    routes: one === 'routes' ? routesOf(draw) : routes({}, {}, [...NAMES, 'c.net']),
    preflight: one === 'preflight' ? preflightOf(draw) : [...NAMES, 'c.net'].map((name) => tried(name, GOOD)),
    wire: bundle && wire({}, { expected: bundle.fingerprint }, bundle.domains),
  });
  return { seen, rules: policy({ preflight: draw(['auto', 'auto', 'strict', 'off'] as const) }) };
}

/** A new certificate is at hand; what is in its place, and when redeploys may happen, differs. */
function nearInstall(draw: Draw): { seen: Observation; rules: Policy } {
  const served = draw([DUE, DUE, DUE, EXPIRED, staging, part, late, placeholder('a.net')]);
  const installed = [served, CURRENT].map(({ fingerprint }) => fingerprint);
  const seen = observation({
    loadBalancer: loadBalancer({ env: holding(served), instances: draw([2, 2, 2, 0]) }),
    stored: stored({ ledger: ledger({ posted: { [SLOT]: served.fingerprint }, installed }) }),
    wire: wire({}, { expected: served.fingerprint, at: draw(moments.filter((at) => at <= NOW)) }),
  });
  return { seen, rules: policy({ installWindow: draw([undefined, open, shut, shut, shut]) }) };
}

function checkAll(planned: Plan, seen: Observation, rules: Policy): void {
  checkPace(planned);
  checkTold(planned);
  const { actions, leader } = planned;
  if (rules.pause || !leader.isUs || seen.order !== undefined) assert.deepEqual(actions, []);
  if (planned.certificate.state === 'waiting-for-window') checkWait(planned, seen, rules);
  for (const action of actions) {
    if (action.kind === 'install') checkInstall(action, seen, rules);
    if (action.kind === 'install' && rules.installWindow === shut) checkUrgent(planned, seen);
    if (action.kind === 'issue') checkIssue(action, planned, seen, rules);
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

/** What breaks the window says so; and nobody waits for one that interrupts nothing. */
function checkUrgent({ certificate: { state, why } }: Plan, { loadBalancer: lb }: Observation): void {
  assert.equal(state, 'installing');
  if (lb.ok && lb.value.instances > 0)
    assert.match(why, /does not wait for the install window, Sat 28 Nov .* because /);
}

/** Only with something good to wait with. */
function checkWait({ certificate: { toBeServed, bundle }, actions }: Plan, seen: Observation, rules: Policy): void {
  assert.deepEqual([rules.installWindow, actions], [shut, []]);
  assert.ok(toBeServed !== undefined && toBeServed !== bundle && seen.loadBalancer.ok);
  assert.equal(seen.loadBalancer.value.env[SLOT], toBeServed.pem);
  assert.ok(NAMES.every((name) => toBeServed.domains.includes(name)));
  assert.ok(toBeServed.notAfter > ahead(6 * DAY + 7 * DAY), 'its end is near');
}

function checkIssue(
  { resume, spec }: Issue,
  { certificate: { bundle, names, domains } }: Plan,
  seen: Observation,
  rules: Policy,
) {
  assert.ok(seen.stored.writable, 'never what cannot be kept');
  assert.ok(spec.domains.length > 0 && spec.domains.every((name) => domains.includes(name)), 'names that are wanted');
  for (const name of spec.domains) {
    assert.equal(names.find((one) => one.name === name)?.obstacle, undefined, `${name} has to wait`);
    checkAsked(name, bundle, seen, rules);
  }
  if (bundle !== undefined) checkReason(spec.domains, bundle, domains, seen.at);
  if (resume === undefined && isPublicCa(rules.directoryUrl)) checkSpent(spec.domains, bundle, seen, rules);
}

/** By the ledger and the looks themselves: the CA's word is kept, and ours overruled only after its time. */
function checkAsked(name: string, bundle: CertificateBundle | undefined, seen: Observation, rules: Policy): void {
  const said = seen.stored.ledger.failures.filter(
    ({ scope, names, directory, at }) =>
      (scope !== 'name' || names.includes(name)) &&
      scope !== 'certificate' &&
      directory === rules.directoryUrl &&
      at <= seen.at,
  );
  for (const { at, retryAfter } of said) {
    const asked = Math.min(retryAfter?.getTime() ?? 0, at.getTime() + 7 * DAY);
    assert.ok(asked <= seen.at.getTime(), `${name}: the CA asked to wait`);
  }
  const isLate = bundle !== undefined && lifeLeft(bundle, seen.at) < 1 / 3;
  const patience = isLate ? HOUR / 2 : DAY;
  const overruled = (since: Date | undefined) => since !== undefined && seen.at.getTime() - since.getTime() >= patience;
  const hasRoute = seen.routes?.looks.every(({ domain, verdict }) => domain !== name || verdict.kind === 'ours');
  assert.ok(
    hasRoute === true || overruled(seen.routes?.lackingSince[name]),
    `${name}: never without a route but after a day`,
  );
  if (rules.preflight === 'off') return;
  const look = seen.preflight.find(({ domain }) => domain === name);
  assert.ok(look !== undefined, `${name}: never without a preflight`);
  assert.ok(
    look.verdict.kind !== 'bad' || overruled(look.badSince),
    `${name}: never with a bad preflight but after a day`,
  );
}

/** The end of the old one, or a name more; and no name less before it must be. */
function checkReason(ordered: readonly string[], bundle: CertificateBundle, wanted: readonly string[], at: Date): void {
  const lost = bundle.domains.filter((name) => wanted.includes(name) && !ordered.includes(name));
  assert.ok(lost.length === 0 || at >= mayShrinkAt(bundle), `${lost} would be lost early`);
  const gained = ordered.filter((name) => !bundle.domains.includes(name));
  assert.ok(gained.length > 0 || at >= renewAt(bundle), 'an order without a reason');
}

/** By a count of its own. */
function checkSpent(names: readonly string[], bundle: CertificateBundle | undefined, seen: Observation, rules: Policy) {
  const { orders, issued } = seen.stored.ledger;
  const young = <T extends { at: Date; directory: string }>(entries: readonly T[], ms: number) =>
    entries.filter(
      ({ at, directory }) => directory === rules.directoryUrl && Math.abs(seen.at.getTime() - at.getTime()) < ms,
    );
  assert.ok(young(orders, 3 * HOUR).length < 20, 'twenty orders in three hours');
  const same = young(issued, 7 * DAY).filter(({ set }) => set === setOf(names)).length;
  const isUrgent = bundle === undefined || bundle.notAfter.getTime() - seen.at.getTime() < 7 * DAY;
  assert.ok(same < (isUrgent ? 4 : 2), `${same} certificates for ${names} this week`);
}

/** Carries out nothing: looks at what each of so many worlds leads to, and counts. */
function explore(count: number, worldFrom: typeof worldOf) {
  const kinds = new Map<string, number>();
  const states = new Set<string>();
  for (let seed = 0; seed < count; seed += 1) {
    const random = randomFrom(seed);
    const draw: Draw = (from) => from[Math.floor(random() * from.length)] as (typeof from)[number];
    const { seen, rules } = worldFrom(draw);
    try {
      const planned = plan(seen, rules);
      checkAll(planned, seen, rules);
      assert.deepEqual(plan(seen, rules), planned, 'the same world, the same plan');
      for (const { kind } of planned.actions) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      states.add(planned.certificate.state);
    } catch (error) {
      throw new Error(`world ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  return { kinds, states };
}

test(`in each of ${WORLDS} random worlds the plan is one that may be carried out`, () => {
  const { kinds, states } = explore(WORLDS, worldOf);
  // A draw that never gets anywhere proves nothing.
  for (const kind of ['adopt', 'issue', 'install'])
    assert.ok((kinds.get(kind) ?? 0) > 20, `${kind}: ${kinds.get(kind)}`);
  assert.deepEqual([...states].sort(), EVERY_STATE);
});

test(`in each of ${WORLDS} worlds in which an order is near it is made for a reason, for names that may be asked for, and within the budgets`, () => {
  const { kinds, states } = explore(WORLDS, nearOrder);
  assert.ok((kinds.get('issue') ?? 0) > WORLDS / 5, `only ${kinds.get('issue')} orders`);
  for (const state of ['backing-off', 'degraded', 'live', 'ordering', 'waiting-for-route'])
    assert.ok(states.has(state), state);
});

test('in each of 300 worlds with a new certificate at hand, it waits for the window only where nothing is lost by that', () => {
  const { kinds, states } = explore(300, nearInstall);
  assert.ok((kinds.get('install') ?? 0) > 100, `only ${kinds.get('install')} installs`);
  for (const state of ['installing', 'unproven', 'waiting-for-window'] as const) assert.ok(states.has(state), state);
});
