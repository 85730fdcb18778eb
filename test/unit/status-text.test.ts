/** What `status` and `plan` print, for each world of the status page and windows of several widths. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { planDifferenceAsText } from '../../src/commands/plan-text.ts';
import { isLive, statusAsText } from '../../src/commands/status-text.ts';
import { readTold, type Told } from '../../src/instance/told.ts';
import { difference } from '../../src/plan/difference.ts';
import type { Observation, Policy } from '../../src/plan/observation.ts';
import { plan } from '../../src/plan/plan.ts';
import { planAsJson } from '../../src/status.ts';
import { widthOf } from '../../src/terminal/layout.ts';
import { styleOf } from '../../src/terminal/style.ts';
import {
  CURRENT,
  DUE,
  EXPIRED,
  holding,
  loadBalancer,
  NOW,
  observation,
  ourApp,
  policy,
  SLOT,
  stored,
  task,
  vhost,
} from '../support/observation.ts';
import { statusIn, WORLD_NAMES, type WorldName } from '../support/page-worlds.ts';

/** Over the wire and back, as `status` gets it. */
function toldIn(world: WorldName): Told {
  const told = readTold(JSON.parse(JSON.stringify(statusIn(world))));
  assert.ok(told);
  return told;
}

const view = (columns: number, env: Readonly<Record<string, string>> = { LANG: 'C.UTF-8' }) => ({
  now: NOW,
  style: styleOf({ env, terminal: { out: Number.isFinite(columns), columns } }),
});
const PIPE = view(Number.POSITIVE_INFINITY);
const AT = 'http://10.0.0.9:31002';
const textOf = (world: WorldName): string => statusAsText(toldIn(world), AT, PIPE);
const ESCAPE = '\x1b';

for (const world of WORLD_NAMES) {
  for (const columns of [40, 80, 120]) {
    test(`${world} in ${columns} columns: no line is wider, but for words that must be whole`, () => {
      const lines = statusAsText(toldIn(world), AT, view(columns)).split('\n');
      const mayBeBroken = (line: string): boolean => line.split(' ').every((word) => widthOf(word) <= columns - 12);
      assert.deepEqual(
        lines.filter((line) => widthOf(line) > columns && mayBeBroken(line)),
        [],
      );
    });
  }
  test(`${world} in a pipe: no colours, and every sentence whole on its line`, () => {
    const text = textOf(world);
    assert.equal(text.includes(ESCAPE), false);
    const { plan: planned } = statusIn(world);
    const why = planned?.certificate.why.split(/\d{4}-/)[0] ?? '';
    assert.ok(
      text.split('\n').some((line) => line.startsWith('why        ') && line.includes(why)),
      text,
    );
  });
}

test('colours on a terminal: green is live, red is wrong, and NO_COLOR takes them', () => {
  assert.ok(statusAsText(toldIn('live'), AT, view(80)).startsWith('\x1b[32m✓ live'));
  assert.ok(statusAsText(toldIn('not-served'), AT, view(80)).startsWith('\x1b[31m✗ not-served'));
  const plain = statusAsText(toldIn('not-served'), AT, view(80, { NO_COLOR: '1' }));
  assert.ok(plain.startsWith('x not-served') && !plain.includes(ESCAPE));
});

const shown: readonly { world: WorldName; what: string; pattern: RegExp }[] = [
  {
    world: 'live',
    what: 'how long it lives',
    pattern: /issued 2026-10-16 \(37 days ago\), renewal from .* ends 2027-01-14 \(in 53 days\)/,
  },
  { world: 'live', what: 'what each balancer serves', pattern: /✓ 10\.0\.0\.2:443 {2}ours for all of 4 names/ },
  {
    world: 'live',
    what: 'what comes next',
    pattern: /What comes next\n {2}in 15 minutes {2}look at everything again\n {2}in \d+ days +renew/,
  },
  { world: 'live', what: 'what of the limits is used', pattern: /1 of 20 orders in 3 hours \(the CA allows 300\)/ },
  {
    world: 'degraded',
    what: 'the name that fails first',
    pattern: /Names \(5\)\n {2}✗ blog\.example\.com +not on the certificate, next try in 4 minutes\n {6}ACME: blog/,
  },
  {
    world: 'degraded',
    what: 'the names that are well in one line',
    pattern: /^ {2}✓ on the certificate: www\.shop\.example\.com, shop\.example\.com, api\.example\.com, status/m,
  },
  { world: 'not-served', what: 'the cure', pattern: /^what to do see whether another certificate variable/m },
  { world: 'not-served', what: 'the one that serves another', pattern: /✗ 10\.0\.0\.2:443 {2}ours for 0 of 4 names/ },
  { world: 'ordering', what: 'how far the order is', pattern: /order: validating, 2 of 4 names validated/ },
  { world: 'paused', what: 'that it is paused', pattern: /^note {7}PAUSE=true/m },
  { world: 'not-writable', what: 'the notes', pattern: /Take note\n {2}! \/etc\/letsencrypt: no space left/ },
];
for (const { world, what, pattern } of shown) {
  test(`${world}: it shows ${what}`, () => assert.match(textOf(world), pattern));
}

test('only what is live is live', () => {
  assert.deepEqual(
    WORLD_NAMES.filter((world) => isLive(toldIn(world))),
    ['live', 'waiting-for-window', 'paused'], // what waits is the next certificate; the present one is served
  );
  assert.equal(isLive({ ...toldIn('live'), alive: false }), false);
  assert.equal(isLive({ ...toldIn('live'), plan: null }), false);
});

test('before the first look, and when the loop hangs, that is what it says', () => {
  assert.match(statusAsText({ ...toldIn('live'), plan: null }, AT, PIPE), /^… starting {2}Looking at everything/);
  assert.match(statusAsText({ ...toldIn('live'), alive: false }, AT, PIPE), /^✗ not alive {2}The program is stuck/);
});

test('a state of a later release is shown by its name', () => {
  const told = toldIn('live');
  assert.ok(told.plan);
  const later = { ...told, plan: { ...told.plan, certificate: { ...told.plan.certificate, state: 'levitating' } } };
  assert.match(statusAsText(later, AT, PIPE), /^\? levitating {2}A state that this release does not know/);
});

test('what an instance sends cannot paint on the terminal', () => {
  const json = JSON.parse(JSON.stringify(statusIn('degraded')).replaceAll('blog.example.com', '\\u001b[2Jblog\\r\\n'));
  const told = readTold(json);
  assert.ok(told);
  assert.equal(statusAsText(told, AT, PIPE).includes(ESCAPE), false);
});

test('what is none of ours is not taken for it; what is ours and odd is shown as far as it goes', () => {
  for (const body of [undefined, null, 7, [], {}, { version: '2.0.0' }, { version: 1, appId: 2, plan: null }])
    assert.equal(readTold(body), undefined);
  const sample = JSON.parse(JSON.stringify(statusIn('degraded'))) as Record<string, unknown>;
  const keys = Object.keys(sample.plan as object);
  fc.assert(
    fc.property(fc.constantFrom(...keys), fc.jsonValue(), (key, value) => {
      const told = readTold({ ...sample, plan: { ...(sample.plan as object), [key]: value } });
      assert.ok(told);
      assert.doesNotMatch(statusAsText(told, AT, PIPE), /NaN|Invalid Date/);
    }),
    { seed: 20_260_301, numRuns: 200, examples: [['at', null]] },
  );
});

function planText(seen: Observation, our: Policy = policy(), columns = Number.POSITIVE_INFINITY): string {
  const planned = plan(seen, our);
  return planDifferenceAsText(planAsJson(planned), difference(seen, our, planned), view(columns));
}

const routed = (...names: string[]) => ({
  at: NOW,
  waitingSince: undefined,
  lackingSince: {},
  looks: names.map((domain) => ({
    instance: { taskId: 'lb.1', host: '10.0.0.1', httpPort: 80, httpsPort: 443 },
    domain,
    verdict: { kind: 'ours' as const },
  })),
});
const edited = observation({
  self: ourApp({ labels: vhost('a.net', 'c.net'), tasks: [task('us.1')] }),
  routes: routed('a.net', 'c.net'),
});
const plans: readonly { name: string; text: () => string; pattern: RegExp }[] = [
  {
    name: 'a label gained a name and lost one: + and -',
    text: () => planText(edited),
    pattern: /Names\n {2}\+ c\.net {2}to be on the certificate\n {2}- b\.net {2}not wanted any more; .*\n {4}a\.net\n/,
  },
  {
    name: 'an order: what the variable holds, what it will hold, and what follows',
    text: () => planText(edited),
    pattern:
      /~ HAPROXY_SSL_CERT {2}ours, .* → the new certificate, when it is issued\n {4}a redeploy: .*without a gap\n\nWhat would be done\n {2}now +order a certificate for a\.net, c\.net\n {2}then +post it to HAPROXY_SSL_CERT/,
  },
  {
    name: 'an installation: from one certificate to another, with their ends',
    text: () => planText(observation({ loadBalancer: loadBalancer({ env: holding(EXPIRED) }) })),
    pattern: /~ HAPROXY_SSL_CERT {2}ours, \S+ until 2026-11-12 .* ago\) → \S+ until 2027-02-10 12:00 UTC/,
  },
  {
    name: 'all is well: nothing now, and when the next thing comes',
    text: () => planText(observation()),
    pattern: /^state {6}live\n(?!.*Load balancer).*What would be done\n {2}nothing now\n {2}in 15 minutes/s,
  },
  {
    name: 'paused: it says so, and no variable changes',
    text: () =>
      planText(observation({ loadBalancer: loadBalancer({ env: holding(EXPIRED) }) }), policy({ pause: true })),
    pattern: /^paused {5}PAUSE=true(?!.*~ HAPROXY)/ms,
  },
  {
    name: 'what has to be seen by the running program is said',
    text: () =>
      planText(observation({ stored: stored({ bundle: DUE }), loadBalancer: loadBalancer({ env: holding(DUE) }) })),
    pattern: /^note {7}whether the names lead here can only be seen by the running program/m,
  },
];
for (const { name, text, pattern } of plans) test(`plan: ${name}`, () => assert.match(text(), pattern));

test('plan on a terminal: the signs have colours', () => {
  const text = planText(edited, policy(), 80);
  for (const sign of ['\x1b[32m+ c.net\x1b[0m', '\x1b[31m- b.net\x1b[0m']) assert.ok(text.includes(sign), text);
});

test('what was done within the look itself does not stand there as what comes next', () => {
  const kept = { fingerprint: CURRENT.fingerprint, values: { [SLOT]: EXPIRED.pem }, at: NOW };
  const planned = plan(observation({ stored: stored({ kept }) }), policy());
  assert.deepEqual(planned.actions, [{ kind: 'forget' }]);
  const { next } = planAsJson(planned);
  assert.deepEqual(
    next.map(({ what }) => what),
    ['look at everything again', 'renew the certificate'],
  );
});
