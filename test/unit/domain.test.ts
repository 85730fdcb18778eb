/** Which names are fit for a certificate, and what the operator reads about those that are not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkName } from '../../src/certificates/domain.ts';

const label63 = 'a'.repeat(63);
const length253 = `${[label63, label63, label63].join('.')}.${'a'.repeat(57)}.net`;

const taken: readonly { why: string; typed: string; name: string }[] = [
  { why: 'a plain name', typed: 'a.shop.net', name: 'a.shop.net' },
  { why: 'upper case', typed: 'WWW.Shop.NET', name: 'www.shop.net' },
  { why: 'a trailing dot', typed: 'www.shop.net.', name: 'www.shop.net' },
  { why: 'blanks around', typed: ' \twww.shop.net ', name: 'www.shop.net' },
  { why: 'an internationalised name', typed: 'Bücher.net', name: 'xn--bcher-kva.net' },
  { why: 'sharp s by today’s rules', typed: 'faß.de', name: 'xn--fa-hia.de' },
  { why: 'an internationalised name already encoded', typed: 'xn--bcher-kva.net', name: 'xn--bcher-kva.net' },
  { why: 'an ideographic full stop', typed: '例え。jp', name: 'xn--r8jz45g.jp' },
  { why: 'digits and hyphens within', typed: '4-2.net', name: '4-2.net' },
  { why: 'a part of digits that is not the last', typed: '1.2.3.net', name: '1.2.3.net' },
  { why: '253 characters', typed: length253, name: length253 },
  { why: 'a part of 63 characters', typed: `${label63}.net`, name: `${label63}.net` },
  { why: 'ten parts', typed: 'a.b.c.d.e.f.g.h.i.net', name: 'a.b.c.d.e.f.g.h.i.net' },
];
for (const { why, typed, name } of taken) {
  for (const publicCa of [true, false]) {
    test(`${why} is fit for a certificate of a ${publicCa ? 'public' : 'private'} CA`, () => {
      assert.deepEqual(checkName(typed, publicCa), { kind: 'name', name });
    });
  }
}

const refused: readonly { typed: string; reason: RegExp }[] = [
  { typed: '', reason: /empty/ },
  { typed: '.', reason: /empty/ },
  { typed: '*.shop.net', reason: /wildcard/ },
  { typed: '*', reason: /wildcard/ },
  { typed: 'a.*.net', reason: /wildcard/ },
  { typed: '10.0.0.1', reason: /IP address/ },
  { typed: '1.2.3', reason: /IP address/ },
  { typed: 'a.0x7f', reason: /IP address/ },
  { typed: '１.２.３.４', reason: /IP address/ },
  { typed: '::1', reason: /IP address/ },
  { typed: '[2001:db8::1]', reason: /IP address/ },
  { typed: 'https://www.shop.net/', reason: /URL/ },
  { typed: 'www.shop.net:443', reason: /port/ },
  { typed: 'www.shop.net/path', reason: /path/ },
  { typed: 'my_shop.net', reason: /character "_"/ },
  { typed: 'a b.net', reason: /character " "/ },
  { typed: 'a;b.net', reason: /character ";"/ },
  { typed: '"a.net"', reason: /character "\\""/ },
  { typed: '$(reboot).net', reason: /character "\$"/ },
  { typed: 'ü%2e.net', reason: /character "%"/ },
  { typed: 'a\u0000.net', reason: /character "\\u0000"/ },
  { typed: 'a\u0085.net', reason: /character/ },
  { typed: 'a\u200db.net', reason: /no valid internationalised name/ },
  { typed: '-a.net', reason: /hyphen/ },
  { typed: 'a-.net', reason: /hyphen/ },
  { typed: 'a..net', reason: /empty part/ },
  { typed: '.a.net', reason: /empty part/ },
  { typed: 'a.net..', reason: /empty part/ },
  { typed: `a${length253}`, reason: /more than 63|254 characters/ },
  { typed: `b.${length253}`, reason: /255 characters/ },
  { typed: `${label63}a.net`, reason: /more than 63/ },
  { typed: `${'ü'.repeat(60)}.net`, reason: /more than 63|internationalised/ },
  { typed: 'localhost', reason: /no dot/ },
  { typed: 'xn--a.net', reason: /does not decode/ },
  { typed: 'xn--zzzzz---.net', reason: /does not decode|hyphen/ },
  { typed: 'xn--.net', reason: /does not decode|hyphen/ },
];
for (const { typed, reason } of refused) {
  for (const publicCa of [true, false]) {
    test(`${JSON.stringify(typed.slice(0, 40))} is refused for a ${publicCa ? 'public' : 'private'} CA: ${reason.source}`, () => {
      const verdict = checkName(typed, publicCa);
      assert.equal(verdict.kind, 'refused', JSON.stringify(verdict));
      assert.match(verdict.kind === 'refused' ? verdict.reason : '', reason);
    });
  }
}

const onlyPrivate: readonly { typed: string; reason: RegExp }[] = [
  ...['local', 'internal', 'localhost', 'test', 'example', 'onion', 'home.arpa', 'mesos', 'dcos.directory'].map(
    (zone) => ({ typed: `www.${zone}`, reason: new RegExp(`\\.${zone}, for which no public CA`) }),
  ),
  { typed: 'dcos.directory', reason: /dcos\.directory/ },
  { typed: 'a.b.c.d.e.f.g.h.i.j.net', reason: /more than 10 parts/ },
  { typed: 'ab--cd.net', reason: /reserved/ },
];
for (const { typed, reason } of onlyPrivate) {
  test(`${typed} is refused for a public CA only; a private one may issue for it`, () => {
    const verdict = checkName(typed, true);
    assert.match(verdict.kind === 'refused' ? verdict.reason : '', reason);
    assert.deepEqual(checkName(typed, false), { kind: 'name', name: typed });
  });
}

for (const typed of ['your-domain.invalid', 'A.INVALID.', '*.invalid', 'replace_me.invalid']) {
  test(`${typed} is a placeholder, for any CA`, () => {
    assert.deepEqual(checkName(typed, true), { kind: 'placeholder' });
    assert.deepEqual(checkName(typed, false), { kind: 'placeholder' });
  });
}

test('a name that only contains a special zone is no special name', () => {
  assert.deepEqual(checkName('contest.net', true), { kind: 'name', name: 'contest.net' });
  assert.deepEqual(checkName('mylocal.net', true), { kind: 'name', name: 'mylocal.net' });
  assert.deepEqual(checkName('invalid.net', true), { kind: 'name', name: 'invalid.net' });
});
