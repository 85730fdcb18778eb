/** Renewal by share of life: from 200 days down to two minutes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isShortLived, lifeLeft, mayShrinkAt, renewAt } from '../../src/certificates/renewal.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const notBefore = new Date('2026-11-22T00:00:00Z');
const certificate = (lifeMs: number, fingerprint = 'AB:CD') => ({
  notBefore,
  notAfter: new Date(notBefore.getTime() + lifeMs),
  fingerprint,
});
const after = (lifeMs: number, fingerprint?: string) =>
  renewAt(certificate(lifeMs, fingerprint)).getTime() - notBefore.getTime();

const rows: readonly { name: string; life: number; at: number; spread: number }[] = [
  { name: '200 days: at 2/3, at most half a day earlier', life: 200 * DAY, at: (400 / 3) * DAY, spread: DAY / 2 },
  { name: '90 days: at day 60, at most half a day earlier', life: 90 * DAY, at: 60 * DAY, spread: DAY / 2 },
  { name: '45 days: at day 30, at most 1 % of the life earlier', life: 45 * DAY, at: 30 * DAY, spread: 0.45 * DAY },
  { name: '10 days: at 2/3', life: 10 * DAY, at: (20 / 3) * DAY, spread: 0.1 * DAY },
  { name: '160 hours: at half', life: 160 * HOUR, at: 80 * HOUR, spread: 1.6 * HOUR },
  { name: 'two minutes: after one', life: 2 * MINUTE, at: MINUTE, spread: 1200 },
];
for (const { name, life, at, spread } of rows) {
  test(name, () => {
    for (const fingerprint of ['AA', 'BB', 'CC', 'DD', '']) {
      const found = after(life, fingerprint);
      assert.ok(found <= at && found >= at - spread - 1, `${found} is not within ${spread} before ${at}`);
    }
  });
}

test('a restart does not move the date; another certificate has another one', () => {
  assert.equal(after(90 * DAY, 'AA'), after(90 * DAY, 'AA'));
  assert.notEqual(after(90 * DAY, 'AA'), after(90 * DAY, 'BB'));
});

const shrinks: readonly { name: string; life: number; left: number }[] = [
  { name: '90 days: in the last fifteen', life: 90 * DAY, left: 15 * DAY },
  { name: '45 days: in the last seven and a half', life: 45 * DAY, left: 7.5 * DAY },
  { name: '18 days: in the last three, which is a sixth', life: 18 * DAY, left: 3 * DAY },
  { name: '14 days: in the last three', life: 14 * DAY, left: 3 * DAY },
  { name: '12 days: in the last three, which is a quarter', life: 12 * DAY, left: 3 * DAY },
  { name: '160 hours: in the last quarter', life: 160 * HOUR, left: 40 * HOUR },
  { name: 'two minutes: in the last half minute', life: 2 * MINUTE, left: MINUTE / 2 },
];
for (const { name, life, left } of shrinks) {
  test(`fewer names are better than its end, of ${name}`, () => {
    const bundle = certificate(life);
    assert.equal(bundle.notAfter.getTime() - mayShrinkAt(bundle).getTime(), left);
    assert.ok(renewAt(bundle) < mayShrinkAt(bundle), 'the full set has been tried for a while');
  });
}

test('what is left of its life: all before it begins, nothing after its end', () => {
  const bundle = certificate(90 * DAY);
  const at = (days: number) => lifeLeft(bundle, new Date(notBefore.getTime() + days * DAY));
  assert.deepEqual([at(0), at(60), at(90), at(91)], [1, 1 / 3, 0, 0]);
});

test('a life below ten days is a short one', () => {
  assert.deepEqual([isShortLived(certificate(10 * DAY)), isShortLived(certificate(10 * DAY - 1))], [false, true]);
});
