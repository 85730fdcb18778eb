/** The SSL Server Rating Guide as a table: what a server does → its grade, and the rule that holds it down. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adviceOn } from '../../src/audit/advice.ts';
import type { CertificateFacts } from '../../src/audit/certificate.ts';
import { CURES } from '../../src/audit/cures.ts';
import type { Facts } from '../../src/audit/facts.ts';
import { type Grade, gradeOf, isAtLeast } from '../../src/audit/grade.ts';
import type { VersionFacts } from '../../src/audit/handshakes.ts';
import type { Version } from '../../src/audit/hello.ts';
import { readHsts } from '../../src/audit/hsts.ts';
import { SUITES } from '../../src/audit/suites.ts';
import type { Page } from '../../src/audit/web.ts';

const NOW = new Date('2026-11-22T12:00:00Z');
const days = (count: number): Date => new Date(NOW.getTime() + count * 86_400_000);

function version(of: Version, suites: readonly string[], more: Partial<VersionFacts> = {}): VersionFacts {
  const found = suites.map((name) => SUITES.find((suite) => suite.name === name) ?? assert.fail(name));
  return {
    version: of,
    suites: found,
    compressed: false,
    secureRenegotiation: true,
    dhBits: [],
    groups: [29],
    chains: [],
    ...more,
  };
}

const AEAD = 'ECDHE_RSA_WITH_AES_256_GCM_SHA384';
const AEAD128 = 'ECDHE_RSA_WITH_AES_128_GCM_SHA256';
const CBC = 'RSA_WITH_AES_128_CBC_SHA';
const TRIPLE = 'RSA_WITH_3DES_EDE_CBC_SHA';
const RC4 = 'RSA_WITH_RC4_128_SHA';
const MODERN = version('TLSv1.3', ['AES_256_GCM_SHA384', 'AES_128_GCM_SHA256']);
const GOOD = version('TLSv1.2', [AEAD, AEAD128]);

const CERTIFICATE: CertificateFacts = {
  subject: 'a.example',
  issuer: 'Test CA',
  names: ['a.example'],
  fitsName: true,
  notBefore: days(-30),
  notAfter: days(60),
  expired: false,
  notYetValid: false,
  key: { kind: 'RSA', bits: 4096, asRsa: 4096 },
  hashes: ['SHA256'],
  chain: { kind: 'trusted', root: 'Test CA Root' },
  sent: 2,
  fingerprint: 'AB',
};

function page(hsts: readonly string[] = ['max-age=31536000'], status = 200): Page {
  const headers = {
    'x-content-type-options': 'nosniff',
    'content-security-policy': "frame-ancestors 'self'",
    'referrer-policy': 'no-referrer',
  };
  return { kind: 'answered', status, hsts: readHsts(hsts), headers, chain: [] };
}

interface Change {
  readonly versions?: readonly VersionFacts[];
  readonly certificate?: Partial<CertificateFacts>;
  readonly certificates?: readonly CertificateFacts[];
  readonly page?: Page;
  readonly sslv2?: boolean;
}

/** The best there is, less what the row says. */
function facts({
  versions = [MODERN, GOOD],
  certificate,
  certificates,
  page: seen = page(),
  sslv2 = false,
}: Change): Facts {
  return {
    name: 'a.example',
    handshakes: { sslv2, versions, silentTo: [] },
    certificates: certificates ?? [{ ...CERTIFICATE, ...certificate }],
    web: { redirect: { kind: 'https', status: 301, location: 'https://a.example/' }, page: seen },
  };
}

const rsa = (bits: number): CertificateFacts['key'] => ({ kind: 'RSA', bits, asRsa: bits });
const with10 = [MODERN, GOOD, version('TLSv1.0', ['ECDHE_RSA_WITH_AES_256_CBC_SHA'])];

const ROWS: readonly (Change & { readonly name: string; readonly grade: Grade; readonly rule?: string })[] = [
  { name: 'TLS 1.2 and 1.3, AEAD with forward secrecy, HSTS for a year', grade: 'A+' },
  { name: 'TLS 1.3 alone', versions: [MODERN], grade: 'A+' },
  {
    name: 'CBC and RSA key exchange as last resorts',
    versions: [MODERN, version('TLSv1.2', [AEAD, CBC])],
    grade: 'A+',
  },
  { name: 'HSTS for exactly 180 days', page: page(['max-age=15552000']), grade: 'A+' },
  { name: 'no HSTS', page: page([]), grade: 'A', rule: 'hsts' },
  { name: 'HSTS of one second less', page: page(['max-age=15551999']), grade: 'A', rule: 'hsts' },
  { name: 'HSTS switched off', page: page(['max-age=0']), grade: 'A', rule: 'hsts' },
  { name: 'HSTS that no browser reads', page: page(['max-age']), grade: 'A', rule: 'hsts' },
  { name: 'a page that does not answer', page: { kind: 'unreachable', why: 'ECONNRESET' }, grade: 'A', rule: 'hsts' },
  { name: 'no TLS 1.3', versions: [GOOD], grade: 'A-', rule: 'no-tls1_3' },
  {
    name: 'no secure renegotiation',
    versions: [MODERN, { ...GOOD, secureRenegotiation: false }],
    grade: 'A-',
    rule: 'renegotiation',
  },
  { name: 'TLS 1.1 too', versions: [MODERN, GOOD, version('TLSv1.1', [CBC])], grade: 'B', rule: 'tls1_1' },
  { name: 'TLS 1.0 too', versions: with10, grade: 'B', rule: 'tls1_0' },
  {
    name: 'RSA key exchange only',
    versions: [version('TLSv1.2', ['RSA_WITH_AES_128_GCM_SHA256'])],
    grade: 'B',
    rule: 'no-forward-secrecy',
  },
  {
    name: 'CBC only',
    versions: [version('TLSv1.2', ['ECDHE_RSA_WITH_AES_128_CBC_SHA256'])],
    grade: 'B',
    rule: 'no-aead',
  },
  { name: 'RC4 as a last resort', versions: [MODERN, version('TLSv1.2', [AEAD, RC4])], grade: 'B', rule: 'rc4' },
  {
    name: 'RC4 before all others',
    versions: [MODERN, version('TLSv1.2', [RC4, AEAD])],
    grade: 'C',
    rule: 'rc4-modern',
  },
  { name: 'RC4 and nothing else', versions: [version('TLSv1.0', [RC4])], grade: 'F', rule: 'rc4-only' },
  {
    name: '3DES as a last resort, which lowers the score and no more',
    versions: [MODERN, version('TLSv1.2', [AEAD, TRIPLE])],
    grade: 'A+',
  },
  {
    name: '3DES before all others',
    versions: [MODERN, version('TLSv1.2', [TRIPLE, AEAD])],
    grade: 'C',
    rule: 'small-block',
  },
  {
    name: 'a prime of 1024 bits',
    versions: [MODERN, version('TLSv1.2', [AEAD], { dhBits: [1024] })],
    grade: 'B',
    rule: 'weak-key',
  },
  {
    name: 'a prime of 768 bits',
    versions: [MODERN, version('TLSv1.2', [AEAD], { dhBits: [768] })],
    grade: 'F',
    rule: 'insecure-key',
  },
  {
    name: 'a curve of 192 bits',
    versions: [MODERN, version('TLSv1.2', [AEAD], { groups: [19] })],
    grade: 'B',
    rule: 'weak-key',
  },
  { name: 'an RSA key of 2048 bits', certificate: { key: rsa(2048) }, grade: 'A+' },
  { name: 'an RSA key of 1024 bits', certificate: { key: rsa(1024) }, grade: 'B', rule: 'weak-key' },
  { name: 'an RSA key of 512 bits', certificate: { key: rsa(512) }, grade: 'F', rule: 'insecure-key' },
  { name: 'compression', versions: [MODERN, { ...GOOD, compressed: true }], grade: 'C', rule: 'compression' },
  {
    name: 'TLS 1.0 at best',
    versions: [version('TLSv1.0', ['ECDHE_RSA_WITH_AES_256_CBC_SHA'])],
    grade: 'C',
    rule: 'old-only',
  },
  { name: 'SSL 3.0 with CBC too', versions: [MODERN, GOOD, version('SSLv3', [CBC])], grade: 'C', rule: 'poodle' },
  { name: 'SSL 3.0 with RC4 alone too', versions: [MODERN, GOOD, version('SSLv3', [RC4])], grade: 'B', rule: 'sslv3' },
  { name: 'SSL 3.0 at best', versions: [version('SSLv3', [CBC])], grade: 'F', rule: 'sslv3-best' },
  { name: 'SSL 2.0 too', sslv2: true, grade: 'F', rule: 'sslv2' },
  {
    name: 'export suites',
    versions: [MODERN, version('TLSv1.2', [AEAD, 'RSA_EXPORT_WITH_RC4_40_MD5'])],
    grade: 'F',
    rule: 'export',
  },
  {
    name: 'suites without authentication',
    versions: [MODERN, version('TLSv1.2', [AEAD, 'DH_anon_WITH_AES_128_CBC_SHA'])],
    grade: 'F',
    rule: 'anonymous',
  },
  {
    name: 'suites without encryption',
    versions: [MODERN, version('TLSv1.2', [AEAD, 'RSA_WITH_NULL_SHA'])],
    grade: 'F',
    rule: 'weak-cipher',
  },
  {
    name: 'DES',
    versions: [MODERN, version('TLSv1.2', [AEAD, 'RSA_WITH_DES_CBC_SHA'])],
    grade: 'F',
    rule: 'weak-cipher',
  },
  {
    name: 'a chain without its intermediate',
    certificate: { chain: { kind: 'incomplete', missing: 'R10' } },
    grade: 'B',
    rule: 'incomplete-chain',
  },
  { name: 'another name', certificate: { fitsName: false }, grade: 'M', rule: 'wrong-name' },
  {
    name: 'self-signed, and another name',
    certificate: { fitsName: false, chain: { kind: 'untrusted', why: 'it is self-signed' } },
    grade: 'T',
    rule: 'untrusted',
  },
  { name: 'expired', certificate: { expired: true }, grade: 'T', rule: 'expired' },
  { name: 'not valid yet', certificate: { notYetValid: true }, grade: 'T', rule: 'not-yet-valid' },
  { name: 'a SHA-1 signature', certificate: { hashes: ['SHA1', 'SHA256'] }, grade: 'T', rule: 'sha1-signature' },
  { name: 'an MD5 signature', certificate: { hashes: ['MD5'] }, grade: 'F', rule: 'broken-signature' },
  { name: 'no certificate', certificates: [], grade: 'T', rule: 'no-certificate' },
  {
    name: 'one good certificate and an expired one',
    certificates: [CERTIFICATE, { ...CERTIFICATE, expired: true }],
    grade: 'T',
    rule: 'expired',
  },
];

for (const { name, grade, rule, ...change } of ROWS) {
  test(`${name}: ${grade}`, () => {
    const verdict = gradeOf(facts(change));
    assert.equal(verdict.grade, grade, JSON.stringify(verdict.breaches));
    assert.equal(verdict.breaches.find(({ cap }) => cap === grade)?.rule, rule);
    for (const { cure } of verdict.breaches) assert.ok(CURES[cure].length > 0);
  });
}

test('the scores are those of the guide: best and worst halved, 30, 30 and 40 per cent', () => {
  assert.deepEqual(gradeOf(facts({})).scores, { protocol: 100, keyExchange: 90, cipher: 90, total: 93 });
  assert.deepEqual(gradeOf(facts({ versions: with10 })).scores, {
    protocol: 95,
    keyExchange: 90,
    cipher: 90,
    total: 91,
  });
  const none = version('TLSv1.2', [AEAD, 'DH_anon_WITH_AES_128_CBC_SHA']);
  assert.deepEqual(gradeOf(facts({ versions: [none] })).scores, {
    protocol: 100,
    keyExchange: 0,
    cipher: 90,
    total: 0,
  });
});

test('what is not trusted is graded without that too', () => {
  const { grade, gradeOfTls } = gradeOf(facts({ certificate: { expired: true }, versions: with10 }));
  assert.deepEqual([grade, gradeOfTls], ['T', 'B']);
});

test('grades are compared from A+ down to T', () => {
  assert.ok(isAtLeast('A+', 'A'));
  assert.ok(isAtLeast('A-', 'A-'));
  assert.ok(!isAtLeast('A-', 'A'));
  assert.ok(!isAtLeast('T', 'F'));
});

test('what has no weight for the grade is said all the same', () => {
  const about = (change: Change, redirect: Facts['web']['redirect']): readonly string[] => {
    const seen = facts(change);
    return adviceOn({ ...seen, web: { ...seen.web, redirect } }, NOW).map((advice) => advice.about);
  };
  const good = { kind: 'https', status: 301, location: 'https://a.example/' } as const;
  assert.deepEqual(about({}, good), []);
  assert.deepEqual(about({ certificate: { notAfter: days(13) } }, good), ['expiry']);
  assert.deepEqual(about({ versions: [MODERN, version('TLSv1.2', [AEAD, CBC])] }, good), ['weak-suites']);
  assert.deepEqual(about({}, { kind: 'none', status: 200 }), ['redirect']);
  assert.deepEqual(about({}, { kind: 'elsewhere', status: 302, location: 'http://b.example/' }), ['redirect']);
  assert.deepEqual(about({}, { kind: 'unreachable', why: 'ECONNREFUSED' }), ['redirect']);
  const bare: Page = {
    kind: 'answered',
    status: 200,
    hsts: readHsts(['max-age=31536000', 'max-age=1']),
    headers: { server: 'nginx/1.2' },
    chain: [],
  };
  assert.deepEqual(about({ page: bare }, good), [
    'hsts-twice',
    'x-content-type-options',
    'framing',
    'referrer-policy',
    'content-security-policy',
    'server',
  ]);
});
