/**
 * How much of a public CA's limits we allow ourselves: rows, and any sequence of spending against the CA's own buckets.
 *
 * The model of the CA is Let's Encrypt's: a bucket of so many tokens that refills evenly (its page on rate limits). Our
 * sliding windows share no line with it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Budget, budgetsOf, type Spending, validationsOf } from '../../src/certificates/budgets.ts';
import { EMPTY_LEDGER, type Ledger, setOf, withFailures, withOrder, withSpent } from '../../src/certificates/ledger.ts';

const start = new Date('2026-11-22T00:00:00Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;
/** Let's Encrypt gives one certificate of the same names back after a fifth of the week. */
const DROP = WEEK / 5;
const CA = 'https://acme-v02.api.letsencrypt.org/directory';
const NAMES = ['a.net', 'b.net'];
const at = (ms: number) => new Date(start.getTime() + ms);
const spending = (ms: number, differing: Partial<Spending> = {}): Spending => ({
  directory: CA,
  now: at(ms),
  urgent: false,
  shortLived: false,
  ...differing,
});

let nth = 0;
const issue = (ledger: Ledger, ms: number, names = NAMES, directory = CA): Ledger =>
  withSpent(ledger, { at: at(ms), directory, names, fingerprint: `${nth++}` });
const issuedAt = (...times: number[]): Ledger => times.reduce((ledger, ms) => issue(ledger, ms), EMPTY_LEDGER);
const refuse = (ledger: Ledger, ms: number, names: readonly string[]): Ledger =>
  withFailures(ledger, [
    {
      at: at(ms),
      directory: CA,
      settings: 's',
      scope: 'name',
      names,
      type: 'connection',
      pace: 'name',
      problem: 'refused',
      retryAfter: undefined,
    },
  ]);
const sameSet = (ledger: Ledger, when: Spending): Budget => budgetsOf(ledger, NAMES, when)[0] as Budget;
const figures = ({ used, allowed, limit, nextFreeAt }: Budget) => [used, allowed, limit, nextFreeAt];

test('nothing is spent: three budgets, all free', () => {
  assert.deepEqual(budgetsOf(EMPTY_LEDGER, NAMES, spending(0)).map(figures), [
    [0, 2, 5, undefined],
    [0, 40, 50, undefined],
    [0, 20, 300, undefined],
  ]);
});

const rows: readonly {
  readonly name: string;
  readonly times: readonly number[];
  readonly now: number;
  readonly urgent?: boolean;
  readonly shortLived?: boolean;
  readonly figures: readonly [used: number, allowed: number, limit: number, nextFree: number | undefined];
}[] = [
  { name: 'one for these names: one more', times: [0], now: DAY, figures: [1, 2, 5, undefined] },
  { name: 'two: no more until the first is a week old', times: [0, DAY], now: 2 * DAY, figures: [2, 2, 5, WEEK] },
  { name: 'a week less a millisecond', times: [0, DAY], now: WEEK - 1, figures: [2, 2, 5, WEEK] },
  { name: 'a week: one is free again', times: [0, DAY], now: WEEK, figures: [1, 2, 5, undefined] },
  { name: 'urgent: two more', times: [0, DAY], now: 2 * DAY, urgent: true, figures: [2, 4, 5, undefined] },
  { name: 'urgent, and four are spent', times: [0, 1, 2, 3], now: DAY, urgent: true, figures: [4, 4, 5, WEEK] },
  {
    name: 'they live for days, and four are spent: one comes back',
    times: [0, 0, 0, 0],
    now: DAY,
    shortLived: true,
    figures: [4, 4, 5, DROP],
  },
  {
    name: 'they live for days, and one has come back',
    times: [0, 0, 0, 0],
    now: DROP,
    shortLived: true,
    figures: [3, 4, 5, undefined],
  },
  {
    name: 'four were spent when it was urgent, and it is not any more: free when only one is left',
    times: [0, 1, 2, 3],
    now: DAY,
    figures: [4, 2, 5, WEEK + 2],
  },
  {
    name: 'the clock was set back a little: what was spent is spent',
    times: [HOUR, 2 * HOUR],
    now: 0,
    figures: [2, 2, 5, WEEK + HOUR],
  },
  {
    name: 'the clock was set back by months: what was spent by a clock that was wrong does not block for months',
    times: [90 * DAY, 90 * DAY + 1],
    now: 0,
    figures: [0, 2, 5, undefined],
  },
];
for (const { name, times, now, urgent = false, shortLived = false, figures: expected } of rows) {
  test(name, () => {
    const [used, allowed, limit, nextFree] = expected;
    const found = figures(sameSet(issuedAt(...times), spending(now, { urgent, shortLived })));
    assert.deepEqual(found, [used, allowed, limit, nextFree === undefined ? undefined : at(nextFree)]);
  });
}

test('the time that is told is the time: a millisecond before there is none, then there is', () => {
  const ledger = issuedAt(0, HOUR, DAY);
  const next = sameSet(ledger, spending(2 * DAY)).nextFreeAt?.getTime() ?? 0;
  assert.ok(sameSet(ledger, { ...spending(0), now: new Date(next - 1) }).nextFreeAt);
  assert.equal(sameSet(ledger, { ...spending(0), now: new Date(next) }).nextFreeAt, undefined);
});

test('other names are another set, but certificates all the same; another CA is another matter', () => {
  const ledger = issue(issue(issuedAt(0), 1, ['c.net']), 2, NAMES, 'https://other.example/dir');
  assert.deepEqual(
    budgetsOf(ledger, NAMES, spending(HOUR)).map(({ used }) => used),
    [1, 2, 0],
  );
});

test('forty certificates a week, and twenty orders in three hours', () => {
  let ledger = EMPTY_LEDGER;
  for (let index = 0; index < 40; index += 1) ledger = issue(ledger, index, [`n${index}.net`]);
  for (let index = 0; index < 20; index += 1) ledger = withOrder(ledger, { at: at(index), directory: CA });
  assert.deepEqual(budgetsOf(ledger, NAMES, spending(HOUR)).map(figures), [
    [0, 2, 5, undefined],
    [40, 40, 50, at(WEEK)],
    [20, 20, 300, at(3 * HOUR)],
  ]);
});

test('two failed validations of a name an hour; another name has its own', () => {
  const ledger = refuse(refuse(EMPTY_LEDGER, 0, ['a.net']), 20 * MINUTE, ['a.net']);
  assert.deepEqual(figures(validationsOf(ledger, 'a.net', spending(30 * MINUTE))), [2, 2, 5, at(HOUR)]);
  assert.deepEqual(figures(validationsOf(ledger, 'a.net', spending(HOUR))), [1, 2, 5, undefined]);
  assert.deepEqual(figures(validationsOf(ledger, 'b.net', spending(30 * MINUTE))), [0, 2, 5, undefined]);
});

/** So many tokens, refilled evenly, never more than there were. False: the CA would have refused. */
class Bucket {
  readonly #size: number;
  readonly #refillMs: number;
  #tokens: number;
  #at = 0;

  constructor(size: number, refillMs: number) {
    this.#size = size;
    this.#tokens = size;
    this.#refillMs = refillMs;
  }

  spend(ms: number): boolean {
    this.#tokens = Math.min(this.#size, this.#tokens + (ms - this.#at) / this.#refillMs);
    this.#at = ms;
    this.#tokens -= 1;
    return this.#tokens > -1e-9;
  }
}

/** Pauses in milliseconds, short ones and long ones, between wishes to spend. */
const pauses = fc.array(fc.oneof(fc.nat(10_000), fc.nat(2 * HOUR), fc.nat(3 * DAY)), { minLength: 5, maxLength: 150 });
const sets = [NAMES, ['a.net'], ['a.net', 'b.net', 'c.net']];

test('whatever is wished for and when: what our budgets permit, the CA never refuses', () => {
  let spent = 0;
  fc.assert(
    fc.property(fc.boolean(), fc.array(fc.tuple(pauses, fc.nat(2), fc.boolean())), (shortLived, parts) => {
      let [ledger, now] = [EMPTY_LEDGER, 0];
      const bySet = new Map(sets.map((names) => [setOf(names), new Bucket(5, WEEK / 5)]));
      const certificates = new Bucket(50, WEEK / 50);
      const orders = new Bucket(300, (3 * HOUR) / 300);
      for (const [waits, which, urgent] of parts) {
        for (const waitMs of waits) {
          now += waitMs;
          const names = sets[which] ?? NAMES;
          if (budgetsOf(ledger, names, spending(now, { urgent, shortLived })).some(({ nextFreeAt }) => nextFreeAt))
            continue;
          ledger = issue(withOrder(ledger, { at: at(now), directory: CA }), now, names);
          spent += 1;
          assert.ok(orders.spend(now) && certificates.spend(now), `after ${now} ms`);
          assert.ok(bySet.get(setOf(names))?.spend(now), `same set, after ${now} ms`);
        }
      }
    }),
    { numRuns: 60, seed: 20_260_301 },
  );
  assert.ok(spent > 200, `only ${spent} spent: nothing was proven`);
});

test('whenever a name is tried: what we permit, the CA never refuses for failed validations', () => {
  let spent = 0;
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(MINUTE), fc.nat(HOUR)), { minLength: 50, maxLength: 200 }), (waits) => {
      let [ledger, now] = [EMPTY_LEDGER, 0];
      const bucket = new Bucket(5, HOUR / 5);
      for (const waitMs of waits) {
        now += waitMs;
        if (validationsOf(ledger, 'a.net', spending(now)).nextFreeAt) continue;
        ledger = refuse(ledger, now, ['a.net']);
        spent += 1;
        assert.ok(bucket.spend(now), `after ${now} ms`);
      }
    }),
    { numRuns: 60, seed: 20_260_301 },
  );
  assert.ok(spent > 200, `only ${spent} spent: nothing was proven`);
});

test('what is not free becomes free at the time that is told, whatever was spent', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -WEEK, max: WEEK }), { maxLength: 12 }),
      fc.boolean(),
      fc.boolean(),
      (times, urgent, shortLived) => {
        const ledger = issuedAt(...times.sort((a, b) => a - b));
        const { nextFreeAt } = sameSet(ledger, spending(0, { urgent, shortLived }));
        if (nextFreeAt === undefined) return;
        assert.ok(nextFreeAt > at(0));
        assert.equal(
          sameSet(ledger, { ...spending(0, { urgent, shortLived }), now: nextFreeAt }).nextFreeAt,
          undefined,
        );
      },
    ),
    { numRuns: 300, seed: 20_260_301 },
  );
});
