/** What each request is answered, under each generation: statuses, bodies, merges. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { Profile } from '../../marathon-simulator/profiles.ts';
import type { Simulator } from '../../marathon-simulator/simulator.ts';
import { startStandby } from '../../marathon-simulator/standby.ts';
import { member, START_FIRST, simulated, webApp } from '../../support/simulated.ts';

const NET = 3;
const FIXTURES = new URL('../../fixtures/marathon/', import.meta.url);
const fixture = async (name: string) => JSON.parse(await readFile(new URL(name, FIXTURES), 'utf8'));

/** As a foreign client: faults, auth and rules apply. */
async function send(
  marathon: Simulator,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
  const response = await fetch(`${marathon.url}${path}`, {
    method,
    headers: { ...type, ...headers },
    redirect: 'manual',
    ...(body === undefined ? {} : { body: text }),
  });
  const answer = await response.text();
  const json = response.headers.get('content-type')?.startsWith('application/json');
  return { status: response.status, headers: response.headers, body: json && answer ? JSON.parse(answer) : answer };
}

const external = { external: { '/web': '127.0.0.1', '/marathon-lb': '127.0.0.1' } };
const bare = { healthChecks: [] };

test('refusals are in the words that Marathon uses', async (t) => {
  const { cases } = await fixture('error-bodies.json');
  const named = (name: string) => cases.find((one: { name: string }) => one.name === name);
  const marathon = await simulated(t, NET, external);
  await marathon.deployed(await marathon.add(webApp(bare)));
  const env = { A: '1', C: { secret: 'nobody' } };
  const rows: [string, string, string, unknown?][] = [
    ['app-unknown', 'GET', '/v2/apps/nope'],
    ['app-unknown', 'PATCH', '/v2/apps/nope', {}],
    ['app-unknown', 'DELETE', '/v2/apps/nope'],
    ['deployment-unknown', 'DELETE', '/v2/deployments/00000000-0000-0000-0000-000000000000'],
    ['json-wrong-type', 'POST', '/v2/apps', { id: 1 }],
    ['version-with-other-fields', 'PUT', '/v2/apps/web', { env: {}, version: '2021-05-01T10:00:00.000Z' }],
    ['route-unknown', 'GET', '/v2/nope'],
    ['json-empty', 'PUT', '/v2/apps/web', ''],
  ];
  for (const [name, method, path, body] of rows) {
    const answer = await send(marathon, method, path, body);
    assert.equal(answer.status, named(name).status, name);
    assert.deepEqual(answer.body, named(name).body, name);
  }
  assert.equal((await send(marathon, 'POST', '/v2/apps', '{"id":"/test"')).status, 400);
  const undefinedSecret = await send(marathon, 'PUT', '/v2/apps/web', { env });
  assert.deepEqual(member(undefinedSecret.body, 'details', 0, 'errors'), ['references an undefined secret']);
  const exists = await send(marathon, 'POST', '/v2/apps', webApp());
  assert.deepEqual([exists.status, exists.body], [409, { message: 'An app with id [/web] already exists.' }]);
  const type = await send(marathon, 'PUT', '/v2/apps/web', { env: {} }, { 'content-type': 'text/plain' });
  assert.deepEqual([type.status, type.body], [415, { message: 'Unsupported Media Type' }]);
  const selector = await send(marathon, 'GET', `/v2/apps?label=${encodeURIComponent('foo test')}`);
  assert.equal(selector.status, 422);
});

test('validation names every mistake with its path', async (t) => {
  const marathon = await simulated(t, NET);
  const rows: [Record<string, unknown>, string][] = [
    [
      { upgradeStrategy: { minimumHealthCapacity: 2, maximumOverCapacity: 0 } },
      '/upgradeStrategy/minimumHealthCapacity',
    ],
    [{ id: '/UPPER' }, '/id'],
    [{ instances: -1 }, '/instances'],
    [{ labels: { MARATHON_SINGLE_INSTANCE_APP: 'true' }, upgradeStrategy: START_FIRST }, '/upgradeStrategy'],
    [{ healthChecks: [{ protocol: 'HTTP', portIndex: 7 }] }, '/healthChecks(0)'],
    [{ healthChecks: [{ protocol: 'MESOS_TCP' }, { protocol: 'MESOS_HTTP' }] }, '/healthChecks'],
    [{ portDefinitions: [{ port: 80 }, { port: 80 }] }, '/portDefinitions'],
    [{ container: { type: 'DOCKER' } }, '/container/docker'],
  ];
  for (const [change, path] of rows) {
    const { status, body } = await send(marathon, 'POST', '/v2/apps', webApp(change));
    assert.equal(status, 422, path);
    const paths = (member(body, 'details') as { path: string }[]).map((one) => one.path);
    assert.ok(paths.includes(path), `${path} in ${paths}`);
  }
});

test('a partial PUT replaces whole fields, as the table of bodies says', async (t) => {
  const bodies = await fixture('put-bodies.json');
  const original = (await fixture('app-get.marathon-1.5plus.json')).body.app;
  for (const profile of ['1.4', '1.5.0', '1.5', '1.9'] as const) {
    for (const [name, { body, expect }] of Object.entries<{
      body: Record<string, unknown>;
      expect: Record<string, unknown>;
    }>(bodies)) {
      if (name === '_comment' || name === 'rollback') continue;
      const marathon = await simulated(t, NET, { ...external, profile });
      const definition = await fixture('app-definitions/marathon-lb.package-like.legacy-ports.json');
      await marathon.deployed(await marathon.add({ ...definition, healthChecks: [] }));
      const before = member((await marathon.api('GET', '/v2/apps/marathon-lb')).body, 'app');
      const { status, body: answer } = await send(marathon, 'PUT', '/v2/apps/marathon-lb', body);
      assert.equal(
        status,
        expectedStatus(expect, profile, body),
        `${name} under ${profile}: ${JSON.stringify(answer)}`,
      );
      const after = member((await marathon.api('GET', '/v2/apps/marathon-lb')).body, 'app');
      const keys = expect.env_keys_after ?? Object.keys(original.env);
      if (status === 200) assert.deepEqual(Object.keys(member(after, 'env') as object).sort(), keys, name);
      if (expect.app_version_unchanged) assert.equal(member(after, 'version'), member(before, 'version'));
      await marathon.close();
    }
  }
});

function expectedStatus(expect: Record<string, unknown>, profile: Profile, body: Record<string, unknown>): unknown {
  const references = JSON.stringify(body.env ?? {}).includes('"secret"');
  if (profile === '1.5.0' && references && !body.secrets && !body.version) return 422;
  const generation = profile === '1.4' ? 'status_1.4' : 'status_1.5plus';
  return expect.status ?? expect[generation] ?? expect.status_otherwise ?? 200;
}

test('executorResources and resourceLimits are dropped by a PUT that does not echo them', async (t) => {
  const marathon = await simulated(t, NET, { ...external, profile: '1.11' });
  const extra = { resourceLimits: { cpus: 'unlimited' }, executorResources: { cpus: 0.2 } };
  await marathon.deployed(await marathon.add(webApp({ ...bare, ...extra })));
  const shown = member((await marathon.api('GET', '/v2/apps/web')).body, 'app');
  assert.deepEqual(member(shown, 'resourceLimits'), extra.resourceLimits);
  await send(marathon, 'PUT', '/v2/apps/web', { env: { A: '2' } });
  const after = member((await marathon.api('GET', '/v2/apps/web')).body, 'app') as object;
  assert.equal('resourceLimits' in after || 'executorResources' in after, false);
  assert.deepEqual(
    marathon.violations.map((rule) => rule.split(': ')[1]),
    ['does not echo executorResources', 'does not echo resourceLimits'],
  );
});

test('an old version can be read, and put back under a new version', async (t) => {
  const marathon = await simulated(t, NET, external);
  await marathon.deployed(await marathon.add(webApp(bare)));
  const first = String(member((await marathon.api('GET', '/v2/apps/web')).body, 'app', 'version'));
  const changed = await marathon.api('PUT', '/v2/apps/web', { env: { A: '2' } });
  await marathon.deployed(String(member(changed.body, 'deploymentId')));
  assert.equal((member((await marathon.api('GET', '/v2/apps/web/versions')).body, 'versions') as string[]).length, 2);
  assert.equal(member((await marathon.api('GET', `/v2/apps/web/versions/${first}`)).body, 'env', 'A'), '1');
  const back = await send(marathon, 'PUT', '/v2/apps/web', { version: first });
  assert.equal(back.status, 200);
  const now = member((await marathon.api('GET', '/v2/apps/web')).body, 'app');
  assert.deepEqual([member(now, 'env', 'A'), member(now, 'version')], ['1', member(back.body, 'version')]);
  assert.equal((await send(marathon, 'PUT', '/v2/apps/web', { version: '2001-01-01T00:00:00.000Z' })).status, 404);
});

test('POST answers 201 with the whole app, its id as Location and the deployment', async (t) => {
  const marathon = await simulated(t, NET, external);
  const { status, headers, body } = await send(marathon, 'POST', '/v2/apps', webApp({ ...bare, id: 'web' }));
  assert.deepEqual([status, headers.get('location')], [201, '/web']);
  assert.equal(member(body, 'deployments', 0, 'id'), headers.get('marathon-deployment-id'));
  assert.equal(member(body, 'versionInfo'), undefined);
});

test('what changed over the generations: PATCH, the header, unknown paths, wrong types', async (t) => {
  const rows = [
    { profile: '0.15', patch: 405, header: false, unknown: 404, wrongType: 400 },
    { profile: '1.4', patch: 200, header: true, unknown: 404, wrongType: 400 },
    { profile: '1.5', patch: 200, header: true, unknown: 404, wrongType: 422 },
    { profile: '1.9', patch: 200, header: true, unknown: 500, wrongType: 422 },
  ] as const;
  for (const { profile, patch, header, unknown, wrongType } of rows) {
    const marathon = await simulated(t, NET, { ...external, profile });
    await marathon.deployed(await marathon.add(webApp(bare)));
    const put = await send(marathon, 'PUT', '/v2/apps/web', { env: { A: '2' } });
    assert.equal(put.headers.has('marathon-deployment-id'), header, profile);
    await marathon.deployed(String(member(put.body, 'deploymentId')));
    assert.equal((await send(marathon, 'PATCH', '/v2/apps/web', { env: { A: '3' } })).status, patch, profile);
    assert.equal((await send(marathon, 'GET', '/nope')).status, unknown, profile);
    assert.equal((await send(marathon, 'PUT', '/v2/apps/web', { env: [] })).status, wrongType, profile);
    await marathon.close();
  }
});

test("Admin Router's prefixes and a doubled slash lead to the same app", async (t) => {
  const marathon = await simulated(t, NET, external);
  await marathon.deployed(await marathon.add(webApp(bare)));
  for (const path of ['/v2/apps/web', '/v2/apps//web', '/service/marathon/v2/apps/web', '/marathon/v2/apps/web']) {
    assert.equal((await send(marathon, 'GET', path)).status, 200, path);
  }
  assert.equal((await send(marathon, 'GET', '/ping')).body, 'pong');
  assert.match(String(member((await send(marathon, 'GET', '/v2/info')).body, 'version')), /^1\.9/);
  assert.equal(member((await send(marathon, 'GET', '/v2/leader')).body, 'leader'), new URL(marathon.url).host);
});

test('the list has tasks only when asked, and is filtered by label, id and cmd', async (t) => {
  const marathon = await simulated(t, NET, external);
  await marathon.deployed(await marathon.add(webApp({ ...bare, labels: { HAPROXY_GROUP: 'external' } })));
  const count = async (query: string) =>
    (member((await send(marathon, 'GET', `/v2/apps${query}`)).body, 'apps') as unknown[]).length;
  assert.equal(await count('?label=HAPROXY_GROUP%3D%3Dexternal'), 1);
  assert.equal(await count('?label=HAPROXY_GROUP%3D%3Dinternal'), 0);
  assert.equal(await count('?id=WE'), 1);
  assert.equal(await count('?cmd=sleep'), 0);
  assert.equal(member((await send(marathon, 'GET', '/v2/apps')).body, 'apps', 0, 'tasks'), undefined);
  const withTasks = (await send(marathon, 'GET', '/v2/apps?embed=apps.tasks')).body;
  assert.equal((member(withTasks, 'apps', 0, 'tasks') as unknown[]).length, 1);
});

test('a standby forwards all but the event stream, and loses a body without Content-Length', async (t) => {
  const marathon = await simulated(t, NET, external);
  const standby = await startStandby({ url: marathon.url });
  t.after(() => standby.close());
  await marathon.deployed(await marathon.add(webApp(bare)));
  const through = { ...marathon, url: standby.url };
  assert.equal((await send(through, 'GET', '/v2/apps/web')).headers.get('x-marathon-leader'), marathon.url);
  const stream = await send(through, 'GET', '/v2/events', undefined, { accept: 'text/event-stream' });
  assert.deepEqual([stream.status, stream.headers.get('location')], [302, `${marathon.url}/v2/events`]);
  const chunked = await fetch(`${standby.url}/v2/apps/web`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: new Blob(['{"env":{}}']).stream(),
    duplex: 'half',
  });
  assert.deepEqual(
    [chunked.status, member(await chunked.json(), 'message')],
    [400, 'Please specify data in JSON format'],
  );
});
