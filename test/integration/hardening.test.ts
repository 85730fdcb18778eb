/**
 * The labels and the definition of docs/audit.md, as they stand there, on a real HAProxy behind the simulator's
 * marathon-lb: what each one changes on the wire, and which grade comes of it.
 */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { audit } from '../../src/audit/audit.ts';
import { issue } from '../support/certificates.ts';
import { shipped } from '../support/definitions.ts';
import {
  addressesOf,
  app,
  HandMadeCluster,
  overHttp,
  overHttps,
  startBackend,
  startLoadBalancer,
} from '../support/load-balancer.ts';

type Labels = Readonly<Record<string, string>>;

const DOCUMENT = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'audit.md'), 'utf8');
const BLOCKS = [...DOCUMENT.matchAll(/```json\n([\s\S]*?)```/g)].map(([, json = '']) => JSON.parse(json) as Labels);
const [HTTPS = {}, HEADERS = {}, ALLOWED = {}, ALLOWED_BEHIND_PROXY = {}] = BLOCKS;
const LINES = 'HAPROXY_0_BACKEND_HTTP_OPTIONS';

const NAME = 'a.example';
const TOKEN = '/.well-known/acme-challenge/token';
const newAddress = addressesOf('127.48.0');
const CERTIFICATE = issue({ domains: [NAME] });

/** marathon-lb with one app under a name, and letsencrypt-dcos with the labels it is shipped with. */
async function start(t: TestContext, labels: Labels, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const own = (await shipped('letsencrypt-dcos', { labels: { HAPROXY_0_VHOST: NAME } })).labels;
  const cluster = new HandMadeCluster(
    app({
      id: '/app',
      labels: { HAPROXY_0_VHOST: NAME, ...labels },
      servicePort: 10_001,
      ports: [await startBackend(t, 'app')],
    }),
    app({ id: '/letsencrypt-dcos', labels: own, ports: [await startBackend(t, 'sidecar')] }),
  );
  const all = { ...env, HAPROXY_SSL_CERT: CERTIFICATE.pem };
  const { host } = await startLoadBalancer(t, { host: newAddress(), cluster, env: all });
  return host;
}

const roots = [new X509Certificate(CERTIFICATE.rootPem)];

function auditAt(host: string) {
  const { signal } = new AbortController();
  const target = { name: NAME, host, httpsPort: 443, httpPort: 80 };
  return audit(target, { roots, timeoutMs: 5_000, signal, onProgress: () => undefined });
}

test('marathon-lb-hardened.json gets every name an A+, without a label of the app', async (t) => {
  const { env } = await shipped('marathon-lb-hardened');
  const host = await start(t, {}, env as Record<string, string>);
  const { verdict, facts } = await auditAt(host);
  assert.deepEqual([verdict.grade, verdict.breaches], ['A+', []]);
  assert.deepEqual(
    facts.handshakes.versions.map(({ version }) => version),
    ['TLSv1.3', 'TLSv1.2'],
  );
  for (const { suites } of facts.handshakes.versions)
    assert.ok(suites.every(({ aead, forwardSecrecy }) => aead && forwardSecrecy));
});

test('marathon-lb-hardened.json is marathon-lb.json with one variable more', async () => {
  const { env, ...rest } = await shipped('marathon-lb-hardened');
  const { HAPROXY_HTTPS_FRONTEND_HEAD: head, ...others } = env;
  assert.match(String(head), /bind \*:443 ssl \{sslCerts\} ssl-min-ver TLSv1\.2 ciphers /);
  const plain = await shipped('marathon-lb');
  assert.deepEqual({ ...rest, env: others }, { ...plain });
});

test('28 certificates fit on the hardened line, as the document says, and one more does not', async (t) => {
  const { env } = await shipped('marathon-lb-hardened');
  const isUp = async (count: number): Promise<boolean> => {
    const numbered = Array.from({ length: count - 1 }, (_, n) => [`HAPROXY_SSL_CERT${n}`, CERTIFICATE.pem]);
    const host = await start(t, {}, { ...(env as Labels), ...Object.fromEntries(numbered) });
    return overHttp({ at: host, host: NAME }).then(
      () => true,
      () => false,
    );
  };
  assert.deepEqual([await isUp(28), await isUp(29)], [true, false]);
});

test('the labels for HTTPS: a redirect, HSTS for a year on this HAProxy, and challenges pass', async (t) => {
  const host = await start(t, HTTPS);
  assert.equal((await overHttp({ at: host, host: NAME })).who, `301 https://${NAME}/`);
  assert.equal(
    (await overHttps({ at: host, host: NAME }, NAME)).headers['strict-transport-security'],
    'max-age=31536000',
  );
  assert.equal((await overHttps({ at: host, host: NAME, path: TOKEN }, NAME)).who, 'sidecar');
  const { verdict, facts } = await auditAt(host);
  assert.equal(facts.web.redirect.kind, 'https');
  assert.deepEqual(verdict.breaches, []);
});

test('the labels for headers: what browsers heed is set, what the app says of itself is not', async (t) => {
  const host = await start(t, HEADERS);
  const { headers, who } = await overHttps({ at: host, host: NAME }, NAME);
  assert.equal(who, 'app');
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.equal(headers['x-frame-options'], 'SAMEORIGIN');
  assert.equal(headers['content-security-policy'], "frame-ancestors 'self'");
  assert.equal(headers['referrer-policy'], 'strict-origin-when-cross-origin');
  const { advice } = await auditAt(host);
  assert.deepEqual(
    advice.map(({ about }) => about).filter((about) => about !== 'weak-suites'),
    ['redirect'],
  );
});

function statusFrom(
  localAddress: string,
  host: string,
  path: string,
  headers: Labels = {},
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = { host, port: 80, path, localAddress, headers: { ...headers, host: NAME }, agent: false };
    request(options, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .once('error', reject)
      .end();
  });
}

test('the label for an IP allow-list: others get 403, and the CA gets its answer', async (t) => {
  const host = await start(t, ALLOWED);
  assert.equal(await statusFrom('127.0.0.1', host, '/'), 200);
  assert.equal(await statusFrom('127.0.0.2', host, '/'), 403);
  assert.equal(await statusFrom('127.0.0.2', host, TOKEN), 200);
});

test('the label for an allow-list behind a balancer: its word counts, and only the last one', async (t) => {
  const host = await start(t, ALLOWED_BEHIND_PROXY);
  const from = (list: string) => statusFrom('127.0.0.1', host, '/', { 'x-forwarded-for': list });
  assert.equal(await from('198.51.100.1, 192.0.2.7'), 200);
  assert.equal(await from('192.0.2.7, 198.51.100.1'), 403);
  assert.equal(await statusFrom('127.0.0.1', host, '/'), 403);
});

test('all of them together', async (t) => {
  const own = (labels: Labels): string => labels[LINES] ?? assert.fail();
  const base = own(ALLOWED).split('\n').slice(0, 3).join('\n');
  assert.ok(own(HEADERS).startsWith(base));
  const host = await start(t, { ...HTTPS, [LINES]: own(ALLOWED) + own(HEADERS).slice(base.length + 1) });
  const { headers, status } = await overHttps({ at: host, host: NAME }, NAME);
  assert.deepEqual(
    [status, headers['x-frame-options'], headers['strict-transport-security']],
    [200, 'SAMEORIGIN', 'max-age=31536000'],
  );
  assert.equal(await statusFrom('127.0.0.2', host, TOKEN), 301, 'which a CA follows');
  assert.equal((await overHttps({ at: host, host: NAME, path: TOKEN }, NAME)).who, 'sidecar');
});
