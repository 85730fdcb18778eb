/**
 * What the audit sees, held against Debian's testssl.sh over the same servers, item by item.
 *
 * Protocols, kinds of suites, certificate, chain, names, end and HSTS for each server; every single suite (which takes
 * testssl.sh a minute) for three of them. It finds and does not grade: the grades are in test/integration/audit.test.ts.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { type Audit, audit } from '../../src/audit/audit.ts';
import type { CertificateFacts } from '../../src/audit/certificate.ts';
import type { Version } from '../../src/audit/hello.ts';
import type { Suite } from '../../src/audit/suites.ts';
import { issue } from '../support/certificates.ts';
import { newDirectory } from '../support/haproxy.ts';
import { NAME, SERVERS, type TlsServer } from '../support/tls-servers.ts';

const ROOT = issue({ domains: [NAME] }).rootPem;
/** By their names in tls-servers.ts; TLS 1.0 to 1.3, anonymous, without encryption, CBC, CCM, Camellia, ARIA … */
const EVERY_SUITE = ['everything OpenSSL still has', "marathon-lb's own suites", 'marathon-lb-hardened.json'];
const AT_ONCE = 2;
/** Every suite of the worst server takes testssl.sh three minutes on a busy machine. */
const TIMEOUT_MS = 900_000;

interface Finding {
  readonly id: string;
  readonly finding: string;
}

/** Its findings by id, in its own words. */
async function testssl(
  t: TestContext,
  { host, port }: TlsServer,
  options: readonly string[],
): Promise<readonly Finding[]> {
  const directory = await newDirectory();
  t.after(() => rm(directory, { recursive: true, force: true }));
  const [ca, json] = [join(directory, 'ca.pem'), join(directory, 'found.json')];
  await writeFile(ca, ROOT);
  const quiet = ['--quiet', '--warnings', 'off', '--color', '0', '--nodns', 'none', '--openssl', '/usr/bin/openssl'];
  const args = [...quiet, '--ip', host, '--add-ca', ca, '--jsonfile', json, ...options, `${NAME}:${port}`];
  const child = spawn('testssl', args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: directory,
    timeout: TIMEOUT_MS - 10_000,
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  await new Promise<void>((resolve, reject) => child.once('error', reject).once('close', () => resolve()));
  const text = await readFile(json, 'utf8').catch(() => assert.fail(`testssl.sh wrote nothing:\n${said}`));
  return JSON.parse(text) as readonly Finding[];
}

function look({ host, port }: TlsServer): Promise<Audit> {
  const { signal } = new AbortController();
  const target = { name: NAME, host, httpsPort: port, httpPort: 1 };
  return audit(target, { roots: [new X509Certificate(ROOT)], timeoutMs: 10_000, signal, onProgress: () => undefined });
}

const VERSION_IDS: Readonly<Record<string, Version>> = {
  SSLv3: 'SSLv3',
  TLS1: 'TLSv1.0',
  TLS1_1: 'TLSv1.1',
  TLS1_2: 'TLSv1.2',
  TLS1_3: 'TLSv1.3',
};

const KINDS: Readonly<Record<string, (suite: Suite) => boolean>> = {
  cipherlist_NULL: ({ bits }) => bits === 0,
  cipherlist_aNULL: ({ authenticated }) => !authenticated,
  cipherlist_EXPORT: ({ exportGrade }) => exportGrade,
  cipherlist_LOW: ({ bits, rc4 }) => rc4 || bits === 56,
  cipherlist_3DES_IDEA: ({ name }) => /3DES|IDEA/.test(name),
  cipherlist_STRONG: ({ aead, authenticated }) => aead && authenticated,
};

/** Both in the same words: ours, as the audit saw it; theirs, as testssl.sh tells it. */
function ours({ facts }: Audit): Record<string, unknown> {
  const { handshakes, certificates, web } = facts;
  const offered = handshakes.versions.map(({ version }) => version);
  const suites = handshakes.versions.flatMap((one) => one.suites);
  const [one] = certificates;
  assert.equal(certificates.length, 1);
  assert.ok(one !== undefined && web.page.kind === 'answered');
  const { hsts } = web.page;
  const isSet = hsts.kind === 'valid';
  return {
    SSLv2: handshakes.sslv2,
    ...Object.fromEntries(Object.entries(VERSION_IDS).map(([id, version]) => [id, offered.includes(version)])),
    ...Object.fromEntries(Object.entries(KINDS).map(([id, is]) => [id, suites.some(is)])),
    ...ofCertificate(one),
    hsts: isSet,
    maxAge: isSet ? hsts.maxAge : undefined,
    includeSubDomains: isSet && hsts.includeSubDomains,
    preload: isSet && hsts.preload,
  };
}

function ofCertificate({ fingerprint, names, fitsName, notAfter, expired, key, hashes, chain }: CertificateFacts) {
  return {
    fingerprint: fingerprint.replaceAll(':', ''),
    names: [...names].sort(),
    fitsName,
    until: notAfter.toISOString().slice(0, 16).replace('T', ' '),
    expired,
    key: `${key.kind} ${key.bits}`,
    hash: hashes[0],
    // It stops at the date, and does not say what it thinks of the chain otherwise.
    chain: expired ? 'expired' : chain.kind,
  };
}

function theirs(findings: readonly Finding[]): Record<string, unknown> {
  const of = (id: string): string =>
    findings.find((one) => one.id === id)?.finding ?? assert.fail(`testssl.sh says nothing of ${id}`);
  const offered = (id: string): boolean => /^(offered|supported)/.test(of(id));
  const age = /=(\d+) seconds/.exec(findings.find(({ id }) => id === 'HSTS_time')?.finding ?? '')?.[1];
  const hsts = age !== undefined;
  return {
    ...Object.fromEntries(['SSLv2', ...Object.keys(VERSION_IDS), ...Object.keys(KINDS)].map((id) => [id, offered(id)])),
    fingerprint: of('cert_fingerprintSHA256'),
    names: of('cert_subjectAltName').split(' ').sort(),
    fitsName: /^Ok/i.test(of('cert_trust')),
    until: of('cert_notAfter'),
    expired: /expired/.test(of('cert_expirationStatus')),
    key: /^\w+ \d+/.exec(of('cert_keySize'))?.[0],
    hash: /SHA\d+/.exec(of('cert_signatureAlgorithm'))?.[0],
    chain: chainIn(of('cert_chain_of_trust')),
    hsts,
    maxAge: hsts ? Number(age) : undefined,
    includeSubDomains: hsts && /^includes subdomains/.test(of('HSTS_subdomains')),
    preload: hsts && /marked for preload/.test(of('HSTS_preload')) && !/NOT/.test(of('HSTS_preload')),
  };
}

function chainIn(finding: string): string {
  if (/^passed/.test(finding)) return 'trusted';
  if (/expired/.test(finding)) return 'expired';
  return /incomplete/.test(finding) ? 'incomplete' : 'untrusted';
}

suite('the audit and testssl.sh see the same', { concurrency: AT_ONCE }, () => {
  for (const { name, certificate, start } of SERVERS) {
    test(name, { timeout: TIMEOUT_MS }, async (t) => {
      const server = await start(t, certificate().pem);
      const seen = ours(await look(server));
      const found = theirs(await testssl(t, server, ['-p', '-s', '-S', '-h']));
      assert.deepEqual(seen, found);
    });
  }
  for (const { name, certificate, start } of SERVERS.filter((row) =>
    EVERY_SUITE.some((part) => row.name.startsWith(part)),
  )) {
    test(`every suite of every version: ${name}`, { timeout: TIMEOUT_MS }, async (t) => {
      const server = await start(t, certificate().pem);
      const { facts } = await look(server);
      const seen = facts.handshakes.versions.flatMap(({ version, suites }) =>
        suites.map((one) => `${version} TLS_${one.name}`),
      );
      const findings = await testssl(t, server, ['-E']);
      const found = findings.flatMap(({ id, finding }) => {
        const version = VERSION_IDS[/^cipher-(tls1(?:_\d)?)_x/.exec(id)?.[1]?.toUpperCase() ?? ''];
        return version === undefined ? [] : [`${version} ${finding.trim().split(/\s+/).at(-1)}`];
      });
      assert.deepEqual(seen.sort(), found.sort());
      assert.ok(found.length > 3);
    });
  }
});
