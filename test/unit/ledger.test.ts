/** Back-off after failures, and the end of a redeploy war. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  contested,
  EMPTY_LEDGER,
  type Failure,
  type Ledger,
  retryAt,
  withFailure,
  withInstalled,
  withoutFailures,
  withReplacement,
} from '../../src/certificates/ledger.ts';

const start = new Date('2026-11-22T00:00:00Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const at = (ms: number) => new Date(start.getTime() + ms);
const failed = (ms: number, retryAfter?: Date): Failure => ({
  at: at(ms),
  problem: 'ACME: a.net: connection refused',
  retryAfter,
  names: ['a.net'],
});
const after = (...failures: Failure[]): Ledger => failures.reduce(withFailure, EMPTY_LEDGER);
/** As the day ends on which all of it happened. */
const waitOf = (ledger: Ledger, names = ['a.net']) => retryAt(ledger, names, at(DAY));
const times = (count: number) => after(...Array.from({ length: count }, (_, index) => failed(index * MINUTE)));

test('nothing failed: nothing to wait for', () => assert.equal(waitOf(EMPTY_LEDGER), undefined));

const waits: readonly [number, number][] = [
  [1, MINUTE],
  [2, 10 * MINUTE],
  [3, 100 * MINUTE],
  [4, DAY],
  [5, DAY],
  [40, DAY],
];
for (const [count, wait] of waits) {
  test(`after ${count} failures in a row the next try is ${wait / MINUTE} minutes after the last`, () => {
    assert.deepEqual(waitOf(times(count)), at((count - 1) * MINUTE + wait));
  });
}

test('a later Retry-After wins', () => {
  assert.deepEqual(waitOf(after(failed(0, at(HOUR)))), at(HOUR));
});

test('an earlier one does not', () => {
  assert.deepEqual(waitOf(after(failed(0, at(1000)))), at(MINUTE));
});

test('a Retry-After still holds when something else failed since', () => {
  assert.deepEqual(waitOf(after(failed(0, at(3 * HOUR)), failed(MINUTE))), at(3 * HOUR));
});

test('a Retry-After years ahead is taken for a week', () => {
  assert.deepEqual(waitOf(after(failed(0, at(3650 * DAY)))), at(7 * DAY));
});

test('back-off belongs to a set of names: an edited label is tried at once', () => {
  assert.equal(waitOf(times(4), ['a.net', 'b.net']), undefined);
  assert.deepEqual(waitOf(withFailure(times(4), { ...failed(HOUR), names: ['b.net'] }), ['b.net']), at(HOUR + MINUTE));
});

test("a Retry-After holds for every set of names: most limits are the account's", () => {
  assert.deepEqual(waitOf(after(failed(0, at(HOUR))), ['b.net']), at(HOUR));
});

test('a failure from the future tells of a clock that was wrong', () => {
  assert.equal(retryAt(after(failed(DAY)), ['a.net'], at(HOUR)), undefined);
});

test('a success forgets the failures and nothing else', () => {
  const ledger = withInstalled(times(3), 'AA');
  assert.deepEqual(withoutFailures(ledger), { ...ledger, failures: [] });
  assert.equal(waitOf(withoutFailures(ledger)), undefined);
});

const slot = 'HAPROXY_SSL_CERT';
const replaced = (...moments: number[]): Ledger =>
  moments.reduce((ledger, ms) => withReplacement(ledger, { at: at(ms), slot, fingerprint: 'AA' }), EMPTY_LEDGER);

const contests: readonly { name: string; ledger: Ledger; now: number; until: number | undefined }[] = [
  { name: 'never replaced: not contested', ledger: EMPTY_LEDGER, now: 0, until: undefined },
  { name: 'replaced once: posted again', ledger: replaced(0), now: 1, until: undefined },
  {
    name: 'replaced twice within a day: left alone for a day',
    ledger: replaced(0, HOUR),
    now: HOUR,
    until: DAY,
  },
  {
    name: 'replaced twice, but days apart: posted again',
    ledger: replaced(0, 2 * DAY),
    now: 2 * DAY,
    until: undefined,
  },
  { name: 'the day is over: posted again', ledger: replaced(0, HOUR), now: DAY, until: undefined },
  { name: 'the day is nearly over', ledger: replaced(0, HOUR), now: DAY - 1, until: DAY },
  { name: 'noted out of order', ledger: replaced(HOUR, 0), now: HOUR, until: DAY },
];
for (const { name, ledger, now, until } of contests) {
  test(name, () => assert.deepEqual(contested(ledger, slot, at(now)), until === undefined ? undefined : at(until)));
}

test('another slot is not contested with it', () => {
  assert.equal(contested(replaced(0, HOUR), 'HAPROXY_SSL_CERT0', at(HOUR)), undefined);
});

test('installed fingerprints are kept once, newest last', () => {
  const ledger = ['AA', 'BB', 'AA'].reduce(withInstalled, EMPTY_LEDGER);
  assert.deepEqual(ledger.installed, ['BB', 'AA']);
});

test('the ledger does not grow for ever', () => {
  let ledger = EMPTY_LEDGER;
  for (let index = 0; index < 1000; index += 1) {
    ledger = withInstalled(withFailure(ledger, failed(index)), `${index}`);
    ledger = withReplacement(ledger, { at: at(index), slot, fingerprint: `${index}` });
  }
  assert.ok(ledger.failures.length <= 10 && ledger.replacements.length <= 100 && ledger.installed.length <= 100);
  assert.equal(ledger.installed.at(-1), '999');
});
