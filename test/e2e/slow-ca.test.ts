/** A CA as unkind as Pebble comes: it refuses good nonces and lets validations wait. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countFrom, ONE_OF_EACH, quickCluster, sidecarFor, untilServed } from '../support/episode.ts';

test("with Pebble's own defaults, one nonce in twenty refused and validations delayed: still one order and one deployment", async (t) => {
  const names = Array.from({ length: 10 }, (_, n) => `n${n}.example.com`);
  const cluster = await quickCluster(t, { pebble: { strictness: 'defaults' } });
  const since = countFrom(cluster);
  await cluster.addSidecar(await sidecarFor(names));
  await untilServed(cluster, names);
  // A request with a refused nonce is sent again, and no second order comes of it.
  assert.deepEqual({ ...since(), newOrders: 1 }, ONE_OF_EACH);
  assert.deepEqual(cluster.marathon.violations, []);
});
