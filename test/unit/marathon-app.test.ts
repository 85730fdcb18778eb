/** The tolerant reader of apps against the answers of three generations of Marathon, and what is concluded from them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type App, hostPort, isCurrent, isHealthy, isSettled, normaliseId, readApp } from '../../src/marathon/app.ts';
import { MarathonError } from '../../src/marathon/error.ts';
import { appUpdate } from '../../src/marathon/update.ts';

const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/marathon/${name}`, import.meta.url), 'utf8'));
const app = (name: string) => readApp(fixture(`app-get.${name}.json`).body);
const tiny = (fields: object) => readApp({ app: { id: '/x', version: '2021-05-02T11:22:33.444Z', ...fields } });

const SECRET_REF = { secret: 'serviceCredential' };
const SECRETS = { serviceCredential: { source: 'marathon-lb/service-account-secret' } };

for (const [version, reference, secrets] of [
  ['marathon-0.15', undefined, undefined],
  ['marathon-1.4', SECRET_REF, SECRETS],
  ['marathon-1.5plus', SECRET_REF, SECRETS],
] as const) {
  test(`the load balancer reads the same from ${version}`, () => {
    const read = app(version);
    assert.equal(read.id, '/marathon-lb');
    assert.match(String(read.env.HAPROXY_SSL_CERT), /^-----BEGIN CERTIFICATE-----\n/);
    assert.deepEqual(read.env.DCOS_SERVICE_ACCOUNT_CREDENTIAL, reference);
    assert.deepEqual(read.secrets, secrets);
    assert.deepEqual(read.containerPorts, [80, 443, 9090, 9091, 10000, 10001]);
    assert.deepEqual([read.hostNetwork, read.containerType], [true, 'DOCKER']);
    const [task] = read.tasks;
    assert.ok(task);
    assert.deepEqual([task.state, task.alive, task.host], ['TASK_RUNNING', true, '10.0.1.5']);
    assert.equal(hostPort(read, task, 443), 443);
    assert.ok(isSettled(read));
  });
}

test('an app without env has an empty one, and its last failure is told', () => {
  const read = app('no-env');
  assert.deepEqual([read.env, read.secrets, read.hasHealthChecks], [{}, undefined, false]);
  assert.equal(read.lastTaskFailure?.message, 'Command exited with status 1');
  assert.equal(read.lastTaskFailure?.at.toISOString(), '2021-05-02T11:22:33.444Z');
  assert.equal(isSettled(read), false, 'one instance is wanted, none runs');
});

test('the last words of a task are one line of bounded length: they are quoted in sentences', () => {
  const said = (message: string) => {
    const lastTaskFailure = { timestamp: '2026-01-01T00:00:00Z', message };
    return readApp({ app: { id: '/lb', version: 'v', lastTaskFailure } }).lastTaskFailure?.message ?? '';
  };
  assert.equal(said('[ALERT] bad bind\n\u001b[31mexit 1'), '[ALERT] bad bind ?[31mexit 1');
  assert.equal(said('x'.repeat(100_000)).length, 300);
});

test('nulls everywhere, as Marathon up to 1.4 writes them, read as absent', () => {
  const names = [
    'env',
    'secrets',
    'labels',
    'versionInfo',
    'deployments',
    'tasks',
    'healthChecks',
    'container',
    'ports',
  ];
  const read = tiny(Object.fromEntries(names.map((name) => [name, null])));
  assert.deepEqual([read.env, read.secrets, read.labels, read.tasks], [{}, undefined, {}, []]);
  assert.equal(read.hostNetwork, true);
});

for (const [name, fields] of Object.entries({
  'container.portMappings (since 1.5)': {
    networks: [{ mode: 'container/bridge' }],
    container: { type: 'MESOS', portMappings: [{ containerPort: 80 }, { containerPort: 9000 }] },
  },
  'container.docker.portMappings (until 1.4)': {
    container: { docker: { network: 'BRIDGE', portMappings: [{ containerPort: 80 }, { containerPort: 9000 }] } },
  },
})) {
  test(`a bridged port is found on the host by its index in ${name}`, () => {
    const read = tiny({ ...fields, tasks: [{ id: 't', host: 'h', ports: [31001, 31002] }] });
    const [task] = read.tasks;
    assert.ok(task);
    assert.equal(read.hostNetwork, false);
    assert.deepEqual(
      [80, 9000, 443].map((port) => hostPort(read, task, port)),
      [31001, 31002, undefined],
    );
  });
}

for (const { name, app: fields, taskVersions, current } of fixture('task-currency-vectors.json').vectors) {
  test(`which tasks run the latest configuration: ${name}`, () => {
    const tasks = taskVersions.map((version: string | null, n: number) => ({ id: `t${n}`, host: 'h', version }));
    const read = tiny({ ...fields, tasks });
    assert.deepEqual(
      read.tasks.map((task) => isCurrent(read, task)),
      current,
    );
  });
}

test('a task is healthy once all its health checks say so, not before the first result', () => {
  const health = (results: unknown[]) => {
    const tasks = [{ id: 't', host: 'h', state: 'TASK_RUNNING', healthCheckResults: results }];
    const read = tiny({ healthChecks: [{ protocol: 'HTTP' }], tasks });
    return read.tasks.map((task) => isHealthy(read, task))[0];
  };
  assert.deepEqual([[], [null], [{ alive: true }], [{ alive: true }, { alive: false }]].map(health), [
    false,
    false,
    true,
    false,
  ]);
});

test('an app is settled with no deployment and enough current healthy tasks', () => {
  const task = { id: 't', host: 'h', state: 'TASK_RUNNING', version: '2021-05-02T11:22:33.444Z' };
  assert.equal(isSettled(tiny({ instances: 1, tasks: [task] })), true);
  assert.equal(isSettled(tiny({ instances: 1, tasks: [task], deployments: [{ id: 'd' }] })), false);
  assert.equal(isSettled(tiny({ instances: 2, tasks: [task] })), false);
  assert.equal(isSettled(tiny({ instances: 1, tasks: [{ ...task, state: 'TASK_KILLING' }] })), false);
  assert.equal(isSettled(tiny({ instances: 0, tasks: [] })), true, 'scaled to 0: done');
});

test('what is not an app is refused as MarathonError', () => {
  for (const body of [undefined, null, 'pong', [], {}, { app: null }, { '*': [] }]) {
    assert.throws(() => readApp(body), MarathonError);
  }
});

test('ids have one leading slash', () => {
  assert.deepEqual(['marathon-lb', '/marathon-lb', '//a/b/', 'a/b'].map(normaliseId), [
    '/marathon-lb',
    '/marathon-lb',
    '/a/b',
    '/a/b',
  ]);
});

test('a change sends the whole env with its secret references, the secrets, and nothing of the rest', () => {
  const { body } = fixture('put-bodies.json')['env_and_secrets (right)'];
  const update = appUpdate(app('marathon-1.5plus'), { HAPROXY_SSL_CERT: body.env.HAPROXY_SSL_CERT });
  assert.deepEqual(update, body);
});

test('fields that a partial update would drop are sent again', () => {
  const read = tiny({ executorResources: { cpus: 0.1 }, resourceLimits: null });
  assert.deepEqual(appUpdate(read, { A: 'b' }), { env: { A: 'b' }, executorResources: { cpus: 0.1 } });
});

test('an env that no task could start with is refused before it is sent, naming the variable', () => {
  const refusals = (fields: object, changes: Record<string, string>) => {
    assert.throws(
      () => appUpdate(tiny(fields) as App, changes),
      (error: unknown) =>
        error instanceof MarathonError && !error.retryable && /no task could start/.test(error.message),
    );
  };
  refusals({}, { BIG: 'x'.repeat(121_000) });
  refusals({ container: { type: 'MESOS' } }, { A: 'x'.repeat(60_000), B: 'x'.repeat(60_000) });
  assert.throws(
    () => appUpdate(tiny({}), { BIG: 'x'.repeat(121_000) }),
    /BIG of \/x would have 12\d{4} bytes; above 120000 bytes no task could start/,
  );
});
