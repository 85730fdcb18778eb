/** The request that we write byte by byte, as OpenSSL reads it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { certificateRequest } from '../../src/acme/csr.ts';
import { makeKey } from '../../src/acme/keys.ts';
import { type KeyType, specFor } from '../../src/certificates/spec.ts';

function read(request: Buffer): string {
  const args = ['req', '-inform', 'DER', '-verify', '-noout', '-text', '-nameopt', 'utf8,sep_comma_plus'];
  return execFileSync('openssl', args, { input: request, encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'] });
}

const KEYS: readonly (readonly [KeyType, RegExp])[] = [
  ['ec256', /ASN1 OID: prime256v1[\s\S]*ecdsa-with-SHA256/],
  ['ec384', /ASN1 OID: secp384r1[\s\S]*ecdsa-with-SHA384/],
  ['rsa2048', /\(2048 bit\)[\s\S]*sha256WithRSAEncryption/],
];

for (const [type, looks] of KEYS) {
  test(`a request with a key of type ${type} is signed, and names what is wanted`, async () => {
    const text = read(certificateRequest(specFor(['a.example', 'b.example'], type), await makeKey(type)));
    assert.match(text, looks);
    assert.match(text, /Subject: CN ?= ?a\.example\n/);
    assert.match(text, /DNS:a\.example, DNS:b\.example\n/);
  });
}

test('a hundred long names fit, and none of them has to fit into the common name', async () => {
  const names = Array.from({ length: 100 }, (_, n) => `${'long-'.repeat(12)}${n}.${'a'.repeat(60)}.example`);
  const text = read(certificateRequest(specFor(names, 'ec256'), await makeKey('ec256')));
  assert.match(text, /Subject: *\n/);
  assert.equal(text.match(/DNS:/g)?.length, 100);
});
