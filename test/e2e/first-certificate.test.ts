/** From a label to a certificate that visitors see: the main job, with few names, with many, and before their apps. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SIDECAR } from '../support/cluster.ts';
import {
  countFrom,
  ONE_OF_EACH,
  proof,
  quickCluster,
  sidecarFor,
  statusAt,
  statusOf,
  untilServed,
} from '../support/episode.ts';

const ADMIN_TOKEN = 'pressed-by-the-operator';

test('an operator posts the app with two names that have no backend yet (503): both are served everywhere after one order and one deployment', async (t) => {
  const names = ['www.example.com', 'example.com'];
  const cluster = await quickCluster(t);
  const since = countFrom(cluster);
  assert.equal(await statusAt(cluster.publicHosts[0] ?? '', 'www.example.com'), 503, 'nobody is behind the name');

  await cluster.addSidecar(await sidecarFor(names, { env: { ADMIN_TOKEN } }));
  const fingerprint = await untilServed(cluster, names);

  assert.deepEqual(since(), ONE_OF_EACH);
  assert.equal(cluster.pebble.counts().newAccount, 1);
  const [task] = cluster.tasks(SIDECAR);
  assert.ok(task);
  const { held } = (await statusOf(task)).plan?.certificate ?? {};
  assert.deepEqual([held?.fingerprint, held?.domains], [fingerprint, names], 'and it says so');

  await t.test(
    'somebody presses "Renew": another certificate is served everywhere, by one order and one deployment',
    async () => {
      const sincePressed = countFrom(cluster);
      const pressed = await fetch(`http://${task.host}:${task.ports[1]}/actions/renew`, {
        ...{ method: 'POST', redirect: 'manual', body: new URLSearchParams({ token: ADMIN_TOKEN }) },
      });
      assert.equal(pressed.status, 303);
      await untilServed(cluster, names, fingerprint);
      assert.deepEqual(sincePressed(), ONE_OF_EACH);
      assert.equal(cluster.pebble.counts().newAccount, 1, 'by the account that it has');
    },
  );
  assert.deepEqual(cluster.marathon.violations, []);
});

test('a hundred names: one order, one deployment, a hundred names proven on each of two instances', async (t) => {
  const names = Array.from({ length: 100 }, (_, n) => `shop-${n + 1}.example.com`);
  const cluster = await quickCluster(t);
  const since = countFrom(cluster);

  await cluster.addSidecar(await sidecarFor(names));
  await untilServed(cluster, names);

  const seen = await cluster.look(names);
  assert.equal(seen.length, 200);
  assert.notEqual(proof(seen, 200), undefined);
  assert.deepEqual(since(), ONE_OF_EACH);
  assert.deepEqual(cluster.marathon.violations, []);
});
