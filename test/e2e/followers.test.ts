/** Two instances of our app: one leads, the other follows and takes over. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SIDECAR } from '../support/cluster.ts';
import {
  countFrom,
  edit,
  ONE_OF_EACH,
  patiently,
  quickCluster,
  sidecarFor,
  statusOf,
  untilServed,
} from '../support/episode.ts';

test('scaled to two, the second instance follows and says who leads; when the leader is killed it takes over, and nothing is ordered again', async (t) => {
  const names = ['a.example.com', 'b.example.com'];
  const cluster = await quickCluster(t);
  const since = countFrom(cluster);
  await cluster.addSidecar(await sidecarFor(names));
  await untilServed(cluster, names);
  const [leader] = cluster.tasks(SIDECAR);
  assert.ok(leader?.pid);

  await edit(cluster, { instances: 2 });
  const follower = cluster.tasks(SIDECAR).find(({ id }) => id !== leader.id);
  assert.ok(follower);
  const following = await patiently(cluster, 'the second one to follow', async () => {
    const { plan } = await statusOf(follower);
    return plan?.certificate.state === 'following' && plan.leader.taskId === leader.id && plan;
  });
  const { why } = following.certificate;
  assert.ok(why.startsWith(`task ${leader.id} of /letsencrypt-dcos leads`), why);
  assert.deepEqual(following.actions, []);

  process.kill(leader.pid, 'SIGKILL');
  await patiently(cluster, 'the second one to take over', async () => {
    const { plan } = await statusOf(follower);
    return plan?.leader.isUs && plan.certificate.state === 'live';
  });
  await patiently(cluster, 'a new second one to follow the new leader', async () => {
    const newcomer = cluster.tasks(SIDECAR).find(({ id }) => id !== follower.id);
    const plan = newcomer && (await statusOf(newcomer)).plan;
    return plan?.certificate.state === 'following' && plan.leader.taskId === follower.id;
  });
  assert.deepEqual(since(), ONE_OF_EACH);
  assert.deepEqual(cluster.marathon.violations, []);
});
