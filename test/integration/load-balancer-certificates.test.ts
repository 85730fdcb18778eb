/**
 * Which certificate the simulator's load balancer serves, and which PEMs keep it shut: the tables that were taken
 * from a real marathon-lb, asked again over TLS.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { issue, keyAs, newKey, selfSigned } from '../support/certificates.ts';
import { servedFingerprint } from '../support/haproxy.ts';
import { addressesOf, type LoadBalancerSetup, overHttp, startLoadBalancer } from '../support/load-balancer.ts';

const newAddress = addressesOf('127.42.0');

type Setup = Omit<LoadBalancerSetup, 'host' | 'env'>;

async function start(t: TestContext, env: Readonly<Record<string, string>>, setup: Setup = {}) {
  return startLoadBalancer(t, { ...setup, host: newAddress(), env });
}

async function served(t: TestContext, env: Readonly<Record<string, string>>) {
  const { host } = await start(t, env);
  return (name: string | undefined) => servedFingerprint({ host, port: 443 }, name);
}

function isOpen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('connect', () => socket.destroy() && resolve(true)).once('error', () => resolve(false));
  });
}

test('the certificate is chosen by SNI, the first one for no name and for one that none has', async (t) => {
  const [first, second] = [issue({ domains: ['a.example', 'b.example'] }), issue({ domains: ['c.example'] })];
  const of = await served(t, { HAPROXY_SSL_CERT: first.pem, HAPROXY_SSL_CERT0: second.pem });
  assert.equal(await of('b.example'), first.fingerprint);
  assert.equal(await of('c.example'), second.fingerprint);
  assert.equal(await of('nobody.example'), first.fingerprint);
  assert.equal(await of(undefined), first.fingerprint);
});

test('of two certificates with the name the first is served, whatever the second says', async (t) => {
  const [first, second] = [issue({ domains: ['a.example'] }), issue({ domains: ['a.example', 'b.example'] })];
  const of = await served(t, { HAPROXY_SSL_CERT: first.pem, HAPROXY_SSL_CERT7: second.pem });
  assert.equal(await of('a.example'), first.fingerprint);
  assert.equal(await of('b.example'), second.fingerprint, 'numbers may have gaps');
});

test('a wildcard has one label, and stands behind the exact name', async (t) => {
  const [exact, wildcard] = [issue({ domains: ['a.example'] }), issue({ domains: ['*.example'] })];
  const of = await served(t, { HAPROXY_SSL_CERT: exact.pem, HAPROXY_SSL_CERT0: wildcard.pem });
  assert.equal(await of('a.example'), exact.fingerprint);
  assert.equal(await of('b.example'), wildcard.fingerprint);
  assert.equal(await of('b.c.example'), exact.fingerprint, 'the first, as for any unknown name');
});

test('the numbered certificates are ignored while HAPROXY_SSL_CERT is empty: CN=* that signed itself', async (t) => {
  const numbered = issue({ domains: ['a.example'] });
  for (const env of [{}, { HAPROXY_SSL_CERT: '', HAPROXY_SSL_CERT0: numbered.pem }]) {
    const { host } = await start(t, env);
    const shown = await subjectAt(host, 'a.example');
    assert.deepEqual(shown, { subject: 'CN=*', issuer: 'CN=*' });
  }
});

function subjectAt(host: string, servername: string): Promise<{ subject: string; issuer: string }> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host, port: 443, servername, rejectUnauthorized: false }, () => {
      const { subject = '', issuer = '' } = socket.getPeerX509Certificate() ?? {};
      socket.destroy();
      resolve({ subject, issuer });
    }).once('error', reject);
  });
}

test('each container makes its own self-signed certificate', async (t) => {
  const [one, other] = [await served(t, {}), await served(t, {})];
  assert.notEqual(await one('a.example'), await other('a.example'));
});

suite('a PEM that HAProxy takes', () => {
  const good = issue({ domains: ['a.example'] });
  const rsa = issue({ domains: ['a.example'], keyType: 'rsa2048' });
  const ed = issue({ domains: ['a.example'], keyPem: pkcs8(newKey('ed25519')) });
  const [leaf = '', chain = ''] = certificatesOf(good.chainPem);
  const rows: { name: string; pem: string; fingerprint: string }[] = [
    { name: 'leaf, chain, key', pem: good.pem, fingerprint: good.fingerprint },
    { name: 'key, leaf, chain', pem: good.keyPem + leaf + chain, fingerprint: good.fingerprint },
    { name: 'leaf, key, chain', pem: leaf + good.keyPem + chain, fingerprint: good.fingerprint },
    { name: 'leaf, chain, root, key', pem: leaf + chain + good.rootPem + good.keyPem, fingerprint: good.fingerprint },
    { name: 'no chain', pem: leaf + good.keyPem, fingerprint: good.fingerprint },
    { name: 'a key in SEC1', pem: good.chainPem + keyAs(good.keyPem, 'sec1'), fingerprint: good.fingerprint },
    { name: 'a key in PKCS#1', pem: rsa.chainPem + keyAs(rsa.keyPem, 'pkcs1'), fingerprint: rsa.fingerprint },
    { name: 'an ed25519 key', pem: ed.pem, fingerprint: ed.fingerprint },
    { name: 'literal \\n', pem: good.pem.replaceAll('\n', '\\n'), fingerprint: good.fingerprint },
    { name: 'CRLF', pem: good.pem.replaceAll('\n', '\r\n'), fingerprint: good.fingerprint },
    { name: 'no newline at the end', pem: good.pem.trimEnd(), fingerprint: good.fingerprint },
    {
      name: 'comments between',
      pem: `# mine\n${leaf}\n# chain\n${chain}\n\n${good.keyPem}`,
      fingerprint: good.fingerprint,
    },
    { name: 'two leaves and two keys: the first', pem: good.pem + rsa.pem, fingerprint: good.fingerprint },
  ];
  for (const { name, pem, fingerprint } of rows) {
    test(name, async (t) => {
      const of = await served(t, { HAPROXY_SSL_CERT: pem });
      assert.equal(await of('a.example'), fingerprint);
    });
  }
});

suite('a PEM that HAProxy refuses closes 80, 443 and 9090, and the task runs on', () => {
  const good = issue({ domains: ['a.example'] });
  const [leaf = '', chain = ''] = certificatesOf(good.chainPem);
  const fine = { HAPROXY_SSL_CERT: good.pem };
  const rows: { name: string; env: Readonly<Record<string, string>> }[] = [
    { name: 'chain before leaf', env: { HAPROXY_SSL_CERT: chain + leaf + good.keyPem } },
    { name: 'an encrypted key', env: { HAPROXY_SSL_CERT: good.chainPem + keyAs(good.keyPem, 'encrypted') } },
    { name: 'no key', env: { HAPROXY_SSL_CERT: good.chainPem } },
    { name: 'the key of another', env: { HAPROXY_SSL_CERT: good.chainPem + selfSigned('a.example').keyPem } },
    { name: 'a key and nothing else', env: { HAPROXY_SSL_CERT: good.keyPem } },
    { name: 'parts that are not on lines of their own', env: { HAPROXY_SSL_CERT: good.pem.replaceAll('-\n-', '--') } },
    { name: 'newlines turned into blanks', env: { HAPROXY_SSL_CERT: good.pem.replaceAll('\n', ' ') } },
    { name: 'indented lines', env: { HAPROXY_SSL_CERT: good.pem.replaceAll('\n', '\n  ') } },
    { name: 'cut off', env: { HAPROXY_SSL_CERT: good.pem.slice(0, -60) } },
    { name: 'bad base64', env: { HAPROXY_SSL_CERT: good.pem.replace(/[A-Z]{2}/g, '%%') } },
    { name: 'one bad one among the numbered', env: { ...fine, HAPROXY_SSL_CERT5: 'junk' } },
  ];
  for (const { name, env } of rows) {
    test(name, async (t) => {
      const { host, task, sandbox } = await start(t, env);
      for (const port of [80, 443, 9090]) assert.equal(await isOpen(host, port), false, `port ${port}`);
      assert.equal(task.pid, undefined);
      assert.match(await readFile(join(sandbox, 'stderr'), 'utf8'), /no valid configuration even without any app/);

      task.kill('SIGTERM');
      assert.deepEqual(await task.exited, { code: null, signal: 'SIGTERM' }, 'it ran until it was killed');
    });
  }
});

test('thirty certificates fit on the bind line, one more closes the instance', async (t) => {
  const pems = Array.from({ length: 31 }, (_, n) => issue({ domains: [`n${n}.example`] }));
  const env = (count: number) =>
    Object.fromEntries(pems.slice(0, count).map(({ pem }, n) => [`HAPROXY_SSL_CERT${n === 0 ? '' : n - 1}`, pem]));

  const of = await served(t, env(30));
  assert.equal(await of('n29.example'), pems[29]?.fingerprint);

  const { host } = await start(t, env(31));
  assert.equal(await isOpen(host, 443), false);
});

test('an instance can be told to serve another PEM than its environment says', async (t) => {
  const [old, current] = [issue({ domains: ['a.example'] }), issue({ domains: ['a.example'] })];
  const pemFor: LoadBalancerSetup['pemFor'] = (_launch, env) => ({ ...env, HAPROXY_SSL_CERT: old.pem });
  const { host } = await start(t, { HAPROXY_SSL_CERT: current.pem }, { pemFor });
  assert.equal(await servedFingerprint({ host, port: 443 }, 'a.example'), old.fingerprint);
});

test('an instance without an app is up: 503 on port 80, healthy on 9090', async (t) => {
  const { host: at } = await start(t, {});
  assert.equal((await overHttp({ at, host: 'a.example' })).status, 503);
  const health = await overHttp({ at, host: at, path: '/_haproxy_health_check' }, 9090);
  assert.equal(health.status, 200);
});

function certificatesOf(chainPem: string): string[] {
  return chainPem.match(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n/gs) ?? [];
}

function pkcs8(key: ReturnType<typeof newKey>): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
