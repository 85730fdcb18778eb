/**
 * How the simulator's load balancer follows the cluster: what changes is taken over within a moment, what stays is not
 * disturbed, and nothing is left when the task has ended.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Haproxy } from '../marathon-simulator/load-balancer/haproxy.ts';
import type { HealthCheck } from '../marathon-simulator/model.ts';
import {
  addressesOf,
  app,
  HandMadeCluster,
  overHttp,
  startBackend,
  startLoadBalancer,
} from '../support/load-balancer.ts';
import { until } from '../support/until.ts';

const newAddress = addressesOf('127.43.0');

const CHECK: HealthCheck = {
  protocol: 'MESOS_HTTP',
  path: '/',
  portIndex: 0,
  gracePeriodSeconds: 1,
  intervalSeconds: 1,
  timeoutSeconds: 1,
  maxConsecutiveFailures: 3,
  delaySeconds: 0,
};

test('a changed label is routed, and no request on the way is lost', async (t) => {
  const ports = [await startBackend(t, 'app')];
  const steady = app({ id: '/steady', own: { VHOST: 'steady' }, ports: [await startBackend(t, 'steady')] });
  const cluster = new HandMadeCluster(steady);
  const { host: at, task } = await startLoadBalancer(t, { host: newAddress(), cluster });
  const pid = task.pid;

  let asked = 0;
  let done = false;
  const visitor = (async () => {
    for (; !done; asked += 1) assert.equal((await overHttp({ at, host: 'steady' })).who, 'steady');
  })();
  for (const VHOST of ['one', 'two', 'three']) {
    cluster.become(steady, app({ id: '/app', own: { VHOST }, ports }));
    await until(async () => (await overHttp({ at, host: VHOST })).who === 'app', `${VHOST} is routed`);
  }
  assert.equal((await overHttp({ at, host: 'one' })).status, 503, 'the old name is gone');
  done = true;
  await visitor;
  assert.ok(asked > 0);
  assert.equal(task.pid, pid, 'reloaded, not started anew');
});

test('a reload right after a reload is heard, although the master is deaf for a moment', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'haproxy-'));
  const config = join(directory, 'haproxy.cfg');
  const timeouts = ['connect', 'client', 'server'].map((kind) => `  timeout ${kind} 1s\n`).join('');
  const bind = `listen web\n  mode http\n  bind ${newAddress()}:8080\n`;
  await writeFile(config, `global\n  nbthread 1\ndefaults\n${timeouts}${bind}`);
  const haproxy = await Haproxy.start({ config, directory });
  t.after(async () => {
    haproxy.kill('SIGKILL');
    await haproxy.exited;
    await rm(directory, { recursive: true, force: true });
  });
  for (let n = 0; n < 5; n += 1) await haproxy.reload();
  assert.ok(haproxy.isUp, haproxy.output);
});

test('many changes at once end in the last one', async (t) => {
  const ports = [await startBackend(t, 'app')];
  const cluster = new HandMadeCluster();
  const { host: at } = await startLoadBalancer(t, { host: newAddress(), cluster });
  for (let n = 0; n <= 20; n += 1) cluster.become(app({ id: '/app', own: { VHOST: `v${n}` }, ports }));
  await until(async () => (await overHttp({ at, host: 'v20' })).who === 'app', 'the last name is routed');
  assert.equal((await overHttp({ at, host: 'v0' })).status, 503);
});

test('an app with health checks is routed while its task is alive, and no longer', async (t) => {
  const parts = { id: '/app', own: { VHOST: 'app' }, ports: [await startBackend(t, 'app')], healthChecks: [CHECK] };
  const cluster = new HandMadeCluster(app(parts));
  const { host: at } = await startLoadBalancer(t, { host: newAddress(), cluster });
  const answers = (status: number) => async () => (await overHttp({ at, host: 'app' })).status === status;
  assert.ok(await answers(503)(), 'no result yet: no rules');

  cluster.become(app({ ...parts, alive: true }));
  await until(answers(200), 'alive: routed');
  cluster.become(app({ ...parts, alive: false }));
  await until(answers(503), 'not alive: no rules');
});

test('a task that is being killed gets no requests', async (t) => {
  const [leaving, staying] = [await startBackend(t, 'leaving'), await startBackend(t, 'staying')];
  const both = { id: '/app', own: { VHOST: 'app' } };
  const killing = app({ ...both, ports: [leaving], state: 'TASK_KILLING' });
  const running = app({ ...both, ports: [staying] });
  const cluster = new HandMadeCluster({ ...running, tasks: [...killing.tasks, ...running.tasks] });
  const { host: at } = await startLoadBalancer(t, { host: newAddress(), cluster });
  for (let n = 0; n < 4; n += 1) assert.equal((await overHttp({ at, host: 'app' })).who, 'staying');
});

test('started anew with --haproxy-map, one invalid app is an outage of all; one that was running leaves out only that', async (t) => {
  const good = app({ id: '/good', own: { VHOST: 'good' }, ports: [await startBackend(t, 'good')] });
  const shop = { id: '/shop', own: { VHOST: 'shop,\nshop.two' }, ports: [await startBackend(t, 'shop')] };
  const args = ['sse', '--haproxy-map', '--group', 'external'];
  const who = async (at: string) => (await overHttp({ at, host: 'good' })).who;
  const running = new HandMadeCluster(good);
  const before = await startLoadBalancer(t, { host: newAddress(), cluster: running, args });
  running.become(good, app(shop));
  const isTold = async () => (await readFile(join(before.sandbox, 'stderr'), 'utf8')).includes('/shop is left out');
  await until(isTold, '/shop to be left out');
  assert.equal(await who(before.host), 'good', 'harmless until then');
  const fresh = await startLoadBalancer(t, { host: newAddress(), cluster: new HandMadeCluster(good, app(shop)), args });
  assert.equal(await who(fresh.host), '503', 'what a certificate brings about');
  const mended = app({ ...shop, own: { VHOST: 'shop' } });
  const third = await startLoadBalancer(t, { host: newAddress(), cluster: new HandMadeCluster(good, mended), args });
  assert.equal(await who(third.host), 'good', 'the cure that is told');
});

test('an app that becomes invalid is left out; the others, and it when it is mended, are taken over', async (t) => {
  const ports = [await startBackend(t, 'app')];
  const cluster = new HandMadeCluster(app({ id: '/app', own: { VHOST: 'app' }, ports }));
  const { host: at, sandbox } = await startLoadBalancer(t, { host: newAddress(), cluster });
  const other = app({ id: '/other', own: { VHOST: 'other' }, ports: [await startBackend(t, 'other')] });

  cluster.become(app({ id: '/app', own: { VHOST: 'app', USE_HSTS: 'true' }, ports }), other);
  await until(async () => (await overHttp({ at, host: 'other' })).who === 'other', 'the new app is routed');
  assert.equal((await overHttp({ at, host: 'app' })).status, 503);
  assert.match(await readFile(join(sandbox, 'stderr'), 'utf8'), /\/app is left out: .*rspadd/, 'and it says why');

  cluster.become(app({ id: '/app', own: { VHOST: 'app' }, ports }), other);
  await until(async () => (await overHttp({ at, host: 'app' })).who === 'app', 'the mended app is back');
});

test('the configuration can be read on 9090, as of the last reload, however long it is', async (t) => {
  const port = await startBackend(t, 'app');
  const apps = Array.from({ length: 100 }, (_, n) => app({ id: `/app-${n}`, own: { VHOST: `v${n}` }, ports: [port] }));
  const cluster = new HandMadeCluster();
  const { host: at } = await startLoadBalancer(t, { host: newAddress(), cluster });
  cluster.become(...apps);
  const shown = await until(async () => {
    const { body } = await overHttp({ at, host: at, path: '/_haproxy_getconfig' }, 9090);
    return body.includes('use_backend app-99_10000') && body;
  }, 'the last app is in the configuration');
  assert.ok(shown.length > 16_384, 'longer than one buffer of HAProxy');
  assert.ok(shown.trimEnd().endsWith('id 1'), 'whole');
});

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  test(`after ${signal} the task has ended and its ports are free`, async (t) => {
    const cluster = new HandMadeCluster();
    const { host: at, task } = await startLoadBalancer(t, { host: newAddress(), cluster });
    task.kill(signal);
    await task.exited;
    await until(
      () =>
        overHttp({ at, host: at }).then(
          () => false,
          () => true,
        ),
      'port 80 is closed',
    );
    cluster.become(app({ id: '/late', own: { VHOST: 'late' }, ports: [1] })); // nothing happens, nothing throws
  });
}

test('a port that is taken ends the task, and its sandbox says which', async (t) => {
  const host = newAddress();
  await startLoadBalancer(t, { host });
  const { task, sandbox } = await startLoadBalancer(t, { host });
  assert.equal((await task.exited).code, 1);
  await until(async () => (await readFile(join(sandbox, 'stderr'), 'utf8')).includes(`${host}:80`), 'stderr says so');
});
