/** The rules that the chaos is judged by can be broken, and excuse what they say they do. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { issue } from '../support/certificates.ts';
import { accountOf, type Costs, hurried, mostTries } from './costs.ts';
import { Judge, type Moment } from './judge.ts';
import { AIM_MS, type Fault, KIND_NAMES, KINDS, type KindName, schedule } from './schedule.ts';

const WEATHER = { minutes: 10, stormMs: 35_000, calmMs: 20_000, gapMs: [1_000, 4_000] } as const;

test('a seed gives one schedule, another seed another; every kind comes, and no two at once in one place', () => {
  const faults = schedule({ ...WEATHER, seed: 7 });
  assert.deepEqual(schedule({ ...WEATHER, seed: 7 }), faults);
  assert.notDeepEqual(schedule({ ...WEATHER, seed: 8 }), faults);
  assert.deepEqual(new Set(faults.map(({ kind }) => kind)), new Set(KIND_NAMES));
  for (const [n, { kind, atMs, lastsMs, aimed }] of faults.entries()) {
    const together = faults.slice(n + 1).filter((later) => KINDS[later.kind].place === KINDS[kind].place);
    assert.ok(
      together.every((later) => later.atMs >= atMs + lastsMs + (aimed ? AIM_MS : 0)),
      `${kind} at ${atMs}`,
    );
  }
});

const LIFE_MS = 48_000;
const ENDED = Date.now() - 1_000;
const leaf = new X509Certificate(
  issue({
    domains: ['a.example.com'],
    notBefore: new Date(ENDED - LIFE_MS),
    notAfter: new Date(ENDED),
  }).chainPem,
);

/** One moment each second since the certificate was due. */
function seenAfter(spell: (second: number) => Omit<Moment, 'at'>, kind: 'expired' | 'other name'): readonly string[] {
  const judge = new Judge();
  judge.proven(1_000);
  for (let second = 0; second <= 24; second += 1)
    judge.moment({ at: ENDED - LIFE_MS / 2 + second * 1_000, ...spell(second) });
  judge.visited({ at: ENDED + 500, host: 'lb', name: 'a.example.com', verdict: { kind, leaf } }, true);
  return judge.violations;
}

const quiet = { calm: true, held: false };
const spells: readonly [name: string, spell: (second: number) => Omit<Moment, 'at'>, breaches: number][] = [
  ['quiet all the time', () => quiet, 1],
  ['quiet for 8 seconds, a sixth of the life', (second) => ({ ...quiet, calm: second >= 5 && second <= 13 }), 1],
  ['quiet for 7 seconds at a time', (second) => ({ ...quiet, calm: second % 8 !== 0 }), 0],
  ['never quiet', () => ({ ...quiet, calm: false }), 0],
  ['a pause after a failure all the time', () => ({ ...quiet, held: true }), 0],
];
for (const [name, spell, breaches] of spells) {
  test(`a certificate that has ended, or lacks a name, when it was ${name}: ${breaches} breach`, () => {
    assert.equal(seenAfter(spell, 'expired').length, breaches);
    assert.equal(seenAfter(spell, 'other name').length, breaches);
  });
}

test('a PEM of somebody else is a breach at any time, the placeholder once there was better', () => {
  const judge = new Judge();
  const at = { at: Date.now(), host: 'lb', name: 'a.example.com' };
  judge.visited({ ...at, verdict: { kind: 'placeholder' } }, true);
  assert.deepEqual(judge.violations, []);
  judge.visited({ ...at, verdict: { kind: 'foreign', why: 'unknown issuer' } }, true);
  judge.proven(1_000);
  judge.visited({ ...at, verdict: { kind: 'placeholder' } }, true);
  assert.equal(judge.violations.length, 2);
});

function struck(kind: KindName, from: number, to: number): Costs['struck'][number] {
  const fault: Fault = { n: 1, kind, atMs: from, lastsMs: to - from, aimed: false, lot: 0 };
  return { fault, from, to };
}

const costs = (more: Partial<Costs>): Costs => ({
  ...{ seconds: 20, lifeSeconds: 48, minuteMs: 25, struck: [], orders: [], posted: [] },
  ...more,
});
const ordersAt = (...times: readonly number[]) => times.map((at) => ({ at, isPartial: false }));

test('an order that came to nothing needs a fault, and no fault pays for more than are tried in its time', () => {
  const killed = [struck('Pebble killed', 10_000, 10_010)];
  const account = (more: Partial<Costs>) => accountOf(costs(more));
  assert.deepEqual(account({ orders: ordersAt(5_000, 9_000), posted: [9_500] }).unexplained, [5_000]);
  const orders = ordersAt(9_000, 10_500);
  assert.deepEqual(account({ orders, posted: [11_000], struck: killed }).unexplained, []);
  const hot = ordersAt(9_000, 9_100, 9_200, 9_300, 10_500);
  assert.equal(account({ orders: hot, posted: [11_000], struck: killed }).unexplained.length, 3);
  const edited = [struck('a variable set by others', 9_000, 12_000)];
  assert.equal(account({ orders, posted: [11_000], struck: edited }).unexplained.length, 1);
});

test('each certificate has its reason: the first, half a life, an edit, a name left out', () => {
  assert.equal(accountOf(costs({})).mostFruitful, 2);
  assert.equal(accountOf(costs({ seconds: 95 })).mostFruitful, 6);
  const partial = [{ at: 1, isPartial: true }];
  const renamed = [struck('a name added or taken away', 1, 2)];
  assert.equal(accountOf(costs({ orders: partial, struck: renamed })).mostFruitful, 4);
});

test('while the CA is away it is asked after 1, 2, 3, 4, 9 and 19 minutes, and not all the time', () => {
  assert.equal(mostTries(0, 25), 2);
  assert.equal(mostTries(500, 25), 2 * 7);
  const asked = Array.from({ length: 15 }, (_, n) => 10_000 + n * 30);
  const away = [struck('CA: connections dropped', 10_000, 10_500)];
  assert.deepEqual(hurried(asked.slice(1), away, 25), []);
  assert.equal(hurried(asked, away, 25).length, 1);
  assert.deepEqual(hurried(asked, [...away, struck('sidecar killed, its folder lost', 10_200, 10_300)], 25), []);
});
