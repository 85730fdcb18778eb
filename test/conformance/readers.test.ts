/**
 * Our readers on other projects' documents: apps, lists, deployments, queues and events as Marathon's own pages show
 * them, from 0.15 to the last; and the labels of marathon-lb's example apps.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wantedNames } from '../../src/certificates/spec.ts';
import { type App, readApp } from '../../src/marathon/app.ts';
import { MarathonClient } from '../../src/marathon/client.ts';
import { EventParser } from '../../src/marathon/events.ts';
import { startCannedMarathon } from '../support/canned-marathon.ts';
import { theirFiles, theirJson, theirText } from './other-projects.ts';

type Json = Readonly<Record<string, unknown>>;
const VERSIONS = ['v0.15.3', 'v1.3.14', 'v1.4.13', 'v1.5.15', 'head/api/v2'];

/** What is posted has no version yet; what is read has one. */
function read(definition: unknown): App {
  return readApp({ version: '2020-01-01T00:00:00.000Z', ...(definition as Json) });
}

function appsIn(path: string): readonly Json[] {
  const found = theirJson(path);
  const list = (found as { apps?: unknown }).apps ?? found;
  return (Array.isArray(list) ? list : [list]) as Json[];
}

test('the names of marathon-lb’s example apps are those their authors routed', () => {
  const rows: [string, readonly string[]][] = [
    ['tests/marathon15_apps.json', ['myvhost.com']],
    ['ci/backends/docker_bridge.json', ['nginx-docker-bridge.test']],
    ['ci/backends/docker_host.json', ['nginx-docker-host.test']],
    ['ci/backends/docker_ippc.json', ['nginx-docker-ippc.test']],
    ['ci/backends/ucr_bridge.json', ['nginx-ucr-bridge.test']],
    ['ci/backends/ucr_host.json', ['nginx-ucr-host.test']],
    ['ci/backends/ucr_ippc.json', ['nginx-ucr-ippc.test']],
    ['ci/backends_1.9/docker_bridge.json', ['nginx-docker-bridge.test']],
    ['ci/backends_1.9/ucr_host.json', ['nginx-ucr-host.test']],
    ['tests/1-nginx.json', []],
    ['tests/zdd_apps.json', []],
  ];
  for (const [file, domains] of rows) {
    const names = appsIn(`marathon-lb/${file}`).map((app) =>
      wantedNames({ labels: read(app).labels, override: undefined, publicCa: false }),
    );
    assert.deepEqual([...new Set(names.flatMap((wanted) => wanted.domains))], domains, file);
    assert.deepEqual(
      names.flatMap(({ refused }) => refused),
      [],
      file,
    );
  }
});

test('the ports and networks of example apps of every spelling', () => {
  const rows: [string, boolean, readonly number[]][] = [
    ['marathon-lb/tests/1-nginx.json', false, [8080]],
    ['marathon-lb/tests/1-nginx-marathon1.5.json', false, [8080]],
    ['marathon-lb/tests/zdd_app_blue.json', false, [8080]],
    ['marathon-lb/tests/zdd_app_blue_marathon1.5.json', false, [8080]],
    ['marathon-lb/ci/backends/docker_bridge.json', false, [80]],
    ['marathon-lb/ci/backends/docker_host.json', true, [0]],
    ['marathon-lb/ci/backends/docker_ippc.json', false, [80]],
    ['marathon-lb/ci/backends/ucr_bridge.json', false, [80]],
    ['marathon/v1.4.13/app-examples/bridge.json', false, [8080, 161]],
    ['marathon/head/system-test-apps/pinger-localhost-app.json', true, [7777]],
    ['marathon/head/system-test-apps/docker-nginx-ssl.json', false, [80, 443]],
  ];
  for (const [file, hostNetwork, containerPorts] of rows) {
    const app = read(appsIn(file)[0]);
    assert.deepEqual(
      { hostNetwork: app.hostNetwork, containerPorts: app.containerPorts },
      { hostNetwork, containerPorts },
      file,
    );
  }
});

test('every app document is read, its labels, env and secrets as they stand', () => {
  const files = [
    ...VERSIONS.map((version) => `marathon/${version}/examples/app.json`),
    ...theirFiles('marathon-lb', '.json'),
    ...theirFiles('marathon/head/system-test-apps', '-app.json'),
    'marathon/head/large-group-100-apps.json',
  ];
  const apps = files.flatMap(appsIn);
  assert.ok(apps.length > 130, `${apps.length} apps`);
  for (const app of apps) {
    const { id, labels, env, secrets } = read(app);
    assert.equal(id, `/${String(app.id).replace(/^\//, '')}`);
    assert.deepEqual([labels, env, secrets], [app.labels ?? {}, app.env ?? {}, app.secrets], id);
  }
});

test('tasks of the documents: host, ports and state', () => {
  for (const version of VERSIONS) {
    const { tasks } = theirJson(`marathon/${version}/examples/app_tasks.json`) as { tasks: Json[] };
    const app = read({ id: '/a', tasks });
    assert.deepEqual(
      app.tasks.map(({ id, host, ports, state, startedAt }) => ({ id, host, ports, state, startedAt })),
      tasks.map(({ id, host, ports, state = 'TASK_RUNNING', startedAt }) => ({
        ...{ id, host, ports, state },
        startedAt: new Date(String(startedAt)),
      })),
      version,
    );
  }
});

test('deployments and queues of the documents', async (t) => {
  for (const version of VERSIONS) {
    const examples = `marathon/${version}/examples`;
    const marathon = await startCannedMarathon(t, ({ path }) => ({
      body: theirJson(`${examples}/${path.startsWith('/v2/queue') ? 'queue' : 'deployments'}.json`),
    }));
    const client = new MarathonClient({ urls: [marathon.url], auth: { kind: 'none' }, timeoutMs: 5_000 });
    const written = theirJson(`${examples}/deployments.json`) as Json[];
    const deployments = await client.deployments(t.signal);
    assert.deepEqual(
      deployments.map(({ id }) => id),
      written.map(({ id }) => id),
      version,
    );
    assert.ok(
      deployments.every(({ affectedApps, totalSteps }) => affectedApps.length > 0 && totalSteps > 0),
      version,
    );
    const queue = await client.queue(t.signal);
    assert.ok(queue.length > 0 && queue.every(({ appId, count }) => appId.startsWith('/') && count > 0), version);
  }
});

test('every event of the documents gives a hint, however the network cuts it and whatever ends a line', () => {
  for (const version of VERSIONS) {
    const text = theirText(`marathon/${version}/examples/events.txt`);
    const types = [...text.matchAll(/^event: (.+)$/gm)].map(([, type]) => type);
    assert.equal(types.length, 3, version);
    for (const [ending, size] of [
      ['\n', 1 << 20],
      ['\r\n', 1 << 20],
      ['\r\n', 1],
      ['\n', 7],
    ] as const) {
      const bytes = Buffer.from(text.replaceAll(/\r?\n/g, ending));
      const parser = new EventParser();
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
        bytes.subarray(at * size, (at + 1) * size),
      );
      const seen = chunks.flatMap((chunk) => [...parser.push(chunk)]);
      assert.deepEqual(
        seen.map(({ type }) => type),
        types,
        `${version}, ${JSON.stringify(ending)}, ${size}`,
      );
    }
  }
});
