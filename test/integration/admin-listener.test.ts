/**
 * The admin listener: it shows what it is given, and says everything in JSON.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createLog } from '../../src/log.ts';
import type { Family } from '../../src/metrics/families.ts';
import type { Status } from '../../src/status.ts';
import { listenAdmin } from '../../src/web/admin.ts';
import { statusIn } from '../support/page-worlds.ts';

const SILENT = createLog({ level: 'silent' });

async function startAdmin(
  t: TestContext,
  o: { status?: () => Status; isReady?: () => boolean; metrics?: () => readonly Family[] } = {},
): Promise<string> {
  const { status = () => statusIn('live'), isReady = () => true, metrics = () => [] } = o;
  const listener = await listenAdmin({
    host: '127.0.0.1',
    port: 0,
    log: SILENT,
    status,
    isReady,
    metrics,
    asks: undefined,
  });
  t.after(() => listener.close());
  return `http://127.0.0.1:${listener.port}`;
}

test('ready is 200 or 503, as the service says', async (t) => {
  let ready = false;
  const url = await startAdmin(t, { isReady: () => ready });
  const before = await fetch(`${url}/ready`);
  assert.deepEqual([before.status, await before.json()], [503, { ready: false }]);
  ready = true;
  const after = await fetch(`${url}/ready`);
  assert.deepEqual([after.status, await after.json()], [200, { ready: true }]);
});

test('the status is the value of the moment, as JSON that nobody caches', async (t) => {
  let version = '1';
  const url = await startAdmin(t, { status: () => statusIn('live', { version, startedAt: new Date(0) }) });
  version = '2';
  const response = await fetch(`${url}/api/status`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
  assert.equal(response.headers.get('cache-control'), 'no-store');
  const status = (await response.json()) as Readonly<Record<string, unknown>>;
  assert.deepEqual([status.version, status.startedAt], ['2', '1970-01-01T00:00:00.000Z']);
});

test('a status that cannot be made is an error without its reason', async (t) => {
  const url = await startAdmin(t, {
    status: () => {
      throw new Error('SECRET');
    },
  });
  const response = await fetch(`${url}/api/status`);
  assert.deepEqual([response.status, await response.json()], [500, { error: 'internal error' }]);
});

for (const [method, path] of [
  ['GET', '/index.html'],
  ['POST', '/'],
  ['POST', '/actions/retry'],
  ['GET', '/actions/retry'],
  ['GET', '/api/status/'],
  ['GET', '/api//status'],
  ['GET', '/.well-known/acme-challenge/ping'],
  ['POST', '/api/status'],
  ['DELETE', '/ready'],
] as const) {
  test(`${method} ${path} is 404 in JSON, and what there is`, async (t) => {
    const response = await fetch(`${await startAdmin(t)}${path}`, { method });
    const { error } = (await response.json()) as { readonly error: string };
    assert.equal(response.status, 404);
    assert.match(error, /^not found: .* where ADMIN_TOKEN is set POST \/actions\/retry/);
  });
}

test('whoever comes before what answers here is read waits for it; a flood of questions on one connection does not', async (t) => {
  const url = await startAdmin(t);
  const flood = connect(Number(new URL(url).port), '127.0.0.1');
  flood.on('error', () => undefined);
  flood.write('GET /ready HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(1_000));
  const early = await Promise.all(
    [fetch(`${url}/ready`), fetch(`${url}/api/status`)].map((one) => one.catch(() => undefined)),
  );
  if (!flood.closed) await once(flood, 'close');
  assert.equal(flood.bytesRead, 0);
  const statuses = early.map((one) => one?.status);
  assert.ok(
    statuses.every((status) => status === 200 || status === undefined),
    `${statuses}`,
  );
  assert.equal((await fetch(`${url}/ready`)).status, 200);
});

test('an unreadable path is 400 in JSON that does not repeat it', async (t) => {
  const response = await fetch(`${await startAdmin(t)}/%zz`);
  assert.deepEqual([response.status, await response.json()], [400, { error: 'bad request' }]);
});

test('a taken port is told with the setting that names it', async (t) => {
  const port = Number(new URL(await startAdmin(t)).port);
  const second = listenAdmin({
    host: '127.0.0.1',
    port,
    log: SILENT,
    status: () => statusIn('live'),
    isReady: () => true,
    metrics: () => [],
    asks: undefined,
  });
  await assert.rejects(
    second,
    new RegExp(`^Error: ADMIN_PORT: cannot listen on 127\\.0\\.0\\.1 port ${port}: another process`),
  );
});

test('metrics are in the text format of Prometheus, as of the moment, and nobody caches them', async (t) => {
  let value = 1;
  const families = () => [{ name: 'x_total', type: 'counter', help: 'x', samples: [{ value }] }] as const;
  const url = await startAdmin(t, { metrics: families });
  value = 2;
  const response = await fetch(`${url}/metrics`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  assert.equal(response.headers.get('cache-control'), 'no-store');
  assert.equal(await response.text(), '# HELP x_total x\n# TYPE x_total counter\nx_total 2\n');
});
