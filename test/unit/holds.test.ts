/** How long what failed is left alone: each pace step by step, and whose word counts for more. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Attempt, holdOnAll, holdOnName, holdOnSet } from '../../src/certificates/holds.ts';
import {
  EMPTY_LEDGER,
  type Failure,
  type Ledger,
  type Pace,
  type Scope,
  withFailures,
  withIssued,
} from '../../src/certificates/ledger.ts';

const start = new Date('2026-11-22T00:00:00Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const CA = 'https://ca.example/dir';
const OTHER_CA = 'https://other.example/dir';
const NAMES = ['a.net', 'b.net'];
const at = (ms: number) => new Date(start.getTime() + ms);

const failed = (ms: number, scope: Scope, pace: Pace, differing: Partial<Failure> = {}): Failure => ({
  at: at(ms),
  directory: CA,
  settings: 'these',
  scope,
  names: scope === 'name' ? ['a.net'] : NAMES,
  type: 'x',
  pace,
  problem: 'refused',
  retryAfter: undefined,
  ...differing,
});
const after = (...failures: Failure[]): Ledger =>
  failures.reduce((ledger, failure) => withFailures(ledger, [failure]), EMPTY_LEDGER);
const attempt = (ms: number, differing: Partial<Attempt> = {}): Attempt => ({
  directory: CA,
  settings: 'these',
  now: at(ms),
  longestMs: undefined,
  ...differing,
});
/** By the question that fits its scope. */
const hold = (ledger: Ledger, scope: Scope, when: Attempt) => {
  if (scope === 'name') return holdOnName(ledger, 'a.net', when);
  return scope === 'certificate' ? holdOnSet(ledger, NAMES, when) : holdOnAll(ledger, when);
};
/** Milliseconds from the last failure to the next try. */
const wait = (scope: Scope, pace: Pace, count: number, differing: Partial<Attempt> = {}): number => {
  const last = (count - 1) * MINUTE;
  const ledger = after(...Array.from({ length: count }, (_, index) => failed(index * MINUTE, scope, pace)));
  return (hold(ledger, scope, attempt(last, differing))?.until.getTime() ?? 0) - at(last).getTime();
};
const assertAbout = (ms: number, expected: number): void =>
  assert.ok(Math.abs(ms - expected) <= expected * 0.1, `${ms} ms is not about ${expected}`);

const paces: readonly { pace: Pace; scope: Scope; minutes: readonly number[] }[] = [
  { pace: 'name', scope: 'name', minutes: [10, 100, 1440, 1440] },
  { pace: 'dns', scope: 'name', minutes: [10, 1440, 1440] },
  { pace: 'day', scope: 'name', minutes: [1440, 1440] },
  { pace: 'week', scope: 'name', minutes: [10_080, 10_080] },
  { pace: 'order', scope: 'certificate', minutes: [1, 10, 100, 1440, 1440] },
  { pace: 'order', scope: 'account', minutes: [1, 10, 100, 1440, 1440] },
  { pace: 'settings', scope: 'account', minutes: [1440, 1440] },
  { pace: 'outage', scope: 'directory', minutes: [1, 1, 1, 1, 5, 10, 20, 40, 80, 160, 320, 360, 360, 360] },
];
for (const { pace, scope, minutes } of paces) {
  test(`${pace} of a ${scope}: about ${minutes.join(', ')} minutes after the first, second … failure`, () => {
    for (const [index, expected] of minutes.entries()) assertAbout(wait(scope, pace, index + 1), expected * MINUTE);
  });
}

test('nothing failed: nothing to wait for', () => {
  for (const scope of ['name', 'certificate', 'account'] as const) {
    assert.equal(hold(EMPTY_LEDGER, scope, attempt(0)), undefined);
  }
});

test('the time has come: no hold any more, to the millisecond', () => {
  const ledger = after(failed(0, 'name', 'name'));
  const until = holdOnName(ledger, 'a.net', attempt(0))?.until.getTime() ?? 0;
  assert.ok(holdOnName(ledger, 'a.net', { ...attempt(0), now: new Date(until - 1) }));
  assert.equal(holdOnName(ledger, 'a.net', { ...attempt(0), now: new Date(until) }), undefined);
});

test('the time of the next try does not move with every look, and two failures do not meet at the same moment', () => {
  const times = [1, 2, 3, 4, 5].map((minute) => {
    const ledger = after(failed(minute * MINUTE, 'name', 'day'));
    const [one, other] = [minute, minute + 60].map(
      (now) => holdOnName(ledger, 'a.net', attempt(now * MINUTE))?.until.getTime() ?? 0,
    );
    assert.equal(one, other);
    return (one ?? 0) - minute * MINUTE;
  });
  assert.equal(new Set(times).size, times.length);
});

test('the pace is that of the last failure, the step that of all in a row', () => {
  const ledger = after(failed(0, 'name', 'name'), failed(MINUTE, 'name', 'dns'));
  const found = holdOnName(ledger, 'a.net', attempt(MINUTE));
  assertAbout((found?.until.getTime() ?? 0) - at(MINUTE).getTime(), DAY);
  assert.deepEqual([found?.count, found?.last.pace], [2, 'dns']);
});

const retryRows: readonly { name: string; failures: readonly Failure[]; until: number; asked: number | undefined }[] = [
  {
    name: 'a later Retry-After wins',
    failures: [failed(0, 'name', 'name', { retryAfter: at(HOUR) })],
    until: HOUR,
    asked: HOUR,
  },
  {
    name: 'it still holds when something else failed since',
    failures: [failed(-HOUR, 'name', 'name', { retryAfter: at(2 * HOUR) }), failed(0, 'name', 'name')],
    until: 2 * HOUR,
    asked: 2 * HOUR,
  },
  {
    name: 'years ahead is taken for a week',
    failures: [failed(0, 'name', 'name', { retryAfter: at(3650 * DAY) })],
    until: 7 * DAY,
    asked: 7 * DAY,
  },
];
for (const { name, failures, until, asked } of retryRows) {
  test(`Retry-After: ${name}`, () => {
    const found = holdOnName(after(...failures), 'a.net', attempt(0));
    assert.deepEqual([found?.until, found?.asked], [at(until), asked === undefined ? undefined : at(asked)]);
  });
}

test('Retry-After: an earlier one does not win', () => {
  const found = holdOnName(after(failed(0, 'name', 'name', { retryAfter: at(1000) })), 'a.net', attempt(0));
  assertAbout((found?.until.getTime() ?? 0) - start.getTime(), 10 * MINUTE);
});

test('other settings: what failed with these is tried at once, but what the CA asked for holds', () => {
  const ledger = after(failed(0, 'account', 'settings'));
  assert.ok(holdOnAll(ledger, attempt(0)));
  assert.equal(holdOnAll(ledger, attempt(0, { settings: 'others' })), undefined);
  const asked = after(failed(0, 'account', 'settings', { retryAfter: at(HOUR) }));
  assert.deepEqual(holdOnAll(asked, attempt(0, { settings: 'others' }))?.until, at(HOUR));
});

test('other settings, which failed once: their own first step', () => {
  const ledger = after(
    failed(0, 'certificate', 'order'),
    failed(1, 'certificate', 'order'),
    failed(2, 'certificate', 'order', { settings: 'others' }),
  );
  const found = holdOnSet(ledger, NAMES, attempt(2, { settings: 'others' }));
  assertAbout((found?.until.getTime() ?? 0) - at(2).getTime(), MINUTE);
});

test('another CA has nothing to do with it', () => {
  const ledger = after(failed(0, 'account', 'order', { directory: OTHER_CA, retryAfter: at(DAY) }));
  assert.equal(holdOnAll(ledger, attempt(0)), undefined);
});

test('a failure from the future tells of a clock that was wrong', () => {
  const ledger = after(failed(DAY, 'name', 'week', { retryAfter: at(3 * DAY) }));
  assert.equal(holdOnName(ledger, 'a.net', attempt(HOUR)), undefined);
});

test('a name has to wait, its neighbours and its sets do not', () => {
  const ledger = after(failed(0, 'name', 'name'));
  assert.equal(holdOnName(ledger, 'b.net', attempt(0)), undefined);
  assert.equal(holdOnSet(ledger, NAMES, attempt(0)), undefined);
  assert.equal(holdOnAll(ledger, attempt(0)), undefined);
});

test('a set of names has to wait, in whatever order they stand; more or fewer names do not', () => {
  const ledger = after(failed(0, 'certificate', 'order'));
  assert.ok(holdOnSet(ledger, ['b.net', 'a.net'], attempt(0)));
  assert.equal(holdOnSet(ledger, ['a.net'], attempt(0)), undefined);
  assert.equal(holdOnSet(ledger, [...NAMES, 'c.net'], attempt(0)), undefined);
});

test('the account and the CA both have to wait: the later of the two is told', () => {
  const ledger = after(failed(0, 'account', 'day'), failed(1, 'directory', 'outage'));
  assert.equal(holdOnAll(ledger, attempt(1))?.last.scope, 'account');
  const reversed = after(failed(0, 'account', 'order'), failed(MINUTE, 'directory', 'outage'));
  assert.equal(holdOnAll(reversed, attempt(MINUTE))?.last.scope, 'directory');
});

test('near the end of the certificate nothing is left alone for more than six hours, but what is refused by policy', () => {
  const late = { longestMs: 6 * HOUR };
  for (const pace of ['name', 'dns', 'day', 'settings', 'order'] as const) {
    assert.equal(wait('certificate', pace, 4, late), 6 * HOUR, pace);
  }
  assertAbout(wait('name', 'week', 1, late), 7 * DAY);
  assertAbout(wait('name', 'name', 1, late), 10 * MINUTE);
  const asked = after(failed(0, 'account', 'day', { retryAfter: at(2 * DAY) }));
  assert.deepEqual(holdOnAll(asked, attempt(0, late))?.until, at(2 * DAY), "the CA's own word still counts");
});

test('the outage is over when the CA answers anything else, and when it issues', () => {
  const outage = Array.from({ length: 9 }, (_, minute) => failed(minute * MINUTE, 'directory', 'outage'));
  const answered = after(...outage, failed(10 * MINUTE, 'name', 'name'));
  assert.equal(holdOnAll(answered, attempt(10 * MINUTE)), undefined);
  const certificate = { at: at(10 * MINUTE), directory: CA, names: NAMES, fingerprint: 'AA' };
  assert.equal(holdOnAll(withIssued(after(...outage), certificate), attempt(10 * MINUTE)), undefined);
  const anew = after(...outage, failed(10 * MINUTE, 'name', 'name'), failed(HOUR, 'directory', 'outage'));
  assertAbout((holdOnAll(anew, attempt(HOUR))?.until.getTime() ?? 0) - at(HOUR).getTime(), MINUTE);
});
