/** Deployments move by what tasks do, on ports that are really taken: the simulator's promise, story by story. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Simulator } from '../../marathon-simulator/simulator.ts';
import { member, START_FIRST, simulated, webApp } from '../../support/simulated.ts';

const NET = 1;
const waiting = async (marathon: Simulator) =>
  Number(member((await marathon.api('GET', '/v2/queue')).body, 'queue', 0, 'count')) === 1;
const deploymentOf = (body: unknown) => String(member(body, 'deploymentId'));

test('kill-first: the old task frees its port, the new one takes it, and only then the deployment ends', async (t) => {
  const marathon = await simulated(t, NET);
  await marathon.deployed(await marathon.add(webApp()));
  const put = await marathon.api('PUT', '/v2/apps/web', { env: { A: '2' } });
  assert.equal(put.status, 200);
  assert.equal(put.headers.get('marathon-deployment-id'), deploymentOf(put.body));
  await marathon.deployed(deploymentOf(put.body));

  const [old, fresh] = marathon.tasksOf('/web');
  assert.equal(old?.state, 'TASK_KILLED');
  assert.equal(fresh?.state, 'TASK_RUNNING');
  assert.equal(fresh?.version, member(put.body, 'version'));
  assert.ok(Date.parse(old?.endedAt ?? '') <= Date.parse(fresh?.stagedAt ?? ''), 'one after the other');
  assert.equal(await (await fetch(`http://127.41.${NET}.2:8080`)).text(), '2');
  assert.deepEqual((await marathon.api('GET', '/v2/deployments')).body, []);
});

test('start-first with one agent and a fixed port sticks for ever, and the queue says which resource is missing', async (t) => {
  const marathon = await simulated(t, NET);
  await marathon.deployed(await marathon.add(webApp({ upgradeStrategy: START_FIRST })));
  const { body } = await marathon.api('PUT', '/v2/apps/web', { env: { A: '2' } });
  await marathon.until(async () => {
    const queue = (await marathon.api('GET', '/v2/queue?embed=lastUnusedOffers')).body;
    return (
      member(queue, 'queue', 0, 'processedOffersSummary', 'unusedOffersCount') !== undefined &&
      Number(member(queue, 'queue', 0, 'processedOffersSummary', 'unusedOffersCount')) >= 3
    );
  }, 'three declined offers');

  const item = member((await marathon.api('GET', '/v2/queue?embed=lastUnusedOffers')).body, 'queue', 0);
  assert.deepEqual(member(item, 'delay'), { timeLeftSeconds: 0, overdue: true });
  assert.equal(member(item, 'app', 'id'), '/web');
  assert.deepEqual(member(item, 'lastUnusedOffers', 0, 'reason'), ['InsufficientPorts']);
  const reasons = member(item, 'processedOffersSummary', 'rejectSummaryLastOffers') as {
    reason: string;
    declined: number;
  }[];
  assert.deepEqual(
    reasons.filter(({ declined }) => declined > 0).map(({ reason }) => reason),
    ['InsufficientPorts'],
  );

  const deployments = (await marathon.api('GET', '/v2/deployments')).body;
  assert.equal(member(deployments, 0, 'id'), deploymentOf(body));
  assert.deepEqual(member((await marathon.api('GET', '/v2/apps/web')).body, 'app', 'deployments'), [
    { id: deploymentOf(body) },
  ]);
  assert.equal(await (await fetch(`http://127.41.${NET}.2:8080`)).text(), '1', 'the old task goes on serving');
});

test('a second agent lets start-first through: the new task is healthy before the old one dies', async (t) => {
  const marathon = await simulated(t, NET, { agentCount: 2 });
  await marathon.deployed(await marathon.add(webApp({ upgradeStrategy: START_FIRST })));
  const { body } = await marathon.api('PUT', '/v2/apps/web', { env: { A: '2' } });
  await marathon.deployed(deploymentOf(body));
  const [old, fresh] = marathon.tasksOf('/web');
  assert.notEqual(old?.host, fresh?.host);
  assert.ok(Date.parse(old?.endedAt ?? '') >= Date.parse(fresh?.startedAt ?? ''));
});

test('two instances at 0.5/0.2 on two agents with fixed ports: one after the other, never both away', async (t) => {
  const marathon = await simulated(t, NET, { agentCount: 2 });
  const upgradeStrategy = { minimumHealthCapacity: 0.5, maximumOverCapacity: 0.2 };
  await marathon.deployed(await marathon.add(webApp({ instances: 2, upgradeStrategy })));
  const running: number[] = [];
  const unlisten = marathon.cluster.onChange(() => {
    running.push(marathon.tasksOf('/web').filter(({ state, alive }) => state === 'TASK_RUNNING' && alive).length);
  });
  const { body } = await marathon.api('PUT', '/v2/apps/web', { env: { A: '2' } });
  await marathon.deployed(deploymentOf(body));
  unlisten();
  assert.equal(Math.min(...running), 1);
  assert.equal(marathon.deploymentsOf('/web').at(-1)?.launches.length, 2);
});

test('a port that another program holds is not free', async (t) => {
  const marathon = await simulated(t, NET);
  const { createServer } = await import('node:net');
  const squatter = createServer().listen(8080, `127.41.${NET}.2`);
  const id = await marathon.add(webApp());
  await marathon.until(async () => {
    const { body } = await marathon.api('GET', '/v2/queue');
    return Number(member(body, 'queue', 0, 'processedOffersSummary', 'unusedOffersCount')) > 0;
  }, 'an offer declined');
  assert.equal(marathon.tasksOf('/web').length, 0);
  squatter.close();
  await marathon.deployed(id);
});

test('an equal PUT answers 200 with an id and a version that nobody sees again, and restarts nothing', async (t) => {
  const marathon = await simulated(t, NET);
  await marathon.deployed(await marathon.add(webApp()));
  const before = (await marathon.api('GET', '/v2/apps/web')).body;
  const put = await marathon.api('PUT', '/v2/apps/web', { env: { A: '1' } });
  assert.equal(put.status, 200);
  assert.notEqual(member(put.body, 'version'), member(before, 'app', 'version'));
  const after = (await marathon.api('GET', '/v2/apps/web')).body;
  assert.equal(member(after, 'app', 'version'), member(before, 'app', 'version'));
  assert.deepEqual((await marathon.api('GET', '/v2/deployments')).body, []);
  assert.equal(marathon.tasksOf('/web').length, 1);
  const success = marathon.events.filter(({ eventType }) => eventType === 'deployment_success').at(-1);
  assert.equal(success?.id, deploymentOf(put.body));
  assert.deepEqual(member(success, 'plan', 'steps'), []);
});

test('scaling makes a new version, but leaves the running tasks alone and current', async (t) => {
  const marathon = await simulated(t, NET, { agentCount: 2 });
  await marathon.deployed(await marathon.add(webApp()));
  const { body } = await marathon.api('PUT', '/v2/apps/web', { instances: 2 });
  await marathon.deployed(deploymentOf(body));
  const app = member((await marathon.api('GET', '/v2/apps/web')).body, 'app');
  assert.equal(member(app, 'version'), member(body, 'version'));
  assert.notEqual(member(app, 'versionInfo', 'lastConfigChangeAt'), member(body, 'version'));
  const [first, second] = marathon.tasksOf('/web');
  assert.equal(first?.state, 'TASK_RUNNING');
  assert.equal(second?.version, member(body, 'version'));

  const down = await marathon.api('PUT', '/v2/apps/web', { instances: 0 });
  await marathon.deployed(deploymentOf(down.body));
  assert.ok(marathon.tasksOf('/web').every(({ state }) => state === 'TASK_KILLED'));
});

test('while a deployment runs the app is locked: 409 with its id, and a failed deployment that nobody knows', async (t) => {
  const marathon = await simulated(t, NET);
  await marathon.deployed(await marathon.add(webApp({ upgradeStrategy: START_FIRST })));
  const first = await marathon.api('PUT', '/v2/apps/web', { env: { A: '2' } });
  const second = await marathon.api('PUT', '/v2/apps/web', { env: { A: '3' } });
  assert.equal(second.status, 409);
  assert.deepEqual(member(second.body, 'deployments'), [{ id: deploymentOf(first.body) }]);
  const failed = marathon.events.find(({ eventType }) => eventType === 'deployment_failed');
  assert.notEqual(failed?.id, deploymentOf(first.body));
  assert.equal(marathon.events.filter(({ eventType }) => eventType === 'group_change_failed').length, 1);
});

test('a forced stop leaves the definition new and the tasks old; the app is free again', async (t) => {
  const marathon = await simulated(t, NET);
  await marathon.deployed(await marathon.add(webApp({ upgradeStrategy: START_FIRST })));
  const { body } = await marathon.api('PUT', '/v2/apps/web', { env: { A: '2' } });
  const stop = await marathon.api('DELETE', `/v2/deployments/${deploymentOf(body)}?force=true`);
  assert.deepEqual([stop.status, stop.body], [202, '']);
  const app = member((await marathon.api('GET', '/v2/apps/web')).body, 'app');
  assert.deepEqual([member(app, 'env', 'A'), member(app, 'deployments')], ['2', []]);
  assert.equal(marathon.tasksOf('/web').length, 1);
  assert.equal((await marathon.api('DELETE', `/v2/deployments/${deploymentOf(body)}`)).status, 404);
});

test('rolling a stuck update back before 1.8 sticks again: even the old task counts as old', async (t) => {
  const marathon = await simulated(t, NET, { profile: '1.5' });
  await marathon.deployed(await marathon.add(webApp({ upgradeStrategy: START_FIRST })));
  const { body } = await marathon.api('PUT', '/v2/apps/web', { env: { A: '2' } });
  await marathon.until(() => marathon.deploymentsOf('/web').length === 2, 'the update');
  const back = await marathon.api('DELETE', `/v2/deployments/${deploymentOf(body)}`);
  assert.equal(back.status, 200);
  assert.notEqual(deploymentOf(back.body), deploymentOf(body));
  await marathon.until(async () => {
    const queue = (await marathon.api('GET', '/v2/queue')).body;
    return Number(member(queue, 'queue', 0, 'processedOffersSummary', 'unusedOffersCount')) > 1;
  }, 'declined offers');
  const app = member((await marathon.api('GET', '/v2/apps/web')).body, 'app');
  assert.equal(member(app, 'env', 'A'), '1');
  assert.equal(member(app, 'version'), member(back.body, 'version'));
  assert.deepEqual(member(app, 'deployments'), [{ id: deploymentOf(back.body) }]);
});

const STUCK = { upgradeStrategy: START_FIRST };

test('a leader change during a stuck update kills the task that serves: the waiting one counts as too many', async (t) => {
  for (const profile of ['1.9', '1.11'] as const) {
    const marathon = await simulated(t, NET, { profile });
    await marathon.deployed(await marathon.add(webApp(STUCK)));
    const { body } = await marathon.api('PUT', '/v2/apps/web', { env: { A: '2' } });
    await marathon.until(() => waiting(marathon), 'the new task to wait');
    marathon.faults.leaderFailover(0);
    await marathon.deployed(deploymentOf(body));
    assert.equal(marathon.tasksOf('/web')[0]?.state, 'TASK_KILLED', profile);
    await marathon.close();
  }
});

test('a forced PUT on a stuck update kills the task that serves in 1.9; from 1.10 on the one that waits goes first', async (t) => {
  const old = await simulated(t, NET, { profile: '1.9' });
  await old.deployed(await old.add(webApp(STUCK)));
  await old.api('PUT', '/v2/apps/web', { env: { A: '2' } });
  await old.until(() => waiting(old), 'the new task to wait');
  await old.deployed(deploymentOf((await old.api('PUT', '/v2/apps/web?force=true', { env: { A: '3' } })).body));
  assert.equal(old.deploymentsOf('/web')[1]?.state, 'cancelled');
  await old.close();

  const fixed = await simulated(t, NET, { profile: '1.11' });
  await fixed.deployed(await fixed.add(webApp(STUCK)));
  await fixed.api('PUT', '/v2/apps/web', { env: { A: '2' } });
  await fixed.until(() => waiting(fixed), 'the new task to wait');
  await fixed.api('PUT', '/v2/apps/web?force=true', { env: { A: '3' } });
  const declined = async () =>
    member((await fixed.api('GET', '/v2/queue')).body, 'queue', 0, 'app', 'env', 'A') === '3';
  await fixed.until(declined, 'the third configuration to wait');
  assert.equal(fixed.tasksOf('/web')[0]?.state, 'TASK_RUNNING');
});

test('after a leader change the same deployment goes on under the same id', async (t) => {
  const marathon = await simulated(t, NET);
  await marathon.deployed(await marathon.add(webApp()));
  marathon.faults.delayStart('/web', 2_000);
  const { body } = await marathon.api('PUT', '/v2/apps/web', { env: { A: '2' } });
  marathon.faults.leaderFailover(2);
  for (const status of [502, 502, 200]) {
    const answer = await fetch(`${marathon.url}/v2/deployments`, { headers: { connection: 'close' } });
    assert.equal(answer.status, status);
    if (status === 502) assert.match(answer.headers.get('content-type') ?? '', /html/);
    else assert.equal(member(await answer.json(), 0, 'id'), deploymentOf(body));
  }
  await marathon.deployed(deploymentOf(body));
});

test('deleting an app kills its tasks and tells so', async (t) => {
  const marathon = await simulated(t, NET);
  await marathon.deployed(await marathon.add(webApp()));
  const { status, body } = await marathon.api('DELETE', '/v2/apps/web');
  assert.equal(status, 200);
  assert.equal((await marathon.api('GET', '/v2/apps/web')).status, 404);
  await marathon.deployed(deploymentOf(body));
  assert.equal(marathon.tasksOf('/web')[0]?.state, 'TASK_KILLED');
  assert.ok(marathon.events.some(({ eventType }) => eventType === 'app_terminated_event'));
});
