/** The proxies of the tests, held against real servers: what they tell of a request has to be true. */
import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import { type TestContext, test } from 'node:test';
import { startForwardProxy } from '../support/forward-proxy.ts';
import { startPebble } from '../support/pebble.ts';
import { type Hooks, listen, startRecordingProxy } from '../support/recording-proxy.ts';
import { until } from '../support/until.ts';

/** A server that counts what reaches it and answers with the Host it was asked for. */
async function startTarget(t: TestContext) {
  const seen: string[] = [];
  const server = http.createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    if (request.url === '/stream') return void response.write('first\n'); // never ends
    response.setHeader('content-type', 'text/plain').end(`hello from ${request.headers.host} ${'.'.repeat(1000)}`);
    return undefined;
  });
  const { port, close } = await listen(server, 0, '127.0.0.1');
  t.after(close);
  return { url: `http://127.0.0.1:${port}`, seen };
}

const throughProxy = async (t: TestContext, hooks: Hooks) => {
  const target = await startTarget(t);
  const proxy = await startRecordingProxy(t, { target: target.url, hooks });
  return { target, proxy };
};

test('a request goes through whole, and is recorded with its status', async (t) => {
  const order: string[] = [];
  const { target, proxy } = await throughProxy(t, {
    onRequest: (n, { method, path }) => void order.push(`request ${n} ${method} ${path}`),
    onReply: (n, _request, status) => void order.push(`reply ${n} ${status}`),
    afterReply: (n, { delivered }) => void order.push(`after ${n} ${delivered}`),
  });
  const response = await fetch(`${proxy.url}/a?b`, { method: 'POST', body: 'text' });
  assert.match(await response.text(), new RegExp(`hello from ${new URL(proxy.url).host}`), 'the Host header stays');
  await until(() => proxy.requests[0]?.delivered, 'the reply to be delivered');
  assert.deepEqual(order, ['request 1 POST /a?b', 'reply 1 200', 'after 1 true']);
  assert.deepEqual([proxy.requests[0]?.body, proxy.requests[0]?.status], ['text', 200]);
  assert.deepEqual(target.seen, ['POST /a?b']);
});

test('a request dropped before forwarding never reaches the server', async (t) => {
  const { target, proxy } = await throughProxy(t, { onRequest: () => 'drop' });
  await assert.rejects(fetch(proxy.url));
  assert.deepEqual([target.seen, proxy.requests[0]?.status], [[], undefined]);
});

test('a dropped reply has reached the server, and the client is left without an answer', async (t) => {
  const { target, proxy } = await throughProxy(t, { onReply: () => 'drop' });
  await assert.rejects(fetch(proxy.url));
  assert.deepEqual([target.seen.length, proxy.requests[0]?.status, proxy.requests[0]?.delivered], [1, 200, false]);
});

test('a cut reply begins and breaks off', async (t) => {
  const { proxy } = await throughProxy(t, { onReply: () => 'cut' });
  const response = await fetch(proxy.url);
  assert.equal(response.status, 200);
  await assert.rejects(response.text());
});

test('what is held waits for its release: request and reply', async (t) => {
  const { target, proxy } = await throughProxy(t, { onRequest: () => 'hold', onReply: () => 'hold' });
  const answer = fetch(proxy.url);
  await until(() => proxy.held() === 1, 'the request to be held');
  assert.equal(target.seen.length, 0);
  proxy.release();
  await until(() => proxy.requests[0]?.status === 200 && proxy.held() === 1, 'the reply to be held');
  proxy.release();
  assert.equal((await answer).status, 200);
});

test('a stream passes piece by piece', async (t) => {
  const { proxy } = await throughProxy(t, {});
  const response = await fetch(`${proxy.url}/stream`);
  const { value } = (await response.body?.getReader().read()) ?? {};
  assert.equal(Buffer.from(value ?? []).toString(), 'first\n');
});

function getJson(url: string, ca: string | undefined): Promise<Record<string, string>> {
  return new Promise((done, fail) => {
    const request = https.get(url, { ca, agent: false }, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (chunk) => (text += chunk));
      reply.on('end', () => done(JSON.parse(text)));
    });
    request.on('error', fail);
  });
}

test('before Pebble, all ACME URLs lead through the proxy again', async (t) => {
  const pebble = await startPebble(t);
  const proxy = await startRecordingProxy(t, { target: pebble.directoryUrl, caPem: pebble.caPem });
  const directory = await getJson(proxy.url, proxy.caPem);
  assert.ok(directory.newOrder?.startsWith(`${proxy.origin}/`), directory.newOrder);
  assert.equal(proxy.requests[0]?.path, '/dir');
});

test('the forward proxy carries http in absolute form and https by CONNECT, and notes the hosts', async (t) => {
  const target = await startTarget(t);
  const proxy = await startForwardProxy(t, { resolve: () => '127.0.0.1' });
  const { port } = new URL(target.url);
  const through = new http.Agent({ proxyEnv: { HTTP_PROXY: proxy.url } });
  const status = await new Promise((done, fail) => {
    http
      .get(`http://marathon.example:${port}/x`, { agent: through }, (reply) => done(reply.statusCode))
      .on('error', fail);
  });
  assert.equal(status, 200);

  const pebble = await startPebble(t);
  const directory = new URL(pebble.directoryUrl);
  const agent = new https.Agent({ proxyEnv: { HTTPS_PROXY: proxy.url }, ca: pebble.caPem });
  t.after(() => agent.destroy());
  const https200 = await new Promise((done, fail) => {
    https
      .get(`https://localhost:${directory.port}/dir`, { agent }, (reply) => done(reply.resume().statusCode))
      .on('error', fail);
  });
  assert.equal(https200, 200);
  assert.deepEqual(proxy.hosts, [`marathon.example:${port}`, `localhost:${directory.port}`]);
});
