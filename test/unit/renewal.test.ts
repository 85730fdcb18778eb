/** Renewal by share of life: from 200 days down to two minutes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renewAt } from '../../src/certificates/renewal.ts';

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
