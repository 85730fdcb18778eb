/** What is remembered of orders, for how long and how much of it; and the end of a redeploy war. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  contested,
  EMPTY_LEDGER,
  type Failure,
  type Ledger,
  type Scope,
  setOf,
  withBlocked,
  withFailures,
  withInstalled,
  withIssued,
  withOrder,
  withPosted,
  withReplacement,
  withSpent,
} from '../../src/certificates/ledger.ts';

const start = new Date('2026-11-22T00:00:00Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const CA = 'https://ca.example/dir';
const OTHER_CA = 'https://other.example/dir';
const at = (ms: number) => new Date(start.getTime() + ms);
const failed = (ms: number, scope: Scope, differing: Partial<Failure> = {}): Failure => ({
  at: at(ms),
  directory: CA,
  settings: 'these',
  scope,
  names: scope === 'name' ? ['a.net'] : ['a.net', 'b.net'],
  type: 'connection',
  pace: 'name',
  problem: 'ACME: refused',
  retryAfter: undefined,
  ...differing,
});
const after = (...failures: Failure[]): Ledger =>
  failures.reduce((ledger, failure) => withFailures(ledger, [failure]), EMPTY_LEDGER);
const kept = ({ failures }: Ledger): readonly string[] =>
  failures.map((one) => `${one.scope} ${(one.at.getTime() - start.getTime()) / MINUTE}`);
const issued = (ms: number, fingerprint: string, names = ['a.net', 'b.net'], directory = CA) => ({
  at: at(ms),
  directory,
  names,
  fingerprint,
});

const rows: readonly { readonly scope: Scope; readonly most: number }[] = [
  { scope: 'name', most: 3 },
  { scope: 'certificate', most: 4 },
  { scope: 'account', most: 4 },
  { scope: 'directory', most: 12 },
];
for (const { scope, most } of rows) {
  test(`of failures in a row of one ${scope} the last ${most} are kept, which tell all its steps apart`, () => {
    const many = Array.from({ length: most + 5 }, (_, minute) => failed(minute * MINUTE, scope));
    const last = Array.from({ length: most }, (_, index) => `${scope} ${index + 5}`);
    assert.deepEqual(kept(after(...many)), last);
  });
}

test('each name, each set and each CA has a row of its own', () => {
  const different = [
    ...[0, 1, 2].map((ms) => failed(ms * MINUTE, 'name')),
    ...[3, 4, 5].map((ms) => failed(ms * MINUTE, 'name', { names: ['b.net'] })),
    failed(6 * MINUTE, 'name', { directory: OTHER_CA }),
    ...[7, 8, 9].map((ms) => failed(ms * MINUTE, 'certificate')),
    failed(10 * MINUTE, 'certificate', { names: ['a.net'] }),
  ];
  assert.equal(after(...different).failures.length, different.length);
});

test('the names of a set may stand in any order: it is the same set, and the same row', () => {
  const sets = Array.from({ length: 6 }, (_, ms) =>
    failed(ms * MINUTE, 'certificate', { names: ms % 2 ? ['b.net', 'a.net'] : ['a.net', 'b.net'] }),
  );
  assert.equal(after(...sets).failures.length, 4);
  assert.equal(setOf(['b.net', 'a.net', 'a.net']), setOf(['a.net', 'b.net']));
  assert.notEqual(setOf(['a.net']), setOf(['a.net', 'b.net']));
});

test('one order that failed by a hundred names is a hundred entries, and three of them are three hundred', () => {
  const names = Array.from({ length: 100 }, (_, index) => `n${index}.net`);
  let ledger = EMPTY_LEDGER;
  for (let order = 0; order < 10; order += 1) {
    ledger = withFailures(
      ledger,
      names.map((name) => failed(order * MINUTE, 'name', { names: [name] })),
    );
  }
  assert.equal(ledger.failures.length, 300);
  assert.ok(names.every((name) => ledger.failures.filter((one) => one.names[0] === name).length === 3));
});

test('any other answer of the CA shows that it is there: its outage is over, and nothing else is', () => {
  const outage = after(failed(0, 'directory'), failed(1, 'directory', { directory: OTHER_CA }), failed(2, 'name'));
  for (const scope of ['name', 'certificate', 'account'] as const) {
    const { failures } = withFailures(outage, [failed(MINUTE, scope)]);
    assert.deepEqual(
      failures.filter((one) => one.scope === 'directory').map(({ directory }) => directory),
      [OTHER_CA],
    );
    assert.ok(failures.some((one) => one.scope === 'name'));
  }
});

test('one more failure to reach it is no answer', () => {
  assert.equal(after(failed(0, 'directory'), failed(MINUTE, 'directory')).failures.length, 2);
});

test('nothing failed: nothing changes', () => {
  const ledger = after(failed(0, 'name'));
  assert.equal(withFailures(ledger, []), ledger);
});

test('what is more than eight days old is forgotten with the next failure', () => {
  assert.deepEqual(kept(after(failed(0, 'account'), failed(MINUTE, 'name'), failed(8 * DAY, 'certificate'))), [
    'name 1',
    'certificate 11520',
  ]);
});

test('a certificate disproves what was said of its names, its set, the account and the CA, and of nothing else', () => {
  const stays = [
    failed(0, 'name', { names: ['c.net'] }),
    failed(1, 'certificate', { names: ['a.net', 'b.net', 'c.net'] }),
    failed(2, 'account', { directory: OTHER_CA }),
    failed(3, 'name', { directory: OTHER_CA }),
  ];
  const goes = [failed(5, 'name'), failed(6, 'certificate', { names: ['b.net', 'a.net'] }), failed(7, 'account')];
  const ledger = { ...EMPTY_LEDGER, failures: [...stays, ...goes, failed(8, 'directory')] };
  assert.deepEqual(withIssued(ledger, issued(MINUTE, 'AA')).failures, stays);
});

test('a certificate is counted by its set and is ours from now on', () => {
  const ledger = withIssued(EMPTY_LEDGER, issued(0, 'AA', ['b.net', 'a.net']));
  assert.deepEqual(ledger.issued, [{ at: start, directory: CA, set: setOf(['a.net', 'b.net']), fingerprint: 'AA' }]);
  assert.deepEqual(ledger.installed, ['AA']);
});

test('noting the same certificate again changes nothing', () => {
  const once = withIssued(withInstalled(EMPTY_LEDGER, 'BB'), issued(0, 'AA'));
  assert.deepEqual(withIssued(once, issued(HOUR, 'AA')), once);
  assert.deepEqual(withSpent(once, issued(HOUR, 'AA')), once);
});

test('one that was made and is of no use counts, and disproves nothing', () => {
  const before = after(failed(0, 'certificate'), failed(1, 'name'));
  const ledger = withSpent(before, issued(HOUR, 'AA'));
  assert.deepEqual([ledger.failures, ledger.installed], [before.failures, []]);
  assert.equal(ledger.issued.length, 1);
  assert.deepEqual(withIssued(ledger, issued(2 * HOUR, 'AA')).issued, ledger.issued);
});

test('orders and certificates are kept for longer than they count, so that a clock that was days ahead costs no memory', () => {
  const order = (ms: number) => ({ at: at(ms), directory: CA });
  const orders = [order(0), order(1), order(8 * DAY)].reduce(withOrder, EMPTY_LEDGER);
  assert.deepEqual(orders.orders, [order(1), order(8 * DAY)]);
  const week = [issued(0, 'AA'), issued(1, 'BB'), issued(60 * DAY, 'CC')].reduce(withIssued, EMPTY_LEDGER);
  assert.deepEqual(
    week.issued.map(({ fingerprint }) => fingerprint),
    ['BB', 'CC'],
  );
});

test('each function leaves the lists of the others alone', () => {
  let ledger = withBlocked(
    withPosted(withReplacement(EMPTY_LEDGER, { at: start, slot: 'X', fingerprint: 'RR' }), ['X'], 'PP'),
    'QQ',
  );
  ledger = withOrder(withFailures(withIssued(ledger, issued(0, 'AA')), [failed(MINUTE, 'name')]), {
    at: at(1),
    directory: CA,
  });
  assert.deepEqual(
    [ledger.failures, ledger.orders, ledger.issued, ledger.replacements, ledger.blocked].map(({ length }) => length),
    [1, 1, 1, 1, 1],
  );
  assert.deepEqual([ledger.installed, ledger.posted], [['PP', 'AA'], { X: 'PP' }]);
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
    ledger = withFailures(withInstalled(ledger, `i${index}`), [failed(index, 'name', { names: [`${index}.net`] })]);
    ledger = withReplacement(ledger, { at: at(index), slot, fingerprint: `${index}` });
    ledger = withIssued(withOrder(ledger, { at: at(index), directory: CA }), issued(index, `${index}`, ['z.net']));
    ledger = withBlocked(ledger, `${index}`);
  }
  const { failures, orders, replacements, installed, blocked } = ledger;
  assert.deepEqual(
    [failures, orders, ledger.issued, replacements, installed, blocked].map(({ length }) => length),
    [400, 300, 200, 100, 100, 100],
  );
  assert.equal(installed.at(-1), '999');
  assert.deepEqual(failures.at(-1)?.names, ['999.net']);
});
