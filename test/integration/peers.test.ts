/**
 * What a follower does with a token that it does not know: it asks the other tasks of our app, by real sockets, and what
 * that costs them does not depend on how much it is asked itself.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Challenges } from '../../src/acme/challenges.ts';
import { readApp } from '../../src/marathon/app.ts';
import { digestOf, PEER_LIST_PATH, Peers } from '../../src/peers.ts';
import { listenPublic } from '../../src/web/public.ts';
import { freePort } from '../support/free-port.ts';
import { type RecordingProxy, startRecordingProxy } from '../support/recording-proxy.ts';
import { until } from '../support/until.ts';

const TOKEN = 'DGyRejmCefe7v4NfDGDKfA-_0123456789ABCDEFGHI';
const OTHER_TOKEN = 'xxyRejmCefe7v4NfDGDKfA-_0123456789ABCDEFGHI';
const THUMBPRINT = '9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI';
const KEY_AUTHORIZATION = `${TOKEN}.${THUMBPRINT}`;
const NOT_FOUND = { status: 404, body: 'Not found.' };
const FOUND = { status: 200, body: KEY_AUTHORIZATION };
/** What a CA waits for an answer to its challenge (GUIDE §6), at most. */
const CA_PATIENCE_MS = 10_000;

interface Instance {
  readonly challenges: Challenges;
  readonly peers: Peers;
  readonly port: number;
}

/** One of us, as the process is put together, but for the loop; and it waits longer for a peer that is only slow. */
async function startInstance(t: TestContext, taskId: string, timeoutMs = 10_000): Promise<Instance> {
  const [challenges, peers] = [new Challenges(), new Peers(taskId, timeoutMs)];
  const listener = await listenPublic({ host: '127.0.0.1', port: 0, challenges, peers, isAlive: () => true });
  t.after(() => listener.close());
  t.after(() => peers.close());
  return { challenges, peers, port: listener.port };
}

interface Listed {
  readonly id: string;
  readonly ports: readonly number[];
  readonly state?: string;
  readonly host?: string;
}

/** Our app as Marathon shows it. */
function appWith(tasks: readonly Listed[], more: object = {}) {
  const container = { type: 'DOCKER', portMappings: [{ containerPort: 9000 }, { containerPort: 80 }] };
  const running = tasks.map(({ ports, ...task }) => {
    return { state: 'TASK_RUNNING', host: '127.0.0.1', ...task, ports: [1, ...ports] };
  });
  const networks = [{ mode: 'container/bridge' }];
  return readApp({
    app: { id: '/us', version: '2021-05-02T11:22:33.444Z', container, networks, tasks: running, ...more },
  });
}

async function ask(port: number, path: string): Promise<{ status: number; body: string }> {
  const reply = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(20_000) });
  return { status: reply.status, body: await reply.text() };
}

const challenge = (port: number, token = TOKEN) => ask(port, `/.well-known/acme-challenge/${token}`);

/** A leader, a follower that knows of it, and a proxy between that sees what the follower asks. */
async function startPair(t: TestContext): Promise<{ leader: Instance; follower: Instance; between: RecordingProxy }> {
  const [leader, follower] = [await startInstance(t, 'leader'), await startInstance(t, 'follower')];
  const between = await startRecordingProxy(t, { target: `http://127.0.0.1:${leader.port}` });
  const port = Number(new URL(between.url).port);
  follower.peers.learn(
    appWith([
      { id: 'leader', ports: [port] },
      { id: 'follower', ports: [follower.port] },
    ]),
  );
  return { leader, follower, between };
}

test('what the leader would answer, the follower answers: to a challenge, and to a probe of the route', async (t) => {
  const { leader, follower } = await startPair(t);
  leader.challenges.publish(TOKEN, KEY_AUTHORIZATION);
  const probe = leader.challenges.newProbe();
  assert.deepEqual(await challenge(follower.port), FOUND);
  assert.deepEqual(await challenge(follower.port, probe.token), { status: 200, body: probe.answer });
  assert.deepEqual(await challenge(follower.port, OTHER_TOKEN), NOT_FOUND);
});

test('the same token from many places is asked for once', async (t) => {
  const { leader, follower, between } = await startPair(t);
  leader.challenges.publish(TOKEN, KEY_AUTHORIZATION);
  const answers = await Promise.all(Array.from({ length: 20 }, () => challenge(follower.port)));
  assert.ok(answers.every(({ status }) => status === 200));
  assert.equal(between.requests.filter(({ path }) => path.endsWith(TOKEN)).length, 1);
});

test('a token asked for too early is found a moment later: "unknown" is not remembered', async (t) => {
  const { leader, follower } = await startPair(t);
  for (const n of [1, 2, 3]) {
    const token = `${TOKEN}${n}`;
    assert.deepEqual(await challenge(follower.port, token), NOT_FOUND);
    leader.challenges.publish(token, `${token}.${THUMBPRINT}`);
    assert.equal((await challenge(follower.port, token)).status, 200);
  }
});

test('a token published while the list is on its way is found: the one after that is waited for', async (t) => {
  const { leader, follower, between } = await startPair(t);
  between.hooks = { onReply: (n) => (n === 1 ? 'hold' : 'pass') };
  const early = challenge(follower.port, OTHER_TOKEN);
  await until(() => between.held() === 1, 'the first list to be on its way');
  leader.challenges.publish(TOKEN, KEY_AUTHORIZATION);
  const late = challenge(follower.port);
  between.release();
  assert.deepEqual(await Promise.all([early, late]), [NOT_FOUND, FOUND]);
});

test('a token that the leader has withdrawn is not answered for longer than until the next list', async (t) => {
  const { leader, follower } = await startPair(t);
  leader.challenges.publish(TOKEN, KEY_AUTHORIZATION);
  assert.deepEqual(await challenge(follower.port), FOUND);
  leader.challenges.withdraw(TOKEN);
  await challenge(follower.port, OTHER_TOKEN); // makes it ask for the list
  assert.deepEqual(await challenge(follower.port), NOT_FOUND);
});

test('two that point at each other: what is asked by one is not passed on by the other', async (t) => {
  const { leader, follower, between } = await startPair(t);
  const back = await startRecordingProxy(t, { target: `http://127.0.0.1:${follower.port}` });
  leader.peers.learn(appWith([{ id: 'follower', ports: [Number(new URL(back.url).port)] }]));
  assert.deepEqual(await challenge(follower.port), NOT_FOUND);
  assert.deepEqual(
    between.requests.map(({ path }) => path),
    [PEER_LIST_PATH],
  );
  assert.deepEqual(await ask(leader.port, `/peer/token/${TOKEN}`), NOT_FOUND);
  assert.deepEqual(await ask(leader.port, PEER_LIST_PATH), { status: 200, body: '' });
  assert.equal(back.requests.length, 0);
});

test('the list tells digests, never a token', async (t) => {
  const { leader } = await startPair(t);
  leader.challenges.publish(TOKEN, KEY_AUTHORIZATION);
  const { body } = await ask(leader.port, PEER_LIST_PATH);
  assert.equal(body, digestOf(TOKEN));
  assert.ok(!body.includes(TOKEN.slice(0, 8)));
});

for (const token of [
  'short',
  'a'.repeat(129),
  `${TOKEN}.`,
  `..%2f${TOKEN}`,
  '<script>alert(1)</script>',
  '%00'.repeat(20),
]) {
  test(`no token at all, and nobody is asked: ${token.slice(0, 30)}`, async (t) => {
    const { follower, between } = await startPair(t);
    assert.equal((await challenge(follower.port, token)).status, 404);
    assert.equal(between.requests.length, 0);
  });
}

// Peers that are not what they should be

const MIB = Buffer.alloc(1024 * 1024, 'A');

/** 64 MiB, as fast as they are taken; gives up with the connection. */
function pour(response: http.ServerResponse): void {
  let left = 64;
  const more = (): void => {
    while (left > 0 && !response.destroyed) {
      left -= 1;
      if (!response.write(MIB)) return void response.once('drain', more);
    }
    response.end();
  };
  more();
}

function drip(response: http.ServerResponse): void {
  response.writeHead(200);
  const timer = setInterval(() => response.write('A'), 50);
  response.once('close', () => clearInterval(timer));
}

type Part = string | ((response: http.ServerResponse) => void);

/** It lists the token unless told, and answers this to it. */
async function startFake(
  t: TestContext,
  answer: Part,
  list: Part = digestOf(TOKEN),
): Promise<{ port: number; paths: string[] }> {
  const paths: string[] = [];
  const server = http.createServer(({ url = '' }, response) => {
    paths.push(url);
    const part = url === PEER_LIST_PATH ? list : answer;
    if (typeof part === 'string') response.end(part);
    else part(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, paths };
}

const silent = (): void => {};
const BAD: readonly { does: string; answer: Part; list?: Part }[] = [
  { does: 'never answers', answer: KEY_AUTHORIZATION, list: silent },
  { does: 'lists the token and never answers', answer: silent },
  { does: 'sends its list byte by byte', answer: KEY_AUTHORIZATION, list: drip },
  { does: 'sends its answer byte by byte', answer: drip },
  { does: 'closes the connection', answer: (response) => void response.destroy() },
  { does: 'lists garbage', answer: KEY_AUTHORIZATION, list: '\u0000\n<html>\n\n'.repeat(100) },
  { does: 'lists 64 MiB', answer: KEY_AUTHORIZATION, list: pour },
  { does: 'answers garbage', answer: '\u0000\u00ff\r\n\r\n' },
  { does: 'answers nothing', answer: '' },
  { does: 'answers 64 MiB', answer: pour },
  { does: 'answers the key authorization of another token', answer: `${OTHER_TOKEN}.${THUMBPRINT}` },
  { does: 'answers the token alone', answer: TOKEN },
  { does: 'answers a page', answer: '<html><script>alert(1)</script></html>' },
  { does: 'adds a line', answer: `${KEY_AUTHORIZATION}\n` },
  { does: 'redirects', answer: (response) => void response.writeHead(302, { location: '/peer/other' }).end() },
  { does: 'answers 500', answer: (response) => void response.writeHead(500).end(KEY_AUTHORIZATION) },
];
test('a peer that is not what it should be', { concurrency: BAD.length }, async (t) => {
  const play = async (row: (typeof BAD)[number], rowTest: TestContext): Promise<void> => {
    const fake = await startFake(rowTest, row.answer, row.list);
    const [good, follower] = [await startInstance(rowTest, 'good'), await startInstance(rowTest, 'follower', 1_000)];
    follower.peers.learn(appWith([{ id: 'bad', ports: [fake.port] }]));
    const began = performance.now();
    assert.deepEqual(await challenge(follower.port), NOT_FOUND);
    const tookMs = performance.now() - began;
    assert.ok(tookMs < CA_PATIENCE_MS, `${tookMs} ms`);
    assert.ok(fake.paths.length <= 2, `${fake.paths}`);

    good.challenges.publish(TOKEN, KEY_AUTHORIZATION);
    follower.peers.learn(
      appWith([
        { id: 'bad', ports: [fake.port] },
        { id: 'good', ports: [good.port] },
      ]),
    );
    await until(async () => (await challenge(follower.port)).status === 200, 'the other peer to be heard');
    assert.deepEqual(await challenge(follower.port), FOUND);
  };
  const titled = BAD.map(
    (row) => [`it ${row.does}: 404 in time, and another peer is heard all the same`, row] as const,
  );
  await Promise.all(titled.map(([title, row]) => t.test(title, (rowTest) => play(row, rowTest))));
});

test('of 64 MiB no more is taken than what a socket holds anyway', async (t) => {
  const sockets: Socket[] = [];
  const part = (response: http.ServerResponse): void => {
    if (response.socket !== null) sockets.push(response.socket);
    pour(response);
  };
  const [fake, follower] = [await startFake(t, part, part), await startInstance(t, 'follower')];
  follower.peers.learn(appWith([{ id: 'bad', ports: [fake.port] }]));
  assert.deepEqual(await challenge(follower.port), NOT_FOUND);
  await until(() => sockets.every(({ destroyed }) => destroyed), 'the connection to be closed');
  const taken = sockets.map(({ bytesWritten }) => bytesWritten / MIB.length);
  assert.ok(taken.length === 1 && taken.every((mib) => mib < 16), `${taken} MiB`);
});

test('a peer that died: 404', async (t) => {
  const follower = await startInstance(t, 'follower');
  follower.peers.learn(appWith([{ id: 'dead', ports: [await freePort()] }]));
  assert.deepEqual(await challenge(follower.port), NOT_FOUND);
});

test('a leader that dies while the CA is on its way: what it answered before is still answered', async (t) => {
  const { leader, follower, between } = await startPair(t);
  leader.challenges.publish(TOKEN, KEY_AUTHORIZATION);
  assert.deepEqual(await challenge(follower.port), FOUND);
  await between.close();
  assert.deepEqual(await challenge(follower.port, OTHER_TOKEN), NOT_FOUND);
  assert.deepEqual(await challenge(follower.port), FOUND);
});

// Who is a peer

const NOBODY: readonly { what: string; app: (port: number) => ReturnType<typeof appWith> }[] = [
  { what: 'no other task', app: () => appWith([]) },
  { what: 'this very task', app: (port) => appWith([{ id: 'follower', ports: [port] }]) },
  { what: 'a task in staging', app: (port) => appWith([{ id: 'a', ports: [port], state: 'TASK_STAGING' }]) },
  {
    what: 'a task that cannot be reached',
    app: (port) => appWith([{ id: 'a', ports: [port], state: 'TASK_UNREACHABLE' }]),
  },
  { what: 'a task without ports', app: () => appWith([{ id: 'a', ports: [] }]) },
  { what: 'a task without a host', app: (port) => appWith([{ id: 'a', ports: [port], host: '' }]) },
  {
    what: 'a challenge port that is not mapped',
    app: (port) => appWith([{ id: 'a', ports: [port] }], { env: { HTTP_PORT: '8080' } }),
  },
];
for (const { what, app } of NOBODY) {
  test(`nobody is asked when Marathon shows ${what}`, async (t) => {
    const fake = await startFake(t, KEY_AUTHORIZATION);
    const follower = await startInstance(t, 'follower');
    follower.peers.learn(appWith([{ id: 'a', ports: [fake.port] }]));
    follower.peers.learn(app(fake.port)); // it leaves
    assert.deepEqual(await challenge(follower.port), NOT_FOUND);
    assert.deepEqual(fake.paths, []);
  });
}

const PLACES: readonly { what: string; more: (port: number) => object }[] = [
  { what: 'the host port of container port 80, on a bridge', more: () => ({}) },
  {
    what: 'the host port of HTTP_PORT, if the definition has it',
    more: () => ({
      env: { HTTP_PORT: ' 8080 ' },
      container: { portMappings: [{ containerPort: 80 }, { containerPort: 8080 }] },
    }),
  },
  {
    what: 'HTTP_PORT itself, on the network of the host',
    more: (port) => ({ env: { HTTP_PORT: `${port}` }, networks: [{ mode: 'host' }] }),
  },
];
for (const { what, more } of PLACES) {
  test(`a peer is asked at ${what}`, async (t) => {
    const fake = await startFake(t, KEY_AUTHORIZATION);
    const follower = await startInstance(t, 'follower');
    follower.peers.learn(appWith([{ id: 'a', ports: [fake.port] }], more(fake.port)));
    assert.deepEqual(await challenge(follower.port), FOUND);
  });
}

// What it costs at most

const invented = (n: number): string => `${String(n).padStart(6, '0')}${'x'.repeat(26)}`;

test('a flood of invented tokens: 404 for each, a list four times a second and nothing else for the peer, and a real challenge gets through', async (t) => {
  const { leader, follower, between } = await startPair(t);
  const agent = new http.Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const began = performance.now();
  const statuses = new Set<number>();
  const real: number[] = [];
  let asked = 0;
  const lane = async (): Promise<void> => {
    while (asked < 4_000) {
      asked += 1;
      if (asked % 1_000 === 500) {
        const token = `${TOKEN}${asked}`;
        leader.challenges.publish(token, `${token}.${THUMBPRINT}`);
        real.push(await statusOf(agent, follower.port, token));
      }
      statuses.add(await statusOf(agent, follower.port, invented(asked)));
    }
  };
  await Promise.all(Array.from({ length: 400 }, lane));
  const tookMs = performance.now() - began;

  const lists = between.requests.filter(({ path }) => path === PEER_LIST_PATH).length;
  const others = between.requests.filter(({ path }) => path !== PEER_LIST_PATH);
  t.diagnostic(`${asked} requests in ${Math.round(tookMs)} ms: ${lists} lists, ${others.length} tokens`);
  assert.deepEqual([...statuses], [404]);
  assert.deepEqual(real, [200, 200, 200, 200], 'at the first try');
  assert.ok(lists <= 1 + tookMs / 250, `${lists} lists in ${tookMs} ms`);
  assert.ok(others.length === 4 && others.every(({ path }) => path.includes(TOKEN)));
});

test('more than may wait: those beyond are answered at once, by what the peer said last', async (t) => {
  const { leader, follower, between } = await startPair(t);
  leader.challenges.publish(TOKEN, KEY_AUTHORIZATION);
  await challenge(follower.port, OTHER_TOKEN); // it has the list
  between.hooks = { onReply: (_, { path }) => (path === PEER_LIST_PATH ? 'hold' : 'pass') };
  let refused = 0;
  const all = Array.from({ length: 600 }, async (_, n) => {
    assert.equal(await follower.peers.answerTo(invented(n)), undefined);
    refused += 1;
  });
  await until(() => refused > 0, 'those who may not wait to be answered');
  assert.equal(refused, 600 - 512);
  assert.deepEqual(await challenge(follower.port), FOUND);
  assert.equal(refused, 600 - 512, 'the others still wait');
  between.release();
  await Promise.all(all);
});

async function statusOf(agent: http.Agent, port: number, token: string): Promise<number> {
  const request = http.get({ agent, host: '127.0.0.1', port, path: `/.well-known/acme-challenge/${token}` });
  const [reply] = (await once(request, 'response')) as [http.IncomingMessage];
  reply.resume();
  await once(reply, 'end');
  return reply.statusCode ?? 0;
}

test('six slow peers: four requests at a time, however many tokens are asked for', async (t) => {
  let [now, most] = [0, 0];
  const slowly = (response: http.ServerResponse): void => {
    now += 1;
    most = Math.max(most, now);
    setTimeout(() => {
      now -= 1;
      response.end();
    }, 50);
  };
  const fakes = await Promise.all(Array.from({ length: 6 }, () => startFake(t, slowly, slowly)));
  const follower = await startInstance(t, 'follower');
  follower.peers.learn(appWith(fakes.map(({ port }, n) => ({ id: `task-${n}`, ports: [port] }))));
  const began = performance.now();
  const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => challenge(follower.port, invented(n))));
  const lists = 2 + (performance.now() - began) / 250;
  assert.ok(answers.every(({ status }) => status === 404));
  assert.equal(most, 4);
  assert.ok(fakes.every(({ paths }) => paths.length <= lists && paths.every((path) => path === PEER_LIST_PATH)));
});
