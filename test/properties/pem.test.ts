/**
 * PEM texts that were good once: what is still taken is a bundle that OpenSSL takes too, everything else is refused
 * without a byte of the key.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createSecureContext } from 'node:tls';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { BundleError, CertificateBundle, objections } from '../../src/certificates/bundle.ts';
import { issue, keyAs } from '../support/certificates.ts';
import { assertPrintable, FUZZING, holds } from './holds.ts';

const LONGEST_MESSAGE = 300;
const DOMAINS = ['a.shop.net', 'b.shop.net'];
const ec = issue({ domains: DOMAINS });
const rsa = issue({ domains: DOMAINS, keyType: 'rsa2048' });
const other = issue({ domains: ['other.org'] });
const GOOD = [
  ec.pem,
  rsa.pem,
  ec.keyPem + ec.chainPem,
  ec.chainPem + keyAs(ec.keyPem, 'sec1'),
  rsa.chainPem + keyAs(rsa.keyPem, 'pkcs1'),
];
/** Lines of the keys: none of them may be in a message. */
const KEY_LINES = [ec, rsa].flatMap(({ keyPem }) => keyPem.split('\n').filter((line) => line.length > 30));

const share = fc.double({ min: 0, max: 1, noNaN: true });
const at = (text: string, where: number): number => Math.floor(where * text.length);
const blocksOf = (text: string): string[] => text.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----\n?/g) ?? [];
type Bend = (text: string) => string;
const bend: fc.Arbitrary<Bend> = fc.oneof(
  share.map(
    (where): Bend =>
      (text) =>
        text.slice(0, at(text, where)),
  ),
  share.map(
    (where): Bend =>
      (text) =>
        text.slice(at(text, where)),
  ),
  fc.tuple(share, fc.nat(7)).map(
    ([where, bit]): Bend =>
      (text) => {
        const bytes = Buffer.from(text, 'latin1');
        const place = Math.min(at(text, where), bytes.length - 1);
        if (place >= 0) bytes[place] = (bytes[place] ?? 0) ^ (1 << bit);
        return bytes.toString('latin1');
      },
  ),
  fc
    .tuple(
      share,
      fc.constantFrom(
        '\n',
        '\n\n',
        ' ',
        '=',
        'A',
        '-',
        '\\n',
        '\0',
        'é',
        '# a comment\n',
        '-----BEGIN CERTIFICATE-----\n',
      ),
    )
    .map(
      ([where, what]): Bend =>
        (text) =>
          text.slice(0, at(text, where)) + what + text.slice(at(text, where)),
    ),
  fc.constantFrom<Bend>(
    (text) => text,
    (text) => text.replaceAll('\n', '\\n'),
    (text) => text.replaceAll('\n', '\r\n'),
    (text) => text.replaceAll('\n', '\\r\\n'),
    (text) => text.replaceAll('\n', ' '),
    (text) => text.replaceAll('-----\n-----', '----------'),
    (text) => text.replaceAll('-----\n', `-----\n${'\n'.repeat(50_000)}`),
    (text) => text.replaceAll('-----\n-----BEGIN', `-----\n${' \n'.repeat(50_000)}-----BEGIN`),
    (text) => text.replaceAll('-----\n-----BEGIN', `-----\n${'\n'.repeat(90_000)}# a comment\n-----BEGIN`),
    (text) => text.replace('A', `A${' '.repeat(90_000)}`),
    (text) => [...blocksOf(text)].reverse().join(''),
    (text) => text + (blocksOf(text)[0] ?? ''),
    (text) => text + (blocksOf(text).at(-1) ?? ''),
    (text) => text + other.chainPem,
    (text) => other.chainPem + text,
    (text) => text.replaceAll('PRIVATE KEY', 'CERTIFICATE'),
    (text) => text.replaceAll(/[A-Za-z0-9+/]{64}\n/g, (line) => line.trimEnd()),
    (text) => text.toLowerCase(),
    () => '',
  ),
);
const bent = fc
  .tuple(fc.constantFrom(...GOOD), fc.array(bend, { minLength: 1, maxLength: 3 }))
  .map(([pem, bends]) => bends.reduce((text, one) => one(text), pem));

function parsed(text: string): CertificateBundle | undefined {
  try {
    return CertificateBundle.parse(text);
  } catch (error) {
    assert.ok(error instanceof BundleError, `${(error as Error).stack}`);
    assertPrintable(error.message, LONGEST_MESSAGE);
    const told = inspect(error, { showHidden: true, depth: 9 });
    assert.ok(!KEY_LINES.some((line) => told.includes(line.slice(0, 30))), 'no byte of the key');
    assert.doesNotMatch(error.message, /PRIVATE KEY/);
    return undefined;
  }
}

const passed = (bundle: CertificateBundle): boolean =>
  objections(bundle, { domains: DOMAINS, now: new Date(), publicCa: false, stagingAllowed: true }).length === 0;

const accepted: string[] = [];

holds('a bent bundle is refused, or is one whose key fits and which says the same of itself again', bent, (text) => {
  const bundle = parsed(text);
  if (bundle === undefined) return;
  const [leaf] = bundle.certificates;
  assert.ok(leaf.checkPrivateKey(createPrivateKey(bundle.pem)));
  assert.ok(!Number.isNaN(bundle.notBefore.getTime()) && !Number.isNaN(bundle.notAfter.getTime()));
  assertPrintable(bundle.issuer, 2_000);
  const again = CertificateBundle.parse(bundle.pem);
  assert.equal(again.pem, bundle.pem);
  assert.deepEqual({ ...again }, { ...bundle });
  assert.ok(bundle.matches(text) && bundle.holdsKey(bundle.pem.slice(bundle.pem.lastIndexOf('-----BEGIN'))));
  assert.ok(!inspect(bundle, { showHidden: true, getters: true }).includes('PRIVATE KEY'));
  if (!passed(bundle)) return;
  // What passes the gate is what was issued, word for word, and OpenSSL makes a server of it.
  createSecureContext({ cert: bundle.pem, key: bundle.pem });
  assert.ok([ec.fingerprint, rsa.fingerprint].includes(bundle.fingerprint));
  for (const issuer of bundle.certificates.slice(1)) assert.ok(new X509Certificate(issuer.toString()).ca);
  if (accepted.length < 20 && !accepted.includes(bundle.pem)) accepted.push(bundle.pem);
});

test('what passed the gate is taken by HAProxy too', (t) => {
  assert.ok(accepted.length > 0, 'some of them did');
  const folder = mkdtempSync(join(tmpdir(), 'gate-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [index, pem] of accepted.slice(0, FUZZING ? 20 : 2).entries()) {
    const file = join(folder, `${index}.pem`);
    writeFileSync(file, pem);
    writeFileSync(
      join(folder, 'haproxy.cfg'),
      `defaults\n  mode http\n  timeout client 1s\n  timeout server 1s\n  timeout connect 1s\nfrontend f\n  bind 127.0.0.1:1 ssl crt ${file}\n  http-request return status 200\n`,
    );
    const { status, stderr } = spawnSync('haproxy', ['-c', '-f', join(folder, 'haproxy.cfg')], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  }
});
