/**
 * Marathon's RAML, from which servers since 1.5 generate what they read and write: it knows every field of our
 * definitions, and every field that the simulator answers with.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startSimulator } from '../marathon-simulator/simulator.ts';
import { until } from '../support/until.ts';
import { ourDefinitions, ourJson, theirJson } from './other-projects.ts';
import { unknownNames } from './raml.ts';

for (const file of ourDefinitions()) {
  test(`RAML knows every field of ${file}`, () => {
    // Up to 1.4 the network and the port mappings stood with Docker; RAML keeps both as deprecated.
    assert.deepEqual(unknownNames(ourJson(file), 'app.raml', 'App'), []);
  });
}

test('the reading of RAML does find what is not there, at any depth', () => {
  const portMappings = [{ containerPort: 80, hostport: 0 }];
  const app = { id: '/a', domains: [], container: { portMappings }, healthChecks: [{ protocol: 'HTTP', every: 5 }] };
  assert.deepEqual(unknownNames(app, 'app.raml', 'App'), [
    '/domains',
    '/container/portMappings/0/hostport',
    '/healthChecks/0/every',
  ]);
  const volumes = [{ containerPath: '/a', hostPath: '/b', persistent: { size: 1 } }];
  assert.deepEqual(unknownNames({ container: { volumes } }, 'app.raml', 'App').length, 1, 'a volume is of one kind');
  const [first] = theirJson('marathon/head/api/v2/examples/deployments.json') as unknown[];
  assert.deepEqual(
    unknownNames({ ...(first as object), stepsLeft: 1 }, 'deploymentEventsInfo.raml', 'DeploymentStepInfo'),
    ['/stepsLeft'],
  );
});

test('the simulator answers with fields that RAML knows', async (t) => {
  const workDir = await mkdtemp(join(tmpdir(), 'simulator-'));
  const agents = [{ host: '127.0.0.1' }];
  const external = { '/letsencrypt-dcos-test-2': '127.0.0.1' };
  const simulator = await startSimulator({ profile: '1.11', agents, external, workDir });
  t.after(async () => {
    await simulator.close();
    await rm(workDir, { recursive: true, force: true });
  });
  const get = async (path: string): Promise<unknown> => (await simulator.api('GET', path)).body;

  const posted = await simulator.api('POST', '/v2/apps', ourJson('marathon/letsencrypt-dcos-test-2.json'));
  assert.deepEqual(unknownNames(posted.body, 'app.raml', 'AppInfo'), []);
  const running = await until(async () => {
    const { app } = (await get('/v2/apps/letsencrypt-dcos-test-2')) as { app: { tasks: unknown[] } };
    return app.tasks.length > 0 && app;
  }, 'the task stands in the answer');
  assert.deepEqual(unknownNames(running, 'app.raml', 'AppInfo'), []);

  // Nobody offers the role that it asks for: it stays in the queue.
  await simulator.api('POST', '/v2/apps', ourJson('marathon/marathon-lb.json'));
  const queue = await until(async () => {
    const found = (await get('/v2/queue?embed=lastUnusedOffers')) as { queue: unknown[] };
    return found.queue.length > 0 && found.queue;
  }, 'the app waits in the queue');
  assert.deepEqual(unknownNames(queue, 'queue.raml', 'QueueApp[]'), []);

  const answers: [string, string, string][] = [
    ['/v2/deployments', 'deploymentEventsInfo.raml', 'DeploymentStepInfo[]'],
    ['/v2/info', 'info.raml', 'MarathonInfo'],
    ['/v2/leader', 'info.raml', 'LeaderInfo'],
    ['/v2/apps', 'app.raml', 'AppList'],
    ['/v2/apps/letsencrypt-dcos-test-2/versions', 'app.raml', 'VersionList'],
    ['/v2/apps/nobody', 'error.raml', 'Error'],
  ];
  for (const [path, file, type] of answers) assert.deepEqual(unknownNames(await get(path), file, type), [], path);

  const changed = await simulator.api('PUT', '/v2/apps/letsencrypt-dcos-test-2?force=true', { instances: 2 });
  assert.deepEqual(unknownNames(changed.body, 'deploymentResult.raml', 'DeploymentResult'), []);
  const refused = await simulator.api('PUT', '/v2/apps/letsencrypt-dcos-test-2', { instances: -1 });
  // Here the server's code is ahead of its RAML: Validation.scala writes a path beside the errors.
  assert.deepEqual([refused.status, unknownNames(refused.body, 'error.raml', 'Error')], [422, ['/details/0/path']]);
});
