/** What stays of a task's past for those who look later: changes, deployments, and never more than fits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Plan, plan } from '../../src/plan/plan.ts';
import { Timeline } from '../../src/timeline.ts';
import {
  ago,
  CURRENT,
  DAY,
  deploying,
  loadBalancer,
  MINUTE,
  NOW,
  observation,
  policy,
} from '../support/observation.ts';

const started = ago(DAY);
const planAt = (minutes: number, differing: Parameters<typeof observation>[0] = {}): Plan =>
  plan(observation({ at: new Date(NOW.getTime() + minutes * MINUTE), ...differing }), policy());

/** Told one after the other. */
function told(...plans: readonly Plan[]): Timeline {
  const timeline = new Timeline(started, 'letsencrypt-dcos started');
  for (const one of plans) timeline.note(one);
  return timeline;
}

test('a quiet day is the start, the certificate and where it stands', () => {
  const { events } = told(planAt(0), planAt(1), planAt(2));
  assert.deepEqual(
    events.map(({ at, kind, state }) => [at, kind, state]),
    [
      [started, 'start', undefined],
      [NOW, 'certificate', undefined],
      [NOW, 'state', 'live'],
    ],
  );
  assert.match(
    events[1]?.text ?? '',
    new RegExp(`until ${CURRENT.notAfter.toISOString()} is held: ${CURRENT.fingerprint}`),
  );
});

const deployments = [
  { what: 'that our PUT began is ours', first: {}, ours: 'd-17', by: 'us', says: /^our deployment d-17/ },
  {
    what: 'that somebody else began is theirs',
    first: {},
    ours: undefined,
    by: 'others',
    says: /^somebody else's deploy/,
  },
  {
    what: "that ran before this task's first look is nobody's that we know",
    first: { loadBalancer: deploying() },
    ours: undefined,
    by: 'unknown',
    says: /^deployment d-17/,
  },
] as const;
for (const { what, first, ours, by, says } of deployments) {
  test(`a deployment ${what}, and is told when it runs and when it has ended`, () => {
    const running = planAt(1, { loadBalancer: deploying(), ourDeployment: ours });
    const timeline = told(planAt(0, first), running, planAt(2), planAt(3));
    const [one, ...more] = timeline.deployments;
    assert.deepEqual([one?.id, one?.by, more], ['d-17', by, []]);
    assert.equal(one?.endedAt?.getTime(), NOW.getTime() + 2 * MINUTE);
    const events = timeline.events.filter(({ kind }) => kind === 'deployment').map(({ text }) => text);
    assert.equal(events.length, 2);
    for (const event of events) assert.match(event, says);
  });
}

test('a note is told when it comes, and again only after it went', () => {
  const noted = { ...planAt(0), notes: ['the disk is odd'] };
  const { events } = told(noted, noted, planAt(1), noted);
  assert.deepEqual(
    events.filter(({ kind }) => kind === 'note').map(({ text }) => text),
    ['the disk is odd', 'the disk is odd'],
  );
});

test('years of trouble take no more memory than an hour of it', () => {
  const timeline = new Timeline(started, 'started');
  for (let index = 0; index < 1_000; index += 1) {
    const deployment = loadBalancer({ deployments: [`d-${index}`] });
    timeline.note({ ...planAt(index, { loadBalancer: deployment }), notes: [`${index} ${'x'.repeat(100_000)}`] });
  }
  assert.deepEqual([timeline.events.length, timeline.deployments.length], [60, 10]);
  assert.ok(JSON.stringify(timeline.events).length < 200_000);
  assert.match(timeline.events.at(-1)?.text ?? '', /^999 x/, 'the newest are kept');
});
