/** Renewal for real: a CA whose certificates live for seconds, and visitors who must never see one that has ended. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countFrom, ONE_OF_EACH, quickCluster, sidecarFor, untilServed, visitors } from '../support/episode.ts';

/** Half of it is left for the renewal: an order and a deployment of a second or two each, ten times that on a busy machine. */
const LIFE_SECONDS = 40;

test('a certificate is renewed at half of its short life, with one order and one deployment, and never ends on the wire', async (t) => {
  const names = ['a.example.com', 'b.example.com'];
  const cluster = await quickCluster(t, { pebble: { validitySeconds: LIFE_SECONDS } });
  const sinceFirst = countFrom(cluster);
  await cluster.addSidecar(await sidecarFor(names));
  const first = await untilServed(cluster, names);
  assert.deepEqual(sinceFirst(), ONE_OF_EACH);
  const crowd = visitors(cluster, names);

  const sinceRenewal = countFrom(cluster);
  await untilServed(cluster, names, first);
  assert.deepEqual(sinceRenewal(), ONE_OF_EACH);
  assert.equal(cluster.pebble.counts().newAccount, 1, 'by the account that it has');

  assert.deepEqual(await crowd.leave(), []);
  assert.deepEqual(cluster.marathon.violations, []);
});
