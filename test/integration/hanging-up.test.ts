/**
 * Servers that begin to answer and then do not: whoever asks them is told, in time, and waits for nobody for ever.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import http, { Agent } from 'node:http';
import https from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { exchange } from '../../src/acme/exchange.ts';
import { lookAtDirectory } from '../../src/acme/identities.ts';
import { makeKey } from '../../src/acme/keys.ts';
import { openAuthority } from '../../src/acme/transport.ts';
import { judge } from '../../src/alerts/judgement.ts';
import { post } from '../../src/alerts/webhook.ts';
import { readAnswer } from '../../src/asking.ts';
import { askInstance } from '../../src/instance/find.ts';
import { plan } from '../../src/plan/plan.ts';
import { responseTo } from '../../src/response.ts';
import { transcriptOf } from '../../src/web/transcript.ts';
import { observation, policy } from '../support/observation.ts';
import { until } from '../support/until.ts';

/** RFC 9110 §7.8, though nobody asked for it. */
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const HALF = 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"newNonce"';
/** Where it ends what would not end otherwise. */
const TIMEOUT_MS = 700;
/** Where the other side ends it. */
const PATIENCE_MS = 10_000;

/** Says this to whoever asks, and then nothing. */
async function startSaying(t: TestContext, words: string): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => void socket.write(words));
    t.after(() => socket.destroy());
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

function authorityAt(directoryUrl: string) {
  const user = { email: undefined, userAgent: 'letsencrypt-dcos/0', proxyEnv: {} };
  return { directoryUrl, caPem: undefined, timeoutMs: TIMEOUT_MS, ...user };
}

const signal = new AbortController().signal;

const ASKING: Readonly<Record<string, (url: string) => Promise<unknown>>> = {
  'an order': (url) => {
    const agents = { httpAgent: new Agent(), httpsAgent: new https.Agent() };
    const asked = { url, method: 'get', headers: {}, data: undefined, agents };
    return exchange({ ...asked, signal: AbortSignal.timeout(PATIENCE_MS) });
  },
  'the look at the directory': (url) => lookAtDirectory({ ...authorityAt(url), timeoutMs: PATIENCE_MS }, signal),
  status: (url) => askInstance(url, signal, PATIENCE_MS),
  'the preflight and the look at the routes': async (url) =>
    readAnswer(await responseTo(http.get(url), AbortSignal.timeout(PATIENCE_MS)), 100),
};

for (const [who, asks] of Object.entries(ASKING)) {
  test(`${who} is told that a server switches protocols unasked`, { timeout: 30_000 }, async (t) => {
    await assert.rejects(asks(await startSaying(t, SWITCHING)), /closed without an answer|ECONNRESET/);
  });
}

test('the test app tells of a server that switches protocols unasked', { timeout: 30_000 }, async (t) => {
  const { port } = new URL(await startSaying(t, SWITCHING));
  const connectTo = async () => ({ address: '127.0.0.1', port: Number(port) });
  assert.match(await transcriptOf(new URL('http://www.example.com/'), { connectTo, signal }), /ECONNRESET/);
});

test('a CA that stops in the middle of its answer is told by the time-out, not as a reset', {
  timeout: 30_000,
}, async (t) => {
  const account = { directory: 'x', keyPem: await makeKey('ec256'), url: undefined };
  const authority = openAuthority(authorityAt(await startSaying(t, HALF)));
  const session = await authority.connect(account as never, signal);
  t.after(() => session.close());
  await assert.rejects(session.newOrder(['www.example.com']), /ETIMEDOUT: no answer within 0\.7 s/);
});

test('a proxy that does not answer is told by the time-out, by orders, the directory and alerts', {
  timeout: 30_000,
}, async (t) => {
  const proxyEnv = { HTTPS_PROXY: await startSaying(t, '') };
  const authority = { ...authorityAt('https://ca.example/dir'), proxyEnv };
  const account = { directory: 'x', keyPem: await makeKey('ec256'), url: undefined };
  const session = await openAuthority(authority).connect(account as never, signal);
  t.after(() => session.close());
  const healthy = plan(observation(), policy());
  const [stuck] = judge({}, { ...healthy, certificate: { ...healthy.certificate, state: 'stuck' } }).due;
  assert.ok(stuck);
  const url = 'https://hooks.example/';
  const alerting = { url, format: 'json', timeoutMs: TIMEOUT_MS, proxyEnv, app: '/us', task: 'us.1' } as const;
  await Promise.all([
    assert.rejects(session.newOrder(['www.example.com']), /ETIMEDOUT: no answer within 0\.7 s \(HTTPS_PROXY is set\)/),
    assert.rejects(lookAtDirectory(authority, signal), /aborted/),
    assert.rejects(post(stuck, alerting, signal), /no answer within 0\.7 s/),
  ]);
});

test('an order that was given up leaves no socket open at such a proxy', { timeout: 30_000 }, async (t) => {
  const proxy = createServer((socket) => void socket.on('error', () => undefined).resume());
  await new Promise<void>((listening) => proxy.listen(0, '127.0.0.1', listening));
  t.after(() => proxy.close());
  const proxyEnv = { HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` };
  await assert.rejects(lookAtDirectory({ ...authorityAt('https://ca.example/dir'), proxyEnv }, signal));
  const open = () => new Promise<number>((told) => proxy.getConnections((_error, count) => told(count)));
  await until(async () => (await open()) === 0, 'the socket is closed');
});

test('a connection that the CA is about to close takes no other request', { timeout: 30_000 }, async (t) => {
  const url = await startSaying(t, 'HTTP/1.1 200 OK\r\nConnection: Close\r\n\r\n'); // and hears nothing after it
  const agents = { httpAgent: new Agent({ keepAlive: true, maxSockets: 4 }), httpsAgent: new https.Agent() };
  t.after(() => agents.httpAgent.destroy());
  for (let nth = 0; nth < 2; nth += 1) {
    const late = AbortSignal.timeout(PATIENCE_MS);
    const { status } = await exchange({ url, method: 'head', headers: {}, data: undefined, agents, signal: late });
    assert.equal(status, 200);
  }
});

test('nothing else waits for a response alone', () => {
  const src = join(import.meta.dirname, '..', '..', 'src');
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const waiting = files.filter((name) => /\bonce\('response'/.test(readFileSync(join(src, name), 'utf8')));
  assert.deepEqual(waiting.sort(), ['audit/web.ts', 'response.ts']); // the audit hears 'close' itself
});
