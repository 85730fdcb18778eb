/** The bare HAProxy that other tests start: it serves what it was given, and a refused configuration fails the test. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { issue, selfSigned } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { servedFingerprint, startHaproxy, startHaproxyWith } from '../support/haproxy.ts';
import { overHttp } from '../support/load-balancer.ts';

test('HAProxy picks the certificate by the name asked for, and the first one for a name it has not', async (t) => {
  const first = selfSigned('a.example', 'b.example');
  const second = issue({ domains: ['c.example'] });
  const haproxy = await startHaproxy(t, first.pem, second.pem);

  assert.equal(await servedFingerprint(haproxy, 'c.example'), second.fingerprint);
  assert.equal(await servedFingerprint(haproxy, 'b.example'), first.fingerprint);
  assert.equal(await servedFingerprint(haproxy, 'unknown.example'), first.fingerprint);
});

test('HAProxy starts with a configuration as it stands', async (t) => {
  const port = await freePort('127.0.0.1');
  await startHaproxyWith(t, `frontend f\n  mode http\n  bind 127.0.0.1:${port}\n  http-request return status 204\n`);
  assert.equal((await overHttp({ at: '127.0.0.1', host: 'a.example' }, port)).status, 204);
});

test('a configuration that HAProxy refuses fails with its words, and none of the key', async (t) => {
  const { chainPem } = issue({ domains: ['a.example'] });
  await assert.rejects(startHaproxy(t, chainPem + selfSigned('a.example').keyPem), (error: Error) => {
    assert.match(error.message, /inconsistencies between private key and certificate/);
    assert.doesNotMatch(error.message, /PRIVATE KEY/);
    return true;
  });
});
