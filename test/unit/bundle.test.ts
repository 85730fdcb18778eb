/**
 * Every form in which a PEM reaches HAProxy: what it takes, what it refuses (and what we say then), and the gate
 * that a bundle must pass before it is posted.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { BundleError, CertificateBundle, normalisePem, objections } from '../../src/certificates/bundle.ts';
import { issue, keyAs, newKey, selfSigned, selfSignedWith } from '../support/certificates.ts';

const rsa = issue({ domains: ['a.shop.net', 'b.shop.net'], keyType: 'rsa2048' });
const ec = issue({ domains: ['a.shop.net'], keyType: 'ec256' });
const other = issue({ domains: ['a.shop.net'], keyType: 'ec256' });

/** The parts of a chain, each with its newline. */
function blocks(pem: string): [string, string] {
  const [leaf, intermediate] = pem.split(/(?<=-----END CERTIFICATE-----\n)/);
  assert.ok(leaf && intermediate);
  return [leaf, intermediate];
}
const [leaf, chain] = blocks(ec.chainPem);
const key = ec.keyPem;
const ecParameters = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';

const taken: readonly { form: string; pem: string; canonical?: string }[] = [
  { form: 'leaf, chain, key', pem: leaf + chain + key },
  { form: 'key, leaf, chain', pem: key + leaf + chain },
  { form: 'leaf, key, chain', pem: leaf + key + chain },
  { form: 'leaf, chain, root, key', pem: leaf + chain + ec.rootPem + key, canonical: leaf + chain + ec.rootPem + key },
  { form: 'leaf and key without a chain', pem: leaf + key, canonical: leaf + key },
  { form: 'CRLF line ends', pem: ec.pem.replaceAll('\n', '\r\n') },
  { form: 'literal \\n', pem: ec.pem.replaceAll('\n', '\\n') },
  { form: 'literal \\r\\n', pem: ec.pem.replaceAll('\n', '\\r\\n') },
  { form: 'no newline at the end', pem: ec.pem.trimEnd() },
  { form: 'blank lines around', pem: `\n\n${leaf}\n\n${chain}\n${key}\n\n` },
  { form: 'comments between', pem: `Bag Attributes\n  localKeyID: 01\n${leaf}# the chain -----\n${chain}${key}# end` },
  { form: 'blanks at line ends', pem: ec.pem.replaceAll('\n', ' \n') },
  { form: 'SEC1 key', pem: leaf + chain + keyAs(key, 'sec1'), canonical: leaf + chain + keyAs(key, 'sec1') },
  {
    form: 'SEC1 key with EC PARAMETERS',
    pem: leaf + chain + ecParameters + keyAs(key, 'sec1'),
    canonical: leaf + chain + keyAs(key, 'sec1'),
  },
  { form: 'RSA key in PKCS#8', pem: rsa.pem, canonical: rsa.pem },
  {
    form: 'RSA key in PKCS#1',
    pem: rsa.chainPem + keyAs(rsa.keyPem, 'pkcs1'),
    canonical: rsa.chainPem + keyAs(rsa.keyPem, 'pkcs1'),
  },
];
for (const { form, pem, canonical = ec.pem } of taken) {
  test(`${form}: taken, and handed on as leaf, chain, key`, () => {
    assert.equal(CertificateBundle.parse(pem).pem, canonical);
  });
}

for (const type of ['ec384', 'ed25519'] as const) {
  test(`an ${type} key: taken`, () => {
    const keyPem = newKey(type).export({ type: 'pkcs8', format: 'pem' }).toString();
    const { pem, fingerprint } = issue({ domains: ['a.shop.net'], keyPem });
    assert.equal(CertificateBundle.parse(pem).fingerprint, fingerprint);
  });
}

const half = (pem: string) => pem.slice(0, pem.length / 2);
const refused: readonly { form: string; pem: string; says: RegExp }[] = [
  { form: 'nothing', pem: '', says: /no PEM block/ },
  { form: 'some text', pem: 'to be filled in', says: /no PEM block/ },
  {
    form: 'chain before leaf',
    pem: chain + leaf + key,
    says: /chain stands before the certificate \(it is number 2\)/,
  },
  { form: 'no key', pem: leaf + chain, says: /no private key/ },
  { form: 'key only', pem: key, says: /no certificate/ },
  { form: 'key of another certificate', pem: leaf + chain + other.keyPem, says: /belongs to another certificate/ },
  { form: 'RSA certificate with an EC key', pem: rsa.chainPem + key, says: /belongs to another certificate/ },
  { form: 'encrypted key (PKCS#8)', pem: leaf + keyAs(key, 'encrypted'), says: /encrypted.*store it decrypted/ },
  {
    form: 'encrypted key (old form)',
    pem: `${leaf}-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----`,
    says: /encrypted/,
  },
  {
    form: 'joined without a newline',
    pem: leaf.trimEnd() + chain.trimEnd() + key,
    says: /line \d+:.*without a newline/,
  },
  { form: 'newlines turned into spaces', pem: ec.pem.replaceAll('\n', ' '), says: /newlines turned into spaces/ },
  { form: 'indented lines', pem: `x\n${ec.pem.replace(/^/gm, '  ')}`, says: /indented/ },
  { form: 'only the inside indented', pem: ec.pem.replace(/^(?!-)/gm, ' '), says: /line 2: not base64/ },
  { form: 'cut in the leaf', pem: half(leaf), says: /certificate has no END line \(truncated/ },
  { form: 'cut in the chain', pem: leaf + half(chain), says: /certificate has no END line/ },
  { form: 'cut in the key', pem: leaf + chain + half(key), says: /private key has no END line/ },
  {
    form: 'cut in the leaf, and going on',
    pem: `${half(leaf)}\n${chain}${key}`,
    says: /begins before the certificate/,
  },
  { form: 'a line lost in the leaf', pem: dropLine(leaf, 3) + chain + key, says: /certificate 1 cannot be read/ },
  { form: 'a line lost in the key', pem: leaf + chain + dropLine(key, 1), says: /private key cannot be read/ },
  { form: 'bad base64', pem: leaf.replace('\nMII', '\nM!I') + chain + key, says: /not base64, inside the certificate/ },
  { form: 'an end without a beginning', pem: `-----END CERTIFICATE-----\n${ec.pem}`, says: /which did not begin/ },
  {
    form: 'an empty block',
    pem: `-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n${key}`,
    says: /certificate 1 cannot be read/,
  },
  { form: 'two certificates, two keys', pem: rsa.pem + ec.pem, says: /2 private keys/ },
  {
    form: 'a request in it',
    pem: ec.pem + leaf.replaceAll('CERTIFICATE', 'CERTIFICATE REQUEST'),
    says: /holds a certificate request/,
  },
];
function dropLine(pem: string, index: number): string {
  return pem.split('\n').toSpliced(index, 1).join('\n');
}
for (const { form, pem, says } of refused) {
  test(`${form}: refused, saying ${says.source}`, () => {
    assert.throws(
      () => CertificateBundle.parse(pem),
      (error) => {
        assert.ok(error instanceof BundleError, inspect(error));
        assert.match(error.message, says);
        const secret = key.split('\n')[1] ?? '';
        assert.ok(!inspect(error, { depth: 9 }).includes(secret), 'the key is in the error');
        return true;
      },
    );
  });
}

test('a bundle knows what its certificate says', () => {
  const notBefore = new Date('2026-11-01T00:00:00Z');
  const notAfter = new Date('2027-01-30T12:34:56Z');
  const { pem, fingerprint } = issue({
    domains: ['B.Shop.net', 'a.shop.net'],
    notBefore,
    notAfter,
    issuerName: 'R, 10',
  });
  const bundle = CertificateBundle.parse(pem);
  assert.deepEqual(bundle.domains, ['b.shop.net', 'a.shop.net']);
  assert.equal(bundle.commonName, 'B.Shop.net');
  assert.match(bundle.issuer, /^CN=R\\?, 10$/);
  assert.deepEqual([bundle.notBefore, bundle.notAfter], [notBefore, notAfter]);
  assert.equal(bundle.fingerprint, fingerprint);
  assert.equal(bundle.selfSigned, false);
});

test('a certificate without subject or names is read all the same', () => {
  const bundle = CertificateBundle.parse(issue({ domains: [], commonName: null }).pem);
  assert.deepEqual([bundle.domains, bundle.commonName], [[], undefined]);
});

test('a name that pretends to be two is one', () => {
  const bundle = CertificateBundle.parse(issue({ domains: ['a.net, DNS:b.net', 'c.net'], commonName: null }).pem);
  assert.equal(bundle.domains.length, 2);
  assert.ok(!bundle.domains.includes('b.net'));
});

test('a self-signed certificate is known as such; one that only bears its issuer’s name is not', () => {
  assert.equal(CertificateBundle.parse(selfSigned('*').pem).selfSigned, true);
  assert.equal(
    CertificateBundle.parse(selfSignedWith({ domains: ['a.net'], keyType: 'rsa2048' }).pem).selfSigned,
    true,
  );
  const posing = issue({ domains: ['a.net'], issuerName: 'a.net' });
  assert.equal(CertificateBundle.parse(posing.pem).selfSigned, false);
});

test('what the CA sent and our key make a bundle, whatever line ends it sent', () => {
  const bundle = CertificateBundle.assemble({ chainPem: ec.chainPem.replaceAll('\n', '\r\n'), keyPem: key.trimEnd() });
  assert.equal(bundle.pem, ec.pem);
  assert.throws(() => CertificateBundle.assemble({ chainPem: ec.chainPem, keyPem: other.keyPem }), BundleError);
});

test('the key is in no printed form of a bundle', () => {
  const bundle = CertificateBundle.parse(ec.pem);
  const printed = [
    inspect(bundle, { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true }),
    JSON.stringify({ bundle }),
    `${bundle}`,
    JSON.stringify(Object.entries(bundle)),
    JSON.stringify(structuredClone({ ...bundle })),
  ];
  for (const text of printed) assert.doesNotMatch(text, /PRIVATE KEY|BEGIN/);
  assert.match(printed[0] ?? '', /a\.shop\.net/);
  assert.equal(JSON.parse(printed[1] ?? '').bundle.fingerprint, bundle.fingerprint);
});

test('a deployed value matches however it is written down', () => {
  const bundle = CertificateBundle.parse(ec.pem);
  const same = [ec.pem, ec.pem.trim(), ec.pem.replaceAll('\n', '\\n'), `\n${ec.pem.replaceAll('\n', '\r\n')}\n`];
  for (const deployed of [...same, key + leaf + chain]) assert.equal(bundle.matches(deployed), true);
  for (const deployed of ['', 'junk', leaf + key, other.pem, leaf + chain])
    assert.equal(bundle.matches(deployed), false);
});

test('a bundle knows its key', () => {
  const bundle = CertificateBundle.parse(ec.pem);
  assert.equal(bundle.holdsKey(keyAs(key, 'sec1')), true);
  assert.equal(bundle.holdsKey(other.keyPem), false);
  assert.equal(bundle.holdsKey('junk'), false);
});

test('normalising undoes what editors and shells do to line ends', () => {
  assert.equal(normalisePem(' a\\nb\r\nc\\r\\nd\n\n'), 'a\nb\nc\nd');
});

const now = new Date('2026-11-22T12:00:00Z');
const hours = (count: number) => new Date(now.getTime() + count * 3_600_000);
const good = { domains: ['a.shop.net', 'b.shop.net'], notBefore: hours(-1), notAfter: hours(2000) };
const wanted = { domains: good.domains, now, publicCa: true, stagingAllowed: false };
const many = Array.from({ length: 1500 }, (_, index) => `${'x'.repeat(60)}.${'y'.repeat(40)}.n${index}.net`);

const gate: readonly { name: string; pem: string; wanted?: Partial<typeof wanted>; says: readonly RegExp[] }[] = [
  { name: 'what was ordered passes', pem: issue(good).pem, says: [] },
  {
    name: 'the CA’s order of names is its own',
    pem: issue({ ...good, domains: ['b.shop.net', 'a.shop.net'] }).pem,
    says: [],
  },
  {
    name: 'spelling is no difference',
    pem: issue(good).pem,
    wanted: { domains: ['B.shop.net', 'a.SHOP.net'] },
    says: [],
  },
  { name: 'without a chain it passes: a private root may issue directly', pem: withoutChain(issue(good)), says: [] },
  { name: 'a CA certificate', pem: issue({ ...good, ca: true }).pem, says: [/is a CA certificate/] },
  {
    name: 'a name is missing',
    pem: issue({ ...good, domains: ['a.shop.net'] }).pem,
    says: [/names are not those wanted: b\.shop\.net is missing$/],
  },
  {
    name: 'a name too many',
    pem: issue({ ...good, domains: [...good.domains, 'c.shop.net'] }).pem,
    says: [/c\.shop\.net was not asked for/],
  },
  {
    name: 'all names differ, and the sentence stays short',
    pem: issue(good).pem,
    wanted: { domains: many.slice(0, 100) },
    says: [/and 95 more is missing; a\.shop\.net, b\.shop\.net was not asked for/],
  },
  {
    name: 'the chain is another CA’s',
    pem: withChainOf(issue(good), issue({ ...good, issuerName: 'Other CA' })),
    says: [/chain is broken: certificate 2 did not issue certificate 1/],
  },
  {
    name: 'a gap in the chain',
    pem: withRoot(issue(good), issue({ ...good, issuerName: 'Other CA' }).rootPem),
    says: [/certificate 3 did not issue certificate 2/],
  },
  { name: 'the whole chain with its root passes', pem: withRoot(issue(good), issue(good).rootPem), says: [] },
  {
    name: 'expired',
    pem: issue({ ...good, notAfter: hours(-0.001), notBefore: hours(-99) }).pem,
    says: [/it expired at 2026/],
  },
  { name: 'not valid yet', pem: issue({ ...good, notBefore: hours(0.1) }).pem, says: [/not valid before.*clock/] },
  {
    name: 'valid in four minutes: that much clocks may differ',
    pem: issue({ ...good, notBefore: hours(0.06) }).pem,
    says: [],
  },
  {
    name: 'an hour of life is too short for a public CA’s',
    pem: issue({ ...good, notBefore: hours(-0.5), notAfter: hours(0.5) }).pem,
    says: [/lives 60 minutes only/],
  },
  {
    name: 'a private CA may issue for two minutes',
    pem: issue({ ...good, notBefore: hours(0), notAfter: hours(1 / 30) }).pem,
    wanted: { publicCa: false },
    says: [],
  },
  {
    name: 'from staging',
    pem: issue({ ...good, issuerName: '(STAGING) Counterfeit Cashew R10' }).pem,
    says: [/for tests, no browser trusts it: CN=\(STAGING\)/],
  },
  {
    name: 'from staging, as asked for',
    pem: issue({ ...good, issuerName: '(STAGING) Counterfeit Cashew R10' }).pem,
    wanted: { stagingAllowed: true },
    says: [],
  },
  {
    name: '100 kB',
    pem: issue({ ...good, domains: many }).pem,
    wanted: { domains: many },
    says: [/takes \d{6} bytes; one variable/],
  },
  {
    name: 'several objections are told at once',
    pem: issue({ ...good, domains: ['a.shop.net'], ca: true, notBefore: hours(-9), notAfter: hours(-8.5) }).pem,
    says: [/CA certificate/, /missing/, /expired/, /30 minutes/],
  },
];
for (const { name, pem, wanted: asked, says } of gate) {
  test(`the gate: ${name}`, () => {
    const found = objections(CertificateBundle.parse(pem), { ...wanted, ...asked });
    assert.equal(found.length, says.length, found.join('\n'));
    for (const [index, sentence] of found.entries()) assert.match(sentence, says[index] ?? /^$/);
  });
}

function withoutChain({ chainPem, keyPem }: { chainPem: string; keyPem: string }): string {
  return blocks(chainPem)[0] + keyPem;
}
function withChainOf(one: { chainPem: string; keyPem: string }, two: { chainPem: string }): string {
  return blocks(one.chainPem)[0] + blocks(two.chainPem)[1] + one.keyPem;
}
function withRoot({ chainPem, keyPem }: { chainPem: string; keyPem: string }, rootPem: string): string {
  return chainPem + rootPem + keyPem;
}
