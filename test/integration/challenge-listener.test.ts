/**
 * The public listener by real sockets: what the whole Internet may send at it.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Challenges } from '../../src/acme/challenges.ts';
import { Peers } from '../../src/peers.ts';
import type { PublicListener } from '../../src/web/listening.ts';
import { listenPublic } from '../../src/web/public.ts';
import { connectRaw, rawExchange } from '../support/raw-http.ts';

const TOKEN = 'DGyRejmCefe7v4NfDGDKfA-_0123456789ABCDEFGHI';
const KEY_AUTHORIZATION = `${TOKEN}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI`;
const PATH = '/.well-known/acme-challenge';

async function startListener(t: TestContext, isAlive = () => true): Promise<PublicListener> {
  const challenges = new Challenges();
  challenges.publish(TOKEN, KEY_AUTHORIZATION);
  const peers = new Peers(undefined); // of whom it knows none
  const listener = await listenPublic({ host: '127.0.0.1', port: 0, challenges, peers, isAlive });
  t.after(() => listener.close());
  return listener;
}

const requestFor = (path: string, more = 'Connection: close\r\n', method = 'GET'): string =>
  `${method} ${path} HTTP/1.1\r\nHost: a.example\r\n${more}\r\n`;

const split = (answer: string): { status: number; headers: string; body: string } => {
  const end = answer.indexOf('\r\n\r\n');
  return {
    status: Number(answer.slice(9, 12)),
    headers: answer.slice(0, end).toLowerCase(),
    body: answer.slice(end + 4),
  };
};

test('the CA gets the key authorization, byte for byte, and nobody may keep it', async (t) => {
  const { port } = await startListener(t);
  const { status, headers, body } = split(await rawExchange(t, port, requestFor(`${PATH}/${TOKEN}`)));
  assert.equal(status, 200);
  assert.equal(body, KEY_AUTHORIZATION);
  assert.match(headers, /^content-type: text\/plain/m);
  assert.match(headers, /^cache-control: no-store$/m);
  assert.doesNotMatch(headers, /^(server|x-powered-by):/m);
});

test('the Host header plays no part: a CA that names the port gets the same answer', async (t) => {
  const { port } = await startListener(t);
  const request = `GET ${PATH}/${TOKEN} HTTP/1.1\r\nHost: other.example:80\r\nConnection: close\r\n\r\n`;
  assert.equal(split(await rawExchange(t, port, request)).body, KEY_AUTHORIZATION);
});

test('HEAD tells the length and sends no body', async (t) => {
  const { port } = await startListener(t);
  for (const [path, length] of [
    [`${PATH}/${TOKEN}`, KEY_AUTHORIZATION.length],
    [`${PATH}/ping`, 4],
  ] as const) {
    const answer = split(await rawExchange(t, port, requestFor(path, 'Connection: close\r\n', 'HEAD')));
    assert.equal(answer.status, 200);
    assert.match(answer.headers, new RegExp(`^content-length: ${length}$`, 'm'));
    assert.equal(answer.body, '');
  }
});

test('ping says pong while the loop turns, and 503 when it does not', async (t) => {
  let alive = true;
  const { port } = await startListener(t, () => alive);
  const well = split(await rawExchange(t, port, requestFor(`${PATH}/ping`)));
  assert.deepEqual([well.status, well.body], [200, 'pong']);
  alive = false;
  const sick = split(await rawExchange(t, port, requestFor(`${PATH}/ping`)));
  assert.equal(sick.status, 503);
});

test('one connection carries many requests, also sent before the first was answered', async (t) => {
  const { port } = await startListener(t);
  const connection = await connectRaw(t, port);
  connection.send(requestFor(`${PATH}/${TOKEN}`, ''));
  await connection.sees(KEY_AUTHORIZATION);
  assert.equal(connection.closed, false);
  const pipelined = [`${PATH}/ping`, `${PATH}/${TOKEN}`, '/nothing'].map((path) => requestFor(path, '')).join('');
  connection.send(pipelined + requestFor(`${PATH}/ping`));
  const answers = (await connection.ended()).split('HTTP/1.1 ').slice(1);
  assert.deepEqual(
    answers.map((answer) => answer.slice(0, 3)),
    ['200', '200', '200', '404', '200'],
  );
});

const MARK = 'zzUNHEARDOFzz';
const refused: readonly { what: string; path: string; status: number; method?: string }[] = [
  { what: 'a token nobody published', path: `${PATH}/${MARK}_0123456789`, status: 404 },
  { what: 'a token cut short', path: `${PATH}/${TOKEN.slice(0, -1)}`, status: 404 },
  { what: 'a token too short to be one', path: `${PATH}/${MARK.slice(0, 8)}`, status: 404 },
  { what: 'a token of 129 characters', path: `${PATH}/${'a'.repeat(129)}`, status: 404 },
  { what: 'a token of 4000 characters', path: `${PATH}/${'a'.repeat(4000)}`, status: 404 },
  { what: 'a trailing slash', path: `${PATH}/${TOKEN}/`, status: 404 },
  { what: 'a double slash', path: `${PATH}//${TOKEN}`, status: 404 },
  { what: 'the directory', path: `${PATH}/`, status: 404 },
  { what: 'the directory without its slash', path: PATH, status: 404 },
  { what: 'an encoded slash', path: `${PATH}/..%2f${MARK}%2fpasswd`, status: 404 },
  { what: 'dots', path: `${PATH}/../../etc/${MARK}`, status: 404 },
  { what: 'a NUL byte', path: `${PATH}/${TOKEN}%00${MARK}`, status: 404 },
  { what: 'bad percent encoding', path: `${PATH}/%zz${MARK}%`, status: 400 },
  { what: 'bad UTF-8', path: `${PATH}/%c0%af${MARK}`, status: 400 },
  { what: 'markup', path: `${PATH}/<script>${MARK}</script>`, status: 404 },
  { what: "Object's own names", path: `${PATH}/__proto__`, status: 404 },
  { what: 'other letters of the path', path: `/.Well-Known/acme-challenge/${TOKEN}`, status: 404 },
  { what: 'the root', path: '/', status: 404 },
  { what: 'the admin API', path: '/api/status', status: 404 },
  { what: 'POST', path: `${PATH}/${TOKEN}`, status: 404, method: 'POST' },
  { what: 'DELETE', path: `${PATH}/${TOKEN}`, status: 404, method: 'DELETE' },
  { what: 'OPTIONS', path: '*', status: 404, method: 'OPTIONS' },
  { what: 'PROPFIND', path: `${PATH}/${TOKEN}`, status: 404, method: 'PROPFIND' },
  { what: 'a method that is none', path: `${PATH}/${TOKEN}`, status: 400, method: MARK },
];
for (const { what, path, status, method } of refused) {
  test(`${what} is refused in a few words that repeat nothing`, async (t) => {
    const { port } = await startListener(t);
    const answer = await rawExchange(t, port, requestFor(path, 'Connection: close\r\n', method));
    assert.equal(split(answer).status, status, answer);
    assert.ok(split(answer).body.length < 50, answer);
    assert.doesNotMatch(answer, new RegExp(`${MARK}|${TOKEN}|script|etc`));
  });
}

test('a POST with a type and a body that fastify would complain about is refused like any other', async (t) => {
  const { port } = await startListener(t);
  for (const head of [
    'Content-Type: application/json\r\n',
    `Content-Type: ${MARK}/x\r\n`,
    'Transfer-Encoding: chunked\r\n',
  ]) {
    const [length, size] = head.startsWith('Transfer') ? ['', '64\r\n'] : ['Content-Length: 100\r\n', ''];
    const request = `POST / HTTP/1.1\r\nHost: a.example\r\n${head}${length}\r\n${size}{"a":`;
    const answer = split(await rawExchange(t, port, request));
    assert.deepEqual([answer.status, answer.body], [404, 'Not found.']);
  }
});

test('headers beyond 8 KiB are refused with 431, and the connection ends', async (t) => {
  const { port } = await startListener(t);
  const answer = await rawExchange(t, port, requestFor(`${PATH}/ping`, `X-Long: ${MARK.repeat(800)}\r\n`));
  assert.equal(split(answer).status, 431);
  assert.doesNotMatch(answer, new RegExp(MARK));
});

test('what is not HTTP is refused with 400, and the connection ends', async (t) => {
  const { port } = await startListener(t);
  for (const junk of [`\x16\x03\x01\x02${MARK}\r\n\r\n`, `GET /${MARK} HTTP/9.9\r\n\r\n`]) {
    const answer = await rawExchange(t, port, junk);
    assert.equal(split(answer).status, 400, answer);
    assert.doesNotMatch(answer, new RegExp(MARK));
  }
});

test('whoever sends slowly is let go after five seconds, and others are served meanwhile', async (t) => {
  const { port } = await startListener(t);
  const slow = await connectRaw(t, port);
  const silent = await connectRaw(t, port);
  const began = Date.now();
  slow.send(`GET ${PATH}/ping HTTP/1.1\r\nHost: a.ex`);
  assert.equal(split(await rawExchange(t, port, requestFor(`${PATH}/ping`))).status, 200);
  assert.match(await slow.ended(), /^HTTP\/1\.1 408 /);
  await silent.ended();
  const tookMs = Date.now() - began;
  assert.ok(tookMs >= 4_900 && tookMs < 30_000, `${tookMs} ms, and not after Node's own minute`);
});

test('closing ends kept-alive connections at once', async (t) => {
  const listener = await startListener(t);
  const connection = await connectRaw(t, listener.port);
  connection.send(requestFor(`${PATH}/ping`, ''));
  await connection.sees('pong');
  const began = Date.now();
  await listener.close();
  await connection.ended();
  assert.ok(Date.now() - began < 30_000, 'they are kept for 72 s otherwise');
});

test('a taken port is told with the setting that names it', async (t) => {
  const { port } = await startListener(t);
  const parts = { challenges: new Challenges(), peers: new Peers(undefined), isAlive: () => true };
  const second = listenPublic({ host: '127.0.0.1', port, ...parts });
  await assert.rejects(
    second,
    new RegExp(`^Error: HTTP_PORT: cannot listen on 127\\.0\\.0\\.1 port ${port}: another process`),
  );
});
