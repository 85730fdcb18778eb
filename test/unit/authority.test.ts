/** Which CAs are public, which issuers are staging, and what becomes of addresses from the days of ACME v1. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { currentDirectoryUrl, isPublicCa, isStagingIssuer } from '../../src/certificates/authority.ts';

const publicOnes = [
  'https://acme-v02.api.letsencrypt.org/directory',
  'https://acme-staging-v02.api.letsencrypt.org/directory',
  'https://ACME-v02.api.letsencrypt.org./directory',
  'https://acme.zerossl.com/v2/DV90',
  'https://dv.acme-v02.api.pki.goog/directory',
  'https://dv.acme-v02.test-api.pki.goog/directory',
  'https://acme.ssl.com/sslcom-dv-ecc',
  'https://acme-api.actalis.com/acme/directory',
];
for (const url of publicOnes) test(`${url} is a public CA's`, () => assert.equal(isPublicCa(url), true));

const privateOnes = [
  'https://localhost:14000/dir',
  'https://ca.internal/acme/acme/directory',
  'https://letsencrypt.org.evil.net/directory',
  'https://notletsencrypt.org/directory',
  'https://ca.net/acme-v02.api.letsencrypt.org/directory',
  'no URL',
  '',
];
for (const url of privateOnes) test(`'${url}' is no public CA's`, () => assert.equal(isPublicCa(url), false));

const issuers: readonly [string, boolean][] = [
  ["C=US, O=(STAGING) Let's Encrypt, CN=(STAGING) Counterfeit Cashew R10", true],
  ['CN=(STAGING) Pseudo Plum E5', true],
  ['CN=Fake LE Intermediate X1', true],
  ['CN=happy hacker fake CA', true],
  ["C=US, O=Let's Encrypt, CN=YE1", false],
  ['CN=Pebble Intermediate CA 3f2a1b', false],
  ['CN=Staging Area Ltd', false],
  ['', false],
];
for (const [issuer, staging] of issuers) {
  test(`'${issuer}' is ${staging ? '' : 'not '}a staging issuer`, () => assert.equal(isStagingIssuer(issuer), staging));
}

test('the two v1 addresses of Let’s Encrypt become v2, and it is said', () => {
  const production = currentDirectoryUrl('https://acme-v01.api.letsencrypt.org/directory');
  assert.equal(production.url, 'https://acme-v02.api.letsencrypt.org/directory');
  assert.match(production.warning ?? '', /acme-v01.*ACME v1.*acme-v02/);
  const staging = currentDirectoryUrl('https://acme-staging.api.letsencrypt.org/directory');
  assert.equal(staging.url, 'https://acme-staging-v02.api.letsencrypt.org/directory');
  assert.ok(staging.warning);
});

for (const url of [
  ...publicOnes.slice(0, 2),
  'https://vault:8200/v1/pki/acme/directory',
  'https://localhost:14000/dir',
]) {
  test(`${url} stays as it is`, () => assert.deepEqual(currentDirectoryUrl(url), { url }));
}

for (const url of ['https://acme-v01.ca.net/directory', 'https://ca.net/acme-v1/directory']) {
  test(`${url} is refused, for it looks like v1`, () => {
    assert.throws(() => currentDirectoryUrl(url), /is an ACME v1 URL.*RFC 8555/);
  });
}
