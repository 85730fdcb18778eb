/**
 * Any history of failures, orders and certificates, also by a clock that is set back: the ledger stays small, counts
 * what the CA counts, and never holds anything up for ever.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { budgetsOf, validationsOf } from '../../src/certificates/budgets.ts';
import { holdOnAll, holdOnName, holdOnSet } from '../../src/certificates/holds.ts';
import {
  contested,
  EMPTY_LEDGER,
  type Failure,
  type Ledger,
  type Pace,
  type Scope,
  withFailures,
  withInstalled,
  withOrder,
  withPosted,
  withReplacement,
} from '../../src/certificates/ledger.ts';
import { holds } from './holds.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;
const LONGEST_HOLD_MS = 7 * DAY_MS * 1.1;
const LONGEST_LISTS = 400;
const LARGEST_FILE = 200_000;

const NAMES = ['a.shop.net', 'b.shop.net', 'c.shop.net'];
const DIRECTORIES = ['https://ca.test/one', 'https://ca.test/two'];
const names = fc.subarray(NAMES, { minLength: 1 });
const scope = fc.constantFrom<Scope>('name', 'certificate', 'account', 'directory');
const pace = fc.constantFrom<Pace>('name', 'dns', 'day', 'week', 'order', 'settings', 'outage');
const passing = fc.oneof(fc.integer({ min: 0, max: 10 * MINUTE_MS }), fc.integer({ min: -DAY_MS, max: 40 * DAY_MS }));

type Step = (ledger: Ledger, now: Date) => Ledger;
const failed = fc
  .record({
    directory: fc.constantFrom(...DIRECTORIES),
    settings: fc.constantFrom('s', 't'),
    scope,
    names,
    pace,
    type: fc.constant('dns'),
    problem: fc.constant('ACME: no such name'),
    wait: fc.option(fc.integer({ min: -DAY_MS, max: 400 * DAY_MS }), { nil: undefined }),
  })
  .map(
    ({ wait, ...facts }): Step =>
      (ledger, at) => {
        const retryAfter = wait === undefined ? undefined : new Date(at.getTime() + wait);
        const of = facts.scope === 'name' ? facts.names.slice(0, 1) : facts.names;
        const failure: Failure = { ...facts, names: of, at, retryAfter };
        return withFailures(ledger, [failure]);
      },
  );
const other = fc
  .tuple(fc.constantFrom('order', 'installed', 'replaced', 'posted'), fc.constantFrom(...DIRECTORIES), fc.nat(500))
  .map(
    ([kind, directory, n]): Step =>
      (ledger, at) => {
        if (kind === 'order') return withOrder(ledger, { at, directory });
        if (kind === 'installed') return withInstalled(ledger, `FF:${n}`);
        if (kind === 'posted') return withPosted(ledger, [`SLOT${n % 30}`], `FF:${n}`);
        return withReplacement(ledger, { at, slot: `SLOT${n % 2}`, fingerprint: `FF:${n}` });
      },
  );
/** A step, how often it comes in a row, and the time that passes before each. */
const history = fc.array(fc.tuple(fc.oneof(failed, other), fc.constantFrom(1, 1, 1, 5, 40, 450), passing), {
  maxLength: 15,
});

holds(
  'whatever happened, the ledger is small and every hold and every budget has an end',
  history,
  (steps) => {
    let ledger = EMPTY_LEDGER;
    let now = new Date('2026-03-01T00:00:00Z');
    for (const [step, times, ms] of steps) {
      for (let time = 0; time < times; time++) {
        now = new Date(now.getTime() + ms / times);
        ledger = step(ledger, now);
      }
      assertSmall(ledger);
      assertEnds(ledger, now);
    }
  },
  100,
);

function assertSmall(ledger: Ledger): void {
  for (const [name, list] of Object.entries(ledger))
    if (Array.isArray(list)) assert.ok(list.length <= LONGEST_LISTS, `${list.length} ${name}`);
  assert.ok(JSON.stringify(ledger).length < LARGEST_FILE);
}

function assertEnds(ledger: Ledger, now: Date): void {
  for (const directory of DIRECTORIES) {
    const attempt = { directory, settings: 's', now, longestMs: undefined };
    const found = [
      holdOnAll(ledger, attempt),
      holdOnSet(ledger, NAMES, attempt),
      ...NAMES.map((name) => holdOnName(ledger, name, attempt)),
    ];
    for (const hold of found) {
      if (hold === undefined) continue;
      assert.ok(hold.until > now, 'not in the past');
      assert.ok(hold.until.getTime() <= now.getTime() + LONGEST_HOLD_MS, hold.until.toISOString());
      assert.ok(hold.asked === undefined || (hold.asked > now && hold.asked <= hold.until));
    }
    const spending = { directory, now, urgent: false, shortLived: false };
    for (const { used, allowed, nextFreeAt } of [
      ...budgetsOf(ledger, NAMES, spending),
      ...NAMES.map((name) => validationsOf(ledger, name, spending)),
    ]) {
      assert.equal(nextFreeAt !== undefined, used >= allowed, `${used} of ${allowed}`);
      if (nextFreeAt !== undefined) assert.ok(nextFreeAt > now && nextFreeAt.getTime() < now.getTime() + 15 * DAY_MS);
    }
  }
  for (const slot of ['SLOT0', 'SLOT1']) {
    const until = contested(ledger, slot, now);
    if (until !== undefined) assert.ok(until > now && until.getTime() <= now.getTime() + DAY_MS);
  }
}

holds(
  'orders are counted as the CA counts them',
  fc.array(fc.integer({ min: 0, max: 30 * MINUTE_MS }), { maxLength: 60 }),
  (gaps) => {
    let ledger = EMPTY_LEDGER;
    let now = new Date('2026-03-01T00:00:00Z');
    const times: number[] = [];
    const directory = DIRECTORIES[0] ?? '';
    for (const gap of gaps) {
      now = new Date(now.getTime() + gap);
      times.push(now.getTime());
      ledger = withOrder(ledger, { at: now, directory });
      const [used] = budgetsOf(ledger, NAMES, { directory, now, urgent: false, shortLived: false }).filter(({ what }) =>
        what.startsWith('orders'),
      );
      assert.equal(used?.used, times.filter((at) => at > now.getTime() - 180 * MINUTE_MS).length);
    }
  },
);
