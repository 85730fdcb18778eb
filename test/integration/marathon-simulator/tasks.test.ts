/** Tasks: environment, death, back-off, kill grace, health checks and volumes. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Launch } from '../../marathon-simulator/executor.ts';
import type { AppDefinition } from '../../marathon-simulator/model.ts';
import { traitsOf } from '../../marathon-simulator/profiles.ts';
import { taskEnv } from '../../marathon-simulator/task-env.ts';
import { member, noting, simulated, webApp } from '../../support/simulated.ts';
import { until } from '../../support/until.ts';
import { processesIn } from './processes.ts';

const NET = 2;
const SECOND_MS = 20;
const DEAF_CHILD = `(trap '' TERM; sleep 1000); true`;

test('a task gets the environment that Marathon and Mesos give it, and nothing else', async () => {
  const vector = JSON.parse(await readFile(new URL('../../fixtures/marathon/task-env.json', import.meta.url), 'utf8'));
  const app = {
    id: vector.app.id,
    cpus: 0.1,
    mem: 128,
    disk: 0,
    gpus: 0,
    networks: vector.app.networks,
    container: {
      type: 'DOCKER',
      docker: { image: 'example/letsencrypt-dcos:2' },
      portMappings: vector.app.portMappings,
      volumes: [],
    },
    labels: { ...vector.app.labels, LONG: 'x'.repeat(512) },
    env: {},
    secrets: {},
  } as unknown as AppDefinition;
  const facts = {
    taskId: vector.env.MESOS_TASK_ID,
    version: vector.env.MARATHON_APP_VERSION,
    host: vector.env.HOST,
    ports: vector.hostPorts,
    role: 'slave_public',
    sandbox: '/tmp/x',
  };
  const env = taskEnv(app, facts, traitsOf('1.9'), () => undefined);
  assert.match(env.MESOS_CONTAINER_NAME ?? '', /^mesos-/);
  const containerName = { MESOS_CONTAINER_NAME: env.MESOS_CONTAINER_NAME };
  assert.deepEqual({ ...env }, { ...vector.env, ...containerName });
});

test("the app's own variables win over Marathon's, and secrets are filled in", async (t) => {
  const launches: Launch[] = [];
  const marathon = await simulated(t, NET, {
    secrets: { 'web/password': 'swordfish' },
    images: { web: noting(launches) },
  });
  const env = { MARATHON_APP_LABELS: 'mine', PASSWORD: { secret: 'p' } };
  await marathon.deployed(await marathon.add(webApp({ env, secrets: { p: { source: 'web/password' } } })));
  assert.equal(launches[0]?.env.MARATHON_APP_LABELS, 'mine');
  assert.equal(launches[0]?.env.PASSWORD, 'swordfish');
  const shown = member((await marathon.api('GET', '/v2/apps/web')).body, 'app', 'env', 'PASSWORD');
  assert.deepEqual(shown, { secret: 'p' });
});

test('a crash loop: TASK_FAILED, lastTaskFailure, and a back-off that grows and is told by the queue', async (t) => {
  const marathon = await simulated(t, NET, { secondMs: SECOND_MS });
  await marathon.add(webApp({ env: { EXIT: '7' }, backoffSeconds: 3, backoffFactor: 3 }));
  await until(() => marathon.tasksOf('/web').length >= 3, 'three tries');
  const tries = marathon.tasksOf('/web');
  const pauses = tries.slice(1, 3).map((next, n) => Date.parse(next.stagedAt) - Date.parse(tries[n]?.endedAt ?? ''));
  // A busy machine makes them longer, never shorter.
  const isAtLeast = (seconds: number, ms: number | undefined): boolean => Number(ms) >= seconds * SECOND_MS - 1;
  assert.ok(isAtLeast(3, pauses[0]) && isAtLeast(9, pauses[1]), `the pauses grow: ${pauses} ms`);
  const failure = member((await marathon.api('GET', '/v2/apps/web')).body, 'app', 'lastTaskFailure');
  assert.deepEqual(
    [member(failure, 'state'), member(failure, 'message')],
    ['TASK_FAILED', 'Command exited with status 7'],
  );
  await until(async () => {
    const queue = (await marathon.api('GET', '/v2/queue')).body;
    return member(queue, 'queue', 0, 'delay', 'overdue') === false;
  }, 'the queue to say that it waits');
  assert.equal((await marathon.api('DELETE', '/v2/queue/web/delay')).status, 204);
});

test('back-off 0 relaunches at once', async (t) => {
  const marathon = await simulated(t, NET, { secondMs: 1000 });
  await marathon.add(webApp({ env: { EXIT: '1' }, backoffSeconds: 0 }));
  await until(() => marathon.tasksOf('/web').length >= 3, 'three tries');
});

test('a process killed from outside is a failed task, and comes back', async (t) => {
  const marathon = await simulated(t, NET);
  await marathon.deployed(await marathon.add(webApp()));
  process.kill(marathon.tasksOf('/web')[0]?.pid ?? 0, 'SIGKILL');
  await until(() => marathon.tasksOf('/web')[1]?.state === 'TASK_RUNNING', 'the next task');
  assert.equal(marathon.tasksOf('/web')[0]?.state, 'TASK_FAILED');
  assert.match(marathon.tasksOf('/web')[0]?.message ?? '', /SIGKILL/);
});

test('SIGTERM first, SIGKILL after the grace period', async (t) => {
  const marathon = await simulated(t, NET);
  await marathon.deployed(await marathon.add(webApp({ env: { DEAF: '1' }, taskKillGracePeriodSeconds: 1 })));
  const before = Date.now();
  const { body } = await marathon.api('PUT', '/v2/apps/web', { instances: 0 });
  await marathon.deployed(String(member(body, 'deploymentId')));
  assert.ok(Date.now() - before >= 950, 'the grace period is kept in real seconds');
  assert.equal(marathon.tasksOf('/web')[0]?.state, 'TASK_KILLED');
});

test('a task that fails its health check is killed after so many failures beyond the grace period, and replaced', async (t) => {
  const marathon = await simulated(t, NET);
  const healthChecks = [
    {
      protocol: 'MESOS_HTTP',
      path: '/',
      portIndex: 0,
      intervalSeconds: 1,
      delaySeconds: 0,
      gracePeriodSeconds: 100,
      maxConsecutiveFailures: 2,
    },
  ];
  await marathon.add(webApp({ env: { STATUS: '500' }, healthChecks }));
  await until(() => marathon.tasksOf('/web')[0]?.state === 'TASK_KILLED', 'the kill');
  const kill = marathon.events.find(({ eventType }) => eventType === 'unhealthy_instance_kill_event');
  assert.match(String(kill?.reason), /HTTP status 500/);
  const app = member((await marathon.api('GET', '/v2/apps/web')).body, 'app');
  assert.equal(member(app, 'lastTaskFailure', 'state'), 'TASK_KILLED');
  assert.equal((member(app, 'deployments') as unknown[]).length, 1, 'no task was ever healthy');
});

test('every kind of health check is really made', async (t) => {
  const marathon = await simulated(t, NET);
  const checks = [
    { protocol: 'HTTP', path: '/' },
    { protocol: 'TCP' },
    { protocol: 'MESOS_HTTP', path: '/', delaySeconds: 0 },
    { protocol: 'MESOS_TCP', delaySeconds: 0 },
    { protocol: 'COMMAND', command: { value: 'test "$A" = 1' }, delaySeconds: 0 },
  ];
  for (const [index, check] of checks.entries()) {
    const healthChecks = [{ ...check, intervalSeconds: 1 }];
    await marathon.deployed(
      await marathon.add(webApp({ id: `/web-${index}`, healthChecks, portDefinitions: [{ port: 8081 + index }] })),
    );
    assert.equal(marathon.tasksOf(`/web-${index}`)[0]?.alive, true, check.protocol);
  }
});

test('an env value that Linux cannot pass on fails at launch, not at the PUT', async (t) => {
  const marathon = await simulated(t, NET);
  await marathon.deployed(await marathon.add(webApp()));
  const put = await marathon.api('PUT', '/v2/apps/web', { env: { BIG: 'x'.repeat(131_072 - 'BIG'.length - 2 + 1) } });
  assert.equal(put.status, 200);
  await until(() => marathon.tasksOf('/web')[1]?.state === 'TASK_FAILED', 'the failure');
  assert.match(marathon.tasksOf('/web')[1]?.message ?? '', /Argument list too long/);
});

test('a persistent volume outlives the task and holds the next one to its agent', async (t) => {
  const launches: Launch[] = [];
  const marathon = await simulated(t, NET, {
    agentCount: 3,
    images: { web: noting(launches) },
  });
  const volumes = [
    { containerPath: 'data', mode: 'RW', persistent: { type: 'root', size: 10 } },
    { containerPath: '/var/lib/web', hostPath: 'data', mode: 'RW' },
  ];
  const container = { type: 'DOCKER', docker: { image: 'web' }, volumes };
  await marathon.deployed(await marathon.add(webApp({ container, upgradeStrategy: undefined })));
  const folder = launches[0]?.volumes['/var/lib/web'] ?? '';
  await writeFile(join(folder, 'kept'), 'yes');
  const { body } = await marathon.api('PUT', '/v2/apps/web', { env: { A: '2' } });
  await marathon.deployed(String(member(body, 'deploymentId')));
  assert.equal(launches[1]?.host, launches[0]?.host);
  assert.equal(await readFile(join(launches[1]?.volumes['/var/lib/web'] ?? '', 'kept'), 'utf8'), 'yes');
  assert.equal(
    await readFile(join(launches[1]?.sandbox ?? '', 'data', 'kept'), 'utf8'),
    'yes',
    'also under the sandbox',
  );
});

test('an external app is reported as running elsewhere, and nothing is started', async (t) => {
  const marathon = await simulated(t, NET, { external: { '/web': '127.0.0.1' } });
  await marathon.deployed(await marathon.add(webApp({ healthChecks: [] })));
  const [task] = marathon.tasksOf('/web');
  assert.deepEqual([task?.host, task?.ports, task?.state, task?.pid], ['127.0.0.1', [8080], 'TASK_RUNNING', undefined]);
});

test('roles and constraints decide which agents are asked', async (t) => {
  const marathon = await simulated(t, NET, {
    agents: [
      { host: `127.41.${NET}.2`, role: 'slave_public' },
      { host: `127.41.${NET}.3` },
      { host: `127.41.${NET}.4` },
    ],
  });
  await marathon.deployed(await marathon.add(webApp({ acceptedResourceRoles: ['slave_public'] })));
  assert.equal(marathon.tasksOf('/web')[0]?.host, `127.41.${NET}.2`);
  const constraints = [['hostname', 'CLUSTER', `127.41.${NET}.4`]];
  await marathon.deployed(await marathon.add(webApp({ id: '/pinned', constraints })));
  assert.equal(marathon.tasksOf('/pinned')[0]?.host, `127.41.${NET}.4`);
  await marathon.deployed(
    await marathon.add(
      webApp({ id: '/unique', constraints: [['hostname', 'UNIQUE']], instances: 2, portDefinitions: [{ port: 9999 }] }),
    ),
  );
  assert.equal(new Set(marathon.tasksOf('/unique').map(({ host }) => host)).size, 2);
});

for (const { name, fields } of [
  { name: 'a task that ignores SIGTERM', fields: { env: { DEAF: '1' } } },
  { name: "a shell's child", fields: { cmd: 'sleep 1000; true', container: undefined, healthChecks: [] } },
  { name: "a shell's child that ignores SIGTERM", fields: { cmd: DEAF_CHILD, container: undefined, healthChecks: [] } },
]) {
  test(`closing the simulator leaves no process behind: ${name}`, async (t) => {
    const marathon = await simulated(t, NET);
    await marathon.deployed(await marathon.add(webApp(fields)));
    const { pid = 0, sandbox = '' } = marathon.tasksOf('/web')[0] ?? {};
    const expected = 'cmd' in fields ? 2 : 1;
    await until(async () => (await processesIn(sandbox)).length >= expected, 'the task, and what it starts');
    await marathon.close();
    assert.throws(() => process.kill(pid, 0), /ESRCH/);
    await until(async () => (await processesIn(sandbox)).length === 0, 'all of it to end');
  });
}
