/** The knobs, the event stream, the ways of auth, and what the simulator holds against its clients. */
import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { Simulator } from '../../marathon-simulator/simulator.ts';
import { member, START_FIRST, simulated, webApp } from '../../support/simulated.ts';
import { until } from '../../support/until.ts';

const NET = 4;
const external = { external: { '/web': '127.0.0.1' } };
const bare = { healthChecks: [] };
const JSON_TYPE = { 'content-type': 'application/json' };

const put = (marathon: Simulator, body: unknown, query = '') =>
  fetch(`${marathon.url}/v2/apps/web${query}`, { method: 'PUT', headers: JSON_TYPE, body: JSON.stringify(body) });

async function withWeb(t: Parameters<typeof simulated>[0], options: Parameters<typeof simulated>[2] = {}, more = {}) {
  const marathon = await simulated(t, NET, { ...external, ...options });
  await marathon.deployed(await marathon.add(webApp({ ...bare, ...more })));
  return marathon;
}

const shownValue = async (marathon: Simulator) =>
  member((await marathon.api('GET', '/v2/apps/web')).body, 'app', 'env', 'A');

test('a failure may come before or after the change was made', async (t) => {
  const marathon = await withWeb(t);
  marathon.faults.failNext({
    method: 'PUT',
    status: 503,
    body: { message: 'Futures timed out after [10000 milliseconds]' },
  });
  assert.equal((await put(marathon, { env: { A: '2' } })).status, 503);
  assert.equal(await shownValue(marathon), '1');
  marathon.faults.failNext({ method: 'PUT', status: 504, body: '<html>', applied: true });
  const late = await put(marathon, { env: { A: '3' } });
  assert.deepEqual([late.status, late.headers.get('content-type')], [504, 'text/html;charset=iso-8859-1']);
  assert.equal(await shownValue(marathon), '3');
});

test('a reply can be reset, truncated, delayed', async (t) => {
  const marathon = await withWeb(t);
  marathon.faults.failNext({ path: '/v2/apps/web', reset: true });
  await assert.rejects(fetch(`${marathon.url}/v2/apps/web`));
  marathon.faults.failNext({ path: '/v2/apps/web', truncateAt: 10 });
  await assert.rejects(async () => (await fetch(`${marathon.url}/v2/apps/web`)).json());
  marathon.faults.failNext({ path: '/v2/apps/web', delayMs: 100 });
  const before = Date.now();
  assert.equal((await fetch(`${marathon.url}/v2/apps/web`)).status, 200);
  assert.ok(Date.now() - before >= 95);
});

test('the events of a change may come before its reply', async (t) => {
  const marathon = await withWeb(t);
  const stream = await eventStream(marathon);
  marathon.faults.failNext({ method: 'PUT', delayMs: 3_000 });
  let replied = false;
  const reply = put(marathon, { env: { A: '2' } }).finally(() => {
    replied = true;
  });
  await until(() => stream.text().includes('event: deployment_success'), 'the event');
  assert.equal(replied, false);
  assert.equal((await reply).status, 200);
  stream.socket.destroy();
});

test('somebody else writes between the GET and the PUT of a client', async (t) => {
  const marathon = await withWeb(t);
  marathon.faults.failNext({
    method: 'PUT',
    before: async () => {
      const { body } = await marathon.api('PUT', '/v2/apps/web', { env: { A: '1', B: 'theirs' } });
      await marathon.deployed(String(member(body, 'deploymentId')));
    },
  });
  assert.equal((await put(marathon, { env: { A: '2' } })).status, 200);
  assert.deepEqual(marathon.violations, ['PUT /v2/apps/web: env loses B'], 'last write wins, and it is seen');
});

test('a hidden app is a 404 and cannot be changed; its deployments are not listed', async (t) => {
  const marathon = await simulated(t, NET);
  await marathon.deployed(await marathon.add(webApp({ upgradeStrategy: START_FIRST })));
  await marathon.api('PUT', '/v2/apps/web', { env: { A: '2' } });
  marathon.faults.hide('/web');
  assert.equal((await fetch(`${marathon.url}/v2/apps/web`)).status, 404);
  assert.deepEqual(await (await fetch(`${marathon.url}/v2/deployments`)).json(), []);
  assert.equal((await put(marathon, { env: {} })).status, 403);
});

test('a lock without a deployment, too many deployments, and a list that lags', async (t) => {
  const marathon = await withWeb(t, {}, {});
  marathon.faults.lockWithoutDeployment('/web');
  const locked = await put(marathon, { env: { A: '2' } });
  assert.deepEqual([locked.status, member(await locked.json(), 'deployments')], [409, []]);
  marathon.faults.lockWithoutDeployment('/web', false);
  marathon.faults.maxRunningDeployments = 0;
  const many = await put(marathon, { env: { A: '2' } }, '?force=true');
  assert.deepEqual([many.status, /^Max number/.test(String(member(await many.json(), 'message')))], [403, true]);
  marathon.faults.maxRunningDeployments = 100;

  const stuck = await simulated(t, NET);
  await stuck.deployed(await stuck.add(webApp({ upgradeStrategy: START_FIRST })));
  stuck.faults.listLagMs = 60_000;
  const reply = await (await put(stuck, { env: { A: '2' } })).json();
  assert.deepEqual(await (await fetch(`${stuck.url}/v2/deployments`)).json(), []);
  stuck.faults.listLagMs = 0;
  const listed = async () => member(await (await fetch(`${stuck.url}/v2/deployments`)).json(), 0, 'id');
  assert.equal(await until(listed, 'the list to catch up'), member(reply, 'deploymentId'));
});

test('tasks can be made to start late, to crash, and never to be healthy', async (t) => {
  const marathon = await simulated(t, NET);
  marathon.faults.crashOnLaunch('/web', 2);
  marathon.faults.neverHealthy('/web');
  const id = await marathon.add(webApp({ backoffSeconds: 0 }));
  await until(() => marathon.tasksOf('/web')[2]?.state === 'TASK_RUNNING', 'the third try');
  assert.deepEqual(
    marathon
      .tasksOf('/web')
      .slice(0, 2)
      .map(({ state }) => state),
    ['TASK_FAILED', 'TASK_FAILED'],
  );
  assert.equal(marathon.deploymentsOf('/web')[0]?.state, 'running');
  marathon.faults.neverHealthy('/web', false);
  await marathon.deployed(id);
});

test('the image may take its time: the task is staging, and starts when it has come', async (t) => {
  const marathon = await simulated(t, NET);
  marathon.faults.delayStart('/web', 300);
  const id = await marathon.add(webApp({ healthChecks: [] }));
  await marathon.deployed(id);
  const told = marathon.events.filter(({ eventType }) => eventType === 'status_update_event');
  assert.deepEqual(
    told.map(({ taskStatus }) => taskStatus),
    ['TASK_STAGING', 'TASK_STARTING', 'TASK_RUNNING'],
  );
  const [task] = marathon.tasksOf('/web');
  assert.ok(Date.parse(task?.startedAt ?? '') - Date.parse(task?.stagedAt ?? '') >= 295);
});

/** Raw bytes of the event stream, as they come. */
async function eventStream(marathon: Simulator, query = '', accept = 'text/event-stream') {
  const { hostname, port } = new URL(marathon.url);
  const socket = connect(Number(port), hostname);
  socket.write(`GET /v2/events${query} HTTP/1.1\r\nHost: x\r\nAccept: ${accept}\r\n\r\n`);
  const chunks: string[] = [];
  socket.on('data', (chunk) => chunks.push(chunk.toString()));
  const text = () => chunks.join('');
  await until(() => text().includes('\r\n\r\n'), 'the head of the answer');
  return { socket, chunks, text };
}

test('the event stream is framed as Jetty frames it, and heartbeats are split', async (t) => {
  const marathon = await withWeb(t);
  marathon.faults.sse.heartbeatMs = 50;
  const stream = await eventStream(marathon);
  assert.match(stream.text(), /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(stream.text(), /Content-Type: text\/event-stream;charset=utf-8\r\n/);
  assert.doesNotMatch(stream.text(), /Transfer-Encoding|Content-Length/i);
  await until(() => stream.text().includes('event: event_stream_attached\r\ndata: {'), 'the first event');
  await until(() => /\r\n\r\n\r\n$/.test(stream.text()), 'a heartbeat');
  assert.ok(stream.chunks.includes('\r'), 'CR alone');
  await put(marathon, { env: { A: '2' } });
  await until(() => stream.text().includes('event: deployment_success'), 'the deployment');
  marathon.faults.dropEventStreams();
  await until(() => stream.socket.closed, 'the end');
});

test('event types are filtered, heavy plans are as old as 1.6, and a wrong Accept is 405', async (t) => {
  const marathon = await withWeb(t, { profile: '1.5' });
  const light = await eventStream(marathon, '?event_type=deployment_success&plan-format=light');
  const heavy = await eventStream(marathon, '?event_type=deployment_success');
  await put(marathon, { env: { A: '2' } });
  for (const stream of [light, heavy]) await until(() => stream.text().includes('deployment_success'), 'the event');
  assert.doesNotMatch(light.text(), /status_update_event|"original"/);
  assert.match(heavy.text(), /"original".*"target"/);
  light.socket.destroy();
  heavy.socket.destroy();
  const wrong = await eventStream(marathon, '', '*/*');
  assert.match(wrong.text(), /^HTTP\/1\.1 405/);
  wrong.socket.destroy();
  assert.equal(marathon.violations[0], "GET /v2/events: Accept is '*/*', not text/event-stream");
});

test('the stream can lose, double and garble events, and close at once', async (t) => {
  const marathon = await withWeb(t);
  Object.assign(marathon.faults.sse, { missing: ['deployment_success'], duplicate: true });
  const stream = await eventStream(marathon, '?event_type=deployment_success&event_type=group_change_success');
  await put(marathon, { env: { A: '2' } });
  await until(() => stream.text().split('event: group_change_success').length === 3, 'the doubled event');
  marathon.faults.sendRawToEventStreams('event: junk\r\ndata: {"a":\r\n\r\n');
  await until(() => stream.text().includes('event: junk'), 'the garbage');
  assert.doesNotMatch(stream.text(), /deployment_success/);
  stream.socket.destroy();
  marathon.faults.sse.closeAtOnce = 1;
  const closed = await eventStream(marathon);
  await until(() => closed.socket.closed, 'the end');
});

test('the stream can end its lines with LF alone, and send a line of 10 MB', async (t) => {
  const marathon = await withWeb(t);
  marathon.faults.sse.lineEnd = '\n';
  const stream = await eventStream(marathon);
  await put(marathon, { env: { A: '2' } });
  await until(() => /^event: deployment_success\ndata: \{.*\}\n\n/m.test(stream.text()), 'the event');
  const [, body = ''] = stream.text().split(/\r\n\r\n(.*)/s);
  assert.doesNotMatch(body, /\r/);
  const line = `data: ${'x'.repeat(10 * 1024 * 1024)}\n\n`;
  marathon.faults.sendRawToEventStreams(line);
  await until(() => stream.text().endsWith('x\n\n'), 'all of it');
  assert.ok(stream.text().includes(line));
  stream.socket.destroy();
});

test('basic auth answers 401 in HTML, a token passes in both forms until it expires', async (t) => {
  const basic = await withWeb(t, { auth: { kind: 'basic', user: 'u', password: 'p' } });
  const refused = await fetch(`${basic.url}/ping`);
  assert.deepEqual([refused.status, refused.headers.get('www-authenticate')], [401, 'basic realm="Mesosphere"']);
  const authorization = `Basic ${Buffer.from('u:p').toString('base64')}`;
  assert.equal((await fetch(`${basic.url}/ping`, { headers: { authorization } })).status, 200);
  assert.equal(basic.requests.at(-1)?.headers.authorization, 'Basic', 'never the password');

  const token = await withWeb(t, { auth: { kind: 'token', token: 'abc' } });
  for (const form of ['token=abc', 'Bearer abc']) {
    assert.equal((await fetch(`${token.url}/v2/apps`, { headers: { authorization: form } })).status, 200);
  }
  token.faults.expireTokens();
  assert.equal((await fetch(`${token.url}/v2/apps`, { headers: { authorization: 'token=abc' } })).status, 401);
});

test('a DC/OS service account logs in with a JWT that its key signed, in time', async (t) => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const marathon = await withWeb(t, { auth: { kind: 'dcos', uid: 'me', publicKeyPem, lifetimeSeconds: 3600 } });
  const jwt = (claims: object, key = privateKey) => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const head = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`;
    return `${head}.${sign('RSA-SHA256', Buffer.from(head), createPrivateKey(key.export({ type: 'pkcs8', format: 'pem' }))).toString('base64url')}`;
  };
  const login = (token: string) =>
    fetch(`${marathon.url}/acs/api/v1/auth/login`, {
      method: 'POST',
      headers: JSON_TYPE,
      body: JSON.stringify({ uid: 'me', token }),
    });
  const now = Math.floor(Date.now() / 1000);
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  assert.equal((await login(jwt({ uid: 'me', exp: now - 5 }))).status, 401, 'a skewed clock');
  assert.equal((await login(jwt({ uid: 'me', exp: now + 60 }, stranger))).status, 401, 'a wrong key');
  const { token } = (await (await login(jwt({ uid: 'me', exp: now + 60 }))).json()) as { token: string };
  assert.equal((await fetch(`${marathon.url}/v2/apps`, { headers: { authorization: `token=${token}` } })).status, 200);
  assert.equal(marathon.logins(), 1);
});

test('each rule for clients has a sentence', async (t) => {
  const marathon = await simulated(t, NET);
  const env = { A: '1', S: { secret: 's' } };
  const secrets = { s: { source: 'x' } };
  await marathon.add(webApp({ env, secrets, container: { type: 'DOCKER', docker: { image: 'web' } } }));
  await marathon.api('DELETE', `/v2/deployments/${marathon.deploymentsOf('/web')[0]?.id}?force=true`);
  await put(marathon, { env, secrets });
  await put(marathon, { env: { A: '2', S: { secret: 's' } } });
  await put(marathon, { env: { ...env, B: '1' }, secrets });
  await put(marathon, { env: { ...env, B: '1' }, secrets });
  await put(marathon, { env: { S: 'text', A: '1' }, version: 'x', tasks: [] });
  assert.deepEqual(
    [...marathon.violations].map((rule) => rule.replace('PUT /v2/apps/web: ', '').replace(/by \S+$/, 'by …')),
    [
      'changes nothing',
      'env has secret references, but no secrets are sent',
      'sent again while locked by …',
      'sends version in a merge',
      'sends back tasks, which only Marathon writes',
      'env turns the secret reference S into text',
    ],
  );
  await fetch(`${marathon.url}/v2/apps/web`, {
    method: 'PUT',
    headers: JSON_TYPE,
    body: new Blob(['not JSON']).stream(),
    duplex: 'half',
  });
  assert.equal(marathon.violations.at(-1), 'PUT /v2/apps/web: no Content-Length');
  assert.equal((await marathon.api('PUT', '/v2/apps/web?force=true', { env: {} })).status, 200);
  assert.equal(marathon.violations.length, 7, 'an operator may do what he likes');
});
