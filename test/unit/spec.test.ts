/** From an app's labels to the names on its certificate. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { specFor, wantedNames } from '../../src/certificates/spec.ts';

const names = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `n${from + index}.shop.net`);
const wanted = (labels: Record<string, string>, override?: string) => wantedNames({ labels, override, publicCa: true });

const rows: readonly { name: string; labels: Record<string, string>; override?: string; domains: string[] }[] = [
  { name: 'one name', labels: { HAPROXY_0_VHOST: 'a.net' }, domains: ['a.net'] },
  { name: 'the order of names is kept', labels: { HAPROXY_0_VHOST: 'z.net,a.net' }, domains: ['z.net', 'a.net'] },
  {
    name: 'labels count numerically: 10 comes after 2',
    labels: { HAPROXY_10_VHOST: 'ten.net', HAPROXY_2_VHOST: 'two.net', HAPROXY_0_VHOST: 'zero.net' },
    domains: ['zero.net', 'two.net', 'ten.net'],
  },
  {
    name: 'blanks, line breaks, doubled and trailing commas are nothing',
    labels: { HAPROXY_0_VHOST: ' a.net , b.net,\n\tc.net,,\r\nd.net, ' },
    domains: ['a.net', 'b.net', 'c.net', 'd.net'],
  },
  {
    name: 'a name twice, in any spelling, is wanted once, where it first stood',
    labels: { HAPROXY_0_VHOST: 'a.net,b.net,A.NET.', HAPROXY_1_VHOST: 'b.net,c.net' },
    domains: ['a.net', 'b.net', 'c.net'],
  },
  {
    name: 'placeholders go without a word',
    labels: { HAPROXY_0_VHOST: 'your.domain.invalid,a.net' },
    domains: ['a.net'],
  },
  {
    name: 'other labels say nothing about names',
    labels: {
      HAPROXY_VHOST: 'x.net',
      HAPROXY_0_VHOSTS: 'x.net',
      XHAPROXY_0_VHOST: 'x.net',
      HAPROXY_GROUP: 'external',
      HAPROXY_0_PATH: '/.well-known/acme-challenge',
      HAPROXY_A_VHOST: 'x.net',
    },
    domains: [],
  },
  { name: 'no label at all', labels: {}, domains: [] },
  { name: 'an empty label', labels: { HAPROXY_0_VHOST: '' }, domains: [] },
  {
    name: 'DOMAINS replaces the labels',
    labels: { HAPROXY_0_VHOST: 'label.net' },
    override: 'b.net, a.net',
    domains: ['b.net', 'a.net'],
  },
  {
    name: 'an empty DOMAINS does not',
    labels: { HAPROXY_0_VHOST: 'label.net' },
    override: ' ',
    domains: ['label.net'],
  },
];
for (const { name, labels, override, domains } of rows) {
  test(name, () => {
    assert.deepEqual(wanted(labels, override), { domains, refused: [] });
  });
}

test('junk is named with its reason, once, and stops nobody', () => {
  const { domains, refused } = wanted({ HAPROXY_0_VHOST: 'a.net,*.b.net,http://c.net,10.0.0.1,*.b.net,d.net' });
  assert.deepEqual(domains, ['a.net', 'd.net']);
  assert.deepEqual(
    refused.map(({ name }) => name),
    ['*.b.net', 'http://c.net', '10.0.0.1'],
  );
  assert.match(refused[0]?.reason ?? '', /wildcard/);
});

test('a special-use name is left to a private CA to judge', () => {
  const from = { labels: { HAPROXY_0_VHOST: 'a.example,b.net' }, override: undefined };
  assert.deepEqual(wantedNames({ ...from, publicCa: false }).domains, ['a.example', 'b.net']);
  assert.deepEqual(wantedNames({ ...from, publicCa: true }).domains, ['b.net']);
});

test('of 102 names the first 100 are kept and the rest is reported', () => {
  const labels = { HAPROXY_0_VHOST: names(60).join(), HAPROXY_1_VHOST: names(42, 60).join() };
  const { domains, refused } = wanted(labels);
  assert.deepEqual(domains, names(100));
  assert.deepEqual(
    refused.map(({ name }) => name),
    ['n100.shop.net', 'n101.shop.net'],
  );
  assert.match(refused[0]?.reason ?? '', /100 names/);
});

test('repeats, placeholders and junk take none of the 100 places', () => {
  const { domains } = wanted({ HAPROXY_0_VHOST: ['n0.shop.net', 'x.invalid', '*.a.net', ...names(100)].join() });
  assert.deepEqual(domains, names(100));
});

test('a label pasted full of something is reported at bearable length', () => {
  const [refused] = wanted({ HAPROXY_0_VHOST: '_'.repeat(10_000) }).refused;
  assert.equal(refused?.name.length, 100);
});

test('the common name is the first name of at most 64 characters', () => {
  const long = `${'a'.repeat(61)}.net`; // 65
  const just = `${'b'.repeat(60)}.net`; // 64
  assert.equal(specFor([long, just, 'c.net'], 'ec256').commonName, just);
  assert.equal(specFor([long], 'ec256').commonName, undefined);
  assert.deepEqual(specFor(['a.net'], 'rsa4096'), { domains: ['a.net'], commonName: 'a.net', keyType: 'rsa4096' });
});
