/**
 * What is served, asked of a real HAProxy.
 */
import assert from 'node:assert/strict';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { lookAtServed } from '../../src/served.ts';
import { issue, selfSignedWith } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { startHaproxyWith } from '../support/haproxy-with.ts';

const deps = { timeoutMs: 5_000, signal: new AbortController().signal };

async function listenRaw(t: TestContext, onConnection: (socket: net.Socket) => void): Promise<number> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as net.AddressInfo).port;
}

test('HAProxy picks the certificate by the name asked for, and the first one for a name it has not', async (t) => {
  const first = issue({ domains: ['a.example', 'b.example'], notAfter: new Date('2040-01-02T03:04:05Z') });
  const second = issue({ domains: ['c.example'] });
  const haproxy = await startHaproxyWith(t, { certificates: [first.pem, second.pem] });
  const endpoint = { host: haproxy.host, port: haproxy.httpsPort, taskId: 'lb.1' };
  const looks = await lookAtServed([endpoint], ['a.example', 'c.example', 'unknown.example'], second.fingerprint, deps);
  assert.deepEqual(
    looks.map(({ domain, verdict }) => [domain, verdict.kind]),
    [
      ['a.example', 'other'],
      ['c.example', 'served'],
      ['unknown.example', 'other'],
    ],
  );
  assert.deepEqual(looks[2], {
    endpoint: `127.0.0.1:${haproxy.httpsPort}`,
    taskId: 'lb.1',
    domain: 'unknown.example',
    verdict: {
      kind: 'other',
      fingerprint: first.fingerprint,
      domains: ['a.example', 'b.example'],
      notAfter: new Date('2040-01-02T03:04:05Z'),
    },
  });
});

test("marathon-lb's own self-signed certificate without names is told by its common name", async (t) => {
  const star = selfSignedWith({ domains: [], commonName: '*' });
  const { host, httpsPort: port } = await startHaproxyWith(t, { certificates: [star.pem] });
  const [look] = await lookAtServed([{ host, port, taskId: undefined }], ['a.example'], 'AB:CD', deps);
  assert.equal(look?.verdict.kind, 'other');
  assert.deepEqual(look?.verdict.kind === 'other' && look.verdict.domains, ['*']);
});

test('a hundred names at two instances are looked at, each instance judged by itself', async (t) => {
  const names = Array.from({ length: 100 }, (_, n) => `name-${n}.a-long-domain.example`);
  const wanted = issue({ domains: names });
  const old = issue({ domains: names });
  const good = await startHaproxyWith(t, { certificates: [wanted.pem] });
  const stale = await startHaproxyWith(t, { certificates: [old.pem], host: '127.0.0.2' });
  const endpoints = [good, stale].map(({ host, httpsPort }) => ({ host, port: httpsPort, taskId: host }));
  const looks = await lookAtServed(endpoints, names, wanted.fingerprint, deps);
  assert.equal(looks.length, 200);
  assert.ok(looks.every(({ taskId, verdict }) => verdict.kind === (taskId === '127.0.0.1' ? 'served' : 'other')));
});

test('nobody listens: unreachable, not another certificate', async () => {
  const port = await freePort();
  const [look] = await lookAtServed([{ host: '127.0.0.1', port, taskId: undefined }], ['a.example'], 'AB', deps);
  assert.deepEqual(look?.verdict, { kind: 'unreachable', note: `cannot connect to 127.0.0.1:${port}: ECONNREFUSED` });
});

test('no TLS on the port, or the line cut in the middle: unreachable, with what happened', async (t) => {
  const plain = await listenRaw(t, (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const cut = await listenRaw(t, (socket) => socket.once('data', () => socket.destroy()));
  const endpoints = [plain, cut].map((port) => ({ host: '127.0.0.1', port, taskId: undefined }));
  const looks = await lookAtServed(endpoints, ['a.example'], 'AB', deps);
  for (const { endpoint, verdict } of looks) {
    assert.equal(verdict.kind, 'unreachable');
    assert.match(verdict.kind === 'unreachable' ? verdict.note : '', new RegExp(`^TLS handshake with ${endpoint}: .`));
  }
});

test('an instance that accepts and says nothing ends by the time-out, all names at once', async (t) => {
  const port = await listenRaw(t, () => undefined);
  const looks = await lookAtServed([{ host: '127.0.0.1', port, taskId: undefined }], ['a.example', 'b.example'], 'AB', {
    ...deps,
    timeoutMs: 1_000,
  });
  const note = `TLS handshake with 127.0.0.1:${port}: no answer within 1 s`;
  assert.deepEqual(
    looks.map(({ verdict }) => verdict),
    Array(2).fill({ kind: 'unreachable', note }),
  );
});

test('shutting down ends the look at once, and is not an answer', async (t) => {
  const port = await listenRaw(t, () => undefined);
  const stop = new AbortController();
  const look = lookAtServed([{ host: '127.0.0.1', port, taskId: undefined }], ['a.example'], 'AB', {
    timeoutMs: 60_000,
    signal: stop.signal,
  });
  stop.abort(new Error('stopping'));
  await assert.rejects(look, /stopping/);
});
