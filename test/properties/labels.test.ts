/**
 * Labels that anybody may have pasted anything into: each name in them is wanted or refused with a reason, none is lost.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { checkName } from '../../src/certificates/domain.ts';
import { specFor, wantedNames } from '../../src/certificates/spec.ts';
import { anyText, assertPrintable, holds } from './holds.ts';

const LONGEST_REASON = 120;
const LONGEST_NAME = 100;

const words = [
  'a',
  'www',
  'shop-1',
  'xn--mnchen-3ya',
  'xn--',
  'münchen',
  'ＡＢＣ',
  'ß',
  '1',
  '0x7f',
  '-',
  '*',
  '_',
  'é\u0301',
];
const dots = ['.', '.', '.', '.', '。', '．', '..', ''];
const zones = [
  'net',
  'org',
  'invalid',
  'INVALID',
  'ｉｎｖａｌｉｄ',
  'local',
  'example',
  '1',
  'x'.repeat(63),
  'y'.repeat(64),
];
const plausible = fc
  .array(fc.tuple(fc.constantFrom(...words), fc.constantFrom(...dots)), { minLength: 1, maxLength: 12 })
  .chain((parts) => fc.constantFrom(...zones).map((zone) => parts.flat().join('') + zone));
const good = fc.integer({ min: 0, max: 300 }).map((n) => `n${n}.shop.net`);
const name = fc.oneof(plausible, good, good, anyText('.', 'a.', '1.', ':', '/', 'http://', '[::1]', '10.0.0.1'));

const separator = fc.constantFrom(',', ', ', '\n', ' ,', '\t');
const value = fc.array(fc.tuple(name, separator), { maxLength: 60 }).map((parts) => parts.flat().join(''));
const key = fc.oneof(
  { weight: 5, arbitrary: fc.nat(40).map((n) => `HAPROXY_${n}_VHOST`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('HAPROXY_GROUP', 'HAPROXY_1_PATH', '__proto__', 'HAPROXY_99999999999999999999_VHOST'),
  },
);
const labels = fc.dictionary(key, value, { maxKeys: 8 });
const split = (text: string): string[] => text.split(/[\s,]+/).filter((part) => part !== '');

holds('a name that is taken is taken again as it is', fc.tuple(name, fc.boolean()), ([typed, publicCa]) => {
  const verdict = checkName(typed, publicCa);
  if (verdict.kind === 'refused') assertPrintable(verdict.reason, LONGEST_REASON);
  if (verdict.kind !== 'name') return;
  assert.deepEqual(checkName(verdict.name, publicCa), verdict);
  assert.match(verdict.name, /^(?=.{4,253}$|.{3}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]+$/);
});

holds('what a private CA refuses, a public one refuses too', name, (typed) => {
  const [publicly, privately] = [checkName(typed, true), checkName(typed, false)];
  if (privately.kind !== 'name') assert.deepEqual(publicly, privately);
});

holds(
  'every name of every label is wanted, refused with a reason, or a placeholder',
  fc.record({ labels, override: fc.option(value, { nil: undefined }), publicCa: fc.boolean() }),
  (from) => {
    const wanted = wantedNames(from);
    const { domains, refused } = wanted;
    assert.ok(domains.length <= 100);
    assert.equal(new Set(domains).size, domains.length, 'no name twice');
    for (const { name: told, reason } of refused) {
      assertPrintable(told, LONGEST_NAME);
      assertPrintable(reason, LONGEST_REASON);
    }
    const vhosts = Object.entries(from.labels).filter(([label]) => /^HAPROXY_\d+_VHOST$/.test(label));
    const typed = from.override?.trim() ? split(from.override) : vhosts.flatMap(([, text]) => split(text));
    let refusals = 0;
    for (const one of typed) {
      const verdict = checkName(one, from.publicCa);
      if (verdict.kind === 'refused') refusals += 1;
      if (verdict.kind === 'name' && !domains.includes(verdict.name))
        assert.ok(
          domains.length === 100 && refused.some(({ name: told }) => told === verdict.name || told.endsWith('…')),
        );
    }
    assert.equal(
      refused.some(({ reason }) => !reason.startsWith('is beyond')),
      refusals > 0,
    );
    // Once more from what came out: nothing changes, and nothing is out of order.
    assert.deepEqual(wantedNames({ ...from, override: domains.join(',') || 'x.invalid' }), { domains, refused: [] });
    const inOrder = vhosts
      .sort(([a], [b]) => Number(a.split('_')[1]) - Number(b.split('_')[1]))
      .flatMap(([, text]) => split(text));
    const expected = (from.override?.trim() ? split(from.override) : inOrder).flatMap((one) => {
      const verdict = checkName(one, from.publicCa);
      return verdict.kind === 'name' ? [verdict.name] : [];
    });
    assert.deepEqual(domains, [...new Set(expected)].slice(0, 100));
    const { commonName } = specFor(domains, 'ec256');
    if (commonName !== undefined) assert.ok(commonName.length <= 64 && domains.includes(commonName));
  },
  150,
);
