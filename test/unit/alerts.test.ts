/** Alerts: what is told when, by plans that follow each other. Nothing is told twice, and what was told is ended. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { judge, type Memory, resumed, told } from '../../src/alerts/judgement.ts';
import { ALERT_KINDS, type Alert } from '../../src/alerts/sentences.ts';
import { bodyOf } from '../../src/alerts/webhook.ts';
import type { NameStanding, Obstacle } from '../../src/plan/names.ts';
import { type CertificateStatus, type Plan, plan } from '../../src/plan/plan.ts';
import { ahead, certificate, DAY, HOUR, MINUTE, NAMES, NOW, observation, policy } from '../support/observation.ts';

const HEALTHY = plan(observation(), policy());

/** A plan some time from now: all is well, but for what differs. */
function at(ms: number, differing: Partial<CertificateStatus> = {}): Plan {
  return { ...HEALTHY, at: ahead(ms), certificate: { ...HEALTHY.certificate, ...differing } };
}

function obstacle(differing: Partial<Obstacle> = {}): Obstacle {
  return { from: 'ca', why: 'ACME: b.net: unauthorized: 404', until: ahead(HOUR), ...differing };
}

/** All names issued, but for what differs by name. */
function names(differing: Readonly<Record<string, Partial<NameStanding>>>): readonly NameStanding[] {
  return NAMES.map((name) => ({
    ...{ name, issued: true, obstacle: undefined, overruled: undefined },
    ...differing[name],
  }));
}

/** Plan by plan; each alert is taken at once, but for those of a kind that is refused. Told as `kind status`. */
function story(plans: readonly Plan[], before: Memory = {}, refused?: string) {
  let memory = before;
  const said = plans.map((planned) => {
    const judged = judge(memory, planned);
    memory = judged.memory;
    for (const alert of judged.due) if (alert.kind !== refused) memory = told(memory, alert);
    return judged.due;
  });
  return { memory, said, spoken: said.map((due) => due.map(({ kind, status }) => `${kind} ${status}`)) };
}

const FAILED = names({ 'b.net': { issued: false, obstacle: obstacle() } });
const WAITING = names({ 'b.net': { issued: false } });
const NO_ROUTE = names({ 'b.net': { obstacle: obstacle({ from: 'route', why: 'b.net through marathon-lb: 503' }) } });
const OLD = certificate({ notBefore: ahead(-70 * DAY) });
const FIRING = 'name-failing firing';
const OVER = 'name-failing resolved';

const rows: readonly { name: string; plans: readonly Plan[]; spoken: readonly (readonly string[])[] }[] = [
  { name: 'all is well: nothing is told', plans: [at(0), at(DAY)], spoken: [[], []] },
  {
    name: 'a name fails: told at once, once, over its retries, and ended when it is on the certificate',
    plans: [
      at(0, { state: 'degraded', names: FAILED }),
      at(MINUTE, { state: 'ordering', names: WAITING }),
      at(2 * MINUTE, { state: 'degraded', names: FAILED }),
      at(HOUR, { state: 'live' }),
      at(2 * HOUR),
    ],
    spoken: [[FIRING], [], [], [OVER], []],
  },
  {
    name: 'a second name fails: the first is not told again',
    plans: [
      at(0, { state: 'degraded', names: FAILED }),
      at(1, {
        state: 'degraded',
        names: names({ 'a.net': { obstacle: obstacle() }, 'b.net': { obstacle: obstacle() } }),
      }),
    ],
    spoken: [[FIRING], [FIRING]],
  },
  {
    name: 'a route that is missing for a moment is not told; one that stays away is',
    plans: [
      at(0, { names: NO_ROUTE }),
      at(MINUTE),
      at(2 * MINUTE, { names: NO_ROUTE }),
      at(16 * MINUTE, { names: NO_ROUTE }),
      at(17 * MINUTE, { names: NO_ROUTE }),
    ],
    spoken: [[], [], [], [], [FIRING]],
  },
  {
    name: 'what the CA is asked in spite of is told all the same',
    plans: [0, 16].map((minutes) =>
      at(minutes * MINUTE, { names: names({ 'b.net': { overruled: obstacle({ from: 'preflight' }) } }) }),
    ),
    spoken: [[], [FIRING]],
  },
  {
    name: 'a name of a certificate that is due is not well only because it is tried again',
    plans: [
      at(0, {
        state: 'backing-off',
        bundle: OLD,
        renewAt: ahead(-DAY),
        names: names({ 'b.net': { obstacle: obstacle() } }),
      }),
      at(HOUR, { state: 'waiting-for-route', bundle: OLD, renewAt: ahead(-DAY), names: names({}) }),
    ],
    spoken: [['ending firing', FIRING], []],
  },
  {
    name: 'while Marathon does not answer, no name is forgotten',
    plans: [
      at(0, { state: 'degraded', names: FAILED }),
      at(1, { state: 'blind', names: [] }),
      at(2, { state: 'degraded', names: FAILED }),
    ],
    spoken: [[FIRING], [], []],
  },
  {
    name: 'a name that nobody wants any more is forgotten without a word',
    plans: [at(0, { state: 'degraded', names: FAILED }), at(1, { names: names({}).slice(0, 1) })],
    spoken: [[FIRING], []],
  },
  {
    name: 'a week of waiting for the install window is no trouble, and ends what was',
    plans: [
      at(0, { state: 'not-served' }),
      at(HOUR, { state: 'not-served' }),
      at(2 * HOUR, { state: 'waiting-for-window' }),
      at(7 * DAY, { state: 'waiting-for-window' }),
    ],
    spoken: [[], ['not-served firing'], ['not-served resolved'], []],
  },
  {
    name: 'not live for a day is told after a day, and ended when it is live',
    plans: [at(0, { state: 'blind' }), at(DAY - 1, { state: 'contested' }), at(DAY, { state: 'blind' }), at(DAY + 1)],
    spoken: [[], [], ['unhealthy firing'], ['unhealthy resolved']],
  },
  {
    name: 'not live again and again, never for a day: not told',
    plans: [at(0, { state: 'blind' }), at(HOUR), at(2 * HOUR, { state: 'blind' }), at(25 * HOUR, { state: 'blind' })],
    spoken: [[], [], [], []],
  },
  {
    name: 'less than a quarter, then less than a tenth of the life is left; one word when it is renewed',
    plans: [
      at(0, { bundle: certificate({ notBefore: ahead(-60 * DAY) }) }),
      at(0, { bundle: OLD }),
      at(12 * DAY, { bundle: OLD }),
      at(19 * DAY, { bundle: OLD }),
      at(21 * DAY, { bundle: undefined, state: 'backing-off' }),
      at(22 * DAY, { bundle: certificate({ notBefore: ahead(22 * DAY) }) }),
    ],
    spoken: [[], ['ending firing'], ['ending firing'], [], [], ['ending resolved']],
  },
  {
    name: 'found with less than a tenth left: one alert, not two',
    plans: [at(15 * DAY, { bundle: OLD })],
    spoken: [['ending firing']],
  },
  {
    name: 'a deployment that is stuck: told at once, not ended by an order beside it, ended when served',
    plans: [at(0, { state: 'stuck' }), at(1, { state: 'ordering' }), at(2, { state: 'stuck' }), at(3)],
    spoken: [['stuck firing'], [], [], ['stuck resolved']],
  },
  {
    name: 'another certificate on the wire: after five minutes, and ended when ours is there',
    plans: [
      at(0, { state: 'not-served' }),
      at(4 * MINUTE, { state: 'not-served' }),
      at(5 * MINUTE, { state: 'not-served' }),
      at(6 * MINUTE, { state: 'unproven' }),
      at(7 * MINUTE),
    ],
    spoken: [[], [], ['not-served firing'], [], ['not-served resolved']],
  },
  {
    name: 'a clock that is set back delays nothing for ever',
    plans: [at(10 * DAY, { state: 'blind' }), at(0, { state: 'blind' }), at(DAY, { state: 'blind' })],
    spoken: [[], [], ['unhealthy firing']],
  },
];

for (const { name, plans, spoken } of rows) test(name, () => assert.deepEqual(story(plans).spoken, spoken));

test('what the webhook has not taken is due again, and is forgotten when it is over by then', () => {
  const plans = [at(0, { state: 'stuck' }), at(1, { state: 'stuck' }), at(2)];
  assert.deepEqual(story(plans, {}, 'stuck').spoken, [['stuck firing'], ['stuck firing'], []]);
  assert.deepEqual(story(plans, {}, 'stuck').memory, {});
});

test('an end that was not taken is not told when it begins anew', () => {
  const begun = story([at(0, { state: 'stuck' })]).memory;
  const { spoken } = story([at(1), at(2, { state: 'stuck' })], begun, 'stuck');
  assert.deepEqual(spoken, [['stuck resolved'], []]);
});

test('after a restart, what was told is not repeated and what was about to be told has a quarter of an hour', () => {
  const before: Memory = { stuck: { since: NOW, told: true }, unhealthy: { since: ahead(-3 * DAY), told: false } };
  const { spoken } = story(
    [at(0, { state: 'stuck' }), at(16 * MINUTE, { state: 'stuck' }), at(17 * MINUTE)],
    resumed(before, NOW),
  );
  assert.deepEqual(spoken, [[], ['unhealthy firing'], ['stuck resolved', 'unhealthy resolved']]);
});

test('when all is well, nothing is remembered', () => assert.deepEqual(story([at(0), at(HOUR)]).memory, {}));

const stuckPlan = at(0, {
  state: 'stuck',
  why: 'since noon: no second agent has its ports free',
  cure: 'add an agent',
});
const examples: readonly { kind: string; plan: Plan; before?: Memory; text: RegExp; cure: RegExp; severity: string }[] =
  [
    {
      kind: 'name-failing',
      plan: at(0, { state: 'degraded', names: FAILED }),
      text: /^b\.net is not on the certificate: ACME: b\.net: unauthorized: 404$/,
      cure: /\/api\/status on the admin port/,
      severity: 'warning',
    },
    {
      kind: 'name-failing',
      plan: at(0, {
        names: names({ 'b.net': { obstacle: obstacle({ why: 'b.net: no A record', cure: 'create one' }) } }),
      }),
      text: /^b\.net could not be renewed as things are: b\.net: no A record$/,
      cure: /^create one$/,
      severity: 'warning',
    },
    {
      kind: 'unhealthy',
      plan: at(DAY, { state: 'blind', why: 'Marathon: GET /v2/apps: 503', bundle: undefined }),
      before: { unhealthy: { since: NOW, told: false } },
      text: /^not live since 2026-11-22T12:00:00.000Z, and there is no certificate: blind: Marathon: GET/,
      cure: /status page/,
      severity: 'critical',
    },
    {
      kind: 'ending',
      plan: at(0, { bundle: OLD, state: 'backing-off', why: 'the CA is away', cure: 'wait' }),
      text: /^less than a quarter of the life of the certificate for a\.net, b\.net is left, and the certificate ends 2026-12-1\dT.*: backing-off: the CA is away$/,
      cure: /^wait$/,
      severity: 'warning',
    },
    {
      kind: 'stuck',
      plan: stuckPlan,
      text: /does not end, since noon: no second agent/,
      cure: /^add an agent$/,
      severity: 'critical',
    },
    {
      kind: 'not-served',
      plan: at(HOUR, { state: 'not-served', why: 'marathon-lb at 10.0.0.2:443 serves AB', cure: 'restart it' }),
      before: { 'not-served': { since: NOW, told: false } },
      text: /^the certificate that is installed is not the one on the wire: marathon-lb at 10/,
      cure: /^restart it$/,
      severity: 'critical',
    },
  ];

for (const { kind, plan: planned, before = {}, text, cure, severity } of examples)
  test(`${kind} says who, what and what to do: ${text}`, () => {
    const alert = judge(before, planned).due.find((one) => one.kind === kind);
    assert.match(alert?.text ?? '', text);
    assert.match(alert?.cure ?? '', cure);
    assert.equal(alert?.severity, severity);
  });

test('every kind has an example', () => {
  assert.deepEqual([...new Set(examples.map(({ kind }) => kind))].sort(), [...ALERT_KINDS].sort());
});

test('a hundred names that fail at once are one message of bounded length', () => {
  const many = Array.from({ length: 100 }, (_, index) => `${'x'.repeat(60)}.n${index}.net`);
  const failing = many.map((name) => ({
    ...{ name, issued: false, overruled: undefined },
    obstacle: obstacle({ why: 'y'.repeat(2_000) }),
  }));
  const { due } = judge({}, at(0, { state: 'degraded', names: failing }));
  assert.deepEqual([due.length, due[0]?.names.length], [1, 100]);
  assert.ok((due[0]?.text.length ?? 0) <= 2_500);
});

const STUCK = judge({}, stuckPlan).due[0] as Alert;
const from = { app: '/letsencrypt-dcos', task: 'us.1' };

test('the generic form is JSON with the facts in fields', () => {
  assert.deepEqual(JSON.parse(JSON.stringify(bodyOf(STUCK, { ...from, format: 'json' }))), {
    ...{ version: 1, ...from, alert: 'stuck', status: 'firing', severity: 'critical', names: NAMES },
    text: 'the deployment of marathon-lb does not end, since noon: no second agent has its ports free',
    ...{ cure: 'add an agent', since: NOW.toISOString(), at: NOW.toISOString() },
  });
});

test("Slack's form is one text, in which nobody's words can call a channel", () => {
  const { text } = bodyOf(
    { ...STUCK, text: 'see <!channel> & <https://evil.net|here>' },
    { ...from, format: 'slack' },
  ) as {
    text: string;
  };
  assert.equal(
    text,
    ':rotating_light: *letsencrypt-dcos /letsencrypt-dcos: stuck, firing*\nsee &lt;!channel&gt; &amp; &lt;https://evil.net|here&gt;\n*What to do:* add an agent',
  );
});

test('no secret that a sentence may hold leaves in an alert', () => {
  const secret = 'see https://portal.net/sfe/v1/unpause?jwt=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx and http://me:hunter2@a';
  for (const format of ['json', 'slack'] as const) {
    const body = inspect(bodyOf({ ...STUCK, text: secret, cure: secret }, { ...from, format }), { depth: 9 });
    assert.ok(!/eyJhbGci|hunter2/.test(body), body);
  }
});

test('every kind is documented, and the example in the documentation has the fields that are posted', async () => {
  const text = await readFile(new URL('../../docs/alerts.md', import.meta.url), 'utf8');
  const documented = [...text.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, kind]) => kind);
  assert.deepEqual(documented.sort(), [...ALERT_KINDS].sort());
  const example = JSON.parse(/```json\n([\s\S]*?)```/.exec(text)?.[1] ?? '') as object;
  assert.deepEqual(Object.keys(example), Object.keys(bodyOf(STUCK, { ...from, format: 'json' })));
});
